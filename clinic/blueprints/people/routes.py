"""The administrator's pages of people."""

import json
from typing import Any

from flask import Blueprint, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from clinic import passwords, security, sessions
from clinic.access import Permission, requires
from clinic.blueprints.people.forms import PersonForm
from clinic.errors import Conflict, DomainError
from clinic.htmx import go_to
from clinic.models import Role, User
from clinic.operations import people as operations
from clinic.operations import second_factor
from clinic.queries import people
from clinic.queries.places import departments

bp = Blueprint("people", __name__, url_prefix="/people")

SHOWN_SECONDS = 300  # how long a temporary password can be looked at


@bp.get("/")
@requires(Permission.MANAGE_USERS)
def index() -> ResponseReturnValue:
    """The people of the clinic, by name, a page at a time."""
    chosen = _filters()
    page = people.people_of(current_user, **chosen)
    return render_template("people/index.html", page=page, chosen=chosen, roles=list(Role), older=_address_after(page))


@bp.get("/new")
@requires(Permission.MANAGE_USERS)
def new() -> ResponseReturnValue:
    """The form to add a person."""
    form = PersonForm()
    form.name.render_kw = {**form.name.render_kw, "autofocus": True}
    return _new_page(form.choose_from(departments(current_user)))


@bp.post("/")
@requires(Permission.MANAGE_USERS)
def create() -> ResponseReturnValue:
    """Add a person with a temporary password, and show it."""
    form, password = PersonForm(request.form).choose_from(departments(current_user)), passwords.temporary()
    if not form.validate():
        return _new_page(form), 422
    try:
        person = operations.create_person(**_wanted(form), password_hash=passwords.hashed(password), actor=current_user)
    except DomainError as refusal:
        return _undone(_new_page, form, refusal), refusal.status
    return _show_once(person, password, f"{person.name} can sign in now")


@bp.get("/<int:person_id>")
@requires(Permission.MANAGE_USERS)
def show(person_id: int) -> ResponseReturnValue:
    """One person: their place, and what an administrator can do."""
    person = people.person_for(current_user, person_id) or abort(404)
    form = PersonForm(obj=person, data={"department_id": person.department_id, "year": person.year})
    return _person_page(form.choose_from(departments(current_user)), person)


@bp.post("/<int:person_id>")
@requires(Permission.MANAGE_USERS)
def change(person_id: int) -> ResponseReturnValue:
    """Change a person's name, address, role, department or year."""
    person = people.person_for(current_user, person_id) or abort(404)
    form = PersonForm(request.form).choose_from(departments(current_user))
    if not form.validate():
        return _person_page(form, person), 422
    try:
        operations.change_person(person_id, version=form.version.data or 0, **_wanted(form), actor=current_user)
    except DomainError as refusal:
        return _undone(_person_page, form, refusal, person_id), refusal.status
    return go_to(url_for("people.show", person_id=person_id), say=f"{person.name} is changed")


@bp.post("/<int:person_id>/reset")
@requires(Permission.MANAGE_USERS)
def reset(person_id: int) -> ResponseReturnValue:
    """Give a person a new temporary password, and show it."""
    _known(person_id)
    password = passwords.temporary()
    person = operations.reset_password(person_id, password_hash=passwords.hashed(password), actor=current_user)
    return _show_once(person, password, f"{person.name} has a temporary password")


@bp.get("/<int:person_id>/temporary-password")
@requires(Permission.MANAGE_USERS)
def temporary_password(person_id: int) -> ResponseReturnValue:
    """The temporary password just made, for this session and a few minutes only."""
    person = people.person_for(current_user, person_id) or abort(404)
    text = security.unseal(request.args.get("sealed", ""), "temporary password", seconds=SHOWN_SECONDS)
    session_id, of, password = json.loads(text) if text else (0, 0, "")
    mine = (session_id, of) == (g.auth_session.id, person_id) and person.must_change_password
    return render_template("people/temporary_password.html", person=person, password=password if mine else None)


@bp.post("/<int:person_id>/deactivate")
@requires(Permission.MANAGE_USERS)
def deactivate(person_id: int) -> ResponseReturnValue:
    """Let a person no longer sign in."""
    _known(person_id)
    person = operations.deactivate(person_id, actor=current_user)
    return go_to(url_for("people.show", person_id=person_id), say=f"{person.name} can no longer sign in")


@bp.post("/<int:person_id>/reactivate")
@requires(Permission.MANAGE_USERS)
def reactivate(person_id: int) -> ResponseReturnValue:
    """Let a person sign in again."""
    _known(person_id)
    person = operations.reactivate(person_id, actor=current_user)
    return go_to(url_for("people.show", person_id=person_id), say=f"{person.name} can sign in again")


@bp.post("/<int:person_id>/remove-second-factor")
@requires(Permission.MANAGE_USERS)
def remove_second_factor(person_id: int) -> ResponseReturnValue:
    """Take the second factor off an account whose person has lost it."""
    person = _known(person_id)
    second_factor.remove(person, actor=current_user)
    return go_to(url_for("people.show", person_id=person_id), say=f"{person.name} signs in without a second factor now")


def _known(person_id: int) -> User:
    return people.person_for(current_user, person_id) or abort(404)


def _wanted(form: PersonForm) -> dict[str, Any]:
    return {name: form[name].data for name in ("name", "email", "role", "department_id", "year")}


def _filters() -> dict[str, Any]:
    """The list's filters from the address; what is not known is no filter."""
    role = request.args.get("role", "")
    shown = request.args.get("shown", "active")
    name, after = request.args.get("after_name", ""), request.args.get("after_id", type=int)
    return {
        "text": request.args.get("q", "")[:100],
        "role": Role(role) if role in list(Role) else None,
        "active": {"active": True, "inactive": False}.get(shown),
        "after": (name, after) if after else None,
    }


def _address_after(page: people.Page) -> str | None:
    """The address of the next page with the same filters; None on the last."""
    if page.after is None:
        return None
    kept: dict[str, Any] = {name: request.args[name] for name in ("q", "role", "shown") if name in request.args}
    return url_for("people.index", **kept, after_name=page.after[0], after_id=page.after[1])


def _show_once(person: User, password: str, say: str) -> Any:
    sealed = security.seal(json.dumps([g.auth_session.id, person.id, password]), "temporary password")
    return go_to(url_for("people.temporary_password", person_id=person.id, sealed=sealed), say=say)


def _undone(page: Any, form: PersonForm, refusal: DomainError, person_id: int | None = None) -> str:
    """The form again, with what was typed and the sentence; for a stale form with what is stored now."""
    sessions.take_back()
    form.choose_from(departments(current_user))
    if person_id is None:
        return page(form, refusal.sentence)
    person = people.person_for(current_user, person_id) or abort(404)
    if isinstance(refusal, Conflict):
        form.version.process(MultiDict({"version": str(person.version)}))
        return page(form, person, refusal.sentence, stored=True)
    return page(form, person, refusal.sentence)


def _new_page(form: PersonForm, refusal: str | None = None) -> str:
    return render_template("people/new.html", form=form, refusal=refusal)


def _person_page(form: PersonForm, person: User, refusal: str | None = None, *, stored: bool = False) -> str:
    return render_template("people/person.html", form=form, person=person, refusal=refusal, stored=stored)
