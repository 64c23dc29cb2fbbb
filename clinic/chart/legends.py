"""Legends: how a status looks on each kind of mark. Data only; nothing of it is ever stored with an entry.

What a mark means is told by three things at once, so that colour is never needed: its dashes, how full it is, and a letter beside the
tooth. A kind is told by its shape, pattern or letter (drawing.py). tests/chart/test_legends.py holds all of it.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import cycle

from clinic.chart.hatching import PATTERNS
from clinic.chart.kinds import Status
from clinic.chart.outlines import number

PAPER = "#ffffff"

# Further styles of a mark: filled all over, an outline only, and lines that have no inside.
STYLES = ("solid", *PATTERNS, "outline", "dotted-outline", "line")


class Fill(enum.StrEnum):
    """How full a status makes a mark."""

    FULL = "full"  # its own fill
    HALF = "half"  # lined over
    PALE = "pale"  # a breath of its colour: in black and white an outline
    NONE = "none"


@dataclass(frozen=True)
class Ink:
    """How a status is drawn. `letter` stands beside the tooth; empty where the full mark is the plain case."""

    stroke: str
    dash: str
    fill: Fill
    letter: str = ""


@dataclass(frozen=True)
class Look:
    """How one mark is drawn. `fill`: none, solid, pale, or the name of a pattern."""

    stroke: str
    dash: str
    fill: str
    letter: str


@dataclass(frozen=True)
class Legend:
    """`instead`: kinds whose status looks like another one, such as what is missing, which nobody has to do anything about."""

    code: str
    name: str
    says: str
    inks: Mapping[Status, Ink]
    instead: Mapping[str, Status] = field(default_factory=dict)

    def ink(self, status: Status, kind: str = "") -> Ink:
        found = self.inks[status]
        if kind in self.instead and status is Status.FINDING:
            other = self.inks[self.instead[kind]]
            return Ink(other.stroke, found.dash, found.fill, found.letter)
        return found

    def look(self, status: Status, style: str, kind: str = "") -> Look:
        """How a mark of a style looks in a status."""
        ink = self.ink(status, kind)
        fill = {Fill.FULL: style, Fill.HALF: "half", Fill.PALE: "pale", Fill.NONE: "none"}[ink.fill]
        if style in ("outline", "dotted-outline", "line"):
            fill = "none"
        dash = ("0.1 2.6" if style == "dotted-outline" else "") if not ink.dash else ink.dash
        return Look(ink.stroke, dash, fill, ink.letter)


# What one sees of a line PLAIN_WIDTH wide: dash, gap, and so on; a dash as long as the line is wide is a dot.
DASHES = {
    Status.FINDING: "",
    Status.OPTION: "1.7 1.7",
    Status.PLANNED: "5 2.6",
    Status.IN_PROCESS: "9 2.4 1.7 2.4",
    Status.COMPLETED: "",
    Status.EXISTING: "",
    Status.REFERRED: "9 2.6 3.6 2.6",
}
PLAIN_WIDTH = 1.7


@lru_cache
def dashed(dash: str, width: float) -> str:
    """The dashes of a line of a width, as SVG wants them: longer on a thick one, and without the round caps, which lengthen every dash
    and would close its gap."""
    scale = math.sqrt(width / PLAIN_WIDTH)
    said = (
        float(length) * scale + (width if is_gap else -width)
        for length, is_gap in zip(dash.split(), cycle((0, 1)), strict=False)
    )
    return " ".join(number(max(length, 0.1)) for length in said)


FILLS = {
    Status.FINDING: Fill.FULL,
    Status.OPTION: Fill.NONE,
    Status.PLANNED: Fill.PALE,
    Status.IN_PROCESS: Fill.HALF,
    Status.COMPLETED: Fill.FULL,
    Status.EXISTING: Fill.FULL,
    Status.REFERRED: Fill.NONE,
}
PLAIN = (Status.FINDING,)  # without a letter beside the tooth


def _legend(code: str, name: str, says: str, colours: Mapping[Status, str], instead: Mapping[str, Status]) -> Legend:
    inks = {
        status: Ink(stroke, DASHES[status], FILLS[status], "" if status in PLAIN else status.letter)
        for status, stroke in colours.items()
    }
    return Legend(code, name, says, inks, instead)


GONE = ("missing", "exfoliated", "erupted", "partially_erupted", "unerupted", "supernumerary", "note")
NEUTRAL = _legend(
    "neutral",
    "By status",
    "Each status has its own dashes, fill and letter; its colour only helps.",
    {
        Status.FINDING: "#b3261e",
        Status.OPTION: "#666d78",
        Status.PLANNED: "#6a3da8",
        Status.IN_PROCESS: "#8f5600",
        Status.COMPLETED: "#174f9c",
        Status.EXISTING: "#3a424e",
        Status.REFERRED: "#0a6a60",
    },
    dict.fromkeys(GONE, Status.EXISTING),
)
RED_BLUE = _legend(
    "red-blue",
    "Red and blue",
    "Red has to be done, blue is done, as taught in many schools; dashes, fill and letter tell the rest.",
    dict.fromkeys((Status.FINDING, Status.OPTION, Status.PLANNED, Status.IN_PROCESS, Status.REFERRED), "#c21717")
    | dict.fromkeys((Status.COMPLETED, Status.EXISTING), "#1549b4"),
    dict.fromkeys(GONE, Status.EXISTING),
)
LEGENDS: dict[str, Legend] = {legend.code: legend for legend in (NEUTRAL, RED_BLUE)}


def legend_of(code: str) -> Legend:
    """The legend of a code; the neutral one for a code that is no more."""
    return LEGENDS.get(code, NEUTRAL)
