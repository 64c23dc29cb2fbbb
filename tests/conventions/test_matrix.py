"""Every cell of role x route x relation is decided, is what docs/permissions.md says, and a refusal changes nothing."""

import os
from pathlib import Path

import pytest

from tests.conventions.matrix import as_document, cells, deepen

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
REFUSED = ("sign in", "403", "404", "no form", "no screen", "closed")


@pytest.mark.timeout(900)
def test_the_matrix(app, world):
    with app.app_context():
        deepen(world)
    matrix = list(cells(app, world))
    undecided = [cell for cell in matrix if cell.outcome not in (*REFUSED, "yes", "-")]
    assert not undecided, (
        f"{len(undecided)} cells are undecided (they answered neither yes nor a refusal): {undecided[:5]}"
    )
    changed = [cell for cell in matrix if cell.outcome in REFUSED and cell.writes]
    assert not changed, f"refused, and yet it wrote: {changed[:5]}"
    untold = [cell for cell in matrix if not cell.told]
    assert not untold, f"{len(untold)} cells left no event in the trail: {untold[:5]}"
    document = as_document(app, matrix)
    if os.environ.get("WRITE_PERMISSIONS"):
        DOCUMENT.write_text(document)
    assert DOCUMENT.read_text() == document, (
        "docs/permissions.md is out of date: read what changed, then run `make permissions`."
    )
