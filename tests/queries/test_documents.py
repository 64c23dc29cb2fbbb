"""Which documents, visits and wishes to purge a viewer is shown."""

import pytest

from clinic.extensions import db
from clinic.models import Category
from clinic.operations.documents import Said, ask_purge, delete_document
from clinic.queries.documents import (
    counts_of,
    document_for,
    documents_of,
    number_of_tooth,
    pictures_of,
    purge_for,
    versions_of,
    visits_to_choose,
    waiting_purges,
)
from clinic.queries.scope import supervisors_given
from tests.filed import PDF, file_document
from tests.scene import second_supervisor

SEE = {"kamal", "silva", "ruwan", "nimal"}  # whom the world gives the patient


@pytest.fixture
def filed(world, session):
    """A radiograph of tooth 36 and a letter."""
    picture = file_document(world, said=Said(Category.RADIOGRAPH, teeth=("36",)))
    return picture, file_document(world, body=PDF, name="letter.pdf")


@pytest.mark.parametrize("name", ["kamal", "silva", "ruwan", "leela", "omar", "sato", "adel"])
def test_only_who_is_given_the_patient_is_shown_anything(world, filed, name):
    viewer, (picture, letter) = world.user(name), filed
    of = picture.patient_id
    expected = [each for each in (letter, picture) if name in SEE and (name != "ruwan" or each is letter)]
    assert documents_of(viewer, of).rows == expected
    assert sum(counts_of(viewer, of).values()) == len(expected)
    assert number_of_tooth(viewer, of, "36") == (picture in expected)
    assert pictures_of(viewer, of) == [each for each in expected if each is picture]
    assert document_for(viewer, of, picture.id) == (picture if picture in expected else None)
    assert versions_of(viewer, picture) == [each for each in expected if each is picture]
    assert bool(visits_to_choose(viewer, of)) == (name in SEE)


def test_a_visit_that_is_chosen_already_is_shown_to_who_may_see_it(world, filed, monkeypatch):
    monkeypatch.setattr("clinic.queries.documents.MOST_VISITS", 0)
    of, visit = world.patients["fernando"], world.visits["fernando"]
    assert [each.id for each in visits_to_choose(world.user("kamal"), of, visit)] == [visit]
    assert visits_to_choose(world.user("kamal"), of, world.visits["wu"]) == []
    assert visits_to_choose(world.user("omar"), of, visit) == []


@pytest.mark.parametrize("name", ["kamal", "silva", "ruwan", "sato", "adel"])
def test_a_wish_to_purge_is_shown_to_supervisors_of_the_patient(world, filed, name):
    kamal, letter = world.user("kamal"), filed[1]
    delete_document(letter.id, version=letter.version, reason="Wrong", actor=kamal)
    assert purge_for(world.user(name), letter.id) is None  # nobody asks
    ask_purge(letter.id, version=letter.version, reason="Wrong", actor=kamal)
    shown = [letter] if name == "silva" else []
    assert waiting_purges(world.user(name)) == shown
    assert purge_for(world.user(name), letter.id) == (shown[0] if shown else None)


def test_whoever_waits_to_decide_is_found_from_the_patient_too(world, filed):
    ines, away = second_supervisor(world), second_supervisor(world, name="Dr Away")
    away.active = False
    db.session.flush()
    found = {row.id for row in db.session.execute(supervisors_given(filed[0].patient_id))}
    assert found == {world.people["silva"], ines.id}
