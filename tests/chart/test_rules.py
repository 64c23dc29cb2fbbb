"""Every rule of the chart: what it refuses or asks about, and a near miss that it lets pass."""

import time
from dataclasses import dataclass
from datetime import date, timedelta

import pytest

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import Status
from clinic.chart.rules import ERROR, FORM, RULES, About, judge, may_follow, why_not_follow
from tests.chart.mouths import ADULT, CHILD, TODAY, about, charted, judged, written

MIXED = teeth.present_at("mixed", 9)
YOUNG = {"base": MIXED, "born": CHILD}


@dataclass
class Case:
    """A rule, whether it refuses, and lines: `before` was charted, `trips` is refused or asked about, `passes` is not."""

    rule: str
    before: tuple[str, ...]
    trips: str
    passes: str
    also: tuple[str, ...] = ()  # charted besides before what passes
    names: str = ""  # what the sentence has to name, beside the tooth of the line
    born: date | None = ADULT
    base: tuple[str, ...] = teeth.PERMANENT
    is_in_clinic: bool = True
    away: bool = False  # the one that trips is charted while the patient is not here


CASES = [
    # Is the tooth there?
    Case("tooth-gone", ("36 miss",), "36 o car3", "37 o car3", names="missing"),
    Case("tooth-gone", ("36 miss",), "36 o comp plan", "36 o comp plan", also=("36 eru",)),
    Case("tooth-gone", ("36 x done",), "36 rct plan", "36 implant plan", names="extracted"),
    Case("tooth-gone", ("36 miss",), "36 x plan", "36 miss caries", names="36"),
    Case("tooth-gone", ("54 exf",), "54 mo car4", "14 mo car4", **YOUNG, also=("14 eru",)),
    Case("tooth-gone", ("36 x ex 2020-01-01",), "36 o am ex 2021-01-01", "36 o am ex 2019-01-01"),
    Case("tooth-gone", ("36 miss",), "36 varnish o plan", "37 varnish o plan"),
    Case("implant-no-tooth", ("36 x ex", "36 implant ex"), "36 o car3", "36 mobility 1", names="implant"),
    Case("implant-no-tooth", ("36 x ex", "36 implant ex"), "36 rct plan", "36 recession 2"),
    Case("implant-no-tooth", ("36 x ex", "36 implant ex"), "36 crown ceramic plan", "36 icrown ceramic plan", names="icrown"),
    Case("tooth-unerupted", ("48 une",), "48 o s plan", "48 x plan", names="eru"),
    Case("tooth-unerupted", (), "13 o car3", "16 o car3", **YOUNG),
    Case("tooth-impacted", ("48 impacted mesial",), "48 o car3", "48 x plan", names="impacted"),
    Case("root-only", ("36 rf",), "36 mo comp plan", "36 x plan", names="root"),
    Case("root-only", ("36 rf",), "36 ven plan", "36 post fibre ex", also=("36 rct ex",)),
    Case("primary-only", (), "36 pulpotomy plan", "85 pulpotomy plan", **YOUNG),
    Case("primary-only", (), "11 exf", "54 exf", **YOUNG),
    Case("erupts-again", ("36 miss",), "36 eru", "38 eru", also=("38 une",), names="missing"),
    Case("not-in-bone", ("48 x done",), "48 impacted", "38 impacted", names="extracted"),
    Case("not-in-bone", ("48 x done",), "48 une", "38 une"),
    Case("impacted-erupted", ("48 o am ex",), "48 impacted", "38 impacted", names="filling"),
    Case("early-eruption", (), "33 eru", "36 eru", born=date(2022, 9, 1), base=teeth.PRIMARY, names="4"),
    Case("early-eruption", (), "17 pre", "16 pre", born=date(2019, 1, 1), base=teeth.PRIMARY),
    Case("place-taken", (), "14 eru", "54 shed", **YOUNG, names="54"),
    Case("place-taken", ("54 exf", "14 eru"), "54 eru", "14 pre", **YOUNG),
    Case("primary-late", (), "75 o car4", "35 o car4", base=(*teeth.PERMANENT[:-4], "75"), names="46 years"),
    Case("primary-late", (), "75 o car4", "75 x plan", base=(*teeth.PERMANENT, "75")),
    Case("primary-late", (), "75 o car4", "75 m car4", base=(*teeth.PERMANENT, "75"), also=("75 o car4",)),
    # What goes with what?
    Case("duplicate", ("36 mo am plan",), "36 mo am plan", "36 mo am ex", names="amalgam filling"),
    Case("duplicate", ("36 mod car4",), "36 mod car4", "37 mod car4", names="caries"),
    Case("duplicate", ("36 mod car4",), "36 o car4", "36 b car4"),
    Case("duplicate", ("36 crown pfm ex",), "36 crown pfm ex", "36 crown pfm ex 2020-01-01", names="crown"),
    Case("duplicate", ("36 miss",), "36 miss", "37 miss"),
    Case("duplicate", ("14-16 br pfm plan",), "14-16 br pfm plan", "24-26 br pfm plan", also=("25 miss",)),
    Case("duplicate", ("36 rct plan",), "36 rct plan", "37 rct plan"),
    Case("overlap", ("36 mo am ex",), "36 do comp ex", "36 b comp ex", names="amalgam"),
    Case("overlap", ("36 mo am plan",), "36 o gold inlay plan", "36 do comp opt"),
    Case("overlap", ("36 mo am ex", "36 mod comp plan"), "36 b comp ex; 36 bo am ex", "36 mod comp done"),
    Case("overlap", ("36 o car3",), "36 mod car5", "36 b car5"),
    Case("overlap", ("36 crown pfm ex",), "36 crown ceramic done", "37 crown ceramic done"),
    Case("sealant-on-filling", ("36 o am ex",), "36 s plan", "37 s plan", names="amalgam"),
    Case("sealant-on-filling", ("36 o am ex",), "36 ob s plan", "36 b s plan"),
    Case("sealant-on-filling", ("36 crown pfm ex",), "36 b s plan", "37 b s plan"),
    Case("recurrent-without-filling", ("36 mo am ex",), "36 d rec", "36 o rec", names="distal"),
    Case("recurrent-without-filling", ("36 o am plan",), "36 o rec", "36 o rec", also=("36 o s ex",)),
    Case("recurrent-without-filling", (), "36 d rec", "36 d rec", also=("36 crown pfm ex",)),
    Case("under-crown", ("36 crown pfm ex",), "36 o car3", "36 o rec", names="crown"),
    Case("under-crown", ("36 crown pfm ex",), "36 mo comp plan", "37 mo comp plan"),
    Case("inlay-biting", (), "36 md inlay gold plan", "36 mo inlay gold plan", names="occlusal"),
    Case("inlay-biting", (), "11 mb onlay ceramic plan", "11 mibl onlay ceramic plan", names="incisal"),
    Case("onlay-cusp", (), "36 mod onlay gold plan", "36 modb onlay gold plan", names="buccal or lingual"),
    Case("crown-to-replace", (), "36 recrown", "36 recrown", also=("36 crown pfm ex",)),
    Case("crown-to-replace", ("36 crown pfm plan",), "36 recrown", "14 recrown", also=("15 miss", "14-16 br pfm ex")),
    Case("post-without-root-canal", (), "11 post fibre plan", "11 post fibre plan", also=("11 rct plan",)),
    Case("post-without-root-canal", ("11 rct plan",), "11 post fibre ex", "11 post fibre ex", also=("11 rct done",)),
    Case("post-without-root-canal", (), "12 post metal ex", "12 post metal ex; 12 rct ex"),
    # Implants
    Case("implant-in-tooth", (), "36 implant plan", "36 x plan; 36 implant plan", names="extraction"),
    Case("implant-in-tooth", ("36 x plan",), "36 implant done", "36 implant plan"),
    Case("implant-in-tooth", ("36 x plan",), "36 implant done", "36 x done; 36 implant done"),
    Case("implant-primary", ("75 miss",), "75 implant plan", "35 implant plan", also=("35 miss",), base=(*teeth.ALL,), born=None),
    Case("implant-first", ("36 miss",), "36 icrown pfm plan", "36 icrown pfm plan", also=("36 implant plan",)),
    Case("implant-first", ("36 miss",), "36 abutment plan", "36 abutment plan; 36 implant plan"),
    Case("implant-planned", ("36 miss", "36 implant plan"), "36 icrown pfm start", "36 icrown pfm plan", names="planned"),
    Case("implant-planned", ("36 miss", "36 implant plan"), "36 abutment done", "36 implant done; 36 abutment done"),
    Case(
        "implant-planned",
        ("14 miss", "14 implant plan", "15 miss"),
        "14-16 br 14a 15p 16a pfm start",
        "14-16 br 14a 15p 16a pfm plan",
        names="14",
    ),
    # Objects of several teeth
    Case("one-arch", (), "16,46 splint plan", "16,14 splint plan", names="jaw"),
    Case("one-arch", (), "13,43 wire plan", "13,43 elastic plan"),
    Case("bridge-gapless", ("15 miss",), "14,16,17 br pfm plan", "14-17 br 14a 15p 16a 17a pfm plan", names="14"),
    Case("bridge-gapless", ("11 miss",), "12,11,22 br pfm plan", "12-21 br pfm plan"),
    Case("bridge-abutment", ("15 miss", "14 miss"), "14p 15p br pfm plan", "14p 15p 16a br pfm plan", names="abutment"),
    Case("bridge-abutment", ("11 miss",), "11p 12p br pfm plan", "11p 12w br pfm plan", also=("12 eru",)),
    Case("bridge-cantilever", ("15 miss",), "15p 16a br pfm plan", "14a 15p 16a br pfm plan", names="cantilever"),
    Case("bridge-pontic", (), "14a 15a br pfm plan", "14a 15p 16a br pfm plan", also=("15 miss",)),
    Case("gap-is-tooth", (), "14a 15p 16a br pfm plan", "15 x plan; 14a 15p 16a br pfm plan", names="15"),
    Case("gap-is-tooth", ("15 x plan",), "14a 15p 16a br pfm ex", "14a 15p 16a br pfm plan"),
    Case("gap-is-tooth", (), "upper dent complete plan", "upper dent complete plan", also=("upper x plan",), names="11"),
    Case("gap-is-tooth", ("15 miss",), "upper dent partial 15r 14r plan", "upper dent partial 15r 14c plan", names="14"),
    Case("gap-is-tooth", (), "36b 35g sm plan", "36b 35g sm plan", also=("35 miss",), names="35"),
    Case("holds-on-nothing", ("14 miss", "15 miss"), "14a 15p 16a br pfm plan", "14p 15p 16a br pfm plan", names="14"),
    Case("holds-on-nothing", ("12 miss",), "11-13 splint plan", "11,13 splint plan", names="12"),
    Case("holds-on-nothing", ("12 miss",), "11-13 wire plan", "11-13 wire plan", also=("11a 12p 13a br pfm ex",)),
    Case("holds-on-nothing", ("15 miss", "14 miss"), "upper dent partial 15r 14c plan", "upper dent partial 15r 16c plan"),
    Case("maintainer-parts", ("35 miss",), "35g 34g sm plan", "36b 35g sm plan", also=("34 miss",), names="band"),
    Case("neighbours", (), "11,21,22 gap", "11,21 gap"),
    Case("neighbours", (), "11,22 gap", "11,22 gap", also=("21 miss",), names="not neighbours"),
    Case("neighbours", (), "extra mesiodens 11,22", "extra mesiodens 11-21"),
        Case("denture-replaces", ("15 miss",), "upper dent partial 16c plan", "upper dent partial 15r 16c plan", names="say which"),
    # What goes
    Case("plans-of-gone", ("36 o comp plan",), "36 x plan", "37 x plan", names="composite"),
    Case("plans-of-gone", ("36 rct start",), "36 miss", "36 x opt", names="root canal"),
    Case("plans-of-gone", ("36 o comp plan",), "36 x done", "36 x done cancel"),
    Case("plans-of-gone", ("54 o comp plan",), "54 exf", "55 exf", **YOUNG),
    Case("abutment-goes", ("15 miss", "14-16 br pfm ex"), "16 x plan", "17 x plan", names="bridge 14 to 16"),
    Case("abutment-goes", ("15 miss", "upper dent partial 15r 16c ex"), "16 x done", "16 x opt", names="denture upper jaw"),
    # Days
    Case("future", (), "36 o car3 2026-11-22", "36 o car3 2026-11-21", names="2026-11-22"),
    Case("before-birth", (), "36 o am ex 1980-04-02", "36 o am ex 1990-04-03", names="1980-04-03"),
    Case("before-plan", ("36 o am plan 2026-05-01",), "36 o am done 2026-04-30", "36 o am done 2026-05-01", names="2026-05-01"),
    Case("in-clinic", ("36 o am plan",), "36 o am done", "36 o am done", away=True, names="check the patient in"),
    Case("in-clinic", (), "36 rct start", "36 rct ex", away=True),
]  # fmt: skip


def remarks(case, line, mouth, *, is_in_clinic=True):
    return {
        (remark.rule, remark.severity): remark for remark in judged(line, mouth, case.born, is_in_clinic=is_in_clinic)
    }


SEVERITY = {rule.name: rule.severity for rule in (*FORM, *RULES, *ERROR)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}: {case.trips}")
def test_what_a_rule_says_and_what_passes(case):
    mouth = charted(*case.before, base=case.base)
    found = remarks(case, case.trips, mouth, is_in_clinic=not case.away)
    remark = found.get((case.rule, SEVERITY[case.rule]))
    assert remark, f"{case.trips} passed {case.rule}; said: {found}"
    assert case.names in remark.sentence, remark.sentence
    assert remark.sentence.endswith(".")
    assert "  " not in remark.sentence
    mouth = charted(*case.before, *case.also, base=case.base) if case.also else mouth
    passed = remarks(case, case.passes, mouth)
    assert (case.rule, SEVERITY[case.rule]) not in passed, passed


def test_every_rule_of_the_mouth_has_a_case():
    assert {case.rule for case in CASES} == {rule.name for rule in RULES} - {"extra-taken"}  # has a test of its own


# --- of the entry by itself -------------------------------------------------------------------------------------------

ONE = (("36", ""),)


def entry(kind="caries", status=Status.FINDING, on=ONE, **rest):
    return Entry(kind, status, on, dated=TODAY, **{"surfaces": "O" if kind == "caries" else ""} | rest)


BRIDGE = (("14", "abutment"), ("15", "pontic"), ("16", "abutment"))
FORMS = [
    ("form", entry("sparkle"), entry()),
    ("form", entry("own-2"), entry("own-1", Status.PLANNED, surfaces="O")),
    ("form", entry(status=Status.PLANNED), entry()),
    ("form", entry("extraction", Status.FINDING), entry("extraction", Status.PLANNED)),
    ("form", entry(on=(("99", ""),)), entry(on=(("11", ""),))),
    ("form", entry(on=(("S1", ""),)), entry(on=(("18", ""),))),
    ("form", entry(on=()), entry()),
    ("form", entry(on=(("36", ""), ("37", ""))), entry(on=(("37", ""),))),
    ("form", entry(jaw="upper"), entry()),
    ("form", entry("bridge", Status.PLANNED, (("14", "abutment"),)), entry("bridge", Status.PLANNED, BRIDGE)),
    ("form", entry("bridge", Status.PLANNED, (*BRIDGE, ("14", "pontic"))), entry("bridge", Status.PLANNED, BRIDGE)),
    (
        "form",
        entry("denture", Status.PLANNED, (("15", "replaced"),), details={"extent": "partial"}),
        entry("denture", Status.PLANNED, (("15", "replaced"),), jaw="upper", details={"extent": "partial"}),
    ),
    ("form", entry(on=(("36", "abutment"),)), entry()),
    ("form", entry("bridge", Status.PLANNED, (("14", ""), ("15", "pontic"))), entry("bridge", Status.PLANNED, BRIDGE)),
    (
        "form",
        entry("splint", Status.PLANNED, (("14", "pontic"), ("15", "held"))),
        entry("own-3", Status.PLANNED, (("14", "with"), ("15", "with"))),
    ),
    ("form", entry(surfaces=""), entry("fracture", surfaces="", details={"class": "enamel"})),
    ("form", entry(surfaces="OM"), entry(surfaces="MO")),
    ("form", entry(surfaces="X"), entry(surfaces="M")),
    ("form", entry("mobility", surfaces="M", details={"grade": "1"}), entry("mobility", details={"grade": "1"})),
    ("form", entry("sealant", Status.PLANNED, surfaces="M"), entry("sealant", Status.PLANNED, surfaces="OB")),
    ("form", entry(details={"icdas": "9"}), entry(details={"icdas": "6"})),
    ("form", entry(details={"sweet": "yes"}), entry()),
    (
        "form",
        entry("restoration", Status.PLANNED, surfaces="O"),
        entry("restoration", Status.PLANNED, surfaces="O", details={"material": "gic"}),
    ),
    (
        "form",
        entry("restoration", Status.PLANNED, surfaces="O", details={"material": "fibre"}),
        entry("post", Status.PLANNED, details={"material": "fibre"}),
    ),
    ("form", entry("note", details={"note": "x" * 501}), entry("note", details={"note": "x" * 500})),
    ("form", entry("note"), entry("note", details={"note": "x"})),
    (
        "form",
        entry("root_canal", Status.PLANNED, details={"canals": "MB:long"}),
        entry("root_canal", Status.PLANNED, details={"canals": "MB:full"}),
    ),
    (
        "form",
        entry("root_canal", Status.PLANNED, details={"canals": "QQ:full"}),
        entry("root_canal", Status.PLANNED, details={"canals": "MM:full"}),
    ),
    ("thread", entry(thread=77), entry()),
    (
        "form",
        entry("supernumerary", on=(("S1", ""), ("S2", ""), ("11", "beside")), details={"type": "mesiodens"}),
        entry("supernumerary", on=(("S1", ""), ("11", "beside")), details={"type": "mesiodens"}),
    ),
]


@pytest.mark.parametrize(
    ("rule", "wrong", "right"), FORMS, ids=lambda each: each if isinstance(each, str) else each.kind
)
def test_form(rule, wrong, right):
    mouth = charted()
    found = judge(mouth, [wrong], about())
    assert ("refuse", rule) in {(remark.severity, remark.rule) for remark in found}, found
    assert rule not in {remark.rule for remark in judge(mouth, [right], about())}


def test_a_number_of_a_supernumerary_is_taken_once():
    mouth = charted("extra mesiodens 11-21")
    again = mouth.entries[0].changed(id=0, thread=0)
    assert [remark.rule for remark in judge(mouth, [again], about())] == ["extra-taken"]
    assert judge(mouth, [again.changed(thread=1, details={"type": "supplemental"})], about()) == []
    assert judged("extra mesiodens 12-11", mouth) == []


def test_a_retired_kind_is_completed_and_not_begun():
    mouth = written(charted(), [entry("own-2")])
    assert judge(mouth, [mouth.entries[0].changed(id=0)], about()) == []
    (remark,) = judge(mouth, [entry("own-2", on=(("11", ""),))], about())
    assert (remark.rule, remark.sentence) == ("form", "11: “Old glue” is no longer used. Choose another kind of entry.")


def test_taking_back_needs_something_that_holds_and_a_reason():
    mouth = charted("36 o car4")
    gone = mouth.entries[0].changed(id=0, status=Status.ENTERED_IN_ERROR)
    assert [remark.rule for remark in judge(mouth, [gone], about())] == ["error-reason"]
    assert judge(mouth, [gone.changed(reason="Wrong tooth")], about()) == []
    nothing = gone.changed(thread=99, reason="Wrong tooth")
    assert [remark.rule for remark in judge(mouth, [nothing], about())] == ["error-of-what"]


# --- statuses ---------------------------------------------------------------------------------------------------------

MAY = {
    "finding": "finding",
    "option": "option planned referred",
    "planned": "option planned in_process completed existing referred",
    "in_process": "in_process completed existing referred",
    "completed": "completed",
    "existing": "existing",
    "referred": "referred planned existing",
    "entered_in_error": "",
}


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("after", Status)
def test_which_status_may_follow_which(before, after):
    is_error = after is Status.ENTERED_IN_ERROR
    expected = before is not after if is_error else after.value in MAY[before].split()
    assert may_follow(before, after) is expected
    if not expected:
        sentence = why_not_follow(before, after)
        assert before.words in sentence
        assert after.words in sentence


def test_a_step_that_may_not_follow_is_refused_with_what_may():
    mouth = charted("36 o am done")
    back = mouth.entries[0].changed(id=0, status=Status.PLANNED)
    (remark,) = judge(mouth, [back], about())
    assert (remark.severity, remark.rule) == ("refuse", "status-order")
    assert "a supervisor withdraws its sign-offs" in remark.sentence
    mouth = charted("36 o am plan")
    assert judge(mouth, [mouth.entries[0].changed(id=0, status=Status.IN_PROCESS)], about()) == []
    other = mouth.entries[0].changed(id=0, kind="inlay", details={"material": "gold"})
    assert [remark.rule for remark in judge(mouth, [other], about())] == ["thread"]


# --- all of them ------------------------------------------------------------------------------------------------------


def test_a_healthy_line_is_let_pass():
    mouth = charted("36 o am ex", "15 miss")
    for line in (
        "16 mod car4; 26 s plan",
        "14-16 br 14a 15p 16a pfm plan",
        "48 x plan",
        "11 rct done",
        "all mobility 1",
    ):
        assert judged(line, mouth) == [], line


def test_refusals_come_first_and_nothing_is_said_twice():
    mouth = charted("36 miss", "37 crown pfm ex")
    found = judged("37 o car3; 36 o car3; 36 o car3", mouth)
    assert [remark.severity for remark in found] == sorted((remark.severity for remark in found), reverse=True)
    assert len({(remark.rule, remark.sentence) for remark in found}) == len(found)


def test_sentences_name_teeth_in_the_viewers_numbering():
    mouth = charted("36 miss")
    line = [entry()]
    (remark,) = judge(mouth, line, about(), numbering="universal")
    assert remark.sentence.startswith("19 is missing")
    (remark,) = judge(mouth, line, about(), numbering="palmer")
    assert remark.sentence.startswith("LL6 is missing")


@pytest.mark.parametrize(
    ("rule", "wrong", "right"), FORMS, ids=lambda each: each if isinstance(each, str) else each.kind
)
def test_what_is_wrong_with_the_form_too(rule, wrong, right):
    for remark in judge(charted(), [wrong], about(), numbering="palmer"):
        assert not [key for key in wrong.keys if teeth.is_tooth(key) and key in remark.sentence], remark.sentence


def test_the_plans_that_an_extraction_makes_pointless_are_named_for_cancelling():
    mouth = charted("36 o comp plan", "36 rct start", "36 s opt")
    (remark,) = judged("36 x plan", mouth)
    assert remark.threads == (1, 2)


def test_a_day_nobody_knows_is_today():
    undated = entry().changed(dated=None)
    assert judge(charted(), [undated], About(None, TODAY, is_in_clinic=True)) == []
    assert judge(charted(), [undated], About(TODAY + timedelta(days=1), TODAY, is_in_clinic=True))


def test_it_takes_as_long_as_there_are_entries_and_no_longer():
    def seconds(count):
        mouth = charted()
        zones = [(key, surface) for key in teeth.PERMANENT for surface in "MODBL"]
        entries = [entry(on=((key, ""),), surfaces=surface) for key, surface in zones[:count]]
        best = 9.0
        for _ in range(5):
            began = time.process_time()
            assert judge(mouth, entries, about()) == []
            best = min(best, time.process_time() - began)
        return best

    assert seconds(160) < 12 * seconds(32)  # five times as many; the square would be 25 times
