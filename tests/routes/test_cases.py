"""The pages of cases and tasks, and what nobody but a supervisor does on any of them."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import Case, CaseLog, CaseStatus, CaseTask, Notice, TaskStatus
from tests.cased import case_of, submitted, task_of
from tests.operations.test_cases import assign, end_assignments
from tests.queries_counted import counted
from tests.routes.test_glass import glass_of


@pytest.fixture
def at(world):
    return f"/patients/{world.patients['fernando']}/cases"


@pytest.fixture
def case(app, world):
    """The id of a case of Kamal and Fernando."""
    with app.app_context():
        made = case_of(world).id
        db.session.commit()
    return made


@pytest.fixture
def task(app, world, case):
    """`task(status)`: the id of a task of it."""

    def make(status=TaskStatus.ASSIGNED, **asked):
        with app.app_context():
            made = task_of(world, db.session.get_one(Case, case), status, **asked).id
            db.session.commit()
        return made

    return make


def row(app, model, number):
    with app.app_context():
        return db.session.get_one(model, number)


def day(days):
    on = clock.today() + timedelta(days=days)
    return f"{on.day}/{on.month}/{on.year}"


def test_a_case_is_opened_tasks_are_assigned_and_both_read_it(app, browser_of, at):
    silva, kamal = browser_of("silva"), browser_of("kamal")
    assert "No case yet" in silva.get(at).text
    page = silva.post(at, {"student": row_id(app, "kamal"), "title": "Crown <36>", "words": "A2"})
    assert page.status_code == 303
    assert "Crown &lt;36&gt;" in silva.get(at).text
    where = page.headers["Location"].partition("?")[0]
    with app.app_context():
        until = day(7)
    sent = {"title": "Impression", "due_on": until, "teeth": "36", "kind": "crown", "words": "Two-step"}
    assert silva.post(f"{where}/tasks", sent).status_code == 303
    for person in (silva, kamal):
        page = person.get(where).text
        assert "0 of 1 task reviewed" in page
        assert "assigned “Impression”, until" in page
        assert "Crown, teeth 36" in page
    mine = kamal.get("/cases").text
    assert "Crown &lt;36&gt;" in mine
    assert "My cases" in mine
    assert "Cases of students" in silva.get("/cases").text
    assert "No closed case" in kamal.get("/cases?closed=1").text


def row_id(app, name):
    from clinic.models import User

    with app.app_context():
        return db.session.scalar(select(User.id).where(User.email == f"{name}@clinic.test"))


@pytest.mark.parametrize(("sent", "said"), [
    ({"title": "Crown"}, "Choose"),
    ({"title": "", "student": "kamal"}, "Give it a title."),
    ({"title": "x" * 121, "student": "kamal"}, "At most 120 letters."),
    ({"title": "Crown", "student": "leela"}, "Choose one from the list."),
    ({"title": "Crown", "student": "kamal", "words": "x" * 1001}, "At most 1,000 letters."),
])  # fmt: skip
def test_what_is_wrong_with_a_case_is_said_in_place(app, browser_of, at, sent, said):
    if "student" in sent:
        sent = sent | {"student": row_id(app, sent["student"])}
    answer = browser_of("silva").post(at, sent)
    assert answer.status_code == 422
    assert said in answer.text
    with app.app_context():
        assert db.session.scalars(select(Case)).all() == []


@pytest.mark.parametrize(("sent", "said"), [
    ({"title": ""}, "Give it a title."),
    ({"due_on": ""}, "Say until which day."),
    ({"due_on": "soon"}, "Type day, month and year"),
    ({"due_on": "1/1/2020"}, "today or later"),
    ({"teeth": "99"}, "“99” is no tooth."),
    ({"kind": "nothing"}, "Choose one from the list."),
])  # fmt: skip
def test_what_is_wrong_with_a_task_is_said_in_place_and_what_was_typed_stays(app, browser_of, at, case, sent, said):
    with app.app_context():
        usual = {"title": "Impression", "due_on": day(5), "words": "Mind the tongue"}
    answer = browser_of("silva").post(f"{at}/{case}/tasks", usual | sent)
    assert answer.status_code == 422
    assert said in answer.text
    assert "Mind the tongue" in answer.text
    with app.app_context():
        assert db.session.scalars(select(CaseTask)).all() == []


def test_a_second_case_is_refused_with_how_the_first_stands(app, browser_of, at, case):
    answer = browser_of("silva").post(at, {"student": row_id(app, "kamal"), "title": "Another"})
    assert answer.status_code == 409
    assert "One case of a student and a patient runs at a time" in answer.text
    assert 'value="Another"' in answer.text


def test_the_student_works_and_the_supervisor_reviews_it_in_the_inbox(app, browser_of, at, case, task):
    number = task()
    kamal, silva = browser_of("kamal"), browser_of("silva")
    page = kamal.get(f"{at}/{case}").text
    assert 'aria-label="Begin: Preparation"' in page
    assert kamal.post(f"{at}/{case}/tasks/{number}/begin", {"version": version(page, "begin")}).status_code == 303
    page = kamal.get(f"{at}/{case}").text
    sent = {"version": version(page, "complete"), "words": "Shoulder 1 mm"}
    for _ in range(2):
        again = kamal.post(f"{at}/{case}/tasks/{number}/complete", sent, once="the-same-key-12345")
        assert again.status_code == 303
    assert kamal.post(f"{at}/{case}/tasks/{number}/complete", sent).status_code == 409
    assert f"/approvals/task/{number}" in silva.get("/approvals").text
    item = silva.get(f"/approvals/task/{number}").text
    assert "Shoulder 1 mm" in item
    assert "SHA-256 of this log" in item
    sent = {"version": version(item, "review"), "words": "Fine margins"}
    assert silva.post(f"{at}/{case}/tasks/{number}/review", sent).status_code == 303
    assert silva.post(f"{at}/{case}/tasks/{number}/review", sent).status_code == 409
    assert f"/approvals/task/{number}" not in silva.get("/approvals").text
    page = kamal.get(f"{at}/{case}").text
    assert "Fine margins" in page
    assert "1 of 1 task reviewed" in page
    assert kamal.post(f"{at}/{case}/submit", {"version": version(page, "submit")}).status_code == 303
    item = silva.get(f"/approvals/case/{case}").text
    assert "Log up to here" in item
    assert silva.post(f"/approvals/case/{case}/approve", {"version": version(item, "approve")}).status_code == 303
    page = silva.get(f"{at}/{case}").text
    assert silva.post(f"{at}/{case}/close", {"version": version(page, "close")}).status_code == 303
    assert row(app, Case, case).status is CaseStatus.CLOSED
    assert "after it was verified" in kamal.get(f"{at}/{case}").text
    assert "Crown on 36" in kamal.get("/cases?closed=1").text


def version(page, act):
    return re.search(rf'action="[^"]*/{act}".*?name="version" value="(\d+)"', page, re.DOTALL)[1]


def test_returned_and_taken_up(app, world, browser_of, at, case, task):
    number = task(TaskStatus.COMPLETED)
    silva, kamal = browser_of("silva"), browser_of("kamal")
    item = silva.get(f"/approvals/task/{number}").text
    wrong = silva.post(f"/approvals/task/{number}/return", {"version": version(item, "return"), "reason": ""})
    assert wrong.status_code == 422
    sent = {"version": version(item, "return"), "reason": "Margin open"}
    assert silva.post(f"/approvals/task/{number}/return", sent).status_code == 303
    assert silva.post(f"/approvals/task/{number}/return", sent).status_code == 409
    assert "returned “Preparation”" in silva.get(f"/approvals/task/{number}").text.replace("the task ", "")
    page = kamal.get(f"{at}/{case}").text
    assert "Returned: “<bdi>Margin open</bdi>”" in page
    assert "Go on with it" in page
    with app.app_context():
        assert "Margin open" in db.session.scalars(select(Notice.sentence).order_by(Notice.id.desc())).first()


def test_several_tasks_of_one_case_are_approved_at_once(app, browser_of, case, task):
    numbers = [task(TaskStatus.COMPLETED, title=title) for title in ("One", "Two")]
    silva = browser_of("silva")
    chosen = " ".join(f"task:{number}:{row(app, CaseTask, number).version}" for number in numbers)
    assert chosen in silva.get("/approvals").text
    assert silva.post("/approvals/approve", {"items": chosen}).status_code == 303
    assert [row(app, CaseTask, number).status for number in numbers] == [TaskStatus.REVIEWED] * 2


def test_a_comment_is_added_and_nothing_takes_it_away(app, browser_of, at, case, task):
    number = task()
    kamal = browser_of("kamal")
    assert kamal.post(f"{at}/{case}/comments", {"task": number, "words": "Which shade?"}).status_code == 303
    assert browser_of("silva").post(f"{at}/{case}/comments", {"task": 0, "words": "A2"}).status_code == 303
    page = kamal.get(f"{at}/{case}").text
    assert "wrote to “Preparation”" in page
    assert "Which shade?" in page
    wrong = kamal.post(f"{at}/{case}/comments", {"task": 999999, "words": "Well"})
    assert wrong.status_code == 422
    assert "Write what you want to say." in kamal.post(f"{at}/{case}/comments", {"task": 0, "words": " "}).text


def test_passing_on_is_asked_for_by_name_and_reason(app, world, browser_of, at, case):
    silva = browser_of("silva")
    assert "No other student of your department has this patient" in silva.get(f"{at}/{case}").text
    with app.app_context():
        assign(world, "leela", "fernando")
        db.session.commit()
    seen = version(silva.get(f"{at}/{case}").text, "pass-on")
    sent = {"version": seen, "student": world.people["leela"], "reason": ""}
    assert silva.post(f"{at}/{case}/pass-on", sent).status_code == 422
    assert silva.post(f"{at}/{case}/pass-on", sent | {"student": world.people["omar"]}).status_code == 422
    assert silva.post(f"{at}/{case}/pass-on", sent | {"reason": "Graduates"}).status_code == 303
    assert silva.post(f"{at}/{case}/pass-on", sent | {"reason": "Graduates"}).status_code == 409
    assert row(app, Case, case).student_id == world.people["leela"]
    assert "passed the case on from <bdi>Kamal Dias</bdi> to <bdi>Leela Nair</bdi>" in silva.get(f"{at}/{case}").text


def test_overdue_is_said_in_words_on_every_list_of_both(app, browser_of, at, case, task):
    task(days=0)
    with app.app_context():
        late = db.session.scalars(select(CaseTask)).one()
        late.due_on = clock.today() - timedelta(days=3)
        db.session.commit()
    kamal, silva = browser_of("kamal"), browser_of("silva")
    for person, page in (
        (kamal, "/my-queue"), (kamal, "/cases"), (silva, "/cases"), (kamal, f"{at}/{case}"), (silva, f"{at}/{case}"),
    ):  # fmt: skip
        assert "overdue since" in person.get(page).text, page
    assert "1 overdue" in silva.get(at).text
    assert "overdue" not in silva.get("/my-queue").text
    sent = {"version": version(silva.get(f"{at}/{case}").text, "close"), "reason": "The patient moved away"}
    assert silva.post(f"{at}/{case}/close", sent).status_code == 303
    for page in ("/cases", "/cases?closed=1", at, f"{at}/{case}"):
        assert "overdue" not in silva.get(page).text, page


ACTS = (
    ("{case}/tasks", {"title": "Easy", "due_on": "1/1/2027"}),
    ("{case}/tasks/{task}/review", {"words": "Excellent", "status": "reviewed", "review": "Excellent"}),
    ("{case}/pass-on", {"student": "1", "reason": "Because"}),
    ("{case}/close", {"reason": "Because", "status": "verified"}),
)


@pytest.mark.parametrize("name", ["kamal", "leela", "ruwan", "nimal", "adel"])
def test_no_path_lets_anybody_else_review_verify_or_write_a_review(app, world, browser_of, at, name):
    """Hand-made requests too: every act of a supervisor, with every field that might be believed."""
    with app.app_context():
        waits = submitted(world)
        other = case_of(world, "perera")
        task_of(world, other, TaskStatus.COMPLETED)
        assign(world, "leela", "fernando")
        assign(world, "kamal", "perera")
        db.session.commit()
        before = snapshot()
    person = browser_of(name)
    claims = {
        "reviewed_by_id": world.people["silva"], "verified_by_id": world.people["silva"], "actor": "silva", "role": "supervisor",
        "status": "verified", "review": "Excellent", "act": "reviewed",
    }  # fmt: skip
    for case, patient in ((waits, "fernando"), (other, "perera")):
        with app.app_context():
            number = db.session.scalar(select(CaseTask.id).where(CaseTask.case_id == case.id))
            versions = range(1, 12)
        base = f"/patients/{world.patients[patient]}/cases"
        for url, data in ACTS:
            for version in (1, 5, 9):
                sent = claims | data | {"version": version}
                answer = person.post(base + "/" + url.format(case=case.id, task=number), sent)
                assert answer.status_code == 403, url
        assert person.post(base, claims | {"student": world.people["kamal"], "title": "Mine"}).status_code == 403
        for kind, item in (("task", number), ("case", case.id)):
            for act in ("approve", "return"):
                for version in versions:
                    sent = claims | {"version": version, "reason": "Because", "words": "Excellent"}
                    assert person.post(f"/approvals/{kind}/{item}/{act}", sent).status_code == 403
            sent = {"items": f"{kind}:{item}:5"}
            assert person.post("/approvals/approve", sent).status_code == 403
        if name in ("kamal", "leela"):  # what they may do takes no claims
            for url in ("submit", "take-up", f"tasks/{number}/begin", f"tasks/{number}/complete"):
                answer = person.post(f"{base}/{case.id}/{url}", claims | {"version": 3, "words": "Reviewed: excellent"})
                assert answer.status_code in (403, 409), url
    with app.app_context():
        assert snapshot() == before


def snapshot():
    cases = db.session.execute(select(Case.id, Case.status, Case.verified_by_id, Case.steps).order_by(Case.id)).all()
    tasks = select(CaseTask.id, CaseTask.status, CaseTask.review, CaseTask.reviewed_by_id).order_by(CaseTask.id)
    log = select(CaseLog.id, CaseLog.act, CaseLog.done_by_id).order_by(CaseLog.id)
    return cases, db.session.execute(tasks).all(), db.session.execute(log).all()


@pytest.mark.parametrize(
    ("name", "status"), [("omar", 404), ("sato", 404), ("leela", 404), ("ruwan", 403), ("nimal", 403)]
)
def test_nobody_else_learns_of_it(browser_of, at, case, task, name, status):
    number = task()
    person = browser_of(name)
    for url in (at, f"{at}/{case}"):
        assert person.get(url).status_code == status
    for act in ("comments", "submit", "take-up", f"tasks/{number}/begin", f"tasks/{number}/complete"):
        assert person.post(f"{at}/{case}/{act}", {"version": 1, "words": "Well", "task": 0}).status_code == status
    if name == "sato":
        for kind, item in (("task", number), ("case", case)):
            assert person.get(f"/approvals/{kind}/{item}").status_code == 404
            assert person.post(f"/approvals/{kind}/{item}/approve", {"version": 1}).status_code == 404


def test_whose_assignment_ended_is_not_found_and_others_still_read(app, world, browser_of, at, case, task):
    number = task()
    with app.app_context():
        assign(world, "leela", "fernando")
        end_assignments(world, "kamal")
        db.session.commit()
    kamal = browser_of("kamal")
    assert kamal.get(f"{at}/{case}").status_code == 404
    assert kamal.post(f"{at}/{case}/tasks/{number}/begin", {"version": 2}).status_code == 404
    leela = browser_of("leela")
    page = leela.get(f"{at}/{case}").text
    assert "Preparation" in page
    assert "/begin" not in page
    assert leela.post(f"{at}/{case}/tasks/{number}/begin", {"version": 2}).status_code == 403


def test_through_broken_glass_it_is_read_and_offers_nothing(app, world, browser_of, at, case, task):
    task()
    sato = browser_of("sato")
    assert sato.get(f"{at}/{case}").status_code == 404
    glass_of(app, world, "sato", "fernando")
    page = sato.get(f"{at}/{case}")
    assert "Preparation" in page.text
    assert "Assign a task" not in page.text
    assert "Add the comment" not in page.text
    assert sato.post(f"{at}/{case}/comments", {"task": 0, "words": "Well"}).status_code == 403


def test_another_case_or_patients_task_is_not_found_under_this_one(app, world, browser_of, at, case, task):
    task()
    with app.app_context():
        other = case_of(world, "perera")
        theirs = task_of(world, other).id
        db.session.commit()
    silva, kamal = browser_of("silva"), browser_of("kamal")
    assert silva.get(f"{at}/{other.id}").status_code == 404
    assert kamal.post(f"{at}/{case}/tasks/{theirs}/begin", {"version": 2}).status_code == 404
    assert kamal.post(f"{at}/{other.id}/tasks/{theirs}/begin", {"version": 2}).status_code == 404
    assert silva.get(f"{at}/999999").status_code == 404


def test_nothing_is_written_by_looking(app, browser_of, at, case, task):
    number = task(TaskStatus.COMPLETED)
    with app.app_context():
        before = snapshot()
    for person in (browser_of("kamal"), browser_of("silva")):
        for url in (at, f"{at}/{case}", "/cases", "/cases?closed=1"):
            assert person.get(url).status_code == 200
    assert browser_of("silva").get(f"/approvals/task/{number}").status_code == 200
    with app.app_context():
        assert snapshot() == before


def test_more_tasks_cost_no_more_queries(app, browser_of, at, case, task):
    task(TaskStatus.COMPLETED)
    kamal, silva = browser_of("kamal"), browser_of("silva")
    pages = [
        (kamal, "/my-queue"),
        (kamal, "/cases"),
        (silva, "/cases"),
        (silva, at),
        (kamal, f"{at}/{case}"),
        (silva, "/approvals"),
    ]

    def costs():
        found = []
        for person, url in pages:
            with counted() as statements:
                assert person.get(url).status_code == 200
            found.append(len(statements))
        return found

    costs()
    few = costs()
    for number in range(8):
        task((TaskStatus.COMPLETED, TaskStatus.RETURNED)[number % 2], title=f"Step {number}", days=0)
    assert costs() == few
