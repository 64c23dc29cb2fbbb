"""Random histories of a chart through the operations: what undo, going back, as-of and versions must always give."""

import random
from contextlib import suppress

import pytest
from sqlalchemy import select

from clinic.chart.rules import FOLLOW
from clinic.chart.versions import difference, mouth_from, replay, said
from clinic.errors import DomainError
from clinic.models import ChartEntry, ChartVersion, VersionReason
from clinic.operations.chart import change_entry, chart_stroke, enter_in_error, restore_version, undo_stroke
from clinic.operations.chart_versions import cut_version, verify_versions
from clinic.operations.visits import check_in
from clinic.queries.chart import chart_for, mouth_of
from tests import soak
from tests.chart.histories import some_entry

REASON = "Seen on the radiograph"


def told(mouth):
    """What is said, in its order."""
    return [(entry.thread, said(entry)) for entry in mouth.entries]


@pytest.fixture(autouse=True)
def trail():
    """Nothing is asked of the trail here."""


@pytest.mark.soak
@pytest.mark.parametrize("number", range(soak.share(20, 1)))
def test_a_random_history(session, world, number):
    dice = random.Random(soak.daily_seed() + number)
    fernando, silva, kamal = world.patient("fernando"), world.user("silva"), world.user("kamal")
    check_in(world.visit("fernando"), actor=world.user("ruwan"))
    mouths = {0: chart_for(silva, fernando.id).mouth}
    versions: dict[int, list] = {}
    done = dict.fromkeys(("chart", "change", "error", "undo", "restore", "cut"), 0)

    def seen() -> int:
        return chart_for(silva, fernando.id).stroke

    def act(name: str) -> None:
        actor = dice.choice((silva, kamal))
        mouth, stroke = chart_for(actor, fernando.id).mouth, seen()
        if name == "chart":
            entries = [some_entry(dice, mouth) for _ in range(dice.randrange(1, 4))]
            chart_stroke(fernando, entries=entries, seen=stroke, reason=REASON, actor=actor)
        elif name == "cut":
            cut = cut_version(fernando, why=VersionReason.NAMED, name=f"At {stroke}", actor=actor)
            if cut is not None:
                versions[cut.number] = told(mouth)
                versions.setdefault(1, told(mouth))
        elif name == "restore" and versions:
            back = dice.choice(list(versions))
            restore_version(fernando, number=back, seen=stroke, reason=REASON, actor=silva)
            assert told(mouth_of(fernando.id)) == versions[back]
        elif name == "undo" and stroke:
            last = session.scalars(select(ChartEntry.entered_by_id).where(ChartEntry.stroke == stroke)).first()
            undo_stroke(fernando, stroke=stroke, actor=silva if last == silva.id else kamal)
            assert told(mouth_of(fernando.id)) == told(mouths[stroke - 1])
        elif name in ("change", "error") and mouth.entries:
            entry = dice.choice([each for each in mouth.entries if len(FOLLOW[each.status]) > 1] or mouth.entries)
            if name == "error":
                enter_in_error(fernando, entry_id=entry.id, seen=stroke, reason=REASON, actor=actor)
                assert entry.thread not in {each.thread for each in mouth_of(fernando.id).entries}
            else:
                status = dice.choice(FOLLOW[entry.status])
                change_entry(fernando, entry_id=entry.id, seen=stroke, status=status, reason=REASON, actor=actor)
        else:
            return
        done[name] += 1

    for _ in range(80):
        name = dice.choices(list(done), (8, 5, 2, 3, 1, 2))[0]
        with suppress(DomainError):
            act(name)
        mouths[seen()] = mouth_of(fernando.id)
    assert min(done.values()) > 0, done
    assert sorted(mouths) == list(range(max(mouths) + 1))  # strokes have no gaps

    for stroke, mouth in mouths.items():
        if stroke:
            assert mouth_of(fernando.id, upto=stroke) == mouth  # as it was then
    every = list(mouths.values())[1:]
    for _ in range(100):
        before, after = dice.choice(every), dice.choice(every)
        assert replay(before, difference(before, after)) == after
    for version in session.scalars(select(ChartVersion).order_by(ChartVersion.number)):
        assert mouth_from(version.body) == mouths[version.stroke]
        assert version.number not in versions or told(mouth_from(version.body)) == versions[version.number]
    assert verify_versions().is_good
    _nothing_was_lost(session, fernando)


def _nothing_was_lost(session, patient):
    """Every row superseded at most once, by a later one of its own thread and patient."""
    rows = {row.id: row for row in session.scalars(select(ChartEntry).where(ChartEntry.patient_id == patient.id))}
    superseded = [row.supersedes_id for row in rows.values() if row.supersedes_id]
    assert len(set(superseded)) == len(superseded)
    for row in rows.values():
        if row.supersedes_id:
            before = rows[row.supersedes_id]
            assert row.first_id == (before.first_id or before.id)
            assert row.stroke > before.stroke
