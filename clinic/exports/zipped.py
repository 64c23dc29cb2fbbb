"""A zip that is written as it comes, to a stream that is never turned back; its manifest; and holding one against its manifest.

The standard library writes such a zip: sizes and digests follow each file's bytes, and a list of all files comes last. Nothing of a
file is held but the piece that is written.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Protocol
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

MANIFEST = "manifest.json"
FORMAT = "chairside-export"
SCHEMA = 1  # of an export: what is where, and how data are written down
PIECE = 2**18  # bytes packed, or read, at once
LARGEST_MANIFEST = 2**28
Tell = Callable[[int, int], None]


class Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


@dataclass(frozen=True)
class File:
    """A file of the zip, as it was written. `sha256`: hex."""

    name: str
    size: int
    sha256: str


class Zipped:
    """A zip on its way to a stream. As a context: left by an error, it stays without its end, so that nobody takes it for a whole one.

    `tell` hears how many files are whole and how many bytes went out.
    """

    def __init__(self, stream: Writable, date: tuple[int, int, int, int, int, int], tell: Tell) -> None:
        self.files: list[File] = []
        self._date = date
        self._tell = tell
        self._out = _Out(stream)
        out: Any = self._out  # can neither tell nor seek: sizes and digests follow what they are of
        self._zip = ZipFile(out, "w", ZIP_DEFLATED)

    def __enter__(self) -> "Zipped":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._out.stream = None
        self._zip.close()

    @property
    def size(self) -> int:
        """Bytes that went out so far."""
        return self._out.size

    def add(self, name: str, pieces: Iterable[bytes], *, size: int | None = None, is_packed: bool = False) -> File:
        """Write a file as its pieces come. When they break off, by whatever they raise, the file is not in the zip.

        `size`: of the whole where it is known; it decides whether 64-bit sizes are needed. `is_packed`: its bytes are packed already, and
        packing them again would cost time for nothing.
        """
        info = ZipInfo(name, self._date)
        info.compress_type = ZIP_DEFLATED
        info.file_size = size or 0
        if is_packed:
            info._compresslevel = 0  # type: ignore[attr-defined]  # as `ZipFile.writestr` does; blocks are stored as they are
        digest, length = hashlib.sha256(), 0
        coming = iter(pieces)
        coming = chain([next(coming, b"")], coming)  # what breaks off at once leaves nothing
        try:
            with self._zip.open(info, "w", force_zip64=size is None) as entry:
                for piece in _cut(coming):
                    entry.write(piece)
                    digest.update(piece)
                    length += len(piece)
                    self._tell(len(self.files), self._out.size)
        except BaseException:
            self._take_out(info)
            raise
        self.files.append(File(name, length, digest.hexdigest()))
        return self.files[-1]

    def add_text(self, name: str, text: Iterable[str]) -> File:
        """Write a file of text, UTF-8, as it comes."""
        return self.add(name, _encoded(text))

    def finish(self, about: dict[str, Any]) -> File:
        """Write the manifest as the last file: what is known `about` the whole, and each file with its size and SHA-256."""
        files = [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in self.files]
        told = {"format": FORMAT, "schema": SCHEMA, **about, "files": files}
        return self.add_text(MANIFEST, [json.dumps(told, ensure_ascii=False, indent=1), "\n"])

    def _take_out(self, info: ZipInfo) -> None:
        """What was written of it stays in the stream, which is not turned back; no list names it, and so no reader finds it."""
        with suppress(ValueError):
            self._zip.filelist.remove(info)
        self._zip.NameToInfo.pop(info.filename, None)


class _Out:
    """The stream, and how much went there; once it has none, whatever is still written goes nowhere."""

    def __init__(self, stream: Writable) -> None:
        self.stream: Writable | None = stream
        self.size = 0

    def write(self, data: bytes) -> int:
        if self.stream is not None:
            self.stream.write(data)
            self.size += len(data)
        return len(data)

    def flush(self) -> None:
        if self.stream is not None:
            self.stream.flush()


def _cut(pieces: Iterable[bytes]) -> Iterator[memoryview]:
    """The same in pieces of `PIECE` bytes at most, so that what is made of one is no longer than that."""
    for piece in pieces:
        for start in range(0, len(piece), PIECE):
            yield memoryview(piece)[start : start + PIECE]


def _encoded(text: Iterable[str]) -> Iterator[bytes]:
    gathered = bytearray()
    for piece in text:
        gathered += piece.encode("utf-8", "replace")
        if len(gathered) >= PIECE:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


# --- held against its manifest ----------------------------------------------------------------------------------------


@dataclass
class Checked:
    """What a check came to. `faults`: a sentence for each file that is not as the manifest says; `digest`: SHA-256 of the manifest."""

    files: int = 0
    size: int = 0
    digest: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.faults


# What zipfile raises at bytes that are no zip, or no longer one.
BROKEN = (
    BadZipFile,
    OSError,  # to be asked for a place before the beginning
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OverflowError,
    IndexError,
    KeyError,
    AttributeError,
)


def check(path: Path, *, digest: str = "", tell: Tell = lambda _files, _size: None) -> Checked:
    """Read every file of an export and compare it with the manifest; with `digest`, that too. Raises OSError of opening it."""
    checked = Checked()
    with path.open("rb") as stream:
        try:
            with ZipFile(stream) as zipped:
                _check(zipped, checked, digest.lower(), tell)
        except BROKEN:
            checked.faults.append("It is no zip that can be read: it was cut off, or is something else.")
    return checked


def _check(zipped: ZipFile, checked: Checked, digest: str, tell: Tell) -> None:
    infos = zipped.infolist()
    found = {info.filename: info for info in infos}
    if MANIFEST not in found:
        checked.faults.append(f"{MANIFEST} is missing: it was cut off, or is no export.")
        return
    try:
        with zipped.open(found[MANIFEST]) as file:
            body = file.read(LARGEST_MANIFEST)
        checked.digest = hashlib.sha256(body).hexdigest()
        about = json.loads(body)
        named = {
            str(each["name"]): File(str(each["name"]), int(each["size"]), each["sha256"]) for each in about["files"]
        }
        if about["format"] != FORMAT or about["schema"] != SCHEMA:
            checked.faults.append(f"{MANIFEST} is of another format than this program reads.")
            return
    except (*BROKEN, TypeError, RecursionError):
        checked.faults.append(f"{MANIFEST} cannot be read.")
        return
    checked.about, checked.files, checked.size = about, 1, len(body)
    if digest and checked.digest != digest:
        checked.faults.append(f"{MANIFEST} is another one: its SHA-256 is {checked.digest}.")
    if infos[-1].filename != MANIFEST:
        checked.faults.append(f"{MANIFEST} is not the last file.")
    seen = set[str]()
    for info in infos:
        name = info.filename
        if name in seen:
            checked.faults.append(f"{_shown(name)} is there twice.")
        elif name != MANIFEST and name not in named:
            checked.faults.append(f"{_shown(name)} is not in the manifest.")
        elif name != MANIFEST:
            fault = _compared(zipped, info, named[name], checked, tell)
            checked.faults += [fault] if fault else []
        seen.add(name)
    checked.faults += [f"{_shown(name)} is missing." for name in named if name not in seen]


def _compared(zipped: ZipFile, info: ZipInfo, named: File, checked: Checked, tell: Tell) -> str:
    """What is wrong with a file, in a sentence; empty when it is as the manifest says."""
    read, size = hashlib.sha256(), 0
    try:
        with zipped.open(info) as file:
            while piece := file.read(PIECE):
                read.update(piece)
                size += len(piece)
                if size > named.size:
                    return f"{_shown(named.name)} is longer than the {named.size} bytes that were exported."
                tell(checked.files, checked.size + size)
    except BROKEN:
        return f"{_shown(named.name)} cannot be read: it is damaged."
    if size < named.size:
        return f"{_shown(named.name)} has {size} of the {named.size} bytes that were exported."
    if read.hexdigest() != named.sha256:
        return f"{_shown(named.name)} is not what was exported: its SHA-256 is another."
    checked.files += 1
    checked.size += size
    return ""


def _shown(name: str) -> str:
    """A name from a zip that anybody may have made, for a terminal."""
    return "".join(char if char.isprintable() else "?" for char in name)[:200]
