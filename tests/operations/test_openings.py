"""Whoever opened a record for no known reason is asked why: whom, for what, once, and in as many queries for a thousand."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select

from clinic import audit, clock, mail
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    AuditEvent,
    BrokenGlass,
    GlassReason,
    Notice,
    Patient,
    QueueEntry,
    Request,
    RequestKind,
    RequestStatus,
    Stage,
    Visit,
    VisitStatus,
)
from clinic.operations import openings
from clinic.operations.jobs import JOBS
from clinic.operations.openings import notice_unexplained_openings, unexplained_openings
from tests.queries_counted import counted

NOON = datetime.now(UTC).replace(hour=6, minute=30, second=0, microsecond=0)  # in the clinic
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def evening(context):
    with clock.frozen(NOON + timedelta(hours=6)):
        yield


def today():
    return clock.local(NOON).date()


def opened(world, who, patient="nadia", *, at=NOON, act="patient.open"):
    with clock.frozen(at):
        audit.record(act, "Opened", actor=world.user(who), patient=world.patients[patient])


def asked(session):
    rows = session.execute(select(Notice.user_id, Notice.patient_id).where(Notice.kind == "record.unexplained"))
    return {tuple(row) for row in rows}


def visit(world, session, patient="nadia", *, starts_at=NOON, **people):
    row = Visit(
        patient_id=world.patients[patient],
        department_id=world.departments["restorative"],
        starts_at=starts_at,
        status=VisitStatus.SCHEDULED,
        created_at=NOON,
        created_by_id=world.people["ruwan"],
        **{name: world.people[who] for name, who in people.items()},
    )
    session.add(row)
    session.flush()
    return row


def assign(world, session, who, patient="nadia", *, starts_at=NOON, ends_at=None):
    session.add(
        Assignment(
            patient_id=world.patients[patient],
            user_id=world.people[who],
            kind=AssignmentKind.TREATMENT,
            starts_at=starts_at,
            ends_at=ends_at,
            created_by_id=world.people["silva"],
        )
    )
    session.flush()


def ask_for(world, session, who="omar", *, asked_at=NOON, decided_at=None, **changes):
    status = RequestStatus.APPROVED if decided_at else RequestStatus.PENDING
    session.add(
        Request(
            kind=RequestKind.ASK,
            status=status,
            patient_id=world.patients["nadia"],
            code="P-2026-00004",
            clinician_id=world.people[who],
            assignment_kind=AssignmentKind.TREATMENT,
            asked_by_id=world.people[who],
            asked_at=asked_at,
            expires_at=asked_at + 14 * DAY,
            decided_at=decided_at,
            open_key=None if decided_at else "key",
            **changes,
        )
    )
    session.flush()


def break_glass(world, session, who):
    session.add(
        BrokenGlass(
            user_id=world.people[who],
            patient_id=world.patients["nadia"],
            reason=GlassReason.COVER,
            words="A colleague is away",
            opened_at=NOON,
            expires_at=NOON + timedelta(hours=1),
        )
    )
    session.flush()


def stand_in_line(world, session, *, started_at=NOON):
    row = visit(world, session, starts_at=NOON - 30 * DAY)
    session.add(
        QueueEntry(
            visit_id=row.id,
            patient_id=row.patient_id,
            department_id=row.department_id,
            stage=Stage.WAITING,
            started_at=started_at,
            queued_at=started_at,
            moved_by_id=world.people["ruwan"],
        )
    )
    session.flush()


def test_nobody_is_asked_when_nothing_was_opened(world, session):
    assert unexplained_openings(today()) == 0


def test_who_reads_the_trail_of_a_patient_opens_no_record(world, session):
    opened(world, "adel", act="read.audit.patient")
    assert unexplained_openings(today()) == 0


@pytest.mark.parametrize("who", ["ruwan", "nimal", "adel", "silva", "kamal"])
@pytest.mark.parametrize("act", ["patient.open", "read.patients.edit", "read.visits.show"])
def test_an_opening_for_no_known_reason_is_asked_about(world, session, who, act):
    opened(world, who, act=act)
    assert unexplained_openings(today()) == 1
    notice = session.scalars(select(Notice)).one()
    assert (notice.user_id, notice.patient_id, notice.answer) == (world.people[who], world.patients["nadia"], None)
    assert "P-2026-00004" in notice.sentence
    assert world.patient("nadia").name not in notice.sentence
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == "record.unexplained")).one()
    assert (event.actor_id, event.subject) == (None, f"user:{world.people[who]}")


REASONS = {
    "own assignment": ("kamal", lambda w, s: assign(w, s, "kamal")),
    "own assignment that ended that day": (
        "kamal",
        lambda w, s: assign(w, s, "kamal", starts_at=NOON - 9 * DAY, ends_at=NOON),
    ),
    "a student of the department has it": ("silva", lambda w, s: assign(w, s, "leela")),
    "student of the visit": ("kamal", lambda w, s: visit(w, s, student_id="kamal", starts_at=NOON + DAY)),
    "supervisor of the visit": ("sato", lambda w, s: visit(w, s, supervisor_id="sato", starts_at=NOON - DAY)),
    "visit in the supervisor's department": ("silva", lambda w, s: visit(w, s)),
    "any visit, front desk": ("ruwan", lambda w, s: visit(w, s, starts_at=NOON + DAY)),
    "any visit, nurse": ("nimal", lambda w, s: visit(w, s, starts_at=NOON - DAY)),
    "in line, nurse": ("nimal", stand_in_line),
    "in line, supervisor's department": ("silva", stand_in_line),
    "a request that waits": ("omar", lambda w, s: ask_for(w, s, asked_at=NOON - 3 * DAY)),
    "a request decided that day": ("omar", lambda w, s: ask_for(w, s, asked_at=NOON - 3 * DAY, decided_at=NOON)),
    "a request to decide": ("silva", lambda w, s: ask_for(w, s, department_id=w.departments["restorative"])),
    "a broken glass": ("adel", lambda w, s: break_glass(w, s, "adel")),
    "registered": ("ruwan", lambda w, s: opened(w, "ruwan", act="patient.register")),
    "changed": ("ruwan", lambda w, s: opened(w, "ruwan", act="patient.change")),
    "an alert": ("nimal", lambda w, s: opened(w, "nimal", act="alert.add")),
    "a visit planned for later": ("ruwan", lambda w, s: opened(w, "ruwan", act="visit.schedule")),
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_explains_it(world, session, reason):
    who, happens = REASONS[reason]
    happens(world, session)
    opened(world, who)
    assert unexplained_openings(today()) == 0


NO_REASONS = {
    "an assignment that ended the day before": (
        "kamal",
        lambda w, s: assign(w, s, "kamal", starts_at=NOON - 9 * DAY, ends_at=NOON - DAY),
    ),
    "another's assignment": ("kamal", lambda w, s: assign(w, s, "leela")),
    "of a student of another department": ("sato", lambda w, s: assign(w, s, "leela")),
    "a supervisor's of the same department": ("silva", lambda w, s: assign(w, s, "nimal")),
    "another student's visit": ("kamal", lambda w, s: visit(w, s, student_id="leela")),
    "a visit in another department": ("sato", lambda w, s: visit(w, s)),
    "a visit two days later": ("ruwan", lambda w, s: visit(w, s, starts_at=NOON + 2 * DAY)),
    "a visit two days ago": ("nimal", lambda w, s: visit(w, s, starts_at=NOON - 2 * DAY)),
    "in line last week": ("nimal", lambda w, s: stand_in_line(w, s, started_at=NOON - 7 * DAY)),
    "another's request": ("kamal", lambda w, s: ask_for(w, s)),
    "a request decided before": (
        "omar",
        lambda w, s: ask_for(w, s, asked_at=NOON - 3 * DAY, decided_at=NOON - 2 * DAY),
    ),
    "a request of the day after": ("omar", lambda w, s: ask_for(w, s, asked_at=NOON + DAY)),
    "another's glass": ("kamal", lambda w, s: break_glass(w, s, "adel")),
    "another's change": ("ruwan", lambda w, s: opened(w, "rita", act="patient.change")),
    "a search": ("ruwan", lambda w, s: opened(w, "ruwan", act="patient.search")),
    "a refusal": ("kamal", lambda w, s: opened(w, "kamal", act="access.denied")),
    "their visit with another patient": ("kamal", lambda w, s: visit(w, s, "wu", student_id="kamal")),
}


@pytest.mark.parametrize("reason", NO_REASONS)
def test_this_explains_nothing(world, session, reason):
    who, happens = NO_REASONS[reason]
    happens(world, session)
    opened(world, who)
    assert unexplained_openings(today()) == 1
    assert asked(session) == {(world.people[who], world.patients["nadia"])}


def test_the_day_is_the_clinics(world, session):
    start, end = clock.bounds(today())
    opened(world, "kamal", at=start - timedelta(microseconds=1))
    opened(world, "leela", at=start)
    opened(world, "omar", at=end - timedelta(microseconds=1))
    opened(world, "adel", at=end)
    with clock.frozen(end + timedelta(hours=1)):
        unexplained_openings(today())
    assert {who for who, _patient in asked(session)} == {world.people["leela"], world.people["omar"]}


def test_what_may_be_the_first_step_of_an_act_is_left_for_a_while(world, session):
    opened(world, "ruwan", at=clock.now() - timedelta(minutes=14))
    assert unexplained_openings(today()) == 0
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        assert unexplained_openings(today()) == 1


def test_once_for_a_person_a_patient_and_a_day(world, session):
    for at in (NOON, NOON + timedelta(minutes=5)):
        opened(world, "kamal", at=at)
    assert [unexplained_openings(today()) for _ in range(3)] == [1, 0, 0]
    opened(world, "kamal", at=NOON + timedelta(minutes=10))
    assert unexplained_openings(today()) == 0
    opened(world, "kamal", "wu")
    opened(world, "leela")
    assert unexplained_openings(today()) == 2
    with clock.frozen(clock.now() + DAY):
        opened(world, "kamal", at=NOON + DAY)
        assert unexplained_openings(today() + DAY) == 1


def test_the_timer_asks_about_today_and_the_end_of_yesterday(world, session):
    opened(world, "kamal")
    opened(world, "leela", at=NOON - DAY)
    opened(world, "omar", at=NOON - 2 * DAY)
    assert notice_unexplained_openings() == "2 openings of a record asked about."
    assert notice_unexplained_openings() == "0 openings of a record asked about."
    assert JOBS["ask-why"].every <= timedelta(hours=1)
    assert JOBS["ask-why"].run(lambda: None).startswith("0 openings")


def test_more_than_fit_into_one_run_are_asked_in_the_same_call(world, session, monkeypatch):
    monkeypatch.setattr(openings, "MOST", 2)
    for who in ("kamal", "leela", "omar", "adel", "ruwan"):
        opened(world, who)
    kept = []
    assert notice_unexplained_openings(lambda: kept.append(len(asked(session)))).startswith("5 openings")
    assert kept == [0, 2, 4, 5]


def test_a_letter_goes_to_each_and_names_the_code_only(world, session, monkeypatch):
    letters = []
    monkeypatch.setattr(mail, "post_when_committed", lambda *letter: letters.append(letter))
    world.user("leela").active = False
    session.flush()
    for who in ("kamal", "leela"):
        opened(world, who)
    unexplained_openings(today())
    ((to, subject, text),) = letters
    assert to == "kamal@clinic.test"
    assert "P-2026-00004" in text
    nadia = world.patient("nadia")
    assert not [part for part in (nadia.name, nadia.phone, "1970") if part in subject + text]


@pytest.mark.parametrize("count", [10, 1000])
def test_one_query_finds_them_however_many_there_are(world, session, count):
    """Beside the notice and the sequence of each that is asked; here all are explained but one."""
    at = NOON
    session.execute(
        insert(Patient),
        [
            {
                "code": f"Q-{number}",
                "name": "Many",
                "sort_name": "many",
                "birth_date": datetime(1990, 1, 1).date(),
                "sex": "unknown",
                "created_at": at,
                "created_by_id": world.people["ruwan"],
                "version": 1,
            }
            for number in range(count)
        ],
    )
    ids = session.scalars(select(Patient.id).where(Patient.code.like("Q-%"))).all()
    session.execute(
        insert(Assignment),
        [
            {
                "patient_id": one,
                "user_id": world.people["kamal"],
                "kind": AssignmentKind.TREATMENT,
                "starts_at": at,
                "created_by_id": world.people["silva"],
            }
            for one in ids
        ],
    )
    first = db.session.scalar(select(func.coalesce(func.max(AuditEvent.id), 0))) + 10_000
    session.execute(
        insert(AuditEvent),
        [
            {
                "id": first + number,
                "at": at,
                "actor_id": world.people["kamal"],
                "act": "patient.open",
                "patient_id": one,
                "sentence": "Opened",
                "mac": "",
            }
            for number, one in enumerate([*ids, world.patients["nadia"]])
        ],
    )
    with counted() as statements:
        assert unexplained_openings(today()) == 1
    assert len([sent for sent in statements if sent.startswith("SELECT") and "audit_event" in sent]) == 1
    assert len(statements) <= 6
