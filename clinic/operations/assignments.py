"""Giving patients to clinicians and students, and ending that. Nothing is deleted: an assignment has an end.

Locks are taken in one order everywhere: patients by id, then requests, then people by id, then what belongs to the patient.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, live
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import day, number_of, ordinal, when
from clinic.models import Assignment, AssignmentKind, Department, Patient, Role, Unowned, User
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries import scope
from clinic.queries.assignments import CLINICIANS, answers_for, in_order, limit_for
from clinic.text import one_line

REASON_LENGTH = 200


def assign(*, patient_id: int, person_id: int, kind: AssignmentKind, actor: User, reason: str = "") -> Assignment:
    """A supervisor gives a patient they see to a student of their department, or takes the patient themself.

    With a `reason` beyond the student's load limit. Raises DomainError naming the limit, a patient who is archived, a person who is
    inactive, or the same assignment running already.
    """
    patient = locked(Patient, patient_id)
    person = locked(User, person_id)
    check_sees(patient, actor)
    if not answers_for(actor, person):
        raise NotAllowed(
            f"{person.name} is not a student of your department. Reception can ask; a supervisor of theirs decides."
        )
    return give(patient, person, kind, actor=actor, beyond=reason)


def end_assignment(assignment_id: int, *, reason: str, actor: User) -> Assignment:
    """A supervisor ends an assignment of a student of their department, or their own. It takes effect on the next request."""
    patient_id = db.session.execute(select(Assignment.patient_id).where(Assignment.id == assignment_id)).scalar_one()
    patient = locked(Patient, patient_id)
    assignment = locked(Assignment, assignment_id)
    person = db.session.get_one(User, assignment.user_id)
    if not answers_for(actor, person):
        raise NotAllowed(f"A supervisor of {person.name} ends this. Reception can ask for it.")
    if assignment.ends_at is not None and assignment.ends_at <= clock.now():
        raise Conflict(how_it_ended(assignment, person))
    reason = short(reason, "Write why the assignment ends.")
    end(assignment, patient, person, reason=reason, actor=actor)
    tell_of_unowned([patient.id], person, department_id=person.department_id, actor=actor)
    return assignment


def give(patient: Patient, person: User, kind: AssignmentKind, *, actor: User, beyond: str = "") -> Assignment:
    """A new assignment from now on. Patient and person are locked by the caller, who has also judged whether `actor` may.

    `beyond` is a supervisor's reason to go beyond the load limit.
    """
    check_can_have(patient, person)
    running = same_running(patient.id, person, kind)
    if running is not None:
        raise DomainError(
            f"{person.name} already has {patient.name} as {kind.value}, since {day(running.starts_at)}. Nothing was changed."
        )
    full = is_full(person, kind)
    if full and not (beyond.strip() and actor.role is Role.SUPERVISOR):
        raise DomainError(full)
    at = clock.now()
    assignment = Assignment(patient_id=patient.id, user_id=person.id, kind=kind, starts_at=at, created_by_id=actor.id)
    db.session.add(assignment)
    db.session.flush()
    if kind is AssignmentKind.PRIMARY:
        db.session.execute(delete(Unowned).where(Unowned.patient_id == patient.id))
    audit.record(
        "assignment.give",
        f"{person.name} was given {patient.name}, {patient.code}, as {kind.value}"
        + (", beyond the load limit" if full else ""),
        actor=actor,
        subject=assignment,
        patient=patient,
        after={"person": person.name, "kind": kind, "from": at},
        reason=beyond.strip() or None,
    )
    _nudge(person)
    db.session.flush()
    return assignment


def end(assignment: Assignment, patient: Patient, person: User, *, reason: str, actor: User) -> None:
    """End a running assignment now. The patient is locked by the caller. Without another primary they are without an owner."""
    at = clock.now()
    assignment.ends_at, assignment.ended_by_id, assignment.end_reason = at, actor.id, reason
    db.session.flush()
    if assignment.kind is AssignmentKind.PRIMARY:
        note_unowned([patient.id], person, department_id=person.department_id, at=at)
    audit.record(
        "assignment.end",
        f"{person.name} no longer has {patient.name}, {patient.code}, as {assignment.kind.value}",
        actor=actor,
        subject=assignment,
        patient=patient,
        before={"person": person.name, "kind": assignment.kind, "from": assignment.starts_at},
        after={"until": at},
        reason=reason,
    )
    _nudge(person)
    db.session.flush()


def end_all(person: User, *, department_id: int | None, reason: str, actor: User) -> list[int]:
    """End everything a person has, when they leave or change their role; answers the patients who are without an owner now.

    `department_id` is where they worked: its supervisors must find owners and are told. Patients are locked by `hold_patients_of`.
    """
    at = clock.now()
    running = held_by(person)
    for assignment in running:
        assignment.ends_at, assignment.ended_by_id, assignment.end_reason = at, actor.id, reason
    db.session.flush()
    if running:
        audit.record(
            "assignment.end_all",
            f"Ended {number_of(len(running), 'assignment')} of {person.name}",
            actor=actor,
            subject=person,
            before={"assignments": [assignment.id for assignment in running]},
            reason=reason,
        )
    primary = [one.patient_id for one in running if one.kind is AssignmentKind.PRIMARY]
    unowned = note_unowned(primary, person, department_id=department_id, at=at)
    tell_of_unowned(unowned, person, department_id=department_id, actor=actor)
    if department_id:
        live.nudge(f"queue:{department_id}")
    return unowned


def hold_patients_of(person_id: int) -> None:
    """Lock the patients of a person, in the one order, before the person's own row is locked."""
    theirs = select(Assignment.patient_id).where(Assignment.user_id == person_id, _not_over(clock.now()))
    db.session.execute(
        select(Patient.id).where(Patient.id.in_(theirs)).order_by(Patient.id).with_for_update()
    ).scalars().all()


def note_unowned(patient_ids: Collection[int], person: User, *, department_id: int | None, at: datetime) -> list[int]:
    """Write down which of these patients nobody has as primary any more; answers them. They are locked by the caller."""
    if not patient_ids or department_id is None:
        return []
    owned = set(
        db.session.scalars(
            select(Assignment.patient_id)
            .where(
                Assignment.patient_id.in_(patient_ids), Assignment.kind == AssignmentKind.PRIMARY, scope.is_running()
            )
            .with_for_update(read=True)  # what has committed since this transaction began
        )
    )
    unowned = sorted(set(patient_ids) - owned)
    for patient_id in unowned:
        _write_unowned(patient_id, {"department_id": department_id, "from_id": person.id, "since": at})
    return unowned


def _write_unowned(patient_id: int, facts: dict[str, Any]) -> None:
    """By statements: what this transaction has read of the table may be older than what stands there now."""
    try:
        db.session.execute(insert(Unowned.__table__).values(patient_id=patient_id, **facts))  # type: ignore[arg-type]
    except IntegrityError:
        db.session.execute(update(Unowned).where(Unowned.patient_id == patient_id).values(**facts))


def tell_of_unowned(patient_ids: Collection[int], person: User, *, department_id: int | None, actor: User) -> None:
    """Tell the supervisors of a department, besides who did it, that patients wait for an owner."""
    left = set(db.session.scalars(select(Unowned.patient_id).where(Unowned.patient_id.in_(patient_ids))))
    if not left or department_id is None:
        return
    if len(left) == 1:
        patient = db.session.get_one(Patient, next(iter(left)))
        sentence = f"{patient.name}, {patient.code}, has nobody now: {person.name} no longer does. Assign somebody."
    else:
        sentence = f"{len(left)} patients of {person.name} have nobody now. Assign somebody to each."
    supervisors = supervisors_of_department(department_id)
    if not supervisors:
        _tell_of_no_supervisor(len(left), person, department_id)
    for supervisor_id in supervisors:
        if supervisor_id != actor.id:
            tell(supervisor_id, sentence, kind="assignment.unowned", url="/assignments/unowned")


def _tell_of_no_supervisor(count: int, person: User, department_id: int) -> None:
    """Nobody is left who could find owners: the administrators, who know no patients, are told to give the department somebody."""
    department = db.session.get_one(Department, department_id)
    sentence = (
        f"{number_of(count, 'patient')} of {person.name} {'have' if count > 1 else 'has'} nobody now, and "
        f"{department.name} has no supervisor to find owners. Add one, or move one there."
    )
    active = select(User.id).where(User.role == Role.ADMIN, User.active).order_by(User.id).limit(100)
    for admin_id in db.session.scalars(active):
        tell(admin_id, sentence, kind="assignment.unowned", url="/people/")


def supervisors_of_department(department_id: int) -> list[int]:
    """The ids of the active supervisors of a department; a hundred at most."""
    return list(
        db.session.scalars(
            select(User.id)
            .where(User.role == Role.SUPERVISOR, User.active, User.department_id == department_id)
            .order_by(User.id)
            .limit(100)
        )
    )


def check_sees(patient: Patient, actor: User) -> None:
    seen = select(Patient.id).where(Patient.id == patient.id, scope.may_see(actor, Patient.id))
    if db.session.execute(seen).first() is None:
        raise NotAllowed("This patient is not in your care. Ask a supervisor who looks after them.")


def check_can_have(patient: Patient, person: User) -> None:
    """Raise DomainError when the patient is archived or the person treats nobody now."""
    if patient.archived_at is not None:
        raise DomainError(f"{patient.name} is archived. Reception can restore the record.")
    if not person.active or person.role not in CLINICIANS:
        raise DomainError(f"{person.name} treats no patients here now. Choose somebody else.")


def same_running(patient_id: int, person: User, kind: AssignmentKind) -> Assignment | None:
    """The running assignment of this patient, person and kind, as committed last."""
    return db.session.scalars(
        select(Assignment)
        .where(
            Assignment.patient_id == patient_id,
            Assignment.user_id == person.id,
            Assignment.kind == kind,
            _not_over(clock.now()),
        )
        .order_by(Assignment.id)
        .limit(1)
        .with_for_update(read=True)
    ).first()


def held_by(person: User, patient: Patient | None = None) -> list[Assignment]:
    """What a person has, of one patient or of all, locked and as committed last; primary first."""
    theirs = select(Assignment).where(Assignment.user_id == person.id, _not_over(clock.now()))
    if patient is not None:
        theirs = theirs.where(Assignment.patient_id == patient.id)
    locking = theirs.order_by(Assignment.id).with_for_update().execution_options(populate_existing=True)
    return in_order(db.session.scalars(locking))


def is_full(person: User, kind: AssignmentKind) -> str:
    """Why a person takes no more patients of this kind, and who can lift that; empty when they do."""
    limit = limit_for(person, kind)
    if limit is None:
        return ""
    theirs = db.session.scalars(
        select(Assignment.patient_id)
        .where(Assignment.user_id == person.id, Assignment.kind == kind, _not_over(clock.now()))
        .with_for_update(read=True)  # what has committed since this transaction began
    ).all()
    present = select(func.count()).where(Patient.id.in_(theirs), Patient.archived_at.is_(None))
    count = db.session.scalar(present) or 0
    if count < limit:
        return ""
    assert person.year is not None
    return (
        f"{person.name} has {count} patients as {kind.value}; a student of the {ordinal(person.year)} year has at most {limit}. "
        "A supervisor of the department can go beyond it with a reason, and an administrator sets the limit."
    )


def how_it_ended(assignment: Assignment, person: User) -> str:
    """Who ended an assignment and when, in one sentence."""
    by = db.session.get(User, assignment.ended_by_id) if assignment.ended_by_id else None
    assert assignment.ends_at is not None
    return f"The assignment of {person.name} was ended{f' by {by.name}' if by else ''} on {when(assignment.ends_at)}."


def short(text: str, empty: str, most: int = REASON_LENGTH) -> str:
    """One line of text; raises DomainError with the sentence `empty` when there is none, or when it is too long."""
    line = one_line(text)
    if not line:
        raise DomainError(empty)
    if len(line) > most:
        raise DomainError(f"At most {most} characters here.")
    return line


def _not_over(at: datetime) -> ColumnElement[bool]:
    return or_(Assignment.ends_at.is_(None), Assignment.ends_at > at)


def _nudge(person: User) -> None:
    """What a person sees has changed: their own lists, and the queue of their department."""
    live.nudge(f"person:{person.id}")
    if person.department_id:
        live.nudge(f"queue:{person.department_id}")
