"""Asking the renderer for a PDF."""

import socket
import struct

from flask import current_app

PATIENCE = 1.0  # seconds until the renderer must have taken the document on
LONGEST = 60.0  # seconds from then on: its own limit, and the wait of a full queue


class Unavailable(Exception):
    """The printer is away, full, or could not print; nothing is lost by asking again later. Holds a sentence."""


def print_pdf(html: str) -> bytes:
    """The HTML document as PDF. Everything it shows must be inside it: nothing is fetched. Raises Unavailable."""
    sent = html.encode()
    path = current_app.config["CHAIRSIDE"].printer_socket
    if not path:
        raise Unavailable("No printer is set up.")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE)
            line.connect(path)
            if _receive(line, 1) != b"A":
                raise Unavailable("The printer has too much to do. Try again in a minute.")
            line.settimeout(LONGEST)
            line.sendall(struct.pack("!I", len(sent)) + sent)
            kind = _receive(line, 1)
            (length,) = struct.unpack("!I", _receive(line, 4))
            answer = _receive(line, length)
    except OSError as error:
        raise Unavailable("The printer does not answer. Try again in a minute.") from error
    if kind != b"P":
        raise Unavailable(answer.decode())
    return answer


def has_room() -> bool:
    """Whether the printer would take a document on now. Raises Unavailable when it is away."""
    path = current_app.config["CHAIRSIDE"].printer_socket
    if not path:
        raise Unavailable("No printer is set up.")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE)
            line.connect(path)
            return _receive(line, 1) == b"A"
    except OSError as error:
        raise Unavailable("The printer does not answer.") from error


def _receive(line: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = line.recv(length - len(parts))
        if not part:
            raise ConnectionError("The printer hung up.")
        parts += part
    return bytes(parts)
