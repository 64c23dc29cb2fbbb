"""The approvals inbox: what waits, one item as it is approved, approve or return it, and several at once."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import clock, htmx, live, once
from clinic.access import Permission, requires
from clinic.approvals.inbox import KINDS, approve_several, inbox_of, item_for, number_waiting
from clinic.approvals.kind import Item
from clinic.blueprints.approvals.forms import ApproveForm, ReturnForm, SeveralForm
from clinic.operations.approvals import note_opened
from clinic.queries.evaluations import waiting_for
from clinic.queries.live import own_topics

bp = Blueprint("approvals", __name__, url_prefix="/approvals")
MOST_DISMISSED = 3  # by the viewer, today, of students still to be evaluated: the last ones


@bp.get("")
@requires(Permission.APPROVE)
def index() -> ResponseReturnValue:
    """What waits for the viewer's approval."""
    begins, _ends = clock.bounds(clock.today())
    dismissed = waiting_for(current_user, dismissed_since=begins)[-MOST_DISMISSED:]
    return render_template("approvals/index.html", dismissed=dismissed, **_listed())


@bp.get("/list")
@requires(Permission.APPROVE, background=True)
def rows() -> ResponseReturnValue:
    """The inbox as a region, and its number in the navigation; 204 while nothing has changed since it was drawn."""
    if request.args.get("since", type=int) == _newest():
        return "", 204
    return render_template("approvals/_anew.html", **_listed())


@bp.get("/waiting")
@requires(Permission.APPROVE, background=True)
def waiting() -> ResponseReturnValue:
    """How much waits, for the navigation; 204 while it is the number shown."""
    number = number_waiting(current_user)
    if number == request.args.get("shown", type=int):
        return "", 204
    return render_template("approvals/_waiting.html", waiting=number)


@bp.get("/<kind>/<int:item_id>")
@requires(Permission.APPROVE)
def show(kind: str, item_id: int) -> ResponseReturnValue:
    """One item: exactly what is approved. That it was looked at is written down in the commit of the trail's event."""
    item = _item(kind, item_id)
    page = _page(item, ReturnForm(version=item.version))
    patient_id = item.patient.id if item.patient else None
    note_opened(item.key, item.version, item.sentence, patient_id=patient_id, actor=current_user)
    return once.commit(page)


@bp.post("/<kind>/<int:item_id>/approve")
@requires(Permission.APPROVE)
def approve(kind: str, item_id: int) -> ResponseReturnValue:
    """Approve an item as it was shown."""
    item = _item(kind, item_id)
    form = ApproveForm(request.form).checked()
    reason = form.reason.data if form.reason.data and _facts(item)["exception"] else ""
    KINDS[kind].approve(item.id, version=form.version.data, reason=reason, actor=current_user)
    return htmx.go_to(url_for("approvals.index"), say=f"Approved: {item.sentence}")


@bp.post("/<kind>/<int:item_id>/return")
@requires(Permission.APPROVE)
def give_back(kind: str, item_id: int) -> ResponseReturnValue:
    """Return an item to whoever asked, with a reason."""
    item = _item(kind, item_id)
    form = ReturnForm(request.form)
    if not form.validate():
        return _page(item, form), 422
    KINDS[kind].give_back(item.id, version=form.version.data, reason=form.reason.data, actor=current_user)
    return htmx.go_to(url_for("approvals.index"), say=f"Returned to {item.asked_by}")


@bp.post("/approve")
@requires(Permission.APPROVE)
def approve_all() -> ResponseReturnValue:
    """Approve several items of one student and one patient at once."""
    chosen = [(_item(kind, item_id), version) for kind, item_id, version in SeveralForm(request.form).checked().chosen]
    approve_several(chosen, actor=current_user)
    say = f"Approved {len(chosen)} for {chosen[0][0].person}"
    return htmx.done(back=url_for("approvals.index"), changed="approvals:changed", say=say)


def _listed() -> dict[str, object]:
    seen = _newest()
    return {"inbox": inbox_of(current_user), "seen": seen}


def _newest() -> int:
    """The newest change of what may wait for the viewer; read before the list, so that nothing is missed in between."""
    return live.newest(own_topics(current_user))


def _item(kind: str, item_id: int) -> Item:
    return item_for(current_user, kind, item_id) or abort(404)


def _page(item: Item, form: ReturnForm) -> str:
    kind = KINDS[item.kind]
    return render_template(
        "approvals/item.html", item=item, fragment=kind.fragment, decide=kind.decide, form=form, **_facts(item)
    )


def _facts(item: Item) -> dict[str, Any]:
    return {"exception": ""} | KINDS[item.kind].facts(current_user, item)
