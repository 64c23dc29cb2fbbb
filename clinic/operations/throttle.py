"""Slowing down whoever guesses: after a few failures in a row a bucket waits, each time longer.

A try is counted before it is judged, so that a hundred guesses sent at once count as a hundred. The table is bounded by its keys:
a bucket is one of a fixed number of slots, chosen by a hash of what it stands for. Known and unknown accounts are counted alike.
Whoever signs in on a device that the account knows is counted apart: an outsider's guesses never keep a person out of their own desk.
"""

import hashlib
import ipaddress
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from clinic import clock
from clinic.errors import DomainError
from clinic.extensions import db
from clinic.formatting import number_of
from clinic.models import SignInThrottle

# Failures without a delay, and slots, per kind of bucket. With the delays below, four free tries make ten in the first hour.
KINDS = {
    "account": (4, 65536),
    "known": (4, 16384),  # an account on a device on which it signed in before
    "address": (30, 16384),  # a whole clinic may share one
    "code": (4, 16384),  # second factor, after the right password
    "own": (4, 16384),  # one's own password asked again, while signed in
    "pair": (4, 16384),  # a patient's code and birth date, by whom may break the glass
    "tablet": (30, 16384),  # addresses of forms on tablets, by network
    "pin": (3, 16384),  # a supervisor's PIN at a student's terminal
    "mail": (3, 16384),  # links to choose a new password
}
FIRST_DELAY = timedelta(seconds=60)
LONGEST_DELAY = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)


class TooManyTries(DomainError):
    status = 429


def bucket(kind: str, subject: object) -> str:
    slot = int.from_bytes(hashlib.sha256(f"{kind}:{subject}".encode()).digest()[:8]) % KINDS[kind][1]
    return f"{kind}:{slot}"


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 customer gets."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)


def count(*buckets: str) -> None:
    """Count one try in each bucket and lock their rows until the commit. Raises TooManyTries while one of them waits."""
    at = clock.now()
    rows = [_locked(name, at) for name in sorted(set(buckets))]
    waits = [row.blocked_until for row in rows if row.blocked_until and row.blocked_until > at]
    if waits:
        minutes = max(1, round((max(waits) - at).total_seconds() / 60))
        hint = " On a device where you have signed in before you need not wait." if len(rows) > 1 else ""
        raise TooManyTries(f"Too many tries. Wait {number_of(minutes, 'minute')}, then try again.{hint}")
    for row in rows:
        if at - row.last_failure_at > FORGOTTEN_AFTER:
            row.failures = 0
        row.failures += 1
        row.last_failure_at = at
        beyond = row.failures - KINDS[row.bucket.split(":")[0]][0]
        row.blocked_until = at + min(FIRST_DELAY * 2 ** min(beyond, 10), LONGEST_DELAY) if beyond >= 0 else None
    db.session.flush()


def forgive(*buckets: str) -> None:
    """The try was right: forget the failures before it. An address keeps its own, or a guesser would clear it by signing in."""
    names = [name for name in buckets if not name.startswith("address:")]
    if names:
        db.session.execute(delete(SignInThrottle).where(SignInThrottle.bucket.in_(names)))


def _locked(name: str, at: datetime) -> SignInThrottle:
    wanted = (
        select(SignInThrottle)
        .where(SignInThrottle.bucket == name)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = db.session.execute(wanted).scalar_one_or_none()
    if row is None:
        # In no savepoint: a deadlock must come out as one, so that the act is redone.
        with suppress(IntegrityError):  # somebody counted here for the first time at the same instant
            db.session.execute(
                insert(SignInThrottle.__table__).values(bucket=name, failures=0, last_failure_at=at)  # type: ignore[arg-type]
            )
        row = db.session.execute(wanted).scalar_one()
    return row
