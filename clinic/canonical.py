"""The canonical form of what is kept to the letter: the same text for the same, always, and its digest."""

import hashlib
import json
from datetime import date
from typing import Any


def canonical(what: Any) -> str:
    """JSON: keys sorted, ASCII, no spaces; days and instants as ISO 8601. Raises TypeError for what has no such form."""
    return json.dumps(what, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_day)


def digest(text: str) -> str:
    """SHA-256 of a text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _day(what: Any) -> str:
    if isinstance(what, date):
        return what.isoformat()
    raise TypeError(f"{type(what).__name__} has no canonical form")
