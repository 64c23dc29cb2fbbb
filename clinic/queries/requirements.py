"""What students have to do, how far each is, what shows it, and who could be treated next.

What counts is computed here, from the chart and from what supervisors approved of it, and kept nowhere. An entry of the chart counts when
it holds, is completed, was performed by the student, is dated within the term, is of what the requirement names, and when what it says
now is what a supervisor approved: in the newest approved dismissal of the visit that changed it last, or in the newest approved version
of the chart. Where a requirement asks for a mark, the student's evaluation of the visit in which it was completed has it on average. The
number of queries depends on nothing (docs/decisions/0060).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, false, func, select, union_all
from sqlalchemy.orm import aliased, joinedload

from clinic import clock
from clinic.chart import versions
from clinic.chart.entry import Entry
from clinic.chart.kinds import Status
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import (
    Assignment,
    ChartEntry,
    ChartVersion,
    Department,
    Evaluation,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    Mark,
    Marking,
    Patient,
    Requirement,
    Role,
    SignOff,
    SignOffStatus,
    User,
    Visit,
    VisitStatus,
)
from clinic.queries.chart import ENTRIES, entry_of
from clinic.queries.gates import change_digest
from clinic.queries.scope import is_running, may_see

MOST = 40  # requirements of one group
MOST_STUDENTS = 400
MOST_ENTRIES = 12_000  # completed in the terms of one group
MOST_PLANNED = 500
MOST_LISTED = 300
LATER_ENTRY, LATER_GATE = aliased(ChartEntry), aliased(Gate)


# --- what is asked for ------------------------------------------------------------------------------------------------


def requirements_of(department_id: int | None, year: int | None) -> list[Requirement]:
    """What the students of a department and year have to do, the first due first."""
    found = select(Requirement).where(
        Requirement.department_id == department_id, Requirement.year == year, Requirement.retired_at.is_(None)
    )
    return list(db.session.execute(found.order_by(Requirement.due, Requirement.id).limit(MOST)).scalars())


def years_of(department_id: int | None) -> list[int]:
    """The years of study that have something to do in a department."""
    found = select(Requirement.year).where(Requirement.department_id == department_id, Requirement.retired_at.is_(None))
    return list(db.session.scalars(found.distinct().order_by(Requirement.year)))


def every_requirement(viewer: User) -> list[Requirement]:
    """All that the viewer may change, with their departments, retired ones last: administrators all, supervisors their department's."""
    found = select(Requirement).join(Requirement.department).where(_changes(viewer))
    order = (
        Requirement.retired_at.is_not(None),
        Department.name,
        Requirement.year,
        Requirement.due.desc(),
        Requirement.id.desc(),
    )
    rows = found.options(joinedload(Requirement.department)).order_by(*order).limit(MOST_LISTED)
    return list(db.session.execute(rows).scalars())


def requirement_to_change(viewer: User, requirement_id: int) -> Requirement | None:
    """One that the viewer may change, with its department."""
    found = select(Requirement).where(Requirement.id == requirement_id, _changes(viewer))
    return db.session.execute(found.options(joinedload(Requirement.department))).scalar_one_or_none()


def _changes(viewer: User) -> ColumnElement[bool]:
    if viewer.role is Role.ADMIN:
        return Requirement.id.is_not(None)
    if viewer.role is Role.SUPERVISOR and viewer.department_id is not None:
        return Requirement.department_id == viewer.department_id
    return false()


# --- how far a student is ---------------------------------------------------------------------------------------------


class Approval(NamedTuple):
    """Who approved what an entry says, and when. `visit_id`: in the dismissal of which visit; None: with a version of the chart."""

    by: str
    at: datetime | None
    visit_id: int | None


@dataclass(frozen=True)
class Work:
    """An entry that a student completed. `approval`: of what it says now; `was_approved`: a supervisor approved what it said before.
    `mark`: what a supervisor gave the student in its visit, as the sum of the steps and how many there are; none when nobody did."""

    entry: Entry
    patient_id: int
    approval: Approval | None
    was_approved: bool = False
    mark: tuple[int, int] | None = None

    def is_marked(self, least: int | None) -> bool:
        """Whether the marks are on average as good as that, or none are asked for."""
        return least is None or (self.mark is not None and self.mark[0] >= least * self.mark[1])

    @property
    def mark_words(self) -> str:
        return f"{self.mark[0] / self.mark[1]:.1f}" if self.mark else "no mark yet"


@dataclass(frozen=True)
class Progress:
    """How far one student is with one requirement. `counted`: what counts, the first done first; `over`: approved, and more of one
    patient than count; `waiting`: done, and not approved as it is now. `unmarked`: approved, and without a mark that is good enough."""

    requirement: Requirement
    today: date
    counted: tuple[Work, ...] = ()
    over: tuple[Work, ...] = ()
    waiting: tuple[Work, ...] = ()
    unmarked: tuple[Work, ...] = ()

    @property
    def done(self) -> int:
        return len(self.counted)

    @property
    def wanted(self) -> int:
        return self.requirement.wanted

    @property
    def missing(self) -> int:
        return max(0, self.wanted - self.done)

    @property
    def expected(self) -> int:
        """How many would be done by now at an even pace."""
        return self.requirement.expected_on(self.today)

    @property
    def behind(self) -> int:
        """How many fewer than that are done."""
        return max(0, self.expected - self.done)

    @property
    def is_overdue(self) -> bool:
        return bool(self.missing) and self.today > self.requirement.due

    @property
    def standing(self) -> str:
        """`done`, `overdue`, `behind`, `to come` (before the term) or `on pace`."""
        if not self.missing:
            return "done"
        if self.is_overdue:
            return "overdue"
        if self.behind:
            return "behind"
        return "to come" if self.today < self.requirement.begins else "on pace"

    @property
    def words(self) -> str:
        """How it stands, in words."""
        told = {"overdue": f"overdue, {self.missing} missing", "behind": f"{self.behind} behind the pace"}
        return told.get(self.standing, self.standing)

    def room_of(self, patient_id: int) -> int | None:
        """How many more of a patient would count; None: any number. What waits for approval takes its place already."""
        if self.requirement.cap is None:
            return None
        taken = sum(1 for work in (*self.counted, *self.waiting) if work.patient_id == patient_id)
        return max(0, self.requirement.cap - taken)


@dataclass(frozen=True)
class Row:
    """One student among those of the group."""

    student: User
    progress: tuple[Progress, ...]

    @property
    def behind(self) -> int:
        return sum(each.behind for each in self.progress)

    @property
    def overdue(self) -> int:
        return sum(1 for each in self.progress if each.is_overdue)


def group_for(viewer: User, year: int | None) -> tuple[list[Requirement], list[Row]]:
    """What the students of a year have to do in the supervisor's department, and how far each is: who is most behind comes first, of
    those as many behind who has less done, then by name. Eight queries at most; nothing for anybody else."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return [], []
    requirements = requirements_of(viewer.department_id, year)
    found = select(User).where(
        User.role == Role.STUDENT, User.department_id == viewer.department_id, User.year == year, User.active
    )
    students = list(db.session.execute(found.order_by(User.name, User.id).limit(MOST_STUDENTS)).scalars())
    progress = progress_of([student.id for student in students], requirements)
    rows = [Row(student, tuple(progress[student.id])) for student in students]
    done = attrgetter("done")
    return requirements, sorted(
        rows, key=lambda row: (-row.behind, sum(map(done, row.progress)), row.student.name, row.student.id)
    )


def progress_for(student: User) -> list[Progress]:
    """How far a student is with all that they have to do. Seven queries at most. Of one whom the viewer was allowed to ask about."""
    requirements = requirements_of(student.department_id, student.year)
    return progress_of([student.id], requirements)[student.id]


def progress_of(students: Collection[int], requirements: Sequence[Requirement]) -> dict[int, list[Progress]]:
    """How far each of these students is with each of these requirements, in their order. Six queries at most."""
    today = clock.today()
    works: dict[int, list[Work]] = defaultdict(list)
    for work in work_of(students, requirements):
        works[work.entry.performer_id or 0].append(work)
    return {
        student: [_progress(requirement, works.get(student, ()), today) for requirement in requirements]
        for student in students
    }


def _progress(requirement: Requirement, works: Iterable[Work], today: date) -> Progress:
    """`works`: of one student, the first done first."""
    counted: list[Work] = []
    over: list[Work] = []
    waiting: list[Work] = []
    unmarked: list[Work] = []
    of_patient: dict[int, int] = defaultdict(int)
    for work in works:
        dated = work.entry.dated
        if dated is None or not requirement.begins <= dated <= requirement.due or not requirement.suits(work.entry):
            continue
        if work.approval is None:
            waiting.append(work)
        elif not work.is_marked(requirement.least_mark):
            unmarked.append(work)
        elif requirement.cap is not None and of_patient[work.patient_id] >= requirement.cap:
            over.append(work)
        else:
            of_patient[work.patient_id] += 1
            counted.append(work)
    return Progress(requirement, today, tuple(counted), tuple(over), tuple(waiting), tuple(unmarked))


# --- what they completed, and whether it is approved ------------------------------------------------------------------


@dataclass
class _Approved:
    """What supervisors approved of some threads and patients, and the times by which an entry's visit is told."""

    rows: Mapping[int, list[Entry]] = field(default_factory=dict)  # all of a thread that is of several, oldest first
    visits: Mapping[int, list[tuple[datetime, list[int]]]] = field(default_factory=dict)  # arrivals, newest first
    dismissed: Mapping[tuple[int, int], tuple[str, Approval]] = field(default_factory=dict)  # by visit and thread
    charts: Mapping[int, tuple[int, Approval]] = field(default_factory=dict)  # stroke of the newest, by patient


def work_of(students: Collection[int], requirements: Collection[Requirement]) -> list[Work]:
    """The entries that these students completed of what these requirements name in their terms, the first done first. Six queries at
    most: the marks are asked for only where a requirement wants one.

    Raises DomainError when they are more than can be counted at once.
    """
    if not students or not requirements:
        return []
    kinds = {code for requirement in requirements for code in requirement.codes}
    rows = (
        ENTRIES.add_columns(ChartEntry.patient_id)
        .where(
            ChartEntry.status == Status.COMPLETED,
            ChartEntry.performer_id.in_(students),
            ChartEntry.dated >= min(requirement.begins for requirement in requirements),
            ChartEntry.dated <= max(requirement.due for requirement in requirements),
            ChartEntry.kind.in_(kinds),
            ~_superseded(),
        )
        .order_by(ChartEntry.dated, ChartEntry.id)
    )
    found = [(entry_of(row), row.patient_id) for row in db.session.execute(rows.limit(MOST_ENTRIES + 1))]
    if len(found) > MOST_ENTRIES:
        raise DomainError(f"More than {MOST_ENTRIES:,} entries are of these terms. Retire requirements that are over.")
    approved = _approved(found)
    visits = {entry.visit_id for entry, _patient in found if entry.visit_id is not None}
    marks = _marks(visits) if any(requirement.least_mark for requirement in requirements) else {}
    return [_work(entry, patient_id, approved, marks) for entry, patient_id in found]


def _superseded() -> ColumnElement[bool]:
    return select(LATER_ENTRY.id).where(LATER_ENTRY.supersedes_id == ChartEntry.id).exists()


def _work(entry: Entry, patient_id: int, approved: _Approved, marks: Mapping[tuple[int, int], tuple[int, int]]) -> Work:
    rows = approved.rows.get(entry.thread, [entry])
    approval = _by_dismissal(entry, patient_id, rows, approved) or _by_version(entry, patient_id, rows, approved)
    was_approved = approval is None and (
        any(
            (visit, entry.thread) in approved.dismissed
            for _at, ids in approved.visits.get(patient_id, ())
            for visit in ids
        )
        or (patient_id in approved.charts and rows[0].stroke <= approved.charts[patient_id][0])
    )
    mark = marks.get((entry.visit_id or 0, entry.performer_id or 0))
    return Work(entry, patient_id, approval, was_approved, mark)


def _by_dismissal(entry: Entry, patient_id: int, rows: list[Entry], approved: _Approved) -> Approval | None:
    """In the dismissal of the visit that changed the thread last, when that is approved for exactly this change.

    As `gates.standing_of` tells it of the whole visit: a visit lasts until the next one's arrival, and what is only said again in one
    changes nothing.
    """
    ends: datetime | None = None
    for arrived_at, visits in approved.visits.get(patient_id, ()):
        before, after = _held(rows, arrived_at), _held(rows, ends)
        ends = arrived_at
        if (before and versions.said(before)) == (after and versions.said(after)):
            continue
        sha256 = change_digest(before, after)
        standing = (approved.dismissed.get((visit, entry.thread)) for visit in visits)
        return next((approval for held in standing if held for digest, approval in [held] if digest == sha256), None)
    return None


def _by_version(entry: Entry, patient_id: int, rows: list[Entry], approved: _Approved) -> Approval | None:
    """With the newest approved version of the chart, when that says of the thread what is said now."""
    stroke, approval = approved.charts.get(patient_id, (0, None))
    held = [row for row in rows if row.stroke <= stroke]
    return approval if held and versions.said(held[-1]) == versions.said(entry) else None


def _held(rows: list[Entry], before: datetime | None) -> Entry | None:
    """What held of a thread just before an instant, or holds now."""
    written = [row for row in rows if before is None or (row.entered_at is not None and row.entered_at < before)]
    return written[-1] if written and written[-1].status is not Status.ENTERED_IN_ERROR else None


def _approved(found: Collection[tuple[Entry, int]]) -> _Approved:
    """Four queries."""
    if not found:
        return _Approved()
    threads = [entry.thread for entry, _patient in found]
    patients = {patient_id for _entry, patient_id in found}
    return _Approved(
        rows=_threads({entry.thread for entry, _patient in found if entry.thread != entry.id}),
        visits=_arrivals(patients),
        dismissed=_dismissed(threads),
        charts=_charts(patients),
    )


def _threads(threads: Collection[int]) -> dict[int, list[Entry]]:
    wanted = union_all(
        select(ChartEntry.id).where(ChartEntry.id.in_(threads)),
        select(ChartEntry.id).where(ChartEntry.first_id.in_(threads)),
    ).subquery()
    rows = ENTRIES.join(wanted, wanted.c.id == ChartEntry.id).order_by(ChartEntry.id)
    entries = sorted((entry_of(row) for row in db.session.execute(rows)), key=lambda entry: (entry.thread, entry.id))
    return {thread: list(rows) for thread, rows in groupby(entries, key=attrgetter("thread"))}


def _arrivals(patients: Collection[int]) -> dict[int, list[tuple[datetime, list[int]]]]:
    rows = (
        select(Visit.patient_id, Visit.arrived_at, Visit.id)
        .where(Visit.patient_id.in_(patients), Visit.arrived_at.is_not(None), Visit.status != VisitStatus.CANCELLED)
        .order_by(Visit.patient_id, Visit.arrived_at.desc(), Visit.id)
    )
    found: dict[int, list[tuple[datetime, list[int]]]] = defaultdict(list)
    for (patient_id, arrived_at), together in groupby(db.session.execute(rows), key=lambda row: row[:2]):
        found[patient_id].append((arrived_at, [visit_id for _patient, _at, visit_id in together]))
    return found


def _dismissed(threads: Collection[int]) -> dict[tuple[int, int], tuple[str, Approval]]:
    """What the newest approved dismissal of each visit holds of these threads."""
    later = select(LATER_GATE.id).where(
        LATER_GATE.visit_id == Gate.visit_id,
        LATER_GATE.kind == GateKind.DISMISS,
        LATER_GATE.status == GateStatus.APPROVED,
        LATER_GATE.number > Gate.number,
    )
    rows = (
        select(GateItem.subject, GateItem.sha256, Gate.visit_id, Gate.decided_at, User.name)
        .join(Gate, Gate.id == GateItem.gate_id)
        .join(User, User.id == Gate.decided_by_id)
        .where(
            GateItem.subject.in_([f"entry:{thread}" for thread in threads]),
            GateItem.status == GateStatus.APPROVED,
            Gate.kind == GateKind.DISMISS,
            Gate.status == GateStatus.APPROVED,
            ~later.exists(),
        )
    )
    return {
        (visit_id, int(subject.partition(":")[2])): (sha256, Approval(by, at, visit_id))
        for subject, sha256, visit_id, at, by in db.session.execute(rows)
    }


def _charts(patients: Collection[int]) -> dict[int, tuple[int, Approval]]:
    """The newest approved version of each patient: its stroke, and who approved it."""
    rows = (
        select(SignOff.patient_id, ChartVersion.stroke, SignOff.decided_at, User.name)
        .join(ChartVersion, ChartVersion.id == SignOff.chart_version_id)
        .join(User, User.id == SignOff.decided_by_id)
        .where(SignOff.patient_id.in_(patients), SignOff.status == SignOffStatus.APPROVED)
        .order_by(ChartVersion.number)
    )
    return {patient_id: (stroke, Approval(by, at, None)) for patient_id, stroke, at, by in db.session.execute(rows)}


def _marks(visits: Collection[int]) -> dict[tuple[int, int], tuple[int, int]]:
    """The sum of the steps, and how many there are, of the supervisors' markings that hold, by visit and student."""
    rows = (
        select(Evaluation.visit_id, Evaluation.student_id, func.sum(Mark.step), func.count(Mark.step))
        .join(Marking, and_(Marking.evaluation_id == Evaluation.id, Marking.number == Evaluation.number))
        .join(Mark, Mark.marking_id == Marking.id)
        .where(Evaluation.visit_id.in_(visits), ~Marking.is_self, Mark.step.is_not(None))
        .group_by(Evaluation.visit_id, Evaluation.student_id)
    )
    return {(visit, student): (int(steps or 0), count) for visit, student, steps, count in db.session.execute(rows)}


# --- who could close it -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chance:
    """A patient of a student on whom something is planned that would count. `count`: how many of it; `words`: the first of them."""

    patient: Patient
    count: int
    entries: tuple[Entry, ...]


def chances_of(viewer: User, student: User, progress: Sequence[Progress]) -> dict[int, list[Chance]]:
    """For each requirement that is not done: which of the student's patients could close it, those on whom most is planned first. One
    query; patients whom the viewer may not see are not named."""
    open_ones = [each for each in progress if each.missing and each.today <= each.requirement.due]
    found: dict[int, list[Chance]] = {each.requirement.id: [] for each in open_ones}
    if not open_ones:
        return found
    planned = _planned(viewer, student, {code for each in open_ones for code in each.requirement.codes})
    for each in open_ones:
        for patient, entries in planned:
            fitting = tuple(entry for entry in entries if each.requirement.suits(entry))
            room = each.room_of(patient.id)
            count = len(fitting) if room is None else min(len(fitting), room)
            if count:
                found[each.requirement.id].append(Chance(patient, count, fitting[:count]))
    for chances in found.values():
        chances.sort(key=lambda chance: (-chance.count, chance.patient.sort_name, chance.patient.id))
    return found


def _planned(viewer: User, student: User, kinds: Collection[str]) -> list[tuple[Patient, list[Entry]]]:
    """What is planned or under way on the patients that a student has now, by patient."""
    theirs = select(Assignment.patient_id).where(Assignment.user_id == student.id, is_running())
    rows = (
        ENTRIES.add_columns(Patient)
        .join(Patient, Patient.id == ChartEntry.patient_id)
        .where(
            ChartEntry.patient_id.in_(theirs),
            may_see(viewer, ChartEntry.patient_id),
            Patient.archived_at.is_(None),
            ChartEntry.status.in_((Status.PLANNED, Status.IN_PROCESS)),
            ChartEntry.kind.in_(kinds),
            ~_superseded(),
        )
        .order_by(ChartEntry.patient_id, ChartEntry.id)
        .limit(MOST_PLANNED)
    )
    found: dict[int, tuple[Patient, list[Entry]]] = {}
    for row in db.session.execute(rows):
        found.setdefault(row.Patient.id, (row.Patient, []))[1].append(entry_of(row))
    return list(found.values())


# --- what shows it ----------------------------------------------------------------------------------------------------


def evidence_for(viewer: User, student: User, requirement_id: int) -> tuple[Progress, dict[int, Patient]] | None:
    """How far a student is with one requirement of theirs, and the patients of it whom the viewer may see, by id. Eight queries at
    most."""
    requirement = db.session.execute(
        select(Requirement).where(
            Requirement.id == requirement_id,
            Requirement.department_id == student.department_id,
            Requirement.year == student.year,
            Requirement.retired_at.is_(None),
        )
    ).scalar_one_or_none()
    if requirement is None:
        return None
    (progress,) = progress_of([student.id], [requirement])[student.id]
    wanted = {work.patient_id for work in (*progress.counted, *progress.over, *progress.unmarked, *progress.waiting)}
    seen = select(Patient).where(Patient.id.in_(wanted), may_see(viewer, Patient.id))
    return progress, {patient.id: patient for patient in db.session.execute(seen).scalars()} if wanted else {}
