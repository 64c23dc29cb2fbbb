"""Every goal of docs/performance.md that can be measured by now, as ratios taken in one run.

`python -m bench [--patients 10000] [--large 100000] [--rounds 5] [--seed 1]` starts what it needs, prints one table and writes
docs/performance.md. Sign-in, CSRF, role check and audit are on for Chairside and off for the yardstick.
"""

import argparse
import asyncio
import gzip
import http.client
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask_migrate import upgrade
from sqlalchemy import select

from bench import charts, servers
from bench.load import Target, alone, interleaved, p95, together
from bench.watchers import Watchers
from clinic import clock, create_app, demo, live, passwords, security
from clinic.config import Config
from clinic.extensions import db
from clinic.live_stream import PAUSE
from clinic.models import AuthSession, Department, Role, User
from tests.services import MariaDB

ROOT = Path(__file__).resolve().parent.parent
GETS = 60  # GETs of one client in one round


@dataclass
class Row:
    """One line of the table."""

    number: str
    what: str
    goal: str
    ours: str
    reference: str
    ratio: float
    met: bool


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options = options
        self.rows: list[Row] = []
        self.database = MariaDB(folder / "mariadb").start()
        self.secrets = {"SECRET_KEY": secrets.token_hex(24), "AUDIT_KEY": secrets.token_hex(24)}

    def env(self, url: str) -> dict[str, str]:
        return self.secrets | {
            "CHAIRSIDE_MODE": "test",
            "DATABASE_URL": url,
            "S3_ENDPOINT": "http://127.0.0.1:9",
            "S3_BUCKET": "bench",
            "S3_ACCESS_KEY": "bench",
            "S3_SECRET_KEY": secrets.token_hex(8),
            "PYTHONPATH": str(ROOT),
        }

    def fill(self, name: str, patients: int, years: int) -> tuple[str, list[str]]:
        """A database with a seeded clinic; answers its URL and the cookies of 200 signed-in receptionists."""
        url = self.database.database(name)
        print(f"filling {name}: {patients} patients, {years} years", flush=True)
        app = self._app = create_app(Config.from_env(self.env(url)))
        with app.app_context():
            upgrade(str(ROOT / "migrations"))
            demo.seed(patients=patients, years=years, seed=self.options.seed)
            db.session.commit()
            cookies = _sign_in(200)
            self._department = db.session.scalars(select(Department.id).order_by(Department.id)).first()
            db.session.remove()
            db.engine.dispose()
        self.database.sql(f"ANALYZE TABLE {name}.patient, {name}.patient_token, {name}.visit, {name}.queue_entry")
        return url, cookies

    def goal(
        self, number: str, what: str, goal: str, ours: float, reference: float, most: float, unit: float = 1e3
    ) -> None:
        """One row whose ratio may be at most `most`; times are shown in ms."""
        ratio = ours / reference
        self.rows.append(Row(number, what, goal, f"{ours * unit:.2f}", f"{reference * unit:.2f}", ratio, ratio <= most))
        print(self.rows[-1], flush=True)

    def measure(self) -> None:
        small, cookies = self.fill("small", self.options.patients, 2)
        ours, bare, django = servers.port(), servers.port(), servers.port()
        with (
            servers.running(servers.chairside(ours), self.env(small), ours, "/healthz") as our_server,
            servers.running(servers.yardstick(bare), self.env(small), bare, "/hello") as bare_server,
        ):
            self.pages(ours, bare, cookies[0])
            self.against_django(ours, django, small, cookies[0])
            self.crowd(ours, bare, cookies)
            self.sign_in(ours, small)
            self.bytes(ours, cookies[0])
            asyncio.run(self.live(ours, cookies, our_server, bare_server))
        charts.measure(self, small)
        self.cold_start(small)
        if self.options.large:
            large, large_cookies = self.fill("large", self.options.large, self.options.years)
            self.growth(small, cookies[0], large, large_cookies[0])

    def pages(self, ours: int, bare: int, cookie: str) -> None:
        pairs = (
            ("1", "Patient list, 50 of N, whole page, p50", "<= 1.3 Y", "/patients", "/list", 1.3),
            ("2", "Search as one types, p50", "<= 1.4 Y", "/patients/results?q=per", "/search?q=per", 1.4),
        )
        for number, what, goal, page, reference, most in pairs:
            times = interleaved(
                _median(Target(ours, page, cookie)), _median(Target(bare, reference)), rounds=self.options.rounds
            )
            self.goal(number, what, goal, *times, most)

    def against_django(self, ours: int, port: int, url: str, cookie: str) -> None:
        python = _django_python()
        env = self.env(url) | {"PYTHONPATH": str(ROOT / "bench")}
        prepared = subprocess.run(
            [python, "djangoadmin.py", "prepare"],
            cwd=ROOT / "bench",
            env=os.environ | env,
            capture_output=True,
            text=True,
            check=True,
        )
        session = f"sessionid={prepared.stdout.strip()}"
        command = [python, "-m", "gunicorn", *servers.BARE, "-b", f"127.0.0.1:{port}", "djangoadmin:application"]
        with servers.running(command, env, port, "/admin/", cwd=ROOT / "bench"):
            listing = Target(port, "/admin/admin/patient/", session)
            searching = Target(port, "/admin/admin/patient/?q=per", session)
            for number, what, page, target in (
                ("1", "Patient list against Django's admin, p50", "/patients", listing),
                ("2", "Search against Django's admin, p50", "/patients/results?q=per", searching),
            ):
                times = interleaved(_median(Target(ours, page, cookie)), _median(target), rounds=self.options.rounds)
                self.goal(number, what, "<= 0.25 of Django's admin", *times, 0.25)

    def crowd(self, ours: int, bare: int, cookies: list[str]) -> None:
        rates: list[tuple[float, float]] = []
        tails: list[tuple[float, float]] = []
        search_tails: list[tuple[float, float]] = []
        for _ in range(self.options.rounds):
            our_rate, our_times = together(Target(ours, "/patients", cookies[0]), 16, 25)
            bare_rate, bare_times = together(Target(bare, "/list"), 16, 25)
            rates.append((our_rate, bare_rate))
            tails.append((p95(our_times), p95(bare_times)))
            _, our_times = together(Target(ours, "/patients/results?q=per", cookies[0]), 16, 25)
            _, bare_times = together(Target(bare, "/search?q=per"), 16, 25)
            search_tails.append((p95(our_times), p95(bare_times)))
        our_rate, bare_rate = (statistics.median(pair[i] for pair in rates) for i in (0, 1))
        ratio = our_rate / bare_rate
        self.rows.append(
            Row(
                "5",
                "16 at once on the list, requests a second",
                ">= 0.7 Y",
                f"{our_rate:.0f}",
                f"{bare_rate:.0f}",
                ratio,
                ratio >= 0.7,
            )
        )
        print(self.rows[-1], flush=True)
        for number, what, goal, pairs, most in (
            ("5", "16 at once on the list, p95", "<= 1.5 Y", tails, 1.5),
            ("2", "16 at once on search, p95", "<= 2 Y", search_tails, 2.0),
        ):
            self.goal(number, what, goal, *(statistics.median(pair[i] for pair in pairs) for i in (0, 1)), most)

    def sign_in(self, ours: int, url: str) -> None:
        stored = passwords.hashed(demo.PASSWORD)

        def bare_verify() -> float:
            start = time.perf_counter()
            passwords.matches(stored, demo.PASSWORD)
            return time.perf_counter() - start

        times = interleaved(
            lambda: statistics.median(_sign_in_over_http(ours) for _ in range(5)),
            lambda: statistics.median(bare_verify() for _ in range(5)),
            rounds=self.options.rounds,
        )
        self.goal("12", "Sign-in against the bare verify at the same cost, p50", "<= 1.10", *times, 1.10)

    def bytes(self, ours: int, cookie: str) -> None:
        body = _body(ours, "/patients", cookie)
        for what, size, most in (
            ("List of 50, raw bytes", len(body), 20_000),
            ("List of 50, compressed bytes", len(gzip.compress(body)), 5_000),
        ):
            self.goal("11", what, f"<= {most}", size, most, 1.0, unit=1)

    async def live(
        self, ours: int, cookies: list[str], our_server: subprocess.Popen[bytes], bare_server: subprocess.Popen[bytes]
    ) -> None:
        """Two hundred watchers: idle cost, memory, a page beside them, and commit to last fragment against a bare broadcast."""
        page = Target(ours, "/patients", cookies[0])
        _, quiet = await asyncio.to_thread(together, page, 16, 25)
        department = self._department
        watchers = Watchers(
            ours, f"/live/stream?department={department}", f"/queue/board?department={department}", cookies
        )
        reference_port = servers.port()
        reference = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.broadcast", str(reference_port), cwd=ROOT
        )
        await asyncio.sleep(0.5)
        bare = Watchers(reference_port, "/stream", "/fragment", ["none"] * len(cookies))
        try:
            await watchers.start()
            await bare.start()
            before, start = servers.group_cpu(our_server), time.perf_counter()
            await asyncio.sleep(20)
            idle = (servers.group_cpu(our_server) - before) / (time.perf_counter() - start)
            self.goal("9", "200 idle watchers, share of a core (per cent)", "<= 1", idle * 100, 1.0, 1.0, unit=1)
            memory = servers.group_memory(our_server)
            self.goal(
                "10",
                "Two workers and 200 watchers, MB",
                "<= 1.4 Y",
                memory / 1e6,
                servers.group_memory(bare_server) / 1e6,
                1.4,
                unit=1,
            )
            heard: list[tuple[float, float]] = []
            for _ in range(self.options.rounds):
                await asyncio.sleep(PAUSE)  # of many changes a page is told once in so long: this is of one alone
                heard.append((await watchers.hear(self._nudge), await bare.hear(lambda: _say(reference_port))))
            ours_heard, bare_heard = (statistics.median(pair[i] for pair in heard) for i in (0, 1))
            self.goal(
                "9",
                "Commit to all 200 watchers' fragments, two workers",
                "<= 5 bare broadcasts",
                ours_heard,
                bare_heard,
                5.0,
            )
            _, beside = await asyncio.to_thread(together, page, 16, 25)
            self.goal(
                "9",
                "A page's p95 at 16 clients with 200 watchers connected",
                "<= 1.2 x without",
                p95(beside),
                p95(quiet),
                1.2,
            )
        finally:
            await watchers.stop()
            await bare.stop()
            reference.kill()
            await reference.wait()

    async def _nudge(self) -> None:
        """Commit a change of the queue in a process of its own, as another worker would."""
        await asyncio.to_thread(self._commit_change)

    def _commit_change(self) -> None:
        with self._app.app_context():
            live.nudge(f"queue:{self._department}")
            db.session.commit()
            db.session.remove()

    def cold_start(self, url: str) -> None:
        """From starting the processes to the first page."""

        def start(command: Callable[[int], list[str]], path: str) -> Callable[[], float]:
            def measure() -> float:
                port = servers.port()
                begun = time.perf_counter()
                with servers.running(command(port), self.env(url), port, path):
                    return time.perf_counter() - begun

            return measure

        times = interleaved(
            start(servers.chairside, "/sign-in"), start(servers.yardstick, "/list"), rounds=self.options.rounds
        )
        self.goal("12", "Cold start to the first page", "<= 1.5 Y", *times, 1.5)

    def growth(self, small: str, small_cookie: str, large: str, large_cookie: str) -> None:
        small_port, large_port = servers.port(), servers.port()
        with (
            servers.running(servers.chairside(small_port), self.env(small), small_port, "/healthz"),
            servers.running(servers.chairside(large_port), self.env(large), large_port, "/healthz"),
        ):
            for what, path in (
                ("list", "/patients"),
                ("search", "/patients/results?q=per"),
                ("search, two words", "/patients/results?q=ana%20per"),
                ("queue", "/queue?department=1"),
            ):
                times = interleaved(
                    _median(Target(large_port, path, large_cookie)),
                    _median(Target(small_port, path, small_cookie)),
                    rounds=self.options.rounds,
                )
                self.goal("3", f"Growth of the {what}: large clinic against small, p50", "<= 1.3", *times, 1.3)
            times_large = p95(alone(Target(large_port, "/patients/results?q=a", large_cookie), 200))
            self.goal("2", "Search in the large clinic, p95 in ms against 50 ms", "<= 1", times_large, 0.050, 1.0)


def _sign_in(count: int) -> list[str]:
    """Cookies of new sessions of receptionists (needs an application context)."""
    people = db.session.scalars(select(User).where(User.role == Role.RECEPTIONIST).order_by(User.id)).all()
    cookies = []
    for number in range(count):
        token, at = secrets.token_urlsafe(32), clock.now()
        db.session.add(
            AuthSession(
                token_hash=security.digest(token),
                user_id=people[number % len(people)].id,
                method="password",
                created_at=at,
                active_at=at,
            )
        )
        cookies.append(f"{security.cookie_name('session')}={token}")
    db.session.commit()
    return cookies


def _median(target: Target) -> Callable[[], float]:
    return lambda: statistics.median(alone(target, GETS))


def _body(port: int, path: str, cookie: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": cookie})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def _sign_in_over_http(port: int) -> float:
    """Seconds of one POST of the sign-in form, the page before it not counted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/sign-in")
    answer = connection.getresponse()
    cookie = "; ".join(value.split(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie")
    token = answer.read().decode().split('name="csrf_token" value="')[1].split('"')[0]
    body = f"csrf_token={token}&email=reception%40demo.test&password={demo.PASSWORD}"
    start = time.perf_counter()
    connection.request(
        "POST", "/sign-in", body, {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    )
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - start
    connection.close()
    if answer.status != 303:
        raise RuntimeError(f"sign-in answered {answer.status}")
    return took


async def _say(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /say HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


def _django_python() -> str:
    """The interpreter of the reference's own virtual environment, made when missing."""
    folder = ROOT / "var" / "bench-venv"
    if not (folder / "bin" / "gunicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run(
            [folder / "bin" / "pip", "install", "-q", "--require-hashes", "-r", ROOT / "bench" / "requirements.lock"],
            check=True,
        )
    return str(folder / "bin" / "python")


def _report(rows: list[Row], options: argparse.Namespace) -> str:
    large = f"{options.large} patients and {options.years} years" if options.large else "not measured"
    lines = [
        "# Performance",
        "",
        "Ratios taken in one run; medians of interleaved rounds; times in milliseconds unless the line says otherwise. Y is the bare stack",
        "(`bench/yardstick.py`). Written by `make bench`; goals that need documents come with them.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {options.patients} patients, large clinic {large}, {options.rounds} rounds, "
        f"seed {options.seed}, {os.cpu_count()} cores.",
        "",
        "| # | What | Goal | Ours | Reference | Ratio | Met |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: int(row.number)):
        lines.append(
            f"| {row.number} | {row.what} | {row.goal} | {row.ours} | {row.reference} | {row.ratio:.2f} | {'yes' if row.met else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000, help="patients of the large clinic; 0 leaves growth out")
    parser.add_argument("--years", type=int, default=10, help="years the large clinic has been open")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chairside-bench-"))
    bench = Bench(options, folder)
    try:
        bench.measure()
    finally:
        bench.database.stop(kill=True)
        shutil.rmtree(folder, ignore_errors=True)
        report = _report(bench.rows, options)
        print(report)
    (ROOT / "docs" / "performance.md").write_text(report)


if __name__ == "__main__":
    main()
