"""A file that is walked while it streams by. Nothing is decoded, and next to nothing is held.

Each kind of file has a walk: a generator that asks for its next bytes (`Take`), passes over some (`Skip`) or looks for a pattern
(`Find`), and ends where the file says it ends. A walk never sees how the bytes were cut into pieces, so that cannot change an answer.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

PIECE = 65_536  # bytes that are walked at once, whatever comes at once
TAIL = 2048  # bytes in which a PDF's end is said
BEFORE = 512  # bytes that stay at hand when they are walked
PADDING = 16  # bytes after a picture's end that mean nothing


class Refused(Exception):
    """Not a file that is kept here; `sentence` says why and what to do instead."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class Limits:
    """The most pixels of a picture, pixels of one of its sides, and pages of a PDF (of those that can be counted)."""

    pixels: int = 100_000_000
    side: int = 20_000
    pages: int = 2_000


USUAL = Limits()


# --- what a walk asks for ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """The next `size` bytes."""

    size: int


@dataclass(frozen=True)
class Some:
    """The next `size` bytes, or what is left of the file."""

    size: int


@dataclass
class Skip:
    """Pass over so many bytes."""

    size: int


@dataclass(frozen=True)
class Find:
    """Pass over everything up to and with the next match, and hand that over; no match, with what it looks at, is longer than `longest`."""

    pattern: re.Pattern[bytes]
    longest: int


class Cut(Exception):
    """The file ended before what was asked for."""


Step = Take | Some | Skip | Find
Walk = Generator[Step, Any, None]


# --- the file ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of file that is kept; the first of its suffixes is the one it is given."""

    type: str
    media_type: str
    suffixes: tuple[str, ...]
    words: str
    walk: "Callable[[Walked], Walk]"


class Walked:
    """A file of one kind: `feed` it as it comes, then `end`; both raise Refused. What it was found to be stands in its attributes.

    Pixels and pages are None where no header tells them. `flags`: what a reader should know, in words. `tail`: the last bytes so far.
    """

    def __init__(self, kind: Kind, limits: Limits = USUAL) -> None:
        self.kind, self.limits = kind, limits
        self.size = 0
        self.tail = b""
        self.width: int | None = None
        self.height: int | None = None
        self.pages: int | None = None
        self.flags: list[str] = []
        self._held, self._at = b"", 0  # what is not walked yet begins at `_at`
        self._stop: int | None = None  # where the file ends by its own account
        self._walk: Walk | None = kind.walk(self)
        self._step: Step = next(self._walk)

    def feed(self, data: bytes) -> None:
        """Some more bytes. Raises Refused as soon as it is known."""
        self.tail = (self.tail + bytes(data[-TAIL:]))[-TAIL:]
        if self._passed_over(data):
            return
        for start in range(0, len(data), PIECE):
            piece = bytes(data[start : start + PIECE])
            self.size += len(piece)
            walked = max(self._at - BEFORE, 0)
            self._held, self._at = self._held[walked:] + piece, self._at - walked
            self._go()

    def _passed_over(self, data: bytes) -> bool:
        """Count it without copying, if the walk asks for nothing of it, as of a volume's gibibytes of pixels; whether it did."""
        step, there = self._step, len(self._held) - self._at
        if self._walk is not None:
            if not isinstance(step, Skip) or step.size <= there + len(data):
                return False
            step.size -= there + len(data)
        self.size += len(data)
        self._held = (self._held + bytes(data[-BEFORE:]))[-BEFORE:]
        self._at = len(self._held)
        return True

    def end(self) -> None:
        """That was all. Raises Refused, also of what is cut short."""
        self._go(is_end=True)
        if self._walk is not None:
            try:
                self._walk.throw(Cut)
            except StopIteration:
                self._ended()
            except Cut:
                raise self.cut_short() from None
        if self._stop is not None and self.size - self._stop > PADDING:
            self.flags.append("has bytes after its end")

    def _go(self, *, is_end: bool = False) -> None:
        """Walk as far as the bytes go."""
        while self._walk is not None and (given := self._given(is_end=is_end)) is not None:
            try:
                self._step = self._walk.send(given)
            except StopIteration:
                self._ended()
        if self._walk is None:
            self._at = len(self._held)

    def _ended(self) -> None:
        self._walk = None
        if self._stop is None:
            self._stop = self.size - (len(self._held) - self._at)

    def _given(self, *, is_end: bool) -> bytes | re.Match[bytes] | None:
        """What the walk asked for; None while that is not there."""
        step, there = self._step, len(self._held) - self._at
        if isinstance(step, Find):
            safe = len(self._held) if is_end else max(len(self._held) - step.longest, self._at)
            match = step.pattern.search(self._held, self._at)
            if match is not None and match.start() < safe:
                self._at = match.end()
                return match
            self._at = safe
            return None
        if isinstance(step, Skip):
            gone = min(step.size, there)
            self._at += gone
            step.size -= gone
            return None if step.size else b""
        size = min(step.size, there) if isinstance(step, Some) and is_end and there else step.size
        if there < size:
            return None
        self._at += size
        return self._held[self._at - size : self._at]

    # --- what walks say ---

    def stops_here(self, before: int = 0) -> None:
        """The file ended `before` bytes ago; what follows is not of it."""
        self._stop = self.size - (len(self._held) - self._at) - before

    def step_back(self, size: int) -> None:
        """The last `size` bytes of what was just handed over are walked again."""
        self._at -= size

    def measured(self, width: int, height: int) -> None:
        """The picture's header says so many pixels. Raises Refused when that cannot be, or is too many, or was said otherwise before."""
        if not width or not height or (self.width is not None and (self.width, self.height) != (width, height)):
            raise self.damaged()
        if max(width, height) > self.limits.side or width * height > self.limits.pixels:
            raise Refused(
                f"This picture is {width:,} x {height:,} pixels, more than can be shown. Make it smaller and upload that."
            )
        self.width, self.height = width, height

    def damaged(self) -> Refused:
        return Refused(f"This {self.kind.words} is damaged. Open it, save it anew and upload that.")

    def cut_short(self) -> Refused:
        return Refused(f"This {self.kind.words} is cut short. Copy it again from where it came from and upload that.")
