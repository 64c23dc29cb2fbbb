"""Choosing colours: POST /theme."""

import pytest


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_it_works(browser_of, world, app, theme):
    ruwan = browser_of("ruwan")
    answer = ruwan.post("/theme", {"theme": theme})
    assert answer.status_code == 303
    assert f'data-theme="{theme}"' in ruwan.get("/patients").text


def test_with_htmx_it_says_so_in_place(browser_of):
    answer = browser_of("ruwan").post("/theme", {"theme": "dark"}, htmx=True)
    assert answer.status_code == 204
    assert "Colours: dark" in answer.headers["HX-Trigger"]


@pytest.mark.parametrize("theme", ["", "pink", "dark light", '"><script>'])
def test_it_rejects_bad_input(browser_of, theme):
    ruwan = browser_of("ruwan")
    assert ruwan.post("/theme", {"theme": theme}).status_code == 422
    assert 'data-theme="auto"' in ruwan.get("/patients").text


def test_it_is_safe_to_repeat(browser_of):
    ruwan = browser_of("ruwan")
    for _ in range(2):
        assert ruwan.post("/theme", {"theme": "dark"}, once="the-same-key").status_code == 303
    assert 'data-theme="dark"' in ruwan.get("/patients").text


def test_it_asks_for_sign_in(client):
    assert client.post("/theme", data={"theme": "dark"}).status_code in (303, 400)
