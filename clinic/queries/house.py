"""How the house stands, for those who run it: numbers only, no patient."""

from dataclasses import dataclass

from sqlalchemy import func, select

from clinic.extensions import db
from clinic.models import Chair, Department, Display, Role, User


@dataclass(frozen=True)
class House:
    people: int  # who may sign in
    must_change_password: int  # of them, with a temporary password still
    departments: int
    chairs: int
    chairs_out: int  # of them, out of service
    displays: int  # paired and not revoked
    displays_waiting: int  # showing a code, not yet paired


def house_for(viewer: User) -> House | None:
    """The numbers of the whole house in one query; None for anyone but an administrator."""
    if viewer.role is not Role.ADMIN:
        return None
    numbers = (
        select(func.count(User.id)).where(User.active),
        select(func.count(User.id)).where(User.active, User.must_change_password),
        select(func.count(Department.id)).where(Department.active),
        select(func.count(Chair.id)).where(Chair.retired_at.is_(None)),
        select(func.count(Chair.id)).where(Chair.retired_at.is_(None), Chair.out_of_service.is_not(None)),
        select(func.count(Display.id)).where(Display.paired_at.is_not(None), Display.revoked_at.is_(None)),
        select(func.count(Display.id)).where(Display.paired_at.is_(None), Display.revoked_at.is_(None)),
    )
    return House(*db.session.execute(select(*(number.scalar_subquery() for number in numbers))).one())
