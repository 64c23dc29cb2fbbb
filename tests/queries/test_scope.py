"""Whom each role may see: the conditions every other query starts from."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.models import Assignment, Patient, User, VisitStatus
from clinic.queries.scope import visible_patients


@pytest.fixture
def seen(session, world):
    """The short names of the patients a person of the world may see."""
    by_id = {number: name for name, number in world.patients.items()}
    return lambda name: {by_id[row.id] for row in session.scalars(visible_patients(world.user(name)).limit(100))}


def test_front_desk_and_nurses_see_everyone(seen):
    everyone = {"fernando", "perera", "wu", "nadia", "archie"}
    assert seen("ruwan") == seen("nimal") == everyone


def test_admin_sees_nobody(seen):
    assert seen("adel") == set()


def test_student_sees_only_patients_assigned_now(seen):
    assert seen("kamal") == {"fernando"}
    assert seen("leela") == {"perera"}
    assert seen("omar") == {"wu"}


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        (timedelta(days=-1), None, True),
        (timedelta(days=-1), timedelta(seconds=1), True),
        (timedelta(days=-1), timedelta(0), False),
        (timedelta(seconds=1), None, False),
    ],
    ids=["running", "not yet ended", "ending now", "not yet begun"],
)
def test_an_assignment_counts_from_its_start_to_its_end(session, world, seen, starts, ends, expected):
    at = clock.now()
    row = session.scalar(
        select(Assignment).where(Assignment.user_id == world.people["kamal"], Assignment.ends_at.is_(None))
    )
    row.starts_at, row.ends_at = at + starts, at + ends if ends is not None else None
    session.flush()
    with clock.frozen(at):
        assert ("fernando" in seen("kamal")) is expected


def test_supervisor_sees_patients_of_the_departments_students(seen):
    assert seen("silva") == {"fernando", "perera"}
    assert seen("sato") == {"wu"}


def test_supervisor_loses_sight_when_the_students_assignment_ends(session, world, seen):
    for name in ("fernando", "perera", "wu"):
        world.visit(name).status = VisitStatus.COMPLETED
    row = session.scalar(
        select(Assignment).where(Assignment.user_id == world.people["kamal"], Assignment.ends_at.is_(None))
    )
    row.ends_at = clock.now()
    session.flush()
    assert seen("silva") == {"perera"}


def test_supervisor_of_the_visit_sees_its_patient(session, world, seen):
    world.visit("wu").supervisor_id = world.people["silva"]
    session.flush()
    assert "wu" in seen("silva")
    world.visit("wu").status = VisitStatus.COMPLETED
    session.flush()
    assert "wu" not in seen("silva")


def test_supervisor_sees_who_is_present_in_the_department(session, world, seen):
    visit = world.visit("wu")
    visit.department_id, visit.status = world.departments["restorative"], VisitStatus.ARRIVED
    session.flush()
    assert "wu" in seen("silva")


def test_a_departments_supervisor_sees_through_students_only(session, world, seen):
    """A receptionist or supervisor who once held an assignment opens nothing for others."""
    session.add(
        Assignment(
            patient_id=world.patients["nadia"],
            user_id=world.people["silva"],
            kind="oversight",
            starts_at=clock.now() - timedelta(days=1),
            created_by_id=world.people["silva"],
        )
    )
    session.flush()
    assert "nadia" in seen("silva")
    colleague = session.get_one(User, world.people["sato"])
    colleague.department_id = world.departments["restorative"]
    session.flush()
    assert "nadia" not in seen("sato")


def test_scope_is_one_condition_on_any_patient_column(session, world):
    assert session.scalars(visible_patients(world.user("kamal")).where(Patient.code == "P-2026-00002")).first() is None
