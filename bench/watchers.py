"""Two hundred screens that listen to a stream and fetch their fragment when it speaks, in one asyncio process."""

import asyncio
import time
from collections.abc import Awaitable, Callable


class Watchers:
    """`count` streams of one server. `hear(act)` answers the seconds from the act until the last one has its fragment."""

    def __init__(self, port: int, stream: str, fragment: str, cookies: list[str]) -> None:
        self.port, self.stream, self.fragment, self.cookies = port, stream, fragment, cookies
        self.tasks: list[asyncio.Task[None]] = []
        self.arrivals: asyncio.Queue[float] = asyncio.Queue()
        self.ready = 0

    async def start(self) -> None:
        self.tasks = [asyncio.create_task(self._watch(cookie)) for cookie in self.cookies]
        while self.ready < len(self.cookies):
            await asyncio.sleep(0.05)
            for task in self.tasks:
                if task.done():
                    task.result()

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def hear(self, act: Callable[[], Awaitable[None]]) -> float:
        while not self.arrivals.empty():
            self.arrivals.get_nowait()
        start = time.perf_counter()
        await act()
        last = start
        for _ in self.cookies:
            last = max(last, await asyncio.wait_for(self.arrivals.get(), 30))
        return last - start

    async def _watch(self, cookie: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        pages, pages_writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(_get(self.stream, cookie))
            status = await reader.readline()
            if b" 200 " not in status:
                raise RuntimeError(f"{self.stream} answered {status!r}")
            await reader.readuntil(b"\n\n")
            self.ready += 1
            while True:
                line = await reader.readline()
                if not line:
                    raise RuntimeError("the stream ended")
                if line.startswith(b"event: queue"):
                    pages_writer.write(_get(self.fragment, cookie))
                    await _whole_answer(pages)
                    self.arrivals.put_nowait(time.perf_counter())
        finally:
            writer.close()
            pages_writer.close()


def _get(path: str, cookie: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nHX-Request: true\r\nCookie: {cookie}\r\n\r\n".encode()


async def _whole_answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(f"the fragment answered {head[:60]!r}")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
