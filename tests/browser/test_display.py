"""The public display in a real browser: a call appears at once, blinks and comes to rest; age and banner; no JavaScript."""

import json
import secrets
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from clinic import clock, live, security, settings
from clinic.extensions import db
from clinic.models import Display, Setting, Stage
from tests.scene import put_in_queue

PASS = "const now = Date.now; let ahead = 0; Date.now = () => now() + ahead; window.pass = (s) => (ahead += s * 1000)"
TELEVISION = {"viewport": {"width": 1920, "height": 1080}}


@pytest.fixture
def display_of(context_of, live_server):
    """`display_of()`: a page of a paired screen; `javascript=False` for an old television."""

    def pair(*, javascript=True, **values):
        token = secrets.token_urlsafe(32)
        with live_server.inside():
            at = clock.now()
            db.session.add(
                Display(token_hash=security.digest(token), name="Hall", created_at=at, paired_at=at, **values)
            )
            db.session.commit()
            cookie = {"name": security.cookie_name("display"), "value": token, "url": live_server.url}
        context = context_of(None, "desktop", java_script_enabled=javascript)
        context.add_cookies([cookie])
        page = context.new_page()
        page.set_viewport_size(TELEVISION["viewport"])
        return page

    return pair


def call(live_server, patient, chair, seconds_ago=0):
    with live_server.inside():
        entry = put_in_queue(live_server.world, patient, Stage.CALLED, chair=chair)
        entry.last_called_at = clock.now() - timedelta(seconds=seconds_ago)
        live.nudge(f"queue:{entry.department_id}")
        db.session.commit()
        return live_server.world.visit(patient).ticket


def test_a_call_appears_and_blinks_three_times(display_of, live_server):
    page = display_of()
    page.goto("/display")
    expect(page.get_by_text("Nobody has been called yet")).to_be_visible()
    page.locator("#live[data-live=live]").wait_for()
    ticket = call(live_server, "fernando", "A1")
    expect(page.locator(".call .ticket")).to_have_text(ticket)
    assert page.locator(".call").evaluate("e => e.getAnimations()[0].effect.getTiming().iterations") == 3
    second = call(live_server, "wu", "B1")
    expect(page.locator(".call .ticket")).to_have_text(second)
    expect(page.locator(".earlier li .ticket")).to_have_text([ticket])
    page.wait_for_timeout(4000)
    assert page.locator(".call").evaluate("e => e.getAnimations().length") == 0


def test_sound_waits_for_a_tap(display_of, live_server):
    with live_server.inside():
        db.session.add(Setting(name="display_voice", value="true"))
        db.session.commit()
        settings.forget()
    page = display_of()
    page.goto("/display")
    page.locator("#live[data-live=live]").wait_for()
    page.evaluate("() => { window.said = []; speechSynthesis.speak = (words) => window.said.push(words.text); }")
    call(live_server, "fernando", "A1")
    expect(page.locator(".call")).to_be_visible()
    page.wait_for_timeout(1200)
    assert page.evaluate("window.said") == []
    page.get_by_role("button", name="Turn sound on").click()
    call(live_server, "wu", "B1")
    page.wait_for_timeout(2000)
    (said,) = page.evaluate("window.said")
    assert said.endswith("Chair B1")


def test_an_old_television_without_javascript_reloads_by_itself(display_of, live_server):
    ticket = call(live_server, "fernando", "A1")
    page = display_of(javascript=False)
    page.goto("/display")
    expect(page.locator(".call .ticket")).to_have_text(ticket)
    assert page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]").count() == 1


def test_a_display_that_hears_nothing_says_so_after_half_a_minute(display_of, live_server, faults):
    page = display_of()
    page.goto("/display")
    page.locator("#live[data-live=live]").wait_for()
    page.context.route("**/display/*", lambda route: route.abort())
    for stream in list(live_server.app.extensions["live"].streams):
        stream.close()
    expect(page.locator("[data-live-stale]")).to_be_hidden()
    page.evaluate(f"() => {{ {PASS}; pass(12); }}")
    expect(page.locator("#live[data-live=old]")).to_be_visible()
    page.evaluate("() => pass(20)")
    expect(page.locator("[data-live-stale]")).to_be_visible()
    page.close()
    faults.clear()


FULL = """() => {
  const all = document.querySelector('.earlier ol');
  while (all.children.length < 5) all.append(all.firstElementChild.cloneNode(true));
}"""
CUT = """() => ['.newest', '.earlier', 'main'].filter(s => {
  const e = document.querySelector(s);
  return e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1;
})"""


@pytest.mark.parametrize("languages", [["en"], ["ar", "si", "ta", "en"]], ids=len)
def test_nothing_is_cut_with_five_calls_beside_the_newest(display_of, live_server, languages):
    with live_server.inside():
        db.session.add(Setting(name="display_languages", value=json.dumps(languages)))
        db.session.commit()
    settings.forget()
    call(live_server, "fernando", "A1", 60)
    call(live_server, "wu", "B1", 30)
    page = display_of()
    for width, height in ((1366, 768), (1280, 1024), (1920, 1080), (3840, 2160), (1080, 1920)):
        page.set_viewport_size({"width": width, "height": height})
        # A page opened at its size: after a resize the units of the screen are new at once, and the media queries some frames later.
        page.goto("/display")
        page.evaluate(FULL)
        for hidden in (True, False):
            page.locator("[data-live-stale]").evaluate("(e, hidden) => { e.hidden = hidden }", hidden)
            assert page.evaluate(CUT) == [], (width, height, hidden)
