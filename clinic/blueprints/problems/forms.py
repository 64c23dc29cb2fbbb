"""Forms of a patient's problems."""

from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from clinic.forms import Form, VersionForm, one_line, teeth_in
from clinic.models import ProblemStatus


class Ticks(SelectMultipleField):
    """Several of some rows, by their ids, each with a box."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def ids(self) -> list[int]:
        return [int(each) for each in self.data or ()]


class EvidenceForm(Form):
    """What shows a problem."""

    documents = Ticks("Documents", choices=())
    entries = Ticks("On the chart", choices=())

    def offering(self, documents: list[SelectChoice], entries: list[SelectChoice]) -> "EvidenceForm":
        """Itself with what there is to choose from."""
        self.documents.choices, self.entries.choices = documents, entries
        return self


class ProblemForm(EvidenceForm):
    """A problem, as one types it: a diagnosis that is offered, or free words."""

    said = StringField(
        "Problem",
        [InputRequired("Say what the problem is."), Length(max=230, message="Keep it under 200 letters.")],
        filters=[one_line],
        description="Choose a diagnosis as you type, or write your own words.",
        render_kw={"list": "problem-diagnoses", "autocomplete": "off", "maxlength": 230},
    )
    teeth = StringField(
        "Teeth",
        [Length(max=200)],
        filters=[one_line],
        description="With commas, e.g. 36, 37; none for the whole mouth",
        render_kw={"autocomplete": "off"},
    )

    def by(self, numbering: str) -> "ProblemForm":
        """Itself, with teeth read in a person's numbering."""
        self.numbering = numbering
        return self

    def validate_teeth(self, field: StringField) -> None:
        self.keys = teeth_in(field, self.numbering)


class EndForm(VersionForm):
    status = SelectField(
        "It is",
        choices=[
            SelectChoice(ProblemStatus.RESOLVED.value, "resolved"),
            SelectChoice(ProblemStatus.IN_ERROR.value, "noted in error"),
        ],
    )
    reason = StringField(
        "Why", [InputRequired("Write why; it stays with the problem."), Length(max=500)], filters=[one_line]
    )
