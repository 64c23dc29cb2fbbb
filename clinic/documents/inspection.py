"""What the bytes of an upload are, told by their content while they stream by: which kind, and whether it is one that is taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clinic.documents.kinds import EVERY_TYPE, HEAD, advice_of, kind_of, with_advice
from clinic.documents.names import cleaned_name, suffix_of
from clinic.documents.walk import USUAL, Limits, Refused, Walked


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


class Inspection:
    """The inspection of one file: `feed` it as it comes, then `end`. Both raise Refused, and go on to raise it. `taken`: of `TYPES`."""

    def __init__(self, name: str, limits: Limits = USUAL, taken: frozenset[str] = EVERY_TYPE) -> None:
        self.limits, self.taken = limits, taken
        self.name_suffix = suffix_of(cleaned_name(name)).lower()
        self._head = b""  # until the kind can be told
        self._file: Walked | None = None
        self._refusal: Refused | None = None

    def feed(self, data: bytes) -> None:
        """Some more bytes. Raises Refused as soon as it is known."""
        with self._refusing():
            self._walk(data)

    def end(self) -> Found:
        """That was all. Answers what it was; raises Refused, also of what is empty, cut short or unknown."""
        with self._refusing():
            return self._found()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        if self._refusal is not None:
            raise self._refusal
        try:
            yield
        except Refused as refused:
            self._refusal = refused
            raise

    def _walk(self, data: bytes) -> None:
        if self._file is not None:
            self._file.feed(data)
            return
        needed = HEAD - len(self._head)
        self._head += data[:needed]
        if len(self._head) == HEAD:
            self._begun().feed(data[needed:])

    def _begun(self) -> Walked:
        try:
            kind = kind_of(self._head)
        except Refused as refused:
            raise Refused(with_advice(refused.sentence, self.taken)) from None
        if kind.type not in self.taken:
            raise Refused(f"This is a {kind.words}, which is not taken here. {advice_of(self.taken)}")
        self._file = Walked(kind, self.limits)
        self._file.feed(self._head)
        return self._file

    def _found(self) -> Found:
        file = self._file or self._begun()
        file.end()
        kind, flags = file.kind, file.flags
        if self.name_suffix and self.name_suffix not in kind.suffixes:
            flags = [*flags, f"file name says {self.name_suffix}"]
        return Found(kind.media_type, kind.suffixes[0], file.width, file.height, file.pages, tuple(flags))
