"""People, for the administrator who looks after them; and a person's own sessions and drafts."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, or_, select, tuple_
from sqlalchemy.orm import joinedload

from clinic import clock
from clinic.extensions import db
from clinic.models import AuthSession, Draft, OnceKey, RecoveryCode, RememberToken, Role, User
from clinic.security import digest

PAGE = 50
SWITCH_HOURS = 12  # how long after a sign-in by password a PIN opens a new session on the same terminal
SWITCHED = "switched"  # the one end of a session after which the PIN still brings its person back


@dataclass(frozen=True)
class Page:
    """Some people in order of name, and where the next page begins (None at the end)."""

    people: list[User]
    after: tuple[str, int] | None


def people_of(
    viewer: User,
    *,
    text: str = "",
    role: Role | None = None,
    active: bool | None = True,
    after: tuple[str, int] | None = None,
    limit: int = PAGE,
) -> Page:
    """One page of the people of the clinic, by name; administrators only, nobody for anyone else. One query."""
    if viewer.role is not Role.ADMIN:
        return Page([], None)
    query = select(User).options(joinedload(User.department)).order_by(User.name, User.id).limit(limit + 1)
    if role:
        query = query.where(User.role == role)
    if active is not None:
        query = query.where(User.active == active)
    if text.strip():
        wanted = text.strip().lower()
        query = query.where(
            or_(
                func.lower(User.name).contains(wanted, autoescape=True),
                User.email.contains(wanted, autoescape=True),
            )
        )
    if after:
        query = query.where(tuple_(User.name, User.id) > after)
    people = list(db.session.execute(query).scalars())
    more = len(people) > limit
    people = people[:limit]
    return Page(people, (people[-1].name, people[-1].id) if more else None)


def person_for(viewer: User, person_id: int) -> User | None:
    """One person with their department; None for anyone but an administrator. One query."""
    if viewer.role is not Role.ADMIN:
        return None
    return db.session.execute(
        select(User).where(User.id == person_id).options(joinedload(User.department))
    ).scalar_one_or_none()


def sessions_of(viewer: User, *, since: datetime, limit: int = 100) -> list[AuthSession]:
    """The viewer's own open sessions begun after an instant, the latest act first."""
    return list(
        db.session.execute(
            select(AuthSession)
            .where(AuthSession.user_id == viewer.id, AuthSession.ended_at.is_(None), AuthSession.created_at > since)
            .order_by(AuthSession.active_at.desc(), AuthSession.id.desc())
            .limit(limit)
        ).scalars()
    )


def session_of(viewer: User, session_id: int) -> AuthSession | None:
    """One of the viewer's own sessions."""
    return db.session.execute(
        select(AuthSession).where(AuthSession.id == session_id, AuthSession.user_id == viewer.id)
    ).scalar_one_or_none()


def left_by_switching() -> tuple[ColumnElement[bool], ...]:
    """The conditions under which a session's person may come back to its terminal by PIN."""
    return (
        AuthSession.method == "password",
        AuthSession.created_at > clock.now() - timedelta(hours=SWITCH_HOURS),
        or_(AuthSession.ended_at.is_(None), AuthSession.end_reason == SWITCHED),
    )


def people_at(session: AuthSession, *, limit: int = 8) -> list[User]:
    """Who else may take over this terminal by PIN: the last to sign in here with a password, latest first."""
    if session.device_id is None:
        return []
    last = (
        select(AuthSession.user_id, func.max(AuthSession.id).label("last"))
        .where(AuthSession.device_id == session.device_id, AuthSession.user_id != session.user_id)
        .where(*left_by_switching())
        .group_by(AuthSession.user_id)
        .subquery()
    )
    return list(
        db.session.execute(
            select(User)
            .join(last, last.c.user_id == User.id)
            .where(User.active, User.pin_hash.is_not(None))
            .order_by(last.c.last.desc())
            .limit(limit)
        ).scalars()
    )


def draft_of(viewer: User, form: str) -> dict[str, list[str]] | None:
    """What the viewer had typed into the form with this action path; None when there is nothing."""
    draft = db.session.get(Draft, (viewer.id, form))
    return json.loads(draft.fields) if draft else None


def was_sent(viewer: User, once: str) -> bool:
    """Whether a form that carried this key was sent by the viewer, in any session of theirs, and accepted."""
    if not once:
        return False
    sessions = select(AuthSession.id).where(AuthSession.user_id == viewer.id).order_by(AuthSession.id.desc()).limit(50)
    owners = [f"session:{number}" for number in db.session.scalars(sessions)]
    accepted = select(OnceKey.id).where(OnceKey.owner.in_(owners), OnceKey.key == once, OnceKey.status < 400)
    return db.session.execute(accepted).first() is not None


def remembered(token: str) -> User | None:
    """The person whom a remembered device's token would sign in. Changes nothing."""
    return db.session.execute(
        select(User)
        .join(RememberToken, RememberToken.user_id == User.id)
        .where(RememberToken.token_hash == digest(token), RememberToken.used_at.is_(None))
        .where(RememberToken.revoked_at.is_(None), RememberToken.expires_at > clock.now(), User.active)
    ).scalar_one_or_none()


def user_of(user_id: int) -> User | None:
    """The person with this id, for whoever has half proved to be them."""
    return db.session.get(User, user_id)


def recovery_codes_left(viewer: User) -> int:
    """How many of the viewer's recovery codes are unused."""
    return (
        db.session.scalar(select(func.count()).where(RecoveryCode.user_id == viewer.id, RecoveryCode.used_at.is_(None)))
        or 0
    )
