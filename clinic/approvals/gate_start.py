"""Starts as they wait for the supervisor who decides: shown is exactly what the student made sure of."""

from collections.abc import Callable
from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.models import Gate, GateKind, GateStatus, User
from clinic.operations.gates import IDENTIFIERS, approve_start, how_it_stands, return_gate, why_own
from clinic.queries import gates
from clinic.queries.right_tooth import sources_of

KIND_NAME = "gate-start"


def items(viewer: User) -> list[Item]:
    """The starts that wait for the viewer, longest first."""
    return [item_of(gate) for gate in gates.waiting_gates(viewer, GateKind.START)]


def item(viewer: User, gate_id: int) -> Item | None:
    """One start that is the viewer's to decide, or was."""
    gate = gates.decidable_gate(viewer, gate_id, GateKind.START)
    return item_of(gate, why=lambda: outcome_of(viewer, gate)) if gate else None


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """What the fragment shows, and of what cannot be undone which tooth each source names."""
    return start_facts(viewer, item.row)


def start_facts(viewer: User, gate: Gate) -> dict[str, Any]:
    """`shown`: as it was prepared; `guarded`: the items of which the supervisor enters the tooth, each with the kind of treatment and
    what does not agree, as it is now; `seconds`: who may be named besides, when the sources of one do not agree."""
    shown = gates.shown_of(gate)
    kinds = {f"entry:{each['thread']}": each["kind"] for each in shown["items"]}
    sources = sources_of(gate) if gate.status is GateStatus.PENDING else {}
    guarded = [
        (each, kinds[each.subject], sources[each.subject].doubts) for each in gate.items if each.subject in sources
    ]
    is_doubtful = any(doubts for *_rest, doubts in guarded)
    return {
        "shown": shown,
        "identifiers": IDENTIFIERS,
        "guarded": guarded,
        "seconds": gates.seconds_of(viewer, gate) if is_doubtful else [],
    }


def outcome_of(viewer: User, gate: Gate) -> str:
    """Why there is nothing to decide for the viewer; empty while there is."""
    if gate.status is GateStatus.PENDING:
        return why_own(gate, viewer)
    return how_it_stands(gate) + (f" “{gate.reason}”" if gate.reason else "")


def item_of(gate: Gate, *, why: Callable[[], str] = str) -> Item:
    patient, is_start = gate.patient, gate.kind is GateKind.START
    shown = gates.shown_of(gate)
    what = "; ".join(each["words"] for each in shown["items"]) or shown["done"] if is_start else ""
    sentence = (
        f"Treatment of {patient.name}, {patient.code}, starts: {what}"
        if is_start
        else f"{patient.name}, {patient.code}, is dismissed"
    )
    guarded = is_start and any(each["kind"] in gates.GUARDED for each in shown["items"])
    return Item(
        kind=KIND_NAME if is_start else "gate-dismiss",
        id=gate.id,
        version=gate.version,
        word="Start" if is_start else "Dismiss",
        sentence=sentence[:300],
        person_id=gate.prepared_by_id,
        person=gate.prepared_by.name,
        patient=patient,
        code=patient.code,
        is_seen=True,
        asked_by=gate.prepared_by.name,
        since=gate.prepared_at,
        row=gate,
        is_alone=guarded,
        why=why,
    )


KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_gate_start.html",
    waiting=lambda viewer: gates.waiting_ids(viewer, GateKind.START),
    items=items,
    item=item,
    facts=facts,
    approve=approve_start,
    give_back=return_gate,
    decide="approvals/_gate_start_decide.html",
)
