"""What the trail already says of a person."""

from datetime import timedelta

from sqlalchemy import func, select

from clinic import clock
from clinic.extensions import db
from clinic.models import AuditEvent, User

STILL = timedelta(minutes=15)  # for which what was opened of a patient stands for what its page shows besides
LATELY = timedelta(minutes=1)  # of what is asked at each keystroke, the first in this time is told


def read_lately(viewer: User, act: str) -> bool:
    """Whether this act of the viewer was told within `LATELY`, as far as their last thirty acts tell. One query."""
    last = (
        select(AuditEvent.act, AuditEvent.at)
        .where(AuditEvent.actor_id == viewer.id)
        .order_by(AuditEvent.id.desc())
        .limit(30)
        .subquery()
    )
    at = db.session.execute(select(func.max(last.c.at)).where(last.c.act == act)).scalar_one()
    return at is not None and at >= clock.now() - LATELY


def opened_lately(viewer: User, patient_id: int) -> bool:
    """Whether the trail has anything of the viewer about this patient within `STILL`. One query."""
    theirs = select(func.max(AuditEvent.id)).where(
        AuditEvent.patient_id == patient_id, AuditEvent.actor_id == viewer.id
    )
    at = db.session.execute(select(AuditEvent.at).where(AuditEvent.id == theirs.scalar_subquery())).scalar_one_or_none()
    return at is not None and at >= clock.now() - STILL
