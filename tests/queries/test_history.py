"""How a patient's history stands."""

from datetime import timedelta

from clinic import clock
from clinic.queries.history import (
    fillings_of,
    forms_now,
    reviewed_on,
    standings_of,
)
from tests.histories import filled, looked_through, put_in
from tests.queries_counted import counted


class TestReviewedOn:
    def test_whoever_looked_it_through_on_that_day_is_named(self, world, session):
        fernando, kamal = world.patient("fernando"), world.user("kamal")
        filling = filled(put_in(), fernando, kamal)
        assert reviewed_on(fernando.id, clock.today()) is None
        looked_through(filling, kamal)
        assert reviewed_on(fernando.id, clock.today()).reviewed_by.name == kamal.name
        assert reviewed_on(fernando.id, clock.today() - timedelta(days=1)) is None
        assert reviewed_on(world.patients["perera"], clock.today()) is None

    def test_what_was_filled_since_then_nobody_has_looked_through(self, world, session):
        fernando, kamal = world.patient("fernando"), world.user("kamal")
        form = put_in()
        looked_through(filled(form, fernando, kamal), kamal)
        filled(form, fernando, kamal, number=2)
        assert reviewed_on(fernando.id, clock.today()) is None

    def test_another_form_that_was_looked_through_is_no_medical_history(self, world, session):
        wu, omar = world.patient("wu"), world.user("omar")
        looked_through(filled(put_in("orthodontic"), wu, omar), omar)
        assert reviewed_on(wu.id, clock.today()) is None


class TestStanding:
    def test_of_each_form_the_newest_filling_and_its_last_review_stand(self, world, session):
        fernando, kamal, silva = world.patient("fernando"), world.user("kamal"), world.user("silva")
        form = put_in()
        looked_through(filled(form, fernando, kamal), silva)
        newest = filled(form, fernando, kamal, number=2)
        looked_through(newest, silva, clock.today() - timedelta(days=3))
        looked_through(newest, kamal, clock.today() - timedelta(days=1))
        other = filled(put_in("orthodontic"), fernando, kamal)
        standings = standings_of(kamal, fernando.id)
        assert {code: each.filling.id for code, each in standings.items()} == {
            "medical": newest.id,
            "orthodontic": other.id,
        }
        assert standings["medical"].review.reviewed_by.name == kamal.name
        assert not standings["medical"].is_reviewed_today
        assert standings["orthodontic"].review is None

    def test_nobody_sees_it_of_a_patient_who_is_not_theirs(self, world, session):
        fernando = world.patient("fernando")
        filled(put_in(), fernando, world.user("kamal"))
        assert standings_of(world.user("omar"), fernando.id) == {}
        assert fillings_of(world.user("omar"), fernando.id, "medical").rows == []

    def test_many_fillings_cost_as_many_queries_as_few(self, world, session):
        fernando, kamal = world.patient("fernando"), world.user("kamal")
        form = put_in()
        spent = []
        for number in range(1, 60):
            looked_through(filled(form, fernando, kamal, number=number), kamal)
            if number in (5, 59):
                session.expire_all()
                session.get_one(type(kamal), kamal.id)
                with counted() as statements:
                    standings_of(kamal, world.patients["fernando"])
                    fillings_of(kamal, world.patients["fernando"], "medical")
                    reviewed_on(world.patients["fernando"], clock.today())
                spent.append(len(statements))
        assert spent[0] == spent[1] <= 4


def test_forms_that_came_with_chairside_are_there_before_anybody_used_one(world, session):
    assert {row.code: row.number for row in forms_now()} == {"medical": 1, "orthodontic": 1}
    put_in()
    assert [row.id is not None for row in forms_now() if row.code == "medical"] == [True]
    assert not session.new
