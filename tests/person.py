"""A signed-in browser of one person, without a browser: sends CSRF token and once key like our forms do."""

import secrets
from typing import Any

from flask import Flask, g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from clinic import clock, security
from clinic.extensions import db
from clinic.models import AuthSession


class Person:
    def __init__(self, app: Flask, user_id: int) -> None:
        self.app = app
        self.user_id = user_id
        token = secrets.token_urlsafe(32)
        with app.app_context():
            at = clock.now()
            row = AuthSession(
                token_hash=security.digest(token),
                user_id=user_id,
                method="password",
                created_at=at,
                active_at=at,
            )
            db.session.add(row)
            db.session.commit()
            self.session_id = row.id
            self.token_hash = row.token_hash
            self.cookie = security.cookie_name("session")
        self.token = token
        self.client = self.browser()

    def browser(self) -> FlaskClient:
        """A browser as it was when the person had just signed in, whatever has happened to its cookies since."""
        client = self.app.test_client()
        client.set_cookie(self.cookie, self.token)
        return client

    def get(self, url: str, *, htmx: bool = False, **options: Any) -> TestResponse:
        with self.app.app_context():  # its own, as in life: else two people of one test would share `g`
            return self.client.get(url, headers=_headers(htmx) | options.pop("headers", {}), **options)

    def post(
        self,
        url: str,
        data: dict[str, Any] | None = None,
        *,
        htmx: bool = False,
        once: str | None = None,
        **options: Any,
    ) -> TestResponse:
        """Post a form with a fresh CSRF token and, unless given, a fresh once key."""
        fields = {"csrf_token": self.csrf_token(), "once": once or secrets.token_urlsafe(12)} | (data or {})
        with self.app.app_context():
            return self.client.post(url, data=fields, headers=_headers(htmx) | options.pop("headers", {}), **options)

    def csrf_token(self) -> str:
        with self.app.app_context():
            g.csrf_owner = self.token_hash
            return security.csrf_token()


def _headers(htmx: bool) -> dict[str, str]:
    return {"HX-Request": "true"} if htmx else {}
