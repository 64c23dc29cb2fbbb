"""What a person had typed and not sent, kept for them alone."""

import json

from sqlalchemy import delete, select

from clinic import clock
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import Draft, User

MOST_BYTES = 60_000  # in UTF-8: what its column holds
MOST_DRAFTS = 50


def keep_draft(form: str, fields: dict[str, list[str]], *, actor: User) -> None:
    """Keep the changed fields of the form with this action path, in place of what was kept before; no fields, no draft."""
    if not form.startswith("/") or len(form) > 200:
        raise DomainError("This form has no address of ours.")
    encoded = json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")  # half a surrogate pair is no text
    text = encoded.decode()
    if len(encoded) > MOST_BYTES:
        raise DomainError("This text is too long to be kept as a draft. Send the form in parts.")
    row = db.session.get(Draft, (actor.id, form), with_for_update=True)
    if not fields:
        if row:
            db.session.delete(row)
    elif row:
        row.fields, row.updated_at = text, clock.now()
    else:
        _make_room(actor)
        db.session.add(Draft(user_id=actor.id, form=form, fields=text, updated_at=clock.now()))
    db.session.flush()


def _make_room(actor: User) -> None:
    """Drop the oldest drafts beyond the bound."""
    old = (
        select(Draft.form)
        .where(Draft.user_id == actor.id)
        .order_by(Draft.updated_at.desc(), Draft.form)
        .offset(MOST_DRAFTS - 1)
        .limit(100)
    )
    forms = db.session.execute(old).scalars().all()
    if forms:
        db.session.execute(delete(Draft).where(Draft.user_id == actor.id, Draft.form.in_(forms)))
