"""The pages of evaluations, of the clinic's forms of them, and of graders beside one another."""

import re

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.extensions import db
from clinic.models import Assignment, EvaluationForm, Marking, User
from clinic.operations.evaluations import publish_evaluation_form
from tests.evaluated import assessed, corrected, evaluated, over, sent
from tests.gated import dismissal_asked, gates_on, seated, setting, started
from tests.graded import LENIENT, STRICT
from tests.operations.test_evaluations import put_in
from tests.scene import second_supervisor


@pytest.fixture
def engine_name():
    return "sqlite"


@pytest.fixture
def done(app, world):
    """`done(what, ...)`: in the clinic, committed. Begins with Fernando's visit, which is over."""

    def do(*steps, **how):
        with app.app_context():
            made = None
            for step in steps:
                made = step(world, **how)
            db.session.commit()
            return made

    do(over)
    return do


@pytest.fixture
def at(world, done):
    return f"/visits/{world.visits['fernando']}"


def number(app, model):
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


class TestTheStudent:
    def test_assesses_themselves_and_may_write_it_anew(self, app, browser_of, at):
        kamal = browser_of("kamal")
        assert "Assess yourself before you ask" in kamal.get(at).text
        page = kamal.get(f"{at}/evaluation").text
        assert "Patient management" in page
        assert "alone and reliably" in page
        answer = kamal.post(f"{at}/self-assessment", sent(4, comment="Too slow <b>"))
        assert answer.status_code == 303
        assert "a supervisor evaluates after the dismissal" in kamal.get(at).text
        page = kamal.get(f"{at}/evaluation").text
        assert "Too slow &lt;b&gt;" in page
        assert re.search(r'value="4" checked', page)
        version = re.search(r'name="version"[^>]*value="(\d+)"', page)[1]
        assert kamal.post(f"{at}/self-assessment", sent(2, version=version)).status_code == 303
        assert number(app, Marking) == 2

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"mark-technique": ""}, "Choose a step, or “not seen”."),
            ({"mark-technique": "6"}, "Choose a step, or “not seen”."),
            ({"comment": "x" * 2001}, "At most 2000 letters."),
            ({"version": "x"}, "Keep my self-assessment"),
        ],
    )
    def test_what_is_wrong_is_said_in_place_and_what_was_chosen_stays(self, app, browser_of, at, change, said):
        answer = browser_of("kamal").post(f"{at}/self-assessment", sent(4) | change)
        assert answer.status_code == 422
        assert said in answer.text
        assert answer.text.count('value="4" checked') >= 5
        assert number(app, Marking) == 0

    def test_nothing_seen_at_all_is_refused(self, browser_of, at):
        answer = browser_of("kamal").post(f"{at}/self-assessment", sent(None))
        assert answer.status_code == 422
        assert "Nothing was seen" in answer.text

    def test_sent_twice_it_is_there_once(self, app, browser_of, at):
        kamal = browser_of("kamal")
        for _ in range(2):
            answer = kamal.post(f"{at}/self-assessment", sent(4), once="the-same-key-1234")
            assert answer.status_code == 303
        assert number(app, Marking) == 1

    def test_a_page_that_is_old_is_refused_with_both(self, browser_of, at, done):
        done(assessed)
        answer = browser_of("kamal").post(f"{at}/self-assessment", sent(1, comment="Mine"))
        assert answer.status_code == 409
        assert "Kamal Dias marked this on" in answer.text
        assert "Mine" in answer.text
        assert 'value="1" checked' in answer.text

    def test_reads_their_own_with_the_trend_and_a_table(self, browser_of, at, done):
        done(lambda world: assessed(world, comment="Slow"), lambda world: evaluated(world, comment="Steady hands"))
        kamal = browser_of("kamal")
        page = kamal.get("/evaluations").text
        for said in ("Your evaluations", "Steady hands", "Slow", "Dr Sunil Silva", "As a table", "<polyline"):
            assert said in page
        assert "Technique: first 3, last 3, 1 times" in page
        assert "Dr Sunil Silva marked this" in kamal.get(f"{at}/evaluation").text
        assert kamal.post(f"{at}/self-assessment", sent(5, version=2)).status_code in (409, 422)

    def test_and_also_after_the_patient_is_another_students(self, app, world, browser_of, at, done):
        done(evaluated)
        with app.app_context():
            for each in db.session.scalars(
                select(Assignment).where(Assignment.patient_id == world.patients["fernando"])
            ):
                each.ends_at = clock.now()
            db.session.commit()
        kamal = browser_of("kamal")
        assert kamal.get(f"{at}/evaluation").status_code == 404
        page = kamal.get("/evaluations").text
        assert "Dr Sunil Silva" in page
        assert "Fernando" not in page
        assert at not in page

    def test_has_none_yet(self, browser_of):
        assert "No evaluation yet" in browser_of("omar").get("/evaluations").text


class TestTheSupervisor:
    def test_evaluates_from_the_list_and_the_student_hears_of_it(self, app, world, browser_of, at, done):
        done(lambda world: assessed(world, step=4, comment="Slow"))
        silva = browser_of("silva")
        page = silva.get("/evaluations").text
        assert "To evaluate: 1" in page
        assert "has assessed themselves" in page
        assert "Evaluate Kamal Dias" in silva.get(at).text
        page = silva.get(f"{at}/evaluation").text
        assert "own: 4 alone, once checked" in page
        assert "Slow" in page
        version = re.search(r'name="version"[^>]*value="(\d+)"', page)[1]
        answer = silva.post(f"{at}/evaluation", sent(3, version=version, comment="Isolate first"), htmx=False)
        assert answer.status_code == 303
        page = silva.get("/evaluations").text
        assert "Nobody waits to be evaluated" in page
        page = silva.get(f"/evaluations/students/{world.people['kamal']}").text
        assert "Isolate first" in page
        assert "evaluated your visit" in browser_of("kamal").get("/notices").text

    def test_corrects_their_own_and_both_are_shown(self, browser_of, at, done):
        done(lambda world: evaluated(world, step=2, comment="Hm"))
        silva = browser_of("silva")
        page = silva.get(f"{at}/evaluation").text
        version = re.search(r'name="version"[^>]*value="(\d+)"', page)[1]
        wrong = silva.post(f"{at}/evaluation/correct", sent(4, version=version, reason=""))
        assert wrong.status_code == 422
        assert "the student reads that" in wrong.text
        right = sent(4, version=version, reason="Of another student")
        assert silva.post(f"{at}/evaluation/correct", right).status_code == 303
        assert silva.post(f"{at}/evaluation/correct", right).status_code == 409
        page = browser_of("kamal").get("/evaluations").text
        assert "Of another student" in page
        assert "As it was marked before" in page

    def test_marks_once(self, app, browser_of, at, done):
        done(evaluated)
        answer = browser_of("silva").post(f"{at}/evaluation", sent(5, comment="Mine"))
        assert answer.status_code == 409
        assert "Dr Sunil Silva marked this" in answer.text
        assert number(app, Marking) == 1

    def test_the_second_of_two_sees_both(self, app, world, browser_of, at, done):
        with app.app_context():
            second_supervisor(world)
            db.session.commit()
        done(lambda world: evaluated(world, comment="Theirs"))
        answer = browser_of("prado").post(f"{at}/evaluation", sent(5, comment="Mine"))
        assert answer.status_code == 409
        for said in ("Dr Sunil Silva marked this", "Theirs", "Mine", "Technique</bdi>: 5"):
            assert said in answer.text

    def test_waits_for_the_student_where_the_clinic_wants_that(self, app, browser_of, at, done):
        done(lambda world: setting("self_assessment", True))
        silva = browser_of("silva")
        assert "Kamal Dias assesses themselves first" in silva.get(f"{at}/evaluation").text
        answer = silva.post(f"{at}/evaluation", sent(3))
        assert answer.status_code == 422
        assert "Kamal Dias assesses themselves first" in answer.text
        assert number(app, Marking) == 0

    def test_the_student_cannot_send_the_dismissal_before_then(self, app, world, browser_of):
        with app.app_context():
            gates_on()
            setting("self_assessment", True)
            seated(world)
            started(world)
            db.session.commit()
        kamal, at = browser_of("kamal"), f"/visits/{world.visits['fernando']}"
        page = kamal.get(f"{at}/dismissal").text
        assert "before you send this" in page
        seen = re.search(r'name="seen"[^>]*value="([0-9a-f]{64})"', page)[1]
        form = {"seen": seen, "words": "Looked only"}
        answer = kamal.post(f"{at}/dismissal", form)
        assert answer.status_code == 422
        assert "Assess yourself first" in answer.text
        assert kamal.post(f"{at}/self-assessment", sent(4)).status_code == 303
        assert kamal.post(f"{at}/dismissal", form).status_code == 303

    def test_is_offered_it_after_approving_a_dismissal(self, app, world, browser_of):
        with app.app_context():
            gates_on()
            seated(world)
            started(world)
            gate = dismissal_asked(world, words="Looked only")
            key, version = gate.id, gate.version
            second_supervisor(world)
            db.session.commit()
        silva = browser_of("silva")
        assert "Evaluate Kamal Dias" not in silva.get("/approvals").text
        answer = silva.post(f"/approvals/gate-dismiss/{key}/approve", {"version": str(version)})
        assert answer.status_code == 303
        page = silva.get("/approvals").text
        assert "Evaluate Kamal Dias" in page
        assert f"/visits/{world.visits['fernando']}/evaluation" in page
        assert "Evaluate Kamal Dias" not in browser_of("prado").get("/approvals").text

    def test_chooses_the_form_where_there_are_several(self, browser_of, at, done):
        adel, silva = browser_of("adel"), browser_of("silva")
        form = {"title": "Surgery", "steps": "a\nb\nc\nd\ne", "criteria": "Asepsis: hands", "seen": "0"}
        assert adel.post("/evaluation-forms/new", form).status_code == 303
        assert "Surgery" in silva.get(f"{at}/evaluation").text
        assert "Asepsis" in silva.get(f"{at}/evaluation?form=surgery").text
        sends = {"mark-asepsis": "2", "form_code": "surgery", "form_number": "1", "version": "0", "comment": ""}
        assert silva.post(f"{at}/evaluation", sends).status_code == 303
        assert "Asepsis" in browser_of("kamal").get("/evaluations").text

    def test_without_any_form_in_use_it_is_said_who_helps(self, app, browser_of, at, done):
        def none_is(world):
            said = {"code": "sessional", "title": "Sessional", "steps": "a\nb\nc\nd\ne", "criteria": "A", "seen": 1}
            publish_evaluation_form(**said, actor=world.user("adel")).retired_at = clock.now()

        done(none_is)
        silva = browser_of("silva")
        for answer in (silva.get(f"{at}/evaluation"), silva.post(f"{at}/evaluation", sent(3))):
            assert answer.status_code == 422
            assert "No evaluation form is in use. Ask an administrator" in answer.text
        assert silva.get("/evaluations").status_code == 200


class TestWho:
    @pytest.mark.parametrize(
        ("name", "status"),
        [("leela", 404), ("omar", 404), ("sato", 404), ("ruwan", 403), ("nimal", 403), ("adel", 403)],
    )
    def test_nobody_else_learns_or_marks(self, app, browser_of, at, done, name, status):
        done(assessed, evaluated)
        person = browser_of(name)
        assert person.get(f"{at}/evaluation").status_code == status
        assert person.post(f"{at}/self-assessment", sent(5, version=2)).status_code == status
        for url in ("evaluation", "evaluation/correct"):
            expected = 403 if name in ("leela", "omar") else status
            assert person.post(f"{at}/{url}", sent(5, version=2, reason="Because")).status_code == expected
        assert number(app, Marking) == 2

    def test_the_student_does_not_mark_themselves_as_supervisors_do(self, app, browser_of, at):
        for url in ("evaluation", "evaluation/correct"):
            assert browser_of("kamal").post(f"{at}/{url}", sent(5, reason="Because")).status_code == 403
        assert browser_of("silva").post(f"{at}/self-assessment", sent(5)).status_code == 404
        assert number(app, Marking) == 0

    def test_a_student_sees_no_other_student(self, world, browser_of, done):
        done(evaluated)
        for name, status in (("leela", 403), ("kamal", 403), ("sato", 404), ("silva", 200), ("adel", 403)):
            answer = browser_of(name).get(f"/evaluations/students/{world.people['kamal']}")
            assert answer.status_code == status, name
        assert "Dr Sunil Silva" not in browser_of("leela").get("/evaluations").text

    @pytest.mark.parametrize("url", ["/graders", "/evaluation-forms"])
    def test_who_opens_what(self, browser_of, url):
        allowed = {"/graders": ("silva", "sato", "adel"), "/evaluation-forms": ("adel",)}[url]
        for name in ("kamal", "ruwan", "nimal", "silva", "sato", "adel"):
            assert browser_of(name).get(url).status_code == (200 if name in allowed else 403), name

    def test_looking_changes_nothing(self, app, world, browser_of, at, done):
        for url in ("/evaluations", "/graders", f"{at}/evaluation", f"/evaluations/students/{world.people['kamal']}"):
            assert browser_of("silva").get(url).status_code == 200
        assert number(app, Marking) == 0
        assert number(app, EvaluationForm) == 0


class TestGraders:
    def test_the_page_singles_out_the_strict_and_the_lenient_and_nobody_else(self, app, world, browser_of, done):
        ids = done(put_in)
        with app.app_context():
            names = {key: db.session.get_one(User, person).name for key, person in ids.items()}
        for name in ("silva", "adel"):
            page = browser_of(name).get("/graders").text
            notices = re.findall(r'<p class="notice" id="grader-\d+-said">.*?</p>', page, re.S)
            assert len(notices) == 2
            assert re.search(rf"{names[STRICT]}</strong>: Marks \d\.\d lower than colleagues", notices[0])
            assert re.search(rf"{names[LENIENT]}</strong>: Marks \d\.\d higher than colleagues", notices[1])
            assert page.count('class="eval-out"') == 2
            assert page.count("Not surely other than colleagues") == len(ids) - 2

    def test_too_few_to_say(self, browser_of, done):
        done(evaluated)
        page = browser_of("silva").get("/graders").text
        assert "Too few evaluations to compare anybody." in page
        assert "Too few to say (0 evaluations of 0 students)" in page
        assert "Dr Sunil Silva" in page

    def test_none_on_these_days(self, browser_of, done):
        done(evaluated)
        assert "No evaluations on these days" in browser_of("silva").get("/graders?from=2020-01-01&to=2020-02-01").text

    @pytest.mark.parametrize("query", ["from=x", "from=2026-03-02&to=2026-03-01", "from=2001-01-01", "department=99"])
    def test_what_cannot_be_asked_is_said(self, browser_of, query):
        assert browser_of("adel").get(f"/graders?{query}").status_code == 422

    def test_corrected_marks_count_as_corrected(self, browser_of, done):
        done(evaluated, corrected)
        assert browser_of("adel").get("/graders").text.count("Dr Sunil Silva") == 1


class TestForms:
    NEW = {"title": "Surgery", "steps": "a\nb\nc\nd\ne", "criteria": "Asepsis: hands <now>", "seen": "0"}

    def test_written_changed_retired_and_back(self, app, browser_of):
        adel = browser_of("adel")
        assert "as it came with Chairside" in adel.get("/evaluation-forms").text
        assert adel.post("/evaluation-forms/new", self.NEW).status_code == 303
        page = adel.get("/evaluation-forms/surgery").text
        assert "Asepsis: hands &lt;now&gt;" in page
        changed = self.NEW | {"criteria": "Asepsis\nHaste", "seen": "1"}
        assert adel.post("/evaluation-forms/surgery", changed).status_code == 303
        assert adel.post("/evaluation-forms/surgery/retire", {"version": "1"}).status_code == 303
        assert adel.post("/evaluation-forms/sessional/retire", {"version": "0"}).status_code == 422
        assert "Use again: Surgery" in adel.get("/evaluation-forms").text
        assert adel.post("/evaluation-forms/surgery/bring-back", {"version": "1"}).status_code == 409
        assert adel.post("/evaluation-forms/surgery/bring-back", {"version": "2"}).status_code == 303
        assert adel.get("/evaluation-forms/none").status_code == 404
        assert adel.post("/evaluation-forms/none/retire", {"version": "1"}).status_code == 404

    def test_what_is_no_form_says_why_and_stays(self, app, browser_of):
        adel = browser_of("adel")
        for change, said in (({"title": ""}, "Give the form a title."), ({"steps": "one"}, "5 steps")):
            answer = adel.post("/evaluation-forms/new", self.NEW | change)
            assert answer.status_code == 422
            assert said in answer.text
            assert "Asepsis: hands" in answer.text
        assert number(app, EvaluationForm) == 0

    def test_who_was_slower_sees_both(self, browser_of):
        adel = browser_of("adel")
        changed = {"title": "Sessional", "steps": self.NEW["steps"], "criteria": "Theirs", "seen": "1"}
        assert adel.post("/evaluation-forms/sessional", changed).status_code == 303
        answer = adel.post("/evaluation-forms/sessional", changed | {"criteria": "Mine"})
        assert answer.status_code == 409
        assert "Theirs" in answer.text
        assert "Mine" in answer.text
        assert "Adel Rahman published number 2" in answer.text
