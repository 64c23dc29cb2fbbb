"""Commands of `flask`: the first administrator, and what a timer does."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from clinic import clock, passwords
from clinic.extensions import db
from clinic.models import AuditEvent, Chair, Change, Department, JobRun, OnceKey, Role, User, VisitStatus
from clinic.operations.jobs import JOBS
from clinic.operations.settings import change_setting
from tests.ledger import fill


@pytest.fixture(params=["mariadb", "sqlite"])
def engine_name(request):
    return request.param


@pytest.fixture
def run(context):
    return lambda *words: context.test_cli_runner().invoke(args=list(words))


def test_create_admin_shows_a_temporary_password_once(run, context):
    result = run("create-admin", "Dean@Clinic.test", "Dean Weerakoon")
    assert result.exit_code == 0, result.output
    person = db.session.scalar(select(User).where(User.email == "dean@clinic.test"))
    assert person.role is Role.ADMIN
    assert person.must_change_password
    assert passwords.matches(person.password_hash, result.output.split()[-1])
    assert db.session.scalar(select(AuditEvent.actor_id).where(AuditEvent.act == "people.create")) is None


def test_create_admin_refuses_a_taken_address(run, world):
    result = run("create-admin", "adel@clinic.test", "Another Adel")
    assert result.exit_code == 1
    assert "adel@clinic.test" in result.output


def test_jobs_mark_the_missed_visits_of_past_days_only(run, world):
    yesterday, today = world.visit("fernando"), world.visit("perera")
    yesterday.starts_at = clock.start_of(clock.today()) - timedelta(hours=1)
    today.starts_at = clock.start_of(clock.today())
    db.session.commit()
    result = run("jobs", "missed-visits")
    assert (result.exit_code, result.output) == (0, "missed-visits: 1 visit marked as not attended.\n")
    db.session.expire_all()
    assert world.visit("fernando").status is VisitStatus.DID_NOT_ATTEND
    assert world.visit("perera").status is VisitStatus.SCHEDULED


def test_jobs_forget_what_has_served_and_are_safe_to_repeat(run, world):
    at = clock.now()
    db.session.add_all(
        [
            Change(seq=9001, topic="queue:1", at=at - timedelta(days=3)),
            Change(seq=9002, topic="queue:1", at=at),
            OnceKey(owner="session:1", key="old-old-old", body_hash="", created_at=at - timedelta(days=8)),
            OnceKey(owner="session:1", key="new-new-new", body_hash="", created_at=at),
        ]
    )
    db.session.commit()
    for _ in range(2):
        result = run("jobs", "clean-up")
        assert result.exit_code == 0, result.output
    assert "0 old rows forgotten" in result.output
    assert db.session.scalars(select(Change.seq).where(Change.seq > 9000)).all() == [9002]
    assert db.session.scalar(select(func.count()).select_from(OnceKey).where(OnceKey.owner == "session:1")) == 1


def test_add_department_with_its_chairs(run):
    result = run("add-department", "Oral surgery", "c", "--chairs", "2")
    assert result.exit_code == 0, result.output
    department = db.session.scalar(select(Department).where(Department.name == "Oral surgery"))
    chairs = db.session.scalars(select(Chair.name).where(Chair.department_id == department.id).order_by(Chair.id)).all()
    assert (department.letter, chairs) == ("C", ["C1", "C2"])


@pytest.mark.parametrize("words", [("Restorative", "Z"), ("New", "A"), ("New", "7"), (" ", "Z")])
def test_add_department_refuses_what_is_taken_or_no_ticket(run, words):
    result = run("add-department", *words)
    assert result.exit_code == 1
    assert "department" in result.output or "already" in result.output
    assert db.session.scalar(select(func.count()).select_from(Department)) == 2


def test_verify_audit_says_whole_or_names_the_first_bad_event(run, world, shelf):
    fill(30)
    result = run("verify-audit")
    assert result.exit_code == 0, result.output
    assert "are whole" in result.output
    last = db.session.scalar(select(func.max(AuditEvent.id)))
    db.session.execute(update(AuditEvent).where(AuditEvent.id == last - 9).values(sentence="Nothing"))
    db.session.commit()
    result = run("verify-audit", "--archives")
    assert result.exit_code == 1
    assert f"Event {last - 9} was changed" in result.output


def test_verify_audit_is_not_content_without_the_anchors(run, world, shelf):
    shelf.away = True
    result = run("verify-audit")
    assert result.exit_code == 1
    assert "object store does not answer" in result.output


def test_archive_audit_moves_what_is_old(run, world, shelf, monkeypatch):
    fill(30)
    db.session.commit()
    years = clock.now() + timedelta(days=3700)
    with clock.frozen(years):
        result = run("archive-audit")
        assert result.exit_code == 0, result.output
        assert db.session.scalar(select(func.count()).select_from(AuditEvent)) == 1, "that they were moved"
        assert run("verify-audit", "--archives").exit_code == 0
        assert "0 events moved" in run("archive-audit").output.splitlines()[-1]
        shelf.away = True
        assert run("archive-audit").exit_code == 0, "there was nothing to move"
    shelf.away = False
    fill(3)
    db.session.commit()
    shelf.away = True
    with clock.frozen(years + timedelta(days=3700)):
        result = run("archive-audit")
    assert result.exit_code == 1
    assert "does not answer" in result.output


def test_jobs_mark_what_was_missed_in_a_session_that_is_over(run, world):
    day = clock.today()
    weekday = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[day.weekday()]
    change_setting("sessions_of_week", {weekday: [["08:00", "12:00"], ["13:00", "17:00"]]}, actor=world.user("adel"))
    for name, hour in (("fernando", 11), ("perera", 12), ("wu", 14)):
        world.visit(name).starts_at = clock.start_of(day) + timedelta(hours=hour)
    db.session.commit()
    for hour, missed in ((11, 0), (12, 1), (16, 0), (17, 2)):
        with clock.frozen(clock.start_of(day) + timedelta(hours=hour, minutes=1)):
            assert f": {missed} visit" in run("jobs", "missed-visits").output, hour


def test_jobs_run_what_is_due_once_and_go_on_when_one_fails(run, world, shelf, monkeypatch):
    at = clock.now()
    with clock.frozen(at):
        result = run("jobs")
        assert result.exit_code == 0, result.output
        assert {line.split(":")[0] for line in result.output.splitlines()} == set(JOBS)
        assert run("jobs").output == ""
    shelf.away = True
    with clock.frozen(at + timedelta(days=2)):
        result = run("jobs")
        assert result.exit_code == 1
        assert "anchor-audit: failed. The object store does not answer" in result.output
        assert "clean-up: " in result.output
        assert run("jobs").output == "", "what failed is not due again at once"
    with clock.frozen(at + timedelta(days=2, minutes=5)):
        need_the_store = {"anchor-audit", "verify-audit", "reconcile-documents"}
        assert {line.split(":")[0] for line in run("jobs").output.splitlines()} == need_the_store
    runs = db.session.execute(select(JobRun.name, JobRun.succeeded).order_by(JobRun.id)).all()
    assert [succeeded for name, succeeded in runs if name == "anchor-audit"] == [True, False, False]
    assert [succeeded for name, succeeded in runs if name == "clean-up"] == [True, True]


def test_a_job_that_does_not_exist_is_no_job(run):
    assert run("jobs", "make-coffee").exit_code == 2
