"""The live queue as a viewer may see it. A board costs four queries, whatever its size."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Select, SelectBase, cast, func, null, or_, select
from sqlalchemy.orm import aliased, contains_eager, joinedload

from clinic import acts, clock, settings
from clinic.acts import Act
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    CallReason,
    Chair,
    Department,
    Patient,
    Priority,
    QueueEntry,
    Role,
    Severity,
    Sex,
    Stage,
    SupervisorCall,
    User,
    Visit,
    VisitStatus,
)
from clinic.models.base import Id
from clinic.queries import scope

MOST_OPEN = 500  # patients in one queue
MOST_EXPECTED = 300
MOST_DONE = 30
# A lane shows one or two stages.
LANES: dict[str, tuple[Stage, ...]] = {
    "waiting": (Stage.WAITING,),
    "called": (Stage.CALLED,),
    "in_chair": (Stage.IN_CHAIR, Stage.IN_TREATMENT),
    "awaiting_supervisor": (Stage.AWAITING_SUPERVISOR, Stage.AWAITING_DISMISSAL),
    "checkout": (Stage.CHECKOUT,),
}
LANE_TITLES = {
    "waiting": "Waiting",
    "called": "Called",
    "in_chair": "In the chair",
    "awaiting_supervisor": "Waiting for supervisor",
    "checkout": "Checkout",
}
LEVELS = ("ok", "long", "very_long")
# The rule of the line: placed by hand, then urgency, then who joined first. The only place where it stands.
IN_LINE = (QueueEntry.weight.desc(), QueueEntry.priority, QueueEntry.queued_at, QueueEntry.id)


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
class Lane:
    key: str
    title: str
    rows: list[Row]

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def longest(self) -> Row | None:
        """The row that has been in its stage longest."""
        return max(self.rows, key=lambda row: row.stage_seconds, default=None)


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


@dataclass(frozen=True)
class Board:
    department: Department
    at: datetime
    lanes: list[Lane]
    expected: list[ExpectedRow]
    done: list[DoneRow]  # the newest `MOST_DONE`
    done_count: int
    open_count: int

    @property
    def rows(self) -> list[Row]:
        return [row for lane in self.lanes for row in lane.rows]

    def lane(self, key: str) -> Lane:
        return next(lane for lane in self.lanes if lane.key == key)


@dataclass(frozen=True)
class OwnQueue:
    """A clinician's own patients: in service first, then waiting in the order of the line, then expected today."""

    at: datetime
    in_service: list[Row] = field(default_factory=list)
    waiting: list[Row] = field(default_factory=list)
    expected: list[ExpectedRow] = field(default_factory=list)


@dataclass(frozen=True)
class ChairState:
    chair: Chair
    taken: bool
    entry: QueueEntry | None  # who is in it, with patient and visit; None also when the viewer may not know


def board_for(viewer: User, department_id: int) -> Board | None:
    """The whole board of a department: four queries. None when the viewer may not see this department's board."""
    if not _may_see_board(viewer, department_id):
        return None
    at = clock.now()
    start, end = clock.bounds(clock.local(at).date())
    finished = _finished(viewer, department_id, start, end)
    found = db.session.execute(
        select(Department, select(func.count()).select_from(finished.subquery()).scalar_subquery()).where(
            Department.id == department_id
        )
    ).first()
    if found is None:
        return None
    entries = _open_rows(viewer, QueueEntry.department_id == department_id)
    newest = finished.order_by(QueueEntry.started_at.desc(), QueueEntry.id.desc()).limit(MOST_DONE).subquery()
    awaited = _awaited(viewer, Visit.department_id == department_id, start, end).subquery()
    today = _today(select(awaited.c.id, awaited.c.final_id).union_all(select(newest.c.id, newest.c.final_id)))
    alerts = _alerts({entry.patient_id for entry, _call in entries} | {visit.patient_id for visit, _final in today})
    rows = [_row(viewer, entry, call, alerts, at) for entry, call in entries]
    done = [_done_row(viewer, visit, final, at) for visit, final in today if final is not None]
    return Board(
        department=found[0],
        at=at,
        lanes=[
            Lane(key, LANE_TITLES[key], [row for row in rows if row.stage in stages]) for key, stages in LANES.items()
        ],
        expected=[_expected_row(visit, alerts, at) for visit, final in today if final is None],
        done=sorted(done, key=lambda row: (row.completed_at, row.entry_id), reverse=True),
        done_count=found[1],
        open_count=len(rows),
    )


def my_queue_for(viewer: User) -> OwnQueue:
    """A student's own patients, or those of a supervisor's department and visits: three queries. Empty for everyone else."""
    at = clock.now()
    if viewer.role is Role.STUDENT:
        mine = Visit.student_id == viewer.id
    elif viewer.role is Role.SUPERVISOR:
        mine = or_(Visit.supervisor_id == viewer.id, Visit.department_id == viewer.department_id)
    else:
        return OwnQueue(at)
    start, end = clock.bounds(clock.local(at).date())
    entries = _open_rows(viewer, mine)
    awaited = _awaited(viewer, mine, start, end).subquery()
    today = _today(select(awaited.c.id, awaited.c.final_id))
    alerts = _alerts({entry.patient_id for entry, _call in entries} | {visit.patient_id for visit, _final in today})
    rows = [_row(viewer, entry, call, alerts, at) for entry, call in entries]
    in_service = [row for row in rows if row.stage is not Stage.WAITING]
    return OwnQueue(
        at=at,
        in_service=sorted(in_service, key=lambda row: (row.stage_since, row.entry_id)),
        waiting=[row for row in rows if row.stage is Stage.WAITING],
        expected=[_expected_row(visit, alerts, at) for visit, _final in today],
    )


def next_in_line(viewer: User, department_id: int, *, limit: int = 1) -> list[Row]:
    """Whom "call next" would call, and who comes after, by the rule of the line: those waiting whom the viewer may call. Two queries."""
    return _rows(viewer, _open_rows(viewer, QueueEntry.department_id == department_id, Stage.WAITING, limit=limit))


def entry_for(viewer: User, entry_id: int) -> QueueEntry | None:
    """One entry, open or closed, with patient, visit, chair, department and who moved it; None outside the viewer's scope."""
    return db.session.execute(
        _entries(viewer).where(QueueEntry.id == entry_id).options(joinedload(QueueEntry.department))
    ).scalar_one_or_none()


def row_for(viewer: User, entry_id: int) -> Row | None:
    """One open entry as its card shows it: two queries. None when closed or outside the viewer's scope."""
    found = _open_rows(viewer, QueueEntry.id == entry_id, limit=1)
    return _rows(viewer, found)[0] if found else None


def open_entries(viewer: User, department_id: int) -> list[QueueEntry]:
    """Whoever is still in a department's queue, in the order of arrival (for closing the day); at most `MOST_OPEN`."""
    still = _entries(viewer).where(QueueEntry.department_id == department_id, QueueEntry.ended_at.is_(None))
    return list(db.session.execute(still.order_by(QueueEntry.queued_at, QueueEntry.id).limit(MOST_OPEN)).scalars())


def own_moves(viewer: User, department_id: int) -> set[int]:
    """The entries of a department whose opening move this viewer may undo now."""
    since = clock.now() - timedelta(minutes=settings.read("undo_minutes"))
    recent = select(QueueEntry.id).where(
        QueueEntry.department_id == department_id, QueueEntry.started_at >= since, QueueEntry.voided_at.is_(None)
    )
    if viewer.role is not acts.UNDOES_FOR_OTHERS:
        recent = recent.where(QueueEntry.moved_by_id == viewer.id)
    return set(db.session.execute(recent.limit(2 * MOST_OPEN)).scalars())


def free_chairs(viewer: User, department_id: int) -> list[Chair]:
    """The chairs of a department that are in service and hold nobody, by name."""
    return [
        state.chair
        for state in chairs_of(viewer, department_id)
        if not state.taken and state.chair.out_of_service is None
    ]


def chairs_of(viewer: User, department_id: int) -> list[ChairState]:
    """Every chair of a department, by name, with who is in it as far as the viewer may know: one query."""
    inside, known = aliased(QueueEntry), _entries(viewer).where(QueueEntry.ended_at.is_(None)).subquery()
    found = db.session.execute(
        select(Chair, inside, known.c.id)
        .outerjoin(inside, inside.open_chair_id == Chair.id)
        .outerjoin(known, known.c.id == inside.id)
        .where(Chair.department_id == department_id)
        .options(joinedload(inside.patient), joinedload(inside.visit))
        .order_by(func.length(Chair.name), Chair.name, Chair.id)
        .limit(200)
    )
    return [ChairState(chair, entry is not None, entry if told else None) for chair, entry, told in found]


# --- what is read -----------------------------------------------------------------------------------------------------


def _may_see_board(viewer: User, department_id: int) -> bool:
    if viewer.role is Role.SUPERVISOR:
        return viewer.department_id == department_id
    return viewer.role in (Role.RECEPTIONIST, Role.NURSE)


def _entries(viewer: User) -> Select[QueueEntry]:
    return (
        select(QueueEntry)
        .join(QueueEntry.visit)
        .where(scope.may_move(viewer))
        .options(
            contains_eager(QueueEntry.visit),
            joinedload(QueueEntry.patient),
            joinedload(QueueEntry.chair),
            joinedload(QueueEntry.moved_by),
            joinedload(QueueEntry.weight_by),
        )
    )


def _open_rows(
    viewer: User, which: ColumnElement[bool], stage: Stage | None = None, limit: int = MOST_OPEN
) -> list[tuple[QueueEntry, SupervisorCall | None]]:
    """Open entries with all that a card needs but alerts, in the order of the line: one query."""
    wanted = (
        _entries(viewer)
        .add_columns(SupervisorCall)
        .outerjoin(SupervisorCall, SupervisorCall.open_visit_id == QueueEntry.visit_id)
        .where(QueueEntry.ended_at.is_(None), which)
        .options(
            contains_eager(QueueEntry.visit).joinedload(Visit.student),
            contains_eager(QueueEntry.visit).joinedload(Visit.supervisor),
            joinedload(SupervisorCall.supervisor),
        )
        .order_by(*IN_LINE)
        .limit(limit)
    )
    if stage is not None:
        wanted = wanted.where(QueueEntry.stage == stage)
    return [(entry, call) for entry, call in db.session.execute(wanted)]


def _awaited(viewer: User, which: ColumnElement[bool], start: datetime, end: datetime) -> Select[int, int]:
    """Visits of the day that have not arrived: their id, and no final entry."""
    return (
        select(Visit.id, cast(null(), Id).label("final_id"))
        .where(which, Visit.status == VisitStatus.SCHEDULED, Visit.starts_at >= start, Visit.starts_at < end)
        .where(scope.may_see(viewer, Visit.patient_id))
        .order_by(Visit.starts_at, Visit.id)
        .limit(MOST_EXPECTED)
    )


def _finished(viewer: User, department_id: int, start: datetime, end: datetime) -> Select[int, int]:
    """Visits of the department that ended on the day: their id and that of their final entry."""
    return (
        select(Visit.id, QueueEntry.id.label("final_id"))
        .join(QueueEntry.visit)
        .where(
            QueueEntry.department_id == department_id,
            QueueEntry.started_at >= start,
            QueueEntry.started_at < end,
            QueueEntry.stage.in_((Stage.DONE, Stage.LEFT)),
            QueueEntry.voided_at.is_(None),
            scope.may_move(viewer),
        )
    )


def _today(picked: SelectBase) -> list[tuple[Visit, QueueEntry | None]]:
    """The visits picked by id, by time, each with its final entry if it has one."""
    chosen, final = picked.subquery(), aliased(QueueEntry)
    found = db.session.execute(
        select(Visit, final)
        .join(chosen, chosen.c.id == Visit.id)
        .outerjoin(final, final.id == chosen.c.final_id)
        .options(
            joinedload(Visit.patient),
            joinedload(Visit.student),
            joinedload(Visit.supervisor),
            joinedload(Visit.chair),
        )
        .order_by(Visit.starts_at, Visit.id)
    )
    return [(visit, entry) for visit, entry in found]


def _alerts(patient_ids: Iterable[int]) -> dict[int, tuple[AlertMark, ...]]:
    """The active alerts of these patients, by danger: one query."""
    found: dict[int, list[AlertMark]] = {}
    ids = sorted(patient_ids)
    wanted = (
        select(Alert.patient_id, Alert.kind, Alert.severity, Alert.label)
        .where(Alert.patient_id.in_(ids), Alert.ended_at.is_(None))
        .order_by(Alert.severity, Alert.id)
    )
    for patient_id, kind, severity, label in db.session.execute(wanted):
        found.setdefault(patient_id, []).append(AlertMark(kind, severity, label))
    return {patient_id: tuple(marks) for patient_id, marks in found.items()}


# --- what is shown ----------------------------------------------------------------------------------------------------


def _rows(viewer: User, found: list[tuple[QueueEntry, SupervisorCall | None]]) -> list[Row]:
    at, alerts = clock.now(), _alerts(entry.patient_id for entry, _call in found)
    return [_row(viewer, entry, call, alerts, at) for entry, call in found]


def _row(
    viewer: User,
    entry: QueueEntry,
    call: SupervisorCall | None,
    alerts: dict[int, tuple[AlertMark, ...]],
    at: datetime,
) -> Row:
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


def _expected_row(visit: Visit, alerts: dict[int, tuple[AlertMark, ...]], at: datetime) -> ExpectedRow:
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


def _done_row(viewer: User, visit: Visit, final: QueueEntry, at: datetime) -> DoneRow:
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
