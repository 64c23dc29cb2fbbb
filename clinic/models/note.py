"""Clinical notes: what somebody wrote and signed of a visit, the exact words of each signing, and what a supervisor decided.

What is not signed yet is no row here: it is a draft (models/user.py), and its author's alone.
"""

import enum
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references
from clinic.notes.signed import said_in

LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class NoteType(enum.StrEnum):
    PROGRESS = "progress"
    TREATMENT = "treatment"
    OBSERVATION = "observation"
    DIAGNOSIS = "diagnosis"
    SUPERVISOR_REVIEW = "supervisor_review"  # supervisors only


class Execution(enum.StrEnum):
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class NoteStatus(enum.StrEnum):
    SIGNED = "signed"  # by the author; a student's waits for a supervisor
    APPROVED = "approved"
    RETURNED = "returned"  # to the author, with a reason
    IN_ERROR = "in_error"  # two people said so; it stays to be read


class Note(Base):
    """One note, as it was signed last. Its text changes only when it is signed anew after it was returned; else addenda are written."""

    __tablename__ = "note"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    visit_id: Mapped[int | None] = references("visit.id", index=True)
    addendum_to_id: Mapped[int | None] = references("note.id", index=True)
    type: Mapped[NoteType] = mapped_column(one_of(NoteType))
    execution: Mapped[Execution | None] = mapped_column(one_of(Execution))
    procedure: Mapped[str] = mapped_column(String(200), default="")  # what was done, in words
    teeth: Mapped[str] = mapped_column(String(200), default="")  # keys of the chart, with spaces between
    text: Mapped[str] = mapped_column(LongText)
    outcome: Mapped[str] = mapped_column(String(1000), default="")
    author_id: Mapped[int] = references("user.id")
    department_id: Mapped[int | None] = references(
        "department.id"
    )  # whose supervisors decide; none when nobody needs to
    status: Mapped[NoteStatus] = mapped_column(one_of(NoteStatus), default=NoteStatus.SIGNED)
    signed_at: Mapped[datetime]  # last
    error_reason: Mapped[str] = mapped_column(String(500), default="")
    error_said_by_id: Mapped[int | None] = references("user.id")
    error_said_at: Mapped[datetime | None]
    error_agreed_by_id: Mapped[int | None] = references("user.id")
    error_agreed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient")
    visit = link("Visit")
    author = link("User", foreign_keys=[author_id])
    signings = link("NoteSigning", order_by="NoteSigning.number")
    addenda = link("Note", order_by="Note.id")
    error_said_by = link("User", foreign_keys=[error_said_by_id])
    error_agreed_by = link("User", foreign_keys=[error_agreed_by_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("(status = 'in_error') = (error_agreed_at IS NOT NULL)", name="in_error_by_two"),
        CheckConstraint("error_agreed_by_id IS NULL OR error_agreed_by_id <> error_said_by_id", name="two_people"),
        Index("ix_note_patient", "patient_id", "id"),
        Index("ix_note_author", "author_id", "status"),
        Index("ix_note_department", "department_id", "status", "signed_at"),
        TABLE_OPTIONS,
    )

    @property
    def needs_approval(self) -> bool:
        """Whether it waits for a supervisor: signed, and not by a supervisor."""
        return self.status is NoteStatus.SIGNED and self.department_id is not None


class Decision(enum.StrEnum):
    APPROVED = "approved"
    RETURNED = "returned"


class NoteSigning(Base):
    """A note as it was signed, to the letter, and what was decided of exactly that. Never changed but for the decision."""

    __tablename__ = "note_signing"

    id: Mapped[identity]
    note_id: Mapped[int] = references("note.id")
    number: Mapped[int]  # of this note's signings, from 1
    signed: Mapped[str] = mapped_column(LongText)  # canonical JSON of what was signed
    sha256: Mapped[str] = mapped_column(String(64))
    signed_by_id: Mapped[int] = references("user.id")
    signed_at: Mapped[datetime]
    decision: Mapped[Decision | None] = mapped_column(one_of(Decision))
    decided_by_id: Mapped[int | None] = references("user.id")
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500), default="")

    signed_by = link("User", foreign_keys=[signed_by_id])
    decided_by = link("User", foreign_keys=[decided_by_id])

    @property
    def said(self) -> dict[str, Any]:
        """What the note said when it was signed so."""
        return said_in(self.signed)

    __table_args__ = (
        UniqueConstraint("note_id", "number"),
        CheckConstraint("(decision IS NULL) = (decided_by_id IS NULL)", name="decided_by_whom"),
        CheckConstraint("decided_by_id IS NULL OR decided_by_id <> signed_by_id", name="not_ones_own"),
        TABLE_OPTIONS,
    )


class NoteTemplate(Base):
    """What a note of a kind begins with. In use or not, it is retired and not deleted."""

    __tablename__ = "note_template"

    id: Mapped[identity]
    name: Mapped[str] = mapped_column(String(80), unique=True)
    type: Mapped[NoteType] = mapped_column(one_of(NoteType))
    text: Mapped[str] = mapped_column(Text)  # with {chart}, {teeth} and the like (clinic/notes/)
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int | None] = references("user.id")  # nobody: it came with Chairside
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (TABLE_OPTIONS,)
