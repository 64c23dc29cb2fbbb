"""Forgetting what has served its purpose: a job of the timer (operations/jobs.py)."""

from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, case, delete, func, select

from clinic import clock, settings
from clinic.extensions import db
from clinic.models import Change, Draft, JobRun, OnceKey, PasswordReset

# How long what has served its purpose is kept.
CHANGES_KEPT = timedelta(days=2)  # a page that was away for longer fetches anew anyway
ONCE_KEYS_KEPT = timedelta(days=7)  # nobody sends the same form again after a week
RESETS_KEPT = timedelta(days=30)
RUNS_KEPT = timedelta(days=30)


def forget_what_has_served() -> int:
    """Delete old outbox rows, form keys, drafts, reset links and runs of jobs; answers how many.

    The live sequence is a counter of its own and goes on when its rows are gone. Of each job the last run stays, and the last that
    succeeded.
    """
    at = clock.now()
    kept = (
        (Change.at, CHANGES_KEPT),
        (OnceKey.created_at, ONCE_KEYS_KEPT),
        (Draft.updated_at, timedelta(days=settings.read("draft_days"))),
        (PasswordReset.created_at, RESETS_KEPT),
    )
    forgotten = 0
    for written, age in kept:
        done = db.session.execute(delete(written.class_).where(written < at - age))
        forgotten += cast("CursorResult[Any]", done).rowcount
    last = select(func.max(JobRun.id), func.max(case((JobRun.succeeded.is_(True), JobRun.id)))).group_by(JobRun.name)
    stay = [number for pair in db.session.execute(last) for number in pair if number]
    old = delete(JobRun).where(JobRun.started_at < at - RUNS_KEPT, JobRun.id.not_in(stay))
    return forgotten + cast("CursorResult[Any]", db.session.execute(old)).rowcount
