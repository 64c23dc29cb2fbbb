"""Graders beside one another: evaluations added up by the database, compared by clinic/evaluation/graders.py."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, extract, false, func, literal_column, select
from sqlalchemy.sql.elements import ColumnElement

from clinic.evaluation.graders import TERM, Cell, Compared, Grader, compared
from clinic.extensions import db
from clinic.models import Evaluation, EvaluationForm, Mark, Marking, Role, User

MOST_CELLS = 50_000
MOST_GRADERS = 300
MOST_DAYS = 2 * 366


@dataclass(frozen=True)
class Named:
    """A grader with their figures."""

    person: User
    figures: Grader


@dataclass(frozen=True)
class Graders:
    """Those who can be compared, the strictest first; those of whom there is too little; the spread that is usual."""

    judged: list[Named]
    others: list[Named]
    spread: float | None


def graders_of(viewer: User, department_id: int | None, day_from: date, day_to: date) -> Graders:
    """Every grader of these days, in a supervisor's department, or for the dean in any. Two queries, whatever their number."""
    found = _compared(viewer, department_id, day_from, day_to)
    people = select(User).where(User.id.in_(found.graders)).order_by(User.name, User.id).limit(MOST_GRADERS)
    named = [Named(person, found.graders[person.id]) for person in db.session.execute(people).scalars()]
    judged = [each for each in named if each.figures.is_judged]
    return Graders(
        judged=sorted(judged, key=lambda each: (each.figures.severity or 0, each.person.id)),
        others=[each for each in named if not each.figures.is_judged],
        spread=found.spread,
    )


def _compared(viewer: User, department_id: int | None, day_from: date, day_to: date) -> Compared:
    """The database takes the mean of each evaluation and adds those up by student, grader and month: one query."""
    step = Mark.step * literal_column("1e0")  # not an exact decimal, of which MariaDB keeps four places
    given = (
        select(
            Marking.id.label("marking"),
            Marking.by_id.label("grader"),
            Evaluation.student_id.label("student"),
            extract("year", Evaluation.day).label("year"),
            extract("month", Evaluation.day).label("month"),
            EvaluationForm.code.label("code"),
            Mark.criterion.label("criterion"),
            step.label("step"),
        )
        .select_from(Evaluation)
        .join(
            Marking,
            and_(Marking.evaluation_id == Evaluation.id, ~Marking.is_self, Marking.number == Evaluation.number),
        )
        .join(EvaluationForm, EvaluationForm.id == Marking.form_id)
        .join(Mark, Mark.marking_id == Marking.id)
        .where(Evaluation.day.between(day_from, day_to), _seen_by(viewer, department_id), Mark.step.is_not(None))
        .cte("given")
    )
    usual = (
        select(given.c.code, given.c.criterion, func.avg(given.c.step).label("mean"))
        .group_by(given.c.code, given.c.criterion)
        .cte("usual")
    )
    of = (given.c.student, given.c.grader, given.c.year, given.c.month)
    one = (
        select(*of, func.avg(given.c.step - usual.c.mean).label("level"))
        .join(usual, and_(usual.c.code == given.c.code, usual.c.criterion == given.c.criterion))
        .group_by(given.c.marking, *of)
        .cte("one")
    )
    keys = (one.c.student, one.c.grader, one.c.year, one.c.month)
    cells = (
        select(*keys, func.count(), func.sum(one.c.level), func.sum(one.c.level * one.c.level))
        .group_by(*keys)
        .order_by(*keys)
        .limit(MOST_CELLS)
    )
    terms: dict[tuple[int, int, int], list[float]] = {}
    for student, grader, year, month, count, total, squares in db.session.execute(cells):
        term = (int(year) * 12 + int(month) - 1) // TERM
        sums = terms.setdefault((student, term, grader), [0, 0.0, 0.0])
        sums[0], sums[1], sums[2] = sums[0] + int(count), sums[1] + float(total), sums[2] + float(squares)
    return compared(Cell(*key, int(sums[0]), sums[1], sums[2]) for key, sums in terms.items())


def _seen_by(viewer: User, department_id: int | None) -> ColumnElement[bool]:
    if viewer.role is Role.SUPERVISOR and viewer.department_id is not None:
        return Evaluation.department_id == viewer.department_id
    if viewer.role is not Role.ADMIN:
        return false()
    return Evaluation.department_id == department_id if department_id else Evaluation.id.is_not(None)
