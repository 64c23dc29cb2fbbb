"""Clean is only what clamd said is clean; whatever else happens is not known, and raises nothing."""

import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from clinic.documents.scan import Outcome, Scan, Verdict
from tests.documents.seeds import pdf

CLEAN = Verdict(Outcome.CLEAN)
MARK = b"chairside-signature-of-the-test"


class Clamd:
    """What clamd is to its client: takes INSTREAM, strictly, and answers. `mood`: in what way it fails instead.

    `took`: the bytes of each file that came to its end. `knows`: in what it finds something.
    """

    def __init__(
        self,
        place: str | tuple[str, int],
        mood: str = "",
        answer: bytes = b"",
        most: int = 2**24,
        knows: bytes = MARK,
    ) -> None:
        family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        self.door = socket.socket(family)
        self.door.bind(place)
        self.door.listen()
        self.mood, self.answer, self.most, self.knows = mood, answer, most, knows
        self.took: list[bytes] = []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    @property
    def address(self) -> str:
        name = self.door.getsockname()
        return name if isinstance(name, str) else f"{name[0]}:{name[1]}"

    def serve(self) -> None:
        while True:
            wire, _ = self.door.accept()
            with wire, suppress(ConnectionError, EOFError):
                if self.is_over.is_set():
                    return
                wire.settimeout(20)
                self.talk(wire)

    def talk(self, wire: socket.socket) -> None:
        if self.mood == "closes at once":
            return
        if self.mood == "reads nothing":
            self.is_over.wait()
            return
        if self.exactly(wire, 10) != b"zINSTREAM\0":
            wire.sendall(b"UNKNOWN COMMAND\0")
            return
        taken = bytearray()
        while size := struct.unpack(">I", self.exactly(wire, 4))[0]:
            if self.mood == "closes" or (self.mood == "says OK and closes" and self.say(wire, b"stream: OK\0")):
                return
            if len(taken) + size > self.most:
                wire.sendall(b"INSTREAM size limit exceeded. ERROR\0")
                return
            taken += self.exactly(wire, size)
        self.took.append(bytes(taken))
        if self.mood == "says nothing":
            self.is_over.wait()
        elif self.mood == "dribbles":
            while not self.is_over.wait(0.1):
                wire.sendall(b"s")
        elif self.mood == "ends":
            return
        elif self.answer:
            wire.sendall(self.answer)
        else:
            wire.sendall(b"stream: Test.Mark.UNOFFICIAL FOUND\0" if self.knows in taken else b"stream: OK\0")

    @staticmethod
    def say(wire: socket.socket, words: bytes) -> bool:
        wire.sendall(words)
        return True

    @staticmethod
    def exactly(wire: socket.socket, size: int) -> bytes:
        out = b""
        while len(out) < size:
            more = wire.recv(size - len(out))
            if not more:
                raise EOFError
            out += more
        return out

    def stop(self) -> None:
        self.is_over.set()
        with socket.socket(self.door.family) as last:
            last.connect(self.door.getsockname())
            self.thread.join(10)
        self.door.close()


@contextmanager
def clamd(mood: str = "", **others) -> Iterator[Clamd]:
    server = Clamd(("127.0.0.1", 0), mood, **others)
    try:
        yield server
    finally:
        server.stop()


def scanned(address: str, *pieces: bytes, seconds: float = 10) -> Verdict:
    with Scan(address, seconds) as scan:
        for piece in pieces:
            scan.feed(piece)
        return scan.end()


@pytest.fixture
def closed() -> Iterator[int]:
    """A port at which nobody answers, for as long as the test."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.mark.parametrize("kind", ["a port", "a path"])
def test_clean_and_found(kind, tmp_path):
    server = Clamd(str(tmp_path / "clamd.ctl") if kind == "a path" else ("127.0.0.1", 0))
    try:
        assert scanned(server.address, pdf()) == CLEAN
        assert scanned(server.address, b"", pdf(), b"", MARK) == Verdict(Outcome.FOUND, "Test.Mark.UNOFFICIAL")
        assert scanned(server.address) == CLEAN
    finally:
        server.stop()
    assert server.took == [pdf(), pdf() + MARK, b""]


def test_every_byte_arrives_however_it_is_cut():
    data = bytes(range(256)) * 4096
    with clamd() as server:
        for size in (999, 65_536, len(data)):
            pieces = [data[start : start + size] for start in range(0, len(data), size)]
            assert scanned(server.address, *pieces) == CLEAN
        assert server.took == [data] * 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\0", "cannot be understood"),
        (b"OK\0", "cannot be understood"),
        (b"stream: OK", "cannot be understood"),
        (b"stream: OK\0stream: X FOUND\0", "cannot be understood"),
        (b"stream: ok\0", "cannot be understood"),
        (b"stream: FOUND\0", "cannot be understood"),
        (b"HTTP/1.1 200 OK\r\n\r\n\0", "cannot be understood"),
        (b"\xff\xfe" * 40_000, "cannot be understood"),
        (b"UNKNOWN COMMAND\0", "cannot be understood"),
        (b"stream: Can't allocate memory ERROR\0", "could not look at the file: stream: Can't allocate memory ERROR"),
        (b"INSTREAM size limit exceeded. ERROR\0", "larger than the scanner takes"),
        (b"stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND\0", "larger than the scanner takes"),
    ],
)
def test_what_is_not_said_plainly_is_not_known(answer, words):
    with clamd(answer=answer) as server:
        verdict = scanned(server.address, pdf())
    assert verdict.outcome is Outcome.NOT_KNOWN
    assert words in verdict.words


@pytest.mark.parametrize("mood", ["closes at once", "closes", "says OK and closes", "ends"])
def test_a_scanner_that_goes_away(mood):
    with clamd(mood) as server:
        verdict = scanned(server.address, *[bytes(100_000)] * 80)
    assert verdict.outcome is Outcome.NOT_KNOWN
    assert "ended the connection" in verdict.words


@pytest.mark.parametrize("mood", ["reads nothing", "says nothing", "dribbles"])
def test_a_scanner_that_hangs(mood):
    with clamd(mood) as server:
        begins = time.monotonic()
        verdict = scanned(server.address, *[bytes(100_000)] * 150, seconds=0.5)
        lasts = time.monotonic() - begins
    assert verdict == Verdict(Outcome.NOT_KNOWN, "The scanner did not answer in time.")
    assert lasts < 5


def test_more_than_the_scanner_takes():
    with clamd(most=150_000) as server:
        verdict = scanned(server.address, *[bytes(100_000)] * 80)
    assert verdict.outcome is Outcome.NOT_KNOWN
    assert verdict.words in ("The file is larger than the scanner takes.", "The scanner ended the connection.")


def test_it_is_not_believed_of_more_than_it_looks_into():
    """clamd says OK of what is larger than its MaxFileSize, whatever that begins with."""
    with clamd() as server:
        unseen = Verdict(Outcome.NOT_KNOWN, "The file is larger than the scanner takes.")
        for size, verdict in ((100_000, CLEAN), (100_001, unseen)):
            with Scan(server.address, most=100_000) as scan:
                scan.feed(bytes(size))
                assert scan.end() == verdict
        with Scan(server.address, most=10) as scan:
            scan.feed(MARK)
            assert scan.end().outcome is Outcome.FOUND


@pytest.mark.parametrize(
    "address",
    ["", ":", "clamd", "127.0.0.1", "127.0.0.1:", ":3310", "127.0.0.1:99999", "127.0.0.1:x", "a\0b:3310", "é" * 80 + ":1"],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_address(address):
    assert scanned(address, pdf()) == Verdict(Outcome.NOT_KNOWN, "The scanner cannot be reached.")


def test_nobody_answers(closed, tmp_path):
    (tmp_path / "file").touch()
    ports = [f"127.0.0.1:{closed}", f"[::1]:{closed}"]
    for address in (*ports, f"{tmp_path}/none", f"{tmp_path}/file", "/" + "x" * 300, "/a\0b"):
        assert scanned(address, pdf()) == Verdict(Outcome.NOT_KNOWN, "The scanner cannot be reached.")


def test_a_scan_that_is_broken_off_is_never_clean():
    with clamd() as server:
        scan = Scan(server.address)
        scan.feed(pdf())
        scan.close()
        scan.close()
        scan.feed(pdf())
        assert scan.end() == scan.end() == Verdict(Outcome.NOT_KNOWN, "The scan was broken off.")
    assert server.took == []


def test_what_was_said_stays():
    with clamd() as server, Scan(server.address) as scan:
        scan.feed(MARK)
        verdict = scan.end()
        scan.feed(b"more")
        scan.close()
        assert scan.end() == verdict
        assert verdict.outcome is Outcome.FOUND


# --- the real one -----------------------------------------------------------------------------------------------------

CONFIG = """
LocalSocket {place}/clamd.ctl
TCPSocket {port}
TCPAddr 127.0.0.1
DatabaseDirectory {place}/signatures
Foreground yes
StreamMaxLength 1M
MaxFileSize 400K
MaxScanSize 400K
AlertExceedsMax yes
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Iterator[list[str]]:
    """Both addresses of a clamd with one signature of ours, which takes 1 MiB and looks into 400 KiB."""
    program = shutil.which("clamd")
    if program is None:
        pytest.skip("there is no clamd here")
    place: Path = tmp_path_factory.mktemp("clamd")
    (place / "signatures").mkdir()
    (place / "signatures" / "own.ndb").write_text(f"Test.Mark:0:*:{MARK.hex()}\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "clamd.conf").write_text(CONFIG.format(place=place, port=port))
    place.chmod(0o755)
    with (place / "log").open("wb") as log:
        running = subprocess.Popen([program, "-c", str(place / "clamd.conf")], stdout=log, stderr=log)
        try:
            addresses = [f"127.0.0.1:{port}", str(place / "clamd.ctl")]
            until = time.monotonic() + 60
            while scanned(addresses[1]).outcome is not Outcome.CLEAN:
                assert running.poll() is None, (place / "log").read_text()
                assert time.monotonic() < until, (place / "log").read_text()
                time.sleep(0.2)
            yield addresses
        finally:
            running.terminate()
            running.wait(20)


def test_the_real_scanner(real):
    for address in real:
        assert scanned(address, pdf()) == CLEAN
        assert scanned(address, pdf(), MARK[:9], MARK[9:]) == Verdict(Outcome.FOUND, "Test.Mark.UNOFFICIAL")
        half = scanned(address, *[bytes(100_000)] * 6)
        assert (half.outcome, half.words) == (Outcome.NOT_KNOWN, "The file is larger than the scanner takes.")
        whole = scanned(address, *[bytes(100_000)] * 80)
        assert whole.outcome is Outcome.NOT_KNOWN
        print(address, half, whole)
