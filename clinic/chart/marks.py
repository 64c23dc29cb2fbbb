"""How each entry is drawn on a tooth: the rules that `Kind.drawing.rule` names, in the frame of outlines.py."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from clinic.chart import outlines, teeth
from clinic.chart.entry import Entry
from clinic.chart.hatching import PATTERNS, hatched
from clinic.chart.kinds import Kind, Status
from clinic.chart.legends import PAPER, Ink, Legend, dashed
from clinic.chart.outlines import LANE, Outline, Point, Zone, box, circle, line, number, smooth

# Of what something is made: its pattern and its letters.
MATERIALS: dict[str, tuple[str, str]] = {
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
# Small pictures round 0,0, about 14 wide. Some kinds have theirs; the clinic chooses one for its own (OWN_ICONS of kinds.py).
ICONS: dict[str, str] = {
    "again": "M5.6-3.4A6.6 6.6 0 1 0 6.6 1.2M6.4-7.2V-3H2.2",
    "triangle": "M0-6L6.5 5H-6.5Z",
    "square": "M-5.5-5.5H5.5V5.5H-5.5Z",
    "diamond": "M0-7L6 0L0 7L-6 0Z",
    "ring": "M-6 0A6 6 0 1 0 6 0A6 6 0 1 0-6 0Z",
    "star": "M0-7L1.9-2.4L6.8-2.1L3 1L4.2 5.9L0 3.2L-4.2 5.9L-3 1L-6.8-2.1L-1.9-2.4Z",
    "flag": "M-4 7V-7L6-3.6L-4 0",
    "drop": "M0-7C3.4-2.4 5 .2 5 2.4A5 5 0 0 1-5 2.4C-5 .2-3.4-2.4 0-7Z",
    "plus": "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z",
    "bolt": "M2-7.5L-5 1H-.5L-2 7.5L5-1H.5Z",
    "bracket": "M-6-5H6V5H-6ZM-6 0H6",
    "band": "",
    "tube": "M-7-3H7V3H-7ZM-7-3A2 3 0 0 0-7 3",
    "attachment": "M-4 6V0A4 6 0 0 1 4 0V6Z",
}
DIRECTION = {"mesial": (1, 0), "distal": (-1, 0), "outer": (0, -1), "inner": (0, 1)}
SURFACE_AT = {(1, 0): "M", (-1, 0): "D", (0, -1): "B", (0, 1): "L"}
FRACTURED = {"enamel": "En", "dentine": "De", "pulp": "Pu", "root": "Ro", "crack": "Cr"}
WORN = {"attrition": "At", "abrasion": "Ab", "erosion": "Er", "abfraction": "Af"}
ANGLES = {"mesial": 45, "distal": -45, "horizontal": 90, "vertical": 0, "inverted": 180, "buccal": 0}
LIES = {"mesial": "MA", "distal": "DA", "horizontal": "H", "vertical": "V", "inverted": "Inv", "buccal": "BL"}
IMPACTED_AT, IMPACTED_SIZE, CIRCLE = (0.0, -36.0), 0.42, 23.0
REASONS = {"caries": "M"}  # of a missing tooth (Philippine chart); any other: MO
LENGTHS = {"full": 1.0, "half": 0.5, "two-thirds": 0.67, "over": 1.14, "open": 0.34}
SIZES = {"S": 4.0, "M": 6.5, "L": 9.0}


class Stroke(NamedTuple):
    """A path. What is None or empty is as its mark says; a dash that is None as its status, fitted to the width by `mark_of`."""

    d: str
    fill: str = "none"
    width: float | None = None
    dash: str | None = None
    stroke: str = ""


class Letters(NamedTuple):
    """Text, its middle at x, its baseline at y. `halo`: the colour round it that keeps it readable on a pattern."""

    x: str
    y: str
    text: str
    size: float
    fill: str
    halo: str = ""


def letters(x: float, y: float, text: str, size: float, fill: str, halo: str = "") -> Letters:
    return Letters(number(x), number(y + size * 0.36), text, size, fill, halo)


@dataclass(frozen=True)
class Mark:
    """What an entry draws in one place. `layer`: what is drawn first lies below."""

    entry: int
    kind: str
    status: Status
    stroke: str
    dash: str
    strokes: tuple[Stroke, ...]
    letters: tuple[Letters, ...]
    layer: int = 0


def mark_of(entry: Entry, ink: Ink, strokes: Iterable[Stroke], letters: Iterable[Letters], layer: int) -> Mark:
    """What was drawn, each line with the dashes of its status."""
    fitted = tuple(
        each._replace(dash=dashed(ink.dash, each.width or 1)) if ink.dash and each.dash is None else each
        for each in strokes
    )
    return Mark(entry.id, entry.kind, entry.status, ink.stroke, ink.dash, fitted, tuple(letters), layer)


class Pen:
    """Draws one entry on one tooth."""

    def __init__(self, legend: Legend, outline: Outline, entry: Entry, kind: Kind, key: str) -> None:
        self.outline, self.entry, self.kind, self.key = outline, entry, kind, key
        self.strokes: list[Stroke] = []
        self.letters: list[Letters] = []
        self.ink = legend.ink(entry.status, kind.code)
        self._legend = legend

    def detail(self, name: str) -> str:
        return str(self.entry.details.get(name, ""))

    @property
    def is_there(self) -> bool:
        return self.entry.status.is_there

    def fill(self, style: str) -> str:
        """What to fill with, in the status of this entry: none, a colour, or the name of a pattern."""
        fill = self._legend.look(self.entry.status, style, self.kind.code).fill
        if fill == "solid":
            return self.ink.stroke
        return _pale(self.ink.stroke) if fill == "pale" else fill if fill in PATTERNS else "none"

    def path(
        self, path: str, fill: str = "none", width: float | None = None, dash: str | None = None, stroke: str = ""
    ) -> None:
        path = self.outline.put(path)
        if fill in PATTERNS:
            pattern = PATTERNS[fill]
            self.strokes.append(Stroke(hatched(path, fill), "none", pattern.width, pattern.dash))
            fill = "none"
        self.strokes.append(Stroke(path, fill, width, dash, stroke))

    def text(self, at: Point, text: str, size: float = 8, fill: str = "", halo: str = PAPER) -> None:
        if text:
            self.letters.append(letters(*self.outline.at(*at), text, size, fill or self.ink.stroke, halo))

    def plate(self, at: Point) -> None:
        """Paper behind a letter that its halo does not free from crossed lines."""
        self.path(circle(*at, 4.6), PAPER, 0.5, "", PAPER)

    def lettered(self, text: str, size: float) -> None:
        """A letter on each zone; of two letters, for which the upright zones are narrow, once on the widest."""
        zones = sorted(self.zones, key=lambda each: "OBLMD".index(each.surface))
        if len(text) > 1:
            zones = zones[:1]
            size = 6 if zones and zones[0].surface in "MD" else size
        for middle in [each.middle for each in zones] or [self.outline.stand]:
            self.text(middle, text, size)

    def arrow(self, start: Point, end: Point, width: float = 1.8, bends: Iterable[Point] = ()) -> None:
        """A line with a head; `bends`: through which it goes."""
        points = [start, *bends, end]
        (px, py), (x, y) = points[-2], end
        length = ((x - px) ** 2 + (y - py) ** 2) ** 0.5 or 1
        ux, uy = (x - px) / length, (y - py) / length
        head = [
            (x - 4.4 * ux + 3.2 * uy, y - 4.4 * uy - 3.2 * ux),
            end,
            (x - 4.4 * ux - 3.2 * uy, y - 4.4 * uy + 3.2 * ux),
        ]
        self.path(line(points) + line(head), width=width, dash="")

    def mark(self, layer: int) -> Mark:
        return mark_of(self.entry, self.ink, self.strokes, self.letters, layer)

    # --- of the tooth -------------------------------------------------------------------------------------------------

    @property
    def zones(self) -> list[Zone]:
        return [self.outline.zones[each] for each in self.entry.surfaces]

    @property
    def side(self) -> int:
        """1 when of the two sides only the mesial one is charted, -1 when only the distal one; else 0."""
        return ("M" in self.entry.surfaces) - ("D" in self.entry.surfaces)

    @property
    def body(self) -> Point:
        """The middle of the crown."""
        return 0.0, self.outline.height * 0.52

    @property
    def material(self) -> tuple[str, str]:
        return MATERIALS.get(self.detail("material"), (self.kind.drawing.pattern, ""))


def _pale(colour: str) -> str:
    """A breath of a colour, through which one sees what is there."""
    return f"{colour}24"


# --- surfaces ---------------------------------------------------------------------------------------------------------


def zone(pen: Pen) -> None:
    """The zones filled with a pattern, with a letter; without surfaces the whole figure."""
    style = pen.kind.drawing.pattern
    dash = "0.1 2.6" if style == "dotted-outline" else None
    for each in [each.path for each in pen.zones] or [pen.outline.figure]:
        pen.path(each, pen.fill(style), 1.7, dash)
    pen.lettered(pen.kind.drawing.letter, 8)


def filling(pen: Pen) -> None:
    """The zones in the pattern of the material."""
    style, letter = pen.material
    for each in pen.zones:
        pen.path(each.path, pen.fill(style), 1.7)
    for each in pen.zones if letter in ("G", "T") else ():
        pen.plate(each.middle)
        pen.text(each.middle, letter)


def inlay(pen: Pen) -> None:
    """The zones in the pattern of the material, and once what it is."""
    for each in pen.zones:
        pen.path(each.path, pen.fill(pen.material[0]), 1.7)
    pen.lettered(pen.kind.drawing.letter, 8)


def decay(pen: Pen) -> None:
    """A ragged spot in each zone: an outline at ICDAS 1 and 2, lined at 3 and 4, full at 5 and 6 and when nobody said."""
    icdas = pen.detail("icdas")
    style = "outline" if icdas in ("1", "2") else "half" if icdas in ("3", "4") else "solid"
    for each in pen.zones:
        pen.path(ragged(each), PAPER, 3.6, stroke=PAPER)  # a rim of paper, on a filling too
        pen.path(ragged(each), pen.fill(style), 1.4)
        if style == "solid":
            pen.text(each.middle, icdas, 8, PAPER, "")
        else:
            pen.text(each.middle, icdas, 8)


def ragged(zone: Zone) -> str:
    """A spot with an irregular edge that keeps inside of its zone."""
    cx = sum(x for x, _ in zone.edge) / len(zone.edge)
    cy = sum(y for _, y in zone.edge) / len(zone.edge)
    grow = (0.9, 0.7, 0.84, 0.66, 0.8, 0.74)
    points = [
        (cx + (x - cx) * grow[at % 6], cy + (y - cy) * grow[(at + 1) % 6]) for at, (x, y) in enumerate(zone.edge[::2])
    ]
    return smooth(points, closed=True)


def rim(pen: Pen) -> None:
    """A beaded rim round what was filled."""
    for each in pen.zones:
        pen.path(each.path, width=3.6)
        pen.path(each.path, width=1.2, dash="0.1 3.4", stroke=PAPER)
        pen.text(each.middle, pen.detail("icdas"))


def marker(pen: Pen) -> None:
    """A small label at the edge of the zone: a depth is no spot."""
    text = pen.detail("depth")
    for each in pen.zones:
        x, y = each.middle
        dx, dy = {"M": (0.0, 11.0), "D": (0.0, 11.0), "B": (10.0, 0.0), "L": (10.0, 0.0)}.get(each.surface, (0.0, 0.0))
        if pen.outline.shape not in (teeth.Shape.MOLAR, teeth.Shape.PREMOLAR):
            dx, dy = dx * 0.8, dy * 0.5
        x, y = x + dx, y + dy
        pen.path(box(x - 6, y - 4.4, x + 6, y + 4.4), PAPER, 1.1)
        pen.text((x, y), text, 6.5, halo="")


def veneer(pen: Pen) -> None:
    """A shell on the crown, and the outer zone."""
    style = pen.material[0]
    outer = pen.outline.zones["B"]
    pen.path(outer.path, pen.fill(style), 1.7)
    pen.text(outer.middle, "Ve", 6.5)
    inner = outlines.moved(pen.outline.crown, 0.72, 0.78, 0, pen.outline.height * 0.09)
    pen.path(pen.outline.crown, width=1.9)
    pen.path(inner, pen.fill(style), 1)


def crown(pen: Pen) -> None:
    """The whole crown in both views, in the pattern of the material, with its letters."""
    style, letter = pen.material
    if pen.kind.own_id:
        pen.text(pen.outline.stand, pen.kind.drawing.letter, 8)
        letter = pen.kind.drawing.letter
    fill = pen.fill(style if letter or pen.kind.own_id else "outline")
    for each in (pen.outline.crown, pen.outline.figure):
        if pen.is_there and each == pen.outline.figure:
            pen.path(each, PAPER, 2.2)  # from above nothing shows through a crown; from the side pulp and core do
        pen.path(each, fill, 2.2)
    if letter == "T" and pen.is_there:
        pen.plate(pen.body)
    pen.text(pen.body, letter, 7)


# --- pulp and root ----------------------------------------------------------------------------------------------------


def canals(pen: Pen) -> None:
    """A line in each canal as long as it was filled; a ball where it goes beyond the apex, a ring where it is only begun."""
    said = [part.partition(":") for part in pen.detail("canals").split()] or [
        (name, "", "full") for name in pen.outline.canals
    ]
    for name, _, extent in said:
        curve = canal_of(pen.outline, name)
        length = LENGTHS.get(extent, 1.0)
        pen.path(outlines.part_of(curve, length), width=2.8)
        x, y = end = outlines.along(curve, length)
        if extent == "over":
            pen.path(circle(x, y - 1, 1.8), pen.ink.stroke, 1, "")
        elif extent == "open":
            pen.path(circle(*curve[0], 2.8), PAPER, 1.4, "")
        elif length < 1:
            pen.path(line([(x - 3.4, y), (x + 3.4, end[1])]), width=1.4, dash="")


def canal_of(outline: Outline, name: str) -> outlines.Curve:
    """The curve of a canal; one beside its neighbour when it is not among the usual ones, such as MB2."""
    if name in outline.canals:
        return outline.canals[name]
    near = next((each for each in outline.canals if name.startswith(each)), next(iter(outline.canals)))
    first, *rest, last = outline.canals[near]
    beside = [(x - 2.6, y) for x, y in rest]
    return first, beside[0], beside[1], (last[0] - 1.6, last[1] + 2)


def post(pen: Pen) -> None:
    """A thick bar in the root, and the core in the crown."""
    outline = pen.outline
    name = next((each for each in ("P", "D", "C") if each in outline.canals), next(iter(outline.canals)))
    bar = outlines.part_of(outline.canals[name], 0.62)
    n, h = outline.neck, outline.height
    core = f"M{-0.5 * n} {0.06 * h}L{0.5 * n} {0.06 * h}L{0.38 * n} {0.6 * h}L{-0.38 * n} {0.6 * h}Z"
    pen.path(bar, width=5.4)
    if pen.detail("material") == "fibre" or not pen.is_there:
        pen.path(bar, width=2.6, stroke=PAPER, dash="")
    pen.path(core, pen.fill("light" if pen.detail("material") == "fibre" else "solid"), 1.4)


def chamber(pen: Pen) -> None:
    pen.path(pen.outline.chamber, pen.fill("solid"), 1.4)


def chamber_and_canals(pen: Pen) -> None:
    chamber(pen)
    for curve in pen.outline.canals.values():
        pen.path(outlines.part_of(curve, 1), width=2.6)


def neck(pen: Pen) -> None:
    """A ragged band on the root, below the neck."""
    n = pen.outline.neck
    top = [(-n * 0.98, -1.5), (-n * 0.5, -3), (0, -2), (n * 0.5, -3.4), (n * 0.98, -1.5)]
    low = [(n * 0.93, -8), (n * 0.4, -10), (0, -7.6), (-n * 0.4, -10.4), (-n * 0.93, -8)]
    pen.path(smooth(top) + smooth(low).replace("M", "L", 1) + "Z", pen.fill(pen.kind.drawing.pattern), 1.2)


def apex(pen: Pen) -> None:
    """A circle at the end of a root, in three sizes; nobody says of which root: of the first, which is the mesial or outer one."""
    x, y = pen.outline.apices[0]
    pen.path(circle(x, y, SIZES.get(pen.detail("size"), 6.5)), pen.fill("half"), 1.8)


def apex_cut(pen: Pen) -> None:
    """Two strokes across each root near its end."""
    for x, y in pen.outline.apices:
        at = y * 0.84
        pen.path(line([(x - 6, at + 2), (x + 6, at - 2)]) + line([(x - 6, at - 1.4), (x + 6, at - 5.4)]), width=1.7)


# --- the tooth --------------------------------------------------------------------------------------------------------


def _corners(pen: Pen) -> tuple[float, float, float]:
    return pen.outline.width + 1, -pen.outline.depth * 0.78, pen.outline.height


def cross(pen: Pen) -> None:
    """Taken out: a cross; to be taken out: one stroke."""
    w, top, bottom = _corners(pen)
    pen.path(line([(-w, top), (w, bottom)]) + (line([(w, top), (-w, bottom)]) if pen.is_there else ""), width=2.8)


def gone(pen: Pen) -> None:
    """A lighter cross with the reason in letters, which stand clear of an implant planned there."""
    w, top, bottom = _corners(pen)
    pen.path(line([(-w, top), (w, bottom)]) + line([(w, top), (-w, bottom)]), width=1.8)
    reason = "Exf" if pen.kind.code == "exfoliated" else REASONS.get(pen.detail("why"), "MO")
    pen.text((0, -60), reason, 9.5)


def none(pen: Pen) -> None:
    """The tooth itself says it."""


def impacted(pen: Pen) -> None:
    """A circle round the tooth, and where its crown points."""
    x, y = IMPACTED_AT
    angle = pen.detail("angle")
    pen.path(circle(x, y, CIRCLE), width=1.8)
    if angle == "buccal":
        pen.path(circle(x, y, 2.4), pen.ink.stroke, 1)
    elif angle:
        ux, uy = outlines.direction(ANGLES.get(angle, 0))
        pen.arrow((x + ux * 12, y + uy * 12), (x + ux * CIRCLE, y + uy * CIRCLE), 2)
    pen.text((0, y + CIRCLE + 6), LIES.get(angle, ""), 7)


def fragment(pen: Pen) -> None:
    pen.text(pen.body, pen.kind.drawing.letter, 11)


def implant(pen: Pen) -> None:
    """A screw."""
    is_full = pen.is_there
    body = "M-7 0L7 0L7-5L6-7L6-42C6-48 3-51 0-51C-3-51-6-48-6-42L-6-7L-7-5Z"
    reach = 7.6 if is_full else 3.6  # the edge keeps the dashes of the status
    threads = "".join(f"M{-reach} {-y}L{reach} {-y - reach * 0.4}" for y in range(10, 46, 6))
    pen.path(body, pen.fill("solid"), 1.6)
    pen.path(threads, width=1.5, dash="", stroke=PAPER if is_full else "")
    if is_full:
        pen.path(
            "".join(f"M-8.6 {-y + 0.2}L-6 {-y - 0.5}M6 {-y - 2.6}L8.6 {-y - 3.2}" for y in range(10, 46, 6)), width=1.8
        )


def abutment(pen: Pen) -> None:
    """A post on the screw."""
    pen.path("M-6.5 0.8L6.5 0.8L5 5L4 15L-4 15L-5 5Z", pen.fill("light"), 1.8)


# --- what holds several teeth: its part on each -----------------------------------------------------------------------


def bridge(pen: Pen) -> None:
    """An abutment's or pontic's crown; a wing behind the tooth. (The bar between them: drawing.py.)"""
    if pen.entry.role(pen.key) == "wing":
        inner = pen.outline.zones["L"]
        pen.path(inner.path, pen.fill("solid"), 1.8)
        h, n = pen.outline.height, pen.outline.neck
        pen.path(f"M{-n} {0.3 * h}L{n} {0.3 * h}L{n} {0.62 * h}L{-n} {0.62 * h}Z", pen.fill("half"), 1.6)
        return
    crown(pen)


def denture(pen: Pen) -> None:
    """The teeth it replaces, and the clasps that hold it."""
    x, y = pen.outline.stand
    if pen.entry.role(pen.key) == "clasp":
        w, h = pen.outline.half[0] + 2.6, pen.outline.half[1] * 0.8
        pen.path(
            f"M{x - w * 0.5} {y + h + 2}C{x - w * 1.3} {y + h} {x - w * 1.15} {y - h} {x - w * 0.5} {y - h - 6}",
            width=2.6,
        )
        pen.path(
            f"M{x + w * 0.5} {y + h + 2}C{x + w * 1.3} {y + h} {x + w * 1.15} {y - h} {x + w * 0.5} {y - h - 6}",
            width=2.6,
        )
        return
    pen.path(pen.outline.crown, pen.fill("tint"), 1.4)
    pen.path(pen.outline.figure, pen.fill("tint"), 1.4)


def maintainer(pen: Pen) -> None:
    """A band; the loop over the gap is drawn between the teeth."""
    if pen.entry.role(pen.key) == "band":
        band(pen)


def nothing_here(pen: Pen) -> None:
    """Drawn between the teeth only."""


# --- conditions -------------------------------------------------------------------------------------------------------


def fracture(pen: Pen) -> None:
    """A zig-zag as deep as it reaches; on the surfaces too, when they are said."""
    reaches = pen.detail("class")
    w, h, r = pen.outline.width, pen.outline.height, pen.outline.depth
    if reaches == "enamel":
        corner = [(0.1, 1.04), (0.3, 0.84), (0.5, 0.86), (0.66, 0.62), (1.06, 0.56)]
        points = [(x * w * (pen.side or 1), y * h) for x, y in corner]
    elif reaches == "crack":
        points = [
            (w * 0.12, h * 0.98),
            (w * -0.06, h * 0.78),
            (w * 0.14, h * 0.6),
            (w * -0.04, h * 0.42),
            (w * 0.1, h * 0.24),
        ]
    elif reaches == "root":
        points = [(-w, -r * 0.34), (-w * 0.5, -r * 0.44), (-w * 0.1, -r * 0.32), (w * 0.3, -r * 0.46), (w, -r * 0.36)]
    else:
        y = h * (0.3 if reaches == "pulp" else 0.62)
        points = [(-w * 1.08, y + 3), (-w * 0.5, y - 4), (-w * 0.1, y + 4), (w * 0.36, y - 4), (w * 1.08, y + 2)]
    pen.path(line(points), width=3.8, stroke=PAPER)
    pen.path(line(points), width=2)
    for each in pen.zones:
        x, y = each.middle
        is_upright = each.surface in "MD"
        steps = [(-9, -2.5), (-4, 2.5), (0, -2.5), (4, 2.5), (9, -2.5)]
        points = [(x + b, y + a) if is_upright else (x + a, y + b) for a, b in steps]
        pen.path(line(points), width=1.8)
    if not pen.zones:
        pen.text((0, h * 0.12 if reaches != "root" else -r * 0.2), FRACTURED.get(reaches, ""), 6.5)


def wear(pen: Pen) -> None:
    """Waves on the zones with the kind of wear; its shape on the side view."""
    sort = pen.detail("type")
    for each in pen.zones:
        pen.path(each.path, pen.fill("wavy"), 1.2)
    pen.lettered(WORN.get(sort, ""), 7)
    w, h, n = pen.outline.width, pen.outline.height, pen.outline.neck
    if sort == "attrition":
        points = [(-w * 0.95, h * 0.82), (-w * 0.5, h * 0.9), (0, h * 0.8), (w * 0.5, h * 0.9), (w * 0.95, h * 0.82)]
        pen.path(smooth(points), width=2.2)
    elif sort == "erosion":
        pen.path(circle(0, h * 0.5, w * 0.5, h * 0.22), pen.fill("wavy"), 1.6)
    elif side := pen.side:  # a notch at the neck, where that is seen from the outside
        x = n * side
        bend = f"L{x * 0.3} 2L{x * 1.05} 7" if sort == "abfraction" else f"C{x * 0.2} -3 {x * 0.2} 7 {x * 1.05} 7"
        pen.path(f"M{x * 1.05} -4{bend}Z", pen.fill("solid"), 1.2)
    else:
        notch = line([(-n * 0.6, 1.5), (0, -3), (n * 0.6, 1.5), (0, 6)], True)
        pen.path(notch if sort == "abfraction" else circle(0, 1.5, n * 0.6, 4.2), pen.fill("solid"), 1.2)


def discolouration(pen: Pen) -> None:
    letter = pen.detail("colour")[:2].title() or "Di"
    for each in pen.zones:
        pen.path(each.path, pen.fill("tint"), 1.1)
    pen.lettered(letter, 7)


def mobility(pen: Pen) -> None:
    """A double arrow above the roots with the grade."""
    y = -79
    pen.arrow((0, y), (-13, y), 1.4)
    pen.arrow((0, y), (13, y), 1.4)
    pen.text((0, y), pen.kind.field("grade").options.get(pen.detail("grade"), ""), 8)


def furcation(pen: Pen) -> None:
    """A triangle where the roots part: outline, lined, full for the grades."""
    y = -(pen.outline.furcation or pen.outline.depth * 0.3) - 2
    style = {"1": "outline", "2": "half"}.get(pen.detail("grade"), "solid")
    pen.path(f"M-6 {y - 8}L6 {y - 8}L0 {y + 3}Z", pen.fill(style) if style != "outline" else PAPER, 1.7)


def recession(pen: Pen) -> None:
    """The gum where it is now, and how far below the neck in millimetres."""
    n = pen.outline.neck
    y = -min(float(pen.detail("mm") or 1) * outlines.DEEP, pen.outline.depth * 0.8)
    pen.path(f"M{-n - 5} {y + 5}C{-n * 0.5} {y - 2} {n * 0.5} {y - 2} {n + 5} {y + 5}", width=2)
    pen.arrow((n + 4, 1), (n + 4, min(y + 3, -5)), 1.3)
    pen.text((-n * 0.2, y - 6), pen.detail("mm"), 8)


def arrow(pen: Pen) -> None:
    """Where it went, between the two views: curved (turned), straight (moved), bent (tilted), out (over-erupted)."""
    shape = pen.kind.drawing.pattern
    if shape == "out":
        pen.path(line([(-7, LANE - 6), (7, LANE - 6)]), width=1.8)
        pen.arrow((0, LANE - 6), (0, LANE + 5))
        return
    x, y = DIRECTION.get(pen.detail("direction"), (1, 0))
    side = x or 1
    if y and shape != "straight":  # outwards or inwards: across, then up or down
        start, turn, end = (-10, LANE - 5 * y), (4, LANE - 5 * y), (4, LANE + 6 * y)
        if shape == "curved":
            pen.path(smooth([start, (-1, LANE - 5.6 * y), (3, LANE - 2.4 * y), end]), width=1.8, dash="")
            pen.arrow((4, LANE), end)
        else:
            pen.arrow(start, end, bends=[turn])
    elif shape == "curved":
        pen.path(
            f"M{-13 * side} {LANE + 5}C{-9 * side} {LANE - 6} {9 * side} {LANE - 6} {13 * side} {LANE + 4}", width=1.8
        )
        pen.path(line([(side * 8, LANE + 1.5), (13 * side, LANE + 4.5), (14.5 * side, LANE - 1.5)]), width=1.8)
    elif shape == "bent":
        pen.arrow((-9 * side, LANE + 5), (12 * side, LANE - 3), bends=[(-9 * side, LANE - 3)])
    elif y:
        pen.arrow((0, LANE - 6 * y), (0, LANE + 6 * y))
    else:
        pen.arrow((-13 * side, LANE), (13 * side, LANE))
    if shape != "straight" or y:
        surface = SURFACE_AT[x, y]
        pen.text(
            ((-5, LANE + 2.5 * y) if y and shape != "straight" else (8 * abs(y), LANE + 2)),
            teeth.letter(pen.key, surface),
            7,
        )


def icon(pen: Pen) -> None:
    """A small picture on the crown, or letters; in a frame that has the dashes of the status."""
    path, letter = ICONS.get(pen.kind.drawing.icon, ""), pen.kind.drawing.letter
    if pen.kind.drawing.icon == "band":
        band(pen)
    elif path or pen.ink.dash:
        if pen.ink.dash:  # too small for dashes itself
            pen.path(circle(*pen.body, 11.5), width=1.7)
        x, y = pen.outline.at(*pen.body)
        pen.strokes.append(Stroke(outlines.relative(path, x, y), PAPER, 1.7, ""))
    pen.text(pen.body, letter, 7 if path else 9)
    if to := DIRECTION.get(pen.detail("direction")):
        x, y = pen.outline.at(*to)
        glyph = "→" if x > 0 else "←" if x < 0 else "↓" if y > 0 else "↑"
        pen.text((0, LANE), f"{glyph} {teeth.letter(pen.key, SURFACE_AT[to])}", 7.5)


def again(pen: Pen) -> None:
    """A crown that has to be made again."""
    pen.path(pen.outline.crown, width=2.4)
    icon(pen)


def band(pen: Pen) -> None:
    """A band round the crown."""
    w, h = pen.outline.width, pen.outline.height
    pen.path(
        f"M{-w} {h * 0.34}Q0 {h * 0.44} {w} {h * 0.34}L{w} {h * 0.66}Q0 {h * 0.76} {-w} {h * 0.66}Z",
        pen.fill("diagonal"),
        1.8,
    )


def dog_ear(pen: Pen) -> None:
    """A page with a folded corner beside the number."""
    x, y = pen.outline.at(15, outlines.NUMBER)
    pen.strokes.append(
        Stroke(f"M{number(x - 4)} {number(y - 5)}h5l3 3v7h-8ZM{number(x + 1)} {number(y - 5)}v3h3", PAPER, 1.1)
    )


# Which rule draws in which layer: fillings below crowns below decay below crosses.
RULES: dict[str, tuple[int, Callable[[Pen], None]]] = {
    "zone": (3, zone),
    "filling": (1, filling),
    "inlay": (1, inlay),
    "decay": (4, decay),
    "rim": (4, rim),
    "marker": (5, marker),
    "veneer": (2, veneer),
    "crown": (2, crown),
    "canals": (1, canals),
    "post": (2, post),
    "chamber": (1, chamber),
    "chamber_and_canals": (1, chamber_and_canals),
    "neck": (3, neck),
    "apex": (1, apex),
    "apex_cut": (3, apex_cut),
    "cross": (8, cross),
    "gone": (0, gone),
    "none": (0, none),
    "impacted": (6, impacted),
    "fragment": (2, fragment),
    "implant": (1, implant),
    "abutment": (1, abutment),
    "bridge": (2, bridge),
    "denture": (2, denture),
    "maintainer": (5, maintainer),
    "bar": (0, nothing_here),
    "gap": (0, nothing_here),
    "fracture": (6, fracture),
    "wear": (3, wear),
    "discolouration": (3, discolouration),
    "mobility": (6, mobility),
    "furcation": (6, furcation),
    "recession": (6, recession),
    "arrow": (6, arrow),
    "icon": (5, icon),
    "again": (5, again),
    "dog_ear": (7, dog_ear),
}
