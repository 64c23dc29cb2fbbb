"""Filing documents: what is known of each, while its bytes come in, and after. The bytes themselves go through clinic/storage.py.

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
from clinic.models import PAPERS, Category, Document, DocumentStatus, Patient, Projection, Role, User, Visit
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries.documents import departments_of
from clinic.queries.scope import is_given
from clinic.storage import Stored

MIB = 2**20
WRONG = "Its bytes are not what was stored."
MISSING = "Its bytes are not in the object store."
MOST_TOLD = 50
COMING = timedelta(hours=4)  # an upload that takes longer is given up
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


def begin_document(patient: Patient, *, once: str, replaces: int | None = None, actor: User) -> Document:
    """A document whose bytes are about to come; commit before they do. The same `once` again answers what came of the first.

    Raises DomainError when the patient is archived or the person has added too much today, Conflict when the document that it is to
    replace has been replaced or the same upload is still under way.
    """
    locked(User, actor.id)  # so that two uploads at once are both counted
    before = db.session.execute(select(Document).where(Document.once == once)).scalar_one_or_none()
    if before is not None:
        if before.status is DocumentStatus.PENDING:
            raise Conflict(
                "The same file is coming in already, or was cut off on its way. Reload the page and send it again."
            )
        return before
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to add documents.")
    _refuse_too_many(actor)
    if replaces is not None:
        _refuse_replaced(patient, replaces, actor)
    document = Document(
        patient_id=patient.id,
        category=Category.OTHER,
        name="document",
        key=f"documents/{secrets.token_hex(16)}",
        once=once,
        uploaded_by_id=actor.id,
        created_at=clock.now(),
    )
    db.session.add(document)
    db.session.flush()
    return document


def _refuse_too_many(actor: User) -> None:
    today = Document.created_at >= clock.start_of(clock.today())
    mine = select(func.count(), func.coalesce(func.sum(Document.size), 0)).where(
        Document.uploaded_by_id == actor.id, today
    )
    count, size = db.session.execute(mine).one()
    most, most_mib = settings.read("documents_a_day"), settings.read("document_mib_a_day")
    if count >= most:
        raise DomainError(
            f"You added {number_of(count, 'file')} today, which is the most for one person. An administrator can raise it."
        )
    if size >= most_mib * MIB:
        raise DomainError(
            f"You added {bytes_of(size)} today, which is the most for one person. An administrator can raise it."
        )


def _refuse_replaced(patient: Patient, replaces: int, actor: User) -> None:
    former = select(Document.id).where(
        Document.id == replaces, Document.patient_id == patient.id, Document.status == DocumentStatus.AVAILABLE
    )
    if actor.role is Role.RECEPTIONIST:  # who is not to learn of a picture of the mouth, nor to put one out of sight
        former = former.where(Document.category.in_(PAPERS))
    if db.session.execute(former.with_for_update()).first() is None:
        raise DomainError("The document that this is a newer file of is not there any more. Reload the page.")
    newer = select(Document.id).where(Document.replaces_id == replaces, Document.status == DocumentStatus.AVAILABLE)
    if db.session.execute(newer).first() is not None:
        raise Conflict("Somebody else has added a newer file of this already. Reload the page and look at that first.")


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
    _changed(document)
    return document


def fail_document(document_id: int, *, why: str, actor: User | None = None) -> bool:
    """Its bytes did not arrive whole, or are nothing that is kept: says so, and lets the same form send it again.

    Answers False, and does nothing, when it is not on its way any more.
    """
    document = locked(Document, document_id)
    if document.status is not DocumentStatus.PENDING:
        return False
    document.status, document.why, document.once = DocumentStatus.FAILED, why[:300], f"failed {document.id}"
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
    document = _locked(document_id, version, DocumentStatus.AVAILABLE)
    patient, before = db.session.get_one(Patient, document.patient_id), _told(document)
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
    _changed(document)
    return document


def delete_document(document_id: int, *, version: int, reason: str, actor: User) -> Document:
    """Put a document away; it can be restored, and its bytes stay."""
    document = _locked(document_id, version, DocumentStatus.AVAILABLE)
    _refuse_clinical(document, actor)
    document.status, document.why = DocumentStatus.DELETED, reason
    document.deleted_at, document.deleted_by_id = clock.now(), actor.id
    _tell("document.delete", "Deleted", document, actor=actor, reason=reason)
    return document


def restore_document(document_id: int, *, version: int, actor: User) -> Document:
    """Bring a deleted document back as it was."""
    document = _locked(document_id, version, DocumentStatus.DELETED)
    _refuse_clinical(document, actor)
    document.status, document.why = DocumentStatus.AVAILABLE, ""
    document.deleted_at = document.deleted_by_id = None
    _answer(
        document,
        document.purge_asked_by_id,
        "restored this, so nobody purges it",
        kind="document.restored",
        actor=actor,
    )
    _forget_purge(document)
    _tell("document.restore", "Restored", document, actor=actor)
    return document


def ask_purge(document_id: int, *, version: int, reason: str, actor: User) -> Document:
    """Ask that the bytes of a deleted document are taken away for good; a supervisor decides, who is somebody else."""
    document = _locked(document_id, version, DocumentStatus.DELETED)
    _refuse_clinical(document, actor)
    _refuse_kept(document)
    if document.purge_asked_by_id is not None:
        by = db.session.get_one(User, document.purge_asked_by_id).name
        raise Conflict(f"{by} has asked for this already. A supervisor of the patient decides.")
    document.purge_asked_by_id, document.purge_asked_at = actor.id, clock.now()
    document.purge_reason = reason
    _tell("document.ask_purge", "Asked to purge", document, actor=actor, reason=reason)
    return document


def withdraw_purge(document_id: int, *, version: int, actor: User) -> Document:
    """Whoever asked for it takes it back: the document stays deleted, and can be restored."""
    document = _locked(document_id, version, DocumentStatus.DELETED)
    if document.purge_asked_by_id != actor.id:
        raise NotAllowed("Only whoever asked for this can withdraw it. A supervisor can return it with a reason.")
    _forget_purge(document)
    _tell("document.withdraw_purge", "No longer asked to purge", document, actor=actor)
    return document


def purge_document(document_id: int, *, version: int, actor: User, reason: str = "") -> Document:
    """The second person agrees: the bytes are taken from the store within the hour (operations/reconciling.py), the row stays."""
    document = _asked_to_purge(document_id, version, actor)
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
    document = _locked(document_id, version, DocumentStatus.DELETED)
    if document.purge_asked_by_id is None:
        raise Conflict("Nobody asks for this any more. Reload the page to see how it stands.")
    given = select(Patient.id).where(Patient.id == document.patient_id, is_given(actor, Patient.id))
    if actor.role is not Role.SUPERVISOR or not actor.active or db.session.execute(given).first() is None:
        raise NotAllowed("A supervisor to whom the patient is given decides this.")
    if actor.id == document.purge_asked_by_id:
        raise NotAllowed("You asked for this yourself. Another supervisor of the patient decides.")
    return document


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
    """Whoever asked reads what became of it; the link is theirs only while they have the patient."""
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
    if document.status not in (DocumentStatus.AVAILABLE, DocumentStatus.DELETED):
        return False
    document.status, document.why = DocumentStatus.QUARANTINED, why[:300]
    _tell("document.quarantine", "Put into quarantine", document, actor=None, reason=why)
    admins = select(User.id).where(User.role == Role.ADMIN, User.active.is_(True)).order_by(User.id).limit(MOST_TOLD)
    for person_id in db.session.scalars(admins):
        tell(
            person_id,
            f"Document number {document.id} is in quarantine: {why}",
            kind="document.quarantine",
            url="/status",
            once=f"quarantine {document.id} {document.version} {person_id}",
        )
    return True


def release_document(document_id: int) -> None:
    """Its bytes were read anew and are what was stored: it is as before the quarantine. Not for what a scanner said, nor twice."""
    document = locked(Document, document_id)
    if document.status is not DocumentStatus.QUARANTINED or document.why not in (WRONG, MISSING):
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
    if actor.role is Role.RECEPTIONIST and said.category not in PAPERS:
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


def _refuse_clinical(document: Document, actor: User) -> None:
    if actor.role is Role.RECEPTIONIST and document.category not in PAPERS:
        raise DomainError("This is a picture of the mouth. The student or the supervisor looks after it.")


def _locked(document_id: int, version: int, status: DocumentStatus) -> Document:
    """The document as it is now. Raises Conflict when it is not as it was seen."""
    document = locked(Document, document_id)
    if document.version != version or document.status is not status:
        raise Conflict(f"This document was changed meanwhile; it is {words(document.status)} now. {_how(document)}")
    return document


def _how(document: Document) -> str:
    if document.deleted_at and document.deleted_by_id:
        by = db.session.get_one(User, document.deleted_by_id).name
        return f"{by} deleted it on {when(document.deleted_at)}. Reload the page."
    return "Reload the page to see how it stands."


def _tell(act: str, did: str, document: Document, *, actor: User | None, reason: str | None = None) -> None:
    patient = db.session.get_one(Patient, document.patient_id)
    sentence = f"{did} {_named(document)} of {patient.name}, {patient.code}"
    audit.record(act, sentence, actor=actor, subject=document, patient=patient, reason=reason)
    _changed(document)


def _named(document: Document) -> str:
    return f"the {words(document.projection or document.category)} “{document.name}”"


def _told(document: Document) -> dict[str, Any]:
    return {"name": document.name} | {name: getattr(document, name) for name in FIELDS}


def _changed(document: Document) -> None:
    db.session.flush()
    for department_id in db.session.scalars(departments_of(document.patient_id)):
        live.nudge(f"approvals:{department_id}")
