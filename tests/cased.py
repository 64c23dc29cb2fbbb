"""Cases in tests: one opened, a task of it brought to a status, in a few words."""

from datetime import timedelta
from typing import Any

from clinic import clock
from clinic.extensions import db
from clinic.models import Case, CaseTask, TaskStatus
from clinic.operations import cases
from clinic.operations.cases import Asked
from tests.world import World

STUDENT = {"fernando": "kamal", "perera": "leela", "wu": "omar"}


def case_of(world: World, patient: str = "fernando", *, supervisor: str = "silva", title: str = "Crown on 36") -> Case:
    """A case of the patient's student, just opened. Flushes."""
    who = {"student_id": world.people[STUDENT[patient]], "actor": world.user(supervisor)}
    return cases.open_case(world.patient(patient), title=title, words="Root filled last year", **who)


def asked_for(title: str = "Preparation", days: int = 7, **more: Any) -> Asked:
    return Asked(title=title, due_on=clock.today() + timedelta(days=days), **more)


def task_of(
    world: World, case: Case, status: TaskStatus = TaskStatus.ASSIGNED, *, supervisor: str = "silva", **asked: Any
) -> CaseTask:
    """A task of a case, brought to this status by those who do. Flushes."""
    lead, student = world.user(supervisor), db.session.get_one(type(world.user("kamal")), case.student_id)
    task = cases.assign_task(case.id, asked=asked_for(**asked), actor=lead)
    if status is TaskStatus.ASSIGNED:
        return task
    cases.begin_task(task.id, version=task.version, actor=student)
    if status is TaskStatus.IN_PROGRESS:
        return task
    cases.complete_task(task.id, version=task.version, words="Prepared under rubber dam", actor=student)
    if status is TaskStatus.REVIEWED:
        cases.review_task(task.id, version=task.version, words="Good margins", actor=lead)
    if status is TaskStatus.RETURNED:
        cases.return_task(task.id, version=task.version, reason="Margin open distally", actor=lead)
    return task


def submitted(world: World, patient: str = "fernando", supervisor: str = "silva") -> Case:
    """A case of one reviewed task that waits for verification. Flushes."""
    case = case_of(world, patient, supervisor=supervisor)
    task_of(world, case, TaskStatus.REVIEWED, supervisor=supervisor)
    return cases.submit_case(case.id, version=case.version, actor=world.user(STUDENT[patient]))
