"""Typed settings of the clinic, kept in the database and read through one function.

Every setting is declared here with its default, its kind, and what it means; `read(name)` answers the stored value or the default.
Values are held in this process for at most `MAX_AGE` seconds, so a change reaches every process within that time; the process that
made it reads it at once.
"""

import functools
import hashlib
import json
import time
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask, current_app
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from clinic.documents.kinds import TYPES
from clinic.extensions import db
from clinic.models import AssignmentKind, Role, Setting, Stage
from clinic.setting_kinds import (
    Currency,
    EmailAddress,
    Kind,
    Limits,
    MinutesPairs,
    OneOf,
    Several,
    Switch,
    Text,
    Week,
    Whole,
)

MAX_AGE = 2.0  # seconds
YEARS = {str(year): f"year {year}" for year in range(1, 8)}
# Those the public display has words in (blueprints/display/words.py).
LANGUAGES = {
    "en": "English",
    "si": "Sinhala",
    "ta": "Tamil",
    "ar": "Arabic",
    "zh": "Chinese",
    "th": "Thai",
    "ms": "Malay",
    "es": "Spanish",
}
GROUPS = {
    "clinic": "The clinic",
    "queue": "Queue and visits",
    "display": "Public displays",
    "sign-in": "Sign-in and lock",
    "patients": "Who may see which patient",
    "documents": "Documents",
    "kept": "How long things are kept",
}


@functools.cache
def zones() -> Mapping[str, str]:
    """The time zones this machine knows, by area."""
    names = zoneinfo.available_timezones()
    return {
        name: name.replace("_", " ") for name in sorted(names) if name == "UTC" or ("/" in name and name[:4] != "Etc/")
    }


@dataclass(frozen=True)
class Declared:
    """`label` what it is called on the page, `meaning` the hint below it."""

    default: Any
    kind: Kind
    group: str
    label: str
    meaning: str


DECLARED: dict[str, Declared] = {
    "clinic_name": Declared(
        "Chairside Dental School Clinic",
        Text(80),
        "clinic",
        "Name of the clinic",
        "Shown on displays, in mails and to authenticator apps.",
    ),
    "time_zone": Declared(
        "Asia/Colombo", OneOf(zones), "clinic", "Time zone", "A day is this zone's day, and every time is shown in it."
    ),
    "mail_reply_to": Declared(
        "", EmailAddress(), "clinic", "Answers to our mails go to", "Nothing: to the sender of the mails."
    ),
    "currency": Declared(
        "EUR",
        Currency(),
        "clinic",
        "Currency",
        "In which plans of treatment say what they cost, by its code (ISO 4217). A plan keeps the one in which it was begun.",
    ),
    "estimate_days": Declared(
        90,
        Whole(1, 730, "days"),
        "clinic",
        "Estimates are valid for",
        "Days from its sending for which a patient may accept an estimate.",
    ),
    "sessions_of_week": Declared(
        {},
        Week(),
        "clinic",
        "Sessions of the week",
        "A visit for which nobody came counts as missed when its session is over; on a day without sessions, when the day is.",
    ),
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
        MinutesPairs(
            {
                stage.value: stage.value.replace("_", " ").capitalize()
                for stage in (
                    Stage.WAITING,
                    Stage.CALLED,
                    Stage.IN_CHAIR,
                    Stage.IN_TREATMENT,
                    Stage.AWAITING_SUPERVISOR,
                    Stage.AWAITING_DISMISSAL,
                    Stage.CHECKOUT,
                )
            }
        ),
        "queue",
        "Long and very long",
        "Minutes in a stage after which its card is marked long, and very long.",
    ),
    "late_after_minutes": Declared(
        10,
        Whole(0, 240, "minutes"),
        "queue",
        "Late after",
        "Minutes after the appointment at which an arrival counts as late.",
    ),
    "no_show_calls": Declared(
        3,
        Whole(1, 20, "calls"),
        "queue",
        "Calls without an answer",
        "After so many, leaving without being seen is offered.",
    ),
    "undo_minutes": Declared(
        10, Whole(1, 120, "minutes"), "queue", "Undo", "Minutes during which the last move of a patient can be undone."
    ),
    "start_gate": Declared(
        True,
        Switch(),
        "queue",
        "Approval to Start",
        "No treatment by a student begins before a supervisor has approved its start in this visit.",
    ),
    "dismiss_gate": Declared(
        True,
        Switch(),
        "queue",
        "Approval to Dismiss",
        "No patient of a student goes to checkout before a supervisor has approved what the visit changed.",
    ),
    "block_days": Declared(
        7,
        Whole(0, 365, "days"),
        "queue",
        "Unapproved work blocks after",
        "Days after which unapproved work of a student keeps them from new starts, unless a supervisor gives them more time. 0: never.",
    ),
    "coverage_limit": Declared(
        8,
        Whole(1, 100, "students"),
        "queue",
        "Students to a supervisor",
        "When a visit is booked and more students than these come to one supervisor in that half of the day, it is said; never refused.",
    ),
    "self_assessment": Declared(
        False,
        Switch(),
        "queue",
        "Self-assessment before the dismissal",
        "No student asks for Approval to Dismiss before the visit's student has assessed themselves, and no supervisor evaluates before.",
    ),
    "display_languages": Declared(
        ["en"], Several(LANGUAGES, most=4), "display", "Languages", "In the order in which they are shown."
    ),
    "display_voice": Declared(False, Switch(), "display", "Voice", "Whether public displays may speak and chime."),
    "idle_lock_seconds": Declared(
        300,
        Whole(30, 3600, "seconds"),
        "sign-in",
        "Lock after",
        "Seconds without a person's activity after which a terminal locks.",
    ),
    "totp_roles": Declared(
        [],
        Several({role.value: role.value.capitalize() for role in Role}),
        "sign-in",
        "Second factor",
        "People of these roles set up a second factor before they can do anything else.",
    ),
    "request_days": Declared(
        14, Whole(1, 365, "days"), "patients", "Requests expire after", "Days after which an undecided request expires."
    ),
    "load_limits": Declared(
        {"primary": {"3": 8, "4": 14, "5": 20}, "additional": {}, "treatment": {}, "oversight": {}},
        Limits({kind.value: kind.value.capitalize() for kind in AssignmentKind}, YEARS, 999),
        "patients",
        "Most patients of a student",
        "At once, by kind of assignment and year of study. An empty field is no limit.",
    ),
    "glass_minutes": Declared(
        60,
        Whole(5, 480, "minutes"),
        "patients",
        "Broken glass",
        "Minutes for which a record opened by breaking the glass can be read.",
    ),
    "kiosk_minutes": Declared(
        15,
        Whole(2, 120, "minutes"),
        "patients",
        "Tablet in a patient's hands",
        "Minutes for which a form that was handed to a patient on a tablet can be sent.",
    ),
    "document_mib": Declared(
        2048, Whole(1, 8000, "MiB"), "documents", "Largest document", "A cone-beam volume has some hundred MiB."
    ),
    "document_types": Declared(
        list(TYPES),
        Several(TYPES, least=1),
        "documents",
        "Kinds of file",
        "What is taken, told by a file's content and not by its name. What is in the record already stays.",
    ),
    "documents_a_day": Declared(
        500, Whole(1, 100_000, "files"), "documents", "Files a day", "Most files that one person may add in a day."
    ),
    "document_mib_a_day": Declared(
        20_480, Whole(1, 1_000_000, "MiB"), "documents", "MiB a day", "Most MiB that one person may add in a day."
    ),
    "document_link_minutes": Declared(
        0,
        Whole(0, 60, "minutes"),
        "documents",
        "Direct links",
        "Minutes for which a link straight to the object store holds, by which a large file is downloaded past this application. 0: there "
        "are none. Whoever has such a link reads the file until it ends, signed in or not, and also when the patient was taken from them "
        "meanwhile; what comes is not verified by us part by part. Each one is in the trail. The store must be reachable from people's "
        "computers.",
    ),
    "document_link_mib": Declared(
        100,
        Whole(1, 8000, "MiB"),
        "documents",
        "Direct links from",
        "Smaller files always come through this application.",
    ),
    "document_years": Declared(
        0,
        Whole(0, 100, "years"),
        "documents",
        "Kept at least",
        "Years before which no document may be purged, deleted or not. 0: it may be purged at once.",
    ),
    "document_hold": Declared(
        False,
        Switch(),
        "documents",
        "Legal hold",
        "While it is on, nothing is purged: a claim or an inquiry may need it.",
    ),
    "audit_years": Declared(
        10,
        Whole(1, 100, "years"),
        "kept",
        "Trail at hand",
        "Years the trail stays at hand before it is archived; it is never deleted.",
    ),
    "draft_days": Declared(
        30,
        Whole(1, 365, "days"),
        "kept",
        "Drafts",
        "Days for which what somebody typed and never sent is kept for them.",
    ),
}

# What was read, and when, by application: two in one process have a database each.
_held: WeakKeyDictionary[Flask, tuple[float, dict[str, Any]]] = WeakKeyDictionary()
_changes = 0  # counts what made the held values void


def read(name: str) -> Any:
    """The value of a declared setting; costs at most one query per process every `MAX_AGE` seconds."""
    return _stored().get(name, DECLARED[name].default)


def of_group(group: str) -> dict[str, Declared]:
    return {name: declared for name, declared in DECLARED.items() if declared.group == group}


def digest(values: dict[str, Any]) -> str:
    """What a page has shown of some settings, in few letters: a form carries it, and is refused when they are others by then."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def forget() -> None:
    """Drop the values held in this process (after a change, and between tests)."""
    global _changes
    _changes += 1
    _held.clear()


def changed() -> None:
    """Drop the values held in this process now, and again when the transaction that is under way has ended, however it ends."""
    db.session().info["settings"] = True
    forget()


def _stored() -> dict[str, Any]:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    read_at, values = _held.get(app, (0.0, {}))
    if time.monotonic() - read_at > MAX_AGE or not read_at:
        began, changes = time.monotonic(), _changes
        rows = db.session.execute(select(Setting.name, Setting.value).limit(1000))
        values = {name: json.loads(value) for name, value in rows}
        if changes == _changes:  # else what was read may be older than what another thread has stored meanwhile
            _held[app] = began, values
    return values


@event.listens_for(Session, "after_commit")
@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    if not session.in_nested_transaction() and session.info.pop("settings", False):
        forget()
