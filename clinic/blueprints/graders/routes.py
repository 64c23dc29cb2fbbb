"""Graders beside one another: how severe each is, and how far their marks spread."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.blueprints.graders.chart import drawn
from clinic.blueprints.graders.forms import GradersForm, asked
from clinic.blueprints.graders.words import said_of
from clinic.models import Role
from clinic.queries.graders import Graders, graders_of
from clinic.queries.places import own_departments

bp = Blueprint("graders", __name__)
NOBODY = Graders([], [], None)


@bp.get("/graders")
@requires(Permission.VIEW_GRADERS)
def index() -> ResponseReturnValue:
    """Each grader of evaluations beside the others, of the days chosen."""
    own = current_user.role is Role.SUPERVISOR
    form = GradersForm(asked(request.args)).offer(own_departments(current_user), own=own)
    if not form.validate():
        return render_template("graders/index.html", form=form, graders=NOBODY, drawing=None, said_of=said_of), 422
    found = graders_of(current_user, form.department.data or None, form.begin.data, form.end.data)
    drawing = drawn(found.judged) if found.judged else None
    return render_template("graders/index.html", form=form, graders=found, drawing=drawing, said_of=said_of)
