"""What somebody signed: the canonical bytes of a note, and their digest. No database."""

import json
from collections.abc import Mapping
from typing import Any

from clinic.canonical import canonical

FORMAT = 1
# What a note says, apart from who signed it and when.
SAID = ("type", "execution", "procedure", "teeth", "text", "outcome", "visit_id")


def signed_body(said: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """The canonical text of a signing: JSON, keys sorted, ASCII, no spaces. The same for the same, always.

    `said`: the fields of `SAID`; `about`: whose note, by whom, when, which number.
    """
    body = {"format": FORMAT, "said": {name: said[name] for name in SAID}, "about": dict(about)}
    return canonical(body)


def said_in(body: str) -> dict[str, Any]:
    """The fields of `SAID` as they were signed."""
    said: dict[str, Any] = _read(body)["said"]
    return said


def about_in(body: str) -> dict[str, Any]:
    """Whose note it was, by whom, when, which number."""
    about: dict[str, Any] = _read(body)["about"]
    return about


def _read(body: str) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(body)
    if kept["format"] != FORMAT:
        raise ValueError(f"a signing of format {kept['format']} is not one this program reads")
    return kept
