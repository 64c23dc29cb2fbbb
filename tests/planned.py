"""Treatment plans for tests: two options of Fernando, by Kamal, as far as one wants them."""

import base64
from typing import Any

from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Estimate, Plan, PlanItem, PlanOption
from clinic.operations import plans
from clinic.operations.plans import ItemSaid, OptionSaid
from tests.filed import png
from tests.world import World

SIGNATURE = "data:image/png;base64," + base64.b64encode(png(9, 4)).decode()
KEEP = ("Root canal and crown", (("46 rct plan", 20_000, 180, 3, 2), ("46 crown pfm plan", 45_000, 90, 2, 3)))
TAKE = ("Extraction", (("46 x plan", 5_000, 45, 1, 1),))


def item_said(line: str = "36 o composite", **more: Any) -> ItemSaid:
    return ItemSaid(**({"line": line, "price": 8_000, "minutes": 60, "visits": 1, "phase": 3} | more))


def plan_of(
    world: World,
    *,
    name: str = "Lower right",
    patient: str = "fernando",
    person: str = "kamal",
    options: Any = (KEEP, TAKE),
) -> Plan:
    """A draft with these options. In each an item is done after the one before it."""
    actor = world.user(person)
    plan = plans.begin_plan(world.patient(patient), name=name, actor=actor)
    for words, items in options:
        option = plans.add_option(plan.id, option=OptionSaid(words, "It lasts", "It may fail"), actor=actor)
        before = None
        for line, price, minutes, visits, phase in items:
            said = ItemSaid(line, price, minutes, visits, phase, after_id=before)
            before = plans.add_items(option.id, item=said, actor=actor)[-1].id
    return plan


def sent(world: World, person: str = "kamal", **how: Any) -> Plan:
    plan = plan_of(world, person=person, **how)
    plans.send_plan(plan.id, version=plan.version, actor=world.user(person))
    return plan


def approved(world: World, supervisor: str = "silva", letters: str = "", **how: Any) -> Plan:
    plan = sent(world, **how)
    chosen = [each.id for each in options_of(plan) if each.letter in letters] or None
    plans.approve_plan(plan.id, version=plan.version, options=chosen, actor=world.user(supervisor))
    return plan


def accepted(world: World, letter: str = "A", person: str = "kamal", plan: Plan | None = None, **how: Any) -> Plan:
    plan = plan or approved(world, **how)
    option = next(each for each in options_of(plan) if each.letter == letter)
    told = {"seen": estimate_of(plan).sha256, "signed_by": "Nimali Fernando", "signature": SIGNATURE, "on_paper": False}
    plans.accept_plan(plan.id, option_id=option.id, actor=world.user(person), **told)
    return plan


def options_of(plan: Plan) -> list[PlanOption]:
    return list(db.session.scalars(select(PlanOption).where(PlanOption.plan_id == plan.id).order_by(PlanOption.place)))


def items_of(option: PlanOption) -> list[PlanItem]:
    return list(db.session.scalars(select(PlanItem).where(PlanItem.option_id == option.id).order_by(PlanItem.place)))


def estimate_of(plan: Plan) -> Estimate:
    """The one that was sent last."""
    newest = select(Estimate).where(Estimate.plan_id == plan.id).order_by(Estimate.number.desc()).limit(1)
    return db.session.execute(newest).scalar_one()
