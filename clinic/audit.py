"""The trace: one sentence per act, written in the transaction of the act. If it cannot be written, the act fails."""

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from clinic import clock
from clinic.extensions import db
from clinic.models import AuditEvent, Base, Patient, User


@dataclass(frozen=True)
class Origin:
    """Where an act comes from; set once per request by the web layer."""

    address: str = ""
    device: str = ""


origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - frozen


def record(
    act: str,
    sentence: str,
    *,
    actor: User | None,
    subject: Base | None = None,
    patient: Patient | int | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Append one event to the session; it is stored with the act's own commit.

    `act` is `feature.verb` (`queue.call`); `sentence` is what a person reads ("Called A-014 to chair 4").
    """
    source = origin.get()
    db.session.add(
        AuditEvent(
            at=clock.now(),
            actor_id=actor.id if actor else None,
            role=str(actor.role) if actor else "",
            act=act,
            subject=f"{subject.__tablename__}:{getattr(subject, 'id', '')}" if subject is not None else "",
            patient_id=patient.id if isinstance(patient, Patient) else patient,
            sentence=sentence[:500],
            before=_json(before),
            after=_json(after),
            reason=reason,
            address=source.address,
            device=source.device,
        )
    )


def _json(values: dict[str, Any] | None) -> str | None:
    return None if values is None else json.dumps(values, default=str, ensure_ascii=False, sort_keys=True)
