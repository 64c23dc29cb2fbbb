"""The trail as an administrator reads it: newest first, by what one looks for; who opened a patient; what a person opened.

Every list here takes the same time at a thousand events and at a million: pages are found by the number of the last event, and a
page that asks for several things at once looks through at most `LOOK` events, and says how far back it came.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, func, literal, or_, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, aliased

from clinic import clock
from clinic.extensions import db
from clinic.models import AuditArchive, AuditEvent, AuditHead, JobRun, Patient, PatientToken, Role, User
from clinic.queries.patients import AFTER_ALL, readings

PAGE = 50
LOOK = 10_000  # events that a page looks through at most
# An event bears the instant at which it was noted, and its number by when it was committed; a clock may be set right meanwhile.
SLACK = timedelta(days=1)
DAY = timedelta(days=1)
GROUPS = 200  # lines after which a page of days ends with the day
MOST_GROUPS = 500  # lines of one day
PEOPLE = 200
CHOICES = 20
VERIFY = "audit.verify"
VERIFY_JOB = "verify-audit"


@dataclass(frozen=True)
class Wanted:
    """What one looks for; all of it must hold. Days are the clinic's, both included. `role` "" is nobody signed in."""

    person_id: int | None = None
    patient_id: int | None = None
    acts: tuple[str, ...] = ()
    role: str | None = None
    address: str | None = None
    begin: date | None = None
    end: date | None = None


@dataclass(frozen=True)
class Stretch:
    """Some events, newest first, as rows of `TOLD` with `actor`, `patient`, `code` and `changes`.

    `older` is the number to go on before, None at the end. `looked_to` is given when the page is not full because it looked through as
    many events as it may: the instant it came back to.
    """

    events: list[Any]
    older: int | None
    looked_to: datetime | None = None


@dataclass(frozen=True)
class Opened:
    """What one person did about one patient on one day of the clinic (either may be nobody), with how often each act."""

    person_id: int | None
    person: str | None
    role: str
    patient_id: int | None
    patient: str | None
    code: str | None
    first: datetime
    last: datetime
    acts: dict[str, int]
    count: int
    denied: int


@dataclass(frozen=True)
class Day:
    """One day's lines, the latest act first; `more` lines are not shown; `cut`: how many of the day's events were looked
    through, when it has more; else 0."""

    day: date
    lines: list[Opened]
    more: int = 0
    cut: int = 0


@dataclass(frozen=True)
class Days:
    """Some days, the latest first, and the day before which the next page begins (None at the end)."""

    days: list[Day]
    until: date | None


@dataclass(frozen=True)
class Visitor:
    """One person among those who opened a patient, with the role they had when they last did."""

    person_id: int | None
    person: str | None
    role: str
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Verified:
    """A verification of the trail; `actor` None is the timer, `bad_event` the first bad one (0: none in particular), where known."""

    at: datetime
    actor: str | None
    sentence: str
    whole: bool
    bad_event: int | None


Rows: TypeAlias = Select[*tuple[Any, ...]]

NOTHING = Stretch([], None)
# What a list tells of an event: all but the texts of before and after, which may be long.
TOLD = (
    AuditEvent.id,
    AuditEvent.at,
    AuditEvent.actor_id,
    AuditEvent.role,
    AuditEvent.act,
    AuditEvent.patient_id,
    AuditEvent.sentence,
    AuditEvent.reason,
    AuditEvent.address,
    AuditEvent.device,
)


def is_denial(act: str) -> bool:
    """Whether an act tells of something refused (clinic/trail.py names what is)."""
    return act.startswith("access.") or act.endswith(".refused")


def trail(viewer: User, wanted: Wanted, *, before: int | None = None, size: int = PAGE) -> Stretch:
    """The newest events with what is wanted that are numbered below `before`; nothing for anyone but an administrator.

    At most three queries. A page may be short, or even empty, and yet have an `older` one.
    """
    return _stretch(viewer, wanted, before, size, _told())


def whole_events(viewer: User, wanted: Wanted, *, before: int, size: int) -> Stretch:
    """The same with everything an event says: rows of `event_for`."""
    return _stretch(viewer, wanted, before, size, _whole())


def _stretch(viewer: User, wanted: Wanted, before: int | None, size: int, rows: Rows) -> Stretch:
    if viewer.role is not Role.ADMIN:
        return NOTHING
    low, high = _span(wanted, before)
    index, floor = _window(wanted, low, high)
    rows = rows.where(*_conditions(wanted), *_between(max(low, floor), high))
    found = list(db.session.execute(_by(rows, index).order_by(AuditEvent.id.desc()).limit(size + 1)))
    if len(found) > size:
        return Stretch(found[:size], found[size - 1].id)
    if floor > low:
        looked_to = db.session.execute(select(AuditEvent.at).where(AuditEvent.id == floor)).scalar_one()
        return Stretch(found, floor, looked_to)
    return Stretch(found, None)


def event_for(viewer: User, event_id: int) -> Row[Any] | None:
    """Everything one event says, with the names of who and whom; None for anyone but an administrator."""
    if viewer.role is not Role.ADMIN:
        return None
    return db.session.execute(_whole().where(AuditEvent.id == event_id)).first()


def newest_event(viewer: User) -> int:
    """The number of the last event in the chain, 0 before the first."""
    if viewer.role is not Role.ADMIN:
        return 0
    return db.session.execute(select(AuditHead.seq).where(AuditHead.id == 1)).scalar_one()


def event_count(viewer: User, wanted: Wanted, *, before: int) -> int:
    """How many events with what is wanted are numbered below `before`. Looks at each: for an export, not for a page."""
    if viewer.role is not Role.ADMIN:
        return 0
    rows = select(func.count()).select_from(AuditEvent)
    rows = rows.where(*_conditions(wanted), *_between(*_span(wanted, before)))
    return db.session.execute(rows).scalar_one()


def archived_to(viewer: User) -> AuditArchive | None:
    """The newest stretch of the trail that was moved to the archive; None when there is none."""
    if viewer.role is not Role.ADMIN:
        return None
    return db.session.execute(select(AuditArchive).order_by(AuditArchive.last.desc()).limit(1)).scalar_one_or_none()


def verifications(viewer: User) -> list[Verified]:
    """The last verification that somebody asked for, and the last of the timer; those there have been, the later first. Two queries."""
    if viewer.role is not Role.ADMIN:
        return []
    asked = db.session.execute(_whole().where(AuditEvent.act == VERIFY).order_by(AuditEvent.id.desc()).limit(1)).first()
    runs = select(JobRun).where(JobRun.name == VERIFY_JOB, JobRun.ended_at.is_not(None)).order_by(JobRun.id.desc())
    run = db.session.execute(runs.limit(1)).scalar_one_or_none()
    found = [_asked_for(asked)] if asked else []
    if run and run.ended_at:
        found.append(
            Verified(run.ended_at, None, f"Verified the whole trail: {run.summary}", bool(run.succeeded), None)
        )
    return sorted(found, key=lambda verified: verified.at, reverse=True)


def _asked_for(event: Row[Any]) -> Verified:
    try:
        outcome = json.loads(event.after or "{}")
    except ValueError:  # somebody wrote into the table: this event is a bad one itself
        outcome = None
    said = outcome if isinstance(outcome, dict) else {}
    return Verified(event.at, event.actor, event.sentence, said.get("whole") is True, said.get("bad event"))


def acts_told(viewer: User) -> list[str]:
    """Every act there is in the trail, in order of name. On MariaDB one step of the index an act."""
    if viewer.role is not Role.ADMIN:
        return []
    return list(db.session.execute(select(AuditEvent.act).distinct().order_by(AuditEvent.act).limit(1000)).scalars())


def patients_named(viewer: User, text: str) -> list[Patient]:
    """At most twenty patients who match what was typed: code, beginnings of names, phone, birth date; for an administrator all count."""
    if viewer.role is not Role.ADMIN:
        return []
    for prefixes in readings(text):
        matches = [
            Patient.id.in_(
                select(PatientToken.patient_id).where(
                    PatientToken.token >= prefix, PatientToken.token < prefix + AFTER_ALL
                )
            )
            for prefix in prefixes
        ]
        found = select(Patient).where(*matches).order_by(Patient.sort_name, Patient.id).limit(CHOICES)
        if patients := list(db.session.execute(found).scalars()):
            return patients
    return []


def patient_told_of(viewer: User, patient_id: int) -> Patient | None:
    """A patient by id, for an administrator who reads what was done about them."""
    return db.session.get(Patient, patient_id) if viewer.role is Role.ADMIN else None


def visitors_of(viewer: User, patient_id: int) -> list[Visitor]:
    """Everybody who ever had to do with a patient, the latest first, two hundred at most. One query, of an index of its own."""
    if viewer.role is not Role.ADMIN:
        return []
    ids = AuditEvent.id
    grouped = select(
        AuditEvent.actor_id, func.count().label("events"), func.min(ids).label("first"), func.max(ids).label("last")
    ).where(AuditEvent.patient_id == patient_id)
    grouped = _by(grouped.group_by(AuditEvent.actor_id).order_by(func.max(ids).desc()).limit(PEOPLE), "opened")
    people, first, last = grouped.subquery(), aliased(AuditEvent), aliased(AuditEvent)
    rows = db.session.execute(
        select(people.c.actor_id, User.name, last.role, people.c.events, first.at.label("first"), last.at.label("last"))
        .join(first, first.id == people.c.first)
        .join(last, last.id == people.c.last)
        .outerjoin(User, User.id == people.c.actor_id)
        .order_by(people.c.last.desc())
    )
    return [Visitor(*row) for row in rows]


def days_of_patient(viewer: User, patient_id: int, *, until: date | None = None) -> Days:
    """Who opened a patient: a line for each person and day before `until`. Four queries at most."""
    return _days(viewer, AuditEvent.patient_id, patient_id, until)


def days_of_person(viewer: User, person_id: int, *, until: date | None = None) -> Days:
    """What a person opened: a line for each patient and day before `until`, and one for what was about no patient."""
    return _days(viewer, AuditEvent.actor_id, person_id, until)


def _days(viewer: User, column: InstrumentedAttribute[Any], value: int, until: date | None) -> Days:
    if viewer.role is not Role.ADMIN:
        return Days([], None)
    rows = db.session.execute(_newest(column, value, until).limit(LOOK + 1)).all()
    by_day: dict[date, dict[tuple[Any, ...], list[Any]]] = defaultdict(dict)
    zone = clock.zone()
    for row in rows:
        by_day[row.at.astimezone(zone).date()].setdefault((row.actor_id, row.role, row.patient_id), []).append(row)
    ordered, rest = sorted(by_day, reverse=True), len(rows) > LOOK
    if rest and len(ordered) > 1:
        del ordered[-1]  # its beginning was not reached
    shown, lines = list[date](), 0
    for day in ordered:
        if shown and lines + len(by_day[day]) > GROUPS:
            rest = True
            break
        shown.append(day)
        lines += len(by_day[day])
    kept = {day: list(by_day[day].items())[:MOST_GROUPS] for day in shown}
    names = _names([key for groups in kept.values() for key, _ in groups])
    days = [
        Day(
            day,
            [_opened(key, events, names) for key, events in kept[day]],
            more=len(by_day[day]) - len(kept[day]),
            cut=LOOK if rest and len(by_day) == 1 else 0,
        )
        for day in shown
    ]
    return Days(days, shown[-1] if shown and rest else None)


def _newest(column: InstrumentedAttribute[Any], value: int, until: date | None) -> Rows:
    """The events of one person or patient before a day, newest first: what their lines need."""
    rows = select(
        AuditEvent.id, AuditEvent.at, AuditEvent.actor_id, AuditEvent.role, AuditEvent.patient_id, AuditEvent.act
    ).where(column == value)
    if until is not None:
        rows = rows.where(AuditEvent.at < clock.start_of(until), *_between(*_span(Wanted(end=until - DAY), None)))
    return _by(rows, "patient" if column is AuditEvent.patient_id else "actor").order_by(AuditEvent.id.desc())


def _opened(key: tuple[Any, ...], events: list[Any], names: tuple[dict[int, str], dict[int, Any]]) -> Opened:
    (actor_id, role, patient_id), (people, patients) = key, names
    acts = Counter(event.act for event in events)
    patient = patients.get(patient_id)
    return Opened(
        person_id=actor_id,
        person=people.get(actor_id),
        role=role,
        patient_id=patient_id,
        patient=patient.name if patient else None,
        code=patient.code if patient else None,
        first=min(event.at for event in events),
        last=max(event.at for event in events),
        acts=dict(acts.most_common()),
        count=len(events),
        denied=sum(count for act, count in acts.items() if is_denial(act)),
    )


def _names(keys: Iterable[tuple[Any, ...]]) -> tuple[dict[int, str], dict[int, Any]]:
    """Names of people, and names and codes of patients, by id."""
    people = {key[0] for key in keys} - {None}
    patients = {key[2] for key in keys} - {None}
    named = db.session.execute(select(User.id, User.name).where(User.id.in_(people))).all() if people else []
    coded = (
        db.session.execute(select(Patient.id, Patient.name, Patient.code).where(Patient.id.in_(patients))).all()
        if patients
        else []
    )
    return {row.id: row.name for row in named}, {row.id: row for row in coded}


def _told() -> Rows:
    """Events with the names of who and whom, as they are today, and whether they say what was before or after (`changes`)."""
    return (
        select(
            *TOLD,
            or_(AuditEvent.before.is_not(None), AuditEvent.after.is_not(None)).label("changes"),
            User.name.label("actor"),
            Patient.name.label("patient"),
            Patient.code,
        )
        .outerjoin(User, User.id == AuditEvent.actor_id)
        .outerjoin(Patient, Patient.id == AuditEvent.patient_id)
    )


def _whole() -> Rows:
    return _told().add_columns(AuditEvent.subject, AuditEvent.before, AuditEvent.after, AuditEvent.mac)


def _span(wanted: Wanted, before: int | None) -> tuple[int, int | None]:
    """Numbers [low, high) between which every event of the days wanted lies; `high` None is no bound. The condition on the instant
    itself stays."""
    if wanted.begin is None and wanted.end is None:
        return 0, before
    low = _last_before(clock.start_of(wanted.begin)) if wanted.begin else literal(0)
    high = _first_after(clock.start_of(wanted.end + DAY)) if wanted.end else literal(None)
    below, above = db.session.execute(select(low, high)).one()
    return (below or -1) + 1, min((edge for edge in (above, before) if edge is not None), default=None)


def _last_before(edge: datetime) -> ScalarSelect[int]:
    """The number of an event that was noted so long before an instant that all events from the instant on have higher numbers."""
    earlier = select(AuditEvent.id).where(AuditEvent.at < edge - SLACK)
    return earlier.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(1).scalar_subquery()


def _first_after(edge: datetime) -> ScalarSelect[int]:
    """The number of an event that was noted so long after an instant that all events before the instant have lower numbers."""
    later = select(AuditEvent.id).where(AuditEvent.at >= edge + SLACK)
    return later.order_by(AuditEvent.at, AuditEvent.id).limit(1).scalar_subquery()


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [or_(*branches) for branches in _drivers(wanted).values()]
    if wanted.begin is not None:
        conditions.append(AuditEvent.at >= clock.start_of(wanted.begin))
    if wanted.end is not None:
        conditions.append(AuditEvent.at < clock.start_of(wanted.end + DAY))
    return conditions


def _drivers(wanted: Wanted) -> dict[str, list[ColumnElement[bool]]]:
    """By the index that serves it, each thing wanted, as equalities of which one must hold."""
    columns = {
        "patient": (AuditEvent.patient_id, wanted.patient_id),
        "actor": (AuditEvent.actor_id, wanted.person_id),
        "address": (AuditEvent.address, wanted.address),
        "role": (AuditEvent.role, wanted.role),
    }
    drivers = {name: [column == value] for name, (column, value) in columns.items() if value is not None}
    return drivers | ({"act": [AuditEvent.act == act for act in wanted.acts]} if wanted.acts else {})


def _window(wanted: Wanted, low: int, high: int | None) -> tuple[str | None, int]:
    """The index to walk, and the number below which this page does not look: of all indexes, the one that reaches furthest back."""
    drivers = _drivers(wanted)
    if not drivers:
        return None, 0
    if len(drivers) == 1 and all(len(branches) == 1 for branches in drivers.values()):
        return next(iter(drivers)), 0  # every event on the way is one that is wanted
    edges = []
    for name, branches in drivers.items():
        for branch in branches:
            ids = _by(select(AuditEvent.id).where(branch, *_between(low, high)), name)
            edge = ids.order_by(AuditEvent.id.desc()).limit(1).offset(LOOK // len(branches)).subquery()
            edges.append(select(literal(name).label("name"), edge.c.id))
    floors = dict.fromkeys(drivers, 0)
    for name, floor in db.session.execute(union_all(*edges)):
        floors[name] = max(floors[name], floor)
    best = min(drivers, key=lambda name: floors[name])
    return best, floors[best]


def _between(low: int, high: int | None) -> list[ColumnElement[bool]]:
    """Numbers from `low` on and below `high`."""
    edges = [AuditEvent.id >= low] if low else []
    return edges + ([AuditEvent.id < high] if high is not None else [])


def _by(rows: Rows, index: str | None) -> Rows:
    """Walk this index: MariaDB would at times rather walk the whole table backwards and hope."""
    if index is None:
        return rows
    hint = f"FORCE INDEX (ix_audit_event_{index})"
    return rows.with_hint(AuditEvent, hint, "mariadb").with_hint(AuditEvent, hint, "mysql")
