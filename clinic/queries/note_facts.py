"""What a note may begin with: what was charted and filed at a visit, or today, in words."""

from datetime import datetime

from sqlalchemy import func, select

from clinic import clock
from clinic.chart import teeth
from clinic.chart.versions import Change, change_sentence, difference
from clinic.extensions import db
from clinic.formatting import day, words
from clinic.models import ChartEntry, Document, Patient, User, Visit, VisitStatus
from clinic.queries.chart import mouth_of
from clinic.queries.documents import documents_of
from clinic.queries.scope import may_see


def facts_of(viewer: User, patient: Patient, visit_id: int | None = None) -> dict[str, str]:
    """What templates fill in, by the name of the place; empty where there is nothing. Of a patient whom the viewer may see."""
    changes = _charted(patient.id, visit_id)
    keys = teeth.in_order(list(dict.fromkeys(key for change in changes for key in change.keys)))
    return {
        "chart": "\n".join(f"- {change_sentence(change, viewer.numbering)}" for change in changes),
        "teeth": ", ".join(teeth.shown(key, viewer.numbering) for key in keys),
        "documents": ", ".join(_named(document) for document in _filed(viewer, patient.id, visit_id)),
        "patient": f"{patient.name}, {patient.code}",
        "date": day(clock.now()),
    }


def present_visit(viewer: User, patient_id: int) -> int | None:
    """The visit for which the patient is here now, if any."""
    here = select(Visit.id).where(
        Visit.patient_id == patient_id, Visit.status == VisitStatus.ARRIVED, may_see(viewer, Visit.patient_id)
    )
    return db.session.scalar(here.order_by(Visit.id.desc()).limit(1))


def _charted(patient_id: int, visit_id: int | None) -> list[Change]:
    """What became of the chart from the first to the last stroke of the visit, or of today."""
    strokes = select(func.min(ChartEntry.stroke), func.max(ChartEntry.stroke)).where(
        ChartEntry.patient_id == patient_id,
        ChartEntry.visit_id == visit_id if visit_id else ChartEntry.entered_at >= _today(),
    )
    first, last = db.session.execute(strokes).one()
    if first is None:
        return []
    changes = difference(mouth_of(patient_id, upto=first - 1), mouth_of(patient_id, upto=last))
    return [change for change in changes if not change.is_only_said_again]


def _filed(viewer: User, patient_id: int, visit_id: int | None) -> list[Document]:
    """The documents on the first page of the list that were filed today, or are of the visit; oldest first."""
    since = _today()
    return [
        document
        for document in reversed(documents_of(viewer, patient_id).rows)
        if document.is_readable and (document.created_at >= since or (visit_id and document.visit_id == visit_id))
    ]


def _named(document: Document) -> str:
    return f"{words(document.projection or document.category)} “{document.description or document.name}”"


def _today() -> datetime:
    return clock.start_of(clock.today())
