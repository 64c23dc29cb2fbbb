"""How a person is shown charts."""

from clinic.chart.teeth import Numbering
from clinic.extensions import db
from clinic.models import User
from clinic.operations.locks import locked


def choose_view(*, numbering: Numbering, legend: str, actor: User) -> None:
    """Keep the numbering and legend a person likes; a taste, not a fact of the clinic, so it leaves no trace. Harmless to repeat."""
    if (actor.numbering, actor.legend) != (numbering, legend):
        person = locked(User, actor.id)  # on two screens at once the later choice holds
        person.numbering, person.legend = numbering, legend
        db.session.flush()
