"""What the forms of several features share."""

from typing import Self

import wtforms
from wtforms import HiddenField
from wtforms.validators import InputRequired, ValidationError

from clinic import text
from clinic.chart import teeth
from clinic.errors import DomainError

TOO_OLD = "This page is too old. Reload it and try again."


def one_line(typed: str | None) -> str | None:
    """A field's filter: the text on a line."""
    return text.one_line(typed) if typed else typed


def stripped(typed: str | None) -> str:
    """A field's filter: nothing around the text; the lines within stay."""
    return (typed or "").strip()


def teeth_in(field: wtforms.Field, numbering: str) -> tuple[str, ...]:
    """The keys of the teeth typed into a field, in the order of the chart. Raises ValidationError."""
    try:
        return teeth.read_several(field.data or "", numbering)
    except ValueError as error:
        raise ValidationError(str(error)) from None


class Words:
    """What WTForms says by itself, in words of the clinic."""

    SAID = {
        "Not a valid choice.": "Choose one from the list.",
        "Invalid Choice: could not coerce.": "Choose one from the list.",
        "Not a valid date value.": "Choose a day.",
        "Not a valid integer value.": "Type a whole number.",
        "This field is required.": "Fill this in.",
        "Field cannot be longer than %(max)d characters.": "At most %(max)d letters.",
    }

    def gettext(self, said: str) -> str:
        return self.SAID.get(said, said)

    def ngettext(self, one: str, several: str, number: int) -> str:
        return self.gettext(one if number == 1 else several)


class Form(wtforms.Form):
    """What every form of ours is."""

    class Meta:
        def get_translations(self, _form: wtforms.Form) -> Words:
            return Words()

    def checked(self) -> Self:
        """Itself. Raises DomainError when it cannot be used: for forms where nobody could correct a field."""
        if not self.validate():
            raise DomainError(next(messages[0] for messages in self.errors.values()))
        return self


class VersionForm(Form):
    """Carries the version of the row that was seen, so that a row changed meanwhile is refused and not changed twice."""

    version = HiddenField("Version", [InputRequired(TOO_OLD)])

    def validate_version(self, field: HiddenField) -> None:
        if not str(field.data).isdecimal() or len(field.data) > 18:
            raise ValidationError(TOO_OLD)
        field.data = int(field.data)


class SeenForm(Form):
    """Carries the last stroke that the page showed, so that what was charted meanwhile is not written over unseen."""

    seen = HiddenField("Seen", [InputRequired(TOO_OLD)])

    def validate_seen(self, field: HiddenField) -> None:
        if not str(field.data).isdecimal() or len(field.data) > 9:
            raise ValidationError(TOO_OLD)
        field.data = int(field.data)
