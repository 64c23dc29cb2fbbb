"""A connection to the database that is cut in the middle of a request (safety.md I2)."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from clinic import create_app, once
from clinic.access import public
from clinic.extensions import db
from tests.conftest import fresh_mariadb, make_config


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
