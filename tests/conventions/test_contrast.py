"""The tokens of static/css/tokens.css: text at 4.5 : 1 or better on every ground it stands on, marks at 3 : 1, in light and dark."""

import re
from pathlib import Path

import pytest

TOKENS = (Path(__file__).parents[2] / "clinic" / "static" / "css" / "tokens.css").read_text("utf-8")
PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS)
}
STATES = ("waiting", "called", "in-care", "needs-supervisor", "late", "done", "void")
TEXT = [
    *(
        (text, ground)
        for text in ("text", "muted", "accent", "accent-strong")
        for ground in ("surface", "raised", "sunken")
    ),
    ("text", "accent-soft"),
    ("accent", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    *((state, ground) for state in STATES for ground in ("surface", "raised", f"{state}-soft")),
    *(("text", f"{state}-soft") for state in STATES),
    *(("muted", f"{state}-soft") for state in STATES),
]
MARKS = [(mark, ground) for mark in ("line-strong", "focus") for ground in ("surface", "raised", "sunken")]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_is_readable(text, ground, theme):
    assert contrast(PAIRS[text][theme], PAIRS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("mark", "ground"), MARKS)
def test_marks_are_visible(mark, ground, theme):
    assert contrast(PAIRS[mark][theme], PAIRS[ground][theme]) >= 3


def test_every_state_has_both_colours():
    assert {f"{state}{suffix}" for state in STATES for suffix in ("", "-soft")} <= PAIRS.keys()


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2, 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
