"""Registering patients, changing what is written about them, archiving and restoring."""

from datetime import date
from typing import Any

from sqlalchemy import delete, insert, select

from clinic import audit, clock
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.formatting import day, when
from clinic.models import EXPECTED, Patient, PatientToken, QueueEntry, User, Visit, VisitStatus
from clinic.models.patient import TOKEN_LENGTH, WHOLE_NAME
from clinic.operations.counters import next_number
from clinic.operations.locks import locked
from clinic.operations.nudges import nudge_visit
from clinic.queries.patients import alike, last_changes
from clinic.text import APOSTROPHES, begins_here, digits, sort_key, unspaced, words

MOST_SUFFIXES = 20  # beginnings inside one word of a script without spaces
LEAST_PHONE_DIGITS = 4

# What is written about a patient, in the order of the forms, each with its word.
FIELDS = {
    "name": "name",
    "birth_date": "birth date",
    "sex": "sex",
    "phone": "phone",
    "email": "e-mail",
    "address": "address",
    "language": "language",
    "emergency_name": "emergency contact",
    "emergency_phone": "emergency phone",
    "emergency_relation": "emergency contact's relation",
}


def register_patient(*, fields: dict[str, Any], despite_duplicate: bool = False, actor: User) -> Patient:
    """A new patient with the next code of the year. `fields` holds a value per name in `FIELDS`, or some of them.

    Raises DomainError when somebody of the same name and birth date is there already, unless `despite_duplicate`.
    Holds the year's counter: registrations wait for each other, so two desks cannot both overlook the same person.
    """
    year = clock.today().year
    code = f"P-{year}-{next_number(f'patient:{year}'):05d}"
    likely = alike(actor, name=fields["name"], birth_date=fields["birth_date"], phone=fields.get("phone", ""))
    if not despite_duplicate and likely and likely[0].exact:
        same = likely[0].patient
        raise DomainError(
            f"{same.name}, born {day(same.birth_date)}, is already here as {same.code}. "
            "Open that record, or tick that this is another person."
        )
    patient = Patient(**fields, code=code, created_at=clock.now(), created_by_id=actor.id)
    patient.sort_name = sort_key(patient.name)
    db.session.add(patient)
    db.session.flush()
    index_patient(patient)
    audit.record(
        "patient.register",
        f"Registered {patient.name}, {code}" + (", despite the same name and birth date" if despite_duplicate else ""),
        actor=actor,
        subject=patient,
        patient=patient,
        after=written_of(patient),
    )
    return patient


def change_patient(
    patient: Patient, *, version: int, was: dict[str, str], fields: dict[str, Any], actor: User
) -> list[str]:
    """Change what is written about a patient; answers the names of fields that someone else changed meanwhile and that are kept.

    `was` is what the form showed before it was changed (`written_of`). When the patient has a newer version than the form, each field
    changed on one side only is taken from that side. Raises Conflict, with both texts, for fields changed on both sides.
    """
    patient = locked(Patient, patient.id)
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to change it.")
    theirs, mine = written_of(patient), written(fields)
    base = theirs if version == patient.version else {name: was.get(name) for name in mine}
    both = [name for name in mine if mine[name] != base[name] and theirs[name] not in (base[name], mine[name])]
    if both:
        raise _changed_on_both_sides(patient, both, theirs, mine)
    changed = [name for name in mine if mine[name] not in (base[name], theirs[name])]
    for name in changed:
        setattr(patient, name, fields[name])
    if changed:
        patient.sort_name = sort_key(patient.name)
        index_patient(patient)
        db.session.flush()
        audit.record(
            "patient.change",
            f"Changed {', '.join(FIELDS[name] for name in changed)} of {patient.name}, {patient.code}",
            actor=actor,
            subject=patient,
            patient=patient,
            before={name: theirs[name] for name in changed},
            after={name: mine[name] for name in changed},
        )
        nudge_queues(patient)
    return [name for name in mine if base[name] is not None and theirs[name] != base[name]]


def _changed_on_both_sides(patient: Patient, both: list[str], theirs: dict[str, str], mine: dict[str, str]) -> Conflict:
    who, at = last_changes(patient.id, both)[both[0]]
    return Conflict(
        f"{who} changed the {' and the '.join(FIELDS[name] for name in both)} of {patient.name} on {when(at)}, "
        "while you were changing it too. Choose what is right and save again.",
        theirs={name: theirs[name] for name in both},
        mine={name: mine[name] for name in both},
    )


def written_of(patient: Patient) -> dict[str, str]:
    """What is written about a patient, each field as text."""
    return written({name: getattr(patient, name) for name in FIELDS})


def written(fields: dict[str, Any]) -> dict[str, str]:
    return {name: value.isoformat() if isinstance(value, date) else str(value) for name, value in fields.items()}


def archive_patient(patient: Patient, *, version: int, reason: str, actor: User) -> None:
    """Take a patient out of lists. Refused while they are in the clinic or expected."""
    patient = locked(Patient, patient.id)
    if patient.archived_at:
        return
    _refuse_stale(patient, version)
    _refuse_while_expected(patient)
    patient.archived_at, patient.archive_reason = clock.now(), reason
    db.session.flush()
    audit.record(
        "patient.archive",
        f"Archived {patient.name}, {patient.code}",
        actor=actor,
        subject=patient,
        patient=patient,
        reason=reason,
    )


def restore_patient(patient: Patient, *, version: int, reason: str, actor: User) -> None:
    """Bring an archived patient back into lists."""
    patient = locked(Patient, patient.id)
    if not patient.archived_at:
        return
    _refuse_stale(patient, version)
    before = {"archived_at": patient.archived_at.isoformat(), "archive_reason": patient.archive_reason}
    patient.archived_at = patient.archive_reason = None
    db.session.flush()
    audit.record(
        "patient.restore",
        f"Restored {patient.name}, {patient.code}",
        actor=actor,
        subject=patient,
        patient=patient,
        before=before,
        reason=reason,
    )


def _refuse_stale(patient: Patient, version: int) -> None:
    if version != patient.version:
        raise Conflict(f"{patient.name}'s record was changed while you looked at it. Reload to see how it stands now.")


def _refuse_while_expected(patient: Patient) -> None:
    if db.session.execute(select(QueueEntry.id).where(QueueEntry.open_patient_id == patient.id)).first():
        raise DomainError(f"{patient.name} is in the queue. Finish the visit before you archive the record.")
    visit = db.session.execute(
        select(Visit)
        .where(Visit.patient_id == patient.id, Visit.status.in_(EXPECTED))
        .where((Visit.status == VisitStatus.ARRIVED) | (Visit.starts_at >= clock.start_of(clock.today())))
        .order_by(Visit.starts_at)
        .limit(1)
    ).scalar_one_or_none()
    if visit:
        raise DomainError(
            f"{patient.name} has a visit on {when(visit.starts_at)}. Finish or cancel it before you archive the record."
        )


def nudge_queues(patient: Patient) -> None:
    """Boards, and the pages of whoever treats or will, show the patient's name and alerts."""
    of_patient = select(Visit).where(Visit.patient_id == patient.id, Visit.status.in_(EXPECTED))
    for visit in db.session.scalars(of_patient):
        nudge_visit(visit)


def tokens_of(patient: Patient) -> set[str]:
    """Everything a patient is found by; a search matches beginnings of these.

    Each word of the name (in scripts without spaces from each letter on), the whole name with the last word last and first, the
    code and its bare number, the ends of the phone numbers from four digits, the birth date (1984-03-02).
    """
    name = words(patient.name)
    tokens = {*name, *_pieces(patient.name)}
    tokens |= {WHOLE_NAME + " ".join(name), WHOLE_NAME + " ".join(name[-1:] + name[:-1])}
    for word in name:
        if unspaced(word):
            starts = [place for place, char in enumerate(word) if begins_here(char)][:MOST_SUFFIXES]
            tokens |= {word[start:] for start in starts}
    code = patient.code.lower().removeprefix("p-")  # whoever types p means a name
    number = code.rpartition("-")[2]
    tokens |= {code, number, number.lstrip("0")}
    phone = digits(patient.phone)
    tokens |= {phone[start:] for start in range(len(phone) - LEAST_PHONE_DIGITS + 1)}
    tokens.add(patient.birth_date.isoformat())
    return {token[:TOKEN_LENGTH].rstrip() for token in tokens if token}


def _pieces(name: str) -> list[str]:
    """What stands behind an apostrophe: O'Brien is found by `brien` as well as by `obrien`."""
    apart = name
    for apostrophe in APOSTROPHES:
        apart = apart.replace(apostrophe, " ")
    return words(apart)


def index_patient(patient: Patient) -> None:
    """Write the patient's tokens anew."""
    db.session.execute(delete(PatientToken).where(PatientToken.patient_id == patient.id))
    db.session.execute(
        insert(PatientToken), [{"token": token, "patient_id": patient.id} for token in sorted(tokens_of(patient))]
    )
