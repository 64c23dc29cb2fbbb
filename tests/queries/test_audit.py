"""The trail as an administrator reads it."""

import itertools
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import AuditEvent
from clinic.queries import audit as queries
from clinic.queries.audit import Wanted
from tests import soak
from tests.events import days_ago, write_events
from tests.queries_counted import counted

ACTS = ("patient.open", "patient.change", "queue.call", "session.start", "access.denied", "display.pair")


@pytest.fixture
def adel(session, world):
    return world.user("adel")


def mixed(world, count: int, *, seed: int = 0) -> None:
    """Events of many people about many patients over twenty days, in the order of time but for a little."""
    rng = random.Random(seed)
    people = [(world.people[name], role) for name, role in (("ruwan", "receptionist"), ("kamal", "student"))]
    patients = [None, *world.patients.values()]
    begin = days_ago(19, hour=0)
    rows = []
    for number in range(count):
        person, role = rng.choice([*people, (None, "")])
        rows.append(
            {
                "at": begin + timedelta(minutes=20 * 24 * 60 * number / count - rng.random() * 5),
                "actor_id": person,
                "role": role,
                "act": rng.choice(ACTS),
                "patient_id": rng.choice(patients),
                "address": rng.choice(["10.0.0.1", "10.0.0.2", ""]),
            }
        )
    write_events(rows, chained=False)


def walked(viewer, wanted: Wanted, size: int) -> list[int]:
    """The numbers of all events, page by page."""
    found, before = [], None
    for _ in range(10_000):
        page = queries.trail(viewer, wanted, before=before, size=size)
        found += [event.id for event in page.events]
        if page.older is None:
            return found
        before = page.older
    raise AssertionError("the pages never end")


def looked_up(wanted: Wanted) -> list[int]:
    """The same by looking at every event there is."""
    rows = db.session.execute(select(AuditEvent).order_by(AuditEvent.id.desc())).scalars()
    return [row.id for row in rows if matches(row, wanted)]


def matches(row: AuditEvent, wanted: Wanted) -> bool:
    day = clock.local(row.at).date()
    return (
        wanted.person_id in (None, row.actor_id)
        and wanted.patient_id in (None, row.patient_id)
        and (not wanted.acts or row.act in wanted.acts)
        and wanted.role in (None, row.role)
        and wanted.address in (None, row.address)
        and (wanted.begin is None or day >= wanted.begin)
        and (wanted.end is None or day <= wanted.end)
    )


def test_every_combination_of_filters_finds_exactly_what_it_asks_for(adel, world, monkeypatch):
    monkeypatch.setattr(queries, "LOOK", 40)  # so that pages are cut short
    seed = soak.daily_seed()
    mixed(world, 400, seed=seed)
    today = clock.today()
    choices = {
        "person_id": [None, world.people["kamal"], world.people["sato"]],
        "patient_id": [None, world.patients["fernando"]],
        "acts": [(), ("display.pair",), ("patient.open", "patient.change")],
        "role": [None, "", "receptionist"],
        "address": [None, "10.0.0.2"],
        "begin": [None, today - timedelta(days=9)],
        "end": [None, today - timedelta(days=5)],
    }
    every = list(itertools.product(*choices.values()))
    for values in random.Random(seed).sample(every, soak.share(len(every), 40)):
        wanted = Wanted(**dict(zip(choices, values, strict=True)))
        assert walked(adel, wanted, 23) == looked_up(wanted), (seed, wanted)
        assert queries.event_count(adel, wanted, before=10**9) == len(looked_up(wanted)), (seed, wanted)


def test_an_event_committed_out_of_the_order_of_time_is_found_on_its_day(adel, world):
    hours = ((4, 10), (3, 10), (2, 1), (3, 23), (2, 10), (3, 12), (1, 1))
    write_events([{"at": days_ago(days, hour=hour)} for days, hour in hours], chained=False)
    day = clock.today() - timedelta(days=3)
    assert len(walked(adel, Wanted(begin=day, end=day), 50)) == 3


@pytest.mark.parametrize(("begin", "end"), [(1, None), (None, 30), (1, 1)])
def test_days_without_an_event_are_empty(adel, world, begin, end):
    write_events([{"at": days_ago(9)}])
    days = {"begin": begin, "end": end}
    wanted = Wanted(**{name: clock.today() - timedelta(days=ago) for name, ago in days.items() if ago is not None})
    assert queries.trail(adel, wanted).events == []


def test_a_page_that_looked_far_enough_says_so(adel, world, monkeypatch):
    monkeypatch.setattr(queries, "LOOK", 10)
    common = {"actor_id": world.people["ruwan"], "role": "receptionist", "address": "10.0.0.1"}
    write_events([common | {"at": days_ago(9), "address": "10.0.0.9"}, *[common] * 30], chained=False)
    write_events([{"address": "10.0.0.9"}] * 30, chained=False)
    wanted = Wanted(person_id=world.people["ruwan"], address="10.0.0.9")
    first = queries.trail(adel, wanted)
    assert first.events == []
    assert first.older is not None
    assert first.looked_to is not None
    assert len(walked(adel, wanted, 50)) == 1


def test_nobody_but_an_administrator_finds_anything(session, world):
    mixed(world, 20)
    patient, person = world.patients["fernando"], world.people["kamal"]
    for name in set(world.people) - {"adel"}:
        viewer = world.user(name)
        assert queries.trail(viewer, Wanted()) == queries.NOTHING
        assert queries.whole_events(viewer, Wanted(), before=10, size=5) == queries.NOTHING
        assert queries.event_for(viewer, 1) is None
        assert queries.newest_event(viewer) == queries.event_count(viewer, Wanted(), before=10) == 0
        assert queries.archived_to(viewer) is None
        assert queries.verifications(viewer) == []
        assert queries.acts_told(viewer) == queries.patients_named(viewer, "ana") == []
        assert queries.patient_told_of(viewer, patient) is None
        assert queries.visitors_of(viewer, patient) == []
        assert queries.days_of_patient(viewer, patient).days == queries.days_of_person(viewer, person).days == []


def test_who_opened_a_patient_by_person_and_day(adel, world):
    fernando, kamal, ruwan = world.patients["fernando"], world.people["kamal"], world.people["ruwan"]
    of_kamal = {"patient_id": fernando, "actor_id": kamal, "role": "student"}
    write_events(
        [
            of_kamal | {"at": days_ago(2, hour=9)},
            of_kamal | {"at": days_ago(2, hour=11), "act": "patient.change"},
            of_kamal | {"at": days_ago(2, hour=12)},
            {"patient_id": fernando, "actor_id": ruwan, "role": "receptionist", "at": days_ago(2, hour=13)},
            {"patient_id": world.patients["wu"], "actor_id": ruwan, "role": "receptionist", "at": days_ago(1)},
            of_kamal | {"at": days_ago(0, hour=0), "act": "access.denied"},
        ]
    )
    page = queries.days_of_patient(adel, fernando)
    assert page.until is None
    assert [day.day for day in page.days] == [clock.today(), clock.today() - timedelta(days=2)]
    (today,), (by_ruwan, by_kamal) = page.days[0].lines, page.days[1].lines
    assert (today.person, today.count, today.denied) == ("Kamal Dias", 1, 1)
    assert (by_ruwan.person, by_ruwan.role, by_ruwan.count) == ("Ruwan Senanayake", "receptionist", 1)
    assert (by_kamal.count, by_kamal.denied) == (3, 0)
    assert by_kamal.acts == {"patient.open": 2, "patient.change": 1}
    assert (by_kamal.first, by_kamal.last) == (days_ago(2, hour=9), days_ago(2, hour=12))
    everybody = queries.visitors_of(adel, fernando)
    assert [(one.person, one.count, one.first, one.last) for one in everybody] == [
        ("Kamal Dias", 4, days_ago(2, hour=9), days_ago(0, hour=0)),
        ("Ruwan Senanayake", 1, days_ago(2, hour=13), days_ago(2, hour=13)),
    ]


def test_what_a_person_opened_by_patient_and_day(adel, world):
    kamal = {"actor_id": world.people["kamal"], "role": "student"}
    fernando, perera = world.patients["fernando"], world.patients["perera"]
    write_events(
        [
            kamal | {"patient_id": fernando, "at": days_ago(3)},
            kamal | {"patient_id": perera, "act": "access.denied", "at": days_ago(3)},
            kamal | {"act": "session.start", "at": days_ago(3)},
            {"actor_id": world.people["rita"], "role": "receptionist", "patient_id": fernando, "at": days_ago(3)},
        ]
    )
    (day,) = queries.days_of_person(adel, world.people["kamal"]).days
    assert [(line.patient, line.count, line.denied) for line in day.lines] == [
        (None, 1, 0),
        ("Ana Perera", 1, 1),
        ("Nimali Fernando", 1, 0),
    ]


@pytest.mark.parametrize("look", [50, 20_000])
def test_days_follow_one_another_without_loss_or_repetition(adel, world, monkeypatch, look):
    monkeypatch.setattr(queries, "GROUPS", 5)
    monkeypatch.setattr(queries, "LOOK", look)
    mixed(world, 400, seed=soak.daily_seed())
    days, until, pages = [], None, 0
    while True:
        page = queries.days_of_person(adel, world.people["kamal"], until=until)
        days += page.days
        pages += 1
        until = page.until
        if until is None:
            break
    assert pages > 5
    assert [day.day for day in days] == sorted({day.day for day in days}, reverse=True)
    found = {(day.day, line.patient_id): line.count for day in days for line in day.lines}
    rows = db.session.execute(select(AuditEvent).where(AuditEvent.actor_id == world.people["kamal"])).scalars()
    true = {}
    for row in rows:
        key = (clock.local(row.at).date(), row.patient_id)
        true[key] = true.get(key, 0) + 1
    assert found == true


def test_a_day_longer_than_can_be_looked_at_says_so(adel, world, monkeypatch):
    monkeypatch.setattr(queries, "LOOK", 10)
    monkeypatch.setattr(queries, "MOST_GROUPS", 3)
    kamal = {"actor_id": world.people["kamal"], "role": "student"}
    write_events([kamal | {"at": days_ago(2)}])
    write_events([kamal | {"patient_id": number + 1000, "at": days_ago(1)} for number in range(30)], chained=False)
    page = queries.days_of_person(adel, world.people["kamal"])
    (day,) = page.days
    assert day.cut
    assert len(day.lines) == 3
    assert day.more == 8
    (earlier,) = queries.days_of_person(adel, world.people["kamal"], until=page.until).days
    assert not earlier.cut
    assert len(earlier.lines) == 1


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("P-2026-00002", ["Ana Perera"]),
        ("fern", ["Nimali Fernando"]),
        ("bell archie", ["Archie Bell"]),
        ("吴", ["吴美玲"]),
        ("zzzz", []),
        ("", []),
        ("%", []),
    ],
)
def test_a_patient_is_named_by_code_or_words(adel, world, typed, names):
    assert [patient.name for patient in queries.patients_named(adel, typed)] == names


def test_acts_are_those_that_were_written(adel, world):
    write_events([{"act": act} for act in ("queue.call", "alert.end", "queue.call")])
    assert queries.acts_told(adel) == ["alert.end", "queue.call"]


def test_the_number_of_queries_does_not_grow(adel, world):
    fernando, kamal = world.patients["fernando"], world.people["kamal"]
    today = clock.today()
    wanted = Wanted(patient_id=fernando, role="student", begin=today - timedelta(days=30), end=today)
    asked = [
        lambda: queries.trail(adel, Wanted()),
        lambda: queries.trail(adel, wanted),
        lambda: queries.trail(adel, replace(wanted, acts=("patient.open", "queue.call")), before=5),
        lambda: queries.acts_told(adel),
        lambda: queries.days_of_patient(adel, fernando),
        lambda: queries.days_of_person(adel, kamal, until=today),
        lambda: queries.visitors_of(adel, fernando),
        lambda: queries.patients_named(adel, "ana"),
    ]

    def queries_sent() -> list[int]:
        numbers = []
        for ask in asked:
            with counted() as statements:
                ask()
            numbers.append(len(statements))
        return numbers

    mixed(world, 40)
    few = queries_sent()
    mixed(world, 1000)
    assert queries_sent() == few
    assert max(few) <= 4
