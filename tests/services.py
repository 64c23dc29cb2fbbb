"""Real servers for the tests, started on free ports and stopped with the run."""

import os
import pwd
import runpy
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pymysql

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MariaDB:
    """A private MariaDB server in a folder, reached by its socket and a port on loopback; root needs no password."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        owner = []
        if os.geteuid() == 0:  # the server refuses to run as root
            user = _unprivileged()
            owner = [f"--user={user}"]
            shutil.chown(folder, user)
            for parent in folder.parents:
                if parent == Path("/tmp"):
                    break
                parent.chmod(parent.stat().st_mode | 0o011)
        self._owner = owner
        if not (folder / "data").exists():
            made = subprocess.run(
                [
                    "mariadb-install-db",
                    "--no-defaults",
                    f"--datadir={folder}/data",
                    f"--tmpdir={folder}",  # a server that starts clears away what another has in the same one
                    "--auth-root-authentication-method=normal",
                    "--skip-test-db",
                    "--innodb-use-native-aio=0",  # several servers at once would use up the machine's requests
                    *owner,
                ],
                capture_output=True,
                text=True,
            )
            if made.returncode:
                raise RuntimeError(f"mariadb-install-db failed:\n{made.stdout[-1500:]}\n{made.stderr[-1500:]}")

    def start(self) -> "MariaDB":
        (self.folder / "log").write_text("")
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [
                "mariadbd",
                "--no-defaults",
                f"--datadir={self.folder}/data",
                f"--tmpdir={self.folder}",
                f"--socket={self.folder}/s",
                f"--pid-file={self.folder}/pid",
                f"--port={self.port}",
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=256M",
                "--max-connections=300",
                "--character-set-server=utf8mb4",
                "--collation-server=utf8mb4_bin",
                "--skip-log-bin",
                "--innodb-use-native-aio=0",
                *self._owner,
                *self.options,
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        log.close()
        deadline = time.monotonic() + 120
        while "ready for connections" not in (self.folder / "log").read_text():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)
        return self

    def stop(self, *, kill: bool = False) -> None:
        if self.process:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(30)

    def sql(self, *statements: str) -> None:
        with (
            pymysql.connect(unix_socket=f"{self.folder}/s", user="root", autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)

    def database(self, name: str) -> str:
        """Make an empty database; answers its URL."""
        self.sql(
            f"DROP DATABASE IF EXISTS {name}",
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        )
        return f"mariadb+pymysql://root@127.0.0.1:{self.port}/{name}?charset=utf8mb4"


class ObjectStore:
    """The embedded SeaweedFS, started the way `make run` starts it, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        run = runpy.run_path(str(ROOT / "scripts" / "run.py"))
        folder.mkdir(parents=True, exist_ok=True)
        settings = run["embedded_settings"](folder)
        self.endpoint, self.bucket = settings["S3_ENDPOINT"], settings["S3_BUCKET"]
        self.access_key, self.secret_key = settings["S3_ACCESS_KEY"], settings["S3_SECRET_KEY"]
        self._child = run["object_store"](folder, settings)
        self._stop = run["stop_child"]
        self._wait = lambda: run["wait_until"](
            "the object store answers", lambda: run["answers"](self.endpoint), [self._child], seconds=60
        )
        self._wait()

    def stop(self) -> None:
        self._stop(self._child)

    def kill(self) -> None:
        """`kill -9`."""
        self._child.kill_group()
        self._child.process.wait()

    def hang(self) -> None:
        """It takes connections and says nothing, until `go_on`."""
        os.killpg(self._child.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.killpg(self._child.process.pid, signal.SIGCONT)

    def start(self) -> None:
        """Start it again, on the same ports, with what it holds; answers once it does."""
        self._child.start()
        self._wait()


def _unprivileged() -> str:
    """The account the server runs under: its own where the package made one (the bare server package does not)."""
    try:
        pwd.getpwnam("mysql")
    except KeyError:
        return "nobody"
    return "mysql"
