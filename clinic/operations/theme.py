"""A person's colours."""

from clinic.extensions import db
from clinic.models import User

THEMES = {"light": "light", "dark": "dark", "auto": "as the device"}


def choose_theme(theme: str, *, actor: User) -> None:
    """Keep the colours a person likes; a taste, not a fact of the clinic, so it leaves no trace. Harmless to repeat."""
    if actor.theme != theme:
        actor.theme = theme
        db.session.flush()
