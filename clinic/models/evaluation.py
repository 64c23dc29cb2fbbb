"""How a student worked in a visit: by themselves first, then by the supervisor, on the clinic's own forms."""

from datetime import date, datetime

from sqlalchemy import Boolean, CheckConstraint, Date, Index, SmallInteger, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, references


class EvaluationForm(Base):
    """One number of a form. Only its retirement changes: a changed form is the next number, and every mark keeps a copy of its own."""

    __tablename__ = "evaluation_form"

    id: Mapped[identity]
    code: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    title: Mapped[str] = mapped_column(String(120))
    body: Mapped[str] = mapped_column(Text)  # canonical JSON, clinic/evaluation/form.py
    sha256: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[datetime]
    published_by_id: Mapped[int | None] = references("user.id")  # nobody: it came with Chairside
    retired_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    published_by = link("User")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (UniqueConstraint("code", "number"), TABLE_OPTIONS)


class Evaluation(Base):
    """The evaluation of a student in a visit: which of its markings hold. `number`: 0 while no supervisor has marked."""

    __tablename__ = "evaluation"

    id: Mapped[identity]
    visit_id: Mapped[int] = references("visit.id")
    student_id: Mapped[int] = references("user.id")
    department_id: Mapped[int] = references("department.id")
    day: Mapped[date] = mapped_column(Date)  # the clinic's, of the visit
    self_number: Mapped[int] = mapped_column(default=0)  # of the self-assessment that holds; 0: there is none
    number: Mapped[int] = mapped_column(default=0)  # of the supervisor's marking that holds
    version: Mapped[int] = mapped_column(default=1)

    visit = link("Visit")
    student = link("User")
    department = link("Department")
    markings = link("Marking", back_populates="evaluation", order_by="Marking.id")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        UniqueConstraint("visit_id", "student_id"),
        Index("ix_evaluation_student", "student_id", "id"),
        Index("ix_evaluation_day", "day", "department_id"),
        TABLE_OPTIONS,
    )


class Marking(Base):
    """One time that somebody marked: the student themself, or a supervisor. Only added: a correction is the next number, with a reason."""

    __tablename__ = "marking"

    id: Mapped[identity]
    evaluation_id: Mapped[int] = references("evaluation.id")
    is_self: Mapped[bool] = mapped_column(Boolean)
    number: Mapped[int]  # of this evaluation and side, from 1
    form_id: Mapped[int] = references("evaluation_form.id", index=True)
    form: Mapped[str] = mapped_column(Text)  # its body, as it was marked on
    comment: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(String(500), default="")  # why it was corrected
    by_id: Mapped[int] = references("user.id")
    at: Mapped[datetime]

    evaluation = link("Evaluation", back_populates="markings")
    by = link("User")
    form_row = link("EvaluationForm")
    marks = link("Mark", order_by="Mark.id")

    __table_args__ = (
        UniqueConstraint("evaluation_id", "is_self", "number"),
        CheckConstraint("is_self OR number = 1 OR reason <> ''", name="corrected_with_reason"),
        TABLE_OPTIONS,
    )


class Mark(Base):
    """One criterion of a marking: a step of the scale, none when it was not seen. Only added."""

    __tablename__ = "mark"

    id: Mapped[identity]
    marking_id: Mapped[int] = references("marking.id")
    criterion: Mapped[str] = mapped_column(String(40))  # its code in the form
    step: Mapped[int | None] = mapped_column(SmallInteger)

    __table_args__ = (
        UniqueConstraint("marking_id", "criterion"),
        CheckConstraint("step IS NULL OR step BETWEEN 1 AND 5", name="on_the_scale"),
        TABLE_OPTIONS,
    )
