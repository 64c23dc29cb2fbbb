"""Chairs: out of service with a reason, and back."""

import pytest

from clinic.errors import Conflict, DomainError
from clinic.operations import chairs
from clinic.operations.queue import call_to_chair
from clinic.operations.visits import check_in
from clinic.queries import places
from clinic.queries.queue import free_chairs


def test_a_chair_goes_out_of_service_and_comes_back(session, world):
    chair, nimal = world.chair("A1"), world.user("nimal")
    chairs.take_out_of_service(chair, reason="Lamp is  broken", version=chair.version, actor=nimal)
    assert chair.out_of_service == "Lamp is broken"
    assert f"queue:{chair.department_id}" in session.info["nudges"]
    chairs.return_to_service(chair, version=chair.version, actor=nimal)
    assert chair.out_of_service is None


def test_a_chair_changed_meanwhile_says_how_it_stands(session, world):
    chair, nimal = world.chair("A1"), world.user("nimal")
    seen = chair.version
    chairs.take_out_of_service(chair, reason="Lamp", version=seen, actor=nimal)
    with pytest.raises(Conflict, match="Chair A1 was changed meanwhile; it is out of service: Lamp now"):
        chairs.take_out_of_service(chair, reason="Water", version=seen, actor=nimal)


@pytest.mark.parametrize("reason", ["", " x ", "x" * 201])
def test_a_chair_needs_a_reason(session, world, reason):
    chair = world.chair("A1")
    with pytest.raises(DomainError, match="Say why"):
        chairs.take_out_of_service(chair, reason=reason, version=chair.version, actor=world.user("nimal"))
    assert chair.out_of_service is None


def test_a_chair_is_added_and_renamed(session, world):
    adel, place = world.user("adel"), world.departments["restorative"]
    chair = chairs.add_chair(place, name=" A  9 ", actor=adel)
    assert (chair.name, chair.department_id, chair.retired_at) == ("A 9", place, None)
    chairs.rename_chair(chair.id, name="A9", version=chair.version, actor=adel)
    assert chair.name == "A9"
    for name in ("A1", " ", "x" * 61):
        with pytest.raises(DomainError):
            chairs.add_chair(place, name=name, actor=adel)
        with pytest.raises(DomainError):
            chairs.rename_chair(chair.id, name=name, version=chair.version, actor=adel)
    chairs.add_chair(world.departments["orthodontics"], name="A1", actor=adel)
    with pytest.raises(Conflict, match="in service now"):
        chairs.rename_chair(chair.id, name="A10", version=1, actor=adel)


def test_a_retired_chair_is_offered_to_nobody_until_it_is_brought_back(session, world):
    adel, chair, place = world.user("adel"), world.chair("A3"), world.departments["restorative"]

    def offered():
        return chair in free_chairs(world.user("ruwan"), place), chair in places.chairs(adel, place)

    assert offered() == (True, True)
    chairs.retire_chair(chair.id, version=chair.version, actor=adel)
    assert offered() == (False, False)
    entry = check_in(world.visit("fernando"), actor=world.user("ruwan"))
    with pytest.raises(DomainError, match="Chair A3 is no longer used"):
        call_to_chair(entry.id, version=entry.version, chair_id=chair.id, actor=world.user("ruwan"))
    with pytest.raises(DomainError, match="It is retired: bring it back"):
        chairs.add_chair(place, name="A3", actor=adel)
    with pytest.raises(Conflict, match="it is retired now"):
        chairs.take_out_of_service(chair, reason="Lamp", version=1, actor=adel)
    chairs.bring_chair_back(chair.id, version=chair.version, actor=adel)
    assert offered() == (True, True)


def test_a_chair_in_use_is_not_retired(session, world):
    adel, desk = world.user("adel"), world.user("ruwan")
    world.visit("perera").chair_id = world.chairs["A2"]
    session.flush()
    with pytest.raises(DomainError, match="Chair A2 is booked for 1 planned visit. Reception can move them"):
        chairs.retire_chair(world.chairs["A2"], version=1, actor=adel)
    entry = check_in(world.visit("fernando"), actor=desk)
    call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A1"], actor=desk)
    with pytest.raises(DomainError, match="A patient is in chair A1"):
        chairs.retire_chair(world.chairs["A1"], version=1, actor=adel)
