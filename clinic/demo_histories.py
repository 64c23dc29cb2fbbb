"""Believable histories for the demo clinic: taken at a first visit, looked through or taken anew at later ones, and today by some.

What an answer says to be watched out for stands in the banner from then on, as when it is filled by hand. Rows come out for a bulk
insert; the same seed makes the same histories.
"""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select

from clinic import clock
from clinic.canonical import canonical, digest
from clinic.extensions import db
from clinic.history.form import SHIPPED, Answer, Form, form_from, read_answers, shipped, watched
from clinic.models import Alert, Base, Department, Filling, HistoryForm, HistoryReview, Patient, Visit, VisitStatus
from clinic.text import fold

SHARE = 0.8  # of the patients who have been here
MOST = 3000  # patients of one clinic; each with a few fillings of some kilobytes
MOST_VISITS = 5  # of one history
HERE = (VisitStatus.COMPLETED, VisitStatus.ARRIVED)
COMPLAINTS = (
    "A tooth at the back hurts when I drink something cold",
    "My gums bleed when I brush",
    "I would like my teeth looked at",
    "A filling has come out",
    "I cannot chew on the left",
)
RELATIONS = ("husband", "wife", "mother", "brother", "daughter", "friend")
CONDITIONS = ("high blood pressure", "diabetes", "asthma", "thyroid disease", "heart attack or angina")
ALLERGIES = ("penicillin", "latex", "aspirin or ibuprofen", "nickel or other metals")
MEDICINES = ("Metformin 500 mg, twice a day", "Losartan 50 mg in the morning", "Salbutamol inhaler when needed")

Row = tuple[type[Base], dict[str, Any]]
Said = dict[str, str | list[str]]


def rows(seed: int, new_id: Callable[[str], int], at: datetime) -> Iterator[Row]:
    """The rows of all histories, parents before children."""
    dice = random.Random(f"{seed}-histories")
    forms = {code: form_from(shipped(code)) for code in SHIPPED}
    ids = {code: new_id("history_form") for code in SHIPPED}
    for code in SHIPPED:
        yield HistoryForm, _form_row(ids[code], forms[code], at - timedelta(days=3650))
    orthodontics = db.session.scalar(select(Department.id).where(Department.name == "Orthodontics"))
    there = _banners()
    for patient, visits in _chosen(dice):
        said = _medical(dice, patient, visits[0])
        number, filling = 0, dict[str, Any]()
        for before, visit in zip([None, *visits], visits, strict=False):
            if number and dice.random() < 0.25:
                said = said | {"complaint": dice.choice(COMPLAINTS), "pain": str(dice.randrange(9))}
            elif number:
                seen = visit.status is VisitStatus.COMPLETED or dice.random() < 0.5
                if seen and _is_later(visit, before):
                    yield HistoryReview, _review(new_id("history_review"), filling, visit, _began(visit))
                continue
            number += 1
            filling = _filling(new_id("filling"), ids["medical"], forms["medical"], said, visit, number)
            yield Filling, filling
            yield HistoryReview, _review(new_id("history_review"), filling, visit, filling["at"])
            yield from _alerts(there, forms["medical"], said, filling, new_id)
        if visits[0].department_id == orthodontics:
            sheet = _filling(
                new_id("filling"), ids["orthodontic"], forms["orthodontic"], _orthodontic(dice), visits[0], 1
            )
            yield Filling, sheet
            yield HistoryReview, _review(new_id("history_review"), sheet, visits[0], sheet["at"])


def _chosen(dice: random.Random) -> Iterator[tuple[Patient, list[Visit]]]:
    """The patients who get a history, with the visits at which it is taken, oldest first."""
    found = db.session.execute(
        select(Visit, Patient)
        .join(Patient, Patient.id == Visit.patient_id)
        .where(
            Visit.patient_id <= MOST * 2,
            Visit.status.in_(HERE),
            Visit.student_id.is_not(None),
            Patient.archived_at.is_(None),
        )
        .order_by(Visit.patient_id, Visit.starts_at, Visit.id)
    ).all()
    count = 0
    for _patient_id, group in groupby(found, key=lambda row: row[0].patient_id):
        together = list(group)
        if dice.random() < SHARE and count < MOST:
            count += 1
            visits = [visit for visit, _ in together]
            yield together[0][1], visits[:1] + visits[1:][-(MOST_VISITS - 1) :]


def _banners() -> dict[int, set[tuple[str, str]]]:
    """What stands in the banner of each patient already."""
    found: dict[int, set[tuple[str, str]]] = {}
    standing = select(Alert.patient_id, Alert.kind, Alert.label).where(Alert.ended_at.is_(None))
    for patient_id, kind, label in db.session.execute(standing):
        found.setdefault(patient_id, set()).add((kind, fold(label)))
    return found


def _medical(dice: random.Random, patient: Patient, visit: Visit) -> Said:
    years = (clock.local(visit.starts_at).date() - patient.birth_date).days / 365.25
    ill = dice.random() < (0.3 if years > 50 else 0.08)
    allergic = dice.random() < 0.06
    smokes = years > 18 and dice.random() < 0.2
    said: Said = {
        "complaint": dice.choice(COMPLAINTS),
        "pain": str(dice.randrange(8)),
        "last_dentist": dice.choice(("within a year", "one to three years ago", "longer ago")),
        "doctor": "yes" if ill else "no",
        "conditions": dice.sample(CONDITIONS, dice.randrange(1, 3)) if ill else ["none of these"],
        "allergic": "yes" if allergic else "no",
        "blood_thinners": "yes" if ill and years > 60 and dice.random() < 0.3 else "no",
        "bone_medicines": "no",
        "smoking": "up to 10 a day" if smokes else "never",
        "brushing": dice.choice(("twice a day or more", "once a day")),
        "emergency_name": patient.emergency_name or f"A {dice.choice(RELATIONS)}",
        "emergency_relation": patient.emergency_relation or dice.choice(RELATIONS),
        "emergency_phone": patient.emergency_phone or f"07{dice.randrange(10)} 555 {dice.randrange(10_000):04}",
        "consent_students": "yes",
        "consent_record": "yes",
        "consent_teaching": dice.choice(("yes", "no")),
    }
    if ill:
        said["medicines"] = dice.choice(MEDICINES)
    if allergic:
        said["allergies"] = [dice.choice(ALLERGIES)]
    return said


def _orthodontic(dice: random.Random) -> Said:
    return {
        "complaint": dice.choice(("The upper front teeth stand out", "The teeth are crooked", "A tooth does not come")),
        "concern": dice.choice(("the patient's", "the parents'")),
        "motivation": dice.choice(("good", "fair")),
        "skeletal": dice.choice(("class I", "class II", "class III")),
        "vertical": dice.choice(("average", "increased", "reduced")),
        "lips": dice.choice(("competent", "incompetent")),
        "hygiene": dice.choice(("good", "fair")),
        "upper_crowding": str(-dice.randrange(9)),
        "lower_crowding": str(-dice.randrange(7)),
        "overjet": str(dice.randrange(1, 10)),
        "overbite": dice.choice(("average", "increased", "reduced")),
        "incisors": dice.choice(("class I", "class II division 1", "class III")),
        "crossbite": ["none"],
        "iotn_dental": dice.choice("2345"),
        "iotn_aesthetic": str(dice.randrange(2, 9)),
        "investigations": ["study models", "panoramic radiograph"],
        "proposal": "Fixed appliances, both arches",
    }


def _form_row(row_id: int, form: Form, at: datetime) -> dict[str, Any]:
    body = shipped(form.code)
    return {
        "id": row_id,
        "code": form.code,
        "number": 1,
        "title": form.title,
        "body": body,
        "sha256": digest(body),
        "published_at": at,
        "published_by_id": None,
    }


def _filling(row_id: int, form_id: int, form: Form, said: Said, visit: Visit, number: int) -> dict[str, Any]:
    body = canonical(_read(form, said))
    return {
        "id": row_id,
        "patient_id": visit.patient_id,
        "form_id": form_id,
        "code": form.code,
        "number": number,
        "visit_id": visit.id,
        "answers": body,
        "sha256": digest(digest(shipped(form.code)) + body),
        "filled_by_id": visit.student_id,
        "kiosk_id": None,
        "at": _began(visit),
    }


def _read(form: Form, said: Said) -> dict[str, Answer]:
    """As the form reads them; what it would refuse is a mistake in this module."""
    raw = {code: each if isinstance(each, list) else [each] for code, each in said.items()}
    answers, wrong = read_answers(form, raw, for_supervisor=False, former={})
    assert not wrong, wrong
    return answers


def _review(row_id: int, filling: dict[str, Any], visit: Visit, at: datetime) -> dict[str, Any]:
    return {
        "id": row_id,
        "filling_id": filling["id"],
        "patient_id": visit.patient_id,
        "visit_id": visit.id,
        "day": clock.local(at).date(),
        "reviewed_by_id": visit.student_id,
        "at": at,
    }


def _is_later(visit: Visit, before: Visit | None) -> bool:
    """On a later day: on one day one person looks a filling through once."""
    return before is None or clock.local(_began(visit)).date() > clock.local(_began(before)).date()


def _alerts(
    there: dict[int, set[tuple[str, str]]],
    form: Form,
    said: Said,
    filling: dict[str, Any],
    new_id: Callable[[str], int],
) -> Iterator[Row]:
    for found in watched(form, _read(form, said)):
        key = (found.kind, fold(found.label))
        mine = there.setdefault(filling["patient_id"], set())
        if key in mine:
            continue
        mine.add(key)
        yield (
            Alert,
            {
                "id": new_id("alert"),
                "patient_id": filling["patient_id"],
                "kind": found.kind,
                "severity": found.severity,
                "label": found.label,
                "detail": found.detail,
                "created_at": filling["at"],
                "created_by_id": filling["filled_by_id"],
            },
        )


def _began(visit: Visit) -> datetime:
    return (visit.arrived_at or visit.starts_at) + timedelta(minutes=5)
