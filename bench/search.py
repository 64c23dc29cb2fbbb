"""Search and lists among many patients: how long an answer takes to leave the server, and which indexes it used.

    .venv/bin/python -m bench.search [--patients 100000] [--seed 7] [--engines mariadb,sqlite] [--rounds 5]

Fills a clinic of synthetic patients (the same for the same seed), then asks what people type, as a receptionist, a student and a
supervisor, through the whole application (sign-in, scope, audit, template). Prints the least, p50 and p95 of each in milliseconds, and the
load of the machine: on a busy one only the least says something about the application.
"""

import argparse
import itertools
import os
import random
import shutil
import statistics
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import event, insert, text

from clinic import clock, create_app
from clinic.extensions import db
from clinic.models import Assignment, AssignmentKind, Patient, PatientToken, Role, Sex, User
from clinic.operations.patients import tokens_of
from clinic.text import sort_key
from tests.conftest import make_config
from tests.person import Person
from tests.services import MariaDB
from tests.world import build_world

GIVEN = (
    "Ana Nimali Ruwan Kamal Amal Anjali Anoma Chamari Dilani Harsha Ishara Kasun Lakmal Malini Nuwan Priya Sachini Tharindu Upul "
    "Vindya José Zoë Åsa Øystein Mohamed Fatima Ayesha Omar Ali Maria Peter Paul Per Persis Perla Pervin Aaliyah Abel Ada "
    "නිමල් සුනිල් කුමාරි අනුෂා முருகன் லட்சுமி محمد فاطمة نادية สมชาย สมหญิง"
).split()
FAMILY = (
    "Perera Fernando Silva Bandara Jayasuriya Dias Gunawardena Herath Karunaratne Liyanage Mendis Peiris Rajapaksa Senanayake "
    "Wickramasinghe Nair Haddad Rahman Gomes Costa Smith-Jones O'Brien Müller Nguyễn පෙරේරා සිල්වා செல்வம் منصور العلي ใจดี"
).split()
CHINESE = "吴王李张刘陈杨赵黄周徐孙胡朱高林何郭马罗", "美玲伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明"
TYPED = {
    "receptionist": [
        "a", "p", "per", "perera", "ana", "ana per", "per ana", "a p", "p a f", "silva fern", "ana perera 1984", "o'brien", "smith jon",
        "07", "0771", "771", "4567", "1984", "19", "2/3/1984", "1984-03", "P-2026-00412", "412", "පෙ", "نا", "吴", "美玲", "สม", "zzzz",
    ],  # fmt: skip
    "student": ["a", "per", "ana per", "07", "1984", "吴", "zzzz"],
    "supervisor": ["a", "per", "ana per", "07", "1984", "a p", "吴", "zzzz"],
}  # fmt: skip


def fill(count: int, seed: int) -> dict[str, int]:
    """A clinic of `count` patients; the ids of the three people who ask."""
    world = build_world()
    rng = random.Random(seed)
    at = clock.now()
    common = list(itertools.accumulate(1 / (place + 1) for place in range(len(FAMILY))))
    rows, tokens = [], []
    for number in range(world_size := len(world.patients), count):
        if rng.random() < 0.1:
            name = rng.choice(CHINESE[0]) + "".join(rng.choices(CHINESE[1], k=2))
        else:
            middle = [rng.choice(GIVEN)] if rng.random() < 0.3 else []
            name = " ".join([rng.choice(GIVEN), *middle, *rng.choices(FAMILY, cum_weights=common)])
        patient = Patient(
            id=number + 1,
            code=f"P-{2026 - (count - number) // 12000}-{number + 1:05d}",
            name=name,
            sort_name=sort_key(name),
            birth_date=date(1930, 1, 1) + timedelta(days=rng.randrange(35000)),
            sex=rng.choice(list(Sex)),
            phone=f"07{rng.randrange(10)} {rng.randrange(1000):03d} {rng.randrange(10000):04d}",
            archived_at=at - timedelta(minutes=number) if rng.random() < 0.1 else None,
            created_at=at,
            created_by_id=world.people["ruwan"],
            version=1,
        )
        columns = ("id", "code", "name", "sort_name", "birth_date", "sex", "phone", "archived_at", "created_at")
        rows.append(
            {column: getattr(patient, column) for column in (*columns, "created_by_id", "version")}
            | dict.fromkeys(("email", "address", "language"), "")
            | dict.fromkeys(("emergency_name", "emergency_phone", "emergency_relation"), "")
        )
        tokens += [{"token": token, "patient_id": patient.id} for token in tokens_of(patient)]
        if len(rows) == 5000 or number == count - 1:
            db.session.execute(insert(Patient.__table__), rows)
            tokens.sort(key=lambda row: row["token"])
            db.session.execute(insert(PatientToken.__table__), tokens)
            db.session.commit()
            rows, tokens = [], []
    students = [world.people["kamal"], world.people["leela"]]
    password = world.user("kamal").password_hash
    for number in range(38):
        row = User(
            email=f"student{number}@clinic.test", name=f"Student {number}", role=Role.STUDENT, year=3,
            department_id=world.departments["restorative"], password_hash=password, created_at=at,
        )  # fmt: skip
        db.session.add(row)
        db.session.flush()
        students.append(row.id)
    for student in students:
        for patient_id in rng.sample(range(world_size + 1, count), 30):
            db.session.add(
                Assignment(
                    patient_id=patient_id, user_id=student, kind=AssignmentKind.PRIMARY, starts_at=at - timedelta(days=9),
                    created_by_id=world.people["silva"],
                )
            )  # fmt: skip
    db.session.commit()
    db.session.execute(
        text("ANALYZE" if db.engine.name == "sqlite" else "ANALYZE TABLE patient, patient_token, assignment")
    )
    db.session.commit()
    db.session.remove()
    return {
        "receptionist": world.people["ruwan"],
        "student": world.people["kamal"],
        "supervisor": world.people["silva"],
    }


def measure(app, people: dict[str, int], rounds: int) -> None:
    urls = {role: [("q=" + typed, "/patients/results?q=", typed) for typed in TYPED[role]] for role in TYPED}
    for role in urls:
        urls[role] += [("list", "/patients", ""), ("newest", "/patients?sort=newest", "")]
        urls[role] += [("archived", "/patients?archived=yes", "")]
    with app.app_context():
        middle = db.session.execute(
            text("SELECT id FROM patient WHERE archived_at IS NULL ORDER BY sort_name LIMIT 1 OFFSET 50000")
        )
        deep = middle.scalar()
        db.session.remove()
    if deep:
        urls["receptionist"].append(("list, page 1000", f"/patients?after={deep}", ""))
    print(f"{'role':14}{'asked':20}{'least ms':>9}{'p50 ms':>8}{'p95 ms':>8}{'bytes':>8}{'queries':>9}")
    worst = 0.0
    for role, asked in urls.items():
        person = Person(app, people[role])
        for label, url, typed in asked:
            from urllib.parse import quote

            address = url + quote(typed) if typed else url
            times = []
            statements: list[str] = []
            note = lambda c, cur, statement, *rest: statements.append(statement)  # noqa: B023, E731
            for turn in range(rounds * 4 + 1):
                with app.app_context():
                    engine = db.engine
                if turn == 0:
                    event.listen(engine, "before_cursor_execute", note)
                start = time.perf_counter()
                answer = person.get(address)
                taken = (time.perf_counter() - start) * 1000
                if turn == 0:
                    event.remove(engine, "before_cursor_execute", note)
                    assert answer.status_code == 200, (answer.status_code, address)
                else:
                    times.append(taken)
            p95 = sorted(times)[int(len(times) * 0.95) - 1] if len(times) > 1 else times[0]
            worst = max(worst, p95)
            print(
                f"{role:14}{label:20}{min(times):9.1f}{statistics.median(times):8.1f}{p95:8.1f}{len(answer.data):8d}{len(statements):9d}"
            )
    print(f"worst p95: {worst:.1f} ms; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def explain(app, people: dict[str, int]) -> None:
    """The plan of every statement that touches patients or tokens; says aloud when one reads a whole table."""
    scans = 0
    for role, typed in [(person, typed) for person in TYPED for typed in TYPED[person]]:
        with app.app_context():
            from clinic.queries.patients import search_patients

            seen: list[tuple] = []
            engine = db.engine
            note = lambda c, cur, statement, parameters, *rest: seen.append((statement, parameters))  # noqa: B023, E731
            event.listen(engine, "before_cursor_execute", note)
            viewer = db.session.get_one(User, people[role])
            search_patients(viewer, typed)
            event.remove(engine, "before_cursor_execute", note)
            raw = db.session.connection().connection
            for statement, parameters in seen:
                if "patient_token" not in statement:
                    continue
                cursor = raw.cursor()
                cursor.execute(
                    ("EXPLAIN QUERY PLAN " if engine.name == "sqlite" else "EXPLAIN ") + statement, parameters
                )
                for row in cursor.fetchall():
                    plan = " ".join(str(part) for part in row)
                    whole = (
                        ("SCAN patient" in plan and "INDEX" not in plan)
                        if engine.name == "sqlite"
                        else (row[3] in ("ALL", "index") and not str(row[2]).startswith("<") and row[2])
                    )
                    if whole:
                        scans += 1
                        print("WHOLE TABLE:", role, repr(typed), plan)
                    elif os.environ.get("PLANS"):
                        print(role, repr(typed), plan)
            db.session.rollback()
            db.session.remove()
    print(f"statements that read a whole table of patients or tokens: {scans}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--engines", default="mariadb,sqlite")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for engine in asked.engines.split(","):
        folder = Path(tempfile.mkdtemp(prefix="chairside-bench-"))
        server = None
        try:
            if engine == "mariadb":
                server = MariaDB(folder / "server").start()
                server.sql("CREATE DATABASE bench CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
                url = f"mariadb+pymysql://root@127.0.0.1:{server.port}/bench?charset=utf8mb4"
            else:
                url = f"sqlite:///{folder}/bench.sqlite"
            app = create_app(make_config(url))
            with app.app_context():
                db.create_all()
                start = time.perf_counter()
                people = fill(asked.patients, asked.seed)
                print(
                    f"\n{engine}: {asked.patients} patients in {time.perf_counter() - start:.0f} s, seed {asked.seed}"
                )
            explain(app, people)
            measure(app, people, asked.rounds)
            with app.app_context():
                db.engine.dispose()
        finally:
            if server:
                server.stop(kill=True)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
