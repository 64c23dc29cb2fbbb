"""Patients as a viewer may find them: one, by what one types, or page by page."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased, joinedload, selectinload

from clinic import clock
from clinic.days import NotADay, read_day
from clinic.extensions import db
from clinic.models import (
    EXPECTED,
    Alert,
    Assignment,
    AuditEvent,
    Patient,
    PatientToken,
    QueueEntry,
    User,
    Visit,
)
from clinic.models.patient import TOKEN_LENGTH, WHOLE_NAME
from clinic.queries.paging import Order, Page, count_up_to, page_of
from clinic.queries.scope import is_running, seen_ids, sees_everyone, visible_patients
from clinic.text import ascii_digits, digits, fold, words

AFTER_ALL = "\U0010ffff"  # sorts behind every letter: `token < prefix + AFTER_ALL` ends a prefix's range
PHONE_TAIL = 8  # digits by which two ways to write a phone number (0..., +94...) are the same
MOST_WORDS = 6
LIKE_PHONE = 6  # digits from which a phone number tells people apart
MOST_VISITS = 10
COMMON = 20_000  # a beginning of so many tokens is counted no further


def patient_for(viewer: User, patient_id: int) -> Patient | None:
    """One patient with alerts, if the viewer may see them. Two queries."""
    return db.session.execute(
        visible_patients(viewer).where(Patient.id == patient_id).options(selectinload(Patient.alerts))
    ).scalar_one_or_none()


def active_alerts(patient: Patient) -> list[Alert]:
    """What to watch out for now, the most dangerous first."""
    return patient.active_alerts


def search_patients(viewer: User, text: str, limit: int = 20) -> list[Patient]:
    """At most `limit` patients who match all that was typed: words of the name, code, phone, birth date, or beginnings of them.

    Exact words come before longer ones. Archived patients are among them. At most three queries per way to read the text;
    each walks an index from its first match and stops at the limit.
    """
    found: dict[int, Patient] = {}
    for prefixes in readings(text):
        for patient in _matching(viewer, prefixes, limit):
            found.setdefault(patient.id, patient)
        if len(found) >= limit:
            break
    return list(found.values())[:limit]


def readings(text: str) -> list[tuple[str, ...]]:
    """The ways to read what was typed, likeliest first; each is the beginnings of tokens that must all match."""
    text = ascii_digits(fold(text))
    ways: list[tuple[str, ...]] = []
    number = digits(text)
    if code := re.fullmatch(r"(?:p-?)?(\d{1,4}(?:-\d{0,6})?)|\d{4}-\d{2}-\d{0,2}", text if not text.isdigit() else ""):
        ways.append((text if code[1] is None else code[1],))
        year, _, rest = (code[1] or "").partition("-")
        ways += [(f"{year}-{int(rest):05d}",)] if rest else []
    if (day := _day_or_none(text)) is not None:
        ways.append((day,))
    if number and re.fullmatch(r"[\d\s+()./-]+", text):
        ways.append((number if len(number) <= PHONE_TAIL else number[-PHONE_TAIL:],))
    elif day is None:
        ways.append(_longest_only([prefix for chunk in text.split() for prefix in _chunk(chunk)]))
    return list(dict.fromkeys(way for way in ways if way))


def _chunk(chunk: str) -> list[str]:
    """The tokens one typed word stands for."""
    if (day := _day_or_none(chunk)) is not None:
        return [day]
    if re.fullmatch(r"(p-)?\d{4}-[\d-]*", chunk):
        return [chunk.removeprefix("p-")]
    if chunk.startswith("+") and digits(chunk):
        return [digits(chunk)[-PHONE_TAIL:]]
    return words(chunk)


def _day_or_none(text: str) -> str | None:
    try:
        return read_day(text).isoformat()
    except NotADay:
        return None


def _longest_only(prefixes: list[str]) -> tuple[str, ...]:
    """Without those that another one implies, at most `MOST_WORDS`, as typed."""
    distinct = list(dict.fromkeys(prefix[:TOKEN_LENGTH] for prefix in prefixes))
    kept = [one for one in distinct if not any(other != one and other.startswith(one) for other in distinct)]
    return tuple(kept[:MOST_WORDS])


def _matching(viewer: User, prefixes: tuple[str, ...], limit: int) -> list[Patient]:
    if len(prefixes) == 1:
        return _in_token_order(viewer, prefixes[0], (), limit)
    whole = _in_token_order(viewer, (WHOLE_NAME + " ".join(prefixes))[:TOKEN_LENGTH], (), limit)
    if len(whole) >= limit:
        return whole
    if sees_everyone(viewer):
        counts = dict(zip(prefixes, _counts(prefixes), strict=True))
    else:  # their patients are few: look at each
        counts = {prefix: COMMON - len(prefix) for prefix in prefixes}
    rarest = min(prefixes, key=lambda prefix: counts[prefix])
    others = tuple((prefix, counts[prefix] >= COMMON) for prefix in prefixes if prefix != rarest)
    return list(dict.fromkeys(whole + _in_token_order(viewer, rarest, others, limit)))


def _counts(prefixes: tuple[str, ...]) -> list[int]:
    """How many tokens begin so, counted up to `COMMON` each."""
    counts = [
        select(func.count())
        .select_from(select(PatientToken.token).where(_begins(PatientToken.token, prefix)).limit(COMMON).subquery())
        .scalar_subquery()
        for prefix in prefixes
    ]
    return list(db.session.execute(select(*counts)).one())


def _in_token_order(viewer: User, prefix: str, others: tuple[tuple[str, bool], ...], limit: int) -> list[Patient]:
    """Patients with a token that begins with `prefix` and one for each of the others, in the order of that token.

    Each of the others says whether very many tokens begin so.
    """
    found: dict[int, Patient] = {}
    ask = limit + limit // 2
    last: tuple[str, int] | None = None
    while True:
        rows = db.session.execute(_token_statement(viewer, prefix, others, last, ask)).all()
        for patient, _token in rows:
            found.setdefault(patient.id, patient)
        if len(rows) < ask or len(found) >= limit:
            return list(found.values())[:limit]
        last = (rows[-1][1], rows[-1][0].id)  # one patient filled many rows: go on behind them


def _token_statement(
    viewer: User, prefix: str, others: tuple[tuple[str, bool], ...], last: tuple[str, int] | None, ask: int
) -> Select[Patient, str]:
    found = select(PatientToken.token, PatientToken.patient_id).where(_begins(PatientToken.token, prefix))
    if last:
        token, patient_id = last
        found = found.where(
            PatientToken.token >= token,
            or_(PatientToken.token > token, PatientToken.patient_id > patient_id),
        )
    for other, common in others:
        more = aliased(PatientToken)
        probe = select(literal(1)).where(more.patient_id == PatientToken.patient_id, _begins(more.token, other))
        # MariaDB answers EXISTS by collecting everyone with `other`: right for a few thousand, too slow for a common beginning, where
        # a scalar subquery makes it look row by row and stop at the limit, which comes soon as most rows match.
        found = found.where(probe.limit(1).scalar_subquery().is_not(None) if common else probe.exists())
    if not sees_everyone(viewer):
        seen = seen_ids(viewer)
        found = found.join(seen, seen.c.id == PatientToken.patient_id)
    hits = found.order_by(PatientToken.token, PatientToken.patient_id).limit(ask).subquery()
    return (
        select(Patient, hits.c.token)
        .join(hits, hits.c.patient_id == Patient.id)
        .order_by(hits.c.token, hits.c.patient_id)
    )


def _begins(token: InstrumentedAttribute[str], prefix: str) -> ColumnElement[bool]:
    """The token begins with this prefix, as a range of the index; what was typed is never a pattern."""
    return and_(token >= prefix, token < prefix + AFTER_ALL)


ORDERS = {
    "name": Order((Patient.sort_name, Patient.id)),
    "newest": Order((Patient.id,), descending=True),
    "archived": Order((Patient.archived_at, Patient.id), descending=True),
}


def patient_page(
    viewer: User, order: str = "name", *, after: int | None = None, before: int | None = None
) -> Page[Patient]:
    """Fifty of the patients the viewer may see. `order`: `name`, `newest`, or `archived` (the archived, last archived first)."""
    return page_of(_listed(viewer, order), ORDERS[order], after=after, before=before)


def patient_count(viewer: User, order: str = "name") -> int:
    """How many such patients there are, counted up to a thousand and one."""
    return count_up_to(_listed(viewer, order).with_only_columns(Patient.id))


def _listed(viewer: User, order: str) -> Select[Patient]:
    archived = Patient.archived_at.is_not(None) if order == "archived" else Patient.archived_at.is_(None)
    listed = select(Patient).where(archived)
    if not sees_everyone(viewer):
        seen = seen_ids(viewer)
        listed = listed.join(seen, seen.c.id == Patient.id)
    return listed


@dataclass(frozen=True)
class Alike:
    """A patient who may be the one being registered. `exact`: the same name and birth date."""

    patient: Patient
    same: tuple[str, ...]  # of "name", "birth date", "phone"

    @property
    def exact(self) -> bool:
        return "name" in self.same and "birth date" in self.same


def alike(viewer: User, *, name: str, birth_date: date | None, phone: str, limit: int = 5) -> list[Alike]:
    """Patients who share the name, the phone, or the birth date and the beginning of a name; the likeliest first. Three queries at most."""
    typed, number = words(name), digits(phone)
    whole = " ".join(typed)
    found: list[Patient] = []
    if birth_date and typed:
        found += _in_token_order(viewer, birth_date.isoformat(), ((typed[0], True),), 20)
    if len(whole) >= 3:
        found += _in_token_order(viewer, (WHOLE_NAME + whole)[:TOKEN_LENGTH], (), 20)
    if len(number) >= LIKE_PHONE:
        found += _in_token_order(viewer, number[-PHONE_TAIL:], (), 20)
    likely = [Alike(patient, _shared(patient, typed, birth_date, number)) for patient in dict.fromkeys(found)]
    return sorted((one for one in likely if one.same), key=lambda one: (not one.exact, -len(one.same)))[:limit]


def _shared(patient: Patient, typed: list[str], birth_date: date | None, number: str) -> tuple[str, ...]:
    name = " ".join(words(patient.name))
    shares = {
        "name": bool(typed) and (sorted(name.split()) == sorted(typed) or name.startswith(" ".join(typed))),
        "birth date": patient.birth_date == birth_date,
        "phone": len(number) >= LIKE_PHONE and digits(patient.phone)[-PHONE_TAIL:] == number[-PHONE_TAIL:],
    }
    return tuple(word for word, is_shared in shares.items() if is_shared)


def care_team(patient: Patient) -> list[Assignment]:
    """The running assignments of a patient, with their people; twenty at most."""
    return list(
        db.session.execute(
            select(Assignment)
            .where(Assignment.patient_id == patient.id, is_running())
            .options(joinedload(Assignment.user).joinedload(User.department))
            .order_by(Assignment.starts_at, Assignment.id)
            .limit(20)
        ).scalars()
    )


def visits_of(patient: Patient) -> tuple[list[Visit], list[Visit]]:
    """The visits still expected or under way from today on, soonest first; and those before, latest first. Ten of each at most."""
    today = clock.start_of(clock.today())
    coming = and_(Visit.starts_at >= today, Visit.status.in_(EXPECTED))
    of_patient = (
        select(Visit)
        .where(Visit.patient_id == patient.id)
        .options(joinedload(Visit.department), joinedload(Visit.student), joinedload(Visit.supervisor))
        .limit(MOST_VISITS)
    )
    upcoming = of_patient.where(coming).order_by(Visit.starts_at, Visit.id)
    past = of_patient.where(~coming).order_by(Visit.starts_at.desc(), Visit.id.desc())
    return list(db.session.execute(upcoming).scalars()), list(db.session.execute(past).scalars())


def presence_of(patient: Patient) -> QueueEntry | None:
    """The patient's open queue entry with its department, chair and visit, if they are in the clinic."""
    return db.session.execute(
        select(QueueEntry)
        .where(QueueEntry.open_patient_id == patient.id)
        .options(joinedload(QueueEntry.department), joinedload(QueueEntry.chair), joinedload(QueueEntry.visit))
    ).scalar_one_or_none()


def last_changes(patient_id: int, fields: Iterable[str]) -> dict[str, tuple[str, datetime]]:
    """Who last changed each of these fields, and when, as far as the patient's last thirty changes tell."""
    rows = db.session.execute(
        select(AuditEvent.after, AuditEvent.at, User.name)
        .join(User, User.id == AuditEvent.actor_id)
        .where(AuditEvent.patient_id == patient_id, AuditEvent.act.in_(("patient.change", "patient.register")))
        .order_by(AuditEvent.id.desc())
        .limit(30)
    ).all()
    return {
        field: next(
            ((name, at) for after, at, name in rows if f'"{field}":' in (after or "")), ("Someone", clock.now())
        )
        for field in fields
    }
