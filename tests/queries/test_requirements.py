"""How far a student is: counted from what a supervisor has approved as it is now, and from nothing else."""

from datetime import timedelta

import pytest

from clinic import clock
from clinic.chart.kinds import Status
from clinic.chart.teeth import PERMANENT
from clinic.extensions import db
from clinic.models import (
    Assignment,
    Chart,
    ChartEntry,
    Evaluation,
    EvaluationForm,
    GateItem,
    Mark,
    Marking,
    Role,
    Stage,
    ToothClass,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations import gates
from clinic.operations.chart import change_entry, enter_in_error
from clinic.operations.chart_versions import finish_first_charting
from clinic.operations.sign_off import approve_chart, send_chart
from clinic.queries import requirements as found
from clinic.queries.chart import mouth_of, stroke_of
from clinic.queries.gates import standing_of
from tests.charting import chart_line
from tests.gated import dismissal_asked, dismissed
from tests.queries_counted import counted
from tests.required import Recount, asked_for
from tests.scene import put_in_queue


def done(world, line="36 mo comp done", patient="fernando", student="kamal"):
    chart_line(world.patient(patient), line, actor=world.user(student), reason="Done today")
    db.session.flush()


@pytest.fixture
def treated(world, session):
    """Fernando in treatment by Kamal, 36 filled, nothing approved yet; Kamal's year has to fill ten teeth."""
    requirement = asked_for(world)
    put_in_queue(world, "fernando", Stage.IN_TREATMENT, at=clock.now() - timedelta(minutes=20))
    done(world)
    return requirement


def progress(world, student="kamal"):
    (each,) = found.progress_for(world.user(student))
    assert each.done == Recount().count(world.user(student), each.requirement)
    return each


def last(world, patient="fernando"):
    return mouth_of(world.patients[patient]).entries[-1]


def correct(world, **changes):
    changes = {"actor": world.user("kamal"), "reason": "Looked again"} | changes
    patient = world.patient("fernando")
    return change_entry(patient, entry_id=last(world).id, seen=stroke_of(patient.id), **changes)


class TestWhatCounts:
    def test_what_is_done_counts_once_the_dismissal_is_approved(self, world, treated):
        assert (progress(world).done, len(progress(world).waiting)) == (0, 1)
        gate = dismissed(world)
        each = progress(world)
        assert (each.done, each.missing, each.waiting) == (1, 9, ())
        (work,) = each.counted
        assert work.approval == found.Approval("Dr Sunil Silva", gate.decided_at, world.visits["fernando"])
        assert work.patient_id == world.patients["fernando"]

    def test_what_is_changed_after_approval_does_not_count_until_it_is_approved_anew(self, world, treated):
        dismissed(world)
        correct(world, surfaces="MOD")
        each = progress(world)
        assert (each.done, [work.was_approved for work in each.waiting]) == (0, [True])
        dismissed(world)
        assert progress(world).done == 1

    def test_the_newest_dismissal_says_what_is_approved(self, world, treated):
        first = dismissed(world)
        correct(world, surfaces="MOD")
        newest = dismissed(world)
        assert newest.number > first.number
        correct(world, surfaces="MO")  # as it was in the first
        each = progress(world)
        assert (each.done, [work.was_approved for work in each.waiting]) == (0, [True])

    def test_what_the_newest_dismissal_does_not_hold_does_not_count(self, world, treated):
        dismissed(world)
        done(world, "26 o comp done")
        newest = dismissed(world)
        assert progress(world).done == 2
        first = db.session.query(GateItem).filter_by(gate_id=newest.id).order_by(GateItem.id).first()
        db.session.delete(first)
        db.session.flush()
        db.session.expire_all()
        assert progress(world).done == 1

    def test_what_was_an_error_and_is_brought_back_counts_when_that_is_approved(self, world, treated):
        """Before the visit it was an error, which says nothing: the visit adds it."""
        row = db.session.query(ChartEntry).filter_by(kind="restoration").one()
        said = {column.name: getattr(row, column.name) for column in ChartEntry.__table__.columns}
        for number, (status, minutes) in enumerate(((Status.ENTERED_IN_ERROR, -30), (Status.COMPLETED, 5))):
            before = db.session.query(ChartEntry).order_by(ChartEntry.id.desc()).first()
            at = world.visit("fernando").arrived_at + timedelta(minutes=minutes)
            changed = {"id": None, "first_id": row.id, "supersedes_id": before.id, "status": status, "entered_at": at}
            db.session.add(ChartEntry(**said | changed | {"stroke": row.stroke + 1 + number}))
            db.session.flush()
        row.entered_at = world.visit("fernando").arrived_at - timedelta(hours=1)
        db.session.get_one(Chart, row.patient_id).stroke += 2
        db.session.flush()
        assert progress(world).done == 0
        dismissed(world)
        assert progress(world).done == 1

    def test_what_is_changed_back_to_what_was_approved_counts(self, world, treated):
        dismissed(world)
        correct(world, surfaces="MOD")
        correct(world, surfaces="MO")
        assert progress(world).done == 1

    def test_what_is_changed_in_a_later_visit_is_approved_with_that(self, world, treated):
        dismissed(world)
        later = Visit(
            patient_id=world.patients["fernando"], department_id=world.departments["restorative"], starts_at=clock.now(),
            student_id=world.people["kamal"], supervisor_id=world.people["silva"], status=VisitStatus.ARRIVED,
            arrived_at=clock.now(), created_at=clock.now(), created_by_id=world.people["ruwan"],
        )  # fmt: skip
        visit = world.visit("fernando")
        visit.status = VisitStatus.COMPLETED
        db.session.add(later)
        db.session.flush()
        assert progress(world).done == 1
        correct(world, surfaces="MOD")
        assert progress(world).done == 0
        assert standing_of(visit).is_approved
        seen = standing_of(later).sha256
        later.status = VisitStatus.COMPLETED
        gate = gates.prepare_dismissal(later, words="", seen=seen, actor=world.user("kamal"))
        gates.approve_dismissal(gate.id, version=gate.version, actor=world.user("silva"))
        each = progress(world)
        assert (each.done, each.counted[0].approval.visit_id) == (1, later.id)

    def test_an_error_does_not_count(self, world, treated):
        dismissed(world)
        patient = world.patient("fernando")
        enter_in_error(
            patient,
            entry_id=last(world).id,
            seen=stroke_of(patient.id),
            reason="Other tooth",
            actor=world.user("silva"),
        )
        each = progress(world)
        assert (each.done, each.waiting) == (0, ())

    def test_what_is_returned_does_not_count(self, world, treated):
        done(world, "26 o comp done")
        gate = dismissed_but(world, "26")
        assert gate.status == "returned"
        assert progress(world).done == 0

    def test_an_approved_version_of_the_chart_counts_too(self, world, treated):
        patient, kamal = world.patient("fernando"), world.user("kamal")
        finish_first_charting(patient, actor=kamal)
        sign_off = send_chart(patient, words="", seen=stroke_of(patient.id), actor=kamal)
        assert progress(world).done == 0
        approve_chart(sign_off.id, version=sign_off.version, actor=world.user("silva"))
        each = progress(world)
        assert (each.done, each.counted[0].approval.visit_id) == (1, None)
        correct(world, surfaces="MOD", actor=world.user("silva"))
        assert progress(world).done == 0

    @pytest.mark.parametrize("line", ["37 o comp plan", "37 o comp ex", "37 s done", "37 o car3"])
    def test_only_completed_entries_of_the_kind_count(self, world, treated, line):
        done(world, line)
        dismissed(world)
        assert progress(world).done == 1

    def test_only_the_performers(self, world, treated):
        dismissed(world)
        world.user("leela").year = 4
        assert progress(world, "leela").done == 0

    @pytest.mark.parametrize(
        ("said", "counts"),
        [
            ({"tooth_class": ToothClass.MOLAR}, 1),
            ({"tooth_class": ToothClass.PREMOLAR}, 0),
            ({"least_surfaces": 2}, 1),
            ({"least_surfaces": 3}, 0),
            ({"kinds": "crown veneer"}, 0),
            ({"kinds": "crown restoration"}, 1),
            ({"begins": timedelta(days=0)}, 1),
            ({"begins": timedelta(days=1)}, 0),
            ({"due": timedelta(days=0)}, 1),
            ({"due": timedelta(days=-1)}, 0),
        ],
    )
    def test_only_what_suits_and_is_in_the_term(self, world, treated, said, counts):
        for name, value in said.items():
            is_day = name in ("begins", "due")
            setattr(treated, name, clock.today() + value if is_day else value)
        db.session.flush()
        dismissed(world)
        assert progress(world).done == counts

    @pytest.mark.parametrize(("steps", "counts"), [
        ((3, 3), 1), ((2, 4), 1), ((2, 3), 0), ((None, 3), 1), ((None, None), 0), ((5, 5), 1), (None, 0),
    ])  # fmt: skip
    def test_only_what_was_marked_as_good_as_is_asked_for(self, world, treated, steps, counts):
        treated.least_mark = 3
        dismissed(world)
        assert (progress(world).done, len(progress(world).unmarked)) == (0, 1)
        if steps is not None:
            marked(world, (1, 1), (5, 5), steps)  # by the student, by a supervisor, and corrected
        each = progress(world)
        assert (each.done, len(each.unmarked)) == (counts, 1 - counts)
        treated.least_mark = None
        assert progress(world).done == 1

    def test_no_more_of_a_patient_than_the_cap(self, world, treated):
        treated.cap = 2
        for tooth in ("26", "46", "16"):
            done(world, f"{tooth} o comp done")
        dismissed(world)
        each = progress(world)
        assert (each.done, len(each.over)) == (2, 2)
        assert [work.entry.tooth for work in each.counted] == ["36", "26"]  # the first done


def marked(world, own, *given):
    """Kamal is evaluated in Fernando's visit: first by himself, then by Dr Silva, once or more."""
    visit = world.visit("fernando")
    form = EvaluationForm(code="f", number=1, title="F", body="{}", sha256="0" * 64, published_at=clock.now())
    row = Evaluation(visit_id=visit.id, student_id=visit.student_id, department_id=visit.department_id, day=clock.today(),
                     self_number=1, number=len(given))  # fmt: skip
    db.session.add_all([form, row])
    db.session.flush()
    for number, steps in enumerate((own, *given)):
        marking = Marking(evaluation_id=row.id, is_self=number == 0, number=max(number, 1), form_id=form.id, form="{}", comment="",
                          reason="Looked again", by_id=visit.supervisor_id, at=clock.now())  # fmt: skip
        db.session.add(marking)
        db.session.flush()
        db.session.add_all(
            Mark(marking_id=marking.id, criterion=str(place), step=step) for place, step in enumerate(steps)
        )
    db.session.flush()


def dismissed_but(world, tooth):
    """A dismissal in which what is on one tooth is returned."""

    gate, silva = dismissal_asked(world), world.user("silva")
    items = {item.words[7:9]: item.id for item in db.session.query(GateItem).filter_by(gate_id=gate.id)}
    gates.return_item(gate.id, items[tooth], version=gate.version, reason="Look again", actor=silva)
    db.session.flush()
    return gates.approve_dismissal(gate.id, version=gate.version, actor=silva)


class TestPace:
    @pytest.mark.parametrize(
        ("begins", "due", "expected"),
        [(0, 9, 1), (-9, 0, 10), (-4, 5, 5), (1, 5, 0), (-20, -1, 10), (-1, 998, 0), (0, 0, 10)],
    )
    def test_it_is_even_over_the_days_of_the_term(self, world, session, begins, due, expected):
        day = clock.today()
        asked_for(world, begins=day + timedelta(days=begins), due=day + timedelta(days=due))
        (each,) = found.progress_for(world.user("kamal"))
        assert each.expected == expected
        assert each.behind == expected

    @pytest.mark.parametrize(
        ("begins", "due", "words"),
        [
            (-49, 50, "5 behind the pace"),
            (-20, -1, "overdue, 10 missing"),
            (3, 9, "to come"),
            (0, 998, "on pace"),
        ],
    )
    def test_it_is_said_in_words(self, world, session, begins, due, words):
        day = clock.today()
        asked_for(world, begins=day + timedelta(days=begins), due=day + timedelta(days=due))
        (each,) = found.progress_for(world.user("kamal"))
        assert each.words == words

    def test_what_is_done_is_done(self, world, treated):
        treated.wanted = 1
        dismissed(world)
        assert progress(world).words == "done"


class TestWhoCouldCloseIt:
    def chances(self, world, viewer="kamal", student="kamal"):
        whose = world.user(student)
        (requirement,) = found.requirements_of(whose.department_id, whose.year)
        chances = found.chances_of(world.user(viewer), whose, found.progress_for(whose))
        return [(each.patient.name, each.count) for each in chances.get(requirement.id, [])]

    def test_patients_on_whom_something_that_counts_is_planned(self, world, session):
        requirement = asked_for(world)
        assert self.chances(world) == []
        for line in ("36 mo comp plan", "26 o comp plan; 16 s plan", "46 o comp opt"):
            chart_line(world.patient("fernando"), line, actor=world.user("kamal"), reason="Planned")
        assert self.chances(world) == [("Nimali Fernando", 2)]
        assert self.chances(world, "silva") == [("Nimali Fernando", 2)]
        requirement.cap = 1
        assert self.chances(world) == [("Nimali Fernando", 1)]
        requirement.tooth_class = ToothClass.PRIMARY
        assert self.chances(world) == []

    def test_not_of_a_patient_of_whom_enough_counts(self, world, treated):
        treated.cap = 1
        chart_line(world.patient("fernando"), "26 o comp plan", actor=world.user("kamal"), reason="Planned")
        assert self.chances(world) == []  # one is done and takes the place, though nobody has approved it
        treated.cap = 2
        assert self.chances(world) == [("Nimali Fernando", 1)]

    def test_not_of_a_patient_who_was_taken_from_them_or_is_archived(self, world, session):
        asked_for(world)
        chart_line(world.patient("fernando"), "36 mo comp plan", actor=world.user("kamal"), reason="Planned")
        world.patient("fernando").archived_at = clock.now()
        assert self.chances(world) == []
        world.patient("fernando").archived_at = None
        assert self.chances(world) == [("Nimali Fernando", 1)]
        for row in db.session.query(Assignment).filter_by(user_id=world.people["kamal"]):
            row.ends_at = clock.now()
        assert self.chances(world) == []

    def test_nothing_is_offered_for_what_is_done_or_over(self, world, treated):
        chart_line(world.patient("fernando"), "26 o comp plan", actor=world.user("kamal"), reason="Planned")
        treated.wanted = 1
        dismissed(world)
        assert self.chances(world) == []


class TestWhoSees:
    def test_a_supervisor_sees_the_group_of_the_department_the_most_behind_first(self, world, treated):
        dismissed(world)
        at = clock.now()
        for name in ("Adam Idle", "Zoe Idle"):
            db.session.add(
                User(email=f"{name[0]}@clinic.test", name=name, role=Role.STUDENT, year=4,
                     department_id=world.departments["restorative"], password_hash="!", created_at=at)
            )  # fmt: skip
        db.session.flush()
        requirements, rows = found.group_for(world.user("silva"), 4)
        assert [one.name for one in requirements] == ["Fillings"]
        assert [(row.student.name, row.behind) for row in rows] == [
            ("Adam Idle", 5),
            ("Zoe Idle", 5),
            ("Kamal Dias", 4),
        ]
        assert found.group_for(world.user("sato"), 4)[0] == []
        for name in ("kamal", "ruwan", "nimal", "adel"):
            assert found.group_for(world.user(name), 4) == ([], [])

    def test_what_shows_a_count_names_only_patients_whom_the_viewer_may_see(self, world, treated):
        dismissed(world)
        kamal = world.user("kamal")
        _progress, patients = found.evidence_for(kamal, kamal, treated.id)
        assert list(patients) == [world.patients["fernando"]]
        for row in db.session.query(Assignment).filter_by(user_id=kamal.id):
            row.ends_at = clock.now()
        db.session.flush()
        shown, patients = found.evidence_for(kamal, kamal, treated.id)
        assert (shown.done, patients) == (1, {})

    def test_only_of_what_the_student_has_to_do(self, world, treated):
        assert found.evidence_for(world.user("silva"), world.user("leela"), treated.id) is None
        treated.retired_at = clock.now()
        assert found.evidence_for(world.user("silva"), world.user("kamal"), treated.id) is None


def test_the_number_of_queries_depends_on_nothing(world, treated):
    """One student with one entry, and sixty students with eight each."""
    dismissed(world)
    viewer = world.user("silva")
    with counted() as few:
        found.group_for(viewer, 4)
    many(world, students=60, entries=8)
    with counted() as statements:
        requirements, rows = found.group_for(viewer, 4)
    assert len(rows) == 61
    assert sum(row.progress[0].done for row in rows) == 1 + 60 * 8
    assert len(statements) == len(few) == 7
    kamal = world.user("kamal")
    with counted() as statements:
        found.chances_of(kamal, kamal, found.progress_for(kamal))
    assert len(statements) <= 7


def many(world, *, students, entries):
    """Students of the fourth year with a patient each and approved fillings on it."""
    from sqlalchemy import insert

    from clinic.models import Chart, ChartEntry, Gate, GateItem, GateKind, GateStatus, Patient, Sex
    from clinic.queries.gates import pieces_of

    at = clock.now() - timedelta(hours=2)
    for number in range(students):
        student = User(email=f"s{number}@clinic.test", name=f"Student {number}", role=Role.STUDENT, year=4,
                       department_id=world.departments["restorative"], password_hash="!", created_at=at)  # fmt: skip
        patient = Patient(code=f"P-1998-{number:05d}", name=f"Many {number}", sort_name=f"many {number}", sex=Sex.OTHER,
                          birth_date=clock.today() - timedelta(days=9999), created_at=at, created_by_id=world.people["ruwan"])  # fmt: skip
        db.session.add_all([student, patient])
        db.session.flush()
        visit = Visit(patient_id=patient.id, department_id=student.department_id, starts_at=at, student_id=student.id,
                      supervisor_id=world.people["silva"], status=VisitStatus.COMPLETED, arrived_at=at, created_at=at,
                      created_by_id=world.people["ruwan"])  # fmt: skip
        chart = Chart(
            patient_id=patient.id, dentition="permanent", base="11", stroke=entries, begun_at=at, begun_by_id=student.id
        )
        db.session.add_all([visit, chart])
        db.session.flush()
        db.session.execute(insert(ChartEntry), [
            {"patient_id": patient.id, "stroke": stroke, "kind": "restoration", "status": Status.COMPLETED,
             "teeth": PERMANENT[stroke % 32], "surfaces": "O", "details": '{"material":"gic"}', "dated": clock.today(),
             "performer_id": student.id, "visit_id": visit.id, "entered_at": at + timedelta(minutes=stroke),
             "entered_by_id": student.id}
            for stroke in range(1, entries + 1)
        ])  # fmt: skip
        gate = Gate(patient_id=patient.id, visit_id=visit.id, kind=GateKind.DISMISS, number=1, shown="{}", sha256="0" * 64,
                    department_id=student.department_id, prepared_by_id=student.id, prepared_at=at,
                    status=GateStatus.APPROVED, decided_by_id=world.people["silva"], decided_at=clock.now())  # fmt: skip
        db.session.add(gate)
        db.session.flush()
        db.session.add_all(
            GateItem(gate_id=gate.id, subject=piece.subject, sha256=piece.sha256, words="", status=GateStatus.APPROVED)
            for piece in pieces_of(visit)
        )
    db.session.flush()
