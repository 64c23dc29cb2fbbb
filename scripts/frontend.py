"""Build `clinic/static/vendor/` from the pinned npm packages: three files and one sprite of the icons we use.

`clinic/static/icons.txt` names the icons; templates draw one with the macro `icon` of components/ui.html.
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "node_modules"
VENDOR = ROOT / "clinic" / "static" / "vendor"
FILES = (
    "htmx.org/dist/htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js",
    "@tabler/core/dist/css/tabler.min.css",
)


def main() -> None:
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        target = VENDOR / Path(name).name
        shutil.copyfile(PACKAGES / name, target)
        # Source maps are not shipped; a reference to one would be a failed request.
        text = re.sub(r"\n?(//|/\*)# sourceMappingURL=\S+( \*/)?", "", target.read_text("utf-8"))
        target.write_text(text, "utf-8")
    (VENDOR / "icons.svg").write_text(_sprite(), "utf-8")


def _sprite() -> str:
    names = (ROOT / "clinic" / "static" / "icons.txt").read_text("utf-8").split()
    symbols = []
    for name in names:
        path = PACKAGES / "@tabler" / "icons" / "icons" / "outline" / f"{name}.svg"
        if not path.is_file():
            sys.exit(f"clinic/static/icons.txt names {name!r}, which the icon package does not have.")
        drawing = re.sub(r"<!--.*?-->|</?svg[^>]*>", "", path.read_text("utf-8"), flags=re.DOTALL)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{" ".join(drawing.split())}</symbol>')
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>\n'


if __name__ == "__main__":
    main()
