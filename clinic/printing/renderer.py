"""The renderer: HTML in, PDF out, over a Unix socket. A process of its own; run as `python renderer.py SOCKET [LIMIT]`.

It imports nothing of the clinic and is started without secrets, because what it opens holds text that people typed.
Nothing a document asks for is fetched: the process leaves the machine's network where it may, scripts are off, the browser is
offline, every request is refused, no name resolves, and its proxy is a port where nobody listens (each alone has been seen to leak;
see docs/decisions/0012).

The talk: the client sends 4 bytes of length and the HTML; the renderer answers one byte at once, `A` accepted or
`F` full, and for an accepted document then `P` or `E`, 4 bytes of length, and the PDF or a sentence.
"""

import asyncio
import contextlib
import ctypes
import os
import shutil
import signal
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Error, Page, Playwright, Route, async_playwright

AT_ONCE = 2  # pages printing at the same time; a third would only share the same two cores
QUEUE = 20  # documents waiting besides; more is refused at once
LIMIT = 20  # seconds for one document; then the browser is ended
TRIES = 3  # a browser that ends under a document takes it no further; that a third does is not by accident
RECYCLE = 100  # documents after which the browser is replaced, so that its memory cannot grow for ever
FRESH = 25  # documents after which a page is replaced
LARGEST = 32 * 1024 * 1024  # bytes of HTML, pictures inside
WATCH = 0.25  # seconds between two looks at whether the browser is still there
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
NEW_USER, NEW_NETWORK, SUBREAPER = 0x10000000, 0x40000000, 36


class Ended(Exception):
    """The browser ended under a document."""


@dataclass
class Sheet:
    """A page kept warm, in a context of its own; it prints one document at a time."""

    page: Page
    printed: int = 0

    async def pdf(self, html: str) -> bytes:
        await self.page.set_content(html, wait_until="load")
        pdf = await self.page.pdf(prefer_css_page_size=True, print_background=True, tagged=True)
        await self.page.set_content("")  # nothing of this document is left for the next
        self.printed += 1
        return pdf


@dataclass
class Press:
    """One Chromium with its pages. `begun` counts its documents, `running` those it prints now."""

    browser: Browser
    group: int  # its process group
    strays: set[int]  # what it started and let go of: the handlers of its crashes
    begun: int = 0
    running: int = 0
    closed: bool = False
    sheets: list[Sheet] = field(default_factory=list)

    def is_alive(self) -> bool:
        return not self.closed and self.browser.is_connected()

    async def pdf(self, html: str) -> bytes:
        """The document as PDF. Raises Ended when the browser did, else playwright's Error."""
        try:
            sheet = self.sheets.pop() if self.sheets else await self.new_sheet()
            pdf = await sheet.pdf(html)
        except Error as error:
            # The context goes with the page that failed: the next document gets a fresh one.
            if not self.is_alive():
                raise Ended from error
            with contextlib.suppress(Error, UnboundLocalError):
                await sheet.page.context.close()
            if not self.is_alive():  # its end is heard of a moment later
                raise Ended from error
            raise
        if sheet.printed < FRESH:
            self.sheets.append(sheet)
        else:
            with contextlib.suppress(Error):
                await sheet.page.context.close()
        return pdf

    async def new_sheet(self) -> Sheet:
        context = await self.browser.new_context(
            java_script_enabled=False, offline=True, service_workers="block", accept_downloads=False
        )
        await context.route("**/*", _refuse)
        return Sheet(await context.new_page())

    async def close(self) -> None:
        self.closed = True
        with contextlib.suppress(Error, TimeoutError):
            async with asyncio.timeout(3):
                await self.browser.close()
        self.kill()

    def kill(self) -> None:
        """End it and whatever it started."""
        self.closed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        for pid in self.strays & _children():
            os.kill(pid, signal.SIGKILL)


async def _refuse(route: Route) -> None:
    """Nothing is fetched. A document that would go elsewhere by itself stays: "no content" ends a navigation without an error page."""
    with contextlib.suppress(Error):  # the page may have gone meanwhile
        if route.request.is_navigation_request():
            await route.fulfill(status=204)
        else:
            await route.abort()


class Renderer:
    """Takes documents on and prints them, two at a time, with one browser that is replaced before it grows old."""

    def __init__(self, playwright: Playwright, limit: float) -> None:
        self.playwright = playwright
        self.limit = limit
        self.press: Press | None = None
        self.started = 0
        self.starting = asyncio.Lock()
        self.places = asyncio.Semaphore(AT_ONCE)
        self.taken = 0
        self.closing: set[asyncio.Task[None]] = set()

    # --- the talk ---

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, UnicodeDecodeError):
            pass  # the client went away, or sent what is no document
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
            async with self.places:
                if reader.at_eof():  # nobody waits for it any more
                    return
                kind, answer = await self._print(html)
            writer.write(kind + struct.pack("!I", len(answer)) + answer)
            async with asyncio.timeout(10):
                await writer.drain()
        finally:
            self.taken -= 1

    async def _print(self, html: str) -> tuple[bytes, bytes]:
        try:
            async with asyncio.timeout(self.limit):
                return b"P", await self._printed(html)
        except TimeoutError:
            return b"E", b"The document took too long to print."
        except Ended:
            return b"E", b"The printer broke off. Try again."
        except Error as error:
            sys.stderr.write(f"printer: {error.message.splitlines()[0]}\n")
            return b"E", b"The document could not be printed."

    async def _printed(self, html: str) -> bytes:
        for left in reversed(range(TRIES)):
            press = await self.ready()
            press.begun += 1
            press.running += 1
            try:
                return await press.pdf(html)
            except Ended:
                self._retire(press)
                if not left:
                    raise
            except asyncio.CancelledError:  # past the limit: what the document does to the browser, only its end ends
                self._retire(press, at_once=True)
                raise
            finally:
                press.running -= 1
                if press is not self.press and not press.running:
                    self._close(press)
        raise AssertionError

    # --- the browser ---

    async def ready(self) -> Press:
        """The browser that prints the next document; started anew when the last is gone or has done its share."""
        async with self.starting:
            press = self.press
            if press and (not press.is_alive() or press.begun >= RECYCLE):
                self._retire(press)
            if self.press is None:
                self.press = await self._launch()
            return self.press

    def _retire(self, press: Press, *, at_once: bool = False) -> None:
        """Give it no further document; it ends with the last it prints, or at once."""
        if press is self.press:
            self.press = None
        if at_once or not press.is_alive():
            press.kill()
        if not press.running:
            self._close(press)

    def _close(self, press: Press) -> None:
        task = asyncio.create_task(press.close())
        self.closing.add(task)
        task.add_done_callback(self.closing.discard)

    async def _launch(self) -> Press:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            raise Error("Chromium is not installed.")
        self.started += 1
        others = _children()
        mark = (
            f"--chairside-press={os.getpid()}-{self.started}"  # means nothing to Chromium; tells us which one is ours
        )
        browser = None
        if os.geteuid() != 0:  # Chromium refuses its sandbox to root
            with contextlib.suppress(Error):  # and some hosts refuse the sandbox to everyone
                browser = await self._start(chromium, mark, sandbox=True)
        browser = browser or await self._start(chromium, mark, sandbox=False)
        press = Press(browser, _group_of(mark), _children() - others)
        press.sheets = [await press.new_sheet() for _ in range(AT_ONCE)]
        return press

    async def _start(self, chromium: str, mark: str, *, sandbox: bool) -> Browser:
        return await self.playwright.chromium.launch(
            executable_path=chromium,
            args=[*ARGUMENTS, mark],
            chromium_sandbox=sandbox,
            timeout=LIMIT * 1000,
        )

    async def watch(self, driver: int) -> None:
        """Keep a browser ready, so that no document waits for one that was killed. Ends when its driver has: nothing prints then."""
        while driver in _children():
            _reap(driver)
            if self.press is None or not self.press.is_alive():
                try:
                    async with asyncio.timeout(self.limit):
                        await self.ready()
                except (Error, TimeoutError) as error:
                    sys.stderr.write(f"printer: no browser: {str(error).splitlines()[:1]}\n")
                    await asyncio.sleep(1)
            await asyncio.sleep(WATCH)

    async def end(self, driver: int) -> None:
        if self.press:
            self._retire(self.press, at_once=True)
        while self.closing:
            await asyncio.wait(self.closing)
        for _ in range(40):  # two seconds at most
            _reap(driver)
            if _children() == {driver}:
                break
            await asyncio.sleep(0.05)


def _group_of(mark: str) -> int:
    """The process group of the Chromium that carries a mark on its command line. Raises Error when it is gone already."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                return os.getpgid(int(entry.name))
    raise Error("Chromium ended at once.")


def _children() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def _reap(driver: int) -> None:
    """Take leave of what lost its parent when a browser ended."""
    for pid in _children() - {driver}:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def leave_network() -> bool:
    """Go where there is no network at all, not even loopback; its own socket is a file and needs none. Answers whether the host lets us."""
    libc = ctypes.CDLL(None)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(NEW_NETWORK) == 0:  # as root in a container that may
        return True
    if libc.unshare(NEW_USER | NEW_NETWORK):
        return False
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


async def main(path: Path, limit: float = LIMIT) -> None:
    if not leave_network():
        sys.stderr.write("printer: this host grants no network of its own; the browser's own guards hold alone\n")
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)  # what a killed browser leaves becomes ours, and is taken leave of
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with async_playwright() as playwright:
        (driver,) = _children()
        renderer = Renderer(playwright, limit)
        path.unlink(missing_ok=True)
        os.umask(0o077)
        server = await asyncio.start_unix_server(renderer.serve, path, backlog=100)
        watching = asyncio.create_task(renderer.watch(driver))
        await asyncio.wait([watching, asyncio.create_task(stopped.wait())], return_when=asyncio.FIRST_COMPLETED)
        server.close()
        path.unlink(missing_ok=True)
        if watching.done():
            os._exit(1)  # with its driver gone nothing answers any more; whoever watches over us starts us again
        watching.cancel()
        await renderer.end(driver)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *map(float, sys.argv[2:])))
