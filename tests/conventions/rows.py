"""Many rows behind every list: what the test of query counts puts into the world, once few and once many."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from clinic import audit, clock
from clinic.canonical import digest as text_digest
from clinic.chart.kinds import Scope, Status
from clinic.chart.versions import check_code, digest
from clinic.evaluation.form import shipped
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    AuthSession,
    BrokenGlass,
    CallReason,
    Case,
    CaseLog,
    CaseTask,
    Category,
    Chair,
    Chart,
    ChartEntry,
    ChartVersion,
    Department,
    Display,
    Document,
    DocumentStatus,
    Estimate,
    Evaluation,
    EvaluationForm,
    Filling,
    GlassReason,
    HistoryForm,
    HistoryReview,
    JobRun,
    Judgement,
    Kiosk,
    Mark,
    Marking,
    MaterialUse,
    NoteTemplate,
    NoteType,
    Notice,
    OwnDiagnosis,
    OwnKind,
    Patient,
    PatientToken,
    Plan,
    PlanItem,
    PlanOption,
    PlanStatus,
    Problem,
    QueueEntry,
    Request,
    RequestKind,
    Requirement,
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
from clinic.plans.estimate import Option, body_of
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
    first_case = db.session.scalars(select(Case).where(Case.patient_id == fernando).order_by(Case.id)).all()[0]
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
            NoteTemplate(name=f"Begins {number}", type=NoteType.PROGRESS, text="Seen.", created_at=at),
            OwnDiagnosis(system="own", code=f"M-{number}", name=f"Rare {number}", **common),
            Requirement(
                department_id=home,
                year=4,
                name=f"Fillings {number}",
                kinds="restoration",
                wanted=5,
                begins=at.date() - timedelta(days=9),
                due=at.date() + timedelta(days=9),
                **common,
            ),
            Problem(patient_id=fernando, words=f"Pain {number}", noted_by_id=kamal, noted_at=at),
            *_cases(world, number, patient, person, first_case),
            MaterialUse(
                patient_id=fernando,
                visit_id=world.visits["fernando"],
                material=f"Composite {number}",
                quantity=1,
                unit="capsule",
                recorded_by_id=kamal,
                recorded_at=at,
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
    _histories(fernando, kamal, numbers, at)
    _evaluations(home, past, people, at)
    _plans(fernando, kamal, home, numbers, at)
    for patient, person in zip(patients, people, strict=True):
        for actor, opened in ((person, fernando), (world.user("omar"), patient.id)):
            audit.record("patient.open", "Opened it", actor=actor, subject=f"patient:{opened}", patient=opened)
    db.session.commit()
    db.session.remove()


def _cases(world: World, number: int, patient: Patient, person: User, first: Case) -> list[Any]:
    """Cases of Fernando with other students and of Kamal with other patients, each with an overdue task and one that waits; and much
    that happened in the first case of Fernando."""
    kamal, silva, home, at = world.people["kamal"], world.people["silva"], first.department_id, first.opened_at
    rows: list[Any] = []
    for who, whom, status in (
        (person.id, first.patient_id, "open"),
        (kamal, patient.id, "submitted"),
        (kamal, patient.id, "closed"),
    ):
        case = Case(
            patient_id=whom, department_id=home, student_id=who, supervisor_id=silva, title=f"Case {number}", status=status,
            opened_at=at, open_key=None if status == "closed" else f"{whom}:{who}", closed_at=at if status == "closed" else None,
            submitted_by_id=who, submitted_at=at,
        )  # fmt: skip
        rows.append(case)
    day = at.date() - timedelta(days=3)
    overdue = Case(
        patient_id=patient.id, department_id=home, student_id=kamal, supervisor_id=silva, title=f"Late {number}", opened_at=at,
        open_key=f"late:{number}",
    )  # fmt: skip
    done = {"status": "completed", "completed_by_id": kamal, "completed_at": at}
    log = {"case_id": first.id, "act": "commented", "done_by_id": silva, "at": at, "words": f"Word {number}"}
    rows += [
        overdue,
        CaseTask(case=overdue, number=1, title=f"Late {number}", due_on=day),
        CaseTask(case=overdue, number=2, title=f"Waits {number}", due_on=day, **done),
        CaseTask(case_id=first.id, number=100 + number, title=f"More {number}", due_on=day, **done),
        CaseLog(**log, number=100 + number, said="{}", sha256="0" * 64),
    ]
    return rows


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
        rows.append(
            ChartEntry(
                patient_id=patient.id,
                stroke=1,
                kind="restoration",
                status=Status.COMPLETED,
                teeth="36",
                surfaces="O",
                performer_id=kamal,
                **common | {"details": '{"material":"gic"}'},
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


def _plans(fernando: int, kamal: int, home: int, numbers: range, at: Any) -> None:
    """Plans of Fernando that wait for approval, each with an option, an item and an estimate."""
    by = {"begun_by_id": kamal, "begun_at": at, "changed_by_id": kamal, "changed_at": at}
    written = {"written_by_id": kamal, "written_at": at}
    said = {"kind": "sealant", "teeth": "37", "surfaces": "O", "details": "{}"}
    amounts = {"price": 1, "minutes": 1, "visits": 1, "phase": 1}
    plans = [
        Plan(
            patient_id=fernando, number=1000 + n, name=f"Plan {n}", currency="EUR", status=PlanStatus.SENT,
            department_id=home, **by,
        )
        for n in numbers
    ]  # fmt: skip
    _add(plans)
    options = [PlanOption(plan_id=plan.id, place=1, name="Sealant", **written) for plan in plans]
    _add(options)
    _add([PlanItem(option_id=option.id, place=1, **said, **amounts, **written) for option in options])
    about = {"name": "Plan", "currency": "EUR", "writers": [kamal], "code": "E"}
    for plan, option in zip(plans, options, strict=True):
        shown = body_of(about, [Option(option.id, "A", "Sealant", "", "", ())], {})
        number = f"E-2024-{plan.number:05}"
        _add(
            [
                Estimate(
                    patient_id=fernando,
                    plan_id=plan.id,
                    number=1,
                    code=number,
                    shown=shown,
                    sha256=text_digest(shown),
                    valid_until=at.date(),
                    sent_by_id=kamal,
                    sent_at=at,
                )  # fmt: skip
            ]
        )


def _histories(fernando: int, kamal: int, numbers: range, at: Any) -> None:
    """Fernando's medical history is filled many times, on many tablets; its form is changed many times, and there are many forms."""
    form = db.session.execute(
        select(HistoryForm).where(HistoryForm.code == "medical").order_by(HistoryForm.number.desc()).limit(1)
    ).scalar_one()
    last = db.session.execute(
        select(Filling).where(Filling.patient_id == fernando).order_by(Filling.number.desc()).limit(1)
    ).scalar_one()
    same = {"body": form.body, "sha256": form.sha256, "published_at": at}
    _add([HistoryForm(code="medical", number=form.number + 1 + n, title=form.title, **same) for n in numbers])
    _add([HistoryForm(code=f"own{n}", number=1, title=f"Our own {n}", **same) for n in numbers])
    said = {"answers": last.answers, "sha256": last.sha256, "filled_by_id": kamal, "at": at}
    of = {"patient_id": fernando, "form_id": form.id}
    fillings = [Filling(code="medical", number=last.number + 1 + n, **of, **said) for n in numbers]
    _add(fillings)
    looked = {"patient_id": fernando, "day": at.date(), "reviewed_by_id": kamal, "at": at}
    _add([HistoryReview(filling_id=filling.id, **looked) for filling in fillings])
    until = {"handed_by_id": kamal, "handed_at": at, "expires_at": at + timedelta(hours=1)}
    _add([Kiosk(token_hash=f"{n:064}", **of, **until) for n in numbers])


def _evaluations(home: int, past: list[Visit], people: list[User], at: Any) -> None:
    """Every second visit that is over was evaluated, each by another supervisor, on the newest of many forms."""
    body, sha256 = shipped("sessional"), "0" * 64
    same = {"title": "Sessional", "body": body, "sha256": sha256, "published_at": at}
    _add([EvaluationForm(code="sessional", number=1 + n, **same) for n in range(len(past))])
    forms = [EvaluationForm(code=f"own{n}", number=1, **same) for n in range(len(past))]
    _add(forms)
    done = [(visit, person) for visit, person in zip(past, people, strict=True) if person.role is Role.SUPERVISOR]
    of = [
        Evaluation(visit_id=visit.id, student_id=visit.student_id, department_id=home, day=at.date(), number=1)
        for visit, _person in done
    ]
    _add(of)
    given = {"is_self": False, "number": 1, "form_id": forms[0].id, "form": body, "comment": "Steady", "at": at}
    markings = [
        Marking(evaluation_id=row.id, by_id=person.id, **given) for row, (_visit, person) in zip(of, done, strict=True)
    ]
    _add(markings)
    _add([Mark(marking_id=marking.id, criterion="technique", step=3) for marking in markings])


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
