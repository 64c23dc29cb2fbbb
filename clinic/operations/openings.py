"""Who opened a patient's record without a reason the clinic knows is asked on the same day why (safety.md A6)."""

from collections.abc import Callable
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Row, String, Subquery, and_, cast, exists, literal, or_, select
from sqlalchemy.orm import aliased

from clinic import audit, clock, mail
from clinic.extensions import db
from clinic.formatting import day as in_words
from clinic.formatting import number_of
from clinic.models import (
    Assignment,
    AuditEvent,
    BrokenGlass,
    Notice,
    Patient,
    QueueEntry,
    Request,
    RequestStatus,
    Role,
    User,
    Visit,
)
from clinic.operations.notices import tell
from clinic.queries.glass import UNEXPLAINED

MOST = 500  # people and patients asked about in one run; the next run goes on
SETTLED = timedelta(minutes=15)  # what is opened is often the first step of the act that explains it
OPENED = ("patient.open", "read.%")
TRAIL = "read.audit.%"  # who reads what was done about a patient looks at no record
# Whoever does one of these for a patient that day had a reason to open the record.
WRITTEN = (
    "patient.register",
    "patient.change",
    "patient.archive",
    "patient.restore",
    "alert.%",
    "visit.%",
    "queue.%",
    "call.%",
    "assignment.%",
    "request.%",
)
DESK = (Role.RECEPTIONIST, Role.NURSE)


def notice_unexplained_openings(keep: Callable[[], None] = lambda: None) -> str:
    """For the timer, every hour: ask about today, and about what was opened yesterday after the last run.

    `keep` is called after each `MOST`, to keep what is done so far.
    """
    today, asked = clock.today(), 0
    for day in (today - timedelta(days=1), today):
        found = MOST
        while found == MOST:
            found = unexplained_openings(day)
            asked += found
            keep()
    return f"{number_of(asked, 'opening')} of a record asked about."


def unexplained_openings(day: date) -> int:
    """Ask everyone who opened a patient's record on this clinic day for no known reason why; answers how many were asked.

    Once for a person, a patient and a day, however often it runs; `MOST` at a time. A notice, and a letter where mail is set up.
    """
    found = _unexplained(day)
    for person_id, name, email, active, patient_id, code in found:
        tell(
            person_id,
            f"You opened the record of {code} on {in_words(day)}, and nothing shows why: you had no assignment, visit or "
            "request. Say what it was for.",
            kind=UNEXPLAINED,
            patient_id=patient_id,
            once=f"{UNEXPLAINED}:{person_id}:{patient_id}:{day.isoformat()}",
        )
        audit.record(
            UNEXPLAINED,
            f"Asked {name} why they opened {code} on {in_words(day)}",
            actor=None,
            subject=f"user:{person_id}",
            patient=patient_id,
        )
        if active:
            mail.post_when_committed(email, "Why was this record opened?", _letter(name, code, day))
    return len(found)


def _letter(name: str, code: str, day: date) -> str:
    return (
        f"{name},\n\nunder your name the record of {code} was opened on {in_words(day)}. Chairside knows no reason for it: no "
        "assignment, visit or request.\n\nSign in and answer the notice. If it was not you, tell an administrator at once.\n"
    )


def _unexplained(day: date) -> list[Row[int, str, str, bool, int, str]]:
    start, end = clock.bounds(day)
    opened = (
        select(AuditEvent.actor_id, AuditEvent.patient_id)
        .where(AuditEvent.at >= start, AuditEvent.at < min(end, clock.now() - SETTLED))
        .where(or_(*(AuditEvent.act.like(act) for act in OPENED)), AuditEvent.act.not_like(TRAIL))
        .where(AuditEvent.actor_id.is_not(None), AuditEvent.patient_id.is_not(None))
        .distinct()
        .subquery()
    )
    key = literal(f"{UNEXPLAINED}:") + cast(User.id, String(20)) + ":" + cast(Patient.id, String(20)) + f":{day}"
    asked = exists().where(Notice.once == key)
    return list(
        db.session.execute(
            select(User.id, User.name, User.email, User.active, Patient.id, Patient.code)
            .select_from(opened)
            .join(User, User.id == opened.c.actor_id)
            .join(Patient, Patient.id == opened.c.patient_id)
            .where(~asked, *(~reason for reason in _reasons(opened, day)))
            .order_by(User.id, Patient.id)
            .limit(MOST)
        )
    )


def _reasons(opened: Subquery, day: date) -> list[ColumnElement[bool]]:
    """What explains an opening of that day: an assignment, a visit, a request, a broken glass, or something written."""
    start, end = clock.bounds(day)
    before, after = clock.start_of(day - timedelta(days=1)), clock.start_of(day + timedelta(days=2))
    actor_id, patient_id = opened.c.actor_id, opened.c.patient_id
    at_desk, supervises = User.role.in_(DESK), User.role == Role.SUPERVISOR
    student = aliased(User)
    runs = and_(
        Assignment.patient_id == patient_id,
        Assignment.starts_at < end,
        or_(Assignment.ends_at.is_(None), Assignment.ends_at > start),
    )
    own = exists().where(runs, Assignment.user_id == actor_id)
    of_student = exists().where(
        runs,
        Assignment.user_id == student.id,
        student.role == Role.STUDENT,
        student.department_id == User.department_id,
    )
    of_department = and_(supervises, Visit.department_id == User.department_id)
    visit = exists().where(
        Visit.patient_id == patient_id,
        Visit.starts_at >= before,
        Visit.starts_at < after,
        or_(Visit.student_id == actor_id, Visit.supervisor_id == actor_id, at_desk, of_department),
    )
    in_line = exists().where(
        QueueEntry.patient_id == patient_id,
        QueueEntry.started_at >= before,
        QueueEntry.started_at < after,
        or_(at_desk, and_(supervises, QueueEntry.department_id == User.department_id)),
    )
    named = (Request.asked_by_id, Request.clinician_id, Request.from_id, Request.decider_id, Request.decided_by_id)
    request = exists().where(
        Request.patient_id == patient_id,
        Request.asked_at < end,
        or_(and_(Request.status == RequestStatus.PENDING, Request.expires_at > start), Request.decided_at >= start),
        or_(*(who == actor_id for who in named), and_(supervises, Request.department_id == User.department_id)),
    )
    glass = exists().where(
        BrokenGlass.user_id == actor_id,
        BrokenGlass.patient_id == patient_id,
        BrokenGlass.opened_at < end,
        BrokenGlass.expires_at > start,
    )
    act = aliased(AuditEvent)
    written = exists().where(
        act.patient_id == patient_id,
        act.actor_id == actor_id,
        act.at >= start,
        act.at < end,
        or_(*(act.act.like(kind) for kind in WRITTEN)),
    )
    return [own, and_(supervises, of_student), visit, in_line, request, glass, written]
