"""What may be large, on its way into the object store, by parts of `PART` bytes as they come.

Two parts at most are in memory: one that fills, is sent on, or is on the wire, and one on the wire.
"""

import hashlib
import mmap
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import Self

from flask import current_app

from clinic import storage
from clinic.storage import PART, Missing, StorageError, Stored, Taken, asking
from clinic.way import Way

IN_MEMORY = 2  # parts of a file on its way in
PIECE = 2**17  # bytes handed to the wire at once: each may take as long as a connection (3 s), so the line may be slow
NO_ROOM = memoryview(bytearray())


class TooManyBytes(Exception):
    """More bytes came than may be stored."""


class _Part:
    """A part as the client reads it: not copied, and in pieces of our size, whatever it asks for.

    Handed over whole it would have to leave within three seconds: the client gives one piece as long as a connection.
    """

    def __init__(self, body: memoryview, way: Way) -> None:
        self._body, self._at, self._way = body, 0, way
        self.signed = ""

    def read(self, _size: int = -1) -> memoryview:
        self._way.give()
        piece = self._body[self._at : self._at + PIECE]
        self._at += len(piece)
        return piece

    def seek(self, place: int, whence: int = 0) -> int:
        self._at = place + (len(self._body) if whence == 2 else 0)
        return self._at

    def tell(self) -> int:
        return self._at

    @property
    def digest(self) -> str:
        """SHA-256, hex: the one that was signed when it was sent, for the store to compare; computed where none was."""
        return self.signed if len(self.signed) == 64 else hashlib.sha256(self._body).hexdigest()


def _new_room() -> memoryview:
    """For a part: memory is taken as it fills, not before, and given back to the system at once when it is done with."""
    return memoryview(mmap.mmap(-1, PART, mmap.MAP_PRIVATE))


class _Line:
    """To the store, of one process: a file that is alone has two parts on it, several take turns and leave pages the processor."""

    def __init__(self) -> None:
        self.files: set[Incoming] = set()  # those of more than one part
        self.turn = threading.Lock()
        self.hashing = threading.Lock()


class Incoming:
    """Bytes on their way into the store, written as they come.

    As a context: unless it was finished, nothing of it stays in the store, as far as that answers; what it could not be told is for
    the reconciler. The key is new, and nobody else's. Raises TooManyBytes beyond `most` bytes, StorageError.
    """

    def __init__(self, key: str, *, most: int) -> None:
        self.key, self.most, self.size, self.is_finished = key, most, 0, False
        # A part is sent by a thread without an application.
        self._client, self._bucket = storage.client(), storage.bucket()
        self._line: _Line = current_app.extensions.setdefault("chairside_store_line", _Line())
        self._way: Way = current_app.extensions.setdefault("way", Way())
        self._room, self._filled = _new_room(), 0
        self._whole = hashlib.sha256()
        self._digests: list[str] = []
        self._etags: list[str] = []
        self._upload = ""
        self._is_ours = False  # whether what is under the key may have come from here
        self._wire: ThreadPoolExecutor | None = None
        self._sending: deque[tuple[Future[tuple[str, str]], memoryview]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._wire is not None:  # first, so that no part arrives after the store was told to forget them
            self._wire.shutdown(cancel_futures=True)
            self._line.files.discard(self)
        self._sending.clear()
        self._room = NO_ROOM
        if not self.is_finished:
            self.abort()

    def write(self, data: bytes) -> int:
        """Take some more bytes; waits while two parts are on the wire."""
        self.size += len(data)
        if self.size > self.most:
            raise TooManyBytes
        with self._line.hashing if len(self._line.files) > 1 else nullcontext():
            self._whole.update(data)
        rest = memoryview(data)
        while rest:
            if self._filled == PART:
                self._send()
            taken = min(PART - self._filled, len(rest))
            self._room[self._filled : self._filled + taken] = rest[:taken]
            self._filled += taken
            rest = rest[taken:]
        return len(data)

    @property
    def digest(self) -> str:
        """SHA-256 of what was written so far, hex."""
        return self._whole.hexdigest()

    def finish(self) -> Stored:
        """Everything was written: answers what the store now holds, after it has said so itself."""
        if not self._upload:
            self._put(bytes(self._room[: self._filled]))
        else:
            self._send()
            while self._sending:
                self._wait()
            self._complete()
        self._room = NO_ROOM  # a scan and the database may take long
        if (held := storage.size_of(self.key)) != self.size:
            raise StorageError(f"Of {self.size} bytes of {self.key} the object store holds {held}.")
        self.is_finished = True
        return Stored(self.key, self.size, self.digest, tuple(self._digests))

    def abort(self) -> None:
        """Take back what was sent, as far as the store answers."""
        try:
            storage.check()
        except StorageError:
            return  # whoever sent it has waited for long enough
        with suppress(StorageError), asking(self.key):
            if self._upload:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self.key, UploadId=self._upload)
        with suppress(StorageError), asking(self.key):
            if self._is_ours:  # the store may have done what it did not say it did
                self._client.delete_object(Bucket=self._bucket, Key=self.key)

    def _put(self, body: bytes) -> None:
        self._is_ours = True
        if not storage.put_once(self.key, body):
            self._is_ours = False
            if storage.read(self.key) != body:  # else it is there by a first try whose answer was lost
                raise Taken(f"The object store holds {self.key} already.")
        self._digests = [hashlib.sha256(body).hexdigest()] if body else []

    def _complete(self) -> None:
        self._is_ours = True
        parts = [{"PartNumber": at, "ETag": etag} for at, etag in enumerate(self._etags, 1)]
        with suppress(Missing), asking(self.key):  # no such upload any more: the answer to a first try was lost
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self.key, UploadId=self._upload, MultipartUpload={"Parts": parts}
            )

    def _send(self) -> None:
        """Put the part that is full on the wire, and wait until there is room for another."""
        if self._wire is None:
            with asking(self.key):
                begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=self.key)
            self._upload, self._wire = begun["UploadId"], ThreadPoolExecutor(IN_MEMORY)
            self._line.files.add(self)
        number = len(self._etags) + len(self._sending) + 1
        full, filled = self._room, self._filled
        self._room, self._filled = NO_ROOM, 0
        self._sending.append((self._wire.submit(self._sent, number, full[:filled]), full))
        self._room = self._wait() if len(self._sending) == IN_MEMORY else _new_room()

    def _sent(self, number: int, body: memoryview) -> tuple[str, str]:
        part = _Part(body, self._way)
        with self._line.turn if len(self._line.files) > 1 else nullcontext(), asking(self.key):
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=self.key, UploadId=self._upload, PartNumber=number, Body=part
            )
        return answer["ETag"], part.digest

    def _wait(self) -> memoryview:
        """Until the part that was put on the wire first has arrived: its room is used again, as a new one would be emptied first."""
        sent, room = self._sending.popleft()
        etag, digest = sent.result()
        self._etags.append(etag)
        self._digests.append(digest)
        return room
