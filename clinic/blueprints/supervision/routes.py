"""One's own patients in the queue, the student's call for a supervisor, and the supervisor's list of calls."""

from collections.abc import Callable

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import htmx, live
from clinic.access import Permission, requires
from clinic.acts import Act
from clinic.blueprints.supervision.cards import REASON_ICONS, my_cards
from clinic.blueprints.supervision.forms import CallForm, ChairForm, ComingForm, MoveForm, PassForm
from clinic.formatting import words
from clinic.forms import VersionForm
from clinic.models import CallReason, Role, Stage, SupervisorCall
from clinic.operations import calls, queue
from clinic.queries.calls import call_for, calls_for, colleagues_of
from clinic.queries.live import care_topics, own_topics
from clinic.queries.queue import entry_for, free_chairs, row_for
from clinic.queries.queue_rows import Row

bp = Blueprint("supervision", __name__)


@bp.get("/my-queue")
@requires(Permission.VIEW_OWN_QUEUE)
def my_queue() -> ResponseReturnValue:
    """The viewer's own patients in the queue."""
    return render_template("supervision/my_queue.html", **_mine())


@bp.get("/my-queue/mine")
@requires(Permission.VIEW_OWN_QUEUE, background=True)
def mine() -> ResponseReturnValue:
    """The region of one's own patients; 204 while nothing has changed since it was drawn."""
    return _unless_unchanged("supervision/_mine.html", _mine)


@bp.post("/my-queue/<int:entry_id>/move")
@requires(Permission.MOVE_QUEUE)
def move(entry_id: int) -> ResponseReturnValue:
    """Take the patient to the next stage of care."""
    entry = entry_for(current_user, entry_id) or abort(404)
    form = MoveForm(request.form).checked()
    name = entry.patient.name
    moved = queue.move(entry.id, to=Stage(form.to.data), version=form.version.data, actor=current_user)
    undo = url_for("supervision.undo", entry_id=moved.id, version=moved.version)
    return _done(f"{name}: {queue.IN_WORDS[moved.stage]}", "queue:changed", undo)


@bp.post("/my-queue/<int:entry_id>/undo")
@requires(Permission.MOVE_QUEUE)
def undo(entry_id: int) -> ResponseReturnValue:
    """Take one's last move back."""
    entry = entry_for(current_user, entry_id) or abort(404)
    form = VersionForm(request.values).checked()
    name = entry.patient.name
    former = queue.undo_last_move(entry.id, version=form.version.data, actor=current_user)
    return _done(f"Undone: {name} is {queue.IN_WORDS[former.stage]} again", "queue:changed")


@bp.get("/my-queue/<int:entry_id>/chair")
@requires(Permission.CALL_PATIENT)
def chair(entry_id: int) -> ResponseReturnValue:
    """Choose the chair to which a waiting patient is called."""
    row = row_for(current_user, entry_id) or abort(404)
    booked = (entry_for(current_user, entry_id) or abort(404)).visit.chair_id
    chairs = free_chairs(current_user, row.department_id)
    return render_template("supervision/chair.html", row=row, chairs=chairs, booked=booked)


@bp.post("/my-queue/<int:entry_id>/chair")
@requires(Permission.CALL_PATIENT)
def call_patient(entry_id: int) -> ResponseReturnValue:
    """Call a waiting patient to the chair chosen."""
    entry = entry_for(current_user, entry_id) or abort(404)
    form = ChairForm(request.form).checked()
    name = entry.patient.name
    queue.call_to_chair(entry.id, version=form.version.data, chair_id=form.chair.data, actor=current_user)
    return htmx.go_to(_home(), say=f"{name} is called")


@bp.get("/my-queue/<int:entry_id>/supervisor")
@requires(Permission.CALL_SUPERVISOR)
def ask(entry_id: int) -> ResponseReturnValue:
    """Call a supervisor with a note: a page of its own, because what is typed must not be refreshed away."""
    row = row_for(current_user, entry_id) or abort(404)
    return _call_page(row, CallForm(version=row.version).offer(row.stage).lead())


@bp.post("/my-queue/<int:entry_id>/supervisor")
@requires(Permission.CALL_SUPERVISOR)
def call(entry_id: int) -> ResponseReturnValue:
    """Call a supervisor to the patient's chair."""
    entry = entry_for(current_user, entry_id) or abort(404)
    form = CallForm(request.form)
    if not form.validate():
        row = row_for(current_user, entry_id) or abort(404)
        return _call_page(row, form.offer(row.stage)), 422
    reason = CallReason(form.reason.data)
    version, note = form.version.data, form.note.data
    made = calls.call_supervisor(entry.id, version=version, reason=reason, note=note, actor=current_user)
    undo = url_for("supervision.withdraw", call_id=made.id, version=made.version)
    return _done(f"Supervisor called: {words(reason)}", undo=undo)


@bp.post("/my-queue/calls/<int:call_id>/withdraw")
@requires(Permission.CALL_SUPERVISOR)
def withdraw(call_id: int) -> ResponseReturnValue:
    """Take one's call back."""
    found = _call(call_id)
    form = VersionForm(request.values).checked()
    calls.withdraw_call(found.id, version=form.version.data, actor=current_user)
    return _done("Call taken back")


@bp.get("/supervision")
@requires(Permission.ANSWER_CALLS)
def index() -> ResponseReturnValue:
    """The calls to answer, and below them the supervisor's own patients."""
    return render_template("supervision/index.html", **_calls(), **_mine())


@bp.get("/supervision/calls")
@requires(Permission.ANSWER_CALLS, background=True)
def call_list() -> ResponseReturnValue:
    """The region of open calls; 204 while nothing has changed since it was drawn."""
    return _unless_unchanged("supervision/_calls.html", _calls)


@bp.post("/supervision/calls/<int:call_id>/coming")
@requires(Permission.ANSWER_CALLS)
def coming(call_id: int) -> ResponseReturnValue:
    """Say "I'm coming", and in about how many minutes."""
    found = _call(call_id)
    form = ComingForm(request.form).checked()
    calls.say_coming(found.id, version=form.version.data, minutes=form.minutes.data, actor=current_user)
    return _done(f"{found.student.name} knows that you are coming")


@bp.get("/supervision/calls/<int:call_id>/pass")
@requires(Permission.ANSWER_CALLS)
def choose(call_id: int) -> ResponseReturnValue:
    """Choose to whom a call is passed on."""
    found = _call(call_id)
    form = PassForm(version=found.version).offer(list(colleagues_of(current_user, found)))
    return render_template("supervision/pass.html", call=found, form=form)


@bp.post("/supervision/calls/<int:call_id>/pass")
@requires(Permission.ANSWER_CALLS)
def pass_on(call_id: int) -> ResponseReturnValue:
    """Pass a call on to another supervisor of the department."""
    found = _call(call_id)
    form = PassForm(request.form).offer(list(colleagues_of(current_user, found)))
    if not form.validate():
        return render_template("supervision/pass.html", call=found, form=form), 422
    to = form.colleagues[form.to.data]
    calls.pass_on(found.id, version=form.version.data, to=to, note=form.note.data, actor=current_user)
    return htmx.go_to(url_for("supervision.index"), say=f"Passed on to {to.name}")


@bp.post("/supervision/calls/<int:call_id>/end")
@requires(Permission.ANSWER_CALLS)
def end(call_id: int) -> ResponseReturnValue:
    """The supervisor has been there."""
    found = _call(call_id)
    form = VersionForm(request.form).checked()
    calls.end_call(found.id, version=form.version.data, actor=current_user)
    return _done(f"Done with {found.student.name}")


def _call_page(row: Row, form: CallForm) -> str:
    return render_template("supervision/call.html", row=row, form=form, acts=Act)


def _mine() -> dict[str, object]:
    seen = _newest()
    cards, expected = my_cards(current_user)
    return {
        "cards": cards,
        "expected": expected,
        "seen_mine": seen,
        "reason_icons": REASON_ICONS,
        "acts": Act,
        "dense": current_user.role is Role.SUPERVISOR,
    }


def _calls() -> dict[str, object]:
    seen = _newest()
    return {
        "found": calls_for(current_user),
        "seen_calls": seen,
        "minutes": calls.COMING_MINUTES,
        "viewer": current_user,
    }


def _newest() -> int:
    """The newest change the viewer may hear of; read before the data, so that nothing is missed in between."""
    is_student = current_user.role is Role.STUDENT  # who hears of what is theirs, and not of a whole department
    return live.newest((own_topics if is_student else care_topics)(current_user))


def _unless_unchanged(template: str, variables: Callable[[], dict[str, object]]) -> ResponseReturnValue:
    if request.args.get("since", type=int) == _newest():
        return "", 204
    return render_template(template, **variables())


def _done(say: str, changed: str = "calls:changed", undo: str | None = None) -> ResponseReturnValue:
    return htmx.done(back=_home(), changed=changed, say=say, undo=undo)


def _home() -> str:
    """Where the viewer works: supervisors on their list of calls, students on their own queue."""
    places = {Role.SUPERVISOR: "supervision.index", Role.STUDENT: "supervision.my_queue"}
    return url_for(places.get(current_user.role, "home.index"))


def _call(call_id: int) -> SupervisorCall:
    return call_for(current_user, call_id) or abort(404)
