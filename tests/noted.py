"""Notes for tests."""

from typing import Any

from clinic.extensions import db
from clinic.models import Note, NoteSigning, NoteType
from clinic.operations.notes import Said, sign_note
from tests.world import World

TEXT = "Caries removed under rubber dam, composite placed in 36."


def note_said(text: str = TEXT, **more: Any) -> Said:
    return Said(**({"type": NoteType.PROGRESS, "text": text} | more))


def note_by(world: World, person: str = "kamal", patient: str = "fernando", text: str = TEXT, **more: Any) -> Note:
    """A note, signed by this person. Flushes, does not commit."""
    return sign_note(world.patient(patient), said=note_said(text, **more), actor=world.user(person))


def signings(note: Note) -> list[NoteSigning]:
    return db.session.query(NoteSigning).filter_by(note_id=note.id).order_by(NoteSigning.number).all()
