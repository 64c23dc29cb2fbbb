"""What no page of ours sends: numbers no column holds, addresses that are none, texts that are no text. Each is refused in words."""

import pytest

from clinic.extensions import db
from clinic.operations.visits import check_in
from tests.person import Person
from tests.world import PASSWORD


@pytest.fixture(params=["mariadb", "sqlite"])
def engine_name(request):
    return request.param


@pytest.fixture
def ruwan(app, world) -> Person:
    return Person(app, world.people["ruwan"])


HUGE = "9" * 25
ENDLESS = "9" * 4400  # more digits than Python reads as a number


@pytest.mark.parametrize("number", ["9" * 19, HUGE, ENDLESS, "\u0663"])
def test_an_id_that_no_column_holds_does_not_exist(ruwan, number):
    for address in ("/patients/{}", "/patients/{}/edit", "/queue/{}/call", "/my-queue/{}/chair"):
        answer = ruwan.get(address.format(number))
        assert answer.status_code == 404, address
    assert ruwan.post(f"/visits/{number}/check-in").status_code == 404
    for address in ("/visits/new?patient={}", "/patients?after={}", "/schedule?department={}"):
        assert ruwan.get(address.format(number)).status_code in (200, 404, 422), address


@pytest.mark.parametrize("number", [HUGE, ENDLESS, "-1", "٩٩٩"])
def test_a_number_in_a_form_that_no_column_holds(ruwan, world, number):
    with ruwan.app.app_context():
        entry = check_in(world.visit("fernando"), actor=world.user("ruwan")).id
        db.session.commit()
    for form, fields in (
        (f"/queue/{entry}/call", {"version": number, "chair": "1"}),
        (f"/queue/{entry}/call", {"version": "1", "chair": number}),
        (f"/queue/{entry}/move", {"version": number, "to": "in_chair"}),
        ("/queue/close-day", {f"outcome-{number}": "done"}),
        ("/unlock", {"person": number, "pin": "1"}),
    ):
        # Closing the day of a department where nobody is left succeeds, whatever else is sent.
        expected = (303, 404, 409, 422) if "close-day" in form else (404, 409, 422)
        answer = ruwan.post(form, fields)
        assert answer.status_code in expected, (form, answer.status, answer.text)


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_day_that_has_none_before_or_after_it(ruwan, day):
    for page in ("/schedule", "/schedule/day"):
        assert ruwan.get(f"{page}?day={day}").status_code == 200


def test_an_address_that_is_none(ruwan, world):
    assert ruwan.get("/locked?next=//[").status_code == 200
    unlocked = ruwan.post("/unlock/password", {"password": PASSWORD, "next": "//["})
    assert (unlocked.status_code, unlocked.headers["Location"]) == (303, "/")
    assert ruwan.post("/lock", headers={"Referer": "http://["}).status_code == 303


@pytest.mark.parametrize("address", ["http://[", "http://localhost/queue/[", "\x7f"])
def test_a_page_that_is_none_asks_for_a_move(ruwan, world, address):
    with ruwan.app.app_context():
        entry = check_in(world.visit("fernando"), actor=world.user("ruwan"))
        number, version = entry.id, entry.version
        db.session.commit()
    fields = {"version": str(version), "priority": "1", "reason": "In pain"}
    answer = ruwan.post(f"/queue/{number}/priority", fields, headers={"HX-Current-URL": address}, htmx=True)
    assert answer.status_code == 204


@pytest.mark.parametrize("fields", ["[" * 90_000, "1" * 5000, '{"note": ["' + "\U0001f9b7" * 20_000 + '"]}'])
def test_a_draft_that_cannot_be_kept(ruwan, fields):
    assert ruwan.post("/drafts", {"form": "/x", "fields": fields}).status_code == 422


def test_half_a_character_in_a_draft(ruwan):
    assert ruwan.post("/drafts", {"form": "/x", "fields": '{"note": ["tooth \\ud83e"]}'}).status_code == 204
    assert ruwan.get("/drafts?form=/x").json["fields"] == {"note": ["tooth ?"]}


def test_what_a_form_showed_cannot_be_read(ruwan, world):
    fields = {"version": "0", "was": "[" * 90_000, "name": "Ana Bo", "birth_date": "2/3/1984", "sex": "female"}
    assert ruwan.post(f"/patients/{world.patients['fernando']}/edit", fields).status_code == 409


def test_what_was_said_to_one_person_is_not_told_another(app, world, ruwan):
    ruwan.post("/theme", {"theme": "dark"}, once="call-17-v3")
    rita = Person(app, world.people["rita"])
    assert "Colours: " in ruwan.get("/account/sessions?said=call-17-v3").text
    assert "Colours: " not in rita.get("/account/sessions?said=call-17-v3").text
    answer = rita.post("/theme", {"theme": "light"}, once="call-17-v3")
    assert (answer.status_code, "X-Replayed" in answer.headers) == (303, False)
