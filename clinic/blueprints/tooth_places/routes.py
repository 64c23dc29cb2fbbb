"""Where teeth are on the pictures of documents: seeing, marking, taking away, taking back."""

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from clinic.access import Permission, requires
from clinic.blueprints.tooth_places.forms import MarkForm, ToothForm
from clinic.blueprints.tooth_places.marks import marks_of
from clinic.chart import teeth
from clinic.htmx import done
from clinic.models import Document, ToothPlace
from clinic.operations.tooth_places import mark_tooth, place_words, undo_mark, unmark_tooth
from clinic.queries.documents import document_for
from clinic.queries.patients import patient_for

bp = Blueprint("tooth_places", __name__)
OF_DOCUMENT = "/patients/<int:patient_id>/documents/<int:document_id>/teeth"


@bp.get(OF_DOCUMENT)
@requires(Permission.VIEW_DOCUMENTS, background=True, changes=False)
def marked(patient_id: int, document_id: int) -> ResponseReturnValue:
    """The teeth marked on a picture, which refetch themselves."""
    patient, document = patient_for(current_user, patient_id) or abort(404), _document(patient_id, document_id)
    marks = marks_of(document, request.args.get("tooth", ""))
    return render_template("documents/_marks.html", patient=patient, document=document, marks=marks)


@bp.post(OF_DOCUMENT)
@requires(Permission.CHART)
def mark(patient_id: int, document_id: int) -> ResponseReturnValue:
    """Say where a tooth is on a picture."""
    document, form = _document(patient_id, document_id), MarkForm(request.form).checked()
    x, y = form.place(document)
    place = mark_tooth(document.id, tooth=form.tooth.data, x=x, y=y, seen=form.seen.data, actor=current_user)
    return _done(document, place, f"{_number(place)} is at {place_words(x, y)}")


@bp.post(f"{OF_DOCUMENT}/unmark")
@requires(Permission.CHART)
def unmark(patient_id: int, document_id: int) -> ResponseReturnValue:
    """Take a tooth's mark away."""
    document, form = _document(patient_id, document_id), ToothForm(request.form).checked()
    place = unmark_tooth(document.id, tooth=form.tooth.data, seen=form.seen.data, actor=current_user)
    return _done(document, place, f"{_number(place)} is not marked any more")


@bp.post(f"{OF_DOCUMENT}/<int:tooth_place_id>/undo")
@requires(Permission.CHART)
def undo(patient_id: int, document_id: int, tooth_place_id: int) -> ResponseReturnValue:
    """Take back the last mark, or that it was taken away."""
    document = _document(patient_id, document_id)
    place = undo_mark(document.id, place_id=tooth_place_id, actor=current_user)
    return done(back=_page_of(document), changed="documents:marked", say=f"Taken back: {_number(place)}")


def _done(document: Document, place: ToothPlace, said: str) -> ResponseReturnValue:
    undo_url = url_for(
        "tooth_places.undo", patient_id=document.patient_id, document_id=document.id, tooth_place_id=place.id
    )
    return done(back=f"{_page_of(document)}#document-viewer", changed="documents:marked", say=said, undo=undo_url)


def _page_of(document: Document) -> str:
    return url_for("documents.show", patient_id=document.patient_id, document_id=document.id)


def _number(place: ToothPlace) -> str:
    return teeth.shown(place.tooth, current_user.numbering)


def _document(patient_id: int, document_id: int) -> Document:
    return document_for(current_user, patient_id, document_id) or abort(404)
