"""Cases and tasks in the random days of test_gate_machine.py: what everybody presses and makes up, and a model of what is legal.

The model knows nothing of the operations. It reads each case's log from the beginning, says which act leads from where to where and who
may do it, and compares where that leads with what the rows say.
"""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import Assignment, AssignmentKind, Case, CaseLog, CaseTask, Patient, Role, User

STUDENT = {"fernando": "kamal", "perera": "leela", "wu": "omar"}
# Of a case: from where each act may be done, and where it leads; none: where it was.
CASE = {
    "opened": ({None}, "open"),
    "assigned": ({"open", "returned"}, None),
    "begun": ({"open"}, None),
    "completed": ({"open"}, None),
    "reviewed": ({"open"}, None),
    "task_returned": ({"open"}, None),
    "commented": ({"open", "submitted", "returned", "verified"}, None),
    "submitted": ({"open"}, "submitted"),
    "verified": ({"submitted"}, "verified"),
    "returned": ({"submitted"}, "returned"),
    "taken_up": ({"returned"}, "open"),
    "passed_on": ({"open", "returned"}, None),
    "closed": ({"open", "returned", "verified"}, "closed"),
}
TASK = {
    "assigned": ({None}, "assigned"),
    "begun": ({"assigned", "returned"}, "in_progress"),
    "completed": ({"in_progress"}, "completed"),
    "reviewed": ({"completed"}, "reviewed"),
    "task_returned": ({"completed"}, "returned"),
    "commented": ({"assigned", "in_progress", "completed", "returned", "reviewed"}, None),
}
BY_STUDENT = {"begun", "completed", "submitted", "taken_up"}
BY_SUPERVISOR = {"opened", "assigned", "reviewed", "task_returned", "verified", "returned", "passed_on", "closed"}
DECIDES = {"reviewed", "task_returned", "verified", "returned"}
WITH_REASON = {"task_returned", "returned", "passed_on"}


@dataclass
class Replayed:
    """Where a case's log leads."""

    status: str | None = None
    student: int = 0
    tasks: dict[int, str] = field(default_factory=dict)
    completed_by: dict[int, int] = field(default_factory=dict)
    review: dict[int, str] = field(default_factory=dict)
    submitted_by: int = 0
    verified_by: int | None = None


class CaseWalk:
    """The acts and the model; the walk itself brings browsers, luck and `post`."""

    app: Any
    world: Any
    luck: Any
    at: Any
    people: dict[int, User]
    written: dict[int, tuple[Any, ...]]  # every row of every log as it was first seen

    # --- acts ---------------------------------------------------------------------------------------------------------

    def case_on(self) -> str:
        """The next sensible thing in a case, by whoever does it in life."""
        patient = self.patient()
        case, tasks = self.running(patient)
        lead = {"wu": "sato"}.get(patient, self.one(("silva", "prado")))
        base = f"/patients/{self.world.patients[patient]}/cases"
        if case is None:
            who = self.world.people[STUDENT[patient]]
            return self.post(lead, base, {"student": who, "title": f"Case {self.luck.random()}", "words": ""})
        url, seen, who = f"{base}/{case.id}", {"version": case.version}, self.name_of(case.student_id)
        if case.status == "submitted":
            act = self.one(("approve", "approve", "return"))
            return self.post(lead, f"/approvals/case/{case.id}/{act}", seen | {"reason": "Look again"})
        if case.status == "returned":
            return self.post(who, f"{url}/take-up", seen)
        if case.status == "verified":
            return self.post(lead, f"{url}/close", seen)
        left = [task for task in tasks if task.status != "reviewed"]
        if not left and tasks and self.luck.random() < 0.8:
            return self.post(who, f"{url}/submit", seen)
        if not left or self.luck.random() < 0.1:
            due = (self.at + timedelta(days=self.luck.randint(1, 20))).date()
            return self.post(lead, f"{url}/tasks", {"title": f"Task {self.luck.random()}", "due_on": due.isoformat()})
        task = self.one(left)
        seen = {"version": task.version}
        if task.status in ("assigned", "returned"):
            return self.post(who, f"{url}/tasks/{task.id}/begin", seen)
        if task.status == "in_progress":
            return self.post(who, f"{url}/tasks/{task.id}/complete", seen | {"words": "Done"})
        if self.luck.random() < 0.25:
            return self.post(lead, f"/approvals/task/{task.id}/return", seen | {"reason": "Not like this"})
        if self.luck.random() < 0.3:
            waits = [each for each in tasks if each.status == "completed"]
            chosen = " ".join(f"task:{each.id}:{each.version}" for each in waits)
            return self.post(lead, "/approvals/approve", {"items": chosen})
        return self.post(lead, f"{url}/tasks/{task.id}/review", seen | {"words": f"Good {self.luck.random()}"})

    def case_any(self) -> str:
        """Any act on any case by anybody, mostly as it stands."""
        patient = self.patient()
        with self.app.app_context():
            found = select(Case).where(Case.patient_id == self.world.patients[patient])
            cases = db.session.scalars(found if self.luck.random() < 0.9 else select(Case)).all()
            tasks = db.session.scalars(select(CaseTask)).all()
            db.session.expunge_all()
        if not cases:
            return "nothing"
        case = self.one(cases)
        own = [task for task in tasks if task.case_id == case.id] if self.luck.random() < 0.9 else tasks
        task = self.one(own) if own else None
        base = f"/patients/{self.world.patients[patient]}/cases/{case.id}"
        of_case = ("submit", "take-up", "close", "pass-on", "comments", "tasks", "approve", "return")
        of_task = ("begin", "complete", "review", "approve", "return") if task else ()
        act = self.one((*of_case, *of_task, *of_task))
        is_task = act in ("begin", "complete", "review") or (
            act in ("approve", "return") and task and self.luck.random() < 0.6
        )
        row = task if is_task else case
        data = {
            "version": self.stale(row.version), "reason": self.one(("Look again", "So it is", "")), "words": self.one(("", "Well")),
            "task": task.id if task and self.luck.random() < 0.5 else 0, "student": self.world.people[self.one(("kamal", "leela", "omar"))],
            "title": f"Task {self.luck.random()}", "due_on": (self.at + timedelta(days=1)).date().isoformat(),
        }  # fmt: skip
        usual = (
            STUDENT[patient] if act in ("submit", "take-up", "begin", "complete") else self.supervisor_or_any(patient)
        )
        who = self.one((usual, usual, usual, STUDENT[patient], self.one(self.browsers)))
        if act in ("approve", "return"):
            return self.post(who, f"/approvals/{'task' if is_task else 'case'}/{row.id}/{act}", data)
        return self.post(who, f"{base}/tasks/{row.id}/{act}" if is_task else f"{base}/{act}", data)

    def case_made_up(self) -> str:
        """Statuses sent directly, fields that no form of ours has, numbers of other rows."""
        patient, who = self.one(STUDENT), self.one(self.browsers)
        base = f"/patients/{self.world.patients[patient]}/cases"
        case, task = self.luck.randint(1, 6), self.luck.randint(1, 12)
        url = self.one(
            (
                base, f"{base}/{case}", f"{base}/{case}/tasks", f"{base}/{case}/tasks/{task}", f"{base}/{case}/tasks/{task}/review",
                f"{base}/{case}/tasks/{task}/complete", f"{base}/{case}/tasks/{task}/begin", f"{base}/{case}/submit",
                f"{base}/{case}/verify", f"{base}/{case}/close", f"{base}/{case}/comments", f"{base}/{case}/pass-on",
                f"/approvals/task/{task}/approve", f"/approvals/case/{case}/approve", "/approvals/approve",
            )
        )  # fmt: skip
        people = self.world.people
        data = {
            "version": self.luck.randint(1, 12), "status": self.one(("verified", "reviewed", "closed", "open")), "review": "Excellent",
            "act": "verified", "reviewed_by_id": people["silva"], "verified_by_id": people["silva"], "completed_by_id": people["omar"],
            "done_by_id": people["silva"], "actor": "silva", "role": "supervisor", "open_key": "", "steps": 0, "student_id": people["omar"],
            "student": people[self.one(STUDENT.values())], "title": "Made up", "due_on": "2030-01-01", "words": "Reviewed: excellent",
            "task": task, "reason": "Because", "items": f"task:{task}:{self.luck.randint(1, 9)} case:{case}:{self.luck.randint(1, 20)}",
        }  # fmt: skip
        return self.post(who, url, data)

    def others(self) -> str:
        """Another student is given a patient besides, or is not any more: past the pages, which are of another walk."""
        patient, who = self.one((("fernando", "leela"), ("perera", "kamal")))
        with self.app.app_context(), clock.frozen(self.at):
            held = select(Assignment).where(
                Assignment.patient_id == self.world.patients[patient], Assignment.user_id == self.world.people[who],
                Assignment.kind == AssignmentKind.ADDITIONAL, Assignment.ends_at.is_(None),
            )  # fmt: skip
            row = db.session.scalars(held).first()
            if row is not None:
                row.ends_at = self.at
            else:
                of = {"patient_id": self.world.patients[patient], "user_id": self.world.people[who]}
                by = {"starts_at": self.at, "created_by_id": self.world.people["silva"]}
                db.session.add(Assignment(**of, **by, kind=AssignmentKind.ADDITIONAL))
            db.session.commit()
        return "given"

    def running(self, patient: str) -> tuple[Any, list[Any]]:
        """A case of the patient that is not closed, if there is one, with its tasks."""
        with self.app.app_context():
            found = select(Case).where(Case.patient_id == self.world.patients[patient], Case.status != "closed")
            cases = db.session.scalars(found).all()
            case = self.one(cases) if cases else None
            tasks = db.session.scalars(select(CaseTask).where(CaseTask.case_id == case.id)).all() if case else []
            db.session.expunge_all()
            return case, list(tasks)

    def name_of(self, person_id: int) -> str:
        return next(name for name, number in self.world.people.items() if number == person_id)

    # --- what is forbidden ----------------------------------------------------------------------------------------------

    def wrong_cases(self) -> list[str]:
        """Every state of a case, a task or a log that the model does not allow. Called with the database at hand."""
        logs: dict[int, list[CaseLog]] = defaultdict(list)
        for row in db.session.scalars(select(CaseLog).order_by(CaseLog.case_id, CaseLog.number)):
            logs[row.case_id].append(row)
        cases = db.session.scalars(select(Case)).all()
        tasks: dict[int, list[CaseTask]] = defaultdict(list)
        for task in db.session.scalars(select(CaseTask)):
            tasks[task.case_id].append(task)
        self.held = defaultdict(list)
        for given in db.session.scalars(select(Assignment)):
            self.held[given.patient_id, given.user_id].append((given.starts_at, given.ends_at))
        wrong = self.wrong_rows([row for rows in logs.values() for row in rows])
        keys = [(case.patient_id, case.student_id, case.department_id) for case in cases if case.status in RUNS]
        if len(keys) != len(set(keys)):
            wrong.append("two cases of a patient and a student run at once")
        for case in cases:
            led = self.replay(case, logs[case.id], {task.id for task in tasks[case.id]}, wrong)
            wrong += self.wrong_end(case, led, tasks[case.id], len(logs[case.id]))
        archived = set(db.session.scalars(select(Patient.id).where(Patient.archived_at.is_not(None))))
        return wrong + [f"case {case.id}: of an archived patient" for case in cases if case.patient_id in archived]

    def wrong_rows(self, rows: list[CaseLog]) -> list[str]:
        """A log only grows: what was seen once stands as it stood."""
        now = {
            row.id: (
                row.case_id,
                row.number,
                row.task_id,
                str(row.act),
                row.done_by_id,
                row.at,
                row.words,
                row.said,
                row.sha256,
            )
            for row in rows
        }
        wrong = [
            f"log {number}: was changed or taken away"
            for number, said in self.written.items()
            if now.get(number) != said
        ]
        self.written = now
        return wrong

    def replay(self, case: Case, rows: list[CaseLog], own: set[int], wrong: list[str]) -> Replayed:
        led, link = Replayed(), ""
        for number, row in enumerate(rows, 1):
            act, said = str(row.act), json.loads(row.said)
            link = hashlib.sha256((link + row.said).encode()).hexdigest()
            here = f"case {case.id}, row {number} ({act} by {self.people[row.done_by_id].name})"
            if (row.number, row.sha256, said["act"], said["words"], said["by"]) != (
                number,
                link,
                act,
                row.words,
                row.done_by_id,
            ):
                wrong.append(f"{here}: does not read as it was written")
            if led.status not in CASE[act][0]:
                wrong.append(f"{here}: while the case was {led.status}")
            if row.task_id is not None and (row.task_id not in own or led.tasks.get(row.task_id) not in TASK[act][0]):
                wrong.append(f"{here}: while the task was {led.tasks.get(row.task_id)}")
            if (row.task_id is None) is not (act not in TASK) and act != "commented":
                wrong.append(f"{here}: of {row.task_id}")
            if act in WITH_REASON and not row.words:
                wrong.append(f"{here}: without a reason")
            if act == "closed" and led.status != "verified" and not row.words:
                wrong.append(f"{here}: unverified and without a reason")
            if act == "closed" and "completed" in led.tasks.values():
                wrong.append(f"{here}: over a task that waits for review")
            if act == "submitted" and (not led.tasks or set(led.tasks.values()) != {"reviewed"}):
                wrong.append(f"{here}: with tasks {led.tasks}")
            wrong += self.wrong_person(case, led, row, act, said["facts"], here)
            self.follow(led, row, act, said["facts"])
        return led

    def wrong_person(
        self, case: Case, led: Replayed, row: CaseLog, act: str, facts: dict[str, Any], here: str
    ) -> list[str]:
        by, wrong = self.people[row.done_by_id], []
        leads = by.role is Role.SUPERVISOR and by.department_id == case.department_id
        works = by.role is Role.STUDENT and by.id == led.student and self.has(case.patient_id, by.id, row.at)
        if (act in BY_SUPERVISOR and not leads) or (act in BY_STUDENT and not works) or not (leads or works):
            wrong.append(f"{here}: by somebody who may not")
        if act in DECIDES and by.id in {led.student, led.completed_by.get(row.task_id or 0), led.submitted_by}:
            wrong.append(f"{here}: of their own work")
        if act in ("verified", "returned") and by.id in led.completed_by.values():
            wrong.append(f"{here}: of a case that they worked on")
        if act in DECIDES and len(facts.get("shown", "")) != 64:
            wrong.append(f"{here}: of nothing that was shown")
        whom = facts.get("to_id") or facts.get("student_id")
        if whom and not (self.people[whom].role is Role.STUDENT and self.has(case.patient_id, whom, row.at)):
            wrong.append(f"{here}: to somebody who does not have the patient")
        return wrong

    def has(self, patient_id: int, person_id: int, at: Any) -> bool:
        return any(start <= at and (end is None or end > at) for start, end in self.held[patient_id, person_id])

    def follow(self, led: Replayed, row: CaseLog, act: str, facts: dict[str, Any]) -> None:
        led.status = CASE[act][1] or led.status
        led.student = facts.get("to_id") or facts.get("student_id") or led.student
        if row.task_id is not None:
            led.tasks[row.task_id] = TASK[act][1] or led.tasks[row.task_id]
        if act == "completed":
            led.completed_by[row.task_id] = row.done_by_id
        if act == "reviewed":
            led.review[row.task_id] = row.words
        if act == "submitted":
            led.submitted_by = row.done_by_id
        if act == "verified":
            led.verified_by = row.done_by_id

    def wrong_end(self, case: Case, led: Replayed, tasks: list[CaseTask], steps: int) -> list[str]:
        """What the rows say must be where the log leads, and nothing else."""
        now = (str(case.status), case.student_id, case.verified_by_id, case.steps, case.open_key is not None)
        wrong = []
        if now != (led.status, led.student, led.verified_by, steps, led.status in RUNS):
            wrong.append(f"case {case.id}: {now}, and its log says {led}")
        for task in tasks:
            said = (led.tasks.get(task.id), led.review.get(task.id, ""))
            if (str(task.status), task.review) != said:
                wrong.append(f"task {task.id}: {task.status} “{task.review}”, and the log says {said}")
            if str(task.status) == "reviewed" and task.reviewed_by_id == task.completed_by_id:
                wrong.append(f"task {task.id}: reviewed by whoever did it")
        return wrong


RUNS = ("open", "submitted", "returned")
