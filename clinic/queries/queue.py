"""The live queue as a viewer may see it. A board costs four queries, whatever its size."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, SelectBase, cast, func, null, or_, select
from sqlalchemy.orm import aliased, contains_eager, joinedload

from clinic import acts, clock, settings
from clinic.extensions import db
from clinic.models import (
    Alert,
    Chair,
    Department,
    QueueEntry,
    Role,
    Stage,
    SupervisorCall,
    User,
    Visit,
    VisitStatus,
)
from clinic.models.base import Id
from clinic.queries import scope
from clinic.queries.queue_rows import AlertMark, DoneRow, ExpectedRow, Row, done_row_of, expected_row_of, row_of

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
# The rule of the line: placed by hand, then urgency, then who joined first. The only place where it stands.
IN_LINE = (QueueEntry.weight.desc(), QueueEntry.priority, QueueEntry.queued_at, QueueEntry.id)


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
    rows = [row_of(viewer, entry, call, alerts, at) for entry, call in entries]
    done = [done_row_of(viewer, visit, final, at) for visit, final in today if final is not None]
    return Board(
        department=found[0],
        at=at,
        lanes=[
            Lane(key, LANE_TITLES[key], [row for row in rows if row.stage in stages]) for key, stages in LANES.items()
        ],
        expected=[expected_row_of(visit, alerts, at) for visit, final in today if final is None],
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
    rows = [row_of(viewer, entry, call, alerts, at) for entry, call in entries]
    in_service = [row for row in rows if row.stage is not Stage.WAITING]
    return OwnQueue(
        at=at,
        in_service=sorted(in_service, key=lambda row: (row.stage_since, row.entry_id)),
        waiting=[row for row in rows if row.stage is Stage.WAITING],
        expected=[expected_row_of(visit, alerts, at) for visit, _final in today],
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
        .where(Chair.department_id == department_id, Chair.retired_at.is_(None))
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
        .where(scope.is_given(viewer, Visit.patient_id))
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


def _rows(viewer: User, found: list[tuple[QueueEntry, SupervisorCall | None]]) -> list[Row]:
    at, alerts = clock.now(), _alerts(entry.patient_id for entry, _call in found)
    return [row_of(viewer, entry, call, alerts, at) for entry, call in found]
