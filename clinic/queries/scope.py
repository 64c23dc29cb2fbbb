"""Whom a viewer may see: the one place where patients are narrowed to a person. Every other query starts here."""

from contextvars import ContextVar
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, Subquery, and_, bindparam, false, or_, select, true, union
from sqlalchemy.orm import InstrumentedAttribute, aliased

from clinic import clock, settings
from clinic.models import Assignment, BrokenGlass, Patient, QueueEntry, Role, Unowned, User, Visit, VisitStatus

# Whether a broken glass lets the viewer see: while something is only looked at, never while something is changed. Set for the
# time of a request by the web layer, by its method.
only_looking: ContextVar[bool] = ContextVar("only_looking", default=False)

# Aliases, made once: a grant must not take a table of the query it is put into for its own.
ASSIGNMENT, STUDENT, VISIT = aliased(Assignment), aliased(User), aliased(Visit)
UNOWNED, GLASS, SUPERVISOR = aliased(Unowned), aliased(BrokenGlass), aliased(User)


def visible_patients(viewer: User) -> Select[Patient]:
    """Every patient the viewer may see, archived ones too; no order, no limit."""
    return select(Patient).where(may_see(viewer, Patient.id))


def may_see(viewer: User, patient_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """The condition under which the viewer may see the patient whose id is in this column."""
    return true() if sees_everyone(viewer) else _any_of(_grants(viewer), patient_id)


def is_given(viewer: User, patient_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """The condition under which the viewer may see and change the patient: without what a broken glass only shows."""
    return true() if sees_everyone(viewer) else _is_given(viewer.role, viewer.id, viewer.department_id, patient_id)


@lru_cache(maxsize=4096)
def _is_given(
    role: Role, person_id: int, department_id: int | None, patient_id: InstrumentedAttribute[int]
) -> ColumnElement[bool]:
    """Kept, as an inbox puts it together two dozen times, and it says nothing of the instant at which it is asked."""
    return _any_of(_given(User(id=person_id, role=role, department_id=department_id)), patient_id)


def supervisors_given(patient_id: int) -> Select[int, int | None]:
    """The `id` and `department_id` of every supervisor at work who is given the patient, as `is_given` tells it of each."""
    return select(SUPERVISOR.id, SUPERVISOR.department_id).where(
        SUPERVISOR.role == Role.SUPERVISOR, SUPERVISOR.active, _any_of(_given_to_supervisor(SUPERVISOR), patient_id)
    )


def _any_of(grants: list[Select[int]], patient_id: InstrumentedAttribute[int] | int) -> ColumnElement[bool]:
    granted = [grant.where(grant.selected_columns[0] == patient_id).exists() for grant in grants]
    return or_(*granted) if granted else false()


def seen_ids(viewer: User) -> Subquery:
    """The ids (column `id`) of the patients a viewer who does not see everyone may see: the start of their lists and searches.

    They are few, whereas testing `may_see` on each of all patients in some order is slow.
    """
    grants = _grants(viewer) or [select(Patient.id).where(false())]
    ids = [grant.with_only_columns(grant.selected_columns[0].label("id")).distinct() for grant in grants]
    return (union(*ids) if len(ids) > 1 else ids[0]).subquery()  # a patient granted twice is there once


def sees_everyone(viewer: User) -> bool:
    """Front desk and nurses look after all patients."""
    return viewer.role in (Role.RECEPTIONIST, Role.NURSE)


def _grants(viewer: User) -> list[Select[int]]:
    """What lets a viewer see a patient, each as a select of patient ids.

    Students: an assignment of their own that is running. Supervisors: an assignment of their own or of a student of their
    department, a visit under them or of someone present in their department, or a patient whom a student of their department has
    left without an owner. Everyone, while looking: a glass they broke.
    """
    return _given(viewer) + ([_by_glass(viewer)] if only_looking.get() else [])


def _given(viewer: User) -> list[Select[int]]:
    if viewer.role is Role.STUDENT:
        return [_assigned(viewer)]
    return _given_to_supervisor(viewer) if viewer.role is Role.SUPERVISOR else []


def _assigned(viewer: User | type[User]) -> Select[int]:
    return select(ASSIGNMENT.patient_id).where(ASSIGNMENT.user_id == viewer.id, is_running(ASSIGNMENT))


def _given_to_supervisor(viewer: User | type[User]) -> list[Select[int]]:
    """`viewer`: a supervisor, or the table of people of a query around this, for each of its rows."""
    assignment, student, visit, unowned = ASSIGNMENT, STUDENT, VISIT, UNOWNED
    of_department = (
        select(assignment.patient_id)
        .join(student, assignment.user_id == student.id)
        .where(_of_department(student, viewer), is_running(assignment))
    )
    under_them = select(visit.patient_id).where(
        visit.supervisor_id == viewer.id, visit.status.in_((VisitStatus.SCHEDULED, VisitStatus.ARRIVED))
    )
    present = select(visit.patient_id).where(
        visit.status == VisitStatus.ARRIVED, visit.department_id == viewer.department_id
    )
    left = select(unowned.patient_id).where(unowned.department_id == viewer.department_id)
    return [_assigned(viewer), of_department, under_them, present, left]


def _by_glass(viewer: User) -> Select[int]:
    glass = GLASS
    return select(glass.patient_id).where(glass.user_id == viewer.id, is_open_glass(glass))


def is_open_glass(glass: type[BrokenGlass] = BrokenGlass) -> ColumnElement[bool]:
    """A broken glass through which one can still look at this instant."""
    at = clock.now()
    return and_(glass.opened_at <= at, glass.expires_at > at, glass.closed_at.is_(None))


def may_move(viewer: User) -> ColumnElement[bool]:
    """The condition under which the viewer may see and move a queue entry, joined with its visit.

    Front desk and nurses: every entry. Students: visits that are theirs, of patients they are given. Supervisors: their department
    and visits under them, of patients they are given, so that nobody is named who has left; and what they moved themselves, as long
    as they may undo it. Administrators: none.
    """
    if viewer.role in (Role.RECEPTIONIST, Role.NURSE):
        return true()
    if viewer.role is Role.STUDENT:
        return and_(Visit.student_id == viewer.id, is_given(viewer, Visit.patient_id))
    if viewer.role is Role.SUPERVISOR:
        theirs = or_(QueueEntry.department_id == viewer.department_id, Visit.supervisor_id == viewer.id)
        since = clock.now() - timedelta(minutes=settings.read("undo_minutes"))
        return or_(
            and_(theirs, is_given(viewer, Visit.patient_id)),
            and_(QueueEntry.moved_by_id == viewer.id, QueueEntry.started_at >= since),
        )
    return false()


def is_running(assignment: type[Assignment] = Assignment) -> ColumnElement[bool]:
    """An assignment in force at the instant at which this is asked."""
    at: BindParameter[Any] = bindparam("now", callable_=lambda: clock.now(), unique=True)
    return and_(assignment.starts_at <= at, or_(assignment.ends_at.is_(None), assignment.ends_at > at))


def _of_department(student: type[User], viewer: User | type[User]) -> ColumnElement[bool]:
    return and_(student.role == Role.STUDENT, student.department_id == viewer.department_id)
