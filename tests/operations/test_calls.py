"""The student's call for a supervisor: what it moves, what it refuses, who wins."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.models import AuditEvent, CallReason, Change, Role, Stage, SupervisorCall
from clinic.operations import queue
from clinic.operations.calls import (
    CALL_STAGES,
    call_supervisor,
    end_call,
    end_calls_of,
    pass_on,
    say_coming,
    withdraw_call,
)
from tests.scene import call_of, entry_of, put_in_queue, second_supervisor

TEN = datetime(2031, 3, 3, 10, 0, tzinfo=UTC)


def call(world, patient="fernando", reason=CallReason.HELP, student="kamal", **options):
    entry = entry_of(world, patient)
    return call_supervisor(entry.id, version=entry.version, reason=reason, actor=world.user(student), **options)


def test_a_call_out_of_treatment_awaits_the_supervisor(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world, note="  margin at 36  ")
    assert made.note == "margin at 36"
    assert entry_of(world, "fernando").stage is Stage.AWAITING_SUPERVISOR


@pytest.mark.parametrize("reason", [CallReason.EMERGENCY, CallReason.START_CHECK, CallReason.HELP])
def test_a_call_from_the_chair_leaves_the_patient_where_they_are(session, world, reason):
    entry = put_in_queue(world, "fernando", Stage.IN_CHAIR)
    call(world, reason=reason)
    assert entry_of(world, "fernando").id == entry.id


@pytest.mark.parametrize(
    ("reason", "stage"),
    [(reason, stage) for reason in CallReason for stage in Stage if stage not in CALL_STAGES[reason]],
)
def test_a_call_from_any_other_stage_is_refused(session, world, reason, stage):
    entry = put_in_queue(world, "fernando", stage)
    if stage in (Stage.DONE, Stage.LEFT, Stage.TRANSFERRED):
        entry.ended_at = entry.started_at
        db.session.flush()
    with pytest.raises(DomainError):
        call_supervisor(entry.id, version=entry.version, reason=reason, actor=world.user("kamal"))
    assert db.session.scalar(select(func.count(SupervisorCall.id))) == 0


def test_a_call_from_an_old_card_is_refused(session, world):
    entry = put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    with pytest.raises(Conflict, match="moved since you looked"):
        call_supervisor(entry.id, version=entry.version - 1, reason=CallReason.HELP, actor=world.user("kamal"))


def test_one_call_is_open_per_visit(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    call(world)
    with pytest.raises(Conflict, match="Kamal Dias called at .* for help"):
        call(world, reason=CallReason.STEP_CHECK)


def test_the_database_holds_one_open_call_per_visit(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    call_of(world, "fernando")
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        call_of(world, "fernando")


def test_an_emergency_raises_the_open_call_and_keeps_its_wait(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    first = call(world, note="margin")
    raised = call(world, reason=CallReason.EMERGENCY)
    assert raised.id == first.id
    assert (raised.reason, raised.note) == (CallReason.EMERGENCY, "margin")
    with pytest.raises(Conflict):
        call(world, reason=CallReason.EMERGENCY)


def test_an_emergency_is_called_from_where_the_patient_is_now(session, world):
    put_in_queue(world, "fernando", Stage.IN_CHAIR)
    seen = entry_of(world, "fernando")
    version = seen.version
    moved = queue.move(seen.id, to=Stage.IN_TREATMENT, version=version, actor=world.user("ruwan"))
    with pytest.raises(Conflict, match="moved since you looked"):
        call_supervisor(seen.id, version=version, reason=CallReason.HELP, actor=world.user("kamal"))
    made = call_supervisor(seen.id, version=version, reason=CallReason.EMERGENCY, actor=world.user("kamal"))
    assert made.reason is CallReason.EMERGENCY
    assert entry_of(world, "fernando").stage is Stage.AWAITING_SUPERVISOR
    assert moved.id != seen.id


def test_coming_names_who_and_when(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    with clock.frozen(TEN):
        say_coming(made.id, version=made.version, minutes=3, actor=world.user("silva"))
    assert (made.supervisor_id, made.coming_at, made.coming_minutes) == (world.people["silva"], TEN, 3)
    with pytest.raises(DomainError, match="1, 3, 5 or 10"):
        say_coming(made.id, version=made.version, minutes=4, actor=world.user("silva"))


def test_the_second_supervisor_is_told_who_was_faster(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    seen = made.version
    prado = second_supervisor(world)
    with clock.frozen(TEN):
        say_coming(made.id, version=seen, minutes=3, actor=world.user("silva"))
    with pytest.raises(Conflict, match="Dr Sunil Silva is already coming: said so at 15:30, about 3 min"):
        say_coming(made.id, version=seen, minutes=1, actor=prado)


def test_another_supervisor_may_take_over_knowingly(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    prado = second_supervisor(world)
    say_coming(made.id, version=made.version, minutes=10, actor=world.user("silva"))
    say_coming(made.id, version=made.version, minutes=1, actor=prado)
    assert made.supervisor_id == prado.id


def test_passing_on_puts_the_call_back_in_line_for_a_colleague(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    asked_at = made.created_at
    prado = second_supervisor(world)
    say_coming(made.id, version=made.version, minutes=3, actor=world.user("silva"))
    seen = made.version
    pass_on(made.id, version=seen, to=prado, note="crown margin, yours", actor=world.user("silva"))
    assert (made.supervisor_id, made.coming_at, made.coming_minutes) == (prado.id, None, None)
    assert (made.passed_by_id, made.pass_note, made.created_at) == (
        world.people["silva"],
        "crown margin, yours",
        asked_at,
    )
    with pytest.raises(Conflict, match="Dr Sunil Silva has passed this call on to Dr Ines Prado"):
        say_coming(made.id, version=seen, minutes=3, actor=world.user("silva"))


def test_a_call_is_passed_only_within_its_department(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    gone = second_supervisor(world)
    gone.active = False
    for to in ("sato", "kamal", "nimal"):
        with pytest.raises(DomainError, match="own department"):
            pass_on(made.id, version=made.version, to=world.user(to), actor=world.user("silva"))
    with pytest.raises(DomainError, match="own department"):
        pass_on(made.id, version=made.version, to=gone, actor=world.user("silva"))
    with pytest.raises(DomainError, match="already with you"):
        pass_on(made.id, version=made.version, to=world.user("silva"), actor=world.user("silva"))


def test_the_end_moves_the_patient_back_to_treatment(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    end_call(made.id, version=made.version, actor=world.user("silva"))
    assert entry_of(world, "fernando").stage is Stage.IN_TREATMENT
    assert (made.ended_by_id, made.supervisor_id, made.withdrawn) == (
        world.people["silva"],
        world.people["silva"],
        False,
    )
    call(world, reason=CallReason.STEP_CHECK)


def test_the_end_of_a_call_from_the_chair_moves_nobody(session, world):
    entry = put_in_queue(world, "fernando", Stage.IN_CHAIR)
    made = call(world, reason=CallReason.START_CHECK)
    end_call(made.id, version=made.version, actor=world.user("silva"))
    assert entry_of(world, "fernando").id == entry.id


def test_the_student_takes_the_call_back(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    seen = made.version
    with clock.frozen(TEN):
        withdraw_call(made.id, version=seen, actor=world.user("kamal"))
    assert made.withdrawn
    assert entry_of(world, "fernando").stage is Stage.IN_TREATMENT
    with pytest.raises(Conflict, match="Kamal Dias took this call back at 15:30"):
        say_coming(made.id, version=seen, minutes=3, actor=world.user("silva"))
    with pytest.raises(Conflict, match="took this call back"):
        withdraw_call(made.id, version=made.version, actor=world.user("kamal"))


def test_only_the_caller_takes_a_call_back(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    with pytest.raises(DomainError, match="Only Kamal Dias"):
        withdraw_call(made.id, version=made.version, actor=world.user("leela"))


def test_calls_end_with_the_visit(session, world):
    put_in_queue(world, "fernando", Stage.IN_CHAIR)
    unanswered = call(world)
    end_calls_of(world.visits["fernando"], actor=world.user("nimal"))
    assert unanswered.ended_at
    assert unanswered.withdrawn
    answered = call(world)
    say_coming(answered.id, version=answered.version, minutes=1, actor=world.user("silva"))
    end_calls_of(world.visits["fernando"], actor=world.user("nimal"))
    assert answered.ended_at
    assert not answered.withdrawn
    end_calls_of(world.visits["fernando"], actor=world.user("nimal"))


def test_whoever_waits_in_the_line_hears_of_every_call(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    put_in_queue(world, "perera", Stage.IN_TREATMENT)
    first = call(world)
    call(world, "perera", student="leela")
    db.session.commit()
    before = db.session.scalar(select(func.max(Change.seq)))
    end_call(first.id, version=first.version, actor=world.user("silva"))
    db.session.commit()
    topics = set(db.session.scalars(select(Change.topic).where(Change.seq > before)))
    assert {f"person:{world.people['kamal']}", f"person:{world.people['leela']}"} <= topics


def test_every_act_is_audited_and_nudges_whoever_shows_it(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    prado = second_supervisor(world)
    db.session.commit()
    restorative = world.departments["restorative"]
    acts = [
        lambda made: call(world),
        lambda made: call(world, reason=CallReason.EMERGENCY),
        lambda made: say_coming(made.id, version=made.version, minutes=5, actor=world.user("silva")),
        lambda made: pass_on(made.id, version=made.version, to=prado, actor=world.user("silva")),
        lambda made: end_call(made.id, version=made.version, actor=prado),
    ]
    made = None
    for act in acts:
        before = db.session.scalar(select(func.max(Change.seq))) or 0
        made = act(made)
        db.session.commit()
        topics = set(db.session.scalars(select(Change.topic).where(Change.seq > before)))
        assert topics == {f"calls:{restorative}", f"queue:{restorative}", f"person:{world.people['kamal']}"}
    made = call(world)
    withdraw_call(made.id, version=made.version, actor=world.user("kamal"))
    told = db.session.scalars(select(AuditEvent.act).where(AuditEvent.act.like("call.%")).order_by(AuditEvent.id)).all()
    assert told == ["call.open", "call.raise", "call.coming", "call.pass_on", "call.end", "call.open", "call.withdraw"]
    assert all(
        patient == world.patients["fernando"]
        for patient in db.session.scalars(select(AuditEvent.patient_id).where(AuditEvent.act.like("call.%")))
    )


def test_the_roles_of_the_world_are_as_this_file_expects(session, world):
    assert world.user("silva").role is Role.SUPERVISOR
    assert world.user("silva").department_id == world.visit("fernando").department_id


@pytest.mark.parametrize(
    ("stage", "to", "by", "ends"),
    [
        (Stage.AWAITING_SUPERVISOR, Stage.IN_TREATMENT, "nimal", True),
        (Stage.AWAITING_DISMISSAL, Stage.CHECKOUT, "silva", True),
        (Stage.IN_CHAIR, Stage.IN_TREATMENT, "kamal", False),
        (Stage.IN_TREATMENT, Stage.AWAITING_DISMISSAL, "kamal", False),
    ],
)
def test_moving_on_by_hand_ends_the_call_when_the_patient_leaves_service(session, world, stage, to, by, ends):
    entry = put_in_queue(world, "fernando", stage)
    made = call_of(world, "fernando", at=entry.started_at)
    queue.move(entry.id, to=to, version=entry.version, actor=world.user(by))
    assert (made.ended_at is not None) is ends
    if ends:
        assert made.withdrawn is (by != "silva")  # the supervisor who moves has been there


def test_leaving_and_transfer_end_the_call(session, world):
    left = put_in_queue(world, "fernando", Stage.IN_CHAIR)
    made = call_of(world, "fernando")
    queue.leave_unseen(left.id, version=left.version, reason="Went home", actor=world.user("nimal"))
    assert made.ended_at
    gone = put_in_queue(world, "perera", Stage.IN_CHAIR)
    other = call_of(world, "perera", "leela")
    queue.transfer(
        gone.id,
        version=gone.version,
        department_id=world.departments["orthodontics"],
        reason="Needs braces",
        actor=world.user("nimal"),
    )
    assert other.ended_at


def test_undoing_the_move_of_a_call_ends_the_call(session, world):
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    made = call(world)
    now = entry_of(world, "fernando")
    queue.undo_last_move(now.id, version=now.version, actor=world.user("kamal"))
    assert made.ended_at
    assert entry_of(world, "fernando").stage is Stage.IN_TREATMENT
