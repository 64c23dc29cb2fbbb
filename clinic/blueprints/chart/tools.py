"""The tools of the chart: every kind that can be put on a tooth, by group, each with the words of the grammar that it writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clinic.chart.kinds import SHORT, STATUS_TYPED, Field, Group, Kind, Scope, Status

# The statuses in the order in which they are offered.
OFFERED = (
    (Status.PLANNED, "Planned"),
    (Status.EXISTING, "Was there"),
    (Status.COMPLETED, "Done here"),
    (Status.IN_PROCESS, "Begun"),
    (Status.OPTION, "Option"),
    (Status.REFERRED, "Referred"),
)
# What most chartings are made of, by the word written; offered first.
COMMON = ("car", "watch", "comp", "am", "gic", "s", "crown", "rct", "x", "miss", "fx", "br")
# Of a filling each material is a tool of its own.
SPLIT = {"restoration": ("comp", "am", "gic", "temp")}
# What the tools cannot ask for: free words, and an extra tooth with the place between two others. The line can.
ONLY_TYPED = frozenset({"note", "supernumerary"})


@dataclass(frozen=True)
class Option:
    """A choice of a field: what its button says, what is written for it, the kind's word included, and what it means."""

    label: str
    word: str
    words: str


@dataclass(frozen=True)
class Tool:
    """`options`: choices of its one field; `needs`: one of them has to be chosen.
    `statuses`: the words for those it may have."""

    name: str
    word: str
    scope: Scope
    group: Group
    statuses: tuple[str, ...]
    surfaces: str
    asks: str = ""
    options: tuple[Option, ...] = ()
    needs: bool = False
    whole: bool = False  # though of surfaces, it may be put on a tooth without naming any

    @property
    def said(self) -> list[list[str]]:
        """The options as the page's script wants them."""
        return [[option.label, option.word, option.words] for option in self.options]


def tools_of(catalogue: Mapping[str, Kind]) -> dict[str, list[Tool]]:
    """The tools by what their group is called, the common ones first."""
    tools = [
        tool for kind in catalogue.values() if not kind.retired and kind.code not in ONLY_TYPED for tool in _of(kind)
    ]
    by_word = {tool.word: tool for tool in tools}
    groups = {"Common": [by_word[word] for word in COMMON if word in by_word]}
    for group in Group:
        if found := [tool for tool in tools if tool.group is group]:
            groups[group.value] = found
    return groups


def statuses_offered() -> list[tuple[str, str, str]]:
    """Each status a treatment may have: what is written for it, what its button says, and its letter."""
    return [(STATUS_TYPED[status][0], label, status.letter) for status, label in OFFERED]


def _of(kind: Kind) -> Iterator[Tool]:
    statuses = tuple(STATUS_TYPED[status][0] for status, _ in OFFERED if status in kind.statuses)
    for word in SPLIT.get(kind.code, ()):
        material = SHORT[word][1]["material"]
        name = kind.fields[0].options[material]
        yield Tool(name[0].upper() + name[1:], word, kind.scope, kind.group, statuses, kind.surfaces)
    field = next((each for each in kind.fields if each.options and each.name != "canals"), None)
    options = tuple(_options(kind, field)) if field else ()
    asks, needs = (field.label, field.required) if field else ("", False)
    name = "Other filling" if kind.code in SPLIT else kind.name.partition(",")[0]
    yield Tool(
        name,
        kind.words[0],
        kind.scope,
        kind.group,
        statuses,
        kind.surfaces,
        asks,
        options,
        needs,
        bool(kind.usual_surfaces or kind.may_be_whole),
    )


def _options(kind: Kind, field: Field) -> Iterator[Option]:
    short = {tuple(said.items()): word for word, (code, said) in reversed(SHORT.items()) if code == kind.code}
    for value, words in field.options.items():
        word = short.get(((field.name, value),), f"{kind.words[0]} {field.name}={value}")
        yield Option(value if len(value) < 3 and value != words else words, word, words)
