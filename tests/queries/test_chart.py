"""What is read of charts: few queries however much is on them, nothing of a patient one may not know."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from clinic import clock
from clinic.chart.kinds import Presence, Status
from clinic.extensions import db
from clinic.models import Assignment, OwnKind, VersionReason, Visit, VisitStatus
from clinic.operations.chart import change_entry, enter_in_error
from clinic.operations.chart_versions import cut_version, finish_first_charting
from clinic.operations.sign_off import approve_chart, send_chart
from clinic.queries.chart import (
    approved_before,
    catalogue,
    chart_for,
    charted_for,
    entry_for,
    history_of,
    markers_of,
    mouth_as_of,
    version_by_code,
    version_for,
    versions_of,
)
from clinic.queries.sign_offs import decidable_sign_off_for, own_sign_off_for, waiting_ids, waiting_sign_offs
from tests.charting import chart_line
from tests.queries_counted import counted


@pytest.fixture
def kamal(session, world):
    return world.user("kamal")


@pytest.fixture
def fernando(session, world):
    return world.patient("fernando")


def queries(ask) -> int:
    db.session.expire_all()
    with counted() as statements:
        ask()
    return len(statements)


def test_a_chart_costs_the_same_with_a_hundred_entries(fernando, kamal):
    chart_line(fernando, "36 mo car", actor=kamal)
    cut_version(fernando, why=VersionReason.NAMED, name="One", actor=kamal)

    def all_of_it():
        return [
            queries(lambda: chart_for(kamal, fernando.id)),
            queries(lambda: versions_of(kamal, fernando.id)),
            queries(lambda: history_of(kamal, fernando.id, "36")),
            queries(lambda: markers_of(kamal, fernando.id)),
        ]

    few = all_of_it()
    for number in range(100):
        chart_line(fernando, f'36 note "{number}"', actor=kamal)
        if number % 10 == 0:
            cut_version(fernando, why=VersionReason.NAMED, name=f"At {number}", actor=kamal)
    assert all_of_it() == few
    assert few[0] <= 6 + 2  # of which two read the viewer and the patient again, whom the test made the session forget
    assert len(chart_for(kamal, fernando.id).mouth.entries) == 101


def test_a_stroke_costs_the_same_with_a_hundred_entries(fernando, kamal):
    chart_line(fernando, "36 mo car", actor=kamal)
    few = queries(lambda: chart_line(fernando, "37 mo car", actor=kamal))
    for number in range(100):
        chart_line(fernando, f'36 note "{number}"', actor=kamal)
    assert queries(lambda: chart_line(fernando, "38 mo car", actor=kamal)) == few


def test_nothing_of_another_patient(fernando, kamal, world):
    leela, sato = world.user("leela"), world.user("sato")
    chart_line(fernando, "36 mo car", actor=kamal)
    version = finish_first_charting(fernando, actor=kamal)
    sent = send_chart(fernando, words="", seen=1, actor=kamal)
    (entry,) = chart_for(kamal, fernando.id).mouth.on("36")
    for stranger in (leela, sato, world.user("adel")):
        assert chart_for(stranger, fernando.id) is None
        assert charted_for(stranger, fernando.id) is None
        assert entry_for(stranger, fernando.id, entry.id) is None
        assert history_of(stranger, fernando.id, "36") == []
        assert versions_of(stranger, fernando.id).rows == []
        assert version_for(stranger, fernando.id, 1) is None
        assert version_by_code(stranger, version.check_code) is None
        assert markers_of(stranger, fernando.id) == []
        assert waiting_sign_offs(stranger) == []
        assert decidable_sign_off_for(stranger, sent.id) is None
        assert own_sign_off_for(stranger, fernando.id, sent.id) is None
    assert own_sign_off_for(kamal, fernando.id, sent.id) is not None
    assert [waiting.id for waiting in waiting_sign_offs(world.user("silva"))] == [sent.id]


def test_what_waits_is_hidden_once_the_patient_is_in_nobodys_care(session, fernando, kamal, world):
    """Sent to the department, it stays theirs; but whom they may no longer know is not named to them, nor to whoever sent it."""
    silva = world.user("silva")
    chart_line(fernando, "36 mo car", actor=kamal)
    finish_first_charting(fernando, actor=kamal)
    sent = send_chart(fernando, words="", seen=1, actor=kamal)
    session.execute(
        update(Assignment).where(Assignment.patient_id == fernando.id).values(ends_at=clock.now() - timedelta(days=1))
    )
    session.execute(update(Visit).where(Visit.patient_id == fernando.id).values(status=VisitStatus.CANCELLED))
    assert waiting_sign_offs(silva) == []
    assert session.scalars(waiting_ids(silva)).all() == []
    assert decidable_sign_off_for(silva, sent.id) is None
    assert own_sign_off_for(kamal, fernando.id, sent.id) is None


def test_the_chart_as_it_was(fernando, kamal):
    began = clock.now()
    for number, line in enumerate(("36 mo car", "48 miss", "46 o comp plan")):
        with clock.frozen(began + timedelta(minutes=number)):
            chart_line(fernando, line, actor=kamal)
    (planned,) = chart_for(kamal, fernando.id).mouth.on("46")
    with clock.frozen(began + timedelta(minutes=10)):
        enter_in_error(fernando, entry_id=planned.id, seen=3, reason="It was 47", actor=kamal)
    now = charted_for(kamal, fernando.id)
    strokes = {-1: 0, 0: 1, 1: 2, 2: 3, 5: 3, 10: 4}
    for minutes, stroke in strokes.items():
        then = mouth_as_of(now, began + timedelta(minutes=minutes))
        assert len(then.entries) == (0, 1, 2, 3, 2)[stroke]
    assert mouth_as_of(now, began).presence("48") is Presence.PRESENT


def test_history_is_of_the_tooth_alone(fernando, kamal):
    chart_line(fernando, "13 mo car", actor=kamal)
    chart_line(fernando, "15 x plan; 14-16 br 14a 15p 16a pfm plan", reason="Broken", actor=kamal)
    chart_line(fernando, '13 note "14 hurts"', actor=kamal)
    assert [entry.kind for entry in history_of(kamal, fernando.id, "14")] == ["bridge"]
    assert [entry.kind for entry in history_of(kamal, fernando.id, "13")] == ["note", "caries"]
    assert history_of(kamal, fernando.id, "1") == []
    assert history_of(kamal, fernando.id, "%") == []
    (bridge,) = chart_for(kamal, fernando.id).mouth.on("14")
    change_entry(fernando, entry_id=bridge.id, seen=3, status=Status.OPTION, reason="Too dear", actor=kamal)
    assert [entry.status for entry in history_of(kamal, fernando.id, "16")] == [Status.OPTION, Status.PLANNED]


def test_a_jaw_has_a_history_too(fernando, kamal):
    chart_line(fernando, "15 miss", actor=kamal, reason="Said so")
    chart_line(fernando, "upper denture partial 15r plan", actor=kamal, reason="Said so")
    (denture,) = chart_for(kamal, fernando.id).mouth.on("15", "denture")
    change_entry(fernando, entry_id=denture.id, seen=2, status=Status.OPTION, reason="Too dear", actor=kamal)
    assert [entry.status for entry in history_of(kamal, fernando.id, "upper")] == [Status.OPTION, Status.PLANNED]
    assert history_of(kamal, fernando.id, "lower") == []


def test_markers_stand_in_the_order_of_time(fernando, kamal, world):
    chart_line(fernando, "36 mo car", actor=kamal)
    sent = send_chart(fernando, words="", seen=1, actor=kamal)
    approve_chart(sent.id, version=sent.version, actor=world.user("silva"))
    chart_line(fernando, "37 mo car", actor=kamal)
    cut_version(fernando, why=VersionReason.NAMED, name="Before the crown", actor=kamal)
    assert [(marker.kind, marker.words, marker.number) for marker in markers_of(kamal, fernando.id)] == [
        ("version", "first charting", 1),
        ("approval", "Dr Sunil Silva", 1),
        ("version", "Before the crown", 2),
    ]
    assert approved_before(fernando.id, 2).number == 1
    assert approved_before(fernando.id, 1) is None


def test_versions_come_page_by_page(fernando, kamal):
    for number in range(7):
        chart_line(fernando, f'36 note "{number}"', actor=kamal)
        cut_version(fernando, why=VersionReason.NAMED, name=f"At {number}", actor=kamal)
    first = versions_of(kamal, fernando.id, size=3)
    assert [version.number for version in first.rows] == [8, 7, 6]
    second = versions_of(kamal, fernando.id, size=3, after=6)
    assert [version.number for version in second.rows] == [5, 4, 3]
    assert [version.number for version in versions_of(kamal, fernando.id, size=3, before=5).rows] == [8, 7, 6]


def test_the_clinics_own_kinds_are_among_the_rest(session, world):
    session.add(
        OwnKind(
            code="own-7",
            name="Tongue stud wear",
            word="stud",
            scope="surfaces",
            is_treatment=False,
            rule="zone",
            pattern="dots",
            letter="St",
            created_at=clock.now(),
            created_by_id=world.people["adel"],
        )
    )
    session.flush()
    kind = catalogue()["own-7"]
    assert (kind.name, kind.words, kind.drawing.pattern, kind.usual_status) == (
        "Tongue stud wear",
        ("stud",),
        "dots",
        Status.FINDING,
    )
    assert not kind.retired
