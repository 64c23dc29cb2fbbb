"""Where teeth are on pictures: rows that are only added, one after the other, each told in the trail."""

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError

from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import AuditEvent, ToothPlace
from clinic.operations.documents import delete_document
from clinic.operations.tooth_places import mark_tooth, undo_mark, unmark_tooth
from clinic.queries.documents import documents_of, number_of_tooth
from clinic.queries.tooth_places import marked_on, newest_mark
from tests.filed import PDF, file_document, png


@pytest.fixture
def picture(world, session):
    return file_document(world)


@pytest.fixture
def kamal(world):
    return world.user("kamal")


def held(document):
    return [(place.tooth, place.x, place.y) for place in marked_on(document)]


def test_teeth_are_marked_moved_and_taken_away_and_nothing_vanishes(world, picture, kamal):
    first = mark_tooth(picture.id, tooth="36", x=410, y=620, seen=0, actor=kamal)
    mark_tooth(picture.id, tooth="11", x=500, y=300, seen=first.id, actor=kamal)
    assert held(picture) == [("11", 500, 300), ("36", 410, 620)]  # as one reads a chart
    moved = mark_tooth(picture.id, tooth="36", x=400, y=0, seen=newest_mark(picture), actor=world.user("silva"))
    assert held(picture)[1] == ("36", 400, 0)
    assert marked_on(picture)[1].marked_by.name == "Dr Sunil Silva"
    unmark_tooth(picture.id, tooth="36", seen=moved.id, actor=kamal)
    assert held(picture) == [("11", 500, 300)]
    assert newest_mark(picture) > moved.id
    rows = db.session.scalars(select(ToothPlace).where(ToothPlace.tooth == "36").order_by(ToothPlace.version)).all()
    assert [(row.version, row.x, row.y) for row in rows] == [(1, 410, 620), (2, 400, 0), (3, None, None)]
    told = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "document.mark").order_by(AuditEvent.id)).all()
    assert [event.sentence.partition(" on the ")[0] for event in told] == [
        "Marked 36", "Marked 11", "Moved 36", "Took away the mark of 36",
    ]  # fmt: skip
    assert "41 % from the left, 62 % from the top" in told[0].sentence
    assert {event.patient_id for event in told} == {picture.patient_id}


def test_what_somebody_else_marked_since_is_not_moved_unseen(world, picture, kamal):
    seen = mark_tooth(picture.id, tooth="36", x=410, y=620, seen=0, actor=kamal).id
    mark_tooth(picture.id, tooth="36", x=100, y=100, seen=seen, actor=world.user("silva"))
    with pytest.raises(Conflict, match="Dr Sunil Silva marked this tooth at 10 % from the left, 10 % from the top"):
        mark_tooth(picture.id, tooth="36", x=1, y=1, seen=seen, actor=kamal)
    with pytest.raises(Conflict, match="Dr Sunil Silva"):
        unmark_tooth(picture.id, tooth="36", seen=seen, actor=kamal)
    mark_tooth(picture.id, tooth="37", x=1, y=1, seen=seen, actor=kamal)  # of another tooth nobody said anything
    unmark_tooth(picture.id, tooth="36", seen=newest_mark(picture), actor=world.user("silva"))
    with pytest.raises(Conflict, match="took this tooth's mark away"):
        mark_tooth(picture.id, tooth="36", x=1, y=1, seen=seen, actor=kamal)
    with pytest.raises(Conflict, match="not marked"):
        unmark_tooth(picture.id, tooth="36", seen=newest_mark(picture), actor=kamal)


def test_each_is_taken_back_by_whoever_did_it(world, picture, kamal):
    first = mark_tooth(picture.id, tooth="36", x=410, y=620, seen=0, actor=kamal)
    with pytest.raises(NotAllowed):
        undo_mark(picture.id, place_id=first.id, actor=world.user("silva"))
    moved = mark_tooth(picture.id, tooth="36", x=1, y=2, seen=first.id, actor=kamal)
    with pytest.raises(Conflict):
        undo_mark(picture.id, place_id=first.id, actor=kamal)
    undo_mark(picture.id, place_id=moved.id, actor=kamal)
    assert held(picture) == [("36", 410, 620)]
    away = unmark_tooth(picture.id, tooth="36", seen=newest_mark(picture), actor=kamal)
    undo_mark(picture.id, place_id=away.id, actor=kamal)
    assert held(picture) == [("36", 410, 620)]
    other = file_document(world, body=png(3, 3), name="other.png")
    with pytest.raises(Conflict):
        undo_mark(other.id, place_id=newest_mark(picture), actor=kamal)


def test_the_first_mark_taken_back_is_none(picture, kamal):
    first = mark_tooth(picture.id, tooth="S1", x=0, y=1000, seen=0, actor=kamal)
    undo_mark(picture.id, place_id=first.id, actor=kamal)
    assert held(picture) == []


def test_only_on_a_picture_that_is_there(world, picture, kamal):
    for x, y in ((-1, 0), (0, 1001)):
        with pytest.raises(DomainError, match="beside the picture"):
            mark_tooth(picture.id, tooth="36", x=x, y=y, seen=0, actor=kamal)
    letter = file_document(world, body=PDF, name="letter.pdf")
    with pytest.raises(DomainError, match="no picture"):
        mark_tooth(letter.id, tooth="36", x=1, y=1, seen=0, actor=kamal)
    world.patient("fernando").archived_at = picture.created_at
    with pytest.raises(DomainError, match="archived"):
        mark_tooth(picture.id, tooth="36", x=1, y=1, seen=0, actor=kamal)
    world.patient("fernando").archived_at = None
    delete_document(picture.id, version=picture.version, reason="Wrong", actor=kamal)
    with pytest.raises(Conflict, match="deleted now"):
        mark_tooth(picture.id, tooth="36", x=1, y=1, seen=0, actor=kamal)
    assert db.session.scalar(select(func.count()).select_from(ToothPlace)) == 0


def test_a_marked_tooth_is_a_tooth_of_the_document(world, picture, kamal):
    mark_tooth(picture.id, tooth="46", x=1, y=1, seen=0, actor=kamal)
    of = lambda tooth: [row.id for row in documents_of(kamal, picture.patient_id, tooth=tooth).rows]  # noqa: E731
    assert of("46") == [picture.id]
    assert number_of_tooth(kamal, picture.patient_id, "46") == 1
    unmark_tooth(picture.id, tooth="46", seen=newest_mark(picture), actor=kamal)
    assert of("46") == []


def test_the_database_keeps_one_row_of_a_version_on_the_picture(picture, kamal):
    first = mark_tooth(picture.id, tooth="36", x=1, y=1, seen=0, actor=kamal)
    same = {"document_id": picture.id, "tooth": "36", "marked_by_id": kamal.id, "marked_at": first.marked_at}
    for wrong in ({"version": 1, "x": 2, "y": 2}, {"version": 2, "x": 1, "y": None}, {"version": 2, "x": 1, "y": 1001}):
        with pytest.raises(DBAPIError), db.session.begin_nested():
            db.session.execute(insert(ToothPlace).values(**same | wrong))
    assert len(held(picture)) == 1
