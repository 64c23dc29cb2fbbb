"""`make run` as it is used: opens, says what is wrong, watches its programs, and leaves nothing behind."""

import os
import re
import runpy
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.services import free_port

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("run"),
]  # one worker: the servers start once
ROOT = Path(__file__).resolve().parent.parent


class Clinic:
    """scripts/run.py in an environment with nothing in it, on a data folder of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = free_port()
        self.log = data.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self, **more: str) -> dict[str, str]:
        folders = {"HOME": str(self.data.parent), "TMPDIR": str(self.data.parent), "DATA_DIR": str(self.data)}
        return {"PATH": os.environ["PATH"], "PORT": str(self.port)} | folders | more

    def start(self) -> float:
        """Start and wait until it is open; answers the seconds this took."""
        began = time.monotonic()
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "scripts/run.py"], cwd=ROOT, env=self.environment(), stdout=log, stderr=log
            )
        wait_for(lambda: "Everything is kept in" in self.said() or self.process.poll() is not None, 90, self.said)
        assert self.process.poll() is None, self.said()
        return time.monotonic() - began

    def said(self) -> str:
        return self.log.read_text()

    def second_try(self, **more: str) -> str:
        """What another start says, that must fail."""
        done = subprocess.run(
            [sys.executable, "scripts/run.py"],
            cwd=ROOT, env=self.environment(**more), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def family(self) -> dict[int, str]:
        """Every process that descends from it, by id, with its command line."""
        assert self.process
        table = subprocess.run(
            ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = [
            (int(pid), int(parent), words) for pid, parent, words in (li.split(None, 2) for li in table.splitlines())
        ]
        found: dict[int, str] = {}
        parents = {self.process.pid}
        while parents:
            born = {pid: words for pid, parent, words in rows if parent in parents}
            found |= born
            parents = set(born)
        return found


def wait_for(is_so, seconds, explain=lambda: ""):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def open_clinic(data: Path):
    clinic = Clinic(data)
    try:
        yield clinic
    finally:
        if clinic.process and clinic.process.poll() is None:
            family = clinic.family()
            clinic.process.kill()
            clinic.process.wait()
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def clinic():
    with tempfile.TemporaryDirectory(prefix="chairside-run-") as folder, open_clinic(Path(folder) / "var") as clinic:
        clinic.start()
        yield clinic


def test_it_opens_with_demo_people_and_says_where(clinic):
    said = clinic.said()
    assert f"http://localhost:{clinic.port}" in said
    for person in ("reception", "nurse", "student", "supervisor", "admin"):
        assert f"{person}@demo.test" in said
    assert clinic.status("/sign-in") == 200
    assert clinic.status("/readyz") == 200
    with closing(sqlite3.connect(f"file:{clinic.data}/clinic.sqlite?mode=ro", uri=True)) as database:
        (documents,) = database.execute("SELECT count(*) FROM document WHERE status = 'available'").fetchone()
    assert documents >= 8


def test_it_calls_the_jobs_by_itself(clinic):
    log = clinic.data / "jobs.log"
    wait_for(lambda: log.exists() and "clean-up: " in log.read_text(), 90, clinic.said)
    said = log.read_text()
    assert "anchor-audit: " in said
    assert "anchors in the object store agree" in said
    assert "failed" not in said


def test_secrets_are_its_owners_alone(clinic):
    assert stat.S_IMODE(clinic.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((clinic.data / "environment").stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in (clinic.data / "environment").read_text().splitlines())
    printer = next(pid for pid, words in clinic.family().items() if "renderer.py" in words)
    environment = Path(f"/proc/{printer}/environ").read_text()
    for name in ("SECRET_KEY", "AUDIT_KEY", "S3_SECRET_KEY", "S3_ACCESS_KEY"):
        assert len(values[name]) >= 20
        assert values[name] not in environment
        assert all(values[name] not in words for words in clinic.family().values())


def listening() -> dict[int, set[str]]:
    """The addresses (hex, as the kernel writes them) on which something listens, by port."""
    found: dict[int, set[str]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A":
                host, port = address.split(":")
                found.setdefault(int(port, 16), set()).add(host)
    return found


def test_it_listens_on_loopback_only(clinic):
    ports = {clinic.port} | {
        int(port) for port in re.findall(r"STORE_\w+=(\d+)", (clinic.data / "environment").read_text())
    }
    wait_for(lambda: ports <= listening().keys(), 30, lambda: f"{ports - listening().keys()} never opened")
    found = listening()
    assert {port: found[port] for port in ports} == {port: {"0100007F"} for port in ports}


def test_a_busy_port_is_said(clinic):
    said = clinic.second_try()
    assert f"Port {clinic.port}" in said
    assert "PORT=" in said


def test_data_in_use_is_said(clinic):
    assert "running already" in clinic.second_try(PORT=str(free_port()))


def test_data_in_use_is_not_removed(clinic):
    done = subprocess.run(
        [sys.executable, "scripts/reset.py"], cwd=ROOT, env=clinic.environment(YES="1"), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "running" in done.stderr


@pytest.mark.parametrize("program", ["renderer.py", "gunicorn", "weed"])
def test_a_program_that_dies_is_started_again_and_announced(clinic, program):
    before = [pid for pid, words in clinic.family().items() if program in words]
    announced = clinic.said().count("starting it again")
    os.kill(min(before), signal.SIGKILL)
    wait_for(lambda: clinic.said().count("starting it again") > announced, 20)
    wait_for(lambda: any(program in words and pid not in before for pid, words in clinic.family().items()), 30)
    wait_for(lambda: clinic.status("/sign-in") == 200, 30)
    assert not [pid for pid in before if is_alive(pid)]


def test_a_signal_ends_everything_and_a_second_start_finds_the_same_clinic():
    with tempfile.TemporaryDirectory(prefix="chairside-run-") as folder, open_clinic(Path(folder) / "var") as clinic:
        clinic.start()
        family = clinic.family()
        assert len(family) >= 5
        clinic.process.send_signal(signal.SIGINT)
        assert clinic.process.wait(25) == 0
        assert not [words for pid, words in family.items() if is_alive(pid)]
        assert clinic.start() < 60  # seconds, on a busy machine
        assert "departments, chairs" not in clinic.said()  # it was not filled again
        family = clinic.family()
        clinic.process.send_signal(signal.SIGTERM)
        assert clinic.process.wait(25) == 0
        assert not [words for pid, words in family.items() if is_alive(pid)]
        reset = [sys.executable, "scripts/reset.py"]
        refused = subprocess.run(
            reset, cwd=ROOT, env=clinic.environment(), input="no\n", text=True, capture_output=True
        )
        assert refused.returncode == 1
        assert clinic.data.exists()
        subprocess.run(reset, cwd=ROOT, env=clinic.environment(YES="1"), check=True, capture_output=True)
        assert not clinic.data.exists()


def test_killed_itself_it_takes_its_programs_along():
    with tempfile.TemporaryDirectory(prefix="chairside-run-") as folder, open_clinic(Path(folder) / "var") as clinic:
        clinic.start()
        family = clinic.family()
        clinic.process.kill()
        clinic.process.wait()
        with suppress(AssertionError):
            wait_for(lambda: not [pid for pid in family if is_alive(pid)], 30)
        left = {pid: words for pid, words in family.items() if is_alive(pid)}
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left


def test_a_store_that_does_not_start_costs_the_documents_only():
    with tempfile.TemporaryDirectory(prefix="chairside-run-") as folder, open_clinic(Path(folder) / "var") as clinic:
        (clinic.data / "store").mkdir(parents=True)
        (clinic.data / "store" / "filerldb2").write_text("no folder")
        clinic.start()
        assert "The clinic opens without its documents; the next start tries again." in clinic.said()
        assert (clinic.status("/sign-in"), clinic.status("/readyz")) == (200, 200)
        wait_for(lambda: "The object store ended" in clinic.said(), 30, clinic.said)
        assert not (clinic.data / "store" / "demo-documents").exists()


def test_a_taken_port_of_the_store_is_replaced_and_the_secrets_stay(tmp_path):
    run = runpy.run_path(str(ROOT / "scripts" / "run.py"))
    first = run["embedded_settings"](tmp_path)
    assert run["embedded_settings"](tmp_path) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", int(first["STORE_FILER"])))
        other.listen()
        second = run["embedded_settings"](tmp_path)
    assert second["STORE_FILER"] != first["STORE_FILER"]
    assert (second["SECRET_KEY"], second["S3_SECRET_KEY"]) == (first["SECRET_KEY"], first["S3_SECRET_KEY"])
    assert stat.S_IMODE((tmp_path / "environment").stat().st_mode) == 0o600
