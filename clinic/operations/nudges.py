"""Who hears that a queue has changed: the boards of its department, and whoever treats the patient, on pages of their own."""

from sqlalchemy import select

from clinic import live
from clinic.extensions import db
from clinic.models import EXPECTED, Visit


def nudge_visit(visit: Visit) -> None:
    """Something of this visit has changed."""
    live.nudge(f"queue:{visit.department_id}")
    if visit.student_id is not None:
        live.nudge(f"person:{visit.student_id}")


def nudge_department(department_id: int) -> None:
    """Something has changed that may stand beside any visit of a department that is planned or under way."""
    live.nudge(f"queue:{department_id}")
    here = select(Visit.student_id).where(Visit.department_id == department_id, Visit.status.in_(EXPECTED))
    for student_id in db.session.scalars(here.where(Visit.student_id.is_not(None)).distinct()):
        live.nudge(f"person:{student_id}")
