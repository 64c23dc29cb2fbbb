"""The live stream of a signed-in person."""

from flask import Blueprint, current_app, g, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import live_stream
from clinic.access import Permission, requires
from clinic.queries.live import audible_topics, own_topics

bp = Blueprint("live", __name__, url_prefix="/live")


@bp.get("/stream")
@requires(Permission.USE_ACCOUNT, background=True)
def stream() -> ResponseReturnValue:
    """Nudges on the queues and calls asked for (all one may hear, when none is named), and always on what the navigation shows."""
    wanted, audible = request.args.getlist("topic"), audible_topics(current_user)
    topics = audible.intersection(wanted) | own_topics(current_user) if wanted else audible
    session = g.auth_session
    return live_stream.respond(
        current_app, owner=("session", session.id), rights=live_stream.rights_of(session), topics=topics
    )
