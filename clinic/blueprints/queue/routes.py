"""Reception's board of the live queue, and every act on a patient in it."""

from typing import Any, NamedTuple

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, may, requires
from clinic.acts import Act, outcomes_for
from clinic.blueprints.queue import board as boards
from clinic.blueprints.queue.forms import (
    CallForm,
    ChairForm,
    CloseDayForm,
    LeaveForm,
    MoveForm,
    PlaceForm,
    PriorityForm,
    TransferForm,
)
from clinic.errors import Conflict
from clinic.forms import VersionForm
from clinic.htmx import answer, done, go_to, parts_of
from clinic.models import Department, QueueEntry, Stage
from clinic.operations import gate_rules
from clinic.operations import queue as moves
from clinic.queries.places import departments, one_of, own_departments
from clinic.queries.queue import entry_for, free_chairs, next_in_line, open_entries, row_for
from clinic.queries.queue_rows import Row

bp = Blueprint("queue", __name__, url_prefix="/queue")


@bp.get("")
@requires(Permission.VIEW_BOARD)
def index() -> ResponseReturnValue:
    """The board of a department: the wanted one, one's own, or the first."""
    department = _department()
    return render_template(
        "queue/index.html",
        department=department,
        departments=own_departments(current_user),
        tabs=boards.TABS,
        live_topics=[f"queue:{department.id}"],
        board=boards.body_for(current_user, department, boards.seen_now(department)),
    )


@bp.get("/board")
@requires(Permission.VIEW_BOARD, background=True)
def board() -> ResponseReturnValue:
    """The board alone; 204 when it is as the page has it."""
    department = _department()
    seen = boards.seen_now(department)
    if request.args.get("since") == seen:
        return "", 204
    return str(boards.body_for(current_user, department, seen))


@bp.get("/call-next")
@requires(Permission.VIEW_BOARD)
def call_next() -> ResponseReturnValue:
    """Whom "call next" would call, and who comes after, before anybody is called."""
    department = _department()
    line = next_in_line(current_user, department.id, limit=7)
    if not line:
        return render_template("queue/call.html", row=None, department=department)
    return _call_page(line[0], CallForm(), line[1:])


@bp.get("/<int:entry_id>/call")
@requires(Permission.CALL_PATIENT)
def call(entry_id: int) -> ResponseReturnValue:
    """This patient, and the chairs that are free."""
    return _call_page(_row(entry_id), CallForm())


@bp.post("/<int:entry_id>/call")
@requires(Permission.CALL_PATIENT)
def call_now(entry_id: int) -> ResponseReturnValue:
    """Call the patient to a chair: screens and voices announce it from here on."""
    entry = _entry(entry_id)
    form = CallForm(request.form).offer(free_chairs(current_user, entry.department_id))
    if not form.validate():
        return _call_page(_row(entry_id), form), 422
    said = f"{entry.ticket} called to chair {form.chair_name}: {entry.name}"
    called = moves.call_to_chair(entry.id, version=form.version.data, chair_id=form.chair.data, actor=current_user)
    return _done(called, said)


@bp.post("/<int:entry_id>/call-again")
@requires(Permission.CALL_PATIENT)
def call_again(entry_id: int) -> ResponseReturnValue:
    """Call once more."""
    entry = _entry(entry_id)
    said = f"{entry.ticket} called again: {entry.name}"
    called = moves.call_again(entry.id, version=_version(), actor=current_user)
    return _done(called, said, undo=False)


@bp.post("/<int:entry_id>/put-back")
@requires(Permission.MOVE_QUEUE)
def put_back(entry_id: int) -> ResponseReturnValue:
    """Did not come when called: back in line."""
    entry = _entry(entry_id)
    waiting = moves.put_back(entry.id, version=_version(), actor=current_user)
    return _done(waiting, f"{entry.name} is back in line")


@bp.post("/<int:entry_id>/move")
@requires(Permission.MOVE_QUEUE)
def move(entry_id: int) -> ResponseReturnValue:
    """To another stage of care."""
    entry, form = _entry(entry_id), MoveForm(request.form).checked()
    moved = moves.move(entry.id, to=form.to.data, version=form.version.data, actor=current_user)
    return _done(moved, f"{entry.name}: {moves.IN_WORDS[moved.stage]}")


@bp.post("/<int:entry_id>/finish")
@requires(Permission.CHECK_OUT)
def finish(entry_id: int) -> ResponseReturnValue:
    """The visit is over."""
    entry = _entry(entry_id)
    finished = moves.move(entry.id, to=Stage.DONE, version=_version(), actor=current_user)
    return _done(finished, f"{entry.name}: visit finished")


@bp.post("/<int:entry_id>/undo")
@requires(Permission.MOVE_QUEUE)
def undo(entry_id: int) -> ResponseReturnValue:
    """Take the last move back."""
    entry = _entry(entry_id)
    now = moves.undo_last_move(entry.id, version=_version(), actor=current_user)
    return _done(now, f"Undone for {entry.name}", undo=False)


@bp.get("/<int:entry_id>/leave")
@requires(Permission.MOVE_QUEUE)
def leave(entry_id: int) -> ResponseReturnValue:
    """Why does the patient leave?"""
    return _ask(Act.LEAVE, _row(entry_id), LeaveForm())


@bp.post("/<int:entry_id>/leave")
@requires(Permission.MOVE_QUEUE)
def leave_now(entry_id: int) -> ResponseReturnValue:
    """Left without being seen."""
    entry, form = _entry(entry_id), LeaveForm(request.form)
    if not form.validate():
        return _ask(Act.LEAVE, _row(entry_id), form), 422
    left = moves.leave_unseen(entry.id, version=form.version.data, reason=form.reason.data, actor=current_user)
    return _done(left, f"{entry.name} left without being seen")


@bp.get("/<int:entry_id>/transfer")
@requires(Permission.TRANSFER_QUEUE)
def transfer(entry_id: int) -> ResponseReturnValue:
    """To which department, and why?"""
    row = _row(entry_id)
    return _ask(Act.TRANSFER, row, TransferForm().offer(_others(row.department_id)))


@bp.post("/<int:entry_id>/transfer")
@requires(Permission.TRANSFER_QUEUE)
def transfer_now(entry_id: int) -> ResponseReturnValue:
    """To another department's line."""
    entry = _entry(entry_id)
    form = TransferForm(request.form).offer(_others(entry.department_id))
    if not form.validate():
        return _ask(Act.TRANSFER, _row(entry_id), form), 422
    waiting = moves.transfer(entry.id, department_id=form.department.data, actor=current_user, **form.why())
    there = row_for(current_user, waiting.id)
    said = f"{entry.name} waits in {form.department_name}" + (f" as {there.ticket}" if there else "")
    return _done(waiting, said, back=url_for("queue.index", department=entry.department_id))


@bp.get("/<int:entry_id>/priority")
@requires(Permission.ORDER_QUEUE)
def priority(entry_id: int) -> ResponseReturnValue:
    """Which priority, and why?"""
    row = _row(entry_id)
    return _ask(Act.SET_PRIORITY, row, PriorityForm(priority=row.priority))


@bp.post("/<int:entry_id>/priority")
@requires(Permission.ORDER_QUEUE)
def priority_now(entry_id: int) -> ResponseReturnValue:
    """Before or after others in line."""
    entry, form = _entry(entry_id), PriorityForm(request.form)
    if not form.validate():
        return _ask(Act.SET_PRIORITY, _row(entry_id), form), 422
    changed = moves.set_priority(entry.id, priority=form.priority.data, actor=current_user, **form.why())
    return _done(changed, f"{entry.name}: priority {form.priority_name}", undo=False)


@bp.get("/<int:entry_id>/place")
@requires(Permission.ORDER_QUEUE)
def place(entry_id: int) -> ResponseReturnValue:
    """Where in line, and why?"""
    return _ask(Act.SET_PLACE, _row(entry_id), PlaceForm())


@bp.post("/<int:entry_id>/place")
@requires(Permission.ORDER_QUEUE)
def place_now(entry_id: int) -> ResponseReturnValue:
    """Moved by hand: the card says who and why."""
    entry, form = _entry(entry_id), PlaceForm(request.form)
    if not form.validate():
        return _ask(Act.SET_PLACE, _row(entry_id), form), 422
    placed = moves.set_place(entry.id, first=form.first, actor=current_user, **form.why())
    return _done(placed, f"{entry.name}: {form.place_name.lower()}", undo=False)


@bp.get("/<int:entry_id>/chair")
@requires(Permission.CALL_PATIENT)
def chair(entry_id: int) -> ResponseReturnValue:
    """Which other chair?"""
    row = _row(entry_id)
    return _ask(Act.CHANGE_CHAIR, row, ChairForm().offer(free_chairs(current_user, row.department_id)))


@bp.post("/<int:entry_id>/chair")
@requires(Permission.CALL_PATIENT)
def chair_now(entry_id: int) -> ResponseReturnValue:
    """To another chair, in the same stage."""
    entry = _entry(entry_id)
    form = ChairForm(request.form).offer(free_chairs(current_user, entry.department_id))
    if not form.validate():
        return _ask(Act.CHANGE_CHAIR, _row(entry_id), form), 422
    moved = moves.change_chair(entry.id, version=form.version.data, chair_id=form.chair.data, actor=current_user)
    return _done(moved, f"{entry.name}: chair {form.chair_name}", undo=False)


@bp.get("/close-day")
@requires(Permission.CLOSE_DAY)
def close_day() -> ResponseReturnValue:
    """Everyone who is still here, each with a choice of outcomes."""
    return _close_page(_department())


@bp.post("/close-day")
@requires(Permission.CLOSE_DAY)
def close_day_now() -> ResponseReturnValue:
    """Give everyone who is still here an outcome, or nobody."""
    department = _department()
    form = CloseDayForm(request.form, open_entries(current_user, department.id))
    if not form.validate():
        return _close_page(department, form), 422
    closed = moves.close_day(department, outcomes=form.outcomes, actor=current_user)
    return go_to(url_for("queue.index", department=department.id), say=form.summary(len(closed)))


def _department() -> Department:
    """The department asked for, among those whose board the viewer may see; one's own or the first without a wish."""
    wanted = request.values.get("department", type=int)
    return one_of(own_departments(current_user), wanted, current_user.department_id) or abort(404)


def _others(department_id: int) -> list[Department]:
    return [row for row in departments(current_user) if row.id != department_id]


class Seen(NamedTuple):
    """What is said of an entry; read before the move, which loads the row anew without what stands beside it."""

    id: int
    department_id: int
    ticket: str | None
    name: str
    booked_chair_id: int | None


def _entry(entry_id: int) -> Seen:
    """An entry the viewer may move, open or not. 404 otherwise."""
    entry = entry_for(current_user, entry_id) or abort(404)
    visit = entry.visit
    return Seen(entry.id, entry.department_id, visit.ticket, entry.patient.name, visit.chair_id)


def _row(entry_id: int) -> Row:
    """An open entry as its card shows it. 404 when not the viewer's; Conflict when it has moved on."""
    row = row_for(current_user, entry_id)
    if row is None:
        entry = _entry(entry_id)
        raise Conflict(f"{entry.name} has moved on meanwhile. The board shows where.")
    return row


def _version() -> int:
    """The version of the row that was seen: in the form, or in the address of an undo."""
    return int(VersionForm(request.values).checked().version.data)


def _call_page(row: Row, form: CallForm, after: list[Row] | None = None) -> str:
    free = free_chairs(current_user, row.department_id)
    booked = _entry(row.entry_id).booked_chair_id
    form.offer(free, first=booked)
    return answer(page="queue/call.html", fragment="queue/_call.html", row=row, form=form, after=after or [])


def _ask(act: Act, row: Row, form: Any) -> str:
    """The page of an act that needs more than one press."""
    address = f"/queue/{row.entry_id}/{boards.SEGMENTS[act]}"
    return answer(page="queue/act.html", fragment="queue/_act.html", act=act, row=row, form=form, address=address)


def _done(entry: QueueEntry, say: str, *, undo: bool = True, back: str | None = None) -> ResponseReturnValue:
    """Say what was done, where the person is. `entry` is the one that is open now, or final."""
    takes_back = url_for("queue.undo", entry_id=entry.id, version=entry.version) if undo else None
    if back is None:
        board_of = url_for("queue.index", department=entry.department_id)
        back = board_of if may(current_user, Permission.VIEW_BOARD) else url_for("home.index")
    # On a page that asked one question there is nothing to go on with; elsewhere the work goes on in place.
    if parts_of(request.headers.get("HX-Current-URL")).path.startswith("/queue/"):
        return go_to(back, say=say, undo=takes_back)
    return done(back=back, changed="queue:changed", say=say, undo=takes_back)


def _close_page(department: Department, form: CloseDayForm | None = None) -> str:
    entries = open_entries(current_user, department.id)
    return render_template(
        "queue/close_day.html",
        department=department,
        entries=entries,
        missing=gate_rules.missing_by_visit([entry.visit for entry in entries]),
        outcomes_for=outcomes_for,
        form=form,
        words_of=boards.STAGE_WORDS,
    )
