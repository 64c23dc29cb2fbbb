"""Start Chairside and everything it needs, watch over it, and stop all of it together.

By itself (`make run`) this is a whole clinic on one machine: secrets, database and stored files live in `var/`, a demo
clinic is filled in when the database is empty, and the object store is started too. Whatever is set in the environment
(DATABASE_URL, S3_ENDPOINT, ...) is taken instead of starting our own. With CHAIRSIDE_MODE=production nothing is made up:
only the printer and the web server are started, with the environment as it is.
"""

import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STORE_PORTS = ("MASTER", "MASTER_GRPC", "VOLUME", "VOLUME_GRPC", "FILER", "FILER_GRPC", "S3", "S3_GRPC")
SEED = ("seed-demo", "--patients", "400", "--years", "2", "--if-empty")
GRACE = 15  # seconds a child has to stop by itself; gunicorn's own limit is 10
STORE_GRACE = 2  # the object store waits for itself for ever; what it acknowledged is on disk by then
STEADY = 30  # a child that lived this long and then ended is simply started again
# Seconds from the start to the first call of `flask jobs`, and from the end of one to the next.
JOBS_AFTER, JOBS_EVERY = 20, 300
TRIES = 5  # a child that keeps ending sooner is given up, and everything is stopped

stopping = threading.Event()


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    # Programs that lose their parent (Chromium's helpers) become ours, so that none can stay behind.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    production = os.environ.get("CHAIRSIDE_MODE") == "production"
    runtime = Path(tempfile.mkdtemp(prefix="chairside-"))
    children: list[Child] = []
    try:
        watch(children, start(children, runtime, production=production))
    finally:
        stop(children)
        shutil.rmtree(runtime, ignore_errors=True)


def start(children: "list[Child]", runtime: Path, *, production: bool) -> "Timer | None":
    """Start everything; answers what calls the jobs, unless TIMER=off leaves that to another timer."""
    host, port = os.environ.get("HOST", "0.0.0.0" if production else "127.0.0.1"), web_port()
    settings = os.environ | {"PRINTER_SOCKET": f"{runtime}/printer.sock", "HOST": host, "PORT": str(port)}
    people = ""
    refuse_busy_port(host, port)
    if not production:
        data = Path(os.environ.get("DATA_DIR", ROOT / "var")).resolve()
        hold(data)
        settings = embedded_settings(data) | settings
        if own_store := "S3_ENDPOINT" not in os.environ:
            children.append(object_store(data, settings))
        do("Bringing the database up to date", "db", "upgrade", settings=settings)
        if os.environ.get("DEMO", "on") != "off":
            people = do("Filling a demo clinic, unless somebody is there already", *SEED, settings=settings)
        if own_store:
            try:
                # Any answer will do, a refusal for want of credentials too.
                wait_until("the object store answers", lambda: answers(settings["S3_ENDPOINT"]), children, seconds=60)
                fill_store(data, settings, is_demo=bool(people))
            except SystemExit as failure:
                print(f"{failure}\nThe clinic opens without its documents; the next start tries again.", flush=True)
    children.append(printer(runtime, log=None if production else data / "printer.log"))
    # The account that may change the schema and the trail is nothing for whoever breaks into a web server.
    served = {name: value for name, value in settings.items() if name != "MIGRATION_DATABASE_URL"}
    web = Child("web server", [BIN / "gunicorn", "-c", ROOT / "gunicorn.conf.py", "wsgi:app"], served)
    children.append(web)
    reached_at = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    is_open = f"http://{reached_at}:{port}/healthz"
    wait_until("the web server answers", lambda: answers(is_open), [web], seconds=60)
    address = f"http://{'localhost' if reached_at == '127.0.0.1' else reached_at}:{port}"
    if not stopping.is_set():
        print(f"\nChairside is open at {address}", flush=True)
        if not production:
            if host not in ("127.0.0.1", "localhost", "::1"):
                print(
                    "Everyone on this network can reach it, and these passwords are public: use no real patient's data."
                )
            print(f"{people}\nEverything is kept in {data}. Ctrl-C stops it; `make reset` forgets it.\n", flush=True)
    if os.environ.get("TIMER", "on") == "off":
        return None
    return Timer(served, children, log=None if production else data / "jobs.log")


def web_port() -> int:
    text = os.environ.get("PORT", "8000")
    if not text.isdigit() or not 0 < int(text) < 65536:
        sys.exit(f"PORT is {text!r}; it must be a whole number from 1 to 65535.")
    return int(text)


def refuse_busy_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(
                f"Port {port} of {host} cannot be used ({error.strerror}). "
                f"Stop the program that has it, or choose another: PORT={port + 1} make run"
            )


def hold(data: Path) -> None:
    """Keep the data folder for this process: two at once would write over each other."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(data / "lock", os.O_CREAT | os.O_RDWR, 0o600)  # held open until this process ends
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(
            f"Chairside is running already with the data in {data}. Stop it first, or set DATA_DIR to another folder."
        )


def embedded_settings(data: Path) -> dict[str, str]:
    """The settings of the clinic in this folder: made at the first start, kept in a file only its owner can read."""
    path = data / "environment"
    if path.exists():
        kept = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    else:
        kept = {
            "CHAIRSIDE_MODE": "embedded",
            "DATABASE_URL": f"sqlite:///{data}/clinic.sqlite",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "AUDIT_KEY": secrets.token_urlsafe(48),
            "S3_BUCKET": "chairside",
            "S3_ACCESS_KEY": secrets.token_hex(10),
            "S3_SECRET_KEY": secrets.token_urlsafe(30),
            "DATA_DIR": str(data),
        }
    if not all(is_free(int(kept.get(f"STORE_{name}", "0"))) for name in STORE_PORTS):
        kept |= {f"STORE_{name}": str(port) for name, port in zip(STORE_PORTS, free_ports(), strict=True)}
        unfinished = data / "environment.new"
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
            file.write("".join(f"{name}={value}\n" for name, value in kept.items()))
        unfinished.rename(path)
    return kept | {"S3_ENDPOINT": f"http://127.0.0.1:{kept['STORE_S3']}"}


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return port > 0


def free_ports() -> list[int]:
    probes = [socket.socket() for _ in STORE_PORTS]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def object_store(data: Path, settings: dict[str, str]) -> "Child":
    """SeaweedFS with nothing but what S3 needs, on loopback only, every port ours; it sends nothing to anyone."""
    port = {name: settings[f"STORE_{name}"] for name in STORE_PORTS}
    store = data / "store"
    store.mkdir(exist_ok=True)
    command = [
        *("nice", "-n", "10"),  # of one machine's processor people's pages come first
        *(BIN / "weed", "-logtostderr=true", "server", f"-dir={store}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-master.port={port['MASTER']}", f"-master.port.grpc={port['MASTER_GRPC']}", "-master.telemetry=false"),
        *("-master.electionTimeout=1s", "-master.heartbeatInterval=100ms"),  # it elects itself; the default takes 20 s
        *("-master.volumeSizeLimitMB=1024", "-volume.max=100"),  # at most 100 GB, in files of 1 GB
        "-volume.preStopSeconds=0",  # no other server has to be told before it stops
        *(f"-volume.port={port['VOLUME']}", f"-volume.port.grpc={port['VOLUME_GRPC']}"),
        *("-filer", f"-filer.port={port['FILER']}", f"-filer.port.grpc={port['FILER_GRPC']}"),
        *(f"-filer.localSocket={store}/filer.sock", "-filer.exposeDirectoryData=false"),
        *("-s3", f"-s3.port={port['S3']}", f"-s3.port.grpc={port['S3_GRPC']}", "-s3.ip.bind=127.0.0.1"),
        *("-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.localSocket={store}/s3.sock"),
    ]
    environment = plain_environment(store) | {
        "AWS_ACCESS_KEY_ID": settings["S3_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": settings["S3_SECRET_KEY"],
    }
    print("Starting the object store", flush=True)
    child = Child("object store", command, environment, log=data / "store.log", grace=STORE_GRACE)
    child.needed = False  # a clinic without its documents goes on
    child.leaves = [Path(f"/tmp/seaweedfs-{n.split('_')[0].lower()}-grpc-{p}.sock") for n, p in port.items()]
    return child


def printer(runtime: Path, log: Path | None) -> "Child":
    """The renderer of PDF files, with no secret in its environment: it opens documents that people filled."""
    command = [sys.executable, ROOT / "clinic" / "printing" / "renderer.py", runtime / "printer.sock"]
    child = Child("printer", command, plain_environment(runtime), log)
    child.needed = False  # a clinic that cannot print goes on
    return child


def plain_environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(home), "LANG": "C.UTF-8"}


def do(title: str, *command: str, settings: dict[str, str]) -> str:
    """One `flask` command; answers what it says in the end, and shows its progress (lines that end with dots)."""
    print(title, flush=True)
    said = []
    with subprocess.Popen(
        [BIN / "flask", "--app", "wsgi", *command], cwd=ROOT, env=settings, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        for line in process.stdout or ():
            if line.rstrip().endswith("..."):
                print(line, end="", flush=True)
            else:
                said.append(line)
    if process.returncode and not stopping.is_set():
        sys.exit(f"{''.join(said)}\n{title} failed: the lines above say why.")
    return "".join(said).strip()


def fill_store(data: Path, settings: dict[str, str], *, is_demo: bool) -> None:
    """What a new object store needs, once: its bucket, and in the demo clinic some documents."""
    wanted = {"prepared": ("Preparing the object store", "prepare-store")}
    if is_demo:
        wanted["demo-documents"] = ("Drawing the demo's documents", "seed-demo-documents")
    for name, (title, command) in wanted.items():
        if not (done := data / "store" / name).exists():
            do(title, command, settings=settings)
            if not stopping.is_set():
                done.touch()


class Child:
    """A program that is kept running, in a process group of its own."""

    def __init__(
        self,
        name: str,
        command: list[object],
        environment: dict[str, str],
        log: Path | None = None,
        grace: float = GRACE,
    ) -> None:
        self.name = name
        self.command = [str(word) for word in command]
        self.environment = environment
        self.log = log
        self.early_ends = 0
        self.grace = grace
        self.needed = True
        self.start_at: float | None = None  # when to start it again, while it is ended
        self.leaves: list[Path] = []  # what it leaves behind in /tmp
        self.start()

    def start(self) -> None:
        self.start_at = None
        output = self.log.open("a") if self.log else None
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT if output else None, start_new_session=True, preexec_fn=self.end_with_parent,
        )  # fmt: skip
        if output:
            output.close()

    def end_with_parent(self) -> None:
        """Should this process be killed, the child ends too (it would keep the port)."""
        ctypes.CDLL(None).prctl(1, signal.SIGTERM if self.grace == GRACE else signal.SIGKILL)  # PR_SET_PDEATHSIG

    def ended(self) -> bool:
        return self.process.poll() is not None

    def announce_end(self) -> None:
        """Say that it ended and start it again, less and less often; give up on what the clinic cannot be without."""
        self.early_ends = 0 if time.monotonic() - self.started > STEADY else self.early_ends + 1
        see = f" See {self.log}." if self.log else ""
        if self.early_ends >= TRIES and self.needed:
            sys.exit(
                f"The {self.name} ended {TRIES} times in a row (status {self.process.returncode}). Giving up.{see}"
            )
        print(f"The {self.name} ended (status {self.process.returncode}); starting it again.{see}", flush=True)
        self.kill_group()
        self.start_at = time.monotonic() + min(2**self.early_ends - 1, 60)

    def kill_group(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def wait_until(what: str, is_so: Callable[[], bool], needed: list[Child], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not stopping.is_set() and not is_so():
        for child in needed:
            if child.ended():
                words = child.log.read_text(errors="replace")[-2000:] if child.log else ""
                sys.exit(f"{words}\nThe {child.name} ended at once (status {child.process.returncode}).")
        if time.monotonic() > deadline:
            sys.exit(f"Waited {seconds:.0f} s until {what}, in vain.")
        stopping.wait(0.1)


class Timer:
    """Calls `flask jobs` now and then, one call at a time. Several machines may: a job is run by one of them (operations/jobs.py)."""

    def __init__(self, settings: dict[str, str], children: list[Child], log: Path | None) -> None:
        self.settings = settings
        self.log = log
        self.children = children  # whose list the call is in while it runs, to be stopped with the others
        self.call: Child | None = None
        self.due = time.monotonic() + JOBS_AFTER

    def look(self) -> None:
        if self.call is None and time.monotonic() >= self.due:
            self.call = Child("timer", [BIN / "flask", "--app", "wsgi", "jobs"], self.settings, self.log)
            self.children.append(self.call)
        elif self.call is not None and self.call.ended():
            if self.call.process.returncode:
                print("Not every job could be done; the page Status says which, and why.", flush=True)
            self.call.kill_group()
            self.children.remove(self.call)
            self.call, self.due = None, time.monotonic() + JOBS_EVERY


def watch(children: list[Child], timer: Timer | None) -> None:
    while not stopping.wait(0.5):
        if timer:
            timer.look()
        for child in children:
            if timer and child is timer.call:
                continue
            if child.start_at is not None:
                if time.monotonic() >= child.start_at:
                    child.start()
            elif child.ended():
                child.announce_end()
        reap_orphans(children)


def reap_orphans(children: list[Child]) -> None:
    """Take leave of programs that became ours when their parent ended."""
    own = {child.process.pid for child in children}
    for pid in children_of_this_process() - own:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def stop(children: list[Child]) -> None:
    """Ask every child to end, the last started first; kill what does not, with everything it started."""
    if children:
        print("Stopping …", flush=True)
    for child in reversed(children):
        stop_child(child)
    deadline = time.monotonic() + 5
    while (left := children_of_this_process()) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def stop_child(child: Child) -> None:
    with suppress(ProcessLookupError):
        child.process.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.process.wait(child.grace)
    child.kill_group()
    child.process.wait()
    for path in child.leaves:
        path.unlink(missing_ok=True)


def children_of_this_process() -> set[int]:
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


if __name__ == "__main__":
    main()
