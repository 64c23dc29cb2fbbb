"""The administrator's pages of people."""

import re

import pytest
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Assignment, AuditEvent, AuthSession, Role, User
from clinic.queries.scope import is_running
from tests.trail import ACTS
from tests.visitor import Visitor

NEW = {"name": "Mala Perera", "email": "Mala@clinic.test ", "role": "student", "department_id": "", "year": "3"}


@pytest.fixture
def adel(browser_of):
    return browser_of("adel")


@pytest.fixture
def new(world):
    return NEW | {"department_id": str(world.departments["restorative"])}


def form_of(app, world, who, /, **changes):
    with app.app_context():
        person = world.user(who)
        fields = {
            "name": person.name,
            "email": person.email,
            "role": person.role.value,
            "department_id": person.department_id or "",
            "year": person.year or "",
            "version": person.version,
        }
    return fields | changes


def password_on(page):
    return re.search(r"<code>([\w-]+)</code>", page.text)[1]


def acts(app):
    with app.app_context():
        return list(db.session.scalars(select(AuditEvent.act).where(ACTS).order_by(AuditEvent.id)))


class TestList:
    def test_it_shows_and_filters(self, adel):
        assert "Ruwan Senanayake" in adel.get("/people/").text
        students = adel.get("/people/?role=student").text
        assert "Kamal Dias" in students
        assert "Ruwan" not in students
        found = adel.get("/people/?q=SILVA").text
        assert "Dr Sunil Silva" in found
        assert "Kamal" not in found
        assert "Nobody here" in adel.get("/people/?q=100%25_").text
        assert "Nobody here" in adel.get("/people/?shown=inactive").text

    def test_it_pages_without_missing_anyone(self, app, adel, monkeypatch):
        from clinic.queries import people

        monkeypatch.setattr(people.people_of, "__kwdefaults__", people.people_of.__kwdefaults__ | {"limit": 2})
        seen, url = [], "/people/"
        while url:
            page = adel.get(url).text
            seen += re.findall(r"data-key-row>([^<]+)<", page)
            following = re.search(r'href="([^"]+)">Next page', page)
            url = following[1].replace("&amp;", "&") if following else None
        assert len(seen) == len(set(seen)) == 9
        assert seen == sorted(seen)

    def test_others_may_not(self, browser_of, world):
        for name in ("ruwan", "kamal", "silva", "nimal"):
            person = browser_of(name)
            assert person.get("/people/").status_code == 403
            assert person.post("/people/", NEW).status_code == 403
            assert person.post(f"/people/{world.people['rita']}/deactivate").status_code == 403


class TestCreate:
    def test_a_person_starts_with_a_temporary_password_shown_once(self, app, adel, new, browser_of):
        answer = adel.post("/people/", new)
        assert answer.status_code == 303
        page = adel.get(answer.location)
        password = password_on(page)
        assert "is not shown again" in page.text
        assert (
            "is not shown again" not in browser_of("adel").get(answer.location).text
        )  # another session of the same person
        mala = Visitor(app)
        assert mala.sign_in("mala", password).status_code == 303
        assert mala.get("/").location == "/account/password"
        assert mala.get("/account/sessions").location == "/account/password"
        assert "is not shown again" in adel.get(answer.location).text
        data = {"present": password, "password": "violet window seven"}
        assert mala.post("/account/password", data, token_of="/account/password").location == "/"
        assert mala.is_in()
        assert "is not shown again" not in adel.get(answer.location).text  # it opens nothing any more
        assert "people.create" in acts(app)

    def test_the_same_form_twice_adds_one_and_shows_the_same_password(self, app, adel, new):
        first = adel.post("/people/", new, once="create-mala-1")
        again = adel.post("/people/", new, once="create-mala-1")
        assert again.location == first.location
        assert password_on(adel.get(first.location)) == password_on(adel.get(again.location))
        with app.app_context():
            assert len(db.session.scalars(select(User).where(User.email == "mala@clinic.test")).all()) == 1

    def test_no_password_is_stored_readable(self, app, adel, new):
        answer = adel.post("/people/", new, once="create-mala-2")
        password = password_on(adel.get(answer.location))
        with app.app_context():
            for table in db.metadata.sorted_tables:
                assert password not in repr(db.session.execute(select(table)).all()), table.name

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"name": "  "}, "Type the person"),
            ({"email": "nowhere"}, "not an e-mail address"),
            ({"email": "ruwan@clinic.test"}, "belongs to Ruwan Senanayake already"),
            ({"role": "king"}, "Choose one from the list"),
            ({"year": ""}, "year of study"),
            ({"department_id": ""}, "belongs to a department"),
            ({"department_id": "9999"}, "Choose one from the list"),
        ],
    )
    def test_it_says_what_is_missing(self, app, adel, new, change, sentence):
        answer = adel.post("/people/", new | change)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert "people.create" not in acts(app)

    def test_only_students_have_a_year(self, app, adel, new):
        assert adel.post("/people/", new | {"role": "nurse"}).status_code == 303
        with app.app_context():
            assert db.session.scalar(select(User.year).where(User.email == "mala@clinic.test")) is None

    def test_other_columns_cannot_be_slipped_in(self, app, adel, new):
        adel.post(
            "/people/",
            new | {"active": "0", "must_change_password": "", "password_hash": "x", "id": "77", "theme": "dark"},
        )
        with app.app_context():
            mala = db.session.scalars(select(User).where(User.email == "mala@clinic.test")).one()
            assert (mala.active, mala.must_change_password, mala.theme) == (True, True, "auto")
            assert mala.id != 77
            assert mala.password_hash != "x"


class TestChange:
    def test_another_role_ends_sessions_and_assignments(self, app, adel, world, browser_of):
        kamal = browser_of("kamal")
        fields = form_of(app, world, "kamal", role="nurse", department_id="", year="")
        assert adel.post(f"/people/{world.people['kamal']}", fields).status_code == 303
        assert kamal.get("/account/sessions").location.startswith("/sign-in")
        with app.app_context():
            assert world.user("kamal").role is Role.NURSE
            running = select(Assignment).where(Assignment.user_id == world.people["kamal"], is_running())
            assert not db.session.scalars(running).all()
        assert {"people.change", "session.end_all", "assignment.end_all"} <= set(acts(app))

    def test_another_name_ends_nothing(self, app, adel, world, browser_of):
        kamal = browser_of("kamal")
        adel.post(f"/people/{world.people['kamal']}", form_of(app, world, "kamal", name="Kamal A. Dias"))
        assert "Kamal A. Dias" in kamal.get("/account/sessions").text

    def test_a_stale_form_is_refused_with_both_texts(self, app, adel, world):
        url = f"/people/{world.people['kamal']}"
        stale = form_of(app, world, "kamal", name="Kamal B")
        adel.post(url, form_of(app, world, "kamal", name="Kamal A"))
        answer = adel.post(url, stale)
        assert answer.status_code == 409
        assert "Kamal A" in answer.text
        assert "Kamal B" in answer.text
        fresh = re.search(r'name="version" value="(\d+)"', answer.text)[1]
        assert adel.post(url, stale | {"version": fresh}).status_code == 303

    def test_unknown_people_are_not_found(self, adel):
        for path in ("", "/reset", "/deactivate", "/reactivate", "/remove-second-factor"):
            assert adel.post(f"/people/99999{path}", NEW).status_code == 404
        assert adel.get("/people/99999").status_code == 404


class TestSignInOfOthers:
    def test_reset_gives_a_new_password_and_ends_sessions(self, app, adel, world, browser_of):
        ruwan = browser_of("ruwan")
        answer = adel.post(f"/people/{world.people['ruwan']}/reset")
        password = password_on(adel.get(answer.location))
        assert ruwan.get("/account/sessions").location.startswith("/sign-in")
        visitor = Visitor(app)
        assert visitor.sign_in("ruwan").status_code == 422
        assert visitor.sign_in("ruwan", password).status_code == 303

    def test_deactivate_ends_everything_and_reactivate_brings_back(self, app, adel, world, browser_of):
        person_id = world.people["kamal"]
        remembered = Visitor(app)
        remembered.sign_in("kamal", remember="y")
        assert adel.post(f"/people/{person_id}/deactivate").status_code == 303
        assert not remembered.is_in()
        remembered.post("/sign-in/remembered", token_of="/sign-in")
        assert not remembered.is_in()
        with app.app_context():
            running = select(Assignment).where(Assignment.user_id == person_id, is_running())
            assert not db.session.scalars(running).all()
            open_sessions = select(AuthSession).where(AuthSession.user_id == person_id, AuthSession.ended_at.is_(None))
            assert not db.session.scalars(open_sessions).all()
        assert adel.post(f"/people/{person_id}/reset").status_code == 422
        adel.post(f"/people/{person_id}/reactivate")
        assert Visitor(app, address="192.0.2.1").sign_in("kamal").status_code == 303
        assert Visitor(app).sign_in("ruwan").status_code == 303

    def test_nobody_removes_themself_or_the_last_administrator(self, app, adel, world):
        person_id = world.people["adel"]
        assert adel.post(f"/people/{person_id}/deactivate").status_code == 422
        assert adel.post(f"/people/{person_id}", form_of(app, world, "adel", role="nurse")).status_code == 422
        assert adel.post(f"/people/{person_id}/reset").status_code == 422
        with app.app_context():
            assert world.user("adel").active

    def test_there_is_no_way_to_delete_a_person(self, app):
        assert not [
            rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/people") and "delete" in rule.rule
        ]
        assert not [
            rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/people") and "DELETE" in rule.methods
        ]


def test_looking_changes_nothing(app, adel, world):
    with app.app_context():
        before = acts(app), db.session.scalar(select(User.version).where(User.id == world.people["kamal"]))
    for url in (
        "/people/",
        "/people/new",
        f"/people/{world.people['kamal']}",
        f"/people/{world.people['kamal']}/temporary-password",
    ):
        assert adel.get(url).status_code == 200
    with app.app_context():
        assert (acts(app), db.session.scalar(select(User.version).where(User.id == world.people["kamal"]))) == before
