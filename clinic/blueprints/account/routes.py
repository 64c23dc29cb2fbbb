"""One's own account."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.get("/password")
@requires(Permission.USE_ACCOUNT)
def password() -> ResponseReturnValue:
    """The form to change one's password."""
    return render_template("account/password.html", person=current_user)
