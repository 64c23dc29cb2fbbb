"""A file gives way while a page is made, in this process or another of the server, and never for long."""

import multiprocessing
import subprocess
import sys
import threading
import time

import pytest

from clinic import way as ways
from clinic.way import Way
from tests.filed import png, send, upload_address
from tests.stores import kept_in


@pytest.fixture
def patient(monkeypatch):
    monkeypatch.setattr(ways, "LONGEST", 60.0)
    monkeypatch.setattr(ways, "OLD", 60.0)


def test_a_piece_waits_until_no_page_is_made(patient):
    way, gone = Way(), threading.Event()
    way.give()  # there is none
    way.count(1)
    way.count(1)
    piece = threading.Thread(target=lambda: (way.give(), gone.set()), daemon=True)
    piece.start()
    way.count(-1)
    assert not gone.wait(0.1)
    way.count(-1)
    assert gone.wait(30)


def test_it_goes_on_though_pages_are_made_all_the_time(monkeypatch):
    monkeypatch.setattr(ways, "LONGEST", 0.001)
    way = Way()
    way.count(1)
    for _ in range(50):
        way.give()


def test_of_a_page_that_does_not_end_it_takes_no_notice(patient, monkeypatch):
    monkeypatch.setattr(ways, "OLD", -1.0)
    way = Way()
    way.count(1)  # a form whose body never comes
    began = time.monotonic()
    way.give()
    assert time.monotonic() - began < 30


@pytest.fixture
def other():
    """Another process of the server, that makes a page: what it is told is done before it answers."""
    ours, theirs = multiprocessing.get_context("fork").Pipe()

    def work() -> None:
        way = Way()
        while True:
            way.count(theirs.recv())
            theirs.send(None)

    process = multiprocessing.get_context("fork").Process(target=work, daemon=True)
    process.start()

    def tell(more: int) -> None:
        ours.send(more)
        assert ours.poll(30)
        ours.recv()

    yield process, tell
    process.kill()
    process.join()
    ways._board[:] = ways._NOBODY  # what it was killed over is no other test's


def test_a_piece_waits_for_a_page_of_another_process(patient, other):
    _, tell = other
    way, gone = Way(), threading.Event()
    tell(1)
    piece = threading.Thread(target=lambda: (way.give(), gone.set()), daemon=True)
    piece.start()
    assert not gone.wait(0.1)
    tell(-1)
    assert gone.wait(30)
    way.give()


def test_the_processes_of_the_server_share_its_memory():
    told = "import runpy, sys; runpy.run_path('gunicorn.conf.py'); assert 'clinic.way' in sys.modules"
    subprocess.run([sys.executable, "-c", told], check=True, timeout=60)


def test_for_a_process_that_was_killed_over_a_page_nobody_waits_for_long(patient, monkeypatch, other):
    process, tell = other
    tell(1)
    process.kill()
    process.join()
    monkeypatch.setattr(time, "monotonic", lambda real=time.monotonic: real() + 61)
    began = time.monotonic()
    Way().give()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "path", ["/", "/patients/1/documents", "/nowhere", "/patients/999999", "/static/nothing", "/healthz"]
)
def test_every_request_is_counted_and_none_stays_so(app, browser_of, monkeypatch, path):
    counted, count = [], Way.count
    monkeypatch.setattr(Way, "count", lambda self, more: (counted.append(more), count(self, more)))
    browser_of("kamal").get(path)
    assert counted[-2:] == [1, -1]
    assert app.extensions["way"].pages == 0


def test_while_a_file_comes_or_goes_its_own_request_is_no_page(app, world, weed, browser_of, patient):
    began = time.monotonic()
    kamal, fernando = browser_of("kamal"), world.patients["fernando"]
    with kept_in(app, weed):
        sent = send(kamal, upload_address(kamal, fernando), png(), by_script=True)
        assert sent.status_code == 303
        page = sent.headers["Location"].split("?")[0]
        assert kamal.get(f"{page}/download").data == png()
    assert app.extensions["way"].pages == 0
    assert time.monotonic() - began < 60
