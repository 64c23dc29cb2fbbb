"""Writing on a chart: strokes, changes, errors, undo, going back; who was faster; what a visit and a performer are needed for."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import NoResultFound

from clinic import clock
from clinic.chart.entry import Entry
from clinic.chart.kinds import Presence, Status
from clinic.chart.teeth import UPPER, Dentition
from clinic.errors import Conflict, DomainError
from clinic.models import BrokenGlass, GlassReason, OwnKind
from clinic.operations.chart import (
    NeedsReason,
    change_entry,
    chart_stroke,
    enter_in_error,
    restore_version,
    undo_stroke,
)
from clinic.operations.chart_versions import finish_first_charting
from clinic.operations.sign_off import approve_chart, send_chart
from clinic.operations.visits import check_in
from clinic.queries import scope
from clinic.queries.chart import chart_for, entry_for, history_of


def caries(tooth: str, surfaces: str = "MO", **more) -> Entry:
    return Entry("caries", Status.FINDING, ((tooth, ""),), surfaces=surfaces, details={"icdas": "4"}, **more)


def missing(tooth: str) -> Entry:
    return Entry("missing", Status.FINDING, ((tooth, ""),))


def test_a_stroke_is_on_the_chart(session, world):
    kamal, fernando = world.user("kamal"), world.patient("fernando")
    before = chart_for(kamal, fernando.id)
    assert before.chart is None
    assert before.initial
    assert before.mouth.presence("36") is Presence.PRESENT
    chart_stroke(fernando, entries=[caries("36", "OM"), missing("48")], seen=0, actor=kamal)
    charted = chart_for(kamal, fernando.id)
    assert charted.stroke == 1
    assert charted.mouth.presence("48") is Presence.MISSING
    (entry,) = charted.mouth.on("36")
    assert (entry.surfaces, entry.details, entry.entered_by) == ("MO", {"icdas": "4"}, "Kamal Dias")
    assert chart_for(world.user("leela"), fernando.id) is None


def test_whoever_was_slower_is_told_both_texts(session, world):
    kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=silva)
    chart_stroke(fernando, entries=[caries("46")], seen=0, actor=kamal)  # another tooth
    with pytest.raises(Conflict, match="Dr Sunil Silva") as refused:
        chart_stroke(fernando, entries=[caries("36", "D")], seen=0, actor=kamal)
    assert refused.value.theirs.keys() == {"36"} == refused.value.mine.keys()


def filling(tooth: str, status: Status = Status.PLANNED, **more) -> Entry:
    return Entry("restoration", status, ((tooth, ""),), surfaces="MO", details={"material": "composite"}, **more)


@pytest.fixture
def here(world, session):
    """Fernando's visit is under way."""
    return check_in(world.visit("fernando"), actor=world.user("ruwan"))


class TestAStroke:
    def test_begins_with_the_teeth_of_the_age_or_those_said(self, session, world):
        wu, omar = world.patient("wu"), world.user("omar")  # eleven
        assert chart_for(omar, wu.id).mouth.dentition is Dentition.MIXED
        chart_stroke(wu, entries=[missing("48")], seen=0, dentition="edentulous", reason="Told so", actor=omar)
        assert chart_for(omar, wu.id).mouth.presence("11") is Presence.MISSING
        with pytest.raises(Conflict, match="began with no teeth"):
            chart_stroke(wu, entries=[missing("47")], seen=1, dentition="mixed", reason="Told so", actor=omar)
        undo_stroke(wu, stroke=1, actor=omar)
        chart_stroke(wu, entries=[missing("16")], seen=2, dentition="mixed", actor=omar)  # nothing was on it any more
        assert chart_for(omar, wu.id).mouth.presence("55") is Presence.PRESENT

    @pytest.mark.parametrize(
        ("entry", "why"),
        [
            (Entry("magic", Status.FINDING, (("36", ""),)), "no such kind"),
            (Entry("caries", Status.PLANNED, (("36", ""),), surfaces="O"), "never “planned”"),
            (Entry("caries", Status.FINDING, (("36", ""),)), "needs a surface"),
            (Entry("caries", Status.FINDING, (("99", ""),), surfaces="O"), "no tooth 99"),
            (Entry("caries", Status.FINDING, (("S1", ""),), surfaces="O"), "no tooth S1"),
            (Entry("caries", Status.FINDING, (("36", ""), ("37", "")), surfaces="O"), "one tooth at a time"),
            (Entry("caries", Status.FINDING, (("36", ""),), surfaces="O", details={"icdas": "9"}), "no icdas"),
            (Entry("caries", Status.FINDING, (("36", ""),), surfaces="O", details={"mm": "9"}), "has no “mm”"),
            (Entry("restoration", Status.PLANNED, (("36", ""),), surfaces="O"), "needs: Material"),
            (Entry("missing", Status.FINDING, (("36", ""),), surfaces="O"), "takes no surface"),
            (Entry("bridge", Status.PLANNED, (("14", "abutment"),)), "two teeth or more"),
            (Entry("bridge", Status.PLANNED, (("14", "king"), ("15", "pontic"))), "has no part in"),
            (Entry("denture", Status.PLANNED, (), details={"extent": "complete"}), "say upper or lower"),
            (Entry("denture", Status.PLANNED, (("36", "clasp"),), jaw="upper", details={"extent": "partial"}), "not in"),
            (Entry("root_canal", Status.PLANNED, (("36", ""),), details={"canals": "P:full"}), "no canal of tooth 36"),
            (Entry("note", Status.FINDING, (("36", ""),), details={"note": "a\nb"}), "in one line"),
            (Entry("missing", Status.ENTERED_IN_ERROR, (("36", ""),)), "not"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )  # fmt: skip
    def test_has_the_form_of_its_kind(self, session, world, entry, why):
        with pytest.raises(DomainError, match=why):
            chart_stroke(world.patient("fernando"), entries=[entry], seen=0, actor=world.user("kamal"))

    def test_a_kind_that_is_retired_is_not_charted_anew(self, session, world):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        own = OwnKind(
            code="own-1",
            name="Worn by a pipe",
            word="pipe",
            scope="whole",
            is_treatment=False,
            rule="icon",
            created_at=clock.now(),
            created_by_id=kamal.id,
        )
        session.add(own)
        session.flush()
        entry = Entry("own-1", Status.FINDING, (("36", ""),))
        chart_stroke(fernando, entries=[entry], seen=0, actor=kamal)
        own.retired_at = clock.now()
        session.flush()
        with pytest.raises(DomainError, match="no longer used"):
            chart_stroke(fernando, entries=[entry], seen=1, actor=kamal)
        (charted,) = chart_for(kamal, fernando.id).mouth.on("36")
        enter_in_error(fernando, entry_id=charted.id, seen=1, reason="Not a pipe", actor=kamal)

    def test_is_refused_to_whoever_is_not_given_the_patient(self, session, world):
        for name in ("leela", "omar", "adel"):
            with pytest.raises(NoResultFound):
                chart_stroke(world.patient("fernando"), entries=[caries("36")], seen=0, actor=world.user(name))
        with pytest.raises(NoResultFound):  # formerly
            chart_stroke(world.patient("perera"), entries=[caries("36")], seen=0, actor=world.user("kamal"))

    def test_a_broken_glass_gives_nothing(self, session, world, monkeypatch):
        nadia, kamal, at = world.patient("nadia"), world.user("kamal"), clock.now()
        session.add(
            BrokenGlass(
                user_id=kamal.id,
                patient_id=nadia.id,
                reason=GlassReason.COVER,
                words="Ill today",
                opened_at=at,
                expires_at=at + timedelta(hours=1),
            )
        )
        session.flush()
        scope.only_looking.set(True)
        try:
            assert chart_for(kamal, nadia.id) is not None
            with pytest.raises(NoResultFound):
                chart_stroke(nadia, entries=[caries("36")], seen=0, actor=kamal)
        finally:
            scope.only_looking.set(False)
        assert chart_for(kamal, nadia.id) is None

    def test_an_archived_record_is_not_written_on(self, session, world):
        fernando = world.patient("fernando")
        fernando.archived_at = clock.now()
        session.flush()
        with pytest.raises(DomainError, match="archived"):
            chart_stroke(fernando, entries=[caries("36")], seen=0, actor=world.user("kamal"))

    def test_a_rule_that_asks_takes_a_reason_and_keeps_it(self, session, world):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_stroke(fernando, entries=[missing("36")], seen=0, actor=kamal)
        with pytest.raises(DomainError) as refused:
            chart_stroke(fernando, entries=[caries("36")], seen=1, actor=kamal)
        assert not isinstance(refused.value, NeedsReason)
        primary = Entry("erupted", Status.FINDING, (("55", ""),))  # in a person of 34 years
        with pytest.raises(NeedsReason) as asked:
            chart_stroke(fernando, entries=[primary], seen=1, actor=kamal)
        assert asked.value.remarks
        chart_stroke(fernando, entries=[primary], seen=1, reason="Seen on  the radiograph", actor=kamal)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("55")
        assert entry.reason == "Seen on the radiograph"

    def test_another_of_a_jaw_touches_the_jaw(self, session, world):
        kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
        gone = [missing(key) for key in UPPER]
        chart_stroke(fernando, entries=gone, seen=0, actor=kamal)
        denture = Entry("denture", Status.PLANNED, (), jaw="upper", details={"extent": "complete"})
        chart_stroke(fernando, entries=[denture], seen=1, actor=silva)
        with pytest.raises(Conflict, match="Dr Sunil Silva"):
            chart_stroke(fernando, entries=[denture], seen=1, actor=kamal)


class TestWorkDoneHere:
    def test_needs_the_patient_and_has_a_performer(self, session, world):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        for status in (Status.COMPLETED, Status.IN_PROCESS):
            with pytest.raises(DomainError, match="clinic"):
                chart_stroke(fernando, entries=[filling("36", status)], seen=0, actor=kamal)
        check_in(world.visit("fernando"), actor=world.user("ruwan"))
        chart_stroke(fernando, entries=[filling("36", Status.COMPLETED)], seen=0, actor=kamal)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
        assert (entry.performer, entry.visit_id, entry.dated) == ("Kamal Dias", world.visits["fernando"], clock.today())

    def test_is_performed_by_somebody_who_has_the_patient(self, session, world, here):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        for name in ("leela", "ruwan", "adel"):
            entry = filling("36", Status.COMPLETED, performer_id=world.people[name])
            with pytest.raises(DomainError, match="student or supervisor who has"):
                chart_stroke(fernando, entries=[entry], seen=0, actor=kamal)
        by_silva = filling("36", Status.COMPLETED, performer_id=world.people["silva"])
        chart_stroke(fernando, entries=[by_silva], seen=0, actor=kamal)
        assert chart_for(kamal, fernando.id).mouth.on("36")[0].performer == "Dr Sunil Silva"

    def test_goes_from_planned_over_begun_to_completed_in_one_thread(self, session, world, here):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_stroke(fernando, entries=[filling("36")], seen=0, actor=kamal)
        for seen, status in ((1, Status.IN_PROCESS), (2, Status.COMPLETED)):
            (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
            change_entry(fernando, entry_id=entry.id, seen=seen, status=status, actor=kamal)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
        history = history_of(kamal, fernando.id, "36")
        assert [each.status for each in history] == [Status.COMPLETED, Status.IN_PROCESS, Status.PLANNED]
        assert {each.thread for each in history} == {entry.thread}
        with pytest.raises(Conflict, match="completed here"):
            change_entry(fernando, entry_id=history[-1].id, seen=3, status=Status.IN_PROCESS, actor=kamal)

    def test_goes_on_from_a_thread_by_a_stroke(self, session, world, here):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_stroke(fernando, entries=[filling("36")], seen=0, actor=kamal)
        (planned,) = chart_for(kamal, fernando.id).mouth.on("36")
        done = filling("36", Status.COMPLETED, thread=planned.thread)
        with pytest.raises(DomainError, match="Two parts of this change the same entry"):
            chart_stroke(fernando, entries=[done, done], seen=1, actor=kamal)
        chart_stroke(fernando, entries=[done], seen=1, actor=kamal)
        assert [each.status for each in chart_for(kamal, fernando.id).mouth.on("36")] == [Status.COMPLETED]
        with pytest.raises(DomainError, match="no longer on the chart"):
            chart_stroke(fernando, entries=[filling("36", thread=987654)], seen=2, actor=kamal)

    def test_is_an_error_only_by_a_supervisor_once_it_was_approved(self, session, world, here):
        kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
        chart_stroke(fernando, entries=[filling("36", Status.COMPLETED)], seen=0, actor=kamal)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
        with pytest.raises(DomainError, match="not rolled back"):
            change_entry(fernando, entry_id=entry.id, seen=1, status=Status.PLANNED, reason="It came out", actor=silva)
        error = {"entry_id": entry.id, "seen": 1, "reason": "It was 46"}
        sent = send_chart(fernando, words="", seen=1, actor=kamal)
        with pytest.raises(DomainError, match="waits for approval"):
            enter_in_error(fernando, **error, actor=silva)
        approve_chart(sent.id, version=sent.version, actor=silva)
        with pytest.raises(DomainError, match="approved in version 1"):
            enter_in_error(fernando, **error, actor=kamal)
        with pytest.raises(DomainError, match="approved in version 1"):
            change_entry(fernando, entry_id=entry.id, seen=1, surfaces="O", reason="Smaller", actor=kamal)
        enter_in_error(fernando, **error, actor=silva)
        assert chart_for(kamal, fernando.id).mouth.on("36") == []

    def test_stays_approved_when_a_supervisor_has_corrected_it(self, session, world, here):
        kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
        chart_stroke(fernando, entries=[filling("36")], seen=0, actor=kamal)
        (planned,) = chart_for(kamal, fernando.id).mouth.on("36")
        change_entry(fernando, entry_id=planned.id, seen=1, status=Status.COMPLETED, actor=kamal)
        sent = send_chart(fernando, words="", seen=2, actor=kamal)
        approve_chart(sent.id, version=sent.version, actor=silva)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
        change_entry(fernando, entry_id=entry.id, seen=2, surfaces="O", reason="Smaller", actor=silva)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
        with pytest.raises(DomainError, match="approved in version 1"):
            enter_in_error(fernando, entry_id=entry.id, seen=3, reason="It was 46", actor=kamal)
        enter_in_error(fernando, entry_id=entry.id, seen=3, reason="It was 46", actor=silva)

    def test_is_not_dated_outside_of_its_visit(self, session, world, here):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        for day, why in ((-30, "day of this visit"), (1, "future|Dated|date")):
            entry = filling("36", Status.COMPLETED, dated=clock.today() + timedelta(days=day))
            with pytest.raises(DomainError, match=why):
                chart_stroke(fernando, entries=[entry], seen=0, actor=kamal)


class TestCorrecting:
    def test_an_error_stays_in_the_history_with_its_reason(self, session, world):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
        with pytest.raises(DomainError, match="Write why"):
            enter_in_error(fernando, entry_id=entry.id, seen=1, reason="", actor=kamal)
        enter_in_error(fernando, entry_id=entry.id, seen=1, reason="It was 46", actor=kamal)
        assert chart_for(kamal, fernando.id).mouth.on("36") == []
        assert [(each.status, each.reason) for each in history_of(kamal, fernando.id, "36")] == [
            (Status.ENTERED_IN_ERROR, "It was 46"),
            (Status.FINDING, ""),
        ]
        with pytest.raises(Conflict, match="entered in error"):
            enter_in_error(fernando, entry_id=entry.id, seen=2, reason="It was 46", actor=kamal)

    def test_a_correction_says_what_it_corrects(self, session, world):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
        (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
        with pytest.raises(DomainError, match="already says this"):
            change_entry(fernando, entry_id=entry.id, seen=1, surfaces="OM", actor=kamal)
        change_entry(fernando, entry_id=entry.id, seen=1, surfaces="DOM", details={"icdas": "5"}, actor=kamal)
        (after,) = chart_for(kamal, fernando.id).mouth.on("36")
        assert (after.surfaces, after.details["icdas"], after.thread) == ("MOD", "5", entry.id)

    def test_an_entry_of_another_patient_is_not_found(self, session, world):
        kamal, leela = world.user("kamal"), world.user("leela")
        fernando, perera = world.patient("fernando"), world.patient("perera")
        chart_stroke(perera, entries=[caries("36")], seen=0, actor=leela)
        chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
        (entry,) = chart_for(leela, perera.id).mouth.on("36")
        for write in (
            lambda: enter_in_error(fernando, entry_id=entry.id, seen=1, reason="An error", actor=kamal),
            lambda: change_entry(fernando, entry_id=entry.id, seen=1, surfaces="O", actor=kamal),
            lambda: undo_stroke(fernando, stroke=2, actor=kamal),
            lambda: restore_version(fernando, number=1, seen=1, reason="An error", actor=kamal),
        ):
            with pytest.raises(NoResultFound):
                write()
        assert entry_for(kamal, perera.id, entry.id) is None
        assert entry_for(kamal, fernando.id, entry.id) is None

    def test_what_was_planned_and_is_done_now_comes_where_it_was_done(self, session, world, here):
        """An extraction that was planned before the tooth was called impacted is the last word once it is done."""
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_stroke(
            fernando, entries=[Entry("extraction", Status.PLANNED, (("48", ""),))], seen=0, reason="Pain", actor=kamal
        )
        impacted = Entry("impacted", Status.FINDING, (("48", ""),), details={"angle": "mesial"})
        chart_stroke(fernando, entries=[impacted], seen=1, reason="Radiograph", actor=kamal)
        planned = next(each for each in chart_for(kamal, fernando.id).mouth.on("48") if each.kind == "extraction")
        change_entry(fernando, entry_id=planned.id, seen=2, status=Status.COMPLETED, reason="Under local", actor=kamal)
        assert chart_for(kamal, fernando.id).mouth.presence("48") is Presence.EXTRACTED


class TestUndo:
    def test_is_of_the_last_stroke_by_the_same_person_for_some_minutes(self, session, world):
        kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
        chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
        with pytest.raises(DomainError, match="Only they undo it"):
            undo_stroke(fernando, stroke=1, actor=silva)
        with clock.frozen(clock.now() + timedelta(hours=1)), pytest.raises(DomainError, match="minutes ago"):
            undo_stroke(fernando, stroke=1, actor=kamal)
        undo_stroke(fernando, stroke=1, actor=kamal)
        assert chart_for(kamal, fernando.id).mouth.entries == ()
        undo_stroke(fernando, stroke=2, actor=kamal)  # undoing what was undone
        assert len(chart_for(kamal, fernando.id).mouth.entries) == 1
        chart_stroke(fernando, entries=[caries("46")], seen=3, actor=silva)
        with pytest.raises(Conflict, match="Dr Sunil Silva wrote on this chart after it"):
            undo_stroke(fernando, stroke=3, actor=kamal)

    def test_is_refused_once_it_was_sent(self, session, world):
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_stroke(fernando, entries=[caries("36")], seen=0, actor=kamal)
        send_chart(fernando, words="", seen=1, actor=kamal)
        with pytest.raises(DomainError, match="sent for approval in version 1"):
            undo_stroke(fernando, stroke=1, actor=kamal)


def test_going_back_over_what_was_approved_needs_a_supervisor(session, world, here):
    kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
    finish_first_charting(fernando, actor=kamal)
    chart_stroke(fernando, entries=[filling("36", Status.COMPLETED)], seen=0, actor=kamal)
    sent = send_chart(fernando, words="", seen=1, actor=kamal)
    approve_chart(sent.id, version=sent.version, actor=silva)
    back = {"number": 1, "seen": 1, "reason": "Charted by mistake"}
    with pytest.raises(DomainError, match="approved in version 2"):
        restore_version(fernando, **back, actor=kamal)
    restore_version(fernando, **back, actor=silva)
    assert chart_for(kamal, fernando.id).mouth.entries == ()
