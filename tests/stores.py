"""The object store for every folder: the real SeaweedFS, and the same over TLS behind a double that refuses what R2 refuses."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from clinic import storage
from tests.r2 import R2
from tests.services import ObjectStore


@pytest.fixture(scope="session")
def weed() -> Iterator[ObjectStore]:
    with tempfile.TemporaryDirectory(prefix="chairside-store-") as folder:
        store = ObjectStore(Path(folder) / "var")
        yield store
        store.stop()


@pytest.fixture(scope="session")
def r2(weed: ObjectStore) -> Iterator[R2]:
    with tempfile.TemporaryDirectory(prefix="chairside-r2-") as folder:
        double = R2(weed, Path(folder))
        yield double
        double.stop()


@pytest.fixture(params=["seaweedfs", "r2"])
def store(
    request: pytest.FixtureRequest, weed: ObjectStore, r2: R2, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore | R2]:
    if request.param == "seaweedfs":
        yield weed
        return
    monkeypatch.setenv("AWS_CA_BUNDLE", str(r2.authority))
    r2.refused.clear()
    yield r2
    assert r2.refused == []


@contextmanager
def kept_in(app: Flask, store: ObjectStore | R2) -> Iterator[None]:
    """For as long as this lasts, the application keeps its files there."""
    before = app.config["CHAIRSIDE"]
    named = {name: getattr(store, name) for name in ("endpoint", "bucket", "access_key", "secret_key")}
    app.config["CHAIRSIDE"] = replace(before, **{f"s3_{name}": value for name, value in named.items()})
    _forget(app)
    try:
        with app.app_context():
            storage.ensure_bucket()
        yield
    finally:
        app.config["CHAIRSIDE"] = before
        _forget(app)


def _forget(app: Flask) -> None:
    for name in [name for name in app.extensions if name.startswith("chairside_store")]:
        del app.extensions[name]
