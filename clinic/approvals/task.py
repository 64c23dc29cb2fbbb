"""Tasks that a student says are completed, as they wait for a supervisor: shown is what was asked, and the task's log up to there."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.case_log import digest_of
from clinic.models import CaseStatus, CaseTask, TaskStatus, User
from clinic.operations.cases import how_it_stands, return_task, review_task, why_own
from clinic.queries.cases import decidable_task_for, log_of, waiting_task_ids, waiting_tasks
from clinic.queries.chart import catalogue


def items(viewer: User) -> list[Item]:
    """The completed tasks that wait for the viewer, longest first."""
    return [_item(task) for task in waiting_tasks(viewer)]


def item(viewer: User, task_id: int) -> Item | None:
    """One task that is the viewer's to decide, or was."""
    task = decidable_task_for(viewer, task_id)
    if task is None:
        return None
    waits = task.status is TaskStatus.COMPLETED and task.case.status is CaseStatus.OPEN
    return _item(task, outcome=why_own(task.case, task, viewer) if waits else how_it_stands(task.case, task))


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """The task's log, its digest, and the name of the kind of treatment."""
    log = log_of(viewer, item.row.case_id, item.row.id)
    kind = catalogue().get(item.row.kind)
    return {"log": log, "sha256": digest_of(row.sha256 for row in log), "kind": kind.name if kind else ""}


def _item(task: CaseTask, *, outcome: str = "") -> Item:
    case = task.case
    author = task.completed_by or case.student
    return Item(
        kind=KIND_NAME,
        id=task.id,
        version=task.version,
        word="Task",
        sentence=f"“{task.title}” of {case.patient.name}, {case.patient.code}, is reviewed",
        person_id=author.id,
        person=author.name,
        patient=case.patient,
        code=case.patient.code,
        is_seen=True,
        asked_by=author.name,
        since=task.completed_at or case.opened_at,
        row=task,
        why=lambda: outcome,
    )


KIND_NAME = "task"
KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_task.html",
    waiting=waiting_task_ids,
    items=items,
    item=item,
    facts=facts,
    approve=review_task,
    give_back=return_task,
    decide="approvals/_task_decide.html",
)
