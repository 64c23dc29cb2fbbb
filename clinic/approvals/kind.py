"""The seam between the inbox and what is approved in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Select

from clinic.models import Patient, User


@dataclass(frozen=True)
class Item:
    """One thing that waits for an approver, or that did.

    `person_id` and `person`: the student or clinician whose work it is; with the patient they say what may be approved together.
    """

    kind: str
    id: int
    version: int
    word: str  # of the list: Assign, Start, Note
    sentence: str  # what happens when it is approved
    person_id: int
    person: str
    patient: Patient | None  # with alerts; None when there is none, or none of the code
    code: str  # the patient's, as asked for
    is_seen: bool  # whether the approver may open the patient's record
    asked_by: str
    since: datetime
    row: Any  # what the kind's fragment draws
    due: datetime | None = None
    is_urgent: bool = False
    is_alone: bool = False  # cannot be undone: opened and approved by itself, never together with others
    is_opened: bool = False  # whether the approver has looked at this version
    why: Callable[[], str] = field(default=str, compare=False)  # `outcome`, when somebody wants to know

    @cached_property
    def outcome(self) -> str:
        """Why there is nothing to decide: who decided what, and when; empty while it waits for the approver."""
        return self.why()

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def owner(self) -> tuple[int, str]:
        """Whose it is: what may be approved together is the same here."""
        return self.person_id, f"{self.code}-{self.kind}-{self.id}" if self.is_alone else self.code

    @property
    def order(self) -> tuple[bool, datetime, str, int]:
        """Emergencies first, then what has waited longest."""
        return not self.is_urgent, self.since, self.kind, self.id


@dataclass(frozen=True)
class Kind:
    """A kind of thing that waits for approval. Scope is the kind's own: what it does not give, the viewer does not decide.

    `fragment`: the template that shows exactly what is approved, from `item` and what `facts` answers; it has the id
    `approvals-shown`. A fact `exception`, when there is one, is a sentence saying why approving needs a reason.
    `decide`: the template with which it is decided, when approving asks for more than a press.
    `waiting`: selects the ids of all that waits for the viewer, for the number in the navigation.
    `items`: they, longest waiting first, bounded, in a constant number of queries. `item`: one of them, decided or not.
    `approve(id, version=, reason=, actor=)` and `give_back(id, version=, reason=, actor=)`: operations, which lock, judge anew whether
    the actor decides this, refuse a stale version with Conflict, and nudge `approvals:<department>` or `person:<approver>`.
    """

    name: str  # in keys and addresses
    fragment: str
    waiting: Callable[[User], Select[Any]]
    items: Callable[[User], list[Item]]
    item: Callable[[User, int], Item | None]
    facts: Callable[[User, Item], dict[str, Any]]
    approve: Callable[..., Any]
    give_back: Callable[..., Any]
    decide: str = ""
