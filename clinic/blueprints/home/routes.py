"""The first page of each role."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires

bp = Blueprint("home", __name__)


@bp.get("/")
@requires(Permission.USE_ACCOUNT)
def index() -> ResponseReturnValue:
    """Today, for the person who looks."""
    return render_template("home/index.html", person=current_user)
