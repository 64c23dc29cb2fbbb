"""Where care happens: departments and their operatory chairs, and the screens in the waiting room."""

from datetime import datetime

from sqlalchemy import Boolean, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, references


class Department(Base):
    __tablename__ = "department"

    id: Mapped[identity]
    name: Mapped[str] = mapped_column(String(120), unique=True)
    letter: Mapped[str] = mapped_column(String(2), unique=True)  # begins its ticket numbers: A-014
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Chair(Base):
    """An operatory chair; holds one patient (see QueueEntry.open_chair_id)."""

    __tablename__ = "chair"

    id: Mapped[identity]
    department_id: Mapped[int] = references("department.id", index=True)
    name: Mapped[str] = mapped_column(String(60))
    out_of_service: Mapped[str | None] = mapped_column(String(200))  # the reason, or NULL when usable
    retired_at: Mapped[datetime | None]  # no longer there; what happened in it stays
    version: Mapped[int] = mapped_column(default=1)

    department = link("Department")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (UniqueConstraint("department_id", "name"), TABLE_OPTIONS)


class Display(Base):
    """A public screen. Its cookie opens the display and nothing else; an admin pairs it by its code."""

    __tablename__ = "display"

    id: Mapped[identity]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    pairing_code: Mapped[str | None] = mapped_column(String(8), unique=True)
    name: Mapped[str | None] = mapped_column(String(120))
    department_id: Mapped[int | None] = references("department.id")  # NULL: every department
    created_at: Mapped[datetime]
    paired_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    department = link("Department")
