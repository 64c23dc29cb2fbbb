"""Purging a document takes two people and a reason; its bytes go, its row stays."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from clinic import clock, kept, settings, storage
from clinic.approvals.inbox import KINDS, approve_several, inbox_of, item_for, number_waiting
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import Assignment, Category, Document, DocumentStatus, Notice, Setting, Unowned, VisitStatus
from clinic.operations import reconciling
from clinic.operations.documents import (
    Said,
    ask_purge,
    delete_document,
    describe_document,
    purge_document,
    restore_document,
    return_purge,
    withdraw_purge,
)
from tests.filed import file_document, png
from tests.scene import second_supervisor
from tests.stores import kept_in

WHY = "It is of another patient"


@pytest.fixture
def deleted(world, session):
    document = file_document(world)
    return delete_document(document.id, version=document.version, reason=WHY, actor=world.user("kamal"))


@pytest.fixture
def asked(world, deleted):
    return ask_purge(deleted.id, version=deleted.version, reason=WHY, actor=world.user("kamal"))


def test_two_people_purge(world, asked):
    silva = world.user("silva")
    assert number_waiting(silva) == 1
    (group,) = inbox_of(silva).groups
    assert [(item.kind, item.id) for item in group.items] == [("purge", asked.id)]
    with pytest.raises(DomainError, match="by itself"):
        approve_several([(group.items[0], asked.version)], actor=silva)
    purged = purge_document(asked.id, version=asked.version, actor=silva)
    assert purged.status is DocumentStatus.PURGED
    assert (purged.purge_asked_by_id, purged.purged_by_id) == (world.people["kamal"], silva.id)
    assert number_waiting(silva) == 0
    assert "purged this on" in item_for(silva, "purge", asked.id).outcome
    told = db.session.query(Notice).filter_by(user_id=world.people["kamal"], kind="document.purged").one()
    assert told.patient_id == asked.patient_id


def test_nobody_purges_what_they_asked_for(world, deleted):
    silva = world.user("silva")
    asked = ask_purge(deleted.id, version=deleted.version, reason=WHY, actor=silva)
    assert number_waiting(silva) == 0
    with pytest.raises(NotAllowed, match="Another supervisor"):
        purge_document(asked.id, version=asked.version, actor=silva)
    other = second_supervisor(world)
    assert purge_document(asked.id, version=asked.version, actor=other).status is DocumentStatus.PURGED


@pytest.mark.parametrize("name", ["kamal", "leela", "ruwan", "adel", "sato"])
def test_only_a_supervisor_of_the_patient_agrees(world, asked, name):
    if name == "kamal":
        asked.purge_asked_by_id = world.people["leela"]
        db.session.flush()
    with pytest.raises(NotAllowed):
        purge_document(asked.id, version=asked.version, actor=world.user(name))
    with pytest.raises(NotAllowed):
        return_purge(asked.id, version=asked.version, reason="No", actor=world.user(name))


def test_what_is_not_deleted_is_not_purged(world, session):
    document = file_document(world)
    with pytest.raises(Conflict):
        ask_purge(document.id, version=document.version, reason=WHY, actor=world.user("kamal"))


def test_it_is_asked_for_once(world, asked):
    with pytest.raises(Conflict, match="already"):
        ask_purge(asked.id, version=asked.version, reason=WHY, actor=world.user("silva"))


def test_returned_it_stays_deleted_and_the_reason_is_told(world, asked):
    document = return_purge(asked.id, version=asked.version, reason="It is hers", actor=world.user("silva"))
    assert document.status is DocumentStatus.DELETED
    assert document.purge_asked_by_id is None
    told = db.session.query(Notice).filter_by(user_id=world.people["kamal"], kind="document.purge_returned").one()
    assert "It is hers" in told.sentence
    assert restore_document(document.id, version=document.version, actor=world.user("kamal"))


def test_withdrawn_or_restored_nobody_decides_any_more(world, asked):
    with pytest.raises(NotAllowed):
        withdraw_purge(asked.id, version=asked.version, actor=world.user("silva"))
    document = withdraw_purge(asked.id, version=asked.version, actor=world.user("kamal"))
    again = ask_purge(document.id, version=document.version, reason=WHY, actor=world.user("kamal"))
    restored = restore_document(again.id, version=again.version, actor=world.user("kamal"))
    assert restored.purge_asked_by_id is None
    assert number_waiting(world.user("silva")) == 0
    with pytest.raises(Conflict):
        purge_document(restored.id, version=restored.version, actor=world.user("silva"))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("withdrawn", "Kamal Dias withdrew this on"),
        ("returned", "“It is hers”"),
        ("restored", "Kamal Dias restored the document on"),
        ("purged", "Dr Sunil Silva purged this on"),
    ],
)
def test_whoever_has_it_open_reads_what_became_of_it(world, asked, how, says):
    kamal, silva, version = world.user("kamal"), world.user("silva"), asked.version
    if how == "withdrawn":
        withdraw_purge(asked.id, version=version, actor=kamal)
    elif how == "returned":
        return_purge(asked.id, version=version, reason="It is hers", actor=silva)
    elif how == "restored":
        restore_document(asked.id, version=version, actor=kamal)
    else:
        purge_document(asked.id, version=version, actor=silva)
    item = item_for(silva, "purge", asked.id)
    assert says in item.outcome
    assert (item.asked_by, item.since) == ("Kamal Dias", item.since)
    assert KINDS["purge"].facts(silva, item)["why"] == WHY
    with pytest.raises(Conflict, match=says):
        purge_document(asked.id, version=version, actor=second_supervisor(world))
    assert item_for(world.user("sato"), "purge", asked.id) is None
    assert number_waiting(silva) == 0


def test_what_nobody_ever_wanted_purged_is_no_item(world, deleted):
    assert item_for(world.user("silva"), "purge", deleted.id) is None


class TestWhoHears:
    """Every supervisor who may be shown it hears of it at once, and nobody of what changes nothing in approvals."""

    @staticmethod
    def heard(session):
        return {topic for topic in session.info.pop("nudges", {}) if not topic.startswith("person:")}

    def of(self, world, *names):
        return {f"approvals:{world.departments[name]}" for name in names}

    def test_only_what_is_about_purging_is_heard(self, world, session):
        session.info.pop("nudges", None)
        kamal, silva = world.user("kamal"), world.user("silva")
        document = file_document(world)
        describe_document(document.id, version=document.version, said=Said(Category.OTHER), actor=kamal)
        delete_document(document.id, version=document.version, reason=WHY, actor=kamal)
        restore_document(document.id, version=document.version, actor=kamal)
        delete_document(document.id, version=document.version, reason=WHY, actor=kamal)
        assert self.heard(session) == set()
        for act in (
            lambda: ask_purge(document.id, version=document.version, reason=WHY, actor=kamal),
            lambda: withdraw_purge(document.id, version=document.version, actor=kamal),
            lambda: ask_purge(document.id, version=document.version, reason=WHY, actor=kamal),
            lambda: return_purge(document.id, version=document.version, reason="No", actor=silva),
            lambda: ask_purge(document.id, version=document.version, reason=WHY, actor=kamal),
            lambda: restore_document(document.id, version=document.version, actor=kamal),
        ):
            act()
            assert self.heard(session) == self.of(world, "restorative")

    def test_who_is_given_the_patient_by_a_visit_or_for_want_of_an_owner_hears(self, world, deleted, session):
        visit = world.visit("fernando")
        visit.supervisor_id = world.people["sato"]
        session.flush()
        asked = ask_purge(deleted.id, version=deleted.version, reason=WHY, actor=world.user("kamal"))
        assert self.heard(session) == self.of(world, "restorative", "orthodontics")
        session.execute(delete(Assignment))
        withdraw_purge(asked.id, version=asked.version, actor=world.user("kamal"))
        assert self.heard(session) == self.of(world, "orthodontics")
        visit.status = VisitStatus.CANCELLED
        session.add(
            Unowned(
                patient_id=asked.patient_id,
                department_id=world.departments["restorative"],
                from_id=world.people["kamal"],
                since=clock.now(),
            )
        )
        session.flush()
        ask_purge(asked.id, version=asked.version, reason=WHY, actor=world.user("kamal"))
        assert self.heard(session) == self.of(world, "restorative")

    def test_a_supervisor_without_a_department_hears_for_themself(self, world, deleted, session):
        ines = second_supervisor(world)
        ines.department_id = None
        visit = world.visit("fernando")
        visit.supervisor_id = ines.id
        session.flush()
        ask_purge(deleted.id, version=deleted.version, reason=WHY, actor=world.user("kamal"))
        assert f"person:{ines.id}" in session.info["nudges"]
        assert number_waiting(ines) == 1


@pytest.mark.parametrize(
    ("name", "value", "says"), [("document_hold", "true", "legal hold"), ("document_years", "10", "10 years")]
)
def test_what_must_be_kept_is_kept(world, asked, name, value, says):
    db.session.add(Setting(name=name, value=value))
    db.session.flush()
    settings.forget()
    with pytest.raises(DomainError, match=says):
        purge_document(asked.id, version=asked.version, actor=world.user("silva"))
    settings.forget()


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.xdist_group("storage")
def test_the_bytes_go_and_the_row_stays(app, world, weed):
    with kept_in(app, weed), app.app_context():
        kamal, silva = world.user("kamal"), world.user("silva")
        gone = file_document(world, body=png(7, 7), into_store=True)
        twin = file_document(world, "fernando", body=png(7, 7), name="twin.png", once="twin", into_store=True)
        made = kept.keys_of(gone.sha256)  # small picture, preview, what the file says
        for key in made:
            storage.put_once(key, b"x")
        for document in (gone, twin):
            delete_document(document.id, version=document.version, reason=WHY, actor=kamal)
        ask_purge(gone.id, version=gone.version, reason=WHY, actor=kamal)
        purge_document(gone.id, version=gone.version, actor=silva)
        db.session.add(Setting(name="document_hold", value="true"))
        db.session.commit()
        settings.forget()
        assert reconciling.reconcile(db.session.commit).taken == 0  # what is held stays, though it was purged before
        db.session.execute(delete(Setting))
        db.session.commit()
        settings.forget()
        assert reconciling.reconcile(db.session.commit).is_good
        assert storage.size_of(gone.key) is None
        assert storage.size_of(twin.key)
        assert [storage.size_of(key) for key in made] == [1, 1, 1]  # the other one is the same file
        ask_purge(twin.id, version=twin.version, reason=WHY, actor=kamal)
        purge_document(twin.id, version=twin.version, actor=silva)
        db.session.commit()
        with clock.frozen(clock.now() + timedelta(hours=1)):
            reconciling.reconcile(db.session.commit)
        assert [storage.size_of(key) for key in made] == [None, None, None]
        assert db.session.get(Document, gone.id).name == "36.png"
