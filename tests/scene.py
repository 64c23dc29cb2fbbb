"""Patients of the world already somewhere in the queue, and calls already made: the scene in which supervision is tested."""

from datetime import datetime, timedelta

from sqlalchemy import select

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    CHAIR_STAGES,
    Alert,
    Assignment,
    AssignmentKind,
    CallReason,
    Patient,
    QueueEntry,
    Role,
    Sex,
    Stage,
    SupervisorCall,
    User,
    Visit,
    VisitStatus,
)
from clinic.text import sort_key
from tests.world import World


def put_in_queue(
    world: World, patient: str, stage: Stage, *, chair: str | None = None, at: datetime | None = None
) -> QueueEntry:
    """The patient's visit of today has arrived and is in this stage, in this chair."""
    visit = world.visit(patient)
    at = at or clock.now()
    visit.status, visit.arrived_at = VisitStatus.ARRIVED, at
    visit.ticket = f"A-{visit.id:03d}"
    if chair is None and stage in CHAIR_STAGES:
        chair = {"fernando": "A1", "perera": "A2", "wu": "B1"}[patient]
    return open_entry(visit, stage, world.chairs[chair] if chair else None, at)


def entry_of(world: World, patient: str) -> QueueEntry:
    """The patient's open entry as the database has it now."""
    return db.session.execute(
        select(QueueEntry)
        .where(QueueEntry.patient_id == world.patients[patient], QueueEntry.ended_at.is_(None))
        .execution_options(populate_existing=True)
    ).scalar_one()


def call_of(
    world: World,
    patient: str,
    student: str = "kamal",
    reason: CallReason = CallReason.HELP,
    *,
    at: datetime | None = None,
    **changes: object,
) -> SupervisorCall:
    """A call as a row, for scenes in which how it came about does not matter."""
    visit = world.visit(patient)
    call = SupervisorCall(
        visit_id=visit.id,
        patient_id=visit.patient_id,
        department_id=visit.department_id,
        student_id=world.people[student],
        reason=reason,
        created_at=at or clock.now(),
        **changes,
    )
    db.session.add(call)
    db.session.flush()
    return call


def second_supervisor(world: World, *, department: str = "restorative", name: str = "Dr Ines Prado") -> User:
    """Another supervisor of a department, beside silva and sato."""
    person = User(
        email=f"{sort_key(name).replace(' ', '.')}@clinic.test",
        name=name,
        role=Role.SUPERVISOR,
        department_id=world.departments[department],
        password_hash="!",
        created_at=clock.now(),
    )
    db.session.add(person)
    db.session.flush()
    world.people["prado"] = person.id
    return person


def many_calls(
    world: World, count: int, *, student: str = "kamal", begin: datetime | None = None, year: int = 1999
) -> list[SupervisorCall]:
    """`count` further patients of the student in treatment, each with an alert, each with an open call a minute after the other."""
    begin = begin or clock.now() - timedelta(minutes=count)
    calls = []
    for number in range(count):
        patient = Patient(
            code=f"P-{year}-{number:05d}",
            name=f"Patient {number}",
            sort_name=f"patient {number:05d}",
            birth_date=datetime(1990, 1, 1).date(),
            sex=Sex.OTHER,
            created_at=begin,
            created_by_id=world.people["ruwan"],
        )
        db.session.add(patient)
        db.session.flush()
        visit = Visit(
            patient_id=patient.id,
            department_id=world.departments["restorative"],
            starts_at=begin,
            student_id=world.people[student],
            supervisor_id=world.people["silva"],
            status=VisitStatus.ARRIVED,
            arrived_at=begin,
            ticket=f"Z-{number:03d}",
            created_at=begin,
            created_by_id=world.people["ruwan"],
        )
        db.session.add_all(
            [
                visit,
                Assignment(
                    patient_id=patient.id,
                    user_id=world.people[student],
                    kind=AssignmentKind.PRIMARY,
                    starts_at=begin,
                    created_by_id=world.people["silva"],
                ),
                Alert(
                    patient_id=patient.id,
                    kind="allergy",
                    severity="2-warning",
                    label="Latex",
                    created_at=begin,
                    created_by_id=world.people["silva"],
                ),
            ]
        )
        db.session.flush()
        open_entry(visit, Stage.AWAITING_SUPERVISOR, None, begin)
        call = SupervisorCall(
            visit_id=visit.id,
            patient_id=patient.id,
            department_id=visit.department_id,
            student_id=world.people[student],
            reason=CallReason.HELP,
            created_at=begin + timedelta(minutes=number),
        )
        db.session.add(call)
        db.session.flush()
        calls.append(call)
    return calls


def open_entry(visit: Visit, stage: Stage, chair_id: int | None, at: datetime, **values: object) -> QueueEntry:
    """An entry that the visit has been in since this instant, moved there by whoever made the visit unless `values` say otherwise."""
    usual = {"queued_at": at, "moved_by_id": visit.created_by_id}
    entry = QueueEntry(
        visit_id=visit.id,
        patient_id=visit.patient_id,
        department_id=visit.department_id,
        stage=stage,
        started_at=at,
        chair_id=chair_id,
        **(usual | values),
    )
    db.session.add(entry)
    db.session.flush()
    return entry
