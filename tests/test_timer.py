"""Jobs: one run at a time, whoever runs them; killed runs make room; nothing is stored by one that lost its hold."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from clinic import clock, create_app, settings, timer
from clinic.config import Config
from clinic.extensions import db
from clinic.models import AssignmentKind, Change, Job, JobRun, Request, RequestStatus, Setting
from clinic.operations import jobs
from clinic.operations.jobs import Declared, Failed, Lost
from clinic.operations.requests import ask_for_patient
from clinic.operations.settings import change_setting
from clinic.queries.jobs import runs_of
from tests.conftest import fresh_mariadb
from tests.servers import KEYS, STORE
from tests.world import build_world

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=["mariadb", "sqlite"])
def engine_name(request):
    return request.param


@pytest.fixture
def job(monkeypatch):
    """`job(run)`: the clinic's only job, due every hour."""

    def declare(run):
        monkeypatch.setattr(jobs, "JOBS", {"test": Declared("Test", timedelta(hours=1), run)})

    return declare


@pytest.fixture
def runs(session):
    def read():
        session.expire_all()
        return session.execute(select(JobRun.succeeded, JobRun.summary).order_by(JobRun.id)).all()

    return read


def write(name):
    db.session.add(Setting(name=name, value="1"))


def written():
    return set(db.session.scalars(select(Setting.name).where(~Setting.name.endswith("_gate"))))  # but the world's own


class TestOneRun:
    def test_it_is_recorded_and_due_again_after_its_time(self, context, job, runs):
        job(lambda _keep: "Done.")
        at = clock.now()
        for minutes, ran in ((0, True), (1, False), (58, False), (59, True), (60, False)):
            with clock.frozen(at + timedelta(minutes=minutes)):
                assert (timer.run(context, "test") is not None) is ran, minutes
        assert runs() == [(True, "Done."), (True, "Done.")]
        assert timer.run(context, "test", now=True)

    def test_a_failure_keeps_nothing_and_says_why(self, context, job, runs):
        def fail(_keep):
            write("half")
            raise Failed("The cupboard is locked.")

        job(fail)
        assert timer.run(context, "test") == timer.Outcome("test", False, "The cupboard is locked.")
        assert written() == set()
        assert runs() == [(False, "The cupboard is locked.")]

    def test_what_breaks_says_nothing_of_what_is_stored(self, context, job, runs, caplog):
        def break_off(_keep):
            raise KeyError("Nimali Fernando")

        job(break_off)
        assert not timer.run(context, "test").succeeded
        assert runs() == [(False, "It broke off (KeyError). Nothing of it was kept; the log says where.")]

    def test_what_it_kept_stays_when_it_fails_later(self, context, job):
        def fail_later(keep):
            write("first")
            keep()
            write("second")
            raise Failed("No.")

        job(fail_later)
        timer.run(context, "test")
        assert written() == {"first"}

    def test_while_it_is_held_nobody_else_runs_it(self, context, job, runs):
        job(lambda _keep: "Done.")
        hold = jobs.claim("test")
        assert hold
        assert timer.run(context, "test") is None
        assert timer.run(context, "test", now=True) is None
        jobs.finish(hold, succeeded=True, summary="First.")
        assert timer.run(context, "test", now=True)
        assert runs() == [(True, "First."), (True, "Done.")]

    def test_a_killed_run_makes_room_after_its_lease(self, context, job, runs):
        job(lambda _keep: "Done.")
        at = clock.now()
        with clock.frozen(at):
            jobs.claim("test")
        with clock.frozen(at + jobs.LEASE - timedelta(seconds=1)):
            assert timer.run(context, "test") is None
        with clock.frozen(at + jobs.LEASE):
            assert timer.run(context, "test")
        assert runs() == [(False, jobs.CUT_OFF), (True, "Done.")]

    def test_a_clock_that_was_ahead_stops_no_job(self, context, job, runs):
        """A run a year from now, and a hold of then, would keep the job from running for a year."""
        job(lambda _keep: "Done.")
        at = clock.now()
        with clock.frozen(at + timedelta(days=365)):
            assert timer.run(context, "test")
        with clock.frozen(at):
            assert timer.run(context, "test")
            assert timer.run(context, "test") is None
        with clock.frozen(at + timedelta(days=365)):
            assert jobs.claim("test")
        with clock.frozen(at + timedelta(hours=1)):
            assert not runs_of(["test"])["test"].is_running
            assert timer.run(context, "test")
        assert [succeeded for succeeded, _ in runs()] == [True, True, False, True]

    def test_who_lost_the_hold_stores_nothing(self, context, job, runs):
        def sleep_too_long(_keep):
            with clock.frozen(clock.now() + jobs.LEASE):
                assert jobs.claim("test")
            db.session.commit()
            write("late")
            return "Done."

        job(sleep_too_long)
        outcome = timer.run(context, "test")
        assert not outcome.succeeded
        assert "another run took over" in outcome.summary
        assert written() == set()
        assert runs() == [(False, jobs.CUT_OFF), (None, "")]

    def test_a_hold_is_renewed(self, context, job):
        job(lambda _keep: "")
        at = clock.now()
        with clock.frozen(at):
            hold = jobs.claim("test")
        with clock.frozen(at + jobs.LEASE - timedelta(seconds=1)):
            jobs.renew(hold)
        with clock.frozen(at + jobs.LEASE + timedelta(seconds=1)):
            assert jobs.claim("test") is None
        with clock.frozen(at + jobs.LEASE * 2):
            assert jobs.claim("test")
            with pytest.raises(Lost):
                jobs.renew(hold)

    def test_old_runs_are_forgotten_but_the_last_of_each(self, context, session):
        at = clock.now() - timedelta(days=60)
        for name, succeeded in (("a", True), ("a", True), ("a", False), ("a", False), ("b", False)):
            session.add(JobRun(name=name, started_at=at, ended_at=at, succeeded=succeeded))
        session.commit()
        assert timer.run(context, "clean-up", now=True).summary == "2 old rows forgotten."
        kept = session.execute(select(JobRun.name, JobRun.succeeded).where(JobRun.started_at == at).order_by(JobRun.id))
        assert kept.all() == [("a", True), ("a", False), ("b", False)]


@pytest.mark.parametrize("engine_name", ["own account"], indirect=True)
def test_the_application_s_own_account_cannot_archive_and_says_who_can(context, world, shelf):
    assert timer.run(context, "archive-audit", now=True) == timer.Outcome(
        "archive-audit", True, "Nothing is old enough."
    )
    with clock.frozen(clock.now() - timedelta(days=11 * 366)):
        change_setting("undo_minutes", 5, actor=world.user("adel"))
        db.session.commit()
    outcome = timer.run(context, "archive-audit", now=True)
    assert not outcome.succeeded
    assert "run flask archive-audit with the account that migrations use" in outcome.summary


def test_requests_expire_and_records_are_asked_about_by_jobs(context, world):
    assert timer.run(context, "expire-requests") == timer.Outcome("expire-requests", True, "0 requests expired.")
    student = world.user("kamal")
    asked = ask_for_patient(
        code=world.patient("nadia").code, assignment_kind=AssignmentKind.PRIMARY, need="Crowns", actor=student
    )
    db.session.commit()
    with clock.frozen(clock.now() + timedelta(days=15)):
        assert timer.run(context, "expire-requests").summary == "1 request expired."
        assert timer.run(context, "ask-why").succeeded
    assert db.session.get(Request, asked.id, populate_existing=True).status is RequestStatus.EXPIRED


@pytest.fixture
def clinic():
    """An application on a MariaDB database of its own, and the environment of processes that share it."""
    env = {"CHAIRSIDE_MODE": "test", "DATABASE_URL": fresh_mariadb("chairside_jobs")} | KEYS | STORE
    app = create_app(Config.from_env(env))
    settings.forget()
    with app.app_context():
        db.create_all()
        build_world()
        db.session.remove()
    yield app, os.environ | env
    with app.app_context():
        db.engine.dispose()


def test_of_many_at_once_one_runs(clinic, monkeypatch):
    app, _env = clinic
    inside, most, ran = [], [], []

    def run(_keep):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        ran.append(1)
        inside.pop()
        return "Done."

    monkeypatch.setattr(jobs, "JOBS", {"test": Declared("Test", timedelta(hours=1), run)})

    def call(number):
        with app.app_context():
            outcome = timer.run(app, "test", now=number >= 16)
            db.session.remove()
            return outcome

    with ThreadPoolExecutor(8) as pool:
        due = list(pool.map(call, range(16)))
        assert [outcome for outcome in due if outcome] == [timer.Outcome("test", True, "Done.")]
        forced = [outcome for outcome in pool.map(call, range(16, 80)) if outcome]
    assert all(outcome.succeeded for outcome in forced)
    assert len(ran) == 1 + len(forced)
    assert max(most) == 1


def test_a_long_run_is_renewed_beside_it(clinic, monkeypatch):
    app, _env = clinic
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=0.6))
    monkeypatch.setattr(timer, "RENEW_EVERY", 0.1)
    others = []

    def run(_keep):
        for _ in range(8):
            time.sleep(0.2)
            thread = threading.Thread(target=try_it)
            thread.start()
            thread.join()
        return "Done."

    def try_it():
        with app.app_context():
            others.append(jobs.claim("test"))
            db.session.remove()

    monkeypatch.setattr(jobs, "JOBS", {"test": Declared("Test", timedelta(hours=1), run)})
    with app.app_context():
        assert timer.run(app, "test").succeeded
        db.session.remove()
    assert others == [None] * 8


@pytest.mark.server
def test_two_timers_at_once_run_each_job_once(clinic):
    app, env = clinic
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "jobs"]
    calls = [subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [line.split(":")[0] for call in calls for line in call.communicate(timeout=120)[0].splitlines()]
    with app.app_context():
        ran = db.session.scalars(select(JobRun.name)).all()
        assert not db.session.scalars(select(Job.name).where(Job.holder.is_not(None))).all()
        db.session.remove()
    assert sorted(said) == sorted(ran) == sorted(jobs.JOBS)


@pytest.mark.server
def test_a_run_that_is_killed_stores_nothing_and_makes_room(clinic):
    app, env = clinic
    program = """
        import time
        from datetime import timedelta
        from clinic import clock, create_app, timer
        from clinic.config import Config
        from clinic.extensions import db
        from clinic.models import Change
        from clinic.operations import jobs

        def run(keep):
            db.session.add(Change(seq=9001, topic="kept", at=clock.now()))
            keep()
            db.session.add(Change(seq=9002, topic="lost", at=clock.now()))
            db.session.flush()
            print("working", flush=True)
            time.sleep(60)

        jobs.JOBS["clean-up"] = jobs.Declared("Test", timedelta(hours=1), run)
        app = create_app(Config.from_env())
        with app.app_context():
            timer.run(app, "clean-up")
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "working\n"
    with app.app_context():
        assert timer.run(app, "clean-up") is None
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stdout.close()
        assert db.session.scalars(select(Change.seq).where(Change.seq > 9000)).all() == [9001]
        db.session.rollback()
        with clock.frozen(clock.now() + jobs.LEASE + timedelta(seconds=1)):
            assert timer.run(app, "clean-up").succeeded
        assert db.session.scalars(select(JobRun.summary).order_by(JobRun.id)).all()[0] == jobs.CUT_OFF
        db.session.remove()
