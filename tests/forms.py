"""The forms of a page as a browser would send them, untouched."""

import re
from dataclasses import dataclass
from html import unescape

FIELD = re.compile(r"<(input|textarea|select|button)\b([^>]*)>(?:(.*?)</\1>)?", re.DOTALL)
ATTRIBUTE = re.compile(r'([\w:-]+)(?:="([^"]*)")?')
OPTION = re.compile(r"<option\b([^>]*)>")


@dataclass(frozen=True)
class PageForm:
    method: str
    action: str
    fields: dict[str, str]
    names: frozenset[str]  # of every field, also those a browser leaves out: boxes not ticked, buttons not pressed


def forms_of(page: str) -> list[PageForm]:
    """Every form of a page with an action, in order; buttons that carry a value count as pressed, the first of each name."""
    found = []
    elsewhere = [tag for tag in re.findall(r"<input\b[^>]*>", page) if ' form="' in tag]  # they say whose they are
    for opening, inside in re.findall(r"<form\b([^>]*)>(.*?)</form>", page, re.DOTALL):
        attributes = _attributes(opening)
        if "id" in attributes:
            inside += "".join(tag for tag in elsewhere if f' form="{attributes["id"]}"' in tag)
        if "action" in attributes:
            names = frozenset(
                named["name"] for _, tag, _ in FIELD.findall(inside) if "name" in (named := _attributes(tag))
            )
            method = attributes.get("method", "get").lower()
            found.append(PageForm(method, attributes["action"], _fields(inside), names))
    return found


def fields_of(page: str, action: str) -> dict[str, str]:
    """The fields of the first form that posts to `action`. Raises LookupError when the page has none."""
    for form in forms_of(page):
        if form.action == action and form.method == "post":
            return form.fields
    raise LookupError(f"no form posts to {action}")


def _attributes(text: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in ATTRIBUTE.findall(text)}


def _fields(inside: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for tag, attributes, content in FIELD.findall(inside):
        named = _attributes(attributes)
        name, kind = named.get("name"), named.get("type", "")
        if not name or (tag == "button" and "value" not in named):
            continue
        if kind == "checkbox" and "checked" not in named:
            continue
        if tag == "select":
            fields[name] = _chosen(content)
        elif kind == "radio":
            if "checked" in named or name not in fields:
                fields[name] = named.get("value", "on")
        elif tag == "textarea":
            fields[name] = unescape(content.removeprefix("\r").removeprefix("\n"))
        elif tag != "button" or name not in fields:
            fields[name] = named.get("value", "on" if kind == "checkbox" else "")
    return fields


def _chosen(options: str) -> str:
    """The selected option's value, else the first that has one."""
    values = [_attributes(option) for option in OPTION.findall(options)]
    for option in values:
        if "selected" in option:
            return option.get("value", "")
    return next((option["value"] for option in values if option.get("value")), "")
