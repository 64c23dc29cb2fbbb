"""The shapes of teeth: our own vector work, made once per tooth from its measures.

Every tooth is drawn in one frame and then turned to its quadrant. In the frame mesial is +x, the biting edge +y, the roots -y; 0,0 is
the middle of the neck; the five-zone figure stands at +`ZONES`, with the outer surface towards the roots. One unit is one pixel of a
chart 760 wide. `Outline.put` turns paths and points of the frame to the screen.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from clinic.chart import teeth
from clinic.chart.teeth import Shape, Tooth

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]  # a cubic one: from, two handles, to

ROOT_ROOM, CROWN_ROOM = 84, 46  # from the neck to the end of the drawing, and to the longest biting edge
LANE = 53  # the middle of the lane of arrows, between side view and zones
ZONES = 82  # the middle of the five-zone figure
ASIDE = (44.0, -12.0)  # where the five-zone figure stands of a tooth outside of the row
BRACE, TAGS, NUMBER, MIDDLE = 109, 119, 130, 140  # rows towards the other jaw
WIDE, TALL, DEEP = 4.4, 4.2, 4.0  # pixels for a millimetre: across, crown, root
# Millimetres: height of the crown, length of the roots, width, width at the neck. After Wheeler's tables, rounded.
MEASURES: dict[str, tuple[float, float, float, float]] = {
    "upper1": (10.5, 13.5, 8.6, 6.6),
    "upper2": (9.2, 13.5, 6.8, 4.9),
    "upper3": (10.2, 17, 7.6, 5.6),
    "upper4": (8.6, 14, 7.2, 5.3),
    "upper5": (8.4, 14.2, 7.1, 5.2),
    "upper6": (7.7, 13.5, 10.2, 8),
    "upper7": (7.3, 12.5, 9.4, 7.5),
    "upper8": (6.8, 11.5, 8.8, 7),
    "lower1": (9, 13, 5.5, 3.9),
    "lower2": (9.4, 14, 6, 4.3),
    "lower3": (10.9, 16, 7, 5.4),
    "lower4": (8.7, 14.2, 7, 5.1),
    "lower5": (8.3, 14.6, 7.2, 5.3),
    "lower6": (7.7, 14, 10.8, 9),
    "lower7": (7.3, 13, 10.3, 8.4),
    "lower8": (7, 11.5, 9.8, 8),
    "upper primary1": (7.2, 9.5, 6.8, 5),
    "upper primary2": (6.9, 10, 5.6, 4.1),
    "upper primary3": (7.6, 12, 6.8, 5.1),
    "upper primary4": (6.3, 9.4, 7.6, 5.8),
    "upper primary5": (6.9, 10.4, 9, 7),
    "lower primary1": (6.3, 8.8, 4.9, 3.6),
    "lower primary2": (6.6, 9.4, 5.2, 3.9),
    "lower primary3": (7.2, 10.8, 5.8, 4.4),
    "lower primary4": (6.6, 9, 8, 6.4),
    "lower primary5": (6.8, 10.2, 9.6, 7.6),
}
# The crown of each form, from the mesial end of the neck round the biting edge to its distal end: fractions of half the width and of
# the height. The neck's own fraction of the width is written n.
CROWNS = {
    "central": "n 0 C n .24 1 .5 1 .8 C 1 .94 .97 .985 .84 .995 C .4 1.01 -.3 1 -.66 .98 "
    "C -.9 .965 -1.01 .85 -.99 .68 C -.97 .46 -n .22 -n 0",
    "lateral": "n 0 C n .22 1 .48 1 .74 C 1 .9 .92 .975 .72 .99 C .3 1.01 -.2 .99 -.5 .96 "
    "C -.85 .92 -1.02 .78 -1 .6 C -.97 .42 -n .2 -n 0",
    "narrow": "n 0 C n .22 .97 .55 1 .86 C 1.01 .96 .95 .99 .8 .995 C .4 1.005 -.3 1.005 -.76 .985 "
    "C -.93 .975 -1.01 .94 -1 .82 C -.97 .52 -n .22 -n 0",
    "canine": "n 0 C n .22 1.02 .4 1 .64 C .99 .74 .55 .88 .2 .985 Q .06 1.02 -.08 .98 "
    "C -.42 .88 -.93 .72 -.99 .57 C -1.03 .38 -n .2 -n 0",
    "premolar": "n 0 C n .2 1 .36 1 .58 C .99 .74 .56 .86 .22 .98 Q 0 1.05 -.22 .97 C -.56 .86 -.99 .72 -1 .55 C -1 .34 -n .2 -n 0",
    "upper molar": "n 0 C n .18 1 .32 1 .56 C 1 .74 .88 .86 .7 .96 Q .5 1.05 .34 .95 C .2 .87 .1 .82 0 .81 C -.12 .82 -.22 .86 -.36 .93 "
    "Q -.54 1.01 -.72 .91 C -.92 .8 -1 .7 -1 .54 C -1 .32 -n .18 -n 0",
    "lower molar": "n 0 C n .18 1 .32 1 .54 C 1 .74 .9 .88 .74 .97 Q .56 1.05 .4 .95 C .3 .88 .24 .85 .18 .85 C .1 .86 .04 .92 -.06 .98 "
    "Q -.2 1.04 -.34 .95 C -.42 .89 -.48 .87 -.52 .87 C -.58 .88 -.62 .92 -.7 .93 Q -.82 .94 -.88 .84 "
    "C -.97 .72 -1 .64 -1 .52 C -1 .32 -n .18 -n 0",
    "lower second": "n 0 C n .18 1 .32 1 .54 C 1 .74 .88 .86 .72 .96 Q .5 1.05 .34 .95 "
    "C .2 .88 .1 .84 0 .83 C -.12 .84 -.22 .88 -.34 .95 "
    "Q -.5 1.03 -.7 .94 C -.9 .84 -1 .7 -1 .52 C -1 .32 -n .18 -n 0",
}  # fmt: skip
# How round the five-zone figure is: half width, half height, corner, and the same of the zone in the middle.
FIGURES = {
    Shape.MOLAR: (21.0, 21.5, 8.0, 10.0, 10.0, 3.5),
    Shape.PREMOLAR: (18.0, 21.0, 9.0, 8.0, 9.0, 4.0),
    Shape.CANINE: (16.5, 19.0, 11.0, 8.5, 5.5, 4.5),
    Shape.INCISOR: (16.5, 17.5, 9.0, 9.5, 4.5, 4.0),
}
TOKEN = re.compile(r"([MCLQZ])|(-?\d*\.?\d+(?:e-?\d+)?)")


@lru_cache(maxsize=100_000)
def number(value: float) -> str:
    text = f"{value:z.1f}"  # no -0: it is kept under 0 too
    return text[:-2] if text.endswith(".0") else text


@lru_cache(maxsize=20_000)
def moved(path: str, sx: float = 1, sy: float = 1, dx: float = 0, dy: float = 0) -> str:
    """A path of M, C, L, Q and Z (absolute) after scaling and moving."""
    said: list[str] = []
    is_x = True
    letter = ""
    for command, value in TOKEN.findall(path):
        if command:
            letter = command
            is_x = True
            continue
        text = number(float(value) * (sx if is_x else sy) + (dx if is_x else dy))
        said.append(f"{letter}{text}" if letter else text if text[0] == "-" else f" {text}")
        letter, is_x = "", not is_x
    return "".join(said) + ("Z" if letter == "Z" else "")


def line(points: Iterable[Point], closed: bool = False) -> str:
    """A path of straight lines."""
    text = "".join(f"{'L' if at else 'M'}{number(x)} {number(y)}" for at, (x, y) in enumerate(points))
    return text + "Z" if closed else text


def smooth(points: Sequence[Point], closed: bool = False) -> str:
    """A soft path through points (Catmull and Rom)."""
    count = len(points)
    x, y = points[0]
    said = [f"M{number(x)} {number(y)}"]
    for at in range(count if closed else count - 1):
        before, here, there, after = (
            points[(at + step) % count if closed else min(max(at + step, 0), count - 1)] for step in (-1, 0, 1, 2)
        )
        handles = (
            here[0] + (there[0] - before[0]) / 6,
            here[1] + (there[1] - before[1]) / 6,
            there[0] - (after[0] - here[0]) / 6,
            there[1] - (after[1] - here[1]) / 6,
        )
        said.append("C" + " ".join(number(value) for value in (*handles, *there)))
    return "".join(said) + ("Z" if closed else "")


def turned(path: str, angle: float, scale: float, dx: float, dy: float, about: Point = (0.0, 0.0)) -> str:
    """A path after turning it about a point (degrees, from +y towards +x), scaling it, and moving that point."""
    c, s = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    said: list[str] = []
    pending: float | None = None
    letter = ""
    for command, value in TOKEN.findall(path):
        if command:
            letter = command
        elif pending is None:
            pending = float(value) - about[0]
        else:
            x, y = pending, float(value) - about[1]
            said.append(f"{letter or ' '}{number(x * c + y * s + dx)} {number(y * c - x * s + dy)}")
            pending, letter = None, ""
    return "".join(said) + ("Z" if letter == "Z" else "")


def circle(x: float, y: float, rx: float, ry: float | None = None) -> str:
    """A circle or ellipse of four curves."""
    ry = rx if ry is None else ry
    a, b = rx * 0.552, ry * 0.552
    return (
        f"M{x - rx} {y}C{x - rx} {y - b} {x - a} {y - ry} {x} {y - ry}C{x + a} {y - ry} {x + rx} {y - b} {x + rx} {y}"
        f"C{x + rx} {y + b} {x + a} {y + ry} {x} {y + ry}C{x - a} {y + ry} {x - rx} {y + b} {x - rx} {y}Z"
    )


def box(left: float, top: float, right: float, bottom: float) -> str:
    return f"M{left} {top}L{right} {top}L{right} {bottom}L{left} {bottom}Z"


def on_curve(curve: Curve, t: float) -> Point:
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = curve
    u = 1 - t
    a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
    return a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy


@lru_cache(maxsize=1000)
def part_of(curve: Curve, share: float) -> str:
    """A curve from its beginning to a share of its length; beyond 1 straight on."""
    points = [on_curve(curve, at / 12) for at in range(13)]
    lengths = [math.dist(*pair) for pair in zip(points, points[1:], strict=False)]
    if share > 1:
        (px, py), (x, y) = points[-2], points[-1]
        on = (share - 1) * sum(lengths) / (math.dist((px, py), (x, y)) or 1)
        return smooth([*points[::3], (x + (x - px) * on, y + (y - py) * on)])
    left, walked = share * sum(lengths), [points[0]]
    for here, there, length in zip(points, points[1:], lengths, strict=False):
        if left <= length:
            f = left / (length or 1)
            walked.append((here[0] + (there[0] - here[0]) * f, here[1] + (there[1] - here[1]) * f))
            break
        walked.append(there)
        left -= length
    return smooth(walked)


def along(curve: Curve, share: float) -> Point:
    """Where a share of a curve ends."""
    numbers = [float(value) for _, value in TOKEN.findall(part_of(curve, share)) if value]
    return numbers[-2], numbers[-1]


def direction(angle: float) -> Point:
    """The unit vector of an angle as `turned` understands it: 0 towards +y, 90 towards +x."""
    return math.sin(math.radians(angle)), math.cos(math.radians(angle))


def relative(path: str, x: float, y: float) -> str:
    """A small picture drawn round 0,0 (any commands, capital letters) at a point of the screen."""
    said = []
    for command, numbers in re.findall(r"([A-Z])([^A-Z]*)", path):
        values = [float(value) for value in re.findall(r"-?\d*\.?\d+", numbers)]
        if command == "A":
            moving = [values[at] + (x if at % 7 == 5 else y if at % 7 == 6 else 0) for at in range(len(values))]
        elif command in "HV":
            moving = [value + (x if command == "H" else y) for value in values]
        else:
            moving = [value + (y if at % 2 else x) for at, value in enumerate(values)]
        said.append(command + " ".join(number(value) for value in moving))
    return "".join(said)


@dataclass(frozen=True)
class Zone:
    """One of the five: its stored surface, its path and its middle in the frame, and points round its edge."""

    surface: str
    path: str
    middle: Point
    edge: tuple[Point, ...]


@dataclass(frozen=True, eq=False)
class Outline:
    """A tooth in the frame. `back`: a root behind the others. `width`, `neck`: halves."""

    key: str
    is_primary: bool
    shape: Shape
    sx: int
    sy: int
    width: float
    neck: float
    height: float
    depth: float
    furcation: float  # of a tooth with several roots: how far from the neck they part; else 0
    crown: str
    biting: str  # the crown's edge without its neck
    roots: str
    back: str
    chamber: str
    canals: dict[str, Curve]
    figure: str
    grid: str
    zones: dict[str, Zone]
    stand: Point  # the middle of the figure
    half: Point  # of the figure: half width, half height
    centre: Point  # the same of the zone in the middle

    def put(self, path: str) -> str:
        return moved(path, self.sx, self.sy)

    def at(self, x: float, y: float) -> Point:
        return x * self.sx, y * self.sy

    @cached_property
    def apices(self) -> list[Point]:
        return [curve[3] for curve in self.canals.values()]

    @cached_property
    def shown(self) -> dict[str, str]:
        """The anatomy on the screen, by part."""
        parts = {
            "crown": self.crown,
            "roots": self.roots,
            "back": self.back,
            "chamber": self.chamber,
            "canals": "".join(
                "M{} {}C{} {} {} {} {} {}".format(*(number(value) for point in curve for value in point))
                for curve in self.canals.values()
            ),
            "figure": self.figure,
            "grid": self.grid,
        }
        return {name: self.put(path) for name, path in parts.items()} | {
            zone.surface: self.put(zone.path) for zone in self.zones.values()
        }


@cache
def outline(key: str) -> Outline:
    """The shapes of a tooth, turned to its quadrant. Raises KeyError for a supernumerary (see `aside`)."""
    one = teeth.tooth(key)
    return _shaped(one, MEASURES[_jaw(one) + key[1]])


@cache
def aside(key: str, kind: str = "") -> Outline:
    """The shapes of a tooth outside of the row, its five zones beside it: of a supernumerary at the place of a tooth, a cone when it is a
    mesiodens; of a primary tooth that stayed."""
    one = teeth.tooth(key)
    if kind == "mesiodens":
        one = teeth.tooth(one.place[0] + "2")
        return _shaped(one, (8, 12, 5.4, 4.2), form="canine", shape=Shape.CANINE, stand=ASIDE)
    return _shaped(one, MEASURES[_jaw(one) + key[1]], stand=ASIDE)


def _jaw(one: Tooth) -> str:
    return ("upper" if one.is_upper else "lower") + (" primary" if one.is_primary else "")


def _form(one: Tooth) -> str:
    number_of = int(one.key[1])
    if one.shape is Shape.INCISOR:
        return ("central" if number_of == 1 else "lateral") if one.is_upper else "narrow"
    if one.shape is Shape.MOLAR:
        if one.is_upper:
            return "upper molar"
        return "lower molar" if number_of in (5, 6) else "lower second"
    return str(one.shape)


def _shaped(
    one: Tooth,
    measures: tuple[float, float, float, float],
    form: str = "",
    shape: Shape | None = None,
    stand: Point = (0.0, ZONES),
) -> Outline:
    shape = shape or one.shape
    tall, deep, across, neck = measures
    wide, high, low = (4.3 if shape is Shape.MOLAR else 4.8, 4.5, 3.8) if one.is_primary else (WIDE, TALL, DEEP)
    w, h, r = across * wide / 2, tall * high, deep * low
    n = neck * wide / 2
    biting = "M " + CROWNS[form or _form(one)]
    biting = re.sub(r"(?<![\w.])(-?)n\b", lambda found: f"{found[1]}{n / w:.3f}", biting)
    biting = moved(biting, w, h)
    dip = 0.045 if shape is Shape.MOLAR else 0.11
    crown = biting + moved(f"C -.55 {-dip} .55 {-dip} 1 0Z", n, h).removeprefix("M")
    roots, back, canals, furcation = _roots(one, shape, n, r, h)
    chamber = _chamber(shape, w, n, h, furcation)
    half_width, half_height, corner, inner_width, inner_height, inner_corner = FIGURES[shape]
    if one.is_primary:
        half_width, half_height = half_width * 0.94, half_height * 0.9
    if shape is Shape.INCISOR and not one.is_upper:
        half_width -= 1.5
    zones, figure, grid = _zones((half_width, half_height, corner), (inner_width, inner_height, inner_corner), stand)
    sx = 1 if one.mesial_is_right else -1
    return Outline(
        key=one.key,
        is_primary=one.is_primary,
        shape=shape,
        sx=sx,
        sy=1 if one.is_upper else -1,
        width=w,
        neck=n,
        height=h,
        depth=r,
        furcation=furcation,
        crown=crown,
        biting=biting,
        roots=roots,
        back=back,
        chamber=chamber,
        canals=canals,
        figure=figure,
        grid=grid,
        zones=zones,
        stand=stand,
        half=(half_width, half_height),
        centre=(inner_width, inner_height),
    )


def _single(left: float, right: float, apex: Point, blunt: float) -> str:
    """A root from the neck to its apex and back."""
    x, y = apex
    return (
        f"M{right} 2C{right * 0.98} {y * 0.36} {x + blunt * 2.1} {y * 0.72} {x + blunt} {y + blunt}"
        f"Q{x + blunt * 0.4} {y} {x} {y}Q{x - blunt * 0.6} {y} {x - blunt} {y + blunt}"
        f"C{x - blunt * 2.3} {y * 0.7} {left * 0.97} {y * 0.36} {left} 2Z"
    )


def _pair(n: float, mesial: Point, distal: Point, fork: Point, blunt: float) -> str:
    """Two roots that part at the fork, as one outline."""
    (mx, my), (dx, dy), (fx, fy) = mesial, distal, fork
    b = blunt
    return (
        f"M{n} 2C{n * 1.06} {my * 0.3} {mx + b * 2.4} {my * 0.68} {mx + b * 0.9} {my + b}Q{mx + b * 0.4} {my} {mx} {my}"
        f"Q{mx - b * 0.8} {my} {mx - b * 1.1} {my + b * 1.2}C{mx - b * 2.2} {my * 0.76} {fx + n * 0.22} {fy * 1.02} {fx} {fy}"
        f"C{fx - n * 0.22} {fy * 1.02} {dx + b * 1.8} {dy * 0.76} {dx + b} {dy + b * 1.2}Q{dx + b * 0.7} {dy} {dx} {dy}"
        f"Q{dx - b * 0.5} {dy} {dx - b} {dy + b}C{dx - b * 2} {dy * 0.68} {-n * 1.04} {dy * 0.3} {-n} 2Z"
    )


def _roots(one: Tooth, shape: Shape, n: float, r: float, h: float) -> tuple[str, str, dict[str, Curve], float]:
    """Outline of the roots, of the one behind, canals by letter, depth of the furcation."""
    flare = 1.5 if one.is_primary else 1.0
    if shape is Shape.MOLAR:
        close = {"6": 1.0, "7": 0.86, "8": 0.66}.get(one.key[1], 1.0) if not one.is_primary else 1.0
        fork = 0.16 * r if one.is_primary else (0.3 + (1 - close) * 0.3) * r
        if one.is_upper:
            mesial, distal = (0.62 * n * close * flare, -0.9 * r), (-0.86 * n * close * flare, -0.86 * r)
            palatal = (-0.06 * n, -r)
            shape_of = _pair(n, mesial, distal, (-0.04 * n, -fork), 2.6)
            back = _single(-n * 0.62, n * 0.56, palatal, 3.4)
            canals = {
                "MB": _canal(0.42 * n, 0.18 * h, mesial, fork, 0.7 * n),
                "DB": _canal(-0.42 * n, 0.18 * h, distal, fork, -0.72 * n),
                "P": _canal(0, 0.18 * h, palatal, fork, 0),
            }
            return shape_of, back, canals, fork
        mesial, distal = (0.46 * n * close * flare, -r), (-0.78 * n * close * flare, -0.95 * r)
        shape_of = _pair(n, mesial, distal, (-0.02 * n, -fork), 2.9)
        mb, ml = (mesial[0] + 1.6, mesial[1] + 1), (mesial[0] - 1.2, mesial[1] + 1.5)
        canals = {
            "MB": _canal(0.5 * n, 0.18 * h, mb, fork, 0.68 * n),
            "ML": _canal(0.3 * n, 0.18 * h, ml, fork, 0.46 * n),
            "D": _canal(-0.42 * n, 0.18 * h, distal, fork, -0.66 * n),
        }
        return shape_of, "", canals, fork
    if one.roots == 2:  # the upper first premolar
        outer, inner = (0.36 * n, -r), (-0.5 * n, -0.96 * r)
        fork = 0.5 * r
        canals = {
            "B": _canal(0.22 * n, 0.2 * h, outer, fork, 0.42 * n),
            "P": _canal(-0.22 * n, 0.2 * h, inner, fork, -0.44 * n),
        }
        return _pair(n, outer, inner, (-0.04 * n, -fork), 2.4), "", canals, fork
    apex = (-0.12 * n - 0.6, -r)
    names = one.canals if len(one.canals) == 1 else ("C",)
    return (
        _single(-n, n, apex, 2.2 if n < 10 else 2.7),
        "",
        {names[0]: ((0.0, 0.3 * h), (0.03 * n, -0.25 * r), (0.06 * n, -0.7 * r), (apex[0], apex[1] + 1))},
        0,
    )


def _canal(x: float, y: float, apex: Point, fork: float, through: float) -> Curve:
    return (
        (x, y),
        (through * 1.02, -fork * 0.9),
        (apex[0] + (through - apex[0]) * 0.62, apex[1] * 0.66),
        (apex[0], apex[1] + 1),
    )


def _chamber(shape: Shape, w: float, n: float, h: float, fork: float) -> str:
    """The pulp inside of the crown."""
    if shape is Shape.MOLAR:
        return (
            f"M{0.56 * n} {-0.16 * fork}C{0.6 * n} {0.1 * h} {0.56 * n} {0.3 * h} {0.52 * n} {0.46 * h}"
            f"C{0.4 * n} {0.3 * h} {0.2 * n} {0.24 * h} 0 {0.24 * h}C{-0.2 * n} {0.24 * h} {-0.4 * n} {0.3 * h} {-0.52 * n} {0.44 * h}"
            f"C{-0.56 * n} {0.3 * h} {-0.6 * n} {0.1 * h} {-0.56 * n} {-0.16 * fork}"
            f"C{-0.3 * n} {-0.02 * fork} {0.3 * n} {-0.02 * fork} {0.56 * n} {-0.16 * fork}Z"
        )
    if fork:
        return (
            f"M{0.36 * n} {-0.3 * fork}C{0.42 * n} 0 {0.36 * n} {0.3 * h} {0.2 * n} {0.5 * h}Q0 {0.36 * h} {-0.2 * n} {0.48 * h}"
            f"C{-0.36 * n} {0.3 * h} {-0.42 * n} 0 {-0.36 * n} {-0.3 * fork}Q0 {-0.1 * fork} {0.36 * n} {-0.3 * fork}Z"
        )
    if shape is Shape.INCISOR:
        return (
            f"M{0.1 * n} {-0.6 * h}C{0.2 * n} {-0.2 * h} {0.34 * n} {0.2 * h} {0.32 * w} {0.56 * h}"
            f"Q0 {0.46 * h} {-0.32 * w} {0.54 * h}C{-0.34 * n} {0.2 * h} {-0.2 * n} {-0.2 * h} {-0.06 * n} {-0.6 * h}Z"
        )
    return (
        f"M{0.1 * n} {-0.7 * h}C{0.3 * n} {-0.2 * h} {0.36 * n} {0.25 * h} {0.04 * w} {0.62 * h}"
        f"C{-0.36 * n} {0.25 * h} {-0.3 * n} {-0.2 * h} {-0.06 * n} {-0.7 * h}Z"
    )


# --- the biting view --------------------------------------------------------------------------------------------------


def _round_box(w: float, h: float, corner: float) -> list[list[Point]]:
    """The edge of a rounded box in four parts, each from the middle of one corner to the middle of the next: outer (top), distal
    or mesial (right), inner (bottom), left."""
    corner = min(corner, w, h)

    def arc(cx: float, cy: float, start: float, end: float) -> list[Point]:
        steps = 3
        angles = [math.radians(start + (end - start) * at / steps) for at in range(steps + 1)]
        return [(cx + corner * math.cos(angle), cy + corner * math.sin(angle)) for angle in angles]

    x, y = w - corner, h - corner
    return [
        arc(-x, -y, 225, 270) + arc(x, -y, 270, 315),
        arc(x, -y, 315, 360) + arc(x, y, 0, 45),
        arc(x, y, 45, 90) + arc(-x, y, 90, 135),
        arc(-x, y, 135, 180) + arc(-x, -y, 180, 225),
    ]


def _edge(points: Sequence[Point], w: float, h: float, corner: float, begin: str = "M") -> str:
    """A quarter of a rounded box as a path: two half corners with a line between, each a curve."""
    corner = min(corner, w, h)
    half = len(points) // 2

    def bend(arc: Sequence[Point]) -> str:
        (ax, ay), (dx, dy) = arc[0], arc[-1]
        # The handles of an eighth of a circle stand on its tangents, 0.265 of the radius away.
        cx, cy = _centre(arc, corner)
        k = 0.2652
        sign = 1 if (ax - cx) * (dy - cy) - (ay - cy) * (dx - cx) > 0 else -1
        handles = (
            ax - sign * k * (ay - cy),
            ay + sign * k * (ax - cx),
            dx + sign * k * (dy - cy),
            dy - sign * k * (dx - cx),
        )
        return "C" + " ".join(number(value) for value in (*handles, dx, dy))

    (x, y), (ux, uy) = points[0], points[half]
    return f"{begin}{number(x)} {number(y)}{bend(points[:half])}L{number(ux)} {number(uy)}{bend(points[half:])}"


def _centre(arc: Sequence[Point], radius: float) -> Point:
    (ax, ay), (bx, by) = arc[0], arc[-1]
    mx, my = (ax + bx) / 2, (ay + by) / 2
    length = math.dist((ax, ay), (bx, by)) or 1
    off = math.sqrt(max(radius * radius - length * length / 4, 0))
    # The centre lies towards the middle of the box.
    nx, ny = -(by - ay) / length, (bx - ax) / length
    first, second = (mx + nx * off, my + ny * off), (mx - nx * off, my - ny * off)
    return min(first, second, key=lambda point: math.hypot(*point))


def _zones(
    rim_measures: tuple[float, float, float], core_measures: tuple[float, float, float], stand: Point
) -> tuple[dict[str, Zone], str, str]:
    """The zones by surface, the figure's edge, and the lines inside of it; all of them where it stands."""
    (w, h, _), (iw, ih, _) = rim_measures, core_measures
    x, y = stand
    outer, inner = _round_box(*rim_measures), _round_box(*core_measures)
    found: dict[str, Zone] = {}
    middles = ((0.0, -(h + ih) / 2), ((w + iw) / 2, 0.0), (0.0, (h + ih) / 2), (-(w + iw) / 2, 0.0))
    for surface, rim, core, (mx, my) in zip(
        "BMLD", outer, inner, middles, strict=True
    ):  # top, right, bottom, left of the frame
        path = _edge(rim, *rim_measures) + _edge(core[::-1], *core_measures, "L") + "Z"
        edge = tuple((px + x, py + y) for px, py in (*rim, *core[::-1]))
        found[surface] = Zone(surface, moved(path, dx=x, dy=y), (mx + x, my + y), edge)
    centre = "".join(_edge(part, *core_measures, "L" if at else "M") for at, part in enumerate(inner)) + "Z"
    found["O"] = Zone(
        "O", moved(centre, dx=x, dy=y), stand, tuple((px + x, py + y) for part in inner for px, py in part[:-1])
    )
    figure = "".join(_edge(part, *rim_measures, "L" if at else "M") for at, part in enumerate(outer)) + "Z"
    spokes = "".join(line((rim[0], core[0])) for rim, core in zip(outer, inner, strict=True))
    return (
        {surface: found[surface] for surface in teeth.SURFACES},
        moved(figure, dx=x, dy=y),
        moved(spokes, dx=x, dy=y) + moved(centre, dx=x, dy=y),
    )
