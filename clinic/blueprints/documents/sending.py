"""A document's bytes on their way out: part by part, each verified before it is sent, a range of them too."""

import logging
import socket
import time
import weakref
from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from flask import Flask, Response, current_app, has_request_context, request
from flask_login import current_user
from werkzeug.http import parse_range_header, quote_etag

from clinic import database, outgoing, storage
from clinic.blueprints.documents.pace import Pace, TooLong, Turns, wire_of_request
from clinic.errors import Unavailable
from clinic.extensions import db
from clinic.models import Document
from clinic.operations.documents import WRONG, quarantine_document
from clinic.queries.documents import stored_of
from clinic.way import Way, of_file

log = logging.getLogger(__name__)
ALONE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
QUICK = outgoing.READ  # bytes sent at once over a line that takes them at once
SLOW = 2**17  # and over one that does not
AHEAD = 2  # parts: with one, who takes the last must wait for the next
PATIENCE = 150  # seconds for `SLOW` bytes: who takes less than 900 in a second is given up, for they hold threads and three parts of memory
AT_ONCE = 20  # files going out to one person from one process
AWAY = "Documents cannot be opened at the moment. Nothing is lost; try again in some minutes."
MANY = "Many files are on their way to you already. Wait until one of them is there, then try again."
NOT_SHOWN = (
    "This file is not what was stored and cannot be shown. It is in quarantine now; tell an administrator at once."
)


def answer_with(document: Document, *, save: bool) -> Response:
    """The whole file, or the part that is asked for; 304 to whoever holds it already. Raises Unavailable."""
    etag = quote_etag(document.sha256)
    if request.if_none_match.contains_weak(document.sha256):
        return Response(status=304, headers={"ETag": etag})
    start, stop, status = _asked_for(document)
    if status == 416:
        return Response(status=416, headers={"Content-Range": f"bytes */{document.size}"})
    turns: Turns = current_app.extensions.setdefault("chairside_downloads", Turns(AT_ONCE))
    person_id = current_user.id
    if not turns.take(person_id):
        raise Unavailable(MANY)
    try:
        response = Response(_verified(document, start, stop), status=status, mimetype=document.media_type)
    except BaseException:
        turns.give_back(person_id)
        raise
    # However whoever reads it goes away: the server closes the answer, and else it is forgotten.
    response.call_on_close(weakref.finalize(response, turns.give_back, person_id))
    response.content_length = stop - start
    # Shown in the page, or in a frame of ours; everything else is only ever saved as a file.
    is_shown = not save and (document.is_picture or document.is_page)
    response.headers["Content-Disposition"] = f"{'inline' if is_shown else 'attachment'}; {_named(document.name)}"
    response.headers["ETag"] = etag
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Security-Policy"] = ALONE
    if is_shown:
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{document.size}"
    return response


def link_to(document: Document, minutes: int) -> str:
    """An address of the object store under which the file can be downloaded for some minutes. Raises Unavailable."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    number, disposition = document.id, f"attachment; {_named(document.name)}"
    try:
        return storage.link(stored_of(document), seconds=60 * minutes, disposition=disposition)
    except (storage.Damaged, storage.Missing) as wrong:
        _quarantine(app, number, str(wrong))
        raise Unavailable(NOT_SHOWN) from None
    except storage.StorageError:
        raise Unavailable(AWAY) from None


def _named(name: str) -> str:
    """A file's name for whoever saves it (RFC 6266): in any script, and in plain letters for what cannot read that."""
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\%' else "_" for char in name)
    return f"filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _asked_for(document: Document) -> tuple[int, int, int]:
    """From where to before where, and the status: 200 for the whole, 206 for one range, 416 for one that is not there."""
    asked = parse_range_header(request.headers.get("Range"))
    fits = request.headers.get("If-Range") in (None, quote_etag(document.sha256))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or not fits:
        return 0, document.size, 200
    found = asked.range_for_length(document.size)
    return (*found, 206) if found else (0, 0, 416)


def _verified(document: Document, start: int, stop: int) -> Iterator[bytes]:
    """The bytes. The first part is there before anything is answered, so that a store that is away or wrong has a sentence."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    number, stored, way = document.id, stored_of(document), of_file()
    db.session.commit()  # no connection to the database is held while the store is waited for
    try:
        storage.check()
        coming = outgoing.pieces_of(stored, start, stop, ahead=AHEAD)
        first = next(coming, b"")
    except (storage.Damaged, storage.Missing) as wrong:
        _quarantine(app, number, str(wrong))
        raise Unavailable(NOT_SHOWN) from None
    except storage.StorageError:
        raise Unavailable(AWAY) from None
    return _rest(app, number, chain((first,), coming), way, wire_of_request())


def _rest(app: Flask, number: int, coming: Iterator[bytes], way: Way, wire: socket.socket | None) -> Iterator[bytes]:
    pace, most = Pace(), SLOW
    try:
        for verified in coming:
            rest = verified
            while rest:
                way.give()
                piece, rest = rest[:most], rest[most:]
                if wire:  # until the answer ends: then the server sets it anew
                    wire.settimeout(PATIENCE * most / SLOW)
                began = time.monotonic()
                yield piece
                most = QUICK if time.monotonic() - began < 0.1 else SLOW
                pace.went(len(piece))
    except (storage.Damaged, storage.Missing) as wrong:
        _quarantine(app, number, str(wrong))
        raise  # the connection is cut: whoever reads sees that not all of it came
    except TooLong:
        log.warning("documents: who takes document %s does so too slowly", number)
        raise


def _quarantine(app: Flask, number: int, why: str) -> None:
    log.error("documents: document %s is not what was stored (%s)", number, why)
    if has_request_context():
        database.let_go()
    with app.app_context():
        quarantine_document(number, why=WRONG)
        db.session.commit()
