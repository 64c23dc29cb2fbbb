"""The templates of notes: the administrator's pages."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.note_templates.forms import ChangeForm, TemplateForm
from clinic.errors import Conflict, DomainError
from clinic.forms import VersionForm
from clinic.htmx import go_to
from clinic.models import NoteTemplate, NoteType
from clinic.notes.template import PLACES
from clinic.operations.note_templates import add_template, bring_template_back, change_template, retire_template
from clinic.queries.note_templates import every_template, template_for

bp = Blueprint("note_templates", __name__, url_prefix="/note-templates")


@bp.get("")
@requires(Permission.MANAGE_FORMS)
def index() -> ResponseReturnValue:
    """Every template of notes, retired ones too."""
    return render_template("note_templates/index.html", templates=every_template(current_user))


@bp.get("/new")
@requires(Permission.MANAGE_FORMS)
def new() -> ResponseReturnValue:
    """The form of a further template."""
    return _page(None, TemplateForm())


@bp.post("/new")
@requires(Permission.MANAGE_FORMS)
def add() -> ResponseReturnValue:
    """Add a template."""
    form = TemplateForm(request.form)
    if not form.validate():
        return _page(None, form), 422
    try:
        template = add_template(**_said(form), actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _page(None, form, refusal), refusal.status
    return go_to(url_for("note_templates.index"), say=f"{template.name} can be chosen")


@bp.get("/<int:note_template_id>")
@requires(Permission.MANAGE_FORMS)
def show(note_template_id: int) -> ResponseReturnValue:
    """One template: its name, type and text."""
    template = _template(note_template_id)
    return _page(template, ChangeForm(obj=template, type=template.type.value))


@bp.post("/<int:note_template_id>")
@requires(Permission.MANAGE_FORMS)
def change(note_template_id: int) -> ResponseReturnValue:
    """Change a template."""
    template, form = _template(note_template_id), ChangeForm(request.form)
    if not form.validate():
        return _page(template, form), 422
    try:
        change_template(note_template_id, **_said(form), version=form.version.data, actor=current_user)
    except DomainError as refusal:
        return _anew(form, note_template_id, refusal), refusal.status
    return go_to(url_for("note_templates.index"), say=f"{form.name.data} is saved")


@bp.post("/<int:note_template_id>/retire")
@requires(Permission.MANAGE_FORMS)
def retire(note_template_id: int) -> ResponseReturnValue:
    """A template is no longer offered."""
    template, form = _template(note_template_id), VersionForm(request.form).checked()
    retire_template(note_template_id, version=form.version.data, actor=current_user)
    return go_to(url_for("note_templates.index"), say=f"{template.name} is retired")


@bp.post("/<int:note_template_id>/bring-back")
@requires(Permission.MANAGE_FORMS)
def bring_back(note_template_id: int) -> ResponseReturnValue:
    """A retired template is offered again."""
    template, form = _template(note_template_id), VersionForm(request.form).checked()
    bring_template_back(note_template_id, version=form.version.data, actor=current_user)
    return go_to(url_for("note_templates.index"), say=f"{template.name} can be chosen again")


def _template(template_id: int) -> NoteTemplate:
    return template_for(current_user, template_id) or abort(404)


def _said(form: TemplateForm) -> dict[str, Any]:
    return {"name": form.name.data or "", "type": NoteType(form.type.data), "text": form.text.data or ""}


def _anew(form: ChangeForm, template_id: int, refusal: DomainError) -> str:
    """The page with what was typed, which may be sent again after a conflict."""
    sessions.take_back()
    template = _template(template_id)
    if isinstance(refusal, Conflict):
        form.version.process(MultiDict({"version": str(template.version)}))
    return _page(template, form, refusal)


def _page(template: NoteTemplate | None, form: TemplateForm, refusal: DomainError | None = None) -> str:
    return render_template("note_templates/show.html", template=template, form=form, refusal=refusal, places=PLACES)
