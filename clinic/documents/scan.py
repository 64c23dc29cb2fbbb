"""Whether a virus scanner finds something in a file, asked of clamd (its INSTREAM command) while the bytes stream by.

The scanner's trouble is never the caller's: nothing here raises for it. And nothing is clean unless clamd itself said so of all the bytes.
"""

import re
import socket
import struct
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from clinic.text import one_line

PIECE = 131_072  # bytes sent at once
LONGEST_ANSWER = 4096  # bytes
LOOKED_INTO = 25 * 2**20  # bytes; Debian's MaxFileSize, the smallest usual one
_TOO_LARGE = "The file is larger than the scanner takes."
_SILENT = "The scanner did not answer in time."
_ENDED = "The scanner ended the connection."
_UNREACHED = "The scanner cannot be reached."
_NOT_UNDERSTOOD = "The scanner's answer cannot be understood."
_BROKEN_OFF = "The scan was broken off."


class Outcome(StrEnum):
    """What a scan came to."""

    CLEAN = "clean"
    FOUND = "found"
    NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Verdict:
    """`words`: the name of the signature that was found, or a sentence that says why it is not known; empty when clean."""

    outcome: Outcome
    words: str = ""


class Scan:
    """A scan of one file. `address`: host:port, or the path of clamd's socket. `seconds`: the longest one step waits for the scanner.

    `most`: bytes of a file that the scanner looks into; of a larger one it says OK unseen, and is not believed.
    After trouble it goes on to take bytes, and does nothing with them.
    """

    def __init__(self, address: str, seconds: float = 20, *, most: int = LOOKED_INTO) -> None:
        self.seconds, self.most, self.size = seconds, most, 0
        self._verdict: Verdict | None = None
        self._wire: socket.socket | None = None
        try:
            self._wire = _connected(address, seconds)
            self._wire.sendall(b"zINSTREAM\0")
        except (OSError, ValueError):
            self._not_known(_UNREACHED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def feed(self, data: bytes) -> None:
        """Let the scanner have some more bytes. A step is `PIECE` of them."""
        for start in range(0, len(data), PIECE):  # none at all would be the end
            piece = data[start : start + PIECE]
            self.size += len(piece)
            self._send(struct.pack(">I", len(piece)) + piece)

    def end(self) -> Verdict:
        """That was all. Waits for what the scanner says of it."""
        self._send(struct.pack(">I", 0))
        if self._wire is not None:
            self._verdict = self._heard()
        self.close()
        assert self._verdict is not None
        return self._verdict

    def close(self) -> None:
        """Let go of the scanner. Safe to repeat; what has not been told by now stays not known."""
        self._not_known(_BROKEN_OFF)

    def _send(self, frame: bytes) -> None:
        if self._wire is None:
            return
        try:
            self._wire.settimeout(self.seconds)
            self._wire.sendall(frame)
        except TimeoutError:
            self._not_known(_SILENT)
        except OSError:  # it says why before it ends the connection, but not always can that still be read
            self._not_known(_TOO_LARGE if _is_too_large(self._read()) else _ENDED)

    def _heard(self) -> Verdict:
        answer = self._read()
        if answer is None:
            return Verdict(Outcome.NOT_KNOWN, _SILENT)
        if not answer:
            return Verdict(Outcome.NOT_KNOWN, _ENDED)
        if answer == b"stream: OK\0":
            return Verdict(Outcome.CLEAN) if self.size <= self.most else Verdict(Outcome.NOT_KNOWN, _TOO_LARGE)
        found = re.fullmatch(rb"stream: ([^\0]+) FOUND\0", answer)
        if _is_too_large(answer):
            return Verdict(Outcome.NOT_KNOWN, _TOO_LARGE)
        if found:
            return Verdict(Outcome.FOUND, one_line(found[1].decode("ascii", "replace"))[:200])
        if answer.endswith(b" ERROR\0"):
            said = one_line(answer[:200].decode("ascii", "replace"))
            return Verdict(Outcome.NOT_KNOWN, f"The scanner could not look at the file: {said}")
        return Verdict(Outcome.NOT_KNOWN, _NOT_UNDERSTOOD)

    def _read(self) -> bytes | None:
        """All the scanner says, up to its zero byte and what comes with it; None when that takes too long."""
        assert self._wire is not None
        answer, until = b"", time.monotonic() + self.seconds
        try:
            while b"\0" not in answer and len(answer) <= LONGEST_ANSWER:
                self._wire.settimeout(max(until - time.monotonic(), 0.001))
                more = self._wire.recv(LONGEST_ANSWER)
                if not more:
                    break
                answer += more
        except TimeoutError:
            return None
        except OSError:
            return b""
        return answer

    def _not_known(self, why: str) -> None:
        if self._verdict is None:
            self._verdict = Verdict(Outcome.NOT_KNOWN, why)
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()


def _connected(address: str, seconds: float) -> socket.socket:
    """A connection to the scanner. Raises OSError, or ValueError for what is no address."""
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:
            raise ValueError(address)
        return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)
    wire = socket.socket(socket.AF_UNIX)
    try:
        wire.settimeout(seconds)
        wire.connect(address)
    except BaseException:
        wire.close()
        raise
    return wire


def _is_too_large(answer: bytes | None) -> bool:
    """Whether the scanner says that it did not look at all of the file; some of its settings make that a finding."""
    return answer is not None and (b"size limit exceeded" in answer or b"Heuristics.Limits.Exceeded" in answer)
