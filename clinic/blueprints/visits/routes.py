"""Visits of the day: the schedule, a new simple visit, check-in, walk-ins."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import clock, sessions, settings
from clinic.access import Permission, requires
from clinic.blueprints.queue.board import seen_now
from clinic.blueprints.visits.forms import YEARS, ScheduleForm, WalkInForm, next_time
from clinic.errors import DomainError
from clinic.formatting import day as day_words
from clinic.forms import Form
from clinic.htmx import done, go_to
from clinic.models import Department, Patient
from clinic.operations.visits import add_walk_in, check_in, schedule_visit
from clinic.queries.coverage import Coverage, coverage_of
from clinic.queries.patients import patient_for, search_patients
from clinic.queries.places import chairs, department_of, departments, students_of, supervisors
from clinic.queries.visits import day_of, visit_for

bp = Blueprint("visits", __name__)


@bp.get("/schedule")
@requires(Permission.VIEW_SCHEDULE)
def schedule() -> ResponseReturnValue:
    """The visits of a department's day."""
    return render_template("visits/schedule.html", **_day(_department(), _wanted_day()))


@bp.get("/schedule/day")
@requires(Permission.VIEW_SCHEDULE, background=True)
def day() -> ResponseReturnValue:
    """The day's list alone; 204 when it is as the page has it."""
    department = _department()
    if request.args.get("since") == seen_now(department):
        return "", 204
    return render_template("visits/_day.html", **_day(department, _wanted_day()))


@bp.get("/visits/new")
@requires(Permission.SCHEDULE_VISIT)
def new() -> ResponseReturnValue:
    """Schedule a visit: first whom, then when."""
    patient = _patient()
    if patient is None:
        return _choose_patient("visits.new", "Schedule a visit")
    form = ScheduleForm(request.args, day=_wanted_day(), department=_department().id, time=next_time())
    return _new_page(_offered(form, patient), patient)


@bp.post("/visits/new")
@requires(Permission.SCHEDULE_VISIT)
def schedule_now() -> ResponseReturnValue:
    """Schedule the visit; a clash keeps all that was typed."""
    patient = _patient() or abort(404)
    form = _offered(ScheduleForm(request.form), patient)
    if not form.validate():
        return _new_page(form, patient), 422
    try:
        visit = schedule_visit(patient=patient, actor=current_user, **form.booked())
    except DomainError as refusal:
        sessions.take_back()
        patient = _patient() or abort(404)
        return _new_page(_offered(ScheduleForm(request.form), patient), patient, refusal.sentence), refusal.status
    at = clock.local(visit.starts_at)
    back = url_for("visits.schedule", department=visit.department_id, day=at.date().isoformat())
    said = f"{patient.name} is booked for {at:%H:%M} on {day_words(visit.starts_at)}"
    covered = coverage_of(visit.department_id, visit.starts_at)
    return go_to(back, say=f"{said}. That {covered.session.name}: {covered.words}" if covered.is_thin else said)


@bp.get("/visits/coverage")
@requires(Permission.SCHEDULE_VISIT, typed=True)
def coverage() -> ResponseReturnValue:
    """How many students would come to a supervisor if the visit is booked as chosen so far."""
    patient = _patient() or abort(404)
    form = _offered(ScheduleForm(request.args), patient)
    return render_template("visits/_coverage.html", patient=patient, covered=_coverage(form))


@bp.post("/visits/<int:visit_id>/check-in")
@requires(Permission.CHECK_IN)
def arrive(visit_id: int) -> ResponseReturnValue:
    """The patient of a booked visit is here."""
    visit = visit_for(current_user, visit_id) or abort(404)
    name = visit.patient.name  # check-in reads the row anew, without the patient beside it
    entry = check_in(visit, actor=current_user)
    return done(
        back=url_for("queue.index", department=entry.department_id),
        changed="queue:changed",
        say=f"{name} is in line as {visit.ticket}",
        undo=url_for("queue.undo", entry_id=entry.id, version=entry.version),
    )


@bp.get("/walk-in")
@requires(Permission.CHECK_IN)
def walk_in() -> ResponseReturnValue:
    """Somebody came without an appointment: first who, then what for."""
    patient = _patient()
    if patient is None:
        return _choose_patient("visits.walk_in", "Walk-in")
    form = WalkInForm(department=_department().id).offer(departments(current_user))
    return render_template("visits/walk_in.html", form=form, patient=patient)


@bp.post("/walk-in")
@requires(Permission.CHECK_IN)
def walk_in_now() -> ResponseReturnValue:
    """Put them in line."""
    patient, form = _patient() or abort(404), WalkInForm(request.form).offer(departments(current_user))
    if not form.validate():
        return render_template("visits/walk_in.html", form=form, patient=patient), 422
    try:
        entry = add_walk_in(patient=patient, actor=current_user, **form.asked())
    except DomainError as refusal:
        return _refused(
            "visits/walk_in.html", refusal, lambda _: WalkInForm(request.form).offer(departments(current_user))
        )
    ticket = visit_for(current_user, entry.visit_id).ticket  # type: ignore[union-attr]
    return go_to(
        url_for("queue.index", department=entry.department_id),
        say=f"{patient.name} is in line as {ticket}",
        undo=url_for("queue.undo", entry_id=entry.id, version=entry.version),
    )


@bp.get("/visits/patients")
@requires(Permission.CHECK_IN, typed=True)
def patients() -> ResponseReturnValue:
    """The patients found for what is typed so far."""
    target = "visits.walk_in" if request.args.get("for") == "visits.walk_in" else "visits.new"
    return render_template("visits/_found.html", **_found(target))


def _day(department: Department, on: date) -> dict[str, Any]:
    """What the day's list is drawn from; `seen` is read before the visits."""
    return {
        "seen": seen_now(department),
        "department": department,
        "departments": departments(current_user),
        "on": on,
        "today": clock.today(),
        "before": on - timedelta(days=1),
        "after": on + timedelta(days=1),
        "visits": day_of(current_user, department.id, on),
        "late_after": timedelta(minutes=settings.read("late_after_minutes")),
    }


def _department() -> Department:
    return department_of(current_user, request.args.get("department", type=int)) or abort(404)


def _wanted_day() -> date:
    try:
        wanted = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        return clock.today()
    return wanted if wanted.year in YEARS else clock.today()


def _patient() -> Patient | None:
    """The patient chosen so far. 404 when the viewer may not know of them."""
    wanted = request.values.get("patient", type=int)
    if wanted is None:
        return None
    return patient_for(current_user, wanted) or abort(404)


def _refused(template: str, refusal: DomainError, form_for: Callable[[Patient], Form]) -> ResponseReturnValue:
    """The form again with the sentence above it, and all that was typed; nothing was saved."""
    sessions.take_back()
    patient = _patient() or abort(404)
    page = render_template(template, form=form_for(patient), patient=patient, refusal=refusal.sentence)
    return page, refusal.status


def _new_page(form: ScheduleForm, patient: Patient, refusal: str = "") -> str:
    return render_template("visits/new.html", form=form, patient=patient, refusal=refusal, covered=_coverage(form))


def _coverage(form: ScheduleForm) -> Coverage | None:
    """Of the session that is chosen, with the people chosen; None while day, time or department are none."""
    chosen = form.chosen()
    if chosen is None:
        return None
    department_id, at, student_id, supervisor_id = chosen
    return coverage_of(department_id, at).with_people(student_id, supervisor_id)


def _choose_patient(target: str, title: str) -> str:
    return render_template("visits/choose.html", title=title, **_found(target))


def _found(target: str) -> dict[str, Any]:
    """The patients who match what was typed, and where choosing one leads."""
    typed = request.args.get("q", "").strip()
    carried = {name: request.args[name] for name in ("department", "day") if request.args.get(name)}
    return {
        "typed": typed,
        "found": search_patients(current_user, typed, limit=12) if typed else [],
        "target": target,
        "carried": carried,
    }


def _offered(form: ScheduleForm, patient: Patient) -> ScheduleForm:
    viewer = current_user
    return form.offer(departments(viewer), chairs(viewer), students_of(viewer, patient.id), supervisors(viewer))
