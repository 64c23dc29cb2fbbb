"""People who use the clinic's tool, and what proves who they are."""

import enum
from datetime import datetime

from sqlalchemy import Boolean, CheckConstraint, Index, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from clinic.chart.teeth import Numbering
from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references


class Role(enum.StrEnum):
    RECEPTIONIST = "receptionist"
    STUDENT = "student"
    SUPERVISOR = "supervisor"
    NURSE = "nurse"
    ADMIN = "admin"


class User(Base):
    """A person with a role. Never deleted: an author stays an author; `active` says whether they may sign in."""

    __tablename__ = "user"

    id: Mapped[identity]
    email: Mapped[str] = mapped_column(String(254), unique=True)  # stored lower case
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role] = mapped_column(one_of(Role))
    department_id: Mapped[int | None] = references("department.id", index=True)
    year: Mapped[int | None] = mapped_column(SmallInteger)  # year of study, students only
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    password_hash: Mapped[str] = mapped_column(String(255))
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    pin_hash: Mapped[str | None] = mapped_column(String(255))
    totp_secret: Mapped[str | None] = mapped_column(String(255))  # encrypted; see operations/second_factor.py
    totp_confirmed_at: Mapped[datetime | None]
    totp_last_step: Mapped[int | None]  # the last 30 s step used, so that no code works twice
    theme: Mapped[str] = mapped_column(String(8), default="auto")  # auto, light, dark
    # How they are shown a chart: clinic/chart/teeth.py and legends.py.
    numbering: Mapped[Numbering] = mapped_column(one_of(Numbering), default=Numbering.FDI, server_default="fdi")
    legend: Mapped[str] = mapped_column(String(20), default="neutral", server_default="neutral")
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    department = link("Department")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("year IS NULL OR role = 'student'", name="year_of_students"),
        Index("ix_user_role_department", "role", "department_id"),
        TABLE_OPTIONS,
    )

    # What flask-login asks of a user.
    @property
    def is_active(self) -> bool:
        return self.active

    is_authenticated = True
    is_anonymous = False

    def get_id(self) -> str:
        return str(self.id)


class Device(Base):
    """A browser, known by a random cookie; a shared terminal is a device on which several people sign in."""

    __tablename__ = "device"

    id: Mapped[identity]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256, hex
    created_at: Mapped[datetime]


class AuthSession(Base):
    """One sign-in of one person in one browser. Kept after its end: it is part of the trace."""

    __tablename__ = "auth_session"

    id: Mapped[identity]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[int] = references("user.id", index=True)
    device_id: Mapped[int | None] = references("device.id", index=True)
    method: Mapped[str] = mapped_column(String(16))  # password, remembered, pin
    family: Mapped[str | None] = mapped_column(
        String(64), index=True
    )  # of the remember token that opened it or came with it
    created_at: Mapped[datetime]
    active_at: Mapped[datetime]  # the last act of the person; streams and polling do not count
    locked_at: Mapped[datetime | None]
    wrong_pins: Mapped[int] = mapped_column(SmallInteger, default=0)
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(255), default="")

    user = link("User")


class RememberToken(Base):
    """A "remember this device" token: used once, replaced by the next of its family; reuse ends the family."""

    __tablename__ = "remember_token"

    id: Mapped[identity]
    family: Mapped[str] = mapped_column(String(64), index=True)
    user_id: Mapped[int] = references("user.id", index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A one-use code for a lost second factor."""

    __tablename__ = "recovery_code"

    id: Mapped[identity]
    user_id: Mapped[int] = references("user.id", index=True)
    code_hash: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]


class PasswordReset(Base):
    """A one-use link to set a new password, sent by e-mail."""

    __tablename__ = "password_reset"

    id: Mapped[identity]
    user_id: Mapped[int] = references("user.id", index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInThrottle(Base):
    """Failed tries in a row of one bucket: an account, an address, an account on a device it knows (operations/throttle.py)."""

    __tablename__ = "sign_in_throttle"

    bucket: Mapped[str] = mapped_column(String(80), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_failure_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]


class Draft(Base):
    """What a person had typed into a form and not yet sent; theirs alone."""

    __tablename__ = "draft"

    user_id: Mapped[int] = references("user.id", primary_key=True)
    form: Mapped[str] = mapped_column(String(200), primary_key=True)  # the form's action path
    fields: Mapped[str] = mapped_column(Text)  # JSON object of field name to text
    updated_at: Mapped[datetime]
