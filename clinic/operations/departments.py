"""Departments: opened, renamed, closed and opened again. Never deleted: what happened in them stays."""

import re
from typing import Any

from sqlalchemy import func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from clinic import audit
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import number_of
from clinic.models import (
    PLANNED,
    Chair,
    Department,
    Display,
    Patient,
    QueueEntry,
    Request,
    RequestStatus,
    Unowned,
    User,
    Visit,
)
from clinic.operations.locks import locked
from clinic.operations.nudges import nudge_department
from clinic.text import one_line


def open_department(*, name: str, letter: str, chairs: int, actor: User | None) -> Department:
    """A new department whose tickets begin with `letter`, with chairs A1, A2, ... `actor` is None on the command line only."""
    name, letter = one_line(name), letter.strip().upper()
    if not 0 < len(name) <= 120 or not re.fullmatch("[A-Z]{1,2}", letter):
        raise DomainError("A department needs a name, and one or two letters A to Z that begin its tickets.")
    if not 0 <= chairs <= 200:
        raise DomainError("A department begins with 0 to 200 chairs.")
    _check_free(Department.name == name, Department.letter == letter)
    try:  # not in a savepoint: a deadlock must come out as one, so that the act is redone
        made: Any = db.session.execute(
            insert(Department.__table__).values(name=name, letter=letter, active=True, version=1)  # type: ignore[arg-type]
        )
    except IntegrityError:
        raise Conflict("Somebody opened a department of that name or letter at the same moment.") from None
    department = db.session.get_one(Department, made.inserted_primary_key[0])
    db.session.add_all(Chair(department_id=department.id, name=f"{letter}{number}") for number in range(1, chairs + 1))
    db.session.flush()
    said = f"Opened the department {name} with {number_of(chairs, 'chair')}"
    audit.record("department.open", said, actor=actor, subject=department)
    return department


def rename_department(department_id: int, *, name: str, version: int, actor: User) -> Department:
    """Give a department another name. Its letter stays: it begins tickets that were given."""
    department = _locked(department_id, version, mine={"name": name})
    name = one_line(name)
    if not 0 < len(name) <= 120:
        raise DomainError("A department needs a name, of at most 120 letters.")
    if name == department.name:
        return department
    _check_free(Department.name == name)
    before, department.name = department.name, name
    said = f"Renamed the department {before} to {name}"
    return _told("department.rename", said, department, actor, before={"name": before}, after={"name": name})


def close_department(department_id: int, *, version: int, actor: User) -> Department:
    """It takes no patients and no people from now on. Raises DomainError while it has any."""
    department = _locked(department_id, version)
    if not department.active:
        return department
    left = _left_in(department)
    if left:
        raise DomainError(f"{department.name} cannot be closed yet: {left}. See to them first.")
    department.active = False
    return _told("department.close", f"Closed the department {department.name}", department, actor)


def reopen_department(department_id: int, *, version: int, actor: User) -> Department:
    """It takes patients and people again."""
    department = _locked(department_id, version)
    if department.active:
        return department
    department.active = True
    return _told("department.reopen", f"Opened the department {department.name} again", department, actor)


def _left_in(department: Department) -> str:
    """What still belongs to it, in words; empty when nothing does."""
    here = department.id
    counts = {
        ("person works or studies in it", "people work or study in it"): select(func.count(User.id)).where(
            User.department_id == here, User.active
        ),
        ("patient is in its queue", "patients are in its queue"): select(func.count(QueueEntry.id)).where(
            QueueEntry.department_id == here, QueueEntry.ended_at.is_(None)
        ),
        ("visit is planned in it", "visits are planned in it"): select(func.count(Visit.id)).where(
            Visit.department_id == here, Visit.status.in_(PLANNED)
        ),
        ("request waits for its supervisors", "requests wait for its supervisors"): select(
            func.count(Request.id)
        ).where(Request.department_id == here, Request.status == RequestStatus.PENDING),
        ("patient waits there for an owner", "patients wait there for an owner"): select(func.count(Unowned.patient_id))
        .join(Patient, Patient.id == Unowned.patient_id)
        .where(Unowned.department_id == here, Patient.archived_at.is_(None)),
        ("display shows it", "displays show it"): select(func.count(Display.id)).where(
            Display.department_id == here, Display.paired_at.is_not(None), Display.revoked_at.is_(None)
        ),
    }
    found = db.session.execute(select(*(count.scalar_subquery() for count in counts.values()))).one()
    said = [number_of(number, *words) for words, number in zip(counts, found, strict=True) if number]
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _check_free(*taken: Any) -> None:
    other = db.session.scalars(select(Department).where(or_(*taken)).limit(1)).first()
    if other:
        raise DomainError(
            f"{other.name} has that name or its tickets begin with {other.letter} already. Choose another."
        )


def _locked(department_id: int, version: int, mine: dict[str, Any] | None = None) -> Department:
    department = locked(Department, department_id)
    if department.version != version:
        state = "open" if department.active else "closed"
        raise Conflict(
            f"Somebody changed this department meanwhile: it is called {department.name} and is {state}.",
            theirs={"name": department.name},
            mine=mine,
        )
    return department


def _told(act: str, said: str, department: Department, actor: User, **facts: Any) -> Department:
    audit.record(act, said, actor=actor, subject=department, **facts)
    nudge_department(department.id)
    db.session.flush()
    return department
