"""The pages of notes: reading, writing, signing anew, addenda, what was entered in error, prints, and the inbox."""

import json
from html import unescape

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import AuditEvent, Draft, Note, NoteSigning, NoteStatus, NoteType
from clinic.operations.note_templates import add_template
from clinic.operations.notes import agree_error, approve_note, return_note, say_in_error
from tests.charted import entry, stroke
from tests.noted import TEXT, note_by
from tests.queries_counted import counted
from tests.routes.test_glass import glass_of

FIELDS = {"type": "progress", "text": TEXT, "teeth": "36", "execution": "completed", "procedure": "Composite filling"}


@pytest.fixture
def kamal(browser_of):
    return browser_of("kamal")


@pytest.fixture
def silva(browser_of):
    return browser_of("silva")


@pytest.fixture
def fernando(world):
    return world.patients["fernando"]


@pytest.fixture
def signed(app, world):
    with app.app_context():
        number = note_by(world).id
        db.session.commit()
        return number


def note_of(app, number=None) -> Note:
    with app.app_context():
        newest = select(Note).order_by(Note.id.desc()).limit(1)
        found = db.session.get(Note, number) if number else db.session.scalar(newest)
        if found:
            db.session.expunge(found)
        return found


def decide(app, world, number, how, **more):
    with app.app_context():
        note = db.session.get(Note, number)
        how(note.id, version=note.version, actor=world.user(more.pop("by", "silva")), **more)
        db.session.commit()


def count(app, model):
    with app.app_context():
        return db.session.query(model).count()


class TestWriting:
    def test_a_note_is_signed_and_shown(self, app, world, kamal, fernando):
        page = kamal.get(f"/patients/{fernando}/notes/new")
        assert "Write a note" in page.text
        assert "Supervisor review" not in page.text
        answer = kamal.post(f"/patients/{fernando}/notes/new", FIELDS | {"visit_id": world.visits["fernando"]})
        assert answer.status_code == 303, answer.text
        note = note_of(app)
        assert (note.text, note.teeth, note.procedure) == (TEXT, "36", "Composite filling")
        shown = kamal.get(f"/patients/{fernando}/notes").text
        assert TEXT in shown
        assert "NOT APPROVED YET" in shown
        assert "Kamal Dias" in shown

    def test_a_form_with_a_fault_comes_back_as_it_was_typed(self, app, kamal, fernando):
        for htmx in (False, True):
            answer = kamal.post(f"/patients/{fernando}/notes/new", FIELDS | {"teeth": "99"}, htmx=htmx)
            assert answer.status_code == 422
            assert "“99” is no tooth" in unescape(answer.text)
            assert TEXT in answer.text
        assert kamal.post(f"/patients/{fernando}/notes/new", {"type": "progress", "text": " "}).status_code == 422
        assert note_of(app) is None

    def test_twice_is_once(self, app, kamal, fernando):
        for _ in range(2):
            assert kamal.post(f"/patients/{fernando}/notes/new", FIELDS, once="note-of-fernando").status_code == 303
        assert count(app, Note) == count(app, NoteSigning) == 1

    def test_a_students_hand_made_review_is_refused(self, app, kamal, fernando):
        answer = kamal.post(f"/patients/{fernando}/notes/new", FIELDS | {"type": "supervisor_review"})
        assert answer.status_code == 422
        assert note_of(app) is None

    def test_lines_are_kept_as_typed(self, app, kamal, fernando):
        kamal.post(f"/patients/{fernando}/notes/new", FIELDS | {"text": "One\r\n\r\n  two\r\n"})
        assert note_of(app).text == "One\n\n  two"

    @pytest.mark.parametrize(("patient", "status"), [("perera", 404), ("nadia", 404), ("wu", 404)])
    def test_of_a_patient_one_may_not_know_nothing(self, app, world, kamal, patient, status):
        for address in ("notes", "notes/new", "notes.pdf"):
            assert kamal.get(f"/patients/{world.patients[patient]}/{address}").status_code == status
        assert kamal.post(f"/patients/{world.patients[patient]}/notes/new", FIELDS).status_code == status
        assert note_of(app) is None

    @pytest.mark.parametrize("name", ["ruwan", "nimal"])
    def test_the_front_desk_has_no_notes(self, browser_of, fernando, name):
        person = browser_of(name)
        assert person.get(f"/patients/{fernando}/notes").status_code == 403
        assert person.post(f"/patients/{fernando}/notes/new", FIELDS).status_code == 403
        assert "/notes" not in person.get(f"/patients/{fernando}").text

    def test_looking_writes_nothing(self, app, kamal, silva, fernando, signed):
        before = count(app, Note), count(app, NoteSigning), count(app, Draft)
        for address in ("notes", "notes/new", f"notes/{signed}", f"notes/{signed}/addendum", f"notes/{signed}/again"):
            assert kamal.get(f"/patients/{fernando}/{address}").status_code in (200, 303)
        assert before == (count(app, Note), count(app, NoteSigning), count(app, Draft))

    def test_a_broken_glass_reads_and_writes_nothing(self, app, world, browser_of, fernando, signed):
        omar = browser_of("omar")
        glass_of(app, world, "omar", "fernando")
        page = omar.get(f"/patients/{fernando}/notes")
        assert TEXT in page.text
        assert "Write a note" not in page.text
        assert omar.get(f"/patients/{fernando}/notes/{signed}").status_code == 200
        assert omar.get(f"/patients/{fernando}/notes/new").status_code == 403
        assert omar.post(f"/patients/{fernando}/notes/new", FIELDS).status_code in (403, 404)
        assert omar.post(f"/patients/{fernando}/notes/{signed}/addendum", {"text": "x"}).status_code in (403, 404)
        assert count(app, Note) == 1

    def test_of_an_archived_patient_notes_are_read_only(self, app, world, kamal, fernando, signed):
        with app.app_context():
            world.patient("fernando").archived_at = clock.now()
            db.session.commit()
        page = kamal.get(f"/patients/{fernando}/notes")
        assert TEXT in page.text
        assert "Write a note" not in page.text
        assert kamal.post(f"/patients/{fernando}/notes/new", FIELDS).status_code == 422


class TestTemplates:
    def test_a_note_begins_with_what_was_charted_today(self, app, world, kamal, fernando):
        with app.app_context():
            stroke(world, (entry("caries", "36", surfaces="MO", icdas="4"), entry("caries", "11", surfaces="D")))
            template = add_template(
                name="Restoration",
                type=NoteType.TREATMENT,
                text="Of {patient} on {date}.\nTeeth: {teeth}\n{chart}\nRadiographs: {documents}",
                actor=world.user("adel"),
            )
            db.session.commit()
            number = template.id
        page = unescape(kamal.get(f"/patients/{fernando}/notes/new?template={number}").text)
        assert "Of Nimali Fernando, P-2026-00001 on " in page
        assert "- Added: 36, mesial-occlusal: caries" in page
        assert "Teeth: 11, 36" in page
        assert "Radiographs: ___" in page
        assert 'value="11, 36"' in page
        assert '<option selected value="treatment">' in page

    def test_none_of_another_type_of_person_and_no_retired_one(self, app, world, kamal, silva, fernando):
        with app.app_context():
            add_template(name="Review", type=NoteType.SUPERVISOR_REVIEW, text="Seen.", actor=world.user("adel"))
            gone = add_template(name="Gone", type=NoteType.PROGRESS, text="Gone.", actor=world.user("adel"))
            gone.retired_at = clock.now()
            db.session.commit()
        assert ">Review<" not in kamal.get(f"/patients/{fernando}/notes/new").text
        page = silva.get(f"/patients/{fernando}/notes/new").text
        assert ">Review<" in page
        assert ">Gone<" not in page


class TestReading:
    def test_each_says_how_it_stands(self, app, world, kamal, fernando):
        with app.app_context():
            numbers = [
                note_by(world, text=f"Note {word}").id for word in ("waits", "is approved", "is returned", "is struck")
            ]
            note_by(world, "silva", text="Note of a supervisor")
            db.session.commit()
        decide(app, world, numbers[1], approve_note)
        decide(app, world, numbers[2], return_note, reason="Which tooth?")
        decide(app, world, numbers[3], say_in_error, reason="Another patient's", by="kamal")
        decide(app, world, numbers[3], agree_error)
        page = unescape(kamal.get(f"/patients/{fernando}/notes").text)
        for words in (
            "NOT APPROVED YET",
            "APPROVED</",
            "RETURNED, NOT APPROVED",
            "ENTERED IN ERROR",
            "SUPERVISOR'S OWN",
        ):
            assert words in page
        assert "“Which tooth?”" in page.replace("<bdi>", "").replace("</bdi>", "")
        assert "Note is struck" in page
        only = kamal.get(f"/patients/{fernando}/notes?unapproved=y").text
        assert "Note waits" in only
        assert "Note is returned" in only
        assert "Note is approved" not in only
        assert "Note of a supervisor" not in only
        mine = kamal.get(f"/patients/{fernando}/notes?author={world.people['silva']}").text
        assert "Note of a supervisor" in mine
        assert "Note waits" not in mine
        assert "No such note" in kamal.get(f"/patients/{fernando}/notes?type=diagnosis").text
        assert kamal.get(f"/patients/{fernando}/notes?type=nonsense&author=x&after=99").status_code == 200

    def test_page_by_page(self, app, world, kamal, fernando):
        with app.app_context():
            for number in range(25):
                note_by(world, text=f"Note number {number:02}")
            db.session.commit()
        first = kamal.get(f"/patients/{fernando}/notes").text
        assert "Note number 24" in first
        assert "Note number 04" not in first
        after = note_of(app).id - 19
        assert "Note number 04" in kamal.get(f"/patients/{fernando}/notes?after={after}").text

    def test_the_same_number_of_queries_for_many(self, app, world, kamal, fernando):
        def asked(many):
            with app.app_context():
                for number in range(many):
                    note_by(world, text=f"Note {number}")
                db.session.commit()
            kamal.get(f"/patients/{fernando}/notes")
            with counted() as queries:
                kamal.get(f"/patients/{fernando}/notes")
            return len(queries)

        assert asked(3) == asked(30)

    def test_what_was_signed_before_is_one_step_away(self, app, world, kamal, fernando, signed):
        decide(app, world, signed, return_note, reason="Which material?")
        page = kamal.get(f"/patients/{fernando}/notes/{signed}/again")
        assert "Which material?" in page.text
        assert TEXT in page.text
        new = FIELDS | {"text": "Composite A2 placed.", "version": note_of(app, signed).version}
        assert kamal.post(f"/patients/{fernando}/notes/{signed}/again", new).status_code == 303
        for address in ("notes", f"notes/{signed}"):
            page = kamal.get(f"/patients/{fernando}/{address}").text
            assert TEXT in page
            assert "Composite A2 placed." in page
            assert "Which material?" in page
        assert "<ins>" in page
        assert "<del>" in page
        assert kamal.get(f"/patients/{fernando}/notes/{signed}/again").status_code == 303  # signed already

    def test_a_stale_form_is_answered_with_both_texts(self, app, world, kamal, fernando, signed):
        decide(app, world, signed, return_note, reason="Which material?")
        seen = note_of(app, signed).version
        first = FIELDS | {"text": "Signed on another terminal.", "version": seen}
        assert kamal.post(f"/patients/{fernando}/notes/{signed}/again", first).status_code == 303
        answer = kamal.post(
            f"/patients/{fernando}/notes/{signed}/again", FIELDS | {"text": "Mine here.", "version": seen}
        )
        assert answer.status_code == 409
        assert "Kamal Dias signed this on" in answer.text
        assert "Signed on another terminal." in answer.text
        assert "Mine here." in answer.text
        assert note_of(app, signed).text == "Signed on another terminal."

    def test_only_its_author_writes_it_anew(self, app, world, silva, fernando, signed):
        decide(app, world, signed, return_note, reason="Which material?")
        assert silva.get(f"/patients/{fernando}/notes/{signed}/again").status_code == 303
        form = FIELDS | {"version": note_of(app, signed).version}
        assert silva.post(f"/patients/{fernando}/notes/{signed}/again", form).status_code == 403

    def test_a_note_of_another_patient_is_not_found_here(self, app, world, kamal, silva, fernando, signed):
        assert silva.get(f"/patients/{world.patients['perera']}/notes/{signed}").status_code == 404
        assert kamal.get(f"/patients/{fernando}/notes/{signed + 1000}").status_code == 404


class TestAddenda:
    def test_an_addendum_stands_in_its_note(self, app, world, kamal, fernando, signed):
        decide(app, world, signed, approve_note)
        assert TEXT in kamal.get(f"/patients/{fernando}/notes/{signed}/addendum").text
        assert kamal.post(f"/patients/{fernando}/notes/{signed}/addendum", {"text": ""}).status_code == 422
        assert (
            kamal.post(f"/patients/{fernando}/notes/{signed}/addendum", {"text": "No pain since."}).status_code == 303
        )
        page = kamal.get(f"/patients/{fernando}/notes").text
        assert "No pain since." in page
        assert page.count("<article") == 1
        assert "NOT APPROVED YET" in page
        assert note_of(app, signed).status is NoteStatus.APPROVED


class TestInError:
    def test_by_two(self, app, world, kamal, silva, fernando, signed):
        address = f"/patients/{fernando}/notes/{signed}"
        assert "This was entered in error" in kamal.get(address).text
        version = note_of(app, signed).version
        assert kamal.post(f"{address}/in-error", {"version": version, "reason": ""}).status_code == 422
        assert kamal.post(f"{address}/in-error", {"version": version, "reason": "Another patient's"}).status_code == 303
        assert "Take it back" in kamal.get(address).text
        version = note_of(app, signed).version
        assert kamal.post(f"{address}/agree-error", {"version": version}).status_code == 422
        assert "Yes, it was entered in error" in silva.get(address).text
        assert silva.post(f"{address}/agree-error", {"version": version}).status_code == 303
        page = kamal.get(address).text
        assert "ENTERED IN ERROR" in page
        assert TEXT in page
        assert silva.post(f"{address}/refuse-error", {"version": version}).status_code == 409

    def test_taken_back(self, app, kamal, fernando, signed):
        address = f"/patients/{fernando}/notes/{signed}"
        kamal.post(f"{address}/in-error", {"version": note_of(app, signed).version, "reason": "Wrong tooth"})
        assert kamal.post(f"{address}/refuse-error", {"version": note_of(app, signed).version}).status_code == 303
        assert note_of(app, signed).error_said_by_id is None


class TestInbox:
    def test_a_note_is_approved_as_it_is_shown(self, app, silva, signed):
        assert "The progress note of Nimali Fernando" in silva.get("/approvals").text
        page = silva.get(f"/approvals/note/{signed}")
        assert TEXT in page.text
        assert (
            silva.post(f"/approvals/note/{signed}/approve", {"version": note_of(app, signed).version}).status_code
            == 303
        )
        assert note_of(app, signed).status is NoteStatus.APPROVED
        assert "Dr Sunil Silva approved this on" in silva.get(f"/approvals/note/{signed}").text

    def test_a_returned_one_comes_back_as_a_difference(self, app, kamal, silva, fernando, signed):
        back = {"version": note_of(app, signed).version, "reason": "Which material?"}
        assert silva.post(f"/approvals/note/{signed}/return", back).status_code == 303
        assert "Which material?" in kamal.get("/notices").text
        new = FIELDS | {"text": TEXT.replace("composite", "glass ionomer"), "version": note_of(app, signed).version}
        kamal.post(f"/patients/{fernando}/notes/{signed}/again", new)
        page = silva.get(f"/approvals/note/{signed}").text
        assert "Since it was returned" in page
        assert "glass ionomer" in page
        assert '<del><span class="visually-hidden">removed: </span>composite' in page

    def test_not_in_the_inbox_of_others(self, browser_of, signed):
        assert browser_of("sato").get(f"/approvals/note/{signed}").status_code == 404


class TestUnfinished:
    def keep(self, person, form, text="Began to write of 36"):
        assert person.post("/drafts", {"form": form, "fields": json.dumps({"text": [text]})}).status_code == 204

    def test_it_is_listed_where_its_author_works_and_for_nobody_else(self, kamal, silva, fernando):
        self.keep(kamal, f"/patients/{fernando}/notes/new")
        for page in ("/my-queue", "/notices", f"/patients/{fernando}/notes"):
            told = kamal.get(page).text
            assert "You have an unfinished note" in told, page
            assert "Began to write of 36" in told
            assert f'href="/patients/{fernando}/notes/new"' in told
            other = silva.get(page)
            assert "Began to write" not in other.text

    def test_signed_it_is_gone(self, kamal, fernando):
        self.keep(kamal, f"/patients/{fernando}/notes/new")
        kamal.post(f"/patients/{fernando}/notes/new", FIELDS)
        assert "unfinished note" not in kamal.get("/notices").text

    def test_not_of_a_patient_one_has_no_longer(self, world, kamal):
        self.keep(kamal, f"/patients/{world.patients['perera']}/notes/new")
        assert "unfinished note" not in kamal.get("/notices").text


class TestPrint:
    @pytest.fixture(autouse=True)
    def printer(self, monkeypatch):
        self.printed = []
        monkeypatch.setattr("clinic.prints.printer.print_pdf", lambda html: self.printed.append(html) or b"%PDF-1.7")
        monkeypatch.setattr("clinic.kept.find", lambda *_: None)
        monkeypatch.setattr("clinic.kept.keep", lambda *_: None)

    def test_what_is_not_approved_says_so_on_each_page(self, app, world, kamal, fernando, signed):
        answer = kamal.get(f"/patients/{fernando}/notes/{signed}.pdf")
        assert answer.data.startswith(b"%PDF")
        [page] = self.printed
        head = page.partition("<tbody>")[0]
        assert "NOT APPROVED" in head
        assert "Nimali Fernando" in head
        assert TEXT in page
        decide(app, world, signed, approve_note)
        kamal.get(f"/patients/{fernando}/notes/{signed}.pdf")
        assert "NOT APPROVED" not in self.printed[1]
        assert "By Dr Sunil Silva on" in self.printed[1]
        with app.app_context():
            assert db.session.scalars(select(AuditEvent.act).where(AuditEvent.act == "note.print")).all()

    def test_all_notes_in_the_order_in_which_they_were_written(self, app, world, kamal, fernando, signed):
        with app.app_context():
            note_by(world, "silva", text="Seen by me")
            db.session.commit()
        kamal.get(f"/patients/{fernando}/notes.pdf")
        [page] = self.printed
        assert "NOT APPROVED: 1 of 2" in page.partition("<tbody>")[0]
        assert page.index(TEXT) < page.index("Seen by me")
        again = kamal.get(f"/patients/{fernando}/notes.pdf")
        assert (
            kamal.get(f"/patients/{fernando}/notes.pdf", headers={"If-None-Match": again.headers["ETag"]}).status_code
            == 304
        )
