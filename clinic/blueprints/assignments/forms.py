"""Forms of assignments: giving, ending, handing one patient over, and all of a student who leaves."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Any

from wtforms import DateField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError
from wtforms.validators import Optional as MayBeEmpty

from clinic import clock
from clinic.formatting import day
from clinic.forms import Form, one_line
from clinic.models import Assignment, AssignmentKind, Role, User
from clinic.operations.assignments import REASON_LENGTH
from clinic.operations.handover import NOTE_LENGTH, Destination, Item
from clinic.queries.assignments import Load
from clinic.text import fold

Loads = Mapping[int, Mapping[AssignmentKind, Load]]
KINDS = [SelectChoice(kind.value, kind.value.capitalize()) for kind in AssignmentKind]


def number(value: Any) -> int | None:
    """An id from a choice; None when nothing was chosen. Raises ValueError for anything else."""
    text = str(value if value is not None else "")
    if text in ("", "None"):
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ValueError("no id")
    return int(text)


def load_words(person: User, loads: Loads) -> str:
    """`primary 3 of 14, additional 2`: what somebody carries; always the primary patients, of the other kinds what there is."""
    carried = loads.get(person.id, {})
    shown = [load for load in carried.values() if load.count or load.kind is AssignmentKind.PRIMARY]
    return ", ".join(f"{load.kind.value} {load}" for load in shown)


def person_choices(people: Iterable[User], loads: Loads) -> list[SelectChoice]:
    """People to choose from, each with what they carry."""
    return [SelectChoice(person.id, f"{person.name} ({_what(person)}{load_words(person, loads)})") for person in people]


def _place_and_load(person: User, loads: Loads) -> list[str]:
    words = (
        person.department.name if person.department else "",
        f"year {person.year}" if person.year else "",
        load_words(person, loads),
    )
    return [word for word in words if word]


def _what(person: User) -> str:
    return (
        f"year {person.year}, " if person.year else f"{person.role.value}, " if person.role is not Role.STUDENT else ""
    )


def line(label: str, most: int, *, required: str = "", hint: str = "") -> StringField:
    return StringField(
        label,
        [DataRequired(required)] * bool(required) + [Length(max=most, message=f"At most {most} characters.")],
        description=hint,
        filters=[one_line],
        render_kw={"maxlength": most, "autocomplete": "off"},
    )


class AssignForm(Form):
    person = SelectField("Student", [InputRequired("Choose who gets the patient.")], coerce=number)
    kind = SelectField("As", [InputRequired("Choose how.")], choices=KINDS, default=AssignmentKind.PRIMARY.value)
    reason = line(
        "Reason to go beyond the load limit (only then)",
        REASON_LENGTH,
        hint="Where somebody has as many patients as their year may have, a reason of yours lifts the limit this once.",
    )

    def offer(self, people: Collection[User], loads: Loads) -> "AssignForm":
        """Itself, with these people to choose from."""
        self.person.choices = person_choices(people, loads)
        return self


class EndForm(Form):
    reason = line(
        "Why it ends",
        REASON_LENGTH,
        required="Write why the assignment ends.",
        hint="Kept with the assignment for ever.",
    )


class HandoverForm(Form):
    """To whom, the note, and where everything goes that hangs on the assignment: fields `goes-visit-7` and `why-visit-7`."""

    to = SelectField("To", [InputRequired("Choose who receives the patient.")], coerce=number)
    handover = TextAreaField(
        "Handover note",
        [
            DataRequired("Write a handover note."),
            Length(max=NOTE_LENGTH, message=f"At most {NOTE_LENGTH} characters."),
        ],
        description="What was done, what comes next, what to watch out for. The care team reads it on the patient's page.",
        render_kw={"rows": 6, "maxlength": NOTE_LENGTH},
    )
    reason = line("Reason to go beyond the receiver's load limit (only then)", REASON_LENGTH)

    def offer(self, people: Collection[User], loads: Loads, items: Collection[Item], sent: Any) -> "HandoverForm":
        """Itself, with these people to choose from and these items to find a place for."""
        self.to.choices = [
            SelectChoice(person.id, f"{person.name} ({', '.join(_place_and_load(person, loads))})") for person in people
        ]
        self.hanging = list(items)
        self.destinations = {
            item.key: Destination(sent.get(f"goes-{item.field}", ""), sent.get(f"why-{item.field}", "")[:500])
            for item in self.hanging
            if sent.get(f"goes-{item.field}")
        }
        return self


class ReasonForm(Form):
    """Step 1 of leaving: who, why and until when."""

    student = SelectField("Student", [InputRequired("Choose the student.")], coerce=number)
    reason = SelectField(
        "Why",
        [InputRequired("Choose why.")],
        choices=[SelectChoice(word, word) for word in ("Graduated", "On leave", "Left the school")],
    )
    last_day = DateField(
        "Last day",
        [MayBeEmpty()],
        default=clock.today,
        description="Kept with the reason. Everything takes effect when you confirm.",
    )

    def offer(self, students: Collection[User], loads: Loads) -> "ReasonForm":
        """Itself, with these students to choose from."""
        self.student.choices = person_choices(students, loads)
        return self

    def validate_last_day(self, field: DateField) -> None:
        if field.data and abs((field.data - clock.today()).days) > 366:
            raise ValidationError("Choose a day within a year from today.")


class LeavingForm:
    """Steps 2 and 3: who takes each assignment (`to-<assignment>`), the notes (`note-<patient>`), and the name that confirms."""

    def __init__(self, sent: Any, student: User, assignments: Collection[Assignment]) -> None:
        self.student = student
        self.reason = one_line(str(sent.get("reason", ""))[:100]) or ""
        self.last_day = _day(sent.get("last_day", ""))
        self.handover = str(sent.get("handover", "")).strip()[:NOTE_LENGTH]
        self.beyond = one_line(str(sent.get("beyond", ""))[:200]) or ""
        self.confirm = str(sent.get("confirm", "")).strip()[:200]
        self.to = {
            assignment.id: _number_or_none(sent[f"to-{assignment.id}"])
            for assignment in assignments
            if f"to-{assignment.id}" in sent
        }
        self.notes = {
            assignment.patient_id: note
            for assignment in assignments
            if (note := str(sent.get(f"note-{assignment.patient_id}", "")).strip()[:NOTE_LENGTH])
        }

    @property
    def why(self) -> str:
        """What is kept as the reason of the end."""
        return f"{self.reason or 'Left'}, last day {day(self.last_day)}"

    @property
    def is_confirmed(self) -> bool:
        return fold(self.confirm) == fold(self.student.name)


def _day(text: Any) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return clock.today()


def _number_or_none(text: str) -> int | None:
    try:
        return number(text)
    except ValueError:
        return None
