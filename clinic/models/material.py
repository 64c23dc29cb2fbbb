"""Material used on a patient: what, of which lot, how much, at which visit."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from clinic.models.base import TABLE_OPTIONS, Base, identity, link, references


class MaterialUse(Base):
    """One material used in a visit. What was written never changes: it is taken back with a reason, and stays to be read."""

    __tablename__ = "material_use"

    id: Mapped[identity]
    patient_id: Mapped[int] = references("patient.id")
    visit_id: Mapped[int] = references("visit.id")
    material: Mapped[str] = mapped_column(String(120))
    lot: Mapped[str] = mapped_column(String(40), default="")  # as printed on the package; empty when it has none
    quantity: Mapped[int]  # whole units
    unit: Mapped[str] = mapped_column(String(20))
    recorded_by_id: Mapped[int] = references("user.id")
    recorded_at: Mapped[datetime]
    taken_back_by_id: Mapped[int | None] = references("user.id")
    taken_back_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500), default="")  # why it was taken back
    version: Mapped[int] = mapped_column(default=1)

    recorded_by = link("User", foreign_keys=[recorded_by_id])
    taken_back_by = link("User", foreign_keys=[taken_back_by_id])

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 999", name="quantity"),
        CheckConstraint("(taken_back_at IS NULL) = (taken_back_by_id IS NULL)", name="taken_back_when"),
        Index("ix_material_use_patient", "patient_id", "id"),
        Index("ix_material_use_visit", "visit_id", "id"),
        Index("ix_material_use_recorded", "recorded_at"),
        TABLE_OPTIONS,
    )

    @property
    def words(self) -> str:
        """`2 capsules Composite A2, lot 1234`."""
        return f"{self.quantity} {self.unit} {self.material}{f', lot {self.lot}' if self.lot else ''}"
