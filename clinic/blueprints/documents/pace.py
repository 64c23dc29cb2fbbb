"""Who sends or takes a file holds threads and parts in memory: how slowly they may, for how long, and how many at once."""

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flask import request

from clinic.operations.documents import COMING

SLOWEST = 512  # bytes a second; a line of 1 kB/s is served
SILENCE = 60  # seconds without a byte after which whoever sends is given up
# Seconds after which the mean must be `SLOWEST`. Until then a line of 1 kB/s is not told from a trickle: 256 KiB are read at once.
GRACE = 600.0
LONGEST = COMING.total_seconds()
LOOKS = 5.0  # seconds between two looks at what comes in


class TooLong(Exception):  # noqa: N818
    """A file came or went too slowly, or for longer than any may."""


class Pace:
    """How fast a file comes in or goes out; `size` bytes did so far."""

    def __init__(self) -> None:
        self.size = 0
        self._began = time.monotonic()

    @property
    def is_too_slow(self) -> bool:
        took = time.monotonic() - self._began
        return took > LONGEST or (took > GRACE and self.size < SLOWEST * took)

    def went(self, size: int) -> None:
        """So many bytes more. Raises TooLong."""
        self.size += size
        if self.is_too_slow:
            raise TooLong


def wire_of_request() -> socket.socket | None:
    """The connection over which this request came, where the server tells it."""
    wire: socket.socket | None = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    return wire


@contextmanager
def kept_up(pace: Pace) -> Iterator[None]:
    """While the request's body is read: give up who sends nothing for a while, or too little. Raises TooLong.

    The server reads until it has what was asked for: who sends a byte a minute would keep it waiting in one call for days. Only another
    thread can end that, by ending what can be read of the connection; the answer still goes out.
    """
    wire = wire_of_request()
    if wire is None:
        yield
        return
    before, is_read = wire.gettimeout(), threading.Event()
    deciding = threading.Lock()
    is_ended = False

    def watch() -> None:
        nonlocal is_ended
        while not is_read.wait(LOOKS):
            with deciding:
                if pace.is_too_slow and not is_read.is_set():
                    is_ended = True
                    with suppress(OSError):
                        wire.shutdown(socket.SHUT_RD)
                    return

    wire.settimeout(SILENCE)
    watching = threading.Thread(target=watch, name="pace", daemon=True)
    watching.start()
    try:
        yield
    except Exception:
        if is_ended:
            raise TooLong from None
        raise
    finally:
        with deciding:
            is_read.set()
        with suppress(OSError):
            wire.settimeout(before)
    if is_ended:
        raise TooLong


class Turns:
    """How many of something each person does at once, in this process."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: Counter[int] = Counter()
        self._lock = threading.Lock()

    def take(self, person_id: int) -> bool:
        """Whether there is one more for this person; whoever took it gives it back."""
        with self._lock:
            is_free = self._taken[person_id] < self.most
            self._taken[person_id] += is_free
            return is_free

    def give_back(self, person_id: int) -> None:
        with self._lock:
            self._taken[person_id] -= 1
            if not self._taken[person_id]:
                del self._taken[person_id]
