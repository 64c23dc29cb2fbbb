"""The sessions of the week (setting `sessions_of_week`) on the clinic's wall clock."""

from datetime import datetime, time

from clinic import clock, settings
from clinic.setting_kinds import DAYS

WEEKDAYS = tuple(DAYS)  # as date.weekday() counts them


def over_before(at: datetime) -> datetime:
    """The instant before which everything planned is over: the end of the last session that has ended on this day, else its beginning."""
    day = clock.local(at).date()
    sessions = settings.read("sessions_of_week").get(WEEKDAYS[day.weekday()], [])
    ends = (datetime.combine(day, time.fromisoformat(end), tzinfo=clock.zone()) for _start, end in sessions)
    return max((end for end in ends if end <= at), default=clock.start_of(day)).astimezone(at.tzinfo)
