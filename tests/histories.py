"""Histories for tests: whole answers to the shipped forms, and what was filled and looked through, past the operations."""

import hashlib
import json
from datetime import date, datetime

from clinic import clock
from clinic.canonical import canonical
from clinic.extensions import db
from clinic.history.form import form_from, shipped
from clinic.models import Filling, HistoryForm, HistoryReview, Patient, User
from clinic.operations.history import fill_by_patient, fill_history, hand_over

WELL = {
    "complaint": ["A tooth hurts"],
    "doctor": ["no"],
    "conditions": ["none of these"],
    "allergic": ["no"],
    "blood_thinners": ["no"],
    "bone_medicines": ["no"],
    "emergency_name": ["Sunil Perera"],
    "emergency_phone": ["071 555 0100"],
    "consent_students": ["yes"],
    "consent_record": ["yes"],
}
ORTHODONTIC = {"complaint": ["Crooked teeth"], "overjet": ["6"], "incisors": ["class I"], "iotn_dental": ["4"]}


def answered(**changes: str | list[str]) -> dict[str, list[str]]:
    """A whole medical history as a form sends it, with some answers changed; an empty one takes the answer away."""
    typed = WELL | {code: [said] if isinstance(said, str) else said for code, said in changes.items()}
    return {code: said for code, said in typed.items() if said and said != [""]}


def put_in(code: str = "medical") -> HistoryForm:
    """The row of a shipped form."""
    body = shipped(code)
    row = HistoryForm(
        code=code,
        number=1,
        title=form_from(body).title,
        body=body,
        sha256=hashlib.sha256(body.encode()).hexdigest(),
        published_at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    return row


def filled(
    form: HistoryForm, patient: Patient, by: User, *, number: int = 1, at: datetime | None = None, **changes: str
) -> Filling:
    """A filling as a row, without anything that follows from one."""
    answers = canonical({code: said[0] for code, said in answered(**changes).items()})
    row = Filling(
        patient_id=patient.id,
        form_id=form.id,
        code=form.code,
        number=number,
        answers=answers,
        sha256=hashlib.sha256((form.sha256 + answers).encode()).hexdigest(),
        filled_by_id=by.id,
        at=at or clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    return row


def looked_through(filling: Filling, by: User, day: date | None = None) -> HistoryReview:
    """A review as a row."""
    row = HistoryReview(
        filling_id=filling.id,
        patient_id=filling.patient_id,
        day=day or clock.today(),
        reviewed_by_id=by.id,
        at=clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    return row


def said_in(filling: Filling) -> dict[str, str | list[str]]:
    answers: dict[str, str | list[str]] = json.loads(filling.answers)
    return answers


def take_history(patient: Patient, by: User) -> Filling:
    """A patient's medical history by the operations: filled, filled again by the patient, who has a tablet for the orthodontic sheet."""
    raw = answered(complaint="Nothing hurts")
    filling = fill_history(patient, code="medical", number=1, raw=raw, seen=0, actor=by)
    kiosk, _token = hand_over(patient, code="medical", actor=by)
    fill_by_patient(kiosk.id, raw=raw)
    hand_over(patient, code="orthodontic", actor=by)
    return filling
