"""Breaking the glass over one patient's record, closing it, and the list on which it is judged."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import once, sessions
from clinic.access import Permission, requires
from clinic.blueprints.glass.forms import GlassForm, JudgeForm
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.htmx import go_to, place
from clinic.models import Judgement
from clinic.operations import account
from clinic.operations import glass as operations
from clinic.queries import glass as queries
from clinic.queries.patients import patient_for

bp = Blueprint("glass", __name__, url_prefix="/break-glass")


@bp.get("")
@requires(Permission.BREAK_GLASS)
def index() -> ResponseReturnValue:
    """The form to break the glass, and the glasses one broke before."""
    return _form_page(GlassForm())


# No key: its row would keep a fingerprint of the password. Sent twice, the record is opened once by the operation itself.
@bp.post("")
@requires(Permission.BREAK_GLASS, needs_key=False)
def break_glass() -> ResponseReturnValue:
    """Break the glass over one patient's record."""
    form = GlassForm(request.form)
    if not form.validate():
        return _form_page(form), 422
    try:
        _prove(form)
        glass = operations.break_glass(**form.asked(), actor=current_user)
    except operations.WrongPair as wrong:
        sessions.take_back()
        operations.record_wrong_pair(form.code.data or "", actor=current_user)
        return once.commit((_form_page(form, wrong.sentence), 422))
    except DomainError as refusal:
        sessions.take_back()
        return _form_page(form, refusal.sentence), refusal.status
    return go_to(url_for("patients.show", patient_id=glass.patient_id))


def _prove(form: GlassForm) -> None:
    """Judge the password, and only after it let the pair be judged; each try counts whatever comes of it."""
    account.count_own_try(actor=current_user)
    db.session.commit()
    account.prove_password(form.present.data or "", actor=current_user)
    operations.count_pair(actor=current_user)
    db.session.commit()


@bp.post("/<int:glass_id>/close")
@requires(Permission.BREAK_GLASS)
def close(glass_id: int) -> ResponseReturnValue:
    """Close a record one opened by breaking the glass, before its time is up."""
    glass = queries.own_glass(current_user, glass_id) or abort(404)
    operations.close_glass(glass, actor=current_user)
    return go_to(url_for("glass.index"), say="The record is closed")


@bp.get("/<int:glass_id>/end")
@requires(Permission.BREAK_GLASS, background=True)
def end(glass_id: int) -> ResponseReturnValue:
    """What a page seen through the glass asks when its time is up: it is sent away."""
    glass = queries.own_glass(current_user, glass_id) or abort(404)
    if patient_for(current_user, glass.patient_id):  # given meanwhile, or that screen's clock is fast
        return "", 204, {"HX-Refresh": "true"}
    return "", 204, {"HX-Redirect": url_for("glass.index")}


@bp.get("/review")
@requires(Permission.JUDGE_GLASS)
def review() -> ResponseReturnValue:
    """The broken glasses that wait to be judged, the oldest first."""
    return _review_page()


@bp.get("/review/judged")
@requires(Permission.JUDGE_GLASS)
def judged() -> ResponseReturnValue:
    """The broken glasses that were judged, the newest first."""
    return render_template("glass/judged.html", page=queries.judged(current_user, **place()))


@bp.get("/review/asked")
@requires(Permission.JUDGE_GLASS)
def asked() -> ResponseReturnValue:
    """Who was asked why they opened a record, and what they answered."""
    return render_template("glass/asked.html", page=queries.asked_why(current_user, **place()))


@bp.post("/review/<int:glass_id>")
@requires(Permission.JUDGE_GLASS)
def judge(glass_id: int) -> ResponseReturnValue:
    """Judge whether a record was rightly opened."""
    glass = queries.glass_to_judge(current_user, glass_id) or abort(404)
    form = JudgeForm(request.form)
    if not form.validate():
        return _review_page(form=form, judging=glass_id), 422
    said, words, breaker = Judgement(form.judgement.data), form.words.data or "", glass.user.name
    try:
        operations.judge(glass_id, version=form.version.data, judgement=said, words=words, actor=current_user)
    except Conflict as conflict:
        sessions.take_back()
        return _review_page(form=form, judging=glass_id, refused=conflict.sentence), 409
    return go_to(url_for("glass.review"), say=f"Judged {operations.IN_WORDS[said]}; {breaker} is told")


def _form_page(form: GlassForm, refused: str | None = None) -> str:
    own = queries.own_glasses(current_user)
    return render_template("glass/index.html", form=form, refused=refused, own=own)


def _review_page(**changes: Any) -> str:
    shown = {"form": JudgeForm(), "judging": None, "refused": None} | changes
    return render_template("glass/review.html", page=queries.to_judge(current_user, **place()), **shown)
