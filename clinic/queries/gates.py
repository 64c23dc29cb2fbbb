"""The two gates of a visit: what a visit changed, whether a supervisor approved exactly that, and what waits for one.

Whether something changed after it was approved is asked here and nowhere else: what the visit changed is gathered anew, each thing
with its digest, and held against the digests that were approved.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, cast, false, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased, joinedload, selectinload

from clinic import canonical, clock
from clinic.chart import versions
from clinic.chart.entry import Entry
from clinic.chart.kinds import Status
from clinic.chart.mouth import Mouth
from clinic.chart.teeth import Numbering
from clinic.extensions import db
from clinic.formatting import words as in_words
from clinic.models import (
    Acceptance,
    AuditEvent,
    Category,
    ChartEntry,
    Document,
    DocumentStatus,
    Estimate,
    Gate,
    GateItem,
    GateKind,
    GateStatus,
    MaterialUse,
    Note,
    NoteStatus,
    Opened,
    Patient,
    Plan,
    PlanDecision,
    QueueEntry,
    Role,
    User,
    Visit,
    VisitStatus,
)
from clinic.plans.estimate import in_brief
from clinic.queries import chart as charts
from clinic.queries.documents import last_act_on
from clinic.queries.notes import digest_of, notes_of_visit
from clinic.queries.scope import is_given, may_see, supervisors_given

MOST_WAITING = 200
FILED_ACTS = (
    "document.add", "document.describe", "document.delete", "document.restore", "document.purge", "material.use", "material.take_back",
)  # fmt: skip
MOST_CHOICES = 200
WORDS_LENGTH = 500
# What cannot be undone on a wrong tooth: the supervisor enters the tooth of it by themselves.
GUARDED = frozenset({"extraction", "root_canal", "pulpotomy", "pulpectomy", "apicoectomy", "implant"})
TO_START = (Status.PLANNED, Status.IN_PROCESS)
NUMBERING = Numbering.FDI  # of what is kept in words


def digest(what: Any) -> str:
    return canonical.digest(canonical.canonical(what))


# --- one gate ---------------------------------------------------------------------------------------------------------


def gates_of(visit_id: int) -> list[Gate]:
    """All gates of a visit with people and items, oldest first; of a visit that the viewer may see. Two queries."""
    found = _with_people(select(Gate).where(Gate.visit_id == visit_id).options(selectinload(Gate.items)))
    return list(db.session.execute(found.order_by(Gate.id).limit(MOST_CHOICES)).scalars())


def last_gate(visit_id: int, kind: GateKind) -> Gate | None:
    """The newest gate of a kind of a visit that was not withdrawn, with people and items."""
    found = select(Gate).where(Gate.visit_id == visit_id, Gate.kind == kind, Gate.status != GateStatus.WITHDRAWN)
    newest = _with_people(found.options(selectinload(Gate.items))).order_by(Gate.number.desc()).limit(1)
    return db.session.execute(newest).scalar_one_or_none()


def visit_seen(viewer: User, visit_id: int) -> Visit | None:
    """A visit with department and people, of a patient whom the viewer may see."""
    return _visit(Visit.id == visit_id, may_see(viewer, Visit.patient_id))


def visit_to_prepare(viewer: User, visit_id: int) -> Visit | None:
    """A visit of a patient whom the viewer is given, so that they may prepare its gates; a broken glass only shows."""
    return _visit(Visit.id == visit_id, is_given(viewer, Visit.patient_id))


def _visit(*conditions: ColumnElement[bool]) -> Visit | None:
    people = (joinedload(Visit.department), joinedload(Visit.student), joinedload(Visit.supervisor))
    return db.session.execute(select(Visit).where(*conditions).options(*people)).scalar_one_or_none()


def place_of(visit_id: int) -> QueueEntry | None:
    """Where the patient of a visit is in the queue, with the chair; None when the visit is not under way."""
    found = select(QueueEntry).where(QueueEntry.visit_id == visit_id, QueueEntry.ended_at.is_(None))
    return db.session.execute(found.options(joinedload(QueueEntry.chair))).scalar_one_or_none()


def marks_of(visit_ids: Collection[int]) -> dict[int, dict[GateKind, GateStatus]]:
    """How the newest gate of each kind of these visits stands; nothing for what was never prepared, or withdrawn. A start that was approved
    stays so, whatever became of a further one; one of whoever treated before is none. One query."""
    theirs = or_(Gate.kind != GateKind.START, Visit.student_id.is_(None), _counts_for(Visit.student_id))
    rows = (
        select(Gate.visit_id, Gate.kind, Gate.status)
        .join(Visit, Visit.id == Gate.visit_id)
        .where(Gate.visit_id.in_(visit_ids), Gate.status != GateStatus.WITHDRAWN, theirs)
        .order_by(Gate.number)
        .limit(5000)
    )
    found: dict[int, dict[GateKind, GateStatus]] = {}
    for visit_id, kind, status in db.session.execute(rows) if visit_ids else ():
        held = found.setdefault(visit_id, {})
        if kind is GateKind.DISMISS or held.get(kind) is not GateStatus.APPROVED:
            held[kind] = status
    return found


def gate_of(viewer: User, visit_id: int, gate_id: int) -> Gate | None:
    """One gate of a visit, of a patient whom the viewer may see, with people and items."""
    found = _whole(select(Gate).where(Gate.id == gate_id, Gate.visit_id == visit_id))
    return db.session.execute(found.where(may_see(viewer, Gate.patient_id))).scalar_one_or_none()


def decidable_gate(viewer: User, gate_id: int, kind: GateKind | None = None) -> Gate | None:
    """One that is the viewer's to decide, or was, with everything that is shown of it."""
    found = select(Gate).where(Gate.id == gate_id, _of_department(viewer), may_see(viewer, Gate.patient_id))
    if kind is not None:
        found = found.where(Gate.kind == kind)
    return db.session.execute(_whole(found)).scalar_one_or_none()


def waiting_gates(viewer: User, kind: GateKind) -> list[Gate]:
    """What waits for the viewer, longest first; `MOST_WAITING` at most. Three queries."""
    waiting = _whole(_waiting(viewer, kind)).order_by(Gate.prepared_at, Gate.id).limit(MOST_WAITING)
    return list(db.session.execute(waiting).scalars())


def waiting_ids(viewer: User, kind: GateKind) -> Select[int]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _waiting(viewer, kind).with_only_columns(Gate.id)


def _waiting(viewer: User, kind: GateKind) -> Select[Any]:
    return select(Gate).where(
        Gate.status == GateStatus.PENDING,
        Gate.kind == kind,
        Gate.prepared_by_id != viewer.id,
        _of_department(viewer),
        is_given(viewer, Gate.patient_id),
    )


def _of_department(viewer: User) -> ColumnElement[bool]:
    """As `operations.gates` judges it: a supervisor of the department in which the patient is."""
    if viewer.role is not Role.SUPERVISOR or viewer.department_id is None:
        return false()
    return Gate.department_id == viewer.department_id


def _with_people(gates: Select[Any]) -> Select[Any]:
    return gates.options(joinedload(Gate.prepared_by), joinedload(Gate.decided_by))


def _whole(gates: Select[Any]) -> Select[Any]:
    return _with_people(gates).options(
        selectinload(Gate.items),
        joinedload(Gate.visit).options(joinedload(Visit.department), joinedload(Visit.student)),
        joinedload(Gate.patient).selectinload(Patient.alerts),
    )


def shown_of(gate: Gate) -> dict[str, Any]:
    """What the supervisor is shown, as it was prepared."""
    shown: dict[str, Any] = json.loads(gate.shown)
    return shown


def deciders_of(gate: Gate) -> list[User]:
    """The supervisors who could decide this gate in somebody else's session: those of the department who are given the patient and have
    a PIN."""
    given = supervisors_given(gate.patient_id).subquery()
    found = (
        select(User)
        .join(given, given.c.id == User.id)
        .where(User.department_id == gate.department_id, User.pin_hash.is_not(None), User.id != gate.prepared_by_id)
    )
    return list(db.session.execute(found.order_by(User.name, User.id).limit(MOST_CHOICES)).scalars())


def seconds_of(viewer: User, gate: Gate) -> list[User]:
    """Who could be named as the second person of a doubtful tooth: clinicians other than the approver and whoever prepared it."""
    found = select(User).where(
        User.active,
        or_(User.role == Role.SUPERVISOR, and_(User.role == Role.STUDENT, User.department_id == gate.department_id)),
        User.id.not_in((viewer.id, gate.prepared_by_id)),
    )
    order = (case((User.role == Role.SUPERVISOR, 0), else_=1), User.name, User.id)
    return list(db.session.execute(found.order_by(*order).limit(MOST_CHOICES)).scalars())


# --- the start --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """What supervisors have approved to start in a visit today. `items`: thread of the chart to kind, teeth and jaw."""

    items: Mapping[int, tuple[str, str, str]] = field(default_factory=dict)


def started_in(visit: Visit, *, by: Collection[int] = ()) -> Started | None:
    """What was approved to start in this visit, today and in the department in which it goes on; None when no start was approved.

    A start counts for whoever prepared it and for the student whose visit it was: who takes over asks anew. `by`: the students for whom
    it must count; else whoever the visit is with.
    """
    begins, _ends = clock.bounds(clock.today())
    found = db.session.execute(
        select(Gate.shown)
        .where(
            Gate.visit_id == visit.id,
            Gate.kind == GateKind.START,
            Gate.status == GateStatus.APPROVED,
            Gate.department_id == visit.department_id,
            Gate.decided_at >= begins,
            *(_counts_for(student) for student in by or ([visit.student_id] if visit.student_id else [])),
        )
        .order_by(Gate.id)
        .limit(MOST_CHOICES)
    ).scalars()
    shown = [json.loads(each) for each in found]
    if not shown:
        return None
    return Started(
        {item["thread"]: (item["kind"], item["teeth"], item["jaw"]) for each in shown for item in each["items"]}
    )


def _counts_for(student: Any) -> ColumnElement[bool]:
    return or_(Gate.student_id == student, Gate.prepared_by_id == student)


def plan_digest(entry: Entry) -> str:
    """Of what is planned, as a supervisor approves its start."""
    plain = entry.plain()
    return digest({name: plain[name] for name in ("kind", "status", "teeth", "surfaces", "jaw", "details")})


def startable(mouth: Mouth) -> list[Entry]:
    """What may be started or gone on with, in the order of the chart."""
    return [entry for entry in mouth.entries if entry.status in TO_START]


def pictures_and_consents(patient_id: int) -> tuple[list[Document], list[Document]]:
    """The newest radiographs and consents of a patient that can be looked at. One query."""
    found = (
        select(Document)
        .where(
            Document.patient_id == patient_id,
            Document.status == DocumentStatus.AVAILABLE,
            Document.category.in_((Category.RADIOGRAPH, Category.CONSENT)),
        )
        .order_by(Document.id.desc())
        .limit(MOST_CHOICES)
    )
    documents = list(db.session.execute(found).scalars())
    return (
        [each for each in documents if each.category is Category.RADIOGRAPH],
        [each for each in documents if each.category is Category.CONSENT],
    )


# --- what a visit changed ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """One thing that a visit changed. `people`: who performed, entered, wrote or filed it; `is_students`: a student is among them, so a
    supervisor approves it; `stands`: what a supervisor decided of it by itself, a note, if anything."""

    subject: str
    sha256: str
    words: str
    by: str
    people: frozenset[int]
    is_students: bool
    stands: NoteStatus | None = None

    @property
    def is_approved(self) -> bool:
        """Whether a supervisor approved it by itself, before or without the visit."""
        return self.stands is NoteStatus.APPROVED


def pieces_of(visit: Visit) -> list[Piece]:
    """What a visit changed: strokes on the chart as a difference, notes, plans, documents, material. Seventeen queries at most."""
    if visit.arrived_at is None:
        return []
    ends = ends_of(visit)
    found = [*_chart_changes(visit, ends), *_notes(visit), *_plans(visit, ends), *_documents(visit), *_materials(visit)]
    wanted = {person for _subject, _digest, _words, people, by, _stands in found for person in (*people, by)}
    known = {
        row.id: row
        for row in db.session.execute(select(User.id, User.name, User.role).where(User.id.in_(wanted or {0})))
    }
    return [
        Piece(
            subject,
            sha256,
            words[:WORDS_LENGTH],
            known[by].name if by in known else "",
            frozenset(people),
            any(known[person].role is Role.STUDENT for person in people if person in known),
            stands,
        )
        for subject, sha256, words, people, by, stands in found
    ]


# Subject, digest, words, people, who was last, how it stands by itself.
Found = tuple[str, str, str, set[int], int, NoteStatus | None]


def ends_of(visit: Visit) -> datetime | None:
    """Until when what is written of the patient belongs to this visit: the next one's arrival; None while there is none."""
    return db.session.scalar(
        select(func.min(Visit.arrived_at)).where(
            Visit.patient_id == visit.patient_id,
            Visit.id != visit.id,
            Visit.arrived_at > visit.arrived_at,
            Visit.status != VisitStatus.CANCELLED,
        )
    )


def _strokes_of(visit: Visit, ends: datetime | None) -> tuple[int, int]:
    """The last stroke on the chart before a visit, and the last one of it. One query."""
    stroke = ChartEntry.stroke
    of_it = func.max(case((ChartEntry.entered_at < ends, stroke))) if ends else func.max(stroke)
    before = func.max(case((ChartEntry.entered_at < visit.arrived_at, stroke)))
    first, last = db.session.execute(select(before, of_it).where(ChartEntry.patient_id == visit.patient_id)).one()
    return first or 0, last or 0


def changes_of(visit: Visit) -> tuple[Mouth, list[versions.Change]]:
    """The mouth after a visit, and what became of what in it."""
    return _changed(visit, *_strokes_of(visit, ends_of(visit)))


def _changed(visit: Visit, first: int, last: int) -> tuple[Mouth, list[versions.Change]]:
    before, after = (charts.mouth_of(visit.patient_id, upto=stroke) for stroke in (first, last))
    return after, [each for each in versions.difference(before, after) if not each.is_only_said_again]


def _chart_changes(visit: Visit, ends: datetime | None) -> list[Found]:
    strokes = _strokes_of(visit, ends)
    changes = _changed(visit, *strokes)[1] if strokes[0] < strokes[1] else []
    if not changes:
        return []
    threads = {entry.thread for change in changes for entry in change.entries}
    thread = func.coalesce(ChartEntry.first_id, ChartEntry.id)
    written = [ChartEntry.patient_id == visit.patient_id, ChartEntry.entered_at >= visit.arrived_at]
    if ends:
        written.append(ChartEntry.entered_at < ends)
    rows = select(thread, ChartEntry.entered_by_id, ChartEntry.performer_id).where(*written).order_by(ChartEntry.id)
    people: dict[int, set[int]] = {}
    last: dict[int, int] = {}
    for of, entered_by, performer in db.session.execute(rows):
        if of in threads:
            people.setdefault(of, set()).update(each for each in (entered_by, performer) if each)
            last[of] = entered_by
    return [
        (
            f"entry:{of}",
            change_digest(change.before, change.after),
            versions.change_sentence(change, NUMBERING),
            people.get(of, set()),
            last.get(of, 0),
            None,
        )
        for change in changes
        for of in [change.entries[0].thread]
    ]


def change_digest(before: Entry | None, after: Entry | None) -> str:
    """Of what became of one thread of the chart in a visit, as its dismissal approves it."""
    return digest([_said(before), _said(after)])


def _said(entry: Entry | None) -> Any:
    return list(versions.said(entry)) if entry is not None else None


def _notes(visit: Visit) -> list[Found]:
    return [
        (
            f"note:{note.id}",
            digest_of(note),
            f"{'Addendum' if note.addendum_to_id else 'Note'}, {in_words(note.type)}"
            f"{': ' + note.procedure if note.procedure else ''}: {note.text}",
            {note.author_id},
            note.author_id,
            note.status,
        )
        for note in notes_of_visit(visit.id)
    ]


def _plans(visit: Visit, ends: datetime | None) -> list[Found]:
    """What stands of the patient's plans that was sent or accepted in the visit. It is decided by itself, so it is nobody's here."""

    def within(at: InstrumentedAttribute[datetime]) -> ColumnElement[bool]:
        return at >= visit.arrived_at if ends is None else and_(at >= visit.arrived_at, at < ends)

    accepted = select(Acceptance).where(Acceptance.patient_id == visit.patient_id, within(Acceptance.accepted_at))
    sent = select(Estimate).where(
        Estimate.patient_id == visit.patient_id,
        within(Estimate.sent_at),
        or_(Estimate.decision.is_(None), Estimate.decision == PlanDecision.APPROVED),
    )
    done: dict[int, list[tuple[str, str, int]]] = {}
    for one in db.session.scalars(accepted.order_by(Acceptance.id)):
        done.setdefault(one.plan_id, []).append(("accepted by the patient", one.sha256, one.witnessed_by_id))
    for each in db.session.scalars(sent.order_by(Estimate.id).limit(MOST_CHOICES)):
        words = f"sent as {each.code}: {in_brief(each.sent)}"
        done.setdefault(each.plan_id, []).append((words, each.sha256, each.sent_by_id))
    names = select(Plan.id, Plan.name).where(Plan.id.in_(done))
    return [
        (
            f"plan:{plan}",
            digest([sha256 for _words, sha256, _by in done[plan]]),
            f"Plan of treatment “{name}” " + "; ".join(words for words, _sha256, _by in done[plan]),
            set(),
            done[plan][0][2],
            None,
        )
        for plan, name in (db.session.execute(names) if done else ())
    ]


def _documents(visit: Visit) -> list[Found]:
    gone = (DocumentStatus.PENDING, DocumentStatus.FAILED, DocumentStatus.PURGED)
    found = select(Document).where(Document.visit_id == visit.id, Document.status.not_in(gone)).order_by(Document.id)
    pieces: list[Found] = []
    for each in db.session.execute(found.limit(MOST_CHOICES)).scalars():
        if each.status is DocumentStatus.DELETED:
            continue
        said = [each.sha256, each.category, each.projection, each.teeth, each.taken_on, each.description, each.name]
        what = in_words(each.projection or each.category)
        of = f" of {each.teeth}" if each.teeth else ""
        told = f": {each.description}" if each.description else ""
        words = f"Filed: {what}{of}, “{each.name}”{told}"
        pieces.append((f"document:{each.id}", digest(said), words, {each.uploaded_by_id}, each.uploaded_by_id, None))
    return pieces


def _materials(visit: Visit) -> list[Found]:
    """What was used and not taken back."""
    used = select(MaterialUse).where(MaterialUse.visit_id == visit.id, MaterialUse.taken_back_at.is_(None))
    return [
        (
            f"material:{use.id}",
            digest(use.words),
            f"Material: {use.words}",
            {use.recorded_by_id},
            use.recorded_by_id,
            None,
        )
        for use in db.session.execute(used.order_by(MaterialUse.id).limit(MOST_CHOICES)).scalars()
    ]


# --- how the dismissal stands -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """How a visit's dismissal stands. `approved`: the last approval, if any; `pieces`: what the visit changed, as it is now; `missing`:
    what of it a supervisor has still to approve; `gone`: what was approved and is no longer there."""

    approved: Gate | None
    last: Gate | None
    pieces: list[Piece]
    missing: list[Piece]
    gone: list[GateItem]

    @property
    def is_approved(self) -> bool:
        """Whether all is approved as it is now."""
        return self.approved is not None and not self.missing and not self.gone

    @property
    def changed(self) -> bool:
        """Whether something was changed after it was approved."""
        return self.approved is not None and bool(self.missing or self.gone)

    @property
    def sha256(self) -> str:
        return pieces_digest(self.pieces)


def pieces_digest(pieces: Collection[Piece]) -> str:
    """Of all that a visit changed; what a page has shown is told by it."""
    return digest(sorted((piece.subject, piece.sha256) for piece in pieces))


def standing_of(visit: Visit) -> Standing:
    """What a visit changed, held against what was approved of it."""
    pieces = pieces_of(visit)
    decided = select(Gate).where(
        Gate.visit_id == visit.id, Gate.kind == GateKind.DISMISS, Gate.status == GateStatus.APPROVED
    )
    newest = _with_people(decided.options(selectinload(Gate.items))).order_by(Gate.number.desc()).limit(1)
    approved = db.session.execute(newest).scalar_one_or_none()
    held = {item.subject: item.sha256 for item in approved.items} if approved else {}
    there = {piece.subject for piece in pieces}
    return Standing(
        approved=approved,
        last=last_gate(visit.id, GateKind.DISMISS),
        pieces=pieces,
        missing=[
            piece
            for piece in pieces
            if piece.is_students and not piece.is_approved and held.get(piece.subject) != piece.sha256
        ],
        gone=[item for item in approved.items if item.subject not in there] if approved else [],
    )


def changers_of(subject: str) -> set[int | None]:
    """Who had the last word about a thing that a visit changed: the last row of an entry, whoever deleted a document or said anew what
    it is, or said that a note was an error."""
    what, _, number = subject.partition(":")
    if what == "entry":
        thread = func.coalesce(ChartEntry.first_id, ChartEntry.id) == int(number)
        last = select(ChartEntry.entered_by_id).where(thread).order_by(ChartEntry.id.desc()).limit(1)
        return set(db.session.execute(last).scalars())
    if what == "note":
        said = select(Note.error_said_by_id, Note.error_agreed_by_id).where(Note.id == int(number))
        return set(db.session.execute(said).one())
    if what == "material":
        use = db.session.get_one(MaterialUse, int(number))
        return {use.taken_back_by_id or use.recorded_by_id}
    document = db.session.get_one(Document, int(number))
    described = last_act_on(document, "document.describe")
    return {document.deleted_by_id, described.actor_id if described else None}


def texts_of(subjects: Collection[str]) -> dict[str, str]:
    """The notes among these things as they were signed, whole: by subject. One query."""
    ids = {int(subject.partition(":")[2]): subject for subject in subjects if subject.startswith("note:")}
    rows = select(Note.id, Note.text, Note.outcome).where(Note.id.in_(ids))
    found = db.session.execute(rows) if ids else ()
    return {ids[row.id]: "\n".join(filter(None, (row.text, row.outcome))) for row in found}


def approved_before(visit_id: int) -> dict[tuple[str, str], datetime | None]:
    """What supervisors have approved in any dismissal of this visit, returned ones too: subject and digest, and when it was opened by
    itself for that."""
    rows = select(GateItem.subject, GateItem.sha256, GateItem.opened_at).join(Gate, Gate.id == GateItem.gate_id)
    found = rows.where(Gate.visit_id == visit_id, Gate.kind == GateKind.DISMISS, GateItem.status == GateStatus.APPROVED)
    return {
        (subject, sha256): opened_at
        for subject, sha256, opened_at in db.session.execute(found.order_by(GateItem.id).limit(5000))
    }


def opened_items(viewer: User, gate: Gate) -> dict[int, datetime]:
    """Which things of a gate, loaded with its items, the viewer has opened by themselves, and when first. One query."""
    keys = {item_key(item.id): item.id for item in gate.items}
    rows = select(Opened.item, func.min(Opened.at)).where(Opened.user_id == viewer.id, Opened.item.in_(keys))
    return {keys[key]: at for key, at in db.session.execute(rows.group_by(Opened.item))}


def item_key(item_id: int) -> str:
    """By which it is kept that somebody opened a thing of a gate."""
    return f"gate-item:{item_id}"


def pictures_of(subjects: Collection[str]) -> dict[str, Document]:
    """The documents among these things of which there may be a picture to show: by subject. One query."""
    ids = [int(subject.partition(":")[2]) for subject in subjects if subject.startswith("document:")]
    found = select(Document).where(Document.id.in_(ids), Document.status == DocumentStatus.AVAILABLE)
    return {f"document:{each.id}": each for each in db.session.scalars(found)} if ids else {}


# --- changed after approval -------------------------------------------------------------------------------------------


def _last_approvals(viewer: User) -> Select[Any]:
    """The dismissals of the viewer's department that are approved and the last of their visit, after which something may have changed.

    By time, which costs no reading of charts: whether it is other than what was approved, `standing_of` says.
    """
    later, following = aliased(Gate), aliased(Visit)
    no_later = ~(
        select(later.id)
        .where(
            later.visit_id == Gate.visit_id,
            later.kind == GateKind.DISMISS,
            later.number > Gate.number,
            later.status != GateStatus.WITHDRAWN,
        )
        .exists()
    )
    no_visit_before = ~(
        select(following.id)
        .where(
            following.patient_id == Gate.patient_id,
            following.arrived_at > Visit.arrived_at,
            following.status != VisitStatus.CANCELLED,
            following.arrived_at <= ChartEntry.entered_at,
        )
        .correlate(Gate, Visit, ChartEntry)
        .exists()
    )
    charted = (
        select(ChartEntry.id)
        .where(ChartEntry.patient_id == Gate.patient_id, ChartEntry.entered_at > Gate.prepared_at, no_visit_before)
        .correlate(Gate, Visit)
        .exists()
    )
    noted = (
        select(Note.id)
        .where(
            Note.visit_id == Gate.visit_id,
            or_(Note.signed_at > Gate.prepared_at, Note.error_agreed_at > Gate.prepared_at),
        )
        .correlate(Gate)
        .exists()
    )
    filed = (
        select(AuditEvent.id)
        .where(AuditEvent.patient_id == Gate.patient_id, AuditEvent.at > Gate.prepared_at, is_filed_in(Gate))
        .correlate(Gate)
        .exists()
    )
    return (
        select(Gate)
        .join(Visit, Visit.id == Gate.visit_id)
        .where(
            Gate.kind == GateKind.DISMISS,
            Gate.status == GateStatus.APPROVED,
            _of_department(viewer),
            is_given(viewer, Gate.patient_id),
            no_later,
            or_(charted, noted, filed),
        )
    )


def is_filed_in(gate: Any) -> ColumnElement[bool]:
    """Of `AuditEvent`: whether it tells of a document of the visit, of one that was approved with it, or of material used in it."""
    of_visit = select(literal("document:") + cast(Document.id, String)).where(Document.visit_id == gate.visit_id)
    approved = select(GateItem.subject).where(GateItem.gate_id == gate.id)
    used = select(literal("material_use:") + cast(MaterialUse.id, String)).where(MaterialUse.visit_id == gate.visit_id)
    subjects = [AuditEvent.subject.in_(subjects.correlate(gate)) for subjects in (of_visit, approved, used)]
    return and_(AuditEvent.act.in_(FILED_ACTS), or_(*subjects))


def changed_gates(viewer: User) -> list[Gate]:
    """Dismissals of the viewer's department after whose approval something was changed, longest approved first. Three queries."""
    found = _whole(_last_approvals(viewer)).order_by(Gate.decided_at, Gate.id).limit(MOST_WAITING)
    return list(db.session.execute(found).scalars())


def changed_ids(viewer: User) -> Select[int]:
    """A select of their ids, to count them among all else that waits for the viewer."""
    return _last_approvals(viewer).with_only_columns(Gate.id)
