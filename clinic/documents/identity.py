"""Whether a DICOM file names the patient in whose record it is: another patient's radiograph is real harm."""

import re
from collections.abc import Sequence
from datetime import date

from clinic import text
from clinic.documents.pictures import Facts

NOBODY = frozenset({"anonymous", "anonymized", "anonymised", "anon", "unknown"})
CODE = re.compile(r"P-\d{4}-\d{5,}", re.IGNORECASE)  # a number that is one of ours; others come from other systems


def disagreements(facts: Facts, *, name: str, birth_date: date, code: str) -> list[str]:
    """What the file says of its patient that is not so of this one, as sentences; what it does not say is no disagreement."""
    found = []
    if names_somebody(facts) and not _may_be(facts.name, name):
        found.append(f"The file says {readable(facts.name)}; this patient is {name}.")
    born = _day(facts.birth_date)
    if born and born != birth_date:
        found.append(f"The file says born on {_said(born)}; this patient was born on {_said(birth_date)}.")
    number = facts.number.strip()
    if CODE.fullmatch(number) and number.upper() != code:
        found.append(f"The file says number {number.upper()}; this patient is {code}.")
    return found


def names_somebody(facts: Facts) -> bool:
    """Whether the file says whose it is; `Anonymous` is nobody."""
    return bool(set(_words(facts.name)) - NOBODY)


def readable(name: str) -> str:
    """`Perera^Nimal` as `Nimal Perera`; the same name in other letters after it."""
    groups = []
    for group in name.split("="):
        family, *given = (part.strip() for part in group.split("^"))
        groups.append(" ".join(filter(None, (*given, family))))
    return " / ".join(filter(None, groups))


def _may_be(said: str, known: str) -> bool:
    """Whether one of the ways in which the file writes the name may be this name: each word of the shorter is in the longer, or is its
    first letter."""
    ours = _words(known)
    groups = [words for group in said.split("=") if (words := _words(group))]
    return any(_within(words, ours) or _within(ours, words) for words in groups)


def _within(some: Sequence[str], others: Sequence[str]) -> bool:
    left = list(others)
    for word in some:
        same = next((other for other in left if _same(word, other)), None)
        if same is None:
            return False
        left.remove(same)
    return True


def _same(one: str, other: str) -> bool:
    return one == other or (1 in (len(one), len(other)) and one[0] == other[0])


def _words(name: str) -> list[str]:
    return text.words(re.sub(r"[\^=]", " ", name))


def _day(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) if re.fullmatch(r"[0-9]{8}", digits) else None
    except ValueError:
        return None


def _said(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
