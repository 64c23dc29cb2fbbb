"""The command palette: GET /go-to and /go-to/results."""

import pytest


def test_it_works_as_a_page_and_as_a_fragment(browser_of):
    ruwan = browser_of("ruwan")
    assert "Password" in ruwan.get("/go-to").text
    fragment = ruwan.get("/go-to/results?q=pass", htmx=True).text
    assert "Password" in fragment
    assert "<html" not in fragment


def test_it_says_when_nothing_matches(browser_of):
    assert "No page or patient matches." in browser_of("ruwan").get("/go-to/results?q=zzzz").text


def test_pages_follow_the_role(browser_of):
    assert "People" not in browser_of("ruwan").get("/go-to/results").text


@pytest.mark.parametrize(("who", "found"), [("ruwan", True), ("kamal", True), ("omar", False), ("adel", False)])
def test_patients_are_those_one_may_see(browser_of, who, found):
    pytest.importorskip("clinic.blueprints.patients")
    assert ("Nimali Fernando" in browser_of(who).get("/go-to/results?q=fernando").text) is found


def test_it_asks_for_sign_in(client):
    assert client.get("/go-to").status_code == 303


def test_a_long_text_is_cut(browser_of):
    assert browser_of("ruwan").get("/go-to/results?q=" + "x" * 5000).status_code == 200
