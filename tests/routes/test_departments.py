"""The administrator's pages of departments and chairs."""

from html import unescape

import pytest
from sqlalchemy import select

from clinic import settings
from clinic.extensions import db
from clinic.models import AuditEvent, Chair, Department
from tests.forms import fields_of
from tests.queries_counted import counted


@pytest.fixture
def adel(browser_of):
    return browser_of("adel")


@pytest.fixture
def surgery(app, adel):
    """The address of a department in which nobody is."""
    answer = adel.post("/settings/departments", {"name": "Oral surgery", "letter": "c", "chairs": "2"})
    assert answer.status_code == 303
    return answer.location.partition("?")[0]


def row(app, model, key):
    with app.app_context():
        return db.session.get_one(model, key)


def acts(app):
    with app.app_context():
        wanted = AuditEvent.act.like("department.%") | AuditEvent.act.like("chair.%")
        return db.session.scalars(select(AuditEvent.act).where(wanted).order_by(AuditEvent.id)).all()


def sent(person, url, action, **changes):
    return person.post(action, fields_of(person.get(url).text, action) | changes)


def test_the_list_shows_what_belongs_to_each(adel):
    page = adel.get("/settings/departments").text
    assert "Restorative" in page
    assert "Orthodontics" in page
    assert '<td class="number" data-word="chairs">4</td>' in page


def test_one_is_opened_and_shown_with_its_chairs(app, adel, surgery):
    page = adel.get(surgery).text
    assert "C1" in page
    assert "C2" in page
    assert acts(app) == ["department.open"]


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"name": "", "letter": "C", "chairs": "1"}, 422, "Type a name."),
        ({"name": "New", "letter": "7", "chairs": "1"}, 422, "Type one or two letters A to Z."),
        ({"name": "New", "letter": "C", "chairs": "many"}, 422, ""),
        ({"name": "New", "letter": "C", "chairs": "201"}, 422, "Type a whole number from 0 to 200."),
        ({"name": "New", "letter": "A", "chairs": "1"}, 422, "Restorative has that name or its tickets begin with A"),
    ],
)
def test_what_cannot_be_opened_is_said_and_kept(app, adel, fields, status, sentence):
    answer = adel.post("/settings/departments", fields)
    assert answer.status_code == status
    assert sentence in unescape(answer.text)
    assert f'value="{fields["name"]}"' in answer.text
    assert acts(app) == []


def test_it_is_renamed_and_a_stale_form_shows_both(app, adel, surgery):
    stale = fields_of(adel.get(surgery).text, surgery) | {"name": "Theatre"}
    assert sent(adel, surgery, surgery, name="Surgery").status_code == 303
    answer = adel.post(surgery, stale)
    assert answer.status_code == 409
    assert "it is called Surgery and is open" in answer.text
    again = fields_of(answer.text, surgery)
    assert again["name"] == "Theatre"
    assert adel.post(surgery, again | {"once": "another-key-1"}).status_code == 303
    assert "Theatre" in adel.get(surgery).text
    assert adel.post(surgery, again | {"name": " ", "once": "another-key-2"}).status_code == 422


def test_it_is_closed_and_opened_again(app, adel, surgery, browser_of):
    assert sent(adel, surgery, f"{surgery}/close").status_code == 303
    assert "Oral surgery" not in browser_of("nimal").get("/chairs").text
    assert "closed" in adel.get("/settings/departments").text
    assert sent(adel, surgery, f"{surgery}/reopen").status_code == 303
    assert "Oral surgery" in browser_of("nimal").get("/chairs").text
    assert acts(app) == ["department.open", "department.close", "department.reopen"]


def test_one_with_people_is_not_closed(app, adel, world):
    url = f"/settings/departments/{world.departments['orthodontics']}"
    answer = sent(adel, url, f"{url}/close")
    assert answer.status_code == 422
    assert "Orthodontics cannot be closed yet: 2 people work or study in it" in answer.text
    assert row(app, Department, world.departments["orthodontics"]).active


def test_a_chair_is_added_once(app, adel, surgery):
    fields = fields_of(adel.get(surgery).text, f"{surgery}/chairs") | {"name": "C 3"}
    first, second = (adel.post(f"{surgery}/chairs", fields) for _ in range(2))
    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert adel.get(surgery).text.count("C 3") == 1
    answer = adel.post(f"{surgery}/chairs", {"name": "C 3"})
    assert answer.status_code == 422
    assert "There is a chair C 3 in this department already." in answer.text


def test_a_chair_is_renamed_retired_and_brought_back(app, adel, world, browser_of):
    key = world.chairs["A3"]
    url = f"/settings/chairs/{key}"
    stale = fields_of(adel.get(url).text, url) | {"name": "A33"}
    assert sent(adel, url, url, name="Window").status_code == 303
    answer = adel.post(url, stale)
    assert answer.status_code == 409
    assert "Chair Window was changed meanwhile" in answer.text
    assert sent(adel, url, f"{url}/retire").status_code == 303
    assert "Window" not in browser_of("nimal").get(f"/chairs?department={world.departments['restorative']}").text
    assert "retired" in adel.get(url).text
    assert sent(adel, url, f"{url}/bring-back").status_code == 303
    assert row(app, Chair, key).retired_at is None
    assert acts(app) == ["chair.rename", "chair.retire", "chair.bring_back"]
    assert adel.post(url, {"version": "99", "name": " "}).status_code == 422


def test_what_is_not_there_is_not_found(adel):
    for url in ("/settings/departments/999999", "/settings/chairs/999999"):
        assert adel.get(url).status_code == 404
        assert adel.post(url, {"version": "1", "name": "X"}).status_code == 404


def test_others_may_not(browser_of, world):
    place, chair = world.departments["restorative"], world.chairs["A3"]
    writes = [f"/settings/departments/{place}{end}" for end in ("", "/close", "/reopen", "/chairs")]
    writes += [f"/settings/chairs/{chair}{end}" for end in ("", "/retire", "/bring-back")]
    for name in ("ruwan", "kamal", "silva", "nimal"):
        person = browser_of(name)
        for url in ("/settings/departments", writes[0], f"/settings/chairs/{chair}"):
            assert person.get(url).status_code == 403
        for url in ("/settings/departments", *writes):
            assert person.post(url, {"version": "1", "name": "X"}).status_code == 403


def test_looking_changes_nothing_and_asks_as_little_when_there_are_many(app, adel, world):
    urls = ("/settings/departments", f"/settings/departments/{world.departments['restorative']}")

    def statements():
        found = []
        for url in urls:
            settings.forget()
            with counted() as sent:
                assert adel.get(url).status_code == 200
            found.append(len(sent))
        return found

    statements()
    few = statements()
    with app.app_context():
        for number in range(100):
            letters = chr(65 + number // 26) + chr(65 + number % 26)
            db.session.add(Department(name=f"Place {number}", letter=letters))
            db.session.add(Chair(department_id=world.departments["restorative"], name=f"X{number}"))
        db.session.commit()
    assert statements() == few
    assert acts(app) == []
