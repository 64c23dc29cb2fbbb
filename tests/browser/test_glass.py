"""Breaking the glass, from the corridor to the judgement; and its end to the second on the screen itself."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import BrokenGlass
from tests.world import PASSWORD

WHY = "She fainted in the corridor"


def break_the_glass(page):
    page.locator("#account-menu").click()
    page.get_by_role("link", name="Break the glass").click()
    page.get_by_label("Patient's code").fill("P-2026-00004")
    page.get_by_label("Patient's birth date").fill("15/1/1970")
    page.get_by_label("Reason").select_option(label="emergency")
    page.get_by_label("In your own words").fill(WHY)
    page.get_by_label("Your password now").fill(PASSWORD)
    page.get_by_role("button", name="Break the glass").click()
    expect(page.get_by_text("You broke the glass over this record.")).to_be_visible()


def glass(live_server):
    with live_server.inside():
        return db.session.scalars(select(BrokenGlass)).one()


def test_a_student_breaks_the_glass_and_a_supervisor_judges_it(page_of, live_server, faults):
    student, supervisor = page_of("kamal"), page_of("silva", "tablet")
    supervisor.goto("/supervision")
    supervisor.locator("#live[data-live=live]").wait_for()
    bell = supervisor.locator("#notices-bell-link")
    expect(bell).to_contain_text("Notices, none unread")
    student.goto("/my-queue")
    break_the_glass(student)
    expect(bell).to_contain_text("Notices, 1 unread", timeout=60_000)

    expect(student.get_by_role("heading", name="نادية منصور")).to_be_visible()
    assert student.locator("main form").count() == 1  # to close it; nothing else can be done
    bell.tap()
    expect(supervisor.get_by_text("Kamal Dias broke the glass over P-2026-00004 (emergency)")).to_be_visible()

    supervisor.goto("/break-glass/review")
    row = supervisor.get_by_role("article", name="Kamal Dias, P-2026-00004")
    expect(row).to_contain_text(WHY)
    expect(row).to_contain_text("Opened the overview")
    expect(row).to_contain_text("still open")
    row.get_by_label("Justified", exact=True).check()
    row.get_by_label("In words").fill("He was the first there")
    row.get_by_role("button", name="Judge").tap()
    expect(supervisor.get_by_text("Judged justified; Kamal Dias is told")).to_be_visible()
    expect(supervisor.get_by_text("Nothing to judge")).to_be_visible()

    expect(student.locator("#notices-bell-link")).to_contain_text("Notices, 1 unread")
    student.get_by_role("button", name="Close now").click()
    expect(student.get_by_text("The record is closed")).to_be_visible()
    expect(student.get_by_text("Dr Sunil Silva: “He was the first there”")).to_be_visible()
    assert student.goto(f"/patients/{live_server.world.patients['nadia']}").status == 404
    faults.clear()  # the browser's own complaint about it
    supervisor.get_by_role("link", name="Judged").tap()
    expect(supervisor.get_by_text("He was the first there")).to_be_visible()


def test_the_record_leaves_the_screen_when_the_time_is_up(page_of, live_server):
    student = page_of("kamal")
    student.goto("/my-queue")
    with clock.frozen(clock.now() - timedelta(minutes=60) + timedelta(seconds=12)):
        break_the_glass(student)  # twelve seconds before the time is up, as the clock of this server goes on from here
    end = glass(live_server).expires_at
    student.reload()
    expect(student.get_by_role("heading", name="نادية منصور")).to_be_visible()
    student.wait_for_url("**/break-glass", timeout=20_000)
    late = (clock.now() - end).total_seconds()
    assert 0 <= late < 4, late
    assert "نادية" not in student.content()


@pytest.mark.parametrize("size", ["desktop", "tablet"])
def test_nothing_is_wider_than_the_screen(page_of, live_server, size):
    page = page_of("kamal", size)
    page.goto("/my-queue")
    break_the_glass(page)
    judge = page_of("silva", size)
    for each, url in ((page, page.url), (page, "/break-glass"), (judge, "/break-glass/review")):
        each.goto(url)
        wide = each.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, url
