"""Notes: signed to the letter, approved as signed, returned and signed anew, added to, struck by two."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from clinic import clock
from clinic.canonical import digest
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import Assignment, AuditEvent, Decision, Execution, NoteStatus, NoteType, Notice, Role
from clinic.notes.signed import about_in, said_in
from clinic.operations.notes import (
    MOST_TEXT,
    add_addendum,
    agree_error,
    approve_note,
    refuse_error,
    return_note,
    say_in_error,
    sign_again,
    sign_note,
)
from tests.noted import TEXT, note_by, note_said, signings

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture
def kamal(world):
    return world.user("kamal")


@pytest.fixture
def silva(world):
    return world.user("silva")


@pytest.fixture
def note(world):
    return note_by(world)


def told(person):
    return [
        row.sentence
        for row in db.session.scalars(select(Notice).where(Notice.user_id == person.id).order_by(Notice.id))
    ]


def acts():
    wanted = select(AuditEvent.act).where(AuditEvent.act.like("note.%")).order_by(AuditEvent.id)
    return db.session.scalars(wanted).all()


class TestSigning:
    def test_a_signing_keeps_the_exact_words(self, world, kamal):
        note = note_by(
            world, text="MO on 36.\n\n“Étape” — 吴\t", execution=Execution.COMPLETED, procedure="Restoration",
            teeth=("36", "37"), outcome="No pain", visit_id=world.visits["fernando"],
        )  # fmt: skip
        [signing] = signings(note)
        assert signing.signed.isascii()
        assert digest(signing.signed) == signing.sha256
        assert json.loads(signing.signed)["said"] == said_in(signing.signed)
        assert said_in(signing.signed) == {
            "type": "progress", "execution": "completed", "procedure": "Restoration", "teeth": "36 37",
            "text": "MO on 36.\n\n“Étape” — 吴\t", "outcome": "No pain", "visit_id": world.visits["fernando"],
        }  # fmt: skip
        about = about_in(signing.signed)
        assert (about["author_name"], about["patient_code"], about["number"]) == ("Kamal Dias", "P-2026-00001", 1)
        assert (note.status, note.department_id) == (NoteStatus.SIGNED, world.departments["restorative"])
        assert note.needs_approval
        assert acts() == ["note.sign"]

    def test_a_supervisors_own_is_final_and_nobody_decides_it(self, world, silva):
        note = note_by(world, "silva", type=NoteType.SUPERVISOR_REVIEW)
        assert note.department_id is None
        with pytest.raises(Conflict, match="as a supervisor's own it needs no approval"):
            approve_note(note.id, version=note.version, actor=silva)

    @pytest.mark.parametrize(
        ("said", "why"),
        [
            ({"text": " \n "}, "Write the note"),
            ({"text": "x" * (MOST_TEXT + 1)}, "At most 15,000"),
            ({"teeth": ("99",)}, "teeth"),
            ({"procedure": "x" * 201}, "200"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, world, kamal, said, why):
        with pytest.raises(DomainError, match=why):
            sign_note(world.patient("fernando"), said=note_said(**{"text": TEXT} | said), actor=kamal)

    def test_a_review_is_written_by_supervisors_on_every_path(self, world, kamal, silva, note):
        review = note_said(type=NoteType.SUPERVISOR_REVIEW)
        with pytest.raises(NotAllowed, match="written by supervisors"):
            sign_note(world.patient("fernando"), said=review, actor=kamal)
        return_note(note.id, version=note.version, reason="Which material?", actor=silva)
        with pytest.raises(NotAllowed, match="written by supervisors"):
            sign_again(note.id, version=note.version, said=review, actor=kamal)
        of_silva = note_by(world, "silva", type=NoteType.SUPERVISOR_REVIEW)
        added = add_addendum(of_silva.id, text="Seen by me too.", actor=kamal)
        assert added.type is NoteType.OBSERVATION

    def test_only_of_the_patients_own_visits(self, world, kamal):
        with pytest.raises(DomainError, match="not one of the patient"):
            note_by(world, visit_id=world.visits["perera"])

    @pytest.mark.parametrize(
        ("person", "patient", "refusal"),
        [("kamal", "perera", NotAllowed), ("omar", "fernando", NotAllowed), ("ruwan", "fernando", NotAllowed)],
    )
    def test_of_patients_one_is_given(self, world, person, patient, refusal):
        with pytest.raises(refusal):
            note_by(world, person, patient)

    def test_not_of_archived_patients(self, world, silva, note):
        world.patient("fernando").archived_at = clock.now()
        db.session.flush()
        with pytest.raises(DomainError, match="archived"):
            note_by(world)
        with pytest.raises(DomainError, match="archived"):
            approve_note(note.id, version=note.version, actor=silva)
        with pytest.raises(DomainError, match="archived"):
            add_addendum(note.id, text="More", actor=silva)


class TestDeciding:
    def test_approved_is_exactly_what_was_signed_and_the_author_hears_it(self, note, kamal, silva):
        approve_note(note.id, version=note.version, actor=silva)
        [signing] = signings(note)
        assert (note.status, signing.decision, signing.decided_by_id) == (
            NoteStatus.APPROVED,
            Decision.APPROVED,
            silva.id,
        )
        assert told(kamal) == ["Dr Sunil Silva approved your progress note of P-2026-00001."]
        assert acts() == ["note.sign", "note.approve"]
        with pytest.raises(Conflict, match="Dr Sunil Silva approved this on"):
            return_note(note.id, version=note.version, reason="Too late", actor=silva)

    def test_an_author_without_the_patient_hears_of_it_without_a_word_of_the_patient(self, world, note, kamal, silva):
        ended = update(Assignment).where(Assignment.user_id == kamal.id)
        db.session.execute(ended.values(ends_at=clock.now() - timedelta(seconds=1)))
        return_note(note.id, version=note.version, reason="Which material?", actor=silva)
        assert told(kamal) == ["Dr Sunil Silva returned a note of yours. You are not given the patient any more."]

    def test_words_that_are_not_as_signed_are_not_approved(self, note, silva):
        note.text = "Something else"
        db.session.flush()
        with pytest.raises(DomainError, match="does not read as it was signed"):
            approve_note(note.id, version=note.version, actor=silva)
        assert note.status is NoteStatus.SIGNED

    def test_returned_it_is_signed_anew_and_what_was_before_stays(self, world, note, kamal, silva):
        return_note(note.id, version=note.version, reason="Which material?", actor=silva)
        assert note.status is NoteStatus.RETURNED
        assert "Which material?" in told(kamal)[0]
        with pytest.raises(NotAllowed, match="Only whoever wrote"):
            sign_again(note.id, version=note.version, said=note_said("Mine"), actor=silva)
        sign_again(note.id, version=note.version, said=note_said("Composite A2 in 36."), actor=kamal)
        first, second = signings(note)
        assert (first.decision, first.reason, second.decision) == (Decision.RETURNED, "Which material?", None)
        assert said_in(first.signed)["text"] == TEXT
        assert said_in(second.signed)["text"] == note.text == "Composite A2 in 36."
        approve_note(note.id, version=note.version, actor=silva)
        assert signings(note)[1].decision is Decision.APPROVED
        with pytest.raises(Conflict, match="approved this on") as conflict:
            sign_again(note.id, version=note.version, said=note_said("Changed afterwards"), actor=kamal)
        assert conflict.value.theirs["text"] == "Composite A2 in 36."
        assert conflict.value.mine["text"] == "Changed afterwards"

    def test_a_return_needs_a_reason(self, note, silva):
        with pytest.raises(DomainError, match="Write why you return it"):
            return_note(note.id, version=note.version, reason=" ", actor=silva)

    def test_stale_is_a_conflict(self, world, note, silva):
        seen = note.version
        return_note(note.id, version=seen, reason="Which material?", actor=silva)
        with pytest.raises(Conflict, match="Dr Sunil Silva returned this on .* “Which material\\?”"):
            approve_note(note.id, version=seen, actor=silva)

    @pytest.mark.parametrize("person", ["sato", "kamal", "leela", "adel"])
    def test_by_a_supervisor_of_the_department_who_is_given_the_patient(self, world, note, person):
        with pytest.raises(NotAllowed):
            approve_note(note.id, version=note.version, actor=world.user(person))

    def test_never_by_its_author_though_they_supervise_now(self, world, note, kamal):
        kamal.role, kamal.year = Role.SUPERVISOR, None
        db.session.flush()
        with pytest.raises(DomainError, match="You wrote this yourself"):
            approve_note(note.id, version=note.version, actor=kamal)


class TestAddenda:
    def test_a_note_with_the_same_life(self, note, kamal, silva):
        approve_note(note.id, version=note.version, actor=silva)
        added = add_addendum(note.id, text="The patient called: no pain.", actor=kamal)
        assert (added.addendum_to_id, added.type, added.status) == (note.id, NoteType.PROGRESS, NoteStatus.SIGNED)
        return_note(added.id, version=added.version, reason="When?", actor=silva)
        sign_again(
            added.id, version=added.version, said=note_said("Called at 9:00.", type=NoteType.DIAGNOSIS), actor=kamal
        )
        assert added.type is NoteType.PROGRESS
        approve_note(added.id, version=added.version, actor=silva)
        assert note.text == TEXT
        with pytest.raises(DomainError, match="an addendum itself"):
            add_addendum(added.id, text="And more", actor=kamal)

    def test_not_to_what_was_returned_or_is_struck(self, note, kamal, silva):
        return_note(note.id, version=note.version, reason="Which material?", actor=silva)
        with pytest.raises(Conflict, match="Its author writes it anew"):
            add_addendum(note.id, text="More", actor=kamal)
        say_in_error(note.id, version=note.version, reason="Another patient's", actor=kamal)
        agree_error(note.id, version=note.version, actor=silva)
        with pytest.raises(DomainError, match="Write a new note instead"):
            add_addendum(note.id, text="More", actor=kamal)


class TestInError:
    def test_said_by_one_and_agreed_by_a_second(self, note, kamal, silva):
        approve_note(note.id, version=note.version, actor=silva)
        say_in_error(note.id, version=note.version, reason="Another patient's", actor=kamal)
        assert note.status is NoteStatus.APPROVED
        assert "Do you agree?" in told(silva)[-1]
        with pytest.raises(DomainError, match="You said this yourself"):
            agree_error(note.id, version=note.version, actor=kamal)
        with pytest.raises(Conflict, match="Kamal Dias said that this was entered in error"):
            say_in_error(note.id, version=note.version, reason="Me too", actor=silva)
        agree_error(note.id, version=note.version, actor=silva)
        assert (note.status, note.error_agreed_by_id, note.text) == (NoteStatus.IN_ERROR, silva.id, TEXT)
        assert "agreed that this was entered in error" in told(kamal)[-1]
        with pytest.raises(Conflict, match="and Dr Sunil Silva agreed on"):
            refuse_error(note.id, version=note.version, actor=silva)
        assert acts()[-2:] == ["note.say_in_error", "note.agree_in_error"]

    def test_a_supervisor_asks_the_author(self, note, kamal, silva):
        say_in_error(note.id, version=note.version, reason="Wrong tooth", actor=silva)
        assert "Do you agree?" in told(kamal)[-1]
        agree_error(note.id, version=note.version, actor=kamal)
        assert note.status is NoteStatus.IN_ERROR
        with pytest.raises(Conflict):
            approve_note(note.id, version=note.version, actor=silva)

    def test_it_is_taken_back_or_not_agreed_to(self, note, kamal, silva):
        say_in_error(note.id, version=note.version, reason="Wrong tooth", actor=silva)
        refuse_error(note.id, version=note.version, actor=kamal)
        assert (note.error_said_by_id, note.error_reason, note.status) == (None, "", NoteStatus.SIGNED)
        assert "does not agree" in told(silva)[-1]
        with pytest.raises(Conflict, match="Nobody says any more"):
            agree_error(note.id, version=note.version, actor=kamal)
        approve_note(note.id, version=note.version, actor=silva)

    def test_others_have_no_word_in_it(self, world, note):
        leela = world.user("leela")
        with pytest.raises(NotAllowed):
            say_in_error(note.id, version=note.version, reason="Mine", actor=leela)

    def test_a_reason_and_the_version_are_needed(self, note, kamal, silva):
        with pytest.raises(DomainError, match="Write why this was an error"):
            say_in_error(note.id, version=note.version, reason="", actor=kamal)
        seen = note.version
        approve_note(note.id, version=seen, actor=silva)
        with pytest.raises(Conflict, match="approved this on"):
            say_in_error(note.id, version=seen, reason="Wrong tooth", actor=kamal)
