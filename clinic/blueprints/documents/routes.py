"""A patient's documents: the gallery, one of them, its bytes, and adding, describing, deleting and restoring."""

import hashlib

from flask import Blueprint, Response, abort, g, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic import audit, security, sessions, settings, storage
from clinic.access import Permission, requires
from clinic.blueprints.documents import sending
from clinic.blueprints.documents.forms import ChangeForm, DeleteForm, PurgeForm, UploadForm
from clinic.blueprints.documents.receiving import AWAY, Arrived, receive
from clinic.blueprints.documents.thumbnails import DICOM, has_thumbnail, preview_of, said_by, thumbnail_of
from clinic.blueprints.tooth_places.marks import viewer_of
from clinic.chart import teeth
from clinic.documents.identity import disagreements, names_somebody
from clinic.errors import DomainError, Unavailable
from clinic.extensions import db
from clinic.formatting import view as words_of
from clinic.forms import VersionForm
from clinic.htmx import go_to, place
from clinic.models import Category, Document, DocumentStatus, Patient
from clinic.operations import documents as operations
from clinic.operations.documents import (
    MIB,
    Said,
    begin_document,
    delete_document,
    describe_document,
    fail_document,
    finish_document,
    restore_document,
)
from clinic.operations.links import give_link, minutes_of_link
from clinic.queries.documents import (
    amounts_of,
    counts_of,
    document_for,
    documents_of,
    pictures_of,
    versions_of,
    visits_to_choose,
)
from clinic.queries.patients import patient_for
from clinic.queries.trail import opened_lately

bp = Blueprint("documents", __name__)
OF_PATIENT = "/patients/<int:patient_id>/documents"
OF_DOCUMENT = f"{OF_PATIENT}/<int:document_id>"


# --- to look at -------------------------------------------------------------------------------------------------------


@bp.get(OF_PATIENT)
@requires(Permission.VIEW_DOCUMENTS, changes=False)
def index(patient_id: int) -> ResponseReturnValue:
    """The documents of a patient, newest first."""
    patient = _patient(patient_id)
    form = UploadForm().prepared(current_user, visits_to_choose(current_user, patient.id))
    return render_template("documents/index.html", form=form, newer_of=None, **_list(patient))


@bp.get(f"{OF_PATIENT}/listed")
@requires(Permission.VIEW_DOCUMENTS, background=True)
def listed(patient_id: int) -> ResponseReturnValue:
    """The list of documents alone, which refetches itself."""
    return render_template("documents/_list.html", **_list(_patient(patient_id)))


@bp.get(OF_DOCUMENT)
@requires(Permission.VIEW_DOCUMENTS, changes=False)
def show(patient_id: int, document_id: int) -> ResponseReturnValue:
    """One document and what is known of it."""
    return _shown(_document(patient_id, document_id))


@bp.get(f"{OF_DOCUMENT}/file")
@requires(Permission.VIEW_DOCUMENTS)
def file(patient_id: int, document_id: int) -> ResponseReturnValue:
    """A document's bytes, to be looked at."""
    return sending.answer_with(_readable(patient_id, document_id), save=False)


@bp.get(f"{OF_DOCUMENT}/download")
@requires(Permission.VIEW_DOCUMENTS)
def download(patient_id: int, document_id: int) -> ResponseReturnValue:
    """A document's bytes, to be kept as a file."""
    return sending.answer_with(_readable(patient_id, document_id), save=True)


@bp.post(f"{OF_DOCUMENT}/link")
@requires(Permission.VIEW_DOCUMENTS)
def link(patient_id: int, document_id: int) -> ResponseReturnValue:
    """A link to a large file in the object store, for some minutes. The same form sent again leads back to the document's page."""
    document = _document(patient_id, document_id)
    address = sending.link_to(document, give_link(document.id, actor=current_user))
    go_to(f"{_page_of(document)}?link=used")  # commits; what is stored for the form's key must not be the link
    return Response(status=303, headers={"Location": address, "Referrer-Policy": "no-referrer"})


@bp.get(f"{OF_DOCUMENT}/thumbnail")
@requires(Permission.VIEW_DOCUMENTS, background=True)
def thumbnail(patient_id: int, document_id: int) -> ResponseReturnValue:
    """A small picture of a document, for lists; 204 when there is none. Told by the page that shows it, or else here."""
    document = _document(patient_id, document_id)
    if not opened_lately(current_user, patient_id):
        told = f"Looked at: {words_of('documents.thumbnail')}"
        audit.record("read.documents.thumbnail", told, actor=current_user, subject=document, patient=patient_id)
        db.session.commit()
    jpeg = thumbnail_of(document)
    return Response(jpeg, mimetype="image/jpeg") if jpeg else Response(status=204)


@bp.get(f"{OF_DOCUMENT}/preview")
@requires(Permission.VIEW_DOCUMENTS)
def preview(patient_id: int, document_id: int) -> ResponseReturnValue:
    """A picture of a document that no browser shows as it is; 204 when there is none."""
    jpeg = preview_of(_document(patient_id, document_id))
    return Response(jpeg, mimetype="image/jpeg") if jpeg else Response(status=204)


@bp.get(f"{OF_PATIENT}/compare")
@requires(Permission.VIEW_DOCUMENTS)
def compare(patient_id: int) -> ResponseReturnValue:
    """Two pictures side by side."""
    patient = _patient(patient_id)
    sides = {side: _picture(patient_id, side) for side in ("left", "right")}
    pictures = pictures_of(current_user, patient_id)
    return render_template("documents/compare.html", patient=patient, pictures=pictures, **sides)


def _picture(patient_id: int, side: str) -> Document | None:
    number = request.args.get(side, type=int)
    document = _readable(patient_id, number) if number else None
    if document and not document.is_picture:
        raise DomainError("Only pictures are compared. Choose two of them.")
    return document


def _list(patient: Patient) -> dict[str, object]:
    asked = request.args
    category = Category(asked["category"]) if asked.get("category") in set(Category) else None
    tooth, deleted = asked.get("tooth", "").strip()[:3], "deleted" in asked
    key = teeth.read(tooth, current_user.numbering) or tooth
    at = place()
    page = documents_of(current_user, patient.id, category=category, tooth=key, deleted=deleted, **at)
    counts = counts_of(current_user, patient.id)
    return {
        "patient": patient,
        "page": page,
        "counts": counts,
        "amounts": amounts_of(current_user, patient.id),
        "category": category,
        "tooth": tooth,
        "deleted": deleted,
        "place": at,
        "has_thumbnail": has_thumbnail,
    }


def _shown(
    document: Document,
    *,
    form: ChangeForm | None = None,
    delete_form: DeleteForm | None = None,
    purge_form: PurgeForm | None = None,
) -> Response:
    """The page of a document; a form that was refused is shown as it was filled in."""
    minutes = minutes_of_link(document)
    # Asking the store ends the transaction; that of a refused form holds the claim of its key, which must not stay.
    asks = document.is_readable and document.media_type == DICOM and request.method == "GET"
    facts = said_by(document) if asks else None
    patient = _patient(document.patient_id)
    others = disagreements(facts, name=patient.name, birth_date=patient.birth_date, code=patient.code) if facts else []
    page = render_template(
        "documents/show.html",
        patient=patient,
        document=document,
        versions=versions_of(current_user, document),
        may_delete=operations.may_delete(document, current_user),
        form=form or _change_form(document),
        delete_form=delete_form or DeleteForm(),
        purge_form=purge_form or PurgeForm(),
        link_minutes=minutes,
        facts=facts,
        disagreements=others,
        names_nobody=facts is not None and not names_somebody(facts),
        viewer=viewer_of(document, facts, request.args.get("tooth", "")),
    )
    # A form's answer that leads to the store counts as one that is sent there.
    headers = {"Content-Security-Policy": security.policy(form_action=storage.origin())} if minutes else {}
    return Response(page, headers=headers)


# --- to file ----------------------------------------------------------------------------------------------------------


@bp.get(f"{OF_DOCUMENT}/newer")
@requires(Permission.FILE_DOCUMENTS, changes=True)
def newer(patient_id: int, document_id: int) -> ResponseReturnValue:
    """The form for a newer file of the same thing."""
    document = _document(patient_id, document_id)
    form = UploadForm(data=_fields_of(document)).prepared(current_user, visits_to_choose(current_user, patient_id))
    return render_template("documents/newer.html", patient=_patient(patient_id), document=document, form=form)


@bp.post(OF_PATIENT)
@requires(Permission.FILE_DOCUMENTS, needs_key=False, ticketed=True)
def upload(patient_id: int) -> ResponseReturnValue:
    """Add a document: its row first, then its bytes, then that they are there."""
    patient = _patient(patient_id)
    document_id = g.get("document_id") or _begun(patient)
    if isinstance(document_id, Response):
        return document_id
    g.document_id = document_id  # if the last step is redone, the bytes do not come a second time
    if "arrived" not in g:
        g.arrived = _arrived(document_id)
    try:
        return _finished(patient_id, document_id, g.arrived)
    except DomainError as refusal:
        _fail(document_id, refusal.sentence)  # so that the same form can be sent again
        raise


def _begun(patient: Patient) -> int | Response:
    """The new document's id; or the answer to a form that has been sent before."""
    db.session.commit()  # nothing is held of the database while the store is asked
    try:
        storage.check()
    except storage.StorageError:
        raise Unavailable(AWAY) from None
    sent = f"{request.args['ticket']} {request.args.get('file', '')[:8]}"
    once, replaces = hashlib.sha256(sent.encode()).hexdigest(), request.args.get("newer_of", type=int)
    most = settings.read("document_mib") * MIB
    size = min(request.content_length or most, most)
    document = begin_document(patient, once=once, size=size, replaces=replaces, actor=current_user)
    if document.status is not DocumentStatus.PENDING:
        return go_to(url_for("documents.show", patient_id=patient.id, document_id=document.id))
    db.session.commit()
    return document.id


def _arrived(document_id: int) -> Arrived:
    """The bytes, which are in the store now; no connection to the database is held meanwhile."""
    key, most = db.session.get_one(Document, document_id).key, settings.read("document_mib") * MIB
    taken = frozenset(settings.read("document_types"))
    db.session.commit()
    try:
        return receive(key, most, taken)
    except Exception as error:
        _fail(document_id, getattr(error, "sentence", "It was cut off on its way."))
        raise


def _fail(document_id: int, why: str) -> None:
    sessions.take_back()
    session = sessions.current()  # none, when it was ended meanwhile
    fail_document(document_id, why=why, actor=session.user if session else None)
    db.session.commit()


def _finished(patient_id: int, document_id: int, arrived: Arrived) -> ResponseReturnValue:
    form = UploadForm(request.form).prepared(current_user, visits_to_choose(current_user, patient_id))
    guessed = operations.guessed(arrived.content.media_type, arrived.name, actor=current_user)
    form.category.data = form.category.data or guessed
    is_whole = form.validate()
    document = finish_document(
        document_id,
        name=arrived.name,
        said=form.said if is_whole else Said(guessed),
        content=arrived.content,
        replaces=request.args.get("newer_of", type=int),
        actor=current_user,
    )
    how = "quarantined" if arrived.content.danger else "whole" if is_whole else "unread"
    return go_to(f"{_page_of(document)}?added={how}")


@bp.post(OF_DOCUMENT)
@requires(Permission.FILE_DOCUMENTS)
def describe(patient_id: int, document_id: int) -> ResponseReturnValue:
    """Say what a document is."""
    document = _document(patient_id, document_id)
    form = ChangeForm(request.form).prepared(
        current_user, visits_to_choose(current_user, patient_id, document.visit_id)
    )
    if not form.validate():
        return _shown(document, form=form), 422
    describe_document(document.id, version=form.version.data, said=form.said, actor=current_user)
    return go_to(_page_of(document), say=f"Saved what {document.name} is")


@bp.post(f"{OF_DOCUMENT}/delete")
@requires(Permission.FILE_DOCUMENTS)
def delete(patient_id: int, document_id: int) -> ResponseReturnValue:
    """Delete a document, for a reason; it can be restored."""
    document, form = _document(patient_id, document_id), DeleteForm(request.form)
    if not form.validate():
        return _shown(document, delete_form=form), 422
    delete_document(document.id, version=form.version.data, reason=form.reason.data, actor=current_user)
    return go_to(_page_of(document), say=f"Deleted {document.name}")


@bp.post(f"{OF_DOCUMENT}/restore")
@requires(Permission.FILE_DOCUMENTS)
def restore(patient_id: int, document_id: int) -> ResponseReturnValue:
    """Restore a deleted document."""
    document, form = _document(patient_id, document_id), VersionForm(request.form).checked()
    restore_document(document.id, version=form.version.data, actor=current_user)
    return go_to(_page_of(document), say=f"Restored {document.name}")


@bp.post(f"{OF_DOCUMENT}/ask-purge")
@requires(Permission.FILE_DOCUMENTS)
def ask_purge(patient_id: int, document_id: int) -> ResponseReturnValue:
    """Ask that a deleted document is purged, for a reason; a second person decides."""
    document, form = _document(patient_id, document_id), PurgeForm(request.form)
    if not form.validate():
        return _shown(document, purge_form=form), 422
    operations.ask_purge(document.id, version=form.version.data, reason=form.reason.data, actor=current_user)
    return go_to(_page_of(document), say=f"Asked that {document.name} is purged")


@bp.post(f"{OF_DOCUMENT}/withdraw-purge")
@requires(Permission.FILE_DOCUMENTS)
def withdraw_purge(patient_id: int, document_id: int) -> ResponseReturnValue:
    """Withdraw what one asked: that a deleted document is purged."""
    document, form = _document(patient_id, document_id), VersionForm(request.form).checked()
    operations.withdraw_purge(document.id, version=form.version.data, actor=current_user)
    return go_to(_page_of(document), say=f"Withdrawn: {document.name} stays deleted")


def _change_form(document: Document) -> ChangeForm:
    form = ChangeForm(data=_fields_of(document) | {"version": document.version})
    form.prepared(current_user, visits_to_choose(current_user, document.patient_id, document.visit_id))
    return form


def _fields_of(document: Document) -> dict[str, object]:
    shown = ", ".join(teeth.shown(key, current_user.numbering) for key in document.teeth.split())
    return {
        "category": document.category,
        "projection": document.projection or "",
        "teeth": shown,
        "taken_on": document.taken_on,
        "visit_id": str(document.visit_id or ""),
        "description": document.description,
    }


def _page_of(document: Document) -> str:
    return url_for("documents.show", patient_id=document.patient_id, document_id=document.id)


def _patient(patient_id: int) -> Patient:
    return patient_for(current_user, patient_id) or abort(404)


def _document(patient_id: int, document_id: int) -> Document:
    return document_for(current_user, patient_id, document_id) or abort(404)


def _readable(patient_id: int, document_id: int) -> Document:
    document = _document(patient_id, document_id)
    if not document.is_readable:
        raise DomainError(f"This document cannot be read: it is {document.status.value}. {document.why}")
    return document
