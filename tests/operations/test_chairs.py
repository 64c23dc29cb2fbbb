"""Chairs: out of service with a reason, and back."""

import pytest

from clinic.errors import Conflict, DomainError
from clinic.operations import chairs


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
