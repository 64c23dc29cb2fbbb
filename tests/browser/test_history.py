"""Histories in a real browser: filled at the desk, looked through with one tap, handed to the patient on a tablet, and changed."""

import json
import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.history.form import shipped
from clinic.models import Filling, HistoryReview, Kiosk
from clinic.operations.history import fill_history, hand_over
from tests.browser import axe
from tests.histories import answered, said_in

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
SMALL = (
    "all => all.filter(e => e.checkVisibility() && e.offsetHeight < 44)"
    ".map(e => `${e.textContent.trim() || e.id} ${e.offsetHeight}`)"
)

SAVE = """async () => {
    const saving = [];
    document.dispatchEvent(new CustomEvent('drafts:save', {detail: saving}));
    await Promise.all(saving);
}"""


@pytest.fixture
def history(live_server):
    return f"/patients/{live_server.world.patients['fernando']}/history"


def take(live_server, *, by="kamal", seen=0, **changes):
    with live_server.inside():
        world = live_server.world
        raw = answered(**changes)
        fill_history(world.patient("fernando"), code="medical", number=1, raw=raw, seen=seen, actor=world.user(by))
        db.session.commit()


def newest(live_server):
    with live_server.inside():
        return db.session.scalars(select(Filling).order_by(Filling.id.desc()).limit(1)).one()


def choose(page, question, answer):
    page.locator(f"#q-{question}-question").get_by_label(answer, exact=True).check()


def fill_in(page, complaint="A tooth hurts"):
    """What is needed of the medical history."""
    page.locator("#q-complaint").fill(complaint)
    for question, answer in {
        "doctor": "no",
        "conditions": "none of these",
        "allergic": "no",
        "blood_thinners": "no",
        "bone_medicines": "no",
        "consent_students": "yes",
        "consent_record": "yes",
    }.items():
        choose(page, question, answer)
    page.locator("#q-emergency_name").fill("Sunil Perera")
    page.locator("#q-emergency_phone").fill("071 555 0100")


def test_a_student_takes_it_at_the_desk(page_of, live_server, history):
    page = page_of("kamal")
    page.goto(history)
    page.get_by_role("link", name="Fill: Medical and dental history").click()
    expect(page.locator("#q-allergies-question")).to_be_hidden()
    choose(page, "allergic", "yes")
    expect(page.locator("#q-allergies-question")).to_be_visible()
    choose(page, "allergies", "latex")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("alert").filter(has_text="marked below")).to_be_visible()
    expect(page.locator("#q-complaint")).to_be_focused()
    expect(page.locator("#q-allergies-question").get_by_label("latex")).to_be_checked()
    fill_in(page)  # answers "no" again: what hung on it is not sent
    expect(page.locator("#q-allergies-question")).to_be_hidden()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("heading", name="Medical and dental history")).to_be_visible()
    expect(page.get_by_text("looked through today")).to_be_visible()
    assert "allergies" not in said_in(newest(live_server))


def test_what_was_typed_comes_back_after_the_page_was_lost(page_of, live_server, history):
    page = page_of("kamal")
    page.goto(f"{history}/medical/fill")
    page.locator("#q-complaint").press_sequentially("Typed and not sent")
    choose(page, "allergic", "yes")
    choose(page, "allergies", "penicillin")
    page.evaluate(SAVE)
    page.goto("/account/sessions")
    page.goto(f"{history}/medical/fill")
    expect(page.locator("#q-complaint")).to_have_value("Typed and not sent")
    expect(page.locator("#q-allergies-question").get_by_label("penicillin")).to_be_checked()


def test_one_tap_says_that_nothing_has_changed(page_of, live_server, history):
    take(live_server)
    with live_server.inside():
        db.session.query(HistoryReview).delete()
        db.session.commit()
    page = page_of("silva", "tablet")
    page.goto(f"{history}/medical")
    page.get_by_role("button", name="Looked through today, no change").click()
    expect(page.get_by_text("by Dr Sunil Silva").first).to_be_visible()
    expect(page.get_by_role("button", name="Looked through today, no change")).to_have_count(0)


def test_somebody_was_faster_and_nothing_typed_is_lost(page_of, live_server, history):
    page = page_of("kamal")
    page.goto(f"{history}/medical/fill")
    fill_in(page, "Mine")
    take(live_server, by="silva", complaint="Theirs")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("alert").filter(has_text="Dr Sunil Silva filled this form")).to_be_focused()
    expect(page.locator("#q-complaint")).to_have_value("Mine")
    expect(page.locator("#q-complaint-theirs")).to_contain_text("Theirs")
    page.get_by_role("button", name="Keep mine").click()
    expect(page.get_by_text("Number 2", exact=True)).to_be_visible()
    assert said_in(newest(live_server))["complaint"] == "Mine"


def test_the_tablet_in_the_patients_hands_opens_nothing_of_the_clinic(
    context_of, page_of, live_server, history, faults
):
    take(live_server, complaint="A secret of last year")
    context = context_of("kamal", "tablet")
    other_tab, page = context.new_page(), context.new_page()
    other_tab.goto(f"/patients/{live_server.world.patients['fernando']}")
    expect(other_tab.get_by_text("Nimali Fernando").first).to_be_visible()
    page.goto(history)
    page.get_by_role("link", name="Hand a tablet over: Medical and dental history").click()
    page.get_by_role("button", name="Sign me out and show the form").click()
    expect(page.get_by_role("heading", name="Medical and dental history")).to_be_visible()
    expect(page.get_by_text("Hello Nimali")).to_be_visible()
    form = page.url
    expect(page.get_by_text("A secret of last year")).to_have_count(0)
    expect(other_tab).to_have_url(re.compile("/sign-in"))  # the other tab emptied itself
    desk = page_of("silva")
    desk.goto(history)
    expect(desk.get_by_text("is on a tablet in the patient")).to_be_visible()

    page.go_back()
    expect(page).to_have_url(re.compile("/sign-in"))
    expect(page.get_by_text("Fernando")).to_have_count(0)
    for address in ("/", history, f"{history}/medical", "/patients", "/locked"):
        page.goto(address)
        expect(page).to_have_url(re.compile("/sign-in"))
    expect(page.get_by_role("button", name=re.compile("Kamal"))).to_have_count(0)

    page.goto(form)
    page.get_by_role("button", name="Send to the clinic").click()
    expect(page.get_by_role("alert")).to_contain_text("need another look")
    expect(page.locator("#q-complaint")).to_be_focused()
    fill_in(page, "From the tablet")
    page.get_by_role("button", name="Send to the clinic").click()
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    page.goto(form)
    expect(page.get_by_role("heading", name="This form is closed")).to_be_visible()
    filling = newest(live_server)
    assert (filling.number, filling.filled_by_id) == (2, None)
    desk.goto(history)
    expect(desk.get_by_text("the patient, on a tablet")).to_be_visible()
    expect(desk.get_by_text("is on a tablet in the patient")).to_have_count(0)
    faults[:] = [fault for fault in faults if "410" not in fault]


def test_whoever_handed_it_over_sees_it_arrive(context_of, page_of, live_server, history):
    desk = page_of("kamal")
    desk.goto(f"{history}/medical/hand-over")
    desk.get_by_role("button", name="Show the code").click()
    address = desk.locator(".history-address").inner_text()
    desk.get_by_role("link", name="Done: back to the history").click()
    expect(desk.locator("#history-tablets")).to_contain_text("is on a tablet")
    tablet = page_of(None, "tablet")
    tablet.goto(address)
    fill_in(tablet)
    tablet.get_by_role("button", name="Send to the clinic").click()
    expect(tablet.get_by_role("heading", name="Thank you")).to_be_visible()
    expect(desk.locator("#history-tablets")).not_to_contain_text("is on a tablet")


def test_a_form_whose_time_is_over_goes_from_the_tablet(page_of, live_server, history, faults):
    with live_server.inside():
        world = live_server.world
        kiosk, token = hand_over(world.patient("fernando"), code="medical", actor=world.user("kamal"))
        db.session.commit()
        number = kiosk.id
    tablet = page_of(None, "tablet")
    tablet.clock.install()
    tablet.goto(f"/tablet/{token}")
    tablet.locator("#q-complaint").fill("Left lying about")
    with live_server.inside():
        db.session.get_one(Kiosk, number).expires_at = clock.now()
        db.session.commit()
    tablet.clock.fast_forward("16:00")
    expect(tablet.get_by_role("heading", name="This form is closed")).to_be_visible()
    faults[:] = [fault for fault in faults if "410" not in fault]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "tablet"])
def test_nobody_is_kept_out(page_of, live_server, history, size, theme):
    take(live_server, allergic="yes", allergies=["latex"])
    take(live_server, seen=1)
    with live_server.inside():
        _kiosk, token = hand_over(
            live_server.world.patient("fernando"), code="medical", actor=live_server.world.user("kamal")
        )
        db.session.commit()
    page = page_of("silva", size, color_scheme=theme)
    for address in (
        "",
        "/medical",
        "/medical/1",
        "/medical/compare?before=1&after=2",
        "/medical/fill",
        "/medical/hand-over",
    ):
        page.goto(history + address)
        assert axe.faults(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    admin = page_of("adel", size, color_scheme=theme)
    for address in ("/history-forms", "/history-forms/medical", "/history-forms/new"):
        admin.goto(address)
        assert axe.faults(admin) == [], address
    tablet = page_of(None, size, color_scheme=theme)
    for address in (f"/tablet/{token}", "/tablet/thanks"):
        tablet.goto(address)
        assert axe.faults(tablet) == [], address
        assert tablet.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        if size == "tablet":
            targets = tablet.locator("main :is(button, .answer, .form-control)")
            assert targets.evaluate_all(SMALL) == []


def test_on_a_phone_the_form_fits(chromium, live_server, history):
    with live_server.inside():
        _kiosk, token = hand_over(
            live_server.world.patient("fernando"), code="medical", actor=live_server.world.user("kamal")
        )
        db.session.commit()
    context = chromium.new_context(base_url=live_server.url, **PHONE)
    page = context.new_page()
    page.goto(f"/tablet/{token}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe.faults(page) == []
    context.close()


def test_without_javascript_everything_is_asked_with_a_hint(context_of, live_server, history):
    page = context_of("kamal", java_script_enabled=False).new_page()
    page.goto(f"{history}/medical/fill")
    expect(page.locator("#q-allergies-question")).to_contain_text("Only if “Are you allergic to anything?”: yes")
    fill_in(page)
    choose(page, "allergies", "latex")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("#q-allergies-error")).to_contain_text("Correct one of the two")
    choose(page, "allergic", "yes")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator(".patient-alerts")).to_contain_text("Latex")


def test_an_administrator_looks_at_a_form_before_publishing_it(page_of, live_server):
    page = page_of("adel")
    page.goto("/history-forms/medical")
    plain = json.loads(shipped("medical"))
    plain["sections"][0]["items"][0]["label"] = "Why do you come today?"
    page.locator("#body").fill(json.dumps(plain) + "x")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("alert").filter(has_text="cannot be read as JSON")).to_be_visible()
    page.locator("#body").fill(json.dumps(plain))
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_label("Why do you come today?")).to_be_visible()
    page.get_by_role("button", name="Publish as number 2").click()
    expect(page.get_by_text("is number 2 from now on")).to_be_visible()
