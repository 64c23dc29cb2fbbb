"""Typed settings of the clinic, kept in the database and read through one function.

Every setting is declared here with its default and what it means; `read(name)` answers the stored value or the default.
Values are held in this process for at most `MAX_AGE` seconds, so a change reaches every process within that time.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from clinic.extensions import db

MAX_AGE = 2.0  # seconds


@dataclass(frozen=True)
class Declared:
    default: Any
    meaning: str


DECLARED: dict[str, Declared] = {
    "clinic_name": Declared("Chairside Dental School Clinic", "Shown in the navigation, on displays and in print"),
    "time_zone": Declared("Asia/Colombo", "IANA name of the clinic's time zone; a day is this zone's day"),
    "idle_lock_seconds": Declared(300, "Seconds without a person's activity after which a terminal locks"),
    "display_languages": Declared(["en"], "Languages of the public display, in the order they are shown"),
    "display_voice": Declared(False, "Whether public displays may speak and chime"),
    "stage_thresholds": Declared(
        {
            "waiting": [20, 45],
            "called": [3, 8],
            "in_chair": [20, 40],
            "in_treatment": [90, 150],
            "awaiting_supervisor": [8, 15],
            "awaiting_dismissal": [10, 20],
            "checkout": [10, 20],
        },
        "Minutes in a stage after which its card is marked long, and very long",
    ),
    "late_after_minutes": Declared(10, "Minutes after the appointment at which an arrival counts as late"),
    "no_show_calls": Declared(3, "Calls without an answer after which leaving without being seen is offered"),
    "undo_minutes": Declared(10, "Minutes during which the last move of a queue entry can be undone"),
    "request_days": Declared(14, "Days after which an undecided assignment request expires"),
    "load_limits": Declared(
        {"primary": {"3": 8, "4": 14, "5": 20}, "additional": {}, "treatment": {}, "oversight": {}},
        "Most patients a student of each year may have at once, by kind of assignment; no number is no limit",
    ),
    "glass_minutes": Declared(60, "Minutes for which a record opened by breaking the glass can be read"),
    "audit_years": Declared(10, "Years the trail stays at hand before it is archived; it is never deleted"),
    "totp_roles": Declared([], "Roles that must sign in with a second factor"),
}

_cache: tuple[float, dict[str, Any]] = (0.0, {})


def read(name: str) -> Any:
    """The value of a declared setting; costs at most one query per process every `MAX_AGE` seconds."""
    return _stored().get(name, DECLARED[name].default)


def forget() -> None:
    """Drop the values held in this process (after a change, and between tests)."""
    global _cache
    _cache = (0.0, {})


def _stored() -> dict[str, Any]:
    from clinic.models import Setting

    global _cache
    read_at, values = _cache
    if time.monotonic() - read_at > MAX_AGE or not read_at:
        rows = db.session.execute(select(Setting.name, Setting.value).limit(1000))
        values = {name: json.loads(value) for name, value in rows}
        _cache = (time.monotonic(), values)
    return values
