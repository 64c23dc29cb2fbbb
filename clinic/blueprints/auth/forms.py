"""Forms of signing in."""

from wtforms import EmailField, Form, PasswordField
from wtforms.validators import InputRequired, Length


class SignInForm(Form):
    email = EmailField(
        "E-mail",
        [InputRequired("Type your e-mail address."), Length(max=254)],
        render_kw={"autocomplete": "username"},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Type your password."), Length(max=200)],
        render_kw={"autocomplete": "current-password"},
    )
