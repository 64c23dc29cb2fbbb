"""Forms of the live queue: one per act."""

from collections.abc import Iterable
from typing import Any

from wtforms import HiddenField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, ValidationError

from clinic.acts import Outcome, outcomes_for
from clinic.forms import TOO_OLD, VersionForm, one_line
from clinic.models import Chair, Department, Priority, QueueEntry, Stage


class MoveForm(VersionForm):
    to = HiddenField("Stage", [InputRequired(TOO_OLD)])

    def validate_to(self, field: HiddenField) -> None:
        if field.data not in MOVABLE:
            raise ValidationError(TOO_OLD)
        field.data = Stage(field.data)


# Calls, departures, transfers and the end of a visit have acts of their own, with reasons and permissions of their own.
MOVABLE = frozenset(
    {
        Stage.IN_CHAIR,
        Stage.IN_TREATMENT,
        Stage.AWAITING_SUPERVISOR,
        Stage.AWAITING_DISMISSAL,
        Stage.CHECKOUT,
    }
)


class ChairForm(VersionForm):
    """One of the free chairs."""

    chair = SelectField("Chair", [InputRequired("Choose a free chair.")], coerce=int, validate_choice=False)

    def offer(self, chairs: Iterable[Chair], first: int | None = None) -> "ChairForm":
        """Offer these; `first` is chosen when it is free and nothing else was."""
        self.chair.choices = [SelectChoice(chair.id, chair.name) for chair in chairs]
        if self.chair.data is None and first in [choice.value for choice in self.chair.choices]:
            self.chair.data = first
        return self

    @property
    def chair_name(self) -> str:
        return _label(self.chair)


class CallForm(ChairForm):
    """Call to a chair."""


class ReasonForm(VersionForm):
    reason = StringField(
        "Reason",
        [
            InputRequired("Write why, in a few words."),
            Length(min=3, max=200, message="Write why, in 3 to 200 letters."),
        ],
        filters=[one_line],
        render_kw={"autocomplete": "off", "maxlength": 200},
    )

    def why(self) -> dict[str, Any]:
        return {"version": self.version.data, "reason": self.reason.data}


class LeaveForm(ReasonForm):
    """A patient leaves without being seen."""


class TransferForm(ReasonForm):
    department = RadioField("To department", [InputRequired("Choose a department.")], coerce=int)

    def offer(self, departments: Iterable[Department]) -> "TransferForm":
        self.department.choices = [SelectChoice(row.id, row.name) for row in departments]
        return self

    @property
    def department_name(self) -> str:
        return _label(self.department)


class PriorityForm(ReasonForm):
    priority = RadioField(
        "Priority",
        [InputRequired("Choose a priority.")],
        coerce=int,
        choices=[SelectChoice(int(priority), priority.name.capitalize()) for priority in Priority],
    )

    @property
    def priority_name(self) -> str:
        return _label(self.priority).lower()


PLACES = {"first": ("First in line", True), "last": ("Last in line", False), "usual": ("In the usual order", None)}


class PlaceForm(ReasonForm):
    place = RadioField(
        "Place in line",
        [InputRequired("Choose a place.")],
        choices=[SelectChoice(key, label) for key, (label, _first) in PLACES.items()],
        default="first",
    )

    @property
    def first(self) -> bool | None:
        """To the head (True) or the end of the line (False); None puts the patient back in the usual order."""
        return PLACES[self.place.data][1]

    @property
    def place_name(self) -> str:
        return _label(self.place)


class CloseDayForm:
    """One outcome for each patient who is still here, in fields `outcome-<entry>`. `missing` names those left without one."""

    def __init__(self, sent: Any, entries: Iterable[QueueEntry]) -> None:
        open_now = {entry.id: entry for entry in entries}
        asked = {name.removeprefix("outcome-"): value for name, value in sent.items() if name.startswith("outcome-")}
        # Entries that have moved on since the page was shown are kept: the operation refuses them by name.
        self.outcomes = {
            int(number): Outcome(value)
            for number, value in asked.items()
            if number.isdecimal() and len(number) <= 18 and value in set(Outcome)
        }
        self.missing = [
            entry for number, entry in open_now.items() if self.outcomes.get(number) not in outcomes_for(entry.stage)
        ]

    def validate(self) -> bool:
        return not self.missing

    def summary(self, count: int) -> str:
        """What was done, in words."""
        if not count:
            return "The day is closed. Nobody was left in the queue."
        kinds = [(list(self.outcomes.values()).count(outcome), outcome.label.lower()) for outcome in Outcome]
        return "The day is closed: " + ", ".join(f"{number} {label}" for number, label in kinds if number)


def _label(field: Any) -> str:
    return next((choice.label for choice in field.choices if choice.value == field.data), "")
