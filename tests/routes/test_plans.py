"""The pages of treatment plans."""

import re

import pytest
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Acceptance, ChartEntry, Plan, PlanItem, PlanOption, PlanStatus
from clinic.operations import plans as operations
from tests.planned import SIGNATURE, approved, options_of, plan_of, sent


@pytest.fixture
def at(world):
    return f"/patients/{world.patients['fernando']}/plans"


@pytest.fixture
def made(app, world):
    """`made(approved)`: a plan of Fernando so far, as its id and the ids of its options."""

    def make(how, **more):
        with app.app_context():
            plan = how(world, **more)
            db.session.commit()
            return plan.id, [each.id for each in options_of(plan)]

    return make


def rows(app, model):
    with app.app_context():
        return list(db.session.scalars(select(model).order_by(model.id)))


def field(page, name):
    return re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)[1]


def test_a_plan_is_written_sent_approved_and_accepted(app, browser_of, at):
    kamal, silva = browser_of("kamal"), browser_of("silva")
    assert "No treatment is planned" in kamal.get(at).text
    page = kamal.post(at, {"name": "Lower <right>"}).headers["Location"].partition("?")[0]
    assert "Lower &lt;right&gt;" in kamal.get(page).text
    for name in ("Root canal", "Leave it"):
        assert kamal.post(f"{page}/options/new", {"name": name, "advantages": "It lasts"}).status_code == 303
    first, second = rows(app, PlanOption)
    item = {
        "line": "46 rct",
        "price": "1,200.50",
        "minutes": "90",
        "visits": "2",
        "phase": "2",
        "after_id": "",
        "problem_id": "",
    }
    assert kamal.post(f"{page}/options/{first.id}/items/new", item).status_code == 303
    shown = kamal.get(page).text
    assert "46: root canal" in shown
    assert "EUR\u00a01,200.50" in shown
    assert "1 h 30 min" in shown
    [plan] = rows(app, Plan)
    assert kamal.post(f"{page}/send", {"version": plan.version}).status_code == 303
    assert "NOT APPROVED YET" in kamal.get(page).text
    inbox = silva.get(f"/approvals/plan/{plan.id}").text
    assert "46: root canal" in inbox
    [plan] = rows(app, Plan)
    assert silva.post(f"{page}/approve", {"version": plan.version, "options": [str(first.id)]}).status_code == 303
    asked = kamal.get(f"{page}/accept").text
    assert "Leave it" not in asked
    signed = {"seen": field(asked, "seen"), "option_id": str(first.id), "signed_by": "Nimali F", "signature": SIGNATURE}
    assert kamal.post(f"{page}/accept", signed).status_code == 303
    done = kamal.get(page).text
    assert "Visits 1 to 2" in done
    assert "not chosen" in done
    assert 'aria-current="step"' in done
    assert kamal.get(f"{page}/signature.png").mimetype == "image/png"
    assert [each.status for each in rows(app, ChartEntry)] == ["planned"]
    assert "accepted: A <bdi>Root canal</bdi>" in kamal.get(at).text
    told = kamal.get(at.replace("plans", "timeline")).text
    for words in ("sent as estimate E-", "1 option of estimate E-", "Accepted of “Lower &lt;right&gt;”: Root canal"):
        assert words in told


@pytest.mark.parametrize(("sent_", "said"), [
    ({"line": ""}, "Write what is to be done, as on the chart."),
    ({"line": "46 nonsense"}, "“nonsense”"),
    ({"line": "46 mo car4"}, "is found, not done"),
    ({"price": "12.345"}, "EUR has 2 digits behind the point."),
    ({"price": "lots"}, "Type an amount like 1,250.00."),
    ({"price": "9" * 5000}, "Type an amount like 1,250.00."),
    ({"price": "1." + "0" * 5000}, "Type an amount like 1,250.00."),
    ({"price": "9" * 18}, "This is more than any treatment costs."),
    ({"minutes": "x"}, "Type a whole number."),
    ({"visits": "31"}, "30"),
    ({"phase": "9"}, "Choose one from the list."),
    ({"after_id": "99"}, "Choose one from the list."),
    ({"problem_id": "99"}, "Choose one from the list."),
])  # fmt: skip
def test_what_is_wrong_of_an_item_is_said_in_place_and_what_was_typed_stays(app, browser_of, at, made, sent_, said):
    plan, (option, _other) = made(plan_of)
    before = len(rows(app, PlanItem))
    usual = {
        "line": "47 o composite",
        "price": "80",
        "minutes": "30",
        "visits": "1",
        "phase": "3",
        "after_id": "",
        "problem_id": "",
    }
    answer = browser_of("kamal").post(f"{at}/{plan}/options/{option}/items/new", usual | sent_)
    assert answer.status_code == 422
    assert said in answer.text
    assert f'value="{(usual | sent_)["line"]}"' in answer.text
    assert len(rows(app, PlanItem)) == before


def test_other_forms_say_what_is_wrong(app, browser_of, at, made):
    kamal = browser_of("kamal")
    assert "Give the plan a name." in kamal.post(at, {"name": " "}).text
    plan, (option, _other) = made(plan_of)
    assert "Give the option a name." in kamal.post(f"{at}/{plan}/options/new", {"name": ""}).text
    wrong = kamal.post(f"{at}/{plan}/options/{option}", {"name": "", "version": "1"})
    assert (wrong.status_code, "Give the option a name." in wrong.text) == (422, True)
    assert kamal.post(f"{at}/{plan}/send", {"version": "x"}).status_code == 422


def test_an_item_and_an_option_are_changed_and_taken_out(app, browser_of, at, made):
    kamal = browser_of("kamal")
    plan, (option, other) = made(plan_of)
    page, item = f"{at}/{plan}/options/{option}", rows(app, PlanItem)[0]
    form = kamal.get(f"{page}/items/{item.id}").text
    assert 'value="200.00"' in form
    told = {"line": "", "price": "150", "minutes": "60", "visits": "1", "phase": "1", "after_id": "", "problem_id": ""}
    assert kamal.post(f"{page}/items/{item.id}", told | {"version": item.version}).status_code == 303
    assert (rows(app, PlanItem)[0].price, rows(app, PlanItem)[0].kind) == (15_000, "root_canal")
    assert kamal.post(f"{page}/items/{item.id}/remove", {"version": rows(app, PlanItem)[0].version}).status_code == 303
    assert item.id not in [each.id for each in rows(app, PlanItem)]
    version = field(kamal.get(page).text, "version")
    assert kamal.post(page, {"version": version, "name": "Crown", "advantages": "", "risks": "None"}).status_code == 303
    seen = rows(app, Plan)[0].version
    assert kamal.post(f"{at}/{plan}/options/{other}/remove", {"version": seen - 1}).status_code == 409
    assert kamal.post(f"{at}/{plan}/options/{other}/remove", {"version": seen}).status_code == 303
    assert [each.name for each in rows(app, PlanOption)] == ["Crown"]


def test_the_slower_of_two_gets_both_texts_and_may_send_hers_again(app, world, browser_of, at, made):
    plan, (option, _other) = made(plan_of)
    page = f"{at}/{plan}/options/{option}"
    form = browser_of("kamal").get(page).text
    with app.app_context():
        operations.change_option(
            option, version=1, option=operations.OptionSaid("Theirs", "a", "b"), actor=world.user("silva")
        )
        db.session.commit()
    mine = {"version": field(form, "version"), "name": "Mine", "advantages": "", "risks": ""}
    refused = browser_of("kamal").post(page, mine)
    assert refused.status_code == 409
    assert "Dr Sunil Silva changed option A meanwhile" in refused.text
    assert "Theirs" in refused.text
    assert 'value="Mine"' in refused.text
    assert browser_of("kamal").post(page, mine | {"version": field(refused.text, "version")}).status_code == 303
    item = rows(app, PlanItem)[0]
    told = {"line": "", "price": "1", "minutes": "6", "visits": "1", "phase": "1", "after_id": "", "problem_id": ""}
    stale = browser_of("kamal").post(f"{page}/items/{item.id}", told | {"version": item.version - 1})
    assert stale.status_code == 409
    assert "EUR\u00a0200.00" in stale.text


def test_stale_and_repeated_acts(app, browser_of, at, made):
    kamal, silva = browser_of("kamal"), browser_of("silva")
    plan, (option, _other) = made(plan_of)
    [row] = rows(app, Plan)
    assert kamal.post(f"{at}/{plan}/send", {"version": row.version - 1}).status_code == 409
    for _ in range(2):
        assert kamal.post(f"{at}/{plan}/send", {"version": row.version}, once="sent-just-once-1").status_code == 303
    [row] = rows(app, Plan)
    assert silva.post(f"{at}/{plan}/approve", {"version": row.version, "options": []}).status_code == 422
    assert silva.post(f"{at}/{plan}/approve", {"version": row.version - 1, "options": [str(option)]}).status_code == 409
    assert kamal.post(f"{at}/{plan}/reopen", {"version": row.version}).status_code == 303
    assert rows(app, Plan)[0].status is PlanStatus.DRAFT


def test_the_inbox_approves_all_and_returns(app, browser_of, made):
    silva = browser_of("silva")
    first, _ = made(sent)
    second, _ = made(sent, name="Other")
    inbox = silva.get("/approvals").text
    assert "The treatment plan “Lower right” of Nimali Fernando" in inbox
    versions = {each.id: each.version for each in rows(app, Plan)}
    done = silva.post(f"/approvals/plan/{first}/approve", {"version": versions[first]})
    assert done.status_code == 303
    assert (
        silva.post(f"/approvals/plan/{second}/return", {"version": versions[second], "reason": ""}).status_code == 422
    )
    back = silva.post(f"/approvals/plan/{second}/return", {"version": versions[second], "reason": "Why no bridge?"})
    assert back.status_code == 303
    assert [each.status for each in rows(app, Plan)] == [PlanStatus.APPROVED, PlanStatus.RETURNED]
    assert "Why no bridge?" in browser_of("kamal").get(f"/patients/1/plans/{second}").text


@pytest.mark.parametrize(("changes", "said"), [
    ({"signature": ""}, "Sign in the field, or say that it was signed on paper."),
    ({"signature": "x" * 140_000}, "The signature is too large."),
    ({"option_id": ""}, "Choose"),
    ({"option_id": "999"}, "Choose one from the list."),
    ({"signed_by": ""}, "Write who signs."),
    ({"seen": "short"}, "too old"),
])  # fmt: skip
def test_what_is_no_acceptance_is_said_in_place(app, browser_of, at, made, changes, said):
    plan, (option, _other) = made(approved)
    kamal = browser_of("kamal")
    seen = field(kamal.get(f"{at}/{plan}/accept").text, "seen")
    usual = {"seen": seen, "option_id": str(option), "signed_by": "N F", "signature": SIGNATURE}
    answer = kamal.post(f"{at}/{plan}/accept", usual | changes)
    assert answer.status_code == 422
    assert said in answer.text or "seen" in changes
    assert rows(app, Acceptance) == []


def test_without_a_canvas_it_is_signed_on_paper_and_once(app, browser_of, at, made):
    plan, (option, other) = made(approved)
    kamal = browser_of("kamal")
    seen = field(kamal.get(f"{at}/{plan}/accept").text, "seen")
    usual = {"seen": seen, "option_id": str(option), "signed_by": "N F", "on_paper": "y"}
    assert kamal.post(f"{at}/{plan}/accept", usual).status_code == 303
    again = browser_of("silva").post(f"{at}/{plan}/accept", usual | {"option_id": str(other)})
    assert again.status_code == 409
    assert "Kamal Dias witnessed that the patient accepted" in again.text
    page = kamal.get(f"{at}/{plan}").text
    assert "on paper, before Kamal Dias" in page
    assert "signature.png" not in page
    assert kamal.get(f"{at}/{plan}/signature.png").status_code == 404
    assert kamal.get(f"{at}/{plan}/accept").status_code == 303
    assert len(rows(app, Acceptance)) == 1


@pytest.mark.parametrize(
    ("name", "status"), [("omar", 404), ("sato", 404), ("ruwan", 403), ("nimal", 403), ("leela", 404)]
)
def test_nobody_else_learns_or_changes_anything(app, browser_of, at, made, name, status):
    plan, (option, _other) = made(approved)
    item, person = rows(app, PlanItem)[0], browser_of(name)
    page = f"{at}/{plan}"
    of_option, of_item = f"{page}/options/{option}", f"{page}/options/{option}/items/{item.id}"
    for url in (at, page, f"{page}/accept", f"{page}/estimates/1.pdf", f"{page}/signature.png", of_option, of_item):
        assert person.get(url).status_code == status, url
    for url in (at, f"{page}/options/new", of_option, f"{of_option}/remove", f"{of_option}/items/new", of_item,
                f"{of_item}/remove", f"{page}/send", f"{page}/reopen", f"{page}/accept"):  # fmt: skip
        assert person.post(url, {"version": "1", "name": "x"}).status_code == status, url
    assert person.post(f"{page}/approve", {"version": "1", "options": [str(option)]}).status_code in (403, 404)
    assert rows(app, Plan)[0].status is PlanStatus.APPROVED


def test_under_another_patient_nothing_of_it_is_found(app, world, browser_of, at, made):
    plan, (option, _other) = made(plan_of)
    other = at.replace(str(world.patients["fernando"]), str(world.patients["nadia"]))
    silva = browser_of("silva")
    for url in (f"{other}/{plan}", f"{other}/{plan}/options/{option}", f"{other}/{plan}/estimates/1.pdf"):
        assert silva.get(url).status_code == 404
    mine, _ = made(plan_of, name="Another")
    assert silva.get(f"{at}/{mine}/options/{option}").status_code == 404


def test_decide_is_offered_to_those_who_decide(app, world, browser_of, at, made):
    plan, _ = made(sent)
    silva, inbox = browser_of("silva"), f"/approvals/plan/{plan}"
    assert inbox in silva.get(f"{at}/{plan}").text
    assert silva.get(inbox).status_code == 200
    with app.app_context():
        db.session.get_one(Plan, plan).department_id = world.departments["orthodontics"]
        db.session.commit()
    assert inbox not in silva.get(f"{at}/{plan}").text
    assert silva.get(inbox).status_code == 404


def test_teeth_are_shown_in_the_viewers_numbers(app, world, browser_of, at, made):
    plan, _ = made(plan_of)
    with app.app_context():
        world.user("silva").numbering = "universal"
        db.session.commit()
    page = browser_of("silva").get(f"{at}/{plan}").text
    assert "30: root canal" in page
    assert "46: root canal" in browser_of("kamal").get(f"{at}/{plan}").text


def test_an_estimate_is_printed_as_it_was_sent_with_how_it_stands(app, world, browser_of, made, monkeypatch):
    printed = []
    monkeypatch.setattr(
        "clinic.blueprints.plans.routes.pdf_of", lambda document: printed.append(document.html()) or b"%PDF-1.7"
    )
    plan, _options = made(sent)
    url, kamal = f"/patients/{world.patients['fernando']}/plans/{plan}/estimates/1.pdf", browser_of("kamal")
    answer = kamal.get(url)
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert "E-" in answer.headers["Content-Disposition"]
    assert "NOT APPROVED" in printed[0]
    for words in ("46: root canal treatment", "EUR\u00a0650.00", "Visits 1 to 3", "Nimali Fernando", "5 visits"):
        assert words in printed[0]
    with app.app_context():
        row = db.session.get_one(Plan, plan)
        operations.approve_plan(plan, version=row.version, actor=world.user("silva"))
        db.session.commit()
    kamal.get(url)
    assert "Options A, B approved by Dr Sunil Silva" in printed[1]
    assert 'class="stamp is-approved">APPROVED' in printed[1]
    with app.app_context():
        row = db.session.get_one(Plan, plan)
        operations.reopen_plan(plan, version=row.version, actor=world.user("kamal"))
        db.session.commit()
    kamal.get(url)
    assert "NOT VALID ANY MORE" in printed[2]
    digests = {re.search(r'class="code">([0-9a-f]{64})', each)[1] for each in printed}
    assert len(digests) == 1  # what was sent is the same in all of them
    assert kamal.get(url.replace("1.pdf", "2.pdf")).status_code == 404
