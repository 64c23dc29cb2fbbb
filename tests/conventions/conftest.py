"""The crawl through every page, at noon: what a form offers does not depend on when the tests run."""

from collections.abc import Iterator

import pytest
from flask import Flask

from clinic import outgoing, storage
from clinic.printing import client as printer
from tests.conventions.crawl import Crawl
from tests.noon import noon_in
from tests.world import World


@pytest.fixture
def crawl(app: Flask, world: World) -> Iterator[Crawl]:
    with app.app_context(), noon_in(world):
        yield Crawl(app, world)


@pytest.fixture(autouse=True)
def a_printer_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is asked for: those that are printed too, which the printer's own tests hold."""
    monkeypatch.setattr(printer, "print_pdf", lambda _html: b"%PDF-1.4\n%%EOF\n")


@pytest.fixture(autouse=True)
def a_store_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are asked for too; what the store does is held by its own tests."""
    monkeypatch.setattr(storage, "check", lambda: None)
    monkeypatch.setattr(
        outgoing, "pieces_of", lambda stored, start=0, stop=None, **_: iter([b"x" * ((stop or stored.size) - start)])
    )
