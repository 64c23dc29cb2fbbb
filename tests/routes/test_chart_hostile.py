"""What no page of the chart sends, and charts that somebody has spoiled: refused in words, and never shown as a healthy mouth."""

import hashlib
from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from clinic import clock
from clinic.extensions import db
from clinic.models import Assignment, BrokenGlass, Chart, ChartEntry, ChartVersion, GlassReason, SignOff
from clinic.operations.assignments import end_assignment
from clinic.operations.sign_off import send_chart
from clinic.printing import client as printer
from tests.charted import charted, sign_off_of, version_of

PDF = b"%PDF-1.4\n/CreationDate (D:20990101000000+00'00')\nWORDS\n%%EOF\n"
ENDLESS = "9" * 4400  # more digits than Python reads as a number


@pytest.fixture
def chart(context, world):
    charted(world)
    return f"/patients/{world.patients['fernando']}/chart"


@pytest.fixture
def printed(monkeypatch, shelf):
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
    shown = silva.get(f"/approvals/chart-version/{sent.id}")
    assert "does not read as it was cut" in shown.text
    approved = silva.post(f"/approvals/chart-version/{sent.id}/approve", {"version": str(sent.version)})
    assert "does not read as it was sent. Nothing was approved" in approved.text
    for answer in (shown, approved):
        assert answer.status_code == 422
        assert "data-tooth" not in answer.text
    assert silva.get("/approvals").status_code == 200
    assert db.session.scalar(select(SignOff.status).where(SignOff.id == sent.id)) == "pending"


# --- what is another's ------------------------------------------------------------------------------------------------


@pytest.fixture
def two(chart, context, world):
    """Perera is charted too, by leela. Silva may see both: the ids of one are none of the other's chart."""
    charted(world, "perera", "leela")
    sent = send_chart(world.patient("perera"), words="", seen=2, actor=world.user("leela"))
    db.session.commit()
    of_perera = select(ChartEntry.id).where(
        ChartEntry.patient_id == world.patients["perera"], ChartEntry.kind == "caries"
    )
    return chart, db.session.scalars(of_perera.limit(1)).one(), sent.id


def strokes_of(world, name):
    return db.session.scalar(select(Chart.stroke).where(Chart.patient_id == world.patients[name]))


@pytest.mark.parametrize("who", ["silva", "kamal", "leela"])
def test_ids_of_another_patient_are_none_here(browser_of, two, world, who):
    chart, entry_id, sign_off_id = two
    person = browser_of(who)
    for path, fields in (
        (f"/entries/{entry_id}/status", {"status": "finding"}),
        (f"/entries/{entry_id}/correct", {"reason": "It was 46", "surfaces": "O"}),
        (f"/entries/{entry_id}/error", {"reason": "It was 46"}),
        (f"/sign-offs/{sign_off_id}/withdraw", {"version": "1"}),
        ("/versions/3/restore", {"reason": "Perera has a third"}),
        ("/strokes/3/undo", {}),
    ):
        for seen in ("2", "999"):
            answer = person.post(chart + path, {"seen": seen, **fields})
            assert answer.status_code == 404 or (seen == "999" and answer.status_code in (404, 422)), (path, who)
            assert "Perera" not in answer.text
    assert (strokes_of(world, "fernando"), strokes_of(world, "perera")) == (2, 2)
    assert db.session.scalar(select(SignOff.status).where(SignOff.id == sign_off_id)) == "pending"


def test_what_one_has_held_is_not_told_to_be_the_same_once_the_patient_is_anothers(browser_of, chart, printed, world):
    kamal = browser_of("kamal")
    held = kamal.get(f"{chart}/versions/1.pdf").headers["ETag"]
    data = kamal.get(f"{chart}/versions/1.json").headers["ETag"]
    code = version_of(world, 1).check_code
    running = select(Assignment.id).where(
        Assignment.patient_id == world.patients["fernando"], Assignment.user_id == world.people["kamal"]
    )
    end_assignment(db.session.scalars(running).one(), reason="Year is over", actor=world.user("silva"))
    db.session.commit()
    for path in ("", "/mouth", "/key", "/meaning?line=36", "/teeth/36", "/versions", "/versions/1", "/send", "/as-of",
                 "/as-of/shown", "/compare", "/versions/1/restore"):  # fmt: skip
        assert kamal.get(chart + path).status_code == 404, path
    for path, etag in (("/versions/1.pdf", held), ("/versions/1.json", data)):
        for tag in (etag, "*"):
            assert kamal.get(chart + path, headers={"If-None-Match": tag}).status_code == 404
    assert "No print that you may see" in kamal.get(f"/chart/prints/verify?code={code}").text
    for path in ("/strokes/2/undo", "/strokes", "/first-charting", "/versions/new", "/send", "/versions/1/restore"):
        sent = {"line": "35 o car3", "seen": "2", "name": "Mine", "reason": "Because", "words": ""}
        assert kamal.post(chart + path, sent).status_code == 404, path
    assert strokes_of(world, "fernando") == 2


def test_through_a_broken_glass_one_only_reads(browser_of, chart, printed, world):
    at = clock.now()
    db.session.add(
        BrokenGlass(
            user_id=world.people["omar"],
            patient_id=world.patients["fernando"],
            reason=GlassReason.EMERGENCY,
            words="She fainted in the corridor",
            opened_at=at,
            expires_at=at + timedelta(minutes=60),
        )  # fmt: skip
    )
    db.session.commit()
    omar, entry_id = browser_of("omar"), db.session.scalars(select(ChartEntry.id).limit(1)).one()
    for path in ("", "/versions", "/versions/1", "/versions/1.pdf", "/versions/1.json", "/meaning?line=36", "/compare"):
        assert omar.get(chart + path).status_code == 200, path
    sent = {"line": "35 o car3", "seen": "2", "name": "Mine", "reason": "Because", "words": "", "status": "finding"}
    for path in ("/strokes/2/undo", "/strokes", "/first-charting", "/versions/new", "/send", "/versions/1/restore",
                 f"/entries/{entry_id}/status", f"/entries/{entry_id}/error", f"/entries/{entry_id}/correct"):  # fmt: skip
        assert omar.post(chart + path, sent).status_code == 403, path
    assert strokes_of(world, "fernando") == 2


# --- sent twice, and words that are no words --------------------------------------------------------------------------


def test_one_key_is_one_stroke_whatever_is_sent_with_it(browser_of, chart, world):
    kamal = browser_of("kamal")
    first = {"line": "35 o car3", "seen": "2"}
    assert kamal.post(f"{chart}/strokes", first, htmx=True, once="same-key-1").status_code == 200
    assert kamal.post(f"{chart}/strokes", first, htmx=True, once="same-key-1").headers["X-Replayed"] == "1"
    other = kamal.post(f"{chart}/strokes", {"line": "34 o car3", "seen": "2"}, htmx=True, once="same-key-1")
    assert other.status_code == 409
    assert strokes_of(world, "fernando") == 3
    assert kamal.post(f"{chart}/strokes/3/undo").status_code in (200, 204, 303)
    assert kamal.post(f"{chart}/strokes/3/undo").status_code == 409
    assert strokes_of(world, "fernando") == 4


EVIL = "<img src=x hx-get=/people onerror=alert(1)>{{7*7}}{% raw %}\u202e\u2066evil\U0001f9b7</script>"


def test_words_stay_words_wherever_they_are_shown(browser_of, chart, printed, world):
    kamal = browser_of("kamal")
    line = f'35 note "{EVIL}"'
    assert kamal.get(f"{chart}/meaning?line={quote(line)}").status_code == 200
    answer = kamal.post(f"{chart}/strokes", {"line": line, "seen": "2", "reason": EVIL}, htmx=True)
    assert answer.status_code == 200
    assert answer.headers["HX-Trigger"].isascii()
    long = kamal.post(f"{chart}/strokes", {"line": f'34 note "{chr(0x1F9B7) * 480}"', "seen": "3"}, htmx=True)
    assert long.status_code == 200
    assert len(long.headers["HX-Trigger"]) < 8000
    assert kamal.post(f"{chart}/versions/new", {"name": EVIL}).status_code == 303
    sent = kamal.post(f"{chart}/send", {"words": EVIL, "seen": "4"})
    assert sent.status_code == 303
    pages = [
        kamal.get(chart + path).text
        for path in ("", "/teeth/35", "/versions", "/versions/3", "/compare?before=1&after=3")
    ]
    silva = browser_of("silva")
    pages.append(silva.get(f"/approvals/chart-version/{sign_off_of(world).id}").text)
    kamal.get(f"{chart}/versions/3.pdf")
    for page in (*pages, *printed, answer.text):
        assert "<img src=x" not in page
        assert "{{7*7}}" in page
        assert "</script>{" not in page
    data = kamal.get(f"{chart}/versions/3.json")
    assert (data.mimetype, data.headers["X-Content-Type-Options"]) == ("application/json", "nosniff")
    assert data.headers["Content-Disposition"].startswith("attachment")
    assert data.headers["Cache-Control"] == "no-store"
