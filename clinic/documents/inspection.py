"""What the bytes of an upload are, told by their content while they stream by. Nothing is decoded, and next to nothing is held.

Each kind of file has a walk: a generator that asks for its next bytes (`Take`), passes over some (`Skip`) or looks for a pattern
(`Find`), and ends where the file says it ends. A walk never sees how the bytes were cut into pieces, so that cannot change an answer.
"""

import re
import struct
import sys
import unicodedata
import zlib
from codecs import getincrementaldecoder
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from clinic.text import one_line

HEAD = 4096  # bytes by which the kind is told
NEAR = 1024  # bytes in which a browser or a reader looks for something else
PIECE = 65_536  # bytes that are walked at once, whatever comes at once
TAIL = 2048  # bytes in which a PDF's end is said
BEFORE = 512  # bytes that stay at hand when they are walked
PADDING = 16  # bytes after a picture's end that mean nothing
MOST_PARTS = 200_000  # segments, chunks or boxes of a file
MOST_TAGS = 1000  # of a TIFF's header
LONGEST_NAME, LONGEST_NAME_BYTES = 150, 200
SEEN_OF_NAME = 1000  # characters, the last: to put together a million of marks would hold up everybody for minutes
# What is known here, by name and in words; a clinic may take some of it only.
TYPES = {"pdf": "PDF", "jpeg": "JPEG", "png": "PNG", "webp": "WebP", "tiff": "TIFF", "heic": "HEIC", "dicom": "DICOM"}
EVERY_TYPE = frozenset(TYPES)


class Refused(Exception):
    """Not a file that is kept here; `sentence` says why and what to do instead."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class Limits:
    """The most pixels of a picture, pixels of one of its sides, and pages of a PDF (of those that can be counted)."""

    pixels: int = 100_000_000
    side: int = 20_000
    pages: int = 2_000


@dataclass(frozen=True)
class Found:
    """What a file is. Pixels and pages are None where no header tells them; `pages` is a lower bound: PDFs can hide some.

    `flags`: what a reader should know, in words, in a fixed order.
    """

    media_type: str
    suffix: str
    width: int | None
    height: int | None
    pages: int | None
    flags: tuple[str, ...]


USUAL = Limits()


# --- what a walk asks for ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """The next `size` bytes."""

    size: int


@dataclass(frozen=True)
class Some:
    """The next `size` bytes, or what is left of the file."""

    size: int


@dataclass
class Skip:
    """Pass over so many bytes."""

    size: int


@dataclass(frozen=True)
class Find:
    """Pass over everything up to and with the next match, and hand that over; no match, with what it looks at, is longer than `longest`."""

    pattern: re.Pattern[bytes]
    longest: int


class _Cut(Exception):
    """The file ended before what was asked for."""


Step = Take | Some | Skip | Find
Walk = Generator[Step, Any, None]


class Inspection:
    """The inspection of one file: `feed` it as it comes, then `end`. Both raise Refused, and go on to raise it. `taken`: of `TYPES`."""

    def __init__(self, name: str, limits: Limits = USUAL, taken: frozenset[str] = EVERY_TYPE) -> None:
        self.limits, self.taken = limits, taken
        self.name_suffix = _suffix_of(cleaned_name(name)).lower()
        self.size = 0
        self.tail = b""
        self.width: int | None = None
        self.height: int | None = None
        self.pages: int | None = None
        self.flags: list[str] = []
        self._kind: _Kind | None = None
        self._walk: Walk | None = None
        self._step: Step = Take(0)
        self._held, self._at = b"", 0  # what is not walked yet begins at `_at`
        self._stop: int | None = None  # where the file ends by its own account
        self._refusal: Refused | None = None

    def feed(self, data: bytes) -> None:
        """Some more bytes. Raises Refused as soon as it is known."""
        for start in range(0, len(data), PIECE):
            self._attempt(self._piece, bytes(data[start : start + PIECE]))

    def end(self) -> Found:
        """That was all. Answers what it was; raises Refused, also of what is empty, cut short or unknown."""
        self._attempt(self._finish)
        kind = self._kind
        assert kind is not None
        if self.name_suffix and self.name_suffix not in kind.suffixes:
            self.flags.append(f"file name says {self.name_suffix}")
        return Found(kind.media_type, kind.suffixes[0], self.width, self.height, self.pages, tuple(self.flags))

    def _attempt(self, act: Callable[..., None], *given: bytes) -> None:
        if self._refusal is not None:
            raise self._refusal
        try:
            act(*given)
        except Refused as refused:
            self._refusal = refused
            raise

    def _piece(self, piece: bytes) -> None:
        self.size += len(piece)
        self.tail = (self.tail + piece)[-TAIL:]
        walked = max(self._at - BEFORE, 0)
        self._held, self._at = self._held[walked:] + piece, self._at - walked
        if self._kind is None and self.size >= HEAD:
            self._begin()
        if self._kind is not None:
            self._go()

    def _finish(self) -> None:
        if self._kind is None:
            self._begin()
        self._go(is_end=True)
        if self._walk is not None:
            try:
                self._walk.throw(_Cut)
            except StopIteration:
                self._ended()
            except _Cut:
                raise self.cut_short() from None
        if self._stop is not None and self.size - self._stop > PADDING:
            self.flags.append("has bytes after its end")

    def walk_as(self, kind: "_Kind") -> None:
        """Walk what comes as this, whatever it begins with."""
        self._kind, self._walk = kind, kind.walk(self)
        self._step = next(self._walk)

    def _begin(self) -> None:
        try:
            kind = _kind_of(self._held[:HEAD])
        except Refused as refused:
            raise Refused(_with_advice(refused.sentence, self.taken)) from None
        if kind.type not in self.taken:
            raise Refused(f"This is a {kind.words}, which is not taken here. {_advice(self.taken)}")
        self.walk_as(kind)

    def _go(self, *, is_end: bool = False) -> None:
        """Walk as far as the bytes go."""
        while self._walk is not None and (given := self._given(is_end=is_end)) is not None:
            try:
                self._step = self._walk.send(given)
            except StopIteration:
                self._ended()
        if self._walk is None:
            self._at = len(self._held)

    def _ended(self) -> None:
        self._walk = None
        if self._stop is None:
            self._stop = self.size - (len(self._held) - self._at)

    def _given(self, *, is_end: bool) -> bytes | re.Match[bytes] | None:
        """What the walk asked for; None while that is not there."""
        step, there = self._step, len(self._held) - self._at
        if isinstance(step, Find):
            safe = len(self._held) if is_end else max(len(self._held) - step.longest, self._at)
            match = step.pattern.search(self._held, self._at)
            if match is not None and match.start() < safe:
                self._at = match.end()
                return match
            self._at = safe
            return None
        if isinstance(step, Skip):
            gone = min(step.size, there)
            self._at += gone
            step.size -= gone
            return None if step.size else b""
        size = min(step.size, there) if isinstance(step, Some) and is_end and there else step.size
        if there < size:
            return None
        self._at += size
        return self._held[self._at - size : self._at]

    # --- what walks say ---

    def stops_here(self, before: int = 0) -> None:
        """The file ended `before` bytes ago; what follows is not of it."""
        self._stop = self.size - (len(self._held) - self._at) - before

    def step_back(self, size: int) -> None:
        """The last `size` bytes of what was just handed over are walked again."""
        self._at -= size

    def measured(self, width: int, height: int) -> None:
        """The picture's header says so many pixels. Raises Refused when that cannot be, or is too many, or was said otherwise before."""
        if not width or not height or (self.width is not None and (self.width, self.height) != (width, height)):
            raise self.damaged()
        if max(width, height) > self.limits.side or width * height > self.limits.pixels:
            raise Refused(
                f"This picture is {width:,} x {height:,} pixels, more than can be shown. Make it smaller and upload that."
            )
        self.width, self.height = width, height

    def damaged(self) -> Refused:
        return Refused(f"This {self._words()} is damaged. Open it, save it anew and upload that.")

    def cut_short(self) -> Refused:
        return Refused(f"This {self._words()} is cut short. Copy it again from where it came from and upload that.")

    def _words(self) -> str:
        return self._kind.words if self._kind is not None else "file"


# --- the walks --------------------------------------------------------------------------------------------------------

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in coded data: no stuffed FF, no restart
_NO_FILL = re.compile(rb"[^\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EOI, _SOS = 0xD9, 0xDA


def _jpeg(file: Inspection) -> Walk:
    yield Skip(2)
    has_scan = False
    for _ in range(MOST_PARTS):
        first, marker = yield Take(2)
        if first != 0xFF:
            raise file.damaged()
        if marker == 0xFF:
            marker = (yield Find(_NO_FILL, 1))[0][0]
        while True:
            if marker == _EOI:
                if not has_scan:
                    raise file.damaged()
                return
            if marker == 0 or 0xD0 <= marker <= 0xD8:
                raise file.damaged()
            (size,) = struct.unpack(">H", (yield Take(2)))
            if marker in _FRAMES:
                if size < 8 or file.width is not None:
                    raise file.damaged()
                height, width = struct.unpack(">xHH", (yield Take(5)))
                file.measured(width, height)
                size -= 5
            if size < 2:
                raise file.damaged()
            yield Skip(size - 2)
            if marker != _SOS:
                break
            if file.width is None:
                raise file.damaged()
            has_scan = True
            marker = (yield Find(_MARKER, 2))[0][1]
    raise file.damaged()


# What each kind of colour may have of bits.
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PNG_NAME = re.compile(rb"[A-Za-z]{4}")


def _png(file: Inspection) -> Walk:
    yield Skip(8)
    header = yield Take(25)
    size, name, width, height, depth, colour, packing, filtering, lacing, check = struct.unpack(">I4sIIBBBBBI", header)
    if (size, name) != (13, b"IHDR") or zlib.crc32(header[4:21]) != check:
        raise file.damaged()
    if depth not in _PNG_DEPTHS.get(colour, ()) or packing or filtering or lacing > 1:
        raise file.damaged()
    file.measured(width, height)
    has_data = False
    for _ in range(MOST_PARTS):
        size, name = struct.unpack(">I4s", (yield Take(8)))
        if size >= 2**31 or not _PNG_NAME.fullmatch(name) or name == b"IHDR":
            raise file.damaged()
        yield Skip(size + 4)
        has_data = has_data or name == b"IDAT"
        if name == b"IEND":
            if size or not has_data:
                raise file.damaged()
            return
    raise file.damaged()


def _webp(file: Inspection) -> Walk:
    _, left, _ = struct.unpack("<4sI4s", (yield Take(12)))
    left -= 4
    has_picture = False
    for _ in range(MOST_PARTS):
        if left < 8:
            break
        name, size = struct.unpack("<4sI", (yield Take(8)))
        size += size % 2
        left -= 8 + size
        if left < 0:
            raise file.damaged()
        if name in _WEBP_SIZES:
            start = yield Take(min(size, 10))
            size -= len(start)
            file.measured(*_WEBP_SIZES[name](start))
        yield Skip(size)
        has_picture = has_picture or name in (b"VP8 ", b"VP8L", b"ANMF")
    if left or not has_picture or file.width is None:
        raise file.damaged()


def _vp8x(start: bytes) -> tuple[int, int]:
    if len(start) < 10:
        return 0, 0
    return int.from_bytes(start[4:7], "little") + 1, int.from_bytes(start[7:10], "little") + 1


def _vp8(start: bytes) -> tuple[int, int]:
    if len(start) < 10 or start[3:6] != b"\x9d\x01\x2a":
        return 0, 0
    width, height = struct.unpack("<HH", start[6:])
    return width & 0x3FFF, height & 0x3FFF


def _vp8l(start: bytes) -> tuple[int, int]:
    if len(start) < 5 or start[0] != 0x2F:
        return 0, 0
    bits = int.from_bytes(start[1:5], "little")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


_WEBP_SIZES = {b"VP8X": _vp8x, b"VP8 ": _vp8, b"VP8L": _vp8l}

_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of a value
_WIDTH, _HEIGHT = 256, 257
_PLACES = {273: 279, 324: 325}  # where a strip or tile begins, and how long it is


def _tiff(file: Inspection) -> Walk:
    """Only its first header is read: others may lie before it, where a stream cannot go back to."""
    order = "<" if (yield Take(4))[:2] == b"II" else ">"
    (place,) = struct.unpack(f"{order}I", (yield Take(4)))
    if place < 8:
        raise file.damaged()
    yield Skip(place - 8)
    (count,) = struct.unpack(f"{order}H", (yield Take(2)))
    if not 0 < count <= MOST_TAGS:
        raise file.damaged()
    table = yield Take(12 * count)
    (further,) = struct.unpack(f"{order}I", (yield Take(4)))
    single: dict[int, int] = {}
    reaches = 0  # how long the file is at least
    for tag, kind, number, value in struct.iter_unpack(f"{order}HHI4s", table):
        size = number * _TIFF_SIZES.get(kind, 0)
        (inside,) = struct.unpack(f"{order}I", value)
        if size > 4:
            reaches = max(reaches, inside + size)
        elif number == 1 and kind in (3, 4):
            if tag in single:
                raise file.damaged()
            single[tag] = inside if kind == 4 else struct.unpack_from(f"{order}H", value)[0]
    for begins, length in _PLACES.items():
        reaches = max(reaches, single.get(begins, 0) + single.get(length, 0))
    file.measured(single.get(_WIDTH, 0), single.get(_HEIGHT, 0))
    if further:
        file.flags.append("holds more pictures")
    try:
        yield Skip(sys.maxsize)
    except _Cut:
        if reaches > file.size:
            raise file.cut_short() from None


_BOX_NAME = re.compile(rb"[ -~]{4}")


def _heic(file: Inspection) -> Walk:
    has_meta = False
    for _ in range(MOST_PARTS):
        try:
            size, name = struct.unpack(">I4s", (yield Take(8)))
        except _Cut:
            break
        if has_meta and (not _BOX_NAME.fullmatch(name) or 1 < size < 8):
            file.stops_here(before=8)
            return
        left = size - 8
        if size == 1:
            left = struct.unpack(">Q", (yield Take(8)))[0] - 16
        has_meta = has_meta or name == b"meta"
        if size == 0:  # to the end of the file
            left = sys.maxsize
        if left < 0:
            raise file.damaged()
        try:
            yield Skip(left)
        except _Cut:
            if size:
                raise
            break
    if not has_meta:
        raise file.damaged()


def _dicom(file: Inspection) -> Walk:
    yield Skip(132)
    if (yield Take(8))[:2] != b"\x02\x00":  # what is said of the file itself comes first
        raise file.damaged()
    yield from _to_the_end()


def _to_the_end() -> Walk:
    try:
        yield Skip(sys.maxsize)
    except _Cut:
        return


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

    def walk(self, file: Inspection) -> Walk:
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

    def unpacked(self, file: Inspection, match: re.Match[bytes]) -> Generator[Step, Any, bool]:
        """Look into what is packed behind this; answers whether all of it could be seen."""
        _, begins, before = match.string[max(match.start() - _ABOUT_PACK, 0) : match.start()].rpartition(b"<<")
        how = before + match[0].rpartition(b">>")[0]
        if not begins or not match[0].endswith(b"\n") or not _HOW_PACKED.fullmatch(how):
            return False
        if b"/Filter" not in how:
            return True  # not packed: it is walked as it is
        inflater, inside = zlib.decompressobj(), Inspection("", file.limits)
        inside.walk_as(_INSIDE)
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
        found = inside.end()
        self.pages += found.pages or 0
        self.unseen -= {kind for kind, words in _PDF_FLAGS.items() if words in found.flags}
        return _PDF_FLAGS["packed"] not in found.flags


def _pdf(file: Inspection) -> Walk:
    if not _PDF_FIRST.fullmatch((yield Take(8))):
        raise file.damaged()
    yield from _seen(file)
    if b"%%EOF" not in file.tail:
        raise file.cut_short() from None


def _seen(file: Inspection, *, is_inside: bool = False) -> Walk:
    objects = _Objects(is_inside=is_inside)
    try:
        yield from objects.walk(file)
    except _Cut:
        file.pages = objects.pages or None
        file.flags += [words for kind, words in _PDF_FLAGS.items() if kind not in objects.unseen]


# --- which kind -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kind:
    """A kind of file that is kept; the first of its suffixes is the one it is given."""

    type: str
    media_type: str
    suffixes: tuple[str, ...]
    words: str
    walk: Callable[[Inspection], Walk]


_PDF = _Kind("pdf", "application/pdf", (".pdf",), "PDF", _pdf)
_INSIDE = _Kind("", "", ("",), "PDF", partial(_seen, is_inside=True))
_JPEG = _Kind("jpeg", "image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG picture", _jpeg)
_PNG = _Kind("png", "image/png", (".png",), "PNG picture", _png)
_WEBP = _Kind("webp", "image/webp", (".webp",), "WebP picture", _webp)
_TIFF = _Kind("tiff", "image/tiff", (".tif", ".tiff"), "TIFF picture", _tiff)
_HEIC = _Kind("heic", "image/heic", (".heic", ".heif"), "HEIC picture", _heic)
_HEIF = _Kind("heic", "image/heif", (".heif", ".heic"), "HEIF picture", _heic)
_DICOM = _Kind("dicom", "application/dicom", (".dcm", ".dicom", ".ima"), "DICOM file", _dicom)
_KINDS = (_PDF, _JPEG, _PNG, _WEBP, _TIFF, _HEIC, _HEIF, _DICOM)
# How files end that are kept, by media type; the first is the usual one.
SUFFIXES = {kind.media_type: kind.suffixes for kind in _KINDS}

_PICTURE = "This is {}. Save it as PNG and upload that."
_ARCHIVE = "This is an archive. Unpack it and upload the files in it one by one."
_OFFICE = "This is an Office document. Save it as PDF and upload that."
_PROGRAM = "This is a program, not a document. Do not open it, and tell the clinic's administrator."
_MOVING = "This is a video or a sound. Upload a picture or a PDF."
_WEB_PAGE = "This is a web page, not a document. Print it to a PDF and upload that."
_SVG = "This is an SVG drawing, which can carry programs. Save it as PNG and upload that."
_XML = "This is data in XML, not a document. Print it to a PDF and upload that."
_TEXT = "This is plain text. Print it to a PDF and upload that."
_TWO = "This file is two things at once. Open it, save it anew as PDF or PNG and upload that."
_PREFIXED = "This PDF has something before its beginning. Open it, print it to a PDF and upload that."
_WITH_TAGS = "This {} holds a piece of a web page. Open it, save it anew and upload that."
_UNKNOWN = "Nobody can tell what this file is. Save it as PDF, JPEG or PNG and upload that."
_EMPTY = "This file is empty. Look whether it opens on your computer, and choose it again."

# How files begin that are not kept.
_OTHERS = (
    (rb"GIF8[79]a", _PICTURE.format("a GIF picture")),
    (rb"BM.{4}\0\0\0\0", _PICTURE.format("a BMP picture")),
    (rb"\0\0\x01\0.\0", _PICTURE.format("an icon")),
    (rb"8BPS", _PICTURE.format("a Photoshop picture")),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _PICTURE.format("a JPEG 2000 picture")),
    (rb"II\x2b\0|MM\0\x2b", _PICTURE.format("a BigTIFF picture")),
    (rb".{4}ftyp(?:avi[fs]|mif1.{4}(?:.{4})*?avif)", _PICTURE.format("an AVIF picture")),
    (rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}(?:AVI |WAVE)|OggS|ID3|fLaC", _MOVING),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|\{\\rtf", _OFFICE),
    (rb"%!PS", "This is PostScript. Save it as PDF and upload that."),
    (rb"MZ|\x7fELF|\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe|#!|@echo off", _PROGRAM),
    (rb"Rar!|7z\xbc\xaf\x27\x1c|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|.{257}ustar", _ARCHIVE),
)
_OTHER = [(re.compile(pattern, re.DOTALL), sentence) for pattern, sentence in _OTHERS]
_ZIP = re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)")
_IN_OFFICE = re.compile(rb"\[Content_Types\]\.xml|word/|xl/|ppt/|mimetypeapplication/vnd\.")
_TAGS = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|object|embed|svg|foreignobject)\b", re.IGNORECASE
)
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis")


def _kind_of(head: bytes) -> _Kind:
    """The kind of what begins so. Raises Refused, with the name of what it is where that is known."""
    if not head:
        raise Refused(_EMPTY)
    kind, near = _by_beginning(head), head[:NEAR]
    tags, holds_pdf = _TAGS.search(near), b"%PDF-" in near[1:]
    if head[128:132] == b"DICM":
        # A TIFF may share its pixels with a DICOM file. Behind the first words a document may be packed in one.
        if kind not in (None, _TIFF) or _other(head) or b"%PDF-" in head[:128]:
            raise Refused(_TWO)
        kind = _DICOM
    elif kind not in (None, _PDF) and holds_pdf:
        raise Refused(_TWO)
    if kind is None:
        raise Refused(_other(head) or (_PREFIXED if holds_pdf else _as_text(head, has_tags=tags is not None)))
    if tags:
        raise Refused(_WITH_TAGS.format(kind.words))
    return kind


def _by_beginning(head: bytes) -> _Kind | None:
    if head[4:8] == b"ftyp":
        brands = head[16 : min(int.from_bytes(head[:4], "big"), 256)]
        if head[8:12] in _HEIC_BRANDS:
            return _HEIC
        return _HEIF if head[8:12] == b"mif1" and b"avif" not in brands else None
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _WEBP
    beginnings = {
        b"%PDF-": _PDF, b"\xff\xd8\xff": _JPEG, b"\x89PNG\r\n\x1a\n": _PNG, b"II*\0": _TIFF, b"MM\0*": _TIFF,
    }  # fmt: skip
    return next((kind for start, kind in beginnings.items() if head.startswith(start)), None)


def _other(head: bytes) -> str | None:
    """The sentence about something that is known by its beginning and not kept."""
    if _ZIP.match(head):
        return _OFFICE if _IN_OFFICE.search(head) else _ARCHIVE
    return next((sentence for pattern, sentence in _OTHER if pattern.match(head)), None)


def _as_text(head: bytes, *, has_tags: bool) -> str:
    """The sentence about what is perhaps text."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    is_xml = start.startswith((b"<?xml", b"<svg", b"<!doctype svg", b"<!--"))
    if is_xml and b"<svg" in start and b"<html" not in start:
        return _SVG
    if has_tags:
        return _WEB_PAGE
    if is_xml:
        return _XML
    try:
        text = getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)  # a letter may be cut through
    except UnicodeDecodeError:
        return _UNKNOWN
    return _TEXT if all(char.isprintable() or char.isspace() for char in text) else _UNKNOWN


# --- what is taken ----------------------------------------------------------------------------------------------------

_ADVISED = {"pdf": re.compile(r"\bPDF\b"), "jpeg": re.compile(r"\bJPEG\b"), "png": re.compile(r"\bPNG\b")}


def in_words(taken: frozenset[str]) -> str:
    """`PDF`, `PDF or PNG`, `PDF, JPEG or PNG`: in the order of `TYPES`."""
    words = [word for name, word in TYPES.items() if name in taken]
    return " or ".join(each for each in (", ".join(words[:-1]), words[-1]) if each)


def accept_of(taken: frozenset[str]) -> str:
    """What a browser's chooser of files is told, for its `accept`. DICOM goes by suffix: browsers know no type of it."""
    told = [",".join(kind.suffixes) if kind is _DICOM else kind.media_type for kind in _KINDS if kind.type in taken]
    return ",".join(told)


def _advice(taken: frozenset[str]) -> str:
    return f"Save it as {in_words(taken)} and upload that."


def _with_advice(sentence: str, taken: frozenset[str]) -> str:
    """The sentence of a refusal; what it says to do is said anew when that would be refused as well."""
    said, _, advice = sentence.partition(". ")
    is_vain = any(word.search(advice) for name, word in _ADVISED.items() if name not in taken)
    return f"{said}. {_advice(taken)}" if is_vain else sentence


# --- names ------------------------------------------------------------------------------------------------------------

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
    suffix = _suffix_of(text)
    stem = text.removesuffix(suffix)[: LONGEST_NAME - len(suffix)]
    stem = stem.encode()[: LONGEST_NAME_BYTES - len(suffix)].decode(errors="ignore").rstrip(". ")
    return (stem or "document") + suffix


def _suffix_of(name: str) -> str:
    """The end of a file's name that says what kind it is, with its dot; empty if it has none."""
    match = _NAME_SUFFIX.search(name)
    return match[0][1:] if match else ""
