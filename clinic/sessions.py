"""Sign-ins kept on the server: a random cookie names a row; the row can be locked and ended at any time."""

import secrets
from datetime import timedelta

from flask import Response, g, request
from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from clinic import clock, security, settings
from clinic.extensions import db
from clinic.models import AuthSession, Device, User

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


def is_locked(session: AuthSession) -> bool:
    """Locked by hand, or by the idle time passing without an act of the person."""
    idle = timedelta(seconds=settings.read("idle_lock_seconds"))
    return session.locked_at is not None or clock.now() - session.active_at > idle


def touch(session: AuthSession) -> None:
    """Remember that the person acted; written at most every `TOUCH_EVERY`, in a statement of its own."""
    at = clock.now()
    if at - session.active_at > TOUCH_EVERY:
        db.session.execute(update(AuthSession).where(AuthSession.id == session.id).values(active_at=at))
        db.session.commit()


def start(user: User, *, method: str, device: Device | None) -> tuple[AuthSession, str]:
    """Open a session for a person who has proved who they are; answers it and the cookie's secret."""
    token = secrets.token_urlsafe(32)
    at = clock.now()
    session = AuthSession(
        token_hash=security.digest(token),
        user=user,
        device_id=device.id if device else None,
        method=method,
        created_at=at,
        active_at=at,
        address=request.remote_addr or "",
        user_agent=(request.user_agent.string or "")[:255],
    )
    db.session.add(session)
    db.session.flush()
    return session, token


def end(session: AuthSession, *, reason: str) -> None:
    session.ended_at = clock.now()
    session.end_reason = reason


def put_cookie(response: Response, token: str) -> None:
    security.set_cookie(response, "session", token, strict=False)


def drop_cookie(response: Response) -> None:
    security.set_cookie(response, "session", "", max_age=0)


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
