"""The timeline of a patient: everything that happened, on one page, newest first."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import clock
from clinic.access import Permission, may, requires
from clinic.days import NotADay, read_day
from clinic.queries.patients import patient_for
from clinic.queries.timeline import Event, Place, timeline_of

bp = Blueprint("timeline", __name__)


class Kind(NamedTuple):
    """What the list is narrowed by: the word, who may see such events, and their icon."""

    word: str
    permission: Permission
    icon: str


KINDS = {
    "visits": Kind("Visits", Permission.OPEN_PATIENT, "calendar"),
    "chart": Kind("Chart", Permission.VIEW_CHART, "dental"),
    "problems": Kind("Problems", Permission.VIEW_NOTES, "stethoscope"),
    "plans": Kind("Treatment plans", Permission.VIEW_NOTES, "cash"),
    "notes": Kind("Notes", Permission.VIEW_NOTES, "edit"),
    "cases": Kind("Cases", Permission.VIEW_NOTES, "checklist"),
    "documents": Kind("Documents", Permission.VIEW_DOCUMENTS, "file"),
    "materials": Kind("Material", Permission.RECORD_MATERIALS, "package"),
    "history": Kind("History", Permission.VIEW_HISTORY, "list-details"),
    "approvals": Kind("Approvals", Permission.VIEW_CHART, "circle-check"),
    "alerts": Kind("Alerts", Permission.OPEN_PATIENT, "alert-hexagon"),
    "team": Kind("Care team", Permission.OPEN_PATIENT, "users"),
}
PLACE = re.compile(r"(\d{1,17})\.(\d{1,2})\.(\d{1,18})")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@bp.get("/patients/<int:patient_id>/timeline")
@requires(Permission.OPEN_PATIENT)
def index(patient_id: int) -> ResponseReturnValue:
    """What happened to a patient, of the kinds that are chosen, up to a day."""
    patient = patient_for(current_user, patient_id)
    if patient is None:
        abort(404)
    offered = {name: kind for name, kind in KINDS.items() if may(current_user, kind.permission)}
    chosen = [name for name in request.args.getlist("kind") if name in offered] or list(offered)
    typed = request.args.get("upto", "")[:60].strip()
    upto, wrong = _day(typed)
    found = timeline_of(
        current_user, patient.id, kinds=chosen, upto=_end_of(upto), behind=_place(request.args.get("behind", ""))
    )
    return render_template(
        "timeline/index.html",
        patient=patient,
        kinds=offered,
        chosen=chosen,
        upto=typed,
        wrong=wrong,
        days=_by_day(found.events),
        today=clock.today(),
        behind=_address(found.more) if found.more else None,
    ), 422 if wrong else 200


def _day(typed: str) -> tuple[date | None, str]:
    try:
        return (read_day(typed), "") if typed else (None, "")
    except NotADay as error:
        return None, str(error)


def _end_of(upto: date | None) -> datetime | None:
    return clock.bounds(upto)[1] if upto and upto < date.max else None


def _by_day(events: Sequence[Event]) -> list[tuple[date, list[Event]]]:
    return [(day, list(those)) for day, those in groupby(events, key=lambda event: clock.local(event.at).date())]


def _address(place: Place) -> str:
    """A place as an address carries it: microseconds since 1970, source and row."""
    return f"{(place.at - EPOCH) // timedelta(microseconds=1)}.{place.rank}.{place.id}"


def _place(written: str) -> Place | None:
    """The place of an address; what is none begins at the beginning."""
    read = PLACE.fullmatch(written)
    if read is None:
        return None
    at, rank, row_id = map(int, read.groups())
    return Place(EPOCH + timedelta(microseconds=at), rank, row_id)
