"""A patient's signed notes, newest first; those that wait for a supervisor; and what a person has not finished."""

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select
from sqlalchemy.orm import aliased, joinedload, selectinload

from clinic.extensions import db
from clinic.models import Draft, Note, NoteSigning, NoteStatus, NoteType, Patient, Role, User
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import is_given, may_see, visible_patients

NEWEST = Order((Note.id,), descending=True)
ADDENDUM = aliased(Note)
SHOWN = 20  # of one page
MOST_WAITING = 200
MOST_OF_A_VISIT = 100
MOST_PRINTED = 500
MOST_AUTHORS = 200
MOST_DRAFTS = 50
UNFINISHED = re.compile(r"/patients/(?P<patient>\d{1,18})/notes/(?:new|(?P<note>\d{1,18})/(?P<act>again|addendum))")
SIGNINGS = (
    selectinload(Note.signings).joinedload(NoteSigning.decided_by),
    selectinload(Note.signings).joinedload(NoteSigning.signed_by),
)
PEOPLE = (joinedload(Note.author), joinedload(Note.error_said_by), joinedload(Note.error_agreed_by))


def notes_of(
    viewer: User,
    patient_id: int,
    *,
    type: NoteType | None = None,
    author_id: int | None = None,
    unapproved: bool = False,
    after: int | None = None,
    before: int | None = None,
) -> Page[Note]:
    """A page of a patient's notes, newest first, each with its addenda, signings and people.

    `author_id`, `unapproved`: also notes of which an addendum is theirs, or is not approved. The number of queries does not depend on
    how many there are.
    """
    found = _visible(viewer, patient_id).where(Note.addendum_to_id.is_(None))
    if type:
        found = found.where(Note.type == type)
    if author_id:
        found = found.where(_itself_or_an_addendum(lambda note: note.author_id == author_id))
    if unapproved:
        found = found.where(_itself_or_an_addendum(_is_unapproved))
    return page_of(_whole(found), NEWEST, size=SHOWN, after=after, before=before)


def note_for(viewer: User, patient_id: int, note_id: int) -> Note | None:
    """One note or addendum of a patient with all that was signed of it; None for one that the viewer may not see."""
    return db.session.execute(_whole(_visible(viewer, patient_id).where(Note.id == note_id))).scalar_one_or_none()


def notes_to_print(viewer: User, patient_id: int) -> list[Note]:
    """All notes of a patient in the order in which they were written, with their addenda; the newest `MOST_PRINTED`."""
    found = _visible(viewer, patient_id).where(Note.addendum_to_id.is_(None))
    newest = _whole(found).order_by(Note.id.desc()).limit(MOST_PRINTED)
    return list(reversed(db.session.execute(newest).scalars().all()))


def authors_of(viewer: User, patient_id: int) -> list[User]:
    """Who has written notes of a patient, by name."""
    wrote = _visible(viewer, patient_id).with_only_columns(Note.author_id)
    people = select(User).where(User.id.in_(wrote)).order_by(User.name, User.id).limit(MOST_AUTHORS)
    return list(db.session.execute(people).scalars())


# --- the seam for the gates -------------------------------------------------------------------------------------------


def notes_of_visit(visit_id: int) -> list[Note]:
    """The signed notes and addenda of a visit, oldest first, with author and signings; not those entered in error.

    For what decides about the visit: nobody is asked whether they may see it. Three queries.
    """
    found = select(Note).where(Note.visit_id == visit_id, Note.status != NoteStatus.IN_ERROR)
    rows = found.options(joinedload(Note.author), *SIGNINGS).order_by(Note.id).limit(MOST_OF_A_VISIT)
    return list(db.session.execute(rows).scalars())


def digest_of(note: Note) -> str:
    """The SHA-256 of what was signed last of a note whose signings are loaded."""
    last: NoteSigning = note.signings[-1]
    return last.sha256


# --- for approval -----------------------------------------------------------------------------------------------------


def waiting_notes(viewer: User) -> list[Note]:
    """The notes that wait for the viewer, longest first; `MOST_WAITING` at most."""
    waiting = _decided_on(_waiting(viewer)).order_by(Note.signed_at, Note.id).limit(MOST_WAITING)
    return list(db.session.execute(waiting).scalars())


def waiting_ids(viewer: User) -> Select[Any]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting(viewer).with_only_columns(Note.id)


def decidable_note_for(viewer: User, note_id: int) -> Note | None:
    """One note that is the viewer's to decide, or was."""
    decides = and_(_of_department(viewer), may_see(viewer, Note.patient_id))
    return db.session.execute(_decided_on(select(Note).where(Note.id == note_id, decides))).scalar_one_or_none()


def _waiting(viewer: User) -> Select[Any]:
    return select(Note).where(
        Note.status == NoteStatus.SIGNED,
        Note.author_id != viewer.id,
        _of_department(viewer),
        is_given(viewer, Note.patient_id),
    )


def _of_department(viewer: User) -> ColumnElement[bool]:
    """As `operations.notes` judges it: a supervisor of the department of the student who wrote it."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return false()
    return Note.department_id == viewer.department_id


def _decided_on(notes: Select[Any]) -> Select[Any]:
    return notes.options(
        *PEOPLE, *SIGNINGS, joinedload(Note.visit), joinedload(Note.patient).selectinload(Patient.alerts)
    )


# --- unfinished -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unfinished:
    """A note that a person began and has not signed. `words`: the beginning of what they wrote."""

    patient: Patient
    what: str  # a note, an addendum, a returned note
    url: str
    words: str
    at: datetime


def unfinished_notes(viewer: User, patient_id: int | None = None) -> list[Unfinished]:
    """The notes that the viewer has begun and not signed, latest first; only of patients whom they may still write about. Two queries."""
    drafts = select(Draft).where(Draft.user_id == viewer.id, Draft.form.like("/patients/%/notes/%"))
    found = db.session.execute(drafts.order_by(Draft.updated_at.desc(), Draft.form).limit(MOST_DRAFTS)).scalars().all()
    places = {draft.form: UNFINISHED.fullmatch(draft.form) for draft in found}
    ids = {int(place["patient"]) for place in places.values() if place}
    if patient_id is not None:
        ids &= {patient_id}
    if not ids:
        return []
    seen = visible_patients(viewer).where(
        Patient.id.in_(ids), is_given(viewer, Patient.id), Patient.archived_at.is_(None)
    )
    patients = {patient.id: patient for patient in db.session.execute(seen).scalars()}
    return [
        Unfinished(patients[int(place["patient"])], WHAT[place["act"]], draft.form, _beginning(draft), draft.updated_at)
        for draft in found
        if (place := places[draft.form]) and int(place["patient"]) in patients
    ]


WHAT = {None: "a note", "addendum": "an addendum", "again": "a returned note"}


def _beginning(draft: Draft) -> str:
    text = " ".join(" ".join(json.loads(draft.fields).get("text", ())).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


# --- how they are read ------------------------------------------------------------------------------------------------


def _visible(viewer: User, patient_id: int) -> Select[Any]:
    return select(Note).where(Note.patient_id == patient_id, may_see(viewer, Note.patient_id))


def _whole(notes: Select[Any]) -> Select[Any]:
    addenda = selectinload(Note.addenda)
    return notes.options(
        *PEOPLE,
        *SIGNINGS,
        joinedload(Note.visit),
        addenda.joinedload(Note.author),
        addenda.joinedload(Note.error_said_by),
        addenda.joinedload(Note.error_agreed_by),
        addenda.selectinload(Note.signings).joinedload(NoteSigning.decided_by),
        addenda.selectinload(Note.signings).joinedload(NoteSigning.signed_by),
    )


def _is_unapproved(note: Any) -> ColumnElement[bool]:
    """Signed by a student and not approved; returned too."""
    waits = and_(note.status == NoteStatus.SIGNED, note.department_id.is_not(None))
    return or_(waits, note.status == NoteStatus.RETURNED)


def _itself_or_an_addendum(condition: Any) -> ColumnElement[bool]:
    return or_(condition(Note), exists().where(ADDENDUM.addendum_to_id == Note.id, condition(ADDENDUM)))
