"""Several people at one history: one filling is next, one sending of a tablet is kept, and a form is in its table once."""

import pytest
from sqlalchemy import func, select, text

from clinic.errors import Conflict
from clinic.extensions import db
from clinic.models import Alert, Filling, HistoryForm, HistoryReview, Kiosk, Patient, User
from clinic.operations.history import fill_by_patient, fill_history, hand_over, review_history
from tests.crowd import ISOLATIONS, gather
from tests.histories import answered

PEOPLE = 8
pytestmark = pytest.mark.soak


@pytest.fixture
def engine_name():
    return "mariadb"


@pytest.fixture(scope="module")
def gathered():
    with gather("chairside_history_crowd", ISOLATIONS[0], people=PEOPLE) as crowd:  # the application's own
        yield crowd


@pytest.fixture
def crowd(gathered):
    """The crowd, with no history."""
    with gathered.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
        for table in ("filling", "history_review", "history_form", "kiosk"):
            connection.execute(text(f"TRUNCATE {table}"))
        connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))
    return gathered


def fernando(crowd):
    return db.session.get_one(Patient, crowd.world.patients["fernando"])


def person(crowd, number):
    return db.session.get_one(User, crowd.world.people[("kamal", "silva")[number % 2]])


def fill(crowd, number, seen=0):
    raw = answered(complaint=f"Of {number}", allergic="yes", allergies=["latex"])
    return lambda: (
        fill_history(fernando(crowd), code="medical", number=1, raw=raw, seen=seen, actor=person(crowd, number)).number
    )


def count(crowd, model):
    with crowd.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


def test_first_fillings_at_once_are_one_and_the_others_are_told(crowd):
    answers = crowd.at_once([fill(crowd, number) for number in range(PEOPLE)], PEOPLE)
    assert answers.count(1) == 1
    told = [answer for answer in answers if answer != 1]
    assert all(isinstance(answer, Conflict) and "filled this form" in answer.sentence for answer in told), told
    assert count(crowd, Filling) == count(crowd, HistoryForm) == count(crowd, HistoryReview) == 1
    with crowd.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Alert).where(Alert.label == "Latex")) == 1


def test_a_tablet_that_sends_several_times_at_once_is_kept_once(crowd):
    with crowd.app.app_context():
        kiosk, _token = hand_over(fernando(crowd), code="medical", actor=person(crowd, 0))
        db.session.commit()
        number = kiosk.id
    answers = crowd.at_once([lambda: fill_by_patient(number, raw=answered()).number] * PEOPLE, PEOPLE)
    assert answers.count(1) == 1
    assert all(isinstance(answer, Conflict) for answer in answers if answer != 1)
    assert count(crowd, Filling) == 1


def test_patient_and_clinician_at_once_are_two_numbers_or_one_is_told(crowd):
    with crowd.app.app_context():
        kiosk, _token = hand_over(fernando(crowd), code="medical", actor=person(crowd, 0))
        db.session.commit()
        number = kiosk.id
    answers = crowd.at_once([fill(crowd, 1), lambda: fill_by_patient(number, raw=answered()).number], 2)
    kept = [answer for answer in answers if isinstance(answer, int)]
    assert sorted(kept) in ([1], [1, 2])
    assert answers[1] in (1, 2)  # the patient's is never refused for it
    assert count(crowd, Filling) == len(kept)


def test_handed_over_by_several_at_once_one_tablet_stays_out(crowd):
    acts = [lambda n=n: hand_over(fernando(crowd), code="medical", actor=person(crowd, n))[1] for n in range(PEOPLE)]
    assert len(set(crowd.at_once(acts, PEOPLE))) == PEOPLE
    with crowd.app.app_context():
        out = select(func.count()).select_from(Kiosk).where(Kiosk.ended_at.is_(None))
        assert db.session.scalar(out) == 1


def test_one_person_looks_it_through_once(crowd):
    assert crowd.at_once([fill(crowd, 0)], 1) == [1]
    acts = [
        lambda: review_history(fernando(crowd), code="medical", number=1, actor=person(crowd, 1)).reviewed_by_id
    ] * PEOPLE
    assert set(crowd.at_once(acts, PEOPLE)) == {crowd.world.people["silva"]}
    assert count(crowd, HistoryReview) == 2
