"""A patient's history: its forms, what was filled and what it says, filling, looking through, and handing a tablet over."""

from collections.abc import Mapping, Sequence
from typing import Any

import segno
from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import security, sessions, settings
from clinic.access import Permission, requires
from clinic.blueprints.history.forms import FilledForm, HandOverForm, ReviewForm
from clinic.blueprints.history.shown import as_typed, questions_of, read_parts, typed_of
from clinic.errors import Conflict, DomainError
from clinic.history.form import differences, form_from
from clinic.htmx import answer, go_to, place
from clinic.models import Filling, HistoryForm, Patient, Role
from clinic.operations import history as operations
from clinic.operations import sign_in as signing
from clinic.operations.history import NotAnswered, fill_history, hand_over, review_history
from clinic.queries.history import (
    filling_for,
    fillings_of,
    form_of,
    forms_now,
    kiosk_with,
    review_of,
    standings_of,
    tablet_for,
    tablets_out,
    told,
    unsaid_alerts,
)
from clinic.queries.patients import patient_for

bp = Blueprint("history", __name__)
OF_PATIENT = "/patients/<int:patient_id>/history"
OF_FORM = f"{OF_PATIENT}/<string:form_code>"
TABLETS = "/patients/<int:patient_id>/tablets"
SEALED = "tablet"  # the purpose for which a token is sealed into an address of ours


# --- to look at -------------------------------------------------------------------------------------------------------


@bp.get(OF_PATIENT)
@requires(Permission.VIEW_HISTORY, changes=False)
def index(patient_id: int) -> ResponseReturnValue:
    """The forms of a patient's history, when each was filled and looked through last, and by whom."""
    patient = _patient(patient_id)
    standings = standings_of(current_user, patient.id)
    forms = [row for row in forms_now() if row.code in standings or form_from(row.body).in_use]
    return render_template("history/index.html", forms=forms, standings=standings, in_use=_in_use, **_tablets(patient))


@bp.get(TABLETS)
@requires(Permission.VIEW_HISTORY, background=True)
def tablets(patient_id: int) -> ResponseReturnValue:
    """The tablets that are in the patient's hands."""
    return render_template("history/_tablets.html", **_tablets(_patient(patient_id)))


@bp.get(OF_FORM)
@requires(Permission.VIEW_HISTORY, changes=False)
def show(patient_id: int, form_code: str) -> ResponseReturnValue:
    """The newest filling of a form of the history."""
    patient, form = _patient(patient_id), _form(form_code)
    filling = filling_for(current_user, patient.id, form_code)
    page = fillings_of(current_user, patient.id, form_code, **place())
    if filling is None:
        return render_template("history/unfilled.html", form=form, **_tablets(patient))
    return render_template(
        "history/show.html",
        form=form,
        page=page,
        unsaid=unsaid_alerts(patient, told(filling)),
        is_newest=True,
        **_read(filling),
        **_tablets(patient),
    )


@bp.get(f"{OF_FORM}/<int:number>")
@requires(Permission.VIEW_HISTORY)
def former(patient_id: int, form_code: str, number: int) -> ResponseReturnValue:
    """A former filling of a form of the history."""
    patient, form = _patient(patient_id), _form(form_code)
    filling = filling_for(current_user, patient.id, form_code, number) or abort(404)
    newest = filling_for(current_user, patient.id, form_code)
    return render_template(
        "history/former.html", form=form, patient=patient, newest=newest, is_newest=False, **_read(filling)
    )


@bp.get(f"{OF_FORM}/compare")
@requires(Permission.VIEW_HISTORY)
def compare(patient_id: int, form_code: str) -> ResponseReturnValue:
    """Two fillings of a form of the history, question by question."""
    patient, form = _patient(patient_id), _form(form_code)
    numbers = [request.args.get(name, type=int) or 0 for name in ("before", "after")]
    sides = [filling_for(current_user, patient.id, form_code, number) or abort(404) for number in sorted(numbers)]
    before, after = (told(filling) for filling in sides)
    changes = differences((before.form, before.answers), (after.form, after.answers))
    return render_template("history/compare.html", form=form, patient=patient, sides=sides, changes=changes)


# --- to fill and look through -----------------------------------------------------------------------------------------


@bp.get(f"{OF_FORM}/fill")
@requires(Permission.TAKE_HISTORY)
def fill(patient_id: int, form_code: str) -> ResponseReturnValue:
    """A form of the history to be filled, with the former answers in it."""
    patient, form = _patient(patient_id), _form(form_code)
    newest = filling_for(current_user, patient.id, form_code)
    answers = told(newest).answers if newest else {}
    return render_template("history/fill.html", **_filling(patient, form, as_typed(answers), newest))


@bp.post(f"{OF_FORM}/fill")
@requires(Permission.TAKE_HISTORY)
def keep(patient_id: int, form_code: str) -> ResponseReturnValue:
    """Keep a form of the history as it was filled."""
    patient, shown = _patient(patient_id), FilledForm(request.form).checked()
    raw = typed_of(request.form, form_from(_form(form_code).body))
    versions = {"number": shown.number.data, "seen": shown.seen.data}
    try:
        filling = fill_history(patient, code=form_code, raw=raw, actor=current_user, **versions)
    except NotAnswered as refusal:
        return _again(patient_id, form_code, raw, refusal, refusal.wrong)
    except Conflict as refusal:
        return _again(patient_id, form_code, raw, refusal, {})
    return go_to(_page(patient_id, form_code), say=f"Kept as number {filling.number}, looked through by you today")


@bp.post(f"{OF_FORM}/review")
@requires(Permission.TAKE_HISTORY)
def review(patient_id: int, form_code: str) -> ResponseReturnValue:
    """The history was looked through today, and nothing has changed."""
    patient, form = _patient(patient_id), ReviewForm(request.form).checked()
    review_history(patient, code=form_code, number=form.number.data, actor=current_user)
    return go_to(_page(patient_id, form_code), say="Looked through today: no change")


# --- tablets ----------------------------------------------------------------------------------------------------------


@bp.get(f"{OF_FORM}/hand-over")
@requires(Permission.TAKE_HISTORY)
def prepare(patient_id: int, form_code: str) -> ResponseReturnValue:
    """On which tablet the patient fills a form of the history."""
    patient, minutes = _patient(patient_id), settings.read("kiosk_minutes")
    return render_template("history/hand_over.html", patient=patient, form=_form(form_code), minutes=minutes)


@bp.post(f"{OF_FORM}/hand-over")
@requires(Permission.TAKE_HISTORY)
def give(patient_id: int, form_code: str) -> ResponseReturnValue:
    """Hand a tablet with a form of the history to the patient. On this very tablet whoever hands it over is signed out."""
    patient, form = _patient(patient_id), HandOverForm(request.form).checked()
    kiosk, token = hand_over(patient, code=form_code, actor=current_user)
    if form.where.data == "another":
        return go_to(
            url_for("history.code", patient_id=patient_id, kiosk_id=kiosk.id, sealed=security.seal(token, SEALED))
        )
    signing.end_one(g.auth_session, reason="handed the tablet to a patient", actor=current_user)
    signing.forget_device(request.cookies.get(security.cookie_name("remember"), ""))
    go_to(
        url_for("history.index", patient_id=patient_id)
    )  # commits; what is kept for the form's key must not be the address
    return _without_session(url_for("kiosk.show", token=token))


@bp.get(f"{TABLETS}/<int:kiosk_id>/code")
@requires(Permission.TAKE_HISTORY)
def code(patient_id: int, kiosk_id: int) -> ResponseReturnValue:
    """The code that opens a form on another tablet, as long as it may be filled."""
    patient = _patient(patient_id)
    token = security.unseal(request.args.get("sealed", ""), SEALED) or ""
    kiosk = kiosk_with(token)
    if kiosk is None or kiosk.id != kiosk_id or kiosk.patient_id != patient.id:
        return redirect(url_for("history.index", patient_id=patient_id), 303)
    address = url_for("kiosk.show", token=token, _external=True)
    picture = segno.make(address).svg_data_uri(scale=5, border=3, light="white")
    return render_template("history/handed.html", patient=patient, kiosk=kiosk, address=address, picture=picture)


@bp.post(f"{TABLETS}/<int:kiosk_id>/take-back")
@requires(Permission.TAKE_HISTORY)
def take_back(patient_id: int, kiosk_id: int) -> ResponseReturnValue:
    """The tablet is with the clinic again: its form is closed."""
    patient = _patient(patient_id)
    kiosk = tablet_for(current_user, patient.id, kiosk_id) or abort(404)
    operations.take_back(patient, kiosk_id=kiosk.id, actor=current_user)
    return go_to(url_for("history.index", patient_id=patient_id), say="The form on the tablet is closed")


def _without_session(address: str) -> Response:
    """To the form on this tablet, which knows nobody of the clinic any more."""
    response = Response(status=303, headers={"Location": address})
    for name in ("session", "remember", "proof"):
        sessions.drop_cookie(response, name)
    return response


# --- parts ------------------------------------------------------------------------------------------------------------


def _patient(patient_id: int) -> Patient:
    """The patient, if the viewer may know of them."""
    return patient_for(current_user, patient_id) or abort(404)


def _form(form_code: str) -> HistoryForm:
    return form_of(form_code) or abort(404)


def _in_use(form: HistoryForm) -> bool:
    return form_from(form.body).in_use


def _page(patient_id: int, form_code: str) -> str:
    return url_for("history.show", patient_id=patient_id, form_code=form_code)


def _tablets(patient: Patient) -> dict[str, Any]:
    return {"patient": patient, "out": tablets_out(current_user, patient.id)}


def _read(filling: Filling) -> dict[str, Any]:
    said = told(filling)
    return {"filling": filling, "parts": read_parts(said.form, said.answers), "review": review_of(filling)}


def _filling(
    patient: Patient,
    form: HistoryForm,
    typed: Mapping[str, Sequence[str]],
    newest: Filling | None,
    refusal: DomainError | None = None,
    wrong: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What the page of a form to be filled shows; after somebody was faster, both answers."""
    answers = told(newest).answers if newest else {}
    both = isinstance(refusal, Conflict)
    questions = questions_of(
        form_from(form.body),
        typed,
        for_supervisor=current_user.role is Role.SUPERVISOR,
        kept=answers,
        wrong=wrong,
        theirs=answers if both else None,
    )
    return {
        "patient": patient,
        "form": form,
        "newest": newest,
        "sections": questions,
        "refusal": refusal.sentence if refusal else "",
        "both": both,
    }


def _again(
    patient_id: int, form_code: str, raw: Mapping[str, Sequence[str]], refusal: DomainError, wrong: Mapping[str, str]
) -> ResponseReturnValue:
    """The form with what was typed, and why it was not kept."""
    sessions.take_back()
    patient, form = _patient(patient_id), _form(form_code)
    newest = filling_for(current_user, patient.id, form_code)
    shown = _filling(patient, form, raw, newest, refusal, wrong)
    return answer(page="history/fill.html", fragment="history/_fill.html", **shown), refusal.status
