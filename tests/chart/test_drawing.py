"""The drawing: every kind in every status, mesial towards the midline, no mark without an entry and no entry without a mark or a reason."""

import random
import re
from itertools import combinations
from xml.etree import ElementTree

import brotli
import pytest

from clinic.chart import drawing, key, legends, marks, outlines, teeth, words
from clinic.chart.drawing import drawing_of
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, Drawing, Presence, Scope, Status, own_kind
from clinic.chart.legends import PAPER
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Dentition, Numbering, present_at
from tests.chart import pictured
from tests.chart.svg import key_html, svg_of

KINDS = pytest.mark.parametrize("kind", pictured.KINDS.values(), ids=lambda kind: kind.code)
SVG = "{http://www.w3.org/2000/svg}"


def tree_of(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def numbers(path: str) -> list[tuple[float, float]]:
    values = [float(value) for value in re.findall(r"-?\d*\.?\d+", path)]
    return list(zip(values[::2], values[1::2], strict=True))


def middle(path: str) -> tuple[float, float]:
    points = numbers(path)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def one_mouth(*entries: Entry, base: tuple[str, ...] = teeth.PERMANENT) -> Mouth:
    return Mouth(base, entries, pictured.KINDS)


def said(kind: str, status: Status, tooth: str, surfaces: str = "", number: int = 1, **details: str) -> Entry:
    return Entry(kind, status, ((tooth, ""),), surfaces, details=details, id=number, thread=number)


# --- which way is mesial ----------------------------------------------------------------------------------------------


def places_of_zones() -> dict[str, dict[str, tuple[float, float]]]:
    """Of each of the 52: where on the chart its zones are, read from the picture."""
    found = {}
    for base in (teeth.PERMANENT, teeth.PRIMARY):
        for group in tree_of(svg_of(drawing_of(Mouth(base)))).iter(f"{SVG}g"):
            zones = [path for path in group.iter() if path.get("data-zone")]
            if group.get("data-tooth") in base and zones:
                x, y = (float(value) for value in re.findall(r"-?[\d.]+", group.get("transform", ""))[:2])
                found[group.get("data-tooth")] = {
                    path.get("data-zone"): (x + middle(path.get("d"))[0], y + middle(path.get("d"))[1])
                    for path in zones
                }
    return found


ZONES = places_of_zones()


def test_all_52_are_drawn_with_five_zones():
    assert set(ZONES) == set(teeth.ALL)
    assert all(set(zones) == set(teeth.SURFACES) for zones in ZONES.values())


@pytest.mark.parametrize("tooth", teeth.ALL)
def test_mesial_faces_the_midline_in_the_picture(tooth):
    zones = ZONES[tooth]
    assert (
        abs(zones["M"][0] - drawing.WIDTH / 2)
        < abs(zones["O"][0] - drawing.WIDTH / 2)
        < abs(zones["D"][0] - drawing.WIDTH / 2)
    )
    assert (zones["M"][0] > zones["D"][0]) == (tooth[0] in "1458"), "the patient's right is on the viewer's left"
    on_top = "B" if tooth[0] in "1256" else "L"
    assert zones[on_top][1] == min(y for _, y in zones.values())


def test_neighbours_at_the_midline_face_one_another_and_no_others_do():
    for arch in (teeth.UPPER, teeth.LOWER, teeth.UPPER_PRIMARY, teeth.LOWER_PRIMARY):
        for left, right in zip(arch, arch[1:], strict=False):
            facing = {
                name: min(
                    ZONES[tooth],
                    key=lambda surface, tooth=tooth, other=other: abs(ZONES[tooth][surface][0] - ZONES[other]["O"][0]),
                )
                for name, tooth, other in (("left", left, right), ("right", right, left))
            }
            assert sorted(facing.values()) == (["M", "M"] if left[1] == right[1] == "1" else ["D", "M"])


@pytest.mark.parametrize("tooth", teeth.ALL)
def test_zones_lie_where_the_teeth_say(tooth):
    zones = ZONES[tooth]
    said_of = teeth.zones(tooth)
    assert said_of["left"] == min(zones, key=lambda each: zones[each][0])
    assert said_of["right"] == max(zones, key=lambda each: zones[each][0])
    assert said_of["top"] == min(zones, key=lambda each: zones[each][1])
    assert said_of["bottom"] == max(zones, key=lambda each: zones[each][1])


@pytest.mark.parametrize("tooth", teeth.ALL)
def test_a_tooth_is_shaped_like_itself(tooth):
    one, outline = teeth.tooth(tooth), outlines.outline(tooth)
    assert set(outline.canals) == set(one.canals)
    apexes = {round(x) for x, _ in outline.apices}
    assert len(apexes) >= (1 if one.roots == 1 else 2)
    assert bool(outline.back) == (one.roots == 3), "the palatal root stands behind the others"
    assert bool(outline.furcation) == (one.roots > 1)
    assert outline.half[0] < outlines.FIGURES[teeth.Shape.MOLAR][0] or one.shape is teeth.Shape.MOLAR
    crown, roots = numbers(outline.put(outline.crown)), numbers(outline.put(outline.roots))
    biting, apex = (max(crown, key=lambda p: abs(p[1])), max(roots, key=lambda p: abs(p[1])))
    assert (biting[1] > 0) == one.is_upper
    assert (apex[1] < 0) == one.is_upper
    assert 2 * outline.width <= drawing.COLUMNS[one.place[1]] + 1, "it keeps to its column"
    assert abs(apex[1]) <= outlines.ROOT_ROOM - 14
    assert abs(biting[1]) <= outlines.CROWN_ROOM + 1


# --- every kind in every status ---------------------------------------------------------------------------------------


@KINDS
def test_every_kind_is_drawn_in_every_status_and_variant(kind):
    assert kind.drawing.rule in marks.RULES
    for status in kind.statuses:
        for details in key.variants(kind):
            mouth, keys = key.sample(kind, status, details)
            for legend in ("neutral", "red-blue"):
                made = drawing_of(mouth, legend=legend)
                assert 1 in made.drawn, f"{kind.code} {status} {details}"
                of_it = [mark for mark in made.marks if mark.entry == 1]
                told = [tooth for tooth in made.teeth if tooth.told == 1]
                assert told or any(mark.strokes or mark.letters for mark in of_it)
                assert all(mark.kind == kind.code and mark.status is status for mark in of_it)
                if kind.scope in (Scope.WHOLE, Scope.SURFACES, Scope.ROOT) and kind.code != "exfoliated":
                    assert {
                        tooth.key
                        for tooth in made.teeth
                        if tooth.told == 1 or any(mark.entry == 1 for mark in tooth.marks)
                    } == set(keys)


@KINDS
def test_variants_and_statuses_differ_without_colour(kind):
    """In black and white no two of a kind are drawn alike, unless they are meant to be (kinds that say it in words only)."""
    found = {}
    for status in kind.statuses:
        for details in key.variants(kind):
            found[status, *details.values()] = grey(drawing_of(key.sample(kind, status, details)[0]))
    for one, other in combinations(found, 2):
        if one[1:] != other[1:] and one[0] in (Status.OPTION, Status.PLANNED, Status.IN_PROCESS, Status.REFERRED):
            continue  # what something will be made of is in the letters and the words
        assert found[one] != found[other], f"{one} {other}"


def grey(made: drawing.Drawing) -> list[object]:
    """All that is drawn, without its colours."""

    def plain(fill: str) -> str:
        return "paper" if fill == PAPER else re.sub(r"#[0-9a-f]{6}", "", fill)

    return [
        (
            mark.dash,
            [(s.d, plain(s.fill), s.width, s.dash) for s in mark.strokes],
            [(t.text, t.x, t.y) for t in mark.letters],
        )
        for mark in made.marks
    ] + [([t.text for t in tooth.letters], [(s.d, s.dash) for s in tooth.body]) for tooth in made.teeth]


def test_no_two_kinds_are_drawn_alike():
    found = {}
    for kind in BUILT_IN.values():
        shown = Status.FINDING if Status.FINDING in kind.statuses else Status.COMPLETED
        mouth, _ = key.sample(kind, shown, next(iter(key.variants(kind))))
        found[kind.code] = repr(grey(drawing_of(mouth)))
    alike = {(one, other) for one, other in combinations(found, 2) if found[one] == found[other]}
    assert not alike - {("crown", "implant_crown")}


@KINDS
def test_dashes_of_a_status_stay_open_however_thick_a_line_is(kind):
    for status in (Status.OPTION, Status.PLANNED, Status.IN_PROCESS, Status.REFERRED):
        if status not in kind.statuses:
            continue
        dash = legends.NEUTRAL.ink(status).dash
        made = drawing_of(key.sample(kind, status, {})[0])
        dashes = {(stroke.dash, stroke.width) for mark in made.marks if mark.entry == 1 for stroke in mark.strokes}
        of_status = {(each, width) for each, width in dashes if width and each == legends.dashed(dash, width)}
        assert of_status, "at least one line has the dashes of the status"
        for each, width in of_status:
            assert all(float(gap) - width >= width / 2 for gap in each.split()[1::2]), "round caps close it"


@pytest.mark.parametrize("code", ["own-4", "own-15", "bracket"])
def test_a_small_picture_is_whole_in_a_frame_with_the_dashes(code):
    for status in pictured.KINDS[code].statuses:
        (mark,) = drawing_of(one_mouth(said(code, status, "36"))).marks
        dashes = [stroke.dash for stroke in mark.strokes]
        assert [each for each in dashes if each] == ([legends.dashed(mark.dash, 1.7)] if mark.dash else [])


@pytest.mark.parametrize("kind", ["rotation", "tilt", "drift"])
@pytest.mark.parametrize("tooth", ["16", "26", "36", "46"])
def test_an_arrow_points_where_the_tooth_went(kind, tooth):
    """By the tip, the middle point of the arrow's head: towards that zone of the tooth."""
    for direction, surface in {"mesial": "M", "distal": "D", "outer": "B", "inner": "L"}.items():
        (mark,) = drawing_of(one_mouth(said(kind, Status.FINDING, tooth, direction=direction))).marks
        points = numbers(mark.strokes[-1].d)
        (ax, ay), (bx, by) = ((points[-3][at] + points[-1][at]) / 2 for at in (0, 1)), points[-2]
        mx, my = middle(outlines.outline(tooth).shown["O"])
        sx, sy = middle(outlines.outline(tooth).shown[surface])
        assert (bx - ax) * (sx - mx) + (by - ay) * (sy - my) > 0, direction


@pytest.mark.parametrize(("tooth", "direction", "glyph"), [("16", "mesial", "→ M"), ("26", "mesial", "← M"), ("26", "distal", "→ D"),
                         ("16", "outer", "↑ B"), ("36", "outer", "↓ B"), ("36", "inner", "↑ L")])  # fmt: skip
def test_an_ectopic_tooth_points_on_the_screen(tooth, direction, glyph):
    (mark,) = drawing_of(one_mouth(said("ectopic", Status.FINDING, tooth, direction=direction))).marks
    assert mark.letters[-1].text == glyph


@pytest.mark.parametrize("size", ["S", "M", "L"])
def test_an_apical_lesion_lies_at_the_end_of_a_root(size):
    for tooth in ("16", "24", "36", "11"):
        (mark,) = drawing_of(one_mouth(said("apical_lesion", Status.FINDING, tooth, size=size))).marks
        outline = outlines.outline(tooth)
        assert middle(mark.strokes[-1].d) == pytest.approx(outline.at(*outline.apices[0]), abs=0.2)


@pytest.mark.parametrize("sort", ["abrasion", "abfraction"])
def test_a_notch_is_on_the_side_that_is_charted(sort):
    at = {
        surfaces: middle(
            next(drawing_of(one_mouth(said("wear", Status.FINDING, "16", surfaces, type=sort))).marks).strokes[-1].d
        )[0]
        for surfaces in ("M", "D", "B", "MD")
    }
    assert at["D"] < 0 < at["M"], "mesial is on the right of 16"
    assert at["B"] == at["MD"] == pytest.approx(0)


# --- text equals picture ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pictured.WHOLE)
def test_every_entry_that_holds_is_drawn_or_says_why_not(name):
    mouth = pictured.WHOLE[name]
    made = drawing_of(mouth)
    held = {entry.id for entry in mouth.entries}
    assert made.drawn | set(made.undrawn) == held
    assert not made.drawn & set(made.undrawn)
    assert all(reason.endswith(".") for reason in made.undrawn.values())


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_mouth_says_it_can_be_drawn(seed):
    chance = random.Random(seed)
    base = chance.choice([teeth.PERMANENT, teeth.PRIMARY, (), present_at(Dentition.MIXED, chance.uniform(6, 12))])
    entries = []
    for number in range(1, 31):
        kind = chance.choice(list(pictured.KINDS.values()))
        arch = chance.choice([teeth.UPPER, teeth.LOWER, teeth.UPPER_PRIMARY, teeth.LOWER_PRIMARY])
        count = chance.randint(1, 4) if kind.scope in (Scope.SPAN, Scope.ARCH) else 1
        at = chance.randrange(len(arch) - count)
        pairs = tuple((each, chance.choice(kind.roles) if kind.roles else "") for each in arch[at : at + count])
        if kind.code == "supernumerary":
            pairs = ((f"S{chance.randint(1, 9)}", ""), *pairs[:2])
        surfaces = "".join(chance.sample("MODBL", 2)) if kind.scope is Scope.SURFACES else ""
        details = {
            one.name: chance.choice([*one.options, "odd"])
            for one in kind.fields
            if chance.random() < 0.8 and one.name not in ("canals", "mm")
        }
        jaw = chance.choice(["upper", "lower"]) if kind.scope is Scope.ARCH and chance.random() < 0.4 else ""
        entries.append(
            Entry(
                kind.code,
                chance.choice(kind.statuses),
                () if jaw else pairs,
                surfaces,
                jaw,
                details,
                id=number,
                thread=number,
            )
        )
    mouth = one_mouth(*entries, base=base)
    for legend in ("neutral", "red-blue"):
        made = drawing_of(mouth, legend=legend, numbering=chance.choice(list(Numbering)))
        assert made.drawn | set(made.undrawn) == {entry.id for entry in entries}
        assert not made.drawn & set(made.undrawn)
        tree = tree_of(svg_of(made))
        assert {int(each.get("data-entry")) for each in tree.iter() if each.get("data-entry")} == made.drawn


@pytest.mark.parametrize("numbering", Numbering)
@KINDS
def test_the_sentence_names_what_is_drawn(kind, numbering):
    """Kind, status, tooth, surfaces and every detail that changes the picture are in the words, and the tooth's label holds them."""
    for status in kind.statuses:
        for details in key.variants(kind):
            mouth, keys = key.sample(kind, status, details)
            entry = mouth.entries[-1]
            sentence = words.sentence(entry, numbering=numbering, kinds=mouth.kinds)
            assert kind.name.lower() in sentence.lower()
            assert status.words in sentence
            for surface in entry.surfaces:
                assert teeth.surface_name(keys[0], surface) in sentence
            for name, value in details.items():
                if (one := kind.field(name)).options:
                    word = "nobody knows" if value == "unknown" else one.options[value].split(" ")[0]
                    assert word in sentence, f"{sentence}: {value}"
            made = drawing_of(mouth, numbering=numbering)
            for tooth in made.teeth:
                if tooth.told == 1 or any(mark.entry == 1 for mark in tooth.marks):
                    if kind.scope in (Scope.SPAN, Scope.ARCH) and kind.code != "supernumerary":
                        assert words.part_sentence(entry, tooth.key, mouth, numbering).lower() in tooth.label.lower()
                    else:
                        said_of = words.sentence(entry, numbering=numbering, kinds=mouth.kinds, with_tooth=False)
                        assert said_of.lower() in tooth.label.lower()
                    assert teeth.shown(tooth.key, numbering) in {letter.text for letter in tooth.letters}


@pytest.mark.parametrize("kind", ["exfoliated", "extraction"])
def test_what_became_of_a_primary_tooth_stands_where_its_successor_is_awaited(kind):
    status = BUILT_IN[kind].statuses[0] if kind == "exfoliated" else Status.COMPLETED
    gone = said(kind, status, "75")
    waiting = drawing_of(one_mouth(gone, base=teeth.PRIMARY))
    (mark,) = (mark for tooth in waiting.teeth if tooth.key == "35" for mark in tooth.marks)
    assert mark.entry == 1
    assert mark.letters[0].text.startswith("75 ")
    assert "75" in next(tooth.label for tooth in waiting.teeth if tooth.key == "35")
    followed = drawing_of(one_mouth(gone, said("erupted", Status.FINDING, "35", number=2), base=teeth.PRIMARY))
    assert followed.undrawn == {1: "35 stands in its place now."}


def test_labels_are_the_sentences_of_the_teeth():
    mouth = pictured.WHOLE["permanent"]
    for tooth in drawing_of(mouth, numbering="universal").teeth:
        assert tooth.label == words.tooth_sentence(mouth, tooth.key, "universal")


# --- what hides what --------------------------------------------------------------------------------------------------


def test_a_crown_hides_the_decay_under_it_and_nothing_that_came_later():
    before = said("caries", Status.FINDING, "36", "MO", 1)
    crown = said("crown", Status.COMPLETED, "36", number=2)
    after = said("caries", Status.FINDING, "36", "D", 3)
    made = drawing_of(one_mouth(before, crown, after))
    assert made.undrawn == {1: "It is under the crown."}
    planned = said("crown", Status.PLANNED, "36", number=2)
    assert not drawing_of(one_mouth(before, planned, after)).undrawn


def test_a_filling_hides_the_decay_it_replaced_only_where_it_lies():
    decay = said("caries", Status.FINDING, "36", "MO", 1)
    assert drawing_of(one_mouth(decay, said("restoration", Status.COMPLETED, "36", "MO", 2))).undrawn == {
        1: "It is under the filling."
    }
    assert not drawing_of(one_mouth(decay, said("restoration", Status.COMPLETED, "36", "O", 2))).undrawn
    assert not drawing_of(one_mouth(decay, said("restoration", Status.PLANNED, "36", "MO", 2))).undrawn


@pytest.mark.parametrize("status", [Status.IN_PROCESS, Status.COMPLETED, Status.EXISTING])
def test_what_replaces_a_tooth_takes_its_cross_away(status):
    gone = said("extraction", Status.COMPLETED, "36", number=1)
    crossed = drawing_of(one_mouth(gone))
    assert [mark.entry for mark in crossed.marks] == [1]
    bridge = Entry("bridge", status, (("35", "abutment"), ("36", "pontic"), ("37", "abutment")), id=2, thread=2)
    for replaced in (one_mouth(gone, bridge), one_mouth(gone, said("implant", status, "36", number=2))):
        made = drawing_of(replaced)
        assert 1 not in {mark.entry for mark in made.marks}
        assert next(tooth for tooth in made.teeth if tooth.key == "36").body != outlines_of_present("36")


@pytest.mark.parametrize("status", [Status.OPTION, Status.PLANNED, Status.REFERRED])
@pytest.mark.parametrize("gone", ["extraction", "missing"])
def test_what_may_replace_a_tooth_stands_on_its_cross(status, gone):
    lost = said(gone, Status.FINDING if gone == "missing" else Status.COMPLETED, "36", number=1)
    bridge = Entry("bridge", status, (("35", "abutment"), ("36", "pontic"), ("37", "abutment")), id=2, thread=2)
    denture = Entry("denture", status, (("36", "replaced"),), details={"extent": "partial"}, id=2, thread=2)
    (alone,) = drawing_of(one_mouth(lost)).marks
    for replacing in (bridge, denture, said("implant", status, "36", number=2)):
        tooth = next(each for each in drawing_of(one_mouth(lost, replacing)).teeth if each.key == "36")
        assert [mark.entry for mark in tooth.marks] == [1, 2], "the cross, and what is planned above it"
        assert tooth.marks[0].strokes == alone.strokes


def outlines_of_present(tooth: str) -> tuple[marks.Stroke, ...]:
    return next(each for each in drawing_of(one_mouth()).teeth if each.key == tooth).body


def test_every_treatment_one_sees_has_its_status_letter():
    maintainer = Entry("space_maintainer", Status.PLANNED, (("75", "band"), ("74", "gap")), id=2, thread=2)
    made = drawing_of(one_mouth(said("extraction", Status.COMPLETED, "74", number=1), maintainer, base=teeth.PRIMARY))
    assert "P" in {letter.text for tooth in made.teeth if tooth.key == "75" for letter in tooth.letters}
    for name, mouth in pictured.WHOLE.items():
        for tooth in drawing_of(mouth).teeth:
            letters = {letter.text.split(" ")[0] for letter in tooth.letters}
            for mark in tooth.marks if tooth.zones else ():
                wanted = legends.NEUTRAL.ink(mark.status, mark.kind).letter if tooth.scale == 1 else ""
                if wanted and "74" not in (mark.letters[0].text[:2] if mark.letters else ""):
                    assert wanted in letters, f"{name} {tooth.key} {mark.kind}"


def test_a_crown_lets_the_treated_pulp_be_seen_from_the_side():
    made = drawing_of(
        one_mouth(
            said("pulpotomy", Status.COMPLETED, "54", number=1),
            said("crown", Status.COMPLETED, "54", number=2, material="ssc"),
            base=teeth.PRIMARY,
        )
    )
    crown = next(mark for mark in made.marks if mark.entry == 2)
    assert [stroke.d for stroke in crown.strokes if stroke.fill == PAPER] == [outlines.outline("54").shown["figure"]]
    assert {1, 2} <= made.drawn


def test_what_is_planned_covers_nothing_that_is_there():
    there = said("onlay", Status.COMPLETED, "46", "MOD", 1, material="gold")
    made = drawing_of(one_mouth(there, said("crown", Status.PLANNED, "46", number=2, material="metal")))
    planned = next(mark for mark in made.marks if mark.entry == 2)
    assert {stroke.fill for stroke in planned.strokes} <= {"none", f"{planned.stroke}24"}, "one sees through its fill"


def test_a_pontic_in_place_has_no_root():
    gone = said("missing", Status.FINDING, "36", number=1)
    bridge = Entry(
        "bridge", Status.COMPLETED, (("35", "abutment"), ("36", "pontic"), ("37", "abutment")), id=2, thread=2
    )
    tooth = next(each for each in drawing_of(one_mouth(gone, bridge)).teeth if each.key == "36")
    assert outlines.outline("36").shown["roots"] not in {stroke.d for stroke in tooth.body}
    assert tooth.told == 1


def test_an_extraction_is_one_stroke_before_and_a_cross_after():
    strokes = {
        status: drawing_of(one_mouth(said("extraction", status, "36"))).marks
        for status in (Status.PLANNED, Status.COMPLETED)
    }
    (planned,), (done,) = (list(each) for each in strokes.values())
    assert planned.strokes[0].d.count("M") == 1
    assert done.strokes[0].d.count("M") == 2


def test_marks_of_a_tooth_that_is_gone_go_with_it():
    decay, root = said("caries", Status.FINDING, "36", "O", 1), said("root_canal", Status.COMPLETED, "36", number=2)
    made = drawing_of(one_mouth(decay, root, said("extraction", Status.COMPLETED, "36", number=3)))
    assert made.undrawn == {1: "The tooth is gone.", 2: "The tooth is gone."}
    assert made.drawn == {3}


def test_only_the_last_word_on_a_tooths_presence_is_drawn():
    made = drawing_of(
        one_mouth(said("unerupted", Status.FINDING, "38", number=1), said("erupted", Status.FINDING, "38", number=2))
    )
    assert made.drawn == {2}
    assert made.undrawn == {1: "A later entry says how the tooth is."}


# --- presence ---------------------------------------------------------------------------------------------------------


def tooth_of(mouth: Mouth, wanted: str) -> drawing.ToothDrawn:
    return next(tooth for tooth in drawing_of(mouth).teeth if tooth.key == wanted)


@pytest.mark.parametrize("tooth", teeth.PERMANENT)
def test_an_unerupted_tooth_lies_dashed_under_the_gum(tooth):
    drawn = tooth_of(one_mouth(said("unerupted", Status.FINDING, tooth)), tooth)
    dashed = [stroke for stroke in drawn.body if stroke.dash]
    assert len(dashed) == 2
    below = [y * outlines.outline(tooth).sy for stroke in dashed for _, y in numbers(stroke.d)]
    assert max(below) < 0, "wholly beyond the neck"


def test_a_successor_stands_dashed_beneath_its_primary_tooth():
    mouth = Mouth(present_at(Dentition.MIXED, 8))
    shown = {tooth.key: tooth for tooth in drawing_of(mouth).teeth}
    for key_of in mouth.base:
        one = teeth.tooth(key_of)
        if one.is_primary:
            beneath = shown[one.place]
            assert beneath.x == shown[key_of].x
            assert beneath.scale < 1
            assert all(stroke.dash for stroke in beneath.body)
            assert not beneath.zones
    assert shown["16"].zones, "a first molar has nobody before it"
    assert len(shown) == len(mouth.keys)


def test_a_primary_tooth_that_stayed_stands_beside_its_successor():
    mouth = one_mouth(said("erupted", Status.FINDING, "41"), base=present_at(Dentition.PRIMARY, 5))
    shown = {tooth.key: tooth for tooth in drawing_of(mouth).teeth}
    assert shown["81"].scale < 1
    assert len(shown["81"].zones) == 5
    assert shown["41"].scale == 1


def test_a_supernumerary_is_a_tooth_of_its_own_at_its_place():
    entry = Entry(
        "supernumerary",
        Status.FINDING,
        (("S1", ""), ("11", "beside"), ("21", "beside")),
        details={"type": "mesiodens"},
        id=1,
        thread=1,
    )
    decay = Entry("caries", Status.FINDING, (("S1", ""),), "O", id=2, thread=2)
    made = drawing_of(one_mouth(entry, decay))
    extra = next(tooth for tooth in made.teeth if tooth.key == "S1")
    assert abs(float(extra.x) - drawing.WIDTH / 2) < 30
    assert [mark.entry for mark in extra.marks] == [2]
    assert extra.told == 1
    assert len(extra.zones) == 5
    assert float(made.box[3]) > float(drawing_of(one_mouth()).box[3]), "the chart grows by a row for it"


def test_several_supernumeraries_do_not_lie_on_one_another():
    entries = [
        Entry("supernumerary", Status.FINDING, ((f"S{at}", ""), ("18", "beside")), id=at, thread=at)
        for at in range(1, 5)
    ]
    xs = sorted(float(tooth.x) for tooth in drawing_of(one_mouth(*entries)).teeth if teeth.is_extra(tooth.key))
    assert all(there - here > 55 for here, there in zip(xs, xs[1:], strict=False))
    assert min(xs) > 0
    assert max(xs) < drawing.WIDTH


def test_an_impacted_tooth_points_where_its_crown_does():
    drawn = {
        angle: tooth_of(one_mouth(said("impacted", Status.FINDING, "48", angle=angle)), "48")
        for angle in BUILT_IN["impacted"].field("angle").options
    }
    assert len({tooth.body for tooth in drawn.values()}) >= 5
    mesial = numbers(drawn["mesial"].marks[0].strokes[1].d)
    distal = numbers(drawn["distal"].marks[0].strokes[1].d)
    assert mesial[1][0] > mesial[0][0], "mesial is on the right of 48"
    assert distal[1][0] < distal[0][0]


@pytest.mark.parametrize("extent", BUILT_IN["root_canal"].field("canals").options)
def test_a_canal_is_drawn_as_far_as_it_was_filled(extent):
    def depth(value: str) -> float:
        made = tooth_of(one_mouth(said("root_canal", Status.COMPLETED, "11", canals=f"C:{value}")), "11")
        return min(y for _, y in numbers(made.marks[0].strokes[0].d))

    order = ["open", "half", "two-thirds", "full", "over"]
    at = order.index(extent)
    apex = -outlines.outline("11").depth
    assert all(depth(extent) < depth(shorter) for shorter in order[:at])
    assert (depth(extent) < apex) == (extent == "over")


def test_a_canal_nobody_expects_is_drawn_beside_its_neighbour():
    made = tooth_of(one_mouth(said("root_canal", Status.COMPLETED, "16", canals="MB:full MB2:full")), "16")
    assert len({stroke.d for stroke in made.marks[0].strokes}) == 2


# --- the picture ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pictured.WHOLE)
@pytest.mark.parametrize("legend", ["neutral", "red-blue"])
def test_a_picture_is_well_formed_and_says_all_by_attributes(name, legend):
    made = drawing_of(pictured.WHOLE[name], legend=legend, marks={"36": "added", "16": "removed", "26": "changed"})
    text = svg_of(made)
    tree = tree_of(text)
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(set(ids)) == len(ids)
    assert "chart-svg" in ids
    assert {tooth.key for tooth in made.teeth} == {each[6:] for each in ids if each.startswith("tooth-")}
    names = {name for each in tree.iter() for name in each.attrib}
    assert "style" not in names
    assert not {each for each in names if each.startswith("on")}
    assert {each.tag.removeprefix(SVG) for each in tree.iter()} <= {
        "svg",
        "g",
        "path",
        "text",
        "rect",
        "defs",
        "pattern",
    }
    assert "url(" not in text, "a pattern of SVG is a bitmap in a PDF"
    assert [each.get("data-change") for each in tree.iter() if each.get("data-change")] == [
        "removed",
        "changed",
        "added",
    ]


def test_two_charts_on_one_page_share_no_id():
    ids = [
        set(re.findall(r' id="([^"]+)"', svg_of(drawing_of(pictured.WHOLE["permanent"], prefix=prefix))))
        for prefix in ("", "then-")
    ]
    assert not ids[0] & ids[1]
    assert "then-chart-svg" in ids[1]


def test_what_people_wrote_is_text():
    nasty = '<script>alert(1)</script>" onload="x'
    kind = own_kind(
        "own-9",
        nasty,
        "n",
        Scope.WHOLE,
        is_treatment=False,
        drawing=Drawing("icon", letter="<i>"),
        own_id=9,
        retired=False,
    )
    entries = (
        said("note", Status.FINDING, "36", note=nasty),
        Entry("own-9", Status.FINDING, (("36", ""),), id=2, thread=2),
    )
    mouth = Mouth(teeth.PERMANENT, entries, {**BUILT_IN, "own-9": kind})
    for text in (svg_of(drawing_of(mouth)), key_html(drawing_of(mouth))):
        assert "<script>" not in text
        assert '" onload=' not in text
        assert "<i>" not in text
    tree_of(svg_of(drawing_of(mouth)))


@pytest.mark.parametrize("numbering", Numbering)
def test_teeth_are_numbered_as_the_viewer_likes(numbering):
    made = drawing_of(one_mouth(), numbering=numbering)
    for tooth in made.teeth:
        assert teeth.shown(tooth.key, numbering) in {letter.text for letter in tooth.letters}
    assert {"R", "L", "Upper", "Lower"} <= {label.text for label in made.labels}


def test_a_chart_of_sixty_entries_is_light():
    mouth = pictured.WHOLE["permanent"]
    assert len(mouth.entries) >= 58
    text = svg_of(drawing_of(mouth)).encode()
    assert len(brotli.compress(text, quality=4)) <= 22_000
    together = text + key_html(drawing_of(mouth)).encode()
    assert len(brotli.compress(together, quality=4)) <= 30_000


# --- the key ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", pictured.WHOLE)
def test_the_key_holds_what_the_drawing_uses(name):
    mouth = pictured.WHOLE[name]
    made = drawing_of(mouth)
    shown = key.key_of(made)
    statuses = {entry.status for entry in mouth.entries} - {Status.FINDING}
    assert {each.words for each in shown.statuses} >= {status.words for status in statuses}
    kinds = {words.kind_name(mouth.kinds[entry.kind]) for entry in mouth.entries}
    assert all(any(kind in each.words for each in shown.kinds) for kind in kinds)
    unused = {words.kind_name(kind) for kind in BUILT_IN.values()} - kinds
    assert not {each.words for each in shown.kinds} & unused
    assert shown.numbering in key_html(made)


def test_the_whole_key_holds_every_kind():
    shown = key.key_of(drawing_of(Mouth(())), whole=True)
    said_of = {each.words for each in shown.kinds}
    for kind in BUILT_IN.values():
        assert any(words.kind_name(kind) in each for each in said_of), kind.code
    assert len(shown.statuses) == 6 + 1 or len(shown.statuses) == 6
    text = key_html(drawing_of(Mouth(())), whole=True)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(set(ids)) == len(ids)


def test_a_picture_of_the_key_shows_what_tells_a_kind():
    shown = {each.words: each.picture for each in key.key_of(drawing_of(Mouth(())), whole=True).kinds}
    box = [float(value) for value in shown["exfoliated"].box]
    (exfoliated,) = (tooth for tooth in shown["exfoliated"].teeth if tooth.marks)
    assert [text.text for mark in exfoliated.marks for text in mark.letters] == ["75 Exf"]
    assert box[1] < float(exfoliated.y) + float(exfoliated.marks[0].letters[0].y) < box[1] + box[3]
    extras = [picture for said_of, picture in shown.items() if said_of.startswith("supernumerary")]
    assert len({repr(grey(picture)) for picture in extras}) == len(extras) == 4
    for picture in extras:
        assert float(picture.box[3]) <= 80, "close enough to be seen in 44 pixels"


def test_presences_each_have_a_body():
    looks = {drawing._look(presence, False, False) for presence in Presence}
    bodies = {look: drawing._body(outlines.outline("36"), look, "") for look in looks}
    assert len(set(bodies.values())) >= 7
