"""Files on their way give way to pages: while a page is made, by any process of the server, the next piece of a file waits for it,
though not for long.

As fast as its line is, a file keeps the processor and the interpreter busy; and somebody waits for the page.
"""

import mmap
import os
import struct
import threading
import time

from flask import Flask, current_app, g

LONGEST = 0.02  # seconds for which a piece waits at most: a file goes on however many pages are asked for
OLD = 1.0  # seconds after the newest page was begun for which files give way: of one that never comes to its end they take no notice
LOOK = 0.002  # seconds after which the other processes are looked at again
PLACES = 64  # for so many processes; two that share one are a little less polite
# Memory that processes share when this is imported before they part: until when (`time.monotonic`, one clock for all of them) each makes
# a page, 0.0 when it makes none.
_board = mmap.mmap(-1, PLACES * 8)
_NOBODY = bytes(PLACES * 8)


class Way:
    """Of one process: how many pages are being made, and the pieces of files that wait until there is none, here or elsewhere."""

    def __init__(self) -> None:
        self.pages = 0
        self._place = os.getpid() % PLACES
        self._until = 0.0
        self._changed = threading.Condition()

    def count(self, more: int) -> None:
        """So many pages more are being made."""
        with self._changed:
            self.pages += more
            if more > 0:
                self._until = time.monotonic() + OLD
            struct.pack_into("d", _board, self._place * 8, self._until if self.pages else 0.0)
            if not self.pages:
                self._changed.notify_all()

    def give(self) -> None:
        """Before the next piece of a file: wait a little while a page is being made."""
        end = time.monotonic() + LONGEST
        if self.pages and time.monotonic() < self._until:
            with self._changed:
                self._changed.wait_for(lambda: not self.pages, LONGEST)
        while (now := time.monotonic()) < end and self._others_make_one(now):
            time.sleep(LOOK)

    def _others_make_one(self, now: float) -> bool:
        board = _board[:]
        if board == _NOBODY:
            return False
        untils = struct.unpack(f"{PLACES}d", board)
        return any(until > now for place, until in enumerate(untils) if place != self._place)


def init_app(app: Flask) -> None:
    way = app.extensions["way"] = Way()

    @app.before_request
    def begin() -> None:
        g.is_page = True
        way.count(1)

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        of_file()


def of_file() -> Way:
    """This request makes no page, or not any more: a file comes or goes from here on, and gives way by what is answered."""
    way: Way = current_app.extensions["way"]
    if g.pop("is_page", False):
        way.count(-1)
    return way
