"""Rows as committed last, locked until the transaction ends."""

from typing import TypeVar

from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Base

Row = TypeVar("Row", bound=Base)


def locked(model: type[Row], key: int, *, shared: bool = False) -> Row:
    """The row by its id, read anew whatever this session held of it; raises NoResultFound when there is none.

    Not `session.get(..., with_for_update=True)`: that answers a changed version with StaleDataError, and nobody could say who was
    faster. `shared` lets others read it under the same lock.
    """
    wanted = select(model).where(model.id == key).with_for_update(read=shared)  # type: ignore[attr-defined]
    return db.session.execute(wanted.execution_options(populate_existing=True)).scalar_one()
