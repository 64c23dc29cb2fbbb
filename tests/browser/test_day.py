"""A morning with four screens at once: the front desk, a student, a supervisor on a tablet, the public display. On the real server.

Once with the live stream, once with every stream blocked (the pages poll), once with the server killed and started again on the way.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select

from clinic import clock, security
from clinic.extensions import db
from clinic.models import Display, QueueEntry, Stage
from tests.browser.conftest import SIZES
from tests.campaigns.browserless import RemotePerson
from tests.forms import forms_of

pytestmark = [pytest.mark.browser, pytest.mark.server, pytest.mark.timeout(300)]

PATIENCE = 30_000  # ms; the goal of one second is measured and printed, this is only the end of patience


class Day:
    """The screens of one morning, each in a browser profile of its own."""

    def __init__(self, server, chromium, *, streams: bool) -> None:
        self.server, self.chromium, self.streams = server, chromium, streams
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        self.seen: list[str] = []
        self.desk = self.open("ruwan", "desktop", f"/queue?department={server.world.departments['restorative']}")
        self.student = self.open("kamal", "desktop", "/my-queue")
        self.supervisor = self.open("silva", "tablet", "/supervision")
        self.display = self.open(None, "desktop", "/display")

    def open(self, name: str | None, size: str, path: str) -> Page:
        context = self.chromium.new_context(base_url=self.server.url, **SIZES[size])
        context.set_default_timeout(PATIENCE)
        cookie = self.server.sign_in(name)[0] if name else self.paired_display()
        key, value = cookie.split("=", 1)
        context.add_cookies([{"name": key, "value": value, "url": self.server.url}])
        if not self.streams:
            context.route("**/stream*", lambda route: route.abort())
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    def paired_display(self) -> str:
        token = secrets.token_urlsafe(32)
        with self.server.inside():
            at = clock.now()
            db.session.add(Display(token_hash=security.digest(token), name="Hall", created_at=at, paired_at=at))
            db.session.commit()
            name = security.cookie_name("display")
        return f"{name}={token}"

    def wait_until_live(self) -> None:
        """The streams are connected (or, when they are blocked, the pages have begun to poll)."""
        time.sleep(2 if self.streams else 5)

    def check_in(self) -> None:
        """The desk checks the patient in; the student's screen shows it without reload."""
        visit = self.server.world.visits["fernando"]
        expect(self.student.locator(f"#mine-{visit}")).to_have_count(0)
        self.desk.locator(f"#queue-check-in-{visit}").click()
        with self.timed("check-in on the student's screen"):
            expect(self.student.locator(f"#mine-{visit}")).to_contain_text("Nimali Fernando", timeout=PATIENCE)
        expect(self.desk.locator(f"#queue-card-{visit}")).to_contain_text("A-001", timeout=PATIENCE)

    def call(self) -> None:
        """The desk calls by the keyboard; display and student see ticket and chair."""
        visit = self.server.world.visits["fernando"]
        self.desk.keyboard.press("c")
        dialog = self.desk.locator("#queue-call")
        expect(dialog).to_contain_text("Nimali Fernando")
        expect(self.display.locator("body")).not_to_contain_text("A-001")
        self.desk.locator("#queue-call-now").click()
        with self.timed("call on the display"):
            expect(self.display.locator("#display-newest")).to_contain_text("A-001", timeout=PATIENCE)
        expect(self.display.locator("#display-newest")).to_contain_text("A1", timeout=PATIENCE)
        expect(self.student.locator(f"#mine-{visit}")).to_contain_text("Chair A1", timeout=PATIENCE)
        assert "Fernando" not in self.display.content()

    def treat_and_ask(self) -> None:
        """The student seats the patient, begins, and calls for help; the tablet shows it; the answer comes back."""
        visit = self.server.world.visits["fernando"]
        for _ in range(2):  # seated, treatment begins
            act = self.student.locator(f"#mine-act-{visit}")
            said = act.inner_text()
            act.click()
            expect(act).not_to_have_text(said, timeout=PATIENCE)
        self.student.locator(f"#mine-call-{visit}-help").click()
        call = self.supervisor.locator("#supervision-calls li").first
        expect(call).to_contain_text("Kamal Dias", timeout=PATIENCE)
        expect(call).to_contain_text("Help")
        expect(self.student.locator(f"#mine-{visit}")).to_contain_text("1st of 1", timeout=PATIENCE)
        self.supervisor.locator("[id^='call-coming-'][id$='-3']").first.tap()
        with self.timed("answer on the student's screen"):
            expect(self.student.locator(f"#mine-{visit}")).to_contain_text("Dr Sunil Silva is coming", timeout=PATIENCE)
        expect(self.desk.locator(f"#queue-card-{visit}")).to_contain_text("is coming", timeout=PATIENCE)

    def finish_call(self) -> None:
        """The supervisor was there; the patient is in treatment again on every screen."""
        visit = self.server.world.visits["fernando"]
        self.supervisor.locator("[id^='call-end-']").first.tap()
        expect(self.supervisor.locator("#supervision-calls")).to_contain_text("Nobody is calling", timeout=PATIENCE)
        expect(self.student.locator(f"#mine-{visit}")).to_contain_text("Call a supervisor", timeout=PATIENCE)
        assert self.stage() is Stage.IN_TREATMENT

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        """From the press to the sight of it on another screen."""
        began = time.monotonic()
        yield
        self.seen.append(f"{what} {1000 * (time.monotonic() - began):.0f} ms")

    def stage(self) -> Stage:
        with self.server.inside():
            stage = db.session.scalar(
                select(QueueEntry.stage).where(
                    QueueEntry.patient_id == self.server.world.patients["fernando"], QueueEntry.ended_at.is_(None)
                )
            )
            db.session.remove()
        return stage

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        assert not self.complaints


@pytest.fixture
def day(server, chromium):
    opened: list[Day] = []

    def begin(**options) -> Day:
        opened.append(Day(server, chromium, **options))
        opened[-1].wait_until_live()
        return opened[-1]

    yield begin
    for each in opened:
        each.close()


@pytest.mark.parametrize("streams", [True, False], ids=["stream", "polling"])
def test_a_morning_on_four_screens(day, streams):
    morning = day(streams=streams)
    morning.check_in()
    morning.call()
    morning.treat_and_ask()
    morning.finish_call()
    print("; ".join(morning.seen))


def test_a_morning_with_the_server_killed_on_the_way(day, server):
    """What changed while a screen had no server is shown when it has one again, once, and work goes on."""
    morning = day(streams=True)
    morning.check_in()
    server.kill()
    time.sleep(1)
    server.start()
    colleague = RemotePerson(server, "rita")
    page = colleague.get(
        f"/walk-in?department={server.world.departments['restorative']}&patient={server.world.patients['nadia']}"
    ).text
    form = next(form for form in forms_of(page) if form.method == "post" and "walk-in" in form.action)
    answer = colleague.post(form.action, form.fields | {"reason": "Pain"})
    assert answer.status == 303, answer.text
    cards = morning.desk.locator(".q-card:not(.q-expected)", has_text="نادية منصور")
    expect(cards).to_have_count(1, timeout=PATIENCE)
    morning.call()
    morning.treat_and_ask()
    morning.finish_call()
    expect(cards).to_have_count(1)
