"""A patient's history: the clinic's forms, what was filled and what it says, who looked it through, and tablets that are out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import aliased, defer, joinedload

from clinic import clock
from clinic.extensions import db
from clinic.history.form import MEDICAL, SHIPPED, Answer, Form, form_from, shipped, watched
from clinic.models import Alert, Filling, HistoryForm, HistoryReview, Kiosk, Patient, User
from clinic.queries.paging import Order, Page, page_of
from clinic.queries.scope import may_see
from clinic.security import digest
from clinic.text import fold

NEWEST = Order((Filling.id,), descending=True)
SHOWN = 20  # of one page
MOST_FORMS = 100
MOST_FORMER = 50  # fillings, for what they said to be watched out for
MOST_TABLETS = 20


@dataclass(frozen=True)
class Told:
    """A filling, read."""

    filling: Filling
    form: Form
    answers: Mapping[str, Answer]


@dataclass(frozen=True)
class Standing:
    """How one form of a patient stands: its newest filling, if any, and who looked that through last."""

    code: str
    filling: Filling | None
    review: HistoryReview | None

    @property
    def is_reviewed_today(self) -> bool:
        return self.review is not None and self.review.day == clock.today()


def told(filling: Filling) -> Told:
    """What a filling says; its form must be loaded."""
    return Told(filling, form_from(filling.form.body), json.loads(filling.answers))


# --- the clinic's forms -----------------------------------------------------------------------------------------------


def forms_now() -> list[HistoryForm]:
    """Every form in its newest number, by title, those that are not in use any more too. What was never used has no id yet."""
    newest = select(func.max(HistoryForm.id)).group_by(HistoryForm.code)
    rows = db.session.execute(select(HistoryForm).where(HistoryForm.id.in_(newest)).limit(MOST_FORMS)).scalars()
    by_code = {code: _unused(code) for code in SHIPPED} | {row.code: row for row in rows}
    return sorted(by_code.values(), key=lambda row: (row.title, row.code))


def form_of(code: str) -> HistoryForm | None:
    """The newest number of a form; one that came with Chairside and was never used has no id yet."""
    newest = select(HistoryForm).where(HistoryForm.code == code).order_by(HistoryForm.number.desc()).limit(1)
    found = db.session.execute(newest).scalar_one_or_none()
    return found or (_unused(code) if code in SHIPPED else None)


def numbers_of(code: str, *, after: int | None = None, before: int | None = None) -> Page[HistoryForm]:
    """Every number of a form with who published it, newest first."""
    rows = select(HistoryForm).where(HistoryForm.code == code)
    order = Order((HistoryForm.id,), descending=True)
    rows = rows.options(joinedload(HistoryForm.published_by), defer(HistoryForm.body))
    return page_of(rows, order, size=SHOWN, after=after, before=before)


def form_numbered(code: str, number: int) -> HistoryForm | None:
    """One number of a form, with who published it."""
    found = select(HistoryForm).where(HistoryForm.code == code, HistoryForm.number == number)
    row = db.session.execute(found.options(joinedload(HistoryForm.published_by))).scalar_one_or_none()
    return row or (_unused(code) if code in SHIPPED and number == 1 else None)


def _unused(code: str) -> HistoryForm:
    """A form that came with Chairside as its row will be; never added to the session."""
    body = shipped(code)
    return HistoryForm(code=code, number=1, title=form_from(body).title, body=body)


# --- a patient's fillings ---------------------------------------------------------------------------------------------


def last_filling(patient_id: int, code: str) -> Filling | None:
    """The newest filling of a form, for operations: nobody is asked whether they may see it."""
    newest = select(Filling).where(Filling.patient_id == patient_id, Filling.code == code)
    return db.session.execute(newest.order_by(Filling.number.desc()).limit(1)).scalar_one_or_none()


def filling_for(viewer: User, patient_id: int, code: str, number: int | None = None) -> Filling | None:
    """One filling of a form, the newest by default, with its form and who filled it."""
    found = _visible(viewer, patient_id).where(Filling.code == code)
    if number is not None:
        found = found.where(Filling.number == number)
    return db.session.execute(found.order_by(Filling.number.desc()).limit(1)).scalar_one_or_none()


def fillings_of(
    viewer: User, patient_id: int, code: str, *, after: int | None = None, before: int | None = None
) -> Page[Filling]:
    """Every filling of a form, newest first, without its answers."""
    found = _visible(viewer, patient_id).where(Filling.code == code).options(defer(Filling.answers))
    return page_of(found, NEWEST, size=SHOWN, after=after, before=before)


def standings_of(viewer: User, patient_id: int) -> dict[str, Standing]:
    """How every form that was ever filled of a patient stands, by its code. Two queries."""
    return _standings(_visible(viewer, patient_id))


def reviewed_on(patient_id: int, day: date) -> HistoryReview | None:
    """Who looked the general medical history through with the patient on that day, the last of them, with their name; for a rule.

    Of the newest filling only: what was filled since then, on a tablet say, nobody has looked through.
    """
    newest = select(func.max(Filling.id)).where(Filling.patient_id == patient_id, Filling.code == MEDICAL)
    said = select(HistoryReview).where(HistoryReview.filling_id == newest.scalar_subquery(), HistoryReview.day == day)
    last = said.options(joinedload(HistoryReview.reviewed_by)).order_by(HistoryReview.id.desc()).limit(1)
    return db.session.execute(last).scalar_one_or_none()


def _standings(fillings: Select[Filling]) -> dict[str, Standing]:
    later = aliased(Filling)
    newer = select(later.id).where(
        later.patient_id == Filling.patient_id, later.code == Filling.code, later.number > Filling.number
    )
    newest = fillings.where(~newer.exists()).options(defer(Filling.answers)).limit(MOST_FORMS)
    rows = list(db.session.execute(newest).scalars())
    reviews = _last_reviews([row.id for row in rows])
    return {row.code: Standing(row.code, row, reviews.get(row.id)) for row in rows}


def _last_reviews(filling_ids: list[int]) -> dict[int, HistoryReview]:
    last = select(func.max(HistoryReview.id)).where(HistoryReview.filling_id.in_(filling_ids))
    rows = select(HistoryReview).where(HistoryReview.id.in_(last.group_by(HistoryReview.filling_id)))
    reviews = db.session.execute(rows.options(joinedload(HistoryReview.reviewed_by)).limit(MOST_FORMS)).scalars()
    return {review.filling_id: review for review in reviews}


def review_of(filling: Filling) -> HistoryReview | None:
    """Who looked a filling through last, with their name."""
    return _last_reviews([filling.id]).get(filling.id)


def unsaid_alerts(patient: Patient, newest: Told) -> list[Alert]:
    """Alerts in the banner that a former filling of the form said and the newest does not; `patient.alerts` must be loaded.

    They stand until somebody ends them. Of the last `MOST_FORMER` fillings; one query.
    """
    filling = newest.filling
    former = (
        select(HistoryForm.body, Filling.answers)
        .join(Filling.form)
        .where(Filling.patient_id == filling.patient_id, Filling.code == filling.code, Filling.number < filling.number)
    )
    rows = db.session.execute(former.order_by(Filling.number.desc()).limit(MOST_FORMER))
    said = {key for body, answers in rows for key in _watched_keys(form_from(body), json.loads(answers))}
    unsaid = said - _watched_keys(newest.form, newest.answers)
    return [alert for alert in patient.active_alerts if (str(alert.kind), fold(alert.label)) in unsaid]


def _watched_keys(form: Form, answers: Mapping[str, Answer]) -> set[tuple[str, str]]:
    return {(found.kind, fold(found.label)) for found in watched(form, answers)}


def _visible(viewer: User, patient_id: int) -> Select[Filling]:
    of_patient = select(Filling).where(Filling.patient_id == patient_id, may_see(viewer, Filling.patient_id))
    return of_patient.options(joinedload(Filling.form), joinedload(Filling.filled_by))


# --- tablets ----------------------------------------------------------------------------------------------------------


def kiosk_with(token: str) -> Kiosk | None:
    """The tablet of this token while it is out, with its form and patient."""
    found = select(Kiosk).where(Kiosk.token_hash == digest(token), _is_out())
    return db.session.execute(found.options(joinedload(Kiosk.form), joinedload(Kiosk.patient))).scalar_one_or_none()


def tablets_out(viewer: User, patient_id: int) -> list[Kiosk]:
    """Tablets that are in the patient's hands now, the latest first, with their forms and who handed them over."""
    out = select(Kiosk).where(Kiosk.patient_id == patient_id, _is_out(), may_see(viewer, Kiosk.patient_id))
    out = out.options(joinedload(Kiosk.form), joinedload(Kiosk.handed_by))
    return list(db.session.execute(out.order_by(Kiosk.id.desc()).limit(MOST_TABLETS)).scalars())


def tablet_for(viewer: User, patient_id: int, kiosk_id: int) -> Kiosk | None:
    """One tablet of a patient, out or not."""
    found = select(Kiosk).where(Kiosk.id == kiosk_id, Kiosk.patient_id == patient_id, may_see(viewer, Kiosk.patient_id))
    return db.session.execute(found).scalar_one_or_none()


def _is_out() -> ColumnElement[bool]:
    return and_(Kiosk.ended_at.is_(None), Kiosk.expires_at > clock.now())
