"""Asking that somebody gets or gives up a patient, and following what became of it."""

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.requests.forms import AskForm, AskForPatientForm
from clinic.errors import DomainError
from clinic.forms import VersionForm
from clinic.htmx import go_to, place
from clinic.models import AssignmentKind, Patient, RequestKind
from clinic.operations.requests import ask_assignment, ask_for_patient, withdraw_request
from clinic.queries.assignments import clinicians, loads_of
from clinic.queries.patients import patient_for
from clinic.queries.requests import own_request_for, patients_seen, requests_of

bp = Blueprint("requests", __name__)


@bp.get("/requests")
@requires(Permission.FOLLOW_REQUESTS)
def index() -> ResponseReturnValue:
    """What the viewer has asked for, and what became of it."""
    page = requests_of(current_user, **place())
    seen = patients_seen(current_user, page.rows)
    return render_template("requests/index.html", page=page, seen=seen)


@bp.post("/requests/<int:request_id>/withdraw")
@requires(Permission.FOLLOW_REQUESTS)
def withdraw(request_id: int) -> ResponseReturnValue:
    """Take a request back."""
    found = own_request_for(current_user, request_id) or abort(404)
    form = VersionForm(request.form).checked()
    withdraw_request(found.id, version=form.version.data, actor=current_user)
    return go_to(url_for("requests.index"), say=f"Your request for {found.code} is withdrawn")


@bp.get("/requests/new")
@requires(Permission.ASK_FOR_PATIENT)
def new() -> ResponseReturnValue:
    """The form to ask for a patient."""
    return _new_page(AskForPatientForm())


@bp.post("/requests/new")
@requires(Permission.ASK_FOR_PATIENT)
def ask_for() -> ResponseReturnValue:
    """Ask for a patient for oneself."""
    form = AskForPatientForm(request.form)
    if not form.validate():
        return _new_page(form), 422
    kind, need = AssignmentKind(form.kind.data), form.need.data
    try:
        asked = ask_for_patient(code=form.code.data, assignment_kind=kind, need=need, actor=current_user)
    except DomainError as error:
        sessions.take_back()
        return _new_page(form, error.sentence), error.status
    return go_to(url_for("requests.index"), say=f"Asked for {asked.code}. A supervisor of your department decides.")


@bp.get("/patients/<int:patient_id>/team/ask")
@requires(Permission.ASK_ASSIGNMENT)
def choose(patient_id: int) -> ResponseReturnValue:
    """Choose whom to ask for, or whom to have removed."""
    wanted = {name: request.args.get(name) for name in ("act", "kind") if request.args.get(name)}
    person = {"person": request.args.get("person", type=int)}
    return _ask_page(_patient(patient_id), AskForm(data={"act": RequestKind.ASSIGN.value} | wanted | person))


@bp.post("/patients/<int:patient_id>/team/ask")
@requires(Permission.ASK_ASSIGNMENT)
def ask(patient_id: int) -> ResponseReturnValue:
    """Ask that somebody gets or gives up the patient."""
    patient, form = _patient(patient_id), AskForm(request.form)
    people = clinicians(current_user)
    if not form.offer(people, loads_of(people)).validate():
        return _ask_page(patient, form), 422
    try:
        _ask(patient, form)
    except DomainError as error:
        sessions.take_back()
        return _ask_page(_patient(patient_id), form, error.sentence), error.status
    return go_to(url_for("patients.show", patient_id=patient_id), say="Asked. You will be told what is decided.")


def _ask(patient: Patient, form: AskForm) -> None:
    ask_assignment(
        kind=RequestKind(form.act.data),
        patient_id=patient.id,
        clinician_id=form.person.data,
        assignment_kind=AssignmentKind(form.kind.data),
        reason=form.reason.data,
        actor=current_user,
    )


def _new_page(form: AskForPatientForm, refused: str = "") -> str:
    return render_template("requests/new.html", form=form, refused=refused)


def _ask_page(patient: Patient, form: AskForm, refused: str = "") -> str:
    people = clinicians(current_user)
    form.offer(people, loads_of(people))
    return render_template("requests/ask.html", patient=patient, form=form, refused=refused)


def _patient(patient_id: int) -> Patient:
    """The patient, if the viewer may know of them."""
    return patient_for(current_user, patient_id) or abort(404)
