"""Evaluations: the student first, then the supervisor; nothing marked is changed, and nobody evaluates whom they should not."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.evaluation.form import form_from, shipped
from clinic.evaluation.graders import compared
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AuditEvent,
    Evaluation,
    EvaluationForm,
    Mark,
    Marking,
    Notice,
    Role,
    Stage,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations.evaluations import (
    assess_self,
    evaluate,
    publish_evaluation_form,
    retire_evaluation_form,
)
from clinic.operations.gates import approve_dismissal
from clinic.operations.queue import move
from clinic.queries.evaluations import (
    evaluation_in,
    evaluations_of,
    form_of,
    forms_in_use,
    students_for,
    trend_of,
    visit_to_assess,
    visit_to_evaluate,
    waiting_for,
)
from clinic.queries.graders import graders_of
from tests.charting import chart_line
from tests.evaluated import ON, SESSIONAL, assessed, corrected, evaluated, marks, over
from tests.gated import dismissal_asked, dismissed, gates_on, seated, setting, started
from tests.graded import LENIENT, STRICT, year
from tests.scene import entry_of, second_supervisor
from tests.world import World

FIVE = "no\nhardly\npartly\nmostly\nwholly"


@pytest.fixture
def visit(world, session):
    return over(world)


def rows(model):
    return db.session.scalar(select(func.count()).select_from(model))


class TestTheStudentFirst:
    def test_the_student_then_the_supervisor(self, world, visit):
        assessed(world, step=4, comment=" Slow \n but clean ")
        row = evaluated(world, step=3, comment="Good hands")
        whole = evaluation_in(visit)
        assert (row.self_number, row.number, row.department_id) == (1, 1, visit.department_id)
        assert row.day == clock.local(visit.arrived_at).date()
        assert set(whole.own.marks.values()) == {4}
        assert set(whole.given.marks.values()) == {3}
        assert whole.own.marking.comment == "Slow \n but clean"
        assert whole.given.marking.by.name == "Dr Sunil Silva"
        assert whole.given.marking.form == shipped("sessional")
        assert rows(Mark) == 2 * len(SESSIONAL.criteria)
        acts = list(db.session.scalars(select(AuditEvent.act).where(AuditEvent.act.startswith("evaluation."))))
        assert acts == ["evaluation.assess", "evaluation.mark"]
        told = db.session.scalars(select(Notice).where(Notice.user_id == world.people["kamal"])).all()
        assert [(each.kind, each.url, each.patient_id) for each in told] == [("evaluation.mark", "/evaluations", None)]

    def test_it_is_no_event_of_the_patients_record(self, world, visit):
        assessed(world)
        evaluated(world)
        of = select(AuditEvent.patient_id).where(AuditEvent.act.startswith("evaluation."))
        assert set(db.session.scalars(of)) == {None}

    def test_the_student_writes_it_anew_until_the_supervisor_marks_and_not_after(self, world, visit):
        assessed(world, step=4)
        row = assessed(world, step=2)
        assert (row.self_number, rows(Marking)) == (2, 2)
        assert set(evaluation_in(visit).own.marks.values()) == {2}
        evaluated(world)
        with pytest.raises(DomainError, match="A self-assessment comes before that"):
            assessed(world, step=5)
        assert rows(Marking) == 3

    def test_a_page_that_is_old_is_refused_with_who_and_when(self, world, visit):
        assessed(world)
        how = {"marks": marks(), "comment": "", "version": 0}
        with pytest.raises(Conflict, match="Kamal Dias marked this on"):
            evaluate(visit, **ON, **how, actor=world.user("silva"))
        other = over(world, "perera")
        with pytest.raises(Conflict, match="not there any more"):
            evaluate(other, **ON, **(how | {"version": 3}), actor=world.user("silva"))

    def test_two_supervisors_only_the_first_marks(self, world, visit):
        ines = second_supervisor(world)
        row = evaluated(world)
        with pytest.raises(Conflict, match="Dr Sunil Silva marked this"):
            evaluate(visit, **ON, marks=marks(5), comment="", version=row.version, actor=ines)
        assert set(evaluation_in(visit).given.marks.values()) == {3}

    def test_without_the_setting_the_supervisor_need_not_wait(self, world, visit):
        assert evaluated(world).self_number == 0

    def test_with_the_setting_they_do(self, world, visit):
        setting("self_assessment", True)
        with pytest.raises(DomainError, match="Kamal Dias assesses themselves first"):
            evaluated(world)
        assessed(world)
        assert evaluated(world).number == 1

    def test_what_was_not_seen_is_kept_as_such(self, world, visit):
        how = {"comment": "", "version": 0, "actor": world.user("silva")}
        evaluate(visit, **ON, marks=marks(3, technique=None), **how)
        assert evaluation_in(visit).given.marks["technique"] is None

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"technique": 6}, "steps 1 to 5"),
            ({"technique": 0}, "steps 1 to 5"),
            ({"other": 3}, "every criterion"),
            (dict.fromkeys(marks(), None), "Nothing was seen"),
        ],
    )
    def test_what_are_no_marks_is_refused(self, world, visit, wrong, said):
        how = {"comment": "", "version": 0, "actor": world.user("silva")}
        with pytest.raises(DomainError, match=said):
            evaluate(visit, **ON, marks=marks() | wrong, **how)
        with pytest.raises(DomainError, match="at most 2000"):
            evaluate(visit, **ON, marks=marks(), **(how | {"comment": "x" * 2001}))


class TestTheDismissal:
    def test_it_is_not_prepared_without_a_self_assessment_where_the_clinic_wants_that(self, world, session):
        gates_on()
        setting("self_assessment", True)
        seated(world)
        started(world)
        with pytest.raises(DomainError, match="Assess yourself first"):
            dismissal_asked(world, words="Looked only")
        assessed(world)
        assert dismissal_asked(world, words="Looked only").id

    def test_else_it_is(self, world, session):
        gates_on()
        seated(world)
        started(world)
        assert dismissal_asked(world, words="Looked only").id

    def test_the_supervisor_evaluates_once_it_is_approved(self, world, session):
        gates_on()
        entry = seated(world)
        assert entry.stage is Stage.IN_CHAIR
        started(world)
        with pytest.raises(DomainError, match="The visit is not over"):
            evaluated(world)
        assert waiting_for(world.user("silva")) == []
        gate = dismissal_asked(world, words="Looked only")
        approve_dismissal(gate.id, version=gate.version, actor=world.user("silva"))
        begins, _ends = clock.bounds(clock.today())
        [waiting] = waiting_for(world.user("silva"), dismissed_since=begins)
        assert (waiting.visit.id, waiting.is_assessed, waiting.is_seen) == (world.visits["fernando"], False, True)
        ines = second_supervisor(world)
        assert waiting_for(ines, dismissed_since=begins) == []
        assert len(waiting_for(ines)) == 1
        evaluated(world)
        assert waiting_for(world.user("silva")) == []

    def test_whoever_approved_it_evaluates_though_the_patient_is_gone(self, world, session):
        gates_on("dismiss")
        seated(world, plan="")
        chart_line(world.patient("fernando"), "36 o car", actor=world.user("kamal"), reason="x")
        entry = entry_of(world, "fernando")
        move(entry.id, to=Stage.IN_TREATMENT, version=entry.version, actor=world.user("kamal"))
        dismissed(world)
        ines = second_supervisor(world)
        visit = over(world)
        now = clock.now() - timedelta(seconds=1)
        for each in db.session.scalars(select(Assignment).where(Assignment.patient_id == visit.patient_id)):
            each.ends_at = now
        db.session.flush()
        assert visit_to_evaluate(ines, visit.id) is None
        with pytest.raises(NotAllowed, match="not given this patient"):
            evaluate(visit, **ON, marks=marks(), comment="", version=0, actor=ines)
        [waiting] = waiting_for(world.user("silva"))
        assert not waiting.is_seen
        assert evaluated(world).number == 1


class TestCorrecting:
    def test_the_former_marks_are_kept(self, world, visit):
        evaluated(world, step=2)
        row = corrected(world, step=4, reason="Of another student")
        whole = evaluation_in(visit)
        assert (row.number, len(whole.former)) == (2, 1)
        assert set(whole.given.marks.values()) == {4}
        assert set(whole.former[0].marks.values()) == {2}
        assert whole.given.marking.reason == "Of another student"
        event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "evaluation.correct")).one()
        assert event.reason == "Of another student"
        told = db.session.scalars(select(Notice.kind).where(Notice.user_id == world.people["kamal"])).all()
        assert told == ["evaluation.mark", "evaluation.correct"]

    def test_by_whoever_marked_with_a_reason_and_something_other(self, world, visit):
        evaluated(world, step=2)
        second_supervisor(world)
        with pytest.raises(NotAllowed, match="Dr Sunil Silva marked this. Only they"):
            corrected(world, supervisor="prado")
        with pytest.raises(DomainError, match="Write why"):
            corrected(world, reason=" ")
        with pytest.raises(DomainError, match="Nothing is other"):
            corrected(world, step=2)
        assert rows(Marking) == 1

    def test_nothing_is_there_to_correct(self, world, visit):
        with pytest.raises(DomainError, match="nothing to correct"):
            corrected(world)


class TestWho:
    @pytest.mark.parametrize("name", ["leela", "omar", "silva", "sato", "ruwan", "adel"])
    def test_nobody_assesses_for_another(self, world, visit, name):
        with pytest.raises(NotAllowed):
            assess_self(visit, **ON, marks=marks(), comment="", version=0, actor=world.user(name))
        assert visit_to_assess(world.user(name), visit.id) is None

    @pytest.mark.parametrize("name", ["kamal", "leela", "omar", "sato", "ruwan", "nimal", "adel"])
    def test_only_a_supervisor_of_the_department_evaluates(self, world, visit, name):
        with pytest.raises(NotAllowed):
            evaluate(visit, **ON, marks=marks(), comment="", version=0, actor=world.user(name))
        assert visit_to_evaluate(world.user(name), visit.id) is None
        assert waiting_for(world.user(name)) == []

    def test_a_visit_without_a_student_has_nobody(self, world, visit):
        visit.student_id = None
        with pytest.raises(DomainError, match="No student"):
            evaluated(world)

    def test_a_student_who_lost_the_patient_assesses_no_more(self, world, visit):
        for each in db.session.scalars(select(Assignment).where(Assignment.patient_id == visit.patient_id)):
            each.ends_at = clock.now() - timedelta(seconds=1)
        db.session.flush()
        with pytest.raises(NotAllowed, match="not given this patient"):
            assessed(world)

    def test_who_did_not_come_is_not_assessed(self, world, session):
        with pytest.raises(DomainError, match="has not come"):
            assessed(world)
        visit = over(world)
        visit.outcome = "Left without being seen: had to go"
        assert waiting_for(world.user("silva")) == []

    def test_long_ago_it_is_no_longer_offered(self, world, visit):
        assert len(waiting_for(world.user("silva"))) == 1
        visit.starts_at = clock.now() - timedelta(days=31)
        db.session.flush()
        assert waiting_for(world.user("silva")) == []


class TestWhoReads:
    def test_a_student_their_own_and_a_supervisor_those_of_their_department(self, world, visit):
        assessed(world)
        evaluated(world)
        kamal = world.people["kamal"]
        for name, count in (("kamal", 1), ("silva", 1), ("sato", 0), ("leela", 0), ("adel", 0), ("ruwan", 0)):
            assert len(evaluations_of(world.user(name), kamal).rows) == count, name
            assert bool(trend_of(world.user(name), kamal)) is bool(count), name
        [first, *_] = students_for(world.user("silva"))
        assert (first.student.name, first.count, first.last) == ("Kamal Dias", 1, clock.today())
        assert students_for(world.user("kamal")) == []

    def test_the_trend_has_what_holds(self, world, visit):
        assessed(world, step=5)
        assessed(world, step=4)
        evaluated(world, step=2)
        corrected(world, step=3)
        points = trend_of(world.user("kamal"), world.people["kamal"])
        assert {(point.step, point.is_self) for point in points} == {(4, True), (3, False)}


class TestForms:
    def changed(self, world, **others):
        usual = {"code": "sessional", "title": "Sessional", "steps": FIVE, "criteria": "Technique\nHands", "seen": 1}
        return publish_evaluation_form(**(usual | others), actor=world.user("adel"))

    def test_a_changed_form_is_the_next_number_and_what_was_marked_keeps_its_own(self, world, visit):
        evaluated(world)
        made = self.changed(world)
        assert (made.number, made.title) == (2, "Sessional")
        assert len(evaluation_in(visit).given.form.criteria) == 6
        with pytest.raises(Conflict, match="changed after you opened it"):
            evaluate(over(world, "perera"), **ON, marks=marks(), comment="", version=0, actor=world.user("silva"))

    def test_the_supervisor_marks_on_the_form_of_the_self_assessment(self, world, visit):
        row = assessed(world)
        self.changed(world)
        assert evaluated(world).id == row.id
        assert len(evaluation_in(visit).given.marks) == 6

    def test_nothing_changed_is_no_number(self, world, session):
        made = self.changed(world)
        assert self.changed(world, seen=2).number == made.number

    def test_who_was_slower_is_told(self, world, session):
        self.changed(world)
        with pytest.raises(Conflict, match="Adel Rahman published number 2"):
            self.changed(world, criteria="Other")

    def test_a_further_form(self, world, session):
        made = self.changed(world, code=None, title="Surgery", seen=0)
        assert (made.code, made.number) == ("surgery", 1)
        assert [row.code for row in forms_in_use()] == ["sessional", "surgery"]
        with pytest.raises(DomainError, match="is there already"):
            self.changed(world, code=None, title="surgery", seen=0)
        with pytest.raises(DomainError, match="5 steps"):
            self.changed(world, code=None, title="Third", steps="one", seen=0)

    @pytest.mark.parametrize(("title", "code"), [("New", "new_2"), ("ආකෘතිය", "own"), ("Sessional!", "sessional_2")])
    def test_a_further_form_has_a_code_of_its_own(self, world, session, title, code):
        assert self.changed(world, code=None, title=title, seen=0).code == code
        other = self.changed(world, code=None, title="පෝරමය", seen=0)
        assert other.code == ("own_2" if code == "own" else "own")
        with pytest.raises(DomainError, match="is there already"):
            self.changed(world, code=None, title=title.upper(), seen=0)

    def test_other_words_never_get_the_code_of_words_that_were_marked(self, world, session):
        first = self.changed(world, criteria="දැනුම\nTechnique")
        second = self.changed(world, criteria="Technique", seen=first.number)
        third = self.changed(world, criteria="කුසලතා\nTechnique\nදැනුම", seen=second.number)
        codes = [[each.code for each in form_from(row.body).criteria] for row in (first, second, third)]
        assert codes == [["own", "technique"], ["technique"], ["own_2", "technique", "own"]]
        assert self.changed(world, criteria="කුසලතා\nTechnique\nදැනුම", seen=third.number).number == third.number

    def test_retired_and_back_but_never_the_last(self, world, session):
        adel = world.user("adel")
        with pytest.raises(DomainError, match="only form in use"):
            retire_evaluation_form("sessional", version=0, is_retired=True, actor=adel)
        self.changed(world, code=None, title="Surgery", seen=0)
        row = retire_evaluation_form("sessional", version=0, is_retired=True, actor=adel)
        assert [each.code for each in forms_in_use()] == ["surgery"]
        with pytest.raises(Conflict, match="It is retired now"):
            retire_evaluation_form("sessional", version=1, is_retired=False, actor=adel)
        retire_evaluation_form("sessional", version=row.version, is_retired=False, actor=adel)
        assert len(forms_in_use()) == 2

    def test_the_one_that_comes_with_chairside_has_no_row_until_it_is_wanted(self, world, visit):
        assert form_of("sessional").id is None
        assert rows(EvaluationForm) == 0
        evaluated(world)
        assert form_from(form_of("sessional").body) == SESSIONAL
        assert rows(EvaluationForm) == 1


def put_in(world: World, seed: int = 3, first: date | None = None) -> dict[int, int]:
    """A made-up year of evaluations in restorative; the ids of its graders by their number."""
    made, home = year(seed, graders=8, students=20, visits=20), world.departments["restorative"]
    first = first or clock.today() - timedelta(days=300)
    at = clock.now()

    def people(role: Role, count: int) -> list[User]:
        return [
            User(
                email=f"{role}{n}@year.test",
                name=f"{role.value.title()} {n}",
                role=role,
                department_id=home,
                year=4 if role is Role.STUDENT else None,
                password_hash="!",
                created_at=at,
            )
            for n in range(count)
        ]

    graders, students = people(Role.SUPERVISOR, 8), people(Role.STUDENT, 20)
    form = EvaluationForm(code="sessional", number=1, title="S", body=shipped("sessional"), sha256="0", published_at=at)
    db.session.add_all([*graders, *students, form])
    db.session.flush()
    base = over(world)
    visits = [
        Visit(
            patient_id=base.patient_id,
            department_id=home,
            starts_at=at - timedelta(days=300),
            student_id=students[each.student].id,
            status=VisitStatus.COMPLETED,
            created_at=at,
            created_by_id=base.created_by_id,
        )
        for each in made.given
    ]
    db.session.add_all(visits)
    db.session.flush()
    rows = [
        Evaluation(
            visit_id=visit.id,
            student_id=visit.student_id,
            department_id=home,
            day=first + timedelta(days=each.term * 75),
            number=1,
        )
        for each, visit in zip(made.given, visits, strict=True)
    ]
    db.session.add_all(rows)
    db.session.flush()
    markings = [
        Marking(
            evaluation_id=row.id,
            is_self=False,
            number=1,
            form_id=form.id,
            form=form.body,
            comment="",
            by_id=graders[each.grader].id,
            at=at,
        )
        for each, row in zip(made.given, rows, strict=True)
    ]
    db.session.add_all(markings)
    db.session.flush()
    db.session.add_all(
        Mark(marking_id=marking.id, criterion=code, step=step)
        for each, marking in zip(made.given, markings, strict=True)
        for code, step in each.marks.items()
    )
    db.session.flush()
    return {number: grader.id for number, grader in enumerate(graders)}


class TestGraders:
    def test_the_database_adds_up_what_the_statistic_is_told(self, world, session):
        ids = put_in(world)
        today = clock.today()
        found = graders_of(world.user("silva"), None, today - timedelta(days=365), today)
        strict = [each.person.id for each in found.judged if each.figures.is_strict]
        lenient = [each.person.id for each in found.judged if each.figures.is_lenient]
        assert (strict, lenient) == ([ids[STRICT]], [ids[LENIENT]])
        assert found.judged[0].person.id == ids[STRICT]
        assert found.judged[-1].person.id == ids[LENIENT]
        plain = compared(year(3, graders=8, students=20, visits=20).cells()).graders
        for number, person in ids.items():
            [each] = [each.figures for each in found.judged if each.person.id == person]
            assert each.severity == pytest.approx(plain[number].severity, abs=0.12)  # terms begin on other days

    def test_self_assessments_corrections_and_other_days_and_departments_do_not_count(self, world, session):
        over(world)
        assessed(world)
        evaluated(world, step=1)
        corrected(world, step=5)
        today = clock.today()
        for name, department, day, count in (
            ("silva", None, today, 1),
            ("adel", None, today, 1),
            ("adel", world.departments["restorative"], today, 1),
            ("adel", world.departments["orthodontics"], today, 0),
            ("sato", None, today, 0),
            ("silva", None, today - timedelta(days=1), 0),
            ("kamal", None, today, 0),
            ("ruwan", None, today, 0),
        ):
            found = graders_of(world.user(name), department, day - timedelta(days=30), day)
            assert len(found.others) == count, (name, department, day)
            assert found.judged == []
