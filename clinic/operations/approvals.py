"""What an approver has looked at before they approve it."""

from contextlib import suppress

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock
from clinic.extensions import db
from clinic.models import Opened, User


def note_opened(key: str, version: int, sentence: str, *, patient_id: int | None, actor: User) -> None:
    """The approver looks at an item of the inbox (`request:7`) in this version: told each time, kept once."""
    audit.record("approval.open", f"Opened for approval: {sentence}", actor=actor, subject=key, patient=patient_id)
    known = select(Opened.version).where(Opened.user_id == actor.id, Opened.item == key, Opened.version == version)
    if db.session.execute(known).first():
        return
    # In no savepoint: a deadlock must come out as one, so that the page is asked for anew.
    with suppress(IntegrityError):  # opened in two tabs at once
        db.session.execute(
            insert(Opened.__table__).values(user_id=actor.id, item=key, version=version, at=clock.now())  # type: ignore[arg-type]
        )
