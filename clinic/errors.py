"""Refusals and faults: what they are, and the pages that say what to do."""

import logging
from typing import Any

from flask import Flask, current_app, g, render_template, request
from flask.globals import request_ctx
from sqlalchemy.exc import DataError, DBAPIError, NoResultFound, TimeoutError
from sqlalchemy.orm.exc import DetachedInstanceError, StaleDataError
from werkzeug.exceptions import HTTPException

from clinic import database

log = logging.getLogger(__name__)


class DomainError(Exception):
    """A rule refuses. The sentence names the rule and who can lift it, in words of the clinic."""

    status = 422

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Conflict(DomainError):
    """Somebody else was faster: says who, what and when. `theirs` and `mine` hold both texts where there are any."""

    status = 409

    def __init__(
        self, sentence: str, *, theirs: dict[str, Any] | None = None, mine: dict[str, Any] | None = None
    ) -> None:
        super().__init__(sentence)
        self.theirs = theirs or {}
        self.mine = mine or {}


class NotAllowed(DomainError):
    """The person's role does not include this act."""

    status = 403


class Unavailable(DomainError):
    """A part of the system is away for a moment; the rest works."""

    status = 503


SENTENCES = {
    400: ("That could not be read", "Go back and try again. If it happens again, reload the page first."),
    401: ("Please sign in", "Your session has ended. Sign in to go on; what you typed is kept."),
    403: ("Not part of your role", "Ask an administrator if you need this for your work."),
    404: (
        "Not found",
        "There is no such page, or it is not one of yours. Check the address or search for the patient.",
    ),
    405: ("Not possible here", "Go back and use the page's own buttons."),
    409: ("Somebody was faster", "Reload to see how it stands now."),
    413: ("Too large", "Send less at once."),
    422: ("Not accepted", "Read the sentence above the form and correct it."),
    429: ("Too many tries", "Wait a little and try again."),
    500: (
        "Something broke",
        "It is not your fault, and it has been written down. Nothing was saved. Try again.",
    ),
    503: ("Busy for a moment", "Nothing was saved. Try again in a few seconds."),
}
# With these the database may be away or the frame itself broken: their pages ask nothing of either.
PLAIN = frozenset({500, 503})
# MariaDB and MySQL when they accept no writes: a replica, a full disk, maintenance.
READ_ONLY = frozenset({1290, 1792, 1836})
ONLY_READS = (
    "The clinic's database takes no changes at the moment. Nothing was saved, and what must be written down to be seen "
    "cannot be opened. Tell an administrator; Chairside goes on by itself once the database does."
)
# The application's account has lost a right; of all tables it is the trail's on which that must stop everything.
NO_RIGHT = frozenset({1142, 1143})
NOT_TOLD = (
    "What is done and seen here cannot be written to the trail at the moment, so nothing is done and nothing is shown. "
    "Tell an administrator; Chairside goes on by itself once it can."
)


def init_app(app: Flask) -> None:
    app.register_error_handler(DomainError, _domain_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StaleDataError, _stale)
    app.register_error_handler(TimeoutError, _database_away)
    app.register_error_handler(DBAPIError, _database_away)
    app.register_error_handler(NoResultFound, _gone)
    app.register_error_handler(DataError, _unfit)
    app.register_error_handler(OverflowError, _unfit)
    app.register_error_handler(Exception, _broken)


def page(status: int, sentence: str | None = None) -> tuple[str, int, dict[str, str]]:
    """The answer for an error: a whole page, or for htmx the sentence as a toast."""
    title, advice = SENTENCES.get(status, SENTENCES[500])
    headers = {"Retry-After": "3"} if status in (429, 503) else {}
    template = "components/_refusal.html" if "HX-Request" in request.headers else "error.html"
    if template.endswith("_refusal.html"):
        headers |= {"HX-Retarget": "#refusal", "HX-Reswap": "innerHTML"}
        if status == 409:
            headers["HX-Trigger"] = "live:poll"  # what the page shows is old: its living regions refetch themselves
    words = {"status": status, "title": title, "sentence": sentence or advice, "advice": advice}
    if status not in PLAIN and "csrf_owner" in g and request_ctx.url_adapter:
        try:
            return render_template(template, **words), status, headers
        except (
            DBAPIError,
            DetachedInstanceError,
        ):  # went away meanwhile; or under this request, and the person with it
            log.error("database: away for the page of error %d", status)
        except Exception:
            log.exception("the error page could not be rendered")
    return _plain(template, words), status, headers


def _plain(template: str, words: dict[str, Any]) -> str:
    """The answer that asks nothing: not who is signed in, not the database, not what an earlier step should have left in `g`.

    `render_template` would ask: flask-login puts the person into the context of every template.
    """
    if template.endswith("_refusal.html") and request_ctx.url_adapter:
        return current_app.jinja_env.get_template(template).render(words)
    return current_app.jinja_env.get_template("error_alone.html").render(words)


def _domain_error(error: DomainError) -> Any:
    database.let_go()
    return page(error.status, error.sentence)


def _http_error(error: HTTPException) -> Any:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()
    database.let_go()
    return page(error.code)


def _stale(error: StaleDataError) -> Any:
    database.let_go()
    return page(409, "Someone changed this at the same moment. Nothing was saved; reload to see how it stands now.")


def _database_away(error: Exception) -> Any:
    database.let_go()
    cause = getattr(error, "orig", error)
    code = next(iter(getattr(cause, "args", ())), None)
    # Of the statement, which holds no values, the first words: the act, and of one that writes its table.
    doing = " ".join((getattr(error, "statement", None) or "").split()[:3])
    log.error("database: %s %s %s", type(cause).__name__, code if isinstance(code, int) else "", doing)
    return page(503, ONLY_READS if code in READ_ONLY else NOT_TOLD if code in NO_RIGHT else None)


def _gone(error: NoResultFound) -> Any:
    """A row that an act needs is not there: its number was never given, or it went meanwhile."""
    database.let_go()
    return page(404)


def _unfit(error: Exception) -> Any:
    """A number, a day or a text that no column holds: our forms bound what they take, so this came from elsewhere."""
    database.let_go()
    log.error("out of range on %s: %s", request.endpoint, type(getattr(error, "orig", error)).__name__)
    return page(422, "A number, a day or a text in this is larger than can be kept. Nothing was saved.")


def _broken(error: Exception) -> Any:
    database.let_go()
    log.exception("unhandled error on %s", request.endpoint)
    return page(500)
