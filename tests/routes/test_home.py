"""The first page leads each role to its work."""

import pytest
from flask import url_for


@pytest.mark.parametrize(
    ("who", "work"),
    [
        ("ruwan", "queue.index"),
        ("nimal", "queue.index"),
        ("kamal", "supervision.my_queue"),
        ("silva", "supervision.index"),
    ],
)
def test_each_role_is_sent_to_its_work(app, browser_of, who, work):
    answer = browser_of(who).get("/?said=something")
    with app.test_request_context():
        there = url_for(work, said="something")
    assert (answer.status_code, answer.location) == (303, there)
    assert browser_of(who).get(answer.location).status_code == 200


def test_an_administrator_sees_the_house(context, browser_of):
    page = browser_of("adel").get("/")
    assert page.status_code == 200
    assert "Adel Rahman" in page.text
