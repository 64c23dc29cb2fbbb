"""A version of a chart on its way out of the system: as PDF and as its own bytes."""

from flask import Response, render_template, request
from werkzeug.http import is_resource_modified, quote_etag

from clinic.chart.paper import paper_of
from clinic.chart.versions import as_cut
from clinic.models import ChartVersion
from clinic.prints import Print
from clinic.queries.standing import Standing

EDITION = 1  # raised when no print that was kept before may be given out again


def print_of(version: ChartVersion, standing: Standing) -> Print:
    """The print of a version. What it says is of the version's bytes; how it stands with the supervisors is the one thing that changes."""
    body, code, at = as_cut(version), version.check_code, version.at
    return Print(
        made_of={"edition": EDITION, "version": version.sha256, "standing": standing.text},
        at=at,
        html=lambda: render_template("chart_versions/print.html", paper=paper_of(body), standing=standing, code=code),
    )


def answer_with(content: bytes, *, type: str, name: str, etag: str) -> Response:
    """A file, or 304 to whoever holds the same. It is kept by no browser of itself: many share a terminal."""
    response = Response(content, content_type=type)
    response.headers.set("Content-Disposition", "inline" if type == "application/pdf" else "attachment", filename=name)
    response.headers["ETag"] = quote_etag(etag)
    response.make_conditional(request)
    return response


def holds(etag: str) -> bool:
    """Whether whoever asks holds this already: whether `answer_with` would send nothing."""
    return not is_resource_modified(request.environ, etag=quote_etag(etag))


def name_of(version: ChartVersion, code: str, ending: str) -> str:
    return f"{code}-chart-{version.number}.{ending}"
