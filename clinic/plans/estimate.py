"""What an estimate keeps: the plan as it was sent, to the letter, in canonical bytes with their digest."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clinic.canonical import canonical
from clinic.chart.entry import Entry, teeth_of, teeth_text
from clinic.chart.kinds import BUILT_IN, Kind, Status
from clinic.chart.teeth import Numbering
from clinic.chart.versions import kind_from, plain_kind
from clinic.chart.words import sentence
from clinic.money import money
from clinic.plans.order import Step, Sums, steps_of, sums_of

FORMAT = 1


@dataclass(frozen=True)
class Item:
    """One item as it was sent. `entry`: what the chart would say of it; `problem`: in words, empty when it is for none."""

    id: int
    place: int
    entry: Entry
    price: int
    minutes: int
    visits: int
    phase: int
    after_id: int | None
    problem: str
    remarks: str

    @property
    def plain(self) -> dict[str, Any]:
        entry = {
            "kind": self.entry.kind,
            "teeth": teeth_text(self.entry.teeth),
            "surfaces": self.entry.surfaces,
            "jaw": self.entry.jaw,
            "details": dict(sorted(self.entry.details.items())),
        }
        names = ("id", "place", "price", "minutes", "visits", "phase", "after_id", "problem", "remarks")
        return {name: getattr(self, name) for name in names} | {"entry": entry}


@dataclass(frozen=True)
class Option:
    """One option as it was sent."""

    id: int
    letter: str
    name: str
    advantages: str
    risks: str
    items: tuple[Item, ...]

    @property
    def sums(self) -> Sums:
        return sums_of(self.items)

    @property
    def steps(self) -> list[Step]:
        return steps_of(self.items)

    @property
    def plain(self) -> dict[str, Any]:
        words = {name: getattr(self, name) for name in ("id", "letter", "name", "advantages", "risks")}
        return words | {"items": [each.plain for each in self.items], "sums": vars(self.sums)}


@dataclass(frozen=True)
class Sent:
    """A plan as it was sent. `about`: which plan and version, whose, by whom, when, valid until; `writers`: the ids of all who wrote on it
    since it was begun."""

    about: Mapping[str, Any]
    options: tuple[Option, ...]
    kinds: Mapping[str, Kind] = field(default_factory=lambda: BUILT_IN)

    def option(self, option_id: int) -> Option | None:
        return next((each for each in self.options if each.id == option_id), None)


def body_of(about: Mapping[str, Any], options: Sequence[Option], kinds: Mapping[str, Kind]) -> str:
    """The canonical text of a plan as it was sent, with the kinds that it uses."""
    used = {item.entry.kind for option in options for item in option.items}
    body = {
        "format": FORMAT,
        "about": dict(about),
        "options": [each.plain for each in options],
        "kinds": {code: plain_kind(kinds[code]) for code in used},
    }
    return canonical(body)


def sent_from(body: str) -> Sent:
    """The plan of a text, with the kinds as they were then."""
    kept = json.loads(body)
    if kept["format"] != FORMAT:
        raise ValueError(f"an estimate of format {kept['format']} is not one this program reads")
    kinds = {**BUILT_IN, **{code: kind_from(plain) for code, plain in kept["kinds"].items()}}
    return Sent(kept["about"], tuple(_option(each) for each in kept["options"]), kinds)


def said(entry: Entry, kinds: Mapping[str, Kind], numbering: Numbering | str = Numbering.FDI) -> str:
    """What is to be done in words: `36, mesial-occlusal: composite filling`."""
    return sentence(entry, numbering=numbering, kinds=kinds).removesuffix(f", {Status.PLANNED.words}")


def in_brief(sent: Sent) -> str:
    """Its options in a line: what is done in each, what it comes to."""
    return "; ".join(
        f"option {option.letter}, {option.name} ("
        + ", ".join(said(each.entry, sent.kinds) for each in option.items)
        + f": {option.sums.visits} {'visit' if option.sums.visits == 1 else 'visits'}, "
        + f"{money(option.sums.price, sent.about['currency'])})"
        for option in sent.options
    )


def entry_of(kind: str, teeth: str, surfaces: str, jaw: str, details: str) -> Entry:
    """The planned entry that a row keeps."""
    return Entry(kind, Status.PLANNED, teeth_of(teeth), surfaces=surfaces, jaw=jaw, details=json.loads(details))


def is_same(one: Entry, other: Entry) -> bool:
    """Whether both are the same work on the same place; what is said of it besides may differ where one says nothing."""
    same_place = (one.kind, one.teeth, one.surfaces, one.jaw) == (other.kind, other.teeth, other.surfaces, other.jaw)
    return same_place and all(other.details.get(name, value) == value for name, value in one.details.items())


def held_of(entries: Iterable[Entry], wanted: Sequence[Entry], statuses: Sequence[Status]) -> dict[int, Entry]:
    """What a chart holds already of the work that is wanted, by its place in `wanted`; nothing is held twice."""
    free = [entry for entry in entries if entry.status in statuses]
    found: dict[int, Entry] = {}
    for place, entry in enumerate(wanted):
        match = next((each for each in free if is_same(entry, each)), None)
        if match is not None:
            free.remove(match)
            found[place] = match
    return found


def _option(plain: Mapping[str, Any]) -> Option:
    words = {name: plain[name] for name in ("id", "letter", "name", "advantages", "risks")}
    return Option(**words, items=tuple(_item(each) for each in plain["items"]))


def _item(plain: Mapping[str, Any]) -> Item:
    rest = {name: plain[name] for name in plain if name != "entry"}
    kept = plain["entry"]
    entry = Entry(
        kept["kind"],
        Status.PLANNED,
        teeth_of(kept["teeth"]),
        surfaces=kept["surfaces"],
        jaw=kept["jaw"],
        details=kept["details"],
    )
    return Item(entry=entry, **rest)
