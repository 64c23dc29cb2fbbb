"""Plans of treatment as they wait for the supervisor who decides: shown is exactly what was sent; one, some or all options are approved."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.formatting import number_of
from clinic.models import Plan, PlanStatus, User
from clinic.operations.plans import approve_plan, as_sent, how_it_stands, return_plan, why_own
from clinic.plans.estimate import said
from clinic.plans.order import PHASES
from clinic.queries.plans import decidable_plan_for, waiting_ids, waiting_plans


def items(viewer: User) -> list[Item]:
    """The plans that wait for the viewer, longest first."""
    return [_item(plan) for plan in waiting_plans(viewer)]


def item(viewer: User, plan_id: int) -> Item | None:
    """One plan that is the viewer's to decide, or was."""
    plan = decidable_plan_for(viewer, plan_id)
    if plan is None:
        return None
    waits = plan.status is PlanStatus.SENT
    return _item(plan, outcome=why_own(plan.estimates[-1], viewer) if waits else how_it_stands(plan))


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """`sent`: the plan as it was sent; `said`: an item in words; `returned`: the estimate before it, when that was returned."""
    plan: Plan = item.row
    *former, last = plan.estimates
    sent = as_sent(last)
    returned = former[-1] if former and former[-1].decision == "returned" else None

    def in_words(each: Any) -> str:
        return said(each.entry, sent.kinds, viewer.numbering)

    return {"sent": sent, "estimate": last, "said": in_words, "phases": PHASES, "returned": returned}


def _item(plan: Plan, *, outcome: str = "") -> Item:
    patient, last = plan.patient, plan.estimates[-1]
    options = number_of(len(last.sent.options), "option")
    return Item(
        kind=KIND_NAME,
        id=plan.id,
        version=plan.version,
        word="Plan",
        sentence=f"The treatment plan “{plan.name}” of {patient.name}, {patient.code}, with {options}, is approved",
        person_id=last.sent_by_id,
        person=last.sent_by.name,
        patient=patient,
        code=patient.code,
        is_seen=True,
        asked_by=last.sent_by.name,
        since=last.sent_at,
        row=plan,
        why=lambda: outcome,
    )


KIND_NAME = "plan"
KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_plan.html",
    waiting=waiting_ids,
    items=items,
    item=item,
    facts=facts,
    approve=approve_plan,
    give_back=return_plan,
    decide="approvals/_plan_decide.html",
)
