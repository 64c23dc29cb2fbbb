"""What the timeline finds: every kind of event once, in order, page by page, and nothing of a patient whom the viewer may not see."""

from datetime import timedelta

import pytest

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    Category,
    Decision,
    Filling,
    Gate,
    GateKind,
    GateStatus,
    HistoryForm,
    HistoryReview,
    MaterialUse,
    Note,
    NoteSigning,
    NoteStatus,
    NoteType,
    Problem,
    ProblemStatus,
    Severity,
    TaskStatus,
)
from clinic.notes.signed import SAID, signed_body
from clinic.operations.alerts import add_alert, end_alert
from clinic.operations.cases import comment
from clinic.operations.documents import Said, delete_document
from clinic.queries import timeline
from clinic.queries.timeline import SOURCES, timeline_of
from tests.cased import case_of, task_of
from tests.charted import charted
from tests.filed import PDF, file_document
from tests.planned import accepted
from tests.queries_counted import counted

ALL = {source.kind for source in SOURCES}
SAYS = dict.fromkeys(SAID, "") | {"text": "Caries removed.\nFilled in one layer.  " + "x" * 300}
SIGNED = signed_body(SAYS, {})


def of(world, viewer="kamal", **how):
    return timeline_of(world.user(viewer), world.patients["fernando"], **{"kinds": ALL} | how)


def add(row):
    db.session.add(row)
    db.session.flush()
    return row


@pytest.fixture
def full(world, session):
    """Something of every source."""
    kamal, silva, patient, visit = (
        world.user("kamal"),
        world.user("silva"),
        world.patient("fernando"),
        world.visits["fernando"],
    )
    charted(world)
    at, one = clock.now(), {"patient_id": patient.id}
    severe = {"kind": AlertKind.ALLERGY, "severity": Severity.WARNING, "actor": kamal}
    latex = add_alert(patient, label="Latex", detail="Gloves", **severe)
    end_alert(patient, alert_id=latex.id, reason="It was powder", actor=kamal)
    file_document(world, said=Said(Category.RADIOGRAPH, teeth=("36",)))
    letter = file_document(world, body=PDF, name="letter.pdf")
    delete_document(letter.id, version=letter.version, reason="Of somebody else", actor=kamal)
    ended = Assignment(
        **one,
        user_id=silva.id,
        kind=AssignmentKind.OVERSIGHT,
        starts_at=at - timedelta(days=9),
        ends_at=at - timedelta(days=2),
    )
    ended.created_by_id = ended.ended_by_id = world.people["ruwan"]
    ended.end_reason = "On leave"
    add(ended)
    form = add(HistoryForm(code="medical", number=1, title="Medical history", body="{}", sha256="a", published_at=at))
    filling = Filling(
        **one, form_id=form.id, code="medical", number=2, answers="{}", sha256="b", filled_by_id=kamal.id, at=at
    )
    add(filling)
    add(HistoryReview(**one, filling_id=filling.id, day=clock.today(), reviewed_by_id=silva.id, at=at))
    note = Note(**one, type=NoteType.TREATMENT, text="x", author_id=kamal.id, status=NoteStatus.RETURNED, signed_at=at)
    add(note)
    decided = {"decided_by_id": silva.id, "decided_at": at}
    signing = {
        "note_id": note.id,
        "number": 1,
        "signed": SIGNED,
        "sha256": "c",
        "signed_by_id": kamal.id,
        "signed_at": at,
    }
    add(NoteSigning(**signing, **decided, decision=Decision.RETURNED, reason="Which layer?"))
    gate = {
        "visit_id": visit,
        "kind": GateKind.START,
        "number": 1,
        "shown": "{}",
        "sha256": "d",
        "prepared_by_id": kamal.id,
    }
    gate |= {"prepared_at": at, "status": GateStatus.APPROVED, "department_id": kamal.department_id}
    add(Gate(**one, **gate, **decided))
    how = {
        "words": "Pulpitis",
        "code": "K04.0",
        "system": "ICD-10",
        "teeth": "36",
        "noted_by_id": kamal.id,
        "noted_at": at,
    }
    ends = {"status": ProblemStatus.RESOLVED, "ended_at": at, "ended_by_id": silva.id, "end_reason": "Treated"}
    add(Problem(**one, **how, **ends))
    case = case_of(world)
    task_of(world, case, TaskStatus.RETURNED)
    comment(case.id, words="Between us", actor=kamal)
    used = {"visit_id": visit, "material": "Composite A2", "lot": "L-77", "quantity": 2, "unit": "capsule"}
    used |= {"recorded_by_id": kamal.id, "recorded_at": at}
    add(MaterialUse(**one, **used, taken_back_by_id=silva.id, taken_back_at=at, reason="Not used"))
    accepted(world)


def test_every_source_is_told_once_in_the_order_of_time(world, full):
    found = of(world)
    places = [(event.place.at, event.place.rank, event.place.id) for event in found.events]
    assert places == sorted(places, reverse=True)
    assert len({place[1:] for place in places}) == len(places)
    assert {event.source for event in found.events} == {source.name for source in SOURCES}
    assert found.more is None
    told = {event.source: event.told for event in reversed(found.events)}
    assert told["alert"].words == "Allergy recorded: Latex"
    assert told["alert"].more == ("Gloves",)
    assert (told["alert-ended"].by, told["alert-ended"].more) == ("Kamal Dias", ("It was powder",))
    assert told["document"].words.startswith(("A radiograph filed", "A letter filed"))
    assert told["deleted"].more == ("Of somebody else",)
    assert told["taken"].words == "Dr Sunil Silva has the patient no longer, oversight"
    assert told["filling"].words == "Medical history filled for the 2nd time"
    assert told["note"].words.startswith("Treatment note: Caries removed. Filled in one layer. xxx")
    assert told["note"].words.endswith(" …")
    assert told["note-decided"].words == "Note of Kamal Dias returned"
    assert told["gate-decided"].words == "Approval to start given"
    assert told["decided"].words == "Version 1 of the chart approved"
    assert told["problem"].words == "Problem: K04.0 Pulpitis, 36"
    assert told["problem-ended"].words == "Problem resolved: K04.0 Pulpitis, 36"
    cases = [event.told for event in found.events if event.source == "case"]
    assert [each.words for each in cases][:2] == ["Returned “Preparation”", "Completed “Preparation”"]
    assert cases[-1].words == "Opened the case “Crown on 36”"
    assert cases[0].more == ("Margin open distally",)
    assert told["version"].number == 2
    assert told["material"].words == "Used 2 capsule Composite A2, lot L-77"
    assert told["material-back"].more == ("Not used",)
    strokes = [event.told for event in found.events if event.source == "stroke"]
    assert len(strokes) == 3  # the last plans what was accepted
    assert strokes[2].words.startswith("36, mesial-occlusal: caries")
    assert len(strokes[2].more) == 14  # the other entries, and the reason they share


def test_it_is_read_page_by_page_without_a_gap(world, full, monkeypatch):
    whole = of(world).events
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(timeline, "SIZE", size)
        pages, behind = [], None
        while True:
            found = of(world, behind=behind)
            pages += found.events
            behind = found.more
            if behind is None:
                break
            assert len(found.events) == size
        assert pages == whole


def test_what_is_after_a_day_is_left_out(world, full):
    begin = clock.bounds(clock.today() - timedelta(days=5))[1]
    assert [event.source for event in of(world, upto=begin).events if event.kind == "team"].count("given") >= 1
    assert all(event.at < begin for event in of(world, upto=begin).events)
    assert of(world, kinds={"alerts"}).events
    assert {event.kind for event in of(world, kinds={"alerts", "notes"}).events} == {"alerts", "notes"}
    assert of(world, kinds=()).events == []


@pytest.mark.parametrize("name", ["omar", "sato", "leela", "adel"])
def test_who_is_not_given_the_patient_is_shown_nothing(world, full, name):
    assert of(world, name).events == []


def test_the_front_desk_is_not_told_of_pictures_of_the_mouth(world, full):
    names = {event.told.words for event in of(world, "ruwan").events if event.kind == "documents"}
    assert names == {"A letter filed: letter.pdf", "Document deleted: letter.pdf"}


def test_a_page_costs_the_same_however_long_the_record_is(world, full):
    with counted() as few:
        of(world)
    kamal = world.user("kamal")
    at = clock.now()
    for number in range(400):
        stood = {"severity": Severity.NOTE, "label": f"Note {number}", "created_by_id": kamal.id}
        db.session.add(
            Alert(
                patient_id=world.patients["fernando"],
                kind=AlertKind.HANDLING,
                created_at=at - timedelta(hours=number),
                **stood,
            )
        )
    db.session.flush()
    with counted() as many:
        assert len(of(world).events) == timeline.SIZE
    assert len(many) <= len(few)


def test_a_task_is_called_by_its_title_whatever_words_are_in_it(world, session):
    task_of(world, case_of(world), title="Discuss the case")
    told = [event.told.words for event in of(world).events if event.source == "case"]
    assert told == ["Assigned “Discuss the case”", "Opened the case “Crown on 36”"]
