"""The key of a drawing: what its dashes, letters, patterns and pictures mean. Each picture is a sample drawn by the same rules."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from clinic.chart import teeth, words
from clinic.chart.drawing import Drawing, drawing_of
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, Group, Kind, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Numbering

# What a kind is shown on: teeth with roles, and surfaces. Any other: the lower left first molar.
SAMPLE_TEETH: dict[str, tuple[tuple[str, str], ...]] = {
    "bridge": (("14", "abutment"), ("15", "pontic"), ("16", "abutment")),
    "denture": (("46", "clasp"), ("45", "replaced")),
    "space_maintainer": (("85", "band"), ("84", "gap")),
    "supernumerary": (("S1", ""), ("11", "beside"), ("21", "beside")),
    "diastema": (("11", "beside"), ("21", "beside")),
    "crowding": (("43", "crowded"), ("42", "crowded"), ("41", "crowded")),
    "veneer": (("11", ""),),
    "impacted": (("48", ""),),
    "exfoliated": (("75", ""),),
    "pulpotomy": (("75", ""),),
    "pulpectomy": (("75", ""),),
    "unerupted": (("38", ""),),
    "partially_erupted": (("38", ""),),
}
# Where an extra tooth of a type stands: its shape is that of its neighbour.
EXTRA_BESIDE = {"paramolar": "17", "distomolar": "18", "supplemental": "12"}
SAMPLE_SURFACES = {"sealant": "O", "onlay": "MOB", "caries_arrested": "O", "fluorosis": "B", "wear": "OB"}
# Fields that change the picture, each with the value that stands for several.
SAME = {
    "icdas": {"2": "1", "4": "3", "6": "5"},
    "why": dict.fromkeys(("perio", "trauma", "ortho", "congenital"), "unknown"),
    "direction": dict.fromkeys(("distal", "outer", "inner"), "mesial"),
    "mm": {str(each): "3" for each in range(1, 13)},
    "note": {},
    "canals": {},
}
SPOKEN = {"1": "ICDAS 1 or 2", "3": "ICDAS 3 or 4", "5": "ICDAS 5 or 6"}


class StatusShown(NamedTuple):
    """A status: its letter, the words, and a filling in it."""

    letter: str
    words: str
    picture: Drawing


class KindShown(NamedTuple):
    """A kind, with what it is made of or how far it goes where that changes the picture."""

    words: str
    group: Group
    picture: Drawing


@dataclass(frozen=True)
class Key:
    legend: str
    says: str
    numbering: str
    statuses: tuple[StatusShown, ...]
    kinds: tuple[KindShown, ...]


NUMBERED = {
    Numbering.FDI: "Teeth are numbered by FDI (ISO 3950).",
    Numbering.UNIVERSAL: "Teeth are numbered by the Universal system.",
    Numbering.PALMER: "Teeth are numbered by Palmer.",
}


def key_of(drawing: Drawing, whole: bool = False) -> Key:
    """The key of a drawing: of what is on it, or of everything there is."""
    mouth, legend = drawing.mouth, drawing.legend
    used = list(_everything(mouth) if whole else mouth.entries)
    said = {entry.status for entry in used if legend.ink(entry.status, entry.kind).letter}
    shown = {(entry.kind, tuple(_telling(entry, mouth.kinds[entry.kind]).items())) for entry in used}
    order = {code: at for at, code in enumerate(mouth.kinds)}
    kinds = [
        _kind_shown(mouth.kinds[code], details, legend.code, drawing.prefix)
        for code, details in sorted(shown, key=lambda each: (order[each[0]], each[1]))
    ]
    statuses = [_status_shown(each, legend.code, drawing.prefix) for each in Status if each in said]
    return Key(legend.name, legend.says, NUMBERED[drawing.numbering], tuple(statuses), tuple(kinds))


def sample(kind: Kind, status: Status, details: dict[str, str]) -> tuple[Mouth, tuple[str, ...]]:
    """A mouth with one entry of a kind, in which it makes sense, and the teeth to look at."""
    pairs = SAMPLE_TEETH.get(kind.code, (("36", ""),))
    if kind.scope in (Scope.SPAN, Scope.ARCH) and kind.code not in SAMPLE_TEETH:
        pairs = tuple((key, kind.roles[0] if kind.roles else "") for key in ("13", "12", "11"))
    if kind.code == "supernumerary" and (beside := EXTRA_BESIDE.get(details.get("type", ""))):
        pairs = (("S1", ""), (beside, "beside"))
    of_surfaces = kind.scope is Scope.SURFACES and not kind.may_be_whole
    surfaces = SAMPLE_SURFACES.get(kind.code, "MO") if of_surfaces else ""
    entry = Entry(kind.code, status, pairs, surfaces, details=details, id=1, thread=1)
    before = [
        Entry("missing", Status.FINDING, ((key, ""),), id=2, thread=2)
        for key, role in pairs
        if role in ("pontic", "replaced", "gap") or kind.code.startswith("implant")
    ]
    if kind.code in ("implant_abutment", "implant_crown"):
        before.append(Entry("implant", Status.COMPLETED, pairs, id=3, thread=3))
    base = teeth.PERMANENT if not teeth.is_tooth(pairs[0][0]) or pairs[0][0] in teeth.PERMANENT else teeth.PRIMARY
    return Mouth(base, (*before, entry), {**BUILT_IN, kind.code: kind}), entry.keys


def _kind_shown(kind: Kind, details: tuple[tuple[str, str], ...], legend: str, prefix: str) -> KindShown:
    if kind == BUILT_IN.get(kind.code):
        return _built_in_shown(kind.code, details, legend, prefix)
    return _shown(kind, dict(details), legend, prefix)


@lru_cache(maxsize=1024)
def _built_in_shown(code: str, details: tuple[tuple[str, str], ...], legend: str, prefix: str) -> KindShown:
    return _shown(BUILT_IN[code], dict(details), legend, prefix)


def _shown(kind: Kind, details: dict[str, str], legend: str, prefix: str) -> KindShown:
    status = Status.FINDING if Status.FINDING in kind.statuses else Status.COMPLETED
    status = status if status in kind.statuses else kind.statuses[-1]
    made, keys = sample(kind, status, details)
    own = "-".join([kind.code, *details.values()])
    picture = drawing_of(made, legend=legend, only=keys, view=_view(kind), prefix=f"{prefix}key-{own}-")
    said = [words.what(made.entries[-1], kind)]
    for name, value in details.items():
        said.append(SPOKEN[value] if name == "icdas" else kind.field(name).options.get(value, value))
    if kind.code == "missing":
        said[1:] = ["because of caries (M)" if details.get("why") == "caries" else "for another reason (MO)"]
    if kind.code == "restoration":
        del said[1:]
    return KindShown(", ".join(said), kind.group, picture)


# How much of a tooth tells a rule; of surfaces their zones, else the whole side.
VIEW_OF_RULE = {
    **dict.fromkeys(("veneer", "crown", "again", "icon", "gap", "bar", "bridge", "maintainer"), "crown"),
    **dict.fromkeys(("neck", "post", "recession", "chamber"), "crown and root"),
    "fracture": "side",
    "arrow": "lane",
    "dog_ear": "number",
    "denture": "brace",
}


def _view(kind: Kind) -> str:
    if kind.code == "supernumerary":
        return "extra"
    if kind.code == "exfoliated":
        return "zones"
    if kind.drawing.rule == "bar" and kind.drawing.pattern in ("double", "wavy"):
        return "zones" if kind.drawing.pattern == "double" else "lane"
    if kind.drawing.rule in VIEW_OF_RULE:
        return VIEW_OF_RULE[kind.drawing.rule]
    return "zones" if kind.scope is Scope.SURFACES else "side"


@lru_cache(maxsize=64)
def _status_shown(status: Status, legend: str, prefix: str) -> StatusShown:
    made, keys = sample(BUILT_IN["restoration"], status, {"material": "amalgam"})
    picture = drawing_of(made, legend=legend, only=keys, view="zones", prefix=f"{prefix}key-{status}-")
    return StatusShown(picture.legend.ink(status).letter, status.words, picture)


def _telling(entry: Entry, kind: Kind) -> dict[str, str]:
    """The details that change the picture."""
    found = {}
    for one in kind.fields:
        value = str(entry.details.get(one.name, ""))
        if one.name in ("canals", "note") or one.name == "grade" and kind.code == "mobility":
            continue
        if one.name == "direction" or not value or (one.options and value not in one.options):
            continue
        found[one.name] = SAME.get(one.name, {}).get(value, value)
    return found


def _everything(mouth: Mouth) -> Iterator[Entry]:
    for kind in mouth.kinds.values():
        if not kind.retired:
            for status in kind.statuses:
                for details in variants(kind) if status is kind.statuses[-1] else [{}]:
                    yield Entry(kind.code, status, (("36", ""),), details=details)


def variants(kind: Kind) -> Iterable[dict[str, str]]:
    """The details in which a kind is drawn differently, field by field."""
    for one in kind.fields:
        if (
            one.options
            and one.name not in ("canals", "direction")
            and not (one.name == "grade" and kind.code == "mobility")
        ):
            for value in dict.fromkeys(SAME.get(one.name, {}).get(each, each) for each in one.options):
                yield {one.name: value}
            return
    yield {}
