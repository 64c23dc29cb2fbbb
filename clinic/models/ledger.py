"""The clinic's own book-keeping: audit events, the outbox of live changes, counters, settings, and answers given once."""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Index, String, Text, UniqueConstraint, event
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, Id, identity

LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


class AuditEvent(Base):
    """Who did what to which record, from where, with what reason. Appended only; a link of a chain (clinic/audit.py).

    `id` is the place in the chain: without gaps, in commit order. No foreign keys: an event must not wait for the row it tells of
    while it holds the end of the chain (docs/decisions/0030-the-audit-chain.md); people and patients are never deleted.
    """

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_id: Mapped[int | None] = mapped_column(Id)
    role: Mapped[str] = mapped_column(String(16), default="")
    act: Mapped[str] = mapped_column(String(64))  # patient.register, queue.call
    subject: Mapped[str] = mapped_column(String(64), default="")  # visit:7
    patient_id: Mapped[int | None] = mapped_column(Id)
    sentence: Mapped[str] = mapped_column(String(500))
    before: Mapped[str | None] = mapped_column(LongText)  # JSON, exactly as written
    after: Mapped[str | None] = mapped_column(LongText)
    reason: Mapped[str | None] = mapped_column(String(500))
    address: Mapped[str] = mapped_column(String(64), default="")
    device: Mapped[str] = mapped_column(String(255), default="")
    mac: Mapped[str] = mapped_column(String(64))  # HMAC-SHA256 over the event before it and this one, hex

    __table_args__ = (
        Index("ix_audit_event_patient", "patient_id", "id"),
        Index("ix_audit_event_actor", "actor_id", "id"),
        Index("ix_audit_event_act", "act", "id"),
        Index("ix_audit_event_role", "role", "id"),
        Index("ix_audit_event_address", "address", "id"),
        Index("ix_audit_event_opened", "patient_id", "actor_id", "id"),
        TABLE_OPTIONS,
    )


class AuditHead(Base):
    """The end of the chain: one row, locked while events are appended."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)  # always 1
    seq: Mapped[int] = mapped_column(Id)  # id of the last event, 0 before the first
    mac: Mapped[str] = mapped_column(String(64))  # of the last event


@event.listens_for(AuditHead.__table__, "after_create")
def _begin_chain(table: Any, connection: Any, **_options: Any) -> None:
    connection.execute(table.insert().values(id=1, seq=0, mac=""))


class AuditArchive(Base):
    """A stretch of the chain that was written to the object store and taken out of the table; the chain stays provable."""

    __tablename__ = "audit_archive"

    id: Mapped[identity]
    first: Mapped[int] = mapped_column(Id, unique=True)
    last: Mapped[int] = mapped_column(Id, unique=True)
    first_mac: Mapped[str] = mapped_column(String(64))  # of the event before `first`
    last_mac: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(200))  # of the object
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    seal: Mapped[str] = mapped_column(
        String(64)
    )  # HMAC-SHA256 over the rest, so that nobody can say that events were archived


class Job(Base):
    """A job of the timer: held by one run at a time, until `held_until` unless it is renewed."""

    __tablename__ = "job"

    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    held_until: Mapped[datetime | None]
    holder: Mapped[str | None] = mapped_column(String(32))  # random, of the run that holds it


class JobRun(Base):
    """One run of a job: when, and what came of it."""

    __tablename__ = "job_run"

    id: Mapped[identity]
    name: Mapped[str] = mapped_column(String(60))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    succeeded: Mapped[bool | None] = mapped_column(Boolean)
    summary: Mapped[str] = mapped_column(String(500), default="")

    __table_args__ = (Index("ix_job_run_name", "name", "id"), TABLE_OPTIONS)


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
