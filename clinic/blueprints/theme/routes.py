"""Choosing the colours of the screen."""

from flask import Blueprint, Response, abort, request, url_for
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.htmx import done
from clinic.operations.theme import THEMES, choose_theme

bp = Blueprint("theme", __name__)


@bp.post("/theme")
@requires(Permission.USE_ACCOUNT)
def choose() -> Response:
    """Keep one's choice of colours."""
    theme = request.form.get("theme", "")
    if theme not in THEMES:
        abort(422)
    choose_theme(theme, actor=current_user)
    return done(back=url_for("home.index"), changed="theme:changed", say=f"Colours: {THEMES[theme]}")
