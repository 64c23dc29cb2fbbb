"""Patients, what to watch out for, who looks after them, and the index by which they are found."""

import enum
from datetime import date, datetime

from sqlalchemy import Date, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references


class Sex(enum.StrEnum):
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class Patient(Base):
    """A person with a record. Archived, never deleted."""

    __tablename__ = "patient"

    id: Mapped[identity]
    code: Mapped[str] = mapped_column(String(20), unique=True)  # P-2026-00412, gapless per year
    name: Mapped[str] = mapped_column(String(200))  # as the person writes it, in any script
    sort_name: Mapped[str] = mapped_column(String(200))  # see clinic.text.sort_key
    birth_date: Mapped[date] = mapped_column(Date)
    sex: Mapped[Sex] = mapped_column(one_of(Sex))
    phone: Mapped[str] = mapped_column(String(40), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    address: Mapped[str] = mapped_column(String(400), default="")
    language: Mapped[str] = mapped_column(String(40), default="")  # the language the patient prefers
    emergency_name: Mapped[str] = mapped_column(String(200), default="")
    emergency_phone: Mapped[str] = mapped_column(String(40), default="")
    emergency_relation: Mapped[str] = mapped_column(String(60), default="")
    archived_at: Mapped[datetime | None]
    archive_reason: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    created_by_id: Mapped[int] = references("user.id")
    version: Mapped[int] = mapped_column(default=1)

    alerts = link("Alert", back_populates="patient", order_by="Alert.severity, Alert.id")
    assignments = link("Assignment", back_populates="patient")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        # The lists of the present and the archived, each read in its own order from its index (queries/patients.py).
        Index("ix_patient_list", "archived_at", "sort_name", "id"),
        Index("ix_patient_newest", "archived_at", "id"),
        Index("ix_patient_birth_date", "birth_date"),
        TABLE_OPTIONS,
    )

    @property
    def initials(self) -> str:
        """What stands where the photo will be."""
        names = self.name.split()
        return "".join(name[:1] for name in names[:1] + names[1:][-1:]).upper()

    @property
    def active_alerts(self) -> list["Alert"]:
        """What to watch out for now, the most dangerous first; `alerts` must be loaded."""
        return [alert for alert in self.alerts if alert.ended_at is None]


TOKEN_LENGTH = 120
WHOLE_NAME = "="  # begins the token of a whole name, which keeps it out of the way of the words


class PatientToken(Base):
    """One way to find a patient: a folded word of the name, the whole name, the code, the phone, the birth date."""

    __tablename__ = "patient_token"

    token: Mapped[str] = mapped_column(String(TOKEN_LENGTH), primary_key=True)
    patient_id: Mapped[int] = references("patient.id", primary_key=True)

    __table_args__ = (Index("ix_patient_token_of_patient", "patient_id", "token"), TABLE_OPTIONS)


class AlertKind(enum.StrEnum):
    ALLERGY = "allergy"
    CONDITION = "condition"
    MEDICINE = "medicine"
    HANDLING = "handling"


class Severity(enum.StrEnum):
    """Sorts by danger: the order of the values is the order in the banner."""

    CRITICAL = "1-critical"
    WARNING = "2-warning"
    NOTE = "3-note"


class Alert(Base):
    """An allergy, condition, medicine or handling note shown in the banner on every page of the patient; ended, never deleted."""

    __tablename__ = "alert"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id", index=True)
    kind: Mapped[AlertKind] = mapped_column(one_of(AlertKind))
    severity: Mapped[Severity] = mapped_column(one_of(Severity))
    label: Mapped[str] = mapped_column(String(120))
    detail: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    created_by_id: Mapped[int] = references("user.id")
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[int | None] = references("user.id")
    end_reason: Mapped[str | None] = mapped_column(String(200))

    patient = link("Patient", back_populates="alerts")


class AssignmentKind(enum.StrEnum):
    PRIMARY = "primary"
    ADDITIONAL = "additional"
    TREATMENT = "treatment"
    OVERSIGHT = "oversight"


class Assignment(Base):
    """Gives a clinician or student a patient, from one instant until another. Never deleted: ended."""

    __tablename__ = "assignment"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    user_id: Mapped[int] = references("user.id")
    kind: Mapped[AssignmentKind] = mapped_column(one_of(AssignmentKind))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    created_by_id: Mapped[int] = references("user.id")
    ended_by_id: Mapped[int | None] = references("user.id")
    end_reason: Mapped[str | None] = mapped_column(String(200))

    patient = link("Patient", back_populates="assignments")
    user = link("User", foreign_keys=[user_id])

    __table_args__ = (
        Index("ix_assignment_user", "user_id", "ends_at", "patient_id"),
        Index("ix_assignment_patient", "patient_id", "ends_at"),
        TABLE_OPTIONS,
    )


class Unowned(Base):
    """A patient who has lost their primary clinician and waits for another: whose supervisors must find one, and since when.

    The row goes when somebody becomes primary. A patient whom nobody ever had is not here: nobody has left them.
    """

    __tablename__ = "unowned"

    patient_id: Mapped[int] = references("patient.id", primary_key=True)
    department_id: Mapped[int] = references("department.id")
    from_id: Mapped[int] = references("user.id")  # who had them last
    since: Mapped[datetime]

    patient = link("Patient")
    giver = link("User")

    __table_args__ = (Index("ix_unowned_department", "department_id", "since", "patient_id"), TABLE_OPTIONS)
