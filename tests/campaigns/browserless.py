"""A person at a real server without a browser: fetches a page, fills its form as a browser would, sends it. Thread-safe per instance."""

import http.client
import socket
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.forms import fields_of
from tests.servers import Server


@dataclass
class Answer:
    status: int
    text: str
    headers: dict[str, str]


class RemotePerson:
    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.cookie, self.csrf_token = server.sign_in(name)

    def get(self, path: str, *, htmx: bool = False) -> Answer:
        return self._send("GET", path, None, htmx=htmx)

    def post(self, path: str, fields: dict[str, str], *, htmx: bool = False) -> Answer:
        return self._send("POST", path, fields, htmx=htmx)

    def form(self, page: str, action: str) -> dict[str, str]:
        """The fields of the form on a page that posts to `action`, as the page would send them."""
        return fields_of(self.get(page).text, action)

    def post_and_hang_up(self, path: str, fields: dict[str, str], *, after: int | None) -> None:
        """Send the first `after` bytes (None: all of them) and cut the connection without reading the answer."""
        body = urlencode(fields).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self.cookie}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=10) as connection:
            connection.sendall((head + body)[:after])

    def _send(self, verb: str, path: str, fields: dict[str, str] | None, *, htmx: bool = False) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Cookie": self.cookie} | ({"HX-Request": "true"} if htmx else {})
        body = None
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode({"csrf_token": self.csrf_token} | fields)
        try:
            connection.request(verb, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), dict(answer.getheaders()))
        finally:
            connection.close()
