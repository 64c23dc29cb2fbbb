"""The two gates by HTTP: the visit's page, preparing, deciding in the inbox and at the student's terminal, unapproved work."""

import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.chart.kinds import Status
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import (
    AuditEvent,
    AuthSession,
    Extension,
    Gate,
    GateItem,
    GateStatus,
    NoteType,
    Notice,
    Opened,
    Stage,
    ToothMatch,
    VersionReason,
)
from clinic.operations.chart import enter_in_error, restore_version
from clinic.operations.chart_versions import cut_version
from clinic.operations.gate_rules import missing_of
from clinic.operations.gates import approve_changes, return_gate, version_of
from clinic.operations.notes import Said, sign_note
from clinic.operations.queue import move
from clinic.queries.chart import mouth_of, stroke_of
from clinic.queries.gates import standing_of
from tests.charting import chart_line
from tests.gated import dismissal_asked, dismissed, gates_on, papers, seated, start_asked, started
from tests.operations.test_gates import do
from tests.queries_counted import counted
from tests.routes.test_glass import glass_of
from tests.scene import entry_of, second_supervisor
from tests.world import PIN


@pytest.fixture
def scene(app, world):
    """`scene(step)`: Fernando, with both gates on, `seated`, with a start `asked`, `treated` after it, or a dismissal `sent`; answers
    the address of the visit. `named`: the tooth that a radiograph and a consent name."""

    def made(step="seated", plan="36 o am plan", named=""):
        with app.app_context():
            gates_on()
            seated(world, plan=plan)
            if named:
                papers(world, named)
            if step == "asked":
                start_asked(world)
            if step in ("treated", "sent"):
                started(world)
                do(world, Status.COMPLETED)
                chart_line(world.patient("fernando"), "16 o car", actor=world.user("kamal"), reason="x")
            if step == "sent":
                dismissal_asked(world)
            db.session.commit()
            return f"/visits/{world.visits['fernando']}"

    return made


def last_gate() -> Gate:
    return db.session.scalars(
        select(Gate).order_by(Gate.id.desc()).limit(1).execution_options(populate_existing=True)
    ).one()


def stage(app, world):
    with app.app_context():
        return entry_of(world, "fernando").stage


@pytest.fixture
def gate(app):
    """`gate()`: id, status, version of the newest."""

    def found():
        with app.app_context():
            newest = last_gate()
            return newest.id, newest.status, newest.version

    return found


def fields_of(page: str) -> dict[str, list[str]]:
    """All checkboxes of a page as if each was ticked."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="checkbox" name="(\w+)" id="[^"]+" value="([^"]+)"', page):
        found.setdefault(name, []).append(value)
    return found


def words_of(page: str) -> str:
    return re.sub(r"<[^>]+>", "", page)


class TestTheVisit:
    def test_says_where_it_stands(self, browser_of, scene):
        at = scene("asked")
        page = browser_of("kamal").get(at).text
        assert "Approval to Start" in page
        assert "asked" in page
        assert "Take it back" in page
        assert "in chair, chair A1" in page
        assert at in browser_of("silva").get(at.replace("/visits", "/visits")).text

    def test_the_front_desk_sees_states_and_nothing_clinical(self, browser_of, scene):
        at = scene("treated")
        page = browser_of("ruwan").get(at).text
        assert "Approval to Start" in page
        assert "caries" not in page
        assert "Prepare the dismissal" not in page
        assert "caries" in browser_of("kamal").get(at).text

    @pytest.mark.parametrize("path", ["", "/standing", "/start", "/dismissal"])
    def test_is_nobody_elses(self, browser_of, scene, path):
        at = scene("treated")
        assert browser_of("leela").get(at + path).status_code == 404
        assert browser_of("sato").get(at + path).status_code == 404
        assert browser_of("kamal").get("/visits/999999" + path).status_code == 404

    def test_a_broken_glass_shows_it_and_prepares_nothing(self, app, world, browser_of, scene):
        at = scene()
        glass_of(app, world, "leela", "fernando")
        leela = browser_of("leela")
        page = leela.get(at)
        assert page.status_code == 200
        assert "Prepare the start" not in page.text
        assert leela.get(f"{at}/start").status_code == 404
        assert leela.post(f"{at}/start", {"done": "Look"}).status_code == 404

    def test_the_region_answers_only_what_is_new(self, browser_of, scene):
        at, kamal = scene(), browser_of("kamal")
        region = unescape(re.search(r'hx-get="(/visits/\d+/standing\?since=\d+&amp;own=1)"', kamal.get(at).text)[1])
        assert kamal.get(region, htmx=True).status_code == 204
        assert kamal.get(f"{at}/standing?since=7", htmx=True).status_code == 200

    def test_its_cost_does_not_depend_on_how_much_was_changed(self, app, world, browser_of, scene):
        at, silva = scene("treated"), browser_of("silva")
        silva.get(at)
        with counted() as few:
            silva.get(at)
        with app.app_context():
            for tooth in (11, 12, 13, 14, 15, 21, 22, 23, 24, 25):
                chart_line(world.patient("fernando"), f"{tooth} b car", actor=world.user("kamal"), reason="x")
            db.session.commit()
        with counted() as many:
            silva.get(at)
        assert len(many) == len(few)


class TestPreparing:
    def test_a_start_by_the_page_alone(self, app, world, browser_of, scene, gate):
        at, kamal = scene(), browser_of("kamal")
        page = kamal.get(f"{at}/start").text
        assert "Looked through today by Kamal Dias" in page
        sent = {**fields_of(page), "site": "y", "no_radiograph": "Seen last week"}
        answer = kamal.post(f"{at}/start", sent)
        assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (303, at)
        assert gate()[1] is GateStatus.PENDING
        assert "Start" in browser_of("silva").get("/approvals").text

    def test_what_is_missing_is_said_and_nothing_is_lost(self, browser_of, scene, gate):
        at, kamal = scene(), browser_of("kamal")
        sent = fields_of(kamal.get(f"{at}/start").text) | {"words": "Deep", "identity": ["name"]}
        answer = kamal.post(f"{at}/start", sent)
        assert answer.status_code == 422
        assert "two identifiers" in answer.text
        assert 'value="Deep"' in answer.text
        assert 'value="name" checked' in answer.text

    @pytest.mark.parametrize("name", ["threads", "alerts", "radiographs", "consents"])
    @pytest.mark.parametrize("value", ["x", "-1", "999999999999"])
    def test_what_is_made_up_is_refused(self, browser_of, scene, name, value):
        at, kamal = scene(), browser_of("kamal")
        sent = {**fields_of(kamal.get(f"{at}/start").text), "site": "y", "no_radiograph": "None needed"}
        answer = kamal.post(f"{at}/start", {**sent, name: [value]})
        assert answer.status_code in (409, 422), answer.text

    def test_sent_twice_it_is_one(self, app, browser_of, scene):
        at, kamal = scene(), browser_of("kamal")
        sent = {**fields_of(kamal.get(f"{at}/start").text), "site": "y", "no_radiograph": "Seen last week"}
        for _ in range(2):
            assert kamal.post(f"{at}/start", sent, once="the-same-key").status_code == 303
        with app.app_context():
            assert db.session.scalar(select(func.count(Gate.id))) == 1

    def test_a_dismissal_by_the_page_alone(self, app, world, browser_of, scene, gate):
        at, kamal = scene("treated"), browser_of("kamal")
        page = kamal.get(f"{at}/dismissal").text
        assert "What this visit changed: 2" in page
        seen = re.search(r'name="seen" type="hidden" value="(\w+)"', page)[1]
        assert kamal.post(f"{at}/dismissal", {"seen": "0" * 64}).status_code == 409
        assert kamal.post(f"{at}/dismissal", {"seen": seen}).status_code == 303
        assert gate()[1] is GateStatus.PENDING
        assert stage(app, world) is Stage.AWAITING_DISMISSAL

    def test_taken_back(self, browser_of, scene, gate):
        at, kamal = scene("asked"), browser_of("kamal")
        number, _, version = gate()
        assert browser_of("silva").post(f"{at}/gates/{number}/withdraw", {"version": version}).status_code == 403
        assert kamal.post(f"{at}/gates/{number}/withdraw", {"version": version + 1}).status_code == 409
        assert kamal.post(f"{at}/gates/{number}/withdraw", {"version": version}).status_code == 303
        assert gate()[1] is GateStatus.WITHDRAWN

    def test_looking_writes_nothing(self, app, browser_of, scene):
        at, kamal = scene("treated"), browser_of("kamal")
        with app.app_context():
            before = [db.session.scalar(select(func.count(model.id))) for model in (Gate, GateItem)]
        for path in ("", "/standing", "/start", "/dismissal"):
            assert kamal.get(at + path).status_code == 200
        with app.app_context():
            assert [db.session.scalar(select(func.count(model.id))) for model in (Gate, GateItem)] == before


class TestDeciding:
    def test_a_start_in_the_inbox(self, app, world, browser_of, scene, gate):
        scene("asked")
        number, _, version = gate()
        silva = browser_of("silva")
        page = silva.get(f"/approvals/gate-start/{number}").text
        for said in (
            "36",
            "matched by full name, date of birth",
            "looked through today",
            "Penicillin",
            "One of last month",
        ):
            assert said in page
        assert silva.post(f"/gates/{number}/approve", {"version": version}).status_code == 303
        assert gate()[1] is GateStatus.APPROVED
        assert stage(app, world) is Stage.IN_TREATMENT
        assert silva.post(f"/gates/{number}/approve", {"version": version}).status_code == 409
        assert "Dr Sunil Silva approved this" in silva.get(f"/approvals/gate-start/{number}").text

    @pytest.mark.parametrize("who", ["kamal", "ruwan", "nimal", "adel"])
    def test_not_by_others(self, browser_of, scene, gate, who):
        scene("asked")
        number, _, version = gate()
        assert browser_of(who).post(f"/gates/{number}/approve", {"version": version}).status_code == 403
        assert browser_of("sato").post(f"/gates/{number}/approve", {"version": version}).status_code == 404

    def test_the_tooth_is_never_filled_in(self, app, world, browser_of, scene, gate):
        scene("asked", plan="36 x plan", named="36")
        number, _, version = gate()
        silva = browser_of("silva")
        page = silva.get(f"/approvals/gate-start/{number}").text
        name = re.search(r'name="(tooth-\d+)"', page)[1]
        assert f'name="{name}" id="{name}" maxlength="20"' in page
        assert not re.search(rf'name="{name}"[^>]*value=', page)
        generic = silva.post(f"/approvals/gate-start/{number}/approve", {"version": version})
        assert (generic.status_code, "Enter the tooth yourself" in generic.text) == (422, True)
        several = silva.post("/approvals/approve", {"items": f"gate-start:{number}:{version}"})
        assert several.status_code == 422
        assert silva.post(f"/gates/{number}/approve", {"version": version, name: "37"}).status_code == 422
        assert silva.post(f"/gates/{number}/approve", {"version": version, name: "36"}).status_code == 303
        with app.app_context():
            assert db.session.scalars(select(ToothMatch)).one().entered == "36"

    def test_where_no_paper_names_the_tooth_a_second_person_looks(self, app, world, browser_of, scene, gate):
        at = scene("asked", plan="36 x plan")
        number, _, version = gate()
        silva = browser_of("silva")
        page = silva.get(f"/approvals/gate-start/{number}").text
        notice = re.search(r'<p class="notice" id="gate-doubt-\d+">.*?</p>', page, re.S)[0]
        assert "no radiograph names the tooth; no consent names the tooth" in notice
        assert "36" not in re.sub("<svg.*?</svg>", "", notice, flags=re.S)
        assert "a radiograph and a consent of the patient name the tooth" in browser_of("kamal").get(f"{at}/start").text
        name = re.search(r'name="(tooth-\d+)"', page)[1]
        alone = silva.post(f"/gates/{number}/approve", {"version": version, name: "36"})
        assert (alone.status_code, "Name a second clinician" in alone.text) == (422, True)
        second = {"second": world.people["leela"], "reason": "Loose, nothing to be seen on a picture"}
        assert silva.post(f"/gates/{number}/approve", {"version": version, name: "36"} | second).status_code == 303
        with app.app_context():
            assert not db.session.scalars(select(ToothMatch)).one().agrees

    def test_a_dismissal_one_by_one_and_the_rest(self, app, world, browser_of, scene, gate):
        scene("sent")
        number, _, version = gate()
        silva = browser_of("silva")
        page = silva.get(f"/approvals/gate-dismiss/{number}").text
        assert "Approve 2, 2 not opened" in words_of(page)
        first, second = re.findall(rf'action="(/gates/{number}/items/\d+/approve)"', page)
        assert silva.post(first, {"version": version}).status_code == 303
        assert silva.post(second, {"version": version}).status_code == 409
        page = silva.get(f"/approvals/gate-dismiss/{number}").text
        assert "Approve 1, 1 not opened" in words_of(page)
        back = second.replace("/approve", "/return")
        assert silva.post(back, {"version": gate()[2], "reason": ""}).status_code == 422
        assert silva.post(back, {"version": gate()[2], "reason": "Which surface?"}).status_code == 303
        assert gate()[1] is GateStatus.RETURNED
        assert "Which surface?" in browser_of("kamal").get(f"/visits/{world.visits['fernando']}").text

    def test_what_was_opened_by_itself_is_counted(self, app, world, browser_of, scene, gate):
        at = scene("sent")
        number, _, version = gate()
        silva, shown = browser_of("silva"), f"/approvals/gate-dismiss/{number}"
        first, _second = re.findall(rf'data-opened="(/gates/{number}/items/\d+/opened)"', silva.get(shown).text)
        for _ in range(2):
            assert silva.post(first).status_code == 204
        assert gate()[2] == version
        page = silva.get(shown).text
        assert "Approve 2, 1 not opened" in words_of(page)
        assert "Without JavaScript each is open on this page" in page
        assert silva.post(f"{shown}/approve", {"version": version}).status_code == 303
        assert "(1 of 2 not opened)" in browser_of("kamal").get(at).text
        assert "(1 of 2 not opened)" in browser_of("kamal").get(f"{at}/gates/{number}").text
        assert browser_of("sato").post(first).status_code == 404
        assert browser_of("kamal").post(first).status_code == 403
        assert silva.post(first.replace("/items/", "/items/9999")).status_code == 422
        with app.app_context():
            assert (
                db.session.scalar(select(func.count()).select_from(Opened).where(Opened.item.like("gate-item:%"))) == 1
            )

    def test_all_at_once(self, app, world, browser_of, scene, gate):
        scene("sent")
        number, _, version = gate()
        answer = browser_of("silva").post(f"/approvals/gate-dismiss/{number}/approve", {"version": version})
        assert answer.status_code == 303
        assert stage(app, world) is Stage.CHECKOUT

    def test_what_is_changed_after_comes_back_by_itself(self, app, world, browser_of, scene, gate):
        at = scene("sent")
        number, _, version = gate()
        silva = browser_of("silva")
        silva.post(f"/approvals/gate-dismiss/{number}/approve", {"version": version})
        with app.app_context():
            chart_line(world.patient("fernando"), "17 o car", actor=world.user("kamal"), reason="x")
            db.session.commit()
        assert "Changed after approval by" in browser_of("kamal").get(at).text
        assert f"/approvals/gate-changed/{number}" in silva.get("/approvals").text
        page = silva.get(f"/approvals/gate-changed/{number}").text
        assert "Added: 17" in page
        version = re.search(r'name="version" value="(\d+)"', page)[1]
        assert silva.post(f"/approvals/gate-changed/{number}/approve", {"version": version}).status_code == 303
        assert "gate-changed" not in silva.get("/approvals").text
        assert "Changed after approval by" not in browser_of("kamal").get(at).text


class TestAtTheStudentsTerminal:
    @pytest.fixture
    def here(self, browser_of, scene, gate, world):
        at = scene("asked")
        number, _, version = gate()
        kamal = browser_of("kamal")

        def sent(pin=PIN, who="silva", **more):
            data = {"version": version, "supervisor": world.people[who], "pin": pin} | more
            return kamal.post(f"{at}/gates/{number}/here", data)

        return kamal, f"{at}/gates/{number}", sent

    def test_the_supervisors_own_pin_approves_this_alone(self, app, world, here, gate):
        kamal, at, sent = here
        page = kamal.get(at).text
        assert "A supervisor approves here" in page
        assert sent().status_code == 303
        assert gate()[1] is GateStatus.APPROVED
        with app.app_context():
            newest = last_gate()
            assert (newest.decided_by_id, newest.session_of_id) == (world.people["silva"], world.people["kamal"])
            event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "gate.approve")).one()
            assert event.actor_id == world.people["silva"]
            assert "at the terminal of Kamal Dias" in event.sentence
            session = db.session.get(AuthSession, kamal.session_id)
            assert (session.user_id, session.ended_at, session.wrong_pins) == (world.people["kamal"], None, 0)
        assert kamal.get("/my-queue").status_code == 200
        assert kamal.get("/approvals").status_code == 403
        assert sent().status_code == 409

    def test_a_wrong_pin_approves_nothing_and_waits(self, app, world, here, gate):
        kamal, _at, sent = here
        for _ in range(3):
            answer = sent("000000")
            assert (answer.status_code, "not right" in answer.text) == (422, True)
        assert sent().status_code == 429
        assert gate()[1] is GateStatus.PENDING
        with app.app_context():
            told = db.session.scalars(select(Notice).where(Notice.user_id == world.people["silva"])).all()
            assert [notice.kind for notice in told] == ["gate.wrong_pin"]
            wrong = select(func.count(AuditEvent.id)).where(AuditEvent.act == "gate.wrong_pin")
            assert db.session.scalar(wrong) == 3
            assert db.session.get(AuthSession, kamal.session_id).wrong_pins == 0

    @pytest.mark.parametrize("who", ["kamal", "leela", "sato", "ruwan"])
    def test_nobody_elses_pin(self, here, gate, who):
        _kamal, _at, sent = here
        assert sent(who=who).status_code in (422, 403)
        assert gate()[1] is GateStatus.PENDING

    def test_a_dismissal_too(self, app, world, browser_of, scene, gate):
        at = scene("sent")
        number, _, version = gate()
        data = {"version": version, "supervisor": world.people["silva"], "pin": PIN}
        assert browser_of("kamal").post(f"{at}/gates/{number}/here", data).status_code == 303
        assert stage(app, world) is Stage.CHECKOUT

    def test_another_visits_gate_is_none(self, world, browser_of, here):
        kamal, at, _sent = here
        other = at.replace(f"/visits/{world.visits['fernando']}", f"/visits/{world.visits['perera']}")
        assert kamal.get(other).status_code == 404
        assert browser_of("leela").get(at).status_code == 404


class TestUnapprovedWork:
    @pytest.fixture
    def old(self, app, world):
        with app.app_context(), clock.frozen(clock.now() - timedelta(days=9)):
            sign_note(world.patient("fernando"), said=Said(NoteType.PROGRESS, "Long ago"), actor=world.user("kamal"))
            db.session.commit()

    def test_both_see_it_and_the_supervisor_gives_time(self, app, world, browser_of, old):
        kamal, silva = browser_of("kamal"), browser_of("silva")
        assert "Nimali Fernando" in kamal.get("/unapproved").text
        assert f"/unapproved/{world.people['kamal']}" in silva.get("/unapproved").text
        page = silva.get(f"/unapproved/{world.people['kamal']}").text
        assert "Note signed" in page
        with app.app_context():
            until = clock.today() + timedelta(days=3)
        sent = {"until": until.isoformat(), "reason": "Was ill"}
        assert silva.post(f"/unapproved/{world.people['kamal']}", {"until": "soon", "reason": "x"}).status_code == 422
        assert silva.post(f"/unapproved/{world.people['kamal']}", sent).status_code == 303
        assert "Was ill" in silva.get(f"/unapproved/{world.people['kamal']}").text
        with app.app_context():
            assert db.session.scalars(select(Extension)).one().until == until

    def test_others_do_not(self, world, browser_of, old):
        number = world.people["kamal"]
        assert browser_of("leela").get("/unapproved").text.count("Kamal") == 0
        assert browser_of("sato").get(f"/unapproved/{number}").status_code == 404
        assert browser_of("kamal").get(f"/unapproved/{number}").status_code == 403
        assert browser_of("ruwan").get("/unapproved").status_code == 403
        assert browser_of("sato").post(f"/unapproved/{number}", {"until": "x"}).status_code == 404

    def test_its_cost_does_not_depend_on_how_much_it_is(self, app, world, browser_of, old):
        silva = browser_of("silva")
        silva.get("/unapproved")
        with counted() as few:
            silva.get("/unapproved")
        with app.app_context():
            for number in range(30):
                said = Said(NoteType.PROGRESS, f"Note {number}")
                sign_note(world.patient("fernando"), said=said, actor=world.user("kamal"))
            db.session.commit()
        with counted() as many:
            silva.get("/unapproved")
        assert len(many) == len(few)


def test_the_card_leads_to_what_is_to_be_prepared(browser_of, scene, world):
    at = scene()
    page = browser_of("kamal").get("/my-queue").text
    assert "Start: prepare" in page
    assert f'href="{at}/start"' in page
    assert "Start treatment" not in page


def test_closing_the_day_says_what_is_missing(browser_of, scene, world):
    scene("treated")
    assert (
        "without approval of dismissal"
        in browser_of("nimal").get(f"/queue/close-day?department={world.departments['restorative']}").text
    )


class TestPastTheGates:
    """What an attack found, each mended."""

    def test_a_tooth_is_read_in_the_numbers_of_the_page(self, app, world, browser_of, scene, gate):
        at = scene("asked", plan="26 x plan", named="26")
        with app.app_context():
            world.user("silva").numbering = "universal"
            db.session.commit()
            item = db.session.scalars(select(GateItem)).one().id
        number, _, version = gate()
        kamal = browser_of("kamal")
        assert "in FDI numbers" in kamal.get(f"{at}/gates/{number}").text
        sent = {"version": version, "supervisor": world.people["silva"], "pin": PIN}
        wrong = kamal.post(f"{at}/gates/{number}/here", sent | {f"tooth-{item}": "14"})  # 26 in her own numbers
        assert wrong.status_code == 422
        assert "is not the tooth of the plan" in wrong.text
        assert gate()[1] is GateStatus.PENDING
        assert kamal.post(f"{at}/gates/{number}/here", sent | {f"tooth-{item}": "26"}).status_code == 303
        with app.app_context():
            assert [match.entered for match in db.session.scalars(select(ToothMatch))] == ["26"]

    def test_what_a_student_did_is_approved_whoever_the_visit_is_with(self, app, world, scene):
        scene("treated")
        with app.app_context():
            world.visit("fernando").student_id = None
            db.session.flush()
            entry = entry_of(world, "fernando")
            move(entry.id, to=Stage.AWAITING_DISMISSAL, version=entry.version, actor=world.user("ruwan"))
            entry = entry_of(world, "fernando")
            with pytest.raises(DomainError, match="Nobody has approved what this visit changed"):
                move(entry.id, to=Stage.CHECKOUT, version=entry.version, actor=world.user("ruwan"))

    def test_a_long_note_is_shown_whole_where_it_is_approved(self, app, world, browser_of, scene, gate):
        scene("treated")
        with app.app_context():
            said = Said(type=NoteType.TREATMENT, text="a " * 400 + "OVERDOSE", visit_id=world.visits["fernando"])
            sign_note(world.patient("fernando"), said=said, actor=world.user("kamal"))
            dismissal_asked(world)
            db.session.commit()
        assert "OVERDOSE" in browser_of("silva").get(f"/approvals/gate-dismiss/{gate()[0]}").text

    def test_nobody_approves_what_they_struck_themselves_and_the_trail_says_who_did_it(self, app, world, scene):
        scene("treated")
        with app.app_context():
            former, other, patient = dismissed(world), second_supervisor(world), world.patient("fernando")
            struck = next(entry for entry in mouth_of(patient.id).entries if entry.kind == "caries")
            seen = stroke_of(patient.id)
            enter_in_error(patient, entry_id=struck.id, seen=seen, reason="I do not like it", actor=other)
            seen = version_of(standing_of(world.visit("fernando")))
            with pytest.raises(DomainError, match="You changed a part of this yourself"):
                approve_changes(former.id, version=seen, actor=other)
            approve_changes(former.id, version=seen, actor=world.user("silva"))
            db.session.commit()
            told = select(AuditEvent.actor_id).where(AuditEvent.act == "gate.lay_changes")
            assert db.session.scalars(told).all() == [world.people["silva"]]

    def test_the_front_desk_reads_no_reason_of_a_return(self, app, world, browser_of, scene, gate):
        at = scene("sent")
        with app.app_context():
            return_gate(gate()[0], version=gate()[2], reason="Perforated the pulp floor", actor=world.user("silva"))
            db.session.commit()
        assert "Perforated" in browser_of("kamal").get(at).text
        desk = browser_of("rita").get(at)
        assert desk.status_code == 200
        assert "Perforated" not in desk.text

    def test_a_closed_day_tells_of_a_start_that_only_waited(self, app, world, scene):
        scene("asked")
        with app.app_context():
            assert missing_of(world.visit("fernando")) == "without approval of start and dismissal"

    def test_going_back_to_a_version_passes_no_gate(self, app, world, scene):
        scene("treated")
        with app.app_context():
            patient, kamal = world.patient("fernando"), world.user("kamal")
            version = cut_version(patient, why=VersionReason.NAMED, name="Filled", actor=kamal)
            done = next(entry for entry in mouth_of(patient.id).entries if entry.status is Status.COMPLETED)
            enter_in_error(
                patient, entry_id=done.id, seen=stroke_of(patient.id), reason="Not so", actor=world.user("silva")
            )
            how = {"number": version.number, "seen": stroke_of(patient.id), "reason": "I want it back"}
            with pytest.raises(DomainError, match="A supervisor can do that"):
                restore_version(patient, **how, actor=kamal)
