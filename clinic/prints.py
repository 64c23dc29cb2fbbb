"""Prints that are kept: what decides a document is its key, so the same is printed once, and is the same for ever.

A print is HTML in which everything is, and a list of what decided it. It is looked for in the object store, else printed and put there.
A store that does not answer costs the keeping, not the print. Nothing here holds a database connection while it waits.
"""

import hmac
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from flask import current_app

from clinic import storage
from clinic.errors import Unavailable
from clinic.printing import client as printer

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)
SEAL = 32  # bytes before a kept document: an HMAC over its name and itself
# Chromium writes when it printed; the document is of its own day.
WRITTEN = re.compile(rb"/(CreationDate|ModDate) \(D:\d{14}\+00'00'\)")
PAUSE = 30.0  # seconds for which a store that did not answer is not asked


@dataclass(frozen=True)
class Print:
    """A document to be: `made_of` decides it whole, `at` is the instant it is dated, `html` makes it when it must be made."""

    made_of: dict[str, Any]
    at: datetime
    html: Callable[[], str]

    @property
    def digest(self) -> str:
        """The name of the document, the same as long as it says the same; nobody without our key can tell it. Hex."""
        return _sealed(json.dumps(self.made_of, sort_keys=True, ensure_ascii=True).encode()).hex()

    @property
    def key(self) -> str:
        return f"prints/{self.digest}.pdf"


def pdf_of(document: Print) -> bytes:
    """The document as PDF. Raises Unavailable, which is answered 503, when it is not kept and cannot be printed now."""
    kept = _kept(document.key)
    if kept is not None:
        return kept
    try:
        pdf = printer.print_pdf(document.html())
    except printer.Unavailable as away:
        raise Unavailable(f"{away} The chart itself can be read and written on as always.") from away
    pdf = _dated(pdf, document.at)
    _keep(document.key, pdf)
    return pdf


def _kept(key: str) -> bytes | None:
    found = _asked(lambda: storage.read(key))
    if not found:
        return None
    seal, pdf = found[:SEAL], found[SEAL:]
    if not hmac.compare_digest(seal, _sealed(key.encode() + pdf)):
        log.error("prints: one that is kept is not the one that was put there; it is printed anew")
        return None
    return pdf


def _keep(key: str, pdf: bytes) -> None:
    _asked(lambda: storage.put_once(key, _sealed(key.encode() + pdf) + pdf))


def _asked(ask: Callable[[], Answer]) -> Answer | None:
    """What the store answers; None when it has none, or does not answer: then it is left alone for a while."""
    state = current_app.extensions.setdefault("chairside_prints", {"not_before": 0.0})
    if time.monotonic() < state["not_before"]:
        return None
    try:
        return ask()
    except storage.Missing:
        return None
    except storage.StorageError:
        log.warning("prints: the store does not answer; prints are made anew meanwhile")
        state["not_before"] = time.monotonic() + PAUSE
        return None


def _sealed(text: bytes) -> bytes:
    return hmac.digest(current_app.config["CHAIRSIDE"].secret_key.encode(), b"print\0" + text, "sha256")


def _dated(pdf: bytes, at: datetime) -> bytes:
    """The same document with its own instant in the place of the printing's; not a byte longer, so that everything stays where it is."""
    stamp = f"(D:{at:%Y%m%d%H%M%S}+00'00')".encode()
    return WRITTEN.sub(lambda found: b"/" + found[1] + b" " + stamp, pdf)
