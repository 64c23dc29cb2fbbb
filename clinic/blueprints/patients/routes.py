"""Patients: finding, registering, changing, archiving, and what to watch out for."""

import json
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import audit, once, sessions
from clinic.access import Permission, may, requires
from clinic.blueprints.patients.forms import AlertForm, ArchiveForm, ChangeForm, EndAlertForm, RegisterForm
from clinic.blueprints.queue.board import STAGE_TONES
from clinic.days import NotADay, read_day
from clinic.errors import Conflict, DomainError
from clinic.history.form import MEDICAL
from clinic.htmx import answer, go_to, place
from clinic.models import AlertKind, Patient, Severity
from clinic.operations.alerts import add_alert, end_alert
from clinic.operations.patients import (
    FIELDS,
    archive_patient,
    change_patient,
    register_patient,
    restore_patient,
    written_of,
)
from clinic.queries.assignments import former_team, handovers_of, members_of
from clinic.queries.history import standings_of
from clinic.queries.patients import (
    ORDERS,
    alike,
    care_team,
    last_changes,
    patient_count,
    patient_for,
    patient_page,
    presence_of,
    search_patients,
    visits_of,
)
from clinic.queries.requests import open_requests_about
from clinic.queries.trail import read_lately

bp = Blueprint("patients", __name__, url_prefix="/patients")


@bp.get("")
@requires(Permission.FIND_PATIENTS)
def index() -> ResponseReturnValue:
    """Find a patient, or go through the list page by page."""
    found = _found()
    page = render_template("patients/index.html", **found)
    if not found["q"]:
        return page
    _note_search(found)
    return once.commit(page)


@bp.get("/results")
@requires(Permission.FIND_PATIENTS)
def results() -> ResponseReturnValue:
    """What the list shows for what is typed so far."""
    found = _found()
    fragment = render_template("patients/_results.html", **found)
    if not found["q"] or read_lately(current_user, "patient.search"):
        return fragment
    _note_search(found)
    return once.commit(fragment)


def _found() -> dict[str, Any]:
    """The patients asked for: by a search, or a page of a list."""
    asked = request.args
    q = asked.get("q", "")[:200].strip()
    order = asked.get("order", "name") if asked.get("order") in ORDERS else "name"
    if q:
        return {"q": q, "order": order, "patients": search_patients(current_user, q, 50), "page": None, "count": None}
    page = patient_page(current_user, order, **place())
    count = patient_count(current_user, order)
    return {"q": "", "order": order, "patients": page.rows, "page": page, "count": count}


def _note_search(found: dict[str, Any]) -> None:
    """Each search that was submitted is written down; of those as one types, the first of every minute."""
    sentence = f"Searched patients for “{found['q']}”, {len(found['patients'])} found"
    audit.record("patient.search", sentence, actor=current_user)


@bp.get("/new")
@requires(Permission.REGISTER_PATIENT)
def new() -> ResponseReturnValue:
    """The form to register a patient."""
    name = request.args.get("name", "")[:200]
    return render_template(
        "patients/new.html", form=RegisterForm(name=name).lead(), refused=None, **_alike("", None, "")
    )


@bp.get("/alike")
@requires(Permission.REGISTER_PATIENT, typed=True)
def duplicates() -> ResponseReturnValue:
    """Patients who may be the one being typed, and how the birth date is read."""
    typed = request.args.get("birth_date", "")[:60]
    try:
        born = read_day(typed)
    except NotADay:
        born = None
    name, phone = request.args.get("name", "")[:200], request.args.get("phone", "")[:40]
    return render_template("patients/_alike.html", **_alike(name, born, phone))


def _alike(name: str, born: Any, phone: str) -> dict[str, Any]:
    found = alike(current_user, name=name, birth_date=born, phone=phone)
    return {"alike": found, "born": born, "typed": bool(name or born or phone)}


@bp.post("")
@requires(Permission.REGISTER_PATIENT)
def register() -> ResponseReturnValue:
    """Register a patient."""
    form, refused = RegisterForm(request.form), None
    if form.validate():
        try:
            patient = register_patient(
                fields=form.written(), despite_duplicate=form.another_person.data, actor=current_user
            )
            return go_to(_overview(patient), say=f"{patient.name} is registered as {patient.code}")
        except DomainError as error:
            sessions.take_back()
            refused = error.sentence
    like = _alike(form.name.data, form.birth_date.data, form.phone.data)
    return answer(
        page="patients/new.html", fragment="patients/_new.html", form=form.lead(), refused=refused, **like
    ), 422


@bp.get("/<int:patient_id>")
@requires(Permission.OPEN_PATIENT)
def show(patient_id: int) -> ResponseReturnValue:
    """One patient at a glance."""
    patient = _patient(patient_id)
    audit.record("patient.open", f"Opened {patient.name}, {patient.code}", actor=current_user, patient=patient)
    return once.commit(_overview_page(patient))


def _overview_page(patient: Patient, **changes: Any) -> str:
    upcoming, past = visits_of(patient)
    forms = {
        "alert_form": AlertForm(),
        "archive_form": ArchiveForm(version=patient.version),
        "end_form": EndAlertForm(),
    }
    return render_template(
        "patients/show.html",
        patient=patient,
        presence=presence_of(patient),
        tones=STAGE_TONES,
        members=members_of(current_user, care_team(patient)),
        former=former_team(patient),
        asked=open_requests_about(current_user, patient),
        handovers=handovers_of(current_user, patient),
        history=standings_of(current_user, patient.id).get(MEDICAL)
        if may(current_user, Permission.VIEW_HISTORY)
        else None,
        upcoming=upcoming,
        past=past,
        **(forms | {"ending": None} | changes),
    )


@bp.get("/<int:patient_id>/edit")
@requires(Permission.EDIT_PATIENT)
def edit(patient_id: int) -> ResponseReturnValue:
    """The form to change what is written about a patient."""
    patient = _patient(patient_id)
    form = ChangeForm(obj=patient, was=json.dumps(written_of(patient), ensure_ascii=False)).lead()
    return render_template("patients/edit.html", form=form, patient=patient)


@bp.post("/<int:patient_id>/edit")
@requires(Permission.EDIT_PATIENT)
def change(patient_id: int) -> ResponseReturnValue:
    """Change what is written about a patient."""
    patient = _patient(patient_id)
    form = ChangeForm(request.form)
    if not form.validate():
        return answer(page="patients/edit.html", fragment="patients/_edit.html", form=form.lead(), patient=patient), 422
    mine = form.written()
    try:
        kept = change_patient(patient, version=form.version.data, was=form.shown(), fields=mine, actor=current_user)
    except Conflict as conflict:
        return _choose(patient_id, form, conflict), 409
    return go_to(_overview(patient), say=_saved(patient, kept))


def _choose(patient_id: int, form: ChangeForm, conflict: Conflict) -> str:
    """Both texts of the fields changed on both sides, to choose from; everything else merged."""
    sessions.take_back()
    patient = _patient(patient_id)
    theirs, mine, was = written_of(patient), form.written(), form.shown()
    merged = {name: str(value) for name, value in mine.items() if str(value) != was.get(name) or name not in theirs}
    return answer(
        page="patients/conflict.html",
        fragment="patients/_conflict.html",
        patient=patient,
        sentence=conflict.sentence,
        mine=conflict.mine,
        theirs=conflict.theirs,
        merged=theirs | merged,
        labels=FIELDS,
        changes=last_changes(patient_id, conflict.mine),
        was=json.dumps(theirs, ensure_ascii=False),
    )


def _saved(patient: Patient, kept: list[str]) -> str:
    if not kept:
        return f"{patient.name} is saved"
    others = ", ".join(FIELDS[name] for name in kept)
    who = last_changes(patient.id, kept)[kept[0]][0]
    return f"{patient.name} is saved. {who} changed the {others} meanwhile; that is kept too."


@bp.post("/<int:patient_id>/archive")
@requires(Permission.ARCHIVE_PATIENT)
def archive(patient_id: int) -> ResponseReturnValue:
    """Take a patient out of the lists."""
    patient = _patient(patient_id)
    form = ArchiveForm(request.form)
    if not form.validate():
        return _overview_page(patient, archive_form=form), 422
    archive_patient(patient, version=form.version.data, reason=form.reason.data, actor=current_user)
    return go_to(_overview(patient), say=f"{patient.name} is archived")


@bp.post("/<int:patient_id>/restore")
@requires(Permission.ARCHIVE_PATIENT)
def restore(patient_id: int) -> ResponseReturnValue:
    """Bring a patient back into the lists."""
    patient = _patient(patient_id)
    form = ArchiveForm(request.form)
    if not form.validate():
        return _overview_page(patient, archive_form=form), 422
    restore_patient(patient, version=form.version.data, reason=form.reason.data, actor=current_user)
    return go_to(_overview(patient), say=f"{patient.name} is back in the lists")


@bp.post("/<int:patient_id>/alerts")
@requires(Permission.EDIT_ALERTS)
def record_alert(patient_id: int) -> ResponseReturnValue:
    """Record what to watch out for."""
    patient = _patient(patient_id)
    form = AlertForm(request.form)
    if not form.validate():
        return _overview_page(patient, alert_form=form), 422
    alert = add_alert(
        patient,
        kind=AlertKind(form.kind.data),
        severity=Severity(form.severity.data),
        label=form.label.data,
        detail=form.detail.data,
        actor=current_user,
    )
    return go_to(_overview(patient), say=f"{alert.label} is on {patient.name}'s banner")


@bp.post("/<int:patient_id>/alerts/<int:alert_id>/end")
@requires(Permission.EDIT_ALERTS)
def finish_alert(patient_id: int, alert_id: int) -> ResponseReturnValue:
    """End an alert."""
    patient = _patient(patient_id)
    form = EndAlertForm(request.form)
    if not form.validate():
        return _overview_page(patient, end_form=form, ending=alert_id), 422
    alert = end_alert(patient, alert_id=alert_id, reason=form.reason.data, actor=current_user) or abort(404)
    return go_to(_overview(patient), say=f"{alert.label} has left {patient.name}'s banner")


def _patient(patient_id: int) -> Patient:
    """The patient, if the viewer may know of them."""
    return patient_for(current_user, patient_id) or abort(404)


def _overview(patient: Patient) -> str:
    return url_for("patients.show", patient_id=patient.id)
