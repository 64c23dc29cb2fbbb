"""These run on both engines."""

import pytest

from tests.trail import written_when_asked_for


@pytest.fixture(params=["mariadb", "sqlite"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def trail():  # type: ignore[no-untyped-def]
    with written_when_asked_for():
        yield
