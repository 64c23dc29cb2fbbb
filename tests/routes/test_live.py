"""The live stream of a signed-in person: GET /live/stream."""

import time
from contextlib import contextmanager
from datetime import timedelta

import pytest

from clinic import clock, live, live_stream
from clinic.extensions import db
from clinic.models import AuthSession, BrokenGlass, GlassReason, Role, User
from clinic.operations.assignments import end_assignment
from clinic.queries.assignments import running_of


@pytest.fixture
def hub(app):
    """The application's hub, which reads the outbox only when the test says so."""
    hub = app.extensions["live"]
    hub.newest, hub.floor = None, 0
    hub._changes.clear()
    yield hub
    for stream in list(hub.streams):
        stream.close()


@contextmanager
def listening(person, url="/live/stream", **options):
    answer = person.get(url, buffered=False, **options)
    try:
        yield answer
    finally:
        answer.close()


def change(app, hub, *topics):
    with app.app_context():
        for topic in topics:
            live.nudge(topic)
            db.session.commit()
    hub.look()


def texts(answer, count):
    return [next(answer.response).decode() for _ in range(count)]


def test_the_first_bytes_come_at_once_and_nothing_keeps_them_back(browser_of, hub):
    hub.look()
    with listening(browser_of("ruwan")) as answer:
        assert answer.status_code == 200
        assert answer.mimetype == "text/event-stream"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert "Content-Encoding" not in answer.headers
        (first,) = texts(answer, 1)
        assert first == "retry: 1000\nevent: live:beat\ndata: {}\n\n"


def test_a_change_is_heard_and_says_nothing_of_a_patient(app, browser_of, hub, world):
    hub.look()
    department = world.departments["restorative"]
    with listening(browser_of("ruwan"), f"/live/stream?last={hub.newest}") as answer:
        texts(answer, 1)
        change(app, hub, f"queue:{department}", f"calls:{department}")
        (heard,) = texts(answer, 1)
    first, second = hub.newest - 1, hub.newest
    assert heard == (
        f'id: {first}\nevent: queue:changed\ndata: {{"department": {department}}}\n\n'
        f'id: {second}\nevent: calls:changed\ndata: {{"department": {department}}}\n\n'
    )


def test_where_much_changes_at_once_a_page_is_told_once_for_all_of_it(app, browser_of, hub, world, monkeypatch):
    monkeypatch.setattr(live_stream, "PAUSE", 600.0)
    monkeypatch.setattr(hub, "heartbeat", 3600.0)
    hub.look()
    topic = f"queue:{world.departments['restorative']}"
    with listening(browser_of("ruwan"), f"/live/stream?last={hub.newest}") as answer:
        texts(answer, 1)
        change(app, hub, topic)
        (first,) = texts(answer, 1)
        (stream,) = hub.streams
        change(app, hub, topic, "calls:99999999")
        assert stream.news() is None
        assert stream.wakes_in() <= 600.0
        change(app, hub, topic)
        stream._next_at = 0.0  # the pause is over
        (rest,) = texts(answer, 1)
    assert first.count("queue:changed") == 1
    assert rest.count("queue:changed") == 1


def test_what_falls_due_before_the_stream_sleeps_is_told_then_and_not_with_the_next_beat(
    app, browser_of, hub, world, monkeypatch
):
    monkeypatch.setattr(live_stream, "SPREAD", 0.05)
    monkeypatch.setattr(live_stream.random, "random", lambda: 1.0)
    monkeypatch.setattr(hub, "heartbeat", 3600.0)
    hub.look()
    with listening(browser_of("ruwan"), f"/live/stream?last={hub.newest}") as answer:
        texts(answer, 1)
        change(app, hub, f"queue:{world.departments['restorative']}")
        (stream,) = hub.streams
        assert stream.news() is None  # not yet
        time.sleep(0.06)
        assert stream.wakes_in() == 0.01
        assert "queue:changed" in stream.news()
        assert stream.wakes_in() > 3000


@pytest.mark.parametrize("person", ["kamal", "silva"])
def test_a_page_of_ones_own_hears_of_no_queue(app, browser_of, hub, world, person):
    hub.look()
    with listening(browser_of(person), f"/live/stream?last={hub.newest}&topic=own") as answer:
        texts(answer, 1)
        change(app, hub, f"queue:{world.departments['restorative']}", f"person:{world.people[person]}")
        (heard,) = texts(answer, 1)
    assert "queue:changed" not in heard
    assert heard.count("person:changed") == 1


def test_who_comes_back_gets_what_was_missed_and_nothing_twice(app, browser_of, hub, world):
    hub.look()
    start, topic = hub.newest, f"queue:{world.departments['restorative']}"
    change(app, hub, topic, topic, topic)
    person = browser_of("ruwan")
    with listening(person, f"/live/stream?last={start}", headers={"Last-Event-ID": str(start + 1)}) as answer:
        heard = "".join(texts(answer, 2))
    assert f"id: {start + 1}\nevent: queue" not in heard
    assert f"id: {start + 3}\nevent: queue" in heard
    assert heard.count("event: queue") == 1  # one word for all that is new of a topic


@pytest.mark.parametrize("last", ["", "last=x", "last=-1", "last=" + "9" * 30])
def test_who_knows_no_number_is_told_to_refetch(app, browser_of, hub, world, last):
    change(app, hub, f"queue:{world.departments['restorative']}")
    with listening(browser_of("ruwan"), f"/live/stream?{last}") as answer:
        heard = texts(answer, 2)
    assert heard[1] == f"id: {hub.newest}\nevent: live:poll\ndata: {{}}\n\n"


def test_who_was_away_longer_than_is_kept_is_told_to_refetch(app, browser_of, hub, world, monkeypatch):
    topic = f"queue:{world.departments['restorative']}"
    change(app, hub, topic)
    start = hub.newest
    change(app, hub, topic, topic, topic)
    hub._changes.popleft()
    hub._changes.popleft()
    hub.floor = hub._changes[0][0] - 1
    with listening(browser_of("ruwan"), f"/live/stream?last={start}") as answer:
        assert "event: live:poll" in texts(answer, 2)[1]


def test_a_database_restored_from_a_backup_makes_everyone_refetch(app, browser_of, hub, world, monkeypatch):
    change(app, hub, f"queue:{world.departments['restorative']}")
    monkeypatch.setattr(live_stream, "CATCH_UP", 0.0)
    with listening(browser_of("ruwan"), f"/live/stream?last={hub.newest + 1000}") as answer:
        assert texts(answer, 2)[1] == f"id: {hub.newest}\nevent: live:poll\ndata: {{}}\n\n"


def test_the_hub_starts_afresh_when_the_numbers_go_back(app, hub, world):
    change(app, hub, "queue:1", "queue:1")
    before = hub.newest
    hub.newest = before + 50
    hub.look()
    assert hub.newest == before


@pytest.mark.parametrize(
    ("person", "hears"),
    [
        ("ruwan", {"restorative", "orthodontics"}),
        ("nimal", {"restorative", "orthodontics"}),
        ("silva", {"restorative"}),
        ("omar", {"orthodontics"}),
    ],
)
def test_one_hears_only_ones_own_departments(app, browser_of, hub, world, person, hears):
    hub.look()
    with listening(browser_of(person), f"/live/stream?last={hub.newest}") as answer:
        texts(answer, 1)
        (stream,) = hub.streams
        care = {f"{kind}:{world.departments[name]}" for name in hears for kind in ("queue", "calls")}
        own = {f"person:{world.people[person]}"}
        if person == "silva":
            own.add(f"approvals:{world.departments['restorative']}")
        assert stream.topics == care | own


@pytest.mark.parametrize("asked", ["queue", "approvals", "calls"])
def test_asking_for_another_departments_topic_gives_nothing_of_it(browser_of, hub, world, asked):
    hub.look()
    elsewhere = world.departments["orthodontics"]
    with listening(browser_of("kamal"), f"/live/stream?topic={asked}:{elsewhere}") as answer:
        texts(answer, 1)
        (stream,) = hub.streams
        assert stream.topics == {f"person:{world.people['kamal']}"}


def test_what_is_told_to_a_person_is_heard_by_them_alone(app, browser_of, hub, world):
    hub.look()
    ruwan, topic = world.people["ruwan"], f"person:{world.people['ruwan']}"
    queue = f"queue:{world.departments['restorative']}"
    mine, theirs = browser_of("ruwan"), browser_of("rita")
    with (
        listening(mine, f"/live/stream?last={hub.newest}&topic={queue}") as told,
        listening(theirs, f"/live/stream?last={hub.newest}&topic={topic}") as other,
    ):
        texts(told, 1), texts(other, 1)
        change(app, hub, topic)
        (heard,) = texts(told, 1)
        assert f'event: person:changed\ndata: {{"person": {ruwan}}}' in heard
        assert [stream.topics for stream in hub.streams if stream.owner[1] == theirs.session_id] == [
            frozenset({f"person:{world.people['rita']}"})
        ]


def test_an_administrator_hears_of_no_queue(browser_of, hub, world):
    hub.look()
    with listening(browser_of("adel")) as answer:
        texts(answer, 1)
        (stream,) = hub.streams
        assert stream.topics == {f"person:{world.people['adel']}"}


def test_without_a_session_there_is_no_stream(client, hub):
    answer = client.get("/live/stream", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert "/sign-in" in answer.headers["HX-Redirect"]
    assert not hub.streams


def test_listening_is_no_activity_of_the_person(app, browser_of, hub):
    person = browser_of("ruwan")
    with app.app_context():
        before = db.session.get_one(AuthSession, person.session_id).active_at
    with listening(person) as answer:
        texts(answer, 1)
    with app.app_context():
        assert db.session.get_one(AuthSession, person.session_id).active_at == before


def test_an_ended_assignment_closes_the_stream_and_takes_its_topics(app, browser_of, hub, world, monkeypatch):
    monkeypatch.setattr(live_stream, "CHECK_EVERY", 0.0)
    elsewhere = f"queue:{world.departments['orthodontics']}"
    with app.app_context():
        world.visit("fernando").department_id = world.departments["orthodontics"]
        db.session.commit()
    student, other = browser_of("kamal"), browser_of("leela")
    with listening(student) as answer, listening(other) as kept:
        texts(answer, 1), texts(kept, 1)
        assert any(elsewhere in stream.topics for stream in hub.streams)
        with app.app_context():
            (assignment,) = running_of(world.user("silva"), world.people["kamal"])
            end_assignment(assignment.id, reason="Graduated", actor=world.user("silva"))
            db.session.commit()
        hub.look()
        assert list(answer.response) == []
        assert [stream.owner[1] for stream in hub.streams] == [other.session_id]
    with listening(student) as again:
        texts(again, 1)
        (stream,) = hub.streams
        assert elsewhere not in stream.topics


def test_a_broken_glass_lets_nobody_hear_of_a_department(app, browser_of, hub, world):
    """It ends after an hour, and the stream goes on."""
    with app.app_context():
        at = clock.now()
        world.visit("wu").student_id = world.people["kamal"]
        db.session.add(
            BrokenGlass(
                user_id=world.people["kamal"],
                patient_id=world.patients["wu"],
                reason=GlassReason.EMERGENCY,
                words="Fainted",
                opened_at=at,
                expires_at=at + timedelta(hours=1),
            )
        )
        db.session.commit()
    kamal = browser_of("kamal")
    assert kamal.get(f"/patients/{world.patients['wu']}").status_code == 200
    with listening(kamal) as answer:
        texts(answer, 1)
        (stream,) = hub.streams
        assert f"queue:{world.departments['orthodontics']}" not in stream.topics


def test_a_fourth_stream_of_one_session_polls_instead(browser_of, hub):
    person = browser_of("ruwan")
    answers = [person.get("/live/stream", buffered=False) for _ in range(3)]
    refused = person.get("/live/stream")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    answers.pop().close()
    with listening(person) as answer:
        assert answer.status_code == 200
    for answer in answers:
        answer.close()
    assert not hub.streams, "a stream closed before its first byte must give its place back"


def test_the_process_has_a_cap(browser_of, hub, monkeypatch):
    monkeypatch.setattr(hub, "most", 1)
    with listening(browser_of("ruwan")):
        assert browser_of("rita").get("/live/stream").status_code == 503


@pytest.mark.parametrize("asked", ["head", "options"])
def test_other_methods_hold_no_stream(browser_of, hub, asked):
    person = browser_of("ruwan")
    getattr(person.client, asked)("/live/stream").close()
    assert not hub.streams


@pytest.mark.parametrize("end", ["ended", "locked", "idle", "deactivated", "role", "department"])
def test_whoever_may_no_longer_hear_is_cut_off(app, browser_of, hub, world, monkeypatch, end):
    monkeypatch.setattr(live_stream, "CHECK_EVERY", 0.0)
    person, other = browser_of("ruwan"), browser_of("rita")
    with listening(person) as answer, listening(other) as kept:
        texts(answer, 1), texts(kept, 1)
        hub.look()
        assert len(hub.streams) == 2
        with app.app_context():
            session = db.session.get_one(AuthSession, person.session_id)
            user = db.session.get_one(User, person.user_id)
            if end == "ended":
                session.ended_at = session.created_at
            elif end == "locked":
                session.locked_at = session.created_at
            elif end == "idle":
                session.active_at -= timedelta(hours=1)
            elif end == "deactivated":
                user.active = False
            elif end == "role":
                user.role = Role.NURSE
            else:
                user.department_id = world.departments["restorative"]
            db.session.commit()
        hub.look()
        assert [stream.owner for stream in hub.streams] == [("session", other.session_id)]
        assert list(answer.response) == []


def test_a_hub_that_cannot_read_gives_no_proof_of_life(browser_of, hub):
    hub.look()
    hub._looked_at -= 60
    with listening(browser_of("ruwan"), f"/live/stream?last={hub.newest}") as answer:
        assert "live:beat" not in texts(answer, 1)[0]


def test_stopping_ends_every_stream(app, browser_of, hub):
    hub.look()
    with listening(browser_of("ruwan"), f"/live/stream?last={hub.newest}") as answer:
        texts(answer, 1)
        hub.stop()
        try:
            assert list(answer.response) == []
            assert browser_of("rita").get("/live/stream").status_code == 503
        finally:
            hub.stopping = False
