"""Cases with their tasks and log: of a patient, one's own, what is overdue, and what waits for a supervisor."""

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, select
from sqlalchemy.orm import contains_eager, joinedload, selectinload

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    AT_WORK,
    RUNNING,
    WITH_STUDENT,
    WORK,
    Assignment,
    Case,
    CaseLog,
    CaseStatus,
    CaseTask,
    Patient,
    Role,
    TaskStatus,
    User,
)
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import is_given, is_running, may_see

NEWEST = Order((Case.id,), descending=True)
SHOWN = 20  # cases of one page
MOST_OVERDUE = 50  # of one list
MOST_WAITING = 200
MOST_STUDENTS = 100  # to choose from
REMINDED_AT_ONCE = 200
PEOPLE = (joinedload(Case.student), joinedload(Case.supervisor), joinedload(Case.department))
TASK_PEOPLE = (joinedload(CaseTask.completed_by), joinedload(CaseTask.reviewed_by))


def cases_of(viewer: User, patient_id: int, *, after: int | None = None, before: int | None = None) -> Page[Case]:
    """A page of a patient's cases with tasks and people, newest first."""
    found = select(Case).where(Case.patient_id == patient_id, may_see(viewer, Case.patient_id))
    return page_of(_listed(found), NEWEST, size=SHOWN, after=after, before=before)


def case_for(viewer: User, patient_id: int, case_id: int) -> Case | None:
    """One case of a patient with its tasks and the whole log; None for one that the viewer may not see."""
    found = select(Case).where(Case.id == case_id, Case.patient_id == patient_id, may_see(viewer, Case.patient_id))
    return db.session.execute(_whole(found)).scalar_one_or_none()


def my_cases(viewer: User, *, closed: bool = False, after: int | None = None, before: int | None = None) -> Page[Case]:
    """A page of the viewer's cases, newest first: a student's own, a supervisor's department's; those at work, or those that are past."""
    statuses = set(CaseStatus) - RUNNING - {CaseStatus.VERIFIED} if closed else RUNNING | {CaseStatus.VERIFIED}
    found = select(Case).where(_is_theirs(viewer), Case.status.in_(statuses))
    listed = _listed(found).options(joinedload(Case.patient))
    return page_of(listed, NEWEST, size=SHOWN, after=after, before=before)


def overdue_tasks(viewer: User) -> list[CaseTask]:
    """The overdue tasks of the viewer's cases, the longest overdue first, each with case, patient and student; `MOST_OVERDUE` at most."""
    found = (
        select(CaseTask)
        .join(CaseTask.case)
        .join(Case.patient)
        .where(_is_overdue(clock.today()), _is_theirs(viewer))
        .options(
            contains_eager(CaseTask.case).contains_eager(Case.patient),
            contains_eager(CaseTask.case).joinedload(Case.student),
        )
    )
    return list(db.session.execute(found.order_by(CaseTask.due_on, CaseTask.id).limit(MOST_OVERDUE)).scalars())


def students_to_choose(viewer: User, patient_id: int) -> list[User]:
    """The students of a supervisor's department who are given a patient, by name; nobody for anyone else."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return []
    has = select(Assignment.id).where(
        Assignment.user_id == User.id, Assignment.patient_id == patient_id, is_running(Assignment)
    )
    theirs = select(User).where(User.role == Role.STUDENT, User.active, User.department_id == viewer.department_id)
    found = theirs.where(has.exists()).order_by(User.name, User.id).limit(MOST_STUDENTS)
    return list(db.session.execute(found).scalars())


def students_with_overdue(today: date, *, after: int = 0) -> list[tuple[int, int, date]]:
    """Students after this one who still have the patient of an overdue task: id, how many tasks, the oldest deadline; by id, some at
    once."""
    has = select(Assignment.id).where(
        Assignment.user_id == Case.student_id, Assignment.patient_id == Case.patient_id, is_running(Assignment)
    )
    found = (
        select(Case.student_id, func.count(CaseTask.id), func.min(CaseTask.due_on))
        .join(CaseTask.case)
        .join(Case.patient)
        .join(Case.student)
        .where(_is_overdue(today), User.active, has.exists(), Case.student_id > after)
        .group_by(Case.student_id)
        .order_by(Case.student_id)
        .limit(REMINDED_AT_ONCE)
    )
    return [(student, count, since) for student, count, since in db.session.execute(found)]


# --- for approval -----------------------------------------------------------------------------------------------------


def waiting_tasks(viewer: User) -> list[CaseTask]:
    """The completed tasks that wait for the viewer, longest first; `MOST_WAITING` at most."""
    found = _task_to_decide(_waiting_tasks(viewer)).order_by(CaseTask.completed_at, CaseTask.id).limit(MOST_WAITING)
    return list(db.session.execute(found).scalars())


def waiting_task_ids(viewer: User) -> Select[Any]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting_tasks(viewer).with_only_columns(CaseTask.id)


def decidable_task_for(viewer: User, task_id: int) -> CaseTask | None:
    """One task that is the viewer's to decide, or was."""
    found = select(CaseTask).join(CaseTask.case).where(CaseTask.id == task_id, _decides(viewer))
    return db.session.execute(_task_to_decide(found)).scalar_one_or_none()


def waiting_cases(viewer: User) -> list[Case]:
    """The submitted cases that wait for the viewer, longest first; `MOST_WAITING` at most."""
    found = _case_to_decide(_waiting_cases(viewer)).order_by(Case.submitted_at, Case.id).limit(MOST_WAITING)
    return list(db.session.execute(found).scalars())


def waiting_case_ids(viewer: User) -> Select[Any]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting_cases(viewer).with_only_columns(Case.id)


def decidable_case_for(viewer: User, case_id: int) -> Case | None:
    """One case that is the viewer's to decide, or was."""
    return db.session.execute(
        _case_to_decide(select(Case).where(Case.id == case_id, _decides(viewer)))
    ).scalar_one_or_none()


def log_of(viewer: User, case_id: int, task_id: int | None = None) -> list[CaseLog]:
    """The log of a case, or of one task of it, from the beginning, with people and tasks; nothing when it is not the viewer's to decide."""
    rows = select(CaseLog).join(CaseLog.case).where(CaseLog.case_id == case_id, _decides(viewer))
    if task_id is not None:
        rows = rows.where(CaseLog.task_id == task_id)
    loaded = rows.options(joinedload(CaseLog.done_by), joinedload(CaseLog.task)).order_by(CaseLog.number)
    return list(db.session.execute(loaded).scalars())


def worked_on(person_id: int, task_id: Any = None) -> ColumnElement[bool]:
    """Whether somebody worked on a case, or on one task of it, at any time: as its log has it, also after it was passed on."""
    work = select(CaseLog.id).where(CaseLog.case_id == Case.id, CaseLog.done_by_id == person_id, CaseLog.act.in_(WORK))
    return (work if task_id is None else work.where(CaseLog.task_id == task_id)).correlate(Case, CaseTask).exists()


def _waiting_tasks(viewer: User) -> Select[Any]:
    return (
        select(CaseTask)
        .join(CaseTask.case)
        .where(
            CaseTask.status == TaskStatus.COMPLETED,
            Case.status == CaseStatus.OPEN,
            CaseTask.completed_by_id != viewer.id,
            Case.student_id != viewer.id,
            ~worked_on(viewer.id, CaseTask.id),
            _of_department(viewer),
            is_given(viewer, Case.patient_id),
        )
    )


def _waiting_cases(viewer: User) -> Select[Any]:
    return select(Case).where(
        Case.status == CaseStatus.SUBMITTED,
        Case.submitted_by_id != viewer.id,
        Case.student_id != viewer.id,
        ~worked_on(viewer.id),
        _of_department(viewer),
        is_given(viewer, Case.patient_id),
    )


def _decides(viewer: User) -> ColumnElement[bool]:
    return and_(_of_department(viewer), may_see(viewer, Case.patient_id))


def _of_department(viewer: User) -> ColumnElement[bool]:
    """As `operations.cases` judges it: a supervisor of the case's department."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return false()
    return Case.department_id == viewer.department_id


def _is_theirs(viewer: User) -> ColumnElement[bool]:
    of = Case.student_id == viewer.id if viewer.role is Role.STUDENT else _of_department(viewer)
    return and_(of, is_given(viewer, Case.patient_id))


def _is_overdue(today: date) -> ColumnElement[bool]:
    """Of a task with its case and patient joined: as `CaseTask.is_overdue`, and of a patient who is not archived."""
    return and_(
        CaseTask.status.in_(WITH_STUDENT),
        CaseTask.due_on < today,
        Patient.archived_at.is_(None),
        Case.status.in_(AT_WORK),
    )


def _task_to_decide(tasks: Select[Any]) -> Select[Any]:
    case = contains_eager(CaseTask.case)
    return tasks.options(
        *TASK_PEOPLE, case.joinedload(Case.student), case.joinedload(Case.patient).selectinload(Patient.alerts)
    )


def _case_to_decide(cases: Select[Any]) -> Select[Any]:
    patient = joinedload(Case.patient).selectinload(Patient.alerts)
    return cases.options(*PEOPLE, patient, joinedload(Case.verified_by), selectinload(Case.tasks).options(*TASK_PEOPLE))


def _listed(cases: Select[Any]) -> Select[Any]:
    return cases.options(*PEOPLE, selectinload(Case.tasks))


def _whole(cases: Select[Any]) -> Select[Any]:
    log = selectinload(Case.log)
    return cases.options(
        *PEOPLE,
        joinedload(Case.verified_by),
        selectinload(Case.tasks).options(*TASK_PEOPLE),
        log.joinedload(CaseLog.done_by),
        log.joinedload(CaseLog.task),
    )
