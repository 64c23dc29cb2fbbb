"""The public display (GET /display, /display/board, /display/stream; POST /display/pair) and its administration (/displays)."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from clinic import access, clock, live, live_stream, settings
from clinic.extensions import db
from clinic.models import AuditEvent, Display, Patient, QueueEntry, Setting, Stage, Visit
from clinic.operations.displays import MOST_WAITING
from clinic.operations.queue import put_back
from tests.scene import put_in_queue
from tests.trail import ACTS


def csrf_of(page):
    return re.search(r'name="csrf_token" value="(\w+)"', page.text)[1]


class Screen:
    """A television in the waiting room: a browser nobody signs in to."""

    def __init__(self, app):
        self.app = app
        self.client = app.test_client()

    def ask(self):
        page = self.client.get("/display")
        return self.client.post("/display/pair", data={"csrf_token": csrf_of(page)})

    def code(self):
        return re.search(r'class="code"[^>]*>(\w+)<', self.client.get("/display").text)[1]

    def paired_by(self, admin, department_id=0, name="Waiting room"):
        self.ask()
        answer = admin.post("/displays/pair", {"code": self.code(), "name": name, "department": department_id})
        assert answer.status_code == 303, answer.text
        return self


@pytest.fixture
def admin(browser_of):
    return browser_of("adel")


@pytest.fixture
def screen(app):
    return Screen(app)


@pytest.fixture
def called(app, world):
    """Calls A-0nn to chair A1 and B-like to B1, in the database."""

    def call(patient, chair, seconds_ago=0, **changes):
        with app.app_context():
            entry = put_in_queue(world, patient, Stage.CALLED, chair=chair)
            entry.last_called_at = clock.now() - timedelta(seconds=seconds_ago)
            for name, value in changes.items():
                setattr(entry, name, value)
            db.session.commit()
            return db.session.get_one(Visit, entry.visit_id).ticket

    return call


def test_a_screen_is_paired_by_its_code_and_shows_the_newest_call(admin, screen, called):
    assert "Pair this screen" in screen.client.get("/display").text
    screen.paired_by(admin)
    older, newer = called("fernando", "A1", 60), called("wu", "B1", 5)
    page = screen.client.get("/display")
    assert page.status_code == 200
    assert page.text.index(newer) < page.text.index(older)
    assert "B1" in page.text
    assert 'class="call is-new"' in page.text
    assert '<noscript><meta http-equiv="refresh"' in page.text


def test_whoever_did_not_come_is_no_longer_called(app, admin, screen, called, world):
    screen.paired_by(admin)
    older, newer = called("fernando", "A1", 60), called("wu", "B1", 5)
    with app.app_context():
        entry = db.session.execute(
            select(QueueEntry).join(Visit, Visit.id == QueueEntry.visit_id).where(Visit.ticket == newer)
        ).scalar_one()
        put_back(entry.id, version=entry.version, actor=world.user("ruwan"))
        db.session.commit()
    page = screen.client.get("/display").text
    assert newer not in page
    assert older in page


def test_no_field_of_a_patient_reaches_a_screen(app, admin, screen, called, world):
    screen.paired_by(admin)
    called("fernando", "A1")
    called("wu", "B1")
    html = screen.client.get("/display").text + screen.client.get("/display/board").text
    with app.app_context():
        for patient in db.session.execute(select(Patient)).scalars():
            fields = [patient.code, patient.phone, *patient.name.split(), patient.birth_date.isoformat()]
            assert not [text for text in fields if text and text in html]


def test_the_query_of_a_screen_asks_for_no_column_of_a_patient(app, admin, screen, called):
    screen.paired_by(admin)
    called("fernando", "A1")
    asked = []
    with app.app_context():
        engine = db.engine

    def note(*args):
        asked.append(args[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        screen.client.get("/display/board")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert any("queue_entry" in text for text in asked)
    assert not [text for text in asked if re.search(r"\bpatient\b|patient_id", text)]


def test_a_screen_of_one_department_shows_only_its_calls(admin, screen, called, world):
    screen.paired_by(admin, world.departments["restorative"])
    mine, other = called("fernando", "A1"), called("wu", "B1")
    html = screen.client.get("/display/board").text
    assert mine in html
    assert other not in html


@pytest.mark.parametrize("why", ["undone", "yesterday", "seated"])
def test_what_is_no_call_of_today_is_not_shown(app, admin, screen, called, world, why):
    screen.paired_by(admin)
    ticket = called("fernando", "A1")
    with app.app_context():
        entry = db.session.execute(select(QueueEntry).order_by(QueueEntry.id.desc())).scalars().first()
        if why == "undone":
            entry.ended_at = entry.voided_at = clock.now()
        elif why == "yesterday":
            entry.started_at -= timedelta(days=1)
        else:
            entry.stage = Stage.IN_CHAIR
        db.session.commit()
    assert ticket not in screen.client.get("/display/board").text


def test_an_old_call_does_not_blink(admin, screen, called):
    screen.paired_by(admin)
    called("fernando", "A1", 60)
    assert "is-new" not in screen.client.get("/display/board").text


def test_the_board_answers_204_until_something_changed(app, admin, screen, called, world):
    screen.paired_by(admin)
    since = re.search(r"since=([^\"&]+)", screen.client.get("/display/board").text)[1]
    assert screen.client.get(f"/display/board?since={since}").status_code == 204
    with app.app_context():
        live.nudge(f"queue:{world.departments['orthodontics']}")
        db.session.commit()
    assert screen.client.get(f"/display/board?since={since}").status_code == 200


def test_the_clinics_languages_are_shown_each_in_its_direction(app, admin, screen, called):
    screen.paired_by(admin)
    with app.app_context():
        db.session.add(Setting(name="display_languages", value='["ar", "si", "xx", "en"]'))
        db.session.add(Setting(name="display_voice", value="true"))
        db.session.commit()
    settings.forget()
    called("fernando", "A1")
    html = screen.client.get("/display").text
    assert '<html lang="ar" dir="rtl">' in html
    assert '<bdi lang="si" dir="ltr">දැන් කැඳවයි</bdi>' in html
    assert "Now calling" in html
    assert "Turn sound on" in html
    assert 'data-say-ar="' in html


def test_voice_is_off_unless_the_clinic_says_so(admin, screen, called):
    screen.paired_by(admin)
    called("fernando", "A1")
    html = screen.client.get("/display").text
    assert "data-sound" not in html
    assert "data-say" not in html


def test_the_stream_of_a_screen_ends_when_it_is_revoked(app, admin, screen, monkeypatch):
    monkeypatch.setattr(live_stream, "CHECK_EVERY", 0.0)
    screen.paired_by(admin)
    hub = app.extensions["live"]
    hub.look()
    answer = screen.client.get(f"/display/stream?last={hub.newest}", buffered=False)
    assert next(answer.response).startswith(b"retry:")
    hub.look()
    assert hub.streams
    with app.app_context():
        display_id = db.session.execute(select(func.max(Display.id))).scalar_one()
    assert admin.post(f"/displays/{display_id}/revoke").status_code == 303
    hub.look()
    assert list(answer.response) == []
    answer.close()
    assert screen.client.get("/display/stream").status_code == 401
    assert screen.client.get("/display/board", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/display"
    assert "Pair this screen" in screen.client.get("/display").text


def test_a_screens_cookie_opens_nothing_else(app, admin, screen):
    screen.paired_by(admin)
    with app.app_context():
        rules = list(app.url_map.iter_rules())
        doors = {rule.endpoint: access.access_of(rule.endpoint) for rule in rules}
    checked = 0
    for rule in rules:
        if doors[rule.endpoint].permission is None:
            continue
        url = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in rule.methods - {"OPTIONS"}:
            answer = screen.client.open(url, method=method)
            assert answer.status_code in (303, 401), f"{method} {url} answers {answer.status_code}"
            assert "/sign-in" in answer.headers.get("Location", ""), f"{method} {url}"
            checked += 1
    assert checked > 10


def test_an_unpaired_screen_sees_only_its_code(screen):
    answer = screen.ask()
    assert answer.status_code == 303
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert len(screen.code()) == 6
    assert screen.client.get("/display/board").status_code == 302
    assert screen.client.get("/display/stream").status_code == 401


def test_a_code_holds_for_a_quarter_of_an_hour(app, admin, screen):
    screen.ask()
    code = screen.code()
    with app.app_context():
        display = db.session.execute(select(Display).where(Display.pairing_code == code)).scalar_one()
        display.created_at -= timedelta(minutes=16)
        db.session.commit()
    answer = admin.post("/displays/pair", {"code": code, "name": "Late", "department": 0})
    assert answer.status_code == 422
    assert "Pair this screen" in screen.client.get("/display").text


def test_asking_twice_keeps_the_code(screen):
    screen.ask()
    code = screen.code()
    page = screen.app.test_client().get("/display")
    screen.client.post("/display/pair", data={"csrf_token": csrf_of(page)})
    assert screen.code() == code


def test_nobody_outside_can_fill_the_table(app, screen):
    with app.app_context():
        for number in range(MOST_WAITING):
            db.session.add(Display(token_hash=f"{number:064}", pairing_code=f"X{number}", created_at=clock.now()))
        db.session.commit()
    assert screen.ask().status_code == 503


def test_a_form_from_elsewhere_makes_no_screen(app, screen):
    assert screen.client.post("/display/pair", data={"csrf_token": "00"}).status_code == 400
    with app.app_context():
        assert not db.session.execute(select(func.count()).select_from(Display)).scalar_one()


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "", "name": "Hall", "department": 0},
        {"code": "NOCODE", "name": "Hall", "department": 0},
        {"code": "code", "name": "", "department": 0},
        {"code": "code", "name": "Hall", "department": 999},
        {"code": "code", "name": "x" * 121, "department": 0},
    ],
)
def test_pairing_refuses_with_a_sentence_and_changes_nothing(app, admin, screen, fields):
    screen.ask()
    fields = {key: screen.code() if value == "code" else value for key, value in fields.items()}
    answer = admin.post("/displays/pair", fields)
    assert answer.status_code == 422
    assert "message" in answer.text or "refusal" in answer.text
    with app.app_context():
        assert db.session.execute(select(Display.paired_at)).scalar_one() is None


def test_pairing_is_safe_to_repeat_and_traced(app, admin, screen):
    screen.ask()
    fields = {"code": screen.code().lower(), "name": "Hall", "department": 0}
    for _ in range(2):
        assert admin.post("/displays/pair", fields, once="pair-hall-1").status_code == 303
    assert "Hall" in admin.get("/displays").text
    with app.app_context():
        acts = db.session.execute(select(AuditEvent.act).where(AuditEvent.act.like("display.%"))).scalars().all()
        assert acts == ["display.pair"]


def test_the_address_to_open_on_a_screen_is_that_of_a_whole_page(admin, screen):
    named = re.search(r"Open http://[^/]+(/\S+) on a screen", admin.get("/displays").text)[1]
    assert "<html" in screen.client.get(named).text


def test_revoking_what_is_not_there_is_404(admin):
    assert admin.post("/displays/12345/revoke").status_code == 404


@pytest.mark.parametrize("person", ["ruwan", "nimal", "silva", "kamal"])
def test_only_administrators_pair_screens(browser_of, person):
    assert browser_of(person).get("/displays").status_code == 403
    assert browser_of(person).post("/displays/pair", {"code": "x"}).status_code == 403
    assert browser_of(person).post("/displays/1/revoke").status_code == 403


def test_looking_writes_nothing(app, admin, screen):
    screen.paired_by(admin)
    with app.app_context():
        before = db.session.execute(select(func.count()).where(ACTS)).scalar_one()
    for url in ("/display", "/display/board"):
        screen.client.get(url)
    admin.get("/displays")
    with app.app_context():
        assert db.session.execute(select(func.count()).where(ACTS)).scalar_one() == before
