"""What to watch out for with a patient: recording and ending it."""

from sqlalchemy import select

from clinic import audit, clock
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.formatting import words
from clinic.models import Alert, AlertKind, Patient, Severity, User
from clinic.operations.locks import locked
from clinic.operations.patients import nudge_queues
from clinic.text import fold


def add_alert(
    patient: Patient, *, kind: AlertKind, severity: Severity, label: str, detail: str = "", actor: User
) -> Alert:
    """Record an alert; it stands in the patient's banner at once. Raises DomainError when it stands there already."""
    patient = locked(Patient, patient.id)
    if patient.archived_at:
        raise DomainError(f"{patient.name} is archived. Restore the record to change it.")
    there = db.session.execute(
        select(Alert.label).where(Alert.patient_id == patient.id, Alert.kind == kind, Alert.ended_at.is_(None))
    ).scalars()
    if any(fold(other) == fold(label) for other in there):
        raise DomainError(
            f"{label} is already among the alerts of {patient.name}. End that one first to record it anew."
        )
    alert = Alert(
        patient_id=patient.id,
        kind=kind,
        severity=severity,
        label=label,
        detail=detail,
        created_at=clock.now(),
        created_by_id=actor.id,
    )
    db.session.add(alert)
    db.session.flush()
    audit.record(
        "alert.add",
        f"Recorded the {words(kind)} {label} of {patient.name}, {patient.code}",
        actor=actor,
        subject=alert,
        patient=patient,
        after={"kind": kind, "severity": severity, "label": label, "detail": detail},
    )
    nudge_queues(patient)
    return alert


def end_alert(patient: Patient, *, alert_id: int, reason: str, actor: User) -> Alert | None:
    """End an alert: it leaves the banner and stays in the history. None when the patient has no such alert."""
    alert = db.session.execute(
        select(Alert)
        .where(Alert.id == alert_id, Alert.patient_id == patient.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if alert is None or alert.ended_at:
        return alert
    alert.ended_at, alert.ended_by_id, alert.end_reason = clock.now(), actor.id, reason
    db.session.flush()
    audit.record(
        "alert.end",
        f"Ended the {words(alert.kind)} {alert.label} of {patient.name}, {patient.code}",
        actor=actor,
        subject=alert,
        patient=patient,
        reason=reason,
    )
    nudge_queues(patient)
    return alert
