"""The trail as a file for a spreadsheet: sent as it is read, a batch at a time, with no connection held between two."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from flask import Response

from clinic import clock, sessions
from clinic.queries.audit import NOTHING, Wanted, whole_events

BATCH = 500
CUT_OFF = "This file is not complete: whoever asked for it was signed out before it was."
HEADER = (
    "number",
    "time",
    "person id",
    "person",
    "role",
    "act",
    "subject",
    "patient code",
    "patient",
    "sentence",
    "before",
    "after",
    "reason",
    "address",
    "device",
    "link",
)
# A cell that begins so is a formula to some spreadsheet (the full-width signs too, and behind what is not seen); what was written
# down must stay words.
FORMULA = re.compile(r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


Context = Callable[[], AbstractContextManager[Any]]


def csv_of(context: Context, session_id: int, wanted: Wanted, *, before: int) -> Response:
    """The events with what is wanted below this number, newest first, as a CSV file: UTF-8 with a byte order mark.

    `context` opens an application context: each batch is read in one of its own, whose end gives the connection back. The file ends
    early, and says so, when the session has ended: who was deactivated gets no further byte.
    """
    response = Response(_lines(context, session_id, wanted, before), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"trail-{clock.today()}.csv")
    return response


def _lines(context: Context, session_id: int, wanted: Wanted, before: int | None) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + _csv([HEADER])
    while before is not None:
        with context():
            viewer = sessions.person_of(session_id)
            stretch = whole_events(viewer, wanted, before=before, size=BATCH) if viewer else NOTHING
            lines = _csv(
                [[plain(cell) for cell in _cells(event)] for event in stretch.events] if viewer else [[CUT_OFF]]
            )
        before = stretch.older
        if lines:  # nothing would end the answer
            yield lines


def _cells(event: Any) -> tuple[Any, ...]:
    return (
        event.id,
        clock.local(event.at).isoformat(),
        event.actor_id,
        event.actor,
        event.role,
        event.act,
        event.subject,
        event.code,
        event.patient,
        event.sentence,
        event.before,
        event.after,
        event.reason,
        event.address,
        event.device,
        event.mac,
    )


def plain(cell: Any) -> str:
    """A cell as words, never as a formula; nothing is an empty cell."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if FORMULA.match(text) else text


def _csv(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
