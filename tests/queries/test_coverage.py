"""The coverage ratio: distinct students and supervisors of a department's half day, as booked and as it is now."""

from datetime import timedelta

import pytest

from clinic import clock
from clinic.extensions import db
from clinic.models import AuthSession, Visit, VisitStatus
from clinic.queries.coverage import coverage_now, coverage_of, session_of, sessions_of
from tests.gated import setting
from tests.queries_counted import counted
from tests.scene import second_supervisor


@pytest.fixture
def noon(world, session):
    """The instant at which the afternoon of today begins; the visits of the world are cancelled."""
    for name in world.visits:
        world.visit(name).status = VisitStatus.CANCELLED
    db.session.flush()
    return sessions_of(clock.today())[1].starts_at


def book(
    world, at, student="kamal", supervisor="silva", minutes=60, status=VisitStatus.SCHEDULED, department="restorative"
):
    visit = Visit(
        patient_id=world.patients["fernando"], department_id=world.departments[department], starts_at=at, minutes=minutes,
        student_id=world.people[student] if student else None, supervisor_id=world.people[supervisor] if supervisor else None,
        status=status, created_at=at, created_by_id=world.people["ruwan"],
    )  # fmt: skip
    db.session.add(visit)
    db.session.flush()
    return visit


def words(world, at):
    return coverage_of(world.departments["restorative"], at).words


def hours(number):
    return timedelta(hours=number)


def test_a_day_has_two_halves_on_the_clinics_clock(world, session):
    morning, afternoon = sessions_of(clock.today())
    assert (morning.name, afternoon.name) == ("morning", "afternoon")
    assert clock.local(morning.ends_at).hour == 12
    assert (morning.starts_at, afternoon.ends_at) == clock.bounds(clock.today())
    for at, name in ((-1, "morning"), (0, "afternoon"), (11, "afternoon")):
        assert session_of(morning.ends_at + hours(at)).name == name


def test_each_person_counts_once_and_the_words_say_the_ratio(world, noon):
    assert words(world, noon) == "no student, no supervisor"
    book(world, noon)
    book(world, noon + hours(2))
    assert words(world, noon) == "1 student, 1 supervisor: 1 to 1"
    book(world, noon, "leela", "silva")
    book(world, noon, "omar", None)
    assert words(world, noon) == "3 students, 1 supervisor: 3 to 1"
    book(world, noon, None, "sato")
    assert words(world, noon) == "3 students, 2 supervisors: 1.5 to 1"


def test_no_supervisor_is_said(world, noon):
    book(world, noon, "kamal", None)
    found = coverage_of(world.departments["restorative"], noon)
    assert (found.words, found.ratio, found.is_thin) == ("1 student, no supervisor", None, True)
    assert not coverage_of(world.departments["orthodontics"], noon).is_thin


def test_a_visit_is_in_every_half_that_it_touches_and_in_no_other(world, noon):
    book(world, noon - hours(1), minutes=60)
    assert words(world, noon) == "no student, no supervisor"
    book(world, noon - hours(1), "leela", minutes=75)
    assert words(world, noon) == "1 student, 1 supervisor: 1 to 1"
    assert words(world, noon - hours(1)) == "2 students, 1 supervisor: 2 to 1"
    book(world, noon + hours(24), "omar")
    book(world, noon - hours(24), "omar")
    book(world, noon, "omar", "sato", department="orthodontics")
    assert words(world, noon) == "1 student, 1 supervisor: 1 to 1"


@pytest.mark.parametrize(("status", "counts"), [
    (VisitStatus.SCHEDULED, True),
    (VisitStatus.ARRIVED, True),
    (VisitStatus.CANCEL_REQUESTED, True),
    (VisitStatus.CANCELLED, False),
    (VisitStatus.COMPLETED, False),
    (VisitStatus.DID_NOT_ATTEND, False),
])  # fmt: skip
def test_only_visits_to_come_or_under_way(world, noon, status, counts):
    book(world, noon, status=status)
    assert words(world, noon).startswith("1 student" if counts else "no student")


def test_too_many_to_one_is_told_by_the_setting(world, noon):
    for name in ("kamal", "leela", "omar"):
        book(world, noon, name)
    assert not coverage_of(world.departments["restorative"], noon).is_thin
    setting("coverage_limit", 2)
    found = coverage_of(world.departments["restorative"], noon)
    assert (found.is_thin, found.limit) == (True, 2)
    prado = second_supervisor(world)
    assert not found.with_people(None, prado.id).is_thin
    assert found.with_people(world.people["kamal"], world.people["silva"]).words == found.words


def signed_in(world, name, ago, ended=False):
    at = clock.now()
    db.session.add(
        AuthSession(token_hash=f"{name}{ago}{ended}", user_id=world.people[name], method="password", created_at=at,
                    active_at=at - timedelta(minutes=ago), ended_at=at if ended else None)
    )  # fmt: skip
    db.session.flush()


def test_now_supervisors_who_are_signed_in_are_there_too(world, noon):
    restorative, orthodontics = world.departments["restorative"], world.departments["orthodontics"]
    with clock.frozen(noon + hours(1)):
        book(world, clock.now(), "kamal", None)
        signed_in(world, "silva", 20)
        signed_in(world, "silva", 1, ended=True)
        signed_in(world, "kamal", 1)
        assert coverage_now([restorative])[restorative].words == "1 student, no supervisor"
        signed_in(world, "silva", 3)
        second_supervisor(world)
        signed_in(world, "prado", 14)
        signed_in(world, "sato", 0)
        with counted() as statements:
            found = coverage_now([restorative, orthodontics])
        assert found[restorative].words == "1 student, 2 supervisors: 0.5 to 1"
        assert found[orthodontics].words == "no student, 1 supervisor"
        assert len(statements) == 2
        assert words(world, clock.now()) == "1 student, no supervisor"


def test_now_who_is_still_here_counts_though_their_time_is_over(world, noon):
    home = world.departments["restorative"]
    book(world, noon - hours(3), status=VisitStatus.ARRIVED)
    book(world, noon - hours(3), "leela")
    with clock.frozen(noon + hours(1)):
        assert coverage_now([home])[home].words == "1 student, 1 supervisor: 1 to 1"
        assert words(world, clock.now()) == "no student, no supervisor"
