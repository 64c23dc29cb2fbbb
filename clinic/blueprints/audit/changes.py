"""Before and after of an event, side by side, field by field."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One field. `kind`: changed, added, removed or same; a side that says nothing of the field is None."""

    field: str
    before: str | None
    after: str | None
    kind: str


def changes_of(before: str | None, after: str | None) -> list[Change]:
    """The fields of two texts as they were stored (JSON), in order of name, those that differ first."""
    old, new = _fields(before), _fields(after)
    changes = [_change(name, old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())]
    return sorted(changes, key=lambda change: change.kind == "same")


def _change(name: str, old: str | None, new: str | None) -> Change:
    if old is None:
        return Change(name, old, new, "added")
    if new is None:
        return Change(name, old, new, "removed")
    return Change(name, old, new, "same" if old == new else "changed")


def _fields(text: str | None) -> dict[str, str]:
    """Values by field; what is no JSON object (somebody wrote into the table) stands as it is under one name."""
    if text is None:
        return {}
    try:
        said = json.loads(text)
    except ValueError:
        return {"not readable": text}
    return {str(name): _words(value) for name, value in said.items()} if isinstance(said, dict) else {"": text}


def _words(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
