"""The two gates of a visit, Approval to Start and Approval to Dismiss: what a student laid before a supervisor, and what became of it."""

import enum
from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Index, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references

LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class GateKind(enum.StrEnum):
    START = "start"
    DISMISS = "dismiss"


class GateStatus(enum.StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class Gate(Base):
    """One time that a student asked to start, or to dismiss. Returned or withdrawn, it is asked anew: the next number of the visit."""

    __tablename__ = "gate"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    visit_id: Mapped[int] = references("visit.id")
    kind: Mapped[GateKind] = mapped_column(one_of(GateKind))
    number: Mapped[int]  # of this visit and kind, from 1
    shown: Mapped[str] = mapped_column(LongText)  # canonical JSON of exactly what the supervisor is shown
    sha256: Mapped[str] = mapped_column(String(64))
    words: Mapped[str] = mapped_column(String(500), default="")  # what the student says to it
    department_id: Mapped[int] = references("department.id")  # whose supervisors decide
    prepared_by_id: Mapped[int] = references("user.id")
    student_id: Mapped[int | None] = references(
        "user.id"
    )  # whose work it is: the student of the visit then, or who prepared it
    prepared_at: Mapped[datetime]
    status: Mapped[GateStatus] = mapped_column(one_of(GateStatus), default=GateStatus.PENDING)
    decided_by_id: Mapped[int | None] = references("user.id")
    decided_at: Mapped[datetime | None]
    session_of_id: Mapped[int | None] = references("user.id")  # in whose session, if not the decider's own
    reason: Mapped[str] = mapped_column(String(500), default="")
    open_key: Mapped[str | None] = mapped_column(String(40), unique=True)  # visit and kind while pending, then NULL
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient")
    visit = link("Visit")
    prepared_by = link("User", foreign_keys=[prepared_by_id])
    student = link("User", foreign_keys=[student_id])
    decided_by = link("User", foreign_keys=[decided_by_id])
    items = link("GateItem", back_populates="gate", order_by="GateItem.id")

    @property
    def approved(self) -> list["GateItem"]:
        """What of a dismissal a supervisor approved; `opened_at` of each says whether they had opened it by itself."""
        return [item for item in self.items if self.kind is GateKind.DISMISS and item.status is GateStatus.APPROVED]

    @property
    def unopened(self) -> int:
        """How much of a dismissal was approved together with the rest, unopened."""
        return sum(item.opened_at is None for item in self.approved)

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        UniqueConstraint("visit_id", "kind", "number"),
        CheckConstraint("(status = 'pending') = (open_key IS NOT NULL)", name="open_while_pending"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> prepared_by_id", name="not_ones_own"),
        Index("ix_gate_department", "department_id", "status", "prepared_at"),
        Index("ix_gate_patient", "patient_id", "id"),
        Index("ix_gate_student", "student_id", "kind", "status"),
        TABLE_OPTIONS,
    )


class GateItem(Base):
    """One thing in it: an item of treatment that is to start, or one thing that the visit changed."""

    __tablename__ = "gate_item"

    id: Mapped[identity]
    gate_id: Mapped[int] = references("gate.id")
    subject: Mapped[str] = mapped_column(String(60))  # `entry:12` (the thread of a chart entry), `note:3`, `document:7`
    sha256: Mapped[str] = mapped_column(String(64))  # of the subject as it was shown
    words: Mapped[str] = mapped_column(String(500))
    status: Mapped[GateStatus] = mapped_column(one_of(GateStatus), default=GateStatus.PENDING)
    reason: Mapped[str] = mapped_column(String(500), default="")
    opened_at: Mapped[datetime | None]  # when whoever decided it had opened it by itself, or decided it by itself

    gate = link("Gate", back_populates="items")

    __table_args__ = (UniqueConstraint("gate_id", "subject"), Index("ix_gate_item_subject", "subject"), TABLE_OPTIONS)


class ToothMatch(Base):
    """The tooth of something that cannot be undone (an extraction, a root canal, an implant), as the supervisor entered it by themselves.

    Only added. Where plan, radiograph and consent do not name the same teeth, a named second person and a reason are in it.
    """

    __tablename__ = "tooth_match"

    id: Mapped[identity]
    gate_item_id: Mapped[int] = references("gate_item.id")
    entered: Mapped[str] = mapped_column(String(20))  # keys of the chart, with spaces between
    found: Mapped[str] = mapped_column(Text)  # canonical JSON: which teeth each source names
    agrees: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(500), default="")
    second_id: Mapped[int | None] = references("user.id")
    entered_by_id: Mapped[int] = references("user.id")
    entered_at: Mapped[datetime]

    second = link("User", foreign_keys=[second_id])
    entered_by = link("User", foreign_keys=[entered_by_id])

    __table_args__ = (
        CheckConstraint("agrees OR (second_id IS NOT NULL AND reason <> '')", name="second_person"),
        CheckConstraint("second_id IS NULL OR second_id <> entered_by_id", name="two_people"),
        TABLE_OPTIONS,
    )


class Extension(Base):
    """A student may go on starting although work of theirs is unapproved for too long: until when, by whom, and why. Only added."""

    __tablename__ = "extension"

    id: Mapped[identity]
    student_id: Mapped[int] = references("user.id")
    until: Mapped[date] = mapped_column(Date)  # the clinic's day, the last one
    reason: Mapped[str] = mapped_column(String(500))
    given_by_id: Mapped[int] = references("user.id")
    given_at: Mapped[datetime]

    given_by = link("User", foreign_keys=[given_by_id])

    __table_args__ = (Index("ix_extension_student", "student_id", "until"), TABLE_OPTIONS)
