"""How much is stored: in all, of a patient as far as the viewer may see it, and nobody's name to whoever may not know the patient."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from clinic import clock
from clinic.extensions import db
from clinic.models import BrokenGlass, Category, Document, DocumentStatus, GlassReason
from clinic.operations.documents import Said, delete_document
from clinic.queries import scope
from clinic.queries.documents import amounts_of
from clinic.queries.stored import Amount, figures
from tests.filed import PDF, file_document, png
from tests.queries_counted import counted


def of_size(document, size):
    db.session.execute(update(Document).where(Document.id == document.id).values(size=size))
    return document


@pytest.fixture
def some(world, session):
    """Of Fernando two radiographs (one a former file of the other), a letter and a consent that was deleted; of Perera a letter."""
    first = file_document(world, name="old.png")
    second = file_document(world, name="new.png", body=png(9, 9), replaces=first.id)
    letter = file_document(world, name="a.pdf", body=PDF)
    consent = file_document(world, name="b.pdf", body=PDF, said=Said(Category.CONSENT))
    delete_document(consent.id, version=consent.version, reason="Twice", actor=world.user("kamal"))
    other = file_document(world, "perera", "leela", name="c.pdf", body=PDF)
    for document, size in ((first, 100), (second, 200), (letter, 30), (consent, 4), (other, 5000)):
        of_size(document, size)
    session.flush()
    return first, second, letter, consent, other


class TestOfAPatient:
    def test_former_files_count_and_deleted_ones_apart(self, world, some):
        assert amounts_of(world.user("kamal"), world.patients["fernando"]) == (Amount(3, 330), Amount(1, 4))

    def test_the_front_desk_counts_what_it_may_see(self, world, some):
        assert amounts_of(world.user("ruwan"), world.patients["fernando"]) == (Amount(1, 30), Amount(1, 4))

    def test_nothing_of_a_patient_one_may_not_see(self, world, some):
        assert amounts_of(world.user("omar"), world.patients["fernando"]) == (Amount(), Amount())

    def test_what_is_no_longer_or_not_yet_in_the_store_does_not_count(self, world, session, some):
        for document, state in zip(
            some, (DocumentStatus.FAILED, DocumentStatus.QUARANTINED, DocumentStatus.PENDING), strict=False
        ):
            session.execute(update(Document).where(Document.id == document.id).values(status=state))
        assert amounts_of(world.user("kamal"), world.patients["fernando"]) == (Amount(1, 200), Amount(1, 4))

    def test_it_is_one_query(self, world, some):
        kamal = world.user("kamal")
        with counted() as statements:
            amounts_of(kamal, world.patients["fernando"])
        assert len(statements) == 1


class TestInAll:
    def test_by_category_and_what_is_new(self, world, session, some):
        at = clock.now() - timedelta(days=31)
        session.execute(update(Document).where(Document.id == some[0].id).values(available_at=at, checked_at=at))
        found = figures(world.user("adel"))
        assert list(found.by_category) == [Category.RADIOGRAPH, Category.LETTER, Category.CONSENT]
        radiographs = found.by_category[Category.RADIOGRAPH]
        assert (radiographs.all, radiographs.new) == (Amount(2, 300), Amount(1, 200))
        assert found.by_category[Category.CONSENT].deleted == Amount(1, 4)
        session.execute(
            update(Document).where(Document.id == some[3].id).values(status=DocumentStatus.QUARANTINED)
        )  # what was deleted stays so, whatever is found in it
        assert figures(world.user("adel")).by_category[Category.CONSENT].deleted == Amount(1, 4)
        assert (found.all.all, found.all.deleted) == (Amount(5, 5334), Amount(1, 4))
        assert abs(found.oldest - at) < timedelta(seconds=1)

    def test_the_largest_records_name_nobody_to_whom_they_are_unknown(self, world, session, some):
        adel = world.user("adel")
        assert figures(adel).largest == [(None, Amount(1, 5000)), (None, Amount(4, 334))]
        session.add(
            BrokenGlass(
                user_id=adel.id,
                patient_id=world.patients["fernando"],
                reason=GlassReason.SAFETY,
                words="A recall",
                opened_at=clock.now(),
                expires_at=clock.now() + timedelta(hours=1),
            )
        )
        session.flush()
        scope.only_looking.set(True)
        try:
            seen = [patient and patient.id for patient, _ in figures(adel).largest]
        finally:
            scope.only_looking.set(False)
        assert seen == [None, world.patients["fernando"]]

    def test_an_empty_clinic(self, world, session):
        found = figures(world.user("adel"))
        assert (found.by_category, found.oldest, found.largest) == ({}, None, [])
        assert found.all.all == Amount()

    def test_as_many_queries_however_many_documents(self, world, session, some):
        adel, seen = world.user("adel"), []
        for _ in range(2):
            with counted() as statements:
                figures(adel)
            seen.append(len(statements))
            for width in range(2, 12):
                file_document(world, body=png(width, 3), name=f"{width}.png")
        assert seen == [2, 2]
