"""Patients as the front desk meets them: by keyboard alone, and with two tabs open."""

import random
import re
import time

from playwright.sync_api import expect
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Patient


def patient_named(live_server, name):
    with live_server.inside():
        return db.session.execute(select(Patient).where(Patient.name == name)).scalar_one_or_none()


def test_a_patient_is_registered_by_keyboard_alone_in_seconds(live_server, page_of):
    page = page_of("ruwan")
    page.goto("/patients")
    page.locator("#patients-q").blur()
    start = time.monotonic()
    page.keyboard.press("n")
    page.wait_for_url("**/patients/new")
    assert page.evaluate("document.activeElement.id") == "name"
    keys = ("Ana Perera Gomes", "2 mar 1984", "f", "0715550199")
    for place, typed in enumerate(keys):
        if place:
            page.keyboard.press("Tab")
        page.keyboard.type(typed)
    alike = page.locator("#patients-alike")
    alike.get_by_text("same birth date and phone").wait_for()
    assert "Born Fri 2 Mar 1984" in alike.inner_text()
    assert alike.get_by_role("link", name="It is this one").count() == 1
    assert page.input_value("#name") == "Ana Perera Gomes"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/patients/\d+\?said="))
    assert time.monotonic() - start < 20
    assert page.locator("h1").inner_text() == "Ana Perera Gomes"
    assert "is registered as P-" in page.locator("#toasts").inner_text()
    assert patient_named(live_server, "Ana Perera Gomes").sex == "female"


def test_a_mistake_is_said_in_place_and_the_cursor_stands_in_it(page_of):
    page = page_of("ruwan")
    page.goto("/patients/new")
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("Sunil Weerasinghe")
    page.keyboard.press("Tab")
    page.keyboard.type("3/25/1984")
    page.keyboard.press("Enter")
    page.get_by_text("There is no month 25").wait_for()
    assert page.input_value("#name") == "Sunil Weerasinghe"
    assert page.evaluate("document.activeElement.id") == "birth_date"
    page.fill("#birth_date", "25/3/1984")
    page.locator("#patients-alike").get_by_text("Born Sun 25 Mar 1984").wait_for()


def test_searching_as_one_types_and_opening_by_keyboard(page_of):
    page = page_of("ruwan")
    page.goto("/patients")
    expect(page.locator("#patients-q")).to_be_focused()  # before that, letters are keys of the page
    page.keyboard.type("ana pe", delay=30)
    page.locator("#patients-results").get_by_text("Nimali").wait_for(state="detached")
    expect(page.locator("#patients-results tbody tr")).to_have_count(1)
    assert page.input_value("#patients-q") == "ana pe"
    assert page.evaluate("document.activeElement.id") == "patients-q"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/patients/\d+$"))
    assert page.locator("h1").inner_text() == "Ana Perera"


def test_searching_and_paging_work_without_javascript(page_of):
    page = page_of("ruwan", java_script_enabled=False)
    page.goto("/patients")
    page.fill("#patients-q", "吴")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#patients-results tbody tr")).to_have_count(1)
    page.get_by_role("link", name="吴美玲").click()
    assert page.locator("h1").inner_text() == "吴美玲"


def test_two_people_on_one_record_choose_field_by_field(live_server, page_of):
    his, hers, perera = page_of("ruwan"), page_of("rita"), live_server.world.patients["perera"]
    for page in (his, hers):
        page.goto(f"/patients/{perera}/edit")
    hers.fill("#address", "Her Street 1")
    hers.fill("#language", "Tamil")
    hers.get_by_role("button", name="Save").click()
    hers.wait_for_url(re.compile(r"/patients/\d+\?said="))
    his.fill("#address", "His Street 2")
    his.fill("#phone", "071 000 0000")
    his.get_by_role("button", name="Save").click()
    choice = his.locator("#patients-choice-address")
    choice.wait_for()
    assert "Rita Gomes" in choice.inner_text()
    assert "Her Street 1" in choice.inner_text()
    choice.get_by_text("His Street 2").click()
    his.get_by_role("button", name="Save").click()
    his.wait_for_url(re.compile(r"/patients/\d+\?said="))
    with live_server.inside():
        patient = db.session.get_one(Patient, perera)
    assert (patient.address, patient.language, patient.phone) == ("His Street 2", "Tamil", "071 000 0000")


def test_two_tabs_on_two_patients_never_cross(live_server, context_of):
    """Opening, changing, saving and going back in any order: what is typed under one banner is stored for that patient."""
    context, rng = context_of("ruwan"), random.Random(11)
    ids = [live_server.world.patients["perera"], live_server.world.patients["nadia"]]
    tabs = [context.new_page(), context.new_page()]
    shown: dict[int, int | None] = {0: None, 1: None}
    expected: dict[int, str] = dict.fromkeys(ids, "")
    for step in range(40):
        place = rng.randrange(2)
        tab, act = tabs[place], rng.choice(["open", "save", "save", "back", "swap"])
        if act == "back" and shown[place]:
            tab.go_back()
            shown[place] = None
        elif act in ("open", "swap") or not shown[place]:
            shown[place] = rng.choice(ids)
            tab.goto(f"/patients/{shown[place]}/edit")
        else:
            text = f"{step} of {shown[place]}"
            assert tab.locator(f"#patient-banner-{shown[place]}").count() == 1
            tab.fill("#emergency_name", text)
            tab.get_by_role("button", name="Save").click()
            tab.wait_for_load_state()
            if tab.locator("#patients-choice-emergency_name").count() or "said=" not in tab.url:
                tab.wait_for_selector("#patients-choice-emergency_name, #toasts .toast")
            if tab.locator("#patients-choice-emergency_name").count():
                tab.goto(f"/patients/{shown[place]}/edit")  # the other tab was faster on this patient: begin again
                continue
            expected[shown[place]] = text
            shown[place] = None
    with live_server.inside():
        for patient_id, text in expected.items():
            assert db.session.get_one(Patient, patient_id).emergency_name == text
