"""Everything that happened to a patient, newest first: found over all tables at once, then told table by table.

A page costs one query to find its events and at most two for each table that they are of, however long the record is.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import aliased, joinedload

from clinic import clock
from clinic.case_log import DID
from clinic.chart.teeth import shown
from clinic.chart.words import sentence
from clinic.extensions import db
from clinic.formatting import number_of, ordinal
from clinic.models import (
    Acceptance,
    Alert,
    Assignment,
    Case,
    CaseAct,
    CaseLog,
    ChartEntry,
    ChartVersion,
    Document,
    DocumentStatus,
    Estimate,
    Filling,
    Gate,
    HistoryForm,
    HistoryReview,
    MaterialUse,
    Note,
    NoteSigning,
    Patient,
    Plan,
    PlanOption,
    Problem,
    ProblemStatus,
    SignOff,
    User,
    VersionReason,
    Visit,
    categories_of,
)
from clinic.notes.signed import said_in
from clinic.queries.chart import ENTRIES, catalogue, entry_of
from clinic.queries.exports import names_of
from clinic.queries.scope import visible_patients

SIZE = 50  # events of a page
MOST_WORDS = 240  # letters of a note's beginning


@dataclass(frozen=True)
class Place:
    """Where in the list an event stands: by time, and at the same instant by source and row."""

    at: datetime
    rank: int
    id: int


@dataclass(frozen=True)
class Told:
    """An event in words. `by`: whose deed it was; `more`: its parts; `number`: by which its own page is found."""

    words: str
    by: str = ""
    more: tuple[str, ...] = ()
    number: int = 0


@dataclass(frozen=True)
class Event:
    """One thing that happened. `kind`: by which the list is narrowed; `source`: how it happened."""

    kind: str
    source: str
    place: Place
    told: Told

    @property
    def at(self) -> datetime:
        return self.place.at


@dataclass(frozen=True)
class Timeline:
    """Events, newest first, and the place behind which there are more, None at the beginning of the record."""

    events: list[Event]
    more: Place | None = None


@dataclass(frozen=True)
class Source:
    """One way in which something happened: when and which row (`at`, `id`), under which condition, and how it is told."""

    kind: str
    name: str
    rows: Callable[[User, int], Select[Any, Any]]
    told: Callable[[User, int, Collection[int]], Iterable[tuple[int, Told]]] = field(repr=False)


def timeline_of(
    viewer: User, patient_id: int, *, kinds: Collection[str], upto: datetime | None = None, behind: Place | None = None
) -> Timeline:
    """A page of what happened to a patient, of these kinds; nothing of a patient whom the viewer may not see.

    `upto`: an instant after which nothing is shown; `behind`: the last place of the page before.
    """
    seen = visible_patients(viewer).where(Patient.id == patient_id).exists()
    parts = []
    for rank, source in enumerate(SOURCES):
        if source.kind not in kinds:
            continue
        row = source.rows(viewer, patient_id).subquery()
        found = select(row.c.at, literal(rank).label("rank"), row.c.id)
        if upto is not None:
            found = found.where(row.c.at < upto)
        if behind is not None:
            found = found.where(_is_behind(row.c.at, rank, row.c.id, behind))
        newest = found.order_by(row.c.at.desc(), row.c.id.desc()).limit(SIZE + 1).subquery()
        parts.append(select(newest))
    if not parts:
        return Timeline([])
    together = union_all(*parts).subquery()
    order = (together.c.at.desc(), together.c.rank.desc(), together.c.id.desc())
    rows = db.session.execute(select(together).where(seen).order_by(*order).limit(SIZE + 1)).all()
    places = [Place(row.at, row.rank, row.id) for row in rows[:SIZE]]
    return Timeline(_told(viewer, patient_id, places), places[-1] if len(rows) > SIZE else None)


def _is_behind(at: Any, rank: int, row_id: Any, place: Place) -> ColumnElement[bool]:
    if rank == place.rank:
        return or_(at < place.at, and_(at == place.at, row_id < place.id))
    return at <= place.at if rank < place.rank else at < place.at


def _told(viewer: User, patient_id: int, places: Sequence[Place]) -> list[Event]:
    wanted: dict[int, list[int]] = defaultdict(list)
    for place in places:
        wanted[place.rank].append(place.id)
    told = {rank: dict(SOURCES[rank].told(viewer, patient_id, ids)) for rank, ids in wanted.items()}
    return [
        Event(SOURCES[place.rank].kind, SOURCES[place.rank].name, place, told[place.rank][place.id]) for place in places
    ]


# --- what happened, by table ------------------------------------------------------------------------------------------


def _happened(model: Any, at: Any, *conditions: Any, id: Any = None) -> Callable[[User, int], Select[Any, Any]]:  # noqa: A002
    """The rows of a table with a column of the patient's, as things that happened at an instant."""

    def rows(_viewer: User, patient_id: int) -> Select[Any, Any]:
        happened = at.is_not(None)
        return select(at.label("at"), (model.id if id is None else id).label("id")).where(
            model.patient_id == patient_id, happened, *conditions
        )

    return rows


def _rows(model: Any, ids: Collection[int], *loaded: Any) -> Iterable[Any]:
    """Rows of a table by their ids, with what they refer to."""
    found = select(model).where(model.id.in_(ids)).options(*(joinedload(each) for each in loaded))
    return db.session.execute(found).scalars()


def _visits(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for visit in _rows(Visit, ids, Visit.department, Visit.student, Visit.supervisor):
        who = ", ".join(person.name for person in (visit.student, visit.supervisor) if person)
        outcome = f": {visit.outcome}" if visit.outcome else ""
        state = visit.status.value.replace("_", " ")
        what = visit.reason or "Visit"
        yield visit.id, Told(f"{what}, {visit.department.name}, {state}{outcome}", who, number=visit.id)


def _strokes(viewer: User, patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    kinds = catalogue()
    rows = ENTRIES.where(ChartEntry.patient_id == patient_id, ChartEntry.stroke.in_(ids)).order_by(ChartEntry.id)
    strokes = defaultdict(list)
    for entry in map(entry_of, db.session.execute(rows)):
        strokes[entry.stroke].append(entry)
    for stroke, entries in strokes.items():
        first, *others = (sentence(entry, numbering=viewer.numbering, kinds=kinds) for entry in entries)
        reasons = tuple(dict.fromkeys(f"Because: {entry.reason}" for entry in entries if entry.reason))
        yield stroke, Told(first, entries[0].entered_by, (*others, *reasons))


def _versions(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    columns = (ChartVersion.id, ChartVersion.number, ChartVersion.name, ChartVersion.why, User.name.label("author"))
    rows = select(*columns).join(User, User.id == ChartVersion.author_id).where(ChartVersion.id.in_(ids))
    for row in db.session.execute(rows):
        named = f"“{row.name}”" if row.name else row.why.value
        yield row.id, Told(f"Version {row.number} of the chart kept: {named}", row.author, number=row.number)


def _sent(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for sign_off in _sign_offs(ids):
        words = f"Version {sign_off.number} of the chart sent for approval"
        yield sign_off.id, Told(words, sign_off.asked, _quoted(sign_off.words), sign_off.number)


def _decided(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for sign_off in _sign_offs(ids):
        words = f"Version {sign_off.number} of the chart {sign_off.status.value}"
        yield sign_off.id, Told(words, sign_off.decided or "", _quoted(sign_off.reason), sign_off.number)


def _sign_offs(ids: Collection[int]) -> Iterable[Any]:
    asked, decided = aliased(User), aliased(User)
    columns = (SignOff.id, SignOff.words, SignOff.reason, SignOff.status, ChartVersion.number)
    return db.session.execute(
        select(*columns, asked.name.label("asked"), decided.name.label("decided"))
        .join(ChartVersion, ChartVersion.id == SignOff.chart_version_id)
        .join(asked, asked.id == SignOff.asked_by_id)
        .outerjoin(decided, decided.id == SignOff.decided_by_id)
        .where(SignOff.id.in_(ids))
    )


def _of_their_kind(at: Any, *conditions: Any) -> Callable[[User, int], Select[Any, Any]]:
    """Documents of the categories that the viewer is shown, that were whole once."""

    def rows(viewer: User, patient_id: int) -> Select[Any, Any]:
        shown = Document.category.in_(categories_of(viewer.role))
        return _happened(Document, at, Document.available_at.is_not(None), shown, *conditions)(viewer, patient_id)

    return rows


def _filed(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for document in _rows(Document, ids, Document.uploaded_by):
        newer = "Newer file of a" if document.replaces_id else "A"
        words = f"{newer} {document.projection or document.category.value} filed: {document.name}"
        gone = " (its bytes were purged)" if document.status is DocumentStatus.PURGED else ""
        yield document.id, Told(words + gone, document.uploaded_by.name, _quoted(document.description), document.id)


def _deleted(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for document in _rows(Document, ids, Document.deleted_by):
        by = document.deleted_by.name if document.deleted_by else ""
        yield document.id, Told(f"Document deleted: {document.name}", by, _quoted(document.why), document.id)


def _signed(viewer: User, patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for row in _signings(ids):
        text = said_in(row.signed)["text"]
        kind = "Addendum" if row.addendum_to_id else f"{row.type.value.replace('_', ' ').capitalize()} note"
        again = ", signed again" if row.number > 1 else ""
        yield row.id, Told(f"{kind}{again}: {_short(text)}", row.signed_by, number=row.note_id)


def _note_decided(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for row in _signings(ids):
        words = f"Note of {row.signed_by} {row.decision.value}"
        yield row.id, Told(words, row.decided_by or "", _quoted(row.reason), row.note_id)


def _signing_at(at: Any) -> Callable[[User, int], Select[Any, Any]]:
    def rows(_viewer: User, patient_id: int) -> Select[Any, Any]:
        of_patient = select(at.label("at"), NoteSigning.id.label("id")).join(Note, Note.id == NoteSigning.note_id)
        return of_patient.where(Note.patient_id == patient_id, at.is_not(None))

    return rows


def _signings(ids: Collection[int]) -> Iterable[Any]:
    signer, decider, signing = aliased(User), aliased(User), NoteSigning
    columns = (signing.id, signing.note_id, signing.number, signing.signed, signing.decision, signing.reason)
    return db.session.execute(
        select(
            *columns, Note.type, Note.addendum_to_id, signer.name.label("signed_by"), decider.name.label("decided_by")
        )
        .join(Note, Note.id == signing.note_id)
        .join(signer, signer.id == signing.signed_by_id)
        .outerjoin(decider, decider.id == signing.decided_by_id)
        .where(signing.id.in_(ids))
    )


def _fillings(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    columns = (Filling.id, Filling.number, HistoryForm.title, User.name)
    rows = select(*columns).join(HistoryForm, HistoryForm.id == Filling.form_id)
    for row in db.session.execute(rows.outerjoin(User, User.id == Filling.filled_by_id).where(Filling.id.in_(ids))):
        again = f" for the {ordinal(row.number)} time" if row.number > 1 else ""
        yield row.id, Told(f"{row.title} filled{again}", row.name or "the patient")


def _reviews(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for review in _rows(HistoryReview, ids, HistoryReview.reviewed_by):
        yield review.id, Told("History looked through, no change", review.reviewed_by.name)


def _problems(viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for problem in _rows(Problem, ids, Problem.noted_by):
        yield problem.id, Told(f"Problem: {_problem(problem, viewer)}", problem.noted_by.name)


def _problems_ended(viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for problem in _rows(Problem, ids, Problem.ended_by):
        what = "resolved" if problem.status is ProblemStatus.RESOLVED else "noted in error"
        words = f"Problem {what}: {_problem(problem, viewer)}"
        yield problem.id, Told(words, problem.ended_by.name if problem.ended_by else "", _quoted(problem.end_reason))


def _materials(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for use in _rows(MaterialUse, ids, MaterialUse.recorded_by):
        yield use.id, Told(f"Used {use.words}", use.recorded_by.name, number=use.visit_id)


def _materials_back(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for use in _rows(MaterialUse, ids, MaterialUse.taken_back_by):
        told = f"Not used, recorded by mistake: {use.words}"
        yield use.id, Told(told, use.taken_back_by.name, _quoted(use.reason), number=use.visit_id)


def _problem(problem: Problem, viewer: User) -> str:
    teeth = [shown(key, viewer.numbering) for key in problem.teeth.split()]
    return ", ".join([f"{problem.code} {problem.words}".strip(), *teeth])


def _case_log(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for row in _rows(CaseLog, ids, CaseLog.done_by, CaseLog.task, CaseLog.case):
        did = DID[row.act].format(f"“{row.task.title}”" if row.task else f"the case “{row.case.title}”")
        yield row.id, Told(f"{did[0].upper()}{did[1:]}", row.done_by.name, _quoted(_short(row.words)), row.case_id)


def _of_cases(_viewer: User, patient_id: int) -> Select[Any, Any]:
    """All that is more than a word between two people, or a student who began."""
    told = CaseLog.act.not_in((CaseAct.COMMENTED, CaseAct.BEGUN))
    rows = select(CaseLog.at.label("at"), CaseLog.id.label("id")).join(Case, Case.id == CaseLog.case_id)
    return rows.where(Case.patient_id == patient_id, told)


def _plans_sent(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for row in _estimates(ids):
        again = f", version {row.number}" if row.number > 1 else ""
        yield row.id, Told(f"Plan “{row.name}” sent as estimate {row.code}{again}", row.sent_by, number=row.plan_id)


def _plans_decided(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for row in _estimates(ids):
        count = len(row.approved.split())
        what = f"{number_of(count, 'option')} of " if count else ""
        words = f"{what}estimate {row.code}, “{row.name}”, {row.decision.value}"
        yield row.id, Told(words, row.decided_by or "", _quoted(row.reason), row.plan_id)


def _estimates(ids: Collection[int]) -> Iterable[Any]:
    sent, decided, estimate = aliased(User), aliased(User), Estimate
    columns = (estimate.id, estimate.plan_id, estimate.number, estimate.code, estimate.decision, estimate.approved)
    return db.session.execute(
        select(*columns, estimate.reason, Plan.name, sent.name.label("sent_by"), decided.name.label("decided_by"))
        .join(Plan, Plan.id == estimate.plan_id)
        .join(sent, sent.id == estimate.sent_by_id)
        .outerjoin(decided, decided.id == estimate.decided_by_id)
        .where(estimate.id.in_(ids))
    )


def _accepted(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    rows = select(
        Acceptance.id, Acceptance.signed_by, Plan.id.label("plan_id"), Plan.name, PlanOption.name.label("option")
    )
    found = rows.join(Plan, Plan.id == Acceptance.plan_id).join(PlanOption, PlanOption.id == Acceptance.option_id)
    for row in db.session.execute(found.where(Acceptance.id.in_(ids))):
        yield row.id, Told(f"Accepted of “{row.name}”: {row.option}", row.signed_by, number=row.plan_id)


def _prepared(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for gate in _rows(Gate, ids, Gate.prepared_by):
        words = f"Asked for approval to {gate.kind.value}"
        yield gate.id, Told(words, gate.prepared_by.name, _quoted(gate.words), gate.visit_id)


def _gate_decided(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    for gate in _rows(Gate, ids, Gate.decided_by):
        words = f"Approval to {gate.kind.value} {'given' if gate.status == 'approved' else gate.status.value}"
        yield gate.id, Told(words, gate.decided_by.name if gate.decided_by else "", _quoted(gate.reason), gate.visit_id)


def _alerts(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    alerts = list(_rows(Alert, ids))
    names = names_of(alert.created_by_id for alert in alerts)
    for alert in alerts:
        words = f"{alert.kind.value.capitalize()} recorded: {alert.label}"
        yield alert.id, Told(words, names.get(alert.created_by_id, ""), _quoted(alert.detail))


def _alerts_ended(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    alerts = list(_rows(Alert, ids))
    names = names_of(alert.ended_by_id for alert in alerts)
    for alert in alerts:
        words = f"{alert.kind.value.capitalize()} ended: {alert.label}"
        yield alert.id, Told(words, names.get(alert.ended_by_id, ""), _quoted(alert.end_reason))


def _given(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    assignments = list(_rows(Assignment, ids, Assignment.user))
    names = names_of(each.created_by_id for each in assignments)
    for each in assignments:
        words = f"{each.user.name} was given the patient, {each.kind.value}"
        yield each.id, Told(words, names.get(each.created_by_id, ""))


def _taken(_viewer: User, _patient_id: int, ids: Collection[int]) -> Iterable[tuple[int, Told]]:
    assignments = list(_rows(Assignment, ids, Assignment.user))
    names = names_of(each.ended_by_id for each in assignments)
    for each in assignments:
        words = f"{each.user.name} has the patient no longer, {each.kind.value}"
        yield each.id, Told(words, names.get(each.ended_by_id, ""), _quoted(each.end_reason))


def _ended_by_now(_viewer: User, patient_id: int) -> Select[Any, Any]:
    ended = Assignment.ends_at <= clock.now()
    return _happened(Assignment, Assignment.ends_at, ended)(_viewer, patient_id)


def _stroke_rows(_viewer: User, patient_id: int) -> Select[Any, Any]:
    at = func.min(ChartEntry.entered_at, type_=ChartEntry.entered_at.type)
    strokes = select(at.label("at"), ChartEntry.stroke.label("id")).where(ChartEntry.patient_id == patient_id)
    return strokes.group_by(ChartEntry.stroke)


def _quoted(text: str | None) -> tuple[str, ...]:
    return (text,) if text else ()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_WORDS else f"{line[: MOST_WORDS - 2].rstrip()} …"


# Whoever fills a form has looked it through: of that the filling tells.
BY_FILLING = (
    select(Filling.id)
    .where(
        Filling.id == HistoryReview.filling_id,
        Filling.at == HistoryReview.at,
        Filling.filled_by_id == HistoryReview.reviewed_by_id,
    )
    .exists()
)
KEPT_ALONE = ChartVersion.why != VersionReason.SENT  # what was sent is told as such
SOURCES = (  # at the same instant what is further down came later
    Source("team", "given", _happened(Assignment, Assignment.starts_at), _given),
    Source("team", "taken", _ended_by_now, _taken),
    Source("visits", "visit", _happened(Visit, Visit.starts_at), _visits),
    Source("alerts", "alert", _happened(Alert, Alert.created_at), _alerts),
    Source("alerts", "alert-ended", _happened(Alert, Alert.ended_at), _alerts_ended),
    Source("history", "filling", _happened(Filling, Filling.at), _fillings),
    Source("history", "review", _happened(HistoryReview, HistoryReview.at, ~BY_FILLING), _reviews),
    Source("approvals", "gate", _happened(Gate, Gate.prepared_at), _prepared),
    Source("chart", "stroke", _stroke_rows, _strokes),
    Source("chart", "version", _happened(ChartVersion, ChartVersion.at, KEPT_ALONE), _versions),
    Source("documents", "document", _of_their_kind(Document.available_at), _filed),
    Source("documents", "deleted", _of_their_kind(Document.deleted_at), _deleted),
    Source("problems", "problem", _happened(Problem, Problem.noted_at), _problems),
    Source("problems", "problem-ended", _happened(Problem, Problem.ended_at), _problems_ended),
    Source("cases", "case", _of_cases, _case_log),
    Source("plans", "plan-sent", _happened(Estimate, Estimate.sent_at), _plans_sent),
    Source("materials", "material", _happened(MaterialUse, MaterialUse.recorded_at), _materials),
    Source("materials", "material-back", _happened(MaterialUse, MaterialUse.taken_back_at), _materials_back),
    Source("notes", "note", _signing_at(NoteSigning.signed_at), _signed),
    Source("approvals", "sent", _happened(SignOff, SignOff.asked_at), _sent),
    Source("approvals", "decided", _happened(SignOff, SignOff.decided_at), _decided),
    Source("approvals", "note-decided", _signing_at(NoteSigning.decided_at), _note_decided),
    Source("approvals", "gate-decided", _happened(Gate, Gate.decided_at), _gate_decided),
    Source("plans", "plan-decided", _happened(Estimate, Estimate.decided_at), _plans_decided),
    Source("plans", "plan-accepted", _happened(Acceptance, Acceptance.accepted_at), _accepted),
)
