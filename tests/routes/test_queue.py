"""Reception's board and every act on it."""

import html
import json
import re
from datetime import timedelta

import brotli
import pytest
from sqlalchemy import func, select, true, update

from clinic import clock, settings
from clinic.blueprints.queue import board as boards
from clinic.extensions import db
from clinic.models import AuditEvent, Priority, QueueEntry, Stage, VisitStatus
from clinic.operations import queue as moves
from clinic.operations.chairs import take_out_of_service
from clinic.operations.visits import check_in
from tests.crowded import busy
from tests.queries_counted import counted
from tests.trail import ACTS


@pytest.fixture
def at_desk(browser_of):
    return browser_of("ruwan")


@pytest.fixture
def scene(app, world):
    """Moves in the name of people of the world, and what is stored."""
    return Scene(app, world)


class Scene:
    def __init__(self, app, world):
        self.app, self.world = app, world
        self.department = world.departments["restorative"]
        self.board = f"/queue?department={self.department}"

    def arrive(self, patient="fernando", by="ruwan"):
        """Check the patient in; the entry's id."""
        with self.app.app_context():
            entry = check_in(self.world.visit(patient), actor=self.world.user(by))
            db.session.commit()
            return entry.id

    def do(self, act, entry_id, by="ruwan", **values):
        """A move by somebody else; the id of the entry that is open afterwards."""
        with self.app.app_context():
            version = db.session.get_one(QueueEntry, entry_id).version
            entry = act(entry_id, version=version, actor=self.world.user(by), **values)
            db.session.commit()
            return entry.id

    def called(self, patient="fernando", by="ruwan", chair="A1"):
        return self.do(moves.call_to_chair, self.arrive(patient), by, chair_id=self.world.chairs[chair])

    def reach(self, stage, patient="fernando"):
        """The patient in a stage of care; the open entry's id."""
        entry_id = self.called(patient)
        for step in (
            Stage.IN_CHAIR,
            Stage.IN_TREATMENT,
            Stage.AWAITING_DISMISSAL,
            Stage.CHECKOUT,
        ):
            entry_id = self.do(moves.move, entry_id, to=step)
            if step is stage:
                return entry_id
        raise AssertionError(stage)

    def wait(self, minutes, patient="fernando"):
        """Let the patient's stage have begun so long ago."""
        with self.app.app_context():
            db.session.execute(
                update(QueueEntry)
                .where(QueueEntry.open_patient_id == self.world.patients[patient])
                .values(started_at=clock.now() - timedelta(minutes=minutes))
            )
            db.session.commit()
        boards.forget_bodies()

    def now(self, patient="fernando"):
        """The patient's open entry: stage, chair, version and the rest; None when there is none."""
        with self.app.app_context():
            return db.session.scalars(
                select(QueueEntry).where(QueueEntry.open_patient_id == self.world.patients[patient])
            ).one_or_none()

    def entry(self, entry_id):
        with self.app.app_context():
            return db.session.get_one(QueueEntry, entry_id)

    def count(self, model=QueueEntry):
        with self.app.app_context():
            return db.session.scalar(
                select(func.count()).select_from(model).where(ACTS if model is AuditEvent else true())
            )


def fields(entry, **more):
    return {"version": entry.version} | more


def say(answer):
    """The toast that htmx is given."""
    return json.loads(answer.headers["HX-Trigger"])["say"]


# --- the board --------------------------------------------------------------------------------------------------------


def test_the_board_shows_a_card_with_everything_the_desk_asks(at_desk, scene):
    scene.arrive()
    page = at_desk.get(scene.board)
    assert page.status_code == 200
    card = page.text.split('class="q-card edge')[1].split("</article>")[0]
    for words in ("A-001", "Nimali Fernando", "35 y", "Penicillin", "Kamal Dias", "Call", "0 min"):
        assert words in html.unescape(card), words
    assert 'data-level="ok"' in card
    assert re.search(r"<strong>1</strong> here, longest", page.text)


def test_the_default_is_ones_own_department_or_the_first(browser_of, world):
    assert "Board of Restorative" in browser_of("silva").get("/queue").text
    assert "Board of Orthodontics" in browser_of("ruwan").get("/queue").text


def test_expected_patients_can_be_checked_in_from_the_board(at_desk, scene):
    page = at_desk.get(scene.board).text
    assert "Ana Perera" in page
    form = page.split("Ana Perera")[1].split("<form")[1].split("</form>")[0]
    action = re.search('action="([^"]+)"', form)[1]
    sent = dict(re.findall('name="([^"]+)" value="([^"]*)"', form))
    answer = at_desk.client.post(action, data=sent)
    assert answer.status_code == 303
    shown = at_desk.get(answer.location).text
    assert "Ana Perera is in line as A-001" in shown
    assert scene.now("perera").stage is Stage.WAITING


def test_thresholds_are_told_in_words_and_not_by_colour_alone(at_desk, scene):
    scene.arrive()
    scene.wait(minutes=25)
    page = at_desk.get(scene.board).text
    assert 'data-level="long"' in page
    assert '<span class="q-level">long</span>' in page
    scene.wait(minutes=50)
    assert '<span class="q-level">very long</span>' in at_desk.get(scene.board).text


def test_priority_is_hidden_once_in_service(at_desk, scene):
    entry_id = scene.arrive()
    scene.do(moves.set_priority, entry_id, priority=Priority.URGENT, reason="Swelling")
    assert 'data-priority="urgent"' in at_desk.get(scene.board).text
    entry_id = scene.do(moves.call_to_chair, entry_id, chair_id=scene.world.chairs["A1"])
    scene.do(moves.move, entry_id, to=Stage.IN_CHAIR)
    assert "data-priority" not in at_desk.get(scene.board).text


def test_a_row_moved_by_hand_says_who_and_why(at_desk, scene):
    scene.do(moves.set_place, scene.arrive(), "rita", first=True, reason="Has a small child along")
    assert "First in line, by Rita Gomes: Has a small child along" in at_desk.get(scene.board).text


def test_the_region_answers_204_while_nothing_changed(at_desk, scene):
    scene.arrive()
    with clock.frozen(clock.now()):
        page = at_desk.get(scene.board).text
        region = html.unescape(re.search('hx-get="(/queue/board[^"]+)"', page)[1])
        assert at_desk.get(region, htmx=True).status_code == 204
        scene.arrive("perera")
        changed = at_desk.get(region, htmx=True)
        assert changed.status_code == 200
        assert changed.text.startswith('<section id="queue-board"')
        assert "A-002" in changed.text
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        region = html.unescape(re.search('hx-get="(/queue/board[^"]+)"', changed.text)[1])
        assert at_desk.get(region, htmx=True).status_code == 200


def test_the_page_holds_exactly_the_fragment(at_desk, scene):
    scene.arrive()
    with clock.frozen(clock.now()):
        page = at_desk.get(scene.board).text
        fragment = at_desk.get(f"/queue/board?department={scene.department}", htmx=True).text

    def bare(text):
        return re.sub('name="csrf_token" value="[^"]+"', "", text).strip()

    assert bare(fragment) in bare(page)


def test_everyone_gets_their_own_token_and_only_their_own_undo(browser_of, scene):
    scene.called(by="rita")
    with clock.frozen(clock.now()):
        rita, ruwan, nimal = (browser_of(name).get(scene.board).text for name in ("rita", "ruwan", "nimal"))
    assert "/undo" in rita
    assert "/undo" not in ruwan
    assert "/undo" in nimal
    tokens = {re.findall('name="csrf_token" value="([^"]+)"', page)[-1] for page in (rita, ruwan)}
    assert len(tokens) == 2


def test_the_boards_token_works(at_desk, scene):
    entry = scene.entry(scene.called())
    page = at_desk.get(scene.board).text
    form = page.split(f'action="/queue/{entry.id}/move"')[1].split("</form>")[0]
    sent = dict(re.findall('name="([^"]+)" value="([^"]*)"', form))
    assert at_desk.client.post(f"/queue/{entry.id}/move", data=sent).status_code == 303
    assert scene.now().stage is Stage.IN_CHAIR


def test_a_busy_board_costs_as_many_queries_as_a_quiet_one(app, at_desk, scene):
    scene.arrive()
    fragment = f"/queue/board?department={scene.department}"
    at_desk.get(fragment)  # settings are read once
    with clock.frozen(clock.now() + timedelta(minutes=1)), counted() as quiet:
        at_desk.get(fragment)
    with app.app_context():
        busy(scene.world, waiting=40)
        settings.forget()
        settings.read("time_zone")
    with clock.frozen(clock.now() + timedelta(minutes=2)), counted() as crowded:
        at_desk.get(fragment)
    assert len(crowded) == len(quiet), "\n".join(crowded)


def test_sixty_patients_are_sent_in_15_kb(app, at_desk, scene):
    with app.app_context():
        busy(scene.world, waiting=50, expected=20)
    page = at_desk.get(scene.board)
    assert page.text.count("data-entry=") == 60
    assert len(brotli.compress(page.data, quality=4)) < 15_000


@pytest.mark.parametrize("name", ["kamal", "adel"])
@pytest.mark.parametrize("url", ["/queue", "/queue/board", "/queue/call-next", "/queue/close-day"])
def test_the_board_is_not_for_students_and_admins(browser_of, name, url):
    assert browser_of(name).get(url).status_code == 403


def test_a_supervisor_sees_the_own_department_only(browser_of, world):
    other = world.departments["orthodontics"]
    assert browser_of("silva").get(f"/queue?department={other}").status_code == 404
    assert browser_of("silva").get(f"/queue/board?department={other}").status_code == 404
    assert browser_of("ruwan").get("/queue?department=99999").status_code == 404


def test_reading_writes_nothing(at_desk, scene):
    entry_id = scene.called()
    before = scene.count(), scene.count(AuditEvent)
    for url in (
        scene.board,
        "/queue/board",
        f"/queue/call-next?department={scene.department}",
        *(f"/queue/{entry_id}/{act}" for act in ("call", "leave", "transfer", "priority", "place", "chair")),
        f"/queue/close-day?department={scene.department}",
    ):
        assert at_desk.get(url).status_code == 200, url
    assert (scene.count(), scene.count(AuditEvent)) == before
    assert scene.now().stage is Stage.CALLED


# --- call next --------------------------------------------------------------------------------------------------------


def test_call_next_shows_whom_before_anybody_is_called(at_desk, scene):
    scene.arrive()
    scene.arrive("perera")
    page = at_desk.get(f"/queue/call-next?department={scene.department}").text
    assert "Call A-001" in page
    assert "Penicillin" in page
    assert "Ana Perera" in page.split("Or somebody else")[1]
    assert ">A2<" in page
    assert ">A4<" not in page  # out of service
    assert scene.now().stage is Stage.WAITING


def test_call_next_with_nobody_waiting_says_so(at_desk, scene):
    assert "Nobody is waiting" in at_desk.get(f"/queue/call-next?department={scene.department}").text


def test_calling_without_javascript_goes_back_to_the_board_which_says_it(at_desk, scene):
    entry = scene.entry(scene.arrive())
    answer = at_desk.post(f"/queue/{entry.id}/call", fields(entry, chair=scene.world.chairs["A2"]))
    assert answer.status_code == 303
    shown = at_desk.get(answer.location).text
    assert "A-001 called to chair A2: Nimali Fernando" in shown
    assert "Undo" in shown
    assert (scene.now().stage, scene.now().chair_id) == (Stage.CALLED, scene.world.chairs["A2"])


def test_calling_in_place_tells_the_board_and_offers_undo(at_desk, scene):
    entry = scene.entry(scene.arrive())
    answer = at_desk.post(f"/queue/{entry.id}/call", fields(entry, chair=scene.world.chairs["A2"]), htmx=True)
    assert answer.status_code == 204
    assert "queue:changed" in json.loads(answer.headers["HX-Trigger"])
    undone = at_desk.post(say(answer)["undo"], htmx=True)
    assert undone.status_code == 204
    assert scene.now().stage is Stage.WAITING


def test_the_chair_is_checked_and_what_was_chosen_is_kept(at_desk, scene):
    entry = scene.entry(scene.arrive())
    answer = at_desk.post(f"/queue/{entry.id}/call", fields(entry))
    assert answer.status_code == 422
    assert "Choose a free chair." in answer.text
    fragment = at_desk.post(f"/queue/{entry.id}/call", fields(entry), htmx=True)
    assert fragment.status_code == 422
    assert fragment.text.startswith('<section id="queue-call"')
    out = at_desk.post(f"/queue/{entry.id}/call", fields(entry, chair=scene.world.chairs["A4"]))
    assert out.status_code == 422
    assert "out of service" in out.text
    assert scene.now().stage is Stage.WAITING


def test_calling_twice_with_the_same_key_calls_once(at_desk, scene):
    entry = scene.entry(scene.arrive())
    sent = fields(entry, chair=scene.world.chairs["A2"])
    first = at_desk.post(f"/queue/{entry.id}/call", sent, once="call-1-v1")
    again = at_desk.post(f"/queue/{entry.id}/call", sent, once="call-1-v1")
    assert (first.status_code, again.status_code) == (303, 303)
    assert again.headers["X-Replayed"] == "1"
    assert scene.now().calls == 1


def test_two_desks_call_the_same_patient_and_the_second_hears_who_was_faster(browser_of, scene):
    entry = scene.entry(scene.arrive())
    sent = fields(entry, chair=scene.world.chairs["A2"])
    assert browser_of("rita").post(f"/queue/{entry.id}/call", sent).status_code == 303
    late = browser_of("ruwan").post(f"/queue/{entry.id}/call", fields(entry, chair=scene.world.chairs["A1"]), htmx=True)
    assert late.status_code == 409
    assert late.headers["HX-Retarget"] == "#refusal"
    assert late.headers["HX-Trigger"] == "live:poll"
    with scene.app.app_context():
        hour = f"{clock.local(clock.now()):%H:}"
    for words in ("Nimali Fernando was called to chair A2", "Rita Gomes", hour):
        assert words in late.text
    assert scene.now().chair_id == scene.world.chairs["A2"]


def test_opening_an_act_on_a_patient_who_moved_on_says_so(at_desk, scene):
    entry_id = scene.arrive()
    scene.do(moves.call_to_chair, entry_id, "rita", chair_id=scene.world.chairs["A1"])
    answer = at_desk.get(f"/queue/{entry_id}/call")
    assert answer.status_code == 409
    assert "Nimali Fernando has moved on meanwhile" in answer.text


def test_calling_again_counts(at_desk, scene):
    entry = scene.entry(scene.called())
    answer = at_desk.post(f"/queue/{entry.id}/call-again", fields(entry), htmx=True)
    assert say(answer)["text"] == "A-001 called again: Nimali Fernando"
    assert scene.now().calls == 2


def test_after_several_calls_leaving_is_offered_beside_the_next_step(at_desk, scene):
    entry_id = scene.called()
    assert "q-second" not in at_desk.get(scene.board).text
    for _ in range(2):
        scene.do(moves.call_again, entry_id)
    assert 'class="btn q-second"' in at_desk.get(scene.board).text


def test_not_here_puts_the_patient_back_in_line(at_desk, scene):
    entry = scene.entry(scene.called())
    answer = at_desk.post(f"/queue/{entry.id}/put-back", fields(entry), htmx=True)
    assert say(answer)["text"] == "Nimali Fernando is back in line"
    assert (scene.now().stage, scene.now().chair_id) == (Stage.WAITING, None)


# --- moves of one press -----------------------------------------------------------------------------------------------


def test_each_card_offers_the_next_legal_step_until_the_visit_is_finished(at_desk, scene):
    entry_id = scene.called()
    for stage in ("in_chair", "in_treatment", "awaiting_dismissal", "checkout"):
        page = at_desk.get(scene.board).text
        form = page.split(f'action="/queue/{entry_id}/move"')[1].split("</form>")[0]
        assert "q-primary" in form
        sent = dict(re.findall('name="([^"]+)" value="([^"]*)"', form))
        assert sent["to"] == stage
        assert at_desk.client.post(f"/queue/{entry_id}/move", data=sent).status_code == 303
        entry_id = scene.now().id
    entry = scene.entry(entry_id)
    answer = at_desk.post(f"/queue/{entry_id}/finish", fields(entry))
    assert "Nimali Fernando: visit finished" in at_desk.get(answer.location).text
    assert scene.now() is None
    with scene.app.app_context():
        assert scene.world.visit("fernando").status is VisitStatus.COMPLETED
    assert "Done today <b>1</b>" in at_desk.get(scene.board).text


@pytest.mark.parametrize("sent", [{"to": "done"}, {"to": "transferred"}, {"to": "nowhere"}, {}])
def test_a_move_to_anywhere_else_is_refused(at_desk, scene, sent):
    entry = scene.entry(scene.called())
    assert at_desk.post(f"/queue/{entry.id}/move", fields(entry, **sent)).status_code == 422
    assert scene.now().stage is Stage.CALLED


def test_an_illegal_move_is_refused_with_a_sentence(at_desk, scene):
    entry = scene.entry(scene.called())
    answer = at_desk.post(f"/queue/{entry.id}/move", fields(entry, to="checkout"), htmx=True)
    assert answer.status_code == 422
    assert "from there nobody goes" in answer.text


@pytest.mark.parametrize("version", ["", "x", "-1"])
def test_a_form_without_its_version_is_refused(at_desk, scene, version):
    entry = scene.entry(scene.called())
    assert at_desk.post(f"/queue/{entry.id}/move", {"version": version, "to": "in_chair"}).status_code == 422


def test_a_stale_move_says_who_did_what_and_when(browser_of, scene):
    entry = scene.entry(scene.called())
    scene.do(moves.move, entry.id, "nimal", to=Stage.IN_CHAIR)
    late = browser_of("ruwan").post(f"/queue/{entry.id}/put-back", fields(entry), htmx=True)
    assert late.status_code == 409
    assert "Nimal Costa" in late.text
    assert scene.now().stage is Stage.IN_CHAIR


def test_a_pressed_button_sent_twice_moves_once(at_desk, scene):
    entry = scene.entry(scene.called())
    for _ in range(2):
        answer = at_desk.post(
            f"/queue/{entry.id}/move", fields(entry, to="in_chair"), once=f"seat-{entry.id}-v1", htmx=True
        )
        assert answer.status_code == 204
    assert scene.now().stage is Stage.IN_CHAIR


def test_undo_by_somebody_else_is_refused_with_who_can(browser_of, scene):
    entry = scene.entry(scene.called(by="rita"))
    answer = browser_of("ruwan").post(f"/queue/{entry.id}/undo", fields(entry), htmx=True)
    assert answer.status_code == 422
    assert "Rita Gomes or a nurse can undo it" in answer.text
    assert browser_of("nimal").post(f"/queue/{entry.id}/undo", fields(entry), htmx=True).status_code == 204


def test_a_finished_visit_can_be_undone_from_the_done_list(at_desk, scene):
    entry = scene.entry(scene.reach(Stage.CHECKOUT))
    at_desk.post(f"/queue/{entry.id}/finish", fields(entry))
    page = at_desk.get(scene.board).text.split('id="queue-done"')[1]
    action = re.search('action="(/queue/[^"]+/undo[^"]*)"', page)[1]
    assert at_desk.post(html.unescape(action)).status_code == 303
    assert scene.now().stage is Stage.CHECKOUT


# --- acts that ask ----------------------------------------------------------------------------------------------------

ASKING = [
    ("leave", {"reason": "Had to catch the bus"}, "left without being seen"),
    ("priority", {"priority": "1", "reason": "Swelling since last night"}, "priority urgent"),
    ("place", {"place": "first", "reason": "Has a small child along"}, "first in line"),
]


@pytest.mark.parametrize(("act", "sent", "words"), ASKING)
def test_an_act_that_asks_works_without_javascript(at_desk, scene, act, sent, words):
    entry = scene.entry(scene.arrive())
    page = at_desk.get(f"/queue/{entry.id}/{act}").text
    assert "Nimali Fernando" in page
    assert "Penicillin" in page
    answer = at_desk.post(f"/queue/{entry.id}/{act}", fields(entry, **sent))
    assert answer.status_code == 303
    assert words in at_desk.get(answer.location).text


@pytest.mark.parametrize(("act", "sent", "words"), ASKING)
def test_a_reason_is_needed_and_what_was_chosen_is_kept(at_desk, scene, act, sent, words):
    entry = scene.entry(scene.arrive())
    answer = at_desk.post(f"/queue/{entry.id}/{act}", fields(entry, **sent | {"reason": " "}), htmx=True)
    assert answer.status_code == 422
    assert answer.text.startswith('<section id="queue-act"')
    assert "Write why" in answer.text
    if "priority" in sent:
        assert re.search(r'checked[^>]+value="1"', answer.text)
    assert (scene.now().version, scene.now().stage) == (entry.version, Stage.WAITING)


@pytest.mark.parametrize(("act", "sent", "words"), ASKING)
def test_an_act_that_asks_has_one_effect_when_sent_twice(at_desk, scene, act, sent, words):
    entry = scene.entry(scene.arrive())
    answers = [
        at_desk.post(f"/queue/{entry.id}/{act}", fields(entry, **sent), once="the-same-key", htmx=True) for _ in (1, 2)
    ]
    assert [answer.status_code for answer in answers] == [204, 204]
    with scene.app.app_context():
        told = select(func.count()).select_from(AuditEvent).where(AuditEvent.act.in_([f"queue.{act}"]))
        assert db.session.scalar(told) == 1


def test_transfer_puts_the_patient_into_the_other_line(at_desk, scene):
    entry = scene.entry(scene.arrive())
    other = scene.world.departments["orthodontics"]
    page = at_desk.get(f"/queue/{entry.id}/transfer").text
    assert "Orthodontics" in page.split("To department")[1]
    answer = at_desk.post(f"/queue/{entry.id}/transfer", fields(entry, department=other, reason="Bracket came off"))
    assert f"department={scene.department}" in answer.location
    assert "Nimali Fernando waits in Orthodontics as B-001" in at_desk.get(answer.location).text
    assert scene.now().department_id == other


def test_transfer_to_nowhere_is_refused(at_desk, scene):
    entry = scene.entry(scene.arrive())
    same = fields(entry, department=scene.department, reason="Bracket came off")
    assert at_desk.post(f"/queue/{entry.id}/transfer", same).status_code == 422
    assert scene.now().department_id == scene.department


def test_changing_the_chair(at_desk, scene):
    entry = scene.entry(scene.called())
    page = at_desk.get(f"/queue/{entry.id}/chair").text
    assert "A2" in page
    answer = at_desk.post(f"/queue/{entry.id}/chair", fields(entry, chair=scene.world.chairs["A3"]), htmx=True)
    assert say(answer)["text"] == "Nimali Fernando: chair A3"
    assert scene.now().chair_id == scene.world.chairs["A3"]


def test_a_chair_taken_out_of_service_meanwhile_is_refused(app, at_desk, scene):
    entry = scene.entry(scene.called())
    with app.app_context():
        chair = scene.world.chair("A3")
        take_out_of_service(chair, reason="Light is broken", version=chair.version, actor=scene.world.user("nimal"))
        db.session.commit()
    answer = at_desk.post(f"/queue/{entry.id}/chair", fields(entry, chair=scene.world.chairs["A3"]), htmx=True)
    assert answer.status_code == 422
    assert "Light is broken" in answer.text


def test_from_a_page_of_its_own_an_act_leads_back_to_the_board(at_desk, scene):
    entry = scene.entry(scene.arrive())
    answer = at_desk.post(
        f"/queue/{entry.id}/leave",
        fields(entry, reason="Had to go"),
        htmx=True,
        headers={"HX-Current-URL": f"http://localhost/queue/{entry.id}/leave"},
    )
    assert answer.headers["HX-Redirect"].startswith("/queue?department=")


POSTS = [
    ("call", {"chair": "1"}),
    ("call-again", {}),
    ("put-back", {}),
    ("move", {"to": "in_chair"}),
    ("finish", {}),
    ("undo", {}),
    ("leave", {"reason": "Had to go"}),
    ("transfer", {"department": "1", "reason": "Had to go"}),
    ("priority", {"priority": "1", "reason": "Had to go"}),
    ("place", {"place": "first", "reason": "Had to go"}),
    ("chair", {"chair": "1"}),
]
GETS = ["call", "leave", "transfer", "priority", "place", "chair"]


@pytest.mark.parametrize(("act", "sent"), POSTS)
def test_an_entry_outside_ones_care_cannot_be_found(browser_of, scene, act, sent):
    entry = scene.entry(scene.called())
    answer = browser_of("sato").post(f"/queue/{entry.id}/{act}", fields(entry, **sent))
    assert answer.status_code == (403 if act == "finish" else 404)
    assert browser_of("ruwan").post(f"/queue/99999/{act}", fields(entry, **sent)).status_code == 404
    assert scene.now().version == entry.version


@pytest.mark.parametrize("act", GETS)
def test_the_page_of_an_act_outside_ones_care_cannot_be_found(browser_of, scene, act):
    entry_id = scene.arrive()
    assert browser_of("sato").get(f"/queue/{entry_id}/{act}").status_code == 404
    assert browser_of("ruwan").get(f"/queue/99999/{act}").status_code == 404


@pytest.mark.parametrize(("act", "sent"), POSTS)
def test_no_act_is_for_admins(browser_of, scene, act, sent):
    entry = scene.entry(scene.called())
    assert browser_of("adel").post(f"/queue/{entry.id}/{act}", fields(entry, **sent)).status_code == 403
    assert scene.now().version == entry.version


@pytest.mark.parametrize("act", ["finish", "transfer", "priority", "place"])
def test_students_do_not_order_the_line(browser_of, scene, act):
    entry = scene.entry(scene.called())
    sent = dict(POSTS)[act]
    assert browser_of("kamal").post(f"/queue/{entry.id}/{act}", fields(entry, **sent)).status_code == 403


def test_a_student_calls_the_own_patient(browser_of, scene):
    entry = scene.entry(scene.arrive())
    kamal = browser_of("kamal")
    assert "Call A-001" in kamal.get(f"/queue/{entry.id}/call").text
    answer = kamal.post(f"/queue/{entry.id}/call", fields(entry, chair=scene.world.chairs["A1"]))
    assert answer.status_code == 303
    assert answer.location.startswith("/?said=")
    assert browser_of("leela").get(f"/queue/{scene.now().id}/chair").status_code == 404


# --- closing the day --------------------------------------------------------------------------------------------------


def test_closing_the_day_needs_an_outcome_for_everyone(at_desk, scene):
    first, second = scene.arrive(), scene.arrive("perera")
    page = at_desk.get(f"/queue/close-day?department={scene.department}").text
    assert "2 still here" in page
    sent = {"department": scene.department, f"outcome-{first}": Stage.LEFT.value}
    answer = at_desk.post("/queue/close-day", sent)
    assert answer.status_code == 422
    assert "Nothing was closed yet. Choose an outcome for Ana Perera." in answer.text
    assert re.search(rf'id="outcome-{first}-left_without_being_seen"[^>]* checked', answer.text)
    assert scene.now().stage is Stage.WAITING
    answer = at_desk.post("/queue/close-day", sent | {f"outcome-{second}": "carry_over"})
    assert answer.status_code == 303
    said = "The day is closed: 1 left without being seen, 1 stays in the queue"
    assert said in at_desk.get(answer.location).text
    assert scene.now() is None
    assert scene.now("perera").stage is Stage.WAITING


def test_closing_the_day_refuses_when_somebody_moved_meanwhile(at_desk, scene):
    entry_id = scene.arrive()
    scene.do(moves.call_to_chair, entry_id, "rita", chair_id=scene.world.chairs["A1"])
    sent = {"department": scene.department, f"outcome-{entry_id}": Stage.LEFT.value}
    sent[f"outcome-{scene.now().id}"] = Stage.LEFT.value
    answer = at_desk.post("/queue/close-day", sent)
    assert answer.status_code == 409
    assert "Rita Gomes" in answer.text
    assert scene.now().stage is Stage.CALLED


def test_an_outcome_that_does_not_fit_counts_as_none(at_desk, scene):
    entry_id = scene.arrive()
    sent = {"department": scene.department, f"outcome-{entry_id}": "done"}
    assert at_desk.post("/queue/close-day", sent).status_code == 422
    assert scene.now() is not None


def test_closing_twice_with_the_same_key_closes_once(at_desk, scene):
    sent = {"department": scene.department, f"outcome-{scene.arrive()}": Stage.LEFT.value}
    answers = [at_desk.post("/queue/close-day", sent, once="close-the-day") for _ in (1, 2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[1].headers["X-Replayed"] == "1"


def test_an_empty_department_has_nothing_to_close(at_desk, scene):
    page = at_desk.get(f"/queue/close-day?department={scene.department}").text
    assert "Nobody is left in the queue" in page


@pytest.mark.parametrize("name", ["kamal", "silva", "adel"])
def test_only_the_desk_and_nurses_close_the_day(browser_of, scene, name):
    sent = {"department": scene.department, f"outcome-{scene.arrive()}": Stage.LEFT.value}
    assert browser_of(name).post("/queue/close-day", sent).status_code == 403
    assert scene.now() is not None
