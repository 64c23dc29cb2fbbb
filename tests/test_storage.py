"""The object store: a real S3 server, reached with the settings that R2 needs."""

import tempfile
import time
from pathlib import Path

import pytest
from flask import Flask

from clinic import storage
from tests.conftest import make_config
from tests.services import ObjectStore, free_port

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("storage"),
]  # one worker: the servers start once


@pytest.fixture(scope="module")
def store():
    with tempfile.TemporaryDirectory(prefix="chairside-store-") as folder:
        store = ObjectStore(Path(folder) / "var")
        yield store
        store.stop()


@pytest.fixture
def using():
    """`using(store)`: an application that keeps its files there."""

    def using(store, **changes):
        app = Flask("files")
        values = {
            "s3_endpoint": store.endpoint,
            "s3_bucket": store.bucket,
            "s3_access_key": store.access_key,
            "s3_secret_key": store.secret_key,
        }
        app.config["CHAIRSIDE"] = make_config("sqlite://", **(values | changes))
        return app.app_context()

    return using


def test_a_bucket_is_made_once_and_then_reachable(store, using):
    with using(store, s3_bucket="made-by-a-test"):
        assert not storage.is_reachable()
        storage.ensure_bucket()
        storage.ensure_bucket()
        assert storage.is_reachable()


def test_another_key_is_refused(store, using):
    with using(store):
        storage.ensure_bucket()
    with using(store, s3_secret_key="not-the-key-of-this-store"):
        assert not storage.is_reachable()
        with pytest.raises(storage.StorageError):
            storage.ensure_bucket()


def test_a_store_that_is_away_is_said_soon(store, using):
    with using(store, s3_endpoint=f"http://127.0.0.1:{free_port()}"):
        began = time.monotonic()
        assert not storage.is_reachable()
        with pytest.raises(storage.StorageError):
            storage.ensure_bucket()
        assert time.monotonic() - began < 20


def test_nothing_is_sent_that_r2_refuses(store, using):
    with using(store):
        storage.ensure_bucket()
        client, sent = storage.client(), []
        client.meta.events.register("before-send.s3", lambda request, **_: sent.append(dict(request.headers)))
        client.put_object(Bucket=store.bucket, Key="a/b", Body=b"x" * 1000)
        assert client.get_object(Bucket=store.bucket, Key="a/b")["Body"].read() == b"x" * 1000
        names = {name.lower() for headers in sent for name in headers}
        assert not [name for name in names if "trailer" in name or "checksum" in name or name == "transfer-encoding"]


def test_one_client_serves_a_process(store, using):
    with using(store):
        assert storage.client() is storage.client()


def test_what_is_written_once_stays_as_it_was(store, using):
    with using(store):
        storage.ensure_bucket()
        assert storage.put_once("written-once/a", b"first")
        assert not storage.put_once("written-once/a", b"second")
        assert storage.read("written-once/a") == b"first"
        with pytest.raises(storage.Missing):
            storage.read("written-once/none")


def test_keys_come_in_order_and_from_where_one_asks(store, using):
    with using(store):
        storage.ensure_bucket()
        for number in (3, 1, 2):
            storage.put_once(f"in-order/{number:05d}-x", b"")
        assert list(storage.keys("in-order/")) == [f"in-order/{number:05d}-x" for number in (1, 2, 3)]
        assert list(storage.keys("in-order/", after="in-order/00002")) == ["in-order/00002-x", "in-order/00003-x"]


def test_a_store_that_is_away_reads_and_writes_nothing(store, using):
    with using(store, s3_endpoint=f"http://127.0.0.1:{free_port()}"):
        for ask in (lambda: storage.put_once("a", b""), lambda: storage.read("a"), lambda: list(storage.keys("a"))):
            with pytest.raises(storage.StorageError):
                ask()
