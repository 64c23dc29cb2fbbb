"""Forms of one's own account."""

from wtforms import PasswordField
from wtforms.validators import InputRequired, Length

from clinic import passwords
from clinic.forms import Form


class PresentPasswordForm(Form):
    present = PasswordField(
        "Your password now",
        [InputRequired("Type your present password."), Length(max=passwords.MOST)],
        render_kw={"autocomplete": "current-password"},
    )


class PasswordForm(PresentPasswordForm):
    password = PasswordField(
        "New password",
        [InputRequired("Type a new password."), Length(max=passwords.MOST)],
        description=f"At least {passwords.LEAST} characters. Several words in a row are easy to remember.",
        render_kw={"autocomplete": "new-password"},
    )


class PinForm(PresentPasswordForm):
    pin = PasswordField(
        "New PIN",
        [InputRequired("Type six digits.")],
        description="Six digits without a pattern: no repeats, no rows like 123456.",
        render_kw={"autocomplete": "off", "inputmode": "numeric", "maxlength": 12},
    )
