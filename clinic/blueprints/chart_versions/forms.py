"""Forms of versions. Each carries the last stroke that the person saw."""

from wtforms import HiddenField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from clinic.forms import TOO_OLD, Form, VersionForm, one_line, stripped
from clinic.operations.chart import NAME_LENGTH, REASON_LENGTH


class SeenForm(Form):
    seen = HiddenField("Seen", [InputRequired(TOO_OLD)])

    def validate_seen(self, field: HiddenField) -> None:
        if not str(field.data).isdecimal() or len(field.data) > 9:
            raise ValidationError(TOO_OLD)
        field.data = int(field.data)


class CutForm(Form):
    name = StringField(
        "Name",
        [DataRequired("Give the version a name."), Length(max=NAME_LENGTH)],
        filters=[one_line],
        description="By which you find it again, such as “Before orthodontics”.",
    )


class RestoreForm(SeenForm):
    reason = StringField(
        "Why you go back",
        [DataRequired("Write why you go back to this version."), Length(min=3, max=REASON_LENGTH)],
        filters=[one_line],
        description="It stays in the history of every entry that this changes.",
    )


class SendForm(SeenForm):
    words = TextAreaField(
        "What you say to it",
        [Length(max=REASON_LENGTH)],
        filters=[stripped],
        description="May stay empty. The supervisor reads it above the changes.",
    )


class WithdrawForm(VersionForm):
    pass
