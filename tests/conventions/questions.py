"""Everything one person can ask of the clinic, found by itself: what the differential test asks of two worlds.

Addresses come from the map of addresses and from the links of pages; the names of arguments and fields from the source and the forms
of the package a view is in; so whoever adds a route does nothing here. `VALUES` of the caller is what is put into all of them.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse
from wtforms import Form

from tests.conventions.crawl import TYPED, Crawl, Write
from tests.conventions.matrix import UNSAFE, address, routes, with_ticket
from tests.person import Person
from tests.queries_counted import counted

ASKED_FOR = re.compile(r"""(?:\.get(?:list)?\(|args\[|form\[)\s*["'](\w+)["']""")
ONCE = "the-same-in-both"
ENDINGS = ("POST /sign-out",)  # it would end the session that asks
NO_ROW = {"version", "since", "sealed", "was", "said"}  # arguments and fields that name nothing one could learn of
# Packages about one's own account and screen: their addresses are asked, their fields (passwords, mostly) name no patient.
OF_ONESELF = ("account", "auth", "display", "system", "theme")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: str
    queries: int

    def differs_from(self, other: "Answer") -> str:
        """What is different, in a line; empty when nothing is. Queries are not looked at."""
        if self.status != other.status:
            return f"status {self.status}, {other.status}"
        if self.headers != other.headers:
            return f"headers {sorted(set(self.headers) ^ set(other.headers))}"
        if self.body != other.body:
            mine, theirs = self.body.splitlines(), other.body.splitlines()
            pairs = [(a.strip(), b.strip()) for a, b in zip(mine, theirs, strict=False) if a != b]
            return f"{len(mine)} and {len(theirs)} lines: {str(pairs[:1] or (mine[-1:], theirs[-1:]))[:300]}"
        return ""


@dataclass
class Asker:
    """One person's browser, which puts every question in a savepoint that is rolled back."""

    app: Flask
    crawl: Crawl
    person: Person
    who: str
    mask: Mapping[str, str] = field(default_factory=dict)  # pattern to what stands for it
    look_after: str = ""  # after acts with this value, the pages beside them are looked at too
    passed_over: tuple[str, ...] = ()  # beginnings of addresses that are not asked

    def ask(self, verb: str, url: str, fields: Mapping[str, str] | None = None) -> Answer:
        with self._rolled_back():
            return self._ask(verb, url, fields or {})

    def _ask(self, verb: str, url: str, fields: Mapping[str, str]) -> Answer:
        self.person.client = self.person.browser()
        with counted() as statements:
            if verb in UNSAFE:
                answer = self.person.post(with_ticket(self.app, self.person, url), dict(fields), once=ONCE)
            else:
                answer = self.person.get(url, buffered=False)
        return self._taken_down(answer, len(statements))

    def ask_then(self, verb: str, url: str, fields: Mapping[str, str], pages: list[str]) -> list[Answer]:
        """The answer to an act, and what the person's own pages show after it."""
        with self._rolled_back():
            first = self._ask(verb, url, fields)
            return [first] + ([self._ask("GET", page, {}) for page in pages] if first.status in (200, 204, 303) else [])

    def _taken_down(self, answer: TestResponse, queries: int) -> Answer:
        if answer.mimetype == "text/event-stream":
            body = self._heard()
            answer.close()
        else:
            body = answer.get_data(as_text=True)
        headers = [
            (name, value) for name, value in answer.headers if name not in ("Content-Length", "Date", "Set-Cookie")
        ]
        for pattern, instead in self.mask.items():
            body = re.sub(pattern, instead, body)
            headers = [(name, re.sub(pattern, instead, value)) for name, value in headers]
        return Answer(answer.status_code, tuple(headers), body, queries)

    def _heard(self) -> str:
        """The topics of the stream that is open."""
        return str(sorted(topic for stream in self.app.extensions["live"].streams for topic in stream.topics))

    @contextmanager
    def _rolled_back(self) -> Iterator[None]:
        with self.crawl.rolled_back():
            yield

    # --- all questions ------------------------------------------------------------------------------------------------

    def everything(
        self, ids: Mapping[str, Mapping[str, int | str | None]], values: tuple[str, ...]
    ) -> dict[tuple[str, ...], Answer]:
        """Every question about the subjects of `ids`, with `values` in every argument and field in turn; and its answer.

        The first of the subjects is one the person knows: arguments and fields are tried on their addresses.
        """
        found: dict[tuple[str, ...], Answer] = {}
        pages = {url: page for url, page in self.crawl._pages(self.person) if not self._is_passed_over(url)}
        forms = self._forms(pages)
        for url, page in pages.items():
            found["page", url] = Answer(200, (), self._masked(page), 0)
        known = next(iter(ids.values()))
        for rule, verb in routes(self.app):
            if f"{verb} {rule.rule}" in ENDINGS or rule.endpoint == "static" or self._is_passed_over(rule.rule):
                continue
            fields = forms.get(rule.endpoint, {}) if verb in UNSAFE else {}
            for about in ids.values():
                if url := address(rule, dict(about)):
                    found[verb, url, "as it is"] = self.ask(verb, url, fields)
            home = address(rule, dict(known))
            if home is None or found[verb, home, "as it is"].status in (403, 404, 405):
                continue
            for name in sorted(self._names(rule, verb)):
                for value in values:
                    found |= self._with(rule, verb, home, fields, name, value)
        return found

    def _is_passed_over(self, url: str) -> bool:
        return url.startswith(self.passed_over) if self.passed_over else False

    def _with(
        self, rule: Rule, verb: str, url: str, fields: dict[str, str], name: str, value: str
    ) -> dict[tuple[str, ...], Answer]:
        """The question with this value in this argument or field; of an act also what the pages beside it show afterwards."""
        if verb not in UNSAFE:
            return {(verb, url, name, value): self.ask(verb, f"{url}?{urlencode({name: value})}")}
        beside = [
            other.rule
            for other, other_verb in routes(self.app)
            if other_verb == "GET"
            and not other.arguments
            and other.endpoint.split(".")[0] == rule.endpoint.split(".")[0]
        ]
        beside = beside if value == self.look_after else []
        first, *after = self.ask_then(verb, url, fields | {name: value}, beside)
        found: dict[tuple[str, ...], Answer] = {(verb, url, name, value): first}
        return found | {
            (f"after {verb} {url}", name, value, page): answer for page, answer in zip(beside, after, strict=False)
        }

    def _forms(self, pages: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """How each form the person comes across is filled in, by the endpoint it is sent to."""
        filled: dict[str, dict[str, str]] = {}
        for url, page in pages.items():
            for write in self.crawl._forms(self.who, self.person, url, page):
                rule = self.crawl._rule(write.form.action.partition("?")[0], "POST")
                if rule is not None:
                    filled.setdefault(rule.endpoint, _filled(write))
        return filled

    def _names(self, rule: Rule, verb: str) -> set[str]:
        """Every argument, and for an act every field, that the view's package knows of."""
        view = inspect.unwrap(self.app.view_functions[rule.endpoint])
        package = ".".join(view.__module__.split(".")[:3])
        if not package.startswith("clinic.blueprints.") or package.rpartition(".")[2] in OF_ONESELF:
            return set()
        arguments, fields = _names_in(package)
        return (arguments | fields if verb in UNSAFE else arguments) - NO_ROW

    def _masked(self, text: str) -> str:
        for pattern, instead in self.mask.items():
            text = re.sub(pattern, instead, text)
        return text


@cache
def _names_in(package: str) -> tuple[set[str], set[str]]:
    """What the modules of a package take from addresses, and the fields of their forms."""
    top = importlib.import_module(package)
    modules = [top]
    if hasattr(top, "__path__"):
        modules += [importlib.import_module(f"{package}.{each.name}") for each in pkgutil.iter_modules(top.__path__)]
    arguments, fields = set[str](), set[str]()
    for module in modules:
        arguments.update(ASKED_FOR.findall(Path(module.__file__ or "").read_text()))
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, Form) and each is not Form:
                fields.update(name for name in dir(each) if hasattr(getattr(each, name), "creation_counter"))
    return arguments, fields - {"csrf_token", "once"}


def _filled(write: Write) -> dict[str, str]:
    return {
        name: value or TYPED.get(name, "")
        for name, value in write.form.fields.items()
        if name not in ("csrf_token", "once")
    }
