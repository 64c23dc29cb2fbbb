"""The lock of a shared terminal: locking, unlocking by PIN or password, taking over by another person."""

from datetime import timedelta

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import clock, once, passwords, sessions, settings
from clinic.access import Permission, requires
from clinic.blueprints.auth.routes import bp, inside, open_session_cookie
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.htmx import parts_of
from clinic.operations import account
from clinic.operations import sign_in as signing
from clinic.queries.people import people_at
from clinic.text import digits


@bp.post("/lock")
@requires(Permission.USE_ACCOUNT, while_locked=True, background=True, needs_key=False)
def lock() -> ResponseReturnValue:
    """Lock this terminal."""
    signing.lock(g.auth_session)
    left = parts_of(request.referrer)
    page = left.path + (f"?{left.query}" if left.query else "") if left.netloc == request.host else None
    return once.commit(redirect(url_for("auth.locked", next=page), 303))


@bp.get("/locked")
@requires(Permission.USE_ACCOUNT, while_locked=True, background=True)
def locked() -> ResponseReturnValue:
    """The lock page: one's own PIN or password, the others who signed in here today, or somebody else."""
    return _lock_page()


@bp.post("/unlock")
@requires(Permission.USE_ACCOUNT, while_locked=True, background=True, needs_key=False)
def unlock() -> ResponseReturnValue:
    """Unlock by PIN: back to the same page for its person, a fresh session for another."""
    person_id = request.form.get("person", current_user.id, type=int)
    try:
        anchor = signing.begin_pin(g.auth_session, person_id)
        db.session.commit()
        if not passwords.matches(anchor.user.pin_hash, digits(request.form.get("pin", ""))):
            return _lock_page(_wrong_pin(anchor.wrong_pins), person_id), 422
        opened = signing.open_by_pin(g.auth_session, anchor)
    except DomainError as refusal:
        return _refused(refusal, person_id)
    page = inside(request.form.get("next")) if opened is None else url_for("home.index")
    response = once.commit(redirect(page, 303))
    return open_session_cookie(response, opened[1]) if opened else response


@bp.post("/unlock/password")
@requires(Permission.USE_ACCOUNT, while_locked=True, background=True, needs_key=False)
def unlock_by_password() -> ResponseReturnValue:
    """Unlock by one's own password."""
    try:
        account.count_own_try(actor=current_user)
        db.session.commit()
        account.prove_password(request.form.get("password", ""), actor=current_user)
    except DomainError as refusal:
        return _refused(refusal, current_user.id)
    signing.unlock(g.auth_session)
    return once.commit(redirect(inside(request.form.get("next")), 303))


@bp.post("/active")
@requires(Permission.USE_ACCOUNT, background=True, needs_key=False)
def active() -> ResponseReturnValue:
    """The person touched keyboard, mouse or screen `ago` milliseconds ago: the idle time counts from there."""
    longest = settings.read("idle_lock_seconds") * 1000
    ago = min(max(request.form.get("ago", 0, type=int), 0), longest)
    sessions.note_activity(g.auth_session, clock.now() - timedelta(milliseconds=ago))
    return "", 204


def _lock_page(refusal: str | None = None, person_id: int | None = None) -> str:
    session = g.auth_session
    own_pin = session.user.pin_hash is not None and session.wrong_pins < signing.PIN_TRIES
    return render_template(
        "auth/locked.html",
        person=session.user,
        others=people_at(session),
        own_pin=own_pin,
        chosen=person_id or session.user_id,
        refusal=refusal,
        wanted=inside(request.form.get("next") or request.args.get("next")),
    )


def _wrong_pin(tries: int) -> str:
    left = signing.PIN_TRIES - tries
    return (
        f"This PIN is not right. {left} more {'try' if left == 1 else 'tries'}."
        if left
        else "Three wrong PINs. Now only the password opens."
    )


def _refused(refusal: DomainError, person_id: int) -> ResponseReturnValue:
    sessions.take_back()
    return _lock_page(refusal.sentence, person_id), refusal.status
