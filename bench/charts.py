"""Charts and their prints (rows 4, 6 and 7): against a bare page, a bare insert, and a browser that re-uses one page.

By itself: `python -m bench.charts [--rounds 5]` prints its rows and writes nothing.
"""

import argparse
import http.client
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from flask import g
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import select

from bench import servers
from bench.load import Target, alone, interleaved
from clinic import clock, create_app, security
from clinic.blueprints.chart_versions.documents import print_of
from clinic.chart.line import read
from clinic.config import Config
from clinic.extensions import db
from clinic.models import Assignment, AssignmentKind, AuthSession, Chart, Patient, Role, User
from clinic.operations.chart import chart_stroke
from clinic.operations.chart_versions import finish_first_charting
from clinic.printing.renderer import ARGUMENTS
from clinic.queries.chart import mouth_of, version_for
from clinic.queries.standing import standing_of
from tests.printers import Printer, printer
from tests.services import ObjectStore

if TYPE_CHECKING:
    from bench.__main__ import Bench

CHARTED = 40  # patients with a chart, so that prints are of different ones
LINES = (  # forty entries
    "18 miss; 28 miss; 38 impacted; 48 miss; 16 mo car4; 26 od am ex; 36 mod comp ex; 46 rct plan; 46 crown pfm plan; 17 o s plan",
    "27 o s plan; 37 o s plan; 47 o s plan; 11 d car2; 12 m car3; 21 fx enamel; 22 d comp ex; 14 mo am ex; 15 do am ex; 24 mod am ex",
    "25 mo comp ex; 34 o car1; 35 o car2; 44 o car1; 45 do comp ex; 31 mobility grade=1; 41 mobility grade=1",
    "32 mobility grade=1; 42 mobility grade=1; 33 gr mm=2; 43 gr mm=2",
    "36 furc grade=1; 16 furc grade=1; 26 gr mm=3; 46 apical M; 11 rot mesial; 25 drift mesial; 35 tilt mesial",
    '23 note "asks about it"; 13 f disc',
)


def charted(bench: "Bench", url: str) -> tuple[str, str, list[int], str]:
    """A student's cookie and form token, ids of their patients with forty entries each and a version, and the HTML of one print."""
    with create_app(Config.from_env(bench.env(url))).test_request_context("/"):
        student = db.session.scalars(
            select(User).where(User.role == Role.STUDENT, User.active).order_by(User.id)
        ).first()
        assert student is not None
        patients = db.session.scalars(
            select(Patient)
            .where(Patient.archived_at.is_(None), Patient.id.not_in(select(Chart.patient_id)))
            .order_by(Patient.id.desc())
            .limit(CHARTED)
        ).all()
        for patient in patients:
            patient.birth_date = patient.birth_date.replace(year=1985, day=1)  # whose teeth are all there
            db.session.add(
                Assignment(
                    patient_id=patient.id, user_id=student.id, kind=AssignmentKind.ADDITIONAL, starts_at=clock.now(),
                    created_by_id=student.id,
                )
            )  # fmt: skip
            db.session.flush()
            for seen, line in enumerate(LINES):
                reading = read(line, mouth_of(patient.id), today=clock.today())
                assert reading.is_whole, [token for token in reading.tokens if token.problem]
                begun = {} if seen else {"dentition": "permanent"}
                chart_stroke(patient, entries=reading.entries, seen=seen, reason="Said so", actor=student, **begun)
            finish_first_charting(patient, actor=student)
            db.session.commit()
        token = f"bench-{time.time_ns()}"
        at = clock.now()
        row = AuthSession(
            token_hash=security.digest(token), user_id=student.id, method="password", created_at=at, active_at=at
        )
        db.session.add(row)
        db.session.commit()
        g.csrf_owner = row.token_hash
        ids = [patient.id for patient in patients]
        version = version_for(student, ids[0], 1)
        assert version is not None
        html = print_of(version, standing_of(version)).html()
        cookie, csrf = f"{security.cookie_name('session')}={token}", security.csrf_token()
        db.session.remove()
        db.engine.dispose()
    return cookie, csrf, ids, html


def measure(bench: "Bench", url: str) -> None:
    cookie, csrf, ids, html = charted(bench, url)
    rounds, folder = bench.options.rounds, Path(tempfile.mkdtemp(prefix="chairside-bench-store-"))
    ours, kept, bare = servers.port(), servers.port(), servers.port()
    store = ObjectStore(folder)
    storing = bench.env(url) | {
        "S3_ENDPOINT": store.endpoint, "S3_BUCKET": store.bucket, "S3_ACCESS_KEY": store.access_key,
        "S3_SECRET_KEY": store.secret_key,
    }  # fmt: skip
    try:
        with (
            printer() as press,
            servers.running(
                servers.chairside(ours), bench.env(url) | {"PRINTER_SOCKET": str(press.path)}, ours, "/healthz"
            ),
            servers.running(servers.yardstick(bare), bench.env(url), bare, "/hello"),
            sync_playwright() as playwright,
        ):
            _page_and_stroke(bench, Target(ours, "", cookie), bare, csrf, ids, rounds)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
            page = browser.new_context(java_script_enabled=False, offline=True).new_page()
            _prints(bench, Target(ours, "", cookie), page, html, ids, rounds)
            browser.close()
            _after_a_kill(bench, press, playwright, Target(ours, "", cookie), html, ids, rounds)
            with servers.running(
                servers.chairside(kept), storing | {"PRINTER_SOCKET": str(press.path)}, kept, "/healthz"
            ):
                _make_bucket(bench, storing)
                again = Target(kept, _pdf(ids[0]), cookie)
                alone(again, 3)
                times = interleaved(_median(again, 40), _median(Target(bare, "/hello"), 40), rounds=rounds)
                bench.goal("7", "A print that is kept, p50 (against a bare hello)", "<= 10 hellos", *times, 10)
    finally:
        store.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _make_bucket(bench: "Bench", env: dict[str, str]) -> None:
    from clinic import storage

    with create_app(Config.from_env(env)).app_context():
        storage.ensure_bucket()


def _page_and_stroke(bench: "Bench", site: Target, bare: int, csrf: str, ids: list[int], rounds: int) -> None:
    page = Target(site.port, f"/patients/{ids[0]}/chart", site.cookie)
    times = interleaved(_median(page, 40), _median(Target(bare, f"/chart?patient={ids[0]}"), 40), rounds=rounds)
    bench.goal("4", "Chart page with 40 entries, whole HTML, p50", "<= 1.2 Y", *times, 1.2)
    turn = iter(range(10**9))

    def stroke() -> float:
        taken = []
        for patient_id in ids[:20]:
            fields = {"line": f'37 note "turn {next(turn)}"', "reason": "", "csrf_token": csrf}
            fields |= {"once": f"bench-once-{next(turn)}-{time.time_ns()}", "seen": str(_seen[patient_id])}
            taken.append(_post(site, f"/patients/{patient_id}/chart/strokes", fields))
            _seen[patient_id] += 1
        return statistics.median(taken)

    def bare_stroke() -> float:
        return statistics.median(_post(Target(bare, ""), f"/stroke?patient={each}", {}) for each in ids[20:])

    _seen = dict.fromkeys(ids, len(LINES))
    times = interleaved(stroke, bare_stroke, rounds=rounds)
    bench.goal("6", "A stroke, audited, answered by the whole mouth, p50", "<= 1.5 bare writes", *times, 1.5)


def _prints(bench: "Bench", site: Target, page: Page, html: str, ids: list[int], rounds: int) -> None:
    def ours() -> float:
        return statistics.median(alone(Target(site.port, _pdf(each), site.cookie), 1)[0] for each in ids[:8])

    def theirs() -> float:
        return statistics.median(_warm(page, html) for _ in range(8))

    ours()
    theirs()
    times = interleaved(ours, theirs, rounds=rounds)
    bench.goal("7", "A chart's PDF over HTTP, warm, p50", "<= 1.5 warm browser", *times, 1.5)

    def sixteen() -> float:
        from concurrent.futures import ThreadPoolExecutor

        begun = time.perf_counter()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda each: alone(Target(site.port, _pdf(each), site.cookie), 1), ids[:16]))
        return time.perf_counter() - begun

    times = interleaved(sixteen, lambda: 16 * _warm(page, html), rounds=rounds)
    bench.goal("7", "Sixteen charts' PDFs at once, all done", "<= 1.2 x 16 warm", *times, 1.2)


def _after_a_kill(
    bench: "Bench", press: Printer, playwright: object, site: Target, html: str, ids: list[int], rounds: int
) -> None:
    def killed() -> float:
        press.kill_chromium()
        return alone(Target(site.port, _pdf(ids[1]), site.cookie), 1)[0]

    def cold() -> float:
        begun = time.perf_counter()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))  # type: ignore[attr-defined]
        _warm(browser.new_context(java_script_enabled=False, offline=True).new_page(), html)
        took = time.perf_counter() - begun
        browser.close()
        return took

    times = interleaved(killed, cold, rounds=rounds)
    bench.goal("7", "The next PDF right after a kill", "<= 1.5 cold launches", *times, 1.5)


def _warm(page: Page, html: str) -> float:
    begun = time.perf_counter()
    page.set_content(html, wait_until="load")
    page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
    return time.perf_counter() - begun


def _pdf(patient_id: int) -> str:
    return f"/patients/{patient_id}/chart/versions/1.pdf"


def _post(site: Target, path: str, fields: dict[str, str]) -> float:
    """Seconds of one POST. Raises when it is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    headers = site.headers() | {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
    connection.connect()
    begun = time.perf_counter()
    connection.request("POST", path, urlencode(fields), headers)
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - begun
    connection.close()
    if answer.status not in (200, 204):
        raise RuntimeError(f"{path} answered {answer.status}: {body[-300:]!r}")
    return took


def _median(target: Target, count: int) -> Callable[[], float]:
    return lambda: statistics.median(alone(target, count))


def main() -> None:
    from bench.__main__ import Bench

    parser = argparse.ArgumentParser(prog="bench.charts")
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chairside-bench-"))
    bench = Bench(options, folder)
    try:
        url, _cookies = bench.fill("charts", options.patients, 1)
        measure(bench, url)
    finally:
        bench.database.stop(kill=True)
        shutil.rmtree(folder, ignore_errors=True)
    for row in bench.rows:
        print(
            f"| {row.number} | {row.what} | {row.goal} | {row.ours} | {row.reference} | {row.ratio:.2f} | {row.met} |"
        )


if __name__ == "__main__":
    main()
