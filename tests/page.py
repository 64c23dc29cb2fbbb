"""The lint every HTML answer of every test goes through: `tests/conftest.py` gives the application a client that calls `lint`.

A page must parse, be named, be usable by keyboard and screen reader, work without JavaScript, and name nothing that is not there.
Each fault says the fix.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HX_NAMES = _words(
    """hx-get hx-post hx-target hx-swap hx-trigger hx-include hx-sync hx-select hx-indicator hx-confirm hx-disable hx-push-url
    hx-replace-url hx-encoding hx-vals hx-preserve hx-validate hx-ignore hx-morph-skip hx-morph-skip-children hx-swap-oob
    hx-sse:connect hx-sse:close hx-target:inherited hx-swap:inherited hx-include:inherited hx-sync:inherited
    hx-indicator:inherited"""
)
HX_STATUS = re.compile(r"hx-status:([1-5](\d\d|\dx|xx))")
REFERENCES = _words(
    """for form list popovertarget aria-controls aria-describedby aria-labelledby aria-owns aria-activedescendant aria-details
    aria-errormessage aria-flowto data-opens"""
)
TYPED = _words("text search email password tel url number date time datetime-local month week checkbox radio")
# Forms without a once key, by the beginning of their action, each with its reason.
WITHOUT_ONCE: dict[str, str] = {}
# Fragments whose root has no id of its own, by that root's class, each with its reason.
WITHOUT_ROOT_ID: dict[str, str] = {}


class LintedClient(FlaskClient):
    """A test browser that looks at every HTML answer."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        # A context of its own, as in production: inside a test's own context requests would share `g`, and with it who is signed in.
        with self.application.app_context():
            response = super().open(*args, **kwargs)
        if response.mimetype == "text/html" and not response.is_streamed and response.text.strip():
            faults = lint(response.text)
            if faults:
                listed = "\n".join(f"  - {fault}" for fault in faults)
                raise AssertionError(
                    f"{response.request.method} {response.request.path} answers faulty HTML:\n{listed}"
                )
        return response


@lru_cache(maxsize=512)
def lint(html: str) -> tuple[str, ...]:
    """Every fault of a page (it begins with a doctype) or of a fragment, as sentences."""
    whole = html.lstrip().lower().startswith(("<!doctype", "<!--")) and "<html" in html
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    if whole:
        root = parser.parse(html)
    else:
        start = re.match(r"(?:\s|<!--.*?-->)*<(\w+)", html, re.DOTALL)
        container = {"tr": "tbody", "tbody": "table", "thead": "table", "td": "tr", "option": "select"}
        root = parser.parseFragment(html, container=container.get(start[1] if start else "", "div"))
    page = _Page(root)
    faults = [f"does not parse: {_where(html, place)}: {code}" for place, code, _ in parser.errors]
    faults += _ids(page) + _inline(page) + _hx(page) + _forms(page) + _names(page) + _living_regions(page)
    faults += _whole_page(page) + _references(page) if whole else _fragment(page)
    return tuple(dict.fromkeys(faults))


class _Page:
    """A parsed document with its parents and ids at hand."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.elements = [element for element in root.iter() if isinstance(element.tag, str)]
        self.parents = {child: parent for parent in self.elements for child in parent}
        self.ids = Counter(element.get("id", "") for element in self.elements if "id" in element.attrib)

    def all(self, *tags: str) -> Iterator[Element]:
        return (element for element in self.elements if element.tag in tags)

    def above(self, element: Element) -> Iterator[Element]:
        while (parent := self.parents.get(element)) is not None:
            yield parent
            element = parent


def _whole_page(page: _Page) -> list[str]:
    faults = []
    heads = list(page.all("h1"))
    if len(heads) != 1:
        faults.append(f"has {len(heads)} h1; a page has exactly one")
    title = next(page.all("title"), None)
    if heads and not _text(title).startswith(_text(heads[0])):
        faults.append(f"title {_text(title)!r} does not begin with the h1's words {_text(heads[0])!r}")
    if not page.root.get("lang") and not any(e.get("lang") for e in page.all("html")):
        faults.append("html has no lang")
    if len(list(page.all("main"))) != 1:
        faults.append("has not exactly one main")
    return faults


def _fragment(page: _Page) -> list[str]:
    roots = [child for child in page.root if isinstance(child.tag, str)]
    if len(roots) != 1:
        return [f"a fragment has one root element; this has {len(roots)}"]
    excused = set(roots[0].get("class", "").split()) & WITHOUT_ROOT_ID.keys()
    return [] if roots[0].get("id") or excused else [f"the fragment's root {_tag(roots[0])} has no id (feature-name)"]


def _ids(page: _Page) -> list[str]:
    faults = [f"id {name!r} is there {count} times" for name, count in page.ids.items() if count > 1]
    return faults + [f"id {name!r} is empty or has a space" for name in page.ids if not name or re.search(r"\s", name)]


def _inline(page: _Page) -> list[str]:
    faults = [f"<{e.tag}> inside the page; put it in a file" for e in page.all("style")]
    faults += ["<script> without src; put it in a module" for e in page.all("script") if not e.get("src")]
    for element in page.elements:
        for name, value in element.attrib.items():
            if not isinstance(name, str):
                continue
            if name == "style" or name.startswith(("on", "hx-on")):
                faults.append(f"{_tag(element)} has {name}=; the content policy blocks it")
            if value == "None":
                faults.append(f'{_tag(element)} has {name}="None"; leave the attribute out')
            if value.strip().lower().startswith(("javascript:", "js:")):
                faults.append(f"{_tag(element)} has script in {name}=")
    return faults


def _hx(page: _Page) -> list[str]:
    faults = []
    for element in page.elements:
        names = [name for name in element.attrib if isinstance(name, str) and name.startswith(("hx-", "data-hx-"))]
        for name in names:
            if name not in HX_NAMES and not HX_STATUS.fullmatch(name):
                faults.append(f"{_tag(element)} has {name}, which is not on the list of htmx 4 names in tests/page.py")
        if "[" in element.get("hx-trigger", ""):
            faults.append(f"{_tag(element)} filters hx-trigger by a script; the content policy blocks it")
        if "hx-post" in element.attrib and (element.tag != "form" or element.get("method", "").lower() != "post"):
            faults.append(f"{_tag(element)} has hx-post but is no <form method=post>; it must work without JavaScript")
        elif "hx-post" in element.attrib and element.get("hx-post") != element.get("action"):
            faults.append(
                f"{_tag(element)}: hx-post {element.get('hx-post')!r} is not its action {element.get('action')!r}"
            )
    return faults


def _references(page: _Page) -> list[str]:
    faults = []
    for element in page.elements:
        wanted: set[str] = set()
        for name, value in element.attrib.items():
            if name in REFERENCES:
                wanted |= set(value.split())
            elif isinstance(name, str) and name.split(":")[0] in ("hx-target", "hx-include", "hx-indicator"):
                wanted |= set(re.findall(r"(?<![\w\]])#([\w-]+)", value))
            elif name == "hx-trigger":
                wanted |= set(re.findall(r"from:#([\w-]+)", value))
            elif name == "href" and element.tag == "a" and re.fullmatch(r"#.+", value):
                wanted.add(value[1:])
        faults += [
            f"{_tag(element)} names #{name}, which is not on the page" for name in sorted(wanted - page.ids.keys())
        ]
    return faults


def _forms(page: _Page) -> list[str]:
    faults = []
    for form in page.all("form"):
        if form.get("method", "get").lower() != "post":
            continue
        fields = [e.get("name") for e in form.iter("input")]
        action = form.get("action", "")
        if not action:
            faults.append(f"{_tag(form)} has no action")
        if fields.count("csrf_token") != 1:
            faults.append(
                f"{_tag(form)} to {action} has {fields.count('csrf_token')} csrf_token; write {{{{ token() }}}} once"
            )
        if fields.count("once") != 1 and not action.startswith(tuple(WITHOUT_ONCE) or ("\0",)):
            faults.append(
                f"{_tag(form)} to {action} has {fields.count('once')} once keys; write {{{{ token() }}}} once"
            )
        if any(above.tag == "form" for above in page.above(form)):
            faults.append(f"{_tag(form)} stands inside another form")
    return faults


def _names(page: _Page) -> list[str]:
    """Every control has a label, every link and button a name, every picture an alternative."""
    labelled = {label.get("for") for label in page.all("label")}
    faults = []
    for element in page.elements:
        own = element.get("aria-label") or element.get("aria-labelledby")
        if element.tag in ("input", "select", "textarea"):
            kind = element.get("type", "text")
            if kind in ("hidden", "submit", "button", "reset"):
                continue
            within = any(above.tag == "label" for above in page.above(element))
            if not (own or within or element.get("id") in labelled):
                faults.append(f"{_tag(element)} {element.get('name', '')!r} has no label")
        elif element.tag in ("button", "summary", "dialog", "nav") or (
            element.tag == "a" and element.get("href") is not None
        ):
            if not own and (element.tag in ("dialog", "nav") or not _spoken(element)):
                faults.append(f"{_tag(element)} has no name; give it words or aria-label")
        elif element.tag == "img" and element.get("alt") is None:
            faults.append(f"{_tag(element)} has no alt")
    return faults


def _living_regions(page: _Page) -> list[str]:
    """A region that refreshes itself keeps the focus by ids, and holds nothing a person types in."""
    faults = []
    for region in page.elements:
        if "hx-get" not in region.attrib or not re.search(r"from:body|every ", region.get("hx-trigger", "")):
            continue
        if not region.get("id"):
            faults.append(f"{_tag(region)} refreshes itself and has no id")
        for element in region.iter():
            if not isinstance(element.tag, str) or element is region:
                continue
            kept = "hx-morph-skip" in element.attrib or any("hx-morph-skip" in e.attrib for e in page.above(element))
            typed = element.tag in ("textarea", "select") or (
                element.tag == "input" and element.get("type", "text") in TYPED
            )
            if typed and not kept:
                faults.append(f"{_tag(element)} is typed in, inside #{region.get('id')}, which refreshes itself")
            if _focusable(element) and not element.get("id"):
                faults.append(
                    f"{_tag(element)} {_text(element)[:30]!r} in #{region.get('id')} needs an id to keep the focus"
                )
    return faults


def _focusable(element: Element) -> bool:
    if element.tag in ("button", "select", "textarea", "summary"):
        return True
    if element.tag == "input":
        return element.get("type") != "hidden"
    return (element.tag == "a" and element.get("href") is not None) or "tabindex" in element.attrib


def _spoken(element: Element) -> str:
    """What a screen reader would say: text that is not hidden from it, and the labels of pictures."""
    if element.get("aria-hidden") == "true":
        return ""
    parts = [element.text or "", element.get("aria-label") or "", element.get("alt") or ""]
    for child in element:
        if isinstance(child.tag, str):
            parts.append(_spoken(child))
        parts.append(child.tail or "")
    return " ".join("".join(parts).split())


def _text(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _tag(element: Element) -> str:
    name = f"#{element.get('id')}" if element.get("id") else ""
    classes = f".{element.get('class', '').replace(' ', '.')}" if element.get("class") else ""
    return f"<{str(element.tag).split('}')[-1]}{name or classes}>"


def _where(html: str, place: tuple[int, int]) -> str:
    line = html.splitlines()[min(place[0], html.count("\n") + 1) - 1].strip() if html.strip() else ""
    return f"line {place[0]} {line[max(place[1] - 50, 0) : place[1] + 20]!r}"
