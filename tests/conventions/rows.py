"""Many rows behind every list: what the test of query counts puts into the world, once few and once many."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from clinic import audit, clock
from clinic.chart.kinds import Scope, Status
from clinic.chart.versions import check_code, digest
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    AuthSession,
    BrokenGlass,
    CallReason,
    Category,
    Chair,
    Chart,
    ChartEntry,
    ChartVersion,
    Department,
    Display,
    Document,
    DocumentStatus,
    GlassReason,
    JobRun,
    Judgement,
    Notice,
    OwnKind,
    Patient,
    PatientToken,
    QueueEntry,
    Request,
    RequestKind,
    Role,
    Severity,
    Sex,
    SignOff,
    Stage,
    SupervisorCall,
    Unowned,
    User,
    VersionReason,
    Visit,
    VisitStatus,
)
from clinic.queries.glass import UNEXPLAINED
from tests.world import PEOPLE, World


def grow(world: World, count: int) -> None:
    """Add so many rows to whatever a list may show, in restorative mostly, about people of the world. Commits.

    Whoever adds a table that a list shows adds its rows here.
    """
    at, numbers = clock.now(), range(count)
    ruwan, kamal, silva, omar = (world.people[name] for name in ("ruwan", "kamal", "silva", "omar"))
    home, fernando = world.departments["restorative"], world.patients["fernando"]
    common: dict[str, Any] = {"created_at": at, "created_by_id": ruwan}
    people = [
        User(
            email=f"many{number}@clinic.test",
            name=f"Many {number}",
            role=(Role.STUDENT, Role.SUPERVISOR)[number % 2],
            year=(4, None)[number % 2],
            department_id=home,
            password_hash="!",
            created_at=at,
        )
        for number in numbers
    ]
    patients = [
        Patient(
            code=f"P-2024-{number:05d}",
            name=f"Numerous {number}",
            sort_name=f"numerous {number:05d}",
            birth_date=date(1990, 1, 1),
            sex=Sex.OTHER,
            phone="",
            archived_at=at if number % 5 == 4 else None,
            **common,
        )
        for number in numbers
    ]
    chairs = [Chair(department_id=home, name=f"M{number}") for number in numbers]
    # A letter or two each: a clinic has dozens at most.
    departments = [Department(name=f"Far {number}", letter=f"{number:02d}") for number in range(count // 20)]
    _add([*people, *patients, *chairs, *departments])
    _add(
        [
            Document(
                patient_id=fernando,
                category=Category.LETTER,
                name=f"{number}.pdf",
                status=state,
                why="The scanner found Eicar in it." if state is DocumentStatus.QUARANTINED else "",
                key=f"documents/{state}{number}",
                once=f"{state} {number}",
                media_type="application/pdf",
                size=10,
                sha256="0" * 64,
                parts="0" * 64,
                uploaded_by_id=kamal,
                created_at=at,
                available_at=at,
            )
            for state in (DocumentStatus.QUARANTINED, DocumentStatus.AVAILABLE)
            for number in numbers
        ]
    )
    soon = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    here, planned, past = (
        [
            Visit(
                patient_id=whose(patient),
                department_id=home,
                starts_at=starts,
                student_id=kamal,
                supervisor_id=silva,
                reason="Filling",
                status=status,
                ticket=f"M-{number:03d}" if status is VisitStatus.ARRIVED else None,
                arrived_at=at if status is VisitStatus.ARRIVED else None,
                **common,
            )
            for number, patient in enumerate(patients)
        ]
        for status, starts, whose in (
            (VisitStatus.ARRIVED, soon, lambda patient: patient.id),
            (VisitStatus.SCHEDULED, soon, lambda patient: patient.id),
            (VisitStatus.COMPLETED, soon - timedelta(days=9), lambda patient: fernando),
        )
    )
    _add([*here, *planned, *past])
    rows: list[Any] = []
    for number in numbers:
        patient, visit, person, other = patients[number], here[number], people[number], people[number - 1]
        token = {"patient_id": patient.id}
        rows += [PatientToken(token=word, **token) for word in ("numerous", f"2024-{number:05d}", "1990-01-01")]
        rows += [
            _entry(visit, (Stage.WAITING, Stage.AWAITING_SUPERVISOR)[number % 2], at, ruwan),
            _entry(past[number], Stage.DONE, at, ruwan, ended=True),
            Alert(
                patient_id=fernando if number % 2 else patient.id,
                kind=AlertKind.CONDITION,
                severity=Severity.NOTE,
                label=f"Asthma {number}",
                **common,
            ),
            SupervisorCall(
                visit_id=visit.id,
                patient_id=patient.id,
                department_id=home,
                student_id=kamal,
                reason=CallReason.HELP,
                created_at=at,
            ),
            Display(token_hash=f"{number:064d}", name=f"Screen {number}", created_at=at, paired_at=at),
            OwnKind(
                code=f"own-m{number}",
                name=f"Own {number}",
                word=f"own{number}",
                scope=Scope.WHOLE,
                is_treatment=False,
                rule="icon",
                letter="Ow",
                created_at=at,
                created_by_id=ruwan,
            ),
            JobRun(name="expire-requests", started_at=at, ended_at=at, succeeded=True),
        ]
        for holder, held, end in (
            (kamal, patient.id, None),
            (person.id, fernando, None),
            (other.id, fernando, at - timedelta(days=1)),
        ):
            rows.append(
                Assignment(
                    patient_id=held,
                    user_id=holder,
                    kind=AssignmentKind.PRIMARY,
                    starts_at=at - timedelta(days=9),
                    ends_at=end,
                    created_by_id=silva,
                )
            )
        for kind, asker, receiver, status in (
            (RequestKind.ASSIGN, ruwan, person.id, "pending"),
            (RequestKind.ASK, kamal, kamal, "pending"),
            (RequestKind.ASSIGN, silva, person.id, "returned"),
        ):
            rows.append(
                Request(
                    kind=kind,
                    status=status,
                    patient_id=fernando if number % 2 else patient.id,
                    code=patient.code,
                    clinician_id=receiver,
                    assignment_kind=AssignmentKind.PRIMARY,
                    department_id=home,
                    asked_by_id=asker,
                    asked_at=at,
                    expires_at=at + timedelta(days=7),
                    open_key=f"{patient.code}:{receiver}:{kind}" if status == "pending" else None,
                    decided_at=None if status == "pending" else at,
                )
            )
        judged = {"judgement": Judgement.JUSTIFIED, "judged_by_id": silva, "judged_at": at} if number % 2 else {}
        rows.append(
            BrokenGlass(
                user_id=(omar, kamal, silva)[number // 2 % 3],
                patient_id=patient.id,
                reason=GlassReason.COVER,
                words=f"Stands in for {number}",
                opened_at=at,
                expires_at=at + timedelta(hours=1),
                **judged,
            )
        )
        why = {"kind": UNEXPLAINED, "sentence": f"Why did you open {patient.code}?", "at": at}
        rows.append(Notice(user_id=kamal, patient_id=patient.id, **why))
        if number % 3 == 0:
            rows.append(Unowned(patient_id=patient.id, department_id=home, from_id=omar, since=at))
        for short in PEOPLE:
            user = world.people[short]
            rows.append(Notice(user_id=user, kind="request.returned", sentence=f"Told {number}", at=at))
            hashed = f"{user}-{number}".zfill(64)
            rows.append(AuthSession(token_hash=hashed, user_id=user, method="password", created_at=at, active_at=at))
    _add(rows)
    _add(_charts(world, patients, at))
    for patient, person in zip(patients, people, strict=True):
        for actor, opened in ((person, fernando), (world.user("omar"), patient.id)):
            audit.record("patient.open", "Opened it", actor=actor, subject=f"patient:{opened}", patient=opened)
    db.session.commit()
    db.session.remove()


def _charts(world: World, patients: list[Patient], at: Any) -> list[Any]:
    """Entries and versions of Fernando's chart, which has begun, and of each patient a version that waits for approval."""
    fernando, kamal, home = world.patients["fernando"], world.people["kamal"], world.departments["restorative"]
    chart = db.session.get_one(Chart, fernando)
    first = db.session.scalars(select(ChartVersion).where(ChartVersion.patient_id == fernando)).all()[-1]
    link, rows, sent = first.sha256, [], []
    for number, patient in enumerate(patients):
        chart.stroke += 1
        written = {"entered_at": at, "entered_by_id": kamal}
        common: dict[str, Any] = {"dated": at.date(), "details": '{"icdas":"3"}', **written}
        rows.append(
            ChartEntry(
                patient_id=fernando,
                stroke=chart.stroke,
                kind="caries",
                status=Status.FINDING,
                teeth=("36", "37", "46")[number % 3],
                surfaces="MO",
                **common,
            )
        )
        sha256 = digest(link, first.body)
        cut = {"body": first.body, "stroke": first.stroke, "at": at, "author_id": kamal, "why": VersionReason.NAMED}
        code = check_code(sha256)
        rows.append(
            ChartVersion(
                patient_id=fernando,
                number=first.number + 1 + number,
                name=f"Named {number}",
                sha256=sha256,
                before_sha256=link,
                check_code=code,
                **cut,
            )
        )
        link = sha256
        own = digest("", first.body)
        version = ChartVersion(patient_id=patient.id, number=1, sha256=own, check_code=check_code(own), **cut)
        began = {"dentition": chart.dentition, "base": chart.base, "begun_at": at, "begun_by_id": kamal}
        rows += [Chart(patient_id=patient.id, stroke=first.stroke, **began), version]
        sent.append((patient, version))
    _add(rows)
    return [
        SignOff(
            patient_id=patient.id,
            chart_version_id=version.id,
            sha256=version.sha256,
            department_id=home,
            asked_by_id=kamal,
            asked_at=at,
            open_key=patient.id,
        )
        for patient, version in sent
    ]


def _entry(visit: Visit, stage: Stage, at: Any, mover: int, *, ended: bool = False) -> QueueEntry:
    return QueueEntry(
        visit_id=visit.id,
        patient_id=visit.patient_id,
        department_id=visit.department_id,
        stage=stage,
        started_at=at,
        queued_at=at,
        ended_at=at if ended else None,
        moved_by_id=mover,
    )


def _add(rows: list[Any]) -> None:
    db.session.add_all(rows)
    db.session.flush()
