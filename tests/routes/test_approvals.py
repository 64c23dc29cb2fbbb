"""The approvals inbox through the web: what waits, one item, approve, return, several at once, the number in the navigation."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, select

from clinic import settings
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    AuditEvent,
    Notice,
    Opened,
    Request,
    RequestStatus,
    Setting,
)
from clinic.operations.handover import Destination
from clinic.operations.requests import ask_transfer, withdraw_request
from clinic.queries.scope import is_running
from tests.asked import many_ask, reception_asks, student_asks
from tests.queries_counted import counted
from tests.scene import second_supervisor


@pytest.fixture(autouse=True)
def _fresh_settings():
    yield
    settings.forget()


@pytest.fixture
def asked(context, world):
    """Reception asks that Leela gets Fernando, 40 minutes ago."""
    request = reception_asks(world)
    request.asked_at -= timedelta(minutes=40)
    db.session.commit()
    return request


@pytest.fixture
def two_asked(asked, world):
    """And Leela herself asks for Fernando as well."""
    other = student_asks(world)
    db.session.commit()
    return [asked, other]


def status_of(request) -> RequestStatus:
    return db.session.scalar(select(Request.status).where(Request.id == request.id))


def has(world, person, patient) -> bool:
    found = select(Assignment.id).where(
        Assignment.user_id == world.people[person], Assignment.patient_id == world.patients[patient], is_running()
    )
    return db.session.scalar(found.limit(1)) is not None


def opened() -> int:
    return db.session.scalar(select(func.count()).select_from(Opened)) or 0


def waiting_of(page: str) -> str:
    """What the navigation says of the number: empty when nothing waits."""
    found = re.search(r'<span class="visually-hidden"> (\d+) waiting for you</span>', page)
    return found[1] if found else ""


def several(*requests) -> dict[str, str]:
    return {"items": " ".join(f"request:{request.id}:{request.version}" for request in requests)}


class TestTheInbox:
    def test_it_shows_what_waits_by_student_and_patient(self, two_asked, world, browser_of):
        page = unescape(browser_of("silva").get("/approvals").text)
        assert page.count('class="card inbox-group') == 1
        for shown in (
            "Leela Nair",
            "Nimali Fernando",
            "P-2026-00001",
            "Leela Nair gets Nimali Fernando, P-2026-00001, as additional",
            "Ruwan Senanayake",
            "40 min",
            "not opened",
            "due ",
        ):
            assert shown in page
        assert page.index("as additional") < page.index("as primary"), "the longest waiting comes first"

    def test_the_longest_waiting_patient_comes_first(self, asked, world, browser_of):
        newer = reception_asks(world, "kamal", "perera")
        newer.asked_at -= timedelta(hours=2)
        db.session.commit()
        page = browser_of("silva").get("/approvals").text
        assert page.index("Ana Perera") < page.index("Nimali Fernando")
        assert page.count('class="card inbox-group') == 2

    def test_it_says_when_nothing_waits(self, context, browser_of):
        assert "Nothing waits for you" in browser_of("silva").get("/approvals").text

    def test_what_waits_for_others_is_not_there(self, asked, world, browser_of):
        own = reception_asks(world, "sato", "wu")
        db.session.commit()
        page = browser_of("sato").get("/approvals").text
        assert "Nimali Fernando" not in page
        assert f"/approvals/request/{own.id}" in page, "a named clinician decides about themself"
        assert f"/approvals/request/{own.id}" not in browser_of("silva").get("/approvals").text

    def test_what_one_asked_for_oneself_is_decided_by_another(self, context, world, browser_of):
        request = ask_for_a_transfer(world, by="silva")
        second_supervisor(world)
        db.session.commit()
        assert "Nothing waits for you" in browser_of("silva").get("/approvals").text
        assert f"/approvals/request/{request.id}" in browser_of("prado").get("/approvals").text
        page = browser_of("silva").get(f"/approvals/request/{request.id}").text
        assert "Another supervisor decides" in page
        assert "/approve" not in page

    def test_text_of_people_is_text(self, context, world, browser_of):
        world.patient("fernando").name = "<b>Bo</b>"
        reception_asks(world)
        db.session.commit()
        page = browser_of("silva").get("/approvals").text
        assert "<b>Bo" not in page
        assert "&lt;b&gt;Bo" in page

    def test_it_is_not_for_other_roles(self, asked, browser_of):
        for name in ("ruwan", "kamal", "nimal", "adel"):
            assert browser_of(name).get("/approvals").status_code == 403

    def test_the_page_holds_what_the_region_answers(self, two_asked, browser_of):
        def plain(html):
            return re.sub(r'name="csrf_token" value="\w+"|data-now="[^"]+"', "", html)

        silva = browser_of("silva")
        region, mark, number = plain(silva.get("/approvals/list").text).partition('<span id="approvals-waiting"')
        page = plain(silva.get("/approvals").text)
        assert region.strip() in page
        assert mark + number.replace(' hx-swap-oob="outerMorph"', "").strip() in page
        assert "/approvals/waiting" not in page
        assert "/approvals/waiting" in silva.get("/supervision").text

    def test_the_region_answers_204_until_something_changes(self, asked, world, browser_of):
        silva = browser_of("silva")
        again = re.search(r'hx-get="([^"]+/list\?since=\d+)"', silva.get("/approvals").text)[1]
        assert silva.get(again, htmx=True).status_code == 204
        withdraw_request(asked.id, version=asked.version, actor=world.user("ruwan"))
        db.session.commit()
        assert "Nothing waits for you" in silva.get(again, htmx=True).text

    def test_it_costs_the_same_for_ten_and_for_a_thousand(self, context, world, browser_of):
        many_ask(world, 10)
        silva = browser_of("silva")
        silva.get("/approvals")
        with counted() as few:
            assert silva.get("/approvals").text.count("data-key-row") == 10
        many_ask(world, 990)
        with counted() as many:
            page = silva.get("/approvals").text
        assert page.count("data-key-row") == 200
        assert "800 more come up here" in page
        assert len(many) <= len(few) + 1  # how many more there are is counted once it matters


class TestAnItem:
    def test_it_shows_exactly_what_is_approved(self, asked, browser_of):
        page = unescape(browser_of("silva").get(f"/approvals/request/{asked.id}").text)
        for shown in (
            "Penicillin",
            "Leela Nair gets Nimali Fernando, P-2026-00001, as additional",
            "year 3, Restorative",
            "Lives nearby",
            "Ruwan Senanayake asks",
            "Return with a reason",
        ):
            assert shown in page

    def test_that_it_was_looked_at_is_written_down(self, asked, world, browser_of):
        silva = browser_of("silva")
        assert "not opened" in silva.get("/approvals").text
        for _ in range(2):
            silva.get(f"/approvals/request/{asked.id}")
        row = db.session.scalars(select(Opened)).one()
        assert (row.user_id, row.item, row.version) == (world.people["silva"], f"request:{asked.id}", asked.version)
        events = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "approval.open")).all()
        assert len(events) == 2
        assert events[0].subject == f"request:{asked.id}"
        assert events[0].patient_id == world.patients["fernando"]
        assert "not opened" not in silva.get("/approvals").text

    def test_what_changed_since_counts_as_not_opened(self, asked, browser_of):
        silva = browser_of("silva")
        silva.get(f"/approvals/request/{asked.id}")
        asked.reason = "Moved"
        db.session.commit()
        assert "not opened" in silva.get("/approvals").text

    def test_a_transfer_shows_the_note_and_where_everything_goes(self, context, world, browser_of):
        request = ask_for_a_transfer(world)
        page = unescape(browser_of("silva").get(f"/approvals/request/{request.id}").text)
        for shown in ("from Kamal Dias to Leela Nair", "Crown 36 next\nthen recall", "What becomes of it", "Goes to"):
            assert shown.lower() in page.lower(), shown

    def test_a_patient_one_may_not_open_is_named_and_no_more(self, context, world, browser_of):
        request = student_asks(world, code="P-2026-00004")
        db.session.commit()
        page = browser_of("silva").get(f"/approvals/request/{request.id}").text
        assert "نادية منصور" in page
        assert "Not a patient of yours" in page
        assert f'href="/patients/{world.patients["nadia"]}"' not in page
        assert "patient-alerts" not in page

    def test_a_code_of_nobody_can_only_be_returned(self, context, world, browser_of):
        request = student_asks(world, code="P-2026-99999")
        db.session.commit()
        silva = browser_of("silva")
        assert "P-2026-99999" in silva.get("/approvals").text
        page = silva.get(f"/approvals/request/{request.id}").text
        assert "There is no patient with the code P-2026-99999" in page
        answer = silva.post(f"/approvals/request/{request.id}/approve", {"version": request.version})
        assert answer.status_code == 422
        assert "no patient with the code" in answer.text

    def test_what_is_decided_says_by_whom_and_offers_nothing(self, asked, world, browser_of):
        silva = browser_of("silva")
        silva.post(f"/approvals/request/{asked.id}/return", {"version": asked.version, "reason": "She has enough"})
        page = silva.get(f"/approvals/request/{asked.id}").text
        assert "Dr Sunil Silva returned this request" in page
        assert "She has enough" in page
        assert "<textarea" not in page

    @pytest.mark.parametrize("url", ["/approvals/request/999999", "/approvals/nothing/1"])
    def test_what_is_not_there(self, asked, browser_of, url):
        silva = browser_of("silva")
        assert silva.get(url).status_code == 404
        assert silva.post(f"{url}/approve", {"version": 1}).status_code == 404
        assert silva.post(f"{url}/return", {"version": 1, "reason": "No"}).status_code == 404

    def test_anothers_is_not_there(self, asked, browser_of):
        sato = browser_of("sato")
        url = f"/approvals/request/{asked.id}"
        assert sato.get(url).status_code == 404
        assert sato.post(f"{url}/approve", {"version": asked.version}).status_code == 404
        assert sato.post(f"{url}/return", {"version": asked.version, "reason": "No"}).status_code == 404
        assert sato.post("/approvals/approve", several(asked)).status_code == 404
        assert status_of(asked) is RequestStatus.PENDING
        assert opened() == 0


class TestApproving:
    def test_it_takes_effect_and_whoever_asked_is_told(self, asked, world, browser_of):
        answer = browser_of("silva").post(f"/approvals/request/{asked.id}/approve", {"version": asked.version})
        assert answer.status_code == 303
        assert answer.location.startswith("/approvals")
        assert status_of(asked) is RequestStatus.APPROVED
        assert has(world, "leela", "fernando")
        told = db.session.scalars(select(Notice).where(Notice.user_id == world.people["ruwan"])).one()
        assert told.kind == "request.approved"
        assert "Approved: Leela Nair gets" in browser_of("silva").get("/approvals").text or answer.location

    def test_sent_twice_it_is_one_approval(self, asked, browser_of):
        silva = browser_of("silva")
        for _ in range(2):
            answer = silva.post(
                f"/approvals/request/{asked.id}/approve", {"version": asked.version}, once="twice-12345"
            )
            assert answer.status_code == 303
        of = select(func.count(AuditEvent.id)).where(AuditEvent.act == "request.approve")
        assert db.session.scalar(of) == 1

    def test_a_stale_one_is_refused_with_what_happened(self, asked, world, browser_of):
        second_supervisor(world)
        db.session.commit()
        data = {"version": asked.version}
        browser_of("prado").post(f"/approvals/request/{asked.id}/return", data | {"reason": "She has enough"})
        answer = browser_of("silva").post(f"/approvals/request/{asked.id}/approve", data)
        assert answer.status_code == 409
        assert "Dr Ines Prado returned this request" in answer.text
        assert not has(world, "leela", "fernando")

    def test_one_that_changed_is_refused(self, asked, world, browser_of):
        data = {"version": asked.version}
        asked.reason = "Moved"
        db.session.commit()
        assert browser_of("silva").post(f"/approvals/request/{asked.id}/approve", data).status_code == 409
        assert status_of(asked) is RequestStatus.PENDING

    @pytest.mark.parametrize("version", ["", "x", "9" * 30])
    def test_a_form_that_is_none_is_refused(self, asked, browser_of, version):
        answer = browser_of("silva").post(f"/approvals/request/{asked.id}/approve", {"version": version})
        assert answer.status_code == 422
        assert status_of(asked) is RequestStatus.PENDING

    def test_beyond_the_load_limit_a_reason_is_asked_for(self, asked, world, browser_of):
        db.session.merge(Setting(name="load_limits", value=json.dumps({"additional": {"3": 0}})))
        db.session.commit()
        settings.forget()
        silva, url = browser_of("silva"), f"/approvals/request/{asked.id}"
        page = silva.get(url).text
        assert "One more needs a reason" in page
        assert 'name="reason" id="approval-exception"' in page
        assert silva.post(f"{url}/approve", {"version": asked.version}).status_code == 422
        answer = silva.post(f"{url}/approve", {"version": asked.version, "reason": "Needs a molar"})
        assert answer.status_code == 303
        assert has(world, "leela", "fernando")


class TestReturning:
    def test_it_goes_back_with_the_reason(self, asked, world, browser_of):
        data = {"version": asked.version, "reason": "  She has enough  "}
        answer = browser_of("silva").post(f"/approvals/request/{asked.id}/return", data)
        assert answer.status_code == 303
        assert status_of(asked) is RequestStatus.RETURNED
        told = db.session.scalars(select(Notice).where(Notice.user_id == world.people["ruwan"])).one()
        assert "She has enough" in told.sentence
        assert not has(world, "leela", "fernando")

    @pytest.mark.parametrize(
        ("reason", "says"), [("", "Write why"), ("  ", "Write why"), ("x" * 501, "500 characters")]
    )
    def test_without_a_reason_it_is_refused_and_kept(self, asked, browser_of, reason, says):
        data = {"version": asked.version, "reason": reason}
        answer = browser_of("silva").post(f"/approvals/request/{asked.id}/return", data)
        assert answer.status_code == 422
        assert says in answer.text
        assert reason.strip() in answer.text
        assert '<details class="inbox-return" open>' in answer.text
        assert status_of(asked) is RequestStatus.PENDING

    def test_a_stale_one_is_refused(self, asked, world, browser_of):
        silva = browser_of("silva")
        silva.post(f"/approvals/request/{asked.id}/approve", {"version": asked.version})
        data = {"version": asked.version, "reason": "She has enough"}
        answer = silva.post(f"/approvals/request/{asked.id}/return", data)
        assert answer.status_code == 409
        assert has(world, "leela", "fernando")


class TestSeveralAtOnce:
    def test_the_button_counts_what_was_not_opened(self, two_asked, browser_of):
        silva = browser_of("silva")
        assert "Approve 2, 2 not opened" in silva.get("/approvals").text
        silva.get(f"/approvals/request/{two_asked[0].id}")
        assert "Approve 2, 1 not opened" in silva.get("/approvals").text
        silva.get(f"/approvals/request/{two_asked[1].id}")
        assert re.search(r"Approve 2</button>", silva.get("/approvals").text)

    def test_one_alone_is_opened_first(self, asked, browser_of):
        assert "/approvals/approve" not in browser_of("silva").get("/approvals").text

    def test_all_of_one_student_and_patient_are_approved(self, two_asked, world, browser_of):
        answer = browser_of("silva").post("/approvals/approve", several(*two_asked), htmx=True)
        assert answer.status_code == 204
        assert "approvals:changed" in answer.headers["HX-Trigger"]
        assert "Approved 2 for Leela Nair" in answer.headers["HX-Trigger"]
        assert {status_of(request) for request in two_asked} == {RequestStatus.APPROVED}
        kinds = select(Assignment.kind).where(
            Assignment.user_id == world.people["leela"], Assignment.patient_id == world.patients["fernando"]
        )
        assert set(db.session.scalars(kinds)) == {AssignmentKind.PRIMARY, AssignmentKind.ADDITIONAL}

    @pytest.mark.parametrize(("person", "patient"), [("kamal", "perera"), ("leela", "nadia")])
    def test_students_and_patients_are_not_mixed(self, asked, world, browser_of, person, patient):
        other = reception_asks(world, person, patient)
        db.session.commit()
        answer = browser_of("silva").post("/approvals/approve", several(asked, other))
        assert answer.status_code == 422
        assert "one student and one patient" in answer.text
        assert {status_of(request) for request in (asked, other)} == {RequestStatus.PENDING}

    def test_one_that_is_stale_holds_them_all(self, two_asked, world, browser_of):
        data = several(*two_asked)
        silva = browser_of("silva")
        silva.post(
            f"/approvals/request/{two_asked[1].id}/return", {"version": two_asked[1].version, "reason": "Not yet"}
        )
        answer = silva.post("/approvals/approve", data)
        assert answer.status_code == 409
        assert "Nothing was approved" in answer.text
        assert "Dr Sunil Silva returned this request" in answer.text
        assert status_of(two_asked[0]) is RequestStatus.PENDING
        assert not has(world, "leela", "fernando")

    @pytest.mark.parametrize("items", ["", "request:1", "request:x:1", "request:1:1 request:1:1 ", "request:1:1,2"])
    def test_a_form_that_is_none_is_refused(self, asked, browser_of, items):
        assert browser_of("silva").post("/approvals/approve", {"items": items}).status_code == 422

    def test_the_same_one_twice_is_refused(self, asked, browser_of):
        assert browser_of("silva").post("/approvals/approve", several(asked, asked)).status_code == 422
        assert status_of(asked) is RequestStatus.PENDING


class TestTheNumber:
    def test_it_is_in_the_navigation_of_every_page(self, context, world, browser_of):
        silva = browser_of("silva")
        assert waiting_of(silva.get("/supervision").text) == ""
        reception_asks(world)
        db.session.commit()
        assert waiting_of(silva.get("/supervision").text) == "1"

    def test_it_answers_204_while_it_is_the_number_shown(self, asked, world, browser_of):
        silva = browser_of("silva")
        url = re.search(r'hx-get="(/approvals/waiting\?shown=\d+)"', silva.get("/supervision").text)[1]
        assert silva.get(url, htmx=True).status_code == 204
        student_asks(world)
        db.session.commit()
        assert waiting_of(silva.get(url, htmx=True).text) == "2"

    def test_it_costs_one_query_and_others_none(self, asked, browser_of):
        for name, cost in (("silva", 1), ("kamal", 0), ("ruwan", 0)):
            person = browser_of(name)
            person.get("/account/password")
            with counted() as statements:
                person.get("/account/password")
            assert sum(" request" in statement for statement in statements) == cost, name


def test_looking_changes_nothing_but_what_was_looked_at(two_asked, browser_of):
    silva = browser_of("silva")
    for url in ("/approvals", "/approvals/list", "/approvals/waiting", f"/approvals/request/{two_asked[0].id}"):
        assert silva.get(url).status_code == 200
    assert {status_of(request) for request in two_asked} == {RequestStatus.PENDING}
    assert opened() == 1


def ask_for_a_transfer(world, *, by="kamal"):
    request = ask_transfer(
        patient_id=world.patients["fernando"],
        from_id=world.people["kamal"],
        to_id=world.people["leela"],
        handover="Crown 36 next\nthen recall",
        destinations={f"visit:{world.visits['fernando']}": Destination("receiver")},
        actor=world.user(by),
    )
    db.session.commit()
    return request


def test_every_kind_can_be_chosen():
    """The form that approves several reads the names of all kinds that wait together."""
    from clinic.approvals.inbox import KINDS
    from clinic.blueprints.approvals.forms import CHOSEN

    assert not [name for name in KINDS if not CHOSEN.fullmatch(f"{name}:7:1")]
