"""The object store: Cloudflare R2, SeaweedFS, or any other S3. Raises StorageError, never the client's own errors.

What is small goes in and out at once; what may be large by parts of `PART` bytes (incoming.py, outgoing.py). Every key is written once:
what fits in one part is refused when the key is taken, of more parts the key is new.
"""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.client import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError
from botocore.handlers import add_expect_header
from flask import current_app
from urllib3.exceptions import HTTPError

PART = 8 * 2**20  # bytes; R2 wants all parts but the last of one size, of at least 5 MiB
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
    if tries == 1:  # else it is asked again in any case
        made.meta.events.register("needs-retry.s3", _hung_up)
    return made


def _hung_up(caught_exception: Exception | None = None, attempts: int = 1, **_: Any) -> int | None:
    """Ask once more, at once: the store may have closed a connection that was kept just when it was used again."""
    return 0 if attempts == 1 and isinstance(caught_exception, ConnectionClosedError) else None


def _note_digest(request: Any, **_: Any) -> None:
    """The client has computed a part's SHA-256 to sign it: whoever sends one that has a place for it (`signed`) computes it no more."""
    if hasattr(request.body, "signed"):
        signed = request.headers.get("X-Amz-Content-SHA256", "")
        request.body.signed = signed.decode() if isinstance(signed, bytes) else signed


@contextmanager
def asking(what: str) -> Iterator[None]:
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
        with asking("the bucket"):
            client().head_bucket(Bucket=bucket())
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
            impatient.head_bucket(Bucket=bucket())
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
        with asking(what):
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
    with asking(f"the bucket {bucket()}"):
        try:
            client().create_bucket(Bucket=bucket())
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


# --- what is small ----------------------------------------------------------------------------------------------------


def put_once(key: str, body: bytes) -> bool:
    """Store what is never to be written again; answers False, and writes nothing, when the key is taken. Raises StorageError."""
    try:
        with asking(key):
            client().put_object(Bucket=bucket(), Key=key, Body=body, ChecksumSHA256=checksum(body), IfNoneMatch="*")
    except Taken:
        return False
    return True


def read(key: str) -> bytes:
    """The whole of one object, in memory. Raises Missing when there is none, StorageError when the store does not answer."""
    with asking(key):
        body: bytes = client().get_object(Bucket=bucket(), Key=key)["Body"].read()
    return body


def read_soon(key: str) -> bytes:
    """As `read`, of what one can do without: within some three seconds, and at once while the store is known to be away."""
    with _asking_soon(key) as impatient:
        body: bytes = impatient.get_object(Bucket=bucket(), Key=key)["Body"].read()
    return body


def size_of(key: str) -> int | None:
    """How many bytes are under a key; None when there is nothing. Raises StorageError."""
    try:
        with asking(key):
            size: int = client().head_object(Bucket=bucket(), Key=key)["ContentLength"]
    except Missing:
        return None
    return size


def delete(key: str) -> None:
    """Take an object away; there is no undo. Safe to repeat. Raises StorageError."""
    with suppress(Missing), asking(key):
        client().delete_object(Bucket=bucket(), Key=key)


def link(stored: Stored, *, seconds: int, disposition: str) -> str:
    """An address of the store itself under which whoever has it reads an object for so long, to be saved as a file and not kept by any
    cache. Of the bytes only their number is compared. Raises Missing, Damaged, StorageError, within some three seconds."""
    with _asking_soon(stored.key) as impatient:
        size = impatient.head_object(Bucket=bucket(), Key=stored.key)["ContentLength"]
    if size != stored.size:
        raise Damaged(f"{stored.key} is not as long as what was put there.")
    with asking(stored.key):
        address: str = client().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": bucket(),
                "Key": stored.key,
                "ResponseContentDisposition": disposition,
                "ResponseContentType": "application/octet-stream",  # nothing is shown in the store's name
                "ResponseCacheControl": "no-store",
            },
            ExpiresIn=seconds,
        )
    return address


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
    with asking(prefix):
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=bucket(), Prefix=prefix, StartAfter=after)
        for page in pages:
            for item in page.get("Contents", ()):
                yield Held(item["Key"], item["LastModified"], item["Size"])


def keys(prefix: str, *, after: str = "") -> Iterator[str]:
    """The keys of the objects that are `held`."""
    return (each.key for each in held(prefix, after=after))


def unfinished(prefix: str) -> Iterator[Held]:
    """The uploads that were begun and neither finished nor aborted. Raises StorageError."""
    with asking(prefix):
        for page in client().get_paginator("list_multipart_uploads").paginate(Bucket=bucket(), Prefix=prefix):
            for item in page.get("Uploads", ()):
                yield Held(item["Key"], item["Initiated"], upload=item["UploadId"])


def abort(upload: Held) -> None:
    """Take back the parts of an unfinished upload. Safe to repeat. Raises StorageError."""
    with suppress(Missing), asking(upload.key):
        client().abort_multipart_upload(Bucket=bucket(), Key=upload.key, UploadId=upload.upload)


def origin() -> str:
    """Where the store is reached: scheme, host and port."""
    parts = urlsplit(current_app.config["CHAIRSIDE"].s3_endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def bucket() -> str:
    name: str = current_app.config["CHAIRSIDE"].s3_bucket
    return name


def checksum(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()
