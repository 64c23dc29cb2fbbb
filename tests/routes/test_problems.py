"""The pages of problems and diagnoses."""

import re

import pytest
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import ChartEntry, Evidence, OwnDiagnosis, Problem
from tests.charted import F, entry, stroke
from tests.filed import file_document


@pytest.fixture
def at(world):
    return f"/patients/{world.patients['fernando']}/problems"


@pytest.fixture
def noted(browser_of, at):
    """K04.0 of 36, noted by Kamal."""
    assert browser_of("kamal").post(at, {"said": "K04.0 Pulpitis", "teeth": "36"}).status_code == 303


def rows(app):
    with app.app_context():
        return list(db.session.scalars(select(Problem).order_by(Problem.id)))


def test_a_problem_is_noted_and_shown(app, world, browser_of, at):
    with app.app_context():
        stroke(world, (entry("caries", "36", F, "O"),))
        picture = file_document(world, name="36 <left>.png").id
        charted = db.session.scalar(select(ChartEntry.id))
        db.session.commit()
    kamal = browser_of("kamal")
    page = kamal.get(at).text
    assert '<option value="K04.0 Pulpitis">ICD-10</option>' in page
    assert "36, occlusal: caries" in page
    assert "No problem is noted" in page
    sent = {"said": "k04.0", "teeth": "37, 36", "documents": [str(picture)], "entries": [str(charted)]}
    assert kamal.post(at, sent).status_code == 303
    page = kamal.get(at).text
    assert "<code>K04.0</code>" in page
    assert "Pulpitis</bdi></strong>, 36, 37" in page
    assert "36 &lt;left&gt;.png" in page
    assert "Noted by <bdi>Kamal Dias</bdi>" in page


@pytest.mark.parametrize(("sent", "said"), [
    ({"said": ""}, "Say what the problem is."),
    ({"said": "Pain", "teeth": "99"}, "“99” is no tooth."),
    ({"said": "x" * 400}, "Keep it under 200 letters."),
    ({"said": "x" * 220}, "at most 200 letters"),
    ({"said": "Pain", "documents": ["12345"]}, "not a valid choice"),
    ({"said": "Pain", "entries": ["x"]}, "not a valid choice"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_place_and_what_was_typed_stays(app, browser_of, at, sent, said):
    answer = browser_of("kamal").post(at, sent)
    assert answer.status_code == 422
    assert said in answer.text or sent.get("documents") or sent.get("entries")
    assert f'value="{sent["said"]}"' in answer.text
    assert rows(app) == []


def test_noted_twice_it_is_there_once(app, browser_of, at, noted):
    answer = browser_of("silva").post(at, {"said": "Pulpitis", "teeth": "36"})
    assert answer.status_code == 409
    assert "is noted already, by Kamal Dias" in answer.text
    kamal = browser_of("kamal")
    for _ in range(2):
        assert kamal.post(at, {"said": "Bruxism"}, once="the-same-key-1234").status_code == 303
    assert len(rows(app)) == 2


def test_evidence_end_and_again(app, world, browser_of, at, noted):
    with app.app_context():
        picture = file_document(world).id
        db.session.commit()
    kamal, [problem] = browser_of("kamal"), rows(app)
    assert kamal.post(f"{at}/{problem.id}/evidence", {"documents": [str(picture)]}).status_code == 303
    with app.app_context():
        assert db.session.scalar(select(Evidence.document_id)) == picture
    wrong = kamal.post(f"{at}/{problem.id}/end", {"version": "1", "status": "resolved", "reason": ""})
    assert wrong.status_code == 422
    assert "Write why; it stays with the problem." in wrong.text
    ended = {"version": str(problem.version), "status": "resolved", "reason": "Root canal done"}
    assert kamal.post(f"{at}/{problem.id}/end", ended).status_code == 303
    assert kamal.post(f"{at}/{problem.id}/end", ended).status_code == 409
    page = kamal.get(at).text
    assert "“Root canal done”" in page
    version = re.search(rf'{problem.id}/reopen.*?name="version" value="(\d+)"', page, re.S)[1]
    assert kamal.post(f"{at}/{problem.id}/reopen", {"version": version}).status_code == 303
    assert rows(app)[0].status == "active"


@pytest.mark.parametrize(
    ("name", "status"), [("omar", 404), ("sato", 404), ("ruwan", 403), ("nimal", 403), ("leela", 404)]
)
def test_nobody_else_learns_or_changes_anything(app, browser_of, at, noted, name, status):
    [problem] = rows(app)
    person = browser_of(name)
    assert person.get(at).status_code == status
    assert person.post(at, {"said": "Pain"}).status_code == status
    for act in ("evidence", "end", "reopen"):
        sent = {"version": "1", "status": "resolved", "reason": "Because"}
        assert person.post(f"{at}/{problem.id}/{act}", sent).status_code == status
    assert len(rows(app)) == 1
    assert rows(app)[0].status == "active"


def test_another_patients_problem_is_not_found_under_this_one(app, world, browser_of, at, noted):
    [problem] = rows(app)
    other = at.replace(str(world.patients["fernando"]), str(world.patients["nadia"]))
    assert browser_of("silva").post(f"{other}/{problem.id}/reopen", {"version": "1"}).status_code == 404


class TestDiagnoses:
    def test_the_administrator_adds_retires_and_brings_back(self, app, browser_of):
        adel = browser_of("adel")
        page = adel.get("/diagnoses").text
        assert "Pulpitis" in page
        assert adel.post("/diagnoses", {"system": "own", "code": "P-17", "name": "Cracked <cusp>"}).status_code == 303
        page = adel.get("/diagnoses").text
        assert "Cracked &lt;cusp&gt;" in page
        with app.app_context():
            number = db.session.scalar(select(OwnDiagnosis.id))
        assert adel.post(f"/diagnoses/{number}/retire", {"version": "1"}).status_code == 303
        assert "Offer again" in adel.get("/diagnoses").text
        assert adel.post(f"/diagnoses/{number}/bring-back", {"version": "1"}).status_code == 409
        assert adel.post(f"/diagnoses/{number}/bring-back", {"version": "2"}).status_code == 303
        assert adel.post("/diagnoses/999999/retire", {"version": "1"}).status_code == 404

    def test_what_is_wrong_is_said(self, browser_of):
        adel = browser_of("adel")
        assert "Type a name." in adel.post("/diagnoses", {"system": "own", "code": "P-1"}).text
        refused = adel.post("/diagnoses", {"system": "ICD-10", "code": "K04.0", "name": "Pulp"})
        assert refused.status_code == 422
        assert "comes with Chairside already" in refused.text
        assert 'value="Pulp"' in refused.text

    @pytest.mark.parametrize("name", ["kamal", "silva", "ruwan"])
    def test_nobody_else_does(self, browser_of, name):
        assert browser_of(name).get("/diagnoses").status_code == 403
        assert browser_of(name).post("/diagnoses", {"code": "P-1", "name": "x", "system": "own"}).status_code == 403
