"""Forms of the people's pages."""

from wtforms import EmailField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional, ValidationError

from clinic.forms import Form
from clinic.models import Department, Role
from clinic.operations.people import YEARS
from clinic.text import fold


def _whole(value: str | None) -> int | None:
    return int(value) if value else None


class PersonForm(Form):
    """Name, address and place of one person. `choose_from` fills the departments."""

    name = StringField(
        "Name", [InputRequired("Type the person's name."), Length(max=200)], render_kw={"autocomplete": "off"}
    )
    email = EmailField(
        "E-mail",
        [InputRequired("Type the address with which the person signs in."), Length(max=254)],
        render_kw={"autocomplete": "off"},
    )
    role = SelectField("Role", choices=[SelectChoice(role.value, role.value.title()) for role in Role], coerce=Role)
    department_id = SelectField("Department", coerce=_whole, description="Students and supervisors belong to one.")
    year = SelectField(
        "Year of study",
        coerce=_whole,
        choices=[SelectChoice("", "Not a student"), *(SelectChoice(str(year), f"Year {year}") for year in YEARS)],
    )
    version = IntegerField(validators=[Optional()])

    def choose_from(self, departments: list[Department]) -> "PersonForm":
        self.department_id.choices = [
            SelectChoice("", "None"),
            *(SelectChoice(str(one.id), one.name) for one in departments),
        ]
        return self

    def validate_name(self, field: StringField) -> None:
        if not fold(field.data or ""):
            raise ValidationError("Type the person's name.")

    def validate_email(self, field: EmailField) -> None:
        mailbox, _, host = (field.data or "").strip().partition("@")
        if not mailbox or "." not in host or any(char.isspace() for char in host + mailbox):
            raise ValidationError("This is not an e-mail address like ana@clinic.example.")
