"""Evaluating a student's work in a visit: themselves first, then a supervisor; and the clinic's forms.

Nothing that was marked is changed: a self-assessment written anew and a correction are further rows, each with a copy of the form. Locks:
the visit, then its evaluation.
"""

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from clinic import audit, clock, settings
from clinic.canonical import digest
from clinic.errors import Conflict, DomainError, NotAllowed
from clinic.evaluation.form import Form, Marks, NoForm, form_from, shipped, why_no_marks, written
from clinic.extensions import db
from clinic.formatting import day as day_words
from clinic.formatting import when
from clinic.models import Evaluation, EvaluationForm, Mark, Marking, Role, User, Visit, VisitStatus
from clinic.operations.chart import needed
from clinic.operations.deciding import is_given_to
from clinic.operations.locks import locked
from clinic.operations.notices import tell
from clinic.queries import evaluations as found
from clinic.queries.evaluations import Whole, form_of, forms_ever, forms_in_use, forms_now

MOST_COMMENT = 2000


def assess_self(
    visit: Visit, *, form_code: str, form_number: int, marks: Marks, comment: str, version: int, actor: User
) -> Evaluation:
    """What the visit's student thinks of their own work; written anew as long as no supervisor has marked.

    `version`: of the evaluation that the page showed, 0 for none. Raises Conflict when it is other by now.
    """
    visit = locked(Visit, visit.id)
    if actor.role is not Role.STUDENT or visit.student_id != actor.id:
        raise NotAllowed("Only the visit's student assesses themselves.")
    if not is_given_to(actor, visit.patient_id):
        raise NotAllowed("You are not given this patient any more.")
    if visit.status not in (VisitStatus.ARRIVED, VisitStatus.COMPLETED):
        raise DomainError("The patient has not come for this visit. There is nothing to assess yet.")
    whole = _standing(visit, version)
    if whole and whole.given:
        raise DomainError(f"{how_it_stands(whole)} A self-assessment comes before that.")
    form = _form_to_mark_on(whole, form_code, form_number)
    _check_marks(form, marks, comment)
    evaluation = whole.evaluation if whole else _begun(visit)
    evaluation.self_number += 1
    _mark(evaluation, form, marks, comment, is_self=True, number=evaluation.self_number, actor=actor)
    _record("evaluation.assess", "Assessed themselves", evaluation, marks, actor)
    return evaluation


def evaluate(
    visit: Visit, *, form_code: str, form_number: int, marks: Marks, comment: str, version: int, actor: User
) -> Evaluation:
    """A supervisor's marks, on the form on which the student assessed themselves, if they did. The student is told."""
    visit = locked(Visit, visit.id)
    check_may_evaluate(visit, actor)
    whole = _standing(visit, version)
    if whole and whole.given:
        raise Conflict(f"{how_it_stands(whole)} Only they correct it.")
    if why := why_not_yet(visit, whole):
        raise DomainError(why)
    form = _form_to_mark_on(whole, form_code, form_number)
    _check_marks(form, marks, comment)
    evaluation = whole.evaluation if whole else _begun(visit)
    evaluation.number = 1
    _mark(evaluation, form, marks, comment, is_self=False, number=1, actor=actor)
    _record("evaluation.mark", "Evaluated", evaluation, marks, actor)
    _tell_student(evaluation, f"{actor.name} evaluated your visit of {day_words(evaluation.day)}.", "evaluation.mark")
    return evaluation


def correct_evaluation(
    visit: Visit, *, marks: Marks, comment: str, reason: str, version: int, actor: User
) -> Evaluation:
    """Whoever marked marks anew, with a reason; the former marks are kept and shown. The student is told."""
    visit = locked(Visit, visit.id)
    check_may_evaluate(visit, actor)
    whole = _standing(visit, version)
    if whole is None or whole.given is None:
        raise DomainError("There is nothing to correct: nobody has evaluated this visit yet.")
    if whole.given.marking.by_id != actor.id:
        raise NotAllowed(f"{whole.given.marking.by.name} marked this. Only they correct it.")
    told = needed(reason, "Write why you correct it; the student reads that.")
    if dict(marks) == whole.given.marks and comment.strip() == whole.given.marking.comment:
        raise DomainError("Nothing is other than before. There is nothing to correct.")
    evaluation, former = whole.evaluation, whole.given
    row = db.session.get_one(EvaluationForm, former.marking.form_id)
    _check_marks(row, marks, comment)
    evaluation.number += 1
    _mark(evaluation, row, marks, comment, is_self=False, number=evaluation.number, reason=told, actor=actor)
    _record("evaluation.correct", "Corrected the evaluation of", evaluation, marks, actor, former.marks, told)
    said = f"{actor.name} corrected the evaluation of your visit of {day_words(evaluation.day)}: {told}"
    _tell_student(evaluation, said, "evaluation.correct")
    return evaluation


def check_may_evaluate(visit: Visit, actor: User) -> None:
    """Raise, with the sentence that says who can, unless this is a supervisor of the visit's department who is given the patient, or
    approved the dismissal. Nobody evaluates themselves."""
    if visit.student_id is None:
        raise DomainError("No student treats in this visit. There is nobody to evaluate.")
    if visit.student_id == actor.id:
        raise NotAllowed("Nobody evaluates themselves. A supervisor of the department does.")
    if actor.role is not Role.SUPERVISOR or not actor.active or actor.department_id != visit.department_id:
        raise NotAllowed("A supervisor of the visit's department evaluates its student.")
    if not is_given_to(actor, visit.patient_id) and not found.decided_dismissal(actor, visit):
        raise NotAllowed("You are not given this patient. Whoever dismissed them, or is given them, evaluates.")


def why_not_yet(visit: Visit, whole: Whole | None) -> str:
    """Why nobody evaluates this visit yet, as a sentence; empty when its time has come."""
    if not found.is_over(visit):
        return "The visit is not over. Its dismissal is approved first, then the student is evaluated."
    if settings.read("self_assessment") and not (whole and whole.own):
        student = db.session.get_one(User, visit.student_id)
        return f"{student.name} assesses themselves first, on the visit's page. You evaluate after that."
    return ""


def how_it_stands(whole: Whole) -> str:
    """Who marked, and when."""
    last = whole.given or whole.own
    assert last is not None
    did = "corrected this evaluation" if last.marking.reason else "marked this"
    return f"{last.marking.by.name} {did} on {when(last.marking.at)}."


# --- the clinic's forms -----------------------------------------------------------------------------------------------


def publish_evaluation_form(
    *, code: str | None, title: str, steps: str, criteria: str, seen: int, actor: User
) -> EvaluationForm:
    """A form as the clinic wants it from now on: the next number, or number 1 of a new one. What was marked keeps its own.

    `code`: of the form that is changed, None for a new one; `seen`: its newest number when the page was opened. Raises DomainError when
    it is no form, Conflict when somebody was faster.
    """
    former = _in_table(code) if code else None
    try:
        form = written(title, steps, criteria, code=former.code if former else None, ever=forms_ever())
    except NoForm as error:
        raise DomainError(str(error)) from None
    same = [each.title for each in forms_now() if each.title.casefold() == form.title.casefold()]
    if former is None and same:
        raise DomainError(f"“{same[0]}” is there already. Give this form another title, or change that one.")
    if (former.number if former else 0) != seen:
        raise Conflict(_meanwhile(former))
    if former is not None and former.body == form.body and former.retired_at is None:
        return former
    if not _put(form, number=seen + 1, published_by_id=actor.id):
        raise Conflict(_meanwhile(form_of(form.code)))
    made = form_of(form.code)
    assert made is not None
    said = f"Published the evaluation form “{made.title}”: number {made.number}"
    audit.record("evaluation.publish", said, actor=actor, subject=made)
    return made


def retire_evaluation_form(code: str, *, version: int, is_retired: bool, actor: User) -> EvaluationForm:
    """Evaluate on it no longer, or again; what was marked stays. One form at least stays in use."""
    _lock_forms()
    row = locked(EvaluationForm, _in_table(code).id)
    if row.version != max(version, 1):
        raise Conflict(
            f"Somebody changed “{row.title}” meanwhile. It is {'retired' if row.retired_at else 'in use'} now."
        )
    if bool(row.retired_at) is is_retired:
        return row
    if is_retired and [each.code for each in forms_in_use()] == [code]:
        raise DomainError("This is the only form in use. Publish another one first.")
    row.retired_at = clock.now() if is_retired else None
    db.session.flush()
    did = "retire" if is_retired else "bring_back"
    said = f"{'Retired' if is_retired else 'Brought back'} the evaluation form “{row.title}”"
    audit.record(f"evaluation.{did}", said, actor=actor, subject=row)
    return row


def _meanwhile(newest: EvaluationForm | None) -> str:
    if newest is None:
        return "This form is not there any more. Reload the page."
    who = db.session.get_one(User, newest.published_by_id).name if newest.published_by_id else "Somebody"
    return (
        f"{who} published number {newest.number} on {when(newest.published_at)}, after you opened this. Both are below."
    )


def _lock_forms() -> None:
    """Lock every form, read anew: of two who each retire another one the slower sees what the faster did."""
    rows = select(EvaluationForm).order_by(EvaluationForm.id).with_for_update()
    db.session.execute(rows.execution_options(populate_existing=True)).all()


def _in_table(code: str) -> EvaluationForm:
    """The newest row of a form; of one that came with Chairside put there when it is first wanted."""
    row = form_of(code)
    if row is None:
        raise DomainError("There is no such form. Reload the page.")
    if row.id is None:
        _put(form_from(shipped(code)), number=1, published_by_id=None)
        row = form_of(code)
        assert row is not None
    return row


def _put(form: Form, *, number: int, published_by_id: int | None) -> bool:
    """Add a number of a form; False when somebody else has, at the same moment."""
    row = {"code": form.code, "number": number, "title": form.title, "body": form.body, "version": 1}
    row |= {"sha256": digest(form.body), "published_at": clock.now()}
    try:
        # In no savepoint: a deadlock must come out as one, so that the act is redone.
        db.session.execute(insert(EvaluationForm.__table__).values(row | {"published_by_id": published_by_id}))  # type: ignore[arg-type]
    except IntegrityError:
        return False
    return True


# --- parts ------------------------------------------------------------------------------------------------------------


def _standing(visit: Visit, version: int) -> Whole | None:
    """The evaluation as it stands, its row locked. Raises Conflict when it is other than the page showed."""
    held = select(Evaluation.id).where(Evaluation.visit_id == visit.id, Evaluation.student_id == visit.student_id)
    db.session.execute(held.with_for_update())
    whole = found.evaluation_in(visit)
    if (whole.evaluation.version if whole else 0) != version:
        raise Conflict(how_it_stands(whole) if whole else "This evaluation is not there any more. Reload the page.")
    return whole


def _begun(visit: Visit) -> Evaluation:
    evaluation = Evaluation(
        visit_id=visit.id,
        student_id=visit.student_id,
        department_id=visit.department_id,
        day=clock.local(visit.arrived_at or visit.starts_at).date(),
        self_number=0,
        number=0,
    )
    db.session.add(evaluation)
    return evaluation


def _form_to_mark_on(whole: Whole | None, code: str, number: int) -> EvaluationForm:
    """That on which it was begun; else the one that the page showed, if it is still in use as it was."""
    if whole is not None and (begun := whole.own or whole.given):
        row = db.session.get_one(EvaluationForm, begun.marking.form_id)
        if (row.code, row.number) == (code, number):
            return row
        raise Conflict("The student assessed themselves on another form meanwhile. Mark on that one.")
    row = _in_table(code)
    if row.number != number or row.retired_at is not None:
        raise Conflict("The form was changed after you opened it. Mark on the form as it is now.")
    return row


def _check_marks(form: EvaluationForm, marks: Marks, comment: str) -> None:
    if why := why_no_marks(form_from(form.body), marks):
        raise DomainError(why)
    if len(comment.strip()) > MOST_COMMENT:
        raise DomainError(f"A comment has at most {MOST_COMMENT} letters.")


def _mark(
    evaluation: Evaluation,
    form: EvaluationForm,
    marks: Marks,
    comment: str,
    *,
    is_self: bool,
    number: int,
    reason: str = "",
    actor: User,
) -> None:
    db.session.flush()
    marking = Marking(
        evaluation_id=evaluation.id,
        is_self=is_self,
        number=number,
        form_id=form.id,
        form=form.body,
        comment=comment.strip(),
        reason=reason,
        by_id=actor.id,
        at=clock.now(),
    )
    db.session.add(marking)
    db.session.flush()
    db.session.add_all(Mark(marking_id=marking.id, criterion=code, step=step) for code, step in marks.items())
    db.session.flush()


def _record(
    act: str,
    did: str,
    evaluation: Evaluation,
    marks: Marks,
    actor: User,
    before: Marks | None = None,
    reason: str | None = None,
) -> None:
    """Not an event of the patient's record: an evaluation is the student's."""
    student = db.session.get_one(User, evaluation.student_id)
    whom = "" if student.id == actor.id else f" {student.name}"
    audit.record(
        act,
        f"{did}{whom} in visit {evaluation.visit_id} of {day_words(evaluation.day)}",
        actor=actor,
        subject=evaluation,
        before={"marks": dict(before)} if before else None,
        after={"marks": dict(marks)},
        reason=reason,
    )


def _tell_student(evaluation: Evaluation, sentence: str, kind: str) -> None:
    tell(evaluation.student_id, sentence, kind=kind, url="/evaluations")
