"""Administration of the public screens."""

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.blueprints.displays.forms import PairForm
from clinic.errors import DomainError
from clinic.htmx import go_to
from clinic.operations.displays import pair_display, revoke_display
from clinic.queries.displays import display_for, displays_for
from clinic.queries.places import departments

bp = Blueprint("displays", __name__, url_prefix="/displays")


@bp.get("")
@requires(Permission.MANAGE_DISPLAYS)
def index() -> ResponseReturnValue:
    """The paired screens, and the form to pair another."""
    form = PairForm().offer(departments(current_user))
    return render_template("displays/index.html", displays=displays_for(current_user), form=form, refused=None)


@bp.post("/pair")
@requires(Permission.MANAGE_DISPLAYS)
def pair() -> ResponseReturnValue:
    """Pair the screen that shows the code."""
    form, refused = PairForm(request.form).offer(departments(current_user)), None
    if form.validate():
        try:
            display = pair_display(
                code=form.code.data, name=form.name.data, department=form.chosen(), actor=current_user
            )
            return go_to(url_for("displays.index"), say=f"{display.name} is paired")
        except DomainError as error:
            refused = error.sentence
    return render_template("displays/index.html", displays=displays_for(current_user), form=form, refused=refused), 422


@bp.post("/<int:display_id>/revoke")
@requires(Permission.MANAGE_DISPLAYS)
def revoke(display_id: int) -> ResponseReturnValue:
    """Take the screen's right away."""
    display = display_for(current_user, display_id) or abort(404)
    revoke_display(display, actor=current_user)
    return go_to(url_for("displays.index"), say=f"{display.name} is revoked")
