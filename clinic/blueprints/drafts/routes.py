"""What a person had typed and not sent. Called by js/drafts.js."""

import json

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.extensions import db
from clinic.operations.drafts import keep_draft
from clinic.queries.people import draft_of

bp = Blueprint("drafts", __name__)


@bp.get("/drafts")
@requires(Permission.USE_ACCOUNT, background=True)
def show() -> ResponseReturnValue:
    """The viewer's draft of one form, as JSON; 204 when there is none."""
    fields = draft_of(current_user, request.args.get("form", ""))
    return {"fields": fields} if fields else ("", 204)


@bp.post("/drafts")
@requires(Permission.USE_ACCOUNT, background=True, while_locked=True, needs_key=False)
def keep() -> ResponseReturnValue:
    """Keep what has been typed so far; also at the moment of locking."""
    keep_draft(request.form.get("form", ""), _fields(), actor=current_user)
    db.session.commit()
    return "", 204


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
