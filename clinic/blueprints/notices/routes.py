"""What a person was told: the bell of every page, and the list behind it."""

import json

from flask import Blueprint, abort, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import htmx, live
from clinic.access import Permission, requires
from clinic.blueprints.notices.forms import AnswerForm
from clinic.models import Notice
from clinic.operations import notices
from clinic.queries.notices import newest_unread, notice_for, notices_of, unread_notices

bp = Blueprint("notices", __name__, url_prefix="/notices")


@bp.get("")
@requires(Permission.USE_ACCOUNT)
def index() -> ResponseReturnValue:
    """The viewer's notices, the newest first."""
    return render_template("notices/index.html", **_listed())


@bp.get("/list")
@requires(Permission.USE_ACCOUNT, background=True)
def rows() -> ResponseReturnValue:
    """The list as a region; 204 while nothing has changed since it was drawn."""
    if request.args.get("since", type=int) == _newest():
        return "", 204
    return render_template("notices/_list.html", **_listed())


@bp.get("/bell")
@requires(Permission.USE_ACCOUNT, background=True)
def bell() -> ResponseReturnValue:
    """How many are unread, for the bell beside the account; 204 while it is the number shown. One more is said aloud."""
    unread, shown = unread_notices(current_user), request.args.get("shown", type=int)
    if unread == shown:
        return "", 204
    answer = make_response(render_template("notices/_bell.html", unread=unread))
    newest = newest_unread(current_user) if shown is not None and unread > shown else None
    if newest is not None:
        answer.headers["HX-Trigger"] = json.dumps({"say": {"text": newest.sentence}})
    return answer


@bp.get("/<int:notice_id>")
@requires(Permission.USE_ACCOUNT)
def show(notice_id: int) -> ResponseReturnValue:
    """One notice by itself, with a field for the answer where it asks something."""
    return _page(notice_id, AnswerForm())


@bp.post("/<int:notice_id>/answer")
@requires(Permission.USE_ACCOUNT)
def answer(notice_id: int) -> ResponseReturnValue:
    """Answer what a notice asks."""
    form = AnswerForm(request.form)
    if not form.validate():
        return _page(notice_id, form), 422
    notices.answer(_own(notice_id).id, words=form.words.data, actor=current_user)
    return htmx.go_to(url_for("notices.index"), say="Your answer is kept")


@bp.post("/<int:notice_id>/read")
@requires(Permission.USE_ACCOUNT)
def read(notice_id: int) -> ResponseReturnValue:
    """Mark one notice as read."""
    notices.mark_read(_own(notice_id).id, actor=current_user)
    return htmx.done(back=url_for("notices.index"), changed="person:changed", say="Marked as read")


@bp.post("/<int:notice_id>/follow")
@requires(Permission.USE_ACCOUNT)
def follow(notice_id: int) -> ResponseReturnValue:
    """Mark a notice as read and go to what it is about."""
    notice = notices.mark_read(_own(notice_id).id, actor=current_user)
    return htmx.go_to(notice.url or url_for("notices.index"))


@bp.post("/read")
@requires(Permission.USE_ACCOUNT)
def read_all() -> ResponseReturnValue:
    """Mark as read all that asks for no answer."""
    count = notices.mark_all_read(actor=current_user)
    say = f"{count} marked as read" if count else "Nothing was unread but what asks for an answer"
    return htmx.done(back=url_for("notices.index"), changed="person:changed", say=say)


def _listed() -> dict[str, object]:
    seen, place = _newest(), htmx.place()
    return {"page": notices_of(current_user, **place), "asks": notices.ASKS, "seen": seen, **place}


def _newest() -> int:
    """The newest change of what the viewer was told; read before the list, so that nothing is missed in between."""
    return live.newest({f"person:{current_user.id}"})


def _page(notice_id: int, form: AnswerForm) -> str:
    notice = _own(notice_id)
    return render_template("notices/notice.html", notice=notice, question=notices.ASKS.get(notice.kind), form=form)


def _own(notice_id: int) -> Notice:
    return notice_for(current_user, notice_id) or abort(404)
