"""Small pictures and previews of documents, and what DICOM files say of themselves: made once, by a process that can do no harm, and
kept."""

from collections.abc import Callable, Iterable

from clinic import database, kept, outgoing, storage
from clinic.documents.pictures import DRAWN, LARGEST, Facts, NoPicture, facts_of, picture_of
from clinic.extensions import db
from clinic.models import Document
from clinic.queries.documents import stored_of

SIDE = 320  # pixels
PREVIEW = 2000  # pixels
SOON = 5.0  # seconds that a page waits for a worker that is free, and for what it says of a file
DICOM = "application/dicom"


def has_thumbnail(document: Document) -> bool:
    """Whether there may be one: of kinds that are drawn, not too large, and readable."""
    return document.is_readable and document.media_type in DRAWN and document.size <= LARGEST


def thumbnail_of(document: Document) -> bytes | None:
    """A JPEG; None when there is none, or none now. No connection to the database is held while it is made."""
    return _drawn(document, kept.thumbnail_key(document.sha256), SIDE)


def preview_of(document: Document) -> bytes | None:
    """The same as large as a page shows it, of what no browser shows by itself."""
    return _drawn(document, kept.preview_key(document.sha256), PREVIEW)


def said_by(document: Document) -> Facts | None:
    """What a DICOM file says of itself; empty when that cannot be read, None when it cannot be read now. Ends the transaction."""
    stored = stored_of(document)
    db.session.commit()  # what was loaded is shown afterwards; no connection is held while the store is waited for
    body = _made(
        kept.facts_key(stored.digest), stored, lambda chunks: facts_of(chunks, seconds=SOON).body(), asks_first=True
    )
    if body is None:
        return None
    return Facts.of(body) if body else Facts(no="What the file says of itself cannot be read.")


def _drawn(document: Document, key: str, side: int) -> bytes | None:
    if not has_thumbnail(document):
        return None
    stored, kind = stored_of(document), document.media_type
    database.let_go()
    return _made(key, stored, lambda chunks: picture_of(kind, chunks, side=side).jpeg) or None


def _made(
    key: str, stored: storage.Stored, make: Callable[[Iterable[bytes]], bytes], *, asks_first: bool = False
) -> bytes | None:
    """What is kept under this key, or else made now and kept; empty when it was tried and there is none, None when there is none now.

    `asks_first`: whether the store answers at all, before it is asked for anything, so that a page does not wait for one that hangs.
    """
    try:
        if asks_first:
            storage.check()
        found = kept.find(key)
        if found is not None:
            return found
        storage.check()
        made = make(outgoing.pieces_of(stored))
    except NoPicture as none:
        if not none.again:
            kept.keep(key, b"")
        return None if none.again else b""
    except storage.StorageError:
        return None
    kept.keep(key, made)
    return made
