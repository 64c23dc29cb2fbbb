"""Finding, registering, changing, archiving patients, and their alerts."""

import html
import json
import re

import pytest
from sqlalchemy import func, select

from clinic.extensions import db
from clinic.models import Alert, AuditEvent, Patient, PatientToken
from tests.queries_counted import counted

NEW = {"name": "Sunil Weerasinghe", "birth_date": "2 Mar 1984", "sex": "male", "phone": "077 000 1122"}


def rows(browser, model, *where):
    with browser.app.app_context():
        return db.session.execute(select(func.count()).select_from(model).where(*where)).scalar_one()


def stored(browser, patient_id):
    with browser.app.app_context():
        return db.session.get_one(Patient, patient_id)


def acts(browser, act):
    with browser.app.app_context():
        query = select(AuditEvent.sentence).where(AuditEvent.act == act).order_by(AuditEvent.id)
        return list(db.session.execute(query).scalars())


def form_of(page, action):
    """The fields of the form with this action, as the browser would send them back."""
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', page, re.S)[0]
    fields = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        kind = re.search(r'type="([^"]*)"', tag)
        if name and (not kind or kind[1] not in ("radio", "checkbox")) and name[1] not in ("csrf_token", "once"):
            fields[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select[^>]*name="([^"]*)".*?>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        fields[name] = chosen[1] if chosen else ""
    return fields


# The list and the search


def test_the_list_shows_patients_by_name_with_keys(browser_of):
    page = browser_of("ruwan").get("/patients")
    assert page.status_code == 200
    assert page.text.index("Ana Perera") < page.text.index("Nimali Fernando")
    assert "Archie Bell" not in page.text
    assert 'data-keys="list"' in page.text
    assert "5 patients" not in page.text
    assert "4 patients" in page.text


def test_the_archived_have_a_list_of_their_own(browser_of):
    page = browser_of("ruwan").get("/patients?order=archived").text
    assert "Archie Bell" in page
    assert "Ana Perera" not in page


def test_a_search_works_without_javascript_and_as_a_fragment(browser_of):
    ruwan = browser_of("ruwan")
    assert "Ana Perera" in ruwan.get("/patients?q=per+ana").text
    fragment = ruwan.get("/patients/results?q=per+ana", htmx=True).text
    assert fragment.lstrip().startswith('<section id="patients-results"')
    assert "Ana Perera" in fragment
    assert "Fernando" not in fragment
    assert fragment.strip() in ruwan.get("/patients?q=per+ana").text


def test_what_is_typed_is_shown_as_text(browser_of):
    page = browser_of("ruwan").get("/patients?q=%3Cscript%3Ealert(1)%3C/script%3E").text
    assert "<script>alert" not in page
    assert "Nobody found" in page


@pytest.mark.parametrize(
    "asked", ["after=x", "after=999999", "before=0", "order=drop", "q=%00", "after=-1", "q=" + "a" * 5000]
)
def test_odd_addresses_of_the_list_show_a_list(browser_of, asked):
    assert browser_of("ruwan").get(f"/patients?{asked}").status_code == 200


def test_a_student_lists_and_finds_only_their_own(browser_of):
    kamal = browser_of("kamal")
    for url in ("/patients", "/patients?q=per", "/patients/results?q=071", "/patients?order=newest"):
        page = kamal.get(url).text
        assert "Ana Perera" not in page
        assert "P-2026-00002" not in page
    assert "Nimali Fernando" in kamal.get("/patients").text
    assert "1 patient<" in kamal.get("/patients").text.replace("\n", "").replace(" <", "<")


def test_every_search_submitted_is_written_down_and_typed_ones_once_a_minute(browser_of):
    ruwan = browser_of("ruwan")
    for typed in ("p", "pe", "per", "pere"):
        ruwan.get(f"/patients/results?q={typed}", htmx=True)
    assert acts(ruwan, "patient.search") == ["Searched patients for “p”, 1 found"]
    ruwan.get("/patients?q=perera")
    assert acts(ruwan, "patient.search")[1:] == ["Searched patients for “perera”, 1 found"]


def test_an_administrator_finds_no_patients(browser_of):
    adel = browser_of("adel")
    for url in ("/patients", "/patients/results?q=a", "/patients/new", "/patients/alike?name=ana"):
        assert adel.get(url).status_code == 403, url
    assert adel.get("/patients/1").status_code == 404  # may be opened by breaking the glass


def test_the_list_costs_the_same_number_of_queries_with_more_rows_and_stays_light(browser_of, world):
    ruwan = browser_of("ruwan")
    ruwan.get("/patients")
    with counted() as few:
        ruwan.get("/patients")
    with ruwan.app.app_context():
        for number in range(60):
            db.session.add(
                Patient(
                    code=f"P-2025-{number:05d}",
                    name=f"Wickramasinghe Karunaratne {number}",
                    sort_name=f"wickramasinghe karunaratne {number:02}",
                    birth_date=world.patient("perera").birth_date,
                    sex="female",
                    phone="+94 77 123 4567",
                    created_at=world.patient("perera").created_at,
                    created_by_id=world.people["ruwan"],
                )
            )
        db.session.commit()
    with counted() as many:
        ruwan.get("/patients")
    few, many = ([one for one in seen if "patient" in one] for seen in (few, many))
    assert len(many) == len(few) == 2
    fragment = ruwan.get("/patients/results").text
    assert fragment.count("<tr id=") == 50
    assert len(fragment.encode()) <= 20_000


def test_pages_follow_one_another_both_ways(browser_of, world):
    ruwan = browser_of("ruwan")
    with ruwan.app.app_context():
        for number in range(120):
            db.session.add(
                Patient(
                    code=f"P-2025-{number:05d}",
                    name="Same Name",
                    sort_name="same name",
                    birth_date=world.patient("perera").birth_date,
                    sex="female",
                    created_at=world.patient("perera").created_at,
                    created_by_id=world.people["ruwan"],
                )
            )
        db.session.commit()
    for order in ("name", "newest"):
        url, seen, pages = f"/patients?order={order}", [], []
        while url:
            page = ruwan.get(url).text
            ids = re.findall(r'<tr id="p(\d+)"', page)
            seen += ids
            pages.append(ids)
            following = re.search(r'rel="next" href="([^"]*)"', page)
            url = html.unescape(following[1]) if following else None
        assert len(seen) == len(set(seen)) == 124
        back = html.unescape(re.search(r'rel="prev" href="([^"]*)"', page)[1])
        assert re.findall(r'<tr id="p(\d+)"', ruwan.get(back).text) == pages[-2]


# Registering


def test_registering_answers_with_the_new_patients_page(browser_of):
    ruwan = browser_of("ruwan")
    assert 'name="name"' in ruwan.get("/patients/new").text
    answer = ruwan.post("/patients", NEW)
    assert answer.status_code == 303
    page = ruwan.get(answer.location).text
    assert "Sunil Weerasinghe" in page
    assert "P-2026-00006" in page
    assert "is registered as P-2026-00006" in page
    assert acts(ruwan, "patient.register") == ["Registered Sunil Weerasinghe, P-2026-00006"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "  "}, "Type the name."),
        ({"name": "..."}, "at least one letter"),
        ({"birth_date": ""}, "Type the birth date"),
        ({"birth_date": "2/3/84"}, "four digits"),
        ({"birth_date": "3/25/1984"}, "There is no month 25. The day comes first: 25/3/1984."),
        ({"birth_date": "31/2/1984"}, "no such day"),
        ({"birth_date": "2/3/2984"}, "still to come"),
        ({"birth_date": "2/3/1784"}, "years ago"),
        ({"sex": "robot"}, "Choose one from the list"),
        ({"sex": ""}, "Choose the sex"),
        ({"phone": "call me"}, "Type a phone number"),
        ({"email": "ana"}, "Type an e-mail address"),
        ({"name": "a" * 201}, "At most 200"),
    ],
)
def test_what_cannot_be_is_refused_with_a_message_and_kept(browser_of, wrong, message):
    ruwan = browser_of("ruwan")
    before = rows(ruwan, Patient)
    answer = ruwan.post("/patients", NEW | {"address": "12 Temple Road"} | wrong, htmx=True)
    assert answer.status_code == 422
    assert message in html.unescape(answer.text)
    assert "12 Temple Road" in answer.text
    assert "autofocus" in answer.text
    assert rows(ruwan, Patient) == before


def test_the_same_form_sent_twice_registers_once(browser_of):
    ruwan = browser_of("ruwan")
    first = ruwan.post("/patients", NEW, once="register-once")
    again = ruwan.post("/patients", NEW, once="register-once")
    assert first.location == again.location
    assert rows(ruwan, Patient, Patient.name == NEW["name"]) == 1


def test_an_exact_duplicate_needs_a_tick(browser_of):
    ruwan = browser_of("ruwan")
    twin = {"name": "perera  ANA", "birth_date": "2.3.1984", "sex": "female", "phone": ""}
    refused = ruwan.post("/patients", twin)
    assert refused.status_code == 422
    assert "is already here as P-2026-00002" in refused.text
    assert rows(ruwan, Patient, Patient.birth_date == "1984-03-02") == 1
    assert ruwan.post("/patients", twin | {"another_person": "y"}).status_code == 303
    assert rows(ruwan, Patient, Patient.birth_date == "1984-03-02") == 2


def test_the_page_leads_reception_on_and_nobody_else(browser_of, world):
    own = f"?patient={world.patients['fernando']}"
    links = [f"/walk-in{own}", f"/visits/new{own}"]
    shown = {
        name: [link for link in links if link in browser_of(name).get(f"/patients/{world.patients['fernando']}").text]
        for name in ("ruwan", "kamal")
    }
    assert shown == {"ruwan": links, "kamal": []}


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("name=Ana+Perera", "same name"),
        ("birth_date=2/3/1984&name=an", "same name and birth date"),
        ("phone=%2B94+71+555+0199", "same phone"),
        ("name=Ana+Perera&birth_date=1984-03-02&phone=0715550199", "same name and birth date and phone"),
    ],
)
def test_who_may_be_here_already_is_shown_while_typing(browser_of, typed, same):
    fragment = browser_of("ruwan").get(f"/patients/alike?{typed}", htmx=True).text
    assert same in fragment
    assert "It is this one" in fragment
    assert "<input" not in fragment


def test_nobody_alike_and_how_the_birth_date_is_read(browser_of):
    fragment = browser_of("ruwan").get("/patients/alike?name=zoe&birth_date=4/5/2001", htmx=True).text
    assert "It is this one" not in fragment
    assert "Born Fri 4 May 2001" in fragment


@pytest.mark.parametrize("name", ["nimal", "kamal", "silva", "adel"])
def test_only_the_front_desk_registers(browser_of, name):
    browser = browser_of(name)
    assert browser.get("/patients/new").status_code == 403
    assert browser.get("/patients/alike").status_code == 403
    assert browser.post("/patients", NEW).status_code == 403
    assert rows(browser, Patient, Patient.name == NEW["name"]) == 0


# One patient


def test_the_overview_shows_who_it_is_and_what_to_watch_out_for(browser_of, world):
    kamal = browser_of("kamal")
    page = kamal.get(f"/patients/{world.patients['fernando']}").text
    for shown in (
        "Nimali Fernando",
        "P-2026-00001",
        "Tue 3 Sep 1991",
        "female",
        "Penicillin",
        "allergy",
        "Kamal Dias",
        "Check-up",
    ):
        assert shown in page, shown
    assert acts(kamal, "patient.open") == ["Opened Nimali Fernando, P-2026-00001"]


def test_the_banner_is_on_every_page_of_the_patient(browser_of, world):
    ruwan, fernando = browser_of("ruwan"), world.patients["fernando"]
    for url in (f"/patients/{fernando}", f"/patients/{fernando}/edit"):
        assert f'id="patient-banner-{fernando}"' in ruwan.get(url).text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", ""),
        ("get", "/edit"),
        ("post", "/edit"),
        ("post", "/archive"),
        ("post", "/restore"),
        ("post", "/alerts"),
        ("post", "/alerts/1/end"),
    ],
)
def test_another_ones_patient_is_not_found_and_a_lacking_permission_is_refused(browser_of, world, method, path):
    nadia = world.patients["nadia"]
    kamal = browser_of("kamal")
    expected = 403 if path in ("/edit", "/archive", "/restore") else 404
    unknown = getattr(kamal, method)(f"/patients/{nadia}{path}")
    nobody = getattr(kamal, method)(f"/patients/999999{path}")
    assert unknown.status_code == nobody.status_code == expected
    adels = getattr(browser_of("adel"), method)(f"/patients/{nadia}{path}")
    assert adels.status_code == (404 if (method, path) == ("get", "") else 403)
    assert getattr(browser_of("ruwan"), method)(f"/patients/999999{path}").status_code == 404


def test_gets_write_nothing_but_what_was_read(browser_of, world):
    ruwan, perera = browser_of("ruwan"), world.patients["perera"]
    before = stored(ruwan, perera).version, rows(ruwan, Patient), rows(ruwan, PatientToken)
    for url in ("/patients", "/patients?q=ana", "/patients/results?q=a", "/patients/new", "/patients/alike?name=ana"):
        ruwan.get(url)
    for path in ("", "/edit"):
        ruwan.get(f"/patients/{perera}{path}")
    assert (stored(ruwan, perera).version, rows(ruwan, Patient), rows(ruwan, PatientToken)) == before


# Changing


def test_a_change_is_saved_found_and_written_down(browser_of, world):
    ruwan, url = browser_of("ruwan"), f"/patients/{world.patients['perera']}/edit"
    fields = form_of(ruwan.get(url).text, url) | {"name": "Ana Perera-Weiß"}
    answer = ruwan.post(url, fields)
    assert answer.status_code == 303
    assert "Ana Perera-Weiß is saved" in ruwan.get(answer.location).text
    assert "Perera-Weiß" in ruwan.get("/patients?q=weiss").text
    with ruwan.app.app_context():
        event = db.session.execute(select(AuditEvent).where(AuditEvent.act == "patient.change")).scalar_one()
    assert json.loads(event.before) == {"name": "Ana Perera"}
    assert json.loads(event.after) == {"name": "Ana Perera-Weiß"}


def test_a_wrong_change_is_refused_and_kept(browser_of, world):
    ruwan, url = browser_of("ruwan"), f"/patients/{world.patients['perera']}/edit"
    fields = form_of(ruwan.get(url).text, url) | {"birth_date": "32/1/1984", "address": "12 Temple Road"}
    answer = ruwan.post(url, fields, htmx=True)
    assert answer.status_code == 422
    assert "32/1/1984" in answer.text
    assert "12 Temple Road" in answer.text
    assert stored(ruwan, world.patients["perera"]).address == ""


def test_a_change_sent_twice_is_made_once(browser_of, world):
    ruwan, url = browser_of("ruwan"), f"/patients/{world.patients['perera']}/edit"
    fields = form_of(ruwan.get(url).text, url) | {"phone": "071 555 0200"}
    assert ruwan.post(url, fields, once="change-once").location == ruwan.post(url, fields, once="change-once").location
    assert stored(ruwan, world.patients["perera"]).version == 2
    assert len(acts(ruwan, "patient.change")) == 1


def test_two_tabs_on_different_fields_are_merged_and_said(browser_of, world):
    ruwan, rita, perera = browser_of("ruwan"), browser_of("rita"), world.patients["perera"]
    url = f"/patients/{perera}/edit"
    hers, his = form_of(rita.get(url).text, url), form_of(ruwan.get(url).text, url)
    assert rita.post(url, hers | {"phone": "071 000 0000"}).status_code == 303
    answer = ruwan.post(url, his | {"address": "12 Temple Road"})
    assert answer.status_code == 303
    assert "Rita Gomes changed the phone meanwhile; that is kept too" in ruwan.get(answer.location).text
    patient = stored(ruwan, perera)
    assert (patient.phone, patient.address) == ("071 000 0000", "12 Temple Road")


@pytest.mark.parametrize("htmx", [False, True])
def test_two_tabs_on_one_field_show_both_texts_and_lose_nothing(browser_of, world, htmx):
    ruwan, rita, perera = browser_of("ruwan"), browser_of("rita"), world.patients["perera"]
    url = f"/patients/{perera}/edit"
    hers, his = form_of(rita.get(url).text, url), form_of(ruwan.get(url).text, url)
    rita.post(url, hers | {"address": "<b>Her</b> Street 1", "language": "Tamil"})
    answer = ruwan.post(url, his | {"address": 'His "Street" 2', "phone": "071 000 0000"}, htmx=htmx)
    assert answer.status_code == 409
    assert "Rita Gomes changed the address" in answer.text
    assert "&lt;b&gt;Her&lt;/b&gt; Street 1" in answer.text
    assert "<b>Her" not in answer.text
    assert "His &#34;Street&#34; 2" in answer.text
    assert (f'id="patient-banner-{perera}"' in answer.text) or htmx
    assert stored(ruwan, perera).address == "<b>Her</b> Street 1"
    chosen = form_of(answer.text, url) | {"address": 'His "Street" 2'}
    assert ruwan.post(url, chosen).status_code == 303
    patient = stored(ruwan, perera)
    assert (patient.address, patient.language, patient.phone) == ('His "Street" 2', "Tamil", "071 000 0000")


def test_a_third_change_during_the_choice_is_shown_too(browser_of, world):
    ruwan, rita, perera = browser_of("ruwan"), browser_of("rita"), world.patients["perera"]
    url = f"/patients/{perera}/edit"
    first, his = form_of(rita.get(url).text, url), form_of(ruwan.get(url).text, url)
    rita.post(url, first | {"address": "One"})
    choice = form_of(ruwan.post(url, his | {"address": "Mine"}).text, url)
    rita.post(url, form_of(rita.get(url).text, url) | {"address": "Two"})
    again = ruwan.post(url, choice | {"address": "Mine"})
    assert again.status_code == 409
    assert "Two" in again.text


@pytest.mark.parametrize("was", ["", "{", "[]", '{"name": 3, "id": "9"}'])
def test_a_form_that_forgot_what_it_showed_overwrites_nothing(browser_of, world, was):
    ruwan, rita, perera = browser_of("ruwan"), browser_of("rita"), world.patients["perera"]
    url = f"/patients/{perera}/edit"
    his = form_of(ruwan.get(url).text, url)
    rita.post(url, form_of(rita.get(url).text, url) | {"phone": "071 000 0000"})
    ruwan.post(url, his | {"was": was, "address": "12 Temple Road"})
    assert stored(ruwan, perera).phone == "071 000 0000"


def test_fields_that_are_not_on_the_form_cannot_be_set(browser_of, world):
    ruwan, perera = browser_of("ruwan"), world.patients["perera"]
    url = f"/patients/{perera}/edit"
    extra = {
        "code": "P-1",
        "id": "77",
        "archived_at": "2026-01-01",
        "created_by_id": "2",
        "sort_name": "zzz",
        "archive_reason": "x",
    }
    ruwan.post(url, form_of(ruwan.get(url).text, url) | extra | {"phone": "071 000 0000"})
    patient = stored(ruwan, perera)
    assert (patient.code, patient.archived_at, patient.sort_name) == ("P-2026-00002", None, "ana perera")
    assert patient.created_by_id == world.people["ruwan"]


# Archiving


def test_archiving_and_restoring_say_why(browser_of, world):
    ruwan, nadia = browser_of("ruwan"), world.patients["nadia"]
    url = f"/patients/{nadia}"
    assert ruwan.post(f"{url}/archive", {"version": 1, "reason": "Moved abroad"}).status_code == 303
    assert "Moved abroad" in ruwan.get(url).text
    assert "نادية" not in ruwan.get("/patients").text
    assert ruwan.post(f"{url}/archive", {"version": 1, "reason": "Moved abroad"}).status_code == 303
    assert ruwan.post(f"{url}/restore", {"version": 2, "reason": "Back again"}).status_code == 303
    assert "نادية" in ruwan.get("/patients").text
    assert len(acts(ruwan, "patient.archive")) == len(acts(ruwan, "patient.restore")) == 1


def test_archiving_needs_a_reason_a_fresh_page_and_no_visit(browser_of, world):
    ruwan, nadia, perera = browser_of("ruwan"), world.patients["nadia"], world.patients["perera"]
    without = ruwan.post(f"/patients/{nadia}/archive", {"version": 1, "reason": " "})
    assert without.status_code == 422
    assert "Say why" in without.text
    assert ruwan.post(f"/patients/{nadia}/archive", {"version": 9, "reason": "Moved"}).status_code == 409
    visiting = ruwan.post(f"/patients/{perera}/archive", {"version": 1, "reason": "Moved"})
    assert visiting.status_code == 422
    assert "Finish or cancel it before" in visiting.text
    assert not stored(ruwan, nadia).archived_at
    assert not stored(ruwan, perera).archived_at


def test_an_archived_record_is_not_changed(browser_of, world):
    ruwan, archie = browser_of("ruwan"), world.patients["archie"]
    url = f"/patients/{archie}/edit"
    fields = form_of(ruwan.get(url).text, url) | {"phone": "071 000 0000"}
    answer = ruwan.post(url, fields)
    assert answer.status_code == 422
    assert "Restore the record" in answer.text
    assert stored(ruwan, archie).phone == ""


# Alerts


def test_an_alert_is_recorded_shown_and_ended(browser_of, world):
    kamal, fernando = browser_of("kamal"), world.patients["fernando"]
    url = f"/patients/{fernando}"
    latex = {"kind": "allergy", "severity": "1-critical", "label": "Latex", "detail": "Hives"}
    assert kamal.post(f"{url}/alerts", latex).status_code == 303
    page = kamal.get(url).text
    assert "Latex" in page.split("</section>")[0]
    again = kamal.post(f"{url}/alerts", latex | {"label": "LATEX"})
    assert again.status_code == 422
    assert "already among the alerts" in again.text
    alert_id = re.search(r"/alerts/(\d+)/end", page)[1]
    assert kamal.post(f"{url}/alerts/{alert_id}/end", {"reason": ""}).status_code == 422
    assert kamal.post(f"{url}/alerts/{alert_id}/end", {"reason": "Recorded by mistake"}).status_code == 303
    assert kamal.post(f"{url}/alerts/{alert_id}/end", {"reason": "Recorded by mistake"}).status_code == 303
    assert len(acts(kamal, "alert.add")) == len(acts(kamal, "alert.end")) == 1


@pytest.mark.parametrize("wrong", [{"label": ""}, {"kind": "curse"}, {"severity": "9"}, {"label": "x" * 121}])
def test_a_wrong_alert_is_refused(browser_of, world, wrong):
    kamal = browser_of("kamal")
    alert = {"kind": "allergy", "severity": "1-critical", "label": "Latex"} | wrong
    assert kamal.post(f"/patients/{world.patients['fernando']}/alerts", alert).status_code == 422
    assert rows(kamal, Alert) == 1


def test_an_alert_of_another_patient_is_not_found(browser_of, world):
    kamal, ruwan = browser_of("kamal"), browser_of("ruwan")
    with kamal.app.app_context():
        alert_id = db.session.execute(select(Alert.id)).scalar_one()
    answer = ruwan.post(f"/patients/{world.patients['perera']}/alerts/{alert_id}/end", {"reason": "Wrong patient"})
    assert answer.status_code == 404
    assert rows(kamal, Alert, Alert.ended_at.is_(None)) == 1
