"""The public display: tickets and chairs, under a cookie of the screen that opens nothing else."""

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from clinic import clock, live, live_stream, once, security, settings
from clinic.access import public
from clinic.blueprints.display.words import chosen
from clinic.htmx import is_htmx
from clinic.models import Display
from clinic.operations.displays import ask_for_pairing
from clinic.queries.displays import calls_on, display_with, topics_on

bp = Blueprint("display", __name__, url_prefix="/display")
GUARD = "the screen's own cookie, which shows tickets and chairs of its department only"
NEW_SECONDS = 15  # a call blinks three times when the screen shows it within this time


@bp.get("")
@public(guard=GUARD)
def index() -> ResponseReturnValue:
    """The display; before it is paired, its code."""
    display = _display()
    if display is None or display.paired_at is None:
        return render_template("display/pair.html", words=chosen(), display=display)
    return render_template("display/board.html", **_board(display))


@bp.post("/pair")
@public(guard="makes a screen that shows nothing until an administrator types its code; at most 50 wait at once")
def pair() -> ResponseReturnValue:
    """Ask to be paired; a screen that waits already, or is paired, stays what it is."""
    answer = redirect(url_for("display.index"), 303)
    if _display() is not None:
        return answer
    _, token = ask_for_pairing()
    response = once.commit(answer)
    security.set_cookie(response, "display", token, max_age=security.LONGEST_COOKIE, strict=True)
    return response


@bp.get("/board")
@public(guard=GUARD)
def board() -> ResponseReturnValue:
    """The calls; 204 when the screen shows them already."""
    display = _display()
    if display is None or display.paired_at is None:
        return ("", 401, {"HX-Redirect": url_for("display.index")}) if is_htmx() else redirect(url_for("display.index"))
    shown = _board(display)
    if request.args.get("since") == shown["mark"]:
        return "", 204
    return render_template("display/_board.html", **shown)


@bp.get("/stream")
@public(guard=GUARD)
def stream() -> ResponseReturnValue:
    """Nudges on the queues the display shows."""
    display = _display()
    if display is None or display.paired_at is None:
        return "", 401
    return live_stream.respond(
        current_app, owner=("display", display.id), rights=(display.department_id,), topics=topics_on(display)
    )


def _display() -> Display | None:
    return display_with(request.cookies.get(security.cookie_name("display"), ""))


def _board(display: Display) -> dict[str, object]:
    """What the board shows. The mark is read first, so that what changes meanwhile is shown next time."""
    words, voice = chosen(), settings.read("display_voice")
    languages = "-".join(each.language for each in words)
    mark = f"{live.newest(topics_on(display))}.{clock.today().toordinal()}.{languages}.{voice:d}"
    calls = calls_on(display)
    newest = calls[0] if calls else None
    return {
        "mark": mark,
        "words": words,
        "voice": voice,
        "newest": newest,
        "earlier": calls[1:],
        "fresh": newest is not None and (clock.now() - newest.at).total_seconds() < NEW_SECONDS,
    }
