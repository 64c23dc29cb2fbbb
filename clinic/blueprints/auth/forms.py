"""Forms of signing in."""

from wtforms import BooleanField, EmailField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from clinic import passwords
from clinic.forms import Form


class SignInForm(Form):
    email = EmailField(
        "E-mail",
        [InputRequired("Type your e-mail address."), Length(max=254)],
        render_kw={"autocomplete": "username", "autofocus": True},
    )
    password = PasswordField(
        "Password",
        [InputRequired("Type your password."), Length(max=passwords.MOST)],
        render_kw={"autocomplete": "current-password"},
    )
    remember = BooleanField("Remember this device for 30 days", description="Only on a device that is yours alone.")

    def lead(self) -> "SignInForm":
        """Put the cursor into the password when the e-mail is typed already."""
        if self.email.data:
            self.email.render_kw = {"autocomplete": "username"}
            self.password.render_kw = {"autocomplete": "current-password", "autofocus": True}
        return self


class CodeForm(Form):
    code = StringField(
        "Code",
        [InputRequired("Type the code that your app shows."), Length(max=40)],
        description="The six digits that your authenticator app shows now, or one of your recovery codes.",
        render_kw={"autocomplete": "one-time-code", "autofocus": True},
    )


class ForgottenForm(Form):
    email = EmailField(
        "E-mail",
        [InputRequired("Type your e-mail address."), Length(max=254)],
        render_kw={"autocomplete": "username", "autofocus": True},
    )


class NewPasswordForm(Form):
    password = PasswordField(
        "New password",
        [InputRequired("Type a new password."), Length(max=passwords.MOST)],
        description=f"At least {passwords.LEAST} characters. Several words in a row are easy to remember.",
        render_kw={"autocomplete": "new-password", "autofocus": True},
    )
