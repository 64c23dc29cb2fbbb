"""The second factor: codes of an authenticator app (TOTP, RFC 6238), each accepted once, and recovery codes for a lost telephone."""

import base64
import hmac
import secrets

import pyotp
from sqlalchemy import delete, update

from clinic import audit, clock, settings
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import RecoveryCode, User
from clinic.operations import throttle
from clinic.operations.sign_in import locked_user
from clinic.security import digest, seal, unseal
from clinic.text import digits

STEP = 30  # seconds
DRIFT = 1  # steps that a telephone's clock may be early or late
RECOVERY_CODES = 10
PURPOSE = "second factor"


def begin_enrolment(*, actor: User) -> None:
    """Make a new secret; it counts only once a code has confirmed it. Raises DomainError when one is in force."""
    user = locked_user(actor.id)
    if user.totp_confirmed_at:
        raise DomainError("A second factor is set up already. Remove it first to set it up on another telephone.")
    user.totp_secret = seal(pyotp.random_base32(), PURPOSE)
    user.totp_last_step = None
    db.session.flush()


def address_of(user: User) -> str | None:
    """What the QR code holds: the `otpauth` address of the secret that waits for its first code."""
    secret = _secret(user)
    if secret is None or user.totp_confirmed_at:
        return None
    return pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=settings.read("clinic_name"))


def key_of(user: User) -> str | None:
    """The same secret for typing, in groups of four; None once it is confirmed."""
    secret = _secret(user)
    if secret is None or user.totp_confirmed_at:
        return None
    return " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))


def confirm_enrolment(code: str, *, actor: User) -> list[str]:
    """Put the second factor in force; answers the recovery codes, which are not kept in readable form."""
    user = locked_user(actor.id)
    if user.totp_confirmed_at or not user.totp_secret:
        raise DomainError("There is no second factor waiting to be confirmed. Begin again.")
    if not _accept(user, code):
        raise DomainError(
            "This code is not right. Check that the telephone's clock is set automatically, and try the next code."
        )
    user.totp_confirmed_at = clock.now()
    audit.record("account.second_factor", f"{user.name} set up a second factor", actor=user, subject=user)
    return renew_recovery_codes(actor=user)


def renew_recovery_codes(*, actor: User) -> list[str]:
    """Replace the unused recovery codes by new ones; answers them."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == actor.id, RecoveryCode.used_at.is_(None)))
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    db.session.add_all(RecoveryCode(user_id=actor.id, code_hash=digest(_folded(code))) for code in codes)
    audit.record("account.recovery_codes", f"{actor.name} made new recovery codes", actor=actor, subject=actor)
    db.session.flush()
    return codes


def begin_code(user: User) -> None:
    """Count a try of a second factor; commit before judging it. Raises TooManyTries."""
    throttle.count(throttle.bucket("code", user.id))


def judge_code(user: User, code: str) -> bool:
    """Whether the second factor is right; uses the code up and forgets the failures before it."""
    right = _check_code(user, code)
    if right:
        throttle.forgive(throttle.bucket("code", user.id))
    else:
        audit.record("session.refused", "Sign-in with a wrong second factor", actor=None, subject=user)
    return right


def _check_code(user: User, code: str) -> bool:
    """Whether the code is right, and used up by this. A code of the app or a recovery code; each works once, ever."""
    user = locked_user(user.id)
    return user.totp_confirmed_at is not None and (_accept(user, code) or _use_recovery_code(user, code))


def remove(user: User, *, actor: User) -> None:
    """Take the second factor off an account: by its person, or by an administrator who has seen who they are."""
    user = locked_user(user.id)
    if user.id == actor.id and user.role in settings.read("totp_roles"):
        raise DomainError(
            "Your role must sign in with a second factor. An administrator can take it off so that you set it up anew."
        )
    user.totp_secret = user.totp_confirmed_at = user.totp_last_step = None
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None)))
    audit.record("account.second_factor_removed", f"Second factor of {user.name} removed", actor=actor, subject=user)
    db.session.flush()


def _accept(user: User, code: str) -> bool:
    """Compare with the codes of the steps around now that are later than the last one used. Digits of any script, spaces ignored."""
    typed = digits(code)
    if len(typed) != 6 or len(typed) != sum(not char.isspace() for char in code):
        return False
    secret = _secret(user)
    if secret is None:
        return False
    now = int(clock.now().timestamp()) // STEP
    for step in range(now - DRIFT, now + DRIFT + 1):
        right = pyotp.TOTP(secret).generate_otp(step)
        if step > (user.totp_last_step or 0) and hmac.compare_digest(typed, right):
            user.totp_last_step = step
            db.session.flush()
            return True
    return False


def _use_recovery_code(user: User, code: str) -> bool:
    used = db.session.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == digest(_folded(code)),
            RecoveryCode.used_at.is_(None),  # decided by the row as it is, whatever this transaction saw before
        )
        .values(used_at=clock.now())
        .execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]
    if used:
        audit.record("account.recovery_code", f"{user.name} signed in with a recovery code", actor=user, subject=user)
    return bool(used)


def _secret(user: User) -> str | None:
    return unseal(user.totp_secret, PURPOSE) if user.totp_secret else None


def _recovery_code() -> str:
    """Eighty random bits in four groups."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[i : i + 4] for i in range(0, 16, 4))


def _folded(code: str) -> str:
    return "".join(char for char in code.lower() if char.isalnum())
