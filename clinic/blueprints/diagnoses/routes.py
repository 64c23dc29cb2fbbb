"""The clinic's own diagnoses, beside those that come with Chairside: the administrator's page."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from clinic import sessions
from clinic.access import Permission, requires
from clinic.diagnoses import OWN, SHIPPED
from clinic.errors import DomainError
from clinic.forms import Form, VersionForm, one_line
from clinic.htmx import go_to
from clinic.operations.problems import add_diagnosis, retire_diagnosis
from clinic.queries.problems import own_diagnoses

bp = Blueprint("diagnoses", __name__, url_prefix="/diagnoses")


class DiagnosisForm(Form):
    code = StringField(
        "Code", [InputRequired("Type a code."), Length(max=20)], filters=[one_line], description="E.g. P-17 or K08.81"
    )
    name = StringField("Name", [InputRequired("Type a name."), Length(max=200)], filters=[one_line])
    system = StringField(
        "System",
        [InputRequired("Say of which system."), Length(max=20)],
        filters=[one_line],
        default=OWN,
        description="Whose code it is: own, ICD-10, SNODENT",
    )


@bp.get("")
@requires(Permission.MANAGE_FORMS)
def index() -> ResponseReturnValue:
    """Every diagnosis: the clinic's own, and those that came with Chairside."""
    return _page(DiagnosisForm())


@bp.post("")
@requires(Permission.MANAGE_FORMS)
def add() -> ResponseReturnValue:
    """Add one."""
    form = DiagnosisForm(request.form)
    if not form.validate():
        return _page(form), 422
    try:
        row = add_diagnosis(system=form.system.data, code=form.code.data, name=form.name.data, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _page(form, refusal.sentence), refusal.status
    return go_to(url_for(".index"), say=f"{row.code} {row.name} can be chosen")


@bp.post("/<int:own_diagnosis_id>/retire")
@requires(Permission.MANAGE_FORMS)
def retire(own_diagnosis_id: int) -> ResponseReturnValue:
    """Offer it no longer."""
    return _offer(own_diagnosis_id, is_retired=True)


@bp.post("/<int:own_diagnosis_id>/bring-back")
@requires(Permission.MANAGE_FORMS)
def bring_back(own_diagnosis_id: int) -> ResponseReturnValue:
    """Offer it again."""
    return _offer(own_diagnosis_id, is_retired=False)


def _offer(own_diagnosis_id: int, *, is_retired: bool) -> ResponseReturnValue:
    form = VersionForm(request.form).checked()
    row = retire_diagnosis(own_diagnosis_id, version=form.version.data, is_retired=is_retired, actor=current_user)
    state = "no longer offered; what was noted with it stays" if is_retired else "offered again"
    return go_to(url_for(".index"), say=f"{row.code} {row.name} is {state}")


def _page(form: DiagnosisForm, refused: str = "") -> str:
    return render_template("diagnoses/index.html", form=form, refused=refused, own=own_diagnoses(), shipped=SHIPPED)
