"""Reception's board in a browser: by keyboard, live between two desks, on a tablet, without JavaScript."""

import re

import pytest
from playwright.sync_api import Page, expect

from clinic.extensions import db
from clinic.operations import queue as moves
from clinic.operations.visits import check_in


@pytest.fixture
def desk(live_server):
    return Desk(live_server)


class Desk:
    """What other people do meanwhile, straight through the operations."""

    def __init__(self, live_server) -> None:
        self.server, self.world = live_server, live_server.world
        self.board = f"/queue?department={self.world.departments['restorative']}"

    def arrive(self, patient: str) -> int:
        with self.server.inside():
            entry = check_in(self.world.visit(patient), actor=self.world.user("rita"))
            db.session.commit()
            return entry.id

    def call(self, entry_id: int, chair: str) -> int:
        with self.server.inside():
            chair_id = self.world.chairs[chair]
            called = moves.call_to_chair(entry_id, version=1, chair_id=chair_id, actor=self.world.user("rita"))
            db.session.commit()
            return called.id


def lane(page: Page, key: str):
    return page.locator(f'.q-lane[data-lane="{key}"]')


def test_calling_and_undoing_by_keyboard(page_of, desk):
    desk.arrive("fernando")
    page = page_of("ruwan")
    page.goto(desk.board)
    page.keyboard.press("c")
    sheet = page.locator("#sheet")
    expect(sheet).to_contain_text("Nimali Fernando")
    expect(sheet).to_contain_text("Penicillin")
    expect(lane(page, "called")).not_to_contain_text("A-001")  # shown, not called yet
    expect(page.locator("#queue-call-now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(sheet).to_be_hidden()
    expect(lane(page, "called")).to_contain_text("A-001")
    expect(page.locator(".toast")).to_contain_text("A-001 called to chair A1: Nimali Fernando")
    card = page.locator(".q-card[data-entry]")
    assert card.evaluate("card => card.getAnimations().map((one) => one.id)") == ["moved"]
    page.locator("body").press("u")
    expect(lane(page, "waiting")).to_contain_text("A-001")
    page.wait_for_timeout(2200)
    assert card.evaluate("card => card.getAnimations().length") == 0


def test_cards_are_walked_and_opened_by_keyboard(page_of, desk):
    called = desk.call(desk.arrive("fernando"), "A1")
    desk.arrive("perera")
    page = page_of("ruwan")
    page.goto(desk.board)
    page.keyboard.press("j")
    expect(lane(page, "waiting").locator(".q-card")).to_be_focused()
    page.keyboard.press("j")
    expect(lane(page, "called").locator(".q-card")).to_be_focused()
    page.keyboard.press("Enter")
    seated = lane(page, "in_chair").locator(".q-card")
    expect(seated).to_contain_text("Nimali Fernando")
    expect(page.locator(f"#queue-{called}-seat")).to_have_count(0)
    expect(seated).to_be_focused()  # the work goes on with the same patient


def test_the_chosen_cards_last_move_is_undone_by_one_key(page_of, desk):
    desk.call(desk.arrive("fernando"), "A1")
    desk.call(desk.arrive("perera"), "A2")
    page = page_of("nimal")  # a nurse may undo what others did
    page.goto(desk.board)
    second = lane(page, "called").locator(".q-card").nth(1)
    name = second.locator(".q-name a").inner_text()
    second.focus()
    page.keyboard.press("u")
    expect(page.locator(".toast")).to_contain_text(f"Undone for {name}")
    expect(lane(page, "waiting")).to_contain_text(name)
    expect(lane(page, "called").locator(".q-card")).to_have_count(1)


def test_another_desk_sees_it_at_once_and_keeps_its_open_menu_and_focus(page_of, desk):
    first = desk.arrive("fernando")
    page = page_of("ruwan")
    page.goto(desk.board)
    expect(page.locator("#live")).to_contain_text("live")
    card = lane(page, "waiting").locator(".q-card")
    card.locator("summary").click()
    place = card.get_by_role("link", name="Place in line")
    place.focus()
    desk.arrive("perera")
    expect(lane(page, "waiting").locator(".q-card")).to_have_count(2)
    expect(place).to_be_visible()
    expect(place).to_be_focused()
    desk.call(first, "A2")
    expect(lane(page, "called")).to_contain_text("A2")


def test_a_reason_half_typed_survives_changes_of_others(page_of, desk):
    desk.arrive("fernando")
    page = page_of("ruwan")
    page.goto(desk.board)
    page.locator(".q-card summary").first.click()
    page.get_by_role("link", name="Left without being seen").click()
    reason = page.locator("#sheet input[name=reason]")
    expect(reason).to_be_focused()
    reason.type("Had to catch")
    desk.arrive("perera")
    expect(lane(page, "waiting").locator(".q-card")).to_have_count(2)
    expect(reason).to_have_value("Had to catch")
    reason.type(" the bus")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Nimali Fernando left without being seen")
    expect(page.locator("#sheet")).to_be_hidden()


def test_what_a_rule_refuses_is_said_in_the_sheet_and_nothing_typed_is_lost(page_of, desk):
    desk.arrive("fernando")
    page = page_of("ruwan")
    page.goto(desk.board)
    page.locator(".q-card summary").first.click()
    page.get_by_role("link", name="Priority").click()
    page.locator("#sheet").get_by_label("Urgent").check()
    page.locator("#sheet input[name=reason]").fill("a   ")
    page.locator("#sheet").get_by_role("button", name="Priority").click()
    expect(page.locator("#sheet .message")).to_contain_text("3 to 200 letters")
    expect(page.locator("#sheet").get_by_label("Urgent")).to_be_checked()
    expect(page.locator("#sheet input[name=reason]")).to_have_value("a")


def test_somebody_was_faster(page_of, desk):
    entry = desk.arrive("fernando")
    page = page_of("ruwan")
    page.goto(desk.board)
    page.keyboard.press("c")
    expect(page.locator("#queue-call-now")).to_be_focused()
    desk.call(entry, "A3")
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_contain_text("Nimali Fernando was called to chair A3 by Rita Gomes")
    expect(page.locator("#sheet")).to_be_hidden()
    expect(lane(page, "called")).to_contain_text("A3")


def test_a_sheet_that_closes_is_not_opened_again_by_what_changes_meanwhile(page_of, desk):
    entry = desk.arrive("fernando")
    page = page_of("ruwan")
    page.goto(desk.board)
    page.evaluate(
        "document.addEventListener('htmx:finally:request', () => document.dispatchEvent(new Event('htmx:after:swap')))"
    )
    page.keyboard.press("c")
    expect(page.locator("#queue-call-now")).to_be_focused()
    desk.call(entry, "A3")
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_contain_text("was called to chair A3")
    expect(page.locator("#sheet")).to_be_hidden()
    page.wait_for_timeout(300)
    expect(page.locator("#sheet")).to_be_hidden()


def test_a_double_click_moves_one_patient_once(page_of, desk):
    desk.call(desk.arrive("fernando"), "A1")
    desk.call(desk.arrive("perera"), "A2")
    page = page_of("ruwan")
    page.goto(desk.board)
    lane(page, "called").get_by_role("button", name="In the chair").first.dblclick(delay=30)
    expect(lane(page, "in_chair").locator(".q-card")).to_have_count(1)
    page.wait_for_timeout(400)
    expect(lane(page, "called").locator(".q-card")).to_have_count(1)


def test_on_a_tablet_lanes_are_tabs_with_counts(page_of, desk):
    desk.call(desk.arrive("fernando"), "A1")
    page = page_of("ruwan", "tablet")
    page.goto(desk.board)
    expect(lane(page, "waiting")).to_be_visible()
    expect(lane(page, "called")).to_be_hidden()
    tab = page.locator('.q-tabs label[data-lane="called"]')
    expect(tab).to_contain_text(re.compile(r"Called\s+1"))
    tab.tap()
    expect(lane(page, "called")).to_be_visible()
    desk.arrive("perera")
    expect(page.locator('.q-tabs label[data-lane="waiting"]')).to_contain_text(re.compile(r"Waiting\s+1"))
    expect(lane(page, "called")).to_be_visible()  # the chosen tab stays
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_everything_works_without_javascript(page_of, desk):
    page = page_of("ruwan", java_script_enabled=False)
    page.goto(desk.board)
    page.locator(".q-expected", has_text="Nimali Fernando").get_by_role("button", name="Check in").click()
    expect(page.locator(".toast")).to_contain_text("Nimali Fernando is in line as A-001")
    page.goto(desk.board)
    page.get_by_role("link", name="Call next").click()
    page.get_by_label("A2").check()
    page.get_by_role("button", name="Call A-001").click()
    expect(page.locator(".toast")).to_contain_text("called to chair A2")
    for step, key in (("In the chair", "in_chair"), ("Start treatment", "in_chair")):
        page.get_by_role("button", name=step).click()
        expect(lane(page, key)).to_contain_text("Nimali Fernando")
    page.locator(".q-card[data-entry] summary").click()
    page.get_by_role("link", name="Change chair").click()
    page.get_by_label("Chair", exact=True).select_option(label="A3")
    page.get_by_role("button", name="Change chair").click()
    expect(lane(page, "in_chair")).to_contain_text("A3")
    page.get_by_role("link", name="Walk-in").click()
    page.get_by_label("Name, code, phone or birth date").fill("nadia")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("h1")).to_have_text("Walk-in: who is it?")
    page.get_by_label("Name, code, phone or birth date").fill("075 987 6543")
    page.get_by_role("button", name="Find").click()
    page.locator("#visits-found a").first.click()
    page.get_by_label("Reason").fill("Pain on the left")
    page.get_by_role("button", name="Put in line").click()
    expect(page.locator(".toast")).to_contain_text("A-002")


def test_the_focus_stays_with_the_patient_after_an_act_of_the_menu(page_of, desk):
    desk.call(desk.arrive("fernando"), "A1")
    page = page_of("ruwan")
    page.goto(desk.board)
    more = lane(page, "called").locator(".q-card summary")
    more.click()
    page.get_by_role("button", name="Call again").click()
    expect(page.locator(".toast")).to_contain_text("called again")
    expect(more).to_be_focused()


def test_a_sheet_begins_with_its_first_question(page_of, desk):
    desk.arrive("fernando")
    page = page_of("ruwan")
    page.goto(desk.board)
    page.locator(".q-card summary").first.click()
    page.get_by_role("link", name="Set priority").click()
    expect(page.locator("#sheet").get_by_label("Normal")).to_be_focused()


@pytest.mark.parametrize("width", [1366, 1280, 1120])
def test_the_longest_words_stay_within_their_card(page_of, desk, width):
    desk.arrive("fernando")
    page = page_of("ruwan")
    page.set_viewport_size({"width": width, "height": 768})
    page.goto(desk.board)
    card = lane(page, "waiting").locator(".q-card")
    beyond = card.evaluate("""card => {
      card.dataset.level = "very_long";
      card.querySelector(".q-level").textContent = "very long";
      card.querySelector(".q-wait time").textContent = "13 h 48 min";
      card.querySelector(".q-primary").lastChild.textContent = "Go on with treatment";
      const edge = card.getBoundingClientRect().right;
      const wide = (part) => part.getBoundingClientRect().right > edge || part.scrollWidth > part.clientWidth + 1;
      return [...card.querySelectorAll(".q-top, .q-wait, .q-name, .q-facts, .q-primary")].filter(wide).map((part) => part.className);
    }""")
    assert beyond == []
