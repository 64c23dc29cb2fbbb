"""Forms of the inbox: one per act. Each carries the version of the item that was seen."""

import re

from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from clinic.forms import TOO_OLD, Form, VersionForm, stripped
from clinic.operations.assignments import REASON_LENGTH as EXCEPTION_LENGTH
from clinic.operations.requests import REASON_LENGTH

CHOSEN = re.compile(r"([a-z-]{1,20}):([0-9]{1,18}):([0-9]{1,9})")
MOST = 100  # items approved at once


class ApproveForm(VersionForm):
    reason = StringField(
        "Reason for the exception",
        [Length(max=EXCEPTION_LENGTH, message=f"Keep the reason to {EXCEPTION_LENGTH} characters.")],
        filters=[stripped],
    )


class ReturnForm(VersionForm):
    reason = TextAreaField(
        "Why you return it",
        [
            DataRequired("Write why you return it; whoever asked reads that."),
            Length(max=REASON_LENGTH, message=f"Keep the reason to {REASON_LENGTH} characters."),
        ],
        description="Whoever asked reads this.",
        filters=[stripped],
        render_kw={"rows": 3},
    )


class SeveralForm(Form):
    """Items with their versions: `request:7:3 request:8:1`. Once it is valid, `chosen`: kind, id and version of each."""

    items = HiddenField("Items", [InputRequired(TOO_OLD)])

    def validate_items(self, field: HiddenField) -> None:
        parts = [CHOSEN.fullmatch(part) for part in field.data.split(" ")]
        self.chosen = [(part[1], int(part[2]), int(part[3])) for part in parts if part]
        if not all(parts) or len({(kind, number) for kind, number, _ in self.chosen}) < len(parts) or len(parts) > MOST:
            raise ValidationError(TOO_OLD)
