"""Break-glass: one patient's record opened without being given the patient, for a reason, for an hour, and judged afterwards."""

import enum
from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references


class GlassReason(enum.StrEnum):
    EMERGENCY = "emergency"
    COVER = "cover"  # stands in for a colleague
    SAFETY = "safety"  # the patient's safety, a recall, an incident
    COMPLAINT = "complaint"  # complaint, claim, request of the patient
    TECHNICAL = "technical"  # a fault in the record
    OTHER = "other"

    @property
    def label(self) -> str:
        """The reason in words, as it is chosen, shown and told."""
        return LABELS[self]


LABELS = {
    GlassReason.EMERGENCY: "emergency",
    GlassReason.COVER: "standing in for a colleague",
    GlassReason.SAFETY: "the patient's safety, a recall or an incident",
    GlassReason.COMPLAINT: "a complaint, a claim or the patient's own request",
    GlassReason.TECHNICAL: "a fault in the record",
    GlassReason.OTHER: "another reason",
}


class Judgement(enum.StrEnum):
    JUSTIFIED = "justified"
    NOT_JUSTIFIED = "not_justified"


class BrokenGlass(Base):
    """Lets one person read one patient's record, and change nothing, until `expires_at`. On the review list until judged."""

    __tablename__ = "broken_glass"

    id: Mapped[identity]
    user_id: Mapped[int] = references("user.id")
    patient_id: Mapped[int] = references("patient.id", index=True)
    reason: Mapped[GlassReason] = mapped_column(one_of(GlassReason))
    words: Mapped[str] = mapped_column(String(500))  # the reason in the person's own words
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]  # given back before it expired
    judgement: Mapped[Judgement | None] = mapped_column(one_of(Judgement))
    judged_by_id: Mapped[int | None] = references("user.id")
    judged_at: Mapped[datetime | None]
    judge_words: Mapped[str | None] = mapped_column(String(500))
    version: Mapped[int] = mapped_column(default=1)

    user = link("User", foreign_keys=[user_id])
    patient = link("Patient")
    judged_by = link("User", foreign_keys=[judged_by_id])

    @property
    def until(self) -> datetime:
        """The instant at which it ends, or ended."""
        return self.closed_at or self.expires_at

    def is_open(self, at: datetime) -> bool:
        """Whether one can look through it at this instant; in a query it is `scope.is_open_glass`."""
        return self.closed_at is None and self.expires_at > at

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        Index("ix_broken_glass_user", "user_id", "expires_at", "patient_id"),
        Index("ix_broken_glass_review", "judgement", "opened_at"),
        TABLE_OPTIONS,
    )
