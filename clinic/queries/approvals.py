"""What an approver has looked at, and how much waits."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all

from clinic.extensions import db
from clinic.models import Opened, User


def counts_of(selects: Mapping[str, Select[Any]]) -> dict[str, int]:
    """How many rows each of these selects has, by its name; those without any are left out. One query."""
    of_each = [select(literal(name), func.count()).select_from(each.subquery()) for name, each in selects.items()]
    return {name: number for name, number in db.session.execute(union_all(*of_each)) if number}


def opened_versions(viewer: User, keys: Collection[str]) -> set[tuple[str, int]]:
    """Which versions of these items (`request:7`) the viewer has opened. One query."""
    if not keys:
        return set()
    rows = db.session.execute(
        select(Opened.item, Opened.version).where(Opened.user_id == viewer.id, Opened.item.in_(keys))
    )
    return {(item, version) for item, version in rows}
