"""Requirement counts equal an independent computation: over the demo clinic, and over clinics made at random.

`Recount` (tests/required.py) counts by loops over all rows and asks each visit and each version by itself what is approved.
"""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock, create_app, demo
from clinic.chart import versions
from clinic.chart.entry import details_text
from clinic.chart.kinds import Status
from clinic.extensions import db
from clinic.models import (
    Chart,
    ChartEntry,
    ChartVersion,
    Evaluation,
    EvaluationForm,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    Mark,
    Marking,
    Patient,
    Requirement,
    Role,
    Sex,
    SignOff,
    SignOffStatus,
    ToothClass,
    User,
    VersionReason,
    Visit,
    VisitStatus,
)
from clinic.queries.chart import last_of_threads, mouth_of
from clinic.queries.gates import pieces_of
from clinic.queries.requirements import progress_of
from tests import soak
from tests.conftest import fresh_mariadb, make_config
from tests.required import Recount, asked_for

KINDS = ("restoration", "sealant", "crown", "root_canal", "bridge", "denture")
TEETH = ("11", "14", "16", "26", "36", "46", "47", "54", "75", "S1")
STATUSES = (Status.PLANNED, Status.COMPLETED, Status.COMPLETED, Status.COMPLETED, Status.EXISTING, Status.IN_PROCESS)
DAY = timedelta(days=1)
PARTS = ("counted", "over", "waiting", "unmarked", "by visit", "by version", "changed")


def test_over_the_demo_clinic(demo_url):
    app = create_app(make_config(demo_url))
    with app.app_context(), clock.frozen(datetime(2026, 3, 3, 4, 30, tzinfo=UTC)):
        db.create_all()
        demo.seed(patients=120, years=2, seed=7)
        seen = compared()
        print(f"demo clinic: {seen}")
        assert seen["requirements"] >= 6
        assert seen["counts"] > 50
        assert seen["counted"] > 20
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(params=["mariadb", "sqlite"])
def demo_url(request, tmp_path, worker):
    return fresh_mariadb("required") if request.param == "mariadb" else f"sqlite:///{tmp_path}/demo.sqlite"


@pytest.mark.parametrize("number", range(soak.share(30, 3)))
def test_over_a_clinic_made_at_random(world, session, number):
    seed = f"{soak.daily_seed()}-requirements-{number}"
    dice = random.Random(seed)
    clinic = Made(world, dice)
    clinic.make()
    seen = compared()
    print(f"{seed}: {seen}")
    del seen["changed"]  # work after its approval: in every third clinic chance makes none; a test of its own has some
    assert all(seen.values()), "the clinic made is too thin"


def compared() -> dict[str, int]:
    """Hold every student and every requirement of theirs against the recount; how many there were of what."""
    recount, seen = Recount(), dict.fromkeys(("requirements", "counts", *PARTS), 0)
    requirements = list(db.session.scalars(select(Requirement).order_by(Requirement.id)))
    students = list(db.session.scalars(select(User).where(User.role == Role.STUDENT).order_by(User.id)))
    seen["requirements"] = len(requirements)
    for requirement in requirements:
        of = (requirement.department_id, requirement.year)
        group = [student for student in students if (student.department_id, student.year) == of]
        together = progress_of([student.id for student in group], [requirement])
        for student in group:
            (each,) = together[student.id]
            assert each.done == recount.count(student, requirement), (student.name, requirement.name)
            for name in PARTS[:4]:
                seen[name] += len(getattr(each, name))
            seen["counts"] += 1
            seen["by visit"] += sum(1 for work in each.counted if work.approval.visit_id)
            seen["by version"] += sum(1 for work in each.counted if not work.approval.visit_id)
            seen["changed"] += sum(1 for work in each.waiting if work.was_approved)
    return seen


class Made:
    """Students who chart, change, undo and err, with and without supervisors who look; all as rows, some of it as no page would allow."""

    def __init__(self, world, dice):  # type: ignore[no-untyped-def]
        self.world, self.dice = world, dice
        self.at = clock.now() - timedelta(days=60)
        self.department = world.departments["restorative"]
        self.silva = world.people["silva"]
        self.students = [world.people["kamal"], world.people["leela"]]

    def make(self) -> None:
        for number in range(3):
            person = User(email=f"r{number}@clinic.test", name=f"Random {number}", role=Role.STUDENT, year=4,
                          department_id=self.department, password_hash="!", created_at=self.at)  # fmt: skip
            db.session.add(person)
            db.session.flush()
            self.students.append(person.id)
        form = EvaluationForm(code="f", number=1, title="F", body="{}", sha256="0" * 64, published_at=self.at)
        db.session.add(form)
        db.session.flush()
        self.form = form.id
        today = clock.today()
        for name, said in {
            "Fillings": {"cap": 2},
            "One of each": {"kinds": " ".join(KINDS), "begins": today - 60 * DAY, "due": today, "cap": 1},
            "All": {"kinds": " ".join(KINDS), "begins": today - 60 * DAY, "due": today},
            "Large, on molars": {"tooth_class": ToothClass.MOLAR, "least_surfaces": 2},
            "Of children": {"kinds": "sealant restoration", "tooth_class": ToothClass.PRIMARY, "cap": 1},
            "Front": {"kinds": "crown root_canal bridge", "tooth_class": ToothClass.ANTERIOR},
            "Premolars": {"kinds": "crown bridge restoration", "tooth_class": ToothClass.PREMOLAR, "cap": 1},
            "Good ones": {"kinds": " ".join(KINDS), "least_mark": 3},
            "Better ones": {"kinds": " ".join(KINDS), "least_mark": 4, "cap": 1},
            "Short term": {"kinds": "restoration crown", "begins": today - 20 * DAY, "due": today - 10 * DAY},
        }.items():
            asked_for(self.world, name=name, **said)
            asked_for(self.world, name=name, year=3, **said)
        for number in range(self.dice.randrange(18, 24)):
            self.patient(number)

    def patient(self, number: int) -> None:
        row = Patient(code=f"P-1997-{number:05d}", name=f"Random {number}", sort_name=f"random {number}", sex=Sex.OTHER,
                      birth_date=date(1990, 1, 1), created_at=self.at, created_by_id=self.world.people["ruwan"])  # fmt: skip
        db.session.add(row)
        db.session.flush()
        first = self.at + self.dice.randrange(40) * DAY
        chart = Chart(
            patient_id=row.id, dentition="permanent", base="11 12", begun_at=first, begun_by_id=self.students[0]
        )
        db.session.add(chart)
        db.session.flush()
        self.chart, self.now, self.usual = chart, first, self.dice.choice(self.students)
        if self.dice.random() < 0.3:
            self.strokes(None)  # charted before the first visit
        for _visit in range(self.dice.randrange(1, 5)):
            self.visit()

    def visit(self) -> None:
        self.later(1440)
        visit = Visit(patient_id=self.chart.patient_id, department_id=self.department, starts_at=self.now,
                      student_id=self.usual if self.dice.random() < 0.8 else self.dice.choice(self.students),
                      supervisor_id=self.silva, status=VisitStatus.COMPLETED,
                      arrived_at=self.now, created_at=self.now, created_by_id=self.world.people["ruwan"])  # fmt: skip
        db.session.add(visit)
        db.session.flush()
        for number in range(1, self.dice.randrange(2, 4)):
            self.strokes(visit)
            if self.dice.random() < 0.75:
                self.gate(visit, number)
            if self.dice.random() < 0.2:
                self.version(visit)
        if self.dice.random() < 0.4:
            self.strokes(visit, most=2)  # after it was approved
        if self.dice.random() < 0.6:
            self.marks(visit)

    def marks(self, visit: Visit) -> None:
        """An evaluation of the visit's student, marked once or twice, with criteria that nobody saw, or by the student alone."""
        evaluation = Evaluation(
            visit_id=visit.id,
            student_id=visit.student_id,
            department_id=self.department,
            day=clock.local(self.now).date(),
        )
        db.session.add(evaluation)
        db.session.flush()
        for is_self, number in ((True, 1), (False, 1), (False, 2))[: self.dice.randrange(1, 4)]:
            evaluation.number = 0 if is_self else number
            marking = Marking(
                evaluation_id=evaluation.id, is_self=is_self, number=number, form_id=self.form, form="{}", comment="",
                reason="Looked again", by_id=visit.student_id if is_self else self.silva, at=self.now,
            )  # fmt: skip
            db.session.add(marking)
            db.session.flush()
            for criterion in "abc":
                step = self.dice.choice((None, 2, 3, 4, 4, 5))
                db.session.add(Mark(marking_id=marking.id, criterion=criterion, step=step))
        db.session.flush()

    def later(self, minutes: int = 20) -> datetime:
        self.now += timedelta(minutes=self.dice.randrange(1, minutes + 1))
        return self.now

    def strokes(self, visit: Visit | None, most: int = 8) -> None:
        for _stroke in range(self.dice.randrange(1, most)):
            held = list(
                last_of_threads(self.chart.patient_id).values()
            )  # those in error too, which an undo brings back
            before = self.dice.choice(held) if held and self.dice.random() < 0.45 else None
            self.chart.stroke += 1
            self.write(before, visit)

    def write(self, before, visit) -> None:  # type: ignore[no-untyped-def]
        dice = self.dice
        student = (
            dice.choice(self.students) if dice.random() < 0.2 else (visit.student_id if visit else self.students[0])
        )
        performer = self.silva if dice.random() < 0.1 else student
        status = dice.choice(STATUSES)
        said = {
            "kind": dice.choice(KINDS),
            "teeth": dice.choice(TEETH),
            "surfaces": dice.choice(("", "O", "MO", "MOD")),
            "details": details_text({"material": dice.choice(("gic", "composite"))}),
            "jaw": "",
            "dated": clock.local(self.now).date() + DAY * dice.choice((0, 0, 0, 0, -30, 100)),
        }
        if said["kind"] == "bridge":
            said |= {"teeth": "14:abutment 15:pontic 16:abutment", "surfaces": ""}
        if said["kind"] == "denture":
            said |= {"teeth": "", "surfaces": "", "jaw": "upper"}
        if before is not None:
            kept = {name: value for name, value in before.plain().items() if name in said}
            kept |= {"details": details_text(before.details), "dated": before.dated}
            what = dice.random()
            if what < 0.2:
                said, status, performer = kept, Status.ENTERED_IN_ERROR, before.performer_id
            elif what < 0.45:  # said again, as an undo and a restored version do
                said, status, performer = kept, before.status, before.performer_id
            elif what < 0.75:  # goes on
                said = kept | {"dated": clock.local(self.now).date()}
            else:  # corrected
                said, status, performer = kept | {"surfaces": said["surfaces"]}, before.status, before.performer_id
                if " " in kept["teeth"] or not kept["teeth"]:
                    said["surfaces"] = ""
        back = self.back_to_an_earlier_state(before) if before is not None and dice.random() < 0.15 else None
        if back is not None:
            said, status, performer = back
        db.session.add(
            ChartEntry(
                patient_id=self.chart.patient_id, stroke=self.chart.stroke,
                first_id=before.thread if before else None, supersedes_id=before.id if before else None,
                status=status, performer_id=performer if status is Status.COMPLETED else None,
                visit_id=before.visit_id if before and back is None and dice.random() < 0.5 else visit.id if visit else None,
                entered_at=self.later(), entered_by_id=student, **said,
            )
        )  # fmt: skip
        db.session.flush()

    def back_to_an_earlier_state(self, before):  # type: ignore[no-untyped-def]
        thread = func.coalesce(ChartEntry.first_id, ChartEntry.id)
        rows = db.session.scalars(select(ChartEntry).where(thread == before.thread)).all()
        row = self.dice.choice(rows)
        said = {name: getattr(row, name) for name in ("kind", "teeth", "surfaces", "details", "jaw", "dated")}
        return said, row.status, row.performer_id

    def gate(self, visit: Visit, number: int) -> None:
        dice = self.dice
        status = dice.choice(
            (GateStatus.APPROVED, GateStatus.APPROVED, GateStatus.APPROVED, GateStatus.RETURNED, GateStatus.PENDING)
        )
        is_decided = status is not GateStatus.PENDING
        gate = Gate(patient_id=visit.patient_id, visit_id=visit.id, kind=GateKind.DISMISS, number=number, shown="{}",
                    sha256="0" * 64, department_id=self.department, prepared_by_id=visit.student_id, prepared_at=self.later(),
                    status=status, decided_by_id=self.silva if is_decided else None, decided_at=self.now if is_decided else None,
                    open_key=None if is_decided else f"{visit.id}:dismiss")  # fmt: skip
        if not is_decided and db.session.query(Gate).filter_by(open_key=gate.open_key).count():
            return
        db.session.add(gate)
        db.session.flush()
        for piece in pieces_of(visit):
            if piece.is_students and dice.random() < 0.85:
                told = piece.sha256 if dice.random() < 0.95 else "f" * 64
                one = (
                    GateStatus.APPROVED
                    if status is GateStatus.APPROVED
                    else dice.choice((GateStatus.APPROVED, GateStatus.RETURNED))
                )
                db.session.add(GateItem(gate_id=gate.id, subject=piece.subject, sha256=told, words="", status=one))
        db.session.flush()

    def version(self, visit: Visit) -> None:
        patient, dice = self.chart.patient_id, self.dice
        number = (
            db.session.scalar(select(func.max(ChartVersion.number)).where(ChartVersion.patient_id == patient)) or 0
        ) + 1
        body = versions.body_of(mouth_of(patient), {"number": number})
        sha256 = versions.digest("", body)
        row = ChartVersion(patient_id=patient, number=number, why=VersionReason.NAMED, stroke=self.chart.stroke, body=body,
                           sha256=sha256, check_code=versions.check_code(sha256), at=self.now, author_id=visit.student_id)  # fmt: skip
        db.session.add(row)
        db.session.flush()
        status = dice.choice((SignOffStatus.APPROVED, SignOffStatus.APPROVED, SignOffStatus.RETURNED))
        db.session.add(
            SignOff(patient_id=patient, chart_version_id=row.id, sha256=sha256, department_id=self.department,
                    asked_by_id=visit.student_id, asked_at=self.now, status=status, decided_by_id=self.silva,
                    decided_at=self.now)
        )  # fmt: skip
        db.session.flush()
