"""A patient's problems: diagnoses by code or in words, of which teeth, and what shows them; and the clinic's own diagnoses."""

import enum
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references


class ProblemStatus(enum.StrEnum):
    ACTIVE = "active"
    RESOLVED = "resolved"
    IN_ERROR = "in_error"  # it should never have been there; it stays to be read


class Problem(Base):
    """One problem of a patient. What it is never changes: it ends, or was an error; evidence is added."""

    __tablename__ = "problem"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    visit_id: Mapped[int | None] = references("visit.id", index=True)
    system: Mapped[str] = mapped_column(String(20), default="")  # of the code; empty for what was said in free words
    code: Mapped[str] = mapped_column(String(20), default="")
    words: Mapped[str] = mapped_column(String(200))
    teeth: Mapped[str] = mapped_column(String(200), default="")  # keys of the chart, with spaces between
    status: Mapped[ProblemStatus] = mapped_column(one_of(ProblemStatus), default=ProblemStatus.ACTIVE)
    noted_by_id: Mapped[int] = references("user.id")
    noted_at: Mapped[datetime]
    ended_by_id: Mapped[int | None] = references("user.id")
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(String(500), default="")
    version: Mapped[int] = mapped_column(default=1)

    noted_by = link("User", foreign_keys=[noted_by_id])
    ended_by = link("User", foreign_keys=[ended_by_id])
    evidence = link("Evidence", back_populates="problem", order_by="Evidence.id")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("(status = 'active') = (ended_at IS NULL)", name="ended_when"),
        CheckConstraint("(system = '') = (code = '')", name="code_of_a_system"),
        Index("ix_problem_patient", "patient_id", "status", "id"),
        TABLE_OPTIONS,
    )


class Evidence(Base):
    """What shows a problem: a document, or an entry of the chart. Only added."""

    __tablename__ = "evidence"

    id: Mapped[identity]
    problem_id: Mapped[int] = references("problem.id")
    document_id: Mapped[int | None] = references("document.id", index=True)
    entry_id: Mapped[int | None] = references("chart_entry.id", index=True)
    added_by_id: Mapped[int] = references("user.id")
    added_at: Mapped[datetime]

    problem = link("Problem", back_populates="evidence")
    document = link("Document")
    added_by = link("User")

    __table_args__ = (
        CheckConstraint("(document_id IS NULL) <> (entry_id IS NULL)", name="one_thing"),
        UniqueConstraint("problem_id", "document_id"),
        UniqueConstraint("problem_id", "entry_id"),
        TABLE_OPTIONS,
    )


class OwnDiagnosis(Base):
    """A diagnosis of the clinic's own, beside those that come with Chairside (clinic/diagnoses.py). In use it is retired, not deleted."""

    __tablename__ = "own_diagnosis"

    id: Mapped[identity]
    system: Mapped[str] = mapped_column(String(20))
    code: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(200))
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int] = references("user.id")
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (UniqueConstraint("system", "code"), TABLE_OPTIONS)
