"""A whole clinic at work: everybody's browser by script at a person's pace, each with a live stream, against the served application.

Students call their patients, prepare a start, chart, write and dismiss; supervisors approve; the front desk finishes visits. Nothing
that was answered as done may be missing afterwards, or be there twice; no answer may be an error. How long each page took is printed,
and not judged: it depends on where this runs. SOAK=full: 50 students and 8 supervisors for ten minutes.
"""

import html
import http.client
import json
import os
import random
import re
import statistics
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    Chair,
    ChartEntry,
    Gate,
    GateStatus,
    Note,
    Patient,
    QueueEntry,
    Role,
    Sex,
    Stage,
    User,
    Visit,
    VisitStatus,
)
from clinic.queries.chart import stroke_of
from tests.charting import chart_line
from tests.forms import fields_of, forms_of
from tests.gated import gates_on, reviewed
from tests.scene import open_entry
from tests.soak import daily_seed, share
from tests.streams import Listener, Refused

pytestmark = [pytest.mark.server, pytest.mark.soak, pytest.mark.timeout(1800)]
STUDENTS, SUPERVISORS = share(50, 4), share(8, 2)
SECONDS = int(os.environ.get("SECONDS", "0")) or share(600, 25)
VISITS = share(6, 2)  # of each student
PACE = (share(3.0, 0.4), share(7.0, 1.0))  # seconds for which a person looks at a page before the next act
TEETH = (11, 12, 14, 15, 17, 21, 22, 24, 25, 26, 34, 35, 44, 45, 46, 47)


class Clinic:
    """The scene, and what everybody noted down: how long pages took, what went wrong, what was answered as done."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.ends = float("inf")
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self.done: Counter[str] = Counter()
        self.charted: list[str] = []
        self.written: list[str] = []
        self.coming: deque[int] = deque()  # visits whose patients stand at the desk
        self.visits: defaultdict[str, list[tuple[int, int, int]]] = defaultdict(
            list
        )  # of a student: visit, patient, chair
        with server.inside():
            gates_on()
            self._fill()
            db.session.commit()
            db.session.remove()

    def _fill(self) -> None:
        world, at = self.server.world, clock.now()
        for number in range(SUPERVISORS - 1):
            self._person(f"supervisor{number}", Role.SUPERVISOR, None)
        for number in range(STUDENTS):
            name = f"student{number}"
            student = self._person(name, Role.STUDENT, 4)
            chair = Chair(department_id=world.departments["restorative"], name=f"S{number}")
            db.session.add(chair)
            db.session.flush()
            for turn in range(VISITS):
                patient, visit = self._patient(name, student, number * VISITS + turn, at)
                self.visits[name].append((visit.id, patient.id, chair.id))

    def _person(self, name: str, role: Role, year: int | None) -> User:
        world = self.server.world
        row = User(
            email=f"{name}@clinic.test", name=name.title(), role=role, department_id=world.departments["restorative"],
            year=year, password_hash="!", created_at=clock.now(),
        )  # fmt: skip
        db.session.add(row)
        db.session.flush()
        world.people[name] = row.id
        return row

    def _patient(self, name: str, student: User, number: int, at: Any) -> tuple[Patient, Visit]:
        world = self.server.world
        patient = Patient(
            code=f"P-2024-{number:05d}", name=f"Patient {number}", sort_name=f"patient {number:05d}",
            birth_date=(at - timedelta(days=12_000)).date(), sex=Sex.OTHER, created_at=at, created_by_id=world.people["ruwan"],
        )  # fmt: skip
        db.session.add(patient)
        db.session.flush()
        world.patients[f"of{number}"] = patient.id
        db.session.add(
            Assignment(
                patient_id=patient.id,
                user_id=student.id,
                kind=AssignmentKind.PRIMARY,
                starts_at=at - timedelta(days=1),
                created_by_id=world.people["silva"],
            )  # fmt: skip
        )
        visit = Visit(
            patient_id=patient.id, department_id=world.departments["restorative"], starts_at=at, student_id=student.id,
            supervisor_id=world.people["silva"], status=VisitStatus.SCHEDULED, created_at=at,
            created_by_id=world.people["ruwan"],
        )  # fmt: skip
        db.session.add(visit)
        db.session.flush()
        if number % VISITS == 0:  # the first of each student waits, the others come when it is called
            visit.status, visit.arrived_at, visit.ticket = VisitStatus.ARRIVED, at, f"C-{number:03d}"
            open_entry(visit, Stage.WAITING, None, at)
        with clock.frozen(at - timedelta(hours=1)):
            chart_line(patient, "36 o am plan", actor=student, reason="Planned")
        reviewed(world, f"of{number}", name)
        return patient, visit

    def ask(self, question: Callable[[], Any]) -> Any:
        """A look into the database from outside, for what a person reads off the screen."""
        with self.server.inside():
            try:
                return question()
            finally:
                db.session.remove()

    def is_over(self) -> bool:
        """The day ends in time, but not before somebody has signed something, however long the pages take."""
        return time.monotonic() > self.ends + (0 if self.written else 120)

    def people(self) -> list["Someone"]:
        students = [Student(self, f"student{number}") for number in range(STUDENTS)]
        supervisors = [Supervisor(self, f"supervisor{number}") for number in range(SUPERVISORS - 1)]
        return [
            *students,
            *supervisors,
            Supervisor(self, "silva"),
            *(Desk(self, who) for who in ("ruwan", "rita")),
        ]


class Someone(threading.Thread):
    """One browser with a stream; `regions` are what its page asks for anew when the stream says so: addresses, and upon what."""

    def __init__(self, clinic: Clinic, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.clinic = clinic
        self.luck = random.Random(f"{daily_seed()} {name}")
        self.cookie, self.token = clinic.server.sign_in(name)
        self.listener = Listener(clinic.server.port, self.cookie, who=name)
        self.line: http.client.HTTPConnection | None = None
        self.asked = 0.0  # when that was used last
        self.regions: list[tuple[str, str]] = []

    def run(self) -> None:
        try:
            self._listen()
            while not self.clinic.is_over():
                self.turn()
        except Over:
            pass
        except Exception as error:  # a person's script that ends is an error of the campaign, told at its end
            self.clinic.errors.append(f"{self.name}: {error!r}")
        finally:
            self.listener.drop()
            if self.line:
                self.line.close()

    def turn(self) -> None:
        raise NotImplementedError

    def look(self) -> None:
        """Look at the page for a while; meanwhile its regions keep themselves new. Raises Over when the day is."""
        until = time.monotonic() + self.luck.uniform(*PACE)
        while (left := until - time.monotonic()) > 0:
            known = len(self.listener.events)
            if not self.listener.hear(min(left, 1.0)):
                self._listen()
            heard = {f"{name} from:body" for _, name, _ in self.listener.events[known:]}
            self.regions = [self.anew(*each, heard) for each in self.regions]
        if self.clinic.is_over():
            raise Over

    def anew(self, path: str, upon: str, heard: set[str]) -> tuple[str, str]:
        """A region after what was heard: as its page says where and when it is asked for, and as it was when there is nothing new."""
        if heard.isdisjoint(upon.split(", ")):
            return path, upon
        name = re.sub(r"\d+", "N", path.partition("?")[0])
        found = regions_of(self._send(f"GET {name} (again)", "GET", path)[1])
        return found[0] if found else (path, upon)

    def get(self, name: str, path: str) -> str:
        """Open a page."""
        return self.open(f"GET {name}", path)[1]

    def open(self, name: str, path: str, *, also: tuple[int, ...] = ()) -> tuple[int, str]:
        """Open a page; its regions and its stream take the place of the former one's."""
        status, page = self._send(name, "GET", path, also=also)
        self.regions = regions_of(page)
        if stream := re.search(r'hx-sse:connect="([^"]+)"', page):
            self.listener.path, self.listener.last = html.unescape(stream[1]), ""
            self._listen()
        return status, page

    def post(self, name: str, path: str, data: dict[str, Any], *, also: tuple[int, ...] = ()) -> int:
        fields = {"once": f"{self.luck.getrandbits(60)}"} | data | {"csrf_token": self.token}
        return self._send(f"POST {name}", "POST", path, urlencode(fields, doseq=True), also)[0]

    def _send(
        self, name: str, method: str, path: str, body: str | None = None, also: tuple[int, ...] = ()
    ) -> tuple[int, str]:
        headers = {"Cookie": self.cookie, "Accept-Encoding": "identity"}
        if body is not None:
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.clinic.server.url}
        began = time.monotonic()
        if self.line and began - self.asked > 60:  # a browser knows which of its connections was closed meanwhile
            self.line.close()
            self.line = None
        if self.line is None:
            self.line = http.client.HTTPConnection("127.0.0.1", self.clinic.server.port, timeout=60)
        self.asked = began
        self.line.request(method, path, body, headers)
        answer = self.line.getresponse()
        text = answer.read().decode("utf-8", "replace")
        self.clinic.took[name].append(time.monotonic() - began)
        if answer.status not in (200, 204, 303, *also):
            said = re.findall(r'class="(?:message|refusal|fault)"[^>]*>(.+?)</p>', text, re.DOTALL)
            self.clinic.errors.append(f"{self.name} {name} {path}: {answer.status} {said}")
        return answer.status, text

    def _listen(self) -> None:
        for _ in range(50):
            try:
                self.listener.connect()
                return
            except (Refused, OSError) as error:
                why = repr(error)
                time.sleep(0.1)
        raise AssertionError(f"no process takes the stream: {why}")


class Over(Exception):
    """The day is over."""


class Student(Someone):
    """Treats one patient after the other."""

    def turn(self) -> None:
        if not self.clinic.visits[self.name]:
            self.get("/my-queue", "/my-queue")
            self.look()
            return
        visit_id, patient_id, chair_id = self.clinic.visits[self.name].pop(0)
        self.clinic.coming.extend(visit for visit, _patient, _chair in self.clinic.visits[self.name][:1])
        of, tag = f"/patients/{patient_id}", f"{self.name} {visit_id}"
        self.seat(visit_id, chair_id)
        for name, path in (("/patients/N", of), ("/chart", f"{of}/chart"), ("/notes", f"{of}/notes")):
            self.get(name, path)
            self.look()
        start = f"/visits/{visit_id}/start"
        page = self.get("/visits/N/start", start)
        ticked = defaultdict(list)
        for name, value in re.findall(r'<input type="checkbox" name="(\w+)" id="[^"]+" value="([^"]+)"', page):
            ticked[name].append(value)
        self.look()
        self.post("/visits/N/start", start, ticked | {"site": "y", "no_radiograph": "Seen last week"})
        self.approved(visit_id)
        for tooth in self.luck.sample(TEETH, 3):
            self.chart(patient_id, tooth)
        self.complete(patient_id)
        self.write(patient_id, visit_id, tag)
        dismissal = f"/visits/{visit_id}/dismissal"
        seen = fields_of(self.get("/visits/N/dismissal", dismissal), dismissal)
        self.look()
        self.post("/visits/N/dismissal", dismissal, seen)
        self.approved(visit_id)
        self.get("/timeline", f"{of}/timeline")
        self.look()

    def seat(self, visit_id: int, chair_id: int) -> None:
        self.get("/my-queue", "/my-queue")
        self.look()
        while self.clinic.ask(lambda: db.session.execute(_open(visit_id)).one_or_none()) is None:
            self.look()
        for path, more in (("/queue/{}/call", {"chair": chair_id}), ("/my-queue/{}/move", {"to": "in_chair"})):
            entry = self.clinic.ask(lambda: db.session.execute(_open(visit_id)).one())
            self.post(path.format("N"), path.format(entry.id), {"version": entry.version} | more)
            self.look()

    def approved(self, visit_id: int) -> None:
        """Wait beside the patient until a supervisor has decided."""
        waits = select(Gate.id).where(Gate.visit_id == visit_id, Gate.status == GateStatus.PENDING)
        self.get("/visits/N", f"/visits/{visit_id}")
        self.look()
        looks = 0
        while self.clinic.ask(lambda: db.session.scalar(waits)) is not None:
            self.look()
            looks += 1
            if looks % 20 == 0:  # a terminal that nobody touches for minutes would lock
                self.get("/visits/N", f"/visits/{visit_id}")

    def chart(self, patient_id: int, tooth: int) -> None:
        seen = self.clinic.ask(lambda: stroke_of(patient_id))
        data = {"line": f"{tooth} o car", "seen": seen, "reason": "Seen today"}
        if self.post("/chart/strokes", f"/patients/{patient_id}/chart/strokes", data) < 400:
            self.clinic.charted.append(f"{patient_id} {tooth}")
        self._send("GET /chart/mouth", "GET", f"/patients/{patient_id}/chart/mouth")
        self.look()

    def complete(self, patient_id: int) -> None:
        """What was planned: begun, then done."""
        for status in ("in_process", "completed"):
            row, seen = self.clinic.ask(lambda: (db.session.scalar(_last_of(patient_id)), stroke_of(patient_id)))
            data = {"seen": seen, "status": status, "reason": "Done", "place": "36"}
            self.post("/chart/entries/N/status", f"/patients/{patient_id}/chart/entries/{row}/status", data)
            self.look()

    def write(self, patient_id: int, visit_id: int, tag: str) -> None:
        path = f"/patients/{patient_id}/notes/new"
        page = self.get("/notes/new", path)
        fields = fields_of(page, path)
        text = f"{tag}. Caries removed under rubber dam, composite placed in 36. " * 5
        for part in (1, 2, 3):
            typed = {"text": [text[: len(text) * part // 3]]}
            data = {"form": path, "fields": json.dumps(typed), "once": fields["once"]}
            self.post("/drafts", "/drafts", data, also=(409,))
            self.look()
        if self.post("/notes/new", path, fields | {"text": text, "visit_id": visit_id, "type": "progress"}) < 400:
            self.clinic.written.append(tag)


class Supervisor(Someone):
    """Goes from one thing that waits to the next; another may have been quicker."""

    def turn(self) -> None:
        page = self.get("/approvals", "/approvals")
        self.look()
        found = sorted(set(re.findall(r'href="(/approvals/[a-z-]+/\d+)"', page)))
        if not found:
            for name in ("/my-queue", "/queue", "/unapproved"):
                self.get(name, name)
                self.look()
            return
        path = self.luck.choice(found)
        kind = path.rsplit("/", 1)[0]
        status, page = self.open(f"GET {kind}/N", path, also=(404,))
        self.look()
        form = next(
            (form for form in forms_of(page) if re.fullmatch(r"/(gates|approvals/.*)/\d+/approve", form.action)), None
        )
        if form is None or status != 200:
            return
        answered = self.post(f"{kind}/N/approve", form.action, form.fields, also=(404, 409, 422))
        self.clinic.done["approved" if answered < 400 else "somebody was quicker"] += 1


class Desk(Someone):
    """Finishes the visits that are at checkout."""

    def turn(self) -> None:
        self.get("/queue", "/queue")
        self.look()
        with suppress(IndexError):
            while True:
                visit_id = self.clinic.coming.popleft()
                self.post("/visits/N/check-in", f"/visits/{visit_id}/check-in", {})
                self.clinic.done["checked in"] += 1
        ready = select(QueueEntry.id, QueueEntry.version).where(
            QueueEntry.ended_at.is_(None), QueueEntry.stage == Stage.CHECKOUT
        )
        for entry in self.clinic.ask(lambda: db.session.execute(ready.limit(3)).all()):
            finish = f"/queue/{entry.id}/finish"
            answered = self.post("/queue/N/finish", finish, {"version": entry.version}, also=(404, 409))
            self.clinic.done["finished"] += answered < 400


def regions_of(page: str) -> list[tuple[str, str]]:
    """What of a page, or of a region, is live: its address, and upon what it is asked for."""
    found = re.findall(r'hx-get="([^"]+)" hx-trigger="([^"]*live:poll[^"]*)"', page)
    return [(html.unescape(path), upon) for path, upon in found]


def _open(visit_id: int) -> Any:
    own = select(QueueEntry.id, QueueEntry.version).where(QueueEntry.visit_id == visit_id)
    return own.where(QueueEntry.ended_at.is_(None))


def _last_of(patient_id: int) -> Any:
    """The newest row of what was planned first."""
    own = select(ChartEntry.id).where(ChartEntry.patient_id == patient_id, ChartEntry.kind != "caries")
    return own.order_by(ChartEntry.id.desc()).limit(1)


def test_the_whole_clinic_at_work(server):
    clinic = Clinic(server)
    people = clinic.people()
    for person in people:
        person.start()
        time.sleep(share(1.0, 0.02))  # nobody comes in at the same instant
    clinic.ends = time.monotonic() + SECONDS
    for person in people:
        person.join(SECONDS + 240)
        assert not person.is_alive(), f"{person.name} hangs"
    table = sorted(clinic.took.items(), key=lambda each: -p95(each[1]))
    print(f"\nseed {daily_seed()}, {STUDENTS} students, {SUPERVISORS} supervisors, {SECONDS} s, {dict(clinic.done)}")
    for name, took in table:
        print(f"{name:42} {len(took):6} p50 {statistics.median(took) * 1000:6.0f} p95 {p95(took) * 1000:6.0f} ms")
    every = [second for took in clinic.took.values() for second in took]
    print(f"{'all':42} {len(every):6} p50 {statistics.median(every) * 1000:6.0f} p95 {p95(every) * 1000:6.0f} ms")
    print(*clinic.errors[:20], sep="\n")
    assert clinic.errors == []
    assert clinic.written, "hardly anything was done"
    with server.inside():
        texts = [text.split(".", 1)[0] for text in db.session.scalars(select(Note.text))]
        rows = select(ChartEntry.patient_id, ChartEntry.teeth).where(ChartEntry.kind == "caries")
        found = [f"{patient_id} {tooth}" for patient_id, tooth in db.session.execute(rows)]
    assert Counter(texts) == Counter(clinic.written), "a note that was answered as signed is missing, or is there twice"
    assert Counter(found) == Counter(clinic.charted), (
        "a stroke that was answered as written is missing, or is there twice"
    )


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
