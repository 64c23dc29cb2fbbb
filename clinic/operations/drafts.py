"""What a person had typed and not sent, kept for them alone."""

import hashlib
import json

from sqlalchemy import delete, select

from clinic import clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import Draft, OnceKey, User

MOST_BYTES = 60_000  # in UTF-8: what its column holds
MOST_DRAFTS = 50


class OtherDraft(Conflict):
    """The person has typed into the same form elsewhere meanwhile; `theirs` holds that."""


def as_kept(fields: dict[str, list[str]]) -> str:
    """The fields as text; half a surrogate pair is none."""
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace").decode()


def mark_of(text: str) -> str:
    """What tells two drafts of a form apart; empty for none."""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def keep_draft(
    form: str,
    fields: dict[str, list[str]],
    *,
    sent_by: tuple[str, str] = ("", ""),
    mark: str | None = None,
    actor: User,
) -> str:
    """Keep the changed fields of the form with this action path, in place of what was kept before; no fields, no draft.

    `sent_by`: owner and key of the form. Once it has been sent with that key and accepted, nothing of it is kept any more: a save that
    was on its way meanwhile must not bring the draft back. `mark`: of the draft that the page knew; raises OtherDraft, and keeps what
    there is, when another one is kept now. Answers the mark of what is kept.
    """
    if not form.startswith("/") or len(form) > 200:
        raise DomainError("This form has no address of ours.")
    text = as_kept(fields)
    if len(text.encode()) > MOST_BYTES:
        raise DomainError("This text is too long to be kept as a draft. Send the form in parts.")
    if _was_accepted(*sent_by):
        return ""
    row = db.session.get(Draft, (actor.id, form), with_for_update=True)
    if row and mark is not None and row.fields != text and mark != mark_of(row.fields):
        raise OtherDraft("You have typed into this form elsewhere meanwhile.", theirs=json.loads(row.fields))
    if not fields:
        if row:
            db.session.delete(row)
    elif row:
        row.fields, row.updated_at = text, clock.now()
    else:
        _make_room(actor)
        db.session.add(Draft(user_id=actor.id, form=form, fields=text, updated_at=clock.now()))
    db.session.flush()
    return mark_of(text) if fields else ""


def _was_accepted(owner: str, key: str) -> bool:
    """Waits for a sending that is under way."""
    if not key:
        return False
    accepted = select(OnceKey.status).where(OnceKey.owner == owner, OnceKey.key == key)
    status = db.session.execute(accepted.with_for_update(read=True)).scalar_one_or_none()
    return status is not None and status < 400


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
