"""What patients say of their health: forms by number, every filling of them, and when each was looked through."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Index, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, references

LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class HistoryForm(Base):
    """One number of a form. Never changed: a changed form is the next number; every filling stays with its own."""

    __tablename__ = "history_form"

    id: Mapped[identity]
    code: Mapped[str] = mapped_column(String(40))
    number: Mapped[int]
    title: Mapped[str] = mapped_column(String(120))
    body: Mapped[str] = mapped_column(LongText)  # canonical JSON, clinic/history/form.py
    sha256: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[datetime]
    published_by_id: Mapped[int | None] = references("user.id")  # nobody: it came with Chairside

    published_by = link("User")

    __table_args__ = (UniqueConstraint("code", "number"), TABLE_OPTIONS)


class Filling(Base):
    """One form as it was filled for a patient. Never changed or deleted: filled anew, it is the next number."""

    __tablename__ = "filling"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    form_id: Mapped[int] = references("history_form.id", index=True)
    code: Mapped[str] = mapped_column(String(40))  # of the form
    number: Mapped[int]  # of this patient's fillings of that form, from 1
    visit_id: Mapped[int | None] = references("visit.id", index=True)
    answers: Mapped[str] = mapped_column(LongText)  # canonical JSON
    sha256: Mapped[str] = mapped_column(String(64))  # of form and answers
    filled_by_id: Mapped[int | None] = references("user.id")  # nobody: the patient, on a tablet
    kiosk_id: Mapped[int | None] = references("kiosk.id", unique=True)
    at: Mapped[datetime]

    patient = link("Patient")
    form = link("HistoryForm")
    filled_by = link("User")

    __table_args__ = (
        UniqueConstraint("patient_id", "code", "number"),
        CheckConstraint("filled_by_id IS NOT NULL OR kiosk_id IS NOT NULL", name="by_whom"),
        TABLE_OPTIONS,
    )


class HistoryReview(Base):
    """A clinician has looked a filling through with the patient on a day: nothing had changed, or they filled it at that instant."""

    __tablename__ = "history_review"

    id: Mapped[identity]
    filling_id: Mapped[int] = references("filling.id")
    patient_id: Mapped[int] = references("patient.id")
    visit_id: Mapped[int | None] = references("visit.id", index=True)
    day: Mapped[date] = mapped_column(Date)  # the clinic's
    reviewed_by_id: Mapped[int] = references("user.id")
    at: Mapped[datetime]

    reviewed_by = link("User")

    __table_args__ = (
        UniqueConstraint("filling_id", "day", "reviewed_by_id"),
        Index("ix_history_review_patient", "patient_id", "day"),
        TABLE_OPTIONS,
    )


class Kiosk(Base):
    """A tablet in a patient's hands: one form of one patient, for some minutes, to be sent once."""

    __tablename__ = "kiosk"

    id: Mapped[identity]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    patient_id: Mapped[int] = references("patient.id", index=True)
    form_id: Mapped[int] = references("history_form.id")
    visit_id: Mapped[int | None] = references("visit.id")
    handed_by_id: Mapped[int] = references("user.id")
    handed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # sent, or taken back

    patient = link("Patient")
    form = link("HistoryForm")
    handed_by = link("User")
