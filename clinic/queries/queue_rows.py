"""What a person sees of one patient in the queue: in line or in service, expected today, or done today.

Made from rows that queries/queue.py has read with all that is named here; nothing is read from the database any more.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from clinic import acts, settings
from clinic.acts import Act
from clinic.models import (
    AlertKind,
    CallReason,
    Chair,
    Patient,
    Priority,
    QueueEntry,
    Severity,
    Sex,
    Stage,
    SupervisorCall,
    User,
    Visit,
)

LEVELS = ("ok", "long", "very_long")


@dataclass(frozen=True)
class AlertMark:
    """One active alert on a card."""

    kind: AlertKind
    severity: Severity
    label: str


@dataclass(frozen=True)
class Pin:
    """A patient placed by hand: at the head (`first`) or the end of the line, by whom and why."""

    first: bool
    by: str
    reason: str


@dataclass(frozen=True)
class OpenCall:
    """The open call for a supervisor of a visit."""

    call_id: int
    reason: CallReason
    note: str
    called_at: datetime
    supervisor_id: int | None
    supervisor: str | None  # asked for, or coming
    coming_at: datetime | None
    coming_minutes: int | None


@dataclass(frozen=True)
class Row:
    """All that a card shows of one open entry. Times in whole seconds at the moment of the query."""

    entry_id: int
    version: int
    visit_id: int
    patient_id: int
    department_id: int
    stage: Stage
    ticket: str
    code: str
    name: str
    birth_date: date
    sex: Sex
    alerts: tuple[AlertMark, ...]
    reason: str  # why the patient came
    appointment_at: datetime | None  # None for a walk-in
    arrived_at: datetime
    late_minutes: int  # arrival after the appointment; 0 when early, on time, or a walk-in
    is_late: bool  # by the setting `late_after_minutes`
    walk_in: bool
    student_id: int | None
    student: str | None
    supervisor_id: int | None
    supervisor: str | None
    chair_id: int | None
    chair: str | None
    priority: Priority | None  # only while waiting; in service it has no meaning
    priority_reason: str | None
    pin: Pin | None  # only while waiting
    note: str | None
    stage_since: datetime
    stage_seconds: int
    total_seconds: int  # since arrival
    level: str  # of LEVELS, by the setting `stage_thresholds`
    calls: int
    last_called_at: datetime | None
    call_seconds: int | None  # since the last call, while called
    no_show: bool  # called at least `no_show_calls` times: offer leaving without being seen
    supervisor_call: OpenCall | None
    moved_by: str
    primary: Act | None  # the next step this viewer may do
    others: tuple[Act, ...]
    may_undo: bool  # the last move, by this viewer, now


@dataclass(frozen=True)
class ExpectedRow:
    """A visit of today that has not arrived."""

    visit_id: int
    version: int
    patient_id: int
    code: str
    name: str
    birth_date: date
    sex: Sex
    alerts: tuple[AlertMark, ...]
    starts_at: datetime
    minutes: int
    overdue_minutes: int  # past the appointment; 0 before it
    is_late: bool
    student: str | None
    supervisor: str | None
    chair: str | None
    reason: str


@dataclass(frozen=True)
class DoneRow:
    """A visit that ended today, with the final entry that undo needs."""

    visit_id: int
    patient_id: int
    ticket: str
    name: str
    completed_at: datetime
    outcome: str
    entry_id: int
    version: int
    stage: Stage
    may_undo: bool


def row_of(
    viewer: User,
    entry: QueueEntry,
    call: SupervisorCall | None,
    alerts: dict[int, tuple[AlertMark, ...]],
    at: datetime,
) -> Row:
    """One open entry and its open call, as this viewer may act on it at this instant."""
    visit: Visit = entry.visit
    patient: Patient = entry.patient
    arrived_at = visit.arrived_at or entry.queued_at
    late = 0 if visit.walk_in else _minutes(visit.starts_at, arrived_at)
    waiting = entry.stage is Stage.WAITING
    stage_seconds = _seconds(entry.started_at, at)
    primary, others = acts.offered(viewer.role, entry.stage)
    return Row(
        entry_id=entry.id,
        version=entry.version,
        visit_id=visit.id,
        patient_id=patient.id,
        department_id=entry.department_id,
        stage=entry.stage,
        ticket=visit.ticket or "",
        code=patient.code,
        name=patient.name,
        birth_date=patient.birth_date,
        sex=patient.sex,
        alerts=alerts.get(patient.id, ()),
        reason=visit.reason,
        appointment_at=None if visit.walk_in else visit.starts_at,
        arrived_at=arrived_at,
        late_minutes=late,
        is_late=late >= settings.read("late_after_minutes"),
        walk_in=visit.walk_in,
        student_id=visit.student_id,
        student=_name(visit.student),
        supervisor_id=visit.supervisor_id,
        supervisor=_name(visit.supervisor),
        chair_id=entry.chair_id,
        chair=_name(entry.chair),
        priority=Priority(entry.priority) if waiting else None,
        priority_reason=entry.priority_reason if waiting else None,
        pin=_pin(entry) if waiting else None,
        note=entry.note,
        stage_since=entry.started_at,
        stage_seconds=stage_seconds,
        total_seconds=_seconds(arrived_at, at),
        level=_level(entry.stage, stage_seconds),
        calls=entry.calls,
        last_called_at=entry.last_called_at,
        call_seconds=_seconds(entry.last_called_at, at)
        if entry.stage is Stage.CALLED and entry.last_called_at
        else None,
        no_show=entry.calls >= settings.read("no_show_calls") and entry.stage in (Stage.WAITING, Stage.CALLED),
        supervisor_call=_open_call(call) if call else None,
        moved_by=entry.moved_by.name,
        primary=primary,
        others=others,
        may_undo=_may_undo(viewer, entry, at),
    )


def expected_row_of(visit: Visit, alerts: dict[int, tuple[AlertMark, ...]], at: datetime) -> ExpectedRow:
    """One visit of today that has not arrived, at this instant."""
    overdue = _minutes(visit.starts_at, at)
    return ExpectedRow(
        visit_id=visit.id,
        version=visit.version,
        patient_id=visit.patient_id,
        code=visit.patient.code,
        name=visit.patient.name,
        birth_date=visit.patient.birth_date,
        sex=visit.patient.sex,
        alerts=alerts.get(visit.patient_id, ()),
        starts_at=visit.starts_at,
        minutes=visit.minutes,
        overdue_minutes=overdue,
        is_late=overdue >= settings.read("late_after_minutes"),
        student=_name(visit.student),
        supervisor=_name(visit.supervisor),
        chair=_name(visit.chair),
        reason=visit.reason,
    )


def done_row_of(viewer: User, visit: Visit, final: QueueEntry, at: datetime) -> DoneRow:
    """One visit that ended today and its final entry."""
    return DoneRow(
        visit_id=visit.id,
        patient_id=visit.patient_id,
        ticket=visit.ticket or "",
        name=visit.patient.name,
        completed_at=final.started_at,
        outcome=visit.outcome or "",
        entry_id=final.id,
        version=final.version,
        stage=final.stage,
        may_undo=_may_undo(viewer, final, at),
    )


def _open_call(call: SupervisorCall) -> OpenCall:
    return OpenCall(
        call_id=call.id,
        reason=call.reason,
        note=call.note,
        called_at=call.created_at,
        supervisor_id=call.supervisor_id,
        supervisor=_name(call.supervisor),
        coming_at=call.coming_at,
        coming_minutes=call.coming_minutes,
    )


def _pin(entry: QueueEntry) -> Pin | None:
    if not entry.weight:
        return None
    return Pin(entry.weight > 0, entry.weight_by.name if entry.weight_by else "", entry.weight_reason or "")


def _may_undo(viewer: User, entry: QueueEntry, at: datetime) -> bool:
    by_right = entry.moved_by_id == viewer.id or viewer.role is acts.UNDOES_FOR_OTHERS
    return by_right and at - entry.started_at <= timedelta(minutes=settings.read("undo_minutes"))


def _level(stage: Stage, seconds: int) -> str:
    limits = settings.read("stage_thresholds").get(stage.value, ())
    return LEVELS[sum(seconds >= minutes * 60 for minutes in limits)]


def _seconds(start: datetime, at: datetime) -> int:
    return max(int((at - start).total_seconds()), 0)


def _minutes(start: datetime, at: datetime) -> int:
    return _seconds(start, at) // 60


def _name(thing: User | Chair | None) -> str | None:
    return thing.name if thing else None
