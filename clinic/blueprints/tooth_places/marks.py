"""What the viewer shows of a picture: where its bytes are, and the teeth that are marked on it, in the viewer's numbering."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_login import current_user

from clinic.blueprints.documents.thumbnails import has_thumbnail
from clinic.blueprints.tooth_places.forms import plain_size
from clinic.chart import teeth
from clinic.documents.pictures import Facts
from clinic.models import Document, ToothPlace
from clinic.operations.tooth_places import percent, place_words
from clinic.queries.tooth_places import marked_on, newest_mark


@dataclass(frozen=True)
class Mark:
    """A tooth on a picture. `number`: in the viewer's numbering; `x`, `y`: `41.5`, in per cent."""

    place: ToothPlace
    number: str
    x: str
    y: str
    words: str
    is_meant: bool


@dataclass(frozen=True)
class Marks:
    """The marks of a document. `seen`: the newest there was, also one that was taken away; `meant`: the number the address asked for."""

    rows: Sequence[Mark]
    seen: int
    meant: str


@dataclass(frozen=True)
class Viewer:
    """A picture as it is looked at. `plain`: how large it is where it is pressed without JavaScript."""

    address: str
    is_preview: bool
    marks: Marks
    choices: Sequence[tuple[str, Sequence[tuple[str, str, bool]]]]  # groups of teeth: key, number, whether it is chosen
    plain: tuple[int, int] | None


def viewer_of(document: Document, facts: Facts | None, tooth: str) -> Viewer | None:
    """How a document is looked at; None when it has no picture. `tooth`: what the address says is meant, in the viewer's numbering."""
    address = _address(document, facts)
    if address is None:
        return None
    numbering = current_user.numbering
    marks = marks_of(document, tooth)
    known = {mark.place.tooth for mark in marks.rows}
    own = document.teeth.split()
    groups = (
        ("Of this document", own),
        ("Upper", teeth.UPPER),
        ("Lower", teeth.LOWER),
        ("Upper, primary", teeth.UPPER_PRIMARY),
        ("Lower, primary", teeth.LOWER_PRIMARY),
    )
    chosen = teeth.read(tooth, numbering) or next((key for key in own if key not in known), own[0] if own else "")
    return Viewer(
        address=address,
        is_preview=not document.is_picture,
        marks=marks,
        choices=[
            (
                name,
                [(key, teeth.shown(key, numbering), key == chosen and (keys is own or key not in own)) for key in keys],
            )
            for name, keys in groups
            if keys
        ],
        plain=plain_size(document),
    )


def marks_of(document: Document, tooth: str) -> Marks:
    """The teeth that are marked on a document; `tooth`: which of them is meant, in the viewer's numbering."""
    meant = teeth.read(tooth, current_user.numbering)
    rows = [_mark(place, is_meant=place.tooth == meant) for place in marked_on(document)]
    return Marks(rows, newest_mark(document), tooth if meant else "")


def _address(document: Document, facts: Facts | None) -> str | None:
    named: dict[str, Any] = {"patient_id": document.patient_id, "document_id": document.id}
    if not document.is_readable:
        return None
    if document.is_picture:
        return url_for("documents.file", **named)
    is_drawn = document.media_type == "image/tiff" or (facts is not None and facts.rows and not facts.no)
    return url_for("documents.preview", **named) if is_drawn and has_thumbnail(document) else None


def _mark(place: ToothPlace, *, is_meant: bool) -> Mark:
    x, y = (percent(part or 0).removesuffix(" %") for part in (place.x, place.y))
    number = teeth.shown(place.tooth, current_user.numbering)
    return Mark(place, number, x, y, f"{number} at {place_words(place.x, place.y)}", is_meant)
