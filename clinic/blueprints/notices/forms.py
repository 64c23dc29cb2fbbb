"""The one thing a person types about a notice."""

from wtforms import Form, TextAreaField
from wtforms.validators import DataRequired, Length

LONGEST = 500


class AnswerForm(Form):
    words = TextAreaField(
        "Your answer",
        [
            DataRequired("Say in your own words why."),
            Length(min=5, max=LONGEST, message=f"Say it in 5 to {LONGEST} characters."),
        ],
        description="It is kept in the trail as you write it, and read by whoever looks after the records.",
        filters=[lambda text: (text or "").strip()],
        render_kw={"rows": 4},
    )
