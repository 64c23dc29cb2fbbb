"""Material used in a visit: recorded, and taken back."""

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.materials.forms import TakeBackForm, UseForm
from clinic.errors import DomainError
from clinic.htmx import go_to
from clinic.models import MaterialUse, Visit
from clinic.operations import materials as operations
from clinic.queries.gates import visit_seen
from clinic.queries.materials import use_for, used_lately, uses_in
from clinic.queries.patients import patient_for

bp = Blueprint("materials", __name__, url_prefix="/visits/<int:visit_id>/materials")


@bp.get("")
@requires(Permission.RECORD_MATERIALS, changes=False)
def index(visit_id: int) -> ResponseReturnValue:
    """The material used in a visit."""
    return _page(_visit(visit_id), UseForm())


@bp.post("")
@requires(Permission.RECORD_MATERIALS)
def record(visit_id: int) -> ResponseReturnValue:
    """Record what was used."""
    visit, form = _visit(visit_id), UseForm(request.form)
    if not form.validate():
        return _page(visit, form), 422
    try:
        use = operations.record_use(visit, **form.data, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _page(_visit(visit_id), form, refusal.sentence), refusal.status
    return go_to(url_for(".index", visit_id=visit_id), say=f"Recorded: {use.words}")


@bp.post("/<int:material_use_id>/take-back")
@requires(Permission.RECORD_MATERIALS)
def take_back(visit_id: int, material_use_id: int) -> ResponseReturnValue:
    """Take back what was recorded by mistake."""
    use, form = _use(visit_id, material_use_id), TakeBackForm(request.form).checked()
    operations.take_back_use(use.id, version=form.version.data, reason=form.reason.data, actor=current_user)
    return go_to(url_for(".index", visit_id=visit_id), say=f"Taken back: {use.words}")


def _visit(visit_id: int) -> Visit:
    return visit_seen(current_user, visit_id) or abort(404)


def _use(visit_id: int, use_id: int) -> MaterialUse:
    return use_for(current_user, visit_id, use_id) or abort(404)


def _page(visit: Visit, form: UseForm, refused: str = "") -> str:
    return render_template(
        "materials/index.html",
        visit=visit,
        patient=patient_for(current_user, visit.patient_id),
        uses=uses_in(current_user, visit.id),
        lately=used_lately(),
        form=form,
        refused=refused,
    )
