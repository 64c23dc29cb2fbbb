"""Visits: scheduled, arrived, ended. Locks the patient first, then the visit; the queue's own operations follow from there."""

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, live
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import clock_time, day, when
from clinic.models import (
    SLOT_MINUTES,
    VISIT_MOVES,
    Booking,
    Chair,
    Department,
    Patient,
    Priority,
    QueueEntry,
    Role,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations.locks import locked
from clinic.operations.nudges import nudge_visit
from clinic.operations.queue import begin_waiting, next_ticket, refuse_if_in_queue
from clinic.queries import scope
from clinic.text import one_line

SLOT = timedelta(minutes=SLOT_MINUTES)
IN_WORDS = {
    VisitStatus.REQUESTED: "only requested",
    VisitStatus.SCHEDULED: "scheduled",
    VisitStatus.RESCHEDULE_REQUESTED: "waiting to be rescheduled",
    VisitStatus.CANCEL_REQUESTED: "waiting to be cancelled",
    VisitStatus.ARRIVED: "checked in",
    VisitStatus.COMPLETED: "completed",
    VisitStatus.CANCELLED: "cancelled",
    VisitStatus.DID_NOT_ATTEND: "marked as not attended",
}


def schedule_visit(
    *,
    patient: Patient,
    department: Department,
    starts_at: datetime,
    minutes: int,
    chair: Chair | None,
    student: User | None,
    supervisor: User | None,
    reason: str,
    actor: User,
) -> Visit:
    """Book a visit. Raises DomainError naming the clash when chair, student or patient is taken for a part of that time."""
    _check_patient(patient)
    _check_department(department)
    _check_time(starts_at, minutes)
    _check_chair(chair, department)
    _check_people(patient, student, supervisor)
    visit = Visit(
        patient_id=patient.id,
        department_id=department.id,
        starts_at=starts_at,
        minutes=minutes,
        chair_id=chair.id if chair else None,
        student_id=student.id if student else None,
        supervisor_id=supervisor.id if supervisor else None,
        reason=_short(reason),
        status=VisitStatus.SCHEDULED,
        created_at=clock.now(),
        created_by_id=actor.id,
    )
    db.session.add(visit)
    db.session.flush()
    _book(visit)
    said = f"Scheduled {patient.name} in {department.name} on {when(starts_at)}"
    _told("visit.schedule", said, visit, actor)
    return visit


def check_in(visit: Visit, *, actor: User) -> QueueEntry:
    """The patient is here: the visit arrives, gets its ticket, and waits in its department's queue.

    Early or late on the day is fine. Raises Conflict, saying by whom and when, if already checked in; DomainError if the visit
    cannot arrive or the patient is in a queue already.
    """
    patient, visit = _locked(visit)
    if visit.status in (VisitStatus.ARRIVED, VisitStatus.COMPLETED):
        raise Conflict(_checked_in_before(visit, patient))
    _check_move(visit, patient, VisitStatus.ARRIVED)
    _check_patient(patient)
    at = clock.now()
    if clock.local(visit.starts_at).date() != clock.local(at).date():
        raise DomainError(
            f"This visit is on {when(visit.starts_at)}, not today. Add {patient.name} as a walk-in, or reschedule the visit."
        )
    refuse_if_in_queue(patient)
    department = _check_department(db.session.get_one(Department, visit.department_id))
    visit.status, visit.arrived_at, visit.ticket = VisitStatus.ARRIVED, at, next_ticket(department, at)
    db.session.flush()
    entry = begin_waiting(visit, priority=Priority.NORMAL, priority_reason=None, at=at, actor=actor)
    said = f"{patient.name} was checked in with ticket {visit.ticket}"
    _told("queue.check_in", said, visit, actor)
    return entry


def add_walk_in(
    *,
    patient: Patient,
    department: Department,
    reason: str,
    priority: int = Priority.NORMAL,
    student: User | None = None,
    supervisor: User | None = None,
    actor: User,
) -> QueueEntry:
    """A patient without an appointment: a visit that starts arrived, with its ticket, waiting in the department's queue."""
    patient = _locked_patient(patient.id)
    _check_patient(patient)
    _check_department(department)
    _check_people(patient, student, supervisor)
    chosen, reason = Priority(priority), _short(reason)
    if not reason:
        raise DomainError("Say why the patient came.")
    refuse_if_in_queue(patient)
    at = clock.now()
    visit = Visit(
        patient_id=patient.id,
        department_id=department.id,
        starts_at=at,
        walk_in=True,
        student_id=student.id if student else None,
        supervisor_id=supervisor.id if supervisor else None,
        reason=reason,
        status=VisitStatus.ARRIVED,
        ticket=next_ticket(department, at),
        arrived_at=at,
        created_at=at,
        created_by_id=actor.id,
    )
    db.session.add(visit)
    db.session.flush()
    why = None if chosen is Priority.NORMAL else reason
    entry = begin_waiting(visit, priority=chosen, priority_reason=why, at=at, actor=actor)
    _told("queue.walk_in", f"{patient.name} was added as a walk-in with ticket {visit.ticket}", visit, actor)
    return entry


def move_visit(visit: Visit, *, to: VisitStatus, version: int, actor: User, reason: str = "") -> Visit:
    """Ask to reschedule or cancel, cancel, or put back to scheduled. Arriving and ending are the queue's.

    A cancelled visit gives its time back; the others keep it.
    """
    patient, visit = _locked(visit)
    if visit.version != version:
        raise Conflict(f"The visit of {patient.name} was changed meanwhile; it is {IN_WORDS[visit.status]} now.")
    if to in (VisitStatus.ARRIVED, VisitStatus.COMPLETED, VisitStatus.DID_NOT_ATTEND):
        raise DomainError("Check the patient in, or finish the visit in the queue.")
    _check_move(visit, patient, to)
    before = visit.status
    visit.status = to
    if to is VisitStatus.CANCELLED:
        visit.outcome = _short(reason) or "Cancelled"
        db.session.execute(delete(Booking).where(Booking.visit_id == visit.id))
    said = f"The visit of {patient.name} on {when(visit.starts_at)} is {IN_WORDS[to]}"
    audit.record(
        "visit.move",
        said,
        actor=actor,
        subject=visit,
        patient=patient,
        before={"status": before},
        after={"status": to},
        reason=_short(reason) or None,
    )
    nudge_visit(visit)
    db.session.flush()
    return visit


def change_student(visit: Visit, *, to: User | None, actor: User) -> Visit:
    """Another student for a visit that is planned or going on, or none for now; a supervisor who takes it treats without a student.

    The patient's row is locked by the caller. Raises DomainError naming the clash when the new student is taken for a part of the time.
    """
    visit = locked(Visit, visit.id)
    former = visit.student_id
    db.session.execute(
        delete(Booking)
        .where(Booking.visit_id == visit.id, Booking.resource == f"student:{former}")
        .execution_options(synchronize_session=False)
    )
    visit.student_id = to.id if to and to.role is Role.STUDENT else None
    if to and to.role is Role.SUPERVISOR:
        visit.supervisor_id = to.id
    db.session.flush()
    if visit.student_id is not None and not visit.walk_in:
        _book_for(visit, [f"student:{visit.student_id}"])
    audit.record(
        "visit.change_student",
        f"The visit on {when(visit.starts_at)} is with {to.name if to else 'no student yet'}",
        actor=actor,
        subject=visit,
        patient=visit.patient_id,
        before={"student_id": former},
        after={"student_id": visit.student_id, "supervisor_id": visit.supervisor_id},
    )
    nudge_visit(visit)
    if former is not None:
        live.nudge(f"person:{former}")
    return visit


def slots_of(visit: Visit) -> list[datetime]:
    """The quarters of an hour a visit takes."""
    return [visit.starts_at + SLOT * step for step in range(visit.minutes // SLOT_MINUTES)]


def mark_missed_visits(before: datetime, *, limit: int = 200) -> int:
    """Mark scheduled visits whose appointment was before this instant as not attended; answers how many, at most `limit`.

    For the job at the end of a session, which repeats it in transactions of their own until the answer is 0. A visit that is being
    checked in at this moment is left alone.
    """
    waiting = (
        select(Visit)
        .where(Visit.status == VisitStatus.SCHEDULED, Visit.starts_at < before)
        .order_by(Visit.starts_at, Visit.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    missed = db.session.execute(waiting).scalars().all()
    for visit in missed:
        visit.status = VisitStatus.DID_NOT_ATTEND
        visit.outcome = "Did not attend"
        said = f"The visit on {when(visit.starts_at)} was marked as not attended"
        audit.record("visit.missed", said, actor=None, subject=visit, patient=visit.patient_id)
        nudge_visit(visit)
    db.session.flush()
    return len(missed)


# --- locks and checks -------------------------------------------------------------------------------------------------


def _locked(visit: Visit) -> tuple[Patient, Visit]:
    patient = _locked_patient(visit.patient_id)
    return patient, locked(Visit, visit.id)


def _locked_patient(patient_id: int) -> Patient:
    """The patient's row is the turnstile of arrivals: two for the same patient go one after the other."""
    return locked(Patient, patient_id)


def _check_move(visit: Visit, patient: Patient, to: VisitStatus) -> None:
    if to not in VISIT_MOVES[visit.status]:
        raise DomainError(f"The visit of {patient.name} is {IN_WORDS[visit.status]}; it cannot become {IN_WORDS[to]}.")


def _check_patient(patient: Patient) -> None:
    if patient.archived_at is not None:
        raise DomainError(f"The record of {patient.name} is archived. Restore it first.")


def _check_department(department: Department) -> Department:
    if not department.active:
        raise DomainError(f"{department.name} takes no patients. Choose another department.")
    return department


def _check_time(starts_at: datetime, minutes: int) -> None:
    if clock.local(starts_at).minute % SLOT_MINUTES or starts_at.second or starts_at.microsecond:
        raise DomainError("A visit begins on a quarter of an hour: choose :00, :15, :30 or :45.")
    if minutes % SLOT_MINUTES or not SLOT_MINUTES <= minutes <= 480:
        raise DomainError("A visit takes 15 minutes to 8 hours, in quarters of an hour.")
    if starts_at + SLOT <= clock.now():
        raise DomainError("This time is past. Choose a later one, or add a walk-in.")


def _check_chair(chair: Chair | None, department: Department) -> None:
    if chair is None:
        return
    if chair.department_id != department.id:
        raise DomainError(f"Chair {chair.name} is not in {department.name}. Choose one of its chairs.")
    if chair.retired_at is not None:
        raise DomainError(f"Chair {chair.name} is no longer used. Choose another.")
    if chair.out_of_service:
        raise DomainError(f"Chair {chair.name} is out of service: {chair.out_of_service}. Choose another.")


def _check_people(patient: Patient, student: User | None, supervisor: User | None) -> None:
    for person, role in ((student, Role.STUDENT), (supervisor, Role.SUPERVISOR)):
        if person is not None and (person.role is not role or not person.active):
            raise DomainError(f"{person.name} does not work as a {role.value} now. Choose somebody else.")
    if student is not None:
        seen = select(Patient.id).where(Patient.id == patient.id, scope.may_see(student, Patient.id))
        if db.session.execute(seen).first() is None:
            raise DomainError(f"{student.name} is not assigned to {patient.name}. A supervisor assigns students.")


def _book(visit: Visit) -> None:
    taken = (("chair", visit.chair_id), ("student", visit.student_id), ("patient", visit.patient_id))
    _book_for(visit, [f"{kind}:{number}" for kind, number in taken if number is not None])


def _book_for(visit: Visit, resources: list[str]) -> None:
    slots = slots_of(visit)
    rows = [
        {"resource": resource, "slot": slot, "visit_id": visit.id} for resource in sorted(resources) for slot in slots
    ]
    # Not by the unit of work: after its failure the session could no longer say what it clashes with.
    try:
        db.session.execute(insert(Booking.__table__), rows)  # type: ignore[arg-type]
    except IntegrityError as error:
        # A locking read sees what has committed since this transaction began.
        clash = db.session.execute(
            select(Booking)
            .where(Booking.resource.in_(resources), Booking.slot.in_(slots), Booking.visit_id != visit.id)
            .order_by(Booking.slot, Booking.resource)
            .limit(1)
            .with_for_update(read=True)
        ).scalar_one_or_none()
        if clash is None:
            raise
        raise DomainError(_clash(clash)) from error


def _clash(booking: Booking) -> str:
    other = locked(Visit, booking.visit_id, shared=True)
    patient = db.session.get_one(Patient, other.patient_id)
    end = other.starts_at + timedelta(minutes=other.minutes)
    time = f"on {day(other.starts_at)} from {clock_time(other.starts_at)} to {clock_time(end)}"
    kind, number = booking.resource.split(":")
    if kind == "chair":
        return f"Chair {db.session.get_one(Chair, int(number)).name} is booked for {patient.name} {time}."
    if kind == "student":
        return f"{db.session.get_one(User, int(number)).name} has {patient.name} {time}."
    return f"{patient.name} already has a visit in {db.session.get_one(Department, other.department_id).name} {time}."


def _checked_in_before(visit: Visit, patient: Patient) -> str:
    first = db.session.execute(
        select(QueueEntry)
        .where(QueueEntry.visit_id == visit.id, QueueEntry.previous_id.is_(None), QueueEntry.voided_at.is_(None))
        .order_by(QueueEntry.id)
        .limit(1)
        .with_for_update(read=True)
    ).scalar_one_or_none()
    by = db.session.get(User, first.moved_by_id) if first else None
    at = f" at {clock_time(visit.arrived_at)}" if visit.arrived_at else ""
    return f"{patient.name} was already checked in{f' by {by.name}' if by else ''}{at}, with ticket {visit.ticket}."


def _told(act: str, said: str, visit: Visit, actor: User) -> None:
    audit.record(act, said, actor=actor, subject=visit, patient=visit.patient_id, reason=visit.reason or None)
    nudge_visit(visit)
    db.session.flush()


def _short(text: str) -> str:
    words = one_line(text)
    if len(words) > 200:
        raise DomainError("At most 200 characters here.")
    return words
