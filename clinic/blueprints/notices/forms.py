"""The one thing a person types about a notice."""

from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from clinic.forms import Form, stripped

LONGEST = 500


class AnswerForm(Form):
    words = TextAreaField(
        "Your answer",
        [
            DataRequired("Say in your own words why."),
            Length(min=5, max=LONGEST, message=f"Say it in 5 to {LONGEST} characters."),
        ],
        description="It is kept in the trail as you write it, and read by whoever looks after the records.",
        filters=[stripped],
        render_kw={"rows": 4},
    )
