"""Patterns as lines of their own, cut to the shape they fill.

Not the patterns of SVG: a browser that makes a PDF turns each of those into a bitmap (a chart of 60 entries was 12.7 MB and 214
images), and they need ids, which collide when two charts stand on one page.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from clinic.chart.outlines import TOKEN, Point, number


@dataclass(frozen=True)
class Pattern:
    """`lines`: angles in degrees. `step`: between lines, or between dots. `width`: of a line, or across a dot."""

    words: str
    lines: tuple[float, ...] = ()
    step: float = 3.4
    width: float = 1.0
    dash: str = ""
    dots: bool = False
    waves: bool = False


PATTERNS: dict[str, Pattern] = {
    "light": Pattern("sparse dots", step=3.8, width=1.15, dots=True),
    "dots": Pattern("dots", step=3.8, width=2.2, dots=True),
    "diagonal": Pattern("diagonal lines", (-45,)),
    "back": Pattern("diagonal lines the other way", (45,)),
    "vertical": Pattern("upright lines", (90,)),
    "horizontal": Pattern("level lines", (0,)),
    "cross": Pattern("crossed lines", (-45, 45), step=3.8),
    "grid": Pattern("a grid", (0, 90), step=3.8),
    "tint": Pattern("short dashes", (0,), step=2.8, dash="2 2.6"),
    "wavy": Pattern("waves", step=4.2, waves=True),
    "half": Pattern("fine diagonal lines", (-45,), step=2.3, width=1.1),
}


@lru_cache(maxsize=8192)
def hatched(path: str, name: str) -> str:
    """The lines or dots of a pattern inside of a path (M, C, L, Q and Z, absolute): a path to be stroked."""
    pattern = PATTERNS[name]
    shape = _flat(path)
    if pattern.dots:
        return _dots(shape, pattern.step)
    if pattern.waves:
        return _waves(shape, pattern.step)
    return "".join(_lines(shape, angle, pattern.step) for angle in pattern.lines)


def _flat(path: str) -> list[list[Point]]:
    """The closed outlines of a path as points."""
    shapes: list[list[Point]] = []
    values: list[float] = []
    letter = ""
    for command, value in TOKEN.findall(path):
        if command:
            letter = command
            if command == "M":
                shapes.append([])
            values = []
            continue
        values.append(float(value))
        points = shapes[-1]
        if letter in "ML" and len(values) == 2:
            points.append((values[0], values[1]))
            values = []
        elif letter == "Q" and len(values) == 4 or letter == "C" and len(values) == 6:
            points += _bent(points[-1], values)
            values = []
    return shapes


def _bent(start: Point, values: list[float]) -> Iterator[Point]:
    """Points along a curve of two or three handles."""
    handles = [start, *zip(values[::2], values[1::2], strict=True)]
    for at in range(1, 6):
        points, t = handles, at / 5
        while len(points) > 1:
            points = [
                (ax + (bx - ax) * t, ay + (by - ay) * t) for (ax, ay), (bx, by) in zip(points, points[1:], strict=False)
            ]
        yield points[0]


def _crossings(shapes: list[list[Point]], y: float) -> list[float]:
    """Where a level line meets the outlines, from the left."""
    found = []
    for points in shapes:
        for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
            if (ay <= y) != (by <= y):
                found.append(ax + (y - ay) * (bx - ax) / (by - ay))
    return sorted(found)


def _levels(shapes: list[list[Point]], step: float) -> Iterator[float]:
    """The heights of the lines, in the middle between the shape's ends."""
    ys = [y for points in shapes for _, y in points]
    count = int((max(ys) - min(ys)) / step)
    begin = (max(ys) + min(ys) - count * step) / 2
    yield from (begin + at * step for at in range(count + 1))


def _lines(shapes: list[list[Point]], angle: float, step: float) -> str:
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    level = [[(x * c + y * s, y * c - x * s) for x, y in points] for points in shapes]
    said = []
    for y in _levels(level, step):
        meets = _crossings(level, y)
        for left, right in zip(meets[::2], meets[1::2], strict=False):
            if right - left > 1:
                ax, ay, bx, by = left * c - y * s, left * s + y * c, right * c - y * s, right * s + y * c
                said.append(f"M{number(ax)} {number(ay)}L{number(bx)} {number(by)}")
    return "".join(said)


def _dots(shapes: list[list[Point]], step: float) -> str:
    """Dots in rows that are set off against one another, as lines of no length."""
    said = []
    for row, y in enumerate(_levels(shapes, step * 0.8)):
        meets = _crossings(shapes, y)
        for left, right in zip(meets[::2], meets[1::2], strict=False):
            x = math.ceil((left + 1.2) / step - row % 2 / 2) * step + row % 2 * step / 2
            while x < right - 1.2:
                said.append(f"M{number(x)} {number(y)}h0")
                x += step
    return "".join(said)


def _waves(shapes: list[list[Point]], step: float) -> str:
    said = []
    for y in _levels(shapes, step):
        meets = _crossings(shapes, y)
        for left, right in zip(meets[::2], meets[1::2], strict=False):
            count = int((right - left) / 3)
            if count >= 1:
                begin = (left + right - count * 3) / 2
                arcs = "".join(f"q1.5 {-2.6 if at % 2 else 2.6} 3 0" for at in range(count))
                said.append(f"M{number(begin)} {number(y)}{arcs}")
    return "".join(said)
