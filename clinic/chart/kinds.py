"""The catalogue: every kind of entry a chart knows, built in here or the clinic's own (`Kind` made from a row, see models/chart.py).

Meaning only: what it is, on what it is put, what is said of it, which statuses it may have, and by which rule it is drawn. How a
status looks is the legend's.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clinic.chart.teeth import SURFACES


class Scope(enum.StrEnum):
    SURFACES = "surfaces"  # of one tooth
    WHOLE = "whole"  # one tooth
    ROOT = "root"  # one tooth, each canal for itself
    SPAN = "span"  # several teeth as one object, each with a role
    ARCH = "arch"  # the teeth of one jaw, or named ones of it, as one object


class Group(enum.StrEnum):
    """Where it is offered, and in this order."""

    DECAY = "Decay"
    RESTORE = "Restorations"
    ROOT = "Roots and pulp"
    PRESENCE = "Teeth"
    REPLACE = "Replacement"
    CONDITION = "Conditions"
    ORTHO = "Orthodontics"
    OWN = "Our own"


class Status(enum.StrEnum):
    FINDING = "finding"
    OPTION = "option"
    PLANNED = "planned"
    IN_PROCESS = "in_process"
    COMPLETED = "completed"
    EXISTING = "existing"
    REFERRED = "referred"
    ENTERED_IN_ERROR = "entered_in_error"

    @property
    def words(self) -> str:
        return STATUS_WORDS[self]

    @property
    def letter(self) -> str:
        """What stands beside the words; P, I and C as dental schools write them."""
        return STATUS_LETTERS[self]

    @property
    def is_there(self) -> bool:
        """Whether it says what is in the mouth, rather than what may be done."""
        return self in (Status.FINDING, Status.COMPLETED, Status.EXISTING)


STATUS_WORDS = {
    Status.FINDING: "finding",
    Status.OPTION: "option",
    Status.PLANNED: "planned",
    Status.IN_PROCESS: "in process",
    Status.COMPLETED: "completed here",
    Status.EXISTING: "existing, done elsewhere",
    Status.REFERRED: "referred out",
    Status.ENTERED_IN_ERROR: "entered in error",
}
STATUS_LETTERS = {
    Status.FINDING: "F",
    Status.OPTION: "P*",
    Status.PLANNED: "P",
    Status.IN_PROCESS: "I",
    Status.COMPLETED: "C",
    Status.EXISTING: "Ex",  # X is a crossed-out tooth to everybody
    Status.REFERRED: "R",
    Status.ENTERED_IN_ERROR: "E",
}
# What one may type for a status; the first is what the tools write. (`c` stands for completed, as in dental schools; `p` and `i` are
# surfaces.)
STATUS_TYPED = {
    Status.FINDING: ("finding",),
    Status.OPTION: ("opt", "option"),
    Status.PLANNED: ("plan", "planned"),
    Status.IN_PROCESS: ("start", "started", "ip"),
    Status.COMPLETED: ("done", "c", "completed"),
    Status.EXISTING: ("ex", "existing"),
    Status.REFERRED: ("ref", "referred"),
}
FOUND = (Status.FINDING,)
DONE = (Status.OPTION, Status.PLANNED, Status.IN_PROCESS, Status.COMPLETED, Status.EXISTING, Status.REFERRED)


class Presence(enum.StrEnum):
    """How a tooth is there, or is not."""

    PRESENT = "present"
    PARTIAL = "partially erupted"
    UNERUPTED = "unerupted"
    IMPACTED = "impacted"
    ROOT = "root only"
    IMPLANT = "implant"
    MISSING = "missing"
    EXTRACTED = "extracted"
    EXFOLIATED = "exfoliated"

    @property
    def has_crown(self) -> bool:
        """Whether there is a crown of the tooth's own that one can look at."""
        return self in (Presence.PRESENT, Presence.PARTIAL)

    @property
    def is_gone(self) -> bool:
        return self in (Presence.MISSING, Presence.EXTRACTED, Presence.EXFOLIATED)


@dataclass(frozen=True)
class Field:
    """Something said of an entry. `options`: what is stored to the words for it; empty means free text."""

    name: str
    label: str
    options: Mapping[str, str] = field(default_factory=dict)
    required: bool = False


@dataclass(frozen=True)
class Drawing:
    """By which rule it is drawn, and with what. `rule` names a rule of drawing.py; the rest are its arguments."""

    rule: str
    pattern: str = "solid"
    letter: str = ""
    icon: str = ""


@dataclass(frozen=True)
class Kind:
    code: str
    name: str
    words: tuple[str, ...]  # what one may type for it; the first is what the tools write
    scope: Scope
    group: Group
    statuses: tuple[Status, ...]
    drawing: Drawing
    fields: tuple[Field, ...] = ()
    surfaces: str = SURFACES  # those it may be put on
    roles: tuple[str, ...] = ()  # of a span's teeth, the usual one first
    presence: Presence | None = None  # what the tooth becomes once it is there
    primary_only: bool = False
    usual_surfaces: str = ""  # when nobody says any
    may_be_whole: bool = False  # of surfaces, or of the tooth without any
    retired: bool = False
    own_id: int | None = None  # of the clinic's own

    @property
    def usual_status(self) -> Status:
        """The status when nobody says one."""
        return self.statuses[0] if self.statuses[0] is Status.FINDING else Status.PLANNED

    def field(self, name: str) -> Field:
        return next(each for each in self.fields if each.name == name)


def _options(text: str) -> dict[str, str]:
    """`a=words; b=words` as a mapping."""
    return dict(pair.strip().split("=", 1) for pair in text.split(";"))


ICDAS = Field(
    "icdas",
    "ICDAS",
    _options(
        "1=first visual change; 2=distinct visual change; 3=enamel breakdown; 4=underlying shadow; 5=distinct cavity; 6=extensive cavity"
    ),
)
DEPTH = Field(
    "depth",
    "Depth on the radiograph",
    _options(
        "E1=outer enamel; E2=inner enamel; D1=outer third of dentine; D2=middle third of dentine; D3=inner third of dentine"
    ),
    required=True,
)
MATERIAL = Field(
    "material",
    "Material",
    _options(
        "amalgam=amalgam; composite=composite; gic=glass ionomer; temporary=temporary filling; gold=gold; ceramic=ceramic"
    ),
    required=True,
)
LAB_MATERIAL = Field(
    "material", "Material", _options("gold=gold; ceramic=ceramic; composite=composite; zirconia=zirconia")
)
CROWN_MATERIAL = Field(
    "material",
    "Material",
    _options(
        "metal=metal; pfm=porcelain fused to metal; ceramic=ceramic; zirconia=zirconia; provisional=provisional; ssc=stainless steel"
    ),
)
EXTENT = Field(
    "canals",
    "Canals",  # stored as `MB:full ML:half`, by the canals of the tooth
    _options(
        "full=to the apex; half=half the length; two-thirds=two thirds of the length; over=beyond the apex; open=begun"
    ),
)
POST_MATERIAL = Field("material", "Material", _options("metal=metal; fibre=fibre"))
SIZE = Field("size", "Size", _options("S=small; M=medium; L=large"), required=True)
WHY_MISSING = Field(
    "why",
    "Why it is missing",
    _options(
        "caries=caries; perio=periodontal; trauma=trauma; ortho=orthodontic; congenital=congenitally; unknown=unknown"
    ),
)
ANGLE = Field(
    "angle",
    "Lies",
    _options(
        "mesial=mesio-angular; distal=disto-angular; vertical=vertical; horizontal=horizontal; buccal=bucco-lingual; inverted=inverted"
    ),
)
EXTRA_TYPE = Field(
    "type",
    "Type",
    _options("mesiodens=mesiodens; paramolar=paramolar; distomolar=distomolar; supplemental=supplemental"),
    required=True,
)
FRACTURE = Field(
    "class", "Reaches", _options("enamel=enamel; dentine=dentine; pulp=pulp; root=root; crack=a crack"), required=True
)
WEAR = Field(
    "type",
    "Type",
    _options("attrition=attrition; abrasion=abrasion; erosion=erosion; abfraction=abfraction"),
    required=True,
)
GRADE = Field("grade", "Grade", _options("0=0; 1=I; 2=II; 3=III"), required=True)
FURCATION = Field("grade", "Grade", _options("1=I; 2=II; 3=III"), required=True)
MILLIMETRES = Field("mm", "Millimetres", _options("; ".join(f"{n}={n} mm" for n in range(1, 13))), required=True)
TO = Field(
    "direction",
    "Direction",
    _options("mesial=to mesial; distal=to distal; outer=outwards; inner=inwards"),
    required=True,
)
COLOUR = Field("colour", "Colour", _options("grey=grey; brown=brown; yellow=yellow; white=white; pink=pink"))
DENTURE = Field("extent", "Extent", _options("complete=complete; partial=partial"), required=True)
NOTE = Field("note", "Note", required=True)
REMOVABLE = Field("type", "Type", _options("fixed=fixed; removable=removable"))

S, W, R, N, A = Scope.SURFACES, Scope.WHOLE, Scope.ROOT, Scope.SPAN, Scope.ARCH
G, D = Group, Drawing
EXTRA: dict[str, Any] = {"roles": ("beside",), "presence": Presence.PRESENT}
PITS: dict[str, Any] = {"surfaces": "OBL", "usual_surfaces": "O"}
BRIDGE, MAINTAINER = ("abutment", "pontic", "wing"), ("band", "gap")

BUILT_IN: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("caries", "Caries", ("car", "caries", "decay"), S, G.DECAY, FOUND, D("decay"), (ICDAS,)),
        Kind("caries_arrested", "Arrested caries, watch", ("watch", "arrested"), S, G.DECAY, FOUND, D("zone", "dotted-outline", "W")),
        Kind("caries_recurrent", "Caries at a filling", ("rec", "recurrent"), S, G.DECAY, FOUND, D("rim"), (ICDAS,)),
        Kind("caries_root", "Root caries", ("rootcar",), W, G.DECAY, FOUND, D("neck", "solid")),
        Kind("radiographic", "Radiographic depth", ("rx",), S, G.DECAY, FOUND, D("marker"), (DEPTH,)),
        Kind("restoration", "Filling", ("fill", "filling", "restoration"), S, G.RESTORE, DONE, D("filling"), (MATERIAL,)),
        Kind("inlay", "Inlay", ("inlay",), S, G.RESTORE, DONE, D("inlay", "outline", "In"), (LAB_MATERIAL,)),
        Kind("onlay", "Onlay", ("onlay", "overlay"), S, G.RESTORE, DONE, D("inlay", "outline", "On"), (LAB_MATERIAL,)),
        Kind("sealant", "Sealant", ("s", "seal", "sealant"), S, G.RESTORE, DONE, D("zone", "outline", "S"), **PITS),
        Kind("veneer", "Veneer", ("ven", "veneer"), W, G.RESTORE, DONE, D("veneer", "outline"), (LAB_MATERIAL,)),
        Kind("crown", "Crown", ("crown", "cr"), W, G.RESTORE, DONE, D("crown"), (CROWN_MATERIAL,)),
        Kind("crown_replace", "Crown needs replacing", ("recrown",), W, G.RESTORE, FOUND, D("again", icon="again")),
        Kind("root_canal", "Root canal treatment", ("rct", "endo"), R, G.ROOT, DONE, D("canals"), (EXTENT,)),
        Kind("post", "Post and core", ("post",), W, G.ROOT, DONE, D("post"), (POST_MATERIAL,)),
        Kind("pulpotomy", "Pulpotomy", ("pulpotomy", "potomy"), W, G.ROOT, DONE, D("chamber"), primary_only=True),
        Kind("pulpectomy", "Pulpectomy", ("pulpectomy", "pectomy"), W, G.ROOT, DONE, D("chamber_and_canals"), primary_only=True),
        Kind("apical_lesion", "Apical lesion", ("apical", "pap"), W, G.ROOT, FOUND, D("apex"), (SIZE,)),
        Kind("apicoectomy", "Apicoectomy", ("apico",), W, G.ROOT, DONE, D("apex_cut")),
        Kind("missing", "Missing", ("miss", "missing", "abs"), W, G.PRESENCE, FOUND, D("gone"), (WHY_MISSING,), presence=Presence.MISSING),
        Kind("extraction", "Extraction", ("x", "ext", "extraction"), W, G.PRESENCE, DONE, D("cross"), presence=Presence.EXTRACTED),
        Kind("exfoliated", "Exfoliated", ("exf",), W, G.PRESENCE, FOUND, D("gone"), presence=Presence.EXFOLIATED, primary_only=True),
        Kind("erupted", "Erupted", ("eru", "erupted"), W, G.PRESENCE, FOUND, D("none"), presence=Presence.PRESENT),
        Kind("partially_erupted", "Partially erupted", ("pre", "partial"), W, G.PRESENCE, FOUND, D("none"), presence=Presence.PARTIAL),
        Kind("unerupted", "Unerupted", ("une", "unerupted"), W, G.PRESENCE, FOUND, D("none"), presence=Presence.UNERUPTED),
        Kind("impacted", "Impacted", ("impacted", "imx"), W, G.PRESENCE, FOUND, D("impacted"), (ANGLE,), presence=Presence.IMPACTED),
        Kind("root_fragment", "Root fragment", ("rf", "root"), W, G.PRESENCE, FOUND, D("fragment", letter="Rf"), presence=Presence.ROOT),
        Kind("supernumerary", "Supernumerary tooth", ("extra",), N, G.PRESENCE, FOUND, D("none"), (EXTRA_TYPE,), **EXTRA),
        Kind("implant", "Implant", ("implant", "fixture"), W, G.REPLACE, DONE, D("implant"), presence=Presence.IMPLANT),
        Kind("implant_abutment", "Implant abutment", ("abutment",), W, G.REPLACE, DONE, D("abutment")),
        Kind("implant_crown", "Crown on implant", ("icrown",), W, G.REPLACE, DONE, D("crown"), (CROWN_MATERIAL,)),
        Kind("bridge", "Bridge", ("br", "bridge"), N, G.REPLACE, DONE, D("bridge"), (CROWN_MATERIAL,), roles=BRIDGE),
        Kind("denture", "Denture", ("dent", "denture", "rm"), A, G.REPLACE, DONE, D("denture"), (DENTURE,), roles=("replaced", "clasp")),
        Kind("fracture", "Fracture", ("fx", "frac", "fracture"), S, G.CONDITION, FOUND, D("fracture"), (FRACTURE,), may_be_whole=True),
        Kind("wear", "Wear", ("wear",), S, G.CONDITION, FOUND, D("wear"), (WEAR,)),
        Kind("discolouration", "Discolouration", ("disc",), S, G.CONDITION, FOUND, D("discolouration"), (COLOUR,)),
        Kind("hypoplasia", "Hypoplasia or MIH", ("mih", "hypo"), S, G.CONDITION, FOUND, D("zone", "dots", "H")),
        Kind("fluorosis", "Fluorosis", ("fluor",), S, G.CONDITION, FOUND, D("zone", "horizontal", "Fl")),
        Kind("mobility", "Mobility", ("mobility", "loose"), W, G.CONDITION, FOUND, D("mobility"), (GRADE,)),
        Kind("furcation", "Furcation", ("furc",), W, G.CONDITION, FOUND, D("furcation"), (FURCATION,)),
        Kind("recession", "Recession", ("recession", "gr"), W, G.CONDITION, FOUND, D("recession"), (MILLIMETRES,)),
        Kind("rotation", "Rotation", ("rot",), W, G.CONDITION, FOUND, D("arrow", "curved"), (TO,)),
        Kind("drift", "Drift", ("drift",), W, G.CONDITION, FOUND, D("arrow", "straight"), (TO,)),
        Kind("tilt", "Tilt", ("tilt",), W, G.CONDITION, FOUND, D("arrow", "bent"), (TO,)),
        Kind("over_eruption", "Over-eruption", ("over",), W, G.CONDITION, FOUND, D("arrow", "out")),
        Kind("ectopic", "Ectopic", ("ect",), W, G.CONDITION, FOUND, D("icon", letter="Ec"), (TO,)),
        Kind("crowding", "Crowding", ("crowd",), N, G.CONDITION, FOUND, D("bar", "wavy"), roles=("crowded",)),
        Kind("diastema", "Diastema", ("gap", "diastema"), N, G.CONDITION, FOUND, D("gap"), roles=("beside",)),
        Kind("note", "Tooth note", ("note",), W, G.CONDITION, FOUND, D("dog_ear"), (NOTE,)),
        Kind("bracket", "Bracket", ("bkt", "bracket"), W, G.ORTHO, DONE, D("icon", icon="bracket")),
        Kind("band", "Band", ("band",), W, G.ORTHO, DONE, D("icon", icon="band")),
        Kind("tube", "Tube", ("tube",), W, G.ORTHO, DONE, D("icon", icon="tube")),
        Kind("attachment", "Attachment", ("att",), W, G.ORTHO, DONE, D("icon", icon="attachment")),
        Kind("wire", "Archwire", ("wire",), N, G.ORTHO, DONE, D("bar", "wire"), roles=("held",)),
        Kind("elastic", "Elastic", ("elastic",), N, G.ORTHO, DONE, D("bar", "dashed"), roles=("held",)),
        Kind("retainer", "Retainer", ("ret", "retainer"), N, G.ORTHO, DONE, D("bar", "double"), (REMOVABLE,), roles=("held",)),
        Kind("splint", "Splint", ("splint",), N, G.ORTHO, DONE, D("bar", "solid"), roles=("held",)),
        Kind("space_maintainer", "Space maintainer", ("sm", "space"), N, G.ORTHO, DONE, D("maintainer"), (REMOVABLE,), roles=MAINTAINER),
    )
}  # fmt: skip

# Words that say a kind and something of it at once.
SHORT: dict[str, tuple[str, dict[str, str]]] = {
    "am": ("restoration", {"material": "amalgam"}),
    "amalgam": ("restoration", {"material": "amalgam"}),
    "comp": ("restoration", {"material": "composite"}),
    "composite": ("restoration", {"material": "composite"}),
    "gic": ("restoration", {"material": "gic"}),
    "temp": ("restoration", {"material": "temporary"}),
    "fmc": ("crown", {"material": "metal"}),
    "ssc": ("crown", {"material": "ssc"}),
} | {f"car{n}": ("caries", {"icdas": str(n)}) for n in range(1, 7)}

# What the clinic's own kinds may be drawn by: for each scope the rules, with words for them; the styles of a fill or line; icons.
# A kind drawn by `icon` has a letter or an icon, one by `zone` or `crown` a style and perhaps a letter, one by `bar` a style.
OWN_DRAWINGS: dict[Scope, dict[str, str]] = {
    Scope.SURFACES: {"zone": "fills its surfaces"},
    Scope.WHOLE: {"crown": "fills the crown", "icon": "a letter or icon on the tooth"},
    Scope.SPAN: {"bar": "a line along the teeth"},
    Scope.ARCH: {"bar": "a line along the teeth"},
}
OWN_STYLES: dict[str, dict[str, str]] = {
    "zone": {
        "solid": "solid",
        "outline": "outline",
        "light": "sparse dots",
        "dots": "dots",
        "diagonal": "diagonal lines",
        "vertical": "upright lines",
        "horizontal": "level lines",
        "cross": "crossed lines",
        "grid": "a grid",
        "wavy": "waves",
    },
    "bar": {"solid": "a line", "double": "a double line", "dashed": "a line with ticks", "wavy": "a wavy line"},
}
OWN_STYLES["crown"] = OWN_STYLES["zone"]
OWN_ICONS = {
    "again": "a circling arrow",
    "triangle": "a triangle",
    "bracket": "a bracket",
    "band": "a band",
    "attachment": "a button",
    "tube": "a tube",
    "square": "a square",
    "diamond": "a diamond",
    "ring": "a ring",
    "star": "a star",
    "flag": "a flag",
    "drop": "a drop",
    "plus": "a plus",
    "bolt": "a bolt",
}
OWN_ROLE = "with"  # of each tooth of an own kind of several teeth


def own_kind(
    code: str, name: str, word: str, scope: Scope, *, is_treatment: bool, drawing: Drawing, own_id: int, retired: bool
) -> Kind:
    """One of the clinic's own kinds, as any other. It has no fields: what else is to be said of it goes into a note."""
    roles = (OWN_ROLE,) if scope in (Scope.SPAN, Scope.ARCH) else ()
    statuses = DONE if is_treatment else FOUND
    return Kind(code, name, (word,), scope, Group.OWN, statuses, drawing, roles=roles, retired=retired, own_id=own_id)
