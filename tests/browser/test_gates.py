"""The two gates on real screens: a student prepares at the desk, a supervisor decides on the tablet by thumb, both without reload; the
supervisor's PIN at the student's desk; without JavaScript; and how many taps a visit costs."""

import time

import pytest
from playwright.sync_api import expect

from clinic.chart.kinds import Status
from clinic.extensions import db
from clinic.models import Gate, GateItem, Stage
from tests.browser import axe
from tests.browser.test_approvals import SMALL
from tests.charting import chart_line
from tests.gated import dismissal_asked, gates_on, papers, seated, start_asked, started
from tests.operations.test_gates import do
from tests.scene import entry_of
from tests.world import PIN

MOST_TAPS, MOST_SECONDS = 15, 60


@pytest.fixture
def visit(live_server):
    """`visit(step, plan)`: Fernando `seated`, with a start `asked`, or a dismissal of twelve changes `sent`; answers its address."""

    def made(step="seated", plan="36 o am plan"):
        world = live_server.world
        with live_server.inside():
            gates_on()
            seated(world, plan=plan)
            papers(world, "36")
            if step == "asked":
                start_asked(world)
            if step == "sent":
                started(world)
                do(world, Status.COMPLETED)
                for tooth in (11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25):
                    chart_line(world.patient("fernando"), f"{tooth} m car", actor=world.user("kamal"), reason="x")
                dismissal_asked(world)
            db.session.commit()
            return f"/visits/{world.visits['fernando']}"

    return made


def stage(live_server):
    with live_server.inside():
        return entry_of(live_server.world, "fernando").stage


class Thumb:
    """Counts every tap."""

    def __init__(self, page):
        self.page, self.taps = page, 0

    def tap(self, what):
        self.taps += 1
        what.tap()


def test_a_start_travels_from_the_desk_to_the_tablet_and_back(page_of, live_server, visit):
    at = visit(plan="36 x plan")
    student, supervisor = page_of("kamal"), page_of("silva", "tablet")
    supervisor.goto("/approvals")
    supervisor.locator("#live[data-live=live]").wait_for()
    student.goto("/my-queue")
    student.get_by_role("link", name="Start: prepare").click()
    for label in ("Full name", "Date of birth", "Penicillin, allergy", "I have looked at the tooth or site"):
        student.get_by_label(label).check()
    student.get_by_role("group", name="To do today, from the plan").get_by_role("checkbox").check()
    student.get_by_role("group", name="Radiograph looked at").get_by_role("checkbox").check()
    student.get_by_role("button", name="Send to the supervisors").click()
    student.wait_for_url(f"**{at}*")
    student.locator("#live[data-live=live]").wait_for()

    row = supervisor.locator("#approvals-list .inbox-row")
    expect(row).to_contain_text("Treatment of Nimali Fernando")
    row.get_by_role("link", name="Open").tap()
    shown = supervisor.locator("#approvals-shown")
    expect(shown).to_contain_text("matched by full name, date of birth")
    expect(shown).to_contain_text("radiograph-36.png")
    expect(supervisor.get_by_text("The sources do not agree")).to_have_count(0)
    tooth = supervisor.get_by_label("Tooth of the extraction")
    expect(tooth).to_have_value("")
    tooth.fill("37")
    supervisor.get_by_role("button", name="Approve start").tap()
    expect(supervisor.locator("#refusal")).to_contain_text("not the tooth of the plan")
    tooth.fill("36")
    supervisor.get_by_role("button", name="Approve start").tap()
    expect(supervisor.get_by_text("Nothing waits for you")).to_be_visible()
    expect(student.locator("#gates-standing")).to_contain_text("approved", timeout=5000)  # without a reload
    expect(student.locator("#gates-standing")).to_contain_text("in treatment")
    assert stage(live_server) is Stage.IN_TREATMENT


def test_twelve_changes_are_signed_in_fifteen_taps_one_by_one(page_of, live_server, visit):
    visit("sent")
    page = page_of("silva", "tablet")
    page.goto("/approvals")
    thumb, began = Thumb(page), time.monotonic()
    thumb.tap(page.get_by_role("link", name="Open"))
    expect(page.locator("#approvals-shown h2").first).to_have_text("What this visit changed: 12")
    for left in range(12, 0, -1):
        expect(page.get_by_role("button", name=f"Approve {left}, {left} not opened")).to_be_visible()
        thumb.tap(page.locator("#gate-items .inbox-acts button[id^=gate-approve-]").first)
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    seconds = time.monotonic() - began
    print(f"12 changes, one by one: {thumb.taps} taps, {seconds:.1f} s")
    assert thumb.taps <= MOST_TAPS
    assert seconds <= MOST_SECONDS
    assert stage(live_server) is Stage.CHECKOUT


def test_two_are_returned_and_the_rest_is_approved_at_once(page_of, live_server, visit):
    at = visit("sent")
    page = page_of("silva", "tablet")
    page.goto("/approvals")
    thumb = Thumb(page)
    thumb.tap(page.get_by_role("link", name="Open"))
    for number in (3, 7):
        row = page.locator("#gate-items .inbox-row").nth(number)
        thumb.tap(row.get_by_text("Return", exact=True).first)
        thumb.tap(row.get_by_label("Why"))
        row.get_by_label("Why").fill("Not on the picture")
        thumb.tap(row.get_by_role("button", name="Return", exact=True))
        expect(row).to_contain_text("returned")
    thumb.tap(page.get_by_role("button", name="Approve 10, 10 not opened, return 2"))
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    assert thumb.taps <= MOST_TAPS
    print(f"12 changes, 2 returned: {thumb.taps} taps")
    student = page_of("kamal")
    student.goto(at)
    expect(student.locator("#gates-standing")).to_contain_text("Not on the picture")
    student.get_by_role("link", name="Prepare the dismissal").click()
    expect(student.locator("form .badge")).to_have_count(10)


def test_what_is_opened_by_thumb_is_counted(page_of, live_server, visit):
    at = visit("sent")
    page = page_of("silva", "tablet")
    page.goto("/approvals")
    page.get_by_role("link", name="Open").tap()
    things = page.locator("#gate-items details.gate-thing")
    expect(things).to_have_count(12)
    expect(page.locator("#gate-items details[open]")).to_have_count(0)
    expect(page.get_by_text("Without JavaScript")).to_have_count(0)
    for number in (0, 5):
        things.nth(number).locator("summary").tap()
        expect(things.nth(number).get_by_role("link", name="In the record")).to_be_visible()
        expect(things.nth(number)).to_have_attribute("data-is-opened", "")
    things.nth(5).locator("summary").tap()
    things.nth(5).locator("summary").tap()
    expect(page.get_by_role("button", name="Approve 12, 10 not opened")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Approve 12, 10 not opened").tap()
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    student = page_of("kamal")
    student.goto(at)
    expect(student.locator("#gates-standing")).to_contain_text("(10 of 12 not opened)")


def test_without_javascript_all_is_open(page_of, live_server, visit):
    visit("sent")
    page = page_of("silva", java_script_enabled=False)
    page.goto("/approvals")
    page.get_by_role("link", name="Open").click()
    expect(page.locator("#gate-items details[open]")).to_have_count(12)
    expect(page.get_by_text("Without JavaScript each is open on this page")).to_be_visible()


def test_the_supervisors_pin_at_the_students_desk(page_of, live_server, visit):
    visit("asked")
    page = page_of("kamal", java_script_enabled=False)
    page.goto("/my-queue")
    page.get_by_role("link", name="Start: pending").click()
    page.get_by_role("link", name="Approve here").click()
    for pin, said in (("111111", "This PIN is not right"), (PIN, "")):
        page.get_by_label("Supervisor", exact=True).select_option(label="Dr Sunil Silva")
        page.get_by_label("PIN of the supervisor").fill(pin)
        page.get_by_role("button", name="Approve", exact=True).click()
        if said:
            expect(page.locator("#gate-refusal")).to_contain_text(said)
    expect(page.locator("#gates-standing")).to_contain_text("by PIN, at another's terminal")
    expect(page.locator("#account-menu, .bar-end").first).to_contain_text("Kamal Dias")
    assert stage(live_server) is Stage.IN_TREATMENT


def test_nothing_keeps_a_person_out(page_of, live_server, visit):
    at = visit("sent", plan="36 o am plan")
    with live_server.inside():
        number = db.session.query(Gate).order_by(Gate.id.desc()).first().id
        first = db.session.query(Gate).order_by(Gate.id).first().id
        assert db.session.query(GateItem).count() == 13
    pages = {
        "silva": (at, f"/approvals/gate-dismiss/{number}", f"/approvals/gate-start/{first}", "/unapproved",
                  f"/unapproved/{live_server.world.people['kamal']}"),
        "kamal": (at, f"{at}/start", f"{at}/dismissal", f"{at}/gates/{number}", "/unapproved", "/my-queue"),
    }  # fmt: skip
    for who, size in (("silva", "tablet"), ("kamal", "desktop")):
        page = page_of(who, size)
        for url in pages[who]:
            page.goto(url)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                assert not axe.faults(page), (url, scheme)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), url
        if who == "silva":
            page.goto(f"/approvals/gate-dismiss/{number}")
            targets = ".inbox-decide button, .inbox-decide summary, .inbox-acts button, .inbox-acts summary"
            assert not page.eval_on_selector_all(targets, SMALL)
