"""Forms of requests."""

from collections.abc import Collection

from wtforms import RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from clinic.blueprints.assignments.forms import KINDS, Loads, line, number, person_choices
from clinic.forms import Form, one_line
from clinic.models import AssignmentKind, RequestKind, User
from clinic.operations.requests import NEED_LENGTH, REASON_LENGTH

# Overseeing is for supervisors.
OF_STUDENTS = [choice for choice in KINDS if choice.value != AssignmentKind.OVERSIGHT.value]


class AskForm(Form):
    """Reception asks that somebody gets or gives up a patient."""

    act = RadioField(
        "What",
        [InputRequired("Choose what you ask for.")],
        choices=[
            SelectChoice(RequestKind.ASSIGN.value, "Assign somebody to the patient"),
            SelectChoice(RequestKind.REMOVE.value, "Remove somebody from the patient"),
        ],
    )
    person = SelectField("Who", [InputRequired("Choose who.")], coerce=number)
    kind = SelectField("As", [InputRequired("Choose how.")], choices=KINDS, default=AssignmentKind.PRIMARY.value)
    reason = line("Reason", REASON_LENGTH, required="Write why you ask.", hint="Whoever decides reads it.")

    def offer(self, people: Collection[User], loads: Loads) -> "AskForm":
        """Itself, with these people to choose from."""
        self.person.choices = person_choices(people, loads)
        return self


class AskForPatientForm(Form):
    """A student asks for a patient by code."""

    code = StringField(
        "Patient's code",
        [
            InputRequired("Write the patient's code."),
            Length(max=40, message="A patient's code looks like P-2026-00412."),
        ],
        description="P-2026-00412, as the desk or your supervisor told you.",
        filters=[one_line],
        render_kw={"autocomplete": "off", "maxlength": 40, "autofocus": True},
    )
    kind = SelectField("As", [InputRequired("Choose how.")], choices=OF_STUDENTS, default=AssignmentKind.PRIMARY.value)
    need = line(
        "What you need the patient for",
        NEED_LENGTH,
        required="Write what you need the patient for.",
        hint="The treatment, and the requirement it serves: molar endodontics, second of two.",
    )
