"""Evaluations: the clinic's forms, what a viewer may assess or evaluate, what was marked, and how it went over time.

An evaluation belongs to its student, not to the patient: the student sees their own, supervisors those of their department's students.
Whose the patient was is told to nobody by it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import defer, joinedload, selectinload

from clinic import clock
from clinic.evaluation.form import SHIPPED, Form, form_from, shipped
from clinic.extensions import db
from clinic.models import (
    Evaluation,
    EvaluationForm,
    Gate,
    GateKind,
    GateStatus,
    Mark,
    Marking,
    Role,
    User,
    Visit,
    VisitStatus,
)
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import is_given, may_see

DAYS = 30  # after which a visit is no longer offered to be evaluated
YEAR = timedelta(days=365)
SHOWN = 20  # evaluations of one page
MOST_WAITING = 200
MOST_STUDENTS = 400
MOST_FORMS = 100
MOST_POINTS = 60  # evaluations of a trend
LEFT = "Left without being seen%"
NEWEST = Order((Evaluation.id,), descending=True)


@dataclass(frozen=True)
class Marked:
    """A marking, read: on which form, and the step of each criterion."""

    marking: Marking
    form: Form
    marks: dict[str, int | None]

    @property
    def rows(self) -> list[tuple[str, str, int | None, str]]:
        """Code, criterion, step and its words, in the form's order."""
        return [
            (each.code, each.label, self.marks.get(each.code), self.form.word(self.marks.get(each.code)))
            for each in self.form.criteria
        ]


@dataclass(frozen=True)
class Whole:
    """An evaluation, read. `own`: the self-assessment that holds; `given`: the supervisor's marks that hold; `former`: theirs before."""

    evaluation: Evaluation
    own: Marked | None
    given: Marked | None
    former: list[Marked]

    @property
    def form(self) -> Form | None:
        """On which it was begun."""
        begun = self.own or self.given
        return begun.form if begun else None


@dataclass(frozen=True)
class Waiting:
    """A visit whose student is still to be evaluated. `is_seen`: whether the viewer may (still) see the patient."""

    visit: Visit
    is_assessed: bool
    is_seen: bool


@dataclass(frozen=True)
class Student:
    """A student of the viewer's department, with how many evaluations of the last year and when the last one was."""

    student: User
    count: int
    last: date | None


@dataclass(frozen=True)
class Point:
    """One step of one criterion on a day: the supervisor's, or the student's own."""

    evaluation_id: int
    day: date
    criterion: str
    step: int
    is_self: bool


# --- the clinic's forms -----------------------------------------------------------------------------------------------


def forms_now() -> list[EvaluationForm]:
    """Every form in its newest number, by title, retired ones too. What was never used has no id yet."""
    newest = select(func.max(EvaluationForm.id)).group_by(EvaluationForm.code)
    rows = select(EvaluationForm).where(EvaluationForm.id.in_(newest)).limit(MOST_FORMS)
    by_code = {code: _unused(code) for code in SHIPPED}
    by_code |= {row.code: row for row in db.session.execute(rows).scalars()}
    return sorted(by_code.values(), key=lambda row: (row.title, row.code))


def forms_in_use() -> list[EvaluationForm]:
    """The forms to evaluate on, by title."""
    return [row for row in forms_now() if row.retired_at is None]


def form_of(code: str) -> EvaluationForm | None:
    """The newest number of a form; one that came with Chairside and was never used has no id yet."""
    newest = select(EvaluationForm).where(EvaluationForm.code == code).order_by(EvaluationForm.number.desc()).limit(1)
    found = db.session.execute(newest).scalar_one_or_none()
    return found or (_unused(code) if code in SHIPPED else None)


def forms_ever() -> list[Form]:
    """Every number of every form, oldest first, with those that came with Chairside and were never used."""
    bodies = db.session.scalars(select(EvaluationForm.body).order_by(EvaluationForm.id))
    return [form_from(body) for body in (*map(shipped, SHIPPED), *bodies)]


def numbers_of(code: str, *, after: int | None = None, before: int | None = None) -> Page[EvaluationForm]:
    """Every number of a form with who published it, newest first."""
    rows = select(EvaluationForm).where(EvaluationForm.code == code)
    rows = rows.options(joinedload(EvaluationForm.published_by), defer(EvaluationForm.body))
    return page_of(rows, Order((EvaluationForm.id,), descending=True), size=SHOWN, after=after, before=before)


def _unused(code: str) -> EvaluationForm:
    """A form that came with Chairside as its row will be; never added to the session."""
    body = shipped(code)
    return EvaluationForm(code=code, number=1, title=form_from(body).title, body=body, version=0)


# --- what the viewer may assess or evaluate ---------------------------------------------------------------------------


def visit_to_assess(viewer: User, visit_id: int) -> Visit | None:
    """A visit of the viewer's own, of a patient they are given, in which they may assess themselves."""
    if viewer.role is not Role.STUDENT:
        return None
    return _visit(
        Visit.id == visit_id,
        Visit.student_id == viewer.id,
        is_given(viewer, Visit.patient_id),
        Visit.status.in_((VisitStatus.ARRIVED, VisitStatus.COMPLETED)),
    )


def visit_to_evaluate(viewer: User, visit_id: int) -> Visit | None:
    """A visit of the viewer's department whose student they may evaluate, once it is over."""
    if viewer.role is not Role.SUPERVISOR:
        return None
    return _visit(
        Visit.id == visit_id, _is_theirs(viewer), Visit.status.in_((VisitStatus.ARRIVED, VisitStatus.COMPLETED))
    )


def side_of(viewer: User, visit: Visit) -> str:
    """`own` when the viewer is the visit's student, `theirs` when they may evaluate that student, empty when neither. At most a query."""
    if visit_to_assess(viewer, visit.id):
        return "own"
    return "theirs" if visit_to_evaluate(viewer, visit.id) else ""


def _visit(*conditions: ColumnElement[bool]) -> Visit | None:
    people = (joinedload(Visit.student), joinedload(Visit.department), joinedload(Visit.supervisor))
    return db.session.execute(select(Visit).where(*conditions).options(*people)).scalar_one_or_none()


def _is_theirs(viewer: User) -> ColumnElement[bool]:
    """A student's visit of the supervisor's department, of a patient they are given or whose dismissal they approved."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return false()
    return and_(
        Visit.department_id == viewer.department_id,
        Visit.student_id.is_not(None),
        Visit.student_id != viewer.id,
        or_(is_given(viewer, Visit.patient_id), _dismissed(Gate.decided_by_id == viewer.id)),
    )


def _dismissed(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    found = select(Gate.id).where(
        Gate.visit_id == Visit.id, Gate.kind == GateKind.DISMISS, Gate.status == GateStatus.APPROVED, *conditions
    )
    return found.correlate(Visit).exists()


def _is_over() -> ColumnElement[bool]:
    seen = or_(Visit.outcome.is_(None), ~Visit.outcome.like(LEFT))
    return or_(
        and_(Visit.status == VisitStatus.COMPLETED, seen), and_(Visit.status == VisitStatus.ARRIVED, _dismissed())
    )


def is_over(visit: Visit) -> bool:
    """Whether a visit is over, so that its student is evaluated: completed, or its dismissal is approved."""
    return db.session.execute(select(Visit.id).where(Visit.id == visit.id, _is_over())).first() is not None


def decided_dismissal(viewer: User, visit: Visit) -> bool:
    """Whether the viewer approved a dismissal of the visit."""
    decided = select(Visit.id).where(Visit.id == visit.id, _dismissed(Gate.decided_by_id == viewer.id))
    return db.session.execute(decided).first() is not None


def waiting_for(viewer: User, *, dismissed_since: Any = None) -> list[Waiting]:
    """Visits of the last `DAYS` days whose student the viewer may evaluate and nobody has, longest ago first. Two queries.

    `dismissed_since`: only those whose dismissal the viewer approved since this instant.
    """
    marked = select(Evaluation.id).where(
        Evaluation.visit_id == Visit.id, Evaluation.student_id == Visit.student_id, Evaluation.number > 0
    )
    rows = select(Visit).where(
        _is_theirs(viewer), _is_over(), Visit.starts_at >= clock.now() - timedelta(days=DAYS), ~marked.exists()
    )
    if dismissed_since is not None:
        rows = rows.where(_dismissed(Gate.decided_by_id == viewer.id, Gate.decided_at >= dismissed_since))
    people = (joinedload(Visit.student), joinedload(Visit.patient))
    visits = list(
        db.session.execute(rows.options(*people).order_by(Visit.starts_at, Visit.id).limit(MOST_WAITING)).scalars()
    )
    facts = (
        select(Visit.id, may_see(viewer, Visit.patient_id).label("is_seen"), Evaluation.self_number)
        .outerjoin(Evaluation, and_(Evaluation.visit_id == Visit.id, Evaluation.student_id == Visit.student_id))
        .where(Visit.id.in_([visit.id for visit in visits] or [0]))
    )
    known = {row.id: row for row in db.session.execute(facts)}
    return [Waiting(each, bool(known[each.id].self_number), bool(known[each.id].is_seen)) for each in visits]


# --- what was marked --------------------------------------------------------------------------------------------------


def is_self_assessed(visit: Visit) -> bool:
    """Whether the visit's student has assessed themselves."""
    found = select(Evaluation.id).where(
        Evaluation.visit_id == visit.id, Evaluation.student_id == visit.student_id, Evaluation.self_number > 0
    )
    return db.session.execute(found).first() is not None


def evaluation_in(visit: Visit) -> Whole | None:
    """The evaluation of the visit's student; of a visit that the viewer may assess or evaluate. Three queries."""
    found = select(Evaluation).where(Evaluation.visit_id == visit.id, Evaluation.student_id == visit.student_id)
    row = db.session.execute(_whole(found).execution_options(populate_existing=True)).scalar_one_or_none()
    return read(row) if row else None


def evaluations_of(
    viewer: User, student_id: int, *, after: int | None = None, before: int | None = None
) -> Page[Evaluation]:
    """A student's evaluations with everything that was marked, newest first; nothing of a student who is not the viewer's."""
    rows = select(Evaluation).where(Evaluation.student_id == student_id, _may_read(viewer))
    return page_of(
        _whole(rows).options(joinedload(Evaluation.department)), NEWEST, size=SHOWN, after=after, before=before
    )


def trend_of(viewer: User, student_id: int) -> list[Point]:
    """Every mark of a student's last `MOST_POINTS` evaluations, in the order of days. One query."""
    last = (
        select(Evaluation.id)
        .where(Evaluation.student_id == student_id, _may_read(viewer), Evaluation.number > 0)
        .order_by(Evaluation.day.desc(), Evaluation.id.desc())
        .limit(MOST_POINTS)
        .subquery()
    )
    holds = or_(
        and_(Marking.is_self, Marking.number == Evaluation.self_number),
        and_(~Marking.is_self, Marking.number == Evaluation.number),
    )
    rows = (
        select(Evaluation.id, Evaluation.day, Mark.criterion, Mark.step, Marking.is_self)
        .join(last, last.c.id == Evaluation.id)
        .join(Marking, and_(Marking.evaluation_id == Evaluation.id, holds))
        .join(Mark, Mark.marking_id == Marking.id)
        .where(Mark.step.is_not(None))
        .order_by(Evaluation.day, Evaluation.id, Mark.id)
    )
    return [Point(row.id, row.day, row.criterion, row.step or 0, row.is_self) for row in db.session.execute(rows)]


def seen_visits(viewer: User, visit_ids: Collection[int]) -> set[int]:
    """Those of these visits whose patients the viewer may see."""
    rows = select(Visit.id).where(Visit.id.in_(visit_ids), may_see(viewer, Visit.patient_id))
    return set(db.session.execute(rows).scalars())


def students_for(viewer: User) -> list[Student]:
    """The students of a supervisor's department, by name. One query."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return []
    of_year = (
        select(Evaluation.student_id, func.count().label("number"), func.max(Evaluation.day).label("last"))
        .where(Evaluation.number > 0, Evaluation.day > clock.today() - YEAR)
        .group_by(Evaluation.student_id)
        .subquery()
    )
    rows = (
        select(User, func.coalesce(of_year.c.number, 0), of_year.c.last)
        .outerjoin(of_year, of_year.c.student_id == User.id)
        .where(User.role == Role.STUDENT, User.department_id == viewer.department_id, User.active)
        .order_by(User.name, User.id)
        .limit(MOST_STUDENTS)
    )
    return [Student(*row) for row in db.session.execute(rows)]


def read(evaluation: Evaluation) -> Whole:
    """An evaluation whose markings are loaded, read."""
    own = [each for each in evaluation.markings if each.is_self and each.number == evaluation.self_number]
    given = [each for each in evaluation.markings if not each.is_self]
    return Whole(
        evaluation,
        own=_marked(own[0]) if own else None,
        given=next((_marked(each) for each in given if each.number == evaluation.number), None),
        former=[_marked(each) for each in given if each.number != evaluation.number],
    )


def _marked(marking: Marking) -> Marked:
    return Marked(marking, form_from(marking.form), {each.criterion: each.step for each in marking.marks})


def _whole(rows: Select[Any]) -> Select[Any]:
    return rows.options(
        selectinload(Evaluation.markings).options(
            joinedload(Marking.by), joinedload(Marking.form_row), selectinload(Marking.marks)
        )
    )


def _may_read(viewer: User) -> ColumnElement[bool]:
    """The viewer's own; a supervisor's: those of the students of their department."""
    if viewer.role is Role.STUDENT:
        return Evaluation.student_id == viewer.id
    if viewer.role is Role.SUPERVISOR and viewer.department_id is not None:
        students = select(User.id).where(User.role == Role.STUDENT, User.department_id == viewer.department_id)
        return Evaluation.student_id.in_(students)
    return false()
