"""Forms around a patient's history; the questions themselves are data (clinic/history/form.py)."""

from wtforms import HiddenField
from wtforms.validators import AnyOf, InputRequired, ValidationError

from clinic.forms import TOO_OLD, Form


def a_number(form: Form, field: HiddenField) -> None:
    if not str(field.data).isdecimal() or len(field.data) > 9:
        raise ValidationError(TOO_OLD)
    field.data = int(field.data)


class FilledForm(Form):
    """What the page of a form showed: its number, and that of the filling it began with."""

    number = HiddenField("Number", [InputRequired(TOO_OLD), a_number])
    seen = HiddenField("Seen", [InputRequired(TOO_OLD), a_number])


class ReviewForm(Form):
    """The number of the filling that was looked through."""

    number = HiddenField("Number", [InputRequired(TOO_OLD), a_number])


class HandOverForm(Form):
    where = HiddenField("Where", [AnyOf(("here", "another"), "Choose on which tablet.")])
