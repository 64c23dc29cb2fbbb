"""Forms of the clinic's own kinds of chart entry."""

from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length, Regexp

from clinic.chart.kinds import OWN_DRAWINGS, OWN_ICONS, OWN_STYLES, Scope
from clinic.forms import Form, VersionForm, one_line

SCOPE_WORDS = {
    Scope.SURFACES: "Surfaces of a tooth",
    Scope.WHOLE: "A whole tooth",
    Scope.SPAN: "Several teeth",
    Scope.ARCH: "A jaw",
}
STYLE_WORDS = {code: words for styles in OWN_STYLES.values() for code, words in styles.items()}


def _choices(words: dict[str, str]) -> list[SelectChoice]:
    return [SelectChoice(value=value, label=label) for value, label in words.items()]


class Named(Form):
    """Name, word and how it is drawn."""

    name = StringField(
        "Name",
        [DataRequired("Type a name."), Length(max=80, message="Keep it under 81 letters.")],
        description="As it stands in lists and on the print: Desensitising varnish.",
        filters=[one_line],
        render_kw={"autocomplete": "off", "maxlength": 80},
    )
    word = StringField(
        "Word",
        [DataRequired("Type a word."), Length(max=20, message="Keep it under 21 letters.")],
        description="What one types for it in a line: varnish.",
        filters=[one_line],
        render_kw={"autocomplete": "off", "maxlength": 20, "autocapitalize": "off", "spellcheck": "false"},
    )
    pattern = SelectField("Fill or line", choices=_choices(STYLE_WORDS), default="dots")
    letter = StringField(
        "Letters",
        [Regexp("^[A-Za-z0-9]{0,3}$", message="At most 3, of A to Z and digits.")],
        description="Up to three, so that it can be told apart without colour.",
        filters=[one_line],
        default="",
        render_kw={"autocomplete": "off", "maxlength": 3},
    )
    icon = SelectField("Icon", choices=_choices({"": "None"} | OWN_ICONS), default="")


class AddForm(Named):
    is_treatment = SelectField(
        "It is",
        choices=_choices({"no": "A finding", "yes": "A treatment, which is planned and completed"}),
        description="This, and what it is on, cannot be changed later.",
    )
    shape = SelectField(
        "On what, and how it is drawn",
        choices=_choices(
            {
                f"{scope} {rule}": f"{SCOPE_WORDS[scope]}: {words}"
                for scope, rules in OWN_DRAWINGS.items()
                for rule, words in rules.items()
            }
        ),
    )


class ChangeForm(VersionForm, Named):
    rule = SelectField("How it is drawn")

    def of(self, scope: Scope) -> "ChangeForm":
        """Itself, with the drawings that a kind on these can have."""
        self.rule.choices = _choices(OWN_DRAWINGS[scope])
        return self
