"""Reception asks at the desk, a supervisor approves on the tablet, whoever asked is told: all without reload, and without JavaScript."""

import pytest
from playwright.sync_api import expect

from clinic.extensions import db
from clinic.operations.notices import tell
from tests.asked import reception_asks, student_asks
from tests.browser import axe
from tests.scene import second_supervisor

SMALL = (
    "all => all.filter(e => e.checkVisibility()).map(e => [e.id, e.getBoundingClientRect()])"
    ".filter(([id, box]) => box.height < 44 || box.width < 44).map(([id, box]) => `${id} ${box.width} x ${box.height}`)"
)


@pytest.fixture
def two_asked(live_server):
    """Reception asks that Leela gets Fernando, and Leela asks for Fernando too."""
    with live_server.inside():
        reception_asks(live_server.world)
        student_asks(live_server.world)
        db.session.commit()


def ask_at_the_desk(page, live_server):
    """Reception asks on the patient's page that Leela gets Fernando."""
    page.goto(f"/patients/{live_server.world.patients['fernando']}/team/ask")
    page.get_by_label("Assign somebody").check()
    page.get_by_label("Who").select_option(str(live_server.world.people["leela"]))
    page.get_by_label("Reason").fill("Lives nearby")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_url(lambda url: "/ask" not in url)


def test_a_request_travels_from_the_desk_to_the_tablet_and_back(page_of, live_server):
    reception, supervisor = page_of("ruwan"), page_of("silva", "tablet")
    supervisor.goto("/supervision")
    supervisor.locator("#live[data-live=live]").wait_for()
    number = supervisor.locator("#approvals-waiting")
    expect(number).to_have_text("")
    ask_at_the_desk(reception, live_server)
    reception.locator("#live[data-live=live]").wait_for()
    expect(number).to_contain_text("1 waiting for you")

    supervisor.get_by_role("link", name="Approvals").tap()
    row = supervisor.locator("#approvals-list .inbox-row")
    expect(row).to_contain_text("Leela Nair gets Nimali Fernando")
    expect(row).to_contain_text("not opened")
    row.get_by_role("link", name="Open").tap()
    expect(supervisor.locator("#approvals-shown")).to_contain_text("Lives nearby")
    supervisor.get_by_role("button", name="Approve").tap()
    expect(supervisor.get_by_text("Nothing waits for you")).to_be_visible()
    expect(supervisor.locator("#toasts")).to_contain_text("Approved: Leela Nair gets Nimali Fernando")
    expect(supervisor.locator("#approvals-waiting")).to_have_text("")

    expect(reception.locator("#notices-bell")).to_contain_text("1 unread")
    expect(reception.locator("#toasts")).to_contain_text("Dr Sunil Silva approved your request")
    reception.locator("#notices-bell-link").click()
    reception.get_by_role("button", name="Open").click()
    expect(reception.get_by_role("heading", level=1)).to_be_visible()
    expect(reception.locator("#notices-bell")).to_contain_text("none unread")


def test_it_is_returned_with_a_reason_and_two_tablets_agree(page_of, live_server):
    with live_server.inside():
        second_supervisor(live_server.world)
        db.session.commit()
    reception, one, other = page_of("ruwan"), page_of("silva", "tablet"), page_of("prado", "tablet")
    ask_at_the_desk(reception, live_server)
    for page in (one, other):
        page.goto("/approvals")
        page.locator("#live[data-live=live]").wait_for()
        expect(page.locator(".inbox-row")).to_have_count(1)
    one.get_by_role("link", name="Open").tap()
    one.get_by_text("Return with a reason").tap()
    one.get_by_label("Why you return it").fill("She has enough patients")
    one.get_by_role("button", name="Return to Ruwan Senanayake").tap()
    expect(one.get_by_text("Nothing waits for you")).to_be_visible()
    expect(other.get_by_text("Nothing waits for you")).to_be_visible(timeout=5000)
    expect(reception.locator("#toasts")).to_contain_text("She has enough patients")


def test_who_is_too_late_reads_what_happened(page_of, live_server, two_asked):
    with live_server.inside():
        second_supervisor(live_server.world)
        db.session.commit()
    slow, fast = page_of("prado", "tablet"), page_of("silva", "tablet")
    for page in (slow, fast):
        page.goto("/approvals")
        page.get_by_role("link", name="Open").first.tap()
        expect(page.get_by_role("button", name="Approve")).to_be_visible()
    fast.get_by_role("button", name="Approve").tap()
    expect(fast.locator("#approvals-list .inbox-row")).to_have_count(1)
    slow.get_by_role("button", name="Approve").tap()
    expect(slow.get_by_role("alert")).to_contain_text("Dr Sunil Silva approved this request")


def test_two_of_one_student_and_patient_at_once(page_of, live_server, two_asked):
    supervisor = page_of("silva", "tablet")
    supervisor.goto("/approvals")
    supervisor.get_by_role("link", name="Open").first.tap()
    supervisor.get_by_role("link", name="Approvals", exact=True).first.tap()
    supervisor.get_by_role("button", name="Approve 2, 1 not opened").tap()
    expect(supervisor.get_by_text("Nothing waits for you")).to_be_visible()
    expect(supervisor.locator("#toasts")).to_contain_text("Approved 2 for Leela Nair")


def test_by_keyboard_alone(page_of, live_server, two_asked):
    page = page_of("silva")
    page.goto("/approvals")
    page.keyboard.press("j")
    page.keyboard.press("j")
    held = page.evaluate("document.activeElement.id")
    assert held.startswith("approval-request-")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") != held
    page.keyboard.press("Enter")
    expect(page.locator("#approvals-shown")).to_be_visible()
    page.locator("#approval-approve").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Approved:")


def test_the_focus_stays_when_the_list_changes(page_of, live_server, two_asked):
    page = page_of("silva")
    page.goto("/approvals")
    page.locator("#live[data-live=live]").wait_for()
    page.keyboard.press("j")
    held = page.evaluate("document.activeElement.id")
    with live_server.inside():
        reception_asks(live_server.world, "kamal", "perera")
        db.session.commit()
    expect(page.locator(".inbox-row")).to_have_count(3)
    assert held
    assert page.evaluate("document.activeElement.id") == held


def test_it_works_without_javascript(page_of, live_server):
    reception, supervisor = page_of("ruwan", java_script_enabled=False), page_of("silva", java_script_enabled=False)
    ask_at_the_desk(reception, live_server)
    supervisor.goto("/approvals")
    supervisor.get_by_role("link", name="Open", exact=True).click()
    supervisor.get_by_role("button", name="Approve").click()
    expect(supervisor.get_by_text("Nothing waits for you")).to_be_visible()
    reception.goto("/notices")
    reception.get_by_role("button", name="Mark as read").click()
    expect(reception.locator("#notices-bell")).to_contain_text("none unread")


def test_a_question_is_answered_where_one_types(page_of, live_server):
    with live_server.inside():
        world = live_server.world
        told = "You opened the record of P-2026-00002, and nothing shows why"
        tell(world.people["kamal"], told, kind="record.unexplained", patient_id=world.patients["perera"])
        db.session.commit()
    page = page_of("kamal", "tablet")
    page.goto("/my-queue")
    page.locator("#notices-bell-link").tap()
    page.get_by_role("link", name="Answer").tap()
    page.get_by_label("Your answer").fill("Dr Silva asked me to compare her X-ray")
    page.get_by_role("button", name="Answer").tap()
    expect(page.locator("#notices-list")).to_contain_text("you answered: “Dr Silva asked me to compare her X-ray”")


def test_thumbs_find_everything_and_nothing_keeps_a_person_out(page_of, live_server, two_asked):
    with live_server.inside():
        world = live_server.world
        tell(world.people["silva"], "Somebody broke the glass", kind="glass.broken", url="/break-glass/review")
        tell(world.people["silva"], "You opened a record", kind="record.unexplained", patient_id=world.patients["wu"])
        db.session.commit()
    page = page_of("silva", "tablet")
    page.goto("/approvals")
    item = page.get_by_role("link", name="Open").first.get_attribute("href")
    for url in ("/approvals", item, "/notices"):
        page.goto(url)
        page.eval_on_selector_all("details.inbox-return", "all => all.forEach(e => { e.open = true; })")
        assert not page.eval_on_selector_all("main a:not(.patient-name), main button, main summary", SMALL), url
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            assert not axe.faults(page), (url, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), url
