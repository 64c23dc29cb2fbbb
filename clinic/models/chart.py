"""The dental chart as rows: what was entered, in which order, and the versions cut from it. Nothing here is ever changed or deleted
but the counter of strokes and a request for approval."""

import enum
from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.chart.kinds import Scope, Status
from clinic.chart.teeth import Dentition
from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references


class Chart(Base):
    """A patient's chart has begun: with which teeth, and how many strokes it has had. Locked while a stroke is written."""

    __tablename__ = "chart"

    patient_id: Mapped[int] = references("patient.id", primary_key=True, autoincrement=False)
    dentition: Mapped[Dentition] = mapped_column(one_of(Dentition))
    base: Mapped[str] = mapped_column(String(255))  # the teeth there were, by key, with spaces between
    stroke: Mapped[int] = mapped_column(default=0)  # the last one's number
    begun_at: Mapped[datetime]
    begun_by_id: Mapped[int] = references("user.id")

    __table_args__ = (TABLE_OPTIONS,)


class ChartEntry(Base):
    """One thing said of one or several teeth (clinic/chart/entry.py). Never changed: a later one supersedes it."""

    __tablename__ = "chart_entry"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    stroke: Mapped[int]  # of the chart, in which it was written
    first_id: Mapped[int | None] = references("chart_entry.id")  # of its thread; none for the first itself
    supersedes_id: Mapped[int | None] = references("chart_entry.id", unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    status: Mapped[Status] = mapped_column(one_of(Status))
    teeth: Mapped[str] = mapped_column(String(500))  # `36`, or `14:abutment 15:pontic`
    surfaces: Mapped[str] = mapped_column(String(8), default="")
    jaw: Mapped[str] = mapped_column(String(8), default="")
    details: Mapped[str] = mapped_column(Text)  # canonical JSON of the kind's fields
    dated: Mapped[date] = mapped_column(Date)  # the clinic's day from which the status holds
    performer_id: Mapped[int | None] = references("user.id")
    visit_id: Mapped[int | None] = references("visit.id", index=True)
    reason: Mapped[str] = mapped_column(String(500), default="")  # of an exception, an error, a change
    entered_at: Mapped[datetime]
    entered_by_id: Mapped[int] = references("user.id")

    performer = link("User", foreign_keys=[performer_id])
    entered_by = link("User", foreign_keys=[entered_by_id])

    __table_args__ = (
        CheckConstraint("surfaces = '' OR teeth <> ''", name="surface_of_a_tooth"),
        CheckConstraint("teeth <> '' OR jaw <> ''", name="somewhere"),
        CheckConstraint("(first_id IS NULL) = (supersedes_id IS NULL)", name="thread"),
        CheckConstraint("status <> 'completed' OR performer_id IS NOT NULL", name="performer_of_completed"),
        Index("ix_chart_entry_patient", "patient_id", "id"),
        Index("ix_chart_entry_kind", "kind", "status"),
        Index("ix_chart_entry_performed", "status", "performer_id", "dated"),
        TABLE_OPTIONS,
    )


class VersionReason(enum.StrEnum):
    FIRST = "first charting"
    VISIT = "visit completed"
    SENT = "sent for approval"
    NAMED = "named"


class ChartVersion(Base):
    """A chart as it stood: canonical bytes, chained to the version before. The first of a patient is the initial odontogram."""

    __tablename__ = "chart_version"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    number: Mapped[int]  # of the patient's, from 1 without gaps
    why: Mapped[VersionReason] = mapped_column(one_of(VersionReason))
    name: Mapped[str] = mapped_column(String(120), default="")
    stroke: Mapped[int]  # the last stroke in it
    body: Mapped[bytes] = mapped_column(LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"))
    sha256: Mapped[str] = mapped_column(String(64))  # of the digest before and the body, hex (clinic/chart/versions.py)
    before_sha256: Mapped[str] = mapped_column(String(64), default="")
    check_code: Mapped[str] = mapped_column(String(20), index=True)  # on its print
    visit_id: Mapped[int | None] = references("visit.id")
    at: Mapped[datetime]
    author_id: Mapped[int] = references("user.id")

    author = link("User")
    sign_off = link("SignOff", back_populates="chart_version", uselist=False)

    __table_args__ = (UniqueConstraint("patient_id", "number"), TABLE_OPTIONS)


class SignOffStatus(enum.StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class SignOff(Base):
    """A version of a chart was sent to the supervisors of a department, and what became of it. Bound to the version's SHA-256."""

    __tablename__ = "sign_off"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    chart_version_id: Mapped[int] = references("chart_version.id", unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    words: Mapped[str] = mapped_column(String(500), default="")  # what the student says to it
    department_id: Mapped[int] = references("department.id")
    asked_by_id: Mapped[int] = references("user.id")
    asked_at: Mapped[datetime]
    status: Mapped[SignOffStatus] = mapped_column(one_of(SignOffStatus), default=SignOffStatus.PENDING)
    decided_by_id: Mapped[int | None] = references("user.id")
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500), default="")
    open_key: Mapped[int | None] = references("patient.id", unique=True)  # the patient while pending, then NULL
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient", foreign_keys=[patient_id])
    chart_version = link("ChartVersion", back_populates="sign_off")
    asked_by = link("User", foreign_keys=[asked_by_id])
    decided_by = link("User", foreign_keys=[decided_by_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("(status = 'pending') = (open_key IS NOT NULL)", name="open_while_pending"),
        Index("ix_sign_off_department", "department_id", "status", "asked_at"),
        Index("ix_sign_off_patient", "patient_id", "id"),
        TABLE_OPTIONS,
    )


class OwnKind(Base):
    """A kind of entry of the clinic's own: it charts, prints and compares like a built-in one. In use it is retired, not deleted."""

    __tablename__ = "own_kind"

    id: Mapped[identity]
    code: Mapped[str] = mapped_column(String(40), unique=True)  # own-3; what entries keep
    name: Mapped[str] = mapped_column(String(80), unique=True)
    word: Mapped[str] = mapped_column(String(20), unique=True)  # what one types
    scope: Mapped[Scope] = mapped_column(one_of(Scope))
    is_treatment: Mapped[bool]
    rule: Mapped[str] = mapped_column(String(20))  # of drawing: zone, crown, icon, bar
    pattern: Mapped[str] = mapped_column(String(20), default="solid")
    letter: Mapped[str] = mapped_column(String(3), default="")
    icon: Mapped[str] = mapped_column(String(20), default="")
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int] = references("user.id")
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (TABLE_OPTIONS,)
