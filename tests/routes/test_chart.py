"""The chart: the page, the mouth, lines and how they are refused, acts on an entry, one's own view."""

import json
import re

import pytest
from sqlalchemy import func, select

from clinic import rendering
from clinic.chart.kinds import Status
from clinic.extensions import db
from clinic.models import Chart, ChartEntry, ChartVersion, SignOff, User
from tests.charting import chart_line
from tests.forms import fields_of


@pytest.fixture
def kamal(browser_of):
    return browser_of("kamal")


@pytest.fixture
def fernando(world):
    return world.patients["fernando"]


@pytest.fixture
def at(fernando):
    """The addresses of the chart."""
    return lambda rest="": f"/patients/{fernando}/chart{rest}"


@pytest.fixture
def charted(app, world):
    """`charted("36 mo car")`: lines charted by the patient's student."""

    def write(*lines, by="kamal", on="fernando", reason=""):
        with app.app_context():
            for line in lines:
                chart_line(world.patient(on), line, actor=world.user(by), reason=reason)
            db.session.commit()

    return write


@pytest.fixture
def in_clinic(app, world):
    """Fernando has arrived, so that work may begin."""
    from clinic.operations.visits import check_in

    with app.app_context():
        check_in(world.visit("fernando"), actor=world.user("ruwan"))
        db.session.commit()


def entries(app, world, on="fernando"):
    with app.app_context():
        rows = db.session.scalars(
            select(ChartEntry).where(ChartEntry.patient_id == world.patients[on]).order_by(ChartEntry.id)
        )
        return [(row.kind, str(row.status), row.teeth, row.surfaces, row.reason) for row in rows]


def entry_id(app, world, kind, on="fernando"):
    with app.app_context():
        of = (ChartEntry.patient_id == world.patients[on], ChartEntry.kind == kind)
        return db.session.scalar(select(func.max(ChartEntry.id)).where(*of))


def triggers(answer):
    return json.loads(answer.headers.get("HX-Trigger", "{}"))


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_before_anything_is_charted_says_so_and_proposes_teeth_by_age(kamal, at):
    page = kamal.get(at())
    assert page.status_code == 200
    assert "Nothing has been charted yet." in page.text
    assert "usual at 35 y" in page.text
    assert page.text.count('class="tooth"') == 32
    assert "What is charted today stands here" in page.text


def test_one_chooses_with_which_teeth_it_begins(app, world, kamal, at):
    page = kamal.get(at("?dentition=primary"))
    assert page.text.count('data-tooth="5') == 5
    fields = fields_of(page.text, at("/first-charting"))
    assert fields["dentition"] == "primary"
    kamal.post(at("/strokes"), {"line": "55 o car", "seen": "0", "dentition": "primary", "reason": "Retained"})
    with app.app_context():
        assert db.session.get_one(Chart, world.patients["fernando"]).dentition == "primary"
    assert kamal.get(at()).text.count('data-tooth="5') == 5


def test_the_picture_the_table_and_today_tell_the_same(kamal, at, charted):
    charted("36 mod car4; 11 ex crown pfm", "16,26 s plan")
    page = kamal.get(at()).text
    assert "Today (4)" in page
    for said in ("Mesial-occlusal-distal: caries, ICDAS 4", "sealant, planned", "36, mesial-occlusal-distal"):
        assert said.lower() in page.lower()
    table = page[page.index("chart-table-summary") :]
    for word in ("caries, ICDAS 4", "porcelain fused to metal", "sealant"):
        assert word in table


def test_the_mouth_has_an_address_of_its_own_and_is_part_of_the_page(kamal, at, charted):
    charted("36 mo car")
    mouth, page = kamal.get(at("/mouth"), htmx=True).text, kamal.get(at()).text
    without_keys = [re.sub(r'csrf_token" value="\w+"', "", each) for each in (mouth.strip(), page)]
    assert without_keys[0] in without_keys[1]


def test_who_only_reads_is_offered_nothing_to_write(app, world, browser_of, at, charted):
    charted("36 mo car")
    with app.app_context():
        world.patient("fernando").archived_at = world.patient("fernando").created_at
        db.session.commit()
    page = browser_of("kamal").get(at()).text
    assert "chart-line-form" not in page
    assert "Take back" not in page
    assert "<svg" in page


def test_the_overview_and_the_chart_lead_to_one_another(kamal, fernando, at, browser_of):
    assert f'href="{at()}"' in kamal.get(f"/patients/{fernando}").text
    assert f'href="/patients/{fernando}"' in kamal.get(at()).text
    assert at() not in browser_of("ruwan").get(f"/patients/{fernando}").text


@pytest.mark.parametrize(
    ("patient", "status"), [("perera", 404), ("nadia", 404), ("wu", 404), ("archie", 404), ("fernando", 200)]
)
def test_another_students_patient_is_unknown(kamal, world, patient, status):
    for rest in ("", "/mouth", "/key", "/meaning?line=36", "/teeth/36"):
        assert kamal.get(f"/patients/{world.patients[patient]}/chart{rest}").status_code == status
    answer = kamal.post(f"/patients/{world.patients[patient]}/chart/strokes", {"line": "36 mo car", "seen": "0"})
    assert answer.status_code == (303 if status == 200 else 404)


@pytest.mark.parametrize("who", ["ruwan", "nimal"])
def test_reception_and_nurses_see_no_chart(browser_of, at, who):
    assert browser_of(who).get(at()).status_code == 403
    assert browser_of(who).post(at("/strokes"), {"line": "36 mo car", "seen": "0"}).status_code == 403


def test_looking_writes_nothing(app, world, kamal, at):
    for rest in ("", "/mouth", "/key", "/meaning?line=36+mo+car", "/teeth/36", "/teeth/upper"):
        assert kamal.get(at(rest)).status_code == 200
    with app.app_context():
        assert db.session.get(Chart, world.patients["fernando"]) is None
    assert entries(app, world) == []


@pytest.mark.parametrize("place", ["99", "S1", "both", "3"])
def test_a_tooth_that_is_none_is_not_found(kamal, at, place):
    assert kamal.get(at(f"/teeth/{place}")).status_code == 404


# --- a chart that cannot be shown -------------------------------------------------------------------------------------


@pytest.fixture
def broken(app, world, charted):
    """An entry of a kind that nobody knows."""
    charted("36 mo car")
    with app.app_context():
        db.session.query(ChartEntry).filter_by(patient_id=world.patients["fernando"]).update({"kind": "own-77"})
        db.session.commit()


@pytest.mark.usefixtures("broken")
def test_a_chart_that_cannot_be_built_says_so_and_shows_no_mouth(kamal, at, caplog):
    for rest in ("", "/teeth/36", "/key"):
        page = kamal.get(at(rest))
        assert page.status_code == 500
        assert "The chart cannot be shown." in page.text
        assert "Nimali Fernando" in page.text
        assert "Penicillin" in page.text
        assert "data-tooth" not in page.text
    region = kamal.get(at("/mouth"), htmx=True)
    assert (region.status_code, region.headers["HX-Retarget"]) == (500, "#chart-mouth")
    assert 'id="chart-mouth"' in region.text
    assert "data-tooth" not in region.text
    assert "cannot be shown" in caplog.text


def test_a_picture_that_cannot_be_drawn_says_so_too(kamal, at, charted, monkeypatch):
    charted("36 mo car")
    rendering.chart_svg.cache_clear()
    monkeypatch.setattr(rendering, "drawing_of", lambda *_args, **_rest: 1 / 0)
    page = kamal.get(at())
    assert page.status_code == 500
    assert "The chart cannot be shown." in page.text
    assert "data-tooth" not in page.text


@pytest.mark.usefixtures("broken")
def test_a_chart_that_cannot_be_shown_tells_a_stranger_nothing(browser_of, at):
    assert browser_of("omar").get(at()).status_code == 404


# --- lines ------------------------------------------------------------------------------------------------------------


def test_a_line_is_charted_and_answered_by_the_mouth(app, world, kamal, at):
    answer = kamal.post(at("/strokes"), {"line": "36 mod car4; 16,26 s plan", "seen": "0"}, htmx=True)
    assert answer.status_code == 200
    assert answer.text.strip().startswith('<div class="chart-mouth" id="chart-mouth"')
    assert 'name="seen" value="1"' in answer.text
    said = triggers(answer)
    assert said["say"]["undo"] == at("/strokes/1/undo")
    assert "caries" in said["say"]["text"]
    assert "chart:changed" not in said
    assert entries(app, world) == [
        ("caries", "finding", "36", "MOD", ""),
        ("sealant", "planned", "16", "O", ""),
        ("sealant", "planned", "26", "O", ""),
    ]


def test_without_javascript_the_same_form_leads_back_to_the_page(kamal, at):
    answer = kamal.post(at("/strokes"), {"line": "36 mo car", "seen": "0"})
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (303, at())
    page = kamal.get(answer.headers["Location"]).text
    assert "Charted: 36" in page
    assert at("/strokes/1/undo") in page


def test_a_long_note_is_kept_whole_and_said_short(app, world, kamal, at):
    """What is said of an act travels in a header, which servers and proxies cut off at some kilobytes."""
    note = "😬 " * 166
    answer = kamal.post(at("/strokes"), {"line": f'36 note "{note}"', "seen": "0"}, htmx=True)
    assert len(answer.headers["HX-Trigger"]) < 3500
    assert note.strip() in kamal.get(at("/teeth/36")).text


def test_a_reason_is_kept_without_control_characters(app, world, kamal, at, charted):
    charted("36 miss")
    sent = {"line": "36 eru", "seen": "1", "reason": "It was\x00 taken\x1b\tfor 37\x7f"}
    assert kamal.post(at("/strokes"), sent, htmx=True).status_code == 200
    assert entries(app, world)[-1][-1] == "It was taken for 37"


def test_the_same_line_twice_is_charted_once(app, world, kamal, at):
    first, second = (
        kamal.post(at("/strokes"), {"line": "36 mo car", "seen": "0"}, htmx=True, once="the-same-key") for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (200, 204)
    assert "chart:changed" in triggers(second)  # the page fetches how it stands
    assert len(entries(app, world)) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "Type what you see"),
        ("36 mo cariez", "cariez"),
        ("36 mobility", "grade"),
        ("99 o car", "99"),
        ("x" * 501, "At most 500 letters."),
        ("36 car", "say on which surface of 36"),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_a_line_that_cannot_be_read_is_refused_with_a_sentence_and_kept(app, world, kamal, at, line, says, htmx):
    answer = kamal.post(at("/strokes"), {"line": line, "seen": "0"}, htmx=htmx)
    assert answer.status_code == 422
    assert says.lower() in answer.text.lower()
    assert htmx or f'value="{line}"' in answer.text
    assert entries(app, world) == []


def test_an_unknown_word_is_underlined_with_the_nearest(kamal, at):
    answer = kamal.get(at("/meaning?line=36+mo+selant"), htmx=True)
    assert '<mark class="is-unknown"' in answer.text
    assert 'data-instead="sealant"' in answer.text
    assert "caries, ICDAS 4" in kamal.get(at("/meaning?line=36+mod+car4"), htmx=True).text
    assert kamal.get(at("/meaning"), htmx=True).status_code == 200


@pytest.mark.parametrize("htmx", [True, False])
def test_a_rule_that_refuses_says_so(app, world, kamal, at, charted, htmx):
    charted("38 miss")
    answer = kamal.post(at("/strokes"), {"line": "38 o car", "seen": "1"}, htmx=htmx)
    assert answer.status_code == 422
    assert "38" in answer.text
    assert "Why it is so here" not in answer.text
    assert len(entries(app, world)) == 1


@pytest.mark.parametrize("htmx", [True, False])
def test_what_is_unusual_is_asked_about_and_the_reason_kept(app, world, kamal, at, charted, htmx):
    charted("36 o am ex")
    sent = {"line": "36 o comp ex", "seen": "1"}
    asked = kamal.post(at("/strokes"), sent, htmx=htmx)
    assert asked.status_code == 422
    assert 'name="reason"' in asked.text
    assert "Why it is so here" in asked.text
    assert htmx or 'value="36 o comp ex"' in asked.text
    answer = kamal.post(at("/strokes"), sent | {"reason": "Repaired in composite"}, htmx=htmx)
    assert answer.status_code == (200 if htmx else 303)
    assert entries(app, world)[-1] == ("restoration", "existing", "36", "O", "Repaired in composite")


@pytest.mark.parametrize("htmx", [True, False])
def test_a_stale_tooth_is_refused_with_who_and_what_and_the_line_kept(app, world, kamal, at, charted, htmx):
    charted("36 o am ex", by="silva")
    answer = kamal.post(at("/strokes"), {"line": "36 m car", "seen": "0"}, htmx=htmx)
    assert answer.status_code == 409
    assert "Dr Sunil Silva" in answer.text
    assert "Chart it on what is there now" in answer.text
    if htmx:
        assert "chart:changed" in triggers(answer)
    else:
        fields = fields_of(answer.text, at("/strokes"))
        assert fields["line"] == "36 m car"
        assert 'name="seen" value="1"' in answer.text
    assert kamal.post(at("/strokes"), {"line": "36 m car", "seen": "1"}, htmx=htmx).status_code in (200, 303)
    assert len(entries(app, world)) == 2


def test_another_tooth_is_not_stale(app, world, kamal, at, charted):
    charted("36 o am ex", by="silva")
    assert kamal.post(at("/strokes"), {"line": "16 m car", "seen": "0"}, htmx=True).status_code == 200
    assert len(entries(app, world)) == 2


@pytest.mark.parametrize("seen", ["", "-1", "one", "9" * 12])
def test_a_form_without_what_was_seen_is_too_old(kamal, at, seen):
    answer = kamal.post(at("/strokes"), {"line": "36 m car", "seen": seen})
    assert answer.status_code == 422
    assert "too old" in answer.text


def test_teeth_are_read_and_shown_in_the_viewers_numbering(app, world, kamal, at):
    view = {"numbering": "universal", "legend": "neutral", "patient_id": str(world.patients["fernando"])}
    assert kamal.post("/account/chart-view", view).headers["Location"] == at()
    kamal.post(at("/strokes"), {"line": "19 mo car", "seen": "0"})
    assert entries(app, world)[0][2] == "36"
    page = kamal.get(at()).text
    assert "19, mesial-occlusal" in page
    assert "&#34;36&#34;: &#34;19&#34;" in page


# --- taking back, completing the first charting -----------------------------------------------------------------------


def test_a_stroke_is_taken_back_and_stays_in_the_history(app, world, kamal, at, charted):
    charted("36 mo car")
    answer = kamal.post(at("/strokes/1/undo"), htmx=True)
    assert (answer.status_code, "chart:changed" in triggers(answer)) == (204, True)
    assert [row[1] for row in entries(app, world)] == ["finding", "entered_in_error"]
    assert "caries" not in kamal.get(at("/mouth")).text
    assert "entered in error" in kamal.get(at("/teeth/36")).text
    assert kamal.post(at("/strokes/77/undo")).status_code == 404


def test_another_persons_stroke_is_not_taken_back(app, world, kamal, at, charted):
    charted("36 mo car", by="silva")
    assert "Take back the last" not in kamal.get(at()).text
    answer = kamal.post(at("/strokes/1/undo"))
    assert answer.status_code == 422
    assert "Dr Sunil Silva" in answer.text


@pytest.mark.parametrize("begun", [True, False])
def test_the_first_charting_is_completed_once(app, world, kamal, at, charted, begun):
    if begun:
        charted("36 mo car")
    page = kamal.get(at()).text
    assert ("First charting is complete" if begun else "Nothing to chart: complete") in page
    fields = fields_of(page, at("/first-charting"))
    assert kamal.post(at("/first-charting"), fields).status_code == 303
    with app.app_context():
        assert db.session.scalar(select(func.count(ChartVersion.id))) == 1
    assert "chart/first-charting" not in kamal.get(at()).text
    assert kamal.post(at("/first-charting"), {}).status_code == 409


def test_the_state_is_said_in_words(app, world, kamal, at, charted, browser_of):
    from clinic.operations.chart_versions import finish_first_charting
    from clinic.operations.sign_off import approve_chart, send_chart

    charted("36 mo car")
    with app.app_context():
        finish_first_charting(world.patient("fernando"), actor=world.user("kamal"))
        db.session.commit()
    assert "not approved" in kamal.get(at("/mouth")).text
    with app.app_context():
        send_chart(world.patient("fernando"), words="Please look", seen=1, actor=world.user("kamal"))
        db.session.commit()
        sent = db.session.scalars(select(SignOff)).one()
        number = db.session.get_one(ChartVersion, sent.chart_version_id).number
    assert f"Version {number}, sent by Kamal Dias" in kamal.get(at("/mouth")).text
    with app.app_context():
        sent = db.session.scalars(select(SignOff)).one()
        approve_chart(sent.id, version=sent.version, reason="", actor=world.user("silva"))
        db.session.commit()
    approved = kamal.get(at("/mouth")).text
    assert f"Version {number}, by Dr Sunil Silva" in approved
    assert "changed after approval" not in approved
    charted("46 o car")
    changed = kamal.get(at("/mouth")).text
    assert "changed after approval" in changed
    assert "By Kamal Dias" in changed


# --- one entry --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_clinic")
@pytest.mark.parametrize("htmx", [True, False])
def test_planned_work_is_begun_and_completed(app, world, kamal, at, charted, htmx):
    charted("46 rct plan")
    for seen, status in enumerate(("in_process", "completed"), 1):
        entry = entry_id(app, world, "root_canal")
        answer = kamal.post(
            at(f"/entries/{entry}/status"), {"status": status, "seen": str(seen), "place": "46"}, htmx=htmx
        )
        assert answer.status_code == (200 if htmx else 303)
        if htmx:
            assert 'id="chart-tooth-46"' in answer.text
            assert "chart:changed" in triggers(answer)
    assert [row[1] for row in entries(app, world)] == ["planned", "in_process", "completed"]


def test_work_is_not_begun_while_the_patient_is_not_here(app, world, kamal, at, charted):
    charted("46 rct plan")
    entry = entry_id(app, world, "root_canal")
    answer = kamal.post(at(f"/entries/{entry}/status"), {"status": "in_process", "seen": "1"}, htmx=True)
    assert answer.status_code == 422
    assert 'class="refusal"' in answer.text
    assert [row[1] for row in entries(app, world)] == ["planned"]


@pytest.mark.usefixtures("in_clinic")
def test_a_bridge_is_one_and_confirmed_by_naming_its_teeth(app, world, kamal, at, charted):
    charted("15 miss", "14-16 br pfm plan")
    entry = entry_id(app, world, "bridge")
    panel = kamal.get(at("/teeth/15")).text
    assert re.search(r"Complete bridge on 16, 15 and 14\?", panel)
    assert re.search(r"[Bb]ridge on 16, 15 and 14 was entered in error\?", panel)
    kamal.post(at(f"/entries/{entry}/status"), {"status": "completed", "seen": "2", "place": "15"})
    assert entries(app, world)[-1][:3] == ("bridge", "completed", "16:abutment 15:pontic 14:abutment")


def test_an_entry_is_corrected_with_a_reason(app, world, kamal, at, charted):
    charted("36 mo car")
    entry = entry_id(app, world, "caries")
    sent = {"seen": "1", "surfaces": ["M", "O", "D"], "detail_icdas": "5", "reason": "Seen after drying", "place": "36"}
    assert kamal.post(at(f"/entries/{entry}/correct"), sent).status_code == 303
    assert entries(app, world)[-1] == ("caries", "finding", "36", "MOD", "Seen after drying")
    with app.app_context():
        newest = db.session.get_one(ChartEntry, entry_id(app, world, "caries"))
        assert newest.details == '{"icdas":"5"}'
    history = kamal.get(at("/teeth/36")).text
    assert "History (2)" in history
    assert "Seen after drying" in history


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"reason": "", "surfaces": ["M", "O", "D"]}, "Say why it changes."),
        ({"reason": "Nothing is wrong", "surfaces": ["M", "O"]}, "It says that already"),
        ({"reason": "Another surface", "surfaces": ["X"]}, "surfaces"),
        ({"reason": "Later", "surfaces": ["M", "O"], "dated": "2999-01-01"}, "has not come yet"),
    ],
)
def test_a_correction_that_is_none_is_refused(app, world, kamal, at, charted, sent, says):
    charted("36 mo car")
    entry = entry_id(app, world, "caries")
    answer = kamal.post(at(f"/entries/{entry}/correct"), {"seen": "1"} | sent, htmx=True)
    assert answer.status_code == 422
    assert says in answer.text
    assert len(entries(app, world)) == 1


def test_an_entry_in_error_needs_a_reason_and_leaves_the_mouth(app, world, kamal, at, charted):
    charted("36 mo car")
    entry = entry_id(app, world, "caries")
    refused = kamal.post(at(f"/entries/{entry}/error"), {"seen": "1", "reason": " "}, htmx=True)
    assert refused.status_code == 422
    assert "Say why it is wrong." in refused.text
    answer = kamal.post(at(f"/entries/{entry}/error"), {"seen": "1", "reason": "It was 37", "place": "36"}, htmx=True)
    assert answer.status_code == 200
    assert "Nothing is charted here." in answer.text
    assert entries(app, world)[-1][1] == "entered_in_error"


def test_an_act_on_what_somebody_has_changed_is_refused(app, world, kamal, at, charted):
    charted("46 rct plan")
    entry = entry_id(app, world, "root_canal")
    kamal.post(at(f"/entries/{entry}/error"), {"seen": "1", "reason": "It was 47"})
    answer = kamal.post(at(f"/entries/{entry}/status"), {"status": "existing", "seen": "1"}, htmx=True)
    assert answer.status_code == 409
    assert "Kamal Dias" in answer.text


def test_acts_are_safe_to_repeat(app, world, kamal, at, charted):
    charted("36 mo car")
    entry = entry_id(app, world, "caries")
    for _ in range(2):
        kamal.post(at(f"/entries/{entry}/error"), {"seen": "1", "reason": "It was 37"}, once="once-and-no-more")
    assert len(entries(app, world)) == 2


def test_another_patients_entry_is_not_found(app, world, kamal, at, charted):
    charted("36 mo car", on="perera", by="leela")
    entry = entry_id(app, world, "caries", on="perera")
    for act in ("status", "correct", "error"):
        assert kamal.post(at(f"/entries/{entry}/{act}"), {"seen": "0", "reason": "Not mine"}).status_code == 404
    assert len(entries(app, world, on="perera")) == 1


# --- one's own view ---------------------------------------------------------------------------------------------------


def test_numbering_and_legend_are_kept_for_the_viewer(app, world, kamal, fernando):
    sent = {"numbering": "palmer", "legend": "teaching", "patient_id": str(fernando)}
    from clinic.chart.legends import LEGENDS

    sent["legend"] = next(name for name in LEGENDS if name != "neutral")
    assert kamal.post("/account/chart-view", sent).status_code == 303
    with app.app_context():
        user = db.session.get_one(User, world.people["kamal"])
        assert (user.numbering, user.legend) == ("palmer", sent["legend"])
        assert db.session.get_one(User, world.people["silva"]).legend == "neutral"
    assert "UR8" in kamal.get(f"/patients/{fernando}/chart").text


@pytest.mark.parametrize(
    "change", [{"numbering": "roman"}, {"legend": "rainbow"}, {"patient_id": "x"}, {"patient_id": ""}]
)
def test_a_view_that_there_is_not_is_refused(kamal, fernando, change):
    sent = {"numbering": "fdi", "legend": "neutral", "patient_id": str(fernando)} | change
    assert kamal.post("/account/chart-view", sent).status_code == 422


def test_statuses_of_the_tools_are_words_of_the_grammar():
    from clinic.blueprints.chart.tools import statuses_offered, tools_of
    from clinic.chart.kinds import BUILT_IN
    from clinic.chart.line import STATUS_WORDS, vocabulary

    assert {STATUS_WORDS[word] for word, _, _ in statuses_offered()} == set(Status) - {
        Status.FINDING,
        Status.ENTERED_IN_ERROR,
    }
    tools = [tool for found in tools_of(BUILT_IN).values() for tool in found]
    assert {tool.word for tool in tools} <= vocabulary(BUILT_IN).keys()


def test_every_tool_writes_a_line_that_can_be_read():
    """Whatever is tapped together is a line of the grammar."""
    from datetime import date

    from clinic.blueprints.chart.tools import tools_of
    from clinic.chart import teeth
    from clinic.chart.kinds import BUILT_IN
    from clinic.chart.line import read
    from clinic.chart.mouth import Mouth

    for tool in {tool.word: tool for found in tools_of(BUILT_IN).values() for tool in found}.values():
        for word in [option.word for option in tool.options] or [tool.word]:
            on = {"span": "34,35,36", "arch": "34,35"}.get(tool.scope, "75" if "pulp" in tool.word else "36")
            on = "75" if tool.word == "exf" else on
            surfaces = tool.surfaces[0].lower() if tool.scope == "surfaces" else ""
            line = " ".join(filter(None, [on, surfaces, word, *tool.statuses[:1]]))
            reading = read(line, Mouth((*teeth.PERMANENT, "75")), today=date(2026, 3, 3))
            assert reading.is_whole, (line, [token.problem for token in reading.tokens])
