"""How a PDF is walked: what it may do is told by the names in it, those that are packed too. Nothing of it is run or shown."""

import re
import zlib
from collections.abc import Generator
from functools import cache, partial
from typing import Any

from clinic.documents.walk import PIECE, Cut, Find, Kind, Refused, Some, Step, Take, Walk, Walked

_PDF_FIRST = re.compile(rb"%PDF-[12]\.[0-9]")
_SPACE = r"[\0\t\n\f\r ]"
_NAME_ENDS = r"(?![^\0\t\n\f\r ()<>\[\]{}/%])"
_PDF_LONGEST = 512  # bytes of the longest match with what is looked at behind it


def _name(word: str) -> str:
    """A PDF name, without its slash, as it may be written: each of its letters as itself or as #xx."""
    return "".join(f"(?:{char}|#{_either_case(f'{ord(char):02x}')})" for char in word) + _NAME_ENDS


def _either_case(hexadecimal: str) -> str:
    return "".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in hexadecimal)


_ABOUT_PACK = 300  # bytes before and behind the name that says that objects are packed
# Names of two letters occur by chance in packed data; they count only with what may follow them.
_A_VALUE = rf"(?=[(<%]|{_SPACE}{{1,64}}+[(<%0-9])"
_PDF_SEEN = {
    "page": _name("Type") + rf"{_SPACE}{{0,64}}+/" + _name("Page"),
    "script": "|".join((_name("JavaScript"), _name("JS") + _A_VALUE)),
    # A list is a place in the document to begin at; that is no action.
    "opening": "|".join((_name("OpenAction") + rf"(?!{_SPACE}{{0,64}}+\[)", _name("AA") + _A_VALUE)),
    "launch": _name("Launch"),
    "files": "|".join((_name("EmbeddedFiles"), _name("EmbeddedFile"))),
    "xfa": _name("XFA"),
    "packed": _name("ObjStm") + rf"(?:[^<>]{{0,{_ABOUT_PACK}}}+>>{_SPACE}{{0,64}}+stream\r?\n)?",
}
_PDF_FLAGS = {
    "script": "has JavaScript",
    "opening": "opens something by itself",
    "launch": "starts a program",
    "files": "holds files",
    "xfa": "has a form of its own (XFA)",
    "packed": "is packed in a way that hides what it does",
}
# Objects that are packed as nearly all programs pack them: what is in them can be looked at.
_HOW_PACKED = re.compile(
    rf"(?:{_SPACE}|/Type{_SPACE}*/ObjStm|/(?:N|First|Length|DL){_SPACE}+[0-9]+|/(?:Length|Extends){_SPACE}+[0-9]+{_SPACE}+[0-9]+{_SPACE}+R"
    rf"|/Filter{_SPACE}*(?:/FlateDecode|\[{_SPACE}*/FlateDecode{_SPACE}*\]))*+".encode()
)
_BLOCK = 1024  # bytes that are unpacked at once, counted from where they begin
_UNPACKED = 2**24  # bytes that are unpacked of a file


@cache
def _pdf_pattern(kinds: frozenset[str]) -> re.Pattern[bytes]:
    names = "|".join(f"(?P<{kind}>{_PDF_SEEN[kind]})" for kind in sorted(kinds))
    return re.compile(f"/(?=[AEJLOTX#])(?:{names})".encode())


class _Objects:
    """What is seen of a PDF's objects, in the file itself or, where `is_inside`, in those that are packed: none is packed twice."""

    def __init__(self, *, is_inside: bool) -> None:
        self.is_inside = is_inside
        self.unseen, self.pages, self.room = frozenset(_PDF_SEEN), 0, _UNPACKED

    def walk(self, file: Walked) -> Walk:
        """As far as the bytes go."""
        while True:
            match = yield Find(_pdf_pattern(self.unseen), _PDF_LONGEST)
            if match.lastgroup == "page":
                self.pages += 1
            else:
                self.unseen -= {match.lastgroup}
            if match.lastgroup == "packed" and not self.is_inside and (yield from self.unpacked(file, match)):
                self.unseen |= {"packed"}  # it was seen to its end
            if self.pages > file.limits.pages:
                raise Refused(
                    f"This PDF has more than {file.limits.pages:,} pages. Print fewer of them to a PDF and upload that."
                )

    def unpacked(self, file: Walked, match: re.Match[bytes]) -> Generator[Step, Any, bool]:
        """Look into what is packed behind this; answers whether all of it could be seen."""
        _, begins, before = match.string[max(match.start() - _ABOUT_PACK, 0) : match.start()].rpartition(b"<<")
        how = before + match[0].rpartition(b">>")[0]
        if not begins or not match[0].endswith(b"\n") or not _HOW_PACKED.fullmatch(how):
            return False
        if b"/Filter" not in how:
            return True  # not packed: it is walked as it is
        inflater, inside = zlib.decompressobj(), Walked(_INSIDE, file.limits)
        while not inflater.eof:
            packed = yield Some(_BLOCK)
            while packed and not inflater.eof:
                try:
                    plain = inflater.decompress(packed, PIECE)
                except zlib.error:
                    return False
                self.room -= len(plain)
                if self.room < 0:
                    return False
                inside.feed(plain)
                packed = inflater.unconsumed_tail
        file.step_back(len(inflater.unused_data))
        inside.end()
        self.pages += inside.pages or 0
        self.unseen -= {kind for kind, words in _PDF_FLAGS.items() if words in inside.flags}
        return _PDF_FLAGS["packed"] not in inside.flags


def pdf(file: Walked) -> Walk:
    if not _PDF_FIRST.fullmatch((yield Take(8))):
        raise file.damaged()
    yield from _seen(file)
    if b"%%EOF" not in file.tail:
        raise file.cut_short() from None


def _seen(file: Walked, *, is_inside: bool = False) -> Walk:
    objects = _Objects(is_inside=is_inside)
    try:
        yield from objects.walk(file)
    except Cut:
        file.pages = objects.pages or None
        file.flags += [words for kind, words in _PDF_FLAGS.items() if kind not in objects.unseen]


_INSIDE = Kind("", "", (), "PDF", partial(_seen, is_inside=True))
