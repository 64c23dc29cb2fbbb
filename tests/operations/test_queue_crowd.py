"""Many people at one queue: nobody is in it twice, nobody is called twice, whatever the isolation of the database."""

from collections import Counter
from datetime import date

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.errors import Conflict, DomainError, Unavailable
from clinic.extensions import db
from clinic.models import Chair, Patient, Priority, QueueEntry, Sex, Stage, Visit, VisitStatus
from clinic.operations import queue, visits
from clinic.queries.queue import free_chairs, next_in_line
from clinic.text import sort_key
from tests.crowd import ISOLATIONS, gather
from tests.soak import share


@pytest.fixture(params=ISOLATIONS)
def crowd(request):
    with gather("chairside_crowd", request.param) as crowd:
        yield crowd


@pytest.fixture
def engine_name():
    return "mariadb"


@pytest.mark.soak
def test_fifty_check_ins_of_one_patient_give_one_entry(crowd):
    world = crowd.world

    def check_in():
        return visits.check_in(world.visit("fernando"), actor=world.user("ruwan")).id

    answers = crowd.at_once([check_in] * 50)
    refused = [answer for answer in answers if isinstance(answer, DomainError)]
    assert len(refused) == 49
    assert all(
        answer.sentence.startswith("Nimali Fernando was already checked in by Ruwan Senanayake")
        for answer in refused
        if not isinstance(answer, Unavailable)
    )
    with crowd.app.app_context():
        assert db.session.scalar(select(func.count(QueueEntry.id))) == 1
        assert world.visit("fernando").ticket == "A-001"


@pytest.mark.soak
def test_walk_ins_and_check_ins_of_one_patient_give_one_entry(crowd):
    world = crowd.world

    def walk_in():
        return visits.add_walk_in(
            patient=world.patient("fernando"),
            department=world.department("orthodontics"),
            reason="Toothache",
            priority=Priority.HIGH,
            actor=world.user("rita"),
        ).id

    def check_in():
        return visits.check_in(world.visit("fernando"), actor=world.user("ruwan")).id

    answers = crowd.at_once([walk_in, check_in] * 25)
    assert Counter(isinstance(answer, DomainError) for answer in answers) == {True: 49, False: 1}
    with crowd.app.app_context():
        assert db.session.scalar(select(func.count(QueueEntry.id))) == 1
        assert db.session.scalar(select(func.count(Visit.id)).where(Visit.status == VisitStatus.ARRIVED)) == 1


@pytest.mark.soak
def test_many_calls_of_the_next_call_each_patient_once(crowd):
    world, people = crowd.world, share(50, 20)
    with crowd.app.app_context():
        department = world.department("restorative")
        chairs = [Chair(department_id=department.id, name=f"C{number}") for number in range(people + 10)]
        patients = [_patient(world, number) for number in range(people)]
        db.session.add_all([*chairs, *patients])
        db.session.commit()
        patient_ids = [patient.id for patient in patients]

    def arrive(patient_id):
        return lambda: (
            visits.add_walk_in(
                patient=db.session.get_one(Patient, patient_id),
                department=world.department("restorative"),
                reason="Pain",
                actor=world.user("ruwan"),
            ).id
        )

    outside = patient_ids
    while outside:
        answers = crowd.at_once([arrive(number) for number in outside])
        assert all(isinstance(answer, (int, Unavailable)) for answer in answers)
        outside = [number for number, answer in zip(outside, answers, strict=True) if not isinstance(answer, int)]

    def call_next():
        nimal = world.user("nimal")
        line = next_in_line(nimal, world.departments["restorative"])
        if not line:
            return "nobody is waiting"
        row = line[0]
        chair = free_chairs(nimal, world.departments["restorative"])[0]
        return queue.call_to_chair(row.entry_id, version=row.version, chair_id=chair.id, actor=nimal).patient_id

    answers = []
    while "nobody is waiting" not in answers:
        answers += crowd.at_once([call_next] * people * 4)
    called = [answer for answer in answers if isinstance(answer, int)]
    assert sorted(called) == sorted(patient_ids)
    assert all(isinstance(answer, (int, Conflict, Unavailable)) or answer == "nobody is waiting" for answer in answers)
    with crowd.app.app_context():
        entries = db.session.scalars(select(QueueEntry).where(QueueEntry.ended_at.is_(None))).all()
        assert {entry.stage for entry in entries} == {Stage.CALLED}
        assert len({entry.chair_id for entry in entries}) == people
        tickets = db.session.scalars(select(Visit.ticket).where(Visit.walk_in)).all()
        assert sorted(tickets) == [f"A-{number:03d}" for number in range(1, people + 1)]


def _patient(world, number):
    return Patient(
        code=f"Q-{number:05d}",
        name=f"Patient {number}",
        sort_name=sort_key(f"Patient {number}"),
        birth_date=date(1990, 1, 1),
        sex=Sex.UNKNOWN,
        created_at=clock.now(),
        created_by_id=world.people["ruwan"],
    )
