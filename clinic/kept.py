"""What can be made anew and is kept in the object store meanwhile: prints, thumbnails, previews, what files say of themselves. Sealed,
so that what is kept is what was put there.

A store that does not answer costs the keeping, not what is made; it is then left alone for a while.
"""

import hmac
import logging
import time
from collections.abc import Callable
from typing import TypeVar

from flask import current_app

from clinic import storage

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)
SEAL = 32  # bytes before what is kept: an HMAC over its name and itself
THUMBNAILS, PREVIEWS, FACTS = 1, 1, 1  # each raised when nothing of its kind that was kept before may be shown again
PAUSE = 30.0  # seconds for which a store that did not answer is not asked


def find(key: str) -> bytes | None:
    """What is kept under this key; None when there is nothing, when it is not what was put there, or when the store is away."""
    found = _asked(lambda: storage.read_soon(key))
    if not found:
        return None
    seal, body = found[:SEAL], found[SEAL:]
    if not hmac.compare_digest(seal, sealed(key.encode() + body)):
        log.error("kept: something is not what was put there; it is made anew")
        return None
    return body


def keep(key: str, body: bytes) -> None:
    """Keep it, unless something is there already."""
    _asked(lambda: storage.put_once(key, sealed(key.encode() + body) + body))


def thumbnail_key(digest: str) -> str:
    """Under which the thumbnail of a document with this SHA-256 is kept."""
    return f"thumbnails/{sealed(f'{THUMBNAILS} {digest}'.encode()).hex()}.jpg"


def preview_key(digest: str) -> str:
    """Under which the preview is kept of a document that no browser shows as it is."""
    return f"previews/{sealed(f'{PREVIEWS} {digest}'.encode()).hex()}.jpg"


def facts_key(digest: str) -> str:
    """Under which it is kept what a DICOM file says of itself."""
    return f"facts/{sealed(f'{FACTS} {digest}'.encode()).hex()}.json"


def keys_of(digest: str) -> tuple[str, ...]:
    """All that may be kept of a document with this SHA-256."""
    return thumbnail_key(digest), preview_key(digest), facts_key(digest)


def sealed(text: bytes) -> bytes:
    """A digest that nobody without our key can make."""
    return hmac.digest(current_app.config["CHAIRSIDE"].secret_key.encode(), b"print\0" + text, "sha256")


def _asked(ask: Callable[[], Answer]) -> Answer | None:
    state = current_app.extensions.setdefault("chairside_kept", {"not_before": 0.0})
    if time.monotonic() < state["not_before"]:
        return None
    try:
        return ask()
    except storage.Missing:
        return None
    except storage.StorageError:
        log.warning("kept: the store does not answer; everything is made anew meanwhile")
        state["not_before"] = time.monotonic() + PAUSE
        return None
