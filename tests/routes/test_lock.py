"""The lock of a shared terminal, its drafts, and the proof that forms come from our own pages."""

import base64
import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from clinic import clock, passwords, security, settings
from clinic.extensions import db
from clinic.models import AuditEvent, AuthSession, Draft
from clinic.once import UNSAFE
from clinic.operations import people as people_operations
from clinic.operations.settings import change_setting
from tests.visitor import Visitor
from tests.world import PASSWORD, PIN


@pytest.fixture
def terminal(app, world):
    """A shared terminal on which ruwan and then rita have signed in with their passwords; rita is in."""
    terminal = Visitor(app)
    terminal.sign_in("ruwan")
    terminal.sign_in("rita")
    return terminal


def lock(terminal, page="/account/pin"):
    return terminal.post("/lock", token_of="/account/sessions", headers={"Referer": f"http://localhost{page}"})


def unlock(terminal, person_id, pin=PIN, following="/account/pin"):
    data = {"pin": pin, "next": following} | ({"person": person_id} if person_id else {})
    return terminal.post("/unlock", data, token_of="/locked")


class TestLock:
    def test_a_locked_terminal_shows_nothing_until_the_pin(self, terminal, world):
        answer = lock(terminal)
        assert answer.location == "/locked?next=/account/pin"
        for url in ("/", "/account/sessions", "/drafts?form=/x"):
            refused = terminal.get(url)
            assert refused.status_code == 303
            assert refused.location.startswith("/locked")
            assert terminal.get(url, headers={"HX-Request": "true"}).status_code == 401
        page = terminal.get("/locked").text
        assert "Rita Gomes" in page
        assert "Ruwan Senanayake" in page
        assert unlock(terminal, world.people["rita"]).location == "/account/pin"
        assert terminal.is_in()

    def test_three_wrong_pins_and_only_the_password_opens(self, terminal, world):
        lock(terminal)
        answers = [unlock(terminal, None, "111112") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [422] * 3
        assert "only the password" in answers[-1].text
        assert unlock(terminal, None).status_code == 422
        assert not terminal.is_in()
        answer = terminal.post("/unlock/password", {"password": PASSWORD, "next": "/account/pin"}, token_of="/locked")
        assert answer.location == "/account/pin"
        assert terminal.is_in()
        lock(terminal)
        assert unlock(terminal, None).status_code == 303  # tries count anew

    def test_a_wrong_password_does_not_open_and_is_slowed_down(self, terminal, world):
        lock(terminal)
        answers = [
            terminal.post("/unlock/password", {"password": "guess"}, token_of="/locked").status_code for _ in range(6)
        ]
        assert answers[:4] == [422] * 4
        assert answers[-1] == 429
        assert not terminal.is_in()

    @pytest.mark.parametrize("pin", ["", "48291", "4829155", "482916", "abcdef"])
    def test_other_pins_do_not_open(self, terminal, world, pin):
        lock(terminal)
        assert unlock(terminal, None, pin).status_code == 422
        assert not terminal.is_in()

    def test_idle_time_locks_without_anybody_asking(self, terminal, world):
        with clock.frozen(clock.now() + timedelta(seconds=295)):
            assert terminal.is_in()
        with clock.frozen(clock.now() + timedelta(seconds=605)):
            assert not terminal.is_in()
            assert unlock(terminal, None, "111112").status_code == 422
            assert not terminal.is_in()  # asking for the PIN is no activity
            assert unlock(terminal, None).status_code == 303
            assert terminal.is_in()

    def test_polling_and_streams_do_not_keep_it_open(self, app, terminal, world):
        from clinic import access

        start = clock.now()
        with app.app_context():
            polled = [
                rule.rule
                for rule in app.url_map.iter_rules()
                if "GET" in rule.methods
                and not rule.arguments
                and (declared := access.access_of(rule.endpoint))
                and declared.background
                and declared.permission
                and rule.endpoint != "live.stream"
            ]
        assert "/locked" in polled
        for second in range(0, 300, 20):
            with clock.frozen(start + timedelta(seconds=second)):
                for url in polled:
                    terminal.get(url)
        with clock.frozen(start + timedelta(seconds=302)):
            assert not terminal.is_in()

    def test_touching_the_screen_keeps_it_open_from_that_instant(self, terminal, world):
        start = clock.now()
        with clock.frozen(start + timedelta(seconds=280)):
            answer = terminal.post("/active", {"ago": "60000"}, token_of="/locked")
            assert answer.status_code == 204
        with clock.frozen(start + timedelta(seconds=519)):
            assert terminal.get("/drafts?form=/x").status_code == 204
        with clock.frozen(start + timedelta(seconds=521)):
            assert not terminal.is_in()
            assert terminal.post("/active", {"ago": "0"}, token_of="/locked").status_code == 303
            assert not terminal.is_in()

    def test_lock_and_unlock_are_audited(self, app, terminal, world):
        lock(terminal)
        unlock(terminal, None)
        with app.app_context():
            made = set(db.session.scalars(select(AuditEvent.act)))
        assert {"session.lock", "session.unlock"} <= made

    def test_it_locks_again_and_again_without_harm(self, app, terminal, world):
        lock(terminal)
        terminal.post("/lock", token_of="/locked")
        with app.app_context():
            count = select(func.count()).where(AuditEvent.act == "session.lock")
            assert db.session.scalar(count) == 1


class TestSwitch:
    def test_a_pin_opens_a_fresh_session_for_the_other(self, terminal, world):
        lock(terminal)
        old = terminal.cookie("session")
        answer = unlock(terminal, world.people["ruwan"])
        assert answer.location == "/"  # not the page of the one before
        assert terminal.cookie("session") != old
        assert "Ruwan Senanayake" in terminal.get("/account/sessions").text
        new = terminal.cookie("session")
        terminal.carry("session", old)
        assert not terminal.is_in()
        terminal.carry("session", new)
        lock(terminal)
        assert "Rita Gomes" in terminal.get("/locked").text
        unlock(terminal, world.people["rita"])
        assert "Rita Gomes" in terminal.get("/account/sessions").text

    def test_only_people_who_gave_their_password_here_today(self, app, terminal, world):
        lock(terminal)
        assert "Kamal" not in terminal.get("/locked").text
        assert unlock(terminal, world.people["kamal"]).status_code == 422
        with clock.frozen(clock.now() + timedelta(hours=11, minutes=59)):
            assert "Ruwan" in terminal.get("/locked").text
        elsewhere = Visitor(app)
        elsewhere.sign_in("kamal")
        lock(elsewhere)
        assert "Ruwan" not in elsewhere.get("/locked").text
        assert unlock(elsewhere, world.people["ruwan"]).status_code == 422

    def test_not_after_twelve_hours(self, app, world):
        start = clock.now()
        terminal = Visitor(app)
        terminal.sign_in("ruwan")
        with clock.frozen(start + timedelta(hours=11)):
            terminal.sign_in("rita")
        with clock.frozen(start + timedelta(hours=12, minutes=1)):
            lock(terminal)
            assert "Ruwan" not in terminal.get("/locked").text
            assert unlock(terminal, world.people["ruwan"]).status_code == 422

    def test_three_wrong_pins_close_it_for_that_person(self, terminal, world):
        lock(terminal)
        for _ in range(3):
            assert unlock(terminal, world.people["ruwan"], "111112").status_code == 422
        assert unlock(terminal, world.people["ruwan"]).status_code == 422
        assert unlock(terminal, world.people["rita"]).status_code == 303

    @pytest.mark.parametrize("end", ["signed out", "password", "deactivated", "role", "others", "reset"])
    def test_no_way_back_after_other_ends(self, app, terminal, world, end):
        """E1: what ends a session ends the PIN's way back to it."""
        with app.app_context():
            adel, ruwan = world.user("adel"), world.user("ruwan")
            if end == "deactivated":
                people_operations.deactivate(ruwan.id, actor=adel)
            elif end == "reset":
                people_operations.reset_password(ruwan.id, password_hash=passwords.hashed("x"), actor=adel)
            elif end == "role":
                people_operations.change_person(
                    ruwan.id,
                    version=ruwan.version,
                    name=ruwan.name,
                    email=ruwan.email,
                    role=ruwan.role.NURSE,
                    department_id=None,
                    year=None,
                    actor=adel,
                )
            db.session.commit()
        if end in ("password", "others"):
            elsewhere = Visitor(app)
            elsewhere.sign_in("ruwan")
            if end == "others":
                elsewhere.post("/account/sessions/end-others", token_of="/account/sessions")
            else:
                data = {"present": PASSWORD, "password": "violet window seven"}
                assert elsewhere.post("/account/password", data, token_of="/account/password").status_code == 303
        if end == "signed out":
            terminal.sign_in("ruwan")
            terminal.post("/sign-out", token_of="/account/sessions")
            terminal.sign_in("rita")
        lock(terminal)
        assert "Ruwan" not in terminal.get("/locked").text
        assert unlock(terminal, world.people["ruwan"]).status_code == 422


class TestOldCookies:
    """E1: a cookie from before is accepted after none of these."""

    @pytest.mark.parametrize(
        "event",
        [
            "sign-in",
            "switch",
            "sign-out",
            "ended",
            "others",
            "password",
            "link",
            "role",
            "department",
            "email",
            "reset",
            "deactivated",
            "twelve hours",
        ],
    )
    def test_replay(self, app, world, event):
        victim = Visitor(app)
        victim.sign_in("kamal")
        if event == "switch":
            victim.sign_in("leela")
            lock(victim)
            unlock(victim, world.people["kamal"])
        old = victim.cookie("session")
        assert victim.is_in()
        self.happen(app, world, event, victim)
        replay = Visitor(app)
        replay.carry("session", old)
        with clock.frozen(clock.now() + timedelta(hours=12, seconds=5) if event == "twelve hours" else clock.now()):
            for url in ("/account/sessions", "/", "/locked", "/account/password"):
                assert "Kamal" not in replay.get(url).text
                assert replay.get(url).location.startswith("/sign-in")

    def happen(self, app, world, event, victim):
        kamal, adel = world.people["kamal"], world.people["adel"]
        other = Visitor(app)
        if event == "sign-in":
            victim.sign_in("kamal")
        elif event == "switch":
            lock(victim)
            assert unlock(victim, world.people["leela"]).status_code == 303
        elif event == "sign-out":
            victim.post("/sign-out", token_of="/account/sessions")
        elif event in ("ended", "others", "password"):
            other.sign_in("kamal")
            if event == "password":
                data = {"present": PASSWORD, "password": "violet window seven"}
                assert other.post("/account/password", data, token_of="/account/password").status_code == 303
            else:
                with app.app_context():
                    last = select(AuthSession.id).where(AuthSession.user_id == kamal, AuthSession.ended_at.is_(None))
                    first = min(db.session.scalars(last))
                url = f"/account/sessions/{first}/end" if event == "ended" else "/account/sessions/end-others"
                assert other.post(url, token_of="/account/sessions").status_code == 303
                assert other.is_in()
        elif event == "link":
            from clinic.operations import account

            with app.app_context():
                account.make_link(email="kamal@clinic.test", token="t" * 43)
                account.use_link("t" * 43, new_hash="h")
                db.session.commit()
        elif event != "twelve hours":
            with app.app_context():
                person, actor = world.user("kamal"), db.session.get_one(type(world.user("kamal")), adel)
                change = {
                    "name": person.name,
                    "email": person.email,
                    "role": person.role,
                    "department_id": person.department_id,
                    "year": 4,
                }
                change |= {
                    "role": {"role": person.role.NURSE, "year": None},
                    "department": {"department_id": world.departments["orthodontics"]},
                    "email": {"email": "other@clinic.test"},
                }.get(event, {})
                if event == "reset":
                    people_operations.reset_password(kamal, password_hash="h", actor=actor)
                elif event == "deactivated":
                    people_operations.deactivate(kamal, actor=actor)
                else:
                    people_operations.change_person(kamal, version=person.version, **change, actor=actor)
                db.session.commit()


class TestForms:
    """E8: no write without our own page's token. Every unsafe route, found from the URL map."""

    def routes(self, app):
        with app.app_context():
            adapter = app.url_map.bind("localhost")
            for rule in app.url_map.iter_rules():
                for method in sorted(rule.methods & UNSAFE):
                    values = {name: "t" * 43 if name == "token" else 1 for name in rule.arguments}
                    yield method, adapter.build(rule.endpoint, values, method=method)

    def rows(self, app):
        """How many rows each table has, and what a change would touch; audit of refusals and activity aside."""
        with app.app_context():
            return {
                table.name: sorted(map(repr, db.session.execute(select(table)).all()))
                for table in db.metadata.sorted_tables
                if table.name not in ("audit_event", "audit_head", "auth_session", "once_key")
            }

    @pytest.mark.parametrize("name", ["ruwan", "kamal", "silva", "nimal", "adel", None])
    @pytest.mark.parametrize("proof", ["none", "wrong", "another's", "cross-site", "text/plain"])
    def test_no_effect_without_our_own_token(self, app, world, browser_of, client, name, proof):
        routes = list(self.routes(app))
        assert len(routes) > 15
        person = browser_of(name) if name else None
        sender = person.client if person else client
        good = person.csrf_token() if person else ""
        other = browser_of("rita")
        before = self.rows(app)
        for method, url in routes:
            data, headers = {"once": "sweep-" + url}, {}
            if proof == "wrong":
                data["csrf_token"] = "00" * 32
            elif proof == "another's":
                data["csrf_token"] = other.csrf_token()
            elif proof == "cross-site":
                data["csrf_token"] = good
                headers["Sec-Fetch-Site"] = "cross-site"
            if proof == "text/plain":
                answer = sender.open(url, method=method, data=f"csrf_token={good}", content_type="text/plain")
            else:
                answer = sender.open(url, method=method, data=data, headers=headers)
            assert answer.status_code in (303, 400, 401, 403, 404), (method, url, answer.status_code)
            if answer.status_code == 303:  # sent to a door, not let through
                assert answer.location.startswith(("/sign-in?", "/sign-in", "/account/password", "/locked")), url
        assert self.rows(app) == before
        if person:
            assert person.get("/account/sessions").status_code == 200  # neither signed out nor locked

    def test_the_token_of_one_browser_is_no_good_in_another(self, app, world):
        one, other = Visitor(app), Visitor(app)
        token = one.get("/sign-in").text.split('name="csrf_token" value="')[1].split('"')[0]
        other.get("/sign-in")
        answer = other.client.post(
            "/sign-in", data={"email": "ruwan@clinic.test", "password": PASSWORD, "csrf_token": token}
        )
        assert answer.status_code == 400
        assert not other.is_in()

    def test_a_browser_without_a_name_cannot_send(self, app, world, client):
        with app.test_request_context():
            empty = security._csrf("")
        token = (bytes(16) + empty).hex()
        answer = client.post("/sign-in", data={"email": "ruwan@clinic.test", "password": PASSWORD, "csrf_token": token})
        assert answer.status_code == 400


class TestDrafts:
    def keep(self, person, fields, form="/people/"):
        return person.post("/drafts", {"form": form, "fields": json.dumps(fields)})

    def test_a_draft_comes_back_to_its_author_alone(self, browser_of):
        kamal, leela = browser_of("kamal"), browser_of("leela")
        assert self.keep(kamal, {"reason": ["half a sen"]}).status_code == 204
        assert kamal.get("/drafts?form=/people/").json["fields"] == {"reason": ["half a sen"]}
        assert leela.get("/drafts?form=/people/").status_code == 204
        assert kamal.get("/drafts?form=/other").status_code == 204

    def test_the_later_replaces_the_earlier_and_nothing_removes_it(self, browser_of):
        kamal = browser_of("kamal")
        self.keep(kamal, {"reason": ["one"]})
        self.keep(kamal, {"reason": ["two"]})
        assert kamal.get("/drafts?form=/people/").json["fields"] == {"reason": ["two"]}
        self.keep(kamal, {})
        assert kamal.get("/drafts?form=/people/").status_code == 204

    def test_what_is_sent_is_done_with(self, app, browser_of, world):
        adel = browser_of("adel")
        self.keep(adel, {"name": ["Nobody Yet"]})
        fields = {"name": "", "email": "new@clinic.test", "role": "nurse", "department_id": "", "year": ""}
        assert adel.post("/people/", fields).status_code == 422
        assert adel.get("/drafts?form=/people/").status_code == 200
        assert adel.post("/people/", fields | {"name": "Nobody Yet"}).status_code == 303
        assert adel.get("/drafts?form=/people/").status_code == 204

    def test_what_was_typed_elsewhere_meanwhile_is_not_written_over(self, browser_of):
        here, there = browser_of("kamal"), browser_of("kamal")

        def keep(person, text, mark):
            return person.post("/drafts", {"form": "/x", "fields": json.dumps({"text": [text]}), "mark": mark})

        first = keep(here, "Begun", "").headers["X-Draft"]
        assert there.get("/drafts?form=/x").json["mark"] == first
        second = keep(there, "Begun there", first).headers["X-Draft"]
        assert keep(here, "Begun here", first).status_code == 409
        answer = keep(here, "Begun here", first)
        assert answer.json == {"fields": {"text": ["Begun there"]}, "mark": second, "sent": False}
        assert keep(here, "Begun there", first).status_code == 204  # the same words are no conflict
        assert keep(here, "Begun here and there", second).status_code == 204
        assert there.get("/drafts?form=/x").json["fields"] == {"text": ["Begun here and there"]}

    def test_a_save_that_was_late_does_not_bring_back_what_was_sent(self, browser_of):
        adel = browser_of("adel")
        fields = {"name": "New One", "email": "one@clinic.test", "role": "nurse", "department_id": "", "year": ""}
        assert adel.get("/drafts?once=key-of-the-form").status_code == 204
        assert adel.post("/people/", fields, once="key-of-the-form").status_code == 303
        assert adel.get("/drafts?once=key-of-the-form").json["sent"]
        assert browser_of("kamal").get("/drafts?once=key-of-the-form").status_code == 204  # another's
        late = {"form": "/people/", "fields": json.dumps({"name": ["New One"]})}
        assert adel.post("/drafts", late, once="key-of-the-form").status_code == 204
        assert adel.get("/drafts?form=/people/").status_code == 204

    def test_the_key_is_the_persons_own(self, app, browser_of):
        keys = {
            name: re.findall(r'name="draft-key" content="([^"]+)"', browser_of(name).get("/notices").text)
            for name in ("kamal", "leela")
        }
        assert keys["kamal"] == re.findall('draft-key" content="([^"]+)"', browser_of("kamal").get("/notices").text)
        assert keys["kamal"] != keys["leela"]
        assert len(base64.b64decode(keys["kamal"][0])) == 64

    @pytest.mark.parametrize("fields", ["", "[]", '{"a": 1}', '{"a": [1]}', "null", "{"])
    def test_other_shapes_are_refused(self, browser_of, fields):
        assert browser_of("kamal").post("/drafts", {"form": "/x", "fields": fields}).status_code == 422

    def test_it_is_bounded(self, app, browser_of, world):
        kamal = browser_of("kamal")
        assert self.keep(kamal, {"a": ["x" * 60_001]}).status_code == 422
        assert self.keep(kamal, {"a": ["x"]}, form="/" + "y" * 200).status_code == 422
        for number in range(60):
            self.keep(kamal, {"a": [str(number)]}, form=f"/form/{number}")
        with app.app_context():
            assert db.session.scalar(select(func.count()).select_from(Draft)) == 50

    def test_it_can_be_kept_at_the_moment_of_locking_but_not_read(self, browser_of):
        kamal = browser_of("kamal")
        kamal.post("/lock")
        assert self.keep(kamal, {"a": ["x"]}).status_code == 204
        assert kamal.get("/drafts?form=/people/").status_code == 303


class TestSecondFactorByRole:
    def test_people_of_the_role_set_it_up_before_anything_else(self, app, world, browser_of):
        with app.app_context():
            change_setting("totp_roles", ["supervisor"], actor=world.user("adel"))
            db.session.commit()
            settings.forget()
        silva, ruwan = browser_of("silva"), browser_of("ruwan")
        for url in ("/", "/account/pin", "/account/sessions"):
            assert silva.get(url).location == "/account/second-factor"
        assert silva.get("/account/second-factor").status_code == 200
        assert ruwan.get("/account/pin").status_code == 200
        settings.forget()


def test_a_locked_terminal_gives_no_draft_out(terminal):
    form = "/patients/1/notes/new"
    kept = {"form": form, "fields": '{"text": ["Told in confidence"]}'}
    assert terminal.post("/drafts", kept, token_of="/account/sessions").status_code == 204
    lock(terminal)
    answer = terminal.post("/drafts", {"form": form, "fields": "{}", "mark": "x"}, token_of="/locked")
    assert answer.status_code == 409
    assert "confidence" not in answer.text
