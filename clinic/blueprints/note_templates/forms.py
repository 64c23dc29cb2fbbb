"""Forms of the templates of notes."""

from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from clinic.blueprints.notes.forms import written
from clinic.blueprints.patients.forms import choices_of
from clinic.forms import Form, VersionForm, one_line
from clinic.models import NoteType
from clinic.operations.note_templates import MOST_TEXT


class TemplateForm(Form):
    name = StringField("Name", [DataRequired("Type a name."), Length(max=80)], filters=[one_line])
    type = SelectField("Begins a note of the type", choices=choices_of(NoteType))
    text = TextAreaField(
        "Text",
        [InputRequired("Write what a note begins with."), Length(max=MOST_TEXT)],
        filters=[written],
        render_kw={"rows": 16, "maxlength": MOST_TEXT},
    )


class ChangeForm(VersionForm, TemplateForm):
    pass
