"""Forget the clinic on this machine: remove its one data folder."""

import fcntl
import os
import shutil
import sys
from pathlib import Path

DATA = Path(os.environ.get("DATA_DIR", Path(__file__).resolve().parent.parent / "var")).resolve()


def main() -> None:
    if not DATA.exists():
        print(f"There is nothing to forget: {DATA} does not exist.")
        return
    if not (DATA / "environment").exists():
        sys.exit(f"{DATA} does not hold a clinic that `make run` made; it is left alone.")
    with (DATA / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("Chairside is running with this data. Stop it first.")
        if os.environ.get("YES") != "1" and not confirmed():
            sys.exit("Nothing was removed.")
        shutil.rmtree(DATA)
    print(f"Removed {DATA}.")


def confirmed() -> bool:
    try:
        return (
            input(f"All patients, accounts and files in {DATA} will be gone. Type {DATA.name} to go on: ") == DATA.name
        )
    except EOFError:
        return False


if __name__ == "__main__":
    main()
