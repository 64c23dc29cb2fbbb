"""What the students of a department and year have to do, by when. How far each is, is computed from approved work and kept nowhere."""

import enum
from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, Index, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.models.base import TABLE_OPTIONS, Base, identity, link, one_of, references

KINDS_LENGTH = 1000


class ToothClass(enum.StrEnum):
    """Of which teeth; those of the permanent ones, but for the last."""

    ANY = "any"
    ANTERIOR = "anterior"
    PREMOLAR = "premolar"
    MOLAR = "molar"
    PRIMARY = "primary"

    def has(self, key: str) -> bool:
        """Whether a tooth of the chart is one of these; a supernumerary is of no class but any."""
        if self is ToothClass.ANY:
            return True
        if not teeth.is_tooth(key):
            return False
        tooth = teeth.tooth(key)
        if tooth.is_primary or self is ToothClass.PRIMARY:
            return tooth.is_primary and self is ToothClass.PRIMARY
        return tooth.is_anterior if self is ToothClass.ANTERIOR else tooth.shape.value == self.value


class Requirement(Base):
    """So many completed entries of some kinds, by each student of a department and year, in a term."""

    __tablename__ = "requirement"

    id: Mapped[identity]
    department_id: Mapped[int] = references("department.id")
    year: Mapped[int] = mapped_column(SmallInteger)  # of study
    name: Mapped[str] = mapped_column(String(120))
    kinds: Mapped[str] = mapped_column(String(KINDS_LENGTH))  # codes of the catalogue, with spaces between
    least_surfaces: Mapped[int] = mapped_column(SmallInteger, default=0)
    tooth_class: Mapped[ToothClass] = mapped_column(one_of(ToothClass), default=ToothClass.ANY)
    wanted: Mapped[int] = mapped_column(SmallInteger)
    cap: Mapped[int | None] = mapped_column(SmallInteger)  # so many of one patient count at most
    least_mark: Mapped[int | None] = mapped_column(SmallInteger)  # a step of the scale of evaluations
    begins: Mapped[date] = mapped_column(Date)  # the clinic's days, both included
    due: Mapped[date] = mapped_column(Date)
    retired_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    created_by_id: Mapped[int] = references("user.id")
    version: Mapped[int] = mapped_column(default=1)

    department = link("Department")

    __mapper_args__ = {"version_id_col": version}
    __table_args__ = (
        CheckConstraint("wanted > 0", name="something"),
        CheckConstraint("cap IS NULL OR cap > 0", name="cap"),
        CheckConstraint("least_mark IS NULL OR least_mark BETWEEN 1 AND 5", name="mark"),
        CheckConstraint("begins <= due", name="term"),
        Index("ix_requirement_group", "department_id", "year", "due", "id"),
        TABLE_OPTIONS,
    )

    @property
    def codes(self) -> frozenset[str]:
        """The kinds that count."""
        return frozenset(self.kinds.split())

    def suits(self, entry: Entry) -> bool:
        """Whether an entry is of what counts: its kind, its surfaces, one at least of its teeth. Not when, by whom, or how it stands."""
        return (
            entry.kind in self.codes
            and len(entry.surfaces) >= self.least_surfaces
            and (self.tooth_class is ToothClass.ANY or any(self.tooth_class.has(key) for key in entry.keys))
        )

    def expected_on(self, day: date) -> int:
        """How many are done by the end of a day at an even pace: none before the term, all of them on its last day."""
        if day < self.begins:
            return 0
        days, whole = (min(day, self.due) - self.begins).days + 1, (self.due - self.begins).days + 1
        return self.wanted * days // whole
