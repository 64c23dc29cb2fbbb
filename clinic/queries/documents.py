"""A patient's documents. The front desk finds letters, consents and scans; pictures of the mouth are for those who treat."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, select
from sqlalchemy.orm import aliased, joinedload

from clinic.extensions import db
from clinic.models import PAPERS, Assignment, Category, Document, DocumentStatus, Patient, Role, User, Visit
from clinic.models.document import PICTURES
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import is_given, is_running, may_see
from clinic.queries.stored import Amount, stored_of_patient
from clinic.storage import Stored

NEWEST = Order((Document.id,), descending=True)
NEWER = aliased(Document)
MOST_VERSIONS = 200
MOST_VISITS = 50
MOST_PICTURES = 200
MOST_WAITING = 200
NAMES = tuple(
    joinedload(name)
    for name in (Document.uploaded_by, Document.deleted_by, Document.purge_asked_by, Document.purged_by)
)


def documents_of(
    viewer: User,
    patient_id: int,
    *,
    category: Category | None = None,
    tooth: str = "",
    deleted: bool = False,
    after: int | None = None,
    before: int | None = None,
) -> Page[Document]:
    """A patient's documents, newest first, of each thing the newest file; or those that were deleted. Two queries at most."""
    found = _visible(viewer, patient_id).where(_is_away() if deleted else _is_shown())
    if category:
        found = found.where(Document.category == category)
    if tooth:
        found = found.where(_of_tooth(tooth))
    return page_of(found.options(*NAMES), NEWEST, size=60, after=after, before=before)


def document_for(viewer: User, patient_id: int, document_id: int) -> Document | None:
    """One document of a patient with the names of who added and deleted it; None for one the viewer may not see."""
    found = _visible(viewer, patient_id).where(Document.id == document_id, Document.status != DocumentStatus.PENDING)
    return db.session.execute(found.options(*NAMES)).scalar_one_or_none()


def versions_of(viewer: User, document: Document) -> list[Document]:
    """All files of the same thing, newest first: what this one replaced and what replaced it."""
    rows = _visible(viewer, document.patient_id).options(*NAMES).order_by(Document.id.desc()).limit(MOST_VERSIONS)
    chain = select(Document.id, Document.replaces_id).where(Document.id == document.id).cte("chain", recursive=True)
    older = select(Document.id, Document.replaces_id).join(chain, Document.id == chain.c.replaces_id)
    ids = chain.union(older)
    up = select(Document.id).where(Document.id == document.id).cte("up", recursive=True)
    newer = up.union(select(Document.id).join(up, Document.replaces_id == up.c.id))
    same = Document.id.in_(select(ids.c.id)) | Document.id.in_(select(newer.c.id))
    gone = (DocumentStatus.PENDING, DocumentStatus.FAILED)
    return list(db.session.execute(rows.where(same, Document.status.not_in(gone))).scalars())


def counts_of(viewer: User, patient_id: int) -> dict[Category, int]:
    """How many documents of each category a patient has that the viewer may see."""
    shown = _visible(viewer, patient_id).where(_is_shown())
    counted = shown.with_only_columns(Document.category, func.count().label("number")).group_by(Document.category)
    return {row.category: row.number for row in db.session.execute(counted)}


def amounts_of(viewer: User, patient_id: int) -> tuple[Amount, Amount]:
    """How many files and bytes the store holds of a patient, as far as the viewer may see them: what is there, and what was deleted."""
    return stored_of_patient(_visible(viewer, patient_id))


def visits_to_choose(patient_id: int, chosen: int | None = None) -> list[Visit]:
    """The patient's latest visits, newest first, and the one that is chosen already: of a patient whom the viewer was shown."""
    latest = select(Visit).where(Visit.patient_id == patient_id).order_by(Visit.starts_at.desc(), Visit.id.desc())
    visits = list(db.session.execute(latest.limit(MOST_VISITS)).scalars())
    if chosen is not None and all(visit.id != chosen for visit in visits):
        visits.append(db.session.get_one(Visit, chosen))
    return visits


def pictures_of(viewer: User, patient_id: int) -> list[Document]:
    """The newest pictures of a patient that a page can show, former files of the same thing too."""
    shown = _visible(viewer, patient_id).where(
        Document.status == DocumentStatus.AVAILABLE, Document.media_type.in_(PICTURES)
    )
    return list(db.session.execute(shown.order_by(Document.id.desc()).limit(MOST_PICTURES)).scalars())


def number_of_tooth(viewer: User, patient_id: int, tooth: str) -> int:
    """How many documents of a patient are of this tooth, by its key: as many as the list of them shows."""
    found = _visible(viewer, patient_id).where(_is_shown(), _of_tooth(tooth))
    return db.session.scalar(found.with_only_columns(func.count())) or 0


def waiting_purges(viewer: User) -> list[Document]:
    """Documents that somebody else wants purged and the viewer decides about, longest waiting first. Two queries."""
    waiting = _whole(_waiting(viewer)).order_by(Document.purge_asked_at, Document.id).limit(MOST_WAITING)
    return list(db.session.execute(waiting).scalars())


def waiting_ids(viewer: User) -> Select[int]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting(viewer).with_only_columns(Document.id)


def purge_for(viewer: User, document_id: int) -> Document | None:
    """One document whose purge is the viewer's to decide, or was."""
    theirs = viewer.role is Role.SUPERVISOR
    asked = Document.purge_asked_by_id.is_not(None)
    found = select(Document).where(Document.id == document_id, asked, may_see(viewer, Document.patient_id))
    return db.session.execute(_whole(found)).scalar_one_or_none() if theirs else None


def departments_of(patient_id: int) -> Select[Any]:
    """The departments of those to whom a patient is assigned."""
    held = select(User.department_id).join(Assignment, Assignment.user_id == User.id).where(is_running())
    return held.where(Assignment.patient_id == patient_id, User.department_id.is_not(None)).distinct()


def _waiting(viewer: User) -> Select[Any]:
    return select(Document).where(
        Document.status == DocumentStatus.DELETED,
        Document.purge_asked_by_id.is_not(None),
        Document.purge_asked_by_id != viewer.id,
        is_given(viewer, Document.patient_id) if viewer.role is Role.SUPERVISOR else false(),
    )


def _whole(documents: Select[Any]) -> Select[Any]:
    return documents.options(*NAMES, joinedload(Document.patient).selectinload(Patient.alerts))


def stored_of(document: Document) -> Stored:
    """What the store must hold of a document."""
    return Stored(document.key, document.size, document.sha256, tuple(document.parts.split()))


def _visible(viewer: User, patient_id: int) -> Select[Any]:
    return select(Document).where(
        Document.patient_id == patient_id, may_see(viewer, Document.patient_id), _of_their_kind(viewer)
    )


def _is_shown() -> ColumnElement[bool]:
    """What lists, counts and teeth show: of each thing the newest file that can be read, and what is in quarantine."""
    shown = (DocumentStatus.AVAILABLE, DocumentStatus.QUARANTINED)
    return and_(Document.status.in_(shown), Document.deleted_at.is_(None), ~_newer().exists())


def _is_away() -> ColumnElement[bool]:
    """What was deleted, whatever became of it since."""
    kept = (DocumentStatus.DELETED, DocumentStatus.QUARANTINED, DocumentStatus.PURGED)
    return and_(Document.status.in_(kept), Document.deleted_at.is_not(None))


def _of_tooth(tooth: str) -> ColumnElement[bool]:
    return (" " + Document.teeth + " ").contains(f" {tooth} ", autoescape=True)


def _of_their_kind(viewer: User) -> ColumnElement[bool]:
    return Document.category.in_(PAPERS if viewer.role is Role.RECEPTIONIST else tuple(Category))


def _newer() -> Select[Any]:
    """The newer file of the same thing, while it can be read: else the former one is shown again."""
    return select(NEWER.id).where(NEWER.replaces_id == Document.id, NEWER.status == DocumentStatus.AVAILABLE)
