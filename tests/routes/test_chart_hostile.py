"""What no page of the chart sends, and charts that somebody has spoiled: refused in words, and never shown as a healthy mouth."""

import hashlib
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from clinic.extensions import db
from clinic.models import Chart, ChartEntry, ChartVersion, SignOff
from clinic.operations.sign_off import send_chart
from clinic.printing import client as printer
from tests.charted import charted, version_of

PDF = b"%PDF-1.4\n/CreationDate (D:20990101000000+00'00')\nWORDS\n%%EOF\n"
ENDLESS = "9" * 4400  # more digits than Python reads as a number


@pytest.fixture
def chart(context, world):
    charted(world)
    return f"/patients/{world.patients['fernando']}/chart"


@pytest.fixture
def printed(monkeypatch, shelf, app):
    app.extensions.pop("chairside_prints", None)
    asked: list[str] = []

    def print_pdf(html):
        asked.append(html)
        return PDF.replace(b"WORDS", hashlib.sha256(html.encode()).hexdigest().encode())

    monkeypatch.setattr(printer, "print_pdf", print_pdf)
    return asked


# --- what one types ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        '36 rct canals="abc"',
        '36 mo comp material="gold"',
        "36 rct canals=",
        '36 apical size="zz"',
        "S100 x",
        "\x00",
        "36 mo car 0001-01-01",
        "36 mo car 9999-12-31",
    ],
)
def test_a_line_that_says_what_cannot_be_is_refused_in_words(browser_of, chart, line):
    kamal = browser_of("kamal")
    looked = kamal.get(f"{chart}/meaning?line={quote(line)}")
    assert looked.status_code == 200, line
    sent = kamal.post(f"{chart}/strokes", {"line": line, "seen": "2"}, htmx=True)
    assert sent.status_code == 422, sent.text
    assert "cannot be shown" not in sent.text


@pytest.mark.parametrize("seen", ["-1", "1e3", "٢x", ENDLESS, "999999999", "2 ", "0x2", ""])
def test_a_stroke_that_one_cannot_have_seen(browser_of, chart, seen):
    answer = browser_of("kamal").post(f"{chart}/strokes", {"line": "35 o car3", "seen": seen})
    assert answer.status_code in (409, 422), seen
    assert db.session.get(Chart, int(chart.split("/")[2])).stroke == 2


def test_a_view_for_a_patient_whose_number_has_no_end(browser_of, chart):
    answer = browser_of("kamal").post(
        "/account/chart-view", {"numbering": "FDI", "legend": "neutral", "patient_id": ENDLESS}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00%2B14:00", "0001-01-01", "9999-12-31T23:59:59-14:00", "x" * 9000])
@pytest.mark.parametrize("page", ["as-of", "as-of/shown"])
def test_an_instant_at_the_ends_of_time(browser_of, chart, page, at):
    assert browser_of("kamal").get(f"{chart}/{page}?at={at}").status_code == 200


def test_before_charting_began_no_healthy_mouth_is_shown(browser_of, chart):
    page = browser_of("kamal").get(f"{chart}/as-of/shown?at=2001-01-01T00:00:00").text
    assert "Nothing had been charted" in page
    assert "data-tooth" not in page


# --- versions that are not as they were cut ---------------------------------------------------------------------------


@pytest.fixture
def spoiled(chart, world):
    """Somebody with the keys of the database has written into version 1 that tooth 36 is sound."""
    cut = version_of(world, 1)
    body = cut.body.replace(b'"caries"', b'"mobility"', 1)
    assert body != cut.body
    db.session.execute(update(ChartVersion).where(ChartVersion.id == cut.id).values(body=body))
    db.session.commit()
    return chart


@pytest.mark.parametrize(
    "path", ["versions/1", "versions/1.pdf", "versions/1.json", "versions/1/restore", "compare?before=1&after=2"]
)
def test_a_version_that_was_changed_is_not_given_out(browser_of, spoiled, printed, path):
    answer = browser_of("kamal").get(f"{spoiled}/{path}")
    assert answer.status_code == 500
    assert "cannot be shown" in answer.text
    assert "Nimali Fernando" in answer.text
    assert "data-tooth" not in answer.text
    assert not printed


def test_nor_verified_nor_gone_back_to(browser_of, spoiled, world):
    kamal = browser_of("kamal")
    code = version_of(world, 1).check_code
    checked = kamal.get(f"/chart/prints/verify?code={code}")
    assert checked.status_code == 500
    assert "cannot be shown" in checked.text
    assert "carries this code" not in checked.text
    answer = kamal.post(f"{spoiled}/versions/1/restore", {"seen": "2", "reason": "Because"})
    assert answer.status_code == 500
    assert db.session.get(Chart, world.patients["fernando"]).stroke == 2


def test_whoever_holds_a_print_is_never_given_an_empty_one(browser_of, chart, printed):
    kamal = browser_of("kamal")
    etag = kamal.get(f"{chart}/versions/1.pdf").headers["ETag"]
    for more in ({}, {"If-Match": etag}, {"If-Range": '"x"'}):
        answer = kamal.get(f"{chart}/versions/1.pdf", headers={"If-None-Match": etag, **more})
        assert answer.status_code == 304 or answer.data.startswith(b"%PDF"), more


# --- a chart that cannot be read --------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", [{"details": "{"}, {"details": "[]"}, {"kind": "own-77"}, {"teeth": "77x"}])
@pytest.mark.parametrize(
    "path", ["", "/mouth", "/key", "/meaning?line=36", "/teeth/36", "/versions", "/send", "/as-of", "/compare"]
)
def test_a_spoiled_chart_is_an_error_in_the_patients_frame(browser_of, chart, world, spoil, path):
    first = select(ChartEntry.id).where(ChartEntry.patient_id == world.patients["fernando"]).order_by(ChartEntry.id)
    db.session.execute(
        update(ChartEntry).where(ChartEntry.id == db.session.scalars(first.limit(1)).one()).values(**spoil)
    )
    db.session.commit()
    answer = browser_of("kamal").get(chart + path)
    assert answer.status_code == 500, (path, spoil)
    assert "The chart cannot be shown" in answer.text
    assert "Nimali Fernando" in answer.text
    assert "data-tooth" not in answer.text


@pytest.mark.parametrize("spoil", [{"details": "{"}, {"kind": "own-77"}])
def test_what_was_kept_before_is_still_printed(browser_of, chart, world, printed, spoil):
    of_patient = ChartEntry.patient_id == world.patients["fernando"]
    db.session.execute(update(ChartEntry).where(of_patient).values(**spoil))
    db.session.commit()
    kamal = browser_of("kamal")
    assert kamal.get(f"{chart}/versions/1.pdf").data.startswith(b"%PDF")
    assert kamal.get(f"{chart}/versions/1.json").mimetype == "application/json"
    refused = kamal.post(f"{chart}/strokes", {"line": "35 o car3", "seen": "2"})
    assert refused.status_code == 500
    assert "The chart cannot be shown" in refused.text


def test_what_waits_and_was_changed_is_neither_shown_nor_approved(browser_of, chart, world):
    sent = send_chart(world.patient("fernando"), words="", seen=2, actor=world.user("kamal"))
    db.session.commit()
    cut = db.session.get_one(ChartVersion, sent.chart_version_id)
    changed = update(ChartVersion).where(ChartVersion.id == cut.id)
    db.session.execute(changed.values(body=cut.body.replace(b'"caries"', b'"mobility"', 1)))
    db.session.commit()
    silva = browser_of("silva")
    for answer in (
        silva.get(f"/approvals/chart-version/{sent.id}"),
        silva.post(f"/approvals/chart-version/{sent.id}/approve", {"version": str(sent.version)}),
    ):
        assert answer.status_code == 422
        assert "does not read as it was cut" in answer.text
        assert "data-tooth" not in answer.text
    assert silva.get("/approvals").status_code == 200
    assert db.session.scalar(select(SignOff.status).where(SignOff.id == sent.id)) == "pending"
