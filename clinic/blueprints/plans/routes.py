"""A patient's plans of treatment: the list, one of them, writing, sending, approving, accepting, estimates as prints."""

from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict
from wtforms.fields.choices import SelectChoice

from clinic import audit, money, once, sessions
from clinic.access import Permission, requires
from clinic.blueprints.chart_versions.documents import answer_with, holds
from clinic.blueprints.plans.forms import (
    AcceptForm,
    ApproveForm,
    ChangedItemForm,
    ChangedOptionForm,
    ItemForm,
    OptionForm,
    PlanForm,
)
from clinic.blueprints.plans.paper import print_of
from clinic.errors import Conflict, DomainError
from clinic.extensions import db
from clinic.forms import VersionForm
from clinic.htmx import go_to, place
from clinic.models import Estimate, Patient, Plan, PlanItem, PlanOption, PlanStatus
from clinic.operations import plans as operations
from clinic.plans.estimate import said
from clinic.plans.order import PHASES, steps_of, sums_of
from clinic.prints import pdf_of
from clinic.queries import plans as queries
from clinic.queries.chart import catalogue, mouth_of
from clinic.queries.patients import patient_for

bp = Blueprint("plans", __name__)
OF_PATIENT = "/patients/<int:patient_id>/plans"
OF_PLAN = f"{OF_PATIENT}/<int:plan_id>"
OF_OPTION = f"{OF_PLAN}/options/<int:option_id>"
OF_ITEM = f"{OF_OPTION}/items/<int:plan_item_id>"


# --- to read ----------------------------------------------------------------------------------------------------------


@bp.get(OF_PATIENT)
@requires(Permission.VIEW_NOTES)
def index(patient_id: int) -> ResponseReturnValue:
    """The treatment plans of a patient, newest first."""
    return _listed(_patient(patient_id), PlanForm())


@bp.get(OF_PLAN)
@requires(Permission.VIEW_NOTES)
def show(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """One treatment plan with its options."""
    patient, plan = _patient(patient_id), _plan(patient_id, plan_id)
    accepted = next((each for each in plan.options if plan.acceptance and each.id == plan.acceptance.option_id), None)
    mouth = mouth_of(patient.id)
    return render_template(
        "plans/show.html",
        patient=patient,
        plan=plan,
        accepted=accepted,
        turns=queries.turns_of(accepted, mouth.entries) if accepted else [],
        standings=[(each, queries.standing_of(each)) for each in reversed(plan.estimates)],
        accepted_words=queries.accepted_words,
        **_words(mouth.kinds),
    )


@bp.get(f"{OF_PLAN}/estimates/<int:number>.pdf")
@requires(Permission.VIEW_NOTES)
def pdf(patient_id: int, plan_id: int, number: int) -> ResponseReturnValue:
    """The print of an estimate. Nothing of the database is held while it is printed; it is told before a byte leaves."""
    patient = _patient(patient_id)
    estimate = queries.estimate_for(current_user, patient_id, plan_id, number) or abort(404)
    document, name, what = (
        print_of(estimate),
        f"{patient.code}-{estimate.code}.pdf",
        f"{estimate.code} of {patient.code}",
    )
    db.session.commit()
    content = b"" if holds(document.digest) else pdf_of(document)
    audit.record("plan.print", f"Printed the estimate {what}", actor=current_user, patient=patient_id)
    return once.commit(answer_with(content, type="application/pdf", name=name, etag=document.digest))


@bp.get(f"{OF_PLAN}/signature.png")
@requires(Permission.VIEW_NOTES)
def signature(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """The signature under a plan."""
    image = queries.signature_for(current_user, patient_id, plan_id)
    return Response(image, content_type="image/png") if image else abort(404)


# --- to write ---------------------------------------------------------------------------------------------------------


@bp.post(OF_PATIENT)
@requires(Permission.WRITE_NOTES)
def begin(patient_id: int) -> ResponseReturnValue:
    """Begin a treatment plan."""
    patient, form = _patient(patient_id), PlanForm(request.form)
    if not form.validate():
        return _listed(patient, form), 422
    plan = operations.begin_plan(patient, name=form.name.data or "", actor=current_user)
    return go_to(_page(plan), say=f"Began the plan {plan.name}")


@bp.get(f"{OF_PLAN}/options/new")
@requires(Permission.WRITE_NOTES)
def adding_option(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """The form of a further option."""
    return _option_page(_plan(patient_id, plan_id), OptionForm())


@bp.post(f"{OF_PLAN}/options/new")
@requires(Permission.WRITE_NOTES)
def add_option(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """Add an option to a treatment plan."""
    plan, form = _plan(patient_id, plan_id), OptionForm(request.form)
    if not form.validate():
        return _option_page(plan, form), 422
    option = operations.add_option(plan.id, option=form.said, actor=current_user)
    return go_to(_page(plan, option), say=f"Added option {option.letter}")


@bp.get(OF_OPTION)
@requires(Permission.WRITE_NOTES)
def changing_option(patient_id: int, plan_id: int, option_id: int) -> ResponseReturnValue:
    """The form to change an option."""
    plan = _plan(patient_id, plan_id)
    option = _option(plan, option_id)
    return _option_page(plan, ChangedOptionForm(obj=option), option=option)


@bp.post(OF_OPTION)
@requires(Permission.WRITE_NOTES)
def change_option(patient_id: int, plan_id: int, option_id: int) -> ResponseReturnValue:
    """Change an option of a treatment plan."""
    plan = _plan(patient_id, plan_id)
    option, form = _option(plan, option_id), ChangedOptionForm(request.form)
    if not form.validate():
        return _option_page(plan, form, option=option), 422
    try:
        operations.change_option(option.id, version=form.version.data, option=form.said, actor=current_user)
    except Conflict as refusal:
        return _refused(_option_page, patient_id, plan_id, option_id, form=form, refusal=refusal)
    return go_to(_page(plan, option), say=f"Changed option {option.letter}")


@bp.post(f"{OF_OPTION}/remove")
@requires(Permission.WRITE_NOTES)
def remove_option(patient_id: int, plan_id: int, option_id: int) -> ResponseReturnValue:
    """Take an option out of a treatment plan."""
    plan = _plan(patient_id, plan_id)
    option, form = _option(plan, option_id), VersionForm(request.form).checked()
    say = f"Option {option.letter} is taken out"
    operations.remove_option(option.id, version=form.version.data, actor=current_user)
    return go_to(_page(plan), say=say)


@bp.get(f"{OF_OPTION}/items/new")
@requires(Permission.WRITE_NOTES)
def adding_item(patient_id: int, plan_id: int, option_id: int) -> ResponseReturnValue:
    """The form of a further item."""
    plan = _plan(patient_id, plan_id)
    option = _option(plan, option_id)
    return _item_page(plan, _item_form(ItemForm(), plan, option), option=option)


@bp.post(f"{OF_OPTION}/items/new")
@requires(Permission.WRITE_NOTES)
def add_item(patient_id: int, plan_id: int, option_id: int) -> ResponseReturnValue:
    """Add items to an option."""
    plan = _plan(patient_id, plan_id)
    option = _option(plan, option_id)
    form = _item_form(ItemForm(request.form), plan, option)
    if not form.validate():
        return _item_page(plan, form, option=option), 422
    try:
        rows = operations.add_items(option.id, item=form.said, actor=current_user)
    except DomainError as refusal:
        return _refused(_item_page, patient_id, plan_id, option_id, form=form, refusal=refusal)
    told = "; ".join(said(each.entry, catalogue(), current_user.numbering) for each in rows)
    return go_to(_page(plan, option), say=f"Added: {told}"[:300])


@bp.get(OF_ITEM)
@requires(Permission.WRITE_NOTES)
def changing_item(patient_id: int, plan_id: int, option_id: int, plan_item_id: int) -> ResponseReturnValue:
    """The form to change an item."""
    plan = _plan(patient_id, plan_id)
    option = _option(plan, option_id)
    item = _item(option, plan_item_id)
    chosen = {"after_id": str(item.after_id or ""), "problem_id": str(item.problem_id or ""), "phase": str(item.phase)}
    kept = {name: getattr(item, name) for name in ("version", "minutes", "visits")}
    form = ChangedItemForm(data=chosen | kept | {"price": money.plain(item.price, plan.currency)})
    return _item_page(plan, _item_form(form, plan, option, item), option=option, item=item)


@bp.post(OF_ITEM)
@requires(Permission.WRITE_NOTES)
def change_item(patient_id: int, plan_id: int, option_id: int, plan_item_id: int) -> ResponseReturnValue:
    """Change an item of an option."""
    plan = _plan(patient_id, plan_id)
    option = _option(plan, option_id)
    item = _item(option, plan_item_id)
    form = _item_form(ChangedItemForm(request.form), plan, option, item)
    if not form.validate():
        return _item_page(plan, form, option=option, item=item), 422
    try:
        operations.change_item(item.id, version=form.version.data, item=form.said, actor=current_user)
    except DomainError as refusal:
        return _refused(_item_page, patient_id, plan_id, option_id, plan_item_id, form=form, refusal=refusal)
    return go_to(_page(plan, option), say="Changed the item")


@bp.post(f"{OF_ITEM}/remove")
@requires(Permission.WRITE_NOTES)
def remove_item(patient_id: int, plan_id: int, option_id: int, plan_item_id: int) -> ResponseReturnValue:
    """Take an item out of an option."""
    plan = _plan(patient_id, plan_id)
    option = _option(plan, option_id)
    item, form = _item(option, plan_item_id), VersionForm(request.form).checked()
    operations.remove_item(item.id, version=form.version.data, actor=current_user)
    return go_to(_page(plan, option), say="The item is taken out")


# --- sent, decided, accepted ------------------------------------------------------------------------------------------


@bp.post(f"{OF_PLAN}/send")
@requires(Permission.WRITE_NOTES)
def send(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """Send a treatment plan to the supervisors."""
    plan, form = _plan(patient_id, plan_id), VersionForm(request.form).checked()
    estimate = operations.send_plan(plan.id, version=form.version.data, actor=current_user)
    return go_to(_page(plan), say=f"Sent as estimate {estimate.code}")


@bp.post(f"{OF_PLAN}/reopen")
@requires(Permission.WRITE_NOTES)
def reopen(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """Take a treatment plan back, to change it."""
    plan, form = _plan(patient_id, plan_id), VersionForm(request.form).checked()
    operations.reopen_plan(plan.id, version=form.version.data, actor=current_user)
    return go_to(_page(plan), say="It can be changed, and has to be sent anew")


@bp.post(f"{OF_PLAN}/approve")
@requires(Permission.APPROVE)
def approve(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """Approve options of a treatment plan."""
    plan = _plan(patient_id, plan_id)
    choices = [SelectChoice(str(each.id), each.letter) for each in plan.options]
    form = ApproveForm(request.form).of(choices).checked()
    told = {"version": form.version.data, "options": form.options.ids()}
    operations.approve_plan(plan.id, **told, actor=current_user)
    return go_to(url_for("approvals.index"), say=f"Approved of {plan.name}: {len(form.options.ids())}")


@bp.get(f"{OF_PLAN}/accept")
@requires(Permission.WRITE_NOTES)
def accepting(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """What the patient is shown to accept an option and sign."""
    patient, plan = _patient(patient_id), _plan(patient_id, plan_id)
    if plan.status is not PlanStatus.APPROVED:
        return go_to(_page(plan))
    return _accept_page(patient, plan, _accept_form(plan, data={"signed_by": patient.name}))


@bp.post(f"{OF_PLAN}/accept")
@requires(Permission.WRITE_NOTES)
def accept(patient_id: int, plan_id: int) -> ResponseReturnValue:
    """The patient accepts an option of a treatment plan."""
    patient, plan = _patient(patient_id), _plan(patient_id, plan_id)
    if plan.status is not PlanStatus.APPROVED:
        raise Conflict(operations.how_it_stands(plan))
    form = _accept_form(plan, request.form)
    if not form.validate():
        return _accept_page(patient, plan, form), 422
    told = {name: getattr(form, name).data or "" for name in ("seen", "signed_by", "signature")}
    try:
        operations.accept_plan(
            plan.id, option_id=int(form.option_id.data), on_paper=form.on_paper.data, actor=current_user, **told
        )
    except Conflict:
        raise
    except DomainError as refusal:
        sessions.take_back()
        plan = _plan(patient_id, plan_id)
        return _accept_page(_patient(patient_id), plan, form, refused=refusal.sentence), refusal.status
    return go_to(_page(plan), say=f"{patient.name} accepted; the items are planned on the chart")


# --- what the above share ---------------------------------------------------------------------------------------------


def _listed(patient: Patient, form: PlanForm) -> str:
    page = queries.plans_of(current_user, patient.id, **place())
    return render_template("plans/index.html", patient=patient, page=page, form=form)


def _option_page(plan: Plan, form: OptionForm, *, option: PlanOption | None = None, refusal: Any = None) -> str:
    patient = _patient(plan.patient_id)
    return render_template("plans/option.html", patient=patient, plan=plan, form=form, option=option, refusal=refusal)


def _item_page(
    plan: Plan, form: ItemForm, *, option: PlanOption, item: PlanItem | None = None, refusal: Any = None
) -> str:
    known = {"plan": plan, "option": option, "item": item, "form": form, "refusal": refusal}
    return render_template("plans/item.html", patient=_patient(plan.patient_id), **known, **_words(catalogue()))


def _item_form(form: Any, plan: Plan, option: PlanOption, item: PlanItem | None = None) -> Any:
    kinds, others = catalogue(), [each for each in option.items if item is None or each.id != item.id]
    items = [SelectChoice(str(each.id), said(each.entry, kinds, current_user.numbering)) for each in others]
    problems = queries.problems_to_choose(current_user, plan.patient_id, item.problem_id if item else None)
    return form.of(
        plan.currency,
        items,
        [SelectChoice(str(each.id), f"{each.code} {each.words}".strip()) for each in problems],
    )


def _refused(page: Any, patient_id: int, plan_id: int, *ids: int, form: Any, refusal: DomainError) -> Any:
    """The same form with what was typed, and why it was refused; nothing of the act stays. Where somebody else was faster, it is said
    over what stands now when it is sent once more."""
    sessions.take_back()
    plan = _plan(patient_id, plan_id)
    option = _option(plan, ids[0])
    item = _item(option, ids[1]) if len(ids) > 1 else None
    if isinstance(refusal, Conflict) and refusal.theirs:
        form.version.process(MultiDict({"version": str((item or option).version)}))
    known = {"item": item} if item else {}
    return page(plan, form, option=option, refusal=refusal, **known), refusal.status


def _accept_form(plan: Plan, sent: Any = None, **data: Any) -> AcceptForm:
    estimate: Estimate | None = plan.estimates[-1] if plan.estimates else None
    approved = estimate.approved_ids if estimate else set()
    options = [each for each in estimate.sent.options if each.id in approved] if estimate else []
    form = AcceptForm(sent, **data).of(
        [SelectChoice(str(each.id), f"Option {each.letter}: {each.name}") for each in options]
    )
    if sent is None and estimate:
        form.seen.data = estimate.sha256
    return form


def _accept_page(patient: Patient, plan: Plan, form: AcceptForm, *, refused: str = "") -> str:
    estimate = plan.estimates[-1] if plan.estimates else abort(404)
    sent = operations.as_sent(estimate)
    shown = [each for each in sent.options if each.id in estimate.approved_ids]
    known = {"estimate": estimate, "shown": shown, "form": form, "refused": refused}
    return render_template("plans/accept.html", patient=patient, plan=plan, **known, **_words(sent.kinds))


def _words(kinds: Any) -> dict[str, Any]:
    """How templates tell of items: in words, by the viewer's numbers of teeth, and what an option comes to."""
    numbering = current_user.numbering
    return {
        "said": lambda item: said(item.entry, kinds, numbering),
        "sums_of": sums_of,
        "steps_of": steps_of,
        "phases": PHASES,
    }


def _page(plan: Plan, option: PlanOption | None = None) -> str:
    address = url_for("plans.show", patient_id=plan.patient_id, plan_id=plan.id)
    return f"{address}#option-{option.letter}" if option else address


def _patient(patient_id: int) -> Patient:
    return patient_for(current_user, patient_id) or abort(404)


def _plan(patient_id: int, plan_id: int) -> Plan:
    return queries.plan_for(current_user, patient_id, plan_id) or abort(404)


def _option(plan: Plan, option_id: int) -> PlanOption:
    return next((each for each in plan.options if each.id == option_id), None) or abort(404)


def _item(option: PlanOption, item_id: int) -> PlanItem:
    return next((each for each in option.items if each.id == item_id), None) or abort(404)
