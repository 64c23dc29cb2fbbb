"""The review of broken glasses: whose a viewer judges, what was opened, in constant time."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from clinic import audit, clock
from clinic.models import AuditEvent, BrokenGlass, GlassReason, Judgement, Notice
from clinic.queries import glass as queries
from clinic.queries import scope
from clinic.queries.glass import UNEXPLAINED
from tests.queries_counted import counted


def glass_of(world, session, who, patient, *, ago=timedelta(0), judged_by=None):
    at = clock.now() - ago
    glass = BrokenGlass(
        user_id=world.people[who],
        patient_id=world.patients[patient],
        reason=GlassReason.COVER,
        words="A colleague is away",
        opened_at=at,
        expires_at=at + timedelta(minutes=60),
        judgement=Judgement.JUSTIFIED if judged_by else None,
        judged_by_id=world.people[judged_by] if judged_by else None,
        judged_at=at if judged_by else None,
        judge_words="Right" if judged_by else None,
    )
    session.add(glass)
    session.flush()
    return glass


def waiting(world, who):
    return [one.glass.id for one in queries.to_judge(world.user(who)).rows]


@pytest.mark.parametrize(
    ("who", "breaker", "patient", "judges"),
    [
        ("silva", "kamal", "nadia", True),  # of the department
        ("silva", "omar", "fernando", True),  # a patient whom a student of the department has
        ("silva", "omar", "nadia", False),
        ("silva", "adel", "nadia", False),  # neither has a department in common with an administrator, nor
        ("silva", "silva", "nadia", False),  # their own
        ("sato", "kamal", "wu", True),
        ("adel", "kamal", "nadia", True),
        ("adel", "adel", "nadia", False),
        ("kamal", "leela", "nadia", False),
        ("ruwan", "kamal", "nadia", False),
    ],
)
def test_who_judges_what(world, session, who, breaker, patient, judges):
    glass = glass_of(world, session, breaker, patient)
    assert (glass.id in waiting(world, who)) is judges
    assert (queries.glass_to_judge(world.user(who), glass.id) is not None) is judges
    assert queries.count_to_judge(world.user(who)) == int(judges)


def test_a_supervisor_without_department_shares_none_with_others_without(world, session):
    world.user("silva").department_id = None
    glass_of(world, session, "adel", "nadia")
    assert waiting(world, "silva") == []
    session.add(Notice(user_id=world.people["ruwan"], kind=UNEXPLAINED, sentence="Why?", at=clock.now()))
    session.flush()
    assert queries.asked_why(world.user("silva")).rows == []


def test_the_oldest_waits_first_and_the_judged_stay(world, session):
    late = glass_of(world, session, "kamal", "nadia")
    early = glass_of(world, session, "leela", "nadia", ago=timedelta(days=3))
    done = glass_of(world, session, "leela", "wu", judged_by="silva")
    assert waiting(world, "silva") == [early.id, late.id]
    assert [one.glass.id for one in queries.judged(world.user("silva")).rows] == [done.id]


def test_what_was_opened_in_that_time_by_that_person_of_that_patient(world, session):
    glass = glass_of(world, session, "kamal", "nadia", ago=timedelta(hours=3))
    for person, patient, minutes in (
        ("kamal", "nadia", 1),
        ("kamal", "nadia", 20),
        ("kamal", "nadia", 60),
        ("kamal", "nadia", -1),
        ("kamal", "wu", 2),
        ("leela", "nadia", 3),
    ):
        with clock.frozen(glass.opened_at + timedelta(minutes=minutes)):
            audit.record("patient.open", "Opened", actor=world.user(person), patient=world.patients[patient])
    (one,) = queries.to_judge(world.user("silva")).rows
    (opened,) = one.opened
    assert (opened.times, opened.first, opened.last) == (
        2,
        glass.opened_at + timedelta(minutes=1),
        glass.opened_at + timedelta(minutes=20),
    )
    assert not one.known
    assert queries.to_judge(world.user("adel")).rows[0].opened == one.opened


def test_a_judge_who_may_see_the_patient_reads_the_name(world, session):
    glass_of(world, session, "omar", "fernando")
    assert queries.to_judge(world.user("silva")).rows[0].known


def test_what_was_judged_is_shown_to_whoever_might_have(world, session):
    glass = glass_of(world, session, "omar", "nadia", judged_by="adel")
    shown = {
        who: [one.glass.id for one in queries.judged(world.user(who)).rows] for who in ("adel", "sato", "silva", "omar")
    }
    assert shown == {"adel": [glass.id], "sato": [glass.id], "silva": [], "omar": []}


def test_nobody_reads_on_the_review_why_they_opened_a_record_themself(world, session):
    for who in ("kamal", "silva", "adel"):
        session.add(Notice(user_id=world.people[who], kind=UNEXPLAINED, sentence="Why?", at=clock.now()))
    session.flush()
    asked = {who: {notice.user.name for notice in queries.asked_why(world.user(who)).rows} for who in ("silva", "adel")}
    kamal, silva = world.user("kamal").name, world.user("silva").name
    assert asked == {"silva": {kamal}, "adel": {kamal, silva}}


def test_a_glass_is_of_whoever_broke_it(world, session):
    theirs = glass_of(world, session, "leela", "nadia")
    kamal, leela, nadia = world.user("kamal"), world.user("leela"), world.patients["nadia"]
    assert [glass.id for glass in queries.own_glasses(leela)] == [theirs.id]
    assert queries.own_glasses(kamal) == []
    assert queries.glasses_over(leela).keys() == {nadia}
    assert queries.glasses_over(kamal) == {}
    looking = scope.only_looking.set(True)
    try:
        seen = {who: set(session.scalars(scope.visible_patients(world.user(who)))) for who in ("kamal", "leela")}
    finally:
        scope.only_looking.reset(looking)
    assert {who: world.patient("nadia") in patients for who, patients in seen.items()} == {
        "kamal": False,
        "leela": True,
    }


@pytest.mark.parametrize("of", [queries.to_judge, queries.judged, queries.asked_why, queries.own_glasses])
def test_as_many_queries_for_a_thousand(world, session, of):
    silva, kamal = world.user("silva"), world.user("kamal")

    def add(count):
        at = clock.now()
        for judgement in (None, Judgement.JUSTIFIED):
            rows = [
                {
                    "user_id": kamal.id,
                    "patient_id": world.patients["nadia"],
                    "reason": GlassReason.COVER,
                    "words": "A colleague is away",
                    "opened_at": at,
                    "expires_at": at + timedelta(minutes=60),
                    "judgement": judgement,
                    "judged_by_id": silva.id if judgement else None,
                    "judged_at": at if judgement else None,
                    "version": 1,
                }
                for _ in range(count)
            ]
            session.execute(insert(BrokenGlass), rows)
        notices = [
            {"user_id": kamal.id, "patient_id": world.patients["nadia"], "kind": UNEXPLAINED, "sentence": "?", "at": at}
            for _ in range(count)
        ]
        session.execute(insert(Notice), notices)
        session.execute(
            insert(AuditEvent),
            [
                {
                    "id": 10_000 + count + number,
                    "at": at,
                    "actor_id": kamal.id,
                    "act": "patient.open",
                    "patient_id": world.patients["nadia"],
                    "sentence": "Opened",
                    "mac": "",
                }
                for number in range(10)
            ],
        )

    viewer = kamal if of is queries.own_glasses else silva
    counts = []
    for count in (10, 990):
        add(count)
        with counted() as statements:
            page = of(viewer)
        counts.append(len(statements))
        assert len(page if isinstance(page, list) else page.rows) <= queries.PAGE
    assert counts[0] == counts[1]
