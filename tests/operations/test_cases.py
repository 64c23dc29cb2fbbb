"""Cases: opened and verified by supervisors, worked on by their student, one at a time; every step in a log that only grows."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from clinic import clock
from clinic.approvals import case as case_kind
from clinic.case_log import link, said_in
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    AuditEvent,
    Case,
    CaseAct,
    CaseLog,
    CaseStatus,
    CaseTask,
    Notice,
    Role,
    TaskStatus,
)
from clinic.operations import cases
from clinic.operations.handover import items_of, usual_destinations
from clinic.operations.jobs import JOBS
from clinic.queries import cases as queries
from clinic.queries.cases import case_for, my_cases, overdue_tasks, waiting_cases, waiting_tasks
from tests.cased import asked_for, case_of, submitted, task_of
from tests.scene import second_supervisor

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture
def kamal(world):
    return world.user("kamal")


@pytest.fixture
def silva(world):
    return world.user("silva")


@pytest.fixture
def case(world):
    return case_of(world)


def told(person):
    rows = select(Notice).where(Notice.user_id == person.id).order_by(Notice.id)
    return [row.sentence for row in db.session.scalars(rows)]


def acts():
    wanted = select(AuditEvent.act).where(AuditEvent.act.like("case.%")).order_by(AuditEvent.id)
    return db.session.scalars(wanted).all()


def log_of(case):
    return db.session.scalars(select(CaseLog).where(CaseLog.case_id == case.id).order_by(CaseLog.number)).all()


def assign(world, person, patient, kind=AssignmentKind.ADDITIONAL):
    row = Assignment(
        patient_id=world.patients[patient], user_id=world.people[person], kind=kind,
        starts_at=clock.now() - timedelta(days=1), created_by_id=world.people["silva"],
    )  # fmt: skip
    db.session.add(row)
    db.session.flush()
    return row


def end_assignments(world, person):
    ends = update(Assignment).where(Assignment.user_id == world.people[person], Assignment.ends_at.is_(None))
    db.session.execute(ends.values(ends_at=clock.now() - timedelta(seconds=1)))
    db.session.expire_all()


def test_a_case_goes_its_way_and_the_log_tells_it(world, case, kamal, silva):
    task = task_of(world, case)
    assert (task.number, task.status) == (1, TaskStatus.ASSIGNED)
    cases.begin_task(task.id, version=task.version, actor=kamal)
    cases.complete_task(task.id, version=task.version, words="Prepared", actor=kamal)
    cases.return_task(task.id, version=task.version, reason="Margin open", actor=silva)
    assert (task.status, task.reason) == (TaskStatus.RETURNED, "Margin open")
    cases.begin_task(task.id, version=task.version, actor=kamal)
    cases.complete_task(task.id, version=task.version, actor=kamal)
    cases.review_task(task.id, version=task.version, words="Good\nmargins", actor=silva)
    assert (task.status, task.review, task.reviewed_by_id) == (TaskStatus.REVIEWED, "Good\nmargins", silva.id)
    cases.submit_case(case.id, version=case.version, actor=kamal)
    cases.return_case(case.id, version=case.version, reason="One radiograph more", actor=silva)
    second = task_of(world, case, title="Radiograph")
    cases.take_up(case.id, version=case.version, actor=kamal)
    cases.begin_task(second.id, version=second.version, actor=kamal)
    cases.complete_task(second.id, version=second.version, actor=kamal)
    cases.review_task(second.id, version=second.version, actor=silva)
    cases.submit_case(case.id, version=case.version, actor=kamal)
    cases.verify_case(case.id, version=case.version, actor=silva)
    assert (case.status, case.open_key, case.verified_by_id) == (CaseStatus.VERIFIED, None, silva.id)
    cases.close_case(case.id, version=case.version, actor=silva)
    assert case.status is CaseStatus.CLOSED
    said = [row.act.value for row in log_of(case)]
    assert said == [
        "opened", "assigned", "begun", "completed", "task_returned", "begun", "completed", "reviewed", "submitted", "returned",
        "assigned", "taken_up", "begun", "completed", "reviewed", "submitted", "verified", "closed",
    ]  # fmt: skip
    assert list(acts()) == [f"case.{act}" for act in said]
    heard = told(kamal)
    assert heard[0] == "Dr Sunil Silva opened the case “Crown on 36” for you, P-2026-00001."
    assert "returned your task “Preparation”, P-2026-00001: Margin open" in heard[2]
    assert heard[-2] == "Dr Sunil Silva verified your case “Crown on 36”, P-2026-00001."


def test_long_words_are_kept_whole_also_in_the_trail(world, case, kamal, silva):
    task = task_of(world, case, TaskStatus.IN_PROGRESS)
    done, review = "d" * 1000, "r" * 2000
    cases.complete_task(task.id, version=task.version, words=done, actor=kamal)
    cases.review_task(task.id, version=task.version, words=review, actor=silva)
    wanted = select(AuditEvent).where(AuditEvent.act.in_(("case.completed", "case.reviewed"))).order_by(AuditEvent.id)
    kept = [(event.reason, json.loads(event.after)["words"]) for event in db.session.scalars(wanted)]
    assert kept == [(None, done), (None, review)]
    assert [row.words for row in log_of(case)][-2:] == [done, review]
    other = task_of(world, case, TaskStatus.COMPLETED, title="Impression")
    cases.return_task(other.id, version=other.version, reason="x" * 500, actor=silva)
    wanted = select(AuditEvent.reason).where(AuditEvent.act == "case.task_returned")
    assert db.session.scalars(wanted).one() == "x" * 500


def test_each_row_of_the_log_covers_the_one_before_and_decisions_name_what_was_shown(world, case, silva):
    task_of(world, case, TaskStatus.REVIEWED)
    before = ""
    for number, row in enumerate(log_of(case), 1):
        assert (row.number, row.sha256) == (number, link(before, row.said))
        assert said_in(row.said)["words"] == row.words
        before = row.sha256
    decided = log_of(case)[-1]
    assert decided.act is CaseAct.REVIEWED
    assert len(decided.facts["shown"]) == 64


@pytest.mark.parametrize("what", ["words of a row", "a row", "deadline", "title"])
def test_what_does_not_read_as_it_was_written_is_not_decided(world, case, silva, what):
    task = task_of(world, case, TaskStatus.COMPLETED)
    rows = log_of(case)
    if what == "words of a row":
        db.session.execute(update(CaseLog).where(CaseLog.id == rows[-1].id).values(words="Something else"))
    if what == "a row":
        db.session.execute(delete(CaseLog).where(CaseLog.id == rows[2].id))
    if what == "deadline":
        later = task.due_on + timedelta(days=9)
        db.session.execute(update(CaseTask).where(CaseTask.id == task.id).values(due_on=later))
    if what == "title":
        db.session.execute(update(CaseTask).where(CaseTask.id == task.id).values(title="Easier"))
    db.session.expire_all()
    with pytest.raises(DomainError, match="does not read as it was written"):
        cases.review_task(task.id, version=task.version, actor=silva)
    assert task.status is TaskStatus.COMPLETED


class TestOpening:
    def test_one_at_a_time_of_patient_student_and_department(self, world, case, silva):
        with pytest.raises(Conflict, match="opened the case “Crown on 36” on .* One case of a student"):
            case_of(world, title="Another")
        twin = insert(Case).values(
            patient_id=case.patient_id, department_id=case.department_id, student_id=case.student_id, supervisor_id=silva.id,
            title="Twin", opened_at=clock.now(), open_key=case.open_key,
        )  # fmt: skip
        with pytest.raises(IntegrityError), db.session.begin_nested():
            db.session.execute(twin)
        cases.close_case(case.id, version=case.version, reason="The patient moved away", actor=silva)
        assert case_of(world, title="Another").status is CaseStatus.OPEN

    @pytest.mark.parametrize(
        ("person", "patient", "student", "refusal", "why"),
        [
            ("kamal", "fernando", "kamal", NotAllowed, "A supervisor of the department opens"),
            ("ruwan", "fernando", "kamal", NotAllowed, "A supervisor of the department opens"),
            ("sato", "fernando", "kamal", NotAllowed, "not given this patient"),
            ("silva", "fernando", "leela", DomainError, "does not have Nimali Fernando"),
            ("silva", "perera", "kamal", DomainError, "does not have Ana Perera"),
            ("silva", "fernando", "omar", DomainError, "of another department"),
            ("silva", "fernando", "silva", DomainError, "Choose a student"),
        ],
    )
    def test_by_a_supervisor_for_a_student_who_has_the_patient(self, world, person, patient, student, refusal, why):
        who = {"student_id": world.people[student], "actor": world.user(person)}
        with pytest.raises(refusal, match=why):
            cases.open_case(world.patient(patient), title="Crown", **who)

    def test_not_of_an_archived_patient_and_nothing_goes_on_in_one(self, world, case, kamal, silva):
        task = task_of(world, case)
        world.patient("fernando").archived_at = clock.now()
        db.session.flush()
        with pytest.raises(DomainError, match="archived"):
            case_of(world)
        with pytest.raises(DomainError, match="archived"):
            cases.begin_task(task.id, version=task.version, actor=kamal)
        with pytest.raises(DomainError, match="archived"):
            cases.close_case(case.id, version=case.version, reason="Because", actor=silva)

    @pytest.mark.parametrize(
        ("asked", "why"),
        [
            ({"days": -1}, "today or later"),
            ({"days": 800}, "within two years"),
            ({"title": " \n "}, "a title of at most 120"),
            ({"title": "x" * 121}, "a title of at most 120"),
            ({"words": "x" * 1001}, "1,000"),
            ({"teeth": ("99",)}, "each by its number"),
            ({"kind": "no-such-kind"}, "not there any more"),
        ],
    )
    def test_what_cannot_be_a_task_is_refused_and_leaves_nothing(self, world, case, silva, asked, why):
        with pytest.raises(DomainError, match=why), db.session.begin_nested():
            cases.assign_task(case.id, asked=asked_for(**asked), actor=silva)
        assert db.session.scalar(select(func.count()).select_from(CaseTask)) == 0

    def test_a_task_may_be_of_teeth_and_of_a_kind_of_treatment(self, world, case):
        task = task_of(world, case, teeth=("37", "36"), kind="crown", days=0)
        assert (task.teeth, task.kind) == ("37 36", "crown") or (task.teeth, task.kind) == ("36 37", "crown")


class TestWhoDoesWhat:
    def test_a_student_never_reviews_verifies_or_returns(self, world, case, kamal):
        assign(world, "leela", "fernando")
        task = task_of(world, case, TaskStatus.COMPLETED)
        for person in (kamal, world.user("leela"), world.user("omar"), world.user("ruwan"), world.user("nimal")):
            with pytest.raises(NotAllowed, match="A supervisor of the department"):
                cases.review_task(task.id, version=task.version, words="Very good", actor=person)
            with pytest.raises(NotAllowed, match="A supervisor of the department"):
                cases.return_task(task.id, version=task.version, reason="Not good", actor=person)
            for act in (cases.verify_case, cases.return_case):
                with pytest.raises(NotAllowed, match="A supervisor of the department"):
                    act(case.id, version=case.version, reason="Because", actor=person)
        assert (task.status, task.review) == (TaskStatus.COMPLETED, "")

    def test_nobody_decides_work_of_their_own_also_when_they_have_become_a_supervisor(self, world, kamal, silva):
        case = submitted(world)
        assign(world, "silva", "fernando")
        assign(world, "leela", "fernando")
        kamal.role, kamal.year = Role.SUPERVISOR, None
        db.session.flush()
        with pytest.raises(NotAllowed, match="worked on this yourself"):
            cases.verify_case(case.id, version=case.version, actor=kamal)
        assert waiting_cases(kamal) == []
        assert waiting_cases(silva) == [case]
        by = {"verified_by_id": kamal.id, "verified_at": clock.now(), "status": "verified", "open_key": None}
        wrong = update(Case).where(Case.id == case.id).values(by)
        with pytest.raises(DBAPIError), db.session.begin_nested():  # the database holds it as well
            db.session.execute(wrong)

    def test_nor_does_who_worked_on_it_before_it_was_passed_on(self, world, case, kamal, silva):
        done, begun = (
            task_of(world, case, TaskStatus.REVIEWED),
            task_of(world, case, TaskStatus.IN_PROGRESS, title="Two"),
        )
        assign(world, "leela", "fernando")
        assign(world, "silva", "fernando", AssignmentKind.OVERSIGHT)
        leela = world.user("leela")
        cases.pass_on(case.id, student_id=leela.id, version=case.version, reason="Graduates", actor=silva)
        kamal.role, kamal.year = Role.SUPERVISOR, None
        db.session.flush()
        cases.complete_task(begun.id, version=begun.version, actor=leela)
        assert waiting_tasks(kamal) == []
        assert waiting_tasks(silva) == [begun]
        with pytest.raises(NotAllowed, match="worked on this yourself"):
            cases.review_task(begun.id, version=begun.version, actor=kamal)
        cases.review_task(begun.id, version=begun.version, actor=silva)
        cases.submit_case(case.id, version=case.version, actor=leela)
        assert done.completed_by_id == kamal.id
        assert waiting_cases(kamal) == []
        assert waiting_cases(silva) == [case]
        for decide in (cases.verify_case, cases.return_case):
            with pytest.raises(NotAllowed, match="worked on this yourself"):
                decide(case.id, version=case.version, reason="Because", actor=kamal)
        assert case_kind.item(kamal, case.id).outcome == cases.OWN
        cases.verify_case(case.id, version=case.version, actor=silva)

    def test_a_supervisor_of_another_department_decides_nothing(self, world, case):
        task = task_of(world, case, TaskStatus.COMPLETED)
        sato = world.user("sato")
        assign(world, "sato", "fernando", AssignmentKind.OVERSIGHT)
        for act in (
            lambda: cases.review_task(task.id, version=task.version, actor=sato),
            lambda: cases.assign_task(case.id, asked=asked_for(), actor=sato),
            lambda: cases.close_case(case.id, version=case.version, reason="Because", actor=sato),
            lambda: cases.comment(case.id, words="Well", actor=sato),
        ):
            with pytest.raises(NotAllowed):
                act()
        assert waiting_tasks(sato) == []
        assert case_for(sato, case.patient_id, case.id) is not None  # who may see the patient may read it

    def test_the_log_that_is_decided_is_shown_to_whose_it_is_to_decide(self, world, case, silva):
        task = task_of(world, case, TaskStatus.COMPLETED)
        assign(world, "sato", "fernando", AssignmentKind.OVERSIGHT)
        assert [row.number for row in queries.log_of(silva, case.id)] == [1, 2, 3, 4]
        assert [row.act for row in queries.log_of(silva, case.id, task.id)] == ["assigned", "begun", "completed"]
        for person in ("sato", "kamal", "leela", "ruwan", "adel"):
            assert queries.log_of(world.user(person), case.id) == []
            assert queries.log_of(world.user(person), case.id, task.id) == []

    def test_another_supervisor_of_the_department_does_as_well(self, world, case):
        prado = second_supervisor(world)
        task = task_of(world, case, TaskStatus.COMPLETED)
        assert [each.id for each in waiting_tasks(prado)] == [task.id]
        cases.review_task(task.id, version=task.version, actor=prado)
        assert task.reviewed_by_id == prado.id

    def test_only_its_student_works_on_it(self, world, case, silva):
        assign(world, "leela", "fernando")
        task = task_of(world, case)
        for person in (silva, world.user("leela")):
            with pytest.raises(NotAllowed, match="a case of Kamal Dias, who alone works on it"):
                cases.begin_task(task.id, version=task.version, actor=person)
            with pytest.raises(NotAllowed):
                cases.submit_case(case.id, version=case.version, actor=person)
        with pytest.raises(NotAllowed):
            cases.comment(case.id, words="I would", actor=world.user("leela"))

    def test_whose_assignment_ended_writes_no_more_and_others_read_on(self, world, case, kamal, silva):
        task = task_of(world, case)
        assign(world, "leela", "fernando")
        end_assignments(world, "kamal")
        with pytest.raises(NotAllowed, match="not given this patient any more"):
            cases.begin_task(task.id, version=task.version, actor=kamal)
        with pytest.raises(NotAllowed):
            cases.comment(case.id, words="Still", actor=kamal)
        assert case_for(kamal, case.patient_id, case.id) is None
        assert my_cases(kamal).rows == []
        assert case_for(silva, case.patient_id, case.id).title == "Crown on 36"
        assert case_for(world.user("leela"), case.patient_id, case.id) is not None
        cases.assign_task(case.id, asked=asked_for("More"), actor=silva)
        assert told(kamal)[-1].startswith("Dr Sunil Silva gave you a task")
        assert db.session.scalars(select(Notice.url).order_by(Notice.id.desc())).first() == ""


class TestOrder:
    def test_a_stale_page_is_refused_with_who_what_and_when(self, world, case, kamal, silva):
        task = task_of(world, case)
        seen = task.version
        cases.begin_task(task.id, version=seen, actor=kamal)
        with pytest.raises(Conflict, match="Kamal Dias began the task “Preparation” on "):
            cases.begin_task(task.id, version=seen, actor=kamal)
        seen = task.version
        cases.comment(case.id, words="Mind the margin", task_id=task.id, actor=silva)
        with pytest.raises(Conflict, match="Dr Sunil Silva wrote to the task “Preparation” on .* “Mind the margin”"):
            cases.complete_task(task.id, version=seen, actor=kamal)

    def test_a_word_after_it_was_opened_must_be_read_before_it_is_decided(self, world, kamal, silva):
        case = submitted(world)
        seen = case.version
        cases.comment(case.id, words="The patient has pain since", actor=kamal)
        with pytest.raises(Conflict, match="pain since"):
            cases.verify_case(case.id, version=seen, actor=silva)
        cases.verify_case(case.id, version=case.version, actor=silva)

    def test_two_tasks_are_reviewed_one_after_the_other_as_they_were_seen(self, world, case, silva):
        one, two = (task_of(world, case, TaskStatus.COMPLETED, title=title) for title in ("One", "Two"))
        seen = [(each.id, each.version) for each in (one, two)]
        for task_id, version in seen:
            cases.review_task(task_id, version=version, actor=silva)
        assert (one.status, two.status) == (TaskStatus.REVIEWED, TaskStatus.REVIEWED)

    @pytest.mark.parametrize("status", [None, *(each for each in TaskStatus if each is not TaskStatus.REVIEWED)])
    def test_sent_for_verification_only_when_every_task_is_reviewed(self, world, case, kamal, status):
        if status:
            task_of(world, case, TaskStatus.REVIEWED)
            task_of(world, case, status)
        with pytest.raises(DomainError, match="1 task is not reviewed yet" if status else "it has no task yet"):
            cases.submit_case(case.id, version=case.version, actor=kamal)

    def test_every_other_move_of_a_task_is_refused(self, world, case, kamal, silva):
        moves = {
            "begin": lambda task: cases.begin_task(task.id, version=task.version, actor=kamal),
            "complete": lambda task: cases.complete_task(task.id, version=task.version, actor=kamal),
            "review": lambda task: cases.review_task(task.id, version=task.version, actor=silva),
            "return": lambda task: cases.return_task(task.id, version=task.version, reason="Because", actor=silva),
        }
        legal = {
            TaskStatus.ASSIGNED: {"begin"}, TaskStatus.IN_PROGRESS: {"complete"}, TaskStatus.COMPLETED: {"review", "return"},
            TaskStatus.RETURNED: {"begin"}, TaskStatus.REVIEWED: set(),
        }  # fmt: skip
        for status, possible in legal.items():
            task = task_of(world, case, status, title=status.value)
            for name in moves.keys() - possible:
                with pytest.raises(Conflict):
                    moves[name](task)
            assert task.status is status

    def test_every_other_move_of_a_case_is_refused(self, world, kamal, silva):
        assign(world, "leela", "fernando")
        case = submitted(world)

        def at(**how):
            return {"version": case.version} | how

        moves = {
            "assign": lambda: cases.assign_task(case.id, asked=asked_for(), actor=silva),
            "submit": lambda: cases.submit_case(case.id, **at(actor=kamal)),
            "verify": lambda: cases.verify_case(case.id, **at(actor=silva)),
            "return": lambda: cases.return_case(case.id, **at(reason="Because", actor=silva)),
            "take up": lambda: cases.take_up(case.id, **at(actor=kamal)),
            "pass on": lambda: cases.pass_on(
                case.id, **at(student_id=world.people["leela"], reason="Because", actor=silva)
            ),
            "close": lambda: cases.close_case(case.id, **at(reason="Because", actor=silva)),
            "comment": lambda: cases.comment(case.id, words="Well", actor=silva),
        }

        def refuses(*names):
            for name in names:
                with pytest.raises(Conflict):
                    moves[name]()

        refuses("assign", "submit", "take up", "pass on", "close")
        moves["return"]()
        refuses("submit", "verify", "return")
        moves["take up"]()
        refuses("verify", "return", "take up")
        moves["submit"]()
        moves["verify"]()
        refuses("assign", "submit", "verify", "return", "take up", "pass on")
        moves["close"]()
        refuses(*moves)

    def test_it_is_not_closed_over_what_waits_for_review(self, world, case, silva):
        one, two = (task_of(world, case, TaskStatus.COMPLETED, title=title) for title in ("One", "Two"))

        def close():
            return cases.close_case(case.id, version=case.version, reason="The patient moved away", actor=silva)

        with pytest.raises(DomainError, match="“One” and 1 task more wait for review. Review or return them first"):
            close()
        cases.review_task(one.id, version=one.version, actor=silva)
        with pytest.raises(DomainError, match="“Two” waits for review. Review or return it first, then close"):
            close()
        cases.return_task(two.id, version=two.version, reason="The patient moved away", actor=silva)
        assert close().status is CaseStatus.CLOSED

    def test_it_is_closed_unverified_only_with_a_reason(self, case, silva):
        with pytest.raises(DomainError, match="without being verified"):
            cases.close_case(case.id, version=case.version, reason=" ", actor=silva)


def test_a_word_reaches_the_other_of_the_two(world, case, kamal, silva):
    cases.comment(case.id, words="Which shade?", actor=kamal)
    assert told(silva) == ["Kamal Dias wrote to the case “Crown on 36”, P-2026-00001: Which shade?"]
    cases.comment(case.id, words="A2", actor=second_supervisor(world))
    assert told(kamal)[-1] == "Dr Ines Prado wrote to the case “Crown on 36”, P-2026-00001: A2"
    assert len(told(silva)) == 1


def test_whoever_is_not_given_the_patient_any_more_reads_no_word_of_them(world, case, kamal, silva):
    second = submitted(world, "perera")
    tasks = [task_of(world, case, TaskStatus.COMPLETED, title=title) for title in ("Secret one", "Secret two")]
    before = len(told(kamal))
    assign(world, "leela", "fernando")
    end_assignments(world, "kamal")
    cases.comment(case.id, words="Secret", actor=silva)
    assert len(told(kamal)) == before  # nothing is left of a word to somebody who may not read it
    cases.review_task(tasks[0].id, version=tasks[0].version, words="Secret", actor=silva)
    cases.return_task(tasks[1].id, version=tasks[1].version, reason="Secret", actor=silva)
    cases.assign_task(case.id, asked=asked_for("Secret"), actor=silva)
    cases.pass_on(case.id, student_id=world.people["leela"], version=case.version, reason="Secret", actor=silva)
    gone, by = " You are not given the patient any more.", "Dr Sunil Silva"
    assert told(kamal)[before:] == [
        f"{by} reviewed a task of yours.{gone}",
        f"{by} returned a task of yours.{gone}",
        f"{by} gave you a task.{gone}",
        f"{by} passed a case of yours on to Leela Nair.{gone}",
    ]
    rows = db.session.scalars(select(Notice).where(Notice.user_id == kamal.id).order_by(Notice.id)).all()[before:]
    assert {(row.url, row.patient_id) for row in rows} == {("", None)}
    end_assignments(world, "leela")
    cases.return_case(second.id, version=second.version, reason="Secret", actor=silva)
    assert told(world.user("leela"))[-1] == f"{by} returned a case of yours.{gone}"
    cases.close_case(case.id, version=case.version, reason="Secret", actor=silva)
    assert told(world.user("leela"))[-1] == f"{by} closed a case of yours.{gone}"


class TestPassingOn:
    def test_the_case_goes_with_all_that_was_done_and_both_hear_of_it(self, world, case, kamal, silva):
        task_of(world, case, TaskStatus.REVIEWED)
        second = task_of(world, case, TaskStatus.COMPLETED, title="Impression")
        leela = world.user("leela")
        with pytest.raises(DomainError, match="does not have Nimali Fernando"):
            cases.pass_on(case.id, student_id=leela.id, version=case.version, reason="Graduates", actor=silva)
        assign(world, "leela", "fernando")
        cases.pass_on(case.id, student_id=leela.id, version=case.version, reason="Graduates", actor=silva)
        assert case.student_id == leela.id
        assert case.open_key == f"{case.patient_id}:{leela.id}:{case.department_id}"
        row = log_of(case)[-1]
        assert (row.act, row.facts["from"], row.facts["to"]) == (CaseAct.PASSED_ON, "Kamal Dias", "Leela Nair")
        assert "passed the case “Crown on 36” of P-2026-00001 on to you: Graduates" in told(leela)[-1]
        assert "on to Leela Nair: Graduates" in told(kamal)[-1]
        with pytest.raises(NotAllowed, match="a case of Leela Nair"):
            cases.submit_case(case.id, version=case.version, actor=kamal)
        cases.return_task(second.id, version=second.version, reason="Again", actor=silva)
        cases.begin_task(second.id, version=second.version, actor=leela)
        assert case_of(world, title="Anew").student_id == kamal.id  # his place is free again

    def test_not_to_somebody_who_has_one(self, world, case, silva):
        assign(world, "leela", "fernando")
        who = {"student_id": world.people["leela"], "actor": silva}
        cases.open_case(world.patient("fernando"), title="Hers", **who)
        with pytest.raises(Conflict, match="One case of a student"):
            cases.pass_on(case.id, version=case.version, reason="Graduates", **who)

    def test_a_handover_lists_it_and_leaves_it_where_it_is(self, world, case, kamal):
        [item] = [each for each in items_of([case.patient_id], kamal)[case.patient_id] if each.kind == "case"]
        assert item.sentence == "The case “Crown on 36”, open"
        assert [choice.to for choice in item.choices] == ["stays"]
        assert usual_destinations([item], world.user("leela"))[item.key].to == "stays"


class TestOverdue:
    def test_both_see_it_and_the_longest_first(self, world, case, kamal, silva):
        late = task_of(world, case, title="Late", days=1)
        later = task_of(world, case, TaskStatus.IN_PROGRESS, title="Later", days=0)
        waits = task_of(world, case, TaskStatus.COMPLETED, title="Waits", days=0)
        assert overdue_tasks(kamal) == []
        with clock.frozen(clock.now() + timedelta(days=2)):
            for person in (kamal, silva):
                assert [task.title for task in overdue_tasks(person)] == ["Later", "Late"]
            assert late.is_overdue(clock.today())
            assert later.is_overdue(clock.today())
            assert not waits.is_overdue(clock.today())
            assert overdue_tasks(world.user("sato")) == []

    def test_in_a_case_that_is_closed_nothing_is_overdue(self, world, case, kamal, silva):
        late = task_of(world, case, TaskStatus.IN_PROGRESS, days=0)
        task_of(world, case, TaskStatus.REVIEWED, title="Impression", days=0)
        with clock.frozen(clock.now() + timedelta(days=1)):
            found = case_for(silva, case.patient_id, case.id)
            assert (found.overdue(clock.today()), late.is_overdue(clock.today())) == (1, True)
            cases.close_case(case.id, version=case.version, reason="Moved away", actor=silva)
            db.session.expire_all()
            found = case_for(silva, case.patient_id, case.id)
            assert (found.overdue(clock.today()), [task.is_overdue(clock.today()) for task in found.tasks]) == (
                0,
                [False, False],
            )
            assert overdue_tasks(silva) == []

    def test_not_of_an_archived_patient_in_whose_cases_nothing_can_be_done(self, world, case, kamal, silva):
        task_of(world, case, days=0)
        world.patient("fernando").archived_at = clock.now()
        db.session.flush()
        with clock.frozen(clock.now() + timedelta(days=1)):
            assert [overdue_tasks(person) for person in (kamal, silva)] == [[], []]
            assert cases.remind_overdue() == (0, None)

    def test_the_student_is_reminded_once_a_week_while_they_have_the_patient(self, world, case, kamal):
        task_of(world, case, days=0)
        assert cases.remind_overdue() == (0, None)
        with clock.frozen(clock.now() + timedelta(days=1)):
            assert cases.remind_overdue() == (1, None)
            assert cases.remind_overdue() == (1, None)
            assert [each for each in told(kamal) if "overdue" in each] == [told(kamal)[-1]]
            assert told(kamal)[-1].startswith("1 of your tasks is overdue, since ")
        with clock.frozen(clock.now() + timedelta(days=9)):
            cases.remind_overdue()
            assert len([each for each in told(kamal) if "overdue" in each]) == 2
            assert JOBS["remind-overdue"].run(lambda: None) == "1 student reminded."
        end_assignments(world, "kamal")
        with clock.frozen(clock.now() + timedelta(days=30)):
            assert cases.remind_overdue() == (0, None)
