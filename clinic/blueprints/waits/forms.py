"""What one asks of the waits: where, in which stage, on which days."""

from datetime import date, timedelta

from wtforms import DateField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, ValidationError

from clinic import clock
from clinic.formatting import words
from clinic.forms import Form
from clinic.models import FINAL_STAGES, Department, Stage
from clinic.queries.waits import MOST_DAYS

STAGES = [stage for stage in Stage if stage not in FINAL_STAGES]
WEEK = timedelta(days=6)
FIRST_YEAR = 2000
PICK = "Give a day as year-month-day, for example 2026-03-03."


def this_week() -> dict[str, date]:
    """The last seven days, today included: what is shown before anyone chooses."""
    today = clock.today()
    return {"begin": today - WEEK, "end": today}


class WaitsForm(Form):
    department = SelectField("Department", coerce=int, default=0)
    stage = SelectField(
        "Stage",
        choices=[SelectChoice(stage.value, words(stage).capitalize()) for stage in STAGES],
        default=STAGES[0],
    )
    begin = DateField("From", [InputRequired(PICK)], name="from")
    end = DateField("To", [InputRequired(PICK)], name="to")

    def offer(self, departments: list[Department]) -> "WaitsForm":
        """Itself, with these departments to choose from."""
        named = [SelectChoice(department.id, department.name) for department in departments]
        every = [SelectChoice(0, "All departments")] if len(named) > 1 else []
        self.department.choices = every + named
        if len(named) == 1:
            self.department.data = named[0].value
        return self

    def validate_begin(self, field: DateField) -> None:
        if field.data and field.data.year < FIRST_YEAR:
            raise ValidationError(f"Choose a day after the year {FIRST_YEAR - 1}.")

    def validate_end(self, field: DateField) -> None:
        if not self.begin.data or not field.data:
            return
        if field.data > clock.today() + timedelta(days=366):
            raise ValidationError("Choose a day up to a year from now.")
        if field.data < self.begin.data:
            raise ValidationError("The last day is before the first. Choose a later one.")
        if (field.data - self.begin.data).days >= MOST_DAYS:
            raise ValidationError("Choose at most a year.")
