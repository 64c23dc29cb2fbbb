"""Giving patients and ending that: who may, what is refused, and what it leaves behind."""

import pytest
from sqlalchemy import select

from clinic import settings
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import Assignment, AssignmentKind, AuditEvent, Notice, Role, Setting, Unowned
from clinic.operations.assignments import assign, end_assignment
from clinic.operations.people import change_person, deactivate
from clinic.queries.assignments import limit_for, loads, unowned_patients
from clinic.queries.scope import is_running, visible_patients
from tests.scene import second_supervisor

PRIMARY, ADDITIONAL = AssignmentKind.PRIMARY, AssignmentKind.ADDITIONAL


@pytest.fixture
def give(world, session):
    """`give("fernando", "leela")` by silva."""

    def give(patient, person, kind=ADDITIONAL, by="silva", reason=""):
        return assign(
            patient_id=world.patients[patient],
            person_id=world.people[person],
            kind=kind,
            actor=world.user(by),
            reason=reason,
        )

    return give


def running(world, patient, person):
    return db.session.scalars(
        select(Assignment).where(
            Assignment.patient_id == world.patients[patient], Assignment.user_id == world.people[person], is_running()
        )
    ).all()


def sees(world, person, patient):
    return world.patients[patient] in {row.id for row in db.session.scalars(visible_patients(world.user(person)))}


def limit(values):
    db.session.merge(Setting(name="load_limits", value=values))
    db.session.flush()
    settings.forget()


@pytest.fixture(autouse=True)
def _fresh_settings():
    yield
    settings.forget()


def test_a_supervisor_gives_a_patient_to_a_student_who_sees_them_at_once(world, session, give):
    assert not sees(world, "leela", "fernando")
    assignment = give("fernando", "leela")
    assert (assignment.kind, assignment.ends_at, assignment.created_by_id) == (ADDITIONAL, None, world.people["silva"])
    assert sees(world, "leela", "fernando")
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == "assignment.give")).one()
    assert event.sentence == "Leela Nair was given Nimali Fernando, P-2026-00001, as additional"
    assert event.patient_id == world.patients["fernando"]


def test_a_supervisor_takes_a_patient_themself(world, give):
    assert give("fernando", "silva", AssignmentKind.OVERSIGHT).user_id == world.people["silva"]


@pytest.mark.parametrize("kind", AssignmentKind)
def test_the_same_assignment_does_not_run_twice(world, give, kind):
    if kind is not PRIMARY:
        give("fernando", "kamal", kind)
    with pytest.raises(DomainError, match=f"Kamal Dias already has Nimali Fernando as {kind.value}, since"):
        give("fernando", "kamal", kind)
    assert len([one for one in running(world, "fernando", "kamal") if one.kind is kind]) == 1


def test_an_archived_patient_is_given_to_nobody(world, session, give):
    world.patient("fernando").archived_at = world.patient("archie").archived_at
    with pytest.raises(DomainError, match="Nimali Fernando is archived. Reception can restore the record"):
        give("fernando", "leela")


def test_an_inactive_person_is_given_nobody(world, session, give):
    world.user("leela").active = False
    with pytest.raises(DomainError, match="Leela Nair treats no patients here now"):
        give("fernando", "leela")


@pytest.mark.parametrize(
    ("patient", "person", "by"),
    [
        ("fernando", "omar", "silva"),  # another department's student
        ("nadia", "kamal", "silva"),  # a patient nobody gave the supervisor
        ("wu", "kamal", "silva"),
        ("fernando", "leela", "kamal"),
        ("fernando", "leela", "ruwan"),
        ("fernando", "leela", "adel"),
    ],
)
def test_who_may_not_give(world, give, patient, person, by):
    before = len(running(world, patient, person))
    with pytest.raises(NotAllowed):
        give(patient, person, by=by)
    assert len(running(world, patient, person)) == before


def test_the_load_limit_is_named_with_who_can_lift_it(world, give):
    limit('{"additional": {"3": 0}}')
    with pytest.raises(DomainError) as refused:
        give("fernando", "leela")
    assert refused.value.sentence == (
        "Leela Nair has 0 patients as additional; a student of the 3rd year has at most 0. "
        "A supervisor of the department can go beyond it with a reason, and an administrator sets the limit."
    )


def test_a_supervisor_goes_beyond_the_limit_with_a_reason_which_is_written_down(world, session, give):
    limit('{"additional": {"3": 0}}')
    give("fernando", "leela", reason="Kamal is ill")
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == "assignment.give")).one()
    assert event.sentence.endswith("beyond the load limit")
    assert event.reason == "Kamal is ill"


def test_loads_and_limits(world, session):
    kamal, silva = world.people["kamal"], world.people["silva"]
    assert loads([kamal, silva]) == {(kamal, PRIMARY): 1}
    assert limit_for(world.user("kamal"), PRIMARY) == 14
    assert limit_for(world.user("kamal"), ADDITIONAL) is None
    assert limit_for(world.user("silva"), PRIMARY) is None
    world.patient("fernando").archived_at = world.patient("archie").archived_at
    assert loads([kamal]) == {}


def test_ending_takes_effect_and_is_kept(world, session):
    (assignment,) = running(world, "fernando", "kamal")
    end_assignment(assignment.id, reason="Went abroad", actor=world.user("silva"))
    assert not sees(world, "kamal", "fernando")
    kept = session.get(Assignment, assignment.id)
    assert (kept.end_reason, kept.ended_by_id) == ("Went abroad", world.people["silva"])
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == "assignment.end")).one()
    assert (event.reason, event.patient_id) == ("Went abroad", world.patients["fernando"])


def test_ending_needs_a_reason(world, session):
    (assignment,) = running(world, "fernando", "kamal")
    with pytest.raises(DomainError, match="Write why the assignment ends"):
        end_assignment(assignment.id, reason="  ", actor=world.user("silva"))
    assert running(world, "fernando", "kamal")


def test_who_ended_it_first_is_named(world, session):
    (assignment,) = running(world, "fernando", "kamal")
    end_assignment(assignment.id, reason="Went abroad", actor=world.user("silva"))
    with pytest.raises(Conflict, match="The assignment of Kamal Dias was ended by Dr Sunil Silva on"):
        end_assignment(assignment.id, reason="Again", actor=world.user("silva"))


@pytest.mark.parametrize("by", ["sato", "kamal", "ruwan", "adel"])
def test_who_may_not_end(world, session, by):
    (assignment,) = running(world, "fernando", "kamal")
    with pytest.raises(NotAllowed):
        end_assignment(assignment.id, reason="No", actor=world.user(by))


def test_a_patient_left_without_an_owner_stays_in_sight_of_the_department_which_is_told(world, session):
    prado = second_supervisor(world)
    world.visit("fernando").supervisor_id = None
    (assignment,) = running(world, "fernando", "kamal")
    end_assignment(assignment.id, reason="Went abroad", actor=world.user("silva"))
    assert [row.patient_id for row in unowned_patients(world.user("silva")).rows] == [world.patients["fernando"]]
    assert unowned_patients(world.user("sato")).rows == []
    assert sees(world, "silva", "fernando")
    assert not sees(world, "sato", "fernando")
    told = session.scalars(select(Notice).where(Notice.kind == "assignment.unowned")).all()
    assert [(notice.user_id, notice.url) for notice in told] == [(prado.id, "/assignments/unowned")]
    assert "Nimali Fernando, P-2026-00001, has nobody now" in told[0].sentence
    assign(
        patient_id=world.patients["fernando"], person_id=world.people["leela"], kind=PRIMARY, actor=world.user("silva")
    )
    assert unowned_patients(world.user("silva")).rows == []


def test_a_patient_with_another_primary_is_not_without_an_owner(world, session, give):
    give("fernando", "leela", PRIMARY)
    (assignment,) = running(world, "fernando", "kamal")
    end_assignment(assignment.id, reason="Went abroad", actor=world.user("silva"))
    assert session.scalars(select(Unowned)).all() == []


def test_ending_another_kind_leaves_the_owner(world, session, give):
    extra = give("fernando", "leela")
    end_assignment(extra.id, reason="Done", actor=world.user("silva"))
    assert session.scalars(select(Unowned)).all() == []


def leave(world, person, how):
    row = world.user(person)
    if how == "deactivate":
        return deactivate(row.id, actor=world.user("adel"))
    return change_person(
        row.id,
        version=row.version,
        name=row.name,
        email=row.email,
        role=Role.NURSE,
        department_id=None,
        year=None,
        actor=world.user("adel"),
    )


@pytest.mark.parametrize("how", ["deactivate", "another role"])
def test_whoever_leaves_leaves_no_patient_out_of_sight(world, session, how):
    leave(world, "kamal", how)
    assert running(world, "fernando", "kamal") == []
    silva = world.user("silva")
    assert [row.patient_id for row in unowned_patients(silva).rows] == [world.patients["fernando"]]
    told = session.scalars(select(Notice).where(Notice.kind == "assignment.unowned")).all()
    assert [notice.user_id for notice in told] == [silva.id]
    event = session.scalars(select(AuditEvent).where(AuditEvent.act == "assignment.end_all")).one()
    assert event.sentence == "Ended 1 assignment of Kamal Dias"


def test_an_archived_patient_is_not_on_the_list_until_restored(world, session):
    deactivate(world.people["kamal"], actor=world.user("adel"))
    world.patient("fernando").archived_at = world.patient("archie").archived_at
    assert unowned_patients(world.user("silva")).rows == []


def test_where_no_supervisor_is_left_the_administrators_are_told(world, session):
    """They know no patients, so the sentence names none; else nobody would hear that patients have nobody."""
    adel = world.user("adel")
    deactivate(world.people["silva"], actor=adel)
    deactivate(world.people["kamal"], actor=adel)
    told = session.scalars(select(Notice).where(Notice.kind == "assignment.unowned")).one()
    assert (told.user_id, told.patient_id, told.url) == (adel.id, None, "/people/")
    assert told.sentence == (
        "1 patient of Kamal Dias has nobody now, and Restorative has no supervisor to find owners. "
        "Add one, or move one there."
    )
