"""Where to? Pages by permission, patients by search."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import access, rendering
from clinic.access import Permission, requires
from clinic.queries.patients import search_patients

bp = Blueprint("palette", __name__, url_prefix="/go-to")
MOST_PATIENTS = 8


@bp.get("")
@requires(Permission.USE_ACCOUNT)
def index() -> ResponseReturnValue:
    """The palette as a page, for browsers without JavaScript."""
    return render_template("palette/index.html", **_found())


@bp.get("/results")
@requires(Permission.USE_ACCOUNT, typed=True)
def results() -> ResponseReturnValue:
    """What the palette found so far."""
    return render_template("palette/_results.html", **_found())


def _found() -> dict[str, object]:
    text = request.args.get("q", "").strip()[:100]
    return {"text": text, "pages": rendering.pages_named(text), "patients": _patients(text)}


def _patients(text: str) -> list[object]:
    if len(text) < 2 or not access.may(current_user, Permission.FIND_PATIENTS):
        return []
    return list(search_patients(current_user, text, limit=MOST_PATIENTS))
