"""A form on a tablet in a patient's hands: one form, sent once, and nothing else of the clinic (docs/decisions/0052-histories.md)."""

from collections.abc import Mapping, Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clinic import clock, database, once, sessions
from clinic.access import public
from clinic.blueprints.history.shown import questions_of, typed_of
from clinic.errors import Conflict
from clinic.extensions import db
from clinic.history.form import form_from
from clinic.models import Kiosk
from clinic.operations.history import NotAnswered, count_wrong_token, fill_by_patient
from clinic.operations.throttle import TooManyTries
from clinic.queries.history import kiosk_with

bp = Blueprint("kiosk", __name__, url_prefix="/tablet")
GUARD = "kiosk token"


@bp.get("/thanks")
@public(guard="says thank you, and nothing else")
def thanks() -> ResponseReturnValue:
    """What the patient sees after sending the form."""
    return render_template("kiosk/thanks.html")


@bp.get("/<string:token>")
@public(guard=GUARD)
def show(token: str) -> ResponseReturnValue:
    """The form that was handed over, without anybody's former answers."""
    kiosk = kiosk_with(token)
    if kiosk is None:
        return _closed()
    return _busy() if sessions.current() else _form(kiosk, token, {}, {})


@bp.post("/<string:token>")
@public(guard=GUARD, needs_key=True)
def send(token: str) -> ResponseReturnValue:
    """Keep what the patient wrote, once."""
    kiosk = kiosk_with(token)
    if kiosk is None:
        return _count()
    if sessions.current():
        return _busy()
    raw = typed_of(request.form, form_from(kiosk.form.body))
    try:
        fill_by_patient(kiosk.id, raw=raw)
    except NotAnswered as refusal:
        database.let_go()
        still = kiosk_with(token)
        return (_form(still, token, raw, refusal.wrong), 422) if still else _closed()
    except Conflict:
        database.let_go()
        return _closed()
    return once.commit(redirect(url_for("kiosk.thanks"), 303))


def _form(kiosk: Kiosk, token: str, typed: Mapping[str, Sequence[str]], wrong: Mapping[str, str]) -> str:
    form = form_from(kiosk.form.body)
    return render_template(
        "kiosk/form.html",
        token_of_tablet=token,
        title=form.title,
        first_name=kiosk.patient.name.split()[0],
        until=kiosk.expires_at,
        seconds=int((kiosk.expires_at - clock.now()).total_seconds()) + 1,
        sections=questions_of(form, typed, for_supervisor=False, wrong=wrong, to_patient=True),
        wrong=len(wrong),
    )


def _busy() -> ResponseReturnValue:
    """Somebody of the clinic is signed in on this tablet: it must not go into a patient's hands so."""
    return render_template("kiosk/busy.html"), 409


def _count() -> ResponseReturnValue:
    """Whoever tries addresses has to wait; a tablet that is out is not slowed down by it."""
    try:
        count_wrong_token()
    except TooManyTries:
        database.let_go()
        return _closed(429)
    db.session.commit()
    return _closed()


def _closed(status: int = 410) -> ResponseReturnValue:
    """The same for an address that never was, was used, ran out or was taken back."""
    return render_template("kiosk/closed.html"), status
