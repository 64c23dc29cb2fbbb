"""How files that hold a picture are walked: as far as their own account of themselves goes, and no picture is decoded."""

import re
import struct
import sys
import zlib

from clinic.documents.walk import Cut, Find, Skip, Take, Walk, Walked

MOST_PARTS = 200_000  # segments, chunks or boxes of a file
MOST_TAGS = 1000  # of a TIFF's header

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in coded data: no stuffed FF, no restart
_NO_FILL = re.compile(rb"[^\xff]")
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EOI, _SOS = 0xD9, 0xDA


def jpeg(file: Walked) -> Walk:
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


def png(file: Walked) -> Walk:
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


def webp(file: Walked) -> Walk:
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


def tiff(file: Walked) -> Walk:
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
    except Cut:
        if reaches > file.size:
            raise file.cut_short() from None


_BOX_NAME = re.compile(rb"[ -~]{4}")


def heic(file: Walked) -> Walk:
    has_meta = False
    for _ in range(MOST_PARTS):
        try:
            size, name = struct.unpack(">I4s", (yield Take(8)))
        except Cut:
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
        except Cut:
            if size:
                raise
            break
    if not has_meta:
        raise file.damaged()


def dicom(file: Walked) -> Walk:
    yield Skip(132)
    if (yield Take(8))[:2] != b"\x02\x00":  # what is said of the file itself comes first
        raise file.damaged()
    yield from _to_the_end()


def _to_the_end() -> Walk:
    try:
        yield Skip(sys.maxsize)
    except Cut:
        return
