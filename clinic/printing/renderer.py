"""The renderer: HTML in, PDF out, over a Unix socket. A process of its own; run as `python renderer.py SOCKET [LIMIT]`.

It imports nothing of the clinic and is started without secrets, because what it opens holds text that people typed.
Nothing a document asks for is fetched: scripts are off, the browser is offline, every request is refused, no name
resolves, and its proxy is a port where nobody listens (each alone has been seen to leak; see docs/decisions/0012).

The talk: the client sends 4 bytes of length and the HTML; the renderer answers one byte at once, `A` accepted or
`F` full, and for an accepted document then `P` or `E`, 4 bytes of length, and the PDF or a sentence.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import struct
import sys
from pathlib import Path

from playwright.async_api import Browser, Error, Page, Playwright, Route, async_playwright

AT_ONCE = 2  # pages printing at the same time; a third would only share the same two cores
QUEUE = 20  # documents waiting besides; more is refused at once
LIMIT = 20  # seconds for one document; then its browser is ended
RECYCLE = 100  # documents after which the browser is replaced, so that its memory cannot grow for ever
LARGEST = 32 * 1024 * 1024  # bytes of HTML, pictures inside
ARGUMENTS = (
    "--disable-dev-shm-usage",  # containers have 64 MB there
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-gpu",
    "--no-pings",
    "--dns-prefetch-disable",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)


class Press:
    """One browser page kept warm. `pdf` prints one document at a time."""

    def __init__(self, playwright: Playwright, number: int, limit: float) -> None:
        self.playwright = playwright
        self.limit = limit
        self.mark = f"--chairside-press={os.getpid()}-{number}"  # means nothing to Chromium; tells us which one is ours
        self.browser: Browser | None = None
        self.page: Page | None = None
        self.printed = 0

    async def pdf(self, html: str) -> bytes:
        """The document as PDF. Raises TimeoutError past the limit, playwright's Error when the browser failed."""
        for last_try in (False, True):
            try:
                async with asyncio.timeout(self.limit):
                    page = await self._warm_page()
                    await page.set_content(html, wait_until="load")
                    pdf = await page.pdf(prefer_css_page_size=True, print_background=True)
                    await page.set_content("")  # nothing of this document is left for the next
                self.printed += 1
                return pdf
            except Error:
                killed = self.browser is None or not self.browser.is_connected()
                await self.close()
                if last_try or not killed:
                    raise
            except BaseException:
                await self.close()
                raise
        raise AssertionError

    async def _warm_page(self) -> Page:
        if self.printed >= RECYCLE or (self.browser and not self.browser.is_connected()):
            await self.close()
        if self.page is None:
            self.browser = await self._launch()
            context = await self.browser.new_context(java_script_enabled=False, offline=True, service_workers="block")
            await context.route("**/*", _refuse)
            self.page = await context.new_page()
        return self.page

    async def _launch(self) -> Browser:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            raise Error("Chromium is not installed.")
        if os.geteuid() != 0:  # Chromium refuses its sandbox to root
            with contextlib.suppress(Error):  # and some hosts refuse the sandbox to everyone
                return await self._start(chromium, sandbox=True)
        return await self._start(chromium, sandbox=False)

    async def _start(self, chromium: str, *, sandbox: bool) -> Browser:
        return await self.playwright.chromium.launch(
            executable_path=chromium, args=[*ARGUMENTS, self.mark], chromium_sandbox=sandbox, timeout=LIMIT * 1000
        )

    async def close(self) -> None:
        browser, self.browser, self.page, self.printed = self.browser, None, None, 0
        if browser:
            with contextlib.suppress(Error, TimeoutError):
                async with asyncio.timeout(3):
                    await browser.close()
        self._kill()

    def _kill(self) -> None:
        """End a Chromium that did not: its helpers end with it, or carry the same mark."""
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)


async def _refuse(route: Route) -> None:
    """Nothing is fetched. A document that would go elsewhere by itself stays: "no content" ends a navigation without an error page."""
    if route.request.is_navigation_request():
        await route.fulfill(status=204)
    else:
        await route.abort()


class Renderer:
    def __init__(self, playwright: Playwright, limit: float) -> None:
        self.presses: asyncio.Queue[Press] = asyncio.Queue()
        for number in range(AT_ONCE):
            self.presses.put_nowait(Press(playwright, number, limit))
        self.taken = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass  # the client went away
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.taken >= AT_ONCE + QUEUE:
            writer.write(b"F")
            await writer.drain()
            return
        self.taken += 1
        try:
            writer.write(b"A")
            async with asyncio.timeout(10):
                (length,) = struct.unpack("!I", await reader.readexactly(4))
                if length > LARGEST:
                    return
                html = (await reader.readexactly(length)).decode("utf-8")
            kind, answer = await self._print(html)
            writer.write(kind + struct.pack("!I", len(answer)) + answer)
            async with asyncio.timeout(10):
                await writer.drain()
        finally:
            self.taken -= 1

    async def _print(self, html: str) -> tuple[bytes, bytes]:
        press = await self.presses.get()
        try:
            return b"P", await press.pdf(html)
        except TimeoutError:
            return b"E", b"The document took too long to print."
        except Error as error:
            sys.stderr.write(f"printer: {error.message.splitlines()[0]}\n")
            return b"E", b"The document could not be printed."
        finally:
            self.presses.put_nowait(press)


async def main(path: Path, limit: float = LIMIT) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with async_playwright() as playwright:
        renderer = Renderer(playwright, limit)
        path.unlink(missing_ok=True)
        os.umask(0o077)
        server = await asyncio.start_unix_server(renderer.serve, path, backlog=100)
        await stopped.wait()
        server.close()
        while not renderer.presses.empty():
            await renderer.presses.get_nowait().close()
    path.unlink(missing_ok=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *map(float, sys.argv[2:])))
