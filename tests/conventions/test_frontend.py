"""What the set-up keeps of Tabler's stylesheet: all that our pages use, and little else."""

import re
from pathlib import Path

import pytest

from scripts import frontend

ROOT = Path(__file__).parents[2]
WHOLE = (ROOT / "node_modules/@tabler/core/dist/css/tabler.min.css").read_text("utf-8")
REDUCED = frontend._reduced(WHOLE)
# Classes of ours that happen to bear the name of one of Tabler's that we do not use.
OURS = {"row", "toast", "page", "tag", "status"}


def test_every_class_of_a_template_that_tabler_knows_is_kept():
    known = set(re.findall(r"\.([a-zA-Z][\w-]*)", WHOLE)) - set(
        re.findall(
            r"\.([a-zA-Z][\w-]*)",
            "".join(path.read_text("utf-8") for path in (ROOT / "clinic/static/css").glob("*.css")),
        )
    )
    lost = {
        f"{path.name}: {name}"
        for path in (ROOT / "clinic/templates").rglob("*.html")
        for value in re.findall(r'\bclass="([^"{}]*)"', path.read_text("utf-8"))
        for name in value.split()
        if name in known - OURS and not frontend.KEPT.fullmatch(name)
    }
    assert not lost, f"add to KEPT in scripts/frontend.py, or use a class of ours: {sorted(lost)}"


def test_the_reduced_stylesheet_is_whole_and_small():
    assert REDUCED.count("{") == REDUCED.count("}")
    assert "Licensed under MIT" in REDUCED
    assert ".btn" in REDUCED
    assert "@media" in REDUCED
    assert ".carousel" not in REDUCED
    assert len(REDUCED) < len(WHOLE) / 3


@pytest.mark.parametrize(
    ("css", "reduced"),
    [
        (".btn{a:b}", ".btn{a:b}"),
        (".carousel{a:b}.card{c:d}", ".card{c:d}"),
        (".card,.carousel .btn,p{a:b}", ".card,p{a:b}"),
        (".card:is(.btn,.badge){a:b}", ".card:is(.btn,.badge){a:b}"),
        (".card:not(.carousel){a:b}", ".card:not(.carousel){a:b}"),
        ("@media (x){.carousel{a:b}}p{c:d}", "p{c:d}"),
        ("@media (x){.carousel{a:b}.btn{c:d}}", "@media (x){.btn{c:d}}"),
        ("@keyframes k{0%{a:b}}", "@keyframes k{0%{a:b}}"),
        ('p{a:url("x{;}y")}/* {p{ */q{b:c}', 'p{a:url("x{;}y")}q{b:c}'),
        ('@charset "UTF-8";p{a:b}', "p{a:b}"),
    ],
)
def test_rules_are_dropped_by_their_classes(css, reduced):
    assert frontend._reduced(css) == reduced
