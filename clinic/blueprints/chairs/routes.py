"""The chairs of a department: who sits where, and which are out of service."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.blueprints.chairs.forms import OutOfServiceForm
from clinic.blueprints.queue.board import STAGE_TONES, STAGE_WORDS, seen_now
from clinic.forms import VersionForm
from clinic.htmx import answer, done, go_to
from clinic.models import Chair, Department
from clinic.operations.chairs import return_to_service, take_out_of_service
from clinic.queries.places import chair_for, department_of, departments
from clinic.queries.queue import chairs_of

bp = Blueprint("chairs", __name__, url_prefix="/chairs")


@bp.get("")
@requires(Permission.VIEW_CHAIRS)
def index() -> ResponseReturnValue:
    """The chairs of a department."""
    department = _department()
    return render_template("chairs/index.html", departments=departments(current_user), **_shown(department))


@bp.get("/list")
@requires(Permission.VIEW_CHAIRS, background=True)
def listed() -> ResponseReturnValue:
    """The chairs alone; 204 when they are as the page has them."""
    department = _department()
    if request.args.get("since") == seen_now(department):
        return "", 204
    return render_template("chairs/_list.html", **_shown(department))


@bp.get("/<int:chair_id>/out-of-service")
@requires(Permission.MANAGE_CHAIRS)
def out_of_service(chair_id: int) -> ResponseReturnValue:
    """Why can the chair not be used?"""
    return _ask(_chair(chair_id), OutOfServiceForm())


@bp.post("/<int:chair_id>/out-of-service")
@requires(Permission.MANAGE_CHAIRS)
def take_out(chair_id: int) -> ResponseReturnValue:
    """Nobody is called to it from now on."""
    chair, form = _chair(chair_id), OutOfServiceForm(request.form)
    if not form.validate():
        return _ask(chair, form), 422
    take_out_of_service(chair, reason=form.reason.data, version=form.version.data, actor=current_user)
    back, say = _back(chair), f"Chair {chair.name} is out of service"
    if f"/{chair_id}/out-of-service" in request.headers.get("HX-Current-URL", ""):
        return go_to(back, say=say)
    return done(back=back, changed="queue:changed", say=say)


@bp.post("/<int:chair_id>/in-service")
@requires(Permission.MANAGE_CHAIRS)
def put_back(chair_id: int) -> ResponseReturnValue:
    """It can be used again."""
    chair, form = _chair(chair_id), VersionForm(request.form).checked()
    return_to_service(chair, version=form.version.data, actor=current_user)
    return done(back=_back(chair), changed="queue:changed", say=f"Chair {chair.name} is back in service")


def _department() -> Department:
    return department_of(current_user, request.args.get("department", type=int)) or abort(404)


def _chair(chair_id: int) -> Chair:
    return chair_for(current_user, chair_id) or abort(404)


def _shown(department: Department) -> dict[str, Any]:
    return {
        "department": department,
        "seen": seen_now(department),
        "chairs": chairs_of(current_user, department.id),
        "words_of": STAGE_WORDS,
        "tones": STAGE_TONES,
    }


def _ask(chair: Chair, form: OutOfServiceForm) -> str:
    return answer(page="chairs/out_of_service.html", fragment="chairs/_out_of_service.html", chair=chair, form=form)


def _back(chair: Chair) -> str:
    return url_for("chairs.index", department=chair.department_id)
