"""The object store: a real S3 server, reached as it is, and over TLS through a double that refuses what R2 refuses."""

import hashlib
import random
import socket
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import islice

import boto3
import pytest
from botocore.exceptions import ClientError
from flask import Flask, current_app

from clinic import incoming, outgoing, storage
from clinic.incoming import Incoming, TooManyBytes
from clinic.kept import find
from clinic.outgoing import READ
from clinic.storage import PART
from tests.conftest import make_config
from tests.services import free_port

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.xdist_group("storage"),
]  # one worker: the servers start once


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
    with using(store, s3_bucket=f"made-by-a-test-{random.randbytes(4).hex()}"):
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
        wrong = ("trailer", "checksum", "transfer-encoding", "expect")
        assert not [name for name in names if any(each in name for each in wrong)]


def test_one_client_serves_a_process(store, using):
    with using(store):
        assert storage.client() is storage.client()


def test_what_is_written_once_stays_as_it_was(store, using):
    with using(store):
        storage.ensure_bucket()
        key = f"written-once/{random.randbytes(4).hex()}"
        assert storage.put_once(key, b"first")
        assert not storage.put_once(key, b"second")
        assert storage.read(key) == b"first"
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


# --- what may be large ------------------------------------------------------------------------------------------------


def bytes_of(size, seed=1):
    return random.Random(seed).randbytes(size)


def keep(body, *, most=10**9, step=100_003):
    """The bytes, put into the store as they would come from a browser; with a key of their own."""
    with Incoming(f"docs/{random.randbytes(12).hex()}", most=most) as incoming:
        for at in range(0, len(body), step):
            incoming.write(body[at : at + step])
        return incoming.finish()


@pytest.fixture
def here(store, using):
    """Within the application, the bucket there and nothing in it."""
    with using(store):
        storage.ensure_bucket()
        for key in list(storage.keys("docs/")):
            storage.delete(key)
        yield


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 2 * PART + 12_345])
def test_what_goes_in_comes_out(here, size):
    body = bytes_of(size)
    kept = keep(body)
    assert (kept.size, len(kept.parts)) == (size, -(-size // PART))
    assert b"".join(outgoing.pieces_of(kept)) == body
    assert list(storage.unfinished("docs/")) == []


def test_any_stretch_comes_out(here):
    body, chance = bytes_of(2 * PART + 77), random.Random(7)
    kept = keep(body)
    assert list(outgoing.pieces_of(kept, 5, 5)) == []
    edges = [0, 1, PART - 1, PART, PART + 1, 2 * PART, len(body) - 1, len(body)]
    for _ in range(12):
        start, stop = sorted(chance.sample(edges, 2))
        assert b"".join(outgoing.pieces_of(kept, start, stop)) == body[start:stop]


def test_it_comes_out_after_the_request_too(store, using):
    """An answer is sent when the application's context is gone."""
    with using(store):
        storage.ensure_bucket()
        pieces = outgoing.pieces_of(keep(bytes_of(PART + 5)))
    assert b"".join(pieces) == bytes_of(PART + 5)


@pytest.mark.parametrize("size", [10, PART + 10, 2 * PART + 10])
def test_what_is_given_up_leaves_nothing(here, size):
    with suppress(ZeroDivisionError), Incoming("docs/given-up", most=10**9) as incoming:
        incoming.write(bytes_of(size))
        raise ZeroDivisionError
    with Incoming("docs/forgotten", most=10**9) as incoming:
        incoming.write(bytes_of(size))
    with pytest.raises(TooManyBytes):
        keep(bytes_of(size), most=size - 1)
    assert list(storage.keys("docs/")) == []
    assert list(storage.unfinished("docs/")) == []


def test_a_fault_of_our_own_on_the_way_leaves_nothing_either(here, monkeypatch):
    def answered_strangely(**_):
        time.sleep(0.2)
        return {}

    with suppress(KeyError), Incoming("docs/strange", most=10**9) as incoming:
        monkeypatch.setattr(storage.client(), "upload_part", answered_strangely)
        incoming.write(bytes_of(3 * PART))
    assert list(storage.unfinished("docs/")) == []


@pytest.mark.parametrize(("files", "at_once"), [(1, 2), (3, 1)])
def test_a_file_that_is_alone_has_two_parts_on_the_wire_and_several_take_turns(here, monkeypatch, files, at_once):
    real, begun, on_wire, most = storage.client().upload_part, threading.Barrier(files), [], []

    def counted(**asked):
        on_wire.append(asked)
        most.append(len(on_wire))
        time.sleep(0.3)
        try:
            return real(**asked)
        finally:
            on_wire.remove(asked)

    monkeypatch.setattr(storage.client(), "upload_part", counted)
    app, stored = current_app._get_current_object(), []

    def send(seed: int) -> None:
        with app.app_context(), Incoming(f"docs/turns-{seed}", most=10**9) as incoming:
            incoming.write(bytes_of(PART, seed))
            begun.wait(60)
            for at in range(1, 4):
                incoming.write(bytes_of(PART, seed + at))
            stored.append((seed, incoming.finish()))
            begun.wait(60)  # who is left alone has two again

    threads = [threading.Thread(target=send, args=(10 * number,)) for number in range(files)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == files
    for seed, kept in stored:
        assert b"".join(outgoing.pieces_of(kept)) == b"".join(bytes_of(PART, seed + at) for at in range(4))
    assert sum(each > at_once for each in most) <= (files if files > 1 else 0)  # while not all have begun
    assert max(most) >= at_once


def test_two_rooms_serve_a_file_and_none_is_kept_when_it_is_there(here, monkeypatch):
    real, rooms = incoming._new_room, []

    def made():
        room = real()
        rooms.append(weakref.ref(room.obj))
        return room

    monkeypatch.setattr(incoming, "_new_room", made)
    with Incoming("docs/whole", most=2**40) as here_it_comes:
        for at in range(6):
            here_it_comes.write(bytes_of(PART, at))
            assert len(rooms) <= 2
        here_it_comes.finish()
        assert [room() for room in rooms] == [None, None]
    with suppress(ZeroDivisionError), Incoming("docs/given-up", most=2**40) as given_up:
        given_up.write(bytes_of(3 * PART))
        raise ZeroDivisionError
    assert [room() for room in rooms] == [None] * 4


@pytest.mark.parametrize("ahead", [1, 2])
def test_who_goes_away_in_the_middle_waits_for_no_part(here, monkeypatch, ahead):
    kept = keep(bytes_of(3 * PART))
    real = outgoing._Source.part
    monkeypatch.setattr(outgoing._Source, "part", lambda *asked: (time.sleep(1.0 if asked[-1] else 0), real(*asked))[1])
    pieces = outgoing.pieces_of(kept, ahead=ahead)
    next(pieces)
    began = time.monotonic()
    pieces.close()
    assert time.monotonic() - began < 0.7


def test_a_store_that_hung_up_between_two_parts_is_asked_for_the_rest(here, monkeypatch):
    kept = keep(bytes_of(3 * PART))
    real, asked = outgoing._Source._asked_for, []
    monkeypatch.setattr(outgoing._Source, "_asked_for", lambda self, first: (asked.append(first), real(self, first))[1])
    with ThreadPoolExecutor(1) as hashing:
        source = outgoing._Source(storage.client(), storage.bucket(), kept, 3, hashing)
        parts = [source.part(0)]
        source._body._raw_stream.close()
        parts += [source.part(1), source.part(2)]
        assert tuple(digest.result() for _, digest in parts) == kept.parts
        body = b"".join(piece for pieces, _ in parts for piece in pieces)
    assert hashlib.sha256(body).hexdigest() == kept.digest
    assert asked == [0, PART]
    source.close()


def test_after_a_part_that_could_not_be_read_nothing_more_is_asked_for(here, monkeypatch):
    kept, asked = keep(bytes_of(3 * PART)), []

    def away(self, first):
        asked.append(first)
        time.sleep(0.2)  # the next part waits for its turn by now
        raise storage.StorageError("The object store does not answer.")

    monkeypatch.setattr(outgoing._Source, "_asked_for", away)
    with pytest.raises(storage.StorageError, match="does not answer"):
        list(outgoing.pieces_of(kept, ahead=2))
    time.sleep(0.5)
    assert asked == [0]


def test_a_wrong_part_is_said_at_once_and_not_asked_for_again(here, store, monkeypatch):
    body = bytes_of(2 * PART)
    kept = keep(body)
    storage.client().put_object(Bucket=store.bucket, Key=kept.key, Body=body[:-1] + bytes([body[-1] ^ 1]))
    real, asked = outgoing._Source._asked_for, []
    monkeypatch.setattr(outgoing._Source, "_asked_for", lambda self, first: (asked.append(first), real(self, first))[1])
    with pytest.raises(storage.Damaged):
        list(outgoing.pieces_of(kept))
    assert asked == [0]


def test_an_upload_of_somebody_who_died_is_found_and_taken_back(here, store):
    incoming = Incoming("docs/died", most=10**9)
    incoming.write(bytes_of(2 * PART))
    incoming._wait()
    (left,) = storage.unfinished("docs/")
    assert left.key == "docs/died"
    for _ in range(2):
        storage.abort(left)
    assert list(storage.unfinished("docs/")) == []


def test_what_is_not_as_it_was_put_there_is_never_handed_out(here, store):
    body = bytes_of(PART + 1000)
    flipped = bytearray(body)
    flipped[PART + 500] ^= 1
    for damage in (bytes(flipped), body[:-1], body[: PART - 1], body + b"x", body[::-1], b""):
        kept = keep(body)
        storage.client().put_object(Bucket=store.bucket, Key=kept.key, Body=damage)
        pieces = outgoing.pieces_of(kept)
        if damage[:PART] == body[:PART] and len(damage) == len(body):
            assert b"".join(islice(pieces, PART // READ)) == body[:PART]  # as it was; the next one is not
        with pytest.raises(storage.Damaged):
            next(pieces)
    storage.delete(kept.key)
    storage.delete(kept.key)
    with pytest.raises(storage.Missing):
        list(outgoing.pieces_of(kept))
    nothing = keep(b"")
    storage.client().put_object(Bucket=store.bucket, Key=nothing.key, Body=b"x")
    with pytest.raises(storage.Damaged):
        list(outgoing.pieces_of(nothing))
    storage.delete(nothing.key)
    with pytest.raises(storage.Missing):
        list(outgoing.pieces_of(nothing))


def test_a_first_try_whose_answer_was_lost_counts(here, monkeypatch):
    """The client asks again by itself, and is told that the key is taken, or the upload no longer there: by itself."""
    ours = storage.client()
    for size, name in ((1000, "put_object"), (PART + 1000, "complete_multipart_upload")):
        real = getattr(ours, name)

        def twice(real=real, **asked):
            real(**asked)
            return real(**asked)

        with monkeypatch.context() as patched:
            patched.setattr(ours, name, twice)
            kept = keep(bytes_of(size))
        assert b"".join(outgoing.pieces_of(kept)) == bytes_of(size)


def test_a_key_of_somebody_else_is_left_alone(here):
    assert storage.put_once("docs/taken", b"theirs")
    with Incoming("docs/taken", most=100) as incoming:
        incoming.write(b"ours")
        with pytest.raises(storage.Taken):
            incoming.finish()
    assert storage.read("docs/taken") == b"theirs"


def slow_line(to: int, *, a_second: int) -> int:
    """The port of a line to `to` on this machine over which so many bytes a second come."""
    ear = socket.create_server(("127.0.0.1", 0))
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)  # else the kernel takes a whole part at once

    def pump(from_: socket.socket, into: socket.socket, pause: float) -> None:
        with suppress(OSError), from_:
            while data := from_.recv(2**15):
                time.sleep(pause)
                into.sendall(data)
            into.shutdown(socket.SHUT_WR)

    def take() -> None:
        with suppress(OSError):
            while True:
                here, there = ear.accept()[0], socket.create_connection(("127.0.0.1", to))
                for line in ((here, there, 2**15 / a_second), (there, here, 0.0)):
                    threading.Thread(target=pump, args=line, daemon=True).start()

    threading.Thread(target=take, daemon=True).start()
    return int(ear.getsockname()[1])


def test_a_part_may_take_longer_than_a_connection(weed, using):
    """The client gives what is sent at once three seconds; a clinic's line to the store may be slow."""
    port = slow_line(int(weed.endpoint.rsplit(":", 1)[1]), a_second=2**20)
    with using(weed):
        storage.ensure_bucket()
    with using(weed, s3_endpoint=f"http://127.0.0.1:{port}"):
        began = time.monotonic()
        kept = keep(bytes_of(PART + 5))
        assert time.monotonic() - began > 3
    with using(weed):
        assert b"".join(outgoing.pieces_of(kept)) == bytes_of(PART + 5)


def test_a_store_that_hangs_costs_what_one_can_do_without_little(weed, using):
    """Many ask at once for what is kept: each waits for some seconds, once, and not for as long as a file is waited for."""
    took = []
    with using(weed) as context, socket.create_server(("127.0.0.1", 0)) as deaf:
        config = replace(context.app.config["CHAIRSIDE"], s3_endpoint=f"http://127.0.0.1:{deaf.getsockname()[1]}")
        context.app.config["CHAIRSIDE"] = config

        def look() -> None:
            with context.app.app_context():
                for number in range(4):
                    began = time.monotonic()
                    assert find(f"prints/{number}.pdf") is None
                    took.append(time.monotonic() - began)

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(took) == 32
    assert max(took) < 8
    assert sum(each > 1 for each in took) <= 8


def test_a_kept_connection_that_the_store_closed_is_no_store_that_is_away(weed, using):
    """Each connection answers once and is closed when it is used again, as by a store that thinks it idle."""
    asked = []

    def serve(ear: socket.socket) -> None:
        with suppress(OSError):
            while True:
                wire = ear.accept()[0]
                with wire:
                    for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""):
                        asked.append(wire.recv(65_536))
                        wire.sendall(answer)

    with using(weed) as context, socket.create_server(("127.0.0.1", 0)) as ear:
        threading.Thread(target=serve, args=(ear,), daemon=True).start()
        config = replace(context.app.config["CHAIRSIDE"], s3_endpoint=f"http://127.0.0.1:{ear.getsockname()[1]}")
        context.app.config["CHAIRSIDE"] = config
        for _ in range(4):
            storage.check()
        ear.shutdown(socket.SHUT_RDWR)
    assert len(asked) == 7


# --- the double of R2 -------------------------------------------------------------------------------------------------


def test_the_double_refuses_what_r2_refuses(weed, r2):
    usual = boto3.session.Session().client(  # as one gets it without our settings
        "s3", endpoint_url=r2.endpoint, aws_access_key_id=r2.access_key, aws_secret_access_key=r2.secret_key,
        region_name="auto", verify=str(r2.authority),
    )  # fmt: skip
    at = {"Bucket": r2.bucket, "Key": "docs/refused"}

    r2.refused.clear()  # what other tests were refused

    def code(ask, **named):
        with pytest.raises(ClientError) as refused:
            ask(**named)
        return refused.value.response["Error"]["Code"]

    assert code(usual.put_object, Body=b"x", **at) == "NotImplemented"  # a checksum as a trailer
    given = {"ChecksumSHA256": storage.checksum(b"x"), "Body": b"x"}
    assert usual.put_object(**given, **at)["ETag"]
    assert code(usual.put_object, ACL="public-read", **given, **at) == "NotImplemented"
    assert code(usual.put_object, Tagging="a=b", **given, **at) == "NotImplemented"
    assert code(usual.put_object, ServerSideEncryption="AES256", **given, **at) == "NotImplemented"
    assert code(usual.put_object, ObjectLockLegalHoldStatus="ON", **given, **at) == "NotImplemented"
    assert code(usual.put_object, StorageClass="GLACIER", **given, **at) == "InvalidStorageClass"
    assert code(usual.delete_objects, Bucket=r2.bucket, Delete={"Objects": [{"Key": "a"}]}) == "NotImplemented"
    assert code(usual.get_bucket_versioning, Bucket=r2.bucket) == "NotImplemented"
    assert len(r2.refused) == 8


@pytest.mark.parametrize("sizes", [(6, 5, 1), (5, 6), (4, 4, 1)])
def test_the_double_wants_parts_of_one_size(r2, using, monkeypatch, sizes):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(r2.authority))
    with using(r2):
        storage.ensure_bucket()
        ours, at = storage.client(), {"Bucket": r2.bucket, "Key": "docs/parts"}
        at["UploadId"] = ours.create_multipart_upload(**at)["UploadId"]
        parts = [
            {"PartNumber": number, "ETag": ours.upload_part(PartNumber=number, Body=bytes(size * 2**20), **at)["ETag"]}
            for number, size in enumerate(sizes, 1)
        ]
        with pytest.raises(ClientError) as refused:
            ours.complete_multipart_upload(MultipartUpload={"Parts": parts}, **at)
        assert refused.value.response["Error"]["Code"] in ("InvalidPart", "EntityTooSmall")
        ours.abort_multipart_upload(**at)
