"""Moves of the queue: each closes one entry and opens the next, by the right person, and can be taken back."""

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from clinic import acts, clock
from clinic.access import ROLE_PERMISSIONS, Permission
from clinic.acts import Act, Outcome
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import day
from clinic.models import (
    CHAIR_STAGES,
    FINAL_STAGES,
    AuditEvent,
    CallReason,
    Priority,
    QueueEntry,
    Role,
    Stage,
    SupervisorCall,
    VisitStatus,
)
from clinic.operations import chairs, queue, visits
from tests.noon import noon_in
from tests.operations.lifecycle import STAGE_MOVES

WAY = (Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.AWAITING_DISMISSAL, Stage.CHECKOUT, Stage.DONE)
WAYS = {Stage.AWAITING_SUPERVISOR: (Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.AWAITING_SUPERVISOR)}


@pytest.fixture
def noon(session, world):
    with noon_in(world) as day:
        yield day


@pytest.fixture
def at(noon, world):
    """`at(Stage.IN_CHAIR)`: perera's entry in that stage, in chair A2 where one is needed, moved by nimal a minute a move."""
    nimal = world.user("nimal")

    def moved_to(stage, name="perera", chair="A2"):
        entry = visits.check_in(world.visit(name), actor=nimal)
        if stage is Stage.WAITING:
            return entry
        noon.later(1)
        entry = queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs[chair], actor=nimal)
        way = WAYS.get(stage, WAY)
        for step in way[: way.index(stage) + 1] if stage in way else ():
            noon.later(1)
            entry = queue.move(entry.id, to=step, version=entry.version, actor=nimal)
        assert entry.stage is stage
        return entry

    return moved_to


def chain(entry):
    """The visit's history that was not undone, oldest first."""
    return db.session.scalars(
        select(QueueEntry)
        .where(QueueEntry.visit_id == entry.visit_id, QueueEntry.voided_at.is_(None))
        .order_by(QueueEntry.id)
    ).all()


def test_a_visit_goes_through_the_queue(session, world, at):
    last = at(Stage.DONE)
    entries = chain(last)
    assert [entry.stage for entry in entries] == [Stage.WAITING, Stage.CALLED, *WAY]
    for former, entry in itertools.pairwise(entries):
        assert entry.previous_id == former.id
        assert entry.started_at == former.ended_at == former.started_at + timedelta(minutes=1)
    assert last.ended_at == last.started_at
    assert [entry.chair_id is not None for entry in entries] == [entry.stage in CHAIR_STAGES for entry in entries]
    visit = world.visit("perera")
    assert (visit.status, visit.completed_at, visit.outcome) == (VisitStatus.COMPLETED, last.started_at, "Finished")
    assert f"queue:{last.department_id}" in session.info["nudges"]


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in FINAL_STAGES])
def test_only_the_moves_of_the_lifecycle_are_possible(at, world, stage):
    entry = at(stage)
    for to in Stage:
        if acts.plain_move(stage, to) is None:
            with pytest.raises(DomainError, match="Ana Perera is"):
                queue.move(entry.id, to=to, version=entry.version, actor=world.user("nimal"))


def test_the_acts_are_the_moves_of_the_lifecycle():
    moves = {(stage, to) for stage, targets in STAGE_MOVES.items() for to in targets}
    assert {(stage, act.to) for act in Act for stage in acts.FROM[act] if act.to} == moves


@pytest.mark.parametrize(
    ("act", "permission"),
    [
        (Act.CALL, Permission.CALL_PATIENT),
        (Act.SEAT, Permission.MOVE_QUEUE),
        (Act.LEAVE, Permission.MOVE_QUEUE),
        (Act.SET_PRIORITY, Permission.ORDER_QUEUE),
        (Act.SET_PLACE, Permission.ORDER_QUEUE),
        (Act.TRANSFER, Permission.TRANSFER_QUEUE),
        (Act.FINISH, Permission.CHECK_OUT),
    ],
)
def test_the_acts_of_a_role_are_those_its_permissions_allow(act, permission):
    assert acts.BY[act] == {role for role in Role if permission in ROLE_PERMISSIONS[role]}


@pytest.mark.parametrize(
    ("name", "stage", "to", "allowed"),
    [
        ("leela", Stage.CALLED, Stage.IN_CHAIR, True),
        ("kamal", Stage.CALLED, Stage.IN_CHAIR, False),  # perera was his; the visit is leela's
        ("omar", Stage.CALLED, Stage.IN_CHAIR, False),
        ("silva", Stage.CALLED, Stage.IN_CHAIR, True),
        ("sato", Stage.CALLED, Stage.IN_CHAIR, False),
        ("ruwan", Stage.CALLED, Stage.IN_CHAIR, True),
        ("adel", Stage.CALLED, Stage.IN_CHAIR, False),
        ("leela", Stage.AWAITING_DISMISSAL, Stage.CHECKOUT, False),
        ("silva", Stage.AWAITING_DISMISSAL, Stage.CHECKOUT, True),
        ("leela", Stage.CHECKOUT, Stage.DONE, False),
        ("silva", Stage.CHECKOUT, Stage.DONE, False),
        ("rita", Stage.CHECKOUT, Stage.DONE, True),
    ],
)
def test_who_may_move_whom(at, world, name, stage, to, allowed):
    entry = at(stage)
    if allowed:
        assert queue.move(entry.id, to=to, version=entry.version, actor=world.user(name)).stage is to
    else:
        with pytest.raises(NotAllowed):
            queue.move(entry.id, to=to, version=entry.version, actor=world.user(name))
        assert entry.is_open


def test_a_student_whose_assignment_ended_moves_nobody(at, world, session):
    entry = at(Stage.CALLED)
    session.execute(
        db.text("UPDATE assignment SET ends_at = starts_at WHERE user_id = :id"), {"id": world.people["leela"]}
    )
    with pytest.raises(NotAllowed, match="not in your care"):
        queue.move(entry.id, to=Stage.IN_CHAIR, version=entry.version, actor=world.user("leela"))


def test_a_stale_call_says_who_did_what_and_when(at, world, noon):
    waiting = at(Stage.WAITING)
    seen = waiting.version
    noon.later(125)
    queue.call_to_chair(waiting.id, version=seen, chair_id=world.chairs["A2"], actor=world.user("rita"))
    with pytest.raises(Conflict) as refusal:
        queue.call_to_chair(waiting.id, version=seen, chair_id=world.chairs["A3"], actor=world.user("ruwan"))
    assert refusal.value.sentence == "Ana Perera was called to chair A2 by Rita Gomes at 14:05."


def test_every_act_refuses_a_stale_version(at, world):
    nimal, restorative = world.user("nimal"), world.departments["orthodontics"]
    entry = at(Stage.WAITING)
    seen = entry.version
    queue.set_priority(entry.id, version=seen, priority=Priority.HIGH, reason="In pain", actor=nimal)
    stale = {"version": seen, "actor": nimal}
    for act in (
        lambda: queue.call_to_chair(entry.id, chair_id=world.chairs["A2"], **stale),
        lambda: queue.call_again(entry.id, **stale),
        lambda: queue.put_back(entry.id, **stale),
        lambda: queue.move(entry.id, to=Stage.IN_CHAIR, **stale),
        lambda: queue.change_chair(entry.id, chair_id=world.chairs["A2"], **stale),
        lambda: queue.leave_unseen(entry.id, reason="Had to go", **stale),
        lambda: queue.transfer(entry.id, department_id=restorative, reason="Wrong door", **stale),
        lambda: queue.set_priority(entry.id, priority=Priority.LOW, reason="Can wait", **stale),
        lambda: queue.set_place(entry.id, first=True, reason="Asthma", **stale),
        lambda: queue.undo_last_move(entry.id, **stale),
    ):
        with pytest.raises(Conflict, match="Ana Perera was given priority “high” by Nimal Costa at 12:00"):
            act()


def test_a_chair_must_be_free_in_service_and_of_the_department(at, world, noon):
    at(Stage.CALLED, "fernando", "A1")
    entry, nimal = at(Stage.WAITING), world.user("nimal")
    for chair, error, sentence in (
        ("A1", Conflict, "Chair A1 was taken for Nimali Fernando by Nimal Costa at 12:01. Choose another."),
        ("A4", DomainError, "Chair A4 is out of service: Compressor is being repaired. Choose another."),
        ("B1", DomainError, "Choose a chair of the department in whose queue the patient is."),
    ):
        with pytest.raises(error) as refusal:
            queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs[chair], actor=nimal)
        assert refusal.value.sentence == sentence
    with pytest.raises(DomainError, match="Choose a chair"):
        queue.call_to_chair(entry.id, version=entry.version, chair_id=10**9, actor=nimal)


def test_the_database_holds_one_patient_per_chair_and_names_who_was_faster(at, world, monkeypatch):
    """What a race past the first look meets: the unique key."""
    at(Stage.CALLED, "fernando", "A1")
    entry, nimal = at(Stage.WAITING), world.user("nimal")
    monkeypatch.setattr(queue, "_free_chair", lambda chair_id, entry: world.chair("A1"))
    with pytest.raises(Conflict, match="Chair A1 was taken for Nimali Fernando by Nimal Costa at 12:01"):
        queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A1"], actor=nimal)


def test_the_database_holds_one_entry_per_patient_and_says_where(at, world, monkeypatch):
    at(Stage.WAITING)
    monkeypatch.setattr(visits, "refuse_if_in_queue", lambda patient: None)
    with pytest.raises(DomainError, match="Ana Perera is already in the queue: waiting in Restorative"):
        visits.add_walk_in(
            patient=world.patient("perera"),
            department=world.department("orthodontics"),
            reason="Pain",
            actor=world.user("ruwan"),
        )


def test_another_fault_of_the_database_is_not_taken_for_a_rule(at, world):
    entry = at(Stage.WAITING)
    with pytest.raises(IntegrityError):
        queue._insert(
            {
                "visit_id": 10**9,
                "patient_id": world.patients["nadia"],
                "department_id": entry.department_id,
                "stage": Stage.WAITING,
                "started_at": clock.now(),
                "queued_at": clock.now(),
                "moved_by_id": entry.moved_by_id,
            }
        )


def test_calling_again_counts_and_keeps_the_stage_running(at, world, noon):
    entry = at(Stage.CALLED)
    began = entry.started_at
    noon.later(3)
    again = queue.call_again(entry.id, version=entry.version, actor=world.user("leela"))
    assert (again.id, again.calls, again.started_at, again.last_called_at) == (entry.id, 2, began, clock.now())


def test_a_no_show_goes_to_the_end_of_the_line_and_keeps_the_count(at, world, noon):
    entry, nimal = at(Stage.WAITING), world.user("nimal")
    queue.set_place(entry.id, version=entry.version, first=True, reason="Came by ambulance", actor=nimal)
    entry = queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A2"], actor=nimal)
    noon.later(5)
    back = queue.put_back(entry.id, version=entry.version, actor=nimal)
    assert (back.stage, back.calls, back.weight, back.chair_id) == (Stage.WAITING, 1, 0, None)
    assert back.queued_at == back.started_at == clock.now()
    again = queue.call_to_chair(back.id, version=back.version, chair_id=world.chairs["A2"], actor=nimal)
    assert again.calls == 2


def test_another_chair_in_the_same_stage(at, world, noon):
    at(Stage.CALLED, "fernando", "A1")
    entry, leela = at(Stage.IN_TREATMENT), world.user("leela")
    began = entry.started_at
    with pytest.raises(Conflict, match="Chair A1 was taken for Nimali Fernando"):
        queue.change_chair(entry.id, version=entry.version, chair_id=world.chairs["A1"], actor=leela)
    noon.later(1)
    seen = entry.version
    moved = queue.change_chair(entry.id, version=seen, chair_id=world.chairs["A3"], actor=leela)
    assert (moved.id, moved.chair_id, moved.started_at) == (entry.id, world.chairs["A3"], began)
    assert moved.version > seen


def test_who_has_no_chair_changes_none(at, world):
    entry = at(Stage.CHECKOUT)
    with pytest.raises(DomainError, match="is at checkout; “Change chair” is not possible from there"):
        queue.change_chair(entry.id, version=entry.version, chair_id=world.chairs["A3"], actor=world.user("leela"))


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.CALLED, Stage.IN_CHAIR])
def test_leaving_unseen_ends_the_visit(at, world, stage):
    entry = at(stage)
    left = queue.leave_unseen(entry.id, version=entry.version, reason="Had to go to work", actor=world.user("leela"))
    visit = world.visit("perera")
    assert (left.stage, left.is_open, left.chair_id) == (Stage.LEFT, False, None)
    assert (visit.status, visit.outcome) == (
        VisitStatus.COMPLETED,
        "Left without being seen: Had to go to work",
    )


def test_nobody_leaves_unseen_after_treatment_began_or_without_a_reason(at, world):
    entry, nimal = at(Stage.IN_CHAIR), world.user("nimal")
    with pytest.raises(DomainError, match="Say why"):
        queue.leave_unseen(entry.id, version=entry.version, reason=" ", actor=nimal)
    entry = queue.move(entry.id, to=Stage.IN_TREATMENT, version=entry.version, actor=nimal)
    with pytest.raises(DomainError, match="is in treatment"):
        queue.leave_unseen(entry.id, version=entry.version, reason="Had to go", actor=nimal)


@pytest.mark.parametrize("stage", [Stage.WAITING, Stage.CALLED, Stage.IN_CHAIR])
def test_a_transfer_opens_a_wait_with_a_new_ticket_and_keeps_the_place(at, world, session, stage):
    entry = at(stage)
    joined, orthodontics = entry.queued_at, world.departments["orthodontics"]
    moved = queue.transfer(
        entry.id, version=entry.version, department_id=orthodontics, reason="Needs a bracket", actor=world.user("silva")
    )
    assert (moved.stage, moved.department_id, moved.queued_at) == (Stage.WAITING, orthodontics, joined)
    assert (moved.calls, moved.chair_id, moved.note) == (0, None, "Needs a bracket")
    visit = world.visit("perera")
    assert (visit.ticket, visit.department_id, visit.status) == ("B-001", orthodontics, VisitStatus.ARRIVED)
    assert [entry.stage for entry in chain(moved)[-2:]] == [Stage.TRANSFERRED, Stage.WAITING]
    assert set(session.info["nudges"]) >= {f"queue:{number}" for number in world.departments.values()}
    back = queue.undo_last_move(moved.id, version=moved.version, actor=world.user("silva"))
    assert (back.id, back.is_open, back.stage) == (entry.id, True, stage)
    assert (visit.ticket, visit.department_id) == ("A-001", world.departments["restorative"])


def test_a_transfer_goes_to_another_open_department(at, world):
    entry, nimal = at(Stage.WAITING), world.user("nimal")
    with pytest.raises(DomainError, match="already in Restorative"):
        queue.transfer(entry.id, version=1, department_id=entry.department_id, reason="Wrong", actor=nimal)
    world.department("orthodontics").active = False
    with pytest.raises(DomainError, match="takes no patients"):
        queue.transfer(
            entry.id, version=1, department_id=world.departments["orthodontics"], reason="Wrong", actor=nimal
        )


def test_priority_and_place_are_for_those_who_wait_and_need_a_reason(at, world):
    entry, ruwan = at(Stage.WAITING), world.user("ruwan")
    with pytest.raises(DomainError, match="Say why"):
        queue.set_priority(entry.id, version=1, priority=Priority.URGENT, reason="", actor=ruwan)
    with pytest.raises(DomainError, match="Say why"):
        queue.set_place(entry.id, version=1, first=True, reason="", actor=ruwan)
    with pytest.raises(NotAllowed):
        queue.set_priority(entry.id, version=1, priority=Priority.URGENT, reason="Pain", actor=world.user("leela"))
    queue.set_priority(entry.id, version=1, priority=Priority.URGENT, reason="Swelling", actor=ruwan)
    assert (entry.priority, entry.priority_reason) == (Priority.URGENT, "Swelling")
    queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A2"], actor=ruwan)
    called = chain(entry)[-1]
    for act in (
        lambda: queue.set_priority(
            called.id, version=called.version, priority=Priority.LOW, reason="Better", actor=ruwan
        ),
        lambda: queue.set_place(called.id, version=called.version, first=False, reason="Later", actor=ruwan),
    ):
        with pytest.raises(DomainError, match="is called"):
            act()


def test_a_place_set_by_hand_says_who_and_why_and_can_be_taken_away(at, world):
    other, entry, rita = at(Stage.WAITING, "fernando"), at(Stage.WAITING), world.user("rita")
    queue.set_place(other.id, version=1, first=True, reason="Wheelchair taxi waits", actor=rita)
    queue.set_place(entry.id, version=1, first=True, reason="Small child", actor=rita)
    assert entry.weight > other.weight > 0
    assert (entry.weight_by_id, entry.weight_reason) == (rita.id, "Small child")
    queue.set_place(entry.id, version=entry.version, first=False, reason="Went for a walk", actor=rita)
    assert entry.weight < 0
    queue.set_place(entry.id, version=entry.version, first=None, reason="", actor=rita)
    assert (entry.weight, entry.weight_by_id, entry.weight_reason) == (0, None, None)


# --- undo -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.CALLED, Stage.IN_CHAIR, Stage.IN_TREATMENT, Stage.CHECKOUT, Stage.DONE])
def test_undo_opens_the_former_entry_and_voids_the_later(at, world, stage):
    entry = at(stage)
    former = db.session.get_one(QueueEntry, entry.previous_id)
    back = queue.undo_last_move(entry.id, version=entry.version, actor=world.user("nimal"))
    assert (back.id, back.is_open, back.voided_at) == (former.id, True, None)
    assert entry.voided_at == clock.now()
    assert not entry.is_open
    assert world.visit("perera").status is VisitStatus.ARRIVED
    assert world.visit("perera").completed_at is None
    assert world.visit("perera").ticket == "A-001"


def test_undo_of_leaving_brings_the_patient_back(at, world):
    entry = at(Stage.CALLED)
    left = queue.leave_unseen(entry.id, version=entry.version, reason="Not found", actor=world.user("ruwan"))
    back = queue.undo_last_move(left.id, version=left.version, actor=world.user("ruwan"))
    assert (back.id, back.stage, back.chair_id) == (entry.id, Stage.CALLED, world.chairs["A2"])
    assert world.visit("perera").outcome is None


def test_undo_of_a_check_in_puts_the_visit_back_to_scheduled(at, world, session):
    entry = at(Stage.WAITING)
    voided = queue.undo_last_move(entry.id, version=entry.version, actor=world.user("nimal"))
    visit = world.visit("perera")
    assert voided.voided_at is not None
    assert (visit.status, visit.ticket, visit.arrived_at) == (VisitStatus.SCHEDULED, None, None)
    again = visits.check_in(visit, actor=world.user("ruwan"))
    assert again.is_open


def test_undo_of_a_walk_in_cancels_its_visit(world, noon):
    ruwan = world.user("ruwan")
    entry = visits.add_walk_in(
        patient=world.patient("nadia"), department=world.department("restorative"), reason="Pain", actor=ruwan
    )
    queue.undo_last_move(entry.id, version=entry.version, actor=ruwan)
    visit = db.session.get_one(visits.Visit, entry.visit_id)
    assert (visit.status, visit.outcome) == (VisitStatus.CANCELLED, "Added by mistake")


def test_undo_is_for_the_same_person_or_a_nurse_and_only_for_a_while(at, world, noon):
    waiting = at(Stage.WAITING)
    leela = world.user("leela")
    entry = queue.call_to_chair(waiting.id, version=1, chair_id=world.chairs["A2"], actor=leela)
    with pytest.raises(DomainError, match="Leela Nair did this. Leela Nair or a nurse can undo it."):
        queue.undo_last_move(entry.id, version=1, actor=world.user("ruwan"))
    noon.later(10.1)
    for name in ("leela", "nimal"):
        with pytest.raises(DomainError, match="more than 10 minutes ago"):
            queue.undo_last_move(entry.id, version=1, actor=world.user(name))


def test_only_the_last_move_is_undone(at, world):
    entry = at(Stage.IN_CHAIR)
    former = db.session.get_one(QueueEntry, entry.previous_id)
    with pytest.raises(Conflict, match="Ana Perera was moved to “in the chair” by Nimal Costa at 12:02"):
        queue.undo_last_move(former.id, version=former.version, actor=world.user("nimal"))
    queue.undo_last_move(entry.id, version=entry.version, actor=world.user("nimal"))
    with pytest.raises(
        Conflict, match="The move of Ana Perera to “in the chair” was undone; now called by Nimal Costa"
    ):
        queue.undo_last_move(entry.id, version=entry.version, actor=world.user("nimal"))


def test_undo_is_refused_when_the_chair_was_taken_meanwhile(at, world):
    entry = at(Stage.CHECKOUT)
    at(Stage.CALLED, "fernando", "A2")
    with pytest.raises(Conflict, match="Chair A2 was taken for Nimali Fernando by Nimal Costa"):
        queue.undo_last_move(entry.id, version=entry.version, actor=world.user("nimal"))
    assert entry.is_open


def test_undo_is_refused_when_the_chair_went_out_of_service(at, world):
    entry, nimal = at(Stage.CHECKOUT), world.user("nimal")
    chairs.take_out_of_service(world.chair("A2"), reason="Lamp", version=world.chair("A2").version, actor=nimal)
    with pytest.raises(DomainError, match="Chair A2 is out of service"):
        queue.undo_last_move(entry.id, version=entry.version, actor=nimal)


def test_undo_is_refused_when_the_patient_is_in_a_queue_again(at, world):
    entry = at(Stage.DONE)
    visits.add_walk_in(
        patient=world.patient("perera"),
        department=world.department("orthodontics"),
        reason="Pain",
        actor=world.user("ruwan"),
    )
    with pytest.raises(DomainError, match="already in the queue: waiting in Orthodontics with ticket B-001"):
        queue.undo_last_move(entry.id, version=entry.version, actor=world.user("nimal"))
    assert world.visit("perera").status is VisitStatus.COMPLETED


def test_the_call_for_a_supervisor_ends_with_care(at, world, session):
    entry, silva = at(Stage.AWAITING_DISMISSAL), world.user("silva")
    call = SupervisorCall(
        visit_id=entry.visit_id,
        patient_id=entry.patient_id,
        department_id=entry.department_id,
        student_id=world.people["leela"],
        reason=CallReason.SIGN_OFF,
        created_at=clock.now(),
    )
    session.add(call)
    session.flush()
    queue.move(entry.id, to=Stage.CHECKOUT, version=entry.version, actor=silva)
    assert (call.ended_at, call.ended_by_id, call.withdrawn) == (clock.now(), silva.id, False)
    assert f"calls:{entry.department_id}" in session.info["nudges"]


# --- closing the day --------------------------------------------------------------------------------------------------


def test_closing_the_day_gives_each_patient_an_outcome(at, world, session):
    treated, unseen = at(Stage.IN_TREATMENT, "fernando", "A1"), at(Stage.WAITING)
    elsewhere = at(Stage.WAITING, "wu")
    ruwan, department = world.user("ruwan"), world.department("restorative")
    closed = queue.close_day(
        department, outcomes={treated.id: Outcome.DID_NOT_FINISH, unseen.id: Outcome.LEFT}, actor=ruwan
    )
    assert [entry.stage for entry in closed] == [Stage.DONE, Stage.LEFT]
    assert [world.visit(name).outcome for name in ("fernando", "perera")] == [
        "Did not finish today",
        "Left without being seen",
    ]
    assert {world.visit(name).status for name in ("fernando", "perera")} == {VisitStatus.COMPLETED}
    assert elsewhere.is_open
    acts_told = session.scalars(select(AuditEvent.act).order_by(AuditEvent.id.desc()).limit(2)).all()
    assert acts_told == ["queue.close_day"] * 2


def test_closing_the_day_may_carry_a_patient_over(at, world):
    entry = at(Stage.IN_TREATMENT)
    [kept] = queue.close_day(
        world.department("restorative"), outcomes={entry.id: Outcome.CARRY_OVER}, actor=world.user("nimal")
    )
    assert kept.is_open
    assert kept.note == f"Carried over from {day(clock.now())}"


def test_nobody_is_forgotten_when_the_day_closes(at, world):
    at(Stage.WAITING, "fernando")
    entry, ruwan, department = at(Stage.CALLED), world.user("ruwan"), world.department("restorative")
    with pytest.raises(DomainError, match="without an outcome: Nimali Fernando"):
        queue.close_day(department, outcomes={entry.id: Outcome.LEFT}, actor=ruwan)
    stale = db.session.get_one(QueueEntry, entry.previous_id)
    with pytest.raises(Conflict, match="Ana Perera was called to chair A2 by Nimal Costa"):
        queue.close_day(department, outcomes={stale.id: Outcome.LEFT}, actor=ruwan)
    with pytest.raises(NotAllowed):
        queue.close_day(department, outcomes={}, actor=world.user("leela"))


def test_an_outcome_fits_how_far_the_visit_came(at, world):
    unseen, treated = at(Stage.WAITING), at(Stage.IN_TREATMENT, "fernando", "A1")
    department, ruwan = world.department("restorative"), world.user("ruwan")
    for first, second in ((Outcome.DONE, Outcome.DONE), (Outcome.LEFT, Outcome.LEFT)):
        with pytest.raises(DomainError, match="does not fit"):
            queue.close_day(department, outcomes={unseen.id: first, treated.id: second}, actor=ruwan)
        db.session.expire_all()
