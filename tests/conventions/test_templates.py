"""Templates: compile, escape, name what they need, and hold nothing inline."""

import re
from pathlib import Path

import pytest
from jinja2 import StrictUndefined

TEMPLATES = Path(__file__).parents[2] / "clinic" / "templates"
ALL = sorted(
    path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.*") if path.suffix in (".html", ".jinja")
)
FORBIDDEN = {
    r"\|\s*safe\b": "|safe: stored text would become code; build the markup in the template",
    r"autoescape\s+false": "autoescape false: stored text would become code",
    r"\sstyle\s*=": "style=: the content policy blocks it; write a class",
    r"<style\b": "<style>: write it in static/css",
    r"\son(?!ce=)[a-z]+\s*=\s*[\"']": "on...=: the content policy blocks it; find the element by a data- attribute in a module",
    r"hx-on[:=]": "hx-on: needs eval, which the content policy blocks",
    r"<script(?![^>]*\bsrc=)": "<script> without src: put it in a module",
    r"\btarget=[\"']_blank": "target=_blank: pages of one record stay in one tab",
    r"{%\s*if[^%]*\brequest\.headers": "a fragment does not ask who is asking; give it a URL of its own",
}


@pytest.mark.parametrize("name", ALL)
def test_a_template_compiles_under_strict_undefined(app, name):
    assert app.jinja_env.undefined is StrictUndefined
    app.jinja_env.get_template(name)


@pytest.mark.parametrize("name", ALL)
def test_a_template_holds_nothing_forbidden(name):
    text = re.sub(r"{#.*?#}", "", (TEMPLATES / name).read_text("utf-8"), flags=re.DOTALL)
    found = [fix for pattern, fix in FORBIDDEN.items() if re.search(pattern, text)]
    assert not found, f"{name}: " + "; ".join(found)


@pytest.mark.parametrize("name", [name for name in ALL if "/_" in name])
def test_a_fragment_says_its_variables_first(name):
    first = (TEMPLATES / name).read_text("utf-8").splitlines()[0]
    assert first.startswith("{#"), (
        f"{name}: the first line is a comment that lists the fragment's variables: {{# patient, visits #}}"
    )


@pytest.mark.parametrize(
    "name", [name for name in ALL if "/_" not in name and "/" in name and not name.startswith("components/")]
)
def test_a_page_stands_in_the_frame(name):
    text = (TEMPLATES / name).read_text("utf-8")
    assert re.search(r'{%\s*extends "[\w/]*base(_\w+)?\.html"', text), f"{name}: a page extends base.html"


def test_every_icon_of_a_template_is_in_the_sprite():
    named = set((TEMPLATES.parent / "static" / "icons.txt").read_text("utf-8").split())
    used = {
        name: path.name
        for path in TEMPLATES.rglob("*.html")
        for name in re.findall(r"\bicon(?:_name)?\s*[(=]\s*[\"']([a-z0-9-]+)[\"']", path.read_text("utf-8"))
    }
    assert not used.keys() - named, "add to clinic/static/icons.txt and run scripts/frontend.py: " + ", ".join(
        used.keys() - named
    )
