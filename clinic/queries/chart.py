"""A patient's chart: how it stands, how it stood, and its versions. The number of queries depends neither on entries nor on versions."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import aliased, contains_eager, defer, joinedload, selectinload

from clinic import clock
from clinic.chart import teeth
from clinic.chart.entry import Entry, teeth_of
from clinic.chart.kinds import BUILT_IN, Drawing, Kind, Status, own_kind
from clinic.chart.mouth import Mouth
from clinic.chart.versions import read_code
from clinic.chart.words import sentence
from clinic.extensions import db
from clinic.models import (
    Chart,
    ChartEntry,
    ChartVersion,
    OwnKind,
    Patient,
    SignOff,
    SignOffStatus,
    User,
    Visit,
    VisitStatus,
)
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import may_see, visible_patients

PERFORMER, AUTHOR = aliased(User), aliased(User)
NEWEST = Order((ChartVersion.number,), descending=True)
MOST_HISTORY = 200
MOST_MARKERS = 500


@dataclass(frozen=True)
class Charted:
    """A patient with their mouth, now or as it was after a stroke. `chart`: None while nothing was charted; the mouth is then the
    preset for the age."""

    patient: Patient
    chart: Chart | None
    mouth: Mouth
    stroke: int
    last_version: int = 0
    version_stroke: int = 0

    @property
    def initial(self) -> bool:
        """Whether the first charting is still under way: no version was cut yet."""
        return self.last_version == 0

    @property
    def changed_since_version(self) -> bool:
        return self.stroke > self.version_stroke


@dataclass(frozen=True)
class ChartNow(Charted):
    """And how it stands with the supervisors. `pending`: what waits for one. `approved`: the last approval, with its version.
    `changed_by`, `changed_at`: the last stroke, if it is not approved."""

    pending: SignOff | None = None
    approved: SignOff | None = None
    changed_by: str = ""
    changed_at: datetime | None = None

    @property
    def changed_since(self) -> bool:
        """Whether anything was written after the approved version; `changed_by` and `changed_at` say who wrote last, and when."""
        return self.approved is not None and self.stroke > self.approved.chart_version.stroke


def charted_for(viewer: User, patient_id: int) -> Charted | None:
    """A patient's mouth as it stands; None for a patient the viewer may not see. Four queries."""
    versions = select(func.max(ChartVersion.number), func.max(ChartVersion.stroke)).where(
        ChartVersion.patient_id == Patient.id
    )
    number, stroke = (versions.with_only_columns(each).scalar_subquery() for each in versions.selected_columns)
    found = db.session.execute(
        visible_patients(viewer)
        .add_columns(Chart, number, stroke)
        .outerjoin(Chart, Chart.patient_id == Patient.id)
        .where(Patient.id == patient_id)
        .options(selectinload(Patient.alerts))
    ).one_or_none()
    if found is None:
        return None
    patient, chart, number, stroke = found
    return Charted(patient, chart, _mouth(patient, chart), chart.stroke if chart else 0, number or 0, stroke or 0)


def chart_for(viewer: User, patient_id: int) -> ChartNow | None:
    """How a patient's chart stands, and with the supervisors; None for a patient the viewer may not see. Six queries at most."""
    found = charted_for(viewer, patient_id)
    if found is None:
        return None
    now = partial(ChartNow, **vars(found))
    if found.chart is None:
        return now()
    signed = _signed(patient_id) if found.last_version else []
    approved = next((each for each in signed if each.status is SignOffStatus.APPROVED), None)
    changed_by, changed_at = "", None
    if found.stroke > (approved.chart_version.stroke if approved else 0):
        last = select(User.name, ChartEntry.entered_at).join(User, User.id == ChartEntry.entered_by_id)
        newest = last.where(ChartEntry.patient_id == patient_id).order_by(ChartEntry.id.desc()).limit(1)
        changed_by, changed_at = db.session.execute(newest).one()
    return now(
        pending=next((each for each in signed if each.status is SignOffStatus.PENDING), None),
        approved=approved,
        changed_by=changed_by,
        changed_at=changed_at,
    )


def mouth_as_of(charted: Charted, at: datetime) -> Mouth:
    """How a chart stood at an instant, by what had been written by then. Of one that was asked for by somebody who may see it."""
    patient = charted.patient
    wrote = select(func.max(ChartEntry.stroke)).where(ChartEntry.patient_id == patient.id, ChartEntry.entered_at <= at)
    return _mouth(patient, charted.chart, upto=db.session.execute(wrote).scalar() or 0)


def mouth_of(patient_id: int, *, upto: int | None = None) -> Mouth:
    """The mouth as it stands, or stood after the stroke `upto`, for operations: nobody is asked whether they may see it."""
    patient = db.session.get_one(Patient, patient_id)
    return _mouth(patient, db.session.get(Chart, patient_id), upto=upto)


def entry_for(viewer: User, patient_id: int, entry_id: int) -> Entry | None:
    """One entry of a patient, whether it holds or not, with names."""
    rows = ENTRIES.where(
        ChartEntry.patient_id == patient_id, ChartEntry.id == entry_id, may_see(viewer, ChartEntry.patient_id)
    )
    found = db.session.execute(rows).one_or_none()
    return entry_of(found) if found is not None else None


def entries_of(patient_id: int, ids: Collection[int], numbering: str) -> dict[int, str]:
    """Entries of a patient in words, by their ids. Two queries. Of one that was asked for by somebody who may see it."""
    kinds = catalogue()
    rows = ENTRIES.where(ChartEntry.patient_id == patient_id, ChartEntry.id.in_(ids))
    found = [entry_of(row) for row in db.session.execute(rows)]
    return {entry.id: sentence(entry, numbering=numbering, kinds=kinds) for entry in found}


def history_of(viewer: User, patient_id: int, key: str) -> list[Entry]:
    """All that was ever said of a tooth or jaw, superseded and in error too, newest first; at most `MOST_HISTORY`. One query."""
    padded = " " + ChartEntry.teeth + " "
    rows = (
        ENTRIES.where(
            ChartEntry.patient_id == patient_id,
            may_see(viewer, ChartEntry.patient_id),
            or_(
                padded.contains(f" {key} ", autoescape=True),
                padded.contains(f" {key}:", autoescape=True),
                ChartEntry.jaw == key,
            ),
        )
        .order_by(ChartEntry.id.desc())
        .limit(MOST_HISTORY)
    )
    return [entry_of(row) for row in db.session.execute(rows)]


# --- versions ---------------------------------------------------------------------------------------------------------


def versions_of(
    viewer: User, patient_id: int, *, after: int | None = None, before: int | None = None, size: int = 50
) -> Page[ChartVersion]:
    """A page of a patient's versions, newest first, with author and sign-off, without their bodies. `after`, `before`: numbers."""
    versions = _versions().where(ChartVersion.patient_id == patient_id, may_see(viewer, ChartVersion.patient_id))
    return page_of(versions.options(defer(ChartVersion.body)), NEWEST, size=size, after=after, before=before)


def version_for(viewer: User, patient_id: int, number: int) -> ChartVersion | None:
    """One version by its number, with body, author and sign-off."""
    return db.session.execute(
        _versions().where(
            ChartVersion.patient_id == patient_id,
            ChartVersion.number == number,
            may_see(viewer, ChartVersion.patient_id),
        )
    ).scalar_one_or_none()


def version_by_code(viewer: User, code: str) -> ChartVersion | None:
    """The version whose print carries this check code, however it was typed, if the viewer may see its patient."""
    kept = read_code(code)
    found = _versions().where(ChartVersion.check_code == kept, may_see(viewer, ChartVersion.patient_id))
    return db.session.execute(found.order_by(ChartVersion.id).limit(1)).scalar_one_or_none()


def version_after(patient_id: int, number: int) -> ChartVersion | None:
    """The version that follows this number (0: the first), with body, author and sign-off; nobody is asked whether they may see it."""
    later = _versions().where(ChartVersion.patient_id == patient_id, ChartVersion.number > number)
    return db.session.execute(later.order_by(ChartVersion.number).limit(1)).scalar_one_or_none()


def approved_before(patient_id: int, number: int) -> ChartVersion | None:
    """The last approved version before one of this number, with its body."""
    return db.session.execute(
        _versions()
        .where(
            ChartVersion.patient_id == patient_id,
            ChartVersion.number < number,
            SignOff.status == SignOffStatus.APPROVED,
        )
        .order_by(ChartVersion.number.desc())
        .limit(1)
    ).scalar_one_or_none()


def last_version(patient_id: int) -> ChartVersion | None:
    """The newest version of a chart that the caller has locked."""
    newest = select(ChartVersion).where(ChartVersion.patient_id == patient_id).order_by(ChartVersion.number.desc())
    return db.session.execute(newest.limit(1).with_for_update(read=True)).scalar_one_or_none()


def stroke_of(patient_id: int) -> int:
    """The number of the last stroke; 0 while nothing was charted."""
    return db.session.scalar(select(Chart.stroke).where(Chart.patient_id == patient_id)) or 0


@dataclass(frozen=True)
class Marker:
    """Something on the track of time. `kind`: visit, version, approval."""

    at: datetime
    kind: str
    words: str
    number: int = 0  # of a version


def markers_of(viewer: User, patient_id: int) -> list[Marker]:
    """The visits, versions and approvals of a patient in the order of time; the last `MOST_MARKERS` of each. Two queries."""
    seen = may_see(viewer, Visit.patient_id)
    visits = (
        select(Visit.completed_at, Visit.reason)
        .where(Visit.patient_id == patient_id, Visit.status == VisitStatus.COMPLETED, seen)
        .order_by(Visit.completed_at.desc(), Visit.id.desc())
        .limit(MOST_MARKERS)
    )
    found = [Marker(at, "visit", reason) for at, reason in db.session.execute(visits) if at]
    versions = (
        _versions()
        .where(ChartVersion.patient_id == patient_id, may_see(viewer, ChartVersion.patient_id))
        .options(defer(ChartVersion.body))
        .order_by(ChartVersion.number.desc())
        .limit(MOST_MARKERS)
    )
    for version in db.session.execute(versions).scalars():
        found.append(Marker(version.at, "version", version.name or str(version.why), version.number))
        sign_off = version.sign_off
        if sign_off is not None and sign_off.status is SignOffStatus.APPROVED:
            found.append(Marker(sign_off.decided_at, "approval", sign_off.decided_by.name, version.number))
    return sorted(found, key=lambda marker: (marker.at, marker.number, marker.kind))


def _versions() -> Select[ChartVersion]:
    asked, decided = aliased(User), aliased(User)
    return (
        select(ChartVersion)
        .outerjoin(ChartVersion.sign_off)
        .outerjoin(SignOff.asked_by.of_type(asked))
        .outerjoin(SignOff.decided_by.of_type(decided))
        .options(
            joinedload(ChartVersion.author),
            contains_eager(ChartVersion.sign_off).contains_eager(SignOff.asked_by.of_type(asked)),
            contains_eager(ChartVersion.sign_off).contains_eager(SignOff.decided_by.of_type(decided)),
        )
    )


# --- kinds ------------------------------------------------------------------------------------------------------------


def own_kinds() -> dict[str, Kind]:
    """The clinic's own kinds by code, retired ones too. One query."""
    return {row.code: kind_of(row) for row in db.session.execute(select(OwnKind).order_by(OwnKind.id)).scalars()}


def catalogue() -> dict[str, Kind]:
    """Every kind by code: built in, then the clinic's own."""
    return {**BUILT_IN, **own_kinds()}


def kind_of(row: OwnKind) -> Kind:
    """The clinic's own kind as any other."""
    return own_kind(
        row.code,
        row.name,
        row.word,
        row.scope,
        is_treatment=row.is_treatment,
        drawing=Drawing(row.rule, row.pattern, row.letter, row.icon),
        own_id=row.id,
        retired=row.retired_at is not None,
    )


# --- how it is read ---------------------------------------------------------------------------------------------------


def preset(birth_date: date, today: date) -> tuple[teeth.Dentition, tuple[str, ...]]:
    """With which teeth a chart begins at an age, when nobody says otherwise."""
    years = teeth.years(birth_date, today)
    dentition = teeth.usual_dentition(years)
    return dentition, teeth.present_at(dentition, years)


def holding(patient_id: int, *, upto: int | None = None, shared: bool = False) -> list[Entry]:
    """The entries that hold, or held after the stroke `upto`, with names, in the order in which they came to be so. One query.

    The order is by the first row of its thread in which the entry had the status it has: a corrected detail, or something taken back
    and put back, stays in its place; what was planned and is now done comes where it was done. `shared`: as committed last, for whoever
    has the chart locked.
    """
    row, thread = ChartEntry, func.coalesce(ChartEntry.first_id, ChartEntry.id)
    of_patient = select(
        row.id,
        func.min(row.id).over(partition_by=(thread, row.status)).label("place"),
        func.max(row.id).over(partition_by=thread).label("last"),
    ).where(_written(patient_id, upto))
    threads = (of_patient.with_for_update(read=True) if shared else of_patient).subquery()
    rows = (
        ENTRIES.join(threads, and_(threads.c.id == row.id, threads.c.last == row.id))
        .where(row.status != Status.ENTERED_IN_ERROR)
        .order_by(threads.c.place)
    )
    return [entry_of(found) for found in db.session.execute(rows.with_for_update(read=True) if shared else rows)]


def last_of_threads(patient_id: int) -> dict[int, Entry]:
    """The last row of every thread, those in error too, by thread, as committed last. One query."""
    row, thread = ChartEntry, func.coalesce(ChartEntry.first_id, ChartEntry.id)
    last = select(func.max(row.id)).where(row.patient_id == patient_id).group_by(thread)
    rows = ENTRIES.where(row.id.in_(last.with_for_update(read=True))).order_by(row.id).with_for_update(read=True)
    return {entry.thread: entry for entry in (entry_of(found) for found in db.session.execute(rows))}


def rows_of(patient_id: int, condition: ColumnElement[bool]) -> list[Entry]:
    """The rows of a patient under a condition, with names, oldest first, as committed last. One query."""
    rows = ENTRIES.where(ChartEntry.patient_id == patient_id, condition).order_by(ChartEntry.id)
    return [entry_of(found) for found in db.session.execute(rows.with_for_update(read=True))]


def base_of(chart: Chart) -> tuple[str, ...]:
    return tuple(chart.base.split())


def _written(patient_id: int, upto: int | None) -> ColumnElement[bool]:
    of_patient = ChartEntry.patient_id == patient_id
    return of_patient if upto is None else and_(of_patient, ChartEntry.stroke <= upto)


def _mouth(patient: Patient, chart: Chart | None, *, upto: int | None = None) -> Mouth:
    kinds = catalogue()
    if chart is None:
        dentition, base = preset(patient.birth_date, clock.today())
        return Mouth(base, (), kinds, dentition)
    return Mouth(base_of(chart), tuple(holding(patient.id, upto=upto)), kinds, chart.dentition).checked()


SIGNED = (  # what is pending and what was approved last, with their versions but not the bodies
    select(SignOff)
    .join(SignOff.chart_version)
    .where(
        SignOff.patient_id == bindparam("patient"),
        SignOff.status.in_((SignOffStatus.PENDING, SignOffStatus.APPROVED)),
    )
    .options(
        contains_eager(SignOff.chart_version).defer(ChartVersion.body),
        joinedload(SignOff.asked_by),
        joinedload(SignOff.decided_by),
    )
    .order_by(case((SignOff.status == SignOffStatus.PENDING, 0), else_=1), ChartVersion.number.desc())
    .limit(2)  # one may be pending
)


def _signed(patient_id: int) -> list[SignOff]:
    return list(db.session.execute(SIGNED, {"patient": patient_id}).scalars())


COLUMNS: tuple[Any, ...] = (
    ChartEntry.id,
    ChartEntry.first_id,
    ChartEntry.stroke,
    ChartEntry.kind,
    ChartEntry.status,
    ChartEntry.teeth,
    ChartEntry.surfaces,
    ChartEntry.jaw,
    ChartEntry.details,
    ChartEntry.dated,
    ChartEntry.performer_id,
    ChartEntry.visit_id,
    ChartEntry.reason,
    ChartEntry.entered_at,
    ChartEntry.entered_by_id,
    PERFORMER.name.label("performer"),
    AUTHOR.name.label("author"),
)


ENTRIES = (
    select(*COLUMNS)
    .select_from(ChartEntry)
    .join(AUTHOR, AUTHOR.id == ChartEntry.entered_by_id)
    .outerjoin(PERFORMER, PERFORMER.id == ChartEntry.performer_id)
)


def entry_of(row: Any) -> Entry:
    """The entry of a row of `ENTRIES`."""
    return Entry(
        kind=row.kind,
        status=row.status,
        teeth=teeth_of(row.teeth),
        surfaces=row.surfaces,
        jaw=row.jaw,
        details=json.loads(row.details),
        dated=row.dated,
        performer_id=row.performer_id,
        performer=row.performer or "",
        visit_id=row.visit_id,
        reason=row.reason,
        id=row.id,
        thread=row.first_id or row.id,
        stroke=row.stroke,
        entered_by_id=row.entered_by_id,
        entered_by=row.author,
        entered_at=row.entered_at,
    )
