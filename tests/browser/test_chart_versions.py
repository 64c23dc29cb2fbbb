"""Versions of a chart: sent by the student, approved on the tablet, compared, looked at as of a day by keys alone, printed."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from clinic.extensions import db
from tests.browser import axe
from tests.charted import charted, version_of
from tests.printers import printer, words_of

SMALL = (
    "all => all.filter(e => e.checkVisibility()).map(e => [e.textContent.trim(), e.getBoundingClientRect()])"
    ".filter(([id, box]) => box.height < 44).map(([id, box]) => `${id} ${box.height}`)"
)


@pytest.fixture
def chart(live_server):
    """Fernando's chart: version 1 approved, two more entries, version 2 named."""
    with live_server.inside():
        charted(live_server.world)
        db.session.remove()
    return f"/patients/{live_server.world.patients['fernando']}/chart"


def test_a_chart_is_sent_and_approved_on_the_tablet(page_of, live_server, chart):
    student, supervisor = page_of("kamal"), page_of("silva", "tablet")
    student.goto(f"{chart}/versions")
    expect(student.get_by_text("Changed after approval", exact=True)).to_be_visible()
    student.keyboard.press("a")
    student.wait_for_url("**/send")
    expect(student.locator(".chart-changes")).to_contain_text("Added: 36, mesial-occlusal: composite filling, planned")
    expect(student.locator(".chart-changes")).not_to_contain_text("impacted")
    student.get_by_label("What you say to it").fill("Please look at 21")
    student.get_by_role("button", name="Send for approval").click()
    expect(student.locator("#toasts")).to_contain_text("was sent for approval")
    expect(student.get_by_text("Version 2 waits for approval")).to_be_visible()

    supervisor.goto("/approvals")
    supervisor.locator("#approvals-list .inbox-row").get_by_role("link", name="Open").tap()
    expect(supervisor.locator("#approvals-shown")).to_contain_text("composite filling, planned")
    supervisor.get_by_role("button", name="Approve").tap()
    expect(supervisor.locator("#toasts")).to_contain_text("Approved")

    student.reload()
    expect(student.locator("#version-2")).to_contain_text("approved")
    expect(student.locator("#version-2")).to_contain_text("Dr Sunil Silva")
    expect(student.get_by_text("Changed after approval", exact=True)).to_have_count(0)


def test_what_was_sent_is_withdrawn(page_of, chart):
    student = page_of("kamal")
    student.goto(f"{chart}/send")
    student.get_by_role("button", name="Send for approval").click()
    student.get_by_role("button", name="Withdraw").click()
    expect(student.locator("#toasts")).to_contain_text("no longer waits")
    expect(student.locator("#version-2")).to_contain_text("withdrawn")


def test_the_past_is_walked_by_the_keyboard(page_of, chart, live_server):
    page = page_of("kamal")
    page.goto(f"{chart}/as-of")
    shown, slider = page.locator("#chart-as-of"), page.get_by_label("Day", exact=True)
    expect(shown).to_contain_text("Chart as at today")
    expect(shown.locator("table")).to_contain_text("composite filling")
    slider.focus()
    page.keyboard.press("ArrowLeft")  # version 2
    expect(page.locator(".as-of-mark[aria-current]")).to_contain_text("Version 2: Before the fillings")
    page.keyboard.press("ArrowLeft")  # the approval of version 1
    expect(page.locator(".as-of-mark[aria-current]")).to_contain_text("Approval: Dr Sunil Silva")
    expect(shown.locator("table")).not_to_contain_text("composite filling")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".as-of-mark[aria-current]")).to_contain_text("Version 1")
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".as-of-mark[aria-current]")).to_contain_text("Version 2")
    expect(shown.locator("table")).to_contain_text("composite filling")
    expect(shown.get_by_role("button")).to_have_count(0)  # read only


def test_two_versions_are_compared_by_touch(page_of, chart):
    page = page_of("silva", "tablet")
    page.goto(f"{chart}/versions")
    page.get_by_role("link", name="Compare", exact=True).tap()
    expect(page.locator("#compare-result")).to_contain_text("Version 1")
    page.get_by_label("Shown").select_option("side")
    page.get_by_role("button", name="Compare").tap()
    expect(page.locator(".chart-sides svg.chart-svg")).to_have_count(2)
    page.get_by_label("Only").select_option("findings")
    page.get_by_role("button", name="Compare").tap()
    expect(page.locator(".chart-changes")).to_contain_text("Added: 21: fracture")
    expect(page.locator(".chart-changes")).not_to_contain_text("composite")


def test_a_chart_goes_back_to_a_version_after_saying_what_will_change(page_of, chart):
    page = page_of("kamal")
    page.goto(f"{chart}/versions/1")
    page.get_by_role("link", name="Go back to it").click()
    expect(page.get_by_text("This will change")).to_be_visible()
    expect(page.locator(".chart-changes")).to_contain_text("Removed: 21: fracture")
    page.get_by_label("Why you go back").fill("Charted on the wrong patient")
    page.get_by_role("button", name="Go back to version 1").click()
    expect(page.locator("#toasts")).to_contain_text("stands as in version 1 again")


def test_a_version_is_printed_and_its_paper_checked(page_of, chart, live_server, monkeypatch):
    page = page_of("silva", "tablet")
    with printer() as press, live_server.inside():
        config = live_server.app.config
        monkeypatch.setitem(config, "CHAIRSIDE", replace(config["CHAIRSIDE"], printer_socket=str(press.path)))
        page.goto(f"{chart}/versions/1")
        answer = page.context.request.get(page.url.rsplit("?")[0] + ".pdf", timeout=60_000)
        assert answer.ok, answer.text()
        words, code = words_of(answer.body()), version_of(live_server.world, 1).check_code
    pages = words.split("\f")[:-1]
    for number, each in enumerate(pages, 1):
        for said in (
            "Nimali Fernando",
            "P-2026-00001",
            "born 3 Sep 1991",
            "APPROVED",
            code,
            f"Page {number} of {len(pages)}",
        ):
            assert said in each
    page.goto("/chart/prints/verify")
    page.get_by_label("Check code").fill(code.lower())
    page.get_by_role("button", name="Check").tap()
    expect(page.locator("#verify-found")).to_contain_text("Version 1 of this patient’s chart carries this code")
    page.get_by_role("link", name="Open version 1").tap()
    expect(page.get_by_text("read only")).to_be_visible()


PAGES = ["versions", "versions/1", "as-of", "compare", "compare?way=side", "send", "versions/1/restore"]


@pytest.mark.parametrize("size", ["desktop", "tablet"])
def test_the_pages_are_accessible_and_large_enough(page_of, chart, size):
    page = page_of("kamal", size)
    for path in [*(f"{chart}/{each}" for each in PAGES), "/chart/prints/verify"]:
        page.goto(path)
        assert axe.faults(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        if size == "tablet":
            assert page.locator("main").locator("a.btn, button, .as-of-mark, select").evaluate_all(SMALL) == [], path


def test_versions_are_read_and_sent_without_scripts(page_of, chart):
    page = page_of("kamal", java_script_enabled=False)
    page.goto(f"{chart}/as-of")
    page.locator(".as-of-mark").first.click()
    expect(page.locator("#chart-as-of")).not_to_contain_text("composite filling")
    page.goto(f"{chart}/send")
    page.get_by_role("button", name="Send for approval").click()
    expect(page.get_by_text("Version 2 waits for approval")).to_be_visible()
