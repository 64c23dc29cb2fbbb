"""Many people at one request: one decision, one open request, no limit overrun, whatever the isolation of the database."""

import json
import threading
from collections import Counter
from datetime import date

import pytest
from sqlalchemy import func, select, text

from clinic import clock, settings
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    Notice,
    Patient,
    Request,
    RequestKind,
    RequestStatus,
    Setting,
    Sex,
    Unowned,
)
from clinic.operations import requests
from clinic.operations.assignments import assign, end_assignment
from clinic.operations.people import deactivate
from clinic.queries.scope import is_running
from tests.crowd import ISOLATIONS, gather
from tests.scene import second_supervisor

PRIMARY, ADDITIONAL = AssignmentKind.PRIMARY, AssignmentKind.ADDITIONAL
pytestmark = pytest.mark.soak


@pytest.fixture
def engine_name():
    return "mariadb"


@pytest.fixture(scope="module", params=ISOLATIONS)
def gathered(request):
    with gather("chairside_requests_crowd", request.param, people=12) as crowd:
        with crowd.app.app_context():
            second_supervisor(crowd.world)
            db.session.commit()
        yield crowd


@pytest.fixture
def crowd(gathered):
    """The crowd, with no requests and the assignments of the world."""
    with gathered.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
        for table in ("request", "notice", "unowned", "setting"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("DELETE FROM assignment WHERE end_reason IS NULL"))
        connection.execute(text("DELETE FROM patient WHERE code LIKE 'P-2023-%'"))
        connection.execute(text("UPDATE user SET active = 1"))
        connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))
    with gathered.app.app_context():
        settings.forget()
        given(gathered.world, "fernando", "kamal")
        given(gathered.world, "perera", "leela")
        db.session.commit()
    yield gathered
    settings.forget()


def given(world, patient, person, kind=PRIMARY):
    row = Assignment(
        patient_id=world.patients[patient],
        user_id=world.people[person],
        kind=kind,
        starts_at=clock.now(),
        created_by_id=world.people["silva"],
    )
    db.session.add(row)
    db.session.flush()
    return row.id


def ask(world, person="leela", patient="fernando", by="ruwan", kind=RequestKind.ASSIGN, of=ADDITIONAL):
    return requests.ask_assignment(
        kind=kind,
        patient_id=world.patients[patient],
        clinician_id=world.people[person],
        assignment_kind=of,
        reason="Lives nearby",
        actor=world.user(by),
    )


def asked(crowd, **options):
    with crowd.app.app_context():
        request = ask(crowd.world, **options)
        db.session.commit()
        return request.id


def running(crowd, person, kind):
    with crowd.app.app_context():
        return db.session.scalar(
            select(func.count(Assignment.id)).where(
                Assignment.user_id == crowd.world.people[person], Assignment.kind == kind, is_running()
            )
        )


def tally(answers):
    return Counter(type(answer).__name__ if isinstance(answer, DomainError) else "done" for answer in answers)


def test_two_approvals_at_once_have_one_effect(crowd):
    request_id, world = asked(crowd), crowd.world

    def approve(by):
        return lambda: requests.approve_request(request_id, version=1, actor=world.user(by)).id

    answers = crowd.at_once([approve("silva"), approve("prado")] * 6, people=12)
    assert tally(answers) == {"done": 1, "Conflict": 11}
    assert {answer.sentence.split(" on ")[0] for answer in answers if isinstance(answer, Conflict)} <= {
        "Dr Sunil Silva approved this request",
        "Dr Ines Prado approved this request",
    }
    assert running(crowd, "leela", ADDITIONAL) == 1
    with crowd.app.app_context():
        assert db.session.scalar(select(func.count(Notice.id)).where(Notice.kind == "request.approved")) == 1


def test_asking_twice_at_once_leaves_one_open_request(crowd):
    world = crowd.world
    acts = [lambda by=by: ask(world, by=by).id for by in ("ruwan", "rita")] * 6
    answers = crowd.at_once(acts, people=12)
    assert tally(answers) == {"done": 1, "Conflict": 11}
    assert all("asked for this on" in answer.sentence for answer in answers if isinstance(answer, Conflict))


@pytest.mark.parametrize("code", ["P-2026-00004", "P-2026-00777"])
def test_a_student_asking_twice_at_once_leaves_one_open_request(crowd, code):
    world = crowd.world

    def ask_for():
        return requests.ask_for_patient(code=code, assignment_kind=PRIMARY, need="Endo", actor=world.user("leela")).id

    answers = crowd.at_once([ask_for] * 12, people=12)
    assert tally(answers) == {"done": 1, "Conflict": 11}
    assert {answer.sentence.split(" on ")[0] for answer in answers if isinstance(answer, Conflict)} == {
        "You asked for this"
    }


def test_approve_return_withdraw_and_expire_at_once_give_one_of_them(crowd):
    request_id, world = asked(crowd), crowd.world
    acts = [
        lambda: requests.approve_request(request_id, version=1, actor=world.user("silva")).id,
        lambda: requests.return_request(request_id, version=1, reason="No", actor=world.user("prado")).id,
        lambda: requests.withdraw_request(request_id, version=1, actor=world.user("ruwan")).id,
    ]
    answers = crowd.at_once(acts * 4, people=12)
    assert tally(answers) == {"done": 1, "Conflict": 11}
    with crowd.app.app_context():
        request = db.session.get_one(Request, request_id)
        assert request.open_key is None
        status = request.status
    assert running(crowd, "leela", ADDITIONAL) == (1 if status is RequestStatus.APPROVED else 0)


def test_the_load_limit_holds_when_many_are_given_at_once(crowd):
    world = crowd.world
    with crowd.app.app_context():
        db.session.add(Setting(name="load_limits", value=json.dumps({"additional": {"3": 3}})))
        ids = []
        for number in range(12):
            patient = Patient(
                code=f"P-2023-{number:05d}",
                name=f"Patient {number}",
                sort_name=f"patient {number:05d}",
                birth_date=date(1990, 1, 1),
                sex=Sex.OTHER,
                created_at=clock.now(),
                created_by_id=world.people["ruwan"],
            )
            db.session.add(patient)
            db.session.flush()
            ids.append(patient.id)
            db.session.add(
                Assignment(
                    patient_id=patient.id,
                    user_id=world.people["kamal"],
                    kind=PRIMARY,
                    starts_at=clock.now(),
                    created_by_id=world.people["silva"],
                )
            )
        db.session.commit()
        settings.forget()
    leela = world.people["leela"]
    answers = crowd.at_once(
        [
            lambda one=one: assign(patient_id=one, person_id=leela, kind=ADDITIONAL, actor=world.user("silva")).id
            for one in ids
        ],
        people=12,
    )
    assert tally(answers)["done"] == 3, tally(answers)
    assert running(crowd, "leela", ADDITIONAL) == 3


def test_the_same_assignment_given_at_once_runs_once(crowd):
    world = crowd.world

    def give():
        return assign(
            patient_id=world.patients["fernando"],
            person_id=world.people["leela"],
            kind=ADDITIONAL,
            actor=world.user("silva"),
        ).id

    answers = crowd.at_once([give] * 12, people=12)
    assert tally(answers) == {"done": 1, "DomainError": 11}
    assert running(crowd, "leela", ADDITIONAL) == 1


def test_the_last_two_owners_ended_at_once_leave_the_patient_on_the_list(crowd):
    world = crowd.world
    with crowd.app.app_context():
        ids = [given(world, "fernando", "leela"), *kamals(world)]
        db.session.commit()
    acts = [
        lambda one=one, by=by: end_assignment(one, reason="Ill", actor=world.user(by)).id
        for one in ids
        for by in ("silva", "prado")
    ]
    answers = crowd.at_once(acts, people=4)
    assert tally(answers) == {"done": 2, "Conflict": 2}
    with crowd.app.app_context():
        assert db.session.scalars(select(Unowned.patient_id)).all() == [world.patients["fernando"]]


def test_who_takes_a_patient_left_a_moment_ago_takes_them_off_the_list(crowd):
    """Even when their transaction began before the patient was left, and has read the list as it was then."""
    world, began, left = crowd.world, threading.Event(), threading.Event()

    def take():
        db.session.execute(select(Unowned.patient_id)).all()
        began.set()
        left.wait(20)
        return assign(
            patient_id=world.patients["fernando"],
            person_id=world.people["leela"],
            kind=PRIMARY,
            actor=world.user("prado"),
        ).id

    def leave():
        began.wait(20)
        end_assignment(kamals(world)[0], reason="Ill", actor=world.user("silva"))
        db.session.commit()
        left.set()

    assert tally(crowd.at_once([take, leave], people=2)) == {"done": 2}
    assert running(crowd, "leela", PRIMARY) == 2
    with crowd.app.app_context():
        assert not db.session.scalars(select(Unowned.patient_id)).all()


def test_nobody_is_asked_for_who_has_just_left(crowd):
    """The request would wait for nobody: what is asked about a person who leaves is closed when they do, not later."""
    world, began, left = crowd.world, threading.Event(), threading.Event()

    def ask_late():
        loaded = world.user("leela")  # by the page, to choose from
        began.set()
        left.wait(20)
        return ask(world, person="leela").id if loaded else 0

    def leave():
        began.wait(20)
        deactivate(world.people["leela"], actor=world.user("adel"))
        db.session.commit()
        left.set()

    refusal = crowd.at_once([ask_late, leave], people=2)[0]
    assert refusal.sentence == "Leela Nair treats no patients here now. Choose somebody else."
    with crowd.app.app_context():
        assert not db.session.scalars(select(Request.id)).all()


def kamals(world):
    return db.session.scalars(
        select(Assignment.id).where(Assignment.user_id == world.people["kamal"], is_running())
    ).all()


def test_somebody_who_leaves_while_being_given_patients_keeps_none(crowd):
    request_id, world = asked(crowd), crowd.world
    acts = [
        lambda: requests.approve_request(request_id, version=1, actor=world.user("silva")).id,
        lambda: deactivate(world.people["leela"], actor=world.user("adel")).id,
        lambda: (
            assign(
                patient_id=world.patients["fernando"],
                person_id=world.people["leela"],
                kind=AssignmentKind.TREATMENT,
                actor=world.user("prado"),
            ).id
        ),
    ]
    crowd.at_once(acts, people=3)
    for kind in AssignmentKind:
        assert running(crowd, "leela", kind) == 0
    with crowd.app.app_context():
        assert db.session.scalars(select(Unowned.patient_id)).all() == [world.patients["perera"]]
        assert db.session.scalar(select(func.count(Request.id)).where(Request.open_key.is_not(None))) == 0
