"""The whole role x route x relation matrix, taken by calling every route: what docs/permissions.md holds and tests compare."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, g
from sqlalchemy import event, select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from clinic import access, clock, security
from clinic.access import ROLE_PERMISSIONS, Permission, Role
from clinic.canonical import digest
from clinic.case_log import link, row_body
from clinic.chart.kinds import Scope
from clinic.extensions import db
from clinic.models import (
    Alert,
    AlertKind,
    Assignment,
    AssignmentKind,
    AuditEvent,
    AuthSession,
    BrokenGlass,
    CallReason,
    Case,
    CaseAct,
    CaseLog,
    CaseTask,
    Category,
    ChartEntry,
    Display,
    Document,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    GlassReason,
    Kiosk,
    MaterialUse,
    Note,
    NoteSigning,
    NoteTemplate,
    NoteType,
    Notice,
    OwnDiagnosis,
    OwnKind,
    Plan,
    PlanItem,
    PlanOption,
    Priority,
    Problem,
    QueueEntry,
    Request,
    RequestKind,
    Requirement,
    Severity,
    SignOff,
    SignOffStatus,
    Stage,
    SupervisorCall,
    TaskStatus,
    ToothPlace,
    Visit,
)
from clinic.notes.signed import SAID, signed_body
from clinic.operations.documents import Said
from clinic.operations.note_templates import add_template
from clinic.operations.notes import return_note
from clinic.operations.tooth_places import mark_tooth
from clinic.queries.gates import pieces_of
from tests.cased import case_of, task_of
from tests.charting import chart_line
from tests.filed import PDF, file_document
from tests.histories import take_history
from tests.noted import note_by
from tests.person import Person
from tests.required import asked_for
from tests.world import World

# A column: its heading, who asks (None: nobody signed in), and about whose record.
COLUMNS: list[tuple[str, str | None, str]] = [
    ("nobody", None, "fernando"),
    ("receptionist", "ruwan", "fernando"),
    ("nurse", "nimal", "fernando"),
    ("admin", "adel", "fernando"),
    ("student: assigned", "kamal", "fernando"),
    ("student: formerly assigned", "kamal", "perera"),
    ("student: never assigned", "kamal", "nadia"),
    ("student: archived, formerly", "kamal", "archie"),
    ("supervisor: own department", "silva", "fernando"),
    ("supervisor: other department", "silva", "wu"),
]
# Whose student is meant where an address names one.
STUDENTS = {"fernando": "kamal", "perera": "leela", "wu": "omar", "nadia": "kamal", "archie": "kamal"}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# Rows a refused request may still write: the trace of the refusal, and when the person last acted, a key
# that goes with the rollback, the end of the person's own draft of that form, and the count of tries.
TRACES = ("audit_event", "audit_head", "auth_session", "once_key", "draft", "sign_in_throttle")


@dataclass(frozen=True)
class Cell:
    route: str
    column: str
    outcome: str
    writes: tuple[str, ...]
    told: bool = True  # whether it left an event in the trail, where one is due


def deepen(world: World) -> None:
    """Add to the world what routes about visits, entries, calls, alerts, displays and sessions need. Commits."""
    from clinic.operations.calls import call_supervisor
    from clinic.operations.chart_versions import finish_first_charting
    from clinic.operations.notices import tell
    from clinic.operations.queue import call_to_chair, move
    from clinic.operations.requests import ask_assignment, ask_for_patient
    from clinic.operations.visits import add_walk_in, check_in

    ruwan, at = world.user("ruwan"), clock.now()
    callers = {"fernando": "kamal", "wu": "omar"}
    for name, chair in (("fernando", "A1"), ("perera", "A2"), ("wu", "B1")):
        entry = check_in(world.visit(name), actor=ruwan)
        entry = call_to_chair(entry.id, version=entry.version, chair_id=world.chairs[chair], actor=ruwan)
        for stage in (Stage.IN_CHAIR, Stage.IN_TREATMENT) if name in callers else ():
            entry = move(entry.id, to=stage, version=entry.version, actor=ruwan)
        if name in callers:
            call_supervisor(entry.id, version=entry.version, reason=CallReason.HELP, actor=world.user(callers[name]))
    add_walk_in(
        patient=world.patient("nadia"),
        department=world.department("restorative"),
        reason="Pain",
        priority=Priority.NORMAL,
        actor=ruwan,
    )
    for name in ("perera", "wu", "nadia", "archie"):
        db.session.add(
            Alert(
                patient_id=world.patients[name],
                kind=AlertKind.CONDITION,
                severity=Severity.NOTE,
                label="Asthma",
                created_at=at,
                created_by_id=ruwan.id,
            )
        )
    for name, breaker, minutes in (
        ("fernando", "omar", 60),
        ("perera", "omar", 60),
        ("wu", "sato", 60),
        ("archie", "omar", 60),
        ("nadia", "kamal", 0),  # over at once: this matrix is not about what a glass shows
    ):
        db.session.add(
            BrokenGlass(
                user_id=world.people[breaker],
                patient_id=world.patients[name],
                reason=GlassReason.SAFETY,
                words="A recall of the material",
                opened_at=at,
                expires_at=at + timedelta(minutes=minutes),
            )
        )
    ask_for_patient(
        code="P-2026-00099", assignment_kind=AssignmentKind.PRIMARY, need="Endodontics", actor=world.user("kamal")
    )
    for name, person in (("fernando", "leela"), ("perera", "kamal"), ("wu", "omar"), ("nadia", "kamal")):
        ask_assignment(
            kind=RequestKind.ASSIGN,
            patient_id=world.patients[name],
            clinician_id=world.people[person],
            assignment_kind=AssignmentKind.ADDITIONAL,
            reason="Lives nearby",
            actor=ruwan,
        )
    for name, person, asker, status in (
        ("fernando", "kamal", "kamal", SignOffStatus.WITHDRAWN),
        ("perera", "leela", "silva", SignOffStatus.PENDING),
        ("wu", "omar", "omar", SignOffStatus.PENDING),
        # An operation asks whose patient it is; what a role may do is the route's question.
        ("nadia", "ruwan", "kamal", SignOffStatus.WITHDRAWN),
        ("archie", "ruwan", "kamal", SignOffStatus.WITHDRAWN),
    ):
        patient = world.patient(name)
        patient.archived_at, since = None, patient.archived_at  # charted before that
        chart_line(patient, "16 mo car; 46 rct plan", actor=world.user(person))
        version = finish_first_charting(patient, actor=world.user(person))
        chart_line(patient, "36 o car", actor=world.user(person))
        picture = file_document(world, name, person, said=Said(Category.SCAN))
        mark_tooth(picture.id, tooth="46", x=250, y=640, seen=0, actor=world.user(person))
        file_document(world, name, person, body=PDF, name="letter.pdf")
        take_history(patient, world.user("kamal" if person == "ruwan" else person))
        if world.user(person).department_id:
            note = note_by(world, person, name)
            if name == "perera":
                return_note(note.id, version=note.version, reason="Which tooth?", actor=world.user("silva"))
        else:  # of whom nobody here may write
            note = Note(
                patient_id=patient.id,
                type=NoteType.PROGRESS,
                text="Seen.",
                author_id=world.people["sato"],
                signed_at=at,
            )
            db.session.add(note)
            db.session.flush()
            said = dict.fromkeys(SAID, "") | {"type": "progress", "text": "Seen.", "execution": None, "visit_id": None}
            body = signed_body(said, {"author_name": "Dr Emi Sato", "author_role": "supervisor"})
            signed = NoteSigning(
                note_id=note.id, number=1, signed=body, sha256=digest(body), signed_by_id=note.author_id, signed_at=at
            )
            db.session.add(signed)
        patient.archived_at = since
        db.session.add(
            Problem(patient_id=patient.id, words="Pain on biting", noted_by_id=world.people[person], noted_at=at)
        )
        _plan(patient.id, world.people[person], at)
        is_pending = status is SignOffStatus.PENDING
        db.session.add(
            SignOff(
                patient_id=patient.id,
                chart_version_id=version.id,
                sha256=version.sha256,
                department_id=world.departments["orthodontics" if name == "wu" else "restorative"],
                asked_by_id=world.people[asker],
                asked_at=at,
                status=status,
                decided_by_id=None if is_pending else world.people[asker],
                decided_at=None if is_pending else at,
                open_key=patient.id if is_pending else None,
            )
        )
    for name, person in (("fernando", "kamal"), ("perera", "leela"), ("wu", "omar"), ("nadia", "kamal")):
        _lay_before(world, name, person)
    for name in ("fernando", "perera", "wu"):
        lead = "sato" if name == "wu" else "silva"
        case = case_of(world, name, supervisor=lead)
        for number, stands in enumerate((TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED, TaskStatus.ASSIGNED)):
            task_of(world, case, stands, supervisor=lead, title=f"Step {number}")
    for name in ("nadia", "archie"):
        _case_of_nobody(world, name)
    db.session.add(Display(token_hash="d" * 64, pairing_code="ABC123", created_at=at))
    db.session.add(
        OwnKind(
            code="own-1",
            name="Varnish",
            word="varnish",
            scope=Scope.SURFACES,
            is_treatment=True,
            rule="zone",
            pattern="dots",
            created_at=at,
            created_by_id=world.people["adel"],
        )
    )
    for name in ("restorative", "orthodontics"):
        asked_for(world, name)
    own = {"system": "own", "code": "P-17", "name": "Cracked cusp", "created_by_id": world.people["adel"]}
    db.session.add(OwnDiagnosis(**own, created_at=at))
    add_template(name="Recall", type=NoteType.PROGRESS, text="Seen on {date}.", actor=world.user("adel"))
    tell(world.people["rita"], "Your request was returned", kind="request.returned", url="/patients")
    db.session.commit()


def _plan(patient: int, person: int, at: datetime) -> None:
    """A plan that is being written, with an option and an item."""
    by = {"begun_by_id": person, "begun_at": at, "changed_by_id": person, "changed_at": at}
    plan = Plan(patient_id=patient, number=1, name="Lower right", currency="EUR", **by)
    db.session.add(plan)
    db.session.flush()
    written = {"written_by_id": person, "written_at": at}
    option = PlanOption(plan_id=plan.id, place=1, name="Filling", **written)
    db.session.add(option)
    db.session.flush()
    amounts = {"price": 8_000, "minutes": 60, "visits": 1, "phase": 3}
    said = {"kind": "restoration", "teeth": "47", "surfaces": "O", "details": '{"material":"composite"}'}
    db.session.add(PlanItem(option_id=option.id, place=1, **said, **amounts, **written))
    db.session.flush()


def _lay_before(world: World, name: str, person: str) -> None:
    """Material that was used, and a start and a dismissal that wait for a supervisor."""
    at, patient = clock.now(), world.patients[name]
    visit = db.session.scalars(select(Visit).where(Visit.patient_id == patient).order_by(Visit.id.desc())).first()
    db.session.add(
        MaterialUse(
            patient_id=patient,
            visit_id=visit.id,
            material="Composite A2",
            quantity=1,
            unit="capsule",
            recorded_by_id=world.people[person],
            recorded_at=at,
        )  # fmt: skip
    )
    held = select(Alert).where(Alert.patient_id == patient, Alert.ended_at.is_(None)).order_by(Alert.severity, Alert.id)
    shown = {
        "patient": {"name": "Nobody", "code": "P", "birth_date": "1990-01-01"}, "prepared_by": "Nobody",
        "alerts": [[each.id, str(each.kind), str(each.severity), each.label] for each in db.session.scalars(held)],
        "identity": ["name", "code"], "history": {"by": "Nobody"}, "items": [], "done": "Examination", "site": False,
        "radiographs": [], "no_radiograph": "Not needed", "consents": [], "pieces": [],
    }  # fmt: skip
    for kind in (GateKind.START, GateKind.DISMISS):
        gate = Gate(
            patient_id=patient, visit_id=visit.id, kind=kind, number=1, shown=json.dumps(shown), sha256="0" * 64,
            department_id=visit.department_id, prepared_by_id=world.people[person], prepared_at=at,
            status=GateStatus.PENDING, open_key=f"{visit.id}:{kind}",
        )  # fmt: skip
        db.session.add(gate)
        db.session.flush()
    pieces = [(piece.subject, piece.sha256, piece.words) for piece in pieces_of(visit) if piece.is_students]
    for subject, sha256, words in pieces or [("entry:1", "0" * 64, "36: filling")]:
        db.session.add(GateItem(gate_id=gate.id, subject=subject, sha256=sha256, words=words))
    db.session.flush()


def _case_of_nobody(world: World, name: str) -> None:
    """A case as it may be left of a patient whom no student has."""
    at, lead = clock.now(), world.people["silva"]
    case = Case(
        patient_id=world.patients[name], department_id=world.departments["restorative"], student_id=world.people["leela"],
        supervisor_id=lead, title="Crown", opened_at=at, open_key=f"{name}:leela", steps=1,
    )  # fmt: skip
    db.session.add(case)
    db.session.flush()
    body = row_body({"case": case.id, "number": 1, "facts": {"student": "Leela Nair"}})
    task = CaseTask(case_id=case.id, number=1, title="Step", due_on=at.date())
    opened = {"case_id": case.id, "number": 1, "act": CaseAct.OPENED, "done_by_id": lead, "at": at}
    db.session.add_all([task, CaseLog(**opened, said=body, sha256=link("", body))])
    db.session.flush()


def ids_of(world: World, subject: str) -> dict[str, int | str | None]:
    """What each argument of an address stands for when the question is about `subject`."""
    patient = world.patients[subject]
    department = "orthodontics" if subject == "wu" else "restorative"

    def newest(model: type, column: object) -> int | None:
        return db.session.scalar(select(model.id).where(column == patient).order_by(model.id.desc()).limit(1))  # type: ignore[attr-defined]

    return {
        "patient_id": patient,
        "visit_id": newest(Visit, Visit.patient_id),
        "entry_id": newest(QueueEntry, QueueEntry.patient_id),
        "call_id": newest(SupervisorCall, SupervisorCall.patient_id),
        "glass_id": newest(BrokenGlass, BrokenGlass.patient_id),
        "alert_id": newest(Alert, Alert.patient_id),
        "event_id": newest(AuditEvent, AuditEvent.patient_id),
        "department_id": world.departments[department],
        "chair_id": world.chairs[{"wu": "B2", "archie": "A4"}.get(subject, "A3")],
        "student_id": world.people[STUDENTS.get(subject, "kamal")],
        "request_id": newest(Request, Request.patient_id),
        "assignment_id": newest(Assignment, Assignment.patient_id),
        "person_id": world.people["omar"],
        "display_id": db.session.scalar(select(Display.id).order_by(Display.id).limit(1)),
        "session_id": db.session.scalar(select(AuthSession.id).where(AuthSession.user_id == world.people["rita"])),
        "chart_entry_id": newest(ChartEntry, ChartEntry.patient_id),
        "stroke": 1,
        "number": 1,
        "sign_off_id": newest(SignOff, SignOff.patient_id),
        "place": "46",
        "document_id": newest(Document, Document.patient_id),
        "tooth_place_id": db.session.scalar(
            select(ToothPlace.id).join(Document).where(Document.patient_id == patient).order_by(ToothPlace.id).limit(1)
        ),
        "gate_id": newest(Gate, Gate.patient_id),
        "gate_item_id": db.session.scalar(
            select(GateItem.id).join(Gate).where(Gate.patient_id == patient).order_by(GateItem.id.desc()).limit(1)
        ),
        "note_id": newest(Note, Note.patient_id),
        "note_template_id": db.session.scalar(select(NoteTemplate.id).order_by(NoteTemplate.id).limit(1)),
        "notice_id": db.session.scalar(select(Notice.id).order_by(Notice.id).limit(1)),
        "kind": "request",
        "item_id": newest(Request, Request.patient_id),
        "own_kind_id": db.session.scalar(select(OwnKind.id).order_by(OwnKind.id).limit(1)),
        "material_use_id": newest(MaterialUse, MaterialUse.patient_id),
        "problem_id": newest(Problem, Problem.patient_id),
        "requirement_id": db.session.scalar(
            select(Requirement.id)
            .where(Requirement.department_id == world.departments[department])
            .order_by(Requirement.id.desc())
            .limit(1)
        ),
        "case_id": db.session.scalar(select(Case.id).where(Case.patient_id == patient).order_by(Case.id).limit(1)),
        "task_id": db.session.scalar(
            select(CaseTask.id).join(Case).where(Case.patient_id == patient).order_by(CaseTask.id).limit(1)
        ),
        "plan_id": newest(Plan, Plan.patient_id),
        "option_id": db.session.scalar(
            select(PlanOption.id).join(Plan).where(Plan.patient_id == patient).order_by(PlanOption.id.desc()).limit(1)
        ),
        "plan_item_id": db.session.scalar(
            select(PlanItem.id)
            .join(PlanOption)
            .join(Plan)
            .where(Plan.patient_id == patient)
            .order_by(PlanItem.id.desc())
            .limit(1)
        ),
        "own_diagnosis_id": db.session.scalar(select(OwnDiagnosis.id).order_by(OwnDiagnosis.id).limit(1)),
        "token": "no-such-token-0123456789",
        "form_code": "medical",
        "evaluation_code": "sessional",
        "kiosk_id": newest(Kiosk, Kiosk.patient_id),
        "filename": "css/app.css",
        "group": "queue",
        "job": "clean-up",
    }


def cells(app: Flask, world: World) -> Iterator[Cell]:
    """Call every route in every column, each in a savepoint that is rolled back. Not within an application context: requests would
    share its `g`."""
    Person(app, world.people["rita"])  # a session that is another's
    browsers = {name: Person(app, world.people[name]) for _, name, _ in COLUMNS if name}
    with app.app_context():
        ids = {subject: ids_of(world, subject) for _, _, subject in COLUMNS}
        connection = db.session().get_bind()
    for rule, verb in routes(app):
        for column, name, subject in COLUMNS:
            url = address(rule, ids[subject])
            label = f"{verb} {rule.rule}"
            if url is None:
                yield Cell(label, column, "-", ())
                continue
            savepoint = connection.begin_nested()
            try:
                with writes_on(connection) as written:
                    answer = ask(app, browsers.get(name or ""), verb, url)
                yield Cell(
                    label,
                    column,
                    outcome(answer, nobody=name is None),
                    tuple(sorted(set(written) - set(TRACES))),
                    told="audit_event" in written or name is None or not is_due(app, rule, verb, answer),
                )
                answer.close()
            finally:
                savepoint.rollback()


def routes(app: Flask) -> list[tuple[Rule, str]]:
    """Every route with each of its own verbs, in a fixed order."""
    found = [
        (rule, verb)
        for rule in app.url_map.iter_rules()
        for verb in rule.methods or ()
        if verb not in ("HEAD", "OPTIONS")
    ]
    return sorted(found, key=lambda pair: (pair[0].rule, pair[1]))


def address(rule: Rule, ids: dict[str, int | str | None]) -> str | None:
    """The rule's address with ids in it; None when this subject has no such thing."""
    unknown = rule.arguments - ids.keys()
    if unknown:
        raise LookupError(f"{rule.rule}: say in tests/conventions/matrix.py what {unknown} stands for.")
    values = {name: ids[name] for name in rule.arguments}
    return None if None in values.values() else rule.build(values)[1]  # type: ignore[index]


def ask(app: Flask, browser: Person | None, verb: str, url: str) -> TestResponse:
    """One request, with the tokens our own forms carry, and nothing else in it."""
    if browser is None:
        return app.test_client().open(url, method=verb, buffered=False)
    browser.client = browser.browser()
    if verb in UNSAFE:
        return browser.post(with_ticket(app, browser, url))
    return browser.get(url, buffered=False)


def with_ticket(app: Flask, browser: Person, url: str) -> str:
    """The address with what a page of ours puts into it, where that takes the place of a form's token."""
    try:
        endpoint = app.url_map.bind("localhost").match(url, method="POST")[0]
    except HTTPException:
        return url
    with app.app_context():
        declared = access.access_of(endpoint)
        g.csrf_owner = browser.token_hash
        return f"{url}?ticket={security.ticket(url)}" if declared and declared.ticketed else url


def outcome(answer: TestResponse, *, nobody: bool) -> str:
    """`yes` when the person may ask this (the form may still be incomplete); else how it was refused."""
    location = answer.headers.get("Location", "") + answer.headers.get("HX-Redirect", "")
    if "/sign-in" in location and answer.status_code in (303, 401):
        return "sign in"
    if answer.status_code in (403, 404):
        return str(answer.status_code)
    if answer.status_code == 400 and nobody:
        return "no form"
    if answer.status_code == 401:
        return "no screen"
    if answer.status_code == 410:
        return "closed"
    if answer.status_code in (200, 204, 302, 303, 409, 422):
        return "yes"
    return f"{answer.status_code}"


def is_due(app: Flask, rule: Rule, verb: str, answer: TestResponse) -> bool:
    """Whether the trail must tell of this answer to somebody signed in: everything but what pages refetch by themselves, what is
    open to everybody, and what shows nothing (unchanged, or sent elsewhere)."""
    with app.app_context():
        declared = access.access_of(rule.endpoint)
    if declared is None or answer.status_code in (403, 404):
        return declared is None or declared.permission is not None
    shows = answer.status_code not in (204, 303)
    return declared.permission is not None and not declared.background and (shows or verb in UNSAFE)


class writes_on:  # noqa: N801
    """Collects the tables written on a connection."""

    def __init__(self, connection: object) -> None:
        self.connection, self.tables = connection, list[str]()

    def __enter__(self) -> list[str]:
        event.listen(self.connection, "before_cursor_execute", self._note)
        return self.tables

    def __exit__(self, *_: object) -> None:
        event.remove(self.connection, "before_cursor_execute", self._note)

    def _note(self, _connection, _cursor, statement, *_rest):  # type: ignore[no-untyped-def]
        words = statement.replace("`", " ").replace('"', " ").split()
        if words[0].upper() in ("INSERT", "UPDATE", "DELETE"):
            self.tables.append(words[1] if words[0].upper() == "UPDATE" else words[2])


def as_document(app: Flask, matrix: list[Cell]) -> str:
    """docs/permissions.md."""
    lines = [
        "# Who may do what",
        "",
        "Generated by `make permissions` from `clinic/access.py` and by calling every route; a test compares it. Do not edit.",
        "",
        "## Permissions",
        "",
        "| permission | allows | " + " | ".join(role.value for role in Role) + " |",
        "|---|---|" + "---|" * len(Role),
    ]
    for permission in Permission:
        marks = " | ".join("yes" if permission in ROLE_PERMISSIONS[role] else "" for role in Role)
        lines.append(f"| `{permission.name}` | {permission.value} | {marks} |")
    lines += [
        "",
        "## Routes",
        "",
        "`yes`: the person may ask this of this record (an incomplete form is then refused with a sentence). `404`: answered as if",
        "it did not exist. `no form`: refused because it did not come from a form of ours. `no screen`: only a paired display's own",
        "cookie opens it. `closed`: it opened something once, or never did. `-`: there is no such record. `open, ...`: needs no",
        "sign-in, guarded by a check of its own.",
        "",
        "| route | needs | " + " | ".join(heading for heading, _, _ in COLUMNS) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    by_route: dict[str, list[str]] = {}
    for cell in matrix:
        by_route.setdefault(cell.route, []).append(cell.outcome)
    needs = {f"{verb} {rule.rule}": needs_of(app, rule) for rule, verb in routes(app)}
    lines += [f"| {route} | {needs[route]} | " + " | ".join(outcomes) + " |" for route, outcomes in by_route.items()]
    return "\n".join(lines) + "\n"


def needs_of(app: Flask, rule: Rule) -> str:
    with app.app_context():
        declared = access.access_of(rule.endpoint)
    if declared is None:
        return "nothing declared: refused"
    if declared.permission is None:
        return f"open, {declared.guard}" if declared.guard else "open"
    return f"`{declared.permission.name}`"
