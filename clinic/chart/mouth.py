"""A mouth at one moment: which teeth there are, and what is said of them. Everything shown, printed or compared is made from it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, Kind, Presence, Status


@dataclass(frozen=True)
class Mouth:
    """`base`: the teeth with which the chart began. `entries`: those that hold (not superseded, not in error), oldest first.
    `kinds`: the catalogue by code, the clinic's own among them."""

    base: tuple[str, ...]
    entries: tuple[Entry, ...] = ()
    kinds: Mapping[str, Kind] = field(default_factory=lambda: BUILT_IN)
    dentition: teeth.Dentition = teeth.Dentition.PERMANENT

    def __hash__(self) -> int:  # `kinds` cannot be hashed; whether two are equal goes by all of it
        return hash((self.base, self.dentition, *((entry.id, entry.stroke) for entry in self.entries)))

    @cached_property
    def extras(self) -> dict[str, Entry]:
        """The supernumeraries by key, with the entry that says where they are."""
        return {
            key: entry
            for entry in self.entries
            if entry.kind == "supernumerary"
            for key in entry.keys
            if teeth.is_extra(key)
        }

    @cached_property
    def keys(self) -> list[str]:
        """Every tooth the chart speaks of, in its order: those of the base, those with an entry, those beneath primary teeth."""
        said = {key for entry in self.entries for key in entry.keys}
        beneath = {teeth.tooth(key).place for key in self.base if teeth.tooth(key).is_primary}
        molars = {key for key in teeth.PERMANENT if key[1] >= "6"} if beneath else set()
        return teeth.in_order([*self.base, *said, *beneath, *molars])

    @cached_property
    def _on(self) -> dict[str, list[Entry]]:
        on: dict[str, list[Entry]] = {}
        for entry in self.entries:
            for key in entry.keys:
                on.setdefault(key, []).append(entry)
        return on

    def on(self, key: str, kind: str | None = None) -> list[Entry]:
        """The entries on a tooth, oldest first; of one kind, if asked."""
        return [entry for entry in self._on.get(key, ()) if kind is None or entry.kind == kind]

    @cached_property
    def _presences(self) -> dict[str, tuple[Presence, Entry]]:
        found: dict[str, tuple[Presence, Entry]] = {}
        for entry in self.entries:  # the last said holds
            presence = self.kinds[entry.kind].presence
            if presence is not None and entry.status.is_there:
                for key, role in entry.teeth:
                    if not role:  # the neighbours of an extra tooth stay as they are
                        found[key] = presence, entry
        return found

    def seen(self, key: str) -> list[Entry]:
        """The entries that show on a tooth, oldest first: without what was said of its presence before the last word on that. (Where
        a supernumerary stands is told of it for good.)"""
        last = self._presences.get(key, (None, None))[1]
        return [
            entry
            for entry in self._on.get(key, ())
            if entry is last
            or entry.kind == "supernumerary"
            or self.kinds[entry.kind].presence is None
            or not entry.status.is_there
        ]

    def presence(self, key: str) -> Presence:
        """How a tooth is there: the last that was said of it; else as the chart began."""
        if (said := self._presences.get(key)) is not None:
            return said[0]
        return self.began(key)

    def began(self, key: str) -> Presence:
        """How a tooth was there when the chart began.

        A permanent tooth of a chart that began with primary ones is unerupted until said otherwise; any other that is not of the base
        is missing.
        """
        if key in self.base:
            return Presence.PRESENT
        began_young = any(teeth.tooth(each).is_primary for each in self.base)
        if began_young and not teeth.is_extra(key) and not teeth.tooth(key).is_primary:
            return Presence.UNERUPTED
        return Presence.MISSING

    def occupant(self, place: str) -> str:
        """The tooth one sees at a permanent position: the primary one while it is there, else the permanent one."""
        primary = teeth.tooth(place).predecessor
        if primary and not self.presence(primary).is_gone and (primary in self.base or self.on(primary)):
            return primary if not self.presence(place).has_crown else place
        return place

    def with_entries(self, new: Iterable[Entry], without: Iterable[int] = ()) -> "Mouth":
        """The mouth after further entries, without those of these threads."""
        gone = set(without)
        kept = tuple(entry for entry in self.entries if entry.thread not in gone)
        return Mouth(self.base, kept + tuple(new), self.kinds, self.dentition)

    def checked(self) -> "Mouth":
        """Itself. Raises ValueError when a row of it is no entry of a mouth, which would go unseen: nothing of it is shown then."""
        for entry in self.entries:
            said = [*entry.details, *entry.details.values()] if isinstance(entry.details, Mapping) else [None]
            is_whole = entry.kind in self.kinds and all(isinstance(each, str) for each in said)
            if not is_whole or not all(teeth.is_tooth(key) or teeth.is_extra(key) for key in entry.keys):
                raise ValueError(f"entry {entry.id} of a chart cannot be read")
        return self

    def ahead(self, key: str) -> Iterator[Entry]:
        """What is planned or under way on a tooth."""
        return (entry for entry in self._on.get(key, ()) if entry.status in (Status.PLANNED, Status.IN_PROCESS))
