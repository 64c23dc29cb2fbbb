"""Numbers without gaps: each series is one row, locked from the asking until the commit."""

from sqlalchemy import select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from clinic.extensions import db
from clinic.models import Counter


def next_number(name: str) -> int:
    """The next number of a series (`patient:2026`, `ticket:3:2026-03-02`), from 1. Two queries.

    The row stays locked until the transaction ends: a rollback gives the number back, so the series has no gaps. Take it late.
    One statement begins or counts on: to look first and insert then would deadlock when many begin a series together.
    """
    values, one_more = {"name": name, "value": 1}, Counter.value + 1
    dialect = db.session.get_bind().dialect.name
    if dialect in ("mysql", "mariadb"):
        db.session.execute(mysql.insert(Counter).values(values).on_duplicate_key_update(value=one_more))
    else:
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        db.session.execute(
            insert(Counter).values(values).on_conflict_do_update(index_elements=["name"], set_={"value": one_more})
        )
    return db.session.execute(select(Counter.value).where(Counter.name == name)).scalar_one()
