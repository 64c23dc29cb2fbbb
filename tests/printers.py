"""The printer as it is started, and a look at its processes. Its Chromium can be killed; what is left of it can be counted."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from clinic.printing import renderer


@contextmanager
def printer(*, limit: float | None = None, before: str = "", within: Sequence[str] = ()) -> Iterator["Printer"]:
    """A running printer, without any secret in its environment, as scripts/run.py starts it.

    `before`: Python that changes the renderer. `within`: a command that runs another one.
    """
    with tempfile.TemporaryDirectory(prefix="chairside-") as folder:  # short: a socket's path has 107 bytes at most
        made = Printer(Path(folder) / "s", limit, before, within)
        try:
            yield made
        finally:
            made.stop()


class Printer:
    def __init__(self, path: Path, limit: float | None = None, before: str = "", within: Sequence[str] = ()) -> None:
        self.path = path
        command = [sys.executable, renderer.__file__, str(path)]
        if before:
            run = f"asyncio.run(renderer.main(pathlib.Path({str(path)!r})))"
            command = [sys.executable, "-c", f"import asyncio, pathlib, renderer\n{before}\n{run}"]
        env = {"PATH": os.environ["PATH"], "HOME": str(path.parent), "LANG": "C.UTF-8"}
        if before:
            env["PYTHONPATH"] = str(Path(renderer.__file__).parent)
        self.process = subprocess.Popen(
            [*within, *command, *([str(limit)] if limit else [])], env=env, start_new_session=True
        )
        deadline = time.monotonic() + 120
        while not path.exists():
            assert self.process.poll() is None, "the printer does not start"
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        return self.process.pid

    def family(self) -> set[int]:
        return family_of(self.pid)

    def chromium(self) -> list[int]:
        return chromium_of(self.pid)

    def zombies(self) -> list[list[str]]:
        return zombies_of(self.pid)

    def kill_chromium(self) -> list[int]:
        """Kill its browsers' main processes; answers which."""
        killed = self.chromium()
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return killed

    def memory(self) -> int:
        """Bytes of memory that it and all it started hold, each shared page counted once among those that share it."""
        total = 0
        for pid in self.family():
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        return total

    def stop(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.process.wait(5)


def processes() -> list[list[str]]:
    """Number, parent's number, state and command line of every process."""
    table = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    return [line.split(None, 3) for line in table.splitlines()]


def family_of(pid: int) -> set[int]:
    """A process and all that descend from it."""
    rows, family = processes(), {pid}
    for _ in range(6):
        family |= {int(row[0]) for row in rows if int(row[1]) in family}
    return family


def chromium_of(pid: int) -> list[int]:
    """The main processes of Chromium that descend from the renderer."""
    family = family_of(pid)
    return [
        int(row[0])
        for row in processes()
        if int(row[0]) in family and "/chromium " in row[3] + " " and "--type=" not in row[3] and "Z" not in row[2]
    ]


def zombies_of(pid: int) -> list[list[str]]:
    family = family_of(pid)
    return [row for row in processes() if int(row[0]) in family and "Z" in row[2]]


def words_of(pdf: bytes) -> str:
    """The text of a PDF, its pages parted by form feeds."""
    return subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()
