"""How slowly a file may come and go, and how many go to one person at once."""

import gc
import time
from itertools import count
from socket import socketpair

import pytest

from clinic import storage
from clinic.blueprints.documents import pace, sending
from clinic.blueprints.documents.pace import GRACE, LONGEST, SLOWEST, Pace, TooLong, Turns, kept_up
from clinic.blueprints.documents.receiving import QUICK
from clinic.extensions import db
from clinic.models import DocumentStatus
from tests.filed import file_document, newest, png, send, upload_address
from tests.person import Person
from tests.stores import kept_in


@pytest.fixture
def at(monkeypatch):
    """The clock of a pace, in seconds since it began."""
    passed = [0.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: passed[0])
    return passed


class TestPace:
    def test_a_line_of_a_kilobyte_a_second_is_served(self, at):
        coming = Pace()
        for second in range(0, int(LONGEST), 7):
            at[0] = second
            coming.size = 1000 * second // QUICK * QUICK  # what was read whole
            assert not coming.is_too_slow, second

    def test_a_byte_a_minute_is_not(self, at):
        coming = Pace()
        for minute in count():
            at[0] = 59.0 * minute
            if coming.is_too_slow:
                break
            coming.size += 1
        assert GRACE < at[0] < GRACE + 60

    def test_nothing_lasts_longer_than_a_file_may(self, at):
        coming = Pace()
        at[0] = LONGEST
        coming.went(10**12)
        at[0] = LONGEST + 1
        with pytest.raises(TooLong):
            coming.went(10**12)

    def test_a_pause_is_made_up_for_by_what_came_before(self, at):
        coming = Pace()
        coming.went(10 * int(GRACE) * SLOWEST)
        at[0] = 2 * GRACE
        assert not coming.is_too_slow


class TestKeptUp:
    """With the connection of a server, of which one reads while another thread watches."""

    def test_who_trickles_is_cut_off_while_the_server_waits_and_hears_the_answer(self, app, monkeypatch):
        monkeypatch.setattr(pace, "GRACE", 0.1)
        monkeypatch.setattr(pace, "LOOKS", 0.02)
        ours, theirs = socketpair()
        with ours, theirs, app.test_request_context("/", environ_overrides={"gunicorn.socket": ours}):
            theirs.sendall(b"x")
            began = time.monotonic()
            with pytest.raises(TooLong):
                self.read(ours)
            assert time.monotonic() - began < 10
            ours.sendall(b"too slow")
            assert theirs.recv(100) == b"too slow"

    def test_what_is_raised_of_a_body_that_was_ended_says_that_it_was_too_slow(self, app, monkeypatch):
        monkeypatch.setattr(pace, "GRACE", 0.05)
        monkeypatch.setattr(pace, "LOOKS", 0.02)
        ours, theirs = socketpair()
        with ours, theirs, app.test_request_context("/", environ_overrides={"gunicorn.socket": ours}):
            with pytest.raises(TooLong):
                self.read(ours, "cut off")
            with pytest.raises(ValueError, match="of another kind"):
                self.read_nothing("of another kind")

    @staticmethod
    def read(wire, fault=""):
        with kept_up(Pace()):
            while wire.recv(2**16):
                pass
            if fault:
                raise ValueError(fault)

    @staticmethod
    def read_nothing(fault):
        with kept_up(Pace()):
            raise ValueError(fault)

    def test_what_has_come_is_left_alone_after(self, app, monkeypatch):
        monkeypatch.setattr(pace, "GRACE", 0.05)
        monkeypatch.setattr(pace, "LOOKS", 0.02)
        ours, theirs = socketpair()
        with ours, theirs, app.test_request_context("/", environ_overrides={"gunicorn.socket": ours}):
            before = ours.gettimeout()
            with kept_up(Pace()):
                assert ours.gettimeout() == pace.SILENCE
            assert ours.gettimeout() == before
            time.sleep(0.2)
            theirs.sendall(b"next")
            assert ours.recv(100) == b"next"


def test_turns_are_of_each_person():
    turns = Turns(2)
    assert [turns.take(7), turns.take(7), turns.take(7), turns.take(8)] == [True, True, False, True]
    turns.give_back(7)
    assert [turns.take(7), turns.take(7)] == [True, False]
    for person in (7, 7, 8):
        turns.give_back(person)
    assert not turns._taken


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.xdist_group("storage")
class TestRoutes:
    @pytest.fixture
    def kamal(self, app, world, weed) -> Person:
        with kept_in(app, weed):
            yield Person(app, world.people["kamal"])

    @pytest.fixture
    def address(self, app, world, kamal) -> str:
        with app.app_context():
            document = file_document(world, into_store=True)
            db.session.commit()
            return f"/patients/{document.patient_id}/documents/{document.id}/file"

    def test_so_many_at_once_and_then_one_waits(self, app, kamal, address, monkeypatch):
        monkeypatch.setitem(app.extensions, "chairside_downloads", Turns(2))
        going = [kamal.get(address) for _ in range(2)]
        assert [answer.status_code for answer in going] == [200, 200]
        late = kamal.get(address)
        assert late.status_code == 503
        assert late.headers["Retry-After"] == "3"
        assert "on their way to you already" in late.text
        going.pop().close()  # as the server does at the end, and when the browser went away
        assert kamal.get(address).data == png()
        late.close()
        del going, late
        gc.collect()
        for _ in range(5):
            answer = kamal.get(address)
            assert answer.data == png()
            answer.close()

    def test_a_store_that_is_away_and_a_304_take_no_turn(self, app, kamal, address, monkeypatch):
        monkeypatch.setitem(app.extensions, "chairside_downloads", Turns(1))
        etag = kamal.get(address).headers["ETag"]
        gc.collect()

        def away():
            raise storage.StorageError("away")

        with monkeypatch.context() as patch:
            patch.setattr(storage, "check", away)
            assert [kamal.get(address).status_code for _ in range(3)] == [503, 503, 503]
        assert [kamal.get(address, headers={"If-None-Match": etag}).status_code for _ in range(3)] == [304] * 3
        assert kamal.get(address).data == png()

    def test_who_takes_a_piece_too_slowly_is_given_up(self, app, kamal, address):
        ours, theirs = socketpair()
        with ours, theirs:
            kamal.get(address, environ_overrides={"gunicorn.socket": ours})
            assert ours.gettimeout() == sending.PATIENCE

    def test_a_larger_piece_has_as_much_more_time(self, app, kamal, address, monkeypatch):
        monkeypatch.setattr(sending, "SLOW", 64)
        monkeypatch.setattr(sending, "QUICK", 256)
        ours, theirs = socketpair()
        with ours, theirs:
            assert kamal.get(address, environ_overrides={"gunicorn.socket": ours}).data == png()
            assert ours.gettimeout() == 4 * sending.PATIENCE

    def test_a_download_that_lasts_too_long_is_cut(self, kamal, address, monkeypatch):
        monkeypatch.setattr(pace, "LONGEST", -1.0)
        with pytest.raises(TooLong):
            kamal.get(address).data  # noqa: B018

    def test_an_upload_that_is_too_slow_leaves_nothing(self, app, world, kamal, monkeypatch):
        monkeypatch.setattr(pace, "LONGEST", -1.0)
        answer = send(kamal, upload_address(kamal, world.patients["fernando"]), png())
        assert answer.status_code == 422
        assert "too slowly" in answer.text
        with app.app_context():
            assert newest().status is DocumentStatus.FAILED
            assert "too slowly" in newest().why
            assert storage.size_of(newest().key) is None
