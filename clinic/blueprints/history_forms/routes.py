"""The clinic's forms of the history: what is asked, and every number that was published."""

import json
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.history.shown import questions_of
from clinic.blueprints.history_forms.forms import BodyForm
from clinic.errors import Conflict, DomainError
from clinic.history.form import SEVERITIES, WATCH_KINDS, Form, ItemKind, NoForm, form_from
from clinic.htmx import go_to, place
from clinic.models import HistoryForm
from clinic.operations.history import publish_form
from clinic.queries.history import form_numbered, form_of, forms_now, numbers_of

bp = Blueprint("history_forms", __name__, url_prefix="/history-forms")
FIRST = ("code", "title", "label", "kind", "value", "in_use", "required", "supervisors_only", "shown_when")
# What the page of a new form begins with.
PATTERN = {
    "code": "our_form",
    "title": "Our form",
    "sections": [
        {
            "title": "First section",
            "items": [
                {"code": "first", "label": "A question", "kind": "yes_no", "required": True},
                {"code": "more", "label": "If so, what?", "kind": "text", "shown_when": ["first", "yes"]},
            ],
        }
    ],
}


@bp.get("")
@requires(Permission.MANAGE_FORMS)
def index() -> ResponseReturnValue:
    """Every form of the history in its newest number."""
    forms = [(row, form_from(row.body)) for row in forms_now()]
    return render_template("history_forms/index.html", forms=forms)


@bp.get("/new")
@requires(Permission.MANAGE_FORMS)
def new() -> ResponseReturnValue:
    """A further form of the history."""
    return _page(None, BodyForm(body=_pretty(json.dumps(PATTERN)), seen=0))


@bp.post("/new")
@requires(Permission.MANAGE_FORMS)
def add() -> ResponseReturnValue:
    """Publish a further form of the history, or look at it first."""
    return _write(None)


@bp.get("/<string:form_code>")
@requires(Permission.MANAGE_FORMS)
def show(form_code: str) -> ResponseReturnValue:
    """A form of the history as it is asked now, and its former numbers."""
    row = form_of(form_code) or abort(404)
    return _page(row, BodyForm(body=_pretty(row.body), seen=row.number))


@bp.post("/<string:form_code>")
@requires(Permission.MANAGE_FORMS)
def change(form_code: str) -> ResponseReturnValue:
    """Publish a form of the history as its next number, or look at it first."""
    return _write(form_of(form_code) or abort(404))


@bp.get("/<string:form_code>/<int:number>")
@requires(Permission.MANAGE_FORMS)
def former(form_code: str, number: int) -> ResponseReturnValue:
    """A former number of a form of the history."""
    row = form_numbered(form_code, number) or abort(404)
    sections = _questions(form_from(row.body))
    return render_template("history_forms/former.html", row=row, sections=sections, body=_pretty(row.body))


def _write(row: HistoryForm | None) -> ResponseReturnValue:
    form, code = BodyForm(request.form), row.code if row else None
    if not form.validate():
        return _page(row, form), 422
    if form.act.data == "look":
        return _page(row, form, is_looked_at=True)
    try:
        made = publish_form(code=code, body=form.body.data or "", seen=form.seen.data, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _refused(form_of(code) if code else None, form, refusal), refusal.status
    same = row is not None and row.number == made.number
    say = "Nothing was changed" if same else f"“{made.title}” is number {made.number} from now on"
    return go_to(url_for("history_forms.index"), say=say)


def _refused(row: HistoryForm | None, form: BodyForm, refusal: DomainError) -> str:
    """With what was written; after somebody was faster with theirs beside it, and it may be sent again."""
    if isinstance(refusal, Conflict) and row is not None:
        form.seen.process(MultiDict({"seen": str(row.number)}))
        return _page(row, form, refusal=refusal.sentence, theirs=_pretty(row.body))
    return _page(row, form, refusal=refusal.sentence)


def _page(row: HistoryForm | None, form: BodyForm, **more: Any) -> str:
    """The page of a form; what is written there is shown as it would be asked, or why it cannot be."""
    asked, wrong = _read(form.body.data or "")
    return render_template(
        "history_forms/show.html",
        row=row,
        form=form,
        sections=_questions(asked) if asked else [],
        wrong=wrong if more.get("is_looked_at") else "",
        numbers=numbers_of(row.code, **place()) if row else None,
        kinds=list(ItemKind),
        alert_kinds=WATCH_KINDS,
        severities=SEVERITIES,
        **({"refusal": "", "theirs": "", "is_looked_at": False} | more),
    )


def _read(body: str) -> tuple[Form | None, str]:
    try:
        return form_from(body), ""
    except NoForm as error:
        return None, str(error)


def _questions(form: Form) -> list[Any]:
    return questions_of(form, {}, for_supervisor=True)


def _pretty(body: str) -> str:
    """A body for people to write on: what names a thing comes first."""
    return json.dumps(_ordered(json.loads(body)), ensure_ascii=False, indent=2)


def _ordered(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_ordered(each) for each in plain]
    if not isinstance(plain, dict):
        return plain
    names = [name for name in FIRST if name in plain] + [name for name in plain if name not in FIRST]
    return {name: _ordered(plain[name]) for name in names}
