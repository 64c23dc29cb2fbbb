"""Teeth marked on pictures, and what DICOM files say: through the pages of a document."""

import re

import pytest
from sqlalchemy import select

from clinic import kept
from clinic.documents.pictures import SENTENCES
from clinic.extensions import db
from clinic.models import AuditEvent, Category, Document, ToothPlace
from clinic.operations.documents import Said
from clinic.operations.tooth_places import mark_tooth
from tests.documents.test_pictures import dicom
from tests.filed import PDF, file_document, png
from tests.routes.test_glass import glass_of
from tests.stores import kept_in

SAME = {"PatientName": "Fernando^Nimali", "PatientBirthDate": "19910903", "PatientID": "P-2026-00001"}


@pytest.fixture
def filed(app, world):
    """`filed(body=...)`: a document of Fernando; answers its address."""

    def put(**how):
        with app.app_context():
            document = file_document(world, **how)
            db.session.commit()
            return f"/patients/{document.patient_id}/documents/{document.id}"

    return put


@pytest.fixture
def rows(app):
    """What was ever marked: tooth and place, oldest first."""

    def held():
        with app.app_context():
            found = db.session.scalars(select(ToothPlace).order_by(ToothPlace.id))
            return [(row.tooth, row.x, row.y) for row in found]

    return held


def fields(page: str, **said: object) -> dict[str, object]:
    seen = re.search(r'name="seen" value="(\d+)" form="document-mark"', page)
    return {"seen": seen[1]} | said


class TestMarking:
    def test_it_is_marked_shown_moved_and_taken_away(self, browser_of, filed, rows):
        kamal, at = browser_of("kamal"), filed()
        page = kamal.get(at).text
        assert "Mark it there" in page
        answer = kamal.post(f"{at}/teeth", fields(page, tooth="36", x="41", y="62,5"))
        assert answer.status_code == 303
        page = kamal.get(answer.headers["Location"]).text
        assert "36 is at 41 % from the left, 62.5 % from the top" in page  # as the toast says, with Undo
        assert "36 at 41 % from the left, 62.5 % from the top" in page
        assert re.search(r'<svg class="ring" id="ring-36" x="41%" y="62.5%"', page)
        assert "Kamal Dias" in page
        assert kamal.post(f"{at}/teeth", fields(page, tooth="36", x="0", y="100")).status_code == 303
        page = kamal.get(at).text
        assert "36 at 0 % from the left, 100 % from the top" in page
        away = {"tooth": "36", "seen": re.search(r'name="seen" value="(\d+)">', page)[1]}
        assert kamal.post(f"{at}/teeth/unmark", away).status_code == 303
        assert "Teeth on this picture" not in kamal.get(at).text
        assert rows() == [("36", 410, 625), ("36", 0, 1000), ("36", None, None)]

    def test_in_place_it_answers_what_the_page_fetches(self, browser_of, filed):
        kamal, at = browser_of("kamal"), filed()
        answer = kamal.post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "41", "y": "62"}, htmx=True)
        assert answer.status_code == 204
        assert "documents:marked" in answer.headers["HX-Trigger"]
        undo = re.search(r'"undo": "([^"]+)"', answer.headers["HX-Trigger"])[1]
        part = kamal.get(f"{at}/teeth", htmx=True).text
        assert "36 at 41 % from the left" in part
        assert kamal.post(undo, {}, htmx=True).status_code == 204
        assert "36 at" not in kamal.get(f"{at}/teeth", htmx=True).text
        assert kamal.post(undo, {}, htmx=True).status_code == 409

    def test_sent_twice_it_is_marked_once(self, browser_of, filed, rows):
        kamal, at = browser_of("kamal"), filed()
        sent = {"seen": "0", "tooth": "36", "x": "41", "y": "62"}
        first, second = (kamal.post(f"{at}/teeth", sent, once="the-same-key-1") for _ in range(2))
        assert (first.status_code, second.status_code) == (303, 303)
        assert rows() == [("36", 410, 620)]

    def test_a_stale_page_is_told_who_was_faster(self, app, world, browser_of, filed, rows):
        kamal, at = browser_of("kamal"), filed()
        browser_of("silva").post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "10", "y": "20"})
        answer = kamal.post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "41", "y": "62"}, htmx=True)
        assert answer.status_code == 409
        assert "Dr Sunil Silva marked this tooth at 10 % from the left, 20 % from the top" in answer.text
        assert answer.headers["HX-Trigger"] == "live:poll"  # at which the marks are fetched
        assert "live:poll from:body" in kamal.get(at).text
        assert kamal.post(f"{at}/teeth", {"seen": "0", "tooth": "37", "x": "41", "y": "62"}).status_code == 303
        assert kamal.post(f"{at}/teeth/unmark", {"seen": "0", "tooth": "36"}).status_code == 409
        assert len(rows()) == 2

    @pytest.mark.parametrize(
        "wrong",
        [
            {"tooth": ""}, {"tooth": "99"}, {"tooth": "36 "}, {"x": ""}, {"y": ""}, {"x": "-1"}, {"x": "100.2"}, {"y": "NaN"},
            {"y": "Infinity"}, {"x": "1e9999"}, {"x": "left"}, {"x": "1" * 500}, {"seen": ""}, {"seen": "x"}, {"at.x": "5"},
            {"at.x": "5", "at.y": "-1"},
            {"at.x": "9999", "at.y": "1"},
        ],
    )  # fmt: skip
    def test_what_is_no_place_is_refused(self, browser_of, filed, rows, wrong):
        kamal, at = browser_of("kamal"), filed()
        sent = {"seen": "0", "tooth": "36", "x": "41", "y": "62"} | wrong
        if wrong == {"at.x": "5"}:
            sent |= {"x": ""}
        answer = kamal.post(f"{at}/teeth", sent)
        assert answer.status_code == 422, answer.text
        assert rows() == []

    def test_the_picture_is_pressed_where_there_is_no_javascript(self, browser_of, filed, rows):
        kamal, at = browser_of("kamal"), filed()
        page = kamal.get(at).text
        size = re.search(r'<input type="image" name="at" src="[^"]+/file" width="(\d+)" height="(\d+)"', page)
        assert size.groups() == ("640", "480")
        sent = fields(page, tooth="36", x="", y="") | {"at.x": "320", "at.y": "120"}
        assert kamal.post(f"{at}/teeth", sent).status_code == 303
        assert rows() == [("36", 500, 250)]

    def test_digits_of_any_script(self, browser_of, filed, rows):
        browser_of("kamal").post(f"{filed()}/teeth", {"seen": "0", "tooth": "36", "x": "٤١", "y": "62"})
        assert rows() == [("36", 410, 620)]

    def test_a_document_without_a_picture_has_no_teeth(self, browser_of, filed):
        kamal, at = browser_of("kamal"), filed(body=PDF, name="letter.pdf")
        assert "Mark it there" not in kamal.get(at).text
        assert kamal.post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "1", "y": "1"}).status_code == 422


class TestLooking:
    def test_the_tooth_that_is_asked_for_is_meant(self, app, world, browser_of, filed):
        kamal, at = browser_of("kamal"), filed(said=Said(Category.RADIOGRAPH, teeth=("36", "37")))
        for tooth in ("36", "11"):
            kamal.post(f"{at}/teeth", {"seen": "99", "tooth": tooth, "x": "41", "y": "62"})
        page = kamal.get(f"{at}?tooth=11").text
        assert re.findall(r'class="ring is-meant" id="ring-(\d+)"', page) == ["11"]
        assert '<option value="11" selected>' in page
        assert page.count(" selected>11<") == 1
        assert '<option value="37" selected>' in kamal.get(at).text  # the next of the document's own
        with app.app_context():
            world.user("kamal").numbering = "universal"
            db.session.commit()
        page = kamal.get(f"{at}?tooth=8").text
        assert re.findall(r'class="ring is-meant" id="ring-(\d+)"', page) == ["11"]
        assert "8 at 41 % from the left" in page
        assert "tooth=8" in page

    def test_a_tooths_list_leads_to_its_place(self, browser_of, filed):
        kamal, at = browser_of("kamal"), filed()
        kamal.post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "41", "y": "62"})
        listed = kamal.get(f"{at.rpartition('/')[0]}?tooth=36").text
        assert f'href="{at}?tooth=36"' in listed
        patient = at.split("/documents")[0]
        assert "Documents of this tooth (1)" in kamal.get(f"{patient}/chart/teeth/36").text

    def test_numbers_that_are_no_tooth_mean_none(self, browser_of, filed):
        kamal, at = browser_of("kamal"), filed()
        for tooth in ("99", "x" * 500, "%00", "1e3"):
            assert "is-meant" not in kamal.get(f"{at}?tooth={tooth}").text


class TestWho:
    def test_of_another_patient_nothing_is_found(self, world, browser_of, filed):
        at = filed()
        kamal, omar = browser_of("kamal"), browser_of("omar")
        sent = {"seen": "0", "tooth": "36", "x": "41", "y": "62"}
        elsewhere = at.replace(f"/patients/{world.patients['fernando']}/", f"/patients/{world.patients['perera']}/")
        for person, address in ((omar, at), (kamal, elsewhere)):
            assert person.get(f"{address}/teeth", htmx=True).status_code == 404
            assert person.get(f"{address}/preview").status_code == 404
            assert person.post(f"{address}/teeth", sent).status_code == 404
            assert person.post(f"{address}/teeth/unmark", sent).status_code == 404
            assert person.post(f"{address}/teeth/1/undo", {}).status_code == 404

    def test_of_another_document_nothing_is_taken_back(self, app, world, browser_of, filed, rows):
        kamal, at, other = browser_of("kamal"), filed(), filed(body=png(9, 9), name="other.png")
        kamal.post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "41", "y": "62"})
        with app.app_context():
            number = db.session.scalar(select(ToothPlace.id))
        assert kamal.post(f"{other}/teeth/{number}/undo", {}).status_code == 409
        assert browser_of("silva").post(f"{at}/teeth/{number}/undo", {}).status_code == 403
        assert len(rows()) == 1

    def test_the_front_desk_marks_nothing(self, browser_of, filed):
        at, ruwan = filed(said=Said(Category.SCAN)), browser_of("ruwan")
        assert "Mark it there" not in ruwan.get(at).text
        assert ruwan.post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "1", "y": "1"}).status_code == 403

    def test_through_a_broken_glass_one_sees_and_marks_nothing(self, app, world, browser_of):
        with app.app_context():
            document = file_document(world, "wu", "omar")
            mark_tooth(document.id, tooth="36", x=410, y=620, seen=0, actor=world.user("omar"))
            db.session.commit()
            at = f"/patients/{document.patient_id}/documents/{document.id}"
        silva = browser_of("silva")
        glass_of(app, world, "silva", "wu")
        assert "36 at 41 %" in silva.get(at).text
        assert "Take away" not in silva.get(at).text
        assert "36 at 41 %" in silva.get(f"{at}/teeth", htmx=True).text
        assert silva.post(f"{at}/teeth", {"seen": "9", "tooth": "36", "x": "1", "y": "1"}).status_code == 403

    def test_a_page_with_many_marks_asks_no_more(self, app, world, browser_of, filed):
        from tests.queries_counted import counted

        kamal, at = browser_of("kamal"), filed()
        number = int(at.rpartition("/")[2])

        def asked(many: int) -> int:
            with app.app_context():
                for tooth in ("11", *(f"{q}{n}" for q in (1, 2, 3, 4) for n in range(2, 9)))[:many]:
                    mark_tooth(number, tooth=tooth, x=1, y=1, seen=10**9, actor=world.user("kamal"))
                db.session.commit()
            with counted() as statements:
                assert kamal.get(at).status_code == 200
            return len(statements)

        assert asked(1) == asked(28)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.xdist_group("storage")
class TestDicom:
    @pytest.fixture(autouse=True)
    def _kept(self, app, weed):
        with kept_in(app, weed):
            yield

    def test_a_radiograph_is_shown_with_what_it_says(self, app, browser_of, filed, monkeypatch):
        kamal, at = browser_of("kamal"), filed(body=dicom(**SAME), name="36.dcm", into_store=True)
        page = kamal.get(at).text
        assert "Panoramic radiograph (PX)" in page
        assert "another patient" not in page
        assert "does not say whose" not in page
        assert f'<img src="{at}/preview"' in page
        picture = kamal.get(f"{at}/preview")
        assert picture.data.startswith(b"\xff\xd8")
        for made in ("facts_of", "picture_of"):  # kept, and not asked again
            monkeypatch.setattr(f"clinic.blueprints.documents.thumbnails.{made}", None)
        assert kamal.get(f"{at}/preview").data == picture.data
        assert "Panoramic radiograph (PX)" in kamal.get(at).text
        kamal.post(f"{at}/teeth", {"seen": "0", "tooth": "36", "x": "41", "y": "62"})
        assert "36 at 41 %" in kamal.get(at).text
        with app.app_context():
            acts = db.session.scalars(select(AuditEvent.act)).all()
        assert "read.documents.preview" in acts

    def test_a_file_of_another_patient_is_pointed_out(self, browser_of, filed):
        kamal, at = browser_of("kamal"), filed(body=dicom(PatientID="P-2026-00002"), name="36.dcm", into_store=True)
        page = kamal.get(at).text
        assert "Is this a file of another patient?" in page
        assert "The file says Nimal Perera; this patient is Nimali Fernando." in page
        assert "The file says born on 2 Mar 1984; this patient was born on 3 Sep 1991." in page
        assert "The file says number P-2026-00002; this patient is P-2026-00001." in page

    def test_a_file_that_names_nobody_says_so(self, browser_of, filed):
        body = dicom(PatientName="Anonymous", PatientBirthDate=None, PatientID=None)
        page = browser_of("kamal").get(filed(body=body, name="36.dcm", into_store=True)).text
        assert "does not say whose it is" in page

    def test_a_volume_is_kept_whole(self, browser_of, filed):
        kamal = browser_of("kamal")
        at = filed(body=dicom(NumberOfFrames=4000, **SAME), name="volume.dcm", into_store=True)
        page = kamal.get(at).text
        assert "Kept whole: 4,000 frames. Open it in your imaging software." in page
        assert f'href="{at}/download"' in page
        assert "document-viewer" not in page

    def test_what_cannot_be_read_is_asked_once(self, browser_of, filed, monkeypatch):
        kamal, at = browser_of("kamal"), filed(body=dicom()[:150], name="36.dcm", into_store=True)
        for _ in range(2):
            page = kamal.get(at).text
            assert "What the file says of itself cannot be read." in page
            assert kamal.get(f"{at}/preview").status_code == 204
            monkeypatch.setattr("clinic.blueprints.documents.thumbnails.facts_of", None)

    def test_it_says_that_it_is_packed(self, browser_of, filed):
        from clinic.documents.pictures import Facts

        # A file of its own: what is kept of it is not true, and other tests share the store.
        at = filed(body=dicom(PatientID="packed"), name="36.dcm", into_store=True)
        document = int(at.rpartition("/")[2])
        kamal = browser_of("kamal")
        with kamal.app.app_context():
            digest = db.session.get(Document, document).sha256
            kept.keep(kept.facts_key(digest), Facts((("Frames", "1"),), no=SENTENCES["compressed"]).body())
        assert SENTENCES["compressed"] in kamal.get(at).text

    def test_without_the_store_the_page_is_there(self, app, browser_of, filed):
        from dataclasses import replace

        at = filed(body=dicom(), name="36.dcm", into_store=True)
        app.config["CHAIRSIDE"] = replace(app.config["CHAIRSIDE"], s3_endpoint="http://127.0.0.1:9")
        for name in [name for name in app.extensions if name.startswith("chairside_store")]:
            del app.extensions[name]
        page = browser_of("kamal").get(at)
        assert page.status_code == 200
        assert "cannot be read at the moment" in page.text
        assert "Say what it is" in page.text

    def test_a_refused_change_shows_the_page_again(self, browser_of, filed):
        kamal, at = browser_of("kamal"), filed(body=dicom(), name="36.dcm", into_store=True)
        assert kamal.post(at, {"version": "2", "category": "nothing"}).status_code == 422

    def test_a_scan_in_tiff_has_a_preview(self, browser_of, filed):
        from tests.documents.test_pictures import corners, saved

        kamal, at = browser_of("kamal"), filed(body=saved(corners(), "TIFF"), name="scan.tif", into_store=True)
        assert f'<img src="{at}/preview"' in kamal.get(at).text
        assert kamal.get(f"{at}/preview").data.startswith(b"\xff\xd8")
