"""The administrator's pages of departments and their chairs."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.departments.forms import AddChairForm, ChairForm, DepartmentForm, OpenForm
from clinic.errors import Conflict, DomainError
from clinic.forms import VersionForm
from clinic.htmx import go_to
from clinic.models import Chair, Department
from clinic.operations import chairs, departments
from clinic.queries import places

Place = TypeVar("Place", Department, Chair)

bp = Blueprint("departments", __name__, url_prefix="/settings")


@bp.get("/departments")
@requires(Permission.MANAGE_SETTINGS)
def index() -> ResponseReturnValue:
    """Every department, closed ones too."""
    return _index(OpenForm())


@bp.post("/departments")
@requires(Permission.MANAGE_SETTINGS)
def open_one() -> ResponseReturnValue:
    """Open a department."""
    form = OpenForm(request.form)
    if not form.validate():
        return _index(form), 422
    try:
        department = departments.open_department(**form.data, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _index(form, refusal.sentence), refusal.status
    return go_to(_at(department.id), say=f"{department.name} is open")


@bp.get("/departments/<int:department_id>")
@requires(Permission.MANAGE_SETTINGS)
def show(department_id: int) -> ResponseReturnValue:
    """One department: its name, whether it is open, its chairs."""
    return _page(_department(department_id))


@bp.post("/departments/<int:department_id>")
@requires(Permission.MANAGE_SETTINGS)
def rename(department_id: int) -> ResponseReturnValue:
    """Give a department another name."""
    department, form = _department(department_id), DepartmentForm(request.form)
    if not form.validate():
        return _page(department, form=form), 422
    try:
        departments.rename_department(department_id, **form.data, actor=current_user)
    except DomainError as refusal:
        return _page(
            _anew(form, refusal, _department, department_id), form=form, refusal=refusal.sentence
        ), refusal.status
    return go_to(_at(department_id), say=f"The department is called {form.name.data}")


@bp.post("/departments/<int:department_id>/close")
@requires(Permission.MANAGE_SETTINGS)
def close(department_id: int) -> ResponseReturnValue:
    """Close a department in which nobody is left."""
    department, form = _department(department_id), VersionForm(request.form).checked()
    departments.close_department(department_id, version=form.version.data, actor=current_user)
    return go_to(_at(department_id), say=f"{department.name} is closed")


@bp.post("/departments/<int:department_id>/reopen")
@requires(Permission.MANAGE_SETTINGS)
def reopen(department_id: int) -> ResponseReturnValue:
    """Open a closed department again."""
    department, form = _department(department_id), VersionForm(request.form).checked()
    departments.reopen_department(department_id, version=form.version.data, actor=current_user)
    return go_to(_at(department_id), say=f"{department.name} is open again")


@bp.post("/departments/<int:department_id>/chairs")
@requires(Permission.MANAGE_SETTINGS)
def add_chair(department_id: int) -> ResponseReturnValue:
    """Add a chair to a department."""
    department, form = _department(department_id), AddChairForm(request.form)
    if not form.validate():
        return _page(department, added=form), 422
    try:
        chairs.add_chair(department_id, **form.data, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        form.name.errors = [refusal.sentence]
        return _page(_department(department_id), added=form), refusal.status
    return go_to(_at(department_id), say=f"Chair {form.name.data} is added")


@bp.get("/chairs/<int:chair_id>")
@requires(Permission.MANAGE_SETTINGS)
def chair(chair_id: int) -> ResponseReturnValue:
    """One chair: its name, and whether it is used."""
    return _chair_page(_chair(chair_id))


@bp.post("/chairs/<int:chair_id>")
@requires(Permission.MANAGE_SETTINGS)
def rename_chair(chair_id: int) -> ResponseReturnValue:
    """Give a chair another name."""
    one, form = _chair(chair_id), ChairForm(request.form)
    if not form.validate():
        return _chair_page(one, form), 422
    try:
        chairs.rename_chair(chair_id, **form.data, actor=current_user)
    except DomainError as refusal:
        return _chair_page(_anew(form, refusal, _chair, chair_id), form, refusal.sentence), refusal.status
    return go_to(_at(one.department_id), say=f"The chair is called {form.name.data}")


@bp.post("/chairs/<int:chair_id>/retire")
@requires(Permission.MANAGE_SETTINGS)
def retire_chair(chair_id: int) -> ResponseReturnValue:
    """A chair is no longer used."""
    one, form = _chair(chair_id), VersionForm(request.form).checked()
    chairs.retire_chair(chair_id, version=form.version.data, actor=current_user)
    return go_to(_at(one.department_id), say=f"Chair {one.name} is retired")


@bp.post("/chairs/<int:chair_id>/bring-back")
@requires(Permission.MANAGE_SETTINGS)
def bring_chair_back(chair_id: int) -> ResponseReturnValue:
    """A retired chair is used again."""
    one, form = _chair(chair_id), VersionForm(request.form).checked()
    chairs.bring_chair_back(chair_id, version=form.version.data, actor=current_user)
    return go_to(_at(one.department_id), say=f"Chair {one.name} is used again")


def _department(department_id: int) -> Department:
    return places.any_department(current_user, department_id) or abort(404)


def _chair(chair_id: int) -> Chair:
    return places.chair_for(current_user, chair_id) or abort(404)


def _at(department_id: int) -> str:
    return url_for("departments.show", department_id=department_id)


def _anew(form: VersionForm, refusal: DomainError, stored: Callable[[int], Place], number: int) -> Place:
    """The department or chair as it is stored now; the form keeps what was typed, and may be sent again after a conflict."""
    sessions.take_back()
    place = stored(number)
    if isinstance(refusal, Conflict):
        form.version.process(MultiDict({"version": str(place.version)}))
    return place


def _index(form: OpenForm, refusal: str | None = None) -> str:
    states = places.every_department(current_user)
    return render_template("departments/index.html", states=states, form=form, refusal=refusal)


def _page(department: Department, **forms: Any) -> str:
    shown = {"form": DepartmentForm(obj=department), "added": AddChairForm(prefix=""), "refusal": None} | forms
    every = places.every_chair(current_user, department.id)
    return render_template("departments/show.html", department=department, chairs=every, **shown)


def _chair_page(one: Chair, form: ChairForm | None = None, refusal: str | None = None) -> str:
    return render_template("departments/chair.html", chair=one, form=form or ChairForm(obj=one), refusal=refusal)
