"""A patient's problems: noted, shown by documents and the chart, ended; and the clinic's own diagnoses.

What a problem is never changes: one that was noted wrongly was an error and is noted anew. Locks: the patient, then the problem.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock
from clinic.chart import teeth as tooth
from clinic.diagnoses import CODE, SHIPPED, Diagnosis
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import when
from clinic.models import (
    ChartEntry,
    Document,
    DocumentStatus,
    Evidence,
    OwnDiagnosis,
    Patient,
    Problem,
    ProblemStatus,
    Role,
    User,
    categories_of,
)
from clinic.operations.chart import needed
from clinic.operations.deciding import is_given_to
from clinic.operations.locks import locked
from clinic.queries.problems import MOST
from clinic.text import one_line

MOST_EVIDENCE = 50
LENGTH = 200  # letters of a diagnosis
ACTS = {
    ProblemStatus.RESOLVED: ("problem.resolve", "Resolved"),
    ProblemStatus.IN_ERROR: ("problem.in_error", "Noted in error"),
}


def note_problem(
    patient: Patient,
    *,
    diagnosis: Diagnosis | None,
    said: str = "",
    teeth: Sequence[str] = (),
    documents: Sequence[int] = (),
    entries: Sequence[int] = (),
    visit_id: int | None = None,
    actor: User,
) -> Problem:
    """A problem more, by a diagnosis or in free words. Raises Conflict when it stands there already."""
    patient = _patient_to_write(patient.id, actor)
    told = diagnosis.name if diagnosis else one_line(said)
    if not 0 < len(told) <= LENGTH:
        raise DomainError(f"Say what the problem is, in at most {LENGTH} letters.")
    if len(teeth) > tooth.MOST_NAMED or any(not (tooth.is_tooth(key) or tooth.is_extra(key)) for key in teeth):
        raise DomainError(f"At most {tooth.MOST_NAMED} teeth, each by its number.")
    keys = " ".join(tooth.in_order(list(teeth)))
    theirs = select(Problem).where(Problem.patient_id == patient.id, Problem.status == ProblemStatus.ACTIVE)
    standing = list(db.session.execute(theirs.limit(MOST)).scalars())
    if len(standing) == MOST:
        raise DomainError(f"This patient has {MOST} active problems. End some first.")
    for each in standing:
        if (each.words.casefold(), each.teeth) == (told.casefold(), keys):
            raise Conflict(f"{_named(each)} is noted already, {_since(each)}. Add what shows it there.")
    problem = Problem(
        patient_id=patient.id,
        visit_id=visit_id,
        system=diagnosis.system if diagnosis else "",
        code=diagnosis.code if diagnosis else "",
        words=told,
        teeth=keys,
        noted_by_id=actor.id,
        noted_at=clock.now(),
    )
    db.session.add(problem)
    db.session.flush()
    _show(problem, documents, entries, actor)
    _record(
        "problem.note", "Noted", problem, patient, actor, after={"code": problem.code, "words": told, "teeth": keys}
    )
    return problem


def show_problem(problem_id: int, *, documents: Sequence[int], entries: Sequence[int], actor: User) -> Problem:
    """Say what shows a problem; what is said twice is said once."""
    problem, patient = _locked(problem_id, actor)
    if problem.status is not ProblemStatus.ACTIVE:
        raise Conflict(how_it_stands(problem))
    if _show(problem, documents, entries, actor):
        _record("problem.show", "Said what shows", problem, patient, actor)
    return problem


def end_problem(problem_id: int, *, status: ProblemStatus, version: int, reason: str, actor: User) -> Problem:
    """It is resolved, or was noted in error; it stays to be read. An error is said by whoever noted it, or by a supervisor."""
    problem, patient = _locked(problem_id, actor)
    if problem.status is not ProblemStatus.ACTIVE or problem.version != version:
        raise Conflict(how_it_stands(problem))
    if status is ProblemStatus.IN_ERROR and actor.role is not Role.SUPERVISOR and problem.noted_by_id != actor.id:
        raise NotAllowed("Only whoever noted a problem, or a supervisor, says that it was an error.")
    if status not in ACTS:
        raise DomainError("A problem is resolved, or was noted in error. Choose one of them.")
    told = needed(reason, "Write why; it stays with the problem.")
    problem.status, problem.ended_by_id, problem.ended_at, problem.end_reason = status, actor.id, clock.now(), told
    db.session.flush()
    _record(*ACTS[status], problem, patient, actor, reason=told)
    return problem


def reopen_problem(problem_id: int, *, version: int, actor: User) -> Problem:
    """A resolved problem is there again. What was an error is noted anew instead."""
    problem, patient = _locked(problem_id, actor)
    if problem.status is not ProblemStatus.RESOLVED or problem.version != version:
        raise Conflict(how_it_stands(problem))
    problem.status, problem.ended_by_id, problem.ended_at, problem.end_reason = ProblemStatus.ACTIVE, None, None, ""
    db.session.flush()
    _record("problem.reopen", "Reopened", problem, patient, actor)
    return problem


def how_it_stands(problem: Problem) -> str:
    """Who did what to a problem, and when."""
    if problem.ended_at is None:
        return f"{_named(problem)} is active, {_since(problem)}."
    by = db.session.get_one(User, problem.ended_by_id)
    what = "resolved it" if problem.status is ProblemStatus.RESOLVED else "said that it was an error"
    return f"{_named(problem)}: {by.name} {what} on {when(problem.ended_at)}. “{problem.end_reason}”"


# --- the clinic's own diagnoses ---------------------------------------------------------------------------------------


def add_diagnosis(*, system: str, code: str, name: str, actor: User) -> OwnDiagnosis:
    """A diagnosis more to choose from. Raises DomainError when its code is taken."""
    system, code, name = one_line(system), one_line(code), one_line(name)
    if not CODE.fullmatch(code):
        raise DomainError("A code has at most 20 letters and digits, with points or dashes between.")
    if not 0 < len(system) <= 20 or not 0 < len(name) <= LENGTH:
        raise DomainError(f"Give the system in at most 20 letters, and a name in at most {LENGTH}.")
    if any((each.system, each.code) == (system, code) for each in SHIPPED):
        raise DomainError(f"{code} of {system} comes with Chairside already.")
    row = OwnDiagnosis(system=system, code=code, name=name, created_at=clock.now(), created_by_id=actor.id)
    db.session.add(row)
    try:
        db.session.flush()
    except IntegrityError:
        raise Conflict(f"{code} of {system} is there already. Look in the list; it may be retired.") from None
    audit.record("diagnosis.add", f"Added the diagnosis {code} {name}", actor=actor, subject=row)
    return row


def retire_diagnosis(diagnosis_id: int, *, version: int, is_retired: bool, actor: User) -> OwnDiagnosis:
    """Offer it no longer, or again; what was noted with it stays."""
    row = locked(OwnDiagnosis, diagnosis_id)
    if row.version != version:
        raise Conflict(
            f"Somebody changed {row.code} {row.name} meanwhile. It is {'retired' if row.retired_at else 'offered'} now."
        )
    if bool(row.retired_at) is is_retired:
        return row
    row.retired_at = clock.now() if is_retired else None
    db.session.flush()
    did = "retire" if is_retired else "bring_back"
    audit.record(
        f"diagnosis.{did}",
        f"{'Retired' if is_retired else 'Brought back'} the diagnosis {row.code}",
        actor=actor,
        subject=row,
    )
    return row


def _show(problem: Problem, documents: Sequence[int], entries: Sequence[int], actor: User) -> int:
    """Add what shows it, and answer how much was new. Raises DomainError for what is not of the patient."""
    of_patient = {"document_id": _documents(problem, documents, actor), "entry_id": _entries(problem, entries)}
    there = list(db.session.execute(select(Evidence).where(Evidence.problem_id == problem.id)).scalars())
    new = [
        Evidence(problem_id=problem.id, added_by_id=actor.id, added_at=clock.now(), **{name: each})
        for name, wanted in of_patient.items()
        for each in sorted(wanted - {getattr(row, name) for row in there})
    ]
    if len(there) + len(new) > MOST_EVIDENCE:
        raise DomainError(f"At most {MOST_EVIDENCE} things that show one problem.")
    db.session.add_all(new)
    db.session.flush()
    return len(new)


def _documents(problem: Problem, wanted: Sequence[int], actor: User) -> set[int]:
    found = select(Document.id).where(
        Document.id.in_(wanted),
        Document.patient_id == problem.patient_id,
        Document.status == DocumentStatus.AVAILABLE,
        Document.category.in_(categories_of(actor.role)),
    )
    return _all_of(wanted, set(db.session.execute(found).scalars()))


def _entries(problem: Problem, wanted: Sequence[int]) -> set[int]:
    found = select(ChartEntry.id).where(ChartEntry.id.in_(wanted), ChartEntry.patient_id == problem.patient_id)
    return _all_of(wanted, set(db.session.execute(found).scalars()))


def _all_of(wanted: Sequence[int], found: set[int]) -> set[int]:
    if found != set(wanted):
        raise DomainError("Something that was chosen is not there any more. Reload the page and choose again.")
    return found


def _locked(problem_id: int, actor: User) -> tuple[Problem, Patient]:
    patient_id = db.session.execute(select(Problem.patient_id).where(Problem.id == problem_id)).scalar_one()
    patient = _patient_to_write(patient_id, actor)
    return locked(Problem, problem_id), patient


def _patient_to_write(patient_id: int, actor: User) -> Patient:
    patient = locked(Patient, patient_id)
    if actor.role not in (Role.STUDENT, Role.SUPERVISOR):
        raise NotAllowed("Students and supervisors note problems.")
    if not is_given_to(actor, patient_id):
        raise NotAllowed("You are not given this patient. Ask to be assigned before you write.")
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to note problems.")
    return patient


def _named(problem: Problem) -> str:
    teeth = f", {problem.teeth.replace(' ', ', ')}" if problem.teeth else ""
    return f"{problem.code} {problem.words}{teeth}".strip()


def _since(problem: Problem) -> str:
    by = db.session.get_one(User, problem.noted_by_id)
    return f"by {by.name} on {when(problem.noted_at)}"


def _record(act: str, did: str, problem: Problem, patient: Patient, actor: User, **facts: Any) -> None:
    audit.record(
        act, f"{did}: {_named(problem)}, of {patient.code}", actor=actor, subject=problem, patient=patient, **facts
    )
