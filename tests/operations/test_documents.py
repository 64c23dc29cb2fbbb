"""Who files, deletes and restores what, and how the files of one thing stand to each other."""

import pytest

from clinic import clock, settings
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import Category, Document, DocumentStatus, Notice, Setting
from clinic.operations.documents import (
    Content,
    Said,
    ask_purge,
    begin_document,
    delete_document,
    describe_document,
    fail_document,
    finish_document,
    guessed,
    purge_document,
    quarantine_document,
    restore_document,
    return_purge,
    withdraw_purge,
)
from clinic.queries.documents import counts_of, documents_of, versions_of, waiting_purges
from clinic.storage import Stored
from tests.filed import PDF, file_document, png

WHY = "It is of another patient"
FOUND = "The scanner found Eicar in it."


def scanned(world, person="kamal", danger=FOUND) -> Document:
    """A document that came in while a scanner looked at it."""
    document = begin_document(world.patient("fernando"), once="s" * 64, actor=world.user(person))
    content = Content(Stored(document.key, 3, "d" * 64, ("d" * 64,)), "application/pdf", danger=danger)
    said = Said(Category.LETTER)
    return finish_document(document.id, name="bad.pdf", said=said, content=content, actor=world.user(person))


def away(document, actor) -> Document:
    return delete_document(document.id, version=document.version, reason=WHY, actor=actor)


def back(document, actor) -> Document:
    return restore_document(document.id, version=document.version, actor=actor)


class TestQuarantine:
    def test_administrators_are_told_of_what_the_scanner_put_there(self, world, session):
        document = scanned(world)
        told = db.session.query(Notice).filter_by(user_id=world.people["adel"]).one()
        assert told.kind == "document.quarantine"
        assert told.sentence == f"Document number {document.id} is in quarantine: {FOUND}"

    def test_of_what_is_clean_nobody_is_told(self, world, session):
        assert scanned(world, danger="").status is DocumentStatus.AVAILABLE
        assert db.session.query(Notice).count() == 0

    @pytest.mark.parametrize("name", ["kamal", "silva"])
    def test_whoever_added_it_or_a_supervisor_deletes_it_and_it_never_comes_out(self, world, session, name):
        document, actor = scanned(world), world.user(name)
        away(document, actor)
        assert document.is_away
        assert (document.status, document.why) == (DocumentStatus.QUARANTINED, FOUND)
        assert [each.id for each in documents_of(actor, document.patient_id, deleted=True).rows] == [document.id]
        assert documents_of(actor, document.patient_id).rows == []
        with pytest.raises(Conflict):
            away(document, actor)
        back(document, actor)
        assert (document.status, document.why, document.deleted_at) == (DocumentStatus.QUARANTINED, FOUND, None)
        with pytest.raises(Conflict):
            back(document, actor)

    def test_nobody_else_deletes_it(self, world, session):
        document = scanned(world)
        with pytest.raises(DomainError, match="whoever added it"):
            away(document, world.user("ruwan"))
        assert document.deleted_at is None

    def test_two_people_purge_it(self, world, session):
        kamal, silva = world.user("kamal"), world.user("silva")
        document = away(scanned(world), kamal)
        ask_purge(document.id, version=document.version, reason=WHY, actor=kamal)
        assert [each.id for each in waiting_purges(silva)] == [document.id]
        with pytest.raises(NotAllowed):
            purge_document(document.id, version=document.version, actor=kamal)
        purge_document(document.id, version=document.version, actor=silva)
        assert document.status is DocumentStatus.PURGED
        assert waiting_purges(silva) == []

    def test_what_is_shown_is_not_asked_to_be_purged(self, world, session):
        document = scanned(world)
        with pytest.raises(Conflict):
            ask_purge(document.id, version=document.version, reason=WHY, actor=world.user("kamal"))

    def test_what_was_deleted_and_is_damaged_can_be_restored_into_quarantine(self, world, session):
        kamal = world.user("kamal")
        document = away(file_document(world), kamal)
        quarantine_document(document.id, why="Its bytes are not what was stored.")
        assert document.is_away
        assert back(document, kamal).status is DocumentStatus.QUARANTINED

    def test_it_is_not_described(self, world, session):
        document = scanned(world)
        with pytest.raises(Conflict):
            describe_document(
                document.id, version=document.version, said=Said(Category.CONSENT), actor=world.user("kamal")
            )


class TestArchived:
    """The record of an archived patient stays as it is."""

    @pytest.fixture
    def archive(self, world, session):
        def archive():
            world.patient("fernando").archived_at = clock.now()
            db.session.flush()

        return archive

    def refused(self):
        return pytest.raises(DomainError, match="is archived")

    def test_nothing_is_added_described_or_deleted(self, world, archive):
        document, kamal = file_document(world), world.user("kamal")
        archive()
        with self.refused():
            begin_document(world.patient("fernando"), once="b" * 64, actor=kamal)
        with self.refused():
            describe_document(document.id, version=document.version, said=Said(Category.OTHER), actor=kamal)
        with self.refused():
            away(document, kamal)
        assert document.status is DocumentStatus.AVAILABLE

    def test_nothing_is_restored_or_asked_to_be_purged(self, world, archive):
        kamal = world.user("kamal")
        document = away(file_document(world), kamal)
        archive()
        with self.refused():
            back(document, kamal)
        with self.refused():
            ask_purge(document.id, version=document.version, reason=WHY, actor=kamal)
        assert document.purge_asked_by_id is None

    @pytest.mark.parametrize("how", ["withdrawn", "returned"])
    def test_nothing_is_purged_but_a_wish_can_be_taken_back(self, world, archive, how):
        kamal, silva = world.user("kamal"), world.user("silva")
        document = away(file_document(world), kamal)
        ask_purge(document.id, version=document.version, reason=WHY, actor=kamal)
        archive()
        with self.refused():
            purge_document(document.id, version=document.version, actor=silva)
        if how == "withdrawn":
            withdraw_purge(document.id, version=document.version, actor=kamal)
        else:
            return_purge(document.id, version=document.version, reason="No", actor=silva)
        assert document.purge_asked_by_id is None

    def test_what_was_on_its_way_arrives(self, world, archive):
        document = begin_document(world.patient("fernando"), once="c" * 64, actor=world.user("kamal"))
        archive()
        content = Content(Stored(document.key, 3, "d" * 64, ("d" * 64,)), "application/pdf")
        finish_document(
            document.id, name="a.pdf", said=Said(Category.LETTER), content=content, actor=world.user("kamal")
        )
        assert document.status is DocumentStatus.AVAILABLE


class TestOneThing:
    """Of one thing the newest file is shown, whatever became of those between."""

    @staticmethod
    def file(world, name, former=None, category=Category.RADIOGRAPH):
        replaces = former.id if former else None
        return file_document(
            world, body=png(len(name) + 1, 3), name=name, once=name, said=Said(category), replaces=replaces
        )

    @staticmethod
    def shown(world, person="kamal"):
        return [each.name for each in documents_of(world.user(person), world.patients["fernando"]).rows]

    def test_the_newer_file_stays_newest_when_a_former_one_is_restored(self, world, session):
        kamal = world.user("kamal")
        first = self.file(world, "first")
        second = away(self.file(world, "second", first), kamal)
        third = self.file(world, "third", first)
        back(second, kamal)
        assert self.shown(world) == ["third"]
        assert [each.name for each in versions_of(kamal, first)] == ["third", "second", "first"]
        assert [each.name for each in versions_of(kamal, third)] == ["third", "second", "first"]
        assert sum(counts_of(kamal, first.patient_id).values()) == 1

    @pytest.mark.parametrize("how", ["deleted", "quarantined"])
    def test_a_file_between_that_goes_brings_no_former_one_back(self, world, session, how):
        kamal = world.user("kamal")
        first = self.file(world, "first")
        second = self.file(world, "second", first)
        third = self.file(world, "third", second)
        if how == "deleted":
            away(second, kamal)
        else:
            quarantine_document(second.id, why=FOUND)
        assert self.shown(world) == ["third"]
        away(third, kamal)
        assert self.shown(world) == (["first"] if how == "deleted" else ["second", "first"])

    def test_what_has_a_newer_file_further_on_is_not_replaced_again(self, world, session):
        kamal = world.user("kamal")
        first = self.file(world, "first")
        second = self.file(world, "second", first)
        self.file(world, "third", second)
        away(second, kamal)
        with pytest.raises(Conflict, match="already"):
            self.file(world, "fourth", first)

    def test_the_front_desk_sees_the_former_file_when_the_newer_is_a_picture_of_the_mouth(self, world, session):
        letter = self.file(world, "letter", category=Category.LETTER)
        picture = self.file(world, "picture", letter)
        assert self.shown(world) == ["picture"]
        assert self.shown(world, "ruwan") == ["letter"]
        assert counts_of(world.user("ruwan"), letter.patient_id) == {Category.LETTER: 1}
        assert [each.name for each in versions_of(world.user("ruwan"), letter)] == ["letter"]
        self.file(world, "signed", picture, Category.CONSENT)
        assert self.shown(world) == self.shown(world, "ruwan") == ["signed"]

    def test_the_front_desk_puts_no_picture_of_the_mouth_out_of_sight(self, world, session):
        letter = self.file(world, "letter", category=Category.LETTER)
        self.file(world, "picture", letter)
        with pytest.raises(Conflict, match="not yours"):
            file_document(
                world, "fernando", "ruwan", body=PDF, name="b.pdf", said=Said(Category.LETTER), replaces=letter.id
            )


def test_the_front_desk_has_nothing_to_do_with_pictures_of_the_mouth(world, session):
    ruwan, kamal = world.user("ruwan"), world.user("kamal")
    letter, picture = file_document(world, body=PDF, name="letter.pdf"), file_document(world)
    with pytest.raises(DomainError, match="front desk files"):
        describe_document(letter.id, version=letter.version, said=Said(Category.RADIOGRAPH), actor=ruwan)
    with pytest.raises(DomainError, match="picture of the mouth"):
        away(picture, ruwan)
    away(picture, kamal)
    with pytest.raises(DomainError, match="picture of the mouth"):
        back(picture, ruwan)
    with pytest.raises(DomainError, match="picture of the mouth"):
        ask_purge(picture.id, version=picture.version, reason=WHY, actor=ruwan)
    assert away(letter, ruwan).is_away


class TestQuota:
    """How much one person adds in a day: what is on its way counts as announced, what failed does not."""

    @pytest.fixture(autouse=True)
    def few(self, session):
        db.session.add_all([Setting(name="documents_a_day", value="3"), Setting(name="document_mib_a_day", value="10")])
        db.session.flush()
        settings.forget()
        yield
        settings.forget()

    @staticmethod
    def begin(world, once, mib, person="kamal"):
        actor = world.user(person)
        return begin_document(world.patient("fernando"), once=once * 64, size=mib * 2**20, actor=actor)

    def test_what_is_on_its_way_counts(self, world):
        self.begin(world, "a", 6)
        with pytest.raises(DomainError, match="more than"):
            self.begin(world, "b", 5)
        self.begin(world, "b", 5, person="ruwan")
        self.begin(world, "c", 4)
        with pytest.raises(DomainError, match="more than"):
            self.begin(world, "d", 1)

    def test_what_arrived_counts_as_it_is(self, world):
        document = self.begin(world, "a", 10)
        content = Content(Stored(document.key, 2**20, "d" * 64, ("d" * 64,)), "application/pdf")
        finish_document(
            document.id, name="a.pdf", said=Said(Category.LETTER), content=content, actor=world.user("kamal")
        )
        self.begin(world, "b", 9)
        with pytest.raises(DomainError, match="more than"):
            self.begin(world, "c", 1)

    def test_what_failed_counts_for_nothing(self, world):
        for once in "abcde":
            failed = self.begin(world, once, 10)
            fail_document(failed.id, why="It was cut off.")
            assert failed.size == 0
        for once in "fgh":
            self.begin(world, once, 1)
        with pytest.raises(DomainError, match="3 files"):
            self.begin(world, "i", 1)


@pytest.mark.parametrize(
    ("name", "media_type", "person", "category"),
    [
        ("IMG_1.jpg", "image/jpeg", "kamal", Category.PHOTOGRAPH),
        ("IMG_1.jpg", "image/jpeg", "ruwan", Category.SCAN),
        ("Consent form.pdf", "application/pdf", "ruwan", Category.CONSENT),
        ("referral OPG.pdf", "application/pdf", "kamal", Category.RADIOGRAPH),
        ("referral.pdf", "application/pdf", "kamal", Category.LETTER),
        ("x.dcm", "application/dicom", "kamal", Category.RADIOGRAPH),
        ("x.pdf", "application/pdf", "kamal", Category.OTHER),
    ],
)
def test_what_a_file_probably_is(world, session, name, media_type, person, category):
    assert guessed(media_type, name, actor=world.user(person)) is category
