"""What a person had typed and not sent. Called by js/drafts.js."""

import json

from flask import Blueprint, abort, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import sessions
from clinic.access import Permission, owner, requires
from clinic.extensions import db
from clinic.operations.drafts import OtherDraft, as_kept, keep_draft, mark_of
from clinic.queries.people import draft_of, was_sent

bp = Blueprint("drafts", __name__)


@bp.get("/drafts")
@requires(Permission.USE_ACCOUNT, background=True)
def show() -> ResponseReturnValue:
    """The viewer's draft of one form, as JSON, and whether a form with the key `once` has come and was accepted; 204 for neither."""
    fields = draft_of(current_user, request.args.get("form", ""))
    sent = was_sent(current_user, request.args.get("once", "")[:120])
    return {"fields": fields or {}, "mark": _mark(fields), "sent": sent} if fields or sent else ("", 204)


@bp.post("/drafts")
@requires(Permission.USE_ACCOUNT, background=True, while_locked=True, needs_key=False)
def keep() -> ResponseReturnValue:
    """Keep what has been typed so far; also at the moment of locking. 409 with what is kept, when that came from elsewhere meanwhile."""
    once = request.form.get("once", "")[:120]
    form, known = request.form.get("form", ""), request.form.get("mark")
    try:
        mark = keep_draft(form, _fields(), sent_by=(owner(), once), mark=known, actor=current_user)
    except OtherDraft as other:
        db.session.rollback()
        if sessions.is_locked(g.auth_session):  # whoever stands before a locked terminal reads nothing
            return {"fields": {}, "mark": "", "sent": False}, 409
        return {"fields": other.theirs, "mark": _mark(other.theirs), "sent": False}, 409
    db.session.commit()
    return "", 204, {"X-Draft": mark}


def _mark(fields: dict[str, list[str]] | None) -> str:
    return mark_of(as_kept(fields)) if fields else ""


def _fields() -> dict[str, list[str]]:
    """Field names and their values. Refuses any other shape."""
    try:
        fields = json.loads(request.form.get("fields", ""))
    except (ValueError, RecursionError):
        abort(422)
    shaped = isinstance(fields, dict) and all(
        isinstance(values, list) and all(isinstance(value, str) for value in values) for values in fields.values()
    )
    return fields if shaped else abort(422)
