"""Departments, chairs, and the people one chooses from. Places hold no patient data: every signed-in person may know them."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from clinic.extensions import db
from clinic.models import Assignment, Chair, Department, Role, User
from clinic.queries import scope


def departments(viewer: User) -> list[Department]:
    """The departments in use, by name."""
    del viewer
    return list(
        db.session.scalars(
            select(Department).where(Department.active).order_by(Department.name, Department.id).limit(100)
        )
    )


def own_departments(viewer: User) -> list[Department]:
    """The departments whose whole board and waits the viewer may see: a supervisor's own, everyone else's all."""
    every = departments(viewer)
    return [row for row in every if row.id == viewer.department_id] if viewer.role is Role.SUPERVISOR else every


def one_of(every: list[Department], wanted: int | None, own: int | None) -> Department | None:
    """The wanted department; without a wish one's own, or else the first. None when the wanted one is not among them."""
    if wanted is not None:
        return next((row for row in every if row.id == wanted), None)
    return next((row for row in every if row.id == own), every[0] if every else None)


def department_of(viewer: User, wanted: int | None) -> Department | None:
    """The wanted department; without a wish the viewer's own, or else the first. None when there is no such department."""
    return one_of(departments(viewer), wanted, viewer.department_id)


def chairs(viewer: User, department_id: int | None = None) -> list[Chair]:
    """The chairs of a department, or of all in use, by department and name."""
    del viewer
    query = (
        select(Chair)
        .join(Department, Department.id == Chair.department_id)
        .where(Department.active, Chair.retired_at.is_(None))
    )
    if department_id is not None:
        query = query.where(Chair.department_id == department_id)
    return list(db.session.scalars(query.order_by(Department.name, Chair.name, Chair.id).limit(1000)))


def chair_for(viewer: User, chair_id: int) -> Chair | None:
    """One chair."""
    del viewer
    return db.session.get(Chair, chair_id)


def students_of(viewer: User, patient_id: int) -> list[User]:
    """The students to whom the patient is assigned now, by name; nobody when the viewer may not see the patient."""
    assigned = select(Assignment.user_id).where(
        Assignment.patient_id == patient_id, scope.is_running(), scope.may_see(viewer, Assignment.patient_id)
    )
    return _people(User.role == Role.STUDENT, User.id.in_(assigned))


def supervisors(viewer: User) -> list[User]:
    """The supervisors who may be given a visit, by name."""
    del viewer
    return _people(User.role == Role.SUPERVISOR)


def _people(*which: ColumnElement[bool]) -> list[User]:
    return list(db.session.scalars(select(User).where(User.active, *which).order_by(User.name, User.id).limit(1000)))


@dataclass(frozen=True)
class DepartmentState:
    department: Department
    chairs: int  # in use
    people: int  # who may sign in


def every_department(viewer: User) -> list[DepartmentState]:
    """Every department, the closed ones last, with how much belongs to it; for the pages of settings. One query."""
    del viewer
    in_use = (
        select(func.count(Chair.id))
        .where(Chair.department_id == Department.id, Chair.retired_at.is_(None))
        .scalar_subquery()
    )
    people = select(func.count(User.id)).where(User.department_id == Department.id, User.active).scalar_subquery()
    found = db.session.execute(
        select(Department, in_use, people).order_by(Department.active.desc(), Department.name, Department.id).limit(200)
    )
    return [DepartmentState(*row) for row in found]


def any_department(viewer: User, department_id: int) -> Department | None:
    """One department, closed ones too."""
    del viewer
    return db.session.get(Department, department_id)


def every_chair(viewer: User, department_id: int) -> list[Chair]:
    """The chairs of a department, the retired ones last."""
    del viewer
    wanted = select(Chair).where(Chair.department_id == department_id)
    by_name = (Chair.retired_at.is_not(None), func.length(Chair.name), Chair.name, Chair.id)
    return list(db.session.scalars(wanted.order_by(*by_name).limit(500)))
