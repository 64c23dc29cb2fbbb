"""What an approver has looked at, and how much waits."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, func, select, union_all

from clinic.extensions import db
from clinic.models import Opened, User


def count_all(selects: Sequence[Select[Any]]) -> int:
    """How many rows these selects of one column have together. One query."""
    return db.session.scalar(select(func.count()).select_from(union_all(*selects).subquery())) or 0


def opened_versions(viewer: User, keys: Collection[str]) -> set[tuple[str, int]]:
    """Which versions of these items (`request:7`) the viewer has opened. One query."""
    if not keys:
        return set()
    rows = db.session.execute(
        select(Opened.item, Opened.version).where(Opened.user_id == viewer.id, Opened.item.in_(keys))
    )
    return {(item, version) for item, version in rows}
