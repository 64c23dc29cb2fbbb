"""A clinic day held at noon: the visits of the world begin at twelve, and the clock moves only when told."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from clinic import clock
from clinic.extensions import db
from tests.world import World


class Noon:
    def __init__(self, stack: ExitStack, at: datetime) -> None:
        self.start = at
        self._stack = stack
        self._stack.enter_context(clock.frozen(at))

    def later(self, minutes: float) -> datetime:
        """Move the clock on; answers the instant."""
        at = clock.now() + timedelta(minutes=minutes)
        self._stack.enter_context(clock.frozen(at))
        return at


@contextmanager
def noon_in(world: World) -> Iterator[Noon]:
    at = clock.start_of(clock.today()) + timedelta(hours=12)
    for name in world.visits:
        world.visit(name).starts_at = at
    db.session.flush()
    with ExitStack() as stack:
        yield Noon(stack, at)
