"""Mouths for tests, charted by typed lines."""

from collections.abc import Iterable, Mapping
from datetime import date

from clinic.chart import teeth
from clinic.chart.entry import Entry
from clinic.chart.kinds import BUILT_IN, Drawing, Kind, Scope, own_kind
from clinic.chart.line import Reading, read
from clinic.chart.mouth import Mouth
from clinic.chart.rules import About, Remark, judge

TODAY = date(2026, 11, 21)
ADULT = date(1980, 4, 3)
CHILD = date(2017, 4, 3)
VARNISH = own_kind(
    "own-1",
    "Varnish",
    "varnish",
    Scope.SURFACES,
    is_treatment=True,
    drawing=Drawing("zone", "dots"),
    own_id=1,
    retired=False,
)
OLD = own_kind(
    "own-2",
    "Old glue",
    "glue",
    Scope.WHOLE,
    is_treatment=False,
    drawing=Drawing("icon", letter="Og"),
    own_id=2,
    retired=True,
)
SUTURE = own_kind(
    "own-3",
    "Suture",
    "suture",
    Scope.SPAN,
    is_treatment=True,
    drawing=Drawing("bar", "dashed"),
    own_id=3,
    retired=False,
)
OWN: Mapping[str, Kind] = {**BUILT_IN, "own-1": VARNISH, "own-2": OLD, "own-3": SUTURE}


def written(mouth: Mouth, entries: Iterable[Entry]) -> Mouth:
    """The mouth after entries as the database would keep them: each with an id, and the thread it begins or goes on."""
    number = max((entry.id for entry in mouth.entries), default=0)
    for entry in entries:
        number += 1
        kept = entry.changed(id=number, thread=entry.thread or number)
        mouth = mouth.with_entries([kept], without=[entry.thread] if entry.thread else [])
    return mouth


def charted(*lines: str, base: tuple[str, ...] = teeth.PERMANENT, kinds: Mapping[str, Kind] = OWN) -> Mouth:
    """A mouth in which these lines were charted, whatever the rules say to them."""
    mouth = Mouth(base, (), kinds)
    for line in lines:
        reading = read(line, mouth, today=TODAY)
        assert reading.is_whole, (line, reading.problems)
        mouth = written(mouth, reading.entries)
    return mouth


def reading_of(line: str, mouth: Mouth) -> Reading:
    return read(line, mouth, today=TODAY)


def about(born: date | None = ADULT, *, is_in_clinic: bool = True) -> About:
    return About(born, TODAY, is_in_clinic)


def judged(line: str, mouth: Mouth, born: date | None = ADULT, *, is_in_clinic: bool = True) -> list[Remark]:
    reading = reading_of(line, mouth)
    assert reading.is_whole, (line, reading.problems)
    return judge(mouth, reading.entries, about(born, is_in_clinic=is_in_clinic))
