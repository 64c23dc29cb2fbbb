"""Every Jinja filter: dates, ages and waits as the clinic says them."""

from datetime import date, datetime, timedelta

from flask import Flask, current_app

from clinic import clock
from clinic.money import money


def day(value: date | datetime) -> str:
    """Tue 3 Mar 2026."""
    on = clock.local(value) if isinstance(value, datetime) else value
    return f"{on:%a} {on.day} {on:%b %Y}"


def short_day(value: date) -> str:
    """2 Mar 1984, for rows."""
    return f"{value.day} {value:%b %Y}"


def when(value: datetime) -> str:
    """Tue 3 Mar 2026, 14:05."""
    return f"{day(value)}, {clock.local(value):%H:%M}"


def exactly(value: datetime) -> str:
    """Tue 3 Mar 2026, 14:05:09."""
    return f"{when(value)}:{clock.local(value):%S}"


def clock_time(value: datetime) -> str:
    """14:05."""
    return f"{clock.local(value):%H:%M}"


def age(born: date) -> str:
    """`34 y`; under six `3 y 2 m`; under one `5 m`."""
    return age_at(born, clock.today())


def age_at(born: date, on: date) -> str:
    """The age on a day, as `age` says it."""
    months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
    years, rest = divmod(max(months, 0), 12)
    if years >= 6:
        return f"{years} y"
    return f"{years} y {rest} m" if years else f"{rest} m"


def wait(seconds: float) -> str:
    """`12 min`, `1 h 20 min`."""
    minutes = int(max(seconds, 0) // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def since(start: datetime) -> str:
    """The wait from an instant until now."""
    return wait((clock.now() - start).total_seconds())


def ago(at: datetime) -> str:
    """How long before now: `5 s ago`, `12 min ago`, `3 h ago`, `4 days ago`."""
    return f"{lasting(clock.now() - at)} ago"


def lasting(time: timedelta) -> str:
    """A length of time in its largest unit: `5 s`, `12 min`, `3 h`, `4 days`."""
    seconds = int(max(time.total_seconds(), 0))
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length * (2 if unit == "days" else 1):
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def browser(user_agent: str) -> str:
    """`Firefox on Windows`, from what a browser says of itself."""
    names = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
    systems = (
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "Mac"),
        ("Linux", "Linux"),
    )
    name = next((word for sign, word in names if sign in user_agent), "A browser")
    system = next((word for sign, word in systems if sign in user_agent), "an unknown system")
    return f"{name} on {system}"


def iso(value: datetime) -> str:
    return value.isoformat()


def words(value: str) -> str:
    """An enum's value as words: `awaiting_supervisor` -> `awaiting supervisor`; `1-critical` -> `critical`."""
    return str(value).split("-")[-1].replace("_", " ")


def act(name: str) -> str:
    """`patient.open` -> `patient: open`; `read.patients.show` -> `read: ` and what its view says that it shows."""
    feature, _, rest = name.partition(".")
    said = view(rest) if feature in ("read", "did") else words(rest.replace(".", " "))
    return f"{words(feature)}: {said}" if rest else words(name)


def view(endpoint: str) -> str:
    """`patients.edit` -> `the form to change a patient`: the first sentence of its view's docstring, to stand within another."""
    function = current_app.view_functions.get(endpoint)
    said = ((function.__doc__ if function else "") or "").partition("\n")[0].partition(". ")[0].rstrip(".")
    return said[:1].lower() + said[1:] if said else words(endpoint.replace(".", " "))


def number_of(count: int, one: str, several: str = "") -> str:
    """`1 visit`, `12 visits`, `1,200 visits`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def bytes_of(size: int) -> str:
    """`640 bytes`, `1.2 MB`: in powers of ten, as file managers say it."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.{0 if size >= 100 * scale else 1}f} {unit}"
    return number_of(size, "byte")


def ordinal(place: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


def init_app(app: Flask) -> None:
    for shown in (
        day,
        short_day,
        when,
        exactly,
        clock_time,
        age,
        age_at,
        wait,
        since,
        iso,
        words,
        act,
        ordinal,
        number_of,
        money,
        bytes_of,
        browser,
        ago,
        lasting,
    ):
        app.add_template_filter(shown)
