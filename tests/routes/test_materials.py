"""The page of the material used in a visit."""

import pytest
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import MaterialUse, Stage
from tests.scene import put_in_queue

SENT = {"material": "Composite <A2>", "quantity": "2", "unit": "capsule", "lot": "L-77"}


@pytest.fixture
def at(app, world):
    with app.app_context():
        put_in_queue(world, "fernando", Stage.IN_TREATMENT)
        db.session.commit()
    return f"/visits/{world.visits['fernando']}/materials"


def rows(app):
    with app.app_context():
        return list(db.session.scalars(select(MaterialUse).order_by(MaterialUse.id)))


def test_it_is_recorded_and_shown(app, browser_of, at):
    kamal = browser_of("kamal")
    assert "No material is recorded" in kamal.get(at).text
    assert kamal.post(at, SENT).status_code == 303
    page = kamal.get(at).text
    assert "2 capsule Composite &lt;A2&gt;, lot L-77" in page
    assert "Recorded by <bdi>Kamal Dias</bdi>" in page
    assert at in kamal.get(at.removesuffix("/materials")).text
    timeline = kamal.get(f"/patients/{rows(app)[0].patient_id}/timeline").text
    assert "Used 2 capsule Composite &lt;A2&gt;, lot L-77" in timeline


@pytest.mark.parametrize(("wrong", "said"), [
    ({"material": ""}, "Name the material."),
    ({"quantity": "0"}, "A whole number from 1 to 999."),
    ({"quantity": "many"}, "Type a whole number."),
    ({"quantity": "9" * 30}, "A whole number from 1 to 999."),
    ({"unit": ""}, "Say of what"),
    ({"lot": "x" * 41}, "At most 40 letters."),
])  # fmt: skip
def test_what_is_wrong_is_said_in_place_and_what_was_typed_stays(app, browser_of, at, wrong, said):
    answer = browser_of("kamal").post(at, SENT | wrong)
    assert answer.status_code == 422
    assert said in answer.text
    assert rows(app) == []


def test_before_the_patient_has_come_nothing_is_recorded(app, world, browser_of):
    at = f"/visits/{world.visits['fernando']}/materials"
    kamal = browser_of("kamal")
    assert "once the patient has arrived" in kamal.get(at).text
    answer = kamal.post(at, SENT)
    assert answer.status_code == 422
    assert "has not arrived" in answer.text
    assert 'value="L-77"' in answer.text


def test_sent_twice_it_is_there_once_and_taken_back_once(app, browser_of, at):
    kamal = browser_of("kamal")
    for _ in range(2):
        assert kamal.post(at, SENT, once="the-same-key-5678").status_code == 303
    [use] = rows(app)
    back = f"{at}/{use.id}/take-back"
    assert kamal.post(back, {"version": "1", "reason": ""}).status_code == 422
    assert kamal.post(back, {"version": "1", "reason": "Not used"}).status_code == 303
    answer = kamal.post(back, {"version": "1", "reason": "Not used at all"})
    assert answer.status_code == 409
    assert "Kamal Dias took it back" in answer.text
    assert "“<bdi>Not used</bdi>”" in kamal.get(at).text


@pytest.mark.parametrize(
    ("name", "status"), [("omar", 404), ("leela", 404), ("sato", 404), ("ruwan", 403), ("adel", 403)]
)
def test_nobody_else_learns_or_changes_anything(app, browser_of, at, name, status):
    assert browser_of("nimal").post(at, SENT).status_code == 303
    [use] = rows(app)
    person = browser_of(name)
    assert person.get(at).status_code == status
    assert person.post(at, SENT).status_code == status
    assert person.post(f"{at}/{use.id}/take-back", {"version": "1", "reason": "No"}).status_code == status
    assert [each.taken_back_at for each in rows(app)] == [None]


def test_another_visits_use_is_not_found_under_this_one(app, world, browser_of, at):
    nimal = browser_of("nimal")
    assert nimal.post(at, SENT).status_code == 303
    other = f"/visits/{world.visits['perera']}/materials/{rows(app)[0].id}/take-back"
    assert nimal.post(other, {"version": "1", "reason": "No"}).status_code == 404


def test_a_students_own_are_offered_to_be_taken_back_and_others_are_not(browser_of, at):
    browser_of("nimal").post(at, SENT)
    assert "Take it back" not in browser_of("kamal").get(at).text
    assert "Take it back" in browser_of("silva").get(at).text
