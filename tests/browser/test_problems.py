"""Problems in a real browser: noted by keyboard, ended, on the tablet, in both colours."""

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.charted import charted

TARGETS = "main :is(summary, button, select, input:not([type=hidden], [type=checkbox]), .check)"
SMALL = "all => all.filter(e => e.checkVisibility() && e.offsetHeight < 44).map(e => e.textContent.trim() || e.id)"


@pytest.fixture
def problems(live_server):
    with live_server.inside():
        charted(live_server.world)
    return f"/patients/{live_server.world.patients['fernando']}/problems"


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_noted_shown_and_ended(page_of, problems, size, scheme):
    page = page_of("kamal", size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(problems)
    page.keyboard.press("a")
    page.get_by_label("Problem", exact=True).fill("K04.0 Pulpitis")
    page.get_by_label("Teeth").fill("36")
    page.get_by_text("What shows it", exact=True).click()
    page.get_by_label("36, mesial-occlusal: caries").check()
    assert not axe.faults(page)
    if size == "tablet":
        assert page.eval_on_selector_all(TARGETS, SMALL) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.get_by_role("button", name="Note it of Nimali Fernando").click()
    expect(page.locator(".toast")).to_contain_text("Pulpitis is noted")
    problem = page.locator("li[id^=problem-]")
    expect(problem).to_contain_text("36, mesial-occlusal: caries")
    problem.get_by_text("It ended, or was an error").click()
    problem.get_by_label("Why").fill("Root canal done")
    assert not axe.faults(page)
    problem.get_by_role("button", name="End Pulpitis").click()
    expect(problem).to_contain_text("Resolved by Kamal Dias")
    assert not axe.faults(page)
    page.get_by_role("button", name="Active again: Pulpitis").click()
    expect(problem).to_contain_text("active")


def test_the_administrator_adds_a_diagnosis(page_of):
    page = page_of("adel")
    page.goto("/settings")
    page.get_by_role("link", name="Diagnoses").click()
    page.get_by_label("Code").fill("P-17")
    page.get_by_label("Name").fill("Cracked cusp")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("row", name="P-17")).to_contain_text("offered")
    assert not axe.faults(page)
