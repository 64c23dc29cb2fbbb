"""Whom a form may offer."""

from datetime import timedelta

from sqlalchemy import select

from clinic import clock
from clinic.models import Assignment
from clinic.queries.places import students_of


def names(people):
    return [person.name for person in people]


def test_students_to_whom_the_patient_is_assigned_now(world, session):
    assert names(students_of(world.user("ruwan"), world.patients["perera"])) == ["Leela Nair"]
    assignment = session.scalar(
        select(Assignment).where(Assignment.user_id == world.people["leela"], Assignment.ends_at.is_(None))
    )
    assignment.ends_at = clock.now() - timedelta(seconds=1)
    session.flush()
    assert students_of(world.user("ruwan"), world.patients["perera"]) == []


def test_nobody_of_a_patient_whom_the_viewer_may_not_see(world, context):
    assert names(students_of(world.user("omar"), world.patients["wu"])) == ["Omar Haddad"]
    assert students_of(world.user("omar"), world.patients["fernando"]) == []
    assert students_of(world.user("adel"), world.patients["fernando"]) == []
