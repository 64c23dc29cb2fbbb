"""What is asked of somebody and decided: assignment requests, and what an approver has opened."""

import enum
from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references
from clinic.models.patient import AssignmentKind


class RequestKind(enum.StrEnum):
    ASSIGN = "assign"  # reception: give this clinician the patient
    REMOVE = "remove"  # reception: take the patient from this clinician
    ASK = "ask"  # a student: give me this patient
    TRANSFER = "transfer"  # from one student to another


class RequestStatus(enum.StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Request(Base):
    """Asks who shall look after a patient; decided once. Never deleted.

    A clinician who is named decides about themself (`decider_id`); about a student, a supervisor of `department_id` does.
    A student who asks knows a code, not a patient: what they typed is kept in `code`, and `patient_id` is NULL when there is none
    of that code, so that the answer to asking tells nothing.
    """

    __tablename__ = "request"

    id: Mapped[identity]
    kind: Mapped[RequestKind] = mapped_column(one_of(RequestKind))
    status: Mapped[RequestStatus] = mapped_column(one_of(RequestStatus), default=RequestStatus.PENDING)
    patient_id: Mapped[int | None] = references("patient.id")
    code: Mapped[str] = mapped_column(String(20))  # the patient's code, as asked for
    clinician_id: Mapped[int] = references("user.id")  # who receives or gives up the patient
    from_id: Mapped[int | None] = references("user.id")  # transfers: who gives up the patient
    assignment_kind: Mapped[AssignmentKind] = mapped_column(one_of(AssignmentKind))
    need: Mapped[str] = mapped_column(String(200), default="")  # of a student who asks: what the patient is needed for
    reason: Mapped[str] = mapped_column(String(500), default="")
    handover: Mapped[str] = mapped_column(Text, default="")  # transfers: the handover note
    destinations: Mapped[str] = mapped_column(Text, default="{}")  # transfers: JSON, "visit:7" to where it goes
    department_id: Mapped[int | None] = references("department.id")  # whose supervisors decide
    decider_id: Mapped[int | None] = references("user.id")  # or the one person who does
    asked_by_id: Mapped[int] = references("user.id", index=True)
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by_id: Mapped[int | None] = references("user.id")
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None] = mapped_column(String(500))
    open_key: Mapped[str | None] = mapped_column(
        String(80), unique=True
    )  # code:clinician:kind while pending, then NULL
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient")
    clinician = link("User", foreign_keys=[clinician_id])
    giver = link("User", foreign_keys=[from_id])
    asked_by = link("User", foreign_keys=[asked_by_id])
    decided_by = link("User", foreign_keys=[decided_by_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("(status = 'pending') = (open_key IS NOT NULL)", name="open_while_pending"),
        CheckConstraint("(kind = 'transfer') = (from_id IS NOT NULL)", name="giver_of_transfer"),
        Index("ix_request_department", "department_id", "status", "asked_at"),
        Index("ix_request_decider", "decider_id", "status", "asked_at"),
        Index("ix_request_patient", "patient_id", "status"),
        Index("ix_request_expiry", "status", "expires_at"),
        TABLE_OPTIONS,
    )


class Opened(Base):
    """An approver has opened an item of the inbox: what was looked at before it was approved."""

    __tablename__ = "opened"

    user_id: Mapped[int] = references("user.id", primary_key=True)
    item: Mapped[str] = mapped_column(String(60), primary_key=True)  # request:7
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # of the item, as it was shown
    at: Mapped[datetime]


class Notice(Base):
    """One sentence to one person, shown until they have read it."""

    __tablename__ = "notice"

    id: Mapped[identity]
    user_id: Mapped[int] = references("user.id")
    patient_id: Mapped[int | None] = references("patient.id")
    kind: Mapped[str] = mapped_column(String(40))  # request.returned, glass.broken, record.unexplained
    sentence: Mapped[str] = mapped_column(String(500))
    url: Mapped[str] = mapped_column(String(200), default="")  # where it can be looked at
    once: Mapped[str | None] = mapped_column(String(120), unique=True)  # told once, however often the job runs
    at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    answer: Mapped[str | None] = mapped_column(String(500))  # where one was asked for

    user = link("User")
    patient = link("Patient")

    __table_args__ = (
        Index("ix_notice_user", "user_id", "read_at", "id"),
        Index("ix_notice_newest", "user_id", "id"),
        Index("ix_notice_kind", "kind", "id"),
        TABLE_OPTIONS,
    )
