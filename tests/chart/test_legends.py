"""Legends: seen on paper, by every eye, and without any colour; and nothing of them is ever stored."""

import dataclasses
from itertools import combinations

import pytest

from clinic.chart import legends
from clinic.chart.drawing import DENTINE, ENAMEL, drawing_of
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, Status
from clinic.chart.mouth import Mouth
from clinic.chart.versions import body_of
from tests.chart import pictured
from tests.conventions.test_contrast import contrast

SHOWN = [status for status in Status if status is not Status.ENTERED_IN_ERROR]
EVERY = pytest.mark.parametrize("legend", legends.LEGENDS.values(), ids=lambda legend: legend.code)
# How eyes that lack one kind of cone, or all of them, see linear red, green and blue (Viénot, Brettel, Mollon; luminance).
EYES = {
    "protan": ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
    "deutan": ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
    "tritan": ((1, 0.14461, -0.14461), (0, 0.85924, 0.14076), (0, 0.85924, 0.14076)),
    "grey": ((0.2126, 0.7152, 0.0722),) * 3,
}


@EVERY
@pytest.mark.parametrize("ground", [legends.PAPER, ENAMEL, DENTINE])
@pytest.mark.parametrize("status", SHOWN)
def test_every_mark_stands_out_on_paper_and_tooth(legend, status, ground):
    assert contrast(legend.ink(status).stroke, ground) >= 3
    if ground == legends.PAPER:
        assert contrast(legend.ink(status).stroke, ground) >= 4.5, "its letter is small text"


@EVERY
@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("status", SHOWN)
def test_every_mark_stands_out_for_every_eye(legend, status, eye):
    assert contrast(seen(legend.ink(status).stroke, EYES[eye]), seen(DENTINE, EYES[eye])) >= 3


@EVERY
@pytest.mark.parametrize("style", legends.STYLES)
def test_no_two_statuses_of_a_kind_need_colour_to_be_told_apart(legend, style):
    for kind in BUILT_IN.values():
        looks = {status: legend.look(status, style, kind.code) for status in kind.statuses}
        for one, other in combinations(looks.values(), 2):
            assert (one.dash, one.fill, one.letter) != (other.dash, other.fill, other.letter), kind.code


@EVERY
def test_each_status_has_a_letter_of_its_own(legend):
    letters = [legend.ink(status).letter for status in SHOWN]
    assert len(set(letters)) == len(letters)


def test_two_legends_and_the_neutral_one_for_any_other_name():
    assert set(legends.LEGENDS) == {"neutral", "red-blue"}
    assert legends.legend_of("gone") is legends.NEUTRAL


def test_red_has_to_be_done_and_blue_is_done():
    ink = legends.RED_BLUE.ink
    todo, done = ink(Status.PLANNED).stroke, ink(Status.COMPLETED).stroke
    assert {ink(each).stroke for each in (Status.FINDING, Status.OPTION, Status.IN_PROCESS, Status.REFERRED)} == {todo}
    assert ink(Status.EXISTING).stroke == done
    assert ink(Status.FINDING, "missing").stroke == done, "nobody has to do anything about a missing tooth"
    assert channel(todo, 0) > channel(todo, 2)
    assert channel(done, 2) > channel(done, 0)


@pytest.mark.parametrize("name", pictured.WHOLE)
def test_a_legend_changes_no_stored_byte(name):
    mouth = pictured.WHOLE[name]
    before = body_of(mouth, {})
    first, second = (drawing_of(mouth, legend=code) for code in ("neutral", "red-blue"))
    assert body_of(mouth, {}) == before
    assert first.legend is not second.legend
    assert first.drawn == second.drawn
    assert first.undrawn == second.undrawn


def test_nothing_of_a_legend_is_in_what_is_kept():
    kept = {field.name for each in (Entry, Mouth) for field in dataclasses.fields(each)}
    assert not kept & {"legend", "ink", "inks", "colour", "dash", "fill", "pattern", "letter", "look", "style"}


def test_a_known_contrast():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert seen("#ffffff", EYES["deutan"]) == "#ffffff"


def channel(colour: str, which: int) -> int:
    return int(colour[1 + 2 * which : 3 + 2 * which], 16)


def seen(colour: str, eye: tuple[tuple[float, float, float], ...]) -> str:
    """The colour as an eye sees it."""
    linear = [
        ((value / 255 + 0.055) / 1.055) ** 2.4 if value > 10 else value / 255 / 12.92
        for value in (channel(colour, at) for at in range(3))
    ]
    mixed = (min(max(sum(share * each for share, each in zip(row, linear, strict=True)), 0), 1) for row in eye)
    return "#" + "".join(
        f"{round(255 * (each * 12.92 if each <= 0.0031308 else 1.055 * each ** (1 / 2.4) - 0.055)):02x}"
        for each in mixed
    )
