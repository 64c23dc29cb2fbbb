"""Notes on paper: all that a print says, as plain data, so that the same is printed once and is the same for ever."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import render_template

from clinic import settings
from clinic.chart import teeth
from clinic.formatting import day, short_day, when, words
from clinic.models import Note, NoteStatus, Patient
from clinic.notes.signed import about_in
from clinic.prints import Print

EDITION = 1  # raised when no print that was kept before may be given out again


def print_of(patient: Patient, notes: Sequence[Note], *, title: str) -> Print:
    """The print of these notes of a patient, with their addenda, whose signings are loaded."""
    told = [_told(note) | {"addenda": [_told(each) for each in note.addenda]} for note in notes]
    unapproved = sum(not each["is_approved"] for note in told for each in (note, *note["addenda"]))
    paper = {
        "title": title,
        "clinic": settings.read("clinic_name"),
        "patient": patient.name,
        "code": patient.code,
        "born": short_day(patient.birth_date),
        "sex": words(patient.sex),
        "stamp": _stamp(unapproved, sum(1 + len(note["addenda"]) for note in told)),
        "is_approved": not unapproved,
        "notes": told,
    }
    return Print(
        made_of={"edition": EDITION, "notes": paper},
        at=max((_changed(each) for note in notes for each in (note, *note.addenda)), default=patient.created_at),
        html=lambda: render_template("notes/print.html", paper=paper),
    )


def _stamp(unapproved: int, count: int) -> str:
    if not unapproved:
        return "APPROVED" if count else "NO NOTES"
    return "NOT APPROVED" if count == 1 else f"NOT APPROVED: {unapproved} of {count}"


def _told(note: Note) -> dict[str, Any]:
    """A note as it is printed: its words are those that were signed last."""
    last = note.signings[-1]
    said, about = last.said, about_in(last.signed)
    word, sentence, is_approved = _standing(note)
    return {
        "number": note.id,
        "type": "Addendum" if note.addendum_to_id else words(said["type"]).capitalize(),
        "said": said | {"execution": words(said["execution"] or "")},
        "teeth": ", ".join(teeth.shown(key) for key in said["teeth"].split()),
        "visit": f"{day(note.visit.starts_at)}, {note.visit.reason}" if note.visit and not note.addendum_to_id else "",
        "author": f"{about['author_name']}, {words(about['author_role'])}",
        "signed": when(last.signed_at),
        "sha256": last.sha256,
        "word": word,
        "sentence": sentence,
        "is_approved": is_approved,
        "is_struck": note.status is NoteStatus.IN_ERROR,
    }


def _standing(note: Note) -> tuple[str, str, bool]:
    """The word of the stamp, the sentence beside it, and whether it counts as approved. What is struck waits for nobody."""
    last = note.signings[-1]
    if note.status is NoteStatus.IN_ERROR and note.error_agreed_at:
        said = f"{note.error_said_by.name} said so: “{note.error_reason}”. {note.error_agreed_by.name} agreed"
        return "ENTERED IN ERROR", f"{said} on {when(note.error_agreed_at)}.", True
    if note.status is NoteStatus.APPROVED:
        return "APPROVED", f"By {last.decided_by.name} on {when(last.decided_at)}.", True
    if note.status is NoteStatus.RETURNED:
        return "NOT APPROVED", f"Returned by {last.decided_by.name} on {when(last.decided_at)}: “{last.reason}”.", False
    if note.department_id is None:
        return "SUPERVISOR'S OWN", "A supervisor's note needs no approval.", True
    return "NOT APPROVED", "No supervisor has approved this yet.", False


def _changed(note: Note) -> datetime:
    last = note.signings[-1]
    return max(at for at in (last.signed_at, last.decided_at, note.error_agreed_at) if at)
