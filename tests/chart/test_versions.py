"""Versions as plain data: canonical bytes, the chain, check codes, and that replaying a difference gives what it was taken from."""

import json
import random
import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinic.chart.entry import Entry
from clinic.chart.form import flaw
from clinic.chart.kinds import BUILT_IN, Drawing, Group, Kind, Scope, Status
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import PERMANENT, Dentition
from clinic.chart.versions import (
    about_from,
    body_of,
    change_sentence,
    check_code,
    difference,
    digest,
    marks_of,
    mouth_from,
    overlaid,
    read_code,
    replay,
)
from tests.chart.histories import some_entry

OWN = Kind(
    "own-1",
    "Clinic's own “mark”",
    ("mark",),
    Scope.SURFACES,
    Group.OWN,
    (Status.FINDING,),
    Drawing("zone", "dots", "Z"),
    own_id=1,
)
AT = datetime(2026, 3, 3, 8, 30, 0, 1234, tzinfo=UTC)


def a_mouth(seed: int, *, count: int = 12) -> Mouth:
    dice = random.Random(seed)
    mouth = Mouth(PERMANENT, (), {**BUILT_IN, "own-1": OWN}, Dentition.PERMANENT)
    for number in range(1, count + 1):
        entry = some_entry(dice, mouth)
        assert flaw(entry, mouth) == ""
        mouth = mouth.with_entries([written(entry, number, number)])
    return mouth


def written(entry: Entry, row: int, thread: int) -> Entry:
    by = {"entered_by_id": 7, "entered_by": "නිමාලි ප්‍රනාන්දු", "entered_at": AT, "dated": date(2026, 3, 3)}
    return entry.changed(id=row, thread=thread, stroke=row, **by)


def later(mouth: Mouth, seed: int, *, steps: int = 10) -> Mouth:
    """The mouth after some of its entries were removed, others said anew, and some added."""
    dice = random.Random(seed)
    entries, row = list(mouth.entries), 1000
    for _ in range(steps):
        row += 1
        act = dice.choice(("add", "remove", "change", "move"))
        if act == "add" or not entries:
            entries.insert(dice.randrange(len(entries) + 1), written(some_entry(dice, mouth), row, row))
        elif act == "remove":
            entries.pop(dice.randrange(len(entries)))
        else:
            place = dice.randrange(len(entries))
            former = entries.pop(place)
            where = dice.randrange(len(entries) + 1) if act == "move" else place
            entries.insert(where, written(former.changed(reason=f"Changed {row}"), row, former.thread))
    return replace(mouth, entries=tuple(entries))


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_replaying_a_difference_gives_the_second(first, second, steps):
    before = a_mouth(first)
    after = later(before, second, steps=steps)
    for one, other in ((before, after), (after, before), (before, before), (a_mouth(second), after)):
        changes = difference(one, other)
        again = replay(one, changes)
        assert again == other
        assert body_of(again, {}) == body_of(other, {})
        assert marks_of(changes).keys() <= {key for change in changes for key in change.keys}
        for change in changes:
            assert change_sentence(change)
    assert difference(before, before) == []


@given(st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_even_what_changed_its_order_is_replayed(dice):
    before = a_mouth(dice.randrange(10**9))
    shuffled = list(before.entries)
    dice.shuffle(shuffled)
    after = replace(before, entries=tuple(shuffled))
    assert replay(before, difference(before, after)) == after


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_a_body_is_canonical_and_read_back(seed):
    mouth = a_mouth(seed, count=20)
    about = {"patient": "吴美玲", "number": 3, "code": "P-2026-00003"}
    body = body_of(mouth, about)
    assert body == body_of(mouth_from(body), dict(reversed(about.items())))
    assert mouth_from(body).entries == mouth.entries
    assert about_from(body) == about
    assert body.isascii()
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")).encode()


def test_a_kind_is_kept_as_it_was_used():
    mouth = Mouth(
        PERMANENT,
        (written(Entry("own-1", Status.FINDING, (("36", ""),), surfaces="O"), 1, 1),),
        {**BUILT_IN, "own-1": OWN},
    )
    body = body_of(mouth, {})
    assert mouth_from(body).kinds["own-1"] == OWN
    renamed = replace(mouth, kinds={**BUILT_IN, "own-1": replace(OWN, name="Other")})
    assert body_of(renamed, {}) != body
    assert difference(mouth, renamed) == []  # what is said is the same


@pytest.mark.parametrize("kind", BUILT_IN.values(), ids=lambda kind: kind.code)
def test_every_kind_is_read_back(kind):
    entry = written(some_entry(random.Random(5), Mouth(PERMANENT), kind=kind), 1, 1)
    mouth = Mouth(PERMANENT, (entry,))
    back = mouth_from(body_of(mouth, {}))
    assert back.kinds[kind.code] == kind
    assert back == mouth


def test_a_body_of_another_format_is_refused():
    body = body_of(Mouth(PERMANENT), {}).replace(b'"format":1', b'"format":2')
    with pytest.raises(ValueError, match="format 2"):
        mouth_from(body)


def test_the_chain_hangs_on_every_byte():
    first, second = body_of(a_mouth(1), {"number": 1}), body_of(a_mouth(2), {"number": 2})
    one = digest("", first)
    two = digest(one, second)
    assert len({one, two, digest("", second), digest(one, first)}) == 4
    dice = random.Random(3)
    for _ in range(200):
        place = dice.randrange(len(second))
        changed = second[:place] + bytes([second[place] ^ (1 << dice.randrange(7))]) + second[place + 1 :]
        assert digest(one, changed) != two


def test_check_codes_are_read_however_they_are_typed():
    code = check_code(digest("", b"something"))
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}", code)
    assert read_code(f" {code.lower().replace('-', ' ')} ") == code
    assert read_code("ILO0-1111-2222") == "1100-1111-2222"
    assert [read_code(text) for text in ("", "7H3K", code + "0", "UUUU-0000-0000")] == [""] * 4
    assert len({check_code(digest("", bytes([n]))) for n in range(200)}) == 200


def test_what_was_removed_is_drawn_beside_what_is_there():
    before = a_mouth(3)
    gone = before.entries[-1]
    after = Mouth(before.base, before.entries[:-1], before.kinds, before.dentition)
    assert overlaid(after, difference(before, after)).entries == (*after.entries, gone)
    assert overlaid(before, difference(after, before)) == before
