"""A trail of many events, written straight into the table with true links, as years of work would have left it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, update

from clinic import audit, clock, storage
from clinic.extensions import db
from clinic.models import AuditEvent, AuditHead

ACTS = ("patient.open", "patient.change", "queue.call", "queue.move", "visit.check_in", "patient.search", "refused")


def fill(
    count: int, *, began: datetime = datetime(2026, 1, 5, 3, tzinfo=UTC), every: float = 3, patients: int = 400
) -> None:
    """Append `count` events, `every` so many seconds one, about `patients` patients by forty people."""
    secret = audit.key()
    seq, link = db.session.execute(select(AuditHead.seq, AuditHead.mac)).one()
    rows = []
    for number in range(seq + 1, seq + count + 1):
        changes = number % 7 == 1
        row = {
            "id": number,
            "at": began + timedelta(seconds=every * number),
            "actor_id": number % 40 + 1,
            "role": ("receptionist", "student", "supervisor", "nurse")[number % 4],
            "act": ACTS[number % 7],
            "subject": f"patient:{number % patients + 1}",
            "patient_id": number % patients + 1 if number % 7 != 5 else None,
            "sentence": f"Opened the record of Nimali Fernando “{number}”",
            "before": '{"phone": "077 123 4567"}' if changes else None,
            "after": f'{{"phone": "071 {number:07d}"}}' if changes else None,
            "reason": "Covering for a colleague" if number % 50 == 0 else None,
            "address": f"10.0.{number % 8}.{number % 250}",
            "device": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140",
        }
        said = row | {"at": row["at"].isoformat()}
        link = row["mac"] = audit.mac_of(secret, link, [said[name] for name in audit.COVERED])
        rows.append(row)
        if len(rows) == 5000:
            db.session.execute(insert(AuditEvent), rows)
            rows = []
    if rows:
        db.session.execute(insert(AuditEvent), rows)
    db.session.execute(update(AuditHead).values(seq=seq + count, mac=link))


class Shelf:
    """An object store in memory, of the functions that the jobs use; `away` makes it answer nothing."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.away = False

    def put_once(self, key: str, body: bytes) -> bool:
        self._answer()
        return self.objects.setdefault(key, body) is body

    def read(self, key: str) -> bytes:
        self._answer()
        if key not in self.objects:
            raise storage.Missing(key)
        return self.objects[key]

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        self._answer()
        yield from sorted(key for key in self.objects if key.startswith(prefix) and key > after)

    def held(self, prefix: str, *, after: str = "") -> Iterator[storage.Held]:
        return (storage.Held(key, clock.now(), len(self.objects[key])) for key in self.keys(prefix, after=after))

    def unfinished(self, _prefix: str) -> Iterator[storage.Held]:
        self._answer()
        return iter(())

    def _answer(self) -> None:
        if self.away:
            raise storage.StorageError("The object store does not answer.")
