"""The reference for the live queue: a bare asyncio server that broadcasts one event to every stream and answers a fragment.

`python -m bench.broadcast PORT`: GET /stream is text/event-stream, GET /fragment answers FRAGMENT_BYTES bytes, POST /say broadcasts.
"""

import asyncio
import sys

FRAGMENT = b"x" * 30_000  # about the size of the board
streams: set[asyncio.StreamWriter] = set()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            break
        verb, path, *_ = head.split(b" ", 2)
        if path.startswith(b"/stream"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hello\n\n")
            streams.add(writer)
            await reader.read()
            streams.discard(writer)
            break
        body = FRAGMENT if path.startswith(b"/fragment") else b"ok"
        if verb == b"POST":
            for stream in streams:
                stream.write(b"event: queue:changed\nid: 1\ndata: {}\n\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
