"""A live server on a database of its own, and Chromium pages of the people of the world.

`live_server` holds a fresh world per test. `page_of("ruwan", "tablet")` is a page in which that person is signed in (None: nobody).
A console error, an uncaught exception or a violation of the content policy on any of these pages fails the test.
"""

import logging
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.serving import make_server

from clinic import clock, create_app, live_stream, security, settings
from clinic.blueprints.queue.board import forget_bodies
from clinic.extensions import db
from clinic.models import AuthSession, Device
from clinic.once import asks_for_redo
from tests.conftest import forget_store, fresh_mariadb, make_config
from tests.world import World, build_world

SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1366, "height": 768}},
    "tablet": {"viewport": {"width": 820, "height": 1180}, "has_touch": True},
}
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
expect.set_options(timeout=20_000)  # a busy machine is not a slow page
# The browser writes every refused request to its console; a refusal that a rule intends is no fault of the page.
REFUSED = re.compile(r"Failed to load resource: .* status of (401|403|409|422|429) ")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker(pytest.mark.browser)


@dataclass
class LiveServer:
    """Where it listens, and its world; `inside()` opens an application context on its database."""

    url: str
    app: Flask
    world: World

    @contextmanager
    def inside(self) -> Iterator[None]:
        with self.app.app_context():
            yield

    def sign_in(self, name: str, *, device: str | None = None) -> dict[str, str]:
        """Open a session for a person as if they had typed their password; answers the cookies by name."""
        token, device = secrets.token_urlsafe(32), device or secrets.token_urlsafe(32)
        with self.inside():
            at = clock.now()
            known = db.session.query(Device).filter_by(token_hash=security.digest(device)).one_or_none()
            known = known or Device(token_hash=security.digest(device), created_at=at)
            db.session.add(known)
            db.session.flush()
            db.session.add(
                AuthSession(
                    token_hash=security.digest(token),
                    user_id=self.world.people[name],
                    device_id=known.id,
                    method="password",
                    created_at=at,
                    active_at=at,
                    address="127.0.0.1",
                )
            )
            db.session.commit()
            return {security.cookie_name("session"): token, security.cookie_name("device"): device}


@pytest.fixture(scope="session")
def _live_app(worker: str) -> Iterator[tuple[Flask, str]]:
    app = create_app(make_config(fresh_mariadb("chairside_live"), pool_size=20))
    with app.app_context():
        db.create_all()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield app, f"http://127.0.0.1:{server.server_port}"
    live_stream.stop(app)
    server.shutdown()
    thread.join(10)
    server.server_close()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def live_server(_live_app: tuple[Flask, str]) -> LiveServer:
    """The server with a fresh world in its database."""
    app, url = _live_app
    settings.forget()
    forget_bodies()
    forget_store(app)
    with app.app_context():
        empty()
        world = build_world()
    app.extensions["live"].look()  # the numbers of changes begin anew
    return LiveServer(url, app, world)


def empty(tries: int = 5) -> None:
    """Delete every row. The ends of the series go first: a request of the test before that still writes is waited for there, and what
    it adds to the series is deleted with the rest, not met by whoever counts anew. When the two wait for each other, once more."""
    try:
        _delete_all()
    except DBAPIError as error:
        if tries == 1 or not asks_for_redo(error):
            raise
        empty(tries - 1)


def _delete_all() -> None:
    ends = ("counter", "audit_head")
    rest = [table.name for table in db.metadata.sorted_tables if table.name not in ends]
    with db.engine.begin() as connection:
        connection.execute(text("SET FOREIGN_KEY_CHECKS=0"))
        try:
            for name in (*ends, *rest):
                connection.execute(text(f"DELETE FROM `{name}`"))
        finally:
            connection.execute(text("SET FOREIGN_KEY_CHECKS=1"))


@pytest.fixture(scope="session")
def demo(worker: str) -> Iterator[LiveServer]:
    """A server with the demo clinic: a busy day. Only for looking: nothing is rolled back."""
    from tests.browser.clinic_of_demo import demo_server

    with demo_server(make_config(fresh_mariadb("chairside_demo"), pool_size=20)) as server:
        yield server


@pytest.fixture(scope="session")
def pages_of_roles(demo: LiveServer) -> dict[str, dict[str, str]]:
    """For each role's person in the demo clinic, the pages they can open: endpoint and address."""
    from tests.browser.clinic_of_demo import pages_by_role

    return pages_by_role(demo.app, demo.world)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        yield browser
        browser.close()


@pytest.fixture
def faults() -> list[str]:
    """What the pages of this test complained about; a test that provokes a complaint on purpose clears it."""
    return []


@pytest.fixture
def context_of(
    chromium: Browser, live_server: LiveServer, faults: list[str]
) -> Iterator[Callable[..., BrowserContext]]:
    """`context_of("ruwan", "desktop")`: a browser profile of its own, with that person signed in; open several pages in it."""
    made: list[BrowserContext] = []

    def open_context(name: str | None = None, size: str = "desktop", **options: Any) -> BrowserContext:
        context = chromium.new_context(base_url=live_server.url, **SIZES[size], **options)
        context.set_default_timeout(30_000)
        context.on("console", lambda message: _note_console(message, faults))
        context.on("weberror", lambda error: faults.append(f"exception: {error.error}"))
        if name:
            cookies = live_server.sign_in(name)
            context.add_cookies(
                [{"name": key, "value": value, "url": live_server.url} for key, value in cookies.items()]
            )
        made.append(context)
        return context

    yield open_context
    for context in made:
        context.close()
    assert not faults, "the browser complained:\n" + "\n".join(faults)


@pytest.fixture
def page_of(context_of: Callable[..., BrowserContext]) -> Callable[..., Page]:
    """`page_of("ruwan", "tablet")`: a page in a browser profile of its own, with that person signed in."""
    return lambda name=None, size="desktop", **options: context_of(name, size, **options).new_page()


def _note_console(message: ConsoleMessage, faults: list[str]) -> None:
    asked_by_browser = message.location.get("url", "").endswith("/favicon.ico")  # the browser asks on its own
    if message.type == "error" and not asked_by_browser and not REFUSED.search(message.text):
        faults.append(f"{message.page.url if message.page else ''}: {message.text}")
