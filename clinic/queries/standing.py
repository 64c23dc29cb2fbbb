"""How a version of a chart stands with the supervisors: what its page, its print and the verification of paper say of it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from clinic.extensions import db
from clinic.formatting import when, words
from clinic.models import ChartEntry, ChartVersion, Department, SignOff, SignOffStatus, User


@dataclass(frozen=True)
class Standing:
    """`word` and `sentence` say it in full; `changed`: that the chart went on after an approval, by whom and when, or empty."""

    is_approved: bool
    sentence: str
    changed: str = ""

    @property
    def word(self) -> str:
        return "APPROVED" if self.is_approved else "NOT APPROVED"

    @property
    def text(self) -> str:
        return " ".join(part for part in (f"{self.word}.", self.sentence, self.changed) if part)


def standing_of(version: ChartVersion) -> Standing:
    """How a version stands now. `version` with its sign-off and people; whoever asks may see its patient. At most two queries."""
    sign_off = version.sign_off
    if sign_off is not None and sign_off.status is SignOffStatus.APPROVED:
        assert sign_off.decided_at is not None
        department = db.session.get_one(Department, sign_off.department_id)
        by = f"{sign_off.decided_by.name}, {words(sign_off.decided_by.role)}, {department.name}"
        changed = _first_change(version.patient_id, version.stroke)
        told = f"The chart was changed after approval, first by {changed[0]} on {when(changed[1])}." if changed else ""
        return Standing(True, f"Approved by {by}, on {when(sign_off.decided_at)}.", told)
    approved = _approved_before(version)
    told = ""
    if approved is not None and (changed := _first_change(version.patient_id, approved[1])):
        told = (
            f"Changed after approval: version {approved[0]} was approved, "
            f"and {changed[0]} went on charting on {when(changed[1])}."
        )
    return Standing(False, _asked(sign_off), told)


def _approved_before(version: ChartVersion) -> tuple[int, int] | None:
    """The number and stroke of the last approved version before this one."""
    found = db.session.execute(
        select(ChartVersion.number, ChartVersion.stroke)
        .join(SignOff, SignOff.chart_version_id == ChartVersion.id)
        .where(
            ChartVersion.patient_id == version.patient_id,
            ChartVersion.number < version.number,
            SignOff.status == SignOffStatus.APPROVED,
        )
        .order_by(ChartVersion.number.desc())
        .limit(1)
    ).one_or_none()
    return (found[0], found[1]) if found else None


def _asked(sign_off: SignOff | None) -> str:
    if sign_off is None:
        return "It was not sent for approval."
    if sign_off.status is SignOffStatus.PENDING:
        return f"It waits for a supervisor since {when(sign_off.asked_at)}."
    assert sign_off.decided_at is not None
    if sign_off.status is SignOffStatus.WITHDRAWN:
        return f"It was sent for approval and withdrawn on {when(sign_off.decided_at)}."
    return f"Returned by {sign_off.decided_by.name} on {when(sign_off.decided_at)}."


def _first_change(patient_id: int, stroke: int) -> tuple[str, datetime] | None:
    """Who was the first to write on the chart after a stroke, and when."""
    found = db.session.execute(
        select(User.name, ChartEntry.entered_at)
        .join(User, User.id == ChartEntry.entered_by_id)
        .where(ChartEntry.patient_id == patient_id, ChartEntry.stroke > stroke)
        .order_by(ChartEntry.id)
        .limit(1)
    ).one_or_none()
    return (found[0], found[1]) if found else None
