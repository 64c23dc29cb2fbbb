"""The page of everything that happened to a patient."""

from datetime import timedelta

import pytest

from clinic import clock
from clinic.extensions import db
from clinic.models import Alert, AlertKind, Severity
from clinic.queries import timeline
from tests.charted import charted


@pytest.fixture
def at(world):
    return f"/patients/{world.patients['fernando']}/timeline"


@pytest.fixture
def long(app, world):
    """120 alerts, an hour apart."""
    with app.app_context():
        now = clock.now()
        for number in range(120):
            stood = {"severity": Severity.NOTE, "label": f"Note <{number}>", "created_by_id": world.people["kamal"]}
            when = {"patient_id": world.patients["fernando"], "created_at": now - timedelta(hours=number + 1)}
            db.session.add(Alert(kind=AlertKind.HANDLING, **when, **stood))
        db.session.commit()


def test_a_student_reads_what_happened(app, world, browser_of, at):
    with app.app_context():
        charted(world)
    page = browser_of("kamal").get(at)
    assert page.status_code == 200
    assert "36, mesial-occlusal: caries" in page.text
    assert "Version 1 of the chart approved" in page.text
    assert f'href="/patients/{world.patients["fernando"]}/chart/versions/2"' in page.text
    assert 'aria-current="page">Timeline' in page.text
    assert "Kamal Dias was given the patient, primary" in page.text


def test_the_front_desk_reads_nothing_clinical(app, world, browser_of, at):
    with app.app_context():
        charted(world)
    for asked in (at, f"{at}?kind=chart", f"{at}?kind=chart&kind=notes&kind=approvals&kind=history"):
        page = browser_of("ruwan").get(asked).text
        assert "caries" not in page
        assert "Version 1" not in page
        assert 'value="chart"' not in page
    assert "Kamal Dias was given the patient" in browser_of("ruwan").get(at).text


@pytest.mark.parametrize("name", ["omar", "sato", "leela"])
def test_who_is_not_given_the_patient_learns_nothing(browser_of, at, name):
    assert browser_of(name).get(at).status_code == 404
    assert browser_of(name).get(at.replace("/timeline", "999/timeline")).status_code == 404


def test_it_is_narrowed_and_read_on(browser_of, at, long):
    kamal = browser_of("kamal")
    page = kamal.get(f"{at}?kind=alerts").text
    assert "recorded: Note &lt;0&gt;" in page
    assert "was given the patient" not in page
    seen, address = [], f"{at}?kind=alerts"
    while address:
        page = kamal.get(address).text
        seen += [number for number in range(120) if f"recorded: Note &lt;{number}&gt;" in page]
        found = page.partition('id="pages-on"')[2].partition('href="')[2].partition('"')[0]
        assert not found or "kind=alerts" in found
        address = found.replace("&amp;", "&")
    assert seen == list(range(120))


def test_up_to_a_day(world, browser_of, at, long):
    kamal = browser_of("kamal")
    with kamal.app.app_context():
        day = clock.today() - timedelta(days=3)
    page = kamal.get(f"{at}?kind=alerts&upto={day}").text
    assert "recorded: Note &lt;0&gt;" not in page
    assert "recorded: Note &lt;75&gt;" in page  # of the 50 from there at every hour of the day
    wrong = kamal.get(f"{at}?upto=31/2/2026")
    assert wrong.status_code == 422
    assert "There is no such day as 31/2/2026" in wrong.text
    assert 'aria-invalid="true"' in wrong.text
    assert kamal.get(f"{at}?upto=31/12/9999").status_code == 200


@pytest.mark.parametrize(
    "behind", ["", "x", "1.2", "1.2.3.4", "99999999999999999.99.999999999999999999", "-1.1.1", "0.0.0", "١.٢.٣"]
)
def test_a_place_that_is_none_is_no_error(browser_of, at, behind):
    assert browser_of("kamal").get(at, query_string={"behind": behind}).status_code == 200


def test_nothing_happened(browser_of, at):
    assert "Nothing of this kind" in browser_of("kamal").get(f"{at}?kind=chart&upto=1/1/1950").text


def test_the_page_is_as_dear_with_a_long_record(browser_of, at, long):
    assert timeline.SIZE == 50
    assert browser_of("kamal").get(at).text.count("data-key-row") == 50
