"""A connection to the database that is cut in the middle of a request (safety.md I2)."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from clinic import create_app, database, once
from clinic.access import public
from clinic.extensions import db
from tests.conftest import fresh_mariadb, make_config
from tests.person import Person
from tests.world import build_world


@pytest.fixture
def app(worker):
    """An application of its own: the others' tests hold their connection open."""
    app = create_app(make_config(fresh_mariadb("chairside_cut")))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    with app.app_context():
        db.create_all()
    app.extensions["cuts"] = 0
    yield app
    with app.app_context():
        db.engine.dispose()


def cut() -> None:
    """End the connection of the session that is open."""
    number = db.session.scalar(text("SELECT CONNECTION_ID()"))
    with db.engine.connect() as other:
        other.execute(text(f"KILL {number}"))


def cut_once(app) -> str:
    """A view whose connection is lost the first time, and which then still asks something."""
    app.extensions["cuts"] += 1
    if app.extensions["cuts"] == 1:
        cut()
    return str(db.session.scalar(text("SELECT 41 + 1")))


def test_an_answer_that_was_ready_is_given_and_nothing_is_left_for_the_next(app, caplog):
    @app.get("/cut-late")
    @public()
    def cut_late() -> str:
        cut()
        return "ready"

    client = app.test_client()
    for _ in range(5):
        assert client.get("/cut-late").text == "ready"
        assert client.get("/readyz").status_code == 200
    assert not db.session.registry.registry, "a session was left to whoever comes next"
    assert not [record for record in caplog.records if "Error" in record.getMessage()]


def test_reading_is_done_again(app):
    @app.get("/cut")
    @public()
    def read() -> str:
        return cut_once(app)

    answer = app.test_client().get("/cut")
    assert (answer.status_code, answer.text) == (200, "42")


@pytest.mark.parametrize("needs_key", [True, False])
def test_writing_is_done_again_only_when_its_key_tells_what_was_done(app, needs_key):
    form = {"once": "cut-by-a-test"}
    with app.test_request_context("/cut", method="POST", data=form):
        if needs_key:
            assert once.run(lambda: cut_once(app), owner="visitor:x", needs_key=True) == "42"
        else:
            with pytest.raises(OperationalError):
                once.run(lambda: cut_once(app), owner="visitor:x", needs_key=False)
    assert app.extensions["cuts"] == 1 + needs_key


@pytest.mark.parametrize("htmx", [False, True])
def test_the_page_of_an_error_needs_nobody_who_was_lost_with_the_connection(app, monkeypatch, caplog, htmx):
    """The person was loaded, then the connection went, and with it the session that could have told their name."""
    with app.app_context():
        ruwan = Person(app, build_world().people["ruwan"])
    let_go = database.let_go

    def lose_everybody() -> None:
        db.session.expire_all()
        db.session().invalidate()
        let_go()

    browser = ruwan.browser()
    monkeypatch.setattr(database, "let_go", lose_everybody)
    answer = browser.get("/no-such-page", headers={"HX-Request": "true"} if htmx else {})
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert not [record for record in caplog.records if record.exc_info], "the page itself broke"
