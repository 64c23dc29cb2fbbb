"""Where teeth are marked on the pictures of a patient's documents."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import aliased, joinedload

from clinic.chart import teeth
from clinic.extensions import db
from clinic.models import Document, ToothPlace

LATER = aliased(ToothPlace)
MOST_MARKED = 200  # a mouth has 52 teeth, and a few more at most


def marked_on(document: Document) -> list[ToothPlace]:
    """The teeth that are marked on a document which the viewer was shown, in the order of a chart, with who marked each. One query."""
    held = select(ToothPlace).where(ToothPlace.document_id == document.id, _holds())
    found = db.session.scalars(
        held.options(joinedload(ToothPlace.marked_by)).order_by(ToothPlace.id).limit(MOST_MARKED)
    )
    by_tooth = {place.tooth: place for place in found}
    return [by_tooth[key] for key in teeth.in_order(list(by_tooth))]


def teeth_marked(document_ids: Collection[int]) -> dict[int, list[str]]:
    """The keys of the teeth that are marked on these documents, by document. One query; none for none."""
    rows = select(ToothPlace.document_id, ToothPlace.tooth).where(ToothPlace.document_id.in_(document_ids), _holds())
    found: dict[int, list[str]] = {}
    most = MOST_MARKED * len(document_ids)
    for document_id, tooth in db.session.execute(rows.order_by(ToothPlace.id).limit(most)) if document_ids else ():
        found.setdefault(document_id, []).append(tooth)
    return found


def newest_mark(document: Document) -> int:
    """The newest row of a document, also of a tooth whose mark was taken away; 0 when nothing was ever marked."""
    return db.session.scalar(select(func.max(ToothPlace.id)).where(ToothPlace.document_id == document.id)) or 0


def is_marked(tooth: str) -> ColumnElement[bool]:
    """Of documents: whether this tooth, by its key, is marked on them."""
    return (
        select(ToothPlace.id).where(ToothPlace.document_id == Document.id, ToothPlace.tooth == tooth, _holds()).exists()
    )


def _holds() -> ColumnElement[bool]:
    later = select(LATER.id).where(
        LATER.document_id == ToothPlace.document_id, LATER.tooth == ToothPlace.tooth, LATER.version > ToothPlace.version
    )
    return and_(ToothPlace.x.is_not(None), ~later.exists())
