"""What every template may use without being handed it."""

from typing import Any

from flask import Flask, g, request, url_for
from flask_login import current_user

from clinic import access, clock, once, security, settings


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(
        csrf_token=security.csrf_token,
        once_key=once.new_key,
        may=lambda permission: _may(permission),
        setting=settings.read,
        now=clock.now,
        asset=asset,
        toast=toast,
    )


def asset(path: str) -> str:
    """The address of a static file, with a version in it so that it can be cached for a year."""
    return url_for("static", filename=path)


def toast() -> tuple[str, str | None] | None:
    """What the last act of this person said, once it has sent them here."""
    key = request.args.get("said", "")
    return once.said(access.owner(), key) if key and g.get("auth_session") else None


def _may(permission: str) -> Any:
    """Whether the viewer has a permission, by its name."""
    return current_user.is_authenticated and access.may(current_user, access.Permission[permission])
