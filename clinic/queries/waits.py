"""How long patients wait: the intervals the queue has kept, per stage, department and hour."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from clinic import clock
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import FINAL_STAGES, Department, QueueEntry, Role, Stage, User

MOST_DAYS = 366
# Waits are counted in bins, so that a year costs no more memory than a day: by 1 s up to 10 min, 10 s up to 2 h, 1 min up to a day.
EDGES = array("l", [*range(0, 600, 1), *range(600, 7200, 10), *range(7200, 86_401, 60)])


@dataclass(frozen=True)
class Waits:
    """The waits of one group, in seconds. Median and p90 are exact to the bin (EDGES): to 1 s up to 10 min, 10 s up to 2 h."""

    stage: Stage
    department_id: int
    department: str
    hour: int | None  # of the clinic's day in which the wait began; None: the whole day
    count: int
    mean: float
    median: int
    p90: int


class _Bins:
    def __init__(self) -> None:
        self.counts = array("I", bytes(4 * len(EDGES)))
        self.count = 0
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_right(EDGES, int(seconds)) - 1] += 1
        self.count += 1
        self.sum += seconds

    def rank(self, share: float) -> int:
        """The nearest rank: the smallest wait that `share` of all do not exceed."""
        wanted, seen = max(1, -(-self.count * round(share * 100) // 100)), 0
        for edge, count in zip(EDGES, self.counts, strict=True):
            seen += count
            if seen >= wanted:
                return edge
        raise AssertionError("a rank of no waits")


def waits(viewer: User, department_id: int | None, day_from: date, day_to: date) -> list[Waits]:
    """Waits that began on these clinic days (both included, at most `MOST_DAYS`), in the order of stage, department, hour.

    Each stage of a department comes first for the whole day (`hour` None), then by hour. Undone and still open entries and the
    final stages are left out. No patient is named, so everyone but students may ask; a supervisor about their own department.
    """
    if (day_to - day_from).days >= MOST_DAYS:
        raise DomainError("Choose at most a year.")
    names = {row.id: row.name for row in _departments(viewer, department_id)}
    zone = clock.zone()
    groups: dict[tuple[Stage, int, int | None], _Bins] = {}
    for stage, department, started_at, ended_at in _intervals(list(names), day_from, day_to):
        seconds = (ended_at - started_at).total_seconds()
        for hour in (None, started_at.astimezone(zone).hour):
            groups.setdefault((stage, department, hour), _Bins()).add(seconds)
    order = list(Stage)
    return [
        Waits(
            stage=stage,
            department_id=department,
            department=names[department],
            hour=hour,
            count=bins.count,
            mean=bins.sum / bins.count,
            median=bins.rank(0.5),
            p90=bins.rank(0.9),
        )
        for (stage, department, hour), bins in sorted(
            groups.items(),
            key=lambda item: (order.index(item[0][0]), item[0][1], -1 if item[0][2] is None else item[0][2]),
        )
    ]


def _departments(viewer: User, department_id: int | None) -> list[Department]:
    if viewer.role is Role.STUDENT:
        return []
    wanted = select(Department).order_by(Department.name, Department.id).limit(200)
    if department_id is not None:
        wanted = wanted.where(Department.id == department_id)
    if viewer.role is Role.SUPERVISOR:
        wanted = wanted.where(Department.id == viewer.department_id)
    return list(db.session.execute(wanted).scalars())


def _intervals(department_ids: list[int], day_from: date, day_to: date) -> Iterator:
    """Stage, department, start and end of each closed entry, a thousand at a time."""
    return iter(
        db.session.execute(
            select(QueueEntry.stage, QueueEntry.department_id, QueueEntry.started_at, QueueEntry.ended_at)
            .where(
                QueueEntry.department_id.in_(department_ids),
                QueueEntry.started_at >= clock.start_of(day_from),
                QueueEntry.started_at < clock.bounds(day_to)[1],
                QueueEntry.ended_at.is_not(None),
                QueueEntry.voided_at.is_(None),
                QueueEntry.stage.not_in(FINAL_STAGES),
            )
            .execution_options(yield_per=1000)
        )
    )
