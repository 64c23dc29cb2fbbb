"""The runs of jobs, for those who look after the system."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ScalarSelect, select

from clinic import clock
from clinic.extensions import db
from clinic.models import Job, JobRun

LEASE = timedelta(minutes=2)  # how long a run holds its job without renewing that
# So much earlier a job may run: else an hourly one would come later with every call of the timer.
EARLY = timedelta(seconds=60)


@dataclass(frozen=True)
class Runs:
    """Of one job: the last run, the last that succeeded, and whether one is under way. None where there is no such run."""

    last: JobRun | None
    success: JobRun | None
    is_running: bool


def runs_of(names: Iterable[str]) -> dict[str, Runs]:
    """The runs of each job by its name; three queries, each run found by its index."""
    names = list(names)
    newest = [_newest(name, only_success=only) for name in names for only in (False, True)]
    ids: list[int | None] = list(db.session.execute(select(*newest)).one())
    rows = {row.id: row for row in db.session.scalars(select(JobRun).where(JobRun.id.in_([i for i in ids if i])))}
    held = {name: until for name, until in db.session.execute(select(Job.name, Job.held_until).limit(1000))}  # noqa: C416
    found = {}
    for place, name in enumerate(names):
        last, success = (rows.get(number or 0) for number in ids[2 * place : 2 * place + 2])
        found[name] = Runs(last, success, is_held(held.get(name)))
    return found


def _newest(name: str, *, only_success: bool) -> ScalarSelect[int]:
    wanted = select(JobRun.id).where(JobRun.name == name).order_by(JobRun.id.desc()).limit(1)
    return (wanted.where(JobRun.succeeded.is_(True)) if only_success else wanted).scalar_subquery()


def is_held(until: datetime | None) -> bool:
    """Whether a run holds a job now. Longer than a lease nobody can: then the clock was ahead, and has been set right."""
    at = clock.now()
    return until is not None and at < until <= at + LEASE + EARLY
