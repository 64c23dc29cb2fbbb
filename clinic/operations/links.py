"""Links to the object store itself, by which a large file is downloaded past this application: off unless the clinic says otherwise.

Whoever has such a link reads the file until it ends, and nobody verifies its bytes: so each one is in the trail, with how large the file
is and when the link ends. The link itself is written down nowhere (docs/decisions/0049-keeping-documents.md).
"""

from datetime import timedelta

from clinic import audit, clock, settings
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.formatting import bytes_of, number_of, when, words
from clinic.models import Document, DocumentStatus, Patient, User
from clinic.operations.documents import MIB
from clinic.operations.locks import locked


def minutes_of_link(document: Document) -> int:
    """For how many minutes a link to this document would hold; 0 when there is none: by setting, by its size, or as it is."""
    minutes: int = settings.read("document_link_minutes")
    is_large = document.size >= settings.read("document_link_mib") * MIB
    return minutes if is_large and document.status is DocumentStatus.AVAILABLE else 0


def give_link(document_id: int, *, actor: User) -> int:
    """Note that the person gets a link to a document's bytes; answers for how many minutes it is to hold. Raises DomainError."""
    document = locked(Document, document_id)
    minutes = minutes_of_link(document)
    if not minutes:
        raise DomainError("There is no direct link to this file. Download it from its page, as usual.")
    patient, ends = db.session.get_one(Patient, document.patient_id), clock.now() + timedelta(minutes=minutes)
    audit.record(
        "document.link",
        f"Got a link for {number_of(minutes, 'minute')}, until {when(ends)}, to the {words(document.projection or document.category)} "
        f"“{document.name}” ({bytes_of(document.size)}) of {patient.name}, {patient.code}",
        actor=actor,
        subject=document,
        patient=patient,
        after={"size": document.size, "ends": ends},
    )
    db.session.flush()
    return minutes
