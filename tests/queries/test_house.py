"""The numbers of the house."""

from clinic.queries.house import house_for


def test_the_numbers_are_those_of_the_world(session, world):
    house = house_for(world.user("adel"))
    assert (house.people, house.departments, house.chairs, house.chairs_out) == (9, 2, 6, 1)
    assert (house.displays, house.displays_waiting, house.must_change_password) == (0, 0, 0)


def test_only_an_administrator_is_told(session, world):
    for name in ("ruwan", "nimal", "silva", "kamal"):
        assert house_for(world.user(name)) is None
