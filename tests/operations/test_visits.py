"""Visits: booked without clashes, checked in once, missed by the job."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import VISIT_MOVES, AuditEvent, Booking, Priority, QueueEntry, Stage, Visit, VisitStatus
from clinic.operations import visits
from tests.noon import noon_in
from tests.world import _assign


@pytest.fixture
def noon(session, world):
    with noon_in(world) as day:
        yield day


@pytest.fixture
def book(session, world, noon):
    """Schedule a visit an hour from noon, with other details as given."""

    def schedule(**details):
        chosen = {
            "patient": world.patient("fernando"),
            "department": world.department("restorative"),
            "starts_at": noon.start + timedelta(hours=1),
            "minutes": 60,
            "chair": world.chair("A2"),
            "student": world.user("kamal"),
            "supervisor": world.user("silva"),
            "reason": "Filling",
            "actor": world.user("ruwan"),
        }
        return visits.schedule_visit(**chosen | details)

    return schedule


def test_a_visit_books_chair_student_and_patient_for_each_quarter(book, session):
    visit = book()
    assert visit.status is VisitStatus.SCHEDULED
    booked = session.execute(select(Booking.resource, func.count()).group_by(Booking.resource)).all()
    assert dict(booked) == {
        f"chair:{visit.chair_id}": 4,
        f"student:{visit.student_id}": 4,
        f"patient:{visit.patient_id}": 4,
    }


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        (
            {"patient": "perera", "student": "leela"},
            r"Chair A2 is booked for Nimali Fernando on .* from 13:00 to 14:00",
        ),
        ({"patient": "perera", "chair": "A3"}, "Kamal Dias has Nimali Fernando on"),
        ({"chair": "A3", "student": None}, "Nimali Fernando already has a visit in Restorative on"),
    ],
)
def test_a_clash_is_named(book, world, details, sentence):
    _assign(world, "perera", "kamal")
    book()
    named = {"patient": world.patient, "student": world.user, "chair": world.chair}
    details = {key: name and named[key](name) for key, name in details.items()}
    with pytest.raises(DomainError, match=sentence):
        book(starts_at=clock.now() + timedelta(minutes=105), **details)


def test_visits_may_follow_each_other_without_a_gap(book):
    book()
    book(starts_at=clock.now() + timedelta(hours=2))


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ({"minutes": 50}, "quarters of an hour"),
        ({"minutes": 0}, "15 minutes to 8 hours"),
        ({"minutes": 495}, "15 minutes to 8 hours"),
        ({"after": 67}, "begins on a quarter"),
        ({"after": -15}, "This time is past"),
        ({"chair": "A4"}, "Chair A4 is out of service: Compressor is being repaired"),
        ({"chair": "B1"}, "Chair B1 is not in Restorative"),
        ({"student": "silva"}, "Dr Sunil Silva does not work as a student"),
        ({"supervisor": "kamal"}, "Kamal Dias does not work as a supervisor"),
        ({"student": "leela"}, "Leela Nair is not assigned to Nimali Fernando"),
        ({"patient": "archie"}, "The record of Archie Bell is archived"),
        ({"reason": "x" * 201}, "At most 200 characters"),
    ],
)
def test_what_cannot_be_booked_is_refused(book, world, noon, session, details, sentence):
    named = {"patient": world.patient, "student": world.user, "supervisor": world.user, "chair": world.chair}
    details = {key: named[key](value) if key in named else value for key, value in details.items()}
    if "after" in details:
        details["starts_at"] = noon.start + timedelta(minutes=details.pop("after"))
    with pytest.raises(DomainError, match=sentence):
        book(**details)
    assert session.scalar(select(func.count()).select_from(Booking)) == 0


def test_an_inactive_student_and_a_closed_department_take_no_visits(book, world):
    world.user("kamal").active = False
    with pytest.raises(DomainError, match="Kamal Dias does not work as a student now"):
        book()
    world.department("restorative").active = False
    with pytest.raises(DomainError, match="Restorative takes no patients"):
        book(student=None)


def test_a_cancelled_visit_gives_its_time_back(book, world):
    visit, ruwan = book(), world.user("ruwan")
    visits.move_visit(visit, to=VisitStatus.CANCEL_REQUESTED, version=visit.version, actor=ruwan, reason="Ill")
    with pytest.raises(DomainError, match="is booked"):
        book(patient=world.patient("perera"), student=None)
    visits.move_visit(visit, to=VisitStatus.CANCELLED, version=visit.version, actor=ruwan, reason="Ill")
    assert visit.outcome == "Ill"
    book()


def test_a_visit_moves_only_as_its_lifecycle_allows(world, noon):
    ruwan, visit = world.user("ruwan"), world.visit("fernando")
    plain = set(VisitStatus) - {VisitStatus.ARRIVED, VisitStatus.COMPLETED, VisitStatus.DID_NOT_ATTEND}
    for status in VisitStatus:
        for to in VisitStatus:
            visit.status = status
            db.session.flush()
            if to in plain and to in VISIT_MOVES[status]:
                visits.move_visit(visit, to=to, version=visit.version, actor=ruwan)
                assert visit.status is to
            else:
                with pytest.raises(DomainError):
                    visits.move_visit(visit, to=to, version=visit.version, actor=ruwan)
                assert visit.status is status


def test_a_visit_changed_meanwhile_is_not_moved(world, noon):
    visit, ruwan = world.visit("fernando"), world.user("ruwan")
    seen = visit.version
    visits.move_visit(visit, to=VisitStatus.CANCEL_REQUESTED, version=seen, actor=ruwan)
    with pytest.raises(Conflict, match="is waiting to be cancelled now"):
        visits.move_visit(visit, to=VisitStatus.RESCHEDULE_REQUESTED, version=seen, actor=ruwan)


def test_check_in_gives_a_ticket_of_department_and_day(world, noon, session):
    ruwan = world.user("ruwan")
    first = visits.check_in(world.visit("fernando"), actor=ruwan)
    noon.later(7)
    second = visits.check_in(world.visit("perera"), actor=ruwan)
    other = visits.check_in(world.visit("wu"), actor=ruwan)
    assert [world.visit(name).ticket for name in ("fernando", "perera", "wu")] == ["A-001", "A-002", "B-001"]
    assert world.visit("perera").arrived_at == noon.start + timedelta(minutes=7)
    assert {entry.stage for entry in (first, second, other)} == {Stage.WAITING}
    assert first.started_at == first.queued_at == noon.start
    event = session.scalars(
        select(AuditEvent).where(AuditEvent.act == "queue.check_in").order_by(AuditEvent.id)
    ).first()
    assert (event.sentence, event.patient_id) == (
        "Nimali Fernando was checked in with ticket A-001",
        world.patients["fernando"],
    )
    students = {world.visit(name).student_id for name in ("fernando", "perera", "wu")} - {None}
    assert set(session.info["nudges"]) == {
        *(f"queue:{number}" for number in world.departments.values()),
        *(f"person:{number}" for number in students),
    }


@pytest.mark.parametrize("hours", [-11, 11])
def test_early_and_late_on_the_day_are_fine(world, noon, hours):
    noon.later(hours * 60)
    assert visits.check_in(world.visit("fernando"), actor=world.user("rita")).stage is Stage.WAITING


@pytest.mark.parametrize("hours", [-13, 13])
def test_another_day_is_not(world, noon, hours):
    noon.later(hours * 60)
    with pytest.raises(DomainError, match="not today"):
        visits.check_in(world.visit("fernando"), actor=world.user("rita"))


def test_a_second_check_in_says_who_and_when(world, noon):
    visits.check_in(world.visit("perera"), actor=world.user("rita"))
    noon.later(5)
    with pytest.raises(Conflict) as refusal:
        visits.check_in(world.visit("perera"), actor=world.user("ruwan"))
    assert refusal.value.sentence == "Ana Perera was already checked in by Rita Gomes at 12:00, with ticket A-001."


@pytest.mark.parametrize("status", sorted(set(VisitStatus) - {VisitStatus.SCHEDULED}))
def test_only_a_scheduled_visit_arrives(world, noon, session, status):
    world.visit("perera").status = status
    session.flush()
    with pytest.raises(DomainError):
        visits.check_in(world.visit("perera"), actor=world.user("rita"))
    assert session.scalar(select(func.count(QueueEntry.id))) == 0


def test_a_patient_in_another_queue_is_not_checked_in_again(world, noon):
    visits.add_walk_in(
        patient=world.patient("perera"),
        department=world.department("orthodontics"),
        reason="Loose bracket",
        actor=world.user("ruwan"),
    )
    noon.later(4)
    with pytest.raises(DomainError) as refusal:
        visits.check_in(world.visit("perera"), actor=world.user("rita"))
    assert refusal.value.sentence == (
        "Ana Perera is already in the queue: waiting in Orthodontics with ticket B-001, "
        "moved there by Ruwan Senanayake at 12:00."
    )
    assert world.visit("perera").status is VisitStatus.SCHEDULED


def test_an_archived_patient_does_not_arrive(world, noon):
    world.patient("perera").archived_at = clock.now()
    with pytest.raises(DomainError, match="archived"):
        visits.check_in(world.visit("perera"), actor=world.user("rita"))


def test_a_walk_in_starts_arrived_with_its_priority_and_why(world, noon):
    entry = visits.add_walk_in(
        patient=world.patient("nadia"),
        department=world.department("restorative"),
        reason="  Swollen   cheek ",
        priority=Priority.URGENT,
        supervisor=world.user("silva"),
        actor=world.user("ruwan"),
    )
    visit = db.session.get_one(Visit, entry.visit_id)
    assert (visit.status, visit.walk_in, visit.ticket) == (VisitStatus.ARRIVED, True, "A-001")
    assert visit.starts_at == visit.arrived_at == noon.start
    assert (entry.priority, entry.priority_reason) == (Priority.URGENT, "Swollen cheek")


@pytest.mark.parametrize(
    ("details", "sentence"),
    [
        ({"reason": "  "}, "Say why the patient came"),
        ({"patient": "archie"}, "archived"),
        ({"student": "kamal"}, "Kamal Dias is not assigned to"),
    ],
)
def test_what_cannot_walk_in_is_refused(world, noon, session, details, sentence):
    chosen = {"patient": "nadia", "reason": "Pain", "student": None} | details
    with pytest.raises(DomainError, match=sentence):
        visits.add_walk_in(
            patient=world.patient(chosen["patient"]),
            department=world.department("restorative"),
            reason=chosen["reason"],
            student=chosen["student"] and world.user(chosen["student"]),
            actor=world.user("ruwan"),
        )
    assert session.scalar(select(func.count(QueueEntry.id))) == 0


def test_visits_nobody_came_to_are_marked_by_the_job(world, noon, session):
    visits.check_in(world.visit("fernando"), actor=world.user("ruwan"))
    world.visit("wu").starts_at += timedelta(minutes=15)
    session.flush()
    noon.later(60)
    assert visits.mark_missed_visits(noon.start) == 0
    assert visits.mark_missed_visits(noon.start + timedelta(minutes=1)) == 1
    assert visits.mark_missed_visits(noon.start + timedelta(minutes=1)) == 0
    assert visits.mark_missed_visits(clock.now()) == 1
    statuses = [world.visit(name).status for name in ("fernando", "perera", "wu")]
    assert statuses == [VisitStatus.ARRIVED, VisitStatus.DID_NOT_ATTEND, VisitStatus.DID_NOT_ATTEND]
