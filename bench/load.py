"""Clients: keep-alive GETs timed one by one, alone or sixteen at once."""

import http.client
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One page of one server."""

    port: int
    path: str
    cookie: str = ""

    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}


def once(connection: http.client.HTTPConnection, target: Target) -> tuple[float, int]:
    """Seconds and bytes of one GET. Raises when it is not a 200."""
    start = time.perf_counter()
    connection.request("GET", target.path, headers=target.headers())
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - start
    if answer.status != 200:
        raise RuntimeError(f"{target.path} answered {answer.status}")
    return took, len(body)


def alone(target: Target, count: int) -> list[float]:
    """Seconds of each of `count` GETs by one client."""
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=30)
    try:
        return [once(connection, target)[0] for _ in range(count)]
    finally:
        connection.close()


def together(target: Target, clients: int, count: int) -> tuple[float, list[float]]:
    """Requests a second and each one's seconds, with `clients` clients sending `count` GETs each."""
    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        times = [took for part in pool.map(lambda _: alone(target, count), range(clients)) for took in part]
    return clients * count / (time.perf_counter() - start), times


def p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def interleaved(*measures: Callable[[], float], rounds: int = 5) -> list[float]:
    """The median of each measure over rounds in which all of them take turns, so that a noisy minute hurts all alike."""
    results: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for result, measure in zip(results, measures, strict=True):
            result.append(measure())
    return [statistics.median(result) for result in results]
