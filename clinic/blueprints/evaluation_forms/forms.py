"""The form in which a form of evaluations is written: a line for each step, a line for each criterion."""

from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from clinic.blueprints.history.forms import a_number
from clinic.evaluation.form import LONGEST_TITLE, MOST_CRITERIA, STEPS
from clinic.forms import TOO_OLD, Form, one_line, stripped

MOST_LETTERS = 6000


class WrittenForm(Form):
    title = StringField(
        "Title", [InputRequired("Give the form a title."), Length(max=LONGEST_TITLE)], filters=[one_line]
    )
    steps = TextAreaField(
        "The scale",
        [InputRequired("Write the words of each step."), Length(max=MOST_LETTERS)],
        filters=[stripped],
        description=f"The words of its {STEPS} steps, each on a line, the lowest first",
        render_kw={"rows": STEPS},
    )
    criteria = TextAreaField(
        "Criteria",
        [InputRequired("Write at least one criterion."), Length(max=MOST_LETTERS)],
        filters=[stripped],
        description=f"At most {MOST_CRITERIA}, each on a line; what it means after a colon. With other words it is another criterion",
        render_kw={"rows": 10},
    )
    seen = HiddenField("Seen", [InputRequired(TOO_OLD), a_number])
