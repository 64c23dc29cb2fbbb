"""Every write has one effect, however often it is sent, and redoes itself when the database asks for it.

A form carries a key (`once`). The key is claimed in the transaction of the act; the answer is stored with it by `commit`.
The same key again gets the stored answer. The same key with another body is refused.
"""

import hashlib
import json
import random
import secrets
import time
from collections.abc import Callable

from flask import Response, g, make_response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from clinic import clock, database, sessions
from clinic.errors import Conflict, DomainError, Unavailable
from clinic.extensions import db
from clinic.models import Draft, OnceKey

TRIES = 3
SOON = 3.0  # seconds; a connection that is lost later was lost by waiting, and waiting again helps nobody
# Deadlock, lock wait timeout, row changed since the snapshot; and SQLite's "database is locked".
REDO_CODES = frozenset({1213, 1205, 1020})
KEPT_HEADERS = (
    "Location",
    "Content-Type",
    "HX-Redirect",
    "HX-Location",
    "HX-Trigger",
    "HX-Retarget",
    "HX-Reswap",
)
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def new_key() -> str:
    """A key for a form about to be shown."""
    return secrets.token_urlsafe(12)


def run(view: Callable[[], ResponseReturnValue], *, owner: str | None, needs_key: bool) -> ResponseReturnValue:
    """Run a view as one transaction: claim its key, and redo the whole of it when the database asks for that.

    A connection cut under it is replaced, where doing it again is safe: nothing is written, or the key tells what was.
    Raises Unavailable after `TRIES` tries.
    """
    unsafe, began = request.method in UNSAFE, time.monotonic()
    for attempt in range(1, TRIES + 1):
        try:
            replay = _claim(owner) if needs_key and owner and unsafe else None
            return replay or view()
        except DBAPIError as error:
            was_cut = error.connection_invalidated and time.monotonic() - began < SOON and attempt < TRIES
            if not asks_for_redo(error) and not (was_cut and (needs_key or not unsafe)):
                raise
            database.let_go()
            sessions.forget()  # what the rollback expired is loaded anew
            if attempt < TRIES:
                time.sleep(random.uniform(0.02, 0.08) * attempt)
    raise Unavailable("Many people changed the same thing at once. Nothing was saved; try again.")


def commit(answer: ResponseReturnValue, *, say: str | None = None, undo: str | None = None) -> Response:
    """Store the answer beside the key and commit the act: the one commit of a request."""
    response = make_response(answer)
    session = g.get("auth_session")
    if "tell_act" in g:
        g.tell_act()
    # What was typed has arrived: its draft is done with.
    if session and request.method in UNSAFE and response.status_code < 400:
        db.session.execute(delete(Draft).where(Draft.user_id == session.user_id, Draft.form == request.path))
    claimed = g.pop("once_claimed", None)
    if claimed is not None:
        headers = [[name, response.headers[name]] for name in KEPT_HEADERS if name in response.headers]
        db.session.execute(
            update(OnceKey)
            .where(OnceKey.id == claimed)
            .values(
                status=response.status_code,
                headers=json.dumps(headers),
                body=response.get_data(as_text=True),
                say=say,
                undo=undo,
            )
        )
    db.session.commit()
    return response


def said(owner: str, key: str) -> tuple[str, str | None] | None:
    """The toast of an act already answered, and the URL that undoes it."""
    row = db.session.execute(
        select(OnceKey.say, OnceKey.undo).where(OnceKey.owner == owner, OnceKey.key == key)
    ).first()
    return (row.say, row.undo) if row and row.say else None


def _claim(owner: str) -> Response | None:
    key = request.form.get("once", "") or request.headers.get("X-Once", "")
    if not 8 <= len(key) <= 120:
        raise DomainError("This form is too old to be sent. Reload the page and try again.")
    fields = sorted((name, value) for name, value in request.form.items(multi=True) if name != "csrf_token")
    body_hash = hashlib.sha256(json.dumps([request.path, fields]).encode()).hexdigest()
    try:
        row = OnceKey(owner=owner, key=key, body_hash=body_hash, created_at=clock.now())
        db.session.add(row)
        db.session.flush()
    except IntegrityError:
        db.session.rollback()
        return _stored_answer(owner, key, body_hash)
    g.once_claimed = row.id
    g.once_key = key
    return None


def _stored_answer(owner: str, key: str, body_hash: str) -> Response:
    row = db.session.execute(select(OnceKey).where(OnceKey.owner == owner, OnceKey.key == key)).scalar_one()
    if row.body_hash != body_hash:
        raise Conflict("This form was already sent with other words in it. Reload the page to see how it stands now.")
    response = Response(row.body or "", status=row.status or 204)
    for name, value in json.loads(row.headers or "[]"):
        response.headers[name] = value
    response.headers["X-Replayed"] = "1"
    return response


def asks_for_redo(error: DBAPIError) -> bool:
    """Whether the database says that the same would succeed if it were done again: somebody else was in the way."""
    arguments = getattr(error.orig, "args", ())
    code = arguments[0] if arguments else None
    return code in REDO_CODES or "database is locked" in str(error.orig)
