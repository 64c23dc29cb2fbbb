"""A note of 2,000 characters typed while everything goes wrong: nothing is lost to its author, nothing is left for the next person.

Each run cuts at a seeded place of the text, in one way, types on as far as the page is still there, and comes back as the same person.
"""

import random
import re
import time
from dataclasses import dataclass
from functools import partial

import pytest
from playwright.sync_api import BrowserContext, Page, Route
from sqlalchemy import delete, select, update

from clinic import clock
from clinic.extensions import db
from clinic.models import AuthSession, Draft, Note
from clinic.operations.notes import return_note, sign_again
from tests import soak
from tests.noted import note_by, note_said
from tests.world import PIN

LENGTH = 2000
LOCKED = re.compile(r"/locked")
WORDS = (
    "caries",
    "removed",
    "under",
    "rubber",
    "dam",
    "composite",
    "polished",
    "occlusion",
    "checked",
    "pain",
    "since",
    "molar",
)
CUTS = soak.share(60, 6)
WAYS = ("line", "server", "session", "lock", "crash", "other", "saved", "answer")


def text_of(dice: random.Random) -> str:
    """Exactly 2,000 characters, each part of it to be found again; in several scripts, with lines."""
    text = ""
    while len(text) < LENGTH:
        text += dice.choice(WORDS) + dice.choice([" ", " ", " ", "\n", ", ", " – "])
        text += dice.choice(["", "", "", "දත් ", "أسنان ", "牙 ", "🦷 "]) + f"{dice.randrange(10_000):04} "
    return "x" + text[: LENGTH - 2].replace("\ud83e", "x") + "."


@dataclass
class Desk:
    """A terminal at which one person writes a note."""

    context: BrowserContext
    page: Page
    server: object
    address: str

    def open(self) -> None:
        self.page = self.context.new_page() if self.page.is_closed() else self.page
        self.page.goto(self.address)

    @property
    def words(self) -> str:
        return self.page.locator("#text").input_value()

    def type(self, text: str, dice: random.Random) -> None:
        """As somebody types, in pieces, each as input of the keyboard."""
        self.page.locator("#text").focus()
        self.page.keyboard.press("ControlOrMeta+End")
        while text:
            size = dice.randrange(1, 60)
            self.page.keyboard.insert_text(text[:size])
            text = text[size:]

    def sign_in(self, name: str) -> None:
        cookies = self.server.sign_in(name)
        self.context.add_cookies(
            [{"name": key, "value": value, "url": self.server.url} for key, value in cookies.items()]
        )


def everything_in(page: Page) -> str:
    """All that somebody at this terminal could read: page, fields, storage."""
    return page.evaluate(
        """async () => document.documentElement.outerHTML
            + [...document.querySelectorAll("input, textarea")].map((field) => field.value).join()
            + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + JSON.stringify(history.state)"""
    )


def stopped(route: Route) -> None:
    route.abort("connectionrefused")


def end_sessions(server, name: str) -> None:
    with server.inside():
        ended = {"ended_at": clock.now(), "end_reason": "revoked"}
        db.session.execute(update(AuthSession).where(AuthSession.user_id == server.world.people[name]).values(**ended))
        db.session.commit()


def words_left(text: str, page: Page) -> list[str]:
    """The numbers of the text that can be found in anything that the page holds."""
    held = everything_in(page)
    return [number for number in re.findall(r"\b\d{4} ", text) if f" {number}" in held and text.count(number) == 1]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_and_nothing_is_left(context_of, live_server, faults, way):
    lost = seen = 0
    for number in range(CUTS):
        seed = f"{soak.daily_seed()}-{way}-{number}"
        dice = random.Random(seed)
        text = text_of(dice)
        cut = dice.randrange(0, LENGTH + 1)
        context = context_of("kamal")
        address = f"/patients/{live_server.world.patients['fernando']}/notes/new"
        if way == "saved":
            address = returned_note(live_server)
        desk = Desk(context, context.new_page(), live_server, address)
        desk.open()
        if way == "saved":
            desk.page.locator("#text").fill("")
        desk.type(text[:cut], dice)
        if dice.random() < 0.5:
            desk.page.wait_for_timeout(dice.randrange(0, 400))
        seen += partial(globals()[f"by_{way}"], desk, text[cut:], dice)() or 0
        found = words_when_back(desk, text)
        lost += len(text) - len(found) if text.startswith(found) else 0 if found == text else LENGTH
        assert found == text, f"{seed}: cut at {cut}, {len(found)} of {len(text)} are back"
        context.close()  # before: an open page keeps what it shows
        time.sleep(0.2)
        with live_server.inside():
            db.session.execute(delete(Draft))
            db.session.commit()
    faults.clear()  # cut lines are what this is about
    print(f"{way}: {CUTS} cuts, {lost} characters lost, {seen} seen by the next person")
    assert not seen


def words_when_back(desk: Desk, text: str) -> str:
    """What the same person finds, when they open the form again."""
    desk.open()
    if desk.page.url.endswith("/again") or "/notes/new" in desk.page.url:
        desk.page.locator("#text").wait_for()
        for _ in range(50):
            if desk.words == text:
                break
            desk.page.wait_for_timeout(100)
    return desk.words


def returned_note(server) -> str:
    """A note of theirs that was returned; the address at which it is written anew."""
    with server.inside():
        note = note_by(server.world)
        return_note(note.id, version=note.version, reason="Which tooth?", actor=server.world.user("silva"))
        db.session.commit()
        return f"/patients/{note.patient_id}/notes/{note.id}/again"


# --- the ways in which it goes wrong ----------------------------------------------------------------------------------


def by_line(desk: Desk, rest: str, dice: random.Random) -> None:
    """The line is cut, one types on, reloads in vain, and closes the tab; later it is there again."""
    desk.context.set_offline(True)
    desk.type(rest, dice)
    if dice.random() < 0.5:
        desk.page.get_by_role("button", name="Sign").click()  # in vain
        desk.page.get_by_text("No answer").wait_for()
    desk.page.close()
    desk.context.set_offline(False)


def by_server(desk: Desk, rest: str, dice: random.Random) -> None:
    """The server stops, and comes back after one has typed on and left."""
    desk.context.route("**/*", stopped)
    desk.type(rest, dice)
    desk.page.wait_for_timeout(dice.randrange(0, 300))
    desk.page.goto("about:blank")
    desk.context.unroute("**/*")


def by_session(desk: Desk, rest: str, dice: random.Random) -> None:
    """An administrator ends the session; one types on, signs in vain, and signs in again."""
    end_sessions(desk.server, "kamal")
    desk.type(rest, dice)
    if dice.random() < 0.5:
        desk.page.get_by_role("button", name="Sign", exact=True).click()
        desk.page.wait_for_url(re.compile("/sign-in"))
    desk.page.goto("about:blank")
    desk.sign_in("kamal")


def by_lock(desk: Desk, rest: str, dice: random.Random) -> int:
    """All is typed, perhaps without a line, and the terminal is locked at once; then unlocked."""
    desk.type(rest, dice)
    is_cut = dice.random() < 0.5
    if is_cut:
        desk.context.route("**/drafts**", stopped)
    desk.page.locator("#lock-button").click()
    desk.page.wait_for_url(LOCKED)
    left = len(words_left(rest, desk.page))
    if is_cut:
        desk.context.unroute("**/drafts**")
    desk.page.get_by_label("PIN").fill(PIN)
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url(f"**{desk.address}")
    return left


def by_crash(desk: Desk, rest: str, dice: random.Random) -> None:
    """The tab is gone within a moment after the last letter, and nothing was said to the server."""
    desk.context.route("**/drafts**", stopped)
    desk.type(rest, dice)
    desk.page.wait_for_timeout(50)
    desk.page.close(run_before_unload=False)
    desk.context.unroute("**/drafts**")


def by_other(desk: Desk, rest: str, dice: random.Random) -> int:
    """The line is cut, the session is over, and somebody else signs in at this terminal and opens the same form."""
    desk.context.route("**/drafts**", stopped)
    desk.type(rest, dice)
    desk.page.wait_for_timeout(50)
    desk.page.goto("about:blank")
    desk.context.unroute("**/drafts**")
    end_sessions(desk.server, "kamal")
    seen = 0
    desk.sign_in("silva")
    for address in (desk.address, "/notices", "/supervision"):
        desk.page.goto(address)
        desk.page.wait_for_timeout(200)
        seen += len(words_left(rest, desk.page)) + (
            desk.address in desk.page.evaluate("() => JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
        )
    if dice.random() < 0.5:  # and writes a note of their own, which is not mixed with the first
        desk.page.goto(desk.address)
        desk.page.locator("#text").fill("Seen by me.")
        desk.page.get_by_role("button", name="Sign", exact=True).click()
        desk.page.wait_for_url(re.compile(r"/notes(\?|#|$)"))
    desk.sign_in("kamal")
    return seen


def by_saved(desk: Desk, rest: str, dice: random.Random) -> None:
    """The same note is signed anew on another terminal meanwhile: one is told so with both texts, and one's own stay."""
    number = int(re.search(r"/notes/(\d+)/", desk.address)[1])
    with desk.server.inside():
        note = db.session.get(Note, number)
        sign_again(
            note.id, version=note.version, said=note_said("On another terminal."), actor=desk.server.world.user("kamal")
        )
        db.session.commit()
    desk.type(rest, dice)
    desk.page.get_by_role("button", name="Sign", exact=True).click()
    desk.page.locator("#notes-refused").wait_for()
    assert "On another terminal." in desk.page.locator("#notes-form").inner_text()
    assert desk.words == desk.page.locator("#text").input_value()
    with desk.server.inside():  # the supervisor returns it again, so that it can be written anew
        note = db.session.scalar(select(Note).where(Note.id == number))
        return_note(note.id, version=note.version, reason="And now?", actor=desk.server.world.user("silva"))
        db.session.commit()
    desk.page.goto("about:blank")


def by_answer(desk: Desk, rest: str, dice: random.Random) -> None:
    """It is signed, and the answer never comes: signed once it is, and the form begins empty; before that, all is there."""
    desk.type(rest, dice)
    desk.context.route(
        "**/notes/new", lambda route: stopped(route) if route.request.method == "POST" else route.continue_()
    )
    desk.page.get_by_role("button", name="Sign", exact=True).click()
    desk.page.get_by_text("No answer").wait_for()
    desk.context.unroute("**/notes/new")


# --- and what else is promised ----------------------------------------------------------------------------------------


def test_what_came_though_its_answer_was_lost_does_not_come_back(context_of, live_server, faults):
    context = context_of("kamal")
    page = context.new_page()
    address = f"/patients/{live_server.world.patients['fernando']}/notes/new"
    page.goto(address)
    page.locator("#text").fill("Signed, and nobody heard it.")

    def swallowed(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        route.fetch(max_redirects=0)
        route.abort("connectionreset")

    page.route("**/notes/new", swallowed)
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_text("No answer").wait_for()
    page.unroute("**/notes/new")
    page.goto(address)
    page.wait_for_timeout(1000)
    assert page.locator("#text").input_value() == ""
    with live_server.inside():
        assert db.session.query(Note).count() == 1
        assert db.session.query(Draft).count() == 0
    assert not [key for key in page.evaluate("() => Object.keys(localStorage)") if key.startswith("chairside-draft")]
    faults.clear()


def test_a_signed_note_leaves_nothing_on_the_terminal(context_of, live_server):
    page = context_of("kamal").new_page()
    page.goto(f"/patients/{live_server.world.patients['fernando']}/notes/new")
    page.locator("#text").press_sequentially("All is well.")
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.startsWith('chairside-draft.'))")
    page.get_by_text(re.compile(r"Kept \d\d:\d\d")).wait_for()
    page.get_by_role("button", name="Sign", exact=True).click()
    page.wait_for_url(re.compile(r"/notes\?said="))
    page.wait_for_timeout(500)
    assert (
        page.evaluate("() => Object.keys(localStorage).filter((key) => key.startsWith('chairside-draft')).length") == 0
    )


def test_the_form_says_where_its_words_are(context_of, live_server, faults):
    context = context_of("kamal")
    page = context.new_page()
    address = f"/patients/{live_server.world.patients['fernando']}/notes/new"
    page.goto(address)
    context.set_offline(True)
    page.locator("#text").press_sequentially("Without a line")
    page.get_by_text("No connection: kept on this terminal, encrypted").wait_for()
    context.set_offline(False)
    page.get_by_text(re.compile(r"Kept \d\d:\d\d")).wait_for()
    page.goto(address)
    page.get_by_text("What you had typed is back").wait_for()
    back = page.locator("#notes-form > .draft-back").bounding_box()
    assert back["y"] < page.locator("#text").bounding_box()["y"]  # where one begins to read
    page.locator("#text").press_sequentially(", and with one")
    page.get_by_text(re.compile(r"Kept \d\d:\d\d")).wait_for()
    assert page.get_by_text("What you had typed is back").is_visible()
    page.get_by_role("button", name="Start empty").click()
    page.get_by_text("Thrown away").wait_for()
    page.goto(address)
    page.wait_for_timeout(500)
    assert page.locator("#text").input_value() == ""
    faults.clear()


def test_two_terminals_lose_nothing_of_each_other(context_of, live_server, faults):
    one, other = context_of("kamal"), context_of("kamal")
    address = f"/patients/{live_server.world.patients['fernando']}/notes/new"
    first, second = one.new_page(), other.new_page()
    first.goto(address)
    first.locator("#text").press_sequentially("Begun. ")
    first.get_by_text(re.compile(r"Kept \d\d:\d\d")).wait_for()
    one.route("**/drafts**", stopped)
    first.locator("#text").press_sequentially("Here without a line.")
    first.goto("about:blank")
    second.goto(address)
    second.get_by_text("What you had typed is back").wait_for()
    second.locator("#text").press_sequentially("There with one.")
    second.get_by_text(re.compile(r"Kept \d\d:\d\d")).wait_for()
    one.unroute("**/drafts**")
    first.goto(address)
    first.get_by_text("What you had typed is back").wait_for()
    first.wait_for_function("() => document.querySelector('#text').value.includes('There with one.')")
    assert "Here without a line." in first.locator("#text").input_value()
    faults.clear()


def test_old_ones_go_and_the_key_is_nowhere(context_of, live_server):
    page = context_of("kamal").new_page()
    page.goto("/notices")
    page.evaluate(
        """() => { localStorage.setItem("chairside-draft.old", `${Date.now() - 31 * 86400e3} AAAA`);
                   localStorage.setItem("chairside-draft.new", `${Date.now() - 29 * 86400e3} AAAA`); }"""
    )
    answer = page.goto("/notices")
    page.wait_for_function("() => !localStorage.getItem('chairside-draft.old')")
    assert page.evaluate("() => localStorage.getItem('chairside-draft.new')")
    key = re.search(r'name="draft-key" content="([^"]+)"', answer.text())[1]
    assert "no-store" in answer.headers["cache-control"]
    assert key not in everything_in(page)
