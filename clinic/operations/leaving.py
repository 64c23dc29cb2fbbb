"""Patients changing hands without a request: a supervisor hands one over, or all of a student who graduates or goes on leave.

What becomes of the patients and requests of somebody whom an administrator deactivates or gives another role is here too.
"""

from collections.abc import Mapping

from sqlalchemy import select

from clinic import audit, clock
from clinic.errors import DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import number_of
from clinic.models import (
    Assignment,
    AssignmentKind,
    Patient,
    Request,
    RequestKind,
    RequestStatus,
    Role,
    User,
)
from clinic.operations import assignments, requests
from clinic.operations import handover as handing_over
from clinic.operations.assignments import check_sees, give, held_by, same_running
from clinic.operations.glass import close_glasses_of
from clinic.operations.handover import KINDS, Destination, Hands
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries.assignments import answers_for
from clinic.queries.scope import is_running


def hand_over(
    *,
    patient_id: int,
    from_id: int,
    to_id: int,
    handover: str,
    destinations: Mapping[str, Destination],
    actor: User,
    reason: str = "",
) -> Request:
    """A supervisor hands a patient over between two students of their own department: no request, the same note and destinations.

    What was handed over is kept as an approved transfer that nobody had to decide. `reason`: to go beyond the receiver's load limit.
    """
    patient = locked(Patient, patient_id)
    requests.hold_requests_of(from_id)
    people = {number: locked(User, number) for number in sorted({from_id, to_id})}
    giver, receiver = people[from_id], people[to_id]
    check_sees(patient, actor)
    for person in (giver, receiver):
        if person.role is not Role.STUDENT or not answers_for(actor, person):
            raise NotAllowed(
                f"{person.name} is not a student of your department. Ask for a transfer; a supervisor of theirs decides."
            )
    note = handing_over.note_of(handover)
    items = handing_over.items_of([patient.id], giver)[patient.id]
    held = held_by(giver, patient)
    handing_over.carry_out(
        Hands(patient, giver, receiver, actor),
        destinations,
        reason=f"Handed over to {receiver.name}",
        beyond=reason,
    )
    requests.withdraw_transfers_of(patient, giver, reason=f"{patient.code} went to {receiver.name}", actor=actor)
    return keep(patient, giver, receiver, held, note, handing_over.written(items, destinations), actor=actor)


def keep(
    patient: Patient,
    giver: User,
    receiver: User,
    held: list[Assignment],
    note: str,
    destinations: str,
    *,
    actor: User,
) -> Request:
    """Keep a hand-over that needed no decision with its note, and tell giver and receiver."""
    at = clock.now()
    request = Request(
        kind=RequestKind.TRANSFER,
        status=RequestStatus.APPROVED,
        patient_id=patient.id,
        code=patient.code,
        clinician_id=receiver.id,
        from_id=giver.id,
        assignment_kind=held[0].kind,
        handover=note,
        destinations=destinations,
        department_id=receiver.department_id,
        asked_by_id=actor.id,
        asked_at=at,
        expires_at=at,
        decided_at=at,
    )
    db.session.add(request)
    db.session.flush()
    said = f"{actor.name} gave you {patient.name}, {patient.code}, from {giver.name}. Read the handover note."
    if receiver.id != actor.id:
        tell(receiver.id, said, kind="request.given", url=f"/patients/{patient.id}", patient_id=patient.id)
    if giver.active and giver.id != actor.id:
        tell(giver.id, f"{actor.name} handed {patient.code} over to {receiver.name}.", kind="request.taken")
    return request


def hand_over_all(
    student_id: int,
    *,
    to: Mapping[int, int | None],
    handover: str,
    notes: Mapping[int, str],
    reason: str,
    beyond: str = "",
    actor: User,
) -> list[Request]:
    """End everything a student has and give it to others, in one transaction; answers what was handed over, a transfer per patient.

    `to`: for each of the student's assignments, by id, who takes it: a student or supervisor of the department; None ends it without
    a successor, where the patient stays with a primary clinician. `handover` is the note for all, `notes` (by patient) for single ones.
    `beyond`: why a receiver may have more than their limit. Raises DomainError naming whom nobody was chosen for.
    """
    hold(student_id)
    numbers = sorted({student_id, *(number for number in to.values() if number is not None)})
    people = {number: locked(User, number) for number in numbers}
    student = people[student_id]
    if student.role is not Role.STUDENT or not answers_for(actor, student):
        raise NotAllowed(f"{student.name} is not a student of your department. A supervisor of theirs does this.")
    reason = assignments.short(reason, "Choose why the student leaves.")
    running = held_by(student)
    if not running:
        raise DomainError(f"{student.name} has no patients now. There is nothing to hand over.")
    patients = {number: db.session.get_one(Patient, number) for number in {one.patient_id for one in running}}
    of_patient: dict[int, list[Assignment]] = {}
    for one in sorted(running, key=lambda one: (patients[one.patient_id].sort_name, one.patient_id)):
        of_patient.setdefault(one.patient_id, []).append(one)
    _check_receivers(people, student, actor)
    _check_owners(of_patient, patients, to, student)
    kept = []
    for patient_id, held in of_patient.items():
        patient = patients[patient_id]
        receivers = {one.id: people[number] for one in held if (number := to.get(one.id)) is not None}
        if patient.archived_at is not None or not receivers:
            for one in held:
                assignments.end(one, patient, student, reason=reason, actor=actor)
            continue
        note = notes.get(patient_id, "").strip() or handover.strip()
        if not note:
            raise DomainError(f"Write a handover note for {patient.name}, or one for all.")
        note = handing_over.note_of(note)
        receiver = next(iter(receivers.values()))
        hands = Hands(patient, student, receiver, actor)
        items = handing_over.items_of([patient_id], student)[patient_id]
        destinations = handing_over.usual_destinations(items, receiver)
        for one in held:
            taker = receivers.get(one.id)
            if taker is not None and same_running(patient.id, taker, one.kind) is None:
                give(patient, taker, one.kind, actor=actor, beyond=beyond)
        for item in items:
            KINDS[item.kind].settle(item.id, destinations[item.key], hands)
        for one in held:
            assignments.end(one, patient, student, reason=reason, actor=actor)
        written = handing_over.written(items, destinations)
        kept.append(keep(patient, student, receiver, held, note, written, actor=actor))
    requests.close_requests_of(student, reason=reason, actor=actor)
    audit.record(
        "assignment.leave",
        f"Handed over {number_of(len(of_patient), 'patient')} of {student.name}",
        actor=actor,
        subject=student,
        reason=reason,
    )
    return kept


def hold(person_id: int) -> None:
    """Lock a person's patients and open requests, in the one order, before the person's own row is locked."""
    assignments.hold_patients_of(person_id)
    requests.hold_requests_of(person_id)


def leave_everything(person: User, *, department_id: int | None, reason: str, actor: User) -> None:
    """Somebody no longer works in their place: their assignments end, their requests and glasses are closed, supervisors are told.

    `department_id` is where they worked until now. The caller has called `hold` before locking the person.
    """
    assignments.end_all(person, department_id=department_id, reason=reason, actor=actor)
    requests.close_requests_of(person, reason=reason, actor=actor)
    close_glasses_of(person, actor=actor)


def _check_receivers(people: Mapping[int, User], student: User, actor: User) -> None:
    for person in people.values():
        if person.id == student.id:
            continue
        in_place = person.role in (Role.STUDENT, Role.SUPERVISOR) and person.department_id == actor.department_id
        if not person.active or not in_place:
            raise DomainError(f"{person.name} does not treat in your department now. Choose somebody else.")


def _check_owners(
    of_patient: Mapping[int, list[Assignment]],
    patients: Mapping[int, Patient],
    to: Mapping[int, int | None],
    student: User,
) -> None:
    """Raise DomainError naming the patients for whom nobody was chosen, or who would be without an owner."""
    others = set(
        db.session.scalars(
            select(Assignment.patient_id)
            .where(
                Assignment.patient_id.in_(of_patient),
                Assignment.user_id != student.id,
                Assignment.kind == AssignmentKind.PRIMARY,
                is_running(),
            )
            .with_for_update(read=True)
        )
    )
    forgotten = []
    for patient_id, held in of_patient.items():
        patient = patients[patient_id]
        primary = [one for one in held if one.kind is AssignmentKind.PRIMARY]
        chosen = all(one.id in to for one in held) and student.id not in [to.get(one.id) for one in held]
        owned = patient_id in others or not primary or any(to.get(one.id) is not None for one in primary)
        anybody = patient_id in others or any(to.get(one.id) is not None for one in held)
        if patient.archived_at is None and not (chosen and owned and anybody):
            forgotten.append(patient.name)
    if forgotten:
        raise DomainError(f"Nobody may be left without an owner. Choose who takes {', '.join(forgotten)}.")
