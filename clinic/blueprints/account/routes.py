"""One's own account: password, PIN, second factor, sessions."""

import json
from collections.abc import Callable
from typing import Any

import segno
from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import access, clock, once, passwords, security, sessions
from clinic.access import Permission, requires
from clinic.blueprints.account.forms import PasswordForm, PinForm, PresentPasswordForm
from clinic.blueprints.auth.forms import CodeForm
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.htmx import go_to
from clinic.operations import account as operations
from clinic.operations import second_factor as factor
from clinic.operations.sign_in import end_one, end_sessions
from clinic.queries import people
from clinic.text import digits

bp = Blueprint("account", __name__, url_prefix="/account")

SHOWN_SECONDS = 300  # how long the page with new recovery codes can be looked at


@bp.get("/password")
@requires(Permission.USE_ACCOUNT)
def password() -> ResponseReturnValue:
    """The form to change one's password."""
    return _password_page(PasswordForm())


@bp.post("/password")
@requires(Permission.USE_ACCOUNT, needs_key=False)
def change_password() -> ResponseReturnValue:
    """Change one's password; every other session ends."""
    form, forced = PasswordForm(request.form), current_user.must_change_password
    if not form.validate():
        return _password_page(form), 422

    def act() -> None:
        passwords.check_choice(form.password.data or "", email=current_user.email, name=current_user.name)
        if form.password.data == form.present.data:
            raise DomainError("The new password is the present one. Choose another.")
        operations.change_password(passwords.hashed(form.password.data or ""), actor=current_user, keep=g.auth_session)

    refusal = _with_password(form, act)
    if refusal:
        return _password_page(form, refusal.sentence), refusal.status
    return once.commit(redirect(url_for("home.index") if forced else url_for("account.password", done=1), 303))


@bp.get("/pin")
@requires(Permission.USE_ACCOUNT)
def pin() -> ResponseReturnValue:
    """The form to set one's PIN."""
    return _pin_page(PinForm())


@bp.post("/pin")
@requires(Permission.USE_ACCOUNT, needs_key=False)
def set_pin() -> ResponseReturnValue:
    """Set one's PIN."""
    form = PinForm(request.form)
    if not form.validate():
        return _pin_page(form), 422
    new = digits(form.pin.data or "")

    def act() -> None:
        passwords.check_pin(new)
        operations.set_pin(passwords.hashed(new), actor=current_user)

    refusal = _with_password(form, act)
    if refusal:
        return _pin_page(form, refusal.sentence), refusal.status
    return once.commit(redirect(url_for("account.pin", done=1), 303))


@bp.get("/second-factor")
@requires(Permission.USE_ACCOUNT)
def second_factor() -> ResponseReturnValue:
    """The state of one's second factor, and what to do next."""
    return _factor_page()


@bp.post("/second-factor")
@requires(Permission.USE_ACCOUNT, needs_key=False)
def begin_second_factor() -> ResponseReturnValue:
    """Make the secret that the telephone is to learn."""
    refusal = _with_password(PresentPasswordForm(request.form), lambda: factor.begin_enrolment(actor=current_user))
    if refusal:
        return _factor_page(refusal.sentence), refusal.status
    return once.commit(redirect(url_for("account.second_factor"), 303))


@bp.post("/second-factor/confirm")
@requires(Permission.USE_ACCOUNT, needs_key=False)
def confirm_second_factor() -> ResponseReturnValue:
    """Put the second factor in force by its first code; then show the recovery codes."""
    try:
        factor.begin_code(current_user)
        db.session.commit()
        codes = factor.confirm_enrolment(request.form.get("code", ""), actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _factor_page(refusal.sentence), refusal.status
    return _show_once(codes)


@bp.post("/second-factor/change")
@requires(Permission.USE_ACCOUNT, needs_key=False)
def change_second_factor() -> ResponseReturnValue:
    """Make new recovery codes, or remove the second factor."""
    codes: list[str] = []

    def act() -> None:
        if request.form.get("act") == "remove":
            factor.remove(current_user, actor=current_user)
        else:
            codes.extend(factor.renew_recovery_codes(actor=current_user))

    refusal = _with_password(PresentPasswordForm(request.form), act)
    if refusal:
        return _factor_page(refusal.sentence), refusal.status
    return _show_once(codes) if codes else once.commit(redirect(url_for("account.second_factor"), 303))


@bp.get("/recovery-codes")
@requires(Permission.USE_ACCOUNT)
def recovery_codes() -> ResponseReturnValue:
    """The recovery codes just made, for this session and for a few minutes only."""
    text = security.unseal(request.args.get("sealed", ""), "recovery codes", seconds=SHOWN_SECONDS)
    session_id, codes = json.loads(text) if text else (0, [])
    return render_template("account/recovery_codes.html", codes=codes if session_id == g.auth_session.id else [])


@bp.get("/sessions", endpoint="sessions")
@requires(Permission.USE_ACCOUNT)
def own_sessions() -> ResponseReturnValue:
    """Where one is signed in."""
    mine = people.sessions_of(current_user, since=clock.now() - sessions.LONGEST)
    return render_template("account/sessions.html", sessions=mine, this=g.auth_session.id)


@bp.post("/sessions/<int:session_id>/end")
@requires(Permission.USE_ACCOUNT)
def end_session(session_id: int) -> ResponseReturnValue:
    """End one of one's own sessions."""
    session = people.session_of(current_user, session_id) or abort(404)
    end_one(session, reason="ended by its person", actor=current_user)
    return go_to(url_for("account.sessions"), say="The session has ended")


@bp.post("/sessions/end-others")
@requires(Permission.USE_ACCOUNT)
def end_other_sessions() -> ResponseReturnValue:
    """End all of one's sessions but this one."""
    ended = end_sessions(current_user, reason="ended by its person", keep=g.auth_session, actor=current_user)
    return go_to(url_for("account.sessions"), say=f"{ended} other session{'' if ended == 1 else 's'} ended")


def _with_password(form: PresentPasswordForm, act: Callable[[], None]) -> DomainError | None:
    """Do an act that asks for the password again; answers the refusal, with nothing changed, if there is one."""
    try:
        operations.count_own_try(actor=current_user)
        db.session.commit()
        operations.prove_password(form.present.data or "", actor=current_user)
        act()
    except DomainError as refusal:
        sessions.take_back()
        return refusal
    return None


def _show_once(codes: list[str]) -> Any:
    sealed = security.seal(json.dumps([g.auth_session.id, codes]), "recovery codes")
    return once.commit(redirect(url_for("account.recovery_codes", sealed=sealed), 303))


def _password_page(form: PasswordForm, refusal: str | None = None) -> str:
    return render_template("account/password.html", person=current_user, form=form, refusal=refusal)


def _pin_page(form: PinForm, refusal: str | None = None) -> str:
    return render_template("account/pin.html", person=current_user, form=form, refusal=refusal)


def _factor_page(refusal: str | None = None) -> str:
    address = factor.address_of(current_user)
    return render_template(
        "account/second_factor.html",
        person=current_user,
        needed=access.must_enrol(current_user),
        picture=segno.make(address).svg_data_uri(scale=4, border=2, light="white") if address else None,
        key=factor.key_of(current_user),
        codes_left=people.recovery_codes_left(current_user),
        present=PresentPasswordForm(),
        code=CodeForm(),
        refusal=refusal,
    )
