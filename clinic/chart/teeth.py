"""Teeth: positions by FDI (ISO 3950), what they are called, what they are shaped like, and which way is mesial.

A tooth is known by its key: two digits of FDI (`36`, `75`), or `S` and a number for a supernumerary (`S1`). Surfaces are stored by
place, whatever they are called on a tooth: M mesial, O biting, D distal, B outer, L inner; in this order (`MOD`, `MODBL`).
"""

import enum
from dataclasses import dataclass
from datetime import date
from functools import cache

QUADRANTS = {"1": "upper right", "2": "upper left", "3": "lower left", "4": "lower right"}
PRIMARY_QUADRANT = {"1": "5", "2": "6", "3": "7", "4": "8"}  # the primary quadrant in the same place
PERMANENT_QUADRANT = {primary: permanent for permanent, primary in PRIMARY_QUADRANT.items()}
# From the patient's right to the left, as one sees them: the viewer's left is the patient's right.
UPPER = tuple(f"1{n}" for n in range(8, 0, -1)) + tuple(f"2{n}" for n in range(1, 9))
LOWER = tuple(f"4{n}" for n in range(8, 0, -1)) + tuple(f"3{n}" for n in range(1, 9))
UPPER_PRIMARY = tuple(f"5{n}" for n in range(5, 0, -1)) + tuple(f"6{n}" for n in range(1, 6))
LOWER_PRIMARY = tuple(f"8{n}" for n in range(5, 0, -1)) + tuple(f"7{n}" for n in range(1, 6))
PERMANENT = UPPER + LOWER
PRIMARY = UPPER_PRIMARY + LOWER_PRIMARY
ALL = PERMANENT + PRIMARY
SURFACES = "MODBL"
MOST_NAMED = 32  # teeth at once
JAWS = ("upper", "lower")


class Shape(enum.StrEnum):
    INCISOR = "incisor"
    CANINE = "canine"
    PREMOLAR = "premolar"
    MOLAR = "molar"


@dataclass(frozen=True)
class Tooth:
    """One position. `canals`: the usual ones, by their usual letters; `roots`: how many are drawn."""

    key: str
    shape: Shape
    is_primary: bool
    is_upper: bool
    is_right: bool  # the patient's right
    roots: int
    canals: tuple[str, ...]

    @property
    def is_anterior(self) -> bool:
        return self.shape in (Shape.INCISOR, Shape.CANINE)

    @property
    def mesial_is_right(self) -> bool:
        """On screen: mesial faces the midline, and the patient's right is on the viewer's left."""
        return self.is_right

    @property
    def place(self) -> str:
        """The permanent position in whose column the tooth stands: its own, or its successor's."""
        return PERMANENT_QUADRANT.get(self.key[0], self.key[0]) + self.key[1]

    @property
    def successor(self) -> str | None:
        """The permanent tooth that follows a primary one: a premolar follows a primary molar."""
        return self.place if self.is_primary else None

    @property
    def predecessor(self) -> str | None:
        """The primary tooth before a permanent one; molars have none."""
        return PRIMARY_QUADRANT[self.key[0]] + self.key[1] if not self.is_primary and self.key[1] <= "5" else None


@cache
def tooth(key: str) -> Tooth:
    """The tooth of an FDI position. Raises KeyError for any other text, supernumeraries too."""
    if key not in ALL:
        raise KeyError(key)
    quadrant, number = key[0], int(key[1])
    is_primary = quadrant in PERMANENT_QUADRANT
    place = PERMANENT_QUADRANT.get(quadrant, quadrant)
    is_upper = place in "12"
    shape = _shape(number, is_primary)
    canals = _canals(number, is_primary, is_upper)
    return Tooth(key, shape, is_primary, is_upper, place in "14", _roots(shape, number, is_primary, is_upper), canals)


def _shape(number: int, is_primary: bool) -> Shape:
    if number <= 2:
        return Shape.INCISOR
    if number == 3:
        return Shape.CANINE
    return Shape.PREMOLAR if number <= 5 and not is_primary else Shape.MOLAR


def _roots(shape: Shape, number: int, is_primary: bool, is_upper: bool) -> int:
    if shape is Shape.MOLAR:
        return 3 if is_upper else 2
    return 2 if number == 4 and is_upper and not is_primary else 1


def _canals(number: int, is_primary: bool, is_upper: bool) -> tuple[str, ...]:
    if number <= 3:
        return ("C",)
    if number <= 5 and not is_primary:
        return ("B", "P") if is_upper and number == 4 else ("C",)
    return ("MB", "DB", "P") if is_upper else ("MB", "ML", "D")


# Canals that a tooth may have, by its jaw: the usual ones, and those found now and then (MB2, a third one of a premolar).
UPPER_CANALS = ("C", "B", "P", "MB", "MB2", "DB")
LOWER_CANALS = ("C", "B", "L", "D", "MB", "ML", "MM", "DB", "DL")
CANALS = tuple(dict.fromkeys(UPPER_CANALS + LOWER_CANALS))


def usual_canals(key: str) -> tuple[str, ...]:
    """The canals of a tooth; one of a supernumerary."""
    return ("C",) if is_extra(key) else tooth(key).canals


def possible_canals(key: str) -> tuple[str, ...]:
    """Every canal a tooth may have; of a supernumerary nobody knows the jaw."""
    if is_extra(key):
        return CANALS
    return UPPER_CANALS if tooth(key).is_upper else LOWER_CANALS


def is_tooth(key: str) -> bool:
    return key in ALL


def is_extra(key: str) -> bool:
    """Whether it is the key of a supernumerary."""
    return key[:1] == "S" and key[1:2] in tuple("123456789") and key[2:] in ("", *"0123456789")


def column(key: str) -> int:
    """Where a position stands from the patient's right, 0 to 15; the same for both jaws and for a successor."""
    arch = UPPER if tooth(key).is_upper else LOWER
    return arch.index(tooth(key).place)


def in_order(keys: list[str]) -> list[str]:
    """Keys as one reads a chart: upper jaw from the patient's right, then the lower; primary after permanent; extra teeth last."""
    return sorted(set(keys), key=lambda key: (is_extra(key), ALL.index(key) if key in ALL else int(key[1:] or 0)))


def between(first: str, last: str) -> tuple[str, ...]:
    """The positions from one tooth to another along one arch, in the order of the arch. Raises ValueError across arches."""
    for arch in (UPPER, LOWER, UPPER_PRIMARY, LOWER_PRIMARY):
        if first in arch and last in arch:
            low, high = sorted((arch.index(first), arch.index(last)))
            return arch[low : high + 1]
    raise ValueError(f"{first} and {last} are not in one arch.")


# --- surfaces ---------------------------------------------------------------------------------------------------------


def canonical(surfaces: str) -> str:
    """Stored surfaces in their order, each once."""
    return "".join(each for each in SURFACES if each in surfaces)


def letter(key: str, surface: str) -> str:
    """What a stored surface is called on a tooth: I for O on anterior teeth, F or B outside, P or L inside."""
    anterior, upper = _of(key)
    if surface == "O":
        return "I" if anterior else "O"
    if surface == "B":
        return "F" if anterior else "B"
    if surface == "L":
        return "P" if upper else "L"
    return surface


def letters(key: str, surfaces: str) -> str:
    """Stored surfaces in the letters of a tooth: `MOD` on 36, `MID` on 11."""
    return "".join(letter(key, surface) for surface in canonical(surfaces))


NAMES = {"M": "mesial", "D": "distal", "O": "occlusal", "I": "incisal", "F": "facial", "B": "buccal", "P": "palatal"}
NAMES["L"] = "lingual"


def surface_name(key: str, surface: str) -> str:
    return NAMES[letter(key, surface)]


def surface_names(key: str, surfaces: str) -> str:
    """`mesial-occlusal-distal`."""
    return "-".join(surface_name(key, surface) for surface in canonical(surfaces))


def zones(key: str) -> dict[str, str]:
    """The five zones of the biting view by place on screen: `left`, `right`, `top`, `bottom`, `centre` to stored surface.

    Mesial faces the midline; the outer surface is on top in the upper jaw and below in the lower.
    """
    one = tooth(key)
    left, right = ("D", "M") if one.mesial_is_right else ("M", "D")
    top, bottom = ("B", "L") if one.is_upper else ("L", "B")
    return {"left": left, "right": right, "top": top, "bottom": bottom, "centre": "O"}


def _of(key: str) -> tuple[bool, bool]:
    if is_extra(key):  # charted like a posterior tooth, in whose jaw nobody has to know
        return False, False
    one = tooth(key)
    return one.is_anterior, one.is_upper


# --- other numberings -------------------------------------------------------------------------------------------------


class Numbering(enum.StrEnum):
    FDI = "fdi"
    UNIVERSAL = "universal"
    PALMER = "palmer"


UNIVERSAL = {key: str(number) for number, key in enumerate(UPPER + LOWER[::-1], 1)}
UNIVERSAL |= {key: chr(ord("A") + number) for number, key in enumerate(UPPER_PRIMARY + LOWER_PRIMARY[::-1])}
# Palmer in words that any font can print: quadrant, then 1 to 8 or A to E.
PALMER_QUADRANT = {"1": "UR", "2": "UL", "3": "LL", "4": "LR"}


def shown(key: str, numbering: Numbering | str = Numbering.FDI) -> str:
    """A tooth's key in a numbering; supernumeraries keep theirs."""
    if is_extra(key) or numbering == Numbering.FDI:
        return key
    if numbering == Numbering.UNIVERSAL:
        return UNIVERSAL[key]
    one = tooth(key)
    number = "ABCDE"[int(key[1]) - 1] if one.is_primary else key[1]
    return PALMER_QUADRANT[one.place[0]] + number


def read(text: str, numbering: Numbering | str = Numbering.FDI) -> str | None:
    """The key of a tooth written in a numbering; None when it is none."""
    text = text.strip().upper()
    if is_extra(text):
        return text
    return _written(Numbering(numbering)).get(text)


def read_several(text: str, numbering: Numbering | str = Numbering.FDI, *, most: int = MOST_NAMED) -> tuple[str, ...]:
    """The keys of teeth written with commas or spaces, each once, in the order of the chart. Raises ValueError with a sentence."""
    typed = text.replace(",", " ").split()
    keys = [read(word, numbering) for word in typed]
    unknown = [word for word, key in zip(typed, keys, strict=True) if key is None]
    if unknown:
        raise ValueError(f"“{unknown[0][:20]}” is no tooth. Write numbers with commas, e.g. 36, 37.")
    if len(typed) > most:
        raise ValueError(f"At most {most} teeth; say none for the whole mouth.")
    return tuple(in_order(list(dict.fromkeys(key for key in keys if key))))


@cache
def _written(numbering: Numbering) -> dict[str, str]:
    return {shown(key, numbering): key for key in ALL}


# --- what is there at which age ---------------------------------------------------------------------------------------

# Usual age in years at eruption, permanent and primary, by upper/lower and number (Logan and Kronfeld, later ends of the ranges).
ERUPTS: dict[str, dict[int, float]] = {
    "upper": {1: 8, 2: 9, 3: 12, 4: 11, 5: 12, 6: 7, 7: 13, 8: 21},
    "lower": {1: 7, 2: 8, 3: 10, 4: 12, 5: 12, 6: 7, 7: 13, 8: 21},
    "upper primary": {1: 0.9, 2: 1, 3: 1.6, 4: 1.3, 5: 2.6},
    "lower primary": {1: 0.7, 2: 1.1, 3: 1.7, 4: 1.5, 5: 2.4},
}
EARLY = 3  # years before the usual age at which an erupted permanent tooth is asked about


def years(birth_date: date, on: date) -> float:
    """The age in years on a day; 0 before birth."""
    return max((on - birth_date).days / 365.25, 0)


def erupts_at(key: str) -> float:
    """The usual age in years at which the tooth has erupted."""
    one = tooth(key)
    jaw = ("upper" if one.is_upper else "lower") + (" primary" if one.is_primary else "")
    return ERUPTS[jaw][int(key[1])]


class Dentition(enum.StrEnum):
    PERMANENT = "permanent"
    MIXED = "mixed"
    PRIMARY = "primary"
    EDENTULOUS = "edentulous"


def usual_dentition(age: float) -> Dentition:
    """The preset for an age in years."""
    if age < 6:
        return Dentition.PRIMARY
    return Dentition.MIXED if age < 13 else Dentition.PERMANENT


def present_at(dentition: Dentition | str, age: float) -> tuple[str, ...]:
    """The teeth in the mouth with which a chart begins. Of a mixed one: at each place the permanent tooth once it usually has erupted,
    else the primary one."""
    if dentition == Dentition.PERMANENT:
        return PERMANENT
    if dentition == Dentition.PRIMARY:
        return PRIMARY
    if dentition == Dentition.EDENTULOUS:
        return ()
    return tuple(key for key in PERMANENT if erupts_at(key) <= age) + tuple(
        key for key in PRIMARY if erupts_at(tooth(key).place) > age
    )
