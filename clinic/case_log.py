"""What a case's log says: the canonical text of each row, and digests. Each row's digest covers the row before it. No database."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from clinic.canonical import canonical, digest

FORMAT = 1
# What somebody did: "Kamal Dias completed the task “Crown” on ...".
DID = {
    "opened": "opened {}",
    "assigned": "assigned {}",
    "begun": "began {}",
    "completed": "completed {}",
    "reviewed": "reviewed {}",
    "task_returned": "returned {}",
    "commented": "wrote to {}",
    "submitted": "sent {} for verification",
    "verified": "verified {}",
    "returned": "returned {}",
    "taken_up": "took {} up again",
    "passed_on": "passed {} on",
    "closed": "closed {}",
}


def row_body(said: Mapping[str, Any]) -> str:
    """The canonical text of a row: JSON, keys sorted, ASCII, no spaces. The same for the same, always."""
    return canonical({"format": FORMAT, **said})


def said_in(body: str) -> dict[str, Any]:
    """What a row says."""
    said: dict[str, Any] = json.loads(body)
    if said.pop("format") != FORMAT:
        raise ValueError("a row of a case's log in a format that this program does not read")
    return said


def link(before: str, body: str) -> str:
    """The digest of a row: SHA-256 over the digest of the row before it (empty for the first) and its own text, hex."""
    return digest(before + body)


def digest_of(links: Iterable[str]) -> str:
    """The digest of several rows as they are shown together, from their own digests, hex."""
    return digest("".join(links))
