"""Cases that a student sent for verification, as they wait for a supervisor: shown are the tasks and the whole log up to there."""

from typing import Any

from clinic.approvals.kind import Item, Kind
from clinic.case_log import digest_of
from clinic.models import Case, CaseStatus, User
from clinic.operations.cases import how_it_stands, return_case, verify_case, why_own
from clinic.queries.cases import decidable_case_for, log_of, waiting_case_ids, waiting_cases


def items(viewer: User) -> list[Item]:
    """The submitted cases that wait for the viewer, longest first."""
    return [_item(case) for case in waiting_cases(viewer)]


def item(viewer: User, case_id: int) -> Item | None:
    """One case that is the viewer's to decide, or was."""
    case = decidable_case_for(viewer, case_id)
    if case is None:
        return None
    waits = case.status is CaseStatus.SUBMITTED
    return _item(case, outcome=why_own(case, None, viewer) if waits else how_it_stands(case))


def facts(viewer: User, item: Item) -> dict[str, Any]:
    """The case's log and its digest."""
    log = log_of(viewer, item.row.id)
    return {"log": log, "sha256": digest_of(row.sha256 for row in log)}


def _item(case: Case, *, outcome: str = "") -> Item:
    return Item(
        kind=KIND_NAME,
        id=case.id,
        version=case.version,
        word="Case",
        sentence=f"The case “{case.title}” of {case.patient.name}, {case.patient.code}, is verified",
        person_id=case.student_id,
        person=case.student.name,
        patient=case.patient,
        code=case.patient.code,
        is_seen=True,
        asked_by=case.student.name,
        since=case.submitted_at or case.opened_at,
        row=case,
        why=lambda: outcome,
    )


KIND_NAME = "case"
KIND = Kind(
    name=KIND_NAME,
    fragment="approvals/_case.html",
    waiting=waiting_case_ids,
    items=items,
    item=item,
    facts=facts,
    approve=verify_case,
    give_back=return_case,
)
