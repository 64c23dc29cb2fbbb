"""The live sequence under many writers: numbers appear in commit order without gaps, and nobody waits in a circle."""

import random
import threading

import pytest
from sqlalchemy import select, update

from clinic import live
from clinic.extensions import db
from clinic.models import Change, Counter, Patient
from tests.crowd import gather
from tests.soak import daily_seed, share

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WRITERS = 12


@pytest.fixture(params=["READ COMMITTED", "REPEATABLE READ"])
def crowd(request):
    with gather("chairside_sequence", request.param, people=WRITERS + 1) as crowd:
        yield crowd


def test_who_reads_greater_than_the_last_misses_nothing(crowd):
    done, seen, gaps = threading.Event(), [0], []

    def read():
        while True:
            finished = done.is_set()
            with crowd.app.app_context():
                newer = select(Change.seq).where(Change.seq > seen[-1]).order_by(Change.seq)
                for seq in db.session.execute(newer).scalars():
                    if seq != seen[-1] + 1:
                        gaps.append((seen[-1], seq))
                    seen.append(seq)
            if finished:
                return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        answers = crowd.at_once([act(crowd, number) for number in range(share(5_000, 300))], people=WRITERS)
    finally:
        done.set()
        reader.join()
    with crowd.app.app_context():
        value = db.session.execute(select(Counter.value).where(Counter.name == live.SEQUENCE)).scalar_one()
    assert not gaps
    assert seen == list(range(value + 1))
    assert value == 2 * answers.count("done")
    assert set(answers) == {"done", "undone"}
    assert set(crowd.redone) == {1}, "two waited for each other"


def act(crowd, number):
    """Change a patient and nudge two topics; sometimes undo a savepoint, sometimes the whole."""
    chance = random.Random(daily_seed() * 100_000 + number)
    patients = sorted(crowd.world.patients.values())

    def run():
        row = update(Patient).where(Patient.id == chance.choice(patients)).values(address=str(number))
        db.session.execute(row)
        live.nudge("queue:1")
        savepoint = db.session.begin_nested()
        live.nudge("calls:1")
        if chance.random() < 0.3:
            savepoint.rollback()
        else:
            savepoint.commit()
        if chance.random() < 0.2:
            db.session.rollback()
            return "undone"
        return "done"

    return run
