"""Whom a viewer may see, from whatever table one asks."""

import pytest
from sqlalchemy import select

from clinic.models import Assignment, Patient, Visit
from clinic.queries import scope

SEEN = {
    "ruwan": {"fernando", "perera", "wu", "nadia", "archie"},
    "nimal": {"fernando", "perera", "wu", "nadia", "archie"},
    "silva": {"fernando", "perera"},
    "sato": {"wu"},
    "kamal": {"fernando"},
    "leela": {"perera"},
    "omar": {"wu"},
    "adel": set(),
}


@pytest.mark.parametrize("column", [Patient.id, Visit.patient_id, Assignment.patient_id])
@pytest.mark.parametrize("name", SEEN)
def test_the_condition_means_the_same_in_a_query_on_any_table(session, world, name, column):
    """A grant once took the outer visit for its own, and a supervisor saw everybody's."""
    ids = set(session.scalars(select(column).where(scope.may_see(world.user(name), column))))
    there = set(session.scalars(select(column)))
    assert ids == {world.patients[short] for short in SEEN[name]} & there
