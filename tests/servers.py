"""The application as it is served: gunicorn with gunicorn.conf.py, two workers, on a MariaDB database and a world of its own.

`server` is one with the usual settings; `server_with(LIVE_HEARTBEAT="1")` starts one with others. It can be stopped, killed and
started again; whatever is left of it is killed at the end of the test.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask, g

from clinic import clock, create_app, security, settings
from clinic.extensions import db
from clinic.models import AuthSession
from tests.services import free_port
from tests.world import World, build_world

ROOT = Path(__file__).resolve().parent.parent
KEYS = {"SECRET_KEY": "k" * 20 + "z" * 20, "AUDIT_KEY": "a" * 20 + "z" * 20}
STORE = {
    "S3_ENDPOINT": "http://127.0.0.1:1",
    "S3_BUCKET": "b",
    "S3_ACCESS_KEY": "a",
    "S3_SECRET_KEY": "no-store-here",
}


class Server:
    """`app` is the same application in the test's own process: to look into the database, and to change it."""

    def __init__(self, app: Flask, world: World, env: dict[str, str], log: Path) -> None:
        self.app = app
        self.world = world
        self.env = env
        self.log = log
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"],
                cwd=ROOT,
                env=os.environ | self.env | {"BIND": f"127.0.0.1:{self.port}"},
                start_new_session=True,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 120
        while not self._answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"the server does not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)
        return self

    def stop(self) -> float:
        """Ask it to end, as a platform does, and wait; answers the seconds this took."""
        assert self.process
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(60)
        return time.monotonic() - began

    def kill(self) -> None:
        """`kill -9` of all its processes."""
        if self.process:
            for pid in [self.process.pid, *self.workers()]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.process.wait(10)
            self.process = None

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        if self.process is None:
            return []
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    @contextmanager
    def inside(self) -> Iterator[None]:
        """An application context on its database."""
        with self.app.app_context():
            yield

    def sign_in(self, name: str) -> tuple[str, str]:
        """Open a session for a person of the world; answers the Cookie header, and a CSRF token for the forms sent with it."""
        token = secrets.token_urlsafe(32)
        with self.inside():
            at = clock.now()
            row = AuthSession(
                token_hash=security.digest(token),
                user_id=self.world.people[name],
                method="password",
                created_at=at,
                active_at=at,
            )
            db.session.add(row)
            db.session.commit()
            g.csrf_owner = row.token_hash
            return f"{security.cookie_name('session')}={token}", security.csrf_token()

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
        except (OSError, urllib.error.URLError):
            return False
        return True


@pytest.fixture
def server_with(worker: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """`server_with(LIVE_HEARTBEAT="1")`: a running server with these variables in its environment."""
    from clinic.config import Config
    from tests.conftest import fresh_mariadb, with_own_account

    made: list[Server] = []

    def start(**changes: str) -> Server:
        url = fresh_mariadb(f"chairside_server_{len(made)}")
        env = {"CHAIRSIDE_MODE": "test", "DATABASE_URL": url, "SECURE_COOKIES": "off"} | KEYS | STORE | changes
        app = create_app(Config.from_env(env))
        settings.forget()
        with app.app_context():
            db.create_all()
            world = build_world()
            db.engine.dispose()
        if "DATABASE_URL" not in changes:
            env["DATABASE_URL"] = with_own_account(app, url)
            app = create_app(Config.from_env(env))
        server = Server(app, world, env, tmp_path / f"server-{len(made)}.log")
        made.append(server)
        return server.start()

    yield start
    for server in made:
        server.kill()
        with server.inside():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def server(server_with: Callable[..., Server]) -> Server:
    """A running server with the usual settings."""
    return server_with()
