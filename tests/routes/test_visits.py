"""The schedule, a new simple visit, check-in, walk-ins."""

import html
import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.blueprints.visits.forms import next_time
from clinic.extensions import db
from clinic.models import Priority, QueueEntry, Stage, Visit, VisitStatus
from clinic.operations.visits import check_in
from tests.queries_counted import counted
from tests.trail import ACTS


@pytest.fixture
def at_desk(browser_of):
    return browser_of("ruwan")


@pytest.fixture
def tomorrow(app):
    with app.app_context():
        return clock.today() + timedelta(days=1)


def booking(world, tomorrow, **changes):
    return {
        "patient": world.patients["fernando"],
        "department": world.departments["restorative"],
        "day": tomorrow.isoformat(),
        "time": "09:30",
        "minutes": "45",
        "chair": world.chairs["A1"],
        "student": world.people["kamal"],
        "supervisor": world.people["silva"],
        "reason": "Filling 36",
    } | changes


def visits_of(app, world, patient):
    with app.app_context():
        found = select(Visit).where(Visit.patient_id == world.patients[patient]).order_by(Visit.id)
        return list(db.session.scalars(found))


def in_line(app, world, patient):
    with app.app_context():
        held = select(QueueEntry).where(QueueEntry.open_patient_id == world.patients[patient])
        return db.session.scalars(held).one_or_none()


# --- the schedule -----------------------------------------------------------------------------------------------------


def test_the_schedule_shows_the_day(at_desk, world):
    page = at_desk.get(f"/schedule?department={world.departments['restorative']}").text
    for words in ("Nimali Fernando", "Ana Perera", "Check-up", "Kamal Dias", "Dr Sunil Silva", "Check in", "2 visits"):
        assert words in page, words
    assert "吴美玲" not in page


def test_another_day_is_a_link_away_and_an_unreadable_day_is_today(at_desk, world, tomorrow):
    department = world.departments["restorative"]
    page = at_desk.get(f"/schedule?department={department}&day={tomorrow.isoformat()}").text
    assert "No visits on this day" in page
    assert "Nimali Fernando" in at_desk.get(f"/schedule?department={department}&day=soon").text


def test_the_days_list_answers_204_while_nothing_changed(app, at_desk, world):
    with clock.frozen(clock.now()):
        page = at_desk.get(f"/schedule?department={world.departments['restorative']}").text
        region = html.unescape(re.search('hx-get="(/schedule/day[^"]+)"', page)[1])
        assert at_desk.get(region, htmx=True).status_code == 204
        with app.app_context():
            check_in(world.visit("fernando"), actor=world.user("rita"))
            db.session.commit()
        changed = at_desk.get(region, htmx=True)
    assert changed.text.startswith('<section id="visits-day"')
    assert "A-001" in changed.text


def test_the_schedule_costs_as_many_queries_for_many_visits(app, at_desk, world):
    url = f"/schedule/day?department={world.departments['restorative']}"
    at_desk.get(url)
    with counted() as few:
        at_desk.get(url)
    with app.app_context():
        visit = world.visit("fernando")
        for minutes in range(30):
            db.session.add(
                Visit(
                    patient_id=world.patients["nadia"],
                    department_id=visit.department_id,
                    starts_at=visit.starts_at + timedelta(minutes=minutes),
                    status=VisitStatus.CANCELLED,
                    created_at=clock.now(),
                    created_by_id=visit.created_by_id,
                )
            )
        db.session.commit()
    with counted() as many:
        at_desk.get(url)
    assert len(many) <= len(few)


@pytest.mark.parametrize("name", ["kamal", "adel"])
@pytest.mark.parametrize("url", ["/schedule", "/schedule/day", "/visits/new", "/walk-in", "/visits/patients"])
def test_the_schedule_is_not_for_students_and_admins(browser_of, name, url):
    assert browser_of(name).get(url).status_code == 403


def test_a_department_that_is_not_there_is_not_found(at_desk):
    assert at_desk.get("/schedule?department=99999").status_code == 404


def test_reading_writes_nothing(app, at_desk, world):
    def rows():
        with app.app_context():
            counted = select(func.count())
            return [
                db.session.scalar(query)
                for query in (counted.select_from(Visit), counted.select_from(QueueEntry), counted.where(ACTS))
            ]

    before, nadia = rows(), world.patients["nadia"]
    for url in (
        "/schedule",
        "/schedule/day",
        f"/visits/new?patient={nadia}",
        f"/walk-in?patient={nadia}",
        "/walk-in?q=na",
    ):
        assert at_desk.get(url).status_code == 200, url
    assert rows() == before


# --- whom is it for? --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["/visits/new", "/walk-in"])
def test_the_patient_is_found_by_search_without_javascript(at_desk, world, url):
    page = at_desk.get(f"{url}?q=nima&department={world.departments['restorative']}").text
    link = re.search(r'id="visits-patient-\d+"[^>]*href="([^"]+)"', page)[1]
    chosen = at_desk.get(html.unescape(link)).text
    assert "Nimali Fernando" in chosen
    assert "Penicillin" in chosen


def test_what_is_found_is_a_fragment_of_its_own(at_desk):
    answer = at_desk.get("/visits/patients?for=visits.walk_in&q=nima", htmx=True)
    assert answer.text.startswith('<div id="visits-found"')
    assert "/walk-in?patient=" in answer.text
    nobody = at_desk.get("/visits/patients?for=visits.new&q=zzzz", htmx=True).text
    assert "Nobody is found by “zzzz”" in nobody
    assert "Register a new patient" in nobody


# --- scheduling -------------------------------------------------------------------------------------------------------


def test_scheduling_a_visit(app, at_desk, world, tomorrow):
    answer = at_desk.post("/visits/new", booking(world, tomorrow))
    assert answer.status_code == 303
    shown = at_desk.get(answer.location).text
    assert "is booked for 09:30" in shown
    assert "Nimali Fernando" in shown
    visit = visits_of(app, world, "fernando")[-1]
    with app.app_context():
        assert clock.local(visit.starts_at).replace(tzinfo=None) == datetime.combine(
            tomorrow, datetime.min.time()
        ).replace(hour=9, minute=30)
    assert (visit.minutes, visit.chair_id, visit.reason) == (45, world.chairs["A1"], "Filling 36")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": " "}, "Write the reason in a few words."),
        ({"day": ""}, "Choose a day."),
        ({"time": "09:17"}, "Choose one from the list."),
        ({"minutes": "7"}, "Choose one from the list."),
        ({"student": "99999"}, "Choose one from the list."),
        ({"department": "99999"}, "Choose one from the list."),
    ],
)
def test_what_cannot_be_right_is_refused_and_the_rest_is_kept(app, at_desk, world, tomorrow, changes, words):
    answer = at_desk.post("/visits/new", booking(world, tomorrow, **changes))
    assert answer.status_code == 422
    assert words in answer.text
    assert 'value="Filling 36"' in answer.text or "reason" in changes
    assert len(visits_of(app, world, "fernando")) == 1


def test_a_clash_says_whom_and_when_and_keeps_all_that_was_typed(app, at_desk, world, tomorrow):
    at_desk.post(
        "/visits/new", booking(world, tomorrow, patient=world.patients["perera"], student=world.people["leela"])
    )
    answer = at_desk.post("/visits/new", booking(world, tomorrow, time="09:45"))
    assert answer.status_code == 422
    assert "Chair A1 is booked for Ana Perera" in answer.text
    assert "from 09:30 to 10:15" in answer.text
    assert 'value="Filling 36"' in answer.text
    assert re.search(r'<option[^>]*selected[^>]*value="09:45"', answer.text)
    assert len(visits_of(app, world, "fernando")) == 1


def test_the_same_form_sent_twice_books_once(app, at_desk, world, tomorrow):
    answers = [at_desk.post("/visits/new", booking(world, tomorrow), once="one-form-only") for _ in (1, 2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(visits_of(app, world, "fernando")) == 2


def test_a_patient_who_is_not_there_cannot_be_booked(at_desk, world, tomorrow):
    assert at_desk.get("/visits/new?patient=99999").status_code == 404
    assert at_desk.post("/visits/new", booking(world, tomorrow, patient=99999)).status_code == 404
    without = booking(world, tomorrow)
    del without["patient"]
    assert at_desk.post("/visits/new", without).status_code == 404


@pytest.mark.parametrize(
    ("at", "offered"), [("10:07", "10:15"), ("19:50", "07:00"), ("10:45", "11:00"), ("05:10", "07:00")]
)
def test_the_next_quarter_of_an_hour_is_offered(context, at, offered):
    wall = datetime.combine(clock.today(), datetime.strptime(at, "%H:%M").time(), tzinfo=clock.zone())
    with clock.frozen(wall):
        assert next_time() == offered


def test_only_students_of_the_patient_are_offered(at_desk, world):
    page = at_desk.get(f"/visits/new?patient={world.patients['perera']}").text
    offered = page.split('id="student"')[1].split("</select>")[0]
    assert "Leela Nair" in offered
    assert "Kamal Dias" not in offered  # formerly hers


@pytest.mark.parametrize("name", ["kamal", "silva", "nimal", "adel"])
def test_only_the_desk_schedules(app, browser_of, world, tomorrow, name):
    assert browser_of(name).post("/visits/new", booking(world, tomorrow)).status_code == 403
    assert len(visits_of(app, world, "fernando")) == 1


# --- check-in ---------------------------------------------------------------------------------------------------------


def test_checking_in_from_the_schedule(app, at_desk, world):
    page = at_desk.get(f"/schedule?department={world.departments['restorative']}").text
    form = page.split(f'action="/visits/{world.visits["fernando"]}/check-in"')[1].split("</form>")[0]
    sent = dict(re.findall('name="([^"]+)" value="([^"]*)"', form))
    answer = at_desk.client.post(f"/visits/{world.visits['fernando']}/check-in", data=sent)
    assert answer.status_code == 303
    assert "Nimali Fernando is in line as A-001" in at_desk.get(answer.location).text
    assert in_line(app, world, "fernando").stage is Stage.WAITING


def test_checking_in_in_place_offers_undo(app, at_desk, world):
    answer = at_desk.post(f"/visits/{world.visits['fernando']}/check-in", htmx=True)
    assert answer.status_code == 204
    entry = in_line(app, world, "fernando")
    assert f"/queue/{entry.id}/undo?version=1" in answer.headers["HX-Trigger"]
    assert at_desk.post(f"/queue/{entry.id}/undo?version=1", htmx=True).status_code == 204
    assert in_line(app, world, "fernando") is None


def test_checking_in_twice_says_who_did_it(app, browser_of, world):
    url = f"/visits/{world.visits['fernando']}/check-in"
    assert browser_of("rita").post(url).status_code == 303
    again = browser_of("ruwan").post(url, htmx=True)
    assert again.status_code == 409
    assert "already checked in by Rita Gomes" in again.text
    same = [browser_of("nimal").post(url, once="same-key-twice") for _ in (1, 2)]
    assert {answer.status_code for answer in same} == {409}


def test_the_same_check_in_sent_twice_has_one_effect(at_desk, world):
    url = f"/visits/{world.visits['fernando']}/check-in"
    answers = [at_desk.post(url, once="check-in-1-v1") for _ in (1, 2)]
    assert [answer.status_code for answer in answers] == [303, 303]


def test_a_visit_that_is_not_there_cannot_be_checked_in(at_desk):
    assert at_desk.post("/visits/99999/check-in").status_code == 404


@pytest.mark.parametrize("name", ["kamal", "silva", "adel"])
def test_only_the_desk_and_nurses_check_in(app, browser_of, world, name):
    assert browser_of(name).post(f"/visits/{world.visits['fernando']}/check-in").status_code == 403
    assert in_line(app, world, "fernando") is None


# --- walk-ins ---------------------------------------------------------------------------------------------------------


def arrival(world, **changes):
    return {
        "patient": world.patients["nadia"],
        "department": world.departments["restorative"],
        "reason": "Pain on the left",
        "priority": "2",
    } | changes


def test_a_walk_in_gets_in_line(app, at_desk, world):
    page = at_desk.get(f"/walk-in?patient={world.patients['nadia']}&department={world.departments['restorative']}").text
    assert "نادية منصور" in page
    answer = at_desk.post("/walk-in", arrival(world))
    assert answer.status_code == 303
    shown = at_desk.get(answer.location).text
    assert "is in line as A-001" in shown
    assert "walk-in" in shown
    assert 'data-priority="high"' in shown
    assert in_line(app, world, "nadia").priority == Priority.HIGH


@pytest.mark.parametrize("changes", [{"reason": ""}, {"priority": "9"}, {"department": "99999"}, {"priority": ""}])
def test_a_walk_in_needs_a_reason_and_a_priority(app, at_desk, world, changes):
    answer = at_desk.post("/walk-in", arrival(world, **changes))
    assert answer.status_code == 422
    assert "message" in answer.text
    assert in_line(app, world, "nadia") is None


def test_somebody_already_in_line_is_refused_with_where(at_desk, world):
    assert at_desk.post("/walk-in", arrival(world)).status_code == 303
    again = at_desk.post("/walk-in", arrival(world, reason="Came again"))
    assert again.status_code == 422
    assert "already in the queue" in again.text
    assert 'value="Came again"' in again.text


def test_the_same_walk_in_sent_twice_has_one_effect(app, at_desk, world):
    answers = [at_desk.post("/walk-in", arrival(world), once="walk-in-once") for _ in (1, 2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(visits_of(app, world, "nadia")) == 1


def test_a_walk_in_of_nobody_is_not_found(at_desk, world):
    assert at_desk.post("/walk-in", arrival(world, patient=99999)).status_code == 404


@pytest.mark.parametrize("name", ["kamal", "silva", "adel"])
def test_only_the_desk_and_nurses_add_walk_ins(app, browser_of, world, name):
    assert browser_of(name).post("/walk-in", arrival(world)).status_code == 403
    assert in_line(app, world, "nadia") is None
