"""What a person changes about their own account."""

from datetime import timedelta

from sqlalchemy import select, update

from clinic import audit, clock, passwords
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import AuthSession, PasswordReset, User
from clinic.operations import throttle
from clinic.operations.sign_in import end_sessions, locked_user
from clinic.security import digest

RESET_MINUTES = 30


def count_own_try(*, actor: User) -> None:
    """Count a try to prove one's own password while signed in; commit before judging it. Raises TooManyTries."""
    throttle.count(throttle.bucket("own", actor.id))


def prove_password(password: str, *, actor: User) -> None:
    """Ask a signed-in person for their password again. Hashes: about 50 ms. Raises DomainError when it is wrong."""
    if not passwords.matches(actor.password_hash, password):
        raise DomainError("Your present password is not right.")
    throttle.forgive(throttle.bucket("own", actor.id))


def change_password(new_hash: str, *, actor: User, keep: AuthSession) -> None:
    """Set one's own password (hashed by the caller, after `passwords.check_choice`) and end every other session."""
    user = locked_user(actor.id)
    user.password_hash = new_hash
    user.must_change_password = False
    void_links(user)
    audit.record("account.password", f"{user.name} changed their password", actor=user, subject=user)
    end_sessions(user, reason="password changed", keep=keep, actor=user)
    db.session.flush()


def set_pin(pin_hash: str, *, actor: User) -> None:
    """Set one's own PIN (hashed by the caller, after `passwords.check_pin`)."""
    user = locked_user(actor.id)
    user.pin_hash = pin_hash
    audit.record("account.pin", f"{user.name} set a PIN", actor=user, subject=user)
    db.session.flush()


def count_link(*, email: str) -> None:
    """Count a wish for a link, known address or not. Raises TooManyTries."""
    address = throttle.network(audit.origin.get().address)
    throttle.count(throttle.bucket("mail", email.strip().lower()), throttle.bucket("address", address))


def make_link(*, email: str, token: str) -> User | None:
    """Let `token` set a new password once, within `RESET_MINUTES`; None when the address is nobody's."""
    user = db.session.execute(select(User).where(User.email == email.strip().lower())).scalar_one_or_none()
    if user is None or not user.active:
        return None
    at = clock.now()
    void_links(user)
    db.session.add(
        PasswordReset(
            user_id=user.id, token_hash=digest(token), created_at=at, expires_at=at + timedelta(minutes=RESET_MINUTES)
        )
    )
    audit.record("account.link", f"A link to choose a new password was sent to {user.name}", actor=None, subject=user)
    db.session.flush()
    return user


def owner_of_link(token: str) -> User | None:
    """Whose password this link may set now; None when it was used, replaced, or is too old. Changes nothing."""
    return db.session.execute(
        select(User)
        .join(PasswordReset, PasswordReset.user_id == User.id)
        .where(PasswordReset.token_hash == digest(token), PasswordReset.used_at.is_(None))
        .where(PasswordReset.expires_at > clock.now(), User.active)
    ).scalar_one_or_none()


def use_link(token: str, *, new_hash: str) -> None:
    """Set a new password by a mailed link, once. Ends every session of the person. Raises DomainError when the link is spent."""
    row = db.session.execute(
        select(PasswordReset)
        .where(PasswordReset.token_hash == digest(token))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    user = owner_of_link(token) if row else None
    if row is None or user is None:
        raise DomainError("This link no longer works. Ask for a new one.")
    user = locked_user(user.id)
    user.password_hash = new_hash
    user.must_change_password = False
    void_links(user)
    throttle.forgive(throttle.bucket("account", user.email), throttle.bucket("mail", user.email))
    audit.record("account.password", f"{user.name} chose a new password by link", actor=user, subject=user)
    end_sessions(user, reason="password changed", actor=user)
    db.session.flush()


def void_links(user: User) -> None:
    """A link that was mailed to this person and not used no longer works."""
    db.session.execute(
        update(PasswordReset)
        .where(PasswordReset.user_id == user.id, PasswordReset.used_at.is_(None))
        .values(used_at=clock.now())
    )
