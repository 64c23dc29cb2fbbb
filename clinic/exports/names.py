"""Names of files inside an export: such as every file system takes, none like another, none that leads anywhere else."""

import unicodedata

LONGEST = 120  # bytes of one name, of the 255 that file systems take
KEPT = frozenset(" -_()+,'")  # besides letters, marks and digits of every script


def name_of(number: int, name: str, suffixes: tuple[str, ...]) -> str:
    """What a document is called in an export: `00000012 36 before.png`.

    The number comes first, so no two are alike in any file system and none is a word that a system keeps for itself (`CON`, `..`).
    It ends as its content is, by `suffixes` (the usual one first), and not as somebody called it: what opens it is chosen by that.
    """
    begin, end = f"{number:08} ", suffixes[0] if suffixes else ".bin"
    for suffix in suffixes:
        if name.lower().endswith(suffix):
            name, end = name[: -len(suffix)], suffix
            break
    stem = "".join(map(_kept, unicodedata.normalize("NFC", name)))
    room = LONGEST - len(begin.encode()) - len(end)
    stem = " ".join(stem.split()).encode("utf-8", "ignore")[:room].decode("utf-8", "ignore").strip(" _")
    return f"{begin}{stem or 'document'}{end}"


def _kept(char: str) -> str:
    if char in KEPT or unicodedata.category(char)[0] in "LMN":
        return char
    return " " if char.isspace() else "_"
