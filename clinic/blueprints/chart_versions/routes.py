"""Versions of a chart: their list, each one, two compared, the chart as of a day, prints, restoring, sending for approval."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import audit, once
from clinic.access import Permission, requires
from clinic.blueprints.chart.picture import CannotBeShown, whole_or_nothing
from clinic.blueprints.chart.routes import cannot_be_shown
from clinic.blueprints.chart_versions import documents, views
from clinic.blueprints.chart_versions.forms import CutForm, RestoreForm, SendForm, WithdrawForm
from clinic.chart.versions import about_from, as_cut
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.htmx import go_to, place
from clinic.models import ChartVersion, VersionReason
from clinic.operations.chart import restore_version
from clinic.operations.chart_versions import cut_version
from clinic.operations.sign_off import send_chart, withdraw_chart
from clinic.prints import pdf_of
from clinic.queries import chart as charts
from clinic.queries.sign_offs import own_sign_off_for
from clinic.queries.standing import standing_of

bp = Blueprint("chart_versions", __name__)
OF_PATIENT = "/patients/<int:patient_id>/chart"
OF_VERSION = f"{OF_PATIENT}/versions/<int:number>"
bp.register_error_handler(CannotBeShown, cannot_be_shown)
Looking = TypeVar("Looking", bound=Callable[..., ResponseReturnValue])


def whole(view: Looking) -> Looking:
    """A view that shows the chart whole or says that it cannot be shown; never an empty, healthy mouth."""

    @wraps(view)
    def shown(patient_id: int, **rest: Any) -> ResponseReturnValue:
        with whole_or_nothing(patient_id):
            return view(patient_id=patient_id, **rest)

    return cast("Looking", shown)


# --- to look at -------------------------------------------------------------------------------------------------------


@bp.get(f"{OF_PATIENT}/versions")
@requires(Permission.VIEW_CHART)
@whole
def index(patient_id: int) -> ResponseReturnValue:
    """The versions of a chart, newest first."""
    return _list(patient_id, CutForm())


@bp.get(OF_VERSION)
@requires(Permission.VIEW_CHART)
@whole
def show(patient_id: int, number: int) -> ResponseReturnValue:
    """One version of a chart, as it was kept."""
    charted, version = _chart_now(patient_id), _version(patient_id, number)
    page = views.Picture.of_version(version, current_user)
    return render_template(
        "chart_versions/show.html", charted=charted, version=version, picture=page, standing=standing_of(version)
    )


@bp.get(f"{OF_PATIENT}/as-of")
@requires(Permission.VIEW_CHART)
@whole
def as_of(patient_id: int) -> ResponseReturnValue:
    """A chart as it was on a day."""
    return render_template("chart_versions/as_of.html", **_as_of(patient_id))


@bp.get(f"{OF_PATIENT}/as-of/shown")
@requires(Permission.VIEW_CHART, typed=True)
@whole
def as_of_shown(patient_id: int) -> ResponseReturnValue:
    """The chart as it was at the instant that the slider names."""
    return render_template("chart_versions/_as_of.html", **_as_of(patient_id))


@bp.get(f"{OF_PATIENT}/compare")
@requires(Permission.VIEW_CHART)
@whole
def compare(patient_id: int) -> ResponseReturnValue:
    """Two versions of a chart compared."""
    charted = _chart_now(patient_id)
    wanted = views.Wanted.of(request.args, charted)
    before, after = (_side(charted, number) for number in (wanted.before, wanted.after))
    compared = views.compared(before, after, wanted, current_user)
    versions = charts.versions_of(current_user, patient_id, size=200).rows
    return render_template(
        "chart_versions/compare.html", charted=charted, wanted=wanted, compared=compared, versions=versions,
        ways=views.WAYS, parts=views.PARTS,
    )  # fmt: skip


@bp.get("/chart/prints/verify")
@requires(Permission.VIEW_CHART)
def verify() -> ResponseReturnValue:
    """Hold a print against the stored version, by its check code."""
    code = request.args.get("code", "")[:40]
    version = charts.version_by_code(current_user, code) if code.strip() else None
    found: dict[str, Any] = {}
    if version is not None:
        with whole_or_nothing(version.patient_id):
            charted = _chart_now(version.patient_id)
            as_cut(version)
        found = {"charted": charted, "version": version, "standing": standing_of(version)}
        told = f"Held a print of version {version.number} of the chart of {charted.patient.code} against the stored one"
        audit.record("chart.verify_print", told, actor=current_user, subject=version, patient=version.patient_id)
    return once.commit(render_template("chart_versions/verify.html", code=code, found=found))


# --- to take along ----------------------------------------------------------------------------------------------------


@bp.get(f"{OF_VERSION}.pdf")
@requires(Permission.VIEW_CHART)
@whole
def pdf(patient_id: int, number: int) -> Response:
    """The print of a version. Nothing of the database is held while it is printed; it is told before a byte leaves."""
    version = _version(patient_id, number)
    document, code = documents.print_of(version, standing_of(version)), about_from(as_cut(version))["code"]
    name = documents.name_of(version, code, "pdf")
    told = f"Printed version {number} of the chart of {code}"
    db.session.commit()
    content = b"" if documents.holds(document.digest) else pdf_of(document)
    audit.record("chart.print", told, actor=current_user, subject=f"chart_version:{version.id}", patient=patient_id)
    return once.commit(documents.answer_with(content, type="application/pdf", name=name, etag=document.digest))


@bp.get(f"{OF_VERSION}.json")
@requires(Permission.VIEW_CHART)
@whole
def data(patient_id: int, number: int) -> Response:
    """The bytes of a version, exactly those its digest is of."""
    version = _version(patient_id, number)
    code = about_from(as_cut(version))["code"]
    told = f"Downloaded version {number} of the chart of {code} as data"
    audit.record("chart.download", told, actor=current_user, subject=version, patient=patient_id)
    name = documents.name_of(version, code, "json")
    answer = documents.answer_with(version.body, type="application/json", name=name, etag=version.sha256)
    return once.commit(answer)


# --- to do ------------------------------------------------------------------------------------------------------------


@bp.post(f"{OF_PATIENT}/versions/new")  # not the list's own address, which is read through a broken glass too
@requires(Permission.CHART)
@whole
def cut(patient_id: int) -> ResponseReturnValue:
    """Cut a version with a name, and print it if that was asked for."""
    charted, form = _chart_now(patient_id), CutForm(request.form)
    if not form.validate():
        return _list(patient_id, form), 422
    version = cut_version(charted.patient, why=VersionReason.NAMED, name=form.name.data or "", actor=current_user)
    number, prints = version.number if version else charted.last_version, request.form.get("then") == "print"
    say = f"Version {number} was cut" if version else f"Nothing has changed since version {number}"
    if not number:
        raise DomainError("Nothing is charted yet. There is nothing to keep.")
    to = "chart_versions.pdf" if prints else "chart_versions.show"
    return go_to(url_for(to, patient_id=patient_id, number=number), say=None if prints else say)


@bp.get(f"{OF_VERSION}/restore")
@requires(Permission.CHART)
@whole
def restoring(patient_id: int, number: int) -> ResponseReturnValue:
    """What going back to a version would change."""
    return _restoring(patient_id, number, None)


@bp.post(f"{OF_VERSION}/restore")
@requires(Permission.CHART)
@whole
def restore(patient_id: int, number: int) -> ResponseReturnValue:
    """Go back to a version, by new entries."""
    form, charted = RestoreForm(request.form), _chart_now(patient_id)
    if not form.validate():
        return _restoring(patient_id, number, form), 422
    _version(patient_id, number)
    restore_version(
        charted.patient, number=number, seen=form.seen.data, reason=form.reason.data or "", actor=current_user
    )
    return go_to(_chart(patient_id), say=f"The chart stands as in version {number} again")


@bp.get(f"{OF_PATIENT}/send")
@requires(Permission.CHART)
@whole
def sending(patient_id: int) -> ResponseReturnValue:
    """What a supervisor would be sent: exactly what has changed since the last approval."""
    return _sending(patient_id, None)


@bp.post(f"{OF_PATIENT}/send")
@requires(Permission.CHART)
@whole
def send(patient_id: int) -> ResponseReturnValue:
    """Send the chart to the supervisors for approval."""
    form, charted = SendForm(request.form), _chart_now(patient_id)
    if not form.validate():
        return _sending(patient_id, form), 422
    send_chart(charted.patient, words=form.words.data or "", seen=form.seen.data, actor=current_user)
    return go_to(_versions(patient_id), say=f"The chart of {charted.patient.name} was sent for approval")


@bp.post(f"{OF_PATIENT}/sign-offs/<int:sign_off_id>/withdraw")
@requires(Permission.CHART)
def withdraw(patient_id: int, sign_off_id: int) -> ResponseReturnValue:
    """Take back what one has sent for approval."""
    sign_off = own_sign_off_for(current_user, patient_id, sign_off_id) or abort(404)
    form = WithdrawForm(request.form)
    if not form.validate():
        raise DomainError(str(form.version.errors[0]))
    withdraw_chart(sign_off.id, version=form.version.data, actor=current_user)
    return go_to(_versions(patient_id), say="Withdrawn: it no longer waits for approval")


def _chart_now(patient_id: int) -> charts.ChartNow:
    return charts.chart_for(current_user, patient_id) or abort(404)


def _version(patient_id: int, number: int) -> ChartVersion:
    return charts.version_for(current_user, patient_id, number) or abort(404)


def _list(patient_id: int, form: CutForm) -> str:
    charted = _chart_now(patient_id)
    here = place()
    page = charts.versions_of(current_user, patient_id, after=here["after"], before=here["before"])
    return render_template("chart_versions/index.html", charted=charted, page=page, form=form)


def _as_of(patient_id: int) -> dict[str, Any]:
    charted = _chart_now(patient_id)
    track = views.Track.of(charts.markers_of(current_user, patient_id), charted, request.args)
    then = charts.mouth_as_of(charted, track.at)
    return {"charted": charted, "track": track, "picture": views.Picture.of(then, current_user)}


def _side(charted: charts.Charted, number: int) -> views.Side:
    if not number:
        return views.Side(0, "now", charted.mouth)
    return views.Side.of(_version(charted.patient.id, number))


def _restoring(patient_id: int, number: int, form: RestoreForm | None) -> str:
    charted, version = _chart_now(patient_id), _version(patient_id, number)
    form = form or RestoreForm(seen=charted.stroke)
    compared = views.restored(charted, version, current_user)
    return render_template(
        "chart_versions/restore.html", charted=charted, version=version, compared=compared, form=form
    )


def _sending(patient_id: int, form: SendForm | None) -> str:
    charted = _chart_now(patient_id)
    form = form or SendForm(seen=charted.stroke)
    approved = charts.approved_before(patient_id, charted.last_version + 1)
    return render_template(
        "chart_versions/send.html", charted=charted, form=form, approved=approved,
        compared=views.to_send(charted, approved, current_user),
    )  # fmt: skip


def _chart(patient_id: int) -> str:
    return url_for("chart.show", patient_id=patient_id)


def _versions(patient_id: int) -> str:
    return url_for("chart_versions.index", patient_id=patient_id)
