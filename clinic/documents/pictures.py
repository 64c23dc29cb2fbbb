"""Thumbnails and previews of stored documents, and what DICOM files say of themselves, made by a process that can do no harm.

A stranger's file is never decoded in the web process: `picture_worker.py` does it, limited in memory and time, without secrets, files
or connections, and is gone after one file. Of its answer nothing is believed that was not checked (docs/decisions/0045).
"""

import json
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from clinic.text import one_line

WORKER = Path(__file__).with_name("picture_worker.py")
AT_ONCE = 2  # workers of one web process: of two cores, what is left over
LARGEST = 64 * 2**20  # bytes of a file that is drawn
HEADER = 16 * 2**20  # bytes of the beginning of a file in which its facts are looked for
ANSWER = 4 * 2**20  # bytes of an answer
DRAWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/tiff", "application/dicom"})
SENTENCES = {
    "broken": "The file is broken, or is not what it says it is.",
    "pixels": "The picture has too many pixels to be shown small.",
    "memory": "The picture takes too much memory to be shown small.",
    "compressed": "The picture is compressed in a way that cannot be shown here.",
    "colours": "The picture keeps its colours in a way that cannot be shown here.",
    "frames": "The file holds a series of pictures, which cannot be shown here.",
    "nothing": "The file holds no picture.",
}
DIED = "The picture could not be made."
# What makes text run the other way, in which a name could be made to look like another.
DIRECTIONS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_places = threading.BoundedSemaphore(AT_ONCE)


class NoPicture(Exception):
    """There is no picture, or there are no facts. Holds a sentence. `again`: whether another try may go better."""

    def __init__(self, sentence: str, *, again: bool = False) -> None:
        super().__init__(sentence)
        self.again = again


@dataclass(frozen=True)
class Picture:
    """A JPEG made anew: upright, on white where the original is transparent, without any of its metadata."""

    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True)
class Facts:
    """What the header of a DICOM file says: label and words; and whom it names, as it is written there, so that a mix-up is seen.

    `birth_date`: eight digits. `no`: a sentence of why it is not drawn; empty when it may be.
    """

    rows: tuple[tuple[str, str], ...] = ()
    name: str = ""
    birth_date: str = ""
    number: str = ""
    frames: int = 1
    width: int = 0  # pixels
    height: int = 0
    no: str = ""

    def body(self) -> bytes:
        """As it is kept."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, body: bytes) -> "Facts":
        """What was kept."""
        kept = json.loads(body)
        return cls(**kept | {"rows": tuple((label, words) for label, words in kept["rows"])})


def picture_of(media_type: str, chunks: Iterable[bytes], *, side: int = 320, seconds: float = 10) -> Picture:
    """The picture in a file, at most `side` pixels each way and never enlarged; of several pages the first. `side`: up to 2048.

    It waits at most `seconds` for one of the `AT_ONCE` places, and the worker has as long from then on; what reading from `chunks`
    takes is bounded by the store. Raises NoPicture; whatever `chunks` raises.
    """
    if media_type == "application/pdf":
        raise NoPicture("Pages of a PDF are not shown small.")
    if media_type not in DRAWN:
        raise NoPicture("A file of this kind has no picture.")
    about, jpeg = _asked(media_type, side, chunks, seconds)
    lengths = [about.get("width"), about.get("height")]
    width, height = (length if isinstance(length, int) and length <= side else 0 for length in lengths)
    if width < 1 or height < 1 or not jpeg.startswith(b"\xff\xd8\xff"):
        raise NoPicture(DIED, again=True)
    return Picture(jpeg, width, height)


def facts_of(chunks: Iterable[bytes], *, seconds: float = 10) -> Facts:
    """What a DICOM file's header says, of a file of any size: only its beginning is read. Times and errors as with `picture_of`."""
    about, _rest = _asked("facts", 0, chunks, seconds)
    try:
        said = about["facts"]
        no = said["no"]
        return Facts(
            rows=tuple((_plain(label), _plain(words)) for label, words in said["rows"][:20]),
            name=_plain(said["name"]),
            birth_date=_plain(said["birth_date"]),
            number=_plain(said["number"]),
            frames=int(said["frames"]),
            width=int(said["width"]),
            height=int(said["height"]),
            no=SENTENCES.get(no, DIED) if no else "",
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoPicture(DIED, again=True) from error


def _plain(text: str) -> str:
    return "".join(char for char in one_line(text) if unicodedata.bidirectional(char) not in DIRECTIONS)[:200]


def _asked(kind: str, side: int, chunks: Iterable[bytes], seconds: float) -> tuple[dict[str, Any], bytes]:
    """What a worker answers. Raises NoPicture when it says there is none, and when it says nothing that makes sense."""
    if not _places.acquire(timeout=seconds):
        raise NoPicture("Too many pictures are being made. Try again in a minute.", again=True)
    try:
        head, _, rest = _worked([kind, str(side), str(math.ceil(seconds))], chunks, seconds).partition(b"\n")
    finally:
        _places.release()
    try:
        about = json.loads(head)
        reason = about.get("no")
    except (ValueError, AttributeError, RecursionError) as error:
        raise NoPicture(DIED, again=True) from error
    if reason is not None:
        raise NoPicture(SENTENCES.get(str(reason), DIED))
    return about, rest


def _worked(arguments: list[str], chunks: Iterable[bytes], seconds: float) -> bytes:
    """Start a worker, give it the file, take its answer; afterwards it is gone, with all it may have started."""
    until = time.monotonic() + seconds
    try:
        worker = subprocess.Popen(
            [sys.executable, "-I", "-B", str(WORKER), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what it would say comes from a stranger's file
            env={},
            cwd="/",
            bufsize=0,
            start_new_session=True,
        )
    except OSError as error:
        raise NoPicture(DIED, again=True) from error
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        with suppress(BrokenPipeError):  # it has seen enough, or is gone: the answer tells
            _feed(worker.stdin, chunks, until, is_header=arguments[0] == "facts")
        worker.stdin.close()
        return _read(worker.stdout, until)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.stdin.close()
        worker.stdout.close()
        worker.wait()


def _feed(pipe: IO[bytes], chunks: Iterable[bytes], until: float, *, is_header: bool) -> None:
    os.set_blocking(pipe.fileno(), False)
    left = HEADER if is_header else LARGEST
    for chunk in chunks:
        if len(chunk) > left and not is_header:
            raise NoPicture("The file is too large to be shown small.")
        rest = memoryview(chunk)[:left]
        left -= len(rest)
        while rest:
            _wait(pipe, select.POLLOUT, until)
            rest = rest[os.write(pipe.fileno(), rest) :]
        if is_header and not left:
            return


def _read(pipe: IO[bytes], until: float) -> bytes:
    read = bytearray()
    while len(read) <= ANSWER:
        _wait(pipe, select.POLLIN, until)
        part = os.read(pipe.fileno(), 2**16)
        if not part:
            return bytes(read)
        read += part
    raise NoPicture(DIED, again=True)


def _wait(pipe: IO[bytes], event: int, until: float) -> None:
    """Wait until a pipe is ready. Raises NoPicture when the time is over."""
    poll = select.poll()
    poll.register(pipe, event)
    left = until - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise NoPicture("Making the picture took too long.", again=True)
