"""Waits are the intervals the queue has kept."""

from datetime import date, timedelta
from statistics import mean, median

import pytest

from clinic import clock
from clinic.errors import DomainError
from clinic.models import QueueEntry, Stage
from clinic.operations import queue, visits
from clinic.queries.waits import waits
from tests.noon import noon_in
from tests.queries_counted import counted

DAY = date(2026, 3, 2)


@pytest.fixture
def wait(session, world):
    """`wait(600, hour=9)`: a patient who waited ten minutes from nine on DAY."""

    def add(seconds, *, hour=9, stage=Stage.WAITING, department="restorative", day=DAY, **details):
        start = clock.start_of(day) + timedelta(hours=hour)
        entry = QueueEntry(
            visit_id=world.visits["fernando"],
            patient_id=world.patients["fernando"],
            department_id=world.departments[department],
            stage=stage,
            started_at=start,
            queued_at=start,
            ended_at=start + timedelta(seconds=seconds),
            moved_by_id=world.people["ruwan"],
        )
        for name, value in details.items():
            setattr(entry, name, value)
        session.add(entry)
        session.flush()

    return add


def whole_day(rows):
    return {(row.stage, row.department): row for row in rows if row.hour is None}


def test_waits_per_stage_department_and_hour(wait, world):
    nine, ten = [60, 120, 300, 540, 590], [7140, 10800]
    for seconds in nine:
        wait(seconds)
    for seconds in ten:
        wait(seconds, hour=10)
    wait(30, stage=Stage.CHECKOUT)
    wait(45, department="orthodontics")
    rows = waits(world.user("nimal"), None, DAY, DAY)
    day = whole_day(rows)[Stage.WAITING, "Restorative"]
    assert (day.count, day.mean) == (7, pytest.approx(mean(nine + ten)))
    assert (day.median, day.p90) == (median(nine + ten), 10800)
    hours = {row.hour: row for row in rows if (row.stage, row.department) == (Stage.WAITING, "Restorative")}
    assert {hour: (row.count, row.median, row.p90) for hour, row in hours.items()} == {
        None: (7, 540, 10800),
        9: (5, 300, 590),
        10: (2, 7140, 10800),
    }
    assert [row.stage for row in rows] == sorted((row.stage for row in rows), key=list(Stage).index)
    assert set(whole_day(rows)) == {
        (Stage.WAITING, "Restorative"),
        (Stage.WAITING, "Orthodontics"),
        (Stage.CHECKOUT, "Restorative"),
    }


def test_the_ninetieth_percentile_is_the_nearest_rank(wait, world):
    for minutes in range(1, 11):
        wait(minutes * 60)
    [row] = whole_day(waits(world.user("nimal"), world.departments["restorative"], DAY, DAY)).values()
    assert (row.median, row.p90) == (300, 540)


def test_what_does_not_count(wait, world):
    wait(60, voided_at=clock.now())
    wait(60, ended_at=None)
    wait(0, stage=Stage.DONE)
    wait(60, day=DAY - timedelta(days=1), hour=23.99)
    wait(60, day=DAY + timedelta(days=1), hour=0)
    assert waits(world.user("nimal"), None, DAY, DAY) == []
    wait(60, hour=0)
    wait(60, hour=23.99)
    assert [row.hour for row in waits(world.user("nimal"), None, DAY, DAY)] == [None, 0, 23]


def test_who_may_ask_about_whom(wait, world):
    wait(60)
    wait(60, department="orthodontics")
    seen = {name: {row.department for row in waits(world.user(name), None, DAY, DAY)} for name in world.people}
    both = {"Restorative", "Orthodontics"}
    assert seen == dict.fromkeys(("ruwan", "rita", "nimal", "adel"), both) | {
        "silva": {"Restorative"},
        "sato": {"Orthodontics"},
    } | {name: set() for name in ("kamal", "leela", "omar")}
    assert waits(world.user("sato"), world.departments["restorative"], DAY, DAY) == []


def test_at_most_a_year_in_two_queries(wait, world, session):
    with pytest.raises(DomainError, match="at most a year"):
        waits(world.user("nimal"), None, DAY, DAY + timedelta(days=366))
    for number in range(40):
        wait(number, day=DAY + timedelta(days=number))
    viewer = world.user("nimal")
    clock.zone()
    with counted() as statements:
        rows = waits(viewer, None, DAY, DAY + timedelta(days=365))
    assert len(statements) == 2
    assert whole_day(rows)[Stage.WAITING, "Restorative"].count == 40


def test_the_waits_of_a_visit_add_up(session, world):
    with noon_in(world) as noon:
        nimal = world.user("nimal")
        entry = visits.check_in(world.visit("perera"), actor=nimal)
        noon.later(7)
        entry = queue.call_to_chair(entry.id, version=1, chair_id=world.chairs["A1"], actor=nimal)
        noon.later(2)
        wrong = queue.move(entry.id, to=Stage.IN_CHAIR, version=1, actor=nimal)
        noon.later(1)
        back = queue.undo_last_move(wrong.id, version=1, actor=nimal)
        queue.leave_unseen(back.id, version=back.version, reason="Not there", actor=nimal)
        day = clock.today()
        found = whole_day(waits(nimal, None, day, day))
    assert {stage: row.mean for (stage, _), row in found.items()} == {Stage.WAITING: 420, Stage.CALLED: 180}
