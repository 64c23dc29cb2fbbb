"""Departments and the chairs they begin with."""

import re

from sqlalchemy import or_, select

from clinic import audit
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import Chair, Department, User


def open_department(*, name: str, letter: str, chairs: int, actor: User | None) -> Department:
    """A new department whose tickets begin with `letter`, with chairs A1, A2, ... `actor` is None on the command line only."""
    name, letter = name.strip(), letter.strip().upper()
    if not name or not re.fullmatch("[A-Z]{1,2}", letter):
        raise DomainError("A department needs a name, and one or two letters A to Z that begin its tickets.")
    taken = select(Department).where(or_(Department.name == name, Department.letter == letter)).limit(1)
    other = db.session.scalars(taken).first()
    if other:
        raise DomainError(
            f"{other.name} has that name or its tickets begin with {other.letter} already. Choose another."
        )
    department = Department(name=name, letter=letter)
    db.session.add(department)
    db.session.flush()
    db.session.add_all(Chair(department_id=department.id, name=f"{letter}{number}") for number in range(1, chairs + 1))
    db.session.flush()
    said = f"Opened the department {name} with {chairs} chairs"
    audit.record("department.open", said, actor=actor, subject=department)
    return department
