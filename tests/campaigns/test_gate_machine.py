"""Random days at the chairs, by HTTP: everybody presses everything, sends again what was sent, and makes requests up. After every step the
database is asked for states that the two gates forbid.

The walk knows the clinic only by its rows; what is forbidden is written out here, so that it does not believe the code: who was in
treatment without an approved start of that day and department, who went to checkout without an approved dismissal of what was there then,
what a student began or completed without its being in an approved start, who approved their own, which tooth nobody entered, what
waits for a supervisor of a patient who is not there. Cases and tasks have a model of their own (case_walk.py), and so have
notes (note_walk.py). SOAK=full walks 10,000 steps in four parts; STEPS=500 walks that many.
"""

import os
import random
import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from clinic import clock, passwords, settings
from clinic.blueprints.queue.board import forget_bodies
from clinic.extensions import db
from clinic.models import (
    Chair,
    ChartEntry,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    QueueEntry,
    Role,
    Stage,
    ToothMatch,
    User,
    Visit,
    VisitStatus,
)
from clinic.queries.chart import stroke_of
from clinic.queries.gates import standing_of
from tests.campaigns.case_walk import STUDENT, CaseWalk
from tests.campaigns.note_walk import NoteWalk
from tests.charting import chart_line
from tests.gated import gates_on, papers, reviewed, setting
from tests.person import Person
from tests.scene import second_supervisor
from tests.soak import daily_seed, share

PARTS = share(4, 1)
STEPS = share(10_000, int(os.environ.get("STEPS", "300"))) // PARTS
EPISODE = 200  # steps before everything begins anew
WHO = ("ruwan", "nimal", "adel", "silva", "prado", "sato", "kamal", "leela", "omar")
PATIENTS = ("fernando", "perera", "wu")
NAMED = "36"  # the tooth of fernando that a radiograph and a consent name
GUARDED = ("extraction", "root_canal", "implant", "pulpotomy", "pulpectomy", "apicoectomy")
DONE = ("in_process", "completed")
ANSWERS = frozenset({200, 204, 302, 303, 400, 403, 404, 405, 409, 422, 429})
PINS = ("482915", "000000")


@pytest.fixture
def engine_name() -> str:
    """The rules are asked in the same words of both; SQLite answers sooner."""
    return "sqlite"


class Walk(CaseWalk, NoteWalk):
    """One episode: the world with both gates on, and everybody's browser."""

    def __init__(self, app: Any, world: Any, luck: random.Random, tally: Counter[str]) -> None:
        self.app, self.world, self.luck, self.tally = app, world, luck, tally
        self.trace: list[str] = []
        self.sent: list[tuple[str, str, dict[str, Any], str]] = []
        self.rows_seen = 0
        self.written = {}
        self.signed = {}
        settings.forget()
        forget_bodies()
        with app.app_context():
            self.at = clock.start_of(clock.today()) + timedelta(hours=8)
            with clock.frozen(self.at):
                gates_on()
                setting("block_days", 0)
                second_supervisor(world)
                for name, lines in (
                    ("fernando", "36 x plan; 16 o am plan; 26 rct plan; 46 o am plan"),
                    ("perera", "11 x plan; 14 o am plan; 24 o am plan; 34 o am plan"),
                    ("wu", "16 s plan; 26 s plan"),
                ):
                    world.visit(name).starts_at = self.at + timedelta(hours=2)
                    chart_line(world.patient(name), lines, actor=world.user(STUDENT[name]), reason="Planned")
                    reviewed(world, name, STUDENT[name])
                papers(world, NAMED)  # of the other teeth nothing is named, so that a second person looks
                db.session.commit()
        self.at += timedelta(minutes=5)
        self.browsers = {name: Person(app, world.people[name]) for name in WHO}

    # --- acts ---------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        acts = [
            (45, self.go_on),
            (7, self.arrive), (14, self.queue), (3, self.undo), (10, self.prepare_start), (8, self.prepare_dismissal),
            (14, self.decide), (8, self.one_item), (3, self.withdraw), (1, self.here), (10, self.chart),
            (14, self.status), (4, self.error), (6, self.note), (9, self.note_any), (3, self.changed), (5, self.again), (4, self.made_up),
            (1, self.leave), (1, self.transfer), (1, self.close_day), (4, self.time_goes_by),
            (40, self.case_on), (24, self.case_any), (5, self.case_made_up), (2, self.others),
        ]  # fmt: skip
        act = self.luck.choices([one for _, one in acts], [weight for weight, _ in acts])[0]
        said = act()
        self.trace.append(f"{self.at:%d %H:%M:%S} {act.__name__} {said}")
        self.tally[f"{act.__name__}: {str(said).split(' ')[0]}"] += 1

    def go_on(self) -> str:
        """The next sensible thing for a patient, by whoever does it in life; so that the walk gets anywhere."""
        patient = self.patient()
        entry, right = self.entry(patient), {"wu": "sato"}.get(patient, self.one(("silva", "prado")))
        with self.app.app_context():
            newest = select(Visit).where(Visit.patient_id == self.world.patients[patient]).order_by(Visit.id.desc())
            visit = db.session.scalars(newest).first()
            chairs = db.session.scalars(select(Chair.id).where(Chair.department_id == visit.department_id)).all()
            waits = db.session.execute(
                select(Gate.id, Gate.version, Gate.kind).where(
                    Gate.visit_id == visit.id, Gate.status == GateStatus.PENDING
                )
            ).first()
            seen = standing_of(visit).sha256 if visit.arrived_at else ""
            visit_id, status = visit.id, visit.status
        if status is VisitStatus.SCHEDULED:
            return self.post("ruwan", f"/visits/{visit_id}/check-in", {})
        if entry is None or status is not VisitStatus.ARRIVED:
            return self.time_goes_by()
        version = {"version": entry.version}
        if entry.stage is Stage.WAITING:
            return self.post("ruwan", f"/queue/{entry.id}/call", version | {"chair": self.one(chairs)})
        if entry.stage is Stage.CALLED:
            return self.post("ruwan", f"/queue/{entry.id}/move", version | {"to": "in_chair"})
        if waits is not None:
            held = {"version": waits.version} | self.teeth(waits.id)
            if waits.kind is GateKind.START:
                return self.post(right, f"/gates/{waits.id}/approve", held)
            if self.luck.random() < 0.4 and (items := self.items_of(waits.id)):
                said = self.post(right, f"/gates/{waits.id}/items/{self.one(items)}/approve", held)
                self.tally[f"one_item: {said.split(' ')[0]}"] += 1
                return said
            return self.post(right, f"/approvals/gate-dismiss/{waits.id}/approve", held)
        if entry.stage is Stage.IN_CHAIR:
            return self.prepare_start(patient, STUDENT[patient])
        if entry.stage is Stage.CHECKOUT:
            return self.post("ruwan", f"/queue/{entry.id}/finish", version)
        if self.luck.random() < 0.6 and entry.stage is Stage.IN_TREATMENT:
            return self.status(patient, STUDENT[patient])
        return self.post(STUDENT[patient], f"/visits/{visit_id}/dismissal", {"seen": seen, "words": "Nothing more"})

    def items_of(self, gate_id: int) -> list[int]:
        with self.app.app_context():
            waiting = select(GateItem.id).where(GateItem.gate_id == gate_id, GateItem.status == GateStatus.PENDING)
            return list(db.session.scalars(waiting))

    def post(self, who: str, url: str, data: dict[str, Any]) -> str:
        key = f"walk-{self.luck.getrandbits(60)}"
        self.sent.append((who, url, data, key))
        answer = self.browsers[who].post(url, data, once=key)
        assert answer.status_code in ANSWERS, f"{who} {url} {data}: {answer.status_code}"
        return f"{answer.status_code} {who} {url} {data}"

    def one(self, choices: Any) -> Any:
        return self.luck.choice(list(choices))

    def patient(self) -> str:
        return self.one(PATIENTS)

    def student_or_any(self, patient: str) -> str:
        return STUDENT[patient] if self.luck.random() < 0.75 else self.one(WHO)

    def supervisor_or_any(self, patient: str) -> str:
        right = ("sato",) if patient == "wu" else ("silva", "prado")
        return self.one(right) if self.luck.random() < 0.8 else self.one(WHO)

    def visit_id(self, patient: str) -> int:
        with self.app.app_context():
            newest = select(Visit.id).where(Visit.patient_id == self.world.patients[patient]).order_by(Visit.id.desc())
            found = db.session.scalars(newest).all()
            return found[0] if self.luck.random() < 0.95 else self.one(found)

    def entry(self, patient: str) -> Any:
        with self.app.app_context():
            rows = select(QueueEntry.id, QueueEntry.version, QueueEntry.stage, QueueEntry.department_id)
            mine = rows.where(QueueEntry.patient_id == self.world.patients[patient]).order_by(QueueEntry.id.desc())
            open_one = db.session.execute(mine.where(QueueEntry.ended_at.is_(None))).first()
            return open_one or db.session.execute(mine).first()

    def stale(self, version: int) -> int:
        return version if self.luck.random() < 0.93 else max(0, version - self.luck.randint(-1, 2))

    def arrive(self) -> str:
        patient = self.patient()
        if self.luck.random() < 0.5:
            return self.post("ruwan", f"/visits/{self.visit_id(patient)}/check-in", {})
        entry = self.entry(patient)
        if entry is None:
            return "nothing"
        with self.app.app_context():
            chairs = db.session.scalars(select(Chair.id).where(Chair.department_id == entry.department_id)).all()
        data = {"version": self.stale(entry.version), "chair": self.one(chairs)}
        return self.post(self.one(("ruwan", "nimal", self.student_or_any(patient))), f"/queue/{entry.id}/call", data)

    def queue(self) -> str:
        patient = self.patient()
        entry = self.entry(patient)
        if entry is None:
            return "nothing"
        usual = {
            Stage.CALLED: Stage.IN_CHAIR, Stage.IN_CHAIR: Stage.IN_TREATMENT, Stage.IN_TREATMENT: Stage.AWAITING_DISMISSAL,
            Stage.AWAITING_DISMISSAL: Stage.CHECKOUT, Stage.CHECKOUT: Stage.DONE, Stage.AWAITING_SUPERVISOR: Stage.IN_TREATMENT,
        }  # fmt: skip
        to = usual.get(entry.stage, Stage.DONE) if self.luck.random() < 0.7 else self.one(Stage)
        place = self.one(("queue", "my-queue"))
        data = {"version": self.stale(entry.version), "to": to.value}
        who = self.one((self.student_or_any(patient), "ruwan", "nimal", "silva"))
        if to is Stage.DONE and self.luck.random() < 0.5:
            return self.post(who, f"/queue/{entry.id}/finish", data)
        return self.post(who, f"/{place}/{entry.id}/move", data)

    def undo(self) -> str:
        patient = self.patient()
        entry = self.entry(patient)
        if entry is None:
            return "nothing"
        who = self.one((self.supervisor_or_any(patient), "nimal", "ruwan"))
        return self.post(who, f"/queue/{entry.id}/undo", {"version": self.stale(entry.version)})

    def prepare_start(self, patient: str = "", who: str = "") -> str:
        patient = patient or self.patient()
        who = who or self.student_or_any(patient)
        page = self.browsers[who].get(f"/visits/{self.visit_id(patient)}/start").text
        data: dict[str, Any] = {"no_radiograph": "Seen last week", "site": "y"}
        for name, value in re.findall(r'<input type="checkbox" name="(\w+)" id="[^"]+" value="([^"]+)"', page):
            if name != "threads" or self.luck.random() < 0.5:
                data.setdefault(name, []).append(value)
        if self.luck.random() < 0.25:
            data["done"] = "Examination"
        if self.luck.random() < 0.15:
            data.pop(self.one(data))
        if self.luck.random() < 0.1:
            data["threads"] = [self.luck.randint(1, 60)]
        return self.post(who, f"/visits/{self.visit_id(patient)}/start", data)

    def prepare_dismissal(self) -> str:
        patient = self.patient()
        visit_id = self.visit_id(patient)
        with self.app.app_context():
            seen = standing_of(db.session.get_one(Visit, visit_id)).sha256
        if self.luck.random() < 0.1:
            seen = "0" * 64
        data = {"seen": seen, "words": self.one(("", "Examination, nothing found"))}
        return self.post(self.student_or_any(patient), f"/visits/{visit_id}/dismissal", data)

    def gate(self, patient: str, *kinds: GateKind) -> Any:
        with self.app.app_context():
            rows = select(Gate.id, Gate.version, Gate.kind, Gate.visit_id).where(
                Gate.patient_id == self.world.patients[patient], Gate.kind.in_(kinds or tuple(GateKind))
            )
            waiting = db.session.execute(rows.where(Gate.status == GateStatus.PENDING)).all()
            every = db.session.execute(rows).all()
            pick = waiting if waiting and self.luck.random() < 0.9 else every
            return self.one(pick) if pick else None

    def teeth(self, gate_id: int) -> dict[str, str]:
        """What a supervisor enters, nearly always right."""
        with self.app.app_context():
            found = {}
            for item in db.session.scalars(select(GateItem).where(GateItem.gate_id == gate_id)):
                row = (
                    db.session.get(ChartEntry, int(item.subject.partition(":")[2])) if "entry" in item.subject else None
                )
                if row is not None and row.kind in GUARDED:
                    right = self.luck.random() < 0.8
                    found[f"tooth-{item.id}"] = row.teeth if right else self.one(("37", "", "11", "x"))
            if self.luck.random() < 0.8:
                found["second"] = self.world.people[self.one(("leela", "leela", "sato", "kamal", "silva", "ruwan"))]
                found["reason"] = self.one(("It is loose", "Nothing to be seen on a picture", ""))
            return found

    def decide(self) -> str:
        patient = self.patient()
        gate = self.gate(patient)
        if gate is None:
            return "nothing"
        who, data = self.supervisor_or_any(patient), {"version": self.stale(gate.version)}
        kind = f"gate-{gate.kind.value}"
        if self.luck.random() < 0.2:
            return self.post(who, f"/approvals/{kind}/{gate.id}/return", data | {"reason": "Not like this"})
        if gate.kind is GateKind.START and self.luck.random() < 0.8:
            return self.post(who, f"/gates/{gate.id}/approve", data | self.teeth(gate.id))
        if self.luck.random() < 0.2:
            return self.post(who, "/approvals/approve", {"items": f"{kind}:{gate.id}:{data['version']}"})
        return self.post(who, f"/approvals/{kind}/{gate.id}/approve", data)

    def one_item(self) -> str:
        patient = self.patient()
        gate = self.gate(patient, GateKind.DISMISS)
        if gate is None:
            return "nothing"
        with self.app.app_context():
            own = select(GateItem.id).where(GateItem.gate_id == gate.id)
            items = db.session.scalars(own if self.luck.random() < 0.95 else select(GateItem.id)).all()
        if not items:
            return "nothing"
        data = {"version": self.stale(gate.version), "reason": "Look again"}
        act = self.one(("approve", "approve", "approve", "return"))
        return self.post(self.supervisor_or_any(patient), f"/gates/{gate.id}/items/{self.one(items)}/{act}", data)

    def withdraw(self) -> str:
        patient = self.patient()
        gate = self.gate(patient)
        if gate is None:
            return "nothing"
        url = f"/visits/{gate.visit_id}/gates/{gate.id}/withdraw"
        return self.post(self.student_or_any(patient), url, {"version": self.stale(gate.version)})

    def here(self) -> str:
        patient = self.patient()
        gate = self.gate(patient)
        if gate is None:
            return "nothing"
        data = {
            "version": self.stale(gate.version), "pin": self.one(PINS),
            "supervisor": self.world.people[self.supervisor_or_any(patient)],
        }  # fmt: skip
        url = f"/visits/{gate.visit_id}/gates/{gate.id}/here"
        return self.post(self.student_or_any(patient), url, data | self.teeth(gate.id))

    def chart(self) -> str:
        patient = self.patient()
        tooth, kind = (
            self.luck.choice((11, 14, 16, 17, 24, 26, 27, 34, 36, 37, 46, 47)),
            self.one(("o am", "x", "rct", "o car")),
        )
        status = "" if kind == "o car" else self.one((" plan", " plan", " done", " ip"))
        with self.app.app_context():
            seen = stroke_of(self.world.patients[patient])
        data = {"line": f"{tooth} {kind}{status}", "seen": seen, "reason": "Looked again"}
        who = self.one((self.student_or_any(patient), self.supervisor_or_any(patient)))
        return self.post(who, f"/patients/{self.world.patients[patient]}/chart/strokes", data)

    def row(self, patient: str) -> tuple[int, int] | None:
        with self.app.app_context():
            rows = select(ChartEntry.id).where(ChartEntry.patient_id == self.world.patients[patient])
            found = db.session.scalars(rows.order_by(ChartEntry.id.desc()).limit(12)).all()
            return (self.one(found), stroke_of(self.world.patients[patient])) if found else None

    def status(self, patient: str = "", who: str = "") -> str:
        patient = patient or self.patient()
        found = self.row(patient)
        if found is None:
            return "nothing"
        data = {
            "seen": found[1],
            "status": self.one(("in_process", "completed", "completed", "planned", "existing")),
            "reason": "So it is",
        }
        who = who or self.student_or_any(patient)
        return self.post(who, f"/patients/{self.world.patients[patient]}/chart/entries/{found[0]}/status", data)

    def error(self) -> str:
        patient = self.patient()
        found = self.row(patient)
        if found is None:
            return "nothing"
        if self.luck.random() < 0.4:
            url = f"/patients/{self.world.patients[patient]}/chart/strokes/{found[1]}/undo"
            return self.post(self.student_or_any(patient), url, {"seen": found[1]})
        url = f"/patients/{self.world.patients[patient]}/chart/entries/{found[0]}/error"
        return self.post(self.student_or_any(patient), url, {"seen": found[1], "reason": "Wrong tooth"})

    def changed(self) -> str:
        patient = self.patient()
        who = self.supervisor_or_any(patient)
        found = re.findall(r"/approvals/gate-changed/(\d+)", self.browsers[who].get("/approvals").text)
        if not found:
            return "nothing"
        page = self.browsers[who].get(f"/approvals/gate-changed/{found[0]}").text
        version = re.search(r'name="version" value="(\d+)"', page)
        data = {"version": self.stale(int(version[1])) if version else 1, "reason": "Why?"}
        return self.post(who, f"/approvals/gate-changed/{found[0]}/{self.one(('approve', 'approve', 'return'))}", data)

    def again(self) -> str:
        """Exactly what somebody sent before: by them with the same key, or by somebody else, or with a fresh key."""
        if not self.sent:
            return "nothing"
        who, url, data, key = self.one(self.sent[-40:])
        fresh = self.luck.random() < 0.5
        other = self.one(WHO) if self.luck.random() < 0.3 else who
        answer = self.browsers[other].post(url, data, once=f"{key}-again" if fresh else key)
        assert answer.status_code in ANSWERS, f"again {other} {url} {data}: {answer.status_code}"
        return f"{answer.status_code} {other} {url} {data}"

    def made_up(self) -> str:
        """Fields that no form of ours has."""
        patient, who = self.patient(), self.one(WHO)
        gate = self.gate(patient)
        number = gate.id if gate else 1
        url = self.one(
            (
                f"/gates/{number}/approve", f"/approvals/gate-start/{number}/approve", f"/approvals/gate-dismiss/{number}/approve",
                f"/approvals/gate-changed/{number}/approve", f"/visits/{self.visit_id(patient)}/start",
                f"/visits/{self.visit_id(patient)}/gates/{number}/here", f"/gates/{number}/items/1/approve",
            )
        )  # fmt: skip
        data = {
            "version": self.luck.randint(0, 4), "status": "approved", "decided_by_id": self.world.people["silva"], "actor": "silva",
            "session_of": 1, "supervisor": self.world.people["silva"], "pin": "", "threads": ["1", "2"], "kind": "start",
        }  # fmt: skip
        return self.post(who, url, data)

    def leave(self) -> str:
        entry = self.entry(self.patient())
        if entry is None:
            return "nothing"
        return self.post("ruwan", f"/queue/{entry.id}/leave", {"version": entry.version, "reason": "Had to go"})

    def transfer(self) -> str:
        entry = self.entry(self.patient())
        if entry is None:
            return "nothing"
        to = self.one(self.world.departments.values())
        return self.post(
            "nimal",
            f"/queue/{entry.id}/transfer",
            {"version": entry.version, "department": to, "reason": "Needs braces"},
        )

    def close_day(self) -> str:
        with self.app.app_context():
            department = self.one(self.world.departments.values())
            rows = select(QueueEntry).where(QueueEntry.department_id == department, QueueEntry.ended_at.is_(None))
            outcomes = {
                f"outcome-{row.id}": self.one(("done", "did_not_finish", "carry_over", "left_without_being_seen"))
                for row in db.session.scalars(rows)
            }
        return self.post("nimal", "/queue/close-day", {"department": department} | outcomes)

    def time_goes_by(self) -> str:
        """Some minutes; at times the next morning, with new visits of the day and the history looked through anew."""
        if self.luck.random() < 0.75:
            self.at += timedelta(minutes=self.luck.randint(1, 12))
        else:
            self.at += timedelta(hours=24 - (self.at.hour % 12))
        with self.app.app_context(), clock.frozen(self.at):
            for name in PATIENTS:
                if self.luck.random() < 0.8:
                    reviewed(self.world, name, STUDENT[name])
                going = select(Visit.id).where(
                    Visit.patient_id == self.world.patients[name],
                    Visit.status.in_((VisitStatus.SCHEDULED, VisitStatus.ARRIVED)),
                )
                if db.session.scalar(going.limit(1)) is None:
                    first = self.world.visit(name)
                    db.session.add(
                        Visit(
                            patient_id=first.patient_id,
                            department_id=self.world.departments["orthodontics" if name == "wu" else "restorative"],
                            starts_at=self.at,
                            student_id=self.world.people[STUDENT[name]],
                            supervisor_id=self.world.people["sato" if name == "wu" else "silva"],
                            reason="Next",
                            status=VisitStatus.SCHEDULED,
                            created_at=self.at,
                            created_by_id=self.world.people["ruwan"],
                        )  # fmt: skip
                    )
                for visit in db.session.scalars(
                    select(Visit).where(
                        Visit.patient_id == self.world.patients[name], Visit.status == VisitStatus.SCHEDULED
                    )
                ):
                    visit.starts_at = self.at
            db.session.commit()
        for browser in self.browsers.values():
            self.wake(browser)
        return "passed"

    def wake(self, browser: Person) -> None:
        from clinic.models import AuthSession

        with self.app.app_context():
            session = db.session.get_one(AuthSession, browser.session_id)
            session.created_at = session.active_at = self.at
            db.session.commit()

    # --- what is forbidden ----------------------------------------------------------------------------------------------

    def illegal(self) -> list[str]:
        with self.app.app_context():
            self.visits = {row.id: row for row in db.session.scalars(select(Visit))}
            self.people = {row.id: row for row in db.session.scalars(select(User))}
            self.gates = db.session.scalars(select(Gate)).all()
            self.items = db.session.scalars(select(GateItem)).all()
            self.rows = db.session.scalars(select(ChartEntry).order_by(ChartEntry.id)).all()
            wrong = [
                *self.wrong_moves(),
                *self.wrong_entries(),
                *self.wrong_decisions(),
                *self.wrong_teeth(),
                *self.wrong_waits(),
                *self.wrong_cases(),
                *self.wrong_notes(),
            ]
            self.rows_seen = len(self.rows)
            return wrong

    def approved(self, visit_id: int, kind: GateKind, at: Any) -> list[Gate]:
        return [
            gate
            for gate in self.gates
            if gate.visit_id == visit_id
            and gate.kind is kind
            and gate.status is GateStatus.APPROVED
            and gate.decided_at <= at
        ]

    def wrong_moves(self) -> list[str]:
        wrong = []
        entries = {row.id: row for row in db.session.scalars(select(QueueEntry))}
        for entry in entries.values():
            former = entries.get(entry.previous_id or 0)
            if former is None or entry.voided_at is not None or self.visits[entry.visit_id].student_id is None:
                continue
            if (former.stage, entry.stage) == (Stage.IN_CHAIR, Stage.IN_TREATMENT):
                day = clock.local(entry.started_at).date()
                good = [
                    gate
                    for gate in self.approved(entry.visit_id, GateKind.START, entry.started_at)
                    if gate.department_id == entry.department_id and clock.local(gate.decided_at).date() == day
                ]
                if not good:
                    wrong.append(f"entry {entry.id}: in treatment without an approved start")
            if entry.stage is Stage.IN_TREATMENT and former.stage in (Stage.WAITING, Stage.CALLED):
                wrong.append(f"entry {entry.id}: in treatment from {former.stage}")
            if entry.stage is Stage.CHECKOUT:
                good = self.approved(entry.visit_id, GateKind.DISMISS, entry.started_at)
                if former.stage is not Stage.AWAITING_DISMISSAL or not good:
                    wrong.append(f"entry {entry.id}: at checkout without an approved dismissal")
                elif left := self.unapproved_at(entry, max(good, key=lambda gate: gate.number)):
                    wrong.append(f"entry {entry.id}: at checkout with something nobody approved: {left}")
        return wrong

    def unapproved_at(self, entry: QueueEntry, gate: Gate) -> list[int]:
        """Threads that a student wrote on in the visit, before the move, and that are other than before the visit and no approved item."""
        visit = self.visits[entry.visit_id]
        approved = {
            item.subject for item in self.items if item.gate_id == gate.id and item.status is GateStatus.APPROVED
        }
        told = {}
        for row in self.rows:
            if row.patient_id == visit.patient_id and row.entered_at <= entry.started_at:
                told.setdefault(row.first_id or row.id, []).append(row)
        left = []
        for thread, rows in told.items():
            before = [row for row in rows if row.entered_at < visit.arrived_at]
            mine = [row for row in rows if row.entered_at >= visit.arrived_at]
            by_student = any(self.people[row.entered_by_id].role is Role.STUDENT for row in mine)
            late = any(
                row.entered_at > gate.prepared_at and self.people[row.entered_by_id].role is Role.STUDENT
                for row in mine
            )
            if by_student and self.said(before[-1:]) != self.said(mine[-1:]) and (f"entry:{thread}" not in approved):
                left.append(thread)
            if late and self.said(mine[-1:]) != self.said(
                [row for row in rows if row.entered_at <= gate.prepared_at][-1:]
            ):
                left.append(thread)
        return left

    @staticmethod
    def said(rows: list[ChartEntry]) -> Any:
        if not rows or rows[0].status.value == "entered_in_error":
            return None
        row = rows[0]
        return (
            row.kind,
            row.status,
            row.teeth,
            row.surfaces,
            row.jaw,
            row.details,
            row.dated,
            row.performer_id,
            row.visit_id,
        )

    def wrong_entries(self) -> list[str]:
        wrong = []
        by_id = {row.id: row for row in self.rows}
        for row in self.rows[self.rows_seen :]:
            before = by_id.get(row.supersedes_id or 0)
            performer = self.people.get(row.performer_id or 0)
            student = Role.STUDENT in (self.people[row.entered_by_id].role, performer.role if performer else None)
            new_status = before is None or before.status is not row.status
            if row.status.value not in DONE or not student or not new_status or row.reason == "Undone":
                continue
            day = clock.local(row.entered_at).date()
            hands = {
                each.id for each in (self.people[row.entered_by_id], performer) if each and each.role is Role.STUDENT
            }
            good = [
                gate
                for gate in self.approved(row.visit_id or 0, GateKind.START, row.entered_at)
                if clock.local(gate.decided_at).date() == day
                and gate.patient_id == row.patient_id
                and hands <= {gate.student_id, gate.prepared_by_id}
            ]
            subjects = {item.subject for item in self.items if item.gate_id in {gate.id for gate in good}}
            if not good:
                wrong.append(f"chart {row.id}: {row.status} without an approved start")
            elif before is not None and f"entry:{row.first_id or row.id}" not in subjects:
                wrong.append(f"chart {row.id}: {row.status} without its being in the start")
            elif before is None and row.kind in GUARDED:
                wrong.append(f"chart {row.id}: a {row.kind} that nobody planned")
        return wrong

    def wrong_decisions(self) -> list[str]:
        wrong = []
        for gate in self.gates:
            if gate.status in (GateStatus.PENDING, GateStatus.WITHDRAWN):
                continue
            by = self.people[gate.decided_by_id]
            if by.role is not Role.SUPERVISOR or by.department_id != gate.department_id or by.id == gate.prepared_by_id:
                wrong.append(f"gate {gate.id}: decided by {by.name}")
            if gate.session_of_id is not None and gate.session_of_id == by.id:
                wrong.append(f"gate {gate.id}: in the session of whoever decided")
            of_gate = [item for item in self.items if item.gate_id == gate.id]
            if gate.status is GateStatus.APPROVED and any(item.status is not GateStatus.APPROVED for item in of_gate):
                wrong.append(f"gate {gate.id}: approved, and something in it is not")
        return wrong

    def wrong_teeth(self) -> list[str]:
        matched = {match.gate_item_id: match for match in db.session.scalars(select(ToothMatch))}
        by_id = {row.id: row for row in self.rows}
        starts = {
            gate.id: gate for gate in self.gates if gate.kind is GateKind.START and gate.status is GateStatus.APPROVED
        }
        wrong = []
        for item in self.items:
            row = by_id.get(int(item.subject.partition(":")[2])) if item.gate_id in starts else None
            if row is None or row.kind not in GUARDED:
                continue
            match = matched.get(item.id)
            if match is None or match.entered != row.teeth or match.entered_by_id != starts[item.gate_id].decided_by_id:
                wrong.append(f"item {item.id}: {row.kind} of {row.teeth} approved without the tooth")
                continue
            gate = starts[item.gate_id]
            if match.agrees and (row.teeth != NAMED or gate.patient_id != self.world.patients["fernando"]):
                wrong.append(f"item {item.id}: agrees, and no paper names {row.teeth}")
            if not match.agrees and match.second_id in (None, gate.prepared_by_id, gate.decided_by_id):
                wrong.append(f"item {item.id}: nobody else looked")
        return wrong

    def wrong_waits(self) -> list[str]:
        here = {
            row.visit_id: row.stage
            for row in db.session.scalars(select(QueueEntry).where(QueueEntry.ended_at.is_(None)))
        }
        away = (Stage.WAITING, Stage.CALLED, None)
        return [
            f"gate {gate.id}: waits, and the patient is not there"
            for gate in self.gates
            if gate.status is GateStatus.PENDING
            and (
                (gate.kind is GateKind.START and here.get(gate.visit_id) in away)
                or (gate.kind is GateKind.DISMISS and here.get(gate.visit_id, Stage.DONE) in away)
            )
        ]


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_nobody_comes_past_the_gates(app, world, monkeypatch, part):
    monkeypatch.setattr(app, "test_client_class", FlaskClient)  # pages are linted elsewhere
    monkeypatch.setattr(
        passwords, "matches", lambda hashed, typed: bool(hashed) and typed == PINS[0]
    )  # hashing is tested elsewhere
    luck, tally = random.Random(daily_seed() + part), Counter[str]()
    with app.app_context():
        connection = db.session().get_bind()
    done = 0
    while done < STEPS:
        episode = connection.begin_nested()
        walk = Walk(app, world, luck, tally)
        for _ in range(min(EPISODE, STEPS - done)):
            walk.at += timedelta(seconds=1)
            with clock.frozen(walk.at):
                walk.step()
            done += 1
            wrong = walk.illegal()
            assert not wrong, "\n".join([f"step {done}, part {part}, seed {daily_seed()}", *wrong, *walk.trace[-60:]])
        episode.rollback()
        with app.app_context():
            db.session.remove()
    print(f"{done} steps, part {part}, seed {daily_seed()}, 0 illegal states;", dict(sorted(tally.items())))
    if done >= 2000:  # a short walk may miss one
        went = (
            "decide",
            "prepare_start",
            "prepare_dismissal",
            "status",
            "one_item",
            "case_on",
            "case_any",
            "note",
            "note_any",
        )
        for wanted in (f"{act}: 303" for act in went):
            assert tally[wanted], f"the walk never did {wanted}: {dict(tally)}"
