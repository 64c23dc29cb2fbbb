"""Filing documents: what is known of each, while its bytes come in, and after. The bytes themselves go by clinic/incoming.py.

A row comes first and is committed, then the bytes, then the row says that they are there: so an object always has a row that names
it, and a row that calls its document available never lacks its bytes (docs/decisions/0046-documents.md).
"""

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select

from clinic import audit, clock, live, settings
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import bytes_of, number_of, when, words
from clinic.models import Category, Document, DocumentStatus, Patient, Projection, Role, User, Visit, categories_of
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries.documents import ASK_PURGE, decides_purge, last_act_on, newer_of
from clinic.queries.scope import is_given, supervisors_given
from clinic.storage import Stored

MIB = 2**20
WRONG = "Its bytes are not what was stored."
MISSING = "Its bytes are not in the object store."
DAMAGE = (WRONG, MISSING)  # the quarantine for this ends when the bytes are right again
MOST_TOLD = 50
COMING = timedelta(hours=4)  # an upload that takes longer is given up
OWN = "You asked for this yourself. Another supervisor of the patient decides."
# What becomes of the wish that a document is purged, as one says of whoever did it.
DONE_ABOUT_PURGE = {
    ASK_PURGE: "asked for this",
    "document.withdraw_purge": "withdrew this",
    "document.return_purge": "returned this",
    "document.restore": "restored the document",
    "document.purge": "purged this",
}
# What the names of files say they are, the later word before the earlier.
NAMED = {"consent": Category.CONSENT, "letter": Category.LETTER, "referral": Category.LETTER} | dict.fromkeys(
    ("opg", "xray", "x-ray", "bitewing", "periapical", "radiograph", "panoramic"), Category.RADIOGRAPH
)
FIELDS = ("category", "projection", "teeth", "taken_on", "visit_id", "description")


@dataclass(frozen=True)
class Said:
    """What a person says a document is. `teeth`: keys of the chart."""

    category: Category
    projection: Projection | None = None
    teeth: tuple[str, ...] = ()
    taken_on: date | None = None
    visit_id: int | None = None
    description: str = ""


@dataclass(frozen=True)
class Content:
    """What the bytes turned out to be. `remarks`: what one should know of it; `danger`: why nobody may read it, empty when all may."""

    stored: Stored
    media_type: str
    width: int | None = None
    height: int | None = None
    pages: int | None = None
    remarks: str = ""
    danger: str = ""


def begin_document(patient: Patient, *, once: str, size: int = 0, replaces: int | None = None, actor: User) -> Document:
    """A document whose bytes are about to come; commit before they do. The same `once` again answers what came of the first.

    `size`: how many bytes are announced at most; they count from now on. Raises DomainError when the patient is archived or the person
    has added too much today, Conflict when the document that it is to replace has been replaced or the same upload is still under way.
    """
    locked(User, actor.id)  # so that two uploads at once are both counted
    before = db.session.execute(select(Document).where(Document.once == once)).scalar_one_or_none()
    if before is not None:
        if before.status is DocumentStatus.PENDING:
            raise Conflict(
                "The same file is coming in already, or was cut off on its way. Reload the page and send it again."
            )
        return before
    _refuse_archived(patient)
    _refuse_too_many(actor, size)
    if replaces is not None:
        _refuse_replaced(patient, replaces, actor)
    document = Document(
        patient_id=patient.id,
        category=Category.OTHER,
        name="document",
        key=f"documents/{secrets.token_hex(16)}",
        once=once,
        size=size,
        uploaded_by_id=actor.id,
        created_at=clock.now(),
    )
    db.session.add(document)
    db.session.flush()
    return document


def _refuse_too_many(actor: User, size: int) -> None:
    """What is on its way counts as announced. What failed counts for nothing: it takes no room, and a bad line is no fault of theirs."""
    mine = select(func.count(), func.coalesce(func.sum(Document.size), 0)).where(
        Document.uploaded_by_id == actor.id,
        Document.created_at >= clock.start_of(clock.today()),
        Document.status != DocumentStatus.FAILED,
    )
    count, used = (int(value) for value in db.session.execute(mine).one())
    most, most_mib = settings.read("documents_a_day"), settings.read("document_mib_a_day")
    if count >= most:
        raise DomainError(
            f"You added {number_of(count, 'file')} today, which is the most for one person. An administrator can raise it."
        )
    if used + size > most_mib * MIB:
        raise DomainError(
            f"You added {bytes_of(used)} today, with what is on its way. With this file it would be more than the "
            f"{bytes_of(most_mib * MIB)} that one person may add in a day. An administrator can raise it."
        )


def _refuse_replaced(patient: Patient, replaces: int, actor: User) -> None:
    # The front desk is not to learn of a picture of the mouth, nor to put one out of sight.
    theirs = Document.category.in_(categories_of(actor.role))
    found = select(Document).where(
        Document.id == replaces,
        Document.patient_id == patient.id,
        Document.status == DocumentStatus.AVAILABLE,
        theirs,
    )
    former = db.session.execute(found.with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()
    if former is None:
        raise DomainError("The document that this is a newer file of is not there any more. Reload the page.")
    newer = newer_of(former)
    if newer is None:
        return
    if newer.category in categories_of(actor.role):
        raise Conflict("Somebody else has added a newer file of this already. Reload the page and look at that first.")
    raise Conflict(
        "A newer file of this is in the record, of a kind that is not yours. Ask the student to add this one."
    )


def finish_document(
    document_id: int, *, name: str, said: Said, content: Content, replaces: int | None = None, actor: User
) -> Document:
    """The bytes are in the store: from now on they can be read, or are in quarantine. Asked twice, nothing happens."""
    document = locked(Document, document_id)
    if document.status is DocumentStatus.FAILED:
        raise DomainError(f"The file was given up meanwhile. {document.why}")
    if document.status is not DocumentStatus.PENDING:
        return document
    patient = db.session.get_one(Patient, document.patient_id)
    _say(document, patient, said, actor)
    if replaces is not None:
        _refuse_replaced(patient, replaces, actor)
        document.replaces_id = replaces
    stored = content.stored
    document.name, document.media_type = name, content.media_type
    document.size, document.sha256, document.parts = stored.size, stored.digest, " ".join(stored.parts)
    document.width, document.height, document.pages = content.width, content.height, content.pages
    document.remarks = content.remarks[:300]
    document.available_at = document.checked_at = clock.now()
    document.status = DocumentStatus.QUARANTINED if content.danger else DocumentStatus.AVAILABLE
    document.why = content.danger[:300]
    what = "Added" if not content.danger else "Added to quarantine"
    audit.record(
        "document.add",
        f"{what} {_named(document)} of {patient.name}, {patient.code}",
        actor=actor,
        subject=document,
        patient=patient,
        after=_told(document) | {"sha256": stored.digest, "size": stored.size},
        reason=content.danger or None,
    )
    db.session.flush()
    if content.danger:
        _tell_administrators(document)
    return document


def fail_document(document_id: int, *, why: str, actor: User | None = None) -> bool:
    """Its bytes did not arrive whole, or are nothing that is kept: says so, and lets the same form send it again.

    Answers False, and does nothing, when it is not on its way any more.
    """
    document = locked(Document, document_id)
    if document.status is not DocumentStatus.PENDING:
        return False
    document.status, document.why, document.once = DocumentStatus.FAILED, why[:300], f"failed {document.id}"
    document.size = 0
    audit.record(
        "document.fail",
        "A document did not arrive",
        actor=actor,
        subject=document,
        patient=document.patient_id,
        reason=document.why,
    )
    db.session.flush()
    return True


def describe_document(document_id: int, *, version: int, said: Said, actor: User) -> Document:
    """Say anew what a document is."""
    document = _locked(document_id, version)
    if document.status is not DocumentStatus.AVAILABLE:
        raise _changed_meanwhile(document)
    patient, before = _patient_to_change(document), _told(document)
    _say(document, patient, said, actor)
    after = _told(document)
    if after == before:
        return document
    audit.record(
        "document.describe",
        f"Said anew what {_named(document)} of {patient.name}, {patient.code}, is",
        actor=actor,
        subject=document,
        patient=patient,
        before=before,
        after=after,
    )
    db.session.flush()
    return document


def delete_document(document_id: int, *, version: int, reason: str, actor: User) -> Document:
    """Put a document away; it can be restored, and its bytes stay. What is in quarantine stays in it, with its own reason."""
    document = _locked(document_id, version)
    if document.status not in (DocumentStatus.AVAILABLE, DocumentStatus.QUARANTINED) or document.deleted_at:
        raise _changed_meanwhile(document)
    _patient_to_change(document)
    _refuse_clinical(document, actor)
    if not may_delete(document, actor):
        raise DomainError("What is in quarantine is deleted by whoever added it, or by a supervisor of the patient.")
    if document.status is DocumentStatus.AVAILABLE:
        document.status, document.why = DocumentStatus.DELETED, reason
    document.deleted_at, document.deleted_by_id = clock.now(), actor.id
    _tell("document.delete", "Deleted", document, actor=actor, reason=reason)
    return document


def may_delete(document: Document, person: User) -> bool:
    """Whether this person, who files documents, may delete it as it is: what is in quarantine not everybody."""
    shown = (DocumentStatus.AVAILABLE, DocumentStatus.QUARANTINED)
    theirs = person.role is Role.SUPERVISOR or person.id == document.uploaded_by_id
    free = document.status is DocumentStatus.AVAILABLE or theirs
    return document.status in shown and document.deleted_at is None and free


def restore_document(document_id: int, *, version: int, actor: User) -> Document:
    """Bring a deleted document back as it was: into quarantine what was there, and behind newer files of the same thing."""
    document = _locked(document_id, version, is_away=True)
    _patient_to_change(document)
    _refuse_clinical(document, actor)
    if document.status is DocumentStatus.DELETED:
        document.status, document.why = DocumentStatus.AVAILABLE, ""
    document.deleted_at = document.deleted_by_id = None
    asked_by = document.purge_asked_by_id
    _forget_purge(document)
    _tell("document.restore", "Restored", document, actor=actor)
    if asked_by is not None:
        _answer(document, asked_by, "restored this, so nobody purges it", kind="document.restored", actor=actor)
    return document


def ask_purge(document_id: int, *, version: int, reason: str, actor: User) -> Document:
    """Ask that the bytes of a deleted document are taken away for good; a supervisor decides, who is somebody else."""
    document = _locked(document_id, version, is_away=True)
    _patient_to_change(document)
    _refuse_clinical(document, actor)
    _refuse_kept(document)
    if document.purge_asked_by_id is not None:
        by = db.session.get_one(User, document.purge_asked_by_id).name
        raise Conflict(f"{by} has asked for this already. A supervisor of the patient decides.")
    document.purge_asked_by_id, document.purge_asked_at = actor.id, clock.now()
    document.purge_reason = reason
    _tell(ASK_PURGE, "Asked to purge", document, actor=actor, reason=reason)
    _nudge_deciders(document)
    return document


def withdraw_purge(document_id: int, *, version: int, actor: User) -> Document:
    """Whoever asked for it takes it back: the document stays deleted, and can be restored."""
    document = _locked(document_id, version, is_away=True)
    if document.purge_asked_by_id != actor.id:
        raise NotAllowed("Only whoever asked for this can withdraw it. A supervisor can return it with a reason.")
    _forget_purge(document)
    _tell("document.withdraw_purge", "No longer asked to purge", document, actor=actor)
    _nudge_deciders(document)
    return document


def purge_document(document_id: int, *, version: int, actor: User, reason: str = "") -> Document:
    """The second person agrees: the bytes are taken from the store within the hour (operations/reconciling.py), the row stays."""
    document = _asked_to_purge(document_id, version, actor)
    _patient_to_change(document)
    _refuse_kept(document)
    asked_by, why = document.purge_asked_by_id, document.purge_reason
    document.status = DocumentStatus.PURGED  # why it was deleted stays
    document.purged_at, document.purged_by_id = clock.now(), actor.id
    _tell("document.purge", "Purged", document, actor=actor, reason=reason or why)
    _answer(document, asked_by, "agreed, and this is purged", kind="document.purged", actor=actor)
    return document


def return_purge(document_id: int, *, version: int, reason: str, actor: User) -> Document:
    """The second person does not agree: the document stays deleted, and can be restored. Whoever asked is told why."""
    document = _asked_to_purge(document_id, version, actor)
    asked_by = document.purge_asked_by_id
    _forget_purge(document)
    _tell("document.return_purge", "Refused to purge", document, actor=actor, reason=reason)
    _answer(document, asked_by, f"does not purge this (“{reason}”)", kind="document.purge_returned", actor=actor)
    return document


def _asked_to_purge(document_id: int, version: int, actor: User) -> Document:
    """A document that waits for the actor's word. Raises Conflict, NotAllowed."""
    document = locked(Document, document_id)
    if document.purge_asked_by_id is None or not document.is_away:
        raise Conflict(how_purge_stands(document))
    if document.version != version:
        raise _changed_meanwhile(document)
    decides = select(Document.id).where(Document.id == document.id, decides_purge(actor))
    if not actor.active or db.session.execute(decides).first() is None:
        raise NotAllowed("A supervisor to whom the patient is given decides this.")
    if actor.id == document.purge_asked_by_id:
        raise NotAllowed(OWN)
    return document


def how_purge_stands(document: Document) -> str:
    """What was done last about purging a document: by whom, when and why."""
    last = last_act_on(document, *DONE_ABOUT_PURGE)
    if last is None:
        return "Nobody asks for this any more. Reload the page to see how it stands."
    why = f" “{last.reason}”" if last.act == "document.return_purge" else ""
    return f"{last.name} {DONE_ABOUT_PURGE[last.act]} on {when(last.at)}.{why}"


def _refuse_kept(document: Document) -> None:
    if settings.read("document_hold"):
        raise DomainError("Nothing is purged at the moment: the clinic has a legal hold. An administrator can lift it.")
    years = settings.read("document_years")
    if document.created_at > clock.now() - timedelta(days=365.25 * years):
        raise DomainError(
            f"Documents are kept for {number_of(years, 'year')} at least. An administrator can change that."
        )


def _forget_purge(document: Document) -> None:
    document.purge_asked_by_id = document.purge_asked_at = None
    document.purge_reason = ""


def _answer(document: Document, person_id: int | None, outcome: str, *, kind: str, actor: User) -> None:
    """Whoever asked, and whoever would have decided, hear what became of it; the link is the asker's only while they have the patient."""
    _nudge_deciders(document)
    asker = db.session.get(User, person_id) if person_id and person_id != actor.id else None
    if asker is None:
        return
    patient = db.session.get_one(Patient, document.patient_id)
    given = select(Patient.id).where(Patient.id == patient.id, is_given(asker, Patient.id))
    has_patient = db.session.execute(given).first() is not None
    tell(
        asker.id,
        f"{actor.name} {outcome}: {document.name} of {patient.code}",
        kind=kind,
        url=f"/patients/{patient.id}/documents/{document.id}" if has_patient else "",
        patient_id=patient.id if has_patient else None,
    )


def quarantine_document(document_id: int, *, why: str) -> bool:
    """Its bytes are not what was put there, or not safe: nobody reads it any more. Asked twice, nothing happens: answers whether it did."""
    document = locked(Document, document_id)
    if not document.is_readable:
        return False
    document.status, document.why = DocumentStatus.QUARANTINED, why[:300]
    _tell("document.quarantine", "Put into quarantine", document, actor=None, reason=why)
    _tell_administrators(document)
    return True


def _tell_administrators(document: Document) -> None:
    """Who the patient is they are not told here."""
    admins = select(User.id).where(User.role == Role.ADMIN, User.active.is_(True)).order_by(User.id).limit(MOST_TOLD)
    for person_id in db.session.scalars(admins):
        tell(
            person_id,
            f"Document number {document.id} is in quarantine: {document.why}",
            kind="document.quarantine",
            url="/status",
            once=f"quarantine {document.id} {document.version} {person_id}",
        )


def release_document(document_id: int) -> None:
    """Its bytes were read anew and are what was stored: it is as before the quarantine. Not for what a scanner said, nor twice."""
    document = locked(Document, document_id)
    if document.status is not DocumentStatus.QUARANTINED or document.why not in DAMAGE:
        return
    reason, document.why = document.why, ""
    document.status = DocumentStatus.DELETED if document.deleted_at else DocumentStatus.AVAILABLE
    _tell(
        "document.release",
        "Took out of quarantine",
        document,
        actor=None,
        reason=f"Read anew, it is right. Before: {reason}",
    )


def _say(document: Document, patient: Patient, said: Said, actor: User) -> None:
    if said.category not in categories_of(actor.role):
        raise DomainError(
            "The front desk files letters, consents and scans. Ask the student to add pictures of the mouth."
        )
    if said.visit_id is not None:
        of_patient = select(Visit.id).where(Visit.id == said.visit_id, Visit.patient_id == patient.id)
        if db.session.execute(of_patient).first() is None:
            raise DomainError("This visit is not one of the patient. Reload the page.")
    if said.taken_on and said.taken_on > clock.today():
        raise DomainError("This day has not come yet. Choose the day on which it was taken.")
    document.category = said.category
    document.projection = said.projection if said.category is Category.RADIOGRAPH else None
    document.teeth, document.taken_on = " ".join(said.teeth), said.taken_on
    document.visit_id, document.description = said.visit_id, said.description


def guessed(media_type: str, name: str, *, actor: User) -> Category:
    """What a file probably is, by what it holds and how it is called, among what this person files."""
    name = name.casefold()
    found = Category.RADIOGRAPH if media_type == "application/dicom" else Category.OTHER
    if media_type.startswith("image/"):
        found = Category.PHOTOGRAPH
    for word, category in NAMED.items():
        found = category if word in name else found
    return found if found in categories_of(actor.role) else Category.SCAN


def _refuse_clinical(document: Document, actor: User) -> None:
    if document.category not in categories_of(actor.role):
        raise DomainError("This is a picture of the mouth. The student or the supervisor looks after it.")


def _refuse_archived(patient: Patient) -> None:
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to add or change documents.")


def _patient_to_change(document: Document) -> Patient:
    """The patient, who is not archived meanwhile. Raises DomainError."""
    patient = locked(Patient, document.patient_id, shared=True)
    _refuse_archived(patient)
    return patient


def _locked(document_id: int, version: int, *, is_away: bool | None = None) -> Document:
    """The document as it is now. Raises Conflict when it is not as it was seen."""
    document = locked(Document, document_id)
    if document.version != version or is_away not in (None, document.is_away):
        raise _changed_meanwhile(document)
    return document


def _changed_meanwhile(document: Document) -> Conflict:
    return Conflict(f"This document was changed meanwhile; it is {words(document.status)} now. {_how(document)}")


def _how(document: Document) -> str:
    if document.deleted_at and document.deleted_by_id:
        by = db.session.get_one(User, document.deleted_by_id).name
        return f"{by} deleted it on {when(document.deleted_at)}. Reload the page."
    return "Reload the page to see how it stands."


def _tell(act: str, did: str, document: Document, *, actor: User | None, reason: str | None = None) -> None:
    patient = db.session.get_one(Patient, document.patient_id)
    sentence = f"{did} {_named(document)} of {patient.name}, {patient.code}"
    audit.record(act, sentence, actor=actor, subject=document, patient=patient, reason=reason)
    db.session.flush()


def _named(document: Document) -> str:
    return f"the {words(document.projection or document.category)} “{document.name}”"


def _told(document: Document) -> dict[str, Any]:
    return {"name": document.name} | {name: getattr(document, name) for name in FIELDS}


def _nudge_deciders(document: Document) -> None:
    """Whoever is shown, or was, that somebody wants it purged."""
    for person_id, department_id in db.session.execute(supervisors_given(document.patient_id)):
        live.nudge(f"approvals:{department_id}" if department_id else f"person:{person_id}")
