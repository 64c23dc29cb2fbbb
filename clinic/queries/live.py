"""What a person may hear of: topics of the live stream, `kind:number`."""

from sqlalchemy import and_, or_, select

from clinic.extensions import db
from clinic.models import Department, Role, User, Visit, VisitStatus
from clinic.queries import scope

KINDS = ("queue", "calls")


def audible_topics(viewer: User) -> set[str]:
    """Every topic the viewer may hear. A nudge says only that something of a department or of a person changed, never what."""
    return care_topics(viewer) | own_topics(viewer)


def own_topics(viewer: User) -> set[str]:
    """What each of the viewer's pages listens to: what was told to them alone, or changed of a visit that is theirs, and what waits for
    approval in a supervisor's department. No query.
    """
    topics = {f"person:{viewer.id}"}
    if viewer.role is Role.SUPERVISOR and viewer.department_id:
        topics.add(f"approvals:{viewer.department_id}")
    return topics


def care_topics(viewer: User) -> set[str]:
    """The queues and calls of departments the viewer may hear of.

    Front desk and nurses: every department. Supervisors and students: their own, and those of visits under them that are
    planned or going on (students: of patients they still have; a broken glass adds none, as it ends while the stream goes on).
    Administrators: none. At most one query.
    """
    if viewer.role is Role.ADMIN:
        return set()
    if viewer.role in (Role.RECEPTIONIST, Role.NURSE):
        departments = set(db.session.execute(select(Department.id).where(Department.active)).scalars())
    else:
        of_visits = select(Visit.department_id).where(
            Visit.status.in_((VisitStatus.SCHEDULED, VisitStatus.ARRIVED)),
            or_(
                and_(Visit.student_id == viewer.id, scope.is_given(viewer, Visit.patient_id)),
                Visit.supervisor_id == viewer.id,
            ),
        )
        departments = set(db.session.execute(of_visits.distinct()).scalars())
        if viewer.department_id:
            departments.add(viewer.department_id)
    return {f"{kind}:{department}" for kind in KINDS for department in departments}
