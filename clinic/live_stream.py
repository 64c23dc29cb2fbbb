"""The stream of nudges: one thread per process reads the outbox; every open stream is fed from memory and holds no connection.

A browser that comes back says the last number it saw and gets what followed; if that is older than what is kept in memory, it gets
`live:poll`, upon which every region of the page refetches itself. The rights of all open streams are looked up again every
`CHECK_EVERY` seconds in two queries; a stream whose person was signed out, locked, deactivated or moved, or no longer has a patient,
is closed, and the browser asks again for what it may hear now.
"""

import json
import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any

from flask import Flask, Response, g, request
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from clinic import sessions
from clinic.extensions import db
from clinic.live import SEQUENCE
from clinic.models import AuthSession, Change, Counter, Display
from clinic.queries.assignments import last_ends

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0  # seconds between two looks at the outbox when nothing wakes the thread
GATHER = 0.02  # seconds after a look in which further commits are gathered for the next one
CHECK_EVERY = 2.0  # seconds between two looks at the rights of open streams
LONGEST_PAUSE = 4.0  # seconds between two tries while the database is away
KEPT = 5000  # changes kept in memory for browsers that come back
PER_OWNER = 3  # streams of one session or display in one process
PAUSE = 1.0  # seconds between two words about changes: where much changes at once, a page asks anew once for all of it
# Seconds for each open stream, and at most, over which a change is told: who is told at once asks at once.
SPREAD, WIDEST = 0.005, 0.3
# The same of whoever hears what waits for approval: that is of a whole department, and dear to show.
DECIDING_PAUSE, DECIDING_SPREAD, DECIDING_WIDEST = 2.0, 0.05, 1.5
CATCH_UP = 2.0  # seconds in which this process may still be behind what the browser has seen from another one


class Full(Exception):
    """No more streams here; the page polls instead."""


class Stream:
    """What one browser hears. An iterator of bytes whose `close` is safe at any time, even before the first byte."""

    def __init__(
        self, hub: "Hub", owner: tuple[str, int], rights: Any, topics: Collection[str], last: int | None, wire: Any
    ) -> None:
        self.hub = hub
        self.owner = owner
        self.rights = rights
        self.topics = frozenset(topics)
        self.last = last
        self.closed = False
        self._decides = any(topic.startswith("approvals:") for topic in topics)
        self._wire = wire
        self._opened = time.monotonic()
        self._beat_at = self._opened
        self._greeted = False
        self._next_at = self._opened  # when there may be word of changes again
        self._is_due = False  # whether that is decided for the change that is to be told

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        text = self.hub.wait_for(self)
        if text is None:
            raise StopIteration
        self._beat_at = time.monotonic() + self.hub.heartbeat
        return text.encode()

    def close(self) -> None:
        self.hub.leave(self)

    def is_gone(self) -> bool:
        """Whether the browser has hung up: its end of the connection is closed though nothing was written since."""
        if self._wire is None:
            return False
        try:
            return self._wire.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def news(self) -> str | None:
        """What is due now, with the hub's lock held; None when there is nothing yet."""
        at, newest = time.monotonic(), self.hub.newest
        if not self._greeted:
            self._greeted = True  # the first bytes leave at once: proxies and browsers then know that this is a stream
            return f"retry: 1000\n{self._beat()}"
        if newest is not None and newest != self.last and at >= self._due(at):
            self._is_due = False
            ahead = self.last is not None and self.last > newest
            if self.last is None or self.last < self.hub.floor or (ahead and self._is_lost(at)):
                self.last = newest
                return _event("live:poll", newest, {})
            if not ahead:
                events = self.hub.since(self.last, self.topics)
                self.last = newest
                if events:
                    self._next_at = at + (DECIDING_PAUSE if self._decides else PAUSE)
                    return "".join(_event(f"{kind}:changed", seq, data) for seq, kind, data in events)
        return self._beat() if at >= self._beat_at else None

    def _due(self, at: float) -> float:
        """When what is new is told."""
        if not self._is_due:
            each, widest = (DECIDING_SPREAD, DECIDING_WIDEST) if self._decides else (SPREAD, WIDEST)
            spread = min(each * len(self.hub.streams), widest)
            self._next_at, self._is_due = max(self._next_at, at + random.random() * spread), True  # noqa: S311
        return self._next_at

    def _is_lost(self, at: float) -> bool:
        """The browser has seen more than there is: the database was restored from a backup."""
        return at - self._opened > CATCH_UP and self.hub.is_awake()

    def _beat(self) -> str:
        """Proof of life, given only while the outbox is being read: a page that hears none of it shows its age."""
        known = self.last is not None and (self.hub.newest or 0) >= self.last
        return _event("live:beat", self.last if known else None, {}) if self.hub.is_awake() else ": not yet\n\n"

    def wakes_in(self) -> float:
        """Seconds until there is something to say even if nothing changes."""
        due = self._beat_at
        if self._is_due and self.last != self.hub.newest:  # it may be past by now: then at once
            due = min(due, self._next_at)
        if self.last is not None and self.hub.newest is not None and self.last > self.hub.newest:
            due = min(due, max(self._opened, self._beat_at - self.hub.heartbeat) + CATCH_UP)
        return max(due - time.monotonic(), 0.01)


class Hub:
    """The thread, what it has read, and the streams it feeds. One per process."""

    def __init__(self, app: Flask, *, heartbeat: float, most: int) -> None:
        self.app = app
        self.heartbeat = heartbeat
        self.most = most
        self.newest: int | None = None  # the last number read; None before the first look
        self.floor = 0  # whoever has seen less than this must refetch everything
        self.streams: set[Stream] = set()
        self.stopping = False
        self._changes: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._looking = threading.Lock()
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._looked_at = float("-inf")
        self._checked_at = float("-inf")

    def start(self) -> None:
        """Begin to read the outbox; harmless when already begun."""
        with self._changed:
            if self._thread is None and not self.stopping:
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread and every stream; the browsers come back by themselves, to this process or another."""
        self.stopping = True
        self._wake.set()
        with self._changed:
            self._changed.notify_all()

    def wake(self) -> None:
        """Look at the outbox now."""
        self._wake.set()

    def is_awake(self) -> bool:
        return time.monotonic() - self._looked_at < LOOK_EVERY + LONGEST_PAUSE / 2

    def looked_before(self) -> float | None:
        """Seconds since the outbox was last read in this process; None before the first time."""
        return None if self._looked_at == float("-inf") else time.monotonic() - self._looked_at

    def open(self, owner: tuple[str, int], rights: Any, topics: Collection[str], last: int | None) -> Stream:
        """A new stream. Raises Full beyond `most` of this process or `PER_OWNER` of one owner; the dead do not count."""
        wire = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
        stream = Stream(self, owner, rights, topics, last, wire)
        with self._changed:
            if self._is_full(owner):
                for other in [other for other in self.streams if other.is_gone()]:
                    self._end(other)
                if self._is_full(owner):
                    raise Full
            self.streams.add(stream)
        if last is not None and last > (self.newest or 0):
            self.wake()  # another process is ahead of this one
        return stream

    def _is_full(self, owner: tuple[str, int]) -> bool:
        own = sum(stream.owner == owner for stream in self.streams)
        return self.stopping or len(self.streams) >= self.most or own >= PER_OWNER

    def leave(self, stream: Stream) -> None:
        with self._changed:
            self._end(stream)

    def _end(self, stream: Stream) -> None:
        stream.closed = True
        self.streams.discard(stream)
        self._changed.notify_all()

    def wait_for(self, stream: Stream) -> str | None:
        """What the stream says next, as soon as there is something; None when it is over."""
        with self._changed:
            while not (stream.closed or self.stopping):
                news = stream.news()
                if news is not None:
                    return None if stream.is_gone() else news
                self._changed.wait(stream.wakes_in())
        return None

    def since(self, last: int, topics: frozenset[str]) -> list[tuple[int, str, dict[str, int]]]:
        """The last change of each of these topics after `last`, oldest first: number, kind, what the browser may know of it."""
        found: dict[str, tuple[int, str, dict[str, int]]] = {}
        for seq, topic in reversed(self._changes):
            if seq <= last:
                break
            if topic in topics and topic not in found:
                kind, _, number = topic.partition(":")
                found[topic] = seq, kind, {"person" if kind == "person" else "department": int(number)}
        return list(found.values())[::-1]

    def look(self) -> None:
        """Read what is new in the outbox and, when it is time, the rights of the open streams. Raises what the database raises."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        with self.app.app_context():
            db.session.connection(execution_options={"only_reads": True})
            value = db.session.execute(select(Counter.value).where(Counter.name == SEQUENCE)).scalar() or 0
            known = self.newest
            afresh = known is None or value < known  # the first look; or the database was restored from a backup
            rows: list[tuple[int, str]] = []
            if afresh or value != known:
                newer = select(Change.seq, Change.topic).order_by(Change.seq.desc()).limit(KEPT)
                if not afresh:
                    newer = newer.where(Change.seq > known)
                rows = [(seq, topic) for seq, topic in reversed(db.session.execute(newer).all())]
            due = time.monotonic() - self._checked_at > CHECK_EVERY and self.streams
            ended = self._without_right() if due else []
        with self._changed:
            if afresh:
                self._changes.clear()
                for stream in self.streams if known is not None else ():
                    stream.last = None  # its number means nothing any more: it refetches
            self._changes.extend(rows)
            self.newest = rows[-1][0] if rows else value
            self.floor = self._changes[0][0] - 1 if self._changes else self.newest
            for stream in ended:
                self._end(stream)
            if afresh or rows:
                self._changed.notify_all()
        self._looked_at = time.monotonic()

    def _without_right(self) -> list[Stream]:
        """The open streams whose owner may no longer hear them; at most two queries per kind of owner."""
        with self._changed:
            streams = list(self.streams)
        gone = []
        for kind, rights_of in RIGHTS.items():
            of_kind = [stream for stream in streams if stream.owner[0] == kind]
            if of_kind:
                rights = rights_of({stream.owner[1] for stream in of_kind})
                gone += [stream for stream in of_kind if rights.get(stream.owner[1]) != stream.rights]
        self._checked_at = time.monotonic()
        return gone

    def _run(self) -> None:
        pause = LOOK_EVERY
        while not self.stopping:
            try:
                self.look()
                if pause != LOOK_EVERY:
                    log.warning("live: the database is back")
                pause = LOOK_EVERY
            except Exception as error:
                if pause == LOOK_EVERY:
                    log.warning("live: cannot read the outbox (%s); trying again", type(error).__name__)
                pause = min(max(pause * 1.5, LOOK_EVERY + 0.1), LONGEST_PAUSE)
            time.sleep(GATHER)
            self._wake.wait(pause)
            self._wake.clear()


def rights_of_sessions(ids: Collection[int]) -> dict[int, Any]:
    """What each open, unlocked session may hear, by id; who is missing may hear nothing."""
    found = db.session.execute(
        select(AuthSession).where(AuthSession.id.in_(ids)).options(joinedload(AuthSession.user))
    ).scalars()
    hearing = [row for row in found if sessions.is_open(row) and not sessions.is_locked(row)]
    ended = last_ends({row.user_id for row in hearing})
    return {row.id: _rights(row, ended) for row in hearing}


def rights_of(session: AuthSession) -> Any:
    """What decides which topics a person hears; a stream is closed when it changes. One query."""
    return _rights(session, last_ends({session.user_id}))


def _rights(session: AuthSession, ended: dict[int, datetime]) -> Any:
    return session.user.role, session.user.department_id, ended.get(session.user_id)


def rights_of_displays(ids: Collection[int]) -> dict[int, Any]:
    """The department (None: every one) of each paired display that was not revoked, in a tuple, by id."""
    found = db.session.execute(
        select(Display.id, Display.department_id).where(
            Display.id.in_(ids), Display.paired_at.is_not(None), Display.revoked_at.is_(None)
        )
    )
    return {row.id: (row.department_id,) for row in found}


RIGHTS: dict[str, Callable[[Collection[int]], dict[int, Any]]] = {
    "session": rights_of_sessions,
    "display": rights_of_displays,
}


def init_app(app: Flask) -> None:
    config = app.config["CHAIRSIDE"]
    hub = Hub(app, heartbeat=config.live_heartbeat, most=config.live_streams)
    app.extensions["live"] = hub
    app.extensions["live_wake"] = hub.wake
    app.before_request(lambda: setattr(g, "live_seq", hub.newest))
    app.jinja_env.globals["live_seq"] = lambda: g.get("live_seq")


def start(app: Flask) -> None:
    """Begin to read the outbox in this process; called by the server after it has forked."""
    app.extensions["live"].start()


def stop(app: Flask) -> None:
    """End the thread and all streams of this process within a second."""
    app.extensions["live"].stop()


def respond(app: Flask, *, owner: tuple[str, int], rights: Any, topics: Collection[str]) -> Response:
    """The endless answer for one browser, or 503 when there is no room: then the page polls and asks again later."""
    hub: Hub = app.extensions["live"]
    if not app.testing:
        hub.start()
    try:
        stream = hub.open(owner, rights, topics, _last_seen())
    except Full:
        return Response("", status=503, headers={"Retry-After": "15"}, mimetype="text/plain")
    return Response(
        stream,
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _last_seen() -> int | None:
    """The last number this browser has seen: from the header when it comes back, from the page's address at first."""
    text = request.headers.get("Last-Event-ID") or request.args.get("last", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _event(name: str, seq: int | None, data: dict[str, int]) -> str:
    number = "" if seq is None else f"id: {seq}\n"
    return f"{number}event: {name}\ndata: {json.dumps(data)}\n\n"
