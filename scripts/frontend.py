"""Build `clinic/static/vendor/` from the pinned npm packages: three files and one sprite of the icons we use.

`clinic/static/icons.txt` names the icons; templates draw one with the macro `icon` of components/ui.html.
Of Tabler's stylesheet only the parts we build on are kept (`KEPT`): the whole would be most of a first visit's weight.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "node_modules"
VENDOR = ROOT / "clinic" / "static" / "vendor"
FILES = (
    "htmx.org/dist/htmx.min.js",
    "htmx.org/dist/ext/hx-sse.min.js",
    "@tabler/core/dist/css/tabler.min.css",
)

# The classes of Tabler that our pages may use; tests/conventions/test_frontend.py fails when a template uses another.
KEPT = re.compile(
    r"""btn(-(primary|danger|icon|close|group|list|check|sm|lg))? | card(-[\w-]+)? | table(-[\w-]+)? | badge(-[\w-]+)? | alert(-[\w-]+)?
    | form(-[\w-]+)? | input-(group|icon)(-[\w-]+)? | empty(-[\w-]+)? | icon | progress(-bar)? | list-(group(-[\w-]+)?|unstyled|inline)
    | h[1-6] | small | lead | mark | visually-hidden(-focusable)? | skip-link | disabled | active | show | is-(in)?valid
    | text-(muted|secondary|nowrap|truncate|start|end|center|break) | font-monospace""",
    re.VERBOSE,
)
TOKEN = re.compile(r"""[{};]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""", re.DOTALL)
NESTING = ("@media", "@supports", "@layer", "@container")


def main() -> None:
    VENDOR.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        target = VENDOR / Path(name).name
        shutil.copyfile(PACKAGES / name, target)
        # Source maps are not shipped; a reference to one would be a failed request.
        text = re.sub(r"\n?(//|/\*)# sourceMappingURL=\S+( \*/)?", "", target.read_text("utf-8"))
        target.write_text(_reduced(text) if target.suffix == ".css" else text, "utf-8")
    (VENDOR / "icons.svg").write_text(_sprite(), "utf-8")


def _reduced(css: str) -> str:
    """A minified stylesheet without the rules that need a class outside `KEPT`."""
    licence = re.match(r"(?:@charset[^;]*;)?(/\*!.*?\*/)?", css, re.DOTALL)
    kept = [licence[1] or ""] if licence else []
    for head, body in _rules(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        if head.startswith("@charset"):
            continue  # the server sends it in the header
        if body is None or (head.startswith("@") and not head.startswith(NESTING)):
            kept.append(head + (";" if body is None else f"{{{body}}}"))
        elif head.startswith(NESTING):
            if inner := _reduced(body):
                kept.append(f"{head}{{{inner}}}")
        elif selectors := [selector for selector in _split(head) if _is_kept(selector)]:
            kept.append(f"{','.join(selectors)}{{{body}}}")
    return "".join(kept)


def _is_kept(selector: str) -> bool:
    while (bare := re.sub(r":not\([^()]*\)", "", selector)) != selector:
        selector = bare
    return all(KEPT.fullmatch(name) for name in re.findall(r"\.([a-zA-Z][\w-]*)", selector))


def _rules(css: str) -> Iterator[tuple[str, str | None]]:
    """Each rule's head and body; for statements without a block (`@charset`) the body is None."""
    start = block = depth = 0
    for token in TOKEN.finditer(css):
        if token[0] == "{":
            block = block if depth else token.start()
            depth += 1
        elif token[0] == "}":
            depth -= 1
            if depth == 0:
                yield css[start:block].strip(), css[block + 1 : token.start()]
                start = token.end()
        elif token[0] == ";" and depth == 0:
            yield css[start : token.start()].strip(), None
            start = token.end()


def _split(head: str) -> list[str]:
    """The selectors of a rule: parted by commas outside of brackets."""
    parts, depth = [""], 0
    for character in head:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


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
