"""Requests that wait for a decision, in the words of the people who ask: the scene in which approving is tested."""

from clinic import clock
from clinic.extensions import db
from clinic.models import AssignmentKind, Request, RequestKind, RequestStatus
from clinic.operations import requests
from tests.world import World


def reception_asks(
    world: World,
    person: str = "leela",
    patient: str = "fernando",
    *,
    remove: bool = False,
    by: str = "ruwan",
    of: AssignmentKind = AssignmentKind.ADDITIONAL,
) -> Request:
    """Reception asks that somebody gets, or gives up, a patient."""
    return requests.ask_assignment(
        kind=RequestKind.REMOVE if remove else RequestKind.ASSIGN,
        patient_id=world.patients[patient],
        clinician_id=world.people[person],
        assignment_kind=of,
        reason="Lives nearby",
        actor=world.user(by),
    )


def student_asks(world: World, student: str = "leela", code: str = "P-2026-00001") -> Request:
    """A student asks for the patient with a code."""
    return requests.ask_for_patient(
        code=code, assignment_kind=AssignmentKind.PRIMARY, need="Endodontics, molar", actor=world.user(student)
    )


def many_ask(world: World, count: int, *, student: str = "leela") -> None:
    """`count` further requests of a student, as rows, each for another code and a minute after the other."""
    at = clock.now()
    first = db.session.query(Request).count()
    department = world.user(student).department_id
    db.session.add_all(
        Request(
            kind=RequestKind.ASK,
            status=RequestStatus.PENDING,
            patient_id=world.patients["nadia"],
            code=f"P-1999-{first + number:05d}",
            clinician_id=world.people[student],
            assignment_kind=AssignmentKind.PRIMARY,
            need="Endodontics, molar",
            department_id=department,
            asked_by_id=world.people[student],
            asked_at=at,
            expires_at=at.replace(year=at.year + 1),
            open_key=f"many:{first + number}",
        )
        for number in range(count)
    )
    db.session.commit()
