"""A visit and its two gates: where it stands, preparing them, deciding them, also at the student's terminal; work that is unapproved."""

from datetime import timedelta
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import clock, htmx, live, once, sessions
from clinic.access import Permission, may, requires
from clinic.approvals.gate_dismiss import dismissal_facts
from clinic.approvals.gate_start import start_facts
from clinic.blueprints.gates.forms import DismissForm, ExtensionForm, HereForm, ReturnOneForm, StartForm, TeethForm
from clinic.chart.words import sentence
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.forms import VersionForm
from clinic.models import Gate, GateKind, GateStatus, Visit
from clinic.operations import extensions
from clinic.operations import gates as operations
from clinic.queries import evaluations, gates, unapproved
from clinic.queries.chart import charted_for
from clinic.queries.history import reviewed_on
from clinic.queries.live import care_topics, own_topics
from clinic.queries.patients import patient_for

bp = Blueprint("gates", __name__)
EXTENSION = timedelta(days=7)  # that is offered first
OF_VISIT = "/visits/<int:visit_id>"
OF_GATE = f"{OF_VISIT}/gates/<int:gate_id>"


@bp.get(OF_VISIT)
@requires(Permission.OPEN_PATIENT)
def visit(visit_id: int) -> ResponseReturnValue:
    """One visit: where it stands, and who approved what of it."""
    return render_template("gates/visit.html", **_standing(visit_id))


@bp.get(f"{OF_VISIT}/standing")
@requires(Permission.OPEN_PATIENT, background=True)
def standing(visit_id: int) -> ResponseReturnValue:
    """Where the visit stands, as a region; 204 while nothing has changed since it was drawn."""
    if request.args.get("since", type=int) == _newest(is_own="own" in request.args):
        return "", 204
    return render_template("gates/_standing.html", **_standing(visit_id))


# --- preparing --------------------------------------------------------------------------------------------------------


@bp.get(f"{OF_VISIT}/start")
@requires(Permission.PREPARE_GATE)
def start(visit_id: int) -> ResponseReturnValue:
    """The form with which a start is prepared."""
    return _start_page(_own(visit_id), StartForm())


@bp.post(f"{OF_VISIT}/start")
@requires(Permission.PREPARE_GATE)
def prepare_start(visit_id: int) -> ResponseReturnValue:
    """Lay a start before a supervisor."""
    own, form = _own(visit_id), StartForm(request.form)
    if not form.validate():
        return _start_page(own, form), 422
    try:
        operations.prepare_start(own, form.ready, words=form.words.data or "", actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _start_page(_own(visit_id), form, refusal.sentence), refusal.status
    return htmx.go_to(url_for("gates.visit", visit_id=visit_id), say="Sent to the supervisors")


@bp.get(f"{OF_VISIT}/dismissal")
@requires(Permission.PREPARE_GATE)
def dismissal(visit_id: int) -> ResponseReturnValue:
    """What the visit changed, as it is laid before a supervisor."""
    return _dismissal_page(_own(visit_id), DismissForm())


@bp.post(f"{OF_VISIT}/dismissal")
@requires(Permission.PREPARE_GATE)
def prepare_dismissal(visit_id: int) -> ResponseReturnValue:
    """Lay what the visit changed before a supervisor."""
    own, form = _own(visit_id), DismissForm(request.form)
    if not form.validate():
        return _dismissal_page(own, form), 422
    try:
        operations.prepare_dismissal(own, words=form.words.data or "", seen=form.seen.data, actor=current_user)
    except DomainError as refusal:
        sessions.take_back()
        return _dismissal_page(_own(visit_id), form, refusal.sentence), refusal.status
    return htmx.go_to(url_for("gates.visit", visit_id=visit_id), say="Sent to the supervisors")


@bp.post(f"{OF_GATE}/withdraw")
@requires(Permission.PREPARE_GATE)
def withdraw(visit_id: int, gate_id: int) -> ResponseReturnValue:
    """Take back what one laid before a supervisor."""
    gate, form = _gate(visit_id, gate_id), VersionForm(request.form).checked()
    operations.withdraw_gate(gate.id, version=form.version.data, actor=current_user)
    return htmx.go_to(url_for("gates.visit", visit_id=visit_id), say="Taken back")


# --- at the student's terminal ----------------------------------------------------------------------------------------


@bp.get(OF_GATE)
@requires(Permission.PREPARE_GATE, changes=False)
def show(visit_id: int, gate_id: int) -> ResponseReturnValue:
    """One start or dismissal as it was prepared; while it waits, a supervisor approves it here by their own PIN."""
    gate = _gate(visit_id, gate_id)
    return _gate_page(gate, HereForm(version=gate.version))


# No key: its row would keep a fingerprint of the PIN. Sent twice, the second finds it decided.
@bp.post(f"{OF_GATE}/here")
@requires(Permission.PREPARE_GATE, needs_key=False)
def approve_here(visit_id: int, gate_id: int) -> ResponseReturnValue:
    """Approve in this session by a supervisor's own PIN, for this approval alone."""
    gate = _gate(visit_id, gate_id)
    form = HereForm(request.form).offer(gates.deciders_of(gate))
    if not form.validate():
        return _gate_page(gate, form), 422
    try:
        approved = _approved_by_pin(gate, form)
    except DomainError as refused:
        sessions.take_back()
        return _gate_page(_gate(visit_id, gate_id), form, refused.sentence), refused.status
    if not approved:
        refusal = "This PIN is not right. Nothing was approved."
        return once.commit((_gate_page(_gate(visit_id, gate_id), form, refusal), 422))
    return once.commit(redirect(url_for("gates.visit", visit_id=visit_id), 303))


# --- deciding ---------------------------------------------------------------------------------------------------------


@bp.post("/gates/<int:gate_id>/approve")
@requires(Permission.DECIDE_GATE)
def approve(gate_id: int) -> ResponseReturnValue:
    """Approve a start, with the tooth of what cannot be undone as the supervisor entered it."""
    gate = gates.decidable_gate(current_user, gate_id, GateKind.START) or abort(404)
    form = TeethForm(request.form).checked()
    said = f"Started: {gate.patient.name}"
    operations.approve_start(gate.id, version=form.version.data, entered=form.entered(request.form), actor=current_user)
    return htmx.go_to(url_for("approvals.index"), say=said)


# No key: it may come as often as it likes, and is kept once.
@bp.post("/gates/<int:gate_id>/items/<int:gate_item_id>/opened")
@requires(Permission.DECIDE_GATE, needs_key=False)
def open_one(gate_id: int, gate_item_id: int) -> ResponseReturnValue:
    """The supervisor has opened one thing by itself. Called by js/opened.js."""
    gate = gates.decidable_gate(current_user, gate_id, GateKind.DISMISS) or abort(404)
    operations.open_item(gate.id, gate_item_id, actor=current_user)
    return once.commit(("", 204))


@bp.post("/gates/<int:gate_id>/items/<int:gate_item_id>/approve")
@requires(Permission.DECIDE_GATE)
def approve_one(gate_id: int, gate_item_id: int) -> ResponseReturnValue:
    """Approve one thing that a visit changed."""
    gate = gates.decidable_gate(current_user, gate_id, GateKind.DISMISS) or abort(404)
    form = VersionForm(request.form).checked()
    name = gate.patient.name
    gate = operations.approve_item(gate.id, gate_item_id, version=form.version.data, actor=current_user)
    return _on(gate, name)


@bp.post("/gates/<int:gate_id>/items/<int:gate_item_id>/return")
@requires(Permission.DECIDE_GATE)
def return_one(gate_id: int, gate_item_id: int) -> ResponseReturnValue:
    """Return one thing that a visit changed, with a reason."""
    gate = gates.decidable_gate(current_user, gate_id, GateKind.DISMISS) or abort(404)
    form = ReturnOneForm(request.form).checked()
    name = gate.patient.name
    gate = operations.return_item(
        gate.id, gate_item_id, version=form.version.data, reason=form.reason.data, actor=current_user
    )
    return _on(gate, name)


# --- unapproved work --------------------------------------------------------------------------------------------------


@bp.get("/unapproved")
@requires(Permission.PREPARE_GATE)
def ageing() -> ResponseReturnValue:
    """Whose work is unapproved, and for how long: a supervisor's students, or one's own."""
    rows = unapproved.ageing_for(current_user)
    own = (
        unapproved.work_of(current_user, current_user.id)
        if unapproved.student_for(current_user, current_user.id)
        else []
    )
    return render_template("gates/ageing.html", rows=rows, own=own, days=(unapproved.FRESH, unapproved.OLD))


@bp.get("/unapproved/<int:student_id>")
@requires(Permission.DECIDE_GATE)
def ageing_of(student_id: int) -> ResponseReturnValue:
    """What of a student's work is unapproved, and until when they have more time."""
    return _student_page(student_id, ExtensionForm(until=clock.today() + EXTENSION))


@bp.post("/unapproved/<int:student_id>")
@requires(Permission.DECIDE_GATE)
def extend(student_id: int) -> ResponseReturnValue:
    """Give a student more time."""
    student = unapproved.student_for(current_user, student_id) or abort(404)
    form = ExtensionForm(request.form)
    if not form.validate():
        return _student_page(student_id, form), 422
    name, until = student.name, form.until.data
    assert until is not None
    extensions.extend(student.id, until=until, reason=form.reason.data, actor=current_user)
    return htmx.go_to(url_for("gates.ageing_of", student_id=student_id), say=f"{name} has more time")


# --- pages ------------------------------------------------------------------------------------------------------------


def _own(visit_id: int) -> Visit:
    """A visit of a patient whom the viewer is given. 404 otherwise."""
    return gates.visit_to_prepare(current_user, visit_id) or abort(404)


def _gate(visit_id: int, gate_id: int) -> Gate:
    return gates.gate_of(current_user, visit_id, gate_id) or abort(404)


def _approved_by_pin(gate: Gate, form: HereForm) -> bool:
    """Whether the PIN was the supervisor's, and the gate is approved by them; the try is counted whatever becomes of it."""
    operations.count_pin(form.supervisor.data, actor=current_user)
    db.session.commit()
    supervisor = operations.prove_pin(gate, form.supervisor.data, form.pin.data, actor=current_user)
    if supervisor is None:
        return False
    how = {"version": form.version.data, "actor": supervisor, "session_of": current_user}
    if gate.kind is GateKind.START:
        operations.approve_start(gate.id, entered=form.entered(request.form), **how)
    else:
        operations.approve_dismissal(gate.id, **how)
    return True


def _newest(*, is_own: bool) -> int:
    """Whoever treats hears of their own visits, others of the departments' queues."""
    return live.newest((own_topics if is_own else care_topics)(current_user))


def _standing(visit_id: int) -> dict[str, Any]:
    """What the visit's page shows; `seen` is read before the rest."""
    own, others = _newest(is_own=True), _newest(is_own=False)
    found = gates.visit_seen(current_user, visit_id) or abort(404)
    is_own = found.student_id == current_user.id
    clinical = may(current_user, Permission.VIEW_CHART)
    evaluates = evaluations.side_of(current_user, found)
    return {
        "evaluates": evaluates,
        "evaluation": evaluations.evaluation_in(found) if evaluates else None,
        "is_over": bool(evaluates) and evaluations.is_over(found),
        "visit": found,
        "patient": patient_for(current_user, found.patient_id),
        "place": gates.place_of(found.id),
        "gates": gates.gates_of(found.id),
        "standing": gates.standing_of(found) if clinical else None,
        "started": gates.started_in(found) is not None,
        "may_prepare": may(current_user, Permission.PREPARE_GATE)
        and gates.visit_to_prepare(current_user, visit_id) is not None,
        "start_stages": operations.START_STAGES,
        "dismiss_stages": operations.DISMISS_STAGES,
        "is_own": is_own,
        "seen": own if is_own else others,
    }


def _start_page(own: Visit, form: StartForm, refusal: str = "") -> str:
    charted = charted_for(current_user, own.patient_id) or abort(404)
    mouth = charted.mouth
    planned = [
        (entry, sentence(entry, numbering=current_user.numbering, kinds=mouth.kinds))
        for entry in gates.startable(mouth)
    ]
    radiographs, consents = gates.pictures_and_consents(own.patient_id)
    form.offer(charted.patient.active_alerts, planned, radiographs, consents)
    return render_template(
        "gates/start.html",
        visit=own,
        patient=charted.patient,
        form=form,
        planned=planned,
        guarded=gates.GUARDED,
        radiographs=radiographs,
        consents=consents,
        reviewed=reviewed_on(own.patient_id, clock.today()),
        refusal=refusal,
    )


def _dismissal_page(own: Visit, form: DismissForm, refusal: str = "") -> str:
    found = gates.standing_of(own)
    form.seen.data = found.sha256
    patient = patient_for(current_user, own.patient_id) or abort(404)
    return render_template(
        "gates/dismissal.html",
        visit=own,
        patient=patient,
        form=form,
        standing=found,
        approved=gates.approved_before(own.id),
        is_assessed=evaluations.is_self_assessed(own),
        refusal=refusal,
    )


def _gate_page(gate: Gate, form: HereForm, refusal: str = "") -> str:
    """A gate as it was prepared; the version that the form carries stays the one that was seen."""
    waits = gate.status is GateStatus.PENDING
    supervisors = gates.deciders_of(gate) if waits and gates.visit_to_prepare(current_user, gate.visit_id) else []
    form.offer(supervisors)
    is_start = gate.kind is GateKind.START
    found = start_facts(current_user, gate) if is_start else dismissal_facts(current_user, gate)
    return render_template(
        "gates/show.html",
        gate=gate,
        form=form,
        refusal=refusal,
        stands=operations.how_it_stands(gate),
        supervisors=supervisors,
        is_start=is_start,
        **found,
    )


def _student_page(student_id: int, form: ExtensionForm) -> str:
    student = unapproved.student_for(current_user, student_id) or abort(404)
    return render_template(
        "gates/student.html",
        student=student,
        work=unapproved.work_of(current_user, student_id),
        extension=unapproved.extension_of(student_id),
        form=form,
    )


def _on(gate: Gate, name: str) -> ResponseReturnValue:
    """On with the same dismissal while something of it waits, else back to the inbox."""
    if gate.status is GateStatus.PENDING:
        return htmx.go_to(url_for("approvals.show", kind="gate-dismiss", item_id=gate.id))
    say = f"Dismissed: {name}" if gate.status is GateStatus.APPROVED else f"Returned: {name}"
    return htmx.go_to(url_for("approvals.index"), say=say)
