"""Marking where a tooth is on the picture of a document: put there, moved, taken away, and each taken back. Rows are only added."""

from sqlalchemy import select

from clinic import audit, clock
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import clock_time, when, words
from clinic.models import Document, DocumentStatus, Patient, ToothPlace, User
from clinic.models.document import PICTURES, PREVIEWED
from clinic.operations.locks import locked

WHOLE = 1000  # of a picture's width and height


def percent(part: int) -> str:
    """Thousandths as one says them: `41 %`, `62.5 %`."""
    return f"{part / 10:g} %"


def place_words(x: int | None, y: int | None) -> str:
    """`41 % from the left, 62 % from the top`."""
    if x is None or y is None:
        return "nowhere"
    return f"{percent(x)} from the left, {percent(y)} from the top"


def mark_tooth(document_id: int, *, tooth: str, x: int, y: int, seen: int, actor: User) -> ToothPlace:
    """Put a tooth, by its key, at a place of the picture, or move it there. `x`, `y`: thousandths of it, as it is shown upright.

    `seen`: the newest row of the document that the person's page knew, 0 for none. Raises Conflict when somebody has marked the same
    tooth since.
    """
    if not (0 <= x <= WHOLE and 0 <= y <= WHOLE):
        raise DomainError("This place is beside the picture. Choose one on it.")
    document = _open(document_id)
    before = _newest(document, tooth)
    _refuse_unseen(before, seen)
    return _add(document, before, tooth, (x, y), did="Marked" if _is_nowhere(before) else "Moved", actor=actor)


def unmark_tooth(document_id: int, *, tooth: str, seen: int, actor: User) -> ToothPlace:
    """Take a tooth's mark away; what was marked stays in the rows before."""
    document = _open(document_id)
    before = _newest(document, tooth)
    _refuse_unseen(before, seen)
    if _is_nowhere(before):
        raise Conflict(f"{tooth} is not marked on this picture any more. Reload the page.")
    return _add(document, before, tooth, (None, None), did="Took away the mark of", actor=actor)


def undo_mark(document_id: int, *, place_id: int, actor: User) -> ToothPlace:
    """Take back one's own last word about a tooth: it is where it was before."""
    document = _open(document_id)
    undone = db.session.get(ToothPlace, place_id)
    if undone is None or undone.document_id != document.id or _newest(document, undone.tooth) is not undone:
        raise Conflict("Somebody has marked this tooth since. Look where it is now.")
    if undone.marked_by_id != actor.id:
        raise NotAllowed("Only whoever marked it takes it back. Move it instead.")
    former = _version(document, undone.tooth, undone.version - 1)
    back = (former.x, former.y) if former else (None, None)
    return _add(document, undone, undone.tooth, back, did="Took back the mark of", actor=actor)


def _open(document_id: int) -> Document:
    """The document, locked, so that one after the other marks on it."""
    document = locked(Document, document_id)
    if document.status is not DocumentStatus.AVAILABLE:
        raise Conflict(f"This document is {words(document.status)} now. Reload the page to see how it stands.")
    patient = locked(Patient, document.patient_id, shared=True)
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to mark teeth.")
    if document.media_type not in PICTURES + PREVIEWED:
        raise DomainError("This document has no picture on which a tooth could be marked.")
    return document


def _newest(document: Document, tooth: str) -> ToothPlace | None:
    rows = select(ToothPlace).where(ToothPlace.document_id == document.id, ToothPlace.tooth == tooth)
    return db.session.scalars(rows.order_by(ToothPlace.version.desc()).limit(1)).one_or_none()


def _version(document: Document, tooth: str, version: int) -> ToothPlace | None:
    found = select(ToothPlace).where(
        ToothPlace.document_id == document.id, ToothPlace.tooth == tooth, ToothPlace.version == version
    )
    return db.session.scalars(found).one_or_none()


def _is_nowhere(place: ToothPlace | None) -> bool:
    return place is None or place.x is None


def _refuse_unseen(newest: ToothPlace | None, seen: int) -> None:
    if newest is None or newest.id <= seen:
        return
    by, at = db.session.get_one(User, newest.marked_by_id).name, newest.marked_at
    at_time = clock_time(at) if clock.local(at).date() == clock.today() else when(at)
    did = (
        "took this tooth's mark away" if newest.x is None else f"marked this tooth at {place_words(newest.x, newest.y)}"
    )
    raise Conflict(f"{by} {did} at {at_time}. Look at that first, then mark it again if you must.")


def _add(
    document: Document,
    before: ToothPlace | None,
    tooth: str,
    at: tuple[int | None, int | None],
    *,
    did: str,
    actor: User,
) -> ToothPlace:
    place = ToothPlace(
        document_id=document.id,
        tooth=tooth,
        version=before.version + 1 if before else 1,
        x=at[0],
        y=at[1],
        marked_by_id=actor.id,
        marked_at=clock.now(),
    )
    db.session.add(place)
    db.session.flush()
    patient = db.session.get_one(Patient, document.patient_id)
    named = f"the {words(document.projection or document.category)} “{document.name}”"
    audit.record(
        "document.mark",
        f"{did} {tooth} on {named} of {patient.name}, {patient.code}: {place_words(*at)}",
        actor=actor,
        subject=document,
        patient=patient,
        before={"tooth": tooth, "x": before.x, "y": before.y} if before else None,
        after={"tooth": tooth, "x": at[0], "y": at[1]},
    )
    return place
