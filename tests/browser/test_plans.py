"""A plan of treatment in a real browser: written by keyboard, approved by thumb, signed on the tablet, in both colours."""

import pytest
from playwright.sync_api import expect

from clinic.extensions import db
from tests.browser import axe
from tests.planned import approved, sent

TARGETS = "main :is(summary, button, select, input:not([type=hidden], [type=checkbox], [type=radio]), .check, a.btn)"
SMALL = "all => all.filter(e => e.checkVisibility() && e.offsetHeight < 44).map(e => e.textContent.trim() || e.id)"


def check(page, size):
    assert not axe.faults(page)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    if size == "tablet":
        assert page.eval_on_selector_all(TARGETS, SMALL) == []


@pytest.fixture
def plans(live_server):
    return f"/patients/{live_server.world.patients['fernando']}/plans"


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_written_and_sent(page_of, plans, size, scheme):
    page = page_of("kamal", size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(plans)
    page.keyboard.press("a")
    page.get_by_label("Name of the plan").fill("Pain in 46")
    check(page, size)
    page.get_by_role("button", name="Begin it for Nimali Fernando").click()
    for name, line in (("Root canal and crown", "46 rct"), ("Extraction", "46 x")):
        page.get_by_role("link", name="Add an option").click()
        page.get_by_label("Name of the option").fill(name)
        page.get_by_label("Advantages").fill("It lasts")
        check(page, size)
        page.get_by_role("button", name="Add it").click()
        option = page.get_by_role("region", name=name)
        option.get_by_role("link", name="Add an item").click()
        page.get_by_label("What is done").press_sequentially(line)
        expect(page.locator("#chart-meaning")).to_contain_text("46")
        page.get_by_label("Price of each, in EUR").fill("180.00")
        check(page, size)
        page.get_by_role("button", name="Add it to option").click()
        expect(page.get_by_role("region", name=name)).to_contain_text("EUR 180.00")
    check(page, size)
    page.get_by_role("button", name="Send to the supervisors").click()
    expect(page.get_by_text("NOT APPROVED YET")).to_be_visible()
    expect(page.locator("#plan-estimates")).to_be_visible()
    check(page, size)


def test_approved_by_thumb_one_option_of_two(page_of, live_server):
    with live_server.inside():
        plan = sent(live_server.world).id
        db.session.commit()
    page = page_of("silva", "tablet")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.goto("/approvals")
    expect(page.locator("main")).to_contain_text("The treatment plan “Lower right” of Nimali Fernando")
    page.goto(f"/approvals/plan/{plan}")
    expect(page.locator("#approvals-shown")).to_contain_text("46: root canal")
    page.get_by_role("checkbox", name="B: Extraction").uncheck()
    check(page, "tablet")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/approvals**said=**")


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_signed_and_planned_on_the_chart(page_of, live_server, plans, size, scheme):
    with live_server.inside():
        plan = approved(live_server.world).id
        db.session.commit()
    page = page_of("kamal", size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{plans}/{plan}")
    page.get_by_role("link", name="The patient accepts").click()
    page.get_by_label("Option A: Root canal and crown").check()
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for turn in range(2):
        page.mouse.move(box["x"] + 40, box["y"] + 40 + 20 * turn)
        page.mouse.down()
        page.mouse.move(box["x"] + 200, box["y"] + 90, steps=8)
        page.mouse.up()
        if turn == 0:
            page.get_by_role("button", name="Clear").click()
            assert page.locator("[data-signature-field]").input_value() == ""
    check(page, size)
    page.get_by_role("button", name="Nimali Fernando accepts").click()
    expect(page.get_by_role("heading", name="Visits in order: option A")).to_be_visible()
    expect(page.locator("[aria-current=step]")).to_contain_text("46: root canal")
    expect(page.get_by_text("not chosen")).to_be_visible()
    loaded = "image => image.complete && image.naturalWidth > 0"
    assert page.get_by_alt_text("Signature of Nimali Fernando").evaluate(loaded)
    check(page, size)
    page.goto(plans.replace("plans", "chart/teeth/46"))
    expect(page.locator("main")).to_contain_text("root canal treatment, planned")
