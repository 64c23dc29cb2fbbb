"""The demo clinic obeys the rules of the real one, and the same seed makes the same clinic."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from flask_migrate import upgrade
from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from clinic import clock, create_app, demo
from clinic.approvals.chart_version import facts, item
from clinic.canonical import digest
from clinic.chart.form import flaw
from clinic.chart.versions import mouth_from
from clinic.extensions import db
from clinic.history.form import form_from, watched
from clinic.models import (
    Alert,
    Booking,
    Case,
    CaseStatus,
    CaseTask,
    Chart,
    ChartVersion,
    Counter,
    Evaluation,
    Filling,
    HistoryForm,
    HistoryReview,
    Marking,
    Note,
    NoteStatus,
    Patient,
    Plan,
    PlanStatus,
    QueueEntry,
    Role,
    SignOff,
    SignOffStatus,
    Stage,
    TaskStatus,
    User,
    Visit,
    VisitStatus,
)
from clinic.notes.signed import said_in
from clinic.operations.cases import _shown
from clinic.operations.chart_versions import cut_left_open, verify_versions
from clinic.operations.notes import _said_by
from clinic.operations.sign_off import why_own
from clinic.operations.visits import check_in
from clinic.queries.cases import overdue_tasks, waiting_cases, waiting_tasks
from clinic.queries.chart import mouth_of
from clinic.queries.graders import graders_of
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
                        for model in (Patient, Visit, QueueEntry, Booking, Filling, HistoryReview, Alert)
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


def test_most_patients_who_have_been_here_have_a_history_and_its_digests_hold(clinic):
    seen = (
        select(Visit.patient_id).where(Visit.status == VisitStatus.COMPLETED, Visit.student_id.is_not(None)).distinct()
    )
    been = set(db.session.scalars(seen.join(Patient).where(Patient.archived_at.is_(None))))
    forms = {form.id: form for form in db.session.scalars(select(HistoryForm))}
    fillings = db.session.scalars(select(Filling)).all()
    with_one = {filling.patient_id for filling in fillings if filling.code == "medical"}
    assert len(been & with_one) > 0.6 * len(been)
    assert any(filling.code == "orthodontic" for filling in fillings)
    for filling in fillings:
        form = forms[filling.form_id]
        assert form.sha256 == hashlib.sha256(form.body.encode()).hexdigest()
        assert filling.sha256 == hashlib.sha256((form.sha256 + filling.answers).encode()).hexdigest()
    assert [review for review in db.session.scalars(select(HistoryReview)) if review.day == clock.today()]
    standing = {(alert.patient_id, alert.label) for alert in db.session.scalars(select(Alert))}
    for filling in fillings:
        said = watched(form_from(forms[filling.form_id].body), json.loads(filling.answers))
        assert {(filling.patient_id, found.label) for found in said} <= standing


def test_cases_are_in_every_state_and_read_as_they_were_written(clinic):
    found = db.session.scalars(select(Case)).all()
    assert {case.status for case in found} == {CaseStatus.OPEN, CaseStatus.SUBMITTED, CaseStatus.VERIFIED}
    assert set(db.session.scalars(select(CaseTask.status))) == set(TaskStatus)
    assert all(_shown(case) for case in found)  # refuses what does not
    student = db.session.get_one(User, found[0].student_id)
    assert overdue_tasks(student)
    supervisor = db.session.scalars(select(User).where(User.email == "supervisor@demo.test")).one()
    assert len(waiting_cases(supervisor)) == 1
    assert len(waiting_tasks(supervisor)) == 1


def test_notes_are_signed_as_the_operations_sign_and_some_wait(clinic):
    notes = db.session.scalars(select(Note).options(selectinload(Note.signings))).all()
    statuses = {note.status for note in notes}
    assert statuses == {NoteStatus.SIGNED, NoteStatus.RETURNED, NoteStatus.APPROVED}
    for note in notes:
        assert digest(note.signings[-1].signed) == note.signings[-1].sha256
        assert said_in(note.signings[-1].signed) == _said_by(note)
    waiting = next(note for note in notes if note.status is NoteStatus.SIGNED)
    assert waiting.department_id is not None


def test_plans_have_come_differently_far_and_read_as_they_were_sent(clinic):
    plans = db.session.scalars(select(Plan).options(selectinload(Plan.estimates))).all()
    assert {plan.status for plan in plans} == set(PlanStatus) - {PlanStatus.SUPERSEDED}
    for plan in plans:
        for estimate in plan.estimates:
            assert digest(estimate.shown) == estimate.sha256
    accepted = [plan.patient_id for plan in plans if plan.status is PlanStatus.ACCEPTED]
    assert all({"root_canal", "crown"} <= {each.kind for each in mouth_of(patient).entries} for patient in accepted)


def test_evaluations_are_by_supervisors_of_the_department_and_graders_have_a_page(clinic):
    """Marks are of supervisors of the visit's department, on the form that comes with Chairside; the page of graders is not empty."""
    rows = db.session.scalars(
        select(Evaluation).options(
            joinedload(Evaluation.visit), selectinload(Evaluation.markings).joinedload(Marking.by)
        )
    ).all()
    assert len(rows) > 50
    for row in rows:
        whole = [each for each in row.markings if not each.is_self]
        assert [each.number for each in whole] == [row.number]
        assert all(each.by.role is Role.SUPERVISOR and each.by.department_id == row.department_id for each in whole)
        assert row.student_id == row.visit.student_id
        own = [each for each in row.markings if each.is_self]
        assert all(each.by_id == row.student_id and each.at < whole[0].at for each in own)
    admin = db.session.scalars(select(User).where(User.email == "admin@demo.test")).one()
    today = clock.today()
    found = graders_of(admin, None, today - timedelta(days=365), today)
    assert found.judged or found.others
