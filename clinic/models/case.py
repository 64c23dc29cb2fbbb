"""Cases: what a student is to do for a patient under a supervisor, task by task, and the log of all that happened in it."""

import enum
from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, Index, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.case_log import DID, said_in
from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references

LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class CaseStatus(enum.StrEnum):
    OPEN = "open"
    SUBMITTED = "submitted"  # every task is reviewed; it waits for a supervisor
    RETURNED = "returned"  # with a reason; its student takes it up again
    VERIFIED = "verified"
    CLOSED = "closed"  # after it was verified, or with a reason


class TaskStatus(enum.StrEnum):
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"  # says the student; it waits for a supervisor
    RETURNED = "returned"  # with a reason
    REVIEWED = "reviewed"


class CaseAct(enum.StrEnum):
    """What happened, as the log has it."""

    OPENED = "opened"
    ASSIGNED = "assigned"
    BEGUN = "begun"
    COMPLETED = "completed"
    REVIEWED = "reviewed"
    TASK_RETURNED = "task_returned"
    COMMENTED = "commented"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    RETURNED = "returned"
    TAKEN_UP = "taken_up"
    PASSED_ON = "passed_on"
    CLOSED = "closed"


RUNNING = frozenset(
    {CaseStatus.OPEN, CaseStatus.SUBMITTED, CaseStatus.RETURNED}
)  # one of them for a patient and student
AT_WORK = frozenset({CaseStatus.OPEN, CaseStatus.RETURNED})  # tasks can be added, and it can go to another student
WITH_STUDENT = frozenset({TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS, TaskStatus.RETURNED})

WORK = frozenset({CaseAct.BEGUN, CaseAct.COMPLETED, CaseAct.SUBMITTED, CaseAct.TAKEN_UP})  # acts of a case's student


class Case(Base):
    """One case of a patient and a student. `open_key` is patient, student and department while it is not verified or closed."""

    __tablename__ = "student_case"  # `case` is a word of SQL

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    department_id: Mapped[int] = references("department.id")  # whose supervisors assign, review and verify
    student_id: Mapped[int] = references("user.id")
    supervisor_id: Mapped[int] = references("user.id", index=True)  # who opened it
    title: Mapped[str] = mapped_column(String(120))
    words: Mapped[str] = mapped_column(String(1000), default="")
    status: Mapped[CaseStatus] = mapped_column(one_of(CaseStatus), default=CaseStatus.OPEN)
    opened_at: Mapped[datetime]
    submitted_by_id: Mapped[int | None] = references("user.id")
    submitted_at: Mapped[datetime | None]
    verified_by_id: Mapped[int | None] = references("user.id")
    verified_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500), default="")  # of the last return, or of closing
    closed_at: Mapped[datetime | None]
    open_key: Mapped[str | None] = mapped_column(String(60), unique=True)
    steps: Mapped[int] = mapped_column(default=0)  # rows of its log
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient")
    department = link("Department")
    student = link("User", foreign_keys=[student_id])
    supervisor = link("User", foreign_keys=[supervisor_id])
    verified_by = link("User", foreign_keys=[verified_by_id])
    tasks = link("CaseTask", back_populates="case", order_by="CaseTask.number")
    log = link("CaseLog", back_populates="case", order_by="CaseLog.number")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("(status IN ('open', 'submitted', 'returned')) = (open_key IS NOT NULL)", name="open_key_when"),
        CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_when"),
        CheckConstraint("status <> 'verified' OR verified_at IS NOT NULL", name="verified_when"),
        CheckConstraint("(verified_at IS NULL) = (verified_by_id IS NULL)", name="verified_by_whom"),
        CheckConstraint("verified_by_id IS NULL OR verified_by_id <> submitted_by_id", name="not_ones_own"),
        CheckConstraint("student_id <> supervisor_id", name="two_people"),
        Index("ix_student_case_patient", "patient_id", "id"),
        Index("ix_student_case_student", "student_id", "status", "id"),
        Index("ix_student_case_department", "department_id", "status", "id"),
        TABLE_OPTIONS,
    )

    @property
    def reviewed(self) -> int:
        """How many of its tasks are reviewed. The tasks must be loaded."""
        return sum(task.status is TaskStatus.REVIEWED for task in self.tasks)

    def overdue(self, today: date) -> int:
        """How many of its tasks are overdue on a day of the clinic. The tasks must be loaded."""
        return sum(task.is_overdue(today) for task in self.tasks)

    @property
    def is_done(self) -> bool:
        """Whether there are tasks, and each of them is reviewed. The tasks must be loaded."""
        return bool(self.tasks) and self.reviewed == len(self.tasks)


class CaseTask(Base):
    """One thing to be done in a case, until a day. What is asked never changes."""

    __tablename__ = "case_task"

    id: Mapped[identity]
    case_id: Mapped[int] = references("student_case.id")
    number: Mapped[int]  # of the case, from 1
    title: Mapped[str] = mapped_column(String(120))
    words: Mapped[str] = mapped_column(String(1000), default="")
    due_on: Mapped[date] = mapped_column(Date)  # the clinic's day, the last one
    teeth: Mapped[str] = mapped_column(String(200), default="")  # keys of the chart, with spaces between
    kind: Mapped[str] = mapped_column(String(40), default="")  # of chart entry, if it is about one
    status: Mapped[TaskStatus] = mapped_column(one_of(TaskStatus), default=TaskStatus.ASSIGNED)
    completed_by_id: Mapped[int | None] = references("user.id")
    completed_at: Mapped[datetime | None]  # last
    reviewed_by_id: Mapped[int | None] = references("user.id")
    reviewed_at: Mapped[datetime | None]
    review: Mapped[str] = mapped_column(String(2000), default="")  # what a supervisor wrote of it
    reason: Mapped[str] = mapped_column(String(500), default="")  # why it was returned last
    steps: Mapped[int] = mapped_column(default=0)  # rows of the log that are of it
    version: Mapped[int] = mapped_column(default=1)

    case = link("Case", back_populates="tasks")
    completed_by = link("User", foreign_keys=[completed_by_id])
    reviewed_by = link("User", foreign_keys=[reviewed_by_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        UniqueConstraint("case_id", "number"),
        CheckConstraint("(status = 'reviewed') = (reviewed_at IS NOT NULL)", name="reviewed_when"),
        CheckConstraint("(reviewed_at IS NULL) = (reviewed_by_id IS NULL)", name="reviewed_by_whom"),
        CheckConstraint("status NOT IN ('completed', 'reviewed') OR completed_at IS NOT NULL", name="completed_when"),
        CheckConstraint("reviewed_by_id IS NULL OR reviewed_by_id <> completed_by_id", name="not_ones_own"),
        CheckConstraint("review = '' OR status = 'reviewed'", name="review_when"),
        Index("ix_case_task_status", "status", "due_on", "id"),
        TABLE_OPTIONS,
    )

    def is_overdue(self, today: date) -> bool:
        """Whether its student should have completed it before this day of the clinic. The case must be loaded."""
        return self.case.status in AT_WORK and self.status in WITH_STUDENT and self.due_on < today


class CaseLog(Base):
    """One thing that happened in a case. Only added; each row's digest covers the one before it (clinic/case_log.py)."""

    __tablename__ = "case_log"

    id: Mapped[identity]
    case_id: Mapped[int] = references("student_case.id")
    number: Mapped[int]  # of the case, from 1, without gaps
    task_id: Mapped[int | None] = references("case_task.id", index=True)
    act: Mapped[CaseAct] = mapped_column(one_of(CaseAct))
    done_by_id: Mapped[int] = references("user.id")
    at: Mapped[datetime]
    words: Mapped[str] = mapped_column(String(2000), default="")
    said: Mapped[str] = mapped_column(LongText)  # canonical JSON of the row
    sha256: Mapped[str] = mapped_column(String(64))

    case = link("Case", back_populates="log")
    task = link("CaseTask")
    done_by = link("User")

    @property
    def did(self) -> str:
        """What whoever did it did: `completed “Crown”`, `passed the case on`. The task must be loaded."""
        return DID[self.act].format(f"“{self.task.title}”" if self.task_id else "the case")

    @property
    def facts(self) -> dict[str, Any]:
        """What was set by it: a title, a deadline, to whom it was passed on."""
        found: dict[str, Any] = said_in(self.said)["facts"]
        return found

    __table_args__ = (UniqueConstraint("case_id", "number"), TABLE_OPTIONS)
