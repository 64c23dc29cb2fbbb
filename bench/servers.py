"""Servers under measure, each with two gunicorn workers, started on free ports and stopped at the end."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services import free_port

ROOT = Path(__file__).resolve().parent.parent
BARE = ["-c", str(ROOT / "bench" / "bare.conf.py")]


@contextmanager
def running(
    command: list[str], env: dict[str, str], port: int, path: str, cwd: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process group that answers `path`; killed as a group at the end."""
    process = subprocess.Popen(
        command,
        env=os.environ | env,
        cwd=cwd,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port, path, process)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(port: int, path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server for {path} ended with {process.returncode}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the server for {path} did not start")


def chairside(port: int) -> list[str]:
    return [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "-b", f"127.0.0.1:{port}", "wsgi:app"]


def yardstick(port: int) -> list[str]:
    return [sys.executable, "-m", "gunicorn", *BARE, "-b", f"127.0.0.1:{port}", "bench.yardstick:app"]


def group_memory(process: subprocess.Popen[bytes]) -> int:
    """Proportional set size of a server and its workers, in bytes."""
    return sum(_pss(pid) for pid in group(process))


def group_cpu(process: subprocess.Popen[bytes]) -> float:
    """Processor seconds used so far by a server and its workers."""
    ticks = 0
    for pid in group(process):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def group(process: subprocess.Popen[bytes]) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == process.pid:
            found.append(int(stat.parent.name))
    return found


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def port() -> int:
    return free_port()
