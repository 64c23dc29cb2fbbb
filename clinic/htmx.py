"""Answers: the same act answers a page without JavaScript and a fragment with it."""

import json
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from flask import Response, g, redirect, render_template, request

from clinic import once


def is_htmx() -> bool:
    return "HX-Request" in request.headers


def parts_of(address: str | None) -> SplitResult:
    """The parts of an address that somebody sent us; empty ones when it is none."""
    try:
        return urlsplit(address or "")
    except ValueError:  # an open bracket is taken for a broken IPv6 host
        return urlsplit("")


def answer(*, page: str, fragment: str, **context: Any) -> str:
    """The fragment for htmx, the whole page otherwise, from the same variables."""
    return render_template(fragment if is_htmx() else page, **context)


def place() -> dict[str, int | None]:
    """The `after` and `before` of the address, as the queries of paged lists take them."""
    return {name: request.args.get(name, type=int) for name in ("after", "before")}


def go_to(url: str, *, say: str | None = None, undo: str | None = None) -> Response:
    """Commit, then send the person to a page, which shows `say` as a toast with a button that posts to `undo`."""
    key = g.get("once_key")
    if say and key:
        page, mark, place = url.partition("#")
        url = page + ("&" if "?" in page else "?") + urlencode({"said": key}) + mark + place
    if is_htmx():
        response = Response(status=204, headers={"HX-Redirect": url})
    else:
        response = redirect(url, 303)  # type: ignore[assignment]
    return once.commit(response, say=say, undo=undo)


def done(*, back: str, changed: str, say: str, undo: str | None = None) -> Response:
    """Commit an act done in place: htmx gets the event `changed` (which refetches regions) and the toast; others go `back`."""
    if not is_htmx():
        return go_to(back, say=say, undo=undo)
    events = {changed: {}, "say": {"text": say, "undo": undo}}
    return once.commit(Response(status=204, headers={"HX-Trigger": json.dumps(events)}), say=say, undo=undo)
