"""The object store: Cloudflare R2, SeaweedFS, or any other S3. Raises StorageError, never the client's own errors."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.client import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from flask import current_app

_lock = threading.Lock()


class StorageError(Exception):
    """The object store did not do what was asked; the sentence says what."""


class Missing(StorageError):
    """There is no such object."""


def client() -> Any:
    """This process's client, made when first asked for: after the fork, and once. It may be shared by threads."""
    kept = current_app.extensions.get("chairside_store")
    if kept is None:
        with _lock:
            kept = current_app.extensions.get("chairside_store") or _new_client()
            current_app.extensions["chairside_store"] = kept
    return kept


def _new_client() -> Any:
    config = current_app.config["CHAIRSIDE"]
    if not config.s3_endpoint:  # only in tests: the configuration refuses to be without
        raise StorageError("There is no object store.")
    return boto3.session.Session().client(
        "s3",
        endpoint_url=config.s3_endpoint,
        aws_access_key_id=config.s3_access_key,
        aws_secret_access_key=config.s3_secret_key,
        region_name="auto",  # R2's only region; others ignore it
        config=ClientConfig(
            # The default adds checksums as a trailer, which R2 refuses; we send our own SHA-256.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=3,
            read_timeout=15,
            max_pool_connections=20,
            s3={"addressing_style": "path"},
        ),
    )


def is_reachable() -> bool:
    """Whether the bucket answers to our key. One request; no answer may take some seconds."""
    try:
        client().head_bucket(Bucket=current_app.config["CHAIRSIDE"].s3_bucket)
    except (StorageError, BotoCoreError, ClientError):
        return False
    return True


def ensure_bucket() -> None:
    """Make the bucket if it is not there. Safe to repeat. Raises StorageError."""
    bucket = current_app.config["CHAIRSIDE"].s3_bucket
    try:
        client().create_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise StorageError(f"The bucket {bucket} could not be made.") from error
    except BotoCoreError as error:
        raise StorageError("The object store does not answer.") from error


def put_once(key: str, body: bytes) -> bool:
    """Store what is never to be written again; answers False, and writes nothing, when the key is taken. Raises StorageError."""
    checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
    try:
        client().put_object(Bucket=_bucket(), Key=key, Body=body, ChecksumSHA256=checksum, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("PreconditionFailed", "412"):
            return False
        raise StorageError(f"The object store did not take {key}.") from error
    except BotoCoreError as error:
        raise StorageError("The object store does not answer.") from error
    return True


def read(key: str) -> bytes:
    """The whole of one object, in memory. Raises Missing when there is none, StorageError when the store does not answer."""
    try:
        return client().get_object(Bucket=_bucket(), Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            raise Missing(f"The object store holds no {key}.") from error
        raise StorageError(f"The object store did not give {key}.") from error
    except BotoCoreError as error:
        raise StorageError("The object store does not answer.") from error


def keys(prefix: str, *, after: str = "") -> Iterator[str]:
    """The keys that begin with `prefix` and come after `after`, in order; a request per thousand. Raises StorageError."""
    try:
        pages = client().get_paginator("list_objects_v2").paginate(Bucket=_bucket(), Prefix=prefix, StartAfter=after)
        for page in pages:
            for item in page.get("Contents", ()):
                yield item["Key"]
    except (ClientError, BotoCoreError) as error:
        raise StorageError("The object store does not answer.") from error


def _bucket() -> str:
    return current_app.config["CHAIRSIDE"].s3_bucket
