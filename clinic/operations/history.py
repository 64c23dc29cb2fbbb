"""The history of a patient: filling its forms, looking them through, handing a tablet to the patient; and the clinic's forms.

Locks: the patient, then the tablet. Fillings are only added; what they say to be watched out for comes into the banner with them.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, security, settings
from clinic.canonical import canonical, digest
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import when
from clinic.history.form import MEDICAL, Answer, NoForm, form_from, read_answers, shipped, watched
from clinic.models import (
    Alert,
    AlertKind,
    Filling,
    HistoryForm,
    HistoryReview,
    Kiosk,
    Patient,
    Role,
    Severity,
    User,
    Visit,
    VisitStatus,
)
from clinic.operations import throttle
from clinic.operations.alerts import add_alert
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries.history import form_of, last_filling
from clinic.text import fold

ON_A_TABLET = "The patient wrote this on a tablet."
CLOSED = "This form is closed. Please give the tablet back."


class NotAnswered(DomainError):
    """The answers cannot be kept as they are. `wrong`: why, by the code of the question."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__("Some answers are missing or cannot be read. They are marked below.")
        self.wrong = wrong


def fill_history(
    patient: Patient, *, code: str, number: int, raw: Mapping[str, Sequence[str]], seen: int, actor: User
) -> Filling:
    """Keep a form as a clinician filled it, who has thereby looked it through; what is to be watched out for comes into the banner.

    `number`: of the form that the page showed; `seen`: of the filling that it began with, 0 for none. Raises NotAnswered; Conflict when
    somebody filled it meanwhile, or the form itself was changed.
    """
    patient = _locked_patient(patient)
    form = _form_in_use(code)
    former = last_filling(patient.id, code)
    if former and former.number != seen:
        raise Conflict(f"{_who(former)} filled this form on {when(former.at)}, after you opened it. Nothing is lost.")
    if form.number != number or (seen and not former):
        raise Conflict(
            "The form itself was changed after you opened it. What you wrote is below, on the form as it is now."
        )
    answers, said = _answers(form, raw, former, for_supervisor=actor.role is Role.SUPERVISOR)
    filling = _filled(patient, form, answers, former, visit_id=_visit_now(patient), actor=actor)
    _reviewed(filling, actor, filling.at)
    _into_banner(patient, form, said, actor)
    return filling


def review_history(patient: Patient, *, code: str, number: int, actor: User) -> HistoryReview:
    """The newest filling was looked through with the patient today, and nothing has changed. Said twice, it is said once.

    `number`: of the filling that the page showed.
    """
    patient = _locked_patient(patient)
    filling = last_filling(patient.id, code)
    if filling is None or filling.number != number:
        raise Conflict("The form was filled anew since you opened it. Look that through first.")
    said = select(HistoryReview).where(
        HistoryReview.filling_id == filling.id,
        HistoryReview.day == clock.today(),
        HistoryReview.reviewed_by_id == actor.id,
    )
    if (there := db.session.execute(said).scalar_one_or_none()) is not None:
        return there
    review = _reviewed(filling, actor, clock.now())
    audit.record(
        "history.review",
        f"Looked through “{_title(filling)}” of {patient.name}, {patient.code}: no change",
        actor=actor,
        subject=filling,
        patient=patient,
    )
    return review


def hand_over(patient: Patient, *, code: str, actor: User) -> tuple[Kiosk, str]:
    """Let the patient fill a form on a tablet: the row, and the token that its address carries. One tablet for a form at a time."""
    patient = _locked_patient(patient)
    form = _form_in_use(code)
    at, token = clock.now(), secrets.token_urlsafe(24)
    out = select(Kiosk).join(Kiosk.form).where(Kiosk.patient_id == patient.id, Kiosk.ended_at.is_(None))
    for former in db.session.execute(out.where(HistoryForm.code == code).with_for_update(of=Kiosk)).scalars():
        former.ended_at = at
    kiosk = Kiosk(
        token_hash=security.digest(token),
        patient_id=patient.id,
        form_id=form.id,
        visit_id=_visit_now(patient),
        handed_by_id=actor.id,
        handed_at=at,
        expires_at=at + timedelta(minutes=settings.read("kiosk_minutes")),
    )
    db.session.add(kiosk)
    db.session.flush()
    audit.record(
        "history.hand_over",
        f"Handed a tablet with “{form.title}” to {patient.name}, {patient.code}",
        actor=actor,
        subject=kiosk,
        patient=patient,
    )
    return kiosk, token


def take_back(patient: Patient, *, kiosk_id: int, actor: User) -> Kiosk:
    """The tablet is with the clinic again: its address opens nothing more. Done twice, or after the patient sent it, nothing happens."""
    patient = locked(Patient, patient.id)
    kiosk = locked(Kiosk, kiosk_id)
    if kiosk.ended_at is None and kiosk.patient_id == patient.id:
        kiosk.ended_at = clock.now()
        db.session.flush()
        audit.record(
            "history.take_back",
            f"Took the tablet back from {patient.name}, {patient.code}",
            actor=actor,
            subject=kiosk,
            patient=patient,
        )
    return kiosk


def fill_by_patient(kiosk_id: int, *, raw: Mapping[str, Sequence[str]]) -> Filling:
    """What the patient sent from the tablet, once. Raises NotAnswered; Conflict when the tablet is not out any more.

    Nobody has looked it through yet; whoever handed the tablet over is told.
    """
    patient = locked(Patient, db.session.get_one(Kiosk, kiosk_id).patient_id)
    kiosk = locked(Kiosk, kiosk_id)
    if kiosk.ended_at is not None or kiosk.expires_at <= clock.now() or patient.archived_at:
        raise Conflict(CLOSED)
    form = db.session.get_one(HistoryForm, kiosk.form_id)
    former = last_filling(patient.id, form.code)
    answers, said = _answers(form, raw, former, for_supervisor=False)
    kiosk.ended_at = clock.now()
    handed_by = db.session.get_one(User, kiosk.handed_by_id)
    filling = _filled(patient, form, answers, former, visit_id=kiosk.visit_id, actor=None, kiosk=kiosk)
    _into_banner(patient, form, said, handed_by, detail=ON_A_TABLET)
    tell(
        handed_by.id,
        f"{patient.name} has filled “{form.title}”. Look it through with them.",
        kind="history.filled",
        url=f"/patients/{patient.id}/history/{form.code}",
        patient_id=patient.id,
    )
    return filling


def count_wrong_token() -> None:
    """Count a try to send a form to an address that is none; commit it. Raises TooManyTries."""
    throttle.count(throttle.bucket("tablet", throttle.network(audit.origin.get().address)))


# --- the clinic's forms -----------------------------------------------------------------------------------------------


def publish_form(*, code: str | None, body: str, seen: int, actor: User) -> HistoryForm:
    """A form as the clinic wants it from now on: the next number, or number 1 of a new one. Every filling stays with its own.

    `code`: of the form that is changed, None for a new one; `seen`: its newest number when the page was opened. Raises DomainError when
    the body is no form.
    """
    try:
        form, plain = form_from(body), canonical(json.loads(body))
    except NoForm as error:
        raise DomainError(str(error)) from None
    if form.code != (code or form.code):
        raise DomainError(
            f"The form's code is “{form.code}” here. It stays “{code}”: by it the former fillings are found."
        )
    if form.code == MEDICAL and not form.in_use:
        raise DomainError("The medical history stays in use: it is looked through before any treatment starts.")
    code = form.code
    former = form_of(code)
    if former is not None and former.id is None:
        former = _in_table(code)
    if (former.number if former else 0) != seen:
        raise Conflict(_meanwhile(former, seen))
    if former is not None and former.body == plain:
        return former
    if not _put(code=code, number=seen + 1, title=form.title, body=plain, published_by_id=actor.id):
        raise Conflict(_meanwhile(form_of(code), seen))
    made = form_of(code)
    assert made is not None
    audit.record(
        "history.publish", f"Published the form “{form.title}”: number {made.number}", actor=actor, subject=made
    )
    return made


def _meanwhile(newest: HistoryForm | None, seen: int) -> str:
    if newest is None or not seen:
        return "There is a form with this code already. Choose another code, or change that form."
    who = db.session.get_one(User, newest.published_by_id).name if newest.published_by_id else "Somebody"
    return (
        f"{who} published number {newest.number} on {when(newest.published_at)}, after you opened this. Both are below."
    )


def _form_in_use(code: str) -> HistoryForm:
    form = form_of(code)
    if form is None or not form_from(form.body).in_use:
        raise DomainError("This form is not in use any more. Choose another from the list.")
    return form if form.id is not None else _in_table(code)


def _in_table(code: str) -> HistoryForm:
    """The row of a form that came with Chairside, put there when it is first wanted; perhaps by somebody else at the same moment."""
    body = shipped(code)
    _put(code=code, number=1, title=form_from(body).title, body=body, published_by_id=None)
    found = form_of(code)
    assert found is not None
    return found


def _put(*, body: str, **values: str | int | None) -> bool:
    """Add a number of a form; False when somebody else has, at the same moment."""
    row = values | {"body": body, "sha256": digest(body), "published_at": clock.now()}
    try:
        # In no savepoint: a deadlock must come out as one, so that the act is redone.
        db.session.execute(insert(HistoryForm.__table__).values(row))  # type: ignore[arg-type]
    except IntegrityError:
        return False
    return True


# --- parts ------------------------------------------------------------------------------------------------------------


def _answers(
    form: HistoryForm, raw: Mapping[str, Sequence[str]], former: Filling | None, *, for_supervisor: bool
) -> tuple[dict[str, Answer], dict[str, Answer]]:
    """All answers, and those that were given now: what only supervisors answer may have stayed from before."""
    asked = form_from(form.body)
    kept = json.loads(former.answers) if former else {}
    answers, wrong = read_answers(asked, raw, for_supervisor=for_supervisor, former=kept)
    if wrong:
        raise NotAnswered(wrong)
    stayed = {item.code for item in asked.items if item.supervisors_only and not for_supervisor}
    return answers, {code: said for code, said in answers.items() if code not in stayed}


def _filled(
    patient: Patient,
    form: HistoryForm,
    answers: dict[str, Answer],
    former: Filling | None,
    *,
    visit_id: int | None,
    actor: User | None,
    kiosk: Kiosk | None = None,
) -> Filling:
    body = canonical(answers)
    filling = Filling(
        patient_id=patient.id,
        form_id=form.id,
        code=form.code,
        number=former.number + 1 if former else 1,
        visit_id=visit_id,
        answers=body,
        sha256=digest(form.sha256 + body),
        filled_by_id=actor.id if actor else None,
        kiosk_id=kiosk.id if kiosk else None,
        at=clock.now(),
    )
    db.session.add(filling)
    db.session.flush()
    audit.record(
        "history.fill",
        f"{'Filled' if actor else 'The patient filled'} “{form.title}” of {patient.name}, {patient.code}: number {filling.number}",
        actor=actor,
        subject=filling,
        patient=patient,
        after={"number": filling.number, "form": form.number, "sha256": filling.sha256},
    )
    return filling


def _reviewed(filling: Filling, actor: User, at: datetime) -> HistoryReview:
    """`at`: the filling's own instant when it was looked through by being filled."""
    review = HistoryReview(
        filling_id=filling.id,
        patient_id=filling.patient_id,
        visit_id=_visit_now(filling),
        day=clock.today(),
        reviewed_by_id=actor.id,
        at=at,
    )
    db.session.add(review)
    db.session.flush()
    return review


def _into_banner(
    patient: Patient, form: HistoryForm, said: Mapping[str, Answer], actor: User, *, detail: str = ""
) -> None:
    """Whatever stands there already stays as it is."""
    standing = select(Alert.kind, Alert.label).where(Alert.patient_id == patient.id, Alert.ended_at.is_(None))
    there = {(kind, fold(label)) for kind, label in db.session.execute(standing)}
    for found in watched(form_from(form.body), said):
        kind, key = AlertKind(found.kind), fold(found.label)
        if (kind, key) in there:
            continue
        there.add((kind, key))
        add_alert(
            patient,
            kind=kind,
            severity=Severity(found.severity),
            label=found.label,
            detail=found.detail or detail,
            actor=actor,
        )


def _locked_patient(patient: Patient) -> Patient:
    patient = locked(Patient, patient.id)
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to change it.")
    return patient


def _visit_now(of: Patient | Filling) -> int | None:
    """The visit for which the patient is here now."""
    patient_id = of.id if isinstance(of, Patient) else of.patient_id
    here = select(Visit.id).where(Visit.patient_id == patient_id, Visit.status == VisitStatus.ARRIVED)
    return db.session.execute(here.order_by(Visit.id.desc()).limit(1)).scalar_one_or_none()


def _title(filling: Filling) -> str:
    return db.session.get_one(HistoryForm, filling.form_id).title


def _who(filling: Filling) -> str:
    return db.session.get_one(User, filling.filled_by_id).name if filling.filled_by_id else "The patient"
