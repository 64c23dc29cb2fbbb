"""Breaking the glass and judging it, over HTTP."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from clinic import audit, clock
from clinic.extensions import db
from clinic.models import (
    AuditEvent,
    BrokenGlass,
    GlassReason,
    Judgement,
    Notice,
    Patient,
    SignInThrottle,
    User,
)
from clinic.queries.scope import visible_patients
from tests.conventions.matrix import TRACES, UNSAFE, address, deepen, ids_of, routes, writes_on
from tests.forms import fields_of, forms_of
from tests.world import PASSWORD

WHY = "She fainted in the corridor"
ASKED = {"code": "P-2026-00004", "birth_date": "15/1/1970", "reason": "emergency", "words": WHY, "present": PASSWORD}
SENTENCE = "Code and birth date do not belong together, or there is no such patient."
NAME = "نادية منصور"


@pytest.fixture
def kamal(browser_of):
    return browser_of("kamal")


@pytest.fixture
def silva(browser_of):
    return browser_of("silva")


def glasses(app):
    with app.app_context():
        return list(db.session.scalars(select(BrokenGlass).order_by(BrokenGlass.id)))


def glass_of(app, world, who="kamal", patient="nadia", *, minutes=60):
    with app.app_context():
        at = clock.now()
        glass = BrokenGlass(
            user_id=world.people[who],
            patient_id=world.patients[patient],
            reason=GlassReason.EMERGENCY,
            words=WHY,
            opened_at=at,
            expires_at=at + timedelta(minutes=minutes),
        )
        db.session.add(glass)
        db.session.commit()
        return glass.id


def overview(world, patient="nadia"):
    return f"/patients/{world.patients[patient]}"


class TestBreaking:
    @pytest.mark.parametrize("who", ["kamal", "silva", "adel"])
    def test_it_opens_the_overview_under_a_banner(self, app, world, browser_of, who):
        person = browser_of(who)
        assert person.get(overview(world)).status_code == 404
        answer = person.post("/break-glass", ASKED)
        assert (answer.status_code, answer.headers["Location"]) == (303, overview(world))
        page = person.get(overview(world)).text
        glass = glasses(app)[0]
        assert NAME in page
        assert "You broke the glass over this record." in page
        assert "For: emergency." in page
        assert clock_words(app, glass.expires_at) in page

    @pytest.mark.parametrize(
        "wrong", [{"code": "P-2026-00003"}, {"code": "P-2026-99999"}, {"birth_date": "16/1/1970"}, {"code": "nobody"}]
    )
    def test_a_wrong_pair_says_neither_which_nor_whether(self, app, world, kamal, wrong):
        answer = kamal.post("/break-glass", ASKED | wrong)
        assert answer.status_code == 422
        assert SENTENCE in answer.text
        assert NAME not in answer.text
        assert glasses(app) == []
        with app.app_context():
            event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "glass.refused")).one()
            assert (event.actor_id, event.patient_id) == (world.people["kamal"], None)

    def test_no_wrong_pair_differs_from_another(self, app, world, kamal):
        """A code that exists with another's birth date, and one that does not: the same answer but for what was typed."""
        pages = [
            body_of(kamal.post("/break-glass", ASKED | {"code": code, "birth_date": "3/3/1960"}).text, code)
            for code in ("P-2026-00004", "P-2026-77777")
        ]
        assert pages[0] == pages[1]

    def test_a_wrong_password_opens_nothing_and_judges_no_pair(self, app, world, kamal):
        for wrong in ({}, {"code": "P-2026-99999"}):
            answer = kamal.post("/break-glass", ASKED | wrong | {"present": "wrong"})
            assert answer.status_code == 422
            assert "Your present password is not right." in answer.text
            assert SENTENCE not in answer.text
            assert WHY in answer.text  # what was typed is kept
            assert PASSWORD not in answer.text
        assert glasses(app) == []

    def test_wrong_passwords_slow_down(self, app, world, kamal):
        codes = [kamal.post("/break-glass", ASKED | {"present": "wrong"}).status_code for _ in range(6)]
        assert codes == [422] * 4 + [429] * 2
        assert kamal.post("/break-glass", ASKED).status_code == 429
        assert glasses(app) == []

    def test_wrong_pairs_slow_down_though_the_password_is_right(self, app, world, kamal):
        codes = [kamal.post("/break-glass", ASKED | {"code": f"P-2026-1000{n}"}).status_code for n in range(6)]
        assert codes == [422] * 4 + [429] * 2
        assert kamal.post("/break-glass", ASKED).status_code == 429
        with clock.frozen(clock.now() + timedelta(minutes=2)):
            assert kamal.post("/break-glass", ASKED).status_code == 303

    def test_ones_own_patient_buys_no_more_tries(self, app, world, kamal):
        own = ASKED | {"code": "P-2026-00001", "birth_date": "3/9/1991"}
        codes = []
        for number in range(3):
            codes.append(kamal.post("/break-glass", ASKED | {"code": f"P-2026-2000{number}"}).status_code)
            codes.append(kamal.post("/break-glass", own).status_code)
        assert codes[-1] == 429
        assert glasses(app) == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [(name, value) for name in ("code", "birth_date", "reason", "words") for value in ("", "   ")]
        + [("present", "")],
    )
    def test_nothing_is_left_blank(self, app, world, kamal, name, value):
        answer = kamal.post("/break-glass", ASKED | {name: value})
        assert answer.status_code == 422
        assert 'class="message"' in answer.text or 'class="refusal"' in answer.text
        assert glasses(app) == []

    @pytest.mark.parametrize("wrong", [{"words": "too short"[:9]}, {"reason": "curiosity"}, {"birth_date": "soon"}])
    def test_bad_input_is_refused(self, app, world, kamal, wrong):
        assert kamal.post("/break-glass", ASKED | wrong).status_code == 422
        assert glasses(app) == []

    def test_sent_twice_it_is_opened_once(self, app, world, kamal):
        for _ in range(2):
            assert kamal.post("/break-glass", ASKED).status_code == 303
        assert len(glasses(app)) == 1
        with app.app_context():
            assert db.session.scalar(select(func.count(Notice.id))) == 1

    def test_the_password_leaves_no_fingerprint(self, app, world, kamal):
        with app.app_context():
            connection = db.session().get_bind()
        sent = []

        def note(_connection, _cursor, statement, *_rest):
            sent.append(statement)

        event.listen(connection, "before_cursor_execute", note)
        kamal.post("/break-glass", ASKED)
        event.remove(connection, "before_cursor_execute", note)
        assert not [statement for statement in sent if "once_key" in statement]

    def test_the_supervisor_is_told_at_once(self, app, world, kamal):
        kamal.post("/break-glass", ASKED)
        with app.app_context():
            notice = db.session.scalars(select(Notice)).one()
            assert (notice.user_id, notice.kind) == (world.people["silva"], "glass.broken")
            assert notice.at - glasses(app)[0].opened_at < timedelta(seconds=5)

    def test_nothing_is_opened_when_nobody_can_be_told(self, app, world, kamal, monkeypatch):
        def fails(*_arguments, **_more):
            raise RuntimeError

        monkeypatch.setattr("clinic.operations.glass.tell", fails)
        assert kamal.post("/break-glass", ASKED).status_code == 500
        assert glasses(app) == []
        assert kamal.get(overview(world)).status_code == 404

    def test_without_the_permission(self, browser_of):
        for who in ("ruwan", "nimal"):
            assert browser_of(who).get("/break-glass").status_code == 403
            assert browser_of(who).post("/break-glass", ASKED).status_code == 403

    def test_looking_at_the_form_writes_nothing_but_the_trail(self, app, world, kamal):
        with app.app_context():
            connection = db.session().get_bind()
        with writes_on(connection) as tables:
            assert kamal.get("/break-glass").status_code == 200
        assert set(tables) <= set(TRACES)


def clock_words(app, moment):
    from clinic.formatting import clock_time

    with app.app_context():
        return clock_time(moment)


def body_of(page, code):
    """The page's main part without what is random in it, and without the code as typed."""
    main = page.partition("<main")[2].partition("</main>")[0].replace(code, "CODE")
    return re.sub(r'(name="(?:csrf_token|once)" value=)"[^"]*"', r"\1", main)


class TestReadingOnly:
    def test_the_page_offers_nothing_but_to_close(self, app, world, kamal):
        glass_of(app, world)
        page = kamal.get(overview(world)).text
        main = page.partition("<main")[2].partition("</main>")[0]
        assert [form.action for form in forms_of(main) if form.method == "post"] == [
            f"/break-glass/{glasses(app)[0].id}/close"
        ]
        own = kamal.get(overview(world, "fernando")).text
        assert "Record an alert" in own
        assert "You broke the glass" not in own

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("who", ["kamal", "silva", "adel"])
    def test_no_write_there_is_changes_the_patient(self, app, world, browser_of, who):
        """Every write route with the patient's ids, and with them in its fields: only traces, and the person's own, are written."""
        with app.app_context():
            deepen(world)
        glass_of(app, world, who, "wu" if who == "silva" else "nadia")
        patient = "wu" if who == "silva" else "nadia"
        person = browser_of(who)
        assert person.get(overview(world, patient)).status_code == 200
        with app.app_context():
            ids = ids_of(world, patient)
            before = rows_of(patient_id := world.patients[patient])
            connection = db.session().get_bind()
        fields = {name: str(value) for name, value in ids.items()} | {
            "patient": str(patient_id),
            "reason": "Asked at the desk",
            "label": "Codeine",
            "kind": "allergy",
            "severity": "2-warning",
            "version": "1",
        }
        refused = 0
        for rule, verb in routes(app):
            own = rule.endpoint.split(".")[0] in (
                "auth",
                "account",
                "people",
                "displays",
                "settings",
                "theme",
                "drafts",
                "notices",
            )
            if verb not in UNSAFE or own or rule.endpoint == "glass.close":
                continue  # of no patient; or the one thing that may be done
            url = address(rule, ids)
            if url is None:
                continue
            savepoint = connection.begin_nested()
            answer = person.post(url, fields)
            with app.app_context():
                assert rows_of(patient_id) == before, f"{verb} {url}: {answer.status_code}"
            savepoint.rollback()
            person.client = person.browser()
            refused += answer.status_code in (403, 404)
        assert refused >= 10

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("who", ["kamal", "silva", "adel"])
    def test_no_page_of_the_patient_offers_to_change_something(self, app, world, browser_of, who):
        with app.app_context():
            deepen(world)
        patient = "wu" if who == "silva" else "nadia"
        number = glass_of(app, world, who, patient)
        person = browser_of(who)
        with app.app_context():
            ids = ids_of(world, patient)
        seen = 0
        for rule, verb in routes(app):
            person.client = person.browser()
            url = address(rule, ids) if verb == "GET" and "patient_id" in rule.arguments else None
            page = person.get(url) if url else None
            if page is None or page.status_code != 200:
                continue
            main = page.text.partition("<main")[2].partition("</main>")[0]
            posts = {form.action for form in forms_of(main) if form.method == "post"}
            own = {f"/break-glass/{number}/close", "/account/chart-view"}  # of the patient nothing
            assert posts <= own, url
            if rule.endpoint != "audit.of_patient":
                seen += 1
        assert seen

    def test_the_refusal_says_why(self, app, world, kamal):
        glass_of(app, world)
        answer = kamal.post(f"{overview(world)}/alerts", {"label": "Latex", "kind": "allergy", "severity": "2-warning"})
        assert answer.status_code == 403
        assert "by breaking the glass: it can be read, not changed" in answer.text
        with app.app_context():
            event = db.session.scalars(select(AuditEvent).where(AuditEvent.act == "access.denied")).one()
            assert event.patient_id == world.patients["nadia"]

    def test_after_it_is_closed_the_patient_is_unknown_again(self, app, world, kamal):
        number = glass_of(app, world)
        kamal.post(f"/break-glass/{number}/close")
        assert kamal.get(overview(world)).status_code == 404
        assert kamal.post(f"{overview(world)}/alerts", {"label": "Latex"}).status_code == 404

    def test_to_the_second(self, app, world, kamal):
        glass_of(app, world)
        end = glasses(app)[0].expires_at
        # the terminal would have locked itself: keep the person awake
        for moment, status in ((end - timedelta(seconds=1), 200), (end, 404), (end + timedelta(seconds=1), 404)):
            awake(app, kamal, moment)
            with clock.frozen(moment):
                assert kamal.get(overview(world)).status_code == status
                assert kamal.post(f"{overview(world)}/alerts", {}).status_code == (403 if status == 200 else 404)

    def test_nobody_else_sees_through_it(self, app, world, browser_of, kamal):
        glass_of(app, world)
        assert browser_of("leela").get(overview(world)).status_code == 404

    def test_those_who_have_the_patient_see_no_banner(self, app, world, browser_of):
        glass_of(app, world)
        assert "You broke the glass" not in browser_of("ruwan").get(overview(world)).text


def awake(app, person, moment):
    from clinic.models import AuthSession

    with app.app_context():
        db.session.get_one(AuthSession, person.session_id).active_at = moment
        db.session.commit()


def rows_of(patient_id):
    """Everything stored that belongs to a patient, but the trail."""
    from clinic.models import Base

    session, found = db.session(), {}
    for table in Base.metadata.sorted_tables:
        column = table.columns.get("patient_id") if table.name != "patient" else table.columns["id"]
        if column is None or table.name == "audit_event":
            continue
        found[table.name] = sorted(map(str, session.execute(table.select().where(column == patient_id))))
    return found


class TestClosing:
    def test_it_closes_and_says_so(self, app, world, kamal):
        number = glass_of(app, world)
        answer = kamal.post(f"/break-glass/{number}/close")
        assert answer.status_code == 303
        assert "The record is closed" in kamal.get(answer.headers["Location"]).text
        assert glasses(app)[0].closed_at

    def test_safe_to_repeat(self, app, world, kamal):
        number = glass_of(app, world)
        kamal.post(f"/break-glass/{number}/close")
        closed = glasses(app)[0].closed_at
        assert kamal.post(f"/break-glass/{number}/close").status_code == 303
        assert glasses(app)[0].closed_at == closed

    def test_anothers_is_unknown(self, app, world, browser_of, silva):
        number = glass_of(app, world)
        for other in (silva, browser_of("adel"), browser_of("leela")):
            assert other.post(f"/break-glass/{number}/close").status_code == 404
        assert browser_of("ruwan").post(f"/break-glass/{number}/close").status_code == 403
        assert not glasses(app)[0].closed_at

    def test_ones_own_page_lists_what_one_opened_and_how_it_was_judged(self, app, world, kamal, silva):
        number = glass_of(app, world)
        assert "not judged yet" in kamal.get("/break-glass").text
        judge(silva, number)
        page = kamal.get("/break-glass").text
        assert "Dr Sunil Silva: “She was first there”" in page
        assert "not judged yet" not in page


def judge(person, number, **changes):
    said = {"version": "1", "judgement": "justified", "words": "She was first there"} | changes
    return person.post(f"/break-glass/review/{number}", said)


class TestReview:
    def test_it_shows_who_whose_why_and_what_was_opened(self, app, world, kamal, silva):
        kamal.post("/break-glass", ASKED)
        kamal.get(overview(world))
        page = silva.get("/break-glass/review").text
        for words in (
            "Kamal Dias",
            "P-2026-00004",
            "Emergency: “She fainted in the corridor”",
            "Opened the overview",
            "still open",
        ):
            assert words in page
        assert NAME not in page  # the supervisor may judge, and does not have the patient

    def test_it_is_judged_and_moves_to_the_judged(self, app, world, kamal, silva):
        number = glass_of(app, world)
        page = silva.get("/break-glass/review").text
        fields = fields_of(page, f"/break-glass/review/{number}") | {
            "judgement": "not_justified",
            "words": "He was not asked",
        }
        answer = silva.post(f"/break-glass/review/{number}", fields)
        assert answer.status_code == 303
        assert "Judged not justified; Kamal Dias is told" in silva.get(answer.headers["Location"]).text
        assert "Nothing to judge" in silva.get("/break-glass/review").text
        assert "“He was not asked”" in silva.get("/break-glass/review/judged").text
        assert glasses(app)[0].judgement is Judgement.NOT_JUSTIFIED
        assert kamal.get(overview(world)).status_code == 404  # and the record is closed
        with app.app_context():
            assert db.session.scalars(select(Notice.user_id).where(Notice.kind == "glass.judged")).all() == [
                world.people["kamal"]
            ]

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"words": " "}, "Say in a few words why."),
            ({"judgement": ""}, "Choose whether it was justified."),
            ({"judgement": "maybe"}, "Choose one from the list"),
            ({"version": "x"}, None),
        ],
    )
    def test_bad_input_is_refused_beside_the_glass(self, app, world, silva, changes, sentence):
        answer = judge(silva, glass_of(app, world), **changes)
        assert answer.status_code == 422
        assert sentence is None or sentence in answer.text
        assert glasses(app)[0].judgement is None

    def test_the_second_judge_reads_the_first_and_loses_no_words(self, app, world, browser_of, silva):
        number = glass_of(app, world)
        judge(silva, number)
        answer = judge(browser_of("adel"), number, words="I think not", judgement="not_justified")
        assert answer.status_code == 409
        assert "Dr Sunil Silva judged this justified" in answer.text
        assert "She was first there" in answer.text
        assert "You had written: “I think not”" in answer.text
        assert glasses(app)[0].judgement is Judgement.JUSTIFIED

    def test_with_the_same_key_it_is_judged_once(self, app, world, silva):
        number = glass_of(app, world)
        said = {"version": "1", "judgement": "justified", "words": "Right"}
        first, second = (silva.post(f"/break-glass/review/{number}", said, once="judge-once-1") for _ in range(2))
        assert (first.status_code, second.status_code) == (303, 303)
        assert second.headers["X-Replayed"] == "1"

    def test_what_one_may_not_judge_is_unknown(self, app, world, browser_of, silva):
        assert judge(silva, glass_of(app, world, "silva")).status_code == 404  # one's own
        assert judge(silva, glass_of(app, world, "omar")).status_code == 404  # another department's
        assert judge(silva, 10**9).status_code == 404
        for who in ("kamal", "ruwan", "nimal"):
            assert judge(browser_of(who), glass_of(app, world, "omar")).status_code == 403
            for page in ("review", "review/judged", "review/asked"):
                assert browser_of(who).get(f"/break-glass/{page}").status_code == 403

    def test_looking_writes_nothing_but_the_trail(self, app, world, silva):
        glass_of(app, world)
        with app.app_context():
            connection = db.session().get_bind()
        with writes_on(connection) as tables:
            for page in ("review", "review/judged", "review/asked"):
                assert silva.get(f"/break-glass/{page}").status_code == 200
        assert set(tables) <= set(TRACES)

    def test_the_lists_go_on_page_by_page(self, app, world, silva):
        for _ in range(21):
            glass_of(app, world)
        page = silva.get("/break-glass/review").text
        assert page.count("<article") == 20
        last = glasses(app)[19].id
        assert f'rel="next" href="/break-glass/review?after={last}"' in page
        rest = silva.get(f"/break-glass/review?after={last}").text
        assert rest.count("<article") == 1
        assert 'rel="prev"' in rest

    def test_answers_stand_beside_it(self, app, world, silva):
        with app.app_context():
            db.session.add(
                Notice(
                    user_id=world.people["kamal"],
                    patient_id=world.patients["nadia"],
                    kind="record.unexplained",
                    sentence="Why?",
                    at=clock.now(),
                    answer="A namesake, opened by mistake",
                )
            )
            db.session.commit()
        page = silva.get("/break-glass/review/asked").text
        assert "P-2026-00004" in page
        assert "“A namesake, opened by mistake”" in page


def test_the_way_there_is_in_the_navigation(app, world, browser_of, kamal, silva):
    assert 'href="/break-glass"' in kamal.get("/my-queue").text
    assert 'href="/break-glass/review"' in silva.get("/supervision").text
    assert 'href="/break-glass/review"' in browser_of("adel").get("/").text
    assert "break-glass" not in browser_of("ruwan").get("/patients").text


def test_the_look_ends_with_the_request(app, world, kamal):
    """What the same thread does next, a job say, sees and changes nobody through the glass."""
    glass_of(app, world)
    assert kamal.get(overview(world)).status_code == 200
    with app.app_context():
        somebody = db.session.get_one(User, world.people["kamal"])
        assert db.session.scalars(visible_patients(somebody).where(Patient.id == world.patients["nadia"])).all() == []
    assert audit.origin.get() == audit.Origin()


def test_throttled_rows_are_bounded(app, world, kamal):
    kamal.post("/break-glass", ASKED | {"code": "P-2026-99999"})
    with app.app_context():
        names = set(db.session.scalars(select(SignInThrottle.bucket)))
    assert {name.partition(":")[0] for name in names} == {"pair"}  # the right password is forgiven


def test_a_page_whose_time_is_up_is_sent_away(app, world, browser_of, kamal):
    number = glass_of(app, world)
    url = f"/break-glass/{number}/end"
    assert re.search(rf'hx-get="{url}" hx-trigger="load delay:3[56]\d\ds"', kamal.get(overview(world)).text)
    assert kamal.get(url, htmx=True).headers["HX-Refresh"] == "true"  # that screen's clock is fast
    kamal.post(f"/break-glass/{number}/close")
    assert kamal.get(url, htmx=True).headers["HX-Redirect"] == "/break-glass"
    assert browser_of("leela").get(url, htmx=True).status_code == 404


def test_the_administrators_first_page_counts_what_waits(app, world, browser_of):
    adel = browser_of("adel")
    assert "nothing to judge" in adel.get("/").text
    glass_of(app, world)
    assert "1 to judge" in adel.get("/").text
