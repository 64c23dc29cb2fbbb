"""Believable evaluations for the demo clinic: of the last students' visits of each department, most with a self-assessment. In the first
department the last term was busy and one supervisor is strict, so that the page of graders has something to say. The same seed makes the
same.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from clinic import clock
from clinic.canonical import digest
from clinic.evaluation.form import form_from, shipped
from clinic.extensions import db
from clinic.models import (
    Assignment,
    Base,
    Department,
    Evaluation,
    EvaluationForm,
    Mark,
    Marking,
    Role,
    User,
    Visit,
    VisitStatus,
)

MOST = 1200  # visits
DAYS = 300
BUSY = 16  # further visits of each student of the first department, in the last `BUSY_DAYS`
BUSY_DAYS = 80
OPEN = timedelta(days=3)  # of the last days some still wait
SAID = (
    "Steady hands; isolate before you begin.",
    "Well prepared. Call me before the last step next time.",
    "Explained each step to the patient. Watch the time.",
    "Chart and note were complete at the chair.",
    "",
    "",
)
OWN = ("I was slow with the matrix.", "Went as planned.", "I should have asked earlier.", "")

Row = tuple[type[Base], dict[str, Any]]


def rows(seed: int, new_id: Callable[[str], int], at: datetime) -> Iterator[Row]:
    """The rows of the form and of all evaluations, parents before children."""
    dice = random.Random(f"{seed}-evaluations")
    body = shipped("sessional")
    form_id = new_id("evaluation_form")
    yield (
        EvaluationForm,
        {
            "id": form_id,
            "code": "sessional",
            "number": 1,
            "title": form_from(body).title,
            "body": body,
            "sha256": digest(body),
            "published_at": at - timedelta(days=DAYS + 30),
            "version": 1,
        },
    )
    supervisors: dict[int, list[int]] = defaultdict(list)
    for person in db.session.scalars(select(User).where(User.role == Role.SUPERVISOR).order_by(User.id)):
        supervisors[person.department_id or 0].append(person.id)
    first = db.session.scalar(select(Department.id).order_by(Department.id).limit(1))
    ability: dict[int, float] = defaultdict(lambda: dice.gauss(3.2, 0.5))
    severity: dict[int, float] = defaultdict(lambda: dice.gauss(0, 0.08))
    if supervisors[first or 0]:
        severity[supervisors[first or 0][-1]] = -0.9
    over = (
        select(Visit)
        .where(
            Visit.status == VisitStatus.COMPLETED,
            Visit.student_id.is_not(None),
            Visit.starts_at > at - timedelta(days=DAYS),
            Visit.starts_at < at,
        )
        .order_by(Visit.starts_at.desc(), Visit.id)
        .limit(MOST)
    )
    visits = list(db.session.execute(over).scalars())
    for values in _busy(dice, first or 0, new_id, at):
        yield Visit, values
        visits.append(Visit(**values))
    for visit in visits:
        graders = supervisors[visit.department_id]
        if not graders or (visit.starts_at > at - OPEN and dice.random() < 0.5):
            continue
        yield from _evaluation(dice, visit, dice.choice(graders), ability, severity, form_id, body, new_id, at)


def _busy(dice: random.Random, department: int, new_id: Callable[[str], int], at: datetime) -> Iterator[dict[str, Any]]:
    """Visits that are over of the first department's students, with patients who were theirs by then."""
    of_student: dict[int, list[Assignment]] = defaultdict(list)
    held = (
        select(Assignment)
        .join(User, User.id == Assignment.user_id)
        .where(User.role == Role.STUDENT, User.department_id == department, Assignment.ends_at.is_(None))
        .order_by(Assignment.id)
    )
    for each in db.session.scalars(held):
        if each.starts_at < at - timedelta(days=BUSY_DAYS + 1):
            of_student[each.user_id].append(each)
    desk = db.session.scalar(select(User.id).where(User.role == Role.RECEPTIONIST).order_by(User.id).limit(1))
    for student, held_by in sorted(of_student.items()):
        for _ in range(BUSY):
            on = clock.local(at).date() - timedelta(days=dice.randrange(1, BUSY_DAYS))
            starts_at = clock.start_of(on) + timedelta(hours=8, minutes=15 * dice.randrange(32))
            yield {
                "id": new_id("visit"),
                "patient_id": dice.choice(held_by).patient_id,
                "department_id": department,
                "starts_at": starts_at,
                "minutes": 60,
                "walk_in": False,
                "student_id": student,
                "reason": dice.choice(("Filling", "Scaling", "Check-up", "Review")),
                "status": VisitStatus.COMPLETED,
                "arrived_at": starts_at,
                "completed_at": starts_at + timedelta(minutes=dice.randrange(40, 90)),
                "created_at": starts_at - timedelta(days=7),
                "created_by_id": desk,
                "version": 1,
            }


def _evaluation(
    dice: random.Random,
    visit: Visit,
    grader: int,
    ability: dict[int, float],
    severity: dict[int, float],
    form_id: int,
    body: str,
    new_id: Callable[[str], int],
    at: datetime,
) -> Iterator[Row]:
    student, evaluation_id = visit.student_id or 0, new_id("evaluation")
    is_assessed = dice.random() < 0.8
    yield (
        Evaluation,
        {
            "id": evaluation_id,
            "visit_id": visit.id,
            "student_id": student,
            "department_id": visit.department_id,
            "day": clock.local(visit.arrived_at or visit.starts_at).date(),
            "self_number": int(is_assessed),
            "number": 1,
            "version": 2 if is_assessed else 1,
        },
    )
    level = ability[student] + dice.gauss(0, 0.35)
    over = visit.completed_at or visit.starts_at + timedelta(minutes=visit.minutes)
    sides = [(True, student, level + 0.2, OWN)] if is_assessed else []
    for is_self, by, shown, said in [*sides, (False, grader, level + severity[grader], SAID)]:
        marking_id = new_id("marking")
        yield (
            Marking,
            {
                "id": marking_id,
                "evaluation_id": evaluation_id,
                "is_self": is_self,
                "number": 1,
                "form_id": form_id,
                "form": body,
                "comment": dice.choice(said),
                "reason": "",
                "by_id": by,
                "at": min(over + timedelta(minutes=2 if is_self else 9), at),
            },
        )
        for criterion in form_from(body).criteria:
            step = None if dice.random() < 0.08 else max(1, min(5, round(shown + dice.gauss(0, 0.4))))
            yield Mark, {"id": new_id("mark"), "marking_id": marking_id, "criterion": criterion.code, "step": step}
