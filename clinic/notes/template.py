"""What a template begins a note with: its text, with `{chart}` and the like filled in."""

import re
from collections.abc import Mapping

PLACES = {
    "chart": "what was charted at this visit, or today",
    "teeth": "the teeth that were charted",
    "documents": "the documents that were filed today",
    "patient": "the patient's name",
    "date": "the day",
}
PLACE = re.compile(r"\{([a-z_]+)\}")


def filled(text: str, facts: Mapping[str, str]) -> str:
    """The text with every place filled in; a place of which nothing is known says `___`, to be written over."""
    return PLACE.sub(lambda found: facts.get(found[1], found[0]) or "___", text)


def unknown_places(text: str) -> list[str]:
    """The places of a text that no note could fill in."""
    return sorted({name for name in PLACE.findall(text) if name not in PLACES})
