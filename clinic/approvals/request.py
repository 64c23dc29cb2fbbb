"""Requests about who looks after whom, as they wait for the supervisor who decides."""

import json
from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.models import Request, RequestKind, RequestStatus, User
from clinic.operations.requests import approve_request, how_it_stands, return_request
from clinic.queries.assignments import loads_of
from clinic.queries.requests import decidable_request_for, patients_seen, waiting_ids, waiting_requests

WORDS = {
    RequestKind.ASSIGN: "Assign",
    RequestKind.REMOVE: "Remove",
    RequestKind.ASK: "Asks for a patient",
    RequestKind.TRANSFER: "Transfer",
}


def items(viewer: User) -> list[Item]:
    """The requests that wait for the viewer, longest first. Three queries."""
    found = waiting_requests(viewer)
    seen = patients_seen(viewer, found)
    return [_item(request, is_seen=request.patient_id in seen) for request in found]


def item(viewer: User, request_id: int) -> Item | None:
    """One request that is the viewer's to decide, or was."""
    request = decidable_request_for(viewer, request_id)
    if request is None:
        return None
    is_seen = request.patient_id in patients_seen(viewer, [request])
    return _item(request, is_seen=is_seen, outcome=_outcome(viewer, request))


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """What the fragment shows besides: what the person carries, and where goes what hangs on a patient who is handed over."""
    del viewer
    request: Request = item.row
    load = loads_of([request.clinician])[request.clinician_id][request.assignment_kind]
    exception = ""
    if load.is_full and not item.outcome and request.kind is not RequestKind.REMOVE:
        exception = (
            f"{item.person} has {load} {request.assignment_kind.value} patients already. One more needs a reason."
        )
    destinations = list(json.loads(request.destinations).values())
    return {"load": load, "exception": exception, "destinations": destinations, "kinds": RequestKind}


def _outcome(viewer: User, request: Request) -> str:
    if request.status is not RequestStatus.PENDING:
        return how_it_stands(request) + (f" “{request.decision_reason}”" if request.decision_reason else "")
    return "You asked for this yourself. Another supervisor decides." if request.asked_by_id == viewer.id else ""


def _item(request: Request, *, is_seen: bool, outcome: str = "") -> Item:
    return Item(
        kind="request",
        id=request.id,
        version=request.version,
        word=WORDS[request.kind],
        sentence=_sentence(request),
        person_id=request.clinician_id,
        person=request.clinician.name,
        patient=request.patient,
        code=request.code,
        is_seen=is_seen,
        asked_by=request.asked_by.name,
        since=request.asked_at,
        due=request.expires_at,
        row=request,
        why=lambda: outcome,
    )


def _sentence(request: Request) -> str:
    who = f"{request.patient.name}, {request.code}," if request.patient else request.code
    to, kind = request.clinician.name, request.assignment_kind.value
    if request.kind is RequestKind.REMOVE:
        return f"{to} no longer has {who} as {kind}"
    if request.kind is RequestKind.TRANSFER:
        return f"{who} goes from {request.giver.name} to {to} as {kind}"
    return f"{to} gets {who} as {kind}"


KIND = Kind(
    name="request",
    fragment="approvals/_request.html",
    waiting=waiting_ids,
    items=items,
    item=item,
    facts=facts,
    approve=approve_request,
    give_back=return_request,
)
