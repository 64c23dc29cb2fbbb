"""The pages of requirements, and the coverage ratio where it is shown."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import Assignment, Requirement, Stage, VisitStatus
from tests.charting import chart_line
from tests.gated import dismissed, setting
from tests.required import asked_for
from tests.scene import put_in_queue


@pytest.fixture
def treated(app, world):
    """Fernando's 36 filled by Kamal and approved, 26 filled and not; 46 is planned. Kamal has to fill ten."""
    with app.app_context():
        row = asked_for(world)
        put_in_queue(world, "fernando", Stage.IN_TREATMENT, at=clock.now() - timedelta(minutes=20))
        kamal, fernando = world.user("kamal"), world.patient("fernando")
        chart_line(fernando, "36 mo comp done", actor=kamal, reason="Done")
        dismissed(world)
        chart_line(fernando, "26 o comp done; 46 o comp plan", actor=kamal, reason="Done")
        db.session.commit()
        return row.id


def sent(**changes):
    usual = {"department": "", "year": "4", "name": "Crowns", "kinds": ["crown"], "wanted": "4", "cap": "", "tooth_class": "any",
             "least_surfaces": "0", "least_mark": "0", "begins": "2026-09-01", "due": "2027-01-31"}  # fmt: skip
    return usual | changes


def rows(app):
    with app.app_context():
        return list(db.session.scalars(select(Requirement).order_by(Requirement.id)))


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


class TestTheStudentsPage:
    def test_it_says_how_far_what_is_missing_and_who_could_close_it(self, world, browser_of, treated):
        page = text_of(browser_of("kamal").get("/requirements").text)
        assert "Fillings" in page
        assert "1 of 10" in page
        assert "4 behind the pace" in page
        assert "9 missing; 5 expected by today. 1 done and not approved." in page
        assert (
            "Patients who could close it Nimali Fernando P-2026-00001 : 46, occlusal: composite filling, planned"
            in page
        )

    def test_a_student_sees_nobody_elses(self, world, browser_of, treated):
        leela = browser_of("leela")
        assert "Fillings" not in leela.get("/requirements").text  # of another year
        assert leela.get(f"/requirements/students/{world.people['kamal']}").status_code == 404
        assert leela.get(f"/requirements/{treated}/students/{world.people['kamal']}").status_code == 404
        assert leela.get(f"/requirements/{treated}/students/{world.people['leela']}").status_code == 404
        assert browser_of("sato").get(f"/requirements/students/{world.people['kamal']}").status_code == 404

    def test_without_anything_asked_for_it_says_so(self, browser_of):
        assert "Nothing is asked for yet" in browser_of("kamal").get("/requirements").text


class TestWhatShowsIt:
    def test_each_count_leads_to_the_tooth_and_the_visit(self, world, browser_of, treated):
        page = browser_of("kamal").get(f"/requirements/{treated}/students/{world.people['kamal']}").text
        fernando = world.patients["fernando"]
        assert f'href="/patients/{fernando}/chart/teeth/36"' in page
        assert f'href="/visits/{world.visits["fernando"]}"' in page
        assert "by Dr Sunil Silva" in text_of(page)
        assert re.findall(r"(counts|not approved|over the cap|changed since approval)</span>", page) == [
            "counts",
            "not approved",
        ]

    def test_a_patient_who_was_taken_from_the_student_has_no_name(self, app, world, browser_of, treated):
        with app.app_context():
            for row in db.session.scalars(select(Assignment).where(Assignment.user_id == world.people["kamal"])):
                row.ends_at = clock.now()
            db.session.commit()
        page = browser_of("kamal").get(f"/requirements/{treated}/students/{world.people['kamal']}").text
        assert "1</strong> of 10" in page
        assert "not given to you" in page
        for told in ("Fernando", "P-2026-00001", "36, mesial", f"/patients/{world.patients['fernando']}"):
            assert told not in page

    def test_no_such_requirement(self, world, browser_of):
        assert browser_of("kamal").get(f"/requirements/999/students/{world.people['kamal']}").status_code == 404


class TestTheGroup:
    def test_a_supervisor_sees_who_is_behind_and_goes_to_the_rows(self, world, browser_of, treated):
        silva = browser_of("silva")
        page = silva.get("/requirements").text
        assert "Kamal Dias" in page
        assert "Leela Nair" not in page
        assert f'href="/requirements/{treated}/students/{world.people["kamal"]}"' in page
        assert "4 behind" in text_of(page)
        assert "Kamal Dias, Fillings: 1 of 10, 4 behind the pace" in page
        assert "4 behind the pace" in silva.get(f"/requirements/students/{world.people['kamal']}").text
        assert silva.get(f"/requirements/{treated}/students/{world.people['kamal']}").status_code == 200

    def test_by_year(self, app, world, browser_of, treated):
        with app.app_context():
            asked_for(world, year=3, name="Sealants", kinds="sealant")
            db.session.commit()
        silva = browser_of("silva")
        assert "Leela Nair" in silva.get("/requirements?year=3").text
        assert "Kamal Dias" in silva.get("/requirements?year=4").text
        assert silva.get("/requirements?year=99").status_code == 200

    def test_another_departments_says_nothing(self, browser_of, treated):
        page = browser_of("sato").get("/requirements").text
        assert "Nothing is asked for yet" in page
        assert "Kamal" not in page

    @pytest.mark.parametrize("name", ["ruwan", "nimal", "adel"])
    def test_nobody_else_comes_here(self, world, browser_of, treated, name):
        for path in ("", f"/students/{world.people['kamal']}", f"/{treated}/students/{world.people['kamal']}"):
            assert browser_of(name).get(f"/requirements{path}").status_code == 403


class TestSayingWhatIsToBeDone:
    def test_a_supervisor_asks_for_something_of_the_own_department(self, app, world, browser_of):
        silva, home = browser_of("silva"), str(world.departments["restorative"])
        page = silva.get("/requirements/new").text
        assert "Restorative" in page
        assert "Orthodontics</option>" not in page
        assert 'value="crown"' in page
        assert 'value="caries"' not in page
        answer = silva.post("/requirements/new", sent(department=home))
        assert answer.status_code == 303
        (row,) = rows(app)
        assert (row.name, row.kinds, row.wanted, row.cap, row.year) == ("Crowns", "crown", 4, None, 4)
        assert "Crowns" in silva.get("/requirements/all").text
        other = str(world.departments["orthodontics"])
        assert silva.post("/requirements/new", sent(department=other)).status_code == 422
        assert len(rows(app)) == 1

    def test_an_administrator_of_any(self, app, world, browser_of):
        adel = browser_of("adel")
        assert (
            adel.post("/requirements/new", sent(department=str(world.departments["orthodontics"]))).status_code == 303
        )
        assert "Orthodontics, year 4" in adel.get("/requirements/all").text
        assert "/requirements/all" in adel.get("/settings").text

    @pytest.mark.parametrize(("changes", "said"), [
        ({"name": ""}, "Give it a name."),
        ({"kinds": []}, "Choose at least one."),
        ({"kinds": ["caries"]}, "not a valid choice"),
        ({"wanted": "many"}, "Type a whole number."),
        ({"wanted": "0"}, "How many is a number from 1 to 500."),
        ({"cap": "9"}, "Of one patient count at least one"),
        ({"due": "2020-01-01"}, "It begins before it is due"),
        ({"due": "soon"}, "Choose a day"),
        ({"year": "9"}, "Choose one from the list."),
    ])  # fmt: skip
    def test_what_is_wrong_is_said_and_what_was_typed_stays(self, app, world, browser_of, changes, said):
        answer = browser_of("silva").post(
            "/requirements/new", sent(department=str(world.departments["restorative"])) | changes
        )
        assert answer.status_code == 422
        assert said in answer.text
        if "name" not in changes:
            assert 'value="Crowns"' in answer.text
        assert rows(app) == []

    def test_it_is_changed_and_a_page_that_is_old_is_told(self, app, world, browser_of, treated):
        silva, at = browser_of("silva"), f"/requirements/{treated}"
        page = silva.get(at).text
        assert 'value="Fillings"' in page
        assert re.search(r'value="restoration" checked', page)
        changed = sent(name="Fillings", kinds=["restoration", "inlay"], wanted="12", least_mark="3", version="1")
        assert silva.post(at, changed).status_code == 303
        assert rows(app)[0].least_mark == 3
        assert "marked 3 or better on average" in silva.get("/requirements/all").text
        assert "1 approved without a mark that is good enough" in browser_of("kamal").get("/requirements").text
        assert (rows(app)[0].wanted, rows(app)[0].kinds) == (12, "inlay restoration")
        stale = silva.post(at, sent(name="Fillings of mine", wanted="5", version="1"))
        assert stale.status_code == 409
        assert "it asks for 12 by" in stale.text
        assert "Fillings of mine" in stale.text
        assert rows(app)[0].wanted == 12

    def test_it_is_retired_and_asked_for_again(self, app, browser_of, treated):
        silva = browser_of("silva")
        assert silva.post(f"/requirements/{treated}/retire", {"version": "1"}).status_code == 303
        assert rows(app)[0].retired_at is not None
        assert silva.post(f"/requirements/{treated}/retire", {"version": "1"}).status_code == 409
        assert silva.post(f"/requirements/{treated}/bring-back", {"version": "2"}).status_code == 303
        assert rows(app)[0].retired_at is None

    def test_sent_twice_it_is_done_once(self, app, world, browser_of):
        silva, form = browser_of("silva"), sent(department=str(world.departments["restorative"]))
        for _ in range(2):
            assert silva.post("/requirements/new", form, once="the-same-key-twice").status_code == 303
        assert len(rows(app)) == 1

    def test_another_departments_is_not_found_and_others_may_not(self, browser_of, treated):
        for name, status in (("sato", 404), ("kamal", 403), ("ruwan", 403)):
            person = browser_of(name)
            assert person.get(f"/requirements/{treated}").status_code == status
            for act in ("", "/retire", "/bring-back"):
                assert person.post(f"/requirements/{treated}{act}", sent(version="1")).status_code == status
        assert browser_of("kamal").get("/requirements/all").status_code == 403
        assert browser_of("kamal").get("/requirements/new").status_code == 403


class TestCoverage:
    @pytest.fixture(autouse=True)
    def today(self, app):
        with app.app_context():
            self.day = clock.today()

    def at_booking(self, world, browser, **chosen):
        asked = {"patient": world.patients["nadia"], "department": world.departments["restorative"],
                 "day": self.day.isoformat(), "time": "10:00"} | chosen  # fmt: skip
        return browser.get("/visits/coverage", query_string=asked)

    @pytest.fixture
    def ten(self, app, world):
        """Both visits of restorative begin at ten."""
        with app.app_context():
            for name in world.visits:
                world.visit(name).starts_at = clock.start_of(clock.today()) + timedelta(hours=10)
            db.session.commit()

    def test_it_is_said_with_the_visit_that_is_being_booked(self, app, world, browser_of, ten):
        ruwan = browser_of("ruwan")
        assert "That morning, with this visit: 2 students, 1 supervisor: 2 to 1" in self.at_booking(world, ruwan).text
        with_omar = self.at_booking(world, ruwan, supervisor=world.people["sato"]).text
        assert "2 students, 2 supervisors: 1 to 1" in with_omar
        assert "no student, no supervisor" in self.at_booking(world, ruwan, time="14:00").text
        page = ruwan.get("/visits/new", query_string={"patient": world.patients["nadia"]}).text
        assert 'id="visits-coverage"' in page

    def test_too_many_to_one_is_a_warning_and_no_refusal(self, app, world, browser_of, ten):
        with app.app_context():
            setting("coverage_limit", 1)
            db.session.commit()
        ruwan = browser_of("ruwan")
        assert "More than 1 students to one." in self.at_booking(world, ruwan).text
        day = (self.day + timedelta(days=1)).isoformat()
        booked = {"patient": str(world.patients["fernando"]), "department": str(world.departments["restorative"]), "day": day,
                  "time": "09:00", "minutes": "30", "chair": "", "student": str(world.people["kamal"]), "supervisor": "",
                  "reason": "Filling"}  # fmt: skip
        answer = ruwan.post("/visits/new", booked)
        assert answer.status_code == 303
        assert "That morning: 1 student, no supervisor" in ruwan.get(answer.headers["Location"]).text

    @pytest.mark.parametrize("chosen", [
        {"day": "soon"}, {"day": "0001-01-01"}, {"day": "9999-12-31"}, {"time": "25:99"}, {"department": "x"}, {"department": 999},
        {"student": 999}, {"student": "x"},
    ])  # fmt: skip
    def test_what_is_half_chosen_says_nothing_or_what_is_known(self, world, browser_of, ten, chosen):
        answer = self.at_booking(world, browser_of("ruwan"), **chosen)
        assert answer.status_code == 200

    def test_only_of_a_patient_one_may_see_and_by_those_who_book(self, world, browser_of):
        assert self.at_booking(world, browser_of("ruwan"), patient=99999).status_code == 404
        for name in ("kamal", "silva", "nimal", "adel"):
            assert self.at_booking(world, browser_of(name)).status_code == 403

    def test_now_it_is_on_the_board_and_with_the_waits(self, app, world, browser_of):
        with app.app_context():
            for name in world.visits:
                visit = world.visit(name)
                visit.status, visit.arrived_at, visit.starts_at = VisitStatus.ARRIVED, clock.now(), clock.now()
            db.session.commit()
        board = text_of(browser_of("ruwan").get(f"/queue?department={world.departments['restorative']}").text)
        assert "Now 2 students, 1 supervisor: 2 to 1" in board
        page = text_of(browser_of("adel").get("/waits").text)
        assert "Restorative: 2 students, 1 supervisor: 2 to 1" in page
        assert "Orthodontics: 1 student, 1 supervisor: 1 to 1" in page
        assert "Orthodontics: 1" not in text_of(browser_of("silva").get("/waits").text)
