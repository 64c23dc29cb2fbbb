"""What every request leaves in the trail when its view says nothing itself (clinic/trail.py)."""

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from clinic import audit
from clinic.extensions import db
from clinic.models import Assignment, AuditEvent, AuditHead


@pytest.fixture
def told(app):
    def events(since: int = 0) -> list[AuditEvent]:
        with app.app_context():
            return list(db.session.scalars(select(AuditEvent).where(AuditEvent.id > since).order_by(AuditEvent.id)))

    return events


def test_a_page_is_one_event_with_who_what_and_from_where(browser_of, told):
    browser_of("ruwan").get("/queue", headers={"User-Agent": "Desk 3"})
    (event,) = told()
    assert (event.act, event.role, event.device, event.address) == (
        "read.queue.index",
        "receptionist",
        "Desk 3",
        "127.0.0.1",
    )
    assert event.sentence.startswith("Looked at: ")


def test_a_record_names_its_patient_even_when_the_address_does_not(browser_of, told, world):
    perera = world.patients["perera"]
    ruwan = browser_of("ruwan")
    ruwan.get(f"/patients/{perera}/edit")
    ruwan.post(f"/visits/{world.visits['perera']}/check-in", {"version": 1})
    assert [event.patient_id for event in told()] == [perera, perera]


def test_an_assignment_names_its_patient(app, browser_of, told, world):
    with app.app_context():
        number = db.session.scalar(select(Assignment.id).where(Assignment.patient_id == world.patients["fernando"]))
    browser_of("silva").get(f"/assignments/{number}/end")
    assert [event.patient_id for event in told()] == [world.patients["fernando"]]


def test_what_a_page_refetches_itself_is_no_event(browser_of, told):
    browser_of("ruwan").get("/queue/board", htmx=True)
    assert told() == []


def test_of_what_is_asked_at_each_keystroke_the_first_is_told(browser_of, told):
    ruwan = browser_of("ruwan")
    for typed in ("a", "an", "ana"):
        assert ruwan.get(f"/go-to/results?q={typed}", htmx=True).status_code == 200
    assert [event.act for event in told()] == ["read.palette.results"]


@pytest.mark.parametrize(
    ("name", "method", "url", "act"),
    [
        ("kamal", "get", "/patients/{nadia}", "access.not_found"),
        ("kamal", "post", "/patients/{nadia}/alerts", "access.not_found"),
        ("kamal", "get", "/people/", "access.denied"),
        ("ruwan", "post", "/patients", "access.refused"),
    ],
)
def test_a_refusal_is_told_with_what_was_asked_for(browser_of, told, world, name, method, url, act):
    url = url.format(nadia=world.patients["nadia"])
    answer = getattr(browser_of(name), method)(url)
    assert answer.status_code in (403, 404, 422)
    (event,) = told()
    assert (event.act, event.actor_id) == (act, world.people[name])
    if "/patients/" in url:
        assert event.patient_id == world.patients["nadia"]


def test_an_act_that_tells_nothing_of_itself_is_told(browser_of, told):
    browser_of("ruwan").post("/theme", {"theme": "dark"})
    (event,) = told()
    assert event.act.startswith(("did.", "account."))


@pytest.mark.parametrize(
    ("name", "method", "url", "act"),
    [
        ("ruwan", "get", "/patients?q=ana", "patient.search"),
        ("ruwan", "get", "/patients/{perera}", "patient.open"),
        ("adel", "get", "/audit", "audit.read"),
        ("adel", "get", "/audit/export", "audit.export"),
        ("adel", "post", "/people/{omar}/deactivate", "people.deactivate"),
    ],
)
def test_what_a_view_tells_itself_is_not_told_twice(browser_of, told, world, name, method, url, act):
    getattr(browser_of(name), method)(url.format(perera=world.patients["perera"], omar=world.people["omar"]))
    assert act in [event.act for event in told()]
    assert not [event.act for event in told() if event.act.startswith(("read.", "did."))]


def test_nobody_signed_in_leaves_nothing(client, told):
    for url in ("/queue", "/patients/1", "/no-such-page", "/sign-in"):
        client.get(url)
    assert told() == []


def test_an_answer_given_again_is_told_once(browser_of, told):
    ruwan = browser_of("ruwan")
    for _ in range(3):
        ruwan.post("/theme", {"theme": "dark"}, once="the same form")
    assert len(told()) == 1


@pytest.mark.parametrize(("method", "url"), [("get", "/queue"), ("get", "/patients/{perera}"), ("post", "/theme")])
def test_nothing_is_shown_or_done_when_it_cannot_be_told(app, browser_of, told, world, monkeypatch, method, url):
    def refuse(*_) -> None:
        raise OperationalError("INSERT", {}, Exception(1142, "INSERT command denied"))

    ruwan = browser_of("ruwan")
    monkeypatch.setattr(audit, "mac_of", refuse)
    answer = getattr(ruwan, method)(url.format(perera=world.patients["perera"]))
    assert answer.status_code == 503
    assert "Ana Perera" not in answer.text
    assert told() == []


def test_the_chain_holds_over_reads_acts_and_refusals(app, browser_of, world):
    ruwan = browser_of("ruwan")
    ruwan.get("/queue")
    ruwan.post("/theme", {"theme": "light"})
    ruwan.get("/people/")
    with app.app_context():
        mac = ""
        events = list(db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)))
        for number, event in enumerate(events, 1):
            assert event.id == number
            said = [getattr(event, name) for name in audit.COVERED]
            mac = audit.mac_of(
                audit.key(),
                mac,
                [value.isoformat() if name == "at" else value for name, value in zip(audit.COVERED, said, strict=True)],
            )
            assert event.mac == mac
        head = db.session.get_one(AuditHead, 1)
        assert (head.seq, head.mac) == (len(events), mac)
        assert len(events) >= 3


def test_a_region_opened_by_its_address_is_told_and_one_that_a_page_fetches_is_not(app, world, browser_of):
    """A department's day stands in the region alone, too."""
    silva = browser_of("silva")

    def told():
        with app.app_context():
            wanted = select(func.count(AuditEvent.id)).where(AuditEvent.act == "read.visits.day")
            return db.session.scalar(wanted)

    assert "Nimali Fernando" in silva.get("/schedule/day", htmx=True).text
    assert told() == 0
    assert "Nimali Fernando" in silva.get("/schedule/day").text
    assert told() == 1
