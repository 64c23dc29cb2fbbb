"""Moves of the live queue.

A move closes the present entry and opens the next at the same instant. Every operation locks the entry first, then what it needs
beside it (visit, chair): one order, so that two people seldom wait for each other, and never for long.
`version` is that of the entry the person looked at; when the entry has changed since, the move is refused with who, what and when.
"""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from clinic import acts, audit, clock, live, settings
from clinic.acts import Act, Outcome
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import clock_time, day
from clinic.models import (
    FINAL_STAGES,
    AuditEvent,
    Chair,
    Department,
    GateKind,
    Patient,
    Priority,
    QueueEntry,
    Role,
    Stage,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations import calls, chart_versions, gate_rules
from clinic.operations.counters import next_number
from clinic.operations.locks import locked
from clinic.operations.nudges import nudge_visit
from clinic.queries import scope
from clinic.text import one_line

IN_WORDS = {
    Stage.WAITING: "waiting",
    Stage.CALLED: "called",
    Stage.IN_CHAIR: "in the chair",
    Stage.IN_TREATMENT: "in treatment",
    Stage.AWAITING_SUPERVISOR: "waiting for the supervisor",
    Stage.AWAITING_DISMISSAL: "waiting to be dismissed",
    Stage.CHECKOUT: "at checkout",
    Stage.DONE: "finished",
    Stage.LEFT: "gone without being seen",
    Stage.TRANSFERRED: "transferred",
}
# What a move carries on to the next entry.
CARRIED = (
    "visit_id",
    "patient_id",
    "department_id",
    "queued_at",
    "chair_id",
    "priority",
    "priority_reason",
    "weight",
    "weight_reason",
    "weight_by_id",
    "calls",
    "last_called_at",
)
NO_PIN: dict[str, Any] = {"weight": 0, "weight_reason": None, "weight_by_id": None}


def call_to_chair(entry_id: int, *, version: int, chair_id: int, actor: User) -> QueueEntry:
    """Call a waiting patient to a free chair of the department."""
    entry = _locked(entry_id, version=version, act=Act.CALL, actor=actor)
    chair = _free_chair(chair_id, entry)
    at = _now(entry)
    said = f"{_name(entry)} was called to chair {chair.name}"
    called = _next(entry, Stage.CALLED, at=at, actor=actor, chair_id=chair.id, calls=entry.calls + 1, last_called_at=at)
    return _told("queue.call", said, entry, called, actor)


def call_again(entry_id: int, *, version: int, actor: User) -> QueueEntry:
    """Call once more; the stage and its time go on."""
    entry = _locked(entry_id, version=version, act=Act.CALL_AGAIN, actor=actor)
    entry.calls += 1
    entry.last_called_at = _now(entry)
    return _told("queue.call_again", f"{_name(entry)} was called again", entry, entry, actor)


def put_back(entry_id: int, *, version: int, actor: User) -> QueueEntry:
    """A called patient did not come: back in line at the end of it, the calls still counted."""
    entry = _locked(entry_id, version=version, act=Act.PUT_BACK, actor=actor)
    at = _now(entry)
    changes = NO_PIN | {"chair_id": None, "queued_at": at, "note": "Did not come when called"}
    waiting = _next(entry, Stage.WAITING, at=at, actor=actor, **changes)
    return _told("queue.put_back", f"{_name(entry)} did not come and was put back in line", entry, waiting, actor)


def move(entry_id: int, *, to: Stage, version: int, actor: User, note: str | None = None) -> QueueEntry:
    """Every move that needs nothing but the stage to go to. `checkout` frees the chair; `done` completes the visit."""
    entry = _locked(entry_id, version=version, act=None, actor=actor)
    act = acts.plain_move(entry.stage, to)
    if act is None:
        raise DomainError(f"{_name(entry)} is {IN_WORDS[entry.stage]}; from there nobody goes to “{IN_WORDS[to]}”.")
    _check_role(act, actor)
    if act is Act.START_TREATMENT:
        gate_rules.check_may_begin(locked(Visit, entry.visit_id, shared=True))
    elif act is Act.DISMISS:
        gate_rules.check_may_leave(locked(Visit, entry.visit_id, shared=True))
    at = _now(entry)
    changes: dict[str, Any] = {"note": note}
    if to in (Stage.CHECKOUT, Stage.DONE):
        changes["chair_id"] = None
    if calls.ends_with(entry.stage, to):
        calls.end_calls_of(entry.visit_id, actor=actor)
    moved = _next(entry, to, at=at, actor=actor, **changes)
    if to is Stage.DONE:
        _complete(entry, at=at, outcome=note or "Finished", actor=actor)
    return _told("queue.move", f"{_name(entry)} was moved to “{IN_WORDS[to]}”", entry, moved, actor, reason=note)


def change_chair(entry_id: int, *, version: int, chair_id: int, actor: User) -> QueueEntry:
    """Another chair in the same stage; the stage's time goes on."""
    entry = _locked(entry_id, version=version, act=Act.CHANGE_CHAIR, actor=actor)
    if entry.chair_id == chair_id:
        return entry
    former = db.session.get_one(Chair, entry.chair_id) if entry.chair_id else None
    chair = _free_chair(chair_id, entry)
    _rewrite(entry, chair_id=chair.id)
    said = f"{_name(entry)} was moved to chair {chair.name}"
    before = {"chair": former.name if former else None}
    return _told("queue.change_chair", said, entry, entry, actor, before=before, after={"chair": chair.name})


def leave_unseen(entry_id: int, *, version: int, reason: str, actor: User) -> QueueEntry:
    """The patient left before treatment; the visit ends with that outcome."""
    entry = _locked(entry_id, version=version, act=Act.LEAVE, actor=actor)
    reason = _reason(reason)
    at = _now(entry)
    calls.end_calls_of(entry.visit_id, actor=actor)
    gate_rules.end_pending(entry.visit_id, list(GateKind), reason="the patient left", actor=actor)
    left = _next(entry, Stage.LEFT, at=at, actor=actor, chair_id=None, note=reason)
    _complete(entry, at=at, outcome=f"Left without being seen: {reason}", actor=actor)
    said = f"{_name(entry)} was marked as gone without being seen"
    return _told("queue.leave", said, entry, left, actor, reason=reason)


def transfer(entry_id: int, *, version: int, department_id: int, reason: str, actor: User) -> QueueEntry:
    """To the line of another department, with a new ticket. The wait counts on: `queued_at` is kept, calls begin again."""
    entry = _locked(entry_id, version=version, act=Act.TRANSFER, actor=actor)
    reason = _reason(reason)
    target = db.session.get(Department, department_id)
    if target is None or not target.active:
        raise DomainError("This department takes no patients. Choose another.")
    if target.id == entry.department_id:
        raise DomainError(f"{_name(entry)} is already in {target.name}.")
    visit = locked(Visit, entry.visit_id)
    at = _now(entry)
    calls.end_calls_of(entry.visit_id, actor=actor)
    gate_rules.end_pending(entry.visit_id, list(GateKind), reason="the patient was transferred", actor=actor)
    gone = _next(entry, Stage.TRANSFERRED, at=at, actor=actor, chair_id=None, note=reason, former_ticket=visit.ticket)
    visit.department_id = target.id
    visit.ticket = next_ticket(target, at)
    changes = NO_PIN | {"department_id": target.id, "calls": 0, "last_called_at": None, "note": reason}
    waiting = _next(gone, Stage.WAITING, at=at, actor=actor, **changes)
    said = f"{_name(entry)} was transferred to {target.name} with ticket {visit.ticket}"
    return _told("queue.transfer", said, entry, waiting, actor, reason=reason)


def set_priority(entry_id: int, *, version: int, priority: int, reason: str, actor: User) -> QueueEntry:
    """Priority with a reason; only while waiting, where it has a meaning."""
    entry = _locked(entry_id, version=version, act=Act.SET_PRIORITY, actor=actor)
    chosen, before = Priority(priority), Priority(entry.priority)
    entry.priority_reason = _reason(reason)
    entry.priority = chosen
    said = f"{_name(entry)} was given priority “{chosen.name.lower()}”"
    changed = {"before": {"priority": before.name}, "after": {"priority": chosen.name}}
    return _told("queue.priority", said, entry, entry, actor, reason=reason, **changed)


def set_place(entry_id: int, *, version: int, first: bool | None, reason: str, actor: User) -> QueueEntry:
    """Move a waiting patient by hand to the head (`first`) or the end of the line; None takes the pin away again."""
    entry = _locked(entry_id, version=version, act=Act.SET_PLACE, actor=actor)
    reason = _reason(reason) if first is not None else reason
    weights = db.session.execute(
        select(func.max(QueueEntry.weight), func.min(QueueEntry.weight)).where(
            QueueEntry.department_id == entry.department_id,
            QueueEntry.ended_at.is_(None),
            QueueEntry.stage == Stage.WAITING,
        )
    ).one()
    before = entry.weight
    if first is None:
        entry.weight, entry.weight_reason, entry.weight_by_id = 0, None, None
    else:
        entry.weight = max(weights[0] or 0, 0) + 1 if first else min(weights[1] or 0, 0) - 1
        entry.weight_reason, entry.weight_by_id = reason, actor.id
    where = (
        "back to the usual place" if first is None else "to the head of the line" if first else "to the end of the line"
    )
    changed = {"before": {"weight": before}, "after": {"weight": entry.weight}}
    return _told("queue.place", f"{_name(entry)} was moved {where}", entry, entry, actor, reason=reason, **changed)


def undo_last_move(entry_id: int, *, version: int, actor: User) -> QueueEntry:
    """Take back the move that opened this entry (or wrote it, if final): void it and open the former one again.

    Only the last move, within `undo_minutes`, by the same person or a nurse. Undoing a check-in puts the visit back to scheduled
    (a walk-in is cancelled) and answers the voided entry; otherwise the entry that is open again. Calls for a supervisor that the
    move ended stay ended.
    """
    entry = locked(QueueEntry, entry_id)
    _check_reach(entry, actor)
    if entry.version != version or entry.voided_at or not (entry.is_open or entry.stage in (Stage.DONE, Stage.LEFT)):
        raise Conflict(_what_happened(entry))
    at = _now(entry)
    _check_undo(entry, at=at, actor=actor)
    visit = locked(Visit, entry.visit_id)
    former = locked(QueueEntry, entry.previous_id) if entry.previous_id else None
    transferred = former if former is not None and former.stage is Stage.TRANSFERRED else None
    if transferred is not None:
        assert transferred.previous_id is not None
        former = locked(QueueEntry, transferred.previous_id)
    if former is not None:
        _check_still_free(former, besides=entry)
    for voided in filter(None, (entry, transferred)):
        voided.ended_at = voided.ended_at or at
        voided.voided_at = at
    db.session.flush()
    if calls.ends_with(entry.stage, former.stage if former else None):
        calls.end_calls_of(entry.visit_id, actor=actor)
    if former is None or former.stage not in calls.SERVED:
        gate_rules.end_pending(entry.visit_id, list(GateKind), reason="the patient is not in a chair", actor=actor)
    if former is None:
        _undo_arrival(visit)
    else:
        _rewrite(former, ended_at=None)
        visit.status, visit.completed_at, visit.outcome = VisitStatus.ARRIVED, None, None
        visit.department_id = former.department_id
        if transferred is not None:
            visit.ticket = transferred.former_ticket
    back = f"; now {IN_WORDS[former.stage]}" if former else ""
    said = f"The move of {_name(entry)} to “{IN_WORDS[entry.stage]}” was undone{back}"
    return _told("queue.undo", said, entry, former or entry, actor)


def close_day(department: Department, *, outcomes: dict[int, Outcome], actor: User) -> list[QueueEntry]:
    """Give each patient who is still in the department's queue an outcome; answers their entries as they are now.

    Nobody may be forgotten: an open entry without an outcome, or an outcome for an entry that has moved, refuses the whole.
    """
    if actor.role not in (Role.RECEPTIONIST, Role.NURSE):
        raise NotAllowed("The front desk or a nurse closes the day.")
    still_open = (
        db.session.execute(
            select(QueueEntry)
            .where(
                QueueEntry.ended_at.is_(None),
                or_(QueueEntry.department_id == department.id, QueueEntry.id.in_(outcomes)),
            )
            .order_by(QueueEntry.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        .scalars()
        .all()
    )
    moved = sorted(set(outcomes) - {entry.id for entry in still_open if entry.department_id == department.id})
    if moved:
        raise Conflict(_what_happened(locked(QueueEntry, moved[0])))
    forgotten = [_name(entry) for entry in still_open if entry.id not in outcomes]
    if forgotten:
        raise DomainError(f"Still in the queue and without an outcome: {', '.join(forgotten)}.")
    return [_closed_with(entry, Outcome(outcomes[entry.id]), actor) for entry in still_open]


def begin_waiting(visit: Visit, *, priority: int, priority_reason: str | None, at: datetime, actor: User) -> QueueEntry:
    """Open the first entry of an arrived visit. Raises DomainError, saying where, when the patient is already in a queue."""
    values = {
        "visit_id": visit.id,
        "patient_id": visit.patient_id,
        "department_id": visit.department_id,
        "stage": Stage.WAITING,
        "started_at": at,
        "queued_at": at,
        "priority": priority,
        "priority_reason": priority_reason,
        "moved_by_id": actor.id,
    }
    return _insert(values)


def refuse_if_in_queue(patient: Patient) -> None:
    """Raise DomainError, saying where, when the patient has an open entry anywhere."""
    held = db.session.execute(select(QueueEntry).where(QueueEntry.open_patient_id == patient.id)).scalar_one_or_none()
    if held is not None:
        raise DomainError(_where_now(held))


def next_ticket(department: Department, at: datetime) -> str:
    """The next ticket of the department's clinic day: A-014."""
    today = clock.local(at).date()
    return f"{department.letter}-{next_number(f'ticket:{department.id}:{today.isoformat()}'):03d}"


# --- locks and checks -------------------------------------------------------------------------------------------------


def _locked(entry_id: int, *, version: int, act: Act | None, actor: User) -> QueueEntry:
    entry = locked(QueueEntry, entry_id)
    _check_reach(entry, actor)
    if act is not None:
        _check_role(act, actor)
    if entry.version != version or not entry.is_open:
        raise Conflict(_what_happened(entry))
    if act is not None and entry.stage not in acts.FROM[act]:
        raise DomainError(f"{_name(entry)} is {IN_WORDS[entry.stage]}; “{act.label}” is not possible from there.")
    return entry


def _check_reach(entry: QueueEntry, actor: User) -> None:
    if actor.role in (Role.RECEPTIONIST, Role.NURSE):
        return
    within = select(QueueEntry.id).join(Visit).where(QueueEntry.id == entry.id, scope.may_move(actor))
    if db.session.execute(within).first() is None:
        raise NotAllowed("This patient is not in your care. The front desk or a nurse can move anyone.")


def _check_role(act: Act, actor: User) -> None:
    if actor.role not in acts.BY[act]:
        others = " or ".join(sorted(role.value for role in acts.BY[act]))
        raise NotAllowed(f"“{act.label}” is not part of your role. Ask a {others}.")


def _check_undo(entry: QueueEntry, *, at: datetime, actor: User) -> None:
    if entry.moved_by_id != actor.id and actor.role is not acts.UNDOES_FOR_OTHERS:
        by = db.session.get_one(User, entry.moved_by_id).name
        raise DomainError(f"{by} did this. {by} or a nurse can undo it.")
    minutes = settings.read("undo_minutes")
    if at - entry.started_at > timedelta(minutes=minutes):
        raise DomainError(
            f"This was done more than {minutes} minutes ago and can no longer be undone. Move on from here."
        )


def _check_still_free(former: QueueEntry, *, besides: QueueEntry) -> None:
    """Raise DomainError when the patient or the chair of the entry to be opened again has been taken meanwhile."""
    held = db.session.execute(
        select(QueueEntry).where(QueueEntry.open_patient_id == former.patient_id, QueueEntry.id != besides.id)
    ).scalar_one_or_none()
    if held is not None:
        raise DomainError(_where_now(held))
    if former.chair_id is not None and former.chair_id != (besides.chair_id if besides.is_open else None):
        _free_chair(former.chair_id, former)


def _free_chair(chair_id: int, entry: QueueEntry) -> Chair:
    """The chair, locked; raises DomainError unless it is in service, in the entry's department, and holds nobody."""
    known = db.session.get(Chair, chair_id)
    if known is None or known.department_id != entry.department_id:
        raise DomainError("Choose a chair of the department in whose queue the patient is.")
    chair = locked(Chair, chair_id)
    if chair.retired_at is not None:
        raise DomainError(f"Chair {chair.name} is no longer used. Choose another.")
    if chair.out_of_service:
        raise DomainError(f"Chair {chair.name} is out of service: {chair.out_of_service}. Choose another.")
    held = db.session.execute(select(QueueEntry).where(QueueEntry.open_chair_id == chair.id)).scalar_one_or_none()
    if held is not None:
        raise Conflict(_chair_taken(chair, held))
    return chair


# --- changes ----------------------------------------------------------------------------------------------------------


def _now(entry: QueueEntry) -> datetime:
    """This instant, never before the entry began: two servers' clocks may differ."""
    return max(clock.now(), entry.started_at)


def _next(entry: QueueEntry, stage: Stage, *, at: datetime, actor: User, **changes: Any) -> QueueEntry:
    """Close the entry and open the next at the same instant; a final stage is closed at its own start."""
    if entry.is_open:
        entry.ended_at = at
        db.session.flush()
    values = {name: getattr(entry, name) for name in CARRIED} | {
        "stage": stage,
        "started_at": at,
        "ended_at": at if stage in FINAL_STAGES else None,
        "previous_id": entry.id,
        "moved_by_id": actor.id,
    }
    return _insert(values | changes)


def _insert(values: dict[str, Any]) -> QueueEntry:
    # Not by the unit of work: after its failure the session could no longer say who was faster.
    added = insert(QueueEntry.__table__).values(version=1, **values)  # type: ignore[arg-type]
    try:
        key = cast(CursorResult[Any], db.session.execute(added)).inserted_primary_key
    except IntegrityError as error:
        raise _taken(error, patient_id=values["patient_id"], chair_id=values.get("chair_id")) from error
    assert key is not None
    return db.session.get_one(QueueEntry, key[0], populate_existing=True)


def _rewrite(entry: QueueEntry, **values: Any) -> None:
    """Change what the database's unique keys watch."""
    db.session.flush()
    table = QueueEntry.__table__
    try:
        db.session.execute(
            update(table).where(table.c.id == entry.id).values(version=table.c.version + 1, **values)  # type: ignore[arg-type]
        )
    except IntegrityError as error:
        chair_id = values.get("chair_id", entry.chair_id)
        raise _taken(error, patient_id=entry.patient_id, chair_id=chair_id) from error
    db.session.refresh(entry)


def _complete(entry: QueueEntry, *, at: datetime, outcome: str, actor: User) -> None:
    """The visit ends; of what was charted in it a version is cut."""
    visit = locked(Visit, entry.visit_id)
    visit.status, visit.completed_at, visit.outcome = VisitStatus.COMPLETED, at, outcome[:200]
    gate_rules.end_pending(visit.id, [GateKind.START], reason="the visit is over", actor=actor)
    chart_versions.cut_at_visit(visit, actor=actor)


def _undo_arrival(visit: Visit) -> None:
    """The visit as it was before it arrived; its ticket is given up. A walk-in would not have been there at all."""
    if visit.walk_in:
        visit.status, visit.outcome = VisitStatus.CANCELLED, "Added by mistake"
    else:
        visit.status, visit.arrived_at, visit.ticket = VisitStatus.SCHEDULED, None, None


def _closed_with(entry: QueueEntry, outcome: Outcome, actor: User) -> QueueEntry:
    if outcome not in acts.outcomes_for(entry.stage):
        raise DomainError(f"{_name(entry)} is {IN_WORDS[entry.stage]}; “{outcome.label}” does not fit. Choose another.")
    at = _now(entry)
    said = f"Closing the day: {_name(entry)}: {outcome.label.lower()}"
    if outcome is Outcome.CARRY_OVER:
        entry.note = f"Carried over from {day(at)}"
        return _told("queue.carry_over", said, entry, entry, actor)
    calls.end_calls_of(entry.visit_id, actor=actor)
    stage = Stage.LEFT if outcome is Outcome.LEFT else Stage.DONE
    note = f"Day closed: {outcome.label.lower()}"
    if stage is Stage.DONE and (missing := gate_rules.missing_of(locked(Visit, entry.visit_id))):
        note, said = f"{note}, {missing}", f"{said}, {missing}"
    closed = _next(entry, stage, at=at, actor=actor, chair_id=None, note=note)
    _complete(entry, at=at, outcome=outcome.label, actor=actor)
    return _told("queue.close_day", said, entry, closed, actor)


def _told(act: str, said: str, entry: QueueEntry, now: QueueEntry, actor: User, **details: Any) -> QueueEntry:
    """Write the trace, tell the screens, send it to the database; answers the entry as it is now."""
    audit.record(act, said, actor=actor, subject=entry, patient=entry.patient_id, **details)
    live.nudge(f"queue:{entry.department_id}")  # from which it may have been transferred
    nudge_visit(db.session.get_one(Visit, now.visit_id))
    db.session.flush()
    return now


# --- sentences --------------------------------------------------------------------------------------------------------


def _name(entry: QueueEntry) -> str:
    return db.session.get_one(Patient, entry.patient_id).name


def _reason(text: str) -> str:
    reason = one_line(text)
    if not 3 <= len(reason) <= 200:
        raise DomainError("Say why, in 3 to 200 characters.")
    return reason


def _what_happened(entry: QueueEntry) -> str:
    """Who did what, and when: the last act on this patient in the queue, as its own trace tells it."""
    # No locking read: the application's account has no right to lock events, and each statement sees what has committed by then.
    last = db.session.execute(
        select(AuditEvent)
        .where(AuditEvent.patient_id == entry.patient_id, AuditEvent.act.like("queue.%"))
        .order_by(AuditEvent.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    if last is None:
        return f"{_name(entry)} is {IN_WORDS[entry.stage]} by now. Reload to see how it stands."
    return f"{last.sentence}{_by(last.actor_id)} at {clock_time(last.at)}."


def _where_now(held: QueueEntry) -> str:
    department = db.session.get_one(Department, held.department_id).name
    ticket = locked(Visit, held.visit_id, shared=True).ticket
    return (
        f"{_name(held)} is already in the queue: {IN_WORDS[held.stage]} in {department} with ticket {ticket}, "
        f"moved there{_by(held.moved_by_id)} at {clock_time(held.started_at)}."
    )


def _chair_taken(chair: Chair, held: QueueEntry) -> str:
    taken = f"Chair {chair.name} was taken for {_name(held)}{_by(held.moved_by_id)} at {clock_time(held.started_at)}."
    return f"{taken} Choose another."


def _by(user_id: int | None) -> str:
    person = db.session.get(User, user_id) if user_id else None
    return f" by {person.name}" if person else ""


def _taken(error: IntegrityError, *, patient_id: int, chair_id: int | None) -> DomainError | IntegrityError:
    """The refusal behind a unique key: somebody was faster by less than a transaction."""
    text = str(error.orig)
    if "open_chair" in text:
        held = _holding(QueueEntry.open_chair_id == chair_id)
        return Conflict(_chair_taken(db.session.get_one(Chair, chair_id), held)) if held else error
    if "open_patient" in text:
        held = _holding(QueueEntry.open_patient_id == patient_id)
        return DomainError(_where_now(held)) if held else error
    return error


def _holding(condition: Any) -> QueueEntry | None:
    return db.session.execute(
        select(QueueEntry).where(condition).with_for_update(read=True).execution_options(populate_existing=True)
    ).scalar_one_or_none()
