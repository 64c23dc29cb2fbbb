"""What the pages of versions show: a picture with its words, two mouths compared, the track of time. No database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from clinic import clock
from clinic.chart import teeth
from clinic.chart.drawing import Drawing, drawing_of
from clinic.chart.kinds import Status
from clinic.chart.mouth import Mouth
from clinic.chart.versions import Change, as_cut, change_sentence, difference, marks_of, mouth_from, overlaid
from clinic.chart.words import Row, table_of
from clinic.formatting import day
from clinic.models import ChartVersion, User
from clinic.queries.chart import Charted, Marker

WAYS = {"overlay": "On one chart", "side": "Side by side", "words": "In words"}
PARTS = {"all": "Everything", "findings": "Findings", "treatments": "Treatments"}


@dataclass(frozen=True)
class Picture:
    """A mouth to look at: drawn in the viewer's legend and numbering, with the teeth of which anything is said in words."""

    drawing: Drawing
    rows: list[Row]

    @classmethod
    def of(cls, mouth: Mouth, viewer: User, marks: Mapping[str, str] | None = None, prefix: str = "") -> "Picture":
        drawing = drawing_of(mouth, legend=viewer.legend, numbering=viewer.numbering, marks=marks or {}, prefix=prefix)
        return cls(drawing, [row for row in table_of(mouth, viewer.numbering) if row.said])

    @classmethod
    def of_version(cls, version: ChartVersion, viewer: User) -> "Picture":
        return cls.of(mouth_from(as_cut(version)), viewer)


# --- two compared -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """One of two mouths that are compared: a version, or (number 0) the chart as it is now."""

    number: int
    when: str
    mouth: Mouth

    @property
    def title(self) -> str:
        return f"Version {self.number}, {self.when}" if self.number else "The chart now"

    @classmethod
    def of(cls, version: ChartVersion) -> "Side":
        return cls(version.number, day(version.at), mouth_from(as_cut(version)))


@dataclass(frozen=True)
class Wanted:
    """What is compared with what (0: now), how, and which part of it."""

    before: int
    after: int
    way: str
    part: str

    @classmethod
    def of(cls, asked: Mapping[str, str], charted: Charted) -> "Wanted":
        before = _number(asked.get("before"), max(charted.last_version - 1, 1) if charted.last_version else 0)
        after = _number(asked.get("after"), charted.last_version if not charted.changed_since_version else 0)
        way, part = asked.get("way", "overlay"), asked.get("part", "all")
        return cls(before, after, way if way in WAYS else "overlay", part if part in PARTS else "all")


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 9 else otherwise


@dataclass(frozen=True)
class Told:
    mark: str
    words: str
    reason: str


@dataclass(frozen=True)
class Compared:
    """The changes by tooth, in words; as pictures, each drawn when it is asked for: both sides, and the second with the changes on it."""

    before: Side
    after: Side
    changes: list[Change]
    viewer: User

    @cached_property
    def teeth(self) -> list[tuple[str, list[Told]]]:
        return _by_tooth(self.changes, self.viewer)

    @cached_property
    def marks(self) -> dict[str, str]:
        return marks_of(self.changes)

    @cached_property
    def pictures(self) -> tuple[Picture, Picture]:
        return (
            Picture.of(self.before.mouth, self.viewer, self.marks, "before-"),
            Picture.of(self.after.mouth, self.viewer, self.marks, "after-"),
        )

    @cached_property
    def overlay(self) -> Picture:
        return Picture.of(overlaid(self.after.mouth, self.changes), self.viewer, self.marks)

    @property
    def count(self) -> int:
        return sum(len(told) for _tooth, told in self.teeth)


def compared(before: Side, after: Side, wanted: Wanted, viewer: User) -> Compared:
    """Two sides compared, as far as wanted."""
    changes = [
        change
        for change in difference(before.mouth, after.mouth)
        if not change.is_only_said_again and _is_of(change, wanted.part)
    ]
    return Compared(before, after, changes, viewer)


def restored(charted: Charted, version: ChartVersion, viewer: User) -> Compared:
    """What going back to a version would do to the chart as it is now."""
    return compared(Side(0, "", charted.mouth), Side.of(version), Wanted(0, version.number, "overlay", "all"), viewer)


def to_send(charted: Charted, approved: ChartVersion | None, viewer: User) -> Compared:
    """What has changed on a chart since its last approved version, or since it began."""
    now = charted.mouth
    before = Side.of(approved) if approved else Side(0, "", Mouth(now.base, (), now.kinds, now.dentition))
    return compared(before, Side(0, "", now), Wanted(before.number, 0, "overlay", "all"), viewer)


def _is_of(change: Change, part: str) -> bool:
    is_finding = all(entry.status is Status.FINDING for entry in change.entries)
    return part == "all" or is_finding == (part == "findings")


def _by_tooth(changes: Sequence[Change], viewer: User) -> list[tuple[str, list[Told]]]:
    """The changes under their first tooth, in the order of the chart; what is of no tooth comes last."""
    found: dict[str, list[Told]] = {}
    for change in changes:
        keys = teeth.in_order(list(change.keys))
        told = Told(change.mark, change_sentence(change, viewer.numbering), change.after.reason if change.after else "")
        found.setdefault(keys[0] if keys else "", []).append(told)
    ordered = teeth.in_order([key for key in found if key])
    return [(teeth.shown(key, viewer.numbering), found[key]) for key in ordered] + [
        ("Jaw", told) for key, told in found.items() if not key
    ]


# --- as of a day ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mark:
    """A marker on the track, with its day as the slider counts."""

    marker: Marker
    day: int

    @property
    def words(self) -> str:
        kind = {"visit": "Visit", "version": f"Version {self.marker.number}", "approval": "Approval"}[self.marker.kind]
        return f"{kind}: {self.marker.words}" if self.marker.words else kind


@dataclass(frozen=True)
class Track:
    """From the day charting began to today, counted in days; `at` is the instant that is shown."""

    first: date
    last: date
    at: datetime
    marks: list[Mark]

    @classmethod
    def of(cls, markers: Sequence[Marker], charted: Charted, asked: Mapping[str, str]) -> "Track":
        last = clock.today()
        begun = clock.local(charted.chart.begun_at).date() if charted.chart else last
        first = min([begun, *(clock.local(marker.at).date() for marker in markers)])
        marks = [Mark(marker, (clock.local(marker.at).date() - first).days) for marker in markers]
        return cls(first, last, _instant(asked, first, last), marks)

    @property
    def ticks(self) -> list[int]:
        """The days with a marker, each once."""
        return sorted({mark.day for mark in self.marks})

    @property
    def days(self) -> int:
        return max((self.last - self.first).days, 1)

    @property
    def day(self) -> int:
        if self.is_today:
            return self.days
        return min(max((clock.local(self.at).date() - self.first).days, 0), self.days)

    @property
    def is_today(self) -> bool:
        return clock.local(self.at).date() >= clock.today()


def _instant(asked: Mapping[str, str], first: date, last: date) -> datetime:
    """The instant asked for: `at`, else the end of `day` (a number of days from the first, or a date); else now."""
    try:
        at = datetime.fromisoformat(asked.get("at", ""))
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return min(max(at, clock.bounds(first)[0]), clock.now())
    except (ValueError, OverflowError):
        pass
    number = _number(asked.get("day"), (last - first).days)
    on = first + timedelta(days=min(number, (last - first).days))
    return min(clock.bounds(on)[1] - timedelta(microseconds=1), clock.now())
