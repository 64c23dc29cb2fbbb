"""Patients as a viewer may find them: one, by what one types, or page by page."""

import re

from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased, selectinload

from clinic.days import NotADay, read_day
from clinic.extensions import db
from clinic.models import Alert, Patient, PatientToken, User
from clinic.models.patient import TOKEN_LENGTH
from clinic.queries.scope import seen_ids, sees_everyone, visible_patients
from clinic.text import ascii_digits, digits, fold, words

AFTER_ALL = "\U0010ffff"  # sorts behind every letter: `token < prefix + AFTER_ALL` ends a prefix's range
PHONE_TAIL = 8  # digits by which two ways to write a phone number (0..., +94...) are the same
MOST_WORDS = 6
RARE = 1000  # rows counted at most to tell the rarest of the words typed


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
    if code := re.fullmatch(r"(?:p-?)?(\d{1,4}(?:-\d{0,6})?)", text if not text.isdigit() else ""):
        year, _, rest = code[1].partition("-")
        ways += [(f"p-{code[1]}",)] + ([(f"p-{year}-{int(rest):05d}",)] if rest else [])
    if re.fullmatch(r"\d{4}-\d{0,2}(-\d{0,2})?", text):
        ways.append((text,))
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
    if re.fullmatch(r"p-[\d-]+|\d{4}-\d{2}(-\d{0,2})?", chunk):
        return [chunk]
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
    whole = _in_token_order(viewer, " ".join(prefixes)[:TOKEN_LENGTH], (), limit)
    if len(whole) >= limit:
        return whole
    rarest = min(zip(_counts(prefixes), prefixes, strict=True))[1]
    others = tuple(prefix for prefix in prefixes if prefix != rarest)
    return list(dict.fromkeys(whole + _in_token_order(viewer, rarest, others, limit)))


def _counts(prefixes: tuple[str, ...]) -> list[int]:
    """How many tokens begin so, counted up to `RARE` each."""
    counts = [
        select(func.count())
        .select_from(select(PatientToken.token).where(_begins(PatientToken.token, prefix)).limit(RARE).subquery())
        .scalar_subquery()
        for prefix in prefixes
    ]
    return list(db.session.execute(select(*counts)).one())


def _in_token_order(viewer: User, prefix: str, others: tuple[str, ...], limit: int) -> list[Patient]:
    """Patients with a token that begins with `prefix` and one for each of the others, in the order of that token."""
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
    viewer: User, prefix: str, others: tuple[str, ...], last: tuple[str, int] | None, ask: int
) -> Select[Patient, str]:
    found = select(PatientToken.token, PatientToken.patient_id).where(_begins(PatientToken.token, prefix))
    if last:
        token, patient_id = last
        found = found.where(
            PatientToken.token >= token,
            or_(PatientToken.token > token, PatientToken.patient_id > patient_id),
        )
    for other in others:
        more = aliased(PatientToken)
        found = found.where(
            select(literal(1))
            .select_from(more)
            .where(more.patient_id == PatientToken.patient_id, _begins(more.token, other))
            .exists()
        )
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
