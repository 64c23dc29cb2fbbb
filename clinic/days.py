"""Days as people type them, read into dates with a sentence for each way to be wrong."""

import re
import unicodedata
from datetime import date

from clinic.text import ascii_digits

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)


class NotADay(ValueError):
    """The sentence says how to type it."""


def read_day(text: str) -> date:
    """The date of `2/3/1984` (day first), `2.3.1984`, `1984-03-02`, `2 Mar 1984`, `March 2, 1984`, `02031984`, in any script's digits.

    Raises NotADay.
    """
    parts = re.findall(r"\d+|[^\W\d_]+", ascii_digits(unicodedata.normalize("NFKC", text)).lower())
    parts = [part for part in parts if part not in ("st", "nd", "rd", "th", "of")]
    if len(parts) == 1 and re.fullmatch(r"\d{8}", parts[0]):
        whole = parts[0]
        year_first = 1900 <= int(whole[:4]) <= 2100
        parts = [whole[:4], whole[4:6], whole[6:]] if year_first else [whole[:2], whole[2:4], whole[4:]]
    if len(parts) != 3:
        raise NotADay("Type day, month and year, like 2/3/1984 or 2 Mar 1984.")
    named = [place for place, part in enumerate(parts) if not part.isdigit()]
    if named:
        year, month, day = _with_named_month(parts, named)
    elif len(parts[0]) == 4:
        year, month, day = (int(part) for part in parts)
    else:
        day, month, year = (int(part) for part in parts)
        if len(parts[2]) != 4:
            raise NotADay("Type the year with four digits, like 1984.")
    if month > 12 >= day >= 1:
        raise NotADay(f"There is no month {month}. The day comes first: {month}/{day}/{year}.")
    try:
        return date(year, month, day)
    except ValueError:
        raise NotADay(f"There is no such day as {day}/{month}/{year}. Check day and month.") from None


def _with_named_month(parts: list[str], named: list[int]) -> tuple[int, int, int]:
    """Year, month and day of `2 mar 1984`, `mar 2 1984` or `1984 mar 2`."""
    word = parts[named[0]]
    months = [number for number, name in enumerate(MONTHS, 1) if len(word) >= 3 and name.startswith(word)]
    if word == "sept":
        months = [9]
    if len(named) != 1 or len(months) != 1 or named[0] == 2:
        raise NotADay("Write the month as a number or in English, like 2/3/1984 or 2 Mar 1984.")
    numbers = [part for part in parts if part.isdigit()]
    year, day = (numbers[0], numbers[1]) if len(numbers[0]) == 4 else (numbers[1], numbers[0])
    if len(year) != 4:
        raise NotADay("Type the year with four digits, like 1984.")
    return int(year), months[0], int(day)
