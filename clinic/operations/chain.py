"""Proving the trail: every link anew, the anchors in the object store, and what was archived (docs/decisions/0035-proving-the-trail.md).

Whoever can change the whole database can neither make a link, nor an anchor, nor the seal of an archived stretch: the key is not in it.
"""

import enum
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select, type_coerce
from sqlalchemy.types import NullType

from clinic import audit, clock, settings, storage
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import AuditArchive, AuditEvent, AuditHead

ANCHORS = (
    "audit-anchors/"  # keys: number of the event, time, its link, seal. The names say it all, so that a list is enough
)
ARCHIVE = "audit-archive/"
PIECE = 20_000  # events of one archived object: about 8 MB, held in memory
BATCH = 5_000  # events read at once
AT_ONCE = 50_000  # events that a button verifies while a person waits: some three seconds
LOOK = 1_000  # events behind a bad one that are looked at to say what happened

# As stored: what a type makes of a value that was tampered with must not stop the verification.
STORED = [type_coerce(getattr(AuditEvent, name), NullType()).label(name) for name in (*audit.COVERED, "mac")]
Event = tuple[Any, ...]  # what `audit.COVERED` names, in that order, and the link


class Fault(enum.StrEnum):
    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    MOVED = "moved"
    RECOMPUTED = "recomputed"
    CUT = "cut"
    HEAD = "head"
    ANCHOR = "anchor"
    ARCHIVE = "archive"


@dataclass(frozen=True)
class Found:
    """The first bad event (0: none in particular), what is wrong with it, and that in words."""

    fault: Fault
    event: int
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What a verification found: events `first` to `last` are whole, and `link` is that of the last; `anchors` of them were compared,
    None when the store was away."""

    first: int
    last: int
    link: str
    anchors: int | None
    found: Found | None

    @property
    def is_good(self) -> bool:
        return self.found is None and self.anchors is not None

    @property
    def sentence(self) -> str:
        if self.found:
            return self.found.sentence
        events = f"Events {self.first} to {self.last} are whole" if self.last >= self.first else "There are no events"
        if self.anchors is None:
            return f"{events}, but the object store does not answer: its anchors could not be compared."
        return f"{events}, and {self.anchors} anchors in the object store agree."


class _Bad(Exception):  # noqa: N818 - a finding
    def __init__(self, fault: Fault, event: int, sentence: str) -> None:
        super().__init__(sentence)
        self.found = Found(fault, event, sentence)


class _End(NamedTuple):
    """The end of the chain as the head row tells it, and the lowest and highest event there are."""

    seq: int
    mac: str
    lowest: int | None
    highest: int | None


class _Stretch(NamedTuple):
    first: int
    last: int
    first_mac: str
    last_mac: str
    key: str
    sha256: str
    at: datetime
    seal: str


# --- verifying --------------------------------------------------------------------------------------------------------


def verify(
    *, archives: bool = False, newest: int | None = None, say: Callable[[int, int], None] | None = None
) -> Verdict:
    """Compute every link anew and compare it, the head and the anchors; answers at the first bad event.

    Takes about 40 seconds for a million events and as much memory as `BATCH` of them. Without `archives` it begins after what was
    archived, of which only the seals and that the objects are there are looked at. `newest` looks at so many of the last events only,
    and believes the link before them. `say` is told now and then how far it is: event, last event.
    """
    stretches = _stretches()
    verdict = _verdict(stretches, archives, newest, say)
    if verdict.found and _stretches() != stretches:  # archived meanwhile
        return verify(archives=archives, newest=newest, say=say)
    return verdict


def _verdict(
    stretches: list[_Stretch], archives: bool, newest: int | None, say: Callable[[int, int], None] | None
) -> Verdict:
    first, last, link, anchors = 1, 0, "", None
    try:
        _check_stretches(stretches)
        end = _end()
        last, link, events = _begin(stretches, end, archives, newest)
        first, anchors = last + 1, _Anchors(last)
        anchors.compare(last, link)
        secret, total = audit.key(), max(end.seq, end.highest or 0)
        for event in events:
            if event[0] != last + 1 or audit.mac_of(secret, link, event[:-1]) != event[-1]:
                raise _what_is_wrong(secret, last, link, [event, *islice(events, LOOK)], end)
            last, link = event[0], event[-1]
            if anchors.is_due(last):
                anchors.compare(last, link)
            if say and last % 10_000 == 0:
                say(last, total)
        _check_end(last, link, end)
        if anchors.seq and anchors.seq > max(last, _end().seq):
            anchors.check_seal()
            raise _cut(last, anchors.seq, "an anchor in the object store tells of event")
    except _Bad as bad:
        return Verdict(first, last, link, anchors.compared if anchors else None, bad.found)
    except storage.StorageError:  # while archived events were read
        return Verdict(first, last, link, None, None)
    return Verdict(first, last, link, anchors.compared, None)


def _begin(
    stretches: list[_Stretch], end: _End, archives: bool, newest: int | None
) -> tuple[int, str, Iterator[Event]]:
    """The event and the link to begin after, and the events from there."""
    after = (stretches[-1].last, stretches[-1].last_mac) if stretches else (0, "")
    if end.lowest is not None and end.lowest <= after[0]:
        where = f"is not after the archived ones, which end with {after[0]}" if after[0] else "is before the first"
        raise _Bad(Fault.INSERTED, end.lowest, f"Event {end.lowest} was put in: it {where}.")
    until = max(end.seq, end.highest or 0)
    if newest is not None and until - newest > after[0]:
        before = db.session.execute(
            select(AuditEvent.id, AuditEvent.mac).where(AuditEvent.id == until - newest)
        ).first()
        if before is None:
            raise _Bad(Fault.MISSING, until - newest, f"Event {until - newest} is missing.")
        return before.id, before.mac, _at_hand(before.id, until)
    if archives:
        return 0, "", _all(stretches, after[0], until)
    return *after, _at_hand(after[0], until)


def _all(stretches: list[_Stretch], after: int, until: int) -> Iterator[Event]:
    for stretch in stretches:
        yield from _archived(stretch)
    yield from _at_hand(after, until)


def _at_hand(after: int, until: int) -> Iterator[Event]:
    """The events in the table, in order."""
    while True:
        rows: Sequence[Any] = db.session.execute(
            select(*STORED).where(AuditEvent.id > after, AuditEvent.id <= until).order_by(AuditEvent.id).limit(BATCH)
        ).all()
        for row in rows:
            yield row[0], _instant(row[1]), *row[2:]
        if len(rows) < BATCH:
            return
        after = rows[-1][0]


def _instant(stored: Any) -> Any:
    """An instant as the chain wrote it; what is none stays as it is, and will not fit."""
    if isinstance(stored, str):  # SQLite
        with suppress(ValueError):
            stored = datetime.fromisoformat(stored)
    return stored.replace(tzinfo=UTC).isoformat() if isinstance(stored, datetime) else str(stored)


def _end() -> _End:
    """In one statement: while others append, the three still belong to each other."""
    lowest = select(func.min(AuditEvent.id)).scalar_subquery()
    highest = select(func.max(AuditEvent.id)).scalar_subquery()
    rows = db.session.execute(select(AuditHead.seq, AuditHead.mac, lowest, highest)).all()
    if len(rows) != 1:
        raise _Bad(Fault.HEAD, 0, "The row that holds the end of the chain is missing, or there are several.")
    return _End(*rows[0])


def _check_end(last: int, link: str, end: _End) -> None:
    if last < end.seq:
        raise _cut(last, end.seq, "the row that holds the end of the chain tells of event")
    if last > end.seq:
        sentence = (
            f"The row that holds the end of the chain was set back: it says {end.seq}, the chain goes on to {last}."
        )
        raise _Bad(Fault.HEAD, end.seq + 1, sentence)
    if link != end.mac:
        raise _Bad(
            Fault.HEAD, last, f"The row that holds the end of the chain was changed: it does not fit event {last}."
        )


def _cut(last: int, known: int, who_knows: str) -> _Bad:
    return _Bad(
        Fault.CUT, last + 1, f"The end was cut off: event {last + 1} and what followed is missing; {who_knows} {known}."
    )


def _what_is_wrong(secret: bytes, last: int, link: str, events: Sequence[Event], end: _End) -> _Bad:
    """What happened at the first of `events`, which does not follow `last`: as near as the events behind it tell."""
    event, number = events[0], last + 1
    if event[0] > number:
        until = f" to {event[0] - 1}" if event[0] - 1 > number else ""
        return _Bad(Fault.MISSING, number, f"Event {number}{until} is missing.")
    if event[0] < number:
        return _Bad(Fault.INSERTED, event[0], f"Event {event[0]} is there twice.")

    def made(before: str, told: Event, number: int) -> str:
        return audit.mac_of(secret, before, (number, *told[1:-1]))

    def goes_on(before: str) -> bool:
        """Whether what follows was written after an event with this link."""
        if len(events) > 1:
            return made(before, events[1], events[1][0]) == events[1][-1]
        return (end.seq, end.mac) == (number, before)

    if number > end.seq:
        return _Bad(Fault.INSERTED, number, f"Event {number} was put in behind the end of the chain.")
    if goes_on(event[-1]):
        return _Bad(Fault.CHANGED, number, f"Event {number} was changed: it does not say what was written.")
    if goes_on(made(link, event, number)):
        return _Bad(Fault.CHANGED, number, f"Event {number} says what was written, but its link was changed.")
    for place, other in enumerate(events[1:], 1):
        if made(link, other, number) in (other[-1], event[-1]):
            behind = events[place + 1 : place + 2]
            if not behind or made(other[-1], behind[0], number + 1) == behind[0][-1]:
                return _Bad(Fault.INSERTED, number, f"Event {number} was put in, and those behind it renumbered.")
            return _Bad(Fault.MOVED, number, f"Event {number} was moved: what was written there stands at {other[0]}.")
    for gone in range(1, LOOK if len(events) > 1 else 0):
        if made(event[-1], events[1], events[1][0] + gone) == events[1][-1]:
            until = f" to {number + gone - 1}" if gone > 1 else ""
            sentence = f"Event {number}{until} was taken out, and those behind it renumbered."
            return _Bad(Fault.MISSING, number, sentence)
    if all(made(one[-1], two, two[0]) != two[-1] for one, two in zip(events, events[1:4], strict=False)):
        return _Bad(Fault.RECOMPUTED, number, f"Event {number} and those behind it were sealed with another key.")
    return _Bad(Fault.CHANGED, number, f"Event {number} was changed, and so was what follows it.")


# --- anchors ----------------------------------------------------------------------------------------------------------

ANCHOR = re.compile(
    rf"{ANCHORS}(?P<seq>\d{{15}})-(?P<at>\d{{8}}T\d{{6}}Z)-(?P<mac>[0-9a-f]{{64}})-(?P<seal>[0-9a-f]{{64}})"
)


def anchor() -> str:
    """Write the end of the chain to the object store, where it can never be written again; answers a sentence.

    What comes later cannot be cut off unnoticed below it. Raises StorageError when the store is away, and DomainError when an anchor
    there tells of more than the chain holds.
    """
    verdict = verify(newest=LOOK)  # an anchor of what is not true could never be taken back
    if verdict.found:
        raise DomainError(verdict.sentence)
    if verdict.anchors is None:
        raise storage.StorageError("The object store does not answer: the trail was not anchored.")
    seq, link = verdict.last, verdict.link
    if not seq:
        return "There are no events to anchor."
    if next(storage.keys(ANCHORS, after=f"{ANCHORS}{seq:015d}"), None):
        return f"Event {seq} is anchored already."
    at = f"{clock.now():%Y%m%dT%H%M%SZ}"
    key = f"{ANCHORS}{seq:015d}-{at}-{link}-{_anchor_seal(seq, at, link)}"
    storage.put_once(key, json.dumps({"event": seq, "link": link, "at": at}).encode())
    return f"Event {seq} was anchored."


def _anchor_seal(seq: int, at: str, mac: str) -> str:
    return hmac.digest(audit.key(), f"anchor {seq} {at} {mac}".encode(), "sha256").hex()


class _Anchors:
    """The anchors from an event on, in order, each compared when the chain has come to it."""

    def __init__(self, first: int) -> None:
        self._keys = storage.keys(ANCHORS, after=f"{ANCHORS}{first:015d}")
        self._number = 0
        self._away = False
        self._take()

    @property
    def compared(self) -> int | None:
        return None if self._away else self._number

    @property
    def seq(self) -> int | None:
        """The event the next anchor tells of; None when there is no further one."""
        return int(self._next["seq"]) if self._next else None

    def is_due(self, number: int) -> bool:
        return self._next is not None and int(self._next["seq"]) <= number

    def compare(self, number: int, link: str) -> None:
        """Raises _Bad unless every anchor of the event tells of this link."""
        while self.is_due(number):
            self.check_seal()
            assert self._next
            if self._next["mac"] != link:
                sentence = (
                    f"Event {number} is not the one that was anchored in the object store: the chain was made anew."
                )
                raise _Bad(Fault.ANCHOR, number, sentence)
            self._number += 1
            self._take()

    def check_seal(self) -> None:
        """Raises _Bad when the next anchor was not made by the clinic."""
        found = self._next
        if found and not hmac.compare_digest(_anchor_seal(int(found["seq"]), found["at"], found["mac"]), found["seal"]):
            seq = int(found["seq"])
            raise _Bad(Fault.ANCHOR, seq, f"The anchor of event {seq} in the object store was not made by this clinic.")

    def _take(self) -> None:
        self._next: dict[str, str] | None = None
        try:
            key = next(self._keys, None)
        except storage.StorageError:
            self._away = True
            return
        if key is not None:
            told = ANCHOR.fullmatch(key)
            # What is no anchor at all is told of at once, as one that nobody made.
            self._next = told.groupdict() if told else {"seq": "0", "at": "", "mac": "", "seal": ""}


# --- archive ----------------------------------------------------------------------------------------------------------


def is_archiving_due() -> bool:
    """Whether there are events older than the setting says; `flask archive-audit` takes them to the object store."""
    oldest = select(AuditEvent.id).where(AuditEvent.at < _oldest_kept()).limit(1)
    return db.session.execute(oldest).first() is not None


def archive_next() -> int:
    """Move the oldest events, at most `PIECE`, to the object store; answers how many.

    They are verified before; the object is read back and verified; only then are they taken out of the table, in the transaction that
    notes where they are. Needs the account that migrations use: the application's own cannot delete events. Raises DomainError when
    the chain is broken, StorageError when the store is away.
    """
    stretches = _stretches()
    try:
        _check_stretches(stretches)
        after, link = (stretches[-1].last, stretches[-1].last_mac) if stretches else (0, "")
        at_hand = list(_at_hand(after, after + PIECE))
        _check_links(at_hand, after, link)
        oldest_kept = _oldest_kept()
        events = list(takewhile(lambda event: datetime.fromisoformat(event[1]) < oldest_kept, at_hand))
        if not events:
            return 0
        body = b"".join(json.dumps(dict(zip(COLUMNS, event, strict=True))).encode() + b"\n" for event in events)
        first, last = events[0][0], events[-1][0]
        key = f"{ARCHIVE}{first:015d}-{last:015d}-{hashlib.sha256(body).hexdigest()[:16]}"
        told = _Stretch(first, last, link, events[-1][-1], key, hashlib.sha256(body).hexdigest(), clock.now(), "")
        storage.put_once(key, body)
        _check_links(list(_archived(told)), after, link)
    except _Bad as bad:
        raise DomainError(f"Nothing was archived. {bad.found.sentence}") from None
    values = told._asdict() | {"seal": _archive_seal(told)}
    db.session.add(AuditArchive(**values))
    removed = db.session.execute(delete(AuditEvent).where(AuditEvent.id >= first, AuditEvent.id <= last))
    if removed.rowcount != len(events):  # type: ignore[attr-defined]
        raise DomainError("Nothing was archived: other events were there than had been verified.")
    sentence = f"Events {first} to {last} were moved to the archive"
    audit.record(
        "audit.archive", sentence, actor=None, after={"key": key, "sha256": told.sha256, "link": told.last_mac}
    )
    db.session.flush()
    return len(events)


COLUMNS = (*audit.COVERED, "mac")


def _oldest_kept() -> datetime:
    return clock.now() - timedelta(days=365.25 * settings.read("audit_years"))


def _check_links(events: list[Event], last: int, link: str) -> None:
    secret = audit.key()
    for event in events:
        if event[0] != last + 1 or audit.mac_of(secret, link, event[:-1]) != event[-1]:
            raise _Bad(Fault.CHANGED, last + 1, f"Event {last + 1} is not as it was written: run flask verify-audit.")
        last, link = event[0], event[-1]


def _stretches() -> list[_Stretch]:
    rows = db.session.execute(
        select(
            AuditArchive.first,
            AuditArchive.last,
            AuditArchive.first_mac,
            AuditArchive.last_mac,
            AuditArchive.key,
            AuditArchive.sha256,
            AuditArchive.at,
            AuditArchive.seal,
        ).order_by(AuditArchive.first)
    )
    return [_Stretch(*row) for row in rows]


def _check_stretches(stretches: list[_Stretch]) -> None:
    """Raises _Bad unless they follow each other from the first event on, are ours, and their objects are there."""
    last, link = 0, ""
    for stretch in stretches:
        whole = (stretch.first, stretch.first_mac) == (last + 1, link) and stretch.last >= stretch.first
        if not whole or not hmac.compare_digest(_archive_seal(stretch), stretch.seal):
            sentence = f"The note of the archived events from {last + 1} on was changed, or one is missing."
            raise _Bad(Fault.ARCHIVE, last + 1, sentence)
        last, link = stretch.last, stretch.last_mac
    if stretches:
        with suppress(storage.StorageError):  # away: said with the anchors
            there = set(storage.keys(ARCHIVE))
            for stretch in stretches:
                if stretch.key not in there:
                    raise _gone(stretch)


def _gone(stretch: _Stretch) -> _Bad:
    sentence = f"The archived events {stretch.first} to {stretch.last} are no longer in the object store."
    return _Bad(Fault.ARCHIVE, stretch.first, sentence)


def _archive_seal(stretch: _Stretch) -> str:
    told = (*stretch[:-2], stretch.at.astimezone(UTC).isoformat())
    return hmac.digest(audit.key(), f"archive {' '.join(map(str, told))}".encode(), "sha256").hex()


def archived_about(patient_id: int) -> Iterator[list[dict[str, Any]] | DomainError]:
    """What was archived about a patient, a list of events for each object, oldest first; in the place of an object that is not what
    was written, the error that says so. Raises StorageError when the store is away."""
    for stretch in _stretches():
        try:
            yield [
                told
                for told in (dict(zip(COLUMNS, event, strict=True)) for event in _archived(stretch))
                if told["patient_id"] == patient_id
            ]
        except _Bad as bad:
            yield DomainError(bad.found.sentence)


def _archived(stretch: _Stretch) -> Iterator[Event]:
    """The events of an archived object. Raises _Bad when it is not the one that was written, StorageError when the store is away."""
    try:
        body = storage.read(stretch.key)
    except storage.Missing:
        raise _gone(stretch) from None
    if hashlib.sha256(body).hexdigest() != stretch.sha256:
        sentence = f"The archived events {stretch.first} to {stretch.last} were changed in the object store."
        raise _Bad(Fault.ARCHIVE, stretch.first, sentence)
    for line in body.splitlines():
        told = json.loads(line)
        yield tuple(told[name] for name in COLUMNS)
