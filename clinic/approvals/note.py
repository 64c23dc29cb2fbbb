"""Notes as they wait for the supervisor who decides: shown is exactly what was signed, with what was signed before as a difference."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.canonical import digest
from clinic.errors import DomainError
from clinic.formatting import day, words
from clinic.models import Note, User
from clinic.notes.difference import difference
from clinic.operations.notes import OWN, approve_note, how_it_stands, return_note
from clinic.queries.notes import decidable_note_for, waiting_ids, waiting_notes


def items(viewer: User) -> list[Item]:
    """The notes that wait for the viewer, longest first."""
    return [_item(note) for note in waiting_notes(viewer)]


def item(viewer: User, note_id: int) -> Item | None:
    """One note that is the viewer's to decide, or was."""
    note = decidable_note_for(viewer, note_id)
    if note is None:
        return None
    outcome = (OWN if note.author_id == viewer.id else "") if note.needs_approval else how_it_stands(note)
    return _item(note, outcome=outcome)


def facts(_viewer: User, item: Item) -> dict[str, Any]:
    """What was signed last, the same as a difference to what was signed before it, and why that was returned."""
    note: Note = item.row
    *former, last = note.signings
    if digest(last.signed) != last.sha256:
        raise DomainError(
            "This note does not read as it was signed. It cannot be shown or approved; tell an administrator."
        )
    before = former[-1] if former else None
    pieces = difference(before.said["text"], last.said["text"]) if before else []
    return {"said": last.said, "signing": last, "before": before, "pieces": pieces}


def _item(note: Note, *, outcome: str = "") -> Item:
    patient = note.patient
    what = f"The {'addendum to a ' if note.addendum_to_id else ''}{words(note.type)} note"
    return Item(
        kind=KIND_NAME,
        id=note.id,
        version=note.version,
        word="Note",
        sentence=f"{what} of {patient.name}, {patient.code}, of {day(note.signed_at)} is approved",
        person_id=note.author_id,
        person=note.author.name,
        patient=patient,
        code=patient.code,
        is_seen=True,
        asked_by=note.author.name,
        since=note.signed_at,
        row=note,
        why=lambda: outcome,
    )


KIND_NAME = "note"
KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_note.html",
    waiting=waiting_ids,
    items=items,
    item=item,
    facts=facts,
    approve=approve_note,
    give_back=return_note,
)
