"""Forms of material used in a visit."""

from wtforms import IntegerField, StringField
from wtforms.validators import InputRequired, Length, NumberRange

from clinic.forms import Form, VersionForm, one_line


class UseForm(Form):
    """A material, as one types it."""

    material = StringField(
        "Material",
        [InputRequired("Name the material."), Length(max=120)],
        filters=[one_line],
        description="As on the package, e.g. Composite A2",
        render_kw={"list": "materials-lately", "autocomplete": "off", "maxlength": 120},
    )
    quantity = IntegerField(
        "How many",
        [InputRequired("Type a whole number."), NumberRange(1, 999, "A whole number from 1 to 999.")],
        default=1,
        render_kw={"min": 1, "max": 999, "inputmode": "numeric"},
    )
    unit = StringField(
        "Of what",
        [InputRequired("Say of what: capsule, piece, ml."), Length(max=20)],
        filters=[one_line],
        default="piece",
        render_kw={"list": "materials-units", "autocomplete": "off", "maxlength": 20},
    )
    lot = StringField(
        "Lot",
        [Length(max=40)],
        filters=[one_line],
        description="From the package, so that a recall finds this patient",
        render_kw={"autocomplete": "off", "maxlength": 40},
    )


class TakeBackForm(VersionForm):
    reason = StringField(
        "Why", [InputRequired("Write why; it stays with what was used."), Length(max=500)], filters=[one_line]
    )
