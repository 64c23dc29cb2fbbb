"""Forms of visits: scheduling a simple one, and adding a walk-in."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from wtforms import DateField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from clinic import clock
from clinic.forms import Form, one_line
from clinic.models import Chair, Department, Priority, User

YEARS = range(1900, 3000)  # of days one may look at: none has a day before or after it that a date cannot hold
OPENS, CLOSES = 7, 20  # hours of the day in which visits can begin
NOBODY = SelectChoice("", "Not chosen yet")
LENGTHS = (15, 30, 45, 60, 75, 90, 105, 120, 150, 180, 240)


def _optional(value: Any) -> int | None:
    return int(value) if value not in (None, "", "None") else None


def reason_field(hint: str, *, first: bool = False) -> StringField:
    return StringField(
        "Reason",
        [DataRequired("Write the reason in a few words."), Length(max=200, message="Keep it under 200 letters.")],
        description=hint,
        filters=[one_line],
        render_kw={"autocomplete": "off", "maxlength": 200} | ({"autofocus": True} if first else {}),
    )


class ScheduleForm(Form):
    """A simple visit. `starts_at` is the instant chosen."""

    department = SelectField("Department", [InputRequired("Choose a department.")], coerce=int)
    day = DateField("Day", [InputRequired("Choose a day.")])
    time = SelectField(
        "Time",
        [InputRequired("Choose a time.")],
        choices=[
            SelectChoice(f"{hour:02d}:{minute:02d}") for hour in range(OPENS, CLOSES) for minute in (0, 15, 30, 45)
        ],
    )
    minutes = SelectField(
        "Minutes",
        [InputRequired("Choose a length.")],
        coerce=int,
        choices=[SelectChoice(n, f"{n} min") for n in LENGTHS],
        default=60,
    )
    chair = SelectField("Chair", coerce=_optional)
    student = SelectField("Student", coerce=_optional, description="Those to whom the patient is assigned.")
    supervisor = SelectField("Supervisor", coerce=_optional)
    reason = reason_field("What the patient comes for: check-up, filling 36, pain on the left.")

    def offer(
        self,
        departments: Collection[Department],
        chairs: Collection[Chair],
        students: Collection[User],
        supervisors: Collection[User],
    ) -> "ScheduleForm":
        """Itself, with these to choose from."""
        self.offered = {
            name: {row.id: row for row in rows}
            for name, rows in (
                ("department", departments),
                ("chair", chairs),
                ("student", students),
                ("supervisor", supervisors),
            )
        }
        names = {row.id: row.name for row in departments}
        self.department.choices = [SelectChoice(number, name) for number, name in names.items()]
        self.chair.choices = [NOBODY] + [
            SelectChoice(chair.id, chair.name, optgroup=names[chair.department_id])
            for chair in chairs
            if not chair.out_of_service
        ]
        self.student.choices = [NOBODY] + [SelectChoice(row.id, _person(row, names)) for row in students]
        self.supervisor.choices = [NOBODY] + [SelectChoice(row.id, _person(row, names)) for row in supervisors]
        return self

    def chosen(self) -> tuple[int, datetime, int | None, int | None] | None:
        """Department, instant, student and supervisor as chosen so far, each as offered; None while there is no place or time."""
        department, student, supervisor = (
            self[name].data if self[name].data in self.offered[name] else None
            for name in ("department", "student", "supervisor")
        )
        times = {choice.value for choice in self.time.choices}
        if (
            department is None
            or self.day.data is None
            or self.day.data.year not in YEARS
            or self.time.data not in times
        ):
            return None
        return department, self._starts_at(), student, supervisor

    def _starts_at(self) -> datetime:
        wall = datetime.strptime(f"{self.day.data} {self.time.data}", "%Y-%m-%d %H:%M").replace(tzinfo=clock.zone())
        return wall.astimezone(UTC)

    def booked(self) -> dict[str, Any]:
        """What `schedule_visit` is told."""
        return {
            **{name: rows.get(self[name].data) for name, rows in self.offered.items()},
            "starts_at": self._starts_at(),
            "minutes": self.minutes.data,
            "reason": self.reason.data,
        }


class WalkInForm(Form):
    """Somebody who came without an appointment."""

    department = SelectField("Department", [InputRequired("Choose a department.")], coerce=int)
    reason = reason_field("What the patient comes for, in their words.", first=True)
    priority = RadioField(
        "Priority",
        [InputRequired("Choose a priority.")],
        coerce=int,
        choices=[SelectChoice(int(priority), priority.name.capitalize()) for priority in Priority],
        default=int(Priority.NORMAL),
    )

    def offer(self, departments: Collection[Department]) -> "WalkInForm":
        """Itself, with these departments to choose from."""
        self.departments = {row.id: row for row in departments}
        self.department.choices = [SelectChoice(row.id, row.name) for row in departments]
        return self

    def asked(self) -> dict[str, Any]:
        """What `add_walk_in` is told."""
        return {
            "department": self.departments[self.department.data],
            "reason": self.reason.data,
            "priority": Priority(self.priority.data),
        }


def next_time() -> str:
    """The next quarter of an hour on the clinic's clock, as the form says it; the opening time outside of the day."""
    at = clock.local(clock.now() + timedelta(minutes=15))
    return f"{at:%H}:{at.minute // 15 * 15:02d}" if OPENS <= at.hour < CLOSES else f"{OPENS:02d}:00"


def _person(row: User, departments: dict[int, str]) -> str:
    parts = [row.name, f"year {row.year}" if row.year else "", departments.get(row.department_id or 0, "")]
    return ", ".join(part for part in parts if part)
