"""In which order the items of an option are done, and in which of its visits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# The phases of a treatment. What comes after something is done after it, whatever its phase.
PHASES = {1: "urgent", 2: "disease control", 3: "restorative", 4: "maintenance"}


class Planned(Protocol):
    """What is ordered. `place`: in which order they were written; `after_id`: what must be done before; `visits`: how many it takes,
    0 when it is done in the last visit of what comes before it."""

    @property
    def id(self) -> Any: ...
    @property
    def after_id(self) -> Any: ...
    @property
    def phase(self) -> Any: ...
    @property
    def place(self) -> Any: ...
    @property
    def visits(self) -> Any: ...


@dataclass(frozen=True)
class Step:
    """One item with the visits in which it is done, counted from 1."""

    item: Any
    first: int
    last: int

    @property
    def words(self) -> str:
        return f"Visit {self.first}" if self.first == self.last else f"Visits {self.first} to {self.last}"


@dataclass(frozen=True)
class Sums:
    """What an option comes to."""

    price: int
    minutes: int
    visits: int


def sums_of(items: Iterable[Any]) -> Sums:
    """Price in the smallest unit, minutes and visits together."""
    held = list(items)
    visits = steps_of(held)[-1].last if held else 0
    return Sums(sum(each.price for each in held), sum(each.minutes for each in held), visits)


def in_order(items: Iterable[Planned]) -> list[Any]:
    """First what must be done before others, then by phase, then as they were written. Raises ValueError when they wait for each other."""
    waiting = sorted(items, key=lambda each: (each.phase, each.place))
    ids, found = {each.id for each in waiting}, list[Any]()
    done: set[Any] = set()
    while waiting:
        free = next((each for each in waiting if each.after_id not in ids or each.after_id in done), None)
        if free is None:
            raise ValueError("these items wait for each other")
        waiting.remove(free)
        found.append(free)
        done.add(free.id)
    return found


def steps_of(items: Iterable[Planned]) -> list[Step]:
    """The items in order, each with its visits."""
    steps, last = list[Step](), 0
    for item in in_order(items):
        first = last + 1 if item.visits else max(last, 1)
        last = max(last + item.visits, 1)
        steps.append(Step(item, first, last))
    return steps


def waits_for(item_id: int, after_id: int | None, items: Sequence[Planned]) -> bool:
    """Whether what should come before an item waits for that item itself."""
    before = {each.id: each.after_id for each in items}
    while after_id is not None:
        if after_id == item_id:
            return True
        after_id = before.get(after_id)
    return False
