"""Students' calls for a supervisor: the supervisor's list, and where a student's own call stands in it."""

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import joinedload

from clinic import clock
from clinic.extensions import db
from clinic.models import CallReason, Patient, QueueEntry, Role, SupervisorCall, User
from clinic.queries.scope import is_given

MOST_CALLS = 200  # open calls shown; a department has far fewer chairs
MOST_ANSWERS = 500  # calls of a day looked at for the estimate
ANSWERS_USED = 10  # the estimate follows the last ten answers
ANSWERS_NEEDED = 3  # with fewer it would be a guess
REASON_ORDER = {reason: place for place, reason in enumerate(CallReason)}


@dataclass(frozen=True)
class CallRow:
    """One open call as a supervisor sees it. `place` counts the calls nobody has answered yet; None once someone is coming."""

    call: SupervisorCall
    entry: QueueEntry | None
    place: int | None


@dataclass(frozen=True)
class CallList:
    rows: list[CallRow]
    waiting: int  # calls nobody has answered yet
    turn: int | None  # minutes that one place in line has cost today


@dataclass(frozen=True)
class Standing:
    """Where one open call stands. `place`, `of` and `minutes` are None once someone is coming; `minutes` also when it would be a guess."""

    call: SupervisorCall
    place: int | None
    of: int
    minutes: int | None


def order(call: SupervisorCall) -> tuple[bool, datetime, int, int]:
    """Emergency, then wait (to the minute of the call), then reason, then the order of calling."""
    minute = call.created_at.replace(second=0, microsecond=0)
    return (call.reason is not CallReason.EMERGENCY, minute, REASON_ORDER[call.reason], call.id)


def calls_for(viewer: User) -> CallList:
    """Every open call the supervisor may see, in the order to answer them."""
    found = db.session.execute(
        _open_calls(viewer)
        .add_columns(QueueEntry)
        .outerjoin(QueueEntry, and_(QueueEntry.visit_id == SupervisorCall.visit_id, QueueEntry.ended_at.is_(None)))
        .options(joinedload(QueueEntry.chair))
        .order_by(SupervisorCall.created_at, SupervisorCall.id)
        .limit(MOST_CALLS)
    ).all()
    entries = {call.id: entry for call, entry in found}
    calls = sorted((call for call, _entry in found), key=order)
    places = _places(calls)
    rows = [CallRow(call, entries[call.id], places.get(call.id)) for call in calls]
    department_id = viewer.department_id
    turn = _turns([department_id]).get(department_id) if department_id else None
    return CallList(rows, waiting=len(places), turn=minutes_until(1, turn))


def call_for(viewer: User, call_id: int) -> SupervisorCall | None:
    """One call, open or ended, that the viewer may see."""
    return db.session.execute(
        _with_names(select(SupervisorCall).where(SupervisorCall.id == call_id, _may_see_call(viewer)))
    ).scalar_one_or_none()


def standings_for(viewer: User, visit_ids: Collection[int]) -> dict[int, Standing]:
    """Where the open calls of these visits stand, by visit. At most three queries, however many visits."""
    calls = (
        db.session.execute(_open_calls(viewer).where(SupervisorCall.visit_id.in_(visit_ids)).limit(MOST_CALLS))
        .scalars()
        .all()
        if visit_ids
        else []
    )
    if not calls:
        return {}
    departments = {call.department_id for call in calls}
    lines = _lines(departments)
    turns = _turns(departments)
    return {call.visit_id: _standing(call, lines[call.department_id], turns.get(call.department_id)) for call in calls}


def calls_made(visit_ids: Collection[int]) -> dict[int, int]:
    """How many calls each visit has had so far: part of the key of the next call's form."""
    if not visit_ids:
        return {}
    rows = db.session.execute(
        select(SupervisorCall.visit_id, func.count())
        .where(SupervisorCall.visit_id.in_(visit_ids))
        .group_by(SupervisorCall.visit_id)
    )
    return {row[0]: row[1] for row in rows}


def colleagues_of(viewer: User, call: SupervisorCall) -> Sequence[User]:
    """The other supervisors to whom the call can be passed on, by name."""
    return (
        db.session.execute(
            select(User)
            .where(
                User.role == Role.SUPERVISOR,
                User.active,
                User.department_id == call.department_id,
                User.id != viewer.id,
            )
            .order_by(User.name, User.id)
            .limit(MOST_CALLS)
        )
        .scalars()
        .all()
    )


def place_of(call: SupervisorCall, line: Iterable[SupervisorCall]) -> int | None:
    """The call's place, from 1, among the calls of its line that nobody has answered yet; None once someone is coming."""
    return _places(sorted(line, key=order)).get(call.id)


def turn_of(calls: Iterable[SupervisorCall]) -> timedelta | None:
    """What one place in line has cost: the median, over the last answers, of the time to the answer per place held.

    A call answered after 6 min as the second in line cost 3 min a place. None with fewer than `ANSWERS_NEEDED` answers.
    """
    known = sorted(calls, key=lambda call: (call.created_at, call.id))
    answered = sorted((call for call in known if _answered_at(call)), key=lambda call: (_left_line_at(call), call.id))
    costs = []
    for call in answered[-ANSWERS_USED:]:
        ahead = sum(other is not call and other.created_at <= call.created_at < _left_line_at(other) for other in known)
        costs.append((_left_line_at(call) - call.created_at).total_seconds() / (ahead + 1))
    return timedelta(seconds=median(costs)) if len(costs) >= ANSWERS_NEEDED else None


def minutes_until(place: int, turn: timedelta | None) -> int | None:
    """Whole minutes, at least one, until the call at this place is answered; None when nothing is known."""
    return max(1, math.ceil(place * turn.total_seconds() / 60)) if turn is not None else None


def _standing(call: SupervisorCall, line: list[SupervisorCall], turn: timedelta | None) -> Standing:
    place = place_of(call, line)
    waiting = sum(other.coming_at is None for other in line)
    return Standing(call, place, waiting, minutes_until(place, turn) if place else None)


def _places(in_order: Iterable[SupervisorCall]) -> dict[int, int]:
    unanswered = (call for call in in_order if call.coming_at is None)
    return {call.id: place for place, call in enumerate(unanswered, 1)}


def _lines(department_ids: Collection[int]) -> dict[int, list[SupervisorCall]]:
    """The open calls of whole departments, to count places with; nothing of them but the count reaches the viewer."""
    lines: dict[int, list[SupervisorCall]] = {department_id: [] for department_id in department_ids}
    for call in db.session.execute(
        select(SupervisorCall)
        .where(SupervisorCall.department_id.in_(department_ids), SupervisorCall.ended_at.is_(None))
        .order_by(SupervisorCall.created_at, SupervisorCall.id)
        .limit(MOST_CALLS * max(len(department_ids), 1))
    ).scalars():
        lines[call.department_id].append(call)
    return lines


def _turns(department_ids: Collection[int]) -> dict[int, timedelta | None]:
    begin, end = clock.bounds(clock.today())
    of: dict[int, list[SupervisorCall]] = {department_id: [] for department_id in department_ids}
    for call in db.session.execute(
        select(SupervisorCall)
        .where(
            SupervisorCall.department_id.in_(department_ids),
            SupervisorCall.created_at >= begin,
            SupervisorCall.created_at < end,
            or_(SupervisorCall.coming_at.is_not(None), SupervisorCall.ended_at.is_not(None)),
        )
        .order_by(SupervisorCall.created_at.desc(), SupervisorCall.id.desc())
        .limit(MOST_ANSWERS)
    ).scalars():
        of[call.department_id].append(call)
    return {department_id: turn_of(calls) for department_id, calls in of.items()}


def _answered_at(call: SupervisorCall) -> datetime | None:
    return call.coming_at or (None if call.withdrawn else call.ended_at)


def _left_line_at(call: SupervisorCall) -> datetime:
    """When the call stopped waiting: answered, or taken back; far ahead while it waits."""
    return _answered_at(call) or call.ended_at or datetime.max.replace(tzinfo=call.created_at.tzinfo)


def _open_calls(viewer: User) -> Select[SupervisorCall]:
    return _with_names(select(SupervisorCall).where(SupervisorCall.ended_at.is_(None), _may_see_call(viewer)))


def _with_names(calls: Select[SupervisorCall]) -> Select[SupervisorCall]:
    return calls.options(
        joinedload(SupervisorCall.student),
        joinedload(SupervisorCall.supervisor),
        joinedload(SupervisorCall.passed_by),
        joinedload(SupervisorCall.visit),
        joinedload(SupervisorCall.patient).selectinload(Patient.alerts),
    )


def _may_see_call(viewer: User) -> ColumnElement[bool]:
    """Supervisors: calls of their department; students: calls for their own patients; nobody else."""
    if viewer.role is Role.SUPERVISOR:
        return and_(SupervisorCall.department_id == viewer.department_id, is_given(viewer, SupervisorCall.patient_id))
    if viewer.role is Role.STUDENT:
        return is_given(viewer, SupervisorCall.patient_id)
    return false()
