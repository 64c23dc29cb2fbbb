"""Forms of departments and chairs."""

from wtforms import IntegerField, StringField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Regexp

from clinic.forms import Form, VersionForm, one_line


def _name_field(most: int, hint: str) -> StringField:
    return StringField(
        "Name",
        [DataRequired("Type a name."), Length(max=most, message=f"Keep it under {most + 1} letters.")],
        description=hint,
        filters=[one_line],
        render_kw={"autocomplete": "off", "maxlength": most},
    )


class OpenForm(Form):
    name = _name_field(120, "As people say it: Restorative dentistry.")
    letter = StringField(
        "Letter",
        [
            InputRequired("Type one or two letters."),
            Regexp("^[A-Za-z]{1,2}$", message="Type one or two letters A to Z."),
        ],
        description="Begins its tickets, A-014, and cannot be changed later.",
        render_kw={"autocomplete": "off", "maxlength": 2},
    )
    chairs = IntegerField(
        "Chairs to begin with",
        [InputRequired("Type a number."), NumberRange(0, 200, message="Type a whole number from 0 to 200.")],
        default=6,
        render_kw={"inputmode": "numeric"},
    )


class DepartmentForm(VersionForm):
    name = _name_field(120, "Shown on boards, displays and lists.")


class AddChairForm(Form):
    name = _name_field(60, "As it is written on it: A7.")


class ChairForm(VersionForm):
    name = _name_field(60, "As it is written on it.")
