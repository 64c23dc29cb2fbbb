"""Forms of versions."""

from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from clinic.forms import Form, SeenForm, VersionForm, one_line, stripped
from clinic.operations.chart import REASON_LENGTH
from clinic.operations.chart_versions import NAME_LENGTH


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
