"""The two gates: what they ask for, whom they keep, how they are decided, and what a later change does to them."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.approvals.gate_dismiss import dismissal_facts
from clinic.chart.kinds import Status
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    AuditEvent,
    Category,
    DocumentStatus,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    Note,
    NoteStatus,
    NoteType,
    Notice,
    PlanStatus,
    Severity,
    Stage,
    ToothMatch,
    Visit,
    VisitStatus,
)
from clinic.operations import gates, queue
from clinic.operations.chart import change_entry, enter_in_error
from clinic.operations.documents import Said, delete_document, describe_document
from clinic.operations.extensions import extend, remind
from clinic.operations.notes import Said as Note_
from clinic.operations.notes import return_note, sign_again, sign_note
from clinic.operations.plans import approve_plan
from clinic.operations.sign_off import approve_chart, send_chart, withdraw_chart
from clinic.operations.tooth_places import mark_tooth
from clinic.operations.visits import change_student
from clinic.queries import gates as found
from clinic.queries import unapproved
from clinic.queries.chart import mouth_of, stroke_of
from tests.charting import chart_line
from tests.filed import file_document
from tests.gated import (
    dismissal_asked,
    dismissed,
    gates_on,
    given,
    seated,
    setting,
    stage_of,
    start_asked,
    started,
    threads_of,
)
from tests.planned import accepted, approved, estimate_of, sent
from tests.scene import entry_of, put_in_queue, second_supervisor
from tests.trail import written_when_asked_for


@pytest.fixture
def on(session):
    gates_on()


def visit_of(world, patient="fernando"):
    return db.session.get_one(Visit, world.visits[patient], populate_existing=True)


def go(world, to, patient="fernando", actor="ruwan"):
    entry = entry_of(world, patient)
    return queue.move(entry.id, to=to, version=entry.version, actor=world.user(actor))


def do(world, status, patient="fernando", actor="kamal", thread=None):
    """Say of what is planned that it goes on."""
    entries = [e for e in mouth_of(world.patients[patient]).entries if thread in (None, e.thread)]
    return change_entry(
        world.patient(patient),
        entry_id=entries[-1].id,
        seen=stroke_of(world.patients[patient]),
        status=status,
        actor=world.user(actor),
        reason="As planned",
    )


class TestPreparingAStart:
    def test_it_waits_for_the_supervisors_with_exactly_what_was_made_sure_of(self, world, on):
        seated(world)
        gate = start_asked(world)
        assert (gate.kind, gate.status, gate.number) == (GateKind.START, GateStatus.PENDING, 1)
        shown = found.shown_of(gate)
        assert shown["identity"] == ["name", "birth_date"]
        assert [label for *_, label in shown["alerts"]] == ["Penicillin"]
        assert shown["history"]["by"] == "Kamal Dias"
        assert shown["items"][0]["teeth"] == "36"
        assert gate.sha256 == found.digest(shown)
        items = db.session.scalars(select(GateItem).where(GateItem.gate_id == gate.id)).all()
        assert [item.subject for item in items] == [f"entry:{thread}" for thread in threads_of(world)]
        assert [each.id for each in found.waiting_gates(world.user("silva"), GateKind.START)] == [gate.id]
        assert found.waiting_gates(world.user("sato"), GateKind.START) == []

    @pytest.mark.parametrize(
        ("lacks", "said"),
        [
            ({"identity": ("name",)}, "two identifiers"),
            ({"identity": ("name", "shoe size")}, "two identifiers"),
            ({"alerts": ()}, "Penicillin"),
            ({"threads": ()}, "Choose what is to be done"),
            ({"site": False}, "tooth or site"),
            ({"no_radiograph": ""}, "radiograph"),
        ],
    )
    def test_nothing_of_it_may_be_left_out(self, world, on, lacks, said):
        seated(world)
        with pytest.raises(DomainError, match=said):
            start_asked(world, **lacks)

    def test_words_do_where_nothing_is_planned(self, world, on):
        seated(world, plan="")
        gate = start_asked(world, done="Examination", site=False)
        assert found.shown_of(gate)["done"] == "Examination"

    def test_the_history_must_be_of_today(self, world, on):
        put_in_queue(world, "fernando", Stage.IN_CHAIR)
        with pytest.raises(DomainError, match="not looked through today"):
            start_asked(world, done="Examination")

    @pytest.mark.parametrize("stage", [Stage.WAITING, Stage.CALLED, Stage.CHECKOUT])
    def test_only_of_a_patient_in_a_chair(self, world, on, stage):
        seated(world, stage=stage)
        with pytest.raises(DomainError, match="not in a chair"):
            start_asked(world)

    def test_only_by_those_who_are_given_the_patient(self, world, on):
        seated(world)
        with pytest.raises(NotAllowed):
            start_asked(world, actor="leela")
        with pytest.raises(NotAllowed):
            start_asked(world, actor="ruwan")

    def test_one_waits_at_a_time_and_can_be_taken_back(self, world, on):
        seated(world)
        gate = start_asked(world)
        with pytest.raises(Conflict, match="Kamal Dias asked for Approval to Start"):
            start_asked(world)
        with pytest.raises(NotAllowed):
            gates.withdraw_gate(gate.id, version=gate.version, actor=world.user("silva"))
        gates.withdraw_gate(gate.id, version=gate.version, actor=world.user("kamal"))
        assert start_asked(world).number == 2

    def test_another_patients_plan_and_pictures_are_none(self, world, on):
        seated(world)
        chart_line(world.patient("perera"), "11 x plan", actor=world.user("leela"), reason="y")
        with pytest.raises(Conflict, match="no longer planned"):
            start_asked(world, threads=threads_of(world, "perera"))
        picture = file_document(world, "perera", "leela")
        with pytest.raises(Conflict, match="no longer there"):
            start_asked(world, radiographs=[picture.id])


class TestStarting:
    def test_the_card_goes_on_by_itself(self, world, on):
        seated(world)
        with pytest.raises(DomainError, match="Nobody has approved the start"):
            go(world, Stage.IN_TREATMENT)
        gate = started(world)
        assert gate.status is GateStatus.APPROVED
        assert stage_of(world) is Stage.IN_TREATMENT

    def test_undone_it_can_be_begun_again_without_asking_anew(self, world, on):
        seated(world)
        started(world)
        entry = entry_of(world, "fernando")
        queue.undo_last_move(entry.id, version=entry.version, actor=world.user("silva"))
        assert stage_of(world) is Stage.IN_CHAIR
        go(world, Stage.IN_TREATMENT, actor="kamal")

    def test_nothing_planned_begins_before(self, world, on):
        seated(world)
        for status in (Status.IN_PROCESS, Status.COMPLETED):
            with pytest.raises(DomainError, match="no start is approved"):
                do(world, status)
        with pytest.raises(DomainError, match="no start is approved"):
            chart_line(world.patient("fernando"), "37 o am done", actor=world.user("kamal"), reason="x")
        started(world)
        do(world, Status.IN_PROCESS)
        do(world, Status.COMPLETED)

    def test_only_what_was_chosen_begins(self, world, on):
        seated(world, plan="36 o am plan; 26 o am plan")
        first, second = threads_of(world)
        started(world, threads=[first])
        with pytest.raises(DomainError, match="not among what was approved"):
            do(world, Status.IN_PROCESS, thread=second)
        do(world, Status.IN_PROCESS, thread=first)

    def test_a_students_work_in_anothers_name_is_held_too(self, world, on):
        seated(world)
        with pytest.raises(DomainError, match="no start is approved"):
            change_entry(
                world.patient("fernando"), entry_id=mouth_of(world.patients["fernando"]).entries[0].id,
                seen=stroke_of(world.patients["fernando"]), status=Status.COMPLETED,
                performer_id=world.people["silva"], actor=world.user("kamal"),
            )  # fmt: skip

    def test_a_supervisors_own_hands_need_nobody(self, world, on):
        seated(world)
        do(world, Status.COMPLETED, actor="silva")

    def test_what_cannot_be_undone_is_planned_first(self, world, on):
        seated(world)
        started(world)
        with pytest.raises(DomainError, match="plan it on the chart first"):
            chart_line(world.patient("fernando"), "18 x done", actor=world.user("kamal"), reason="x")
        chart_line(world.patient("fernando"), "37 o am done", actor=world.user("kamal"), reason="Found under it")

    def test_yesterdays_approval_starts_nothing_today(self, world, on):
        seated(world)
        started(world)
        with clock.frozen(clock.now() + timedelta(days=1)), pytest.raises(DomainError, match="no start is approved"):
            do(world, Status.IN_PROCESS)

    def test_nobody_starts_in_another_department_on_this_approval(self, world, on):
        seated(world)
        gate = start_asked(world)
        entry = entry_of(world, "fernando")
        to = world.departments["orthodontics"]
        queue.transfer(entry.id, version=entry.version, department_id=to, reason="Brackets", actor=world.user("ruwan"))
        db.session.refresh(gate)
        assert gate.status is GateStatus.WITHDRAWN
        assert found.started_in(visit_of(world)) is None

    def test_switched_off_it_keeps_nobody(self, world, session):
        seated(world)
        go(world, Stage.IN_TREATMENT)
        do(world, Status.COMPLETED)


class TestAHandOver:
    """Whoever takes a patient over asks anew: what was approved was who treats, too."""

    def handed(self, world, to="leela"):
        given(world, "fernando", to)
        change_student(visit_of(world), to=world.user(to), actor=world.user("ruwan"))

    def test_a_start_does_not_go_on_to_whoever_treats_next(self, world, on):
        seated(world)
        started(world)
        self.handed(world)
        with pytest.raises(DomainError, match="no start is approved in this visit for Leela"):
            do(world, Status.IN_PROCESS, actor="leela")
        entry = entry_of(world, "fernando")
        queue.undo_last_move(entry.id, version=entry.version, actor=world.user("silva"))
        with pytest.raises(DomainError, match="Nobody has approved the start"):
            go(world, Stage.IN_TREATMENT)
        assert found.marks_of([world.visits["fernando"]]) == {}
        gate = start_asked(world, actor="leela")
        gates.approve_start(gate.id, version=gate.version, actor=world.user("silva"))
        do(world, Status.IN_PROCESS, actor="leela")

    def test_nor_does_one_that_waits(self, world, on):
        seated(world)
        gate = start_asked(world)
        self.handed(world)
        with pytest.raises(Conflict, match="treats Nimali Fernando by now"):
            gates.approve_start(gate.id, version=gate.version, actor=world.user("silva"))

    def test_nobody_else_goes_on_in_the_students_name(self, world, on):
        seated(world)
        started(world)
        given(world, "fernando", "leela")
        with pytest.raises(DomainError, match="no start is approved in this visit for Leela"):
            change_entry(
                world.patient("fernando"), entry_id=mouth_of(world.patients["fernando"]).entries[0].id,
                seen=stroke_of(world.patients["fernando"]), status=Status.COMPLETED,
                performer_id=world.people["kamal"], actor=world.user("leela"),
            )  # fmt: skip
        do(world, Status.COMPLETED)

    def test_what_a_supervisor_prepared_counts_for_the_student_of_the_visit(self, world, on):
        second_supervisor(world)
        seated(world)
        gate = start_asked(world, actor="prado")
        assert gate.student_id == world.people["kamal"]
        gates.approve_start(gate.id, version=gate.version, actor=world.user("silva"))
        do(world, Status.IN_PROCESS)


class TestDecidingAStart:
    @pytest.fixture
    def gate(self, world, on):
        seated(world)
        return start_asked(world)

    def approve(self, world, gate, who="silva", **more):
        return gates.approve_start(gate.id, version=gate.version, actor=world.user(who), **more)

    @pytest.mark.parametrize("who", ["kamal", "leela", "sato", "ruwan", "nimal", "adel"])
    def test_only_a_supervisor_of_the_department(self, world, gate, who):
        with pytest.raises(NotAllowed):
            self.approve(world, gate, who)

    def test_nobody_approves_what_they_prepared(self, world, on):
        seated(world)
        gate = start_asked(world, actor="silva")
        with pytest.raises(DomainError, match="prepared this yourself"):
            self.approve(world, gate)

    def test_what_has_changed_since_is_not_approved(self, world, gate):
        db.session.add(
            Alert(
                patient_id=world.patients["fernando"], kind=AlertKind.ALLERGY, severity=Severity.CRITICAL,
                label="Latex", created_at=clock.now(), created_by_id=world.people["ruwan"],
            )
        )  # fmt: skip
        db.session.flush()
        with pytest.raises(Conflict, match="alerts of Nimali Fernando have changed"):
            self.approve(world, gate)

    def test_a_plan_that_has_changed_is_not_approved(self, world, gate):
        patient = world.patient("fernando")
        entry = mouth_of(patient.id).entries[0]
        change_entry(
            patient, entry_id=entry.id, seen=stroke_of(patient.id), surfaces="MO", actor=world.user("kamal"), reason="x"
        )
        with pytest.raises(Conflict, match="plan has changed"):
            self.approve(world, gate)

    def test_decided_twice_it_says_who_was_faster(self, world, gate):
        version = gate.version
        self.approve(world, gate)
        with pytest.raises(Conflict, match="Dr Sunil Silva approved this"):
            gates.return_gate(gate.id, version=version, reason="Not yet", actor=world.user("silva"))

    def test_returned_with_a_reason_it_is_prepared_anew(self, world, gate):
        with pytest.raises(DomainError, match="Write why"):
            gates.return_gate(gate.id, version=gate.version, reason="", actor=world.user("silva"))
        gates.return_gate(gate.id, version=gate.version, reason="Take a radiograph", actor=world.user("silva"))
        assert stage_of(world) is Stage.IN_CHAIR
        told = db.session.scalars(select(Notice.sentence).where(Notice.user_id == world.people["kamal"])).all()
        assert any("Take a radiograph" in sentence for sentence in told)
        assert start_asked(world).number == 2

    def test_in_anothers_session_both_are_written_down(self, world, gate):
        with written_when_asked_for():
            self.approve(world, gate, session_of=world.user("kamal"))
            event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "gate.approve")).one()
        assert gate.session_of_id == world.people["kamal"]
        assert event.actor_id == world.people["silva"]
        assert "at the terminal of Kamal Dias" in event.sentence

    def test_a_patient_who_leaves_takes_it_along(self, world, gate):
        entry = entry_of(world, "fernando")
        queue.leave_unseen(entry.id, version=entry.version, reason="Had to go", actor=world.user("ruwan"))
        db.session.refresh(gate)
        assert gate.status is GateStatus.WITHDRAWN
        assert gate.open_key is None


class TestTheRightTooth:
    @pytest.fixture
    def asked(self, world, on):
        """`asked(radiograph teeth, consent teeth)`: a start of an extraction of 36 and its item; None for no such document, and
        `chosen`: whether the student chose them. `self.papers`: the documents."""

        def made(radiograph=("36",), consent=("36",), plan="36 x plan", chosen=True):
            seated(world, plan=plan)
            wanted = (("36.png", Category.RADIOGRAPH, radiograph), ("consent.png", Category.CONSENT, consent))
            with clock.frozen(clock.now() - timedelta(hours=1)):
                self.papers = {
                    category: file_document(world, name=name, said=Said(category, teeth=teeth))
                    for name, category, teeth in wanted
                    if teeth is not None
                }
            ids = {category: [paper.id] for category, paper in self.papers.items() if chosen}
            pictures = ids.get(Category.RADIOGRAPH, [])
            why = {} if pictures else {"no_radiograph": "Mobile, hangs by the gum"}
            gate = start_asked(
                world, radiographs=pictures, consents=ids.get(Category.CONSENT, []), **({"no_radiograph": ""} | why)
            )
            item = db.session.scalars(select(GateItem).where(GateItem.gate_id == gate.id)).first()
            return gate, item.id

        return made

    def approve(self, world, gate, item, typed, second=None, reason=""):
        entered = gates.Teeth({item: typed}, world.people[second] if second else None, reason)
        return gates.approve_start(gate.id, version=gate.version, entered=entered, actor=world.user("silva"))

    @pytest.mark.parametrize("plan", ["36 x plan", "36 rct plan", "36 implant plan"])
    def test_the_supervisor_enters_it_themselves(self, world, asked, plan):
        if "implant" in plan:
            chart_line(world.patient("fernando"), "36 miss", actor=world.user("kamal"), reason="Lost long ago")
        gate, item = asked(plan=plan)
        with pytest.raises(DomainError, match="Enter the tooth yourself"):
            self.approve(world, gate, item, "")
        self.approve(world, gate, item, "36")
        match = db.session.scalars(select(ToothMatch)).one()
        assert (match.entered, match.agrees, match.second_id) == ("36", True, None)

    @pytest.mark.parametrize("typed", ["37", "26", "36 37", "x", "75"])
    def test_another_tooth_is_refused(self, world, asked, typed):
        gate, item = asked()
        with pytest.raises(DomainError, match="not the tooth of the plan"):
            self.approve(world, gate, item, typed, second="leela", reason="I am sure")
        assert db.session.scalars(select(ToothMatch)).all() == []

    def test_in_the_supervisors_own_numbering(self, world, asked):
        gate, item = asked()
        world.user("silva").numbering = "universal"
        db.session.flush()
        with pytest.raises(DomainError, match="not the tooth"):
            self.approve(world, gate, item, "36")
        self.approve(world, gate, item, "19")

    @pytest.mark.parametrize(
        "sources",
        [
            {"radiograph": ("37",)},
            {"consent": ("46",)},
            {"radiograph": None},
            {"consent": None},
            {"radiograph": ()},
            {"consent": ()},
            {"radiograph": ("37",), "chosen": False},
        ],
    )
    def test_where_the_sources_do_not_agree_a_second_person_looks(self, world, asked, sources):
        gate, item = asked(**sources)
        for second, reason in (
            (None, "Mirrored"),
            ("leela", ""),
            ("silva", "Mirrored"),
            ("kamal", "Mirrored"),
            ("ruwan", "Mirrored"),
        ):
            with pytest.raises(DomainError, match=r"second|do not agree"):
                self.approve(world, gate, item, "36", second=second, reason=reason)
        self.approve(world, gate, item, "36", second="leela", reason="The picture is named after the former tooth")
        match = db.session.scalars(select(ToothMatch)).one()
        assert (match.agrees, match.second_id) == (False, world.people["leela"])
        told = db.session.scalars(select(Notice.kind).where(Notice.user_id == world.people["leela"])).all()
        assert "gate.second" in told

    def test_what_names_the_tooth_counts_though_the_student_did_not_choose_it(self, world, asked):
        gate, item = asked(chosen=False)
        self.approve(world, gate, item, "36")
        assert db.session.scalars(select(ToothMatch)).one().agrees

    def test_a_tooth_that_is_marked_on_the_picture_is_named(self, world, asked):
        gate, item = asked(radiograph=())
        gates.withdraw_gate(gate.id, version=gate.version, actor=world.user("kamal"))
        picture, kamal = self.papers[Category.RADIOGRAPH], world.user("kamal")
        mark_tooth(picture.id, tooth="36", x=500, y=500, seen=0, actor=kamal)
        gate = start_asked(world, radiographs=[picture.id], no_radiograph="")
        item = db.session.scalars(select(GateItem.id).where(GateItem.gate_id == gate.id)).one()
        self.approve(world, gate, item, "36")
        assert db.session.scalars(select(ToothMatch)).one().agrees

    def test_a_picture_of_another_item_is_no_mismatch(self, world, asked):
        gate, item = asked(radiograph=("26", "36"), plan="36 x plan; 26 o am plan")
        self.approve(world, gate, item, "36")
        assert db.session.scalars(select(ToothMatch)).one().agrees

    @pytest.mark.parametrize("what", [Category.RADIOGRAPH, Category.CONSENT])
    @pytest.mark.parametrize("became", ["deleted", "quarantined", "described anew", "another category"])
    def test_documents_are_looked_at_anew(self, world, asked, what, became):
        gate, item = asked()
        paper = self.papers[what]
        if became == "deleted":
            delete_document(paper.id, version=paper.version, reason="Another patient's", actor=world.user("kamal"))
        elif became == "quarantined":
            paper.status, paper.why = DocumentStatus.QUARANTINED, "Bytes have changed"
            db.session.flush()
        else:
            said = Said(what, teeth=("37",)) if became == "described anew" else Said(Category.OTHER, teeth=("36",))
            describe_document(paper.id, version=paper.version, said=said, actor=world.user("kamal"))
        with pytest.raises(DomainError, match="do not agree"):
            self.approve(world, gate, item, "36")

    def test_a_tooth_that_is_gone_by_now_is_not_there_to_be_taken_out(self, world, asked):
        gate, item = asked()
        chart_line(world.patient("fernando"), "36 miss", actor=world.user("silva"), reason="It fell out")
        with pytest.raises(DomainError, match="the chart has no such tooth"):
            self.approve(world, gate, item, "36")


class TestPreparingADismissal:
    @pytest.fixture
    def treated(self, world, on):
        seated(world)
        started(world)
        do(world, Status.COMPLETED)

    def test_it_shows_the_visit_as_a_difference(self, world, treated):
        chart_line(world.patient("fernando"), "16 o car", actor=world.user("kamal"), reason="x")
        note = sign_note(
            world.patient("fernando"),
            said=Note_(NoteType.TREATMENT, "Filled under dam", visit_id=world.visits["fernando"]),
            actor=world.user("kamal"),
        )
        picture = file_document(world, said=Said(Category.RADIOGRAPH, visit_id=world.visits["fernando"]))
        gate = dismissal_asked(world)
        items = db.session.scalars(select(GateItem).where(GateItem.gate_id == gate.id)).all()
        subjects = [item.subject for item in items]
        assert len(items) == 4
        assert {f"note:{note.id}", f"document:{picture.id}"} <= set(subjects)
        assert any(item.words.startswith("Changed: 36") for item in items)
        assert any(item.words.startswith("Added: 16") for item in items)
        assert stage_of(world) is Stage.AWAITING_DISMISSAL

    def test_what_was_charted_before_the_visit_is_no_part_of_it(self, world, treated):
        assert len(found.pieces_of(visit_of(world))) == 1

    def test_what_was_changed_and_put_back_is_nothing(self, world, on):
        seated(world)
        started(world)
        patient = world.patient("fernando")
        chart_line(patient, "16 o car", actor=world.user("kamal"), reason="x")
        entry = mouth_of(patient.id).entries[-1]
        enter_in_error(
            patient, entry_id=entry.id, seen=stroke_of(patient.id), reason="Stain", actor=world.user("kamal")
        )
        assert found.pieces_of(visit_of(world)) == []

    def test_seen_otherwise_it_is_not_sent(self, world, treated):
        seen = found.standing_of(visit_of(world)).sha256
        chart_line(world.patient("fernando"), "16 o car", actor=world.user("kamal"), reason="x")
        with pytest.raises(Conflict, match="has changed since you looked"):
            gates.prepare_dismissal(visit_of(world), seen=seen, actor=world.user("kamal"))

    def test_without_any_record_words_are_needed(self, world, on):
        seated(world)
        started(world)
        with pytest.raises(DomainError, match="Nothing was recorded"):
            dismissal_asked(world)
        dismissal_asked(world, words="Examination, nothing found")

    def test_before_treatment_there_is_nothing_to_dismiss(self, world, on):
        seated(world)
        with pytest.raises(DomainError, match="not in treatment"):
            dismissal_asked(world)


class TestDecidingADismissal:
    @pytest.fixture
    def gate(self, world, on):
        seated(world)
        started(world)
        do(world, Status.COMPLETED)
        chart_line(world.patient("fernando"), "16 o car", actor=world.user("kamal"), reason="x")
        sign_note(
            world.patient("fernando"),
            said=Note_(NoteType.TREATMENT, "Filled under dam", visit_id=world.visits["fernando"]),
            actor=world.user("kamal"),
        )
        return dismissal_asked(world)

    def items(self, gate):
        return db.session.scalars(select(GateItem).where(GateItem.gate_id == gate.id).order_by(GateItem.id)).all()

    def test_all_at_once_and_the_card_goes_on(self, world, gate):
        with pytest.raises(DomainError, match="Nobody has approved what this visit changed"):
            go(world, Stage.CHECKOUT)
        gates.approve_dismissal(gate.id, version=gate.version, actor=world.user("silva"))
        assert stage_of(world) is Stage.CHECKOUT
        assert {item.status for item in self.items(gate)} == {GateStatus.APPROVED}
        assert db.session.scalars(select(Note)).one().status is NoteStatus.APPROVED
        assert found.standing_of(visit_of(world)).is_approved
        go(world, Stage.DONE)

    def test_one_by_one_the_last_decides(self, world, gate):
        for item in self.items(gate):
            gate = gates.approve_item(gate.id, item.id, version=gate.version, actor=world.user("silva"))
        assert gate.status is GateStatus.APPROVED
        assert stage_of(world) is Stage.CHECKOUT

    def test_what_was_returned_goes_back_and_the_rest_stays_approved(self, world, gate):
        first, *_rest = self.items(gate)
        gate = gates.return_item(
            gate.id, first.id, version=gate.version, reason="Wrong surface", actor=world.user("silva")
        )
        assert gate.status is GateStatus.PENDING
        gate = gates.approve_dismissal(gate.id, version=gate.version, actor=world.user("silva"))
        assert (gate.status, gate.reason) == (GateStatus.RETURNED, "Wrong surface")
        assert stage_of(world) is Stage.AWAITING_DISMISSAL
        again = dismissal_asked(world)
        assert sorted(item.status for item in self.items(again)) == ["approved", "approved", "pending"]

    def test_it_is_kept_how_much_was_approved_unopened(self, world, gate):
        first, second, _third = self.items(gate)
        for _ in range(2):
            gates.open_item(gate.id, first.id, actor=world.user("silva"))
        shown = found.decidable_gate(world.user("silva"), gate.id)
        assert set(found.opened_items(world.user("silva"), shown)) == {first.id}
        assert found.opened_items(second_supervisor(world), shown) == {}
        with written_when_asked_for():
            gate = gates.approve_item(gate.id, second.id, version=gate.version, actor=world.user("silva"))
            gates.approve_dismissal(gate.id, version=gate.version, actor=world.user("silva"))
            event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "gate.approve")).all()[-1]
        assert [item.opened_at is not None for item in self.items(gate)] == [True, True, False]
        assert (gate.unopened, len(gate.approved)) == (1, 3)
        after = json.loads(event.after)
        assert (after["items"], after["not_opened"]) == (3, 1)

    def test_what_was_opened_once_stays_opened_when_it_is_prepared_anew(self, world, gate):
        first, *_rest = self.items(gate)
        gate = gates.approve_item(gate.id, first.id, version=gate.version, actor=world.user("silva"))
        gates.return_gate(gate.id, version=gate.version, reason="Not the rest", actor=world.user("silva"))
        again = dismissal_asked(world)
        assert [item.opened_at is not None for item in self.items(again)] == [True, False, False]

    def test_only_who_decides_it_opens_it(self, world, gate):
        first, *_rest = self.items(gate)
        for who in ("kamal", "sato", "ruwan"):
            with pytest.raises(NotAllowed):
                gates.open_item(gate.id, first.id, actor=world.user(who))
        other = db.session.scalars(select(GateItem).where(GateItem.gate_id != gate.id)).first()
        with pytest.raises(DomainError, match="not part of"):
            gates.open_item(gate.id, other.id, actor=world.user("silva"))

    def test_a_page_that_showed_less_is_old(self, world, gate):
        first, second, *_rest = self.items(gate)
        version = gate.version
        gates.approve_item(gate.id, first.id, version=version, actor=world.user("silva"))
        with pytest.raises(Conflict):
            gates.approve_item(gate.id, second.id, version=version, actor=world.user("silva"))

    def test_another_gates_item_is_refused(self, world, gate):
        other = db.session.scalars(select(GateItem).where(GateItem.gate_id != gate.id)).first()
        with pytest.raises(DomainError, match="not part of"):
            gates.approve_item(gate.id, other.id, version=gate.version, actor=world.user("silva"))

    def test_what_was_charted_after_it_was_prepared_is_not_approved_unseen(self, world, gate):
        chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="x")
        with pytest.raises(Conflict, match="changed since this was prepared: Added: 17"):
            gates.approve_dismissal(gate.id, version=gate.version, actor=world.user("silva"))

    def test_nobody_approves_their_own_hands(self, world, on):
        seated(world)
        started(world)
        change_entry(
            world.patient("fernando"), entry_id=mouth_of(world.patients["fernando"]).entries[0].id,
            seen=stroke_of(world.patients["fernando"]), status=Status.COMPLETED, performer_id=world.people["silva"],
            actor=world.user("kamal"),
        )  # fmt: skip
        gate = dismissal_asked(world)
        with pytest.raises(DomainError, match="performed or wrote a part"):
            gates.approve_dismissal(gate.id, version=gate.version, actor=world.user("silva"))
        second_supervisor(world)
        gates.approve_dismissal(gate.id, version=gate.version, actor=world.user("prado"))

    def test_what_a_supervisor_charts_needs_nobody(self, world, on):
        seated(world)
        started(world)
        chart_line(world.patient("fernando"), "17 o car", actor=world.user("silva"), reason="x")
        do(world, Status.COMPLETED, thread=threads_of(world)[0])
        gate = dismissal_asked(world)
        assert len(self.items(gate)) == 1
        assert len(found.shown_of(gate)["pieces"]) == 2


class TestChangedAfterApproval:
    @pytest.fixture
    def gate(self, world, on):
        seated(world)
        started(world)
        do(world, Status.COMPLETED)
        self.at = clock.now()
        return dismissed(world)

    def test_on_the_chart(self, world, gate):
        chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="x")
        standing = found.standing_of(visit_of(world))
        assert standing.changed
        assert not standing.is_approved
        assert [each.id for each in found.changed_gates(world.user("silva"))] == [gate.id]
        assert found.changed_gates(world.user("sato")) == []

    def test_in_a_note_or_a_document(self, world, gate):
        sign_note(
            world.patient("fernando"),
            said=Note_(NoteType.PROGRESS, "And this", visit_id=world.visits["fernando"]),
            actor=world.user("kamal"),
        )
        assert [each.id for each in found.changed_gates(world.user("silva"))] == [gate.id]

    def test_it_goes_back_and_then_on_again(self, world, gate):
        entry = entry_of(world, "fernando")
        queue.undo_last_move(entry.id, version=entry.version, actor=world.user("silva"))
        chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="x")
        with pytest.raises(DomainError, match="changed after Dr Sunil Silva approved"):
            go(world, Stage.CHECKOUT)
        dismissed(world)
        assert stage_of(world) is Stage.CHECKOUT

    def test_the_supervisor_approves_what_was_changed(self, world, gate):
        chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="x")
        version = gates.version_of(found.standing_of(visit_of(world)))
        with pytest.raises(Conflict, match="changed again"):
            gates.approve_changes(gate.id, version=version + 1, actor=world.user("silva"))
        second = gates.approve_changes(gate.id, version=version, actor=world.user("silva"))
        assert (second.number, second.status, second.prepared_by_id) == (2, GateStatus.APPROVED, world.people["kamal"])
        assert found.standing_of(visit_of(world)).is_approved
        assert found.changed_gates(world.user("silva")) == []

    def test_or_returns_it(self, world, gate):
        chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="x")
        version = gates.version_of(found.standing_of(visit_of(world)))
        second = gates.return_changes(gate.id, version=version, reason="Where from?", actor=world.user("silva"))
        assert second.status is GateStatus.RETURNED
        assert found.changed_gates(world.user("silva")) == []
        assert found.standing_of(visit_of(world)).changed
        assert [
            item.status for item in db.session.scalars(select(GateItem).where(GateItem.gate_id == second.id))
        ].count(GateStatus.APPROVED) == 1

    def test_not_with_a_note_that_was_returned(self, world, gate):
        patient, visit = world.patient("fernando"), world.visits["fernando"]
        note = sign_note(patient, said=Note_(NoteType.PROGRESS, "And this", visit_id=visit), actor=world.user("kamal"))
        return_note(note.id, version=note.version, reason="Which tooth?", actor=world.user("silva"))
        version = gates.version_of(found.standing_of(visit_of(world)))
        with pytest.raises(Conflict, match="was returned to its author"):
            gates.approve_changes(gate.id, version=version, actor=world.user("silva"))
        second = gates.return_changes(gate.id, version=version, reason="As I wrote", actor=world.user("silva"))
        assert second.status is GateStatus.RETURNED

    def test_the_next_visit_is_its_own(self, world, gate):
        go(world, Stage.DONE)
        visit = visit_of(world)
        with clock.frozen(clock.now() + timedelta(days=2)):
            later = Visit(
                patient_id=visit.patient_id, department_id=visit.department_id, starts_at=clock.now(), status=VisitStatus.ARRIVED,
                arrived_at=clock.now(), student_id=visit.student_id, created_at=clock.now(), created_by_id=visit.created_by_id,
            )  # fmt: skip
            db.session.add(later)
            db.session.flush()
            chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="x")
            assert found.standing_of(visit_of(world)).is_approved
            assert found.changed_gates(world.user("silva")) == []
            assert len(found.pieces_of(later)) == 1


class TestPlans:
    def test_what_was_sent_is_told_in_the_dismissal_and_decided_by_itself(self, world, on):
        seated(world)
        started(world)
        do(world, Status.COMPLETED)
        plan = sent(world)
        [piece] = [each for each in found.pieces_of(visit_of(world)) if each.subject == f"plan:{plan.id}"]
        assert (piece.by, piece.is_students) == ("Kamal Dias", False)
        code = estimate_of(plan).code
        assert piece.words.startswith(
            f"Plan of treatment “Lower right” sent as {code}: option A, Root canal and crown (46: "
        )
        assert "option B, Extraction (46: extraction: 1 visit, " in piece.words
        gate = dismissed(world)
        assert f"plan:{plan.id}" not in {item.subject for item in gate.items}
        facts = dismissal_facts(world.user("silva"), gate)
        page = f"/patients/{world.patients['fernando']}/plans/{plan.id}"
        assert facts["others"] == [(piece.words, "Kamal Dias", page, True)]
        assert plan.status is PlanStatus.SENT
        approve_plan(plan.id, version=plan.version, options=None, actor=world.user("silva"))
        assert found.standing_of(visit_of(world)).is_approved

    def test_and_what_the_patient_accepted(self, world, on):
        with clock.frozen(clock.now() - timedelta(hours=2)):
            plan = approved(world)
        seated(world, plan="")
        assert found.pieces_of(visit_of(world)) == []
        accepted(world, plan=plan)
        words = [each.words for each in found.pieces_of(visit_of(world)) if each.subject == f"plan:{plan.id}"]
        assert words == ["Plan of treatment “Lower right” accepted by the patient"]


class TestTheDay:
    def test_is_closed_without_gates_and_says_so(self, world, on):
        seated(world)
        started(world)
        entry = entry_of(world, "fernando")
        department = world.department("restorative")
        closed = queue.close_day(department, outcomes={entry.id: "did_not_finish"}, actor=world.user("nimal"))
        assert closed[0].note == "Day closed: did not finish today, without approval of dismissal"
        assert visit_of(world).status is VisitStatus.COMPLETED

    def test_what_was_done_is_dismissed_later(self, world, on):
        seated(world)
        started(world)
        do(world, Status.COMPLETED)
        entry = entry_of(world, "fernando")
        queue.close_day(world.department("restorative"), outcomes={entry.id: "done"}, actor=world.user("nimal"))
        assert [work.kind for work in unapproved.work_of(world.user("kamal"), world.people["kamal"])] == ["visit"]
        gate = dismissed(world)
        assert gate.status is GateStatus.APPROVED
        assert unapproved.work_of(world.user("kamal"), world.people["kamal"]) == []


class TestUnapprovedWork:
    @pytest.fixture
    def old(self, world, on):
        with clock.frozen(clock.now() - timedelta(days=9)):
            sign_note(world.patient("fernando"), said=Note_(NoteType.PROGRESS, "Long ago"), actor=world.user("kamal"))
        seated(world)

    def test_it_is_counted_by_days(self, world, old):
        sign_note(world.patient("fernando"), said=Note_(NoteType.PROGRESS, "Now"), actor=world.user("kamal"))
        (row,) = unapproved.ageing_for(world.user("silva"))
        assert (row.student.name, row.fresh, row.week, row.old) == ("Kamal Dias", 1, 0, 1)
        assert unapproved.ageing_for(world.user("sato")) == []
        (own,) = unapproved.ageing_for(world.user("kamal"))
        assert own.total == 2
        assert unapproved.ageing_for(world.user("ruwan")) == []

    def test_it_keeps_from_new_starts(self, world, old):
        with pytest.raises(DomainError, match="1 piece of your work is unapproved for more than 7 days"):
            start_asked(world)
        setting("block_days", 0)
        start_asked(world)

    def test_a_supervisor_gives_more_time(self, world, old):
        today = clock.today()
        for who, until in (
            ("kamal", today),
            ("sato", today),
            ("silva", today - timedelta(days=1)),
            ("silva", today + timedelta(days=99)),
        ):
            with pytest.raises(DomainError):
                extend(world.people["kamal"], until=until, reason="Was ill", actor=world.user(who))
        extend(world.people["kamal"], until=today, reason="Was ill", actor=world.user("silva"))
        start_asked(world)
        assert unapproved.extension_of(world.people["kamal"]).reason == "Was ill"

    def test_the_block_looks_at_the_student_of_the_visit_too(self, world, old):
        second_supervisor(world)
        given(world, "fernando", "leela")
        for who in ("prado", "leela"):
            with pytest.raises(DomainError, match="1 piece of Kamal Dias's work is unapproved"):
                start_asked(world, actor=who)

    def test_it_reminds_once_a_week(self, world, old):
        assert remind()[0] == 1
        remind()
        told = select(Notice).where(Notice.user_id == world.people["kamal"], Notice.kind == "unapproved")
        assert len(db.session.scalars(told).all()) == 1


class TestTheAgeOfWork:
    """It begins with the work, and nothing that is done to its papers begins it anew."""

    @staticmethod
    def later(days):
        return clock.frozen(clock.now() + timedelta(days=days))

    def work(self, world, who="kamal"):
        return [(each.kind, each.days) for each in unapproved.work_of(world.user("silva"), world.people[who])]

    @pytest.fixture
    def ended(self, world, on):
        """A visit that the day's end closed, with work in it."""
        seated(world)
        started(world)
        do(world, Status.COMPLETED)
        entry = entry_of(world, "fernando")
        queue.close_day(world.department("restorative"), outcomes={entry.id: "done"}, actor=world.user("nimal"))

    def test_a_dismissal_taken_back_and_sent_again_is_as_old_as_the_visit(self, world, ended):
        for days in (3, 5, 9):
            with self.later(days):
                gate = dismissal_asked(world)
                assert self.work(world) == [("dismiss", days)]
                gates.withdraw_gate(gate.id, version=gate.version, actor=world.user("kamal"))
                assert self.work(world) == [("visit", days)]
        with self.later(9):
            gate = dismissal_asked(world)
            gates.return_gate(gate.id, version=gate.version, reason="Write more", actor=world.user("silva"))
            assert self.work(world) == [("dismiss-returned", 9)]
            assert unapproved.number_older(world.people["kamal"], 7) == 1

    def test_it_is_the_students_whoever_prepares_it(self, world, ended):
        visit, prado = visit_of(world), second_supervisor(world)
        gates.prepare_dismissal(visit, seen=found.standing_of(visit).sha256, actor=prado)
        assert self.work(world) == [("dismiss", 0)]
        assert self.work(world, "prado") == []

    def test_a_note_returned_and_signed_anew_is_as_old_as_its_first_signing(self, world, session):
        patient, kamal, silva = world.patient("fernando"), world.user("kamal"), world.user("silva")
        note = sign_note(patient, said=Note_(NoteType.PROGRESS, "First"), actor=kamal)
        return_note(note.id, version=note.version, reason="More", actor=silva)
        with self.later(8):
            sign_again(note.id, said=Note_(NoteType.PROGRESS, "First, and more"), version=note.version, actor=kamal)
            assert self.work(world) == [("note", 8)]

    def test_a_chart_taken_back_and_sent_again_is_as_old_as_the_first_time(self, world, session):
        patient, kamal = world.patient("fernando"), world.user("kamal")
        chart_line(patient, "16 o car", actor=kamal, reason="x")
        sign_off = send_chart(patient, words="", seen=stroke_of(patient.id), actor=kamal)
        withdraw_chart(sign_off.id, version=sign_off.version, actor=kamal)
        with self.later(8):
            chart_line(patient, "17 o car", actor=kamal, reason="x")
            sign_off = send_chart(patient, words="", seen=stroke_of(patient.id), actor=kamal)
            assert self.work(world) == [("chart", 8)]
            approve_chart(sign_off.id, version=sign_off.version, reason="", actor=world.user("silva"))
            chart_line(patient, "18 o car", actor=kamal, reason="x")
            send_chart(patient, words="", seen=stroke_of(patient.id), actor=kamal)
            assert self.work(world) == [("chart", 0)]

    def test_what_was_changed_after_approval_counts_from_the_change(self, world, ended):
        dismissed(world)
        assert self.work(world) == []
        patient = world.patient("fernando")
        with self.later(1):
            chart_line(patient, "17 o car", actor=world.user("silva"), reason="Mine")
            assert self.work(world) == []
        with self.later(2):
            chart_line(patient, "16 o car", actor=world.user("kamal"), reason="x")
            assert self.work(world) == [("changed", 0)]
        with self.later(6):
            gate = dismissal_asked(world)
            assert self.work(world) == [("dismiss", 4)]
            gates.withdraw_gate(gate.id, version=gate.version, actor=world.user("kamal"))
            assert self.work(world) == [("changed", 4)]
            setting("block_days", 3)
            with pytest.raises(DomainError, match="unapproved for more than 3 days"):
                gates.check_not_blocked(world.user("kamal"), actor=world.user("kamal"))
            version = gates.version_of(found.standing_of(visit_of(world)))
            last = found.last_gate(world.visits["fernando"], GateKind.DISMISS)
            gates.approve_changes(last.id, version=version, actor=world.user("silva"))
            assert self.work(world) == []

    def test_a_document_that_was_described_anew_counts_too(self, world, on):
        with written_when_asked_for():
            seated(world)
            started(world)
            picture = file_document(world, said=Said(Category.RADIOGRAPH, visit_id=world.visits["fernando"]))
            dismissed(world)
            assert self.work(world) == []
            said = Said(Category.RADIOGRAPH, teeth=("37",), visit_id=world.visits["fernando"])
            describe_document(picture.id, version=picture.version, said=said, actor=world.user("kamal"))
            assert self.work(world) == [("changed", 0)]

    def test_without_the_first_gate_the_end_of_a_treated_visit_counts(self, world, ended):
        setting("start_gate", False)
        assert self.work(world) == []  # nobody asked for a dismissal yet, in this whole clinic
        at = clock.now() - timedelta(days=20)
        db.session.add(
            Gate(
                patient_id=world.patients["perera"],
                visit_id=world.visits["perera"],
                kind=GateKind.DISMISS,
                number=1,
                shown="{}",
                sha256="0" * 64,
                department_id=world.departments["restorative"],
                prepared_at=at,
                prepared_by_id=world.people["leela"],
                status=GateStatus.WITHDRAWN,
                decided_at=at,
            )  # fmt: skip
        )
        db.session.flush()
        assert self.work(world) == [("visit", 0)]
        setting("dismiss_gate", False)
        assert self.work(world) == []


def test_a_described_document_comes_back(world, on):
    seated(world)
    started(world)
    with written_when_asked_for():
        picture = file_document(world, said=Said(Category.RADIOGRAPH, visit_id=world.visits["fernando"]))
        gate = dismissed(world)
        assert found.changed_gates(world.user("silva")) == []
        said = Said(Category.RADIOGRAPH, teeth=("37",), visit_id=world.visits["fernando"])
        describe_document(picture.id, version=picture.version, said=said, actor=world.user("kamal"))
        assert [each.id for each in found.changed_gates(world.user("silva"))] == [gate.id]
        assert found.standing_of(visit_of(world)).changed


@pytest.mark.parametrize("decide", ["approve", "return"])
def test_of_an_archived_patient_nothing_is_decided(world, session, decide):
    gates_on()
    seated(world)
    started(world)
    gate = dismissal_asked(world, words="Looked only")
    world.patient("fernando").archived_at = gate.prepared_at
    db.session.flush()
    how = {"version": gate.version, "actor": world.user("silva")}
    with pytest.raises(DomainError, match="is archived"):
        gates.approve_dismissal(gate.id, **how) if decide == "approve" else gates.return_gate(
            gate.id, reason="Not now", **how
        )
