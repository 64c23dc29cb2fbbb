"""What a person may hear of: topics of the live stream."""

from sqlalchemy import or_, select

from clinic.extensions import db
from clinic.models import Department, Role, User, Visit, VisitStatus

KINDS = ("queue", "calls")


def audible_topics(viewer: User) -> set[str]:
    """Every topic the viewer may hear. A nudge says only that a department's queue or calls changed, never whose.

    Front desk and nurses: every department. Supervisors and students: their own, and those of visits under them that are
    planned or going on. Administrators: none. At most two queries.
    """
    if viewer.role is Role.ADMIN:
        return set()
    if viewer.role in (Role.RECEPTIONIST, Role.NURSE):
        departments = set(db.session.execute(select(Department.id).where(Department.active)).scalars())
    else:
        of_visits = select(Visit.department_id).where(
            Visit.status.in_((VisitStatus.SCHEDULED, VisitStatus.ARRIVED)),
            or_(Visit.student_id == viewer.id, Visit.supervisor_id == viewer.id),
        )
        departments = set(db.session.execute(of_visits.distinct()).scalars())
        if viewer.department_id:
            departments.add(viewer.department_id)
    return {f"{kind}:{department}" for kind in KINDS for department in departments}
