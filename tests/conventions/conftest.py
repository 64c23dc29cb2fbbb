"""The crawl through every page, at noon: what a form offers does not depend on when the tests run."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.conventions.crawl import Crawl
from tests.noon import noon_in
from tests.world import World


@pytest.fixture
def crawl(app: Flask, world: World) -> Iterator[Crawl]:
    with app.app_context(), noon_in(world):
        yield Crawl(app, world)
