"""How the system's parts are: each with a state, a sentence, and since when that is known. A part that is away costs its own row only.

What is outside of this process is asked in threads of its own, at most one per part at a time, and waited for `PATIENCE` seconds.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from clinic import clock, grants, settings, storage
from clinic.extensions import db
from clinic.formatting import ago, bytes_of, lasting, number_of
from clinic.models import User
from clinic.operations.documents import COMING, DAMAGE
from clinic.operations.jobs import JOBS, Declared
from clinic.operations.reconciling import YOUNG
from clinic.printing import client as printer
from clinic.queries.jobs import Runs, runs_of
from clinic.queries.stored import Figures, States, figures, states

VERSION = "0.1.0"
STARTED = clock.now()
PATIENCE = 2.0  # seconds for all parts together
SLOW = 0.25  # seconds a part may take and be called good
ROOT = Path(__file__).resolve().parent.parent
LATE = timedelta(minutes=15)  # a job that is due is called overdue after this

GOOD, ATTENTION, BAD = "good", "attention", "bad"


@dataclass(frozen=True)
class Part:
    """`at` since when this is so, or when it was last done; without it `since` says it. `page`: the endpoint that says more."""

    name: str
    state: str
    sentence: str
    at: datetime | None = None
    since: str = "now"
    page: str = ""


@dataclass(frozen=True)
class JobState:
    name: str
    declared: Declared
    runs: Runs
    state: str
    sentence: str


def parts() -> list[Part]:
    """Every part of the system."""
    asked = _begin(current_app._get_current_object(), OUTSIDE)  # type: ignore[attr-defined]
    inside = [
        _safely("Database", _database),
        _safely("Live changes", _poller),
        _safely("Version", _version),
        *_safely_many(("Last backup", "Trail verified", "Charts verified"), _from_runs),
        *_safely_many(OF_DOCUMENTS, _documents),
    ]
    return sorted(inside + _answers(asked), key=lambda part: ORDER.index(part.name))


def job_states() -> list[JobState]:
    """Every job with its last run and what to think of it; none when the database does not answer."""
    try:
        runs = runs_of(JOBS)
    except DBAPIError:
        return []
    return [JobState(name, declared, runs[name], *_judged(declared, runs[name])) for name, declared in JOBS.items()]


def stored(viewer: User) -> Figures | None:
    """How much is stored; None when the database does not answer."""
    try:
        return figures(viewer)
    except DBAPIError:
        return None


def _judged(declared: Declared, runs: Runs) -> tuple[str, str]:
    if runs.is_running and runs.last:
        return GOOD, f"Running since {ago(runs.last.started_at).removesuffix(' ago')}."
    if runs.last is None:
        return ATTENTION, "Has never run. Is there a timer that calls flask jobs?"
    if not runs.last.succeeded:
        return BAD, runs.last.summary or "It was cut off before it was done."
    late = clock.now() - runs.last.started_at - declared.every - LATE
    if late > timedelta():
        return ATTENTION, f"Overdue by {lasting(late + LATE)}. Is there a timer that calls flask jobs?"
    return GOOD, runs.last.summary


# --- parts of this process and its database ---------------------------------------------------------------------------


def _database() -> Part:
    name = db.engine.dialect.name
    began = time.perf_counter()
    version = db.session.execute(text(f"SELECT {'sqlite_version' if name == 'sqlite' else 'version'}()")).scalar()
    took = time.perf_counter() - began
    said = f"{'SQLite' if name == 'sqlite' else 'MySQL or MariaDB'} {version} answers in {took * 1000:.0f} ms"
    too_much = sorted(grants.excess())
    if too_much:
        sentence = f"{said}. Its account may change the trail or charts ({', '.join(too_much)}): see docs/operations.md, Database accounts."
        return Part("Database", ATTENTION, sentence)
    pool = db.engine.pool
    if not isinstance(pool, QueuePool):
        return Part("Database", GOOD if took < SLOW else ATTENTION, f"{said}.")
    used, most = pool.checkedout(), pool.size() + pool._max_overflow
    crowded = most > 0 and used >= most * 0.8
    state = ATTENTION if took >= SLOW or crowded else GOOD
    return Part("Database", state, f"{said}; {used} of {most} connections of this process are in use.")


def _poller() -> Part:
    hub = current_app.extensions["live"]
    before, streams = hub.looked_before(), len(hub.streams)
    if before is None:
        return Part("Live changes", ATTENTION, "This process does not read the changes yet; pages that need them poll.")
    said = f"live pages of this process: {streams}."
    at = clock.now() - timedelta(seconds=before)
    if hub.is_awake():
        return Part("Live changes", GOOD, f"Changes are read as they come; {said}", at)
    return Part("Live changes", BAD, f"The changes are not being read, pages poll instead; {said}", at)


def _version() -> Part:
    commit = current_app.config["CHAIRSIDE"].commit or _commit_of(ROOT / ".git")
    said = f"Chairside {VERSION}{f', commit {commit[:10]}' if commit else ''}, serving"
    wanted = (ROOT / "migrations" / "HEAD").read_text().split()[0]
    try:
        found = db.session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError:
        found = None
    if found and found != wanted:
        sentence = f"{said}. The database is at step {found}, this version wants {wanted}: run flask db upgrade."
        return Part("Version", BAD, sentence, STARTED)
    return Part("Version", GOOD, f"{said}{f', database at step {found}' if found else ''}.", STARTED)


def _commit_of(git: Path) -> str:
    """The commit of a working copy; empty where there is none, as in the image."""
    try:
        head = (git / "HEAD").read_text().strip()
        return (git / head.removeprefix("ref: ")).read_text().strip() if head.startswith("ref: ") else head
    except OSError:
        return ""


def _from_runs() -> list[Part]:
    runs = runs_of(("backup", "verify-audit", "verify-charts"))
    return [
        _backup(runs["backup"]),
        _verified("Trail verified", runs["verify-audit"]),
        _verified("Charts verified", runs["verify-charts"]),
    ]


def _backup(runs: Runs) -> Part:
    if runs.success is None:
        sentence = (
            "Never. Chairside has no backup of its own yet: back up the database and the bucket with your host's tools."
        )
        return Part("Last backup", ATTENTION, sentence, since="never")
    is_old = clock.now() - runs.success.started_at > timedelta(days=1, hours=3)
    failed = runs.last is not None and runs.last.succeeded is False
    sentence = f"The last try failed: {runs.last.summary}" if failed and runs.last else runs.success.summary
    return Part("Last backup", BAD if failed or is_old else GOOD, sentence, runs.success.started_at)


def _verified(name: str, runs: Runs) -> Part:
    at = runs.success.started_at if runs.success else None
    if runs.last is not None and runs.last.succeeded is False:
        return Part(name, BAD, runs.last.summary, at, since="never")
    if runs.success is None:
        return Part(name, ATTENTION, "Never. Run the job below.", since="never")
    is_old = clock.now() - runs.success.started_at > timedelta(days=2)
    return Part(name, ATTENTION if is_old else GOOD, runs.success.summary, at)


def _documents() -> list[Part]:
    runs = runs_of(("verify-documents", "reconcile-documents"))
    agreed, at = runs["reconcile-documents"], clock.now()
    taken = agreed.success.started_at if agreed.success else None
    found = states(since=at - COMING, taken=taken, damage=DAMAGE)
    return [_verified_documents(runs["verify-documents"]), _quarantine(found), _uploads(found), _purged(found, agreed)]


def _verified_documents(runs: Runs) -> Part:
    part = _verified("Documents verified", runs)
    told = runs.last if part.state == BAD else runs.success
    return replace(part, sentence=f"{part.sentence} (Run {told.id}.)") if told else part


def _quarantine(found: States) -> Part:
    name, page = "Quarantine", "status.quarantine"
    if not found.quarantined:
        return Part(name, GOOD, "No document waits in quarantine.")
    said = [f"{number_of(found.quarantined, 'document')}, which nobody can read."]
    if found.damaged:
        said.append(
            f"The bytes of {found.damaged:,} are wrong or missing: bring their objects back from a backup of the bucket, then run "
            f"“{JOBS['verify-documents'].title}”."
        )
    if found.quarantined > found.damaged:
        said.append("What a scanner stopped stays there until those who have the patient delete it: have it sent anew.")
    return Part(name, BAD if found.damaged else ATTENTION, " ".join(said), page=page)


def _uploads(found: States) -> Part:
    said = f"{number_of(found.coming - found.late, 'file')} on their way." if found.coming > found.late else ""
    if not found.late:
        return Part("Uploads", GOOD, said or "Nothing is on its way.")
    late = f"{number_of(found.late, 'upload')} from more than {lasting(COMING)} ago: cut off."
    what = (
        f"“{JOBS['reconcile-documents'].title}” ends what is older than {lasting(YOUNG)}; the file is to be sent again."
    )
    return Part("Uploads", ATTENTION, " ".join(each for each in (said, late, what) if each))


def _purged(found: States, runs: Runs) -> Part:
    name, job = "Purged bytes", f"“{JOBS['reconcile-documents'].title}”"
    at = runs.success.started_at if runs.success else None
    if settings.read("document_hold"):
        return Part(
            name, GOOD, "The legal hold is on: nothing is taken from the store, purged or not.", at, since="never"
        )
    if not found.purged.files:
        return Part(name, GOOD, "Nothing waits to be taken from the store.", at, since="never")
    what = f"{number_of(found.purged.files, 'purged document')}, {bytes_of(found.purged.size)}"
    is_late = at is None or clock.now() - at > JOBS["reconcile-documents"].every + LATE
    if is_late or (runs.last is not None and runs.last.succeeded is False):
        sentence = f"{what}: not known to be gone from the store, as {job} has not succeeded since."
        return Part(name, ATTENTION, sentence, at, since="never")
    return Part(name, GOOD, f"{what}: to be taken from the store by the next run of {job}.", at)


def _safely(name: str, ask: Callable[[], Part]) -> Part:
    try:
        return ask()
    except (DBAPIError, OSError) as error:
        return Part(name, BAD, f"It does not answer ({type(error).__name__}).")


def _safely_many(names: tuple[str, ...], ask: Callable[[], list[Part]]) -> list[Part]:
    try:
        return ask()
    except DBAPIError:
        return [Part(name, BAD, "Not known while the database does not answer.") for name in names]


# --- parts outside ----------------------------------------------------------------------------------------------------


def _store() -> Part:
    began = time.perf_counter()
    try:
        reached = storage.is_reachable()
    except storage.StorageError as error:
        return Part("Object store", BAD, str(error))
    took = time.perf_counter() - began
    if not reached:
        return Part(
            "Object store", BAD, "The bucket does not answer to our key; documents and anchors cannot be stored."
        )
    return Part("Object store", GOOD, f"The bucket answers in {took * 1000:.0f} ms.")


def _printer() -> Part:
    try:
        has_room = printer.has_room()
    except printer.Unavailable as away:
        is_set_up = bool(current_app.config["CHAIRSIDE"].printer_socket)
        return Part("Printer", BAD if is_set_up else ATTENTION, f"{away} Everything else goes on without it.")
    if not has_room:
        return Part("Printer", ATTENTION, "It has too much to do and takes no more documents on at the moment.")
    return Part("Printer", GOOD, "It takes documents on.")


def _disk() -> Part:
    url = make_url(current_app.config["CHAIRSIDE"].database_url)
    own = url.get_backend_name() == "sqlite" and url.database
    usage = shutil.disk_usage(Path(url.database or "").parent if own else tempfile.gettempdir())
    share = usage.free / usage.total
    where = "where the database is" if own else "of this machine"
    said = f"{usage.free / 1e9:.1f} of {usage.total / 1e9:.1f} GB are free {where}."
    return Part("Disk", BAD if share < 0.03 else ATTENTION if share < 0.1 else GOOD, said)


OF_DOCUMENTS = ("Documents verified", "Quarantine", "Uploads", "Purged bytes")
OUTSIDE: dict[str, Callable[[], Part]] = {"Object store": _store, "Printer": _printer, "Disk": _disk}
ORDER = (
    "Database",
    "Object store",
    "Printer",
    "Live changes",
    "Disk",
    "Version",
    "Last backup",
    "Trail verified",
    "Charts verified",
    *OF_DOCUMENTS,
)

_lock = threading.Lock()


def _begin(app: Flask, checks: dict[str, Callable[[], Part]]) -> dict[str, "Future[Part]"]:
    """Ask each part in a thread of its own; one that has not answered an earlier question yet is not asked again."""
    with _lock:
        asked: dict[str, Future[Part]] = app.extensions.setdefault("status", {})
        for name, check in checks.items():
            if name not in asked or asked[name].done():
                asked[name] = _in_thread(app, check)
        return dict(asked)


def _in_thread(app: Flask, check: Callable[[], Part]) -> "Future[Part]":
    answer: Future[Part] = Future()

    def ask() -> None:
        with app.app_context():
            try:
                answer.set_result(check())
            except Exception as error:
                answer.set_exception(error)

    threading.Thread(target=ask, name="status", daemon=True).start()
    return answer


def _answers(asked: dict[str, "Future[Part]"]) -> list[Part]:
    done, _ = wait(asked.values(), timeout=PATIENCE)
    found = []
    for name, answer in asked.items():
        if answer not in done:
            found.append(Part(name, BAD, f"It did not answer within {PATIENCE:.0f} seconds."))
        else:
            error = answer.exception()
            found.append(
                Part(name, BAD, f"It could not be asked ({type(error).__name__}).") if error else answer.result()
            )
    return found
