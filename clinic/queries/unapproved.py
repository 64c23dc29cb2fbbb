"""A student's work that no supervisor has approved yet, how long it waits, and who was given more time. The one place that counts it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, Select, and_, case, false, func, literal, null, or_, select, type_coerce, union_all
from sqlalchemy.orm import aliased, joinedload

from clinic import clock, settings
from clinic.extensions import db
from clinic.models import (
    AuditEvent,
    ChartEntry,
    Extension,
    Gate,
    GateKind,
    GateStatus,
    Note,
    NoteSigning,
    NoteStatus,
    Patient,
    QueueEntry,
    Role,
    SignOff,
    SignOffStatus,
    Stage,
    User,
    Visit,
    VisitStatus,
)
from clinic.queries.gates import is_filed_in
from clinic.queries.scope import may_see

# Days: up to two, up to seven, and more.
FRESH, OLD = 2, 7
MOST_WORK = 300
MOST_STUDENTS = 400
WORDS = {
    "chart": "chart sent for approval",
    "note": "note signed",
    "note-returned": "note returned",
    "start": "start prepared",
    "dismiss": "dismissal prepared",
    "dismiss-returned": "dismissal returned",
    "visit": "visit ended without dismissal",
    "changed": "changed after approval",
}
OTHER, APPROVED, FORMER, FIRST, NEXT = aliased(Gate), aliased(Gate), aliased(SignOff), aliased(SignOff), aliased(Visit)


@dataclass(frozen=True)
class Work:
    """One thing that is not approved. `patient`: None when the viewer may not see them (any more)."""

    kind: str
    id: int
    student_id: int
    visit_id: int | None
    patient: Patient | None
    since: datetime

    @property
    def words(self) -> str:
        return WORDS[self.kind]

    @property
    def days(self) -> int:
        return (clock.now() - self.since).days

    @property
    def url(self) -> str:
        """The page where it goes on; empty when the viewer may not open it."""
        if self.patient is None:
            return ""
        if self.visit_id is not None and not self.kind.startswith("note"):
            return f"/visits/{self.visit_id}"
        return f"/patients/{self.patient.id}/{f'notes/{self.id}' if self.kind.startswith('note') else 'chart/versions'}"


@dataclass(frozen=True)
class Ageing:
    """How much of a student's work is unapproved, by days; and until when they have more time."""

    student: User
    fresh: int
    week: int
    old: int
    oldest: datetime | None
    extension: Extension | None

    @property
    def total(self) -> int:
        return self.fresh + self.week + self.old


def ageing_for(viewer: User) -> list[Ageing]:
    """The students of a supervisor's department with unapproved work, the oldest work first; a student's own. Three queries."""
    if viewer.role is Role.STUDENT:
        who = User.id == viewer.id
    elif viewer.role is Role.SUPERVISOR and viewer.department_id is not None:
        who = and_(User.role == Role.STUDENT, User.department_id == viewer.department_id, User.active)
    else:
        who = false()
    students = list(
        db.session.execute(select(User).where(who).order_by(User.name, User.id).limit(MOST_STUDENTS)).scalars()
    )
    counts = _counts([student.id for student in students])
    extensions = extensions_of([student.id for student in students])
    rows = [
        Ageing(student, *counts.get(student.id, (0, 0, 0, None)), extensions.get(student.id)) for student in students
    ]
    rows = [row for row in rows if row.total or row.extension or viewer.role is Role.STUDENT]
    return sorted(rows, key=lambda row: (row.oldest or clock.now(), row.student.name, row.student.id))


def work_of(viewer: User, student_id: int) -> list[Work]:
    """What of a student's work is unapproved, longest first; patients whom the viewer may not see have no name. Two queries."""
    work = _work([student_id]).subquery()
    rows = db.session.execute(select(work).order_by(work.c.since, work.c.kind, work.c.id).limit(MOST_WORK)).all()
    wanted = {row.patient_id for row in rows}
    seen = select(Patient).where(Patient.id.in_(wanted or {0}), may_see(viewer, Patient.id))
    patients = {patient.id: patient for patient in db.session.execute(seen).scalars()}
    return [
        Work(row.kind, row.id, row.student_id, row.visit_id, patients.get(row.patient_id), row.since) for row in rows
    ]


def student_for(viewer: User, student_id: int) -> User | None:
    """A student of the supervisor's department, or the viewer themself."""
    found = select(User).where(User.id == student_id, User.role == Role.STUDENT)
    if viewer.role is Role.SUPERVISOR and viewer.department_id is not None:
        found = found.where(User.department_id == viewer.department_id)
    else:
        found = found.where(User.id == viewer.id)
    return db.session.execute(found).scalar_one_or_none()


def number_older(student_id: int, days: int) -> int:
    """How much of a student's work is unapproved for more than so many days. One query."""
    work = _work([student_id]).subquery()
    before = clock.now() - timedelta(days=days)
    return db.session.scalar(select(func.count()).select_from(work).where(work.c.since < before)) or 0


def students_with_work_before(before: datetime, *, after: int = 0, limit: int = 200) -> list[tuple[int, int, datetime]]:
    """Students who have unapproved work from before an instant, by id: how much of it, and since when the oldest waits. For the job."""
    students = (
        select(User.id).where(User.role == Role.STUDENT, User.active, User.id > after).order_by(User.id).limit(limit)
    )
    ids = list(db.session.scalars(students))
    work = _work(ids).subquery()
    found = (
        select(work.c.student_id, func.count(), func.min(work.c.since))
        .where(work.c.since < before)
        .group_by(work.c.student_id)
        .order_by(work.c.student_id)
    )
    return [(student, count, since) for student, count, since in db.session.execute(found)] if ids else []


def last_student(after: int = 0, *, limit: int = 200) -> int | None:
    """The id with which a page of students after this one ends; None when there is none."""
    ids = select(User.id).where(User.role == Role.STUDENT, User.active, User.id > after).order_by(User.id).limit(limit)
    return max(db.session.scalars(ids), default=None)


def extension_of(student_id: int) -> Extension | None:
    """The extension that holds today, with who gave it."""
    return extensions_of([student_id]).get(student_id)


def extensions_of(student_ids: Collection[int]) -> dict[int, Extension]:
    """The extensions that hold today, by student, the longest of each."""
    held = select(Extension).where(Extension.student_id.in_(student_ids), Extension.until >= clock.today())
    rows = db.session.execute(held.options(joinedload(Extension.given_by)).order_by(Extension.until, Extension.id))
    return {row.student_id: row for row in rows.scalars()}


def _counts(student_ids: list[int]) -> dict[int, tuple[int, int, int, datetime | None]]:
    if not student_ids:
        return {}
    work, at = _work(student_ids).subquery(), clock.now()
    found: dict[int, tuple[int, int, int, datetime | None]] = {}
    # Days are counted here, as databases do it in words of their own; bounded as the list is.
    rows = select(work.c.student_id, work.c.since).order_by(work.c.since).limit(MOST_STUDENTS * MOST_WORK)
    for student_id, since in db.session.execute(rows):
        fresh, week, old, oldest = found.get(student_id, (0, 0, 0, None))
        days = (at - since).days
        found[student_id] = (
            fresh + (days <= FRESH),
            week + (FRESH < days <= OLD),
            old + (days > OLD),
            min(oldest or since, since),
        )
    return found


def _work(student_ids: Collection[int]) -> Any:
    """Everything unapproved of these students: kind, id, student, patient, visit, since when."""
    return union_all(*_charts(student_ids), *_notes(student_ids), *_gates(student_ids), *_visits(student_ids))


def _row(kind: str, id: Any, student: Any, patient: Any, visit: Any, since: Any) -> Select[Any]:
    return select(
        literal(kind).label("kind"),
        id.label("id"),
        student.label("student_id"),
        patient.label("patient_id"),
        visit.label("visit_id"),
        since.label("since"),
    )


def _charts(students: Collection[int]) -> list[Select[Any]]:
    """Charts that wait. Taken back, or returned, and sent again they are as old as before."""
    of = SignOff
    approved = select(func.max(FORMER.id)).where(FORMER.patient_id == of.patient_id)
    last = func.coalesce(approved.where(FORMER.status == SignOffStatus.APPROVED).correlate(of).scalar_subquery(), 0)
    first = select(func.min(FIRST.asked_at)).where(FIRST.patient_id == of.patient_id, FIRST.id > last)
    since = first.where(FIRST.asked_by_id == of.asked_by_id).correlate(of).scalar_subquery()
    rows = _row("chart", of.id, of.asked_by_id, of.patient_id, type_coerce(null(), Integer), since)
    return [rows.where(of.asked_by_id.in_(students), of.status == SignOffStatus.PENDING)]


def _notes(students: Collection[int]) -> list[Select[Any]]:
    """Notes that wait or were returned, as old as their first signing."""
    signed = select(func.min(NoteSigning.signed_at)).where(NoteSigning.note_id == Note.id).scalar_subquery()

    def rows(kind: str, status: NoteStatus) -> Select[Any]:
        found = _row(kind, Note.id, Note.author_id, Note.patient_id, Note.visit_id, signed)
        return found.where(Note.author_id.in_(students), Note.status == status, Note.department_id.is_not(None))

    return [rows("note", NoteStatus.SIGNED), rows("note-returned", NoteStatus.RETURNED)]


def _gates(students: Collection[int]) -> list[Select[Any]]:
    """Starts and dismissals of a student's visits, whoever prepared them. They are as old as the work: as the end of the visit, or the
    first time that they were prepared, or what was changed first after an approval."""
    last = _last_approved(Gate)
    asked = (
        select(func.min(OTHER.prepared_at))
        .where(OTHER.visit_id == Gate.visit_id, OTHER.kind == Gate.kind, OTHER.student_id == Gate.student_id)
        .where(OTHER.number > func.coalesce(last, 0))
        .correlate(Gate)
        .scalar_subquery()
    )
    ended = select(Visit.completed_at).where(Visit.id == Gate.visit_id, last.is_(None)).scalar_subquery()
    changed = (
        select(func.min(ChartEntry.entered_at))
        .join(APPROVED, APPROVED.patient_id == ChartEntry.patient_id)
        .join(Visit, Visit.id == APPROVED.visit_id)
        .where(APPROVED.visit_id == Gate.visit_id, APPROVED.kind == Gate.kind, APPROVED.number == last)
        .where(_charted_after(APPROVED), ChartEntry.entered_by_id == Gate.student_id)
        .correlate(Gate)
        .scalar_subquery()
    )
    of_work = case((ended < asked, ended), (changed < asked, changed), else_=asked)

    def rows(kind: str, since: Any, *conditions: Any) -> Select[Any]:
        found = _row(kind, Gate.id, Gate.student_id, Gate.patient_id, Gate.visit_id, since)
        return found.where(Gate.student_id.in_(students), *conditions)

    dismiss = Gate.kind == GateKind.DISMISS
    return [
        rows("start", asked, Gate.status == GateStatus.PENDING, Gate.kind == GateKind.START),
        rows("dismiss", of_work, Gate.status == GateStatus.PENDING, dismiss),
        rows("dismiss-returned", of_work, Gate.status == GateStatus.RETURNED, dismiss, _is_last(Gate)),
    ]


def _visits(students: Collection[int]) -> list[Select[Any]]:
    """Visits that were begun, and ended without a dismissal that anybody laid before a supervisor; and those after whose approved
    dismissal the student has changed something, by time, as the inbox of the supervisors finds them."""
    if not settings.read("dismiss_gate"):
        return []
    laid = select(OTHER.id).where(
        OTHER.visit_id == Visit.id, OTHER.kind == GateKind.DISMISS, OTHER.status != GateStatus.WITHDRAWN
    )
    ended = _row("visit", Visit.id, Visit.student_id, Visit.patient_id, Visit.id, Visit.completed_at).where(
        Visit.student_id.in_(students),
        Visit.status == VisitStatus.COMPLETED,
        or_(Visit.outcome.is_(None), ~Visit.outcome.like("Left without being seen%")),
        _was_begun(),
        ~laid.exists(),
    )
    return [ended, *_charted(students), _filed(students)]


def _was_begun() -> Any:
    """Whether a start was approved; without that gate, whether the patient was in treatment, since the clinic first asked for a
    dismissal: what was done before nobody could have approved."""
    if settings.read("start_gate"):
        started = select(OTHER.id).where(OTHER.visit_id == Visit.id, OTHER.kind == GateKind.START)
        return started.where(OTHER.status == GateStatus.APPROVED).exists()
    treated = select(QueueEntry.id).where(QueueEntry.visit_id == Visit.id, QueueEntry.stage == Stage.IN_TREATMENT)
    first = select(OTHER.prepared_at).where(OTHER.kind == GateKind.DISMISS).order_by(OTHER.id).limit(1)
    return and_(treated.where(QueueEntry.voided_at.is_(None)).exists(), Visit.completed_at >= first.scalar_subquery())


def _charted(students: Collection[int]) -> list[Select[Any]]:
    """What these students charted after the dismissal of the visit was approved, and what others charted that they performed."""

    def rows(student: Any, *conditions: Any) -> Select[Any]:
        found = _row("changed", Gate.id, student, Gate.patient_id, Gate.visit_id, func.min(ChartEntry.entered_at))
        return (
            found.select_from(ChartEntry)
            .join(Gate, Gate.patient_id == ChartEntry.patient_id)
            .join(Visit, Visit.id == Gate.visit_id)
            .where(student.in_(students), _charted_after(Gate), _is_approved_last(), *conditions)
            .group_by(Gate.id, student, Gate.patient_id, Gate.visit_id)
        )

    by, of = ChartEntry.entered_by_id, ChartEntry.performer_id
    return [rows(by), rows(of, of != by)]


def _filed(students: Collection[int]) -> Select[Any]:
    """Documents of a visit that these students filed, described or deleted after its dismissal was approved, where they charted nothing."""
    rows = _row("changed", Gate.id, AuditEvent.actor_id, Gate.patient_id, Gate.visit_id, func.min(AuditEvent.at))
    charted = (
        select(ChartEntry.id)
        .where(ChartEntry.patient_id == Gate.patient_id, ChartEntry.entered_by_id == AuditEvent.actor_id)
        .where(_charted_after(Gate))
        .correlate(Gate, Visit, AuditEvent)
    )
    return (
        rows.select_from(AuditEvent)
        .join(Gate, Gate.patient_id == AuditEvent.patient_id)
        .join(Visit, Visit.id == Gate.visit_id)
        .where(AuditEvent.actor_id.in_(students), AuditEvent.at > Gate.prepared_at, is_filed_in(Gate))
        .where(_is_approved_last(), ~charted.exists())
        .group_by(Gate.id, AuditEvent.actor_id, Gate.patient_id, Gate.visit_id)
    )


def _charted_after(gate: Any) -> Any:
    """Of `ChartEntry`: whether it came after what was approved, and still belongs to the gate's `Visit`: the next one had not begun."""
    next_one = select(NEXT.id).where(
        NEXT.patient_id == gate.patient_id,
        NEXT.arrived_at > Visit.arrived_at,
        NEXT.arrived_at <= ChartEntry.entered_at,
        NEXT.status != VisitStatus.CANCELLED,
    )
    return and_(ChartEntry.entered_at > gate.prepared_at, ~next_one.correlate(gate, Visit, ChartEntry).exists())


def _is_approved_last() -> Any:
    return and_(Gate.kind == GateKind.DISMISS, Gate.status == GateStatus.APPROVED, _is_last(Gate))


def _is_last(gate: Any) -> Any:
    """Whether nothing of its kind was prepared of the visit since, but for what was taken back."""
    later = select(OTHER.id).where(
        OTHER.visit_id == gate.visit_id,
        OTHER.kind == gate.kind,
        OTHER.number > gate.number,
        OTHER.status != GateStatus.WITHDRAWN,
    )
    return ~later.correlate(gate).exists()


def _last_approved(gate: Any) -> Any:
    """The number of the last of its kind that was approved of the visit; NULL when none was."""
    number = select(func.max(APPROVED.number)).where(APPROVED.visit_id == gate.visit_id, APPROVED.kind == gate.kind)
    return number.where(APPROVED.status == GateStatus.APPROVED).correlate(gate).scalar_subquery()
