"""The board and one's own queue: who sees whom, in which order, with what on the card, in a constant number of queries."""

from datetime import date, timedelta

import pytest

from clinic import clock, settings
from clinic.acts import Act
from clinic.models import (
    Assignment,
    AssignmentKind,
    CallReason,
    Chair,
    Patient,
    Priority,
    QueueEntry,
    Role,
    Severity,
    Sex,
    Stage,
    SupervisorCall,
    Visit,
    VisitStatus,
)
from clinic.operations import queue, visits
from clinic.queries.queue import (
    MOST_DONE,
    board_for,
    chairs_of,
    entry_for,
    free_chairs,
    my_queue_for,
    next_in_line,
    open_entries,
    row_for,
)
from clinic.text import sort_key
from tests.noon import noon_in
from tests.queries_counted import counted


@pytest.fixture
def noon(session, world):
    with noon_in(world) as day:
        yield day


@pytest.fixture
def restorative(world):
    return world.departments["restorative"]


@pytest.fixture
def crowd_of(session, world, restorative):
    """Open entries, visits to come and visits done, `number` of each, with people, chairs, alerts and calls."""

    def gather(number):
        at = clock.now()
        for index in range(3 * number):
            patient = Patient(
                code=f"Q-{index:05d}",
                name=f"Patient {index}",
                sort_name=sort_key(f"Patient {index}"),
                birth_date=date(1990, 1, 1),
                sex=Sex.UNKNOWN,
                created_at=at,
                created_by_id=world.people["ruwan"],
            )
            session.add(patient)
            session.flush()
            session.add(
                Assignment(
                    patient_id=patient.id,
                    user_id=world.people["kamal"],
                    kind=AssignmentKind.PRIMARY,
                    starts_at=at - timedelta(days=1),
                    created_by_id=world.people["silva"],
                )
            )
            kind = index % 3
            visit = Visit(
                patient_id=patient.id,
                department_id=restorative,
                starts_at=at,
                student_id=world.people["kamal"],
                supervisor_id=world.people["silva"],
                status=(VisitStatus.ARRIVED, VisitStatus.SCHEDULED, VisitStatus.COMPLETED)[kind],
                ticket=f"A-{index:03d}",
                arrived_at=None if kind == 1 else at,
                created_at=at,
                created_by_id=world.people["ruwan"],
            )
            chair = Chair(department_id=restorative, name=f"C{index}")
            session.add_all([visit, chair])
            session.flush()
            if kind != 1:
                entry = QueueEntry(
                    visit_id=visit.id,
                    patient_id=patient.id,
                    department_id=restorative,
                    stage=(Stage.IN_TREATMENT if index % 2 else Stage.WAITING) if kind == 0 else Stage.DONE,
                    started_at=at + timedelta(seconds=index),
                    queued_at=at,
                    ended_at=at + timedelta(seconds=index) if kind == 2 else None,
                    chair_id=chair.id if kind == 0 and index % 2 else None,
                    moved_by_id=world.people["ruwan"],
                )
                session.add(entry)
        session.flush()

    return gather


def arrive(world, *names):
    return [visits.check_in(world.visit(name), actor=world.user("ruwan")) for name in names]


@pytest.mark.parametrize("number", [5, 60])
def test_a_board_costs_four_queries_however_full_it_is(crowd_of, world, noon, restorative, session, number):
    crowd_of(number)
    for name in ("ruwan", "nimal", "silva"):
        viewer = world.user(name)
        session.expunge_all()
        settings.read("undo_minutes")
        with counted() as statements:
            board = board_for(viewer, restorative)
        assert (len(statements), board.open_count, board.done_count) == (4, number, number)
        assert len(board.expected) >= number
        assert len(board.done) == min(number, MOST_DONE)


@pytest.mark.parametrize("number", [5, 60])
def test_ones_own_queue_costs_three_queries(crowd_of, world, noon, session, number):
    crowd_of(number)
    for name in ("kamal", "silva"):
        viewer = world.user(name)
        session.expunge_all()
        settings.read("undo_minutes")
        with counted() as statements:
            own = my_queue_for(viewer)
        assert len(statements) == 3
        assert len(own.in_service) + len(own.waiting) == number


def test_the_line_is_by_hand_then_urgency_then_who_came_first(world, noon, restorative):
    ruwan = world.user("ruwan")
    [perera] = arrive(world, "perera")
    noon.later(1)
    [fernando] = arrive(world, "fernando")
    noon.later(1)
    nadia = visits.add_walk_in(
        patient=world.patient("nadia"), department=world.department("restorative"), reason="Pain", actor=ruwan
    )

    def line():
        return [row.entry_id for row in board_for(ruwan, restorative).lane("waiting").rows]

    assert line() == [perera.id, fernando.id, nadia.id]
    queue.set_priority(nadia.id, version=nadia.version, priority=Priority.URGENT, reason="Swelling", actor=ruwan)
    queue.set_priority(perera.id, version=perera.version, priority=Priority.LOW, reason="Can wait", actor=ruwan)
    assert line() == [nadia.id, fernando.id, perera.id]
    queue.set_place(perera.id, version=perera.version, first=True, reason="Taxi waits", actor=ruwan)
    queue.set_place(nadia.id, version=nadia.version, first=False, reason="Went out", actor=ruwan)
    assert line() == [perera.id, fernando.id, nadia.id]
    assert next_in_line(ruwan, restorative)[0].entry_id == perera.id
    pins = [row.pin and (row.pin.first, row.pin.by, row.pin.reason) for row in board_for(ruwan, restorative).rows]
    assert pins == [(True, "Ruwan Senanayake", "Taxi waits"), None, (False, "Ruwan Senanayake", "Went out")]


def test_a_card_shows_all_it_should(world, noon, restorative, session):
    noon.later(12)
    [entry] = arrive(world, "fernando")
    noon.later(25)
    row = board_for(world.user("ruwan"), restorative).lane("waiting").rows[0]
    assert (row.ticket, row.name, row.birth_date) == ("A-001", "Nimali Fernando", date(1991, 9, 3))
    assert [(alert.severity, alert.label) for alert in row.alerts] == [(Severity.CRITICAL, "Penicillin")]
    assert (row.appointment_at, row.late_minutes, row.is_late, row.walk_in) == (noon.start, 12, True, False)
    assert (row.student, row.supervisor, row.chair, row.moved_by) == (
        "Kamal Dias",
        "Dr Sunil Silva",
        None,
        "Ruwan Senanayake",
    )
    assert (row.stage_seconds, row.total_seconds, row.level) == (1500, 1500, "long")
    assert (row.priority, row.pin, row.primary) == (Priority.NORMAL, None, Act.CALL)
    assert not row.may_undo
    called = queue.call_to_chair(
        entry.id, version=entry.version, chair_id=world.chairs["A2"], actor=world.user("kamal")
    )
    noon.later(4)
    row = row_for(world.user("kamal"), called.id)
    assert (row.chair, row.calls, row.call_seconds, row.no_show, row.level) == ("A2", 1, 240, False, "long")
    assert (row.priority, row.pin, row.primary, row.may_undo) == (None, None, Act.SEAT, True)
    assert (row.stage_seconds, row.total_seconds) == (240, 1740)
    assert Act.LEAVE in row.others
    assert Act.TRANSFER not in row.others  # a student's card
    for _ in range(2):
        called = queue.call_again(called.id, version=called.version, actor=world.user("kamal"))
    assert row_for(world.user("kamal"), called.id).no_show


@pytest.mark.parametrize(("minutes", "level"), [(0, "ok"), (19.9, "ok"), (20, "long"), (45, "very_long")])
def test_a_wait_is_marked_by_the_thresholds_of_its_stage(world, noon, restorative, minutes, level):
    arrive(world, "perera")
    noon.later(minutes)
    board = board_for(world.user("ruwan"), restorative)
    assert [row.level for row in board.rows] == [level]
    assert board.lane("waiting").longest.stage_seconds == int(minutes * 60)


def test_a_walk_in_has_no_appointment_and_is_never_late(world, noon, restorative):
    visits.add_walk_in(
        patient=world.patient("nadia"),
        department=world.department("restorative"),
        reason="Pain",
        actor=world.user("ruwan"),
    )
    [row] = board_for(world.user("ruwan"), restorative).rows
    assert (row.walk_in, row.appointment_at, row.late_minutes, row.is_late) == (True, None, 0, False)


def test_the_lanes_hold_the_stages_and_the_open_call(world, noon, restorative, session):
    nimal = world.user("nimal")
    [entry] = arrive(world, "perera")
    entry = queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A2"], actor=nimal)
    seen = {}
    for stage, lane in (
        (Stage.IN_CHAIR, "in_chair"),
        (Stage.IN_TREATMENT, "in_chair"),
        (Stage.AWAITING_SUPERVISOR, "awaiting_supervisor"),
        (Stage.IN_TREATMENT, "in_chair"),
        (Stage.AWAITING_DISMISSAL, "awaiting_supervisor"),
        (Stage.CHECKOUT, "checkout"),
    ):
        entry = queue.move(entry.id, to=stage, version=entry.version, actor=nimal)
        board = board_for(nimal, restorative)
        assert [lane.key for lane in board.lanes if lane.count] == [lane]
        seen[stage] = board.rows[0]
        if stage is Stage.AWAITING_SUPERVISOR:
            session.add(
                SupervisorCall(
                    visit_id=entry.visit_id,
                    patient_id=entry.patient_id,
                    department_id=restorative,
                    student_id=world.people["leela"],
                    reason=CallReason.STEP_CHECK,
                    created_at=clock.now(),
                    supervisor_id=world.people["silva"],
                )
            )
            session.flush()
            call = board_for(nimal, restorative).rows[0].supervisor_call
            assert (call.reason, call.supervisor, call.coming_at) == (CallReason.STEP_CHECK, "Dr Sunil Silva", None)
    assert seen[Stage.CHECKOUT].supervisor_call is None


def test_those_expected_and_those_done_today(world, noon, restorative):
    ruwan = world.user("ruwan")
    noon.later(15)
    [entry] = arrive(world, "perera")
    queue.leave_unseen(entry.id, version=entry.version, reason="Had to go", actor=ruwan)
    board = board_for(ruwan, restorative)
    [awaited] = board.expected
    assert (awaited.name, awaited.starts_at, awaited.overdue_minutes, awaited.is_late) == (
        "Nimali Fernando",
        noon.start,
        15,
        True,
    )
    assert [alert.label for alert in awaited.alerts] == ["Penicillin"]
    [done] = board.done
    assert (done.name, done.ticket, done.stage, done.may_undo) == ("Ana Perera", "A-001", Stage.LEFT, True)
    assert done.outcome == "Left without being seen: Had to go"
    queue.undo_last_move(done.entry_id, version=done.version, actor=ruwan)
    assert board_for(ruwan, restorative).done_count == 0
    noon.later(24 * 60)
    tomorrow = board_for(ruwan, restorative)
    assert (tomorrow.expected, [row.name for row in tomorrow.rows]) == ([], ["Ana Perera"])


def test_who_sees_which_board(world, noon, restorative):
    arrive(world, "fernando", "perera", "wu")
    for name in ("ruwan", "rita", "nimal", "silva"):
        assert {row.name for row in board_for(world.user(name), restorative).rows} == {"Nimali Fernando", "Ana Perera"}
    for name in ("sato", "kamal", "leela", "omar", "adel"):
        assert board_for(world.user(name), restorative) is None
    assert board_for(world.user("ruwan"), 10**9) is None


def test_a_supervisor_does_not_see_a_stranger_expected_in_the_department(world, noon, restorative):
    stranger = visits.schedule_visit(
        patient=world.patient("nadia"),
        department=world.department("restorative"),
        starts_at=noon.start + timedelta(hours=1),
        minutes=30,
        chair=None,
        student=None,
        supervisor=None,
        reason="",
        actor=world.user("ruwan"),
    )
    assert stranger.id in {row.visit_id for row in board_for(world.user("ruwan"), restorative).expected}
    assert stranger.id not in {row.visit_id for row in board_for(world.user("silva"), restorative).expected}


def test_whose_entry_one_may_know(world, noon):
    entries = dict(zip(("fernando", "perera", "wu"), arrive(world, "fernando", "perera", "wu"), strict=True))
    known = {
        name: {short for short, entry in entries.items() if entry_for(world.user(name), entry.id)}
        for name in world.people
    }
    everyone = {"fernando", "perera", "wu"}
    assert known == {
        "ruwan": everyone,
        "rita": everyone,
        "nimal": everyone,
        "adel": set(),
        "silva": {"fernando", "perera"},
        "sato": {"wu"},
        "kamal": {"fernando"},
        "leela": {"perera"},
        "omar": {"wu"},
    }
    found = entry_for(world.user("kamal"), entries["fernando"].id)
    assert (found.patient.name, found.visit.ticket, found.department.name) == (
        "Nimali Fernando",
        "A-001",
        "Restorative",
    )
    assert entry_for(world.user("ruwan"), 10**9) is None


def test_whoever_has_left_is_named_to_no_supervisor_of_the_department(world, noon, restorative):
    """Present, a stranger is of the department; gone, they are no longer, but for whoever let them go and may undo it."""
    silva, ruwan = world.user("silva"), world.user("ruwan")
    for by in (ruwan, silva):
        entry = visits.add_walk_in(
            patient=world.patient("nadia"),
            department=world.department("restorative"),
            reason="Toothache",
            actor=ruwan,
        )
        assert entry_for(silva, entry.id) is not None
        gone = queue.leave_unseen(entry.id, version=entry.version, reason="Went home", actor=by)
        assert (entry_for(silva, gone.id) is not None) == (by is silva)
        assert {row.entry_id for row in board_for(silva, restorative).done} == ({gone.id} if by is silva else set())
        assert gone.id in {row.entry_id for row in board_for(ruwan, restorative).done}
        assert entry_for(silva, entry.id) is None
    noon.later(settings.read("undo_minutes") + 1)
    assert entry_for(silva, gone.id) is None
    assert board_for(silva, restorative).done == []


def test_a_student_needs_the_visit_and_the_assignment(world, noon, session):
    """Assigned without the visit, and the visit without an assignment, are both not enough."""
    [entry] = arrive(world, "fernando")
    world.visit("fernando").student_id = world.people["leela"]
    session.flush()
    for name in ("kamal", "leela"):
        assert entry_for(world.user(name), entry.id) is None
        assert my_queue_for(world.user(name)).waiting == []


def test_ones_own_queue_begins_with_those_in_service(world, noon, restorative):
    kamal, silva = world.user("kamal"), world.user("silva")
    assert [row.name for row in my_queue_for(kamal).expected] == ["Nimali Fernando"]
    first, second = arrive(world, "perera", "fernando")
    assert [row.name for row in my_queue_for(kamal).waiting] == ["Nimali Fernando"]
    queue.call_to_chair(second.id, version=second.version, chair_id=world.chairs["A1"], actor=kamal)
    own = my_queue_for(silva)
    assert [row.name for row in own.in_service] == ["Nimali Fernando"]
    assert [row.name for row in own.waiting] == ["Ana Perera"]
    assert own.waiting[0].entry_id == first.id
    for name in ("ruwan", "nimal", "adel"):
        nobody = my_queue_for(world.user(name))
        assert (nobody.in_service, nobody.waiting, nobody.expected) == ([], [], [])


def test_next_in_line_is_whom_the_viewer_may_call(world, noon, restorative):
    assert next_in_line(world.user("ruwan"), restorative) == []
    arrive(world, "perera")
    noon.later(1)
    arrive(world, "fernando")
    assert next_in_line(world.user("ruwan"), restorative)[0].name == "Ana Perera"
    assert next_in_line(world.user("kamal"), restorative)[0].name == "Nimali Fernando"
    assert next_in_line(world.user("sato"), restorative) == []


def test_free_chairs_are_in_service_and_empty(world, noon, restorative):
    [entry] = arrive(world, "perera")
    nimal = world.user("nimal")
    assert [chair.name for chair in free_chairs(nimal, restorative)] == ["A1", "A2", "A3"]
    queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A2"], actor=nimal)
    assert [chair.name for chair in free_chairs(nimal, restorative)] == ["A1", "A3"]
    states = {state.chair.name: state.entry for state in chairs_of(nimal, restorative)}
    assert list(states) == ["A1", "A2", "A3", "A4"]
    assert states["A2"].patient.name == "Ana Perera"
    assert states["A2"].visit.ticket == "A-001"


def test_who_is_in_a_chair_is_told_only_to_those_who_may_know(world, noon, restorative):
    [entry] = arrive(world, "perera")
    queue.call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["A2"], actor=world.user("nimal"))
    for name, told in (("leela", True), ("kamal", False), ("silva", True), ("sato", False), ("adel", False)):
        state = next(state for state in chairs_of(world.user(name), restorative) if state.chair.name == "A2")
        assert (state.taken, state.entry is not None) == (True, told)
        assert "A2" not in {chair.name for chair in free_chairs(world.user(name), restorative)}


def test_those_still_in_the_queue_at_the_end_of_the_day(world, noon, restorative):
    first, second = arrive(world, "perera", "fernando")
    assert [entry.id for entry in open_entries(world.user("ruwan"), restorative)] == [first.id, second.id]
    queue.leave_unseen(first.id, version=first.version, reason="Had to go", actor=world.user("ruwan"))
    assert [entry.patient.name for entry in open_entries(world.user("ruwan"), restorative)] == ["Nimali Fernando"]
    assert open_entries(world.user("sato"), restorative) == []


def test_every_role_is_offered_only_what_it_may_do(world, noon, restorative):
    arrive(world, "perera")
    [row] = board_for(world.user("ruwan"), restorative).rows
    assert (row.primary, set(row.others)) == (Act.CALL, {Act.SET_PRIORITY, Act.SET_PLACE, Act.TRANSFER, Act.LEAVE})
    [own] = my_queue_for(world.user("leela")).waiting
    assert world.user("leela").role is Role.STUDENT
    assert (own.primary, set(own.others)) == (Act.CALL, {Act.LEAVE})
