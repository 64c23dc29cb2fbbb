"""Forms of chairs."""

from wtforms import StringField
from wtforms.validators import InputRequired, Length

from clinic.forms import VersionForm, one_line


class OutOfServiceForm(VersionForm):
    reason = StringField(
        "Reason",
        [
            InputRequired("Write what is wrong with it."),
            Length(min=3, max=200, message="Write what is wrong with it, in 3 to 200 letters."),
        ],
        description="Everyone who looks for a chair reads it: compressor broken, being cleaned.",
        filters=[one_line],
        render_kw={"autocomplete": "off", "maxlength": 200},
    )
