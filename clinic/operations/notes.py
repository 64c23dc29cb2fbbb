"""Signing notes and deciding about them. What is not signed is a draft (operations/drafts.py), and its author's alone.

A signing keeps the exact words; an approval or return is of exactly that signing. A returned note is signed anew by its author; after
approval nothing changes, and addenda are written, which are notes with the same life. Locks: the patient, then the note.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, select

from clinic import audit, clock, live
from clinic.canonical import digest
from clinic.chart import teeth as tooth
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import when, words
from clinic.models import (
    Decision,
    Execution,
    Note,
    NoteSigning,
    NoteStatus,
    NoteType,
    Patient,
    Role,
    User,
    Visit,
)
from clinic.notes.signed import SAID, said_in, signed_body
from clinic.operations.chart import line, needed
from clinic.operations.deciding import check_decides, is_given_to, tell_author
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries.scope import supervisors_given

MOST_TEXT = 15_000  # characters; a draft of it fits too
MOST_ADDENDA = 200
MOST_TOLD = 20
OWN = "You wrote this yourself. Another supervisor of the department decides."
IN_WORDS = {Decision.APPROVED: "approved", Decision.RETURNED: "returned"}


@dataclass(frozen=True)
class Said:
    """What a note says. `teeth`: keys of the chart."""

    type: NoteType
    text: str
    execution: Execution | None = None
    procedure: str = ""
    teeth: tuple[str, ...] = ()
    outcome: str = ""
    visit_id: int | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """As a note's row has it."""
        return {
            "type": self.type,
            "text": self.text,
            "execution": self.execution,
            "procedure": self.procedure,
            "teeth": " ".join(self.teeth),
            "outcome": self.outcome,
            "visit_id": self.visit_id,
        }


# --- signing ----------------------------------------------------------------------------------------------------------


def sign_note(patient: Patient, *, said: Said, actor: User) -> Note:
    """A new note, signed. A student's waits for a supervisor of their department; a supervisor's own is final."""
    patient = _patient_to_write(patient.id, actor)
    said = _fit(said, patient, actor)
    return _new(patient, said, None, actor)


def add_addendum(note_id: int, *, text: str, visit_id: int | None = None, actor: User) -> Note:
    """Something further to a signed note, which stays as it is. It is a note by itself, with a signing and an approval of its own."""
    note, patient = _locked(note_id, actor)
    if note.addendum_to_id is not None:
        raise DomainError("This is an addendum itself. Write a further one to the note that it belongs to.")
    if note.status is NoteStatus.RETURNED:
        raise Conflict(f"{how_it_stands(note)} Its author writes it anew; then addenda can be written.")
    if note.status is NoteStatus.IN_ERROR:
        raise DomainError(f"{how_it_stands(note)} Write a new note instead.")
    many = select(Note.id).where(Note.addendum_to_id == note.id).limit(MOST_ADDENDA)
    if len(db.session.execute(many).all()) == MOST_ADDENDA:
        raise DomainError(f"This note has {MOST_ADDENDA} addenda. Write a new note.")
    # A student may add to a supervisor's review; what they add is none.
    is_theirs = note.type is not NoteType.SUPERVISOR_REVIEW or actor.role is Role.SUPERVISOR
    kind = note.type if is_theirs else NoteType.OBSERVATION
    said = _fit(Said(type=kind, text=text, visit_id=visit_id), patient, actor)
    return _new(patient, said, note, actor)


def sign_again(note_id: int, *, version: int, said: Said, actor: User) -> Note:
    """A returned note as its author wrote it anew; what was signed before stays.

    Raises Conflict, with both texts, when it stands otherwise.
    """
    note, patient = _locked(note_id, actor)
    if note.author_id != actor.id:
        raise NotAllowed("Only whoever wrote a note writes it anew. You can add an addendum once it is signed.")
    if note.status is not NoteStatus.RETURNED or note.version != version:
        raise Conflict(how_it_stands(note), theirs=_texts(note), mine={"text": said.text, "outcome": said.outcome})
    if note.addendum_to_id is not None:
        said = replace(said, type=note.type)
    said = _fit(said, patient, actor)
    last = _last_signing(note)
    before = _said_by(note)
    for name, value in said.columns.items():
        setattr(note, name, value)
    note.status, note.signed_at, note.department_id = NoteStatus.SIGNED, clock.now(), _deciding(actor)
    db.session.flush()
    signing = _sign(note, patient, last.number + 1, actor)
    changed = {name: value for name, value in _said_by(note).items() if before[name] != value}
    _record("note.sign_again", "Signed anew", note, patient, actor, after={"sha256": signing.sha256} | changed)
    _nudge(note)
    return note


# --- deciding ---------------------------------------------------------------------------------------------------------


def approve_note(note_id: int, *, version: int, actor: User, reason: str = "") -> Note:
    """Approve exactly what was signed last. Everything is judged again as it is now, and the words are held against their digest."""
    note, patient, signing = _waiting(note_id, version, actor)
    if digest(signing.signed) != signing.sha256 or said_in(signing.signed) != _said_by(note):
        raise DomainError("This note does not read as it was signed. Nothing was approved; tell an administrator.")
    return _decide(note, patient, signing, Decision.APPROVED, line(reason), actor)


def return_note(note_id: int, *, version: int, reason: str, actor: User) -> Note:
    """Give it back to its author with a reason; they write it anew."""
    note, patient, signing = _waiting(note_id, version, actor)
    told = needed(reason, "Write why you return it; its author reads that.")
    return _decide(note, patient, signing, Decision.RETURNED, told, actor)


def check_may_decide(note: Note, actor: User) -> None:
    """Raise, with the sentence that says who can, when this person does not decide this."""
    check_decides(actor, department_id=note.department_id, patient_id=note.patient_id)
    if note.author_id == actor.id:
        raise DomainError(OWN)


def how_it_stands(note: Note) -> str:
    """Who did what to a note, and when: what stands now."""
    author = db.session.get_one(User, note.author_id)
    if note.status is NoteStatus.IN_ERROR:
        assert note.error_agreed_at is not None
        by = db.session.get_one(User, note.error_said_by_id)
        second = db.session.get_one(User, note.error_agreed_by_id)
        return (
            f"{by.name} said that this was entered in error, and {second.name} agreed on {when(note.error_agreed_at)}."
        )
    if note.status is NoteStatus.SIGNED:
        waits = "it is not approved yet." if note.department_id else "as a supervisor's own it needs no approval."
        return f"{author.name} signed this on {when(note.signed_at)}; {waits}"
    last = _last_signing(note)
    assert last.decided_at is not None
    assert last.decision is not None
    by = db.session.get_one(User, last.decided_by_id)
    why = f" “{last.reason}”" if last.reason else ""
    return f"{by.name} {IN_WORDS[last.decision]} this on {when(last.decided_at)}.{why}"


# --- entered in error -------------------------------------------------------------------------------------------------


def say_in_error(note_id: int, *, version: int, reason: str, actor: User) -> Note:
    """Say of a note that it should never have been there; it holds until a second person agrees, and stays to be read then too."""
    note, patient = _locked(note_id, actor)
    _refuse_other(note, version)
    if note.status is NoteStatus.IN_ERROR or note.error_said_by_id is not None:
        raise Conflict(_how_error_stands(note))
    _check_concerns(note, actor)
    told = needed(reason, "Write why this was an error; it stays with the note.")
    note.error_reason, note.error_said_by_id, note.error_said_at = told, actor.id, clock.now()
    db.session.flush()
    _record("note.say_in_error", "Said to be entered in error:", note, patient, actor, reason=told)
    _nudge(note)
    said = f"{actor.name} says that the {words(note.type)} note of {patient.code} was entered in error: {told}. Do you agree?"
    for person_id in _second_people(note, actor):
        tell(
            person_id, said, kind="note.said_in_error", url=address_of(note), patient_id=patient.id,
            once=f"note in error {note.id} {note.version} {person_id}",
        )  # fmt: skip
    return note


def agree_error(note_id: int, *, version: int, actor: User) -> Note:
    """The second person agrees: the note is struck from now on, and stays to be read."""
    note, patient = _locked(note_id, actor)
    _refuse_not_said(note, version)
    _check_concerns(note, actor)
    if note.error_said_by_id == actor.id:
        raise DomainError("You said this yourself. A second person agrees: the author, or a supervisor.")
    note.status = NoteStatus.IN_ERROR
    note.error_agreed_by_id, note.error_agreed_at = actor.id, clock.now()
    db.session.flush()
    _record(
        "note.agree_in_error", "Agreed that this was entered in error:", note, patient, actor, reason=note.error_reason
    )
    _nudge(note)
    _tell_sayer(note, patient, "agreed that this was entered in error", actor)
    return note


def refuse_error(note_id: int, *, version: int, actor: User) -> Note:
    """It was no error after all: whoever said so takes it back, or the second person does not agree. The note holds as before."""
    note, patient = _locked(note_id, actor)
    _refuse_not_said(note, version)
    _check_concerns(note, actor)
    said_by, why = note.error_said_by_id, note.error_reason
    note.error_reason, note.error_said_by_id, note.error_said_at = "", None, None
    db.session.flush()
    _record("note.not_in_error", "No longer said to be entered in error:", note, patient, actor, reason=why)
    _nudge(note)
    if said_by is not None and said_by != actor.id:
        tell_author(
            said_by,
            f"{actor.name} does not agree that the {words(note.type)} note of {patient.code} was entered in error.",
            otherwise=f"{actor.name} does not agree that a note was entered in error, as you said.",
            kind="note.not_in_error",
            url=address_of(note),
            patient_id=patient.id,
        )
    return note


# --- what the above share ---------------------------------------------------------------------------------------------


def address_of(note: Note) -> str:
    """The page of a note."""
    return f"/patients/{note.patient_id}/notes/{note.id}"


def _new(patient: Patient, said: Said, to: Note | None, actor: User) -> Note:
    made: Any = db.session.execute(
        insert(Note).values(
            patient_id=patient.id,
            addendum_to_id=to.id if to else None,
            author_id=actor.id,
            department_id=_deciding(actor),
            status=NoteStatus.SIGNED,
            signed_at=clock.now(),
            error_reason="",
            version=1,
            **said.columns,
        )
    )
    note = db.session.get_one(Note, made.inserted_primary_key[0])
    signing = _sign(note, patient, 1, actor)
    act, did = ("note.addendum", "Signed an addendum:") if to else ("note.sign", "Signed")
    _record(act, did, note, patient, actor, after={"sha256": signing.sha256} | _said_by(note))
    _nudge(note)
    return note


def _sign(note: Note, patient: Patient, number: int, actor: User) -> NoteSigning:
    about = {
        "note": note.id,
        "addendum_to": note.addendum_to_id,
        "number": number,
        "patient": patient.id,
        "patient_code": patient.code,
        "patient_name": patient.name,
        "author": actor.id,
        "author_name": actor.name,
        "author_role": str(actor.role),
        "signed_at": note.signed_at.isoformat(),
    }
    body = signed_body(_said_by(note), about)
    signing = NoteSigning(
        note_id=note.id,
        number=number,
        signed=body,
        sha256=digest(body),
        signed_by_id=actor.id,
        signed_at=note.signed_at,
    )
    db.session.add(signing)
    db.session.flush()
    return signing


def _deciding(actor: User) -> int | None:
    """The department whose supervisors decide; none for a supervisor's own."""
    if actor.role is Role.SUPERVISOR:
        return None
    if actor.department_id is None:
        raise DomainError("You have no department whose supervisors could approve this. Ask an administrator.")
    return actor.department_id


def _decide(note: Note, patient: Patient, signing: NoteSigning, decision: Decision, reason: str, actor: User) -> Note:
    note.status = NoteStatus(decision.value)
    signing.decision, signing.reason = decision, reason
    signing.decided_by_id, signing.decided_at = actor.id, clock.now()
    db.session.flush()
    act, did = f"note.{'approve' if decision is Decision.APPROVED else 'return'}", IN_WORDS[decision].capitalize()
    after = {"status": note.status, "number": signing.number, "sha256": signing.sha256}
    _record(act, did, note, patient, actor, before={"status": NoteStatus.SIGNED}, after=after, reason=reason or None)
    _nudge(note)
    said = f"{actor.name} {IN_WORDS[decision]} your {words(note.type)} note of {patient.code}"
    again = f"{address_of(note)}/again" if decision is Decision.RETURNED else address_of(note)
    tell_author(
        note.author_id,
        f"{said}: {reason}" if reason else f"{said}.",
        otherwise=f"{actor.name} {IN_WORDS[decision]} a note of yours.",
        kind=f"note.{IN_WORDS[decision]}",
        url=again,
        patient_id=patient.id,
    )
    return note


def _waiting(note_id: int, version: int, actor: User) -> tuple[Note, Patient, NoteSigning]:
    """A note that waits for the actor's word, with what was signed last. Raises Conflict when it is decided or changed."""
    patient_id = db.session.execute(select(Note.patient_id).where(Note.id == note_id)).scalar_one()
    patient = locked(Patient, patient_id, shared=True)
    note = locked(Note, note_id)
    if not note.needs_approval or note.version != version:
        raise Conflict(how_it_stands(note))
    check_may_decide(note, actor)
    _refuse_archived(patient)
    return note, patient, _last_signing(note)


def _locked(note_id: int, actor: User) -> tuple[Note, Patient]:
    """A note, locked after its patient, to whom the actor writes."""
    patient_id = db.session.execute(select(Note.patient_id).where(Note.id == note_id)).scalar_one()
    patient = _patient_to_write(patient_id, actor)
    return locked(Note, note_id), patient


def _patient_to_write(patient_id: int, actor: User) -> Patient:
    patient = locked(Patient, patient_id, shared=True)
    if actor.role not in (Role.STUDENT, Role.SUPERVISOR):
        raise NotAllowed("Students and supervisors write notes.")
    if not is_given_to(actor, patient_id):
        raise NotAllowed("You are not given this patient. Ask to be assigned before you write.")
    _refuse_archived(patient)
    return patient


def _refuse_archived(patient: Patient) -> None:
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to write or decide about notes.")


def _fit(said: Said, patient: Patient, actor: User) -> Said:
    """What is said, held against the rules. Raises DomainError, NotAllowed."""
    if said.type is NoteType.SUPERVISOR_REVIEW and actor.role is not Role.SUPERVISOR:
        raise NotAllowed("A supervisor's review is written by supervisors.")
    if not said.text.strip():
        raise DomainError("Write the note before you sign it.")
    if len(said.text) > MOST_TEXT:
        raise DomainError(f"At most {MOST_TEXT:,} characters in a note. Write the rest as an addendum.")
    if len(said.procedure) > 200 or len(said.outcome) > 1000:
        raise DomainError("At most 200 characters for the procedure and 1,000 for the outcome.")
    if len(said.teeth) > tooth.MOST_NAMED or any(
        not (tooth.is_tooth(key) or tooth.is_extra(key)) for key in said.teeth
    ):
        raise DomainError(f"At most {tooth.MOST_NAMED} teeth, each by its number.")
    if said.visit_id is not None:
        of_patient = select(Visit.id).where(Visit.id == said.visit_id, Visit.patient_id == patient.id)
        if db.session.execute(of_patient).first() is None:
            raise DomainError("This visit is not one of the patient. Reload the page.")
    return said


def _check_concerns(note: Note, actor: User) -> None:
    if actor.role is not Role.SUPERVISOR and note.author_id != actor.id:
        raise NotAllowed("Only whoever wrote a note, or a supervisor, says that it was entered in error.")


def _refuse_other(note: Note, version: int) -> None:
    if note.version != version:
        raise Conflict(how_it_stands(note))


def _refuse_not_said(note: Note, version: int) -> None:
    if note.status is NoteStatus.IN_ERROR:
        raise Conflict(how_it_stands(note))
    if note.error_said_by_id is None:
        raise Conflict("Nobody says any more that this was entered in error. Reload the page to see how it stands.")
    _refuse_other(note, version)


def _how_error_stands(note: Note) -> str:
    if note.status is NoteStatus.IN_ERROR:
        return how_it_stands(note)
    assert note.error_said_at is not None
    by = db.session.get_one(User, note.error_said_by_id)
    said = f"{by.name} said that this was entered in error on {when(note.error_said_at)}: “{note.error_reason}”"
    return f"{said} A second person has to agree."


def _second_people(note: Note, actor: User) -> list[int]:
    """Who is asked whether they agree: the author, or when they said it themselves the supervisors of the patient."""
    if note.author_id != actor.id:
        author = db.session.get_one(User, note.author_id)
        if author.active and is_given_to(author, note.patient_id):
            return [author.id]
    given = supervisors_given(note.patient_id)
    if actor.department_id is not None:
        given = given.where(given.selected_columns.department_id == actor.department_id)
    rows = db.session.execute(given.order_by(given.selected_columns.id).limit(MOST_TOLD + 1)).all()
    return [person_id for person_id, _department in rows if person_id != actor.id][:MOST_TOLD]


def _tell_sayer(note: Note, patient: Patient, outcome: str, actor: User) -> None:
    assert note.error_said_by_id is not None
    tell_author(
        note.error_said_by_id,
        f"{actor.name} {outcome}: the {words(note.type)} note of {patient.code}.",
        otherwise=f"{actor.name} agreed that a note was entered in error, as you said.",
        kind="note.in_error",
        url=address_of(note),
        patient_id=patient.id,
    )


def _last_signing(note: Note) -> NoteSigning:
    newest = select(NoteSigning).where(NoteSigning.note_id == note.id).order_by(NoteSigning.number.desc()).limit(1)
    return db.session.execute(newest.with_for_update().execution_options(populate_existing=True)).scalar_one()


def _said_by(note: Note) -> dict[str, Any]:
    """What a note's row says, as a signing keeps it."""
    return {
        name: str(value) if isinstance(value := getattr(note, name), NoteType | Execution) else value for name in SAID
    }


def _texts(note: Note) -> dict[str, Any]:
    return {"text": note.text, "outcome": note.outcome}


def _record(act: str, did: str, note: Note, patient: Patient, actor: User, **more: Any) -> None:
    audit.record(
        act,
        f"{did} the {words(note.type)} note of {patient.name}, {patient.code}",
        actor=actor,
        subject=note,
        patient=patient,
        **more,
    )


def _nudge(note: Note) -> None:
    if note.department_id is not None:
        live.nudge(f"approvals:{note.department_id}")
