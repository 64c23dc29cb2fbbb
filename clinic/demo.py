"""A believable clinic of any size, the same each time for the same seed and day: for demonstrations and for the benchmarks.

Nobody in it is real. Rows are written in bulk, past the operations; the tests hold that what comes out obeys the same rules.
"""

import random
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import insert, select

from clinic import (
    clock,
    demo_cases,
    demo_charts,
    demo_evaluations,
    demo_gates,
    demo_histories,
    demo_notes,
    demo_plans,
    demo_requirements,
    passwords,
)
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    Base,
    Booking,
    BrokenGlass,
    CallReason,
    Chair,
    Counter,
    Department,
    GlassReason,
    Judgement,
    Notice,
    Patient,
    PatientToken,
    Priority,
    QueueEntry,
    RequestKind,
    Role,
    Severity,
    Sex,
    Stage,
    SupervisorCall,
    User,
    Visit,
    VisitStatus,
)
from clinic.models.visit import SLOT_MINUTES
from clinic.operations import requests
from clinic.operations.notices import tell
from clinic.operations.patients import tokens_of
from clinic.queries.glass import UNEXPLAINED
from clinic.text import sort_key

PASSWORD = "chairside-demo-2026"  # noqa: S105 - printed by `make run`; seeding is refused in production
PIN = "271828"
CHUNK = 2000  # rows per INSERT round
HISTORY_DAYS = 365  # visits of this many days back have their queue stages too, for the waits page

DEPARTMENTS = [
    ("Restorative dentistry", "A"),
    ("Orthodontics", "B"),
    ("Oral surgery", "C"),
    ("Paediatric dentistry", "D"),
    ("Periodontology", "E"),
    ("Prosthodontics", "F"),
]
# Given names by sex, and family names, by script; combined at random they name nobody.
NAMES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "latin": (
        ["Nimali", "Ana", "Sarah", "Dilini", "Grace", "Ishara", "Maria", "Zoë", "Amara", "Chloé", "Tharushi", "Ines"],
        ["Kasun", "Ravi", "Daniel", "José", "Amal", "Peter", "Nuwan", "Øystein", "Samuel", "Dinesh", "Łukasz", "Hugo"],
        [
            "Fernando",
            "Perera",
            "Silva",
            "Jayasuriya",
            "Dias",
            "Nair",
            "Bell",
            "Okafor",
            "Müller",
            "García",
            "Tan",
            "Peiris",
        ],
    ),
    "sinhala": (["නිමාලි", "දිලිනි", "ඉෂාරා"], ["කසුන්", "නුවන්", "අමල්"], ["පෙරේරා", "ප්‍රනාන්දු", "ජයසූරිය", "සිල්වා"]),
    "tamil": (["கவிதா", "மீனா", "லட்சுமி"], ["ரவி", "குமார்", "அருண்"], ["நாயர்", "செல்வம்", "இராமன்"]),
    "arabic": (["نادية", "فاطمة", "ليلى"], ["عمر", "يوسف", "كريم"], ["منصور", "حداد", "رحمن"]),
    "chinese": (["美玲", "秀英", "丽华"], ["伟", "建国", "志强"], ["吴", "陈", "林", "黄"]),
    "thai": (["สมหญิง", "มาลี"], ["สมชาย", "วิชัย"], ["ศรีสุข", "แก้วมณี"]),
}
SCRIPTS = [("latin", 70), ("sinhala", 14), ("tamil", 7), ("arabic", 4), ("chinese", 3), ("thai", 2)]
ALERTS = [
    (AlertKind.ALLERGY, Severity.CRITICAL, "Penicillin allergy"),
    (AlertKind.ALLERGY, Severity.CRITICAL, "Latex allergy"),
    (AlertKind.CONDITION, Severity.WARNING, "Asthma"),
    (AlertKind.CONDITION, Severity.WARNING, "Diabetes, type 2"),
    (AlertKind.CONDITION, Severity.WARNING, "Hypertension"),
    (AlertKind.MEDICINE, Severity.CRITICAL, "Takes warfarin"),
    (AlertKind.MEDICINE, Severity.NOTE, "Takes metformin"),
    (AlertKind.HANDLING, Severity.NOTE, "Uses a wheelchair"),
    (AlertKind.HANDLING, Severity.NOTE, "Needs an interpreter"),
    (AlertKind.HANDLING, Severity.NOTE, "Anxious: explain each step"),
]
REASONS = [
    "Check-up",
    "Filling",
    "Pain",
    "Root canal, second visit",
    "Crown preparation",
    "Scaling",
    "Extraction",
    "Review",
    "Impression",
]
# Mean minutes in each stage of a visit that went through all of them.
COURSE = [
    (Stage.WAITING, 22),
    (Stage.CALLED, 2),
    (Stage.IN_CHAIR, 8),
    (Stage.IN_TREATMENT, 38),
    (Stage.AWAITING_SUPERVISOR, 7),
    (Stage.IN_TREATMENT, 15),
    (Stage.AWAITING_DISMISSAL, 6),
    (Stage.CHECKOUT, 5),
]
PARENTS_FIRST = [table.name for table in Base.metadata.sorted_tables]
SAYS = Callable[[str], None]


@dataclass
class Clinic:
    """What has been made so far: ids to draw from, and counters to store."""

    dice: random.Random
    at: datetime
    day: date
    departments: list[int] = field(default_factory=list)
    letters: dict[int, str] = field(default_factory=dict)
    chairs: dict[int, list[int]] = field(default_factory=dict)
    staff: dict[Role, list[int]] = field(default_factory=dict)
    students: dict[int, list[int]] = field(default_factory=dict)
    supervisors: dict[int, list[int]] = field(default_factory=dict)
    counters: Tally[str] = field(default_factory=Tally)
    next_id: Tally[str] = field(default_factory=Tally)
    student_of: dict[int, tuple[int, int]] = field(default_factory=dict)  # patient: (student, department)

    def new_id(self, table: str) -> int:
        self.next_id[table] += 1
        return self.next_id[table]


def is_empty() -> bool:
    return db.session.execute(select(User.id).limit(1)).first() is None


def people_to_try() -> list[User]:
    """The first person of each role of a demo clinic, in the order they meet a patient; none in any other clinic."""
    names = ("reception", "nurse", "student", "supervisor", "admin")
    emails = [f"{name}@demo.test" for name in names]
    people = {user.email: user for user in db.session.scalars(select(User).where(User.email.in_(emails)).limit(5))}
    return [people[email] for email in emails if email in people]


def seed(*, patients: int, years: int, seed: int, say: SAYS = lambda _line: None) -> None:
    """Fill an empty database with a clinic; the caller commits. `say` is told of each step."""
    clinic = Clinic(random.Random(seed), clock.now().replace(second=0, microsecond=0), clock.today())
    say("departments, chairs and people")
    _make_places(clinic)
    _make_people(clinic, students=max(24, min(400, patients // 8)))
    say(f"{patients} patients")
    _store(_patients(clinic, patients, years))
    say("visits")
    _store(_past_visits(clinic, patients, years))
    _store(_future_visits(clinic, patients))
    say("today's queue")
    _store(_today(clinic, patients))
    say("broken glass")
    _store(_glasses(clinic))
    _store((Counter, {"name": name, "value": value}) for name, value in sorted(clinic.counters.items()))
    db.session.flush()
    say("charts")
    _store(demo_charts.rows(seed, clinic.new_id, clinic.at))
    say("histories")
    _store(demo_histories.rows(seed, clinic.new_id, clinic.at))
    say("notes")
    _store(demo_notes.rows(seed, clinic.new_id, clinic.at))
    say("evaluations")
    _store(demo_evaluations.rows(seed, clinic.new_id, clinic.at))
    say("plans of treatment")
    demo_plans.make(seed)
    say("approvals of today")
    demo_gates.make()
    say("requirements")
    demo_requirements.make(seed, clinic.day)
    say("cases")
    demo_cases.make()
    say("requests")
    _ask(clinic)


def _store(rows: Iterator[tuple[type[Base], dict[str, Any]]]) -> None:
    """Insert rows in chunks, parents before children."""
    waiting: dict[type[Base], list[dict[str, Any]]] = {}

    def flush() -> None:
        for model in sorted(waiting, key=lambda model: PARENTS_FIRST.index(model.__tablename__)):
            db.session.execute(insert(model), waiting[model])
        waiting.clear()

    for count, (model, values) in enumerate(rows, 1):
        waiting.setdefault(model, []).append(values)
        if count % CHUNK == 0:
            flush()
    flush()


def _make_places(clinic: Clinic) -> None:
    for name, letter in DEPARTMENTS:
        department = clinic.new_id("department")
        clinic.departments.append(department)
        clinic.letters[department] = letter
        db.session.execute(insert(Department), [{"id": department, "name": name, "letter": letter, "active": True}])
        chairs: list[dict[str, Any]] = [
            {"id": clinic.new_id("chair"), "department_id": department, "name": f"{letter}{number}", "version": 1}
            for number in range(1, 11)
        ]
        clinic.chairs[department] = [chair["id"] for chair in chairs[:-1]]
        chairs[-1]["out_of_service"] = "Waiting for a new hand-piece"
        db.session.execute(insert(Chair), [{"out_of_service": None} | chair for chair in chairs])


def _make_people(clinic: Clinic, students: int) -> None:
    """Demo people first: reception@, nurse@, admin@, student@ and supervisor@ the demo's domain."""
    password, pin = passwords.hashed(PASSWORD), passwords.hashed(PIN)
    rows: list[dict[str, Any]] = []

    def person(role: Role, department: int | None = None, year: int | None = None) -> int:
        number = len(clinic.staff.setdefault(role, []))
        user = clinic.new_id("user")
        clinic.staff[role].append(user)
        short = "reception" if role is Role.RECEPTIONIST else role.value
        name = _name(clinic.dice, "latin", clinic.dice.choice([Sex.FEMALE, Sex.MALE]))
        rows.append(
            {
                "id": user,
                "email": f"{short}{number or ''}@demo.test",
                "name": f"Dr {name}" if role is Role.SUPERVISOR else name,
                "role": role,
                "department_id": department,
                "year": year,
                "active": True,
                "password_hash": password,
                "pin_hash": pin,
                "must_change_password": False,
                "theme": "auto",
                "created_at": clinic.at,
                "version": 1,
            }
        )
        return user

    for role, count in ((Role.RECEPTIONIST, 4), (Role.NURSE, 3), (Role.ADMIN, 2)):
        for _ in range(count):
            person(role)
    for number in range(len(clinic.departments) * 2):
        department = clinic.departments[number % len(clinic.departments)]
        clinic.supervisors.setdefault(department, []).append(person(Role.SUPERVISOR, department))
    for number in range(students):
        department = clinic.departments[number % len(clinic.departments)]
        student = person(Role.STUDENT, department, 3 + number // len(clinic.departments) % 3)
        clinic.students.setdefault(department, []).append(student)
    # Who also evaluates in the first department; with dice of their own, so that nothing else comes out otherwise.
    clinic.dice, kept = random.Random("further supervisors"), clinic.dice
    for _ in range(2):
        person(Role.SUPERVISOR, clinic.departments[0])
    clinic.dice = kept
    db.session.execute(insert(User), rows)


def _name(dice: random.Random, script: str, sex: Sex) -> str:
    women, men, families = NAMES[script]
    given, family = dice.choice(women if sex is Sex.FEMALE else men), dice.choice(families)
    if script == "chinese":
        return family + given
    middle = f" {dice.choice(families)}" if script == "latin" and dice.random() < 0.3 else ""
    return f"{given}{middle} {family}"


def _patients(clinic: Clinic, count: int, years: int) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    dice = clinic.dice
    receptionist = clinic.staff[Role.RECEPTIONIST][0]
    scripts, weights = zip(*SCRIPTS, strict=True)
    registered = sorted(
        clinic.day - timedelta(days=int(dice.random() ** 1.3 * (365 * years + 1))) for _ in range(count)
    )
    for on in registered:
        patient = clinic.new_id("patient")
        clinic.counters[f"patient:{on.year}"] += 1
        sex = dice.choices([Sex.FEMALE, Sex.MALE, Sex.OTHER], [52, 47, 1])[0]
        name = _name(dice, dice.choices(scripts, weights)[0], sex)
        age = dice.choices(
            [dice.uniform(0.5, 12), dice.uniform(12, 30), dice.uniform(30, 65), dice.uniform(65, 95)], [20, 30, 38, 12]
        )[0]
        at = datetime.combine(on, time(4, 30), UTC)
        values = {
            "id": patient,
            "code": f"P-{on.year}-{clinic.counters[f'patient:{on.year}']:05d}",
            "name": name,
            "sort_name": sort_key(name),
            "birth_date": on - timedelta(days=int(age * 365.25)),
            "sex": sex,
            "phone": f"07{dice.randrange(10)} {dice.randrange(100, 1000)} {dice.randrange(1000, 10000)}"
            if dice.random() < 0.95
            else "",
            "email": "",
            "address": f"{dice.randrange(1, 400)} Temple Road",
            "language": "",
            "emergency_name": "",
            "emergency_phone": "",
            "emergency_relation": "",
            "archived_at": at + timedelta(days=400)
            if years > 3 and dice.random() < 0.03 and on < clinic.day - timedelta(days=500)
            else None,
            "created_at": at,
            "created_by_id": receptionist,
            "version": 1,
        }
        values["archive_reason"] = "Not seen for over a year" if values["archived_at"] else None
        yield Patient, values
        for token in tokens_of(Patient(**values)):
            yield PatientToken, {"token": token, "patient_id": patient}
        for kind, severity, label in dice.sample(ALERTS, dice.choices([0, 1, 2], [72, 20, 8])[0]):
            yield (
                Alert,
                {
                    "id": clinic.new_id("alert"),
                    "patient_id": patient,
                    "kind": kind,
                    "severity": severity,
                    "label": label,
                    "detail": "",
                    "created_at": at,
                    "created_by_id": receptionist,
                },
            )
        yield from _assignments(clinic, patient, at)


def _assignments(clinic: Clinic, patient: int, at: datetime) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """A student now, and for older patients a former one."""
    department = clinic.dice.choice(clinic.departments)
    student = clinic.dice.choice(clinic.students[department])
    clinic.student_of[patient] = (student, department)
    change = at + (clinic.at - at) / 2 if clinic.at - at > timedelta(days=200) else None
    spans: list[tuple[int, datetime, datetime | None]] = [(student, change or at, None)]
    if change:
        spans.insert(0, (clinic.dice.choice(clinic.students[department]), at, change))
    for user, start, end in spans:
        yield (
            Assignment,
            {
                "id": clinic.new_id("assignment"),
                "patient_id": patient,
                "user_id": user,
                "kind": AssignmentKind.PRIMARY,
                "starts_at": start,
                "ends_at": end,
                "created_by_id": clinic.supervisors[department][0],
                "ended_by_id": clinic.supervisors[department][0] if end else None,
                "end_reason": "Handed over at the end of term" if end else None,
            },
        )


def _visit(clinic: Clinic, patient: int, starts_at: datetime, status: VisitStatus, **more: Any) -> dict[str, Any]:
    student, department = clinic.student_of[patient]
    return {
        "id": clinic.new_id("visit"),
        "patient_id": patient,
        "department_id": department,
        "starts_at": starts_at,
        "minutes": clinic.dice.choice([30, 60, 60, 90]),
        "walk_in": False,
        "chair_id": None,
        "student_id": student,
        "supervisor_id": clinic.dice.choice(clinic.supervisors[department]),
        "reason": clinic.dice.choice(REASONS),
        "status": status,
        "ticket": None,
        "arrived_at": None,
        "completed_at": None,
        "outcome": None,
        "created_at": min(starts_at, clinic.at) - timedelta(days=7),
        "created_by_id": clinic.staff[Role.RECEPTIONIST][0],
        "version": 1,
    } | more


def _quarter(clinic: Clinic, on: date) -> datetime:
    """A quarter of an hour in the clinic's opening times, 8:00 to 15:45."""
    return clock.start_of(on) + timedelta(hours=8, minutes=SLOT_MINUTES * clinic.dice.randrange(32))


def _past_visits(clinic: Clinic, patients: int, years: int) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """On average 0.6 visits per patient and year; stages of the queue for those of the last `HISTORY_DAYS`."""
    tickets: Tally[tuple[int, date]] = Tally()
    for _ in range(int(patients * years * 0.6)):
        patient = clinic.dice.randrange(1, patients + 1)
        on = clinic.day - timedelta(days=clinic.dice.randrange(1, 365 * max(years, 1)))
        starts_at = _quarter(clinic, on)
        if clinic.dice.random() < 0.08:
            status = clinic.dice.choice([VisitStatus.DID_NOT_ATTEND, VisitStatus.CANCELLED])
            yield Visit, _visit(clinic, patient, starts_at, status)
            continue
        arrived = starts_at + timedelta(minutes=clinic.dice.gauss(-3, 9))
        visit = _visit(clinic, patient, starts_at, VisitStatus.COMPLETED, arrived_at=arrived)
        tickets[visit["department_id"], on] += 1
        visit["ticket"] = f"{clinic.letters[visit['department_id']]}-{tickets[visit['department_id'], on]:03d}"
        stages = list(_course(clinic, arrived))
        visit["completed_at"] = stages[-1][2]
        yield Visit, visit
        if (clinic.day - on).days <= HISTORY_DAYS:
            yield from _entries(clinic, visit, stages, chair=None)


def _future_visits(clinic: Clinic, patients: int) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """Four weeks ahead, without clashes."""
    taken: set[tuple[str, datetime]] = set()
    for _ in range(min(patients, 1500)):
        patient = clinic.dice.randrange(1, patients + 1)
        starts_at = _quarter(clinic, clinic.day + timedelta(days=clinic.dice.randrange(1, 29)))
        visit = _visit(clinic, patient, starts_at, VisitStatus.SCHEDULED)
        yield from _booked(visit, taken)


def _booked(visit: dict[str, Any], taken: set[tuple[str, datetime]]) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """The visit with its booking, unless something clashes."""
    slots = [visit["starts_at"] + timedelta(minutes=m) for m in range(0, visit["minutes"], SLOT_MINUTES)]
    resources = [f"patient:{visit['patient_id']}", f"student:{visit['student_id']}"]
    wanted = {(resource, slot) for resource in resources for slot in slots}
    if wanted & taken:
        return
    taken |= wanted
    yield Visit, visit
    for resource, slot in sorted(wanted):
        yield Booking, {"resource": resource, "slot": slot, "visit_id": visit["id"]}


def _course(clinic: Clinic, arrived: datetime) -> Iterator[tuple[Stage, datetime, datetime]]:
    """Every stage of a finished visit with its start and end."""
    at = arrived
    for stage, mean in COURSE:
        end = at + timedelta(minutes=clinic.dice.expovariate(1 / mean) + 0.2)
        yield stage, at, end
        at = end


def _entries(
    clinic: Clinic,
    visit: dict[str, Any],
    stages: list[tuple[Stage, datetime, datetime | None]] | list[tuple[Stage, datetime, datetime]],
    chair: int | None,
) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """Queue entries of a visit, one per stage, and the final `done` when the last stage has ended."""
    previous = None
    rows: list[tuple[Stage, datetime, datetime | None]] = list(stages)
    if rows[-1][2]:
        rows.append((Stage.DONE, rows[-1][2], rows[-1][2]))
    priority = clinic.dice.choices(list(Priority), [1, 5, 90, 4])[0]
    for stage, start, end in rows:
        entry = clinic.new_id("queue_entry")
        in_chair = stage not in (Stage.WAITING, Stage.CHECKOUT, Stage.DONE)
        yield (
            QueueEntry,
            {
                "id": entry,
                "visit_id": visit["id"],
                "patient_id": visit["patient_id"],
                "department_id": visit["department_id"],
                "stage": stage,
                "started_at": start,
                "queued_at": rows[0][1],
                "ended_at": end,
                "voided_at": None,
                "chair_id": chair if in_chair else None,
                "priority": priority,
                "priority_reason": "In pain" if priority < Priority.NORMAL else None,
                "weight": 0,
                "calls": 0 if stage is Stage.WAITING else 1,
                "last_called_at": rows[1][1] if stage is not Stage.WAITING and len(rows) > 1 else None,
                "previous_id": previous,
                "moved_by_id": clinic.staff[Role.RECEPTIONIST][0],
                "version": 1,
            },
        )
        previous = entry


def _today(clinic: Clinic, patients: int) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """Every department at work now: some expected, some waiting, chairs in use, calls for supervisors, some done."""
    dice = clinic.dice
    unused = dice.sample(range(1, patients + 1), min(patients, 40 * len(clinic.departments)))
    by_department: dict[int, list[int]] = {department: [] for department in clinic.departments}
    for patient in unused:
        by_department[clinic.student_of[patient][1]].append(patient)
    taken: set[tuple[str, datetime]] = set()
    for department, here in by_department.items():
        free = list(clinic.chairs[department])
        busy: set[int] = set()
        here.sort(key=lambda patient: clinic.student_of[patient][0] != clinic.students[department][0])
        for number, patient in enumerate(here[:26]):
            student = clinic.student_of[patient][0]
            reached = _reached(number)
            if reached is None:
                yield from _booked(_visit(clinic, patient, _ahead(clinic, number), VisitStatus.SCHEDULED), taken)
                continue
            if reached not in (Stage.WAITING, Stage.DONE) and (student in busy or not free):
                yield from _booked(_visit(clinic, patient, _ahead(clinic, number), VisitStatus.SCHEDULED), taken)
                continue
            if reached not in (Stage.WAITING, Stage.DONE):
                busy.add(student)
            yield from _present(clinic, patient, reached, free)


def _glasses(clinic: Clinic) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """A record opened by breaking the glass that waits to be judged, one that was judged, and a person who was asked why."""
    department, students = next(iter(clinic.students.items()))
    judge = clinic.supervisors[department][0]
    opened = (
        (GlassReason.COVER, "A colleague is ill today", None, 3),
        (GlassReason.SAFETY, "Recall of a batch of composite", Judgement.JUSTIFIED, 30),
    )
    for patient, (reason, words, judgement, hours) in enumerate(opened, 1):
        at = clinic.at - timedelta(hours=hours)
        yield (
            BrokenGlass,
            {
                "user_id": students[1],
                "patient_id": patient,
                "reason": reason,
                "words": words,
                "opened_at": at,
                "expires_at": at + timedelta(minutes=60),
                "judgement": judgement,
                "judged_by_id": judge if judgement else None,
                "judged_at": at + timedelta(hours=2) if judgement else None,
                "judge_words": "The batch was in this patient's record" if judgement else None,
                "version": 2 if judgement else 1,
            },
        )
    yield (
        Notice,
        {
            "user_id": students[1],
            "patient_id": 3,
            "kind": UNEXPLAINED,
            "sentence": "You opened a record yesterday, and nothing shows why. Say what it was for.",
            "url": "",
            "at": clinic.at - timedelta(hours=1),
            "answer": None,
        },
    )


def _reached(number: int) -> Stage | None:
    """The stage the n-th patient of today has reached; None: not here yet."""
    pattern: list[Stage | None] = [
        Stage.DONE,
        Stage.IN_TREATMENT,
        Stage.WAITING,
        None,
        Stage.AWAITING_SUPERVISOR,
        Stage.WAITING,
        Stage.IN_CHAIR,
        Stage.DONE,
        Stage.WAITING,
        Stage.CALLED,
        None,
        Stage.IN_TREATMENT,
        Stage.CHECKOUT,
        Stage.WAITING,
        Stage.AWAITING_DISMISSAL,
        None,
    ]
    return pattern[number % len(pattern)]


def _ahead(clinic: Clinic, number: int) -> datetime:
    quarter = clinic.at.replace(minute=clinic.at.minute // SLOT_MINUTES * SLOT_MINUTES)
    return quarter + timedelta(minutes=SLOT_MINUTES * (number % 8 + 1))


def _ask(clinic: Clinic) -> None:
    """What waits for the first supervisor's approval: two things of one student and patient, and two of others. And a notice."""
    department = clinic.departments[0]
    first, second, third = (db.session.get_one(User, number) for number in clinic.students[department][:3])
    reception = db.session.get_one(User, clinic.staff[Role.RECEPTIONIST][0])
    theirs = {first.id, second.id, third.id}
    others = [patient for patient, (student, _) in clinic.student_of.items() if student not in theirs]
    present = select(Patient).where(Patient.id.in_(others[:50]), Patient.archived_at.is_(None)).order_by(Patient.id)
    wanted = db.session.scalars(present.limit(3)).all()
    for student, patient in zip((first, second), wanted, strict=False):
        requests.ask_assignment(
            kind=RequestKind.ASSIGN,
            patient_id=patient.id,
            clinician_id=student.id,
            assignment_kind=AssignmentKind.ADDITIONAL,
            reason="Lives near the student's clinic; asked for a morning",
            actor=reception,
        )
    for student, patient in zip((first, third), wanted[::2], strict=False):
        need = "Root canal treatment of a molar, the last of four required"
        requests.ask_for_patient(code=patient.code, assignment_kind=AssignmentKind.PRIMARY, need=need, actor=student)
    welcome = "Welcome to the demo clinic: what concerns you alone appears here"
    for role in Role:
        person = clinic.staff[role][0]
        tell(person, welcome, kind="demo.welcome")


def _present(
    clinic: Clinic, patient: int, reached: Stage, free: list[int]
) -> Iterator[tuple[type[Base], dict[str, Any]]]:
    """A visit of someone who is here, with its entries, and a call where they wait for a supervisor."""
    stages: list[tuple[Stage, datetime, datetime | None]] = []
    end: datetime | None = (
        None if reached is not Stage.DONE else clinic.at - timedelta(minutes=clinic.dice.randrange(5, 90))
    )
    course = [stage for stage, _ in COURSE]
    upto = len(course) if reached is Stage.DONE else course.index(reached) + 1
    for stage, mean in reversed(COURSE[:upto]):
        start = (end or clinic.at) - timedelta(minutes=min(clinic.dice.expovariate(1 / mean) + 1, mean * 2.5))
        stages.insert(0, (stage, start, end))
        end = start
    arrived = stages[0][1]
    chair = free.pop() if reached not in (Stage.WAITING, Stage.CHECKOUT, Stage.DONE) else None
    late = timedelta(minutes=clinic.dice.gauss(0, 10))
    appointment = arrived - late
    appointment = appointment.replace(minute=appointment.minute // SLOT_MINUTES * SLOT_MINUTES, second=0, microsecond=0)
    visit = _visit(
        clinic, patient, appointment, VisitStatus.COMPLETED if reached is Stage.DONE else VisitStatus.ARRIVED
    )
    counter = f"ticket:{visit['department_id']}:{clinic.day.isoformat()}"  # as operations.queue numbers them
    clinic.counters[counter] += 1
    visit |= {
        "ticket": f"{clinic.letters[visit['department_id']]}-{clinic.counters[counter]:03d}",
        "arrived_at": arrived,
        "completed_at": stages[-1][2],
        "chair_id": chair,
        "walk_in": clinic.dice.random() < 0.15,
    }
    yield Visit, visit
    yield from _entries(clinic, visit, stages, chair)
    if reached is Stage.AWAITING_SUPERVISOR:
        yield (
            SupervisorCall,
            {
                "id": clinic.new_id("supervisor_call"),
                "visit_id": visit["id"],
                "patient_id": patient,
                "department_id": visit["department_id"],
                "student_id": visit["student_id"],
                "reason": clinic.dice.choice(list(CallReason)),
                "note": "",
                "created_at": stages[-1][1],
                "withdrawn": False,
                "version": 1,
            },
        )
