"""Templates of notes. They hold no patient data."""

from sqlalchemy import select

from clinic.extensions import db
from clinic.models import NoteTemplate, NoteType, Role, User

MOST = 200


def templates_to_choose(viewer: User) -> list[NoteTemplate]:
    """The templates that are in use, by name, of the notes that the viewer may write. One query."""
    found = select(NoteTemplate).where(NoteTemplate.retired_at.is_(None))
    if viewer.role is not Role.SUPERVISOR:
        found = found.where(NoteTemplate.type != NoteType.SUPERVISOR_REVIEW)
    return list(db.session.scalars(found.order_by(NoteTemplate.name, NoteTemplate.id).limit(MOST)))


def every_template(viewer: User) -> list[NoteTemplate]:
    """Every template, the retired ones last. One query."""
    del viewer
    found = select(NoteTemplate).order_by(NoteTemplate.retired_at.is_not(None), NoteTemplate.name, NoteTemplate.id)
    return list(db.session.scalars(found.limit(MOST)))


def template_for(viewer: User, template_id: int) -> NoteTemplate | None:
    """One template."""
    del viewer
    return db.session.get(NoteTemplate, template_id)
