"""Visits within a viewer's scope."""

from datetime import timedelta

import pytest

from clinic import clock
from clinic.queries.visits import day_of, visit_for
from tests.queries_counted import counted


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("ruwan", {"fernando", "perera", "wu"}),
        ("silva", {"fernando", "perera"}),
        ("sato", {"wu"}),
        ("kamal", {"fernando"}),
        ("leela", {"perera"}),
        ("adel", set()),
    ],
)
def test_whose_visits_one_may_know(session, world, name, seen):
    viewer = world.user(name)
    assert {short for short, number in world.visits.items() if visit_for(viewer, number)} == seen
    assert visit_for(viewer, 10**9) is None
    today = clock.local(world.visit("fernando").starts_at).date()
    listed = {visit.id for number in world.departments.values() for visit in day_of(viewer, number, today)}
    assert listed == {world.visits[short] for short in seen}


def test_a_day_lists_its_visits_by_time_in_one_query(session, world):
    today = clock.local(world.visit("fernando").starts_at).date()
    noon = clock.start_of(today) + timedelta(hours=12)
    world.visit("fernando").starts_at, world.visit("perera").starts_at = noon, noon - timedelta(minutes=15)
    session.flush()
    viewer, restorative = world.user("rita"), world.departments["restorative"]
    session.expunge_all()
    with counted() as statements:
        visits = day_of(viewer, restorative, today)
        names = [(visit.patient.name, visit.student.name, visit.supervisor.name) for visit in visits]
    assert len(statements) == 1
    assert names == [
        ("Ana Perera", "Leela Nair", "Dr Sunil Silva"),
        ("Nimali Fernando", "Kamal Dias", "Dr Sunil Silva"),
    ]
    assert day_of(viewer, restorative, today + timedelta(days=1)) == []
