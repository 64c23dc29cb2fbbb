"""The demo clinic obeys the rules of the real one, and the same seed makes the same clinic."""

from datetime import UTC, datetime

import pytest
from flask_migrate import upgrade
from sqlalchemy import func, select

from clinic import clock, create_app, demo
from clinic.approvals.chart_version import facts, item
from clinic.chart.form import flaw
from clinic.chart.versions import mouth_from
from clinic.extensions import db
from clinic.models import (
    Booking,
    Chart,
    ChartVersion,
    Counter,
    Patient,
    QueueEntry,
    SignOff,
    SignOffStatus,
    Stage,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations.chart_versions import cut_left_open, verify_versions
from clinic.operations.sign_off import why_own
from clinic.operations.visits import check_in
from clinic.queries.chart import mouth_of
from clinic.queries.sign_offs import waiting_sign_offs
from tests.conftest import fresh_mariadb, make_config
from tests.conventions.test_migrations import MIGRATIONS

PATIENTS = 120
TEN_IN_THE_MORNING = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)


@pytest.fixture(params=["mariadb", "sqlite"])
def clinic(request, tmp_path, worker):
    url = fresh_mariadb("demo") if request.param == "mariadb" else f"sqlite:///{tmp_path}/demo.sqlite"
    app = create_app(make_config(url))
    with app.app_context(), clock.frozen(TEN_IN_THE_MORNING):
        upgrade(str(MIGRATIONS))
        result = app.test_cli_runner().invoke(
            args=["seed-demo", "--patients", str(PATIENTS), "--years", "2", "--seed", "7"]
        )
        assert result.exit_code == 0, result.output
        yield app
        db.session.remove()
        db.engine.dispose()


def test_everyone_is_there_and_codes_have_no_gaps(clinic):
    codes = db.session.scalars(select(Patient.code).order_by(Patient.code)).all()
    assert len(codes) == PATIENTS
    by_year: dict[str, list[int]] = {}
    for code in codes:
        _, year, number = code.split("-")
        by_year.setdefault(year, []).append(int(number))
    for year, numbers in by_year.items():
        assert numbers == list(range(1, len(numbers) + 1))
        assert db.session.get_one(Counter, f"patient:{year}").value == len(numbers)


def test_a_visits_stages_follow_each_other_without_gaps(clinic):
    rows = db.session.scalars(select(QueueEntry).order_by(QueueEntry.id)).all()
    by_id = {row.id: row for row in rows}
    for row in rows:
        if row.previous_id:
            former = by_id[row.previous_id]
            assert former.visit_id == row.visit_id
            assert former.ended_at == row.started_at
    assert {row.stage for row in rows if row.ended_at is None} >= {
        Stage.WAITING,
        Stage.IN_TREATMENT,
        Stage.AWAITING_SUPERVISOR,
    }


def test_a_visit_is_open_exactly_while_its_patient_is_in_the_queue(clinic):
    opened = set(db.session.scalars(select(QueueEntry.visit_id).where(QueueEntry.ended_at.is_(None))))
    arrived = set(db.session.scalars(select(Visit.id).where(Visit.status == VisitStatus.ARRIVED)))
    assert opened == arrived


def test_seeding_twice_is_refused_and_with_if_empty_harmless(clinic):
    before = db.session.scalar(select(func.count()).select_from(User))
    runner = clinic.test_cli_runner()
    assert runner.invoke(args=["seed-demo"]).exit_code == 1
    assert runner.invoke(args=["seed-demo", "--if-empty"]).exit_code == 0
    assert db.session.scalar(select(func.count()).select_from(User)) == before


def test_the_same_seed_makes_the_same_clinic(tmp_path):
    contents = []
    with clock.frozen(clock.now()):
        for number in range(2):
            app = create_app(make_config(f"sqlite:///{tmp_path}/{number}.sqlite"))
            with app.app_context():
                db.create_all()
                demo.seed(patients=60, years=1, seed=3)
                contents.append(
                    [
                        db.session.execute(
                            select(*model.__table__.columns).order_by(*model.__table__.primary_key)
                        ).all()
                        for model in (Patient, Visit, QueueEntry, Booking)
                    ]
                )
                db.session.remove()
                db.engine.dispose()
    assert contents[0] == contents[1]


def test_production_refuses_demo_people(tmp_path):
    app = create_app(make_config(f"sqlite:///{tmp_path}/p.sqlite", mode="production"))
    result = app.test_cli_runner().invoke(args=["seed-demo"])
    assert result.exit_code == 1
    assert "production" in result.output


def test_work_goes_on_where_the_demo_stops(clinic):
    """A check-in after seeding gets the next ticket and the next live number, and the patient code series goes on."""
    receptionist = db.session.scalar(select(User).where(User.email == "reception@demo.test"))
    visit = db.session.scalar(
        select(Visit)
        .where(Visit.status == VisitStatus.SCHEDULED, Visit.starts_at < clock.bounds(clock.today())[1])
        .limit(1)
    )
    entry = check_in(visit, actor=receptionist)
    db.session.commit()
    tickets = db.session.scalars(
        select(Visit.ticket).where(
            Visit.department_id == visit.department_id, Visit.arrived_at >= clock.start_of(clock.today())
        )
    ).all()
    assert entry.stage is Stage.WAITING
    assert len(tickets) == len(set(tickets))


def test_charts_obey_their_rules(clinic):
    """Every version reads as it was cut and holds what the rows say; the job of first versions finds nothing to do."""
    verdict = verify_versions()
    assert verdict.is_good, verdict.sentence
    assert cut_left_open(clock.now()) == 0
    strokes = dict(db.session.execute(select(Chart.patient_id, Chart.stroke)).all())
    assert len(strokes) > PATIENTS // 4
    for version in db.session.scalars(select(ChartVersion)):
        mouth = mouth_of(version.patient_id, upto=version.stroke)
        assert mouth_from(version.body) == mouth
        assert [flaw(entry, mouth) for entry in mouth.entries] == [""] * len(mouth.entries)
        assert version.stroke <= strokes[version.patient_id]
    statuses = db.session.scalars(select(SignOff.status)).all()
    assert set(statuses) == {SignOffStatus.PENDING, SignOffStatus.APPROVED, SignOffStatus.RETURNED}
    supervisor = db.session.scalars(select(User).where(User.email == "supervisor@demo.test")).one()
    waiting = waiting_sign_offs(supervisor)
    assert len(waiting) == 3
    assert not any(why_own(each, each.chart_version, supervisor) for each in waiting)
    facts(supervisor, item(supervisor, waiting[0].id))
