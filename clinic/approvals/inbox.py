"""The inbox over all kinds: what waits for one approver, and approving several things at once."""

import hashlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module

from clinic import approvals
from clinic.approvals.kind import Item, Kind
from clinic.errors import DomainError
from clinic.models import User
from clinic.queries.approvals import counts_of, opened_versions

# Every module of this package that has a KIND.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for module in pkgutil.iter_modules(approvals.__path__)
    if module.name not in ("kind", "inbox")
    for kind in [import_module(f"clinic.approvals.{module.name}").KIND]
}
SHOWN = 200  # items of one inbox; the rest follows as these are decided


@dataclass(frozen=True)
class Group:
    """What waits of one student and one patient: it may be approved together."""

    items: list[Item]

    @property
    def unopened(self) -> int:
        """How many of them the approver has not looked at as they are now."""
        return sum(not item.is_opened for item in self.items)

    @property
    def chosen(self) -> str:
        """The items with their versions, as the form sends them."""
        return " ".join(f"{item.key}:{item.version}" for item in self.items)

    @property
    def once(self) -> str:
        """A key that is the same as long as the group is."""
        return f"approve-{hashlib.sha256(self.chosen.encode()).hexdigest()[:32]}"


@dataclass(frozen=True)
class Inbox:
    groups: list[Group]
    number: int  # of what waits
    more: int  # of it beyond what is shown


def inbox_of(viewer: User) -> Inbox:
    """Everything that waits for the viewer: emergencies first, then the longest waiting, kept together by student and patient.

    Two queries, and what the items of each kind cost of which something waits; the number does not depend on how much waits.
    """
    waiting = _numbers_waiting(viewer)
    found = sorted((item for name in waiting for item in KINDS[name].items(viewer)), key=lambda item: item.order)
    number = sum(waiting.values())
    shown = found[:SHOWN]
    opened = opened_versions(viewer, [item.key for item in shown])
    together: dict[tuple[int, str], list[Item]] = {}
    for item in shown:
        together.setdefault(item.owner, []).append(replace(item, is_opened=(item.key, item.version) in opened))
    return Inbox([Group(items) for items in together.values()], number, max(number - SHOWN, 0))


def number_waiting(viewer: User) -> int:
    """How many things wait for the viewer. One query over all kinds."""
    return sum(_numbers_waiting(viewer).values())


def _numbers_waiting(viewer: User) -> dict[str, int]:
    """How many things of each kind wait for the viewer, of those kinds of which any does. One query."""
    return counts_of({name: kind.waiting(viewer) for name, kind in KINDS.items()})


def item_for(viewer: User, kind: str, item_id: int) -> Item | None:
    """One item that is the viewer's to decide, or was; None for any other."""
    return KINDS[kind].item(viewer, item_id) if kind in KINDS else None


def approve_several(chosen: Sequence[tuple[Item, int]], *, actor: User) -> None:
    """Approve items, each in the version (beside it) that the approver saw. All of them or, when one is refused, none."""
    alone = next((item for item, _version in chosen if item.is_alone), None)
    if alone is not None:
        raise DomainError(f"This cannot be undone, so it is opened and approved by itself. {alone.sentence}.")
    owners = {item.owner: item for item, _version in chosen}
    if len(owners) > 1:
        names = " and ".join(f"{item.person}, {item.code}" for item in list(owners.values())[:2])
        raise DomainError(
            f"Only what is of one student and one patient is approved together; these are {names}. "
            "Approve each patient's by themselves."
        )
    for item, version in chosen:
        try:
            KINDS[item.kind].approve(item.id, version=version, actor=actor)
        except DomainError as refusal:
            raise type(refusal)(f"Nothing was approved. {item.sentence}: {refusal.sentence}") from refusal
