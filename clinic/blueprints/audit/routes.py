"""The trail on screen: what happened, who opened a patient, what a person opened; and as a file."""

from datetime import date
from typing import Any

from flask import Blueprint, abort, current_app, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import audit, once
from clinic.access import Permission, requires
from clinic.blueprints.audit.changes import changes_of
from clinic.blueprints.audit.export import csv_of
from clinic.blueprints.audit.filters import Narrowing, narrowed
from clinic.blueprints.audit.forms import TrailForm
from clinic.formatting import number_of
from clinic.htmx import go_to
from clinic.operations.trail import verify_newest
from clinic.queries import audit as queries
from clinic.queries.people import person_for

bp = Blueprint("audit", __name__, url_prefix="/audit")


@bp.get("")
@requires(Permission.VIEW_AUDIT)
def index() -> ResponseReturnValue:
    """The trail, newest first, narrowed to what is asked for."""
    narrowing = _narrowing()
    if narrowing.form.errors:
        return _page(narrowing, queries.NOTHING), 422
    if narrowing.found:
        return redirect(narrowing.address(), 303)
    wanted, before = narrowing.form.wanted(), request.args.get("before", type=int)
    found = queries.NOTHING if narrowing.is_open else queries.trail(current_user, wanted, before=before)
    page = _page(narrowing, found)
    audit.record("audit.read", f"Looked at the trail: {narrowing.words}", actor=current_user, patient=wanted.patient_id)
    return once.commit(page)


@bp.get("/<int:event_id>")
@requires(Permission.VIEW_AUDIT)
def show(event_id: int) -> ResponseReturnValue:
    """One event: everything it says, before and after side by side."""
    event = queries.event_for(current_user, event_id) or abort(404)
    return render_template("audit/event.html", event=event, changes=changes_of(event.before, event.after))


@bp.get("/patients/<int:patient_id>")
@requires(Permission.VIEW_AUDIT)
def patient(patient_id: int) -> ResponseReturnValue:
    """Who opened this patient: everybody, and day by day."""
    patient = queries.patient_told_of(current_user, patient_id) or abort(404)
    days = queries.days_of_patient(current_user, patient_id, until=_until())
    visitors = queries.visitors_of(current_user, patient_id)
    return render_template("audit/patient.html", patient=patient, days=days, visitors=visitors, most=queries.PEOPLE)


@bp.get("/people/<int:person_id>")
@requires(Permission.VIEW_AUDIT)
def person(person_id: int) -> ResponseReturnValue:
    """What this person opened, day by day."""
    person = person_for(current_user, person_id) or abort(404)
    days = queries.days_of_person(current_user, person_id, until=_until())
    return render_template("audit/person.html", person=person, days=days)


@bp.get("/export")
@requires(Permission.EXPORT_AUDIT)
def export() -> ResponseReturnValue:
    """The trail, narrowed to what is asked for, as a CSV file. That it leaves is written down before its first byte does."""
    narrowing = _narrowing()
    if narrowing.form.errors or narrowing.is_open:
        return _page(narrowing, queries.NOTHING), 422
    wanted, before = narrowing.form.wanted(), queries.newest_event(current_user) + 1
    count = queries.event_count(current_user, wanted, before=before)
    sentence = f"Exported {number_of(count, 'event')} of the trail: {narrowing.words}"
    asked = narrowing.form.asked() | {"events": count, "up to": before - 1}
    audit.record("audit.export", sentence, actor=current_user, patient=wanted.patient_id, after=asked)
    return once.commit(csv_of(current_app.app_context, g.auth_session.id, wanted, before=before))


@bp.post("/verify")
@requires(Permission.VIEW_AUDIT)
def verify() -> ResponseReturnValue:
    """Prove the newest events of the trail."""
    verdict = verify_newest(actor=current_user)
    return go_to(url_for("audit.index"), say=verdict.sentence)


def _narrowing() -> Narrowing:
    form = TrailForm(request.args).offer(queries.acts_told(current_user))
    return narrowed(form, current_user) if form.validate() else Narrowing(form)


def _page(narrowing: Narrowing, stretch: queries.Stretch) -> str:
    older = narrowing.address(before=stretch.older) if stretch.older else None
    later = narrowing.address() if "before" in request.args else None
    context: dict[str, Any] = {"older": older, "newest": later, "form": narrowing.form, "stretch": stretch}
    context |= {"archive": queries.archived_to(current_user), "verifications": queries.verifications(current_user)}
    return render_template("audit/index.html", narrowing=narrowing, **context)


def _until() -> date | None:
    """The day before which the page begins; what is no day is none."""
    try:
        return date.fromisoformat(request.args.get("until", ""))
    except ValueError:
        return None
