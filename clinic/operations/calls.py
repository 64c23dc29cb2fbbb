"""A student's call for a supervisor: open, answer, pass on, end, take back.

Locks are taken in one order, the queue entry before its call, so that a call and a move of the same patient cannot deadlock.
"""

from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from clinic import audit, clock, live
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import clock_time, words
from clinic.models import CallReason, QueueEntry, Role, Stage, SupervisorCall, User
from clinic.operations import queue

# From which stages one may call for what. Only a call out of treatment moves the patient (to awaiting the supervisor).
CALL_STAGES: dict[CallReason, frozenset[Stage]] = {
    CallReason.EMERGENCY: frozenset(
        {Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR, Stage.AWAITING_DISMISSAL}
    ),
    CallReason.START_CHECK: frozenset({Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR}),
    CallReason.STEP_CHECK: frozenset({Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR}),
    CallReason.HELP: frozenset(
        {Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR, Stage.AWAITING_DISMISSAL}
    ),
    CallReason.SIGN_OFF: frozenset({Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR, Stage.AWAITING_DISMISSAL}),
}
SERVED = frozenset().union(*CALL_STAGES.values())
COMING_MINUTES = (1, 3, 5, 10)


def call_supervisor(entry_id: int, *, version: int, reason: CallReason, note: str = "", actor: User) -> SupervisorCall:
    """Call a supervisor to the chair of an entry in service. A patient in treatment then awaits the supervisor.

    One call is open per visit. An emergency raises the call that is open already instead of waiting behind it, and is never refused
    because the patient was moved since the card was drawn: it is called from where the patient is now.
    """
    entry = _locked_entry(entry_id)
    if reason is CallReason.EMERGENCY:
        entry = _open_entry(QueueEntry.visit_id == entry.visit_id) or entry
        version = entry.version
    standing = _open_call(entry.visit_id)
    if standing is not None:
        if reason is CallReason.EMERGENCY and standing.reason is not CallReason.EMERGENCY:
            return _raise_to_emergency(standing, entry, note=note, actor=actor)
        raise Conflict(f"{_how_it_stands(standing)} Take that call back before you call for something else.")
    _check_may_call(entry, reason, version)
    place = _place(entry)
    call = _insert(
        visit_id=entry.visit_id,
        patient_id=entry.patient_id,
        department_id=entry.department_id,
        student_id=actor.id,
        reason=reason,
        note=note.strip(),
        created_at=clock.now(),
    )
    if entry.stage is Stage.IN_TREATMENT:
        queue.move(entry.id, to=Stage.AWAITING_SUPERVISOR, version=entry.version, actor=actor)
    audit.record(
        "call.open",
        f"{actor.name} called a supervisor to {place}: {words(reason)}",
        actor=actor,
        subject=call,
        patient=call.patient_id,
        reason=call.note or None,
    )
    _nudge(call)
    db.session.flush()
    return call


def say_coming(call_id: int, *, version: int, minutes: int, actor: User) -> SupervisorCall:
    """Answer a call: the student sees who comes and in about how many minutes. Also corrects one's estimate, or takes over."""
    call = _locked_call(call_id, version)
    if minutes not in COMING_MINUTES:
        raise DomainError("Choose in how many minutes you will be there: 1, 3, 5 or 10.")
    call.supervisor_id = actor.id
    call.coming_at = clock.now()
    call.coming_minutes = minutes
    sentence = f"{actor.name} is coming in about {minutes} min"
    audit.record("call.coming", sentence, actor=actor, subject=call, patient=call.patient_id)
    _nudge(call)
    db.session.flush()
    return call


def pass_on(call_id: int, *, version: int, to: User, note: str = "", actor: User) -> SupervisorCall:
    """Hand a call to another supervisor of its department; it waits in line again, keeping its time."""
    call = _locked_call(call_id, version)
    if to.role is not Role.SUPERVISOR or not to.active or to.department_id != call.department_id:
        raise DomainError(
            "A call can be passed on only to a supervisor of its own department. Choose one from the list."
        )
    if to.id == actor.id:
        raise DomainError("This call is already with you. Choose another supervisor, or say that you are coming.")
    call.supervisor_id = to.id
    call.coming_at = call.coming_minutes = None
    call.passed_by_id = actor.id
    call.pass_note = note.strip() or None
    sentence = f"{actor.name} passed the call on to {to.name}"
    audit.record("call.pass_on", sentence, actor=actor, subject=call, patient=call.patient_id, reason=call.pass_note)
    _nudge(call)
    db.session.flush()
    return call


def end_call(call_id: int, *, version: int, actor: User) -> SupervisorCall:
    """The supervisor has been there. A patient who awaited the supervisor is in treatment again."""
    entry = _entry_of_call(call_id)
    call = _locked_call(call_id, version)
    if call.coming_at is None:
        call.supervisor_id = actor.id
    audit.record("call.end", f"{actor.name} ended the call", actor=actor, subject=call, patient=call.patient_id)
    _end(call, entry, actor=actor, withdrawn=False)
    return call


def withdraw_call(call_id: int, *, version: int, actor: User) -> SupervisorCall:
    """The student takes the call back. A patient who awaited the supervisor is in treatment again."""
    entry = _entry_of_call(call_id)
    call = _locked_call(call_id, version)
    if call.student_id != actor.id:
        raise DomainError(f"Only {call.student.name} can take this call back; a supervisor can end it.")
    audit.record(
        "call.withdraw", f"{actor.name} took the call back", actor=actor, subject=call, patient=call.patient_id
    )
    _end(call, entry, actor=actor, withdrawn=True)
    return call


def ends_with(stage: Stage, to: Stage | None) -> bool:
    """Whether a move ends the visit's open call: away from awaiting the supervisor, or out of service."""
    return stage is Stage.AWAITING_SUPERVISOR or to not in SERVED


def end_calls_of(visit_id: int, *, actor: User) -> None:
    """End the open call of a visit whose patient leaves service, or is moved on by hand. Costs one locking query.

    It counts as answered when a supervisor was coming or is the one who moves, otherwise as taken back.
    """
    # A locking read sees a call that was committed since this transaction began.
    call = db.session.execute(
        select(SupervisorCall)
        .where(SupervisorCall.open_visit_id == visit_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if call is None:
        return
    audit.record(
        "call.end",
        "The call ended by itself: the patient was moved on",
        actor=actor,
        subject=call,
        patient=call.patient_id,
    )
    _end(call, None, actor=actor, withdrawn=call.coming_at is None and actor.role is not Role.SUPERVISOR)


def _end(call: SupervisorCall, entry: QueueEntry | None, *, actor: User, withdrawn: bool) -> None:
    call.ended_at = clock.now()
    call.ended_by_id = actor.id
    call.withdrawn = withdrawn
    db.session.flush()
    if entry is not None and entry.is_open and entry.stage is Stage.AWAITING_SUPERVISOR:
        queue.move(entry.id, to=Stage.IN_TREATMENT, version=entry.version, actor=actor)
    _nudge(call)
    db.session.flush()


def _insert(**values: Any) -> SupervisorCall:
    """The call. Raises Conflict when one is open that the first read of this transaction came too early to see."""
    # Neither by the unit of work nor in a savepoint: a deadlock must come out as one, so that the act is redone.
    added = insert(SupervisorCall.__table__).values(version=1, **values)  # type: ignore[arg-type]
    try:
        key = cast(CursorResult[Any], db.session.execute(added)).inserted_primary_key
    except IntegrityError:
        raise Conflict("A supervisor was called for this patient at the same moment. See the card.") from None
    assert key is not None
    return db.session.get_one(SupervisorCall, key[0])


def _raise_to_emergency(call: SupervisorCall, entry: QueueEntry, *, note: str, actor: User) -> SupervisorCall:
    before = {"reason": call.reason, "note": call.note}
    call.reason = CallReason.EMERGENCY
    call.note = note.strip() or call.note
    audit.record(
        "call.raise",
        f"{actor.name} raised the call to {_place(entry)} to an emergency",
        actor=actor,
        subject=call,
        patient=call.patient_id,
        before=before,
        after={"reason": call.reason, "note": call.note},
    )
    _nudge(call)
    db.session.flush()
    return call


def _check_may_call(entry: QueueEntry, reason: CallReason, version: int) -> None:
    if not entry.is_open or entry.version != version:
        raise Conflict(
            "This patient has been moved since you looked. The card now shows where they are; call from there."
        )
    if entry.stage not in CALL_STAGES[reason]:
        raise DomainError(
            f"A call for {words(reason)} is not possible while the patient is {words(entry.stage)}. "
            "Seat the patient and start treatment first; in an emergency call as soon as the patient is in the chair."
        )


def _locked_entry(entry_id: int) -> QueueEntry:
    return db.session.execute(
        select(QueueEntry)
        .where(QueueEntry.id == entry_id)
        .options(selectinload(QueueEntry.chair))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def _entry_of_call(call_id: int) -> QueueEntry | None:
    """The open entry of the call's visit, locked; None when there is none any more."""
    visit_id = select(SupervisorCall.visit_id).where(SupervisorCall.id == call_id).scalar_subquery()
    return _open_entry(QueueEntry.visit_id == visit_id)


def _open_entry(condition: ColumnElement[bool]) -> QueueEntry | None:
    open_ = select(QueueEntry.id).where(condition, QueueEntry.ended_at.is_(None)).order_by(QueueEntry.id.desc())
    entry_id = db.session.execute(open_.limit(1)).scalar_one_or_none()
    return _locked_entry(entry_id) if entry_id else None


def _open_call(visit_id: int) -> SupervisorCall | None:
    return db.session.execute(
        select(SupervisorCall)
        .where(SupervisorCall.open_visit_id == visit_id)
        .options(selectinload(SupervisorCall.student), selectinload(SupervisorCall.supervisor))
    ).scalar_one_or_none()


def _locked_call(call_id: int, version: int) -> SupervisorCall:
    """The call, locked and still as the person saw it. Raises Conflict saying who did what, and when."""
    call = db.session.execute(
        select(SupervisorCall)
        .where(SupervisorCall.id == call_id)
        .options(
            selectinload(SupervisorCall.student),
            selectinload(SupervisorCall.supervisor),
            selectinload(SupervisorCall.passed_by),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
    if call.ended_at is not None or call.version != version:
        raise Conflict(_how_it_stands(call))
    return call


def _how_it_stands(call: SupervisorCall) -> str:
    """Who did what to this call, and when, in one sentence."""
    if call.ended_at is not None:
        who = db.session.get_one(User, call.ended_by_id).name
        what = "took this call back" if call.ended_by_id == call.student_id else "ended this call"
        return f"{who} {what} at {clock_time(call.ended_at)}."
    if call.coming_at is not None:
        return (
            f"{call.supervisor.name} is already coming: said so at {clock_time(call.coming_at)}, "
            f"about {call.coming_minutes} min."
        )
    if call.passed_by is not None:
        return f"{call.passed_by.name} has passed this call on to {call.supervisor.name}."
    return f"{call.student.name} called at {clock_time(call.created_at)} for {words(call.reason)}."


def _place(entry: QueueEntry) -> str:
    return f"chair {entry.chair.name}" if entry.chair else "the patient"


def _nudge(call: SupervisorCall) -> None:
    live.nudge(f"calls:{call.department_id}")
    live.nudge(f"queue:{call.department_id}")
    # Each caller's own page says which place in the line they have.
    in_line = select(SupervisorCall.student_id).where(
        SupervisorCall.department_id == call.department_id, SupervisorCall.ended_at.is_(None)
    )
    for student_id in {call.student_id, *db.session.scalars(in_line)}:
        live.nudge(f"person:{student_id}")
