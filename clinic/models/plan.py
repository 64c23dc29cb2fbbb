"""Treatment plans: options with what would be done in each, the estimates that were sent of them, and which the patient accepted."""

import enum
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, Date, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Mapped, mapped_column

from clinic.chart.entry import Entry
from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references
from clinic.plans.estimate import Sent, entry_of, sent_from

LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


class PlanStatus(enum.StrEnum):
    DRAFT = "draft"
    SENT = "sent"  # waits for a supervisor
    RETURNED = "returned"  # with a reason; it is written on as a draft
    APPROVED = "approved"  # options of it; the patient may accept one
    ACCEPTED = "accepted"  # once; what comes later is another plan
    SUPERSEDED = "superseded"  # a later plan was accepted


class Plan(Base):
    """One plan of treatment of a patient. Written on while a draft or returned; what was sent of it stays in its estimates."""

    __tablename__ = "plan"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    number: Mapped[int]  # of this patient's plans, from 1
    name: Mapped[str] = mapped_column(String(120))
    currency: Mapped[str] = mapped_column(String(3))  # ISO 4217, the clinic's when it was begun
    status: Mapped[PlanStatus] = mapped_column(one_of(PlanStatus), default=PlanStatus.DRAFT)
    department_id: Mapped[int | None] = references("department.id")  # whose supervisors decide, once it was sent
    begun_by_id: Mapped[int] = references("user.id")
    begun_at: Mapped[datetime]
    changed_by_id: Mapped[int] = references("user.id")
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    patient = link("Patient")
    begun_by = link("User", foreign_keys=[begun_by_id])
    changed_by = link("User", foreign_keys=[changed_by_id])
    options = link("PlanOption", back_populates="plan", order_by="PlanOption.place")
    estimates = link("Estimate", back_populates="plan", order_by="Estimate.number")
    acceptance = link("Acceptance", back_populates="plan", uselist=False)

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        UniqueConstraint("patient_id", "number"),
        CheckConstraint("status = 'draft' OR department_id IS NOT NULL", name="of_a_department"),
        Index("ix_plan_department", "department_id", "status"),
        TABLE_OPTIONS,
    )

    @property
    def is_open(self) -> bool:
        """Whether it is being written."""
        return self.status in (PlanStatus.DRAFT, PlanStatus.RETURNED)

    @property
    def is_final(self) -> bool:
        """Whether the patient accepted it: it is never written on again."""
        return self.status in (PlanStatus.ACCEPTED, PlanStatus.SUPERSEDED)


class PlanOption(Base):
    """One way to treat the patient."""

    __tablename__ = "plan_option"

    id: Mapped[identity]
    plan_id: Mapped[int] = references("plan.id")
    place: Mapped[int]  # 1 is option A
    name: Mapped[str] = mapped_column(String(120))
    advantages: Mapped[str] = mapped_column(String(1000), default="")
    risks: Mapped[str] = mapped_column(String(1000), default="")
    written_by_id: Mapped[int] = references("user.id")  # last
    written_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    plan = link("Plan", back_populates="options")
    written_by = link("User")
    items = link("PlanItem", back_populates="option", order_by="PlanItem.place")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (UniqueConstraint("plan_id", "place"), TABLE_OPTIONS)

    @property
    def letter(self) -> str:
        return chr(64 + self.place)


class PlanItem(Base):
    """One thing that would be done, as the chart says it, with what it costs and takes."""

    __tablename__ = "plan_item"

    id: Mapped[identity]
    option_id: Mapped[int] = references("plan_option.id")
    place: Mapped[int]  # in which order they were written
    kind: Mapped[str] = mapped_column(String(40))
    teeth: Mapped[str] = mapped_column(String(500))  # as a chart entry keeps them
    surfaces: Mapped[str] = mapped_column(String(8), default="")
    jaw: Mapped[str] = mapped_column(String(8), default="")
    details: Mapped[str] = mapped_column(Text)  # canonical JSON of the kind's fields
    remarks: Mapped[str] = mapped_column(String(1000), default="")  # what the chart's rules found unusual
    price: Mapped[int] = mapped_column(BigInteger)  # in the smallest unit of the plan's currency
    minutes: Mapped[int]
    visits: Mapped[int]  # 0: in the last one of what comes before
    phase: Mapped[int]
    after_id: Mapped[int | None] = references("plan_item.id", index=True)  # what must be done before
    problem_id: Mapped[int | None] = references("problem.id", index=True)
    entry_id: Mapped[int | None] = references("chart_entry.id", index=True)  # its thread on the chart, once accepted
    written_by_id: Mapped[int] = references("user.id")  # last
    written_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    option = link("PlanOption", back_populates="items")
    problem = link("Problem")
    written_by = link("User")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        UniqueConstraint("option_id", "place"),
        CheckConstraint("price >= 0 AND minutes >= 0 AND visits >= 0 AND phase >= 1", name="amounts"),
        CheckConstraint("teeth <> '' OR jaw <> ''", name="somewhere"),
        TABLE_OPTIONS,
    )

    @property
    def entry(self) -> Entry:
        """What the chart would say of it."""
        return entry_of(self.kind, self.teeth, self.surfaces, self.jaw, self.details)


class PlanDecision(enum.StrEnum):
    APPROVED = "approved"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"


class Estimate(Base):
    """A plan as it was sent, to the letter, and what a supervisor decided of exactly that. Never changed but for the decision."""

    __tablename__ = "estimate"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    plan_id: Mapped[int] = references("plan.id")
    number: Mapped[int]  # the version of the plan, from 1
    code: Mapped[str] = mapped_column(String(20), unique=True)  # E-2026-00001
    shown: Mapped[str] = mapped_column(LongText)  # canonical JSON (clinic/plans/estimate.py)
    sha256: Mapped[str] = mapped_column(String(64))
    valid_until: Mapped[date] = mapped_column(Date)  # the clinic's day, the last one
    sent_by_id: Mapped[int] = references("user.id")
    sent_at: Mapped[datetime]
    decision: Mapped[PlanDecision | None] = mapped_column(one_of(PlanDecision))
    approved: Mapped[str] = mapped_column(String(120), default="")  # ids of the options, with spaces between
    decided_by_id: Mapped[int | None] = references("user.id")
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500), default="")

    plan = link("Plan", back_populates="estimates")
    sent_by = link("User", foreign_keys=[sent_by_id])
    decided_by = link("User", foreign_keys=[decided_by_id])

    __table_args__ = (
        UniqueConstraint("plan_id", "number"),
        CheckConstraint("(decision IS NULL) = (decided_by_id IS NULL)", name="decided_by_whom"),
        CheckConstraint("decision IS NULL OR (decision = 'approved') = (approved <> '')", name="approved_what"),
        CheckConstraint(
            "decided_by_id IS NULL OR decision = 'withdrawn' OR decided_by_id <> sent_by_id", name="not_ones_own"
        ),
        Index("ix_estimate_patient", "patient_id", "sent_at"),
        TABLE_OPTIONS,
    )

    @property
    def sent(self) -> Sent:
        return sent_from(self.shown)

    @property
    def approved_ids(self) -> set[int]:
        """The options that were approved."""
        return {int(each) for each in self.approved.split()}


class Acceptance(Base):
    """That the patient accepted one option of an estimate, signed on the tablet or on paper before a witness. Only added."""

    __tablename__ = "acceptance"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id", index=True)
    plan_id: Mapped[int] = references("plan.id", unique=True)
    estimate_id: Mapped[int] = references("estimate.id", unique=True)
    option_id: Mapped[int] = references("plan_option.id", index=True)
    signed_by: Mapped[str] = mapped_column(String(120))  # the patient, or who signs for them
    on_paper: Mapped[bool]
    image: Mapped[bytes | None] = mapped_column(
        LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), deferred=True
    )
    image_sha256: Mapped[str] = mapped_column(String(64), default="")
    sha256: Mapped[str] = mapped_column(
        String(64)
    )  # over the estimate, the option, who signed before whom and when, and the image
    witnessed_by_id: Mapped[int] = references("user.id")
    accepted_at: Mapped[datetime]

    plan = link("Plan", back_populates="acceptance")
    witnessed_by = link("User")

    __table_args__ = (
        CheckConstraint("on_paper = (image IS NULL)", name="signed_where"),
        CheckConstraint("(image IS NULL) = (image_sha256 = '')", name="image_with_digest"),
        TABLE_OPTIONS,
    )
