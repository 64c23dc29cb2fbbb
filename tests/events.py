"""Many events, written straight into the trail: for lists, pages and exports; and the book-keeping of how they lie in time."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update

from clinic import audit, clock
from clinic.extensions import db
from clinic.models import AuditEvent, AuditHead


def write_event(**changes: Any) -> int:
    """One event; its number."""
    return write_events([changes])


def write_events(rows: list[dict[str, Any]], *, chained: bool = True) -> int:
    """These events, in this order, at the end of the chain; the number of the last."""
    seq, mac = db.session.execute(select(AuditHead.seq, AuditHead.mac).where(AuditHead.id == 1)).one()
    events = []
    for changes in rows:
        seq += 1
        row = blank() | changes | {"id": seq}
        said = row | {"at": row["at"].isoformat()}
        mac = row["mac"] = (
            audit.mac_of(audit.key(), mac, [said[name] for name in audit.COVERED]) if chained else "0" * 64
        )
        events.append(row)
    db.session.execute(insert(AuditEvent), events)
    db.session.execute(update(AuditHead).values(seq=seq, mac=mac))
    db.session.commit()
    return seq


def blank() -> dict[str, Any]:
    """An event of nobody about nothing, now."""
    return {
        "at": clock.now(),
        "actor_id": None,
        "role": "",
        "act": "patient.open",
        "subject": "",
        "patient_id": None,
        "sentence": "Opened",
        "before": None,
        "after": None,
        "reason": None,
        "address": "",
        "device": "",
    }


def days_ago(days: int, *, hour: int = 10) -> datetime:
    """An hour of the clinic's day so many days ago."""
    return clock.start_of(clock.today() - timedelta(days=days)) + timedelta(hours=hour)


def event_total() -> int:
    return db.session.scalar(select(func.count(AuditEvent.id))) or 0
