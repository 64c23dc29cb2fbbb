"""Many people chart the same mouths at once, over HTTP, two workers, MariaDB: what was acknowledged is stored once, and whoever was
slower reads what was changed, by whom, and their own words."""

import random
import re
import secrets
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from html import unescape

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.chart.versions import mouth_from
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    Chart,
    ChartEntry,
    ChartVersion,
    Patient,
    Sex,
    User,
    VersionReason,
)
from clinic.operations.chart_versions import cut_version, verify_versions
from clinic.queries.chart import mouth_of
from tests.campaigns.browserless import Answer, RemotePerson
from tests.soak import daily_seed, share

pytestmark = [pytest.mark.server, pytest.mark.soak, pytest.mark.timeout(1800)]
TEETH = ("11", "16", "26", "36", "46")
SEEN = re.compile(r'name="seen"[^>]*value="(\d+)"|value="(\d+)"[^>]*name="seen"')
NAMES = {"kamal": "Kamal Dias", "silva": "Dr Sunil Silva"}


@pytest.fixture
def charts(server):
    """Ten patients of Kamal's, whose supervisor Silva is, with nothing charted."""
    with server.inside():
        at = clock.now()
        made = [
            Patient(
                code=f"P-2025-{number:05d}",
                name=f"Edith Number{number}",
                sort_name=f"edith number{number}",
                birth_date=date(1984, 1, 1 + number),
                sex=Sex.FEMALE,
                created_at=at,
                created_by_id=server.world.people["ruwan"],
            )
            for number in range(10)
        ]
        db.session.add_all(made)
        db.session.flush()
        for patient in made:
            db.session.add(
                Assignment(
                    patient_id=patient.id,
                    user_id=server.world.people["kamal"],
                    kind=AssignmentKind.PRIMARY,
                    starts_at=at,
                    created_by_id=server.world.people["silva"],
                )
            )
        db.session.commit()
        ids = [patient.id for patient in made]
        db.session.remove()
    return ids


def seen_by(visitor: RemotePerson, patient: int) -> str:
    """The last stroke that the page shows."""
    found = SEEN.search(visitor.get(f"/patients/{patient}/chart/mouth", htmx=True).text)
    assert found, "the page does not say which stroke it shows"
    return found[1] or found[2]


def chart_it(visitor: RemotePerson, patient: int, line: str, *, seen: str, once: str) -> Answer:
    fields = {"line": line, "seen": seen, "once": once, "reason": "", "dentition": ""}
    return visitor.post(f"/patients/{patient}/chart/strokes", fields, htmx=True)


def test_strokes_of_twenty_people_on_ten_charts(server, charts):
    strokes, seed = share(2000, 160), daily_seed()
    people = [("kamal", "silva")[number % 2] for number in range(20)]
    visitors = [RemotePerson(server, name) for name in people]
    lock = threading.Lock()
    acknowledged: list[tuple[int, str]] = []
    told: Counter[str] = Counter()

    def work(name: str, visitor: RemotePerson, dice: random.Random, count: int) -> None:
        for _ in range(count):
            patient, tooth, mine = dice.choice(charts), dice.choice(TEETH), secrets.token_hex(6)
            seen, once, line = seen_by(visitor, patient), secrets.token_urlsafe(12), f'{tooth} note "{mine}"'
            answer = chart_it(visitor, patient, line, seen=seen, once=once)
            again = chart_it(visitor, patient, line, seen=seen, once=once) if dice.random() < 0.2 else None
            with lock:
                told[str(answer.status)] += 1
                if answer.status == 200:
                    acknowledged.append((patient, mine))
                if again is not None:
                    told["sent again"] += 1
                    # The stored answer is the event that has the page fetch the mouth.
                    told["answered otherwise"] += again.status != {200: 204}.get(answer.status, answer.status)
                if answer.status == 409:
                    text = unescape(answer.text)
                    told["without their own words"] += mine not in text
                    told["without who was faster"] += not any(person in text for person in NAMES.values())
                    told["without what was changed"] += "note" not in text

    with ThreadPoolExecutor(len(visitors)) as pool:
        done = [
            pool.submit(work, name, visitor, random.Random(seed * 1000 + number), strokes // len(visitors))
            for number, (name, visitor) in enumerate(zip(people, visitors, strict=True))
        ]
    for each in done:
        each.result()
    wrong = {what: told[what] for what in told if what not in ("200", "409", "sent again") and told[what]}
    assert wrong == {}
    with server.inside():
        rows = db.session.scalars(select(ChartEntry).where(ChartEntry.patient_id.in_(charts))).all()
        stored = [(row.patient_id, re.sub(r".*:\"|\"}", "", row.details)) for row in rows]
        assert sorted(stored) == sorted(acknowledged)  # neither lost nor doubled
        for patient in charts:
            numbers = sorted(row.stroke for row in rows if row.patient_id == patient)
            chart = db.session.get(Chart, patient)
            assert numbers == list(range(1, (chart.stroke if chart else 0) + 1))
        db.session.remove()
    print(
        f"seed {seed}: {told['200']} strokes stored, {told['409']} refused with both texts, "
        f"{told['sent again']} sent again, 0 lost, 0 doubled"
    )


def test_versions_cut_while_others_chart(server, charts):
    """While eight people chart one mouth, versions of it are cut: each holds exactly the strokes up to its own."""
    patient, rounds, seed = charts[0], share(40, 6), daily_seed()
    visitors = [RemotePerson(server, name) for name in ("kamal", "silva") * 4]
    stop = threading.Event()

    def chart(visitor: RemotePerson, dice: random.Random) -> int:
        count = 0
        while not stop.is_set():
            line = f'{dice.choice(TEETH)} note "{secrets.token_hex(4)}"'
            seen = seen_by(visitor, patient)
            count += chart_it(visitor, patient, line, seen=seen, once=secrets.token_urlsafe(12)).status == 200
        return count

    with ThreadPoolExecutor(len(visitors)) as pool:
        work = [pool.submit(chart, visitor, random.Random(seed + n)) for n, visitor in enumerate(visitors)]
        with server.inside():
            for number in range(rounds):
                person = db.session.get_one(User, server.world.people["kamal"])
                whose = db.session.get_one(Patient, patient)
                cut_version(whose, why=VersionReason.NAMED, name=f"Round {number}", actor=person)
                db.session.commit()
                stop.wait(0.3)
            db.session.remove()
        stop.set()
    written = sum(each.result() for each in work)
    with server.inside():
        assert verify_versions().is_good
        cut = db.session.scalars(select(ChartVersion).order_by(ChartVersion.number)).all()
        assert [version.number for version in cut] == list(range(1, len(cut) + 1))
        for version in cut:
            assert mouth_from(version.body) == mouth_of(patient, upto=version.stroke)
        assert db.session.get_one(Chart, patient).stroke == written
        db.session.remove()
    print(f"seed {seed}: {written} strokes, {len(cut)} versions, each of the strokes up to its own")
