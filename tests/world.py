"""One world everyone knows by name. Every test starts here.

Departments: restorative (tickets A), orthodontics (tickets B); chairs A1 to A4 and B1, B2; A4 is out of service.
Receptionists: ruwan, rita. Nurse: nimal. Admin: adel.
Supervisors: silva (restorative), sato (orthodontics).
Students: kamal (restorative, 4th year), leela (restorative, 3rd year), omar (orthodontics, 4th year).
Patients: fernando (assigned to kamal, penicillin allergy, visit today), perera (formerly kamal's, now leela's; visit today),
wu (assigned to omar; visit today in orthodontics), nadia (never assigned), archie (archived, formerly assigned to kamal).
Everyone's password is PASSWORD, everyone's PIN is PIN. The two gates of a visit are off (`gates_on` of tests/gated.py).
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

from clinic import clock, passwords
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    AuditHead,
    Chair,
    Counter,
    Department,
    Patient,
    Role,
    Setting,
    Severity,
    Sex,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations.patients import index_patient
from clinic.text import sort_key

PASSWORD = "correct horse battery"
PIN = "482915"


@dataclass
class World:
    """Ids by name; load the rows in the test's own session."""

    people: dict[str, int] = field(default_factory=dict)
    patients: dict[str, int] = field(default_factory=dict)
    departments: dict[str, int] = field(default_factory=dict)
    chairs: dict[str, int] = field(default_factory=dict)
    visits: dict[str, int] = field(default_factory=dict)

    def user(self, name: str) -> User:
        return db.session.get_one(User, self.people[name])

    def patient(self, name: str) -> Patient:
        return db.session.get_one(Patient, self.patients[name])

    def visit(self, name: str) -> Visit:
        return db.session.get_one(Visit, self.visits[name])

    def department(self, name: str) -> Department:
        return db.session.get_one(Department, self.departments[name])

    def chair(self, name: str) -> Chair:
        return db.session.get_one(Chair, self.chairs[name])


PEOPLE = {
    "ruwan": ("Ruwan Senanayake", Role.RECEPTIONIST, None, None),
    "rita": ("Rita Gomes", Role.RECEPTIONIST, None, None),
    "nimal": ("Nimal Costa", Role.NURSE, None, None),
    "adel": ("Adel Rahman", Role.ADMIN, None, None),
    "silva": ("Dr Sunil Silva", Role.SUPERVISOR, "restorative", None),
    "sato": ("Dr Emi Sato", Role.SUPERVISOR, "orthodontics", None),
    "kamal": ("Kamal Dias", Role.STUDENT, "restorative", 4),
    "leela": ("Leela Nair", Role.STUDENT, "restorative", 3),
    "omar": ("Omar Haddad", Role.STUDENT, "orthodontics", 4),
}
PATIENTS = {
    "fernando": ("Nimali Fernando", date(1991, 9, 3), Sex.FEMALE, "077 123 4567"),
    "perera": ("Ana Perera", date(1984, 3, 2), Sex.FEMALE, "071 555 0199"),
    "wu": ("吴美玲", date(2015, 6, 20), Sex.FEMALE, "076 222 3344"),
    "nadia": ("نادية منصور", date(1970, 1, 15), Sex.FEMALE, "075 987 6543"),
    "archie": ("Archie Bell", date(1950, 12, 31), Sex.MALE, ""),
}


def build_world() -> World:
    """Fill an empty database and commit."""
    world = World()
    at = clock.now()
    hashed, pin = passwords.hashed(PASSWORD), passwords.hashed(PIN)
    db.session.add(Counter(name="live", value=0))
    db.session.add_all([Setting(name=name, value="false") for name in ("start_gate", "dismiss_gate")])
    db.session.merge(AuditHead(id=1, seq=0, mac=""))  # there already, unless the tables were emptied
    for name, letter in (("restorative", "A"), ("orthodontics", "B")):
        row = _add(Department(name=name.title(), letter=letter))
        world.departments[name] = row.id
        for number in range(1, 5 if letter == "A" else 3):
            chair = _add(Chair(department_id=row.id, name=f"{letter}{number}"))
            world.chairs[chair.name] = chair.id
    db.session.get_one(Chair, world.chairs["A4"]).out_of_service = "Compressor is being repaired"
    for short, (name, role, department, year) in PEOPLE.items():
        world.people[short] = _add(
            User(
                email=f"{short}@clinic.test",
                name=name,
                role=role,
                department_id=world.departments.get(department or ""),
                year=year,
                password_hash=hashed,
                pin_hash=pin,
                created_at=at,
            )
        ).id
    for number, (short, (name, born, sex, phone)) in enumerate(PATIENTS.items(), 1):
        patient = _add(
            Patient(
                code=f"P-2026-{number:05d}",
                name=name,
                sort_name=sort_key(name),
                birth_date=born,
                sex=sex,
                phone=phone,
                created_at=at,
                created_by_id=world.people["ruwan"],
            )
        )
        world.patients[short] = patient.id
        index_patient(patient)
    db.session.add(Counter(name="patient:2026", value=len(PATIENTS)))
    world.patient("archie").archived_at = at
    _assign(world, "fernando", "kamal")
    _assign(world, "perera", "kamal", ended=True)
    _assign(world, "perera", "leela")
    _assign(world, "wu", "omar")
    _assign(world, "archie", "kamal", ended=True)
    db.session.add(
        Alert(
            patient_id=world.patients["fernando"],
            kind=AlertKind.ALLERGY,
            severity=Severity.CRITICAL,
            label="Penicillin",
            created_at=at,
            created_by_id=world.people["silva"],
        )
    )
    quarter = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    for short, student, supervisor, department in (
        ("fernando", "kamal", "silva", "restorative"),
        ("perera", "leela", "silva", "restorative"),
        ("wu", "omar", "sato", "orthodontics"),
    ):
        world.visits[short] = _add(
            Visit(
                patient_id=world.patients[short],
                department_id=world.departments[department],
                starts_at=quarter,
                student_id=world.people[student],
                supervisor_id=world.people[supervisor],
                reason="Check-up",
                status=VisitStatus.SCHEDULED,
                created_at=at,
                created_by_id=world.people["ruwan"],
            )
        ).id
    db.session.commit()
    db.session.remove()
    return world


def _add(row):  # type: ignore[no-untyped-def]
    db.session.add(row)
    db.session.flush()
    return row


def _assign(world: World, patient: str, person: str, *, ended: bool = False) -> None:
    at = clock.now()
    db.session.add(
        Assignment(
            patient_id=world.patients[patient],
            user_id=world.people[person],
            kind=AssignmentKind.PRIMARY,
            starts_at=at - timedelta(days=90),
            ends_at=at - timedelta(days=30) if ended else None,
            created_by_id=world.people["silva"],
            end_reason="Transferred" if ended else None,
        )
    )
