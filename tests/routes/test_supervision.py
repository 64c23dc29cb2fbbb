"""One's own queue, the student's call and the supervisor's list, through the web."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.extensions import db
from clinic.models import AuditEvent, CallReason, Priority, Stage, SupervisorCall
from tests.queries_counted import counted
from tests.scene import call_of, entry_of, many_calls, put_in_queue, second_supervisor
from tests.trail import ACTS


def keep() -> None:
    db.session.commit()


def open_calls() -> int:
    return db.session.scalar(select(func.count(SupervisorCall.id)).where(SupervisorCall.ended_at.is_(None))) or 0


def plain(html: str) -> str:
    """Without what differs each time: the masked token and the moment."""
    return re.sub(r'name="csrf_token" value="\w+"|data-now="[^"]+"', "", html)


def writes() -> tuple[int, int]:
    """What a write would leave behind: trace, and open calls."""
    return db.session.scalar(select(func.count(AuditEvent.id)).where(ACTS)) or 0, open_calls()


@pytest.fixture
def treated(context, world):
    """Fernando, Kamal's patient, is in treatment in chair A1; answers the entry."""
    entry = put_in_queue(world, "fernando", Stage.IN_TREATMENT, at=clock.now() - timedelta(minutes=42))
    keep()
    return entry


@pytest.fixture
def called(treated, world):
    """Kamal has called for help; answers the call."""
    call = call_of(world, "fernando", at=clock.now() - timedelta(minutes=5), note="Margin at 36")
    keep()
    return call


class TestMyQueue:
    def test_a_student_sees_own_patients_and_nobody_elses(self, treated, world, browser_of):
        put_in_queue(world, "perera", Stage.IN_TREATMENT)
        put_in_queue(world, "wu", Stage.WAITING)
        keep()
        page = browser_of("kamal").get("/my-queue").text
        for shown in (
            "Nimali Fernando",
            "P-2026-00001",
            "Penicillin",
            "Chair A1",
            "In treatment",
            "42 min",
            "Dr Sunil Silva",
        ):
            assert shown in page
        for hidden in ("Perera", "吴美玲", "P-2026-00002"):
            assert hidden not in page

    def test_it_shows_who_is_expected_and_says_when_nobody_is_here(self, context, world, browser_of):
        page = browser_of("kamal").get("/my-queue").text
        assert "Expected today: 1" in page
        assert "Nimali Fernando" in page
        for visit in world.visits.values():
            db.session.get_one(type(world.visit("wu")), visit).starts_at -= timedelta(days=2)
        keep()
        assert "None of your patients is here" in browser_of("kamal").get("/my-queue").text

    def test_the_page_holds_what_the_region_answers(self, treated, browser_of):
        kamal = browser_of("kamal")
        region = plain(kamal.get("/my-queue/mine").text).strip()
        assert region in plain(kamal.get("/my-queue").text)

    def test_the_region_answers_204_until_something_changes(self, treated, world, browser_of):
        kamal = browser_of("kamal")
        kamal.post(f"/my-queue/{treated.id}/supervisor", {"version": treated.version, "reason": "help"})
        again = re.search(r'hx-get="([^"]+/mine\?since=\d+)"', kamal.get("/my-queue").text)[1]
        assert kamal.get(again, htmx=True).status_code == 204
        call = db.session.scalars(select(SupervisorCall)).one()
        browser_of("silva").post(f"/supervision/calls/{call.id}/coming", {"version": call.version, "minutes": 3})
        changed = kamal.get(again, htmx=True)
        assert changed.status_code == 200
        assert "Dr Sunil Silva is coming, about 3 min" in changed.text

    def test_the_next_step_is_one_press(self, context, world, browser_of):
        put_in_queue(world, "fernando", Stage.CALLED)
        keep()
        kamal = browser_of("kamal")
        for label, stage in (
            ("In the chair", Stage.IN_CHAIR),
            ("Start treatment", Stage.IN_TREATMENT),
            ("Ask for dismissal", Stage.AWAITING_DISMISSAL),
        ):
            entry = entry_of(world, "fernando")
            assert label in kamal.get("/my-queue").text
            answer = kamal.post(f"/my-queue/{entry.id}/move", {"version": entry.version, "to": stage.value}, htmx=True)
            assert answer.status_code == 204
            assert "queue:changed" in answer.headers["HX-Trigger"]
            assert entry_of(world, "fernando").stage is stage
        assert "To checkout" not in kamal.get("/my-queue").text

    def test_a_student_cannot_dismiss(self, context, world, browser_of):
        entry = put_in_queue(world, "fernando", Stage.AWAITING_DISMISSAL)
        keep()
        answer = browser_of("kamal").post(f"/my-queue/{entry.id}/move", {"version": entry.version, "to": "checkout"})
        assert answer.status_code == 403
        answer = browser_of("silva").post(f"/my-queue/{entry.id}/move", {"version": entry.version, "to": "checkout"})
        assert answer.status_code == 303
        assert entry_of(world, "fernando").stage is Stage.CHECKOUT

    def test_a_move_can_be_undone_from_its_toast(self, treated, world, browser_of):
        kamal = browser_of("kamal")
        answer = kamal.post(
            f"/my-queue/{treated.id}/move", {"version": treated.version, "to": "awaiting_dismissal"}, htmx=True
        )
        undo = re.search(r'"undo": "([^"]+)"', answer.headers["HX-Trigger"])[1]
        assert kamal.post(undo, htmx=True).status_code == 204
        assert entry_of(world, "fernando").stage is Stage.IN_TREATMENT

    @pytest.mark.parametrize("wrong", [{"to": "done"}, {"to": "nowhere"}, {"version": "x"}, {"version": ""}])
    def test_a_move_that_is_none_is_refused(self, treated, world, browser_of, wrong):
        data = {"version": treated.version, "to": "awaiting_dismissal"} | wrong
        assert browser_of("kamal").post(f"/my-queue/{treated.id}/move", data).status_code == 422
        assert entry_of(world, "fernando").stage is Stage.IN_TREATMENT

    def test_a_stale_move_says_who_was_faster(self, treated, world, browser_of):
        data = {"version": treated.version, "to": "awaiting_dismissal"}
        browser_of("silva").post(f"/my-queue/{treated.id}/move", data)
        answer = browser_of("kamal").post(f"/my-queue/{treated.id}/move", data)
        assert answer.status_code == 409
        assert "Dr Sunil Silva" in answer.text

    def test_a_waiting_patient_is_called_to_a_free_chair(self, context, world, browser_of):
        entry = put_in_queue(world, "fernando", Stage.WAITING)
        put_in_queue(world, "perera", Stage.IN_CHAIR, chair="A2")
        keep()
        kamal = browser_of("kamal")
        page = kamal.get(f"/my-queue/{entry.id}/chair").text
        assert "A1" in page
        assert "A3" in page
        assert re.search(r"\bA[24]\b", page) is None  # taken, out of service
        answer = kamal.post(f"/my-queue/{entry.id}/chair", {"version": entry.version, "chair": world.chairs["A3"]})
        assert answer.status_code == 303
        assert entry_of(world, "fernando").chair_id == world.chairs["A3"]
        assert kamal.post(f"/my-queue/{entry.id}/chair", {"version": entry.version}).status_code == 422

    def test_urgency_is_shown_while_it_matters(self, context, world, browser_of):
        entry = put_in_queue(world, "fernando", Stage.WAITING)
        entry.priority = Priority.URGENT
        keep()
        assert "urgent" in browser_of("kamal").get("/my-queue").text
        entry.stage = Stage.IN_TREATMENT
        keep()
        assert "urgent" not in browser_of("kamal").get("/my-queue").text

    def test_queries_do_not_grow_with_the_patients(self, context, world, browser_of):
        many_calls(world, 2)
        keep()
        kamal = browser_of("kamal")
        kamal.get("/my-queue")
        with counted() as few:
            kamal.get("/my-queue")
        many_calls(world, 15, year=1998)
        keep()
        with counted() as many:
            page = kamal.get("/my-queue").text
        assert page.count('class="card sv-card') == 17
        assert len(many) == len(few)


class TestCallingASupervisor:
    def test_one_press_calls(self, treated, world, browser_of):
        kamal = browser_of("kamal")
        answer = kamal.post(
            f"/my-queue/{treated.id}/supervisor", {"version": treated.version, "reason": "help"}, htmx=True
        )
        assert answer.status_code == 204
        assert "calls:changed" in answer.headers["HX-Trigger"]
        assert entry_of(world, "fernando").stage is Stage.AWAITING_SUPERVISOR
        page = kamal.get("/my-queue").text
        for shown in ("1st of 1", "no estimate yet", "Take it back", "Worse than that?"):
            assert shown in page

    def test_without_javascript_it_comes_back_to_the_queue(self, treated, browser_of):
        kamal = browser_of("kamal")
        answer = kamal.post(f"/my-queue/{treated.id}/supervisor", {"version": treated.version, "reason": "help"})
        assert answer.status_code == 303
        assert "Supervisor called: help" in kamal.get(answer.location).text

    def test_a_note_has_a_page_of_its_own(self, treated, world, browser_of):
        kamal = browser_of("kamal")
        page = kamal.get(f"/my-queue/{treated.id}/supervisor").text
        assert "Penicillin" in page
        note = "Margin at 36 <b>deep</b>"
        data = {"version": treated.version, "reason": "step_check", "note": note}
        assert kamal.post(f"/my-queue/{treated.id}/supervisor", data).status_code == 303
        assert "Margin at 36 &lt;b&gt;deep&lt;/b&gt;" in browser_of("silva").get("/supervision").text
        assert "textarea" not in kamal.get("/my-queue/mine").text
        assert 'type="text"' not in kamal.get("/my-queue/mine").text

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"reason": ""}, "Choose why you call"),
            ({"reason": "boredom"}, "Choose one from the list"),
            ({"note": "x" * 201}, "200 characters"),
        ],
    )
    def test_bad_input_is_refused_and_kept(self, treated, browser_of, wrong, says):
        data = {"version": treated.version, "reason": "help", "note": "Margin"} | wrong
        answer = browser_of("kamal").post(f"/my-queue/{treated.id}/supervisor", data)
        assert answer.status_code == 422
        assert says in answer.text
        assert data["note"] in answer.text
        assert open_calls() == 0

    def test_a_call_the_stage_does_not_allow_is_refused_with_a_sentence(self, context, world, browser_of):
        entry = put_in_queue(world, "fernando", Stage.IN_CHAIR)
        keep()
        kamal = browser_of("kamal")
        page = kamal.get("/my-queue").text
        assert "Start check" in page
        assert "Sign off" not in page
        answer = kamal.post(f"/my-queue/{entry.id}/supervisor", {"version": entry.version, "reason": "sign_off"})
        assert answer.status_code == 422
        assert "is not possible while the patient is in chair" in answer.text

    @pytest.mark.parametrize("stage", [Stage.WAITING, Stage.CALLED, Stage.CHECKOUT])
    def test_a_patient_for_whom_nobody_can_be_called_has_no_empty_list_of_reasons(
        self, context, world, browser_of, stage
    ):
        entry = put_in_queue(world, "fernando", stage)
        keep()
        page = browser_of("kamal").get(f"/my-queue/{entry.id}/supervisor").text
        assert "A supervisor can be called from the chair on" in page
        assert 'name="reason"' not in page
        assert ("Call to a chair" in page) == (stage is Stage.WAITING)

    def test_the_same_form_twice_calls_once(self, treated, browser_of):
        kamal = browser_of("kamal")
        data = {"version": treated.version, "reason": "help"}
        first = kamal.post(f"/my-queue/{treated.id}/supervisor", data, once="call-once-1", htmx=True)
        again = kamal.post(f"/my-queue/{treated.id}/supervisor", data, once="call-once-1", htmx=True)
        assert first.status_code == again.status_code == 204
        assert db.session.scalar(select(func.count(SupervisorCall.id))) == 1

    def test_calling_again_after_taking_back_is_a_new_form(self, context, world, browser_of):
        """From the chair the entry does not change, so its version alone would not tell the second call from the first."""
        put_in_queue(world, "fernando", Stage.IN_CHAIR)
        keep()
        kamal = browser_of("kamal")
        for _ in range(2):
            page = kamal.get("/my-queue").text
            form = re.search(
                r'<form[^>]*action="([^"]+/supervisor)".*?name="reason" value="help".*?</form>', page, re.S
            )
            fields = dict(re.findall(r'name="(once|version)" value="([^"]+)"', page[: form.end()])[-2:])
            answer = kamal.post(form[1], {"version": fields["version"], "reason": "help"}, once=fields["once"])
            assert answer.status_code == 303
            call = db.session.scalars(select(SupervisorCall).where(SupervisorCall.ended_at.is_(None))).one()
            assert kamal.post(f"/my-queue/calls/{call.id}/withdraw", {"version": call.version}).status_code == 303
        assert db.session.scalar(select(func.count(SupervisorCall.id))) == 2

    def test_the_toast_takes_the_call_back(self, treated, world, browser_of):
        kamal = browser_of("kamal")
        answer = kamal.post(
            f"/my-queue/{treated.id}/supervisor", {"version": treated.version, "reason": "help"}, htmx=True
        )
        undo = re.search(r'"undo": "([^"]+)"', answer.headers["HX-Trigger"])[1]
        assert kamal.post(undo, htmx=True).status_code == 204
        assert open_calls() == 0
        assert entry_of(world, "fernando").stage is Stage.IN_TREATMENT

    def test_an_estimate_is_shown_once_there_is_one(self, called, world, browser_of):
        now = clock.now()
        for minutes in (4, 6, 5):
            at = clock.start_of(clock.today())
            call_of(world, "perera", "leela", at=at, ended_at=at + timedelta(minutes=minutes))
            at += timedelta(minutes=10)
        keep()
        page = browser_of("kamal").get("/my-queue").text
        assert "1st of 1" in page
        assert re.search(r"about \d+ min", page)
        assert now >= called.created_at


class TestSupervision:
    def test_the_list_shows_who_where_why_and_how_long(self, called, browser_of):
        page = browser_of("silva").get("/supervision").text
        for shown in (
            "Kamal Dias",
            "Chair A1",
            "Help",
            "Margin at 36",
            "Nimali Fernando",
            "Penicillin",
            "5 min",
            "Pass on",
        ):
            assert shown in page
        for minutes in (1, 3, 5, 10):
            assert f"I&#39;m coming, {minutes} min, to Kamal Dias" in page

    def test_nobody_is_calling(self, context, browser_of):
        assert "Nobody is calling" in browser_of("silva").get("/supervision").text

    def test_the_page_holds_what_the_region_answers(self, called, browser_of):
        silva = browser_of("silva")
        assert plain(silva.get("/supervision/calls").text).strip() in plain(silva.get("/supervision").text)

    def test_coming_reaches_the_student(self, called, browser_of):
        data = {"version": called.version, "minutes": 5}
        answer = browser_of("silva").post(f"/supervision/calls/{called.id}/coming", data, htmx=True)
        assert answer.status_code == 204
        assert "Dr Sunil Silva is coming, about 5 min" in browser_of("kamal").get("/my-queue").text
        assert "You are coming, about 5 min" in browser_of("silva").get("/supervision").text

    @pytest.mark.parametrize("wrong", [{"minutes": 7}, {"minutes": ""}, {"version": ""}])
    def test_a_forged_answer_is_refused(self, called, browser_of, wrong):
        data = {"version": called.version, "minutes": 5} | wrong
        assert browser_of("silva").post(f"/supervision/calls/{called.id}/coming", data).status_code == 422

    def test_the_second_supervisor_is_told_who_was_faster(self, called, world, browser_of):
        second_supervisor(world)
        keep()
        data = {"version": called.version, "minutes": 3}
        browser_of("silva").post(f"/supervision/calls/{called.id}/coming", data)
        answer = browser_of("prado").post(f"/supervision/calls/{called.id}/coming", data)
        assert answer.status_code == 409
        assert "Dr Sunil Silva is already coming" in answer.text
        assert "I&#39;ll go instead" in browser_of("prado").get("/supervision").text

    def test_passing_on(self, called, world, browser_of):
        prado = second_supervisor(world)
        keep()
        silva = browser_of("silva")
        assert "Dr Ines Prado" in silva.get(f"/supervision/calls/{called.id}/pass").text
        data = {"version": called.version, "to": prado.id, "note": "yours, please"}
        answer = silva.post(f"/supervision/calls/{called.id}/pass", data)
        assert answer.status_code == 303
        page = browser_of("prado").get("/supervision").text
        assert "Dr Sunil Silva passed this on to you" in page
        assert "yours, please" in page

    @pytest.mark.parametrize("to", ["", "sato", "silva", "kamal"])
    def test_passing_on_to_anyone_else_is_refused_and_the_note_kept(self, called, world, browser_of, to):
        second_supervisor(world)
        keep()
        data = {"version": called.version, "to": world.people.get(to, ""), "note": "yours, please"}
        answer = browser_of("silva").post(f"/supervision/calls/{called.id}/pass", data)
        assert answer.status_code == 422
        assert "yours, please" in answer.text

    def test_with_nobody_to_pass_on_to_it_says_so(self, called, browser_of):
        assert "No other supervisor" in browser_of("silva").get(f"/supervision/calls/{called.id}/pass").text

    def test_done_ends_the_call(self, treated, world, browser_of):
        browser_of("kamal").post(f"/my-queue/{treated.id}/supervisor", {"version": treated.version, "reason": "help"})
        call = db.session.scalars(select(SupervisorCall)).one()
        silva = browser_of("silva")
        for _ in range(2):  # safe to repeat
            answer = silva.post(f"/supervision/calls/{call.id}/end", {"version": call.version}, once="end-once-1")
            assert answer.status_code == 303
        assert open_calls() == 0
        assert entry_of(world, "fernando").stage is Stage.IN_TREATMENT

    def test_a_call_taken_back_cannot_be_answered(self, called, browser_of):
        version = called.version
        browser_of("kamal").post(f"/my-queue/calls/{called.id}/withdraw", {"version": version})
        answer = browser_of("silva").post(f"/supervision/calls/{called.id}/coming", {"version": version, "minutes": 1})
        assert answer.status_code == 409
        assert "Kamal Dias took this call back" in answer.text

    def test_queries_do_not_grow_with_the_calls(self, context, world, browser_of):
        many_calls(world, 2)
        keep()
        silva = browser_of("silva")
        silva.get("/supervision")
        with counted() as few:
            silva.get("/supervision")
        many_calls(world, 15, year=1998)
        keep()
        with counted() as many:
            page = silva.get("/supervision").text
        assert page.count('class="card sv-row') == 17
        assert len(many) == len(few)


@pytest.mark.parametrize("who", ["leela", "omar"])
def test_another_students_patient_is_not_to_be_found(called, treated, browser_of, who):
    other = browser_of(who)
    for url in (f"/my-queue/{treated.id}/supervisor", f"/my-queue/{treated.id}/chair"):
        assert other.get(url).status_code == 404
    data = {"version": 1, "reason": "help", "to": "awaiting_dismissal", "chair": 1}
    for url in (
        f"/my-queue/{treated.id}/supervisor",
        f"/my-queue/{treated.id}/move",
        f"/my-queue/{treated.id}/undo",
        f"/my-queue/{treated.id}/chair",
        f"/my-queue/calls/{called.id}/withdraw",
        "/my-queue/calls/99999999/withdraw",
    ):
        assert other.post(url, data).status_code == 404


def test_a_call_of_another_department_is_not_to_be_found(called, treated, browser_of):
    sato = browser_of("sato")
    assert "Kamal" not in sato.get("/supervision").text
    assert sato.get(f"/supervision/calls/{called.id}/pass").status_code == 404
    data = {"version": called.version, "minutes": 3, "to": 1}
    for act in ("coming", "pass", "end"):
        assert sato.post(f"/supervision/calls/{called.id}/{act}", data).status_code == 404
        assert sato.post(f"/supervision/calls/99999999/{act}", data).status_code == 404
    assert sato.post(f"/my-queue/{treated.id}/move", data).status_code == 404


@pytest.mark.parametrize(
    ("who", "url"),
    [
        *((who, url) for who in ("ruwan", "nimal", "adel") for url in ("/my-queue", "/my-queue/mine")),
        *((who, url) for who in ("ruwan", "nimal", "adel", "kamal") for url in ("/supervision", "/supervision/calls")),
    ],
)
def test_who_has_no_such_page(context, browser_of, who, url):
    assert browser_of(who).get(url).status_code == 403


def test_only_students_call_and_only_supervisors_answer(called, treated, browser_of):
    data = {"version": called.version, "minutes": 3, "reason": "help"}
    for who in ("silva", "ruwan", "nimal", "adel"):
        assert browser_of(who).post(f"/my-queue/{treated.id}/supervisor", data).status_code == 403
        assert browser_of(who).post(f"/my-queue/calls/{called.id}/withdraw", data).status_code == 403
    for who in ("kamal", "ruwan", "nimal", "adel"):
        for act in ("coming", "pass", "end"):
            assert browser_of(who).post(f"/supervision/calls/{called.id}/{act}", data).status_code == 403


def test_reading_writes_nothing(called, treated, browser_of):
    kamal, silva = browser_of("kamal"), browser_of("silva")
    before = writes()
    for person, urls in (
        (kamal, ("/my-queue", "/my-queue/mine", f"/my-queue/{treated.id}/supervisor", f"/my-queue/{treated.id}/chair")),
        (silva, ("/supervision", "/supervision/calls", f"/supervision/calls/{called.id}/pass")),
    ):
        for url in urls:
            assert person.get(url).status_code == 200
    assert writes() == before


def test_an_emergency_is_first_on_the_list(called, world, browser_of):
    put_in_queue(world, "perera", Stage.IN_CHAIR)
    call_of(world, "perera", "leela", CallReason.EMERGENCY)
    keep()
    page = browser_of("silva").get("/supervision/calls").text
    assert page.index("Leela Nair") < page.index("Kamal Dias")
