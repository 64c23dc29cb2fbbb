"""Many people at one call: one supervisor comes, one call is open, one end, whatever the isolation of the database."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, insert, select, text

from clinic import clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import CallReason, QueueEntry, Stage, SupervisorCall
from clinic.operations import calls, queue
from tests.crowd import ISOLATIONS, gather
from tests.scene import call_of, put_in_queue, second_supervisor


@pytest.fixture
def engine_name():
    return "mariadb"


@pytest.fixture(scope="module", params=ISOLATIONS)
def gathered(request):
    with gather("chairside_calls_crowd", request.param, people=12) as crowd:
        with crowd.app.app_context():
            second_supervisor(crowd.world)
            db.session.commit()
        yield crowd


@pytest.fixture
def crowd(gathered):
    """The crowd, with an empty queue."""
    with gathered.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
        for table in ("supervisor_call", "queue_entry"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))
    return gathered


def in_stage(crowd, stage: Stage) -> tuple[int, int]:
    """Fernando in this stage; answers the entry's id and version."""
    with crowd.app.app_context():
        entry = put_in_queue(crowd.world, "fernando", stage)
        db.session.commit()
        return entry.id, entry.version


def called(crowd, stage: Stage = Stage.AWAITING_SUPERVISOR) -> tuple[int, int]:
    """Kamal's open call for fernando; answers its id and version."""
    in_stage(crowd, stage)
    with crowd.app.app_context():
        made = call_of(crowd.world, "fernando")
        db.session.commit()
        return made.id, made.version


def now(crowd):
    """The call and the patient's open entry, as committed."""
    with crowd.app.app_context():
        call = db.session.scalars(select(SupervisorCall)).one()
        entry = db.session.scalars(select(QueueEntry).where(QueueEntry.ended_at.is_(None))).one()
        db.session.expunge_all()
        return call, entry


def test_two_supervisors_press_coming_at_once_and_one_wins(crowd):
    world = crowd.world
    call_id, version = called(crowd)

    def coming(who):
        return lambda: calls.say_coming(call_id, version=version, minutes=3, actor=world.user(who)).supervisor_id

    answers = crowd.at_once([coming(who) for who in ("silva", "prado") * 3], people=6)
    won = [answer for answer in answers if isinstance(answer, int)]
    lost = [answer for answer in answers if not isinstance(answer, int)]
    assert len(won) == 1
    winner = {world.people["silva"]: "Dr Sunil Silva", world.people["prado"]: "Dr Ines Prado"}[won[0]]
    assert len(lost) == 5
    assert all(isinstance(loser, Conflict) for loser in lost)
    assert all(loser.sentence.startswith(f"{winner} is already coming: said so at ") for loser in lost)
    assert now(crowd)[0].supervisor_id == won[0]


@pytest.mark.parametrize("stage", [Stage.IN_CHAIR, Stage.IN_TREATMENT])
def test_many_presses_open_one_call(crowd, stage):
    entry_id, version = in_stage(crowd, stage)

    def press():
        user = crowd.world.user("kamal")
        return calls.call_supervisor(entry_id, version=version, reason=CallReason.HELP, actor=user).id

    answers = crowd.at_once([press] * 12, people=12)
    assert len([answer for answer in answers if isinstance(answer, int)]) == 1
    assert all(isinstance(answer, Conflict) for answer in answers if not isinstance(answer, int))
    with crowd.app.app_context():
        assert db.session.scalar(select(func.count(SupervisorCall.id))) == 1
        stages = db.session.scalars(select(QueueEntry.stage).where(QueueEntry.ended_at.is_(None))).all()
    assert stages == [Stage.IN_CHAIR if stage is Stage.IN_CHAIR else Stage.AWAITING_SUPERVISOR]


def test_coming_end_and_taking_back_at_once_leave_one_truth(crowd):
    world = crowd.world
    call_id, version = called(crowd)
    acts = [
        lambda: calls.say_coming(call_id, version=version, minutes=1, actor=world.user("silva")).id,
        lambda: calls.end_call(call_id, version=version, actor=world.user("prado")).id,
        lambda: calls.withdraw_call(call_id, version=version, actor=world.user("kamal")).id,
    ]
    answers = crowd.at_once(acts * 4, people=12)
    assert len([answer for answer in answers if isinstance(answer, int)]) == 1
    assert all(isinstance(answer, DomainError) for answer in answers if not isinstance(answer, int))
    call, entry = now(crowd)
    assert (call.ended_at is None) == (entry.stage is Stage.AWAITING_SUPERVISOR)


def test_a_call_made_while_the_patient_leaves_is_not_left_open(crowd):
    """From awaiting dismissal a call does not move the entry, so only the lock keeps call and checkout apart."""
    world = crowd.world
    entry_id, version = in_stage(crowd, Stage.AWAITING_DISMISSAL)

    def help_me():
        actor = world.user("kamal")
        return calls.call_supervisor(entry_id, version=version, reason=CallReason.HELP, actor=actor).id

    def check_out():
        return queue.move(entry_id, to=Stage.CHECKOUT, version=version, actor=world.user("silva")).id

    crowd.at_once([help_me, check_out] * 3, people=6)
    with crowd.app.app_context():
        stage = db.session.scalars(select(QueueEntry.stage).where(QueueEntry.ended_at.is_(None))).one()
        still = db.session.scalar(select(func.count(SupervisorCall.id)).where(SupervisorCall.ended_at.is_(None)))
    assert stage is Stage.CHECKOUT
    assert still == 0


def test_a_deadlock_in_calling_is_redone(crowd):
    """Somebody writes the call first and locks the entry then, the wrong way round, and has written more: the press is the victim."""
    entry_id, version = in_stage(crowd, Stage.IN_CHAIR)
    with crowd.app.app_context():
        engine = db.engine
        seated = db.session.get_one(QueueEntry, entry_id)
        call = {name: getattr(seated, name) for name in ("visit_id", "patient_id", "department_id")}

    def press():
        user = crowd.world.user("kamal")
        return calls.call_supervisor(entry_id, version=version, reason=CallReason.HELP, actor=user).id

    redone = crowd.redone[2]
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        student = {"student_id": crowd.world.people["kamal"], "reason": CallReason.HELP, "created_at": clock.now()}
        other.execute(insert(SupervisorCall).values(**call, **student))
        other.execute(text("UPDATE patient SET version = version + 1"))
        pressed = pool.submit(crowd.at_once, [press], people=1)
        await_a_wait(engine)
        other.execute(select(QueueEntry.id).where(QueueEntry.id == entry_id).with_for_update())
        other.rollback()
        (answer,) = pressed.result(30)
    assert isinstance(answer, int)
    assert crowd.redone[2] == redone + 1


def await_a_wait(engine) -> None:
    """Return as soon as somebody in this database waits for a lock."""
    waiting = text(
        "SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
        " ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'"
    )
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.15)  # the server looks anew only every tenth of a second
    raise AssertionError("nobody waits for a lock")
