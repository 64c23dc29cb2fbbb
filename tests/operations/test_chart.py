"""Writing on a chart: strokes, changes, errors, undo, going back; who was faster; what a visit and a performer are needed for."""

import pytest

from clinic.chart.entry import Entry
from clinic.chart.kinds import Presence, Status
from clinic.errors import Conflict
from clinic.operations.chart import chart_stroke
from clinic.queries.chart import mouth_for


def caries(tooth: str, surfaces: str = "MO", **more) -> Entry:
    return Entry("caries", Status.FINDING, ((tooth, ""),), surfaces=surfaces, details={"icdas": "4"}, **more)


def missing(tooth: str) -> Entry:
    return Entry("missing", Status.FINDING, ((tooth, ""),))


def test_a_stroke_is_on_the_chart(session, world):
    kamal, fernando = world.user("kamal"), world.patient("fernando")
    before = mouth_for(kamal, fernando.id)
    assert before.chart is None
    assert before.initial
    assert before.mouth.presence("36") is Presence.PRESENT
    chart_stroke(fernando, entries=[caries("36", "OM"), missing("48")], seen=0, actor=kamal)
    charted = mouth_for(kamal, fernando.id)
    assert charted.stroke == 1
    assert charted.mouth.presence("48") is Presence.MISSING
    (entry,) = charted.mouth.on("36")
    assert (entry.surfaces, entry.details, entry.entered_by) == ("MO", {"icdas": "4"}, "Kamal Dias")
    assert mouth_for(world.user("leela"), fernando.id) is None


def test_whoever_was_slower_is_told_both_texts(session, world):
    kamal, silva, fernando = world.user("kamal"), world.user("silva"), world.patient("fernando")
    chart_stroke(fernando, entries=[caries("36")], seen=0, actor=silva)
    chart_stroke(fernando, entries=[caries("46")], seen=0, actor=kamal)  # another tooth
    with pytest.raises(Conflict, match="Dr Sunil Silva") as refused:
        chart_stroke(fernando, entries=[caries("36", "D")], seen=0, actor=kamal)
    assert refused.value.theirs.keys() == {"36"} == refused.value.mine.keys()
