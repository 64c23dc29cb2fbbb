"""Signing in and out: throttle, second step, remembered devices, mailed links; nothing tells known accounts from unknown ones."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock, mail, passwords
from clinic.extensions import db
from clinic.models import AuditEvent, AuthSession, Device, PasswordReset, RememberToken, SignInThrottle, User
from clinic.operations import second_factor, throttle
from clinic.security import digest, unseal
from tests.visitor import TOKEN, Visitor, code_now
from tests.world import PASSWORD


@pytest.fixture
def visitor(app):
    return Visitor(app)


def acts(act):
    return db.session.scalar(select(func.count()).where(AuditEvent.act == act))


def enrol(person_id):
    """Give a person a second factor; answers the secret and the recovery codes."""
    user = db.session.get_one(User, person_id)
    second_factor.begin_enrolment(actor=user)
    secret = unseal(user.totp_secret, second_factor.PURPOSE)
    codes = second_factor.confirm_enrolment(code_now(secret, steps=-1), actor=user)
    db.session.commit()
    return secret, codes


class TestSignIn:
    def test_home_asks_for_sign_in(self, client):
        answer = client.get("/")
        assert answer.status_code == 303
        assert "/sign-in" in answer.location

    def test_it_opens_the_page_that_was_asked_for(self, visitor, world):
        answer = visitor.post(
            "/sign-in?next=/account/pin", {"email": " RUWAN@clinic.test ", "password": PASSWORD}, token_of="/sign-in"
        )
        assert (answer.status_code, answer.location) == (303, "/account/pin")
        assert "Ruwan Senanayake" in visitor.get("/account/sessions").text

    @pytest.mark.parametrize("wanted", ["//evil.example/", "/\\evil.example", "https://evil.example", "/a\nb", ""])
    def test_it_never_sends_anyone_elsewhere(self, visitor, world, wanted):
        answer = visitor.post(
            "/sign-in",
            {"email": "ruwan@clinic.test", "password": PASSWORD},
            token_of="/sign-in",
            query_string={"next": wanted},
        )
        assert (answer.status_code, answer.location) == (303, "/")

    def test_wrong_words_are_refused_and_kept(self, visitor, world, context):
        answer = visitor.sign_in("ruwan", "wrong password")
        assert answer.status_code == 422
        assert "not right" in answer.text
        assert 'value="ruwan@clinic.test"' in answer.text
        assert [
            field for field in re.findall(r"<input[^>]*>", answer.text) if "autofocus" in field and "password" in field
        ]
        assert not visitor.is_in()
        assert acts("session.refused") == 1

    def test_an_inactive_person_stays_out(self, visitor, world, context):
        world.user("ruwan").active = False
        db.session.commit()
        assert visitor.sign_in("ruwan").status_code == 422

    def test_a_weaker_hash_is_made_again(self, visitor, world, context, monkeypatch):
        from argon2 import PasswordHasher

        world.user("ruwan").password_hash = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        db.session.commit()
        assert visitor.sign_in("ruwan").status_code == 303
        db.session.expire_all()
        stored = world.user("ruwan").password_hash
        assert not passwords.is_outdated(stored)
        assert "m=47104,t=1,p=1" in stored

    def test_the_session_is_new_stored_hashed_and_audited(self, visitor, world, context):
        visitor.sign_in("ruwan")
        first = visitor.cookie("session")
        visitor.sign_in("ruwan")
        second = visitor.cookie("session")
        assert first != second
        assert len(first) >= 43
        stored = set(db.session.scalars(select(AuthSession.token_hash)))
        assert digest(second) in stored
        assert second not in stored
        visitor.carry("session", first)
        assert not visitor.is_in()
        assert acts("session.start") == 2

    def test_cookies_say_host_and_secure_behind_tls(self, tmp_path):
        from clinic import create_app
        from tests.conftest import make_config

        app = create_app(make_config(f"sqlite:///{tmp_path}/tls.sqlite", secure_cookies=True))
        answer = app.test_client().get("/sign-in", base_url="https://localhost")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-device=")
        for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
            assert part in cookie


class TestThrottle:
    def test_guesses_wait_longer_each_time(self, app, world, context):
        """At most 20 tries an hour reach an account, from however many addresses and browsers."""
        start = clock.now()
        judged = 0
        for second in range(0, 3600, 20):
            with clock.frozen(start + timedelta(seconds=second)):
                guesser = Visitor(app, address=f"198.51.100.{second % 250}")
                judged += guesser.sign_in("ruwan", f"guess {second}").status_code == 422
        assert 5 <= judged <= 20

    def test_a_hundred_at_once_count_as_a_hundred(self, visitor, world, context, monkeypatch):
        """The try is counted before the password is looked at."""
        seen = []
        monkeypatch.setattr(
            passwords,
            "matches",
            lambda *_: (
                seen.append(
                    db.session.scalar(select(SignInThrottle.failures).where(SignInThrottle.bucket.like("account:%")))
                )
                or False
            ),
        )
        visitor.sign_in("ruwan", "guess")
        assert seen == [1]

    def test_an_outsider_cannot_lock_out_a_known_device(self, app, visitor, world, context):
        assert visitor.sign_in("ruwan").status_code == 303
        outsider = Visitor(app)  # even from the same address
        answers = [outsider.sign_in("ruwan", f"guess {n}").status_code for n in range(8)]
        assert answers[-1] == 429
        assert visitor.sign_in("ruwan").status_code == 303
        assert Visitor(app, address="192.0.2.77").sign_in("ruwan").status_code == 429

    def test_a_right_password_clears_the_account(self, app, world, context):
        for _ in range(3):
            Visitor(app).sign_in("ruwan", "guess")
        assert Visitor(app).sign_in("ruwan").status_code == 303
        assert not db.session.scalar(select(func.count()).where(SignInThrottle.bucket.like("account:%")))

    def test_one_address_cannot_try_everybody(self, visitor, world, context):
        answers = [visitor.sign_in(f"nobody{n}", "guess").status_code for n in range(40)]
        assert answers[:29] == [422] * 29
        assert answers[-1] == 429

    def test_forged_forwarding_headers_change_nothing(self, visitor, world, context):
        answers = [
            visitor.post(
                "/sign-in",
                {"email": f"n{n}@clinic.test", "password": "guess"},
                token_of="/sign-in",
                headers={"X-Forwarded-For": f"10.0.0.{n}"},
            ).status_code
            for n in range(40)
        ]
        assert 429 in answers

    def test_the_table_is_bounded(self):
        names = {throttle.bucket(kind, n) for kind in throttle.KINDS for n in range(200_000)}
        assert len(names) <= sum(slots for _free, slots in throttle.KINDS.values()) <= 200_000
        assert throttle.network("2001:db8::1") == throttle.network("2001:db8::ffff:1") == "2001:db8::/64"


class TestEnumeration:
    def test_known_and_unknown_accounts_get_the_same_bytes(self, app, world, context):
        def tries(email):
            browser = Visitor(app, address=f"2001:db8:{len(email)}::1")
            answers = []
            for _ in range(6):
                answer = browser.post("/sign-in", {"email": email, "password": "wrong one"}, token_of="/sign-in")
                text = re.sub(r'name="(csrf_token|once)" value="[^"]*"', "", answer.text).replace(email, "E")
                answers.append((answer.status_code, text, sorted(answer.headers.keys())))
            return answers

        assert tries("ruwan@clinic.test") == tries("nobody@clinic.test")

    def test_the_same_work_is_done(self, visitor, world, context, monkeypatch):
        hashes = []
        original = passwords._hasher.verify
        monkeypatch.setattr(
            passwords, "_hasher", type("Counting", (), {"verify": lambda _self, *a: hashes.append(1) or original(*a)})()
        )
        for name in ("ruwan", "nobody"):
            hashes.clear()
            visitor.sign_in(name, "wrong one")
            assert len(hashes) == 1

    def test_hashing_is_bounded(self, monkeypatch):
        from clinic.errors import Unavailable

        monkeypatch.setattr(passwords, "PATIENCE", 0.01)
        taken = [passwords._places.acquire(blocking=False) for _ in range(passwords.AT_ONCE)]
        try:
            assert all(taken)
            with pytest.raises(Unavailable):
                passwords.hashed("x")
        finally:
            for _ in taken:
                passwords._places.release()


class TestSecondStep:
    def test_password_then_code(self, visitor, world, context):
        secret, _codes = enrol(world.people["silva"])
        answer = visitor.sign_in("silva")
        assert answer.location == "/sign-in/code"
        assert not visitor.is_in()
        answer = visitor.post("/sign-in/code", {"code": code_now(secret)}, token_of="/sign-in/code")
        assert answer.status_code == 303
        assert visitor.is_in()

    @pytest.mark.parametrize("steps", [-1, 0, 1])
    @pytest.mark.parametrize("shape", ["{0}", "{1} {2}", " {0} ", "wide", "arabic"])
    def test_no_code_works_twice(self, app, world, context, steps, shape):
        """Not again, not with spaces, not in other digits, not an older step."""
        start = clock.now() + timedelta(minutes=5)
        secret, _codes = enrol(world.people["silva"])
        with clock.frozen(start):
            used = code_now(secret, steps=steps)
            first = Visitor(app)
            first.sign_in("silva")
            assert first.post("/sign-in/code", {"code": used}, token_of="/sign-in/code").status_code == 303
            spelt = {
                "wide": "".join(chr(0xFF10 + int(digit)) for digit in used),
                "arabic": "".join(chr(0x0660 + int(digit)) for digit in used),
            }.get(shape) or shape.format(used, used[:3], used[3:])
            for old in (spelt, code_now(secret, steps=steps - 1)):
                again = Visitor(app)
                again.sign_in("silva")
                assert again.post("/sign-in/code", {"code": old}, token_of="/sign-in/code").status_code == 422
                assert not again.is_in()

    def test_other_digits_and_spaces_are_understood(self, visitor, world, context):
        secret, _codes = enrol(world.people["silva"])
        visitor.sign_in("silva")
        code = "".join(chr(0xFF10 + int(digit)) for digit in code_now(secret))
        assert (
            visitor.post("/sign-in/code", {"code": f"{code[:3]} {code[3:]}"}, token_of="/sign-in/code").status_code
            == 303
        )

    def test_a_recovery_code_works_once(self, app, world, context):
        _secret, codes = enrol(world.people["silva"])
        assert len(set(codes)) == 10
        for expected in (303, 422):
            visitor = Visitor(app)
            visitor.sign_in("silva")
            answer = visitor.post("/sign-in/code", {"code": codes[0].upper()}, token_of="/sign-in/code")
            assert answer.status_code == expected

    def test_codes_are_not_guessed(self, visitor, world, context):
        enrol(world.people["silva"])
        visitor.sign_in("silva")
        answers = [
            visitor.post("/sign-in/code", {"code": f"{n:06}"}, token_of="/sign-in/code").status_code for n in range(6)
        ]
        assert answers[-1] == 429

    def test_the_first_step_is_bound_to_the_browser_and_short_lived(self, app, visitor, world, context):
        secret, _codes = enrol(world.people["silva"])
        visitor.sign_in("silva")
        thief = Visitor(app)
        thief.get("/sign-in")
        thief.carry("proof", visitor.cookie("proof"))
        assert thief.get("/sign-in/code").status_code == 303
        world.user("silva").password_hash = passwords.hashed("another password")
        db.session.commit()
        answer = visitor.post("/sign-in/code", {"code": code_now(secret)}, token_of="/sign-in")
        assert answer.location == "/sign-in"
        assert not visitor.is_in()

    def test_the_secret_is_stored_sealed(self, world, context):
        secret, codes = enrol(world.people["silva"])
        assert secret not in world.user("silva").totp_secret
        assert unseal(world.user("silva").totp_secret, "another purpose") is None


class TestRememberedDevice:
    def remembered(self, visitor):
        visitor.sign_in("ruwan", remember="y")
        visitor.client.delete_cookie("chairside-session")
        assert not visitor.is_in()

    def test_one_button_brings_the_person_back(self, visitor, world, context):
        self.remembered(visitor)
        assert "Go on as Ruwan Senanayake" in visitor.get("/sign-in").text
        before = visitor.cookie("remember")
        assert visitor.post("/sign-in/remembered", token_of="/sign-in").status_code == 303
        assert visitor.is_in()
        assert visitor.cookie("remember") not in ("", before)

    def test_looking_at_the_page_changes_nothing(self, visitor, world, context):
        self.remembered(visitor)
        visitor.get("/sign-in")
        assert not db.session.scalar(select(func.count()).where(RememberToken.used_at.is_not(None)))

    def test_a_copied_token_ends_the_family(self, app, visitor, world, context):
        self.remembered(visitor)
        thief = Visitor(app)
        thief.get("/sign-in")
        thief.carry("remember", visitor.cookie("remember"))
        visitor.post("/sign-in/remembered", token_of="/sign-in")
        assert visitor.is_in()
        thief.post("/sign-in/remembered", token_of="/sign-in")
        assert not thief.is_in()
        assert not visitor.is_in()  # nobody can tell who is the thief
        visitor.post("/sign-in/remembered", token_of="/sign-in")
        assert not visitor.is_in()
        assert acts("session.copied") == 1

    def test_it_ends_after_thirty_days(self, visitor, world, context):
        self.remembered(visitor)
        with clock.frozen(clock.now() + timedelta(days=31)):
            assert "Go on as" not in visitor.get("/sign-in").text
            visitor.post("/sign-in/remembered", token_of="/sign-in")
            assert not visitor.is_in()

    def test_signing_out_forgets_the_device(self, visitor, world, context):
        visitor.sign_in("ruwan", remember="y")
        token = visitor.cookie("remember")
        visitor.post("/sign-out", token_of="/account/sessions")
        visitor.carry("remember", token)
        visitor.post("/sign-in/remembered", token_of="/sign-in")
        assert not visitor.is_in()

    def test_another_person_does_not_inherit_it(self, visitor, world, context):
        self.remembered(visitor)
        token = visitor.cookie("remember")
        visitor.sign_in("rita")
        assert visitor.cookie("remember") == ""
        visitor.carry("remember", token)
        assert "Go on as" not in visitor.get("/sign-in").text


class TestForgottenPassword:
    @pytest.fixture
    def letters(self, app, monkeypatch):
        sent = []
        monkeypatch.setattr(mail, "is_set_up", lambda: True)
        monkeypatch.setattr(mail, "post", lambda to, subject, text: sent.append((to, text)))
        return sent

    def link(self, letters):
        return re.search(r"/sign-in/new-password/[\w-]{43}", letters[-1][1])[0]

    def ask(self, visitor, name="ruwan"):
        return visitor.post("/sign-in/forgotten", {"email": f"{name}@clinic.test"}, token_of="/sign-in/forgotten")

    def test_without_mail_it_says_whom_to_ask(self, visitor, world):
        assert "Ask an administrator" in visitor.get("/sign-in/forgotten").text

    def test_the_link_sets_a_password_once(self, app, visitor, world, context, letters):
        here = Visitor(app)
        here.sign_in("ruwan", remember="y")
        assert self.ask(visitor).status_code == 200
        link = self.link(letters)
        for _ in range(2):
            assert visitor.get(link).status_code == 200  # looking at it does not use it
        answer = visitor.post(link, {"password": "violet window seven"}, token_of=link)
        assert answer.location == "/sign-in?changed=1"
        assert not here.is_in()
        assert visitor.get(link).status_code == 410
        assert visitor.post(link, {"password": "another one entirely"}, token_of="/sign-in").status_code == 410
        assert visitor.sign_in("ruwan", "violet window seven").status_code == 303

    def test_it_is_short_lived_and_the_next_replaces_it(self, visitor, world, context, letters):
        self.ask(visitor)
        old = self.link(letters)
        self.ask(visitor)
        assert visitor.get(old).status_code == 410
        with clock.frozen(clock.now() + timedelta(minutes=31)):
            assert visitor.get(self.link(letters)).status_code == 410

    def test_a_weak_password_is_refused_and_the_link_stays(self, visitor, world, context, letters):
        self.ask(visitor)
        link = self.link(letters)
        for weak in ("short", "ruwan@clinic.test", "password123", "aaaaaaaaaaaa"):
            assert visitor.post(link, {"password": weak}, token_of=link).status_code == 422
        assert visitor.get(link).status_code == 200

    def test_it_tells_nothing_about_addresses(self, visitor, world, context, letters):
        def text(name):
            return re.sub(r'value="[^"]*"', "", self.ask(visitor, name).text)

        assert text("ruwan") == text("nobody")
        assert [to for to, _text in letters] == ["ruwan@clinic.test"]

    def test_mails_are_not_sent_without_end(self, visitor, world, context, letters):
        answers = [self.ask(visitor).status_code for _ in range(5)]
        assert answers[-1] == 429
        assert len(letters) == 3

    def test_only_a_hash_of_the_link_is_stored(self, visitor, world, context, letters):
        self.ask(visitor)
        assert db.session.scalar(select(PasswordReset.token_hash)) == digest(self.link(letters).rsplit("/", 1)[1])


def test_the_first_page_names_the_browser_and_its_form_works(client, world):
    """The token in the very first page is bound to the cookie that comes with it."""
    page = client.get("/sign-in")
    assert "chairside-device=" in page.headers["Set-Cookie"]
    token = TOKEN.search(page.text)[1]
    answer = client.post("/sign-in", data={"email": "ruwan@clinic.test", "password": PASSWORD, "csrf_token": token})
    assert answer.status_code == 303


def test_sign_out_ends_the_session(visitor, world, context):
    visitor.sign_in("ruwan")
    cookie = visitor.cookie("session")
    assert visitor.post("/sign-out", token_of="/account/sessions").location == "/sign-in"
    visitor.carry("session", cookie)
    assert not visitor.is_in()


def test_a_device_is_stored_once_and_hashed(visitor, world, context):
    visitor.sign_in("ruwan")
    visitor.sign_in("rita")
    assert list(db.session.scalars(select(Device.token_hash))) == [digest(visitor.cookie("device"))]
