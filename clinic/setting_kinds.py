"""What a setting can be. Each kind reads what was typed into a value, checks it, says it in words, and names how it is drawn.

`shape` names the macro in templates/settings/_setting.html. A value that a kind stores is one that it reads back from its own
fields, so there is one set of rules for the page and for what other code changes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, ClassVar, Protocol

from clinic.money import CURRENCIES

DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}


class Fields(Protocol):
    """The fields of a form that was sent."""

    def get(self, name: str, default: str, /) -> str: ...
    def getlist(self, name: str, /) -> list[str]: ...


class Unfit(ValueError):
    """The sentence says what to type instead."""


class Kind:
    """`sent` what a form held, as the page draws it again; `typed` a value as it is drawn; `read` what is drawn as a value."""

    shape: ClassVar[str]

    def sent(self, fields: Fields, name: str) -> Any:
        return fields.get(name, "")

    def typed(self, value: Any) -> Any:
        return str(value)

    def read(self, typed: Any) -> Any:
        """The value. Raises Unfit."""
        raise NotImplementedError

    def in_words(self, value: Any) -> str:
        return str(value)

    def checked(self, value: Any) -> Any:
        """The value itself, when it is one. Raises Unfit."""
        try:
            same = self.read(self.typed(value)) == value
        except Unfit:
            raise
        except (TypeError, ValueError, AttributeError, KeyError, IndexError):
            same = False
        if not same:
            raise Unfit("This is not a value of this setting.")
        return value


@dataclass(frozen=True)
class Text(Kind):
    """One line."""

    most: int
    least: int = 1
    shape: ClassVar[str] = "text"

    def read(self, typed: str) -> str:
        text = " ".join(typed.split())
        if not self.least <= len(text) <= self.most or not text.isprintable():
            raise Unfit(f"Type {self.least} to {self.most} letters.")
        return text

    def in_words(self, value: str) -> str:
        return value or "nothing"


@dataclass(frozen=True)
class Currency(Kind):
    """A currency by its code, typed: a list of all of them would be longer than the rest of the page."""

    shape: ClassVar[str] = "text"

    def read(self, typed: str) -> str:
        code = typed.strip().upper()
        if code not in CURRENCIES:
            raise Unfit("Type the code of a currency, three letters like EUR.")
        return code

    def in_words(self, value: str) -> str:
        return value


@dataclass(frozen=True)
class EmailAddress(Kind):
    """An address, or nothing."""

    shape: ClassVar[str] = "email"

    def read(self, typed: str) -> str:
        text = typed.strip()
        if text and (len(text) > 254 or not re.fullmatch(r"[^@\s<>,;\"\\]+@[^@\s<>,;\"\\]+\.[^@\s<>,;\"\\.]+", text)):
            raise Unfit("Type one address like desk@clinic.example, or nothing.")
        return text

    def in_words(self, value: str) -> str:
        return value or "none"


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number in a range, of a unit."""

    low: int
    high: int
    unit: str
    shape: ClassVar[str] = "whole"

    def read(self, typed: str) -> int:
        return whole(typed, self.low, self.high)

    def in_words(self, value: int) -> str:
        return f"{value} {self.unit}"


@dataclass(frozen=True)
class Switch(Kind):
    shape: ClassVar[str] = "switch"

    def sent(self, fields: Fields, name: str) -> bool:
        return fields.get(name, "") == "on"

    def typed(self, value: Any) -> Any:
        return value

    def read(self, typed: Any) -> bool:
        if not isinstance(typed, bool):
            raise Unfit("Choose on or off.")
        return typed

    def in_words(self, value: bool) -> str:
        return "on" if value else "off"


@dataclass(frozen=True)
class OneOf(Kind):
    """One of a list: stored value to word."""

    choices: Callable[[], Mapping[str, str]]
    shape: ClassVar[str] = "one_of"

    def read(self, typed: str) -> str:
        if typed not in self.choices():
            raise Unfit("Choose one of the list.")
        return typed

    def in_words(self, value: str) -> str:
        return self.choices().get(value, value)


@dataclass(frozen=True)
class Several(Kind):
    """Any of a list, in the list's order, `least` of them at least; or, when `most` is given, the first so many in the order chosen, at
    least one."""

    choices: Mapping[str, str]
    most: int = 0
    least: int = 0
    shape: ClassVar[str] = "several"

    def sent(self, fields: Fields, name: str) -> list[str]:
        return fields.getlist(name)[:50]

    def typed(self, value: Any) -> Any:
        return list(value)

    def read(self, typed: list[str]) -> list[str]:
        chosen = [one for one in typed if one]
        if any(one not in self.choices for one in chosen):
            raise Unfit("Choose from the list.")
        if len(set(chosen)) != len(chosen):
            raise Unfit("Choose each one once.")
        if self.most and not 1 <= len(chosen) <= self.most:
            raise Unfit(f"Choose 1 to {self.most}.")
        if len(chosen) < self.least:
            raise Unfit(f"Choose at least {self.least}.")
        return chosen if self.most else [one for one in self.choices if one in chosen]

    def in_words(self, value: list[str]) -> str:
        return ", ".join(self.choices.get(one, one) for one in value) or "none"


@dataclass(frozen=True)
class MinutesPairs(Kind):
    """For each row two limits in minutes, the second greater."""

    rows: Mapping[str, str]
    shape: ClassVar[str] = "minutes_pairs"

    def sent(self, fields: Fields, name: str) -> dict[str, list[str]]:
        return {row: [fields.get(f"{name}.{row}.{place}", "") for place in (1, 2)] for row in self.rows}

    def typed(self, value: Any) -> Any:
        return {row: [str(minutes) for minutes in value[row]] for row in value}

    def read(self, typed: dict[str, list[str]]) -> dict[str, list[int]]:
        read: dict[str, list[int]] = {}
        if set(typed) != set(self.rows):
            raise Unfit("Give every row its two numbers.")
        for row, word in self.rows.items():
            try:
                first, second = (whole(text, 1, 1440) for text in typed[row])
            except Unfit as unfit:
                raise Unfit(f"{word}: {unfit}") from None
            if first >= second:
                raise Unfit(f"{word}: the second number must be greater than the first.")
            read[row] = [first, second]
        return read

    def in_words(self, value: dict[str, list[int]]) -> str:
        return ", ".join(f"{self.rows.get(row, row)} {' and '.join(map(str, pair))}" for row, pair in value.items())


@dataclass(frozen=True)
class Limits(Kind):
    """A number, or none, for each row and column."""

    rows: Mapping[str, str]
    columns: Mapping[str, str]
    most: int
    shape: ClassVar[str] = "limits"

    def sent(self, fields: Fields, name: str) -> dict[str, dict[str, str]]:
        return {row: {column: fields.get(f"{name}.{row}.{column}", "") for column in self.columns} for row in self.rows}

    def typed(self, value: Any) -> Any:
        return {row: {column: str(number) for column, number in value[row].items()} for row in value}

    def read(self, typed: dict[str, dict[str, str]]) -> dict[str, dict[str, int]]:
        if set(typed) != set(self.rows) or any(set(row) - set(self.columns) for row in typed.values()):
            raise Unfit("Give the numbers of this table only.")
        read: dict[str, dict[str, int]] = {}
        for row in self.rows:
            read[row] = {}
            for column, word in self.columns.items():
                text = typed[row].get(column, "").strip()
                if text:
                    try:
                        read[row][column] = whole(text, 0, self.most)
                    except Unfit as unfit:
                        raise Unfit(f"{self.rows[row]}, {word}: {unfit} Leave it empty for no limit.") from None
        return read

    def in_words(self, value: dict[str, dict[str, int]]) -> str:
        said = [
            f"{self.rows.get(row, row)} "
            + ", ".join(f"{self.columns.get(year, year)}: {most}" for year, most in of.items())
            for row, of in value.items()
            if of
        ]
        return "; ".join(said) or "no limits"


@dataclass(frozen=True)
class Week(Kind):
    """For each day of the week the sessions in which the clinic is open, from and to, in order and apart."""

    shape: ClassVar[str] = "week"
    rows: ClassVar[Mapping[str, str]] = DAYS

    def sent(self, fields: Fields, name: str) -> dict[str, str]:
        return {day: fields.get(f"{name}.{day}", "") for day in DAYS}

    def typed(self, value: Any) -> Any:
        return {day: ", ".join(f"{start} to {end}" for start, end in value.get(day, [])) for day in {*DAYS, *value}}

    def read(self, typed: dict[str, str]) -> dict[str, list[list[str]]]:
        read: dict[str, list[list[str]]] = {}
        for day, word in DAYS.items():
            before = ""
            for part in filter(None, (part.strip() for part in typed.get(day, "").split(","))):
                found = re.fullmatch(r"(\d\d?)[:.](\d\d)\s*(?:to|-|–)\s*(\d\d?)[:.](\d\d)", part, re.ASCII)
                try:
                    hours = [int(text) for text in found.groups()] if found else []
                    start, end = (time(hours[at], hours[at + 1]).isoformat("minutes") for at in (0, 2))
                except (ValueError, IndexError):
                    raise Unfit(f"{word}: type sessions like 08:00 to 12:00, 13:00 to 17:00.") from None
                if start >= end or start < before:
                    raise Unfit(f"{word}: each session ends after it begins, and the next begins after that.")
                read.setdefault(day, []).append([start, end])
                before = end
        if set(typed) - set(DAYS):
            raise Unfit("A week has seven days.")
        return read

    def in_words(self, value: dict[str, list[list[str]]]) -> str:
        return "; ".join(f"{DAYS[day]} {self.typed(value)[day]}" for day in DAYS if value.get(day)) or "none"


def whole(text: str, low: int, high: int) -> int:
    """The whole number that was typed, in the range. Raises Unfit."""
    text = text.strip()
    if not re.fullmatch("[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise Unfit(f"Type a whole number from {low} to {high}.")
    return int(text)
