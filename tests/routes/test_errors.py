"""Pages for what went wrong: they say what to do, as a page, as a refusal in place, and when everything else is broken."""

import pytest
from flask import abort
from sqlalchemy.exc import OperationalError

from clinic import create_app, errors
from clinic.access import public
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
