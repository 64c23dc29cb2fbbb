"""A mouth as a drawing, in plain data: teeth, and on them a mark for each entry, with geometry as path text. No HTML, nothing stored.

`drawing_of` is all others need. Every entry that holds is among the marks or told by the shape of its tooth (`ToothDrawn.told`), or it
is in `Drawing.undrawn` with the reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from clinic.chart import marks as rules
from clinic.chart import outlines, teeth, words
from clinic.chart.entry import Entry
from clinic.chart.kinds import Group, Kind, Presence, Scope, Status
from clinic.chart.legends import PAPER, Legend, legend_of
from clinic.chart.marks import Letters, Mark, Pen, Stroke, letters, mark_of
from clinic.chart.mouth import Mouth
from clinic.chart.outlines import Outline, Point, number
from clinic.chart.teeth import Numbering

WIDTH = 760
MARGIN, MIDLINE = 14, 4  # beside the columns; between the halves
COLUMNS = {"1": 44, "2": 41, "3": 43, "4": 43, "5": 43, "6": 50, "7": 50, "8": 50}
JAW = outlines.ROOT_ROOM + outlines.MIDDLE  # from the end of the roots to the middle between the jaws
TOP = 15  # the jaw's name, outside of the roots
EXTRA_ROOM, EXTRA_SIZE, EXTRA_NECK = (
    76,
    0.62,
    46,
)  # the row of extra teeth: its height, their scale, where their necks are
BENEATH_SIZE = 0.5  # of a successor under a primary tooth
UNERUPTED_SIZE = 0.84
WORD, FAINT, EDGE, GUM, PINK = "#2b3440", "#c3c8cf", "#6b7480", "#cf8f86", "#f3cfc8"
ENAMEL, DENTINE, PULP = "#fffefa", "#f7eedd", "#f0c6be"
SIGNS = {"added": ("+", "#174f9c", ""), "removed": ("−", "#8f5600", "6 4"), "changed": ("±", "#6a3da8", "0.1 4")}
# What of a tooth a close picture shows, from the neck of its frame.
VIEWS = {
    "zones": (outlines.ZONES - 25, outlines.ZONES + 25),
    "side": (-outlines.ROOT_ROOM, 50),
    "crown": (-14, 50),
    "crown and root": (-44, 40),
    "lane": (8, 64),
    "extra": (-EXTRA_NECK, EXTRA_ROOM - EXTRA_NECK),
    "brace": (outlines.ZONES - 24, outlines.BRACE + 8),
    "number": (outlines.NUMBER - 14, outlines.NUMBER + 14),
}
FIGURE_STROKES = 2  # how many strokes are the five zones; they are the last of a body
# Sorts of extra teeth as they are written beside them.
SORTS = {"mesiodens": "mesio", "paramolar": "para", "distomolar": "disto", "supplemental": "suppl"}
# Kinds that speak of a place rather than of the tooth in it: drawn whether the tooth is there or not.
OF_THE_PLACE = frozenset({"note", "diastema", "crowding", "supernumerary"})


class ZoneDrawn(NamedTuple):
    surface: str
    letter: str
    d: str


class Compared(NamedTuple):
    word: str
    stroke: str
    dash: str
    sign: Letters


@dataclass(frozen=True)
class ToothDrawn:
    """One tooth. `x`, `y`, `scale`: where its frame stands on the chart. `told`: the entry that its shape itself tells, or 0."""

    key: str
    label: str
    presence: Presence
    column: int
    x: str
    y: str
    scale: float
    hit: str  # the path of all that can be touched
    body: tuple[Stroke, ...]
    told: int
    zones: tuple[ZoneDrawn, ...]
    marks: tuple[Mark, ...]
    letters: tuple[Letters, ...]  # its number, and a status letter for each treatment
    compared: Compared | None


@dataclass(frozen=True)
class Row:
    """A row of the grid that a screen reader walks: a jaw."""

    name: str
    teeth: tuple[ToothDrawn, ...]


@dataclass(frozen=True)
class Drawing:
    mouth: Mouth
    prefix: str
    legend: Legend
    numbering: Numbering
    rows: tuple[Row, ...]
    objects: tuple[Mark, ...]
    lines: tuple[Stroke, ...]
    labels: tuple[Letters, ...]
    undrawn: Mapping[int, str] = field(default_factory=dict)
    box: tuple[str, str, str, str] = ("0", "0", "760", "480")  # what of the chart is shown: x, y, width, height
    is_part: bool = False  # a picture beside words, rather than a chart one walks and touches
    is_close: bool = False  # a small part of a tooth, for a key

    @property
    def size(self) -> tuple[str, str]:
        """How large a part stands beside words: width and height in pixels. A close one is as high as two lines."""
        width, height = float(self.box[2]), float(self.box[3])
        scale = min(80 / width, 44 / height) if self.is_close else 1
        return number(width * scale), number(height * scale)

    @property
    def teeth(self) -> Iterator[ToothDrawn]:
        return (tooth for row in self.rows for tooth in row.teeth)

    @property
    def marks(self) -> Iterator[Mark]:
        yield from (mark for tooth in self.teeth for mark in tooth.marks)
        yield from self.objects

    @property
    def drawn(self) -> set[int]:
        """The entries one can see."""
        return {mark.entry for mark in self.marks} | {tooth.told for tooth in self.teeth if tooth.told}


def drawing_of(
    mouth: Mouth,
    *,
    legend: str = "neutral",
    numbering: Numbering | str = Numbering.FDI,
    marks: Mapping[str, str] | None = None,
    prefix: str = "",
    only: Iterable[str] = (),
    view: str = "",
) -> Drawing:
    """The drawing of a mouth. `marks`: tooth to `added`, `removed` or `changed`, when two charts are compared. `prefix`: before every
    id, when two charts stand on one page. `only`: of these teeth, a picture beside words; `view`: of VIEWS, how
    much of it."""
    return _Board(mouth, legend_of(legend), Numbering(numbering), marks or {}, prefix, frozenset(only), view).drawing()


def column_x(place: str) -> float:
    """The middle of the column of a permanent position."""
    out = sum(COLUMNS[str(each)] for each in range(1, int(place[1]) + 1)) - COLUMNS[place[1]] / 2 + MIDLINE / 2
    return WIDTH / 2 - out if place[0] in "14" else WIDTH / 2 + out


class _Frame(NamedTuple):
    """Where the frame of a tooth stands on the chart."""

    x: float
    y: float
    scale: float
    outline: Outline

    def at(self, x: float, y: float) -> Point:
        px, py = self.outline.at(x, y)
        return self.x + px * self.scale, self.y + py * self.scale


class _Board:
    """Everything of one drawing while it is made."""

    def __init__(
        self,
        mouth: Mouth,
        legend: Legend,
        numbering: Numbering,
        compared: Mapping[str, str],
        prefix: str,
        only: frozenset[str],
        view: str,
    ) -> None:
        self.view = view
        self.mouth, self.legend, self.numbering, self.compared, self.prefix = mouth, legend, numbering, compared, prefix
        self.only = {teeth.tooth(key).place for key in only if teeth.is_tooth(key)}
        self.extra_only = {key for key in only if teeth.is_extra(key)}
        self.why: dict[int, str] = {}  # why an entry is not seen on one of its teeth
        self.frames: dict[str, _Frame] = {}
        self.order = {id(entry): at for at, entry in enumerate(mouth.entries)}

    @property
    def is_part(self) -> bool:
        return bool(self.only or self.extra_only)

    def drawing(self) -> Drawing:
        extras = {True: self._outside(True), False: self._outside(False)}
        above, below = (EXTRA_ROOM if extras[upper] else 0 for upper in (True, False))
        middle = TOP + above + JAW
        height = middle + JAW + below + TOP
        necks = {True: TOP + above + outlines.ROOT_ROOM, False: middle + outlines.MIDDLE}
        rows = []
        lines: list[Stroke] = []
        for upper, name, places in ((True, "Upper", teeth.UPPER), (False, "Lower", teeth.LOWER)):
            found: list[ToothDrawn] = []
            for place in places:
                if not self.is_part or place in self.only:
                    found += self._place(place, necks[upper])
            neck = TOP + EXTRA_NECK if upper else height - TOP - EXTRA_NECK
            found += self._extras(extras[upper], neck, necks[upper], upper, lines)
            rows.append(Row(name, tuple(found)))
        objects = tuple(self._objects(necks))
        labels = (
            letters(WIDTH / 2, 8, "Upper", 9, EDGE),
            letters(WIDTH / 2, height - 8, "Lower", 9, EDGE),
            letters(7, middle, "R", 12, EDGE),
            letters(WIDTH - 7, middle, "L", 12, EDGE),
        )
        if not self.is_part:
            lines.append(Stroke(f"M16 {number(middle)}L744 {number(middle)}", stroke="#e3e7ec", width=1))
        seen = {mark.entry for row in rows for tooth in row.teeth for mark in tooth.marks}
        seen |= {tooth.told for row in rows for tooth in row.teeth} | {mark.entry for mark in objects}
        undrawn = {
            entry.id: self.why.get(entry.id, "Its tooth is not in this picture.")
            for entry in self.mouth.entries
            if entry.id not in seen
        }
        return Drawing(
            self.mouth,
            self.prefix,
            self.legend,
            self.numbering,
            tuple(rows),
            objects,
            () if self.view else tuple(lines),
            () if self.is_part else labels,
            undrawn,
            self._box(height, middle),
            self.is_part,
            bool(self.view),
        )

    def _box(self, height: float, middle: float) -> tuple[str, str, str, str]:
        """The whole chart; of some teeth their columns, in the jaws they are in."""
        if not self.is_part:
            return "0", "0", number(WIDTH), number(height)
        frames = [frame for frame in self.frames.values() if frame.scale == 1 or self.extra_only] or list(
            self.frames.values()
        )
        uppers = {frame.outline.sy > 0 for frame in frames}
        left = min(frame.x for frame in frames) - (40 if self.extra_only else 27)
        right = max(frame.x for frame in frames) + (40 if self.extra_only else 27)
        top, low = 0 if True in uppers else middle, height if False in uppers else middle
        if self.view == "extra":
            frames = [frame for frame in frames if frame.scale == EXTRA_SIZE]
            x = frames[0].at(24, 0)[0]
            left, right = x - 36, x + 36
        if self.view and len(uppers) == 1:
            neck, side = frames[0].y, frames[0].outline.sy
            top, low = sorted(neck + side * row for row in VIEWS[self.view])
        return number(left), number(top), number(right - left), number(low - top)

    # --- teeth --------------------------------------------------------------------------------------------------------

    def _place(self, place: str, neck: float) -> Iterator[ToothDrawn]:
        """What one sees at a position: its occupant, and the successor beneath a primary tooth."""
        key = self.mouth.occupant(place)
        x, sy = column_x(place), outlines.outline(place).sy
        if key != place and place in self.mouth.keys and not self.view:
            outline = outlines.outline(place)
            tip = 24 if outlines.outline(key).shape is teeth.Shape.MOLAR else 34
            down = neck - sy * (tip + outline.height * BENEATH_SIZE)
            yield self._tooth(place, place, _Frame(x, down, BENEATH_SIZE, outline), beneath=True)
        tooth = self._tooth(key, place, _Frame(x, neck, 1, outlines.outline(key)))
        gone = teeth.tooth(place).predecessor if key == place else None
        yield self._after(tooth, gone) if gone and self.mouth.on(gone) else tooth

    def _after(self, tooth: ToothDrawn, gone: str) -> ToothDrawn:
        """A permanent tooth whose predecessor has gone: while it has not erupted itself, the empty place says what became of that."""
        last = [entry for entry in self.mouth.seen(gone) if self.mouth.kinds[entry.kind].presence is not None]
        if self.mouth.presence(gone).is_gone:
            for entry in self.mouth.on(gone):
                if entry not in last[-1:] or tooth.presence.has_crown:
                    self.why.setdefault(entry.id, f"{teeth.shown(tooth.key, self.numbering)} stands in its place now.")
        if not last or not last[-1].status.is_there or tooth.presence.has_crown:
            return tooth
        entry = last[-1]
        ink = self.legend.ink(entry.status, entry.kind)
        x, y = outlines.outline(tooth.key).at(0, outlines.ZONES)
        said = {"extraction": "X", "exfoliated": "Exf"}.get(entry.kind, "MO")
        text = letters(x, y, f"{teeth.shown(gone, self.numbering)} {said}", 7.5, ink.stroke, PAPER)
        mark = mark_of(entry, ink, (), (text,), 8)
        told = words.sentence(entry, numbering=self.numbering, kinds=self.mouth.kinds)
        return replace(tooth, marks=(*tooth.marks, mark), label=f"{tooth.label} {told}." if tooth.label else "")

    def _tooth(self, key: str, place: str, frame: _Frame, beneath: bool = False, extra: bool = False) -> ToothDrawn:
        outline, presence = frame.outline, self.mouth.presence(key)
        self.frames[key] = frame
        entries = self.mouth.on(key)
        last = self.mouth.seen(key)
        pontic = any(
            entry.role(key) == "pontic" and (entry.status.is_there or entry.status is Status.IN_PROCESS)
            for entry in entries
            if entry.kind == "bridge"
        )
        replaced = presence.is_gone and any(
            entry.kind == "implant" or entry.role(key) in ("pontic", "replaced")
            for entry in entries
            if entry.status.is_there or entry.status is Status.IN_PROCESS
        )
        told = 0
        found: list[Mark] = []
        for entry in entries:
            kind = self.mouth.kinds[entry.kind]
            if not any(entry is each for each in last):
                self.why.setdefault(entry.id, "A later entry says how the tooth is.")
                continue
            if kind.code == "supernumerary":
                if not entry.role(key):
                    told = entry.id
                continue
            if reason := self._hidden(entry, kind, key, presence):
                self.why.setdefault(entry.id, reason)
                continue
            if kind.drawing.rule == "none" or (replaced and kind.presence is not None and entry.status.is_there):
                told = entry.id  # the shape of the tooth says it; what replaces it takes the cross away
                continue
            layer, rule = rules.RULES.get(kind.drawing.rule, rules.RULES["icon"])
            if presence.is_gone and kind.drawing.rule == "cross":
                layer = 0  # under what is planned in its place
            pen = Pen(self.legend, outline, entry, kind, key)
            rule(pen)
            if pen.strokes or pen.letters:
                found.append(pen.mark(layer))
        found.sort(key=lambda mark: mark.layer)
        here = {mark.entry for mark in found} | {told}
        treated = [
            entry
            for entry in last
            if entry.id in here or self.mouth.kinds[entry.kind].scope in (Scope.SPAN, Scope.ARCH)
        ]
        shown = teeth.shown(key, self.numbering)
        if beneath:
            y = -outline.depth * (0.5 if presence is Presence.UNERUPTED else 1) - 20
            said = [letters(*outline.at(0, y), shown, 17, EDGE)]
        elif extra:
            x, y = outline.stand
            sort = str(self.mouth.extras[key].details.get("type", "")) if key in self.mouth.extras else ""
            said = [letters(*outline.at(x, y - 31), shown, 15, WORD)]
            said += [letters(*outline.at(x + 6, y + 31), SORTS.get(sort, sort), 13, EDGE)] if sort else []
        else:
            said = [letters(*outline.at(0, outlines.NUMBER), shown, 10.5, WORD)]
        if not beneath:
            said += self._tags(treated, outline, extra)
        body = _body(outline, _look(presence, pontic, beneath), self._angle(key))
        if self.view not in ("", "number", "extra"):
            said = []  # they are outside of a close picture, or in pieces
        if self.view in ("zones", "brace"):
            body = body[-FIGURE_STROKES:]
        elif self.view in ("side", "crown", "crown and root"):
            body = body[:-FIGURE_STROKES]
        return ToothDrawn(
            key=key,
            label="" if self.is_part else words.tooth_sentence(self.mouth, key, self.numbering),
            presence=presence,
            column=teeth.column(place),
            x=number(frame.x),
            y=number(frame.y),
            scale=frame.scale,
            hit=_hit(outline, place, beneath, extra),
            body=body,
            told=told,
            zones=() if beneath else _zones(outline, key),
            marks=tuple(found),
            letters=tuple(said),
            compared=self._compared(key, outline, place),
        )

    def _angle(self, key: str) -> str:
        return next((str(entry.details.get("angle", "")) for entry in self.mouth.on(key, "impacted")[::-1]), "")

    def _hidden(self, entry: Entry, kind: Kind, key: str, presence: Presence) -> str:
        """Why an entry does not show on a tooth; empty when it does."""
        is_now = entry.status.is_there
        if kind.code in OF_THE_PLACE:
            return ""
        of_tooth = kind.presence is None and kind.group not in (Group.REPLACE, Group.ORTHO)
        if presence.is_gone:
            if kind.presence is not None and is_now:
                return ""
            if of_tooth and (is_now or kind.scope in (Scope.SURFACES, Scope.ROOT)):
                return "The tooth is gone."
        if presence is Presence.IMPLANT and of_tooth and is_now and kind.code not in ("mobility", "recession", "crown"):
            return "An implant stands in place of the tooth."
        if presence in (Presence.UNERUPTED, Presence.IMPACTED) and kind.scope in (Scope.SURFACES, Scope.ROOT):
            return "The tooth has not erupted."
        if presence is Presence.ROOT and is_now and kind.scope is Scope.SURFACES:
            return "Only the root is left."
        return self._covered(entry, kind, key) if is_now and kind.scope is Scope.SURFACES and entry.surfaces else ""

    def _covered(self, entry: Entry, kind: Kind, key: str) -> str:
        """Under which later work a finding or filling lies."""
        left = set(entry.surfaces)
        for other in self.mouth.on(key):
            if self.order[id(other)] <= self.order[id(entry)] or not other.status.is_there:
                continue
            if other.kind in ("crown", "implant_crown") or (other.kind == "bridge" and other.role(key) != "wing"):
                return "It is under the crown."
            if other.kind in ("restoration", "inlay", "onlay") and kind.code in COVERED:
                left -= set(other.surfaces)
        return "" if left else "It is under the filling."

    def _tags(self, entries: Sequence[Entry], outline: Outline, extra: bool) -> list[Letters]:
        """The letters of the statuses of what was or may be done, each in its colour, with what it is made of."""
        found: dict[tuple[str, str], str] = {}
        for entry in entries:
            ink = self.legend.ink(entry.status, entry.kind)
            if ink.letter:
                made = rules.MATERIALS.get(str(entry.details.get("material", "")), ("", ""))[1]
                found.setdefault((ink.letter, made if entry.kind == "restoration" else ""), ink.stroke)
        wide = COLUMNS["1"] + 4
        said = [(f"{letter} {made}" if made else letter, stroke) for (letter, made), stroke in found.items()]
        if sum(len(text) * 4.7 + 4 for text, _ in said) > wide:
            said = list({letter: stroke for (letter, _), stroke in found.items()}.items())
        if not said:
            return []
        lengths = [len(text) * 4.7 + 4 for text, _ in said]
        x = (outline.stand[0] - 2 if extra else 0) - sum(lengths) / 2
        y = outline.stand[1] + 43 if extra else outlines.TAGS
        placed = []
        for (text, stroke), length in zip(said, lengths, strict=True):
            px, py = outline.at(x + length / 2, y) if outline.sx > 0 else outline.at(-(x + length / 2), y)
            placed.append(letters(px, py, text, 8.4, stroke))
            x += length
        return placed

    def _compared(self, key: str, outline: Outline, place: str) -> Compared | None:
        word = self.compared.get(key, "")
        if word not in SIGNS:
            return None
        sign, stroke, dash = SIGNS[word]
        half = COLUMNS[place[1]] / 2
        return Compared(
            word, stroke, dash, letters(half - 7, outline.sy * (6 - outlines.ROOT_ROOM), sign, 13, stroke, PAPER)
        )

    # --- outside of the row -------------------------------------------------------------------------------------------

    def _outside(self, upper: bool) -> list[tuple[str, str, float]]:
        """Teeth beside the row of a jaw: key, the place whose column they belong to, x. Supernumeraries, and primary teeth that stayed."""
        found = []
        for key, entry in self.mouth.extras.items():
            if self.is_part and key not in self.extra_only:
                continue
            beside = [each for each, role in entry.teeth if role and teeth.is_tooth(each)] or ["11"]
            places = [teeth.tooth(each).place for each in beside]
            if teeth.tooth(places[0]).is_upper == upper:
                xs = [column_x(place) for place in places[:2]]
                if len(xs) == 2:
                    x = sum(xs) / 2
                else:
                    side = -1 if teeth.tooth(places[0]).is_right else 1
                    x = xs[0] + side * COLUMNS[places[0][1]] / 2 * (places[0][1] != "8" or 0.6)
                found.append((key, places[0], x))
        for key in teeth.PRIMARY if not self.view else ():
            one = teeth.tooth(key)
            if one.is_upper == upper and not self.mouth.presence(key).is_gone and self.mouth.occupant(one.place) != key:
                found.append((key, one.place, column_x(one.place)))
        return sorted(found, key=lambda each: each[2])

    def _extras(
        self, found: list[tuple[str, str, float]], neck: float, arch: float, upper: bool, lines: list[Stroke]
    ) -> Iterator[ToothDrawn]:
        """Small, in a row outside of the roots, each with a line to its place."""
        room = 62.0
        xs = [x for _, _, x in found]
        for _ in range(24):  # side by side where several stand together
            for at in range(len(xs) - 1):
                if (close := room - (xs[at + 1] - xs[at])) > 0:
                    xs[at], xs[at + 1] = xs[at] - close / 2, xs[at + 1] + close / 2
            xs = [min(max(x, room / 2 + 5), WIDTH - room / 2 - 5) for x in xs]
        for (key, place, x), stands in zip(found, xs, strict=True):
            kind = str(self.mouth.extras[key].details.get("type", "")) if key in self.mouth.extras else ""
            outline = outlines.aside(key if teeth.is_tooth(key) else place, kind)
            middle = stands - outline.sx * 24 * EXTRA_SIZE
            side = 1 if upper else -1
            reach = outlines.outline(place).depth + 4 if teeth.is_tooth(key) else 4
            lines.append(
                Stroke(
                    f"M{number(stands)} {number(neck + side * 29)}L{number(x)} {number(arch - side * reach)}",
                    dash="0.1 3",
                    stroke=EDGE,
                    width=1.2,
                )
            )
            yield self._tooth(key, place, _Frame(middle, neck, EXTRA_SIZE, outline), extra=True)

    def frame(self, key: str, necks: Mapping[bool, float]) -> _Frame | None:
        """Where a tooth is drawn; of one that is gone, where it was."""
        if key in self.frames or teeth.is_extra(key):
            return self.frames.get(key)
        place = teeth.tooth(key).place
        if self.is_part and place not in self.only:
            return None
        return _Frame(column_x(place), necks[teeth.tooth(key).is_upper], 1, outlines.outline(key))

    # --- objects of several teeth -------------------------------------------------------------------------------------

    def _objects(self, necks: Mapping[bool, float]) -> Iterator[Mark]:
        for entry in self.mouth.entries:
            kind = self.mouth.kinds[entry.kind]
            if kind.scope not in (Scope.SPAN, Scope.ARCH) or kind.code == "supernumerary":
                continue
            made = _Between(self, entry, kind, necks)
            made.draw()
            if made.strokes or made.letters:
                yield mark_of(entry, made.ink, made.strokes, made.letters, 9)
            else:
                self.why.setdefault(entry.id, "None of its teeth is in this picture.")


COVERED = frozenset(
    {"caries", "caries_arrested", "caries_recurrent", "restoration", "inlay", "onlay", "sealant", "radiographic"}
)


class _Between:
    """Draws what an object of several teeth has between them, on the chart itself."""

    def __init__(self, board: _Board, entry: Entry, kind: Kind, necks: Mapping[bool, float]) -> None:
        self.board, self.entry, self.kind, self.necks = board, entry, kind, necks
        self.strokes: list[Stroke] = []
        self.letters: list[Letters] = []
        self.ink = board.legend.ink(entry.status, kind.code)
        self.frames = [frame for key in entry.keys if (frame := board.frame(key, necks))]

    def draw(self) -> None:
        rule = self.kind.drawing.rule
        if self.kind.scope is Scope.ARCH and not self.entry.teeth:
            jaw = teeth.LOWER if self.entry.jaw == "lower" else teeth.UPPER
            self.frames = [
                _Frame(column_x(place), self.necks[self.entry.jaw != "lower"], 1, outlines.outline(place))
                for place in jaw
            ]
        if not self.frames:
            return
        if rule == "denture":
            self._brace()
        elif rule == "bridge":
            self._joints()
        elif rule == "gap":
            self._gap()
        elif rule == "maintainer":
            self._loop()
        else:
            self._bar()

    def _pairs(self) -> Iterator[tuple[_Frame, _Frame]]:
        return zip(self.frames, self.frames[1:], strict=False)

    def _brace(self) -> None:
        """Under the arch, with what it is in the middle."""
        frames = sorted(self.frames)
        side = frames[0].outline.sy
        y = frames[0].y + side * outlines.BRACE
        left, right = frames[0].x - 19, frames[-1].x + 19
        up = y - side * 3.6
        points = ((left, up), (left, y), (left + 7, y), (right - 7, y), (right, y), (right, up))
        path = "M{} {}Q{} {} {} {}L{} {}Q{} {} {} {}".format(*(number(value) for point in points for value in point))
        width = 2.4
        self.strokes.append(Stroke(path, width=width))
        said = self.kind.drawing.letter or ("Rm" if self.kind.code == "denture" else "")
        if self.entry.details.get("extent") == "complete":
            said = f"complete {said}"
        tag = self.ink.letter
        text = " ".join(each for each in (said, tag) if each)
        if text:
            x, half = (left + right) / 2, len(text) * 2.6 + 3
            self.strokes.append(Stroke(outlines.box(x - half, y - 5, x + half, y + 4), PAPER, 0.5, "", PAPER))
            self.letters.append(letters(x, y - side, text, 8, self.ink.stroke))

    def _joints(self) -> None:
        """Between the crowns and between the figures, what joins them."""
        for one, other in self._pairs():
            for y in (0.44, 0.62):
                a, b = one.at(0, one.outline.height * y), other.at(0, other.outline.height * y)
                self._between(one, other, a, b, one.outline.width, other.outline.width, 2.2)
            for dy in (-3, 3):
                a, b = (frame.at(frame.outline.stand[0], frame.outline.stand[1] + dy) for frame in (one, other))
                self._between(one, other, a, b, one.outline.half[0], other.outline.half[0], 2.2)

    def _between(self, one: _Frame, other: _Frame, a: Point, b: Point, wide: float, wider: float, width: float) -> None:
        step = 1 if b[0] > a[0] else -1
        points = [(a[0] + step * wide * one.scale * 0.97, a[1]), (b[0] - step * wider * other.scale * 0.97, b[1])]
        self.strokes.append(Stroke(outlines.line(points), width=width, dash=""))

    def _gap(self) -> None:
        """Two upright lines between the teeth."""
        for one, other in self._pairs():
            x, side = (one.x + other.x) / 2, one.outline.sy
            top, low = one.y + side * 6, one.y + side * 44
            self.strokes += [
                Stroke(f"M{number(x + dx)} {number(top)}L{number(x + dx)} {number(low)}", width=2.2)
                for dx in (-2.6, 2.6)
            ]

    def _loop(self) -> None:
        """From the band round the gap, in both views."""
        for one, other in self._pairs():
            band, gap = (one, other) if self.entry.role(one.outline.key) == "band" else (other, one)
            step = 1 if gap.x > band.x else -1
            end = gap.x + step * gap.outline.half[0]
            for y, wide, reach in (
                (band.at(0, band.outline.height * 0.5)[1], band.outline.width, 6.0),
                (band.at(*band.outline.stand)[1], band.outline.half[0], 9.0),
            ):
                x = band.x + step * wide
                points = ((x, y - reach), (end - step * 7, y - reach), (end, y - reach), (end, y))
                back = ((end, y + reach), (end - step * 7, y + reach), (x, y + reach))
                said = (number(value) for point in (*points, *back) for value in point)
                self.strokes.append(Stroke("M{} {}L{} {}Q{} {} {} {}Q{} {} {} {}L{} {}".format(*said), width=2))
            if self.entry.details.get("type") == "removable":
                y = band.at(0, band.outline.height * 0.5)[1]
                self.letters.append(letters(gap.x, y, "rm", 8, self.ink.stroke, PAPER))

    def _bar(self) -> None:
        """A line over the teeth it holds: a wire on the crowns, a retainer behind them, a splint near the edge, waves where crowded."""
        pattern = self.kind.drawing.pattern
        row = {"wire": 20.0, "dashed": 20.0, "solid": 31.0, "wavy": float(outlines.LANE)}.get(pattern, 26.0)
        if pattern == "double":
            points = [
                frame.at(frame.outline.stand[0], frame.outline.stand[1] + frame.outline.half[1] * 0.72)
                for frame in self.frames
            ]
        else:
            points = [frame.at(0, row) for frame in self.frames]
        if len(points) == 1:
            points = [(points[0][0] - 16, points[0][1]), (points[0][0] + 16, points[0][1])]
        first, last = points[0], points[-1]
        if pattern == "wavy":
            self.strokes.append(Stroke(_waves(points), width=2))
        elif pattern == "double":
            for dy in (-1.8, 1.8):
                self.strokes.append(Stroke(outlines.line([(x, y + dy) for x, y in points]), width=1.4))
        elif pattern == "dashed":
            ticks = [
                (ax + (bx - ax) * at, ay + (by - ay) * at)
                for (ax, ay), (bx, by) in zip(points, points[1:], strict=False)
                for at in (0.3, 0.5, 0.7)
            ]
            path = "".join(outlines.line([(x - 1.6, y + 3.2), (x + 1.6, y - 3.2)]) for x, y in ticks)
            self.strokes += [Stroke(outlines.line(points), width=1.8), Stroke(path, width=1.4, dash="")]
            self.strokes += [Stroke(outlines.circle(x, y, 2.6), PAPER, 1.6, "") for x, y in points]
        elif pattern == "wire":
            self.strokes.append(Stroke(outlines.line(points), width=2))
        else:
            self.strokes.append(Stroke(outlines.line(points), width=4.6 if self.ink.fill == "full" else 3))
            self.strokes += [Stroke(outlines.circle(x, y, 2.2), PAPER, 1.2, "") for x, y in points]
        said = {"splint": "Sp", "retainer": "Ret"}.get(self.kind.code, self.kind.drawing.letter)
        said += " rm" if self.entry.details.get("type") == "removable" else ""
        if said:
            middle = ((first[0] + last[0]) / 2, (first[1] + last[1]) / 2)
            at = min(
                zip(points, points[1:], strict=False), key=lambda pair: abs((pair[0][0] + pair[1][0]) / 2 - middle[0])
            )
            x, y = (at[0][0] + at[1][0]) / 2, (at[0][1] + at[1][1]) / 2
            self.letters.append(letters(x, y, said, 7.5, self.ink.stroke, PAPER))


def _waves(points: Sequence[Point]) -> str:
    through: list[Point] = []
    for (ax, ay), (bx, by) in zip(points, points[1:], strict=False):
        steps = max(int(abs(bx - ax) / 6), 2)
        through += [
            (ax + (bx - ax) * at / steps, ay + (by - ay) * at / steps + (2.6 if at % 2 else -2.6))
            for at in range(steps)
        ]
    return outlines.smooth([*through, points[-1]])


# --- anatomy ----------------------------------------------------------------------------------------------------------


def _look(presence: Presence, pontic: bool, beneath: bool) -> str:
    """Which body a tooth has."""
    if pontic:
        return "pontic"
    if beneath and presence is Presence.UNERUPTED:
        return "beneath"
    return presence.name.lower()


@lru_cache(maxsize=512)
def _body(outline: Outline, look: str, angle: str) -> tuple[Stroke, ...]:
    """The anatomy of a tooth on the screen: what is there, and in which way."""
    parts = outline.shown
    figure = [Stroke(parts["figure"], ENAMEL, stroke=EDGE), Stroke(parts["grid"], stroke=EDGE, width=0.8)]
    faint = [Stroke(parts["figure"], stroke=FAINT), Stroke(parts["grid"], stroke=FAINT, width=0.8)]
    n = outline.neck + 5
    gum = Stroke(outline.put(f"M{-n} 5C{-n * 0.55} -4 {n * 0.55} -4 {n} 5"), stroke=GUM, width=1.3)
    roots = [Stroke(parts["back"], DENTINE, stroke=EDGE)] if outline.back else []
    roots.append(Stroke(parts["roots"], DENTINE, stroke=EDGE))
    canals = Stroke(parts["canals"], stroke=PULP, width=1.8)
    crown = Stroke(parts["crown"], ENAMEL, stroke=EDGE)
    pulp = Stroke(parts["chamber"], PULP, stroke=PULP, width=0.6)
    if look == "present":
        return (*roots, canals, crown, pulp, gum, *figure)
    if look == "partial":
        h = outline.height
        cover = f"M{-n} 5L{-n} -4Q0 -9 {n} -4L{n} 5C{n * 0.7} {h * 0.62} {-n * 0.7} {h * 0.62} {-n} 5Z"
        return (*roots, canals, crown, pulp, Stroke(outline.put(cover), PINK, stroke=GUM, width=1.6), *figure)
    if look in ("unerupted", "beneath"):
        short = outlines.moved(outline.roots, 1, 0.5)
        size = UNERUPTED_SIZE if look == "unerupted" else 1
        down = -6 - size * outline.height if look == "unerupted" else 0
        shapes = [outline.put(outlines.moved(path, size, size, 0, down)) for path in (short, outline.crown)]
        body = [
            Stroke(path, PAPER, 1.1 if look == "unerupted" else 2.2, "3 2.4" if look == "unerupted" else "5 4", EDGE)
            for path in shapes
        ]
        return (*body, gum, *faint) if look == "unerupted" else tuple(body)
    if look == "impacted":
        middle = (0.0, (outline.height - outline.depth) / 2)
        size = rules.IMPACTED_SIZE * (1.0 if outline.depth < 56 else 0.86)
        turn = rules.ANGLES.get(angle, 0)
        paths = [each for each in (outline.back, outline.roots, outline.crown) if each]
        body = [
            Stroke(outline.put(outlines.turned(path, turn, size, *rules.IMPACTED_AT, about=middle)), fill, stroke=EDGE)
            for path, fill in zip(paths, (DENTINE, DENTINE, ENAMEL)[-len(paths) :], strict=True)
        ]
        return (*body, gum, *faint)
    if look == "root":
        w = outline.neck
        edge = outlines.line([(-w, 1), (-w * 0.6, 5), (-w * 0.25, -1), (w * 0.2, 5), (w * 0.55, 0), (w, 1)])
        lost = Stroke(parts["crown"], dash="0.1 3", stroke=FAINT, width=1.2)
        return (lost, *roots, canals, Stroke(outline.put(edge), DENTINE, stroke=EDGE, width=1.4), gum, *faint)
    if look in ("pontic", "implant"):
        return (gum, *faint)
    ghosts = [Stroke(path, stroke=FAINT) for path in (parts["back"], parts["roots"], parts["crown"]) if path]
    return (*ghosts, gum, *faint)


@lru_cache(maxsize=256)
def _zones(outline: Outline, key: str) -> tuple[ZoneDrawn, ...]:
    return tuple(ZoneDrawn(each, teeth.letter(key, each), outline.shown[each]) for each in teeth.SURFACES)


@lru_cache(maxsize=256)
def _hit(outline: Outline, place: str, beneath: bool, extra: bool) -> str:
    if beneath:
        w, top, low = outline.width + 4, -outline.depth * 0.5 - 32, outline.height + 4
    elif extra:
        return outline.put(outlines.box(-26, -60, 72, 44))
    else:
        w, top, low = COLUMNS[place[1]] / 2 - 0.5, -outlines.ROOT_ROOM, outlines.MIDDLE - 1
    return outline.put(outlines.box(-w, top, w, low))
