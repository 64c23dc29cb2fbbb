"""Plans of treatment: written with options and items, sent to the supervisors, decided, and accepted by the patient once.

What is sent is kept to the letter as an estimate; an approval is of exactly that. Whoever changes a plan after it was sent takes it
back to a draft, and it goes to the supervisors anew. Locks: the patient, the plan, then what is of the chart.
"""

import base64
import binascii
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm.attributes import flag_modified

from clinic import audit, clock, live, settings
from clinic.canonical import canonical, digest
from clinic.chart.entry import Entry, details_text, teeth_text
from clinic.chart.kinds import Kind, Status
from clinic.chart.line import MOST_ENTRIES
from clinic.chart.line import read as read_line
from clinic.chart.mouth import Mouth
from clinic.chart.rules import About, judge
from clinic.documents.inspection import Inspection
from clinic.documents.walk import Limits, Refused
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import short_day, when
from clinic.models import (
    Acceptance,
    ChartEntry,
    Estimate,
    Patient,
    Plan,
    PlanDecision,
    PlanItem,
    PlanOption,
    PlanStatus,
    Problem,
    Role,
    User,
)
from clinic.money import MOST as MOST_PRICE
from clinic.money import money
from clinic.operations.chart import chart_stroke, line, needed, sit_down
from clinic.operations.counters import next_number
from clinic.operations.deciding import check_decides, is_given_to, tell_author
from clinic.operations.locks import locked
from clinic.plans.estimate import Item, Option, Sent, body_of, held_of, said, sent_from
from clinic.plans.order import PHASES, waits_for
from clinic.queries import chart as charts
from clinic.queries.plans import writers_of
from clinic.text import one_line

MOST_PLANS = 100  # of a patient
LEAST_OPTIONS, MOST_OPTIONS = 2, 5
MOST_ITEMS = MOST_ENTRIES // 2  # of an option: all of one and all of the plan before it go into one stroke
MOST_MINUTES, MOST_VISITS = 2_000, 30
MOST_SIGNATURE = 64 * 1024  # bytes
SIGNATURE = Limits(pixels=2_000_000, side=4_000)
PNG_URL = "data:image/png;base64,"
NOT_AS_SENT = "This plan does not read as it was sent. It cannot be shown, approved or accepted; tell an administrator."
OWN = "You wrote or sent a part of this yourself. Another supervisor of the department decides."


@dataclass(frozen=True)
class OptionSaid:
    """What an option says."""

    name: str
    advantages: str = ""
    risks: str = ""


@dataclass(frozen=True)
class ItemSaid:
    """What an item says. `line`: a line of the chart's grammar, which may be of several entries, each an item; empty leaves what stands."""

    line: str
    price: int  # in the smallest unit of the plan's currency
    minutes: int
    visits: int
    phase: int
    after_id: int | None = None
    problem_id: int | None = None


# --- writing a plan ---------------------------------------------------------------------------------------------------


def begin_plan(patient: Patient, *, name: str, actor: User) -> Plan:
    """A plan more, empty."""
    patient = _patient_to_write(patient.id, actor, shared=False)
    told = _words(name, 120, "Give the plan a name.")
    numbers = select(func.max(Plan.number)).where(Plan.patient_id == patient.id)
    number = (db.session.scalar(numbers) or 0) + 1
    if number > MOST_PLANS:
        raise DomainError(f"This patient has {MOST_PLANS} plans. Go on with one of them.")
    at = clock.now()
    plan = Plan(
        patient_id=patient.id,
        number=number,
        name=told,
        currency=settings.read("currency"),
        status=PlanStatus.DRAFT,
        begun_by_id=actor.id,
        begun_at=at,
        changed_by_id=actor.id,
        changed_at=at,
    )
    db.session.add(plan)
    db.session.flush()
    _record("plan.begin", "Began", plan, patient, actor)
    return plan


def add_option(plan_id: int, *, option: OptionSaid, actor: User) -> PlanOption:
    """A further option of a plan that is being written."""
    plan, patient = _open(plan_id, actor)
    option = _fit_option(option)
    taken = set(db.session.scalars(select(PlanOption.place).where(PlanOption.plan_id == plan.id)))
    if len(taken) >= MOST_OPTIONS:
        raise DomainError(f"A plan has at most {MOST_OPTIONS} options. Take one away first.")
    place = next(each for each in range(1, MOST_OPTIONS + 1) if each not in taken)
    row = PlanOption(plan_id=plan.id, place=place, **_written(actor), **vars(option))
    db.session.add(row)
    _changed(plan, actor)
    _record("plan.option", f"Added option {row.letter} to", plan, patient, actor, after=vars(option))
    return row


def change_option(option_id: int, *, version: int, option: OptionSaid, actor: User) -> PlanOption:
    """Say an option anew. Raises Conflict, with both texts, when somebody else did meanwhile."""
    plan, patient, row = _open_option(option_id, actor)
    if row.version != version:
        raise _changed_meanwhile(row, f"option {row.letter}", theirs=_told_option(row), mine=vars(option))
    option = _fit_option(option)
    before = _told_option(row)
    if vars(option) == before:
        return row  # nothing is other: nobody wrote
    for name, value in (vars(option) | _written(actor)).items():
        setattr(row, name, value)
    _changed(plan, actor)
    _record("plan.option", f"Changed option {row.letter} of", plan, patient, actor, before=before, after=vars(option))
    return row


def remove_option(option_id: int, *, version: int, actor: User) -> None:
    """Take an option with its items out of a plan that is being written. What was sent before stays in its estimate.

    `version`: of the plan, since items go with it that somebody may have added after the page was opened.
    """
    plan, patient, row = _open_option(option_id, actor)
    if plan.version != version:
        raise Conflict(f"{how_it_stands(plan)} Look at it as it is now, then take option {row.letter} out.")
    items, kinds = _items(row.id), charts.catalogue()
    before = _told_option(row) | {"items": [_told_item(each, plan, kinds) for each in items]}
    letter = row.letter
    for item in items:
        item.after_id = None
    db.session.flush()
    db.session.execute(delete(PlanItem).where(PlanItem.option_id == row.id))
    db.session.execute(delete(PlanOption).where(PlanOption.id == row.id))
    _changed(plan, actor)
    _record("plan.remove_option", f"Took option {letter} out of", plan, patient, actor, before=before)


def add_items(option_id: int, *, item: ItemSaid, actor: User) -> list[PlanItem]:
    """An item for each entry of a line."""
    plan, patient, option = _open_option(option_id, actor)
    others = _items(option.id)
    _check_amounts(item, plan)
    mouth = charts.mouth_of(patient.id)
    entries = _read(item.line, mouth, actor)
    if len(others) + len(entries) > MOST_ITEMS:
        raise DomainError(f"An option has at most {MOST_ITEMS} items.")
    after_id = _fit_after(None, item.after_id, others)
    problem_id = _fit_problem(item.problem_id, patient)
    place = max((each.place for each in others), default=0)
    rows = list[PlanItem]()
    for number, entry in enumerate(entries, place + 1):
        remarks = _judged(entry, mouth, [each.entry for each in (*others, *rows)], patient, actor)
        row = PlanItem(
            option_id=option.id,
            place=number,
            remarks=remarks,
            after_id=after_id,
            problem_id=problem_id,
            **_amounts(item),
            **_columns(entry),
            **_written(actor),
        )
        rows.append(row)
    db.session.add_all(rows)
    _changed(plan, actor)
    kinds = charts.catalogue()
    told = "; ".join(said(each.entry, kinds) for each in rows)
    after = {"items": [_told_item(each, plan, kinds) for each in rows]}
    _record("plan.item", f"Added {told}, to option {option.letter} of", plan, patient, actor, after=after)
    return rows


def change_item(item_id: int, *, version: int, item: ItemSaid, actor: User) -> PlanItem:
    """Say an item anew; an empty line leaves what is done. Raises Conflict, with both texts, when somebody else did meanwhile."""
    plan, patient, option, row = _open_item(item_id, actor)
    kinds = charts.catalogue()
    if row.version != version:
        mine = {
            "what": item.line,
            "price": money(item.price, plan.currency),
            "minutes": item.minutes,
            "visits": item.visits,
        }
        raise _changed_meanwhile(row, "this item", theirs=_told_item(row, plan, kinds), mine=mine)
    _check_amounts(item, plan)
    others = [each for each in _items(option.id) if each.id != row.id]
    before = _told_item(row, plan, kinds)
    values: dict[str, Any] = _amounts(item) | {
        "after_id": _fit_after(row, item.after_id, others),
        "problem_id": _fit_problem(item.problem_id, patient),
    }
    if item.line.strip():
        mouth = charts.mouth_of(patient.id)
        entries = _read(item.line, mouth, actor)
        if len(entries) > 1:
            raise DomainError("This is more than one item. Change this one, and add the others.")
        remarks = _judged(entries[0], mouth, [each.entry for each in others], patient, actor)
        values |= {"remarks": remarks} | _columns(entries[0])
    if all(getattr(row, name) == value for name, value in values.items()):
        return row  # nothing is other: nobody wrote
    for name, value in (values | _written(actor)).items():
        setattr(row, name, value)
    _changed(plan, actor)
    after = _told_item(row, plan, kinds)
    _record("plan.item", f"Changed {after['what']}, in", plan, patient, actor, before=before, after=after)
    return row


def remove_item(item_id: int, *, version: int, actor: User) -> None:
    """Take an item out of an option. What came after it comes after what was before it."""
    plan, patient, option, row = _open_item(item_id, actor)
    kinds = charts.catalogue()
    told = _told_item(row, plan, kinds)
    if row.version != version:
        raise _changed_meanwhile(row, "this item", theirs=told)
    for each in _items(option.id):
        if each.after_id == row.id:
            each.after_id = row.after_id
    db.session.flush()
    db.session.execute(delete(PlanItem).where(PlanItem.id == row.id))
    _changed(plan, actor)
    _record("plan.remove_item", f"Took {told['what']}, out of", plan, patient, actor, before=told)


# --- sending and deciding ---------------------------------------------------------------------------------------------


def send_plan(plan_id: int, *, version: int, actor: User) -> Estimate:
    """Send a plan as it stands to the supervisors of the sender's department: what was sent is kept as an estimate, to the letter."""
    plan, patient = _open(plan_id, actor)
    if plan.version != version:
        raise Conflict(f"{how_it_stands(plan)} Look at it as it is now, then send it.")
    if actor.department_id is None:
        raise DomainError("You have no department whose supervisors could approve this. Ask an administrator.")
    options = _options(plan)
    if len(options) < LEAST_OPTIONS:
        raise DomainError(
            "The patient chooses between options: write two at least. To leave it as it is may be one, without items."
        )
    if not any(items for _row, items in options):
        raise DomainError("Nothing would be done in any option. Add items to one.")
    number = (db.session.scalar(select(func.max(Estimate.number)).where(Estimate.plan_id == plan.id)) or 0) + 1
    at, today = clock.now(), clock.today()
    code = f"E-{today.year}-{next_number(f'estimate:{today.year}'):05d}"
    valid_until = today + timedelta(days=settings.read("estimate_days"))
    kinds = charts.catalogue()
    about = {
        "code": code,
        "plan": plan.number,
        "version": number,
        "name": plan.name,
        "currency": plan.currency,
        "clinic": settings.read("clinic_name"),
        "patient": {
            "id": patient.id,
            "code": patient.code,
            "name": patient.name,
            "birth_date": patient.birth_date.isoformat(),
            "sex": str(patient.sex),
        },
        "sent_by": actor.name,
        "sent_at": at.isoformat(),
        "valid_until": valid_until.isoformat(),
        "writers": sorted({actor.id, *writers_of(plan)}),
    }
    shown = body_of(about, [_frozen(row, items) for row, items in options], kinds)
    estimate = Estimate(
        patient_id=patient.id,
        plan_id=plan.id,
        number=number,
        code=code,
        shown=shown,
        sha256=digest(shown),
        valid_until=valid_until,
        sent_by_id=actor.id,
        sent_at=at,
    )
    db.session.add(estimate)
    plan.status, plan.department_id = PlanStatus.SENT, actor.department_id
    _changed(plan, actor)
    after = {"code": code, "number": number, "sha256": estimate.sha256}
    _record("plan.send", f"Sent as estimate {code}", plan, patient, actor, after=after)
    _nudge(plan)
    return estimate


def approve_plan(
    plan_id: int, *, version: int, actor: User, reason: str = "", options: Collection[int] | None = None
) -> Plan:
    """Approve options of exactly what was sent last, all of them when none are named; held against its digest, and judged as it is now."""
    plan, patient, estimate = _waiting(plan_id, version, actor)
    sent = _as_it_stands(plan, estimate)
    chosen = [each for each in sent.options if options is None or each.id in options]
    if not chosen or (options is not None and len(set(options)) != len(chosen)):
        raise DomainError("Choose the options that you approve. To approve none, return the plan with a reason.")
    estimate.approved = " ".join(str(each.id) for each in chosen)
    letters = ", ".join(each.letter for each in chosen)
    _decide(plan, patient, estimate, PlanDecision.APPROVED, line(reason), f"options {letters}", actor)
    return plan


def return_plan(plan_id: int, *, version: int, reason: str, actor: User) -> Plan:
    """Give it back with a reason; it is written on and sent anew."""
    plan, patient, estimate = _waiting(plan_id, version, actor)
    told = needed(reason, "Write why you return it; whoever sent it reads that.")
    _decide(plan, patient, estimate, PlanDecision.RETURNED, told, "", actor)
    return plan


def reopen_plan(plan_id: int, *, version: int, actor: User) -> Plan:
    """Take a plan back that was sent or approved, to change it: it is a draft again, and its estimate holds no longer."""
    plan, patient = _locked(plan_id, actor)
    if plan.version != version or plan.status not in (PlanStatus.SENT, PlanStatus.APPROVED):
        raise Conflict(how_it_stands(plan))
    estimate = _last_estimate(plan)
    if plan.status is PlanStatus.SENT:
        if estimate.sent_by_id != actor.id:
            raise NotAllowed("Only whoever sent this takes it back. A supervisor can return it with a reason.")
        estimate.decision, estimate.decided_by_id, estimate.decided_at = PlanDecision.WITHDRAWN, actor.id, clock.now()
    before = {"status": plan.status}
    plan.status = PlanStatus.DRAFT
    _changed(plan, actor)
    _record(
        "plan.reopen", "Took back, to change it,", plan, patient, actor, before=before, after={"status": plan.status}
    )
    _nudge(plan)
    return plan


def why_own(estimate: Estimate, person: User) -> str:
    """Why it is the person's own work, as a sentence; empty when it is not."""
    return OWN if person.id in sent_from(estimate.shown).about["writers"] else ""


def how_it_stands(plan: Plan) -> str:
    """Who did what to a plan, and when: what stands now."""
    by = db.session.get_one(User, plan.changed_by_id).name
    did = {
        PlanStatus.DRAFT: "is writing on this plan, last",
        PlanStatus.SENT: "sent this plan",
        PlanStatus.RETURNED: "returned this plan",
        PlanStatus.APPROVED: "approved options of this plan",
        PlanStatus.ACCEPTED: "witnessed that the patient accepted an option of this plan",
        PlanStatus.SUPERSEDED: "witnessed that the patient accepted a later plan",
    }[plan.status]
    return f"{by} {did} on {when(plan.changed_at)}."


# --- the patient accepts ----------------------------------------------------------------------------------------------


def accept_plan(
    plan_id: int, *, seen: str, option_id: int, signed_by: str, signature: str, on_paper: bool, actor: User
) -> Acceptance:
    """The patient accepts one approved option: it is signed, and its items are planned on the chart, in one stroke. Once.

    `seen`: the SHA-256 of the estimate that the patient was shown; `signature`: a PNG as a data: URL, nothing when it was signed on
    paper. A plan that was accepted before is superseded: what of it was not begun is an option again, the rest goes on.
    """
    plan, patient = _locked(plan_id, actor, exclusive=True)
    if plan.status is not PlanStatus.APPROVED:
        raise Conflict(how_it_stands(plan))
    estimate = _last_estimate(plan)
    if estimate.sha256 != seen:
        raise Conflict(
            f"The plan was changed since this page was opened. {how_it_stands(plan)} Show the patient how it is now."
        )
    sent = _as_it_stands(plan, estimate)
    option = sent.option(option_id)
    if option is None or option_id not in estimate.approved_ids:
        raise DomainError("Choose one of the options that a supervisor has approved.")
    if clock.today() > estimate.valid_until:
        raise DomainError(
            f"This estimate was valid until {short_day(estimate.valid_until)}. Change the plan and send it to a supervisor anew."
        )
    name = _words(signed_by, 120, "Write who signs.")
    image = None if on_paper else _png(signature)
    at = clock.now()
    image_sha256 = hashlib.sha256(image).hexdigest() if image is not None else ""
    facts = {"estimate": estimate.sha256, "option": option_id, "signed_by": name, "image": image_sha256}
    sealed = digest(canonical(facts | {"witness": actor.id, "at": at.isoformat()}))
    acceptance = Acceptance(
        patient_id=patient.id,
        plan_id=plan.id,
        estimate_id=estimate.id,
        option_id=option_id,
        signed_by=name,
        on_paper=on_paper,
        image=image,
        image_sha256=image_sha256,
        sha256=sealed,
        witnessed_by_id=actor.id,
        accepted_at=at,
    )
    db.session.add(acceptance)
    former = _accepted_before(plan)
    _plan_on_chart(patient, plan, option, estimate, former, actor)
    plan.status = PlanStatus.ACCEPTED
    _changed(plan, actor)
    for each in former:
        each.status = PlanStatus.SUPERSEDED
        _changed(each, actor)
        _record("plan.supersede", f"Superseded by plan {plan.number}:", each, patient, actor)
    after = {"estimate": estimate.code, "option": option.letter, "sha256": sealed, "on_paper": on_paper}
    _record("plan.accept", f"Option {option.letter} accepted, {name} signed:", plan, patient, actor, after=after)
    if estimate.sent_by_id != actor.id:
        tell_author(
            estimate.sent_by_id,
            f"{patient.code} accepted option {option.letter} of “{plan.name}”.",
            otherwise="A patient accepted a plan that you sent.",
            kind="plan.accepted",
            url=address_of(plan),
            patient_id=patient.id,
        )
    return acceptance


def address_of(plan: Plan) -> str:
    """The page of a plan."""
    return f"/patients/{plan.patient_id}/plans/{plan.id}"


def _plan_on_chart(
    patient: Patient, plan: Plan, option: Option, estimate: Estimate, former: Sequence[Plan], actor: User
) -> None:
    """Write what is not on the chart yet, in one stroke; each item keeps its thread."""
    if not option.items and not former:
        return
    desk = sit_down(patient, actor=actor)
    mouth = desk.mouth
    rows = {each.id: each for each in _items(option.id)}
    items = [(rows[each.id], each.entry) for each in option.items]
    wanted = [entry for _row, entry in items]
    held = held_of(mouth.entries, wanted, (Status.PLANNED, Status.IN_PROCESS))
    options = held_of(mouth.entries, [each for place, each in enumerate(wanted) if place not in held], (Status.OPTION,))
    new: list[tuple[PlanItem | None, Entry]] = []
    for place, (row, entry) in enumerate(items):
        if place in held:
            row.entry_id = held[place].thread
            continue
        before = options.get(len(new))
        new.append(
            (row, entry.changed(thread=before.thread, details={**before.details, **entry.details}) if before else entry)
        )
    kept = {each.thread for each in held.values()}
    before_it = [held for each in former for _option, held in _options(each)]
    again = {item.entry_id for held_items in before_it for item in held_items if item.entry_id is not None} - kept
    new += [
        (None, each.changed(id=0, status=Status.OPTION, dated=None))
        for each in mouth.entries
        if each.thread in again and each.status is Status.PLANNED
    ]
    if not new:
        return
    why = f"Plan {plan.number}, option {option.letter}, accepted by the patient ({estimate.code})"
    try:
        chart = chart_stroke(
            patient, entries=[each for _row, each in new], seen=desk.chart.stroke, reason=why, actor=actor
        )
    except Conflict:
        raise
    except DomainError as refusal:
        raise DomainError(
            f"{refusal.sentence} The mouth has changed since this was planned: change the plan and send it anew."
        ) from refusal
    written = charts.rows_of(patient.id, ChartEntry.stroke == chart.stroke)
    for (made_from, _planned), entry in zip(new, written, strict=True):
        if made_from is not None:
            made_from.entry_id = entry.thread


def _accepted_before(plan: Plan) -> list[Plan]:
    found = select(Plan).where(
        Plan.patient_id == plan.patient_id, Plan.status == PlanStatus.ACCEPTED, Plan.id != plan.id
    )
    return list(db.session.execute(found.order_by(Plan.id).with_for_update()).scalars())


def _png(signature: str) -> bytes:
    """The bytes of a signature that a browser drew. Raises DomainError for what is none."""
    if not signature:
        raise DomainError("Sign in the field, or say that it was signed on paper.")
    try:
        image = base64.b64decode(signature.removeprefix(PNG_URL), validate=True)
    except (ValueError, binascii.Error):
        image = b""
    if not signature.startswith(PNG_URL) or not image:
        raise DomainError("The signature did not arrive as a picture. Sign again, or sign on paper.")
    if len(image) > MOST_SIGNATURE:
        raise DomainError("The signature is too large. Clear it and sign again, or sign on paper.")
    inspection = Inspection("signature.png", SIGNATURE, frozenset({"png"}))
    try:
        inspection.feed(image)
        found = inspection.end()
    except Refused:
        found = None
    if found is None or found.flags:
        raise DomainError("The signature is no picture that can be kept. Sign again, or sign on paper.")
    return image


# --- what the above share ---------------------------------------------------------------------------------------------


def _read(typed: str, mouth: Mouth, actor: User) -> list[Entry]:
    """The planned entries that a line says. Raises DomainError for what cannot be read, and for what is no treatment to come."""
    reading = read_line(typed, mouth, numbering=actor.numbering, today=clock.today())
    if not reading.is_whole:
        problems = [
            f"“{token.text}”: {token.problem}{f' Perhaps {token.suggestion}?' if token.suggestion else ''}"
            for token in reading.problems
        ]
        raise DomainError(" ".join(problems) or "Write what is to be done, as on the chart: 36 mo composite.")
    for entry in reading.entries:
        kind: Kind = mouth.kinds[entry.kind]
        if Status.PLANNED not in kind.statuses:
            raise DomainError(
                f"{kind.name} is found, not done. A plan holds treatments; note it on the chart, or as a problem."
            )
        if entry.status is not Status.PLANNED:
            raise DomainError(f"A plan holds what is to come. Leave “{entry.status.words}” out.")
    return [
        each.changed(id=0, thread=0, stroke=0, dated=None, performer_id=None, visit_id=None, reason="")
        for each in reading.entries
    ]


def _judged(entry: Entry, mouth: Mouth, others: Sequence[Entry], patient: Patient, actor: User) -> str:
    """What the chart's rules find unusual of it among the rest of the option. Raises DomainError for what they refuse."""
    same = held_of(mouth.entries, [entry], (Status.PLANNED, Status.IN_PROCESS, Status.OPTION))
    beside = [each.changed(id=-place, thread=-place) for place, each in enumerate(others, 1)]
    around = mouth.with_entries(beside, without=[each.thread for each in same.values()])
    remarks = judge(around, [entry], About(patient.birth_date, clock.today(), False), numbering=actor.numbering)
    refused = [each.sentence for each in remarks if each.severity == "refuse"]
    if refused:
        raise DomainError(" ".join(refused))
    return " ".join(each.sentence for each in remarks)[:1000]


def _columns(entry: Entry) -> dict[str, str]:
    return {
        "kind": entry.kind,
        "teeth": teeth_text(entry.teeth),
        "surfaces": entry.surfaces,
        "jaw": entry.jaw,
        "details": details_text(entry.details),
    }


def _amounts(item: ItemSaid) -> dict[str, int]:
    return {name: getattr(item, name) for name in ("price", "minutes", "visits", "phase")}


def _check_amounts(item: ItemSaid, plan: Plan) -> None:
    if not 0 <= item.price <= MOST_PRICE:
        raise DomainError(f"A price is between {money(0, plan.currency)} and {money(MOST_PRICE, plan.currency)}.")
    if not 0 <= item.minutes <= MOST_MINUTES or not 0 <= item.visits <= MOST_VISITS:
        raise DomainError(f"An item takes at most {MOST_MINUTES:,} minutes and {MOST_VISITS} visits.")
    if item.phase not in PHASES:
        raise DomainError("Choose the phase in which it is done.")


def _fit_after(row: PlanItem | None, after_id: int | None, others: Sequence[PlanItem]) -> int | None:
    """What comes before, if it is of the same option and does not wait for this. Raises DomainError."""
    if after_id is None:
        return None
    if after_id not in {each.id for each in others}:
        raise DomainError("What should come before is not in this option any more. Choose again.")
    if row is not None and waits_for(row.id, after_id, others):
        raise DomainError("These two would wait for each other. Choose another item that comes before.")
    return after_id


def _fit_problem(problem_id: int | None, patient: Patient) -> int | None:
    if problem_id is None:
        return None
    found = select(Problem.id).where(Problem.id == problem_id, Problem.patient_id == patient.id)
    if db.session.execute(found).first() is None:
        raise DomainError("The problem that was chosen is not there any more. Choose again.")
    return problem_id


def _fit_option(option: OptionSaid) -> OptionSaid:
    option = replace(option, name=_words(option.name, 120, "Give the option a name."))
    if max(len(option.advantages), len(option.risks)) > 1000:
        raise DomainError("Advantages and risks have at most 1,000 letters each.")
    return option


def _words(typed: str, most: int, ask: str) -> str:
    told = one_line(typed)
    if not 0 < len(told) <= most:
        raise DomainError(f"{ask} At most {most} letters.")
    return told


def _written(actor: User) -> dict[str, Any]:
    return {"written_by_id": actor.id, "written_at": clock.now()}


def _changed(plan: Plan, actor: User) -> None:
    """Somebody wrote on it: whoever saw it before has seen another version."""
    plan.changed_by_id, plan.changed_at = actor.id, clock.now()
    flag_modified(plan, "changed_at")  # also when it is the same instant
    db.session.flush()


def _changed_meanwhile(
    row: PlanOption | PlanItem, what: str, *, theirs: dict[str, Any], mine: dict[str, Any] | None = None
) -> Conflict:
    by = db.session.get_one(User, row.written_by_id)
    sentence = f"{by.name} changed {what} meanwhile, on {when(row.written_at)}. Nothing of yours was saved; compare, then save again."
    return Conflict(sentence, theirs=theirs, mine=mine)


def _told_option(row: PlanOption) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("name", "advantages", "risks")}


def _told_item(row: PlanItem, plan: Plan, kinds: Any) -> dict[str, Any]:
    return {
        "what": said(row.entry, kinds),
        "price": money(row.price, plan.currency),
        "minutes": row.minutes,
        "visits": row.visits,
        "phase": PHASES[row.phase],
    }


def _frozen(row: PlanOption, items: Sequence[PlanItem]) -> Option:
    """An option as an estimate keeps it."""
    problems = {each.problem_id for each in items if each.problem_id}
    rows = db.session.execute(select(Problem).where(Problem.id.in_(problems))).scalars() if problems else ()
    words = {each.id: f"{each.code} {each.words}".strip() for each in rows}
    frozen = tuple(
        Item(
            id=each.id,
            place=each.place,
            entry=each.entry,
            price=each.price,
            minutes=each.minutes,
            visits=each.visits,
            phase=each.phase,
            after_id=each.after_id,
            problem=words.get(each.problem_id or 0, ""),
            remarks=each.remarks,
        )
        for each in items
    )
    return Option(row.id, row.letter, row.name, row.advantages, row.risks, frozen)


def as_sent(estimate: Estimate) -> Sent:
    """The plan as it was sent. Raises DomainError when the text is not the one that was sent."""
    if digest(estimate.shown) != estimate.sha256:
        raise DomainError(NOT_AS_SENT)
    return sent_from(estimate.shown)


def _as_it_stands(plan: Plan, estimate: Estimate) -> Sent:
    """What was sent, held against its digest and against the plan. Raises DomainError."""
    sent = as_sent(estimate)
    if [each.plain for each in sent.options] != [_frozen(*each).plain for each in _options(plan)]:
        raise DomainError(NOT_AS_SENT)
    return sent


def _decide(
    plan: Plan, patient: Patient, estimate: Estimate, decision: PlanDecision, reason: str, what: str, actor: User
) -> None:
    estimate.decision, estimate.reason = decision, reason
    estimate.decided_by_id, estimate.decided_at = actor.id, clock.now()
    plan.status = PlanStatus(decision.value)
    _changed(plan, actor)
    did = "Approved" if decision is PlanDecision.APPROVED else "Returned"
    after = {"code": estimate.code, "sha256": estimate.sha256, "options": estimate.approved}
    act = "plan.approve" if decision is PlanDecision.APPROVED else "plan.return"
    _record(
        act,
        f"{did} {what + ' of ' if what else ''}{estimate.code},",
        plan,
        patient,
        actor,
        after=after,
        reason=reason or None,
    )
    _nudge(plan)
    told = f"{actor.name} {did.lower()} {what + ' of ' if what else ''}the plan “{plan.name}” of {patient.code}"
    tell_author(
        estimate.sent_by_id,
        f"{told}: {reason}" if reason else f"{told}.",
        otherwise=f"{actor.name} {did.lower()} a plan of yours.",
        kind=act,
        url=address_of(plan),
        patient_id=patient.id,
    )


def _waiting(plan_id: int, version: int, actor: User) -> tuple[Plan, Patient, Estimate]:
    """A plan that waits for the actor's word, with what was sent. Raises Conflict when it is decided or changed."""
    patient_id = db.session.execute(select(Plan.patient_id).where(Plan.id == plan_id)).scalar_one()
    patient = locked(Patient, patient_id, shared=True)
    plan = locked(Plan, plan_id)
    if plan.status is not PlanStatus.SENT or plan.version != version:
        raise Conflict(how_it_stands(plan))
    check_decides(actor, department_id=plan.department_id, patient_id=plan.patient_id)
    estimate = _last_estimate(plan)
    if why := why_own(estimate, actor):
        raise DomainError(why)
    _refuse_archived(patient)
    return plan, patient, estimate


def _open(plan_id: int, actor: User) -> tuple[Plan, Patient]:
    """A plan that is being written. Raises Conflict, saying how it stands, for any other."""
    plan, patient = _locked(plan_id, actor)
    if not plan.is_open:
        more = "A new plan can be made." if plan.is_final else "Take it back to change it."
        raise Conflict(f"{how_it_stands(plan)} {more}")
    return plan, patient


def _open_option(option_id: int, actor: User) -> tuple[Plan, Patient, PlanOption]:
    plan_id = db.session.execute(select(PlanOption.plan_id).where(PlanOption.id == option_id)).scalar_one()
    plan, patient = _open(plan_id, actor)
    return plan, patient, locked(PlanOption, option_id)


def _open_item(item_id: int, actor: User) -> tuple[Plan, Patient, PlanOption, PlanItem]:
    option_id = db.session.execute(select(PlanItem.option_id).where(PlanItem.id == item_id)).scalar_one()
    plan, patient, option = _open_option(option_id, actor)
    return plan, patient, option, locked(PlanItem, item_id)


def _locked(plan_id: int, actor: User, *, exclusive: bool = False) -> tuple[Plan, Patient]:
    """A plan, locked after its patient, to whom the actor writes."""
    patient_id = db.session.execute(select(Plan.patient_id).where(Plan.id == plan_id)).scalar_one()
    patient = _patient_to_write(patient_id, actor, shared=not exclusive)
    return locked(Plan, plan_id), patient


def _options(plan: Plan) -> list[tuple[PlanOption, list[PlanItem]]]:
    """The options of a plan with their items, as committed last."""
    options = select(PlanOption).where(PlanOption.plan_id == plan.id).order_by(PlanOption.place)
    rows = list(db.session.execute(_as_committed(options)).scalars())
    return [(row, _items(row.id)) for row in rows]


def _items(option_id: int) -> list[PlanItem]:
    items = select(PlanItem).where(PlanItem.option_id == option_id).order_by(PlanItem.place)
    return list(db.session.execute(_as_committed(items)).scalars())


def _as_committed(rows: Any) -> Any:
    return rows.with_for_update(read=True).execution_options(populate_existing=True)


def _last_estimate(plan: Plan) -> Estimate:
    newest = select(Estimate).where(Estimate.plan_id == plan.id).order_by(Estimate.number.desc()).limit(1)
    return db.session.execute(newest.with_for_update().execution_options(populate_existing=True)).scalar_one()


def _patient_to_write(patient_id: int, actor: User, *, shared: bool) -> Patient:
    patient = locked(Patient, patient_id, shared=shared)
    if actor.role not in (Role.STUDENT, Role.SUPERVISOR):
        raise NotAllowed("Students and supervisors write plans.")
    if not is_given_to(actor, patient_id):
        raise NotAllowed("You are not given this patient. Ask to be assigned before you write.")
    _refuse_archived(patient)
    return patient


def _refuse_archived(patient: Patient) -> None:
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to plan treatment.")


def _record(act: str, did: str, plan: Plan, patient: Patient, actor: User, **more: Any) -> None:
    audit.record(
        act,
        f"{did} plan {plan.number} “{plan.name}” of {patient.name}, {patient.code}"[:500],
        actor=actor,
        subject=plan,
        patient=patient,
        **more,
    )


def _nudge(plan: Plan) -> None:
    if plan.department_id is not None:
        live.nudge(f"approvals:{plan.department_id}")
