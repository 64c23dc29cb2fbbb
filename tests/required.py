"""Requirements in tests: asking for something, and counting it in another way than the program does."""

from collections import defaultdict
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from clinic import clock
from clinic.chart.versions import mouth_from, said
from clinic.extensions import db
from clinic.models import (
    ChartEntry,
    ChartVersion,
    Evaluation,
    Gate,
    GateItem,
    Mark,
    Marking,
    Requirement,
    SignOff,
    ToothClass,
    User,
    Visit,
)
from clinic.queries.gates import standing_of
from tests.world import World


def asked_for(world: World, department: str = "restorative", year: int = 4, **said: Any) -> Requirement:
    """Something that the students of a year have to do, this term: fillings, unless it is said otherwise. Flushes."""
    today = clock.today()
    usual = {
        "name": "Fillings",
        "kinds": "restoration",
        "wanted": 10,
        "begins": today - timedelta(days=49),
        "due": today + timedelta(days=50),
    }
    row = Requirement(
        department_id=world.departments[department],
        year=year,
        created_at=clock.now(),
        created_by_id=world.people["adel"],
        **(usual | said),
    )
    db.session.add(row)
    db.session.flush()
    return row


class Recount:
    """Every count anew, by loops over all rows, one entry after the other. What is approved is asked of the visit's own standing and read
    from the bytes of the chart's versions: nothing here is shared with queries/requirements.py."""

    def __init__(self) -> None:
        self.entries = list(db.session.scalars(select(ChartEntry)))
        self.superseded = {row.supersedes_id for row in self.entries}
        self.visits: dict[int, list[Visit]] = defaultdict(list)
        for visit in db.session.scalars(select(Visit)):
            if visit.arrived_at is not None:
                self.visits[visit.patient_id].append(visit)
        self.items: dict[int, list[GateItem]] = defaultdict(list)
        for item in db.session.scalars(select(GateItem)):
            self.items[item.gate_id].append(item)
        self.gates = list(db.session.scalars(select(Gate)))
        self.signed = list(db.session.execute(select(SignOff, ChartVersion).join(SignOff.chart_version)))
        self.evaluations = list(db.session.scalars(select(Evaluation)))
        self.markings = list(db.session.scalars(select(Marking)))
        self.marks = list(db.session.scalars(select(Mark)))
        self.standings: dict[int, dict[str, bool]] = {}
        self.bodies: dict[int, dict[int, Any]] = {}

    def count(self, student: User, requirement: Requirement) -> int:
        of_patient: dict[int, int] = defaultdict(int)
        for row in self.entries:
            if row.id in self.superseded or row.status.value != "completed" or row.performer_id != student.id:
                continue
            if row.dated < requirement.begins or row.dated > requirement.due:
                continue
            if f" {row.kind} " not in f" {requirement.kinds} " or len(row.surfaces) < requirement.least_surfaces:
                continue
            if not any(
                is_of_class(word.partition(":")[0], requirement.tooth_class) for word in row.teeth.split() or [""]
            ):
                continue
            if requirement.least_mark and not self.is_good(row, requirement.least_mark):
                continue
            if self.by_visit(row) or self.by_version(row):
                of_patient[row.patient_id] += 1
        return sum(min(number, requirement.cap or number) for number in of_patient.values())

    def is_good(self, row: ChartEntry, least: int) -> bool:
        """Whether the last marks of a supervisor for the visit are as good, criterion by criterion taken together."""
        for evaluation in self.evaluations:
            if (evaluation.visit_id, evaluation.student_id) == (row.visit_id, row.performer_id):
                markings = [each for each in self.markings if each.evaluation_id == evaluation.id and not each.is_self]
                if markings:
                    newest = max(markings, key=lambda each: each.number)
                    steps = [each.step for each in self.marks if each.marking_id == newest.id and each.step]
                    return bool(steps) and sum(steps) / len(steps) >= least
        return False

    def by_visit(self, row: ChartEntry) -> bool:
        """Whether the last visit that has it as a piece holds it approved."""
        subject = f"entry:{row.first_id or row.id}"
        for visit in sorted(self.visits[row.patient_id], key=lambda each: each.arrived_at, reverse=True):
            if subject in (pieces := self.pieces(visit)):
                return pieces[subject]
        return False

    def pieces(self, visit: Visit) -> dict[str, bool]:
        """The things that a visit changed, and of each whether the last approval covers it as it is."""
        if visit.id not in self.standings:
            standing = standing_of(visit)
            missing = {piece.subject for piece in standing.missing}
            self.standings[visit.id] = {
                piece.subject: standing.approved is not None and piece.subject not in missing
                for piece in standing.pieces
            }
        return self.standings[visit.id]

    def by_version(self, row: ChartEntry) -> bool:
        """Whether the newest approved version says of it what it says now."""
        approved = [
            (version.number, version)
            for sign_off, version in self.signed
            if sign_off.status.value == "approved" and sign_off.patient_id == row.patient_id
        ]
        if not approved:
            return False
        _number, version = max(approved, key=lambda pair: pair[0])
        if version.id not in self.bodies:
            self.bodies[version.id] = {entry.thread: entry for entry in mouth_from(version.body).entries}
        entry = self.bodies[version.id].get(row.first_id or row.id)
        now = self.now(row)
        return entry is not None and said(entry) == said(now)

    def now(self, row: ChartEntry) -> Any:
        from clinic.queries.chart import ENTRIES, entry_of

        return entry_of(db.session.execute(ENTRIES.where(ChartEntry.id == row.id)).one())


FRONT, PREMOLARS, MOLARS = "123", "45", "678"


def is_of_class(key: str, wanted: ToothClass) -> bool:
    """By the digits of FDI."""
    if wanted == "any":
        return True
    if len(key) != 2 or not key.isdecimal():
        return False
    quadrant, number = key
    if quadrant in "5678":
        return wanted == "primary"
    return number in {"anterior": FRONT, "premolar": PREMOLARS, "molar": MOLARS, "primary": ""}[wanted]
