"""What may be large, on its way out of the object store: part by part, each compared before any of it is handed out.

Two parts are in memory: one is handed out while the next comes and is hashed. Who is in a hurry may ask for more of them ahead.
"""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from clinic import storage
from clinic.storage import PART, Damaged, StorageError, Stored, asking

READ = 2**20  # bytes of a part that are read at once and handed out as they are, not copied from a whole


def pieces_of(stored: Stored, start: int = 0, stop: int | None = None, *, ahead: int = 1) -> Iterator[bytes]:
    """The bytes from `start` to before `stop`, in pieces of `READ` at most: each part verified before any of it is handed out, the next
    `ahead` on their way meanwhile.

    It is read outside of the application too, as answers are. Raises Damaged, of a part that is not what was put there or of an object
    that became longer; Missing; StorageError.
    """
    end = stored.size if stop is None else min(stop, stored.size)
    return _pieces(storage.client(), storage.bucket(), stored, start, end, ahead)


def _pieces(ours: Any, bucket: str, stored: Stored, start: int, stop: int, ahead: int) -> Iterator[bytes]:
    numbers = range(start // PART, -(-stop // PART)) if start < stop else range(0)
    if not stored.size:
        _check_empty(ours, bucket, stored)
    wire, hashing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)  # what is hashed is not waited for by what is read
    source = _Source(ours, bucket, stored, numbers.stop, hashing)
    coming = deque(wire.submit(source.part, number) for number in numbers[:ahead])
    try:
        for number in numbers:
            pieces, digest = coming.popleft().result()
            if number + ahead in numbers:
                coming.append(wire.submit(source.part, number + ahead))
            if digest.result() != stored.parts[number]:
                raise Damaged(f"{stored.key} is not what was put there.")
            begins = number * PART
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
        hashing.shutdown(wait=False)  # a part that is being read ends at its next piece: there is nobody to hash it


def _check_empty(ours: Any, bucket: str, stored: Stored) -> None:
    with asking(stored.key):
        if ours.head_object(Bucket=bucket, Key=stored.key)["ContentLength"]:
            raise Damaged(f"{stored.key} is longer than what was put there.")


class _Source:
    """An object's parts one after the other, up to before part `end`: of one answer, as asking for each costs half as much time again.

    Whoever takes long over a part may find that the store has hung up meanwhile: the rest is asked for anew.
    """

    def __init__(self, ours: Any, bucket: str, stored: Stored, end: int, hashing: ThreadPoolExecutor) -> None:
        self._client, self._bucket, self._stored, self._hashing = ours, bucket, stored, hashing
        self._stop = min(end * PART, stored.size)
        self._body: Any = None
        self._has_failed = False

    def part(self, number: int) -> tuple[deque[bytes], Future[str]]:
        """The part in pieces of `READ`, of the right place and length, and its digest, which is not compared here.

        After one that could not be read there is none. Raises Damaged, Missing, StorageError.
        """
        if self._has_failed:
            raise StorageError("A part before this one could not be read.")
        try:
            return self._part(number)
        except StorageError:
            self._has_failed = True
            raise

    def _part(self, number: int) -> tuple[deque[bytes], Future[str]]:
        if self._body is not None:
            with suppress(StorageError):
                return self._read(number)
        self.close()
        with asking(self._stored.key):
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

    def _read(self, number: int) -> tuple[deque[bytes], Future[str]]:
        left = min((number + 1) * PART, self._stop) - number * PART
        pieces, hashed = deque[bytes](), hashlib.sha256()
        with asking(self._stored.key):
            while left and (piece := self._body.read(min(left, READ))):
                pieces.append(piece)
                self._hashing.submit(hashed.update, piece)
                left -= len(piece)
        if left:
            raise StorageError("The object store does not answer.")
        return pieces, self._hashing.submit(hashed.hexdigest)
