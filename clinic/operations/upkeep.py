"""What a timer does for the clinic: `flask jobs`. Each job is safe to run at any time, twice, and on several machines."""

from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete

from clinic import clock, settings
from clinic.extensions import db
from clinic.models import Change, Draft, OnceKey, PasswordReset

# How long what has served its purpose is kept.
CHANGES_KEPT = timedelta(days=2)  # a page that was away for longer fetches anew anyway
ONCE_KEYS_KEPT = timedelta(days=7)  # nobody sends the same form again after a week
RESETS_KEPT = timedelta(days=30)


def forget_what_has_served() -> int:
    """Delete old outbox rows, form keys, drafts and reset links; answers how many.

    The live sequence is a counter of its own and goes on when its rows are gone.
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
    return forgotten
