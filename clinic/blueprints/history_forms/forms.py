"""The form in which a form of the history is written."""

from wtforms import HiddenField, TextAreaField
from wtforms.validators import InputRequired, Length

from clinic.blueprints.history.forms import a_number
from clinic.forms import TOO_OLD, Form

MOST_LETTERS = 100_000


class BodyForm(Form):
    body = TextAreaField(
        "The form, as JSON",
        [InputRequired("Write the form."), Length(max=MOST_LETTERS, message=f"At most {MOST_LETTERS} letters.")],
        description="Sections of questions. The hints beside this say what a question may have.",
        render_kw={"rows": "30", "spellcheck": "false", "autocomplete": "off", "wrap": "off"},
    )
    seen = HiddenField("Seen", [InputRequired(TOO_OLD), a_number])
    act = HiddenField("Act")
