"""More people for a busy queue, beside the world: patients by the dozen, in every stage."""

from datetime import date, datetime, timedelta

from clinic import clock
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Chair,
    Patient,
    Priority,
    Severity,
    Sex,
    Stage,
    Visit,
    VisitStatus,
)
from clinic.text import sort_key
from tests.scene import open_entry
from tests.world import World

FIRST = (
    "Nimal",
    "Sunethra",
    "Ashan",
    "Dilini",
    "Mohamed",
    "Chen",
    "Priya",
    "Ruth",
    "Tomás",
    "Somchai",
    "Ifeoma",
    "Lars",
)
LAST = ("Wickramasinghe", "Silva", "Jayasuriya", "Haddad", "Okafor", "Lindqvist", "García", "Rao", "Tan", "Mendis")


def add_patients(world: World, count: int) -> list[int]:
    """So many patients more; their ids. Every third has an alert."""
    at = clock.now()
    ids = []
    for number in range(count):
        name = f"{FIRST[number % len(FIRST)]} {LAST[(number * 7) % len(LAST)]}"
        patient = Patient(
            code=f"P-2025-{number + 1:05d}",
            name=name,
            sort_name=sort_key(name),
            birth_date=date(1950 + (number * 11) % 70, 1 + number % 12, 1 + number % 28),
            sex=Sex.FEMALE if number % 2 else Sex.MALE,
            created_at=at,
            created_by_id=world.people["ruwan"],
        )
        db.session.add(patient)
        db.session.flush()
        ids.append(patient.id)
        if number % 3 == 0:
            kind, label, severity = [
                (AlertKind.ALLERGY, "Latex", Severity.CRITICAL),
                (AlertKind.CONDITION, "Asthma", Severity.WARNING),
                (AlertKind.HANDLING, "Wheelchair", Severity.NOTE),
                (AlertKind.MEDICINE, "Warfarin", Severity.CRITICAL),
            ][number // 3 % 4]
            db.session.add(
                Alert(
                    patient_id=patient.id,
                    kind=kind,
                    label=label,
                    severity=severity,
                    created_at=at,
                    created_by_id=world.people["silva"],
                )
            )
    return ids


def add_arrived(
    world: World,
    patient_id: int,
    stage: Stage = Stage.WAITING,
    *,
    minutes: float = 10,
    total: float | None = None,
    ticket: str = "A-100",
    chair: str | None = None,
    **values: object,
) -> int:
    """A visit of the patient, here for `total` minutes, in this stage for so many; the id of its open entry."""
    now = clock.now()
    began, came = now - timedelta(minutes=minutes), now - timedelta(minutes=total or minutes)
    department = world.departments["restorative"]
    visit = Visit(
        patient_id=patient_id,
        department_id=department,
        starts_at=_quarter(came),
        student_id=world.people["kamal"],
        supervisor_id=world.people["silva"],
        reason="Filling",
        status=VisitStatus.ARRIVED,
        ticket=ticket,
        arrived_at=came,
        created_at=came,
        created_by_id=world.people["ruwan"],
    )
    db.session.add(visit)
    db.session.flush()
    chair_id = world.chairs[chair] if chair else None
    usual = {"queued_at": came, "moved_by_id": world.people["rita"], "priority": Priority.NORMAL}
    return open_entry(visit, stage, chair_id, began, **(usual | values)).id


def busy(world: World, *, waiting: int = 9, expected: int = 6) -> dict[str, int]:
    """A busy afternoon in restorative; the entry ids by what is special about them."""
    chairs = [Chair(department_id=world.departments["restorative"], name=f"A{number}") for number in range(5, 13)]
    db.session.add_all(chairs)
    db.session.flush()
    world.chairs |= {chair.name: chair.id for chair in chairs}
    patients = iter(add_patients(world, waiting + expected + 14))
    made: dict[str, int] = {}
    for number in range(waiting):
        special: dict[str, object] = {}
        if number == 2:
            special = {"priority": Priority.URGENT, "priority_reason": "Swelling since last night"}
        if number == 4:
            special = {
                "weight": 1,
                "weight_reason": "Came with a small child",
                "weight_by_id": world.people["rita"],
            }
        made[f"waiting{number}"] = add_arrived(
            world, next(patients), minutes=3 + number * 7, ticket=f"A-{20 + number:03d}", **special
        )
    spots = [
        ("called", Stage.CALLED, 1, "A1", {"calls": 1}),
        ("called_often", Stage.CALLED, 9, "A2", {"calls": 3}),
        ("seated", Stage.IN_CHAIR, 12, "A3", {}),
        ("treated", Stage.IN_TREATMENT, 42, "A5", {}),
        ("treated_long", Stage.IN_TREATMENT, 95, "A6", {}),
        ("treated_very_long", Stage.IN_TREATMENT, 170, "A7", {}),
        ("supervisor", Stage.AWAITING_SUPERVISOR, 6, "A8", {}),
        ("dismissal", Stage.AWAITING_DISMISSAL, 14, "A9", {}),
        ("checkout", Stage.CHECKOUT, 4, None, {}),
        ("checkout_long", Stage.CHECKOUT, 22, None, {}),
    ]
    for number, (name, stage, minutes, chair, values) in enumerate(spots):
        made[name] = add_arrived(
            world,
            next(patients),
            stage,
            minutes=minutes,
            total=minutes + 25,
            ticket=f"A-{5 + number:03d}",
            chair=chair,
            **values,
        )
    for number in range(expected):
        db.session.add(
            Visit(
                patient_id=next(patients),
                department_id=world.departments["restorative"],
                starts_at=_quarter(clock.now()) + timedelta(minutes=15 * (number - 2)),
                student_id=world.people["leela"],
                reason="Check-up",
                status=VisitStatus.SCHEDULED,
                created_at=clock.now(),
                created_by_id=world.people["ruwan"],
            )
        )
    db.session.commit()
    return made


def _quarter(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
