"""Public screens: a screen asks to be paired and shows a code; an administrator types the code; a screen can be revoked."""

import secrets

from sqlalchemy import delete, func, select

from clinic import audit, clock, security
from clinic.errors import DomainError, Unavailable
from clinic.extensions import db
from clinic.models import Department, Display, User
from clinic.operations.locks import locked
from clinic.queries.displays import PAIRING_LASTS
from clinic.text import one_line

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # nothing that looks like something else
CODE_LENGTH = 6
MOST_WAITING = 50  # screens; nobody can fill the table from outside


def ask_for_pairing() -> tuple[Display, str]:
    """A screen that waits to be paired, and its cookie's secret. Codes that were not used in time are cleared away."""
    at = clock.now()
    unpaired = Display.paired_at.is_(None)
    db.session.execute(delete(Display).where(unpaired, Display.created_at < at - PAIRING_LASTS))
    if db.session.execute(select(func.count()).select_from(Display).where(unpaired)).scalar_one() >= MOST_WAITING:
        raise Unavailable("Too many screens are waiting to be paired. Try again in a quarter of an hour.")
    token = secrets.token_urlsafe(32)
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    display = Display(token_hash=security.digest(token), pairing_code=code, created_at=at)
    db.session.add(display)
    db.session.flush()
    return display, token


def pair_display(*, code: str, name: str, department: Department | None, actor: User) -> Display:
    """Make the screen that shows this code a display of a department, or of all."""
    wanted = "".join(code.split()).upper()
    display = db.session.execute(
        select(Display)
        .where(Display.pairing_code == wanted, Display.created_at >= clock.now() - PAIRING_LASTS)
        .with_for_update()
    ).scalar_one_or_none()
    if display is None:
        raise DomainError("No screen shows this code now. Read it again from the screen; it changes after 15 minutes.")
    display.pairing_code = None
    display.paired_at = clock.now()
    display.name = one_line(name)
    display.department_id = department.id if department else None
    where = department.name if department else "every department"
    audit.record("display.pair", f"Screen {display.name} was paired for {where}", actor=actor, subject=display)
    db.session.flush()
    return display


def revoke_display(display: Display, *, actor: User) -> None:
    """The screen goes dark within 5 seconds. Asking twice is harmless."""
    display = locked(Display, display.id)
    if display.revoked_at is None:
        display.revoked_at = clock.now()
        audit.record("display.revoke", f"Screen {display.name} was revoked", actor=actor, subject=display)
    db.session.flush()
