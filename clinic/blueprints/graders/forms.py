"""Of which days and which department graders are compared."""

from datetime import date, timedelta

from werkzeug.datastructures import MultiDict
from wtforms import DateField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, ValidationError

from clinic import clock
from clinic.forms import Form
from clinic.models import Department
from clinic.queries.graders import MOST_DAYS

YEAR = timedelta(days=365)
FIRST_YEAR = 2000
PICK = "Give a day as year-month-day, for example 2026-03-03."


def asked(sent: MultiDict[str, str]) -> MultiDict[str, str]:
    """What was asked; the last year where nothing was."""
    today = clock.today()
    usual = {"from": (today - YEAR).isoformat(), "to": today.isoformat(), "department": "0"}
    return MultiDict(usual | {name: sent[name] for name in usual if sent.get(name)})


class GradersForm(Form):
    department = SelectField("Department", coerce=int, default=0)
    begin = DateField("From", [InputRequired(PICK)], name="from")
    end = DateField("To", [InputRequired(PICK)], name="to")

    def offer(self, departments: list[Department], *, own: bool) -> "GradersForm":
        """Itself, with these departments to choose from; `own`: the viewer has one alone."""
        named = [SelectChoice(row.id, row.name) for row in departments]
        self.department.choices = named if own else [SelectChoice(0, "All departments"), *named]
        if own:
            self.department.data = named[0].value if named else 0
        return self

    def validate_begin(self, field: DateField) -> None:
        if field.data and field.data.year < FIRST_YEAR:
            raise ValidationError(f"Choose a day after the year {FIRST_YEAR - 1}.")

    def validate_end(self, field: DateField) -> None:
        first: date | None = self.begin.data
        if first and field.data and not 0 <= (field.data - first).days < MOST_DAYS:
            raise ValidationError("Choose a last day that is after the first, by at most two years.")
