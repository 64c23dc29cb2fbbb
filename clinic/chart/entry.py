"""One entry of a chart as plain data, and the canonical form in which a version keeps it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from clinic.chart.kinds import Status

# An instant and a day are kept as the text of `isoformat`; everything else as it is.


@dataclass(frozen=True)
class Entry:
    """What is said of one or several teeth. A new one, not written yet, has id 0.

    `thread`: the same for an entry and all that superseded it. `teeth`: pairs of key and role, in the order of the chart; one pair
    with an empty role unless the kind is of a span or arch. `jaw`: `upper` or `lower` for a kind of an arch. `surfaces`: stored letters.
    `details`: the fields of its kind, by name. `dated`: the clinic's day from which the status holds.
    """

    kind: str
    status: Status
    teeth: tuple[tuple[str, str], ...] = ()
    surfaces: str = ""
    jaw: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    dated: date | None = None
    performer_id: int | None = None
    performer: str = field(default="", compare=False)  # the name as read; who it is says the id
    visit_id: int | None = None
    reason: str = ""
    id: int = 0
    thread: int = 0
    stroke: int = 0
    entered_by_id: int = 0
    entered_by: str = field(default="", compare=False)
    entered_at: datetime | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(key for key, _role in self.teeth)

    @property
    def tooth(self) -> str:
        """The tooth of an entry of one tooth."""
        return self.teeth[0][0]

    def role(self, key: str) -> str:
        return dict(self.teeth).get(key, "")

    def changed(self, **changes: Any) -> "Entry":
        return replace(self, **changes)

    def plain(self) -> dict[str, Any]:
        """As a version keeps it."""
        return {
            "thread": self.thread,
            "entry": self.id,
            "kind": self.kind,
            "status": str(self.status),
            "teeth": teeth_text(self.teeth),
            "surfaces": self.surfaces,
            "jaw": self.jaw,
            "details": dict(sorted(self.details.items())),
            "dated": self.dated.isoformat() if self.dated else "",
            "performer_id": self.performer_id,
            "performer": self.performer,
            "visit_id": self.visit_id,
            "reason": self.reason,
            "stroke": self.stroke,
            "entered_by_id": self.entered_by_id,
            "entered_by": self.entered_by,
            "entered_at": self.entered_at.isoformat() if self.entered_at else "",
        }


def entry_from(plain: Mapping[str, Any]) -> Entry:
    """The entry of its plain form."""
    rest = {
        name: plain[name]
        for name in ("kind", "surfaces", "jaw", "details", "performer_id", "performer", "visit_id", "reason")
    }
    return Entry(
        **rest,
        status=Status(plain["status"]),
        teeth=teeth_of(plain["teeth"]),
        dated=date.fromisoformat(plain["dated"]) if plain["dated"] else None,
        id=plain["entry"],
        thread=plain["thread"],
        stroke=plain["stroke"],
        entered_by_id=plain["entered_by_id"],
        entered_by=plain["entered_by"],
        entered_at=datetime.fromisoformat(plain["entered_at"]) if plain["entered_at"] else None,
    )


def teeth_text(teeth: tuple[tuple[str, str], ...]) -> str:
    """`36`, or `14:abutment 15:pontic 16:abutment`: how a row keeps its teeth."""
    return " ".join(f"{key}:{role}" if role else key for key, role in teeth)


def teeth_of(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, role) for key, _, role in (word.partition(":") for word in text.split()))


def details_text(details: Mapping[str, str]) -> str:
    return json.dumps(dict(sorted(details.items())), ensure_ascii=True, separators=(",", ":"))
