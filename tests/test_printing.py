"""The printer: real Chromium in its own process; documents in, PDF out, nothing fetched, nothing kept."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from flask import Flask

from clinic.printing import renderer
from clinic.printing.client import Unavailable, print_pdf
from tests.conftest import make_config
from tests.printers import chromium_of, family_of, words_of, zombies_of

LIMIT = 6  # seconds for one document, instead of the renderer's own: a test waits for it
pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("printing"),
]  # one worker: the servers start once


@pytest.fixture(scope="module")
def socket_path():
    with tempfile.TemporaryDirectory(prefix="chairside-") as folder:  # short: a socket's path has 107 bytes at most
        yield Path(folder) / "s"


@pytest.fixture(scope="module")
def printer(socket_path):
    """The renderer's process, started without any secret, as scripts/run.py does."""
    process = subprocess.Popen(
        [sys.executable, renderer.__file__, str(socket_path), str(LIMIT)],
        env={"PATH": os.environ["PATH"], "HOME": str(socket_path.parent), "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not socket_path.exists():
        assert process.poll() is None, "the printer does not start"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield process
    process.terminate()
    process.wait(20)
    assert not chromium_of(process.pid), "the printer leaves Chromium behind"


@pytest.fixture
def app(socket_path):
    app = Flask("printing")
    app.config["CHAIRSIDE"] = make_config("sqlite://", printer_socket=str(socket_path))
    with app.app_context():
        yield app


def test_a_document_in_many_scripts_is_printed(printer, app):
    pdf = print_pdf("<meta charset=utf-8><h1>Recall list</h1><p>ශ්‍රී ලංකා · தமிழ் · ไทย · مرحبا · 牙科 · Ångström</p>")
    assert pdf.startswith(b"%PDF-")
    words = words_of(pdf)
    for word in ("Recall list", "தமிழ்", "ไทย", "牙科", "Ångström"):
        assert word in words


def test_a_page_keeps_nothing_of_the_document_before(printer, app):
    for number in range(6):  # more than there are pages
        words = words_of(print_pdf(f"<title>doc{number}</title><style>body{{color:red}}</style><p>patient-{number}"))
        assert [word for word in words.split() if word.startswith("patient-")] == [f"patient-{number}"]


def test_scripts_do_not_run(printer, app):
    words = words_of(print_pdf("<p id=a>as written</p><script>document.getElementById('a').textContent='ran'</script>"))
    assert words.split() == ["as", "written"]


def test_files_of_the_machine_are_not_read(printer, app):
    words = words_of(
        print_pdf("<p>shown</p><iframe src='file:///etc/passwd'></iframe><embed src='file:///etc/passwd'>")
    )
    assert "root:" not in words


def test_nothing_is_fetched(printer, app):
    """Whatever way a document names an address, a listener on loopback hears nothing."""
    heard = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_response(204)
            self.end_headers()

        do_POST = do_HEAD = do_OPTIONS = do_GET
        log_message = lambda *_: None  # noqa: E731

    listener = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{listener.server_port}"
    named = f"http://localhost:{listener.server_port}"
    try:
        pdf = print_pdf(f"""<!doctype html><html><head>
            <link rel=stylesheet href={at}/link.css><link rel=prefetch href={at}/prefetch><link rel=preload as=image href={at}/preload>
            <link rel=dns-prefetch href={named}><link rel=preconnect href={at}><link rel=prerender href={at}/prerender>
            <link rel=icon href={at}/icon><link rel=manifest href={at}/manifest><meta http-equiv=refresh content="0;url={at}/refresh">
            <style>@import url({at}/import.css); @font-face {{font-family:f; src:url({at}/font)}}
            body {{background:url({at}/background); font-family:f}} li {{list-style-image:url({named}/list)}}</style></head>
            <body><img src={at}/img srcset="{named}/srcset 2x"><iframe src={at}/iframe></iframe><object data={at}/object></object>
            <embed src={at}/embed><video src={at}/video poster={at}/poster></video><audio src={at}/audio></audio>
            <svg><image href={at}/svg /><use href="{at}/use#a"/></svg><input type=image src={at}/input><table background={at}/table></table>
            <iframe srcdoc="<img src={at}/srcdoc><script>fetch('{at}/fetch');new WebSocket('ws://127.0.0.1:{listener.server_port}/ws');
            navigator.sendBeacon('{at}/beacon')</script>"></iframe>
            <script>fetch('{at}/script'); navigator.sendBeacon('{at}/beacon')</script><p>printed</p></body></html>""")
        time.sleep(1)
        urllib.request.urlopen(f"{named}/heard").close()
    finally:
        listener.shutdown()
        listener.server_close()
    assert "printed" in words_of(pdf)
    assert heard == ["/heard"]


def test_after_chromium_was_killed_the_next_document_is_printed(printer, app):
    print_pdf("<p>before")
    running = chromium_of(printer.pid)
    assert running
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    for number in range(4):
        assert f"after-{number}" in words_of(print_pdf(f"<p>after-{number}"))


def test_a_killed_chromium_is_back_though_nobody_prints(printer, app):
    print_pdf("<p>before")
    gone = chromium_of(printer.pid)
    for pid in gone:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while not set(chromium_of(printer.pid)) - set(gone):
        assert time.monotonic() < deadline, "no new Chromium"
        time.sleep(0.05)


def test_nothing_of_a_killed_chromium_is_left(printer, app):
    for _ in range(3):
        print_pdf("<p>before")
        for pid in chromium_of(printer.pid):
            os.kill(pid, signal.SIGKILL)
    print_pdf("<p>after")
    deadline = time.monotonic() + 30
    while zombies := zombies_of(printer.pid):
        assert time.monotonic() < deadline, zombies
        time.sleep(0.1)


def test_the_printer_ends_when_its_driver_does_so_that_it_is_started_again(socket_path):
    own = socket_path.with_name("own")
    process = subprocess.Popen([sys.executable, renderer.__file__, str(own)], start_new_session=True)
    deadline = time.monotonic() + 60
    while not own.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    driver = next(pid for pid in family_of(process.pid) if b"driver/node" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(driver, signal.SIGKILL)
    assert process.wait(60) == 1
    assert not own.exists()


def test_it_runs_without_a_network_and_without_secrets(printer):
    """Where the host lets a process leave the network (here it does), it has no address but that of nobody."""
    names = Path(f"/proc/{printer.pid}/environ").read_bytes().split(b"\0")
    assert not [name for name in names if b"KEY" in name or b"DATABASE" in name or b"S3" in name]
    if subprocess.run(["unshare", "--user", "--net", "true"], capture_output=True).returncode:
        pytest.skip("this host lets nobody leave the network")
    assert os.readlink(f"/proc/{printer.pid}/ns/net") != os.readlink("/proc/self/ns/net")
    assert Path(f"/proc/{printer.pid}/net/route").read_text().count("\n") <= 1  # the heading alone


def test_a_chromium_that_hangs_is_ended_and_the_next_document_is_printed(printer, app):
    for _ in range(renderer.AT_ONCE):  # they take turns: now each has its browser
        print_pdf("<p>before")
    hung = chromium_of(printer.pid)
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="too long"):
        print_pdf("<p>waits for a browser that stands still")
    for _ in range(len(hung)):  # each page finds out for itself
        with suppress(Unavailable):
            print_pdf("<p>again")
    assert "goes on" in words_of(print_pdf("<p>goes on"))
    assert not set(hung) & set(chromium_of(printer.pid))


def test_sixteen_at_once_are_all_printed_each_its_own(printer, app):
    def one(number):
        with app.app_context():
            return words_of(print_pdf(f"<p>copy-{number}-"))

    with ThreadPoolExecutor(16) as pool:
        printed = list(pool.map(one, range(16)))
    assert all(f"copy-{number}-" in words for number, words in enumerate(printed))


def test_a_full_printer_refuses_at_once(printer, app, socket_path):
    waiting = []
    for _ in range(renderer.AT_ONCE + renderer.QUEUE):
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(socket_path))
        assert line.recv(1) == b"A"
        waiting.append(line)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="too much to do"):
        print_pdf("<p>one too many")
    assert time.monotonic() - began < 1
    for line in waiting:
        line.close()
    deadline = time.monotonic() + 30
    while True:
        try:
            print_pdf("<p>room again")
            break
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_printer_that_is_away_or_hangs_is_said_within_a_second(app):
    with tempfile.TemporaryDirectory(prefix="chairside-") as folder:
        app.config["CHAIRSIDE"] = make_config("sqlite://", printer_socket=f"{folder}/nobody")
        assert_unavailable_soon()
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(f"{folder}/silent")
            silent.listen()
            app.config["CHAIRSIDE"] = make_config("sqlite://", printer_socket=f"{folder}/silent")
            assert_unavailable_soon()


def assert_unavailable_soon():
    began = time.monotonic()
    with pytest.raises(Unavailable):
        print_pdf("<p>nobody prints this")
    assert time.monotonic() - began < 1.5
