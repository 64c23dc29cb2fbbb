"""A patient's history: the pages, filling, looking through, and handing a tablet over."""

import json
import re

import pytest
from sqlalchemy import func, select

from clinic import clock
from clinic.extensions import db
from clinic.history.form import shipped
from clinic.models import Alert, AuthSession, Filling, HistoryForm, HistoryReview, Kiosk, OnceKey
from clinic.operations.history import fill_history, hand_over, publish_form
from tests.histories import answered, said_in
from tests.queries_counted import counted


@pytest.fixture
def url(world):
    return lambda patient="fernando", rest="": f"/patients/{world.patients[patient]}/history{rest}"


@pytest.fixture
def taken(app, world):
    """A patient's history, filled by somebody."""

    def do(patient="fernando", by="kamal", seen=0, **changes):
        with app.app_context():
            filling = fill_history(
                world.patient(patient),
                code="medical",
                number=1,
                raw=answered(**changes),
                seen=seen,
                actor=world.user(by),
            )
            db.session.commit()
            return filling.id

    return do


def sent(number=1, seen=0, **changes):
    """The fields of a whole medical history."""
    return {"number": number, "seen": seen} | {f"q-{code}": said for code, said in answered(**changes).items()}


def count(app, model):
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(model))


class TestPages:
    def test_the_forms_are_there_before_anything_was_filled(self, app, browser_of, url):
        page = browser_of("kamal").get(url()).text
        assert "Medical and dental history" in page
        assert "Orthodontic case sheet" in page
        assert page.count("Not filled yet") == 2
        assert count(app, HistoryForm) == 0  # looking writes nothing
        assert "Not filled yet" in browser_of("kamal").get(url(rest="/medical")).text

    def test_the_newest_filling_is_read_in_words(self, browser_of, url, taken):
        taken(allergic="yes", allergies=["latex"], pain="3", doctor="yes", doctor_for="<b>Dr Rao</b>")
        page = browser_of("silva").get(url(rest="/medical")).text
        assert "3 of 10" in page
        assert "&lt;b&gt;Dr Rao&lt;/b&gt;" in page
        assert re.search(r'class="is-watched">.*?Watch out:.*?latex', page, re.DOTALL)
        assert "Not answered: " in page
        assert "looked through today" in page

    def test_what_a_newer_filling_does_not_say_any_more_is_asked_about(self, browser_of, url, taken):
        taken(allergic="yes", allergies=["latex"])
        taken(seen=1)
        page = browser_of("kamal").get(url(rest="/medical")).text
        assert "In the banner, but no longer said" in page
        assert 'aria-label="End it: Latex"' in page

    def test_former_fillings_are_listed_read_and_compared(self, browser_of, url, taken):
        taken(complaint="The first")
        taken(seen=1, complaint="The second")
        kamal = browser_of("kamal")
        assert "what changed since" in kamal.get(url(rest="/medical")).text
        former = kamal.get(url(rest="/medical/1")).text
        assert "The first" in former
        assert "Number 2" in former
        compared = kamal.get(url(rest="/medical/compare?before=1&after=2")).text
        assert "The first" in compared
        assert "The second" in compared
        assert compared.count('<th scope="row">') == 1
        for missing in (
            "/medical/3",
            "/medical/compare?before=1&after=9",
            "/medical/compare",
            "/nonsense",
            "/nonsense/fill",
        ):
            assert kamal.get(url(rest=missing)).status_code == 404

    def test_the_overview_says_how_it_stands(self, browser_of, url, world, taken):
        overview = f"/patients/{world.patients['fernando']}"
        assert "not filled yet" in browser_of("kamal").get(overview).text
        taken()
        assert "looked through today" in browser_of("kamal").get(overview).text
        assert 'href="' + url() not in browser_of("ruwan").get(overview).text

    def test_nobody_else_learns_that_there_is_one(self, browser_of, url, taken):
        taken()
        for rest in ("", "/medical", "/medical/1", "/medical/compare?before=1&after=1", "/medical/fill"):
            assert browser_of("leela").get(url(rest=rest)).status_code == 404
            assert browser_of("ruwan").get(url(rest=rest)).status_code == 403

    def test_many_fillings_cost_no_more_queries(self, browser_of, url, taken):
        kamal, spent = browser_of("kamal"), []
        for number in range(12):
            taken(seen=number, complaint=str(number))
            if number in (1, 11):
                for rest in ("", "/medical"):
                    kamal.get(url(rest=rest))
                    with counted() as statements:
                        kamal.get(url(rest=rest))
                    spent.append(len(statements))
        assert spent[:2] == spent[2:]


class TestFilling:
    def test_it_is_filled_with_the_former_answers_in_it(self, app, browser_of, url, taken):
        taken(conditions=["asthma", "epilepsy"], complaint="It hurts")
        page = browser_of("kamal").get(url(rest="/medical/fill")).text
        assert re.search(r'value="asthma" checked', page)
        assert "It hurts</textarea>" in page
        assert 'name="seen" value="1"' in page
        answer = browser_of("kamal").post(url(rest="/medical/fill"), sent(seen=1, complaint="It is over"))
        assert answer.status_code == 303
        with app.app_context():
            newest = db.session.scalars(select(Filling).order_by(Filling.id.desc()).limit(1)).one()
            assert said_in(newest)["complaint"] == "It is over"

    def test_sent_twice_it_is_kept_once(self, app, browser_of, url):
        kamal = browser_of("kamal")
        for _twice in range(2):
            assert kamal.post(url(rest="/medical/fill"), sent(), once="the-same-key").status_code == 303
        assert count(app, Filling) == count(app, HistoryReview) == 1

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_mistake_is_said_in_its_place_and_the_cursor_stands_in_it(self, app, browser_of, url, htmx):
        answer = browser_of("kamal").post(
            url(rest="/medical/fill"), sent(conditions="", emergency_name="x" * 400, complaint="Typed"), htmx=htmx
        )
        assert answer.status_code == 422
        assert re.search(
            r'id="q-conditions-question".*?autofocus.*?id="q-conditions-error">Choose an answer', answer.text, re.DOTALL
        )
        assert answer.text.count("autofocus") == 1
        assert "at most 300 letters; these are 400" in answer.text
        assert "Typed</textarea>" in answer.text
        assert "x" * 400 in answer.text
        assert count(app, Filling) == 0

    def test_somebody_faster_both_answers_stand_side_by_side_and_nothing_typed_is_lost(
        self, browser_of, url, taken, app
    ):
        taken(by="silva", complaint="Theirs", smoking="never")
        kamal = browser_of("kamal")
        answer = kamal.post(url(rest="/medical/fill"), sent(seen=0, complaint="Mine"))
        assert answer.status_code == 409
        assert "Dr Sunil Silva filled this form" in answer.text
        assert "Mine</textarea>" in answer.text
        assert re.search(r'id="q-complaint-theirs">.*?Theirs', answer.text, re.DOTALL)
        assert re.search(r'id="q-smoking-theirs">.*?never', answer.text, re.DOTALL)
        assert 'name="seen" value="1"' in answer.text
        assert count(app, Filling) == 1
        assert kamal.post(url(rest="/medical/fill"), sent(seen=1, complaint="Mine")).status_code == 303

    def test_a_form_changed_meanwhile_keeps_what_was_typed(self, app, browser_of, url, world):
        plain = json.loads(shipped("medical")) | {"title": "Shorter"}
        with app.app_context():
            publish_form(code="medical", body=json.dumps(plain), seen=1, actor=world.user("adel"))
            db.session.commit()
        answer = browser_of("kamal").post(url(rest="/medical/fill"), sent(number=1, complaint="Mine"))
        assert answer.status_code == 409
        assert "Mine</textarea>" in answer.text
        assert 'name="number" value="2"' in answer.text

    def test_only_supervisors_fill_what_is_theirs(self, app, browser_of, url):
        page = browser_of("kamal").get(url(rest="/medical/fill")).text
        assert 'name="q-asa"' not in page
        assert "supervisors only" in page
        assert 'name="q-asa"' in browser_of("silva").get(url(rest="/medical/fill")).text
        hand_made = sent(asa="IV", precautions="Do anything")
        assert browser_of("kamal").post(url(rest="/medical/fill"), hand_made).status_code == 303
        with app.app_context():
            assert not {"asa", "precautions"} & set(said_in(db.session.scalars(select(Filling)).one()))
            assert "Do anything" not in db.session.scalars(select(Alert.label)).all()
        assert browser_of("silva").post(url(rest="/medical/fill"), sent(seen=1, asa="II")).status_code == 303
        page = browser_of("kamal").get(url(rest="/medical/fill")).text
        assert re.search(r"ASA class.*?<bdi>II</bdi>", page, re.DOTALL)

    @pytest.mark.parametrize(
        "fields", [{}, {"number": "x", "seen": "0"}, {"number": "1", "seen": "-1"}, {"number": "9" * 30, "seen": "0"}]
    )
    def test_a_hand_made_form_without_its_versions_is_refused(self, app, browser_of, url, fields):
        assert browser_of("kamal").post(url(rest="/medical/fill"), fields).status_code == 422
        assert count(app, Filling) == 0

    def test_hostile_answers_are_text_on_every_page(self, browser_of, url):
        hostile = "<script>alert(1)</script>\0{{ 7*7 }}\u202eabc"
        kamal = browser_of("kamal")
        assert kamal.post(url(rest="/medical/fill"), sent(complaint=hostile, medicines=hostile)).status_code == 303
        for rest in ("/medical", "/medical/1", "/medical/fill", ""):
            page = kamal.get(url(rest=rest)).text
            assert "<script>alert(1)" not in page
            assert "\0" not in page
            assert "49" not in re.findall(r"alert\(1\).{0,40}", page)

    def test_through_a_broken_glass_it_is_read_and_not_filled(self, app, browser_of, url, world, taken):
        from datetime import timedelta

        from clinic.models import BrokenGlass, GlassReason

        taken()
        with app.app_context():
            at = clock.now()
            db.session.add(
                BrokenGlass(user_id=world.people["omar"], patient_id=world.patients["fernando"], reason=GlassReason.SAFETY,
                            words="A recall", opened_at=at, expires_at=at + timedelta(hours=1))
            )  # fmt: skip
            db.session.commit()
        omar = browser_of("omar")
        assert "Looked through today, no change" not in omar.get(url(rest="/medical")).text
        assert omar.get(url(rest="/medical/fill")).status_code == 403
        assert omar.post(url(rest="/medical/fill"), sent(seen=1)).status_code == 403
        assert omar.post(url(rest="/medical/review"), {"number": 1}).status_code == 403
        assert omar.post(url(rest="/medical/hand-over"), {"where": "another"}).status_code == 403


class TestReview:
    def test_one_tap_dates_it(self, app, browser_of, url, taken):
        taken()
        silva = browser_of("silva")
        with app.app_context():
            db.session.query(HistoryReview).delete()
            db.session.commit()
        assert "Looked through today, no change" in silva.get(url(rest="/medical")).text
        assert silva.post(url(rest="/medical/review"), {"number": 1}).status_code == 303
        page = silva.get(url(rest="/medical")).text
        assert "looked through today" in page
        assert "Looked through today, no change" not in page
        silva.post(url(rest="/medical/review"), {"number": 1})
        assert count(app, HistoryReview) == 1

    def test_one_that_was_filled_anew_meanwhile_is_not_dated(self, browser_of, url, taken):
        taken()
        taken(seen=1)
        answer = browser_of("silva").post(url(rest="/medical/review"), {"number": 1})
        assert answer.status_code == 409
        assert "filled anew" in answer.text


def handed(person, url):
    """Hand a form over for another tablet: its address."""
    answer = person.post(url(rest="/medical/hand-over"), {"where": "another"})
    return address_in(person.get(answer.headers["Location"]).text)


def address_in(page):
    return "/tablet/" + re.search(r"/tablet/([\w-]{32})", page)[1]


class TestHandingOver:
    def test_on_this_tablet_the_session_and_what_remembers_it_end(self, app, browser_of, url, world):
        kamal = browser_of("kamal")
        kamal.client.set_cookie("chairside-remember", "x" * 43)
        assert "You are signed out here at once" in kamal.get(url(rest="/medical/hand-over")).text
        answer = kamal.post(url(rest="/medical/hand-over"), {"where": "here"}, once="hand-over-key")
        assert answer.status_code == 303
        assert re.fullmatch(r"/tablet/[\w-]{32}", answer.headers["Location"])
        dropped = [cookie for cookie in answer.headers.getlist("Set-Cookie") if "Max-Age=0" in cookie]
        assert {cookie.split("=")[0] for cookie in dropped} >= {"chairside-session", "chairside-remember"}
        token = answer.headers["Location"].rsplit("/", 1)[1]
        with app.app_context():
            assert db.session.get_one(AuthSession, kamal.session_id).ended_at is not None
            kept = db.session.scalars(select(OnceKey.headers).where(OnceKey.key == "hand-over-key")).one()
            assert token not in kept
        # Even with the cookie that the browser had, every page of the clinic asks who is there.
        again = kamal.browser()
        for page in ("/", url(), "/patients", "/locked", "/account/sessions"):
            assert "/sign-in" in again.get(page).headers["Location"]
        page = kamal.client.get(answer.headers["Location"])
        assert page.status_code == 200

    def test_on_another_tablet_the_code_is_shown_and_the_session_stays(self, app, browser_of, url):
        kamal = browser_of("kamal")
        first = kamal.post(url(rest="/medical/hand-over"), {"where": "another"}, once="hand-over-key")
        again = kamal.post(url(rest="/medical/hand-over"), {"where": "another"}, once="hand-over-key")
        assert first.headers["Location"] == again.headers["Location"]
        assert count(app, Kiosk) == 1
        page = kamal.get(first.headers["Location"]).text
        address = address_in(page)
        assert "data:image/svg+xml" in page
        assert address.rsplit("/", 1)[1] not in first.headers["Location"]
        assert app.test_client().get(address).status_code == 200
        assert browser_of("leela").get(first.headers["Location"]).status_code == 404
        made_up = first.headers["Location"].partition("?")[0] + "?sealed=x"
        assert kamal.get(made_up).headers["Location"] == url()

    def test_the_clinician_sees_that_it_is_out_and_takes_it_back(self, app, browser_of, url, world):
        kamal = browser_of("kamal")
        address = handed(kamal, url)
        page = browser_of("silva").get(url()).text
        assert "is on a tablet in the patient" in page
        assert "Handed over by Kamal Dias" in page
        back = re.search(r"/patients/\d+/tablets/\d+/take-back", page)[0]
        assert browser_of("leela").post(back).status_code == 404
        assert browser_of("silva").post(back).status_code == 303
        tablets = f"/patients/{world.patients['fernando']}/tablets"
        assert "on a tablet" not in browser_of("silva").get(tablets, htmx=True).text
        assert app.test_client().get(address).status_code == 410

    def test_nowhere_else_is_nothing_handed_over(self, app, browser_of, url):
        assert browser_of("kamal").post(url(rest="/medical/hand-over"), {"where": "nowhere"}).status_code == 422
        assert browser_of("leela").post(url(rest="/medical/hand-over"), {"where": "another"}).status_code == 404
        assert count(app, Kiosk) == 0


@pytest.fixture
def tablet(app, world):
    """A browser in which nobody is signed in, and the address of a form that is out."""
    with app.app_context():
        fernando = world.patient("fernando")
        fill_history(
            fernando, code="medical", number=1, raw=answered(complaint="A secret"), seen=0, actor=world.user("kamal")
        )
        kiosk, token = hand_over(fernando, code="medical", actor=world.user("kamal"))
        db.session.commit()
        return app.test_client(), f"/tablet/{token}", kiosk.id


def send(client, address, **changes):
    """Fill the form of a page and send it, as its browser would."""
    page = client.get(address).text
    fields = {name: re.search(rf'name="{name}" value="([^"]+)"', page)[1] for name in ("csrf_token", "once")}
    answers = {f"q-{code}": said for code, said in answered(**changes).items()}
    return client.post(address, data=fields | answers), fields | answers


class TestTablet:
    def test_it_shows_the_form_and_the_first_name_and_nothing_else(self, tablet, world):
        client, address, _kiosk = tablet
        page = client.get(address).text
        assert "Nimali" in page
        for secret in (
            "Fernando",
            "P-2026",
            "1991",
            "Penicillin",
            "A secret",
            "Kamal",
            "ASA class",
            "Precautions",
            "<nav",
            "htmx",
        ):
            assert secret not in page, secret
        assert set(re.findall(r'(?:href|action)="([^"]+)"', page)) - {address} == set(
            re.findall(r'href="(/static/[^"]+)"', page)
        )

    def test_it_is_sent_once_and_thanks(self, app, tablet, world):
        client, address, kiosk = tablet
        answer, fields = send(client, address, complaint="From the tablet")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/tablet/thanks")
        assert "Please give the tablet back" in client.get("/tablet/thanks").text
        again = client.post(address, data=fields)  # a second tap
        assert (again.status_code, again.headers.get("X-Replayed")) in ((303, "1"), (410, None))
        assert client.get(address).status_code == 410
        with app.app_context():
            newest = db.session.scalars(select(Filling).order_by(Filling.id.desc()).limit(1)).one()
            assert (newest.number, newest.kiosk_id, newest.filled_by_id) == (2, kiosk, None)

    def test_used_expired_taken_back_and_unknown_answer_the_same(self, app, tablet, world):
        client, address, kiosk = tablet
        send(client, address)
        pages = [client.get(address)]
        with app.app_context():
            for change in ({"expires_at": clock.now()}, {"ended_at": clock.now()}):
                _row, token = hand_over(world.patient("fernando"), code="medical", actor=world.user("kamal"))
                for name, value in change.items():
                    setattr(_row, name, value)
                db.session.commit()
                pages.append(client.get(f"/tablet/{token}"))
        pages += [client.get(f"/tablet/{token}") for token in ("x" * 32, "x", "%00", "<script>")]
        assert {page.status_code for page in pages} == {410}
        assert len({page.text for page in pages}) == 1
        assert "Please give the tablet back" in pages[0].text

    def test_a_mistake_keeps_what_was_written(self, app, tablet):
        client, address, _kiosk = tablet
        answer, _fields = send(client, address, complaint="Still here", emergency_name="")
        assert answer.status_code == 422
        assert "Still here</textarea>" in answer.text
        assert "One answer needs another look" in answer.text
        assert "A secret" not in answer.text
        assert answer.text.count("autofocus") == 1
        assert count(app, Filling) == 1

    def test_a_form_that_was_closed_while_it_was_filled_is_closed(self, app, tablet):
        client, address, kiosk = tablet
        page = client.get(address).text
        with app.app_context():
            db.session.get_one(Kiosk, kiosk).ended_at = clock.now()
            db.session.commit()
        fields = {name: re.search(rf'name="{name}" value="([^"]+)"', page)[1] for name in ("csrf_token", "once")}
        answer = client.post(address, data=fields | {f"q-{code}": said for code, said in answered().items()})
        assert answer.status_code == 410
        assert count(app, Filling) == 1

    def test_another_page_cannot_send_it(self, app, tablet):
        client, address, _kiosk = tablet
        answers = {f"q-{code}": said for code, said in answered().items()}
        assert client.post(address, data=answers | {"once": "some-once-key"}).status_code == 400
        assert count(app, Filling) == 1

    def test_whoever_is_signed_in_is_asked_to_sign_out_first(self, tablet, browser_of):
        _client, address, _kiosk = tablet
        kamal = browser_of("kamal")
        page = kamal.get(address)
        assert page.status_code == 409
        assert "Somebody is signed in here" in page.text
        assert "Nimali" not in page.text
        assert kamal.post(address, {f"q-{code}": said for code, said in answered().items()}).status_code == 409

    def test_whoever_tries_addresses_has_to_wait_and_the_tablet_that_is_out_has_not(self, tablet, browser_of, app):
        client, address, _kiosk = tablet
        guesser = browser_of("ruwan")
        codes = [guesser.post(f"/tablet/{number:032}").status_code for number in range(33)]
        assert codes[0] == 410
        assert codes[-1] == 429
        answer, _fields = send(client, address)
        assert answer.status_code == 303

    def test_looking_at_it_writes_nothing(self, app, tablet):
        client, address, _kiosk = tablet
        client.get(address)
        with counted() as statements:
            client.get(address)
        assert not [each for each in statements if each.startswith(("INSERT", "UPDATE", "DELETE"))]


class TestForms:
    def body(self, **changes):
        return json.dumps(json.loads(shipped("medical")) | changes)

    def test_a_changed_form_is_published_as_the_next_number(self, app, browser_of, url):
        adel = browser_of("adel")
        assert "as it came with Chairside" in adel.get("/history-forms").text
        page = adel.get("/history-forms/medical").text
        assert "Publish as number 2" in page
        assert count(app, HistoryForm) == 0
        answer = adel.post("/history-forms/medical", {"body": self.body(title="Ours"), "seen": "1", "act": "publish"})
        assert answer.status_code == 303
        assert "Number 1" in adel.get("/history-forms/medical").text
        assert "Medical and dental history" in adel.get("/history-forms/medical/1").text
        assert "Ours" in browser_of("kamal").get(url()).text

    def test_looked_at_it_is_drawn_and_not_published(self, app, browser_of):
        answer = browser_of("adel").post(
            "/history-forms/medical", {"body": self.body(title="Ours"), "seen": "1", "act": "look"}
        )
        assert answer.status_code == 200
        assert "As it is asked" in answer.text
        assert count(app, HistoryForm) == 0

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            ("{", "Line 1 cannot be read as JSON"),
            ("[]", "The form must be an object"),
            ('{"code": "medical", "title": "x"}', "needs “sections”"),
            ("[" * 20_000, "nested too deeply"),
        ],
    )
    def test_what_is_no_form_is_refused_with_a_sentence_and_kept_to_be_corrected(self, app, browser_of, body, sentence):
        for act in ("publish", "look"):
            answer = browser_of("adel").post("/history-forms/medical", {"body": body, "seen": "1", "act": act})
            assert sentence in answer.text
            assert count(app, HistoryForm) == 0 or act == "look"

    def test_somebody_faster_both_are_shown(self, app, browser_of):
        adel = browser_of("adel")
        adel.post("/history-forms/medical", {"body": self.body(title="Theirs"), "seen": "1", "act": "publish"})
        answer = adel.post("/history-forms/medical", {"body": self.body(title="Mine"), "seen": "1", "act": "publish"})
        assert answer.status_code == 409
        assert "As it was published meanwhile" in answer.text
        assert "&#34;Mine&#34;" in answer.text
        assert "&#34;Theirs&#34;" in answer.text
        assert 'name="seen" type="hidden" value="2"' in answer.text

    def test_a_new_form_is_offered_for_every_patient(self, app, browser_of, url):
        adel = browser_of("adel")
        assert adel.get("/history-forms/new").status_code == 200
        fields = {"body": self.body(code="implants", title="Before an implant"), "seen": "0", "act": "publish"}
        assert adel.post("/history-forms/new", fields).status_code == 303
        assert adel.post("/history-forms/new", fields).status_code == 409
        assert "Before an implant" in browser_of("kamal").get(url()).text

    def test_nobody_else_changes_them(self, browser_of):
        for name in ("silva", "kamal", "ruwan"):
            assert browser_of(name).get("/history-forms").status_code == 403
            assert browser_of(name).post("/history-forms/medical", {"body": "{}", "seen": "1"}).status_code == 403
        assert browser_of("adel").get("/history-forms/nonsense").status_code == 404
