"""A case in a real browser: opened and assigned, worked on, reviewed on the tablet, verified; in both colours."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from clinic import clock
from clinic.extensions import db
from clinic.models import CaseTask, TaskStatus
from tests.browser import axe
from tests.cased import case_of, task_of

TARGETS = "main :is(summary, button, select, input:not([type=hidden], [type=checkbox]), textarea, .btn)"
SMALL = "all => all.filter(e => e.checkVisibility() && e.offsetHeight < 44).map(e => e.textContent.trim() || e.id)"


def looked_at(page, size):
    assert not axe.faults(page)
    if size == "tablet":
        assert page.eval_on_selector_all(TARGETS, SMALL) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_a_case_from_opening_to_verifying(live_server, page_of, size, scheme):
    silva, kamal = page_of("silva", size), page_of("kamal", size)
    for page in (silva, kamal):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    silva.goto(f"/patients/{live_server.world.patients['fernando']}/cases")
    looked_at(silva, size)
    silva.keyboard.press("a")
    silva.get_by_label("Title").fill("Crown on 36")
    looked_at(silva, size)
    silva.get_by_role("button", name="Open it").click()
    expect(silva.locator("h1")).to_contain_text("Crown on 36")
    silva.get_by_label("Task", exact=True).fill("Preparation")
    with live_server.inside():
        due = clock.today() + timedelta(days=7)
    silva.get_by_label("Until").fill(f"{due.day}/{due.month}/{due.year}")
    silva.get_by_label("Teeth").fill("36")
    silva.get_by_role("button", name="Assign it to Kamal Dias").click()
    expect(silva.locator(".toast")).to_contain_text("Assigned “Preparation”")
    looked_at(silva, size)

    kamal.goto("/my-queue")
    kamal.get_by_role("link", name="My cases").click()
    looked_at(kamal, size)
    kamal.get_by_role("link", name="Crown on 36").click()
    kamal.get_by_role("button", name="Begin: Preparation").click()
    kamal.get_by_label("What you did").fill("Shoulder 1 mm, two-step impression")
    looked_at(kamal, size)
    kamal.get_by_role("button", name="Completed: Preparation").click()
    expect(kamal.locator(".case-task")).to_contain_text("waits for review")

    silva.goto("/approvals")
    silva.locator(".inbox-row", has_text="Preparation").get_by_role("link", name="Open").click()
    expect(silva.locator("#approvals-shown")).to_contain_text("Shoulder 1 mm")
    silva.get_by_label("Your review").fill("Clean margins. Mind the occlusal clearance next time.")
    looked_at(silva, size)
    silva.get_by_role("button", name="Reviewed").click()
    expect(silva).to_have_url(re.compile(r"/approvals(\?|$)"))

    kamal.reload()
    expect(kamal.locator(".case-task")).to_contain_text("Mind the occlusal clearance")
    looked_at(kamal, size)
    kamal.get_by_role("button", name="Send for verification").click()
    expect(kamal.locator(".page-head")).to_contain_text("waits for verification")

    silva.goto("/cases")
    silva.get_by_role("link", name="Crown on 36").click()
    silva.get_by_role("link", name="Verify").click()
    looked_at(silva, size)
    silva.get_by_role("button", name="Approve").click()
    expect(silva.locator(".toast")).to_contain_text("is verified")
    silva.goto("/cases")
    silva.get_by_role("link", name="Crown on 36").click()
    silva.get_by_role("button", name="Close the case").click()
    expect(silva.locator(".page-head")).to_contain_text("closed after it was verified")
    looked_at(silva, size)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_what_is_overdue_stands_first(live_server, page_of, size, scheme):
    with live_server.inside():
        world = live_server.world
        case = case_of(world)
        task_of(world, case, TaskStatus.RETURNED, title="Impression")
        late = task_of(world, case, TaskStatus.IN_PROGRESS, title="Preparation")
        task_of(world, case, TaskStatus.REVIEWED, title="Shade")
        task_of(world, case, TaskStatus.COMPLETED, title="Temporary crown", words="With a shade tab\non the picture")
        db.session.get_one(CaseTask, late.id).due_on = clock.today() - timedelta(days=3)
        db.session.commit()
    for name, first in (("kamal", "/my-queue"), ("silva", "/cases")):
        page = page_of(name, size)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(first)
        expect(page.locator("#cases-overdue")).to_contain_text("overdue since")
        looked_at(page, size)
        page.locator("#cases-overdue").get_by_role("link", name="Preparation").click()
        expect(page.locator(f"#task-{late.id}")).to_contain_text("overdue since")
        looked_at(page, size)
