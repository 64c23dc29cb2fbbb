"""Random years in the clinic against a small model of who knows whom: after each step every way to a patient agrees with it.

After each step, for every student and supervisor: the list of patients, its count and the archived, the search, the palette's
autocomplete, the topics of the stream; the record of every patient (200 or 404), and writing to one of them. Whoever lost something in
the step has a stream that is closed by the next look at its rights; whoever changed place or left is signed out. For whoever's patients
the step changed all other routes too, and every `EVERYWHERE` steps those of everybody, with the records drawn as pages: no page shows the
name or code of a patient the person may not know, and no address about such a patient answers. SOAK=full walks 10,000 steps, in four
parts that `-n 2` walks side by side; STEPS=500 walks that many.
"""

import os
import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from clinic import clock, errors, live_stream, settings
from clinic.blueprints.patients import routes as patient_views
from clinic.blueprints.queue.board import forget_bodies
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.models import (
    Assignment,
    AssignmentKind,
    AuthSession,
    BrokenGlass,
    GlassReason,
    Judgement,
    Patient,
    QueueEntry,
    Request,
    RequestKind,
    Role,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations import glass, leaving, people, requests
from clinic.operations import handover as handing_over
from clinic.operations.assignments import assign, end_assignment
from clinic.operations.patients import archive_patient, restore_patient
from clinic.operations.queue import leave_unseen, transfer
from clinic.operations.visits import add_walk_in, check_in, mark_missed_visits, move_visit, schedule_visit
from tests.campaigns.access_model import Asked, Facts, Model, Somebody
from tests.conventions.matrix import address, routes, with_ticket
from tests.filed import PDF, file_document
from tests.person import Person
from tests.soak import daily_seed, share
from tests.world import PATIENTS

PARTS = share(4, 1)
STEPS = share(10_000, int(os.environ.get("STEPS", "60"))) // PARTS
EPISODE = 150  # steps before everything begins anew
EVERYWHERE = share(50, 20)
WATCHED = ("ruwan", "nimal", "adel", "silva", "sato", "kamal", "leela", "omar")
# Of the others, to whom assignments and visits mean nothing, only those whose patients the step changed, and all with the full rounds.
ALWAYS = ("student", "supervisor")
MOVABLE = ("sato", "kamal", "leela", "omar")
KINDS = [kind.value for kind in AssignmentKind]
ROW = re.compile(r'<tr id="p(\d+)"')
FOUND = re.compile(r'href="/patients/(\d+)"')
COUNT = re.compile(r'<span class="muted small">(\d+) patients?</span>')
# Pages that keep what the person was told, asked for or opened themself, while they knew the patient.
KEPT = ("/notices", "/requests", "/break-glass")
# Whoever decides a request is shown whom it is about; the trail and the review of glasses name everybody to those who judge.
SHOWN_TO_DECIDE = ("/approvals", "/break-glass/review", "/audit")


@pytest.fixture
def engine_name() -> str:
    """What a person may see is asked in the same words of both; SQLite answers sooner."""
    return "sqlite"


def undrawn(patient: Patient, **_: Any) -> str:
    """Between the full rounds the view of a record finds the patient, tells the trail and commits, and draws no page."""
    return patient.code


def unspoken(status: int, sentence: str | None = None) -> tuple[str, int]:
    """Nor is a refusal's page drawn; its status is what is compared."""
    return sentence or "", status


class Walk:
    """One episode: the world, the model of it, and the browsers of everybody watched."""

    def __init__(self, app: Any, world: Any, luck: random.Random, tally: Counter[str]) -> None:
        self.app, self.world, self.luck, self.tally = app, world, luck, tally
        self.trace: list[str] = []
        settings.forget()
        forget_bodies()
        with app.app_context():
            self.at = clock.start_of(clock.today()) + timedelta(hours=10)
            for name in world.visits:
                world.visit(name).starts_at = self.at + timedelta(hours=2)
            for name, patient in world.patients.items():
                if world.patient(name).archived_at is None:
                    file_document(world, name, "ruwan", body=PDF, once=f"{name} {patient} {luck.random()}")
            db.session.commit()
            rows = db.session.scalars(select(User)).all()
            held = db.session.scalars(select(Assignment).where(Assignment.ends_at.is_(None))).all()
            self.names = {row.id: (row.code, row.name) for row in db.session.scalars(select(Patient))}
            self.model = Model(
                people={row.id: Somebody(str(row.role), row.department_id) for row in rows},
                patients=set(world.patients.values()),
                running={(row.patient_id, row.user_id, str(row.kind)) for row in held},
                archived={world.patients["archie"]},
            )
        self.read_visits()
        self.browsers = {world.people[name]: Person(app, world.people[name]) for name in WATCHED}
        self.known = {person: self.knows(person) for person in self.browsers}  # at the last comparison

    # --- acts ---------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One random act, and what became of it in the model."""
        acts: list[tuple[int, Callable[[], Any]]] = [
            (5, self.assign),
            (4, self.ask_assignment),
            (3, self.ask_for),
            (5, self.ask_transfer),
            (8, self.approve),
            (2, self.return_or_withdraw),
            (3, self.end),
            (3, self.hand_over),
            (1, self.graduate),
            (1, self.deactivate),
            (2, self.reactivate),
            (2, self.change_place),
            (4, self.break_glass),
            (1, self.close_or_judge),
            (3, self.time_goes_by),
            (4, self.visit),
            (1, self.archive),
        ]
        act = self.luck.choices([one for _, one in acts], [weight for weight, _ in acts])[0]
        before = self.standing()
        said = act()
        self.read_visits()
        self.tally[f"{act.__name__}: {'done' if said else 'refused or nothing to do'}"] += 1
        self.trace.append(f"{self.at:%d %H:%M:%S} {act.__name__} {said or 'refused'}")
        self.check_streams(before)

    def do(self, actor: int, operation: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """The operation in a transaction of its own; its answer as plain values, or None when it was refused."""
        with self.app.app_context():
            try:
                row = operation(*args, actor=db.session.get_one(User, actor), **named)
                db.session.flush()
                answer = (
                    SimpleNamespace(**{k: v for k, v in vars(row).items() if k[0] != "_"})
                    if hasattr(row, "id")
                    else True
                )
                db.session.commit()
            except DomainError:
                db.session.rollback()
                return None
            return answer

    def one(self, choices: Any) -> Any:
        choices = sorted(choices)
        return self.luck.choice(choices) if choices else None

    def of_role(self, *roles: str) -> list[int]:
        return [number for number, who in self.model.people.items() if who.active and who.role in roles]

    def anybody(self) -> int:
        return self.one(self.world.people[name] for name in WATCHED)

    def patient(self) -> int:
        return self.one(self.model.patients)

    def assign(self) -> Any:
        actor = self.one(self.of_role("supervisor"))
        person, patient, kind = self.one(self.of_role("student", "supervisor")), self.patient(), self.one(KINDS)
        done = self.do(
            actor, assign, patient_id=patient, person_id=person, kind=AssignmentKind(kind), reason="Needs it"
        )
        if done:
            assert self.model.answers_for(actor, person), "assigned by somebody who may not"
            assert self.model.given(actor, patient), "assigned a patient the supervisor may not know"
            self.model.give(patient, person, kind)
        return done and (actor, patient, person, kind)

    def ask_assignment(self) -> Any:
        patient, person, kind = self.patient(), self.one(self.of_role("student", "supervisor")), self.one(KINDS)
        what = RequestKind.ASSIGN
        if self.luck.random() < 0.4 and self.model.running:
            what, (patient, person, kind) = RequestKind.REMOVE, self.one(self.model.running)
        actor = self.world.people["ruwan"]
        return self.asked(
            actor,
            Asked(str(what), patient, person, kind, actor),
            requests.ask_assignment,
            kind=what,
            patient_id=patient,
            clinician_id=person,
            assignment_kind=AssignmentKind(kind),
            reason="Asked at the desk",
        )

    def ask_for(self) -> Any:
        actor, patient, kind = self.one(self.of_role("student")), self.patient(), self.one(KINDS)
        if actor is None:
            return None
        nobody = self.luck.random() < 0.1
        return self.asked(
            actor,
            Asked("ask", None if nobody else patient, actor, kind, actor),
            requests.ask_for_patient,
            code="P-2026-09999" if nobody else self.names[patient][0],
            assignment_kind=AssignmentKind(kind),
            need="A crown for the third year",
        )

    def ask_transfer(self) -> Any:
        patient, giver, kind = self.one(self.model.running) or (None, None, "")
        receiver = self.one(self.of_role("student"))
        if giver is None or receiver is None:
            return None
        actor = giver if self.luck.random() < 0.7 else self.one(self.of_role("supervisor"))
        return self.asked(
            actor,
            Asked("transfer", patient, receiver, kind, actor, giver),
            requests.ask_transfer,
            patient_id=patient,
            from_id=giver,
            to_id=receiver,
            handover="Crown on 16 is prepared.",
            destinations=self.destinations(patient, giver, receiver),
        )

    def asked(self, actor: int, what: Asked, operation: Callable[..., Any], **named: Any) -> Any:
        done = self.do(actor, operation, **named)
        if done:
            self.model.open_requests[done.id] = what
        return done and (done.id, what)

    def destinations(self, patient: int, giver: int, receiver: int) -> Any:
        with self.app.app_context():
            items = handing_over.items_of([patient], db.session.get_one(User, giver))[patient]
            return handing_over.usual_destinations(items, db.session.get_one(User, receiver))

    def request(self) -> tuple[int, int] | None:
        """A request, open as far as the model knows, and its version."""
        number = self.one(self.model.open_requests)
        if number is None:
            return None
        with self.app.app_context():
            return number, db.session.get_one(Request, number).version

    def approve(self) -> Any:
        found = self.request()
        if found is None:
            return None
        number, version = found
        asked = self.model.open_requests[number]
        actor = self.one(self.of_role("supervisor", "supervisor", "student", "receptionist"))
        right = [each for each in self.of_role("supervisor") if self.model.answers_for(each, asked.clinician)]
        if right and self.luck.random() < 0.8:
            actor = self.one(right)
        done = self.do(actor, requests.approve_request, number, version=version, reason="Agreed")
        if done:
            assert self.model.answers_for(actor, asked.clinician), "approved by somebody who does not decide"
            assert actor != asked.asked_by, "approved by whoever asked"
            self.model.approve(number)
        return done and (actor, asked)

    def return_or_withdraw(self) -> Any:
        found = self.request()
        if found is None:
            return None
        number, version = found
        asked = self.model.open_requests[number]
        if self.luck.random() < 0.5:
            done = self.do(asked.asked_by, requests.withdraw_request, number, version=version)
        else:
            actor = self.one(self.of_role("supervisor"))
            done = self.do(actor, requests.return_request, number, version=version, reason="Not now")
        if done:
            del self.model.open_requests[number]
        return done and number

    def end(self) -> Any:
        patient, person, kind = self.one(self.model.running) or (None, None, "")
        if person is None:
            return None
        with self.app.app_context():
            number = db.session.scalars(self.held(patient, person, kind)).one().id
        actor = self.one(self.of_role("supervisor"))
        done = self.do(actor, end_assignment, number, reason="Finished")
        if done:
            assert self.model.answers_for(actor, person), "ended by somebody who may not"
            self.model.end(patient, person, kind)
        return done and (patient, person, kind)

    def held(self, patient: int, person: int, kind: str) -> Any:
        return select(Assignment).where(
            Assignment.patient_id == patient,
            Assignment.user_id == person,
            Assignment.kind == AssignmentKind(kind),
            Assignment.ends_at.is_(None),
        )

    def hand_over(self) -> Any:
        patient, giver, _ = self.one(self.model.running) or (None, None, "")
        receiver, actor = self.one(self.of_role("student")), self.one(self.of_role("supervisor"))
        if giver is None or receiver is None:
            return None
        done = self.do(
            actor,
            leaving.hand_over,
            patient_id=patient,
            from_id=giver,
            to_id=receiver,
            handover="Crown on 16 is prepared.",
            destinations=self.destinations(patient, giver, receiver),
            reason="Needs it",
        )
        if done:
            assert self.model.answers_for(actor, giver), "handed over by somebody who may not"
            assert self.model.answers_for(actor, receiver), "handed over to somebody of another department"
            self.model.pass_on(patient, giver, receiver)
            for number, asked in list(self.model.open_requests.items()):
                if asked.kind == "transfer" and (asked.patient, asked.giver) == (patient, giver):
                    del self.model.open_requests[number]
        return done and (patient, giver, receiver)

    def graduate(self) -> Any:
        student, actor = self.one(self.of_role("student")), self.one(self.of_role("supervisor"))
        if student is None:
            return None
        near = [each for each in self.of_role("student", "supervisor") if each != student]
        near = [each for each in near if self.model.people[each].department == self.model.people[student].department]
        with self.app.app_context():
            rows = db.session.scalars(
                select(Assignment).where(Assignment.user_id == student, Assignment.ends_at.is_(None))
            ).all()
            held = {row.id: (row.patient_id, str(row.kind)) for row in rows}
        to = {number: (None if self.luck.random() < 0.1 else self.one(near)) for number in held}
        done = self.do(
            actor,
            leaving.hand_over_all,
            student,
            to=to,
            handover="All is written.",
            notes={},
            reason="Graduates",
            beyond="Needs it",
        )
        if done:
            assert self.model.answers_for(actor, student), "graduated by somebody who may not"
            for patient in {patient for patient, _ in held.values()}:
                mine = {number: kind for number, (whose, kind) in held.items() if whose == patient}
                for number, kind in mine.items():
                    if to[number] is not None and patient not in self.model.archived:
                        self.model.give(patient, to[number], kind)
                for kind in mine.values():
                    self.model.end(patient, student, kind)
            self.model.close_about(student)
        return done and (student, to)

    def deactivate(self) -> Any:
        person = self.world.people[self.one(MOVABLE)]
        who = self.model.people[person]
        done = who.active and self.do(self.world.people["adel"], people.deactivate, person)
        if done:
            self.model.leave(person, who.department)
            who.active = False
        return done and person

    def reactivate(self) -> Any:
        person = self.one(number for number, who in self.model.people.items() if not who.active)
        done = person and self.do(self.world.people["adel"], people.reactivate, person)
        if done:
            self.model.people[person].active = True
        return done and person

    def change_place(self) -> Any:
        """Another role, or another department in the same."""
        person = self.world.people[self.one(MOVABLE)]
        who = self.model.people[person]
        role = (
            who.role
            if self.luck.random() < 0.5
            else self.one(["student", "supervisor", "nurse", "receptionist", "student"])
        )
        department = self.one(self.world.departments.values()) if role in ("student", "supervisor") else None
        with self.app.app_context():
            row = db.session.get_one(User, person)
            kept = {"name": row.name, "email": row.email, "version": row.version}
            year = row.year or 4
        done = self.do(
            self.world.people["adel"],
            people.change_person,
            person,
            role=Role(role),
            department_id=department,
            year=year if role == "student" else None,
            **kept,
        )
        if done:
            was, who.role, was_in, who.department = who.role, role, who.department, department
            if was != role:
                self.model.leave(person, was_in)
        return done and (person, role, department)

    def break_glass(self) -> Any:
        actor, patient = self.one(self.of_role("student", "supervisor", "admin")), self.patient()
        with self.app.app_context():
            born = db.session.get_one(Patient, patient).birth_date
        done = self.do(
            actor,
            glass.break_glass,
            code=self.names[patient][0],
            birth_date=born,
            reason=GlassReason.EMERGENCY,
            words="Bleeds and the student is away",
        )
        if done:
            assert not self.model.given(actor, patient), "broke a glass over a patient they have"
            if self.model.glasses.get((actor, patient), self.at) <= self.at:
                self.model.glasses[actor, patient] = self.at + timedelta(minutes=60)
        return done and (actor, patient)

    def close_or_judge(self) -> Any:
        with self.app.app_context():
            rows = db.session.scalars(select(BrokenGlass).order_by(BrokenGlass.id.desc()).limit(5)).all()
            found = {row.id: (row.user_id, row.patient_id, row.version) for row in rows if row.expires_at > self.at}
        number = self.one(found)
        if number is None:
            return None
        person, patient, version = found[number]
        if self.luck.random() < 0.5:
            with self.app.app_context():
                row = db.session.get_one(BrokenGlass, number)
            done = self.do(person, glass.close_glass, row)
        else:
            actor = self.world.people["adel"]
            verdict = self.luck.choice(list(Judgement))
            done = self.do(actor, glass.judge, number, version=version, judgement=verdict, words="Looked at it")
            if done and verdict is Judgement.JUSTIFIED:
                return done and (number, verdict)
        if done:
            self.model.glasses.pop((person, patient), None)
        return done and number

    def time_goes_by(self) -> Any:
        """Minutes, up to the very second a glass is over, or days until requests expire and visits are missed."""
        ends = [end for end in self.model.glasses.values() if end > self.at]
        chance = self.luck.random()
        if chance < 0.4 and ends:
            self.at = min(ends) - timedelta(seconds=self.luck.choice([0, 2]))
        elif chance < 0.85:
            self.at += timedelta(minutes=self.luck.randint(1, 40))
        else:
            self.at += timedelta(days=8)
            with clock.frozen(self.at), self.app.app_context():
                requests.expire_requests(clock.now())
                mark_missed_visits(clock.start_of(clock.today()))
                db.session.commit()
            self.model.open_requests.clear()  # all were asked within the last week
        return f"{self.at:%d %H:%M:%S}"

    def visit(self) -> Any:
        """Visits are planned, arrive, change department, end, and are cancelled."""
        ruwan, what = self.world.people["ruwan"], self.luck.random()
        patient, department = self.patient(), self.one(self.world.departments.values())
        student = self.one([None or 0, *self.of_role("student")])
        supervisor = self.one([0, *self.of_role("supervisor")])
        with self.app.app_context():
            open_entry = db.session.scalars(
                select(QueueEntry).where(QueueEntry.patient_id == patient, QueueEntry.ended_at.is_(None))
            ).first()
            planned = db.session.scalars(
                select(Visit).where(Visit.patient_id == patient, Visit.status == VisitStatus.SCHEDULED)
            ).first()
            named = {
                "patient": db.session.get_one(Patient, patient),
                "department": self.department(department),
                "student": db.session.get(User, student),
                "supervisor": db.session.get(User, supervisor),
                "reason": "Crown",
            }
        if open_entry and what < 0.6:
            return (
                self.do(ruwan, leave_unseen, open_entry.id, version=open_entry.version, reason="Went home") and patient
            )
        if open_entry:
            moved = {"version": open_entry.version, "department_id": department, "reason": "Needs the other"}
            return self.do(ruwan, transfer, open_entry.id, **moved) and (patient, department)
        if planned and what < 0.5:
            return self.do(ruwan, check_in, planned) and patient
        if planned and what < 0.7:
            asked = self.do(ruwan, move_visit, planned, to=VisitStatus.CANCEL_REQUESTED, version=planned.version)
            return asked and (patient, "cancel asked")
        if what < 0.85:
            with self.app.app_context():  # the clinic's zone is a setting
                day = clock.start_of(clock.local(self.at).date())
            begins = day + timedelta(days=self.luck.randint(0, 2), hours=14)
            return self.do(ruwan, schedule_visit, starts_at=begins, minutes=60, chair=None, **named) and (
                patient,
                department,
            )
        return self.do(ruwan, add_walk_in, **named) and (patient, department)

    def department(self, number: int) -> Any:
        from clinic.models import Department

        return db.session.get_one(Department, number)

    def archive(self) -> Any:
        patient = self.patient()
        with self.app.app_context():
            row = db.session.get_one(Patient, patient)
        again = patient in self.model.archived
        self.do(
            self.world.people["ruwan"],
            restore_patient if again else archive_patient,
            row,
            version=row.version,
            reason="Moved away",
        )
        with self.app.app_context():
            if (db.session.get_one(Patient, patient).archived_at is None) == again:
                self.model.archived ^= {patient}
                return patient
        return None

    def read_visits(self) -> None:
        with self.app.app_context():
            self.model.visits = [
                Facts(row.patient_id, row.department_id, row.student_id, row.supervisor_id, str(row.status))
                for row in db.session.scalars(select(Visit))
            ]

    # --- what is compared ---------------------------------------------------------------------------------------------

    def standing(self) -> dict[int, tuple[Any, set[Any], Any]]:
        """Of everybody: their place, what they have, and what decides whether their stream stays open."""
        with clock.frozen(self.at), self.app.app_context():
            self.wake()
            rights = live_stream.rights_of_sessions({browser.session_id for browser in self.browsers.values()})
        return {
            person: (
                tuple(vars(self.model.people[person]).values()),
                {each for each in self.model.running if each[1] == person},
                rights.get(browser.session_id),
            )
            for person, browser in self.browsers.items()
        }

    def check_streams(self, before: dict[int, tuple[Any, set[Any], Any]]) -> None:
        """Whoever lost a patient or their place: the stream is closed; who changed place is signed out and signs in again."""
        after = self.standing()
        for person, (place, held, rights) in before.items():
            if (place != after[person][0] or held - after[person][1]) and rights is not None:
                assert rights != after[person][2], f"the stream of {self.name(person)} stays open"
            if place != after[person][0] and place[-1]:
                with clock.frozen(self.at):
                    answer = self.browsers[person].browser().get("/patients")
                assert "/sign-in" in answer.headers.get("Location", ""), f"{self.name(person)} is still signed in"
            if place != after[person][0] and self.model.people[person].active:
                with clock.frozen(self.at):
                    self.browsers[person] = Person(self.app, person)

    def wake(self) -> None:
        """Nobody's screen locks however far the clock jumps."""
        db.session.execute(update(AuthSession).values(active_at=clock.now(), created_at=clock.now()))
        db.session.commit()

    def name(self, person: int) -> str:
        return next(name for name, number in self.world.people.items() if number == person)

    def compare(self, *, everywhere: bool) -> list[str]:
        """The disagreements between what everybody is shown and the model."""
        wrong = []
        with (
            clock.frozen(self.at),
            nullcontext() if everywhere else patch.object(patient_views, "_overview_page", undrawn),
            nullcontext() if everywhere else patch.object(errors, "page", unspoken),
        ):
            for person, browser in self.browsers.items():
                known, before = self.knows(person), self.known[person]
                if known == before and not everywhere and self.model.people[person].role not in ALWAYS:
                    continue
                self.known[person] = known
                browser.client = browser.browser()
                found = self.lists(person, browser, known) | self.details(person, browser, known)
                if self.model.people[person].active and (everywhere or known != before):
                    self.tally["everywhere"] += 1
                    hidden = (self.model.patients if everywhere else before) - known
                    found |= self.pages(person, browser, known) | self.addresses(browser, hidden)
                wrong += [f"{self.name(person)} {where}: {said}" for where, said in found.items()]
        return wrong

    def knows(self, person: int) -> set[int]:
        return {patient for patient in self.model.patients if self.model.knows(person, patient, self.at)}

    def ask(self, browser: Person, url: str) -> Any:
        self.tally["answers compared"] += 1
        return browser.get(url, buffered=False)

    def lists(self, person: int, browser: Person, known: set[int]) -> dict[str, str]:
        who, found = self.model.people[person], {}
        present, gone = known - self.model.archived, known & self.model.archived
        for url, pattern, expected in (
            ("/patients/results", ROW, present),
            ("/patients/results?order=archived", ROW, gone),
            ("/patients/results?q=2026", ROW, known),
            ("/go-to/results?q=2026", FOUND, known if who.role != "admin" else set()),
        ):
            answer = self.ask(browser, url)
            if not who.active:
                if "/sign-in" not in answer.headers.get("Location", ""):
                    found[url] = f"{answer.status_code} for somebody who left"
                continue
            if who.role == "admin" and url.startswith("/patients"):
                if answer.status_code != 403:
                    found[url] = f"{answer.status_code} for an administrator"
                continue
            page = answer.get_data(as_text=True)
            shown = {int(number) for number in pattern.findall(page)}
            if shown != expected:
                found[url] = f"shows {sorted(shown)}, the model {sorted(expected)}"
            if url == "/patients/results" and (counted := COUNT.search(page)) and int(counted[1]) != len(expected):
                found[f"{url} count"] = f"{counted[1]}, the model {len(expected)}"
        answer = self.ask(browser, "/live/stream")
        topics = {topic for stream in self.app.extensions["live"].streams for topic in stream.topics}
        answer.close()
        departments = set(self.world.departments.values())
        if topics != (self.model.hears(person, departments) if who.active else set()):
            found["/live/stream"] = f"hears {sorted(topics)}, the model {sorted(self.model.hears(person, departments))}"
        return found

    def details(self, person: int, browser: Person, known: set[int]) -> dict[str, str]:
        found = {}
        active = self.model.people[person].active
        for patient in sorted(self.model.patients):
            url = f"/patients/{patient}"
            expected = (200 if patient in known else 404) if active else 303
            answer = self.ask(browser, url)
            if answer.status_code != expected:
                found[url] = f"{answer.status_code}, the model {expected}"
            answer.close()
        patient = self.patient()
        if active and self.model.people[person].role != "admin":
            self.tally["answers compared"] += 1
            status = browser.post(f"/patients/{patient}/alerts").status_code
            only_looks = 403 if patient in known else 404  # a broken glass shows, and says that it does nothing more
            expected = 422 if self.model.given(person, patient) else only_looks
            if status != expected:
                found[f"POST /patients/{patient}/alerts"] = f"{status}, the model {expected}"
        return found

    def pages(self, person: int, browser: Person, known: set[int]) -> dict[str, str]:
        """Pages without a number in their address: they name nobody the person may not know."""
        found = {}
        for rule, verb in routes(self.app):
            if (
                verb != "GET"
                or rule.arguments
                or rule.endpoint.endswith(".stream")
                or rule.rule.startswith(SHOWN_TO_DECIDE + KEPT)
            ):
                continue
            answer = self.ask(browser, rule.rule)
            page = answer.get_data(as_text=True)
            for patient in self.model.patients - known:
                if self.names[patient][0] in page or self.names[patient][1] in page:
                    found[rule.rule] = f"names {self.names[patient]}"
        return found

    def addresses(self, browser: Person, hidden: set[int]) -> dict[str, str]:
        """Addresses about patients the person may not know answer as if there were none."""
        found = {}
        for patient in hidden:
            with self.app.app_context():
                ids = self.ids_of(patient)
            for rule, verb in routes(self.app):
                about = rule.arguments & {"patient_id", "visit_id", "entry_id", "call_id", "alert_id", "document_id"}
                if not about or rule.rule.startswith(SHOWN_TO_DECIDE) or not rule.arguments <= ids.keys():
                    continue
                url = address(rule, ids)
                if url is None:
                    continue
                self.tally["answers compared"] += 1
                answer = (
                    browser.post(with_ticket(self.app, browser, url))
                    if verb == "POST"
                    else browser.get(url, buffered=False)
                )
                if answer.status_code not in (403, 404):
                    found[f"{verb} {url}"] = f"{answer.status_code} about {self.names[patient]}"
                answer.close()
        return found

    def ids_of(self, patient: int) -> dict[str, Any]:
        from clinic.models import Alert, Document, SupervisorCall

        def newest(model: Any) -> Any:
            return db.session.scalar(
                select(model.id).where(model.patient_id == patient).order_by(model.id.desc()).limit(1)
            )

        return {
            "patient_id": patient,
            "visit_id": newest(Visit),
            "entry_id": newest(QueueEntry),
            "call_id": newest(SupervisorCall),
            "alert_id": newest(Alert),
            "document_id": newest(Document),
            "student_id": self.world.people["kamal"],
        }


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("part", range(PARTS))
def test_everybody_is_shown_whom_the_model_says(app, world, monkeypatch, part):
    monkeypatch.setattr(app, "test_client_class", FlaskClient)  # pages are linted elsewhere
    assert len(PATIENTS) == len(world.patients)
    luck, tally = random.Random(daily_seed() + part), Counter[str]()
    with app.app_context():
        connection = db.session().get_bind()
    done = 0
    while done < STEPS:
        episode = connection.begin_nested()
        walk = Walk(app, world, luck, tally)
        for number in range(min(EPISODE, STEPS - done)):
            walk.at += timedelta(seconds=1)
            with clock.frozen(walk.at):
                walk.step()
            done += 1
            looked = connection.begin_nested()
            wrong = walk.compare(everywhere=number % EVERYWHERE == EVERYWHERE - 1)
            looked.rollback()
            assert not wrong, "\n".join([f"step {done}, part {part}, seed {daily_seed()}", *wrong, *walk.trace[-60:]])
        episode.rollback()
    print(f"{done} steps, part {part}, seed {daily_seed()}, 0 disagreements;", dict(sorted(tally.items())))
