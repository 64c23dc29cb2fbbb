"""The frame of every page by keyboard, touch and pointer: keys, palette, toasts, menus, colours, failing requests, print."""

import re
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import expect

SAY = """detail => document.body.dispatchEvent(new CustomEvent('say', {bubbles: true, detail}))"""


@pytest.fixture
def desk(page_of):
    page = page_of("ruwan")
    page.goto("/account/sessions")
    return page


def test_question_mark_shows_the_keys_and_escape_closes_them(desk):
    desk.keyboard.press("?")
    keys = desk.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    expect(keys).to_contain_text("Next and previous row")
    desk.keyboard.press("Escape")
    expect(keys).to_be_hidden()


def test_the_palette_finds_a_patient_and_a_page_by_keyboard(desk):
    desk.keyboard.press("Control+k")
    palette = desk.get_by_role("dialog", name="Go to a page or a patient")
    expect(palette.get_by_role("link").first).to_be_visible()
    desk.keyboard.type("pass")
    expect(palette.get_by_role("link")).to_have_count(1)
    desk.keyboard.press("Enter")
    desk.wait_for_url("**/account/password")


def test_letters_typed_into_a_field_are_letters(desk):
    desk.keyboard.press("Control+k")
    field = desk.get_by_role("searchbox", name="Page or patient")
    expect(field).to_be_focused()
    desk.keyboard.type("?ju/")
    expect(field).to_have_value("?ju/")
    expect(desk.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_a_toast_stays_ten_seconds_and_as_long_as_it_is_pointed_at(desk):
    desk.clock.install()
    desk.evaluate(SAY, {"text": "A-011 called to chair 4"})
    toast = desk.get_by_role("status").get_by_text("A-011 called to chair 4")
    expect(toast).to_be_visible()
    desk.clock.run_for(9_000)
    expect(toast).to_be_visible()
    toast.hover()
    desk.clock.run_for(30_000)
    expect(toast).to_be_visible()
    desk.mouse.move(5, 300)
    desk.clock.run_for(11_000)
    expect(toast).to_have_count(0)


def test_u_undoes_by_posting_the_toasts_form_with_a_key_of_its_own(desk):
    sent = []
    desk.route("**/undo-it", lambda route: (sent.append(route.request), route.fulfill(status=204)))
    desk.evaluate(SAY, {"text": "Moved", "undo": "/undo-it"})
    desk.keyboard.press("u")
    expect(desk.get_by_text("Moved")).to_have_count(0)
    fields = parse_qs(sent[0].post_data)
    assert len(sent) == 1
    assert sent[0].method == "POST"
    assert len(fields["once"][0]) >= 16
    assert fields["csrf_token"]


def test_a_toast_after_a_redirect_is_shown_once(desk):
    desk.evaluate("history.replaceState(null, '', '?said=something')")
    desk.reload()
    expect(desk).to_have_url(re.compile(r"/account/sessions$"))


def test_the_menu_closes_on_escape_and_on_a_click_outside(desk):
    menu = desk.locator("#account-menu")
    sign_out = desk.get_by_role("button", name="Sign out")
    menu.click()
    expect(sign_out).to_be_visible()
    desk.keyboard.press("Escape")
    expect(sign_out).to_be_hidden()
    expect(menu).to_be_focused()
    menu.click()
    desk.mouse.click(300, 500)
    expect(sign_out).to_be_hidden()


def test_colours_change_at_once_and_are_kept(desk):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = desk.evaluate(ground)
    desk.locator("#account-menu").click()
    with desk.expect_response("**/theme"):
        desk.get_by_role("button", name="Dark").click()
    assert desk.evaluate(ground) != light
    desk.reload()
    assert desk.evaluate(ground) != light
    desk.locator("#account-menu").click()
    expect(desk.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")


def test_colours_follow_the_device_until_one_chooses(page_of):
    page = page_of("rita")
    page.goto("/")
    grounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_a_request_that_gets_no_answer_says_so(desk, faults):
    desk.route("**/theme", lambda route: route.abort())
    desk.locator("#account-menu").click()
    desk.get_by_role("button", name="Dark").click()
    expect(desk.get_by_role("alert")).to_contain_text("No answer")
    faults.clear()


def test_a_proxys_error_page_is_not_swapped_into_the_work(desk, faults):
    desk.route(
        "**/go-to/results**",
        lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>", content_type="text/html"),
    )
    desk.keyboard.press("Control+k")
    expect(desk.locator("#refusal")).to_contain_text("Busy for a moment")
    assert "Bad gateway" not in desk.content()
    faults.clear()


def test_the_loading_bar_comes_after_150_ms_only(desk):
    bar = desk.locator("#loading")
    desk.route("**/theme", lambda route: (desk.wait_for_timeout(500), route.fulfill(status=204)))
    desk.locator("#account-menu").click()
    desk.get_by_role("button", name="Dark").click(no_wait_after=True)
    expect(bar).to_have_class("is-on")
    expect(bar).not_to_have_class("is-on")


def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(desk):
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("link", name="Skip to content")).to_be_focused()
    desk.keyboard.press("Enter")
    assert desk.evaluate("document.activeElement.id") == "main"


def test_the_focus_ring_is_visible(desk):
    desk.keyboard.press("Tab")
    desk.keyboard.press("Tab")
    ring = desk.evaluate("(s => [s.outlineStyle, s.outlineWidth])(getComputedStyle(document.activeElement))")
    assert ring == ["solid", "2px"]


def test_reduced_motion_moves_nothing(page_of):
    page = page_of("ruwan", reduced_motion="reduce")
    page.goto("/")
    assert page.evaluate("getComputedStyle(document.querySelector('.btn')).transitionDuration") in ("0s", "1e-05s")


def test_targets_are_44_px_under_a_thumb(page_of):
    page = page_of("ruwan", "tablet", is_mobile=True)
    page.goto("/")
    page.locator("#account-menu").tap()
    small = page.evaluate(
        """[...document.querySelectorAll('button, a.btn, summary, .bar a, .menu-items a, input:not([type=hidden])')]
        .filter((e) => e.checkVisibility()).map((e) => [e.outerHTML.slice(0, 80), e.offsetHeight])
        .filter(([, height]) => height < 44)"""
    )
    assert small == []


def test_paper_shows_the_content_and_not_the_frame(desk):
    desk.emulate_media(media="print")
    expect(desk.get_by_role("heading", level=1)).to_be_visible()
    expect(desk.locator(".bar")).to_be_hidden()


def test_everything_works_without_javascript(page_of):
    page = page_of("ruwan", java_script_enabled=False)
    page.goto("/")
    page.locator("#account-menu").click()
    expect(page.get_by_role("button", name="Keys")).to_be_hidden()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    expect(page.get_by_role("status")).to_contain_text("Colours: dark")
    page.goto("/go-to?q=pass")
    page.get_by_role("link", name="Password").last.click()
    page.wait_for_url("**/account/password")


def test_u_undoes_the_newest(desk):
    sent = []
    desk.route("**/undo-*", lambda route: (sent.append(route.request.url), route.fulfill(status=204)))
    desk.evaluate(SAY, {"text": "A-001 called", "undo": "/undo-first"})
    desk.evaluate(SAY, {"text": "A-002 called", "undo": "/undo-second"})
    desk.keyboard.press("u")
    expect(desk.get_by_text("A-002 called")).to_have_count(0)
    expect(desk.get_by_text("A-001 called")).to_be_visible()
    assert [url.rpartition("/")[2] for url in sent] == ["undo-second"]


def test_what_is_typed_into_the_bar_is_answered_as_one_types(desk):
    desk.keyboard.press("/")
    expect(desk.get_by_role("searchbox", name="Find a patient")).to_be_focused()
    desk.keyboard.type("fern")
    palette = desk.get_by_role("dialog", name="Go to a page or a patient")
    expect(palette.get_by_role("searchbox")).to_have_value("fern")
    expect(palette.get_by_role("link").first).to_contain_text("Fernando")
    expect(palette.get_by_role("link").first).to_contain_text("P-")


@pytest.mark.parametrize("width", [1181, 1366, 1640, 1920])
@pytest.mark.parametrize("name", ["ruwan", "nimal", "kamal", "silva", "adel"])
def test_nothing_of_the_bar_lies_over_anything_else(page_of, name, width):
    page = page_of(name)
    page.set_viewport_size({"width": width, "height": 768})
    page.goto("/notices")
    boxes = page.eval_on_selector_all(
        ".bar-places > a, .bar-more, .bar-end > *",
        "all => all.filter(e => e.checkVisibility()).map(e => [e.textContent.trim().slice(0, 20), e.getBoundingClientRect().toJSON()])",
    )
    over = [
        (one, other)
        for number, (one, a) in enumerate(boxes)
        for other, b in boxes[number + 1 :]
        if a["left"] < b["right"] - 1
        and b["left"] < a["right"] - 1
        and a["top"] < b["bottom"] - 1
        and b["top"] < a["bottom"] - 1
    ]
    assert boxes
    assert not over


PLACES = """where => [...document.querySelectorAll(where)].filter(e => e.checkVisibility()).map(e => e.getAttribute('href'))"""


@pytest.mark.parametrize(("width", "shown"), [(390, 3), (768, 7), (820, 7), (1180, 10)])
@pytest.mark.parametrize("address", ["/supervision", "/break-glass/review"])
def test_every_place_is_in_the_bar_or_under_more(page_of, width, shown, address):
    page = page_of("silva", "tablet")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.bar-places'))") == 0
    bar = page.evaluate(PLACES, ".bar-places > a")
    assert len(bar) == shown
    assert page.locator(".bar-places > [aria-current=page]").get_attribute("href") in bar
    more = page.locator("#more-places")
    under = []
    if shown < 10:
        more.tap()
        under = page.evaluate(PLACES, ".bar-more .menu-items > a")
    else:
        expect(more).to_be_hidden()
    assert len(bar) + len(under) == 10
    assert len({*bar, *under}) == 10


@pytest.mark.parametrize("name", ["ruwan", "silva"])
def test_the_phone_has_room_to_find_a_patient(page_of, name):
    page = page_of(name, "tablet")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/notices")
    assert page.locator("#bar-search").bounding_box()["width"] >= 140
    expect(page.locator(".bar .brand")).to_be_in_viewport(ratio=1)
    expect(page.locator("#lock-button")).to_be_in_viewport(ratio=1)
    expect(page.locator(".bar kbd:visible")).to_have_count(0)
    if name == "ruwan":
        for address in ("/patients", "/walk-in?q=a", "/schedule"):
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
            assert (
                page.evaluate("(e => e ? e.scrollWidth - e.clientWidth : 0)(document.querySelector('.table-wrap'))")
                == 0
            ), address
