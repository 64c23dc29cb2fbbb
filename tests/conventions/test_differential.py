"""Who may not know a patient learns from no answer that there is one (safety.md A5): the same world, with and without.

The answers are compared byte for byte: status, headers, body, for every route and verb, about a patient the person knows, about the
hidden one's own numbers, and about numbers of nothing, with the hidden one's number, code, name, phone and birth date in every
argument and field; pages that links lead to; the topics of streams; and what one's own pages show after an act.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from clinic import clock, settings
from clinic.blueprints.queue.board import forget_bodies
from clinic.extensions import db
from clinic.models import Notice, Patient
from tests.conventions import hidden
from tests.conventions.crawl import Crawl
from tests.conventions.matrix import ids_of
from tests.conventions.questions import Asker
from tests.person import Person
from tests.soak import daily_seed, share
from tests.world import World

NOBODY = 987_654
# What may differ, each with its reason; written over in both worlds before they are compared.
INHERENT = {
    # The number of the last change of a department's queue: a nudge says that something changed there, never what nor of whom
    # (docs/decisions/0004-live-sequence.md).
    r"since=\d+": "since=N",
    # How many patients a student carries, where one assigns: a number of all, nobody's name.
    r"(primary|additional|treatment|oversight) \d+( of \d+)?": "load",
    # Random in every answer.
    r'name="csrf_token" value="[0-9a-f]{64}"': "csrf",
    r'name="once" value="[\w-]{16}"': "once",
    r"sealed=[\w%-]+": "sealed",
    r"ticket=[\w%=-]+": "ticket",
    r"/tablet/[\w-]{32}": "tablet",
    # How full the disk is and how quickly the database answers, which other work on the machine changes.
    r"[\d.]+ of [\d.]+ GB are free": "free",
    r"in \d+ ms": "soon",
}
# What a person is there to know of everybody: the trail names every patient to whoever reads it for the clinic (VIEW_AUDIT).
MAY_KNOW = {"adel": ("/audit",)}
# Whoever sees the chairs of all departments sees that one is taken, by whom only of patients they may know: looked at for names alone.
SHOWS_TAKEN = "/chairs"
# So is the review of whoever judges every broken glass (JUDGE_GLASS): it tells of each the code, the words in which whoever broke it
# said why, and the name of those they may know.
REVIEW = {"adel": "/break-glass/review"}
# Numbers of all, nobody's name: how many students come to a supervisor, how many glasses wait to be judged, what a department still
# holds that is to be closed, and how much is stored of documents (tests/queries/test_stored.py: of the largest records the name only
# where the viewer may know it).
COUNTED = {
    "adel": {
        r"\d+ to judge": "to judge",
        r'(?s)id="status-stored-title".*?</section>': "stored",
        r"(no student|\d+ students?), (no supervisor|\d+ supervisors?)(: [\d.]+ to 1)?": "covered",
        r"\d+ (patients? (is|are) in its|visits? (is|are) planned in|requests? waits? for)": "held",
    }
}
# Who asks, whom they know, and where the hidden patient is.
EVERY_CASE = [
    ("kamal", "fernando", "restorative"),
    ("kamal", "fernando", "orthodontics"),
    ("sato", "wu", "restorative"),
    ("silva", "fernando", "orthodontics"),
    ("adel", "fernando", "restorative"),
]
# In `make test` a student of the patient's own department, and another case each day.
CASES = EVERY_CASE if share(1, 0) else [EVERY_CASE[0], EVERY_CASE[1 + daily_seed() % (len(EVERY_CASE) - 1)]]


@pytest.fixture
def engine_name() -> str:
    """SQLite gives the numbers of rows that were rolled back again, so that two runs can be compared."""
    return "sqlite"


@pytest.fixture
def crawl(app: Flask, world: World) -> Iterator[Crawl]:
    """The crawl of the other sweeps, without an application context around it: each request has its own, as in life."""
    with app.app_context():
        noon = clock.start_of(clock.today()) + timedelta(hours=12)
        for name in world.visits:
            world.visit(name).starts_at = noon
        db.session.commit()
    with clock.frozen(noon):
        yield Crawl(app, world)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("who", "known", "department"), CASES)
def test_nobody_learns_of_a_hidden_patient(app, crawl, monkeypatch, who, known, department):
    monkeypatch.setattr(app, "test_client_class", FlaskClient)  # pages are linted elsewhere
    with app.app_context():
        hidden.add_keeper(crawl.world, department)
    mask = INHERENT | COUNTED.get(who, {})
    asker = Asker(app, crawl, Person(app, crawl.world.people[who]), who, mask, passed_over=MAY_KNOW.get(who, ()))
    with crawl.rolled_back():
        ids, values = hide(app, crawl.world, known, department)
        with_them = ask_everything(asker, ids, values)
    with crawl.rolled_back():
        with app.app_context():
            assert db.session.get(Patient, crawl.world.patients["hidden"]) is None
            hidden.leave_a_gap()
        without = ask_everything(asker, ids, values)
    both = with_them.keys() & without.keys()
    wrong = [f"{' '.join(q)}: {said}" for q in both if (said := differs(q, with_them[q], without[q], REVIEW.get(who)))]
    wrong += [f"{' '.join(q)}: asked in one of the worlds only" for q in with_them.keys() ^ without.keys()]
    slower = sorted(q for q in both if with_them[q].queries != without[q].queries)
    print(f"{who}, {department}: {len(with_them)} questions, {len(slower)} with another number of queries", slower[:20])
    assert not wrong, "\n".join([f"{len(wrong)} of {len(with_them)}", *sorted(wrong)[:40]])
    assert who == "adel" or not slower, slower[:20]  # an administrator deactivates whoever they like


def differs(question, answer, other, review):  # type: ignore[no-untyped-def]
    """What is different, in a line. Where names alone are looked at: which part of the hidden patient's it tells of itself."""
    taken = question[0] in ("page", "GET") and question[1].startswith(SHOWS_TAKEN)
    if not taken and not (review and review in " ".join(question)):
        return answer.differs_from(other)
    told = answer.body.replace(hidden.WORDS, "")
    named = [part for part in (hidden.NAME, hidden.PHONE) if part in told and part not in question]
    return f"names {named}" if named else ""


def hide(app, world, known, department):  # type: ignore[no-untyped-def]
    """Add the hidden patient; answers whose numbers to ask about, and what to write into every field."""
    with app.app_context():
        hidden.add_hidden(world, department)
        hidden.leave_a_gap()
        patient = world.patient("hidden")
        number = str(patient.id)
        values = (number, patient.code, patient.name, patient.phone, "7 Jul 1977", f"/patients/{number}/alerts")
        values = values[: share(len(values), 3)]
        ids = {subject: ids_of(world, subject) for subject in (known, "hidden")}
        notice = db.session.scalar(select(Notice.id).where(Notice.patient_id == patient.id).limit(1))
    ids["hidden"] |= {"notice_id": notice, "student_id": world.people["keeper"]}
    ids["nobody"] = {name: NOBODY if isinstance(value, int) else value for name, value in ids[known].items()}
    return ids, values


def ask_everything(asker, ids, values):  # type: ignore[no-untyped-def]
    asker.look_after = values[1]  # the code: what one may hear of
    asker.crawl._known.clear()
    forget_bodies()
    settings.forget()
    return asker.everything(ids, values)
