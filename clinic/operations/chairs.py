"""Chairs: added, renamed, retired; out of service with a reason, and back."""

from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import number_of
from clinic.models import PLANNED, Chair, QueueEntry, User, Visit
from clinic.operations.locks import locked
from clinic.operations.nudges import nudge_department
from clinic.text import one_line


def add_chair(department_id: int, *, name: str, actor: User) -> Chair:
    """A chair more in a department."""
    name = _fit(name)
    _check_free(department_id, name)
    try:  # not in a savepoint: a deadlock must come out as one, so that the act is redone
        made: Any = db.session.execute(
            insert(Chair.__table__).values(department_id=department_id, name=name, version=1)  # type: ignore[arg-type]
        )
    except IntegrityError:
        raise Conflict(f"Somebody added chair {name} at the same moment.") from None
    chair = db.session.get_one(Chair, made.inserted_primary_key[0])
    return _told("chair.add", f"Chair {name} was added", chair, actor, None)


def rename_chair(chair_id: int, *, name: str, version: int, actor: User) -> Chair:
    """Give a chair another name."""
    chair, name = _locked(chair_id, version), _fit(name)
    if name == chair.name:
        return chair
    _check_free(chair.department_id, name)
    before, chair.name = chair.name, name
    facts = {"before": {"name": before}, "after": {"name": name}}
    return _told("chair.rename", f"Chair {before} is called {name} now", chair, actor, None, **facts)


def retire_chair(chair_id: int, *, version: int, actor: User) -> Chair:
    """It is no longer used; what happened in it stays. Raises DomainError while somebody is in it or visits have it booked."""
    chair = _locked(chair_id, version)
    taken = select(func.count(QueueEntry.id)).where(QueueEntry.open_chair_id == chair.id)
    booked = select(func.count(Visit.id)).where(Visit.chair_id == chair.id, Visit.status.in_(PLANNED))
    taken_by, booked_by = db.session.execute(select(taken.scalar_subquery(), booked.scalar_subquery())).one()
    if taken_by:
        raise DomainError(f"A patient is in chair {chair.name}. Move them first.")
    if booked_by:
        raise DomainError(
            f"Chair {chair.name} is booked for {number_of(booked_by, 'planned visit')}. Reception can move them."
        )
    chair.retired_at = clock.now()
    return _told("chair.retire", f"Chair {chair.name} was retired", chair, actor, None)


def bring_chair_back(chair_id: int, *, version: int, actor: User) -> Chair:
    """A retired chair is used again."""
    chair = _locked(chair_id, version)
    chair.retired_at = None
    return _told("chair.bring_back", f"Chair {chair.name} is used again", chair, actor, None)


def take_out_of_service(chair: Chair, *, reason: str, version: int, actor: User) -> Chair:
    """Nobody can be called to it from now on; a patient who is in it stays until moved."""
    chair = _locked(chair.id, version)
    reason = one_line(reason)
    if not 3 <= len(reason) <= 200:
        raise DomainError("Say why, in 3 to 200 characters.")
    chair.out_of_service = reason
    return _told("chair.out", f"Chair {chair.name} was taken out of service", chair, actor, reason)


def return_to_service(chair: Chair, *, version: int, actor: User) -> Chair:
    """Patients can be called to it again."""
    chair = _locked(chair.id, version)
    chair.out_of_service = None
    return _told("chair.back", f"Chair {chair.name} is back in service", chair, actor, None)


def _locked(chair_id: int, version: int) -> Chair:
    chair = locked(Chair, chair_id)
    if chair.version != version:
        raise Conflict(f"Chair {chair.name} was changed meanwhile; it is {_state(chair)} now.")
    return chair


def _state(chair: Chair) -> str:
    if chair.retired_at is not None:
        return "retired"
    return f"out of service: {chair.out_of_service}" if chair.out_of_service else "in service"


def _fit(name: str) -> str:
    name = one_line(name)
    if not 0 < len(name) <= 60:
        raise DomainError("A chair needs a name, of at most 60 letters.")
    return name


def _check_free(department_id: int, name: str) -> None:
    other = db.session.scalars(select(Chair).where(Chair.department_id == department_id, Chair.name == name)).first()
    if other:
        how = "It is retired: bring it back, or choose another name." if other.retired_at else "Choose another name."
        raise DomainError(f"There is a chair {name} in this department already. {how}")


def _told(act: str, said: str, chair: Chair, actor: User, reason: str | None, **facts: Any) -> Chair:
    audit.record(act, said, actor=actor, subject=chair, reason=reason, **facts)
    nudge_department(chair.department_id)
    db.session.flush()
    return chair
