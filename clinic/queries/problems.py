"""A patient's problems with what shows them, and the diagnoses to choose from."""

from typing import Any

from sqlalchemy import Select, case, select
from sqlalchemy.orm import joinedload, selectinload

from clinic.diagnoses import SHIPPED, Diagnosis
from clinic.extensions import db
from clinic.models import Document, DocumentStatus, Evidence, OwnDiagnosis, Problem, ProblemStatus, User, categories_of
from clinic.queries.scope import may_see

MOST = 200  # problems of a patient, on one page
MOST_DOCUMENTS = 30  # to choose from
MOST_DIAGNOSES = 2000  # of the clinic's own


def problems_of(viewer: User, patient_id: int) -> list[Problem]:
    """The problems of a patient with evidence and people: active ones first, then what ended, each newest first. Two queries."""
    ended = case((Problem.status == ProblemStatus.ACTIVE, 0), else_=1)
    rows = _visible(viewer, patient_id).order_by(ended, Problem.id.desc()).limit(MOST)
    return list(db.session.execute(rows).scalars())


def problem_for(viewer: User, patient_id: int, problem_id: int) -> Problem | None:
    """One problem of a patient; None for one that the viewer may not see."""
    return db.session.execute(_visible(viewer, patient_id).where(Problem.id == problem_id)).scalar_one_or_none()


def documents_to_show(viewer: User, patient_id: int) -> list[Document]:
    """The newest documents of a patient that may show a problem."""
    rows = select(Document).where(
        Document.patient_id == patient_id,
        may_see(viewer, Document.patient_id),
        Document.status == DocumentStatus.AVAILABLE,
        Document.category.in_(categories_of(viewer.role)),
    )
    return list(db.session.execute(rows.order_by(Document.id.desc()).limit(MOST_DOCUMENTS)).scalars())


def diagnoses() -> list[Diagnosis]:
    """What is offered: the clinic's own first, then those that came with Chairside. One query."""
    own = select(OwnDiagnosis).where(OwnDiagnosis.retired_at.is_(None)).order_by(OwnDiagnosis.system, OwnDiagnosis.code)
    rows = db.session.execute(own.limit(MOST_DIAGNOSES)).scalars()
    found = [Diagnosis(row.code, row.name, row.system) for row in rows]
    taken = {(each.system, each.code) for each in found}
    return [*found, *(each for each in SHIPPED if (each.system, each.code) not in taken)]


def own_diagnoses() -> list[OwnDiagnosis]:
    """Every diagnosis of the clinic's own, retired ones too."""
    return list(db.session.execute(select(OwnDiagnosis).order_by(OwnDiagnosis.system, OwnDiagnosis.code)).scalars())


def _visible(viewer: User, patient_id: int) -> Select[Any]:
    of_patient = select(Problem).where(Problem.patient_id == patient_id, may_see(viewer, Problem.patient_id))
    people = (joinedload(Problem.noted_by), joinedload(Problem.ended_by))
    return of_patient.options(*people, selectinload(Problem.evidence).joinedload(Evidence.document))
