"""The outbox: once per topic and transaction, last before the commit, in commit order."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from clinic import live
from clinic.extensions import db
from clinic.models import Change, Counter


def _topics() -> list[str]:
    return list(db.session.execute(select(Change.topic).order_by(Change.seq)).scalars())


def test_a_topic_is_written_once_per_transaction_and_numbers_have_no_gaps(session):
    before = live.last_seq()
    live.nudge("queue:1")
    live.nudge("calls:1")
    live.nudge("queue:1")
    session.commit()
    live.nudge("queue:1")
    session.commit()
    rows = session.execute(select(Change.seq, Change.topic).where(Change.seq > before).order_by(Change.seq)).all()
    assert [tuple(row) for row in rows] == [
        (before + 1, "queue:1"),
        (before + 2, "calls:1"),
        (before + 3, "queue:1"),
    ]
    assert live.last_seq() == before + 3


def test_nothing_is_written_without_a_nudge_or_after_a_rollback(session):
    before = live.last_seq()
    session.commit()
    live.nudge("queue:1")
    session.rollback()
    session.commit()
    assert live.last_seq() == before


def test_a_savepoint_writes_nothing_by_itself(session):
    before = live.last_seq()
    live.nudge("queue:1")
    with session.begin_nested():
        live.nudge("queue:1")
        live.nudge("queue:2")
    assert live.last_seq() == before, "written at the end of the savepoint: the counter would be locked too early"
    session.commit()
    assert live.last_seq() == before + 2


def test_a_savepoint_rolled_back_keeps_the_outer_nudge(session):
    before = live.last_seq()
    live.nudge("queue:1")
    with pytest.raises(ZeroDivisionError), session.begin_nested():
        raise ZeroDivisionError
    clash = session.begin_nested()
    session.add(Counter(name=live.SEQUENCE, value=0))
    with pytest.raises(IntegrityError):
        session.flush()
    clash.rollback()
    session.commit()
    assert live.last_seq() == before + 1


def test_newest_asks_only_for_its_topics_in_one_query(session):
    live.nudge("queue:1")
    session.commit()
    live.nudge("queue:2")
    session.commit()
    newest = live.last_seq()
    assert live.newest(["queue:1"]) == newest - 1
    assert live.newest(["queue:1", "queue:2", "calls:9"]) == newest
    assert live.newest(["calls:9"]) == 0
    assert live.newest([]) == 0


def test_a_commit_wakes_the_stream_of_its_own_process_after_it_can_be_seen(session, context):
    seen = []
    context.extensions["live_wake"] = lambda: seen.append(1)
    try:
        session.commit()
        assert not seen
        live.nudge("queue:1")
        with session.begin_nested():
            pass
        assert not seen
        session.commit()
        assert seen == [1]
        live.nudge("queue:1")
        session.rollback()
        session.commit()
        assert seen == [1]
    finally:
        del context.extensions["live_wake"]
