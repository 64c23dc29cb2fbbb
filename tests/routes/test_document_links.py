"""Direct links to large files: off unless the clinic says otherwise, each one in the trail, the link itself written down nowhere."""

import json
import logging
import re
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import replace
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from sqlalchemy import select

from clinic import clock, settings, storage
from clinic.extensions import db
from clinic.models import AuditEvent, Base, Document, DocumentStatus, Setting
from clinic.operations.documents import MIB, Said, delete_document, quarantine_document
from clinic.queries.documents import stored_of
from tests.filed import PDF, file_document
from tests.forms import fields_of
from tests.routes.test_glass import glass_of
from tests.stores import kept_in

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.xdist_group("storage")]
LARGE = PDF[:-6] + b"%" + b"x" * MIB + b"\n%%EOF\n"
WORDS = "Download directly"


@pytest.fixture
def kept(app, store):
    with kept_in(app, store):
        yield store


@pytest.fixture
def large(app, world, kept):
    """The number of Fernando's document of a little more than a MiB, and links to such for 10 minutes."""
    put(app, document_link_minutes=10, document_link_mib=1)
    return filed(app, world, name="එක්ස්-කිරණ صورة.pdf")


@pytest.fixture
def kamal(browser_of):
    return browser_of("kamal")


def put(app, **values):
    with app.app_context():
        for name, value in values.items():
            db.session.merge(Setting(name=name, value=json.dumps(value)))
        db.session.commit()
    settings.forget()


def filed(app, world, body=LARGE, **how) -> int:
    with app.app_context():
        document = file_document(world, body=body, into_store=True, **how)
        db.session.commit()
        return document.id


def page_of(world, number, patient="fernando"):
    return f"/patients/{world.patients[patient]}/documents/{number}"


def asked(person, world, number):
    """The answer to the button on the document's page."""
    page = person.get(page_of(world, number))
    assert WORDS in page.text
    return person.post(f"{page_of(world, number)}/link", fields_of(page.text, f"{page_of(world, number)}/link"))


def fetched(address, store):
    """What a stranger's browser gets: status, headers, bytes."""
    authority = getattr(store, "authority", None)
    context = ssl.create_default_context(cafile=authority) if authority else None
    try:
        with urllib.request.urlopen(address, context=context, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def told(app):
    with app.app_context():
        return db.session.execute(
            select(AuditEvent.sentence, AuditEvent.after, AuditEvent.patient_id).where(
                AuditEvent.act == "document.link"
            )
        ).all()


class TestOn:
    def test_it_leads_to_the_bytes_under_the_files_own_name(self, app, world, kamal, kept, large):
        answer = asked(kamal, world, large)
        assert answer.status_code == 303
        address = answer.headers["Location"]
        assert address.startswith(f"{kept.endpoint}/{kept.bucket}/documents/")
        assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["600"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        status, headers, body = fetched(address, kept)
        assert (status, body) == (200, LARGE)
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Cache-Control"] == "no-store"
        kind, plain, full = headers["Content-Disposition"].split("; ")
        assert (kind, full) == ("attachment", f"filename*=UTF-8''{quote('එක්ස්-කිරණ صورة.pdf')}")
        assert plain.isascii()

    def test_each_one_is_in_the_trail_with_size_and_end(self, app, world, kamal, large):
        before = clock.now()
        for _ in range(2):
            assert asked(kamal, world, large).status_code == 303
        first, second = told(app)
        assert first.patient_id == world.patients["fernando"]
        assert "Got a link for 10 minutes, until " in first.sentence
        assert "(1.0 MB) of Nimali Fernando" in first.sentence
        after = json.loads(second.after)
        assert after["size"] == len(LARGE)
        assert 599 < (clock.now().fromisoformat(after["ends"]) - before).total_seconds() < 660

    def test_it_is_written_down_nowhere(self, app, world, kamal, large, caplog):
        caplog.set_level(logging.DEBUG)
        answer = asked(kamal, world, large)
        signature = parse_qs(urlsplit(answer.headers["Location"]).query)["X-Amz-Signature"][0]
        assert len(signature) == 64
        assert answer.data == b""
        ours = [each.getMessage() for each in caplog.records if not each.name.startswith(("botocore", "urllib3"))]
        assert not [line for line in ours if signature in line]
        with app.app_context():
            for table in Base.metadata.sorted_tables:
                for row in db.session.execute(table.select()):
                    assert signature not in repr(tuple(row)), table.name
        assert signature not in kamal.get(page_of(world, large)).text

    def test_the_same_form_twice_gives_one_link(self, app, world, kamal, large):
        address = f"{page_of(world, large)}/link"
        fields = fields_of(kamal.get(page_of(world, large)).text, address)
        first, second = (kamal.post(address, fields) for _ in range(2))
        assert "X-Amz-Signature" in first.headers["Location"]
        assert second.headers["Location"] == f"{page_of(world, large)}?link=used"
        assert len(told(app)) == 1
        assert "That link was given already" in kamal.get(second.headers["Location"]).text

    def test_nothing_else_that_is_sent_changes_it(self, app, world, kamal, large):
        address = f"{page_of(world, large)}/link"
        fields = fields_of(kamal.get(page_of(world, large)).text, address)
        more = {"minutes": "999", "ExpiresIn": "99999", "key": "audit-anchors/1", "document_id": "1", "name": "a.html"}
        query = parse_qs(urlsplit(kamal.post(address, fields | more).headers["Location"]).query)
        assert query["X-Amz-Expires"] == ["600"]
        assert "a.html" not in query["response-content-disposition"][0]

    def test_only_its_page_may_send_forms_to_the_store(self, app, world, kamal, kept, large):
        small = filed(app, world, PDF, name="small.pdf")

        def may_send_to(number):
            policy = kamal.get(page_of(world, number)).headers["Content-Security-Policy"]
            return re.search(r"form-action ([^;]+)", policy)[1]

        assert may_send_to(large) == f"'self' {kept.endpoint}"
        assert may_send_to(small) == "'self'"

    def test_it_ends(self, app, world, kept, large):
        with app.app_context():
            stored = stored_of(db.session.get(Document, large))
            address = storage.link(stored, seconds=1, disposition="attachment")
        assert fetched(address, kept)[0] == 200
        time.sleep(2.1)
        status, _, body = fetched(address, kept)
        assert status == 403
        assert b"xxxx" not in body

    def test_it_is_for_that_object_and_reading_alone(self, app, world, kamal, kept, large):
        other = filed(app, world, LARGE + b"%", name="other.pdf")
        address = asked(kamal, world, large).headers["Location"]
        with app.app_context():
            mine, theirs = (db.session.get(Document, number).key for number in (large, other))
        assert fetched(address.replace(mine, theirs), kept)[0] == 403
        assert fetched(address.replace("X-Amz-Expires=600", "X-Amz-Expires=6000"), kept)[0] == 403
        request = urllib.request.Request(address, method="DELETE")
        assert fetched(request, kept)[0] == 403
        assert fetched(address, kept)[0] == 200


class TestOff:
    def refused(self, app, world, person, number):
        assert WORDS not in person.get(page_of(world, number)).text
        answer = person.post(f"{page_of(world, number)}/link")
        assert told(app) == []
        assert "Location" not in answer.headers
        return answer.status_code, "There is no direct link" in answer.text

    def test_it_is_off_unless_somebody_switches_it_on(self, app, world, kamal, kept):
        assert (settings.DECLARED["document_link_minutes"].default, settings.DECLARED["document_link_mib"].default) == (
            0,
            100,
        )
        number = filed(app, world)
        put(app, document_link_mib=1)
        assert self.refused(app, world, kamal, number) == (422, True)

    def test_not_for_a_small_file(self, app, world, kamal, kept, large):
        number = filed(app, world, PDF, name="small.pdf")
        assert self.refused(app, world, kamal, number) == (422, True)

    @pytest.mark.parametrize("how", ["quarantined", "deleted"])
    def test_only_for_what_is_available(self, app, world, kamal, kept, large, how):
        with app.app_context():
            if how == "quarantined":
                quarantine_document(large, why="The scanner found Eicar in it.")
            else:
                document = db.session.get(Document, large)
                delete_document(large, version=document.version, reason="Twice", actor=world.user("kamal"))
            db.session.commit()
        assert self.refused(app, world, kamal, large) == (422, True)

    def test_only_for_who_may_view_it(self, app, world, browser_of, kept, large):
        for name, status in (("omar", 404), ("sato", 404), ("adel", 404), ("nimal", 403)):
            assert browser_of(name).post(f"{page_of(world, large)}/link").status_code == status, name
        number = filed(app, world, LARGE + b"%", said=Said("radiograph"), name="opg.pdf")
        assert browser_of("ruwan").post(f"{page_of(world, number)}/link").status_code == 404  # a picture of the mouth
        assert asked(browser_of("ruwan"), world, large).status_code == 303  # a letter
        assert len(told(app)) == 1

    def test_not_through_a_broken_glass_which_it_would_outlive(self, app, world, browser_of, kept, large):
        glass_of(app, world, "omar", "fernando")
        omar = browser_of("omar")
        page = omar.get(page_of(world, large))
        assert page.status_code == 200
        assert WORDS not in page.text
        assert omar.post(f"{page_of(world, large)}/link").status_code == 403
        assert told(app) == []

    @pytest.mark.parametrize("how", ["gone", "longer"])
    def test_what_is_not_in_the_store_as_it_was_goes_into_quarantine(self, app, world, kamal, kept, large, how):
        with app.app_context():
            key = db.session.get(Document, large).key
            storage.delete(key)
            if how == "longer":
                storage.put_once(key, LARGE + b"x")
        answer = asked(kamal, world, large)
        assert answer.status_code == 503
        assert "in quarantine now" in answer.text
        assert told(app) == []
        with app.app_context():
            assert db.session.get(Document, large).status is DocumentStatus.QUARANTINED

    def test_a_store_that_is_away(self, app, world, kamal, kept, large, monkeypatch):
        page = kamal.get(page_of(world, large))

        app.config["CHAIRSIDE"] = replace(app.config["CHAIRSIDE"], s3_endpoint="http://127.0.0.1:1")
        for name in [name for name in app.extensions if name.startswith("chairside_store")]:
            monkeypatch.delitem(app.extensions, name)
        answer = kamal.post(f"{page_of(world, large)}/link", fields_of(page.text, f"{page_of(world, large)}/link"))
        assert answer.status_code == 503
        assert "cannot be opened at the moment" in answer.text
        assert told(app) == []
