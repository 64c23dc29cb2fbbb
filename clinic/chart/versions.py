"""Versions of a chart: the canonical bytes in which one is kept, the chain over them, and the difference between two.

A body holds everything that its print needs: who the patient was at that time, what was said of which tooth and by whom, and each
kind of entry that was used, so that a kind that is renamed or retired later changes no version.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from clinic.canonical import canonical
from clinic.chart.entry import Entry, entry_from
from clinic.chart.kinds import BUILT_IN, Drawing, Field, Group, Kind, Presence, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Dentition, Numbering
from clinic.chart.words import sentence

FORMAT = 1
# Crockford's base 32: no I, L, O, U, which people mistake for others.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MISTAKEN = str.maketrans("ILO", "110")
CODE_LENGTH, CODE_GROUP = 12, 4
# What was said, apart from who said it when, and in which row it stands.
SAID = ("kind", "status", "teeth", "surfaces", "jaw", "details", "dated", "performer_id", "visit_id")


def body_of(mouth: Mouth, about: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a mouth and what is known about it: JSON, keys sorted, ASCII, no spaces. The same for the same, always."""
    used = {entry.kind for entry in mouth.entries}
    body = {
        "format": FORMAT,
        "about": dict(about),
        "dentition": str(mouth.dentition),
        "base": list(mouth.base),
        "entries": [entry.plain() for entry in mouth.entries],
        "kinds": {code: plain_kind(mouth.kinds[code]) for code in used},
    }
    return canonical(body).encode("ascii")


def mouth_from(body: bytes) -> Mouth:
    """The mouth of a body, with the kinds as they were then."""
    kept = _read(body)
    kinds = {code: kind_from(plain) for code, plain in kept["kinds"].items()}
    entries = tuple(entry_from(plain) for plain in kept["entries"])
    return Mouth(tuple(kept["base"]), entries, {**BUILT_IN, **kinds}, Dentition(kept["dentition"]))


def about_from(body: bytes) -> dict[str, Any]:
    """What a body tells about itself: the patient then, number, author, visit."""
    about: dict[str, Any] = _read(body)["about"]
    return about


def digest(before_sha256: str, body: bytes) -> str:
    """The link of a version: SHA-256 over the hex digest before it (empty for the first) and its bytes, hex."""
    return hashlib.sha256(before_sha256.encode("ascii") + body).hexdigest()


class Cut(Protocol):
    """A version with its bytes and its link of the chain."""

    @property
    def body(self) -> bytes: ...
    @property
    def sha256(self) -> str: ...
    @property
    def before_sha256(self) -> str: ...


class NotAsCut(ValueError):
    """The bytes of a version are not those that were cut: nothing of it is to be believed, shown or printed."""


def as_cut(version: Cut) -> bytes:
    """The bytes of a version, held against its digest. Raises NotAsCut."""
    if digest(version.before_sha256, version.body) != version.sha256:
        raise NotAsCut("a chart version does not read as it was cut")
    return version.body


def check_code(sha256: str) -> str:
    """What a print carries so that paper can be held against the stored version: the first 60 bits, `7H3K-90AB-XYZ2`."""
    number = int(sha256[:15], 16)
    letters = "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(CODE_LENGTH)))
    return "-".join(letters[start : start + CODE_GROUP] for start in range(0, CODE_LENGTH, CODE_GROUP))


def read_code(text: str) -> str:
    """A check code as it is kept, however it was typed: small letters, spaces, the letters one mistakes. Empty when it is none."""
    letters = "".join(text.upper().translate(MISTAKEN).replace("-", " ").split())
    if len(letters) != CODE_LENGTH or any(letter not in ALPHABET for letter in letters):
        return ""
    return "-".join(letters[start : start + CODE_GROUP] for start in range(0, CODE_LENGTH, CODE_GROUP))


# --- the difference ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What became of one thread between two mouths: added (no `before`), removed (no `after`), or said anew.

    `place`: where the entry stands among those after. `kinds`: the kinds of both, as they were.
    """

    before: Entry | None
    after: Entry | None
    place: int = -1
    kinds: Mapping[str, Kind] = field(default_factory=dict, compare=False, repr=False)

    @property
    def mark(self) -> str:
        """`added`, `removed` or `changed`, as the drawing marks a tooth."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in (self.before, self.after) if entry is not None)

    @property
    def keys(self) -> tuple[str, ...]:
        """The teeth that it concerns, each once."""
        return tuple(dict.fromkeys(key for entry in self.entries for key in entry.keys))

    @property
    def is_only_said_again(self) -> bool:
        """The same was written anew: taken back and put back, or restored."""
        return self.before is not None and self.after is not None and said(self.before) == said(self.after)


def said(entry: Entry) -> tuple[Any, ...]:
    """What an entry says, to compare two of one thread."""
    plain = entry.plain()
    return tuple(plain[name] for name in SAID)


def difference(before: Mouth, after: Mouth) -> list[Change]:
    """What became of what in between: first what was removed, then the rest in the order in which it is said after.

    Of two mouths of one chart, in either order.
    """
    old, new = _by_thread(before), _by_thread(after)
    kinds = {**before.kinds, **after.kinds}

    def change(first: Entry | None, second: Entry | None, place: int = -1) -> Change:
        used = {entry.kind for entry in (first, second) if entry is not None}
        return Change(first, second, place, {code: kinds[code] for code in used})

    stays = [thread for thread, entry in old.items() if new.get(thread) == entry]
    if stays != [thread for thread, entry in new.items() if old.get(thread) == entry]:
        stays = []  # never within a chart: what stays keeps its order
    kept = set(stays)
    removed = [change(entry, None) for thread, entry in old.items() if thread not in new]
    said_anew = [
        change(old.get(thread), entry, place) for place, (thread, entry) in enumerate(new.items()) if thread not in kept
    ]
    return removed + said_anew


def change_sentence(change: Change, numbering: Numbering | str = Numbering.FDI) -> str:
    """`Added: 36, mesial-occlusal: caries, finding`; of what was said anew both, with an arrow between."""

    def told(entry: Entry, *, with_tooth: bool = True) -> str:
        return sentence(entry, numbering=numbering, kinds=change.kinds, with_tooth=with_tooth)

    if change.before is None:
        assert change.after is not None
        return f"Added: {told(change.after)}"
    if change.after is None:
        return f"Removed: {told(change.before)}"
    if change.is_only_said_again:
        return f"Said again: {told(change.after)}"
    is_same_place = (change.before.teeth, change.before.surfaces) == (change.after.teeth, change.after.surfaces)
    return f"Changed: {told(change.before)} → {told(change.after, with_tooth=not is_same_place)}"


def _by_thread(mouth: Mouth) -> dict[int, Entry]:
    """What holds of each thread, in its order; what is not written yet has no thread and gets a number of its own."""
    return {entry.thread or -place: entry for place, entry in enumerate(mouth.entries, 1)}


def replay(before: Mouth, changes: Sequence[Change]) -> Mouth:
    """The mouth after the changes: what `difference` was asked about, entry by entry and in its order."""
    gone = {change.before.thread for change in changes if change.before is not None}
    entries = [entry for entry in before.entries if entry.thread not in gone]
    for change in sorted((change for change in changes if change.after is not None), key=lambda change: change.place):
        assert change.after is not None
        entries.insert(change.place, change.after)
    kinds = {**before.kinds, **{code: kind for change in changes for code, kind in change.kinds.items()}}
    return Mouth(before.base, tuple(entries), kinds, before.dentition)


def marks_of(changes: Sequence[Change]) -> dict[str, str]:
    """What the drawing marks: tooth to `added`, `removed` or `changed`; a tooth with several of these is changed."""
    found: dict[str, set[str]] = {}
    for change in changes:
        if not change.is_only_said_again:
            for key in change.keys:
                found.setdefault(key, set()).add(change.mark)
    return {key: marks.pop() if len(marks) == 1 else "changed" for key, marks in found.items()}


def overlaid(after: Mouth, changes: Sequence[Change]) -> Mouth:
    """The second mouth with what is no longer there, so that it can be drawn and marked as removed."""
    gone = [change.before for change in changes if change.after is None and change.before is not None]
    kinds = {**after.kinds, **{code: kind for change in changes for code, kind in change.kinds.items()}}
    there = {entry.thread for entry in after.entries}
    return Mouth(
        after.base, (*after.entries, *(entry for entry in gone if entry.thread not in there)), kinds, after.dentition
    )


# --- kinds as a body keeps them ---------------------------------------------------------------------------------------


def plain_kind(kind: Kind) -> dict[str, Any]:
    """All that a kind says, whatever more it will say in later years."""
    plain = {each.name: getattr(kind, each.name) for each in fields(Kind)}
    options = [[each.name, each.label, list(each.options.items()), each.required] for each in kind.fields]
    return plain | {
        "fields": options,
        "drawing": [kind.drawing.rule, kind.drawing.pattern, kind.drawing.letter, kind.drawing.icon],
    }


def kind_from(plain: Mapping[str, Any]) -> Kind:
    """The kind as it was; what kinds did not say then is as if unsaid."""
    read: dict[str, Callable[[Any], Any]] = {
        "words": tuple,
        "roles": tuple,
        "scope": Scope,
        "group": Group,
        "statuses": lambda kept: tuple(Status(status) for status in kept),
        "drawing": lambda kept: Drawing(*kept),
        "presence": lambda kept: Presence(kept) if kept else None,
        "fields": lambda kept: tuple(
            Field(name, label, dict(options), required) for name, label, options, required in kept
        ),
    }
    known = {each.name for each in fields(Kind)}
    return Kind(**{name: read.get(name, lambda kept: kept)(kept) for name, kept in plain.items() if name in known})


def _read(body: bytes) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(body)
    if kept["format"] != FORMAT:
        raise ValueError(f"a chart version of format {kept['format']} is not one this program reads")
    return kept
