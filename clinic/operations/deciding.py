"""What every decision of a supervisor over a student's work shares: who decides, and who hears of it."""

from sqlalchemy import select

from clinic.errors import NotAllowed
from clinic.extensions import db
from clinic.models import Patient, Role, User
from clinic.operations.notices import tell
from clinic.queries import scope

NOT_GIVEN = "You are not given the patient any more."


def check_decides(actor: User, *, department_id: int | None, patient_id: int) -> None:
    """Raise, with the sentence that says who can, unless this is a supervisor of the department who is given the patient."""
    if actor.role is not Role.SUPERVISOR or not actor.active or actor.department_id != department_id:
        raise NotAllowed("A supervisor of the department to which this was sent decides it.")
    if not is_given_to(actor, patient_id):
        raise NotAllowed("You are not given this patient. Another supervisor of the department decides.")


def tell_author(author_id: int, sentence: str, *, otherwise: str, kind: str, url: str, patient_id: int) -> None:
    """Whose work it is reads what became of it; only while they have the patient, with its link and with what was written of them.

    Who is no longer given the patient reads `otherwise`, which names neither them nor what was done; nothing when it is empty.
    """
    author = db.session.get_one(User, author_id)
    if is_given_to(author, patient_id):
        tell(author.id, sentence, kind=kind, url=url, patient_id=patient_id)
    elif otherwise:
        tell(author.id, f"{otherwise} {NOT_GIVEN}", kind=kind)


def is_given_to(person: User, patient_id: int) -> bool:
    """Whether the person may see and change the patient, without what a broken glass only shows."""
    given = select(Patient.id).where(Patient.id == patient_id, scope.is_given(person, Patient.id))
    return db.session.execute(given).first() is not None
