"""Documents of a patient: the gallery, adding one, its bytes, saying what it is, deleting and restoring."""

import hashlib
import re
from dataclasses import replace
from io import BytesIO
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from clinic import clock, security, settings, storage
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import AuditEvent, AuthSession, Category, Document, DocumentStatus, Projection, Setting
from clinic.operations.documents import Content, Said, ask_purge, begin_document, delete_document, quarantine_document
from clinic.storage import PART
from tests.filed import PDF, file_document, newest, packed, png, send, upload_address
from tests.person import Person
from tests.routes.test_glass import glass_of
from tests.stores import kept_in

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("storage")]


@pytest.fixture
def kept(app, store):
    """Files go to the real store, once as it is and once through the strict double."""
    with kept_in(app, store):
        yield store


@pytest.fixture
def kamal(app, world) -> Person:
    return Person(app, world.people["kamal"])


@pytest.fixture
def ruwan(app, world) -> Person:
    return Person(app, world.people["ruwan"])


@pytest.fixture
def fernando(world) -> int:
    return world.patients["fernando"]


def filed(app, world, **how) -> int:
    with app.app_context():
        document = file_document(world, into_store=True, **how)
        db.session.commit()
        return document.id


def row(app, number=None) -> Document:
    with app.app_context():
        found = db.session.get(Document, number) if number else newest()
        db.session.expunge(found)
        return found


BOTH_WAYS = pytest.mark.parametrize("by_script", [False, True], ids=["as a form", "by our script"])


class TestUpload:
    @BOTH_WAYS
    def test_a_file_goes_into_the_record(self, app, kamal, kept, fernando, by_script):
        body = png(16, 12)
        fields = {"category": "radiograph", "projection": "bitewing", "teeth": "36, 37", "taken_on": "3 Apr 2026"}
        answer = send(kamal, upload_address(kamal, fernando), body, "left.png", by_script=by_script, **fields)
        assert answer.status_code == 303, answer.text
        document = row(app)
        assert document.status is DocumentStatus.AVAILABLE
        assert (document.name, document.media_type, document.size) == ("left.png", "image/png", len(body))
        assert document.sha256 == hashlib.sha256(body).hexdigest()
        assert (document.category, document.projection, document.teeth) == (
            Category.RADIOGRAPH,
            Projection.BITEWING,
            "36 37",
        )
        page = kamal.get(answer.headers["Location"])
        assert "The file is in the record" in page.text
        assert "left.png" in kamal.get(f"/patients/{fernando}/documents").text
        assert kamal.get(f"/patients/{fernando}/documents/{document.id}/file").data == body
        with app.app_context():
            acts = db.session.scalars(select(AuditEvent.act).where(AuditEvent.patient_id == fernando)).all()
        assert "document.add" in acts
        assert "read.documents.file" in acts

    @BOTH_WAYS
    def test_many_parts(self, app, kamal, kept, fernando, by_script):
        long = PDF[:-6] + b"%" + b"x" * (2 * PART) + b"\n%%EOF\n"
        answer = send(kamal, upload_address(kamal, fernando), long, "long.pdf", by_script=by_script)
        assert answer.status_code == 303, answer.text
        document = row(app)
        assert len(document.parts.split()) == 3
        assert document.category is Category.OTHER
        got = kamal.get(f"/patients/{fernando}/documents/{document.id}/download")
        assert got.data == long
        assert got.headers["Content-Disposition"] == "attachment; filename=\"long.pdf\"; filename*=UTF-8''long.pdf"

    def test_sent_twice_it_is_one_document(self, app, kamal, kept, fernando):
        address = upload_address(kamal, fernando)
        first, second = (send(kamal, address, png(), "a.png") for _ in range(2))
        assert (first.status_code, second.status_code) == (303, 303)
        with app.app_context():
            assert len(db.session.scalars(select(Document.id)).all()) == 1

    def test_what_is_no_document_is_refused_in_words_and_leaves_nothing(self, app, kamal, kept, fernando):
        address = upload_address(kamal, fernando)
        answer = send(kamal, address, b"<html><script>alert(1)</script>", "a.pdf")
        assert answer.status_code == 422
        document = row(app)
        assert document.status is DocumentStatus.FAILED
        with app.app_context():
            assert storage.size_of(document.key) is None
        again = send(kamal, address, png(), "a.png")  # the same form, with the right file
        assert again.status_code == 303

    def test_a_name_that_lies_gets_the_right_ending(self, app, kamal, kept, fernando):
        assert send(kamal, upload_address(kamal, fernando), png(), "smile.jpg").status_code == 303
        assert row(app).name == "smile.jpg.png"

    def test_a_form_without_a_file(self, kamal, kept, fernando):
        address = upload_address(kamal, fernando)
        with kamal.app.app_context():
            answer = kamal.client.post(address, data={"category": "scan"}, content_type="multipart/form-data")
        assert answer.status_code == 422
        assert "Choose a file" in answer.text

    @pytest.mark.parametrize("left_out", [1, 10, 40, 200])
    def test_what_was_cut_off_on_its_way_is_no_document(self, app, kamal, kept, fernando, left_out):
        """A server that ends the body itself (gunicorn) tells a body that was cut off like one that is whole."""
        volume = b"\0" * 128 + b"DICM\x02\0\0\0UL\x04\0" + b"x" * 500  # says of no byte that it is the last
        address = upload_address(kamal, fernando)
        body = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.dcm"\r\n\r\n%s\r\n--edge--\r\n'
        whole = body % volume
        with app.app_context():
            answer = kamal.client.post(
                address,
                input_stream=BytesIO(whole[:-left_out]),
                content_length=len(whole),
                content_type="multipart/form-data; boundary=edge",
                environ_overrides={"wsgi.input_terminated": True},
            )
        document = row(app)
        if left_out == 1:  # only the last line's end
            assert answer.status_code == 303
            return
        assert answer.status_code == 422
        assert "cut off" in answer.text
        assert document.status is DocumentStatus.FAILED
        with app.app_context():
            assert storage.size_of(document.key) is None

    @pytest.mark.parametrize("left_out", [1, 600, 700, 728])
    def test_what_our_script_sent_and_was_cut_off_is_no_document(self, app, kamal, kept, fernando, left_out):
        """In the file, and in the fields before it."""
        needed, whole = packed(
            b"\0" * 128 + b"DICM\x02\0\0\0UL\x04\0" + b"x" * 500, "a.dcm", by_script=True, category="scan"
        )
        address = upload_address(kamal, fernando)
        for ends_itself in (True, False):
            with app.app_context():
                answer = kamal.client.post(
                    address,
                    input_stream=BytesIO(whole[:-left_out]),
                    headers=needed,
                    environ_overrides={"wsgi.input_terminated": ends_itself, "CONTENT_LENGTH": str(len(whole))},
                )
            assert answer.status_code == 422
            assert "cut off" in answer.text
            document = row(app)
            assert document.status is DocumentStatus.FAILED
            with app.app_context():
                assert storage.size_of(document.key) is None

    def test_a_line_that_breaks_while_our_script_sends(self, app, kamal, kept, fernando):
        """It is told as a file that was cut off, and is no fault of ours."""
        needed, whole = packed(png(), "a.png", by_script=True)

        class Broken(BytesIO):
            def read(self, size=-1):
                if self.tell():
                    raise ConnectionResetError
                return super().read(min(size, 40))

        with app.app_context():
            answer = kamal.client.post(
                upload_address(kamal, fernando),
                input_stream=Broken(whole),
                headers=needed,
                environ_overrides={"wsgi.input_terminated": True},
            )
        assert answer.status_code == 422
        assert "cut off" in answer.text
        assert row(app).status is DocumentStatus.FAILED

    @pytest.mark.parametrize("said", ["", "0", "-5", "x", "1e3", "99999", "9" * 30, "2000000"])
    def test_fields_that_are_longer_than_all_or_of_no_length_are_refused(self, app, kamal, kept, fernando, said):
        answer = send(kamal, upload_address(kamal, fernando), png(), by_script=True, headers={"X-Fields": said})
        assert answer.status_code == 422
        assert row(app).status is DocumentStatus.FAILED

    @pytest.mark.parametrize("size", range(0, 40, 3))
    def test_fields_that_end_elsewhere_make_no_document(self, app, kamal, kept, fernando, size):
        """The name is cut, or the file begins with what was the name's: neither is what was sent."""
        sent = send(
            kamal,
            upload_address(kamal, fernando),
            png(),
            "lower-left.png",
            by_script=True,
            headers={"X-Fields": str(size)},
        )
        assert sent.status_code == 422
        assert row(app).status is DocumentStatus.FAILED

    def test_our_script_sends_more_fields_than_a_form_has(self, kamal, kept, fernando):
        fields = {f"f{at}": "x" for at in range(60)}
        assert send(kamal, upload_address(kamal, fernando), png(), by_script=True, **fields).status_code == 413

    def test_a_digest_of_another_file(self, app, kamal, kept, fernando):
        answer = send(kamal, upload_address(kamal, fernando), png(), by_script=True, sha256="0" * 64)
        assert answer.status_code == 422
        assert "changed on its way" in answer.text
        with app.app_context():
            assert storage.size_of(row(app).key) is None

    def test_what_is_no_form_with_a_file_is_not_read_into_memory(self, app, kamal, kept, fernando):
        address = upload_address(kamal, fernando)
        with app.app_context():
            typed = kamal.client.post(address, data={"category": "scan"})
            many = kamal.client.post(
                address, data={f"f{at}": "x" for at in range(60)}, content_type="multipart/form-data"
            )
        assert "Choose a file" in typed.text
        assert many.status_code == 413
        assert "has no name" in send(kamal, address, png(), "").text
        assert "has no name" in send(kamal, address, png(), "", by_script=True).text

    def test_a_long_name_that_lies_still_fits(self, app, kamal, kept, fernando):
        assert send(kamal, upload_address(kamal, fernando), png(), "a" * 146 + ".jpg").status_code == 303
        assert row(app).name.endswith("a.png")
        assert len(row(app).name) == 150

    def test_a_day_to_come_does_not_lose_the_file(self, app, kamal, kept, fernando):
        assert send(kamal, upload_address(kamal, fernando), png(), taken_on="1 Jan 2999").status_code == 303
        assert row(app).status is DocumentStatus.AVAILABLE

    def test_a_refusal_when_the_bytes_are_there_lets_the_same_form_be_sent_again(
        self, app, world, kamal, weed, fernando, monkeypatch
    ):
        def refuse(*_, **__):
            raise DomainError("Somebody was faster.")

        with kept_in(app, weed):
            address = upload_address(kamal, fernando)
            with monkeypatch.context() as patch:
                patch.setattr("clinic.blueprints.documents.routes.finish_document", refuse)
                assert send(kamal, address, png()).status_code == 422
            assert (row(app).status, row(app).why) == (DocumentStatus.FAILED, "Somebody was faster.")
            assert send(kamal, address, png()).status_code == 303

    def test_who_signs_out_while_a_wrong_file_comes_in_leaves_nothing_on_its_way(
        self, app, world, kamal, weed, fernando, monkeypatch
    ):
        from clinic.blueprints.documents import routes

        def refuse(*_):
            db.session.execute(update(AuthSession).values(ended_at=clock.now()))
            db.session.commit()
            raise DomainError("Nothing that is kept.")

        monkeypatch.setattr(routes, "receive", refuse)
        with kept_in(app, weed):
            send(kamal, upload_address(kamal, fernando), png())
        assert row(app).status is DocumentStatus.FAILED

    def test_no_connection_to_the_database_is_held_while_bytes_come_in(self, app, kamal, weed, fernando, monkeypatch):
        from clinic import settings
        from clinic.blueprints.documents import receiving, routes

        held = []

        def watched(*given):
            settings.forget()  # as they are every few seconds
            arrived = receiving.receive(*given)
            held.append(db.session().in_transaction())
            return arrived

        monkeypatch.setattr(routes, "receive", watched)
        with kept_in(app, weed):
            assert send(kamal, upload_address(kamal, fernando), png()).status_code == 303
        assert held == [False]

    def test_what_cannot_be_read_of_the_form_does_not_lose_the_file(self, app, kamal, kept, fernando):
        answer = send(kamal, upload_address(kamal, fernando), png(), teeth="99")
        assert answer.status_code == 303
        assert row(app).status is DocumentStatus.AVAILABLE
        assert "what you said of it could not be read" in kamal.get(answer.headers["Location"]).text

    def test_the_browsers_own_digest_is_compared(self, app, kamal, kept, fernando):
        body = png()
        wrong = send(kamal, upload_address(kamal, fernando), body, sha256="0" * 64)
        assert wrong.status_code == 422
        assert "changed on its way" in wrong.text
        right = send(kamal, upload_address(kamal, fernando), body, sha256=hashlib.sha256(body).hexdigest())
        assert right.status_code == 303

    def test_kinds_that_the_clinic_does_not_take(self, app, kamal, weed, fernando):
        with app.app_context():
            db.session.add(Setting(name="document_types", value='["pdf", "dicom"]'))
            db.session.commit()
        settings.forget()
        page = kamal.get(f"/patients/{fernando}/documents").text
        assert 'accept="application/pdf,.dcm,.dicom,.ima"' in page
        assert "PDF or DICOM, each up to" in page
        assert "Take a photo" not in page
        with kept_in(app, weed):
            answer = send(kamal, upload_address(kamal, fernando), png(), "letter.pdf")
            assert answer.status_code == 422
            assert (
                "This is a PNG picture, which is not taken here. Save it as PDF or DICOM and upload that."
                in answer.text
            )
            assert (row(app).status, row(app).size) == (DocumentStatus.FAILED, 0)
            assert send(kamal, upload_address(kamal, fernando), PDF, "letter.pdf").status_code == 303

    def test_too_large_a_file_is_refused_before_it_is_read(self, app, kamal, kept, fernando, monkeypatch):
        monkeypatch.setattr("clinic.settings.read", _with(document_mib=0))
        for size in (10, 2**21):  # more than the form beside it may have, or not
            answer = send(kamal, upload_address(kamal, fernando), b"%PDF-" + b"x" * size)
            assert answer.status_code == 413
            assert "A file may have" in answer.text
            assert row(app).status is DocumentStatus.FAILED
            assert row(app).why.startswith("A file may have")

    def test_a_ticket_is_for_one_address_one_session_and_some_hours(self, app, world, kamal, kept, fernando):
        address = upload_address(kamal, fernando)
        ticket = address.partition("?")[2]
        perera = world.patients["perera"]
        for wrong in (f"/patients/{fernando}/documents", f"/patients/{perera}/documents?{ticket}", address[:-4]):
            assert send(kamal, wrong, png()).status_code in (400, 404), wrong
        other = Person(app, world.people["kamal"])
        assert send(other, address, png()).status_code == 400
        with app.app_context():
            assert db.session.scalars(select(Document.id)).all() == []

    def test_a_newer_file_takes_the_place_of_the_former(self, app, world, kamal, kept, fernando):
        former = filed(app, world, name="before.png")
        page = kamal.get(f"/patients/{fernando}/documents/{former}/newer").text
        address = re.search(r'action="(/patients/\d+/documents\?[^"]+)"', page)[1].replace("&amp;", "&")
        assert send(kamal, address, png(9, 9), "after.png").status_code == 303
        listed = kamal.get(f"/patients/{fernando}/documents/listed", htmx=True).text
        assert "after.png" in listed
        assert "before.png" not in listed
        assert f"/documents/{former}" in kamal.get(f"/patients/{fernando}/documents/{row(app).id}").text

    def test_most_files_of_a_day(self, app, world, kamal, kept, fernando, monkeypatch):
        filed(app, world)
        monkeypatch.setattr("clinic.settings.read", _with(documents_a_day=1))
        answer = send(kamal, upload_address(kamal, fernando), png(3, 3))
        assert answer.status_code == 422
        assert "the most for one person" in answer.text

    def test_the_front_desk_files_papers_only(self, app, ruwan, kept, fernando):
        answer = send(ruwan, upload_address(ruwan, fernando), png(), "photo.png")
        assert answer.status_code == 303
        assert row(app).category is Category.SCAN

    def test_a_store_that_is_away_is_said_in_words(self, app, kamal, fernando):
        answer = send(kamal, upload_address(kamal, fernando), png())
        assert answer.status_code == 503
        assert "keep the file" in answer.text


class TestBytes:
    def test_a_range(self, app, world, kamal, kept, fernando):
        number, body = filed(app, world, body=png(64, 64)), png(64, 64)
        address = f"/patients/{fernando}/documents/{number}/file"
        some = kamal.get(address, headers={"Range": "bytes=4-9"})
        assert (some.status_code, some.data) == (206, body[4:10])
        assert some.headers["Content-Range"] == f"bytes 4-9/{len(body)}"
        assert kamal.get(address, headers={"Range": f"bytes={len(body)}-"}).status_code == 416
        assert kamal.get(address, headers={"Range": "bytes=-3"}).data == body[-3:]

    def test_headers_that_keep_it_harmless(self, app, world, kamal, kept, fernando):
        number = filed(app, world, name="එක්ස්-කිරණ.png")
        answer = kamal.get(f"/patients/{fernando}/documents/{number}/download")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        plain, full = answer.headers["Content-Disposition"].split("; ")[1:]
        assert plain.isascii()
        assert full == f"filename*=UTF-8''{quote('එක්ස්-කිරණ.png')}"

    @pytest.mark.parametrize("how", ["flipped", "cut", "longer", "gone"])
    def test_what_is_not_what_was_stored_is_not_sent(self, app, world, kamal, weed, fernando, how):
        with kept_in(app, weed):
            number = filed(app, world)
            key = row(app, number).key
            body = png()
            bad = {"flipped": body[:-1] + b"\0", "cut": body[:-1], "longer": body + b"\0", "gone": None}[how]
            with app.app_context():
                storage.delete(key)
                if bad is not None:
                    storage.put_once(key, bad)
            answer = kamal.get(f"/patients/{fernando}/documents/{number}/file")
            assert answer.status_code == 503
            assert "not what was stored" in answer.text
            assert row(app, number).status is DocumentStatus.QUARANTINED
            again = kamal.get(f"/patients/{fernando}/documents/{number}/file")
            assert again.status_code == 422

    def test_a_bucket_that_is_missing_spoils_no_document(self, app, world, kamal, weed, fernando):
        with kept_in(app, weed):
            number = filed(app, world)
            before = app.config["CHAIRSIDE"]
            app.config["CHAIRSIDE"] = replace(before, s3_bucket="another")
            app.extensions.pop("chairside_store_seen", None)
            answer = kamal.get(f"/patients/{fernando}/documents/{number}/file")
            assert answer.status_code == 503
            assert "cannot be opened" in answer.text
            assert row(app, number).status is DocumentStatus.AVAILABLE
            app.config["CHAIRSIDE"] = before

    def test_what_is_in_quarantine_is_not_sent(self, app, world, kamal, weed, fernando):
        with kept_in(app, weed):
            number = filed(app, world)
            with app.app_context():
                quarantine_document(number, why="The scanner found Eicar.")
                db.session.commit()
            for what in ("file", "download"):
                assert kamal.get(f"/patients/{fernando}/documents/{number}/{what}").status_code == 422


class TestThumbnail:
    def test_it_is_made_once_and_kept(self, app, world, kamal, weed, fernando, monkeypatch):
        with kept_in(app, weed):
            number = filed(app, world, body=png(640, 480))
            address = f"/patients/{fernando}/documents/{number}/thumbnail"
            first = kamal.get(address)
            assert first.data.startswith(b"\xff\xd8")
            monkeypatch.setattr("clinic.blueprints.documents.thumbnails.picture_of", None)
            assert kamal.get(address).data == first.data

    def test_fetched_by_its_address_alone_it_is_told(self, app, world, kamal, fernando):
        with app.app_context():
            number = file_document(world, body=PDF, name="letter.pdf").id
            db.session.commit()

        def told() -> list[str]:
            with app.app_context():
                of_patient = select(AuditEvent.act).where(
                    AuditEvent.patient_id == fernando, AuditEvent.act.like("read.%")
                )
                return list(db.session.scalars(of_patient.order_by(AuditEvent.id)))

        at = f"/patients/{fernando}/documents"
        for _ in range(2):
            assert kamal.get(f"{at}/{number}/thumbnail").status_code == 204
        assert told() == []  # kamal has filed it a moment ago
        other = Person(app, world.people["silva"])
        for _ in range(2):
            other.get(f"{at}/{number}/thumbnail")
        assert told() == ["read.documents.thumbnail"]
        desk = Person(app, world.people["ruwan"])
        desk.get(at)
        desk.get(f"{at}/{number}/thumbnail")
        assert told() == ["read.documents.thumbnail", "read.documents.index"]

    def test_what_has_no_picture_has_none(self, app, world, kamal, weed, fernando):
        with kept_in(app, weed):
            broken = filed(app, world, body=png()[:40])
            letter = filed(app, world, body=PDF, name="letter.pdf")
            for number in (broken, letter, broken):
                assert kamal.get(f"/patients/{fernando}/documents/{number}/thumbnail").status_code == 204


class TestWhatItIs:
    def test_said_anew(self, app, world, kamal, weed, fernando):
        number = self.one(app, world)
        fields = {"version": "2", "category": "photograph", "teeth": "11", "description": "Smile"}
        answer = kamal.post(f"/patients/{fernando}/documents/{number}", fields)
        assert answer.status_code == 303, answer.text
        document = row(app, number)
        assert (document.category, document.teeth, document.description) == (Category.PHOTOGRAPH, "11", "Smile")

    def test_a_visit_of_long_ago_stays_chosen(self, app, world, kamal, fernando, monkeypatch):
        monkeypatch.setattr("clinic.queries.documents.MOST_VISITS", 0)
        visit = world.visits["fernando"]
        with app.app_context():
            number = file_document(world, said=Said(Category.RADIOGRAPH, visit_id=visit)).id
            db.session.commit()
        at = f"/patients/{fernando}/documents/{number}"
        assert re.search(rf'<option selected value="{visit}"|<option value="{visit}" selected', kamal.get(at).text)
        fields = {"version": "2", "category": "photograph", "visit_id": str(visit)}
        assert kamal.post(at, fields).status_code == 303
        assert row(app, number).visit_id == visit

    def test_a_stale_page_is_a_conflict(self, app, world, kamal, fernando):
        number = self.one(app, world)
        fields = {"version": "1", "category": "photograph"}
        assert kamal.post(f"/patients/{fernando}/documents/{number}", fields).status_code == 409

    @pytest.mark.parametrize(
        "wrong",
        [
            {"teeth": "99"},
            {"category": "nothing"},
            {"visit_id": "999999"},
            {"taken_on": "1 Jan 2999"},
            {"projection": "x"},
        ],
    )
    def test_bad_input_is_refused(self, app, world, kamal, fernando, wrong):
        number = self.one(app, world)
        fields = {"version": "2", "category": "photograph"} | wrong
        assert kamal.post(f"/patients/{fernando}/documents/{number}", fields).status_code == 422
        assert row(app, number).version == 2

    def test_deleted_and_restored(self, app, world, kamal, fernando):
        number = self.one(app, world)
        at = f"/patients/{fernando}/documents/{number}"
        assert kamal.post(f"{at}/delete", {"version": "2", "reason": ""}).status_code == 422
        assert kamal.post(f"{at}/delete", {"version": "2", "reason": "Of another patient"}).status_code == 303
        assert row(app, number).status is DocumentStatus.DELETED
        listed = f"/patients/{fernando}/documents/listed"
        assert "36.png" not in kamal.get(listed, htmx=True).text
        assert "36.png" in kamal.get(f"{listed}?deleted=1", htmx=True).text
        assert kamal.get(at).status_code == 200
        assert kamal.post(f"{at}/restore", {"version": "3"}).status_code == 303
        assert "36.png" in kamal.get(listed, htmx=True).text

    @staticmethod
    def one(app, world) -> int:
        with app.app_context():
            number = file_document(world).id
            db.session.commit()
        return number


class TestQuarantine:
    """What the scanner put into quarantine."""

    @pytest.fixture
    def number(self, app, world, kamal, weed, fernando, monkeypatch) -> int:
        monkeypatch.setattr("clinic.blueprints.documents.receiving._content", self.dangerous)
        with kept_in(app, weed):
            answer = send(kamal, upload_address(kamal, fernando), PDF, "letter.pdf", category="letter")
            assert answer.headers["Location"].endswith("?added=quarantined")
            page = kamal.get(answer.headers["Location"]).text
        assert "The file came in and is in quarantine" in page
        assert "Eicar" in page
        assert "The file is in the record" not in page
        return row(app).id

    @staticmethod
    def dangerous(stored, found, scan):
        return Content(stored, found.media_type, danger="The scanner found Eicar in it.")

    def test_whoever_added_it_deletes_and_restores_it_and_two_purge_it(self, app, browser_of, kamal, fernando, number):
        at = f"/patients/{fernando}/documents/{number}"
        assert kamal.post(f"{at}/delete", {"version": "2", "reason": "Harmful"}).status_code == 303
        assert "and is in quarantine again then" not in kamal.get(at).text
        assert kamal.post(f"{at}/restore", {"version": "3"}).status_code == 303
        assert row(app, number).status is DocumentStatus.QUARANTINED
        assert "and is in quarantine again then" in kamal.get(at).text
        assert kamal.post(f"{at}/delete", {"version": "4", "reason": "Harmful"}).status_code == 303
        assert kamal.post(f"{at}/ask-purge", {"version": "5", "reason": ""}).status_code == 422
        assert kamal.post(f"{at}/ask-purge", {"version": "5", "reason": "Harmful"}).status_code == 303
        silva = browser_of("silva")
        page = silva.get(f"/approvals/purge/{number}").text
        assert re.search(r"<dt>Purged because</dt><dd>“<bdi>Harmful</bdi>”", page)
        assert "The scanner found Eicar" in page
        assert silva.post(f"/approvals/purge/{number}/approve", {"version": "6"}).status_code == 303
        assert row(app, number).status is DocumentStatus.PURGED

    def test_others_are_not_offered_to_delete_it(self, app, ruwan, fernando, number):
        at = f"/patients/{fernando}/documents/{number}"
        assert f'action="{at}/delete"' not in ruwan.get(at).text
        answer = ruwan.post(f"{at}/delete", {"version": "2", "reason": "Harmful"})
        assert answer.status_code == 422
        assert "whoever added it" in answer.text


class TestPurge:
    def test_who_decides_reads_what_became_of_it_meanwhile(self, app, world, kamal, browser_of, fernando):
        with app.app_context():
            document = file_document(world)
            actor = world.user("kamal")
            delete_document(document.id, version=document.version, reason="Wrong", actor=actor)
            ask_purge(document.id, version=document.version, reason="Wrong", actor=actor)
            number = document.id
            db.session.commit()
        silva, at = browser_of("silva"), f"/approvals/purge/{number}"
        assert silva.get(at).status_code == 200
        withdrawn = {"version": "4"}
        assert kamal.post(f"/patients/{fernando}/documents/{number}/withdraw-purge", withdrawn).status_code == 303
        late = silva.post(f"{at}/approve", {"version": "4"})
        assert late.status_code == 409
        assert "Kamal Dias withdrew this on" in late.text
        page = silva.get(at)
        assert page.status_code == 200
        assert "Kamal Dias withdrew this on" in page.text
        assert f'action="{at}/approve"' not in page.text


class TestWho:
    def test_a_document_of_another_patient_is_not_found(self, app, world, kamal, fernando):
        with app.app_context():
            number = file_document(world).id
            db.session.commit()
        perera = world.patients["perera"]
        for what in ("", "/file", "/download"):
            assert kamal.get(f"/patients/{perera}/documents/{number}{what}").status_code == 404
            nadia = world.patients["nadia"]
            assert kamal.get(f"/patients/{nadia}/documents/{number}{what}").status_code == 404

    def test_two_pictures_of_one_patient_are_compared(self, app, world, kamal, fernando):
        with app.app_context():
            first, second = (
                file_document(world, name=name, body=png(each, 3)).id for each, name in ((3, "a"), (4, "b"))
            )
            letter = file_document(world, body=PDF, name="letter.pdf").id
            db.session.commit()
        at = f"/patients/{fernando}/documents/compare"
        assert "Choose two pictures" in kamal.get(at).text
        page = kamal.get(f"{at}?left={first}&right={second}")
        assert f"/documents/{first}/file" in page.text
        assert f"/documents/{second}/file" in page.text
        assert kamal.get(f"{at}?left={letter}&right={second}").status_code == 422
        assert kamal.get(f"{at}?left=999999&right={second}").status_code == 404
        perera = world.patients["perera"]
        assert kamal.get(f"/patients/{perera}/documents/compare?left={first}").status_code == 404

    def test_the_front_desk_sees_no_pictures_of_the_mouth(self, app, world, ruwan, fernando):
        with app.app_context():
            picture, letter = file_document(world).id, file_document(world, body=PDF, name="letter.pdf").id
            db.session.commit()
        page = ruwan.get(f"/patients/{fernando}/documents").text
        assert "letter.pdf" in page
        assert "36.png" not in page
        assert ruwan.get(f"/patients/{fernando}/documents/{picture}").status_code == 404
        assert ruwan.get(f"/patients/{fernando}/documents/{letter}").status_code == 200
        assert ruwan.get(f"/patients/{fernando}/documents?category=radiograph").status_code == 200

    def test_the_front_desk_replaces_no_picture_of_the_mouth(self, app, world, ruwan, weed, fernando):
        with app.app_context():
            picture, letter = file_document(world).id, file_document(world, body=PDF, name="letter.pdf").id
            db.session.commit()
        with kept_in(app, weed):
            for former, status in ((picture, 422), (10**9, 422), (letter, 303)):
                address = f"{upload_address(ruwan, fernando)}&newer_of={former}"
                assert send(ruwan, address, png()).status_code == status

    @pytest.mark.parametrize("who", ["silva", "adel"])
    def test_through_a_broken_glass_one_reads_and_changes_nothing(self, app, world, browser_of, who):
        with app.app_context():
            number = file_document(world, "wu").id
            db.session.commit()
        wu, reader = world.patients["wu"], browser_of(who)
        at = f"/patients/{wu}/documents"
        assert reader.get(at).status_code == 404
        glass_of(app, world, who, "wu")
        for page in (at, f"{at}/listed", f"{at}/{number}"):
            answer = reader.get(page)
            assert answer.status_code == 200, page
            assert f"{at}?ticket" not in answer.text
        assert reader.get(f"{at}/{number}/newer").status_code == 403
        for verb in ("", "/delete", "/restore"):
            fields = {"version": "2", "category": "photograph", "reason": "Because"}
            assert reader.post(f"{at}/{number}{verb}", fields).status_code == 403

    def test_what_is_on_its_way_is_not_listed(self, app, world, kamal, fernando):
        with app.app_context():
            number = begin_document(world.patient("fernando"), once="a" * 64, actor=world.user("kamal")).id
            db.session.commit()
        assert kamal.get(f"/patients/{fernando}/documents/{number}").status_code == 404

    def test_the_list_refetches_the_page_of_it_that_is_shown(self, app, world, kamal, fernando, monkeypatch):
        monkeypatch.setattr("clinic.queries.documents.SHOWN", 2)
        with app.app_context():
            ids = [file_document(world, body=png(each, 3), name=f"{each}.png").id for each in range(1, 6)]
            db.session.commit()
        page = kamal.get(f"/patients/{fernando}/documents?after={ids[3]}&category=radiograph").text
        refetched = re.search(r'id="documents-list"[^>]* hx-get="([^"]+)"', page)[1].replace("&amp;", "&")
        assert f"after={ids[3]}" in refetched
        again = kamal.get(refetched, htmx=True).text
        assert re.findall(r'id="document-(\d+)"', again) == [str(ids[2]), str(ids[1])]

    def test_pages_ask_the_same_number_of_queries_however_many_there_are(self, app, world, kamal, fernando):
        from tests.queries_counted import counted

        def asked() -> int:
            with counted() as statements:
                assert kamal.get(f"/patients/{fernando}/documents").status_code == 200
            return len(statements)

        with app.app_context():
            file_document(world)
            db.session.commit()
        few = asked()
        with app.app_context():
            for each in range(30):
                file_document(world, body=png(each + 1, 3), name=f"{each}.png", said=Said(Category.PHOTOGRAPH))
            db.session.commit()
        assert asked() == few


def _with(**values):
    from clinic import settings

    def read(name, real=settings.read):
        return values[name] if name in values else real(name)

    return read


def test_a_ticket_says_nothing(app):
    with app.test_request_context("/patients/1/documents"):
        from flask import g

        g.csrf_owner = "x" * 64
        assert "patients" not in security.ticket("/patients/1/documents")
