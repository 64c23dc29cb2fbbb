"""What students have to do, how far each is, and what shows it."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.requirements.forms import CLASS_WORDS, AddForm, AskedForm, ChangeForm, filled
from clinic.chart.entry import Entry
from clinic.chart.words import sentence
from clinic.errors import DomainError
from clinic.forms import VersionForm
from clinic.htmx import go_to
from clinic.models import Requirement, Role, User
from clinic.operations import requirements as operations
from clinic.queries.chart import catalogue
from clinic.queries.places import own_departments
from clinic.queries.requirements import (
    chances_of,
    every_requirement,
    evidence_for,
    group_for,
    progress_for,
    requirement_to_change,
    years_of,
)
from clinic.queries.unapproved import student_for

bp = Blueprint("requirements", __name__, url_prefix="/requirements")


@bp.get("")
@requires(Permission.VIEW_REQUIREMENTS)
def index() -> ResponseReturnValue:
    """How far one is; supervisors: how far the students of their department are."""
    if current_user.role is Role.STUDENT:
        return _student_page(current_user)
    years = years_of(current_user.department_id)
    wanted = request.args.get("year", type=int)
    year = wanted if wanted in years else years[0] if years else None
    asked, rows = group_for(current_user, year)
    return render_template("requirements/group.html", years=years, year=year, requirements=asked, rows=rows)


@bp.get("/students/<int:student_id>")
@requires(Permission.VIEW_REQUIREMENTS)
def student(student_id: int) -> ResponseReturnValue:
    """How far a student is, what is missing, and who could be treated next."""
    return _student_page(_student(student_id))


@bp.get("/<int:requirement_id>/students/<int:student_id>")
@requires(Permission.VIEW_REQUIREMENTS)
def evidence(requirement_id: int, student_id: int) -> ResponseReturnValue:
    """What a count is made of."""
    whose = _student(student_id)
    progress, patients = evidence_for(current_user, whose, requirement_id) or abort(404)
    return render_template(
        "requirements/evidence.html", student=whose, progress=progress, patients=patients, **_words()
    )


# --- saying what is to be done ----------------------------------------------------------------------------------------


@bp.get("/all")
@requires(Permission.MANAGE_REQUIREMENTS)
def every() -> ResponseReturnValue:
    """Everything that students have to do."""
    return render_template("requirements/all.html", requirements=every_requirement(current_user), **_words())


@bp.get("/new")
@requires(Permission.MANAGE_REQUIREMENTS)
def new() -> ResponseReturnValue:
    """The form for one more."""
    return _form_page(_offered(AddForm(request.args)))


@bp.post("/new")
@requires(Permission.MANAGE_REQUIREMENTS)
def add() -> ResponseReturnValue:
    """Ask for something more."""
    form = _offered(AddForm(request.form))
    if not form.validate():
        return _form_page(form), 422
    department = form.departments[form.department.data]
    try:
        row = operations.add_requirement(
            department=department, year=form.year.data, asked=form.asked(), actor=current_user
        )
    except DomainError as refusal:
        sessions.take_back()
        return _form_page(_offered(AddForm(request.form)), refused=refusal.sentence), refusal.status
    return go_to(url_for(".every"), say=f"{row.name} is asked of year {row.year}")


@bp.get("/<int:requirement_id>")
@requires(Permission.MANAGE_REQUIREMENTS)
def show(requirement_id: int) -> ResponseReturnValue:
    """The form to change what is asked for."""
    row = _requirement(requirement_id)
    return _form_page(_with_kinds(filled(row), row), row)


@bp.post("/<int:requirement_id>")
@requires(Permission.MANAGE_REQUIREMENTS)
def change(requirement_id: int) -> ResponseReturnValue:
    """Say it anew."""
    row = _requirement(requirement_id)
    form = _with_kinds(ChangeForm(request.form), row)
    if not form.validate():
        return _form_page(form, row), 422
    try:
        operations.change_requirement(row.id, version=form.version.data, asked=form.asked(), actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _form_page(form, _requirement(requirement_id), refused=refusal.sentence), refusal.status
    return go_to(url_for(".every"), say=f"{form.name.data} is saved")


@bp.post("/<int:requirement_id>/retire")
@requires(Permission.MANAGE_REQUIREMENTS)
def retire(requirement_id: int) -> ResponseReturnValue:
    """Ask for it no longer."""
    return _retire(requirement_id, is_retired=True)


@bp.post("/<int:requirement_id>/bring-back")
@requires(Permission.MANAGE_REQUIREMENTS)
def bring_back(requirement_id: int) -> ResponseReturnValue:
    """Ask for it again."""
    return _retire(requirement_id, is_retired=False)


def _retire(requirement_id: int, *, is_retired: bool) -> ResponseReturnValue:
    row, form = _requirement(requirement_id), VersionForm(request.form).checked()
    operations.retire_requirement(row.id, version=form.version.data, is_retired=is_retired, actor=current_user)
    return go_to(url_for(".every"), say=f"{row.name} is {'no longer asked for' if is_retired else 'asked for again'}")


def _requirement(requirement_id: int) -> Requirement:
    return requirement_to_change(current_user, requirement_id) or abort(404)


def _student(student_id: int) -> User:
    return student_for(current_user, student_id) or abort(404)


def _student_page(whose: User) -> str:
    progress = progress_for(whose)
    chances = chances_of(current_user, whose, progress)
    return render_template("requirements/student.html", student=whose, progress=progress, chances=chances, **_words())


def _words() -> dict[str, Any]:
    """How entries and what is asked for are said."""
    kinds = catalogue()

    def told(entry: Entry) -> str:
        return sentence(entry, numbering=current_user.numbering, kinds=kinds)

    def asks(row: Requirement) -> str:
        names = [kinds[code].name for code in sorted(row.codes) if code in kinds]
        surfaces = f", {row.least_surfaces} surfaces or more" if row.least_surfaces > 1 else ""
        teeth = "" if row.tooth_class == "any" else f", on {CLASS_WORDS[row.tooth_class]}"
        cap = f"; of one patient {row.cap} at most" if row.cap else ""
        mark = f"; marked {row.least_mark} or better on average" if row.least_mark else ""
        return f"{', '.join(names)}{teeth}{surfaces}{cap}{mark}"

    def kind_of(entry: Entry) -> str:
        return kinds[entry.kind].name if entry.kind in kinds else ""

    return {"told": told, "kind_of": kind_of, "asks": asks}


def _offered(form: AddForm) -> AddForm:
    form.of(own_departments(current_user)).offering(operations.countable(catalogue().values()))
    return form


def _with_kinds(form: ChangeForm, row: Requirement) -> ChangeForm:
    kinds = catalogue()
    offered = operations.countable(kinds.values())
    kept = [kinds[code] for code in sorted(row.codes) if code in kinds and kinds[code] not in offered]
    form.offering([*offered, *kept])
    return form


def _form_page(form: AskedForm, row: Requirement | None = None, *, refused: str = "") -> str:
    return render_template("requirements/form.html", form=form, requirement=row, refused=refused)
