"""Whom a viewer may see: the one place where patients are narrowed to a person. Every other query starts here."""

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from clinic import clock
from clinic.models import Assignment, Patient, Role, User, Visit, VisitStatus


def visible_patients(viewer: User) -> Select[Patient]:
    """Every patient the viewer may see, archived ones too; no order, no limit."""
    return select(Patient).where(may_see(viewer, Patient.id))


def may_see(viewer: User, patient_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """The condition under which the viewer may see the patient whose id is in this column.

    Front desk and nurses: everyone. Students: an assignment of their own that is running. Supervisors: an assignment of their own or
    of a student of their department, or a visit under them or of someone present in their department. Administrators: nobody.
    """
    if viewer.role in (Role.RECEPTIONIST, Role.NURSE):
        return true()
    if viewer.role is Role.STUDENT:
        return exists().where(Assignment.patient_id == patient_id, Assignment.user_id == viewer.id, is_running())
    if viewer.role is Role.SUPERVISOR:
        student = aliased(User)
        of_department = (
            exists()
            .where(Assignment.patient_id == patient_id, is_running())
            .where(Assignment.user_id == student.id, _of_department(student, viewer))
        )
        own = exists().where(Assignment.patient_id == patient_id, Assignment.user_id == viewer.id, is_running())
        visiting = exists().where(
            Visit.patient_id == patient_id,
            Visit.status.in_((VisitStatus.SCHEDULED, VisitStatus.ARRIVED)),
            or_(
                Visit.supervisor_id == viewer.id,
                and_(Visit.status == VisitStatus.ARRIVED, Visit.department_id == viewer.department_id),
            ),
        )
        return or_(own, of_department, visiting)
    return false()


def is_running() -> ColumnElement[bool]:
    """An assignment in force at this instant."""
    at = clock.now()
    return and_(Assignment.starts_at <= at, or_(Assignment.ends_at.is_(None), Assignment.ends_at > at))


def _of_department(student: type[User], viewer: User) -> ColumnElement[bool]:
    return and_(student.role == Role.STUDENT, student.department_id == viewer.department_id)
