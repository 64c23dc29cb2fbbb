"""The chain of the trail is proved link by link, and what is wrong is named (clinic/operations/chain.py)."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, text, update

from clinic import audit, clock, storage
from clinic.errors import DomainError, Unavailable
from clinic.models import AuditArchive, AuditEvent, AuditHead
from clinic.operations import chain
from clinic.operations.chain import Fault
from tests.ledger import Shelf, fill

SIZE = 60


@pytest.fixture
def began(shelf, session):
    """A trail of sixty events; answers the number of the first of them."""
    first = session.scalar(select(AuditHead.seq)) + 1
    fill(SIZE)
    return first


def found(**options):
    verdict = chain.verify(**options)
    assert not verdict.is_good
    return verdict.found.fault, verdict.found.event


def set_head(session, seq):
    link = session.scalar(select(AuditEvent.mac).where(AuditEvent.id == seq)) or ""
    session.execute(update(AuditHead).values(seq=seq, mac=link))


def renumber(session, first, by):
    """Whoever renumbers has to keep the numbers apart on the way."""
    for step in (1_000_000, by - 1_000_000):
        session.execute(
            text("UPDATE audit_event SET id = id + :step WHERE id >= :first"), {"step": step, "first": first}
        )
        first += step


def copy(session, number, to):
    row = dict(session.execute(select(AuditEvent.__table__).where(AuditEvent.id == number)).one()._mapping)
    session.execute(AuditEvent.__table__.insert().values(row | {"id": to}))


def test_a_whole_trail_is_said_to_be_whole(session, began, world):
    audit.record(
        "visit.check_in",
        "Checked in Ana “é” 吴美玲 \\ \x00\r\n",
        actor=world.user("ruwan"),
        before={"a": [1]},
        after={},
    )
    audit.append(session)
    verdict = chain.verify()
    assert verdict.is_good
    assert (verdict.first, verdict.last, verdict.anchors) == (1, began + SIZE, 0)
    assert "are whole" in verdict.sentence


def test_nothing_yet_is_no_fault(session, shelf):
    session.execute(delete(AuditEvent))
    session.execute(update(AuditHead).values(seq=0, mac=""))
    assert chain.verify().is_good
    assert "no events" in chain.anchor()


@pytest.mark.parametrize("column", [*audit.COVERED[1:], "mac"])
def test_a_changed_column_is_found(session, began, column):
    number = began + 20
    other = {
        "at": datetime(2020, 2, 2, tzinfo=UTC),
        "actor_id": 999,
        "patient_id": 999,
        "mac": "f" * 64,
    }.get(column, '"else"')
    session.execute(update(AuditEvent).where(AuditEvent.id == number).values({column: other}))
    assert found() == (Fault.CHANGED, number)
    assert str(number) in chain.verify().sentence


def test_the_last_event_changed_is_found(session, began):
    number = began + SIZE - 1
    session.execute(update(AuditEvent).where(AuditEvent.id == number).values(sentence="Nothing"))
    assert found() == (Fault.CHANGED, number)


def test_an_instant_that_is_none_is_found(session, began, engine_name):
    nonsense = text("UPDATE audit_event SET at = '0000-00-00 00:00:00' WHERE id = :id")
    if engine_name == "mariadb":
        strict = session.scalar(text("SELECT @@sql_mode"))
        session.execute(text("SET SESSION sql_mode = ''"))
        session.execute(nonsense, {"id": began + 3})
        session.execute(text("SET SESSION sql_mode = :mode"), {"mode": strict})
    else:
        session.execute(nonsense, {"id": began + 3})
    assert found() == (Fault.CHANGED, began + 3)


def test_missing_events_are_found(session, began):
    session.execute(delete(AuditEvent).where(AuditEvent.id.in_([began + 20, began + 21])))
    assert found() == (Fault.MISSING, began + 20)
    assert f"{began + 20} to {began + 21}" in chain.verify().sentence


@pytest.mark.parametrize("gone", [1, 2, 7])
def test_missing_events_are_found_though_the_rest_was_renumbered(session, began, gone):
    session.execute(delete(AuditEvent).where(AuditEvent.id.between(began + 20, began + 19 + gone)))
    renumber(session, began + 20 + gone, -gone)
    set_head(session, began + SIZE - 1 - gone)
    assert found() == (Fault.MISSING, began + 20)


@pytest.mark.parametrize("put_in", [1, 3])
def test_events_put_in_are_found(session, began, put_in):
    renumber(session, began + 20, put_in)
    for place in range(put_in):
        copy(session, began + 5, began + 20 + place)
    set_head(session, began + SIZE - 1 + put_in)
    assert found() == (Fault.INSERTED, began + 20)


def test_an_event_behind_the_end_is_found(session, began):
    copy(session, began + 5, began + SIZE)
    assert found() == (Fault.INSERTED, began + SIZE)


@pytest.mark.parametrize("number", [0, -5])
def test_an_event_before_the_first_is_found(session, began, number):
    copy(session, began + 5, number)
    assert found() == (Fault.INSERTED, number)


@pytest.mark.parametrize("apart", [1, 2, 30])
@pytest.mark.parametrize("with_links", [True, False])
def test_swapped_events_are_found(session, began, apart, with_links):
    one, two = began + 20, began + 20 + apart
    names = [*audit.COVERED[1:], "mac"][: None if with_links else -1]
    columns = [getattr(AuditEvent, name) for name in names]
    rows = {number: session.execute(select(*columns).where(AuditEvent.id == number)).one() for number in (one, two)}
    for number, row in ((one, rows[two]), (two, rows[one])):
        session.execute(update(AuditEvent).where(AuditEvent.id == number).values(dict(zip(names, row, strict=True))))
    fault, event = found()
    assert event == one
    assert fault in (Fault.MOVED, Fault.CHANGED)
    if with_links:
        assert fault is Fault.MOVED


def test_a_cut_tail_is_found(session, began):
    session.execute(delete(AuditEvent).where(AuditEvent.id > began + 40))
    assert found() == (Fault.CUT, began + 41)


def test_a_cut_tail_with_the_head_set_back_is_found_by_the_anchor(session, began, shelf):
    chain.anchor()
    session.execute(delete(AuditEvent).where(AuditEvent.id > began + 40))
    set_head(session, began + 40)
    assert found() == (Fault.CUT, began + 41)
    with pytest.raises(DomainError, match="cut off"):
        chain.anchor()


def test_a_chain_made_anew_with_another_key_is_found(session, began, monkeypatch):
    monkeypatch.setattr(audit, "key", lambda: b"another")
    link = session.scalar(select(AuditEvent.mac).where(AuditEvent.id == began + 19))
    for event in session.execute(
        select(AuditEvent.__table__).where(AuditEvent.id >= began + 20).order_by(AuditEvent.id)
    ):
        said = dict(event._mapping)
        said["at"] = said["at"].isoformat()
        link = audit.mac_of(b"another", link, [said[name] for name in audit.COVERED])
        session.execute(update(AuditEvent).where(AuditEvent.id == event.id).values(mac=link))
    set_head(session, began + SIZE - 1)
    monkeypatch.undo()
    monkeypatch.setattr(storage, "keys", Shelf().keys)
    assert found() == (Fault.RECOMPUTED, began + 20)


@pytest.mark.parametrize("to", [-1, 1])
def test_a_head_that_was_moved_is_found(session, began, to):
    session.execute(update(AuditHead).values(seq=AuditHead.seq + to))
    assert found() == ((Fault.HEAD, began + SIZE - 1) if to < 0 else (Fault.CUT, began + SIZE))


def test_a_head_that_was_changed_or_taken_is_found(session, began):
    session.execute(update(AuditHead).values(mac="e" * 64))
    assert found() == (Fault.HEAD, began + SIZE - 1)
    session.execute(delete(AuditHead))
    assert found() == (Fault.HEAD, 0)
    audit.record("visit.check_in", "Checked in", actor=None)
    with pytest.raises(Unavailable, match="end of the trail"):
        audit.append(session)


def test_the_newest_alone_are_verified_when_asked(session, began):
    session.execute(update(AuditEvent).where(AuditEvent.id == began + 20).values(sentence="Nothing"))
    verdict = chain.verify(newest=30)
    assert verdict.is_good
    assert verdict.first == began + 30
    assert found(newest=SIZE + 10) == (Fault.CHANGED, began + 20)


# --- anchors


def test_anchors_are_written_once_and_compared(session, began, shelf):
    assert "was anchored" in chain.anchor()
    assert "already" in chain.anchor()
    fill(3)
    chain.anchor()
    assert len(shelf.objects) == 2
    assert chain.verify().anchors == 2


def test_a_chain_that_was_anchored_otherwise_is_found(session, began, shelf):
    """Whoever has the key as well can make the chain anew, but not the anchors."""
    number = began + 20
    link = "b" * 64
    at = "20260101T000000Z"
    shelf.put_once(f"{chain.ANCHORS}{number:015d}-{at}-{link}-{chain._anchor_seal(number, at, link)}", b"")
    assert found() == (Fault.ANCHOR, number)


def test_an_anchor_that_is_not_ours_is_found(session, began, shelf):
    shelf.put_once(f"{chain.ANCHORS}{began + 20:015d}-20260101T000000Z-{'b' * 64}-{'c' * 64}", b"")
    assert found() == (Fault.ANCHOR, began + 20)
    shelf.objects = {f"{chain.ANCHORS}nonsense": b""}
    assert found()[0] is Fault.ANCHOR


def test_a_broken_end_is_not_anchored(session, began, shelf):
    session.execute(update(AuditHead).values(mac="e" * 64))
    with pytest.raises(DomainError):
        chain.anchor()
    assert shelf.objects == {}


def test_a_store_that_is_away_is_said(session, began, shelf):
    shelf.away = True
    verdict = chain.verify()
    assert (verdict.found, verdict.anchors, verdict.is_good) == (None, None, False)
    assert "does not answer" in verdict.sentence
    with pytest.raises(storage.StorageError):
        chain.anchor()


# --- archive


@pytest.fixture
def archived(session, began, shelf, monkeypatch):
    """Twenty of the sixty events and what came before them are in the archive, in pieces of eight; answers how many."""
    monkeypatch.setattr(chain, "PIECE", 8)
    edge = session.scalar(select(AuditEvent.at).where(AuditEvent.id == began + 20))
    monkeypatch.setattr(chain, "_oldest_kept", lambda: edge)
    count = 0
    while moved := chain.archive_next():
        count += moved
    return count


def test_old_events_go_to_the_archive_and_the_chain_stays_proved(session, began, archived, shelf):
    assert archived == began + 19
    assert session.scalar(select(func.min(AuditEvent.id))) == began + 20
    assert session.scalar(select(func.count()).select_from(AuditArchive)) == -(-archived // 8)
    at_hand, all_of_it = chain.verify(), chain.verify(archives=True)
    assert at_hand.is_good
    assert all_of_it.is_good
    assert (at_hand.first, all_of_it.first) == (began + 20, 1)
    assert session.scalars(select(AuditEvent.act).order_by(AuditEvent.id.desc())).first() == "audit.archive"


def test_nothing_is_archived_before_its_time(session, began, shelf):
    assert not chain.is_archiving_due()
    assert chain.archive_next() == 0
    with clock.frozen(clock.now() + timedelta(days=3660)):
        assert chain.is_archiving_due()


def test_nothing_is_taken_out_that_the_store_did_not_keep(session, began, shelf, monkeypatch):
    monkeypatch.setattr(chain, "_oldest_kept", lambda: clock.now())
    monkeypatch.setattr(storage, "read", lambda key: shelf.objects[key].replace(b"Nimali", b"Namali"))
    with pytest.raises(DomainError, match="Nothing was archived"):
        chain.archive_next()
    shelf.away = True
    with pytest.raises(storage.StorageError):
        chain.archive_next()
    assert session.scalar(select(func.count()).select_from(AuditEvent)) == began + SIZE - 1
    assert session.scalar(select(func.count()).select_from(AuditArchive)) == 0


def test_a_broken_chain_is_not_archived(session, began, shelf, monkeypatch):
    monkeypatch.setattr(chain, "_oldest_kept", lambda: clock.now())
    session.execute(update(AuditEvent).where(AuditEvent.id == began + 20).values(sentence="Nothing"))
    with pytest.raises(DomainError, match=f"Event {began + 20}"):
        chain.archive_next()


def test_an_archived_object_that_was_changed_or_taken_is_found(session, archived, shelf):
    key = sorted(key for key in shelf.objects if key.startswith(chain.ARCHIVE))[1]
    body = shelf.objects[key]
    shelf.objects[key] = body.replace(b"Nimali", b"Namali")
    assert found(archives=True) == (Fault.ARCHIVE, 9)
    assert chain.verify().is_good
    del shelf.objects[key]
    assert found() == found(archives=True) == (Fault.ARCHIVE, 9)


def test_nobody_can_say_that_events_were_archived(session, began, shelf):
    """The database's root takes events out and notes that they are in the archive."""
    link = session.scalar(select(AuditEvent.mac).where(AuditEvent.id == began + 9))
    session.execute(delete(AuditEvent).where(AuditEvent.id <= began + 9))
    session.add(
        AuditArchive(
            first=1, last=began + 9, first_mac="", last_mac=link, key="k", sha256="s", at=clock.now(), seal="e" * 64
        )
    )
    session.flush()
    assert found() == (Fault.ARCHIVE, 1)
    session.execute(delete(AuditArchive))
    assert found() == (Fault.MISSING, 1)


def test_an_archived_event_put_back_is_found(session, archived):
    copy(session, archived + 1, archived - 3)
    assert found() == (Fault.INSERTED, archived - 3)
