"""Charting in tests, by typed lines."""

from clinic import clock
from clinic.chart.line import read
from clinic.extensions import db
from clinic.models import Chart, Patient, User
from clinic.operations.chart import chart_stroke
from clinic.queries.chart import mouth_of


def chart_line(patient: Patient, line: str, *, actor: User, reason: str = "", seen: int | None = None) -> Chart:
    """Chart a line as somebody who has just looked. Flushes, does not commit."""
    reading = read(line, mouth_of(patient.id), today=clock.today())
    assert reading.is_whole, [token for token in reading.tokens if token.problem]
    last = db.session.get(Chart, patient.id)
    now = last.stroke if last else 0
    return chart_stroke(
        patient, entries=reading.entries, seen=now if seen is None else seen, reason=reason, actor=actor
    )
