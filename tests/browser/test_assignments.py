"""A patient changes hands with a handover note, and a student graduates: on the tablet, with and without JavaScript."""

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Assignment, Unowned
from clinic.queries.assignments import running_of
from clinic.queries.scope import is_running
from tests.routes.test_assignments import many

SMALL = (
    "all => all.filter(e => e.checkVisibility()).map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])"
    ".filter(([what, box]) => box.height < 44).map(([what, box]) => `${what} ${box.width} x ${box.height}`)"
)


def thumb_wide(page):
    """What is pressed on this page and lower than a thumb; the links within a sentence aside."""
    return page.eval_on_selector_all("main .btn, main select, main summary, main input[type=text]", SMALL)


def holders(live_server, patient):
    with live_server.inside():
        world = live_server.world
        of_patient = Assignment.patient_id == world.patients[patient]
        ids = db.session.scalars(select(Assignment.user_id).where(of_patient, is_running())).all()
        return {name for name, number in world.people.items() if number in ids}


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_a_transfer_with_its_handover_note(page_of, live_server, faults, javascript):
    world = live_server.world
    patient = f"/patients/{world.patients['fernando']}"
    student = page_of("kamal", java_script_enabled=javascript)
    student.goto(patient)
    student.get_by_role("link", name="Hand over from Kamal Dias").click()
    expect(student.get_by_role("heading", name="Hand over")).to_be_visible()
    student.get_by_label("To", exact=True).select_option(str(world.people["omar"]))
    student.get_by_label("Handover note").fill("Crown 36 is temporary.\nNext: impression.")
    student.get_by_label("Goes to the receiver").check()
    student.get_by_role("button", name="Hand over").click()
    expect(student.get_by_text("Asked: a supervisor of Omar Haddad decides")).to_be_visible()
    assert holders(live_server, "fernando") == {"kamal"}

    student.goto("/requests")
    expect(student.get_by_text("from Kamal Dias to Omar Haddad")).to_be_visible()
    decider = page_of("sato", "tablet", java_script_enabled=javascript)
    decider.goto("/approvals")
    decider.get_by_role("link", name="Open").tap()
    expect(decider.get_by_text("Crown 36 is temporary.")).to_be_visible()
    expect(decider.get_by_text("Goes to the receiver")).to_be_visible()
    decider.get_by_role("button", name="Approve", exact=True).tap()
    expect(decider.get_by_text("Nothing waits for you")).to_be_visible()
    assert holders(live_server, "fernando") == {"omar"}
    student.goto(patient)
    expect(student.get_by_role("heading", name="Not found")).to_be_visible()
    faults.clear()  # the browser notes that the record is no longer the student's
    student.goto("/requests")
    expect(student.get_by_text("approved", exact=True)).to_be_visible()

    receiver = page_of("omar", "tablet", java_script_enabled=javascript)
    receiver.goto(patient)
    expect(receiver.get_by_text("Crown 36 is temporary.")).to_be_visible()
    desk = page_of("ruwan", java_script_enabled=javascript)
    desk.goto(patient)
    expect(desk.get_by_text("Omar Haddad, student")).to_be_visible()
    assert "Crown 36" not in desk.content()


@pytest.mark.parametrize("javascript", [True, False], ids=["script", "no script"])
def test_a_graduation_leaves_nobody_without_an_owner(page_of, live_server, javascript):
    world = live_server.world
    with live_server.inside():
        many(world, 5)
    page = page_of("silva", "tablet", java_script_enabled=javascript)
    page.goto("/assignments")
    page.get_by_role("link", name="Graduation and leave").tap()
    page.get_by_label("Student").select_option(str(world.people["kamal"]))
    page.get_by_label("Why").select_option("Graduated")
    assert not thumb_wide(page)
    page.get_by_role("button", name="Choose receivers").tap()

    expect(page.get_by_text("6 to give.")).to_be_visible()
    fernando = page.get_by_label("Who takes Nimali Fernando, primary")
    expect(fernando).to_have_value(str(world.people["leela"]))
    fernando.select_option(str(world.people["silva"]))
    page.get_by_label("Handover note for all others").fill("See the notes of the last visit.")
    assert not thumb_wide(page)
    page.get_by_role("button", name="See everything before it happens").tap()

    expect(page.get_by_role("heading", name="Confirm")).to_be_visible()
    row = page.get_by_role("row", name="Nimali Fernando")
    expect(row).to_contain_text("Dr Sunil Silva")
    expect(row).to_contain_text("goes to the receiver")
    assert not thumb_wide(page)
    page.get_by_role("button", name="Back to change").tap()
    expect(fernando).to_have_value(str(world.people["silva"]))
    page.get_by_role("button", name="See everything before it happens").tap()
    page.get_by_label("Write the name, Kamal Dias, to confirm").fill("Kamal Dias")
    page.get_by_role("button", name="Hand all over").tap()
    expect(page.get_by_text("Kamal Dias has no patients now; 6 handed over")).to_be_visible()

    with live_server.inside():
        assert running_of(world.user("silva"), world.people["kamal"]) == []
        assert db.session.scalars(select(Unowned)).all() == []
        assert world.visit("fernando").supervisor_id == world.people["silva"]
    assert holders(live_server, "fernando") == {"silva"}


def test_a_patient_left_behind_is_given_from_the_list(page_of, live_server):
    world = live_server.world
    page = page_of("silva", "tablet")
    page.goto(f"/patients/{world.patients['fernando']}")
    page.get_by_role("link", name="End the assignment of Kamal Dias").tap()
    page.get_by_label("Why it ends").fill("Went abroad")
    page.get_by_role("button", name="End the assignment").tap()
    expect(page.get_by_text("Nobody is assigned.")).to_be_visible()
    page.goto("/assignments")
    page.get_by_role("link", name="Without an owner").tap()
    page.get_by_label("Who takes Nimali Fernando").select_option(str(world.people["leela"]))
    assert not thumb_wide(page)
    page.get_by_role("button", name="Assign Nimali Fernando").tap()
    expect(page.get_by_text("Leela Nair has Nimali Fernando now")).to_be_visible()
    assert holders(live_server, "fernando") == {"leela"}
