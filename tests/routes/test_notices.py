"""What a person was told: the bell of every page, and the list behind it."""

import json
import re

import pytest
from sqlalchemy import func, select

from clinic.extensions import db
from clinic.models import AuditEvent, Notice
from clinic.operations.notices import tell
from tests.queries_counted import counted

ASKED = "You opened the record of Ana Perera and nobody knows why"


@pytest.fixture
def told(context, world):
    """Answers a function that tells a person something, and the row."""

    def tell_them(name="kamal", sentence="Your request was returned", kind="request.returned", **more) -> Notice:
        tell(world.people[name], sentence, kind=kind, **more)
        db.session.commit()
        return db.session.scalars(select(Notice).order_by(Notice.id.desc()).limit(1)).one()

    return tell_them


def stored(notice: Notice) -> Notice:
    return db.session.execute(
        select(Notice).where(Notice.id == notice.id).execution_options(populate_existing=True)
    ).scalar_one()


def bell_of(page: str) -> str:
    return re.search(r'<span class="visually-hidden">(Notices, [^<]+)</span>', page)[1]


class TestTheList:
    def test_it_shows_ones_own_notices_the_newest_first(self, told, browser_of):
        told(sentence="First thing")
        told(sentence="Second thing", url="/patients/1")
        told("leela", sentence="Not for Kamal")
        page = browser_of("kamal").get("/notices").text
        assert page.index("Second thing") < page.index("First thing")
        assert "Not for Kamal" not in page
        assert page.count("/follow") == 2  # action and hx-post of the one that leads somewhere

    def test_it_says_when_there_is_nothing(self, context, browser_of):
        assert "Nothing to tell you" in browser_of("adel").get("/notices").text

    def test_what_is_said_is_text(self, told, browser_of):
        told(sentence="<b>bold</b>")
        assert "&lt;b&gt;bold&lt;/b&gt;" in browser_of("kamal").get("/notices").text

    def test_the_region_answers_204_until_something_is_told(self, told, browser_of):
        told()
        kamal = browser_of("kamal")
        again = re.search(r'hx-get="([^"]+/list\?since=\d+)"', kamal.get("/notices").text)[1]
        assert kamal.get(again, htmx=True).status_code == 204
        told("leela")
        assert kamal.get(again, htmx=True).status_code == 204
        told(sentence="One more")
        assert "One more" in kamal.get(again, htmx=True).text

    def test_older_ones_are_a_page_further(self, told, browser_of, world):
        for number in range(60):
            tell(world.people["kamal"], f"Thing {number}.", kind="request.returned")
        db.session.commit()
        kamal = browser_of("kamal")
        first = kamal.get("/notices").text
        assert "Thing 59." in first
        assert "Thing 9." not in first
        older = re.search(r'href="(/notices\?after=\d+)"', first)[1]
        second = kamal.get(older).text
        assert "Thing 9." in second
        newer = re.search(r'href="(/notices\?before=\d+)"', second)[1]
        assert "Thing 59." in kamal.get(newer).text

    def test_queries_do_not_grow_with_the_notices(self, told, browser_of, world):
        told()
        kamal = browser_of("kamal")
        kamal.get("/notices")
        with counted() as few:
            kamal.get("/notices")
        for number in range(1000):
            tell(world.people["kamal"], f"Thing {number}", kind="request.returned")
        db.session.commit()
        with counted() as many:
            kamal.get("/notices")
        assert len(many) == len(few)


class TestTheBell:
    def test_it_is_on_every_page_and_counts_what_is_unread(self, told, browser_of):
        kamal = browser_of("kamal")
        assert bell_of(kamal.get("/my-queue").text) == "Notices, none unread"
        told(), told(), told("leela")
        assert bell_of(kamal.get("/my-queue").text) == "Notices, 2 unread"

    def test_it_costs_one_query(self, told, browser_of):
        kamal = browser_of("kamal")
        kamal.get("/account/password")
        with counted() as statements:
            kamal.get("/account/password")
        assert sum("notice" in statement for statement in statements) == 1

    def test_it_answers_204_until_the_number_changes_and_then_says_the_newest(self, told, browser_of):
        told()
        kamal = browser_of("kamal")
        url = re.search(r'hx-get="(/notices/bell\?shown=\d+)"', kamal.get("/my-queue").text)[1]
        assert kamal.get(url, htmx=True).status_code == 204
        told(sentence="Your request for P-2026-00004 was returned")
        answer = kamal.get(url, htmx=True)
        assert bell_of(answer.text) == "Notices, 2 unread"
        assert json.loads(answer.headers["HX-Trigger"])["say"]["text"] == "Your request for P-2026-00004 was returned"

    def test_fewer_are_shown_without_a_word(self, told, browser_of):
        told()
        answer = browser_of("kamal").get("/notices/bell?shown=5", htmx=True)
        assert bell_of(answer.text) == "Notices, 1 unread"
        assert "HX-Trigger" not in answer.headers

    def test_beyond_99_it_stops_counting(self, told, browser_of, world):
        for number in range(120):
            tell(world.people["kamal"], f"Thing {number}", kind="request.returned")
        db.session.commit()
        assert bell_of(browser_of("kamal").get("/notices").text) == "Notices, more than 99 unread"

    def test_who_must_first_choose_a_password_has_none(self, told, world, browser_of):
        world.user("kamal").must_change_password = True
        db.session.commit()
        assert "notices-bell" not in browser_of("kamal").get("/account/password").text


class TestReading:
    def test_a_notice_is_marked_read(self, told, browser_of):
        notice, kamal = told(), browser_of("kamal")
        answer = kamal.post(f"/notices/{notice.id}/read", htmx=True)
        assert answer.status_code == 204
        assert "person:changed" in answer.headers["HX-Trigger"]
        assert stored(notice).read_at is not None
        assert bell_of(kamal.get("/notices").text) == "Notices, none unread"

    def test_reading_twice_is_one_event(self, told, browser_of):
        notice, kamal = told(), browser_of("kamal")
        kamal.post(f"/notices/{notice.id}/read")
        kamal.post(f"/notices/{notice.id}/read")
        of = select(func.count(AuditEvent.id)).where(AuditEvent.act == "notice.read")
        assert db.session.scalar(of) == 1

    def test_following_one_reads_it_and_leads_there(self, told, browser_of, world):
        url = f"/patients/{world.patients['fernando']}"
        notice, kamal = told(url=url), browser_of("kamal")
        answer = kamal.post(f"/notices/{notice.id}/follow")
        assert answer.status_code == 303
        assert answer.location.endswith(url)
        assert stored(notice).read_at is not None

    def test_following_one_that_leads_nowhere_leads_back(self, told, browser_of):
        answer = browser_of("kamal").post(f"/notices/{told().id}/follow")
        assert answer.location.endswith("/notices")

    def test_all_are_read_at_once_but_for_questions(self, told, browser_of):
        first, asked, other = told(), told(sentence=ASKED, kind="record.unexplained"), told("leela")
        answer = browser_of("kamal").post("/notices/read", htmx=True)
        assert "1 marked as read" in answer.headers["HX-Trigger"]
        assert stored(first).read_at is not None
        assert stored(asked).read_at is None
        assert stored(other).read_at is None
        answer = browser_of("kamal").post("/notices/read", htmx=True)
        assert "Nothing was unread" in answer.headers["HX-Trigger"]

    @pytest.mark.parametrize("act", ["read", "follow", "answer"])
    def test_anothers_is_not_there(self, told, browser_of, act):
        notice = told("leela", kind="record.unexplained")
        answer = browser_of("kamal").post(f"/notices/{notice.id}/{act}", {"words": "It was me"})
        assert answer.status_code == 404
        assert stored(notice).read_at is None
        assert browser_of("kamal").get(f"/notices/{notice.id}").status_code == 404
        assert "Your request" not in browser_of("kamal").get("/notices").text


class TestAnswering:
    def test_a_question_is_answered_on_a_page_of_its_own(self, told, browser_of, world):
        notice = told(sentence=ASKED, kind="record.unexplained", patient_id=world.patients["perera"])
        kamal = browser_of("kamal")
        assert f'href="/notices/{notice.id}"' in kamal.get("/notices").text
        page = kamal.get(f"/notices/{notice.id}").text
        assert ASKED in page
        assert "Why did you open this record?" in page
        answer = kamal.post(f"/notices/{notice.id}/answer", {"words": "  Her X-ray was on my list  "})
        assert answer.status_code == 303
        assert "Your answer is kept" in kamal.get(answer.location).text
        assert stored(notice).answer == "Her X-ray was on my list"
        assert "Her X-ray was on my list" in kamal.get(f"/notices/{notice.id}").text
        event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "notice.answer")).one()
        assert event.patient_id == world.patients["perera"]
        assert event.reason == "Her X-ray was on my list"

    @pytest.mark.parametrize("words", ["", "   ", "me", "x" * 501])
    def test_no_answer_is_refused_and_what_was_typed_is_kept(self, told, browser_of, words):
        notice = told(sentence=ASKED, kind="record.unexplained")
        answer = browser_of("kamal").post(f"/notices/{notice.id}/answer", {"words": words})
        assert answer.status_code == 422
        assert words.strip() in answer.text
        assert stored(notice).answer is None

    def test_an_answer_stays_as_it_was_given(self, told, browser_of):
        notice, kamal = told(sentence=ASKED, kind="record.unexplained"), browser_of("kamal")
        kamal.post(f"/notices/{notice.id}/answer", {"words": "Her X-ray was on my list"})
        again = kamal.post(f"/notices/{notice.id}/answer", {"words": "Something else"})
        assert again.status_code == 409
        assert "Her X-ray was on my list" in again.text
        assert stored(notice).answer == "Her X-ray was on my list"

    @pytest.mark.parametrize("act", ["read", "follow"])
    def test_a_question_is_not_read_without_an_answer(self, told, browser_of, act):
        notice = told(sentence=ASKED, kind="record.unexplained")
        answer = browser_of("kamal").post(f"/notices/{notice.id}/{act}")
        assert answer.status_code == 422
        assert stored(notice).read_at is None

    def test_what_asks_nothing_takes_no_answer(self, told, browser_of):
        notice = told()
        assert "textarea" not in browser_of("kamal").get(f"/notices/{notice.id}").text
        answer = browser_of("kamal").post(f"/notices/{notice.id}/answer", {"words": "But listen"})
        assert answer.status_code == 422


def test_looking_reads_nothing(told, browser_of):
    notice, kamal = told(), browser_of("kamal")
    for url in ("/notices", "/notices/list", "/notices/bell", f"/notices/{notice.id}"):
        kamal.get(url)
    assert stored(notice).read_at is None
