"""One treatment visit from the door to checkout, by three people on three devices and the patient with a tablet. Nobody reloads a page to
see what another did."""

import time
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    Document,
    GateItem,
    GateStatus,
    Marking,
    MaterialUse,
    Note,
    NoteStatus,
    Stage,
    Visit,
    VisitStatus,
)
from tests.browser.test_evaluations import choose
from tests.browser.test_history import fill_in
from tests.charting import chart_line
from tests.filed import png
from tests.gated import gates_on, setting
from tests.scene import entry_of
from tests.stores import kept_in

pytestmark = pytest.mark.xdist_group("storage")


@pytest.fixture
def visit(live_server, weed):
    """Fernando's visit of today, with a filling planned on 36 an hour ago; both gates are on."""
    world = live_server.world
    with live_server.inside():
        gates_on()
        setting("self_assessment", True)
        with clock.frozen(clock.now() - timedelta(hours=1)):
            chart_line(world.patient("fernando"), "36 o am plan", actor=world.user("kamal"), reason="Planned")
        db.session.commit()
    with kept_in(live_server.app, weed):
        yield world.visits["fernando"]


def stage(live_server):
    with live_server.inside():
        return entry_of(live_server.world, "fernando").stage


def test_a_whole_visit(page_of, context_of, live_server, visit):
    began = time.monotonic()
    patient = live_server.world.patients["fernando"]
    desk, student, supervisor = page_of("ruwan"), page_of("kamal"), page_of("silva", "tablet")
    desk.goto(f"/queue?department={live_server.world.departments['restorative']}")
    student.goto("/my-queue")
    supervisor.goto("/approvals")
    for page in (desk, student, supervisor):
        page.locator("#live[data-live=live]").wait_for()

    # The door: checked in at the desk, called by the student to a chair, seated.
    desk.locator(f"#queue-check-in-{visit}").click()
    mine = student.locator(f"#mine-{visit}")
    expect(mine).to_contain_text("Nimali Fernando")
    desk.keyboard.press("c")
    expect(desk.locator("#queue-call")).to_contain_text("Nimali Fernando")
    desk.locator("#queue-call-now").click()
    expect(mine).to_contain_text("Chair A1")
    student.locator(f"#mine-act-{visit}").click()
    expect(student.get_by_role("link", name="Start: prepare")).to_be_visible()

    # The history, by the patient on the tablet; then looked through together.
    tablet = context_of("kamal", "tablet").new_page()
    tablet.goto(f"/patients/{patient}/history")
    tablet.get_by_role("link", name="Hand a tablet over: Medical and dental history").click()
    tablet.get_by_role("button", name="Sign me out and show the form").click()
    fill_in(tablet, "A tooth hurts when I chew")
    tablet.get_by_role("button", name="Send to the clinic").click()
    expect(tablet.get_by_role("heading", name="Thank you")).to_be_visible()
    student.goto(f"/patients/{patient}/history/medical")
    expect(student.get_by_text("A tooth hurts when I chew")).to_be_visible()
    student.get_by_role("button", name="Looked through today, no change").click()
    expect(student.get_by_text("by Kamal Dias").first).to_be_visible()

    # Gate 1, prepared at the desk and approved on the tablet; the card moves by itself.
    student.goto(f"/visits/{visit}/start")
    for label in ("Full name", "Date of birth", "Penicillin, allergy", "I have looked at the tooth or site"):
        student.get_by_label(label).check()
    student.get_by_role("group", name="To do today, from the plan").get_by_role("checkbox").check()
    student.get_by_label("Why none is needed").fill("One is taken today")
    student.get_by_role("button", name="Send to the supervisors").click()
    student.locator("#gates-standing").wait_for()
    supervisor.locator("#approvals-list .inbox-row").get_by_role("link", name="Open").tap()
    supervisor.get_by_role("button", name="Approve start").tap()
    expect(student.locator("#gates-standing")).to_contain_text("in treatment")
    expect(desk.locator(f"#queue-card-{visit}")).to_contain_text("A-001")

    # Treatment: radiograph, chart, material, note, and help.
    student.goto(f"/patients/{patient}/documents")
    student.locator("#documents-add > summary").click()
    picture = {"name": "36 bitewing.png", "mimeType": "image/png", "buffer": png(9, 7)}
    student.locator("input[name=file]").set_input_files([picture])
    student.get_by_label("What it is").select_option("radiograph")
    student.get_by_label("Kind of radiograph").select_option("bitewing")
    student.get_by_role("button", name="Add to the record").click()
    expect(student.locator(".upload[data-state=done]")).to_have_count(1)
    student.goto(f"/patients/{patient}/chart")
    seen = student.locator("#chart-mouth [name=seen]")
    strokes = int(seen.input_value())
    for number, line in enumerate(("36 o am done", "37 d car3", "16 mo car4"), 1):
        student.locator("#chart-line").fill(line)
        student.locator("#chart-line").press("Enter")
        expect(seen).to_have_value(str(strokes + number))
    student.goto(f"/visits/{visit}/materials")
    student.get_by_label("Material").fill("Amalgam, capsule 2")
    student.get_by_label("Of what").fill("capsule")
    student.get_by_label("Lot").fill("AM-2231")
    student.get_by_role("button", name="Record it of Nimali Fernando").click()
    expect(student.get_by_text("1 capsule Amalgam, capsule 2, lot AM-2231", exact=True)).to_be_visible()
    student.goto(f"/patients/{patient}/notes/new")
    student.locator("#text").fill("Rubber dam, caries removed, amalgam placed in 36.")
    student.get_by_role("button", name="Sign", exact=True).click()
    student.get_by_text("NOT APPROVED YET").wait_for()
    student.goto("/my-queue")
    student.get_by_role("button", name="Step check").click()
    supervisor.goto("/supervision")
    expect(supervisor.locator("#supervision-calls .sv-row")).to_contain_text("Step check")
    supervisor.get_by_role("button", name="Done").tap()
    expect(student.get_by_text("In treatment", exact=True)).to_be_visible()

    # Gate 2: the student's own view first; two things come back, are put right, and are approved, and the supervisor evaluates.
    student.goto(f"/visits/{visit}")
    student.get_by_role("link", name="Assess yourself").click()
    expect(student.locator(".eval-criterion")).to_have_count(6)
    choose(student, "4 alone, once checked")
    student.get_by_role("button", name="Keep my self-assessment").click()
    dismiss(student, visit)
    supervisor.goto("/approvals")
    supervisor.locator("#approvals-list .inbox-row", has_text="dismissed").get_by_role("link", name="Open").tap()
    for words, why in (("37", "Not on the picture"), ("Material", "Which shade of capsule?")):
        row = supervisor.locator("#gate-items .inbox-row", has_text=words).first
        row.get_by_text("Return", exact=True).first.tap()
        row.get_by_label("Why").fill(why)
        row.get_by_role("button", name="Return", exact=True).tap()
        expect(row).to_contain_text("returned")
    supervisor.get_by_role("button", name="return 2").tap()
    expect(supervisor.get_by_role("heading", name="Approvals", level=1)).to_be_visible()
    student.goto(f"/visits/{visit}")
    expect(student.locator("#gates-standing")).to_contain_text("Not on the picture")
    expect(student.locator("#gates-standing")).to_contain_text("Which shade of capsule?")
    student.goto(f"/visits/{visit}/materials")
    student.get_by_text("Take back", exact=True).click()
    student.get_by_label("Why").fill("Written without its size")
    student.get_by_role("button", name="Take it back").click()
    expect(student.get_by_text("taken back", exact=True)).to_be_visible()
    dismiss(student, visit)
    student.locator("#gates-standing").wait_for()
    supervisor.locator("#approvals-list .inbox-row", has_text="dismissed").get_by_role("link", name="Open").tap()
    supervisor.locator("#approvals-shown").wait_for()
    supervisor.locator("#approval-approve").tap()
    supervisor.get_by_role("link", name="Evaluate Kamal Dias").tap()
    expect(supervisor.locator(".eval-criterion")).to_have_count(6)
    choose(supervisor, "3 with some help")
    supervisor.get_by_role("button", name="Evaluate Kamal Dias").tap()
    expect(supervisor.locator(".toast")).to_contain_text("Kamal Dias is evaluated")
    expect(student.locator("#gates-standing")).to_contain_text("checkout")
    assert stage(live_server) is Stage.CHECKOUT

    # Out: the desk finishes the visit.
    desk.locator(f"#queue-card-{visit}").get_by_role("button", name="Finish").click()
    expect(desk.locator(f"#queue-card-{visit}")).to_have_count(0)
    with live_server.inside():
        assert db.session.get_one(Visit, visit).status is VisitStatus.COMPLETED
        assert db.session.query(Note).one().status is NoteStatus.APPROVED
        assert db.session.query(Document).one().name == "36 bitewing.png"
        assert db.session.query(MaterialUse).one().taken_back_at is not None
        assert {marking.by_id for marking in db.session.query(Marking)} == {
            live_server.world.people[who] for who in ("kamal", "silva")
        }
        assert db.session.query(GateItem).filter_by(status=GateStatus.PENDING).count() == 0
    print(f"a whole visit on four screens: {time.monotonic() - began:.0f} s")


def dismiss(student, visit):
    student.goto(f"/visits/{visit}/dismissal")
    student.get_by_role("button", name="Send to the supervisors").click()
    student.locator("#gates-standing").wait_for()
