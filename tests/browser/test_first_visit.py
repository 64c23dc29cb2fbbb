"""The first visit of a browser that has nothing in its cache yet, over a slow line."""

import pytest
from playwright.sync_api import Page, Route, expect

from clinic.extensions import db
from clinic.operations.settings import change_setting
from tests.world import PASSWORD

SLOW = 1.0  # seconds that a script is late


@pytest.mark.parametrize("late", ["hx-sse.min.js", "htmx.min.js", "app.js"])
def test_the_board_is_live_whichever_script_comes_last(page_of, late):
    page: Page = page_of("ruwan")

    def hold(route: Route) -> None:
        page.wait_for_timeout(SLOW * 1000)
        route.continue_()

    page.route(f"**/{late}", hold)
    page.goto("/queue")
    expect(page.locator("[data-live-words]")).to_have_text("live")


@pytest.mark.parametrize("held_by", ["temporary password", "second factor"])
def test_whoever_must_do_something_first_can_do_it_in_peace(page_of, live_server, held_by):
    """The page once asked for a stream it may not have yet, was sent back to itself, and so loaded for ever."""
    with live_server.inside():
        if held_by == "second factor":
            change_setting("totp_roles", ["receptionist"], actor=live_server.world.user("adel"))
        else:
            live_server.world.user("ruwan").must_change_password = True
        db.session.commit()
    page = page_of("ruwan")
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    page.goto("/queue")
    page.wait_for_timeout(2500)
    assert len(loads) == 1, loads
    expect(page.get_by_role("navigation", name="Main").get_by_role("link")).to_have_count(0)
    expect(page.locator("#live")).to_have_count(0)
    if held_by == "temporary password":
        page.get_by_label("New password").fill("quiet lamps over harbour")
        page.get_by_label("Your password now").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/account/password" not in url)
        expect(page.locator("#live")).to_have_count(1)
