"""Signing in and out, and the lock of a shared terminal."""

from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from clinic import audit, once, passwords, sessions
from clinic.access import Permission, public, requires
from clinic.blueprints.auth.forms import SignInForm
from clinic.extensions import db
from clinic.models import User

bp = Blueprint("auth", __name__)


@bp.get("/sign-in")
@public()
def sign_in() -> ResponseReturnValue:
    """The sign-in form."""
    return render_template("auth/sign_in.html", form=SignInForm(), wrong=False)


@bp.post("/sign-in")
@public()
def sign_in_now() -> ResponseReturnValue:
    """Sign in by e-mail and password."""
    form = SignInForm(request.form)
    user = db.session.execute(
        select(User).where(User.email == (form.email.data or "").strip().lower())
    ).scalar_one_or_none()
    right = passwords.matches(user.password_hash if user else None, form.password.data or "")
    if not (form.validate() and user and right and user.active):
        return render_template("auth/sign_in.html", form=form, wrong=True), 422
    session, token = sessions.start(user, method="password", device=None)
    audit.record("session.start", f"{user.name} signed in", actor=user)
    response = once.commit(redirect(_after_sign_in(), 303))
    sessions.put_cookie(response, token)
    return response


@bp.post("/sign-out")
@requires(Permission.USE_ACCOUNT, while_locked=True, needs_key=False)
def sign_out() -> ResponseReturnValue:
    """End this session."""
    sessions.end(g.auth_session, reason="signed out")
    audit.record("session.end", f"{current_user.name} signed out", actor=current_user)
    response = once.commit(redirect(url_for("auth.sign_in"), 303))
    sessions.drop_cookie(response)
    return response


@bp.get("/locked")
@requires(Permission.USE_ACCOUNT, while_locked=True, background=True)
def locked() -> ResponseReturnValue:
    """The lock page."""
    return render_template("auth/locked.html", person=current_user)


def _after_sign_in() -> str:
    """The page that was asked for, if it is one of ours."""
    wanted = request.args.get("next", "")
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else url_for("home.index")
