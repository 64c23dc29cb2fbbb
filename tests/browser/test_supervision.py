"""A student calls, a supervisor with a tablet answers: both screens follow without reload; and it works without JavaScript."""

import pytest
from playwright.sync_api import expect

from clinic.extensions import db
from clinic.models import Stage
from tests.scene import entry_of, put_in_queue, second_supervisor


@pytest.fixture
def treated(live_server):
    """Fernando, Kamal's patient, is in treatment in chair A1; there are two supervisors."""
    with live_server.inside():
        second_supervisor(live_server.world)
        put_in_queue(live_server.world, "fernando", Stage.IN_TREATMENT)
        db.session.commit()


def stage(live_server):
    with live_server.inside():
        return entry_of(live_server.world, "fernando").stage


def test_the_call_and_its_answers_travel_between_the_screens(page_of, live_server, treated):
    student, supervisor, colleague = page_of("kamal"), page_of("silva", "tablet"), page_of("prado", "tablet")
    student.goto("/my-queue")
    supervisor.goto("/supervision")
    colleague.goto("/supervision")
    for page in (student, supervisor, colleague):
        page.locator("#live[data-live=live]").wait_for()
    expect(supervisor.get_by_text("Nobody is calling")).to_be_visible()

    student.get_by_role("button", name="Step check").click()
    expect(student.get_by_text("1st of 1")).to_be_visible()
    row = supervisor.locator("#supervision-calls .sv-row")
    expect(row).to_contain_text("Chair A1")
    expect(row).to_contain_text("Step check")
    expect(row).to_contain_text("Penicillin")

    supervisor.get_by_role("button", name="I'm coming, 3 min, to Kamal Dias").tap()
    expect(student.get_by_text("Dr Sunil Silva is coming, about 3 min")).to_be_visible(timeout=5000)
    expect(colleague.get_by_text("Dr Sunil Silva is coming, about 3 min")).to_be_visible(timeout=5000)

    supervisor.get_by_role("link", name="Pass on").tap()
    supervisor.get_by_label("Dr Ines Prado").check()
    supervisor.get_by_label("Note").fill("yours, please")
    supervisor.get_by_role("button", name="Pass on").tap()
    expect(colleague.get_by_text("Dr Sunil Silva passed this on to you: “yours, please”")).to_be_visible(timeout=5000)

    student.get_by_role("button", name="Emergency").click()
    expect(colleague.locator(".sv-row.is-late")).to_contain_text("Emergency")
    colleague.get_by_role("button", name="Done").tap()
    expect(student.get_by_text("In treatment", exact=True)).to_be_visible(timeout=5000)
    assert stage(live_server) is Stage.IN_TREATMENT


def test_two_seconds_too_late_one_reads_who_was_faster(page_of, live_server, treated, faults):
    student, slow = page_of("kamal"), page_of("prado", "tablet")
    student.goto("/my-queue")
    student.get_by_role("button", name="Help").click()
    expect(student.get_by_text("1st of 1")).to_be_visible()
    slow.goto("/supervision")
    slow.route("**/supervision/calls*", lambda route: route.abort())  # a screen that has not heard
    fast = page_of("silva", "tablet")
    fast.goto("/supervision")
    fast.get_by_role("button", name="I'm coming, 1 min").tap()
    expect(fast.locator("#supervision-calls").get_by_text("You are coming")).to_be_visible()
    slow.get_by_role("button", name="I'm coming, 5 min").tap()
    expect(slow.get_by_role("alert")).to_contain_text("Dr Sunil Silva is already coming")
    slow.close()
    faults.clear()  # what was cut on purpose


def test_focus_stays_and_open_parts_stay_open_when_the_list_changes(page_of, live_server, treated):
    student, supervisor = page_of("kamal"), page_of("silva")
    student.goto("/my-queue")
    supervisor.goto("/supervision")
    supervisor.locator("#live[data-live=live]").wait_for()
    later = supervisor.locator("#mine-later")
    later.locator("summary").click()
    supervisor.locator("#supervision-mine").get_by_role("link", name="Nimali Fernando").focus()
    held = supervisor.evaluate("document.activeElement.id")
    student.get_by_role("button", name="Help").click()
    expect(supervisor.locator(".sv-row")).to_be_visible(timeout=5000)
    expect(supervisor.get_by_text("Needs supervisor")).to_be_visible(timeout=5000)
    assert held
    assert supervisor.evaluate("document.activeElement.id") == held
    assert later.evaluate("later => later.open")


def test_it_works_without_javascript(page_of, live_server, treated):
    student = page_of("kamal", java_script_enabled=False)
    supervisor = page_of("silva", "tablet", java_script_enabled=False)
    student.goto("/my-queue")
    student.get_by_role("link", name="Call with a note").click()
    student.get_by_label("Step check").check()
    student.get_by_label("Note").fill("Margin at 36")
    student.get_by_role("button", name="Call", exact=True).click()
    expect(student.get_by_text("1st of 1")).to_be_visible()
    supervisor.goto("/supervision")
    expect(supervisor.get_by_text("Margin at 36").first).to_be_visible()
    supervisor.get_by_role("button", name="I'm coming, 10 min, to Kamal Dias").click()
    expect(supervisor.get_by_text("You are coming, about 10 min")).to_be_visible()
    supervisor.get_by_role("button", name="Done").click()
    assert stage(live_server) is Stage.IN_TREATMENT


def test_targets_are_wide_enough_for_a_thumb(page_of, live_server, treated):
    student, supervisor = page_of("kamal", "tablet"), page_of("silva", "tablet")
    student.goto("/my-queue")
    student.get_by_role("button", name="Help").tap()
    expect(student.get_by_text("1st of 1")).to_be_visible()
    supervisor.goto("/supervision")
    expect(supervisor.locator(".sv-row")).to_be_visible()
    for page in (student, supervisor):
        small = page.eval_on_selector_all(
            "main a, main button, main summary",
            "all => all.filter(e => e.checkVisibility()).map(e => [e.id, e.getBoundingClientRect()])"
            ".filter(([id, box]) => box.height < 44 || box.width < 44).map(([id, box]) => `${id} ${box.width} x ${box.height}`)",
        )
        assert not small
    rows = supervisor.eval_on_selector_all(".sv-row", "all => all.map(e => e.getBoundingClientRect().height)")
    assert min(rows) >= 52
