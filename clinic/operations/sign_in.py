"""Proving who one is, and the sessions that follow from it."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.orm import selectinload

from clinic import audit, clock, passwords
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import AuthSession, Device, RememberToken, User
from clinic.operations import throttle
from clinic.queries.people import SWITCHED, left_by_switching
from clinic.security import digest

PIN_TRIES = 3
REMEMBER_DAYS = 30


@dataclass(frozen=True)
class Attempt:
    """A counted try to sign in: whose, if anybody's, and the buckets to forgive when it is right."""

    user: User | None
    buckets: tuple[str, ...]


def begin_attempt(*, email: str, device_token: str) -> Attempt:
    """Count a try to sign in. Commit before judging it, so that it counts whatever comes. Raises TooManyTries."""
    email = email.strip().lower()
    user = db.session.execute(select(User).where(User.email == email)).scalar_one_or_none()
    device = _device(device_token)
    buckets: tuple[str, ...]
    # Asked in any case: the number of queries must not tell whether the account exists.
    known = _knows(device.id if device else 0, user.id if user else 0)
    if user and device and known:
        buckets = (throttle.bucket("known", (device.id, user.id)),)
    else:
        address = throttle.network(audit.origin.get().address)
        buckets = (throttle.bucket("account", email), throttle.bucket("address", address))
    throttle.count(*buckets)
    return Attempt(user, buckets)


def judge(attempt: Attempt, password: str) -> User | None:
    """The person, if the password is theirs and they may sign in. Hashes: call it with no transaction open."""
    user = attempt.user
    right = passwords.matches(user.password_hash if user else None, password)
    if not (user and right and user.active):
        return None
    renewed = passwords.hashed(password) if passwords.is_outdated(user.password_hash) else None
    seen, user = user.password_hash, locked_user(user.id)
    if not user.active or user.password_hash != seen:  # changed while we were hashing
        return None
    if renewed:
        user.password_hash = renewed
    throttle.forgive(*attempt.buckets)
    return user


def record_wrong(attempt: Attempt) -> None:
    audit.record("session.refused", "Sign-in with a wrong password", actor=None, subject=attempt.user)


def device_of(token: str) -> Device | None:
    """The browser with this name; met for the first time when it signs somebody in."""
    device = _device(token)
    if device is None and token:
        device = Device(token_hash=digest(token), created_at=clock.now())
        db.session.add(device)
        db.session.flush()
    return device


def start_session(
    user: User, *, method: str, device: Device | None, family: str | None = None, replacing: AuthSession | None = None
) -> tuple[AuthSession, str]:
    """Open a session for a person who has proved who they are; answers it and the cookie's secret.

    The session that this browser had before ends: with `switched` if it was another person's.
    """
    if replacing and not replacing.ended_at:
        end_session(replacing, reason="replaced" if replacing.user_id == user.id else SWITCHED)
    token = secrets.token_urlsafe(32)
    at = clock.now()
    origin = audit.origin.get()
    session = AuthSession(
        token_hash=digest(token),
        user=user,
        device_id=device.id if device else None,
        method=method,
        family=family,
        created_at=at,
        active_at=at,
        address=origin.address,
        user_agent=origin.device,
    )
    db.session.add(session)
    db.session.flush()
    audit.record("session.start", f"{user.name} signed in ({method})", actor=user, subject=session)
    return session, token


def end_session(session: AuthSession, *, reason: str) -> None:
    session.ended_at = clock.now()
    session.end_reason = reason
    db.session.flush()


def end_sessions(user: User, *, reason: str, keep: AuthSession | None = None, actor: User | None) -> int:
    """End every session and remembered device of a person but `keep`; answers how many sessions were open.

    Sessions left by switching are closed for their PIN too.
    """
    at = clock.now()
    mine = (AuthSession.user_id == user.id, AuthSession.id != (keep.id if keep else 0))
    db.session.execute(
        update(AuthSession)
        .where(*mine, AuthSession.end_reason == SWITCHED)
        .values(end_reason=reason)
        .execution_options(synchronize_session=False)
    )
    ended = db.session.execute(
        update(AuthSession)
        .where(*mine, AuthSession.ended_at.is_(None))
        .values(ended_at=at, end_reason=reason)
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]
    families = RememberToken.family != (keep.family if keep and keep.family else "")
    db.session.execute(
        update(RememberToken)
        .where(RememberToken.user_id == user.id, RememberToken.revoked_at.is_(None), families)
        .values(revoked_at=at)
        .execution_options(synchronize_session=False)
    )
    audit.record("session.end_all", f"Ended {ended} sessions of {user.name}", actor=actor, subject=user, reason=reason)
    return ended


def end_one(session: AuthSession, *, reason: str, actor: User) -> None:
    """End one session, its remembered device, and its person's way back to that terminal by PIN."""
    if not session.ended_at:
        end_session(session, reason=reason)
    if session.device_id:
        db.session.execute(
            update(AuthSession)
            .where(
                AuthSession.user_id == session.user_id,
                AuthSession.device_id == session.device_id,
                AuthSession.end_reason == SWITCHED,
            )
            .values(end_reason=reason)
            .execution_options(synchronize_session=False)
        )
    if session.family:
        _revoke_family(session.family)
    audit.record("session.end", f"Ended a session: {reason}", actor=actor, subject=session)


def remember(user: User, *, family: str | None = None) -> tuple[str, str]:
    """A new token of a remembered device: its family and the cookie's secret."""
    token, at = secrets.token_urlsafe(32), clock.now()
    family = family or secrets.token_hex(16)
    db.session.add(
        RememberToken(
            family=family,
            user_id=user.id,
            token_hash=digest(token),
            created_at=at,
            expires_at=at + timedelta(days=REMEMBER_DAYS),
        )
    )
    db.session.flush()
    return family, token


def recognise(token: str) -> tuple[User, str, str] | None:
    """Redeem a remembered device's token: the person, the family and the next token. None when it opens nothing.

    A token that was already used has been copied: its whole family ends, with every session it opened.
    """
    row = db.session.execute(
        select(RememberToken)
        .where(RememberToken.token_hash == digest(token))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    at = clock.now()
    if row is None or row.revoked_at or row.expires_at <= at:
        return None
    user = locked_user(row.user_id)
    if row.used_at:
        _end_family(row.family, user)
        return None
    if not user.active:
        return None
    row.used_at = at
    family, following = remember(user, family=row.family)
    return user, family, following


def forget_device(token: str, *, unless: User | None = None) -> bool:
    """End the remembered device this browser carries, unless it is this person's own; answers whether it was another's."""
    row = db.session.execute(
        select(RememberToken).where(RememberToken.token_hash == digest(token))
    ).scalar_one_or_none()
    if row and unless and row.user_id == unless.id:
        return False
    if row:
        _revoke_family(row.family)
    return True


def _end_family(family: str, user: User) -> None:
    _revoke_family(family)
    db.session.execute(
        update(AuthSession)
        .where(AuthSession.family == family, AuthSession.ended_at.is_(None))
        .values(ended_at=clock.now(), end_reason="remembered device copied")
        .execution_options(synchronize_session=False)
    )
    audit.record(
        "session.copied",
        f"A remembered device of {user.name} was used twice: all its sessions ended",
        actor=None,
        subject=user,
    )


def _revoke_family(family: str) -> None:
    """No token of this remembered device opens anything from now on."""
    db.session.execute(
        update(RememberToken)
        .where(RememberToken.family == family, RememberToken.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def lock(session: AuthSession) -> None:
    """Lock a session; the terminal then shows the lock page until its person or another comes."""
    if session.locked_at is None:
        session.locked_at = clock.now()
        audit.record("session.lock", f"{session.user.name} locked the terminal", actor=session.user, subject=session)
        db.session.flush()


def anchor_of(session: AuthSession, person_id: int) -> AuthSession | None:
    """The session whose PIN tries count for this person on this terminal; locked until the commit.

    One's own session; for another person the last sign-in by password here that day, if nothing but a switch ended it.
    """
    query = (
        select(AuthSession)
        .with_for_update()
        .options(selectinload(AuthSession.user).selectinload(User.department))
        .execution_options(populate_existing=True)
    )
    if person_id == session.user_id:
        query = query.where(AuthSession.id == session.id)
    else:
        query = query.where(
            AuthSession.user_id == person_id,
            AuthSession.device_id == session.device_id,
            *left_by_switching(),
        ).order_by(AuthSession.id.desc())
    return db.session.execute(query.limit(1)).scalar_one_or_none()


def begin_pin(session: AuthSession, person_id: int) -> AuthSession:
    """Count a PIN try; commit before judging it. Raises DomainError when only the password opens."""
    anchor = anchor_of(session, person_id)
    if anchor is None:
        raise DomainError("This person has not signed in here with a password today. Choose “someone else”.")
    if anchor.wrong_pins >= PIN_TRIES:
        raise DomainError("Three wrong PINs. Now only the password opens.")
    anchor.wrong_pins += 1
    db.session.flush()
    return anchor


def open_by_pin(session: AuthSession, anchor: AuthSession) -> tuple[AuthSession, str] | None:
    """The PIN was right: unlock one's own session (answers None), or open a fresh one for the other person, with its secret."""
    now = anchor_of(session, anchor.user_id)
    if now is None or not now.user.active:
        raise DomainError("This person can no longer sign in here. Choose “someone else”.")
    now.wrong_pins = 0
    if now.id == session.id:
        unlock(session)
        return None
    device = db.session.get_one(Device, session.device_id)
    return start_session(now.user, method="pin", device=device, replacing=session)


def unlock(session: AuthSession) -> None:
    """The right PIN or password was given: open the session again."""
    at = clock.now()
    session.locked_at, session.active_at, session.wrong_pins = None, at, 0
    audit.record("session.unlock", f"{session.user.name} unlocked the terminal", actor=session.user, subject=session)
    db.session.flush()


def locked_user(user_id: int) -> User:
    """The person's row as it is now, locked until the commit."""
    return db.session.execute(
        select(User)
        .where(User.id == user_id)
        .with_for_update()
        .options(selectinload(User.department))
        .execution_options(populate_existing=True)
    ).scalar_one()


def _device(token: str) -> Device | None:
    if not token:
        return None
    return db.session.execute(select(Device).where(Device.token_hash == digest(token))).scalar_one_or_none()


def _knows(device_id: int, user_id: int) -> bool:
    """Whether this person has signed in on this device with the password."""
    return bool(
        db.session.scalar(
            select(
                exists().where(
                    AuthSession.device_id == device_id,
                    AuthSession.user_id == user_id,
                    AuthSession.method == "password",
                )
            )
        )
    )
