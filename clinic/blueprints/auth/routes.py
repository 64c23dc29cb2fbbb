"""Signing in and out."""

import json
import secrets
from typing import Any

from flask import Blueprint, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import mail, once, passwords, security, sessions
from clinic.access import Permission, public, requires
from clinic.blueprints.auth.forms import CodeForm, ForgottenForm, NewPasswordForm, SignInForm
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.htmx import parts_of
from clinic.models import User
from clinic.operations import account, second_factor
from clinic.operations import sign_in as signing
from clinic.queries import people

bp = Blueprint("auth", __name__)

PROOF_SECONDS = 300  # between the password and the code


@bp.get("/sign-in")
@public()
def sign_in() -> ResponseReturnValue:
    """The sign-in form; on a remembered device one button."""
    return _sign_in_form(SignInForm())


@bp.post("/sign-in")
@public()
def sign_in_now() -> ResponseReturnValue:
    """Sign in by e-mail and password."""
    form = SignInForm(request.form)
    if not form.validate():
        return _sign_in_form(form), 422
    try:
        attempt = signing.begin_attempt(email=form.email.data or "", device_token=security.device_token())
    except DomainError as refusal:
        return _refused(refusal, _sign_in_form, form)
    db.session.commit()
    user = signing.judge(attempt, form.password.data or "")
    if user is None:
        signing.record_wrong(attempt)
        db.session.commit()
        return _sign_in_form(form, "E-mail or password is not right. Check both and try again."), 422
    return _ask_for_code(user, form.remember.data) if user.totp_confirmed_at else _let_in(user, form.remember.data)


@bp.post("/sign-in/remembered")
@public()
def sign_in_remembered() -> ResponseReturnValue:
    """Sign in as the person whom this device remembers."""
    found = signing.recognise(request.cookies.get(security.cookie_name("remember"), ""))
    if found is None:
        response = once.commit(redirect(url_for("auth.sign_in", next=request.args.get("next")), 303))
        sessions.drop_cookie(response, "remember")
        return response
    user, family, token = found
    return _open(user, method="remembered", family=family, remember_token=token, wanted=request.args.get("next"))


@bp.get("/sign-in/code")
@public()
def code() -> ResponseReturnValue:
    """The second step: the code of the authenticator app."""
    proof = _proof()
    return _code_form(CodeForm()) if proof else redirect(url_for("auth.sign_in"), 303)


@bp.post("/sign-in/code")
@public()
def give_code() -> ResponseReturnValue:
    """Sign in with the second factor, after the password."""
    proof, form = _proof(), CodeForm(request.form)
    if proof is None:
        return redirect(url_for("auth.sign_in"), 303)
    user, remember, wanted = proof
    if not form.validate():
        return _code_form(form), 422
    try:
        second_factor.begin_code(user)
    except DomainError as refusal:
        return _refused(refusal, _code_form, form)
    db.session.commit()
    if not second_factor.judge_code(user, form.code.data or ""):
        db.session.commit()
        return _code_form(form, "This code is not right, or it was used already. Wait for the next one."), 422
    return _let_in(user, remember, wanted)


@bp.get("/sign-in/forgotten")
@public()
def forgotten() -> ResponseReturnValue:
    """The form that asks for a link by e-mail; without a mail server, the sentence that says whom to ask."""
    return _forgotten_form(ForgottenForm())


@bp.post("/sign-in/forgotten")
@public()
def send_link() -> ResponseReturnValue:
    """Send a one-use link, if the address is somebody's; the answer does not say."""
    form = ForgottenForm(request.form)
    sent = mail.is_set_up() and form.validate()
    if sent:
        try:
            account.count_link(email=form.email.data or "")
        except DomainError as refusal:
            return _refused(refusal, _forgotten_form, form)
        token = secrets.token_urlsafe(32)
        user = account.make_link(email=form.email.data or "", token=token)
        db.session.commit()
        if user:
            _mail_link(user, token)
    return _forgotten_form(form, sent=sent), 200 if sent else 422


@bp.get("/sign-in/new-password/<string(length=43):token>")
@public()
def new_password(token: str) -> ResponseReturnValue:
    """The form behind the mailed link. Opening it changes nothing: mail filters open links too."""
    works = account.owner_of_link(token) is not None
    return _new_password_form(NewPasswordForm(), token, works=works), 200 if works else 410


@bp.post("/sign-in/new-password/<string(length=43):token>")
@public()
def choose_password(token: str) -> ResponseReturnValue:
    """Set a new password by the mailed link, once."""
    form, user = NewPasswordForm(request.form), account.owner_of_link(token)
    if user is None:
        return _new_password_form(form, token, works=False), 410
    if not form.validate():
        return _new_password_form(form, token), 422
    try:
        passwords.check_choice(form.password.data or "", email=user.email, name=user.name)
        account.use_link(token, new_hash=passwords.hashed(form.password.data or ""))
    except DomainError as refusal:
        return _refused(refusal, _new_password_form, form, token)
    return once.commit(redirect(url_for("auth.sign_in", changed=1), 303))


@bp.post("/sign-out")
@requires(Permission.USE_ACCOUNT, while_locked=True, needs_key=False)
def sign_out() -> ResponseReturnValue:
    """End this session, and forget this device."""
    signing.end_one(g.auth_session, reason="signed out", actor=current_user)
    response = once.commit(redirect(url_for("auth.sign_in"), 303))
    for name in ("session", "remember", "proof"):
        sessions.drop_cookie(response, name)
    return response


def inside(url: str | None) -> str:
    """The page that was asked for, if it is one of ours."""
    parts = parts_of(url)
    ours = url and url.startswith("/") and not url.startswith(("//", "/\\")) and not parts.netloc
    return url if ours and url and url.isprintable() else url_for("home.index")


def open_session_cookie(response: Response, token: str) -> Response:
    sessions.put_cookie(response, token)
    sessions.drop_cookie(response, "proof")
    return response


def _sign_in_form(form: SignInForm, refusal: str | None = None) -> str:
    token = request.cookies.get(security.cookie_name("remember"), "")
    known = people.remembered(token) if token else None
    return render_template(
        "auth/sign_in.html", form=form.lead(), refusal=refusal, known=known, wanted=request.args.get("next")
    )


def _code_form(form: CodeForm, refusal: str | None = None) -> str:
    return render_template("auth/code.html", form=form, refusal=refusal)


def _forgotten_form(form: ForgottenForm, refusal: str | None = None, *, sent: bool = False) -> str:
    return render_template("auth/forgotten.html", form=form, mail=mail.is_set_up(), sent=sent, refusal=refusal)


def _mail_link(user: User, token: str) -> None:
    link = url_for("auth.new_password", token=token, _external=True)
    text = render_template("auth/link_mail.txt", person=user, link=link, minutes=account.RESET_MINUTES)
    mail.post(user.email, "Choose a new password", text)


def _new_password_form(form: NewPasswordForm, token: str, refusal: str | None = None, *, works: bool = True) -> str:
    return render_template("auth/new_password.html", form=form, token=token, refusal=refusal, works=works)


def _refused(refusal: DomainError, page: Any, *arguments: Any) -> ResponseReturnValue:
    sessions.take_back()
    return page(*arguments, refusal.sentence), refusal.status


def _ask_for_code(user: User, remember: bool) -> Response:
    proof = [user.id, _fingerprint(user), security.digest(security.device_token()), remember, request.args.get("next")]
    response = once.commit(redirect(url_for("auth.code"), 303))
    security.set_cookie(response, "proof", security.seal(json.dumps(proof), "proof"), max_age=PROOF_SECONDS)
    return response


def _proof() -> tuple[User, bool, str | None] | None:
    """Who has given the right password in this browser within `PROOF_SECONDS`, and what they wanted."""
    sealed = request.cookies.get(security.cookie_name("proof"), "")
    text = security.unseal(sealed, "proof", seconds=PROOF_SECONDS)
    if text is None:
        return None
    user_id, fingerprint, device, remember, wanted = json.loads(text)
    user = people.user_of(user_id)
    if not user or not user.active or _fingerprint(user) != fingerprint:
        return None
    return (user, remember, wanted) if device == security.digest(security.device_token()) else None


def _fingerprint(user: User) -> str:
    return security.digest(user.password_hash)[:16]


def _let_in(user: User, remember: bool, wanted: str | None = None) -> Response:
    old = request.cookies.get(security.cookie_name("remember"), "")
    drop = bool(old) and signing.forget_device(old, unless=None if remember else user)
    family, token = signing.remember(user) if remember else (None, None)
    wanted = wanted or request.args.get("next")
    response = _open(user, method="password", family=family, remember_token=token, wanted=wanted)
    if drop and not remember:
        sessions.drop_cookie(response, "remember")
    return response


def _open(user: User, *, method: str, family: str | None, remember_token: str | None, wanted: str | None) -> Response:
    device = signing.device_of(security.name_device())
    _session, token = signing.start_session(
        user, method=method, device=device, family=family, replacing=g.get("auth_session")
    )
    response = once.commit(redirect(inside(wanted), 303))
    if remember_token:
        security.set_cookie(response, "remember", remember_token, max_age=signing.REMEMBER_DAYS * 24 * 3600)
    return open_session_cookie(response, token)


from clinic.blueprints.auth import lock  # noqa: E402, F401 - its routes hang on the same blueprint
