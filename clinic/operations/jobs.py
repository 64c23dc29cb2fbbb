"""What the clinic does by itself, and holding a job so that no two run it at once.

A run holds its job by a row that says until when; it renews this while it works (clinic/timer.py). Who is killed does not renew, and
the job is free again after `LEASE`. Whatever a run stores is committed together with the proof that it still held the job, so that
one that slept for too long stores nothing (docs/decisions/0034-settings-jobs-status.md).
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete, false, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from clinic import audit, clock, hours
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.formatting import number_of
from clinic.models import AuditEvent, Job, JobRun, User
from clinic.operations import chain, reconciling
from clinic.operations.cases import remind_overdue
from clinic.operations.chart_versions import cut_left_open, verify_versions
from clinic.operations.extensions import remind
from clinic.operations.openings import notice_unexplained_openings
from clinic.operations.requests import expire_requests
from clinic.operations.upkeep import forget_what_has_served
from clinic.operations.visits import mark_missed_visits
from clinic.queries.jobs import EARLY, LEASE, is_held

RETRY = timedelta(minutes=5)  # after a run that failed, unless the job would be due sooner anyway
SHARE = 0.012  # of the documents a night: each is read anew within a quarter
CUT_OFF = "It was cut off before it was done."
# MySQL's and MariaDB's word for an account that may not do this.
NOT_ALLOWED = frozenset({1142, 1044, 1045, 1227})

Keep = Callable[[], None]


class Failed(Exception):  # noqa: N818 - of a job, not of the program
    """The job could not do what it is for. The sentence names no patient."""


class Lost(Exception):  # noqa: N818
    """Another run holds the job now: this one must not store anything."""


@dataclass(frozen=True)
class Declared:
    """`run` does it and answers what came of it in a sentence that names no patient. It may call what it is given to keep what it has
    done so far; else all of it is one transaction."""

    title: str
    every: timedelta
    run: Callable[[Keep], str]


@dataclass(frozen=True)
class Hold:
    """A run that holds its job."""

    name: str
    holder: str
    run_id: int


def _missed_visits(keep: Keep) -> str:
    missed = 0
    while marked := mark_missed_visits(hours.over_before(clock.now())):
        missed += marked
        keep()
    return f"{number_of(missed, 'visit')} marked as not attended."


def _expire_requests(keep: Keep) -> str:
    expired = 0
    while ended := expire_requests(clock.now()):
        expired += ended
        keep()
    return f"{number_of(expired, 'request')} expired."


def _clean_up(_keep: Keep) -> str:
    return f"{number_of(forget_what_has_served(), 'old row')} forgotten."


def _anchor(_keep: Keep) -> str:
    try:
        return chain.anchor()
    except DomainError as broken:
        raise Failed(broken.sentence) from None


def _verify(_keep: Keep) -> str:
    verdict = chain.verify()
    if not verdict.is_good:
        raise Failed(verdict.sentence)
    return verdict.sentence


def _archive(keep: Keep) -> str:
    if not chain.is_archiving_due():
        return "Nothing is old enough."
    try:
        with db.session.begin_nested():
            db.session.execute(delete(AuditEvent).where(false()))
    except DBAPIError as error:
        if next(iter(getattr(error.orig, "args", ())), None) not in NOT_ALLOWED:
            raise
        raise Failed(
            "Old events wait to be archived, which the application's own account may not do: "
            "run flask archive-audit with the account that migrations use."
        ) from None
    moved = 0
    try:
        while count := chain.archive_next():
            moved += count
            keep()
    except DomainError as broken:
        raise Failed(f"{broken.sentence} {number_of(moved, 'event')} moved before.") from None
    return f"{number_of(moved, 'event')} moved to the archive."


def _ask_why(keep: Keep) -> str:
    return notice_unexplained_openings(keep)


def _first_versions(keep: Keep) -> str:
    cut, begun_before = 0, clock.start_of(clock.today())
    while count := cut_left_open(begun_before):
        cut += count
        keep()
    return f"{number_of(cut, 'initial odontogram')} cut."


def _verify_charts(_keep: Keep) -> str:
    verdict = verify_versions()
    if not verdict.is_good:
        raise Failed(verdict.sentence)
    return verdict.sentence


def _reconcile(keep: Keep) -> str:
    found = reconciling.reconcile(keep)
    if not found.is_good:
        raise Failed(found.sentence)
    return found.sentence


def verify_documents(keep: Keep, *, share: float = SHARE, tell: Callable[[int, int], None] | None = None) -> str:
    """Read a share of the documents anew; answers what came of it. `tell` as reconciling.verify has it. Raises Failed, StorageError."""
    verified = reconciling.verify(keep, share=share, tell=tell or (lambda _done, _of: None))
    if not verified.is_good:
        raise Failed(verified.sentence)
    return verified.sentence


def _remind(keep: Keep) -> str:
    reminded, after = 0, 0
    while True:
        count, last = remind(after)
        reminded += count
        if last is None:
            return f"{number_of(reminded, 'student')} reminded."
        after = last
        keep()


def _remind_overdue(keep: Keep) -> str:
    reminded, after = 0, 0
    while True:
        count, last = remind_overdue(after)
        reminded += count
        if last is None:
            return f"{number_of(reminded, 'student')} reminded."
        after = last
        keep()


JOBS: dict[str, Declared] = {
    "expire-requests": Declared("Expiring requests", timedelta(minutes=10), _expire_requests),
    "missed-visits": Declared("Missed visits", timedelta(minutes=10), _missed_visits),
    "anchor-audit": Declared("Anchoring the trail", timedelta(hours=1), _anchor),
    "verify-audit": Declared("Verifying the trail", timedelta(days=1), _verify),
    "archive-audit": Declared("Archiving the trail", timedelta(days=1), _archive),
    "ask-why": Declared("Asking why a record was opened", timedelta(hours=1), _ask_why),
    "first-versions": Declared("First versions of charts", timedelta(days=1), _first_versions),
    "verify-charts": Declared("Verifying charts", timedelta(days=1), _verify_charts),
    "reconcile-documents": Declared("Documents and store agree", timedelta(hours=1), _reconcile),
    "verify-documents": Declared("Reading documents anew", timedelta(days=1), verify_documents),
    "remind-unapproved": Declared("Reminding of unapproved work", timedelta(days=1), _remind),
    "remind-overdue": Declared("Reminding of overdue tasks", timedelta(days=1), _remind_overdue),
    "clean-up": Declared("Clean-up", timedelta(hours=6), _clean_up),
}


def claim(name: str, *, now: bool = False) -> Hold | None:
    """Hold a job that is due, or whether it is or not with `now`; None when it is not due or another run holds it. Commit at once."""
    at, holder = clock.now(), secrets.token_hex(16)
    _make_row(name)
    # As `is_held` says it.
    free = or_(Job.held_until.is_(None), Job.held_until <= at, Job.held_until > at + LEASE + EARLY)
    taken = update(Job).where(Job.name == name, free).values(held_until=at + LEASE, holder=holder)
    if not _rows(taken):
        return None
    if not now and not _is_due(name):
        _rows(update(Job).where(Job.name == name).values(held_until=None, holder=None))
        return None
    # Whoever held it before and did not say how it ended was killed.
    cut_off = update(JobRun).where(JobRun.name == name, JobRun.ended_at.is_(None))
    _rows(cut_off.values(ended_at=at, succeeded=False, summary=CUT_OFF))
    run = JobRun(name=name, started_at=at)
    db.session.add(run)
    db.session.flush()
    return Hold(name, holder, run.id)


def renew(hold: Hold) -> None:
    """Hold the job for another while. Raises Lost when another run took it: the transaction must not be committed then."""
    until = clock.now() + LEASE
    if not _rows(update(Job).where(Job.name == hold.name, Job.holder == hold.holder).values(held_until=until)):
        raise Lost


def finish(hold: Hold, *, succeeded: bool, summary: str) -> None:
    """Say how the run ended and let go of the job, in the run's own transaction. Raises Lost like `renew`."""
    renew(hold)
    ended = update(JobRun).where(JobRun.id == hold.run_id, JobRun.ended_at.is_(None))
    _rows(ended.values(ended_at=clock.now(), succeeded=succeeded, summary=summary[:500]))
    _rows(update(Job).where(Job.name == hold.name).values(held_until=None, holder=None))


def ask_for(name: str, *, actor: User) -> None:
    """Note that a person wants a job run now. Raises DomainError while it runs."""
    held_until = db.session.execute(select(Job.held_until).where(Job.name == name)).scalar()
    if is_held(held_until):
        raise DomainError(f"“{JOBS[name].title}” is running already. Look again in a minute.")
    audit.record("job.run", f"Had the job “{JOBS[name].title}” run", actor=actor, subject=f"job:{name}")
    db.session.flush()


def _make_row(name: str) -> None:
    if db.session.execute(select(Job.name).where(Job.name == name)).first() is None:
        try:
            db.session.execute(insert(Job.__table__).values(name=name))  # type: ignore[arg-type]
        except IntegrityError:  # another run made it at the same moment
            db.session.rollback()  # else two of these hold a lock on it that neither lets the other change


def _is_due(name: str) -> bool:
    runs = select(JobRun.started_at, JobRun.succeeded).where(JobRun.name == name).order_by(JobRun.id.desc()).limit(1)
    last = db.session.execute(runs).first()
    if last is None or last.succeeded is None:  # never run, or killed
        return True
    every = JOBS[name].every if last.succeeded else min(JOBS[name].every, RETRY)
    ago = clock.now() - last.started_at
    return ago >= every - EARLY or ago < -EARLY  # in the future: the clock was ahead, and has been set right


def _rows(statement: Any) -> int:
    done = db.session.execute(statement.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", done).rowcount
