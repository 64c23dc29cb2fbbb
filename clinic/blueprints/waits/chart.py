"""A small bar chart of waits by hour: a bar for the median, a line up to the 90th percentile, both labelled in minutes."""

from dataclasses import dataclass

from clinic.queries.waits import Waits

WIDTH, HEIGHT = 720, 190
LEFT, TOP, BOTTOM = 8, 26, 26  # room for the labels
FEWEST = 9  # places drawn at least, so that few hours do not grow into walls


@dataclass(frozen=True)
class Bar:
    """Measures in the drawing's own units; labels in minutes."""

    x: float
    y: float
    width: float
    height: float
    middle: float
    line_y: float  # upper end of the line to the 90th percentile
    hour: str
    median: str
    p90: str
    where: (
        str  # of the median's label: "above" its bar; "inside", when the two labels would touch; "" when they are one
    )


@dataclass(frozen=True)
class Chart:
    department: str
    width: int
    height: int
    base: float
    bars: list[Bar]


def chart_of(department: str, waits: list[Waits]) -> Chart:
    """The chart of one department and stage; `waits` are its hours, in order."""
    by_hour = {row.hour: row for row in waits if row.hour is not None}
    hours = range(min(by_hour), max(by_hour) + 1)
    place = (WIDTH - 2 * LEFT) / max(len(hours), FEWEST)
    tallest = max(row.p90 for row in by_hour.values()) or 1
    room = HEIGHT - TOP - BOTTOM
    bars = []
    for number, hour in enumerate(hours):
        row = by_hour.get(hour)
        if row is None:
            continue
        height = row.median / tallest * room
        reach = row.p90 / tallest * room
        x = LEFT + number * place + place * 0.15
        bars.append(
            Bar(
                x=round(x, 1),
                y=round(HEIGHT - BOTTOM - height, 1),
                width=round(place * 0.7, 1),
                height=round(max(height, 1), 1),
                middle=round(x + place * 0.35, 1),
                line_y=round(HEIGHT - BOTTOM - reach, 1),
                hour=f"{hour}",
                median=_minutes(row.median),
                p90=_minutes(row.p90),
                where=""
                if _minutes(row.median) == _minutes(row.p90)
                else "above"
                if reach - height >= 16
                else "inside",
            )
        )
    return Chart(department, WIDTH, HEIGHT, HEIGHT - BOTTOM, bars)


def _minutes(seconds: float) -> str:
    """Whole minutes; under ten with one decimal, because there it matters."""
    minutes = seconds / 60
    return f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1f}".removesuffix(".0")
