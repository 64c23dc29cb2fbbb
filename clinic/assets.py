"""Static files: one stylesheet and one script from their parts, compressed once, kept for a year under a changing address."""

import gzip
import hashlib
import re
from functools import lru_cache
from pathlib import Path

import brotli
from flask import Response, current_app, request, url_for
from markupsafe import Markup
from werkzeug.exceptions import NotFound
from werkzeug.utils import safe_join

STATIC = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
IMPORT = re.compile(r'^(@import|import) "([\w./-]+)"(?: layer\((\w+)\))?;', re.MULTILINE)
LINKED = re.compile(r"^(import|export)\b", re.MULTILINE)
VERSIONED = re.compile(r"^v[0-9a-f]{12}/")
A_YEAR = "public, max-age=31536000, immutable"


def asset(path: str) -> str:
    """The address of a static file. Modules that import each other by relative paths share the version."""
    return url_for("static", filename=f"v{_version_now()}/{path}")


def inlined(path: str) -> Markup:
    """One of our own stylesheets as an element, for documents that must be whole in themselves."""
    return Markup(f"<style>{(STATIC / path).read_text('utf-8')}</style>")  # noqa: S704 - our own file


def send(filename: str) -> Response:
    """A static file as the browser wants it. Raises NotFound. Any version in the address is accepted: a page that was open
    during a deployment still finds its modules."""
    name = safe_join(str(STATIC), VERSIONED.sub("", filename))
    path = Path(name) if name else None
    if path is None or not path.is_file():
        raise NotFound
    content = _whole(path) if path.suffix in (".css", ".js") else path.read_bytes()
    response = Response(mimetype=TYPES.get(path.suffix, "application/octet-stream"))
    response.headers["Cache-Control"] = A_YEAR if VERSIONED.match(filename) else "no-cache"
    if path.suffix in TYPES:
        encoding = request.accept_encodings.best_match(["br", "gzip", "identity"], "identity") or "identity"
        response.vary.add("Accept-Encoding")
        if encoding != "identity":
            content = _compressed(content, encoding)
            response.headers["Content-Encoding"] = encoding
    response.set_data(content)
    response.add_etag()
    response.make_conditional(request)
    return response


def _whole(path: Path) -> bytes:
    """A stylesheet or script with what it imports put in place: one request instead of many.

    A script module goes into a block of its own; one that itself imports or exports names is left to the browser.
    """

    def part(found: re.Match[str]) -> str:
        kind, name, layer = found.groups()
        text = _whole(path.parent / name).decode()
        if kind == "import":
            return found[0] if LINKED.search(text) else f"{{\n{text}}}"
        return f"@layer {layer} {{\n{text}\n}}" if layer else text

    return IMPORT.sub(part, path.read_text("utf-8")).encode()


@lru_cache(maxsize=128)
def _compressed(content: bytes, encoding: str) -> bytes:
    return brotli.compress(content, quality=9) if encoding == "br" else gzip.compress(content, 9, mtime=0)


def _version_now() -> str:
    return _version.__wrapped__() if current_app.debug else _version()


@lru_cache(maxsize=1)
def _version() -> str:
    """Changes with any byte of any static file."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
