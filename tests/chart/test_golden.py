"""The drawings as they were looked at: any change of a line shows in a review. `make chart-golden` writes them anew.

Of each kind the marks of its samples (statuses and variants, in the neutral legend), without the teeth under them; and the teeth.
"""

import os
import re
from pathlib import Path

import pytest

from clinic.chart import teeth
from clinic.chart.drawing import drawing_of
from clinic.chart.kinds import BUILT_IN
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Dentition, present_at
from tests.chart import pictured
from tests.chart.svg import svg_of

GOLDEN = Path(__file__).parent / "golden"
MOUTHS = {"permanent": Mouth(teeth.PERMANENT), "mixed": Mouth(present_at(Dentition.MIXED, 8.5))}


def marks_of(code: str) -> str:
    """One SVG with the samples of a kind below one another, each with its words."""
    parts = []
    for at, (words, mouth, keys) in enumerate(pictured.samples_of(BUILT_IN[code])):
        text = svg_of(drawing_of(mouth, only=keys, prefix=f"s{at}-"))
        text = re.sub(r'<g class="body"[^>]*>.*?</g>', "", text, flags=re.DOTALL)
        placed = text.replace("<svg ", f'<svg y="{at * 240}" ', 1)
        parts.append(f"<!-- {words} -->\n{placed}")
    body = "\n".join(parts)
    return normal(f'<svg xmlns="http://www.w3.org/2000/svg" width="200" height="{len(parts) * 240}">\n{body}\n</svg>\n')


def whole(name: str) -> str:
    text = svg_of(drawing_of(MOUTHS[name]))
    text = re.sub(r' (aria-label|role|tabindex|aria-colindex)="[^"]*"', "", text)
    return normal(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n")


def normal(text: str) -> str:
    """An element a line, so that a difference can be read."""
    return re.sub(r">\s*<", ">\n<", text)


def check(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.svg"
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, (
        f"{name} is drawn differently: look at it (make chart-pictures), then make chart-golden"
    )


@pytest.mark.parametrize("code", BUILT_IN)
def test_a_kind_is_drawn_as_it_was_looked_at(code):
    check(f"kind-{code}", marks_of(code))


@pytest.mark.parametrize("name", MOUTHS)
def test_teeth_are_drawn_as_they_were_looked_at(name):
    check(f"mouth-{name}", whole(name))


@pytest.mark.skipif("WRITE_GOLDEN" in os.environ, reason="they are being written")
def test_there_is_no_golden_file_of_nothing():
    wanted = {f"kind-{code}" for code in BUILT_IN} | {f"mouth-{name}" for name in MOUTHS}
    assert {path.stem for path in GOLDEN.glob("*.svg")} == wanted
