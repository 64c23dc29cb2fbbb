"""A patient nobody of interest may know, with all that leaves a trace elsewhere: what the differential test adds to the world."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Table
from sqlalchemy.exc import IntegrityError

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    Base,
    BrokenGlass,
    CallReason,
    GlassReason,
    Notice,
    Patient,
    Request,
    RequestKind,
    Role,
    Severity,
    Sex,
    Stage,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations.calls import call_supervisor
from clinic.operations.patients import FIELDS, register_patient
from clinic.operations.queue import call_to_chair, move
from clinic.operations.visits import check_in
from tests.filed import file_document
from tests.world import World

NAME = "Zebulon Quarterman"
BORN = date(1977, 7, 7)
PHONE = "070 765 4321"
WORDS = f"{NAME} had bled"  # why the keeper broke a glass
FAR = 500_000
# Students named in requests about the patient: of the patient's department, so that nobody else decides.
NEAR = {"restorative": ("kamal", "leela"), "orthodontics": ("omar", "omar")}


def add_keeper(world: World, department: str) -> None:
    """The student whose patient the hidden one will be, in both worlds, as `world.people["keeper"]`. Commits."""
    keeper = User(
        email=f"keeper@{department}.test",
        name="Tharindu Bandara",
        role=Role.STUDENT,
        department_id=world.departments[department],
        year=4,
        password_hash="!",
        created_at=clock.now(),
    )
    db.session.add(keeper)
    db.session.commit()
    world.people["keeper"] = keeper.id


def add_hidden(world: World, department: str) -> None:
    """Register the patient, last of all, as `world.patients["hidden"]`; they are the keeper's. Commits.

    In restorative they wait in line; in orthodontics they are treated in B2 and their student has called.
    """
    ruwan, rita, keeper, at = world.user("ruwan"), world.user("rita"), world.user("keeper"), clock.now()
    written = dict.fromkeys(FIELDS, "") | {"name": NAME, "birth_date": BORN, "sex": Sex.MALE, "phone": PHONE}
    patient = register_patient(fields=written, despite_duplicate=False, actor=ruwan)
    world.patients["hidden"] = patient.id
    _surroundings(world, patient, keeper, department)
    today = _visit(world, patient, department, at, keeper)
    world.visits["hidden"] = today.id
    db.session.flush()
    file_document(world, "hidden", "keeper")
    entry = check_in(today, actor=rita)
    if department == "orthodontics":
        entry = call_to_chair(entry.id, version=entry.version, chair_id=world.chairs["B2"], actor=ruwan)
        for stage in (Stage.IN_CHAIR, Stage.IN_TREATMENT):
            entry = move(entry.id, to=stage, version=entry.version, actor=ruwan)
        call_supervisor(entry.id, version=entry.version, reason=CallReason.HELP, actor=keeper)
    db.session.commit()


def _surroundings(world: World, patient: Patient, keeper: User, department: str) -> None:
    """What hangs on the patient: alert, assignments, visits past and to come, requests about others' wishes, notices, a glass."""
    at = clock.now()
    rita = world.people["rita"]
    named, other = (world.people[name] for name in NEAR[department])
    rows: list[object] = [
        Alert(
            patient_id=patient.id,
            kind=AlertKind.ALLERGY,
            severity=Severity.CRITICAL,
            label="Latex",
            created_at=at,
            created_by_id=rita,
        ),
        Assignment(
            patient_id=patient.id,
            user_id=keeper.id,
            kind=AssignmentKind.PRIMARY,
            starts_at=at - timedelta(days=40),
            created_by_id=rita,
        ),
        _visit(world, patient, "restorative", at - timedelta(days=20), keeper, VisitStatus.COMPLETED),
        _visit(world, patient, "orthodontics", at - timedelta(days=10), keeper, VisitStatus.DID_NOT_ATTEND),
        _visit(world, patient, "restorative", at + timedelta(days=5), keeper),
        Notice(
            user_id=keeper.id,
            patient_id=patient.id,
            kind="request.returned",
            sentence=f"{patient.name} was returned",
            at=at,
        ),
        Notice(user_id=rita, patient_id=patient.id, kind="request.returned", sentence=f"{patient.name}", at=at),
        BrokenGlass(
            user_id=keeper.id,
            patient_id=patient.id,
            reason=GlassReason.EMERGENCY,
            words=WORDS,
            opened_at=at,
            expires_at=at + timedelta(hours=1),
        ),
    ]
    for kind, receiver, giver in (
        (RequestKind.ASSIGN, named, None),
        (RequestKind.ASK, other, None),
        (RequestKind.TRANSFER, other, keeper.id),
    ):
        rows.append(
            Request(
                kind=kind,
                patient_id=patient.id,
                code=patient.code,
                clinician_id=receiver,
                from_id=giver,
                assignment_kind=AssignmentKind.PRIMARY,
                reason=f"{patient.name} asked for it",
                department_id=world.departments[department],
                asked_by_id=giver or (receiver if kind is RequestKind.ASK else rita),
                asked_at=at,
                expires_at=at + timedelta(days=7),
                open_key=f"{patient.code}:{receiver}:{kind}",
            )
        )
    db.session.add_all(rows)
    db.session.flush()


def leave_a_gap() -> None:
    """Give every table that can have it one row far behind the others, the same in both worlds: what is made from then on has the
    same number whether the hidden patient is there or not. Commits.

    That numbers are given in order, so that one's own new row tells how many came before, is so for every row and nobody's alone.
    """
    for table in Base.metadata.sorted_tables:
        if [column.name for column in table.primary_key] == ["id"] and table.name not in ("audit_event", "audit_head"):
            for row in db.session.execute(table.select().order_by(table.c.id)).mappings().all():
                if _copied(table, dict(row)):
                    break
    db.session.commit()


def _copied(table: Table, values: dict[str, Any]) -> bool:
    values["id"] = FAR
    for column in table.columns:
        if column.computed is not None:
            del values[column.name]
        elif column.unique:
            values[column.name] = values[column.name][:-1] + "~" if isinstance(values[column.name], str) else None
    try:
        with db.session.begin_nested():
            db.session.execute(table.insert().values(values))
    except IntegrityError:
        return False
    return True


def _visit(
    world: World,
    patient: Patient,
    department: str,
    at: datetime,
    student: User,
    status: VisitStatus = VisitStatus.SCHEDULED,
) -> Visit:
    visit = Visit(
        patient_id=patient.id,
        department_id=world.departments[department],
        starts_at=at,
        student_id=student.id,
        reason="Crown",
        status=status,
        created_at=clock.now(),
        created_by_id=world.people["ruwan"],
    )
    db.session.add(visit)
    return visit
