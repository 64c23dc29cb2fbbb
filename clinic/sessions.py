"""Sign-ins kept on the server: a random cookie names a row; the row can be locked and ended at any time.

Here is what the web layer asks of them on every request; operations/sign_in.py opens, locks and ends them.
"""

import logging
from datetime import datetime, timedelta

from flask import Response, g, request
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import joinedload

from clinic import clock, security, settings
from clinic.extensions import db
from clinic.models import AuthSession, User

log = logging.getLogger(__name__)

TOUCH_EVERY = timedelta(seconds=5)
LONGEST = timedelta(hours=12)  # a working day; then everyone signs in again


def current() -> AuthSession | None:
    """The open session of this request, with its user; None when there is none. One query per request."""
    if "auth_session" not in g:
        g.auth_session = _load()
    return g.auth_session


def current_user_or_none() -> User | None:
    """For flask-login: the person of an open session."""
    session = current()
    return session.user if session else None


def is_open(session: AuthSession) -> bool:
    """Neither ended nor too old, and its person still works here."""
    return session.ended_at is None and session.user.active and clock.now() - session.created_at <= LONGEST


def person_of(session_id: int) -> User | None:
    """Whose session this is while it is open, as stored now: for an answer that goes on after its request. One query."""
    session = db.session.execute(
        select(AuthSession).where(AuthSession.id == session_id).options(joinedload(AuthSession.user))
    ).scalar_one_or_none()
    return session.user if session and is_open(session) else None


def is_locked(session: AuthSession) -> bool:
    """Locked by hand, or by the idle time passing without an act of the person."""
    idle = timedelta(seconds=settings.read("idle_lock_seconds"))
    return session.locked_at is not None or clock.now() - session.active_at > idle


def touch(session: AuthSession) -> None:
    """Remember that the person acted, at most every `TOUCH_EVERY`. A locked session is not woken by anything but its unlocking."""
    at = clock.now()
    if at - session.active_at > TOUCH_EVERY and not is_locked(session):
        note_activity(session, at)


def note_activity(session: AuthSession, at: datetime) -> None:
    """Move the instant of the last act forward, in a transaction of its own. A database that only reads stops nobody from reading."""
    try:
        db.session.execute(
            update(AuthSession)
            .where(AuthSession.id == session.id, AuthSession.active_at < at)
            .values(active_at=at)
            .execution_options(synchronize_session=False)
        )
        db.session.commit()
    except DBAPIError as error:
        log.warning("activity not written: %s", type(error.orig).__name__)
        db.session.rollback()
        forget()


def forget() -> None:
    """Load the session and its user anew when they are next asked for (after a rollback)."""
    g.pop("auth_session", None)
    g.pop("_login_user", None)


def take_back() -> None:
    """Undo what this request has changed so far; the session and its user, which that makes stale, are loaded anew."""
    db.session.rollback()
    forget()
    current()


def put_cookie(response: Response, token: str) -> None:
    security.set_cookie(response, "session", token, strict=False)


def drop_cookie(response: Response, name: str = "session") -> None:
    security.set_cookie(response, name, "", max_age=0)


def _load() -> AuthSession | None:
    token = request.cookies.get(security.cookie_name("session"), "")
    if not token:
        return None
    session = db.session.execute(
        select(AuthSession)
        .where(AuthSession.token_hash == security.digest(token))
        .options(joinedload(AuthSession.user).joinedload(User.department))
    ).scalar_one_or_none()
    return session if session and is_open(session) else None
