"""A student's marks over time: a small drawing for each criterion, and the same as rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from clinic.evaluation.form import STEPS
from clinic.queries.evaluations import Point

WIDTH, HEIGHT = 320, 104
LEFT, RIGHT, TOP, BOTTOM = 18, 12, 10, 22


@dataclass(frozen=True)
class Dot:
    x: float
    y: float


@dataclass(frozen=True)
class Trend:
    """One criterion: the supervisor's marks as dots on a line, the student's own as rings; `rows`: day, supervisor's, own."""

    label: str
    dots: list[Dot]
    rings: list[Dot]
    levels: list[tuple[int, float]]  # each step of the scale and its height
    first: date
    last: date
    rows: list[tuple[date, int | None, int | None]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT

    @property
    def line(self) -> str:
        return " ".join(f"{dot.x},{dot.y}" for dot in self.dots)

    @property
    def words(self) -> str:
        """What the drawing shows, for whoever does not see it."""
        given = [mark for _day, mark, _own in self.rows if mark]
        if not given:
            return f"{self.label}: not marked yet"
        return f"{self.label}: first {given[0]}, last {given[-1]}, {len(given)} times; the table below has each"


def trends_of(points: Sequence[Point], labels: dict[str, str]) -> list[Trend]:
    """A trend for each criterion, in the order of `labels` (words by code); criteria that were never seen are left out."""
    if not points:
        return []
    first, last = points[0].day, points[-1].day
    found = []
    for code, label in labels.items():
        mine = [point for point in points if point.criterion == code]
        if mine:
            found.append(_trend(label, mine, first, last))
    return found


def _trend(label: str, points: Sequence[Point], first: date, last: date) -> Trend:
    span = max((last - first).days, 1)

    def dot(point: Point) -> Dot:
        x = LEFT + (point.day - first).days / span * (WIDTH - LEFT - RIGHT)
        return Dot(round(x, 1), _height(point.step))

    by_day: dict[int, tuple[date, dict[bool, int]]] = {}
    for point in points:
        by_day.setdefault(point.evaluation_id, (point.day, {}))[1][point.is_self] = point.step
    return Trend(
        label=label,
        dots=[dot(point) for point in points if not point.is_self],
        rings=[dot(point) for point in points if point.is_self],
        levels=[(step, _height(step)) for step in range(1, STEPS + 1)],
        first=first,
        last=last,
        rows=[(day, marks.get(False), marks.get(True)) for day, marks in by_day.values()],
    )


def _height(step: int) -> float:
    return round(TOP + (STEPS - step) / (STEPS - 1) * (HEIGHT - TOP - BOTTOM), 1)
