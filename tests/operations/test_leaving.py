"""Handing over without a request: one patient, or all of a student who graduates or goes on leave."""

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import select

from clinic import clock, settings
from clinic.errors import DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    Booking,
    CallReason,
    Notice,
    Patient,
    Request,
    RequestKind,
    RequestStatus,
    Role,
    Setting,
    Sex,
    Stage,
    SupervisorCall,
    Unowned,
    User,
)
from clinic.operations import requests
from clinic.operations.assignments import assign
from clinic.operations.handover import Destination, items_of
from clinic.operations.leaving import hand_over, hand_over_all
from clinic.operations.visits import schedule_visit
from clinic.queries.assignments import handovers_of, proposed, running_of, taken_by
from clinic.queries.scope import is_running
from tests.scene import call_of, put_in_queue

PRIMARY, ADDITIONAL = AssignmentKind.PRIMARY, AssignmentKind.ADDITIONAL


@pytest.fixture(autouse=True)
def _fresh_settings():
    yield
    settings.forget()


def direct(world, giver="kamal", receiver="leela", patient="fernando", by="silva", to="receiver", reason=""):
    fates = {
        item.key: Destination(to)
        for item in items_of([world.patients[patient]], world.user(giver))[world.patients[patient]]
    }
    return hand_over(
        patient_id=world.patients[patient],
        from_id=world.people[giver],
        to_id=world.people[receiver],
        handover="Crown 36 next",
        destinations=fates,
        actor=world.user(by),
        reason=reason,
    )


def holders(world, patient_id):
    rows = db.session.execute(
        select(User.name, Assignment.kind)
        .join(User, User.id == Assignment.user_id)
        .where(Assignment.patient_id == patient_id, is_running())
        .order_by(User.name, Assignment.kind)
    )
    return [(name, kind.value) for name, kind in rows]


def test_a_supervisor_hands_over_between_their_own_students(world, session):
    kept = direct(world)
    assert holders(world, world.patients["fernando"]) == [("Leela Nair", "primary")]
    assert (kept.status, kept.decided_by_id, kept.handover) == (RequestStatus.APPROVED, None, "Crown 36 next")
    assert [note.id for note in handovers_of(world.user("leela"), world.patient("fernando"))] == [kept.id]
    assert handovers_of(world.user("ruwan"), world.patient("fernando")) == []
    assert handovers_of(world.user("nimal"), world.patient("fernando")) == []
    told = {notice.user_id: notice.sentence for notice in session.scalars(select(Notice))}
    assert told[world.people["leela"]].startswith("Dr Sunil Silva gave you Nimali Fernando, P-2026-00001, from Kamal")
    assert told[world.people["kamal"]] == "Dr Sunil Silva handed P-2026-00001 over to Leela Nair."


@pytest.mark.parametrize(
    ("receiver", "by"),
    [("omar", "silva"), ("leela", "sato"), ("leela", "kamal"), ("leela", "ruwan"), ("silva", "silva")],
)
def test_not_beyond_the_department(world, session, receiver, by):
    with pytest.raises(NotAllowed):
        direct(world, receiver=receiver, by=by)
    assert holders(world, world.patients["fernando"]) == [("Kamal Dias", "primary")]


def test_a_pending_transfer_is_closed_by_it(world, session):
    asked = requests.ask_transfer(
        patient_id=world.patients["fernando"],
        from_id=world.people["kamal"],
        to_id=world.people["omar"],
        handover="Crown 36 next",
        destinations={f"visit:{world.visits['fernando']}": Destination("receiver")},
        actor=world.user("kamal"),
    )
    direct(world)
    assert (asked.status, asked.decision_reason) == (RequestStatus.RETURNED, "P-2026-00001 went to Leela Nair")


def test_the_visit_in_the_clinic_and_its_call_go_along(world, session):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    call = call_of(world, "fernando", reason=CallReason.HELP)
    items = items_of([world.patients["fernando"]], world.user("kamal"))[world.patients["fernando"]]
    assert [item.key for item in items] == [f"visit:{world.visits['fernando']}", f"call:{call.id}"]
    direct(world)
    assert world.visit("fernando").student_id == world.people["leela"]
    assert session.get_one(SupervisorCall, call.id).student_id == world.people["leela"]


def test_the_receivers_own_bookings_are_respected(world, session):
    at = clock.start_of(clock.today() + timedelta(days=7)) + timedelta(hours=9)
    common = {
        "department": world.department("restorative"),
        "starts_at": at,
        "minutes": 60,
        "chair": None,
        "supervisor": None,
        "reason": "Crown",
        "actor": world.user("ruwan"),
    }
    visit = schedule_visit(patient=world.patient("fernando"), student=world.user("kamal"), **common)
    schedule_visit(patient=world.patient("perera"), student=world.user("leela"), **common)
    with pytest.raises(DomainError, match="Leela Nair has Ana Perera on"), db.session.begin_nested():
        direct(world)
    fates = {f"visit:{visit.id}": Destination("open"), f"visit:{world.visits['fernando']}": Destination("receiver")}
    hand_over(
        patient_id=world.patients["fernando"],
        from_id=world.people["kamal"],
        to_id=world.people["leela"],
        handover="Crown 36 next",
        destinations=fates,
        actor=world.user("silva"),
    )
    assert visit.student_id is None
    booked = session.scalars(select(Booking.resource).where(Booking.visit_id == visit.id).distinct()).all()
    assert booked == [f"patient:{world.patients['fernando']}"]


def test_a_visit_that_goes_along_is_booked_for_the_receiver(world, session):
    visit = schedule_visit(
        patient=world.patient("fernando"),
        department=world.department("restorative"),
        starts_at=clock.start_of(clock.today() + timedelta(days=7)) + timedelta(hours=9),
        minutes=30,
        chair=None,
        student=world.user("kamal"),
        supervisor=None,
        reason="Crown",
        actor=world.user("ruwan"),
    )
    direct(world)
    booked = session.scalars(select(Booking.resource).where(Booking.visit_id == visit.id)).all()
    patient, leela = f"patient:{world.patients['fernando']}", f"student:{world.people['leela']}"
    assert sorted(booked) == sorted([patient, patient, leela, leela])


# --- graduation and leave ---------------------------------------------------------------------------------------------


def add_patient(world, number, *kinds, person="kamal"):
    patient = Patient(
        code=f"P-2024-{number:05d}",
        name=f"Patient {number:03d}",
        sort_name=f"patient {number:03d}",
        birth_date=date(1990, 1, 1),
        sex=Sex.OTHER,
        created_at=clock.now(),
        created_by_id=world.people["ruwan"],
    )
    db.session.add(patient)
    db.session.flush()
    for kind in kinds:
        db.session.add(
            Assignment(
                patient_id=patient.id,
                user_id=world.people[person],
                kind=kind,
                starts_at=clock.now() - timedelta(days=9),
                created_by_id=world.people["silva"],
            )
        )
    db.session.flush()
    return patient


def leave(world, to, *, note="See the notes", by="silva", notes=None, **more):
    return hand_over_all(
        world.people["kamal"],
        to=to,
        handover=note,
        notes=notes or {},
        reason="Graduated",
        actor=world.user(by),
        **more,
    )


def of_kamal(world):
    return running_of(world.user("silva"), world.people["kamal"])


def test_a_graduation_gives_every_patient_an_owner(world, session):
    others = [add_patient(world, number, PRIMARY) for number in range(5)]
    session.add(
        Assignment(
            patient_id=world.patients["perera"],
            user_id=world.people["kamal"],
            kind=ADDITIONAL,
            starts_at=clock.now() - timedelta(days=9),
            created_by_id=world.people["silva"],
        )
    )
    session.flush()
    leela, silva = world.people["leela"], world.people["silva"]
    to = {one.id: leela if one.patient_id != others[0].id else silva for one in of_kamal(world)}
    extra = next(one for one in of_kamal(world) if one.kind is ADDITIONAL)
    to[extra.id] = None
    kept = leave(world, to, notes={others[1].id: "Anxious: explain each step"})
    assert of_kamal(world) == []
    assert session.scalars(select(Unowned)).all() == []
    assert holders(world, others[0].id) == [("Dr Sunil Silva", "primary")]
    assert holders(world, others[1].id) == [("Leela Nair", "primary")]
    assert holders(world, world.patients["perera"]) == [("Leela Nair", "primary")]
    assert len(kept) == 6
    assert {one.patient_id: one.handover for one in kept}[others[1].id] == "Anxious: explain each step"
    assert {one.handover for one in kept if one.patient_id != others[1].id} == {"See the notes"}
    assert world.visit("fernando").student_id == leela


@pytest.mark.parametrize("choice", ["nobody", "not said", "themself"])
def test_nobody_is_left_without_an_owner(world, session, choice):
    patient = add_patient(world, 1, PRIMARY)
    to = {one.id: world.people["leela"] for one in of_kamal(world)}
    mine = next(one for one in of_kamal(world) if one.patient_id == patient.id)
    to[mine.id] = {"nobody": None, "themself": world.people["kamal"]}.get(choice)
    if choice == "not said":
        del to[mine.id]
    with pytest.raises(DomainError, match="Nobody may be left without an owner. Choose who takes Patient 001"):
        leave(world, to)
    assert len(of_kamal(world)) == 2


def test_an_additional_assignment_does_not_end_as_the_last(world, session):
    patient = add_patient(world, 1, ADDITIONAL)
    to = {one.id: world.people["leela"] for one in of_kamal(world)}
    to[next(one for one in of_kamal(world) if one.patient_id == patient.id).id] = None
    with pytest.raises(DomainError, match="Choose who takes Patient 001"):
        leave(world, to)


@pytest.mark.parametrize(
    ("receiver", "change", "says"),
    [
        ("omar", None, "Omar Haddad does not treat in your department"),
        ("sato", None, "does not treat in your department"),
        ("ruwan", None, "does not treat in your department"),
        ("leela", "inactive", "Leela Nair does not treat in your department now"),
        ("leela", "full", "a student of the 3rd year has at most 1"),
    ],
)
def test_a_receiver_must_be_able_to(world, session, receiver, change, says):
    if change == "inactive":
        world.user("leela").active = False
    if change == "full":
        session.merge(Setting(name="load_limits", value=json.dumps({"primary": {"3": 1}})))
        session.flush()
        settings.forget()
    with pytest.raises(DomainError, match=says):
        leave(world, {one.id: world.people[receiver] for one in of_kamal(world)})


def test_beyond_the_limit_with_a_reason(world, session):
    session.merge(Setting(name="load_limits", value=json.dumps({"primary": {"3": 1}})))
    session.flush()
    settings.forget()
    leave(world, {one.id: world.people["leela"] for one in of_kamal(world)}, beyond="Until the summer")
    assert of_kamal(world) == []


def test_each_needs_a_note(world, session):
    to = {one.id: world.people["leela"] for one in of_kamal(world)}
    with pytest.raises(DomainError, match="Write a handover note for Nimali Fernando, or one for all"):
        leave(world, to, note=" ")
    leave(world, to, note="", notes={world.patients["fernando"]: "Crown 36 next"})


@pytest.mark.parametrize("by", ["sato", "ruwan", "leela", "adel"])
def test_only_a_supervisor_of_the_student_does_this(world, session, by):
    with pytest.raises(NotAllowed):
        leave(world, {one.id: world.people["leela"] for one in of_kamal(world)}, by=by)


def test_archived_patients_need_nobody(world, session):
    patient = add_patient(world, 1, PRIMARY)
    patient.archived_at = clock.now()
    leave(world, {one.id: world.people["leela"] for one in of_kamal(world) if one.patient_id != patient.id})
    assert of_kamal(world) == []


def test_what_the_student_had_asked_is_closed(world, session):
    asked = requests.ask_for_patient(code="P-2026-4", assignment_kind=PRIMARY, need="Endo", actor=world.user("kamal"))
    leave(world, {one.id: world.people["leela"] for one in of_kamal(world)})
    assert asked.status is RequestStatus.WITHDRAWN


def test_a_clash_in_time_leaves_the_visit_to_the_desk(world, session):
    at = clock.start_of(clock.today() + timedelta(days=7)) + timedelta(hours=9)
    common = {
        "department": world.department("restorative"),
        "starts_at": at,
        "minutes": 60,
        "chair": None,
        "supervisor": None,
        "reason": "Crown",
        "actor": world.user("ruwan"),
    }
    visit = schedule_visit(patient=world.patient("fernando"), student=world.user("kamal"), **common)
    schedule_visit(patient=world.patient("perera"), student=world.user("leela"), **common)
    (kept,) = leave(world, {one.id: world.people["leela"] for one in of_kamal(world)})
    assert visit.student_id is None
    assert json.loads(kept.destinations)[f"visit:{visit.id}"]["words"] == "No student for now; the front desk finds one"


def test_proposals_follow_the_load_and_are_always_the_same(world, session):
    nobody = User(
        email="zoe@clinic.test",
        name="Zoe Amarasinghe",
        role=Role.STUDENT,
        department_id=world.departments["restorative"],
        year=4,
        password_hash="!",
        created_at=clock.now(),
    )
    session.add(nobody)
    session.flush()
    patients = [add_patient(world, number, PRIMARY) for number in range(6)]
    receivers = [world.user("leela"), nobody]  # 1 of 8, 0 of 14
    mine = of_kamal(world)
    first = proposed(mine, receivers, taken_by(receivers))
    assert first == proposed(mine, list(reversed(receivers)), taken_by(receivers))
    assert set(first) == {one.id for one in mine}
    names = [world.people["leela"] == first[one.id] for one in mine if one.patient_id in {p.id for p in patients}]
    assert sum(names) in (1, 2)  # Leela's year may have 8, Zoe's 14
    session.merge(Setting(name="load_limits", value=json.dumps({"primary": {"3": 1, "4": 2}})))
    session.flush()
    settings.forget()
    full = proposed(mine, receivers, taken_by(receivers))
    assert list(full.values()).count(nobody.id) == 2
    assert list(full.values()).count(None) == len(mine) - 2


def test_a_patient_is_not_proposed_to_who_has_them_already(world, session):
    assign(
        patient_id=world.patients["fernando"], person_id=world.people["leela"], kind=PRIMARY, actor=world.user("silva")
    )
    receivers = [world.user("leela")]
    assert list(proposed(of_kamal(world), receivers, taken_by(receivers)).values()) == [None]


def test_request_kind_of_what_was_kept(world, session):
    direct(world)
    assert session.scalars(select(Request.kind)).all() == [RequestKind.TRANSFER]
