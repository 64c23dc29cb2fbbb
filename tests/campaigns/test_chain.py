"""The trail under many writers, under somebody who owns the database, and after years: no forks, everything found, in time (D2)."""

import random
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from clinic import audit, clock, create_app, live, once, settings
from clinic.extensions import db
from clinic.models import AuditArchive, AuditEvent, AuditHead, Change, Counter, Patient
from clinic.operations import chain
from clinic.operations.chain import Fault
from clinic.operations.counters import next_number
from tests.conftest import fresh_mariadb, make_config, with_own_account
from tests.ledger import fill
from tests.soak import daily_seed, share
from tests.world import build_world

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(3600)]

PROCESSES, THREADS = 4, 4


# --- many writers -----------------------------------------------------------------------------------------------------


def work(url: str, seed: int, acts: int) -> tuple[int, Tally]:
    """One process of four writers; answers how many events they appended, and how often an act had to be tried again, and why."""
    app = create_app(make_config(url, pool_size=THREADS))
    with ThreadPoolExecutor(THREADS) as pool:
        done = list(pool.map(lambda number: write(app, random.Random(seed * 100 + number), acts), range(THREADS)))
    with app.app_context():
        db.engine.dispose()
    return sum(appended for appended, _ in done), sum((again for _, again in done), Tally())


def write(app, dice, acts) -> tuple[int, Tally]:
    """One writer: every kind of transaction that the clinic has, in any order."""
    appended, again = 0, Tally()
    for number in range(acts):
        kind = dice.choice(("tell", "tell and nudge", "row first", "ticket first", "two at once", "undone", "tried"))
        patient_id = dice.randint(1, 5)
        while True:
            with app.app_context():
                try:
                    appended += one_act(kind, patient_id, number)
                    break
                except DBAPIError as error:
                    db.session.rollback()
                    again[error.orig.args[0]] += 1
                    if not once.asks_for_redo(error):
                        raise
    return appended, again


def one_act(kind: str, patient_id: int, number: int) -> int:
    """Do and commit it; answers how many events it appended."""
    if kind == "row first":
        patient = db.session.execute(select(Patient).where(Patient.id == patient_id).with_for_update()).scalar_one()
        patient.phone = f"077 {number:07d}"
    if kind == "ticket first":
        next_number(f"ticket:{patient_id}")
    if kind == "tried":
        audit.record("campaign.tried", "Tried before", actor=None)
        with db.session.begin_nested() as savepoint:
            db.session.execute(update(Patient).where(Patient.id == patient_id).values(phone="1"))
            savepoint.rollback()
    audit.record(
        "campaign.act", f"Did {kind} “{number}”", actor=None, patient=patient_id, before={"é": number}, after={}
    )
    if kind == "two at once":
        audit.record("campaign.act", "And that", actor=None)
    if kind != "tell":
        live.nudge(f"queue:{patient_id}")
        live.nudge("calls:1")
    if kind == "undone":
        db.session.rollback()
        return 0
    db.session.commit()
    return 2 if kind in ("two at once", "tried") else 1


def meanwhile(app, ended: threading.Event, act: Callable[[], None]) -> int:
    """Do it again and again until the writers have ended; answers how often."""
    times = 0
    while not ended.is_set():
        with app.app_context():
            act()
            db.session.commit()
        times += 1
    return times


def look() -> None:
    verdict = chain.verify(archives=True)
    assert verdict.is_good, verdict.sentence


def keep_safe() -> None:
    chain.anchor()
    chain.archive_next()


def test_sixteen_writers_make_one_chain(worker, shelf, monkeypatch):
    """While they write, the chain is verified, anchored and archived all the time."""
    wanted, seed = share(10_000, 800), daily_seed()
    monkeypatch.setattr(chain, "_oldest_kept", lambda: clock.now() - timedelta(seconds=2))
    app = create_app(make_config(url := fresh_mariadb("writers")))
    with app.app_context():
        db.create_all()
        settings.forget()
        build_world()
        began = db.session.scalar(select(AuditHead.seq))
        db.session.remove()
    own = with_own_account(app, url)
    acts, at, ended = wanted // (PROCESSES * THREADS), time.monotonic(), threading.Event()
    with ThreadPoolExecutor(2) as beside, ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        looked, kept = (beside.submit(meanwhile, app, ended, act) for act in (look, keep_safe))
        try:
            done = [pool.submit(work, own, seed + number, acts) for number in range(PROCESSES)]
            done = [each.result() for each in done]
        finally:
            ended.set()
        looked, kept = looked.result(), kept.result()
    took = time.monotonic() - at
    appended, again = sum(count for count, _ in done), sum((tally for _, tally in done), Tally())
    with app.app_context():
        verdict = chain.verify(archives=True)
        assert verdict.is_good, verdict.sentence
        events, links = db.session.execute(select(func.count(), func.count(AuditEvent.mac.distinct()))).one()
        stretches = db.session.scalars(select(AuditArchive)).all()
        archived = sum(stretch.last - stretch.first + 1 for stretch in stretches)
        assert verdict.first == 1
        assert events == links
        assert events + archived == verdict.last == began + appended + len(stretches), "forks, gaps or losses"
        seqs = db.session.scalars(select(Change.seq).order_by(Change.seq)).all()
        assert seqs == list(range(1, len(seqs) + 1))
        assert db.session.get_one(Counter, "live").value == len(seqs)
        assert not again, f"deadlocks, waits that were given up: {again}"
        db.session.remove()
        db.engine.dispose()
    assert appended >= wanted * 0.9
    assert archived
    print(
        f"seed {seed}: {PROCESSES * THREADS} writers in {PROCESSES} processes, {appended} appends in {took:.0f} s, meanwhile verified "
        f"{looked} times and {archived} archived in {len(stretches)} pieces: 0 forks, 0 gaps, 0 deadlocks"
    )


# --- the database's root ----------------------------------------------------------------------------------------------

EVENTS = 300
COLUMNS = (*audit.COVERED, "mac")


class Root:
    """Somebody who may do anything to the database, and has no key. Each deed answers the first event that is bad by it."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.events = list(db.session.scalars(select(AuditEvent.id).order_by(AuditEvent.id)))
        self.first, self.last = self.events[0], self.events[-1]
        self.deeds = [getattr(self, name) for name in vars(Root) if name.startswith("does_")]

    def sql(self, statement: str, **values: object) -> None:
        assert db.session.execute(text(statement), values).rowcount

    def any(self, but_last: int = 0) -> int:
        return self.dice.choice(self.events[: len(self.events) - but_last])

    def set_head(self, seq: int) -> None:
        mac = db.session.scalar(select(AuditEvent.mac).where(AuditEvent.id == seq)) or ""
        db.session.execute(update(AuditHead).values(seq=seq, mac=mac))

    def renumber(self, first: int, by: int) -> None:
        self.sql("UPDATE audit_event SET id = id + 1000000 WHERE id >= :first", first=first)
        self.sql("UPDATE audit_event SET id = id - 1000000 + :by WHERE id >= 1000000", by=by)

    def forge(self, number: int, *, link: str = "") -> str:
        """Put in an event that never was; answers its link, made up or made with another key."""
        like = dict(
            db.session.execute(select(AuditEvent.__table__).where(AuditEvent.id == self.last)).mappings().one_or_none()
            or db.session.execute(select(AuditEvent.__table__).limit(1)).mappings().one()
        )
        like |= {"id": number, "sentence": "Opened nothing", "mac": f"{self.dice.getrandbits(256):064x}"}
        if link:
            like["mac"] = self.sealed(link, like)
        db.session.execute(AuditEvent.__table__.insert().values(like))
        return like["mac"]

    def sealed(self, link: str, event: dict[str, object]) -> str:
        said = event | {"at": event["at"].isoformat()}
        return audit.mac_of(b"a guess", link, [said[name] for name in audit.COVERED])

    def does_edit_any_column(self):
        """One column of one event, to something else that looks alike."""
        number, column = self.any(), self.dice.choice(COLUMNS[1:])
        old = db.session.scalar(select(getattr(AuditEvent, column)).where(AuditEvent.id == number))
        if isinstance(old, datetime):
            new = old + timedelta(microseconds=self.dice.choice((-1, 1, 3_600_000_000)))
        elif isinstance(old, int):
            new = self.dice.choice((old + 1, old - 1, None))
        elif old is None:
            new = 7 if column.endswith("_id") else self.dice.choice(("", "null", " "))
        elif column == "mac":
            place = self.dice.randrange(64)
            new = old[:place] + ("0" if old[place] != "0" else "1") + old[place + 1 :]
        else:
            optional = column in ("before", "after", "reason")
            choices = [
                old[:-1] + chr(ord(old[-1]) ^ 1) if old else "x",
                old + " ",
                old.swapcase(),
                None if optional else old + ".",
            ]
            new = self.dice.choice([choice for choice in choices if choice != old])
        self.sql(f"UPDATE audit_event SET `{column}` = :new WHERE id = :number", new=new, number=number)
        return number, {Fault.CHANGED}

    def does_edit_the_number(self):
        number = self.any()
        to = self.dice.choice((self.last + 1, self.last + 500, 10**12))
        self.sql("UPDATE audit_event SET id = :to WHERE id = :number", to=to, number=number)
        return number, {Fault.MISSING}

    def does_edit_several(self):
        numbers = sorted(self.dice.sample(self.events, self.dice.randint(2, 40)))
        for number in numbers:
            self.sql("UPDATE audit_event SET sentence = 'Opened nothing' WHERE id = :number", number=number)
        return numbers[0], {Fault.CHANGED, Fault.RECOMPUTED}

    def does_delete(self):
        count = self.dice.randint(1, 30)
        number = self.any(but_last=count)
        self.sql("DELETE FROM audit_event WHERE id >= :a AND id < :b", a=number, b=number + count)
        return number, {Fault.MISSING}

    def does_delete_and_renumber(self):
        count = self.dice.randint(1, 30)
        number = self.any(but_last=count + 2)
        self.sql("DELETE FROM audit_event WHERE id >= :a AND id < :b", a=number, b=number + count)
        self.renumber(number + count, -count)
        self.set_head(self.last - count)
        return number, {Fault.MISSING}

    def does_empty(self):
        self.sql("DELETE FROM audit_event")
        if self.dice.random() < 0.5:
            self.set_head(0)
        return self.first, {Fault.CUT}

    def does_insert(self):
        count = self.dice.randint(1, 5)
        number = self.any()
        self.renumber(number, count)
        for place in range(count):
            self.forge(number + place)
        self.set_head(self.last + count)
        return number, {Fault.INSERTED}

    def does_insert_behind_the_end(self):
        self.forge(self.last + 1)
        return self.last + 1, {Fault.INSERTED}

    def does_append_and_move_the_head(self):
        link = db.session.scalar(select(AuditHead.mac))
        count = self.dice.randint(1, 5)
        for place in range(1, count + 1):
            link = self.forge(self.last + place, link=link)
        self.set_head(self.last + count)
        return self.last + 1, {Fault.CHANGED, Fault.RECOMPUTED}

    def does_insert_before_the_first(self):
        number = self.dice.randint(-1000, 0)
        self.forge(number)
        return number, {Fault.INSERTED}

    def does_swap(self):
        """Two events change places, with their links or without."""
        one, two = sorted(self.dice.sample(self.events, 2))
        if self.dice.random() < 0.3:
            one, two = self.any(but_last=1), 0
            two = one + 1
        names = COLUMNS[1:] if self.dice.random() < 0.5 else COLUMNS[1:-1]
        rows = {
            number: db.session.execute(
                select(*[getattr(AuditEvent, name) for name in names]).where(AuditEvent.id == number)
            ).one()
            for number in (one, two)
        }
        for number, row in ((one, rows[two]), (two, rows[one])):
            values = dict(zip(names, row, strict=True))
            db.session.execute(update(AuditEvent).where(AuditEvent.id == number).values(values))
        return one, {Fault.MOVED, Fault.CHANGED}

    def does_move_one(self):
        """One event goes to another place, those between move up."""
        number = self.any(but_last=12)
        to = number + self.dice.randint(2, 10)
        self.sql("UPDATE audit_event SET id = 5000000 WHERE id = :number", number=number)
        self.sql("UPDATE audit_event SET id = id - 1 WHERE id > :a AND id <= :b ORDER BY id", a=number, b=to)
        self.sql("UPDATE audit_event SET id = :to WHERE id = 5000000", to=to)
        return number, set(Fault)

    def does_cut_the_tail(self):
        number = self.any()
        self.sql("DELETE FROM audit_event WHERE id >= :number", number=number)
        return number, {Fault.CUT}

    def does_cut_the_tail_and_set_the_head_back(self):
        number = self.any()
        self.sql("DELETE FROM audit_event WHERE id >= :number", number=number)
        self.set_head(number - 1)
        return number, {Fault.CUT}

    def does_recompute_the_rest(self):
        """Change an event and make the chain anew from there, as well as one can without the key."""
        number = self.any()
        self.sql("UPDATE audit_event SET sentence = 'Opened nothing' WHERE id = :number", number=number)
        link = db.session.scalar(select(AuditEvent.mac).where(AuditEvent.id == number - 1)) or ""
        rest = select(AuditEvent.__table__).where(AuditEvent.id >= number).order_by(AuditEvent.id)
        macs = []
        for event in db.session.execute(rest).mappings():
            link = self.sealed(link, dict(event))
            macs.append({"number": event["id"], "link": link})
        db.session.execute(text("UPDATE audit_event SET mac = :link WHERE id = :number"), macs)
        self.set_head(self.last)
        return number, {Fault.RECOMPUTED, Fault.CHANGED}

    def does_write_another_history(self):
        """Cut the tail and write as many other events, with links of one's own."""
        number = self.any()
        self.sql("DELETE FROM audit_event WHERE id >= :number", number=number)
        link = db.session.scalar(select(AuditEvent.mac).where(AuditEvent.id == number - 1)) or ""
        if number == self.first:
            self.events = []
            return self.first, {Fault.CUT}
        for other in range(number, self.last + 1):
            link = self.forge(other, link=link)
        self.set_head(self.last)
        return number, {Fault.RECOMPUTED, Fault.CHANGED}

    def does_change_the_head(self):
        if self.dice.random() < 0.5:
            self.sql("UPDATE audit_head SET mac = :mac", mac=f"{self.dice.getrandbits(256):064x}")
            return self.last, {Fault.HEAD}
        further = self.dice.randint(1, 99)
        self.sql("UPDATE audit_head SET seq = seq + :further", further=further)
        return self.last + 1, {Fault.CUT}

    def does_set_the_head_back(self):
        number = self.any(but_last=1)
        self.set_head(number)
        return number + 1, {Fault.HEAD}

    def does_say_it_was_archived(self):
        number = self.any(but_last=1)
        link = db.session.scalar(select(AuditEvent.mac).where(AuditEvent.id == number))
        self.sql("DELETE FROM audit_event WHERE id <= :number", number=number)
        self.sql(
            "INSERT INTO audit_archive (first, last, first_mac, last_mac, `key`, sha256, at, seal) "
            "VALUES (1, :last, '', :link, 'k', 's', '2026-01-01', :seal)",
            last=number, link=link, seal="e" * 64,
        )  # fmt: skip
        return 1, {Fault.ARCHIVE}


def test_whatever_the_databases_root_does_is_found(session, shelf):
    """A thousand deeds, each found, the first bad event named."""
    deeds, seed = share(1_000, 100), daily_seed()
    dice = random.Random(seed)
    fill(EVENTS)
    session.flush()
    assert "was anchored" in chain.anchor()
    assert chain.verify().is_good
    done, words, wrong = Tally(), Tally(), []
    for number in range(deeds):
        with session.begin_nested() as savepoint:
            root = Root(dice)
            deed = root.deeds[number % len(root.deeds)]
            event, faults = deed()
            verdict = chain.verify()
            savepoint.rollback()
        session.expire_all()
        named = verdict.found and verdict.found.event == event
        done[deed.__name__] += 1
        if not named or verdict.found.fault not in faults:
            wrong.append(f"{number} {deed.__name__} at {event}: {verdict.found}")
        else:
            words[verdict.found.fault] += 1
    assert chain.verify().is_good, "the campaign left something behind"
    assert not wrong, f"seed {seed}\n" + "\n".join(wrong)
    print(f"seed {seed}: {deeds} deeds of {len(done)} kinds, {deeds} found, the first bad event named; {dict(words)}")


# --- years ------------------------------------------------------------------------------------------------------------


def test_a_million_events_are_verified_in_time(shelf, worker):
    events = share(1_000_000, 20_000)
    app = create_app(make_config(fresh_mariadb("years")))
    with app.app_context():
        db.create_all()
        settings.forget()
        for _ in range(0, events, 20_000):
            fill(20_000)
            db.session.commit()
        assert "was anchored" in chain.anchor()
        began = time.monotonic()
        verdict = chain.verify()
        took = time.monotonic() - began
        assert verdict.is_good
        assert verdict.last == events
        db.session.remove()
        db.engine.dispose()
    assert took < 300 * events / 1_000_000 + 2
    print(f"{events} events verified in {took:.1f} s")
