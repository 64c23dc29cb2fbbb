"""A typed line as one stroke: read, judged and written."""

import pytest

from clinic import clock
from clinic.chart.line import read
from clinic.chart.teeth import Numbering
from clinic.errors import DomainError
from clinic.operations.chart import NeedsReason, chart_stroke
from clinic.queries.chart import chart_for


@pytest.fixture
def chart(context, world):
    """Charts a line as a student would; answers the mouth after it."""
    kamal, fernando = world.user("kamal"), world.patient("fernando")

    def charted(line, reason=""):
        before = chart_for(kamal, fernando.id)
        reading = read(line, before.mouth, numbering=kamal.numbering, today=clock.today())
        assert reading.is_whole, reading.problems
        chart_stroke(fernando, entries=reading.entries, seen=before.stroke, reason=reason, actor=kamal)
        return chart_for(kamal, fernando.id).mouth

    return charted


def test_a_line_that_makes_a_tooth_and_charts_on_it_is_one_stroke(chart):
    mouth = chart("extra mesiodens 11-21; S1 o car3")
    assert [entry.kind for entry in mouth.on("S1")] == ["supernumerary", "caries"]
    assert {entry.stroke for entry in mouth.on("S1")} == {1}


def test_a_canal_that_is_found_now_and_then_is_kept(chart):
    assert chart("16 rct mb full mb2 half ex").on("16")[0].details["canals"] == "MB:full MB2:half"
    with pytest.raises(DomainError, match="no canal of tooth 36"):
        chart("36 rct mb2 full ex")


def test_what_the_rules_refuse_is_not_written_and_what_they_ask_about_needs_a_reason(chart):
    mouth = chart("15 miss")
    with pytest.raises(DomainError, match="15 is missing: caries needs the tooth"):
        chart("15 o car3")
    with pytest.raises(NeedsReason, match="cantilever"):
        chart("15p 16a br pfm plan")
    mouth = chart("15p 16a br pfm plan", reason="The canine is to be spared")
    (bridge,) = mouth.on("16", "bridge")
    assert bridge.reason == "The canine is to be spared"


def test_a_plan_goes_on_in_its_thread_as_a_whole(chart):
    chart("15 miss; 14-16 br pfm plan")
    mouth = chart("16 br ref")
    (bridge,) = mouth.on("15", "bridge")
    assert (bridge.status, len(bridge.teeth)) == ("referred", 3)


def test_refusals_name_teeth_as_the_student_numbers_them(chart, world):
    world.user("kamal").numbering = Numbering.UNIVERSAL
    chart("19 miss")
    with pytest.raises(DomainError, match="19 is missing"):
        chart("19 o car3")
