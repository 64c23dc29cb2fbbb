"""Hostile files and names through the whole application, and looked at in Chromium: each has its verdict, and no script ever runs.

Real server processes and a real object store. `SEED=…` repeats a day's mutants.
"""

import html
import http.client
import os
import random
import re
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import html5lib
import pytest
from playwright.sync_api import BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as BrowserError
from sqlalchemy import select

from clinic import create_app, settings, storage
from clinic.config import Config
from clinic.documents.inspection import Found, Inspection
from clinic.documents.pictures import DRAWN, LARGEST
from clinic.documents.walk import Refused
from clinic.extensions import db
from clinic.models import Document, DocumentStatus, Setting
from clinic.models.document import PICTURES
from clinic.operations import reconciling
from tests.browser.conftest import CHROMIUM
from tests.campaigns.browserless import RemotePerson
from tests.conftest import fresh_mariadb, with_own_account
from tests.documents import corpus, seeds
from tests.documents.corpus import CAP, FILES, KEPT, NAMES, TOO_LARGE, WORD, Canary, Item
from tests.documents.test_scan import clamd
from tests.filed import packed
from tests.servers import KEYS, Server
from tests.services import ObjectStore
from tests.soak import daily_seed, share
from tests.world import build_world

pytestmark = [
    pytest.mark.server,
    pytest.mark.soak,
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.xdist_group("storage"),
]

MUTANTS = share(10_000, 100)
STRETCH = MUTANTS // 10  # after the first of these and after the last, memory is measured
GROWTH = 32 * 2**20  # bytes
ALWAYS = (
    "script.jpg",
    "script.dcm",
    "style.dcm",
    "page.png",
    "page.webp",
    "cap.png",
    "vast.png",
    "packed-script.pdf",
    "script.pdf",
)
SENT_FILES = [
    item
    for item in FILES
    if item.name in ALWAYS or item in random.Random(daily_seed()).sample(FILES, share(len(FILES), 20))
]
SENT_NAMES = random.Random(daily_seed()).sample(NAMES, share(len(NAMES), 25))
PEOPLE = {"kamal": "fernando", "leela": "perera", "omar": "wu", "ruwan": "nadia"}
ALONE = ("default-src 'none'", "sandbox")


# --- the application --------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Sender:
    """A signed-in person who sends files to a patient's documents over one connection, and looks at them. Of one thread."""

    def __init__(self, server: Server, person: str, patient: str) -> None:
        self.server, self.path = server, f"/patients/{server.world.patients[patient]}/documents"
        self.person = RemotePerson(server, person)
        self.wire = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self.sent = 0
        page = self.get(self.path).text
        found = re.search(rf'action="({self.path}\?ticket=[^"]+)"', page)
        assert found, page[:500]
        self.address = html.unescape(found[1])

    def ask(self, verb: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Whoever is refused while they still send gets an answer all the same, as a browser does."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wire.request(verb, path, body, {"Cookie": self.person.cookie} | headers)
        answer = self.wire.getresponse()
        read = Answer(answer.status, answer.headers, answer.read())
        if verb == "POST" and answer.status >= 400:
            self.wire.close()  # what was not read of the body may have cost the connection
        return read

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def send(self, body: bytes, header: bytes) -> Answer:
        """`header`: what says the file's name."""
        self.sent += 1
        edge = b"--edge%d" % self.sent
        form = b'%s\r\nContent-Disposition: form-data; name="file"; %s\r\nContent-Type: text/html\r\n\r\n%s\r\n%s--\r\n'
        return self.ask(
            "POST",
            f"{self.address}&file=m{self.sent}",
            form % (edge, header, body, edge),
            **{"Content-Type": f"multipart/form-data; boundary=edge{self.sent}"},
        )

    def send_by_script(self, body: bytes, name: str) -> Answer:
        self.sent += 1
        headers, sent = packed(body, name, by_script=True)
        return self.ask("POST", f"{self.address}&file=m{self.sent}", sent, **headers)

    def close(self) -> None:
        self.wire.close()


def named(name: str) -> bytes:
    """A file's name as browsers write it; a backslash as headers do, for browsers leave it, and one at the end ends no text."""
    escaped = name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    return b'filename="%s"' % escaped.encode("utf-8", "surrogatepass")


@contextmanager
def serving(weed: ObjectStore, folder: Path, database: str, **changes: str) -> Iterator[Server]:
    """The application as it is served, on that store."""
    named = {f"S3_{name.upper()}": getattr(weed, name) for name in ("endpoint", "access_key", "secret_key")}
    named["S3_BUCKET"] = f"hostile-{secrets.token_hex(8)}"  # of its own: what is in it is counted
    env = {"CHAIRSIDE_MODE": "test", "SECURE_COOKIES": "off"} | KEYS | named | changes
    env["DATABASE_URL"] = fresh_mariadb(database)
    app = create_app(Config.from_env(env))
    settings.forget()
    with app.app_context():
        db.create_all()
        world = build_world()
        for name, value in {"documents_a_day": 100_000, "document_mib_a_day": 1_000_000, "document_mib": 1}.items():
            db.session.add(Setting(name=name, value=str(value)))
        db.session.commit()
        env["DATABASE_URL"] = with_own_account(app, env["DATABASE_URL"])
        db.session.remove()
        db.engine.dispose()
        storage.ensure_bucket()
    server = Server(create_app(Config.from_env(env)), world, env, folder / f"{database}.log")
    try:
        yield server.start()
    finally:
        server.kill()
        with server.inside():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture(scope="module")
def server(weed: ObjectStore) -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="chairside-hostile-") as folder,
        serving(weed, Path(folder), "chairside_hostile") as made,
    ):
        workers = made.workers()
        assert len(workers) == 2
        yield made
        assert made.workers() == workers, f"a worker died:\n{made.log.read_text()[-3000:]}"
        assert "Traceback" not in made.log.read_text(), made.log.read_text()[-3000:]


@pytest.fixture
def senders(server: Server) -> Iterator[list[Sender]]:
    made = [Sender(server, person, patient) for person, patient in PEOPLE.items()]
    yield made
    for sender in made:
        sender.close()


def resident(server: Server) -> int:
    """Bytes of memory of the largest of its workers."""
    sizes = []
    for pid in server.workers():
        status = Path(f"/proc/{pid}/status").read_text()
        sizes.append(int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024)  # type: ignore[index]
    return max(sizes)


def told(name: str, data: bytes) -> Found | str:
    """What the file is, or the sentence that refuses it."""
    inspection = Inspection(name)
    try:
        inspection.feed(data)
        return inspection.end()
    except Refused as refused:
        return refused.sentence


def rows_of(server: Server, after: int = 0) -> list[Document]:
    with server.inside():
        rows = list(db.session.scalars(select(Document).where(Document.id > after).order_by(Document.id)))
        db.session.expunge_all()
        db.session.remove()
        return rows


def newest_of(server: Server) -> Document:
    with server.inside():
        row = db.session.scalars(select(Document).order_by(Document.id.desc()).limit(1)).one()
        db.session.expunge(row)
        db.session.remove()
        return row


def disagreements(server: Server) -> list[str]:
    """Where rows and objects are not what they must be when nothing is on its way."""
    rows = rows_of(server)
    kept = {row.key: row for row in rows if row.status not in (DocumentStatus.PENDING, DocumentStatus.FAILED)}
    with server.inside():
        held = {each.key: each.size for each in storage.held(reconciling.PREFIX)}
        faults = [f"{each.key} is still open" for each in storage.unfinished(reconciling.PREFIX)]
    faults += [f"{row.id} is still pending" for row in rows if row.status is DocumentStatus.PENDING]
    faults += [
        f"{row.id} failed and does not say why" for row in rows if row.status is DocumentStatus.FAILED and not row.why
    ]
    faults += [f"{row.id} has no object" for key, row in kept.items() if key not in held]
    faults += [f"{row.id} has {held[key]} bytes" for key, row in kept.items() if held.get(key, row.size) != row.size]
    return faults + [f"nobody's object {key}" for key in held if key not in kept]


# --- what every answer with bytes must say ----------------------------------------------------------------------------


TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
DISPOSITION = re.compile(
    rf'(?P<how>{TOKEN}); filename="(?P<plain>(?:[^"\\]|\\.)*)"; filename\*=UTF-8\'\'(?P<full>(?:[!#$&+\-.^_`|~0-9A-Za-z]|%[0-9A-F]{{2}})*)'
)


def names_in(answer: Answer) -> tuple[str, str, str]:
    """Of the one Content-Disposition (RFC 6266): inline or attachment, the plain name, the whole name."""
    said = answer.headers.get_all("Content-Disposition")
    assert said is not None
    assert len(said) == 1
    match = DISPOSITION.fullmatch(said[0])
    assert match, said[0]
    assert match["plain"].isascii()
    assert match["plain"].isprintable()
    return match["how"], match["plain"], unquote(match["full"], errors="strict")


def unguarded(answer: Answer, kind: str) -> list[str]:
    """What is missing of the headers that keep a document's bytes harmless."""
    headers = answer.headers
    policy = [part.strip() for part in headers.get("Content-Security-Policy", "").split(";")]
    faults = [f"no {part}" for part in ALONE if part not in policy]  # `sandbox` alone: with no allow-…
    expected = {
        "Content-Type": kind,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    for name, value in expected.items():
        if headers.get_all(name) != [value]:
            faults.append(f"{name}: {headers.get_all(name)}")
    if "Set-Cookie" in headers and "x=1" in headers["Set-Cookie"]:
        faults.append("a header of a stranger")
    return faults


# --- mutants ----------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of the mutants of one person."""

    statuses: Counter[int] = field(default_factory=Counter)
    kept: dict[int, str] = field(default_factory=dict)  # media types by document
    faults: list[str] = field(default_factory=list)


def mutant_name(dice: random.Random, suffix: str) -> str:
    """A plain name, one of the corpus, or a heap of signs; as it is sent."""
    pool = "./\\:. \t\n\r\0\"'<>&;%=\u0308\u200d\u202e\u2066\u2028\ufeff\U000e0041ක්රිéö\U0001f9b7abc.pdf.png"
    known = [name for name in NAMES if name.shown and not name.is_extended]
    return dice.choice(
        (
            f"tooth{suffix}",
            dice.choice(known).shown,
            "".join(dice.choices(pool, k=dice.choice((1, 8, 40, 400)))) + dice.choice((suffix, "", ".html")),
        )
    )


def one_mutant(
    sender: Sender, dice: random.Random, number: int, mutants: list[tuple[str, bytes]], tally: Tally
) -> None:
    name, seed = mutants[number % len(mutants)]
    data = seeds.spoiled(dice, seed, dice.choice(mutants)[1])
    sent = mutant_name(dice, f".{name.rpartition('.')[2]}")
    answer = sender.send_by_script(data, sent) if number % 2 else sender.send(data, named(sent))
    tally.statuses[answer.status] += 1
    where = f"mutant {number} of {name}, sent as {sent[:80]!r}"
    verdict = told(sent, data)
    if answer.status == 303:
        document_id = int(re.search(r"/documents/(\d+)\?", answer.headers["Location"])[1])  # type: ignore[index]
        if not isinstance(verdict, Found):
            tally.faults.append(f"{where}: kept, not refused as “{verdict}”")
            return
        tally.kept[document_id] = verdict.media_type
        got = sender.get(f"{sender.path}/{document_id}/{dice.choice(('file', 'download'))}")
        if got.status != 200 or got.body != data:
            tally.faults.append(f"{where}: {got.status}, {len(got.body)} bytes of {len(data)}")
            return
        names_in(got)
        tally.faults += [f"{where}: {fault}" for fault in unguarded(got, verdict.media_type)]
    elif answer.status == 413 and len(data) > CAP:
        pass
    elif answer.status != 422:
        tally.faults.append(f"{where}: {answer.status}")
    elif isinstance(verdict, Found):
        tally.faults.append(f"{where}: refused: {answer.text[-600:]}")
    elif verdict not in html.unescape(answer.text):
        tally.faults.append(f"{where}: does not say “{verdict}”")


def links_on(sender: Sender) -> Iterator[str]:
    """The pages of the gallery, each asked for."""
    path: str | None = sender.path
    while path:
        page = sender.get(path)
        assert page.status == 200, path
        yield page.text
        older = re.search(r'href="([^"]*)"[^>]*>[^<]*(?:<svg.*?</svg>)?\s*Older', page.text, re.DOTALL)
        path = html.unescape(older[1]) if older else None


def look_at(sender: Sender, kept: dict[int, str]) -> tuple[Counter[str], list[str]]:
    """The whole gallery, each third thumbnail and each tenth page of what one person filed: what came, and what should not have."""
    seen, faults = Counter[str](), []
    listed = {int(number) for page in links_on(sender) for number in re.findall(r'id="document-(\d+)"', page)}
    if not kept.keys() <= listed:
        faults.append(f"{len(kept.keys() - listed)} of {len(kept)} kept are not in the gallery")
    for document_id, kind in kept.items():
        at = f"{sender.path}/{document_id}"
        if document_id % 10 == 0:
            page = sender.get(at)
            seen[f"page {page.status}"] += 1
            if page.status != 200:
                faults.append(f"page of {document_id}: {page.status}")
        if document_id % 3:
            continue
        answer = sender.get(f"{at}/thumbnail")
        seen[f"thumbnail {answer.status}"] += 1
        if (answer.status, answer.body[:3]) not in ((200, b"\xff\xd8\xff"), (204, b"")):
            faults.append(f"thumbnail of {document_id}, {kind}: {answer.status}")
        if answer.status == 200 and (kind not in DRAWN or answer.headers["Content-Type"] != "image/jpeg"):
            faults.append(f"thumbnail of {document_id}, {kind}")
    return seen, faults


def test_mutants(server, senders):
    seed = daily_seed()
    mutants = list(seeds.kept().items()) + [(name, data) for name, (data, _) in seeds.hostile().items() if data]
    mutants += [(item.name, item.body(Canary("127.0.0.1:1"))) for item in FILES if item.name.startswith("packed")]
    began, memory, tallies = time.monotonic(), [], {sender.path: Tally() for sender in senders}
    before, workers = max((row.id for row in rows_of(server)), default=0), server.workers()

    def stretch(numbers: range, part: int) -> None:
        sender, dice = senders[part], random.Random(f"{seed} {numbers} {part}")
        for number in numbers[part :: len(senders)]:
            one_mutant(sender, dice, number, mutants, tallies[sender.path])

    with ThreadPoolExecutor(len(senders)) as crowd:
        for start in range(0, MUTANTS, STRETCH):
            list(crowd.map(stretch, [range(start, start + STRETCH)] * len(senders), range(len(senders))))
            memory.append(resident(server))
            faults = [fault for tally in tallies.values() for fault in tally.faults]
            assert not faults, f"SEED={seed}:\n" + "\n".join(faults[:20])
        sent_in = time.monotonic() - began
        looked = list(crowd.map(lambda sender: look_at(sender, tallies[sender.path].kept), senders))
    memory_after = resident(server)
    faults = [fault for _, some in looked for fault in some] + disagreements(server)
    assert not faults, f"SEED={seed}:\n" + "\n".join(faults[:20])
    rows = rows_of(server, after=before)
    statuses = sum((tally.statuses for tally in tallies.values()), Counter[int]())
    by_status = Counter(row.status for row in rows)
    assert sum(statuses.values()) == len(rows) == MUTANTS
    assert by_status == {DocumentStatus.AVAILABLE: statuses[303], DocumentStatus.FAILED: MUTANTS - statuses[303]}
    assert min(by_status.values()) > MUTANTS // 10
    assert server.workers() == workers
    assert "Traceback" not in server.log.read_text()
    growth = memory[-1] - memory[0]
    seen = sum((some for some, _ in looked), Counter[str]())
    print(
        f"\nseed {seed}: {MUTANTS} mutants of {len(mutants)} seeds in {sent_in:.0f} s: {dict(statuses)}, 0 of 5xx; looked at in "
        f"{time.monotonic() - began - sent_in:.0f} s: {dict(seen)}; memory {memory[0] / 2**20:.1f} MiB after the first {STRETCH}, "
        f"{memory[-1] / 2**20:.1f} after the last ({growth / 2**20:+.1f}), {memory_after / 2**20:.1f} after looking; "
        f"the same workers; rows {dict(by_status)}, 0 pending, 0 objects nobody names"
    )
    assert growth < GROWTH


# --- the corpus -------------------------------------------------------------------------------------------------------


class Listener:
    """Where canaries are heard; and it serves bytes bare, without any of our headers, to show what they would do."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.bare: dict[str, tuple[str, bytes]] = {}
        listener = self

        class Asked(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = listener.bare.get(self.path, ("", b""))
                if not kind:
                    listener.heard.append(f"{self.command} {self.path}")
                self.send_response(200 if kind else 204)
                if kind:
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def serve(self, path: str, kind: str, body: bytes) -> str:
        self.bare[path] = kind, body
        return f"http://{self.host}{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


@dataclass
class Filed:
    """A file of the corpus that is in the record."""

    item: Item
    id: int
    body: bytes


@dataclass
class Corpus:
    path: str
    files: list[Filed]
    names: dict[int, str]  # by document


def shown_name(item: Item) -> str:
    suffix = {"application/pdf": ".pdf", "image/jpeg": ".jpg", "image/png": ".png", "application/dicom": ".dcm"}
    return item.name + suffix[item.kind] if "file name says" in item.words else item.name


def verdict_of(sender: Sender, item: Item, body: bytes) -> tuple[int | None, str]:
    """The document that was made of it; and what is wrong with the verdict, if anything."""
    by_script = sender.sent % 2
    answer = sender.send_by_script(body, item.name) if by_script else sender.send(body, named(item.name))
    newest = newest_of(sender.server)
    if item.verdict == KEPT:
        got = (answer.status, newest.status, newest.media_type, newest.remarks, newest.name)
        right = (303, DocumentStatus.AVAILABLE, item.kind, item.words, shown_name(item))
        return (newest.id, "") if got == right else (None, f"{item.name}: {got}, not {right}")
    if (answer.status, newest.status) != (413 if item.verdict == TOO_LARGE else 422, DocumentStatus.FAILED):
        return None, f"{item.name}: {answer.status} {newest.status}"
    said = html.unescape(answer.text)
    return None, "" if item.words in newest.why and newest.why[:200] in said else f"{item.name}: {newest.why}"


@pytest.fixture(scope="module")
def filed(server: Server, listener: Listener) -> Iterator[Corpus]:
    """The corpus, sent; whatever is not as it is written fails here."""
    canary, sender, faults = Canary(listener.host), Sender(server, "kamal", "fernando"), []
    made = Corpus(sender.path, [], {})
    for item in SENT_FILES:
        body = item.body(canary)
        number, fault = verdict_of(sender, item, body)
        faults += [fault] if fault else []
        if number:
            made.files.append(Filed(item, number, body))
    for at, name in enumerate(SENT_NAMES):
        body = png_like_no_other(at)
        said = b"filename*=UTF-8''%s" % name.sent if name.is_extended else b'filename="%s"' % name.sent
        answer = sender.send(body, said)
        newest = newest_of(server)
        if not name.shown:
            if (answer.status, newest.status) != (422, DocumentStatus.FAILED):
                faults.append(f"{name.sent[:80]!r}: {answer.status} {newest.name!r}")
        elif (answer.status, newest.name) != (303, name.shown):
            faults.append(f"{name.sent[:80]!r}: {answer.status} {newest.name!r}, not {name.shown!r}")
        else:
            made.names[newest.id] = name.shown
    sender.close()
    assert not faults, "\n".join(faults)
    return made


def png_like_no_other(number: int) -> bytes:
    return seeds.png(4, 4, rows=(b"\0" + bytes([number % 256]) * 4) * 4)


def test_each_file_has_its_written_verdict_and_is_harmless_on_its_way_out(server, senders, filed):
    sender, faults = senders[0], []
    workers = server.workers()
    for each in filed.files:
        for way in ("file", "download"):
            got = sender.get(f"{filed.path}/{each.id}/{way}")
            how, _plain, full = names_in(got)
            assert (got.status, got.body == each.body, full) == (200, True, shown_name(each.item)), each.item.name
            faults += [f"{each.item.name} {way}: {fault}" for fault in unguarded(got, each.item.kind)]
            is_shown = way == "file" and (
                each.item.kind in PICTURES or (each.item.kind == corpus.PDF and not each.item.words)
            )
            assert how == ("inline" if is_shown else "attachment"), each.item.name
    assert not faults, "\n".join(faults)
    assert disagreements(server) == []
    assert server.workers() == workers
    print(
        f"\n{len(FILES)} files ({Counter(item.verdict for item in FILES)}) and {len(NAMES)} names: each as it is written"
    )


def test_names_are_shown_and_offered_as_they_are_written(server, senders, filed):
    sender = senders[0]
    for document_id, name in filed.names.items():
        got = sender.get(f"{filed.path}/{document_id}/download")
        _how, plain, full = names_in(got)
        assert full == name
        assert not set(plain) & set('"\\%/\0\r\n')
        page = html5lib.parse(sender.get(f"{filed.path}/{document_id}").text, namespaceHTMLElements=False)
        heading = page.find(".//h1/span/bdi")
        assert heading is not None
        assert "".join(heading.itertext()) == name
        assert "x" not in {picture.get("src") for picture in page.iter("img")}
        assert [tag for tag in page.iter("script") if tag.text] == []
    shown = [text for page in links_on(sender) for text in bdi_of(page)]
    assert set(filed.names.values()) <= set(shown)


def bdi_of(page: str) -> list[str]:
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    return ["".join(each.itertext()) for each in tree.iter("bdi") if each.get("class") == "document-name"]


def test_a_scanner_that_knows_it_puts_it_into_quarantine(weed, tmp_path):
    """With a scanner: what it knows nobody reads; without an answer of its either."""
    with (
        clamd(knows=seeds.EICAR) as scanner,
        serving(weed, tmp_path, "chairside_hostile_scanned", CLAMD=scanner.address) as server,
    ):
        sender = Sender(server, "kamal", "fernando")
        carriers = [item for item in FILES if item.name.startswith("eicar") and item.verdict == KEPT]
        for item in (*carriers, Item("clean.png", lambda _: seeds.png(), KEPT)):
            answer = sender.send(item.body(Canary("127.0.0.1:1")), named(item.name))
            assert answer.status == 303, answer.text
            newest = newest_of(server)
            is_known = item in carriers
            assert newest.status is (DocumentStatus.QUARANTINED if is_known else DocumentStatus.AVAILABLE)
            assert newest.why == ("The scanner found Test.Mark.UNOFFICIAL in it." if is_known else "")
            for way in ("file", "download"):
                got = sender.get(f"{sender.path}/{newest.id}/{way}")
                assert got.status == (422 if is_known else 200)
                assert seeds.EICAR not in got.body
            assert sender.get(f"{sender.path}/{newest.id}/thumbnail").status == (204 if is_known else 200)
        scanner.mood = "closes at once"
        assert sender.send(seeds.png(5, 5), named("a.png")).status == 303
        assert newest_of(server).status is DocumentStatus.QUARANTINED
        sender.close()


# --- small pictures ---------------------------------------------------------------------------------------------------


def picture_workers(server: Server) -> list[int]:
    """The processes that make pictures for this server now."""
    ours, found = set(server.workers()), []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"picture_worker.py" in (place / "cmdline").read_bytes():
                parent = int(re.search(r"PPid:\s+(\d+)", (place / "status").read_text())[1])  # type: ignore[index]
                found += [int(place.name)] if parent in ours else []
    return found


def test_whatever_a_picture_does_to_its_worker_the_pages_go_on(server, senders, filed):
    sender, workers, seen = senders[0], server.workers(), Counter[str]()
    for each in filed.files:
        answer = sender.get(f"{filed.path}/{each.id}/thumbnail")
        may_be = each.item.kind in DRAWN and len(each.body) <= LARGEST
        assert (answer.status, answer.body[:3]) in ((200, b"\xff\xd8\xff"), (204, b"")), each.item.name
        assert may_be or answer.status == 204, each.item.name
        assert WORD.encode() not in answer.body, each.item.name  # drawn anew, without what else was in the file
        seen["drawn" if answer.status == 200 else "not drawn" if may_be else "never drawn"] += 1
    killed = 0
    for number in range(share(40, 2)):
        grey = random.Random(number).randbytes(1)
        body = seeds.png(19_000, 3_000, rows=(b"\0" + grey * 19_000) * 3_000)
        sent = senders[0].send(body, named("slow.png"))
        document_id = int(re.search(r"/documents/(\d+)\?", sent.headers["Location"])[1])  # type: ignore[index]
        asked = Asking(senders[0], f"{filed.path}/{document_id}/thumbnail")
        deadline = time.monotonic() + 30
        while not (running := picture_workers(server)) and asked.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        for pid in running:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        asked.join(60)
        assert asked.answer is not None
        assert asked.answer.status in (200, 204)
        killed += asked.answer.status == 204
        assert sender.get(filed.path).status == 200
    assert killed, "no worker died"
    assert sender.get(f"{filed.path}/{document_id}/thumbnail").status in (200, 204)
    assert server.workers() == workers
    print(f"\nsmall pictures: {dict(seen)}; {killed} workers killed while they drew: the pages went on")


class Asking(threading.Thread):
    def __init__(self, sender: Sender, path: str) -> None:
        super().__init__(daemon=True)
        self.sender, self.path, self.answer = sender, path, None
        self.start()

    def run(self) -> None:
        self.answer = self.sender.get(self.path)


# --- in Chromium ------------------------------------------------------------------------------------------------------


class Watch:
    """Everything a browser profile does that nobody asked it to."""

    def __init__(self, context: BrowserContext, listener: Listener, ours: tuple[str, ...]) -> None:
        self.context, self.listener, self.ours = context, listener, ours
        self.fired: list[str] = []
        context.on("dialog", self._dialog)
        context.on(
            "console", lambda message: WORD in message.text and self.fired.append(f"console: {message.text[:100]}")
        )
        context.on("request", lambda request: self._request(request.url))

    def _dialog(self, dialog: Any) -> None:
        self.fired.append(f"dialog: {dialog.message}")
        with suppress(BrowserError):  # its page may be gone
            dialog.dismiss()

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if (
            parts.scheme in ("http", "https", "ws", "wss", "ftp")
            and parts.netloc not in self.ours
            or parts.path.startswith("/hit/")
        ):
            self.fired.append(f"request: {url}")

    def all(self, *pages: Page) -> list[str]:
        """What was noticed until now."""
        for page in pages:
            with suppress(BrowserError):
                if WORD in page.title():
                    self.fired.append("title")
                if WORD in page.evaluate("window.name"):
                    self.fired.append("window's name")
        self.fired += [f"listener: {each}" for each in self.listener.heard]
        self.listener.heard.clear()
        fired, self.fired = self.fired, []
        return fired


KINDS = {"html": "text/html", "javascript": "text/javascript", "css": "text/css", "pdf": "application/pdf"}
# Ways in which a page could let a file of its own origin act; the policy of our pages allows some, so the answer itself has to refuse.
WAYS = """async (url) => {
    const add = (name, more) => new Promise((done) => {
        const element = Object.assign(document.createElement(name), more);
        element.onload = () => done(`${name} load`);
        element.onerror = () => done(`${name} error`);
        document.head.append(element);
        setTimeout(() => done(`${name} silent`), 700);
    });
    const tried = (act) => Promise.resolve().then(act).then(() => "done", () => "error");
    add("iframe", { src: url });
    add("object", { data: url });
    add("embed", { src: url });
    add("link", { href: url, rel: "manifest" });
    tried(() => new Worker(`${url}?worker`));
    return Promise.all([
        add("script", { src: url, charset: "iso-8859-1" }),
        add("script", { src: `${url}?module`, type: "module" }),
        add("link", { href: url, rel: "stylesheet" }),
        tried(() => import(`${url}?import`)),
        tried(() => navigator.serviceWorker.register(`${url}?service`)),
    ]);
}"""


def bare_page(listener: Listener, each: Filed, served_as: str = "") -> str:
    """The address of a page on which nothing stands in the way of a file's canary."""
    way, name = each.item.live, each.item.name
    url = listener.serve(f"/bare/{name}", served_as or KINDS[way], each.body)
    if way == "javascript":
        tag = f'<script charset="iso-8859-1" src="{url}"></script>'
        return listener.serve(f"/bare/{name}.html", "text/html", f"<!DOCTYPE html>{tag}".encode())
    if way == "css":
        tag = f'<link rel="stylesheet" href="{url}">'
        return listener.serve(
            f"/bare/{name}.html", "text/html", tag.encode()
        )  # in a page of old times any type will do
    return url


class Looking:
    """A signed-in person's browser profile, and one page of it."""

    def __init__(self, context: BrowserContext, watch: Watch, filed: Corpus) -> None:
        self.context, self.watch, self.filed = context, watch, filed
        self.page = context.new_page()
        self.faults: list[str] = []
        self.opened = 0
        self.offered: dict[int, str] = {}

    def go(self, path: str, what: str, *, wait: int = 30) -> None:
        """Navigate there, at the top of the window; a file that is only saved starts a download instead."""
        self.opened += 1
        try:
            self.page.goto(path, wait_until="load")
        except BrowserError as error:
            if not re.search("Download is starting|ERR_ABORTED", error.message):
                raise
        self.page.wait_for_timeout(wait)
        self.faults += [f"{what}: {fault}" for fault in self.watch.all(self.page)]

    def look(self, each: Filed, other: int) -> None:
        name, at = each.item.name, f"{self.filed.path}/{each.id}"
        self.go(at, f"{name}, its page", wait=250 if each.item.kind == corpus.PDF else 30)
        self.go(f"{at}/file", f"{name}, its bytes", wait=250 if each.item.kind == corpus.PDF else 30)
        self.go(f"{at}/thumbnail", f"{name}, small")
        self.download(each.id)
        if each.item.kind in PICTURES:
            self.go(f"{self.filed.path}/compare?left={each.id}&right={other}", f"{name}, compared")
        if each.item.live:
            self.page.goto(f"{self.filed.path}?deleted=1")
            acted = self.page.evaluate(WAYS, f"{at}/file")
            if acted[3:] != ["error", "error"] or any("load" in each for each in acted):
                self.faults.append(f"{name}, put into a page: {acted}")
            self.page.wait_for_timeout(100)
            self.faults += [f"{name}, put into a page: {fault}" for fault in self.watch.all(self.page)]

    def download(self, document_id: int) -> None:
        """As the browser saves it. Its name there is the browser's own choice, from what we said."""
        self.opened += 1
        with self.page.expect_download() as coming, suppress(BrowserError):
            self.page.goto(f"{self.filed.path}/{document_id}/download")
        self.offered[document_id] = coming.value.suggested_filename
        coming.value.delete()

    def gallery(self) -> None:
        """All of it, every small picture on the way."""
        for path in (self.filed.path, f"{self.filed.path}?category=other", f"{self.filed.path}/compare"):
            self.go(path, "the gallery")
            while True:
                self.page.evaluate(
                    "async () => { for (const one of document.images) { one.scrollIntoView();"
                    " await new Promise((done) => setTimeout(done, 5)); } }"
                )
                self.page.wait_for_timeout(share(500, 100))
                self.faults += [f"the gallery: {fault}" for fault in self.watch.all(self.page)]
                older = self.page.get_by_role("link", name="Older")
                if not older.count():
                    break
                self.go(older.get_attribute("href") or "", "the gallery")


def in_chromium(server: Server, listener: Listener, filed: Corpus, cookie: str) -> str:
    """Look at it all; answers what was done, in words."""
    ours = urlsplit(server.url).netloc
    dice = random.Random(daily_seed())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        try:
            live = [each for each in filed.files if each.item.live]
            controls = control(browser.new_context(), listener, live)
            context = browser.new_context(base_url=server.url, accept_downloads=True)
            name, _, value = cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": server.url}])
            looking = Looking(context, Watch(context, listener, (ours,)), filed)
            chosen = [each for each in filed.files if each.item.name in ALWAYS and (share(1, 0) or each.item.live)]
            others = [each for each in filed.files if each not in chosen]
            chosen += dice.sample(others, share(len(others), 1))
            pictures = [each.id for each in filed.files if each.item.name in ("cap.png", "page.webp")]
            for each in chosen:
                looking.look(each, dice.choice(pictures))
            for document_id in dice.sample(list(filed.names), share(len(filed.names), 2)):
                looking.go(f"{filed.path}/{document_id}", f"named {filed.names[document_id]}")
                looking.download(document_id)
            looking.gallery()
            looking.page.wait_for_timeout(500)
            looking.faults += looking.watch.all(looking.page)
            assert looking.faults == [], "\n".join(looking.faults)
            for document_id, offered in looking.offered.items():
                assert offered, document_id
                assert not set(offered) & set("/\\\0\r\n\u202e\u2066"), offered
            return (
                f"{controls}; {len(chosen)} of {len(filed.files)} files and {len(looking.offered) - len(chosen)} of "
                f"{len(filed.names)} names, {looking.opened} times opened: 0 scripts, 0 dialogs, 0 requests to anybody else"
            )
        finally:
            browser.close()


def control(context: BrowserContext, listener: Listener, live: list[Filed]) -> str:
    """What is live runs when it is served bare, and each way of hearing it hears it."""
    heard: Counter[str] = Counter()
    watch = Watch(context, listener, (listener.host,))
    page = context.new_page()
    for each in live:
        page.goto(bare_page(listener, each), wait_until="load")
        page.wait_for_timeout(share(1500, 900) if each.item.live == "pdf" else 150)
        fired = watch.all(page)
        heard[each.item.live] += bool(fired)
        if each.item.live == "html":
            ways = {fault.partition(":")[0] for fault in fired}
            assert ways >= {"console", "request", "dialog", "listener", "title", "window's name"}, (
                each.item.name,
                fired,
            )
        assert fired or each.item.live == "pdf", f"{each.item.name} is not alive"
    script = next(each for each in live if each.item.name == "script.dcm")
    page.goto(bare_page(listener, script, served_as=script.item.kind))
    page.wait_for_timeout(150)
    assert watch.all(page), "without nosniff a file of this kind is a script: else that header proves nothing"
    context.close()
    return f"served bare {dict(heard)} of {dict(Counter(each.item.live for each in live))} were alive"


@pytest.mark.browser
def test_in_a_browser_no_script_of_theirs_runs(server, listener, filed):
    cookie = RemotePerson(server, "kamal").cookie
    with ThreadPoolExecutor(1) as aside:  # a browser of its own beside the one of the whole run: of another thread
        print(f"\n{aside.submit(in_chromium, server, listener, filed, cookie).result()}")
