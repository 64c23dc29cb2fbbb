"""Forms of patients: each answers domain types, and each message says what to do."""

import json
import re
import unicodedata
from datetime import date
from enum import StrEnum
from typing import Any

from wtforms import (
    BooleanField,
    EmailField,
    Field,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TelField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional, ValidationError
from wtforms.widgets import HiddenInput, TextInput

from clinic import clock
from clinic.days import NotADay, read_day
from clinic.formatting import words
from clinic.forms import Form
from clinic.models import AlertKind, Severity, Sex
from clinic.text import digits, one_line
from clinic.text import words as words_of

OLDEST = 130  # years


def tidy(text: str | None) -> str:
    """On a line, with composed letters."""
    return unicodedata.normalize("NFC", one_line(text or ""))


def choices_of(kind: type[StrEnum]) -> list[SelectChoice]:
    return [SelectChoice(one.value, words(one).capitalize()) for one in kind]


class DayField(Field):
    """A day typed in any of the usual ways; its data is a date."""

    widget = TextInput()
    data: date | None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return f"{self.data.day}/{self.data.month}/{self.data.year:04d}" if self.data else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        if valuelist and valuelist[0].strip():
            try:
                self.data = read_day(valuelist[0][:60])
            except NotADay as wrong:
                raise ValueError(str(wrong)) from None


def born_in_a_lifetime(form: Form, field: Field) -> None:
    if field.data is None:
        return  # it could not be read, which is said already
    today = clock.today()
    if field.data > today:
        raise ValidationError("This day is still to come. Check the year.")
    if field.data.year < today.year - OLDEST:
        raise ValidationError(f"That is more than {OLDEST} years ago. Check the year.")


def has_letters(form: Form, field: Field) -> None:
    if not words_of(field.data):
        raise ValidationError("Type the name with at least one letter.")


def phone_number(form: Form, field: Field) -> None:
    if not re.fullmatch(r"[\d\s+()./;,#x-]*", field.data, re.IGNORECASE) or not 4 <= len(digits(field.data)) <= 20:
        raise ValidationError("Type a phone number, like 071 555 0199 or +94 71 555 0199.")


def address_of_mail(form: Form, field: Field) -> None:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", field.data):
        raise ValidationError("Type an e-mail address, like ana@example.org, or leave it empty.")


def _text(
    label: str, longest: int, *validators: Any, required: str = "", field: Any = StringField, **render: Any
) -> Any:
    first = DataRequired(required) if required else Optional()
    length = Length(max=longest, message=f"At most {longest} letters.")
    if required:
        render["required"] = True
    return field(label, [first, length, *validators], filters=[tidy], render_kw={"autocomplete": "off", **render})


class PatientForm(Form):
    """What is written about a patient."""

    name = _text("Name", 200, has_letters, required="Type the name.", spellcheck="false")
    birth_date = DayField(
        "Birth date",
        [InputRequired("Type the birth date, like 2/3/1984."), born_in_a_lifetime],
        description="Day first: 2/3/1984 or 2 Mar 1984",
        render_kw={"autocomplete": "off", "inputmode": "text", "required": True},
    )
    sex = SelectField(
        "Sex",
        choices=[SelectChoice("", "Choose"), *choices_of(Sex)],
        validators=[InputRequired("Choose the sex; “unknown” is among the choices.")],
        render_kw={"required": True},
    )
    phone = _text("Phone", 40, phone_number, field=TelField)
    email = _text("E-mail", 254, address_of_mail, field=EmailField)
    address = _text("Address", 400)
    language = _text("Preferred language", 40)
    emergency_name = _text("Emergency contact", 200)
    emergency_phone = _text("Emergency contact's phone", 40, phone_number, field=TelField)
    emergency_relation = _text("Relation to the patient", 60)

    REST = ("email", "address", "language", "emergency_name", "emergency_phone", "emergency_relation")

    def written(self) -> dict[str, Any]:
        """The fields as domain types."""
        fields = {name: self[name].data for name in ("name", "birth_date", "phone", *self.REST)}
        return fields | {"sex": Sex(self.sex.data)}

    def rest_is_open(self) -> bool:
        """Whether something is written or wrong in the optional fields."""
        return any(self[name].data or self[name].errors for name in self.REST)

    def lead(self) -> "PatientForm":
        """Put the cursor into the first wrong field, or the first one."""
        first = next((field for field in self if field.errors), self["name"])
        first.render_kw = {**(first.render_kw or {}), "autofocus": True}
        return self


class RegisterForm(PatientForm):
    another_person = BooleanField("This is another person of the same name and birth date")


class ChangeForm(PatientForm):
    version = IntegerField(widget=HiddenInput(), validators=[InputRequired()])
    was = HiddenField()

    def shown(self) -> dict[str, str]:
        """What the form showed before it was changed; empty when that cannot be read."""
        try:
            was = json.loads(self.was.data or "{}")
        except (ValueError, RecursionError):
            was = {}
        names = {"name", "birth_date", "sex", "phone", *self.REST}
        return (
            {key: value for key, value in was.items() if key in names and isinstance(value, str)}
            if isinstance(was, dict)
            else {}
        )


class ArchiveForm(Form):
    """Archiving and restoring."""

    version = IntegerField(widget=HiddenInput(), validators=[InputRequired()])
    reason = _text("Reason", 200, required="Say why, in a few words.")


class AlertForm(Form):
    kind = SelectField("Kind", choices=choices_of(AlertKind))
    severity = SelectField(
        "Severity",
        choices=choices_of(Severity),
        default=Severity.WARNING.value,
    )
    label = _text("What", 120, required="Say what it is, like Penicillin.")
    detail = _text("More about it", 1000, field=TextAreaField, rows="2")


class EndAlertForm(Form):
    reason = _text("Why it ends", 200, required="Say why it ends.")
