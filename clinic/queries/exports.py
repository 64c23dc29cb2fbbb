"""A patient's whole record as rows, for whoever exports it at the machine itself: nobody is asked whether they may see it.

`KINDS` names every table that tells of a patient, `LEFT_OUT` those that tell nothing of their own, and why.
"""

import base64
import enum
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Date,
    Enum,
    Integer,
    LargeBinary,
    Select,
    Table,
    false,
    func,
    select,
)

from clinic.chart.entry import Entry, teeth_of
from clinic.chart.kinds import Kind as KindOfEntry
from clinic.chart.kinds import Status
from clinic.chart.words import sentence
from clinic.extensions import db
from clinic.history.form import Form, form_from, told
from clinic.models import (
    Acceptance,
    Alert,
    Assignment,
    AuditEvent,
    Base,
    Booking,
    BrokenGlass,
    Case,
    CaseLog,
    CaseTask,
    Category,
    Chart,
    ChartEntry,
    ChartVersion,
    Document,
    Draft,
    Estimate,
    Evaluation,
    Evidence,
    Filling,
    Gate,
    GateItem,
    HistoryForm,
    HistoryReview,
    Kiosk,
    Mark,
    Marking,
    MaterialUse,
    Note,
    NoteSigning,
    Notice,
    OnceKey,
    Opened,
    Patient,
    PatientToken,
    Plan,
    PlanItem,
    PlanOption,
    Problem,
    QueueEntry,
    Request,
    SignOff,
    SupervisorCall,
    ToothMatch,
    ToothPlace,
    Unowned,
    User,
    Visit,
)
from clinic.models.base import UtcDateTime
from clinic.queries.documents import newest_of, things_of

PAGE = 500  # rows read at once


@dataclass(frozen=True)
class Kind:
    """One table. `name`: of its files; `title`, `about`: what it holds, for people; `columns`: what its readable page shows of it."""

    name: str
    model: type[Base]
    title: str
    about: str
    columns: str

    @property
    def shown(self) -> list[str]:
        return self.columns.split()

    @property
    def table(self) -> Table:
        table: Table = self.model.__table__  # type: ignore[assignment]
        return table


KINDS = (
    Kind(
        "patient",
        Patient,
        "The patient",
        "Who the patient is and how to reach them.",
        "code name birth_date sex phone email address language emergency_name emergency_phone emergency_relation",
    ),
    Kind(
        "alerts",
        Alert,
        "Alerts",
        "Allergies, conditions, medicines and handling notes, those that ended too.",
        "label kind severity detail created_at created_by ended_at end_reason",
    ),
    Kind(
        "visits",
        Visit,
        "Visits",
        "Planned and actual attendances.",
        "starts_at department reason student supervisor status outcome",
    ),
    Kind(
        "queue",
        QueueEntry,
        "In the queue",
        "Each stage of each visit, from when to when; what was undone is marked as voided.",
        "started_at ended_at stage chair moved_by note voided_at",
    ),
    Kind(
        "calls",
        SupervisorCall,
        "Calls for a supervisor",
        "Why a student called, who came, and when.",
        "created_at student reason note supervisor coming_at ended_at",
    ),
    Kind(
        "assignments",
        Assignment,
        "Who looked after the patient",
        "Clinicians and students who were given the patient, from when to when.",
        "user kind starts_at ends_at created_by end_reason",
    ),
    Kind(
        "unowned",
        Unowned,
        "Without an owner",
        "That the patient has lost their clinician and waits for another.",
        "since department from",
    ),
    Kind(
        "requests",
        Request,
        "Requests",
        "Who asked for the patient or gave them up, handover notes, and what was decided.",
        "asked_at kind asked_by clinician reason need handover status decided_by decision_reason",
    ),
    Kind(
        "notices",
        Notice,
        "Notices",
        "Sentences that people of the clinic were told about the patient.",
        "at user sentence read_at answer",
    ),
    Kind(
        "glass",
        BrokenGlass,
        "Broken glass",
        "Openings of the record by people who had not been given the patient, why, and how it was judged.",
        "opened_at user reason words closed_at expires_at judgement judged_by judge_words",
    ),
    Kind(
        "chart",
        Chart,
        "The chart",
        "With which teeth charting began, and when.",
        "begun_at begun_by dentition base stroke",
    ),
    Kind(
        "chart-entries",
        ChartEntry,
        "Everything that was charted",
        "Every entry in the order in which it was written. None was ever changed: a later one supersedes it.",
        "entered_at entered_by in_words dated performer supersedes_id reason",
    ),
    Kind(
        "chart-versions",
        ChartVersion,
        "Versions of the chart",
        "The chart as it stood at a time: its print, and its own bytes, which nothing has changed.",
        "number at author why name standing print file left_out",
    ),
    Kind(
        "sign-offs",
        SignOff,
        "Approvals of the chart",
        "Versions that were sent to supervisors, and what became of them.",
        "asked_at asked_by words department status decided_by decided_at reason",
    ),
    Kind(
        "documents",
        Document,
        "Documents",
        "Radiographs, photographs, letters and other files. Former files are those that a newer one has replaced.",
        "id name category description taken_on created_at uploaded_by status left_out",
    ),
    Kind(
        "tooth-places",
        ToothPlace,
        "Teeth marked on pictures",
        "Where each tooth was marked on the picture of a document, in thousandths of its width and height. A later row of the same tooth "
        "and document supersedes an earlier one; one without a place says that the mark was taken away.",
        "marked_at marked_by document_id tooth x y",
    ),
    Kind(
        "fillings",
        Filling,
        "Histories",
        "Every form of the history as it was filled; a later one of the same form supersedes it.",
        "at number filled_by in_words",
    ),
    Kind(
        "history-reviews",
        HistoryReview,
        "Histories looked through",
        "That a clinician looked a filled form through with the patient: nothing had changed, or they filled it themselves.",
        "at reviewed_by filling_id",
    ),
    Kind(
        "kiosks",
        Kiosk,
        "Tablets",
        "That the patient was handed a tablet to fill a form.",
        "handed_at handed_by expires_at ended_at",
    ),
    Kind(
        "notes",
        Note,
        "Notes",
        "Clinical notes and addenda to them, as they were signed last.",
        "signed_at author type procedure teeth text outcome status error_reason",
    ),
    Kind(
        "note-signings",
        NoteSigning,
        "Notes as they were signed",
        "The exact words of each signing, and what a supervisor decided of them.",
        "note_id number signed_at signed_by signed decision decided_by decided_at reason",
    ),
    Kind(
        "problems",
        Problem,
        "Problems",
        "Diagnoses by code or in words, of which teeth, and what became of them.",
        "noted_at noted_by system code words teeth status ended_by ended_at end_reason",
    ),
    Kind(
        "evidence",
        Evidence,
        "What shows the problems",
        "Documents and entries of the chart.",
        "problem_id document_id entry_id added_by added_at",
    ),
    Kind(
        "cases",
        Case,
        "Cases of students",
        "What students were to do for the patient under a supervisor, and how it ended.",
        "opened_at title words student supervisor department status verified_at closed_at reason",
    ),
    Kind(
        "case-tasks",
        CaseTask,
        "Tasks of cases",
        "What was to be done until when, and what a supervisor wrote of it.",
        "case_id number title words due_on teeth status completed_at reviewed_at reviewed_by review reason",
    ),
    Kind(
        "case-log",
        CaseLog,
        "Logs of cases",
        "Everything that happened in them, in the order in which it did. Nothing of it was ever changed.",
        "case_id number at done_by act words",
    ),
    Kind(
        "plans",
        Plan,
        "Plans of treatment",
        "What might be done, and what became of it.",
        "number name begun_at begun_by currency status",
    ),
    Kind(
        "plan-options",
        PlanOption,
        "Options of the plans",
        "The ways to treat the patient, with what speaks for and against each.",
        "plan_id name advantages risks",
    ),
    Kind(
        "plan-items",
        PlanItem,
        "Items of the plans",
        "What would be done in each option. The price is in the smallest unit of the plan's currency.",
        "option_id kind teeth surfaces price minutes visits phase remarks",
    ),
    Kind(
        "estimates",
        Estimate,
        "Estimates",
        "The plans as they were sent to a supervisor, to the letter, and what was decided of them.",
        "code number sent_at sent_by valid_until decision decided_by decided_at reason",
    ),
    Kind(
        "acceptances",
        Acceptance,
        "What the patient accepted",
        "Which option, who signed where, and before whom; the signature is a PNG in base64.",
        "accepted_at plan_id option_id signed_by on_paper witnessed_by",
    ),
    Kind(
        "materials",
        MaterialUse,
        "Material used",
        "What was used at a visit, with its lot; what was recorded by mistake too.",
        "recorded_at recorded_by quantity unit material lot taken_back_at taken_back_by reason",
    ),
    Kind(
        "gates",
        Gate,
        "Approvals to start and to dismiss",
        "What was laid before a supervisor at a visit, and what became of it.",
        "prepared_at prepared_by student kind words status decided_by decided_at session_of reason",
    ),
    Kind(
        "gate-items",
        GateItem,
        "What was to be approved at a visit",
        "Each thing by itself, in words.",
        "gate_id words status reason opened_at",
    ),
    Kind(
        "tooth-matches",
        ToothMatch,
        "Teeth confirmed before they were treated",
        "The tooth that a supervisor entered by themselves before something that cannot be undone, and what each source named.",
        "entered_at entered_by entered found agrees second reason",
    ),
    Kind(
        "trail",
        AuditEvent,
        "The trail",
        "Who did, changed, read or was refused what of this record, and when.",
        "at actor role sentence reason",
    ),
)

# Tables that refer to a patient, or may name one in a text, and are no part of the record.
LEFT_OUT: dict[type[Base], str] = {
    Evaluation: "that a student was evaluated in a visit: the student's own record, not the patient's",
    Marking: "how a student worked in a visit, in their own eyes and a supervisor's: the student's own record",
    Mark: "one step of a marking on the scale: the student's own record",
    PatientToken: "made from name, code, phone and birth date, so that the patient is found by them; says nothing else",
    Booking: "made from visits: the quarters of an hour that each takes of a chair and of people",
    Draft: "what a person has typed and not sent; theirs alone until they send it",
    OnceKey: "answers to forms, held for some days so that a form sent twice has one effect",
    Opened: "which version of a request, and which thing of a dismissal, an approver has looked at before deciding",
}
# Columns that only serve the database.
INTERNAL = frozenset(
    {
        "sort_name",
        "version",
        "open_key",
        "open_patient_id",
        "open_chair_id",
        "open_visit_id",
        "key",
        "token_hash",
        "once",
        "parts",
        "body",
    }
)
JSON_TEXT = frozenset(
    {
        ("chart_entry", "details"),
        ("request", "destinations"),
        ("filling", "answers"),
        ("note_signing", "signed"),
        ("gate", "shown"),
        ("estimate", "shown"),
        ("plan_item", "details"),
        ("tooth_match", "found"),
        ("case_log", "said"),
    }
)
# Through what a table without a column for the patient belongs to one.
PARENTS: dict[str, type[Base]] = {
    "case_id": Case,
    "plan_id": Plan,
    "option_id": PlanOption,
    "problem_id": Problem,
    "document_id": Document,
    "note_id": Note,
    "gate_id": Gate,
    "gate_item_id": GateItem,
}
# Columns that hold a person's id and have no foreign key.
PEOPLE = frozenset({("audit_event", "actor_id")})
NAMED = ("user", "department", "chair")


def patient_of(code: str) -> Patient | None:
    """The patient of this code, however it was typed. One query."""
    return db.session.execute(select(Patient).where(Patient.code == code.strip().upper())).scalar_one_or_none()


def pages_of(kind: Kind, patient_id: int, *, upto: int | None = None) -> Iterator[list[dict[str, Any]]]:
    """The rows of a kind, at most `PAGE` at once, in the order of their ids, as plain values with the names of people and places.

    Each page is a query of its own: the transaction may be ended in between. `upto`: the last id wanted.
    """
    table = kind.table
    key = next(iter(table.primary_key.columns))
    rows = _named(table).where(_is_of(table, patient_id)).order_by(key).limit(PAGE)
    if kind.model is AuditEvent:  # else MariaDB would at times rather walk the whole trail
        for engine in ("mariadb", "mysql"):
            rows = rows.with_hint(table, "FORCE INDEX (ix_audit_event_patient)", engine)
    if upto is not None:
        rows = rows.where(key <= upto)
    after = 0
    while True:
        found = db.session.execute(rows.where(key > after)).mappings().all()
        if not found:
            return
        after = found[-1][key.name]
        yield [{name: plain(value, (table.name, name) in JSON_TEXT) for name, value in row.items()} for row in found]
        if len(found) < PAGE:
            return


def _is_of(table: Table, patient_id: int) -> ColumnElement[bool]:
    if table is Patient.__table__:
        return table.c.id == patient_id
    if "patient_id" in table.c:
        return table.c.patient_id == patient_id
    name, parent = next((name, model.__table__) for name, model in PARENTS.items() if name in table.c)
    return table.c[name].in_(select(parent.c.id).where(_is_of(parent, patient_id)))  # type: ignore[arg-type]


def fields_of(kind: Kind) -> dict[str, str]:
    """What the fields of a kind's rows hold, by name."""
    columns = _columns(kind.table)
    named = [column for column in columns if _target(column) is not None]
    names = {_name_of(column): f"text, the name of {column.name}, as it is today" for column in named}
    return {column.name: _word(column) for column in columns} | names


def plain(value: Any, is_json: bool = False) -> Any:
    """A value as JSON holds it: instants in UTC with their zone, days as 2026-03-02, bytes in base64."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return json.loads(value) if is_json and value else value


def names_of(ids: Iterable[int]) -> dict[int, str]:
    """The names of people by their ids. One query."""
    wanted = set(ids)
    return {row.id: row.name for row in db.session.execute(select(User.id, User.name).where(User.id.in_(wanted)))}


def in_words(row: dict[str, Any], kinds: dict[str, KindOfEntry]) -> str:
    """What a row of a chart's entries says, in words; empty for a kind that this program does not know."""
    if row["kind"] not in kinds:
        return ""
    entry = Entry(
        row["kind"],
        Status(row["status"]),
        teeth_of(row["teeth"]),
        surfaces=row["surfaces"],
        jaw=row["jaw"],
        details=row["details"] or {},
        dated=date.fromisoformat(row["dated"]),
        performer=row["performer"] or "",
    )
    return sentence(entry, kinds=kinds)


def forms_filled(patient_id: int) -> dict[int, Form]:
    """The forms on which a patient's histories were filled, by id of their number. One query."""
    filled = select(Filling.form_id).where(Filling.patient_id == patient_id)
    rows = db.session.execute(select(HistoryForm.id, HistoryForm.body).where(HistoryForm.id.in_(filled)))
    return {row.id: form_from(row.body) for row in rows}


def filled_in_words(row: dict[str, Any], forms: dict[int, Form]) -> str:
    """What a row of a history says, question by question, and who wrote it where that was the patient."""
    form = forms[row["form_id"]]
    said = [
        f"{item.label}: {told(item, row['answers'][item.code])}" for item in form.items if item.code in row["answers"]
    ]
    by = "" if row["filled_by_id"] else ", by the patient on a tablet"
    return f"{form.title}{by}. {'; '.join(said)}"


def documents_after(patient_id: int, after: int) -> list[tuple[Document, bool]]:
    """The next documents of a patient, whatever became of them, at most `PAGE`; and whether a newer file has taken its place. One query."""
    thing = things_of(patient_id)
    newest = newest_of(thing, Category)
    rows = (
        select(Document, func.coalesce(newest.c.id > Document.id, false()))
        .outerjoin(thing, thing.c.id == Document.id)
        .outerjoin(newest, newest.c.first == thing.c.first)
        .where(Document.patient_id == patient_id, Document.id > after)
    )
    found = db.session.execute(rows.order_by(Document.id).limit(PAGE).execution_options(populate_existing=True))
    return [(document, bool(is_former)) for document, is_former in found]


# --- how a table is read ----------------------------------------------------------------------------------------------


def _columns(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.name not in INTERNAL]


def _target(column: Column[Any]) -> Table | None:
    """The table in which what a column refers to has a name."""
    tables: Any = Base.metadata.tables
    if (column.table.name, column.name) in PEOPLE:
        return tables["user"]
    targets = {key.column.table.name for key in column.foreign_keys}
    return next((tables[name] for name in NAMED if name in targets), None)


def _name_of(column: Column[Any]) -> str:
    return column.name.removesuffix("_id")


def _named(table: Table) -> Select[Any]:
    """The columns of a table, with a name for each that refers to a person or place."""
    rows, joined = select(*_columns(table)), table
    for column in _columns(table):
        if (target := _target(column)) is not None:
            other = target.alias()
            joined = joined.outerjoin(other, other.c.id == column)  # type: ignore[assignment]
            rows = rows.add_columns(other.c.name.label(_name_of(column)))
    return rows.select_from(joined)


def _word(column: Column[Any]) -> str:
    type_ = column.type
    if (column.table.name, column.name) in JSON_TEXT:
        said = "object"
    elif isinstance(type_, UtcDateTime):
        said = "instant, UTC"
    elif isinstance(type_, Date):
        said = "day"
    elif isinstance(type_, Boolean):
        said = "true or false"
    elif isinstance(type_, Enum):
        said = f"one of: {', '.join(type_.enums)}"
    elif isinstance(type_, Integer):
        said = "number"
    elif isinstance(type_, LargeBinary):
        said = "text, base64"
    else:
        said = "text"
    return f"{said}, or null" if column.nullable else said
