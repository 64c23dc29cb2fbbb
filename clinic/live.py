"""The outbox of changes. An operation says `nudge(topic)`; the row is written in the same transaction, last before its commit.

The sequence comes from one counter row that stays locked until the commit, so numbers appear in commit order without gaps:
"greater than the last I saw" never skips a change (docs/decisions/0004-live-sequence.md).
"""

from collections.abc import Callable, Iterable

from flask import current_app
from sqlalchemy import event, func, insert, select, union_all, update
from sqlalchemy.orm import Session, SessionTransaction

from clinic import audit, clock
from clinic.extensions import db
from clinic.models import Change, Counter

SEQUENCE = "live"


def nudge(topic: str) -> None:
    """Say that something changed, e.g. `queue:3` for the queue of department 3. Written once per topic and transaction."""
    session = db.session()
    if not session.in_transaction():
        session.begin()  # so that a rollback is heard even when nothing was asked of the database yet
    session.info.setdefault("nudges", {})[topic] = None


def newest(topics: Iterable[str]) -> int:
    """The newest committed sequence number among these topics, 0 when there is none; one query, one index seek per topic.

    A fragment reads it *before* its data: what commits in between is then shown now and once more, and never missed.
    """
    of_each = [select(func.max(Change.seq)).where(Change.topic == topic) for topic in topics]
    if not of_each:
        return 0
    return max(seq or 0 for seq in db.session.execute(union_all(*of_each)).scalars())


def last_seq() -> int:
    """The newest sequence number that has committed."""
    return db.session.execute(select(Counter.value).where(Counter.name == SEQUENCE)).scalar_one()


# Everyone takes the end of the trail's chain first and the counter second: `audit` is imported above, so it hears a commit before us.
FIRST = audit.append


@event.listens_for(Session, "before_commit")
def _write_outbox(session: Session) -> None:
    # The end of a savepoint is no commit: writing there would take the counter's lock early, and write a topic twice.
    if session.in_nested_transaction():
        return
    nudges = session.info.pop("nudges", None)
    if not nudges:
        return
    session.flush()
    session.execute(update(Counter).where(Counter.name == SEQUENCE).values(value=Counter.value + len(nudges)))
    last = session.execute(select(Counter.value).where(Counter.name == SEQUENCE)).scalar_one()
    first = last - len(nudges) + 1
    at = clock.now()
    session.execute(insert(Change), [{"seq": first + i, "topic": topic, "at": at} for i, topic in enumerate(nudges)])
    session.info["nudged"] = True


@event.listens_for(Session, "after_commit")
def _wake(session: Session) -> None:
    if not session.in_nested_transaction() and session.info.pop("nudged", False) and current_app:
        wake: Callable[[], None] | None = current_app.extensions.get("live_wake")
        if wake:
            wake()


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    # A savepoint rolled back keeps them: the outer act's own nudges are among them, and one too many costs a 204.
    if previous.parent is None:
        session.info.pop("nudges", None)
        session.info.pop("nudged", None)
