"""Versions of charts as they wait for the supervisor who decides: shown is exactly what came since the last approved version."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.chart import drawing, teeth
from clinic.chart.entry import Entry
from clinic.chart.mouth import Mouth
from clinic.chart.versions import Change, NotAsCut, as_cut, change_sentence, difference, marks_of, mouth_from, overlaid
from clinic.errors import DomainError
from clinic.models import SignOff, SignOffStatus, User
from clinic.operations.sign_off import approve_chart, how_it_stands, return_chart, why_own
from clinic.queries.chart import approved_before, stroke_of
from clinic.queries.sign_offs import decidable_sign_off_for, waiting_ids, waiting_sign_offs


def items(viewer: User) -> list[Item]:
    """The versions that wait for the viewer, longest first. Two queries."""
    return [_item(sign_off) for sign_off in waiting_sign_offs(viewer)]


def item(viewer: User, sign_off_id: int) -> Item | None:
    """One version that is the viewer's to decide, or was."""
    sign_off = decidable_sign_off_for(viewer, sign_off_id)
    if sign_off is None:
        return None
    if sign_off.status is not SignOffStatus.PENDING:
        outcome = how_it_stands(sign_off) + (f" “{sign_off.reason}”" if sign_off.reason else "")
    else:
        outcome = why_own(sign_off, sign_off.chart_version, viewer)
    return _item(sign_off, outcome=outcome)


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """What the fragment shows: each change in words, the picture with them marked, since when, and what came after the version."""
    sign_off: SignOff = item.row
    version = sign_off.chart_version
    approved = approved_before(sign_off.patient_id, version.number)
    try:
        after, then = mouth_from(as_cut(version)), mouth_from(as_cut(approved)) if approved else None
    except NotAsCut:
        raise DomainError(
            "This version, or the approved one before it, does not read as it was cut. It cannot be shown or approved; "
            "tell an administrator."
        ) from None
    before = then or Mouth(after.base, (), after.kinds, after.dentition)
    changes = sorted((each for each in difference(before, after) if not each.is_only_said_again), key=_in_order)
    return {
        "changes": [(each.mark, change_sentence(each, viewer.numbering), _reason(each)) for each in changes],
        "since": approved,
        "version": version,
        "later": stroke_of(sign_off.patient_id) - version.stroke,
        "drawing": drawing.drawing_of(
            overlaid(after, changes), legend=viewer.legend, numbering=viewer.numbering, marks=marks_of(changes)
        ),
    }


def _reason(change: Change) -> str:
    entry: Entry | None = change.after
    return entry.reason if entry else ""


def _in_order(change: Change) -> tuple[bool, int, int]:
    keys = teeth.in_order(list(change.keys))
    first = keys[0] if keys else ""
    return not first, teeth.ALL.index(first) if first in teeth.ALL else len(teeth.ALL), change.place


def _item(sign_off: SignOff, *, outcome: str = "") -> Item:
    version, patient = sign_off.chart_version, sign_off.patient
    return Item(
        kind=KIND_NAME,
        id=sign_off.id,
        version=sign_off.version,
        word="Chart",
        sentence=f"Version {version.number} of the chart of {patient.name}, {patient.code}, is approved",
        person_id=sign_off.asked_by_id,
        person=sign_off.asked_by.name,
        patient=patient,
        code=patient.code,
        is_seen=True,
        asked_by=sign_off.asked_by.name,
        since=sign_off.asked_at,
        row=sign_off,
        why=lambda: outcome,
    )


KIND_NAME = "chart-version"
KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_chart_version.html",
    waiting=waiting_ids,
    items=items,
    item=item,
    facts=facts,
    approve=approve_chart,
    give_back=return_chart,
)
