"""Asking for somebody or for a patient, and following one's requests, through the web."""

import re

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.extensions import db
from clinic.models import AssignmentKind, AuditEvent, Patient, Request, RequestKind, RequestStatus
from clinic.operations import requests
from tests.queries_counted import counted
from tests.trail import ACTS


def keep():
    db.session.commit()


def count():
    return db.session.scalar(select(func.count(Request.id)))


def acts():
    return db.session.scalar(select(func.count(AuditEvent.id)).where(ACTS)) or 0


def asked(world, person="leela", patient="fernando", by="ruwan"):
    request = requests.ask_assignment(
        kind=RequestKind.ASSIGN,
        patient_id=world.patients[patient],
        clinician_id=world.people[person],
        assignment_kind=AssignmentKind.ADDITIONAL,
        reason="Lives nearby",
        actor=world.user(by),
    )
    keep()
    return request


class TestReceptionAsks:
    def url(self, world, patient="fernando"):
        return f"/patients/{world.patients[patient]}/team/ask"

    def fields(self, world, person="leela", **changes):
        return {"act": "assign", "person": world.people[person], "kind": "additional", "reason": "Lives near"} | changes

    def test_asked_and_shown_on_the_patients_page(self, context, world, browser_of):
        ruwan = browser_of("ruwan")
        assert "Leela Nair (year 3, primary 1 of 8)" in ruwan.get(self.url(world)).text
        answer = ruwan.post(self.url(world), self.fields(world))
        assert answer.status_code == 303
        shown = ruwan.get(answer.headers["Location"]).text
        assert "Asked. You will be told what is decided." in shown
        assert "Assign Leela Nair, additional" in shown
        assert count() == 1

    def test_the_page_of_the_patient_leads_to_removing_somebody(self, context, world, browser_of):
        ruwan = browser_of("ruwan")
        page = ruwan.get(f"/patients/{world.patients['fernando']}").text
        link = re.search(r'href="(/patients/\d+/team/ask\?act=remove[^"]+)"', page)[1].replace("&amp;", "&")
        form = ruwan.get(link).text
        assert re.search(r'value="remove"[^>]*checked|checked[^>]*value="remove"', form)
        assert re.search(rf'<option selected value="{world.people["kamal"]}"', form)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"act": "transfer"}, "Choose one from the list"),
            ({"person": "x"}, "Choose"),
            ({"person": ""}, "Choose who."),
            ({"reason": " "}, "Write why you ask."),
            ({"act": "remove"}, "Leela Nair does not have Nimali Fernando as additional"),
        ],
    )
    def test_bad_input_is_refused(self, context, world, browser_of, changes, says):
        answer = browser_of("ruwan").post(self.url(world), self.fields(world) | changes)
        assert answer.status_code == 422
        assert says in answer.text
        assert count() == 0

    def test_the_same_twice_names_who_asked(self, context, world, browser_of):
        asked(world)
        answer = browser_of("rita").post(self.url(world), self.fields(world))
        assert answer.status_code == 409
        assert "Ruwan Senanayake asked for this on" in answer.text
        assert "Lives near" in answer.text

    def test_it_is_safe_to_repeat(self, context, world, browser_of):
        ruwan = browser_of("ruwan")
        answers = [ruwan.post(self.url(world), self.fields(world), once="ask-leela-1") for _ in range(3)]
        assert {answer.status_code for answer in answers} == {303}
        assert count() == 1

    def test_no_patient_no_page(self, context, browser_of):
        assert browser_of("ruwan").get("/patients/99999/team/ask").status_code == 404

    @pytest.mark.parametrize("name", ["nimal", "adel", "kamal", "silva"])
    def test_who_may_not(self, context, world, browser_of, name):
        assert browser_of(name).get(self.url(world)).status_code == 403
        assert browser_of(name).post(self.url(world), self.fields(world)).status_code == 403


def told(answer):
    """What a browser is told, without what is new in every answer: keys and tokens."""
    text = re.sub(r'name="(csrf_token|once)" value="[^"]*"|said=[\w-]+|once-[\w-]+', "", answer.text)
    location = re.sub(r"said=[\w-]+", "", answer.headers.get("Location", ""))
    return answer.status_code, location, text


class TestAStudentAsks:
    def post(self, browser, code, **changes):
        return browser.post("/requests/new", {"code": code, "kind": "primary", "need": "Molar endo"} | changes)

    def test_asked_followed_and_withdrawn(self, context, world, browser_of):
        leela = browser_of("leela")
        assert leela.get("/requests/new").status_code == 200
        answer = self.post(leela, "p-2026-1")
        assert answer.status_code == 303
        page = leela.get(answer.headers["Location"]).text
        assert "Asked for P-2026-00001. A supervisor of your department decides." in page
        assert 'For yourself: <strong class="nowrap">P-2026-00001</strong>' in page
        assert "Nimali" not in page
        request = db.session.scalars(select(Request)).one()
        done = leela.post(f"/requests/{request.id}/withdraw", {"version": 1})
        assert done.status_code == 303
        assert "withdrawn" in leela.get("/requests").text

    def test_once_approved_the_name_is_shown(self, context, world, browser_of):
        leela = browser_of("leela")
        self.post(leela, "P-2026-00001")
        request = db.session.scalars(select(Request)).one()
        requests.approve_request(request.id, version=1, actor=world.user("silva"))
        keep()
        assert "Nimali Fernando" in leela.get("/requests").text

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({"code": ""}, "Write the patient&#39;s code."),
            ({"code": "Fernando"}, "looks like P-2026-00412"),
            ({"need": " "}, "Write what you need the patient for."),
            ({"kind": "oversight"}, "Choose one from the list."),
        ],
    )
    def test_bad_input_is_refused(self, context, browser_of, fields, says):
        answer = self.post(browser_of("leela"), **({"code": "P-2026-00001"} | fields))
        assert answer.status_code == 422
        assert says in answer.text
        assert count() == 0

    @pytest.mark.parametrize("name", ["ruwan", "nimal", "adel", "silva"])
    def test_only_students(self, context, browser_of, name):
        assert browser_of(name).get("/requests/new").status_code == 403
        assert self.post(browser_of(name), "P-2026-00001").status_code == 403


class TestNobodyLearnsWhoIsThere:
    """The same code, in a world with the patient and in one where the patient has another code."""

    @pytest.fixture
    def engine_name(self):
        """SQLite gives the numbers of rows that were rolled back again, so that two runs can be compared byte by byte."""
        return "sqlite"

    @pytest.mark.parametrize("patient", ["fernando", "nadia", "wu", "archie"])
    @pytest.mark.parametrize("becomes", ["returned", "expired", "withdrawn"])
    def test_every_answer_is_the_same(self, app, world, browser_of, patient, becomes):
        with app.app_context():
            code, at, connection = world.patient(patient).code, clock.now(), db.session().get_bind()
        leela = browser_of("leela")
        heard = []
        for there in (True, False):
            savepoint = connection.begin_nested()
            with clock.frozen(at):
                if not there:
                    with app.app_context():
                        world.patient(patient).code = "P-1999-00001"
                        keep()
                heard.append(self.heard(app, world, leela, code, becomes))
            savepoint.rollback()
        assert [answer[0] for answer in heard[0]] == [303, 409, 200, 200, 200, 200, 303]
        assert heard[0] == heard[1]

    def heard(self, app, world, leela, code, becomes):
        def ask():
            return leela.post("/requests/new", {"code": code, "kind": "primary", "need": "Molar endo"})

        answers = [ask(), ask(), leela.get("/requests"), leela.get("/notices")]
        with app.app_context():
            number = db.session.scalar(select(func.max(Request.id)))
            if becomes == "returned":
                requests.return_request(number, version=1, reason="No", actor=world.user("silva"))
            elif becomes == "expired":
                requests.expire_requests(db.session.get_one(Request, number).expires_at)
            keep()
        if becomes == "withdrawn":
            leela.post(f"/requests/{number}/withdraw", {"version": 1})
        answers += [leela.get("/requests"), leela.get("/notices"), ask()]
        return [told(answer) for answer in answers]


class TestFollowing:
    def test_one_sees_ones_own_and_nobody_elses(self, context, world, browser_of):
        asked(world)
        assert "Nimali Fernando" in browser_of("ruwan").get("/requests").text
        assert "Nothing asked yet" in browser_of("rita").get("/requests").text

    def test_what_became_of_it_is_said(self, context, world, browser_of):
        request = asked(world)
        requests.return_request(request.id, version=1, reason="She is full", actor=world.user("silva"))
        keep()
        page = browser_of("ruwan").get("/requests").text
        assert "by Dr Sunil Silva" in page
        assert "“She is full”" in page

    def test_withdrawing_is_safe_to_repeat_and_late_is_told(self, context, world, browser_of):
        request, ruwan = asked(world), browser_of("ruwan")
        url = f"/requests/{request.id}/withdraw"
        answers = [ruwan.post(url, {"version": 1}, once="withdraw-it-1") for _ in range(2)]
        assert {answer.status_code for answer in answers} == {303}
        late = ruwan.post(url, {"version": 1})
        assert late.status_code == 409
        assert "Ruwan Senanayake withdrew this request on" in late.text

    def test_anothers_request_is_not_found(self, context, world, browser_of):
        request = asked(world)
        assert browser_of("rita").post(f"/requests/{request.id}/withdraw", {"version": 1}).status_code == 404
        assert request.status is RequestStatus.PENDING

    @pytest.mark.parametrize("name", ["nimal", "adel"])
    def test_who_asks_nothing_has_no_list(self, context, world, browser_of, name):
        assert browser_of(name).get("/requests").status_code == 403

    def test_looking_writes_nothing(self, context, world, browser_of):
        asked(world)
        before = acts(), count()
        browser_of("ruwan").get("/requests")
        assert (acts(), count()) == before

    def test_pages_and_a_constant_number_of_queries(self, context, world, browser_of):
        ruwan, counts = browser_of("ruwan"), []
        fernando, at = db.session.get_one(Patient, world.patients["fernando"]), clock.now()
        for number in range(60):
            db.session.add(
                Request(
                    kind=RequestKind.ASSIGN,
                    status=RequestStatus.WITHDRAWN,
                    patient_id=fernando.id,
                    code=fernando.code,
                    clinician_id=world.people["leela"],
                    assignment_kind=AssignmentKind.PRIMARY,
                    asked_by_id=world.people["ruwan"],
                    asked_at=at,
                    expires_at=at,
                )
            )
            if number in (9, 59):
                keep()
                with counted() as statements:
                    page = ruwan.get("/requests").text
                counts.append(len(statements))
        assert counts[0] == counts[1]
        assert page.count('id="request-') == 50
        older = re.search(r"/requests\?after=\d+", page)[0]
        assert ruwan.get(older).text.count('id="request-') == 10
