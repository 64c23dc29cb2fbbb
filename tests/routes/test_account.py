"""One's own account: password, PIN, second factor, sessions."""

import re

import pytest
from sqlalchemy import select

from clinic import passwords, settings
from clinic.extensions import db
from clinic.models import AuditEvent, OnceKey, RecoveryCode, User
from clinic.operations import second_factor
from clinic.operations.settings import change_setting
from clinic.security import unseal
from tests.trail import ACTS
from tests.visitor import Visitor, code_now
from tests.world import PASSWORD


def stored(app, person_id):
    with app.app_context():
        return db.session.get_one(User, person_id)


class TestPassword:
    def test_it_changes_and_ends_the_other_sessions_only(self, app, world, browser_of):
        here, there = browser_of("ruwan"), browser_of("ruwan")
        answer = here.post("/account/password", {"present": PASSWORD, "password": "violet window seven"})
        assert answer.location == "/account/password?done=1"
        assert "changed" in here.get(answer.location).text
        assert there.get("/account/sessions").location.startswith("/sign-in")
        assert Visitor(app).sign_in("ruwan", "violet window seven").status_code == 303

    @pytest.mark.parametrize(
        "new",
        [
            "short",
            "",
            "ruwan@clinic.test",
            "Ruwan Senanayake",
            "RuwanSenanayake",
            "Password123",
            "1234567890",
            "aaaaaaaaaaaaaa",
            PASSWORD,
            "x" * 201,
        ],
    )
    def test_weak_choices_are_refused(self, app, world, browser_of, new):
        answer = browser_of("ruwan").post("/account/password", {"present": PASSWORD, "password": new})
        assert answer.status_code == 422
        assert passwords.matches(stored(app, world.people["ruwan"]).password_hash, PASSWORD)

    def test_the_present_one_is_asked_for_and_not_guessed(self, app, world, browser_of):
        ruwan = browser_of("ruwan")
        data = {"present": "guess", "password": "violet window seven"}
        answers = [ruwan.post("/account/password", data).status_code for _ in range(6)]
        assert answers[:4] == [422] * 4
        assert answers[-1] == 429
        assert passwords.matches(stored(app, world.people["ruwan"]).password_hash, PASSWORD)

    def test_sending_twice_does_no_harm(self, world, browser_of):
        ruwan = browser_of("ruwan")
        data = {"present": PASSWORD, "password": "violet window seven"}
        assert ruwan.post("/account/password", data).status_code == 303
        assert ruwan.post("/account/password", data).status_code == 422
        assert ruwan.get("/account/sessions").status_code == 200


class TestPin:
    def test_it_is_set_hashed(self, app, world, browser_of):
        kamal = browser_of("kamal")
        assert kamal.post("/account/pin", {"present": PASSWORD, "pin": "739 164"}).status_code == 303
        assert passwords.matches(stored(app, world.people["kamal"]).pin_hash, "739164")

    @pytest.mark.parametrize(
        "pin",
        ["000000", "121212", "123456", "987654", "123123", "135791", "12345", "1234567", "739937", "112211", "abcdef"],
    )
    def test_weak_ones_are_refused(self, app, world, browser_of, pin):
        before = stored(app, world.people["kamal"]).pin_hash
        assert browser_of("kamal").post("/account/pin", {"present": PASSWORD, "pin": pin}).status_code == 422
        assert stored(app, world.people["kamal"]).pin_hash == before

    def test_the_password_is_asked_for(self, browser_of):
        assert browser_of("kamal").post("/account/pin", {"present": "guess", "pin": "739164"}).status_code == 422


class TestSecondFactor:
    def begin(self, app, world, person):
        assert person.post("/account/second-factor", {"present": PASSWORD}).status_code == 303
        with app.app_context():
            return unseal(world.user("silva").totp_secret, second_factor.PURPOSE)

    def test_set_up_shows_a_picture_a_key_and_then_the_codes_once(self, app, world, browser_of):
        silva = browser_of("silva")
        secret = self.begin(app, world, silva)
        page = silva.get("/account/second-factor").text
        assert 'src="data:image/svg+xml' in page
        assert secret in page.replace(" ", "")
        answer = silva.post("/account/second-factor/confirm", {"code": code_now(secret)})
        codes = re.findall(r"<code>([\w-]+)</code>", silva.get(answer.location).text)
        assert len(codes) == 10
        assert "<code>" not in browser_of("silva").get(answer.location).text
        assert secret not in silva.get("/account/second-factor").text.replace(" ", "")
        with app.app_context():
            text = repr(db.session.execute(select(RecoveryCode.code_hash)).all()) + repr(
                db.session.execute(select(OnceKey.body, OnceKey.headers)).all()
            )
            assert codes[0] not in text
            assert secret not in text
            assert "account.second_factor" in set(db.session.scalars(select(AuditEvent.act)))

    def test_a_wrong_code_does_not_confirm(self, app, world, browser_of):
        silva = browser_of("silva")
        self.begin(app, world, silva)
        answers = [silva.post("/account/second-factor/confirm", {"code": "000000"}).status_code for _ in range(6)]
        assert set(answers[:3]) == {422}
        assert answers[-1] == 429
        assert stored(app, world.people["silva"]).totp_confirmed_at is None

    def test_it_is_not_replaced_while_in_force(self, app, world, browser_of):
        silva = browser_of("silva")
        secret = self.begin(app, world, silva)
        silva.post("/account/second-factor/confirm", {"code": code_now(secret)})
        assert silva.post("/account/second-factor", {"present": PASSWORD}).status_code == 422
        with app.app_context():
            assert unseal(world.user("silva").totp_secret, second_factor.PURPOSE) == secret

    def test_removing_asks_for_the_password_and_the_role_may_forbid_it(self, app, world, browser_of):
        silva = browser_of("silva")
        secret = self.begin(app, world, silva)
        silva.post("/account/second-factor/confirm", {"code": code_now(secret)})
        url = "/account/second-factor/change"
        assert silva.post(url, {"present": "guess", "act": "remove"}).status_code == 422
        with app.app_context():
            change_setting("totp_roles", ["supervisor"], actor=world.user("adel"))
            db.session.commit()
        settings.forget()
        assert silva.post(url, {"present": PASSWORD, "act": "remove"}).status_code == 422
        assert browser_of("adel").post(f"/people/{world.people['silva']}/remove-second-factor").status_code == 303
        assert silva.get("/account/pin").location == "/account/second-factor"
        settings.forget()

    def test_new_recovery_codes_replace_the_old(self, app, world, browser_of):
        silva = browser_of("silva")
        secret = self.begin(app, world, silva)
        first = silva.post("/account/second-factor/confirm", {"code": code_now(secret)})
        old = re.findall(r"<code>([\w-]+)</code>", silva.get(first.location).text)
        silva.post("/account/second-factor/change", {"present": PASSWORD, "act": "codes"})
        with app.app_context():
            assert len(db.session.scalars(select(RecoveryCode)).all()) == 10
        visitor = Visitor(app)
        visitor.sign_in("silva")
        assert visitor.post("/sign-in/code", {"code": old[0]}, token_of="/sign-in/code").status_code == 422


class TestSessions:
    def test_it_lists_ones_own_and_marks_this_one(self, app, world, browser_of):
        visitor = Visitor(app, address="203.0.113.44")
        visitor.sign_in("ruwan")
        page = browser_of("ruwan").get("/account/sessions").text
        assert "203.0.113.44" in page
        assert page.count("this one") == 1
        assert "203.0.113.44" not in browser_of("rita").get("/account/sessions").text

    def test_one_can_be_ended_twice_without_harm(self, world, browser_of):
        here, there = browser_of("ruwan"), browser_of("ruwan")
        for _ in range(2):
            assert here.post(f"/account/sessions/{there.session_id}/end").status_code == 303
        assert there.get("/account/sessions").location.startswith("/sign-in")
        assert here.get("/account/sessions").status_code == 200

    def test_anothers_is_not_found(self, world, browser_of):
        rita, ruwan = browser_of("rita"), browser_of("ruwan")
        assert ruwan.post(f"/account/sessions/{rita.session_id}/end").status_code == 404
        assert ruwan.post("/account/sessions/999999/end").status_code == 404
        assert rita.get("/account/sessions").status_code == 200

    def test_all_others_can_be_ended(self, world, browser_of):
        here, there, rita = browser_of("ruwan"), browser_of("ruwan"), browser_of("rita")
        assert here.post("/account/sessions/end-others").status_code == 303
        assert there.get("/account/sessions").status_code == 303
        assert here.get("/account/sessions").status_code == 200
        assert rita.get("/account/sessions").status_code == 200


def test_looking_changes_nothing(app, browser_of):
    ruwan = browser_of("ruwan")
    for url in (
        "/account/password",
        "/account/pin",
        "/account/second-factor",
        "/account/sessions",
        "/account/recovery-codes",
    ):
        assert ruwan.get(url).status_code == 200
    with app.app_context():
        assert not db.session.scalars(select(AuditEvent).where(ACTS)).all()
