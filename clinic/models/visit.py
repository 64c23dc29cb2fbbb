"""Visits, and the rows that keep two of them from the same chair, student or patient at once."""

import enum
from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references

SLOT_MINUTES = 15  # visits begin and end on quarters of an hour


class VisitStatus(enum.StrEnum):
    REQUESTED = "requested"
    SCHEDULED = "scheduled"
    RESCHEDULE_REQUESTED = "reschedule_requested"
    CANCEL_REQUESTED = "cancel_requested"
    ARRIVED = "arrived"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DID_NOT_ATTEND = "did_not_attend"


# Any other move is refused with a sentence. A walk-in starts at ARRIVED.
VISIT_MOVES: dict[VisitStatus, frozenset[VisitStatus]] = {
    VisitStatus.REQUESTED: frozenset({VisitStatus.SCHEDULED, VisitStatus.CANCELLED}),
    VisitStatus.SCHEDULED: frozenset(
        {
            VisitStatus.ARRIVED,
            VisitStatus.RESCHEDULE_REQUESTED,
            VisitStatus.CANCEL_REQUESTED,
            VisitStatus.DID_NOT_ATTEND,
        }
    ),
    VisitStatus.RESCHEDULE_REQUESTED: frozenset({VisitStatus.SCHEDULED, VisitStatus.CANCELLED}),
    VisitStatus.CANCEL_REQUESTED: frozenset({VisitStatus.SCHEDULED, VisitStatus.CANCELLED}),
    VisitStatus.ARRIVED: frozenset({VisitStatus.COMPLETED}),
    VisitStatus.COMPLETED: frozenset(),
    VisitStatus.CANCELLED: frozenset(),
    VisitStatus.DID_NOT_ATTEND: frozenset(),
}


# Still to come, whoever has to agree to a change.
PLANNED = (
    VisitStatus.REQUESTED,
    VisitStatus.SCHEDULED,
    VisitStatus.RESCHEDULE_REQUESTED,
    VisitStatus.CANCEL_REQUESTED,
)
EXPECTED = (*PLANNED, VisitStatus.ARRIVED)  # or under way


class Visit(Base):
    """One planned or actual attendance."""

    __tablename__ = "visit"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    department_id: Mapped[int] = references("department.id")
    starts_at: Mapped[datetime]  # the appointment; of a walk-in, the arrival
    minutes: Mapped[int] = mapped_column(SmallInteger, default=60)  # planned length
    walk_in: Mapped[bool] = mapped_column(Boolean, default=False)
    chair_id: Mapped[int | None] = references("chair.id")  # the chair booked; the chair used is the queue entry's
    student_id: Mapped[int | None] = references("user.id")
    supervisor_id: Mapped[int | None] = references("user.id")
    reason: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[VisitStatus] = mapped_column(one_of(VisitStatus))
    ticket: Mapped[str | None] = mapped_column(String(12))  # A-014, per department and day, given at arrival
    arrived_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    created_by_id: Mapped[int] = references("user.id")
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient")
    department = link("Department")
    chair = link("Chair")
    student = link("User", foreign_keys=[student_id])
    supervisor = link("User", foreign_keys=[supervisor_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("minutes > 0 AND minutes <= 480", name="length"),
        Index("ix_visit_day", "department_id", "starts_at", "id"),
        Index("ix_visit_patient", "patient_id", "starts_at"),
        Index("ix_visit_student", "student_id", "starts_at"),
        Index("ix_visit_supervisor", "supervisor_id", "starts_at"),
        Index("ix_visit_status", "status", "starts_at"),
        TABLE_OPTIONS,
    )


class Booking(Base):
    """One quarter of an hour of one resource (`chair:3`, `student:7`, `patient:12`) of one visit: the key is the clash check."""

    __tablename__ = "booking"

    resource: Mapped[str] = mapped_column(String(40), primary_key=True)
    slot: Mapped[datetime] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = references("visit.id", index=True)
