"""The outbox of changes. An operation says `nudge(topic)`; the row is written in the same transaction, last before its commit.

The sequence comes from one counter row that stays locked until the commit, so numbers appear in commit order without gaps:
"greater than the last I saw" never skips a change (docs/decisions/0004).
"""

from sqlalchemy import event, insert, select, update
from sqlalchemy.orm import Session

from clinic import clock
from clinic.extensions import db
from clinic.models import Change, Counter

SEQUENCE = "live"


def nudge(topic: str) -> None:
    """Say that something changed, e.g. `queue:3` for the queue of department 3. Written once per topic and transaction."""
    db.session.info.setdefault("nudges", {})[topic] = None


@event.listens_for(Session, "before_commit")
def _write_outbox(session: Session) -> None:
    nudges = session.info.pop("nudges", None)
    if not nudges:
        return
    session.flush()
    session.execute(update(Counter).where(Counter.name == SEQUENCE).values(value=Counter.value + len(nudges)))
    last = session.execute(select(Counter.value).where(Counter.name == SEQUENCE)).scalar_one()
    first = last - len(nudges) + 1
    at = clock.now()
    session.execute(insert(Change), [{"seq": first + i, "topic": topic, "at": at} for i, topic in enumerate(nudges)])


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: object) -> None:
    session.info.pop("nudges", None)


def last_seq() -> int:
    """The newest sequence number that has committed."""
    return db.session.execute(select(Counter.value).where(Counter.name == SEQUENCE)).scalar_one()
