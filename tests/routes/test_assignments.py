"""Students and what they carry, giving and ending, handing over, graduation and leave, through the web."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock, settings
from clinic.extensions import db
from clinic.models import Assignment, AssignmentKind, AuditEvent, Request, RequestStatus, Setting, Unowned
from clinic.operations.people import deactivate
from clinic.queries.scope import is_running
from tests.crowded import add_patients
from tests.forms import fields_of
from tests.queries_counted import counted
from tests.trail import ACTS


@pytest.fixture(autouse=True)
def _fresh_settings():
    yield
    settings.forget()


def keep():
    db.session.commit()


def running(world, patient, person):
    return db.session.scalars(
        select(Assignment).where(
            Assignment.patient_id == world.patients[patient], Assignment.user_id == world.people[person], is_running()
        )
    ).all()


def acts():
    return db.session.scalar(select(func.count(AuditEvent.id)).where(ACTS)) or 0


def many(world, count, person="kamal"):
    """So many patients more for a student; their ids."""
    ids = add_patients(world, count)
    for patient_id in ids:
        db.session.add(
            Assignment(
                patient_id=patient_id,
                user_id=world.people[person],
                kind=AssignmentKind.PRIMARY,
                starts_at=clock.now() - timedelta(days=3),
                created_by_id=world.people["silva"],
            )
        )
    keep()
    return ids


def fields_offered(page):
    """The words of what one chooses from."""
    return re.findall(r"<option[^>]*>([^<]+)</option>", page)


def no_room(kinds='{"additional": {"3": 0}}'):
    db.session.merge(Setting(name="load_limits", value=kinds))
    keep()
    settings.forget()


class TestStudents:
    def test_it_shows_the_departments_students_and_what_they_carry(self, context, browser_of):
        page = browser_of("silva").get("/assignments").text
        for shown in ("Kamal Dias", "Leela Nair", "1 of 14", "1 of 8"):
            assert shown in page
        assert "Omar Haddad" not in page

    def test_who_is_full_is_said_in_words(self, context, browser_of):
        no_room('{"primary": {"4": 1}}')
        assert "1 of 1, full" in browser_of("silva").get("/assignments").text

    @pytest.mark.parametrize("name", ["ruwan", "nimal", "adel", "kamal"])
    def test_only_supervisors(self, context, browser_of, name):
        for url in ("/assignments", "/assignments/unowned", "/assignments/leaving"):
            assert browser_of(name).get(url).status_code == 403

    def test_one_students_patients(self, context, world, browser_of):
        page = browser_of("silva").get(f"/assignments/students/{world.people['kamal']}").text
        assert "Nimali Fernando" in page
        assert "Ana Perera" not in page

    @pytest.mark.parametrize("person", ["omar", "silva", "ruwan"])
    def test_another_departments_student_is_not_found(self, context, world, browser_of, person):
        assert browser_of("silva").get(f"/assignments/students/{world.people[person]}").status_code == 404

    def test_as_many_queries_for_a_thousand_patients_as_for_ten(self, context, world, browser_of):
        silva, kamal = browser_of("silva"), world.people["kamal"]
        urls = (
            "/assignments",
            f"/assignments/students/{kamal}",
            "/assignments/unowned",
            f"/assignments/leaving/receivers?student={kamal}&reason=Graduated&last_day={clock.today()}",
        )
        counts = []
        for count in (10, 400):
            ids = many(world, count, "kamal") if count == 10 else more(world, count)
            for patient_id in ids[: count // 2]:
                unown(world, patient_id)
            keep()
            of_urls = []
            for url in urls:
                with counted() as statements:
                    assert silva.get(url).status_code == 200
                of_urls.append(len(statements))
            counts.append(of_urls)
        assert counts[0] == counts[1]


def more(world, count):
    """Further patients of kamal, whose codes are others."""
    from clinic.models import Patient

    existing = db.session.scalars(select(Patient).where(Patient.code.like("P-2025-%"))).all()
    for row in existing:
        row.code = row.code.replace("P-2025", "P-2019")
    db.session.flush()
    return many(world, count)


def unown(world, patient_id):
    db.session.merge(
        Unowned(
            patient_id=patient_id,
            department_id=world.departments["restorative"],
            from_id=world.people["kamal"],
            since=clock.now(),
        )
    )


class TestGiving:
    def url(self, world, patient="fernando"):
        return f"/patients/{world.patients[patient]}/team/assign"

    def test_a_supervisor_gives_a_patient(self, context, world, browser_of):
        silva, url = browser_of("silva"), self.url(world)
        page = silva.get(url).text
        assert "Leela Nair (year 3, primary 1 of 8)" in page
        assert "Omar Haddad" not in page
        answer = silva.post(url, {"person": world.people["leela"], "kind": "additional"})
        assert answer.status_code == 303
        assert len(running(world, "fernando", "leela")) == 1
        shown = silva.get(answer.headers["Location"]).text
        assert "Leela Nair has Nimali Fernando now" in shown
        assert "Leela Nair</strong>, student, Restorative" in shown

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({}, "Choose who gets the patient."),
            ({"person": "omar", "kind": "primary"}, "Choose one from the list."),
            ({"person": "leela", "kind": "friend"}, "Choose one from the list."),
            ({"person": "x", "kind": "primary"}, "Choose"),
            ({"person": "kamal", "kind": "primary"}, "Kamal Dias already has Nimali Fernando as primary"),
        ],
    )
    def test_bad_input_is_refused_and_what_was_typed_stays(self, context, world, browser_of, fields, says):
        before = db.session.scalar(select(func.count(Assignment.id)))
        fields = fields | ({"person": world.people.get(fields["person"], fields["person"])} if fields else {})
        answer = browser_of("silva").post(self.url(world), fields | {"reason": "Kamal is ill"})
        assert answer.status_code == 422
        assert says in answer.text
        assert "Kamal is ill" in answer.text
        assert db.session.scalar(select(func.count(Assignment.id))) == before

    def test_beyond_the_limit_only_with_a_reason(self, context, world, browser_of):
        no_room()
        silva, fields = browser_of("silva"), {"person": world.people["leela"], "kind": "additional"}
        refused = silva.post(self.url(world), fields)
        assert refused.status_code == 422
        assert "A supervisor of the department can go beyond it with a reason" in refused.text
        assert silva.post(self.url(world), fields | {"reason": "Kamal is ill"}).status_code == 303

    def test_it_is_safe_to_repeat(self, context, world, browser_of):
        silva, fields = browser_of("silva"), {"person": world.people["leela"], "kind": "additional"}
        answers = [silva.post(self.url(world), fields, once="give-fernando-1") for _ in range(3)]
        assert {answer.status_code for answer in answers} == {303}
        assert len(running(world, "fernando", "leela")) == 1

    @pytest.mark.parametrize("patient", ["nadia", "wu"])
    def test_a_patient_one_may_not_know_is_not_found(self, context, world, browser_of, patient):
        silva = browser_of("silva")
        assert silva.get(self.url(world, patient)).status_code == 404
        fields = {"person": world.people["leela"], "kind": "primary"}
        assert silva.post(self.url(world, patient), fields).status_code == 404
        assert running(world, patient, "leela") == []

    @pytest.mark.parametrize("name", ["ruwan", "nimal", "adel", "kamal"])
    def test_only_supervisors(self, context, world, browser_of, name):
        assert browser_of(name).post(self.url(world), {}).status_code == 403

    def test_looking_writes_nothing(self, context, world, browser_of):
        before = acts(), db.session.scalar(select(func.count(Assignment.id)))
        browser_of("silva").get(self.url(world))
        assert (acts(), db.session.scalar(select(func.count(Assignment.id)))) == before


class TestEnding:
    def url(self, world, patient="fernando", person="kamal"):
        return f"/assignments/{running(world, patient, person)[0].id}/end"

    def test_a_supervisor_ends_it_and_the_student_sees_the_patient_no_more(self, context, world, browser_of):
        silva, kamal, url = browser_of("silva"), browser_of("kamal"), self.url(world)
        patient = f"/patients/{world.patients['fernando']}"
        assert kamal.get(patient).status_code == 200
        assert "Kamal Dias" in silva.get(url).text
        answer = silva.post(url, {"reason": "Went abroad"})
        assert answer.status_code == 303
        assert kamal.get(patient).status_code == 404
        shown = silva.get(patient).text
        assert "Went abroad" in shown
        assert "Nobody is assigned." in shown

    def test_it_needs_a_reason(self, context, world, browser_of):
        answer = browser_of("silva").post(self.url(world), {"reason": " "})
        assert answer.status_code == 422
        assert "Write why the assignment ends." in answer.text
        assert running(world, "fernando", "kamal")

    def test_it_is_safe_to_repeat_and_a_second_one_is_told(self, context, world, browser_of):
        silva, url = browser_of("silva"), self.url(world)
        answers = [silva.post(url, {"reason": "Went abroad"}, once="end-fernando-1") for _ in range(2)]
        assert {answer.status_code for answer in answers} == {303}
        late = silva.post(url, {"reason": "Went abroad"})
        assert late.status_code == 409
        assert "was ended by Dr Sunil Silva" in late.text

    def test_others_assignments_are_not_found(self, context, world, browser_of):
        url = self.url(world, "wu", "omar")
        for method in ("get", "post"):
            assert getattr(browser_of("silva"), method)(url).status_code == 404
        assert browser_of("sato").get(self.url(world)).status_code == 404
        assert browser_of("silva").get("/assignments/99999999/end").status_code == 404

    @pytest.mark.parametrize("name", ["ruwan", "kamal", "adel", "nimal"])
    def test_only_supervisors(self, context, world, browser_of, name):
        assert browser_of(name).post(self.url(world), {"reason": "No"}).status_code == 403


class TestUnowned:
    def test_who_lost_their_owner_is_listed_and_given_from_the_list(self, context, world, browser_of):
        deactivate(world.people["kamal"], actor=world.user("adel"))
        keep()
        silva = browser_of("silva")
        assert '<span class="count">1</span>' in silva.get("/assignments").text
        page = silva.get("/assignments/unowned").text
        assert "Nimali Fernando" in page
        assert "was with Kamal Dias until" in page
        fields = fields_of(page, f"/patients/{world.patients['fernando']}/team/assign")
        answer = silva.post(
            f"/patients/{world.patients['fernando']}/team/assign",
            {"kind": fields["kind"], "person": world.people["leela"]},
        )
        assert answer.status_code == 303
        assert "Everybody has an owner" in silva.get("/assignments/unowned").text

    def test_another_department_does_not_see_them(self, context, world, browser_of):
        deactivate(world.people["kamal"], actor=world.user("adel"))
        world.visit("fernando").supervisor_id = None
        keep()
        sato = browser_of("sato")
        assert "Nimali" not in sato.get("/assignments/unowned").text
        assert sato.get(f"/patients/{world.patients['fernando']}/team/assign").status_code == 404

    def test_the_second_page(self, context, world, browser_of):
        for patient_id in many(world, 60):
            unown(world, patient_id)
        keep()
        silva = browser_of("silva")
        first = silva.get("/assignments/unowned").text
        after = first.split("/assignments/unowned?after=")[1].split('"')[0]
        second = silva.get(f"/assignments/unowned?after={after}").text
        assert first.count('id="unowned-to-') == 50
        assert second.count('id="unowned-to-') == 10


class TestHandingOver:
    def url(self, world, patient="fernando", person="kamal"):
        return f"/patients/{world.patients[patient]}/team/{world.people[person]}/hand-over"

    def fields(self, world, to="leela", **changes):
        visit = world.visits["fernando"]
        return {"to": world.people[to], "handover": "Crown 36 next", f"goes-visit-{visit}": "receiver"} | changes

    def test_between_a_supervisors_own_students_it_is_done_at_once(self, context, world, browser_of):
        silva, url = browser_of("silva"), self.url(world)
        page = silva.get(url).text
        assert "Visit on" in page
        assert "Goes to the receiver" in page
        answer = silva.post(url, self.fields(world))
        assert answer.status_code == 303
        assert running(world, "fernando", "leela")
        assert not running(world, "fernando", "kamal")
        for reader, reads in (("leela", True), ("silva", True), ("ruwan", False), ("nimal", False)):
            shown = browser_of(reader).get(f"/patients/{world.patients['fernando']}").text
            assert ("Crown 36 next" in shown) is reads

    def test_to_another_department_it_is_asked_for(self, context, world, browser_of):
        silva = browser_of("silva")
        answer = silva.post(self.url(world), self.fields(world, "omar"))
        assert answer.status_code == 303
        assert "a supervisor of Omar Haddad decides" in silva.get(answer.headers["Location"]).text
        assert running(world, "fernando", "kamal")
        assert db.session.scalars(select(Request.department_id)).all() == [world.departments["orthodontics"]]

    def test_a_student_is_not_told_what_others_carry(self, context, world, browser_of):
        """A number that grows with a patient of whom they may not know."""
        before = set(fields_offered(browser_of("kamal").get(self.url(world)).text))
        assert before == {"Leela Nair (Restorative, year 3)", "Omar Haddad (Orthodontics, year 4)"}
        many(world, 1, person="leela")
        assert set(fields_offered(browser_of("kamal").get(self.url(world)).text)) == before
        assert "Leela Nair (Restorative, year 3, primary 2 of 8)" in browser_of("silva").get(self.url(world)).text

    def test_a_student_asks(self, context, world, browser_of):
        kamal = browser_of("kamal")
        assert "A supervisor of the receiver decides" in kamal.get(self.url(world)).text
        assert kamal.post(self.url(world), self.fields(world)).status_code == 303
        assert running(world, "fernando", "kamal")
        assert db.session.scalars(select(Request.status)).all() == [RequestStatus.PENDING]

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"handover": " "}, "Write a handover note"),
            ({"to": ""}, "Choose who receives the patient."),
            ({"goes": ""}, "Say what becomes of each. Without a destination: Visit on"),
            ({"goes": "stays"}, "Write why this stays: Visit on"),
            ({"goes": "mars"}, "Choose again what becomes of this: Visit on"),
        ],
    )
    @pytest.mark.parametrize("name", ["silva", "kamal"])
    def test_what_is_missing_is_said_and_what_was_typed_stays(self, context, world, browser_of, name, changes, says):
        changes = dict(changes)
        if "goes" in changes:
            changes[f"goes-visit-{world.visits['fernando']}"] = changes.pop("goes")
        answer = browser_of(name).post(self.url(world), self.fields(world) | changes)
        assert answer.status_code == 422
        assert says in answer.text
        if "handover" not in changes:
            assert "Crown 36 next" in answer.text
        assert running(world, "fernando", "kamal")
        assert db.session.scalar(select(func.count(Request.id))) == 0

    def test_it_is_safe_to_repeat(self, context, world, browser_of):
        silva = browser_of("silva")
        answers = [silva.post(self.url(world), self.fields(world), once="hand-over-1") for _ in range(2)]
        assert {answer.status_code for answer in answers} == {303}
        assert db.session.scalar(select(func.count(Request.id))) == 1

    @pytest.mark.parametrize(
        ("name", "patient", "person"),
        [
            ("silva", "wu", "omar"),
            ("sato", "fernando", "kamal"),
            ("kamal", "perera", "leela"),
            ("kamal", "fernando", "leela"),
            ("kamal", "perera", "kamal"),
            ("silva", "fernando", "leela"),
            ("silva", "nadia", "kamal"),
        ],
    )
    def test_what_is_not_ones_own_is_not_found(self, context, world, browser_of, name, patient, person):
        for method in ("get", "post"):
            assert getattr(browser_of(name), method)(self.url(world, patient, person)).status_code == 404

    @pytest.mark.parametrize("name", ["ruwan", "nimal", "adel"])
    def test_who_may_not(self, context, world, browser_of, name):
        assert browser_of(name).get(self.url(world)).status_code == 403
        assert browser_of(name).post(self.url(world), self.fields(world)).status_code == 403


class TestLeaving:
    def receivers(self, world, person="kamal"):
        return f"/assignments/leaving/receivers?student={world.people[person]}&reason=Graduated&last_day=2026-11-20"

    def fields(self, world, **changes):
        mine = running(world, "fernando", "kamal")[0]
        return {
            "reason": "Graduated",
            "last_day": "2026-11-20",
            f"to-{mine.id}": world.people["leela"],
            "handover": "See the notes",
        } | changes

    def url(self, world, person="kamal", end=""):
        return f"/assignments/students/{world.people[person]}/leaving{end}"

    def test_step_2_without_anything_asked_is_step_1(self, context, world, browser_of):
        page = browser_of("silva").get("/assignments/leaving/receivers").text
        assert "Step 1 of 3" in page
        assert 'class="message"' not in page
        assert 'class="message"' in browser_of("silva").get("/assignments/leaving/receivers?student=").text

    def test_three_steps(self, context, world, browser_of):
        silva = browser_of("silva")
        assert "Kamal Dias (year 4, primary 1 of 14)" in silva.get("/assignments/leaving").text
        page = silva.get(self.receivers(world)).text
        check = self.url(world, end="/check")
        fields = fields_of(page, check)
        assert fields[f"to-{running(world, 'fernando', 'kamal')[0].id}"] == str(world.people["leela"])
        confirm = silva.post(check, fields | {"handover": "See the notes"})
        assert confirm.status_code == 200
        for shown in ("Nimali Fernando", "Leela Nair", "goes to the receiver", "Graduated, last day Fri 20 Nov 2026"):
            assert shown in confirm.text
        assert running(world, "fernando", "kamal")
        final = fields_of(confirm.text, self.url(world))
        del final["change"]
        refused = silva.post(self.url(world), final | {"confirm": "Somebody else"})
        assert refused.status_code == 422
        assert "Write the name, Kamal Dias, to confirm." in refused.text
        assert running(world, "fernando", "kamal")
        done = silva.post(self.url(world), final | {"confirm": "kamal dias"})
        assert done.status_code == 303
        assert "Kamal Dias has no patients now; 1 handed over" in silva.get(done.headers["Location"]).text
        assert running(world, "fernando", "leela")
        kept = db.session.scalars(
            select(Assignment.end_reason).where(Assignment.user_id == world.people["kamal"])
        ).all()
        assert "Graduated, last day Fri 20 Nov 2026" in kept

    def test_one_goes_back_with_what_one_chose(self, context, world, browser_of):
        fields = self.fields(world, change="1")
        mine = running(world, "fernando", "kamal")[0]
        fields[f"to-{mine.id}"] = world.people["silva"]
        page = browser_of("silva").post(self.url(world, end="/check"), fields).text
        assert fields_of(page, self.url(world, end="/check"))[f"to-{mine.id}"] == str(world.people["silva"])
        assert "See the notes" in page

    def test_nobody_chosen_is_refused_by_name(self, context, world, browser_of):
        silva, mine = browser_of("silva"), running(world, "fernando", "kamal")[0]
        fields = self.fields(world, **{f"to-{mine.id}": "", "confirm": "Kamal Dias"})
        assert "choose who takes Nimali Fernando" in silva.post(self.url(world, end="/check"), fields).text
        answer = silva.post(self.url(world), fields)
        assert answer.status_code == 422
        assert "Nobody may be left without an owner. Choose who takes Nimali Fernando" in answer.text
        assert "See the notes" in answer.text
        assert running(world, "fernando", "kamal")

    def test_without_a_note_it_is_refused(self, context, world, browser_of):
        answer = browser_of("silva").post(self.url(world), self.fields(world, handover="", confirm="Kamal Dias"))
        assert answer.status_code == 422
        assert "Write a handover note for Nimali Fernando, or one for all." in answer.text

    def test_it_is_safe_to_repeat(self, context, world, browser_of):
        silva, fields = browser_of("silva"), self.fields(world, confirm="Kamal Dias")
        answers = [silva.post(self.url(world), fields, once="leave-kamal-1") for _ in range(2)]
        assert {answer.status_code for answer in answers} == {303}
        assert db.session.scalar(select(func.count(Request.id))) == 1

    @pytest.mark.parametrize("end", ["", "/check"])
    def test_another_departments_student_is_not_found(self, context, world, browser_of, end):
        assert browser_of("silva").post(self.url(world, "omar", end), {}).status_code == 404
        assert browser_of("sato").post(self.url(world, "kamal", end), {}).status_code == 404

    def test_a_student_of_another_department_cannot_be_chosen(self, context, world, browser_of):
        page = browser_of("silva").get(self.receivers(world, "omar"))
        assert "Choose one from the list." in page.text
        assert "Omar Haddad" not in page.text

    def test_a_student_without_patients(self, context, world, browser_of):
        running(world, "fernando", "kamal")[0].ends_at = clock.now()
        keep()
        assert "nothing to hand over" in browser_of("silva").get(self.receivers(world)).text

    @pytest.mark.parametrize("name", ["ruwan", "nimal", "adel", "kamal"])
    def test_only_supervisors(self, context, world, browser_of, name):
        assert browser_of(name).post(self.url(world), {}).status_code == 403
        assert browser_of(name).get(self.receivers(world)).status_code == 403
