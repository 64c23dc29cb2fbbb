"""The form of a document: what it is. The same fields go with an upload and with a change."""

from typing import Self

from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from clinic import clock, settings
from clinic.blueprints.patients.forms import DayField, choices_of
from clinic.documents.kinds import accept_of, in_words
from clinic.formatting import day
from clinic.forms import Form, VersionForm, one_line, teeth_in
from clinic.models import Category, Projection, User, Visit, categories_of
from clinic.operations.documents import Said


class OfTeethForm(Form):
    """Something of some teeth, and perhaps of a visit. `prepared` says for whom; `keys` are the teeth, once it is valid."""

    teeth = StringField("Teeth", [Length(max=200)], filters=[one_line], description="With commas, e.g. 36, 37")
    visit_id = SelectField("Visit", validate_choice=False, default="")

    def prepared(self, viewer: User, visits: list[Visit]) -> Self:
        """Itself with the choices that this person has."""
        self.numbering = viewer.numbering
        self.visit_id.choices = [
            SelectChoice("", "none"),
            *(SelectChoice(str(visit.id), f"{day(visit.starts_at)}, {visit.reason}") for visit in visits),
        ]
        return self

    def validate_teeth(self, field: StringField) -> None:
        self.keys = teeth_in(field, self.numbering)

    def validate_visit_id(self, field: SelectField) -> None:
        if field.data and field.data not in {choice.value for choice in field.choices}:
            raise ValidationError("Choose one of the patient's visits.")


class DocumentForm(OfTeethForm):
    """What a document is."""

    category = SelectField("What it is", choices=choices_of(Category))
    projection = SelectField(
        "Kind of radiograph", choices=[SelectChoice("", "not said"), *choices_of(Projection)], default=""
    )
    taken_on = DayField("Taken on", [Optional()], description="The day, e.g. 3 Apr 2026; empty when it is not known")
    description = StringField("Description", [Length(max=500)], filters=[one_line])

    def prepared(self, viewer: User, visits: list[Visit]) -> Self:
        super().prepared(viewer, visits)
        theirs = categories_of(viewer.role)
        self.category.choices = [kind for kind in choices_of(Category) if kind.value in theirs]
        return self

    def validate_taken_on(self, field: DayField) -> None:
        if field.data and field.data > clock.today():
            raise ValidationError("This day has not come yet. Choose the day on which it was taken.")

    @property
    def said(self) -> Said:
        """What the person said, once the form is valid."""
        category = Category(self.category.data)
        projection = Projection(self.projection.data) if self.projection.data else None
        return Said(
            category=category,
            projection=projection if category is Category.RADIOGRAPH else None,
            teeth=self.keys,
            taken_on=self.taken_on.data,
            visit_id=int(self.visit_id.data) if self.visit_id.data else None,
            description=self.description.data or "",
        )


class UploadForm(DocumentForm):
    """With a file. What it is may be left to be guessed from the file.

    `accept` and `types`: of the files that are taken, for the chooser and in words; `takes_photos`: as a camera makes them.
    """

    def prepared(self, viewer: User, visits: list[Visit]) -> Self:
        super().prepared(viewer, visits)
        self.category.choices = [SelectChoice("", "guess from the file"), *self.category.choices]
        taken = frozenset(settings.read("document_types"))
        self.accept, self.types, self.takes_photos = accept_of(taken), in_words(taken), "jpeg" in taken
        return self


class ChangeForm(VersionForm, DocumentForm):
    """Said anew."""


class DeleteForm(VersionForm):
    reason = StringField(
        "Why", [InputRequired("Write why; it stays with the document."), Length(max=200)], filters=[one_line]
    )


class PurgeForm(VersionForm):
    """Asks that a deleted document is purged."""

    reason = StringField(
        "Why", [InputRequired("Write why; whoever decides reads it."), Length(max=200)], filters=[one_line]
    )
