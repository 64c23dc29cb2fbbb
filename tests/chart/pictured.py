"""Mouths to draw: each kind of entry in each status and variant, and whole ones."""

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.key import sample
from clinic.chart.kinds import BUILT_IN, OWN_ICONS, OWN_STYLES, Drawing, Group, Kind, Scope, Status, own_kind
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Dentition, present_at

Sample = tuple[str, Mouth, tuple[str, ...]]  # words, mouth, the teeth to show
OWN = (
    ("grid", Scope.SURFACES, Drawing("zone", "grid", "Gr")),
    ("solid", Scope.SURFACES, Drawing("zone", "solid", "So")),
    ("crown", Scope.WHOLE, Drawing("crown", "vertical", "Vx")),
    ("letters", Scope.WHOLE, Drawing("icon", letter="Zz")),
    *((f"{icon}", Scope.WHOLE, Drawing("icon", icon=icon)) for icon in OWN_ICONS),
    *((f"{style} bar", Scope.SPAN, Drawing("bar", style)) for style in OWN_STYLES["bar"]),
    ("jaw", Scope.ARCH, Drawing("bar", "double")),
)
OWN_KINDS = {
    f"own-{at}": own_kind(
        f"own-{at}", f"Our {name}", f"our{at}", scope, is_treatment=True, drawing=drawing, own_id=at, retired=False
    )
    for at, (name, scope, drawing) in enumerate(OWN, 1)
}
KINDS = {
    f"own-{at}": Kind(
        f"own-{at}",
        f"Our {name}",
        (f"our{at}",),
        scope,
        Group.OWN,
        (Status.PLANNED, Status.COMPLETED),
        drawing,
        roles=("held",) if scope is Scope.SPAN else (),
        own_id=at,
    )
    for at, (name, scope, drawing) in enumerate(OWN, 1)
}
KINDS = {**BUILT_IN, **OWN_KINDS}


def variants(kind: Kind) -> list[dict[str, str]]:
    """The details in which a kind is drawn differently."""
    one = next((each for each in kind.fields if each.options and each.name != "canals"), None)
    if kind.code == "root_canal":
        return [{}, *({"canals": f"MB:{name} ML:full D:full"} for name in kind.field("canals").options)]
    if one is None or one.name == "mm":
        return [{"mm": "3"}] if one else [{"note": "Tender to cold."}] if kind.code == "note" else [{}]
    first = [] if one.required else [{}]
    return [*first, *({one.name: value} for value in one.options)]


def samples_of(kind: Kind) -> list[Sample]:
    """One of each variant in the usual status (of a treatment: completed), and the first in every other."""
    shown = kind.statuses[0] if len(kind.statuses) == 1 else Status.COMPLETED
    wanted = [(shown, details) for details in variants(kind)]
    wanted += [(status, variants(kind)[0]) for status in kind.statuses if status is not shown]
    found = []
    for status, details in wanted:
        mouth, keys = sample(kind, status, details)
        words = f"{kind.name}, {status.words}{' ' + ' '.join(details.values()) if details else ''}"
        found.append((words, mouth, keys))
    return found


def samples_by_group() -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for kind in KINDS.values():
        found.setdefault(str(kind.group), []).extend(samples_of(kind))
    return found


def _entries(*said: tuple) -> tuple[Entry, ...]:  # type: ignore[type-arg]
    """`(kind, status, teeth, surfaces, details)` as entries, numbered."""
    made = []
    for number, (kind, status, keys, *rest) in enumerate(said, 1):
        pairs = tuple((key, role) for key, _, role in (word.partition(":") for word in keys.split()))
        made.append(
            Entry(
                kind,
                status,
                pairs,
                rest[0] if rest else "",
                details=rest[1] if len(rest) > 1 else {},
                id=number,
                thread=number,
            )
        )
    return tuple(made)


F, O, P, I, C, E, R = (  # noqa: E741
    Status.FINDING, Status.OPTION, Status.PLANNED, Status.IN_PROCESS, Status.COMPLETED, Status.EXISTING, Status.REFERRED,
)  # fmt: skip
BUSY = _entries(
    ("impacted", F, "18", "", {"angle": "mesial"}),
    ("restoration", E, "17", "MO", {"material": "amalgam"}),
    ("caries_recurrent", F, "17", "M", {"icdas": "4"}),
    ("crown", C, "16", "", {"material": "pfm"}),
    ("root_canal", C, "16", "", {"canals": "MB:full DB:full P:full"}),
    ("post", C, "16", "", {"material": "metal"}),
    ("restoration", C, "15", "DO", {"material": "composite"}),
    ("bridge", P, "14:abutment 13:pontic 12:abutment", "", {"material": "zirconia"}),
    ("missing", F, "13", "", {"why": "trauma"}),
    ("veneer", C, "21", "", {"material": "ceramic"}),
    ("fracture", F, "11", "", {"class": "enamel"}),
    ("rotation", F, "22", "", {"direction": "distal"}),
    ("caries", F, "23", "BD", {"icdas": "5"}),
    ("sealant", C, "24", "O"),
    ("restoration", O, "25", "OD", {"material": "gic"}),
    ("caries", F, "26", "MO", {"icdas": "3"}),
    ("restoration", P, "26", "MO", {"material": "composite"}),
    ("caries", F, "27", "O", {"icdas": "2"}),
    ("extraction", P, "28"),
    ("extraction", C, "38"),
    ("root_canal", I, "37", "", {"canals": "MB:open ML:open D:half"}),
    ("apical_lesion", F, "37", "", {"size": "M"}),
    ("implant", C, "36"),
    ("implant_abutment", C, "36"),
    ("implant_crown", I, "36", "", {"material": "zirconia"}),
    ("caries_arrested", F, "35", "O"),
    ("restoration", E, "34", "B", {"material": "gic"}),
    ("recession", F, "33", "", {"mm": "3"}),
    ("mobility", F, "32", "", {"grade": "2"}),
    ("splint", C, "33:held 32:held 31:held 41:held 42:held 43:held"),
    ("wear", F, "43", "O", {"type": "attrition"}),
    ("diastema", F, "11:beside 21:beside"),
    ("note", F, "44", "", {"note": "Tender to cold."}),
    ("caries_root", F, "44"),
    ("radiographic", F, "45", "D", {"depth": "D2"}),
    ("onlay", C, "46", "MOD", {"material": "gold"}),
    ("furcation", F, "46", "", {"grade": "2"}),
    ("root_fragment", F, "47"),
    ("partially_erupted", F, "48"),
    ("supernumerary", F, "S1 11:beside 21:beside", "", {"type": "mesiodens"}),
    ("supernumerary", F, "S2 28:beside", "", {"type": "distomolar"}),
    ("restoration", R, "31", "O", {"material": "composite"}),
    ("inlay", C, "45", "MO", {"material": "ceramic"}),
    ("crown_replace", F, "16"),
    ("bracket", C, "22"),
    ("bracket", C, "23"),
    ("discolouration", F, "21", "B", {"colour": "grey"}),
    ("hypoplasia", F, "41", "B"),
    ("drift", F, "45", "", {"direction": "mesial"}),
    ("over_eruption", F, "17"),
    ("note", F, "17", "", {"note": "Wants it kept."}),
    ("tilt", F, "27", "", {"direction": "mesial"}),
    ("restoration", E, "27", "B", {"material": "temporary"}),
    ("restoration", C, "44", "MO", {"material": "amalgam"}),
    ("caries", F, "44", "D", {"icdas": "6"}),
    ("restoration", E, "15", "B", {"material": "amalgam"}),
    ("apicoectomy", C, "12"),
    ("root_canal", E, "12"),
    ("crown", P, "46", "", {"material": "metal"}),
    ("fluorosis", F, "24", "B"),
)  # fmt: skip
MIXED = _entries(
    ("caries", F, "55", "MO", {"icdas": "5"}),
    ("pulpotomy", C, "54"),
    ("crown", C, "54", "", {"material": "ssc"}),
    ("exfoliated", F, "52"),
    ("caries", F, "65", "O", {"icdas": "3"}),
    ("sealant", C, "26", "O"),
    ("sealant", P, "46", "O"),
    ("extraction", P, "64"),
    ("space_maintainer", P, "75:band 74:gap"),
    ("extraction", C, "74"),
    ("erupted", F, "41"),
    ("missing", F, "35", "", {"why": "congenital"}),
    ("supernumerary", F, "S1 11:beside 21:beside", "", {"type": "mesiodens"}),
    ("restoration", E, "85", "DO", {"material": "gic"}),
    ("hypoplasia", F, "36", "OB"),
    ("erupted", F, "14"),
)
PRIMARY = _entries(
    ("caries", F, "61", "M", {"icdas": "5"}),
    ("caries", F, "51", "M", {"icdas": "5"}),
    ("pulpectomy", P, "85"),
    ("restoration", C, "75", "O", {"material": "gic"}),
)
EDENTULOUS = _entries(
    ("implant", E, "43"),
    ("implant", E, "33"),
)
DENTURES = (
    Entry("denture", Status.EXISTING, (), jaw="upper", details={"extent": "complete"}, id=80, thread=80),
    Entry("denture", Status.PLANNED, (), jaw="lower", details={"extent": "complete"}, id=81, thread=81),
)
WHOLE: dict[str, Mouth] = {
    "permanent": Mouth(teeth.PERMANENT, BUSY, KINDS),
    "healthy": Mouth(teeth.PERMANENT, (), KINDS),
    "primary": Mouth(present_at(Dentition.PRIMARY, 4), PRIMARY, KINDS, Dentition.PRIMARY),
    "mixed": Mouth(present_at(Dentition.MIXED, 8.5), MIXED, KINDS, Dentition.MIXED),
    "edentulous": Mouth((), (*EDENTULOUS, *DENTURES), KINDS, Dentition.EDENTULOUS),
}
