"""The clinic's own book-keeping: audit events, the outbox of live changes, counters, settings, and answers given once."""

from datetime import datetime

from sqlalchemy import Index, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, Id, identity, references

LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


class AuditEvent(Base):
    """Who did what to which record, from where, with what reason. Appended only."""

    __tablename__ = "audit_event"

    id: Mapped[identity]
    at: Mapped[datetime]
    actor_id: Mapped[int | None] = references("user.id")
    role: Mapped[str] = mapped_column(String(16), default="")
    act: Mapped[str] = mapped_column(String(64))  # patient.register, queue.call
    subject: Mapped[str] = mapped_column(String(64), default="")  # visit:7
    patient_id: Mapped[int | None] = references("patient.id")
    sentence: Mapped[str] = mapped_column(String(500))
    before: Mapped[str | None] = mapped_column(Text)  # JSON, exactly as written
    after: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(String(500))
    address: Mapped[str] = mapped_column(String(64), default="")
    device: Mapped[str] = mapped_column(String(255), default="")

    __table_args__ = (
        Index("ix_audit_event_patient", "patient_id", "id"),
        Index("ix_audit_event_actor", "actor_id", "id"),
        TABLE_OPTIONS,
    )


class Change(Base):
    """One live change. `seq` comes from the counter `live`, locked until commit: it has no gaps and grows in commit order."""

    __tablename__ = "change"

    seq: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    topic: Mapped[str] = mapped_column(String(60))  # queue:3, the queue of department 3
    at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (Index("ix_change_topic", "topic", "seq"), TABLE_OPTIONS)


class Counter(Base):
    """A number series without gaps: patient codes of a year, tickets of a department's day, the live sequence."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[int] = mapped_column(Id, default=0)


class Setting(Base):
    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[str] = mapped_column(Text)  # JSON


class OnceKey(Base):
    """The key a form carried, and the answer that was given: the same form sent again gets the same answer and has no second effect."""

    __tablename__ = "once_key"

    id: Mapped[identity]
    owner: Mapped[str] = mapped_column(String(80))  # session:41, device:7
    key: Mapped[str] = mapped_column(String(120))
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    headers: Mapped[str | None] = mapped_column(Text)  # JSON list of pairs
    body: Mapped[str | None] = mapped_column(LongText)
    say: Mapped[str | None] = mapped_column(String(500))  # the toast
    undo: Mapped[str | None] = mapped_column(String(300))  # the URL that undoes the act
    created_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (UniqueConstraint("owner", "key"), TABLE_OPTIONS)
