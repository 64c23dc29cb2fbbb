"""What the trail already says of a person."""

from datetime import datetime

from sqlalchemy import func, select

from clinic.extensions import db
from clinic.models import AuditEvent, User


def read_lately(viewer: User, act: str, since: datetime) -> bool:
    """Whether this act of the viewer was written down since an instant, as far as their last thirty acts tell. One query."""
    last = (
        select(AuditEvent.act, AuditEvent.at)
        .where(AuditEvent.actor_id == viewer.id)
        .order_by(AuditEvent.id.desc())
        .limit(30)
        .subquery()
    )
    at = db.session.execute(select(func.max(last.c.at)).where(last.c.act == act)).scalar_one()
    return at is not None and at >= since
