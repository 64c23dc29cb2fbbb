"""Dismissals as they wait for the supervisor who decides: the visit as a difference, all at once or one thing by one."""

from dataclasses import dataclass
from typing import Any

from clinic.approvals.gate_start import item_of, outcome_of
from clinic.approvals.kind import Item, Kind
from clinic.chart import drawing
from clinic.chart.versions import marks_of, overlaid
from clinic.models import Document, Gate, GateItem, GateKind, GateStatus, User
from clinic.operations.gates import approve_dismissal, return_gate
from clinic.queries import gates

KIND_NAME = "gate-dismiss"
PAGES = {"note": "/patients/{}/notes/{}", "document": "/patients/{}/documents/{}", "plan": "/patients/{}/plans/{}"}


def items(viewer: User) -> list[Item]:
    """The dismissals that wait for the viewer, longest first."""
    return [item_of(gate) for gate in gates.waiting_gates(viewer, GateKind.DISMISS)]


def item(viewer: User, gate_id: int) -> Item | None:
    """One dismissal that is the viewer's to decide, or was."""
    gate = gates.decidable_gate(viewer, gate_id, GateKind.DISMISS)
    return item_of(gate, why=lambda: outcome_of(viewer, gate)) if gate else None


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """What the fragment shows."""
    return dismissal_facts(viewer, item.row)


@dataclass(frozen=True)
class Thing:
    """One thing that a visit changed, as it is shown. `text`: a note, whole; `picture`: a document; `is_opened`: the viewer has opened it
    by itself, or whoever decided it had."""

    item: GateItem
    by: str
    page: str
    text: str
    picture: Document | None
    is_opened: bool


def dismissal_facts(viewer: User, gate: Gate) -> dict[str, Any]:
    """`shown`: as it was prepared; `things`: what a supervisor approves; `others`: what is not decided here, who did it, where it is,
    and whether it is a plan;
    `drawing`: the mouth with what has changed marked, while it waits; `unopened`: of what is still to be decided, how much the viewer has
    not opened by itself; `returned`: how much goes back."""
    shown = gates.shown_of(gate)
    things = _things(viewer, gate, shown)
    waiting = [each for each in things if each.item.status is GateStatus.PENDING]
    return {
        "shown": shown,
        "things": things,
        "others": [
            (words, by, page_of(gate, subject), subject.startswith("plan:"))
            for subject, _sha256, words, by, is_students in shown["pieces"]
            if not is_students
        ],
        "drawing": _drawing(viewer, gate) if gate.status is GateStatus.PENDING else None,
        "pending": len(waiting),
        "unopened": sum(not each.is_opened for each in waiting),
        "returned": sum(each.status is GateStatus.RETURNED for each in gate.items),
    }


def _things(viewer: User, gate: Gate, shown: dict[str, Any]) -> list[Thing]:
    subjects = [each.subject for each in gate.items]
    by = {piece[0]: piece[3] for piece in shown["pieces"]}
    texts, pictures, opened = gates.texts_of(subjects), gates.pictures_of(subjects), gates.opened_items(viewer, gate)
    return [
        Thing(
            item=each,
            by=by.get(each.subject, ""),
            page=page_of(gate, each.subject),
            text=texts.get(each.subject, ""),
            picture=pictures.get(each.subject),
            is_opened=each.id in opened or each.opened_at is not None,
        )
        for each in gate.items
    ]


def _drawing(viewer: User, gate: Gate) -> drawing.Drawing | None:
    after, changes = gates.changes_of(gate.visit)
    if not changes:
        return None
    whole = overlaid(after, changes)
    return drawing.drawing_of(whole, legend=viewer.legend, numbering=viewer.numbering, marks=marks_of(changes))


def page_of(gate: Gate, subject: str) -> str:
    """Where a thing is looked at by itself."""
    what, _, number = subject.partition(":")
    if what == "material":
        return f"/visits/{gate.visit_id}/materials"
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
