"""A file on its way in: from the browser through this process into the object store, as it comes, inspected and scanned on the way.

Nothing is written to a disk and nothing is decoded; what is held is what clinic/incoming.py holds. Nothing here asks the database.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, cast
from urllib.parse import parse_qsl

from flask import current_app, g, request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser, MultiPartParser

from clinic import storage
from clinic.blueprints.documents.pace import Pace, TooLong, kept_up
from clinic.documents.inspection import Found, Inspection
from clinic.documents.names import cleaned_name
from clinic.documents.scan import Outcome, Scan, Verdict
from clinic.documents.walk import Refused
from clinic.errors import DomainError, Unavailable
from clinic.formatting import bytes_of
from clinic.incoming import Incoming, TooManyBytes
from clinic.operations.documents import MIB, Content
from clinic.way import Way, of_file

log = logging.getLogger(__name__)
AT_ONCE = 24  # files coming into one process: 20 on slow lines leave room; each holds a thread and at most two parts of memory
FIELDS = MIB  # bytes of a form beside its file
MOST_PARTS = 40  # of a form, its file among them
# How the script of our pages sends a file: `X-Fields` bytes of the form's fields as an address has them, the file's name among them as
# `file`; behind them the file as it is. In a form of the usual way each byte is looked at for the boundary at which the file ends.
BARE = "application/x-chairside-document"
# Bytes read at once: of what comes quickly, and of what does not, so that it is passed on soon.
QUICK, SLOW = 2**18, 2**13
CUT_OFF = "The file was cut off on its way here. Send it again."
AWAY = "Documents cannot be stored at the moment. Nothing was saved; keep the file and try again in some minutes."


class TooLarge(DomainError):
    """The file is larger than one may be."""

    status = 413


@dataclass(frozen=True)
class Arrived:
    name: str
    content: Content


class _Nothing(BytesIO):
    """Where a file without a name goes: it has no bytes, or it is none of a browser."""

    def write(self, data: Any) -> int:
        if data:
            raise Refused("This file has no name. Choose it again.")
        return 0


class _AsItComes:
    """A request's body that reads less at once when a read took a second: the scanner gives up who feeds it nothing for long."""

    def __init__(self, body: Any, way: Way) -> None:
        self._body, self._most, self._way = body, SLOW, way

    def read(self, size: int) -> bytes:
        self._way.give()
        began = time.monotonic()
        data: bytes = self._body.read(min(size, self._most))
        self._most = QUICK if time.monotonic() - began < 1 else SLOW
        return data


def _exactly(size: int) -> Iterator[bytes]:
    """The next bytes of the request's body, so many, as they come. Raises DomainError when it ends before."""
    while size:
        try:
            data = request.environ["wsgi.input"].read(min(size, QUICK))
        except ConnectionError:
            data = b""
        if not data:
            raise DomainError(CUT_OFF)
        size -= len(data)
        yield data


class _LargeForms(FormDataParser):
    """Werkzeug's, by larger pieces: by its usual 64 KiB a file costs a third more of the processor. And `BARE`."""

    def parse(
        self, stream: Any, mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> Any:
        if mimetype != BARE:
            return super().parse(stream, mimetype, content_length, options)
        size, length = request.headers.get("X-Fields", 0, type=int), content_length or 0
        if not 0 < size <= min(length, FIELDS):
            raise DomainError(CUT_OFF)
        fields = b"".join(_exactly(size)).decode(errors="replace")
        try:
            said = parse_qsl(fields, keep_blank_values=True, max_num_fields=MOST_PARTS)
        except ValueError:
            raise RequestEntityTooLarge from None
        file = self.stream_factory(length, None, dict(said).get("file", ""), None)
        for data in _exactly(length - size):
            file.write(data)
        return stream, self.cls(pair for pair in said if pair[0] != "file"), self.cls({"file": FileStorage(file)})

    def _parse_multipart(self, stream: Any, _mimetype: str, content_length: int | None, options: dict[str, str]) -> Any:
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("Missing boundary")
        parser = MultiPartParser(
            self.stream_factory, self.max_form_memory_size, self.cls, QUICK, max_form_parts=self.max_form_parts
        )
        return stream, *parser.parse(stream, boundary, content_length)


class Sink:
    """What Werkzeug's parser writes a file's bytes to. Raises Refused, TooManyBytes, StorageError, TooLong."""

    def __init__(self, key: str, most: int, taken: frozenset[str], until: ExitStack) -> None:
        self.key, self.most, self.taken, self._end = key, most, taken, until
        self.scan: Scan | None = None
        self.name = ""
        self.pace = Pace()

    def open(self, name: str) -> "IO[bytes]":
        if not name:
            return _Nothing()  # a browser's field in which no file was chosen
        if self.name:
            raise Refused("Send one file at a time.")
        self.name = cleaned_name(name)
        self.inspection = Inspection(self.name, taken=self.taken)
        self.incoming = self._end.enter_context(Incoming(self.key, most=self.most))
        if clamd := current_app.config["CHAIRSIDE"].clamd:
            self.scan = self._end.enter_context(Scan(clamd, most=current_app.config["CHAIRSIDE"].clamd_most * MIB))
        return cast("IO[bytes]", self)

    def write(self, data: bytes) -> int:
        self.pace.went(len(data))
        self.inspection.feed(data)
        if self.scan:
            self.scan.feed(data)
        return self.incoming.write(data)

    def seek(self, _place: int) -> int:
        """The parser wants to begin at the start when a file is whole; nobody reads this one."""
        return 0

    def close(self) -> None:
        """Werkzeug closes what it opened; the upload is finished by whoever began it."""


def receive(key: str, most: int, taken: frozenset[str]) -> Arrived:
    """Read the request's body: its file, of `most` bytes and a type that is `taken`, goes into the store under this key, its fields are
    in `request.form` after.

    Raises DomainError when the file is none that is kept, when it is too large, when it is not what was sent, when there is none, when
    it came too slowly, or when the store is away; what Werkzeug raises of a form that is no such one or was cut off. Whatever is raised,
    nothing stays in the store.
    """
    request.max_content_length, request.max_form_parts = most + FIELDS, MOST_PARTS
    if request.mimetype not in ("multipart/form-data", BARE):  # any other would be read into memory
        raise DomainError("Choose a file first.")
    too_large = TooLarge(
        f"A file may have {bytes_of(most)} at most, and this has more. An administrator can raise that."
    )
    if (request.content_length or 0) > request.max_content_length:
        raise too_large
    request.form_data_parser_class = _LargeForms
    request.environ["wsgi.input"] = _AsItComes(request.environ["wsgi.input"], of_file())
    try:
        with _in_turn(), ExitStack() as until:
            sink = Sink(key, most, taken, until)
            g.file_goes_to = sink.open
            with kept_up(sink.pace):
                sent = request.form.get("sha256", "")
            if not sink.name:
                raise DomainError("Choose a file first.")
            if not request.files:  # the parser says nothing of a form that ends before its end
                raise DomainError(CUT_OFF)
            found = sink.inspection.end()
            if sent and sent != sink.incoming.digest:
                raise DomainError("The file was changed on its way here. Send it again.")
            stored = sink.incoming.finish()
            name = cleaned_name(f"{sink.name}{found.suffix}") if _lies(found) else sink.name
            return Arrived(name, _content(stored, found, sink.scan))
    except Refused as refused:
        raise DomainError(refused.sentence) from None
    except TooManyBytes:
        raise too_large from None
    except (TooLong, TimeoutError):
        raise DomainError("The file came in too slowly and was given up. Try again over a better connection.") from None
    except storage.StorageError as error:
        log.warning("documents: %s", error)
        raise Unavailable(AWAY) from None


def _lies(found: Found) -> bool:
    """Whether a file's name says that it is something else than it is: what is saved under it must not be opened as that."""
    return any(flag.startswith("file name says") for flag in found.flags)


def _content(stored: storage.Stored, found: Found, scan: Scan | None) -> Content:
    return Content(
        stored=stored,
        media_type=found.media_type,
        width=found.width,
        height=found.height,
        pages=found.pages,
        remarks="; ".join(found.flags),
        danger=_danger(scan.end()) if scan else "",
    )


def _danger(verdict: Verdict) -> str:
    """Why a file is in quarantine: the scanner knows it for harmful, or could not say that it is not."""
    if verdict.outcome is Outcome.CLEAN:
        return ""
    found = verdict.outcome is Outcome.FOUND
    return f"The scanner found {verdict.words} in it." if found else f"It could not be scanned. {verdict.words}"


@contextmanager
def _in_turn() -> Iterator[None]:
    turns: threading.Semaphore = current_app.extensions.setdefault("chairside_uploads", threading.Semaphore(AT_ONCE))
    if not turns.acquire(blocking=False):
        raise Unavailable("Many files are coming in at once. Keep yours and send it again in a minute.")
    try:
        yield
    finally:
        turns.release()
