"""A patient's plans of treatment: the list, one of them with everything in it, and those that wait for a supervisor."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, false, literal, or_, select, union
from sqlalchemy.orm import joinedload, selectinload

from clinic import clock
from clinic.chart.entry import Entry
from clinic.chart.kinds import Status
from clinic.extensions import db
from clinic.formatting import short_day, when
from clinic.models import (
    Acceptance,
    AuditEvent,
    Estimate,
    Patient,
    Plan,
    PlanDecision,
    PlanItem,
    PlanOption,
    PlanStatus,
    Problem,
    ProblemStatus,
    Role,
    User,
)
from clinic.plans.order import Step, steps_of
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import is_given, may_see

NEWEST = Order((Plan.id,), descending=True)
SHOWN = 20  # of one page
MOST_WAITING = 200
MOST_PROBLEMS = 100  # to choose from
WRITING = tuple(f"plan.{verb}" for verb in ("begin", "option", "remove_option", "item", "remove_item", "send"))


def plans_of(viewer: User, patient_id: int, *, after: int | None = None, before: int | None = None) -> Page[Plan]:
    """A page of a patient's plans, newest first, each with options and acceptance. Its cost does not depend on how many there are."""
    found = _visible(viewer, patient_id).options(
        joinedload(Plan.begun_by), joinedload(Plan.changed_by), selectinload(Plan.options), joinedload(Plan.acceptance)
    )
    return page_of(found, NEWEST, size=SHOWN, after=after, before=before)


def plan_for(viewer: User, patient_id: int, plan_id: int) -> Plan | None:
    """One plan of a patient with options, items, estimates with their texts, and people; None for one that the viewer may not see."""
    return _one(_visible(viewer, patient_id).where(Plan.id == plan_id))


def estimate_for(viewer: User, patient_id: int, plan_id: int, number: int) -> Estimate | None:
    """One estimate of a plan, with its text, its plan with acceptance, and people."""
    found = select(Estimate).where(
        Estimate.patient_id == patient_id,
        Estimate.plan_id == plan_id,
        Estimate.number == number,
        may_see(viewer, Estimate.patient_id),
    )
    people = (joinedload(Estimate.sent_by), joinedload(Estimate.decided_by))
    plan = joinedload(Estimate.plan)
    loaded = (
        plan.joinedload(Plan.acceptance).joinedload(Acceptance.witnessed_by),
        plan.joinedload(Plan.changed_by),
        plan.selectinload(Plan.estimates).defer(Estimate.shown),
    )
    return db.session.execute(found.options(*people, *loaded)).scalar_one_or_none()


def signature_for(viewer: User, patient_id: int, plan_id: int) -> bytes | None:
    """The picture of the signature under a plan; None when there is none, or none for this viewer."""
    return db.session.execute(
        select(Acceptance.image).where(
            Acceptance.patient_id == patient_id,
            Acceptance.plan_id == plan_id,
            may_see(viewer, Acceptance.patient_id),
        )
    ).scalar_one_or_none()


def problems_to_choose(viewer: User, patient_id: int, standing: int | None = None) -> list[Problem]:
    """The active problems of a patient, and the one that is chosen already."""
    active = or_(Problem.status == ProblemStatus.ACTIVE, Problem.id == standing)
    rows = select(Problem).where(Problem.patient_id == patient_id, active, may_see(viewer, Problem.patient_id))
    return list(db.session.execute(rows.order_by(Problem.id.desc()).limit(MOST_PROBLEMS)).scalars())


# --- how it stands ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How an estimate stands: the word of its stamp, the sentence beside it, and whether the patient may rely on it."""

    word: str
    sentence: str
    is_good: bool = False


def standing_of(estimate: Estimate) -> Standing:
    """How an estimate stands, whose plan, with estimates and acceptance, and people are loaded."""
    plan = estimate.plan
    if estimate.decision is None:
        return Standing("NOT APPROVED", "No supervisor has approved this yet.")
    assert estimate.decided_at is not None
    by = f"{estimate.decided_by.name} on {when(estimate.decided_at)}"
    if estimate.decision is PlanDecision.RETURNED:
        return Standing("NOT APPROVED", f"Returned by {by}: “{estimate.reason}”.")
    if estimate.decision is PlanDecision.WITHDRAWN:
        return Standing("NOT APPROVED", f"Taken back by {by}.")
    letters = [each.letter for each in estimate.sent.options if each.id in estimate.approved_ids]
    which = f"Option{'s' if len(letters) > 1 else ''} {', '.join(letters)} approved by {by}."
    if plan.acceptance is not None and plan.acceptance.estimate_id == estimate.id:
        chosen = estimate.sent.option(plan.acceptance.option_id)
        letter = chosen.letter if chosen else ""
        later = " A later plan has been accepted since." if plan.status is PlanStatus.SUPERSEDED else ""
        return Standing(
            "ACCEPTED", f"{which} Option {letter} accepted: {accepted_words(plan.acceptance)}.{later}", True
        )
    if plan.status is not PlanStatus.APPROVED or estimate.id != plan.estimates[-1].id:
        return Standing("NOT VALID ANY MORE", f"{which} The plan was changed since, on {when(plan.changed_at)}.")
    if clock.today() > estimate.valid_until:
        return Standing("NOT VALID ANY MORE", f"{which} It was valid until {short_day(estimate.valid_until)}.")
    return Standing("APPROVED", f"{which} Valid until {short_day(estimate.valid_until)}.", True)


def accepted_words(acceptance: Acceptance) -> str:
    """Who signed, where, before whom and when; the witness is loaded."""
    where = "on paper" if acceptance.on_paper else "on the tablet"
    return f"signed by {acceptance.signed_by} {where}, before {acceptance.witnessed_by.name}, {when(acceptance.accepted_at)}"


@dataclass(frozen=True)
class Turn:
    """One item of an accepted option on its way: in which visits, how it stands on the chart, and whether it is the next to do."""

    step: Step
    status: Status | None  # None: it is no longer on the chart
    is_next: bool

    @property
    def is_done(self) -> bool:
        return self.status is Status.COMPLETED


def turns_of(option: PlanOption, held: Collection[Entry]) -> list[Turn]:
    """The items of an accepted option in the order in which they are done, as they stand among what the chart holds."""
    standing = {entry.thread: entry.status for entry in held}
    found, has_next = list[Turn](), False
    for step in steps_of(option.items):
        status = standing.get(step.item.entry_id)
        is_next = not has_next and status in (Status.PLANNED, Status.IN_PROCESS)
        has_next = has_next or is_next
        found.append(Turn(step, status, is_next))
    return found


# --- for approval -----------------------------------------------------------------------------------------------------


def waiting_plans(viewer: User) -> list[Plan]:
    """The plans that wait for the viewer, longest first; `MOST_WAITING` at most."""
    found = _decided_on(_waiting(viewer)).order_by(Plan.changed_at, Plan.id).limit(MOST_WAITING)
    return list(db.session.execute(found).scalars())


def writers_of(plan: Plan) -> set[int]:
    """The ids of all who wrote on a plan, or sent it, since it was begun: also of what was said anew by others since, or taken out. Two
    queries."""
    options = select(PlanOption.written_by_id).where(PlanOption.plan_id == plan.id)
    items = select(PlanItem.written_by_id).join(PlanOption, PlanOption.id == PlanItem.option_id)
    rows = union(options, items.where(PlanOption.plan_id == plan.id))
    told = select(AuditEvent.actor_id).where(_tells_of_writing(plan.id, plan.patient_id)).distinct()
    return {plan.begun_by_id, *db.session.scalars(rows), *(each for each in db.session.scalars(told) if each)}


def waiting_ids(viewer: User) -> Select[Any]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting(viewer).with_only_columns(Plan.id)


def decidable_plan_for(viewer: User, plan_id: int) -> Plan | None:
    """One plan that is the viewer's to decide, or was, with what was sent last."""
    decides = and_(_of_department(viewer), may_see(viewer, Plan.patient_id))
    found = select(Plan).where(Plan.id == plan_id, decides, Plan.estimates.any())
    return db.session.execute(_decided_on(found)).scalar_one_or_none()


def _waiting(viewer: User) -> Select[Any]:
    wrote = or_(
        Plan.begun_by_id == viewer.id,
        exists().where(_tells_of_writing(Plan.id, Plan.patient_id), AuditEvent.actor_id == viewer.id),
        exists().where(Estimate.plan_id == Plan.id, Estimate.decision.is_(None), Estimate.sent_by_id == viewer.id),
        exists().where(PlanOption.plan_id == Plan.id, PlanOption.written_by_id == viewer.id),
        exists().where(
            PlanItem.option_id == PlanOption.id, PlanOption.plan_id == Plan.id, PlanItem.written_by_id == viewer.id
        ),
    )
    return select(Plan).where(
        Plan.status == PlanStatus.SENT, _of_department(viewer), is_given(viewer, Plan.patient_id), ~wrote
    )


def _tells_of_writing(plan_id: Any, patient_id: Any) -> ColumnElement[bool]:
    """Of `AuditEvent`: whether it tells that somebody wrote on the plan or sent it. The rows keep who did last, and go."""
    subject = literal("plan:") + cast(plan_id, String)
    return and_(AuditEvent.patient_id == patient_id, AuditEvent.act.in_(WRITING), AuditEvent.subject == subject)


def _of_department(viewer: User) -> ColumnElement[bool]:
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return false()
    return Plan.department_id == viewer.department_id


def _decided_on(plans: Select[Any]) -> Select[Any]:
    estimates = selectinload(Plan.estimates)
    return plans.options(
        estimates.joinedload(Estimate.sent_by),
        estimates.joinedload(Estimate.decided_by),
        joinedload(Plan.changed_by),
        joinedload(Plan.patient).selectinload(Patient.alerts),
    )


# --- how they are read ------------------------------------------------------------------------------------------------


def _visible(viewer: User, patient_id: int) -> Select[Any]:
    return select(Plan).where(Plan.patient_id == patient_id, may_see(viewer, Plan.patient_id))


def _one(plans: Select[Any]) -> Plan | None:
    items = selectinload(Plan.options).selectinload(PlanOption.items)
    estimates = selectinload(Plan.estimates)
    found = plans.options(
        joinedload(Plan.begun_by),
        joinedload(Plan.changed_by),
        joinedload(Plan.acceptance).joinedload(Acceptance.witnessed_by),
        selectinload(Plan.options).joinedload(PlanOption.written_by),
        items.joinedload(PlanItem.problem),
        items.joinedload(PlanItem.written_by),
        estimates.joinedload(Estimate.sent_by),
        estimates.joinedload(Estimate.decided_by),
    )
    return db.session.execute(found).scalar_one_or_none()
