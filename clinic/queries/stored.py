"""What is stored of documents, and how it is: numbers of files and bytes for those who look after the system, and for a patient's page.

Bytes are of what the store holds: former files of the same thing, deleted ones and those in quarantine too; purged ones are gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from clinic import clock
from clinic.extensions import db
from clinic.models import Category, Document, DocumentStatus, Patient, User
from clinic.models.document import HELD
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import may_see

LATELY = timedelta(days=30)
LARGEST = 5
NEWEST = Order((Document.id,), descending=True)
IS_DELETED = Document.deleted_at.is_not(None)


@dataclass(frozen=True)
class Amount:
    """So many files, and bytes."""

    files: int = 0
    size: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.files + other.files, self.size + other.size)


@dataclass(frozen=True)
class Kept:
    """Of a category or of all: what there is, of that what was deleted and can be restored, and what came within `LATELY`."""

    all: Amount = Amount()
    deleted: Amount = Amount()
    new: Amount = Amount()

    def __add__(self, other: "Kept") -> "Kept":
        return Kept(self.all + other.all, self.deleted + other.deleted, self.new + other.new)


@dataclass(frozen=True)
class Figures:
    """`oldest`: when the document was last read anew whose turn was longest ago; None when there is none.

    `largest`: the patients with the most bytes; the patient is None where the viewer may not know whose it is.
    """

    by_category: dict[Category, Kept]
    oldest: datetime | None
    largest: Sequence[tuple[Patient | None, Amount]]

    @property
    def all(self) -> Kept:
        return sum(self.by_category.values(), Kept())


@dataclass(frozen=True)
class States:
    """How many documents are in a state that is to pass. `late`: on their way since before `since`; `quarantined`: as `quarantined`
    lists them; `damaged`: of those, whose bytes are not what was stored; `purged`: since a time that was asked for."""

    coming: int
    late: int
    quarantined: int
    damaged: int
    purged: Amount


def stored_of_patient(documents: Select[Any]) -> tuple[Amount, Amount]:
    """Of some documents (a select of them): what is held and not deleted, and what is held and was deleted. One query."""
    held = documents.where(Document.status.in_(HELD))
    row = db.session.execute(held.with_only_columns(*_amount(~IS_DELETED), *_amount(IS_DELETED))).one()
    return Amount(row[0], int(row[1])), Amount(row[2], int(row[3]))


def figures(viewer: User) -> Figures:
    """What is stored in all. Two queries, each of which reads every row once."""
    since = clock.now() - LATELY
    columns = (func.count(), _sum(Document.size), *_amount(IS_DELETED), *_amount(Document.available_at >= since))
    kept = select(Document.category, Document.status, *columns, func.min(Document.checked_at))
    rows = db.session.execute(kept.where(Document.status.in_(HELD)).group_by(Document.category, Document.status)).all()
    by_category: dict[Category, Kept] = {}
    for category, _status, *sums, _oldest in rows:
        amounts = (Amount(files, int(size)) for files, size in zip(sums[::2], sums[1::2], strict=True))
        by_category[category] = by_category.get(category, Kept()) + Kept(*amounts)
    read = [row[-1] for row in rows if row[1] is not DocumentStatus.QUARANTINED and row[-1]]
    in_order = {category: by_category[category] for category in Category if category in by_category}
    return Figures(in_order, min(read, default=None), _largest(viewer))


def _largest(viewer: User) -> list[tuple[Patient | None, Amount]]:
    size = _sum(Document.size)
    sums = select(Document.patient_id, func.count().label("files"), size.label("size"))
    most = sums.where(Document.status.in_(HELD)).group_by(Document.patient_id)
    top = most.order_by(size.desc(), Document.patient_id).limit(LARGEST).subquery()
    known = (Patient.id == top.c.patient_id) & may_see(viewer, Patient.id)
    rows = select(Patient, top.c.files, top.c.size).select_from(top).join(Patient, known, isouter=True)
    ordered = rows.order_by(top.c.size.desc(), top.c.patient_id)
    return [(patient, Amount(files, int(size))) for patient, files, size in db.session.execute(ordered)]


def states(*, since: datetime, taken: datetime | None, damage: Sequence[str]) -> States:
    """`since`: what is on its way from before that is late; `taken`: what was purged from then on is counted, all without it;
    `damage`: the reasons for a quarantine that are no scanner's. One query."""
    coming, in_quarantine = Document.status == DocumentStatus.PENDING, _waits_in_quarantine(damage)
    purged = Document.status == DocumentStatus.PURGED
    if taken is not None:
        purged &= Document.purged_at >= taken
    wanted = (DocumentStatus.PENDING, DocumentStatus.QUARANTINED, DocumentStatus.PURGED)
    counts = (coming, coming & (Document.created_at < since), in_quarantine, in_quarantine & Document.why.in_(damage))
    columns = [_count(each) for each in counts]
    row = db.session.execute(select(*columns, *_amount(purged)).where(Document.status.in_(wanted))).one()
    return States(row[0], row[1], row[2], row[3], Amount(row[4], int(row[5])))


def quarantined(*, damage: Sequence[str], after: int | None = None, before: int | None = None) -> Page[Document]:
    """Documents in quarantine about which something is to be done, newest first: for whoever looks after the system, by number and
    reason. `damage` as in `states`."""
    return page_of(select(Document).where(_waits_in_quarantine(damage)), NEWEST, size=60, after=after, before=before)


def _waits_in_quarantine(damage: Sequence[str]) -> ColumnElement[bool]:
    """What a scanner stopped is done with when it is deleted; damaged bytes are wanted back also of what was deleted."""
    is_wanted = or_(Document.deleted_at.is_(None), Document.why.in_(damage))
    return and_(Document.status == DocumentStatus.QUARANTINED, is_wanted)


def _amount(condition: ColumnElement[bool]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    return _count(condition), _sum(case((condition, Document.size), else_=0))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _sum(column: Any) -> ColumnElement[int]:
    return func.coalesce(func.sum(column), 0)
