"""Chairs: who sits where, out of service and back."""

import html
import re

import pytest

from clinic import clock
from clinic.extensions import db
from clinic.models import Chair
from clinic.operations.queue import call_to_chair
from clinic.operations.visits import check_in


@pytest.fixture
def nurse(browser_of):
    return browser_of("nimal")


def chair(app, world, name):
    with app.app_context():
        return db.session.get_one(Chair, world.chairs[name])


def seat_fernando(app, world):
    with app.app_context():
        desk = world.user("ruwan")
        entry = check_in(world.visit("fernando"), actor=desk)
        call_to_chair(entry.id, version=1, chair_id=world.chairs["A2"], actor=desk)
        db.session.commit()


def test_the_page_shows_who_sits_where(app, nurse, world):
    seat_fernando(app, world)
    page = nurse.get(f"/chairs?department={world.departments['restorative']}").text
    taken = page.split(f'id="chairs-{world.chairs["A2"]}"')[1].split("</li>")[0]
    assert "A-001" in taken
    assert "Nimali Fernando" in taken
    out = page.split(f'id="chairs-{world.chairs["A4"]}"')[1].split("</li>")[0]
    assert "Compressor is being repaired" in out
    assert "Back in service" in out


def test_an_admin_sees_that_a_chair_is_taken_and_not_by_whom(app, browser_of, world):
    seat_fernando(app, world)
    page = browser_of("adel").get(f"/chairs?department={world.departments['restorative']}").text
    taken = page.split(f'id="chairs-{world.chairs["A2"]}"')[1].split("</li>")[0]
    assert "taken" in taken
    assert "A-001" not in page
    assert "Fernando" not in page


def test_the_desk_looks_but_does_not_touch(browser_of, world):
    page = browser_of("ruwan").get(f"/chairs?department={world.departments['restorative']}").text
    assert "out of service" in page
    assert "Back in service" not in page


def test_the_list_answers_204_while_nothing_changed(app, nurse, world):
    with clock.frozen(clock.now()):
        page = nurse.get(f"/chairs?department={world.departments['restorative']}").text
        region = html.unescape(re.search('hx-get="(/chairs/list[^"]+)"', page)[1])
        assert nurse.get(region, htmx=True).status_code == 204
        seat_fernando(app, world)
        changed = nurse.get(region, htmx=True)
    assert changed.text.startswith('<section id="chairs-list"')
    assert "A-001" in changed.text


def test_out_of_service_with_a_reason_and_back(app, nurse, world):
    url = f"/chairs/{world.chairs['A1']}"
    assert "chair A1" in nurse.get(f"{url}/out-of-service").text
    answer = nurse.post(f"{url}/out-of-service", {"version": 1, "reason": "Light is broken"})
    assert answer.status_code == 303
    shown = nurse.get(answer.location).text
    assert "Chair A1 is out of service" in shown
    assert "Light is broken" in shown
    answer = nurse.post(f"{url}/in-service", {"version": 2}, htmx=True)
    assert answer.status_code == 204
    assert "queue:changed" in answer.headers["HX-Trigger"]
    assert chair(app, world, "A1").out_of_service is None


@pytest.mark.parametrize("sent", [{"version": 1, "reason": " "}, {"version": 1}, {"version": "x", "reason": "Broken"}])
def test_a_reason_is_needed(app, nurse, world, sent):
    answer = nurse.post(f"/chairs/{world.chairs['A1']}/out-of-service", sent, htmx=True)
    assert answer.status_code == 422
    assert answer.text.startswith('<section id="chairs-out"')
    assert chair(app, world, "A1").out_of_service is None


def test_the_same_form_sent_twice_has_one_effect(app, nurse, world):
    sent = {"version": 1, "reason": "Light is broken"}
    url = f"/chairs/{world.chairs['A1']}/out-of-service"
    answers = [nurse.post(url, sent, once="chair-out-1-v1") for _ in (1, 2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert chair(app, world, "A1").version == 2


def test_a_stale_form_is_refused(app, browser_of, world):
    url = f"/chairs/{world.chairs['A1']}/out-of-service"
    assert browser_of("nimal").post(url, {"version": 1, "reason": "Light is broken"}).status_code == 303
    late = browser_of("adel").post(url, {"version": 1, "reason": "Being cleaned"})
    assert late.status_code == 409
    assert "Light is broken" in late.text
    assert chair(app, world, "A1").out_of_service == "Light is broken"


def test_from_its_own_page_it_leads_back_to_the_chairs(nurse, world):
    url = f"/chairs/{world.chairs['A1']}/out-of-service"
    sent = {"version": 1, "reason": "Light is broken"}
    answer = nurse.post(url, sent, htmx=True, headers={"HX-Current-URL": f"http://localhost{url}"})
    assert answer.headers["HX-Redirect"].startswith("/chairs?department=")


@pytest.mark.parametrize("path", ["out-of-service", "in-service"])
def test_a_chair_that_is_not_there_is_not_found(nurse, path):
    assert nurse.post(f"/chairs/99999/{path}", {"version": 1, "reason": "Broken"}).status_code == 404


@pytest.mark.parametrize("name", ["ruwan", "silva", "kamal"])
@pytest.mark.parametrize("path", ["out-of-service", "in-service"])
def test_only_nurses_and_admins_take_chairs_out(app, browser_of, world, name, path):
    answer = browser_of(name).post(f"/chairs/{world.chairs['A1']}/{path}", {"version": 1, "reason": "Broken"})
    assert answer.status_code == 403
    assert chair(app, world, "A1").version == 1


def test_students_do_not_see_all_chairs(browser_of):
    assert browser_of("kamal").get("/chairs").status_code == 403
    assert browser_of("kamal").get("/chairs/list").status_code == 403
    assert browser_of("ruwan").get("/chairs?department=99999").status_code == 404
