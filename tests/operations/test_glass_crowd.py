"""At once: a glass is broken once, judged once, and guesses at a patient's birth date all count."""

from datetime import date

import pytest
from sqlalchemy import func, select

from clinic.errors import Conflict, DomainError, Unavailable
from clinic.extensions import db
from clinic.models import BrokenGlass, GlassReason, Judgement, Notice
from clinic.operations.glass import break_glass, close_glass, count_pair, judge
from clinic.operations.throttle import KINDS
from tests.crowd import ISOLATIONS, gather

pytestmark = pytest.mark.soak


@pytest.fixture(params=ISOLATIONS)
def crowd(request):
    with gather("chairside_glass_crowd", request.param) as crowd:
        yield crowd


@pytest.fixture
def engine_name():
    return "mariadb"


def broken(crowd, who="kamal"):
    return break_glass(
        code="P-2026-00004",
        birth_date=date(1970, 1, 15),
        reason=GlassReason.EMERGENCY,
        words="She fainted in the corridor",
        actor=crowd.world.user(who),
    )


def committed(crowd, act):
    with crowd.app.app_context():
        answer = act()
        db.session.commit()
        return answer


def test_one_glass_and_one_notice(crowd):
    answers = crowd.at_once([lambda: broken(crowd).id] * 12)
    counts = committed(
        crowd,
        lambda: (
            db.session.scalar(select(func.count(BrokenGlass.id))),
            db.session.scalar(select(func.count(Notice.id))),
        ),
    )
    assert counts == (1, 1)
    assert len({answer for answer in answers if not isinstance(answer, Unavailable)}) == 1


def test_several_people_over_one_patient(crowd):
    people = ["kamal", "leela", "omar", "silva", "sato", "adel"]
    answers = crowd.at_once([lambda who=who: broken(crowd, who).id for who in people])
    # Whom the database asked to redo it too often is told to try again, and nothing is opened.
    opened = [answer for answer in answers if not isinstance(answer, Unavailable)]
    assert opened
    stored = committed(crowd, lambda: list(db.session.scalars(select(BrokenGlass.user_id).order_by(BrokenGlass.id))))
    assert len(stored) == len(set(stored)) == len(opened)


def test_one_judgement_stands(crowd):
    glass_id = committed(crowd, lambda: broken(crowd).id)
    said = [(who, judgement) for who in ("silva", "adel") for judgement in Judgement] * 3
    answers = crowd.at_once(
        [
            lambda who=who, judgement=judgement: (
                judge(glass_id, version=1, judgement=judgement, words=who, actor=crowd.world.user(who)).judgement
            )
            for who, judgement in said
        ]
    )
    winners = [answer for answer in answers if not isinstance(answer, DomainError)]
    assert len(winners) == 1
    assert all(isinstance(answer, Conflict | Unavailable) for answer in answers if isinstance(answer, DomainError))
    kept, told = committed(
        crowd,
        lambda: (
            db.session.get_one(BrokenGlass, glass_id).judgement,
            db.session.scalar(select(func.count(Notice.id)).where(Notice.kind == "glass.judged")),
        ),
    )
    assert (kept, told) == (winners[0], 1)


def test_closing_and_judging_at_once_leave_nobody_with_an_error(crowd):
    glass_id = committed(crowd, lambda: broken(crowd).id)

    def close():
        close_glass(db.session.get_one(BrokenGlass, glass_id), actor=crowd.world.user("kamal"))
        return "closed"

    def say():
        judge(glass_id, version=1, judgement=Judgement.JUSTIFIED, words="Right", actor=crowd.world.user("silva"))
        return "judged"

    answers = crowd.at_once([close, say] * 5)
    assert "closed" in answers
    assert all(
        answer == "judged" or isinstance(answer, Conflict | Unavailable) for answer in answers if answer != "closed"
    )


def test_guesses_at_once_all_count(crowd):
    answers = crowd.at_once([lambda: count_pair(actor=crowd.world.user("kamal")) or "judged"] * 40)
    assert answers.count("judged") == KINDS["pair"][0]
