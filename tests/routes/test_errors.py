"""Pages for what went wrong: they say what to do, as a page, as a refusal in place, and when everything else is broken."""

import pytest
from flask import abort
from sqlalchemy import DateTime, bindparam, column, insert, select, table, text
from sqlalchemy.exc import OperationalError

from clinic import create_app, errors, sessions
from clinic.access import public
from clinic.extensions import db
from tests.conftest import make_config
from tests.page import LintedClient, lint


@pytest.fixture(scope="module")
def breaking(tmp_path_factory):
    """An application with one route that fails as it is told."""
    app = create_app(make_config(f"sqlite:///{tmp_path_factory.mktemp('errors')}/errors.sqlite"))
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/fail/<int:status>")
    @public()
    def fail(status: int) -> str:
        if status == 500:
            raise RuntimeError("a secret of the inside")
        if status == 503:
            raise OperationalError("SELECT secret", {}, Exception("a secret of the inside"))
        abort(status)

    @app.get("/broken-statement")
    @public()
    def broken_statement() -> str:
        name, born = " ".join(("Nimali", "Dulari")), bindparam("born", type_=DateTime)
        return str(db.session.execute(select(bindparam("name"), born), {"name": name, "born": "no day"}))

    @app.get("/twice")
    @public()
    def twice() -> str:
        db.session.execute(text("CREATE TABLE once (name VARCHAR(20) UNIQUE)"))
        for _ in range(2):
            db.session.execute(insert(table("once", column("name"))).values(name="a secret name"))
        return ""

    app.test_client_class = LintedClient
    return app


@pytest.mark.parametrize("status", sorted(errors.SENTENCES))
def test_each_error_has_a_page_that_says_what_to_do(breaking, status):
    answer = breaking.test_client().get(f"/fail/{status}")
    title, advice = errors.SENTENCES[status]
    assert answer.status_code == status
    assert title in answer.text
    assert advice.replace("'", "&#39;") in answer.text
    assert "secret" not in answer.text


@pytest.mark.parametrize("status", sorted(errors.SENTENCES))
def test_for_htmx_the_sentence_goes_to_the_place_of_refusals(breaking, status):
    answer = breaking.test_client().get(f"/fail/{status}", headers={"HX-Request": "true"})
    assert answer.status_code == status
    assert answer.headers["HX-Retarget"] == "#refusal"
    assert "<html" not in answer.text


def test_the_log_says_which_table_was_in_the_way_and_no_value(breaking, caplog):
    assert breaking.test_client().get("/twice").status_code == 503
    assert "IntegrityError  INSERT INTO once" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("status", [429, 503])
def test_it_says_when_to_come_back(breaking, status):
    assert breaking.test_client().get(f"/fail/{status}").headers["Retry-After"]


def test_when_the_frame_itself_breaks_there_is_still_a_page(breaking, monkeypatch):
    monkeypatch.setattr(errors, "render_template", lambda *_args, **_words: 1 / 0)
    answer = breaking.test_client().get("/fail/500")
    assert answer.status_code == 500
    assert "Something broke" in answer.text
    assert not lint(answer.text)


def test_a_method_that_is_not_there(browser_of):
    assert browser_of("ruwan").get("/theme").status_code == 405


@pytest.mark.parametrize("htmx", [False, True])
def test_when_the_database_is_away_the_page_asks_nothing_of_anyone(browser_of, monkeypatch, caplog, htmx):
    ruwan = browser_of("ruwan")

    def away() -> None:
        raise OperationalError("SELECT secret", {}, Exception(2003, "a secret of the inside"))

    def asked() -> None:
        raise AssertionError("the error page asked who is signed in")

    monkeypatch.setattr(sessions, "current", away)
    monkeypatch.setattr(sessions, "current_user_or_none", asked)
    answer = ruwan.get("/queue", htmx=htmx)
    assert answer.status_code == 503
    assert "Busy for a moment" in answer.text
    assert "secret" not in answer.text
    assert ("<html" in answer.text) is not htmx
    assert not [record for record in caplog.records if record.exc_info], "a fault of the page itself"


@pytest.mark.parametrize("url", ["/queue", "/sign-in", "/no-such-page"])
def test_a_database_that_only_reads_is_said_to_only_read(app, browser_of, monkeypatch, url):
    ruwan = browser_of("ruwan")

    def read_only() -> None:
        raise OperationalError("INSERT", {}, Exception(1290, "--read-only"))

    monkeypatch.setattr(sessions, "current", read_only)
    answer = ruwan.get(url)
    assert answer.status_code == 503
    assert "takes no changes" in answer.text


def test_a_missing_file_asked_for_by_someone_signed_in(browser_of, caplog):
    assert browser_of("ruwan").get("/static/no-such-file.css").status_code == 404
    assert not [record for record in caplog.records if record.exc_info]


def test_a_host_that_is_not_ours_gets_a_page_and_leaves_no_fault_behind(tmp_path, caplog):
    url = f"sqlite:///{tmp_path}/hosts.sqlite"
    app = create_app(make_config(url, trusted_hosts=("clinic.test",)))
    app.config["PROPAGATE_EXCEPTIONS"] = False
    for host in ("evil.test", "clinic.test:evil", "a b", "[", "clinic.test\\@evil.test"):
        answer = app.test_client().get("/sign-in", headers={"Host": host})
        assert answer.status_code == 400, host
        assert "could not be read" in answer.text
    assert not [record for record in caplog.records if record.exc_info]


def test_a_broken_statement_leaves_nothing_of_a_patient_in_the_log(breaking, caplog):
    assert breaking.test_client().get("/broken-statement").status_code == 500
    assert "unhandled error" in caplog.text
    assert "Nimali Dulari" not in caplog.text
