"""Shoot every page of every role in three sizes into `screenshots/` (git-ignored): `make screenshots`.

    .venv/bin/python scripts/screenshots.py [word ...]     only addresses or endpoints that contain one of the words

The clinic is the demo's, in a throw-away database. Names: role-endpoint-size-colours.png.
"""

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright  # noqa: E402

from tests.browser.clinic_of_demo import demo_server, pages_by_role  # noqa: E402
from tests.browser.conftest import CHROMIUM  # noqa: E402
from tests.conftest import make_config  # noqa: E402

SIZES = {"desk": (1366, 768), "tablet": (820, 1180), "phone": (390, 844)}
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
        for role, found in pages.items():
            context = browser.new_context(base_url=server.url, reduced_motion="reduce")
            if role != "nobody":
                cookies = server.sign_in(role).items()
                context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies])
            page = context.new_page()
            for endpoint, url in found.items():
                if words and not any(word in f"{role} {endpoint} {url}" for word in words):
                    continue
                for size, (width, height) in SIZES.items():
                    page.set_viewport_size({"width": width, "height": height})
                    for colours in ("light", "dark") if size == "desk" else ("light",):
                        page.emulate_media(color_scheme=colours)
                        page.goto(url)
                        page.wait_for_timeout(150)
                        page.screenshot(path=FOLDER / f"{role}-{endpoint}-{size}-{colours}.png")
                print(f"{role:14} {url}", flush=True)
            context.close()
        browser.close()
    print(f"{len(list(FOLDER.iterdir()))} pictures in {FOLDER}")


if __name__ == "__main__":
    main(sys.argv[1:])
