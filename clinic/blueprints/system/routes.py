"""Health for the platform: is the process alive, can it serve."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from clinic.access import public
from clinic.extensions import db

bp = Blueprint("system", __name__)


@bp.get("/healthz")
@public()
def health() -> ResponseReturnValue:
    """Alive. Asks nothing of the database: a blip there must not restart every process."""
    return {"status": "ok"}


@bp.get("/readyz")
@public()
def ready() -> ResponseReturnValue:
    """Ready to serve: the database answers."""
    db.session.execute(text("SELECT 1"))
    return {"status": "ready"}
