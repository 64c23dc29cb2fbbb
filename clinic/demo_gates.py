"""The gates of today's visits in a demo clinic: whoever is in treatment was started, whoever is at checkout or gone was dismissed; and what
material was used on whoever was started."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from clinic import clock
from clinic.canonical import canonical, digest
from clinic.extensions import db
from clinic.models import Gate, GateItem, GateKind, GateStatus, MaterialUse, Patient, QueueEntry, Stage, Visit
from clinic.queries.gates import pieces_of

USED = (
    (1, "carpule", "Lidocaine 2 %", "L-4471"),
    (2, "capsule", "Composite A2", "C-0917"),
    (1, "piece", "Rubber dam", ""),
)
ASKED_BEFORE = timedelta(minutes=4)


def make() -> None:
    """Approve starts and dismissals of the visits of students that have come so far today. Flushes."""
    begins, _ends = clock.bounds(clock.today())
    reached = (
        select(QueueEntry.visit_id, QueueEntry.stage, QueueEntry.started_at)
        .where(QueueEntry.started_at >= begins, QueueEntry.stage.in_((Stage.IN_TREATMENT, Stage.CHECKOUT)))
        .order_by(QueueEntry.id)
    )
    first: dict[tuple[int, Stage], datetime] = {}
    for visit_id, stage, at in db.session.execute(reached):
        first.setdefault((visit_id, stage), at)
    people = (joinedload(Visit.student), joinedload(Visit.patient).selectinload(Patient.alerts))
    wanted = select(Visit).where(
        Visit.id.in_({visit_id for visit_id, _stage in first} or {0}), Visit.student_id.is_not(None)
    )
    for visit in db.session.execute(wanted.options(*people).order_by(Visit.id)).scalars():
        if (started := first.get((visit.id, Stage.IN_TREATMENT))) is not None:
            approved(visit, GateKind.START, started)
            _used(visit, started)
        if (left := first.get((visit.id, Stage.CHECKOUT))) is not None:
            approved(visit, GateKind.DISMISS, left)
    db.session.flush()


def _used(visit: Visit, at: datetime) -> None:
    for quantity, unit, material, lot in USED[: 1 + visit.id % len(USED)]:
        use = MaterialUse(
            patient_id=visit.patient_id,
            visit_id=visit.id,
            material=material,
            lot=lot,
            quantity=quantity,
            unit=unit,
            recorded_by_id=visit.student_id,
            recorded_at=at,
        )
        db.session.add(use)
    db.session.flush()


def approved(visit: Visit, kind: GateKind, at: datetime) -> None:
    """Add the approved gate of a visit, whose student and patient are loaded."""
    patient, by = visit.patient, visit.student.name
    pieces = pieces_of(visit) if kind is GateKind.DISMISS else []
    shown = {
        "format": 1,
        "kind": kind,
        "patient": {
            "name": patient.name,
            "code": patient.code,
            "birth_date": patient.birth_date.isoformat(),
            "sex": str(patient.sex),
        },
        "visit": {"id": visit.id, "day": clock.local(visit.starts_at).date().isoformat(), "reason": visit.reason},
        "prepared_by": by,
    }
    if kind is GateKind.START:
        shown |= {
            "identity": ["name", "birth_date"],
            "history": {"by": by, "at": at.isoformat()},
            "alerts": [[each.id, str(each.kind), str(each.severity), each.label] for each in patient.active_alerts],
            "items": [],
            "done": visit.reason,
            "site": False,
            "radiographs": [],
            "no_radiograph": "Seen at the visit before",
            "consents": [],
        }
    else:
        shown["pieces"] = [[each.subject, each.sha256, each.words, each.by, each.is_students] for each in pieces]
    gate = Gate(
        patient_id=visit.patient_id,
        visit_id=visit.id,
        kind=kind,
        number=1,
        shown=canonical(shown),
        sha256=digest(canonical(shown)),
        words="",
        department_id=visit.department_id,
        prepared_by_id=visit.student_id,
        student_id=visit.student_id,
        prepared_at=at - ASKED_BEFORE,
        status=GateStatus.APPROVED,
        decided_by_id=visit.supervisor_id,
        decided_at=at,
    )
    db.session.add(gate)
    db.session.flush()
    db.session.add_all(
        GateItem(
            gate_id=gate.id,
            subject=each.subject,
            sha256=each.sha256,
            words=each.words,
            status=GateStatus.APPROVED,
            opened_at=at,
        )
        for each in pieces
        if each.is_students
    )
