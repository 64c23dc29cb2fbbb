"""Passwords and PINs: argon2id, with the parameters the OWASP cheat sheet gives (46 MiB, one pass, one lane)."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from clinic.errors import DomainError, Unavailable

LEAST = 10  # characters
MOST = 200
PIN_DIGITS = 6
# Each hash takes 46 MiB while it runs: four at once fit beside everything else on the smallest plan.
AT_ONCE = 4
PATIENCE = 15  # seconds a person waits for a place
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
# Of ten characters and more; shorter ones are refused by length.
COMMON = frozenset((Path(__file__).parent / "common_passwords.txt").read_text("utf-8").split())

_hasher = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
_nobody = _hasher.hash("nobody has this password")  # verified for unknown accounts, so that they take as long
_places = threading.BoundedSemaphore(AT_ONCE)


def hashed(password: str) -> str:
    """The argon2id hash to store. About 50 ms; raises Unavailable when too many others are being made."""
    with _place():
        return _hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether the password is the stored one; takes as long when there is none. Hold no database connection meanwhile."""
    with _place():
        try:
            return _hasher.verify(stored or _nobody, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with weaker parameters and should be made again at this sign-in."""
    return _hasher.check_needs_rehash(stored)


def check_choice(password: str, *, email: str, name: str) -> None:
    """Refuse a password that others would guess. Raises DomainError."""
    folded = password.casefold().strip()
    own = {email.casefold(), email.split("@")[0].casefold(), name.casefold(), name.casefold().replace(" ", "")}
    if len(password) < LEAST:
        raise DomainError(f"A password needs at least {LEAST} characters. Several words in a row are easy to remember.")
    if len(password) > MOST:
        raise DomainError(f"A password has at most {MOST} characters.")
    if folded in own or folded.replace(" ", "") in own:
        raise DomainError("Your name or e-mail address is the first thing others would try. Choose another password.")
    if folded in COMMON or len(set(folded)) <= 3:
        raise DomainError("This password is on the list that everyone tries first. Choose another one.")


def check_pin(pin: str) -> None:
    """Refuse a PIN that is no six digits or that others would guess. Raises DomainError."""
    if len(pin) != PIN_DIGITS or not (pin.isascii() and pin.isdigit()):
        raise DomainError(f"A PIN has exactly {PIN_DIGITS} digits.")
    steps = {(int(after) - int(before)) % 10 for before, after in zip(pin, pin[1:], strict=False)}
    repeats = pin in (pin[:2] * 3, pin[:3] * 2)
    mirrored = pin[:3] == pin[:2:-1]
    if len(set(pin)) <= 2 or len(steps) == 1 or repeats or mirrored:
        raise DomainError("This PIN is easy to guess. Choose digits without a pattern.")


def temporary() -> str:
    """A random password that one can read out over the telephone."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(timeout=PATIENCE):
        raise Unavailable("Many people are signing in at this moment. Try again in a few seconds.")
    try:
        yield
    finally:
        _places.release()
