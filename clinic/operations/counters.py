"""Numbers without gaps: each series is one row, locked from the asking until the commit."""

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from clinic.extensions import db
from clinic.models import Counter


def next_number(name: str) -> int:
    """The next number of a series (`patient:2026`, `ticket:3:2026-03-02`), from 1.

    The row stays locked until the transaction ends: a rollback gives the number back, so the series has no gaps. Two or three queries.
    """
    while True:
        step = update(Counter).where(Counter.name == name).values(value=Counter.value + 1)
        if db.session.execute(step).rowcount:  # type: ignore[attr-defined]
            return db.session.execute(select(Counter.value).where(Counter.name == name)).scalar_one()
        try:
            with db.session.begin_nested():
                db.session.execute(insert(Counter).values(name=name, value=0))
        except IntegrityError:
            continue  # somebody else began the series at the same moment
