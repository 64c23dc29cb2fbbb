"""Forms of chairs."""

from wtforms import Form, HiddenField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

TOO_OLD = "This page is too old. Reload it and try again."


class VersionForm(Form):
    """Carries the version of the chair that was seen."""

    version = HiddenField("Version", [InputRequired(TOO_OLD)])

    def validate_version(self, field: HiddenField) -> None:
        if not str(field.data).isdecimal():
            raise ValidationError(TOO_OLD)
        field.data = int(field.data)


class OutOfServiceForm(VersionForm):
    reason = StringField(
        "Reason",
        [
            InputRequired("Write what is wrong with it."),
            Length(min=3, max=200, message="Write what is wrong with it, in 3 to 200 letters."),
        ],
        description="Everyone who looks for a chair reads it: compressor broken, being cleaned.",
        filters=[lambda text: " ".join(text.split()) if text else text],
        render_kw={"autocomplete": "off", "maxlength": 200},
    )
