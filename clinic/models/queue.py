"""The live queue: one row per stage of a visit, so that history, waits and undo come for free; and calls for a supervisor."""

import enum
from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Computed, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, Id, identity, link, one_of, references


class Stage(enum.StrEnum):
    WAITING = "waiting"
    CALLED = "called"
    IN_CHAIR = "in_chair"
    IN_TREATMENT = "in_treatment"
    AWAITING_SUPERVISOR = "awaiting_supervisor"
    AWAITING_DISMISSAL = "awaiting_dismissal"
    CHECKOUT = "checkout"
    DONE = "done"
    LEFT = "left_without_being_seen"
    TRANSFERRED = "transferred"


FINAL_STAGES = frozenset({Stage.DONE, Stage.LEFT, Stage.TRANSFERRED})
CHAIR_STAGES = frozenset(
    {
        Stage.CALLED,
        Stage.IN_CHAIR,
        Stage.IN_TREATMENT,
        Stage.AWAITING_SUPERVISOR,
        Stage.AWAITING_DISMISSAL,
    }
)


class Priority(enum.IntEnum):
    """Sorts by urgency."""

    URGENT = 1
    HIGH = 2
    NORMAL = 3
    LOW = 4


class QueueEntry(Base):
    """One stage of one visit: opened and closed by moves. A final stage is written as an entry closed at its own start.

    Order in a lane: weight descending, priority, `queued_at`, id. `queued_at` is when the patient joined the line;
    it survives a no-show, a re-call and an undo, whereas `started_at` is when this very stage began.
    """

    __tablename__ = "queue_entry"

    id: Mapped[identity]
    visit_id: Mapped[int] = references("visit.id", index=True)
    patient_id: Mapped[int] = references("patient.id", index=True)
    department_id: Mapped[int] = references("department.id")
    stage: Mapped[Stage] = mapped_column(one_of(Stage))
    started_at: Mapped[datetime]
    queued_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]  # undone: not part of history or waits
    chair_id: Mapped[int | None] = references("chair.id")
    priority: Mapped[int] = mapped_column(SmallInteger, default=Priority.NORMAL)
    priority_reason: Mapped[str | None] = mapped_column(String(200))
    weight: Mapped[int] = mapped_column(default=0)
    weight_reason: Mapped[str | None] = mapped_column(String(200))
    weight_by_id: Mapped[int | None] = references("user.id")
    calls: Mapped[int] = mapped_column(
        SmallInteger, default=0
    )  # how often this person was called in this department's line
    last_called_at: Mapped[datetime | None]
    previous_id: Mapped[int | None] = references("queue_entry.id")  # the entry this move closed
    moved_by_id: Mapped[int] = references("user.id")  # who opened this entry
    note: Mapped[str | None] = mapped_column(String(200))  # why: no-show, transfer, closing the day
    former_ticket: Mapped[str | None] = mapped_column(String(12))  # of a transfer: the ticket given up, for undo
    version: Mapped[int] = mapped_column(default=1)

    # Held by the database: one open entry per patient, one patient per chair.
    open_patient_id: Mapped[int | None] = mapped_column(
        Id, Computed("CASE WHEN ended_at IS NULL THEN patient_id END", persisted=True), unique=True
    )
    open_chair_id: Mapped[int | None] = mapped_column(
        Id, Computed("CASE WHEN ended_at IS NULL THEN chair_id END", persisted=True), unique=True
    )

    visit = link("Visit")
    patient = link("Patient")
    chair = link("Chair")
    department = link("Department")
    moved_by = link("User", foreign_keys=[moved_by_id])
    weight_by = link("User", foreign_keys=[weight_by_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="ends_after_start"),
        CheckConstraint("priority BETWEEN 1 AND 4", name="priority"),
        Index("ix_queue_entry_board", "department_id", "ended_at", "stage"),
        Index("ix_queue_entry_waits", "department_id", "started_at"),
        TABLE_OPTIONS,
    )

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


class CallReason(enum.StrEnum):
    """Why a student calls; the order is the supervisor's order after emergency and wait."""

    EMERGENCY = "emergency"
    START_CHECK = "start_check"
    STEP_CHECK = "step_check"
    HELP = "help"
    SIGN_OFF = "sign_off"


class SupervisorCall(Base):
    """A student's call for a supervisor. Open until the supervisor ends it or the student takes it back."""

    __tablename__ = "supervisor_call"

    id: Mapped[identity]
    visit_id: Mapped[int] = references("visit.id", index=True)
    patient_id: Mapped[int] = references("patient.id")
    department_id: Mapped[int] = references("department.id")
    student_id: Mapped[int] = references("user.id")
    reason: Mapped[CallReason] = mapped_column(one_of(CallReason))
    note: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    supervisor_id: Mapped[int | None] = references("user.id")  # asked for, or coming
    coming_at: Mapped[datetime | None]  # when that supervisor said "I'm coming"
    coming_minutes: Mapped[int | None] = mapped_column(SmallInteger)  # their estimate
    passed_by_id: Mapped[int | None] = references("user.id")
    pass_note: Mapped[str | None] = mapped_column(String(200))
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[int | None] = references("user.id")
    withdrawn: Mapped[bool] = mapped_column(Boolean, default=False)
    version: Mapped[int] = mapped_column(default=1)

    open_visit_id: Mapped[int | None] = mapped_column(
        Id, Computed("CASE WHEN ended_at IS NULL THEN visit_id END", persisted=True), unique=True
    )

    visit = link("Visit")
    patient = link("Patient")
    student = link("User", foreign_keys=[student_id])
    supervisor = link("User", foreign_keys=[supervisor_id])
    passed_by = link("User", foreign_keys=[passed_by_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_supervisor_call_open", "department_id", "ended_at"),
        TABLE_OPTIONS,
    )
