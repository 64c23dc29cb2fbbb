"""How one of the clinic's own kinds would look on a chart."""

from typing import Any, Protocol

from clinic.chart import teeth
from clinic.chart.drawing import drawing_of
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, OWN_ROLE, Drawing, Scope, Status, own_kind
from clinic.chart.mouth import Mouth
from clinic.errors import DomainError
from clinic.operations.own_kinds import fit_drawing

# Where it is shown: on a molar and a front tooth, or along a few teeth, or a jaw.
SHOWN: dict[Scope, tuple[dict[str, Any], ...]] = {
    Scope.SURFACES: (
        {"teeth": (("16", ""),), "surfaces": "MOD"},
        {"teeth": (("11", ""),), "surfaces": "B"},
        {"teeth": (("36", ""),), "surfaces": "O"},
    ),
    Scope.WHOLE: ({"teeth": (("16", ""),)}, {"teeth": (("11", ""),)}, {"teeth": (("36", ""),)}),
    Scope.SPAN: ({"teeth": tuple((key, OWN_ROLE) for key in ("13", "12", "11", "21", "22", "23"))},),
    Scope.ARCH: ({"jaw": "upper", "teeth": tuple((key, OWN_ROLE) for key in teeth.UPPER[2:-2])},),
}


class Drawn(Protocol):
    @property
    def scope(self) -> Scope: ...
    @property
    def rule(self) -> str: ...
    @property
    def pattern(self) -> str: ...
    @property
    def letter(self) -> str: ...
    @property
    def icon(self) -> str: ...


def preview_of(drawn: Drawn) -> dict[str, Any]:
    """`drawing`: a mouth with the kind in it; or None, and in `problem` why it cannot be drawn."""
    try:
        said = fit_drawing(drawn.scope, drawn.rule, drawn.pattern, drawn.letter, drawn.icon)
    except DomainError as refusal:
        return {"drawing": None, "problem": refusal.sentence}
    kind = own_kind(
        "own", "This kind", "own", drawn.scope, is_treatment=False, drawing=Drawing(**said), own_id=1, retired=False
    )
    entries = tuple(
        Entry("own", Status.FINDING, id=number, thread=number, **place)
        for number, place in enumerate(SHOWN[drawn.scope], 1)
    )
    mouth = Mouth(teeth.PERMANENT, entries, {**BUILT_IN, "own": kind})
    return {"drawing": drawing_of(mouth, prefix="preview-"), "problem": ""}
