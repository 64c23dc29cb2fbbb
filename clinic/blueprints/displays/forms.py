"""Pairing a public screen."""

from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from clinic.forms import Form
from clinic.models import Department


class PairForm(Form):
    code = StringField(
        "Code on the screen",
        [InputRequired("Type the six characters the screen shows."), Length(max=20)],
        description="Open /display on the screen and press Pair this screen.",
        render_kw={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )
    name = StringField(
        "Name",
        [InputRequired("Give the screen a name, e.g. Waiting room, ground floor."), Length(max=120)],
        render_kw={"autocomplete": "off"},
    )
    department = SelectField("Shows", coerce=int, description="Calls of one department, or of all.")

    def offer(self, departments: list[Department]) -> "PairForm":
        self.departments = {each.id: each for each in departments}
        self.department.choices = [(0, "Every department"), *((each.id, each.name) for each in departments)]
        return self

    def chosen(self) -> Department | None:
        """The department; None for every one."""
        return self.departments.get(self.department.data)
