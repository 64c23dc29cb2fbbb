"""These run on both engines."""

import pytest


@pytest.fixture(params=["mariadb", "sqlite"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)
