"""What every request leaves in the trail when its view says nothing itself: what was looked at, and what was refused.

What a page refetches by itself (`background`) is part of having opened it, and no event of its own. A page of many rows is one
event. If the event cannot be written, nothing is shown.
"""

from collections.abc import Callable

from flask import Response, g, make_response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from clinic import audit, sessions
from clinic.access import Access, access_of
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.formatting import view as words_of
from clinic.htmx import is_htmx
from clinic.models import (
    Assignment,
    Base,
    BrokenGlass,
    Document,
    Gate,
    Note,
    QueueEntry,
    Request,
    SignOff,
    SupervisorCall,
    Visit,
)
from clinic.once import UNSAFE
from clinic.queries.trail import read_lately

# Rows of an address that belong to one patient.
OF_A_PATIENT: dict[str, type[Base]] = {
    "visit_id": Visit,
    "entry_id": QueueEntry,
    "call_id": SupervisorCall,
    "assignment_id": Assignment,
    "request_id": Request,
    "glass_id": BrokenGlass,
    "sign_off_id": SignOff,
    "document_id": Document,
    "note_id": Note,
    "gate_id": Gate,
}


def witnessed(view: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
    """Answer with the view, after telling what nobody told yet: in the view's own transaction what was read, anew what was refused."""
    access = access_of(request.endpoint or "")
    if access is None or access.permission is None or not g.get("auth_session"):
        return view()
    if request.method in UNSAFE and not access.background:
        g.tell_act = _tell_act  # what `once.commit` calls when the act has told nothing of itself
    try:
        answer = make_response(view())
    except DomainError as refusal:
        _tell_refusal(refusal.sentence, refusal.status)
        raise
    except HTTPException as refusal:
        if refusal.code and refusal.code >= 400:
            _tell_refusal(refusal.name, refusal.code)
        raise
    if request.method in UNSAFE:
        if answer.status_code >= 400 and not audit.has_told():
            _tell_refusal("the form was not accepted as it was", answer.status_code)
    elif _is_read(access, answer):
        _tell_read(access)
    return answer


def _is_read(access: Access, answer: Response) -> bool:
    if not 200 <= answer.status_code < 300 or answer.status_code == 204:
        return False
    # A region that no page has asked for is one that a person has opened by its address.
    return not access.background or (not is_htmx() and answer.mimetype == "text/html")


def _tell_read(access: Access) -> None:
    if audit.has_told() or audit.pending():
        return
    act = f"read.{request.endpoint}"[:64]
    actor = g.auth_session.user
    if access.typed and read_lately(actor, act):
        return
    subject, patient_id = _subject()
    audit.record(
        act, f"Looked at: {words_of(request.endpoint or '')}", actor=actor, subject=subject, patient=patient_id
    )
    db.session.commit()


def _tell_act() -> None:
    if audit.has_told() or audit.pending():
        return
    subject, patient_id = _subject()
    audit.record(
        f"did.{request.endpoint}"[:64],
        f"Did: {words_of(request.endpoint or '')}",
        actor=g.auth_session.user,
        subject=subject,
        patient=patient_id,
    )


def _tell_refusal(sentence: str, status: int) -> None:
    sessions.take_back()
    session = g.get("auth_session")
    if session is None:
        return
    subject, patient_id = _subject()
    # In a transaction of its own: the refused one is undone.
    act = {403: "access.denied", 404: "access.not_found"}.get(status, "access.refused")
    told = f"Was refused: {words_of(request.endpoint or '')} ({request.method} {request.path[:150]}): {sentence}"
    audit.record(act, told, actor=session.user, subject=subject, patient=patient_id)
    db.session.commit()


def _subject() -> tuple[str, int | None]:
    """The row the address names last, and the patient it belongs to."""
    named = {name: value for name, value in (request.view_args or {}).items() if name.endswith("_id")}
    if not named:
        return "", None
    name, value = list(named.items())[-1]
    patient_id = named.get("patient_id")
    for each, number in reversed(named.items()):
        if patient_id is None and each in OF_A_PATIENT:
            row = db.session.get(OF_A_PATIENT[each], number)  # loaded by the view, mostly
            patient_id = getattr(row, "patient_id", None)
    return f"{name.removesuffix('_id')}:{value}", patient_id
