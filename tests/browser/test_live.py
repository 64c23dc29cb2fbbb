"""The stream in a real browser: nudges become events of the page, which says its age and polls when the stream is blocked."""

import time

import pytest
from playwright.sync_api import expect

from clinic import live
from clinic.extensions import db
from clinic.models import Stage
from tests.scene import call_of, put_in_queue

COUNT = """() => {
  window.heard = {};
  for (const name of ["queue:changed", "calls:changed", "live:poll", "live:beat"])
    document.body.addEventListener(name, () => (window.heard[name] = (window.heard[name] || 0) + 1));
}"""


def change(live_server, topic):
    with live_server.inside():
        live.nudge(topic)
        db.session.commit()


def until_heard(page, name, times, seconds=30.0):
    """Playwright's own waiting evaluates strings, which the content policy forbids."""
    deadline = time.monotonic() + seconds
    while heard(page, name) < times:
        assert time.monotonic() < deadline, f"{name} was heard {heard(page, name)} times, not {times}"
        page.wait_for_timeout(20)


def heard(page, name):
    return page.evaluate(f"window.heard['{name}'] || 0")


def test_a_change_reaches_the_page_at_once_and_the_page_says_live(page_of, live_server):
    page = page_of("ruwan")
    page.goto("/patients")
    page.locator("#live[data-live=live]").wait_for()
    assert page.locator("#live").inner_text().strip().endswith("live")
    page.evaluate(COUNT)
    change(live_server, f"queue:{live_server.world.departments['orthodontics']}")
    until_heard(page, "queue:changed", 1, 1)
    assert heard(page, "calls:changed") == 0


def test_a_cut_stream_comes_back_without_missing_or_doubling(page_of, live_server):
    page = page_of("ruwan")
    page.goto("/patients")
    page.locator("#live[data-live=live]").wait_for()
    page.evaluate(COUNT)
    topic = f"queue:{live_server.world.departments['restorative']}"
    change(live_server, topic)
    until_heard(page, "queue:changed", 1)
    hub = live_server.app.extensions["live"]
    for stream in list(hub.streams):
        stream.close()
    change(live_server, topic)
    until_heard(page, "queue:changed", 2)
    page.wait_for_timeout(500)
    assert heard(page, "queue:changed") == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["refused", "silent"])
def test_a_blocked_stream_is_replaced_by_polling(context_of, live_server, faults, how):
    context = context_of("ruwan")
    page = context.new_page()
    if how == "refused":
        context.route("**/live/stream*", lambda route: route.fulfill(status=503, body=""))
    else:
        context.route("**/live/stream*", lambda route: None)
    page.goto("/patients")
    page.evaluate(COUNT)
    until_heard(page, "live:poll", 2)
    page.locator("#live[data-live=old]").wait_for(timeout=30_000)
    assert "s old" in page.locator("#live").inner_text()
    context.unroute("**/live/stream*")
    if how == "refused":
        page.locator("#live[data-live=live]").wait_for(timeout=60_000)
    page.close()
    faults.clear()


def test_a_tab_that_is_shown_again_refetches(page_of, live_server):
    page = page_of("kamal")
    page.goto("/patients")
    page.locator("#live[data-live=live]").wait_for()
    page.evaluate(COUNT)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert heard(page, "live:poll") == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut", "busy"])
def test_a_region_that_asked_in_vain_asks_again_though_the_stream_lives(page_of, live_server, faults, how):
    page = page_of("silva", "tablet")
    page.goto("/supervision")
    page.locator("#live[data-live=live]").wait_for()
    in_vain = []

    def refuse(route):
        in_vain.append(route.request.url)
        route.abort() if how == "cut" else route.fulfill(status=503, body="")

    page.route("**/supervision/calls*", refuse)
    with live_server.inside():
        put_in_queue(live_server.world, "fernando", Stage.IN_TREATMENT)
        live.nudge(f"calls:{call_of(live_server.world, 'fernando').department_id}")
        db.session.commit()
    while not in_vain:
        page.wait_for_timeout(20)
    page.unroute("**/supervision/calls*")
    expect(page.locator("#supervision-calls .sv-row")).to_contain_text("Chair A1")
    faults.clear()
