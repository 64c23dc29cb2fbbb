"""Material used on a patient: recorded in a visit, taken back when it was a mistake. Locks: the patient, then the use."""

from sqlalchemy import func, select

from clinic import audit, clock
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.extensions import db
from clinic.formatting import when
from clinic.models import MaterialUse, Patient, Role, User, Visit, VisitStatus
from clinic.operations.chart import needed
from clinic.operations.deciding import is_given_to
from clinic.operations.locks import locked
from clinic.operations.nudges import nudge_visit
from clinic.queries.materials import MOST
from clinic.text import one_line

MOST_UNITS = 999


def record_use(visit: Visit, *, material: str, quantity: int, unit: str, lot: str = "", actor: User) -> MaterialUse:
    """Material was used in a visit that has begun, or has ended. Whole units."""
    patient = _patient_to_write(visit.patient_id, actor)
    if visit.status not in (VisitStatus.ARRIVED, VisitStatus.COMPLETED):
        raise DomainError(
            f"{patient.name} has not arrived for this visit. Material is recorded at a visit that has begun."
        )
    material, unit, lot = one_line(material), one_line(unit), one_line(lot)
    if not 0 < len(material) <= 120 or not 0 < len(unit) <= 20 or len(lot) > 40:
        raise DomainError("Name the material in at most 120 letters, its unit in 20, its lot in 40.")
    if not 1 <= quantity <= MOST_UNITS:
        raise DomainError(f"How much was used is a whole number from 1 to {MOST_UNITS}.")
    there = select(func.count()).select_from(MaterialUse).where(MaterialUse.visit_id == visit.id)
    if (db.session.scalar(there) or 0) >= MOST:
        raise DomainError(f"{MOST} materials are recorded in this visit already.")
    use = MaterialUse(
        patient_id=patient.id,
        visit_id=visit.id,
        material=material,
        lot=lot,
        quantity=quantity,
        unit=unit,
        recorded_by_id=actor.id,
        recorded_at=clock.now(),
    )
    db.session.add(use)
    db.session.flush()
    audit.record(
        "material.use",
        f"Used {use.words} on {patient.code}",
        actor=actor,
        subject=use,
        patient=patient,
        after={"material": material, "lot": lot, "quantity": quantity, "unit": unit},
    )
    nudge_visit(visit)
    return use


def take_back_use(use_id: int, *, version: int, reason: str, actor: User) -> MaterialUse:
    """It was recorded by mistake. By whoever recorded it, a nurse, or a supervisor."""
    patient_id = db.session.execute(select(MaterialUse.patient_id).where(MaterialUse.id == use_id)).scalar_one()
    patient = _patient_to_write(patient_id, actor)
    use = locked(MaterialUse, use_id)
    if use.taken_back_at is not None or use.version != version:
        raise Conflict(how_it_stands(use))
    if actor.role is Role.STUDENT and use.recorded_by_id != actor.id:
        raise NotAllowed("Whoever recorded it takes it back, or a nurse, or a supervisor.")
    use.reason = needed(reason, "Write why; it stays with what was used.")
    use.taken_back_by_id, use.taken_back_at = actor.id, clock.now()
    db.session.flush()
    audit.record(
        "material.take_back",
        f"Took back: {use.words}, of {patient.code}",
        actor=actor,
        subject=use,
        patient=patient,
        reason=use.reason,
    )
    nudge_visit(db.session.get_one(Visit, use.visit_id))
    return use


def how_it_stands(use: MaterialUse) -> str:
    """Who did what to it, and when."""
    if use.taken_back_at is None:
        return (
            f"{use.words}: {db.session.get_one(User, use.recorded_by_id).name} recorded it on {when(use.recorded_at)}."
        )
    by = db.session.get_one(User, use.taken_back_by_id)
    return f"{use.words}: {by.name} took it back on {when(use.taken_back_at)}. “{use.reason}”"


def _patient_to_write(patient_id: int, actor: User) -> Patient:
    patient = locked(Patient, patient_id)
    if actor.role not in (Role.STUDENT, Role.SUPERVISOR, Role.NURSE):
        raise NotAllowed("Students, supervisors and nurses record material.")
    if not is_given_to(actor, patient_id):
        raise NotAllowed("You are not given this patient. Ask to be assigned before you write.")
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to record material.")
    return patient
