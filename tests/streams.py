"""A browser's end of a live stream over a plain socket: reads events, can be dropped at any moment, comes back where it was."""

import socket
import time
from dataclasses import dataclass, field


class Refused(Exception):
    """The server answered something else than a stream."""

    def __init__(self, status: int, headers: str) -> None:
        super().__init__(f"{status}\n{headers}")
        self.status = status
        self.headers = headers


@dataclass
class Listener:
    """`events` are (number, name, data) of all that was heard, through all connections; beats are counted only."""

    port: int
    cookie: str
    path: str = "/live/stream"
    last: str = ""
    who: str = ""
    events: list[tuple[int, str, str]] = field(default_factory=list)
    beats: int = 0
    headers: str = ""
    _socket: socket.socket | None = None
    _buffer: bytes = b""  # as it came
    _text: bytes = b""  # without the lines of the chunks
    _over: bool = False

    def connect(self) -> "Listener":
        """Open the stream and read its first event. Raises Refused."""
        self.drop()
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=15)
        known = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
        self._socket.sendall(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self.cookie}\r\nHX-Request: true\r\n{known}\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += self._received()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        self.headers = head.decode()
        status = int(self.headers.split()[1])
        if status != 200:
            self.drop()
            raise Refused(status, self.headers)
        heard = self.beats + len(self.events)
        while self._buffer or self.beats + len(self.events) == heard:
            data, self._buffer = self._buffer, b""
            self._take(data or self._received())
        return self

    def hear(self, seconds: float) -> bool:
        """Read for a while, or until the server ends the stream; answers whether it is still open."""
        assert self._socket
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return True
            except OSError:
                data = b""
            if not data:
                self.drop()
                return False
            self._take(data)
            if self._over:
                self.drop()
                return False
        return True

    def drop(self) -> None:
        """Cut the connection, in the middle of an event if it so happens."""
        if self._socket:
            self._socket.close()
        self._socket, self._buffer, self._text, self._over = None, b"", b"", False

    def _received(self) -> bytes:
        assert self._socket
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the server hung up")
        return data

    def _take(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n" in self._buffer:
            line, _, rest = self._buffer.partition(b"\r\n")
            length = int(line, 16)
            self._over = length == 0
            if self._over or len(rest) < length + 2:
                break
            self._text, self._buffer = self._text + rest[:length], rest[length + 2 :]
        *blocks, self._text = self._text.split(b"\n\n")
        for block in blocks:
            self._note(block.decode())

    def _note(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        self.last = fields.get("id", self.last)
        if fields.get("event") == "live:beat":
            self.beats += 1
        elif "event" in fields:
            self.events.append((int(fields["id"]), fields["event"], fields["data"]))
