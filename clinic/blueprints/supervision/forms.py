"""Forms of supervision: one per act. Each carries the version of the row the person saw, so that a stale press is refused."""

from wtforms import HiddenField, IntegerField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, InputRequired, Length, ValidationError
from wtforms.widgets import HiddenInput

from clinic.formatting import words
from clinic.forms import TOO_OLD, VersionForm, stripped
from clinic.models import CallReason, Stage, User
from clinic.operations.calls import CALL_STAGES, COMING_MINUTES

NOTE_LENGTH = 200


class MoveForm(VersionForm):
    to = HiddenField(validators=[AnyOf(list(Stage), TOO_OLD)], filters=[lambda value: value or ""])


class ChairForm(VersionForm):
    chair = IntegerField(widget=HiddenInput(), validators=[InputRequired("Choose a chair.")])


class ComingForm(VersionForm):
    minutes = IntegerField(widget=HiddenInput(), validators=[AnyOf(COMING_MINUTES, TOO_OLD)])


class CallForm(VersionForm):
    reason = RadioField(
        "Reason",
        [InputRequired("Choose why you call.")],
        choices=[SelectChoice(reason.value, words(reason).capitalize()) for reason in CallReason],
    )
    note = StringField(
        "Note (optional)",
        [Length(max=NOTE_LENGTH, message=f"Keep the note to {NOTE_LENGTH} characters.")],
        description="One line for the supervisor: tooth, step, what you need",
        filters=[stripped],
    )

    def lead(self) -> "CallForm":
        """Itself, with the cursor where the note is typed."""
        self.note.render_kw = {"autofocus": True}
        return self

    def offer(self, stage: Stage) -> "CallForm":
        """Itself, offering only what one may call for in this stage."""
        reasons = [reason for reason in CallReason if stage in CALL_STAGES[reason]]
        self.reason.choices = [SelectChoice(reason.value, words(reason).capitalize()) for reason in reasons]
        return self


class PassForm(VersionForm):
    to = RadioField("Supervisor", [InputRequired("Choose who gets the call.")], coerce=int, choices=[])
    note = StringField(
        "Note (optional)",
        [Length(max=NOTE_LENGTH, message=f"Keep the note to {NOTE_LENGTH} characters.")],
        filters=[stripped],
    )

    def offer(self, colleagues: list[User]) -> "PassForm":
        """Itself, with these people to choose from."""
        self.colleagues = {person.id: person for person in colleagues}
        self.to.choices = [SelectChoice(person.id, person.name) for person in colleagues]
        if len(colleagues) == 1 and self.to.data is None:
            self.to.data = colleagues[0].id
        return self

    def validate_to(self, field: RadioField) -> None:
        if field.data not in self.colleagues:
            raise ValidationError("Choose one of the supervisors of this department.")
