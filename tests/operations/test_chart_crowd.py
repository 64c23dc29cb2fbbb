"""Many people at one chart: whoever was first is stored, whoever was slower is told, and numbers have no gaps, whatever the isolation."""

from collections import Counter

import pytest
from sqlalchemy import func, select, text

from clinic import once
from clinic.chart.versions import mouth_from
from clinic.errors import Conflict, Unavailable
from clinic.extensions import db
from clinic.models import Chart, ChartEntry, ChartVersion, Patient, SignOff, SignOffStatus, User, VersionReason
from clinic.operations.chart import chart_stroke, enter_in_error, undo_stroke
from clinic.operations.chart_versions import cut_version, verify_versions
from clinic.operations.sign_off import approve_chart, return_chart, send_chart, withdraw_chart
from clinic.queries.chart import mouth_of
from tests.crowd import ISOLATIONS, gather
from tests.operations.test_chart import caries

TEETH = ("11", "12", "13", "14", "15", "16", "17", "21", "22", "23", "24", "25", "26", "27")
pytestmark = pytest.mark.soak


@pytest.fixture
def engine_name():
    return "mariadb"


@pytest.fixture(scope="module", params=ISOLATIONS)
def gathered(request):
    with gather("chairside_chart_crowd", request.param, people=14) as crowd:
        yield crowd


@pytest.fixture
def crowd(gathered):
    """The crowd, with no chart."""
    with gathered.app.app_context(), db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
        for table in ("chart", "chart_entry", "chart_version", "sign_off"):
            connection.execute(text(f"TRUNCATE {table}"))
        connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))
    yield gathered
    with gathered.app.app_context():
        assert verify_versions().is_good
        numbers = Counter(
            db.session.scalars(select(ChartEntry.stroke).where(ChartEntry.patient_id == fernando(gathered).id))
        )
        strokes = db.session.scalar(select(Chart.stroke)) or 0
        assert sorted(numbers) == list(range(1, strokes + 1))
        for version in db.session.scalars(select(ChartVersion)):
            assert mouth_from(version.body) == mouth_of(version.patient_id, upto=version.stroke)
        db.session.remove()


def fernando(crowd) -> Patient:
    return db.session.get_one(Patient, crowd.world.patients["fernando"])


def person(crowd, name) -> User:
    return db.session.get_one(User, crowd.world.people[name])


def stroke(crowd, tooth, *, by="kamal", seen=0):
    return lambda: chart_stroke(fernando(crowd), entries=[caries(tooth)], seen=seen, actor=person(crowd, by)).stroke


def test_first_strokes_at_once_on_several_teeth(crowd):
    answers = crowd.at_once([stroke(crowd, tooth, by=("kamal", "silva")[n % 2]) for n, tooth in enumerate(TEETH)], 14)
    stored = [answer for answer in answers if isinstance(answer, int)]
    assert sorted(stored) == list(range(1, len(stored) + 1))
    # Where a row that has changed since the snapshot cannot be locked, some of so many are asked to try again.
    assert all(isinstance(answer, Unavailable) for answer in answers if answer not in stored)
    assert len(stored) == 14 or crowd.redone[once.TRIES + 1]


def test_first_strokes_at_once_on_one_tooth(crowd):
    answers = crowd.at_once([stroke(crowd, "36", by=("kamal", "silva")[n % 2]) for n in range(14)], 14)
    assert answers.count(1) == 1
    for refused in (answer for answer in answers if answer != 1):
        if isinstance(refused, Unavailable):
            continue
        assert isinstance(refused, Conflict)
        assert "changed this chart meanwhile" in refused.sentence
        assert refused.theirs.keys() == refused.mine.keys() == {"36"}


def test_one_entry_ends_once(crowd):
    """Entered in error and undone by several at once: one does it."""
    with crowd.app.app_context():
        stroke(crowd, "36")()
        db.session.commit()
        entry_id = db.session.scalar(select(ChartEntry.id))

    def error():
        said = {"seen": 1, "reason": "An error", "actor": person(crowd, "silva")}
        return enter_in_error(fernando(crowd), entry_id=entry_id, **said).stroke

    def undo():
        return undo_stroke(fernando(crowd), stroke=1, actor=person(crowd, "kamal")).stroke

    answers = crowd.at_once([error, undo] * 6, 12)
    assert answers.count(2) == 1
    assert all(isinstance(answer, Conflict | Unavailable) for answer in answers if answer != 2)


def test_versions_cut_at_once_are_numbered_without_gaps(crowd):
    with crowd.app.app_context():
        stroke(crowd, "36")()
        db.session.commit()

    def cut(number):
        return lambda: cut_version(
            fernando(crowd), why=VersionReason.NAMED, name=f"Number {number}", actor=person(crowd, "kamal")
        )

    acts = [act for n, tooth in enumerate(TEETH[:7]) for act in (stroke(crowd, tooth, by="silva", seen=1), cut(n))]
    crowd.at_once(acts, 14)
    with crowd.app.app_context():
        for number, tooth in ((7, TEETH[7]), (8, TEETH[8])):  # everybody may have been refused: these come alone
            stroke(crowd, tooth)()
            cut(number)()
            db.session.commit()
        numbers = db.session.scalars(select(ChartVersion.number).order_by(ChartVersion.number)).all()
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= 2


def test_sent_once_and_decided_once(crowd):
    with crowd.app.app_context():
        stroke(crowd, "36")()
        db.session.commit()

    def send():
        return send_chart(fernando(crowd), words="", seen=1, actor=person(crowd, "kamal")).id

    answers = crowd.at_once([send] * 10, 10)
    (sent,) = [answer for answer in answers if isinstance(answer, int)]
    assert all(isinstance(answer, Conflict | Unavailable) for answer in answers if answer != sent)

    def decide(act, by, **more):
        return lambda: act(sent, version=1, actor=person(crowd, by), **more).status

    acts = [
        decide(approve_chart, "silva"),
        decide(return_chart, "silva", reason="Not yet"),
        decide(withdraw_chart, "kamal"),
        stroke(crowd, "46", seen=1),
    ]
    answers = crowd.at_once(acts * 3, 12)
    decided = [answer for answer in answers if isinstance(answer, SignOffStatus)]
    assert len(decided) == 1
    with crowd.app.app_context():
        row = db.session.scalars(select(SignOff)).one()
        assert (row.status, row.open_key) == (decided[0], None)
        assert db.session.scalar(select(func.count()).select_from(ChartVersion)) == 1
