"""Handing a patient over: what hangs on the giver's assignment, where each of it goes, and the act itself.

What hangs on it is a registry. A later feature (plans, notes, balances) adds a `Kind` to `KINDS` and needs no screen of its own.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from clinic.errors import DomainError
from clinic.extensions import db
from clinic.formatting import when, words
from clinic.models import (
    EXPECTED,
    RUNNING,
    Booking,
    Case,
    ChartVersion,
    Patient,
    Role,
    SignOff,
    SignOffStatus,
    SupervisorCall,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations import calls, sign_off, visits
from clinic.operations.assignments import end, give, held_by, same_running, short
from clinic.operations.locks import locked
from clinic.text import one_line

RECEIVER = "receiver"
NOTE_LENGTH = 5000


@dataclass(frozen=True)
class Choice:
    """One destination of an item: its value and its words."""

    to: str
    label: str
    needs_reason: bool = False


@dataclass(frozen=True)
class Item:
    """Something that hangs on an assignment. `key` is `kind:id`."""

    key: str
    sentence: str
    choices: tuple[Choice, ...]

    @property
    def field(self) -> str:
        """What its fields in a form end with."""
        return self.key.replace(":", "-")

    @property
    def kind(self) -> str:
        return self.key.partition(":")[0]

    @property
    def id(self) -> int:
        return int(self.key.partition(":")[2])

    def choice(self, to: str) -> Choice | None:
        return next((choice for choice in self.choices if choice.to == to), None)


@dataclass(frozen=True)
class Destination:
    to: str
    reason: str = ""


@dataclass(frozen=True)
class Hands:
    """Who gives and who receives a patient, and who does it."""

    patient: Patient
    giver: User
    receiver: User
    actor: User


@dataclass(frozen=True)
class Kind:
    """A kind of thing that hangs on an assignment.

    `items(patient_ids, giver)` lists them by patient, in a constant number of queries; `settle(id, destination, hands)` brings one to
    its destination; `usual(ids, receiver)` says where each goes when nobody chooses (graduation).
    """

    items: Callable[[Collection[int], User], dict[int, list[Item]]]
    settle: Callable[[int, Destination, Hands], None]
    usual: Callable[[Collection[int], User], dict[int, str]]


def items_of(patient_ids: Collection[int], giver: User) -> dict[int, list[Item]]:
    """Everything that hangs on the giver's assignments to these patients, by patient."""
    found: dict[int, list[Item]] = {patient_id: [] for patient_id in patient_ids}
    if found:
        for kind in KINDS.values():
            for patient_id, items in kind.items(patient_ids, giver).items():
                found[patient_id] += items
    return found


def usual_destinations(items: Collection[Item], receiver: User) -> dict[str, Destination]:
    """Where each item goes when nobody chooses."""
    usual: dict[str, Destination] = {}
    for name, kind in KINDS.items():
        ids = [item.id for item in items if item.kind == name]
        usual |= {f"{name}:{number}": Destination(to) for number, to in kind.usual(ids, receiver).items()}
    return usual


def check_destinations(items: Collection[Item], destinations: Mapping[str, Destination]) -> None:
    """Raise DomainError naming what has no destination, or one that it cannot have."""
    forgotten = [item.sentence for item in items if item.key not in destinations]
    if forgotten:
        raise DomainError(f"Say what becomes of each. Without a destination: {'; '.join(forgotten)}.")
    for item in items:
        destination = destinations[item.key]
        choice = item.choice(destination.to)
        if choice is None:
            raise DomainError(f"Choose again what becomes of this: {item.sentence}.")
        if choice.needs_reason:
            short(destination.reason, f"Write why this stays: {item.sentence}.")


def written(items: Collection[Item], destinations: Mapping[str, Destination]) -> str:
    """Destinations as they are kept: JSON, each with the words that were shown."""
    kept = {}
    for item in items:
        destination = destinations[item.key]
        choice = item.choice(destination.to)
        kept[item.key] = {
            "what": item.sentence,
            "to": destination.to,
            "words": choice.label if choice else "",
            "reason": one_line(destination.reason),
        }
    return json.dumps(kept, ensure_ascii=False)


def read(text: str) -> dict[str, Destination]:
    """Destinations from how they are kept."""
    return {key: Destination(kept["to"], kept["reason"]) for key, kept in json.loads(text).items()}


def note_of(text: str) -> str:
    """A handover note; raises DomainError when there is none."""
    note = text.strip()
    if not note:
        raise DomainError("Write a handover note: what was done, what comes next, what to watch out for.")
    if len(note) > NOTE_LENGTH:
        raise DomainError(f"At most {NOTE_LENGTH} characters in a handover note.")
    return note


def carry_out(hands: Hands, destinations: Mapping[str, Destination], *, reason: str, beyond: str = "") -> None:
    """The receiver gets what the giver has of the patient, everything goes to its destination, and the giver's assignments end.

    Patient, giver and receiver are locked by the caller. Raises DomainError when the giver no longer has the patient, when something
    came up that has no destination, or when the receiver cannot take the patient.
    """
    patient, giver, receiver, actor = hands.patient, hands.giver, hands.receiver, hands.actor
    held = held_by(giver, patient)
    if not held:
        raise DomainError(f"{giver.name} does not have {patient.name} any more. There is nothing to hand over.")
    if receiver.id == giver.id:
        raise DomainError("Choose somebody else to hand the patient over to.")
    items = items_of([patient.id], giver)[patient.id]
    check_destinations(items, destinations)
    for assignment in held:
        if same_running(patient.id, receiver, assignment.kind) is None:
            give(patient, receiver, assignment.kind, actor=actor, beyond=beyond)
    for item in items:
        KINDS[item.kind].settle(item.id, destinations[item.key], hands)
    for assignment in held:
        end(assignment, patient, giver, reason=reason, actor=actor)


# --- what hangs on an assignment --------------------------------------------------------------------------------------

TO_RECEIVER = Choice(RECEIVER, "Goes to the receiver")
NOBODY_YET = Choice("open", "No student for now; the front desk finds one")
CANCEL = Choice("cancel", "Ask the front desk to cancel it")
STAYS = Choice("stays", "Stays as it is", needs_reason=True)
CASE_STAYS = Choice("stays", "Stays; a supervisor passes it on to a student, or closes it")
END = Choice("end", "Is taken back")
FOLLOWS = Choice(RECEIVER, "The receiver takes care of it")


def _visits(patient_ids: Collection[int], giver: User) -> dict[int, list[Item]]:
    found: dict[int, list[Item]] = {}
    rows = db.session.scalars(
        select(Visit)
        .where(
            Visit.patient_id.in_(patient_ids),
            Visit.student_id == giver.id,
            Visit.status.in_(EXPECTED),
        )
        .options(joinedload(Visit.department))
        .order_by(Visit.starts_at, Visit.id)
        .limit(2000)
    )
    for visit in rows:
        here = visit.status is VisitStatus.ARRIVED
        sentence = (
            f"In the clinic now, ticket {visit.ticket}, {visit.department.name}"
            if here
            else f"Visit on {when(visit.starts_at)}, {visit.department.name}, {words(visit.status)}"
        )
        can_cancel = visit.status is VisitStatus.SCHEDULED
        choices = (TO_RECEIVER, NOBODY_YET, *((CANCEL,) if can_cancel else ()), STAYS)
        found.setdefault(visit.patient_id, []).append(Item(f"visit:{visit.id}", sentence, choices))
    return found


def _settle_visit(visit_id: int, destination: Destination, hands: Hands) -> None:
    visit = db.session.get_one(Visit, visit_id)
    if destination.to in (RECEIVER, NOBODY_YET.to):
        receiver = hands.receiver if destination.to == RECEIVER else None
        visits.change_student(visit, to=receiver, actor=hands.actor)
    elif destination.to == CANCEL.to:
        reason = f"{hands.giver.name} handed the patient over"
        to = VisitStatus.CANCEL_REQUESTED
        visits.move_visit(visit, to=to, version=visit.version, actor=hands.actor, reason=reason)


def _usual_visits(ids: Collection[int], receiver: User) -> dict[int, str]:
    """To the receiver when they are free at that time; else nobody for now. Two queries."""
    if not ids or receiver.role is not Role.STUDENT:
        return dict.fromkeys(ids, RECEIVER)
    planned = db.session.scalars(select(Visit).where(Visit.id.in_(ids))).all()
    slots = {visit.id: visits.slots_of(visit) for visit in planned}
    every = {slot for times in slots.values() for slot in times}
    taken = set(
        db.session.scalars(
            select(Booking.slot).where(Booking.resource == f"student:{receiver.id}", Booking.slot.in_(every))
        )
    )
    usual: dict[int, str] = {}
    for visit in sorted(planned, key=lambda visit: visit.id):
        usual[visit.id] = NOBODY_YET.to if taken & set(slots[visit.id]) else RECEIVER
        if usual[visit.id] == RECEIVER:
            taken |= set(slots[visit.id])
    return usual


def _calls(patient_ids: Collection[int], giver: User) -> dict[int, list[Item]]:
    found: dict[int, list[Item]] = {}
    rows = db.session.scalars(
        select(SupervisorCall)
        .where(
            SupervisorCall.patient_id.in_(patient_ids),
            SupervisorCall.student_id == giver.id,
            SupervisorCall.ended_at.is_(None),
        )
        .order_by(SupervisorCall.id)
        .limit(500)
    )
    for call in rows:
        sentence = f"Open call for a supervisor: {words(call.reason)}"
        found.setdefault(call.patient_id, []).append(Item(f"call:{call.id}", sentence, (TO_RECEIVER, END)))
    return found


def _settle_call(call_id: int, destination: Destination, hands: Hands) -> None:
    call = locked(SupervisorCall, call_id)
    if call.ended_at is not None:
        return  # the visit's own destination ended it
    if destination.to == RECEIVER and hands.receiver.role is Role.STUDENT:
        call.student_id = hands.receiver.id
        db.session.flush()
    else:
        calls.end_calls_of(call.visit_id, actor=hands.actor)


def _sign_offs(patient_ids: Collection[int], giver: User) -> dict[int, list[Item]]:
    found: dict[int, list[Item]] = {}
    rows = db.session.execute(
        select(SignOff, ChartVersion.number)
        .join(ChartVersion, ChartVersion.id == SignOff.chart_version_id)
        .where(
            SignOff.patient_id.in_(patient_ids),
            SignOff.asked_by_id == giver.id,
            SignOff.status == SignOffStatus.PENDING,
        )
        .order_by(SignOff.id)
        .limit(500)
    )
    for waiting, number in rows:
        sentence = f"Version {number} of the chart waits for approval"
        found.setdefault(waiting.patient_id, []).append(Item(f"sign_off:{waiting.id}", sentence, (FOLLOWS, END, STAYS)))
    return found


def _settle_sign_off(sign_off_id: int, destination: Destination, hands: Hands) -> None:
    waiting = db.session.get_one(SignOff, sign_off_id)
    if destination.to == FOLLOWS.to:
        sign_off.follow(waiting, hands.receiver, actor=hands.actor)
    elif destination.to == END.to:
        sign_off.take_back(waiting, reason=f"{hands.giver.name} handed the patient over", actor=hands.actor)


def _cases(patient_ids: Collection[int], giver: User) -> dict[int, list[Item]]:
    """They are listed, and nothing more: a case moves on by an act of its own (operations/cases.py)."""
    found: dict[int, list[Item]] = {}
    running = select(Case).where(
        Case.patient_id.in_(patient_ids), Case.student_id == giver.id, Case.status.in_(RUNNING)
    )
    for case in db.session.scalars(running.order_by(Case.id).limit(2000)):
        sentence = f"The case “{case.title}”, {words(case.status)}"
        found.setdefault(case.patient_id, []).append(Item(f"case:{case.id}", sentence, (CASE_STAYS,)))
    return found


KINDS: dict[str, Kind] = {
    "visit": Kind(_visits, _settle_visit, _usual_visits),
    "call": Kind(_calls, _settle_call, lambda ids, receiver: dict.fromkeys(ids, END.to)),
    "case": Kind(_cases, lambda _id, _to, _hands: None, lambda ids, receiver: dict.fromkeys(ids, CASE_STAYS.to)),
    "sign_off": Kind(_sign_offs, _settle_sign_off, lambda ids, receiver: dict.fromkeys(ids, FOLLOWS.to)),
}
