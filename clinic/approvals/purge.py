"""Documents that somebody wants purged, as they wait for a second person."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.formatting import when, words
from clinic.models import Document, DocumentStatus, User
from clinic.operations.documents import purge_document, return_purge
from clinic.queries.documents import purge_for, waiting_ids, waiting_purges


def items(viewer: User) -> list[Item]:
    """What waits for the viewer, longest first. Two queries."""
    return [_item(document) for document in waiting_purges(viewer)]


def item(viewer: User, document_id: int) -> Item | None:
    """One document whose purge is the viewer's to decide, or was."""
    document = purge_for(viewer, document_id)
    return _item(document, outcome=_outcome(viewer, document)) if document else None


def facts(_viewer: User, _item: Item) -> dict[str, Any]:
    """Nothing beyond the document itself."""
    return {}


def _outcome(viewer: User, document: Document) -> str:
    if document.purged_at is not None:
        return f"{document.purged_by.name} purged this on {when(document.purged_at)}."
    if document.status is not DocumentStatus.DELETED:
        return f"It is {words(document.status)} now: nothing is to be decided."
    return "You asked for this yourself. Another supervisor decides." if document.purge_asked_by_id == viewer.id else ""


def _item(document: Document, *, outcome: str = "") -> Item:
    patient, asker = document.patient, document.purge_asked_by
    assert document.purge_asked_at is not None
    return Item(
        kind=KIND_NAME,
        id=document.id,
        version=document.version,
        word="Purge",
        sentence=f"The {words(document.projection or document.category)} “{document.name}” of {patient.name}, "
        f"{patient.code}, is gone for good",
        person_id=asker.id,
        person=asker.name,
        patient=patient,
        code=patient.code,
        is_seen=True,
        asked_by=asker.name,
        since=document.purge_asked_at,
        row=document,
        is_alone=True,
        outcome=outcome,
    )


KIND_NAME = "purge"
KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_purge.html",
    waiting=waiting_ids,
    items=items,
    item=item,
    facts=facts,
    approve=purge_document,
    give_back=return_purge,
)
