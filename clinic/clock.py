"""The only place that asks for the time.

Instants are aware datetimes in UTC; a *day* is the clinic's day in the clinic's time zone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from clinic import settings

_frozen: datetime | None = None


def now() -> datetime:
    """The current instant, UTC, with microseconds."""
    return _frozen or datetime.now(UTC)


def zone() -> ZoneInfo:
    """The clinic's time zone (setting `time_zone`)."""
    return ZoneInfo(settings.read("time_zone"))


def today() -> date:
    """The clinic's day at this instant."""
    return local(now()).date()


def local(at: datetime) -> datetime:
    """The same instant on the clinic's wall clock."""
    return at.astimezone(zone())


def start_of(day: date) -> datetime:
    """The instant, in UTC, at which the clinic's day begins."""
    return datetime.combine(day, time.min, tzinfo=zone()).astimezone(UTC)


def bounds(day: date) -> tuple[datetime, datetime]:
    """The half-open interval [start, end) of the clinic's day, in UTC."""
    return start_of(day), start_of(day + timedelta(days=1))


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """Hold the clock at one instant (tests and demo data only)."""
    global _frozen
    before, _frozen = _frozen, at
    try:
        yield
    finally:
        _frozen = before
