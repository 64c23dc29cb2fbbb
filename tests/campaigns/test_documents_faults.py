"""Everything that can be cut off under documents, cut off: afterwards each is whole or not there, and nothing wrong is ever sent.

A gunicorn server, a MariaDB and an object store of its own, for they are killed. `SEED=…` repeats a day's run.
"""

import hashlib
import http.client
import os
import random
import re
import secrets
import signal
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import select, update

from clinic import clock, create_app, outgoing, settings, storage
from clinic.config import Config
from clinic.extensions import db
from clinic.incoming import Incoming
from clinic.models import Document, DocumentStatus, Setting
from clinic.models.document import HELD
from clinic.operations import reconciling
from clinic.operations.reconciling import YOUNG, Found
from clinic.queries.documents import stored_of
from clinic.storage import PART
from tests.campaigns.browserless import RemotePerson
from tests.conftest import with_own_account
from tests.filed import PDF, file_document, packed
from tests.servers import KEYS, Server
from tests.services import MariaDB, ObjectStore
from tests.soak import daily_seed, share
from tests.world import build_world

pytestmark = [
    pytest.mark.server,
    pytest.mark.soak,
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.xdist_group("storage"),
    # Servers, stores and databases are killed and waited for: beside other tests on a busy machine that is chance.
    pytest.mark.skipif(
        not share(1, 0), reason="only in make soak: what is killed must come back while nothing else runs"
    ),
]

DAMAGED = share(1000, 40)
HANGS = share(8, 1)
FAULTS = ("workers killed", "hung up", "store stopped", "store killed", "database stopped", "database killed")
RUNS = share(500, len(FAULTS))
SIZES = (2_000, PART // 2, PART + 1, 3 * PART)
ALLOWED = 10.0  # seconds, on a machine that is busy; the figure is printed
PIECE = 256 * 1024  # bytes sent at once
NEAR = 1000  # bytes around a part's end


class Rig:
    """The server with all that it stands on."""

    def __init__(self, folder: Path) -> None:
        self.store = ObjectStore(folder / "store")
        # What was committed must survive a kill, as it does in production.
        self.mariadb = MariaDB(folder / "mariadb", "--innodb-flush-log-at-trx-commit=1").start()
        named = {f"S3_{name.upper()}": getattr(self.store, name) for name in ("endpoint", "bucket", "access_key")}
        named |= {"S3_SECRET_KEY": self.store.secret_key}
        env = {"CHAIRSIDE_MODE": "test", "SECURE_COOKIES": "off"} | KEYS | named
        env["DATABASE_URL"] = self.mariadb.database("faults")
        app = create_app(Config.from_env(env))
        settings.forget()
        with app.app_context():
            db.create_all()
            world = build_world()
            for name in ("documents_a_day", "document_mib_a_day"):
                db.session.add(Setting(name=name, value="100000"))
            db.session.commit()
            env["DATABASE_URL"] = with_own_account(app, env["DATABASE_URL"])
            db.session.remove()
            db.engine.dispose()
            storage.ensure_bucket()
        self.server = Server(create_app(Config.from_env(env)), world, env, folder / "server.log").start()
        self.patient = world.patients["fernando"]
        self.path = f"/patients/{self.patient}/documents"
        self.asked = 0
        self.moved = 0  # bytes sent of large files
        self.new_page()

    def new_page(self) -> None:
        """Sign in and open the page: its form's ticket is good for any number of files."""
        self.visitor = RemotePerson(self.server, "kamal")
        page = self.visitor.get(self.path).text
        found = re.search(rf'action="{self.path}\?ticket=([^"&]+)"', page)
        assert found, page[:500]
        self.ticket = found[1]

    def store_writes(self) -> None:
        """Wait until the object store takes what it is given: its parts find each other some time after it answers."""
        deadline = time.monotonic() + 60
        with self.server.inside():
            while time.monotonic() < deadline:
                with suppress(storage.StorageError):
                    storage.put_once(f"probe/{secrets.token_hex(8)}", b"x")
                    return
                time.sleep(0.05)
        raise RuntimeError("the object store takes nothing")

    def workers_back(self) -> None:
        deadline = time.monotonic() + 60
        while not (len(self.server.workers()) == 2 and self.server._answers()):
            assert time.monotonic() < deadline, self.server.log.read_text()[-2000:]
            time.sleep(0.05)

    def end(self) -> None:
        self.server.kill()
        with self.server.inside():
            db.session.remove()
            db.engine.dispose()
        with suppress(ProcessLookupError):
            self.store.go_on()
        self.store.stop()
        self.mariadb.stop(kill=True)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="chairside-faults-") as folder:
        made = Rig(Path(folder))
        yield made
        made.end()


def pdf(dice: random.Random, size: int) -> bytes:
    """A PDF of about so many bytes, like no other."""
    tail = b"\n%%EOF\n"
    return PDF[:-6] + b"%" + dice.randbytes(max(8, (size - len(PDF) - len(tail)) // 2)).hex().encode() + tail


class Upload(threading.Thread):
    """One file sent over a socket of its own. `reached` is set when `at` bytes of it are sent; `hangs_up`: no more come then."""

    def __init__(self, rig: Rig, body: bytes, *, at: int = 0, hangs_up: bool = False, waits: bool = False) -> None:
        super().__init__(daemon=True)
        self.rig, self.body, self.at, self.hangs_up = rig, body, at, hangs_up
        rig.asked += 1
        number, self.by_script = f"n{rig.asked}", rig.asked % 5 > 1
        self.path = f"{rig.path}?ticket={rig.ticket}&file={number}"
        self.once = hashlib.sha256(f"{unquote(rig.ticket)} {number}".encode()).hexdigest()
        self.digest = hashlib.sha256(body).hexdigest()
        self.reached, self.go_on = threading.Event(), threading.Event()
        if not waits:
            self.go_on.set()
        self.status, self.text, self.led_to, self.took = 0, "", "", 0.0

    def run(self) -> None:
        began = time.monotonic()
        try:
            self._send()
        except (OSError, http.client.HTTPException) as error:
            self.text = repr(error)
        finally:
            self.reached.set()
            self.took = time.monotonic() - began

    def _send(self) -> None:
        headers, sent = packed(self.body, "a.pdf", by_script=self.by_script)
        headers |= {"Host": "127.0.0.1", "Cookie": self.rig.visitor.cookie, "Content-Length": str(len(sent))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode()
        with socket.create_connection(("127.0.0.1", self.rig.server.port), timeout=120) as wire:
            wire.sendall(request)
            at = min(self.at, len(sent))
            cut = False
            try:
                self._pieces(wire, sent[:at])
                self.reached.set()
                if self.hangs_up:
                    return
                self.go_on.wait(60)
                self._pieces(wire, sent[at:])
            except OSError:
                cut = True  # there may be an answer all the same
            answer = http.client.HTTPResponse(wire, method="POST")
            answer.begin()
            self.status, self.text = answer.status, answer.read().decode()
            self.led_to = answer.headers.get("Location", "")
            assert not cut or self.status >= 400

    def _pieces(self, wire: socket.socket, data: bytes) -> None:
        for place in range(0, len(data), PIECE):
            wire.sendall(data[place : place + PIECE])

    @property
    def row(self) -> Document | None:
        with self.rig.server.inside():
            found = db.session.execute(select(Document).where(Document.once == self.once)).scalar_one_or_none()
            db.session.remove()
            return found


@contextmanager
def later(by: timedelta) -> Iterator[None]:
    with clock.frozen(clock.now() + by):
        yield


def reconcile(rig: Rig, by: timedelta) -> Found:
    """What the hourly job does, as if it ran `by` from now."""
    with rig.server.inside(), later(by):
        found = reconciling.reconcile(db.session.commit)
        db.session.remove()
    return found


def snapshot(rig: Rig) -> tuple[object, ...]:
    with rig.server.inside():
        rows = db.session.execute(select(Document.id, Document.status, Document.version).order_by(Document.id)).all()
        db.session.remove()
        return (
            [tuple(row) for row in rows],
            [(each.key, each.size) for each in storage.held(reconciling.PREFIX)],
            [each.upload for each in storage.unfinished(reconciling.PREFIX)],
        )


def disagreements(rig: Rig, sent: dict[str, str], *, after: int = 0) -> list[str]:
    """Where rows and objects are not what they must be, of the documents whose ids come after `after`. `sent`: digests by `once`."""
    faults = []
    with rig.server.inside():
        rows = db.session.scalars(select(Document).order_by(Document.id)).all()
        db.session.expunge_all()
        db.session.remove()
        names = {row.key for row in rows if row.status in HELD}
        faults += [f"nobody's object {each.key}" for each in storage.held(reconciling.PREFIX) if each.key not in names]
        faults += [f"open: {each.key}" for each in storage.unfinished(reconciling.PREFIX)]
        for row in rows:
            if row.status is DocumentStatus.PENDING:
                faults.append(f"{row.id} is still pending")
            if row.status is not DocumentStatus.AVAILABLE or row.id <= after:
                continue
            hashed = hashlib.sha256()
            try:
                for piece in outgoing.pieces_of(stored_of(row)):
                    hashed.update(piece)
            except storage.StorageError as error:
                faults.append(f"{row.id} is available and: {error}")
                continue
            if hashed.hexdigest() != sent[row.once]:
                faults.append(f"{row.id} is available and not what was sent")
    return faults


def newest(rig: Rig) -> int:
    with rig.server.inside():
        number = db.session.scalar(select(Document.id).order_by(Document.id.desc()).limit(1))
        db.session.remove()
    return number or 0


def break_(rig: Rig, fault: str, dice: random.Random) -> None:
    pause = dice.choice((0.0, 0.0, dice.uniform(0, 1.5)))
    if fault == "workers killed":
        for pid in rig.server.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    elif fault.startswith("store"):
        (rig.store.kill if fault == "store killed" else rig.store.stop)()
        time.sleep(pause)
        rig.store.start()
    elif fault.startswith("database"):
        rig.mariadb.stop(kill=fault == "database killed")
        time.sleep(pause)
        rig.mariadb.start()


def places(size: int) -> tuple[tuple[int, float], ...]:
    """Where to be cut: (bytes sent, most seconds waited then)."""
    ends = [number * PART for number in range(1, size // PART + 1)]
    return (
        (0, 0.02),
        (1, 0.05),
        *((end + off, 0.1) for end in ends for off in (-NEAR, NEAR)),
        (size // 2, 0.1),
        (size - 10, 0.2),
        (size * 2, 0.05),
        (size * 2, 0.5),
    )


def one_run(rig: Rig, fault: str, dice: random.Random, sent: dict[str, str]) -> Upload:
    size = dice.choice(SIZES)
    at, wait = dice.choice(places(size))
    before = newest(rig)
    upload = Upload(rig, pdf(dice, size), at=at, hangs_up=fault == "hung up")
    sent[upload.once] = upload.digest
    upload.start()
    assert upload.reached.wait(60)
    time.sleep(dice.uniform(0, wait))
    break_(rig, fault, dice)
    upload.join(120)
    assert not upload.is_alive(), f"{fault}: no answer"
    rig.workers_back()
    if fault.startswith("store"):
        rig.store_writes()
    if fault == "hung up":
        # On a busy machine the server comes to it when nobody is there any more; the reconciler here is hours ahead of it.
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            row = upload.row
            if newest(rig) > before and not (row and row.status is DocumentStatus.PENDING):
                break
            time.sleep(0.02)
    return upload


def young_stays(rig: Rig, dice: random.Random, sent: dict[str, str]) -> None:
    """The reconciler runs while a file is coming in, just before the file would be too old: nothing of it is taken."""
    upload = Upload(rig, pdf(dice, 3 * PART), at=2 * PART + NEAR, waits=True)
    sent[upload.once] = upload.digest
    upload.start()
    assert upload.reached.wait(60)
    deadline = time.monotonic() + 30
    with rig.server.inside():
        while not list(storage.unfinished(reconciling.PREFIX)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    found = reconcile(rig, YOUNG - timedelta(minutes=2))
    assert (found.cut_off, found.taken, found.aborted, found.is_good) == (0, 0, 0, True), found
    upload.go_on.set()
    upload.join(60)
    row = upload.row
    assert (upload.status, row and row.status) == (303, DocumentStatus.AVAILABLE), upload.text


def test_whatever_is_cut_off_a_document_is_whole_or_not_there(rig):
    seed = daily_seed()
    dice = random.Random(seed)
    sent: dict[str, str] = {}
    answers: dict[str, Counter[str]] = {fault: Counter() for fault in FAULTS}
    total, seconds, young = Found(), [], 0
    for number in range(RUNS):
        if number % 25 == 24:
            rig.new_page()
        fault = FAULTS[number % len(FAULTS)]
        before, began = newest(rig), time.monotonic()
        upload = one_run(rig, fault, dice, sent)
        where = f"run {number + 1}, {fault}, seed {seed}"
        row = upload.row
        answers[fault]["kept" if row and row.status is DocumentStatus.AVAILABLE else "not kept"] += 1
        if upload.status:
            assert upload.status in (303, 422, 503), f"{where}: {upload.status} {upload.text[:500]}"
        if upload.status == 303:
            assert row is not None, where
            assert row.status is DocumentStatus.AVAILABLE, where
        found = reconcile(rig, YOUNG + timedelta(minutes=1))
        assert found.is_good, f"{where}: {found.sentence}"
        for name in ("cut_off", "taken", "aborted"):
            setattr(total, name, getattr(total, name) + getattr(found, name))
        assert disagreements(rig, sent, after=before) == [], where
        held = snapshot(rig)
        assert reconcile(rig, YOUNG + timedelta(minutes=2)) == Found(), where
        assert snapshot(rig) == held, where
        if number % 10 == 9 or number + 1 == RUNS:
            young_stays(rig, dice, sent)
            young += 1
        seconds.append(time.monotonic() - began)
    assert disagreements(rig, sent) == [], f"seed {seed}"
    told = ", ".join(f"{fault} {dict(answers[fault])}" for fault in FAULTS)
    print(
        f"\nseed {seed}: {RUNS} runs ({told}); the reconciler: {total.sentence} "
        f"{young} files coming in while it ran left alone; 0 disagreements, 0 changes the second time; "
        f"{statistics.median(seconds):.1f} s a run"
    )


# --- damaged objects --------------------------------------------------------------------------------------------------


def flipped(dice: random.Random, body: bytes, _other: bytes) -> bytes:
    place = dice.randrange(PART if len(body) > PART else 0, len(body))  # of a long one what comes after the first part
    return body[:place] + bytes([body[place] ^ 1 << dice.randrange(8)]) + body[place + 1 :]


def shortened(dice: random.Random, body: bytes, _other: bytes) -> bytes:
    return body[: dice.choice((0, 1, len(body) // 2, len(body) - 1, dice.randrange(len(body))))]


def swapped(_dice: random.Random, _body: bytes, other: bytes) -> bytes:
    return other


def lengthened(dice: random.Random, body: bytes, other: bytes) -> bytes:
    return body + dice.choice((b"\0", b"\n", other))


def download(rig: Rig, number: int) -> tuple[int, bytes, int]:
    """Status, the bytes that came, and how many were promised."""
    wire = http.client.HTTPConnection("127.0.0.1", rig.server.port, timeout=60)
    try:
        wire.request("GET", f"{rig.path}/{number}/download", headers={"Cookie": rig.visitor.cookie})
        answer = wire.getresponse()
        promised = int(answer.headers.get("Content-Length", -1))
        try:
            body = answer.read()
        except http.client.IncompleteRead as cut:
            body = cut.partial
        return answer.status, body, promised
    finally:
        wire.close()


def test_what_is_damaged_is_never_sent_and_is_named(rig):
    seed = daily_seed()
    dice = random.Random(seed + 1)
    rig.new_page()
    how: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (flipped, shortened, swapped, lengthened)
    bodies: dict[int, bytes] = {}
    with rig.server.inside():
        for number in range(DAMAGED + 5):
            body = pdf(dice, PART + 3000 if number % 13 == 4 else 2000 + 2 * dice.randrange(3))
            document = file_document(
                rig.server.world, body=body, name="a.pdf", once=f"damaged {number}", into_store=True
            )
            bodies[document.id] = body
            if number % 50 == 49:
                db.session.commit()
        db.session.commit()
        ids = list(bodies)
        bad, good = ids[:DAMAGED], ids[DAMAGED:]
        keys = dict(db.session.execute(select(Document.id, Document.key).where(Document.id.in_(ids))).all())
        db.session.remove()
        for place, number in enumerate(bad):
            wrong = how[place % len(how)](dice, bodies[number], bodies[bad[place - 1]])
            assert wrong != bodies[number]
            storage.delete(keys[number])
            with Incoming(keys[number], most=10**9) as incoming:
                incoming.write(wrong)
                incoming.finish()
    outcomes: Counter[str] = Counter()
    for number in bad:
        status, body, promised = download(rig, number)
        if status == 200:
            assert len(body) < promised == len(bodies[number]), f"document {number}, seed {seed}"
            assert bodies[number].startswith(body), f"document {number}, seed {seed}"
            outcomes["cut"] += 1
        else:
            assert status == 503, f"document {number}, seed {seed}: {status}"
            assert "tell an administrator" in body.decode()
            outcomes["refused"] += 1
    assert outcomes["cut"], "no file was wrong only after its first part"
    for number in good:
        assert download(rig, number)[:2] == (200, bodies[number])
    with rig.server.inside():
        statuses = dict(db.session.execute(select(Document.id, Document.status)).all())
        assert {number for number, status in statuses.items() if status is DocumentStatus.QUARANTINED} == set(bad)
        # As if nobody had asked for them yet:
        again = update(Document).where(Document.id.in_(bad)).values(status=DocumentStatus.AVAILABLE, why="")
        db.session.execute(again.execution_options(synchronize_session=False))
        db.session.commit()
        verified = reconciling.verify(db.session.commit)
        assert sorted(verified.wrong) == bad, f"seed {seed}"
        assert str(bad[0]) in verified.sentence
        db.session.remove()
    print(
        f"\nseed {seed}: {len(bad)} damaged objects: {dict(outcomes)}, 0 wrong bytes sent, "
        f"{len(verified.wrong)} of {len(bad)} named among {verified.read} read anew"
    )


# --- a store that is away ---------------------------------------------------------------------------------------------


def answered_while_away(rig: Rig, dice: random.Random) -> tuple[list[float], list[float]]:
    """Three files of several sizes one after the other, then three at once, with pages beside them: the seconds of each."""
    uploads, pages = [], []
    for at_once in (False, True):
        batch = [Upload(rig, pdf(dice, size)) for size in SIZES]
        for upload in batch:
            upload.start()
            if not at_once:
                upload.join(100)
        for path in ("/queue", rig.path, "/patients", "/account/sessions"):
            began = time.monotonic()
            assert rig.visitor.get(path).status in (200, 403), path
            pages.append(time.monotonic() - began)
        for upload in batch:
            upload.join(100)
            assert upload.status == 503, (upload.status, upload.text[:300], upload.took)
            assert "keep the file" in upload.text
            uploads.append(upload.took)
    return uploads, pages


def test_a_store_that_is_away_or_hangs_is_said_soon(rig):
    seed = daily_seed()
    dice = random.Random(seed + 2)
    rig.new_page()
    figures = []
    for _ in range(HANGS):
        for name, away, back in (
            ("stopped", rig.store.kill, rig.store.start),
            ("hanging", rig.store.hang, rig.store.go_on),
        ):
            fresh = Upload(rig, pdf(dice, 2000))  # so that each process believes the store to be well
            fresh.start()
            fresh.join(60)
            assert fresh.status == 303, fresh.text[:300]
            away()
            try:
                uploads, pages = answered_while_away(rig, dice)
            finally:
                back()
            rig.store_writes()
            time.sleep(storage.AWAY_FOR)  # until what is known of it is asked anew
            figures.append((name, max(uploads), max(pages)))
    told = "; ".join(f"{name}: slowest 503 {upload:.1f} s, slowest page {page:.2f} s" for name, upload, page in figures)
    print(f"\nseed {seed}: {told}")
    assert max(upload for _, upload, _ in figures) < ALLOWED
