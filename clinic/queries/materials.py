"""Material used on patients, by visit; and what was used lately, to choose from."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import joinedload

from clinic import clock
from clinic.extensions import db
from clinic.models import MaterialUse, User
from clinic.queries.scope import may_see

MOST = 100  # of one visit
LATELY = timedelta(days=90)
MOST_OFFERED = 200


def uses_in(viewer: User, visit_id: int) -> list[MaterialUse]:
    """What was used in a visit, what was taken back too, in order; `MOST` at most, as a visit has. One query."""
    return list(db.session.execute(_visible(viewer).where(MaterialUse.visit_id == visit_id).limit(MOST)).scalars())


def use_for(viewer: User, visit_id: int, use_id: int) -> MaterialUse | None:
    """One of them; None for one that the viewer may not see."""
    found = _visible(viewer).where(MaterialUse.visit_id == visit_id, MaterialUse.id == use_id)
    return db.session.execute(found).scalar_one_or_none()


def used_lately() -> list[tuple[str, str]]:
    """Materials with their unit that the clinic used in three months on more than one patient, most often first: what was typed once may
    say something of somebody. One query."""
    used = select(MaterialUse.material, MaterialUse.unit).where(
        MaterialUse.recorded_at > clock.now() - LATELY, MaterialUse.taken_back_at.is_(None)
    )
    several = func.count(MaterialUse.patient_id.distinct()) > 1
    often = (
        used.group_by(MaterialUse.material, MaterialUse.unit)
        .having(several)
        .order_by(func.count().desc(), MaterialUse.material, MaterialUse.unit)
    )
    return [(row.material, row.unit) for row in db.session.execute(often.limit(MOST_OFFERED))]


def _visible(viewer: User) -> Select[Any]:
    people = (joinedload(MaterialUse.recorded_by), joinedload(MaterialUse.taken_back_by))
    return select(MaterialUse).where(may_see(viewer, MaterialUse.patient_id)).options(*people).order_by(MaterialUse.id)
