"""Documents that somebody wants purged, as they wait for a second person."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.formatting import words
from clinic.models import Document, User
from clinic.operations.documents import OWN, how_purge_stands, purge_document, return_purge
from clinic.queries.documents import ASK_PURGE, last_act_on, purge_for, waiting_ids, waiting_purges


def items(viewer: User) -> list[Item]:
    """What waits for the viewer, longest first. Two queries."""
    return [_item(document) for document in waiting_purges(viewer)]


def item(viewer: User, document_id: int) -> Item | None:
    """One document whose purge is the viewer's to decide, or was."""
    document = purge_for(viewer, document_id)
    return _item(document, outcome=_outcome(viewer, document)) if document else None


def facts(_viewer: User, item: Item) -> dict[str, Any]:
    """Why it is to be purged."""
    document: Document = item.row
    return {"why": document.purge_reason or last_act_on(document, ASK_PURGE).reason}


def _outcome(viewer: User, document: Document) -> str:
    if document.purge_asked_by_id is None or not document.is_away:
        return how_purge_stands(document)
    return OWN if document.purge_asked_by_id == viewer.id else ""


def _item(document: Document, *, outcome: str = "") -> Item:
    patient, asker, since = document.patient, document.purge_asked_by, document.purge_asked_at
    if asker is None:  # it was withdrawn, or returned
        asked = last_act_on(document, ASK_PURGE)
        person_id, person, since = asked.actor_id, asked.name, asked.at
    else:
        person_id, person = asker.id, asker.name
    assert since is not None
    return Item(
        kind=KIND_NAME,
        id=document.id,
        version=document.version,
        word="Purge",
        sentence=f"The {words(document.projection or document.category)} “{document.name}” of {patient.name}, "
        f"{patient.code}, is gone for good",
        person_id=person_id,
        person=person,
        patient=patient,
        code=patient.code,
        is_seen=True,
        asked_by=person,
        since=since,
        row=document,
        is_alone=True,
        why=lambda: outcome,
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
