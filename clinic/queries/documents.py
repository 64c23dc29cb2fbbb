"""A patient's documents. The front desk finds letters, consents and scans; pictures of the mouth are for those who treat."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, Subquery, and_, false, func, or_, select
from sqlalchemy.orm import aliased, joinedload

from clinic.extensions import db
from clinic.models import AuditEvent, Category, Document, DocumentStatus, Patient, Role, User, Visit, categories_of
from clinic.models.document import PICTURES
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import is_given, may_see
from clinic.queries.stored import Amount, stored_of_patient
from clinic.queries.tooth_places import is_marked
from clinic.storage import Stored

NEWEST = Order((Document.id,), descending=True)
NEWER, LATER = aliased(Document), aliased(Document)
ASK_PURGE = "document.ask_purge"
SHOWN = 60  # of one page
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
    found = _visible(viewer, patient_id).where(_is_away()) if deleted else _shown(viewer, patient_id)
    if category:
        found = found.where(Document.category == category)
    if tooth:
        found = found.where(_of_tooth(tooth))
    return page_of(found.options(*NAMES), NEWEST, size=SHOWN, after=after, before=before)


def document_for(viewer: User, patient_id: int, document_id: int) -> Document | None:
    """One document of a patient with the names of who added and deleted it; None for one the viewer may not see."""
    found = _visible(viewer, patient_id).where(Document.id == document_id, Document.status != DocumentStatus.PENDING)
    return db.session.execute(found.options(*NAMES)).scalar_one_or_none()


def versions_of(viewer: User, document: Document) -> list[Document]:
    """All files of the same thing, newest first: what this one replaced and what replaced it."""
    rows = _visible(viewer, document.patient_id).options(*NAMES).order_by(Document.id.desc()).limit(MOST_VERSIONS)
    gone = (DocumentStatus.PENDING, DocumentStatus.FAILED)
    same = rows.where(_is_same(document.patient_id, document.id), Document.status.not_in(gone))
    return list(db.session.execute(same).scalars())


def newer_of(document: Document) -> Document | None:
    """The newest file of the same thing that is there and newer than this one, of any kind; for a rule, not to be shown."""
    found = select(Document).where(
        _is_same(document.patient_id, document.id),
        Document.id > document.id,
        Document.status == DocumentStatus.AVAILABLE,
    )
    return db.session.execute(found.order_by(Document.id.desc()).limit(1)).scalar_one_or_none()


def counts_of(viewer: User, patient_id: int) -> dict[Category, int]:
    """How many documents of each category a patient has that the viewer may see."""
    shown = _shown(viewer, patient_id)
    counted = shown.with_only_columns(Document.category, func.count().label("number")).group_by(Document.category)
    return {row.category: row.number for row in db.session.execute(counted)}


def amounts_of(viewer: User, patient_id: int) -> tuple[Amount, Amount]:
    """How many files and bytes the store holds of a patient, as far as the viewer may see them: what is there, and what was deleted."""
    return stored_of_patient(_visible(viewer, patient_id))


def visits_to_choose(viewer: User, patient_id: int, chosen: int | None = None) -> list[Visit]:
    """The patient's latest visits, newest first, and the one that is chosen already; none of a patient whom the viewer may not see."""
    theirs = select(Visit).where(Visit.patient_id == patient_id, may_see(viewer, Visit.patient_id))
    latest = theirs.order_by(Visit.starts_at.desc(), Visit.id.desc()).limit(MOST_VISITS)
    visits = list(db.session.execute(latest).scalars())
    if chosen is not None and all(visit.id != chosen for visit in visits):
        visits += db.session.execute(theirs.where(Visit.id == chosen)).scalars()
    return visits


def pictures_of(viewer: User, patient_id: int) -> list[Document]:
    """The newest pictures of a patient that a page can show, former files of the same thing too."""
    shown = _visible(viewer, patient_id).where(
        Document.status == DocumentStatus.AVAILABLE, Document.media_type.in_(PICTURES)
    )
    return list(db.session.execute(shown.order_by(Document.id.desc()).limit(MOST_PICTURES)).scalars())


def number_of_tooth(viewer: User, patient_id: int, tooth: str) -> int:
    """How many documents of a patient are of this tooth, by its key: as many as the list of them shows."""
    found = _shown(viewer, patient_id).where(_of_tooth(tooth))
    return db.session.scalar(found.with_only_columns(func.count())) or 0


def waiting_purges(viewer: User) -> list[Document]:
    """Documents that somebody else wants purged and the viewer decides about, longest waiting first. Two queries."""
    waiting = _whole(_waiting(viewer)).order_by(Document.purge_asked_at, Document.id).limit(MOST_WAITING)
    return list(db.session.execute(waiting).scalars())


def waiting_ids(viewer: User) -> Select[int]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting(viewer).with_only_columns(Document.id)


def purge_for(viewer: User, document_id: int) -> Document | None:
    """One document of which somebody wanted it purged and the viewer decides, or would have."""
    found = select(Document).where(Document.id == document_id, decides_purge(viewer))
    document = db.session.execute(_whole(found)).scalar_one_or_none()
    return document if document and (document.purge_asked_by_id or last_act_on(document, ASK_PURGE)) else None


def last_act_on(document: Document, *acts: str) -> Any:
    """The last of these acts on a document, as the trail has it, with `name` of who did it; None when there is none."""
    done = (
        select(AuditEvent.act, AuditEvent.at, AuditEvent.reason, AuditEvent.actor_id, User.name)
        .join(User, User.id == AuditEvent.actor_id)
        .where(
            AuditEvent.act.in_(acts),
            AuditEvent.patient_id == document.patient_id,
            AuditEvent.subject == f"document:{document.id}",
        )
    )
    return db.session.execute(done.order_by(AuditEvent.id.desc()).limit(1)).one_or_none()


def decides_purge(viewer: User) -> ColumnElement[bool]:
    """The condition under which a document is the viewer's to purge, when somebody else asks for it: a supervisor's, of their patients."""
    return is_given(viewer, Document.patient_id) if viewer.role is Role.SUPERVISOR else false()


def _waiting(viewer: User) -> Select[Any]:
    return select(Document).where(
        _is_away(),
        Document.purged_at.is_(None),
        Document.purge_asked_by_id.is_not(None),
        Document.purge_asked_by_id != viewer.id,
        decides_purge(viewer),
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


def _shown(viewer: User, patient_id: int) -> Select[Any]:
    """What lists, counts and teeth show: of each thing the newest file that can be read, and what is in quarantine.

    What is away, is in quarantine or is of no kind for the viewer stands in front of nothing.
    """
    thing = things_of(patient_id)
    newest = newest_of(thing, categories_of(viewer.role))
    shown = Document.status.in_((DocumentStatus.AVAILABLE, DocumentStatus.QUARANTINED))
    return (
        _visible(viewer, patient_id)
        .where(shown, Document.deleted_at.is_(None), or_(newest.c.id.is_(None), Document.id >= newest.c.id))
        .join(thing, thing.c.id == Document.id)
        .outerjoin(newest, newest.c.first == thing.c.first)
    )


def things_of(patient_id: int) -> CTE:
    """Every file of a patient (`id`) with the first file of the same thing (`first`)."""
    firsts = select(Document.id, Document.id.label("first"))
    thing = firsts.where(Document.patient_id == patient_id, Document.replaces_id.is_(None)).cte("thing", recursive=True)
    return thing.union_all(select(LATER.id, thing.c.first).join(thing, LATER.replaces_id == thing.c.id))


def newest_of(thing: CTE, categories: Iterable[Category]) -> Subquery:
    """Of each thing, by its `first` file, the newest (`id`) that can be read and is of these categories: the one that was added last."""
    return (
        select(thing.c.first, func.max(NEWER.id).label("id"))
        .join(NEWER, NEWER.id == thing.c.id)
        .where(NEWER.status == DocumentStatus.AVAILABLE, NEWER.category.in_(categories))
        .group_by(thing.c.first)
        .subquery()
    )


def _is_same(patient_id: int, document_id: int) -> ColumnElement[bool]:
    """Whether a file is of the same thing as this one, itself too."""
    thing = things_of(patient_id)
    first = select(thing.c.first).where(thing.c.id == document_id).scalar_subquery()
    return Document.id.in_(select(thing.c.id).where(thing.c.first == first))


def _is_away() -> ColumnElement[bool]:
    """What was deleted, whatever became of it since."""
    kept = (DocumentStatus.DELETED, DocumentStatus.QUARANTINED, DocumentStatus.PURGED)
    return and_(Document.status.in_(kept), Document.deleted_at.is_not(None))


def _of_tooth(tooth: str) -> ColumnElement[bool]:
    """Said to be of this tooth, or with a mark where it is."""
    return or_((" " + Document.teeth + " ").contains(f" {tooth} ", autoescape=True), is_marked(tooth))


def _of_their_kind(viewer: User) -> ColumnElement[bool]:
    return Document.category.in_(categories_of(viewer.role))
