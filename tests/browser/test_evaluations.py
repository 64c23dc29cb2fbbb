"""Evaluations on real screens: the student at the desk, the supervisor by thumb after the dismissal, the trend, the graders, the form."""

import pytest
from playwright.sync_api import expect

from clinic.extensions import db
from tests.browser import axe
from tests.browser.test_problems import SMALL
from tests.evaluated import assessed, evaluated, over
from tests.gated import dismissal_asked, gates_on, seated, setting, started
from tests.operations.test_evaluations import put_in

TARGETS = "main :is(summary, button, select, .eval-steps label, a.btn)"


def seen_well(page, scheme):
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")


def is_whole(page, size):
    """No fault, nothing off to the side, everything large enough for a thumb on the tablet."""

    assert not axe.faults(page)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    if size == "tablet":
        assert page.eval_on_selector_all(TARGETS, SMALL) == []


def choose(page, step):
    """One tap a criterion."""
    criteria = page.locator(".eval-criterion")
    for number in range(criteria.count()):
        criteria.nth(number).get_by_role("radio", name=step).check()
    return criteria.count()


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_the_student_first_then_the_supervisor_after_the_dismissal(page_of, live_server, size, scheme):
    world = live_server.world
    with live_server.inside():
        gates_on()
        setting("self_assessment", True)
        seated(world)
        started(world)
        db.session.commit()
    at = f"/visits/{world.visits['fernando']}"
    student = page_of("kamal", size)
    seen_well(student, scheme)
    student.goto(at)
    student.get_by_role("link", name="Assess yourself").click()
    assert choose(student, "4 alone, once checked") == 6
    student.get_by_label("Comment").fill("The matrix took me long")
    is_whole(student, size)
    student.get_by_role("button", name="Keep my self-assessment").click()
    expect(student.locator("#gates-evaluation + p")).to_contain_text("You have assessed yourself")
    is_whole(student, size)
    with live_server.inside():
        dismissal_asked(world, words="Looked only")
        db.session.commit()

    supervisor = page_of("silva", size)
    seen_well(supervisor, scheme)
    supervisor.goto("/approvals")
    supervisor.locator("#approvals-list .inbox-row").get_by_role("link", name="Open").click()
    supervisor.locator("#approval-approve").click()
    supervisor.get_by_role("link", name="Evaluate Kamal Dias").click()
    expect(supervisor.locator(".eval-own").first).to_contain_text("own: 4 alone, once checked")
    expect(supervisor.locator("main")).to_contain_text("The matrix took me long")
    choose(supervisor, "3 with some help")
    supervisor.locator(".eval-criterion").last.get_by_role("radio", name="not seen today").check()
    is_whole(supervisor, size)
    supervisor.get_by_role("button", name="Evaluate Kamal Dias").click()
    expect(supervisor.locator(".toast")).to_contain_text("Kamal Dias is evaluated")
    expect(supervisor.locator("main")).to_contain_text("Nobody waits to be evaluated")
    is_whole(supervisor, size)

    student.goto("/evaluations")
    expect(student.locator("#evaluations-trend")).to_be_visible()
    student.get_by_label("Technique as a table").click()
    expect(student.get_by_role("table", name="Technique", exact=True)).to_contain_text("3")
    is_whole(student, size)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_a_mark_is_corrected_and_the_former_stays(page_of, live_server, size, scheme):
    world = live_server.world
    with live_server.inside():
        over(world)
        assessed(world, comment="Slow")
        evaluated(world, step=2, comment="Isolate first")
        db.session.commit()
    page = page_of("silva", size)
    seen_well(page, scheme)
    page.goto(f"/visits/{world.visits['fernando']}/evaluation")
    page.get_by_text("Correct it").click()
    choose(page, "5 alone and reliably")
    page.get_by_label("Why it is corrected").fill("Of another student")
    is_whole(page, size)
    page.get_by_role("button", name="Correct with this reason").click()
    expect(page.locator("main")).to_contain_text("Dr Sunil Silva corrected this evaluation")
    page.get_by_text("As it was marked before").click()
    expect(page.get_by_role("table", name="Former marks")).to_contain_text("2 with much help")
    is_whole(page, size)


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("tablet", "dark")])
def test_the_graders_beside_one_another(page_of, live_server, size, scheme):
    with live_server.inside():
        put_in(live_server.world)
        db.session.commit()
    page = page_of("adel", size)
    seen_well(page, scheme)
    page.goto("/graders")
    expect(page.locator(".notice")).to_have_count(2)
    expect(page.locator(".notice").first).to_contain_text("lower than colleagues of the same students")
    expect(page.locator(".eval-graders svg")).to_be_visible()
    is_whole(page, size)


def test_by_keyboard(live_server, page_of):
    """The steps are radios: arrows choose among those of a criterion."""
    world = live_server.world
    with live_server.inside():
        over(world)
        db.session.commit()
    page = page_of("kamal")
    page.goto(f"/visits/{world.visits['fernando']}/evaluation")
    radios = page.locator(".eval-criterion").first.get_by_role("radio")
    radios.first.focus()
    page.keyboard.press("ArrowRight")
    expect(radios.nth(1)).to_be_checked()


def test_the_administrator_writes_a_form(page_of):
    page = page_of("adel")
    page.goto("/settings")
    page.get_by_role("link", name="Evaluation forms").click()
    is_whole(page, "desktop")
    page.get_by_role("link", name="Another form").click()
    page.get_by_label("Title").fill("Surgery")
    page.get_by_label("The scale").fill("no\nhardly\npartly\nmostly\nwholly")
    page.get_by_label("Criteria").fill("Asepsis: hands and field\nHaste")
    is_whole(page, "desktop")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("row", name="Surgery")).to_contain_text("in use")
    page.get_by_role("button", name="Retire: Surgery").click()
    expect(page.get_by_role("row", name="Surgery")).to_contain_text("retired")
