"""Cases of students and their tasks: opened and assigned by supervisors, worked on by the student, reviewed and verified by supervisors.

The moves are those of docs/decisions/0059. Whatever happens is a row of the case's log, which is only added to; what a supervisor
decides of is the log as they saw it. Locks: the patient, then the case, then its task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, live
from clinic.case_log import DID, digest_of, link, row_body, said_in
from clinic.chart import teeth as tooth
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import day as day_words
from clinic.formatting import number_of, when
from clinic.models import (
    AT_WORK,
    Case,
    CaseAct,
    CaseLog,
    CaseStatus,
    CaseTask,
    Patient,
    Role,
    TaskStatus,
    User,
)
from clinic.operations.chart import line, needed
from clinic.operations.deciding import check_decides, is_given_to, tell_author
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries import cases as queries
from clinic.queries.chart import catalogue
from clinic.text import one_line

TITLE_LENGTH = 120
WORDS_LENGTH = 1000
REVIEW_LENGTH = 2000
MOST_TASKS = 50  # of a case
MOST_STEPS = 1000  # of a case; then it can only be decided and closed
MOST_TEETH = 32
LONGEST = timedelta(days=2 * 365)  # until a deadline
OWN = "You worked on this yourself. Another supervisor of the department decides."


@dataclass(frozen=True)
class Asked:
    """What a task asks for. `teeth`: keys of the chart; `kind`: code of a kind of chart entry."""

    title: str
    due_on: date
    words: str = ""
    teeth: Sequence[str] = ()
    kind: str = ""


# --- supervisors open, assign, pass on, close -------------------------------------------------------------------------


def open_case(patient: Patient, *, student_id: int, title: str, words: str = "", actor: User) -> Case:
    """A case of a student of the supervisor's department who is given the patient. Raises Conflict while another of theirs runs."""
    patient = locked(Patient, patient.id)
    _check_leads(actor, actor.department_id, patient)
    student = db.session.get_one(User, student_id)
    department_id = _check_student(student, patient, actor.department_id)
    title, words = _titled(title), _worded(words)
    key = _key(patient.id, student.id, department_id)
    _refuse_second(key)
    case = Case(
        patient_id=patient.id,
        department_id=department_id,
        student_id=student.id,
        supervisor_id=actor.id,
        title=title,
        words=words,
        opened_at=clock.now(),
        open_key=key,
    )
    db.session.add(case)
    try:
        db.session.flush()
    except IntegrityError:  # opened by somebody else at the same moment
        raise Conflict(f"A case of {student.name} with this patient was opened meanwhile. Go on in that one.") from None
    _log(case, CaseAct.OPENED, actor, words, facts={"title": title, "student": student.name, "student_id": student.id})
    _record(case, CaseAct.OPENED, patient, actor, after={"title": title, "student": student.name})
    told = f"{actor.name} opened the case “{title}” for you, {patient.code}."
    _tell_author(case.student_id, case, told, "case.opened", otherwise=f"{actor.name} opened a case for you.")
    return case


def assign_task(case_id: int, *, asked: Asked, actor: User) -> CaseTask:
    """A task more, with a deadline. Raises Conflict when the case is past that."""
    case, patient = _locked(case_id)
    _check_leads(actor, case.department_id, patient)
    if case.status not in AT_WORK:
        raise Conflict(f"{how_it_stands(case)} No task can be added now.")
    title, words = _titled(asked.title), _worded(asked.words)
    today = clock.today()
    if not today <= asked.due_on <= today + LONGEST:
        raise DomainError("The deadline is today or later, and within two years.")
    if len(asked.teeth) > MOST_TEETH or any(not (tooth.is_tooth(key) or tooth.is_extra(key)) for key in asked.teeth):
        raise DomainError(f"At most {MOST_TEETH} teeth, each by its number.")
    if asked.kind and asked.kind not in catalogue():
        raise DomainError("This kind of treatment is not there any more. Reload the page and choose again.")
    newest = select(CaseTask.number).where(CaseTask.case_id == case.id).order_by(CaseTask.number.desc()).limit(1)
    number = (db.session.scalar(newest) or 0) + 1
    if number > MOST_TASKS:
        raise DomainError(f"A case has at most {MOST_TASKS} tasks. Close it when they are done, and open another.")
    teeth = " ".join(tooth.in_order(list(asked.teeth)))
    task = CaseTask(
        case_id=case.id, number=number, title=title, words=words, due_on=asked.due_on, teeth=teeth, kind=asked.kind
    )
    db.session.add(task)
    db.session.flush()
    facts = _asked_by(task)
    _log(case, CaseAct.ASSIGNED, actor, words, task=task, facts=facts)
    _record(case, CaseAct.ASSIGNED, patient, actor, task=task, after=facts)
    said = f"{actor.name} gave you a task: “{title}”, {patient.code}, until {day_words(task.due_on)}."
    _tell_author(case.student_id, case, said, "case.task", task, otherwise=f"{actor.name} gave you a task.")
    return task


def pass_on(case_id: int, *, student_id: int, version: int, reason: str, actor: User) -> Case:
    """Give the case to another student, with all that was done in it. Raises Conflict when that student has one of this patient."""
    case, patient = _locked(case_id, exclusive=True)
    _check_leads(actor, case.department_id, patient)
    _refuse_other(case, version)
    if case.status not in AT_WORK:
        raise Conflict(f"{how_it_stands(case)} It cannot be passed on now.")
    former, student = db.session.get_one(User, case.student_id), db.session.get_one(User, student_id)
    if student.id == former.id:
        raise DomainError(f"{student.name} has this case. Choose somebody else.")
    department_id = _check_student(student, patient, case.department_id)
    told = needed(reason, "Write why it is passed on; it stays in the log.")
    key = _key(patient.id, student.id, department_id)
    _refuse_second(key)
    case.student_id, case.open_key = student.id, key
    try:
        db.session.flush()
    except IntegrityError:
        raise Conflict(
            f"A case of {student.name} with this patient was opened meanwhile. Close one of the two."
        ) from None
    facts = {"from": former.name, "from_id": former.id, "to": student.name, "to_id": student.id}
    _log(case, CaseAct.PASSED_ON, actor, told, facts=facts)
    _record(case, CaseAct.PASSED_ON, patient, actor, after=facts, reason=told)
    said = f"{actor.name} passed the case “{case.title}” of {patient.code} on"
    act = "case.passed_on"
    _tell_author(student.id, case, f"{said} to you: {told}", act, otherwise=f"{actor.name} passed a case on to you.")
    otherwise = f"{actor.name} passed a case of yours on to {student.name}."
    _tell_author(former.id, case, f"{said} to {student.name}: {told}", act, otherwise=otherwise)
    return case


def close_case(case_id: int, *, version: int, reason: str = "", actor: User) -> Case:
    """The end of a case: verified, or given up with a reason. What waits for a decision is decided first."""
    case, patient = _locked(case_id)
    _check_leads(actor, case.department_id, patient)
    _refuse_other(case, version)
    if case.status not in (*AT_WORK, CaseStatus.VERIFIED):
        raise Conflict(how_it_stands(case))
    _refuse_waiting(case)
    is_verified = case.status is CaseStatus.VERIFIED
    told = line(reason) if is_verified else needed(reason, "Write why it is closed without being verified.")
    case.status, case.closed_at, case.open_key, case.reason = CaseStatus.CLOSED, clock.now(), None, told
    db.session.flush()
    _log(case, CaseAct.CLOSED, actor, told)
    _record(case, CaseAct.CLOSED, patient, actor, reason=told or None)
    why = f": {told}" if told else "."
    said = f"{actor.name} closed the case “{case.title}” of {patient.code}{why}"
    _tell_author(case.student_id, case, said, "case.closed", otherwise=f"{actor.name} closed a case of yours.")
    return case


# --- its student works on it ------------------------------------------------------------------------------------------


def begin_task(task_id: int, *, version: int, actor: User) -> CaseTask:
    """The student begins a task, or begins again with one that was returned."""
    case, patient, task = _task_at_work(task_id, version, actor, TaskStatus.ASSIGNED, TaskStatus.RETURNED)
    return _moved(case, patient, task, TaskStatus.IN_PROGRESS, CaseAct.BEGUN, actor)


def complete_task(task_id: int, *, version: int, words: str = "", actor: User) -> CaseTask:
    """The student says that it is done; it waits for a supervisor."""
    case, patient, task = _task_at_work(task_id, version, actor, TaskStatus.IN_PROGRESS)
    told = _worded(words)
    task.completed_by_id, task.completed_at = actor.id, clock.now()
    return _moved(case, patient, task, TaskStatus.COMPLETED, CaseAct.COMPLETED, actor, told)


def submit_case(case_id: int, *, version: int, actor: User) -> Case:
    """The student sends the case for verification, once every task is reviewed."""
    case, patient = _locked(case_id)
    _check_works(case, patient, actor)
    _refuse_other(case, version)
    if case.status is not CaseStatus.OPEN:
        raise Conflict(how_it_stands(case))
    statuses = db.session.scalars(select(CaseTask.status).where(CaseTask.case_id == case.id).with_for_update()).all()
    left = sum(status is not TaskStatus.REVIEWED for status in statuses)
    if left or not statuses:
        what = f"{number_of(left, 'task is', 'tasks are')} not reviewed yet" if left else "it has no task yet"
        raise DomainError(f"A case is sent for verification when every task of it is reviewed: {what}.")
    case.status, case.submitted_by_id, case.submitted_at = CaseStatus.SUBMITTED, actor.id, clock.now()
    return _case_moved(case, patient, CaseAct.SUBMITTED, actor)


def take_up(case_id: int, *, version: int, actor: User) -> Case:
    """The student goes on with a case that was returned."""
    case, patient = _locked(case_id)
    _check_works(case, patient, actor)
    _refuse_other(case, version)
    if case.status is not CaseStatus.RETURNED:
        raise Conflict(how_it_stands(case))
    case.status = CaseStatus.OPEN
    return _case_moved(case, patient, CaseAct.TAKEN_UP, actor)


def comment(case_id: int, *, words: str, task_id: int | None = None, actor: User) -> CaseLog:
    """A word in the log, of the case or of one task: by its student, or by a supervisor of the department."""
    case, patient = _locked(case_id)
    if actor.id != case.student_id:
        _check_leads(actor, case.department_id, patient)
    else:
        _check_works(case, patient, actor)
    if case.status is CaseStatus.CLOSED:
        raise Conflict(f"{how_it_stands(case)} Nothing is added to it any more.")
    task = locked(CaseTask, task_id) if task_id else None
    if task is not None and task.case_id != case.id:
        raise DomainError("This task is of another case. Reload the page.")
    told = _worded(words)
    if not told:
        raise DomainError("Write what you want to say.")
    row = _log(case, CaseAct.COMMENTED, actor, told, task=task)
    _record(case, CaseAct.COMMENTED, patient, actor, task=task)
    other = case.supervisor_id if actor.id == case.student_id else case.student_id
    said = f"{actor.name} wrote to the case “{case.title}”, {patient.code}: {told}"
    _tell_author(other, case, said, "case.comment", task, otherwise="")
    return row


# --- supervisors decide -----------------------------------------------------------------------------------------------


def review_task(task_id: int, *, version: int, actor: User, words: str = "", reason: str = "") -> CaseTask:
    """A completed task is reviewed, with what the supervisor writes of it. `reason` is none of this act's."""
    del reason
    case, patient, task = _waiting_task(task_id, version, actor)
    told = words.strip()
    if len(told) > REVIEW_LENGTH:
        raise DomainError(f"At most {REVIEW_LENGTH:,} characters in a review.")
    shown = _shown(case, task)
    task.reviewed_by_id, task.reviewed_at, task.review = actor.id, clock.now(), told
    _moved(case, patient, task, TaskStatus.REVIEWED, CaseAct.REVIEWED, actor, told, shown=shown)
    said = f"{actor.name} reviewed your task “{task.title}”, {patient.code}"
    said = f"{said}: {told}" if told else f"{said}."
    otherwise = f"{actor.name} reviewed a task of yours."
    _tell_author(task.completed_by_id, case, said, "case.reviewed", task, otherwise=otherwise)
    return task


def return_task(task_id: int, *, version: int, reason: str, actor: User) -> CaseTask:
    """A completed task goes back to its student with a reason."""
    case, patient, task = _waiting_task(task_id, version, actor)
    told = needed(reason, "Write why you return it; its student reads that.")
    shown = _shown(case, task)
    task.reason = told
    _moved(case, patient, task, TaskStatus.RETURNED, CaseAct.TASK_RETURNED, actor, told, shown=shown)
    said = f"{actor.name} returned your task “{task.title}”, {patient.code}: {told}"
    otherwise = f"{actor.name} returned a task of yours."
    _tell_author(task.completed_by_id, case, said, "case.task_returned", task, otherwise=otherwise)
    return task


def verify_case(case_id: int, *, version: int, actor: User, reason: str = "") -> Case:
    """A submitted case is verified. `reason` is none of this act's."""
    del reason
    case, patient, shown = _waiting_case(case_id, version, actor)
    case.status, case.verified_by_id, case.verified_at = CaseStatus.VERIFIED, actor.id, clock.now()
    case.open_key, case.reason = None, ""
    _case_moved(case, patient, CaseAct.VERIFIED, actor, shown=shown)
    said = f"{actor.name} verified your case “{case.title}”, {patient.code}."
    _tell_author(case.submitted_by_id, case, said, "case.verified", otherwise=f"{actor.name} verified a case of yours.")
    return case


def return_case(case_id: int, *, version: int, reason: str, actor: User) -> Case:
    """A submitted case goes back to its student with a reason."""
    case, patient, shown = _waiting_case(case_id, version, actor)
    told = needed(reason, "Write why you return it; its student reads that.")
    case.status, case.reason = CaseStatus.RETURNED, told
    _case_moved(case, patient, CaseAct.RETURNED, actor, told, shown=shown)
    said = f"{actor.name} returned your case “{case.title}”, {patient.code}: {told}"
    _tell_author(case.submitted_by_id, case, said, "case.returned", otherwise=f"{actor.name} returned a case of yours.")
    return case


def why_own(case: Case, task: CaseTask | None, actor: User) -> str:
    """Why a supervisor does not decide this: it is of work of their own; empty when it is not."""
    worked = {case.student_id, task.completed_by_id if task else case.submitted_by_id}
    did = select(Case.id).where(Case.id == case.id, queries.worked_on(actor.id, task.id if task else None))
    return OWN if actor.id in worked or db.session.execute(did).first() else ""


def how_it_stands(case: Case, task: CaseTask | None = None) -> str:
    """Who did what last to a case, or to a task of it, and when."""
    rows = select(CaseLog).where(CaseLog.case_id == case.id)
    if task is not None:
        rows = rows.where(CaseLog.task_id == task.id)
    row = db.session.scalars(rows.order_by(CaseLog.number.desc()).limit(1)).one()
    by, of = db.session.get_one(User, row.done_by_id), row.task_id
    about = task or (db.session.get_one(CaseTask, of) if of else None)
    what = f"the task “{about.title}”" if about else f"the case “{case.title}”"
    words = f" “{row.words}”" if row.words else ""
    return f"{by.name} {DID[row.act].format(what)} on {when(row.at)}.{words}"


# --- reminding --------------------------------------------------------------------------------------------------------


def remind_overdue(after: int = 0) -> tuple[int, int | None]:
    """Tell students, once a week each, of tasks that are overdue.

    Answers how many students were told, and the student after whom to go on; None at the end.
    """
    found = queries.students_with_overdue(clock.today(), after=after)
    week = clock.today().isocalendar()
    for student_id, count, since in found:
        what = f"{number_of(count, 'of your tasks is', 'of your tasks are')} overdue"
        tell(
            student_id,
            f"{what}, since {day_words(since)}.",
            kind="case.overdue",
            url="/cases",
            once=f"overdue-{student_id}-{week.year}-{week.week}",
        )
    return len(found), found[-1][0] if len(found) == queries.REMINDED_AT_ONCE else None


# --- what the above share ---------------------------------------------------------------------------------------------


def address_of(case: Case) -> str:
    """The page of a case."""
    return f"/patients/{case.patient_id}/cases/{case.id}"


def _locked(case_id: int, *, exclusive: bool = False) -> tuple[Case, Patient]:
    """A case, locked after its patient, who is not archived."""
    patient_id = db.session.execute(select(Case.patient_id).where(Case.id == case_id)).scalar_one()
    patient = locked(Patient, patient_id, shared=not exclusive)
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to go on with cases.")
    return locked(Case, case_id), patient


def _task_at_work(task_id: int, version: int, actor: User, *statuses: TaskStatus) -> tuple[Case, Patient, CaseTask]:
    """A task that its student moves on, of an open case and in one of these statuses."""
    case, patient, task = _locked_task(task_id)
    _check_works(case, patient, actor)
    if task.version != version or task.status not in statuses:
        raise Conflict(how_it_stands(case, task))
    if case.status is not CaseStatus.OPEN:
        advice = " Take the case up again first." if case.status is CaseStatus.RETURNED else ""
        raise Conflict(f"{how_it_stands(case)}{advice}")
    return case, patient, task


def _waiting_task(task_id: int, version: int, actor: User) -> tuple[Case, Patient, CaseTask]:
    """A completed task of an open case that waits for the actor's word."""
    case, patient, task = _locked_task(task_id)
    check_decides(actor, department_id=case.department_id, patient_id=case.patient_id)
    if task.version != version or task.status is not TaskStatus.COMPLETED or case.status is not CaseStatus.OPEN:
        raise Conflict(how_it_stands(case, task))
    if own := why_own(case, task, actor):
        raise NotAllowed(own)
    return case, patient, task


def _waiting_case(case_id: int, version: int, actor: User) -> tuple[Case, Patient, str]:
    """A submitted case that waits for the actor's word, and the digest of what is shown of it."""
    case, patient = _locked(case_id)
    check_decides(actor, department_id=case.department_id, patient_id=case.patient_id)
    if case.version != version or case.status is not CaseStatus.SUBMITTED:
        raise Conflict(how_it_stands(case))
    if own := why_own(case, None, actor):
        raise NotAllowed(own)
    return case, patient, _shown(case)


def _locked_task(task_id: int) -> tuple[Case, Patient, CaseTask]:
    case_id = db.session.execute(select(CaseTask.case_id).where(CaseTask.id == task_id)).scalar_one()
    case, patient = _locked(case_id)
    return case, patient, locked(CaseTask, task_id)


def _moved(
    case: Case,
    patient: Patient,
    task: CaseTask,
    to: TaskStatus,
    act: CaseAct,
    actor: User,
    words: str = "",
    shown: str = "",
) -> CaseTask:
    before, task.status = task.status, to
    db.session.flush()
    _log(case, act, actor, words, task=task, facts={"shown": shown} if shown else {})
    after = {"status": to} | ({"sha256": shown} if shown else {})
    reason = words if to is TaskStatus.RETURNED else None  # other words are longer than the trail keeps as a reason
    if words and not reason:
        after["words"] = words
    _record(case, act, patient, actor, task=task, before={"status": before}, after=after, reason=reason)
    return task


def _case_moved(case: Case, patient: Patient, act: CaseAct, actor: User, words: str = "", shown: str = "") -> Case:
    db.session.flush()
    _log(case, act, actor, words, facts={"shown": shown} if shown else {})
    after = {"status": case.status} | ({"sha256": shown} if shown else {})
    _record(case, act, patient, actor, after=after, reason=words or None)
    return case


def _check_leads(actor: User, department_id: int | None, patient: Patient) -> None:
    """Raise unless this is a supervisor of the case's department who is given the patient."""
    if actor.role is not Role.SUPERVISOR or not actor.active or department_id is None:
        raise NotAllowed("A supervisor of the department opens cases, assigns tasks, passes cases on and closes them.")
    if actor.department_id != department_id:
        raise NotAllowed("This case is of another department. A supervisor there decides.")
    if not is_given_to(actor, patient.id):
        raise NotAllowed("You are not given this patient. Another supervisor of the department decides.")
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to go on with cases.")


def _check_works(case: Case, patient: Patient, actor: User) -> None:
    """Raise unless this is the case's student, who is given the patient."""
    if actor.role is not Role.STUDENT or actor.id != case.student_id:
        name = db.session.get_one(User, case.student_id).name
        raise NotAllowed(f"This is a case of {name}, who alone works on it. A supervisor can pass it on.")
    if not is_given_to(actor, patient.id):
        raise NotAllowed("You are not given this patient any more. Ask to be assigned before you go on.")


def _check_student(student: User, patient: Patient, department_id: int | None) -> int:
    """The department of a student who may have a case of the patient there; raises with why not."""
    if student.role is not Role.STUDENT or not student.active or department_id is None:
        raise DomainError("Choose a student of your department.")
    if student.department_id != department_id:
        raise DomainError(f"{student.name} is of another department. A supervisor there opens cases for them.")
    if not is_given_to(student, patient.id):
        raise DomainError(f"{student.name} does not have {patient.name}. Assign the patient to them first.")
    return department_id


def _refuse_second(key: str) -> None:
    other = db.session.scalars(select(Case).where(Case.open_key == key)).first()
    if other is not None:
        raise Conflict(f"{how_it_stands(other)} One case of a student and a patient runs at a time: go on in that one.")


def _refuse_waiting(case: Case) -> None:
    """Raise while a task of a locked case waits for review: nobody could decide it afterwards."""
    tasks = select(CaseTask.title, CaseTask.status).where(CaseTask.case_id == case.id).order_by(CaseTask.number)
    found = db.session.execute(tasks.with_for_update())
    waiting = [title for title, status in found if status is TaskStatus.COMPLETED]
    if waiting:
        more = f" and {number_of(len(waiting) - 1, 'task')} more" if len(waiting) > 1 else ""
        one = "them" if more else "it"
        raise DomainError(
            f"“{waiting[0]}”{more} {'wait' if more else 'waits'} for review. Review or return {one} first, then close the case."
        )


def _refuse_other(case: Case, version: int) -> None:
    if case.version != version:
        raise Conflict(how_it_stands(case))


def _titled(text: str) -> str:
    title = one_line(text)
    if not 0 < len(title) <= TITLE_LENGTH:
        raise DomainError(f"Give it a title of at most {TITLE_LENGTH} characters.")
    return title


def _worded(text: str) -> str:
    words = text.strip()
    if len(words) > WORDS_LENGTH:
        raise DomainError(f"At most {WORDS_LENGTH:,} characters.")
    return words


def _key(patient_id: int, student_id: int, department_id: int) -> str:
    return f"{patient_id}:{student_id}:{department_id}"


def _asked_by(task: CaseTask) -> dict[str, Any]:
    """What a task asks for, as the log has it."""
    return {"title": task.title, "due_on": task.due_on.isoformat(), "teeth": task.teeth, "kind": task.kind}


def _log(
    case: Case,
    act: CaseAct,
    actor: User,
    words: str = "",
    *,
    task: CaseTask | None = None,
    facts: dict[str, Any] | None = None,
) -> CaseLog:
    """Add a row to the log of a locked case; case and task become newer by it."""
    number = case.steps + 1
    if number > MOST_STEPS and act in (CaseAct.COMMENTED, CaseAct.ASSIGNED, CaseAct.BEGUN):
        raise DomainError("The log of this case is full. A supervisor closes it and opens another.")
    newest = select(CaseLog.sha256).where(CaseLog.case_id == case.id).order_by(CaseLog.number.desc()).limit(1)
    before, at = db.session.scalar(newest) or "", clock.now()
    body = row_body(
        {
            "case": case.id,
            "number": number,
            "task": task.number if task else None,
            "act": act.value,
            "by": actor.id,
            "by_name": actor.name,
            "at": at.isoformat(),
            "words": words,
            "facts": facts or {},
        }
    )
    row = CaseLog(
        case_id=case.id,
        number=number,
        task_id=task.id if task else None,
        act=act,
        done_by_id=actor.id,
        at=at,
        words=words,
        said=body,
        sha256=link(before, body),
    )
    db.session.add(row)
    case.steps = number
    if task is not None:
        task.steps += 1
    db.session.flush()
    live.nudge(f"approvals:{case.department_id}")
    return row


def _shown(case: Case, task: CaseTask | None = None) -> str:
    """The digest of what a supervisor is shown of a case, or of one task. Raises DomainError when it does not read as it was written."""
    log = select(CaseLog).where(CaseLog.case_id == case.id).order_by(CaseLog.number)
    rows = db.session.scalars(log.execution_options(populate_existing=True)).all()
    tasks = {each.id: each for each in db.session.scalars(select(CaseTask).where(CaseTask.case_id == case.id))}
    before, asked = "", {}
    for number, row in enumerate(rows, 1):
        said = said_in(row.said)
        is_whole = (said["number"], said["act"], said["words"], said["by"]) == (
            number,
            row.act,
            row.words,
            row.done_by_id,
        )
        if not is_whole or row.number != number or link(before, row.said) != row.sha256:
            raise DomainError(UNREADABLE)
        before = row.sha256
        if row.act is CaseAct.ASSIGNED:
            asked[row.task_id] = said["facts"] | {"words": row.words}
    if asked != {each.id: _asked_by(each) | {"words": each.words} for each in tasks.values()}:
        raise DomainError(UNREADABLE)
    return digest_of(row.sha256 for row in rows if task is None or row.task_id == task.id)


UNREADABLE = "This case does not read as it was written. Nothing was decided; tell an administrator."


def _tell_author(
    person_id: int | None, case: Case, sentence: str, kind: str, task: CaseTask | None = None, *, otherwise: str
) -> None:
    assert person_id is not None
    url = address_of(case) + (f"#task-{task.id}" if task else "")
    tell_author(person_id, sentence, otherwise=otherwise, kind=kind, url=url, patient_id=case.patient_id)


def _record(
    case: Case, act: CaseAct, patient: Patient, actor: User, *, task: CaseTask | None = None, **facts: Any
) -> None:
    what = f"the task “{task.title}”" if task else f"the case “{case.title}”"
    did = DID[act].format(what)
    said = f"{did[0].upper()}{did[1:]} of {patient.name}, {patient.code}"
    audit.record(f"case.{act.value}", said, actor=actor, subject=case, patient=patient, **facts)
