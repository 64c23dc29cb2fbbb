"""Cases of a patient, tasks of a case, and the list of one's own."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import clock, sessions
from clinic.access import Permission, requires
from clinic.blueprints.cases.forms import CloseForm, CommentForm, CompleteForm, OpenForm, PassForm, ReviewForm, TaskForm
from clinic.blueprints.cases.shown import shown_to
from clinic.chart.kinds import Status
from clinic.errors import DomainError
from clinic.forms import VersionForm
from clinic.htmx import go_to, place
from clinic.models import Case, CaseTask, Patient
from clinic.operations import cases as operations
from clinic.queries import cases as queries
from clinic.queries.chart import catalogue
from clinic.queries.patients import patient_for
from clinic.rendering import may_write_notes

bp = Blueprint("cases", __name__)
OF_PATIENT = "/patients/<int:patient_id>/cases"
OF_CASE = f"{OF_PATIENT}/<int:case_id>"
OF_TASK = f"{OF_CASE}/tasks/<int:task_id>"


@bp.get("/cases")
@requires(Permission.WRITE_NOTES)
def mine() -> ResponseReturnValue:
    """One's own cases, or those of the department's students, with what is overdue first."""
    closed = bool(request.args.get("closed"))
    page = queries.my_cases(current_user, closed=closed, **place())
    overdue = [] if closed else queries.overdue_tasks(current_user)
    return render_template("cases/mine.html", page=page, overdue=overdue, closed=closed, today=clock.today())


@bp.get(OF_PATIENT)
@requires(Permission.VIEW_NOTES, changes=False)
def index(patient_id: int) -> ResponseReturnValue:
    """The cases of a patient."""
    return _list(_patient(patient_id))


@bp.post(OF_PATIENT)
@requires(Permission.ASSIGN_STUDENTS)
def begin(patient_id: int) -> ResponseReturnValue:
    """Open a case for a student."""
    patient = _patient(patient_id)
    form = OpenForm(request.form).of(queries.students_to_choose(current_user, patient_id))
    if not form.validate():
        return _list(patient, form=form), 422
    told = {"student_id": form.student.data, "title": form.title.data or "", "words": form.words.data or ""}
    try:
        case = operations.open_case(patient, **told, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _list(_patient(patient_id), form=form, refused=refusal.sentence), refusal.status
    return go_to(_address(case), say=f"Opened the case “{case.title}”")


@bp.get(OF_CASE)
@requires(Permission.VIEW_NOTES)
def show(patient_id: int, case_id: int) -> ResponseReturnValue:
    """A case with its tasks and log."""
    return _page(patient_id, case_id)


@bp.post(f"{OF_CASE}/tasks")
@requires(Permission.ASSIGN_STUDENTS)
def assign(patient_id: int, case_id: int) -> ResponseReturnValue:
    """Assign a task of a case."""
    case, form = _case(patient_id, case_id), _task_form(request.form)
    if not form.validate():
        return _page(patient_id, case_id, task_form=form), 422
    try:
        task = operations.assign_task(case.id, asked=form.asked, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _page(patient_id, case_id, task_form=form, refused=refusal.sentence), refusal.status
    return go_to(_address(case, task), say=f"Assigned “{task.title}”")


@bp.post(f"{OF_TASK}/begin")
@requires(Permission.WRITE_NOTES)
def begin_task(patient_id: int, case_id: int, task_id: int) -> ResponseReturnValue:
    """Begin a task, or go on with one that was returned."""
    case, task = _task(patient_id, case_id, task_id)
    form = VersionForm(request.form).checked()
    operations.begin_task(task.id, version=form.version.data, actor=current_user)
    return go_to(_address(case, task), say=f"Begun: “{task.title}”")


@bp.post(f"{OF_TASK}/complete")
@requires(Permission.WRITE_NOTES)
def complete(patient_id: int, case_id: int, task_id: int) -> ResponseReturnValue:
    """Say that a task is completed."""
    case, task = _task(patient_id, case_id, task_id)
    form = CompleteForm(request.form)
    if not form.validate():
        return _page(patient_id, case_id, completing=task.id, complete_form=form), 422
    told = {"version": form.version.data, "words": form.words.data or ""}
    operations.complete_task(task.id, **told, actor=current_user)
    return go_to(_address(case, task), say=f"Completed: “{task.title}”. A supervisor reviews it")


@bp.post(f"{OF_TASK}/review")
@requires(Permission.APPROVE)
def review(patient_id: int, case_id: int, task_id: int) -> ResponseReturnValue:
    """Review a completed task."""
    _found, task = _task(patient_id, case_id, task_id)
    form = ReviewForm(request.form).checked()
    told = {"version": form.version.data, "words": form.words.data or ""}
    operations.review_task(task.id, **told, actor=current_user)
    return go_to(url_for("approvals.index"), say=f"Reviewed: “{task.title}”")


@bp.post(f"{OF_CASE}/comments")
@requires(Permission.WRITE_NOTES)
def comment(patient_id: int, case_id: int) -> ResponseReturnValue:
    """Comment on a case or a task."""
    case = _case(patient_id, case_id)
    form = CommentForm(request.form).about(case.tasks)
    if not form.validate():
        return _page(patient_id, case_id, comment_form=form), 422
    operations.comment(case.id, words=form.words.data or "", task_id=form.task.data or None, actor=current_user)
    return go_to(_address(case), say="Your comment is in the log")


@bp.post(f"{OF_CASE}/submit")
@requires(Permission.WRITE_NOTES)
def submit(patient_id: int, case_id: int) -> ResponseReturnValue:
    """Send a case for verification."""
    case, form = _case(patient_id, case_id), VersionForm(request.form).checked()
    operations.submit_case(case.id, version=form.version.data, actor=current_user)
    return go_to(_address(case), say=f"Sent for verification: “{case.title}”")


@bp.post(f"{OF_CASE}/take-up")
@requires(Permission.WRITE_NOTES)
def take_up(patient_id: int, case_id: int) -> ResponseReturnValue:
    """Go on with a returned case."""
    case, form = _case(patient_id, case_id), VersionForm(request.form).checked()
    operations.take_up(case.id, version=form.version.data, actor=current_user)
    return go_to(_address(case), say=f"Open again: “{case.title}”")


@bp.post(f"{OF_CASE}/pass-on")
@requires(Permission.ASSIGN_STUDENTS)
def pass_on(patient_id: int, case_id: int) -> ResponseReturnValue:
    """Pass a case on to another student."""
    case = _case(patient_id, case_id)
    form = PassForm(request.form).of(queries.students_to_choose(current_user, patient_id))
    if not form.validate():
        return _page(patient_id, case_id, pass_form=form), 422
    told = {"student_id": form.student.data, "version": form.version.data, "reason": form.reason.data or ""}
    operations.pass_on(case.id, **told, actor=current_user)
    return go_to(_address(case), say=f"Passed on: “{case.title}”")


@bp.post(f"{OF_CASE}/close")
@requires(Permission.ASSIGN_STUDENTS)
def close(patient_id: int, case_id: int) -> ResponseReturnValue:
    """Close a case."""
    case, form = _case(patient_id, case_id), CloseForm(request.form).checked()
    operations.close_case(case.id, version=form.version.data, reason=form.reason.data or "", actor=current_user)
    return go_to(_address(case), say=f"Closed: “{case.title}”")


# --- what the above share ---------------------------------------------------------------------------------------------


def _patient(patient_id: int) -> Patient:
    return patient_for(current_user, patient_id) or abort(404)


def _case(patient_id: int, case_id: int) -> Case:
    return queries.case_for(current_user, patient_id, case_id) or abort(404)


def _task(patient_id: int, case_id: int, task_id: int) -> tuple[Case, CaseTask]:
    case = _case(patient_id, case_id)
    return case, next((task for task in case.tasks if task.id == task_id), None) or abort(404)


def _address(case: Case, task: CaseTask | None = None) -> str:
    anchor = f"task-{task.id}" if task else None
    return url_for(".show", patient_id=case.patient_id, case_id=case.id, _anchor=anchor)


def _task_form(sent: Any = None) -> TaskForm:
    kinds = [
        (kind.code, kind.name)
        for kind in catalogue().values()
        if Status.COMPLETED in kind.statuses and not kind.retired
    ]
    return TaskForm(sent).by(current_user.numbering, sorted(kinds, key=lambda kind: kind[1]))


def _others(case: Case) -> list[Any]:
    return [each for each in queries.students_to_choose(current_user, case.patient_id) if each.id != case.student_id]


def _list(patient: Patient, *, form: OpenForm | None = None, refused: str = "") -> str:
    return render_template(
        "cases/index.html",
        patient=patient,
        page=queries.cases_of(current_user, patient.id, **place()),
        form=form or OpenForm().of(queries.students_to_choose(current_user, patient.id)),
        is_opening=form is not None,
        refused=refused,
        today=clock.today(),
    )


def _page(patient_id: int, case_id: int, **forms: Any) -> str:
    patient, case = _patient(patient_id), _case(patient_id, case_id)
    shown = shown_to(current_user, case, may_write=may_write_notes(patient))
    kinds = {task.kind for task in case.tasks}
    known: dict[str, Any] = {
        "task_form": _task_form(),
        "is_assigning": "task_form" in forms,
        "completing": None,
        "complete_form": CompleteForm(),
        "comment_form": CommentForm().about(case.tasks),
        "pass_form": PassForm().of(_others(case) if shown.leads else []),
        "refused": "",
        "kinds": {code: kind.name for code, kind in catalogue().items() if code in kinds},
    }
    return render_template("cases/show.html", patient=patient, case=case, shown=shown, **(known | forms))
