"""One rule in two forms: the condition on a patient, and the ids to start from."""

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.models import Assignment, AssignmentKind, Patient, Unowned, VisitStatus
from clinic.queries.scope import may_see, seen_ids, sees_everyone


@pytest.mark.parametrize("name", ["kamal", "leela", "omar", "silva", "sato", "adel"])
@pytest.mark.parametrize("present", [None, "fernando", "wu"])
def test_the_condition_and_the_ids_agree(world, session, name, present):
    viewer = world.user(name)
    session.add(
        Assignment(
            patient_id=world.patients["fernando"],
            user_id=world.people["kamal"],
            kind=AssignmentKind.TREATMENT,
            starts_at=clock.now(),
            created_by_id=world.people["silva"],
        )
    )
    session.flush()  # granted twice
    if present:
        world.visit(present).status = VisitStatus.ARRIVED
        world.visit(present).department_id = world.departments["restorative"]
        session.flush()
    by_condition = set(session.execute(select(Patient.id).where(may_see(viewer, Patient.id))).scalars())
    by_ids = list(session.execute(select(seen_ids(viewer).c.id)).scalars())
    assert not sees_everyone(viewer)
    assert len(by_ids) == len(set(by_ids))
    assert set(by_ids) == by_condition


def test_the_front_desk_and_nurses_see_everyone(world, session):
    for name in ("ruwan", "nimal"):
        assert sees_everyone(world.user(name))
        found = session.execute(select(Patient.id).where(may_see(world.user(name), Patient.id))).scalars().all()
        assert set(found) == set(world.patients.values())


def test_who_lost_their_owner_stays_in_sight_of_the_department_and_of_nobody_else(world, session):
    nadia = world.patients["nadia"]
    session.add(
        Unowned(
            patient_id=nadia,
            department_id=world.departments["restorative"],
            from_id=world.people["kamal"],
            since=clock.now(),
        )
    )
    session.flush()
    for name, sees in (("silva", True), ("sato", False), ("kamal", False), ("leela", False), ("adel", False)):
        viewer = world.user(name)
        by_condition = select(Patient.id).where(may_see(viewer, Patient.id), Patient.id == nadia)
        assert (session.scalar(by_condition) == nadia) is sees
        assert (nadia in session.scalars(select(seen_ids(viewer).c.id)).all()) is sees


def test_whoever_is_present_is_seen_by_the_supervisors_of_that_department_alone(world, session):
    visit = world.visit("wu")
    visit.patient_id, visit.supervisor_id, visit.status = world.patients["nadia"], None, VisitStatus.ARRIVED
    session.flush()
    here = select(Patient.id).where(Patient.id == visit.patient_id)
    seen = {who: session.scalar(here.where(may_see(world.user(who), Patient.id))) for who in ("sato", "silva")}
    assert seen == {"sato": visit.patient_id, "silva": None}
