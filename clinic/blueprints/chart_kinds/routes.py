"""The clinic's own kinds of chart entry: the administrator's pages."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.chart_kinds.forms import SCOPE_WORDS, AddForm, ChangeForm
from clinic.blueprints.chart_kinds.preview import preview_of
from clinic.chart.kinds import Scope
from clinic.errors import Conflict, DomainError
from clinic.forms import VersionForm
from clinic.htmx import go_to
from clinic.models import OwnKind
from clinic.operations import own_kinds
from clinic.queries.own_kinds import every_own_kind, own_kind_for

bp = Blueprint("chart_kinds", __name__, url_prefix="/chart-kinds")


@dataclass(frozen=True)
class Drawn:
    """What a form says of a drawing."""

    scope: Scope
    rule: str
    pattern: str
    letter: str
    icon: str


@bp.get("")
@requires(Permission.MANAGE_CHART_KINDS)
def index() -> ResponseReturnValue:
    """Every kind of the clinic's own, retired ones too."""
    return render_template("chart_kinds/index.html", states=every_own_kind(current_user), scope_words=SCOPE_WORDS)


@bp.get("/new")
@requires(Permission.MANAGE_CHART_KINDS)
def new() -> ResponseReturnValue:
    """The form of a further kind."""
    return _new(AddForm())


@bp.post("/new")
@requires(Permission.MANAGE_CHART_KINDS)
def add() -> ResponseReturnValue:
    """Add a kind to the catalogue."""
    form = AddForm(request.form)
    if not form.validate():
        return _new(form), 422
    try:
        kind = own_kinds.add_own_kind(**_added(form), actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _new(form, refusal.sentence), refusal.status
    return go_to(url_for("chart_kinds.index"), say=f"{kind.name} can be charted: type {kind.word}")


@bp.get("/preview")
@requires(Permission.MANAGE_CHART_KINDS, typed=True)
def preview() -> ResponseReturnValue:
    """How a kind would be drawn, as far as it is chosen."""
    sent = request.args
    if (kind_id := sent.get("kind", type=int)) is not None:
        scope, rule = _kind(kind_id).scope, sent.get("rule", "")
    else:
        scope, rule = _shape(sent.get("shape", ""))
    drawn = Drawn(scope, rule, sent.get("pattern", ""), sent.get("letter", "")[:3], sent.get("icon", ""))
    return render_template("chart_kinds/_preview.html", kind_id=kind_id, **preview_of(drawn))


@bp.get("/<int:own_kind_id>")
@requires(Permission.MANAGE_CHART_KINDS)
def show(own_kind_id: int) -> ResponseReturnValue:
    """One kind: its name, word and drawing."""
    kind = _kind(own_kind_id)
    return _page(kind, ChangeForm(obj=kind))


@bp.post("/<int:own_kind_id>")
@requires(Permission.MANAGE_CHART_KINDS)
def change(own_kind_id: int) -> ResponseReturnValue:
    """Change its name, word or drawing."""
    kind = _kind(own_kind_id)
    form = ChangeForm(request.form).of(kind.scope)
    if not form.validate():
        return _page(kind, form), 422
    try:
        own_kinds.change_own_kind(own_kind_id, **form.data, actor=current_user)
    except DomainError as refusal:
        return _page(_anew(form, refusal, own_kind_id), form, refusal.sentence), refusal.status
    return go_to(url_for("chart_kinds.index"), say=f"{form.name.data} is saved")


@bp.post("/<int:own_kind_id>/retire")
@requires(Permission.MANAGE_CHART_KINDS)
def retire(own_kind_id: int) -> ResponseReturnValue:
    """It is no longer offered."""
    kind, form = _kind(own_kind_id), VersionForm(request.form).checked()
    own_kinds.retire_own_kind(own_kind_id, version=form.version.data, actor=current_user)
    return go_to(url_for("chart_kinds.index"), say=f"{kind.name} is retired; what was charted with it stays")


@bp.post("/<int:own_kind_id>/bring-back")
@requires(Permission.MANAGE_CHART_KINDS)
def bring_back(own_kind_id: int) -> ResponseReturnValue:
    """It is offered again."""
    kind, form = _kind(own_kind_id), VersionForm(request.form).checked()
    own_kinds.bring_own_kind_back(own_kind_id, version=form.version.data, actor=current_user)
    return go_to(url_for("chart_kinds.index"), say=f"{kind.name} can be charted again")


def _kind(kind_id: int) -> OwnKind:
    return own_kind_for(current_user, kind_id) or abort(404)


def _shape(said: str) -> tuple[Scope, str]:
    """`surfaces zone`: on what it is, and its rule of drawing."""
    scope, _, rule = said.partition(" ")
    return (Scope(scope), rule) if scope in list(SCOPE_WORDS) else (Scope.SURFACES, "zone")


def _added(form: AddForm) -> dict[str, Any]:
    scope, rule = _shape(form.shape.data)
    is_treatment = form.is_treatment.data == "yes"
    told = {name: form[name].data or "" for name in ("name", "word", "pattern", "letter", "icon")}
    return {"scope": scope, "rule": rule, "is_treatment": is_treatment, **told}


def _anew(form: ChangeForm, refusal: DomainError, kind_id: int) -> OwnKind:
    """The kind as it is stored now; the form keeps what was typed, and may be sent again after a conflict."""
    sessions.take_back()
    kind = _kind(kind_id)
    if isinstance(refusal, Conflict):
        form.version.process(MultiDict({"version": str(kind.version)}))
    return kind


def _new(form: AddForm, refusal: str | None = None) -> str:
    scope, rule = _shape(form.shape.data or "")
    drawn = Drawn(scope, rule, form.pattern.data or "", form.letter.data or "", form.icon.data or "")
    return render_template("chart_kinds/new.html", form=form, refusal=refusal, kind_id=None, **preview_of(drawn))


def _page(kind: OwnKind, form: ChangeForm, refusal: str | None = None) -> str:
    shown = preview_of(Drawn(kind.scope, *(form[each].data or "" for each in ("rule", "pattern", "letter", "icon"))))
    words = SCOPE_WORDS[kind.scope]
    return render_template(
        "chart_kinds/show.html",
        kind=kind,
        kind_id=kind.id,
        scope_words=words,
        form=form.of(kind.scope),
        refusal=refusal,
        **shown,
    )
