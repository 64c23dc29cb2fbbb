"""What one looks for in the trail."""

from datetime import timedelta
from itertools import groupby

from wtforms import DateField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, NumberRange, Optional, ValidationError
from wtforms.widgets import HiddenInput

from clinic import clock
from clinic.formatting import act as act_words
from clinic.formatting import words
from clinic.forms import Form
from clinic.models import Role
from clinic.queries.audit import Wanted

FIRST_YEAR = 2000
NOBODY = "nobody"
EVERYTHING = ".*"  # an act of this ending stands for every act of its feature
ROLES = [
    SelectChoice("", "Every role"),
    *(SelectChoice(role.value, words(role)) for role in Role),
    SelectChoice(NOBODY, "nobody signed in"),
]
ROW_ID = [Optional(), NumberRange(1, 2**63 - 1)]


class TrailForm(Form):
    """A person or a patient is typed, and from then on known by their id."""

    person_id = IntegerField(validators=ROW_ID, widget=HiddenInput())
    patient_id = IntegerField(validators=ROW_ID, widget=HiddenInput())
    person = StringField("Person", [Length(max=100)], render_kw={"autocomplete": "off"})
    patient = StringField("Patient", [Length(max=100)], render_kw={"autocomplete": "off"})
    act = SelectField("Act", default="")
    role = SelectField("Role", choices=ROLES, default="")
    begin = DateField("From", [Optional()], name="from")
    end = DateField("To", [Optional()], name="to")
    address = StringField("Address", [Length(max=64)], render_kw={"autocomplete": "off"})

    def offer(self, acts: list[str]) -> "TrailForm":
        """Itself, with these acts to choose from, under the names of their features."""
        self.acts = acts
        groups = {"Acts": [SelectChoice("", "Every act")]}
        for feature, named in groupby(acts, key=feature_of):
            everything = SelectChoice(feature + EVERYTHING, f"{words(feature)}: everything")
            each = [SelectChoice(act, act_words(act)) for act in named]
            groups[words(feature).capitalize()] = [everything, *each]
        self.act.choices = groups
        return self

    def wanted(self) -> Wanted:
        """What to look for, by ids."""
        feature = self.act.data.removesuffix(EVERYTHING) if self.act.data.endswith(EVERYTHING) else None
        return Wanted(
            person_id=self.person_id.data,
            patient_id=self.patient_id.data,
            acts=tuple(act for act in self.acts if act == self.act.data or feature_of(act) == feature),
            role={"": None, NOBODY: ""}.get(self.role.data, self.role.data),
            address=(self.address.data or "").strip() or None,
            begin=self.begin.data,
            end=self.end.data,
        )

    def asked(self) -> dict[str, str]:
        """What of it stands in the address of the page, by field: all but names that were typed."""
        return {
            name: str(field.data)
            for name, field in self._fields.items()
            if field.data and not field.errors and name not in ("person", "patient")
        }

    def validate_begin(self, field: DateField) -> None:
        if field.data and field.data.year < FIRST_YEAR:
            raise ValidationError(f"Choose a day after the year {FIRST_YEAR - 1}.")

    def validate_end(self, field: DateField) -> None:
        if field.data and field.data > clock.today() + timedelta(days=366):
            raise ValidationError("Choose a day up to a year from now.")
        if self.begin.data and field.data and field.data < self.begin.data:
            raise ValidationError("The last day is before the first. Choose a later one.")


def feature_of(act: str) -> str:
    """The part of an act before the point: `patient` of `patient.open`."""
    return act.partition(".")[0]
