"""How much of a long campaign runs, and with which seed.

A test marked `soak` takes its number of steps from `share(full, small)` and its randomness from `daily_seed()`:
`make test` runs the small share, with other seeds each day; `make soak` runs it in full.
"""

import os
from datetime import UTC, datetime


def share(full: int, small: int) -> int:
    """`full` under `make soak` (SOAK=full), else `small`."""
    return full if os.environ.get("SOAK") == "full" else small


def daily_seed() -> int:
    """The date as a number, like 20260131, the same in every process of a run; SEED=… repeats another day's."""
    return int(os.environ.setdefault("SEED", f"{datetime.now(UTC):%Y%m%d}"))
