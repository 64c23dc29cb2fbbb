"""Who knows whom, in plain sets: written from the words of the domain, so that it need not believe the code.

Assignments, requests, patients without an owner, glasses, people and their places are the model's own. Of visits it is told the facts
(patient, department, student, supervisor, status) as they are stored: which of them lets whom see the patient is the model's.
"""

from dataclasses import dataclass, field
from datetime import datetime

EVERYONE = ("receptionist", "nurse")
TREATS = ("student", "supervisor")


@dataclass
class Somebody:
    role: str
    department: int | None
    active: bool = True


@dataclass(frozen=True)
class Facts:
    """A visit, as stored."""

    patient: int
    department: int
    student: int | None
    supervisor: int | None
    status: str


@dataclass
class Asked:
    kind: str
    patient: int | None
    clinician: int
    held_as: str
    asked_by: int
    giver: int | None = None


@dataclass
class Model:
    people: dict[int, Somebody]
    patients: set[int]
    running: set[tuple[int, int, str]]  # patient, person, kind
    archived: set[int] = field(default_factory=set)
    unowned: dict[int, int] = field(default_factory=dict)  # patient to the department that must find an owner
    glasses: dict[tuple[int, int], datetime] = field(default_factory=dict)  # person and patient to the end
    open_requests: dict[int, Asked] = field(default_factory=dict)
    visits: list[Facts] = field(default_factory=list)

    # --- who knows whom -----------------------------------------------------------------------------------------------

    def given(self, person: int, patient: int) -> bool:
        """Known without a glass: what a write goes by."""
        who = self.people[person]
        if not who.active:
            return False
        if who.role in EVERYONE:
            return True
        if who.role not in TREATS:
            return False
        if any((patient, person) == (each[0], each[1]) for each in self.running):
            return True
        if who.role == "student":
            return False
        return (
            any(patient == each[0] and self._is_student_of(each[1], who.department) for each in self.running)
            or self.unowned.get(patient) == who.department
            or any(
                visit.patient == patient
                and (
                    (visit.supervisor == person and visit.status in ("scheduled", "arrived"))
                    or (visit.department == who.department and visit.status == "arrived")
                )
                for visit in self.visits
            )
        )

    def knows(self, person: int, patient: int, at: datetime) -> bool:
        """May look at the patient at this instant."""
        looks = self.people[person].active and self.glasses.get((person, patient), at) > at
        return looks or self.given(person, patient)

    def hears(self, person: int, departments: set[int]) -> set[str]:
        """The topics of the person's stream."""
        who = self.people[person]
        topics = {f"person:{person}"}
        if who.role == "supervisor":
            topics.add(f"approvals:{who.department}")
        if who.role == "admin":
            return topics
        near = departments if who.role in EVERYONE else {who.department}
        for visit in self.visits:
            under = visit.status in ("scheduled", "arrived")
            if under and (
                visit.supervisor == person or (visit.student == person and self.given(person, visit.patient))
            ):
                near = near | {visit.department} if who.role in TREATS else near
        return topics | {f"{kind}:{department}" for kind in ("queue", "calls") for department in near if department}

    def _is_student_of(self, person: int, department: int | None) -> bool:
        who = self.people[person]
        return who.role == "student" and who.department == department

    def answers_for(self, supervisor: int, person: int) -> bool:
        who = self.people[supervisor]
        return (
            who.active
            and who.role == "supervisor"
            and (supervisor == person or self._is_student_of(person, who.department))
        )

    # --- what acts do -------------------------------------------------------------------------------------------------

    def give(self, patient: int, person: int, kind: str) -> None:
        self.running.add((patient, person, kind))
        if kind == "primary":
            self.unowned.pop(patient, None)

    def end(self, patient: int, person: int, kind: str, department: int | None = None) -> None:
        """An assignment ends; `department` is where the person worked, if not where they do."""
        self.running.discard((patient, person, kind))
        department = department or self.people[person].department
        if kind == "primary" and department and not self.owned(patient):
            self.unowned[patient] = department

    def owned(self, patient: int) -> bool:
        return any(each[0] == patient and each[2] == "primary" for each in self.running)

    def pass_on(self, patient: int, giver: int, receiver: int) -> None:
        """All that the giver has of a patient goes to the receiver."""
        kinds = [each[2] for each in self.running if each[:2] == (patient, giver)]
        for kind in kinds:
            self.give(patient, receiver, kind)
        for kind in kinds:
            self.end(patient, giver, kind)

    def leave(self, person: int, department: int | None) -> None:
        """Somebody no longer works in their place: everything they have ends at once, their glasses too, and what is asked about
        them is closed."""
        self.glasses = {each: end for each, end in self.glasses.items() if each[0] != person}
        theirs = [each for each in self.running if each[1] == person]
        self.running -= set(theirs)
        for patient, _, kind in theirs:
            if kind == "primary" and department and not self.owned(patient):
                self.unowned[patient] = department
        self.close_about(person)

    def close_about(self, person: int) -> None:
        about = [
            number
            for number, asked in self.open_requests.items()
            if person in (asked.clinician, asked.giver, asked.asked_by)
        ]
        for number in about:
            del self.open_requests[number]

    def approve(self, number: int) -> None:
        asked = self.open_requests.pop(number)
        assert asked.patient is not None
        if asked.kind == "transfer":
            assert asked.giver is not None
            self.pass_on(asked.patient, asked.giver, asked.clinician)
        elif asked.kind == "remove":
            self.end(asked.patient, asked.clinician, asked.held_as)
        else:
            self.give(asked.patient, asked.clinician, asked.held_as)
