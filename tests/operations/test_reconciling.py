"""Rows and objects agree again after what was cut off; what is young is left alone; twice changes nothing."""

from datetime import timedelta

import pytest

from clinic import clock, storage
from clinic.extensions import db
from clinic.incoming import Incoming
from clinic.models import Document, DocumentStatus, JobRun, Notice
from clinic.operations import reconciling
from clinic.operations.documents import begin_document, delete_document, fail_document, quarantine_document
from clinic.operations.reconciling import MOST_MISSING, YOUNG
from tests.filed import file_document, png
from tests.stores import kept_in

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("storage")]


@pytest.fixture
def kept(app, store):
    with kept_in(app, store), app.app_context():
        for each in list(storage.keys("documents/")):  # of other tests
            storage.delete(each)
        for each in list(storage.unfinished("documents/")):
            storage.abort(each)
        yield store


def pending(world, once="a" * 64):
    document = begin_document(world.patient("fernando"), once=once, actor=world.user("kamal"))
    db.session.commit()
    return document


def left_open(key):
    """An upload of two parts that was cut off."""
    incoming = Incoming(key, most=10**9)
    incoming.write(b"x" * (storage.PART + 1))
    incoming._wait()
    incoming._wire.shutdown()


def run():
    return reconciling.reconcile(db.session.commit)


class TestYoung:
    def test_what_may_be_on_its_way_is_left_alone(self, world, kept):
        document = pending(world)
        storage.put_once(document.key, b"x")
        storage.put_once("documents/nobody", b"x")
        left_open("documents/open")
        found = run()
        assert found.is_good
        assert (found.cut_off, found.taken, found.aborted) == (0, 0, 0)
        assert storage.size_of(document.key) == 1
        assert len(list(storage.unfinished("documents/"))) == 1


class TestOld:
    def old(self):
        return clock.frozen(clock.now() + YOUNG + timedelta(minutes=1))

    def test_what_was_cut_off_fails_and_leaves_nothing(self, world, kept):
        document = pending(world)
        storage.put_once(document.key, b"x")
        left_open("documents/open")
        with self.old():
            found = run()
            assert (found.cut_off, found.aborted) == (1, 1)
            assert storage.size_of(document.key) is None
            assert db.session.get(Document, document.id).status is DocumentStatus.FAILED
            again = run()
        assert (again.cut_off, again.taken, again.aborted, again.is_good) == (0, 0, 0, True)
        assert list(storage.unfinished("documents/")) == []

    @pytest.mark.parametrize("number", [1, 40])
    def test_objects_of_nobody_are_left_and_told_until_somebody_says_so(self, world, kept, number):
        """However few: the documents that came in after a backup that was restored are among them."""
        one = file_document(world, into_store=True)
        gone = file_document(world, body=png(2, 2), into_store=True)
        delete_document(gone.id, version=gone.version, reason="Twice", actor=world.user("kamal"))
        db.session.commit()
        for each in range(number):
            storage.put_once(f"documents/unknown{each:03}", b"x")
        with self.old():
            found = run()
            assert (found.taken, found.unknown, found.is_good) == (0, number, False)
            assert "restored from a backup" in found.sentence
            assert len(list(storage.keys("documents/"))) == number + 2
            taken = reconciling.reconcile(db.session.commit, take_unknown=True)
        assert (taken.taken, taken.unknown, taken.is_good) == (number, 0, True)
        assert sorted(storage.keys("documents/")) == sorted([one.key, gone.key])

    def test_no_connection_to_the_database_is_held_while_the_store_is_asked(self, world, kept, monkeypatch):
        failed, lost = pending(world), file_document(world, into_store=True)
        fail_document(failed.id, why="It was cut off.")
        db.session.commit()
        storage.put_once(failed.key, b"x")
        storage.delete(lost.key)
        held = []

        def watched(name):
            real = getattr(storage, name)

            def ask(*given):
                held.append((name, db.session().in_transaction()))
                return real(*given)

            monkeypatch.setattr(storage, name, ask)

        watched("delete")
        watched("size_of")
        with self.old():
            found = run()
        assert (found.taken, found.missing) == (1, [lost.id])
        assert sorted(held) == [("delete", False), ("size_of", False)]

    def test_a_document_without_its_bytes_is_named_and_nobody_reads_it(self, world, kept):
        there, lost = file_document(world, into_store=True), file_document(world, body=png(2, 2), into_store=True)
        db.session.commit()
        storage.delete(lost.key)
        with self.old():
            found = run()
        assert found.missing == [lost.id]
        assert str(lost.id) in found.sentence
        assert db.session.get(Document, lost.id).status is DocumentStatus.QUARANTINED
        assert db.session.get(Document, there.id).status is DocumentStatus.AVAILABLE
        told = db.session.query(Notice).filter_by(user_id=world.people["adel"]).one()
        assert told.kind == "document.quarantine"

    def test_when_nearly_all_is_missing_it_is_another_bucket_and_nothing_is_touched(self, world, kept, monkeypatch):
        ids = [file_document(world, body=png(width, 2)).id for width in range(1, MOST_MISSING + 30)]
        db.session.commit()
        storage.put_once("documents/of-somebody-else", b"x")
        left_open("documents/open")
        asked = []

        def size_of(key, real=storage.size_of):
            asked.append(key)
            return real(key)

        monkeypatch.setattr(storage, "size_of", size_of)
        with self.old():
            found = reconciling.reconcile(db.session.commit, take_unknown=True)
        assert len(found.missing) == len(asked) == MOST_MISSING + 1
        assert set(found.missing) <= set(ids)
        assert not found.is_good
        assert "right bucket" in found.sentence
        assert (found.taken, found.aborted) == (0, 0)
        assert list(storage.keys("documents/")) == ["documents/of-somebody-else"]
        assert {db.session.get(Document, each).status for each in ids} == {DocumentStatus.AVAILABLE}

    def test_what_arrives_at_the_last_moment_keeps_its_bytes(self, world, kept, monkeypatch):
        document = pending(world)
        storage.put_once(document.key, b"x")

        def too_late(number, **_):
            arrived = db.session.get(Document, number)
            arrived.status, arrived.sha256, arrived.available_at = DocumentStatus.AVAILABLE, "x", clock.now()
            return False

        monkeypatch.setattr(reconciling, "fail_document", too_late)
        with self.old():
            found = run()
        assert (found.cut_off, found.is_good) == (0, True)
        assert storage.size_of(document.key) == 1


class TestVerify:
    def test_all_are_read_anew(self, world, kept):
        documents = [file_document(world, body=png(width, 2), into_store=True) for width in (2, 3, 4)]
        db.session.commit()
        with clock.frozen(clock.now() + timedelta(days=1)):
            verified = reconciling.verify(db.session.commit)
        assert (verified.read, verified.wrong) == (3, [])
        assert verified.size == sum(document.size for document in documents)

    @pytest.mark.parametrize("how", ["flipped", "cut", "longer", "gone"])
    def test_what_is_wrong_is_named(self, world, kept, how):
        body = png(5, 5)
        good, bad = file_document(world, into_store=True), file_document(world, body=body, into_store=True)
        db.session.commit()
        storage.delete(bad.key)
        if how != "gone":
            storage.put_once(bad.key, {"flipped": b"\0" + body[1:], "cut": body[:-1], "longer": body + b"x"}[how])
        verified = reconciling.verify(db.session.commit)
        assert verified.wrong == [bad.id]
        assert not verified.is_good
        assert db.session.get(Document, good.id).status is DocumentStatus.AVAILABLE
        assert db.session.get(Document, bad.id).status is DocumentStatus.QUARANTINED

    def test_what_is_right_again_comes_out_of_quarantine(self, world, kept):
        body = png(5, 5)
        document, harmful = file_document(world, body=body, into_store=True), file_document(world, into_store=True)
        storage.delete(document.key)
        quarantine_document(harmful.id, why="The scanner found Eicar in it.")
        db.session.commit()
        assert reconciling.verify(db.session.commit).wrong == [document.id]
        again = reconciling.verify(db.session.commit, share=0)
        assert (again.wrong, again.known, again.is_good) == ([], [document.id], True)  # it is looked at each time
        assert "as before" in again.sentence
        storage.put_once(document.key, body)
        assert reconciling.verify(db.session.commit).is_good
        assert db.session.get(Document, document.id).status is DocumentStatus.AVAILABLE
        assert db.session.get(Document, harmful.id).status is DocumentStatus.QUARANTINED

    def test_a_share_goes_round(self, world, kept):
        ids = {file_document(world, body=png(width, 2), into_store=True).id for width in range(2, 8)}
        db.session.commit()
        seen = set()
        for day in range(1, 4):
            with clock.frozen(clock.now() + timedelta(days=day)):
                before = clock.now()
                reconciling.verify(db.session.commit, share=1 / 3)
                db.session.expire_all()
                seen |= {each.id for each in db.session.query(Document) if each.checked_at >= before}
        assert seen == ids

    def test_by_hand_it_is_a_run_of_which_the_page_status_tells(self, app, world, kept):
        good, bad = (file_document(world, body=png(width, 5), into_store=True) for width in (5, 6))
        db.session.commit()
        first = app.test_cli_runner().invoke(args=["verify-documents"])
        assert (first.exit_code, db.session.get(Document, good.id).status) == (0, DocumentStatus.AVAILABLE)
        assert f"2 of 2 documents read and hashed anew, {good.size + bad.size} bytes: all are" in first.output
        storage.delete(bad.key)
        second = app.test_cli_runner().invoke(args=["verify-documents", "--share", "1"])
        assert second.exit_code == 1
        assert f"the bytes are wrong: numbers {bad.id}." in second.output
        runs = db.session.query(JobRun).order_by(JobRun.id).all()
        assert [(run.name, run.succeeded) for run in runs] == [("verify-documents", True), ("verify-documents", False)]
        assert runs[1].summary in second.output
