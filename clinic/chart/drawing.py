"""A mouth as a drawing, in plain data: teeth, and on them a mark for each entry, with geometry as path text. No HTML, nothing stored.

`drawing_of` is all others need. Each kind names a rule (`Kind.drawing.rule`); RULES says what each draws. Every entry that holds is
among the marks, or in `Drawing.undrawn` with the reason.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from clinic.chart import outlines, teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import Kind, Presence, Status
from clinic.chart.legends import PAPER, PATTERNS, Legend, Look, legend_of
from clinic.chart.mouth import Mouth
from clinic.chart.outlines import Outline, number
from clinic.chart.teeth import Numbering

WIDTH = 760
MARGIN, MIDLINE = 14, 4  # left and right of the columns; between the halves
COLUMNS = {"1": 44, "2": 41, "3": 43, "4": 43, "5": 43, "6": 50, "7": 50, "8": 50}
JAW = outlines.ROOT_ROOM + outlines.MIDDLE  # from the end of the roots to the middle between the jaws
TOP = 16  # above the upper roots: the jaw's name
EXTRA_ROOM = 70  # for a row of supernumeraries
FAINT, LINE, GUM = "#c3c8cf", "#6b7480", "#d79a92"
ENAMEL, DENTINE, PULP = "#fffefa", "#f7eedd", "#efc3bb"
ROOMY = "#9aa2ac"  # outlines of what has not erupted
MATERIALS = {
    "amalgam": ("solid", "Am"),
    "composite": ("light", "Co"),
    "gic": ("light", "G"),
    "temporary": ("cross", "T"),
    "gold": ("diagonal", "Au"),
    "ceramic": ("vertical", "Ce"),
    "zirconia": ("horizontal", "Zr"),
    "metal": ("diagonal", "Me"),
    "pfm": ("grid", "PFM"),
    "provisional": ("cross", "T"),
    "ssc": ("back", "SSC"),
    "fibre": ("light", "Fi"),
}
SIGNS = {"added": ("+", "#174f9c", ""), "removed": ("−", "#8f5600", "5 3"), "changed": ("±", "#6a3da8", "1.5 2.5")}


class Stroke(NamedTuple):
    """A path. What is empty or None is as its mark says."""

    d: str
    fill: str = "none"
    width: float | None = None
    dash: str | None = None
    stroke: str = ""


class Letters(NamedTuple):
    """Text on the drawing, its middle at x, its baseline at y. `halo`: what surrounds it so that it can be read on a pattern."""

    x: str
    y: str
    text: str
    size: float
    fill: str
    halo: str = ""


@dataclass(frozen=True)
class Mark:
    """What an entry draws in one place."""

    entry: int
    kind: str
    status: Status
    stroke: str
    dash: str
    strokes: tuple[Stroke, ...]
    letters: tuple[Letters, ...]
    layer: int = 0


class ZoneDrawn(NamedTuple):
    surface: str
    letter: str
    d: str


@dataclass(frozen=True)
class ToothDrawn:
    """One tooth. `x`, `y`: where its frame begins on the chart. `body`: its anatomy. `tags`: status letters beside it."""

    key: str
    number: str
    label: str
    presence: Presence
    column: int
    x: float
    y: float
    scale: float
    hit: tuple[str, str, str, str]  # x, y, width, height of what can be touched
    body: tuple[Stroke, ...]
    zones: tuple[ZoneDrawn, ...]
    marks: tuple[Mark, ...]
    tags: tuple[Letters, ...]
    at: Letters  # the number
    compared: tuple[str, Letters, str, str] | None = None  # word, sign, stroke, dash


class PatternDrawn(NamedTuple):
    id: str
    side: float
    d: str
    colour: str
    is_filled: bool


@dataclass(frozen=True)
class Row:
    """A row of the grid that a screen reader walks: a jaw, or the extra teeth of one."""

    name: str
    teeth: tuple[ToothDrawn, ...]


@dataclass(frozen=True)
class Drawing:
    width: float
    top: float
    height: float
    prefix: str
    legend: Legend
    numbering: Numbering
    rows: tuple[Row, ...]
    objects: tuple[Mark, ...]
    gums: tuple[str, ...]
    labels: tuple[Letters, ...]
    patterns: tuple[PatternDrawn, ...]
    undrawn: Mapping[int, str] = field(default_factory=dict)

    @property
    def teeth(self) -> Iterator[ToothDrawn]:
        return (tooth for row in self.rows for tooth in row.teeth)

    @property
    def statuses(self) -> list[Status]:
        """Those that are on the drawing."""
        found = {mark.status for mark in self.marks}
        return [status for status in Status if status in found]

    @property
    def marks(self) -> Iterator[Mark]:
        yield from (mark for tooth in self.teeth for mark in tooth.marks)
        yield from self.objects


def drawing_of(
    mouth: Mouth,
    *,
    legend: str = "neutral",
    numbering: Numbering | str = Numbering.FDI,
    marks: Mapping[str, str] | None = None,
    prefix: str = "",
) -> Drawing:
    """The drawing of a mouth. `marks`: tooth to `added`, `removed` or `changed`, when two charts are compared. `prefix`: before every
    id, when two charts stand on one page."""
    return _Board(mouth, legend_of(legend), Numbering(numbering), marks or {}, prefix).drawing()


def column_x(place: str) -> float:
    """The middle of the column of a permanent position."""
    right = place[0] in "14"
    numbers = [str(each) for each in range(1, int(place[1]) + 1)]
    out = sum(COLUMNS[each] for each in numbers) - COLUMNS[place[1]] / 2 + MIDLINE / 2
    return WIDTH / 2 - out if right else WIDTH / 2 + out


class _Pen:
    """Draws one entry on one tooth, in its frame."""

    def __init__(self, board: "_Board", outline: Outline, entry: Entry, kind: Kind, key: str) -> None:
        self.board, self.outline, self.entry, self.kind, self.key = board, outline, entry, kind, key
        self.strokes: list[Stroke] = []
        self.texts: list[Letters] = []
        self.ink = board.legend.ink(entry.status, kind.code)

    @property
    def is_there(self) -> bool:
        return self.entry.status.is_there

    def detail(self, name: str) -> str:
        return self.entry.details.get(name, "")

    def fill(self, style: str) -> str:
        """What to fill with in this entry's status."""
        return self.board.paint(self.board.legend.look(self.entry.status, style, self.kind.code))

    def path(
        self, path: str, fill: str = "none", width: float | None = None, dash: str | None = None, stroke: str = ""
    ) -> None:
        self.strokes.append(Stroke(self.outline.put(path), fill, width, dash, stroke))

    def text(self, x: float, y: float, text: str, size: float = 8, fill: str = "", halo: str = PAPER) -> None:
        if text:
            self.texts.append(_letters(*self.outline.at(x, y), text, size, fill or self.ink.stroke, halo))

    @property
    def zones(self) -> list[outlines.Zone]:
        return [self.outline.zones[each] for each in self.entry.surfaces]


def _letters(x: float, y: float, text: str, size: float, fill: str, halo: str = "") -> Letters:
    return Letters(number(x), number(y + size * 0.35), text, size, fill, halo)


# --- rules ------------------------------------------------------------------------------------------------------------


def _zone(pen: _Pen) -> None:
    style = pen.kind.drawing.pattern
    fill = pen.fill(style)
    for zone in pen.zones:
        pen.path(zone.path, fill, dash="0.1 2.6" if style == "dotted-outline" else None, width=1.4)
    for zone in pen.zones:
        pen.text(*zone.middle, pen.kind.drawing.letter, 7.5)


def _filling(pen: _Pen) -> None:
    style, letter = MATERIALS.get(pen.detail("material"), ("solid", ""))
    fill = pen.fill(style)
    for zone in pen.zones:
        pen.path(zone.path, fill, width=1.4)
    if letter in ("G", "T"):
        for zone in pen.zones:
            pen.text(*zone.middle, letter, 7.5)


def _crown(pen: _Pen) -> None:
    fill = pen.fill(MATERIALS.get(pen.detail("material"), ("outline", ""))[0])
    pen.path(pen.outline.crown, fill, 2)
    pen.path(pen.outline.figure, fill, 2)


def _cross(pen: _Pen) -> None:
    w, top, bottom = pen.outline.width + 2, -pen.outline.depth * 0.8, pen.outline.height
    path = f"M{-w} {top}L{w} {bottom}"
    if pen.is_there:
        path += f"M{w} {top}L{-w} {bottom}"
    pen.path(path, width=2.6)


def _nothing(pen: _Pen) -> None:
    """Told by the tooth itself."""


def _icon(pen: _Pen) -> None:
    pen.text(0, pen.outline.height * 0.5, pen.kind.drawing.letter or pen.kind.drawing.icon[:2], 9)


RULES: dict[str, tuple[int, Callable[[_Pen], None]]] = {
    "zone": (2, _zone),
    "filling": (1, _filling),
    "decay": (4, _zone),
    "crown": (2, _crown),
    "cross": (8, _cross),
    "gone": (8, _cross),
    "none": (0, _nothing),
}


class _Board:
    def __init__(
        self, mouth: Mouth, legend: Legend, numbering: Numbering, compared: Mapping[str, str], prefix: str
    ) -> None:
        self.mouth, self.legend, self.numbering, self.compared, self.prefix = mouth, legend, numbering, compared, prefix
        self.patterns: dict[str, PatternDrawn] = {}
        self.undrawn: dict[int, str] = {}

    def paint(self, look: Look) -> str:
        """The value of a fill; a pattern is written down for the definitions."""
        if look.fill in ("none", "outline", "dotted-outline", "line"):
            return "none"
        if look.fill == "solid":
            return look.stroke
        if look.fill == "pale":
            return _pale(look.stroke)
        name = f"{self.prefix}{look.fill}-{look.stroke[1:]}"
        if name not in self.patterns:
            _words, side, path, is_filled = PATTERNS[look.fill]
            self.patterns[name] = PatternDrawn(name, side, path, look.stroke, is_filled)
        return f"url(#{name})"

    def drawing(self) -> Drawing:
        middle = TOP + JAW
        rows = []
        for name, places, neck in (
            ("Upper", teeth.UPPER, TOP + outlines.ROOT_ROOM),
            ("Lower", teeth.LOWER, middle + outlines.MIDDLE),
        ):
            rows.append(Row(name, tuple(self._tooth(self.mouth.occupant(place), place, neck) for place in places)))
        labels = (
            _letters(WIDTH / 2, 9, "Upper", 9, LINE),
            _letters(WIDTH / 2, 2 * middle - 9, "Lower", 9, LINE),
            _letters(7, middle, "R", 11, LINE),
            _letters(WIDTH - 7, middle, "L", 11, LINE),
        )
        return Drawing(
            WIDTH, 0, 2 * middle, self.prefix, self.legend, self.numbering, tuple(rows), (), (), labels,
            tuple(self.patterns.values()), self.undrawn,
        )  # fmt: skip

    def _tooth(self, key: str, place: str, neck: float) -> ToothDrawn:
        outline = outlines.outline(key)
        presence = self.mouth.presence(key)
        parts = outline.shown
        faint = presence.is_gone
        edge = FAINT if faint else LINE
        body = [Stroke(parts["back"], "none" if faint else DENTINE, stroke=edge)] if outline.back else []
        body += [
            Stroke(parts["roots"], "none" if faint else DENTINE, stroke=edge),
            Stroke(parts["crown"], "none" if faint else ENAMEL, stroke=edge),
            Stroke(parts["figure"], "none" if faint else ENAMEL, stroke=edge),
            Stroke(parts["grid"], stroke=edge),
        ]
        found = []
        for entry in self.mouth.on(key):
            kind = self.mouth.kinds[entry.kind]
            layer, rule = RULES.get(kind.drawing.rule, (5, _icon))
            pen = _Pen(self, outline, entry, kind, key)
            rule(pen)
            found.append(
                Mark(
                    entry.id,
                    kind.code,
                    entry.status,
                    pen.ink.stroke,
                    pen.ink.dash,
                    tuple(pen.strokes),
                    tuple(pen.texts),
                    layer,
                )
            )
        half = COLUMNS[place[1]] / 2
        top, bottom = (
            (-outlines.ROOT_ROOM, outlines.MIDDLE) if outline.sy > 0 else (-outlines.MIDDLE, outlines.ROOT_ROOM)
        )
        hit = tuple(number(value) for value in (-half, top, half * 2, bottom - top))
        shown = teeth.shown(key, self.numbering)
        return ToothDrawn(
            key, shown, f"Tooth {shown}", presence, teeth.column(place), column_x(place), neck, 1, hit,  # type: ignore[arg-type]
            tuple(body), tuple(ZoneDrawn(each, teeth.letter(key, each), parts[each]) for each in teeth.SURFACES),
            tuple(sorted(found, key=lambda mark: mark.layer)), (), _letters(*outline.at(0, outlines.NUMBER), shown, 10, "#2b3440"),
        )  # fmt: skip


def _pale(colour: str) -> str:
    """A breath of a colour on paper."""
    channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 - (255 - each) * 0.14):02x}" for each in channels)
