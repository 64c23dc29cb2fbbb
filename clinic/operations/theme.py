"""A person's colours."""

from clinic.extensions import db
from clinic.models import User
from clinic.operations.locks import locked

THEMES = {"light": "light", "dark": "dark", "auto": "as the device"}


def choose_theme(theme: str, *, actor: User) -> None:
    """Keep the colours a person likes; a taste, not a fact of the clinic, so it leaves no trace. Harmless to repeat.

    On two screens at once the later choice holds: a taste is no conflict.
    """
    if actor.theme != theme:
        locked(User, actor.id).theme = theme
        db.session.flush()
