"""Prints that are kept: what decides a document is its key, so the same is printed once, and is the same for ever.

A print is HTML in which everything is, and a list of what decided it. It is looked for in the object store, else printed and put there.
A store that does not answer costs the keeping, not the print. Nothing here holds a database connection while it waits.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinic import kept
from clinic.errors import Unavailable
from clinic.printing import client as printer

# Chromium writes when it printed; the document is of its own day.
WRITTEN = re.compile(rb"/(CreationDate|ModDate) \(D:\d{14}\+00'00'\)")


@dataclass(frozen=True)
class Print:
    """A document to be: `made_of` decides it whole, `at` is the instant it is dated, `html` makes it when it must be made."""

    made_of: dict[str, Any]
    at: datetime
    html: Callable[[], str]

    @property
    def digest(self) -> str:
        """The name of the document, the same as long as it says the same; nobody without our key can tell it. Hex."""
        return kept.sealed(json.dumps(self.made_of, sort_keys=True, ensure_ascii=True).encode()).hex()

    @property
    def key(self) -> str:
        return f"prints/{self.digest}.pdf"


def pdf_of(document: Print) -> bytes:
    """The document as PDF. Raises Unavailable, which is answered 503, when it is not kept and cannot be printed now."""
    found = kept.find(document.key)
    if found is not None:
        return found
    try:
        pdf = printer.print_pdf(document.html())
    except printer.Unavailable as away:
        raise Unavailable(f"{away} What it would print can be read and written on as always.") from away
    pdf = _dated(pdf, document.at)
    kept.keep(document.key, pdf)
    return pdf


def _dated(pdf: bytes, at: datetime) -> bytes:
    """The same document with its own instant in the place of the printing's; not a byte longer, so that everything stays where it is."""
    stamp = f"(D:{at:%Y%m%d%H%M%S}+00'00')".encode()
    return WRITTEN.sub(lambda found: b"/" + found[1] + b" " + stamp, pdf)
