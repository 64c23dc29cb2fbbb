"""A shared terminal in a real browser: what is left after locking, what comes back, who sees it, and how long it takes."""

import json
import re
import time

import pytest
from sqlalchemy import delete

from clinic import settings
from clinic.extensions import db
from clinic.models import Setting
from tests.world import PASSWORD, PIN

CANARY = "CANARY-7391"
FORM = "/patients/new"
FIELD = "Name"
LOCKED = re.compile(r"/locked\?next=")


@pytest.fixture
def idle(live_server):
    """Make terminals lock after some seconds without input."""

    def after(seconds: int) -> None:
        with live_server.inside():
            db.session.execute(delete(Setting).where(Setting.name == "idle_lock_seconds"))
            db.session.add(Setting(name="idle_lock_seconds", value=json.dumps(seconds)))
            db.session.commit()
        settings.forget()

    yield after
    settings.forget()


def everything_in(page) -> str:
    """All that the tab holds where somebody could look: document, form values, title, storage, history state."""
    return page.evaluate(
        """async () => document.documentElement.outerHTML + document.title
            + [...document.querySelectorAll("input, textarea")].map((field) => field.value).join()
            + JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + JSON.stringify(history.state)
            + (await caches?.keys?.() ?? []).join() + (await indexedDB.databases()).map((one) => one.name).join()"""
    )


def type_draft(page) -> None:
    page.goto(FORM)
    page.get_by_label(FIELD, exact=True).first.fill(CANARY)


@pytest.mark.parametrize("size", ["desktop", "tablet"])
def test_nothing_is_left_after_the_lock_button_and_the_draft_comes_back(page_of, live_server, size):
    page = page_of("ruwan", size)
    page.goto("/account/sessions")
    type_draft(page)
    assert CANARY in everything_in(page)
    page.locator("#lock-button").click()
    page.wait_for_url(LOCKED)
    assert CANARY not in everything_in(page)
    for _ in range(3):
        page.go_back()
        page.wait_for_timeout(300)
        if page.url == "about:blank":
            break
        assert LOCKED.search(page.url)
        assert CANARY not in everything_in(page)
    page.goto(FORM)
    page.wait_for_url(LOCKED)
    page.emulate_media(media="print")
    assert CANARY not in everything_in(page)
    page.emulate_media(media="screen")
    page.get_by_label("PIN").fill(PIN)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{FORM}")
    page.wait_for_function(
        "text => [...document.querySelectorAll('input')].some((one) => one.value === text)", arg=CANARY
    )


def test_an_idle_terminal_locks_every_tab_and_polling_is_no_activity(context_of, idle):
    idle(6)
    context = context_of("ruwan")
    one, two = context.new_page(), context.new_page()
    type_draft(one)
    two.goto("/account/sessions")
    one.bring_to_front()
    for page in (one, two):  # what a page does by itself, as often as it likes
        page.evaluate("() => { setInterval(() => fetch('/drafts?form=/none'), 500); }")
    for _ in range(8):  # longer than the idle time: typing keeps both tabs open
        one.get_by_label(FIELD, exact=True).first.press("End")
        one.wait_for_timeout(1000)
    assert FORM in one.url
    assert "/account/sessions" in two.url
    last = time.monotonic()
    one.get_by_label(FIELD, exact=True).first.press("End")
    one.wait_for_url(LOCKED, timeout=20_000)
    taken = time.monotonic() - last
    two.wait_for_url(LOCKED)
    print(f"locked {taken:.1f} s after the last key; idle time 6 s")
    assert 5 <= taken <= 11
    assert CANARY not in everything_in(one)
    one.get_by_label("PIN").fill(PIN)
    one.keyboard.press("Enter")
    one.wait_for_url(f"**{FORM}")
    two.wait_for_url("**/account/sessions")  # the other tab goes on as well


def test_a_server_lock_reaches_the_page_by_its_own_polling(page_of, live_server, idle, faults):
    """The page's clock stands still (a sleeping machine): the server has locked, and the next request of the page shows it."""
    page = page_of("ruwan")
    page.goto(FORM)
    idle(1)
    time.sleep(3)
    page.evaluate("() => htmx.ajax('GET', '/drafts?form=/none', {target: '#refusal'})")
    page.wait_for_url(LOCKED)
    faults[:] = [fault for fault in faults if "SSE reconnect failed with status 401" not in fault]  # it is refused, too


def test_the_next_person_takes_over_in_five_seconds_and_sees_no_draft(context_of, live_server):
    context = context_of("ruwan")
    device = next(cookie["value"] for cookie in context.cookies() if cookie["name"].endswith("device"))
    live_server.sign_in("rita", device=device)
    page = context.new_page()
    type_draft(page)
    begun, keys = time.monotonic(), 0
    page.locator("#lock-button").click()
    page.wait_for_url(LOCKED)
    page.wait_for_function("() => document.activeElement?.id === 'pin'")
    for key in ("Shift+Tab", "ArrowDown", "Tab"):
        page.keyboard.press(key)
        keys += 1
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    keys += 1
    page.wait_for_url(lambda url: "/locked" not in url and "/unlock" not in url)
    page.locator("#account-menu").wait_for()
    taken = time.monotonic() - begun
    assert "Rita Gomes" in page.locator("#account-menu").inner_text()
    print(f"switched in {taken:.1f} s with {keys} keys and the PIN")
    assert taken <= 5
    assert keys <= 6
    page.goto(FORM)
    page.wait_for_timeout(1500)
    assert CANARY not in everything_in(page)


def test_a_sent_form_leaves_no_draft(page_of, live_server):
    page = page_of("adel")
    page.goto("/people/new")
    page.get_by_label("Name", exact=True).fill("Nobody Yet")
    page.get_by_label("E-mail").fill("nobody.yet@clinic.test")
    page.get_by_label("Role").select_option("nurse")
    page.get_by_role("button", name="Add with").click()
    page.wait_for_url(re.compile("temporary-password"))
    page.goto("/people/new")
    page.wait_for_timeout(800)
    assert page.get_by_label("Name", exact=True).input_value() == ""


def test_the_lock_works_without_javascript(page_of, live_server):
    page = page_of("ruwan", java_script_enabled=False)
    page.goto("/account/pin")
    page.locator("#lock-button").click()
    page.wait_for_url("**/locked?next=/account/pin")
    page.get_by_label("PIN").fill(PIN)
    page.get_by_role("button", name="Unlock", exact=True).click()
    page.wait_for_url("**/account/pin")


def test_unlocking_by_password(page_of, live_server):
    page = page_of("ruwan")
    page.goto("/account/pin")
    page.locator("#lock-button").click()
    page.wait_for_url(LOCKED)
    page.get_by_text("with your password").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/pin")
