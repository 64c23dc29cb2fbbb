"""A patient's problems: noted, shown by documents and the chart, ended."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms.fields.choices import SelectChoice

from clinic import sessions
from clinic.access import Permission, requires
from clinic.blueprints.problems.forms import EndForm, EvidenceForm, ProblemForm
from clinic.chart.kinds import Status
from clinic.chart.words import sentence
from clinic.diagnoses import meant
from clinic.errors import DomainError
from clinic.formatting import short_day, words
from clinic.forms import VersionForm
from clinic.htmx import go_to
from clinic.models import Patient, Problem, ProblemStatus
from clinic.operations import problems as operations
from clinic.queries.chart import chart_for, entries_of
from clinic.queries.patients import patient_for
from clinic.queries.problems import diagnoses, documents_to_show, problem_for, problems_of

bp = Blueprint("problems", __name__, url_prefix="/patients/<int:patient_id>/problems")
SHOWING = frozenset({Status.FINDING, Status.EXISTING})  # what on a chart shows a problem


@bp.get("")
@requires(Permission.VIEW_NOTES, changes=False)
def index(patient_id: int) -> ResponseReturnValue:
    """The problems of a patient."""
    return _page(_patient(patient_id))


@bp.post("")
@requires(Permission.WRITE_NOTES)
def note(patient_id: int) -> ResponseReturnValue:
    """Note a problem."""
    patient = _patient(patient_id)
    form = _form(patient, request.form)
    if not form.validate():
        return _page(patient, form=form), 422
    try:
        problem = operations.note_problem(
            patient,
            diagnosis=meant(form.said.data, diagnoses()),
            said=form.said.data,
            teeth=form.keys,
            documents=form.documents.ids(),
            entries=form.entries.ids(),
            actor=current_user,
        )
    except DomainError as refusal:
        sessions.take_back()
        return _page(_patient(patient_id), form=form, refused=refusal.sentence), refusal.status
    return go_to(url_for(".index", patient_id=patient_id), say=f"{problem.words} is noted")


@bp.post("/<int:problem_id>/evidence")
@requires(Permission.WRITE_NOTES)
def show(patient_id: int, problem_id: int) -> ResponseReturnValue:
    """Say what shows a problem."""
    patient, problem = _patient(patient_id), _problem(patient_id, problem_id)
    form = EvidenceForm(request.form).offering(*_choices(patient)).checked()
    told = {"documents": form.documents.ids(), "entries": form.entries.ids()}
    operations.show_problem(problem.id, **told, actor=current_user)
    return go_to(url_for(".index", patient_id=patient_id), say=f"What shows {problem.words} is noted")


@bp.post("/<int:problem_id>/end")
@requires(Permission.WRITE_NOTES)
def end(patient_id: int, problem_id: int) -> ResponseReturnValue:
    """It is resolved, or was an error."""
    problem, form = _problem(patient_id, problem_id), EndForm(request.form)
    if not form.validate():
        return _page(_patient(patient_id), ending=problem.id, end_form=form), 422
    told = {"status": ProblemStatus(form.status.data), "version": form.version.data, "reason": form.reason.data}
    operations.end_problem(problem.id, **told, actor=current_user)
    return go_to(url_for(".index", patient_id=patient_id), say=f"{problem.words}: {words(form.status.data)}")


@bp.post("/<int:problem_id>/reopen")
@requires(Permission.WRITE_NOTES)
def reopen(patient_id: int, problem_id: int) -> ResponseReturnValue:
    """A resolved problem is there again."""
    problem, form = _problem(patient_id, problem_id), VersionForm(request.form).checked()
    operations.reopen_problem(problem.id, version=form.version.data, actor=current_user)
    return go_to(url_for(".index", patient_id=patient_id), say=f"{problem.words} is active again")


def _patient(patient_id: int) -> Patient:
    return patient_for(current_user, patient_id) or abort(404)


def _problem(patient_id: int, problem_id: int) -> Problem:
    return problem_for(current_user, patient_id, problem_id) or abort(404)


def _form(patient: Patient, sent: Any = None) -> ProblemForm:
    form = ProblemForm(sent).by(current_user.numbering)
    form.offering(*_choices(patient))
    return form


def _choices(patient: Patient) -> tuple[list[SelectChoice], list[SelectChoice]]:
    """What may show a problem: the newest documents, and what stands on the chart."""
    documents = documents_to_show(current_user, patient.id)
    charted = chart_for(current_user, patient.id)
    shown = [each for each in charted.mouth.entries if each.status in SHOWING] if charted and charted.chart else []
    kinds = charted.mouth.kinds if charted else {}
    return (
        [
            SelectChoice(
                str(each.id), f"{each.projection or words(each.category)} {each.name}, {short_day(each.created_at)}"
            )
            for each in documents
        ],
        [SelectChoice(str(each.id), sentence(each, numbering=current_user.numbering, kinds=kinds)) for each in shown],
    )


def _page(
    patient: Patient,
    *,
    form: ProblemForm | None = None,
    refused: str = "",
    ending: int | None = None,
    end_form: EndForm | None = None,
) -> str:
    problems = problems_of(current_user, patient.id)
    wanted = {each.entry_id for problem in problems for each in problem.evidence if each.entry_id}
    return render_template(
        "problems/index.html",
        patient=patient,
        problems=problems,
        charted=entries_of(patient.id, wanted, current_user.numbering),
        form=form or _form(patient),
        is_adding=form is not None,
        refused=refused,
        ending=ending,
        end_form=end_form or EndForm(),
        offered=diagnoses(),
    )
