"""Forms of breaking the glass and of judging it."""

from typing import Any

from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from clinic.blueprints.account.forms import PresentPasswordForm
from clinic.blueprints.patients.forms import DayField, born_in_a_lifetime, tidy
from clinic.forms import VersionForm
from clinic.models import GlassReason, Judgement
from clinic.operations.glass import IN_WORDS, LEAST_WORDS


class GlassForm(PresentPasswordForm):
    """Whose record, why, and the password again."""

    code = StringField(
        "Patient's code",
        [DataRequired("Type the whole code, like P-2026-00412."), Length(max=20, message="That is no patient's code.")],
        filters=[tidy],
        render_kw={"autocomplete": "off", "spellcheck": "false"},
    )
    birth_date = DayField(
        "Patient's birth date",
        [InputRequired("Type the birth date, like 2/3/1984."), born_in_a_lifetime],
        description="Day first: 2/3/1984 or 2 Mar 1984",
        render_kw={"autocomplete": "off"},
    )
    reason = SelectField(
        "Reason",
        [InputRequired("Choose the reason.")],
        choices=[SelectChoice("", "Choose"), *(SelectChoice(one.value, one.label) for one in GlassReason)],
    )
    words = TextAreaField(
        "In your own words",
        [
            DataRequired("Say what you need the record for."),
            Length(min=LEAST_WORDS, max=500, message=f"Say it in {LEAST_WORDS} to 500 letters."),
        ],
        description="What you need the record for. Your supervisors read it.",
        filters=[tidy],
        render_kw={"rows": "3"},
    )

    def asked(self) -> dict[str, Any]:
        """The fields as domain types."""
        return {
            "code": self.code.data,
            "birth_date": self.birth_date.data,
            "reason": GlassReason(self.reason.data),
            "words": self.words.data,
        }


class JudgeForm(VersionForm):
    judgement = RadioField(
        "Judgement",
        [InputRequired("Choose whether it was justified.")],
        choices=[SelectChoice(one.value, IN_WORDS[one]) for one in Judgement],
    )
    words = TextAreaField(
        "In words",
        [DataRequired("Say in a few words why."), Length(max=500, message="At most 500 letters.")],
        filters=[tidy],
    )
