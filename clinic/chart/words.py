"""What a chart says, in words: one entry, one tooth, the whole mouth as a table. Made from the data the picture is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import Kind, Presence, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Numbering

ORDINAL = {"1": "first", "2": "second", "3": "third"}
ROLE_WORDS = {
    "abutment": ("abutment", "abutments"),
    "pontic": ("pontic", "pontics"),
    "wing": ("wing", "wings"),
    "band": ("band on", "bands on"),
    "gap": ("keeps the gap of", "keeps the gaps of"),
    "replaced": ("replaces", "replaces"),
    "clasp": ("clasp on", "clasps on"),
}
# What a tooth is to an object it belongs to, when one asks the tooth.
PART = {
    "abutment": "abutment",
    "pontic": "pontic",
    "wing": "winged retainer",
    "band": "band",
    "gap": "the gap it keeps",
    "replaced": "replaced by it",
    "clasp": "clasp",
    "beside": "beside it",
    "held": "held by it",
    "crowded": "crowded",
    "with": "part of it",
}

WHY = {
    "caries": "because of caries",
    "perio": "for periodontal reasons",
    "trauma": "because of trauma",
    "ortho": "for orthodontic reasons",
    "unknown": "nobody knows why",
}


@dataclass(frozen=True)
class Said:
    """One entry as a tooth's row tells it."""

    entry: Entry
    words: str


@dataclass(frozen=True)
class Row:
    """A tooth of the table, or (with an empty `key`) an object of several teeth.

    `teeth`: as shown in the numbering; `name`: in full; `presence`: in words, empty for an object.
    """

    key: str
    teeth: str
    name: str
    presence: str
    said: tuple[Said, ...]

    def of(self, *statuses: Status) -> list[Said]:
        return [each for each in self.said if each.entry.status in statuses]

    @property
    def findings(self) -> list[Said]:
        return self.of(Status.FINDING)

    @property
    def ahead(self) -> list[Said]:
        """What may be done, is planned, under way or sent elsewhere."""
        return self.of(Status.OPTION, Status.PLANNED, Status.IN_PROCESS, Status.REFERRED)

    @property
    def done(self) -> list[Said]:
        return self.of(Status.COMPLETED, Status.EXISTING)


# --- names ------------------------------------------------------------------------------------------------------------


@cache
def tooth_name(key: str) -> str:
    """`lower left first molar`, `upper right primary canine`; of a supernumerary only that it is one."""
    if teeth.is_extra(key):
        return "supernumerary tooth"
    one = teeth.tooth(key)
    number = key[1]
    if one.shape is teeth.Shape.INCISOR:
        shape = ("central" if number == "1" else "lateral") + " incisor"
    elif one.shape is teeth.Shape.CANINE:
        shape = "canine"
    elif one.shape is teeth.Shape.PREMOLAR:
        shape = ("first" if number == "4" else "second") + " premolar"
    else:
        order = int(number) - (3 if one.is_primary else 5)
        shape = ORDINAL[str(order)] + " molar"
    return f"{teeth.QUADRANTS[one.place[0]]} {'primary ' if one.is_primary else ''}{shape}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def teeth_listed(keys: Sequence[str], numbering: Numbering | str = Numbering.FDI) -> str:
    """`14, 15 and 16`, in a numbering."""
    return listed([teeth.shown(key, numbering) for key in keys])


def kind_name(kind: Kind) -> str:
    """As in the middle of a sentence."""
    name = kind.name
    return name if name[1:2].isupper() or kind.own_id else name[:1].lower() + name[1:]


# --- one entry --------------------------------------------------------------------------------------------------------


def sentence(
    entry: Entry,
    *,
    numbering: Numbering | str = Numbering.FDI,
    kinds: Mapping[str, Kind],
    with_tooth: bool = True,
) -> str:
    """`36, mesial-occlusal-distal: caries, ICDAS 4 (underlying shadow), finding`; of a bridge with the role of each tooth."""
    kind = kinds[entry.kind]
    about = ", ".join(
        [what(entry, kind), *details_words(entry, kind), *_together(entry, kind, numbering), entry.status.words]
    )
    place = where(entry, kind, numbering) if with_tooth else surfaces_words(entry)
    return f"{place}: {about}" if place else about


def what(entry: Entry, kind: Kind) -> str:
    """The kind, and of a filling what it is made of: `composite filling`."""
    name = kind_name(kind)
    material = entry.details.get("material", "")
    if kind.code == "restoration" and material:
        options = kind.field("material").options
        words = options.get(material, material)
        return words if words.endswith("filling") else f"{words} {name}"
    return name


def where(entry: Entry, kind: Kind, numbering: Numbering | str = Numbering.FDI) -> str:
    """The teeth, and the surfaces or the jaw: `36, mesial-occlusal`, `14 to 16`, `upper jaw`."""
    if kind.code == "supernumerary":
        return ", ".join(key for key in entry.keys if teeth.is_extra(key))
    if entry.jaw:
        return f"{entry.jaw} jaw"
    place = (
        object_teeth(entry, numbering)
        if kind.scope in (Scope.SPAN, Scope.ARCH)
        else teeth_listed(entry.keys, numbering)
    )
    surfaces = surfaces_words(entry)
    return f"{place}, {surfaces}" if surfaces else place


def spoken(keys: Sequence[str]) -> Sequence[str]:
    """As one says them: outwards from the midline within a quadrant, else as they stand in the chart."""
    return sorted(keys) if len({key[0] for key in keys}) == 1 else keys


def object_teeth(entry: Entry, numbering: Numbering | str = Numbering.FDI) -> str:
    """`14 to 16` when they are neighbours, else the teeth one by one."""
    keys = spoken(entry.keys)
    if len(keys) > 2:
        try:
            if set(teeth.between(keys[0], keys[-1])) == set(keys):
                return f"{teeth.shown(keys[0], numbering)} to {teeth.shown(keys[-1], numbering)}"
        except ValueError:
            pass
    return teeth_listed(keys, numbering)


def surfaces_words(entry: Entry) -> str:
    return teeth.surface_names(entry.tooth, entry.surfaces) if entry.surfaces and entry.teeth else ""


def details_words(entry: Entry, kind: Kind) -> list[str]:
    """What is said of it besides, field by field, in the order of the kind's fields."""
    return [
        words
        for one in kind.fields
        if (value := entry.details.get(one.name)) and (words := _field_words(kind, one.name, value))
    ]


def _field_words(kind: Kind, name: str, value: str) -> str:
    options = kind.field(name).options
    words = options.get(value, value)
    if name == "canals":
        pairs = [part.partition(":") for part in value.split()]
        return listed([f"canal {canal} {options.get(extent, extent)}" for canal, _, extent in pairs])
    if name == "icdas":
        return f"ICDAS {value} ({words})" if value in options else f"ICDAS {value}"
    if name == "material":
        return "" if kind.code == "restoration" else words
    if name == "depth":
        return f"{value} ({words})" if value in options else value
    if name == "grade":
        return f"grade {words}"
    if name == "why":
        return WHY.get(value, words)
    if name == "angle":
        return f"lies {words}"
    if name == "class":
        return words if value == "crack" else f"reaches {words}"
    if name == "note":
        return f"“{value}”"
    return words


def _together(entry: Entry, kind: Kind, numbering: Numbering | str) -> list[str]:
    """The roles of an object's teeth: `abutments 14 and 16, pontic 15`."""
    if kind.code == "supernumerary":
        beside = [key for key, role in entry.teeth if role]
        return [f"{'between' if len(beside) > 1 else 'beside'} {teeth_listed(beside, numbering)}"] if beside else []
    said = []
    for role in kind.roles if len(kind.roles) > 1 else ():
        keys = spoken([key for key, its in entry.teeth if its == role])
        if keys:
            one, many = ROLE_WORDS[role]
            said.append(f"{one if len(keys) == 1 else many} {teeth_listed(keys, numbering)}")
    return said


# --- one tooth --------------------------------------------------------------------------------------------------------


def presence_words(presence: Presence) -> str:
    return str(presence)


def is_object(entry: Entry, kinds: Mapping[str, Kind]) -> bool:
    """Whether it is of several teeth as one; a supernumerary is told of the tooth itself."""
    return kinds[entry.kind].scope in (Scope.SPAN, Scope.ARCH) and entry.kind != "supernumerary"


def part_sentence(entry: Entry, key: str, mouth: Mouth, numbering: Numbering | str = Numbering.FDI) -> str:
    """What an object is to one of its teeth: `bridge 14 to 16, pontic, planned`."""
    kind = mouth.kinds[entry.kind]
    place = f"{entry.jaw} jaw" if entry.jaw else object_teeth(entry, numbering)
    part = PART.get(entry.role(key), entry.role(key))
    said = [f"{kind_name(kind)} {place}", part, *details_words(entry, kind), entry.status.words]
    return ", ".join(each for each in said if each)


def tooth_sentence(mouth: Mouth, key: str, numbering: Numbering | str = Numbering.FDI) -> str:
    """What a screen reader hears of a tooth: everything the picture draws on it."""
    parts = [f"{teeth.shown(key, numbering)}, {tooth_name(key)}: {presence_words(mouth.presence(key))}"]
    for entry in mouth.seen(key):
        if entry.kind == "supernumerary" and entry.role(key):
            extra = listed([each for each in entry.keys if teeth.is_extra(each)])
            parts.append(f"supernumerary {extra} beside it")
        elif is_object(entry, mouth.kinds):
            parts.append(part_sentence(entry, key, mouth, numbering))
        else:
            parts.append(sentence(entry, numbering=numbering, kinds=mouth.kinds, with_tooth=False))
    parts += [
        part_sentence(entry, key, mouth, numbering)
        for entry in mouth.entries
        if entry.jaw and not entry.teeth and entry.jaw == jaw_of(key)
    ]
    return ". ".join(part[:1].upper() + part[1:] for part in parts) + "."


def jaw_of(key: str) -> str:
    """`upper` or `lower`; empty of a supernumerary, whose neighbours say it."""
    return "" if teeth.is_extra(key) else "upper" if teeth.tooth(key).is_upper else "lower"


# --- the whole mouth --------------------------------------------------------------------------------------------------


def table_of(mouth: Mouth, numbering: Numbering | str = Numbering.FDI) -> list[Row]:
    """A row a tooth, upper right first, then a row for each object of several teeth; each fact once."""
    rows = []
    for key in mouth.keys:
        own = [
            entry
            for entry in mouth.seen(key)
            if not is_object(entry, mouth.kinds) and not (entry.kind == "supernumerary" and entry.role(key))
        ]
        said = tuple(
            Said(entry, sentence(entry, numbering=numbering, kinds=mouth.kinds, with_tooth=False)) for entry in own
        )
        rows.append(Row(key, teeth.shown(key, numbering), tooth_name(key), presence_words(mouth.presence(key)), said))
    for entry in mouth.entries:
        if is_object(entry, mouth.kinds):
            kind = mouth.kinds[entry.kind]
            said = (Said(entry, sentence(entry, numbering=numbering, kinds=mouth.kinds)),)
            rows.append(Row("", object_teeth(entry, numbering) or f"{entry.jaw} jaw", kind.name, "", said))
    return rows
