"""Headers, cookies and the proof that a form came from our own page."""

import base64
import hashlib
import hmac
import re
import secrets

from cryptography.fernet import Fernet, InvalidToken
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
    "frame-src": "'self'",  # a PDF of a patient, which its own answer puts into a sandbox
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "manifest-src": "'self'",
}


def policy(*, form_action: str = "") -> str:
    """What a page may load and where its forms may lead: to us, and to `form_action`."""
    lines = CSP | ({"form-action": f"{CSP['form-action']} {form_action}"} if form_action else {})
    return "; ".join(f"{name} {value}" for name, value in lines.items())


HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

TICKET_HOLDS = 12 * 3600  # seconds; a page may stay open for a day at the desk
LONGEST_COOKIE = 400 * 24 * 3600  # seconds; the longest a browser keeps a cookie
DEVICE_TOKEN = re.compile(r"[\w-]{43}")


def init_app(app: Flask) -> None:
    app.after_request(_harden)


def _harden(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if current_app.config["CHAIRSIDE"].secure_cookies:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    # Pages hold health data: no cache, no back-forward cache, nothing left on a shared terminal.
    response.headers.setdefault("Cache-Control", "no-store")
    if "new_device" in g:
        set_cookie(response, "device", g.new_device, max_age=LONGEST_COOKIE)
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


def device_token() -> str:
    """The random name of this browser, from its cookie; empty when it has none (or one that we never gave)."""
    token = g.get("new_device") or request.cookies.get(cookie_name("device"), "")
    return token if DEVICE_TOKEN.fullmatch(token) else ""


def name_device() -> str:
    """The name of this browser, given now if it has none; its cookie goes out with the answer."""
    if not device_token():
        g.new_device = secrets.token_urlsafe(32)
    return device_token()


def csrf_token() -> str:
    """A token for forms, bound to the session (or, before sign-in, to the browser), masked anew each time.

    A browser on its first visit gets its name with the page that holds its first form.
    """
    if not g.csrf_owner:
        g.csrf_owner = digest(name_device())
    true = _csrf(g.csrf_owner)
    pad = secrets.token_bytes(len(true))
    return (pad + bytes(a ^ b for a, b in zip(pad, true, strict=True))).hex()


def check_form_origin(*, by_ticket: bool = False) -> None:
    """Refuse a write that does not come from our own page. Raises BadRequest.

    `by_ticket`: its address carries what only a page of ours for this session, this browser and this very address could seal.
    """
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise BadRequest
    if by_ticket:
        if not g.csrf_owner or _ticket_of(request.args.get("ticket", "")) != (request.path, g.csrf_owner):
            raise BadRequest
        return
    sent = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
    try:
        raw = bytes.fromhex(sent)
    except ValueError:
        raise BadRequest from None
    half = len(raw) // 2
    token = bytes(a ^ b for a, b in zip(raw[:half], raw[half:], strict=False))
    if not g.csrf_owner or not hmac.compare_digest(token, _csrf(g.csrf_owner)):
        raise BadRequest


def _csrf(owner: str) -> bytes:
    key = current_app.config["CHAIRSIDE"].secret_key.encode()
    return hmac.new(key, b"csrf:" + owner.encode(), hashlib.sha256).digest()[:16]


def ticket(path: str) -> str:
    """What lets this session post to an address before its body is read; each is another one."""
    return seal(f"{path}\n{g.csrf_owner}\n{secrets.token_urlsafe(12)}", "ticket")


def _ticket_of(sealed: str) -> tuple[str, str] | None:
    text = unseal(sealed, "ticket", seconds=TICKET_HOLDS)
    if text is None:
        return None
    path, owner, _once = text.split("\n")
    return path, owner


def draft_key(user_id: int) -> str:
    """What encrypts and names a person's drafts in a browser: 32 bytes for each, in base64. It is stored nowhere."""
    key = current_app.config["CHAIRSIDE"].secret_key.encode()
    return base64.b64encode(hmac.new(key, f"drafts:{user_id}".encode(), hashlib.sha512).digest()).decode()


def seal(text: str, purpose: str) -> str:
    """Encrypt a text with the application's key; only `unseal` with the same purpose reads it. Safe in an address."""
    return _cipher(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str, *, seconds: int | None = None) -> str | None:
    """The sealed text; None when it is not ours, was sealed for another purpose, or is older than `seconds`."""
    try:
        return _cipher(purpose).decrypt(sealed.encode(), ttl=seconds).decode()
    except InvalidToken:
        return None


def _cipher(purpose: str) -> Fernet:
    key = current_app.config["CHAIRSIDE"].secret_key.encode()
    return Fernet(base64.urlsafe_b64encode(hmac.new(key, b"seal:" + purpose.encode(), hashlib.sha256).digest()))
