"""What has changed between two texts, word by word."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

WORDS = re.compile(r"\s+|[^\s]+")
MOST = 4000  # words and spaces of a text that are compared; longer texts are compared by lines


@dataclass(frozen=True)
class Piece:
    """A part of a text. `mark`: `same`, `added` or `removed`."""

    mark: str
    text: str


def difference(before: str, after: str) -> list[Piece]:
    """The pieces of both texts in order: those of `same` and `added` make up the later one, those of `same` and `removed` the earlier."""
    old, new = _parts(before), _parts(after)
    pieces: list[Piece] = []
    for what, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            pieces.append(Piece("same", "".join(new[j1:j2])))
            continue
        if i2 > i1:
            pieces.append(Piece("removed", "".join(old[i1:i2])))
        if j2 > j1:
            pieces.append(Piece("added", "".join(new[j1:j2])))
    return pieces


def _parts(text: str) -> list[str]:
    parts = WORDS.findall(text)
    return parts if len(parts) <= MOST else text.splitlines(keepends=True)
