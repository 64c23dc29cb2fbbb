"""Dismissals as they wait for the supervisor who decides: the visit as a difference, all at once or one thing by one."""

from typing import Any

from clinic.approvals.gate_start import item_of, outcome_of
from clinic.approvals.kind import Item, Kind
from clinic.chart import drawing
from clinic.chart.versions import marks_of, overlaid
from clinic.models import Gate, GateKind, GateStatus, User
from clinic.operations.gates import approve_dismissal, return_gate
from clinic.queries import gates

KIND_NAME = "gate-dismiss"
PAGES = {"note": "/patients/{}/notes/{}", "document": "/patients/{}/documents/{}"}


def items(viewer: User) -> list[Item]:
    """The dismissals that wait for the viewer, longest first."""
    return [item_of(gate) for gate in gates.waiting_gates(viewer, GateKind.DISMISS)]


def item(viewer: User, gate_id: int) -> Item | None:
    """One dismissal that is the viewer's to decide, or was."""
    gate = gates.decidable_gate(viewer, gate_id, GateKind.DISMISS)
    return item_of(gate, outcome=outcome_of(viewer, gate)) if gate else None


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """What the fragment shows."""
    return dismissal_facts(viewer, item.row)


def dismissal_facts(viewer: User, gate: Gate) -> dict[str, Any]:
    """`shown`: as it was prepared; `others`: what in it needs nobody's approval; `drawing`: the mouth with what has changed marked,
    while it waits; `unopened`: how much nobody has decided by itself; `returned`: how much goes back."""
    shown = gates.shown_of(gate)
    before, after, changes = gates.changes_of(gate.visit) if gate.status is GateStatus.PENDING else (None, None, [])
    picture = None
    if changes and after is not None and before is not None:
        marks = marks_of(changes)
        whole = overlaid(after, changes)
        picture = drawing.drawing_of(whole, legend=viewer.legend, numbering=viewer.numbering, marks=marks)
    texts = gates.texts_of([each.subject for each in gate.items])
    pending = [each for each in gate.items if each.status is GateStatus.PENDING]
    return {
        "shown": shown,
        "gate_items": [(each, page_of(gate, each.subject), texts.get(each.subject, "")) for each in gate.items],
        "others": [piece[2:4] for piece in shown["pieces"] if not piece[4]],
        "drawing": picture,
        "pending": len(pending),
        "unopened": len(pending),
        "returned": sum(each.status is GateStatus.RETURNED for each in gate.items),
    }


def page_of(gate: Gate, subject: str) -> str:
    """Where a thing is looked at by itself."""
    what, _, number = subject.partition(":")
    return PAGES[what].format(gate.patient_id, number) if what in PAGES else f"/patients/{gate.patient_id}/chart"


KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_gate_dismiss.html",
    waiting=lambda viewer: gates.waiting_ids(viewer, GateKind.DISMISS),
    items=items,
    item=item,
    facts=facts,
    approve=approve_dismissal,
    give_back=return_gate,
    decide="approvals/_gate_dismiss_decide.html",
)
