"""The object store: Cloudflare R2, SeaweedFS, or any other S3. Raises StorageError, never the client's own errors.

What may be large goes in and out by parts of `PART` bytes. Going in, two at most are in memory: one that fills, is sent on, or is on
the wire, and one on the wire; going out two: one is handed out while the next comes and is compared. Every key is written once: what
fits in one part is refused when the key is taken, of more parts the key is new.
"""

import base64
import hashlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.client import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from flask import current_app
from urllib3.exceptions import HTTPError

from clinic.way import Way

PART = 8 * 2**20  # bytes; R2 wants all parts but the last of one size, of at least 5 MiB
IN_MEMORY = 2  # parts of a file on its way in
AHEAD = 1  # parts of a file on its way out that are asked for while one is handed out
READ = 2**19  # bytes of a part on its way out that are read at once and handed out as they are, not copied from a whole
PIECE = 2**17  # bytes handed to the wire at once: each may take as long as a connection (3 s), so the line may be slow
AWAY_FOR = 3.0  # seconds
_lock = threading.Lock()


class StorageError(Exception):
    """The object store did not do what was asked; the sentence says what."""


class Missing(StorageError):
    """There is no such object."""


class Taken(StorageError):
    """There is such an object already."""


class Damaged(StorageError):
    """An object is not what was put there."""


class TooLarge(Exception):
    """More bytes came than may be stored."""


@dataclass(frozen=True)
class Stored:
    """What was put into the store. `digest`: SHA-256 of the whole, hex; `parts`: of each `PART` bytes of it, in order."""

    key: str
    size: int
    digest: str
    parts: tuple[str, ...]


def client() -> Any:
    """This process's client, made when first asked for: after the fork, and once. It may be shared by threads."""
    return _kept("chairside_store", connect_timeout=3, read_timeout=15, tries=3)


def _kept(name: str, **patience: int) -> Any:
    kept = current_app.extensions.get(name)
    if kept is None:
        with _lock:
            kept = current_app.extensions.get(name) or _new_client(**patience)
            current_app.extensions[name] = kept
    return kept


def _new_client(*, connect_timeout: int, read_timeout: int, tries: int) -> Any:
    config = current_app.config["CHAIRSIDE"]
    if not config.s3_endpoint:  # only in tests: the configuration refuses to be without
        raise StorageError("There is no object store.")
    made = boto3.session.Session().client(
        "s3",
        endpoint_url=config.s3_endpoint,
        aws_access_key_id=config.s3_access_key,
        aws_secret_access_key=config.s3_secret_key,
        region_name="auto",  # R2's only region; others ignore it
        config=ClientConfig(
            # The default adds checksums as a trailer, which R2 refuses; we send our own SHA-256.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": tries},
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_pool_connections=20,
            s3={"addressing_style": "path"},
        ),
    )
    # R2 never says 100 Continue, for which the client waits a second before each part.
    made.meta.events.unregister("before-call.s3", add_expect_header)
    made.meta.events.register("before-send.s3.UploadPart", _note_digest)
    return made


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """The client's errors as ours. `what`: the object that is asked for."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchKey", "NoSuchUpload", "404"):
            raise Missing(f"The object store holds no {what}.") from error
        if code in ("PreconditionFailed", "412"):
            raise Taken(f"The object store holds {what} already.") from error
        raise StorageError(f"The object store refused what was asked about {what}: {code}.") from error
    except (BotoCoreError, HTTPError) as error:
        raise StorageError("The object store does not answer.") from error


# --- the bucket -------------------------------------------------------------------------------------------------------


def is_reachable() -> bool:
    """Whether the bucket answers to our key. One request; no answer may take some seconds."""
    try:
        with _asking("the bucket"):
            client().head_bucket(Bucket=_bucket())
    except StorageError:
        return False
    return True


def check() -> None:
    """Raise StorageError unless the store answers, within some three seconds: asked before somebody sends or waits for much.

    That it is away is known for `AWAY_FOR` seconds, so that a store that hangs costs one thread's patience and not everybody's. That
    it is well is asked each time: it may hang since.
    """
    try:
        with _asking_soon("the bucket") as impatient:
            impatient.head_bucket(Bucket=_bucket())
    except Missing as error:  # a bucket that is missing is no object that is
        raise StorageError(str(error)) from error


@contextmanager
def _asking_soon(what: str) -> Iterator[Any]:
    """The client for what must be answered soon or not at all. While the store is known to be away, StorageError at once."""
    state = current_app.extensions.setdefault("chairside_store_away", {"until": 0.0})
    if time.monotonic() < state["until"]:
        raise StorageError("The object store does not answer.")
    if state["until"]:
        state["until"] = time.monotonic() + AWAY_FOR  # others go by what was known while this one asks
    try:
        with _asking(what):
            yield _kept("chairside_store_asked", connect_timeout=1, read_timeout=2, tries=1)
    except (Missing, Taken):  # these are answers
        state["until"] = 0.0
        raise
    except StorageError:
        state["until"] = time.monotonic() + AWAY_FOR
        raise
    state["until"] = 0.0


def ensure_bucket() -> None:
    """Make the bucket if it is not there. Safe to repeat. Raises StorageError."""
    bucket = _bucket()
    with _asking(f"the bucket {bucket}"):
        try:
            client().create_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


# --- what is small ----------------------------------------------------------------------------------------------------


def put_once(key: str, body: bytes) -> bool:
    """Store what is never to be written again; answers False, and writes nothing, when the key is taken. Raises StorageError."""
    try:
        with _asking(key):
            client().put_object(Bucket=_bucket(), Key=key, Body=body, ChecksumSHA256=_checksum(body), IfNoneMatch="*")
    except Taken:
        return False
    return True


def read(key: str) -> bytes:
    """The whole of one object, in memory. Raises Missing when there is none, StorageError when the store does not answer."""
    with _asking(key):
        body: bytes = client().get_object(Bucket=_bucket(), Key=key)["Body"].read()
    return body


def read_soon(key: str) -> bytes:
    """As `read`, of what one can do without: within some three seconds, and at once while the store is known to be away."""
    with _asking_soon(key) as impatient:
        body: bytes = impatient.get_object(Bucket=_bucket(), Key=key)["Body"].read()
    return body


def size_of(key: str) -> int | None:
    """How many bytes are under a key; None when there is nothing. Raises StorageError."""
    try:
        with _asking(key):
            size: int = client().head_object(Bucket=_bucket(), Key=key)["ContentLength"]
    except Missing:
        return None
    return size


def delete(key: str) -> None:
    """Take an object away; there is no undo. Safe to repeat. Raises StorageError."""
    with suppress(Missing), _asking(key):
        client().delete_object(Bucket=_bucket(), Key=key)


# --- what may be large ------------------------------------------------------------------------------------------------


def link(stored: Stored, *, seconds: int, disposition: str) -> str:
    """An address of the store itself under which whoever has it reads an object for so long, to be saved as a file and not kept by any
    cache. Of the bytes only their number is compared. Raises Missing, Damaged, StorageError, within some three seconds."""
    with _asking_soon(stored.key) as impatient:
        size = impatient.head_object(Bucket=_bucket(), Key=stored.key)["ContentLength"]
    if size != stored.size:
        raise Damaged(f"{stored.key} is not as long as what was put there.")
    with _asking(stored.key):
        address: str = client().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": _bucket(),
                "Key": stored.key,
                "ResponseContentDisposition": disposition,
                "ResponseContentType": "application/octet-stream",  # nothing is shown in the store's name
                "ResponseCacheControl": "no-store",
            },
            ExpiresIn=seconds,
        )
    return address


class _Part:
    """A part as the client reads it: not copied, and in pieces of our size, whatever it asks for.

    Handed over whole it would have to leave within three seconds: the client gives one piece as long as a connection.
    """

    def __init__(self, body: bytearray, way: Way) -> None:
        self._body, self._at, self._way = memoryview(body), 0, way
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


def _note_digest(request: Any, **_: Any) -> None:
    """The client has computed a part's SHA-256 to sign it: once is enough."""
    if isinstance(request.body, _Part):
        signed = request.headers.get("X-Amz-Content-SHA256", "")
        request.body.signed = signed.decode() if isinstance(signed, bytes) else signed


class _Line:
    """To the store, of one process: a file that is alone has two parts on it, several take turns and leave pages the processor."""

    def __init__(self) -> None:
        self.files: set[Incoming] = set()  # those of more than one part
        self.turn = threading.Lock()
        self.hashing = threading.Lock()


class Incoming:
    """Bytes on their way into the store, written as they come.

    As a context: unless it was finished, nothing of it stays in the store, as far as that answers; what it could not be told is for
    the reconciler. The key is new, and nobody else's. Raises TooLarge beyond `most` bytes, StorageError.
    """

    def __init__(self, key: str, *, most: int) -> None:
        self.key, self.most, self.size, self.is_finished = key, most, 0, False
        self._client, self._bucket = client(), _bucket()  # a part is sent by a thread without an application
        self._line: _Line = current_app.extensions.setdefault("chairside_store_line", _Line())
        self._way: Way = current_app.extensions.setdefault("way", Way())
        self._filling = bytearray()
        self._whole = hashlib.sha256()
        self._digests: list[str] = []
        self._etags: list[str] = []
        self._upload = ""
        self._is_ours = False  # whether what is under the key may have come from here
        self._wire: ThreadPoolExecutor | None = None
        self._sending: deque[Future[tuple[str, str]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._wire is not None:  # first, so that no part arrives after the store was told to forget them
            self._wire.shutdown(cancel_futures=True)
            self._line.files.discard(self)
        if not self.is_finished:
            self.abort()

    def write(self, data: bytes) -> int:
        """Take some more bytes; waits while two parts are on the wire."""
        self.size += len(data)
        if self.size > self.most:
            raise TooLarge
        with self._line.hashing if len(self._line.files) > 1 else nullcontext():
            self._whole.update(data)
        rest = memoryview(data)
        while rest:
            if len(self._filling) == PART:
                self._send()
            taken = PART - len(self._filling)
            self._filling += rest[:taken]
            rest = rest[taken:]
        return len(data)

    @property
    def digest(self) -> str:
        """SHA-256 of what was written so far, hex."""
        return self._whole.hexdigest()

    def finish(self) -> Stored:
        """Everything was written: answers what the store now holds, after it has said so itself."""
        if not self._upload:
            self._put(bytes(self._filling))
        else:
            self._send()
            while self._sending:
                self._wait()
            self._complete()
        if (held := size_of(self.key)) != self.size:
            raise StorageError(f"Of {self.size} bytes of {self.key} the object store holds {held}.")
        self.is_finished = True
        return Stored(self.key, self.size, self.digest, tuple(self._digests))

    def abort(self) -> None:
        """Take back what was sent, as far as the store answers."""
        try:
            check()
        except StorageError:
            return  # whoever sent it has waited for long enough
        with suppress(StorageError), _asking(self.key):
            if self._upload:
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=self.key, UploadId=self._upload)
        with suppress(StorageError), _asking(self.key):
            if self._is_ours:  # the store may have done what it did not say it did
                self._client.delete_object(Bucket=self._bucket, Key=self.key)

    def _put(self, body: bytes) -> None:
        self._is_ours = True
        if not put_once(self.key, body):
            self._is_ours = False
            if read(self.key) != body:  # else it is there by a first try whose answer was lost
                raise Taken(f"The object store holds {self.key} already.")
        self._digests = [hashlib.sha256(body).hexdigest()] if body else []

    def _complete(self) -> None:
        self._is_ours = True
        parts = [{"PartNumber": at, "ETag": etag} for at, etag in enumerate(self._etags, 1)]
        with suppress(Missing), _asking(self.key):  # no such upload any more: the answer to a first try was lost
            self._client.complete_multipart_upload(
                Bucket=self._bucket, Key=self.key, UploadId=self._upload, MultipartUpload={"Parts": parts}
            )

    def _send(self) -> None:
        """Put the part that is full on the wire, and wait until there is room for another."""
        if self._wire is None:
            with _asking(self.key):
                begun = self._client.create_multipart_upload(Bucket=self._bucket, Key=self.key)
            self._upload, self._wire = begun["UploadId"], ThreadPoolExecutor(IN_MEMORY)
            self._line.files.add(self)
        number = len(self._etags) + len(self._sending) + 1
        self._sending.append(self._wire.submit(self._sent, number, self._filling))
        self._filling = bytearray()
        if len(self._sending) == IN_MEMORY:
            self._wait()

    def _sent(self, number: int, body: bytearray) -> tuple[str, str]:
        part = _Part(body, self._way)
        with self._line.turn if len(self._line.files) > 1 else nullcontext(), _asking(self.key):
            answer = self._client.upload_part(
                Bucket=self._bucket, Key=self.key, UploadId=self._upload, PartNumber=number, Body=part
            )
        return answer["ETag"], part.digest

    def _wait(self) -> None:
        """Until the part that was put on the wire first has arrived."""
        etag, digest = self._sending.popleft().result()
        self._etags.append(etag)
        self._digests.append(digest)


def outgoing(stored: Stored, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """The bytes from `start` to before `stop`, in pieces of `READ` at most: each part verified before any of it is handed out, the next
    on its way meanwhile.

    It is read outside of the application too, as answers are. Raises Damaged, of a part that is not what was put there or of an object
    that became longer; Missing; StorageError.
    """
    return _pieces(client(), _bucket(), stored, start, stored.size if stop is None else min(stop, stored.size))


def _pieces(ours: Any, bucket: str, stored: Stored, start: int, stop: int) -> Iterator[bytes]:
    numbers = range(start // PART, -(-stop // PART)) if start < stop else range(0)
    if not stored.size:
        _check_empty(ours, bucket, stored)
    wire, source = ThreadPoolExecutor(1), _Source(ours, bucket, stored, numbers.stop)
    coming = deque(wire.submit(source.part, number) for number in numbers[:AHEAD])
    try:
        for number in numbers:
            pieces, begins = coming.popleft().result(), number * PART
            if number + AHEAD in numbers:
                coming.append(wire.submit(source.part, number + AHEAD))
            while pieces:
                piece = pieces.popleft()
                if wanted := piece[max(start - begins, 0) : max(stop - begins, 0)]:
                    yield wanted
                begins += len(piece)
    finally:
        for each in coming:  # whoever went away waits for no part
            each.cancel()
        with suppress(RuntimeError):  # the process ends: so does the connection
            wire.submit(source.close)
        wire.shutdown(wait=False)


def _check_empty(ours: Any, bucket: str, stored: Stored) -> None:
    with _asking(stored.key):
        if ours.head_object(Bucket=bucket, Key=stored.key)["ContentLength"]:
            raise Damaged(f"{stored.key} is longer than what was put there.")


class _Source:
    """An object's parts one after the other, up to before part `end`: of one answer, as asking for each costs half as much time again.

    Whoever takes long over a part may find that the store has hung up meanwhile: the rest is asked for anew.
    """

    def __init__(self, ours: Any, bucket: str, stored: Stored, end: int) -> None:
        self._client, self._bucket, self._stored = ours, bucket, stored
        self._stop = min(end * PART, stored.size)
        self._body: Any = None

    def part(self, number: int) -> deque[bytes]:
        """The part in pieces of `READ`: of the right place and length, and compared. Raises Damaged, Missing, StorageError."""
        if self._body is not None:
            try:
                return self._read(number)
            except Damaged:
                raise
            except StorageError:
                pass
        self.close()
        with _asking(self._stored.key):
            self._body = self._asked_for(number * PART)
        return self._read(number)

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def _asked_for(self, first: int) -> Any:
        last, size = self._stop - 1, self._stored.size
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=self._stored.key, Range=f"bytes={first}-{last}")
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidRange":
                raise Damaged(f"{self._stored.key} is shorter than what was put there.") from error
            raise
        if answer.get("ContentRange") != f"bytes {first}-{last}/{size}":
            answer["Body"].close()
            raise Damaged(f"{self._stored.key} is not as long as what was put there.")
        return answer["Body"]

    def _read(self, number: int) -> deque[bytes]:
        left = min((number + 1) * PART, self._stop) - number * PART
        pieces, hashed = deque[bytes](), hashlib.sha256()
        with _asking(self._stored.key):
            while left and (piece := self._body.read(min(left, READ))):
                pieces.append(piece)
                hashed.update(piece)
                left -= len(piece)
        if left:
            raise StorageError("The object store does not answer.")
        if hashed.hexdigest() != self._stored.parts[number]:
            raise Damaged(f"{self._stored.key} is not what was put there.")
        return pieces


# --- what is there ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Held:
    """An object, or an upload that was begun and not finished (`upload`: its name). `at`: since when, in UTC."""

    key: str
    at: datetime
    size: int = 0
    upload: str = ""


def held(prefix: str, *, after: str = "") -> Iterator[Held]:
    """The objects whose keys begin with `prefix` and come after `after`, in order; a request per thousand. Raises StorageError."""
    with _asking(prefix):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=_bucket(), Prefix=prefix, StartAfter=after)
        for page in pages:
            for item in page.get("Contents", ()):
                yield Held(item["Key"], item["LastModified"], item["Size"])


def keys(prefix: str, *, after: str = "") -> Iterator[str]:
    """The keys of the objects that are `held`."""
    return (each.key for each in held(prefix, after=after))


def unfinished(prefix: str) -> Iterator[Held]:
    """The uploads that were begun and neither finished nor aborted. Raises StorageError."""
    with _asking(prefix):
        for page in client().get_paginator("list_multipart_uploads").paginate(Bucket=_bucket(), Prefix=prefix):
            for item in page.get("Uploads", ()):
                yield Held(item["Key"], item["Initiated"], upload=item["UploadId"])


def abort(upload: Held) -> None:
    """Take back the parts of an unfinished upload. Safe to repeat. Raises StorageError."""
    with suppress(Missing), _asking(upload.key):
        client().abort_multipart_upload(Bucket=_bucket(), Key=upload.key, UploadId=upload.upload)


def origin() -> str:
    """Where the store is reached: scheme, host and port."""
    parts = urlsplit(current_app.config["CHAIRSIDE"].s3_endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def _bucket() -> str:
    bucket: str = current_app.config["CHAIRSIDE"].s3_bucket
    return bucket


def _checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()
