"""What a file is called: on screen, and in a download."""

import re
import unicodedata

from clinic.text import one_line

LONGEST_NAME, LONGEST_NAME_BYTES = 150, 200
SEEN_OF_NAME = 1000  # characters, the last: to put together a million of marks would hold up everybody for minutes
_JOINERS = "\u200c\u200d"  # letters of Sinhala, Persian and others are joined or not by them
_NO_BEGINNING = re.compile(rf"^(?:[. {_JOINERS}]|[A-Za-z]:)+")  # hidden, or on a drive
_NAME_SUFFIX = re.compile(r".\.[A-Za-z0-9]{1,10}\Z", re.DOTALL)


def cleaned_name(name: str) -> str:
    """What a file is called on screen and in a download: no path, nothing invisible or that turns text round, NFC, never empty.

    At most 150 characters and 200 bytes; its suffix stays. No dot at either end.
    """
    end = name[-SEEN_OF_NAME:]
    seen = "".join(
        char for char in end if char.isspace() or char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co")
    )  # fmt: skip
    last = one_line(re.split(r"[/\\]", seen)[-1])
    text = _NO_BEGINNING.sub("", unicodedata.normalize("NFC", last)).rstrip(". ")
    suffix = suffix_of(text)
    stem = text.removesuffix(suffix)[: LONGEST_NAME - len(suffix)]
    stem = stem.encode()[: LONGEST_NAME_BYTES - len(suffix)].decode(errors="ignore").rstrip(". ")
    return (stem or "document") + suffix


def suffix_of(name: str) -> str:
    """The end of a file's name that says what kind it is, with its dot; empty if it has none."""
    match = _NAME_SUFFIX.search(name)
    return match[0][1:] if match else ""
