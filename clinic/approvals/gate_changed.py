"""Visits in which something was changed after their dismissal was approved: they come back to the supervisors by themselves."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.models import Gate, User
from clinic.operations.gates import approve_changes, how_it_stands, return_changes, version_of, why_own
from clinic.queries import gates

KIND_NAME = "gate-changed"


def items(viewer: User) -> list[Item]:
    """The visits after whose approval something was changed, longest approved first."""
    return [_item(gate) for gate in gates.changed_gates(viewer)]


def item(viewer: User, gate_id: int) -> Item | None:
    """One such visit, by the dismissal that was approved; None for one after which nothing was ever changed."""
    gate = gates.decidable_gate(viewer, gate_id)
    if gate is None or gate.decided_by is None:
        return None
    standing = gates.standing_of(gate.visit)
    if standing.last is None or standing.last.id != gate.id:
        return _item(gate, outcome=how_it_stands(standing.last or gate))
    if not standing.changed:
        return _item(gate, version=version_of(standing), outcome="") if _is_listed(viewer, gate) else None
    return _item(gate, version=version_of(standing), outcome=why_own(gate, viewer))


def facts(_viewer: User, item: Item) -> dict[str, Any]:
    """`standing`: what was changed, and what is no longer there."""
    return {"standing": gates.standing_of(item.row.visit)}


def _is_listed(viewer: User, gate: Gate) -> bool:
    return any(each.id == gate.id for each in gates.changed_gates(viewer))


def _item(gate: Gate, *, version: int = 0, outcome: str = "") -> Item:
    patient, since = gate.patient, gate.decided_at
    assert since is not None
    return Item(
        kind=KIND_NAME,
        id=gate.id,
        version=version,
        word="Changed",
        sentence=f"The visit of {patient.name}, {patient.code}, was changed after {gate.decided_by.name} approved it",
        person_id=gate.prepared_by_id,
        person=gate.prepared_by.name,
        patient=patient,
        code=patient.code,
        is_seen=True,
        asked_by=gate.prepared_by.name,
        since=since,
        row=gate,
        is_alone=True,
        why=lambda: outcome,
    )


KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_gate_changed.html",
    waiting=gates.changed_ids,
    items=items,
    item=item,
    facts=facts,
    approve=approve_changes,
    give_back=return_changes,
)
