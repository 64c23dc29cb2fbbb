"""What the forms of several features share."""

from typing import Any, Self

from wtforms import Form, HiddenField, SelectField
from wtforms.validators import InputRequired, ValidationError

from clinic.errors import DomainError

TOO_OLD = "This page is too old. Reload it and try again."


def one_line(text: str | None) -> str | None:
    """A field's filter: one space between words, none around."""
    return " ".join(text.split()) if text else text


class VersionForm(Form):
    """Carries the version of the row that was seen, so that a row changed meanwhile is refused and not changed twice."""

    version = HiddenField("Version", [InputRequired(TOO_OLD)])

    def validate_version(self, field: HiddenField) -> None:
        if not str(field.data).isdecimal() or len(field.data) > 18:
            raise ValidationError(TOO_OLD)
        field.data = int(field.data)

    def checked(self) -> Self:
        """Itself. Raises DomainError when it cannot be used: for forms of one button, where nobody could correct a field."""
        if not self.validate():
            raise DomainError(next(messages[0] for messages in self.errors.values()))
        return self


class ListField(SelectField):
    """A choice from a list, which says what to do when something else was sent."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Choose one from the list.") from None

    def pre_validate(self, form: Any) -> None:
        try:
            super().pre_validate(form)
        except ValueError:
            raise ValidationError("Choose one from the list.") from None
