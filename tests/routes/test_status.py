"""The status page: every part with its state; one that is away costs its own row and never the page."""

import re
import shutil
import threading
import time
import tomllib
from dataclasses import replace
from datetime import timedelta
from html import unescape
from types import SimpleNamespace

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from clinic import clock, settings, status, storage
from clinic.extensions import db
from clinic.models import AuditEvent, Category, Document, DocumentStatus, Job, JobRun, Patient, Setting, User
from clinic.operations.documents import WRONG
from clinic.operations.jobs import JOBS, LEASE
from clinic.printing import client as printer
from tests.forms import fields_of
from tests.queries_counted import counted


@pytest.fixture
def adel(browser_of):
    return browser_of("adel")


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    """Everything outside answers well, until a test says otherwise."""
    monkeypatch.setattr(storage, "is_reachable", lambda: True)
    monkeypatch.setattr(printer, "has_room", lambda: True)


def rows(page, table):
    """State and sentence of each row of a table of the page."""
    body = page.text.split(f'id="status-{table}"')[1].split("</table>")[0]
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)[1:]:
        name, state, sentence, since = (
            " ".join(unescape(re.sub("<[^>]+>", " ", cell)).split())
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)[:4]
        )
        found[name] = (state, sentence, since)
    return found


def parts(adel):
    page = adel.get("/status")
    assert page.status_code == 200
    return rows(page, "parts")


def add_run(app, name, *, succeeded, age, summary="Summary."):
    with app.app_context():
        at = clock.now() - age
        db.session.add(JobRun(name=name, started_at=at, ended_at=at, succeeded=succeeded, summary=summary))
        db.session.commit()


@pytest.mark.parametrize("engine_name", ["own account"], indirect=True)
def test_every_part_has_a_state_and_a_sentence(adel):
    found = parts(adel)
    assert list(found) == list(status.ORDER)
    assert found["Database"][0] == "good"
    assert re.search("answers in \\d+ ms; \\d+ of \\d+ connections", found["Database"][1])
    assert found["Object store"][0] == found["Printer"][0] == found["Version"][0] == "good"
    assert re.search("Chairside .*serving", found["Version"][1])
    assert found["Last backup"][:2] == (
        "attention",
        "Never. Chairside has no backup of its own yet: back up the database and the bucket with your host's tools.",
    )
    assert found["Trail verified"] == ("attention", "Never. Run the job below.", "never")


@pytest.mark.parametrize("engine_name", ["mariadb"], indirect=True)
def test_an_account_that_may_change_the_trail_needs_attention(adel):
    state, sentence, _ = parts(adel)["Database"]
    assert state == "attention"
    assert "Its account may change the trail or charts (ALL PRIVILEGES" in sentence


@pytest.mark.parametrize(
    ("change", "name", "state", "sentence"),
    [
        (
            lambda m: m.setattr(storage, "is_reachable", lambda: False),
            "Object store",
            "bad",
            "does not answer to our key",
        ),
        (lambda m: m.setattr(printer, "has_room", lambda: False), "Printer", "attention", "too much to do"),
        (lambda m: m.setattr(printer, "has_room", away), "Printer", "attention", "The printer does not answer."),
        (lambda m: m.setattr(shutil, "disk_usage", nearly_full), "Disk", "bad", "1.0 of 100.0 GB are free"),
        (lambda m: m.setattr(shutil, "disk_usage", broken), "Disk", "bad", "could not be asked (OSError)"),
        (lambda m: m.setattr(status, "_database", lost), "Database", "bad", "does not answer (OperationalError)"),
        (lambda m: m.setattr(status, "runs_of", lost), "Last backup", "bad", "Not known while the database"),
    ],
)
def test_a_part_that_is_away_costs_its_own_row(adel, monkeypatch, change, name, state, sentence):
    change(monkeypatch)
    found = parts(adel) if name != "Last backup" else rows(adel.get("/status"), "parts")
    assert found[name][0] == state
    assert sentence in found[name][1]
    assert found["Version"][0] == "good"


def away():
    raise printer.Unavailable("The printer does not answer.")


def nearly_full(_path):
    return SimpleNamespace(total=100e9, free=1e9)


def broken(_path):
    raise OSError


def lost(*_names, **_more):
    raise OperationalError("SELECT 1", {}, Exception(2013))


def test_a_part_that_hangs_is_waited_for_once_and_not_long(adel, monkeypatch):
    monkeypatch.setattr(status, "PATIENCE", 0.3)
    free, asked = threading.Event(), []

    def hang():
        asked.append(1)
        return free.wait(10)

    monkeypatch.setattr(storage, "is_reachable", hang)
    for _ in range(3):
        began = time.monotonic()
        assert parts(adel)["Object store"][:2] == ("bad", "It did not answer within 0 seconds.")
        assert time.monotonic() - began < 2
    assert asked == [1]
    free.set()
    time.sleep(0.1)
    assert parts(adel)["Object store"][0] == "good"


def test_without_a_printer_it_says_so(app, adel, monkeypatch):
    monkeypatch.undo()
    state, sentence, _ = parts(adel)["Printer"]
    assert (state, sentence) == ("attention", "No printer is set up. Everything else goes on without it.")


def test_a_printer_that_is_set_up_and_away_is_bad(app, adel, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setitem(app.config, "CHAIRSIDE", replace(app.config["CHAIRSIDE"], printer_socket="/nowhere/at.all"))
    state, sentence, _ = parts(adel)["Printer"]
    assert (state, sentence) == ("bad", "The printer does not answer. Everything else goes on without it.")


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)  # whose tables go with the rollback
def test_a_database_at_another_step_is_bad(app, adel):
    with app.app_context():
        db.session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        db.session.execute(text("INSERT INTO alembic_version VALUES ('0000')"))
        db.session.commit()
    state, sentence, _ = parts(adel)["Version"]
    assert state == "bad"
    assert "The database is at step 0000, this version wants" in sentence


def test_the_poller_says_when_it_looked(app, adel):
    hub = app.extensions["live"]
    hub._looked_at = float("-inf")  # another test may have looked
    assert parts(adel)["Live changes"][0] == "attention"
    hub._looked_at = time.monotonic()
    assert parts(adel)["Live changes"][0] == "good"
    hub._looked_at = time.monotonic() - 300
    state, sentence, since = parts(adel)["Live changes"]
    assert (state, since) == ("bad", "5 min ago")
    assert "pages poll instead" in sentence
    hub._looked_at = float("-inf")


def test_the_last_verification_and_backup_are_told(app, adel):
    add_run(app, "verify-audit", succeeded=True, age=timedelta(hours=3), summary="Events 1 to 7 are whole.")
    add_run(app, "backup", succeeded=True, age=timedelta(hours=5), summary="12 MB in the bucket.")
    found = parts(adel)
    assert found["Trail verified"] == ("good", "Events 1 to 7 are whole.", "3 h ago")
    assert found["Last backup"] == ("good", "12 MB in the bucket.", "5 h ago")
    add_run(app, "verify-audit", succeeded=False, age=timedelta(minutes=3), summary="Event 5 was changed.")
    assert parts(adel)["Trail verified"] == ("bad", "Event 5 was changed.", "3 h ago")


def put(app, state, *, age=timedelta(), **more):
    """A row of a document as it is when it has come to this state, of 1,000 bytes."""
    with app.app_context():
        at, number = clock.now() - age, db.session.query(Document).count()
        person, patient = (db.session.scalars(select(model.id).limit(1)).one() for model in (User, Patient))
        gone = state is DocumentStatus.PURGED
        what = {
            "patient_id": patient,
            "name": "secret name.png",
            "status": state,
            "key": f"documents/{number}",
            "once": f"once {number}",
            "size": 1000,
            "sha256": "0" * 64,
            "uploaded_by_id": person,
            "created_at": at,
            "available_at": at,
            "checked_at": at,
            "deleted_at": at if gone or state is DocumentStatus.DELETED else None,
            "purged_at": at if gone else None,
        }
        document = Document(**(what | more))
        db.session.add(document)
        db.session.commit()
        return document.id


class TestDocuments:
    def test_where_there_are_none(self, adel):
        found = parts(adel)
        assert found["Documents verified"] == ("attention", "Never. Run the job below.", "never")
        assert found["Quarantine"] == ("good", "No document waits in quarantine.", "now")
        assert found["Uploads"] == ("good", "Nothing is on its way.", "now")
        assert found["Purged bytes"] == ("good", "Nothing waits to be taken from the store.", "never")
        assert "No documents yet" in adel.get("/status").text

    def test_the_last_verification_is_told_with_its_run(self, app, adel):
        add_run(app, "verify-documents", succeeded=True, age=timedelta(hours=3), summary="12 of 980 documents read.")
        state, sentence, since = parts(adel)["Documents verified"]
        assert (state, since) == ("good", "3 h ago")
        assert re.fullmatch(r"12 of 980 documents read\. \(Run \d+\.\)", sentence)
        add_run(app, "verify-documents", succeeded=False, age=timedelta(hours=1), summary="Of 2 documents: wrong.")
        state, sentence, since = parts(adel)["Documents verified"]
        assert (state, since) == ("bad", "3 h ago")
        assert "wrong" in sentence

    def test_quarantine_is_counted_and_listed_by_number_and_reason(self, app, adel):
        harmful = put(app, DocumentStatus.QUARANTINED, why="The scanner found Eicar in it.")
        state, sentence, _ = parts(adel)["Quarantine"]
        assert (state, sentence[:11]) == ("attention", "1 document,")
        assert "have it sent anew" in sentence
        assert "wrong or missing" not in sentence
        damaged = put(app, DocumentStatus.QUARANTINED, why=WRONG)
        state, sentence, _ = parts(adel)["Quarantine"]
        assert state == "bad"
        assert "The bytes of 1 are wrong or missing" in sentence
        page = adel.get("/status/quarantine")
        found = re.findall(r'<th scope="row">(\d+)</th>\s*<td>(.*?)</td>', page.text)
        assert found == [(str(damaged), WRONG), (str(harmful), "The scanner found Eicar in it.")]
        assert "secret name" not in page.text
        assert "Which ones" in adel.get("/status").text

    def test_what_a_scanner_stopped_is_done_with_when_it_is_deleted(self, app, adel):
        put(app, DocumentStatus.QUARANTINED, why="The scanner found Eicar in it.", deleted_at=clock.now())
        assert parts(adel)["Quarantine"][0] == "good"
        wanted = put(app, DocumentStatus.QUARANTINED, why=WRONG, deleted_at=clock.now())
        state, sentence, _ = parts(adel)["Quarantine"]
        assert (state, sentence[:11]) == ("bad", "1 document,")
        assert "scanner" not in sentence
        listed = re.findall(r'<th scope="row">(\d+)</th>', adel.get("/status/quarantine").text)
        assert listed == [str(wanted)]

    def test_an_empty_quarantine_says_so(self, adel):
        assert "Nothing waits in quarantine" in adel.get("/status/quarantine").text

    def test_uploads_that_take_too_long(self, app, adel):
        put(app, DocumentStatus.PENDING, age=timedelta(hours=3))
        assert parts(adel)["Uploads"][:2] == ("good", "1 file on their way.")
        put(app, DocumentStatus.PENDING, age=timedelta(hours=5))
        state, sentence, _ = parts(adel)["Uploads"]
        assert state == "attention"
        assert sentence.startswith("1 file on their way. 1 upload from more than 4 h ago: cut off.")

    def test_what_waits_to_be_taken_from_the_store(self, app, adel):
        put(app, DocumentStatus.PURGED, age=timedelta(hours=2))
        state, sentence, since = parts(adel)["Purged bytes"]
        assert (state, since) == ("attention", "never")
        assert "1 purged document, 1.0 kB: not known to be gone" in sentence
        add_run(app, "reconcile-documents", succeeded=True, age=timedelta(minutes=30))
        assert parts(adel)["Purged bytes"][:2] == ("good", "Nothing waits to be taken from the store.")
        put(app, DocumentStatus.PURGED, age=timedelta(minutes=5))
        state, sentence, _ = parts(adel)["Purged bytes"]
        assert state == "good"
        assert "1 purged document, 1.0 kB: to be taken from the store by the next run" in sentence
        add_run(app, "reconcile-documents", succeeded=False, age=timedelta(minutes=1))
        assert parts(adel)["Purged bytes"][0] == "attention"
        with app.app_context():
            db.session.add(Setting(name="document_hold", value="true"))
            db.session.commit()
        settings.forget()
        assert "legal hold" in parts(adel)["Purged bytes"][1]

    def test_a_database_that_is_away_costs_these_rows_only(self, adel, monkeypatch):
        monkeypatch.setattr(status, "states", lost)
        monkeypatch.setattr(status, "figures", lost)
        page = adel.get("/status")
        found = rows(page, "parts")
        assert {found[name][:2] for name in status.OF_DOCUMENTS} == {
            ("bad", "Not known while the database does not answer.")
        }
        assert found["Version"][0] == "good"
        assert "What is stored is written in the database" in page.text

    def test_how_much_is_stored(self, app, adel):
        put(app, DocumentStatus.AVAILABLE, category=Category.RADIOGRAPH, age=timedelta(days=40), size=2_000_000)
        put(app, DocumentStatus.AVAILABLE, category=Category.RADIOGRAPH, size=500_000)
        put(app, DocumentStatus.DELETED, category=Category.LETTER)
        for gone in (DocumentStatus.PURGED, DocumentStatus.PENDING, DocumentStatus.FAILED):
            put(app, gone, category=Category.LETTER)
        page = adel.get("/status")
        body = page.text.split('id="status-stored"')[1].split("</section>")[0]
        found = [
            [" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)[1:]
        ]
        assert found == [
            ["Radiograph", "2", "2.5 MB", "none", "1, 500 kB"],
            ["Letter", "1", "1.0 kB", "1, 1.0 kB", "1, 1.0 kB"],
            ["All", "3", "2.5 MB", "1, 1.0 kB", "2, 501 kB"],
        ]
        assert "read anew longest ago: 40 days ago" in page.text
        assert "A patient: 2.5 MB in 3 files" in page.text
        with app.app_context():
            name = db.session.scalars(select(Patient.name).join(Document).limit(1)).one()
        assert name not in page.text


class TestJobs:
    def states(self, adel):
        return rows(adel.get("/status"), "jobs")

    def test_each_is_listed_and_says_that_it_has_never_run(self, adel):
        found = self.states(adel)
        assert list(found) == [declared.title for declared in JOBS.values()]
        assert found["Clean-up"] == ("attention", "Has never run. Is there a timer that calls flask jobs?", "never")

    @pytest.mark.parametrize(
        ("age", "succeeded", "state", "sentence"),
        [
            (timedelta(hours=1), True, "good", "Summary."),
            (timedelta(hours=6, minutes=14), True, "good", "Summary."),
            (timedelta(hours=9), True, "attention", "Overdue by 3 h. Is there a timer that calls flask jobs?"),
            (timedelta(minutes=1), False, "bad", "Summary."),
        ],
    )
    def test_the_last_run_is_judged(self, app, adel, age, succeeded, state, sentence):
        add_run(app, "clean-up", succeeded=not succeeded, age=age + timedelta(hours=1), summary="Before.")
        add_run(app, "clean-up", succeeded=succeeded, age=age)
        assert self.states(adel)["Clean-up"][:2] == (state, sentence)

    def test_one_can_be_run_now(self, app, adel, shelf):
        page = adel.get("/status")
        answer = adel.post("/status/jobs/verify-audit/run", fields_of(page.text, "/status/jobs/verify-audit/run"))
        assert answer.status_code == 303
        shown = adel.get(answer.location)
        assert "Verifying the trail: started; look again in a moment" in shown.text
        assert rows(shown, "jobs")["Verifying the trail"][0] == "good"
        assert rows(shown, "parts")["Trail verified"][0] == "good"
        with app.app_context():
            said = db.session.scalars(select(AuditEvent.sentence).where(AuditEvent.act == "job.run")).all()
        assert said == ["Had the job “Verifying the trail” run"]

    def test_sent_twice_it_runs_once(self, app, adel):
        fields = fields_of(adel.get("/status").text, "/status/jobs/clean-up/run")
        first, second = (adel.post("/status/jobs/clean-up/run", fields) for _ in range(2))
        assert (first.status_code, first.location) == (second.status_code, second.location)
        with app.app_context():
            assert db.session.scalars(select(JobRun.name)).all() == ["clean-up"]

    def test_while_it_runs_it_is_not_run_again(self, app, adel):
        with app.app_context():
            db.session.add(Job(name="clean-up", held_until=clock.now() + LEASE, holder="h"))
            db.session.add(JobRun(name="clean-up", started_at=clock.now() - timedelta(minutes=3)))
            db.session.commit()
        page = adel.get("/status")
        assert rows(page, "jobs")["Clean-up"][:2] == ("running", "Running since 3 min.")
        assert "/status/jobs/clean-up/run" not in page.text
        answer = adel.post("/status/jobs/clean-up/run")
        assert answer.status_code == 422
        assert "is running already" in answer.text

    def test_one_that_was_cut_off_says_so(self, app, adel):
        add_run(app, "clean-up", succeeded=None, age=timedelta(minutes=9), summary="")
        assert self.states(adel)["Clean-up"][:2] == ("bad", "It was cut off before it was done.")

    def test_there_is_no_other_job(self, adel):
        assert adel.post("/status/jobs/make-coffee/run").status_code == 404


def test_others_may_not(browser_of):
    for name in ("ruwan", "kamal", "silva", "nimal"):
        person = browser_of(name)
        assert person.get("/status").status_code == 403
        assert person.get("/status/quarantine").status_code == 403
        assert person.post("/status/jobs/clean-up/run").status_code == 403


def test_it_asks_as_little_when_many_runs_are_kept(app, adel):
    def statements():
        settings.forget()
        with counted() as found:
            adel.get("/status")
        return len(found)

    add_run(app, "clean-up", succeeded=True, age=timedelta(hours=1))
    adel.get("/status")
    few = statements()
    with app.app_context():
        at = clock.now()
        db.session.add_all(
            JobRun(name=name, started_at=at, ended_at=at, succeeded=True) for name in JOBS for _ in range(150)
        )
        db.session.commit()
    assert statements() == few


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((status.ROOT / "pyproject.toml").read_text())
    assert project["project"]["version"] == status.VERSION
