"""How much of a long campaign runs: a share in `make test`, the whole with SOAK=full (`make soak`)."""

import os


def share(full: int, small: int) -> int:
    """`full` steps with SOAK=full, else `small`."""
    return full if os.environ.get("SOAK") == "full" else small
