"""Graders beside one another as a drawing: a dot for each severity, a line for what may be chance."""

from collections.abc import Sequence
from dataclasses import dataclass

from clinic.queries.graders import Named

WIDTH, ROW, TOP, BOTTOM = 640, 30, 8, 26
NAMES = 200  # room for the names
LEAST_REACH = 1.0  # steps to either side


@dataclass(frozen=True)
class Line:
    """One grader. Measures in the drawing's own units."""

    name: str
    y: float
    dot: float
    low: float
    high: float
    stands_out: bool


@dataclass(frozen=True)
class Drawn:
    lines: list[Line]
    width: int
    height: int
    middle: float  # where nobody is stricter or more lenient
    base: float
    ticks: list[tuple[float, str]]


def drawn(judged: Sequence[Named]) -> Drawn:
    """The drawing of these graders, in their order."""
    figures = [(each.figures.severity or 0.0, each.figures.bound or 0.0) for each in judged]
    reach = max([LEAST_REACH, *(abs(severity) + bound for severity, bound in figures)])
    room = (WIDTH - NAMES - 20) / 2
    middle = NAMES + room

    def at(steps: float) -> float:
        return round(middle + steps / reach * room, 1)

    lines = [
        Line(
            name=each.person.name,
            y=TOP + ROW * number + ROW / 2,
            dot=at(severity),
            low=at(severity - bound),
            high=at(severity + bound),
            stands_out=each.figures.is_strict or each.figures.is_lenient,
        )
        for number, (each, (severity, bound)) in enumerate(zip(judged, figures, strict=True))
    ]
    base = TOP + ROW * len(judged)
    whole = int(reach)
    ticks = [(at(step), f"{step:+d}" if step else "as others") for step in range(-whole, whole + 1)]
    return Drawn(lines, WIDTH, base + BOTTOM, at(0), base, ticks)
