"""Evaluations in tests: a visit that is over, and marking in a few words."""

from datetime import timedelta

from clinic import clock
from clinic.evaluation.form import FIELD, NOT_SEEN, form_from, shipped
from clinic.extensions import db
from clinic.models import Evaluation, Visit, VisitStatus
from clinic.operations.evaluations import assess_self, correct_evaluation, evaluate
from clinic.queries.evaluations import evaluation_in
from tests.gated import student_of
from tests.world import World

SESSIONAL = form_from(shipped("sessional"))
ON = {"form_code": "sessional", "form_number": 1}


def marks(step: int | None = 3, **others: int | None) -> dict[str, int | None]:
    """A step for every criterion of the form that comes with Chairside."""
    return {each.code: step for each in SESSIONAL.criteria} | others


def sent(step: int | None = 3, version: int = 0, **others: object) -> dict[str, str]:
    """The same as a browser sends it."""
    fields = {f"{FIELD}{code}": str(said or NOT_SEEN) for code, said in marks(step).items()}
    return fields | {"form_code": "sessional", "form_number": "1", "version": str(version), "comment": ""} | others  # type: ignore[dict-item]


def over(world: World, patient: str = "fernando") -> Visit:
    """The patient's visit is completed."""
    visit = world.visit(patient)
    visit.arrived_at = max(
        clock.now() - timedelta(hours=1), clock.start_of(clock.today())
    )  # of this day, also after midnight
    visit.status, visit.completed_at = VisitStatus.COMPLETED, clock.now()
    db.session.flush()
    return visit


def assessed(world: World, patient: str = "fernando", step: int | None = 4, comment: str = "Slow") -> Evaluation:
    version, actor = _version(world, patient), world.user(student_of(patient))
    how = {"marks": marks(step), "comment": comment, "version": version, "actor": actor}
    return assess_self(world.visit(patient), **ON, **how)


def evaluated(
    world: World, patient: str = "fernando", step: int | None = 3, supervisor: str = "silva", comment: str = ""
) -> Evaluation:
    version, actor = _version(world, patient), world.user(supervisor)
    how = {"marks": marks(step), "comment": comment, "version": version, "actor": actor}
    return evaluate(world.visit(patient), **ON, **how)


def corrected(
    world: World, patient: str = "fernando", step: int | None = 5, supervisor: str = "silva", reason: str = "Mixed up"
) -> Evaluation:
    version, actor = _version(world, patient), world.user(supervisor)
    how = {"marks": marks(step), "comment": "", "reason": reason, "version": version, "actor": actor}
    return correct_evaluation(world.visit(patient), **how)


def _version(world: World, patient: str) -> int:
    whole = evaluation_in(world.visit(patient))
    return whole.evaluation.version if whole else 0
