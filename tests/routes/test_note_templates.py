"""The administrator's pages of the templates of notes."""

import pytest
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import AuditEvent, NoteTemplate, NoteType
from clinic.notes.shipped import SHIPPED
from clinic.notes.template import unknown_places
from clinic.operations.note_templates import add_template

FIELDS = {"name": "Recall", "type": "progress", "text": "Seen on {date}.\n{chart}"}


@pytest.fixture
def adel(browser_of):
    return browser_of("adel")


@pytest.fixture
def recall(app, world):
    with app.app_context():
        template = add_template(name="Recall", type=NoteType.PROGRESS, text="Seen.", actor=world.user("adel"))
        db.session.commit()
        return f"/note-templates/{template.id}"


def held(app):
    with app.app_context():
        found = list(db.session.scalars(select(NoteTemplate).order_by(NoteTemplate.id)))
        db.session.expunge_all()
        return found


def test_added_and_listed(app, adel):
    assert "No template yet" in adel.get("/note-templates").text
    assert "{documents}" in adel.get("/note-templates/new").text
    for _ in range(2):
        assert adel.post("/note-templates/new", FIELDS, once="recall-once").status_code == 303
    [template] = held(app)
    assert (template.name, template.text) == ("Recall", "Seen on {date}.\n{chart}")
    assert "Recall" in adel.get("/note-templates").text
    with app.app_context():
        assert db.session.scalars(select(AuditEvent.act).where(AuditEvent.act.like("note_template.%"))).all() == [
            "note_template.add"
        ]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": ""}, "Type a name"),
        ({"text": ""}, "Write what a note begins with"),
        ({"text": "{charts}"}, "Nothing fills in {charts}"),
        ({"name": "RECALL"}, "is there already"),
        ({"type": "poem"}, "Choose one from the list"),
    ],
)
def test_what_does_not_fit_comes_back(app, adel, recall, change, why):
    answer = adel.post("/note-templates/new", FIELDS | {"name": "Other"} | change)
    assert answer.status_code == 422
    assert why in answer.text
    assert len(held(app)) == 1


def test_changed_and_a_stale_form_is_answered_with_both_texts(app, adel, recall):
    assert "Seen." in adel.get(recall).text
    assert adel.post(recall, FIELDS | {"version": 1}).status_code == 303
    answer = adel.post(recall, FIELDS | {"version": 1, "text": "Mine."})
    assert answer.status_code == 409
    assert "Seen on {date}." in answer.text
    assert "Mine." in answer.text
    assert held(app)[0].text == FIELDS["text"]


def test_retired_and_brought_back(app, adel, recall):
    assert adel.post(f"{recall}/retire", {"version": 1}).status_code == 303
    assert held(app)[0].retired_at
    assert adel.post(f"{recall}/retire", {"version": 1}).status_code == 409
    assert adel.post(f"{recall}/bring-back", {"version": 2}).status_code == 303
    assert held(app)[0].retired_at is None


@pytest.mark.parametrize("name", ["kamal", "silva", "ruwan", "nimal"])
def test_only_administrators(app, browser_of, recall, name):
    person = browser_of(name)
    for address in ("/note-templates", "/note-templates/new", recall):
        assert person.get(address).status_code == 403
    assert person.post("/note-templates/new", FIELDS | {"name": "Other"}).status_code == 403
    assert person.post(recall, FIELDS | {"version": 1}).status_code == 403
    assert person.post(f"{recall}/retire", {"version": 1}).status_code == 403
    assert len(held(app)) == 1


def test_no_such_template(adel, recall):
    assert adel.get(f"{recall}0").status_code == 404
    assert adel.post(f"{recall}0/retire", {"version": 1}).status_code == 404


def test_those_that_come_with_chairside_are_fit():
    assert len({name for name, _, _ in SHIPPED}) == len(SHIPPED) >= 6
    for name, type, text in SHIPPED:
        assert NoteType(type)
        assert not unknown_places(text)
        assert len(name) <= 80
