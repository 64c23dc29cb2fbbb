"""Chairs: out of service with a reason, and back."""

from clinic import audit, live
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import Chair, User
from clinic.operations.locks import locked


def take_out_of_service(chair: Chair, *, reason: str, version: int, actor: User) -> Chair:
    """Nobody can be called to it from now on; a patient who is in it stays until moved."""
    chair = _locked(chair, version)
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= 200:
        raise DomainError("Say why, in 3 to 200 characters.")
    chair.out_of_service = reason
    return _told("chair.out", f"Chair {chair.name} was taken out of service", chair, actor, reason)


def return_to_service(chair: Chair, *, version: int, actor: User) -> Chair:
    """Patients can be called to it again."""
    chair = _locked(chair, version)
    chair.out_of_service = None
    return _told("chair.back", f"Chair {chair.name} is back in service", chair, actor, None)


def _locked(chair: Chair, version: int) -> Chair:
    chair = locked(Chair, chair.id)
    if chair.version != version:
        state = f"out of service: {chair.out_of_service}" if chair.out_of_service else "in service"
        raise Conflict(f"Chair {chair.name} was changed meanwhile; it is {state} now.")
    return chair


def _told(act: str, said: str, chair: Chair, actor: User, reason: str | None) -> Chair:
    audit.record(act, said, actor=actor, subject=chair, reason=reason)
    live.nudge(f"queue:{chair.department_id}")
    db.session.flush()
    return chair
