"""Running jobs (operations/jobs.py), each in transactions of its own: for `flask jobs`, which a timer calls, and for "Run now"."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask
from sqlalchemy.exc import DBAPIError

from clinic import database, storage
from clinic.extensions import db
from clinic.once import asks_for_redo
from clinic.operations import jobs
from clinic.queries.jobs import LEASE

log = logging.getLogger(__name__)

RENEW_EVERY = LEASE.total_seconds() / 4


@dataclass(frozen=True)
class Outcome:
    name: str
    succeeded: bool
    summary: str


def run(app: Flask, name: str, *, now: bool = False, work: Callable[[jobs.Keep], str] | None = None) -> Outcome | None:
    """Run a job if it is due, or in any case with `now`; None when it is not due or another run has it. Never raises what a job raises.

    `work`: to do this in its place, which is the same job in another measure.
    """
    try:
        hold = jobs.claim(name, now=now)
        db.session.commit()
    except DBAPIError as error:
        database.let_go()
        # Whoever was in the way holds the job now.
        return None if asks_for_redo(error) else Outcome(name, False, _sentence(error))
    if hold is None:
        return None
    with _held(app, hold):
        try:
            summary = (work or jobs.JOBS[name].run)(lambda: _keep(hold))
            jobs.finish(hold, succeeded=True, summary=summary)
            db.session.commit()
            return Outcome(name, True, summary)
        except Exception as error:
            database.let_go()
            return _note(hold, Outcome(name, False, _sentence(error)))


def run_soon(app: Flask, name: str) -> None:
    """Run a job now, in a thread of this process; whoever asked does not wait for it. Commit before."""

    def begin() -> None:
        with app.app_context():
            run(app, name, now=True)

    if app.testing:  # a test sees its one connection only
        begin()
        return
    threading.Thread(target=begin, name=f"job {name}", daemon=True).start()


def _keep(hold: jobs.Hold) -> None:
    jobs.renew(hold)
    db.session.commit()


def _note(hold: jobs.Hold, outcome: Outcome) -> Outcome:
    try:
        jobs.finish(hold, succeeded=False, summary=outcome.summary)
        db.session.commit()
    except (DBAPIError, jobs.Lost):  # then the next run says that this one was cut off
        database.let_go()
    return outcome


@contextmanager
def _held(app: Flask, hold: jobs.Hold) -> Iterator[None]:
    """Renew the hold from a thread beside the run for as long as this lasts."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_EVERY):
            with app.app_context():
                try:
                    jobs.renew(hold)
                    db.session.commit()
                except jobs.Lost:
                    return
                except DBAPIError:
                    database.let_go()  # perhaps the next time

    thread = threading.Thread(target=renew, name=f"hold {hold.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _sentence(error: Exception) -> str:
    """What went wrong, without a word of what is stored."""
    if isinstance(error, jobs.Failed | storage.StorageError):
        return str(error)
    if isinstance(error, jobs.Lost):
        return "It took so long that another run took over. Nothing of it was kept."
    if isinstance(error, DBAPIError):
        code = next(iter(getattr(error.orig, "args", ())), None)
        log.error("job: database %s %s", type(error.orig).__name__, code if isinstance(code, int) else "")
        return f"The database refused it ({type(error.orig).__name__}{f' {code}' if isinstance(code, int) else ''})."
    log.error("job broke off", exc_info=error)
    return f"It broke off ({type(error).__name__}). Nothing of it was kept; the log says where."
