"""The form of one group of settings: each setting's kind reads, checks and draws it."""

from typing import Any

from clinic import settings
from clinic.setting_kinds import Fields, Unfit
from clinic.settings import Declared


class Row:
    """One setting on the page: `typed` is what its fields hold, `error` the sentence below them."""

    def __init__(self, name: str, declared: Declared, fields: Fields | None) -> None:
        self.name = name
        self.declared = declared
        self.kind = declared.kind
        self.stored = settings.read(name)
        self.typed = self.kind.typed(self.stored) if fields is None else self.kind.sent(fields, name)
        self.error = ""
        self.theirs = ""  # what is stored now in words, when somebody changed it meanwhile

    @property
    def is_usual(self) -> bool:
        return bool(self.stored == self.declared.default)

    @property
    def seen(self) -> str:
        """What is stored of this one setting while this is drawn."""
        return settings.digest({self.name: self.stored})

    @property
    def usual(self) -> str:
        """The default in words."""
        return self.kind.in_words(self.declared.default)


class GroupForm:
    """The settings of a group as stored, or as they were typed into a form that was sent."""

    def __init__(self, group: str, fields: Fields | None = None) -> None:
        self.group = group
        self.title = settings.GROUPS[group]
        self.rows = [Row(name, declared, fields) for name, declared in settings.of_group(group).items()]
        self.values: dict[str, Any] = {}
        self.refusal = ""

    @property
    def seen(self) -> str:
        """What is stored while this is drawn; a form sent after it was changed is refused."""
        return settings.digest({row.name: row.stored for row in self.rows})

    def validate(self) -> bool:
        """Read every field into `values`; a row that cannot be read says why."""
        for row in self.rows:
            try:
                self.values[row.name] = row.kind.read(row.typed)
            except Unfit as unfit:
                row.error = str(unfit)
        return not any(row.error for row in self.rows)

    def show_both(self, sentence: str) -> None:
        """After a conflict: what was typed stays in the fields, and beside it stands what is stored now."""
        self.refusal = sentence
        for row in self.rows:
            if row.stored != self.values.get(row.name):
                row.theirs = row.kind.in_words(row.stored)
