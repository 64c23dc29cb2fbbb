"""What a chart says: every fact of it, each once, and in words that a screen reader can read out."""

import itertools
import random

import pytest

from clinic.chart import teeth, words
from clinic.chart.drawing import drawing_of
from clinic.chart.kinds import Presence, Scope
from clinic.chart.line import option_words
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Numbering
from tests.chart.mouths import OWN, charted, reading_of, written

NAMES = {
    "1": "central incisor",
    "2": "lateral incisor",
    "3": "canine",
    "4": "first premolar",
    "5": "second premolar",
    "6": "first molar",
    "7": "second molar",
    "8": "third molar",
}
PRIMARY_NAMES = NAMES | {"4": "first molar", "5": "second molar"}
SIDES = dict(zip("12345678", ["upper right", "upper left", "lower left", "lower right"] * 2, strict=True))


@pytest.mark.parametrize("key", teeth.ALL)
def test_every_tooth_has_its_name(key):
    primary = key[0] in "5678"
    name = (PRIMARY_NAMES if primary else NAMES)[key[1]]
    assert words.tooth_name(key) == f"{SIDES[key[0]]} {'primary ' if primary else ''}{name}"


def random_mouth(seed: int) -> Mouth:
    """A mouth in which anything at all was charted, sense or not."""
    rng = random.Random(seed)
    base = rng.choice([teeth.PERMANENT, teeth.PRIMARY, teeth.present_at("mixed", 9), ()])
    mouth = charted("extra mesiodens 11-21", base=base)
    kinds = [kind for kind in OWN.values() if not kind.retired]
    while len(mouth.entries) < 60:
        kind = rng.choice(kinds)
        where = ",".join(rng.sample(teeth.ALL, 2 if kind.scope is Scope.SPAN else 1))
        surfaces = "".join(rng.sample("modbl", rng.randint(1, 4))) if kind.scope is Scope.SURFACES else ""
        option = rng.choice(["", "", *option_words(kind)])
        jaw = rng.choice(["upper", "lower"]) if kind.scope is Scope.ARCH else ""
        reading = reading_of(f"{where} {jaw} {surfaces} {kind.words[0]} {option}", mouth)
        mouth = written(mouth, reading.entries)
    return mouth


@pytest.mark.parametrize("seed", range(12))
def test_the_table_tells_each_entry_once(seed):
    mouth = random_mouth(seed)
    rows = words.table_of(mouth)
    told = [said.entry for row in rows for said in row.said]
    assert len({entry.id for entry in told}) == len(told)
    stale = {entry.id for entry in mouth.entries} - {entry.id for entry in told}
    for entry in mouth.entries:  # left out is only what was said of a presence before the last word on it
        if entry.id in stale:
            assert mouth.kinds[entry.kind].presence is not None
            assert entry not in mouth.seen(entry.tooth)
    keys = [row.key for row in rows if row.key]
    assert keys == mouth.keys
    assert [bool(row.key) for row in rows] == sorted((bool(row.key) for row in rows), reverse=True)  # objects last
    for row in rows:
        assert row.presence == (str(mouth.presence(row.key)) if row.key else "")
        assert sorted(said.entry.id for said in row.said) == sorted(
            said.entry.id for said in (*row.findings, *row.ahead, *row.done)
        )


@pytest.mark.parametrize("seed", range(12))
def test_a_tooth_says_everything_that_is_on_it(seed):
    mouth = random_mouth(seed)
    for key in mouth.keys:
        sentence = words.tooth_sentence(mouth, key)
        assert sentence.startswith(f"{key}, {words.tooth_name(key)}: {mouth.presence(key)}")
        assert sentence.endswith(".")
        assert "  " not in sentence
        low = sentence.lower()
        for entry in mouth.seen(key):
            kind = mouth.kinds[entry.kind]
            if entry.kind == "supernumerary" and entry.role(key):
                assert f"supernumerary {next(filter(teeth.is_extra, entry.keys)).lower()} beside it" in low
                continue
            assert words.kind_name(kind).lower() in low
            assert entry.status.words in low
            for detail in words.details_words(entry, kind):
                assert detail.lower() in low
            if entry.surfaces:
                assert teeth.surface_names(key, entry.surfaces) in low


@pytest.mark.parametrize("seed", range(12))
def test_what_is_drawn_is_told_and_what_is_told_is_drawn(seed):
    mouth = random_mouth(seed)
    drawing = drawing_of(mouth)
    told = {said.entry.id for row in words.table_of(mouth) for said in row.said}
    for tooth in drawing.teeth:
        of_tooth = {entry.id for entry in mouth.seen(tooth.key)}
        for mark in tooth.marks:
            entry = next(each for each in mouth.entries if each.id == mark.entry)
            of_several = words.is_object(entry, mouth.kinds) or entry.kind == "supernumerary"
            of_former = entry.tooth == teeth.tooth(tooth.key).predecessor if teeth.is_tooth(tooth.key) else False
            assert entry.id in of_tooth or of_several or of_former
    assert drawing.drawn <= told
    assert told <= drawing.drawn | set(drawing.undrawn)


def test_what_was_said_of_a_presence_gives_way_to_the_last_word():
    mouth = charted("18 une", "18 eru", "36 x plan", "36 x done", "36 implant done")
    assert words.tooth_sentence(mouth, "18") == "18, upper right third molar: present. Erupted, finding."
    assert words.tooth_sentence(mouth, "36") == "36, lower left first molar: implant. Implant, completed here."
    assert mouth.presence("36") is Presence.IMPLANT


def test_an_object_is_told_at_each_of_its_teeth_and_once_in_the_table():
    mouth = charted("15 miss", "14-16 br pfm plan", "all miss", "upper dent complete ex", "extra mesiodens 11-21")
    assert "Bridge 14 to 16, pontic, porcelain fused to metal, planned" in words.tooth_sentence(mouth, "15")
    assert "Bridge 14 to 16, abutment" in words.tooth_sentence(mouth, "16")
    assert "Denture upper jaw, complete, existing, done elsewhere" in words.tooth_sentence(mouth, "27")
    assert "Denture" not in words.tooth_sentence(mouth, "37")
    assert "Supernumerary S1 beside it" in words.tooth_sentence(mouth, "11")
    assert words.tooth_sentence(mouth, "S1").startswith("S1, supernumerary tooth: present")
    rows = [row for row in words.table_of(mouth) if not row.key]
    assert [(row.teeth, row.name) for row in rows] == [("14 to 16", "Bridge"), ("upper jaw", "Denture")]


@pytest.mark.parametrize("numbering", Numbering)
def test_teeth_are_told_in_the_viewers_numbering(numbering):
    mouth = charted("15 miss", "14-16 br pfm plan", "36 mod car4")
    shown = {key: teeth.shown(key, numbering) for key in ("14", "15", "16", "36")}
    assert words.tooth_sentence(mouth, "36", numbering).startswith(f"{shown['36']}, lower left first molar: present")
    bridge = next(entry for entry in mouth.entries if entry.kind == "bridge")
    assert words.sentence(bridge, numbering=numbering, kinds=OWN) == (
        f"{shown['14']} to {shown['16']}: bridge, porcelain fused to metal, abutments {shown['14']} and {shown['16']}, "
        f"pontic {shown['15']}, planned"
    )
    assert {row.teeth for row in words.table_of(mouth, numbering)} >= {shown["36"], f"{shown['14']} to {shown['16']}"}


def test_the_rows_stand_as_one_reads_a_chart():
    keys = [row.key for row in words.table_of(charted())]
    assert tuple(keys) == teeth.PERMANENT


def test_entries_that_differ_are_told_apart():
    """Two entries of one tooth that differ in kind, status, surfaces or a detail never read alike."""
    mouth, found = charted(base=teeth.ALL), {}
    for kind in OWN.values():
        if kind.retired or kind.scope in (Scope.SPAN, Scope.ARCH):
            continue
        tooth = "85" if kind.primary_only else "36"
        options = [""]
        for one in kind.fields:
            options = [f"{one.name}={stored}" for stored in one.options] or ['"text"']
        surfaces = ["mod", "b"] if kind.scope is Scope.SURFACES and kind.surfaces == teeth.SURFACES else [""]
        statuses = [{"finding": "", "planned": "plan", "completed": "done"}.get(each.value) for each in kind.statuses]
        for option, surface, status in itertools.product(options, surfaces, statuses):
            if status is None or "canals" in option:
                continue
            (entry,) = reading_of(f"{tooth} {surface} {kind.words[0]} {option} {status}", mouth).entries[:1]
            said = words.sentence(entry, numbering="fdi", kinds=OWN)
            assert found.setdefault(said, entry) == entry, said
            found[said] = entry
    assert len(found) > 200


def test_lists_and_names_in_sentences():
    assert words.listed([]) == ""
    assert words.listed(["a"]) == "a"
    assert words.listed(["a", "b", "c"]) == "a, b and c"
    assert words.kind_name(OWN["hypoplasia"]) == "hypoplasia or MIH"
    assert words.kind_name(OWN["own-1"]) == "Varnish"
    assert {words.ROLE_WORDS[role][0] for role in ("pontic", "clasp")} == {"pontic", "clasp on"}
    for kind in OWN.values():
        assert set(kind.roles) <= set(words.PART)
