"""A patient's notes: the list, one of them, writing, signing, addenda, what was entered in error, prints."""

from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from clinic import audit, htmx, once, sessions
from clinic.access import Permission, requires
from clinic.blueprints.chart_versions.documents import answer_with, holds
from clinic.blueprints.notes.forms import AgainForm, ErrorForm, FilterForm, NoteForm, WordsForm
from clinic.blueprints.notes.paper import print_of
from clinic.chart import teeth
from clinic.errors import Conflict
from clinic.extensions import db
from clinic.forms import VersionForm
from clinic.htmx import go_to, place
from clinic.models import Note, NoteStatus, Patient
from clinic.notes.difference import difference
from clinic.notes.template import filled
from clinic.operations import notes as operations
from clinic.prints import pdf_of
from clinic.queries import notes as queries
from clinic.queries.documents import visits_to_choose
from clinic.queries.note_facts import facts_of, present_visit
from clinic.queries.note_templates import templates_to_choose
from clinic.queries.patients import patient_for

bp = Blueprint("notes", __name__)
OF_PATIENT = "/patients/<int:patient_id>/notes"
OF_NOTE = f"{OF_PATIENT}/<int:note_id>"


# --- to read ----------------------------------------------------------------------------------------------------------


@bp.get(OF_PATIENT)
@requires(Permission.VIEW_NOTES)
def index(patient_id: int) -> ResponseReturnValue:
    """The notes of a patient, newest first."""
    patient = _patient(patient_id)
    form = FilterForm(request.args).of(queries.authors_of(current_user, patient.id))
    page = queries.notes_of(current_user, patient.id, **form.chosen, **place())  # type: ignore[arg-type]
    chosen = {name: value for name, value in form.data.items() if value}
    unfinished = queries.unfinished_notes(current_user, patient.id)
    return render_template(
        "notes/index.html", patient=patient, page=page, form=form, chosen=chosen, unfinished=unfinished
    )


@bp.get(OF_NOTE)
@requires(Permission.VIEW_NOTES)
def show(patient_id: int, note_id: int) -> ResponseReturnValue:
    """One note with all that was signed of it."""
    return _shown(patient_id, note_id)


@bp.get(f"{OF_NOTE}.pdf")
@requires(Permission.VIEW_NOTES)
def pdf(patient_id: int, note_id: int) -> ResponseReturnValue:
    """The print of a note."""
    patient, note = _patient(patient_id), _note(patient_id, note_id)
    return _printed(patient, [note], "Note", f"{patient.code}-note-{note.id}.pdf", f"a note of {patient.code}")


@bp.get(f"{OF_PATIENT}.pdf")
@requires(Permission.VIEW_NOTES)
def all_pdf(patient_id: int) -> ResponseReturnValue:
    """The print of all notes of a patient, in the order in which they were written."""
    patient = _patient(patient_id)
    notes = queries.notes_to_print(current_user, patient.id)
    return _printed(patient, notes, "Notes", f"{patient.code}-notes.pdf", f"the notes of {patient.code}")


# --- to write ---------------------------------------------------------------------------------------------------------


@bp.get(f"{OF_PATIENT}/new")
@requires(Permission.WRITE_NOTES)
def new(patient_id: int) -> ResponseReturnValue:
    """The form of a note, begun from a template if one is chosen."""
    patient = _patient(patient_id)
    form = _begun(patient)
    return _writing(patient, form, templates=templates_to_choose(current_user))


@bp.post(f"{OF_PATIENT}/new")
@requires(Permission.WRITE_NOTES)
def sign(patient_id: int) -> ResponseReturnValue:
    """Sign a note."""
    patient = _patient(patient_id)
    form = NoteForm(request.form).prepared(current_user, visits_to_choose(current_user, patient.id))
    if not form.validate():
        return _writing(patient, form), 422
    note = operations.sign_note(patient, said=form.said, actor=current_user)
    return go_to(_list(note), say=f"Signed the note of {patient.name}")


@bp.get(f"{OF_NOTE}/again")
@requires(Permission.WRITE_NOTES)
def returned(patient_id: int, note_id: int) -> ResponseReturnValue:
    """A returned note, to be written anew by its author."""
    note = _note(patient_id, note_id)
    if note.author_id != current_user.id or note.status is not NoteStatus.RETURNED:
        return go_to(_page(note))
    form = AgainForm(data=_fields_of(note))
    form.prepared(current_user, visits_to_choose(current_user, patient_id, note.visit_id))
    return _writing(_patient(patient_id), form, note=note)


@bp.post(f"{OF_NOTE}/again")
@requires(Permission.WRITE_NOTES)
def sign_again(patient_id: int, note_id: int) -> ResponseReturnValue:
    """Sign a returned note anew."""
    patient, note = _patient(patient_id), _note(patient_id, note_id)
    visits = visits_to_choose(current_user, patient_id, note.visit_id)
    form = AgainForm(request.form).prepared(current_user, visits)
    if not form.validate():
        return _writing(patient, form, note=note), 422
    try:
        operations.sign_again(note_id, version=form.version.data, said=form.said, actor=current_user)
    except Conflict as refusal:
        sessions.take_back()
        note = _note(patient_id, note_id)
        form.version.process(MultiDict({"version": str(note.version)}))
        return _writing(_patient(patient_id), form, note=note, refusal=refusal), 409
    return go_to(_list(note), say=f"Signed the note of {patient.name} anew")


@bp.get(f"{OF_NOTE}/addendum")
@requires(Permission.WRITE_NOTES)
def adding(patient_id: int, note_id: int) -> ResponseReturnValue:
    """The form of an addendum."""
    return _adding(patient_id, note_id, WordsForm())


@bp.post(f"{OF_NOTE}/addendum")
@requires(Permission.WRITE_NOTES)
def add(patient_id: int, note_id: int) -> ResponseReturnValue:
    """Sign an addendum to a note."""
    note, form = _note(patient_id, note_id), WordsForm(request.form)
    if not form.validate():
        return _adding(patient_id, note_id, form), 422
    visit = present_visit(current_user, patient_id)
    operations.add_addendum(note.id, text=form.text.data or "", visit_id=visit, actor=current_user)
    return go_to(_list(note), say="Signed the addendum")


@bp.post(f"{OF_NOTE}/in-error")
@requires(Permission.WRITE_NOTES)
def say_in_error(patient_id: int, note_id: int) -> ResponseReturnValue:
    """Say that a note was entered in error; a second person has to agree."""
    note, form = _note(patient_id, note_id), ErrorForm(request.form)
    if not form.validate():
        return _shown(patient_id, note_id, form), 422
    operations.say_in_error(note.id, version=form.version.data, reason=form.reason.data or "", actor=current_user)
    return go_to(_page(note), say="Said to be entered in error; a second person has to agree")


@bp.post(f"{OF_NOTE}/agree-error")
@requires(Permission.WRITE_NOTES)
def agree_error(patient_id: int, note_id: int) -> ResponseReturnValue:
    """Agree that a note was entered in error."""
    note, form = _note(patient_id, note_id), VersionForm(request.form).checked()
    operations.agree_error(note.id, version=form.version.data, actor=current_user)
    return go_to(_page(note), say="Entered in error; it stays to be read")


@bp.post(f"{OF_NOTE}/refuse-error")
@requires(Permission.WRITE_NOTES)
def refuse_error(patient_id: int, note_id: int) -> ResponseReturnValue:
    """Say that a note was no error after all."""
    note, form = _note(patient_id, note_id), VersionForm(request.form).checked()
    operations.refuse_error(note.id, version=form.version.data, actor=current_user)
    return go_to(_page(note), say="The note holds as before")


# --- what the above share ---------------------------------------------------------------------------------------------


def _begun(patient: Patient) -> NoteForm:
    """The form as the chosen template and visit begin it."""
    visit_id = request.args.get("visit", present_visit(current_user, patient.id), type=int)
    visits = visits_to_choose(current_user, patient.id, visit_id)
    visit_id = visit_id if visit_id in {visit.id for visit in visits} else None
    wanted = request.args.get("template", type=int)
    template = next((each for each in templates_to_choose(current_user) if each.id == wanted), None)
    begun: dict[str, Any] = {"visit_id": str(visit_id or "")}
    if template is not None:
        facts = facts_of(current_user, patient, visit_id)
        begun |= {"type": template.type.value, "text": filled(template.text, facts), "teeth": facts["teeth"][:200]}
    return NoteForm(data=begun).prepared(current_user, visits)


def _writing(patient: Patient, form: NoteForm, **more: Any) -> str:
    known = {"patient": patient, "form": form, "note": None, "refusal": None, "templates": []} | more
    return htmx.answer(page="notes/write.html", fragment="notes/_form.html", **known)


def _adding(patient_id: int, note_id: int, form: WordsForm) -> str:
    patient, note = _patient(patient_id), _note(patient_id, note_id)
    return htmx.answer(
        page="notes/addendum.html", fragment="notes/_addendum.html", patient=patient, note=note, form=form
    )


def _shown(patient_id: int, note_id: int, form: ErrorForm | None = None) -> str:
    note = _note(patient_id, note_id)
    texts = [signing.said["text"] for signing in note.signings]
    pieces = [difference(before, after) for before, after in zip(texts, texts[1:], strict=False)]
    return render_template(
        "notes/show.html", patient=_patient(patient_id), note=note, pieces=pieces, form=form or ErrorForm()
    )


def _printed(patient: Patient, notes: list[Note], title: str, name: str, what: str) -> ResponseReturnValue:
    """Nothing of the database is held while it is printed; it is told before a byte leaves."""
    document, patient_id = print_of(patient, notes, title=title), patient.id
    db.session.commit()
    content = b"" if holds(document.digest) else pdf_of(document)
    audit.record("note.print", f"Printed {what}", actor=current_user, patient=patient_id)
    return once.commit(answer_with(content, type="application/pdf", name=name, etag=document.digest))


def _fields_of(note: Note) -> dict[str, object]:
    shown = ", ".join(teeth.shown(key, current_user.numbering) for key in note.teeth.split())
    plain = {name: getattr(note, name) for name in ("version", "text", "procedure", "outcome")}
    chosen = {"type": note.type.value, "execution": note.execution or "", "visit_id": str(note.visit_id or "")}
    return plain | chosen | {"teeth": shown}


def _list(note: Note) -> str:
    return url_for("notes.index", patient_id=note.patient_id) + f"#note-{note.addendum_to_id or note.id}"


def _page(note: Note) -> str:
    return url_for("notes.show", patient_id=note.patient_id, note_id=note.id)


def _patient(patient_id: int) -> Patient:
    return patient_for(current_user, patient_id) or abort(404)


def _note(patient_id: int, note_id: int) -> Note:
    return queries.note_for(current_user, patient_id, note_id) or abort(404)
