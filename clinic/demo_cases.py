"""Cases of the demo clinic: of each department's students, at work, overdue, waiting, returned and verified. Made by the operations, so
that they obey the rules, at instants of the past weeks."""

from datetime import datetime, timedelta

from sqlalchemy import select, update

from clinic import clock
from clinic.extensions import db
from clinic.models import Assignment, Case, CaseTask, Department, Notice, Patient, Role, User
from clinic.operations import cases
from clinic.operations.cases import Asked
from clinic.queries.scope import is_running

OF_EACH = 6  # cases of a department
BEGAN = timedelta(days=25)
TITLES = (
    "Crown on 36",
    "Root canal of 46",
    "Partial denture",
    "Scaling and recall",
    "Caries control",
    "Bridge 14 to 16",
)
TASKS = (
    ("Examination and plan", "With radiographs, and what the patient wishes."),
    ("Treatment", "Call before you begin; rubber dam."),
    ("Review after two weeks", "Ask about pain, check the occlusion."),
)


def make() -> None:
    """Cases in every state, in each department that has students with patients. Flushes."""
    begin = clock.now() - BEGAN
    for department in db.session.scalars(select(Department).order_by(Department.id)):
        lead = db.session.scalars(
            select(User).where(User.role == Role.SUPERVISOR, User.department_id == department.id).order_by(User.id)
        ).first()
        have = (
            select(Assignment.user_id, Assignment.patient_id)
            .join(User, User.id == Assignment.user_id)
            .join(Patient, Patient.id == Assignment.patient_id)
            .where(User.role == Role.STUDENT, User.active, User.department_id == department.id)
            .where(is_running(Assignment), Assignment.starts_at < begin, Patient.archived_at.is_(None))
            .order_by(Assignment.user_id, Assignment.patient_id)
            .distinct()
        )
        if lead is not None:
            for number, (student_id, patient_id) in enumerate(db.session.execute(have.limit(OF_EACH)).all()):
                _case(number, lead, db.session.get_one(User, student_id), db.session.get_one(Patient, patient_id))
    heard = update(Notice).where(Notice.kind.like("case.%"), Notice.at < clock.now() - timedelta(days=2))
    db.session.execute(heard.values(read_at=Notice.at).execution_options(synchronize_session=False))
    db.session.flush()


def _case(number: int, lead: User, student: User, patient: Patient) -> None:
    now = clock.now()
    with clock.frozen(now - BEGAN):
        case = cases.open_case(
            patient, student_id=student.id, title=TITLES[number], words="From examination to recall.", actor=lead
        )
        for (title, words), days in zip(TASKS, (5, 22, 40), strict=True):
            asked = Asked(title=title, words=words, due_on=clock.today() + timedelta(days=days))
            cases.assign_task(case.id, asked=asked, actor=lead)
    # One more of them has come one step further than the one before.
    tasks = sorted(_tasks(case), key=lambda task: task.number)
    for done, task in enumerate(tasks[: max(number, 1)]):
        _task(number, done, task, lead, student, now)
    if number >= 4:
        with clock.frozen(now - timedelta(days=1)):
            cases.submit_case(case.id, version=case.version, actor=student)
            if number == 5:
                cases.verify_case(case.id, version=case.version, actor=lead)


def _tasks(case: Case) -> list[CaseTask]:
    return list(db.session.scalars(select(CaseTask).where(CaseTask.case_id == case.id)))


def _task(number: int, done: int, task: CaseTask, lead: User, student: User, now: datetime) -> None:
    """Of the first case the task is in progress, of the second it was returned, of the third one waits, of the others all are reviewed."""
    days = 20 - 6 * done
    with clock.frozen(now - timedelta(days=days)):
        cases.begin_task(task.id, version=task.version, actor=student)
    if number == 0:
        return
    with clock.frozen(now - timedelta(days=days - 2)):
        cases.complete_task(task.id, version=task.version, words="Done as planned, no complications.", actor=student)
    if number == 2 and done == 1:
        return
    with clock.frozen(now - timedelta(days=days - 3)):
        if number == 1:
            cases.return_task(task.id, version=task.version, reason="Write down which radiograph you used.", actor=lead)
        else:
            cases.review_task(task.id, version=task.version, words="Well prepared.", actor=lead)
