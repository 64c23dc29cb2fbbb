"""Supervisors' students and what they carry; giving patients, ending that, handing over, graduation and leave."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import once, sessions
from clinic.access import Permission, requires
from clinic.blueprints.assignments import leaving
from clinic.blueprints.assignments.forms import AssignForm, EndForm, HandoverForm, LeavingForm, ReasonForm
from clinic.errors import DomainError
from clinic.htmx import go_to, place
from clinic.models import Assignment, AssignmentKind, Patient, Role, User
from clinic.operations.assignments import assign, end_assignment
from clinic.operations.handover import items_of
from clinic.operations.leaving import hand_over
from clinic.operations.requests import ask_transfer
from clinic.queries.assignments import (
    answers_for,
    assignees_for,
    assignment_for,
    loads_of,
    other_students,
    running_for,
    running_of,
    student_for,
    student_page,
    students_of,
    unowned_count,
    unowned_patients,
)
from clinic.queries.patients import patient_for

bp = Blueprint("assignments", __name__)


@bp.get("/assignments")
@requires(Permission.ASSIGN_STUDENTS)
def index() -> ResponseReturnValue:
    """The students of the supervisor's department, and what each carries."""
    page = student_page(current_user, **place())
    unowned = unowned_count(current_user)
    return render_template("assignments/index.html", page=page, loads=loads_of(page.rows), unowned=unowned)


@bp.get("/assignments/students/<int:student_id>")
@requires(Permission.ASSIGN_STUDENTS)
def student(student_id: int) -> ResponseReturnValue:
    """One student's patients."""
    person = _student(student_id)
    return render_template(
        "assignments/student.html",
        person=person,
        loads=loads_of([person])[person.id],
        assignments=running_of(current_user, person.id),
    )


@bp.get("/assignments/unowned")
@requires(Permission.ASSIGN_STUDENTS)
def unowned() -> ResponseReturnValue:
    """The department's patients whom nobody has any more, each with a choice of who takes them."""
    people = assignees_for(current_user)
    form = AssignForm().offer(people, loads_of(people))
    page = unowned_patients(current_user, **place())
    return render_template("assignments/unowned.html", page=page, form=form)


@bp.get("/patients/<int:patient_id>/team/assign")
@requires(Permission.ASSIGN_STUDENTS)
def choose(patient_id: int) -> ResponseReturnValue:
    """Choose who gets the patient."""
    return _assign_page(_patient(patient_id), AssignForm())


@bp.post("/patients/<int:patient_id>/team/assign")
@requires(Permission.ASSIGN_STUDENTS)
def give(patient_id: int) -> ResponseReturnValue:
    """Give the patient to a student, or take them oneself."""
    patient, form = _patient(patient_id), AssignForm(request.form)
    people = assignees_for(current_user)
    if not form.offer(people, loads_of(people)).validate():
        return _assign_page(patient, form), 422
    chosen, reason = {"person_id": form.person.data, "kind": AssignmentKind(form.kind.data)}, form.reason.data or ""
    try:
        assign(patient_id=patient.id, actor=current_user, reason=reason, **chosen)
    except DomainError as error:
        return _refused(error, lambda said: _assign_page(_patient(patient_id), form, said))
    name = next(person.name for person in people if person.id == form.person.data)
    return go_to(url_for("patients.show", patient_id=patient.id), say=f"{name} has {patient.name} now")


@bp.get("/assignments/<int:assignment_id>/end")
@requires(Permission.ASSIGN_STUDENTS)
def ending(assignment_id: int) -> ResponseReturnValue:
    """Why an assignment ends."""
    return _end_page(_assignment(assignment_id), EndForm())


@bp.post("/assignments/<int:assignment_id>/end")
@requires(Permission.ASSIGN_STUDENTS)
def end(assignment_id: int) -> ResponseReturnValue:
    """End an assignment."""
    assignment, form = _assignment(assignment_id), EndForm(request.form)
    if not form.validate():
        return _end_page(assignment, form), 422
    said = f"{assignment.user.name} no longer has {assignment.patient.name}"
    try:
        end_assignment(assignment.id, reason=form.reason.data, actor=current_user)
    except DomainError as error:
        return _refused(error, lambda said: _end_page(_assignment(assignment_id), form, said))
    return go_to(_after(assignment.patient_id, "assignments.index"), say=said)


@bp.get("/patients/<int:patient_id>/team/<int:student_id>/hand-over")
@requires(Permission.ASK_TRANSFER)
def handing_over(patient_id: int, student_id: int) -> ResponseReturnValue:
    """To whom a student's patient goes, with the note and where everything goes that hangs on it."""
    patient, giver = _given(patient_id, student_id)
    return _handover_page(patient, giver, _handover_form(patient, giver, HandoverForm()))


@bp.post("/patients/<int:patient_id>/team/<int:student_id>/hand-over")
@requires(Permission.ASK_TRANSFER)
def transfer(patient_id: int, student_id: int) -> ResponseReturnValue:
    """Hand the patient over between one's own students; otherwise ask the receiver's supervisor."""
    patient, giver = _given(patient_id, student_id)
    form = _handover_form(patient, giver, HandoverForm(request.form))
    if not form.validate():
        return _handover_page(patient, giver, form), 422
    try:
        said = _hand_over(patient, giver, form)
    except DomainError as error:
        return _refused(error, lambda said: _handover_page(*_given(patient_id, student_id), form, said))
    return go_to(_after(patient_id, "requests.index"), say=said)


@bp.get("/assignments/leaving")
@requires(Permission.ASSIGN_STUDENTS)
def leaves() -> ResponseReturnValue:
    """Graduation and leave, step 1: who, why, until when."""
    wanted = {"student": request.args.get("student", type=int)}
    return render_template("assignments/leaving.html", form=_reason_form(ReasonForm(data=wanted)))


@bp.get("/assignments/leaving/receivers")
@requires(Permission.ASSIGN_STUDENTS)
def receivers() -> ResponseReturnValue:
    """Step 2: who takes each patient; proposed by department and load."""
    form = _reason_form(ReasonForm(request.args))
    if not request.args or not form.validate():
        return render_template("assignments/leaving.html", form=form)
    person = _student(form.student.data)
    asked = {"reason": form.reason.data, "last_day": form.last_day.data or ""}
    return leaving.receivers_page(current_user, LeavingForm(asked, person, []))


@bp.post("/assignments/students/<int:student_id>/leaving/check")
@requires(Permission.ASSIGN_STUDENTS)
def check_leaving(student_id: int) -> ResponseReturnValue:
    """Step 3: everything that will happen, by name, before it does; or back to step 2. Nothing is changed yet."""
    page = leaving.receivers_page if "change" in request.form else leaving.confirm_page
    return once.commit(page(current_user, _leaving_form(student_id)))


@bp.post("/assignments/students/<int:student_id>/leaving")
@requires(Permission.ASSIGN_STUDENTS)
def leave(student_id: int) -> ResponseReturnValue:
    """Hand all of a student's patients over, in one act."""
    form = _leaving_form(student_id)
    if not form.is_confirmed:
        return leaving.confirm_page(current_user, form, f"Write the name, {form.student.name}, to confirm."), 422
    try:
        kept = leaving.carry_out(form, current_user)
    except DomainError as error:
        return _refused(error, lambda said: leaving.receivers_page(current_user, _leaving_form(student_id), said))
    said = f"{form.student.name} has no patients now; {len(kept)} handed over"
    return go_to(url_for("assignments.index"), say=said)


def _hand_over(patient: Patient, giver: User, form: HandoverForm) -> str:
    """Do it or ask for it; answers what to say."""
    receiver = next(person for person in form.receivers if person.id == form.to.data)
    common: dict[str, Any] = {
        "patient_id": patient.id,
        "from_id": giver.id,
        "to_id": receiver.id,
        "handover": form.handover.data,
        "destinations": form.destinations,
        "actor": current_user,
    }
    if answers_for(current_user, giver) and answers_for(current_user, receiver):
        hand_over(**common, reason=form.reason.data or "")
        return f"{receiver.name} has {patient.name} now"
    ask_transfer(**common)
    return f"Asked: a supervisor of {receiver.name} decides"


def _refused(error: DomainError, page: Callable[[str], str]) -> ResponseReturnValue:
    """The page again with what was typed, and the sentence above it."""
    sessions.take_back()
    return page(error.sentence), error.status


def _after(patient_id: int, otherwise: str) -> str:
    """The patient's page; another place when the viewer may no longer see the patient."""
    if patient_for(current_user, patient_id) is None:
        return url_for(otherwise)
    return url_for("patients.show", patient_id=patient_id)


def _assign_page(patient: Patient, form: AssignForm, refused: str = "") -> str:
    people = assignees_for(current_user)
    form.offer(people, loads_of(people))
    return render_template("assignments/assign.html", patient=patient, form=form, refused=refused)


def _end_page(assignment: Assignment, form: EndForm, refused: str = "") -> str:
    return render_template(
        "assignments/end.html", assignment=assignment, patient=assignment.patient, form=form, refused=refused
    )


def _handover_form(patient: Patient, giver: User, form: HandoverForm) -> HandoverForm:
    people = other_students(current_user, giver.id)
    form.receivers = people
    # Not to a student: what another carries counts patients whom they may not know of.
    loads = loads_of(people) if current_user.role is Role.SUPERVISOR else {}
    return form.offer(people, loads, items_of([patient.id], giver)[patient.id], request.form)


def _handover_page(patient: Patient, giver: User, form: HandoverForm, refused: str = "") -> str:
    return render_template(
        "assignments/hand_over.html",
        patient=patient,
        giver=giver,
        form=form,
        refused=refused,
        decides=answers_for(current_user, giver),
        own_department=current_user.department_id,
    )


def _reason_form(form: ReasonForm) -> ReasonForm:
    students = students_of(current_user)
    return form.offer(students, loads_of(students))


def _leaving_form(student_id: int) -> LeavingForm:
    person = _student(student_id)
    return LeavingForm(request.form, person, running_of(current_user, person.id))


def _patient(patient_id: int) -> Patient:
    """The patient, if the viewer may know of them."""
    return patient_for(current_user, patient_id) or abort(404)


def _student(student_id: int | None) -> User:
    """A student of the supervisor's department."""
    return (student_for(current_user, student_id) if student_id else None) or abort(404)


def _assignment(assignment_id: int) -> Assignment:
    """An assignment of a patient the viewer may know of, of a person they answer for."""
    found = assignment_for(current_user, assignment_id) or abort(404)
    return found if answers_for(current_user, found.user) else abort(404)


def _given(patient_id: int, student_id: int) -> tuple[Patient, User]:
    """A patient and the student who has them: the viewer, or a student of a supervisor's department."""
    patient = _patient(patient_id)
    giver = current_user if current_user.role is Role.STUDENT else _student(student_id)
    if giver.id != student_id or not running_for(patient.id, giver.id):
        abort(404)
    return patient, giver
