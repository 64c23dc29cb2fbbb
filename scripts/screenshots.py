"""Shoot every page of every role in three sizes into `screenshots/` (git-ignored): `make screenshots`.

The desk's screen has a mouse, tablet and phone a thumb. What does not fit one screen is shown too, down to the third.

    .venv/bin/python scripts/screenshots.py [word ...]     only addresses or endpoints that contain one of the words

The clinic is the demo's, in a throw-away database. Names: role-endpoint-size-colours.png.
"""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402
from sqlalchemy import select  # noqa: E402

from clinic import clock, security  # noqa: E402
from clinic.extensions import db  # noqa: E402
from clinic.models import Display, Role, User  # noqa: E402
from tests.browser.clinic_of_demo import demo_server, pages_by_role  # noqa: E402
from tests.browser.conftest import CHROMIUM, LiveServer  # noqa: E402
from tests.conftest import make_config  # noqa: E402

SIZES: dict[str, dict[str, Any]] = {
    "desk": {"viewport": {"width": 1366, "height": 768}},
    "tablet": {"viewport": {"width": 820, "height": 1180}, "has_touch": True},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True},
}
# A picture shows the page from its top, this many screens of it at most.
SCREENS = 3
FOLDER = ROOT / "screenshots"


def main(words: list[str]) -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    with (
        tempfile.TemporaryDirectory() as folder,
        demo_server(make_config(f"sqlite:///{folder}/clinic.sqlite")) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        pages = {"nobody": {"auth.sign_in": "/sign-in", "no.such.page": "/no-such-page"}}
        pages |= pages_by_role(server.app, server.world)
        pages["supervisor"]["assignments.receivers"] = _leaving(server)
        pages["screen"] = {"display.index": "/display"}
        for role, found in pages.items():
            wanted = {
                endpoint: url
                for endpoint, url in found.items()
                if not words or any(word in f"{role} {endpoint} {url}" for word in words)
            }
            if not wanted:
                continue
            if role == "screen":
                cookies = _paired(server)
            else:
                cookies = {} if role == "nobody" else server.sign_in(role)
            for size, device in SIZES.items():
                context = browser.new_context(base_url=server.url, reduced_motion="reduce", **device)
                context.add_cookies(
                    [{"name": name, "value": value, "url": server.url} for name, value in cookies.items()]
                )
                page = context.new_page()
                for endpoint, url in wanted.items():
                    page.emulate_media(color_scheme="light")
                    page.set_viewport_size(device["viewport"])
                    page.goto(url)
                    page.wait_for_timeout(150)
                    for colours in ("light", "dark") if size == "desk" else ("light",):
                        page.emulate_media(color_scheme=colours)
                        _shoot(page, device["viewport"], FOLDER / f"{role}-{endpoint}-{size}-{colours}.png")
                context.close()
                print(f"{role:14} {size:7} {len(wanted)} pages", flush=True)
        browser.close()
    print(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER}")


def _paired(server: LiveServer) -> dict[str, str]:
    """The cookie of a screen in the waiting room."""
    token = secrets.token_urlsafe(32)
    with server.inside():
        at = clock.now()
        db.session.add(Display(token_hash=security.digest(token), name="Waiting room", created_at=at, paired_at=at))
        db.session.commit()
        return {security.cookie_name("display"): token}


def _leaving(server: LiveServer) -> str:
    """The second step of a student's leaving, which needs to be told who leaves."""
    with server.inside():
        supervisor = db.session.get_one(User, server.world.people["supervisor"])
        student = db.session.scalars(
            select(User.id)
            .where(User.role == Role.STUDENT, User.department_id == supervisor.department_id)
            .order_by(User.id)
        ).first()
    return f"/assignments/leaving/receivers?student={student}&reason=Graduated"


def _shoot(page: Page, screen: dict[str, int], to: Path) -> None:
    """Make the screen as high as the page: a picture beyond the screen's edge would forget that it is for a thumb."""
    page.set_viewport_size(screen)
    high = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": screen["width"], "height": min(high, SCREENS * screen["height"])})
    page.screenshot(path=to)


if __name__ == "__main__":
    main(sys.argv[1:])
