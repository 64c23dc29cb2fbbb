"""What may be charted: rules with two severities, and which status may follow which. Pure, and linear in the entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import Status
from clinic.chart.mouth import Mouth


@dataclass(frozen=True)
class About:
    """What rules have to know besides the mouth. `is_in_clinic`: the patient's visit is under way."""

    birth_date: date | None
    today: date
    is_in_clinic: bool


@dataclass(frozen=True)
class Remark:
    """`refuse`: impossible. `ask`: unusual; holds with a reason, which is kept."""

    severity: Literal["refuse", "ask"]
    rule: str
    sentence: str


FOLLOW: dict[Status, tuple[Status, ...]] = {
    Status.FINDING: (Status.FINDING,),
    Status.OPTION: (Status.OPTION, Status.PLANNED, Status.REFERRED),
    Status.PLANNED: (
        Status.PLANNED, Status.OPTION, Status.IN_PROCESS, Status.COMPLETED, Status.EXISTING, Status.REFERRED,
    ),
    Status.IN_PROCESS: (Status.IN_PROCESS, Status.COMPLETED, Status.EXISTING, Status.REFERRED),
    Status.COMPLETED: (Status.COMPLETED,),
    Status.EXISTING: (Status.EXISTING,),
    Status.REFERRED: (Status.REFERRED, Status.PLANNED, Status.EXISTING),
    Status.ENTERED_IN_ERROR: (),
}  # fmt: skip


def may_follow(before: Status, after: Status) -> bool:
    """Whether an entry of one status may be superseded by one of another; everything that holds may turn out an error."""
    if after is Status.ENTERED_IN_ERROR:
        return before is not Status.ENTERED_IN_ERROR
    return after in FOLLOW[before]


def canals_of(key: str) -> tuple[str, ...]:
    """The usual canals of a tooth; of a supernumerary one."""
    return ("C",) if teeth.is_extra(key) else teeth.tooth(key).canals


def judge(mouth: Mouth, new: Sequence[Entry], about: About) -> list[Remark]:
    """What speaks against further entries of a mouth."""
    return []
