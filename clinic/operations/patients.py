"""Registering patients, changing what is written about them, archiving and restoring."""

from sqlalchemy import delete, insert

from clinic.extensions import db
from clinic.models import Patient, PatientToken
from clinic.models.patient import TOKEN_LENGTH
from clinic.text import APOSTROPHES, begins_here, digits, unspaced, words

MOST_SUFFIXES = 20  # beginnings inside one word of a script without spaces
LEAST_PHONE_DIGITS = 4


def tokens_of(patient: Patient) -> set[str]:
    """Everything a patient is found by; a search matches beginnings of these.

    Each word of the name (in scripts without spaces from each letter on), the whole name with the last word last and first, the
    code and its bare number, the ends of the phone numbers from four digits, the birth date (1984-03-02).
    """
    name = words(patient.name)
    tokens = {*name, " ".join(name), " ".join(name[-1:] + name[:-1]), *_pieces(patient.name)}
    for word in name:
        if unspaced(word):
            starts = [place for place, char in enumerate(word) if begins_here(char)][:MOST_SUFFIXES]
            tokens |= {word[start:] for start in starts}
    code = patient.code.lower()
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
