"""A browser at the door: reads forms as a person does, keeps cookies, signs in by typing."""

import re
from typing import Any

import pyotp
from flask import Flask
from werkzeug.test import TestResponse

from clinic import clock
from tests.world import PASSWORD

TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


class Visitor:
    def __init__(self, app: Flask, address: str = "203.0.113.9") -> None:
        self.app = app
        self.address = address
        self.client = app.test_client()

    def get(self, url: str, **options: Any) -> TestResponse:
        return self.client.get(url, environ_base={"REMOTE_ADDR": self.address}, **options)

    def post(self, url: str, data: dict[str, Any] | None = None, *, token_of: str, **options: Any) -> TestResponse:
        """Open the page `token_of`, and send a form with the token that stands there."""
        token = TOKEN.search(self.get(token_of).text)
        fields = {"csrf_token": token[1] if token else "", "once": "visitor-" + str(id(data))} | (data or {})
        return self.client.post(url, data=fields, environ_base={"REMOTE_ADDR": self.address}, **options)

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        data = {"email": f"{name}@clinic.test", "password": password} | fields
        return self.post("/sign-in", data, token_of="/sign-in")

    def cookie(self, name: str) -> str:
        found = self.client.get_cookie(f"chairside-{name}")
        return found.value if found else ""

    def carry(self, name: str, value: str) -> None:
        self.client.set_cookie(f"chairside-{name}", value)

    def is_in(self) -> bool:
        """Whether a page of one's own account opens."""
        return self.get("/account/sessions").status_code == 200


def code_now(secret: str, *, steps: int = 0) -> str:
    """What the telephone shows at the clinic's clock, or some steps before or after."""
    return pyotp.TOTP(secret).at(int(clock.now().timestamp()) + 30 * steps)
