"""The trail on screen after years: who opened a patient, what a person opened, every filter, within two seconds at a million events.

The rows that MariaDB looks at are counted too (its handlers), which the machine's load does not change: that is held at every size.
"""

import csv
import io
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text

from clinic import clock, create_app
from clinic.extensions import db
from clinic.models import User
from clinic.queries import audit as queries
from clinic.queries.audit import LOOK, PAGE, Wanted
from tests.conftest import fresh_mariadb, make_config
from tests.ledger import fill
from tests.person import Person
from tests.soak import share
from tests.world import World, build_world

pytestmark = [pytest.mark.soak, pytest.mark.slow, pytest.mark.timeout(1800)]

EVENTS = share(1_000_000, 40_000)
SECONDS = 2.0  # safety.md, D5
CROWDED = 1  # the patient of every fiftieth event
QUIET = 900
BUSY = 6  # kamal: the person of every fortieth event, and of every third at his desk


@dataclass(frozen=True)
class Years:
    app: Flask
    world: World


@pytest.fixture(scope="module")
def years() -> Iterator[Years]:
    """A clinic with a trail of a year, in a database of its own."""
    app = create_app(make_config(fresh_mariadb("years")))
    with app.app_context():
        db.create_all()
        world = build_world()
        began = clock.now() - timedelta(days=360)
        fill(EVENTS, began=began, every=359 * 86400 / EVENTS, patients=2000)
        for what in (
            f"patient_id = {CROWDED} WHERE id % 50 = 0",
            f"actor_id = {BUSY}, address = '10.9.9.9' WHERE id % 3 = 0",
            f"act = 'display.pair' WHERE id IN (7, {EVENTS // 2})",
            f"address = '10.0.0.99' WHERE id = {EVENTS // 3}",
        ):
            for first in range(1, EVENTS + 1, 50_000):  # each within the time a statement may take on a busy machine
                db.session.execute(text(f"UPDATE audit_event SET {what} AND id BETWEEN {first} AND {first + 49_999}"))
                db.session.commit()
        db.session.execute(text("ANALYZE TABLE audit_event"))
        db.session.commit()
    yield Years(app, world)
    with app.app_context():
        db.engine.dispose()


A_DAY = EVENTS // 359
A_PAGE, LOOKED = 4 * PAGE + 50, 3 * LOOK + 200  # a row, and those of the names beside it
# What is asked of the trail by whom and of which day, and how many rows the database may look at for it.
ASKED: dict[str, tuple[Callable[[User, date], Any], int]] = {
    "the newest": (lambda viewer, day: queries.trail(viewer, Wanted()), A_PAGE),
    "in the middle": (lambda viewer, day: queries.trail(viewer, Wanted(), before=EVENTS // 2), A_PAGE),
    "a day long ago": (lambda viewer, day: queries.trail(viewer, Wanted(begin=day, end=day)), A_PAGE + 2 * A_DAY),
    "a patient": (lambda viewer, day: queries.trail(viewer, Wanted(patient_id=CROWDED)), A_PAGE),
    "a person": (lambda viewer, day: queries.trail(viewer, Wanted(person_id=BUSY)), A_PAGE),
    "a rare act": (lambda viewer, day: queries.trail(viewer, Wanted(acts=("display.pair",))), A_PAGE),
    "a rare address": (lambda viewer, day: queries.trail(viewer, Wanted(address="10.0.0.99")), A_PAGE),
    "a role": (lambda viewer, day: queries.trail(viewer, Wanted(role="nurse")), A_PAGE),
    "a feature": (
        lambda viewer, day: queries.trail(viewer, Wanted(acts=("queue.call", "queue.move", "no.such"))),
        LOOKED,
    ),
    "a person at an address": (
        lambda viewer, day: queries.trail(viewer, Wanted(person_id=BUSY, address="10.9.9.9")),
        LOOKED,
    ),
    "common things never together": (
        lambda viewer, day: queries.trail(
            viewer, Wanted(role="nurse", acts=("refused",), address="10.9.9.9", begin=day)
        ),
        2 * LOOKED,
    ),
    "every act": (lambda viewer, day: queries.acts_told(viewer), 200),
    "who opened a patient": (lambda viewer, day: queries.days_of_patient(viewer, QUIET), 2 * EVENTS // 2000 + 300),
    "who opened the most crowded patient": (lambda viewer, day: queries.days_of_patient(viewer, CROWDED), LOOKED),
    "everybody who opened the most crowded patient": (
        lambda viewer, day: queries.visitors_of(viewer, CROWDED),
        EVENTS // 50 + 500,
    ),
    "what the busiest person opened": (lambda viewer, day: queries.days_of_person(viewer, BUSY), LOOKED),
    "what they opened long ago": (
        lambda viewer, day: queries.days_of_person(viewer, BUSY, until=day),
        LOOKED + 2 * A_DAY,
    ),
}


@pytest.mark.parametrize("name", ASKED)
def test_it_takes_an_index_and_few_rows(years, name):
    ask, most = ASKED[name]
    with years.app.app_context():
        viewer, day = years.world.user("adel"), clock.today() - timedelta(days=180)
        ask(viewer, day)  # settings are read
        before = rows_looked_at()
        with sent_here() as statements:
            ask(viewer, day)
        looked_at = rows_looked_at() - before
        plans = [
            row._mapping
            for statement, values in statements
            for row in db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", values)
        ]
    whole = [plan for plan in plans if plan["table"] == "audit_event" and plan["key"] is None]
    assert not whole, f"{name}: walks the whole trail: {whole}"
    assert looked_at <= most, f"{name}: looked at {looked_at} rows"


@pytest.mark.parametrize(
    "path",
    [
        "/audit",
        "/audit?role=nurse&act=refused&address=10.9.9.9",
        f"/audit?person_id={BUSY}&act=queue.*",
        f"/audit/patients/{CROWDED}",
        f"/audit/people/{BUSY}",
    ],
)
def test_a_page_comes_within_two_seconds(years, path, record_property):
    adel = Person(years.app, years.world.people["adel"])
    rounds: list[list[float]] = [[], []]  # the machine may stand still in one of them
    for took in rounds:
        for _ in range(5):
            began = time.perf_counter()
            answer = adel.get(path)
            took.append(time.perf_counter() - began)
            assert answer.status_code == 200
    took = min(rounds, key=max)
    record_property("seconds", [round(one, 3) for one in took])
    print(
        f"\n{EVENTS:,} events, {path}: least {min(took):.3f} s, median {statistics.median(took):.3f} s, most {max(took):.3f} s"
    )
    assert max(took) <= SECONDS


def test_the_whole_trail_leaves_as_a_file(years):
    adel = Person(years.app, years.world.people["adel"])
    began = time.perf_counter()
    answer = adel.get("/audit/export?person_id=5", buffered=False)
    first = time.perf_counter() - began
    chunks = answer.iter_encoded()
    body = next(chunks)
    for chunk in chunks:
        body += chunk
        with years.app.app_context():
            assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined] - a client that goes away now leaves none open
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))
    print(
        f"\n{len(rows) - 1:,} of {EVENTS:,} events: answered after {first:.2f} s, whole after {time.perf_counter() - began:.2f} s"
    )
    with years.app.app_context():
        viewer = years.world.user("adel")
        last = queries.newest_event(viewer)  # the export itself
        assert len(rows) - 1 == queries.event_count(viewer, Wanted(person_id=5), before=last)


def rows_looked_at() -> int:
    """Rows that this connection has asked the storage engine for, temporary tables included."""
    rows = db.session.connection().exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all()
    return sum(int(count) for _, count in rows)


class sent_here:  # noqa: N801
    """Collects the statements that select from the trail, with their values."""

    def __enter__(self) -> list[tuple[str, Any]]:
        self.statements: list[tuple[str, Any]] = []
        event.listen(db.engine, "before_cursor_execute", self._note)
        return self.statements

    def __exit__(self, *_: object) -> None:
        event.remove(db.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        if "audit_event" in statement and statement.startswith(("SELECT", "(SELECT")):
            self.statements.append((statement, values))
