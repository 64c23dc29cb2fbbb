"""The trail: one sentence per act, written in the transaction of the act. If it cannot be written, the act fails.

Events are a chain: each carries an HMAC over the one before it and itself, with a key that the database does not know. They are
appended last, just before the commit, while the one row that holds the end of the chain is locked: the chain has no forks, no gaps,
and is in commit order (docs/decisions/0030-the-audit-chain.md).
"""

import hmac
import json
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from flask import current_app
from sqlalchemy import event, insert, select, update
from sqlalchemy.orm import Session, SessionTransaction

from clinic import clock
from clinic.errors import Unavailable
from clinic.extensions import db
from clinic.models import AuditEvent, AuditHead, Base, Patient, User

PENDING, APPENDED, TOLD = "audit", "audit appended", "audit told"
# What the chain covers of an event, in this order.
COVERED = (
    "id",
    "at",
    "actor_id",
    "role",
    "act",
    "subject",
    "patient_id",
    "sentence",
    "before",
    "after",
    "reason",
    "address",
    "device",
)
_written = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


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
    subject: Base | str | None = None,
    patient: Patient | int | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Note one event; it is appended to the chain by the act's own commit, and forgotten by its rollback.

    `act` is `feature.verb` (`queue.call`); `sentence` is what a person reads ("Called A-014 to chair 4"); a `subject` that is no row
    is given as text (`visit:7`).
    """
    source = origin.get()
    session = db.session()
    if not session.in_transaction():
        session.begin()  # so that a rollback is heard even when nothing was asked of the database yet
    session.info.setdefault(PENDING, []).append(
        {
            "at": clock.now(),
            "actor_id": actor.id if actor else None,
            "role": str(actor.role) if actor else "",
            "act": act,
            "subject": f"{subject.__tablename__}:{getattr(subject, 'id', '')}"
            if isinstance(subject, Base)
            else subject or "",
            "patient_id": patient.id if isinstance(patient, Patient) else patient,
            "sentence": sentence[:500],
            "before": _json(before),
            "after": _json(after),
            "reason": reason,
            "address": source.address,
            "device": source.device,
        }
    )


def pending() -> list[dict[str, Any]]:
    """The events noted since the last commit or rollback, oldest first, not yet in the chain."""
    return list(db.session().info.get(PENDING, ()))


def has_told() -> bool:
    """Whether something was appended and committed in this session, which is a request's."""
    return bool(db.session().info.get(TOLD))


def key() -> bytes:
    """The key of the chain, which the database does not know."""
    return current_app.config["CHAIRSIDE"].audit_key.encode()


def mac_of(key: bytes, before: str, said: Sequence[Any]) -> str:
    """The link of an event: HMAC-SHA256 over the link before it and what it says, in the order of `COVERED`, hex.

    The instant is given as the text of `datetime.isoformat`, in UTC.
    """
    return hmac.digest(key, (before + _written(said)).encode(), "sha256").hex()


@event.listens_for(Session, "before_commit")
def append(session: Session) -> None:
    """Append what was noted to the chain; from here to the end of the commit, nobody else appends."""
    if session.in_nested_transaction():
        return
    events = session.info.pop(PENDING, None)
    if not events:
        return
    session.flush()
    secret = key()
    end = select(AuditHead.seq, AuditHead.mac).where(AuditHead.id == 1).with_for_update()
    head = session.execute(end).one_or_none()
    if head is None:
        raise Unavailable(
            "The end of the trail is missing, so nothing can be done or shown. Tell an administrator at once."
        )
    seq, mac = head
    for noted in events:
        seq += 1
        noted["id"] = seq
        said = noted | {"at": noted["at"].astimezone(UTC).isoformat()}
        mac = noted["mac"] = mac_of(secret, mac, [said[name] for name in COVERED])
    session.execute(insert(AuditEvent), events)
    session.execute(
        update(AuditHead).where(AuditHead.id == 1).values(seq=seq, mac=mac).execution_options(synchronize_session=False)
    )
    session.info[APPENDED] = True


@event.listens_for(Session, "after_commit")
def _tell(session: Session) -> None:
    if session.info.pop(APPENDED, False):
        session.info[TOLD] = True


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    # A savepoint rolled back keeps them: what an operation noted before it tried is still true.
    if previous.parent is None:
        session.info.pop(PENDING, None)
        session.info.pop(APPENDED, None)


def _json(values: dict[str, Any] | None) -> str | None:
    return None if values is None else json.dumps(values, default=str, ensure_ascii=False, sort_keys=True)
