"""The settings' page: what it shows, what it stores, what it refuses."""

import re
from html import unescape

import pytest
from sqlalchemy import delete, select

from clinic import settings
from clinic.extensions import db
from clinic.models import AuditEvent, Setting
from clinic.operations.settings import change_setting
from tests.forms import fields_of
from tests.queries_counted import counted


@pytest.fixture(autouse=True)
def as_delivered(app):
    """Without what the tests' world is set to."""
    with app.app_context():
        db.session.execute(delete(Setting))
        db.session.commit()
    settings.forget()


@pytest.fixture
def adel(browser_of):
    return browser_of("adel")


def stored(app):
    with app.app_context():
        return {row.name: row.value for row in db.session.scalars(select(Setting))}


def acts(app):
    with app.app_context():
        return db.session.scalars(select(AuditEvent.sentence).where(AuditEvent.act == "setting.change")).all()


def group(adel, name, **changes):
    """The form of a group as it stands on the page, with some fields typed anew."""
    return fields_of(adel.get("/settings").text, f"/settings/{name}") | changes


def test_the_page_shows_every_setting_with_its_meaning(adel):
    text = unescape(adel.get("/settings").text)
    for name, declared in settings.DECLARED.items():
        assert f'id="set-{name}"' in text, name
        assert declared.label in text
        assert declared.meaning in text
    assert "Usually:" not in text
    assert text.index('id="clinic"') < text.index('id="queue"')


def test_a_group_is_saved_and_the_page_says_so(app, adel):
    answer = adel.post("/settings/queue", group(adel, "queue", late_after_minutes="15"))
    assert answer.status_code == 303
    assert answer.location.endswith("#queue")
    shown = adel.get(answer.location.partition("#")[0]).text
    assert "Queue and visits: saved" in shown
    assert "Usually: 10 minutes." in shown
    assert stored(app) == {"late_after_minutes": "15"}
    assert acts(app) == ["Changed “Late after” from 10 minutes to 15 minutes"]


def test_a_setting_becomes_as_usual_again(app, adel):
    adel.post("/settings/queue", group(adel, "queue", late_after_minutes="15"))
    page = adel.get("/settings").text
    answer = adel.post("/settings/queue/usual", fields_of(page, "/settings/queue/usual"))
    assert answer.status_code == 303
    assert stored(app) == {"late_after_minutes": "10"}
    assert "/settings/queue/usual" not in adel.get("/settings").text
    stale = adel.post("/settings/queue/usual", {"setting": "late_after_minutes", "seen": "other"})
    assert stale.status_code == 409
    assert adel.post("/settings/queue/usual", {"setting": "clinic_name"}).status_code == 404


def test_every_kind_is_read_from_its_fields(app, adel):
    adel.post(
        "/settings/clinic",
        group(adel, "clinic", time_zone="Europe/Lisbon", mail_reply_to="desk@clinic.test")
        | {"sessions_of_week.mon": "08:00 to 12:00"},
    )
    page = group(adel, "display")
    adel.post("/settings/display", page | {"display_languages": ["ta", "", "en", ""], "display_voice": "on"})
    adel.post("/settings/sign-in", group(adel, "sign-in") | {"totp_roles": ["supervisor", "nurse"]})
    adel.post(
        "/settings/patients", group(adel, "patients") | {"load_limits.primary.3": "", "load_limits.treatment.5": "2"}
    )
    adel.post("/settings/queue", group(adel, "queue") | {"stage_thresholds.waiting.2": "60"})
    with app.app_context():
        settings.forget()
        assert settings.read("time_zone") == "Europe/Lisbon"
        assert settings.read("sessions_of_week") == {"mon": [["08:00", "12:00"]]}
        assert settings.read("display_languages") == ["ta", "en"]
        assert settings.read("display_voice") is True
        assert settings.read("totp_roles") == ["supervisor", "nurse"]
        assert settings.read("load_limits")["primary"] == {"4": 14, "5": 20}
        assert settings.read("load_limits")["treatment"] == {"5": 2}
        assert settings.read("stage_thresholds")["waiting"] == [20, 60]


def test_it_is_in_force_on_the_next_request(app, adel, browser_of):
    silva = browser_of("silva")
    assert silva.get("/account/pin").status_code == 200
    adel.post("/settings/sign-in", group(adel, "sign-in") | {"totp_roles": ["supervisor"]})
    assert silva.get("/account/pin").location == "/account/second-factor"
    adel.post("/settings/sign-in", group(adel, "sign-in") | {"totp_roles": []})
    assert silva.get("/account/pin").status_code == 200


@pytest.mark.parametrize(
    ("name", "field", "typed", "sentence"),
    [
        ("queue", "late_after_minutes", "soon", "Type a whole number from 0 to 240."),
        ("queue", "stage_thresholds.called.1", "9", "Called: the second number must be greater than the first."),
        ("clinic", "clinic_name", "  ", "Type 1 to 80 letters."),
        ("clinic", "time_zone", "Mars/Olympus", "Choose one of the list."),
        ("clinic", "sessions_of_week.sun", "all day", "Sunday: type sessions like 08:00 to 12:00, 13:00 to 17:00."),
        ("patients", "load_limits.primary.3", "many", "Primary, year 3: Type a whole number from 0 to 999."),
        ("sign-in", "idle_lock_seconds", "1", "Type a whole number from 30 to 3600."),
    ],
)
def test_what_cannot_be_read_is_refused_and_kept_in_the_form(app, adel, name, field, typed, sentence):
    answer = adel.post(f"/settings/{name}", group(adel, name) | {field: typed})
    assert answer.status_code == 422
    assert sentence in unescape(answer.text)
    assert fields_of(answer.text, f"/settings/{name}")[field] in (typed, "Africa/Abidjan")
    assert stored(app) == {}


def test_a_stale_page_shows_both(app, adel, world):
    page = group(adel, "queue", late_after_minutes="20")
    with app.app_context():
        change_setting("late_after_minutes", 15, actor=world.user("adel"))
        db.session.commit()
    answer = adel.post("/settings/queue", page)
    assert answer.status_code == 409
    text = unescape(answer.text)
    assert re.search("Adel Rahman changed these settings on .* Nothing was saved", text)
    assert "Stored now: <strong>15 minutes</strong>" in text
    again = fields_of(answer.text, "/settings/queue")
    assert again["late_after_minutes"] == "20"
    assert stored(app) == {"late_after_minutes": "15"}
    assert adel.post("/settings/queue", again | {"once": "another-key-1"}).status_code == 303
    assert stored(app) == {"late_after_minutes": "20"}


def test_sent_twice_it_is_stored_once(app, adel):
    fields = group(adel, "queue", late_after_minutes="15")
    first, second = adel.post("/settings/queue", fields), adel.post("/settings/queue", fields)
    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert len(acts(app)) == 1


def test_no_other_group_is_there(adel):
    assert adel.post("/settings/secrets", {"seen": ""}).status_code == 404
    assert adel.post("/settings/secrets/usual", {"seen": ""}).status_code == 404


def test_others_may_not(browser_of, app):
    for name in ("ruwan", "kamal", "silva", "nimal"):
        person = browser_of(name)
        assert person.get("/settings").status_code == 403
        assert person.post("/settings/queue", {"late_after_minutes": "1"}).status_code == 403
        assert person.post("/settings/queue/usual", {"setting": "late_after_minutes"}).status_code == 403
    assert stored(app) == {}


def test_looking_changes_nothing_and_asks_little(app, adel):
    adel.get("/settings")
    with counted() as statements:
        assert adel.get("/settings").status_code == 200
    assert len(statements) <= 8, statements
    assert acts(app) == []
