"""Forms of what students have to do."""

from collections.abc import Collection

from wtforms import DateField, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from clinic.chart.kinds import Kind
from clinic.evaluation.form import STEPS
from clinic.forms import Form, VersionForm, one_line
from clinic.models import Department, Requirement, ToothClass
from clinic.operations.requirements import MOST_SURFACES, MOST_WANTED, YEARS, Asked

CLASS_WORDS = {
    ToothClass.ANY: "any tooth",
    ToothClass.ANTERIOR: "front teeth, permanent",
    ToothClass.PREMOLAR: "premolars",
    ToothClass.MOLAR: "molars, permanent",
    ToothClass.PRIMARY: "primary teeth",
}
NUMBER = {"inputmode": "numeric", "autocomplete": "off"}


class Kinds(SelectMultipleField):
    """Several kinds of entry, each with a box."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class AskedForm(Form):
    """What a requirement says."""

    name = StringField(
        "Name",
        [InputRequired("Give it a name."), Length(max=120)],
        filters=[one_line],
        description="As students read it: Molar root canals",
        render_kw={"autocomplete": "off", "maxlength": 120},
    )
    kinds = Kinds("What counts", [InputRequired("Choose at least one.")], choices=())
    tooth_class = SelectField(
        "On", choices=[SelectChoice(each.value, words) for each, words in CLASS_WORDS.items()], default="any"
    )
    least_surfaces = SelectField(
        "Surfaces at least",
        coerce=int,
        choices=[SelectChoice(0, "any")] + [SelectChoice(n, str(n)) for n in range(1, MOST_SURFACES + 1)],
        default=0,
    )
    least_mark = SelectField(
        "How good",
        coerce=int,
        choices=[SelectChoice(0, "any mark, or none")]
        + [SelectChoice(n, f"{n} of {STEPS} or better, on average") for n in range(1, STEPS + 1)],
        default=0,
        description="Of the supervisor's marks for the visit in which it was done.",
    )
    wanted = IntegerField("How many", [InputRequired("Say how many.")], render_kw=NUMBER | {"max": MOST_WANTED})
    cap = IntegerField(
        "Of one patient at most",
        [Optional()],
        description="More of one patient do not count. Empty: any number.",
        render_kw=NUMBER,
    )
    begins = DateField("From", [InputRequired("Choose the day on which the term begins.")])
    due = DateField("By", [InputRequired("Choose the day by which it is due.")])

    def offering(self, kinds: Collection[Kind]) -> "AskedForm":
        """Itself, with these kinds to choose from."""
        self.kinds.choices = [SelectChoice(kind.code, kind.name) for kind in kinds]
        self.groups = {kind.code: str(kind.group) for kind in kinds}
        return self

    def asked(self) -> Asked:
        """What operations are told."""
        return Asked(
            name=self.name.data or "",
            kinds=self.kinds.data or (),
            wanted=self.wanted.data or 0,
            begins=self.begins.data,
            due=self.due.data,
            cap=self.cap.data,
            least_surfaces=self.least_surfaces.data,
            tooth_class=ToothClass(self.tooth_class.data),
            least_mark=self.least_mark.data or None,
        )


class AddForm(AskedForm):
    department = SelectField("Department", [InputRequired("Choose a department.")], coerce=int)
    year = SelectField(
        "Year of study",
        [InputRequired("Choose a year.")],
        coerce=int,
        choices=[SelectChoice(year, f"year {year}") for year in YEARS],
    )

    def of(self, departments: Collection[Department]) -> "AddForm":
        """Itself, with these departments to choose from."""
        self.departments = {row.id: row for row in departments}
        self.department.choices = [SelectChoice(row.id, row.name) for row in departments]
        return self


class ChangeForm(VersionForm, AskedForm):
    """A requirement anew."""


def filled(requirement: Requirement) -> ChangeForm:
    """The form as the requirement stands."""
    names = ("name", "wanted", "cap", "begins", "due", "least_surfaces")
    said = {name: getattr(requirement, name) for name in names}
    return ChangeForm(
        None,
        data=said
        | {
            "kinds": sorted(requirement.codes),
            "least_mark": requirement.least_mark or 0,
            "tooth_class": requirement.tooth_class.value,
        },
    )
