"""Visits within a viewer's scope."""

from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload

from clinic import clock
from clinic.extensions import db
from clinic.models import User, Visit
from clinic.queries import scope

MOST = 500  # visits of a department's day


def visit_for(viewer: User, visit_id: int) -> Visit | None:
    """One visit with patient, people and places; None when there is none that the viewer may see."""
    return db.session.execute(_visits(viewer).where(Visit.id == visit_id)).scalar_one_or_none()


def day_of(viewer: User, department_id: int, day: date) -> list[Visit]:
    """The visits of a department on a clinic day, by time; at most `MOST`."""
    start, end = clock.bounds(day)
    of_day = _visits(viewer).where(
        Visit.department_id == department_id, Visit.starts_at >= start, Visit.starts_at < end
    )
    return list(db.session.execute(of_day.order_by(Visit.starts_at, Visit.id).limit(MOST)).scalars())


def _visits(viewer: User) -> Select[Visit]:
    return (
        select(Visit)
        .where(scope.may_see(viewer, Visit.patient_id))
        .options(
            joinedload(Visit.patient),
            joinedload(Visit.department),
            joinedload(Visit.chair),
            joinedload(Visit.student),
            joinedload(Visit.supervisor),
        )
    )
