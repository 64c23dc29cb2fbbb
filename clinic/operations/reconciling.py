"""Making the rows of documents and the objects in the store agree again, after what was cut off; and reading anew what is there.

Safe at any time, and twice: what is younger than `YOUNG` may be on its way and is left alone, and nothing is taken from the store that
a row calls a document. Each function answers what it did in sentences that name no patient, and asks `keep` to commit as it goes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import aliased

from clinic import clock, kept, outgoing, settings, storage
from clinic.extensions import db
from clinic.formatting import bytes_of, number_of
from clinic.models import Document, DocumentStatus
from clinic.models.document import HELD, READABLE
from clinic.operations.documents import (
    COMING,
    DAMAGE,
    MISSING,
    WRONG,
    fail_document,
    quarantine_document,
    release_document,
)
from clinic.queries.documents import stored_of
from clinic.storage import Damaged, Held, Missing

PREFIX = "documents/"
YOUNG = COMING + timedelta(hours=2)
BATCH = 500
MOST_MISSING = 25  # documents without their object: more are no accident, but another bucket
LATELY = timedelta(days=90)  # a hold, or a store that is away, may last
Keep = Callable[[], None]


@dataclass
class Found:
    """What a reconciliation came upon. `unknown`: objects that no row names and that were left.

    `is_elsewhere`: so many documents have no object that it looked for no more, and put none into quarantine.
    """

    cut_off: int = 0
    taken: int = 0
    aborted: int = 0
    missing: list[int] = field(default_factory=list)
    unknown: int = 0
    is_elsewhere: bool = False

    @property
    def is_good(self) -> bool:
        return not self.missing and not self.unknown

    @property
    def sentence(self) -> str:
        done = [
            f"{number_of(self.cut_off, 'upload')} cut off",
            f"{number_of(self.taken, 'object')} taken away",
            f"{number_of(self.aborted, 'unfinished upload')} aborted",
        ]
        said = f"{', '.join(done)}."
        if self.is_elsewhere:
            said += (
                f" Of the first {len(self.missing)} documents that are not among the objects the bytes are missing: "
                f"{_listed(self.missing)}. That is no accident: is it the right bucket? All were left as they are."
            )
        elif self.missing:
            said += f" Of {number_of(len(self.missing), 'document')} the bytes are missing: {_listed(self.missing)}."
        if self.unknown:
            said += (
                f" {number_of(self.unknown, 'object')} named by no row: was the database restored from a backup? "
                "Left as they are; flask reconcile-documents --take-unknown takes them away."
            )
        return said


def reconcile(keep: Keep, *, take_unknown: bool = False) -> Found:
    """Row to object, object to row, and uploads left open. Raises StorageError."""
    found, old = Found(), clock.now() - YOUNG
    _end_cut_off(found, old, keep)
    _take_made(keep)
    unknown: list[Held] = []
    after = ""
    objects = storage.held(PREFIX)
    while True:
        batch = list(islice(objects, BATCH))
        _compare(batch, after, old, found, unknown, keep)
        if found.is_elsewhere:
            return found
        if not batch:
            break
        after = batch[-1].key
    for number in found.missing:
        quarantine_document(number, why=MISSING)
    keep()
    for upload in storage.unfinished(PREFIX):
        if upload.at < old:
            storage.abort(upload)
            found.aborted += 1
    if take_unknown:
        for each in unknown:
            storage.delete(each.key)
        found.taken += len(unknown)
    else:
        found.unknown = len(unknown)
    return found


def _end_cut_off(found: Found, old: datetime, keep: Keep) -> None:
    """Uploads whose process ended before they did."""
    pending = select(Document.id, Document.key).where(
        Document.status == DocumentStatus.PENDING, Document.created_at < old
    )
    while rows := db.session.execute(pending.order_by(Document.id).limit(BATCH)).all():
        for number, key in rows:
            failed = fail_document(number, why="It was cut off on its way. Send it again.")
            keep()  # before its bytes are touched: it may have arrived at this very moment
            if failed:
                storage.delete(key)
                found.cut_off += 1


def _take_made(keep: Keep) -> None:
    """What was purged lately leaves nothing that was made of it, unless another document is the same file."""
    other = aliased(Document)
    same = select(other.id).where(other.sha256 == Document.sha256, other.status.in_(HELD))
    purged = select(Document.sha256).where(
        Document.status == DocumentStatus.PURGED, Document.purged_at > clock.now() - LATELY, ~same.exists()
    )
    digests = [] if settings.read("document_hold") else list(db.session.scalars(purged))
    keep()
    for digest in digests:
        for key in kept.keys_of(digest):
            storage.delete(key)


def _compare(batch: Sequence[Held], after: str, old: datetime, found: Found, unknown: list[Held], keep: Keep) -> None:
    """The objects of a batch with the rows whose keys lie in its range; an empty batch is what comes after the last."""
    held = {each.key: each for each in batch}
    within = Document.key > after if not batch else Document.key.between(after, batch[-1].key)
    rows = {row.key: row for row in _rows(within)}
    may_purge = not settings.read("document_hold")
    keep()  # nothing is held of the database while the store is asked
    for key, each in held.items():
        row = rows.get(key)
        is_old = each.at < old
        if row is None:
            unknown += [each] if is_old else []
        elif row.status is DocumentStatus.PURGED and may_purge or row.status is DocumentStatus.FAILED and is_old:
            storage.delete(key)
            found.taken += 1
    for key, row in rows.items():
        is_lost = row.status in READABLE and key not in held and row.available_at < old
        if is_lost and storage.size_of(key) is None:
            found.missing.append(row.id)
            found.is_elsewhere = len(found.missing) > MOST_MISSING
            if found.is_elsewhere:
                return


def _rows(within: ColumnElement[bool]) -> Iterator[Any]:
    columns = select(Document.id, Document.key, Document.status, Document.available_at)
    after = 0
    while rows := db.session.execute(
        columns.where(within, Document.id > after).order_by(Document.id).limit(BATCH)
    ).all():
        yield from rows
        after = rows[-1].id


@dataclass
class Verified:
    """What re-reading came to. `of`: how many documents there are. `wrong`: those whose bytes are not what was stored, which was not
    known before; they are in quarantine now. `known`: those that are there since an earlier time."""

    read: int = 0
    of: int = 0
    size: int = 0
    wrong: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.wrong

    @property
    def sentence(self) -> str:
        said = f"{self.read:,} of {number_of(self.of, 'document')} read and hashed anew, {bytes_of(self.size)}"
        if self.wrong:
            return f"{said}. Of {number_of(len(self.wrong), 'document')} the bytes are wrong: {_listed(self.wrong)}."
        if self.known:
            return f"{said}. {number_of(len(self.known), 'document')} in quarantine as before: {_listed(self.known)}."
        return f"{said}: all are what was stored."


def verify(keep: Keep, *, share: float = 1.0, tell: Callable[[int, int], None] = lambda _done, _of: None) -> Verified:
    """Read documents and hash them anew, those first that were not for longest. `share`: of all, from 0 to 1. Raises StorageError.

    A document that is not what was stored goes into quarantine; one that is there for that and is right again comes out of it.
    `tell` hears how many of how many are done.
    """
    damaged = and_(Document.status == DocumentStatus.QUARANTINED, Document.why.in_(DAMAGE))
    oldest = select(Document.id).where(Document.status.in_(READABLE)).order_by(Document.checked_at, Document.id)
    ids = list(db.session.scalars(oldest))
    wanted = list(db.session.scalars(select(Document.id).where(damaged).order_by(Document.id)))
    result = Verified(of=len(wanted) + len(ids))
    wanted += ids[: max(1, round(len(ids) * share))]
    for number in wanted:
        document = db.session.get(Document, number, populate_existing=True)
        if document is None or document.status not in HELD:
            continue
        stored = stored_of(document)
        keep()  # nothing is held of the database while the store is read
        try:
            for piece in outgoing.pieces_of(stored):
                result.size += len(piece)
        except (Damaged, Missing) as damage:
            found_now = quarantine_document(number, why=MISSING if isinstance(damage, Missing) else WRONG)
            (result.wrong if found_now else result.known).append(number)
        else:
            checked = update(Document).where(Document.id == number).values(checked_at=clock.now())
            db.session.execute(checked.execution_options(synchronize_session=False))
            release_document(number)
        keep()
        result.read += 1
        tell(result.read, len(wanted))
    return result


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:20])
    return f"numbers {shown}{' and more' if len(numbers) > 20 else ''}"
