"""Every kind of entry in every status, and whole mouths, as contact sheets to look at: `make chart-pictures` into `screenshots/chart/`.

    .venv/bin/python scripts/chart_pictures.py [word ...]     only sheets whose name contains one of the words
    .venv/bin/python scripts/chart_pictures.py figures        how long a mouth of 60 entries takes to draw, and how many bytes it is

Each sheet is shot in the colours of both legends and in black and white; whole mouths at the width of a tablet and of A4.
"""

import gzip
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import brotli  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from clinic.chart import drawing, legends  # noqa: E402
from clinic.chart.mouth import Mouth  # noqa: E402
from tests.browser.conftest import CHROMIUM  # noqa: E402
from tests.chart import pictured  # noqa: E402
from tests.chart.svg import key_html, svg_of  # noqa: E402

FOLDER = ROOT / "screenshots" / "chart"
TABLET, PAPER = 760, 1047  # pixels: the columns of the tablet, and A4 on its side between margins of 10 mm


def main(words: list[str]) -> None:
    if words == ["figures"]:
        figures()
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        page = browser.new_page(device_scale_factor=2)
        for name, html, width in sheets():
            if not words or any(word in name for word in words):
                shoot(page, name, html, width)
        browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")


def figures() -> None:
    """Processor time of drawing and rendering, medians of 40; bytes as they are sent."""
    busy = pictured.WHOLE["permanent"]

    def took(made: Callable[[], object]) -> float:
        made()
        times = []
        for _ in range(40):
            before = time.process_time()
            made()
            times.append((time.process_time() - before) * 1000)
        return statistics.median(times)

    once = drawing.drawing_of(busy)
    print(f"{len(busy.entries)} entries on 32 teeth and 2 extra ones")
    print(f"drawing {took(lambda: drawing.drawing_of(Mouth(busy.base, busy.entries, busy.kinds))):.1f} ms")
    print(f"rendering {took(lambda: svg_of(once)):.1f} ms, its key {took(lambda: key_html(once)):.1f} ms")
    for name, text in (("chart", svg_of(once)), ("key", key_html(once))):
        raw = text.encode()
        print(
            f"{name}: {len(raw)} bytes, {len(gzip.compress(raw, 6))} by gzip, {len(brotli.compress(raw, quality=4))} by brotli 4"
        )


def sheets():  # type: ignore[no-untyped-def]
    """Name, HTML and width of each."""
    for legend in legends.LEGENDS:
        for group, samples in pictured.samples_by_group().items():
            cells = "".join(
                f"<figure>{svg_of(drawing.drawing_of(mouth, legend=legend, only=only, prefix=f'{legend}-{at}-'))}"
                f"<figcaption>{words}</figcaption></figure>"
                for at, (words, mouth, only) in enumerate(samples)
            )
            yield f"kinds-{group.lower().replace(' ', '-')}-{legend}", cells, 1180
        for name in ("permanent", "mixed"):
            yield f"key-{name}-{legend}", key_html(drawing.drawing_of(pictured.WHOLE[name], legend=legend)), TABLET
        yield (
            f"key-whole-{legend}",
            key_html(drawing.drawing_of(pictured.WHOLE["permanent"], legend=legend), whole=True),
            TABLET,
        )
        for name, mouth in pictured.WHOLE.items():
            for size, width in (("tablet", TABLET), ("a4", PAPER)):
                yield f"mouth-{name}-{legend}-{size}", whole(mouth, legend), width


def whole(mouth: Mouth, legend: str) -> str:
    return svg_of(drawing.drawing_of(mouth, legend=legend))


def shoot(page: Page, name: str, html: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 400})
    for filtered in ("", "grayscale(1)") if "neutral" in name else ("",):
        page.set_content(
            f"<style>body{{margin:0;background:#fff;font:11px Arial;filter:{filtered or 'none'}}} figure{{display:inline-block;margin:4px;"
            "text-align:center;vertical-align:top;border:1px solid #ddd;padding:2px;width:138px} figcaption{height:40px;overflow:hidden}"
            ".key-list{display:flex;flex-wrap:wrap;gap:4px 12px;list-style:none;padding:0;margin:0 0 8px}.key-list li{display:flex;"
            "align-items:center;gap:4px;width:172px}.key-list svg{flex:none}"
            "figure svg{height:236px;width:auto;max-width:136px}</style>" + html
        )
        page.screenshot(path=FOLDER / f"{name}{'-grey' if filtered else ''}.png", full_page=True)
    print(name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
