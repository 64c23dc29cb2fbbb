"""Evaluations: a student assesses themselves, a supervisor marks and corrects; how it went over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import sessions
from clinic.access import Permission, may, requires
from clinic.blueprints.evaluations.forms import CorrectForm, MarksForm
from clinic.blueprints.evaluations.trend import trends_of
from clinic.errors import DomainError
from clinic.evaluation.form import FIELD, NOT_SEEN, STEPS, Form, form_from, labels_of, read_marks
from clinic.htmx import go_to, place
from clinic.models import User, Visit
from clinic.operations import evaluations as operations
from clinic.operations.evaluations import how_it_stands
from clinic.queries import evaluations, unapproved
from clinic.queries.evaluations import Marked, Whole, read
from clinic.queries.patients import patient_for

bp = Blueprint("evaluations", __name__)
OF_VISIT = "/visits/<int:visit_id>"


@dataclass
class Sent:
    """What was sent: the fields, the marks, what is wrong with these by criterion, and why all of it was refused."""

    fields: MarksForm
    marks: dict[str, int | None]
    wrong: Mapping[str, str]
    is_whole: bool
    refusal: str = ""

    @property
    def typed(self) -> dict[str, str]:
        """What was chosen, by criterion."""
        return {name.removeprefix(FIELD): said for name, said in request.form.items() if name.startswith(FIELD)}

    @property
    def said(self) -> dict[str, Any]:
        """What an operation is told."""
        told: dict[str, Any] = {
            name: self.fields[name].data for name in ("form_code", "form_number", "comment", "version")
        }
        return told | {"marks": self.marks}


@bp.get("/evaluations")
@requires(Permission.PREPARE_GATE)
def index() -> ResponseReturnValue:
    """Evaluations: a student's own; a supervisor's visits that wait for one, and their students."""
    if not may(current_user, Permission.DECIDE_GATE):
        return _student_page(current_user)
    return render_template(
        "evaluations/index.html",
        waiting=evaluations.waiting_for(current_user),
        students=evaluations.students_for(current_user),
        days=evaluations.DAYS,
    )


@bp.get("/evaluations/students/<int:student_id>")
@requires(Permission.DECIDE_GATE)
def student(student_id: int) -> ResponseReturnValue:
    """How a student was evaluated over time."""
    return _student_page(unapproved.student_for(current_user, student_id) or abort(404))


@bp.get(f"{OF_VISIT}/evaluation")
@requires(Permission.PREPARE_GATE, changes=False)
def show(visit_id: int) -> ResponseReturnValue:
    """The evaluation of a visit: the student's own, then the supervisor's."""
    return _visit_page(_visit(visit_id))


@bp.post(f"{OF_VISIT}/self-assessment")
@requires(Permission.PREPARE_GATE)
def assess(visit_id: int) -> ResponseReturnValue:
    """Assess oneself in a visit."""
    visit = evaluations.visit_to_assess(current_user, visit_id) or abort(404)
    sent = _read(visit, MarksForm(request.form))
    if not sent.is_whole:
        return _visit_page(visit, sent), 422
    try:
        operations.assess_self(visit, **sent.said, actor=current_user)
    except DomainError as refusal:
        return _refused(visit_id, sent, refusal)
    return go_to(url_for("gates.visit", visit_id=visit_id), say="Your self-assessment is kept")


@bp.post(f"{OF_VISIT}/evaluation")
@requires(Permission.DECIDE_GATE)
def mark(visit_id: int) -> ResponseReturnValue:
    """Evaluate the student of a visit."""
    visit = evaluations.visit_to_evaluate(current_user, visit_id) or abort(404)
    sent = _read(visit, MarksForm(request.form))
    if not sent.is_whole:
        return _visit_page(visit, sent), 422
    say = f"{visit.student.name} is evaluated"
    try:
        operations.evaluate(visit, **sent.said, actor=current_user)
    except DomainError as refusal:
        return _refused(visit_id, sent, refusal)
    return go_to(url_for("evaluations.index"), say=say)


@bp.post(f"{OF_VISIT}/evaluation/correct")
@requires(Permission.DECIDE_GATE)
def correct(visit_id: int) -> ResponseReturnValue:
    """Correct one's own marks, with a reason."""
    visit, form = evaluations.visit_to_evaluate(current_user, visit_id) or abort(404), CorrectForm(request.form)
    sent = _read(visit, form)
    if not sent.is_whole:
        return _visit_page(visit, sent), 422
    said = {name: form[name].data for name in ("comment", "reason", "version")}
    try:
        operations.correct_evaluation(visit, marks=sent.marks, **said, actor=current_user)
    except DomainError as refusal:
        return _refused(visit_id, sent, refusal)
    return go_to(url_for(".show", visit_id=visit_id), say="Corrected; the former marks are kept")


# --- pages ------------------------------------------------------------------------------------------------------------


def _visit(visit_id: int) -> Visit:
    """A visit in which the viewer is the student, or that is theirs to evaluate. 404 otherwise."""
    own = evaluations.visit_to_assess(current_user, visit_id)
    return own or evaluations.visit_to_evaluate(current_user, visit_id) or abort(404)


def _read(visit: Visit, fields: MarksForm) -> Sent:
    """What was sent, read on the form on which this visit is marked."""
    form, _code, _number = _form(evaluations.evaluation_in(visit), fields.form_code.data or "")
    marks, wrong = read_marks(form, request.form)
    return Sent(fields, marks, wrong, fields.validate() and not wrong)


def _refused(visit_id: int, sent: Sent, refusal: DomainError) -> ResponseReturnValue:
    """The page as it stands now, with what was typed."""
    sessions.take_back()
    sent.refusal = refusal.sentence
    return _visit_page(_visit(visit_id), sent), refusal.status


def _form(whole: Whole | None, code: str) -> tuple[Form, str, int]:
    """The form to mark on, its code and number: that on which the evaluation was begun, else the one asked for, else the first."""
    begun = whole and (whole.own or whole.given)
    if begun:
        return begun.form, begun.form.code, _number(begun)
    rows = evaluations.forms_in_use()
    if not rows:
        raise DomainError("No evaluation form is in use. Ask an administrator to bring one back.")
    row = next((each for each in rows if each.code == code), rows[0])
    return form_from(row.body), row.code, row.number


def _number(marked: Marked) -> int:
    return marked.marking.form_row.number


def _visit_page(visit: Visit, sent: Sent | None = None) -> str:
    whole = evaluations.evaluation_in(visit)
    form, code, number = _form(whole, sent.fields.form_code.data or "" if sent else request.args.get("form", ""))
    is_own = visit.student_id == current_user.id
    given, own = (whole.given, whole.own) if whole else (None, None)
    prefilled = given if given else own if is_own else None
    fields = CorrectForm(
        version=whole.evaluation.version if whole else 0,
        form_code=code,
        form_number=number,
        comment=prefilled.marking.comment if prefilled else "",
    )
    if sent:  # what was typed stays; the version and the form are those that stand now
        fields.comment = sent.fields.comment
        fields.reason = getattr(sent.fields, "reason", fields.reason)
    act = "correct" if given else "assess" if is_own else "mark"
    return render_template(
        "evaluations/visit.html",
        visit=visit,
        patient=patient_for(current_user, visit.patient_id),
        whole=whole,
        form=form,
        fields=fields,
        act=act,
        may_mark=_may_mark(visit, whole, is_own),
        why_not=_why_not(visit, whole, is_own),
        typed=sent.typed if sent else _typed(prefilled),
        wrong=sent.wrong if sent else {},
        refusal=sent.refusal if sent else "",
        is_own=is_own,
        stands=how_it_stands(whole) if whole else "",
        offered=[] if whole else evaluations.forms_in_use(),
        steps=range(1, STEPS + 1),
        field_of=FIELD,
        not_seen=NOT_SEEN,
    )


def _may_mark(visit: Visit, whole: Whole | None, is_own: bool) -> bool:
    if whole and whole.given:
        return not is_own and whole.given.marking.by_id == current_user.id
    return not _why_not(visit, whole, is_own)


def _why_not(visit: Visit, whole: Whole | None, is_own: bool) -> str:
    """Why the viewer cannot mark yet, as a sentence; empty when they can or somebody has."""
    if is_own or (whole and whole.given):
        return ""
    return operations.why_not_yet(visit, whole)


def _typed(marked: Marked | None) -> dict[str, str]:
    return {code: str(step or NOT_SEEN) for code, step in marked.marks.items()} if marked else {}


def _student_page(student: User) -> str:
    page = evaluations.evaluations_of(current_user, student.id, **place())
    wholes = [read(each) for each in page.rows]
    forms = [whole.form for whole in reversed(wholes) if whole.form]
    labels = labels_of([form_from(row.body) for row in evaluations.forms_now()] + forms)
    return render_template(
        "evaluations/student.html",
        student=student,
        page=page,
        wholes=wholes,
        trends=trends_of(evaluations.trend_of(current_user, student.id), labels),
        seen=evaluations.seen_visits(current_user, [each.visit_id for each in page.rows]),
        is_own=student.id == current_user.id,
    )
