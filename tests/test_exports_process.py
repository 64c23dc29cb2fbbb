"""`flask export-patient` as it is run: a process of its own, on MariaDB with the application's own account, and a real store."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager

import pytest

from clinic import create_app, settings
from clinic.config import Config
from clinic.exports import zipped
from clinic.extensions import db
from clinic.models import AuditEvent
from tests.conftest import fresh_mariadb, with_own_account
from tests.filed import file_document, png
from tests.servers import KEYS, ROOT
from tests.soak import share
from tests.stores import kept_in
from tests.world import build_world

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("storage")]
MB = 10**6
LARGE = share(300, 60) * MB
# The command, and at its end the most memory that it ever held.
MEASURED = """
import atexit, pathlib, sys
def tell():
    line = next(line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print("peak", line.split()[1], file=sys.stderr)
atexit.register(tell)
from flask.cli import main
sys.argv = ["flask", "--app", "wsgi", *sys.argv[1:]]
main()
"""
# The same, with a store whose answers never end.
HANGING = """
import pathlib, signal, sys, time
from clinic import outgoing
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests run under nohup
mark = pathlib.Path(sys.argv.pop())
def pieces_of(stored):
    yield b"x" * 100_000
    mark.touch()
    time.sleep(600)
outgoing.pieces_of = pieces_of
from flask.cli import main
sys.argv = ["flask", "--app", "wsgi", *sys.argv[1:]]
main()
"""


class Clinic:
    def __init__(self, app, world, env):
        self.app, self.world, self.env = app, world, env

    @contextmanager
    def started(self, program, *words, **options):
        run = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, words)],
            cwd=ROOT,
            env=os.environ | self.env,
            stderr=subprocess.PIPE,
            text=not options,
            **options,
        )
        with run:  # whose end waits for it
            try:
                yield run
            finally:
                run.kill()

    def file(self, patient, person, size, media_type):
        with self.app.app_context():
            body = (png(2, 2) + os.urandom(MB) * (size // MB + 1))[:size]
            document = file_document(self.world, patient, person, body=body, into_store=True)
            document.media_type = media_type
            db.session.commit()


@pytest.fixture(scope="module")
def clinic(weed):
    url = fresh_mariadb("chairside_export")
    stored = {f"S3_{name.upper()}": getattr(weed, name) for name in ("endpoint", "bucket", "access_key", "secret_key")}
    env = {"CHAIRSIDE_MODE": "test", "DATABASE_URL": url, "SECURE_COOKIES": "off"} | KEYS | stored
    app = create_app(Config.from_env(env))
    settings.forget()
    with kept_in(app, weed), app.app_context():
        db.create_all()
        world = build_world()
        yield Clinic(app, world, env | {"DATABASE_URL": with_own_account(app, url)})
        db.session.remove()
        db.engine.dispose()


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("media_type", ["image/png", "application/dicom"])
def test_memory_is_flat_whatever_the_size(clinic, tmp_path, media_type):
    small, large = ("fernando", "kamal", 1), ("wu", "omar", 3)
    peaks = []
    for size, (patient, person, number) in ((MB, small), (LARGE, large)):
        clinic.file(patient, person, size, media_type)
        path = tmp_path / f"{size}.zip"
        began = time.monotonic()
        words = ("export-patient", f"P-2026-{number:05}", "--to", path, "--reason", "Measured")
        with clinic.started(MEASURED, *words) as run:
            _, told = run.communicate(timeout=900)
        assert run.returncode == 0, told
        took = time.monotonic() - began
        peaks.append(int(told.split("peak ")[1]) / 1024)
        with zipfile.ZipFile(path) as made:
            assert max(info.file_size for info in made.infolist()) >= size
        assert zipped.check(path).is_good
        print(f"{size // MB} MB of {media_type}: {took:.1f} s with the start of the program, peak {peaks[-1]:.0f} MiB")
    assert peaks[1] - peaks[0] < 32, "two parts of 8 MiB more, and what lies between"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_signal_it_leaves_no_file_and_is_told(clinic, tmp_path, ending):
    clinic.file("perera", "leela", 1000, "image/png")
    words = ("export-patient", "P-2026-00002", "--to", tmp_path / "x.zip", "--reason", "Cut off", tmp_path / "mark")
    with clinic.started(HANGING, *words) as run:
        deadline = time.monotonic() + 60
        while not (tmp_path / "mark").exists():
            assert run.poll() is None, run.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert (tmp_path / "x.zip.part").exists()
        run.send_signal(ending)
        _, told = run.communicate(timeout=30)
    assert (run.returncode, "Traceback" in told) == (1, False), told
    assert [path.name for path in tmp_path.iterdir()] == ["mark"]
    with clinic.app.app_context():
        mine = db.session.query(AuditEvent).filter_by(patient_id=clinic.world.patients["perera"])
        assert [row.act for row in mine.order_by(AuditEvent.id)][-2:] == ["export.begin", "export.break"]


def test_to_a_program_that_reads_it_and_to_one_that_goes_away(clinic, tmp_path):
    clinic.file("nadia", "kamal", 3 * MB, "application/dicom")
    words = ("export-patient", "P-2026-00004", "--to", "-", "--reason", "Sent on")
    with clinic.started(MEASURED, *words, stdout=subprocess.PIPE) as run:
        sent, told = run.communicate(timeout=60)
    assert (run.returncode, b"is exported" in told) == (0, True), told
    (tmp_path / "sent.zip").write_bytes(sent)
    assert zipped.check(tmp_path / "sent.zip").is_good
    with clinic.started(MEASURED, *words, stdout=subprocess.PIPE) as run:
        run.stdout.read(1000)
        run.stdout.close()
        told = run.stderr.read().decode()
        assert run.wait(60) == 1
    assert "Whoever read the export went away" in told
    assert "Traceback" not in told
    assert "Exception ignored" not in told
