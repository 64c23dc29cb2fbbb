"""The timeline in a real browser: at the desk by keyboard, on the tablet, in both colours."""

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.charted import charted


@pytest.fixture
def timeline(live_server):
    with live_server.inside():
        charted(live_server.world)
    return f"/patients/{live_server.world.patients['fernando']}/timeline"


def test_read_narrowed_and_opened_by_keyboard(page_of, timeline):
    page = page_of("kamal")
    page.goto(timeline)
    expect(page.locator(".timeline li[data-key-row]").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_label("Up to the day")).to_be_focused()
    page.keyboard.press("Escape")
    page.get_by_label("Chart", exact=True).uncheck()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".timeline li.is-chart")).to_have_count(0)
    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".timeline li.is-chart").first).to_be_visible()
    version = page.get_by_role("link", name="Version 1 of the chart approved")
    version.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/chart/versions/1")


@pytest.mark.parametrize("size", ["desktop", "tablet"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_used_by_everybody(page_of, timeline, size, scheme):
    page = page_of("silva", size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(timeline)
    page.locator(".timeline summary").first.click()
    assert not axe.faults(page)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    if size == "tablet":
        small = "all => all.filter(e => e.checkVisibility() && e.offsetHeight < 44).map(e => e.textContent)"
        targets = "main :is(.timeline-kinds label, .timeline a, .timeline summary, .timeline-narrow button)"
        assert page.eval_on_selector_all(targets, small) == []
