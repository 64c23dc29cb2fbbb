"""Lists page by page that grow no slower: a page is found by the last row before it, never by counting rows from the start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from clinic.extensions import db

Row = TypeVar("Row")
COUNT_UP_TO = 1000


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows in order. `after` and `before` are the ids to ask the neighbouring pages by, None where there is no such page."""

    rows: list[Row]
    after: int | None
    before: int | None


@dataclass(frozen=True)
class Order:
    """A total order: columns that an index holds in this order, ending with the id; all one way."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    descending: bool = False

    @property
    def key(self) -> str:
        """The name of the id."""
        return self.columns[-1].key

    def behind(self, place: Sequence[Any], *, backwards: bool) -> ColumnElement[bool]:
        """Rows behind a place (a value per column); spelt so that MariaDB and SQLite walk the index from there."""
        down = self.descending != backwards
        first = self.columns[0]
        edge = first <= place[0] if down else first >= place[0]
        return and_(edge, self._beyond(place, down))

    def _beyond(self, place: Sequence[Any], down: bool) -> ColumnElement[bool]:
        ways = []
        for depth, column in enumerate(self.columns):
            same = [earlier == value for earlier, value in zip(self.columns[:depth], place, strict=False)]
            ways.append(and_(*same, column < place[depth] if down else column > place[depth]))
        return or_(*ways)

    def by(self, *, backwards: bool) -> list[ColumnElement[Any]]:
        down = self.descending != backwards
        return [column.desc() if down else column.asc() for column in self.columns]


def page_of(
    rows: Select[Any], order: Order, *, size: int = 50, after: int | None = None, before: int | None = None
) -> Page[Any]:
    """One page of a select of a whole entity: the first, or that behind (before) the row with the id given.

    At most two queries, each as fast on page 1,000 as on page 1. An id that is not in the list starts at the beginning: where a row
    that the viewer may not know would stand tells that it is there, and much of its name.
    """
    asked = after or before
    place = _place(rows, order, asked) if asked else None
    backwards = place is not None and not after
    if place is not None:
        rows = rows.where(order.behind(place, backwards=backwards))
    found = list(db.session.execute(rows.order_by(*order.by(backwards=backwards)).limit(size + 1)).scalars())
    more = len(found) > size
    found = found[:size]
    if backwards:
        found.reverse()
    has_next, has_previous = (True, more) if backwards else (more, place is not None)
    return Page(
        rows=found,
        after=getattr(found[-1], order.key) if found and has_next else None,
        before=getattr(found[0], order.key) if found and has_previous else None,
    )


def _place(rows: Select[Any], order: Order, row_id: int) -> Sequence[Any] | None:
    row = db.session.execute(rows.where(order.columns[-1] == row_id)).scalars().first()
    return [getattr(row, column.key) for column in order.columns] if row is not None else None


def count_up_to(rows: Select[Any], most: int = COUNT_UP_TO) -> int:
    """How many rows there are, counted to `most` + 1 at most: that answer means "more than `most`"."""
    return db.session.execute(select(func.count()).select_from(rows.limit(most + 1).subquery())).scalar_one()
