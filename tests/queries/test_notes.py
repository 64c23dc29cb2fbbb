"""Reading notes: in order, filtered, in a constant number of queries, and by nobody who may not know the patient."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert

from clinic import clock
from clinic.extensions import db
from clinic.models import Draft, NoteType
from clinic.operations.notes import add_addendum, agree_error, approve_note, return_note, say_in_error
from clinic.queries.notes import (
    authors_of,
    decidable_note_for,
    digest_of,
    note_for,
    notes_of,
    notes_of_visit,
    notes_to_print,
    unfinished_notes,
    waiting_ids,
    waiting_notes,
)
from tests.noted import note_by, signings
from tests.queries_counted import counted

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture
def fernando(world):
    return world.patients["fernando"]


def ids(page):
    return [note.id for note in page.rows]


def test_newest_first_with_addenda_and_by_filters(world, fernando):
    kamal, silva = world.user("kamal"), world.user("silva")
    first = note_by(world, type=NoteType.DIAGNOSIS)
    second = note_by(world, "silva")
    third = note_by(world)
    added = add_addendum(second.id, text="Seen", actor=kamal)
    approve_note(third.id, version=third.version, actor=silva)
    note_by(world, "leela", "perera")
    page = notes_of(kamal, fernando)
    assert ids(page) == [third.id, second.id, first.id]
    assert [each.id for each in page.rows[1].addenda] == [added.id]
    assert ids(notes_of(kamal, fernando, type=NoteType.DIAGNOSIS)) == [first.id]
    assert ids(notes_of(kamal, fernando, author_id=silva.id)) == [second.id]
    assert ids(notes_of(kamal, fernando, unapproved=True)) == [second.id, first.id]
    assert [person.id for person in authors_of(kamal, fernando)] == [silva.id, kamal.id]
    assert [note.id for note in notes_to_print(kamal, fernando)] == [first.id, second.id, third.id]


def test_nothing_of_patients_one_may_not_see(world, fernando):
    note = note_by(world)
    for name in ("omar", "leela", "sato"):
        viewer = world.user(name)
        assert notes_of(viewer, fernando).rows == []
        assert note_for(viewer, fernando, note.id) is None
        assert authors_of(viewer, fernando) == notes_to_print(viewer, fernando) == []
        assert decidable_note_for(viewer, note.id) is None
    assert note_for(world.user("kamal"), world.patients["perera"], note.id) is None


def test_what_waits_for_whom(world):
    kamal, silva = world.user("kamal"), world.user("silva")
    note = note_by(world)
    returned = note_by(world, "leela", "perera")
    return_note(returned.id, version=returned.version, reason="Which tooth?", actor=silva)
    note_by(world, "omar", "wu")
    note_by(world, "silva")
    assert [each.id for each in waiting_notes(silva)] == [note.id]
    assert db.session.scalars(waiting_ids(silva)).all() == [note.id]
    assert waiting_notes(kamal) == []
    assert decidable_note_for(silva, returned.id).id == returned.id


def test_the_notes_of_a_visit_with_their_digests(world):
    visit = world.visits["fernando"]
    kamal, silva = world.user("kamal"), world.user("silva")
    note, other = note_by(world, visit_id=visit), note_by(world, visit_id=visit)
    note_by(world)
    wrong = note_by(world, visit_id=visit)
    say_in_error(wrong.id, version=wrong.version, reason="Wrong tooth", actor=kamal)
    agree_error(wrong.id, version=wrong.version, actor=silva)
    db.session.expire_all()
    found = notes_of_visit(visit)
    assert [each.id for each in found] == [note.id, other.id]
    assert [each.author.name for each in found] == ["Kamal Dias"] * 2
    assert digest_of(found[0]) == signings(note)[-1].sha256


def test_as_many_queries_for_many_as_for_few(world, fernando):
    kamal = world.user("kamal")
    note_by(world)
    db.session.commit()

    def asked():
        db.session.expire_all()
        db.session.refresh(kamal)
        with counted() as few:
            for note in notes_of(kamal, fernando).rows:
                assert note.author.name
                assert [signing.decided_by for signing in note.signings]
                assert all(each.author.name for each in note.addenda)
        return len(few)

    before = asked()
    for number in range(30):
        note = note_by(world, text=f"Note {number}")
        if number > 20:
            add_addendum(note.id, text="More", actor=kamal)
    db.session.commit()
    assert asked() <= before + 2  # the people and signings of addenda, once there are any
    page = notes_of(kamal, fernando)
    assert len(page.rows) == 20
    assert page.after
    assert len(notes_of(kamal, fernando, after=page.after).rows) == 11


def keep(person, form, text="Began to write"):
    at = clock.now() - timedelta(minutes=db.session.query(Draft).count())
    db.session.execute(
        insert(Draft).values(user_id=person.id, form=form, fields=json.dumps({"text": [text]}), updated_at=at)
    )


def test_unfinished_notes_of_patients_one_may_still_write_about(world, fernando):
    kamal = world.user("kamal")
    note = note_by(world)
    keep(kamal, f"/patients/{fernando}/notes/new", "Caries  in\n36 " + "x" * 100)
    keep(kamal, f"/patients/{fernando}/notes/{note.id}/addendum")
    keep(kamal, f"/patients/{world.patients['perera']}/notes/new")  # formerly theirs
    keep(kamal, f"/patients/{fernando}/notes/other")
    keep(kamal, "/patients/999999999999999999999/notes/new")
    keep(kamal, f"/patients/{fernando}/edit")
    keep(world.user("silva"), f"/patients/{fernando}/notes/new", "Of somebody else")
    found = unfinished_notes(kamal)
    assert [each.what for each in found] == ["a note", "an addendum"]
    assert found[0].words.startswith("Caries in 36 xx")
    assert len(found[0].words) == 80
    assert {each.patient.id for each in found} == {fernando}
    assert unfinished_notes(kamal, world.patients["perera"]) == []
    assert len(unfinished_notes(kamal, fernando)) == 2
