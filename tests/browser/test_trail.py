"""An administrator asks who looked, in a browser: narrows by what is typed, takes it away again, opens an event, takes the file along."""

import csv
import re

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.events import write_event


@pytest.fixture
def looked(live_server):
    with live_server.inside():
        people, patients = live_server.world.people, live_server.world.patients
        for name, role, patient in (("kamal", "student", "fernando"), ("rita", "receptionist", "perera")):
            write_event(
                actor_id=people[name],
                role=role,
                act="patient.change",
                patient_id=patients[patient],
                sentence=f"Changed the phone of {patient}",
                before='{"phone": "1"}',
                after='{"phone": "2"}',
                address="10.0.0.7",
            )


@pytest.mark.parametrize("size", ["desktop", "tablet"])
def test_who_looked_and_what_changed(looked, page_of, size):
    page = page_of("adel", size)
    page.goto("/audit")
    page.get_by_label("Person", exact=True).fill("kamal")
    page.get_by_label("Person", exact=True).press("Enter")
    expect(page).to_have_url(re.compile(r"/audit\?person_id=\d+$"))
    expect(page.locator("#audit-events tbody tr")).to_have_count(1)
    expect(page.get_by_role("row").last).to_contain_text("Changed the phone of fernando")
    page.get_by_label("Role").select_option("student")
    page.get_by_role("button", name="Show").click()
    chips = page.get_by_role("navigation", name="Narrowed to").get_by_role("link")
    expect(chips).to_have_text([re.compile("Person Kamal Dias"), re.compile("Role student"), "Everything"])
    assert axe.faults(page) == []
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Export as CSV").click()
    with open(waiting.value.path(), encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sentence"] for row in rows] == ["Changed the phone of fernando"]
    assert re.fullmatch(r"trail-[\d-]{10}\.csv", waiting.value.suggested_filename)
    chips.first.click()
    expect(page).to_have_url(re.compile(r"/audit\?role=student$"))
    page.locator("#audit-events tbody tr", has_text="fernando").get_by_role("link").click()
    expect(page.get_by_role("row", name="phone")).to_contain_text("changed")
    assert axe.faults(page) == []
    page.get_by_role("link", name="who opened this patient").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Who opened Nimali Fernando")
    expect(page.get_by_role("table").first).to_contain_text("Kamal Dias")
    assert axe.faults(page) == []


def test_an_event_is_opened_by_keyboard_alone(looked, page_of):
    page = page_of("adel")
    page.goto("/audit?act=patient.change")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
