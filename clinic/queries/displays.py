"""Public screens, and what they show: tickets and chairs. No column of a patient is asked for here."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select
from sqlalchemy.orm import aliased, joinedload

from clinic import clock, security
from clinic.extensions import db
from clinic.models import Chair, Department, Display, QueueEntry, Role, Stage, User, Visit

PAIRING_LASTS = timedelta(minutes=15)
SHOWN = 6  # the newest call, and the five before it
MOST_DISPLAYS = 200


@dataclass(frozen=True)
class ShownCall:
    """One call as a waiting room may see it. `key` changes when the same ticket is called again."""

    key: str
    ticket: str
    chair: str
    at: datetime


def display_with(token: str) -> Display | None:
    """The screen whose cookie this is: paired, or waiting with a code that still holds; None once revoked or too late."""
    if not token:
        return None
    display = db.session.execute(
        select(Display).where(Display.token_hash == security.digest(token), Display.revoked_at.is_(None))
    ).scalar_one_or_none()
    if display is None or (display.paired_at is None and clock.now() - display.created_at > PAIRING_LASTS):
        return None
    return display


def calls_on(display: Display) -> list[ShownCall]:
    """Today's calls of the display's departments, the newest first, each ticket once; at most `SHOWN`.

    Whoever waits again (did not come, was transferred) is not being called: the chair may be another's by now.
    """
    again = aliased(QueueEntry)
    waits_again = exists().where(
        again.visit_id == QueueEntry.visit_id, again.ended_at.is_(None), again.stage == Stage.WAITING
    )
    at = func.coalesce(QueueEntry.last_called_at, QueueEntry.started_at)
    query = (
        select(QueueEntry.id, QueueEntry.calls, Visit.ticket, Chair.name, at)
        .join(Visit, Visit.id == QueueEntry.visit_id)
        .join(Chair, Chair.id == QueueEntry.chair_id)
        .where(
            QueueEntry.department_id.in_(_departments_of(display)),
            QueueEntry.started_at >= clock.start_of(clock.today()),
            QueueEntry.stage == Stage.CALLED,
            QueueEntry.voided_at.is_(None),
            Visit.ticket.is_not(None),
            ~waits_again,
        )
        .order_by(at.desc(), QueueEntry.id.desc())
        .limit(SHOWN * 5)
    )
    calls: dict[str, ShownCall] = {}
    for entry_id, times, ticket, chair, called_at in db.session.execute(query):
        call = ShownCall(f"{entry_id}-{times}", str(ticket), chair, called_at)
        calls.setdefault(call.ticket, call)
    return list(calls.values())[:SHOWN]


def topics_on(display: Display) -> set[str]:
    """What makes the display look again."""
    return {f"queue:{department}" for department in _departments_of(display)}


def displays_for(viewer: User) -> list[Display]:
    """Every paired screen that was not revoked, for those who manage them."""
    if viewer.role is not Role.ADMIN:
        return []
    return list(
        db.session.execute(
            select(Display)
            .where(Display.paired_at.is_not(None), Display.revoked_at.is_(None))
            .options(joinedload(Display.department))
            .order_by(Display.name, Display.id)
            .limit(MOST_DISPLAYS)
        ).scalars()
    )


def display_for(viewer: User, display_id: int) -> Display | None:
    """A paired screen that was not revoked."""
    return next((display for display in displays_for(viewer) if display.id == display_id), None)


def _departments_of(display: Display) -> list[int]:
    if display.department_id is not None:
        return [display.department_id]
    return list(db.session.execute(select(Department.id).where(Department.active)).scalars())
