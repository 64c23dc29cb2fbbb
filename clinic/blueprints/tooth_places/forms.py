"""The form that says where a tooth is on a picture: in per cent, or by pressing the picture where there is no JavaScript."""

from decimal import Decimal, InvalidOperation

from wtforms import StringField
from wtforms.validators import InputRequired, ValidationError

from clinic.chart import teeth
from clinic.errors import DomainError
from clinic.forms import SeenForm
from clinic.models import Document
from clinic.operations.tooth_places import WHOLE
from clinic.text import ascii_digits

PLAIN = 640  # pixels of the longer side of a picture that is pressed without JavaScript


def plain_size(document: Document) -> tuple[int, int] | None:
    """How large a picture is shown to be pressed, in pixels: what is then sent is counted from its upper left corner. None when its
    proportions are not known."""
    if not document.is_picture or not document.width or not document.height:
        return None
    scale = PLAIN / max(document.width, document.height)
    return max(1, round(document.width * scale)), max(1, round(document.height * scale))


class ToothForm(SeenForm):
    """Names a tooth by its key, and the newest mark that the page showed."""

    tooth = StringField("Tooth", [InputRequired("Choose the tooth first.")])

    def validate_tooth(self, field: StringField) -> None:
        if not (teeth.is_tooth(field.data) or teeth.is_extra(field.data)):
            raise ValidationError("Choose the tooth first.")


class MarkForm(ToothForm):
    """With a place."""

    x = StringField("From the left")
    y = StringField("From the top")
    pressed_x = StringField(name="at.x")
    pressed_y = StringField(name="at.y")

    def place(self, document: Document) -> tuple[int, int]:
        """The place in thousandths. Raises DomainError."""
        size = plain_size(document)
        if size and self.pressed_x.data and self.pressed_y.data:
            pressed = zip((self.pressed_x, self.pressed_y), size, strict=True)
            x, y = (_number(field, Decimal(WHOLE) / length) for field, length in pressed)
        else:
            x, y = (_number(field, Decimal(WHOLE) / 100) for field in (self.x, self.y))
        return x, y


def _number(field: StringField, times: Decimal) -> int:
    try:
        said = Decimal(ascii_digits((field.data or "").strip())[:12].replace(",", "."))
    except InvalidOperation:
        said = Decimal(-1)
    if not said.is_finite() or not 0 <= said * times <= WHOLE:
        raise DomainError("Say where the tooth is: how far from the left and from the top, each from 0 to 100 %.")
    return round(said * times)
