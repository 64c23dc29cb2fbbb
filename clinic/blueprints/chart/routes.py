"""The dental chart: looking at the mouth, and three ways to write on it that all end in a line of the grammar."""

import json
import textwrap
from typing import Any

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms.fields.choices import SelectChoice

from clinic import clock, sessions
from clinic.access import Permission, may, requires
from clinic.blueprints.chart.forms import (
    ErrorForm,
    LineForm,
    ReasonForm,
    StatusForm,
    ViewForm,
    correction_of,
)
from clinic.blueprints.chart.picture import CannotBeShown, Picture, picture_for, picture_now, whole_or_nothing
from clinic.blueprints.chart.tools import statuses_offered, tools_of
from clinic.chart import line
from clinic.chart.entry import Entry
from clinic.chart.kinds import Status
from clinic.chart.legends import LEGENDS
from clinic.chart.teeth import Dentition, Numbering
from clinic.errors import Conflict, DomainError
from clinic.htmx import answer, done, go_to, is_htmx
from clinic.operations.chart import NeedsReason, change_entry, chart_stroke, enter_in_error, undo_stroke
from clinic.operations.chart_versions import finish_first_charting
from clinic.operations.chart_view import choose_view
from clinic.queries.chart import entry_for, history_of
from clinic.queries.documents import number_of_tooth
from clinic.queries.patients import patient_for

bp = Blueprint("chart", __name__)
MOST_SAID = 250  # characters of a toast: it travels in a header, each as many as twelve bytes


# --- looking ----------------------------------------------------------------------------------------------------------


@bp.get("/patients/<int:patient_id>/chart")
@requires(Permission.VIEW_CHART)
def show(patient_id: int) -> ResponseReturnValue:
    """A patient's dental chart."""
    return _page(patient_id)


@bp.get("/patients/<int:patient_id>/chart/mouth")
@requires(Permission.VIEW_CHART, background=True)
def mouth(patient_id: int) -> ResponseReturnValue:
    """The mouth as it stands, drawn and in words."""
    return _mouth(patient_id)


@bp.get("/patients/<int:patient_id>/chart/key")
@requires(Permission.VIEW_CHART)
def key(patient_id: int) -> ResponseReturnValue:
    """What the drawing of this mouth means."""
    with whole_or_nothing(patient_id):
        picture = picture_for(current_user, patient_id, _preset())
        return answer(page="chart/key.html", fragment="chart/_key.html", picture=picture, drawing=picture.drawing)


@bp.get("/patients/<int:patient_id>/chart/meaning")
@requires(Permission.CHART, typed=True)
def meaning(patient_id: int) -> ResponseReturnValue:
    """What a line means, as one types it."""
    with whole_or_nothing(patient_id):
        picture = picture_for(current_user, patient_id, _preset())
        return render_template(
            "chart/_meaning.html", reading=_read(picture, request.args.get("line", "")[: line.LONGEST])
        )


@bp.get("/patients/<int:patient_id>/chart/teeth/<place>")
@requires(Permission.VIEW_CHART)
def tooth(patient_id: int, place: str) -> ResponseReturnValue:
    """One tooth, or one jaw: what is on it, and what was ever said of it."""
    return _tooth(patient_id, place)


@bp.errorhandler(CannotBeShown)
def cannot_be_shown(error: CannotBeShown) -> ResponseReturnValue:
    """Said in the patient's frame; never an empty, healthy mouth."""
    sessions.take_back()
    patient = patient_for(current_user, error.patient_id) or abort(404)
    headers = {"HX-Retarget": "#chart-mouth", "HX-Reswap": "outerHTML"}
    return answer(page="chart/broken.html", fragment="chart/_broken.html", patient=patient), 500, headers


# --- writing a line ---------------------------------------------------------------------------------------------------


@bp.post("/patients/<int:patient_id>/chart/strokes")
@requires(Permission.CHART)
def chart(patient_id: int) -> ResponseReturnValue:
    """Chart what a line says."""
    form = LineForm(request.form)
    with whole_or_nothing(patient_id):
        picture = picture_for(current_user, patient_id, form.dentition.data if form.validate() else None)
        reading = _read(picture, form.line.data or "")
    if form.errors or not reading.is_whole:
        return _refused_line(patient_id, form, reading), 422
    try:
        stroke = chart_stroke(
            picture.charted.patient, entries=reading.entries, seen=form.seen.data, reason=form.reason.data or "",
            dentition=form.dentition.data, actor=current_user,
        ).stroke  # fmt: skip
    except DomainError as refusal:
        return _refused_line(patient_id, form, reading, refusal), refusal.status
    return _charted(patient_id, stroke, "; ".join(reading.meaning))


def _read(picture: Picture, text: str) -> line.Reading:
    return line.read(text, picture.mouth, numbering=picture.viewer.numbering, today=clock.today())


def _charted(patient_id: int, stroke: int, said: str) -> ResponseReturnValue:
    """Commit, and answer with the mouth as it is now. The same form again is answered by the event that makes the page fetch it."""
    undo = url_for("chart.undo", patient_id=patient_id, stroke=stroke)
    response = done(
        back=_chart(patient_id),
        changed="chart:changed",
        say=textwrap.shorten(f"Charted: {said}", MOST_SAID, placeholder=" …"),
        undo=undo,
    )
    if is_htmx():
        events = json.loads(response.headers["HX-Trigger"])
        response = make_response(_mouth(patient_id))
        response.headers["HX-Trigger"] = json.dumps({"say": events["say"], "chart:charted": {}})
    return response


def _refused_line(
    patient_id: int, form: LineForm, reading: line.Reading, refusal: DomainError | None = None
) -> Response:
    """The line as it was typed, what is wrong with it, and what one can do: to say why, or to look and send it again."""
    sessions.take_back()
    said = {
        "form": form,
        "reading": reading,
        "refusal": refusal,
        "asks": isinstance(refusal, NeedsReason),
        "is_stale": isinstance(refusal, Conflict),
    }
    if not is_htmx():
        return make_response(_page(patient_id, **said))
    response = make_response(render_template("chart/_refused.html", **said))
    if said["is_stale"]:
        response.headers["HX-Trigger"] = json.dumps({"chart:changed": {}})  # shows what is there now
    return response


@bp.post("/patients/<int:patient_id>/chart/strokes/<int:stroke>/undo")
@requires(Permission.CHART)
def undo(patient_id: int, stroke: int) -> ResponseReturnValue:
    """Take back the last stroke."""
    patient = patient_for(current_user, patient_id) or abort(404)
    undo_stroke(patient, stroke=stroke, actor=current_user)
    return done(
        back=_chart(patient_id), changed="chart:changed", say="Taken back. It stays in the history of the tooth."
    )


@bp.post("/patients/<int:patient_id>/chart/first-charting")
@requires(Permission.CHART)
def complete_first(patient_id: int) -> ResponseReturnValue:
    """Say that the first charting is complete: it becomes the initial odontogram."""
    patient = patient_for(current_user, patient_id) or abort(404)
    finish_first_charting(patient, dentition=_preset(), actor=current_user)
    said = "The first charting is complete and kept as the initial odontogram"
    return done(back=_chart(patient_id), changed="chart:changed", say=said)


# --- acts on one entry ------------------------------------------------------------------------------------------------


@bp.post("/patients/<int:patient_id>/chart/entries/<int:chart_entry_id>/status")
@requires(Permission.CHART)
def change_status(patient_id: int, chart_entry_id: int) -> ResponseReturnValue:
    """Plan, start or complete what is charted, or say that it was there before."""
    form = StatusForm(request.form)
    act = {"status": Status(form.status.data)} if form.validate() else {}
    return _act(patient_id, chart_entry_id, form, change_entry, **act)


@bp.post("/patients/<int:patient_id>/chart/entries/<int:chart_entry_id>/correct")
@requires(Permission.CHART)
def correct(patient_id: int, chart_entry_id: int) -> ResponseReturnValue:
    """Say an entry right; how it was said before stays in its history."""
    entry, kind = _entry(patient_id, chart_entry_id)
    form = correction_of(entry, kind, request.form)
    changes = form.changes(entry) if form.validate() else {}
    if not changes and not form.errors:
        form.reason.errors = ["It says that already. Change what is wrong first."]
    return _act(patient_id, chart_entry_id, form, change_entry, **changes)


@bp.post("/patients/<int:patient_id>/chart/entries/<int:chart_entry_id>/error")
@requires(Permission.CHART)
def enter_error(patient_id: int, chart_entry_id: int) -> ResponseReturnValue:
    """Say that an entry was made in error; it stays in the history with the reason."""
    form = ErrorForm(request.form)
    form.validate()
    return _act(patient_id, chart_entry_id, form, enter_in_error)


def _act(patient_id: int, entry_id: int, form: ReasonForm, operation: Any, **changes: Any) -> ResponseReturnValue:
    """Do one act on an entry and show its tooth again; refused, the tooth with what was typed and why."""
    entry, _ = _entry(patient_id, entry_id)
    place, status = _place_of(entry), 422
    if not form.errors:
        patient = patient_for(current_user, patient_id) or abort(404)
        said = {"seen": form.seen.data, "reason": form.reason.data or "", "actor": current_user}
        try:
            operation(patient, entry_id=entry_id, **said, **changes)
            return _acted(patient_id, place)
        except DomainError as refusal:
            sessions.take_back()
            form.form_errors, status = [refusal.sentence], refusal.status
    return _tooth(patient_id, place, refused=(entry_id, request.endpoint, form)), status


def _acted(patient_id: int, place: str) -> ResponseReturnValue:
    back = url_for("chart.tooth", patient_id=patient_id, place=place)
    response = done(back=back, changed="chart:changed", say="Charted")
    if is_htmx():
        events = response.headers["HX-Trigger"]
        response = make_response(_tooth(patient_id, place))
        response.headers["HX-Trigger"] = events
    return response


# --- one's own view ---------------------------------------------------------------------------------------------------


@bp.post("/account/chart-view")
@requires(Permission.VIEW_CHART)
def choose() -> Response:
    """Keep how one likes to be shown charts: numbering and legend."""
    form = ViewForm(request.form)
    form.legend.choices = [SelectChoice(name, legend.name) for name, legend in LEGENDS.items()]
    if not form.validate() or not str(form.patient_id.data).isdecimal():
        abort(422)
    choose_view(numbering=Numbering(form.numbering.data), legend=form.legend.data, actor=current_user)
    return go_to(_chart(int(form.patient_id.data)))


# --- what they share --------------------------------------------------------------------------------------------------


def _page(patient_id: int, **said: Any) -> str:
    said = {"form": None, "reading": None, "refusal": None, "asks": False, "is_stale": False} | said
    with whole_or_nothing(patient_id):
        picture = picture_now(current_user, patient_id, _preset())
        return render_template(
            "chart/show.html",
            picture=picture,
            tools=tools_of(picture.mouth.kinds),
            statuses=statuses_offered(),
            legends=LEGENDS,
            grammar=line.grammar_of(picture.mouth.kinds),
            **said,
        )


def _mouth(patient_id: int) -> str:
    with whole_or_nothing(patient_id):
        return render_template("chart/_mouth.html", picture=picture_now(current_user, patient_id, _preset()))


def _tooth(patient_id: int, place: str, refused: tuple[int, str | None, Any] = (0, None, None)) -> str:
    with whole_or_nothing(patient_id):
        picture = picture_for(current_user, patient_id)
        if not picture.knows(place):
            abort(404)
        return answer(
            page="chart/tooth.html",
            fragment="chart/_tooth.html",
            picture=picture,
            place=place,
            entries=picture.on(place),
            history=history_of(current_user, patient_id, place),
            documents=_documents(patient_id, place),
            refused=refused,
            correction_of=correction_of,
        )


def _documents(patient_id: int, place: str) -> int:
    return number_of_tooth(current_user, patient_id, place) if may(current_user, Permission.VIEW_DOCUMENTS) else 0


def _entry(patient_id: int, entry_id: int) -> tuple[Entry, Any]:
    """An entry that holds, with its kind."""
    with whole_or_nothing(patient_id):
        picture = picture_for(current_user, patient_id)
        entry = entry_for(current_user, patient_id, entry_id) or abort(404)
        return entry, picture.kind(entry)


def _place_of(entry: Entry) -> str:
    """The tooth from which one acted; else the entry's first."""
    asked = request.form.get("place", "")
    return asked if asked in (*entry.keys, entry.jaw) and asked else entry.keys[0] if entry.keys else entry.jaw


def _preset() -> Dentition | None:
    asked = request.values.get("dentition", "")
    return Dentition(asked) if asked in set(Dentition) else None


def _chart(patient_id: int) -> str:
    return url_for("chart.show", patient_id=patient_id)
