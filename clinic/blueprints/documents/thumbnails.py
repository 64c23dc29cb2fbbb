"""Small pictures of documents: made once, by a process that can do no harm, and kept."""

from clinic import database, kept, storage
from clinic.documents.pictures import DRAWN, LARGEST, NoPicture, picture_of
from clinic.models import Document
from clinic.queries.documents import stored_of

SIDE = 320  # pixels


def has_thumbnail(document: Document) -> bool:
    """Whether there may be one: of kinds that are drawn, not too large, and readable."""
    return document.is_readable and document.media_type in DRAWN and document.size <= LARGEST


def thumbnail_of(document: Document) -> bytes | None:
    """A JPEG; None when there is none, or none now. No connection to the database is held while it is made."""
    if not has_thumbnail(document):
        return None
    stored, kind = stored_of(document), document.media_type
    key = kept.thumbnail_key(stored.digest)
    database.let_go()
    found = kept.find(key)
    if found is not None:
        return found or None  # empty: it was tried, and there is none
    try:
        storage.check()
        jpeg = picture_of(kind, storage.outgoing(stored), side=SIDE).jpeg
    except NoPicture as none:
        if not none.again:
            kept.keep(key, b"")
        return None
    except storage.StorageError:
        return None
    kept.keep(key, jpeg)
    return jpeg
