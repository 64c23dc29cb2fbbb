"""Headers, cookies and the proof that a form came from our own page."""

import hashlib
import hmac
import secrets

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import BadRequest

CSP = {
    "default-src": "'none'",  # nothing unless a line below says so
    "script-src": "'self'",  # our modules and htmx, from files; never inline
    "style-src": "'self'",
    "img-src": "'self' data: blob:",  # icons; previews of what is being uploaded
    "font-src": "'self'",
    "connect-src": "'self'",  # htmx and the live stream
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "manifest-src": "'self'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in CSP.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


def init_app(app: Flask) -> None:
    app.after_request(_harden)


def _harden(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if current_app.config["CHAIRSIDE"].secure_cookies:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    # Pages hold health data: no cache, no back-forward cache, nothing left on a shared terminal.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def digest(token: str) -> str:
    """How a random token is stored: SHA-256, hex (it has enough randomness to need no slow hash)."""
    return hashlib.sha256(token.encode()).hexdigest()


def cookie_name(name: str) -> str:
    """`__Host-` binds a cookie to this very host over TLS; without TLS (one machine, demonstration) a plain name."""
    return f"__Host-{name}" if current_app.config["CHAIRSIDE"].secure_cookies else f"chairside-{name}"


def set_cookie(response: Response, name: str, value: str, *, max_age: int | None = None, strict: bool = False) -> None:
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=max_age,
        path="/",
        httponly=True,
        secure=current_app.config["CHAIRSIDE"].secure_cookies,
        samesite="Strict" if strict else "Lax",
    )


def csrf_token() -> str:
    """A token for forms, bound to the session (or, before sign-in, to the browser), masked anew each time."""
    true = _csrf(g.csrf_owner)
    pad = secrets.token_bytes(len(true))
    return (pad + bytes(a ^ b for a, b in zip(pad, true, strict=True))).hex()


def check_form_origin() -> None:
    """Refuse a write that does not come from our own page. Raises BadRequest."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise BadRequest
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    try:
        raw = bytes.fromhex(sent)
    except ValueError:
        raise BadRequest from None
    half = len(raw) // 2
    token = bytes(a ^ b for a, b in zip(raw[:half], raw[half:], strict=False))
    if not hmac.compare_digest(token, _csrf(g.csrf_owner)):
        raise BadRequest


def _csrf(owner: str) -> bytes:
    key = current_app.config["CHAIRSIDE"].secret_key.encode()
    return hmac.new(key, b"csrf:" + owner.encode(), hashlib.sha256).digest()[:16]
