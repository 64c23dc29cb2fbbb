"""Forms of notes."""

from typing import Self

from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from clinic.blueprints.documents.forms import OfTeethForm
from clinic.blueprints.patients.forms import choices_of
from clinic.forms import Form, VersionForm, one_line
from clinic.models import Execution, NoteType, Role, User, Visit
from clinic.operations.notes import MOST_TEXT, Said


def written(typed: str | None) -> str:
    """A field's filter: lines end as everywhere in ours, and nothing is around the text."""
    return (typed or "").replace("\r\n", "\n").replace("\r", "\n").strip()


class WordsForm(Form):
    """What is written. `text` keeps its lines."""

    text = TextAreaField(
        "Note",
        [InputRequired("Write the note before you sign it."), Length(max=MOST_TEXT)],
        filters=[written],
        render_kw={"rows": 14, "maxlength": MOST_TEXT},
    )


class NoteForm(OfTeethForm, WordsForm):
    """A whole note."""

    type = SelectField("Type", choices=choices_of(NoteType), default=NoteType.PROGRESS.value)
    execution = SelectField(
        "How far the treatment is", choices=[SelectChoice("", "not said"), *choices_of(Execution)], default=""
    )
    procedure = StringField(
        "Procedure", [Length(max=200)], filters=[one_line], description="What was done, e.g. composite filling"
    )
    outcome = TextAreaField("Outcome", [Length(max=1000)], filters=[written], render_kw={"rows": 2, "maxlength": 1000})

    def prepared(self, viewer: User, visits: list[Visit]) -> Self:
        super().prepared(viewer, visits)
        if viewer.role is not Role.SUPERVISOR:
            self.type.choices = [each for each in choices_of(NoteType) if each.value != NoteType.SUPERVISOR_REVIEW]
        return self

    @property
    def said(self) -> Said:
        """What the person wrote, once the form is valid."""
        return Said(
            type=NoteType(self.type.data),
            text=self.text.data or "",
            execution=Execution(self.execution.data) if self.execution.data else None,
            procedure=self.procedure.data or "",
            teeth=self.keys,
            outcome=self.outcome.data or "",
            visit_id=int(self.visit_id.data) if self.visit_id.data else None,
        )


class AgainForm(VersionForm, NoteForm):
    """A returned note, written anew."""


class ErrorForm(VersionForm):
    """Says that a note was entered in error."""

    reason = StringField(
        "Why it is an error", [InputRequired("Write why; it stays with the note."), Length(max=500)], filters=[one_line]
    )


class FilterForm(Form):
    """What of the notes is listed."""

    type = SelectField("Type", choices=[SelectChoice("", "every type"), *choices_of(NoteType)], default="")
    author = SelectField("Author", validate_choice=False, default="")
    unapproved = BooleanField("Only what is not approved")

    def of(self, authors: list[User]) -> Self:
        """Itself, with those who have written."""
        self.author.choices = [
            SelectChoice("", "everybody"),
            *(SelectChoice(str(person.id), person.name) for person in authors),
        ]
        return self

    @property
    def chosen(self) -> dict[str, object]:
        """As the query takes it; what is no choice is not chosen."""
        author, type = self.author.data or "", self.type.data or ""
        return {
            "type": NoteType(type) if type in set(NoteType) else None,
            "author_id": int(author) if author.isdecimal() and len(author) < 18 else None,
            "unapproved": bool(self.unapproved.data),
        }
