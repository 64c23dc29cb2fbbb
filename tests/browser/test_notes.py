"""A note in a real browser: written from a template, returned and approved by thumb on the tablet, read by everybody."""

import re

import pytest

from clinic.extensions import db
from clinic.models import Note, NoteStatus, NoteType
from clinic.operations.note_templates import add_template
from tests.browser import axe
from tests.charted import entry, stroke


@pytest.fixture
def notes(live_server):
    with live_server.inside():
        world = live_server.world
        stroke(world, (entry("caries", "36", surfaces="MO", icdas="4"),))
        add_template(
            name="Restoration", type=NoteType.TREATMENT, text="Teeth: {teeth}\n{chart}\n", actor=world.user("adel")
        )
        db.session.commit()
        return f"/patients/{world.patients['fernando']}/notes"


def test_written_returned_written_anew_and_approved(page_of, live_server, notes):
    student, supervisor = page_of("kamal"), page_of("silva", "tablet")
    student.goto(notes)
    student.keyboard.press("n")
    student.wait_for_url("**/notes/new")
    student.get_by_label("Begin from").select_option(label="Restoration")
    student.get_by_role("button", name="Fill in").click()
    student.wait_for_url(re.compile("template="))
    text = student.locator("#text")
    assert "Added: 36, mesial-occlusal: caries" in text.input_value()
    assert student.get_by_label("Teeth").input_value() == "36"
    assert axe.faults(student) == []
    text.fill(text.input_value() + "Composite placed.")
    student.get_by_role("button", name="Sign", exact=True).click()
    student.wait_for_url(re.compile("said="))
    student.get_by_text("NOT APPROVED YET").wait_for()
    assert "Composite placed." in student.locator(".note-text").inner_text()

    supervisor.goto("/approvals")
    supervisor.get_by_role("link", name="Open").first.tap()
    supervisor.get_by_text("Composite placed.").wait_for()
    assert axe.faults(supervisor) == []
    supervisor.get_by_text("Return with a reason").tap()
    supervisor.locator("#reason").fill("Which shade?")
    supervisor.get_by_role("button", name="Return to Kamal Dias").tap()
    supervisor.wait_for_url(re.compile(r"/approvals(\?.*)?$"))  # back at the list: it is done

    student.goto("/notices")
    student.get_by_text("Which shade?").first.wait_for()
    student.goto(notes)
    student.get_by_text("RETURNED, NOT APPROVED").wait_for()
    student.get_by_role("link", name="Write it anew").click()
    student.locator("#text").fill(student.locator("#text").input_value() + " Shade A2.")
    student.get_by_role("button", name="Sign", exact=True).click()
    student.wait_for_url(re.compile("said="))

    supervisor.goto("/approvals")
    supervisor.get_by_role("link", name="Open").first.tap()
    supervisor.get_by_text("Since it was returned").wait_for()
    assert "Shade A2." in supervisor.locator(".note-pieces ins").last.inner_text()
    supervisor.get_by_role("button", name="Approve").tap()
    supervisor.wait_for_url(re.compile(r"/approvals(\?.*)?$"))  # back at the list: it is done
    with live_server.inside():
        note = db.session.query(Note).one()
        assert note.status is NoteStatus.APPROVED
    student.goto(notes)
    student.get_by_text("APPROVED", exact=True).wait_for()
    student.get_by_text("What was signed before (1)").click()
    assert student.get_by_text("Composite placed.").count() == 2


@pytest.mark.parametrize("size", ["desktop", "tablet"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(page_of, live_server, notes, size, scheme):
    from clinic.operations.notes import add_addendum, agree_error, return_note, say_in_error, sign_again
    from tests.noted import note_by, note_said

    with live_server.inside():
        world = live_server.world
        kamal, silva = world.user("kamal"), world.user("silva")
        struck, back = note_by(world, text="Of another patient"), note_by(world, teeth=("36",), procedure="Filling")
        say_in_error(struck.id, version=struck.version, reason="Of another patient", actor=kamal)
        agree_error(struck.id, version=struck.version, actor=silva)
        return_note(back.id, version=back.version, reason="Which shade?", actor=silva)
        sign_again(back.id, version=back.version, said=note_said("Shade A2."), actor=kamal)
        add_addendum(back.id, text="No pain since.", actor=silva)
        db.session.commit()
        number = back.id
    page = page_of("kamal", size, color_scheme=scheme)
    for address in (notes, f"{notes}/{number}", f"{notes}/new", f"{notes}/{number}/addendum"):
        page.goto(address)
        assert axe.faults(page) == [], address
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), address
    admin = page_of("adel", size, color_scheme=scheme)
    for address in ("/note-templates", "/note-templates/new"):
        admin.goto(address)
        assert axe.faults(admin) == [], address


def test_without_javascript(page_of, notes):
    page = page_of("kamal", java_script_enabled=False)
    page.goto(f"{notes}/new")
    page.locator("#text").fill("Written without scripts.")
    page.get_by_role("button", name="Sign", exact=True).click()
    page.get_by_text("Written without scripts.").wait_for()
    page.get_by_text("NOT APPROVED YET").wait_for()
