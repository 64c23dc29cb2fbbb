"""Versions of a chart over HTTP: list, one, as of a day, compared, printed, restored, sent, withdrawn, checked by the code on paper."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.chart import versions
from clinic.extensions import db
from clinic.models import AuditEvent, Chart, ChartVersion, SignOff, SignOffStatus
from clinic.printing import client as printer
from tests.charted import charted, entry, sign_off_of, stroke, version_of

PDF = b"%PDF-1.4\n/CreationDate (D:20990101000000+00'00')\nWORDS\n%%EOF\n"


@pytest.fixture
def chart(context, world):
    charted(world)
    return f"/patients/{world.patients['fernando']}/chart"


@pytest.fixture
def printed(monkeypatch, shelf):
    """A printer that answers the document's digest, and remembers each."""
    asked: list[str] = []

    def print_pdf(html):
        asked.append(html)
        return PDF.replace(b"WORDS", hashlib.sha256(html.encode()).hexdigest().encode())

    monkeypatch.setattr(printer, "print_pdf", print_pdf)
    return asked


def acts(prefix: str) -> list[str]:
    rows = select(AuditEvent.sentence).where(AuditEvent.act.startswith(prefix)).order_by(AuditEvent.id)
    return list(db.session.scalars(rows))


# --- the list and one -------------------------------------------------------------------------------------------------


def test_the_list_tells_each_version_and_how_it_stands(browser_of, chart):
    page = browser_of("kamal").get(f"{chart}/versions").text
    assert "Before the fillings" in page
    assert "the initial odontogram" in page
    assert "changed after approval" in page
    assert "approved by Dr Sunil Silva" in page


def test_one_version_says_that_it_is_read_only_and_what_it_said_then(browser_of, chart):
    page = browser_of("kamal").get(f"{chart}/versions/1").text
    assert "read only" in page
    assert "APPROVED" in page
    assert "The chart was changed after approval, first by Kamal Dias" in page
    assert "composite" not in page
    assert "composite" in browser_of("kamal").get(f"{chart}/versions/2").text


@pytest.mark.parametrize(
    "path", ["versions/99", "versions/0", "versions/99.pdf", "versions/99.json", "versions/99/restore"]
)
def test_a_version_that_is_not_there_is_not_found(browser_of, chart, path):
    assert browser_of("kamal").get(f"{chart}/{path}").status_code == 404


PAGES = [
    "versions",
    "versions/1",
    "versions/1.pdf",
    "versions/1.json",
    "as-of",
    "as-of/shown",
    "compare",
    "send",
    "versions/1/restore",
]


@pytest.mark.parametrize("path", PAGES)
def test_another_students_patient_is_not_found(browser_of, chart, path):
    assert browser_of("leela").get(f"{chart}/{path}").status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_the_front_desk_sees_no_chart(browser_of, chart, path):
    assert browser_of("ruwan").get(f"{chart}/{path}").status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_looking_writes_nothing_but_the_trail(browser_of, chart, path, printed):
    before = _rows()
    assert browser_of("kamal").get(f"{chart}/{path}").status_code == 200
    assert _rows() == before


def _rows() -> dict[str, int]:
    return {table.__tablename__: db.session.query(table).count() for table in (Chart, ChartVersion, SignOff)}


# --- prints -----------------------------------------------------------------------------------------------------------


def test_a_version_is_printed_with_all_that_it_says(browser_of, chart, printed, world):
    answer = browser_of("kamal").get(f"{chart}/versions/1.pdf")
    assert answer.mimetype == "application/pdf"
    assert "P-2026-00001-chart-1.pdf" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    html = printed[0]
    said = [
        *(
            "Nimali Fernando",
            "P-2026-00001",
            "born 3 Sep 1991",
            "female",
            "version 1",
            "Kamal Dias</bdi>, student",
            "APPROVED",
        ),
        *("Approved by Dr Sunil Silva, supervisor, Restorative", "FDI (ISO 3950)", version_of(world, 1).check_code),
        *(
            "changed after approval, first by Kamal Dias",
            "caries, ICDAS 4",
            "abutments 14 and 16, pontic 15",
            "impacted",
        ),
    ]
    assert not [words for words in said if words not in html]
    assert "composite" not in html


def test_a_print_names_neither_who_printed_it_nor_when(browser_of, chart, printed):
    with clock.frozen(clock.now() + timedelta(days=700)):
        browser_of("silva").get(f"{chart}/versions/2.pdf")
        later = f"{clock.now():%b %Y}"
    assert later not in printed[0]
    assert acts("chart.print") == ["Printed version 2 of the chart of P-2026-00001"]


def test_a_year_later_the_same_document_is_given(browser_of, chart, printed, world):
    first = browser_of("kamal").get(f"{chart}/versions/2.pdf")
    printed.clear()
    with clock.frozen(clock.now() + timedelta(days=365)):
        patient = world.patient("fernando")
        patient.name = "Nimali Fernando-Perera"
        db.session.commit()
        again = browser_of("silva").get(f"{chart}/versions/2.pdf")
    assert again.data == first.data
    assert again.headers["ETag"] == first.headers["ETag"]
    assert printed == []


def test_the_same_is_printed_when_nothing_was_kept(browser_of, chart, printed, shelf, world):
    first = browser_of("kamal").get(f"{chart}/versions/2.pdf").data
    shelf.objects.clear()
    with clock.frozen(clock.now() + timedelta(days=365)):
        assert browser_of("silva").get(f"{chart}/versions/2.pdf").data == first
    assert printed[0] == printed[1]
    assert f"{version_of(world, 2).at:%Y%m%d%H%M%S}".encode() in first  # its own day, not the printing's


def test_an_approval_makes_it_another_document(browser_of, chart, printed, world):
    kamal = browser_of("kamal")
    first = kamal.get(f"{chart}/versions/2.pdf")
    assert "NOT APPROVED" in printed[-1]
    assert "Changed after approval: version 1 was approved" in printed[-1]
    kamal.post(f"{chart}/send", {"seen": str(_stroke(world)), "words": ""})
    browser_of("silva").post(f"/approvals/chart-version/{sign_off_of(world).id}/approve", {"version": "1"})
    second = kamal.get(f"{chart}/versions/2.pdf")
    assert "Approved by Dr Sunil Silva" in printed[-1]
    assert "NOT APPROVED" not in printed[-1]
    assert second.headers["ETag"] != first.headers["ETag"]


def test_whoever_holds_the_same_is_sent_nothing(browser_of, chart, printed):
    kamal = browser_of("kamal")
    tag = kamal.get(f"{chart}/versions/1.pdf").headers["ETag"]
    again = kamal.get(f"{chart}/versions/1.pdf", headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert not again.data
    assert len(acts("chart.print")) == 2


def test_without_the_store_it_is_printed_anyway_and_the_store_is_left_alone_for_a_while(
    browser_of, chart, printed, shelf
):
    shelf.away = True
    kamal = browser_of("kamal")
    assert kamal.get(f"{chart}/versions/1.pdf").data.startswith(b"%PDF-")
    assert kamal.get(f"{chart}/versions/1.pdf").data.startswith(b"%PDF-")
    assert len(printed) == 2


def test_a_kept_print_that_was_changed_is_not_given_out(browser_of, chart, printed, shelf):
    kamal = browser_of("kamal")
    right = kamal.get(f"{chart}/versions/1.pdf").data
    (key,) = shelf.objects
    shelf.objects[key] = shelf.objects[key].replace(b"EOF", b"EOX")
    assert kamal.get(f"{chart}/versions/1.pdf").data == right
    assert len(printed) == 2


def test_a_printer_that_is_away_is_a_sentence_and_when_to_try_again(browser_of, chart, monkeypatch, shelf):
    def away(_html):
        raise printer.Unavailable("The printer does not answer. Try again in a minute.")

    monkeypatch.setattr(printer, "print_pdf", away)
    kamal = browser_of("kamal")
    answer = kamal.get(f"{chart}/versions/1.pdf")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "The printer does not answer" in answer.text
    assert kamal.get(f"{chart}/versions/1").status_code == 200
    assert acts("chart.print") == []


def test_no_connection_is_held_while_it_is_printed(browser_of, chart, monkeypatch, shelf):
    seen = []

    def print_pdf(_html):
        seen.append(db.session().in_transaction())
        return PDF

    monkeypatch.setattr(printer, "print_pdf", print_pdf)
    assert browser_of("kamal").get(f"{chart}/versions/1.pdf").status_code == 200
    assert seen == [False]


def test_the_data_of_a_version_is_its_bytes(browser_of, chart, world):
    answer = browser_of("kamal").get(f"{chart}/versions/2.json")
    one, two = version_of(world, 1), version_of(world, 2)
    assert answer.data == two.body
    assert versions.digest(one.sha256, answer.data) == two.sha256
    assert acts("chart.download") == ["Downloaded version 2 of the chart of P-2026-00001 as data"]


# --- the code on paper ------------------------------------------------------------------------------------------------


def test_the_code_on_paper_finds_its_version(browser_of, chart, world):
    code = version_of(world, 1).check_code
    page = browser_of("silva").get(f"/chart/prints/verify?code={code.lower().replace('-', ' ')}").text
    assert "Version 1 of this patient’s chart carries this code" in page
    assert "There is a later version: the last is version 2" in page
    assert acts("chart.verify_print")


def test_a_code_of_a_patient_one_may_not_know_is_as_unknown(browser_of, chart, world):
    leela, code = browser_of("leela"), version_of(world, 1).check_code
    hidden, none = (leela.get(f"/chart/prints/verify?code={each}").text for each in (code, "0000-0000-0000"))
    assert _main(hidden).replace(code, "") == _main(none).replace("0000-0000-0000", "")
    assert "No print that you may see carries this code" in hidden
    assert browser_of("ruwan").get(f"/chart/prints/verify?code={code}").status_code == 403


# --- as of, compared --------------------------------------------------------------------------------------------------


def test_the_chart_as_of_an_instant_is_what_was_written_by_then(browser_of, chart, world):
    at = version_of(world, 1).at.isoformat().replace("+", "%2B")
    page = browser_of("kamal").get(f"{chart}/as-of?at={at}").text
    assert "composite" not in page
    assert "composite" in browser_of("kamal").get(f"{chart}/as-of/shown").text


def test_a_day_that_has_passed_says_that_it_is_not_today(browser_of, chart, world):
    with clock.frozen(clock.now() + timedelta(days=40)):
        page = browser_of("kamal").get(f"{chart}/as-of?day=3").text
        assert ", not today." in page
        assert "Chart as at today" in browser_of("kamal").get(f"{chart}/as-of").text


@pytest.mark.parametrize(
    "query", ["at=never", "day=-4", "day=99999999", "at=9999-12-31T23:59:59-12:00", "day=x", "at=0001-01-01"]
)
def test_a_day_that_is_none_shows_some_day(browser_of, chart, query):
    assert browser_of("kamal").get(f"{chart}/as-of?{query}").status_code == 200


@pytest.mark.parametrize("way", ["overlay", "side", "words"])
def test_two_versions_are_compared_in_words(browser_of, chart, way):
    page = browser_of("kamal").get(f"{chart}/compare?before=1&after=2&way={way}").text
    assert "Added: 36, mesial-occlusal: composite filling, planned" in page
    assert "2 changes" in page


def test_only_findings_or_treatments_are_compared(browser_of, chart):
    kamal = browser_of("kamal")
    findings = kamal.get(f"{chart}/compare?before=1&after=2&way=words&part=findings").text
    assert "fracture" in findings
    assert "composite" not in findings
    treatments = kamal.get(f"{chart}/compare?before=1&after=2&way=words&part=treatments").text
    assert "fracture" not in treatments
    assert "composite" in treatments


def test_a_version_compared_backwards_says_what_was_removed(browser_of, chart):
    assert "Removed: 21: fracture" in browser_of("kamal").get(f"{chart}/compare?before=2&after=1").text


# --- to cut, to restore -----------------------------------------------------------------------------------------------


def test_a_version_is_cut_with_a_name(browser_of, chart, world):
    stroke(world, (entry("caries", "47", surfaces="O"),))
    answer = browser_of("kamal").post(f"{chart}/versions/new", {"name": "  After   recall "})
    assert answer.location.startswith(f"{chart}/versions/3")
    assert version_of(world, 3).name == "After recall"


def test_to_print_what_is_now_cuts_a_version_when_there_is_something_new(browser_of, chart, world):
    kamal = browser_of("kamal")
    assert kamal.post(f"{chart}/versions/new", {"name": "x", "then": "print"}).location == f"{chart}/versions/2.pdf"
    stroke(world, (entry("caries", "47", surfaces="O"),))
    assert kamal.post(f"{chart}/versions/new", {"name": "x", "then": "print"}).location == f"{chart}/versions/3.pdf"


def test_a_version_without_a_name_is_not_cut(browser_of, chart, world):
    answer = browser_of("kamal").post(f"{chart}/versions/new", {"name": " "})
    assert answer.status_code == 422
    assert "Give the version a name" in answer.text
    assert db.session.query(ChartVersion).count() == 2


def test_going_back_says_first_what_it_will_change(browser_of, chart):
    page = browser_of("kamal").get(f"{chart}/versions/1/restore").text
    assert "Removed: 21: fracture" in page
    assert "This will change" in page


def test_going_back_makes_new_entries(browser_of, chart, world):
    kamal = browser_of("kamal")
    sent = {"seen": str(_stroke(world)), "reason": "Charted on the wrong patient"}
    assert kamal.post(f"{chart}/versions/1/restore", sent, once="same-key-1").status_code == 303
    assert kamal.post(f"{chart}/versions/1/restore", sent, once="same-key-1").headers["X-Replayed"]
    assert _stroke(world) == int(sent["seen"]) + 1
    assert "composite" not in kamal.get(f"{chart}/as-of/shown").text
    assert "This would change nothing" in kamal.get(f"{chart}/versions/1/restore").text


def test_going_back_needs_a_reason(browser_of, chart, world):
    answer = browser_of("kamal").post(f"{chart}/versions/1/restore", {"seen": str(_stroke(world)), "reason": ""})
    assert answer.status_code == 422
    assert "Write why you go back" in answer.text


def test_going_back_on_a_chart_that_has_changed_is_refused(browser_of, chart, world):
    seen = _stroke(world)
    stroke(world, (entry("caries", "47", surfaces="O"),), student="kamal")
    answer = browser_of("kamal").post(f"{chart}/versions/1/restore", {"seen": str(seen), "reason": "Wrong patient"})
    assert answer.status_code == 409
    assert "47" in answer.text


# --- to send, to withdraw ---------------------------------------------------------------------------------------------


def test_what_is_sent_is_shown_first_and_then_waits(browser_of, chart, world):
    kamal = browser_of("kamal")
    page = kamal.get(f"{chart}/send").text
    assert "Since version 1" in page
    assert "composite" in page
    assert "impacted" not in page.split("<svg")[0]
    assert kamal.post(f"{chart}/send", {"seen": str(_stroke(world)), "words": "Please look at 21"}).status_code == 303
    assert sign_off_of(world).status is SignOffStatus.PENDING
    assert "waits for approval" in kamal.get(f"{chart}/versions").text
    assert browser_of("silva").get(f"/approvals/chart-version/{sign_off_of(world).id}").status_code == 200


def test_what_was_sent_is_withdrawn_by_whoever_sent_it(browser_of, chart, world):
    kamal = browser_of("kamal")
    kamal.post(f"{chart}/send", {"seen": str(_stroke(world)), "words": ""})
    sign_off = sign_off_of(world)
    url = f"{chart}/sign-offs/{sign_off.id}/withdraw"
    assert browser_of("silva").post(url, {"version": "1"}).status_code == 404
    assert kamal.post(url, {"version": "x"}).status_code == 422
    assert kamal.post(url, {"version": "1"}).status_code == 303
    db.session.refresh(sign_off)
    assert sign_off.status is SignOffStatus.WITHDRAWN
    assert kamal.post(url, {"version": "1"}).status_code == 409


def test_a_chart_that_changed_since_is_not_sent(browser_of, chart, world):
    seen = _stroke(world)
    stroke(world, (entry("caries", "47", surfaces="O"),))
    assert browser_of("kamal").post(f"{chart}/send", {"seen": str(seen), "words": ""}).status_code == 409


@pytest.mark.parametrize("path", ["versions/new", "versions/1/restore", "send", "sign-offs/1/withdraw"])
def test_writing_is_for_whoever_has_the_patient(browser_of, chart, path):
    assert browser_of("leela").post(f"{chart}/{path}", {}).status_code == 404
    assert browser_of("ruwan").post(f"{chart}/{path}", {}).status_code == 403
    assert browser_of("adel").post(f"{chart}/{path}", {}).status_code == 403


def _stroke(world) -> int:
    db.session.expire_all()
    return db.session.get_one(Chart, world.patients["fernando"]).stroke


def _main(page: str) -> str:
    return page.split("<main")[1].split("</main>")[0]
