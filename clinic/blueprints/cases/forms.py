"""Forms of cases and their tasks: one per act."""

from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from clinic.blueprints.patients.forms import DayField
from clinic.forms import Form, VersionForm, one_line, stripped, teeth_in
from clinic.models import CaseTask, User
from clinic.operations.cases import REVIEW_LENGTH, TITLE_LENGTH, WORDS_LENGTH, Asked

REASON_LENGTH = 500
ROWS = {"rows": 3}


def _title(label: str, description: str) -> StringField:
    return StringField(
        label,
        [InputRequired("Give it a title."), Length(max=TITLE_LENGTH, message=f"At most {TITLE_LENGTH} letters.")],
        filters=[one_line],
        description=description,
        render_kw={"autocomplete": "off", "maxlength": TITLE_LENGTH},
    )


def _words(label: str, description: str = "") -> TextAreaField:
    return TextAreaField(
        label,
        [Length(max=WORDS_LENGTH, message=f"At most {WORDS_LENGTH:,} letters.")],
        filters=[stripped],
        description=description,
        render_kw=ROWS,
    )


def _student(label: str) -> SelectField:
    return SelectField(label, [InputRequired("Choose a student.")], coerce=int, choices=[])


class OpenForm(Form):
    """A case, as a supervisor opens it."""

    student = _student("Student")
    title = _title("Title", "What it is about, e.g. Crown on 36")
    words = _words("What it should come to")

    def of(self, students: list[User]) -> "OpenForm":
        """Itself with whom there is to choose from."""
        self.student.choices = [SelectChoice(person.id, person.name) for person in students]
        return self


class TaskForm(Form):
    """A task, as a supervisor assigns it."""

    title = _title("Task", "What is to be done, e.g. Preparation and impression")
    due_on = DayField("Until", [InputRequired("Say until which day.")], description="The last day, e.g. 3 Apr 2026")
    teeth = StringField(
        "Teeth",
        [Length(max=200)],
        filters=[one_line],
        description="With commas, e.g. 36, 37; none when it is of no tooth",
        render_kw={"autocomplete": "off"},
    )
    kind = SelectField("Treatment", default="", choices=[])
    words = _words("What to watch out for")

    def by(self, numbering: str, kinds: list[tuple[str, str]]) -> "TaskForm":
        """Itself, with teeth read in a person's numbering, and kinds of treatment to choose from."""
        self.numbering, self.keys = numbering, tuple[str, ...]()
        self.kind.choices = [SelectChoice("", "none in particular"), *(SelectChoice(*pair) for pair in kinds)]
        return self

    def validate_teeth(self, field: StringField) -> None:
        self.keys = teeth_in(field, self.numbering)

    @property
    def asked(self) -> Asked:
        assert self.due_on.data is not None
        return Asked(
            title=self.title.data or "",
            due_on=self.due_on.data,
            words=self.words.data or "",
            teeth=self.keys,
            kind=self.kind.data or "",
        )


class CompleteForm(VersionForm):
    words = _words("What you did", "For the supervisor; may stay empty")


class ReviewForm(VersionForm):
    words = TextAreaField(
        "Your review",
        [Length(max=REVIEW_LENGTH, message=f"At most {REVIEW_LENGTH:,} letters.")],
        filters=[stripped],
        description="The student reads it; may stay empty.",
        render_kw=ROWS,
    )


class CommentForm(Form):
    task = SelectField("About", coerce=int, default=0, choices=[])
    words = TextAreaField(
        "Comment",
        [InputRequired("Write what you want to say."), Length(max=WORDS_LENGTH)],
        filters=[stripped],
        description="It stays in the log; nobody changes it.",
        render_kw={"rows": 2},
    )

    def about(self, tasks: list[CaseTask]) -> "CommentForm":
        """Itself with what there is to comment on."""
        self.task.choices = [SelectChoice(0, "the whole case"), *(SelectChoice(task.id, task.title) for task in tasks)]
        return self


class PassForm(VersionForm):
    student = _student("To")
    reason = StringField(
        "Why", [InputRequired("Write why it is passed on."), Length(max=REASON_LENGTH)], filters=[one_line]
    )

    def of(self, students: list[User]) -> "PassForm":
        """Itself with whom there is to choose from."""
        self.student.choices = [SelectChoice(person.id, person.name) for person in students]
        return self


class CloseForm(VersionForm):
    reason = StringField("Why", [Length(max=REASON_LENGTH)], filters=[one_line])
