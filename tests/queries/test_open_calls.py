"""The supervisor's list, the student's place in line, and the estimate."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic import clock
from clinic.extensions import db
from clinic.models import CallReason, Stage, SupervisorCall, Visit, VisitStatus
from clinic.queries.calls import (
    call_for,
    calls_for,
    calls_made,
    colleagues_of,
    minutes_until,
    order,
    place_of,
    standings_for,
    turn_of,
)
from tests.queries_counted import counted
from tests.scene import call_of, many_calls, put_in_queue, second_supervisor

NOON = datetime(2031, 3, 3, 6, 30, tzinfo=UTC)  # 12:00 in Colombo


@pytest.fixture
def noon():
    with clock.frozen(NOON):
        yield NOON


def ago(minutes: float) -> datetime:
    return NOON - timedelta(minutes=minutes)


def answered(world, waited: float, *, called: float, **changes):
    """A call of today, answered after `waited` minutes; called `called` minutes before noon; its visit is over."""
    at = ago(called)
    made = call_of(world, "perera", "leela", at=at, ended_at=at + timedelta(minutes=waited), **changes)
    db.session.flush()
    return made


moments = st.integers(0, 5 * 60).map(lambda seconds: NOON + timedelta(seconds=seconds))
unsaved = st.builds(
    SupervisorCall,
    id=st.integers(1, 10_000),
    reason=st.sampled_from(CallReason),
    created_at=moments,
    coming_at=st.none() | moments,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls=st.lists(unsaved, max_size=12, unique_by=lambda call: call.id), again=st.randoms(use_true_random=False))
def test_order_is_total_and_puts_emergency_then_wait_then_reason_first(calls, again):
    rows = sorted(calls, key=order)
    shuffled = list(calls)
    again.shuffle(shuffled)
    assert [call.id for call in sorted(shuffled, key=order)] == [call.id for call in rows]
    for first, then in zip(rows, rows[1:], strict=False):
        if (then.reason is CallReason.EMERGENCY) != (first.reason is CallReason.EMERGENCY):
            assert first.reason is CallReason.EMERGENCY
            continue
        minutes = [call.created_at.replace(second=0) for call in (first, then)]
        assert minutes[0] <= minutes[1]
        if minutes[0] == minutes[1]:
            reasons = list(CallReason)
            assert reasons.index(first.reason) <= reasons.index(then.reason)
    places = [place_of(call, shuffled) for call in rows]
    assert [place for place in places if place] == list(range(1, sum(call.coming_at is None for call in rows) + 1))
    assert all((place is None) == (call.coming_at is not None) for call, place in zip(rows, places, strict=True))


def test_the_list_holds_the_open_calls_of_the_department(session, world, noon):
    put_in_queue(world, "fernando", Stage.IN_CHAIR, at=ago(30))
    put_in_queue(world, "perera", Stage.IN_CHAIR, at=ago(30))
    put_in_queue(world, "wu", Stage.IN_CHAIR, at=ago(30))
    help_call = call_of(world, "fernando", at=ago(20))
    emergency = call_of(world, "perera", "leela", CallReason.EMERGENCY, at=ago(1))
    elsewhere = call_of(world, "wu", "omar", at=ago(10))
    found = calls_for(world.user("silva"))
    assert [(row.call.id, row.place) for row in found.rows] == [(emergency.id, 1), (help_call.id, 2)]
    assert [row.entry.chair.name for row in found.rows] == ["A2", "A1"]
    assert found.waiting == 2
    assert found.rows[1].call.patient.alerts[0].label == "Penicillin"
    assert [row.call.id for row in calls_for(world.user("sato")).rows] == [elsewhere.id]
    for nobody in ("ruwan", "nimal", "adel"):
        assert calls_for(world.user(nobody)).rows == []


def test_a_call_answered_leaves_the_line_but_not_the_list(session, world, noon):
    calls = many_calls(world, 3, begin=ago(30))
    calls[0].coming_at, calls[0].coming_minutes, calls[0].supervisor_id = ago(1), 3, world.people["silva"]
    calls[2].ended_at = ago(1)
    db.session.flush()
    assert [(row.call.id, row.place) for row in calls_for(world.user("silva")).rows] == [
        (calls[0].id, None),
        (calls[1].id, 1),
    ]


def test_who_may_see_a_call(session, world):
    made = call_of(world, "fernando")
    for sees in ("kamal", "silva"):
        assert call_for(world.user(sees), made.id)
    for may_not_know in ("leela", "omar", "sato", "ruwan", "nimal", "adel"):
        assert call_for(world.user(may_not_know), made.id) is None


def test_second_of_three_with_an_estimate_from_todays_answers(session, world, noon):
    for called, waited in ((180, 4), (150, 6), (120, 5)):
        answered(world, waited, called=called)
    many_calls(world, 1, begin=ago(30))
    put_in_queue(world, "fernando", Stage.IN_TREATMENT)
    mine = call_of(world, "fernando", at=ago(10))
    many = call_of(world, "perera", "leela", at=ago(5))
    standing = standings_for(world.user("kamal"), [mine.visit_id])[mine.visit_id]
    assert (standing.place, standing.of, standing.minutes) == (2, 3, 10)
    assert many.visit_id not in standings_for(world.user("kamal"), [mine.visit_id, many.visit_id])


def test_no_estimate_before_three_answers_today(session, world, noon):
    answered(world, 4, called=180)
    answered(world, 4, called=150)
    answered(world, 4, called=26 * 60)  # yesterday
    answered(world, 4, called=100, withdrawn=True)
    mine = call_of(world, "fernando", at=ago(10))
    standing = standings_for(world.user("kamal"), [mine.visit_id])[mine.visit_id]
    assert (standing.place, standing.of, standing.minutes) == (1, 1, None)


def test_once_someone_is_coming_there_is_no_place_any_more(session, world, noon):
    mine = call_of(
        world, "fernando", at=ago(10), coming_at=ago(2), coming_minutes=3, supervisor_id=world.people["silva"]
    )
    standing = standings_for(world.user("kamal"), [mine.visit_id])[mine.visit_id]
    assert (standing.place, standing.minutes) == (None, None)
    assert standing.call.supervisor.name == "Dr Sunil Silva"


def test_a_turn_is_the_time_to_the_answer_per_place_held():
    def made(number, called, waited, **changes):
        at = ago(called)
        return SupervisorCall(id=number, created_at=at, coming_at=at + timedelta(minutes=waited), **changes)

    alone = [made(1, 90, 3), made(2, 60, 5), made(3, 30, 4)]
    assert turn_of(alone) == timedelta(minutes=4)
    # Called together and answered one after the other: 4, 8 and 12 minutes for the places 1, 2 and 3.
    in_line = [made(1, 30, 4), made(2, 30, 8), made(3, 30, 12)]
    in_line[1].created_at += timedelta(seconds=1)
    in_line[2].created_at += timedelta(seconds=2)
    assert abs(turn_of(in_line) - timedelta(minutes=4)) < timedelta(seconds=2)
    assert turn_of(alone[:2]) is None


def test_minutes_are_whole_and_at_least_one():
    assert minutes_until(1, timedelta(seconds=5)) == 1
    assert minutes_until(2, timedelta(minutes=3)) == 6
    assert minutes_until(3, timedelta(seconds=61)) == 4
    assert minutes_until(2, None) is None


def test_the_number_of_calls_made(session, world):
    first = call_of(world, "fernando")
    first.ended_at = clock.now()
    db.session.flush()
    call_of(world, "fernando")
    assert calls_made([first.visit_id]) == {first.visit_id: 2}
    assert calls_made([]) == {}


def test_colleagues_are_the_active_supervisors_of_the_calls_department(session, world):
    made = call_of(world, "fernando")
    assert list(colleagues_of(world.user("silva"), made)) == []
    prado = second_supervisor(world)
    assert [person.id for person in colleagues_of(world.user("silva"), made)] == [prado.id]
    prado.active = False
    db.session.flush()
    assert list(colleagues_of(world.user("silva"), made)) == []


@pytest.mark.parametrize("whose", ["silva", "kamal"])
def test_queries_do_not_grow_with_the_line(session, world, whose):
    many_calls(world, 2)
    visits = [row.call.visit_id for row in calls_for(world.user("silva")).rows]

    def count() -> int:
        db.session.flush()
        db.session.expire_all()
        viewer = world.user(whose)
        with counted() as statements:
            found = calls_for(viewer) if whose == "silva" else standings_for(viewer, visits)
        assert found
        return len(statements)

    few = count()
    visits += [call.visit_id for call in many_calls(world, 20, year=1998)]
    assert count() == few


def test_a_call_is_out_of_sight_once_the_patient_is(session, world):
    """A walk-in nobody is assigned to concerns the department while present, and not afterwards."""
    visit = Visit(
        patient_id=world.patients["nadia"],
        department_id=world.departments["restorative"],
        starts_at=clock.now(),
        walk_in=True,
        status=VisitStatus.ARRIVED,
        created_at=clock.now(),
        created_by_id=world.people["ruwan"],
    )
    db.session.add(visit)
    db.session.flush()
    world.visits["nadia"] = visit.id
    try:
        made = call_of(world, "nadia")
        assert call_for(world.user("silva"), made.id)
        visit.status = VisitStatus.COMPLETED
        db.session.flush()
        assert call_for(world.user("silva"), made.id) is None
    finally:
        del world.visits["nadia"]


def test_a_call_made_in_another_department_is_not_ones_own(session, world):
    """Even for a patient one may see: the supervisors of that department answer."""
    made = call_of(world, "fernando")
    made.department_id = world.departments["orthodontics"]
    db.session.flush()
    assert call_for(world.user("silva"), made.id) is None
    assert calls_for(world.user("silva")).rows == []
