"""No list asks the database more often because it is longer: ten rows and a thousand cost the same number of queries.

Every GET route is asked by one of each role in both worlds. A route whose answer does not grow with the rows of
tests/conventions/rows.py must be named in `NO_LIST`; so a list that nobody covered fails here, and so does a name that is wrong.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from clinic import clock, security, settings
from clinic.blueprints.queue.board import forget_bodies
from clinic.extensions import db
from clinic.models import Display
from tests.conventions.matrix import address, deepen, ids_of, routes
from tests.conventions.rows import grow
from tests.person import Person
from tests.queries_counted import counted
from tests.world import World

FEW, MANY = 10, 1_000
WHO = ("ruwan", "nimal", "adel", "kamal", "silva")
# What is asked for beside the department and the patient, so that a list shows itself.
ASKED = dict.fromkeys(("/patients/results", "/visits/patients", "/go-to/results"), "q=numerous") | {
    "/patients/alike": "name=Numerous+1&birth_date=1990-01-01",
}
# Pages that are asked as they are: they take no department, or show what a search finds only without a patient.
PLAIN = ("/waits",)
SCREEN = "a-paired-screen"
# Pages that show one thing, a form, or fewer rows than ten however many there are (the palette eight, who is alike five,
# jobs and parts by name, counts). They cost the same all the same.
NO_LIST = {
    "/",
    "/account/password",
    "/account/pin",
    "/account/recovery-codes",
    "/account/second-factor",
    "/approvals/waiting",
    "/audit/<int:event_id>",
    "/chairs/<int:chair_id>/out-of-service",
    "/chart-kinds/<int:own_kind_id>",
    "/chart-kinds/new",
    "/chart-kinds/preview",
    "/chart/prints/verify",
    "/display",  # the newest calls, eight at most
    "/display/board",
    "/evaluation-forms/new",
    "/go-to",
    "/go-to/results",
    "/healthz",
    "/history-forms/<string:form_code>/<int:number>",
    "/history-forms/new",
    "/locked",
    "/notices/bell",
    "/patients/<int:patient_id>/notes/<int:note_id>.pdf",
    "/patients/<int:patient_id>/notes.pdf",
    "/notices/<int:notice_id>",
    "/note-templates/new",
    "/note-templates/<int:note_template_id>",
    "/patients/<int:patient_id>/chart/meaning",
    "/patients/<int:patient_id>/chart/versions/<int:number>.json",
    "/patients/<int:patient_id>/chart/versions/<int:number>.pdf",
    "/patients/<int:patient_id>/documents/<int:document_id>/download",
    "/patients/<int:patient_id>/documents/<int:document_id>/file",
    "/patients/<int:patient_id>/documents/<int:document_id>/teeth",
    "/patients/alike",
    "/patients/new",
    "/people/<int:person_id>/temporary-password",
    "/readyz",
    "/requests/new",
    "/requirements/<int:requirement_id>",
    "/settings",
    "/settings/chairs/<int:chair_id>",
    "/sign-in",
    "/sign-in/forgotten",
    "/status",
    "/tablet/thanks",
    "/visits/<int:visit_id>/standing",
    "/visits/coverage",
}
# It asks those tables alone that the rows on its first page are of: fewer when those are of fewer.
MIXED = {"/patients/<int:patient_id>/timeline"}


@pytest.fixture
def engine_name() -> str:
    """The number of queries is the same on both; SQLite has the thousands of rows ready sooner."""
    return "sqlite"


@pytest.fixture
def worlds(app: Flask, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(app, "test_client_class", FlaskClient)  # pages are linted elsewhere
    with app.app_context():
        noon = clock.start_of(clock.today()) + timedelta(hours=12)
        for name in world.visits:
            world.visit(name).starts_at = noon
        db.session.commit()
    with clock.frozen(noon):
        with app.app_context():
            deepen(world)
            screen = {"name": "Hall", "created_at": noon, "paired_at": noon}
            db.session.add(Display(token_hash=security.digest(SCREEN), **screen))
            db.session.commit()
        yield world


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_list_costs_the_same_however_long_it_is(app, worlds):
    seen = {count: ask_everybody(app, worlds, count) for count in (FEW, MANY)}
    dearer, grown, asked = [], set(), set()
    for (who, rule), (queries, length, _) in seen[FEW].items():
        queries_many, length_many, statements = seen[MANY][who, rule]
        asked.add(rule)
        if length_many > length + 200:
            grown.add(rule)
        if queries_many > queries or (queries_many < queries and rule not in MIXED):
            said = [
                f"{statements.count(one)} x {one[:160]}"
                for one in dict.fromkeys(statements)
                if statements.count(one) > 1
            ]
            dearer.append(f"{who} {rule}: {queries} queries with {FEW} rows, {queries_many} with {MANY}: {said[:2]}")
    assert not dearer, "\n".join(dearer)
    uncovered = asked - grown - NO_LIST
    assert not uncovered, (
        f"add rows to `grow` that these show, or say in NO_LIST that they are no lists: {sorted(uncovered)}"
    )
    assert not NO_LIST & grown, f"these are lists after all: {sorted(NO_LIST & grown)}"
    assert asked >= NO_LIST, f"no such pages: {sorted(NO_LIST - asked)}"
    print(f"{len(grown)} lists, {len(seen[MANY])} answers, the same number of queries with {FEW} rows and {MANY}")


def ask_everybody(app, world, count):  # type: ignore[no-untyped-def]
    """What each GET costs everybody who may ask it, in the world with so many rows more: queries, length, statements."""
    forget_bodies()
    settings.forget()
    with app.app_context():
        connection = db.session().get_bind()
    larger, found = connection.begin_nested(), {}
    with app.app_context():
        grow(world, count)
        ids, screen = ids_of(world, "fernando"), security.cookie_name("display")
    for name in WHO:
        person = Person(app, world.people[name])
        for rule, verb in routes(app):
            url = address(rule, ids)
            if verb != "GET" or url is None or rule.endpoint == "static" or rule.endpoint.endswith(".stream"):
                continue
            about = "" if rule.rule == "/visits/patients" else f"patient={ids['patient_id']}"
            if rule.rule not in PLAIN:
                url = f"{url}?{about}&department={ids['department_id']}&{ASKED.get(rule.rule, '')}"
            looked = connection.begin_nested()
            person.client = person.browser()
            person.client.set_cookie(screen, SCREEN)
            with counted() as statements:
                answer = person.get(url)
            if answer.status_code == 200:
                found[name, rule.rule] = len(statements), len(answer.data), list(statements)
            looked.rollback()
    larger.rollback()
    return found
