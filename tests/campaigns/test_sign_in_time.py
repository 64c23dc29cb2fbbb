"""How long a sign-in takes: as long for nobody as for somebody, and not too long when everybody comes at eight."""

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import mean, quantiles

import pytest

from clinic.operations import throttle
from tests.crowd import ISOLATIONS, gather
from tests.soak import share
from tests.visitor import Visitor

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def crowd():
    with gather("chairside_sign_in_time", ISOLATIONS[0]) as crowd:
        yield crowd


def test_known_and_unknown_accounts_take_as_long(crowd, monkeypatch):
    """E7. In pairs, so that a busy machine slows both; the slowest tenth of each is the machine's, not ours.

    The share of `make test`, beside everything else, looks at the thread's own computing time; the full run at the clock on the wall.
    """
    clock = time.perf_counter if share(1, 0) else time.thread_time
    monkeypatch.setattr(throttle, "count", lambda *_buckets: None)
    visitor = Visitor(crowd.app)
    taken = {"ruwan": [], "nobody": []}
    for number in range(share(1000, 60)):
        for name in sorted(taken, reverse=number % 2 == 0):
            begun = clock()
            assert visitor.sign_in(name, "wrong password").status_code == 422
            taken[name].append(clock() - begun)
    kept = {name: mean(sorted(times)[: len(times) * 9 // 10]) * 1000 for name, times in taken.items()}
    print(f"{len(taken['ruwan'])} tries each: known {kept['ruwan']:.1f} ms, unknown {kept['nobody']:.1f} ms")
    assert abs(kept["ruwan"] - kept["nobody"]) <= 5


def test_a_hundred_people_sign_in_at_once(crowd, monkeypatch):
    """E4. Everybody is let in; hashes run a few at a time. The demand is two seconds at p95 on a machine that does nothing else."""
    names = sorted(crowd.world.people)

    def come_in(number):
        visitor = Visitor(crowd.app, address=f"198.51.100.{number}")
        begun = time.perf_counter()
        return visitor.sign_in(names[number % len(names)]).status_code, time.perf_counter() - begun

    monkeypatch.setattr(throttle, "count", lambda *_buckets: None)  # nine people stand for a hundred
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(come_in, range(100)))
    assert {status for status, _seconds in answers} == {303}
    p95 = quantiles([seconds for _status, seconds in answers], n=20)[-1]
    print(f"100 sign-ins, 20 at a time: p95 {p95:.2f} s")
    assert p95 <= share(2, 30)  # beside the other tests of two workers only the order of magnitude can be held
