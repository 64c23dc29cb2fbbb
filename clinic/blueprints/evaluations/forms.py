"""Forms of evaluations; the criteria themselves are data (clinic/evaluation/form.py)."""

from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from clinic.blueprints.history.forms import a_number
from clinic.blueprints.notes.forms import written
from clinic.forms import TOO_OLD, VersionForm, one_line
from clinic.operations.evaluations import MOST_COMMENT


class MarksForm(VersionForm):
    """The form that the page showed, and what is said to the marks."""

    form_code = HiddenField("Form", [InputRequired(TOO_OLD), Length(max=40, message=TOO_OLD)])
    form_number = HiddenField("Number", [InputRequired(TOO_OLD), a_number])
    comment = TextAreaField(
        "Comment",
        [Length(max=MOST_COMMENT, message=f"At most {MOST_COMMENT} letters.")],
        filters=[written],
        description="What went well, and what is next",
        render_kw={"rows": 3, "maxlength": MOST_COMMENT},
    )


class CorrectForm(MarksForm):
    reason = StringField(
        "Why it is corrected",
        [InputRequired("Write why you correct it; the student reads that."), Length(max=500)],
        filters=[one_line],
    )
