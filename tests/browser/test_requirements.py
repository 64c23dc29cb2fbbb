"""Requirements in a real browser: a student's own page, the supervisor's group and what shows a count, asking for something; coverage."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from clinic import clock
from clinic.extensions import db
from clinic.models import Stage, VisitStatus
from tests.browser import axe
from tests.browser.test_problems import SMALL, TARGETS
from tests.charting import chart_line
from tests.gated import dismissed
from tests.required import asked_for
from tests.scene import put_in_queue


@pytest.fixture
def asked(live_server):
    """Kamal has filled two teeth of Fernando's, one is approved; four more things are asked of his year."""
    world = live_server.world
    with live_server.inside():
        row = asked_for(world)
        for name, said in {
            "Sealants": {"kinds": "sealant", "wanted": 4, "due": clock.today() - timedelta(days=1)},
            "Crowns and bridges": {"kinds": "bridge crown", "wanted": 1, "begins": clock.today()},
            "Molar root canals": {"kinds": "root_canal", "wanted": 2, "begins": clock.today() + timedelta(days=9)},
        }.items():
            asked_for(world, name=name, **said)
        put_in_queue(world, "fernando", Stage.IN_TREATMENT, at=clock.now() - timedelta(minutes=20))
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_line(fernando, "36 mo comp done", actor=kamal, reason="Done")
        dismissed(world)
        chart_line(fernando, "26 o comp done; 46 o comp plan; 47 s plan", actor=kamal, reason="Done")
        db.session.commit()
        return row.id


SIZES = [("desktop", "light"), ("tablet", "dark")]


@pytest.mark.parametrize(("size", "scheme"), SIZES)
def test_a_student_sees_what_is_missing_and_who_could_close_it(page_of, asked, size, scheme):
    page = page_of("kamal", size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto("/requirements")
    fillings = page.locator(f"#requirement-{asked}")
    expect(fillings).to_contain_text("4 behind the pace")
    expect(fillings).to_contain_text("1 done and not approved")
    expect(fillings.get_by_role("link", name="Nimali Fernando")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Fillings: 1 of 10")).to_be_visible()
    assert not axe.faults(page)
    fillings.get_by_role("link", name="What counts").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fillings")
    assert not axe.faults(page)
    page.get_by_role("link", name="36, mesial-occlusal").click()
    expect(page).to_have_url(re.compile(r"/chart/teeth/36$"))


@pytest.mark.parametrize(("size", "scheme"), SIZES)
def test_a_supervisor_sees_who_is_behind_and_asks_for_more(page_of, asked, size, scheme):
    page = page_of("silva", size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto("/requirements")
    row = page.get_by_role("row", name="Kamal Dias")
    expect(row).to_contain_text("8 behind, overdue")
    assert not axe.faults(page)
    row.get_by_role("link", name="Fillings: 1 of 10").click()
    expect(page.get_by_role("row", name="counts")).to_contain_text("by Dr Sunil Silva")
    page.goto("/requirements")
    page.get_by_role("link", name="What is asked for").click()
    assert not axe.faults(page)
    page.get_by_role("link", name="Ask for something").click()
    page.get_by_label("Year of study").select_option("4")
    page.get_by_label("Name", exact=True).fill("Extractions")
    page.get_by_label("How many").fill("6")
    page.get_by_label("Of one patient at most").fill("2")
    page.get_by_label("From", exact=True).fill("2026-09-01")
    page.get_by_label("By", exact=True).fill("2027-01-31")
    page.get_by_label("Extraction", exact=True).check()
    assert not axe.faults(page)
    if size == "tablet":
        assert page.eval_on_selector_all(TARGETS, SMALL) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    page.get_by_role("button", name="Ask for it").click()
    expect(page.locator(".toast")).to_contain_text("Extractions is asked of year 4")


def test_who_books_hears_how_many_come_to_a_supervisor(page_of, live_server):
    with live_server.inside():
        for name in live_server.world.visits:
            live_server.world.visit(name).starts_at = clock.start_of(clock.today()) + timedelta(hours=10)
        db.session.commit()
    page = page_of("ruwan")
    page.goto(
        f"/visits/new?patient={live_server.world.patients['nadia']}&department={live_server.world.departments['restorative']}"
    )
    said = page.locator("#visits-coverage")
    page.get_by_label("Reason").fill("Check-up")
    page.get_by_label("Time").select_option("11:00")
    expect(said).to_contain_text("That morning, with this visit: 2 students, 1 supervisor: 2 to 1")
    page.get_by_label("Supervisor").select_option(label="Dr Emi Sato, Orthodontics")
    expect(said).to_contain_text("2 students, 2 supervisors: 1 to 1")
    page.get_by_label("Time").select_option("15:00")
    expect(said).to_contain_text("That afternoon")
    expect(page.get_by_label("Reason")).to_have_value("Check-up")
    assert not axe.faults(page)
    with live_server.inside():
        for name in live_server.world.visits:
            visit = live_server.world.visit(name)
            visit.status, visit.arrived_at = VisitStatus.ARRIVED, clock.now()
        db.session.commit()
    page.goto(f"/queue?department={live_server.world.departments['restorative']}")
    expect(page.locator("#queue-coverage")).to_contain_text("supervisor")
    assert not axe.faults(page)
    page.goto("/waits")
    expect(page.get_by_role("heading", name="Students and supervisors")).to_be_visible()
    assert not axe.faults(page)
