"""The clinic's settings on one screen, in groups that are saved apart."""

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import sessions, settings
from clinic.access import Permission, requires
from clinic.blueprints.settings.forms import GroupForm
from clinic.errors import Conflict
from clinic.htmx import go_to
from clinic.operations.settings import change_settings

bp = Blueprint("settings", __name__, url_prefix="/settings")


@bp.get("")
@requires(Permission.MANAGE_SETTINGS)
def index() -> ResponseReturnValue:
    """Every setting, with what it means."""
    return _page()


@bp.post("/<string:group>")
@requires(Permission.MANAGE_SETTINGS)
def save(group: str) -> ResponseReturnValue:
    """Store the settings of a group."""
    form = GroupForm(_known(group), request.form)
    if not form.validate():
        return _page(form), 422
    try:
        changed = change_settings(form.values, seen=request.form.get("seen", ""), actor=current_user)
    except Conflict as conflict:
        return _both(form, conflict), 409
    return go_to(_at(group), say=f"{form.title}: saved" if changed else f"{form.title}: nothing was changed")


@bp.post("/<string:group>/usual")
@requires(Permission.MANAGE_SETTINGS)
def make_usual(group: str) -> ResponseReturnValue:
    """Give one setting of a group its usual value again."""
    declared = settings.of_group(_known(group)).get(request.form.get("setting", "")) or abort(404)
    name = request.form["setting"]
    change_settings({name: declared.default}, seen=request.form.get("seen", ""), actor=current_user)
    return go_to(_at(group), say=f"“{declared.label}” is as usual again: {declared.kind.in_words(declared.default)}")


def _known(group: str) -> str:
    return group if group in settings.GROUPS else abort(404)


def _at(group: str) -> str:
    return url_for("settings.index", _anchor=group)


def _both(form: GroupForm, conflict: Conflict) -> str:
    """The page with what was typed and what is stored now."""
    sessions.take_back()
    settings.forget()  # what the form is compared with is what is stored, not what this process held
    both = GroupForm(form.group, request.form)
    both.validate()
    both.show_both(conflict.sentence)
    return _page(both)


def _page(sent: GroupForm | None = None) -> str:
    """Every group as stored, but the one that was sent as it was typed."""
    if sent is None:
        settings.forget()  # another process may have changed them a moment ago
    forms = [sent if sent and sent.group == group else GroupForm(group) for group in settings.GROUPS]
    return render_template("settings/index.html", forms=forms)
