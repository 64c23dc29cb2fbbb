"""Believable plans of treatment for the demo clinic: some accepted, some waiting for the patient or a supervisor, one being written.

They are made by the operations themselves, for patients who are not in the clinic at this moment; the same seed makes the same plans.
"""

import random

from sqlalchemy import exists, select

from clinic import clock
from clinic.chart.kinds import Presence
from clinic.chart.line import read
from clinic.chart.rules import About, judge
from clinic.extensions import db
from clinic.models import Assignment, ChartEntry, Estimate, Patient, Plan, PlanOption, Role, User, Visit, VisitStatus
from clinic.operations import plans
from clinic.operations.plans import ItemSaid, OptionSaid
from clinic.queries.chart import mouth_of
from clinic.queries.scope import is_running

# How far each plan has come; as many are made.
FAR = ("accepted", "sent", "approved", "accepted", "returned", "sent", "draft", "accepted", "approved", "sent")
MOLARS = ("36", "46", "26", "16", "37", "47", "27", "17")
# Line, price, minutes, visits, phase; each is done after the one before it.
OPTIONS = (
    ("Root canal and crown", "The tooth stays and chews as before.", "Takes several visits; one in ten is done again.",
     (("{} rct", 18_000, 180, 3, 2), ("{} crown pfm", 42_000, 120, 2, 3))),
    ("Extraction", "One visit, and the pain ends.", "A gap stays; the neighbours tilt in the course of years.",
     (("{} x", 4_500, 45, 1, 1),)),
    ("Leave it as it is", "Nothing is done now.", "The pain comes back, and the tooth is lost in the end.", ()),
)  # fmt: skip
RETURNED = "Say why no bridge is offered, and add the post."


def make(seed: int) -> None:
    """Plan treatment of some patients. Flushes."""
    dice = random.Random(f"{seed}-plans")
    here = exists().where(Visit.patient_id == Patient.id, Visit.status == VisitStatus.ARRIVED)
    charted = exists().where(ChartEntry.patient_id == Patient.id)
    found = (
        select(Patient, User)
        .join(Assignment, Assignment.patient_id == Patient.id)
        .join(User, User.id == Assignment.user_id)
        .where(charted, ~here, Patient.archived_at.is_(None), is_running(), User.role == Role.STUDENT, User.active)
        .order_by(Patient.id, User.id)
        .limit(len(FAR) * 20)
    )
    far, planned = list(FAR), set[int]()
    for patient, student in db.session.execute(found).all():
        if far and patient.id not in planned and _planned(dice, patient, student, far[0]):
            planned.add(patient.id)
            far.pop(0)
    db.session.flush()


def _planned(dice: random.Random, patient: Patient, student: User, far: str) -> bool:
    """Make a plan for a molar on which nothing is charted; False, and nothing of it, when there is none or the chart's rules refuse it."""
    mouth = mouth_of(patient.id)
    free = [key for key in MOLARS if mouth.presence(key) is Presence.PRESENT and not mouth.on(key)]
    supervisors = select(User).where(
        User.role == Role.SUPERVISOR, User.active, User.department_id == student.department_id
    )
    supervisor = db.session.scalars(supervisors.order_by(User.id)).first()
    if not free or supervisor is None:
        return False
    tooth = dice.choice(free)
    for _name, _advantages, _risks, items in OPTIONS:
        lines = "; ".join(line.format(tooth) for line, *_amounts in items)
        remarks = judge(
            mouth, read(lines, mouth, today=clock.today()).entries, About(patient.birth_date, clock.today(), False)
        )
        if any(remark.severity == "refuse" for remark in remarks):
            return False
    _make(patient, student, supervisor, tooth, far)
    return True


def _make(patient: Patient, student: User, supervisor: User, tooth: str, far: str) -> None:
    plan = plans.begin_plan(patient, name=f"Pain in {tooth}", actor=student)
    for name, advantages, risks, items in OPTIONS:
        option = plans.add_option(plan.id, option=OptionSaid(name, advantages, risks), actor=student)
        before = None
        for line, price, minutes, visits, phase in items:
            item = ItemSaid(line.format(tooth), price, minutes, visits, phase, after_id=before)
            before = plans.add_items(option.id, item=item, actor=student)[-1].id
    if far == "draft":
        return
    plans.send_plan(plan.id, version=plan.version, actor=student)
    if far == "returned":
        plans.return_plan(plan.id, version=plan.version, reason=RETURNED, actor=supervisor)
    elif far != "sent":
        plans.approve_plan(plan.id, version=plan.version, actor=supervisor)
    if far == "accepted":
        _accept(plan, patient, student)


def _accept(plan: Plan, patient: Patient, student: User) -> None:
    seen = db.session.scalar(select(Estimate.sha256).where(Estimate.plan_id == plan.id))
    first = db.session.scalar(select(PlanOption.id).where(PlanOption.plan_id == plan.id, PlanOption.place == 1))
    assert seen is not None
    assert first is not None
    plans.accept_plan(
        plan.id, seen=seen, option_id=first, signed_by=patient.name, signature="", on_paper=True, actor=student
    )
