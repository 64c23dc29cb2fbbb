"""The clinic's forms of evaluations: what is marked, on which scale, and every number that was published."""

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.evaluation_forms.forms import WrittenForm
from clinic.errors import Conflict, DomainError
from clinic.evaluation.form import Form, form_from
from clinic.forms import VersionForm
from clinic.htmx import go_to, place
from clinic.models import EvaluationForm
from clinic.operations.evaluations import publish_evaluation_form, retire_evaluation_form
from clinic.queries.evaluations import form_of, forms_now, numbers_of

bp = Blueprint("evaluation_forms", __name__, url_prefix="/evaluation-forms")


@bp.get("")
@requires(Permission.MANAGE_FORMS)
def index() -> ResponseReturnValue:
    """Every form of evaluations in its newest number."""
    return render_template("evaluation_forms/index.html", forms=[(row, form_from(row.body)) for row in forms_now()])


@bp.get("/new")
@requires(Permission.MANAGE_FORMS)
def new() -> ResponseReturnValue:
    """A further form of evaluations."""
    return _page(None, WrittenForm(seen=0))


@bp.post("/new")
@requires(Permission.MANAGE_FORMS)
def add() -> ResponseReturnValue:
    """Publish a further form of evaluations."""
    return _write(None)


@bp.get("/<string:evaluation_code>")
@requires(Permission.MANAGE_FORMS)
def show(evaluation_code: str) -> ResponseReturnValue:
    """A form of evaluations as it is marked on now, and its former numbers."""
    row = form_of(evaluation_code) or abort(404)
    return _page(row, _as_written(row))


@bp.post("/<string:evaluation_code>")
@requires(Permission.MANAGE_FORMS)
def change(evaluation_code: str) -> ResponseReturnValue:
    """Publish a form of evaluations as its next number."""
    return _write(form_of(evaluation_code) or abort(404))


@bp.post("/<string:evaluation_code>/retire")
@requires(Permission.MANAGE_FORMS)
def retire(evaluation_code: str) -> ResponseReturnValue:
    """Evaluate on a form no longer."""
    return _offer(evaluation_code, is_retired=True)


@bp.post("/<string:evaluation_code>/bring-back")
@requires(Permission.MANAGE_FORMS)
def bring_back(evaluation_code: str) -> ResponseReturnValue:
    """Evaluate on a form again."""
    return _offer(evaluation_code, is_retired=False)


def _offer(code: str, *, is_retired: bool) -> ResponseReturnValue:
    row, form = form_of(code) or abort(404), VersionForm(request.form).checked()
    row = retire_evaluation_form(row.code, version=form.version.data, is_retired=is_retired, actor=current_user)
    state = "retired; what was marked on it stays" if is_retired else "in use again"
    return go_to(url_for(".index"), say=f"“{row.title}” is {state}")


def _write(row: EvaluationForm | None) -> ResponseReturnValue:
    form, code = WrittenForm(request.form), row.code if row else None
    if not form.validate():
        return _page(row, form), 422
    said = {"title": form.title.data, "steps": form.steps.data, "criteria": form.criteria.data, "seen": form.seen.data}
    try:
        made = publish_evaluation_form(code=code, **said, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _refused(form_of(code) if code else None, form, refusal), refusal.status
    return go_to(url_for(".index"), say=f"“{made.title}” is number {made.number} from now on")


def _refused(row: EvaluationForm | None, form: WrittenForm, refusal: DomainError) -> str:
    """With what was written; after somebody was faster with theirs beside it, and it may be sent again."""
    theirs = isinstance(refusal, Conflict) and row is not None
    if theirs and row is not None:
        form.seen.process(MultiDict({"seen": str(row.number)}))
    return _page(row, form, refusal=refusal.sentence, theirs=form_from(row.body) if theirs and row else None)


def _as_written(row: EvaluationForm) -> WrittenForm:
    form = form_from(row.body)
    criteria = "\n".join(f"{each.label}: {each.hint}" if each.hint else each.label for each in form.criteria)
    return WrittenForm(title=form.title, steps="\n".join(form.steps), criteria=criteria, seen=row.number)


def _page(row: EvaluationForm | None, form: WrittenForm, *, refusal: str = "", theirs: Form | None = None) -> str:
    return render_template(
        "evaluation_forms/show.html",
        row=row,
        form=form,
        refusal=refusal,
        theirs=theirs,
        numbers=numbers_of(row.code, **place()) if row else None,
    )
